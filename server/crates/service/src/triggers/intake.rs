//! What becomes of what is delivered to a trigger.
//!
//! A call is taken in by one unit of work: its deliveries, the runs that they launch, the events that they publish, and the entries of
//! the audit log are durable together, before the answer goes out. A sender that got no answer sends again, and what was taken in
//! is known by its key: so a run is launched once, whenever a node dies.

use std::collections::BTreeSet;

use audit::{Actor, Door, Entry, Outcome, ResourceRef};
use domain::{
    AlertEnd, ErrorCode, Operation, Problem, Role, RunId, Timestamp, TriggerId, TriggerKind, TriggerOutcome, UserId,
    view::DeliveryView,
};
use engine::{
    Topic,
    launch::{self, Called, Cause, Launch},
    notices::{Notice, NoticeKind, notify},
    stream::{self, Published},
};
use identity::vault::redact_str;
use serde::Serialize;
use serde_json::{Value, json};
use store::{
    UnitOfWork,
    runs::Run,
    triggers::{Alert, Delivery, Trigger},
};
use workflow::{CloudEvent, Event, EventKind};

use super::{
    HookCall, RANDOM, delivery_view, mapping,
    mapping::Mapping,
    matter::{self, Announced, Matter},
    not_kept, place_of_payload, place_of_secret, proof, standard, target,
};
use crate::{
    Caller, Service, input,
    problems::{OrProblem as _, internal, not_found},
    views::People,
};

/// What is told to runs whose alert is resolved.
const RESOLVED: &str = "dev.rondo.alert.resolved";
/// The largest delivery that is kept, in bytes.
const PAYLOAD: usize = 64 * 1024;
/// How often a call is taken in anew because somebody else was at it.
const TRIES: u32 = 3;
/// The longest reason that is kept, in characters.
const DETAIL: usize = 1_000;
/// What is kept where an expression fails: its own words would quote what was delivered, which is kept encrypted only.
const FILTER_FAILED: &str = "the filter failed; try it out with this delivery";
const MAPPING_FAILED: &str = "the mapping failed; try it out with this delivery";
/// The secret of the trigger that there is not.
const NOBODY_S: &str = "nobody calls what is not there";

/// What became of one thing of a call, as its sender is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HookOutcome {
    /// What.
    pub outcome: TriggerOutcome,
    /// The number of the run that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<i64>,
    /// Why, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What is to be done once the unit is durable, and what is entered in the audit log before.
#[derive(Default)]
pub(super) struct Done {
    pub(super) entries: Vec<Entry>,
    woken: BTreeSet<RunId>,
    schedules: bool,
    told: BTreeSet<UserId>,
}

/// What a delivery comes to.
struct Verdict {
    outcome: TriggerOutcome,
    detail: Option<String>,
    run: Option<(RunId, i64)>,
}

impl Verdict {
    fn new(outcome: TriggerOutcome, detail: impl Into<String>) -> Self {
        Self { outcome, detail: Some(detail.into()), run: None }
    }

    fn about(outcome: TriggerOutcome, run: &Run) -> Self {
        Self { outcome, detail: None, run: Some((run.id, run.number)) }
    }

    fn because(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }
}

/// A delivery on its way through.
pub(super) struct Passage<'a> {
    pub(super) trigger: &'a Trigger,
    /// The number that it has.
    pub(super) number: i64,
    pub(super) matter: &'a Matter,
    /// Who has it worked on once more.
    pub(super) replayed_by: Option<UserId>,
    /// If it came before: how often it came again, and what became of it then.
    pub(super) earlier: Option<(u32, TriggerOutcome)>,
    pub(super) now: Timestamp,
}

impl Passage<'_> {
    /// Its number and, if it came before, how often: another one each time that it is judged.
    fn mark(&self) -> String {
        match self.earlier {
            None => self.number.to_string(),
            Some((repeats, _)) => format!("{}.{repeats}", self.number),
        }
    }
}

pub(super) fn no_version(trigger: &Trigger) -> String {
    format!("{} has no published version; publish one", trigger.workflow_ref())
}

