//! Input that is changed while people are asked about it: by its requester, whom an approver has asked for changes, and by an
//! approver, who permits less. Either way the run begins again with it, and everybody is asked anew.

use std::collections::BTreeMap;

use domain::{
    ApprovalId, ApprovalState, DecisionKind, DraftId, ErrorCode, FieldError, Operation, Problem,
    view::{EarlierVersion, RunSummary},
};
use engine::notices::{Notice, NoticeKind, notify};
use serde_json::{Value, json};
use store::{UnitOfWork, approvals::Approval, requests::Draft, runs::Run};
use workflow::{CallId, EventKind};

use super::{Loaded, decision_view, deliberation::Deliberation, load, target};
use crate::{
    Caller, Gate, Service, input,
    problems::{OrProblem as _, not_found},
    runs,
    views::{self, People},
};

impl Service {
    /// Sends changed input after an approver has asked for changes: the same run begins again with it.
    pub async fn resubmit(&self, caller: &Caller, id: ApprovalId, input: Value) -> Result<RunSummary, Problem> {
        let gate = self.enter(caller, Operation::ApprovalResubmit).await?;
        self.resubmit_within(gate, caller, id, input).await
    }

    /// The same in a unit that has begun.
    pub(crate) async fn resubmit_within(
        &self,
        mut gate: Gate<'_>,
        caller: &Caller,
        id: ApprovalId,
        input: Value,
    ) -> Result<RunSummary, Problem> {
        let loaded = load(gate.unit.as_mut(), id, gate.now).await?;
        let resource = self.approval_resource(gate.unit.as_mut(), caller, &loaded).await?;
        let Loaded { approval, run, asked, changers, .. } = loaded;
        let target = target(&approval, &run);
        if self.in_force().decide(&caller.principal, Operation::ApprovalRead, &resource).allowed {
            gate.authorize(&resource, &target).await?;
        } else {
            gate.authorize_or_hide(&resource, &target).await?;
        }
        let decisions = gate.unit.decisions(id).await.or_problem()?;
        if !Deliberation::new(&approval, &asked, decisions, &changers).is_returned() {
            let problem = Problem::new(ErrorCode::Conflict).with_detail(
                "nobody waits for changes of this: it was decided, sent again, or nobody has asked for any",
            );
            return Err(gate.refuse(&target, problem).await);
        }
        self.begin_again(&mut gate, caller, &approval, &run, &input).await?;
        if let Some(mut draft) = gate.unit.draft_of_approval(id).await.or_problem()?.filter(|draft| draft.run.is_none())
        {
            draft.values = input.to_string();
            draft.run = Some(run.id);
            draft.updated_at = gate.now;
            gate.unit.put_draft(&draft).await.or_problem()?;
        }
        let people = People::load(gate.unit.as_mut(), [run.requester_id]).await.or_problem()?;
        let detail = json!({
            "digest": approval.digest,
            "before": {"input": views::shown(&run.input)},
            "after": {"input": input},
        });
        gate.finish(&target, detail).await?;
        self.wake(run.id);
        Ok(views::run_summary(&run, &people))
    }

    /// Tells the run to begin again with other input, which is checked against the version that it runs.
    pub(super) async fn begin_again(
        &self,
        gate: &mut Gate<'_>,
        caller: &Caller,
        approval: &Approval,
        run: &Run,
        input: &Value,
    ) -> Result<(), Problem> {
        let version = gate.unit.workflow_version(&run.workflow, &run.version).await.or_problem()?;
        let definition = self.parse(&version.ok_or_else(not_found)?)?;
        input::check_replacement(input)?;
        input::check(definition.input_schema(), input)?;
        let call = CallId(approval.call.parse().map_err(|_| not_found())?);
        let event = EventKind::Resubmitted { call, input: input.clone(), by: caller.login.clone() };
        let state = engine::prospect(gate.unit.as_mut(), &definition, run).await.or_problem()?;
        let refusal = workflow::refusal(&definition, &state, &event).or_else(|| workflow::unsettled(&state));
        if let Some(refusal) = refusal {
            let problem = Problem::new(ErrorCode::Conflict).with_detail(refusal.to_string());
            return Err(gate.refuse(&target(approval, run), problem).await);
        }
        runs::push(gate, run.id, event).await
    }

    /// Gives the requester the input back as a draft. While the approval waits it is sent to the same run; where that is not
    /// possible it begins another. Neither a schedule nor a trigger fills in forms.
    pub(super) async fn send_back(&self, gate: &mut Gate<'_>, approval: &Approval, run: &Run) -> Result<(), Problem> {
        if !approval.requester_id.can_be_a_person() {
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
            approval: approval.returnable.then_some(approval.id),
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

/// The input with less in it: each pointer one of those that the approval lets approvers change.
pub(super) fn narrowed(approval: &Approval, run: &Run, changes: &BTreeMap<String, Value>) -> Result<Value, Problem> {
    let error = |pointer: &str, rule: &str, message: &str| {
        let pointer = format!("/narrowed{pointer}");
        let (rule, message) = (rule.to_owned(), message.to_owned());
        Problem::new(ErrorCode::InvalidInput).with_errors(vec![FieldError {
            pointer,
            rule,
            expected: Value::Null,
            message,
        }])
    };
    let may = narrowable(&views::shown(&approval.shown));
    let before: Value = serde_json::from_str(&run.input).unwrap_or_default();
    let mut after = before.clone();
    for (pointer, value) in changes {
        if !may.contains(pointer) {
            return Err(error(pointer, "narrow", "the workflow does not let approvers change this"));
        }
        let (parent, name) = pointer.rsplit_once('/').unwrap_or_default();
        let name = name.replace("~1", "/").replace("~0", "~");
        match after.pointer_mut(parent).and_then(Value::as_object_mut) {
            Some(parent) => drop(parent.insert(name, value.clone())),
            None => return Err(error(pointer, "narrow", "the input has nothing there")),
        }
    }
    if after == before {
        return Err(error("", "required", "say what is to be changed"));
    }
    Ok(after)
}

/// What approvers may change, as the approval was shown.
pub(super) fn narrowable(shown: &Value) -> Vec<String> {
    serde_json::from_value(shown.get("narrow").cloned().unwrap_or_default()).unwrap_or_default()
}

/// What was asked for before, in the approvals that this one took the place of.
pub(super) async fn earlier(
    unit: &mut dyn UnitOfWork,
    approval: &Approval,
    others: Vec<Approval>,
) -> Result<Vec<EarlierVersion>, Problem> {
    let mut versions = Vec::new();
    for other in others {
        if other.state != ApprovalState::Void || other.opened_at >= approval.opened_at {
            continue;
        }
        let decisions = unit.decisions(other.id).await.or_problem()?;
        let changes = |kind| matches!(kind, DecisionKind::RequestChanges | DecisionKind::Narrow);
        if !decisions.iter().any(|decision| changes(decision.kind)) {
            continue;
        }
        let everybody = decisions.iter().flat_map(|decision| [decision.user_id, decision.vote_of()]);
        let people = People::load(unit, everybody).await.or_problem()?;
        versions.push((
            other.opened_at,
            EarlierVersion {
                approval: other.id,
                input: views::shown(&other.shown).get("input").cloned().unwrap_or_default(),
                decisions: decisions.into_iter().map(|decision| decision_view(decision, &people)).collect(),
                replaced_at: other.closed_at,
            },
        ));
    }
    versions.sort_by_key(|(opened, _)| *opened);
    Ok(versions.into_iter().map(|(_, version)| version).collect())
}
