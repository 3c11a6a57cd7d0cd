use async_trait::async_trait;
use domain::{UserId, view::AuditFilter};
use store::{
    Result, StoreError,
    audit::{
        AuditCheckpoint, AuditKey, AuditLog, AuditRow, AuditTerms, AuditTile, AuditView, AuditViews, Checkpoints, Mark,
        QueuedEntry,
    },
    search,
};

use crate::{
    db::{INDEX_WORDS, MATCH_WORDS, WORD_AND, push_prefix},
    row::{Columns, each, first, only},
    statement::{IDS_PER_QUERY, Statement, sql},
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
        concat!("SELECT ", columns!(), ", segment FROM audit_entries ", $rest)
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
        segment: row.maybe_text("segment")?,
    })
}

fn checkpoint(row: &Columns<'_>) -> Result<AuditCheckpoint> {
    Ok(AuditCheckpoint { size: row.integer("size")?, at: row.time("at")?, note: row.text("note")? })
}

/// The query for what a filter lets through, from its tables on. What it is found by as a whole, or by its words, comes first:
/// then the database goes along that index, from the newest entry down. Of what was archived, nothing is left to be found `whole`.
fn push_filtered(statement: &mut Statement, filter: &AuditFilter, before: Option<i64>, limit: u32, whole: bool) {
    let marks = [
        (Mark::Policy, &filter.policy, " JOIN audit_marks policy ON policy.seq = e.seq"),
        (Mark::Address, &filter.address, " JOIN audit_marks address ON address.seq = e.seq"),
        (Mark::Credential, &filter.credential, " JOIN audit_marks credential ON credential.seq = e.seq"),
    ];
    let query = filter.text.as_deref().map(|text| {
        let mut query = String::new();
        for word in search::words(text) {
            if !query.is_empty() {
                query.push_str(WORD_AND);
            }
            push_prefix(&mut query, &word);
        }
        query
    });
    let query = query.filter(|query| !query.is_empty());
    statement.push(" FROM audit_entries e");
    for (_, text, join) in &marks {
        if text.is_some() {
            statement.push(join);
        }
    }
    if query.is_some() {
        statement.push(" JOIN audit_words words ON words.rowid = e.seq");
    }
    statement.push(" WHERE TRUE");
    for (mark, text, _) in &marks {
        let Some(text) = text else { continue };
        let (kind, value) = match mark {
            Mark::Policy => (" AND policy.kind = ", " AND policy.text = "),
            Mark::Address => (" AND address.kind = ", " AND address.text = "),
            Mark::Credential => (" AND credential.kind = ", " AND credential.text = "),
        };
        statement.push(kind).value(mark.as_str()).push(value).value(text);
    }
    if let Some(query) = &query {
        statement.push(MATCH_WORDS.0).value(query).push(MATCH_WORDS.1);
    }
    push_columns(statement, filter);
    if whole {
        statement.push(" AND e.segment IS NULL");
    }
    if let Some(seq) = before {
        statement.push(" AND e.seq < ").value(seq);
    }
    // The places are the same in all of these tables; a database follows the index of the one that it is told.
    statement.push(match () {
        () if query.is_some() => " ORDER BY words.rowid DESC",
        () if filter.policy.is_some() => " ORDER BY policy.seq DESC",
        () if filter.address.is_some() => " ORDER BY address.seq DESC",
        () if filter.credential.is_some() => " ORDER BY credential.seq DESC",
        () => " ORDER BY e.seq DESC",
    });
    statement.limit(limit);
}

