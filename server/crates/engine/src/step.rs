//! One step of a run, written in one unit of work: journal, run, tasks, approvals, notices, audit.

use std::collections::{BTreeMap, BTreeSet};

use audit::{Actor as AuditActor, Detail, Door, Entry, Outcome, ResourceRef};
use domain::{ApprovalState, DecisionKind, Name, Role, RunId, RunStatus, TaskStatus, Timestamp, UserId};
use serde_json::{Value, json};
use store::{
    StoreError, UnitOfWork,
    approvals::{Approval, ApprovalFilter},
    limits::Claimant,
    runners::TaskKey,
    runs::{Hold, JournalEntry, Run, Taken, Task, Visibility},
    users::User,
};
use workflow::{
    ApprovalRequest, Attention, CloudEvent, Compensation, Effect, Event, EventKind, RunError, RunRecord, TaskRecord,
    approval::{OnDue, Timing},
};

use crate::{
    actor::{Actor, BLOCKED_PAUSE, Stop},
    approvals::{self, Terms},
    children,
    deadlines::Times,
    exchange::{Ending, exchange},
    limits,
    live::{RunChange, Topic},
    notices::{Notice, NoticeKind, ask_for_decision, notify},
    runners::not_wanted,
};

/// What is written at once.
#[expect(clippy::struct_excessive_bools, reason = "each says one thing about how it is written")]
#[derive(Default)]
pub(crate) struct Step {
    /// What happened, as the journal will say.
    pub(crate) events: Vec<Event>,
    /// What follows from it.
    pub(crate) effects: Vec<Effect>,
    /// What is told of it to others.
    pub(crate) lifecycle: Vec<CloudEvent>,
    /// What of the inbox is taken.
    pub(crate) taken: Option<Taken>,
    /// Whether the state is written, too.
    pub(crate) snapshot: bool,
    /// Whether it is assumed that nobody listens to that. If somebody does, the step is refused by [`StoreError::Heard`].
    pub(crate) unheard: bool,
    /// Whether the lease is taken with it.
    pub(crate) takes: bool,
    /// Whether the lease is given up, since there is nothing to do until something comes in.
    pub(crate) rests: bool,
}

/// What a step adds beside the run itself, to be told to watchers once it is durable.
#[derive(Default)]
struct Written {
    run: Option<Run>,
    blocked: Vec<workflow::CallId>,
    unblocked: Vec<workflow::CallId>,
    /// Whether people were found for an approval that had too few.
    freed: bool,
    notified: Vec<UserId>,
    approvals_changed: bool,
    tasks: Vec<Task>,
    audit: Vec<Entry>,
    woken: BTreeSet<RunId>,
    schedules: bool,
}

impl Step {
    fn hold(&self) -> Hold {
        match (self.takes, self.rests) {
            (false, false) => Hold::Keep,
            (false, true) => Hold::Release,
            (true, false) => Hold::Take,
            (true, true) => Hold::Pass,
        }
    }

    /// What has to be known of the run if it ends with it.
    pub(crate) async fn ending(&self, unit: &mut dyn UnitOfWork, run: &Run) -> store::Result<Option<Ending>> {
        if self.ends(run) { Ending::of(unit, run).await.map(Some) } else { Ok(None) }
    }

    /// Whether this run ends with it.
    pub(crate) fn ends(&self, run: &Run) -> bool {
        let last = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Run(record) => Some(record.status),
            _ => None,
        });
        last.is_some_and(|status| status.is_final() && status != run.status)
    }
}

