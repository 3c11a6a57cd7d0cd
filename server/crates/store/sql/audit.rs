use async_trait::async_trait;
use domain::view::AuditFilter;
use store::{
    Result, StoreError,
    audit::{AuditHead, AuditLog, AuditRow},
};

use crate::{
    row::{Columns, each, first, only},
    statement::{Statement, sql},
    unit::Unit,
};

macro_rules! columns {
    () => {
        "seq, at, actor_id, actor, action, resource_kind, resource_id, resource_name, namespace, outcome, body, hash"
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
        hash: row.text("hash")?,
    })
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
    async fn audit_head(&mut self) -> Result<AuditHead> {
        let mut statement = sql("SELECT seq, hash FROM audit_head WHERE id = 1");
        statement.push(self.lock_clause());
        only(&self.fetch(statement).await?, |row| Ok(AuditHead { seq: row.integer("seq")?, hash: row.text("hash")? }))
    }

    async fn append_audit(&mut self, row: &AuditRow) -> Result<()> {
        let Some(before) = row.seq.checked_sub(1) else { return Err(StoreError::Conflict) };
        let head = sql("UPDATE audit_head SET seq = $2, hash = $3 WHERE id = 1 AND seq = $1");
        self.execute_one(head.bind(before).bind(row.seq).bind(&row.hash)).await?;
        let statement = sql(concat!(
            "INSERT INTO audit_entries (",
            columns!(),
            ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
        ))
        .bind(row.seq)
        .bind(row.at)
        .bind(row.actor_id)
        .bind(&row.actor)
        .bind(&row.action)
        .bind(&row.resource_kind)
        .bind(&row.resource_id)
        .bind(&row.resource_name)
        .bind(row.namespace.as_deref())
        .bind(&row.outcome)
        .bind(&row.body)
        .bind(&row.hash);
        self.execute(statement).await?;
        Ok(())
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
}
