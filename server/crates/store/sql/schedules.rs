use async_trait::async_trait;
use domain::{RunId, Timestamp, Trigger, WorkflowRef};
use store::{
    Result,
    events::{Filter, KeptEvent},
    schedules::{Schedule, Schedules},
};

use crate::{
    db,
    events::{filter_key, key, push_filters},
    row::{Columns, each, first, only},
    statement::sql,
    unit::Unit,
};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT namespace, name, kind, version, anchor, due_at, fired_at, run_id, refused, seen, gathered FROM schedules ",
            $rest
        )
    };
}

fn schedule(row: &Columns<'_>) -> Result<Schedule> {
    Ok(Schedule {
        workflow: row.workflow()?,
        trigger: row.parsed("kind")?,
        version: row.text("version")?,
        anchor: row.time("anchor")?,
        due_at: row.maybe_time("due_at")?,
        fired_at: row.maybe_time("fired_at")?,
        run: row.maybe_parsed("run_id")?,
        refused: row.maybe_text("refused")?,
        seen: row.integer("seen")?,
        gathered: row.maybe_text("gathered")?,
    })
}

#[async_trait]
impl Schedules for Unit {
    async fn schedules_of(&mut self, workflow: &WorkflowRef) -> Result<Vec<Schedule>> {
        let statement = sql(select!("WHERE namespace = $1 AND name = $2 ORDER BY kind"))
            .bind(workflow.namespace.as_str())
            .bind(workflow.name.as_str());
        each(&self.fetch(statement).await?, schedule)
    }

    async fn insert_schedule(&mut self, schedule: &Schedule, filters: &[Filter<'_>]) -> Result<()> {
        let workflow = &schedule.workflow;
        let statement = sql(concat!(
            "INSERT INTO schedules (namespace, name, kind, version, anchor, due_at, fired_at, run_id, seen, gathered, ",
            "refused) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
        ))
        .bind(workflow.namespace.as_str())
        .bind(workflow.name.as_str())
        .bind(schedule.trigger.as_str())
        .bind(&schedule.version)
        .bind(schedule.anchor)
        .bind(schedule.due_at)
        .bind(schedule.fired_at)
        .bind(schedule.run)
        .bind(schedule.seen)
        .bind(schedule.gathered.as_deref())
        .bind(schedule.refused.as_deref());
        self.execute(statement).await?;
        for filter in filters {
            let statement = sql(concat!(
                "INSERT INTO schedule_filters (namespace, name, type_key, source_key) VALUES ($1, $2, $3, $4) ",
                "ON CONFLICT DO NOTHING"
            ))
            .bind(workflow.namespace.as_str())
            .bind(workflow.name.as_str())
            .bind(&filter_key(filter.kind))
            .bind(&filter_key(filter.source));
            self.execute(statement).await?;
        }
        Ok(())
    }

    async fn delete_schedules(&mut self, workflow: &WorkflowRef) -> Result<()> {
        for text in [
            "DELETE FROM schedules WHERE namespace = $1 AND name = $2",
            "DELETE FROM schedule_filters WHERE namespace = $1 AND name = $2",
        ] {
            self.execute(sql(text).bind(workflow.namespace.as_str()).bind(workflow.name.as_str())).await?;
        }
        Ok(())
    }

    async fn claim_schedule(&mut self, now: Timestamp) -> Result<Option<Schedule>> {
        self.writing()?;
        let mut statement =
            sql(select!("WHERE due_at IS NOT NULL AND due_at <= $1 ORDER BY due_at, namespace, name, kind LIMIT 1"))
                .bind(now);
        statement.push(db::SKIP_LOCKED);
        first(&self.fetch(statement).await?, schedule)
    }

    async fn advance_schedule(&mut self, schedule: &Schedule) -> Result<()> {
        let statement = sql(concat!(
            "UPDATE schedules SET due_at = $5, fired_at = $6, run_id = $7, seen = $8, gathered = $9, refused = $10 ",
            "WHERE namespace = $1 AND name = $2 AND kind = $3 AND version = $4"
        ))
        .bind(schedule.workflow.namespace.as_str())
        .bind(schedule.workflow.name.as_str())
        .bind(schedule.trigger.as_str())
        .bind(&schedule.version)
        .bind(schedule.due_at)
        .bind(schedule.fired_at)
        .bind(schedule.run)
        .bind(schedule.seen)
        .bind(schedule.gathered.as_deref())
        .bind(schedule.refused.as_deref());
        self.execute_one(statement).await
    }

    async fn next_schedule(&mut self) -> Result<Option<Timestamp>> {
        let statement = sql("SELECT min(due_at) AS at FROM schedules WHERE due_at IS NOT NULL");
        only(&self.fetch(statement).await?, |row| row.maybe_time("at"))
    }

    async fn schedule_after(&mut self, run: RunId, at: Timestamp) -> Result<bool> {
        let statement = sql("UPDATE schedules SET due_at = $2 WHERE run_id = $1 AND kind = $3")
            .bind(run)
            .bind(at)
            .bind(Trigger::After.as_str());
        Ok(self.execute(statement).await? > 0)
    }

    async fn call_schedules(
        &mut self,
        kind: &str,
        source: &str,
        about: Option<&WorkflowRef>,
        at: Timestamp,
    ) -> Result<bool> {
        // Whatever time it is due at now: the row must be waited for, or one who has just looked would miss this event.
        let mut statement = sql(concat!(
            "UPDATE schedules SET due_at = $1 WHERE kind = $2 AND EXISTS (SELECT 1 FROM schedule_filters f ",
            "WHERE f.namespace = schedules.namespace AND f.name = schedules.name ",
            "AND f.type_key IN ('', $3) AND f.source_key IN ('', $4))"
        ))
        .bind(at)
        .bind(Trigger::On.as_str())
        .bind(&key(kind))
        .bind(&key(source));
        if let Some(workflow) = about {
            statement.push(" AND NOT (namespace = ").value(workflow.namespace.as_str());
            statement.push(" AND name = ").value(workflow.name.as_str()).push(")");
        }
        Ok(self.execute(statement).await? > 0)
    }

    async fn end_of_stream(&mut self) -> Result<i64> {
        self.lock_stream().await?;
        let statement = sql("SELECT COALESCE(max(seq), 0) AS seq FROM events");
        only(&self.fetch(statement).await?, |row| row.integer("seq"))
    }

    async fn events_for_schedule(
        &mut self,
        workflow: &WorkflowRef,
        filters: &[Filter<'_>],
        seen: i64,
        limit: u32,
    ) -> Result<Vec<KeptEvent>> {
        let mut statement = sql(concat!(
            "SELECT e.seq, e.received_at, e.body FROM events e WHERE e.seq > $1 AND NOT EXISTS (SELECT 1 FROM runs r ",
            "WHERE r.id = e.run_id AND r.namespace = $2 AND r.name = $3)"
        ))
        .bind(seen)
        .bind(workflow.namespace.as_str())
        .bind(workflow.name.as_str());
        push_filters(&mut statement, filters);
        statement.push(" ORDER BY e.seq").limit(limit);
        each(&self.fetch(statement).await?, |row| {
            Ok(KeptEvent { seq: row.integer("seq")?, received_at: row.time("received_at")?, body: row.text("body")? })
        })
    }
}
