//! The audit log.

use async_trait::async_trait;
use domain::{ApprovalId, RunId, Timestamp, UserId, WorkflowRef, view::AuditFilter};

use crate::Result;

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
    /// What names people in it, as JSON by pointers, each with the key of its digest in the body; none where there is nothing, or
    /// nothing left.
    pub personal: Option<String>,
    /// The segment that it was archived in. Nothing else is left of it then but its place, its time and its outcome.
    pub segment: Option<String>,
}

/// What an entry is found by beyond its columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditTerms {
    /// Its place.
    pub seq: i64,
    /// Its words, folded ([`crate::search::fold`]), each once.
    pub words: Vec<String>,
    /// Whole texts, each with what it is.
    pub marks: Vec<(Mark, String)>,
}

/// What a text is that an entry is found by as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// A policy that determined it.
    Policy,
    /// The network address.
    Address,
    /// The session or API token.
    Credential,
    /// The id of the run that it belongs to.
    Run,
    /// The risk of that run's workflow.
    Risk,
}

impl Mark {
    /// As it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Address => "address",
            Self::Credential => "credential",
            Self::Run => "run",
            Self::Risk => "risk",
        }
    }
}

/// A row of `audit_tiles`: hashes that stand beside each other in the tree over all entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditTile {
    /// Its level, from 0 over the entries.
    pub level: i64,
    /// Its place among those of its level, from 0.
    pub place: i64,
    /// Its hashes, 64 hexadecimal digits each.
    pub hashes: String,
}

/// A row of `audit_keys`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditKey {
    /// Its id, 8 hexadecimal digits.
    pub id: String,
    /// Which of the log's keys, from 1.
    pub number: i64,
    /// The key that tells its signatures.
    pub public: String,
    /// The key that signs, sealed.
    pub sealed: String,
    /// The note of the key before that introduces it; none for the first.
    pub introduction: Option<String>,
    /// Since when.
    pub created_at: Timestamp,
}

/// A row of `audit_checkpoints`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditCheckpoint {
    /// Over how many entries.
    pub size: i64,
    /// When it was signed.
    pub at: Timestamp,
    /// The signed note.
    pub note: String,
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
    /// How many entries the log has. Within a writing unit its end stays locked until the unit ends; only the sequencer takes
    /// it there.
    async fn audit_size(&mut self) -> Result<i64>;
    /// Appends entries and moves the end; [`crate::StoreError::Conflict`] when they do not follow entry `before`, or each other.
    async fn append_audit(&mut self, before: i64, rows: &[AuditRow]) -> Result<()>;
    /// Writes entries that are to find their place later.
    async fn queue_audit(&mut self, entries: &[QueuedEntry]) -> Result<()>;
    /// What waits, each with its number, about in the order in which it was written; at most `limit`.
    async fn queued_audit(&mut self, limit: u32) -> Result<Vec<(i64, QueuedEntry)>>;
    /// Takes entries with these numbers out of the queue; [`crate::StoreError::Conflict`] when one of them waits no more.
    async fn take_queued_audit(&mut self, numbers: &[i64]) -> Result<()>;
    /// Whether nothing waits.
    async fn is_audit_queue_empty(&mut self) -> Result<bool>;
    /// Up to which entry the log can be searched. Within a writing unit it stays locked until the unit ends.
    async fn audit_indexed(&mut self) -> Result<i64>;
    /// Lets the entries after `before` be found, up to the last of these; [`crate::StoreError::Conflict`] when others have.
    async fn index_audit(&mut self, before: i64, terms: &[AuditTerms]) -> Result<()>;
    /// Replaces what names people in entries by what is left of it, with the columns that show it; in a tree and a log that
    /// stay as they are.
    async fn erase_audit(&mut self, rows: &[AuditRow]) -> Result<()>;
    /// Lets entries be found by something else than they are found by now, or no more.
    async fn reindex_audit(&mut self, before: &[AuditTerms], after: &[AuditTerms]) -> Result<()>;
    /// The places of entries that `filter` lets through, newest first, below `before`, at most `limit`; without those that were
    /// archived.
    async fn audit_places(&mut self, filter: &AuditFilter, before: Option<i64>, limit: u32) -> Result<Vec<i64>>;
    /// The entries at these places, those that there are, newest first.
    async fn audit_at(&mut self, places: &[i64]) -> Result<Vec<AuditRow>>;
    /// Entries that `filter` lets through, newest first, below `before`, at most `limit`. Those that were archived are found by
    /// place and time alone.
    async fn list_audit(&mut self, filter: &AuditFilter, before: Option<i64>, limit: u32) -> Result<Vec<AuditRow>>;
    /// Entries in order after `after`, at most `limit`, for export and verification.
    async fn audit_from(&mut self, after: i64, limit: u32) -> Result<Vec<AuditRow>>;
    /// One entry.
    async fn audit_entry(&mut self, seq: i64) -> Result<Option<AuditRow>>;

    /// How many entries the stored tree is over.
    async fn audit_tree_size(&mut self) -> Result<i64>;
    /// The tiles at these levels and places, those that there are.
    async fn audit_tiles(&mut self, at: &[(i64, i64)]) -> Result<Vec<AuditTile>>;
    /// Adds tiles, or lets them grow.
    async fn put_audit_tiles(&mut self, tiles: &[AuditTile]) -> Result<()>;
}

