//! Who wrote a version of a definition, and what reviewers said of it.

use async_trait::async_trait;
use domain::{CommentId, Timestamp, UserId, WorkflowRef};

use crate::Result;

/// A row of `version_comments`. It is resolved once, and changes in nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionComment {
    /// Id.
    pub id: CommentId,
    /// About which workflow.
    pub workflow: WorkflowRef,
    /// About which version of it.
    pub version: String,
    /// The version's digest when it was written.
    pub digest: String,
    /// The line of the text that it is about, from 1.
    pub line: Option<u32>,
    /// What is said.
    pub text: String,
    /// By whom.
    pub written_by: UserId,
    /// When.
    pub written_at: Timestamp,
    /// Who has settled it.
    pub resolved_by: Option<UserId>,
    /// When it was settled.
    pub resolved_at: Option<Timestamp>,
}

/// Authors and comments of versions. They go with their draft when it is deleted.
#[async_trait]
pub trait Reviews: Send {
    /// Remembers that a person has changed a version; nothing when that is known.
    async fn add_version_author(
        &mut self,
        workflow: &WorkflowRef,
        version: &str,
        user: UserId,
        at: Timestamp,
    ) -> Result<()>;
    /// Everybody who has changed a version, in the order of their first change.
    async fn version_authors(&mut self, workflow: &WorkflowRef, version: &str) -> Result<Vec<UserId>>;
    /// Adds a comment.
    async fn insert_version_comment(&mut self, comment: &VersionComment) -> Result<()>;
    /// The comments on a version, oldest first.
    async fn version_comments(&mut self, workflow: &WorkflowRef, version: &str) -> Result<Vec<VersionComment>>;
    /// Settles a comment; [`crate::StoreError::Conflict`] when it is settled already, or there is none.
    async fn resolve_version_comment(&mut self, id: CommentId, by: UserId, at: Timestamp) -> Result<()>;
}