/// Writes events and what follows from them, and ends the unit. Nothing of the actor changes unless it is durable.
///
/// What has to be known of a run that ends is read before: what is read by the unit is waited for by all that write.
pub(crate) async fn write(
    actor: &mut Actor,
    mut unit: Box<dyn UnitOfWork>,
    step: &Step,
    ending: Option<Ending>,
) -> store::Result<()> {
    let Step { events, effects, .. } = step;
    let node = actor.node.clone();
    let now = node.now();
    let expected = actor.run.journal_version;
    let mut entries = Vec::with_capacity(events.len());
    for (version, event) in (expected + 1..).zip(events) {
        let event = serde_json::to_string(event).map_err(|_| StoreError::Inconsistent("journal".to_owned()))?;
        entries.push(JournalEntry { version, at: now, event });
    }
    let version = expected + i64::try_from(entries.len()).unwrap_or(i64::MAX);
    node.parts.observer.before_commit(actor.lease.run, version);

    let mut written = Written::default();
    let mut run = actor.run.clone();
    run.journal_version = version;
    run.updated_at = now;
    run.waits_for = actor.waits_for();
    apply_tasks(actor, effects, now, &mut written);
    let resubmitted = events.iter().any(|event| matches!(event.kind, EventKind::Resubmitted { .. }));
    if resubmitted {
        run.input = actor.state.input().to_string();
    }
    for effect in effects {
        match effect {
            Effect::OpenApproval(request) => {
                open_approval(unit.as_mut(), actor, &run, request, now, &mut written).await?;
            }
            Effect::AskStage { request, stage } => {
                ask_stage(unit.as_mut(), actor, request, *stage, now, &mut written).await?;
            }
            Effect::Escalate(request) => {
                escalate(unit.as_mut(), actor, request, now, &mut written).await?;
            }
            Effect::CloseApproval { call } => {
                close_approval(unit.as_mut(), actor, *call, resubmitted, now, &mut written).await?;
            }
            Effect::Run(record) => apply_run(&mut run, record),
            _ => {}
        }
    }
    let blocked = actor.blocked.len() + written.blocked.len() > written.unblocked.len();
    let attention = if written.freed { needs_operator(actor) } else { run.needs_attention };
    run.needs_attention = attention || blocked && !run.status.is_final();
    let calls_follow = effects.iter().any(children::is_dispatch);
    // Somebody who can be asked may be there later, of which nobody tells.
    let look_again = blocked.then(|| now + BLOCKED_PAUSE);
    run.wake_at = if run.status.is_final() && !calls_follow {
        None
    } else {
        actor.wake_at(now, calls_follow).into_iter().chain(look_again).min()
    };
    announce(unit.as_mut(), actor, &run, events, ending.as_ref(), now, &mut written).await?;
    let exchanged = exchange(unit.as_mut(), actor, &run, step, ending.as_ref(), now).await?;
    for (child, task) in exchanged.started {
        written.audit.push(launch_entry(actor, &child, &task, now));
    }
    written.woken.extend(exchanged.woken);
    written.schedules = exchanged.schedules;
    if step.snapshot {
        let state =
            serde_json::to_string(&actor.snapshot()).map_err(|_| StoreError::Inconsistent("snapshots".to_owned()))?;
        unit.put_snapshot(run.id, version, &state).await?;
    }
    let mut left = Vec::new();
    for effect in effects {
        // It may just be asking for its place, too, or an earlier owner of the run has asked for it.
        if let Effect::StopCall { call } | Effect::SettleCall { call } = effect
            && actor.goes_on_elsewhere(*call)
        {
            let key = TaskKey { run: run.id, call: call.0 };
            unit.stop_runner_task(key, &not_wanted(), now).await?;
        }
        if let Effect::StopCall { call } = effect {
            left.extend(unit.delete_waiting(limits::of_call(run.id, *call)).await?);
        }
    }
    if ending.is_some() && actor.is_limited() {
        left.extend(unit.delete_places(Claimant { run: run.id, call: None }, None).await?);
    }
    if resubmitted {
        unit.replace_input(run.id, &run.input).await?;
    }
    unit.put_tasks(&written.tasks).await?;
    audit::append_all(unit.as_mut(), &written.audit).await?;
    unit.advance_run(&actor.lease, &run, expected, &entries, step.taken, step.hold()).await?;
    unit.commit().await?;
    node.parts.observer.after_commit(actor.lease.run, version);

    written.run = Some(run);
    settle(actor, written);
    left.extend(std::mem::take(&mut actor.others));
    limits::rouse(&node, left);
    Ok(())
}

/// Takes over what has become durable, and tells watchers.
fn settle(actor: &mut Actor, written: Written) {
    actor.blocked.extend(written.blocked);
    for call in &written.unblocked {
        actor.blocked.remove(call);
    }
    let live = &actor.node.parts.live;
    if let Some(run) = written.run {
        if run.status.is_final() && !actor.run.status.is_final() {
            metrics::counter!("rondo_runs_ended_total", "status" => run.status.as_str()).increment(1);
        }
        actor.run = run;
        live.run_changed(RunChange { run: actor.run.id, version: actor.run.journal_version, status: actor.run.status });
    }
    if written.approvals_changed {
        live.changed(Topic::Approvals);
    }
    for user in written.notified {
        live.changed(Topic::Notifications(user));
    }
    for run in written.woken {
        actor.node.wake(run);
    }
    if written.schedules {
        actor.node.schedule_bell.notify_one();
    }
}

