use async_trait::async_trait;
use domain::{ApprovalId, DraftId, Timestamp, UserId};
use store::{
    Result,
    requests::{Answered, Draft, Requests, Reservation},
};

use crate::{
    row::{Columns, each, first},
    statement::sql,
    unit::Unit,
};

macro_rules! select_drafts {
    ($rest:literal) => {
        concat!(
            "SELECT id, user_id, namespace, name, \"values\", created_at, updated_at, run_id, approval_id FROM drafts ",
            $rest
        )
    };
}

/// Unless an approval waits for what the draft holds.
macro_rules! unless_awaited {
    () => {
        " AND NOT EXISTS (SELECT 1 FROM approvals a WHERE a.id = drafts.approval_id AND a.state = 'pending')"
    };
}

fn draft(row: &Columns<'_>) -> Result<Draft> {
    Ok(Draft {
        id: row.parsed("id")?,
        user_id: row.parsed("user_id")?,
        workflow: row.workflow()?,
        values: row.text("values")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        run: row.maybe_parsed("run_id")?,
        approval: row.maybe_parsed("approval_id")?,
    })
}

fn answered(row: &Columns<'_>) -> Result<Answered> {
    Ok(Answered {
        user_id: row.parsed("user_id")?,
        key: row.text("key")?,
        request_digest: row.text("request_digest")?,
        status: row.count("status")?,
        body: row.text("body")?,
        created_at: row.time("created_at")?,
    })
}

#[async_trait]
impl Requests for Unit {
    async fn draft(&mut self, id: DraftId) -> Result<Option<Draft>> {
        let mut statement = sql(select_drafts!("WHERE id = $1")).bind(id);
        statement.push(self.lock_clause());
        first(&self.fetch(statement).await?, draft)
    }

    async fn draft_of_approval(&mut self, approval: ApprovalId) -> Result<Option<Draft>> {
        let mut statement = sql(select_drafts!("WHERE approval_id = $1")).bind(approval);
        statement.push(self.lock_clause());
        first(&self.fetch(statement).await?, draft)
    }

    async fn drafts_of(&mut self, user: UserId, limit: u32) -> Result<Vec<Draft>> {
        let statement =
            sql(select_drafts!("WHERE user_id = $1 AND run_id IS NULL ORDER BY updated_at DESC, id DESC LIMIT $2"));
        each(&self.fetch(statement.bind(user).bind(limit)).await?, draft)
    }

    async fn put_draft(&mut self, draft: &Draft) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO drafts (id, user_id, namespace, name, \"values\", created_at, updated_at, run_id, approval_id) ",
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO UPDATE SET namespace = excluded.namespace, ",
            "name = excluded.name, \"values\" = excluded.\"values\", created_at = excluded.created_at, ",
            "updated_at = excluded.updated_at, run_id = excluded.run_id, approval_id = excluded.approval_id ",
            "WHERE drafts.user_id = excluded.user_id AND drafts.run_id IS NULL"
        ))
        .bind(draft.id)
        .bind(draft.user_id)
        .bind(draft.workflow.namespace.as_str())
        .bind(draft.workflow.name.as_str())
        .bind(&draft.values)
        .bind(draft.created_at)
        .bind(draft.updated_at)
        .bind(draft.run)
        .bind(draft.approval);
        self.execute_one(statement).await
    }

    async fn delete_draft(&mut self, user: UserId, id: DraftId) -> Result<bool> {
        let statement =
            sql(concat!("DELETE FROM drafts WHERE id = $1 AND user_id = $2 AND run_id IS NULL", unless_awaited!()));
        Ok(self.execute(statement.bind(id).bind(user)).await? > 0)
    }

    async fn prune_drafts(&mut self, before: Timestamp) -> Result<u64> {
        let statement = sql(concat!("DELETE FROM drafts WHERE run_id IS NULL AND updated_at < $1", unless_awaited!()));
        self.execute(statement.bind(before)).await
    }

    async fn answered(&mut self, user: UserId, key: &str) -> Result<Option<Answered>> {
        let statement = sql(concat!(
            "SELECT user_id, key, request_digest, status, body, created_at FROM idempotency_keys ",
            "WHERE user_id = $1 AND key = $2"
        ));
        first(&self.fetch(statement.bind(user).bind(key)).await?, answered)
    }

    async fn insert_answered(&mut self, answered: &Answered) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO idempotency_keys (user_id, key, request_digest, status, body, created_at) ",
            "VALUES ($1, $2, $3, $4, $5, $6)"
        ))
        .bind(answered.user_id)
        .bind(&answered.key)
        .bind(&answered.request_digest)
        .bind(i64::from(answered.status))
        .bind(&answered.body)
        .bind(answered.created_at);
        self.execute(statement).await?;
        Ok(())
    }

    async fn mark_answered(&mut self, reservation: &Reservation, done: &str) -> Result<()> {
        let statement = sql(concat!(
            "UPDATE idempotency_keys SET body = $4 ",
            "WHERE user_id = $1 AND key = $2 AND created_at = $3 AND status = 0"
        ))
        .bind(reservation.user_id)
        .bind(&reservation.key)
        .bind(reservation.made_at)
        .bind(done);
        self.execute_one(statement).await
    }

    async fn finish_answered(&mut self, reservation: &Reservation, status: u16, body: &str) -> Result<()> {
        let statement = sql(concat!(
            "UPDATE idempotency_keys SET status = $4, body = $5 ",
            "WHERE user_id = $1 AND key = $2 AND created_at = $3"
        ))
        .bind(reservation.user_id)
        .bind(&reservation.key)
        .bind(reservation.made_at)
        .bind(i64::from(status))
        .bind(body);
        self.execute_one(statement).await
    }

    async fn release_answered(&mut self, reservation: &Reservation) -> Result<bool> {
        let statement = sql(concat!(
            "DELETE FROM idempotency_keys ",
            "WHERE user_id = $1 AND key = $2 AND created_at = $3 AND status = 0 AND body = ''"
        ))
        .bind(reservation.user_id)
        .bind(&reservation.key)
        .bind(reservation.made_at);
        Ok(self.execute(statement).await? > 0)
    }

    async fn take_over_answered(&mut self, reservation: &Reservation, now: Timestamp) -> Result<bool> {
        let statement = sql(concat!(
            "UPDATE idempotency_keys SET created_at = $4 ",
            "WHERE user_id = $1 AND key = $2 AND created_at = $3 AND status = 0 AND body = ''"
        ))
        .bind(reservation.user_id)
        .bind(&reservation.key)
        .bind(reservation.made_at)
        .bind(now);
        Ok(self.execute(statement).await? > 0)
    }

    async fn prune_answered(&mut self, before: Timestamp) -> Result<u64> {
        self.execute(sql("DELETE FROM idempotency_keys WHERE created_at < $1").bind(before)).await
    }
}
