//! Runs with their journal, snapshot, inbox and task projection, and who owns them.

use std::time::Duration;

use async_trait::async_trait;
use domain::{Name, RunId, RunStatus, TaskStatus, Timestamp, UserId, WaitsFor, WorkflowRef};

use crate::{Result, delegations::Represented};

/// A row of `runs`: what lists and pages show of a run, derived from its journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Id.
    pub id: RunId,
    /// Number for people, from 1 without order guarantee; 0 before it is inserted.
    pub number: i64,
    /// Which workflow.
    pub workflow: WorkflowRef,
    /// Its version.
    pub version: String,
    /// Digest of that version.
    pub definition_digest: String,
    /// Title of that version.
    pub title: String,
    /// Where it stands.
    pub status: RunStatus,
    /// Whether an operator has to look at it.
    pub needs_attention: bool,
    /// Whether it ended by a rejection.
    pub rejected: bool,
    /// Whether what it did was taken back.
    pub compensated: bool,
    /// Who asked for it.
    pub requester_id: UserId,
    /// What it was launched with, as JSON.
    pub input: String,
    /// What it gave back, as JSON, secrets redacted.
    pub output: Option<String>,
    /// Why it failed, as JSON.
    pub error: Option<String>,
    /// Launched at.
    pub created_at: Timestamp,
    /// Begun at.
    pub started_at: Option<Timestamp>,
    /// Ended at.
    pub ended_at: Option<Timestamp>,
    /// Last changed at.
    pub updated_at: Timestamp,
    /// Number of entries in its journal.
    pub journal_version: i64,
    /// When the engine has to look at it again, whatever happens; none: only when something comes in.
    pub wake_at: Option<Timestamp>,
    /// Whose limit holds it up; none while nothing does. Not written when it is inserted.
    pub waits_for: Option<WaitsFor>,
}

/// A claim of a node on a run. Every write of the engine carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The run.
    pub run: RunId,
    /// The owning node.
    pub owner: String,
    /// Grows with every change of owner; a write with an older one is refused.
    pub epoch: i64,
    /// Ends at.
    pub until: Timestamp,
}

/// A run that was claimed, and of which namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The claim.
    pub lease: Lease,
    /// The namespace of its workflow.
    pub namespace: Name,
}

/// An entry of a run's journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    /// Place, from 1 without gaps.
    pub version: i64,
    /// When it happened.
    pub at: Timestamp,
    /// The event, as JSON.
    pub event: String,
}

/// A row of `inbox`: an event for a run that its owner has not yet taken into the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxItem {
    /// Order of arrival.
    pub seq: i64,
    /// The run.
    pub run: RunId,
    /// The event, as JSON.
    pub event: String,
}

/// What becomes of a lease when its owner writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It is held, and kept.
    Keep,
    /// It is held, and given up.
    Release,
    /// It is taken, unless somebody else holds one at the time of the update, and kept.
    Take,
    /// It is taken, unless somebody else holds one at the time of the update, and given up.
    Pass,
}

impl Hold {
    /// Whether the lease is not held yet.
    #[must_use]
    pub const fn takes(self) -> bool {
        matches!(self, Self::Take | Self::Pass)
    }

    /// Whether it is given up.
    #[must_use]
    pub const fn gives_up(self) -> bool {
        matches!(self, Self::Release | Self::Pass)
    }
}

/// The first of what is in an inbox, which a run's owner has taken into the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The last item.
    pub through: i64,
    /// How many items.
    pub items: i64,
}

impl Taken {
    /// All of these, unless there are none.
    pub fn all(items: &[InboxItem]) -> Option<Self> {
        let last = items.last()?;
        Some(Self { through: last.seq, items: i64::try_from(items.len()).unwrap_or(i64::MAX) })
    }
}

