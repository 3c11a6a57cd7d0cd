use std::time::Duration;

use async_trait::async_trait;
use domain::{NotificationId, Timestamp, UserId};
use store::{
    Result,
    messages::{Messages, Notification, Outgoing},
};

use crate::{
    db,
    row::{Columns, each, only},
    statement::sql,
    unit::Unit,
};

fn notification(row: &Columns<'_>) -> Result<Notification> {
    Ok(Notification {
        id: row.parsed("id")?,
        user_id: row.parsed("user_id")?,
        kind: row.text("kind")?,
        title: row.text("title")?,
        run_number: row.maybe_integer("run_number")?,
        link: row.text("link")?,
        created_at: row.time("created_at")?,
        read_at: row.maybe_time("read_at")?,
    })
}

fn outgoing(row: &Columns<'_>) -> Result<Outgoing> {
    Ok(Outgoing {
        seq: row.integer("seq")?,
        kind: row.text("kind")?,
        payload: row.text("payload")?,
        key: row.text("key")?,
        attempts: row.count("attempts")?,
        due_at: row.time("due_at")?,
        last_error: row.maybe_text("last_error")?,
        created_at: row.time("created_at")?,
    })
}

#[async_trait]
impl Messages for Unit {
    async fn insert_notification(&mut self, notification: &Notification) -> Result<()> {
        self.gather("notification_row", |insert| {
            insert.push("INSERT INTO notifications (id, user_id, kind, title, run_number, link, created_at, read_at) ");
            insert.push("VALUES (").value(notification.id).push(", ").value(notification.user_id).push(", ");
            insert.value(&notification.kind).push(", ").value(&notification.title).push(", ");
            insert.value(notification.run_number).push(", ").value(&notification.link).push(", ");
            insert.value(notification.created_at).push(", ").value(notification.read_at).push(")");
        })
        .await
    }

    async fn notifications_of(
        &mut self,
        user: UserId,
        before: Option<(Timestamp, NotificationId)>,
        limit: u32,
    ) -> Result<Vec<Notification>> {
        let mut statement = sql(concat!(
            "SELECT id, user_id, kind, title, run_number, link, created_at, read_at FROM notifications ",
            "WHERE user_id = $1"
        ))
        .bind(user);
        if let Some((at, id)) = before {
            statement.push(" AND (created_at, id) < (").value(at).push(", ").value(id).push(")");
        }
        statement.push(" ORDER BY created_at DESC, id DESC").limit(limit);
        each(&self.fetch(statement).await?, notification)
    }

    async fn count_unread(&mut self, user: UserId) -> Result<u64> {
        let statement = sql("SELECT count(*) AS n FROM notifications WHERE user_id = $1 AND read_at IS NULL");
        only(&self.fetch(statement.bind(user)).await?, |row| row.count("n"))
    }

    async fn mark_read(&mut self, user: UserId, id: Option<NotificationId>, at: Timestamp) -> Result<()> {
        let mut statement =
            sql("UPDATE notifications SET read_at = $2 WHERE user_id = $1 AND read_at IS NULL").bind(user).bind(at);
        if let Some(id) = id {
            statement.push(" AND id = ").value(id);
        }
        self.execute(statement).await?;
        Ok(())
    }

    async fn push_outgoing(&mut self, outgoing: &Outgoing) -> Result<bool> {
        let statement = sql(concat!(
            "INSERT INTO outbox (kind, payload, key, attempts, due_at, last_error, created_at, state) ",
            "VALUES ($1, $2, $3, $4, $5, $6, $7, 'unsent') ON CONFLICT (key) DO NOTHING"
        ))
        .bind(&outgoing.kind)
        .bind(&outgoing.payload)
        .bind(&outgoing.key)
        .bind(outgoing.attempts)
        .bind(outgoing.due_at)
        .bind(outgoing.last_error.as_deref())
        .bind(outgoing.created_at);
        Ok(self.execute(statement).await? > 0)
    }

    async fn take_outgoing(&mut self, kind: &str, now: Timestamp, hold: Duration, limit: u32) -> Result<Vec<Outgoing>> {
        let statement = sql(db::TAKE_OUTGOING).bind(kind).bind(now).bind(now + hold).bind(limit);
        let mut taken = each(&self.execute_returning(statement).await?, outgoing)?;
        taken.sort_by_key(|message| message.seq);
        Ok(taken)
    }

    async fn settle_outgoing(&mut self, seq: i64, at: Timestamp) -> Result<()> {
        // A message that was sent is of no use any more, and may hold what only its receiver should see. The row stays,
        // for its key.
        let statement =
            sql("UPDATE outbox SET state = 'sent', sent_at = $2, payload = '{}' WHERE seq = $1 AND state = 'unsent'");
        self.execute(statement.bind(seq).bind(at)).await?;
        Ok(())
    }

    async fn defer_outgoing(&mut self, seq: i64, error: &str, due_at: Option<Timestamp>) -> Result<()> {
        let statement = sql(concat!(
            "UPDATE outbox SET attempts = attempts + 1, last_error = $2, due_at = COALESCE($3, due_at), ",
            "state = CASE WHEN $3 IS NULL THEN 'given-up' ELSE 'unsent' END WHERE seq = $1 AND state = 'unsent'"
        ));
        self.execute(statement.bind(seq).bind(error).bind(due_at)).await?;
        Ok(())
    }

    async fn count_outgoing(&mut self) -> Result<(u64, u64)> {
        let statement = sql(concat!(
            "SELECT (SELECT count(*) FROM outbox WHERE state = 'unsent') AS unsent, ",
            "(SELECT count(*) FROM outbox WHERE state = 'given-up') AS given_up"
        ));
        only(&self.fetch(statement).await?, |row| Ok((row.count("unsent")?, row.count("given_up")?)))
    }
}
