//! Drives a definition without an engine: scripted answers, a simulated clock, and faults on demand. For tests of
//! definitions and of this crate.
//!
//! ```
//! use serde_json::json;
//! use workflow::harness::{Answer, Scenario};
//! use workflow::{Definition, FunctionCatalogue};
//!
//! let mut catalogue = FunctionCatalogue::new();
//! catalogue.register("mail", json!({"type": "object"}), "Mail").unwrap();
//! let definition = Definition::parse(
//!     "document: {dsl: 1.0.3, namespace: test, name: hello, version: 1.0.0}\n\
//!      do:\n- greet: {call: mail, with: {to: '${ .to }'}}\n",
//!     &catalogue,
//! )
//! .unwrap();
//! let mut responder = |request: &workflow::CallRequest| Answer::Done(json!({"sent": request.with["to"]}));
//! let outcome = Scenario::new(&definition, json!({"to": "ana"})).drive(&mut responder);
//! assert_eq!(outcome.run.output, Some(json!({"sent": "ana"})));
//! ```

mod walk;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use domain::{RunId, TaskStatus, Timestamp};
use serde_json::{Value, json};

use crate::{
    ApprovalRequest, CallId, CallRequest, CallTicket, CloudEvent, Definition, Effect, Event, EventKind, Resolution,
    RunError, RunRecord, RunState, SecretSource, Subscription, SubscriptionId, TaskRecord, TimerId, apply, build_call,
    outstanding,
};

pub use walk::walk;

/// What a call comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// It succeeds.
    Done(Value),
    /// It fails.
    Fail(RunError),
    /// Nobody knows; an operator then has it tried again.
    Unknown,
    /// It never answers.
    Silent,
    /// It gives these messages, and then nothing; the position of each is its id.
    Messages(Vec<Value>),
}

/// What a scenario comes to because of how it was answered: with other answers it might not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// A task failed.
    Fault,
    /// Time passed while an event was awaited.
    NoEvent,
}

/// Answers calls and approvals.
pub trait Responder {
    /// Answers a call.
    fn call(&mut self, request: &CallRequest) -> Answer;

    /// Answers a call whose arguments cannot be made; it fails unless overridden.
    fn unbuilt(&mut self, _: &CallTicket, error: RunError) -> Answer {
        Answer::Fail(error)
    }

    /// Answers an approval; approves unless overridden.
    fn approval(&mut self, _: &ApprovalRequest) -> Answer {
        Answer::Done(json!({"outcome": "approved", "decisions": []}))
    }

    /// Hears of a turn before it answers what comes of it.
    fn turns(&mut self, _: Turn) {}
}

impl<F: FnMut(&CallRequest) -> Answer> Responder for F {
    fn call(&mut self, request: &CallRequest) -> Answer {
        self(request)
    }
}

/// What goes wrong in a scenario. Positions count from 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// This call fails, whatever the responder says.
    pub fail_call: Option<usize>,
    /// After this event the state is lost and rebuilt from the journal.
    pub crash_after: Option<usize>,
    /// This event is delivered twice.
    pub repeat: Option<usize>,
}

/// One run of a definition under given circumstances.
pub struct Scenario<'d> {
    definition: &'d Definition,
    /// Where it begins.
    origin: RunState,
    input: Value,
    runtime: Value,
    events: Vec<CloudEvent>,
    secrets: &'d dyn SecretSource,
    faults: Faults,
    /// Events that are delivered after the event of the given position.
    commands: Vec<(usize, EventKind)>,
    limit: usize,
}

/// What came of a scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The final state.
    pub state: RunState,
    /// All events that were accepted, and those that were ignored.
    pub journal: Vec<Event>,
    /// The run's row.
    pub run: RunRecord,
    /// The tasks' rows in order of start.
    pub tasks: Vec<TaskRecord>,
    /// All calls that were dispatched.
    pub calls: Vec<CallTicket>,
    /// All approvals that were opened.
    pub approvals: Vec<ApprovalRequest>,
    /// Calls and approvals that were stopped.
    pub stopped: Vec<CallId>,
    /// All events that were emitted.
    pub emitted: Vec<CloudEvent>,
    /// The subscriptions that are still open.
    pub listening: Vec<Subscription>,
    /// What was found wrong: an ignored event that changed something, a replay that differed. Empty if all is well.
    pub violations: Vec<String>,
}

