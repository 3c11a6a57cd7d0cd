//! Which controls the versions of definitions name, how they were exercised, and which entries of the audit log are about them.

use async_trait::async_trait;
use domain::{RunId, Timestamp, VersionState, WorkflowRef};

use crate::Result;

/// A version whose text says which controls it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadVersion {
    /// Which workflow.
    pub workflow: WorkflowRef,
    /// Its version.
    pub version: String,
    /// The definition's text.
    pub source: String,
}

/// A control that a version names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedControl {
    /// The control, as the definition writes it.
    pub control: String,
    /// Which workflow.
    pub workflow: WorkflowRef,
    /// Its version.
    pub version: String,
    /// Where the version stands.
    pub state: VersionState,
    /// Title of the version.
    pub title: String,
}

/// The runs of a version that names controls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRuns {
    /// Which workflow.
    pub workflow: WorkflowRef,
    /// Its version.
    pub version: String,
    /// How many were launched in the period.
    pub runs: u64,
    /// The number of the last one that ever was, and when it was launched.
    pub last: Option<(i64, Timestamp)>,
}

/// Which version a run is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunVersion {
    /// The run's number.
    pub number: i64,
    /// Which workflow.
    pub workflow: WorkflowRef,
    /// Its version.
    pub version: String,
    /// When the run ended, or changed last.
    pub at: Timestamp,
}

/// Controls and what they were exercised by.
#[async_trait]
pub trait Controls: Send {
    /// Versions that are, or were, published, and were not read for the controls that they name; at most `limit`.
    async fn unread_versions(&mut self, limit: u32) -> Result<Vec<UnreadVersion>>;
    /// Says which controls a version names, each once; nothing happens if that has been said.
    async fn put_version_controls(&mut self, workflow: &WorkflowRef, version: &str, controls: &[String]) -> Result<()>;
    /// All that were said, by control, workflow and version.
    async fn named_controls(&mut self) -> Result<Vec<NamedControl>>;
    /// How often the versions that name controls were launched from `from` up to, and without, `until`.
    async fn version_runs(&mut self, from: Timestamp, until: Timestamp) -> Result<Vec<VersionRuns>>;
    /// The runs of these versions that were launched in that time: numbers and ids, highest number first, numbers below `before`,
    /// at most `limit`.
    async fn runs_of_versions(
        &mut self,
        versions: &[(WorkflowRef, String)],
        from: Timestamp,
        until: Timestamp,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<(i64, RunId)>>;
    /// Which versions these runs are of, those that there are, by number.
    async fn versions_of_numbers(&mut self, numbers: &[i64]) -> Result<Vec<RunVersion>>;
    /// Runs that have faulted and need an operator, and came to that from `from` up to, and without, `until`: the last launched
    /// first, at most `limit`.
    async fn faulted_for_attention(&mut self, from: Timestamp, until: Timestamp, limit: u32)
    -> Result<Vec<RunVersion>>;

    /// Up to which entry of the audit log its controls are known. Within a writing unit it stays locked until the unit ends.
    async fn controls_indexed(&mut self) -> Result<i64>;
    /// Notes of the entries after `before`, up to `through`, which controls they are about: those that the version names whose
    /// run, decision or publication an entry is of; [`crate::StoreError::Conflict`] when others have done so.
    async fn index_controls(&mut self, before: i64, through: i64) -> Result<()>;
}
