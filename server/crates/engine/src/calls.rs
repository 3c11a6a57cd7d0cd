//! Making a call and saying what became of it: the same for a node's actors and for a run in process.

use std::sync::Arc;

use connectors::{
    Call, CallContext, Connections, Failure, FailureKind, LogLevel, Outcome, Probe, Registry, Repetition, Request,
    ResolvedConnection, TaskLog,
};
use domain::{Ids, Name};
use serde_json::Value;
use workflow::{CallId, CallRequest, EventKind, RunError, StandardError, process::Process};

use crate::{
    processes::{self, Origin, Processes},
    redaction::Redaction,
};

/// What calls are made with.
pub(crate) struct Calls<'a> {
    pub(crate) connectors: &'a Registry,
    pub(crate) connections: &'a dyn Connections,
    pub(crate) processes: &'a dyn Processes,
    pub(crate) ids: &'a dyn Ids,
}

/// A call that is ready to be made. Has no `Debug`: its arguments may hold secrets.
pub(crate) enum Prepared {
    /// By a connector.
    Request(Request),
    /// By a process.
    Process {
        /// The function that asks for it.
        function: String,
        /// The process.
        process: Box<Process>,
        /// Whether the definition declares that running it twice does no harm.
        idempotent: bool,
    },
}

impl Prepared {
    /// The connection that it goes over.
    pub(crate) fn connection(&self) -> Option<&ResolvedConnection> {
        match self {
            Self::Request(request) => request.connection.as_deref(),
            Self::Process { .. } => None,
        }
    }

    /// Whether it is a process.
    pub(crate) fn is_process(&self) -> bool {
        matches!(self, Self::Process { .. })
    }
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
    /// It may have happened, and making it again would do no harm.
    Lost(RunError),
    /// Nobody can tell whether it happened.
    Unknown(RunError),
}

impl Made {
    /// The event by which the run learns of it.
    pub(crate) fn into_event(self, call: CallId) -> EventKind {
        match self {
            Self::Done(output) => EventKind::CallCompleted { call, output },
            Self::Failed { error, retryable } => EventKind::CallFailed { call, error, retryable },
            Self::Lost(error) => EventKind::CallLost { call, error },
            Self::Unknown(_) => EventKind::CallUnknown { call },
        }
    }

    /// That an attempt came to nothing says nothing about an earlier one that may have been made.
    pub(crate) fn after_another(self, may_have_been_made: bool) -> Self {
        match self {
            Self::Failed { error, .. } if may_have_been_made => Self::Lost(error),
            made => made,
        }
    }

    /// Without the secrets of the call.
    pub(crate) fn redacted(mut self, redaction: &Redaction) -> Self {
        match &mut self {
            Self::Done(output) => redaction.value(output),
            Self::Failed { error, .. } | Self::Lost(error) | Self::Unknown(error) => redaction.error(error),
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
        workflow: &str,
        idempotent: bool,
    ) -> Result<Prepared, Made> {
        if Process::is_asked_for_by(&request.function) {
            let function = request.function.clone();
            let origin = Origin { namespace: namespace.as_str(), workflow };
            let process =
                processes::read(request, origin, self.ids).map_err(|error| Made::Failed { error, retryable: false })?;
            return Ok(Prepared::Process { function, process: Box::new(process), idempotent });
        }
        let redaction = Redaction::of(request.redact);
        let call = Call { function: &request.function, with: request.with, namespace, idempotent };
        self.connectors.prepare(call, self.connections).await.map(Prepared::Request).map_err(|failure| {
            let retryable = failure.kind == FailureKind::Retryable;
            Made::Failed { error: *failure.error, retryable }.redacted(&redaction)
        })
    }

    /// Makes a prepared call; where its answer is lost, finds out what can be found out.
    pub(crate) async fn make(&self, prepared: &Prepared, context: &CallContext, redaction: &Redaction) -> Made {
        let outcome = match prepared {
            Prepared::Request(request) => self.connectors.execute(request, context).await,
            Prepared::Process { process, .. } => self.execute(process.as_ref().clone(), context).await,
        };
        self.conclude(prepared, outcome, context, redaction).await
    }

    /// What an outcome comes to.
    pub(crate) async fn conclude(
        &self,
        prepared: &Prepared,
        outcome: Outcome,
        context: &CallContext,
        redaction: &Redaction,
    ) -> Made {
        let (Prepared::Request(Request { function, .. }) | Prepared::Process { function, .. }) = prepared;
        metrics::counter!("rondo_calls_total", "function" => function.clone(), "outcome" => outcome_name(&outcome))
            .increment(1);
        let made = match outcome {
            Outcome::Done(output) => Made::Done(output),
            Outcome::Retryable(error) => Made::Failed { error, retryable: true },
            Outcome::Permanent(error) => Made::Failed { error, retryable: false },
            Outcome::Lost(error) => Made::Lost(error),
            Outcome::Unknown(error) => match self.after_loss(prepared, &in_its_own_time(context), true).await {
                AfterLoss::Make => Made::Failed { error, retryable: true },
                AfterLoss::Repeat => Made::Lost(error),
                AfterLoss::Happened(output) => Made::Done(output),
                AfterLoss::Unknown => Made::Unknown(error),
            },
        };
        made.redacted(redaction)
    }

    /// Executes a process. Its time is limited by whoever executes it.
    async fn execute(&self, process: Process, context: &CallContext) -> Outcome {
        tokio::select! {
            ended = self.processes.run(process, context) => ended
                .and_then(|result| processes::answer(result).map_err(Failure::permanent))
                .into(),
            () = context.cancelled.cancelled() => {
                Outcome::Unknown(RunError::new(StandardError::Runtime, "the process was stopped while it was under way"))
            }
        }
    }

    /// What may be done about a call of which nobody knows whether it happened.
    pub(crate) fn repetition(&self, prepared: &Prepared) -> Repetition {
        match prepared {
            Prepared::Request(request) => self.connectors.repetition(request),
            Prepared::Process { idempotent: true, .. } => Repetition::Safe,
            // Nobody can be asked how far it came.
            Prepared::Process { idempotent: false, .. } => Repetition::Once,
        }
    }

    /// What is to be done about a call whose answer is lost. `begun` says that it may have been made.
    pub(crate) async fn after_loss(&self, prepared: &Prepared, context: &CallContext, begun: bool) -> AfterLoss {
        let request = match (self.repetition(prepared), prepared) {
            (Repetition::Once, _) if begun => return AfterLoss::Unknown,
            (Repetition::Once, _) => return AfterLoss::Make,
            (Repetition::Probe, Prepared::Request(request)) => request,
            _ => return AfterLoss::Repeat,
        };
        match self.connectors.probe(request, context).await {
            Probe::Happened(output) => AfterLoss::Happened(output),
            Probe::DidNotHappen => AfterLoss::Make,
            Probe::CannotTell if request.idempotent => AfterLoss::Repeat,
            Probe::CannotTell => AfterLoss::Unknown,
        }
    }
}

/// What is asked about a call whose time is over has a time of its own.
fn in_its_own_time(context: &CallContext) -> CallContext {
    CallContext { deadline: None, ..context.clone() }
}

/// What is to be done about a call whose answer is lost.
pub(crate) enum AfterLoss {
    /// Make it: it did not happen.
    Make,
    /// Make it: it may have happened, and making it again does no harm.
    Repeat,
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
        Outcome::Lost(_) => "lost",
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
