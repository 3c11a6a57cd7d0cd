use async_trait::async_trait;
use domain::view::AuditFilter;
use store::{
    Result, StoreError,
    audit::{AuditCheckpoint, AuditKey, AuditLog, AuditRow, AuditTile, Checkpoints, QueuedEntry},
};

use crate::{
    row::{Columns, each, first, only},
    statement::{Statement, sql},
    unit::Unit,
};

/// So many entries are written by one statement.
const ROWS_PER_INSERT: usize = 500;

macro_rules! columns {
    () => {
        "seq, at, actor_id, actor, action, resource_kind, resource_id, resource_name, namespace, outcome, body"
    };
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT ", columns!(), " FROM audit_entries ", $rest)
    };
}

fn entry(row: &Columns<'_>) -> Result<AuditRow> {
    Ok(AuditRow {
        seq: row.integer("seq")?,
        at: row.time("at")?,
        actor_id: row.maybe_parsed("actor_id")?,
        actor: row.text("actor")?,
        action: row.text("action")?,
        resource_kind: row.text("resource_kind")?,
        resource_id: row.text("resource_id")?,
        resource_name: row.text("resource_name")?,
        namespace: row.maybe_text("namespace")?,
        outcome: row.text("outcome")?,
        body: row.text("body")?,
    })
}

fn checkpoint(row: &Columns<'_>) -> Result<AuditCheckpoint> {
    Ok(AuditCheckpoint { size: row.integer("size")?, at: row.time("at")?, note: row.text("note")? })
}

fn push_filter(statement: &mut Statement, filter: &AuditFilter) {
    if let Some(from) = filter.from {
        statement.push(" AND at >= ").value(from);
    }
    if let Some(to) = filter.to {
        statement.push(" AND at < ").value(to);
    }
    if let Some(actor) = &filter.actor {
        statement.push(" AND actor = ").value(actor);
    }
    if let Some(action) = &filter.action {
        // `/` is the character after `.`: a range finds `run.cancel` for `run` by the index, and needs no pattern.
        statement.push(" AND (action = ").value(action);
        statement.push(" OR (action >= ").value(&format!("{action}."));
        statement.push(" AND action < ").value(&format!("{action}/")).push("))");
    }
    if let Some(kind) = &filter.resource_kind {
        statement.push(" AND resource_kind = ").value(kind);
    }
    if let Some(resource) = &filter.resource {
        statement.push(" AND (resource_id = ").value(resource);
        statement.push(" OR resource_name = ").value(resource).push(")");
    }
    if let Some(namespace) = &filter.namespace {
        statement.push(" AND namespace = ").value(namespace);
    }
    if let Some(outcome) = &filter.outcome {
        statement.push(" AND outcome = ").value(outcome);
    }
}

#[async_trait]
impl AuditLog for Unit {
    async fn audit_size(&mut self) -> Result<i64> {
        let mut statement = sql("SELECT seq FROM audit_head WHERE id = 1");
        statement.push(self.lock_clause());
        only(&self.fetch(statement).await?, |row| row.integer("seq"))
    }

    async fn append_audit(&mut self, before: i64, rows: &[AuditRow]) -> Result<()> {
        let Some(last) = rows.last() else { return Ok(()) };
        let places = rows.iter().map(|row| row.seq);
        if !places.eq(before.saturating_add(1)..=last.seq) {
            return Err(StoreError::Conflict);
        }
        let head = sql("UPDATE audit_head SET seq = $2 WHERE id = 1 AND seq = $1").bind(before).bind(last.seq);
        self.execute_one(head).await?;
        for some in rows.chunks(ROWS_PER_INSERT) {
            let mut insert = sql(concat!("INSERT INTO audit_entries (", columns!(), ") VALUES "));
            for (index, row) in some.iter().enumerate() {
                insert.push(if index == 0 { "(" } else { ", (" });
                insert.value(row.seq).push(", ").value(row.at).push(", ").value(row.actor_id).push(", ");
                insert.value(&row.actor).push(", ").value(&row.action).push(", ").value(&row.resource_kind).push(", ");
                insert.value(&row.resource_id).push(", ").value(&row.resource_name).push(", ");
                insert.value(row.namespace.as_deref()).push(", ").value(&row.outcome).push(", ");
                insert.value(&row.body).push(")");
            }
            self.execute(insert).await?;
        }
        Ok(())
    }

    async fn queue_audit(&mut self, entries: &[QueuedEntry]) -> Result<()> {
        for some in entries.chunks(ROWS_PER_INSERT) {
            self.gather("audit_rows", |insert| {
                insert.push("INSERT INTO audit_queue (actor_id, entry) VALUES ");
                for (index, queued) in some.iter().enumerate() {
                    insert.push(if index == 0 { "(" } else { ", (" });
                    insert.value(queued.actor_id).push(", ").value(&queued.entry).push(")");
                }
            })
            .await?;
        }
        Ok(())
    }

    async fn take_queued_audit(&mut self, limit: u32) -> Result<Vec<QueuedEntry>> {
        let statement = sql(concat!(
            "DELETE FROM audit_queue WHERE id IN (SELECT id FROM audit_queue ORDER BY id LIMIT $1) ",
            "RETURNING id, actor_id, entry"
        ));
        let mut taken = each(&self.execute_returning(statement.bind(limit)).await?, |row| {
            let queued = QueuedEntry { actor_id: row.maybe_parsed("actor_id")?, entry: row.text("entry")? };
            Ok((row.integer("id")?, queued))
        })?;
        taken.sort_by_key(|(id, _)| *id);
        Ok(taken.into_iter().map(|(_, queued)| queued).collect())
    }

