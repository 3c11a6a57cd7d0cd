//! Signed-in browsers, on the rows of `store::sessions`.
//!
//! # How it works
//! - The cookie holds 128 random bits; the database only their SHA-256. Reading the database gives nobody a session.
//! - A row is made by [`sign_in`], never by a visit: anonymous visitors have no cookie and no row.
//! - [`sign_in`] always gives a new cookie and drops what the old session held, so a cookie that somebody planted
//!   before is worth nothing after.
//! - A session ends [`IDLE`] after it was last seen and [`LONGEST`] after its sign-in, whichever is first. Being seen
//!   is written once in [`SEEN_PRECISION`].
//! - Every request reads the row, so a revoked session stops working at once, on every node. A request that is under
//!   way while its session is revoked cannot bring it back.

use std::{error::Error as _, fmt, fmt::Write as _, sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{Clock, Ids, SessionId, Timestamp, UserId};
use serde_json::{Map, Value};
use store::{Store, StoreError, sessions::Session as Row};
use tower_sessions::{
    Expiry, Session, SessionManagerLayer, SessionStore,
    cookie::SameSite,
    session::{Id, Record},
    session_store,
};

/// A session that is not seen for so long ends.
pub const IDLE: Duration = Duration::from_hours(12);
/// A session ends so long after its sign-in, whatever happens.
pub const LONGEST: Duration = Duration::from_hours(7 * 24);
/// What is kept for somebody who has not signed in ends after so long.
pub const ANONYMOUS_IDLE: Duration = Duration::from_hours(1);
/// How exactly it is known when a session was last seen.
pub const SEEN_PRECISION: Duration = Duration::from_mins(1);
/// Characters kept of what a browser calls itself.
pub const LONGEST_AGENT: usize = 256;

const USER: &str = "user";
const ADDRESS: &str = "address";
const AGENT: &str = "agent";
const SESSION: &str = "session";
const CONFIRMED: &str = "confirmed";

/// The middleware that gives each request its `tower_sessions::Session`.
///
/// The cookie is `HttpOnly` and `SameSite=Lax`; with `secure` (the portal is reached by TLS) also `Secure` and bound to
/// the host by the prefix `__Host-`.
#[must_use]
pub fn layer(store: StoredSessions, secure: bool) -> SessionManagerLayer<StoredSessions> {
    SessionManagerLayer::new(store)
        .with_name(if secure { "__Host-rondo" } else { "rondo" })
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_secure(secure)
        // The cookie's own age only tells the browser when to forget it; the row decides.
        .with_expiry(Expiry::OnInactivity(time::Duration::days(7)))
}

/// Who is behind a browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Current {
    /// Who is signed in.
    pub user: UserId,
    /// The public id of the session, by which it is listed and revoked.
    pub session: SessionId,
    /// When they last gave their password again, after signing in.
    pub confirmed_at: Option<Timestamp>,
}

/// Signs a person in: makes the row at once and gives its public id; the response carries the new cookie.
///
/// Whatever the browser's session held before is dropped, and its row removed.
pub async fn sign_in(session: &Session, user: UserId, address: &str, agent: &str) -> Result<SessionId, SessionError> {
    session.clear().await;
    if session.id().is_some() {
        session.cycle_id().await?;
    }
    session.insert(USER, user).await?;
    session.insert(ADDRESS, address).await?;
    session.insert(AGENT, shortened(agent)).await?;
    session.save().await?;
    current(session).await?.map(|current| current.session).ok_or(SessionError::NotKept)
}

/// Who is signed in; none for an anonymous visitor, and for a session that has ended or was revoked.
///
/// Whether the person is still active is for the caller to look up.
pub async fn current(session: &Session) -> Result<Option<Current>, SessionError> {
    if session.id().is_none() {
        return Ok(None);
    }
    let user = session.get::<UserId>(USER).await?;
    let id = session.get::<SessionId>(SESSION).await?;
    let confirmed_at = session.get::<Timestamp>(CONFIRMED).await?;
    Ok(user.zip(id).map(|(user, session)| Current { user, session, confirmed_at }))
}

/// Notes that the person has given the password again at `at`. Signing in forgets it.
pub async fn confirm(session: &Session, at: Timestamp) -> Result<(), SessionError> {
    session.insert(CONFIRMED, at).await?;
    Ok(())
}

/// Ends the session: removes its row and the cookie.
pub async fn sign_out(session: &Session) -> Result<(), SessionError> {
    if session.id().is_some() {
        session.flush().await?;
    }
    Ok(())
}

/// Why a session cannot be made, read or ended.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The storage, or the form of what it holds.
    #[error("the session cannot be read or written")]
    Storage(#[from] tower_sessions::session::Error),
    /// The row was not there after it had been made: revoked in the same moment.
    #[error("the session has ended in the moment of its sign-in")]
    NotKept,
}

fn shortened(agent: &str) -> String {
    agent.chars().filter(|c| !c.is_control()).take(LONGEST_AGENT).collect()
}

/// What `tower_sessions` keeps sessions in: the table of sessions.
#[derive(Clone)]
pub struct StoredSessions {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

impl StoredSessions {
    /// On the given database.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Self {
        Self { store, clock, ids }
    }

