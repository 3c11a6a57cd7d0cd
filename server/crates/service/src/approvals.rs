//! Deciding. There is one function that decides, whatever the door: [`Service::decide`].

use std::collections::BTreeSet;

use domain::{
    ApprovalId, ApprovalState, DecisionId, DecisionKind, DraftId, ErrorCode, Operation, Problem, RunId, Timestamp,
    UserId,
    view::{ApprovalDetail, ApprovalSummary, ApproverView, DecisionView, Page, RecentRun, SimilarRuns},
};
use engine::{
    Topic,
    notices::{Notice, NoticeKind, notify},
};
use policy::Resource;
use serde_json::{Value, json};
use store::{
    UnitOfWork,
    approvals::{Approval, ApprovalFilter, Approver, Decision, QueueKey},
    requests::Draft,
    runs::{Run, RunFilter},
};
use workflow::{
    CallId, EventKind, RunError,
    approval::{ApprovalRule, Tally, tally},
};

use crate::{
    Caller, Gate, Service, catalogue, cursor,
    gate::Target,
    problems::{OrProblem as _, not_found},
    runs,
    views::{self, People},
};

/// The longest reason, in characters.
const COMMENT_LIMIT: usize = 4_000;
/// Earlier runs that a decision page shows.
const RECENT: u32 = 5;

/// What a list of approvals is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct ApprovalQuery {
    /// Only in this state.
    pub state: Option<ApprovalState>,
    /// Only those that wait for the caller.
    pub mine: bool,
    /// Only of this run.
    pub run: Option<RunId>,
}

fn target(approval: &Approval, run: &Run) -> Target {
    Target::new("approval", approval.id, format!("R-{}: {}", run.number, approval.title))
        .within(&run.workflow.namespace)
}

async fn resource(
    unit: &mut dyn UnitOfWork,
    approval: &Approval,
    run: &Run,
    asked: &[Approver],
) -> Result<Resource, Problem> {
    let involved = unit.people_asked_in(run.id).await.or_problem()?;
    let asked = asked.iter().map(|approver| approver.user_id);
    Ok(Resource::approval(approval.id, &run.workflow.namespace, approval.requester_id, asked, involved))
}

fn rule_of(approval: &Approval) -> Option<ApprovalRule> {
    serde_json::from_str(&approval.rule).ok()
}

impl Service {
    /// Approvals that the caller may see, oldest due first.
    pub async fn approvals(
        &self,
        caller: &Caller,
        query: ApprovalQuery,
        cursor: Option<&str>,
        limit: Option<u32>,
    ) -> Result<Page<ApprovalSummary>, Problem> {
        let mut gate = self.look(caller, Operation::ApprovalList).await?;
        gate.authorize(&Resource::system(), &Target::new("approvals", "", "")).await?;
        let limit = cursor::limit(limit);
        let filter =
            ApprovalFilter { state: query.state, waiting_for: query.mine.then_some(caller.user), run: query.run };
        // In microseconds: what has no due time stands at the end of time, which no date can be written for.
        let after = cursor::decode::<(i64, ApprovalId)>(cursor)?;
        let after = after.map(|(due, id)| QueueKey { due: Timestamp::from_micros(due), id });
        let visible = runs::visibility(self, caller);
        let rows = gate.unit.list_approvals(&visible, &filter, after, limit + 1).await.or_problem()?;
        let page =
            cursor::page(rows, limit, |approval| (approval.due_at.map_or(i64::MAX, Timestamp::as_micros), approval.id));
        let items = self.approval_summaries(gate.unit.as_mut(), caller, page.items).await?;
        Ok(Page { items, next: page.next })
    }

    /// Rows as they stand in lists.
    pub(crate) async fn approval_summaries(
        &self,
        unit: &mut dyn UnitOfWork,
        caller: &Caller,
        rows: Vec<Approval>,
    ) -> Result<Vec<ApprovalSummary>, Problem> {
        let people = People::load(unit, rows.iter().map(|approval| approval.requester_id)).await.or_problem()?;
        let mut summaries = Vec::with_capacity(rows.len());
        for approval in rows {
            let run = unit.run(approval.run).await.or_problem()?.ok_or_else(not_found)?;
            summaries.push(self.approval_summary(unit, caller, &approval, &run, &people).await?);
        }
        Ok(summaries)
    }

