//! What runs were worth: how many there were, how they ended, and how long they and their decisions took.
//!
//! Everything is counted by the database, by the version that ran: what a version saves, and whose it is, stands in its text,
//! which a database cannot read. Runs that another run has started are part of that one, and never counted by themselves.

use async_trait::async_trait;
use domain::{Timestamp, WorkflowRef};

use crate::Result;

/// A time, from its beginning up to, and without, its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub until: Timestamp,
}

/// The version of a workflow that ran.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunVersion {
    /// Which workflow.
    pub workflow: WorkflowRef,
    /// Its version.
    pub version: String,
}

/// Whose requests are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requesters<'t> {
    /// Everybody's.
    Everybody,
    /// Those of the members of this team.
    Of(&'t str),
    /// Those of each team by itself; a run counts for every team of who asked for it, and for none where there is no team.
    ByTeam,
}

/// A figure about the runs of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted<T> {
    /// The place of the span among those that were asked about.
    pub span: usize,
    /// Which version.
    pub version: RunVersion,
    /// Which team asked for them; none unless teams are counted by themselves.
    pub team: Option<String>,
    /// The figure.
    pub figure: T,
}

/// How runs ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Endings {
    /// As defined.
    pub completed: u64,
    /// By an error, those that were rejected left out.
    pub faulted: u64,
    /// Because somebody rejected them.
    pub rejected: u64,
    /// By somebody, before their end.
    pub cancelled: u64,
    /// With all that they had done taken back.
    pub compensated: u64,
    /// With something that could not be taken back, or be known, which is left to an operator.
    pub unsettled: u64,
}

/// How long the runs, or the decisions, of a group took. Ranks are nearest ranks, so each figure is one that was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spread {
    /// The group that the versions were put into.
    pub group: u32,
    /// Which team asked for them; none unless teams are counted by themselves.
    pub team: Option<String>,
    /// How many were measured.
    pub count: u64,
    /// What half of them took at most, in microseconds.
    pub median: i64,
    /// What nine of ten took at most, in microseconds.
    pub ninetieth: i64,
}

/// The upper bounds of the classes that lead times are put into, in microseconds. What takes longer is in one more class.
pub const LEAD_TIME_BOUNDS: [i64; 9] = [
    60_000_000,
    300_000_000,
    900_000_000,
    3_600_000_000,
    14_400_000_000,
    86_400_000_000,
    259_200_000_000,
    604_800_000_000,
    2_592_000_000_000,
];

/// Counts of what runs were worth.
#[async_trait]
pub trait Value: Send {
    /// How many runs were asked for in each span.
    async fn runs_asked(&mut self, spans: &[Span], requesters: Requesters<'_>) -> Result<Vec<Counted<u64>>>;
    /// How those runs ended that ended in each span.
    async fn runs_ended(&mut self, spans: &[Span], requesters: Requesters<'_>) -> Result<Vec<Counted<Endings>>>;
    /// How many approvals were approved or rejected in each span.
    async fn approvals_decided(&mut self, spans: &[Span], requesters: Requesters<'_>) -> Result<Vec<Counted<u64>>>;
    /// How often somebody had to help a run in each span: retried, skipped, resumed elsewhere, or said what became of a call.
    async fn interventions(&mut self, spans: &[Span], requesters: Requesters<'_>) -> Result<Vec<Counted<u64>>>;
    /// How long runs took from request to end that completed in the span, by groups of versions; others are left out.
    async fn lead_times(
        &mut self,
        span: Span,
        groups: &[(RunVersion, u32)],
        requesters: Requesters<'_>,
    ) -> Result<Vec<Spread>>;
    /// How long it took from the opening of an approval to its decision, of those decided in the span.
    async fn decision_times(
        &mut self,
        span: Span,
        groups: &[(RunVersion, u32)],
        requesters: Requesters<'_>,
    ) -> Result<Vec<Spread>>;
    /// How many runs of these versions that completed in the span are in each class of lead time: as many as
    /// [`LEAD_TIME_BOUNDS`], and one.
    async fn lead_time_classes(
        &mut self,
        span: Span,
        versions: &[RunVersion],
        requesters: Requesters<'_>,
    ) -> Result<Vec<u64>>;
}
