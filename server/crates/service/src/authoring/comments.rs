//! What is said of a version before it is published. It stays readable afterwards, and is not changed any more.

use domain::{CommentId, ErrorCode, Operation, Problem, VersionState, WorkflowRef, view::CommentView};
use serde_json::{Value, json};
use store::reviews::VersionComment;

use super::{Written, target};
use crate::{
    Caller, Gate, Service,
    people::{all_right, field},
    problems::{OrProblem as _, not_found},
    views::People,
};

/// The longest comment, in characters.
const COMMENT_LIMIT: usize = 4_000;

/// How many are not resolved.
pub(super) fn open(comments: &[VersionComment]) -> u64 {
    let open = comments.iter().filter(|comment| comment.resolved_at.is_none()).count();
    u64::try_from(open).unwrap_or(u64::MAX)
}

impl Service {
    /// What was said of a version, oldest first.
    pub async fn definition_comments(
        &self,
        caller: &Caller,
        workflow: &WorkflowRef,
        version: &str,
    ) -> Result<Vec<CommentView>, Problem> {
        let mut gate = self.look(caller, Operation::DefinitionRead).await?;
        let _ = self.written_by(&mut gate, caller, workflow, version).await?;
        let comments = gate.unit.version_comments(workflow, version).await.or_problem()?;
        views(&mut gate, comments).await
    }

    /// Says something of a draft or of a version under review: of a line, or of the whole. `digest` is that of the text which
    /// it is about.
    pub async fn comment_on_definition(
        &self,
        caller: &Caller,
        workflow: &WorkflowRef,
        version: &str,
        text: &str,
        line: Option<u32>,
        digest: &str,
    ) -> Result<CommentView, Problem> {
        let mut gate = self.enter(caller, Operation::DefinitionComment).await?;
        let written = self.written_by(&mut gate, caller, workflow, version).await?;
        must_be_open(&written)?;
        written.must_have(digest)?;
        let comment = self.comment(&gate, caller, &written, text, line)?;
        gate.unit.insert_version_comment(&comment).await.or_problem()?;
        let detail = json!({
            "version": version,
            "comment": comment.id,
            "digest": digest,
            "line": line,
            "text": comment.text,
        });
        self.finish_comment(gate, comment, detail).await
    }

    /// Settles a comment.
    pub async fn resolve_comment(
        &self,
        caller: &Caller,
        workflow: &WorkflowRef,
        version: &str,
        id: CommentId,
    ) -> Result<CommentView, Problem> {
        let mut gate = self.enter(caller, Operation::DefinitionComment).await?;
        let written = self.written_by(&mut gate, caller, workflow, version).await?;
        must_be_open(&written)?;
        let comments = gate.unit.version_comments(workflow, version).await.or_problem()?;
        let comment = comments.into_iter().find(|comment| comment.id == id).ok_or_else(not_found)?;
        if comment.resolved_at.is_some() {
            return Err(Problem::new(ErrorCode::Conflict).with_detail("the comment is resolved already"));
        }
        gate.unit.resolve_version_comment(id, caller.user, gate.now).await.or_problem()?;
        let resolved = VersionComment { resolved_by: Some(caller.user), resolved_at: Some(gate.now), ..comment };
        let detail = json!({
            "version": version,
            "comment": id,
            "before": {"resolved": false},
            "after": {"resolved": true},
        });
        self.finish_comment(gate, resolved, detail).await
    }

    async fn finish_comment(
        &self,
        mut gate: Gate<'_>,
        comment: VersionComment,
        detail: Value,
    ) -> Result<CommentView, Problem> {
        let target = target(&comment.workflow, &comment.version);
        let view = views(&mut gate, vec![comment]).await?.pop().ok_or_else(not_found)?;
        gate.finish(&target, detail).await?;
        Ok(view)
    }

    /// A comment of this caller that was not stored yet.
    pub(super) fn comment(
        &self,
        gate: &Gate<'_>,
        caller: &Caller,
        written: &Written,
        text: &str,
        line: Option<u32>,
    ) -> Result<VersionComment, Problem> {
        let text = text.trim();
        let lines = u32::try_from(written.version.source.lines().count()).unwrap_or(u32::MAX);
        let mut errors = Vec::new();
        if text.is_empty() {
            errors.push(field("/comment", "required", Value::Null, "say what is to be done"));
        } else if text.chars().count() > COMMENT_LIMIT {
            errors.push(field("/comment", "maxLength", json!(COMMENT_LIMIT), "the comment is too long"));
        }
        if line.is_some_and(|line| !(1..=lines).contains(&line)) {
            errors.push(field("/line", "maximum", json!(lines), "the text has no such line"));
        }
        all_right(errors)?;
        Ok(VersionComment {
            id: CommentId::new(self.ids()),
            workflow: written.version.workflow.clone(),
            version: written.version.version.clone(),
            digest: written.version.digest.clone(),
            line,
            text: text.to_owned(),
            written_by: caller.user,
            written_at: gate.now,
            resolved_by: None,
            resolved_at: None,
        })
    }
}

fn must_be_open(written: &Written) -> Result<(), Problem> {
    if matches!(written.version.state, VersionState::Draft | VersionState::InReview) {
        return Ok(());
    }
    let detail = "the version was published, and with it what was said of it: that stays as it is";
    Err(Problem::new(ErrorCode::Conflict).with_detail(detail))
}

async fn views(gate: &mut Gate<'_>, comments: Vec<VersionComment>) -> Result<Vec<CommentView>, Problem> {
    let people: Vec<_> =
        comments.iter().flat_map(|comment| [Some(comment.written_by), comment.resolved_by]).flatten().collect();
    let people = People::load(gate.unit.as_mut(), people).await.or_problem()?;
    let view = |comment: VersionComment| CommentView {
        id: comment.id,
        digest: comment.digest,
        line: comment.line,
        text: comment.text,
        written_by: people.get(comment.written_by),
        written_at: comment.written_at,
        resolved_by: comment.resolved_by.map(|person| people.get(person)),
        resolved_at: comment.resolved_at,
    };
    Ok(comments.into_iter().map(view).collect())
}
