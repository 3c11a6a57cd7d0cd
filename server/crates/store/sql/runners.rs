use std::collections::BTreeSet;

use async_trait::async_trait;
use domain::{Name, RunnerId, RunnerState, Timestamp};
use store::{
    Result, StoreError,
    runners::{Beginning, Demand, Held, Runner, RunnerTask, Runners, TaskKey, Turn},
};

use crate::{
    db,
    row::{Columns, each, first},
    statement::sql,
    unit::Unit,
};

/// Tasks that are looked for by one query.
const KEYS: usize = 250;

macro_rules! select_runner {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, labels, namespaces, token_hash, state, created_by, created_at, instance, session, turn, ",
            "version, capacity, load, seen_at FROM runners ",
            $rest
        )
    };
}

macro_rules! columns {
    () => {
        "run_id, call, reference, namespace, labels, idempotent, deadline, state, epoch, runner_id, lease_until, stopped, \
         queued_at, started_at, done_at, outcome"
    };
}

macro_rules! select_task {
    ($rest:literal) => {
        concat!("SELECT ", columns!(), " FROM runner_tasks ", $rest)
    };
}

/// Words with spaces between them, as they are stored.
fn words<T: ToString>(words: &[T]) -> String {
    words.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn parsed<T: std::str::FromStr>(text: &str, column: &str) -> Result<Vec<T>> {
    let words = text.split(' ').filter(|word| !word.is_empty()).map(str::parse);
    words.collect::<std::result::Result<_, _>>().map_err(|_| StoreError::Inconsistent(format!("the column {column}")))
}

fn runner(row: &Columns<'_>) -> Result<Runner> {
    Ok(Runner {
        id: row.parsed("id")?,
        name: row.parsed("name")?,
        labels: parsed(&row.text("labels")?, "labels")?,
        namespaces: parsed(&row.text("namespaces")?, "namespaces")?,
        token_hash: row.text("token_hash")?,
        state: row.parsed("state")?,
        created_by: row.parsed("created_by")?,
        created_at: row.time("created_at")?,
        instance: row.maybe_text("instance")?,
        session: row.integer("session")?,
        turn: row.integer("turn")?,
        version: row.maybe_text("version")?,
        capacity: row.maybe_count("capacity")?,
        load: row.maybe_count("load")?,
        seen_at: row.maybe_time("seen_at")?,
    })
}

fn key(row: &Columns<'_>) -> Result<TaskKey> {
    Ok(TaskKey { run: row.parsed("run_id")?, call: row.count("call")? })
}

fn demand(row: &Columns<'_>) -> Result<Demand> {
    Ok(Demand { namespace: row.parsed("namespace")?, labels: parsed::<Name>(&row.text("labels")?, "labels")? })
}

fn task(row: &Columns<'_>) -> Result<RunnerTask> {
    Ok(RunnerTask {
        key: key(row)?,
        reference: row.text("reference")?,
        demand: demand(row)?,
        idempotent: row.flag("idempotent")?,
        deadline: row.maybe_time("deadline")?,
        state: row.parsed("state")?,
        epoch: row.integer("epoch")?,
        runner: row.maybe_parsed("runner_id")?,
        lease_until: row.maybe_time("lease_until")?,
        stopped: row.flag("stopped")?,
        queued_at: row.time("queued_at")?,
        started_at: row.maybe_time("started_at")?,
        done_at: row.maybe_time("done_at")?,
        outcome: row.maybe_text("outcome")?,
    })
}

#[async_trait]
impl Runners for Unit {
    async fn runner(&mut self, id: RunnerId) -> Result<Option<Runner>> {
        first(&self.fetch(sql(select_runner!("WHERE id = $1")).bind(id)).await?, runner)
    }

    async fn runner_by_token(&mut self, hash: &str) -> Result<Option<Runner>> {
        first(&self.fetch(sql(select_runner!("WHERE token_hash = $1")).bind(hash)).await?, runner)
    }

    async fn list_runners(&mut self) -> Result<Vec<Runner>> {
        each(&self.fetch(sql(select_runner!("ORDER BY name"))).await?, runner)
    }

    async fn insert_runner(&mut self, runner: &Runner) -> Result<bool> {
        let statement = sql(concat!(
            "INSERT INTO runners (id, name, labels, namespaces, token_hash, state, created_by, created_at, session, turn) ",
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (name) DO NOTHING"
        ))
        .bind(runner.id)
        .bind(runner.name.as_str())
        .bind(&words(&runner.labels))
        .bind(&words(&runner.namespaces))
        .bind(&runner.token_hash)
        .bind(runner.state.as_str())
        .bind(runner.created_by)
        .bind(runner.created_at)
        .bind(runner.session)
        .bind(runner.turn);
        Ok(self.execute(statement).await? > 0)
    }

    async fn update_runner_state(&mut self, id: RunnerId, state: RunnerState) -> Result<bool> {
        let statement = sql("UPDATE runners SET state = $2 WHERE id = $1");
        Ok(self.execute(statement.bind(id).bind(state.as_str())).await? > 0)
    }

    async fn delete_runner(&mut self, id: RunnerId) -> Result<bool> {
        Ok(self.execute(sql("DELETE FROM runners WHERE id = $1").bind(id)).await? > 0)
    }

    async fn begin_runner(&mut self, id: RunnerId, beginning: &Beginning, at: Timestamp) -> Result<Option<i64>> {
        let statement = sql(concat!(
            "UPDATE runners SET instance = $2, version = $3, capacity = $4, seen_at = $5, session = session + 1, turn = 0 ",
            "WHERE id = $1 RETURNING session"
        ))
        .bind(id)
        .bind(&beginning.instance)
        .bind(&beginning.version)
        .bind(beginning.capacity)
        .bind(at);
        first(&self.execute_returning(statement).await?, |row| row.integer("session"))
    }

    async fn take_runner_turn(&mut self, turn: Turn, load: u32, at: Timestamp) -> Result<bool> {
        let statement = sql(concat!(
            "UPDATE runners SET turn = $3, load = $4, seen_at = $5 ",
            "WHERE id = $1 AND session = $2 AND turn <= $3"
        ));
        let statement = statement.bind(turn.runner).bind(turn.session).bind(turn.turn).bind(load).bind(at);
        Ok(self.execute(statement).await? > 0)
    }

    async fn insert_runner_task(&mut self, task: &RunnerTask, payload: &str) -> Result<bool> {
        let statement = sql(concat!(
            "INSERT INTO runner_tasks (run_id, call, reference, namespace, labels, idempotent, deadline, payload, state, ",
            "epoch, stopped, queued_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'queued', $9, $10, $11) ",
            "ON CONFLICT (run_id, call) DO NOTHING"
        ))
        .bind(task.key.run)
        .bind(task.key.call)
        .bind(&task.reference)
        .bind(task.demand.namespace.as_str())
        .bind(&words(&task.demand.labels))
        .bind(task.idempotent)
        .bind(task.deadline)
        .bind(payload)
        .bind(task.epoch)
        .bind(task.stopped)
        .bind(task.queued_at);
        Ok(self.execute(statement).await? > 0)
    }

    async fn runner_task(&mut self, key: TaskKey) -> Result<Option<RunnerTask>> {
        let mut statement = sql(select_task!("WHERE run_id = $1 AND call = $2")).bind(key.run).bind(key.call);
        statement.push(self.lock_clause());
        first(&self.fetch(statement).await?, task)
    }

    async fn open_runner_tasks(&mut self) -> Result<Vec<RunnerTask>> {
        let statement = sql(select_task!("WHERE done_at IS NULL ORDER BY queued_at, run_id, call"));
        each(&self.fetch(statement).await?, task)
    }

    async fn queued_demands(&mut self) -> Result<Vec<Demand>> {
        let statement = sql(
            "SELECT DISTINCT namespace, labels FROM runner_tasks WHERE state = 'queued' ORDER BY namespace, labels",
        );
        each(&self.fetch(statement).await?, demand)
    }

    async fn lease_runner_tasks(
        &mut self,
        runner: RunnerId,
        demands: &[Demand],
        limit: u32,
        until: Timestamp,
    ) -> Result<Vec<(RunnerTask, String)>> {
        self.writing()?;
        if demands.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let mut statement = sql(concat!(
            "UPDATE runner_tasks SET state = 'leased', epoch = epoch + 1, runner_id = $1, lease_until = $2 ",
            "WHERE (run_id, call) IN (SELECT run_id, call FROM runner_tasks WHERE state = 'queued' AND ("
        ))
        .bind(runner)
        .bind(until);
        for (index, demand) in demands.iter().enumerate() {
            statement.push(if index == 0 { "(namespace = " } else { " OR (namespace = " });
            statement.value(demand.namespace.as_str()).push(" AND labels = ").value(&words(&demand.labels)).push(")");
        }
        statement.push(") ORDER BY queued_at, run_id, call").limit(limit).push(db::SKIP_LOCKED);
        statement.push(concat!(") RETURNING payload, ", columns!()));
        let rows = self.execute_returning(statement).await?;
        let mut leased = each(&rows, |row| Ok((task(row)?, row.text("payload")?)))?;
        leased.sort_by_key(|(task, _)| (task.queued_at, task.key));
        Ok(leased)
    }

    async fn tasks_of_runner(&mut self, runner: RunnerId) -> Result<Vec<RunnerTask>> {
        let statement = sql(select_task!("WHERE runner_id = $1 AND lease_until IS NOT NULL ORDER BY run_id, call"));
        each(&self.fetch(statement.bind(runner)).await?, task)
    }

    async fn renew_runner_tasks(&mut self, runner: RunnerId, until: Timestamp) -> Result<()> {
        let statement =
            sql("UPDATE runner_tasks SET lease_until = $2 WHERE runner_id = $1 AND lease_until IS NOT NULL");
        self.execute(statement.bind(runner).bind(until)).await?;
        Ok(())
    }

    async fn start_runner_task(&mut self, held: Held, runner: RunnerId, at: Timestamp) -> Result<bool> {
        let statement = sql(concat!(
            "UPDATE runner_tasks SET state = 'started', started_at = COALESCE(started_at, $5) WHERE run_id = $1 ",
            "AND call = $2 AND epoch = $3 AND runner_id = $4 AND lease_until IS NOT NULL AND NOT stopped"
        ));
        let statement = statement.bind(held.key.run).bind(held.key.call).bind(held.epoch).bind(runner).bind(at);
        Ok(self.execute(statement).await? > 0)
    }

    async fn requeue_runner_task(&mut self, held: Held) -> Result<bool> {
        let statement = sql(concat!(
            "UPDATE runner_tasks SET state = 'queued', runner_id = NULL, lease_until = NULL, started_at = NULL ",
            "WHERE run_id = $1 AND call = $2 AND epoch = $3 AND lease_until IS NOT NULL"
        ));
        Ok(self.execute(statement.bind(held.key.run).bind(held.key.call).bind(held.epoch)).await? > 0)
    }

    async fn finish_runner_task(&mut self, held: Held, outcome: &str, at: Timestamp) -> Result<bool> {
        let statement = sql(concat!(
            "UPDATE runner_tasks SET state = 'done', payload = NULL, lease_until = NULL, outcome = $4, done_at = $5 ",
            "WHERE run_id = $1 AND call = $2 AND epoch = $3 AND lease_until IS NOT NULL"
        ));
        let statement = statement.bind(held.key.run).bind(held.key.call).bind(held.epoch).bind(outcome).bind(at);
        Ok(self.execute(statement).await? > 0)
    }

    async fn stop_runner_task(&mut self, key: TaskKey, outcome: &str, at: Timestamp) -> Result<()> {
        let statement = sql(concat!(
            "UPDATE runner_tasks SET state = 'done', payload = NULL, lease_until = NULL, outcome = $3, done_at = $4, ",
            "stopped = TRUE WHERE run_id = $1 AND call = $2 AND state IN ('queued', 'leased')"
        ));
        self.execute(statement.bind(key.run).bind(key.call).bind(outcome).bind(at)).await?;
        let statement =
            sql("UPDATE runner_tasks SET stopped = TRUE WHERE run_id = $1 AND call = $2 AND state = 'started'");
        self.execute(statement.bind(key.run).bind(key.call)).await?;
        Ok(())
    }

    async fn expired_runner_tasks(&mut self, now: Timestamp, limit: u32) -> Result<Vec<RunnerTask>> {
        let mut statement =
            sql(select_task!("WHERE lease_until IS NOT NULL AND lease_until <= $1 ORDER BY lease_until, run_id, call"))
                .bind(now);
        statement.limit(limit);
        each(&self.fetch(statement).await?, task)
    }

    async fn finished_runner_tasks(&mut self, keys: &[TaskKey]) -> Result<Vec<TaskKey>> {
        let mut found = BTreeSet::new();
        for some in keys.chunks(KEYS) {
            let mut statement = sql("SELECT run_id, call FROM runner_tasks WHERE state = 'done' AND (");
            for (index, key) in some.iter().enumerate() {
                statement.push(if index == 0 { "(run_id = " } else { " OR (run_id = " });
                statement.value(key.run).push(" AND call = ").value(key.call).push(")");
            }
            statement.push(")");
            found.extend(each(&self.fetch(statement).await?, key)?);
        }
        Ok(found.into_iter().collect())
    }

    async fn runners_to_stop(&mut self) -> Result<Vec<RunnerId>> {
        let statement = sql(
            "SELECT DISTINCT runner_id FROM runner_tasks WHERE lease_until IS NOT NULL AND stopped ORDER BY runner_id",
        );
        each(&self.fetch(statement).await?, |row| row.parsed("runner_id"))
    }

    async fn stop_orphaned_runner_tasks(&mut self, outcome: &str, at: Timestamp) -> Result<u64> {
        let statement = sql(concat!(
            "UPDATE runner_tasks SET state = 'done', payload = NULL, lease_until = NULL, outcome = $1, done_at = $2, ",
            "stopped = TRUE WHERE state = 'queued' AND EXISTS (SELECT 1 FROM runs r WHERE r.id = run_id ",
            "AND r.status IN ('cancelled', 'faulted', 'completed') AND r.wake_at IS NULL AND r.lease_until IS NULL)"
        ));
        self.execute(statement.bind(outcome).bind(at)).await
    }

    async fn delete_runner_tasks(&mut self, done_before: Timestamp) -> Result<u64> {
        let statement = sql(concat!(
            "DELETE FROM runner_tasks WHERE done_at IS NOT NULL AND done_at < $1 AND EXISTS (SELECT 1 FROM runs r ",
            "WHERE r.id = run_id AND r.status IN ('cancelled', 'faulted', 'completed') AND r.wake_at IS NULL ",
            "AND r.lease_until IS NULL)"
        ));
        self.execute(statement.bind(done_before)).await
    }
}
