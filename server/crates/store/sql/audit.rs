use async_trait::async_trait;
use domain::{
    ApprovalId, Risk, RunId, UserId, WorkflowRef,
    view::{AuditFilter, is_number_of_run},
};
use store::{
    Result, StoreError,
    audit::{
        AuditCheckpoint, AuditKey, AuditLog, AuditRow, AuditTerms, AuditTile, AuditView, AuditViews, Checkpoints, Mark,
        QueuedEntry, RunsOfEntries,
    },
    search,
};

use crate::{
    db::{AREA_OF_ACTION, INDEX_WORDS, MATCH_WORDS, WORD_AND, push_prefix, push_unindex},
    row::{Columns, each, first, only},
    statement::{IDS_PER_QUERY, Statement, sql},
    unit::Unit,
};

/// So many entries are written by one statement.
const ROWS_PER_INSERT: usize = 500;

macro_rules! columns {
    () => {
        "seq, at, actor_id, actor, action, resource_kind, resource_id, resource_name, namespace, outcome, body, \
         personal"
    };
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT ", columns!(), ", segment FROM audit_entries ", $rest)
    };
}

pub(crate) fn entry(row: &Columns<'_>) -> Result<AuditRow> {
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
        personal: row.maybe_text("personal")?,
        segment: row.maybe_text("segment")?,
    })
}

fn checkpoint(row: &Columns<'_>) -> Result<AuditCheckpoint> {
    Ok(AuditCheckpoint { size: row.integer("size")?, at: row.time("at")?, note: row.text("note")? })
}

fn named_search(row: &Columns<'_>) -> Result<AuditView> {
    Ok(AuditView {
        user_id: row.parsed("user_id")?,
        name: row.text("name")?,
        query: row.text("query")?,
        shared: row.flag("shared")?,
        saved_at: row.time("saved_at")?,
    })
}

/// What a query goes along. The places are the same in all of its tables; a database follows the index of the one whose places
/// are told and ordered.
struct Lead {
    not_before: &'static str,
    up_to: &'static str,
    below: &'static str,
    order: &'static str,
}

macro_rules! lead {
    ($place:expr) => {
        Lead {
            not_before: concat!(" AND ", $place, " >= "),
            up_to: concat!(" AND ", $place, " <= "),
            below: concat!(" AND ", $place, " < "),
            order: concat!(" ORDER BY ", $place, " DESC"),
        }
    };
}

/// How a mark of an entry is asked for.
struct Marked {
    mark: Mark,
    join: &'static str,
    kind: &'static str,
    text: &'static str,
    lead: Lead,
}

macro_rules! marked {
    ($mark:expr, $alias:literal) => {
        Marked {
            mark: $mark,
            join: concat!(" JOIN audit_marks ", $alias, " ON ", $alias, ".seq = e.seq"),
            kind: concat!(" AND ", $alias, ".kind = "),
            text: concat!(" AND ", $alias, ".text = "),
            lead: lead!(concat!($alias, ".seq")),
        }
    };
}

/// The marks that a filter asks for, those that fewer entries have first.
fn marks(filter: &AuditFilter) -> Vec<(Marked, &str)> {
    let marks = [
        (marked!(Mark::Run, "run"), filter.story()),
        (marked!(Mark::Credential, "credential"), filter.credential.as_deref()),
        (marked!(Mark::Address, "address"), filter.address.as_deref()),
        (marked!(Mark::Policy, "policy"), filter.policy.as_deref()),
        (marked!(Mark::Risk, "risk"), filter.risk.map(Risk::as_str)),
    ];
    marks.into_iter().filter_map(|(marked, text)| Some((marked, text?))).collect()
}

/// The number in `R-1042`; of one that no run can have, -1.
fn number_of_run(text: &str) -> i64 {
    text.strip_prefix("R-").and_then(|number| number.parse().ok()).unwrap_or(-1)
}