impl Outcome {
    /// The names of the tasks that ran, in order of start.
    pub fn order(&self) -> Vec<&str> {
        self.tasks.iter().map(|task| task.name.as_str()).collect()
    }
}

impl<'d> Scenario<'d> {
    /// A scenario in which nothing goes wrong.
    pub fn new(definition: &'d Definition, input: Value) -> Self {
        Self {
            definition,
            origin: RunState::new(),
            input,
            runtime: json!({}),
            events: Vec::new(),
            secrets: &(),
            faults: Faults::default(),
            commands: Vec::new(),
            limit: 10_000,
        }
    }

    /// What follows in a run that stands somewhere: what is in flight is answered, and so is all that comes of it.
    pub fn following(definition: &'d Definition, origin: RunState) -> Self {
        Self { origin, ..Self::new(definition, Value::Null) }
    }

    /// With `$runtime.metadata`.
    #[must_use]
    pub fn runtime(mut self, runtime: Value) -> Self {
        self.runtime = runtime;
        self
    }

    /// With events. Each is delivered in its turn to all open subscriptions that admit it, once no call is in flight, and
    /// waits while nobody consumes it. Events that the run emits join them.
    #[must_use]
    pub fn events(mut self, events: Vec<CloudEvent>) -> Self {
        self.events = events;
        self
    }

    /// With secrets.
    #[must_use]
    pub fn secrets(mut self, secrets: &'d dyn SecretSource) -> Self {
        self.secrets = secrets;
        self
    }

    /// With faults.
    #[must_use]
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// With an event that somebody sends after the event of this position.
    #[must_use]
    pub fn command(mut self, after: usize, kind: EventKind) -> Self {
        self.commands.push((after, kind));
        self
    }

    /// Stops after this many events, however much is left to happen.
    #[must_use]
    pub fn limit(mut self, events: usize) -> Self {
        self.limit = events;
        self
    }

    /// Runs until nothing is left to happen.
    pub fn drive(self, responder: &mut dyn Responder) -> Outcome {
        let inbox = self.events.clone();
        let (state, begins) = (self.origin.clone(), self.origin.run.is_none());
        let now = if begins { Timestamp::from_micros(1_750_000_000_000_000) } else { self.origin.now };
        let mut driver = Driver {
            scenario: self,
            inbox,
            offered: BTreeSet::new(),
            subscriptions: BTreeMap::new(),
            emitted: Vec::new(),
            state,
            now,
            journal: Vec::new(),
            calls: VecDeque::new(),
            approvals: VecDeque::new(),
            timers: BTreeMap::new(),
            run: None,
            rows: BTreeMap::new(),
            dispatched: Vec::new(),
            opened: Vec::new(),
            stopped: Vec::new(),
            violations: Vec::new(),
            faulted: false,
        };
        if begins {
            let run = RunId::from_uuid(uuid_of_test());
            let (input, runtime) = (driver.scenario.input.clone(), driver.scenario.runtime.clone());
            driver.deliver(EventKind::Started { run, input, runtime });
        } else {
            driver.take(outstanding(&driver.state));
        }
        driver.drive(responder);
        driver.outcome()
    }
}

struct Driver<'d> {
    scenario: Scenario<'d>,
    /// Events that nobody has consumed yet.
    inbox: Vec<CloudEvent>,
    /// Which events were offered to which subscription in vain.
    offered: BTreeSet<(String, SubscriptionId)>,
    subscriptions: BTreeMap<SubscriptionId, Subscription>,
    emitted: Vec<CloudEvent>,
    state: RunState,
    now: Timestamp,
    journal: Vec<Event>,
    calls: VecDeque<CallTicket>,
    approvals: VecDeque<ApprovalRequest>,
    timers: BTreeMap<TimerId, Timestamp>,
    run: Option<RunRecord>,
    rows: BTreeMap<u32, TaskRecord>,
    dispatched: Vec<CallTicket>,
    opened: Vec<ApprovalRequest>,
    stopped: Vec<CallId>,
    violations: Vec<String>,
    /// Whether a task has failed of which the responder has not heard.
    faulted: bool,
}

