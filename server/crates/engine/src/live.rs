//! What has just changed, for whoever watches: pages through server-sent events, and the engine's own sleepers.
//!
//! A hint, never a source: it may be lost (a slow reader skips), so a reader always loads the state itself.

use domain::{RunId, RunStatus, UserId, view::LogLine};
use tokio::sync::broadcast;

/// Hints that a slow reader may lag behind before it skips some.
const BACKLOG: usize = 1_024;

/// A run has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunChange {
    /// The run.
    pub run: RunId,
    /// Its journal version now.
    pub version: i64,
    /// Its status now.
    pub status: RunStatus,
}

/// Something else that pages show has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// The approval queue.
    Approvals,
    /// The notices of one person.
    Notifications(UserId),
    /// Users, teams, grants or connections.
    Administration,
}

/// The hub of hints within one process.
#[derive(Clone, Debug)]
pub struct Live {
    runs: broadcast::Sender<RunChange>,
    topics: broadcast::Sender<Topic>,
    logs: broadcast::Sender<(RunId, LogLine)>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            runs: broadcast::channel(BACKLOG).0,
            topics: broadcast::channel(BACKLOG).0,
            logs: broadcast::channel(BACKLOG).0,
        }
    }
}

impl Live {
    /// Tells of a changed run.
    pub fn run_changed(&self, change: RunChange) {
        // An error only says that nobody listens.
        let _ = self.runs.send(change);
    }

    /// Tells of another change.
    pub fn changed(&self, topic: Topic) {
        let _ = self.topics.send(topic);
    }

    /// Tells of a line in a run's log.
    pub fn logged(&self, run: RunId, line: LogLine) {
        let _ = self.logs.send((run, line));
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

    /// Log lines from now on.
    #[must_use]
    pub fn logs(&self) -> broadcast::Receiver<(RunId, LogLine)> {
        self.logs.subscribe()
    }
}