/// What a text asks the index of words.
fn query_of(text: &str) -> Option<String> {
    let mut query = String::new();
    for word in search::words(text) {
        if !query.is_empty() {
            query.push_str(WORD_AND);
        }
        push_prefix(&mut query, &word);
    }
    Some(query).filter(|query| !query.is_empty())
}

/// The query for what a filter lets through, from its tables on. What it is found by as a whole, or by its words, comes first:
/// then the database goes along that index, from the newest entry down. Of what was archived, nothing is left to be found `whole`.
fn push_filtered(statement: &mut Statement, filter: &AuditFilter, before: Option<i64>, limit: u32, whole: bool) {
    let marks = marks(filter);
    let query = filter.text.as_deref().and_then(query_of);
    statement.push(" FROM audit_entries e");
    for (marked, _) in &marks {
        statement.push(marked.join);
    }
    if filter.control.is_some() {
        statement.push(" JOIN audit_controls control ON control.seq = e.seq");
    }
    if query.is_some() {
        statement.push(" JOIN audit_words words ON words.rowid = e.seq");
    }
    statement.push(" WHERE TRUE");
    for (marked, text) in &marks {
        statement.push(marked.kind).value(marked.mark.as_str()).push(marked.text);
        if marked.mark == Mark::Run && is_number_of_run(text) {
            // The log itself knows the run of this number, whatever has become of it since; of one whose own entries were
            // archived, the runs do. By its name: almost all that has a kind is of this one.
            statement.push("COALESCE((SELECT r.resource_id FROM audit_entries r WHERE r.resource_kind || '' = 'run'");
            statement.push(" AND r.resource_name = ").value(*text).push(" ORDER BY r.seq LIMIT 1), ");
            statement.push("(SELECT id FROM runs WHERE number = ").value(number_of_run(text)).push("))");
        } else {
            statement.value(*text);
        }
    }
    if let Some(control) = &filter.control {
        statement.push(" AND control.control = ").value(control);
    }
    if let Some(query) = &query {
        statement.push(MATCH_WORDS.0).value(query).push(MATCH_WORDS.1);
    }
    let lead = match marks.into_iter().next() {
        _ if query.is_some() => lead!("words.rowid"),
        Some((marked, _)) => marked.lead,
        None if filter.control.is_some() => lead!("control.seq"),
        None => lead!("e.seq"),
    };
    push_columns(statement, filter);
    push_period(statement, filter, &lead);
    if whole {
        statement.push(" AND e.segment IS NULL");
    }
    // Of both tables: a database that goes along both side by side does not know that what bounds one bounds the other.
    if let Some(last) = filter.last {
        statement.push(" AND e.seq <= ").value(last).push(lead.up_to).value(last);
    }
    if let Some(seq) = before {
        statement.push(" AND e.seq < ").value(seq).push(lead.below).value(seq);
    }
    statement.push(lead.order).limit(limit);
}

/// A period is found by its first and its last place: whoever goes along the places begins and ends there. Only the index of
/// times is read for these, and no times but those of the period.
fn push_period(statement: &mut Statement, filter: &AuditFilter, lead: &Lead) {
    // The sums keep databases from going along the places in search of these, or along the times in search of a page.
    for (time, since) in [(filter.from, " AND e.at + 0 >= "), (filter.to, " AND e.at + 0 < ")] {
        if let Some(time) = time {
            statement.push(since).value(time);
        }
    }
    let bounds = [
        (filter.from.is_some(), lead.not_before, "(SELECT min(seq + 0) FROM audit_entries WHERE TRUE"),
        (filter.to.is_some(), lead.up_to, "(SELECT max(seq + 0) FROM audit_entries WHERE TRUE"),
    ];
    for (_, bound, place) in bounds.into_iter().filter(|(is_asked, ..)| *is_asked) {
        statement.push(bound).push(place);
        if let Some(from) = filter.from {
            statement.push(" AND at >= ").value(from);
        }
        if let Some(to) = filter.to {
            statement.push(" AND at < ").value(to);
        }
        statement.push(")");
    }
}

