//! Any events in any order: answers to whatever is in flight, timers early and late, commands, repetitions, and what fits
//! nothing.

use std::collections::{BTreeMap, BTreeSet};

use domain::{RunId, Timestamp};
use serde_json::{Value, json};

use crate::{
    CallId, CloudEvent, Definition, Effect, Event, EventKind, Refusal, Resolution, RunError, RunState, Subscription,
    SubscriptionId, TimerId, apply, build_call, outstanding, refusal,
};

use super::{replay, uuid_of_test};
use crate::machine::state::Phase;

/// Applies the events that `choices` stand for to a run of the definition, two bytes for each: what happens, and to which
/// of the things in flight. Gives what was found wrong:
/// - an event that cannot fit changed something,
/// - [`outstanding`] names other things than the effects so far left in flight,
/// - a call, timer or subscription has the number of an earlier one,
/// - two calls in flight have the same idempotency key,
/// - a run that is to end when it is settled has nothing to settle,
/// - a snapshot, or the replay of the journal, gives another state.
pub fn walk(definition: &Definition, input: &Value, choices: &[u8]) -> Vec<String> {
    let mut walk = Walk {
        definition,
        state: RunState::new(),
        now: Timestamp::from_micros(1_750_000_000_000_000),
        journal: Vec::new(),
        open: Open::default(),
        unknown: BTreeSet::new(),
        emitted: Vec::new(),
        executions: Vec::new(),
        highest: Open::default(),
        violations: Vec::new(),
    };
    let run = RunId::from_uuid(uuid_of_test());
    walk.deliver(EventKind::Started { run, input: input.clone(), runtime: json!({}) });
    for pair in choices.chunks_exact(2) {
        if let [what, which] = pair {
            walk.choose(*what, usize::from(*which));
        }
        if !walk.violations.is_empty() {
            break;
        }
    }
    if replay(definition, RunState::new(), &walk.journal, &mut walk.violations) != walk.state {
        walk.violations.push("the replayed state differs from the live one".to_owned());
    }
    walk.violations
}

/// Things in flight. A call has its idempotency key, an approval none.
#[derive(Debug, Clone, Default, PartialEq)]
struct Open {
    calls: BTreeMap<CallId, Option<String>>,
    timers: BTreeMap<TimerId, Timestamp>,
    subscriptions: BTreeMap<SubscriptionId, Subscription>,
}

impl Open {
    /// Takes up what an effect begins.
    fn begin(&mut self, effect: &Effect) {
        match effect {
            Effect::Call(ticket) => drop(self.calls.insert(ticket.call, Some(ticket.key.clone()))),
            Effect::OpenApproval(request) => drop(self.calls.insert(request.call, None)),
            Effect::SetTimer { timer, at } => drop(self.timers.insert(*timer, *at)),
            Effect::Subscribe(subscription) => {
                self.subscriptions.insert(subscription.subscription, (**subscription).clone());
            }
            _ => {}
        }
    }

    /// Forgets what an effect ends.
    fn end(&mut self, effect: &Effect) {
        match effect {
            Effect::StopCall { call } | Effect::CloseApproval { call } => drop(self.calls.remove(call)),
            Effect::ClearTimer { timer } => drop(self.timers.remove(timer)),
            Effect::Unsubscribe { subscription, .. } => drop(self.subscriptions.remove(subscription)),
            _ => {}
        }
    }
}

struct Walk<'d> {
    definition: &'d Definition,
    state: RunState,
    now: Timestamp,
    journal: Vec<Event>,
    open: Open,
    /// Calls of which nobody knows what became of them.
    unknown: BTreeSet<CallId>,
    emitted: Vec<CloudEvent>,
    /// The reference and occurrence of each task that was started.
    executions: Vec<(String, u32)>,
    /// The last number of each kind.
    highest: Open,
    violations: Vec<String>,
}

/// The one of these that a byte chooses.
fn nth<T: Copy>(of: impl ExactSizeIterator<Item = T>, which: usize) -> Option<T> {
    let mut of = of;
    let place = which.checked_rem(of.len())?;
    of.nth(place)
}

fn output(which: usize) -> Value {
    match which % 5 {
        0 => json!({"n": which, "login": "ana"}),
        1 => json!([which, "text", null]),
        2 => json!({"code": which % 3, "stdout": "{\"n\": 1}", "stderr": ""}),
        3 => json!("text"),
        _ => Value::Null,
    }
}

fn error(which: usize) -> RunError {
    match which % 3 {
        0 => RunError::communication(503, "busy"),
        1 => RunError::communication(404, "not there"),
        _ => RunError::rejected("no"),
    }
}

