//! From draft to published: submission, review, and who may do what to it.

use audit::Detail;
use std::sync::Arc;

use domain::{
    Operation, Problem, Role, Timestamp, UserId, VersionState, WorkflowRef,
    view::{Person, WorkflowVersionView},
};
use engine::{
    Topic, definitions,
    notices::{Notice, NoticeKind, notify},
    schedules,
};
use serde_json::json;
use store::{UnitOfWork, workflows::WorkflowVersion};

use super::{Written, comments, digest_of, invalid, must_name, target};
use crate::{Caller, Gate, Service, problems::OrProblem as _, views::People};

impl Service {
    /// Gives a draft to review. It has to pass its own tests. What it refers to elsewhere is read now and stored with it; from here on its text stays as it
    /// is, and it is known by the digest of all of that.
    pub async fn submit_definition(
        &self,
        caller: &Caller,
        workflow: &WorkflowRef,
        version: &str,
    ) -> Result<WorkflowVersionView, Problem> {
        let mut gate = self.look(caller, Operation::DefinitionSubmit).await?;
        let seen = self.written_by(&mut gate, caller, workflow, version).await?;
        drop(gate);
        seen.must_be(VersionState::Draft)?;
        must_name(&seen.version.source, workflow, version)?;
        let definition = Arc::new(self.examine(&seen.version.source).await?.map_err(invalid)?);
        let failed = self.failed_tests(Arc::clone(&definition)).await?;
        if !failed.is_empty() {
            return Err(invalid(failed));
        }

        let mut gate = self.enter(caller, Operation::DefinitionSubmit).await?;
        let written = self.written_by(&mut gate, caller, workflow, version).await?;
        written.must_be(VersionState::Draft)?;
        written.must_have(&seen.version.digest)?;
        let submitted = WorkflowVersion {
            resources: definitions::resources(&definition),
            digest: definition.digest().to_owned(),
            ..written.changed(&gate, caller, VersionState::InReview)
        };
        gate.unit.update_version(&submitted, VersionState::Draft).await.or_problem()?;
        let publishers =
            gate.unit.users_with_role(Role::Publisher, &workflow.namespace, gate.now).await.or_problem()?;
        let asked: Vec<UserId> =
            publishers.into_iter().filter(|publisher| !written.authors.contains(publisher)).collect();
        self.tell(gate.unit.as_mut(), gate.now, NoticeKind::DefinitionSubmitted, &submitted, &asked).await?;
        let authors = logins(&mut gate, &written.authors).await?;
        let detail = json!({"version": version, "digest": submitted.digest, "authors": authors});
        let detail = Detail::from(detail).naming_each("/authors", written.authors.iter().copied());
        gate.finish(&target(workflow, version), detail).await?;
        self.announce(&asked);
        self.workflow_version(caller, workflow, version).await
    }

    /// Takes a version back from review: it is a draft again.
    pub async fn withdraw_definition(
        &self,
        caller: &Caller,
        workflow: &WorkflowRef,
        version: &str,
    ) -> Result<WorkflowVersionView, Problem> {
        let mut gate = self.enter(caller, Operation::DefinitionWithdraw).await?;
        let written = self.written_by(&mut gate, caller, workflow, version).await?;
        let digest = back_to_draft(&mut gate, caller, &written).await?;
        let detail =
            json!({"version": version, "before": {"digest": written.version.digest}, "after": {"digest": digest}});
        gate.finish(&target(workflow, version), detail).await?;
        self.workflow_version(caller, workflow, version).await
    }

    /// Returns a version to its authors, with what is to be done: it is a draft again.
    pub async fn return_definition(
        &self,
        caller: &Caller,
        workflow: &WorkflowRef,
        version: &str,
        comment: &str,
    ) -> Result<WorkflowVersionView, Problem> {
        let mut gate = self.enter(caller, Operation::DefinitionReturn).await?;
        let written = self.written_by(&mut gate, caller, workflow, version).await?;
        let comment = self.comment(&gate, caller, &written, comment, None)?;
        let digest = back_to_draft(&mut gate, caller, &written).await?;
        gate.unit.insert_version_comment(&comment).await.or_problem()?;
        self.tell(gate.unit.as_mut(), gate.now, NoticeKind::DefinitionReturned, &written.version, &written.authors)
            .await?;
        let detail = json!({
            "version": version,
            "before": {"digest": written.version.digest},
            "after": {"digest": digest},
            "comment": comment.text,
        });
        gate.finish(&target(workflow, version), detail).await?;
        self.announce(&written.authors);
        self.workflow_version(caller, workflow, version).await
    }