fn json_text<T: serde::Serialize>(value: Option<&T>) -> Option<String> {
    value.and_then(|value| serde_json::to_string(value).ok())
}

fn apply_tasks(actor: &Actor, effects: &[Effect], now: Timestamp, written: &mut Written) {
    // Only the last word on each task is written; a chain of pure tasks may name one many times.
    let mut last: BTreeMap<(&str, u32), &TaskRecord> = BTreeMap::new();
    for effect in effects {
        if let Effect::Task(record) = effect {
            last.insert((&record.reference, record.occurrence), record);
        }
    }
    for record in last.into_values() {
        written.tasks.push(Task {
            run: actor.lease.run,
            reference: record.reference.clone(),
            occurrence: record.occurrence,
            position: i64::from(record.sequence),
            name: record.name.clone(),
            kind: record.kind.clone(),
            status: record.status,
            call: record.call.map(|call| call.0),
            attempts: record.attempts,
            compensation: record.compensation,
            input: json_text(record.input.as_ref()),
            output: json_text(record.output.as_ref()),
            error: json_text(record.error.as_ref()),
            started_at: Some(record.started_at),
            ended_at: record.ended_at,
        });
        written.audit.extend(task_entry(actor, record, now));
    }
}

/// Calls to other systems are what a run did in the world, so each is in the audit log; pure tasks are in the journal.
fn task_entry(actor: &Actor, record: &TaskRecord, now: Timestamp) -> Option<Entry> {
    let function = record.function.as_deref().filter(|function| *function != "approval")?;
    let outcome = match record.status {
        TaskStatus::Completed => Outcome::Done,
        TaskStatus::Faulted | TaskStatus::Unknown => Outcome::Failed,
        _ => return None,
    };
    let detail = json!({
        "task": record.reference,
        "occurrence": record.occurrence,
        "function": function,
        "attempts": record.attempts,
        "compensation": record.compensation,
        "status": record.status,
        "error": record.error.as_ref().map(|error| json!({"type": error.kind, "status": error.status})),
    });
    Some(run_entry(actor, &actor.run, "task.execute", outcome, detail, now))
}

/// The launch of a run that this one has started.
fn launch_entry(actor: &Actor, child: &Run, task: &str, now: Timestamp) -> Entry {
    let detail = json!({
        "workflow": child.workflow.to_string(),
        "version": child.version,
        "definition": child.definition_digest,
        "parent": actor.run.id,
        "task": task,
    });
    run_entry(actor, child, "run.launch", Outcome::Done, detail, now)
}

fn run_entry(
    actor: &Actor,
    run: &Run,
    action: &str,
    outcome: Outcome,
    detail: impl Into<Detail>,
    now: Timestamp,
) -> Entry {
    let mut detail = detail.into();
    // Of a run that this one has started, another definition knows it.
    if let Value::Object(members) = &mut detail.value
        && run.id == actor.run.id
    {
        members.insert("risk".to_owned(), json!(actor.definition.rondo().risk));
    }
    Entry {
        at: now,
        actor: AuditActor::system(),
        door: Door::Engine,
        session: None,
        token: None,
        address: None,
        trace_id: actor.lease.run.to_string(),
        action: action.to_owned(),
        resource: ResourceRef {
            kind: "run".to_owned(),
            id: run.id.to_string(),
            name: format!("R-{}", run.number),
            persons: Vec::new(),
        },
        namespace: Some(run.workflow.namespace.clone()),
        outcome,
        policies: Vec::new(),
        policy_set: None,
        detail: detail.value,
        named: detail.named,
    }
}

fn apply_run(run: &mut Run, record: &RunRecord) {
    run.status = record.status;
    run.output = json_text(record.output.as_ref());
    run.error = json_text(record.error.as_ref());
    run.needs_attention = record.attention.is_some();
    run.compensated = record.compensation == Compensation::Done;
    run.rejected = record.error.as_ref().is_some_and(|error| error.kind == RunError::REJECTED);
    run.started_at = Some(record.started_at);
    run.ended_at = record.ended_at;
    if let Some(Attention::CompensationFailed { .. }) = record.attention {
        run.compensated = false;
    }
}

