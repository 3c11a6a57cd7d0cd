//! Who stands in for whom.
//!
//! A delegation takes effect and ends by the clock alone: whoever asks who may decide says what time it is. So nothing has
//! to happen when its time comes, goes, or when it is revoked.

use async_trait::async_trait;
use domain::{ApprovalId, DelegationId, DelegationScope, RunId, Timestamp, UserId};

use crate::Result;

/// A row of `delegations`. It is only revoked, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// Id.
    pub id: DelegationId,
    /// Whose decisions they are.
    pub user_id: UserId,
    /// Who may take them.
    pub substitute_id: UserId,
    /// Which decisions.
    pub scope: DelegationScope,
    /// Why; may be empty.
    pub reason: String,
    /// From this moment on.
    pub starts_at: Timestamp,
    /// Until before this moment.
    pub ends_at: Timestamp,
    /// Created at.
    pub created_at: Timestamp,
    /// Who ended it before its time, and when.
    pub revoked: Option<Revocation>,
}

/// The end of a delegation before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// By whom.
    pub by: UserId,
    /// When.
    pub at: Timestamp,
}

/// Somebody for whom another person stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Represented {
    /// Who is represented.
    pub user_id: UserId,
    /// In which decisions.
    pub scope: DelegationScope,
}

/// Somebody who may take a decision that another person was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Substitute {
    /// Which decision.
    pub approval: ApprovalId,
    /// Who was asked.
    pub represented: UserId,
    /// Who may take it.
    pub user_id: UserId,
}

/// Delegations.
#[async_trait]
pub trait Delegations: Send {
    /// Adds one.
    async fn insert_delegation(&mut self, delegation: &Delegation) -> Result<()>;
    /// One by id.
    async fn delegation(&mut self, id: DelegationId) -> Result<Option<Delegation>>;
    /// The newest in which this person is represented or is the substitute, newest first, at most `limit`.
    async fn delegations_about(&mut self, person: UserId, limit: u32) -> Result<Vec<Delegation>>;
    /// Ends one before its time; [`crate::StoreError::Conflict`] when it was revoked already or is over.
    async fn revoke_delegation(&mut self, id: DelegationId, revocation: Revocation) -> Result<()>;
    /// For whom this person stands in at `now`, by whom and scope, each once. Without disabled people: nobody stands in for
    /// somebody who is asked no more.
    async fn represented_by(&mut self, substitute: UserId, now: Timestamp) -> Result<Vec<Represented>>;
    /// Who stands in at `now` for those whom the pending approvals of a run ask; by approval, who is represented, and
    /// substitute, each once. Never the requester, nor who changed what is asked about, nor somebody disabled; nobody for
    /// somebody disabled.
    async fn substitutes_in(&mut self, run: RunId, now: Timestamp) -> Result<Vec<Substitute>>;
}