    /// Notes that the session was seen, unless another request just did.
    async fn touch(&self, hash: &str, now: Timestamp) -> Result<(), StoreError> {
        let mut unit = self.store.begin().await?;
        let Some(row) = unit.session_by_hash(hash).await? else { return unit.rollback().await };
        if now.since(row.last_seen_at) < SEEN_PRECISION {
            return unit.rollback().await;
        }
        let expires_at = end_of(row.user_id, row.created_at, now);
        unit.update_session(&Row { last_seen_at: now, expires_at, ..row }).await?;
        unit.commit().await
    }

    async fn insert(&self, record: &mut Record) -> Result<(), StoreError> {
        let mut unit = self.store.begin().await?;
        // 128 random bits do not meet, but a session must never be taken over by one that does.
        while unit.session_by_hash(&hash_of(&record.id)).await?.is_some() {
            record.id = Id::default();
        }
        let now = self.clock.now();
        let parts = Parts::of(record);
        let id = SessionId::new(&*self.ids);
        unit.put_session(&Row {
            id,
            token_hash: hash_of(&record.id),
            user_id: parts.user,
            data: parts.rest,
            address: parts.address,
            user_agent: parts.agent,
            created_at: now,
            last_seen_at: now,
            expires_at: end_of(parts.user, now, now),
        })
        .await?;
        unit.commit().await?;
        record.data.insert(SESSION.to_owned(), Value::String(id.to_string()));
        Ok(())
    }

    async fn update(&self, record: &Record) -> Result<(), StoreError> {
        let mut unit = self.store.begin().await?;
        let now = self.clock.now();
        // Revoked or ended while the request was under way: it stays so.
        let row = unit.session_by_hash(&hash_of(&record.id)).await?.filter(|row| now < row.expires_at);
        let Some(row) = row else { return unit.rollback().await };
        let parts = Parts::of(record);
        let changed = Row {
            user_id: parts.user,
            data: parts.rest,
            address: parts.address,
            user_agent: parts.agent,
            last_seen_at: now,
            expires_at: end_of(parts.user, row.created_at, now),
            ..row
        };
        unit.update_session(&changed).await?;
        unit.commit().await
    }

    async fn read(&self, id: &Id) -> Result<Option<Row>, StoreError> {
        let hash = hash_of(id);
        let now = self.clock.now();
        let row = self.store.snapshot().await?.session_by_hash(&hash).await?;
        let Some(row) = row.filter(|row| now < row.expires_at) else { return Ok(None) };
        if now.since(row.last_seen_at) >= SEEN_PRECISION {
            // Reading goes on while nothing can be written; the next request tries again.
            if let Err(error) = self.touch(&hash, now).await {
                tracing::warn!(error = chain(&error), "that a session was seen cannot be written");
            }
        }
        Ok(Some(row))
    }
}

#[async_trait]
impl SessionStore for StoredSessions {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        if record.data.is_empty() {
            return Ok(());
        }
        self.insert(record).await.map_err(backend)
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        self.update(record).await.map_err(backend)
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let Some(row) = self.read(id).await.map_err(backend)? else { return Ok(None) };
        record_of(*id, &row).map(Some).map_err(|error| session_store::Error::Decode(error.to_string()))
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        let delete = async {
            let mut unit = self.store.begin().await?;
            unit.delete_session(&hash_of(id)).await?;
            unit.commit().await
        };
        delete.await.map_err(backend)
    }
}

impl fmt::Debug for StoredSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredSessions").field("store", &self.store.name()).finish_non_exhaustive()
    }
}

/// A record split into columns.
struct Parts {
    user: Option<UserId>,
    address: String,
    agent: String,
    rest: String,
}

impl Parts {
    fn of(record: &Record) -> Self {
        let text = |key: &str| record.data.get(key).and_then(Value::as_str).unwrap_or_default();
        let rest: Map<_, _> = record
            .data
            .iter()
            .filter(|(key, _)| ![USER, ADDRESS, AGENT, SESSION].contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        Self {
            user: text(USER).parse().ok(),
            address: text(ADDRESS).to_owned(),
            agent: text(AGENT).to_owned(),
            rest: Value::Object(rest).to_string(),
        }
    }
}

/// The record that a row stands for; the columns, not the JSON, say who it is.
fn record_of(id: Id, row: &Row) -> Result<Record, serde_json::Error> {
    let mut data: std::collections::HashMap<String, Value> = serde_json::from_str(&row.data)?;
    let mut put = |key: &str, text: String| data.insert(key.to_owned(), Value::String(text));
    put(SESSION, row.id.to_string());
    if let Some(user) = row.user_id {
        put(USER, user.to_string());
        put(ADDRESS, row.address.clone());
        put(AGENT, row.user_agent.clone());
    }
    Ok(Record { id, data, expiry_date: row.expires_at.to_utc() })
}

fn hash_of(id: &Id) -> String {
    crate::tokens::hash(&id.to_string())
}

fn end_of(user: Option<UserId>, created_at: Timestamp, now: Timestamp) -> Timestamp {
    let idle = if user.is_some() { IDLE } else { ANONYMOUS_IDLE };
    (now + idle).min(created_at + LONGEST)
}

/// `tower_sessions` takes text only.
#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err asks for")]
fn backend(error: StoreError) -> session_store::Error {
    session_store::Error::Backend(chain(&error))
}

fn chain(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Writing to a string does not fail.
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