fn push_columns(statement: &mut Statement, filter: &AuditFilter) {
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
        statement.push(if action.contains('.') { " AND e.action = " } else { AREA_OF_ACTION }).value(action);
    }
    if let Some(kind) = &filter.resource_kind {
        statement.push(" AND e.resource_kind = ").value(kind);
    }
    if let Some(object) = filter.object() {
        statement.push(" AND (e.resource_id = ").value(object).push(" OR e.resource_name = ").value(object).push(")");
    }
    if let Some(namespace) = &filter.namespace {
        statement.push(" AND e.namespace = ").value(namespace);
    }
    if let Some(outcome) = &filter.outcome {
        if outcome != "done" {
            // As the index says it of what it holds.
            statement.push(" AND e.outcome <> 'done'");
        }
        statement.push(" AND e.outcome = ").value(outcome);
    }
}

fn marks_of(entry: &AuditTerms) -> impl Iterator<Item = (i64, Mark, &String)> {
    entry.marks.iter().map(|(mark, text)| (entry.seq, *mark, text))
}

impl Unit {
    async fn add_audit_terms(&mut self, terms: &[AuditTerms]) -> Result<()> {
        for some in terms.chunks(ROWS_PER_INSERT) {
            let mut insert = sql(INDEX_WORDS.0);
            for (index, entry) in some.iter().enumerate() {
                insert.push(if index == 0 { "(" } else { ", (" });
                insert.value(entry.seq).push(INDEX_WORDS.1).value(&entry.words.join(" ")).push(INDEX_WORDS.2);
            }
            self.execute(insert).await?;
        }
        let marks: Vec<_> = terms.iter().flat_map(marks_of).collect();
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
                insert.value(&row.body).push(", ").value(row.personal.as_deref()).push(")");
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

    async fn queued_audit(&mut self, limit: u32) -> Result<Vec<(i64, QueuedEntry)>> {
        let statement = sql("SELECT id, actor_id, entry FROM audit_queue ORDER BY id LIMIT $1");
        each(&self.fetch(statement.bind(limit)).await?, |row| {
            let queued = QueuedEntry { actor_id: row.maybe_parsed("actor_id")?, entry: row.text("entry")? };
            Ok((row.integer("id")?, queued))
        })
    }

    async fn take_queued_audit(&mut self, numbers: &[i64]) -> Result<()> {
        for some in numbers.chunks(IDS_PER_QUERY) {
            let mut taken = sql("DELETE FROM audit_queue WHERE id IN (");
            taken.values(some.iter().copied()).push(")");
            if usize::try_from(self.execute(taken).await?) != Ok(some.len()) {
                return Err(StoreError::Conflict);
            }
        }
        Ok(())
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
        self.add_audit_terms(terms).await
    }

    async fn erase_audit(&mut self, rows: &[AuditRow]) -> Result<()> {
        for row in rows {
            let statement =
                sql("UPDATE audit_entries SET actor = $2, resource_name = $3, personal = $4 WHERE seq = $1");
            let statement = statement.bind(row.seq).bind(&row.actor).bind(&row.resource_name);
            self.execute_one(statement.bind(row.personal.as_deref())).await?;
        }
        Ok(())
    }

    async fn reindex_audit(&mut self, before: &[AuditTerms], after: &[AuditTerms]) -> Result<()> {
        for some in before.chunks(IDS_PER_QUERY.min(ROWS_PER_INSERT)) {
            let words: Vec<_> = some.iter().map(|entry| (entry.seq, entry.words.join(" "))).collect();
            let mut unindexed = sql("");
            push_unindex(&mut unindexed, &words);
            self.execute(unindexed).await?;
            let marks: Vec<_> = some.iter().flat_map(marks_of).collect();
            for some in marks.chunks(IDS_PER_QUERY) {
                let mut forgotten = sql("DELETE FROM audit_marks WHERE (kind, text, seq) IN (VALUES ");
                for (index, (seq, mark, text)) in some.iter().enumerate() {
                    forgotten.push(if index == 0 { "(" } else { ", (" });
                    forgotten.value(mark.as_str()).push(", ").value(text.as_str()).push(", ").value(*seq).push(")");
                }
                forgotten.push(")");
                self.execute(forgotten).await?;
            }
        }
        self.add_audit_terms(after).await
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
            "e.namespace, e.outcome, e.body, e.personal, e.segment"
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
impl RunsOfEntries for Unit {
    async fn runs_of_approvals(&mut self, approvals: &[ApprovalId]) -> Result<Vec<(ApprovalId, RunId)>> {
        let mut runs = Vec::with_capacity(approvals.len());
        for some in approvals.chunks(IDS_PER_QUERY) {
            let mut statement = sql("SELECT id, run_id FROM approvals WHERE id IN (");
            statement.values(some.iter().copied()).push(")");
            let found = each(&self.fetch(statement).await?, |row| Ok((row.parsed("id")?, row.parsed("run_id")?)))?;
            runs.extend(found);
        }
        Ok(runs)
    }

    async fn versions_of_runs(&mut self, runs: &[RunId]) -> Result<Vec<(RunId, WorkflowRef, String)>> {
        let mut versions = Vec::with_capacity(runs.len());
        for some in runs.chunks(IDS_PER_QUERY) {
            let mut statement = sql("SELECT id, namespace, name, version FROM runs WHERE id IN (");
            statement.values(some.iter().copied()).push(")");
            let found = each(&self.fetch(statement).await?, |row| {
                Ok((row.parsed("id")?, row.workflow()?, row.text("version")?))
            })?;
            versions.extend(found);
        }
        Ok(versions)
    }

    async fn text_of_version(&mut self, workflow: &WorkflowRef, version: &str) -> Result<Option<String>> {
        let statement = sql("SELECT source FROM workflow_versions WHERE namespace = $1 AND name = $2 AND version = $3");
        let statement = statement.bind(workflow.namespace.as_str()).bind(workflow.name.as_str()).bind(version);
        first(&self.fetch(statement).await?, |row| row.text("source"))
    }
}

#[async_trait]
impl AuditViews for Unit {
    async fn audit_views_of(&mut self, user: UserId) -> Result<Vec<AuditView>> {
        let statement =
            sql("SELECT user_id, name, query, shared, saved_at FROM audit_views WHERE user_id = $1 ORDER BY name");
        each(&self.fetch(statement.bind(user)).await?, named_search)
    }

    async fn shared_audit_views(&mut self, but: UserId, limit: u32) -> Result<Vec<AuditView>> {
        let statement = sql(concat!(
            "SELECT user_id, name, query, shared, saved_at FROM audit_views WHERE shared AND user_id <> $1 ",
            "ORDER BY name, user_id LIMIT $2"
        ));
        each(&self.fetch(statement.bind(but).bind(limit)).await?, named_search)
    }

    async fn put_audit_view(&mut self, view: &AuditView) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO audit_views (user_id, name, query, shared, saved_at) VALUES ($1, $2, $3, $4, $5) ",
            "ON CONFLICT (user_id, name) ",
            "DO UPDATE SET query = excluded.query, shared = excluded.shared, saved_at = excluded.saved_at"
        ));
        let statement = statement.bind(view.user_id).bind(&view.name).bind(&view.query).bind(view.shared);
        self.execute(statement.bind(view.saved_at)).await?;
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

    async fn last_audit_verification(&mut self) -> Result<Option<AuditRow>> {
        // The kind is no way to find it, since all readings of the log are of that kind: kept from its index.
        let statement = sql(select!(
            "WHERE resource_id = 'verification' AND resource_kind || '' = 'audit' AND outcome = 'done' \
             ORDER BY seq DESC LIMIT 1"
        ));
        first(&self.fetch(statement).await?, entry)
    }

    async fn audit_checkpoints(&mut self, from: i64, limit: u32) -> Result<Vec<AuditCheckpoint>> {
        let statement = sql("SELECT size, at, note FROM audit_checkpoints WHERE size >= $1 ORDER BY size LIMIT $2");
        each(&self.fetch(statement.bind(from).bind(limit)).await?, checkpoint)
    }
}
