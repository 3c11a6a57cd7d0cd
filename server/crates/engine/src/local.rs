//! Runs in process: no database, no journal, nothing left afterwards.
//!
//! [`Local::execute`] takes one definition to its end. It is a small executor around the same interpreter and the same
//! calls as a node's actors: timers are tokio's, calls go by the connectors, `run` tasks by [`Processes`] and
//! [`Workflows`], and events by a board in memory ([`events`]). A workflow that another one runs is a run of its own
//! beside it.
//!
//! What nobody is there for is not pretended: a call of which nobody knows whether it happened fails with its error (there
//! is no operator to ask), approvals are refused, and a run that waits for an event that nobody is left to send is
//! cancelled, whether it is the one that was asked for or one that another runs ([`pending`]).

mod events;
mod pending;
mod report;
mod run;

use std::sync::Arc;

use connectors::{Registry, TaskLog};
use domain::{Clock, Ids};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use workflow::{CloudEvent, Definition, RunError};

pub use report::{Report, TaskReport};

pub use crate::secrets::Secrets;
use crate::{processes::Processes, redaction::Redaction};
use events::Board;
use pending::Pending;
use run::{Run, Shared};

/// What runs in process work with.
#[derive(Clone)]
pub struct Local {
    /// The connectors.
    pub connectors: Arc<Registry>,
    /// The workflows that `run: workflow` may name.
    pub workflows: Arc<dyn Workflows>,
    /// Executes `run: shell`, `script` and `container`.
    pub processes: Arc<dyn Processes>,
    /// The secrets that definitions may declare.
    pub secrets: Secrets,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn Ids>,
    /// Where calls write what they do.
    pub log: Arc<dyn TaskLog>,
}

/// Finds the definitions that `run: workflow` names.
pub trait Workflows: Send + Sync {
    /// The definition. `version` may be `latest`.
    ///
    /// # Errors
    /// There is none, or it is not valid.
    fn find(&self, namespace: &str, name: &str, version: &str) -> Result<Arc<Definition>, RunError>;
}

/// What is to be executed.
pub struct Order {
    /// The definition.
    pub definition: Arc<Definition>,
    /// Its raw input.
    pub input: Value,
    /// Events that are there from the beginning: each is delivered as soon as something listens for it.
    pub events: Vec<CloudEvent>,
    /// Cancels the run, compensation included.
    pub cancelled: CancellationToken,
}

impl Local {
    /// Executes a definition to its end, and waits for the end of all that it has started.
    pub async fn execute(&self, order: Order) -> Report {
        let redaction = Redaction::of_values(self.secrets.values());
        let (board, pending) = (Board::new(order.events), Pending::default());
        let shared = Arc::new(Shared { local: self.clone(), board, pending, redaction });
        let mut run = Run::begin(Arc::clone(&shared), order.definition, order.input, 0);
        let record = run.finish(order.cancelled).await;
        let mut report = Report::of(record, &shared.board.emitted());
        report.redact(&shared.redaction);
        report
    }
}
