use async_trait::async_trait;
use domain::WorkflowRef;
use store::{
    Result,
    workflows::{ListedVersion, VersionFilter, VersionKey, VersionState, WorkflowVersion, Workflows},
};

use crate::{
    row::{Columns, each, first},
    statement::sql,
    unit::Unit,
};

macro_rules! columns {
    () => {
        "namespace, name, version, state, source, resources, digest, title, created_by, created_at, \
         changed_by, changed_at, sort_key"
    };
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT ", columns!(), " FROM workflow_versions ", $rest)
    };
}

fn listed(row: &Columns<'_>) -> Result<ListedVersion> {
    Ok(ListedVersion {
        workflow: row.workflow()?,
        version: row.text("version")?,
        state: row.parsed("state")?,
        digest: row.text("digest")?,
        title: row.text("title")?,
        changed_by: row.maybe_parsed("changed_by")?,
        changed_at: row.time("changed_at")?,
        sort_key: row.text("sort_key")?,
    })
}

fn version(row: &Columns<'_>) -> Result<WorkflowVersion> {
    Ok(WorkflowVersion {
        workflow: row.workflow()?,
        version: row.text("version")?,
        state: row.parsed("state")?,
        source: row.text("source")?,
        resources: row.text("resources")?,
        digest: row.text("digest")?,
        title: row.text("title")?,
        created_by: row.maybe_parsed("created_by")?,
        created_at: row.time("created_at")?,
        changed_by: row.maybe_parsed("changed_by")?,
        changed_at: row.time("changed_at")?,
        sort_key: row.text("sort_key")?,
    })
}

#[async_trait]
impl Workflows for Unit {
    async fn workflow_version(&mut self, workflow: &WorkflowRef, text: &str) -> Result<Option<WorkflowVersion>> {
        let statement = sql(select!("WHERE namespace = $1 AND name = $2 AND version = $3"))
            .bind(workflow.namespace.as_str())
            .bind(workflow.name.as_str())
            .bind(text);
        first(&self.fetch(statement).await?, version)
    }

    async fn lock_version(&mut self, workflow: &WorkflowRef, text: &str) -> Result<Option<WorkflowVersion>> {
        let mut statement = sql(select!("WHERE namespace = $1 AND name = $2 AND version = $3"))
            .bind(workflow.namespace.as_str())
            .bind(workflow.name.as_str())
            .bind(text);
        statement.push(self.lock_clause());
        first(&self.fetch(statement).await?, version)
    }

    async fn launchable_version(&mut self, workflow: &WorkflowRef) -> Result<Option<WorkflowVersion>> {
        let statement = sql(select!(
            "WHERE namespace = $1 AND name = $2 AND state = 'published' ORDER BY sort_key DESC, version DESC LIMIT 1"
        ))
        .bind(workflow.namespace.as_str())
        .bind(workflow.name.as_str());
        first(&self.fetch(statement).await?, version)
    }

    async fn launchable_versions(&mut self) -> Result<Vec<WorkflowVersion>> {
        let statement = sql(concat!(
            "SELECT ",
            columns!(),
            " FROM (SELECT ",
            columns!(),
            ", row_number() OVER (PARTITION BY namespace, name ORDER BY sort_key DESC, version DESC) AS place ",
            "FROM workflow_versions WHERE state = 'published') AS published WHERE place = 1 ORDER BY namespace, name"
        ));
        each(&self.fetch(statement).await?, version)
    }

    async fn versions_of(&mut self, workflow: &WorkflowRef) -> Result<Vec<WorkflowVersion>> {
        let statement = sql(select!("WHERE namespace = $1 AND name = $2 ORDER BY sort_key DESC, version DESC"))
            .bind(workflow.namespace.as_str())
            .bind(workflow.name.as_str());
        each(&self.fetch(statement).await?, version)
    }

    async fn list_versions(
        &mut self,
        filter: &VersionFilter,
        after: Option<&VersionKey>,
        limit: u32,
    ) -> Result<Vec<ListedVersion>> {
        let mut statement = sql(concat!(
            "SELECT namespace, name, version, state, digest, title, changed_by, changed_at, sort_key ",
            "FROM workflow_versions WHERE TRUE"
        ));
        match filter.namespaces.as_deref() {
            None => {}
            Some([]) => return Ok(Vec::new()),
            Some(namespaces) => {
                statement.push(" AND namespace IN (");
                statement.values(namespaces.iter().map(domain::Name::as_str)).push(")");
            }
        }
        if let Some(state) = filter.state {
            statement.push(" AND state = ").value(state.as_str());
        }
        if let Some(key) = after {
            let (namespace, name) = (key.workflow.namespace.as_str(), key.workflow.name.as_str());
            statement.push(" AND ((namespace, name) > (").value(namespace).push(", ").value(name);
            statement.push(") OR namespace = ").value(namespace).push(" AND name = ").value(name);
            statement
                .push(" AND (sort_key, version) < (")
                .value(&key.sort_key)
                .push(", ")
                .value(&key.version)
                .push("))");
        }
        statement.push(" ORDER BY namespace, name, sort_key DESC, version DESC").limit(limit);
        each(&self.fetch(statement).await?, listed)
    }

    async fn insert_version(&mut self, version: &WorkflowVersion) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO workflow_versions (",
            columns!(),
            ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
        ))
        .bind(version.workflow.namespace.as_str())
        .bind(version.workflow.name.as_str())
        .bind(&version.version)
        .bind(version.state.as_str())
        .bind(&version.source)
        .bind(&version.resources)
        .bind(&version.digest)
        .bind(&version.title)
        .bind(version.created_by)
        .bind(version.created_at)
        .bind(version.changed_by)
        .bind(version.changed_at)
        .bind(&version.sort_key);
        self.execute(statement).await?;
        Ok(())
    }

    async fn update_version(&mut self, version: &WorkflowVersion, from: VersionState) -> Result<()> {
        let statement = sql(concat!(
            "UPDATE workflow_versions SET state = $5, source = $6, resources = $7, digest = $8, title = $9, ",
            "changed_by = $10, changed_at = $11 WHERE namespace = $1 AND name = $2 AND version = $3 AND state = $4"
        ))
        .bind(version.workflow.namespace.as_str())
        .bind(version.workflow.name.as_str())
        .bind(&version.version)
        .bind(from.as_str())
        .bind(version.state.as_str())
        .bind(&version.source)
        .bind(&version.resources)
        .bind(&version.digest)
        .bind(&version.title)
        .bind(version.changed_by)
        .bind(version.changed_at);
        self.execute_one(statement).await
    }

    async fn delete_draft_version(&mut self, workflow: &WorkflowRef, version: &str) -> Result<bool> {
        let statement = sql(concat!(
            "DELETE FROM workflow_versions ",
            "WHERE namespace = $1 AND name = $2 AND version = $3 AND state = 'draft'"
        ))
        .bind(workflow.namespace.as_str())
        .bind(workflow.name.as_str())
        .bind(version);
        Ok(self.execute(statement).await? > 0)
    }
}
