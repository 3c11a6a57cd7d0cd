//! Workflows whose runs begin by themselves.
//!
//! What the definition says of it (the pattern, the time zone, what becomes of missed times) is read from the definition,
//! which never changes; here stands only what changes: when there is something to do next, and what has come of it.
//!
//! A unit that launches a run for a schedule claims the schedule's row first and advances it before it commits, so that
//! of several nodes one launches it. Rows are locked after the stream of events ([`crate::events`]) and before runs.

use async_trait::async_trait;
use domain::{RunId, Timestamp, Trigger, WorkflowRef};

use crate::{
    Result,
    events::{Filter, KeptEvent},
};

/// A row of `schedules`: one way in which runs of a workflow begin by themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Which workflow.
    pub workflow: WorkflowRef,
    /// What makes runs begin.
    pub trigger: Trigger,
    /// The version whose schedule it is, and which is launched.
    pub version: String,
    /// Since when it holds.
    pub anchor: Timestamp,
    /// When there is something to do next; none while it waits for an event or the end of a run.
    pub due_at: Option<Timestamp>,
    /// When it last launched a run.
    pub fired_at: Option<Timestamp>,
    /// The last run that it launched.
    pub run: Option<RunId>,
    /// Why its last launch was refused, as JSON; none when it was not.
    pub refused: Option<String>,
    /// The place in the stream up to which events have been looked at.
    pub seen: i64,
    /// Events that wait for others to start a run with, as JSON.
    pub gathered: Option<String>,
}

/// Workflows whose runs begin by themselves.
#[async_trait]
pub trait Schedules: Send {
    /// The schedules of one workflow, by trigger.
    async fn schedules_of(&mut self, workflow: &WorkflowRef) -> Result<Vec<Schedule>>;
    /// Adds one; [`crate::StoreError::Duplicate`] when the workflow has one with this trigger. An event that one of the
    /// filters admits makes it due.
    async fn insert_schedule(&mut self, schedule: &Schedule, filters: &[Filter<'_>]) -> Result<()>;
    /// Ends all schedules of a workflow.
    async fn delete_schedules(&mut self, workflow: &WorkflowRef) -> Result<()>;
    /// One that is due at `now`, the longest due first, locked until the unit ends. Those that another unit holds are
    /// passed over.
    async fn claim_schedule(&mut self, now: Timestamp) -> Result<Option<Schedule>>;
    /// Writes what changes while it holds; [`crate::StoreError::Conflict`] when it has ended.
    async fn advance_schedule(&mut self, schedule: &Schedule) -> Result<()>;
    /// When the next one is due, if one is.
    async fn next_schedule(&mut self) -> Result<Option<Timestamp>>;
    /// Makes the schedule that launched this run last, and waits for its end, due at `at`; whether there is one.
    async fn schedule_after(&mut self, run: RunId, at: Timestamp) -> Result<bool>;
    /// Makes those due at `at` that an event of this type from this source may start a run of; whether there is one. An
    /// event that tells of a run of the workflow `about` is nothing to its own schedule, which would answer itself for ever.
    async fn call_schedules(
        &mut self,
        kind: &str,
        source: &str,
        about: Option<&WorkflowRef>,
        at: Timestamp,
    ) -> Result<bool>;
    /// The place in the stream of the last event. Lets nobody else publish or subscribe until the unit has ended.
    async fn end_of_stream(&mut self) -> Result<i64>;
    /// Events after the place `seen`, that one of the filters admits, in order of arrival, at most `limit`. None about runs
    /// of the workflow itself.
    async fn events_for_schedule(
        &mut self,
        workflow: &WorkflowRef,
        filters: &[Filter<'_>],
        seen: i64,
        limit: u32,
    ) -> Result<Vec<KeptEvent>>;
}
