use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use async_trait::async_trait;
use domain::{Name, RunId, RunStatus, Timestamp, UserId, WaitsFor, WorkflowRef};
use store::{
    Result, StoreError,
    runs::{
        Claimed, Hold, InboxItem, JournalEntry, Lease, Run, RunFilter, RunStatistics, Runs, Taken, Task, Visibility,
    },
    search,
};

use crate::{
    db,
    row::{Columns, each, first, only},
    statement::{IDS_PER_QUERY, Statement, sql},
    unit::Unit,
    visibility,
};

/// So many rows are written by one statement.
const ROWS_PER_INSERT: usize = 500;

macro_rules! columns {
    () => {
        concat!(
            "id, number, namespace, name, version, definition_digest, title, status, needs_attention, rejected, ",
            "compensated, requester_id, input, output, error, created_at, started_at, ended_at, updated_at, ",
            "journal_version, wake_at, waits_for"
        )
    };
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT ", columns!(), " FROM runs r ", $rest)
    };
}

fn run(row: &Columns<'_>) -> Result<Run> {
    Ok(Run {
        id: row.parsed("id")?,
        number: row.integer("number")?,
        workflow: row.workflow()?,
        version: row.text("version")?,
        definition_digest: row.text("definition_digest")?,
        title: row.text("title")?,
        status: row.parsed("status")?,
        needs_attention: row.flag("needs_attention")?,
        rejected: row.flag("rejected")?,
        compensated: row.flag("compensated")?,
        requester_id: row.parsed("requester_id")?,
        input: row.text("input")?,
        output: row.maybe_text("output")?,
        error: row.maybe_text("error")?,
        created_at: row.time("created_at")?,
        started_at: row.maybe_time("started_at")?,
        ended_at: row.maybe_time("ended_at")?,
        updated_at: row.time("updated_at")?,
        journal_version: row.integer("journal_version")?,
        wake_at: row.maybe_time("wake_at")?,
        waits_for: row.maybe_parsed("waits_for")?,
    })
}

fn task(row: &Columns<'_>) -> Result<Task> {
    Ok(Task {
        run: row.parsed("run_id")?,
        reference: row.text("reference")?,
        occurrence: row.count("occurrence")?,
        position: row.integer("position")?,
        name: row.text("name")?,
        kind: row.text("kind")?,
        status: row.parsed("status")?,
        call: row.maybe_count("call")?,
        attempts: row.count("attempts")?,
        compensation: row.flag("compensation")?,
        input: row.maybe_text("input")?,
        output: row.maybe_text("output")?,
        error: row.maybe_text("error")?,
        started_at: row.maybe_time("started_at")?,
        ended_at: row.maybe_time("ended_at")?,
    })
}

fn push_filter(statement: &mut Statement, filter: &RunFilter) {
    if let Some(requester) = filter.requester {
        statement.push(" AND r.requester_id = ").value(requester);
    }
    if !filter.statuses.is_empty() {
        let statuses = filter.statuses.iter().map(|status| status.as_str());
        statement.push(" AND r.status IN (").values(statuses).push(")");
    }
    if let Some(workflow) = &filter.workflow {
        statement.push(" AND r.namespace = ").value(workflow.namespace.as_str());
        statement.push(" AND r.name = ").value(workflow.name.as_str());
    }
    if let Some(namespace) = &filter.namespace {
        statement.push(" AND r.namespace = ").value(namespace.as_str());
    }
    if let Some(wanted) = filter.needs_attention {
        statement.push(if wanted { " AND r.needs_attention" } else { " AND NOT r.needs_attention" });
    }
    if let Some(text) = &filter.search {
        statement.push(" AND (").push(db::POSITION).push("(r.search_text, ").value(&search::fold(text)).push(") > 0");
        if let Some(number) = search::run_number(text) {
            statement.push(" OR r.number = ").value(number);
        }
        statement.push(")");
    }
}

