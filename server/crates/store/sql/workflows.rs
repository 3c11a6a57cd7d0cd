use async_trait::async_trait;
use domain::WorkflowRef;
use store::{
    Result, StoreError,
    workflows::{VersionState, WorkflowVersion, Workflows},
};

use crate::{
    row::{Columns, each, first},
    statement::sql,
    unit::Unit,
};

macro_rules! columns {
    () => {
        "namespace, name, version, state, source, resources, digest, title, created_by, created_at, sort_key"
    };
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT ", columns!(), " FROM workflow_versions ", $rest)
    };
}

fn state_text(state: VersionState) -> &'static str {
    match state {
        VersionState::Draft => "draft",
        VersionState::InReview => "in-review",
        VersionState::Published => "published",
        VersionState::Retired => "retired",
    }
}

fn version(row: &Columns<'_>) -> Result<WorkflowVersion> {
    let state = match row.text("state")?.as_str() {
        "draft" => VersionState::Draft,
        "in-review" => VersionState::InReview,
        "published" => VersionState::Published,
        "retired" => VersionState::Retired,
        _ => return Err(StoreError::Inconsistent("the state of a workflow version".to_owned())),
    };
    Ok(WorkflowVersion {
        workflow: row.workflow()?,
        version: row.text("version")?,
        state,
        source: row.text("source")?,
        resources: row.text("resources")?,
        digest: row.text("digest")?,
        title: row.text("title")?,
        created_by: row.maybe_parsed("created_by")?,
        created_at: row.time("created_at")?,
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

    async fn insert_version(&mut self, version: &WorkflowVersion) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO workflow_versions (",
            columns!(),
            ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
        ))
        .bind(version.workflow.namespace.as_str())
        .bind(version.workflow.name.as_str())
        .bind(&version.version)
        .bind(state_text(version.state))
        .bind(&version.source)
        .bind(&version.resources)
        .bind(&version.digest)
        .bind(&version.title)
        .bind(version.created_by)
        .bind(version.created_at)
        .bind(&version.sort_key);
        self.execute(statement).await?;
        Ok(())
    }

    async fn move_version(
        &mut self,
        workflow: &WorkflowRef,
        version: &str,
        from: VersionState,
        to: VersionState,
    ) -> Result<()> {
        let statement = sql(concat!(
            "UPDATE workflow_versions SET state = $5 ",
            "WHERE namespace = $1 AND name = $2 AND version = $3 AND state = $4"
        ))
        .bind(workflow.namespace.as_str())
        .bind(workflow.name.as_str())
        .bind(version)
        .bind(state_text(from))
        .bind(state_text(to));
        self.execute_one(statement).await
    }
}
