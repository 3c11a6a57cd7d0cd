//! Taking one file of a repository in: as a version that waits for its review, or that is published where policies count the
//! branch as a review.

use std::sync::Arc;

use audit::{Detail, Entry};
use connectors::git::File;
use domain::{
    FileOutcome, Operation, Problem, Role, UserId, VersionState, WorkflowRef,
    view::{DiagnosticView, FileReport, VersionName},
};
use engine::{definitions, notices::NoticeKind, schedules};
use policy::{Decision, Resource};
use serde_json::json;
use store::{
    UnitOfWork,
    repositories::{BroughtText, Repository},
    workflows::WorkflowVersion,
};
use workflow::Definition;

use crate::{
    Service,
    authoring::{diagnostics, digest_of, in_words, text_of, version_of},
    people::principal,
    problems::OrProblem as _,
    shipped::sort_key,
};

/// A definition that is to be taken in, and where it comes from.
struct Incoming<'f> {
    repository: &'f Repository,
    commit: &'f str,
    file: &'f File,
    workflow: WorkflowRef,
    version: String,
    text: String,
}

impl Incoming<'_> {
    fn report(&self, outcome: FileOutcome, detail: impl Into<String>, diagnostics: Vec<DiagnosticView>) -> FileReport {
        let WorkflowRef { namespace, name } = self.workflow.clone();
        FileReport {
            path: self.file.path.clone(),
            outcome,
            definition: Some(VersionName { namespace, name, version: self.version.clone() }),
            detail: detail.into(),
            diagnostics,
        }
    }

    /// What stands in the way, if something does: a text that is another one and was not brought by this repository, or that
    /// can be changed no more.
    async fn obstacle(&self, unit: &mut dyn UnitOfWork, stored: &WorkflowVersion) -> Result<Option<String>, Problem> {
        let state = in_words(stored.state);
        if !matches!(stored.state, VersionState::Draft | VersionState::InReview) {
            return Ok(Some(format!(
                "this version is {state} with another text, which never changes; give the file a new version number"
            )));
        }
        let brought = unit.brought_text(&stored.workflow, &stored.version).await.or_problem()?;
        if brought
            .is_some_and(|text| text.repository == self.repository.name && text.digest == digest_of(&stored.source))
        {
            return Ok(None);
        }
        Ok(Some(format!(
            "this version is {state} with another text, which this repository has not brought; give the file a new version \
             number, or delete the draft"
        )))
    }
}

/// A file that names no version which could be taken.
pub(super) fn refused(path: &str, detail: impl Into<String>) -> FileReport {
    FileReport {
        path: path.to_owned(),
        outcome: FileOutcome::Refused,
        definition: None,
        detail: detail.into(),
        diagnostics: Vec::new(),
    }
}

/// What a file says it is.
fn identify<'f>(repository: &'f Repository, commit: &'f str, file: &'f File) -> Result<Incoming<'f>, FileReport> {
    let wrong = |problem: Problem| refused(&file.path, problem.detail);
    let text = text_of(&file.bytes).map_err(wrong)?;
    let Some(named) = version_of(&text).map_err(wrong)? else {
        return Err(refused(
            &file.path,
            "it does not say which definition it is: document with namespace, name and version",
        ));
    };
    let VersionName { namespace, name, version } = named;
    let workflow = WorkflowRef { namespace, name };
    let incoming = Incoming { repository, commit, file, workflow, version, text };
    if incoming.workflow.namespace != repository.namespace {
        let detail = format!(
            "it is a definition of the namespace {}, and this repository brings those of {} only",
            incoming.workflow.namespace, repository.namespace
        );
        return Err(incoming.report(FileOutcome::Refused, detail, Vec::new()));
    }
    Ok(incoming)
}

