//! Dispatching calls to connectors, and finding out what became of calls that a lost owner left behind.

use std::sync::Arc;

use connectors::{Call, CallContext, FailureKind, LogLevel, Outcome, Probe, Repetition, Request, TaskLog};
use domain::{RunId, Timestamp};
use serde_json::Value;
use store::runs::Run;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info_span, warn};
use workflow::{CallRequest, CallTicket, Event, EventKind, RunError, StandardError};

use crate::{actor::Actor, node::Node, task_log::TaskLogs};

/// What is known of a call when it is dispatched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct History {
    /// It was outstanding when the run was taken over, so an earlier owner may have made it.
    pub(crate) taken_over: bool,
    /// The journal says that an earlier owner was about to make it.
    pub(crate) begun: bool,
}

/// What a call tells its actor.
pub(crate) struct Report {
    /// What happened.
    pub(crate) event: Event,
    /// Told when the event is durable.
    pub(crate) durable: Option<oneshot::Sender<()>>,
}

/// Makes a call in the background and reports its result as an event of the run.
pub(crate) fn dispatch(
    actor: &Actor,
    ticket: CallTicket,
    history: History,
    cancelled: CancellationToken,
    report: mpsc::UnboundedSender<Report>,
) {
    let node = Arc::clone(&actor.node);
    // Arguments are built here, from the state that the dispatch belongs to, and live only as long as the call.
    let built = workflow::build_call(&actor.definition, &actor.state, &ticket.call, &NoSecrets);
    let run = actor.run.clone();
    let span = info_span!("call", function = ticket.function, reference = ticket.reference, attempt = ticket.attempt);
    let call = ticket.call;
    let work = {
        let (node, report) = (Arc::clone(&node), report.clone());
        async move {
            match built {
                Ok(request) => make(&node, &run, &ticket, request, history, cancelled, &report).await,
                Err(error) => Some(EventKind::CallFailed { call, error, retryable: false }),
            }
        }
        .instrument(span)
    };
    tokio::spawn(async move {
        // A connector that panics must not leave its run waiting for ever: nobody knows how far it came.
        let kind = tokio::spawn(work).await.unwrap_or(Some(EventKind::CallUnknown { call }));
        if let Some(kind) = kind {
            // An error only says that the actor has gone; the next owner finds out by itself.
            let _ = report.send(Report { event: Event::new(node.now(), kind), durable: None });
        }
    });
}

/// Secrets of `use.secrets`: none are configured in this release, so a definition that names one is told so.
pub(crate) struct NoSecrets;

impl workflow::SecretSource for NoSecrets {
    fn secret(&self, _name: &str) -> Option<Value> {
        None
    }
}