/// Whether it needs an operator for something else than people to ask.
fn needs_operator(actor: &Actor) -> bool {
    actor.state.record().is_some_and(|record| record.attention.is_some())
}

async fn open_approval(
    unit: &mut dyn UnitOfWork,
    actor: &Actor,
    run: &Run,
    request: &ApprovalRequest,
    now: Timestamp,
    written: &mut Written,
) -> store::Result<()> {
    if unit.approval_of_call(run.id, &request.call.to_string()).await?.is_some() {
        return ask_again(unit, actor, request, now, written).await;
    }
    let times = match Times::of(unit, run, request, now).await? {
        Ok(times) => times,
        Err(error) => {
            let failed = Event::new(now, EventKind::CallFailed { call: request.call, error, retryable: false });
            let event = serde_json::to_string(&failed).map_err(|_| StoreError::Inconsistent("an event".to_owned()))?;
            unit.push_inbox(run.id, &event, now).await?;
            written.woken.insert(run.id);
            return Ok(());
        }
    };
    let ids = actor.node.parts.ids.as_ref();
    // Whoever asks for changes needs somebody who could make them: a schedule cannot, nor can a run that another one began
    // with data of its own, and what an operator has changed is the operator's.
    let returnable = run.requester_id.can_be_a_person() && !actor.state.is_child() && request.changed_by.is_none();
    let terms = Terms { returnable, times };
    let opened = approvals::open(unit, ids, now, run, &actor.definition, request, terms).await?;
    asked(unit, actor, request, &opened, now, written).await
}

/// Looks for somebody to ask beside those whom an open approval asks already.
async fn ask_again(
    unit: &mut dyn UnitOfWork,
    actor: &Actor,
    request: &ApprovalRequest,
    now: Timestamp,
    written: &mut Written,
) -> store::Result<()> {
    let Some(approval) = approvals::pending(unit, &actor.run, request).await? else { return Ok(()) };
    let opened = approvals::ask(unit, now, &actor.run, request, approval).await?;
    asked(unit, actor, request, &opened, now, written).await
}

/// Asks more people, since those who are asked have not decided for long.
async fn escalate(
    unit: &mut dyn UnitOfWork,
    actor: &Actor,
    request: &ApprovalRequest,
    now: Timestamp,
    written: &mut Written,
) -> store::Result<()> {
    let Some(approval) = approvals::pending(unit, &actor.run, request).await? else { return Ok(()) };
    let opened = approvals::escalate(unit, now, &actor.run, request, approval).await?;
    let Some(opened) = opened else { return Ok(()) };
    asked(unit, actor, request, &opened, now, written).await?;
    if opened.asked.is_empty() {
        let cause = format!("escalated:{}:{}", place(&opened.approval), actor.run.journal_version);
        alert_operators(unit, actor, now, &cause, written).await?;
    }
    Ok(())
}

/// Asks the stage that comes next.
async fn ask_stage(
    unit: &mut dyn UnitOfWork,
    actor: &Actor,
    request: &ApprovalRequest,
    stage: usize,
    now: Timestamp,
    written: &mut Written,
) -> store::Result<()> {
    let stage = u32::try_from(stage).unwrap_or(u32::MAX);
    let Some(approval) = approvals::unasked(unit, &actor.run, request, stage).await? else { return Ok(()) };
    let opened = approvals::ask(unit, now, &actor.run, request, approval).await?;
    asked(unit, actor, request, &opened, now, written).await
}

/// Tells those who are asked; where there is nobody, that blocks the run and alerts.
async fn asked(
    unit: &mut dyn UnitOfWork,
    actor: &Actor,
    request: &ApprovalRequest,
    opened: &approvals::Opened,
    now: Timestamp,
    written: &mut Written,
) -> store::Result<()> {
    written.approvals_changed = true;
    written.audit.push(asking_entry(actor, opened, now));
    if !opened.asked.is_empty() {
        tell(unit, actor, opened, now, written).await?;
    }
    let was_blocked = actor.blocked.contains(&request.call);
    if !opened.is_short {
        written.freed |= was_blocked;
        written.unblocked.extend(was_blocked.then_some(request.call));
    } else if !was_blocked {
        written.blocked.push(request.call);
        let cause = format!("blocked:{}:{}", place(&opened.approval), actor.run.journal_version);
        alert_operators(unit, actor, now, &cause, written).await?;
    }
    Ok(())
}