    async fn approval_summary(
        &self,
        unit: &mut dyn UnitOfWork,
        caller: &Caller,
        approval: &Approval,
        run: &Run,
        people: &People,
    ) -> Result<ApprovalSummary, Problem> {
        let asked = unit.approvers(approval.id).await.or_problem()?;
        let decided = unit.decisions(approval.id).await.or_problem()?;
        let risk = self.definition(unit, &run.workflow, &run.version).await?.rondo().risk;
        let mine = approval.state == ApprovalState::Pending
            && asked.iter().any(|approver| approver.user_id == caller.user)
            && !decided.iter().any(|decision| decision.user_id == caller.user);
        Ok(ApprovalSummary {
            id: approval.id,
            run: approval.run,
            run_number: run.number,
            namespace: run.workflow.namespace.clone(),
            name: run.workflow.name.clone(),
            workflow_title: run.title.clone(),
            title: approval.title.clone(),
            reference: approval.reference.clone(),
            state: approval.state,
            digest: approval.digest.clone(),
            due: approval.due_at,
            opened_at: approval.opened_at,
            closed_at: approval.closed_at,
            requester: people.get(approval.requester_id),
            risk,
            mine,
        })
    }

    /// One approval with all that a decision needs.
    pub async fn approval(&self, caller: &Caller, id: ApprovalId) -> Result<ApprovalDetail, Problem> {
        let mut gate = self.look(caller, Operation::ApprovalRead).await?;
        let (approval, run, asked) = load(gate.unit.as_mut(), id).await?;
        let resource = resource(gate.unit.as_mut(), &approval, &run, &asked).await?;
        gate.authorize_or_hide(&resource, &target(&approval, &run)).await?;
        self.approval_page(gate.unit.as_mut(), caller, approval, run, asked, &resource).await
    }

    async fn approval_page(
        &self,
        unit: &mut dyn UnitOfWork,
        caller: &Caller,
        approval: Approval,
        run: Run,
        asked: Vec<Approver>,
        resource: &Resource,
    ) -> Result<ApprovalDetail, Problem> {
        let decided = unit.decisions(approval.id).await.or_problem()?;
        let ids = asked.iter().map(|approver| approver.user_id);
        let ids = ids.chain(decided.iter().map(|decision| decision.user_id)).chain([approval.requester_id]);
        let people = People::load(unit, ids).await.or_problem()?;
        let summary = self.approval_summary(unit, caller, &approval, &run, &people).await?;
        let definition = self.definition(unit, &run.workflow, &run.version).await?;
        let shown: Value = views::shown(&approval.shown);
        let refusal = self.refusal(caller, &approval, resource, &decided);
        Ok(ApprovalDetail {
            version: run.version.clone(),
            message: approval.message.clone(),
            input: shown.get("input").cloned().unwrap_or_default(),
            input_schema: definition.input_schema().cloned(),
            about: shown.get("about").filter(|about| shown.get("input") != Some(about)).cloned(),
            steps: self.steps(unit, &definition, approval.requester_id, shown.get("input")).await?,
            quorum: rule_of(&approval)
                .and_then(|rule| serde_json::to_value(rule.quorum).ok())
                .map(|quorum| quorum.as_str().map_or_else(|| quorum.to_string(), ToOwned::to_owned))
                .unwrap_or_default(),
            approvers: asked
                .iter()
                .map(|approver| ApproverView { person: people.get(approver.user_id), via: approver.via.clone() })
                .collect(),
            decisions: decided
                .into_iter()
                .map(|decision| DecisionView {
                    id: decision.id,
                    person: people.get(decision.user_id),
                    decision: decision.kind,
                    comment: decision.comment,
                    decided_at: decision.decided_at,
                })
                .collect(),
            similar: self.similar(unit, caller, &run).await?,
            can_decide: refusal.is_none(),
            refusal,
            run_error: views::run_detail(&run, &people).error,
            summary,
        })
    }

    /// Why the caller cannot decide now; none when they can.
    fn refusal(
        &self,
        caller: &Caller,
        approval: &Approval,
        resource: &Resource,
        decided: &[Decision],
    ) -> Option<ErrorCode> {
        if approval.requester_id == caller.user {
            return Some(ErrorCode::OwnRequest);
        }
        if !self.in_force().decide(&caller.principal, Operation::ApprovalDecide, resource).allowed {
            return Some(ErrorCode::Forbidden);
        }
        let ended = approval.state != ApprovalState::Pending;
        (ended || decided.iter().any(|decision| decision.user_id == caller.user)).then_some(ErrorCode::AlreadyDecided)
    }

