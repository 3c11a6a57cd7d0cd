use async_trait::async_trait;
use domain::UserId;
use store::{
    Result,
    erasures::{Erasure, Erasures, Unfinished},
    users::User,
};

use crate::{
    db,
    row::{Columns, first, only},
    statement::sql,
    unit::Unit,
};

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT user_id, texts, seq, segment, entries, held, begun_at, ended_at FROM erasures ", $rest)
    };
}

fn erasure(row: &Columns<'_>) -> Result<Erasure> {
    Ok(Erasure {
        user: row.parsed("user_id")?,
        texts: row.maybe_text("texts")?,
        seq: row.integer("seq")?,
        segment: row.integer("segment")?,
        entries: row.integer("entries")?,
        held: row.integer("held")?,
        begun_at: row.time("begun_at")?,
        ended_at: row.maybe_time("ended_at")?,
    })
}

#[async_trait]
impl Erasures for Unit {
    async fn erasure(&mut self, user: UserId) -> Result<Option<Erasure>> {
        first(&self.fetch(sql(select!("WHERE user_id = $1")).bind(user)).await?, erasure)
    }

    async fn open_erasure(&mut self) -> Result<Option<Erasure>> {
        let mut statement = sql(select!("WHERE ended_at IS NULL ORDER BY begun_at, user_id LIMIT 1"));
        statement.push(self.lock_clause());
        first(&self.fetch(statement).await?, erasure)
    }

    async fn insert_erasure(&mut self, erasure: &Erasure) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO erasures (user_id, texts, seq, segment, entries, held, begun_at, ended_at) ",
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
        ));
        let statement = statement.bind(erasure.user).bind(erasure.texts.as_deref()).bind(erasure.seq);
        let statement = statement.bind(erasure.segment).bind(erasure.entries).bind(erasure.held);
        self.execute(statement.bind(erasure.begun_at).bind(erasure.ended_at)).await?;
        Ok(())
    }

    async fn update_erasure(&mut self, erasure: &Erasure) -> Result<()> {
        let statement = sql(concat!(
            "UPDATE erasures SET texts = $2, seq = $3, segment = $4, entries = $5, held = $6, ended_at = $7 ",
            "WHERE user_id = $1"
        ));
        let statement = statement.bind(erasure.user).bind(erasure.texts.as_deref()).bind(erasure.seq);
        let statement = statement.bind(erasure.segment).bind(erasure.entries).bind(erasure.held);
        self.execute_one(statement.bind(erasure.ended_at)).await
    }

    async fn resume_erasures(&mut self) -> Result<()> {
        let resumed = "UPDATE erasures SET seq = 0, segment = 0, held = 0, ended_at = NULL WHERE held > 0";
        self.execute(sql(resumed)).await?;
        Ok(())
    }

    async fn unfinished_of(&mut self, user: UserId) -> Result<Unfinished> {
        let runs = sql("SELECT count(*) AS number FROM runs WHERE requester_id = $1 AND ended_at IS NULL").bind(user);
        let runs = only(&self.fetch(runs).await?, |row| row.integer("number"))?;
        let approvals = sql(concat!(
            "SELECT count(DISTINCT a.id) AS number FROM approvals a JOIN approval_approvers w ON w.approval_id = a.id ",
            "WHERE w.user_id = $1 AND a.state = 'pending'"
        ));
        let approvals = only(&self.fetch(approvals.bind(user)).await?, |row| row.integer("number"))?;
        Ok(Unfinished { runs, approvals })
    }

    async fn forget(&mut self, user: &User) -> Result<()> {
        for statement in [
            sql("DELETE FROM sessions WHERE user_id = $1"),
            sql("DELETE FROM api_tokens WHERE user_id = $1"),
            sql("DELETE FROM one_time_links WHERE user_id = $1"),
            sql("DELETE FROM notifications WHERE user_id = $1"),
            sql("DELETE FROM drafts WHERE user_id = $1 AND run_id IS NULL"),
            sql("DELETE FROM idempotency_keys WHERE user_id = $1"),
            sql("DELETE FROM audit_views WHERE user_id = $1"),
            sql("DELETE FROM audit_subscriptions WHERE user_id = $1"),
        ] {
            self.execute(statement.bind(user.id)).await?;
        }
        self.execute(sql("DELETE FROM throttles WHERE subject = $1").bind(&format!("account:{}", user.login))).await?;
        // Notices to others, whose whole text is the name.
        let notices = sql("DELETE FROM notifications WHERE title = $1").bind(&user.name);
        self.execute(notices).await?;
        if let Some(email) = &user.email {
            let mut mails = sql("DELETE FROM outbox WHERE kind = 'mail' AND ");
            mails.push(db::POSITION).push("(payload, ").value(email).push(") > 0");
            self.execute(mails).await?;
        }
        Ok(())
    }
}
