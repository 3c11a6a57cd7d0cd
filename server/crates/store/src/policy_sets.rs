//! Policies that administrators write, and what policies were lately asked.

use async_trait::async_trait;
use domain::{PolicySetState, Timestamp, UserId};

use crate::Result;

/// A row of `policy_sets`. Its text changes as long as it is proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySet {
    /// Number, from 1.
    pub version: i64,
    /// Where it stands.
    pub state: PolicySetState,
    /// Cedar.
    pub source: String,
    /// What it is for.
    pub note: String,
    /// Hex digest of the policies with this text.
    pub digest: String,
    /// What was in force when it was written; none for the program's own policies alone.
    pub based_on: Option<i64>,
    /// When the text was last changed.
    pub changed_at: Timestamp,
    /// Who put it into force, or took it back.
    pub settled_by: Option<UserId>,
    /// When.
    pub settled_at: Option<Timestamp>,
}

/// A row of `asked_questions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedQuestion {
    /// Hex SHA-256 of the question.
    pub digest: String,
    /// The question, as JSON.
    pub question: String,
    /// When it was last asked.
    pub asked_at: Timestamp,
    /// How often it was asked.
    pub times: i64,
}

/// Policies of the administrators, and questions to policies.
#[async_trait]
pub trait PolicySets: Send {
    /// One set; in a writing unit it stays locked until the unit ends.
    async fn policy_set(&mut self, version: i64) -> Result<Option<PolicySet>>;
    /// The one in force; in a writing unit it stays locked until the unit ends.
    async fn active_policy_set(&mut self) -> Result<Option<PolicySet>>;
    /// Newest first, below `before`, at most `limit`.
    async fn list_policy_sets(&mut self, before: Option<i64>, limit: u32) -> Result<Vec<PolicySet>>;
    /// Adds one; [`crate::StoreError::Duplicate`] when the number is taken.
    async fn insert_policy_set(&mut self, set: &PolicySet) -> Result<()>;
    /// Replaces everything but the number, if it stands where it is said to; else [`crate::StoreError::Conflict`].
    async fn update_policy_set(&mut self, set: &PolicySet, from: PolicySetState) -> Result<()>;
    /// Remembers that a person has changed a set; nothing when that is known.
    async fn add_policy_set_author(&mut self, version: i64, user: UserId, at: Timestamp) -> Result<()>;
    /// Everybody who has changed a set, in the order of their first change.
    async fn policy_set_authors(&mut self, version: i64) -> Result<Vec<UserId>>;

    /// Adds questions; of one that is known, what is newer and how often it was asked is added. No digest twice.
    async fn note_questions(&mut self, questions: &[AskedQuestion]) -> Result<()>;
    /// The questions that were asked last, at most `limit`.
    async fn latest_questions(&mut self, limit: u32) -> Result<Vec<AskedQuestion>>;
    /// Forgets all but the `kept` that were asked last; how many.
    async fn prune_questions(&mut self, kept: u32) -> Result<u64>;
}
