use async_trait::async_trait;
use domain::{RunId, Timestamp, WorkflowRef};
use store::{
    Result,
    controls::{Controls, NamedControl, RunVersion, UnreadVersion, VersionRuns},
};

use crate::{
    row::{Columns, each, only},
    statement::{IDS_PER_QUERY, sql},
    unit::Unit,
};

fn run_version(row: &Columns<'_>) -> Result<RunVersion> {
    Ok(RunVersion {
        number: row.integer("number")?,
        workflow: row.workflow()?,
        version: row.text("version")?,
        at: row.time("at")?,
    })
}

#[async_trait]
impl Controls for Unit {
    async fn unread_versions(&mut self, limit: u32) -> Result<Vec<UnreadVersion>> {
        let statement = sql(concat!(
            "SELECT v.namespace, v.name, v.version, v.source FROM workflow_versions v ",
            "WHERE v.state IN ('published', 'retired') AND NOT EXISTS (SELECT 1 FROM controls_read c ",
            "WHERE c.namespace = v.namespace AND c.name = v.name AND c.version = v.version) ",
            "ORDER BY v.namespace, v.name, v.version LIMIT $1"
        ));
        each(&self.fetch(statement.bind(limit)).await?, |row| {
            Ok(UnreadVersion { workflow: row.workflow()?, version: row.text("version")?, source: row.text("source")? })
        })
    }

