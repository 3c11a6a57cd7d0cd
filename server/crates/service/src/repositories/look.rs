//! Looking at repositories that are due: reading the branch, taking its files in, and writing down what came of it.

use std::time::Duration;

use connectors::git::{SkipReason, Skipped};
use domain::{FileOutcome, Problem, Timestamp, view::FileReport};
use engine::{
    Topic,
    notices::{Notice, NoticeKind, notify},
};
use serde_json::json;
use store::{
    UnitOfWork,
    repositories::{Look, Repository},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::intake::refused;
use crate::{Service, problems::OrProblem as _};

/// How often is looked whether one is due, for those that another node was asked to look at.
const LOOK_AROUND: Duration = Duration::from_secs(15);
/// How long a look may take. A node that has not finished by then is taken to be gone, and another one looks.
const HELD: Duration = Duration::from_mins(10);

impl Service {
    /// Looks at repositories when they are due, until told to stop.
    pub async fn follow_repositories(&self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.look_at_due_repositories() => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.repositories_due.notified() => {}
                () = tokio::time::sleep(LOOK_AROUND) => {}
            }
        }
    }

    /// Looks at all repositories that are due now, one after the other.
    pub async fn look_at_due_repositories(&self) {
        loop {
            match self.look_at_due_repository().await {
                Ok(true) => {}
                Ok(false) => return,
                Err(problem) => {
                    error!(%problem, "a repository could not be looked at");
                    return;
                }
            }
        }
    }

    /// Looks at the one that is due longest; whether there was one.
    async fn look_at_due_repository(&self) -> Result<bool, Problem> {
        let mut unit = self.parts.store.snapshot().await.or_problem()?;
        let next = unit.next_repository().await.or_problem()?;
        drop(unit);
        if next.is_none_or(|due| due > self.now()) {
            return Ok(false);
        }
        let mut unit = self.parts.store.begin().await.or_problem()?;
        let now = self.now();
        let taken = unit.take_due_repository(now, now + HELD).await.or_problem()?;
        unit.commit().await.or_problem()?;
        let Some(repository) = taken else { return Ok(false) };
        let look = self.look_at(&repository).await;
        self.note_look(&repository, look).await?;
        self.parts.live.changed(Topic::Repositories);
        Ok(true)
    }

    /// Reads the branch, and takes in what it has.
    async fn look_at(&self, repository: &Repository) -> Look {
        let before = &repository.look;
        let failed = |failure: String| Look { failure: Some(failure), ..before.clone() };
        let branch = match self.branch_of(repository) {
            Ok(branch) => branch,
            Err(problem) => return failed(problem.to_string()),
        };
        let read =
            match self.parts.branches.read(&branch, repository.authority.as_deref(), before.commit.as_deref()).await {
                Ok(read) => read,
                Err(failure) => return failed(failure.to_string()),
            };
        let Some(checkout) = read else { return Look { failure: None, ..before.clone() } };
        let mut files = Vec::with_capacity(checkout.files.len());
        let mut failure = None;
        for file in &checkout.files {
            match self.take_in(repository, &checkout.commit, file).await {
                Ok(report) => files.push(report),
                Err(problem) => failure = Some(format!("{}: {problem}", file.path)),
            }
        }
        files.extend(checkout.skipped.iter().map(skipped));
        files.sort_by(|one, other| one.path.cmp(&other.path));
        // A commit that could not be taken in whole is taken in again.
        let commit = if failure.is_none() { Some(checkout.commit) } else { before.commit.clone() };
        Look { looked_at: None, commit, files: json!(files).to_string(), failure }
    }

    /// Writes down what came of a look. Whoever set the repository up is told when it begins to fail, or has brought something
    /// that was not taken.
    async fn note_look(&self, repository: &Repository, look: Look) -> Result<(), Problem> {
        let now = self.now();
        let look = Look { looked_at: Some(now), ..look };
        if let Some(failure) = &look.failure {
            let Repository { namespace, name, .. } = repository;
            warn!(%namespace, %name, failure, "a repository could not be read");
        }
        let next = repository.every_minutes.map(|minutes| now + Duration::from_mins(minutes.into()));
        let mut unit = self.parts.store.begin().await.or_problem()?;
        if !unit.note_look(repository, &look, next).await.or_problem()? {
            return unit.rollback().await.or_problem();
        }
        let told = is_news(&repository.look, &look);
        if told {
            self.tell_of_repository(unit.as_mut(), repository, now).await?;
        }
        unit.commit().await.or_problem()?;
        if told {
            self.announce(&[repository.changed_by]);
        }
        Ok(())
    }

    async fn tell_of_repository(
        &self,
        unit: &mut dyn UnitOfWork,
        repository: &Repository,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let Repository { namespace, name, .. } = repository;
        let people = unit.users_by_id(&[repository.changed_by]).await.or_problem()?;
        let kind = NoticeKind::RepositoryNeedsAttention;
        let notice = Notice {
            kind,
            title: format!("{namespace}/{name}"),
            run_number: None,
            link: "/repositories".to_owned(),
            cause: format!("{}:{namespace}/{name}:{}", kind.as_str(), now.as_micros()),
        };
        notify(unit, self.ids(), now, self.parts.mail_enabled, &people, &notice).await.or_problem()
    }
}

/// What is said of a file that was not read.
fn skipped(file: &Skipped) -> FileReport {
    let detail = match file.reason {
        SkipReason::TooLarge => "it is larger than a definition can be (1 MiB)",
        SkipReason::Link => "it is a symbolic link; put the file itself there",
        SkipReason::Name => "its name is no text in UTF-8; give it another name",
    };
    refused(&file.path, detail)
}

/// Whether a look has come upon something that a person is to see to, and that was not so before.
fn is_news(before: &Look, after: &Look) -> bool {
    match &after.failure {
        Some(_) => before.failure.is_none(),
        None => before.commit != after.commit && has_left_something(&after.files),
    }
}

fn has_left_something(files: &str) -> bool {
    let files: Vec<FileReport> = serde_json::from_str(files).unwrap_or_default();
    files.iter().any(|file| matches!(file.outcome, FileOutcome::Conflict | FileOutcome::Refused))
}
