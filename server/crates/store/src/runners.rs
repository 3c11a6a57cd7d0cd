//! Runners near the systems, and the processes that they are to execute.

use async_trait::async_trait;
use domain::{Name, RunId, RunnerId, RunnerState, RunnerTaskState, Scope, Timestamp, UserId};

use crate::Result;

/// A row of `runners`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runner {
    /// Its id.
    pub id: RunnerId,
    /// Its name; there is no other of this name.
    pub name: Name,
    /// Its labels, in order.
    pub labels: Vec<Name>,
    /// For which namespaces it works.
    pub namespaces: Vec<Scope>,
    /// What is stored of its token.
    pub token_hash: String,
    /// What it may do.
    pub state: RunnerState,
    /// Who enrolled it.
    pub created_by: UserId,
    /// When.
    pub created_at: Timestamp,
    /// The installation that uses its token; none before the first.
    pub instance: Option<String>,
    /// How often it has begun.
    pub session: i64,
    /// What it has asked for last in this session.
    pub turn: i64,
    /// Its version.
    pub version: Option<String>,
    /// How many tasks it takes at once.
    pub capacity: Option<u32>,
    /// How busy its machine is, in percent.
    pub load: Option<u32>,
    /// When it was heard of.
    pub seen_at: Option<Timestamp>,
}

/// What a runner says of itself when it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// Its installation.
    pub instance: String,
    /// Its version.
    pub version: String,
    /// How many tasks it takes at once.
    pub capacity: u32,
}

/// What a runner asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The runner.
    pub runner: RunnerId,
    /// Its session.
    pub session: i64,
    /// How often it has asked in this session.
    pub turn: i64,
}

/// Which task it is: one attempt of one call of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskKey {
    /// The run.
    pub run: RunId,
    /// The call within it.
    pub call: u32,
}

/// A row of `runner_tasks`, without what is sealed in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunnerTask {
    /// Which it is.
    pub key: TaskKey,
    /// JSON pointer to the task of the definition.
    pub reference: String,
    /// The namespace of the run, and the labels that its runner must have.
    pub demand: Demand,
    /// Whether it may be begun again when nobody knows how far it came.
    pub idempotent: bool,
    /// Until when the run waits for it.
    pub deadline: Option<Timestamp>,
    /// Where it stands.
    pub state: RunnerTaskState,
    /// One more each time that a runner is given it.
    pub epoch: i64,
    /// The runner that was given it last.
    pub runner: Option<RunnerId>,
    /// Until when that runner is alone in it.
    pub lease_until: Option<Timestamp>,
    /// Whether nobody wants it any more.
    pub stopped: bool,
    /// Since when it waits.
    pub queued_at: Timestamp,
    /// When a runner was allowed to begin it.
    pub started_at: Option<Timestamp>,
    /// When it was done.
    pub done_at: Option<Timestamp>,
    /// What became of it, as JSON.
    pub outcome: Option<String>,
}

/// What is asked of a runner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Demand {
    /// The namespace of the run.
    pub namespace: Name,
    /// The labels that the runner must have, in order.
    pub labels: Vec<Name>,
}

impl Runner {
    /// Whether it can do what is asked.
    #[must_use]
    pub fn fits(&self, demand: &Demand) -> bool {
        self.namespaces.iter().any(|scope| scope.namespace().is_none_or(|one| *one == demand.namespace))
            && demand.labels.iter().all(|label| self.labels.contains(label))
    }
}

/// A task that a runner holds, as both know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Held {
    /// The task.
    pub key: TaskKey,
    /// The epoch in which the runner was given it.
    pub epoch: i64,
}

/// Runners and their tasks.
///
/// What is written of a task names the epoch in which its runner was given it. Whoever has lost it is told by `false`, and
/// has written nothing.
#[async_trait]
pub trait Runners: Send {
    /// One runner.
    async fn runner(&mut self, id: RunnerId) -> Result<Option<Runner>>;
    /// The one with this hash of its token.
    async fn runner_by_token(&mut self, hash: &str) -> Result<Option<Runner>>;
    /// All, by name.
    async fn list_runners(&mut self) -> Result<Vec<Runner>>;
    /// Adds one; false when there is one of this name.
    async fn insert_runner(&mut self, runner: &Runner) -> Result<bool>;
    /// Says what it may do; false when there is none such.
    async fn update_runner_state(&mut self, id: RunnerId, state: RunnerState) -> Result<bool>;
    /// Forgets one; false when there is none such.
    async fn delete_runner(&mut self, id: RunnerId) -> Result<bool>;
    /// A runner begins; gives the number of its session.
    async fn begin_runner(&mut self, id: RunnerId, beginning: &Beginning, at: Timestamp) -> Result<Option<i64>>;
    /// A runner asks; false when it has begun anew or has asked again since. Nobody else answers the same runner meanwhile.
    async fn take_runner_turn(&mut self, turn: Turn, load: u32, at: Timestamp) -> Result<bool>;

    /// Adds a task that waits; false when it is there already, and stays as it is.
    async fn insert_runner_task(&mut self, task: &RunnerTask, payload: &str) -> Result<bool>;
    /// One task.
    async fn runner_task(&mut self, key: TaskKey) -> Result<Option<RunnerTask>>;
    /// All that are not done, by when they were queued.
    async fn open_runner_tasks(&mut self) -> Result<Vec<RunnerTask>>;
    /// What is asked of runners by tasks that wait.
    async fn queued_demands(&mut self) -> Result<Vec<Demand>>;
    /// Gives a runner tasks that wait, of these demands, those that wait longest first: with what is sealed in them.
    async fn lease_runner_tasks(
        &mut self,
        runner: RunnerId,
        demands: &[Demand],
        limit: u32,
        until: Timestamp,
    ) -> Result<Vec<(RunnerTask, String)>>;
    /// What a runner holds.
    async fn tasks_of_runner(&mut self, runner: RunnerId) -> Result<Vec<RunnerTask>>;
    /// A runner keeps what it holds until then.
    async fn renew_runner_tasks(&mut self, runner: RunnerId, until: Timestamp) -> Result<()>;
    /// A runner is about to begin it; true also when it was told so before. False when nobody wants it any more.
    async fn start_runner_task(&mut self, held: Held, runner: RunnerId, at: Timestamp) -> Result<bool>;
    /// It waits for a runner once more.
    async fn requeue_runner_task(&mut self, held: Held) -> Result<bool>;
    /// It is done.
    async fn finish_runner_task(&mut self, held: Held, outcome: &str, at: Timestamp) -> Result<bool>;
    /// Nobody wants it any more: one that was not begun is done with this outcome, one that was is marked.
    async fn stop_runner_task(&mut self, key: TaskKey, outcome: &str, at: Timestamp) -> Result<()>;
    /// Those whose leases have ended, at most so many.
    async fn expired_runner_tasks(&mut self, now: Timestamp, limit: u32) -> Result<Vec<RunnerTask>>;
    /// Which of these are done.
    async fn finished_runner_tasks(&mut self, keys: &[TaskKey]) -> Result<Vec<TaskKey>>;
    /// Runners that hold something that nobody wants any more.
    async fn runners_to_stop(&mut self) -> Result<Vec<RunnerId>>;
    /// Tasks that are not begun, and whose run has ended and does nothing more: done with this outcome.
    async fn stop_orphaned_runner_tasks(&mut self, outcome: &str, at: Timestamp) -> Result<u64>;
    /// Forgets what was done before, of runs that have ended and do nothing more: others may still ask for it.
    async fn delete_runner_tasks(&mut self, done_before: Timestamp) -> Result<u64>;
}