fn push_columns(statement: &mut Statement, filter: &AuditFilter) {
    if let Some(from) = filter.from {
        statement.push(" AND e.at >= ").value(from);
    }
    if let Some(to) = filter.to {
        statement.push(" AND e.at < ").value(to);
    }
    if let Some(actor) = &filter.actor {
        statement.push(" AND e.actor = ").value(actor);
    }
    if let Some(team) = &filter.team {
        statement.push(
            " AND e.actor_id IN (SELECT m.user_id FROM team_members m JOIN teams t ON t.id = m.team_id WHERE t.name = ",
        );
        statement.value(team).push(")");
    }
    if let Some(action) = &filter.action {
        // `/` is the character after `.`: a range finds `run.cancel` for `run` by the index, and needs no pattern.
        statement.push(" AND (e.action = ").value(action);
        statement.push(" OR (e.action >= ").value(&format!("{action}."));
        statement.push(" AND e.action < ").value(&format!("{action}/")).push("))");
    }
    if let Some(kind) = &filter.resource_kind {
        statement.push(" AND e.resource_kind = ").value(kind);
    }
    if let Some(resource) = &filter.resource {
        statement.push(" AND (e.resource_id = ").value(resource);
        // What belongs to a run is named after it (`R-1042: Manager approval`), and is part of its story.
        statement.push(" OR e.resource_name = ").value(resource);
        statement.push(" OR (e.resource_name >= ").value(&format!("{resource}: "));
        statement.push(" AND e.resource_name < ").value(&format!("{resource}:!")).push("))");
    }
    if let Some(namespace) = &filter.namespace {
        statement.push(" AND e.namespace = ").value(namespace);
    }
    if let Some(outcome) = &filter.outcome {
        statement.push(" AND e.outcome = ").value(outcome);
    }
    if let Some(last) = filter.last {
        statement.push(" AND e.seq <= ").value(last);
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

    async fn audit_indexed(&mut self) -> Result<i64> {
        let mut statement = sql("SELECT seq FROM audit_indexed WHERE id = 1");
        statement.push(self.lock_clause());
        only(&self.fetch(statement).await?, |row| row.integer("seq"))
    }

    async fn index_audit(&mut self, before: i64, terms: &[AuditTerms]) -> Result<()> {
        let Some(last) = terms.last() else { return Ok(()) };
        let moved = sql("UPDATE audit_indexed SET seq = $2 WHERE id = 1 AND seq = $1").bind(before).bind(last.seq);
        self.execute_one(moved).await?;
        for some in terms.chunks(ROWS_PER_INSERT) {
            let mut insert = sql(INDEX_WORDS.0);
            for (index, entry) in some.iter().enumerate() {
                insert.push(if index == 0 { "(" } else { ", (" });
                insert.value(entry.seq).push(INDEX_WORDS.1).value(&entry.words.join(" ")).push(INDEX_WORDS.2);
            }
            self.execute(insert).await?;
        }
        let marks = terms.iter().flat_map(|entry| entry.marks.iter().map(|(mark, text)| (entry.seq, *mark, text)));
        let marks: Vec<_> = marks.collect();
        for some in marks.chunks(ROWS_PER_INSERT) {
            let mut insert = sql("INSERT INTO audit_marks (kind, text, seq) VALUES ");
            for (index, (seq, mark, text)) in some.iter().enumerate() {
                insert.push(if index == 0 { "(" } else { ", (" });
                insert.value(mark.as_str()).push(", ").value(text.as_str()).push(", ").value(*seq).push(")");
            }
            insert.push(" ON CONFLICT DO NOTHING");
            self.execute(insert).await?;
        }
        Ok(())
    }

    async fn audit_places(&mut self, filter: &AuditFilter, before: Option<i64>, limit: u32) -> Result<Vec<i64>> {
        let mut statement = sql("SELECT e.seq");
        push_filtered(&mut statement, filter, before, limit, true);
        each(&self.fetch(statement).await?, |row| row.integer("seq"))
    }

    async fn audit_at(&mut self, places: &[i64]) -> Result<Vec<AuditRow>> {
        let mut rows = Vec::with_capacity(places.len());
        for some in places.chunks(IDS_PER_QUERY) {
            let mut statement = sql(select!("WHERE seq IN ("));
            statement.values(some.iter().copied()).push(")");
            rows.extend(each(&self.fetch(statement).await?, entry)?);
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.seq));
        Ok(rows)
    }

    async fn list_audit(&mut self, filter: &AuditFilter, before: Option<i64>, limit: u32) -> Result<Vec<AuditRow>> {
        let mut statement = sql(concat!(
            "SELECT e.seq, e.at, e.actor_id, e.actor, e.action, e.resource_kind, e.resource_id, e.resource_name, ",
            "e.namespace, e.outcome, e.body, e.segment"
        ));
        push_filtered(&mut statement, filter, before, limit, !filter.is_of_time_alone());
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
impl AuditViews for Unit {
    async fn audit_views_of(&mut self, user: UserId) -> Result<Vec<AuditView>> {
        let statement = sql("SELECT user_id, name, query, saved_at FROM audit_views WHERE user_id = $1 ORDER BY name");
        each(&self.fetch(statement.bind(user)).await?, |row| {
            Ok(AuditView {
                user_id: row.parsed("user_id")?,
                name: row.text("name")?,
                query: row.text("query")?,
                saved_at: row.time("saved_at")?,
            })
        })
    }

    async fn put_audit_view(&mut self, view: &AuditView) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO audit_views (user_id, name, query, saved_at) VALUES ($1, $2, $3, $4) ",
            "ON CONFLICT (user_id, name) DO UPDATE SET query = excluded.query, saved_at = excluded.saved_at"
        ));
        let statement = statement.bind(view.user_id).bind(&view.name).bind(&view.query).bind(view.saved_at);
        self.execute(statement).await?;
        Ok(())
    }

    async fn delete_audit_view(&mut self, user: UserId, name: &str) -> Result<bool> {
        let statement = sql("DELETE FROM audit_views WHERE user_id = $1 AND name = $2").bind(user).bind(name);
        Ok(self.execute(statement).await? > 0)
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
