//! Dispatching an actor's calls, and finding out what became of those that a lost owner left behind.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use connectors::{CallContext, Failure, LogLevel, Messages, Outcome, Repetition, StoredConnections, TaskLog};
use domain::{Clock, Name, RunId, Timestamp, WaitsFor};
use futures::FutureExt as _;
use serde_json::Value;
use store::{
    runners::{Demand, TaskKey},
    runs::{Lease, Run},
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info_span, warn};
use workflow::{CallId, CallRequest, CallTicket, Event, EventKind, RunError, StandardError};

use crate::{
    actor::Actor,
    calls::{AfterLoss, Calls, Made, Prepared, RedactedLog},
    limits::{self, Entry, Want},
    node::Node,
    processes,
    redaction::Redaction,
    runners,
    secrets::{self, Secrets},
    task_log::TaskLogs,
};

/// What is known of a call when it is dispatched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct History {
    /// It was outstanding when the run was taken over, so an earlier owner may have made it.
    pub(crate) taken_over: bool,
    /// The journal says that an earlier owner was about to make it.
    pub(crate) begun: bool,
    /// It may have waited for its place.
    pub(crate) waited: bool,
}

/// What is still wanted of a call.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Set when nothing is.
    pub(crate) cancelled: CancellationToken,
    /// Set when all that is wanted is what became of it: it is not begun any more.
    pub(crate) withdrawn: CancellationToken,
    /// Set when nothing is, whoever owns the run: unlike `cancelled`, which is set also when it goes elsewhere.
    pub(crate) stopped: CancellationToken,
}

/// The way to an actor.
pub(crate) type Reports = mpsc::UnboundedSender<Report>;

/// What a call tells its actor.
pub(crate) enum Report {
    /// Something happened.
    Happened {
        /// What.
        event: Event,
        /// Told when the event is durable.
        durable: Option<oneshot::Sender<()>>,
    },
    /// It is not made, but waits for its place, whose row is durable.
    Waits(Waiting),
}

/// A call that waits for its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    /// The call.
    pub(crate) call: CallId,
    /// Whose limit it is.
    pub(crate) whose: WaitsFor,
    /// When to look again, whatever happens.
    pub(crate) until: Timestamp,
}

/// Makes a call in the background and reports its result as an event of the run.
///
/// # Errors
/// The secrets that the call needs cannot be read at the moment; it was not made.
pub(crate) async fn dispatch(
    actor: &Actor,
    ticket: CallTicket,
    history: History,
    wanted: Wanted,
    elsewhere: Option<Vec<Name>>,
    report: Reports,
) -> store::Result<()> {
    let node = Arc::clone(&actor.node);
    // Arguments are built here, from the state that the dispatch belongs to, and live only as long as the call.
    let built = build(actor, &ticket.call).await?;
    let (run, lease) = (actor.run.clone(), actor.lease.clone());
    let span = info_span!("call", function = ticket.function, reference = ticket.reference, attempt = ticket.attempt);
    let call = ticket.call;
    let inside = Arc::new(AtomicBool::new(false));
    let work = {
        let node = Arc::clone(&node);
        let errand = Errand {
            history,
            wanted,
            elsewhere,
            lease: lease.clone(),
            inside: Arc::clone(&inside),
            report: report.clone(),
        };
        async move {
            let made = match built {
                Ok(request) => make(&node, &run, &ticket, request, errand).await?,
                Err(error) => Made::Failed { error, retryable: false }.after_another(history.taken_over),
            };
            Some(made.into_event(call))
        }
        .instrument(span)
    };
    tokio::spawn(async move {
        // A connector that panics must not leave its run waiting for ever: nobody knows how far it came.
        let made = AssertUnwindSafe(work).catch_unwind().await;
        let kind = made.unwrap_or(Some(EventKind::CallUnknown { call }));
        if inside.load(Ordering::Acquire) {
            limits::leave(&node, &lease, call).await;
        }
        if let Some(kind) = kind {
            // An error only says that the actor has gone; the next owner finds out by itself.
            let _ = report.send(Report::Happened { event: Event::new(node.now(), kind), durable: None });
        }
    });
    Ok(())
}