/// Each namespace's first, then each one's second, and so on, beginning behind the namespace whose turn was last.
fn by_turns(claimed: impl Iterator<Item = Claimed>, last: Option<&Name>) -> Vec<Claimed> {
    let mut turns: BTreeMap<Name, u32> = BTreeMap::new();
    let mut ordered = BTreeMap::new();
    for claimed in claimed {
        let turn = turns.entry(claimed.namespace.clone()).or_default();
        *turn += 1;
        let waits_longer = last.is_some_and(|last| claimed.namespace <= *last);
        ordered.insert((*turn, waits_longer, claimed.namespace.clone()), claimed);
    }
    ordered.into_values().collect()
}

#[async_trait]
impl Runs for Unit {
    async fn insert_run(&mut self, run: &Run) -> Result<i64> {
        let statement = sql(concat!(
            "INSERT INTO runs (id, namespace, name, version, definition_digest, title, status, needs_attention, rejected, ",
            "compensated, requester_id, input, output, error, created_at, started_at, ended_at, updated_at, ",
            "journal_version, wake_at, search_text) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, ",
            "$15, $16, $17, $18, $19, $20, $21) RETURNING number"
        ))
        .bind(run.id)
        .bind(run.workflow.namespace.as_str())
        .bind(run.workflow.name.as_str())
        .bind(&run.version)
        .bind(&run.definition_digest)
        .bind(&run.title)
        .bind(run.status.as_str())
        .bind(run.needs_attention)
        .bind(run.rejected)
        .bind(run.compensated)
        .bind(run.requester_id)
        .bind(&run.input)
        .bind(run.output.as_deref())
        .bind(run.error.as_deref())
        .bind(run.created_at)
        .bind(run.started_at)
        .bind(run.ended_at)
        .bind(run.updated_at)
        .bind(run.journal_version)
        .bind(run.wake_at)
        .bind(&search::text_of_run(run));
        only(&self.execute_returning(statement).await?, |row| row.integer("number"))
    }

    async fn run(&mut self, id: RunId) -> Result<Option<Run>> {
        first(&self.fetch(sql(select!("WHERE r.id = $1")).bind(id)).await?, run)
    }

    async fn runs_by_id(&mut self, ids: &[RunId]) -> Result<Vec<Run>> {
        let mut runs = Vec::with_capacity(ids.len());
        for some in ids.chunks(IDS_PER_QUERY) {
            let mut statement = sql(select!("WHERE r.id IN ("));
            statement.values(some.iter().copied()).push(")");
            runs.extend(each(&self.fetch(statement).await?, run)?);
        }
        Ok(runs)
    }

    async fn run_by_number(&mut self, number: i64) -> Result<Option<Run>> {
        first(&self.fetch(sql(select!("WHERE r.number = $1")).bind(number)).await?, run)
    }

