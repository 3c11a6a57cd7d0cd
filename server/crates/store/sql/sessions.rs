use async_trait::async_trait;
use domain::{SessionId, Timestamp, UserId};
use store::{
    Result,
    sessions::{Session, Sessions},
};

use crate::{
    row::{Columns, each, first},
    statement::sql,
    unit::Unit,
};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, token_hash, user_id, data, address, user_agent, created_at, last_seen_at, expires_at ",
            "FROM sessions ",
            $rest
        )
    };
}

fn session(row: &Columns<'_>) -> Result<Session> {
    Ok(Session {
        id: row.parsed("id")?,
        token_hash: row.text("token_hash")?,
        user_id: row.maybe_parsed("user_id")?,
        data: row.text("data")?,
        address: row.text("address")?,
        user_agent: row.text("user_agent")?,
        created_at: row.time("created_at")?,
        last_seen_at: row.time("last_seen_at")?,
        expires_at: row.time("expires_at")?,
    })
}

#[async_trait]
impl Sessions for Unit {
    async fn session_by_hash(&mut self, token_hash: &str) -> Result<Option<Session>> {
        first(&self.fetch(sql(select!("WHERE token_hash = $1")).bind(token_hash)).await?, session)
    }

    async fn put_session(&mut self, session: &Session) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO sessions (id, token_hash, user_id, data, address, user_agent, created_at, last_seen_at, expires_at) ",
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (token_hash) DO UPDATE SET id = excluded.id, ",
            "user_id = excluded.user_id, data = excluded.data, address = excluded.address, ",
            "user_agent = excluded.user_agent, created_at = excluded.created_at, ",
            "last_seen_at = excluded.last_seen_at, expires_at = excluded.expires_at"
        ))
        .bind(session.id)
        .bind(&session.token_hash)
        .bind(session.user_id)
        .bind(&session.data)
        .bind(&session.address)
        .bind(&session.user_agent)
        .bind(session.created_at)
        .bind(session.last_seen_at)
        .bind(session.expires_at);
        self.execute(statement).await?;
        Ok(())
    }

    async fn update_session(&mut self, session: &Session) -> Result<bool> {
        let statement = sql(concat!(
            "UPDATE sessions SET id = $1, user_id = $2, data = $3, address = $4, user_agent = $5, created_at = $6, ",
            "last_seen_at = $7, expires_at = $8 WHERE token_hash = $9"
        ))
        .bind(session.id)
        .bind(session.user_id)
        .bind(&session.data)
        .bind(&session.address)
        .bind(&session.user_agent)
        .bind(session.created_at)
        .bind(session.last_seen_at)
        .bind(session.expires_at)
        .bind(&session.token_hash);
        Ok(self.execute(statement).await? > 0)
    }

    async fn delete_session(&mut self, token_hash: &str) -> Result<()> {
        self.execute(sql("DELETE FROM sessions WHERE token_hash = $1").bind(token_hash)).await?;
        Ok(())
    }

    async fn sessions_of(&mut self, user: UserId, now: Timestamp) -> Result<Vec<Session>> {
        let statement = sql(select!("WHERE user_id = $1 AND expires_at > $2 ORDER BY last_seen_at DESC, id DESC"));
        each(&self.fetch(statement.bind(user).bind(now)).await?, session)
    }

    async fn revoke_session(&mut self, user: UserId, id: SessionId) -> Result<bool> {
        let statement = sql("DELETE FROM sessions WHERE id = $1 AND user_id = $2").bind(id).bind(user);
        Ok(self.execute(statement).await? > 0)
    }

    async fn revoke_sessions_of(&mut self, user: UserId, except: Option<SessionId>) -> Result<u64> {
        let mut statement = sql("DELETE FROM sessions WHERE user_id = $1").bind(user);
        if let Some(kept) = except {
            statement.push(" AND id <> ").value(kept);
        }
        self.execute(statement).await
    }

    async fn prune_sessions(&mut self, now: Timestamp) -> Result<u64> {
        self.execute(sql("DELETE FROM sessions WHERE expires_at < $1").bind(now)).await
    }
}