/// Whom a stage asks, for the audit log.
fn asking_entry(actor: &Actor, opened: &approvals::Opened, now: Timestamp) -> Entry {
    let detail = json!({
        "approval": opened.approval.id,
        "title": opened.approval.title,
        "digest": opened.approval.digest,
        "stage": opened.approval.stage,
        "asked": opened.asked.iter().map(|user| &user.login).collect::<Vec<_>>(),
        "enough": !opened.is_short,
    });
    let detail = Detail::from(detail).naming_each("/asked", opened.asked.iter().map(|user| user.id));
    run_entry(actor, &actor.run, opened.action, Outcome::Done, detail, now)
}

/// An approval at its stage, for what is to be told once of each.
fn place(approval: &Approval) -> String {
    match approval.stage {
        0 => approval.id.to_string(),
        stage => format!("{}:{stage}", approval.id),
    }
}

async fn tell(
    unit: &mut dyn UnitOfWork,
    actor: &Actor,
    opened: &approvals::Opened,
    now: Timestamp,
    written: &mut Written,
) -> store::Result<()> {
    let notice = Notice {
        kind: NoticeKind::ApprovalRequested,
        title: actor.run.title.clone(),
        run_number: Some(actor.run.number),
        link: format!("/approvals/{}", opened.approval.id),
        cause: format!("approval:{}", place(&opened.approval)),
    };
    let node = &actor.node;
    let (ids, mail) = (node.parts.ids.as_ref(), node.settings.mail);
    ask_for_decision(unit, ids, now, mail, &opened.told, &notice, &opened.approval).await?;
    written.notified.extend(opened.told.iter().map(|user| user.id));
    Ok(())
}

async fn send(
    unit: &mut dyn UnitOfWork,
    actor: &Actor,
    recipients: &[User],
    notice: &Notice,
    now: Timestamp,
    written: &mut Written,
) -> store::Result<()> {
    let node = &actor.node;
    notify(unit, node.parts.ids.as_ref(), now, node.settings.mail, recipients, notice).await?;
    written.notified.extend(recipients.iter().map(|user| user.id));
    Ok(())
}

async fn close_approval(
    unit: &mut dyn UnitOfWork,
    actor: &Actor,
    call: workflow::CallId,
    resubmitted: bool,
    now: Timestamp,
    written: &mut Written,
) -> store::Result<()> {
    let Some(approval) = unit.approval_of_call(actor.lease.run, &call.to_string()).await? else { return Ok(()) };
    if approval.state != ApprovalState::Pending {
        return Ok(());
    }
    let timing =
        approval.timing.as_deref().map(serde_json::from_str::<Timing>).and_then(Result::ok).unwrap_or_default();
    let rejects = !resubmitted && timing.on_due == OnDue::Reject;
    let overdue = rejects && approval.due_at.is_some_and(|due| due <= now);
    let (state, action) =
        if overdue { (ApprovalState::Rejected, "approval.expire") } else { (ApprovalState::Void, "approval.void") };
    unit.close_approval(approval.id, state, now).await?;
    written.approvals_changed = true;
    written.unblocked.extend(actor.blocked.contains(&call).then_some(call));
    let detail = json!({"approval": approval.id, "title": approval.title, "digest": approval.digest});
    written.audit.push(run_entry(actor, &actor.run, action, Outcome::Done, detail, now));
    Ok(())
}