impl Service {
    /// Takes one file in, and says what became of it. Nothing that people have made here is overwritten.
    pub(super) async fn take_in(
        &self,
        repository: &Repository,
        commit: &str,
        file: &File,
    ) -> Result<FileReport, Problem> {
        let incoming = match identify(repository, commit, file) {
            Ok(incoming) => incoming,
            Err(report) => return Ok(report),
        };
        let mut unit = self.parts.store.snapshot().await.or_problem()?;
        let seen = unit.workflow_version(&incoming.workflow, &incoming.version).await.or_problem()?;
        let obstacle = match &seen {
            Some(stored) => incoming.obstacle(unit.as_mut(), stored).await?,
            None => None,
        };
        drop(unit);
        if let Some(stored) = seen
            && self.has_text(stored, &incoming.text).await?
        {
            return Ok(incoming.report(FileOutcome::Unchanged, "", Vec::new()));
        }
        if let Some(obstacle) = obstacle {
            return Ok(incoming.report(FileOutcome::Conflict, obstacle, Vec::new()));
        }
        let definition = match self.examine(&incoming.text).await? {
            Ok(definition) => Arc::new(definition),
            Err(found) => {
                return Ok(incoming.report(FileOutcome::Refused, "it is not valid", diagnostics(found)));
            }
        };
        let failed = self.failed_tests(Arc::clone(&definition)).await?;
        if !failed.is_empty() {
            return Ok(incoming.report(FileOutcome::Refused, "its own tests fail", diagnostics(failed)));
        }
        self.store_incoming(&incoming, &definition).await
    }

    async fn store_incoming(&self, incoming: &Incoming<'_>, definition: &Definition) -> Result<FileReport, Problem> {
        let (workflow, version) = (&incoming.workflow, &incoming.version);
        let mut unit = self.parts.store.begin().await.or_problem()?;
        let stored = unit.lock_version(workflow, version).await.or_problem()?;
        // Somebody may have written it while the file was examined.
        if let Some(stored) = &stored
            && let Some(obstacle) = incoming.obstacle(unit.as_mut(), stored).await?
        {
            return Ok(incoming.report(FileOutcome::Conflict, obstacle, Vec::new()));
        }
        let row = self.row_of(incoming, definition);
        match &stored {
            None => unit.insert_version(&row).await.or_problem()?,
            Some(stored) => replace(unit.as_mut(), stored, &row).await?,
        }
        let brought = BroughtText {
            workflow: workflow.clone(),
            version: version.clone(),
            repository: incoming.repository.name.clone(),
            digest: digest_of(&incoming.text),
        };
        unit.put_brought_text(&brought).await.or_problem()?;
        let authors = self.note_authors(unit.as_mut(), incoming).await?;
        let before = stored.as_ref().map(|stored| json!({"digest": stored.digest}));
        let detail = json!({
            "version": version,
            "before": before,
            "after": {"digest": row.digest},
            "repository": format!("{}/{}", incoming.repository.namespace, incoming.repository.name),
            "commit": incoming.commit,
            "path": incoming.file.path,
            "authors": incoming.file.authors,
            "tests": definition.cases().len(),
        });
        let (merged, told) = self.publish_or_ask(unit.as_mut(), incoming, &row, &authors).await?;
        let what = ("workflow", workflow.to_string(), format!("{workflow} {version}"));
        // Whoever wrote it there need not be anybody here.
        let named = (0..incoming.file.authors.len()).map(|place| format!("/authors/{place}"));
        let detail = named.fold(Detail::from(detail), |detail, pointer| detail.naming(pointer, None));
        let mut entry: Entry = self.system_entry("workflow.submit", what, Some(&workflow.namespace), detail);
        if let Some(decision) = &merged {
            entry.action = Operation::DefinitionMerge.to_string();
            entry.policies.clone_from(&decision.policies);
            entry.policy_set = Some(self.in_force().digest().to_owned());
        }
        audit::append(unit.as_mut(), &entry).await.or_problem()?;
        unit.commit().await.or_problem()?;
        self.wake_schedules();
        self.announce(&told);
        let outcome = if stored.is_some() { FileOutcome::Updated } else { FileOutcome::Added };
        Ok(incoming.report(outcome, "", Vec::new()))
    }

