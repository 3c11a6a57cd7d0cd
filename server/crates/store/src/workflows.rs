//! Versions of definitions.

use async_trait::async_trait;
use domain::{Name, Timestamp, UserId, WorkflowRef};

pub use domain::VersionState;

use crate::Result;

/// A row of `workflow_versions`. Only a draft's text, resources, digest and title change.
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
    /// The texts elsewhere that it refers to, as they were when it was stored or submitted: a JSON object by URI.
    pub resources: String,
    /// Hex SHA-256: of the text while it is a draft, which need not be a definition yet; else of the canonical definition
    /// and resources.
    pub digest: String,
    /// Title for people.
    pub title: String,
    /// Who made it; none for what ships.
    pub created_by: Option<UserId>,
    /// Created at.
    pub created_at: Timestamp,
    /// Who last saved it or moved it along its life; none for what ships.
    pub changed_by: Option<UserId>,
    /// When.
    pub changed_at: Timestamp,
    /// Sorts versions as semantic versioning does: fixed-width text made by the caller.
    pub sort_key: String,
}

/// What a list has of a version: all but its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedVersion {
    /// Which workflow.
    pub workflow: WorkflowRef,
    /// Semantic version.
    pub version: String,
    /// Where it stands.
    pub state: VersionState,
    /// As of [`WorkflowVersion::digest`].
    pub digest: String,
    /// Title for people.
    pub title: String,
    /// Who last saved it or moved it along its life; none for what ships.
    pub changed_by: Option<UserId>,
    /// When.
    pub changed_at: Timestamp,
    /// As of [`WorkflowVersion::sort_key`].
    pub sort_key: String,
}

impl ListedVersion {
    /// Its place in the list.
    #[must_use]
    pub fn key(&self) -> VersionKey {
        let Self { workflow, sort_key, version, .. } = self;
        VersionKey { workflow: workflow.clone(), sort_key: sort_key.clone(), version: version.clone() }
    }
}

/// The place of a version in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionKey {
    /// Its workflow.
    pub workflow: WorkflowRef,
    /// Its sort key.
    pub sort_key: String,
    /// Its version.
    pub version: String,
}

/// What a list of versions is narrowed to. All given conditions hold at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionFilter {
    /// Of one of these namespaces; none: of any.
    pub namespaces: Option<Vec<Name>>,
    /// In this state.
    pub state: Option<VersionState>,
}

/// Versions of definitions.
#[async_trait]
pub trait Workflows: Send {
    /// One version.
    async fn workflow_version(&mut self, workflow: &WorkflowRef, version: &str) -> Result<Option<WorkflowVersion>>;
    /// The same, and nobody else changes it until the unit ends.
    async fn lock_version(&mut self, workflow: &WorkflowRef, version: &str) -> Result<Option<WorkflowVersion>>;
    /// The published version with the greatest `sort_key`.
    async fn launchable_version(&mut self, workflow: &WorkflowRef) -> Result<Option<WorkflowVersion>>;
    /// The launchable version of every workflow, by namespace and name.
    async fn launchable_versions(&mut self) -> Result<Vec<WorkflowVersion>>;
    /// All versions of one workflow, greatest `sort_key` first.
    async fn versions_of(&mut self, workflow: &WorkflowRef) -> Result<Vec<WorkflowVersion>>;
    /// Versions that `filter` lets through, by namespace and name, greatest `sort_key` first, after the place `after`, at
    /// most `limit`.
    async fn list_versions(
        &mut self,
        filter: &VersionFilter,
        after: Option<&VersionKey>,
        limit: u32,
    ) -> Result<Vec<ListedVersion>>;
    /// Adds a version; [`crate::StoreError::Duplicate`] when it exists.
    async fn insert_version(&mut self, version: &WorkflowVersion) -> Result<()>;
    /// Writes state, text, resources, digest, title, and who changed it when; [`crate::StoreError::Conflict`] when it is not
    /// in state `from`. The database refuses to change the text of what is no draft, and to move but from draft to review,
    /// from there back or to published, and from there to retired.
    async fn update_version(&mut self, version: &WorkflowVersion, from: VersionState) -> Result<()>;
    /// Deletes a draft with its authors and comments; false when there is no draft of this version.
    async fn delete_draft_version(&mut self, workflow: &WorkflowRef, version: &str) -> Result<bool>;
}