/// Notices and audit entries for what the step means for the run as a whole.
async fn announce(
    unit: &mut dyn UnitOfWork,
    actor: &Actor,
    run: &Run,
    events: &[Event],
    ending: Option<&Ending>,
    now: Timestamp,
    written: &mut Written,
) -> store::Result<()> {
    let before = &actor.run;
    if run.needs_attention && !before.needs_attention && written.blocked.is_empty() {
        let cause = format!("attention:{}:{}", run.id, run.journal_version);
        alert_operators(unit, actor, now, &cause, written).await?;
    }
    let Some(ending) = ending else { return Ok(()) };
    let detail = json!({
        "workflow": run.workflow.to_string(),
        "version": run.version,
        "definition": run.definition_digest,
        "status": run.status,
        "rejected": run.rejected,
        "compensated": run.compensated,
        "needsAttention": run.needs_attention,
    });
    let outcome = if run.status == RunStatus::Completed { Outcome::Done } else { Outcome::Failed };
    written.audit.push(run_entry(actor, run, "run.end", outcome, detail, now));
    let kind = match run.status {
        RunStatus::Completed => NoticeKind::RunCompleted,
        RunStatus::Cancelled => NoticeKind::RunCancelled,
        _ if run.rejected => NoticeKind::RunRejected,
        _ => NoticeKind::RunFaulted,
    };
    // Nobody asked for a run but the one that started it, and that one is told.
    let Some(requester) = &ending.requester else { return Ok(()) };
    let own_doing = events
        .iter()
        .any(|event| matches!(&event.kind, EventKind::CancelRequested { by, .. } if *by == requester.login));
    if own_doing {
        return Ok(());
    }
    // Whoever asked for changes has told the requester already, with the way to the form.
    if kind == NoticeKind::RunRejected && sent_back(unit, run).await? {
        return Ok(());
    }
    let notice = Notice {
        kind,
        title: run.title.clone(),
        run_number: Some(run.number),
        link: format!("/runs/{}", run.number),
        cause: format!("run:{}:{}", run.id, run.journal_version),
    };
    if requester.id.can_be_a_person() {
        return send(unit, actor, std::slice::from_ref(requester), &notice, now, written).await;
    }
    // Nobody waits for it, so a failure would be seen by nobody.
    if kind == NoticeKind::RunFaulted && !run.needs_attention {
        alert_operators(unit, actor, now, &notice.cause, written).await?;
    }
    Ok(())
}

/// Whether the run was rejected by somebody who asked for changes.
async fn sent_back(unit: &mut dyn UnitOfWork, run: &Run) -> store::Result<bool> {
    let everything = Visibility::everything();
    let filter =
        ApprovalFilter { state: Some(ApprovalState::Rejected), run: Some(run.id), ..ApprovalFilter::default() };
    for approval in unit.list_approvals(&everything, &filter, None, u32::MAX).await? {
        let decisions = unit.decisions(approval.id).await?;
        if decisions.iter().any(|decision| decision.kind == DecisionKind::RequestChanges) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Tells those who can help: operators of the namespace, and the team that owns the workflow.
async fn alert_operators(
    unit: &mut dyn UnitOfWork,
    actor: &Actor,
    now: Timestamp,
    cause: &str,
    written: &mut Written,
) -> store::Result<()> {
    let namespace: &Name = &actor.run.workflow.namespace;
    let mut ids = unit.users_with_role(Role::Operator, namespace, now).await?;
    let owner = actor.definition.rondo().owner.as_deref().unwrap_or_default();
    if let Some(team) = unit.team_by_name(owner).await? {
        ids.extend(unit.team_members(team.id).await?);
    }
    ids.sort_unstable();
    ids.dedup();
    let operators = unit.users_by_id(&ids).await?;
    let notice = Notice {
        kind: NoticeKind::RunNeedsAttention,
        title: actor.run.title.clone(),
        run_number: Some(actor.run.number),
        link: format!("/runs/{}", actor.run.number),
        cause: cause.to_owned(),
    };
    send(unit, actor, &operators, &notice, now, written).await
}

/// Looks again for people to ask, where an open approval asks too few.
pub(crate) async fn unblock(actor: &mut Actor, request: &ApprovalRequest) -> Result<(), Stop> {
    let node = actor.node.clone();
    let now = node.now();
    let mut unit = node.parts.store.begin().await?;
    let Some(approval) = approvals::pending(unit.as_mut(), &actor.run, request).await? else { return Ok(()) };
    if !approvals::lacks_people(unit.as_mut(), &approval).await? {
        return Ok(());
    }
    let opened = approvals::ask(unit.as_mut(), now, &actor.run, request, approval).await?;
    let mut written = Written { approvals_changed: true, ..Written::default() };
    if !opened.asked.is_empty() {
        tell(unit.as_mut(), actor, &opened, now, &mut written).await?;
        audit::append(unit.as_mut(), &asking_entry(actor, &opened, now)).await?;
    }
    if opened.is_short {
        if opened.asked.is_empty() {
            unit.rollback().await?;
        } else {
            unit.commit().await?;
            settle(actor, written);
        }
        actor.blocked.insert(request.call);
        return Ok(());
    }
    let mut freed = actor.run.clone();
    freed.needs_attention = needs_operator(actor) || !actor.blocked.is_empty();
    freed.updated_at = now;
    unit.advance_run(&actor.lease, &freed, freed.journal_version, &[], None, Hold::Keep).await?;
    unit.commit().await?;
    written.run = Some(freed);
    settle(actor, written);
    Ok(())
}