    async fn similar(&self, unit: &mut dyn UnitOfWork, caller: &Caller, run: &Run) -> Result<SimilarRuns, Problem> {
        let statistics = unit.run_statistics(&run.workflow, catalogue::LATEST).await.or_problem()?;
        let durations = unit.run_durations(&run.workflow, catalogue::SAMPLE).await.or_problem()?;
        let filter = RunFilter { workflow: Some(run.workflow.clone()), ..RunFilter::default() };
        // Only what the caller might open: a decision page is no way around the list of runs.
        let visible = runs::visibility(self, caller);
        let rows = unit.list_runs(&visible, &filter, Some(run.number), RECENT).await.or_problem()?;
        let people = People::load(unit, rows.iter().map(|run| run.requester_id)).await.or_problem()?;
        Ok(SimilarRuns {
            ended: statistics.ended,
            completed: statistics.completed,
            typical_seconds: views::typical_seconds(&durations),
            recent: rows
                .into_iter()
                .map(|run| RecentRun {
                    id: run.id,
                    number: run.number,
                    status: run.status,
                    requester: people.get(run.requester_id),
                    created_at: run.created_at,
                })
                .collect(),
        })
    }

    /// Takes a decision. `digest` says what the person saw; if something else would run by now, nothing is decided.
    pub async fn decide(
        &self,
        caller: &Caller,
        id: ApprovalId,
        kind: DecisionKind,
        comment: &str,
        digest: &str,
    ) -> Result<ApprovalDetail, Problem> {
        let mut gate = self.enter(caller, Operation::ApprovalDecide).await?;
        // Locks the approval, so that of two people at the same moment one decides and the other is told.
        let (approval, run, asked) = load(gate.unit.as_mut(), id).await?;
        let resource = resource(gate.unit.as_mut(), &approval, &run, &asked).await?;
        let target = target(&approval, &run);
        if self.in_force().decide(&caller.principal, Operation::ApprovalRead, &resource).allowed {
            gate.authorize(&resource, &target).await?;
        } else {
            gate.authorize_or_hide(&resource, &target).await?;
        }
        let comment = check_comment(kind, comment)?;
        let mut decided = gate.unit.decisions(id).await.or_problem()?;
        if approval.state != ApprovalState::Pending || decided.iter().any(|decision| decision.user_id == caller.user) {
            return Err(gate.refuse(&target, already_decided(&approval)).await);
        }
        if approval.digest != digest {
            let problem = Problem::new(ErrorCode::DigestMismatch)
                .with_detail("what you saw is not what would run now; read it again and decide on that");
            return Err(gate.refuse(&target, problem).await);
        }
        let decision = Decision {
            id: DecisionId::new(self.ids()),
            approval: id,
            user_id: caller.user,
            kind,
            comment: comment.clone(),
            digest: digest.to_owned(),
            decided_at: gate.now,
        };
        gate.unit.insert_decision(&decision).await.or_problem()?;
        decided.push(decision);
        let verdict = verdict(&approval, &asked, &decided, kind);
        self.close(&mut gate, caller, &approval, &run, verdict, &comment, &decided).await?;
        let detail = json!({
            "decision": kind,
            "comment": comment,
            "digest": digest,
            "run": run.id,
            "step": approval.title,
            "verdict": verdict_name(verdict),
        });
        gate.finish(&target, detail).await?;
        if verdict != Tally::Pending {
            self.wake(run.id);
        }
        self.parts.live.changed(Topic::Approvals);
        self.approval(caller, id).await
    }

    /// Ends the approval by its verdict and tells the run.
    #[expect(clippy::too_many_arguments, reason = "all of it is the one decision that is taken")]
    async fn close(
        &self,
        gate: &mut Gate<'_>,
        caller: &Caller,
        approval: &Approval,
        run: &Run,
        verdict: Tally,
        comment: &str,
        decided: &[Decision],
    ) -> Result<(), Problem> {
        let call = CallId(approval.call.parse().map_err(|_| not_found())?);
        let (state, event) = match verdict {
            Tally::Pending => return Ok(()),
            Tally::Approved => {
                let output = self.approval_output(gate.unit.as_mut(), decided).await?;
                (ApprovalState::Approved, EventKind::CallCompleted { call, output })
            }
            Tally::Rejected => {
                let words = format!("{}: {comment}", caller.name);
                (
                    ApprovalState::Rejected,
                    EventKind::CallFailed { call, error: RunError::rejected(words), retryable: false },
                )
            }
        };
        gate.unit.close_approval(approval.id, state, gate.now).await.or_problem()?;
        if decided.last().is_some_and(|decision| decision.kind == DecisionKind::RequestChanges) {
            self.send_back(gate, approval, run).await?;
        }
        runs::push(gate, run.id, event).await
    }

