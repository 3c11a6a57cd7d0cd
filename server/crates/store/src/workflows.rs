//! Versions of definitions.

use async_trait::async_trait;
use domain::{Timestamp, UserId, WorkflowRef};

use crate::Result;

/// Where a version stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionState {
    /// Being written (`draft`).
    Draft,
    /// Waits for a publisher (`in-review`).
    InReview,
    /// Can be launched (`published`).
    Published,
    /// Cannot be launched any more (`retired`).
    Retired,
}

/// A row of `workflow_versions`. Text, resources and digest never change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowVersion {
    /// Which workflow.
    pub workflow: WorkflowRef,
    /// Semantic version.
    pub version: String,
    /// Where it stands.
    pub state: VersionState,
    /// The definition's text.
    pub source: String,
    /// The texts elsewhere that it refers to, as they were when it was stored: a JSON object by URI.
    pub resources: String,
    /// Hex SHA-256 of the canonical definition and resources.
    pub digest: String,
    /// Title for people.
    pub title: String,
    /// Who made it; none for what ships.
    pub created_by: Option<UserId>,
    /// Created at.
    pub created_at: Timestamp,
    /// Sorts versions as semantic versioning does: fixed-width text made by the caller.
    pub sort_key: String,
}

/// Versions of definitions.
#[async_trait]
pub trait Workflows: Send {
    /// One version.
    async fn workflow_version(&mut self, workflow: &WorkflowRef, version: &str) -> Result<Option<WorkflowVersion>>;
    /// The published version with the greatest `sort_key`.
    async fn launchable_version(&mut self, workflow: &WorkflowRef) -> Result<Option<WorkflowVersion>>;
    /// The launchable version of every workflow, by namespace and name.
    async fn launchable_versions(&mut self) -> Result<Vec<WorkflowVersion>>;
    /// All versions of one workflow, greatest `sort_key` first.
    async fn versions_of(&mut self, workflow: &WorkflowRef) -> Result<Vec<WorkflowVersion>>;
    /// Adds a version; [`crate::StoreError::Duplicate`] when it exists.
    async fn insert_version(&mut self, version: &WorkflowVersion) -> Result<()>;
    /// Moves a version along its life; [`crate::StoreError::Conflict`] when it is not in state `from`.
    async fn move_version(
        &mut self,
        workflow: &WorkflowRef,
        version: &str,
        from: VersionState,
        to: VersionState,
    ) -> Result<()>;
}