impl Driver<'_> {
    fn drive(&mut self, responder: &mut dyn Responder) {
        while self.journal.len() < self.scenario.limit {
            if std::mem::take(&mut self.faulted) {
                responder.turns(Turn::Fault);
            }
            if let Some(ticket) = self.calls.pop_front() {
                self.answer_call(&ticket, responder);
            } else if let Some(request) = self.approvals.pop_front() {
                match responder.approval(&request) {
                    Answer::Done(output) => self.deliver(EventKind::CallCompleted { call: request.call, output }),
                    Answer::Fail(error) => self.fail(request.call, error),
                    Answer::Unknown | Answer::Silent | Answer::Messages(_) => {}
                }
            } else if self.deliver_event() {
            } else if let Some((timer, at)) = self.timers.iter().min_by_key(|(_, at)| **at).map(|(id, at)| (*id, *at)) {
                if !self.subscriptions.is_empty() {
                    responder.turns(Turn::NoEvent);
                }
                self.timers.remove(&timer);
                self.now = self.now.max(at);
                self.deliver(EventKind::TimerFired { timer });
            } else {
                return;
            }
        }
        self.violations.push(format!("the run did not end within {} events", self.scenario.limit));
    }

    fn answer_call(&mut self, ticket: &CallTicket, responder: &mut dyn Responder) {
        let call = ticket.call;
        let number = self.dispatched.len();
        self.dispatched.push(ticket.clone());
        if self.scenario.faults.fail_call == Some(number) {
            self.fail(call, RunError::communication(503, "made to fail"));
            return;
        }
        let request = match build_call(self.scenario.definition, &self.state, &call, self.scenario.secrets) {
            Ok(request) => request,
            Err(error) => {
                let answer = responder.unbuilt(ticket, error);
                self.answer(call, answer);
                return;
            }
        };
        let answer = responder.call(&request);
        self.answer(call, answer);
    }

    fn answer(&mut self, call: CallId, answer: Answer) {
        match answer {
            Answer::Done(output) => self.deliver(EventKind::CallCompleted { call, output }),
            Answer::Fail(error) => self.fail(call, error),
            Answer::Unknown => {
                self.deliver(EventKind::CallUnknown { call });
                let resolution = Resolution::TryAgain;
                self.deliver(EventKind::CallResolved { call, resolution, by: "operator".to_owned() });
            }
            Answer::Silent => {}
            Answer::Messages(messages) => {
                for (position, message) in messages.into_iter().enumerate() {
                    self.deliver(EventKind::MessageReceived { call, id: position.to_string(), message });
                }
            }
        }
    }

    fn fail(&mut self, call: CallId, error: RunError) {
        self.deliver(EventKind::CallFailed { call, error, retryable: false });
    }

    /// Delivers the first event that somebody consumes.
    fn deliver_event(&mut self) -> bool {
        for position in 0..self.inbox.len() {
            let Some(event) = self.inbox.get(position).cloned() else { break };
            let open: Vec<SubscriptionId> = self
                .subscriptions
                .values()
                .filter(|subscription| subscription.admits(&event))
                .map(|subscription| subscription.subscription)
                .collect();
            let mut consumed = false;
            for subscription in open {
                if !self.offered.insert((event.to_string(), subscription)) {
                    continue;
                }
                let before = self.state.clone();
                self.deliver(EventKind::EventReceived { subscription, event: Box::new(event.clone()) });
                consumed |= before != self.state;
            }
            if consumed {
                self.inbox.retain(|waiting| *waiting != event);
                return true;
            }
        }
        false
    }

    fn deliver(&mut self, kind: EventKind) {
        let mut kinds = VecDeque::from([kind]);
        while let Some(kind) = kinds.pop_front() {
            self.now = self.now + std::time::Duration::from_millis(1);
            let position = self.journal.len();
            self.apply(&Event::new(self.now, kind));
            let commands = self.scenario.commands.iter().filter(|(after, _)| *after == position);
            kinds.extend(commands.map(|(_, kind)| kind.clone()));
        }
    }

    fn apply(&mut self, event: &Event) {
        let position = self.journal.len();
        let effects = apply(self.scenario.definition, &mut self.state, event);
        self.journal.push(event.clone());
        self.take(effects);
        if self.scenario.faults.repeat == Some(position) {
            let before = self.state.clone();
            let again = apply(self.scenario.definition, &mut self.state, event);
            if !again.is_empty() || before != self.state {
                self.violations.push(format!("event {position} was not ignored the second time: {again:?}"));
            }
        }
        if self.scenario.faults.crash_after == Some(position) {
            self.crash();
        }
    }

    fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Call(ticket) => self.calls.push_back(ticket),
                Effect::StopCall { call } => {
                    self.calls.retain(|ticket| ticket.call != call);
                    self.stopped.push(call);
                }
                // A call that is settled is answered in its turn, and what answers approvals here answers for all stages.
                Effect::SettleCall { .. } | Effect::AskStage { .. } | Effect::Escalate(_) => {}
                Effect::SetTimer { timer, at } => {
                    self.timers.insert(timer, at);
                }
                Effect::ClearTimer { timer } => {
                    self.timers.remove(&timer);
                }
                Effect::OpenApproval(request) => {
                    self.opened.push((*request).clone());
                    self.approvals.push_back(*request);
                }
                Effect::CloseApproval { call } => {
                    self.approvals.retain(|request| request.call != call);
                    self.stopped.push(call);
                }
                Effect::Task(record) => {
                    self.faulted |= record.status == TaskStatus::Faulted;
                    self.rows.insert(record.sequence, *record);
                }
                Effect::Run(record) => self.run = Some(*record),
                Effect::Subscribe(subscription) => {
                    self.subscriptions.insert(subscription.subscription, *subscription);
                }
                Effect::Unsubscribe { subscription, .. } => {
                    self.subscriptions.remove(&subscription);
                }
                Effect::Emit(event) => {
                    self.emitted.push((*event).clone());
                    self.inbox.push(*event);
                }
            }
        }
    }

    /// The state is lost: it comes back from the journal, and what is in flight from the state.
    fn crash(&mut self) {
        let origin = self.scenario.origin.clone();
        let replayed = replay(self.scenario.definition, origin, &self.journal, &mut self.violations);
        if replayed != self.state {
            self.violations.push("the replayed state differs from the live one".to_owned());
        }
        match serde_json::to_string(&self.state).map(|text| serde_json::from_str::<RunState>(&text)) {
            Ok(Ok(restored)) if restored == self.state => {}
            Ok(Ok(_)) => self.violations.push("the snapshot differs from the state".to_owned()),
            Ok(Err(error)) | Err(error) => self.violations.push(format!("the snapshot cannot be read: {error}")),
        }
        self.state = replayed;
        self.calls.clear();
        self.approvals.clear();
        self.timers.clear();
        self.subscriptions.clear();
        let opened = std::mem::take(&mut self.opened);
        self.take(outstanding(&self.state));
        // Opening an approval again is an update, not another approval.
        let news: Vec<ApprovalRequest> = self.opened.drain(..).collect();
        self.opened = opened;
        for request in news {
            if !self.opened.contains(&request) {
                self.violations.push(format!("recovery opens an approval that was never opened: {request:?}"));
            }
        }
    }

    fn outcome(mut self) -> Outcome {
        let origin = self.scenario.origin.clone();
        let replayed = replay(self.scenario.definition, origin, &self.journal, &mut self.violations);
        if replayed != self.state {
            self.violations.push("the replayed state differs from the live one".to_owned());
        }
        let never = RunRecord {
            status: domain::RunStatus::Pending,
            output: None,
            context: None,
            error: None,
            attention: None,
            compensation: crate::Compensation::None,
            retryable: false,
            started_at: self.now,
            ended_at: None,
        };
        Outcome {
            run: self.run.unwrap_or(never),
            state: self.state,
            journal: self.journal,
            tasks: self.rows.into_values().collect(),
            calls: self.dispatched,
            approvals: self.opened,
            stopped: self.stopped,
            emitted: self.emitted,
            listening: self.subscriptions.into_values().collect(),
            violations: self.violations,
        }
    }
}