impl Service {
    /// Takes in what somebody sent to the address of a trigger. Whoever cannot prove to be meant learns nothing: the answer is the same
    /// whether there is no such trigger, it is switched off, or the proof is wrong.
    ///
    /// # Errors
    /// [`ErrorCode::NotFound`]; or the database fails.
    pub async fn receive_hook(&self, place: &str, call: &HookCall) -> Result<Vec<HookOutcome>, Problem> {
        let trigger = self.proven(place, call).await?;
        let matters = matter::read(&trigger, call, self.now());
        let mut tries = 1;
        loop {
            match self.accept(&trigger, &matters).await {
                Err(problem) if problem.code != ErrorCode::Conflict => return Err(problem),
                Err(_) if tries < TRIES => tries += 1,
                Err(_) => {
                    let detail = "others call at the same time; send it again";
                    return Err(Problem::new(ErrorCode::Unavailable).with_detail(detail));
                }
                outcomes => return outcomes,
            }
        }
    }

    /// The trigger at a place, if the call proves to come from whoever has its secret.
    async fn proven(&self, place: &str, call: &HookCall) -> Result<Trigger, Problem> {
        let mut unit = self.parts.store.snapshot().await.or_problem()?;
        // What can be no address is asked for, too, but not by its own text, of which a database may not take every letter.
        let place = if is_place(place) { place } else { "" };
        let trigger = unit.trigger_by_place(place).await.or_problem()?;
        drop(unit);
        let Some(trigger) = trigger else {
            // As much is done as if there were one, so that the time tells nothing either.
            proof::holds(TriggerKind::Webhook, &standard(), NOBODY_S, call);
            return Err(not_found());
        };
        let secret = self.parts.vault.unseal(&place_of_secret(trigger.id), &trigger.sealed_secret);
        let secret = secret.map_err(|cause| internal("the secret of a trigger cannot be opened", &cause))?;
        let proven = proof::holds(trigger.kind, &trigger.signing, secret.expose(), call);
        if trigger.enabled && proven && !trigger.kind.looks() { Ok(trigger) } else { Err(not_found()) }
    }

    async fn accept(&self, proven: &Trigger, matters: &[Matter]) -> Result<Vec<HookOutcome>, Problem> {
        let mut unit = self.parts.store.begin().await.or_problem()?;
        let now = self.now();
        let trigger = unit.lock_trigger(proven.id).await.or_problem()?.ok_or_else(not_found)?;
        // Switched off, or given another secret, since the call was proven.
        if !trigger.enabled || trigger.sealed_secret != proven.sealed_secret {
            return Err(not_found());
        }
        let mut done = Done::default();
        let mut outcomes = Vec::with_capacity(matters.len());
        let mut number = trigger.deliveries + 1;
        for matter in matters {
            let outcome = match unit.delivery_by_key(trigger.id, &matter.key).await.or_problem()? {
                Some(earlier) => self.deliver_again(unit.as_mut(), &trigger, matter, earlier, now, &mut done).await?,
                None => {
                    let passage = Passage { trigger: &trigger, number, matter, replayed_by: None, earlier: None, now };
                    let delivery = self.deliver(unit.as_mut(), &passage, None, &mut done).await?;
                    number = delivery.number + 1;
                    told(&delivery)
                }
            };
            outcomes.push(outcome);
        }
        audit::append_all(unit.as_mut(), &done.entries).await.or_problem()?;
        unit.commit().await.or_problem()?;
        self.afterwards(&done);
        Ok(outcomes)
    }

    pub(super) fn afterwards(&self, done: &Done) {
        for run in &done.woken {
            self.wake(*run);
        }
        if done.schedules {
            self.wake_schedules();
        }
        for person in &done.told {
            self.parts.live.changed(Topic::Notifications(*person));
        }
        self.parts.live.changed(Topic::Triggers);
    }

