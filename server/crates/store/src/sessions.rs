//! Browser sessions.

use async_trait::async_trait;
use domain::{SessionId, Timestamp, UserId};

use crate::Result;

/// A row of `sessions`. Anonymous ones (before sign-in) have no user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Public id, safe to show.
    pub id: SessionId,
    /// Hex SHA-256 of what the cookie holds.
    pub token_hash: String,
    /// Who is signed in.
    pub user_id: Option<UserId>,
    /// What the session middleware keeps, as JSON.
    pub data: String,
    /// Address of the sign-in.
    pub address: String,
    /// What the browser calls itself, shortened.
    pub user_agent: String,
    /// Created at.
    pub created_at: Timestamp,
    /// Last seen at, to the minute.
    pub last_seen_at: Timestamp,
    /// Ends at.
    pub expires_at: Timestamp,
}

/// Browser sessions.
#[async_trait]
pub trait Sessions: Send {
    /// One by the hash of its cookie, expired ones included.
    async fn session_by_hash(&mut self, token_hash: &str) -> Result<Option<Session>>;
    /// Inserts or replaces by `token_hash`.
    async fn put_session(&mut self, session: &Session) -> Result<()>;
    /// Replaces by `token_hash` one that is there; false when there is none such. A session that was revoked meanwhile
    /// must not come back: where another transaction can remove the row between reading and writing, this is one UPDATE.
    async fn update_session(&mut self, session: &Session) -> Result<bool> {
        let exists = self.session_by_hash(&session.token_hash).await?.is_some();
        if exists {
            self.put_session(session).await?;
        }
        Ok(exists)
    }
    /// Removes one by the hash of its cookie.
    async fn delete_session(&mut self, token_hash: &str) -> Result<()>;
    /// A person's sessions that have not ended at `now`, last seen first.
    async fn sessions_of(&mut self, user: UserId, now: Timestamp) -> Result<Vec<Session>>;
    /// Removes one of a person's sessions by its public id; false when there is none such.
    async fn revoke_session(&mut self, user: UserId, id: SessionId) -> Result<bool>;
    /// Removes all of a person's sessions but the given one; how many.
    async fn revoke_sessions_of(&mut self, user: UserId, except: Option<SessionId>) -> Result<u64>;
    /// Removes those that ended before `now`.
    async fn prune_sessions(&mut self, now: Timestamp) -> Result<u64>;
}
