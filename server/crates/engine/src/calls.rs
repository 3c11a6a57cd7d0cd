//! Making a call and saying what became of it: the same for a node's actors and for a run in process.

use std::sync::Arc;

use connectors::{
    Call, CallContext, Connections, FailureKind, LogLevel, Outcome, Probe, Registry, Repetition, Request, TaskLog,
};
use domain::Name;
use serde_json::Value;
use workflow::{CallId, CallRequest, EventKind, RunError};

use crate::redaction::Redaction;

/// What calls are made with.
pub(crate) struct Calls<'a> {
    pub(crate) connectors: &'a Registry,
    pub(crate) connections: &'a dyn Connections,
}

/// What became of a call.
pub(crate) enum Made {
    /// It happened; this is its output.
    Done(Value),
    /// It did not happen.
    Failed {
        /// Why.
        error: RunError,
        /// Whether another attempt may succeed.
        retryable: bool,
    },
    /// Nobody can tell whether it happened.
    Unknown(RunError),
}

impl Made {
    /// The event by which the run learns of it.
    pub(crate) fn into_event(self, call: CallId) -> EventKind {
        match self {
            Self::Done(output) => EventKind::CallCompleted { call, output },
            Self::Failed { error, retryable } => EventKind::CallFailed { call, error, retryable },
            Self::Unknown(_) => EventKind::CallUnknown { call },
        }
    }

    fn redacted(mut self, redaction: &Redaction) -> Self {
        match &mut self {
            Self::Done(output) => redaction.value(output),
            Self::Failed { error, .. } | Self::Unknown(error) => redaction.error(error),
        }
        self
    }
}

impl Calls<'_> {
    /// Checks the arguments and finds the connection that they name. Nothing has been sent when this fails.
    pub(crate) async fn prepare(
        &self,
        request: CallRequest,
        namespace: &Name,
        idempotent: bool,
    ) -> Result<Request, Made> {
        let redaction = Redaction::of(request.redact);
        let call = Call { function: &request.function, with: request.with, namespace, idempotent };
        self.connectors.prepare(call, self.connections).await.map_err(|failure| {
            let retryable = failure.kind == FailureKind::Retryable;
            Made::Failed { error: *failure.error, retryable }.redacted(&redaction)
        })
    }

    /// Makes a prepared call; where its answer is lost, finds out what can be found out.
    pub(crate) async fn make(&self, request: &Request, context: &CallContext, redaction: &Redaction) -> Made {
        let outcome = self.connectors.execute(request, context).await;
        metrics::counter!("rondo_calls_total", "function" => request.function.clone(), "outcome" => outcome_name(&outcome))
            .increment(1);
        let made = match outcome {
            Outcome::Done(output) => Made::Done(output),
            Outcome::Retryable(error) => Made::Failed { error, retryable: true },
            Outcome::Permanent(error) => Made::Failed { error, retryable: false },
            Outcome::Unknown(error) => match self.after_loss(request, context, true).await {
                AfterLoss::Make => Made::Failed { error, retryable: true },
                AfterLoss::Happened(output) => Made::Done(output),
                AfterLoss::Unknown => Made::Unknown(error),
            },
        };
        made.redacted(redaction)
    }

    /// What is to be done about a call whose answer is lost. `begun` says that it may have been made.
    pub(crate) async fn after_loss(&self, request: &Request, context: &CallContext, begun: bool) -> AfterLoss {
        match self.connectors.repetition(request) {
            Repetition::Once if begun => AfterLoss::Unknown,
            Repetition::Safe | Repetition::Once => AfterLoss::Make,
            Repetition::Probe => match self.connectors.probe(request, context).await {
                Probe::Happened(output) => AfterLoss::Happened(output),
                Probe::DidNotHappen => AfterLoss::Make,
                Probe::CannotTell if request.idempotent => AfterLoss::Make,
                Probe::CannotTell => AfterLoss::Unknown,
            },
        }
    }
}

/// What is to be done about a call whose answer is lost.
pub(crate) enum AfterLoss {
    /// Make it: it did not happen, or making it again does no harm.
    Make,
    /// It happened.
    Happened(Value),
    /// Nobody can tell.
    Unknown,
}

const fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done(_) => "done",
        Outcome::Retryable(_) => "retryable",
        Outcome::Permanent(_) => "permanent",
        Outcome::Unknown(_) => "unknown",
    }
}

/// A task's log from which the secrets of the call are taken out.
pub(crate) struct RedactedLog {
    pub(crate) log: Arc<dyn TaskLog>,
    pub(crate) redaction: Redaction,
}

impl TaskLog for RedactedLog {
    fn line(&self, level: LogLevel, text: &str) {
        self.log.line(level, &self.redaction.text(text));
    }
}