    /// Works on a delivery and keeps it. `replay` is the one that it repeats, and who wants that.
    pub(super) async fn deliver(
        &self,
        unit: &mut dyn UnitOfWork,
        passage: &Passage<'_>,
        replay: Option<(i64, UserId)>,
        done: &mut Done,
    ) -> Result<Delivery, Problem> {
        let Passage { trigger, matter, now, .. } = *passage;
        let verdict = self.judge(unit, passage, done).await?;
        let mut delivery = Delivery {
            trigger: trigger.id,
            number: passage.number,
            key: matter.key.clone(),
            received_at: now,
            payload: self.sealed(trigger, matter),
            outcome: verdict.outcome,
            detail: verdict.detail.as_deref().map(short),
            run: verdict.run,
            fingerprint: matter.alert.as_ref().map(|alert| alert.fingerprint.clone()),
            replay,
            repeats: 0,
            repeated_at: None,
        };
        delivery.number = unit.insert_delivery(&delivery).await.or_problem()?;
        Ok(delivery)
    }

    /// What a delivery said, as it is kept; none where it is too large.
    fn sealed(&self, trigger: &Trigger, matter: &Matter) -> Option<String> {
        let content = matter.content.to_string();
        let is_kept = !matter.content.is_null() && content.len() <= PAYLOAD;
        is_kept.then(|| self.parts.vault.seal(&place_of_payload(trigger.id), &content))
    }

    /// What came before comes again: it is counted, and does nothing unless nothing was done the first time, or the alert was resolved
    /// meanwhile, or fires again.
    async fn deliver_again(
        &self,
        unit: &mut dyn UnitOfWork,
        trigger: &Trigger,
        matter: &Matter,
        earlier: Delivery,
        now: Timestamp,
        done: &mut Done,
    ) -> Result<HookOutcome, Problem> {
        let mut delivery = Delivery { repeats: earlier.repeats.saturating_add(1), repeated_at: Some(now), ..earlier };
        let known = match &matter.alert {
            Some(announced) => unit.trigger_alert(trigger.id, &announced.fingerprint).await.or_problem()?,
            None => None,
        };
        // Another run was under way, which may have ended by now.
        let was_late = matter.alert.is_some() && delivery.outcome == TriggerOutcome::Duplicate;
        let anew = was_late || matches!(delivery.outcome, TriggerOutcome::Invalid | TriggerOutcome::Refused);
        if anew || has_turned(unit, matter, known.as_ref()).await? {
            let earlier = Some((delivery.repeats, delivery.outcome));
            let passage = Passage { trigger, number: delivery.number, matter, replayed_by: None, earlier, now };
            let verdict = self.judge(unit, &passage, done).await?;
            delivery.outcome = verdict.outcome;
            delivery.detail = verdict.detail.as_deref().map(short);
            delivery.run = verdict.run;
            delivery.payload = self.sealed(trigger, matter);
            unit.update_delivery(&delivery).await.or_problem()?;
            return Ok(told(&delivery));
        }
        unit.update_delivery(&delivery).await.or_problem()?;
        if let Some(known) = known {
            unit.put_trigger_alert(&Alert { seen_at: now, ..known }).await.or_problem()?;
        }
        Ok(HookOutcome { outcome: TriggerOutcome::Duplicate, ..told(&delivery) })
    }

    async fn judge(
        &self,
        unit: &mut dyn UnitOfWork,
        passage: &Passage<'_>,
        done: &mut Done,
    ) -> Result<Verdict, Problem> {
        let Passage { trigger, matter, now, .. } = *passage;
        if let Some(fault) = &matter.fault {
            return Ok(Verdict::new(TriggerOutcome::Invalid, fault));
        }
        if let Some(words) = &matter.kept_out {
            return Ok(Verdict::new(TriggerOutcome::Filtered, words));
        }
        let Some(announced) = &matter.alert else { return self.launch_for(unit, passage, done).await };
        let known = unit.trigger_alert(trigger.id, &announced.fingerprint).await.or_problem()?;
        if announced.resolved {
            return self.resolve(unit, passage, announced, known, done).await;
        }
        if let Some(known) = known {
            let run = unit.run(known.run).await.or_problem()?.ok_or_else(not_found)?;
            let began_then = known.starts_at == announced.starts_at && passage.replayed_by.is_none();
            // What was resolved meanwhile fires anew, whatever monitoring says of its beginning.
            let same = began_then && known.resolved_at.is_none();
            if same || !run.status.is_final() {
                // That of its run stays: once the run has ended, what began since has one of its own.
                let again = Alert { resolved_at: known.resolved_at.filter(|_| began_then), seen_at: now, ..known };
                unit.put_trigger_alert(&again).await.or_problem()?;
                let detail = format!("R-{} was launched for this alert", run.number);
                return Ok(Verdict::about(TriggerOutcome::Duplicate, &run).because(detail));
            }
        }
        let verdict = self.launch_for(unit, passage, done).await?;
        if let (TriggerOutcome::Launched, Some((run, _))) = (verdict.outcome, verdict.run) {
            let alert = Alert {
                trigger: trigger.id,
                fingerprint: announced.fingerprint.clone(),
                starts_at: announced.starts_at.clone(),
                run,
                resolved_at: None,
                seen_at: now,
            };
            unit.put_trigger_alert(&alert).await.or_problem()?;
        }
        Ok(verdict)
    }

