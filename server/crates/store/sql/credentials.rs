use async_trait::async_trait;
use domain::{LinkId, Timestamp, TokenId, UserId};
use store::{
    Result, StoreError,
    credentials::{ApiToken, Credentials, LinkPurpose, OneTimeLink, Throttle},
};

use crate::{
    row::{Columns, each, first},
    statement::sql,
    unit::Unit,
};

macro_rules! select_tokens {
    ($rest:literal) => {
        concat!(
            "SELECT id, user_id, name, token_hash, created_at, expires_at, last_used_at, revoked_at FROM api_tokens ",
            $rest
        )
    };
}

fn throttle(row: &Columns<'_>) -> Result<Throttle> {
    Ok(Throttle {
        subject: row.text("subject")?,
        failures: row.count("failures")?,
        locked_until: row.maybe_time("locked_until")?,
        last_failure_at: row.time("last_failure_at")?,
    })
}

fn purpose_text(purpose: LinkPurpose) -> &'static str {
    match purpose {
        LinkPurpose::FirstAdministrator => "first-administrator",
        LinkPurpose::SetPassword => "set-password",
        LinkPurpose::RevealPassword => "reveal-password",
    }
}

fn link(row: &Columns<'_>) -> Result<OneTimeLink> {
    let purpose = match row.text("purpose")?.as_str() {
        "first-administrator" => LinkPurpose::FirstAdministrator,
        "set-password" => LinkPurpose::SetPassword,
        "reveal-password" => LinkPurpose::RevealPassword,
        _ => return Err(StoreError::Inconsistent("the purpose of a link".to_owned())),
    };
    Ok(OneTimeLink {
        id: row.parsed("id")?,
        token_hash: row.text("token_hash")?,
        purpose,
        user_id: row.maybe_parsed("user_id")?,
        sealed: row.maybe_text("sealed")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
        used_at: row.maybe_time("used_at")?,
    })
}

fn token(row: &Columns<'_>) -> Result<ApiToken> {
    Ok(ApiToken {
        id: row.parsed("id")?,
        user_id: row.parsed("user_id")?,
        name: row.text("name")?,
        token_hash: row.text("token_hash")?,
        created_at: row.time("created_at")?,
        expires_at: row.maybe_time("expires_at")?,
        last_used_at: row.maybe_time("last_used_at")?,
        revoked_at: row.maybe_time("revoked_at")?,
    })
}

#[async_trait]
impl Credentials for Unit {
    async fn throttle(&mut self, subject: &str) -> Result<Option<Throttle>> {
        let statement =
            sql("SELECT subject, failures, locked_until, last_failure_at FROM throttles WHERE subject = $1");
        first(&self.fetch(statement.bind(subject)).await?, throttle)
    }

    async fn put_throttle(&mut self, throttle: &Throttle) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO throttles (subject, failures, locked_until, last_failure_at) VALUES ($1, $2, $3, $4) ",
            "ON CONFLICT (subject) DO UPDATE SET failures = excluded.failures, locked_until = excluded.locked_until, ",
            "last_failure_at = excluded.last_failure_at"
        ))
        .bind(&throttle.subject)
        .bind(throttle.failures)
        .bind(throttle.locked_until)
        .bind(throttle.last_failure_at);
        self.execute(statement).await?;
        Ok(())
    }

    async fn clear_throttle(&mut self, subject: &str) -> Result<()> {
        self.execute(sql("DELETE FROM throttles WHERE subject = $1").bind(subject)).await?;
        Ok(())
    }

    async fn prune_throttles(&mut self, before: Timestamp) -> Result<u64> {
        self.execute(sql("DELETE FROM throttles WHERE last_failure_at < $1").bind(before)).await
    }

    async fn insert_link(&mut self, link: &OneTimeLink) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO one_time_links (id, token_hash, purpose, user_id, sealed, created_at, expires_at, used_at) ",
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        ))
        .bind(link.id)
        .bind(&link.token_hash)
        .bind(purpose_text(link.purpose))
        .bind(link.user_id)
        .bind(link.sealed.as_deref())
        .bind(link.created_at)
        .bind(link.expires_at)
        .bind(link.used_at);
        self.execute(statement).await?;
        Ok(())
    }

    async fn link_by_hash(&mut self, token_hash: &str) -> Result<Option<OneTimeLink>> {
        let statement = sql(concat!(
            "SELECT id, token_hash, purpose, user_id, sealed, created_at, expires_at, used_at FROM one_time_links ",
            "WHERE token_hash = $1"
        ));
        first(&self.fetch(statement.bind(token_hash)).await?, link)
    }

    async fn use_link(&mut self, id: LinkId, at: Timestamp) -> Result<()> {
        let statement = sql("UPDATE one_time_links SET used_at = $2, sealed = NULL WHERE id = $1 AND used_at IS NULL");
        self.execute_one(statement.bind(id).bind(at)).await
    }

    async fn revoke_links_of(&mut self, user: UserId, at: Timestamp) -> Result<u64> {
        let statement =
            sql("UPDATE one_time_links SET used_at = $2, sealed = NULL WHERE user_id = $1 AND used_at IS NULL");
        self.execute(statement.bind(user).bind(at)).await
    }

    async fn revoke_links_for(&mut self, purpose: LinkPurpose, at: Timestamp) -> Result<u64> {
        let statement =
            sql("UPDATE one_time_links SET used_at = $2, sealed = NULL WHERE purpose = $1 AND used_at IS NULL");
        self.execute(statement.bind(purpose_text(purpose)).bind(at)).await
    }

    async fn insert_token(&mut self, token: &ApiToken) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO api_tokens (id, user_id, name, token_hash, created_at, expires_at, last_used_at, revoked_at) ",
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        ))
        .bind(token.id)
        .bind(token.user_id)
        .bind(&token.name)
        .bind(&token.token_hash)
        .bind(token.created_at)
        .bind(token.expires_at)
        .bind(token.last_used_at)
        .bind(token.revoked_at);
        self.execute(statement).await?;
        Ok(())
    }

    async fn token_by_hash(&mut self, token_hash: &str) -> Result<Option<ApiToken>> {
        first(&self.fetch(sql(select_tokens!("WHERE token_hash = $1")).bind(token_hash)).await?, token)
    }

    async fn tokens_of(&mut self, user: UserId) -> Result<Vec<ApiToken>> {
        let statement =
            sql(select_tokens!("WHERE user_id = $1 AND revoked_at IS NULL ORDER BY created_at DESC, id DESC"));
        each(&self.fetch(statement.bind(user)).await?, token)
    }

    async fn touch_token(&mut self, id: TokenId, at: Timestamp) -> Result<()> {
        self.execute(sql("UPDATE api_tokens SET last_used_at = $2 WHERE id = $1").bind(id).bind(at)).await?;
        Ok(())
    }

    async fn revoke_token(&mut self, user: UserId, id: TokenId, at: Timestamp) -> Result<bool> {
        let statement =
            sql("UPDATE api_tokens SET revoked_at = $3 WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL");
        Ok(self.execute(statement.bind(id).bind(user).bind(at)).await? > 0)
    }

    async fn revoke_tokens_of(&mut self, user: UserId, at: Timestamp) -> Result<u64> {
        let statement = sql("UPDATE api_tokens SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL");
        self.execute(statement.bind(user).bind(at)).await
    }
}