/// What a call is sent out with.
struct Errand {
    history: History,
    wanted: Wanted,
    /// The labels of the runner elsewhere that it is for; none: it is made here.
    elsewhere: Option<Vec<Name>>,
    lease: Lease,
    /// Whether it has the places that it needs.
    inside: Arc<AtomicBool>,
    report: Reports,
}

impl Errand {
    fn is_withdrawn(&self) -> bool {
        self.wanted.withdrawn.is_cancelled()
    }

    /// Takes the places that the call needs; whether it was never made before. None when it is not to be made now.
    async fn enter(&self, node: &Arc<Node>, call: CallId, wants: &[Want]) -> Option<bool> {
        match limits::enter(node, &self.lease, call, wants).await {
            Entry::Open { anew } => {
                self.inside.store(true, Ordering::Release);
                Some(anew)
            }
            Entry::Closed { anew, .. } if self.is_withdrawn() && (anew || !self.history.taken_over) => {
                limits::leave(node, &self.lease, call).await;
                Some(true)
            }
            Entry::Closed { whose, until, .. } => {
                let waits = Report::Waits(Waiting { call, whose, until });
                if self.report.send(waits).is_err() {
                    // Nobody would know that it waits. If it is still wanted, the run's next owner asks anew.
                    limits::leave(node, &self.lease, call).await;
                }
                None
            }
            Entry::Lost => None,
        }
    }
}

/// What a call needs places of. A subscription, which waits most of its time, needs none.
fn wants(node: &Node, ticket: &CallTicket, prepared: &Prepared, namespace: &Name) -> Vec<Want> {
    if ticket.subscribes {
        return Vec::new();
    }
    let connection = prepared.connection().filter(|connection| !connection.limits.are_none());
    let connection = connection.map(|connection| Want::connection(connection.id, connection.limits));
    let in_namespace = node.limits_of(namespace).and_then(|limits| limits.calls);
    connection.into_iter().chain(in_namespace.map(|most| Want::call_in(namespace, most))).collect()
}

/// Builds a call with the secrets that it reads, as they are now.
async fn build(actor: &Actor, call: &CallId) -> store::Result<Result<CallRequest, RunError>> {
    let Actor { node, definition, state, .. } = actor;
    let secrets = if workflow::secrets_of_call(definition, state, call).is_empty() {
        Secrets::default()
    } else {
        let mut unit = node.parts.store.snapshot().await?;
        match secrets::of_call(unit.as_mut(), actor, call).await? {
            Ok(secrets) => secrets,
            Err(error) => return Ok(Err(error)),
        }
    };
    Ok(workflow::build_call(definition, state, call, &secrets))
}