    /// Launches a run for a delivery, if the filter admits it and the workflow takes what the mapping makes of it.
    async fn launch_for(
        &self,
        unit: &mut dyn UnitOfWork,
        passage: &Passage<'_>,
        done: &mut Done,
    ) -> Result<Verdict, Problem> {
        let Passage { trigger, matter, now, .. } = *passage;
        let content = mapping::about(&matter.content, &matter.key, now);
        let expressions = Mapping::read(&trigger.mapping, trigger.filter.as_deref());
        let Ok(expressions) = expressions else {
            return Ok(Verdict::new(
                TriggerOutcome::Invalid,
                "the expressions cannot be read any more; save the trigger anew",
            ));
        };
        match expressions.admits(&content) {
            Err(_) => return Ok(Verdict::new(TriggerOutcome::Invalid, FILTER_FAILED)),
            Ok(false) => return Ok(Verdict::new(TriggerOutcome::Filtered, "the filter does not hold")),
            Ok(true) => {}
        }
        let Ok(input) = expressions.input(&content) else {
            return Ok(Verdict::new(TriggerOutcome::Invalid, MAPPING_FAILED));
        };
        let Some(version) = unit.launchable_version(&trigger.workflow_ref()).await.or_problem()? else {
            let title = trigger.workflow_ref().to_string();
            self.tell_refused(unit, passage, &title, None, done).await?;
            return Ok(refused(passage, ErrorCode::NotFound, no_version(trigger), done));
        };
        let definition = self.parse(&version)?;
        if let Err(problem) = input::check(definition.input_schema(), &input) {
            return Ok(Verdict::new(TriggerOutcome::Invalid, words(&problem)));
        }
        let obstacle = launch::obstacle(unit, &trigger.namespace, &definition).await.or_problem()?;
        if let Some(obstacle) = obstacle {
            self.tell_refused(unit, passage, &version.title, definition.rondo().owner.as_deref(), done).await?;
            return Ok(refused(passage, obstacle.code, obstacle.detail, done));
        }
        let requester = launch::nobody(unit, UserId::TRIGGER, now).await.or_problem()?;
        let called = Called {
            trigger: trigger.id,
            name: &trigger.name,
            delivery: passage.number,
            fingerprint: matter.alert.as_ref().map(|alert| alert.fingerprint.as_str()),
        };
        let launch = Launch {
            version: &version,
            requester: &requester,
            input,
            cause: Cause::Trigger(called),
            base_url: &self.parts.base_url,
        };
        let run = launch.write(unit, self.ids(), now).await.or_problem()?;
        // Whoever could have sent this decides on nothing of it.
        let behind: BTreeSet<UserId> =
            [trigger.secret_by, trigger.changed_by].into_iter().chain(passage.replayed_by).collect();
        for person in behind {
            unit.note_change(run.id, person).await.or_problem()?;
        }
        done.entries.push(launch_entry(passage, &run));
        done.woken.insert(run.id);
        Ok(Verdict::about(TriggerOutcome::Launched, &run))
    }