    /// Publishes a version that is in review. `digest` says what was reviewed; if it is something else by now, nothing is
    /// published. Nobody publishes what they have written themselves. Comments may be open: the audit log says how many were.
    pub async fn publish_definition(
        &self,
        caller: &Caller,
        workflow: &WorkflowRef,
        version: &str,
        digest: &str,
    ) -> Result<WorkflowVersionView, Problem> {
        let mut gate = self.enter(caller, Operation::DefinitionPublish).await?;
        let written = self.written_by(&mut gate, caller, workflow, version).await?;
        if let Err(problem) = written.must_be(VersionState::InReview).and_then(|()| written.must_have(digest)) {
            return Err(gate.refuse(&target(workflow, version), problem).await);
        }
        // It was a definition when it was submitted; the program may have changed since.
        let tests = self.restore(&written.version).map_err(invalid)?.cases().len();
        let published = written.changed(&gate, caller, VersionState::Published);
        gate.unit.update_version(&published, VersionState::InReview).await.or_problem()?;
        let functions = self.parts.connectors.function_catalogue();
        schedules::follow(gate.unit.as_mut(), functions, gate.now, workflow).await.or_problem()?;
        let comments = gate.unit.version_comments(workflow, version).await.or_problem()?;
        self.tell(gate.unit.as_mut(), gate.now, NoticeKind::DefinitionPublished, &published, &written.authors).await?;
        let authors = logins(&mut gate, &written.authors).await?;
        let detail = json!({
            "version": version,
            "digest": digest,
            "authors": authors,
            "openComments": comments::open(&comments),
            "tests": tests,
        });
        let detail = Detail::from(detail).naming_each("/authors", written.authors.iter().copied());
        gate.finish(&target(workflow, version), detail).await?;
        self.wake_schedules();
        self.announce(&written.authors);
        self.workflow_version(caller, workflow, version).await
    }

    /// Writes a notice about a version to people, with the change that causes it.
    pub(crate) async fn tell(
        &self,
        unit: &mut dyn UnitOfWork,
        now: Timestamp,
        kind: NoticeKind,
        version: &WorkflowVersion,
        people: &[UserId],
    ) -> Result<(), Problem> {
        let WorkflowVersion { workflow, version, title, .. } = version;
        let people = unit.users_by_id(people).await.or_problem()?;
        let notice = Notice {
            kind,
            title: format!("{title} {version}"),
            run_number: None,
            link: match kind {
                NoticeKind::DefinitionPublished => format!("/catalogue/{workflow}"),
                _ => format!("/definitions/{workflow}/{version}"),
            },
            cause: format!("{}:{workflow} {version}:{}", kind.as_str(), now.as_micros()),
        };
        let mail = self.parts.mail_enabled;
        notify(unit, self.ids(), now, mail, &people, &notice).await.or_problem()
    }

    /// Rings at the pages of those who were told.
    pub(crate) fn announce(&self, people: &[UserId]) {
        for person in people {
            self.parts.live.changed(Topic::Notifications(*person));
        }
    }
}

/// Makes a version under review a draft, known by its text again; its digest.
async fn back_to_draft(gate: &mut Gate<'_>, caller: &Caller, written: &Written) -> Result<String, Problem> {
    written.must_be(VersionState::InReview)?;
    let digest = digest_of(&written.version.source);
    let draft = WorkflowVersion { digest: digest.clone(), ..written.changed(gate, caller, VersionState::Draft) };
    gate.unit.update_version(&draft, VersionState::InReview).await.or_problem()?;
    Ok(digest)
}

/// Sign-in names, for the audit log.
async fn logins(gate: &mut Gate<'_>, people: &[UserId]) -> Result<Vec<String>, Problem> {
    let known = People::load(gate.unit.as_mut(), people.iter().copied()).await.or_problem()?;
    Ok(people.iter().map(|person| known.get(*person)).map(|Person { login, .. }| login).collect())
}