/// What became of the call; none when the run has gone elsewhere before it was made.
async fn make(
    node: &Arc<Node>,
    run: &Run,
    ticket: &CallTicket,
    mut request: CallRequest,
    errand: Errand,
) -> Option<Made> {
    let earlier = errand.history.taken_over;
    let failed = |detail: &str, retryable: bool| {
        Some(Made::Failed { error: RunError::new(StandardError::Runtime, detail), retryable }.after_another(earlier))
    };
    let withdrawn = errand.wanted.withdrawn.clone();
    let not_begun = || {
        let error = RunError::new(StandardError::Runtime, "the run was over before the call was begun");
        Some(Made::Failed { error, retryable: false })
    };
    let slot = tokio::select! {
        biased;
        () = withdrawn.cancelled(), if !earlier => return not_begun(),
        slot = Arc::clone(&node.call_slots).acquire_owned() => slot,
    };
    // A subscription waits most of its time, and would keep others from working.
    let Ok(slot) = slot.map(|slot| (!ticket.subscribes).then_some(slot)) else {
        return failed("the engine is stopping", true);
    };
    let parts = &node.parts;
    match parts.vault.unseal_within(&mut request.with) {
        Ok(opened) => request.redact.extend(opened.into_iter().map(|secret| secret.expose().to_owned())),
        Err(error) => {
            warn!(error = &error as &dyn std::error::Error, "a sealed value cannot be opened");
            return failed("a sealed value in the arguments cannot be opened", false);
        }
    }
    let connections = StoredConnections { store: Arc::clone(&parts.store), vault: Arc::clone(&parts.vault) };
    let calls = Calls {
        connectors: &parts.connectors,
        connections: &connections,
        processes: parts.processes.as_ref(),
        ids: parts.ids.as_ref(),
    };
    let redaction = Redaction::of(request.redact.iter().cloned());
    let mut request_redact = request.redact.clone();
    let workflow = &run.workflow;
    let prepared = match calls.prepare(request, &workflow.namespace, workflow.name.as_str(), ticket.idempotent).await {
        Ok(prepared) => prepared,
        Err(made) => return Some(made.after_another(earlier)),
    };
    let wants = wants(node, ticket, &prepared, &workflow.namespace);
    let mut history = errand.history;
    if history.waited || !wants.is_empty() {
        history.taken_over &= !errand.enter(node, ticket.call, &wants).await?;
    }
    let Errand { wanted: Wanted { cancelled, stopped, .. }, elsewhere, report, .. } = errand;
    // Its time begins here.
    let context = context(node, run, ticket, &redaction, cancelled, &report);
    if let Some(labels) = elsewhere {
        // It may wait for days, and others shall work meanwhile.
        drop(slot);
        let errand = runners::Errand {
            key: TaskKey { run: run.id, call: ticket.call.0 },
            reference: ticket.reference.clone(),
            demand: Demand { namespace: workflow.namespace.clone(), labels },
            idempotent: ticket.idempotent,
            deadline: ticket.deadline,
            redact: std::mem::take(&mut request_redact),
            stopped,
        };
        return Some(make_elsewhere(node, &calls, &prepared, &errand, &context, &redaction, earlier).await);
    }
    let mut repeats = false;
    if history.taken_over {
        match calls.after_loss(&prepared, &context, history.begun).await {
            AfterLoss::Make => {}
            // Nobody wants a process any more that is only to be taken back.
            AfterLoss::Repeat if withdrawn.is_cancelled() && prepared.is_process() => {
                return Some(Made::Lost(RunError::new(StandardError::Runtime, "its answer was lost")));
            }
            AfterLoss::Repeat => repeats = true,
            AfterLoss::Happened(output) => return Some(Made::Done(output).redacted(&redaction)),
            AfterLoss::Unknown => {
                return Some(Made::Unknown(RunError::new(StandardError::Runtime, "its answer was lost")));
            }
        }
    }
    if prepared.is_process()
        && let Err(refusal) = permit_process(node, &workflow.namespace).await
    {
        return Some(refusal.after_another(repeats));
    }
    if calls.repetition(&prepared) == Repetition::Once {
        // What cannot be repeated leaves word that it is about to happen, so that a crash is seen as "may have happened".
        if !announce(node, ticket.call, &report).await {
            return None;
        }
    }
    if withdrawn.is_cancelled() && !repeats {
        return not_begun();
    }
    let made = calls.make(&prepared, &context, &redaction).await.after_another(repeats);
    parts.observer.after_call(run.id, run.journal_version);
    Some(made)
}

/// Has a runner elsewhere execute a process. What an earlier owner of the run has handed over is awaited.
async fn make_elsewhere(
    node: &Node,
    calls: &Calls<'_>,
    prepared: &Prepared,
    errand: &runners::Errand,
    context: &CallContext,
    redaction: &Redaction,
    taken_over: bool,
) -> Made {
    let known = taken_over && node.runners.knows(errand.key).await;
    let process = match prepared {
        Prepared::Process { process, .. } if !known => {
            if errand.stopped.is_cancelled() {
                let error = RunError::new(StandardError::Runtime, "the run was over before the process was begun");
                return Made::Failed { error, retryable: false };
            }
            if let Err(refusal) = permit_process(node, &errand.demand.namespace).await {
                return refusal;
            }
            match node.parts.processes.complete(process.as_ref().clone(), context).await {
                Ok(process) => Some(process),
                Err(failure) => {
                    let outcome: Outcome = Err(failure).into();
                    return calls.conclude(prepared, outcome, context, redaction).await;
                }
            }
        }
        _ => None,
    };
    let ended = node.runners.execute(errand, process, context).await;
    let outcome: Outcome = ended.and_then(|result| processes::answer(result).map_err(Failure::permanent)).into();
    calls.conclude(prepared, outcome, context, redaction).await
}