    /// What the workflow gets from an approval.
    async fn approval_output(&self, unit: &mut dyn UnitOfWork, decided: &[Decision]) -> Result<Value, Problem> {
        let people = People::load(unit, decided.iter().map(|decision| decision.user_id)).await.or_problem()?;
        let decisions: Vec<Value> = decided
            .iter()
            .map(|decision| {
                json!({
                    "by": people.get(decision.user_id).login,
                    "decision": decision.kind,
                    "comment": decision.comment,
                    "at": decision.decided_at,
                })
            })
            .collect();
        Ok(json!({"outcome": "approved", "decisions": decisions}))
    }

    /// Gives the requester the input back as a draft; the run that was sent keeps its own. A schedule fills in no forms.
    async fn send_back(&self, gate: &mut Gate<'_>, approval: &Approval, run: &Run) -> Result<(), Problem> {
        if approval.requester_id == UserId::SCHEDULE {
            return Ok(());
        }
        let draft = Draft {
            id: DraftId::new(self.ids()),
            user_id: approval.requester_id,
            workflow: run.workflow.clone(),
            values: run.input.clone(),
            created_at: gate.now,
            updated_at: gate.now,
            run: None,
        };
        gate.unit.put_draft(&draft).await.or_problem()?;
        let Some(requester) = gate.unit.user(approval.requester_id).await.or_problem()? else { return Ok(()) };
        let notice = Notice {
            kind: NoticeKind::ChangesRequested,
            title: run.title.clone(),
            run_number: Some(run.number),
            link: format!("/catalogue/{}/request?draft={}", run.workflow, draft.id),
            cause: format!("changes:{}", approval.id),
        };
        notify(gate.unit.as_mut(), self.ids(), gate.now, self.parts.mail_enabled, &[requester], &notice)
            .await
            .or_problem()
    }
}

async fn load(unit: &mut dyn UnitOfWork, id: ApprovalId) -> Result<(Approval, Run, Vec<Approver>), Problem> {
    let approval = unit.approval(id).await.or_problem()?.ok_or_else(not_found)?;
    let run = unit.run(approval.run).await.or_problem()?.ok_or_else(not_found)?;
    let asked = unit.approvers(id).await.or_problem()?;
    Ok((approval, run, asked))
}

fn check_comment(kind: DecisionKind, comment: &str) -> Result<String, Problem> {
    let comment = comment.trim();
    let error = |rule: &str, expected: Value, message: &str| {
        Problem::new(ErrorCode::InvalidInput).with_errors(vec![domain::FieldError {
            pointer: "/comment".to_owned(),
            rule: rule.to_owned(),
            expected,
            message: message.to_owned(),
        }])
    };
    if kind != DecisionKind::Approve && comment.is_empty() {
        return Err(error("required", Value::Null, "say why"));
    }
    if comment.chars().count() > COMMENT_LIMIT {
        return Err(error("maxLength", json!(COMMENT_LIMIT), "the reason is too long"));
    }
    Ok(comment.to_owned())
}

fn already_decided(approval: &Approval) -> Problem {
    Problem::new(ErrorCode::AlreadyDecided).with_detail(match approval.state {
        ApprovalState::Pending => "you have decided on this already",
        ApprovalState::Approved => "it has been approved already",
        ApprovalState::Rejected => "it has been rejected already",
        ApprovalState::Void => "the run ended before a decision",
    })
}

/// The rule's verdict. Whoever asks for changes ends the matter: what was sent will not run as it is.
fn verdict(approval: &Approval, asked: &[Approver], decided: &[Decision], last: DecisionKind) -> Tally {
    if last == DecisionKind::RequestChanges {
        return Tally::Rejected;
    }
    let mut seen = BTreeSet::new();
    let asked: Vec<_> = asked.iter().map(|approver| approver.user_id).filter(|id| seen.insert(*id)).collect();
    let votes: Vec<_> = decided.iter().map(|decision| (decision.user_id, decision.kind)).collect();
    rule_of(approval).map_or(Tally::Pending, |rule| tally(&rule, &asked, &votes))
}

const fn verdict_name(verdict: Tally) -> &'static str {
    match verdict {
        Tally::Pending => "pending",
        Tally::Approved => "approved",
        Tally::Rejected => "rejected",
    }
}