/// A row of `tasks`: what is known of one execution of a task, derived from the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The run.
    pub run: RunId,
    /// JSON pointer of the task in the definition.
    pub reference: String,
    /// Which execution of that task, from 1.
    pub occurrence: u32,
    /// Order of start within the run.
    pub position: i64,
    /// The task's name.
    pub name: String,
    /// Kind of task.
    pub kind: String,
    /// Where it stands.
    pub status: TaskStatus,
    /// The interpreter's id of its latest call.
    pub call: Option<u32>,
    /// Attempts of its call.
    pub attempts: u32,
    /// Takes back what another task did.
    pub compensation: bool,
    /// Input as JSON, secrets redacted.
    pub input: Option<String>,
    /// Output as JSON, secrets redacted.
    pub output: Option<String>,
    /// Error as JSON.
    pub error: Option<String>,
    /// Begun at.
    pub started_at: Option<Timestamp>,
    /// Ended at.
    pub ended_at: Option<Timestamp>,
}

/// Which runs a caller may see: all of these, or those of the given namespaces, or those the person asked for or is asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visibility {
    /// Sees every run.
    pub everywhere: bool,
    /// Sees every run of these namespaces.
    pub namespaces: Vec<Name>,
    /// Sees this person's requests, runs whose approvals ask this person, and runs in which they decided for somebody else.
    pub person: Option<UserId>,
    /// Those for whom that person stands in: sees runs whose pending approvals ask one of them, but for approvals that the
    /// person may not decide on.
    pub represents: Vec<Represented>,
}

impl Visibility {
    /// Every run: for what the system itself looks up.
    pub fn everything() -> Self {
        Self { everywhere: true, ..Self::default() }
    }
}

/// What a list of runs is narrowed to. All given conditions hold at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Asked for by this person.
    pub requester: Option<UserId>,
    /// One of these states; empty: any.
    pub statuses: Vec<RunStatus>,
    /// Of this workflow.
    pub workflow: Option<WorkflowRef>,
    /// Of this namespace.
    pub namespace: Option<Name>,
    /// Only those that need an operator, or only those that do not.
    pub needs_attention: Option<bool>,
    /// A part of the title or of a value in the input (see [`crate::search`]), or the number.
    pub search: Option<String>,
}

