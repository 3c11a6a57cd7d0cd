//! People who were erased, or are being erased.

use async_trait::async_trait;
use domain::{Timestamp, UserId};

use crate::{Result, users::User};

/// A row of `erasures`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Whose.
    pub user: UserId,
    /// What is looked for in entries that do not say whom they name, as JSON; none once the end is reached and
    /// nothing is held.
    pub texts: Option<String>,
    /// Up to which entry of the audit log it is done.
    pub seq: i64,
    /// Up to which segment of archived entries it is done.
    pub segment: i64,
    /// In how many entries something was taken away.
    pub entries: i64,
    /// In how many of those that were looked through something stays while holds cover them.
    pub held: i64,
    /// Since when.
    pub begun_at: Timestamp,
    /// When it reached the end; none before.
    pub ended_at: Option<Timestamp>,
}

/// What of a person is not over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unfinished {
    /// Runs that the person has asked for.
    pub runs: i64,
    /// Approvals in which the person is asked.
    pub approvals: i64,
}

/// Erasures.
#[async_trait]
pub trait Erasures: Send {
    /// That of a person.
    async fn erasure(&mut self, user: UserId) -> Result<Option<Erasure>>;
    /// The oldest that has not reached the end. Within a writing unit it stays locked until the unit ends.
    async fn open_erasure(&mut self) -> Result<Option<Erasure>>;
    /// Adds one; [`crate::StoreError::Duplicate`] when there is one of the person.
    async fn insert_erasure(&mut self, erasure: &Erasure) -> Result<()>;
    /// Writes how far it is; [`crate::StoreError::Conflict`] when there is none.
    async fn update_erasure(&mut self, erasure: &Erasure) -> Result<()>;
    /// Begins anew those that left something because it was held.
    async fn resume_erasures(&mut self) -> Result<()>;
    /// What of a person is not over.
    async fn unfinished_of(&mut self, user: UserId) -> Result<Unfinished>;
    /// Removes what is stored of a person and serves nobody else: sessions, tokens, links, notices, drafts, remembered answers, named
    /// searches, questions that are followed, mails to the person, failed attempts to sign in; notices to others that say no
    /// more than the person's name.
    async fn forget(&mut self, user: &User) -> Result<()>;
}
