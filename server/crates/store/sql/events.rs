use async_trait::async_trait;
use domain::{RunId, Timestamp, WorkflowRef};
use sha2::{Digest, Sha256};
use store::{
    Result,
    events::{Events, Filter, KeptEvent, NewEvent, Subscriber},
};

use crate::{
    db,
    row::{each, only},
    statement::{Statement, sql},
    unit::Unit,
};

/// What stands for a text in an index.
pub(crate) fn key(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// What stands for an event. The lengths keep `a`, `bc` and `ab`, `c` apart.
fn event_key(source: &str, id: &str) -> String {
    key(&format!("{}:{source}{id}", source.len()))
}

/// What stands for a filter's text: empty for any.
pub(crate) fn filter_key(text: Option<&str>) -> String {
    text.map(key).unwrap_or_default()
}

/// Appends a condition on the columns of `events e`.
pub(crate) fn push_filters(statement: &mut Statement, filters: &[Filter<'_>]) {
    statement.push(" AND (FALSE");
    for filter in filters {
        statement.push(" OR (TRUE");
        if let Some(kind) = filter.kind {
            statement.push(" AND e.type_key = ").value(&key(kind));
        }
        if let Some(source) = filter.source {
            statement.push(" AND e.source_key = ").value(&key(source));
        }
        statement.push(")");
    }
    statement.push(")");
}

/// Appends the question whether anybody listens: `n` is 1 or 0.
fn push_listening(statement: &mut Statement, kinds: &[&str], source: &str, about: RunId, of: &WorkflowRef) {
    statement.push("SELECT count(*) AS n FROM (SELECT 1 FROM (");
    statement.push("SELECT type_key, source_key FROM subscriptions WHERE run_id <> ").value(about);
    statement.push(" UNION ALL SELECT type_key, source_key FROM schedule_filters WHERE NOT (namespace = ");
    statement.value(of.namespace.as_str()).push(" AND name = ").value(of.name.as_str());
    statement.push(")) AS listeners WHERE source_key IN ('', ").value(&key(source)).push(") AND type_key IN (''");
    for kind in kinds {
        statement.push(", ").value(&key(kind));
    }
    statement.push(") LIMIT 1) AS found");
}

impl Unit {
    /// Lets nobody else publish or subscribe until the end of this unit.
    ///
    /// A statement of its own, so that those which follow see what others have done meanwhile.
    pub(crate) async fn lock_stream(&mut self) -> Result<()> {
        if let Some(lock) = db::LOCK_STREAM {
            self.fetch(sql(lock)).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Events for Unit {
    async fn insert_event(&mut self, event: &NewEvent<'_>) -> Result<bool> {
        self.lock_stream().await?;
        let statement = sql(concat!(
            "INSERT INTO events (key, type_key, source_key, run_id, received_at, body) ",
            "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (key) DO NOTHING"
        ))
        .bind(&event_key(event.key.source, event.key.id))
        .bind(&key(event.key.kind))
        .bind(&key(event.key.source))
        .bind(event.about)
        .bind(event.received_at)
        .bind(event.body);
        Ok(self.execute(statement).await? > 0)
    }

    async fn open_subscription(&mut self, subscriber: Subscriber, filters: &[Filter<'_>]) -> Result<()> {
        self.lock_stream().await?;
        for filter in filters {
            let statement = sql(concat!(
                "INSERT INTO subscriptions (run_id, subscription, type_key, source_key) VALUES ($1, $2, $3, $4) ",
                "ON CONFLICT DO NOTHING"
            ))
            .bind(subscriber.run)
            .bind(subscriber.subscription)
            .bind(&filter_key(filter.kind))
            .bind(&filter_key(filter.source));
            self.execute(statement).await?;
        }
        Ok(())
    }

    async fn close_subscription(&mut self, subscriber: Subscriber) -> Result<()> {
        let statement = sql("DELETE FROM subscriptions WHERE run_id = $1 AND subscription = $2");
        self.execute(statement.bind(subscriber.run).bind(subscriber.subscription)).await?;
        Ok(())
    }

    async fn close_subscriptions(&mut self, run: RunId) -> Result<()> {
        self.gather("subscriptions_closed", |delete| {
            delete.push("DELETE FROM subscriptions WHERE run_id = ").value(run);
        })
        .await
    }

    async fn subscribers(&mut self, kind: &str, source: &str) -> Result<Vec<Subscriber>> {
        let statement = sql(concat!(
            "SELECT DISTINCT run_id, subscription FROM subscriptions ",
            "WHERE type_key IN ('', $1) AND source_key IN ('', $2) ORDER BY run_id, subscription"
        ));
        each(&self.fetch(statement.bind(&key(kind)).bind(&key(source))).await?, |row| {
            Ok(Subscriber { run: row.parsed("run_id")?, subscription: row.count("subscription")? })
        })
    }

    async fn is_anybody_listening(
        &mut self,
        kinds: &[&str],
        source: &str,
        about: RunId,
        of: &WorkflowRef,
    ) -> Result<bool> {
        let mut statement = sql("");
        push_listening(&mut statement, kinds, source, about, of);
        only(&self.fetch(statement).await?, |row| Ok(row.integer("n")? > 0))
    }

    async fn refuse_if_heard(&mut self, kinds: &[&str], source: &str, about: RunId, of: &WorkflowRef) -> Result<()> {
        self.gather_refusal("heard", |statement| push_listening(statement, kinds, source, about, of)).await
    }

    async fn missed_events(
        &mut self,
        run: RunId,
        filters: &[Filter<'_>],
        since: Timestamp,
        after: Option<(Timestamp, i64)>,
        limit: u32,
    ) -> Result<Vec<KeptEvent>> {
        let mut statement = sql(concat!(
            "SELECT e.seq, e.received_at, e.body FROM events e WHERE (e.run_id IS NULL OR e.run_id <> $1) ",
            "AND NOT EXISTS (SELECT 1 FROM consumed_events c WHERE c.run_id = $1 AND c.event_key = e.key) ",
            "AND e.received_at >= $2"
        ))
        .bind(run)
        .bind(since);
        if let Some((at, seq)) = after {
            statement.push(" AND (e.received_at, e.seq) > (").value(at).push(", ").value(seq).push(")");
        }
        push_filters(&mut statement, filters);
        statement.push(" ORDER BY e.received_at, e.seq").limit(limit);
        each(&self.fetch(statement).await?, |row| {
            Ok(KeptEvent { seq: row.integer("seq")?, received_at: row.time("received_at")?, body: row.text("body")? })
        })
    }

    async fn put_consumed(&mut self, run: RunId, source: &str, id: &str, at: Timestamp) -> Result<()> {
        let statement =
            sql("INSERT INTO consumed_events (run_id, event_key, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING");
        self.execute(statement.bind(run).bind(&event_key(source, id)).bind(at)).await?;
        Ok(())
    }

    async fn prune_events(&mut self, before: Timestamp, limit: u32) -> Result<u64> {
        let statement = sql(concat!(
            "DELETE FROM events WHERE seq IN ",
            "(SELECT seq FROM events WHERE received_at < $1 ORDER BY received_at, seq LIMIT $2)"
        ));
        let pruned = self.execute(statement.bind(before).bind(limit)).await?;
        if pruned >= u64::from(limit) {
            return Ok(pruned);
        }
        // What was consumed before then has come before then, too: none of these events is left.
        let statement = sql(concat!(
            "DELETE FROM consumed_events WHERE (run_id, event_key) IN ",
            "(SELECT run_id, event_key FROM consumed_events WHERE at < $1 ORDER BY at LIMIT $2)"
        ));
        Ok(pruned + self.execute(statement.bind(before).bind(limit)).await?)
    }
}
