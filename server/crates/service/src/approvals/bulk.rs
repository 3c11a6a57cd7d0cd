//! Several approvals at once: each is decided by the one function that decides, and each answer is told by itself.

use std::collections::BTreeSet;

use domain::{
    ApprovalId, ApprovalState, DecisionKind, DecisionResult, ErrorCode, FieldError, Operation, Problem, WhyAlone,
    view::{ChosenApproval, DecisionOutcome},
};
use serde_json::{Value, json};
use store::{UnitOfWork, approvals::Approval, runs::Run};

use super::{Loaded, Manner, NewDecision, check_comment, deliberation::Deliberation, form_of, load};
use crate::{
    Caller, Service,
    problems::OrProblem as _,
    runs,
    views::{self, People},
};

/// The most approvals that are decided at once.
pub(super) const LIMIT: usize = 100;

/// One of several decisions that are sent together.
#[derive(Clone, Debug)]
pub struct ChosenDecision {
    /// About which approval.
    pub approval: ApprovalId,
    /// What they say: not [`DecisionKind::Narrow`], which needs more than a reason.
    pub kind: DecisionKind,
    /// Why; required unless it is an approval.
    pub comment: String,
    /// The digest of what they saw.
    pub digest: String,
}

impl Service {
    /// Those of some approvals that the caller may see, with what is needed to decide on them together.
    pub async fn chosen_approvals(&self, caller: &Caller, ids: &[ApprovalId]) -> Result<Vec<ChosenApproval>, Problem> {
        check_number(ids.len(), "")?;
        let mut gate = self.look(caller, Operation::ApprovalRead).await?;
        let represents = gate.unit.represented_by(caller.user, gate.now).await.or_problem()?;
        let mut chosen = Vec::with_capacity(ids.len());
        let mut seen = BTreeSet::new();
        for id in ids.iter().filter(|id| seen.insert(**id)) {
            let unit = gate.unit.as_mut();
            if unit.approval(*id).await.or_problem()?.is_none() {
                continue;
            }
            let loaded = load(unit, *id, gate.now).await?;
            let resource = self.approval_resource(unit, caller, &loaded).await?;
            if !gate.shows(&resource) {
                continue;
            }
            let Loaded { approval, run, asked, changers, .. } = loaded;
            let unit = gate.unit.as_mut();
            let decisions = unit.decisions(*id).await.or_problem()?;
            let said = decisions.iter().rfind(|decision| decision.user_id == caller.user).map(|decision| decision.kind);
            let deliberation = Deliberation::new(&approval, &asked, decisions, &changers);
            let denied = deliberation.ballot(caller, &represents, &run.workflow).err();
            let refusal = self.refusal(caller, &approval, &resource, denied);
            let decide =
                self.in_force().decide(&caller.principal, Operation::ApprovalDecide, &resource.confirmed(false));
            let alone = match refusal {
                None if !decide.allowed => Some(WhyAlone::StepUp),
                None => form_of(&approval).map(|_| WhyAlone::Form),
                Some(_) => None,
            };
            let people = People::load(unit, [approval.requester_id]).await.or_problem()?;
            let shown = views::shown(&approval.shown);
            let definition = self.definition(unit, &run.workflow, &run.version).await?;
            chosen.push(ChosenApproval {
                summary: self.approval_summary(unit, caller, &represents, &deliberation, &run, &people).await?,
                input: shown.get("input").cloned().unwrap_or_default(),
                input_schema: definition.input_schema().cloned(),
                refusal,
                alone,
                said,
                replaced_by: replaced_by(unit, &approval, &run).await?,
            });
        }
        Ok(chosen)
    }

