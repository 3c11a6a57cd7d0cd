//! Entries of the audit log that are archived, holds on them, and who archives.

use async_trait::async_trait;
use domain::{AuditClass, HoldId, Timestamp, UserId, view::HoldCovers};

use crate::{Result, audit::AuditRow};

/// A row of `audit_segments`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSegment {
    /// Which of the segments, from 1.
    pub number: i64,
    /// Its name, which is that of the file.
    pub name: String,
    /// The class of its entries.
    pub class: AuditClass,
    /// The place of its first entry.
    pub first: i64,
    /// The place of its last entry.
    pub last: i64,
    /// How many entries it has.
    pub entries: i64,
    /// The places of its entries, as text.
    pub places: String,
    /// The size of the file.
    pub bytes: i64,
    /// The SHA-256 of the file, in hex.
    pub sha256: String,
    /// When its entries were archived.
    pub archived_at: Timestamp,
}

/// A row of `audit_holds`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditHold {
    /// Its id.
    pub id: HoldId,
    /// Its name.
    pub name: String,
    /// Why entries are held.
    pub reason: String,
    /// Which they are.
    pub covers: HoldCovers,
    /// Who placed it.
    pub placed_by: UserId,
    /// When.
    pub placed_at: Timestamp,
    /// How it ended; none while it is in force.
    pub release: Option<HoldRelease>,
}

/// How a hold ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldRelease {
    /// Who released it.
    pub by: UserId,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// The row of `audit_archiving`: who archives, and how it goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Archiving {
    /// The node that archives.
    pub holder: Option<String>,
    /// Until when it is alone in that.
    pub held_until: Option<Timestamp>,
    /// When all that had to be archived was archived for the last time.
    pub succeeded_at: Option<Timestamp>,
    /// Since when it fails; none while it does not.
    pub failing_since: Option<Timestamp>,
    /// What went wrong for the last time since then.
    pub failure: Option<String>,
}

/// So many entries say so: an action and an outcome.
pub type AuditKind = (String, String, i64);

/// Archiving of entries.
///
/// What is written of how it goes is written by the node that holds it. One that has lost it is told by `false`, and has
/// written nothing.
#[async_trait]
pub trait Retention: Send {
    /// How many entries from before that time are not archived, by action and outcome.
    async fn count_unarchived(&mut self, before: Timestamp) -> Result<Vec<AuditKind>>;
    /// Entries from before that time that are not archived, in order after `after`, at most `limit`; without their bodies.
    async fn list_unarchived(&mut self, after: i64, before: Timestamp, limit: u32) -> Result<Vec<AuditRow>>;
    /// Whether entries from `from` up to `to` were archived.
    async fn has_archived(&mut self, from: Option<Timestamp>, to: Option<Timestamp>) -> Result<bool>;
    /// Adds a segment and empties the entries at these places, which are in it; of the index they have
    /// been taken out before ([`crate::audit::AuditLog::reindex_audit`]), but for that of controls.
    /// [`crate::StoreError::Conflict`] when one of them is not there or was archived already.
    async fn archive_audit(&mut self, segment: &AuditSegment, places: &[i64]) -> Result<()>;
    /// The number of the last segment; 0 without any.
    async fn last_audit_segment(&mut self) -> Result<i64>;
    /// One segment.
    async fn audit_segment(&mut self, name: &str) -> Result<Option<AuditSegment>>;
    /// The first segment after this number.
    async fn next_audit_segment(&mut self, after: i64) -> Result<Option<AuditSegment>>;
    /// Segments, the newest first, below `before`, at most `limit`.
    async fn list_audit_segments(&mut self, before: Option<i64>, limit: u32) -> Result<Vec<AuditSegment>>;

    /// Adds a hold.
    async fn insert_audit_hold(&mut self, hold: &AuditHold) -> Result<()>;
    /// One hold.
    async fn audit_hold(&mut self, id: HoldId) -> Result<Option<AuditHold>>;
    /// All holds, those in force first, then the one that was placed last.
    async fn list_audit_holds(&mut self) -> Result<Vec<AuditHold>>;
    /// Ends a hold; false when it has ended.
    async fn release_audit_hold(&mut self, id: HoldId, release: &HoldRelease) -> Result<bool>;

    /// Who archives, and how it goes. Within a writing unit it stays locked until the unit ends: a hold is placed, and entries are
    /// archived, in a unit that has locked it, so that none goes past the other.
    async fn archiving(&mut self) -> Result<Archiving>;
    /// Takes archiving until then, if nobody else holds it now, or keeps it.
    async fn take_archiving(&mut self, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool>;
    /// All that had to be archived was, by whoever holds it.
    async fn note_archived(&mut self, holder: &str, at: Timestamp) -> Result<bool>;
    /// It could not be, by whoever holds it, who lets others try.
    async fn note_archiving_failure(&mut self, holder: &str, failure: &str, at: Timestamp) -> Result<bool>;
    /// Nobody holds it.
    async fn release_archiving(&mut self) -> Result<()>;
}
