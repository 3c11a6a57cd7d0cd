use async_trait::async_trait;
use domain::{Name, Timestamp, WorkflowRef};
use store::{
    Result,
    repositories::{BroughtText, Look, Repositories, Repository},
};

use crate::{
    db,
    row::{Columns, each, first, only},
    statement::sql,
    unit::Unit,
};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT namespace, name, url, branch, folder, account, sealed_password, authority, sealed_hook, every_minutes, ",
            "changed_by, changed_at, due_at, looked_at, commit_id, files, failure FROM repositories ",
            $rest
        )
    };
}

fn repository(row: &Columns<'_>) -> Result<Repository> {
    Ok(Repository {
        namespace: row.parsed("namespace")?,
        name: row.parsed("name")?,
        url: row.text("url")?,
        branch: row.text("branch")?,
        folder: row.text("folder")?,
        account: row.maybe_text("account")?,
        sealed_password: row.maybe_text("sealed_password")?,
        authority: row.maybe_text("authority")?,
        sealed_hook: row.maybe_text("sealed_hook")?,
        every_minutes: row.maybe_count("every_minutes")?,
        changed_by: row.parsed("changed_by")?,
        changed_at: row.time("changed_at")?,
        due_at: row.maybe_time("due_at")?,
        look: Look {
            looked_at: row.maybe_time("looked_at")?,
            commit: row.maybe_text("commit_id")?,
            files: row.text("files")?,
            failure: row.maybe_text("failure")?,
        },
    })
}

#[async_trait]
impl Repositories for Unit {
    async fn repository(&mut self, namespace: &Name, name: &Name) -> Result<Option<Repository>> {
        let statement = sql(select!("WHERE namespace = $1 AND name = $2"));
        first(&self.fetch(statement.bind(namespace.as_str()).bind(name.as_str())).await?, repository)
    }

    async fn list_repositories(&mut self) -> Result<Vec<Repository>> {
        each(&self.fetch(sql(select!("ORDER BY namespace, name"))).await?, repository)
    }

    async fn put_repository(&mut self, repository: &Repository) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO repositories (namespace, name, url, branch, folder, account, sealed_password, authority, sealed_hook, ",
            "every_minutes, changed_by, changed_at, due_at, looked_at, commit_id, files, failure) ",
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) ",
            "ON CONFLICT (namespace, name) DO UPDATE SET url = excluded.url, branch = excluded.branch, ",
            "folder = excluded.folder, account = excluded.account, sealed_password = excluded.sealed_password, ",
            "authority = excluded.authority, sealed_hook = excluded.sealed_hook, every_minutes = excluded.every_minutes, ",
            "changed_by = excluded.changed_by, changed_at = excluded.changed_at, due_at = excluded.due_at, ",
            "looked_at = excluded.looked_at, commit_id = excluded.commit_id, files = excluded.files, ",
            "failure = excluded.failure"
        ))
        .bind(repository.namespace.as_str())
        .bind(repository.name.as_str())
        .bind(&repository.url)
        .bind(&repository.branch)
        .bind(&repository.folder)
        .bind(repository.account.as_deref())
        .bind(repository.sealed_password.as_deref())
        .bind(repository.authority.as_deref())
        .bind(repository.sealed_hook.as_deref())
        .bind(repository.every_minutes.map(i64::from))
        .bind(repository.changed_by)
        .bind(repository.changed_at)
        .bind(repository.due_at)
        .bind(repository.look.looked_at)
        .bind(repository.look.commit.as_deref())
        .bind(&repository.look.files)
        .bind(repository.look.failure.as_deref());
        self.execute(statement).await?;
        Ok(())
    }

    async fn delete_repository(&mut self, namespace: &Name, name: &Name) -> Result<bool> {
        let statement = sql("DELETE FROM repositories WHERE namespace = $1 AND name = $2");
        Ok(self.execute(statement.bind(namespace.as_str()).bind(name.as_str())).await? > 0)
    }

    async fn hasten_repository(&mut self, namespace: &Name, name: &Name, at: Timestamp) -> Result<bool> {
        let statement = sql(concat!(
            "UPDATE repositories SET due_at = CASE WHEN due_at < $3 THEN due_at ELSE $3 END ",
            "WHERE namespace = $1 AND name = $2"
        ));
        let statement = statement.bind(namespace.as_str()).bind(name.as_str()).bind(at);
        Ok(self.execute(statement).await? > 0)
    }

    async fn take_due_repository(&mut self, now: Timestamp, until: Timestamp) -> Result<Option<Repository>> {
        self.writing()?;
        let mut statement =
            sql(select!("WHERE due_at IS NOT NULL AND due_at <= $1 ORDER BY due_at, namespace, name LIMIT 1"))
                .bind(now);
        statement.push(db::SKIP_LOCKED);
        let Some(mut taken) = first(&self.fetch(statement).await?, repository)? else { return Ok(None) };
        let statement = sql("UPDATE repositories SET due_at = $3 WHERE namespace = $1 AND name = $2");
        self.execute(statement.bind(taken.namespace.as_str()).bind(taken.name.as_str()).bind(until)).await?;
        taken.due_at = Some(until);
        Ok(Some(taken))
    }

    async fn note_look(&mut self, taken: &Repository, look: &Look, next: Option<Timestamp>) -> Result<bool> {
        // Hastened it is due before the time at which it would be given up.
        let statement = sql(concat!(
            "UPDATE repositories SET looked_at = $5, commit_id = $6, files = $7, failure = $8, ",
            "due_at = CASE WHEN due_at = $4 THEN $9 ELSE due_at END ",
            "WHERE namespace = $1 AND name = $2 AND changed_at = $3 AND due_at <= $4"
        ))
        .bind(taken.namespace.as_str())
        .bind(taken.name.as_str())
        .bind(taken.changed_at)
        .bind(taken.due_at)
        .bind(look.looked_at)
        .bind(look.commit.as_deref())
        .bind(&look.files)
        .bind(look.failure.as_deref())
        .bind(next);
        Ok(self.execute(statement).await? > 0)
    }

    async fn brought_text(&mut self, workflow: &WorkflowRef, version: &str) -> Result<Option<BroughtText>> {
        let statement = sql(concat!(
            "SELECT namespace, name, version, repository, digest FROM brought_texts ",
            "WHERE namespace = $1 AND name = $2 AND version = $3"
        ));
        let statement = statement.bind(workflow.namespace.as_str()).bind(workflow.name.as_str()).bind(version);
        first(&self.fetch(statement).await?, |row| {
            Ok(BroughtText {
                workflow: row.workflow()?,
                version: row.text("version")?,
                repository: row.parsed("repository")?,
                digest: row.text("digest")?,
            })
        })
    }

    async fn put_brought_text(&mut self, text: &BroughtText) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO brought_texts (namespace, name, version, repository, digest) VALUES ($1, $2, $3, $4, $5) ",
            "ON CONFLICT (namespace, name, version) DO UPDATE SET repository = excluded.repository, ",
            "digest = excluded.digest"
        ))
        .bind(text.workflow.namespace.as_str())
        .bind(text.workflow.name.as_str())
        .bind(&text.version)
        .bind(text.repository.as_str())
        .bind(&text.digest);
        self.execute(statement).await?;
        Ok(())
    }

    async fn next_repository(&mut self) -> Result<Option<Timestamp>> {
        let statement = sql("SELECT min(due_at) AS at FROM repositories WHERE due_at IS NOT NULL");
        only(&self.fetch(statement).await?, |row| row.maybe_time("at"))
    }
}