    /// Tells those who can help that a trigger may not launch, when that begins: operators and administrators of the namespace, and
    /// the team that owns the workflow. Nobody asked for the run, so nobody else would notice.
    async fn tell_refused(
        &self,
        unit: &mut dyn UnitOfWork,
        passage: &Passage<'_>,
        title: &str,
        owner: Option<&str>,
        done: &mut Done,
    ) -> Result<(), Problem> {
        let Passage { trigger, now, .. } = *passage;
        if passage.earlier.is_some_and(|(_, outcome)| outcome == TriggerOutcome::Refused) {
            return Ok(());
        }
        // Whatever else came in between: it has been told since a run was launched last.
        let refused = newest(unit, trigger, TriggerOutcome::Refused).await?;
        if refused.is_some() && refused > newest(unit, trigger, TriggerOutcome::Launched).await? {
            return Ok(());
        }
        let mut people = BTreeSet::new();
        for role in [Role::Operator, Role::Administrator] {
            people.extend(unit.users_with_role(role, &trigger.namespace, now).await.or_problem()?);
        }
        if let Some(team) = unit.team_by_name(owner.unwrap_or_default()).await.or_problem()? {
            people.extend(unit.team_members(team.id).await.or_problem()?);
        }
        let people: Vec<UserId> = people.into_iter().collect();
        let users = unit.users_by_id(&people).await.or_problem()?;
        let notice = Notice {
            kind: NoticeKind::TriggerRefused,
            title: title.to_owned(),
            run_number: None,
            link: format!("/triggers/{}", trigger.id),
            cause: format!("trigger-refused:{}:{}", trigger.id, passage.mark()),
        };
        notify(unit, self.ids(), now, self.parts.mail_enabled, &users, &notice).await.or_problem()?;
        done.told.extend(people);
        Ok(())
    }

    /// The alert is resolved: its run is told, or cancelled.
    async fn resolve(
        &self,
        unit: &mut dyn UnitOfWork,
        passage: &Passage<'_>,
        announced: &Announced,
        known: Option<Alert>,
        done: &mut Done,
    ) -> Result<Verdict, Problem> {
        let Passage { trigger, now, .. } = *passage;
        let Some(known) = known else {
            return Ok(Verdict::new(TriggerOutcome::Filtered, "no run was launched for this alert"));
        };
        if announced.ended_before(&known.starts_at) {
            return Ok(Verdict::new(TriggerOutcome::Filtered, "it ended before the alert of the run began"));
        }
        let run = unit.run(known.run).await.or_problem()?.ok_or_else(not_found)?;
        let resolved_before = known.resolved_at.is_some() && passage.replayed_by.is_none();
        let resolved_at = known.resolved_at.or(Some(now));
        unit.put_trigger_alert(&Alert { resolved_at, seen_at: now, ..known }).await.or_problem()?;
        if resolved_before {
            return Ok(Verdict::about(TriggerOutcome::Duplicate, &run).because("it was resolved before"));
        }
        if run.status.is_final() {
            let detail = format!("R-{} has ended already", run.number);
            return Ok(Verdict::about(TriggerOutcome::Filtered, &run).because(detail));
        }
        match trigger.alert_end {
            AlertEnd::Close => {
                let by = format!("trigger {}/{}", trigger.namespace, trigger.name);
                let event = EventKind::CancelRequested { by, reason: Some("the alert is resolved".to_owned()) };
                let event = serde_json::to_string(&Event::new(now, event))
                    .map_err(|cause| internal("an event cannot be written", &cause))?;
                unit.push_inbox(run.id, &event, now).await.or_problem()?;
                done.woken.insert(run.id);
                done.entries.push(run_entry("run.cancel", passage, &run, json!({"reason": "the alert is resolved"})));
                Ok(Verdict::about(TriggerOutcome::Closed, &run))
            }
            AlertEnd::Continue => {
                let event = self.resolved_event(passage, announced, &run)?;
                let published = stream::publish(unit, now, std::slice::from_ref(&event)).await.or_problem()?;
                done.entries.push(publish_entry(passage, &run, &event, &published));
                done.woken.extend(published.woken);
                done.schedules |= published.schedules;
                Ok(Verdict::about(TriggerOutcome::Continued, &run))
            }
        }
    }