    async fn list_runs(
        &mut self,
        visible: &Visibility,
        filter: &RunFilter,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Run>> {
        let narrow = |statement: &mut Statement| {
            push_filter(statement, filter);
            if let Some(number) = before {
                statement.push(" AND r.number < ").value(number);
            }
        };
        let mut statement = sql(select!("WHERE TRUE"));
        if visible.everywhere {
            narrow(&mut statement);
        } else {
            visibility::push_newest(&mut statement, visible, limit, narrow);
        }
        statement.push(" ORDER BY r.number DESC").limit(limit);
        each(&self.fetch(statement).await?, run)
    }

    async fn run_is_visible(&mut self, visible: &Visibility, id: RunId) -> Result<bool> {
        let mut statement = sql("SELECT r.number FROM runs r WHERE r.id = $1").bind(id);
        visibility::push(&mut statement, visible);
        Ok(!self.fetch(statement).await?.is_empty())
    }

    async fn run_statistics(&mut self, workflow: &WorkflowRef, sample: u32) -> Result<RunStatistics> {
        let counts = sql(concat!(
            "SELECT count(*) FILTER (WHERE status IN ('cancelled', 'faulted', 'completed')) AS ended, ",
            "count(*) FILTER (WHERE status = 'completed') AS completed FROM (",
            "SELECT status FROM runs WHERE namespace = $1 AND name = $2 ORDER BY number DESC LIMIT $3) latest"
        ))
        .bind(workflow.namespace.as_str())
        .bind(workflow.name.as_str())
        .bind(sample);
        only(&self.fetch(counts).await?, |row| {
            Ok(RunStatistics { ended: row.count("ended")?, completed: row.count("completed")? })
        })
    }

    async fn run_durations(&mut self, workflow: &WorkflowRef, sample: u32) -> Result<Vec<i64>> {
        let durations = sql(concat!(
            "SELECT ended_at - created_at AS duration FROM runs WHERE namespace = $1 AND name = $2 ",
            "AND status = 'completed' AND ended_at IS NOT NULL ORDER BY ended_at DESC, number DESC LIMIT $3"
        ))
        .bind(workflow.namespace.as_str())
        .bind(workflow.name.as_str())
        .bind(sample);
        each(&self.fetch(durations).await?, |row| row.integer("duration"))
    }

    async fn last_launches(&mut self, requester: UserId, sample: u32) -> Result<Vec<(WorkflowRef, Timestamp)>> {
        let statement = sql(concat!(
            "SELECT namespace, name, max(created_at) AS last FROM (SELECT namespace, name, created_at FROM runs ",
            "WHERE requester_id = $1 ORDER BY number DESC LIMIT $2) latest GROUP BY namespace, name ORDER BY namespace, name"
        ))
        .bind(requester)
        .bind(sample);
        each(&self.fetch(statement).await?, |row| Ok((row.workflow()?, row.time("last")?)))
    }

    async fn count_open_runs(&mut self, workflow: &WorkflowRef, version: &str) -> Result<u64> {
        let statement = sql(concat!(
            "SELECT count(*) AS n FROM runs WHERE namespace = $1 AND name = $2 AND version = $3 ",
            "AND status IN ('pending', 'running', 'waiting', 'suspended')"
        ))
        .bind(workflow.namespace.as_str())
        .bind(workflow.name.as_str())
        .bind(version);
        only(&self.fetch(statement).await?, |row| row.count("n"))
    }

    async fn count_runs(&mut self) -> Result<Vec<(RunStatus, u64)>> {
        let statement = sql("SELECT status, count(*) AS n FROM runs GROUP BY status ORDER BY status");
        each(&self.fetch(statement).await?, |row| Ok((row.parsed("status")?, row.count("n")?)))
    }

    async fn claim_runs(
        &mut self,
        owner: &str,
        now: Timestamp,
        due: Timestamp,
        lease: Duration,
        limit: u32,
        last: Option<&Name>,
    ) -> Result<Vec<Claimed>> {
        let until = now + lease;
        let statement = sql(db::CLAIM_RUNS).bind(owner).bind(now).bind(until).bind(limit).bind(due);
        let statement = statement.bind(last.map_or("", Name::as_str));
        let mut claimed = each(&self.execute_returning(statement).await?, |row| {
            let (run, epoch) = (row.parsed("id")?, row.integer("lease_epoch")?);
            let lease = Lease { run, owner: owner.to_owned(), epoch, until };
            Ok((row.integer("due_at")?, Claimed { lease, namespace: row.parsed("namespace")? }))
        })?;
        claimed.sort_by_key(|(due, claimed)| (*due, claimed.lease.run));
        Ok(by_turns(claimed.into_iter().map(|(_, claimed)| claimed), last))
    }

    async fn claim_run(
        &mut self,
        id: RunId,
        owner: &str,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Option<(Lease, Run)>> {
        let until = now + lease;
        let statement = sql(concat!(
            "UPDATE runs SET lease_owner = $2, lease_epoch = lease_epoch + 1, lease_until = $4 ",
            "WHERE id = $1 AND due_at <= $3 AND (lease_until IS NULL OR lease_until <= $3) RETURNING lease_epoch, ",
            columns!()
        ))
        .bind(id)
        .bind(owner)
        .bind(now)
        .bind(until);
        first(&self.execute_returning(statement).await?, |row| {
            Ok((Lease { run: id, owner: owner.to_owned(), epoch: row.integer("lease_epoch")?, until }, run(row)?))
        })
    }

    async fn vacant_run(&mut self, id: RunId, now: Timestamp) -> Result<Option<(i64, Run)>> {
        let statement = sql(concat!(
            "SELECT lease_epoch, ",
            columns!(),
            " FROM runs WHERE id = $1 AND due_at <= $2 AND (lease_until IS NULL OR lease_until <= $2)"
        ));
        first(&self.fetch(statement.bind(id).bind(now)).await?, |row| Ok((row.integer("lease_epoch")?, run(row)?)))
    }

    async fn renew_lease(&mut self, lease: &Lease, until: Timestamp) -> Result<()> {
        let statement = sql("UPDATE runs SET lease_until = $4 WHERE id = $1 AND lease_owner = $2 AND lease_epoch = $3")
            .bind(lease.run)
            .bind(&lease.owner)
            .bind(lease.epoch)
            .bind(until);
        self.execute_one(statement).await
    }

    async fn release_lease(&mut self, lease: &Lease) -> Result<()> {
        let statement = sql(concat!(
            "UPDATE runs SET lease_owner = NULL, lease_until = NULL ",
            "WHERE id = $1 AND lease_owner = $2 AND lease_epoch = $3"
        ))
        .bind(lease.run)
        .bind(&lease.owner)
        .bind(lease.epoch);
        self.execute(statement).await?;
        Ok(())
    }

    async fn release_all_leases(&mut self) -> Result<()> {
        let statement = sql("UPDATE runs SET lease_owner = NULL, lease_until = NULL WHERE lease_until IS NOT NULL");
        self.execute(statement).await?;
        Ok(())
    }

    async fn replace_input(&mut self, id: RunId, input: &str) -> Result<()> {
        self.execute_one(sql("UPDATE runs SET input = $2 WHERE id = $1").bind(id).bind(input)).await
    }

    async fn advance_run(
        &mut self,
        lease: &Lease,
        run: &Run,
        expected: i64,
        entries: &[JournalEntry],
        taken: Option<Taken>,
        hold: Hold,
    ) -> Result<()> {
        let numbered = entries.iter().map(|entry| entry.version).eq(expected + 1..=run.journal_version);
        if !numbered || expected < 0 || run.id != lease.run {
            return Err(StoreError::Inconsistent("the numbering of new journal entries".to_owned()));
        }
        self.gather_one("advanced", |update| {
            update.push("UPDATE runs SET version = ").value(&run.version);
            update.push(", definition_digest = ").value(&run.definition_digest).push(", title = ").value(&run.title);
            update.push(", status = ").value(run.status.as_str());
            update.push(", needs_attention = ").value(run.needs_attention).push(", rejected = ").value(run.rejected);
            update.push(", compensated = ").value(run.compensated).push(", output = ").value(run.output.as_deref());
            update.push(", error = ").value(run.error.as_deref()).push(", started_at = ").value(run.started_at);
            update.push(", ended_at = ").value(run.ended_at).push(", updated_at = ").value(run.updated_at);
            update.push(", journal_version = ").value(run.journal_version).push(", wake_at = ").value(run.wake_at);
            update.push(", waits_for = ").value(run.waits_for.map(WaitsFor::as_str));
            if let Some(taken) = taken {
                // Somebody may be pushing at this moment. That has locked the row, so the numbers are those after it.
                update.push(", inbox_open = inbox_open - ").value(taken.items);
                update.push(", inbox_since = CASE WHEN inbox_open > ").value(taken.items).push(" THEN inbox_since END");
            }
            if hold.gives_up() {
                update.push(", lease_owner = NULL, lease_until = NULL");
            }
            if hold == Hold::Take {
                update.push(", lease_owner = ").value(&lease.owner).push(", lease_until = ").value(lease.until);
            }
            if hold.takes() {
                update.push(", lease_epoch = ").value(lease.epoch);
                update.push(" WHERE id = ").value(run.id).push(" AND lease_epoch = ").value(lease.epoch - 1);
                update.push(" AND (lease_until IS NULL OR lease_until <= ").value(run.updated_at).push(")");
            } else {
                update.push(" WHERE id = ").value(run.id).push(" AND lease_epoch = ").value(lease.epoch);
                update.push(" AND lease_owner = ").value(&lease.owner);
            }
            update.push(" AND journal_version = ").value(expected);
            update.push(" RETURNING 1 AS done");
        })
        .await?;
        if let Some(taken) = taken {
            self.gather("inbox_rows_taken", |delete| {
                delete.push("DELETE FROM inbox WHERE run_id = ").value(run.id);
                delete.push(" AND seq <= ").value(taken.through);
            })
            .await?;
        }
        for some in entries.chunks(ROWS_PER_INSERT) {
            self.gather("journal_rows", |insert| {
                insert.push("INSERT INTO journal (run_id, version, at, event) VALUES ");
                for (index, entry) in some.iter().enumerate() {
                    insert.push(if index == 0 { "(" } else { ", (" });
                    insert.value(run.id).push(", ").value(entry.version).push(", ").value(entry.at).push(", ");
                    insert.value(&entry.event).push(")");
                }
            })
            .await?;
        }
        Ok(())
    }

    async fn journal(&mut self, run: RunId, after: i64, limit: u32) -> Result<Vec<JournalEntry>> {
        let statement =
            sql("SELECT version, at, event FROM journal WHERE run_id = $1 AND version > $2 ORDER BY version LIMIT $3")
                .bind(run)
                .bind(after)
                .bind(limit);
        each(&self.fetch(statement).await?, |row| {
            Ok(JournalEntry { version: row.integer("version")?, at: row.time("at")?, event: row.text("event")? })
        })
    }

    async fn snapshot_of(&mut self, run: RunId) -> Result<Option<(i64, String)>> {
        let rows = self.fetch(sql("SELECT version, state FROM snapshots WHERE run_id = $1").bind(run)).await?;
        first(&rows, |row| Ok((row.integer("version")?, row.text("state")?)))
    }

    async fn put_snapshot(&mut self, run: RunId, version: i64, state: &str) -> Result<()> {
        self.gather("snapshot_row", |insert| {
            insert.push("INSERT INTO snapshots (run_id, version, state) VALUES (");
            insert.value(run).push(", ").value(version).push(", ").value(state);
            insert.push(") ON CONFLICT (run_id) DO UPDATE SET version = excluded.version, state = excluded.state");
        })
        .await
    }

    async fn lock_runs(&mut self, runs: &[RunId]) -> Result<()> {
        if self.lock_clause().is_empty() || runs.is_empty() {
            return Ok(());
        }
        let mut statement = sql("SELECT r.id FROM runs r WHERE r.id IN (");
        statement.values(runs.iter().copied()).push(") ORDER BY r.id").push(self.lock_clause());
        self.fetch(statement).await?;
        Ok(())
    }

    async fn push_inboxes(&mut self, events: &[(RunId, &str)], at: Timestamp) -> Result<()> {
        let mut rest = events;
        while !rest.is_empty() {
            // The runs' rows first: holding them, events of one run get their `seq` in the order in which they become
            // visible, so that whoever takes up to a `seq` never takes one that it has not seen.
            let mut addressed = BTreeSet::new();
            let alike = rest.iter().take(ROWS_PER_INSERT).take_while(|(run, _)| addressed.insert(*run)).count();
            let (some, others) = rest.split_at(alike);
            rest = others;
            let mut wake = sql("UPDATE runs SET inbox_open = inbox_open + 1, inbox_since = COALESCE(inbox_since, $1)");
            wake = wake.bind(at);
            wake.push(" WHERE id IN (").values(addressed).push(")");
            if self.execute(wake).await? < some.len() as u64 {
                return Err(StoreError::Reference("inbox.run_id".to_owned()));
            }
            self.gather("inbox_rows", |insert| {
                insert.push("INSERT INTO inbox (run_id, event, at) VALUES ");
                for (index, (run, event)) in some.iter().enumerate() {
                    insert.push(if index == 0 { "(" } else { ", (" });
                    insert.value(*run).push(", ").value(*event).push(", ").value(at).push(")");
                }
            })
            .await?;
        }
        Ok(())
    }

    async fn inbox(&mut self, run: RunId) -> Result<Vec<InboxItem>> {
        let statement = sql("SELECT seq, run_id, event FROM inbox WHERE run_id = $1 ORDER BY seq").bind(run);
        each(&self.fetch(statement).await?, |row| {
            Ok(InboxItem { seq: row.integer("seq")?, run: row.parsed("run_id")?, event: row.text("event")? })
        })
    }

    async fn put_tasks(&mut self, tasks: &[Task]) -> Result<()> {
        for some in tasks.chunks(ROWS_PER_INSERT) {
            self.gather("task_rows", |insert| {
                insert.push(concat!(
                    "INSERT INTO tasks (run_id, reference, occurrence, position, name, kind, status, call, attempts, ",
                    "compensation, input, output, error, started_at, ended_at) VALUES "
                ));
                for (index, task) in some.iter().enumerate() {
                    insert.push(if index == 0 { "(" } else { ", (" });
                    insert.value(task.run).push(", ").value(&task.reference).push(", ").value(task.occurrence);
                    insert.push(", ").value(task.position).push(", ").value(&task.name).push(", ").value(&task.kind);
                    insert.push(", ").value(task.status.as_str()).push(", ").value(task.call.map(i64::from));
                    insert.push(", ").value(task.attempts).push(", ").value(task.compensation);
                    insert.push(", ").value(task.input.as_deref()).push(", ").value(task.output.as_deref());
                    insert.push(", ").value(task.error.as_deref()).push(", ").value(task.started_at);
                    insert.push(", ").value(task.ended_at).push(")");
                }
                insert.push(concat!(
                    " ON CONFLICT (run_id, reference, occurrence) DO UPDATE SET position = excluded.position, ",
                    "name = excluded.name, kind = excluded.kind, status = excluded.status, call = excluded.call, ",
                    "attempts = excluded.attempts, compensation = excluded.compensation, input = excluded.input, ",
                    "output = excluded.output, error = excluded.error, started_at = excluded.started_at, ",
                    "ended_at = excluded.ended_at"
                ));
            })
            .await?;
        }
        Ok(())
    }

    async fn tasks(&mut self, run: RunId) -> Result<Vec<Task>> {
        let statement = sql(concat!(
            "SELECT run_id, reference, occurrence, position, name, kind, status, call, attempts, compensation, input, ",
            "output, error, started_at, ended_at FROM tasks WHERE run_id = $1 ORDER BY position, reference, occurrence"
        ));
        each(&self.fetch(statement.bind(run)).await?, task)
    }

    async fn put_effect(&mut self, key: &str, result: &str, at: Timestamp) -> Result<()> {
        let statement =
            sql("INSERT INTO effects (key, result, at) VALUES ($1, $2, $3)").bind(key).bind(result).bind(at);
        self.execute(statement).await?;
        Ok(())
    }

    async fn effect(&mut self, key: &str) -> Result<Option<String>> {
        let rows = self.fetch(sql("SELECT result FROM effects WHERE key = $1").bind(key)).await?;
        first(&rows, |row| row.text("result"))
    }
}
