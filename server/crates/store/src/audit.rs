//! The audit log.

use async_trait::async_trait;
use domain::{Timestamp, UserId, view::AuditFilter};

use crate::Result;

/// The end of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditHead {
    /// Place of the last entry; 0 for an empty log.
    pub seq: i64,
    /// Hex hash of the last entry; the fixed start value for an empty log.
    pub hash: String,
}

/// A row of `audit_entries`. The other columns are copies of what is in the body, to search by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Place, from 1 without gaps.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// Who; none for the system or somebody unknown.
    pub actor_id: Option<UserId>,
    /// The actor's sign-in name, `system`, or the name that was tried.
    pub actor: String,
    /// The operation or event.
    pub action: String,
    /// Kind of resource.
    pub resource_kind: String,
    /// Resource id.
    pub resource_id: String,
    /// The resource's name for people.
    pub resource_name: String,
    /// Namespace of the resource.
    pub namespace: Option<String>,
    /// `done`, `refused`, `failed`.
    pub outcome: String,
    /// The canonical entry: exactly the bytes that were hashed.
    pub body: String,
    /// Hex hash over the entry before and this body.
    pub hash: String,
}

/// An entry that waits for its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedEntry {
    /// Who; none for the system or somebody unknown.
    pub actor_id: Option<UserId>,
    /// The entry, as JSON.
    pub entry: String,
}

/// The audit log.
#[async_trait]
pub trait AuditLog: Send {
    /// The end of the log. Within a writing unit it stays locked until the unit ends; only the sequencer takes it there.
    async fn audit_head(&mut self) -> Result<AuditHead>;
    /// Appends entries and moves the end; [`crate::StoreError::Conflict`] when they do not follow `before`, or each other.
    async fn append_audit(&mut self, before: &AuditHead, rows: &[AuditRow]) -> Result<()>;
    /// Writes entries that are to find their place later.
    async fn queue_audit(&mut self, entries: &[QueuedEntry]) -> Result<()>;
    /// Takes what waits out of the queue, about in the order in which it was written; at most `limit`.
    async fn take_queued_audit(&mut self, limit: u32) -> Result<Vec<QueuedEntry>>;
    /// Whether nothing waits.
    async fn is_audit_queue_empty(&mut self) -> Result<bool>;
    /// Entries that `filter` lets through, newest first, below `before`, at most `limit`.
    async fn list_audit(&mut self, filter: &AuditFilter, before: Option<i64>, limit: u32) -> Result<Vec<AuditRow>>;
    /// Entries in order after `after`, at most `limit`, for export and verification.
    async fn audit_from(&mut self, after: i64, limit: u32) -> Result<Vec<AuditRow>>;
    /// One entry.
    async fn audit_entry(&mut self, seq: i64) -> Result<Option<AuditRow>>;
}
