//! What guards sign-in beside the password: failed attempts, one-time links, API tokens.

use async_trait::async_trait;
use domain::{LinkId, Timestamp, TokenId, UserId};

use crate::Result;

/// Failed sign-ins of one account (`account:<login>`) or address (`address:<ip>`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Throttle {
    /// Whose.
    pub subject: String,
    /// Failures in a row.
    pub failures: u32,
    /// No attempt is looked at before this time.
    pub locked_until: Option<Timestamp>,
    /// The last failure.
    pub last_failure_at: Timestamp,
}

/// What a one-time link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkPurpose {
    /// Create the first administrator (`first-administrator`).
    FirstAdministrator,
    /// Set the password of the account (`set-password`).
    SetPassword,
    /// Show a generated password once (`reveal-password`).
    RevealPassword,
}

/// A row of `one_time_links`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneTimeLink {
    /// Id.
    pub id: LinkId,
    /// Hex SHA-256 of the token in the link.
    pub token_hash: String,
    /// What it is for.
    pub purpose: LinkPurpose,
    /// Whose password it sets.
    pub user_id: Option<UserId>,
    /// Sealed content that it shows, for [`LinkPurpose::RevealPassword`].
    pub sealed: Option<String>,
    /// Created at.
    pub created_at: Timestamp,
    /// Works until.
    pub expires_at: Timestamp,
    /// Used at.
    pub used_at: Option<Timestamp>,
}

/// A row of `api_tokens`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiToken {
    /// Id.
    pub id: TokenId,
    /// Whose it is.
    pub user_id: UserId,
    /// Name for people.
    pub name: String,
    /// Hex SHA-256 of the token.
    pub token_hash: String,
    /// Created at.
    pub created_at: Timestamp,
    /// Ends at.
    pub expires_at: Option<Timestamp>,
    /// Last used at, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// Revoked at.
    pub revoked_at: Option<Timestamp>,
}

/// What guards sign-in.
#[async_trait]
pub trait Credentials: Send {
    /// The failed attempts of a subject.
    async fn throttle(&mut self, subject: &str) -> Result<Option<Throttle>>;
    /// Inserts or replaces them.
    async fn put_throttle(&mut self, throttle: &Throttle) -> Result<()>;
    /// Forgets them.
    async fn clear_throttle(&mut self, subject: &str) -> Result<()>;
    /// Forgets those whose last failure was before `before`.
    async fn prune_throttles(&mut self, before: Timestamp) -> Result<u64>;

    /// Adds a link.
    async fn insert_link(&mut self, link: &OneTimeLink) -> Result<()>;
    /// One link by the hash of its token.
    async fn link_by_hash(&mut self, token_hash: &str) -> Result<Option<OneTimeLink>>;
    /// Uses it up; [`crate::StoreError::Conflict`] when it was used already. Drops the sealed content.
    async fn use_link(&mut self, id: LinkId, at: Timestamp) -> Result<()>;
    /// Makes a person's unused links useless.
    async fn revoke_links_of(&mut self, user: UserId, at: Timestamp) -> Result<u64>;
    /// Makes all unused links of a purpose useless.
    async fn revoke_links_for(&mut self, purpose: LinkPurpose, at: Timestamp) -> Result<u64>;

    /// Adds a token.
    async fn insert_token(&mut self, token: &ApiToken) -> Result<()>;
    /// One token by the hash of its text, revoked and expired ones included.
    async fn token_by_hash(&mut self, token_hash: &str) -> Result<Option<ApiToken>>;
    /// A person's tokens that are not revoked, newest first.
    async fn tokens_of(&mut self, user: UserId) -> Result<Vec<ApiToken>>;
    /// Notes its use.
    async fn touch_token(&mut self, id: TokenId, at: Timestamp) -> Result<()>;
    /// Revokes one of a person's tokens; false when there is none such.
    async fn revoke_token(&mut self, user: UserId, id: TokenId, at: Timestamp) -> Result<bool>;
    /// Revokes all of a person's tokens.
    async fn revoke_tokens_of(&mut self, user: UserId, at: Timestamp) -> Result<u64>;
}
