//! What has just changed, for whoever watches: pages through server-sent events, and the engines of other nodes.
//!
//! A hint, never a source: it may be lost (a slow reader skips), so a reader always loads the state itself.

use domain::{RunId, RunStatus, UserId};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

/// Hints that a slow reader may lag behind before it skips some.
const BACKLOG: usize = 1_024;

/// A run has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunChange {
    /// The run.
    pub run: RunId,
    /// Its journal version now.
    pub version: i64,
    /// Its status now.
    pub status: RunStatus,
}

/// Something else that pages show has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Topic {
    /// The approval queue.
    Approvals,
    /// The notices of one person.
    Notifications(UserId),
    /// Users, teams or grants.
    Administration,
    /// Connections, or whether they work.
    Connections,
    /// Other policies are in force.
    Policies,
    /// Repositories whose branches bring definitions, or what came of them.
    Repositories,
    /// Triggers, or what was delivered to them.
    Triggers,
    /// Runners, whether they are there, or what they run.
    Runners,
}

/// What nodes tell each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Hint {
    Run(RunChange),
    Changed(Topic),
    /// There are new lines in the run's log.
    Logged(RunId),
    /// The run has something in its inbox, and another node holds it.
    Woken(RunId),
}

/// The hub of hints within one process.
#[derive(Clone, Debug)]
pub struct Live {
    runs: broadcast::Sender<RunChange>,
    topics: broadcast::Sender<Topic>,
    logs: broadcast::Sender<RunId>,
    /// Those that began in this process, for other nodes.
    own: broadcast::Sender<Hint>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            runs: broadcast::channel(BACKLOG).0,
            topics: broadcast::channel(BACKLOG).0,
            logs: broadcast::channel(BACKLOG).0,
            own: broadcast::channel(BACKLOG).0,
        }
    }
}

impl Live {
    /// Tells of a changed run.
    pub fn run_changed(&self, change: RunChange) {
        self.tell(Hint::Run(change));
    }

    /// Tells of another change.
    pub fn changed(&self, topic: Topic) {
        self.tell(Hint::Changed(topic));
    }

    /// Tells of new lines in a run's log.
    pub fn logged(&self, run: RunId) {
        self.tell(Hint::Logged(run));
    }

    /// Asks other nodes to look into the inbox of a run that one of them holds.
    pub(crate) fn woken_elsewhere(&self, run: RunId) {
        let _ = self.own.send(Hint::Woken(run));
    }

    fn tell(&self, hint: Hint) {
        self.show(hint.clone());
        // An error only says that nobody listens; the same in `show`.
        let _ = self.own.send(hint);
    }

    /// Shows what was told here or on another node to those who watch here.
    pub(crate) fn show(&self, hint: Hint) {
        match hint {
            Hint::Run(change) => _ = self.runs.send(change),
            Hint::Changed(topic) => _ = self.topics.send(topic),
            Hint::Logged(run) => _ = self.logs.send(run),
            Hint::Woken(_) => {}
        }
    }

    /// Hints that begin in this process from now on.
    pub(crate) fn own(&self) -> broadcast::Receiver<Hint> {
        self.own.subscribe()
    }

    /// Changes of runs from now on.
    #[must_use]
    pub fn runs(&self) -> broadcast::Receiver<RunChange> {
        self.runs.subscribe()
    }

    /// Other changes from now on.
    #[must_use]
    pub fn topics(&self) -> broadcast::Receiver<Topic> {
        self.topics.subscribe()
    }

    /// Runs that have new log lines, from now on.
    #[must_use]
    pub fn logs(&self) -> broadcast::Receiver<RunId> {
        self.logs.subscribe()
    }
}