    /// What runs are told that listen to the end of their alert.
    fn resolved_event(&self, passage: &Passage<'_>, announced: &Announced, run: &Run) -> Result<CloudEvent, Problem> {
        let Passage { trigger, matter, now, .. } = *passage;
        let event = json!({
            "specversion": "1.0",
            "id": passage.mark(),
            "source": format!("{}/triggers/{}", self.parts.base_url, trigger.id),
            "type": RESOLVED,
            "subject": announced.fingerprint,
            "time": now,
            "data": {
                "alert": matter.content.get("alert"),
                "trigger": {"id": trigger.id, "namespace": trigger.namespace, "name": trigger.name},
                "run": {"id": run.id, "number": run.number},
            },
        });
        CloudEvent::from_value(event).map_err(|cause| internal("an event cannot be made", &cause))
    }

    /// Has a delivery worked on once more, as the trigger is now. What was done for it stays done.
    pub async fn replay_delivery(&self, caller: &Caller, id: TriggerId, number: i64) -> Result<DeliveryView, Problem> {
        let (mut gate, trigger) = self.enter_trigger(caller, Operation::TriggerReplay, id).await?;
        let original = gate.unit.delivery(id, number).await.or_problem()?.ok_or_else(not_found)?;
        let content = self.content(&original)?.ok_or_else(not_kept)?;
        let next = trigger.deliveries + 1;
        // No sender's key has a space in it.
        let mut matter = Matter::again(format!("replay {next}"), content);
        if trigger.kind.is_alerts() && matter.alert.is_none() {
            matter.fault = original.detail.clone().or_else(|| Some("this is no alert".to_owned()));
        }
        let passage = Passage {
            trigger: &trigger,
            number: next,
            matter: &matter,
            replayed_by: Some(caller.user),
            earlier: None,
            now: gate.now,
        };
        let mut done = Done::default();
        let delivery = self.deliver(gate.unit.as_mut(), &passage, Some((number, caller.user)), &mut done).await?;
        audit::append_all(gate.unit.as_mut(), &done.entries).await.or_problem()?;
        let people = People::load(gate.unit.as_mut(), [caller.user]).await.or_problem()?;
        let detail = json!({
            "delivery": number,
            "replay": delivery.number,
            "outcome": delivery.outcome,
            "run": delivery.run.map(|(run, _)| run),
        });
        gate.finish(&target(&trigger), detail).await?;
        self.afterwards(&done);
        Ok(delivery_view(delivery, &people))
    }
}

/// What the sender is told.
fn told(delivery: &Delivery) -> HookOutcome {
    HookOutcome {
        outcome: delivery.outcome,
        run: delivery.run.map(|(_, number)| number),
        detail: delivery.detail.clone(),
    }
}

/// A reason as it is kept: of a length, without sealed values, and without the letter that a database does not take.
fn short(detail: &str) -> String {
    redact_str(&detail.replace('\0', "\u{FFFD}")).chars().take(DETAIL).collect()
}