/// What there is to know of the runs that entries belong to, beyond what these say.
#[async_trait]
pub trait RunsOfEntries: Send {
    /// Of which runs these approvals are, those that there are.
    async fn runs_of_approvals(&mut self, approvals: &[ApprovalId]) -> Result<Vec<(ApprovalId, RunId)>>;
    /// Of which workflow and version these runs are, those that there are.
    async fn versions_of_runs(&mut self, runs: &[RunId]) -> Result<Vec<(RunId, WorkflowRef, String)>>;
    /// The text of a definition.
    async fn text_of_version(&mut self, workflow: &WorkflowRef, version: &str) -> Result<Option<String>>;
}

/// What is signed of the log, and by which keys.
#[async_trait]
pub trait Checkpoints: Send {
    /// The keys of the log, the first first.
    async fn audit_keys(&mut self) -> Result<Vec<AuditKey>>;
    /// Adds a key; [`crate::StoreError::Duplicate`] when its number has been given.
    async fn insert_audit_key(&mut self, key: &AuditKey) -> Result<()>;
    /// Adds a checkpoint; false when there is one over as many entries.
    async fn insert_audit_checkpoint(&mut self, checkpoint: &AuditCheckpoint) -> Result<bool>;
    /// The checkpoint over the most entries.
    async fn last_audit_checkpoint(&mut self) -> Result<Option<AuditCheckpoint>>;
    /// The last entry that says that the log was verified, and with what verdict.
    async fn last_audit_verification(&mut self) -> Result<Option<AuditRow>>;
    /// Checkpoints over `from` entries or more, the one over the fewest first, at most `limit`.
    async fn audit_checkpoints(&mut self, from: i64, limit: u32) -> Result<Vec<AuditCheckpoint>>;
}

/// A row of `audit_views`: a search of the log that somebody has named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditView {
    /// Whose.
    pub user_id: UserId,
    /// Its name, unique for the person.
    pub name: String,
    /// The query of its address.
    pub query: String,
    /// Whether others who read the log see it.
    pub shared: bool,
    /// When it was saved last.
    pub saved_at: Timestamp,
}

/// Searches of the log that people have named.
#[async_trait]
pub trait AuditViews: Send {
    /// Those of a person, by name.
    async fn audit_views_of(&mut self, user: UserId) -> Result<Vec<AuditView>>;
    /// Those that others than this person share, by name.
    async fn shared_audit_views(&mut self, but: UserId, limit: u32) -> Result<Vec<AuditView>>;
    /// Adds one, or replaces the one of the same name.
    async fn put_audit_view(&mut self, view: &AuditView) -> Result<()>;
    /// Forgets one; whether there was one.
    async fn delete_audit_view(&mut self, user: UserId, name: &str) -> Result<bool>;
}