async fn make(
    node: &Node,
    run: &Run,
    ticket: &CallTicket,
    mut request: CallRequest,
    history: History,
    cancelled: CancellationToken,
    report: &mpsc::UnboundedSender<Report>,
) -> Option<EventKind> {
    let call = ticket.call;
    let failed = |error: RunError, retryable: bool| Some(EventKind::CallFailed { call, error, retryable });
    let Ok(_slot) = Arc::clone(&node.call_slots).acquire_owned().await else {
        return failed(RunError::new(StandardError::Runtime, "the engine is stopping"), true);
    };
    if let Err(error) = node.parts.vault.unseal_within(&mut request.with) {
        warn!(error = &error as &dyn std::error::Error, "a sealed value cannot be opened");
        return failed(
            RunError::new(StandardError::Runtime, "a sealed value in the arguments cannot be opened"),
            false,
        );
    }
    let parts = &node.parts;
    let prepared = Call {
        function: &request.function,
        with: request.with,
        namespace: &run.workflow.namespace,
        idempotent: ticket.idempotent,
    };
    let prepared = match parts.connectors.prepare(prepared, parts.store.as_ref(), &parts.vault).await {
        Ok(prepared) => prepared,
        Err(failure) => return failed(*failure.error, failure.kind == FailureKind::Retryable),
    };
    let context = context(node, run, ticket, cancelled);
    let repetition = parts.connectors.repetition(&prepared);
    if history.taken_over {
        match after_loss(node, &prepared, &context, repetition, history.begun).await {
            AfterLoss::Make => {}
            AfterLoss::Happened(output) => return Some(EventKind::CallCompleted { call, output }),
            AfterLoss::Unknown => return Some(EventKind::CallUnknown { call }),
        }
    }
    if repetition == Repetition::Once {
        // What cannot be repeated leaves word that it is about to happen, so that a crash is seen as "may have happened".
        if !announce(node, call, report).await {
            return None;
        }
    }
    let outcome = parts.connectors.execute(&prepared, &context).await;
    parts.observer.after_call(run.id, run.journal_version);
    metrics::counter!("rondo_calls_total", "function" => prepared.function.clone(), "outcome" => outcome_name(&outcome))
        .increment(1);
    match outcome {
        Outcome::Done(output) => Some(EventKind::CallCompleted { call, output }),
        Outcome::Retryable(error) => failed(error, true),
        Outcome::Permanent(error) => failed(error, false),
        Outcome::Unknown(error) => match after_loss(node, &prepared, &context, repetition, true).await {
            AfterLoss::Make => failed(error, true),
            AfterLoss::Happened(output) => Some(EventKind::CallCompleted { call, output }),
            AfterLoss::Unknown => Some(EventKind::CallUnknown { call }),
        },
    }
}

/// Puts "about to be made" into the journal and waits until it is durable; false when the run has gone elsewhere.
async fn announce(node: &Node, call: workflow::CallId, report: &mpsc::UnboundedSender<Report>) -> bool {
    let (durable, told) = oneshot::channel();
    let event = Event::new(node.now(), EventKind::CallStarted { call });
    report.send(Report { event, durable: Some(durable) }).is_ok() && told.await.is_ok()
}

enum AfterLoss {
    /// It did not happen, or making it again does no harm.
    Make,
    /// It happened.
    Happened(Value),
    /// Nobody can tell.
    Unknown,
}

async fn after_loss(
    node: &Node,
    request: &Request,
    context: &CallContext,
    repetition: Repetition,
    begun: bool,
) -> AfterLoss {
    match repetition {
        Repetition::Safe => AfterLoss::Make,
        Repetition::Once => {
            if begun {
                AfterLoss::Unknown
            } else {
                AfterLoss::Make
            }
        }
        Repetition::Probe => match node.parts.connectors.probe(request, context).await {
            Probe::Happened(output) => AfterLoss::Happened(output),
            Probe::DidNotHappen => AfterLoss::Make,
            Probe::CannotTell if request.idempotent => AfterLoss::Make,
            Probe::CannotTell => AfterLoss::Unknown,
        },
    }
}

fn context(node: &Node, run: &Run, ticket: &CallTicket, cancelled: CancellationToken) -> CallContext {
    let limit = node.now() + node.settings.call_limit;
    CallContext {
        run: run.id,
        reference: ticket.reference.clone(),
        attempt: ticket.attempt,
        key: ticket.key.clone(),
        deadline: Some(ticket.deadline.map_or(limit, |deadline: Timestamp| deadline.min(limit))),
        clock: Arc::clone(&node.parts.clock),
        ids: Arc::clone(&node.parts.ids),
        log: Arc::new(TaskLogOf { logs: node.logs.clone(), run: run.id, reference: ticket.reference.clone() }),
        store: Arc::clone(&node.parts.store),
        vault: Arc::clone(&node.parts.vault),
        base_url: node.settings.base_url.clone(),
        cancelled,
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

const fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done(_) => "done",
        Outcome::Retryable(_) => "retryable",
        Outcome::Permanent(_) => "permanent",
        Outcome::Unknown(_) => "unknown",
    }
}