    async fn is_audit_queue_empty(&mut self) -> Result<bool> {
        let statement = sql("SELECT NOT EXISTS (SELECT 1 FROM audit_queue) AS empty");
        only(&self.fetch(statement).await?, |row| row.flag("empty"))
    }

    async fn list_audit(&mut self, filter: &AuditFilter, before: Option<i64>, limit: u32) -> Result<Vec<AuditRow>> {
        let mut statement = sql(select!("WHERE TRUE"));
        push_filter(&mut statement, filter);
        if let Some(seq) = before {
            statement.push(" AND seq < ").value(seq);
        }
        statement.push(" ORDER BY seq DESC").limit(limit);
        each(&self.fetch(statement).await?, entry)
    }

    async fn audit_from(&mut self, after: i64, limit: u32) -> Result<Vec<AuditRow>> {
        let statement = sql(select!("WHERE seq > $1 ORDER BY seq LIMIT $2")).bind(after).bind(limit);
        each(&self.fetch(statement).await?, entry)
    }

    async fn audit_entry(&mut self, seq: i64) -> Result<Option<AuditRow>> {
        first(&self.fetch(sql(select!("WHERE seq = $1")).bind(seq)).await?, entry)
    }

    async fn audit_tree_size(&mut self) -> Result<i64> {
        // All tiles of the entries are full but the last one.
        let statement = sql(concat!(
            "SELECT place * 256 + length(hashes) / 64 AS size FROM audit_tiles WHERE level = 0 ",
            "ORDER BY place DESC LIMIT 1"
        ));
        Ok(first(&self.fetch(statement).await?, |row| row.integer("size"))?.unwrap_or(0))
    }

    async fn audit_tiles(&mut self, at: &[(i64, i64)]) -> Result<Vec<AuditTile>> {
        if at.is_empty() {
            return Ok(Vec::new());
        }
        let mut statement = sql("SELECT level, place, hashes FROM audit_tiles WHERE ");
        for (index, (level, place)) in at.iter().enumerate() {
            statement.push(if index == 0 { "level = " } else { " OR level = " });
            statement.value(*level).push(" AND place = ").value(*place);
        }
        statement.push(" ORDER BY level, place");
        each(&self.fetch(statement).await?, |row| {
            Ok(AuditTile { level: row.integer("level")?, place: row.integer("place")?, hashes: row.text("hashes")? })
        })
    }

    async fn put_audit_tiles(&mut self, tiles: &[AuditTile]) -> Result<()> {
        for some in tiles.chunks(ROWS_PER_INSERT) {
            let mut insert = sql("INSERT INTO audit_tiles (level, place, hashes) VALUES ");
            for (index, tile) in some.iter().enumerate() {
                insert.push(if index == 0 { "(" } else { ", (" });
                insert.value(tile.level).push(", ").value(tile.place).push(", ").value(&tile.hashes).push(")");
            }
            insert.push(" ON CONFLICT (level, place) DO UPDATE SET hashes = excluded.hashes");
            self.execute(insert).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Checkpoints for Unit {
    async fn audit_keys(&mut self) -> Result<Vec<AuditKey>> {
        let statement =
            sql("SELECT id, number, public, sealed, introduction, created_at FROM audit_keys ORDER BY number");
        each(&self.fetch(statement).await?, |row| {
            Ok(AuditKey {
                id: row.text("id")?,
                number: row.integer("number")?,
                public: row.text("public")?,
                sealed: row.text("sealed")?,
                introduction: row.maybe_text("introduction")?,
                created_at: row.time("created_at")?,
            })
        })
    }

    async fn insert_audit_key(&mut self, key: &AuditKey) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO audit_keys (id, number, public, sealed, introduction, created_at) ",
            "VALUES ($1, $2, $3, $4, $5, $6)"
        ))
        .bind(&key.id)
        .bind(key.number)
        .bind(&key.public)
        .bind(&key.sealed)
        .bind(key.introduction.as_deref())
        .bind(key.created_at);
        self.execute(statement).await?;
        Ok(())
    }

    async fn insert_audit_checkpoint(&mut self, checkpoint: &AuditCheckpoint) -> Result<bool> {
        let statement =
            sql("INSERT INTO audit_checkpoints (size, at, note) VALUES ($1, $2, $3) ON CONFLICT (size) DO NOTHING");
        let statement = statement.bind(checkpoint.size).bind(checkpoint.at).bind(&checkpoint.note);
        Ok(self.execute(statement).await? > 0)
    }

    async fn last_audit_checkpoint(&mut self) -> Result<Option<AuditCheckpoint>> {
        let statement = sql("SELECT size, at, note FROM audit_checkpoints ORDER BY size DESC LIMIT 1");
        first(&self.fetch(statement).await?, checkpoint)
    }

    async fn audit_checkpoints(&mut self, from: i64, limit: u32) -> Result<Vec<AuditCheckpoint>> {
        let statement = sql("SELECT size, at, note FROM audit_checkpoints WHERE size >= $1 ORDER BY size LIMIT $2");
        each(&self.fetch(statement.bind(from).bind(limit)).await?, checkpoint)
    }
}