/// Refuses a process of a namespace that may run none. It was asked when the run was launched, too; since then somebody
/// may have taken the permission back.
async fn permit_process(node: &Node, namespace: &Name) -> Result<(), Made> {
    let asked = async { node.parts.store.snapshot().await?.process_permission(namespace).await };
    match asked.await {
        Ok(Some(_)) => Ok(()),
        Ok(None) => {
            let error = RunError::new(StandardError::Authorization, processes::not_permitted(namespace));
            Err(Made::Failed { error, retryable: false })
        }
        Err(cause) => {
            warn!(error = &cause as &dyn std::error::Error, "a permission cannot be read");
            let error = RunError::new(StandardError::Runtime, "the database is not available at the moment");
            Err(Made::Failed { error, retryable: true })
        }
    }
}

/// Puts "about to be made" into the journal and waits until it is durable; false when the run has gone elsewhere.
async fn announce(node: &Node, call: workflow::CallId, report: &Reports) -> bool {
    tell(report, Event::new(node.now(), EventKind::CallStarted { call })).await
}

/// Tells the actor and waits until it is durable; false when the run has gone elsewhere.
async fn tell(report: &Reports, event: Event) -> bool {
    let (durable, told) = oneshot::channel();
    report.send(Report::Happened { event, durable: Some(durable) }).is_ok() && told.await.is_ok()
}

/// Takes the messages of a call into its run.
struct Arriving {
    call: CallId,
    report: Reports,
    redaction: Redaction,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl Messages for Arriving {
    async fn deliver(&self, id: String, mut message: Value) -> bool {
        self.redaction.value(&mut message);
        let kind = EventKind::MessageReceived { call: self.call, id, message };
        tell(&self.report, Event::new(self.clock.now(), kind)).await
    }

    /// By the next owner of the run.
    fn may_be_resumed(&self) -> bool {
        true
    }
}

fn context(
    node: &Node,
    run: &Run,
    ticket: &CallTicket,
    redaction: &Redaction,
    cancelled: CancellationToken,
    report: &Reports,
) -> CallContext {
    // A subscription goes on for as long as the definition wants it to.
    let limit = (!ticket.subscribes).then(|| node.now() + node.settings.call_limit);
    let messages = ticket.subscribes.then(|| {
        let (redaction, clock) = (redaction.clone(), Arc::clone(&node.parts.clock));
        Arc::new(Arriving { call: ticket.call, report: report.clone(), redaction, clock }) as Arc<dyn Messages>
    });
    let log = TaskLogOf { logs: node.logs.clone(), run: run.id, reference: ticket.reference.clone() };
    CallContext {
        run: run.id,
        reference: ticket.reference.clone(),
        attempt: ticket.attempt,
        key: ticket.key.clone(),
        deadline: ticket.deadline.into_iter().chain(limit).min(),
        clock: Arc::clone(&node.parts.clock),
        ids: Arc::clone(&node.parts.ids),
        log: Arc::new(RedactedLog { log: Arc::new(log), redaction: redaction.clone() }),
        egress: node.parts.connectors.egress(&run.workflow.namespace),
        base_url: node.settings.base_url.clone(),
        cancelled,
        messages,
    }
}

struct TaskLogOf {
    logs: TaskLogs,
    run: RunId,
    reference: String,
}

impl TaskLog for TaskLogOf {
    fn line(&self, level: LogLevel, text: &str) {
        self.logs.line(self.run, &self.reference, level.as_str(), text);
    }
}