    /// Publishes a version where the branch counts as its review, and gives the decision by which it does; else asks publishers
    /// to review it, and gives who was asked.
    async fn publish_or_ask(
        &self,
        unit: &mut dyn UnitOfWork,
        incoming: &Incoming<'_>,
        row: &WorkflowVersion,
        authors: &[UserId],
    ) -> Result<(Option<Decision>, Vec<UserId>), Problem> {
        let merged = self.counts_as_review(unit, incoming, authors).await?;
        if merged.is_some() {
            let published = WorkflowVersion { state: VersionState::Published, ..row.clone() };
            unit.update_version(&published, VersionState::InReview).await.or_problem()?;
            let functions = self.parts.connectors.function_catalogue();
            schedules::follow(unit, functions, self.now(), &row.workflow).await.or_problem()?;
            return Ok((merged, Vec::new()));
        }
        let namespace = &row.workflow.namespace;
        let publishers = unit.users_with_role(Role::Publisher, namespace, self.now()).await.or_problem()?;
        let asked: Vec<UserId> = publishers.into_iter().filter(|person| !authors.contains(person)).collect();
        self.tell(unit, self.now(), NoticeKind::DefinitionSubmitted, row, &asked).await?;
        Ok((None, asked))
    }

    /// The version as it waits for its review.
    fn row_of(&self, incoming: &Incoming<'_>, definition: &Definition) -> WorkflowVersion {
        let by = incoming.repository.changed_by;
        let title = definition.document().title.clone();
        WorkflowVersion {
            workflow: incoming.workflow.clone(),
            version: incoming.version.clone(),
            state: VersionState::InReview,
            source: incoming.text.clone(),
            resources: definitions::resources(definition),
            digest: definition.digest().to_owned(),
            title: title.unwrap_or_else(|| incoming.workflow.name.to_string()),
            created_by: Some(by),
            created_at: self.now(),
            changed_by: Some(by),
            changed_at: self.now(),
            sort_key: sort_key(&definition.document().version),
        }
    }

    /// Notes who has written what comes: everybody in the branch's history who is known here by their mail address, and
    /// whoever set the repository up, who could have it say anything.
    async fn note_authors(&self, unit: &mut dyn UnitOfWork, incoming: &Incoming<'_>) -> Result<Vec<UserId>, Problem> {
        let (workflow, version) = (&incoming.workflow, &incoming.version);
        let known = unit.users_by_email(&incoming.file.authors).await.or_problem()?;
        let people = known.into_iter().map(|person| person.id).chain([incoming.repository.changed_by]);
        for person in people {
            unit.add_version_author(workflow, version, person, self.now()).await.or_problem()?;
        }
        unit.version_authors(workflow, version).await.or_problem()
    }

    /// The decision by which the branch counts as a review, if policies of administrators say so for whoever set the repository
    /// up.
    async fn counts_as_review(
        &self,
        unit: &mut dyn UnitOfWork,
        incoming: &Incoming<'_>,
        authors: &[UserId],
    ) -> Result<Option<Decision>, Problem> {
        let Some(person) = unit.user(incoming.repository.changed_by).await.or_problem()? else { return Ok(None) };
        let principal = principal(unit, &person, self.now()).await.or_problem()?;
        let resource = Resource::definition(&incoming.workflow, &incoming.version, authors.iter().copied());
        let decision = self.in_force().decide(Some(&principal), Operation::DefinitionMerge, &resource);
        Ok(decision.allowed.then_some(decision))
    }
}

/// Writes a text in the place of the one that the same file had before, and gives it to review again: whoever reviews sends
/// the digest of what they saw.
async fn replace(unit: &mut dyn UnitOfWork, stored: &WorkflowVersion, row: &WorkflowVersion) -> Result<(), Problem> {
    let draft = |version: &WorkflowVersion| WorkflowVersion {
        state: VersionState::Draft,
        digest: digest_of(&version.source),
        changed_by: row.changed_by,
        changed_at: row.changed_at,
        ..version.clone()
    };
    if stored.state == VersionState::InReview {
        unit.update_version(&draft(stored), VersionState::InReview).await.or_problem()?;
    }
    unit.update_version(&draft(row), VersionState::Draft).await.or_problem()?;
    unit.update_version(row, VersionState::Draft).await.or_problem()
}