impl Walk<'_> {
    fn choose(&mut self, what: u8, which: usize) {
        let call = nth(self.open.calls.keys().copied().collect::<Vec<_>>().into_iter(), which);
        let timer = nth(self.open.timers.keys().copied().collect::<Vec<_>>().into_iter(), which);
        let by = || "somebody".to_owned();
        let kind = match what % 24 {
            0..6 => call.map(|call| EventKind::CallCompleted { call, output: output(which) }),
            6 | 7 => {
                call.map(|call| EventKind::CallFailed { call, error: error(which), retryable: which.is_multiple_of(2) })
            }
            8 if which.is_multiple_of(2) => call.map(|call| EventKind::CallLost { call, error: error(which) }),
            8 => call.map(|call| EventKind::CallUnknown { call }),
            9 => call.map(|call| EventKind::CallStarted { call }),
            10 => {
                let call = nth(self.unknown.iter().copied().collect::<Vec<_>>().into_iter(), which);
                let resolution = match which % 3 {
                    0 => Resolution::Done { output: output(which) },
                    1 => Resolution::Failed { error: error(which) },
                    _ => Resolution::TryAgain,
                };
                call.map(|call| EventKind::CallResolved { call, resolution, by: by() })
            }
            11 | 12 => {
                let next = self.open.timers.iter().min_by_key(|(_, at)| **at).map(|(timer, at)| (*timer, *at));
                next.map(|(timer, at)| {
                    self.now = self.now.max(at);
                    EventKind::TimerFired { timer }
                })
            }
            13 => timer.map(|timer| EventKind::TimerFired { timer }),
            14 | 15 => self.event(which),
            16 => call.map(|call| {
                let message = json!({"payload": output(which), "headers": {}});
                EventKind::MessageReceived { call, id: (which % 4).to_string(), message }
            }),
            17 => match which % 8 {
                0 => Some(EventKind::CancelRequested { by: by(), reason: None }),
                1..4 => Some(EventKind::Suspended { by: by() }),
                4..7 => Some(EventKind::Resumed { by: by() }),
                _ => Some(EventKind::RetryRequested { by: by() }),
            },
            18 => {
                self.unfit(which);
                None
            }
            20 => self.execution(which).map(|(reference, occurrence)| EventKind::TaskSkipped {
                reference,
                occurrence,
                output: which.is_multiple_of(2).then(|| output(which)),
                reason: "why not".to_owned(),
                by: by(),
            }),
            22 => call.map(|call| EventKind::StageApproved { call, stage: which % 3 }),
            23 => call.map(|call| EventKind::Resubmitted { call, input: output(which), by: by() }),
            21 => self.execution(which).map(|(reference, _)| {
                let before = self.executions.iter().filter(|(other, _)| *other == reference).count();
                let occurrence = u32::try_from(before).unwrap_or(u32::MAX);
                EventKind::ResumedFrom {
                    reference,
                    occurrence,
                    input: output(which),
                    reason: "why not".to_owned(),
                    by: by(),
                }
            }),
            _ => {
                // Clocks of different nodes may disagree.
                self.now = self.now - std::time::Duration::from_secs(u64::try_from(which).unwrap_or_default());
                None
            }
        };
        if let Some(kind) = kind {
            self.deliver(kind);
        }
    }

    fn execution(&self, which: usize) -> Option<(String, u32)> {
        nth(self.executions.iter().collect::<Vec<_>>().into_iter(), which).cloned()
    }

    /// An event for a subscription: one that the run emitted, or one that its filters ask for.
    fn event(&self, which: usize) -> Option<EventKind> {
        let open: Vec<&Subscription> = self.open.subscriptions.values().collect();
        let subscription = nth(open.into_iter(), which)?;
        let own =
            nth(self.emitted.iter().collect::<Vec<_>>().into_iter(), which / 2).filter(|_| which.is_multiple_of(2));
        let event = if let Some(event) = own {
            event.clone()
        } else {
            let filters: Vec<_> = subscription.filters.iter().collect();
            let filter = nth(filters.into_iter(), which)?;
            let event = json!({
                "id": (which % 8).to_string(),
                "source": filter.source.as_deref().unwrap_or("https://example.com"),
                "type": filter.kind.as_deref().unwrap_or("t"),
                "data": output(which),
            });
            CloudEvent::from_value(event).ok()?
        };
        let subscription = subscription.subscription;
        Some(EventKind::EventReceived { subscription, event: Box::new(event) })
    }

    /// What was over once is over for ever, and what never was is nothing.
    fn unfit(&mut self, which: usize) {
        let over = |event: &&Event| match &event.kind {
            EventKind::Started { .. } => true,
            EventKind::CallCompleted { call, .. } | EventKind::CallFailed { call, .. } => {
                !self.open.calls.contains_key(call) && !self.unknown.contains(call)
            }
            EventKind::TimerFired { timer } => !self.open.timers.contains_key(timer),
            EventKind::EventReceived { subscription, .. } => !self.open.subscriptions.contains_key(subscription),
            _ => false,
        };
        let earlier: Vec<&Event> = self.journal.iter().filter(over).collect();
        let mut kinds = vec![
            EventKind::CallCompleted { call: CallId(u32::MAX), output: Value::Null },
            EventKind::TimerFired { timer: TimerId(u32::MAX) },
        ];
        kinds.extend(nth(earlier.into_iter(), which).map(|event| event.kind.clone()));
        for kind in kinds {
            let event = Event::new(self.now, kind);
            let before = self.state.clone();
            let effects = apply(self.definition, &mut self.state, &event);
            if !effects.is_empty() || before != self.state {
                self.violations.push(format!("{event:?} cannot fit, and yet had effects: {effects:?}"));
            }
        }
    }

    fn deliver(&mut self, kind: EventKind) {
        self.now = self.now + std::time::Duration::from_millis(1);
        let event = Event::new(self.now, kind);
        let refused = refusal(self.definition, &self.state, &event.kind);
        let effects = apply(self.definition, &mut self.state, &event);
        if matches!(
            event.kind,
            EventKind::TaskSkipped { .. } | EventKind::ResumedFrom { .. } | EventKind::Resubmitted { .. }
        ) {
            self.commanded(&event, refused.as_ref(), &effects);
        }
        self.over(&event.kind);
        self.journal.push(event);
        for effect in &effects {
            self.open.end(effect);
            if let Effect::StopCall { call } | Effect::CloseApproval { call } = effect {
                self.unknown.remove(call);
            }
            self.fresh(effect);
            self.open.begin(effect);
            match effect {
                Effect::Emit(event) => self.emitted.push((**event).clone()),
                Effect::Task(record) => {
                    let execution = (record.reference.clone(), record.occurrence);
                    if !self.executions.contains(&execution) {
                        self.executions.push(execution);
                    }
                }
                _ => {}
            }
        }
        self.compare();
    }

    /// A command does something if it was not refused, and the second time nothing.
    fn commanded(&mut self, event: &Event, refused: Option<&Refusal>, effects: &[Effect]) {
        if refused.is_some() != effects.is_empty() {
            self.violations.push(format!("{event:?} was refused by {refused:?}, and had effects: {effects:?}"));
        }
        let before = self.state.clone();
        let again = apply(self.definition, &mut self.state, event);
        if !again.is_empty() || before != self.state {
            self.violations.push(format!("{event:?} was not ignored the second time: {again:?}"));
        }
    }

    /// What an event by itself brings to its end.
    fn over(&mut self, kind: &EventKind) {
        match kind {
            EventKind::CallCompleted { call, .. }
            | EventKind::CallFailed { call, .. }
            | EventKind::CallLost { call, .. } => {
                self.open.calls.remove(call);
            }
            // Approvals are decided by people, who know what they did.
            EventKind::CallUnknown { call } if self.open.calls.get(call).is_some_and(Option::is_some) => {
                self.open.calls.remove(call);
                self.unknown.insert(*call);
            }
            EventKind::CallResolved { call, .. } => {
                self.unknown.remove(call);
            }
            EventKind::TimerFired { timer } => {
                self.open.timers.remove(timer);
            }
            _ => {}
        }
    }

    /// What begins has a number that nothing had before, and a call a key that no other in flight has.
    fn fresh(&mut self, effect: &Effect) {
        let fresh = match effect {
            Effect::Call(ticket) => {
                let key = Some(&ticket.key);
                if self.open.calls.values().any(|other| other.as_ref() == key) {
                    self.violations.push(format!("two calls in flight have the key of {}", ticket.reference));
                }
                // Arguments can always be built, or say why not.
                let _ = build_call(self.definition, &self.state, &ticket.call, &());
                self.highest.calls.last_key_value().is_none_or(|(last, _)| *last < ticket.call)
            }
            Effect::OpenApproval(request) => {
                self.highest.calls.last_key_value().is_none_or(|(last, _)| *last < request.call)
            }
            Effect::SetTimer { timer, .. } => self.highest.timers.last_key_value().is_none_or(|(last, _)| last < timer),
            Effect::Subscribe(subscription) => {
                let last = self.highest.subscriptions.last_key_value();
                last.is_none_or(|(last, _)| *last < subscription.subscription)
            }
            _ => true,
        };
        if !fresh {
            self.violations.push(format!("the number is not new: {effect:?}"));
        }
        self.highest.begin(effect);
    }

    fn compare(&mut self) {
        let mut found = Open::default();
        for effect in outstanding(&self.state) {
            found.begin(&effect);
        }
        if found != self.open {
            let last = self.journal.last();
            self.violations.push(format!(
                "after {last:?} these are outstanding: {found:?}\nand these are in flight: {:?}",
                self.open
            ));
        }
        let settling = matches!(self.state.phase, Phase::Settling(_));
        if settling && !self.state.calls.values().any(|frame| self.state.is_apart(*frame)) {
            self.violations.push("the run settles, and nothing is left to settle".to_owned());
        }
        match serde_json::to_string(&self.state).map(|text| serde_json::from_str::<RunState>(&text)) {
            Ok(Ok(restored)) if restored == self.state => {}
            Ok(Ok(_)) => self.violations.push("the snapshot differs from the state".to_owned()),
            Ok(Err(error)) | Err(error) => self.violations.push(format!("the snapshot cannot be read: {error}")),
        }
    }
}