/// The state after a journal, which goes through its JSON form as in a database.
fn replay(definition: &Definition, origin: RunState, journal: &[Event], violations: &mut Vec<String>) -> RunState {
    let mut state = origin;
    for event in journal {
        match serde_json::to_string(event).map(|text| serde_json::from_str::<Event>(&text)) {
            Ok(Ok(read)) => {
                if read != *event {
                    violations.push(format!("an event is read differently from how it was written: {event:?}"));
                }
                apply(definition, &mut state, &read);
            }
            Ok(Err(error)) | Err(error) => violations.push(format!("an event cannot be read: {error}")),
        }
    }
    state
}

/// The run's id in every scenario.
fn uuid_of_test() -> uuid::Uuid {
    uuid::Uuid::from_u128(0x0193_0000_0000_7000_8000_0000_0000_0001)
}

/// Runs a definition under every single fault: each call failing, each event repeated, a crash after each event. Gives
/// what was found wrong; `responder` must answer the same call in the same way every time.
pub fn torture<R: Responder>(
    definition: &Definition,
    input: &Value,
    events: &[CloudEvent],
    responder: impl Fn() -> R,
) -> Vec<String> {
    let scenario = || Scenario::new(definition, input.clone()).events(events.to_vec());
    let calm = scenario().drive(&mut responder());
    let mut violations = calm.violations.clone();
    let compare = |outcome: &Outcome, expected: &Outcome, what: &str, violations: &mut Vec<String>| {
        violations.extend(outcome.violations.iter().map(|violation| format!("{what}: {violation}")));
        if outcome.run.status != expected.run.status || outcome.run.output != expected.run.output {
            violations.push(format!("{what}: ended as {:?} instead of {:?}", outcome.run, expected.run));
        }
        let rows = |outcome: &Outcome| {
            let row = |task: &TaskRecord| (task.reference.clone(), task.occurrence, task.status, task.output.clone());
            outcome.tasks.iter().map(row).collect::<Vec<_>>()
        };
        if rows(outcome) != rows(expected) {
            violations.push(format!("{what}: the tasks differ"));
        }
        if outcome.emitted != expected.emitted {
            violations.push(format!("{what}: the events differ"));
        }
        let keys = |outcome: &Outcome| {
            let mut keys: Vec<String> = outcome.calls.iter().map(|ticket| ticket.key.clone()).collect();
            keys.sort();
            keys.dedup();
            keys
        };
        if keys(outcome) != keys(expected) {
            violations.push(format!("{what}: the idempotency keys differ"));
        }
    };
    let drive = |faults: Faults| scenario().faults(faults).drive(&mut responder());
    for position in 0..calm.journal.len() {
        let repeated = drive(Faults { repeat: Some(position), ..Faults::default() });
        compare(&repeated, &calm, &format!("event {position} repeated"), &mut violations);
        let crashed = drive(Faults { crash_after: Some(position), ..Faults::default() });
        compare(&crashed, &calm, &format!("crash after event {position}"), &mut violations);
    }
    for call in 0..calm.calls.len() {
        let failing = Faults { fail_call: Some(call), ..Faults::default() };
        let failed = drive(failing);
        violations.extend(failed.violations.iter().map(|violation| format!("call {call} failing: {violation}")));
        if !failed.run.status.is_final() {
            violations.push(format!("call {call} failing: the run did not end"));
        }
        for position in 0..failed.journal.len() {
            // The failing call is counted by dispatches, and a crash dispatches calls in flight again; only a crash
            // with none in flight leaves the count as it was.
            let crashed = drive(Faults { repeat: Some(position), ..failing });
            compare(&crashed, &failed, &format!("call {call} failing, event {position} repeated"), &mut violations);
        }
    }
    violations
}
