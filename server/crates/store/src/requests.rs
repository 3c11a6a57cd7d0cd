//! What makes sending a request safe: drafts and idempotency keys.

use async_trait::async_trait;
use domain::{ApprovalId, DraftId, RunId, Timestamp, UserId, WorkflowRef};

use crate::Result;

/// A row of `drafts`: a request that its owner has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Id; also the key under which it is sent once.
    pub id: DraftId,
    /// Whose it is.
    pub user_id: UserId,
    /// Which workflow.
    pub workflow: WorkflowRef,
    /// What was typed so far, as JSON.
    pub values: String,
    /// Created at.
    pub created_at: Timestamp,
    /// Last kept at.
    pub updated_at: Timestamp,
    /// The run it became, or was sent to again.
    pub run: Option<RunId>,
    /// The approval in which somebody asked for changes of it: as long as that is pending, it is sent to the same run.
    pub approval: Option<ApprovalId>,
}

/// A row of `idempotency_keys`: the answer that was given under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Whose key.
    pub user_id: UserId,
    /// The key.
    pub key: String,
    /// Hex SHA-256 of method, path and body.
    pub request_digest: String,
    /// Status of the answer; 0 while there is none.
    pub status: u16,
    /// Body of the answer. Without one: what was done, once that is durable, or empty.
    pub body: String,
    /// Reserved at.
    pub created_at: Timestamp,
}

impl Answered {
    /// The claim of the request that reserved the key.
    pub fn reservation(&self) -> Reservation {
        Reservation { user_id: self.user_id, key: self.key.clone(), made_at: self.created_at }
    }
}

/// The claim of one request on a key. Another request can take over what was abandoned; the claim is void then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// Whose key.
    pub user_id: UserId,
    /// The key.
    pub key: String,
    /// When it was reserved.
    pub made_at: Timestamp,
}

/// Drafts and idempotency keys.
#[async_trait]
pub trait Requests: Send {
    /// One draft. Within a writing unit the row stays locked until its end.
    async fn draft(&mut self, id: DraftId) -> Result<Option<Draft>>;
    /// The draft in which the input that an approval is about is changed. Within a writing unit the row stays locked.
    async fn draft_of_approval(&mut self, approval: ApprovalId) -> Result<Option<Draft>>;
    /// A person's unsent drafts, last kept first, at most `limit`.
    async fn drafts_of(&mut self, user: UserId, limit: u32) -> Result<Vec<Draft>>;
    /// Inserts or replaces a draft; [`crate::StoreError::Conflict`] when it is another person's, or became a run already.
    async fn put_draft(&mut self, draft: &Draft) -> Result<()>;
    /// Throws an unsent draft of a person away; false when there is none such, or a pending approval waits for it.
    async fn delete_draft(&mut self, user: UserId, id: DraftId) -> Result<bool>;
    /// Throws unsent drafts away that were last kept before `before`, and that no pending approval waits for.
    async fn prune_drafts(&mut self, before: Timestamp) -> Result<u64>;

    /// The answer given under a key.
    async fn answered(&mut self, user: UserId, key: &str) -> Result<Option<Answered>>;
    /// Keeps an answer; [`crate::StoreError::Duplicate`] when the key has one.
    async fn insert_answered(&mut self, answered: &Answered) -> Result<()>;
    /// Writes what was done under a reservation, in the unit that does it; [`crate::StoreError::Conflict`] when it is void.
    async fn mark_answered(&mut self, reservation: &Reservation, done: &str) -> Result<()>;
    /// Writes status and body of the answer; [`crate::StoreError::Conflict`] when the reservation is void.
    async fn finish_answered(&mut self, reservation: &Reservation, status: u16, body: &str) -> Result<()>;
    /// Gives a key back under which nothing was done; false when something was, or the reservation is void. Waits for a unit
    /// that is about to mark it.
    async fn release_answered(&mut self, reservation: &Reservation) -> Result<bool>;
    /// Takes over a reservation under which nothing was done, and makes it void; false when that is not so.
    async fn take_over_answered(&mut self, reservation: &Reservation, now: Timestamp) -> Result<bool>;
    /// Forgets answers given before `before`.
    async fn prune_answered(&mut self, before: Timestamp) -> Result<u64>;
}
