use async_trait::async_trait;
use domain::{CommentId, Timestamp, UserId, WorkflowRef};
use store::{
    Result,
    reviews::{Reviews, VersionComment},
};

use crate::{
    row::{Columns, each},
    statement::sql,
    unit::Unit,
};

fn comment(row: &Columns<'_>) -> Result<VersionComment> {
    Ok(VersionComment {
        id: row.parsed("id")?,
        workflow: row.workflow()?,
        version: row.text("version")?,
        digest: row.text("digest")?,
        line: row.maybe_count("line")?,
        text: row.text("text")?,
        written_by: row.parsed("written_by")?,
        written_at: row.time("written_at")?,
        resolved_by: row.maybe_parsed("resolved_by")?,
        resolved_at: row.maybe_time("resolved_at")?,
    })
}

#[async_trait]
impl Reviews for Unit {
    async fn add_version_author(
        &mut self,
        workflow: &WorkflowRef,
        version: &str,
        user: UserId,
        at: Timestamp,
    ) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO version_authors (namespace, name, version, user_id, since) VALUES ($1, $2, $3, $4, $5) ",
            "ON CONFLICT (namespace, name, version, user_id) DO NOTHING"
        ))
        .bind(workflow.namespace.as_str())
        .bind(workflow.name.as_str())
        .bind(version)
        .bind(user)
        .bind(at);
        self.execute(statement).await?;
        Ok(())
    }

    async fn version_authors(&mut self, workflow: &WorkflowRef, version: &str) -> Result<Vec<UserId>> {
        let statement = sql(concat!(
            "SELECT user_id FROM version_authors WHERE namespace = $1 AND name = $2 AND version = $3 ",
            "ORDER BY since, user_id"
        ))
        .bind(workflow.namespace.as_str())
        .bind(workflow.name.as_str())
        .bind(version);
        each(&self.fetch(statement).await?, |row| row.parsed("user_id"))
    }

    async fn insert_version_comment(&mut self, comment: &VersionComment) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO version_comments (id, namespace, name, version, digest, line, text, written_by, written_at, ",
            "resolved_by, resolved_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
        ))
        .bind(comment.id)
        .bind(comment.workflow.namespace.as_str())
        .bind(comment.workflow.name.as_str())
        .bind(&comment.version)
        .bind(&comment.digest)
        .bind(comment.line.map(i64::from))
        .bind(&comment.text)
        .bind(comment.written_by)
        .bind(comment.written_at)
        .bind(comment.resolved_by)
        .bind(comment.resolved_at);
        self.execute(statement).await?;
        Ok(())
    }

    async fn version_comments(&mut self, workflow: &WorkflowRef, version: &str) -> Result<Vec<VersionComment>> {
        let statement = sql(concat!(
            "SELECT id, namespace, name, version, digest, line, text, written_by, written_at, resolved_by, resolved_at ",
            "FROM version_comments WHERE namespace = $1 AND name = $2 AND version = $3 ORDER BY written_at, id"
        ))
        .bind(workflow.namespace.as_str())
        .bind(workflow.name.as_str())
        .bind(version);
        each(&self.fetch(statement).await?, comment)
    }

    async fn resolve_version_comment(&mut self, id: CommentId, by: UserId, at: Timestamp) -> Result<()> {
        let statement = sql(concat!(
            "UPDATE version_comments SET resolved_by = $2, resolved_at = $3 ",
            "WHERE id = $1 AND resolved_at IS NULL"
        ))
        .bind(id)
        .bind(by)
        .bind(at);
        self.execute_one(statement).await
    }
}