    async fn put_version_controls(&mut self, workflow: &WorkflowRef, version: &str, controls: &[String]) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO controls_read (namespace, name, version) VALUES ($1, $2, $3) ",
            "ON CONFLICT (namespace, name, version) DO NOTHING"
        ))
        .bind(workflow.namespace.as_str())
        .bind(workflow.name.as_str())
        .bind(version);
        if self.execute(statement).await? == 0 || controls.is_empty() {
            return Ok(());
        }
        let mut insert = sql("INSERT INTO version_controls (namespace, name, version, control) VALUES ");
        for (index, control) in controls.iter().enumerate() {
            insert.push(if index == 0 { "(" } else { ", (" });
            insert.value(workflow.namespace.as_str()).push(", ").value(workflow.name.as_str()).push(", ");
            insert.value(version).push(", ").value(control).push(")");
        }
        self.execute(insert).await?;
        Ok(())
    }

    async fn named_controls(&mut self) -> Result<Vec<NamedControl>> {
        let statement = sql(concat!(
            "SELECT c.control, v.namespace, v.name, v.version, v.state, v.title FROM version_controls c ",
            "JOIN workflow_versions v ON v.namespace = c.namespace AND v.name = c.name AND v.version = c.version ",
            "ORDER BY c.control, v.namespace, v.name, v.sort_key, v.version"
        ));
        each(&self.fetch(statement).await?, |row| {
            Ok(NamedControl {
                control: row.text("control")?,
                workflow: row.workflow()?,
                version: row.text("version")?,
                state: row.parsed("state")?,
                title: row.text("title")?,
            })
        })
    }

    async fn version_runs(&mut self, from: Timestamp, until: Timestamp) -> Result<Vec<VersionRuns>> {
        let statement = sql(concat!(
            "SELECT v.namespace, v.name, v.version, ",
            "(SELECT count(*) FROM runs r WHERE r.namespace = v.namespace AND r.name = v.name ",
            "AND r.version = v.version AND r.created_at >= $1 AND r.created_at < $2) AS runs, ",
            "(SELECT r.number FROM runs r WHERE r.namespace = v.namespace AND r.name = v.name ",
            "AND r.version = v.version ORDER BY r.created_at DESC, r.number DESC LIMIT 1) AS last_number, ",
            "(SELECT max(r.created_at) FROM runs r WHERE r.namespace = v.namespace AND r.name = v.name ",
            "AND r.version = v.version) AS last_at ",
            "FROM (SELECT DISTINCT namespace, name, version FROM version_controls) v ",
            "ORDER BY v.namespace, v.name, v.version"
        ));
        each(&self.fetch(statement.bind(from).bind(until)).await?, |row| {
            let last = row.maybe_integer("last_number")?.zip(row.maybe_time("last_at")?);
            let (workflow, version) = (row.workflow()?, row.text("version")?);
            Ok(VersionRuns { workflow, version, runs: row.count("runs")?, last })
        })
    }

    async fn runs_of_versions(
        &mut self,
        versions: &[(WorkflowRef, String)],
        from: Timestamp,
        until: Timestamp,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<(i64, RunId)>> {
        if versions.is_empty() {
            return Ok(Vec::new());
        }
        let mut statement = sql("SELECT r.number, r.id FROM runs r WHERE (");
        for (index, (workflow, version)) in versions.iter().enumerate() {
            statement.push(if index == 0 { "r.namespace = " } else { " OR r.namespace = " });
            statement.value(workflow.namespace.as_str()).push(" AND r.name = ").value(workflow.name.as_str());
            statement.push(" AND r.version = ").value(version);
            // Within each, so that each goes along its part of the index.
            statement.push(" AND r.created_at >= ").value(from).push(" AND r.created_at < ").value(until);
        }
        statement.push(")");
        if let Some(before) = before {
            statement.push(" AND r.number < ").value(before);
        }
        statement.push(" ORDER BY r.number DESC").limit(limit);
        each(&self.fetch(statement).await?, |row| Ok((row.integer("number")?, row.parsed("id")?)))
    }

    async fn versions_of_numbers(&mut self, numbers: &[i64]) -> Result<Vec<RunVersion>> {
        let mut all = Vec::with_capacity(numbers.len());
        for some in numbers.chunks(IDS_PER_QUERY) {
            let mut statement = sql(concat!(
                "SELECT number, namespace, name, version, COALESCE(ended_at, updated_at) AS at FROM runs ",
                "WHERE number IN ("
            ));
            statement.values(some.iter().copied()).push(")");
            all.extend(each(&self.fetch(statement).await?, run_version)?);
        }
        all.sort_by_key(|run| run.number);
        Ok(all)
    }

    async fn faulted_for_attention(
        &mut self,
        from: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<RunVersion>> {
        let mut statement = sql(concat!(
            "SELECT r.number, r.namespace, r.name, r.version, COALESCE(r.ended_at, r.updated_at) AS at FROM runs r ",
            "WHERE r.needs_attention AND r.status = 'faulted' AND COALESCE(r.ended_at, r.updated_at) >= "
        ));
        statement.value(from).push(" AND COALESCE(r.ended_at, r.updated_at) < ").value(until);
        statement.push(" ORDER BY r.number DESC").limit(limit);
        each(&self.fetch(statement).await?, run_version)
    }

    async fn controls_indexed(&mut self) -> Result<i64> {
        let mut statement = sql("SELECT seq FROM audit_controls_indexed WHERE id = 1");
        statement.push(self.lock_clause());
        only(&self.fetch(statement).await?, |row| row.integer("seq"))
    }

    async fn index_controls(&mut self, before: i64, through: i64) -> Result<()> {
        let moved = sql("UPDATE audit_controls_indexed SET seq = $2 WHERE id = 1 AND seq = $1");
        self.execute_one(moved.bind(before).bind(through)).await?;
        let of_runs = sql(concat!(
            "INSERT INTO audit_controls (control, seq) ",
            "SELECT c.control, e.seq FROM audit_entries e ",
            "JOIN runs r ON r.id = CASE WHEN e.resource_kind = 'approval' ",
            "THEN (SELECT a.run_id FROM approvals a WHERE a.id = e.resource_id) ELSE e.resource_id END ",
            "JOIN version_controls c ON c.namespace = r.namespace AND c.name = r.name AND c.version = r.version ",
            "WHERE e.seq > $1 AND e.seq <= $2 ON CONFLICT DO NOTHING"
        ));
        self.execute(of_runs.bind(before).bind(through)).await?;
        let of_versions = sql(concat!(
            "INSERT INTO audit_controls (control, seq) ",
            "SELECT c.control, e.seq FROM audit_entries e ",
            "JOIN version_controls c ON e.resource_name = c.namespace || '/' || c.name || ' ' || c.version ",
            "WHERE e.seq > $1 AND e.seq <= $2 AND e.outcome = 'done' AND e.action IN ",
            "('definition.publish', 'definition.merge', 'definition.retire', 'workflow.publish') ",
            "ON CONFLICT DO NOTHING"
        ));
        self.execute(of_versions.bind(before).bind(through)).await?;
        Ok(())
    }
}