/// Runs and what the engine keeps of them.
#[async_trait]
pub trait Runs: Send {
    /// Adds a run and gives it its number.
    async fn insert_run(&mut self, run: &Run) -> Result<i64>;
    /// One by id.
    async fn run(&mut self, id: RunId) -> Result<Option<Run>>;
    /// Those of some ids that there are, in no order.
    async fn runs_by_id(&mut self, ids: &[RunId]) -> Result<Vec<Run>>;
    /// One by number.
    async fn run_by_number(&mut self, number: i64) -> Result<Option<Run>>;
    /// Those that `visible` lets see and `filter` lets through, highest number first, numbers below `before`, at most `limit`.
    async fn list_runs(
        &mut self,
        visible: &Visibility,
        filter: &RunFilter,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Run>>;
    /// Whether `visible` lets see this run; the same rule as in [`Runs::list_runs`].
    async fn run_is_visible(&mut self, visible: &Visibility, id: RunId) -> Result<bool>;
    /// How the last `sample` runs of a workflow went.
    async fn run_statistics(&mut self, workflow: &WorkflowRef, sample: u32) -> Result<RunStatistics>;
    /// The durations of the last `sample` runs of a workflow that completed, in microseconds from launch to end, last first.
    async fn run_durations(&mut self, workflow: &WorkflowRef, sample: u32) -> Result<Vec<i64>>;
    /// When a person last launched each workflow, among that person's last `sample` runs.
    async fn last_launches(&mut self, requester: UserId, sample: u32) -> Result<Vec<(WorkflowRef, Timestamp)>>;
    /// How many runs of a version have not ended.
    async fn count_open_runs(&mut self, workflow: &WorkflowRef, version: &str) -> Result<u64>;
    /// How many runs stand in each state.
    async fn count_runs(&mut self) -> Result<Vec<(RunStatus, u64)>>;

    /// Leases up to `limit` runs to `owner` that have something to do by `due` (inbox not empty, or `wake_at` reached) and no lease that lives `now`.
    ///
    /// Namespaces take turns, beginning behind `last`, the one whose turn was last: however many runs of one are due, each other
    /// gets as many. Within a namespace, oldest waiting first.
    async fn claim_runs(
        &mut self,
        owner: &str,
        now: Timestamp,
        due: Timestamp,
        lease: Duration,
        limit: u32,
        last: Option<&Name>,
    ) -> Result<Vec<Claimed>>;
    /// The same for this one run, which is given with it; none when it has nothing to do, or somebody is at it.
    async fn claim_run(
        &mut self,
        run: RunId,
        owner: &str,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Option<(Lease, Run)>>;
    /// A run that could be claimed, without claiming it, and the epoch of its last lease. The next one can be taken by
    /// [`Runs::advance_run`], if nobody else has taken it until then.
    async fn vacant_run(&mut self, run: RunId, now: Timestamp) -> Result<Option<(i64, Run)>>;
    /// Prolongs a lease; [`crate::StoreError::Conflict`] when it was lost.
    async fn renew_lease(&mut self, lease: &Lease, until: Timestamp) -> Result<()>;
    /// Gives a lease up; no error when it was lost already.
    async fn release_lease(&mut self, lease: &Lease) -> Result<()>;
    /// Gives up all leases of all owners. Only for a node that knows that no other is alive.
    async fn release_all_leases(&mut self) -> Result<()>;

    /// Puts another input in place of a run's, which begins again with it. Within the unit of the step that says so.
    async fn replace_input(&mut self, id: RunId, input: &str) -> Result<()>;
    /// Writes the derived columns of a run and appends to its journal, if the lease still holds and the journal still has `expected` entries; [`crate::StoreError::Conflict`] otherwise, and the unit is lost. `hold` says what becomes of the lease, and `taken` is taken out of the run's inbox.
    ///
    /// `run.journal_version` must be `expected` plus the number of entries. Id, number, workflow, requester, input and creation are not written.
    async fn advance_run(
        &mut self,
        lease: &Lease,
        run: &Run,
        expected: i64,
        entries: &[JournalEntry],
        taken: Option<Taken>,
        hold: Hold,
    ) -> Result<()>;
    /// Entries after `after`, in order.
    async fn journal(&mut self, run: RunId, after: i64, limit: u32) -> Result<Vec<JournalEntry>>;
    /// The last snapshot: the journal version it stands for, and the state as JSON.
    async fn snapshot_of(&mut self, run: RunId) -> Result<Option<(i64, String)>>;
    /// Inserts or replaces the snapshot.
    async fn put_snapshot(&mut self, run: RunId, version: i64, state: &str) -> Result<()>;

    /// Locks these runs until the end of the unit, so that units which push into the inboxes of several never wait for each
    /// other in a circle. Nothing where there is one writer at a time anyway.
    async fn lock_runs(&mut self, runs: &[RunId]) -> Result<()>;
    /// Puts an event into a run's inbox and makes the run claimable.
    async fn push_inbox(&mut self, run: RunId, event: &str, at: Timestamp) -> Result<()> {
        self.push_inboxes(&[(run, event)], at).await
    }
    /// The same for many, in their order.
    async fn push_inboxes(&mut self, events: &[(RunId, &str)], at: Timestamp) -> Result<()>;
    /// What is in a run's inbox, in order of arrival.
    async fn inbox(&mut self, run: RunId) -> Result<Vec<InboxItem>>;

    /// Inserts or replaces tasks by run, reference and occurrence. None of them twice.
    async fn put_tasks(&mut self, tasks: &[Task]) -> Result<()>;
    /// A run's tasks in order of start.
    async fn tasks(&mut self, run: RunId) -> Result<Vec<Task>>;

    /// Remembers that a call with this idempotency key had its effect, with what it returned (JSON). In the transaction of the effect.
    async fn put_effect(&mut self, key: &str, result: &str, at: Timestamp) -> Result<()>;
    /// What a call with this key returned, if it had its effect.
    async fn effect(&mut self, key: &str) -> Result<Option<String>>;
}

/// How runs of a workflow went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunStatistics {
    /// Ended.
    pub ended: u64,
    /// Ended completed.
    pub completed: u64,
}