    /// Takes several decisions, one after the other, at most 100. Each is decided as if it came by itself; that one is refused
    /// keeps none of the others. Nothing at all is decided when a reason is missing or an approval is named twice.
    pub async fn decide_chosen(
        &self,
        caller: &Caller,
        chosen: Vec<ChosenDecision>,
    ) -> Result<Vec<DecisionOutcome>, Problem> {
        check(&chosen)?;
        // A key stands for one change. Who sends the same decisions again is told that they were taken.
        let caller = &Caller { reservation: None, ..caller.clone() };
        let mut outcomes = Vec::with_capacity(chosen.len());
        for ChosenDecision { approval, kind, comment, digest } in chosen {
            let new = NewDecision { manner: Manner::InBulk, ..NewDecision::new(kind, &comment, &digest) };
            outcomes.push(match self.decide_on(caller, approval, new).await {
                Ok(detail) => DecisionOutcome {
                    approval,
                    result: DecisionResult::Decided,
                    state: Some(detail.summary.state),
                    problem: None,
                    difference: None,
                },
                Err(problem) => self.not_decided(caller, approval, problem).await?,
            });
        }
        Ok(outcomes)
    }

    async fn not_decided(
        &self,
        caller: &Caller,
        approval: ApprovalId,
        problem: Problem,
    ) -> Result<DecisionOutcome, Problem> {
        let mut difference = None;
        let result = match problem.code {
            ErrorCode::StepUpRequired | ErrorCode::DecideAlone => DecisionResult::Alone,
            ErrorCode::DigestMismatch => {
                difference = Some(approval);
                DecisionResult::Changed
            }
            ErrorCode::AlreadyDecided => {
                // Only those whom the approval knows are told that it is decided already.
                let chosen = self.chosen_approvals(caller, &[approval]).await?;
                difference = chosen.first().and_then(|chosen| chosen.replaced_by);
                if difference.is_some() { DecisionResult::Changed } else { DecisionResult::AlreadyDecided }
            }
            _ => DecisionResult::Refused,
        };
        let difference = difference.map(|id| format!("/approvals/{id}"));
        Ok(DecisionOutcome { approval, result, state: None, problem: Some(problem), difference })
    }
}

/// The approval that asks about what has taken the place of what this one asked about.
async fn replaced_by(unit: &mut dyn UnitOfWork, approval: &Approval, run: &Run) -> Result<Option<ApprovalId>, Problem> {
    if approval.state != ApprovalState::Void {
        return Ok(None);
    }
    let others = runs::approvals_of(unit, run).await?.into_iter();
    let later = others.filter(|other| {
        other.opened_at > approval.opened_at
            && other.reference == approval.reference
            && other.state != ApprovalState::Void
    });
    Ok(later.max_by_key(|other| other.opened_at).map(|other| other.id))
}

fn check_number(number: usize, place: &str) -> Result<(), Problem> {
    if number <= LIMIT {
        return Ok(());
    }
    let (pointer, rule, message) = (place.to_owned(), "maxItems".to_owned(), "at most 100 at once".to_owned());
    let error = FieldError { pointer, rule, expected: json!(LIMIT), message };
    Err(Problem::new(ErrorCode::InvalidInput).with_errors(vec![error]))
}

/// What can be said before anything is decided.
fn check(chosen: &[ChosenDecision]) -> Result<(), Problem> {
    let mut errors = Vec::new();
    if chosen.is_empty() {
        let least = error("/decisions", "minItems", "choose what is to be decided");
        errors.push(FieldError { expected: json!(1), ..least });
    }
    check_number(chosen.len(), "/decisions")?;
    let mut seen = BTreeSet::new();
    for (number, decision) in chosen.iter().enumerate() {
        let place = |field: &str| format!("/decisions/{number}/{field}");
        if !seen.insert(decision.approval) {
            errors.push(error(&place("approval"), "uniqueItems", "it is in the list twice"));
        }
        if decision.kind == DecisionKind::Narrow {
            errors.push(error(
                &place("decision"),
                "enum",
                "what is permitted instead is said on the page of the approval",
            ));
        }
        if let Err(problem) = check_comment(decision.kind, &decision.comment) {
            errors.extend(problem.errors.into_iter().map(|wrong| FieldError { pointer: place("comment"), ..wrong }));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(Problem::new(ErrorCode::InvalidInput).with_errors(errors)) }
}

fn error(pointer: &str, rule: &str, message: &str) -> FieldError {
    let (pointer, rule, message) = (pointer.to_owned(), rule.to_owned(), message.to_owned());
    FieldError { pointer, rule, expected: Value::Null, message }
}