/// Whether a text can be the last part of an address.
fn is_place(text: &str) -> bool {
    text.len() == 2 * RANDOM && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The newest delivery of which this became.
async fn newest(unit: &mut dyn UnitOfWork, trigger: &Trigger, outcome: TriggerOutcome) -> Result<Option<i64>, Problem> {
    let newest = unit.list_deliveries(trigger.id, Some(outcome), None, 1).await.or_problem()?;
    Ok(newest.first().map(|delivery| delivery.number))
}

/// Whether an alert of which the same was said before fires again although it was resolved and its run has ended, or is resolved
/// once more since it fires again.
async fn has_turned(unit: &mut dyn UnitOfWork, matter: &Matter, known: Option<&Alert>) -> Result<bool, Problem> {
    let (Some(announced), Some(known)) = (&matter.alert, known) else { return Ok(false) };
    if announced.resolved {
        return Ok(known.resolved_at.is_none() && !announced.ended_before(&known.starts_at));
    }
    if known.resolved_at.is_none() || known.starts_at != announced.starts_at {
        return Ok(false);
    }
    let run = unit.run(known.run).await.or_problem()?.ok_or_else(not_found)?;
    Ok(run.status.is_final())
}

/// What is wrong with an input, place by place.
fn words(problem: &Problem) -> String {
    let places: Vec<String> = problem
        .errors
        .iter()
        .map(|error| format!("{} {}", if error.pointer.is_empty() { "/" } else { &error.pointer }, error.message))
        .collect();
    let what = if places.is_empty() { problem.detail.clone() } else { places.join("; ") };
    format!("the workflow does not take what the mapping makes: {what}")
}

fn refused(passage: &Passage<'_>, code: ErrorCode, detail: String, done: &mut Done) -> Verdict {
    let Passage { trigger, .. } = *passage;
    let name = trigger.workflow_ref().to_string();
    let resource = ResourceRef { kind: "workflow".to_owned(), id: name.clone(), name, persons: Vec::new() };
    let more = json!({"code": code, "detail": detail});
    done.entries.push(Entry { outcome: Outcome::Refused, ..entry("run.launch", resource, passage, more) });
    Verdict::new(TriggerOutcome::Refused, detail)
}

fn launch_entry(passage: &Passage<'_>, run: &Run) -> Entry {
    let more = json!({
        "workflow": run.workflow.to_string(),
        "version": run.version,
        "definition": run.definition_digest,
    });
    run_entry("run.launch", passage, run, more)
}

/// As of events that somebody publishes by REST: what they carry is not for the audit log.
fn publish_entry(passage: &Passage<'_>, run: &Run, event: &CloudEvent, published: &Published) -> Entry {
    let name = event.kind().to_owned();
    let resource = ResourceRef { kind: "events".to_owned(), id: String::new(), name, persons: Vec::new() };
    let more = json!({
        "events": [{"type": event.kind(), "source": event.source(), "id": event.id()}],
        "accepted": published.accepted,
        "duplicates": published.duplicates,
    });
    Entry { trace_id: run.id.to_string(), ..entry(Operation::EventPublish.as_str(), resource, passage, more) }
}

fn run_entry(action: &str, passage: &Passage<'_>, run: &Run, more: Value) -> Entry {
    let resource = ResourceRef {
        kind: "run".to_owned(),
        id: run.id.to_string(),
        name: format!("R-{}", run.number),
        persons: Vec::new(),
    };
    entry(action, resource, passage, more)
}

/// An entry of what a trigger did, with the delivery that it did it for.
fn entry(action: &str, resource: ResourceRef, passage: &Passage<'_>, more: Value) -> Entry {
    let Passage { trigger, number, matter, replayed_by, now, .. } = *passage;
    let mut detail = json!({
        "trigger": trigger.id,
        "name": trigger.name,
        "delivery": number,
        "fingerprint": matter.alert.as_ref().map(|alert| &alert.fingerprint),
        "replayedBy": replayed_by,
    });
    if let (Value::Object(detail), Value::Object(more)) = (&mut detail, more) {
        detail.retain(|_, value| !value.is_null());
        detail.extend(more);
    }
    Entry {
        at: now,
        actor: Actor::trigger(),
        door: Door::Engine,
        session: None,
        token: None,
        address: None,
        trace_id: resource.id.clone(),
        action: action.to_owned(),
        resource,
        namespace: Some(trigger.namespace.clone()),
        outcome: Outcome::Done,
        policies: Vec::new(),
        policy_set: None,
        detail,
        named: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_kept_without_what_a_database_does_not_take() {
        assert_eq!(short("/a\0b is no text"), "/a\u{FFFD}b is no text");
        assert_eq!(short(&"ä".repeat(DETAIL + 1)).chars().count(), DETAIL);
    }

    #[test]
    fn an_address_ends_with_sixty_four_digits() {
        assert!(is_place(&"0a".repeat(RANDOM)));
        for no in ["", "0000", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64), &"\0".repeat(64)] {
            assert!(!is_place(no), "{no:?}");
        }
    }
}
