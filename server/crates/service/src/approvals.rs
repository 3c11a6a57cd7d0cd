//! Deciding. There is one function that decides, whatever the door: [`Service::decide_on`].

mod bulk;
mod deliberation;
mod foresight;
mod mail_link;
mod remarks;
mod resubmission;
mod timing;

use audit::Detail;
use std::collections::{BTreeMap, BTreeSet};

use domain::{
    ApprovalId, ApprovalState, DecisionId, DecisionKind, ErrorCode, Operation, Problem, RunId, Timestamp, UserId,
    view::{ApprovalDetail, ApprovalSummary, ApproverView, DecisionView, Page, RecentRun, SimilarRuns},
};
use engine::Topic;
use policy::Resource;
use serde_json::{Value, json};
use store::{
    UnitOfWork,
    approvals::{Approval, ApprovalFilter, Approver, Decision, QueueKey},
    delegations::{Represented, Substitute},
    runs::{Run, RunFilter},
};
use workflow::{
    CallId, EventKind, RunError,
    approval::{Denied, Standing},
};

pub use bulk::ChosenDecision;
pub use mail_link::DecisionLinks;

use deliberation::Deliberation;

use crate::{
    Caller, Gate, Service, catalogue, cursor,
    gate::{self, Target},
    input,
    problems::{OrProblem as _, not_found},
    runs,
    typical::SAMPLE,
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

/// What somebody decides.
#[derive(Clone, Debug)]
pub struct NewDecision {
    /// What they say.
    pub kind: DecisionKind,
    /// Why; required unless it is an approval.
    pub comment: String,
    /// The digest of what they saw.
    pub digest: String,
    /// What they fill in, where the approval has a form and they approve.
    pub filled_in: Option<Value>,
    /// What they permit instead of what was asked for, by JSON pointer into the input; for [`DecisionKind::Narrow`].
    pub narrowed: BTreeMap<String, Value>,
    /// How it came.
    pub manner: Manner,
}

impl NewDecision {
    /// A decision that is nothing but a word and a reason.
    #[must_use]
    pub fn new(kind: DecisionKind, comment: &str, digest: &str) -> Self {
        Self {
            kind,
            comment: comment.to_owned(),
            digest: digest.to_owned(),
            filled_in: None,
            narrowed: BTreeMap::new(),
            manner: Manner::Single,
        }
    }
}

fn target(approval: &Approval, run: &Run) -> Target {
    Target::new("approval", approval.id, format!("R-{}: {}", run.number, approval.title))
        .within(&run.workflow.namespace)
        .of_run(run.id)
}

fn decision_view(decision: Decision, people: &People) -> DecisionView {
    DecisionView {
        id: decision.id,
        person: people.get(decision.user_id),
        on_behalf_of: decision.on_behalf_of.map(|other| people.get(other)),
        decision: decision.kind,
        comment: decision.comment,
        stage: decision.stage + 1,
        filled_in: decision.filled_in.as_deref().map(views::shown),
        narrowed: decision.narrowed.as_deref().map(views::shown),
        decided_at: decision.decided_at,
    }
}

/// By which of the ways that lead to the one function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// By itself.
    #[default]
    Single,
    /// Together with others.
    InBulk,
    /// By a link in a mail, which asked about this stage, counted from 0.
    MailLink {
        /// The stage.
        stage: u32,
    },
}

impl Manner {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::InBulk => "bulk",
            Self::MailLink { .. } => "mail-link",
        }
    }
}

impl Service {
    /// An approval as policies see it.
    async fn approval_resource(
        &self,
        unit: &mut dyn UnitOfWork,
        caller: &Caller,
        loaded: &Loaded,
    ) -> Result<Resource, Problem> {
        let Loaded { approval, run, asked, substitutes, changers } = loaded;
        let mut involved = unit.people_asked_in(run.id).await.or_problem()?;
        involved.extend(substitutes.iter().map(|substitute| substitute.user_id));
        let asked = asked.iter().map(|approver| approver.user_id);
        let here = substitutes.iter().filter(|substitute| substitute.approval == approval.id);
        let risk = self.definition(unit, &run.workflow, &run.version).await?.rondo().risk;
        Ok(Resource::approval(approval.id, &run.workflow.namespace, approval.requester_id, asked, involved)
            .with_substitutes(here.map(|substitute| substitute.user_id))
            .changed_by(changers.iter().copied())
            .of_risk(risk)
            .confirmed(self.is_confirmed(caller)))
    }

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
        let visible = runs::visibility(self, gate.unit.as_mut(), caller, gate.now).await?;
        let filter = ApprovalFilter {
            state: query.state,
            waiting_for: query.mine.then_some(caller.user),
            for_others: visible.represents.clone(),
            run: query.run,
        };
        // In microseconds: what has no due time stands at the end of time, which no date can be written for.
        let after = cursor::decode::<(i64, ApprovalId)>(cursor)?;
        let after = after.map(|(due, id)| QueueKey { due: Timestamp::from_micros(due), id });
        let rows = gate.unit.list_approvals(&visible, &filter, after, limit + 1).await.or_problem()?;
        let page =
            cursor::page(rows, limit, |approval| (approval.due_at.map_or(i64::MAX, Timestamp::as_micros), approval.id));
        let items = self.approval_summaries(gate.unit.as_mut(), caller, &visible.represents, page.items).await?;
        Ok(Page { items, next: page.next })
    }

    /// Rows as they stand in lists.
    pub(crate) async fn approval_summaries(
        &self,
        unit: &mut dyn UnitOfWork,
        caller: &Caller,
        represents: &[Represented],
        rows: Vec<Approval>,
    ) -> Result<Vec<ApprovalSummary>, Problem> {
        let people = People::load(unit, rows.iter().map(|approval| approval.requester_id)).await.or_problem()?;
        // Of all at once: what each row needs of its own would be asked of the database for each.
        let ids: Vec<_> = rows.iter().map(|approval| approval.id).collect();
        let runs: Vec<_> = rows.iter().map(|approval| approval.run).collect();
        let asked = by_key(unit.approvers_of(&ids).await.or_problem()?);
        let decided = unit.decisions_of(&ids).await.or_problem()?;
        let mut decided = by_key(decided.into_iter().map(|decision| (decision.approval, decision)));
        let changers = by_key(unit.changers_of(&runs).await.or_problem()?);
        let runs = unit.runs_by_id(&runs).await.or_problem()?;
        let runs: BTreeMap<_, _> = runs.into_iter().map(|run| (run.id, run)).collect();
        let mut summaries = Vec::with_capacity(rows.len());
        for approval in &rows {
            let run = runs.get(&approval.run).ok_or_else(not_found)?;
            let asked = asked.get(&approval.id).map_or(&[][..], Vec::as_slice);
            let decided = decided.remove(&approval.id).unwrap_or_default();
            let changers = changers.get(&approval.run).map_or(&[][..], Vec::as_slice);
            let deliberation = Deliberation::new(approval, asked, decided, changers);
            summaries.push(self.approval_summary(unit, caller, represents, &deliberation, run, &people).await?);
        }
        Ok(summaries)
    }

    async fn approval_summary(
        &self,
        unit: &mut dyn UnitOfWork,
        caller: &Caller,
        represents: &[Represented],
        deliberation: &Deliberation<'_>,
        run: &Run,
        people: &People,
    ) -> Result<ApprovalSummary, Problem> {
        let approval = deliberation.approval;
        let risk = self.definition(unit, &run.workflow, &run.version).await?.rondo().risk;
        let ballot = deliberation.ballot(caller, represents, &run.workflow).ok();
        let ballot = ballot.filter(|_| approval.state == ApprovalState::Pending);
        let on_behalf_of = match ballot {
            Some(ballot) if ballot.of != caller.user => unit.user(ballot.of).await.or_problem()?,
            _ => None,
        };
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
            stage: approval.stage + 1,
            stage_count: u32::try_from(deliberation.rule.stages.len()).unwrap_or(u32::MAX),
            returned: deliberation.is_returned(),
            digest: approval.digest.clone(),
            due: approval.due_at,
            opened_at: approval.opened_at,
            closed_at: approval.closed_at,
            requester: people.get(approval.requester_id),
            risk,
            mine: ballot.is_some(),
            on_behalf_of: on_behalf_of.as_ref().map(views::person),
        })
    }

    /// One approval with all that a decision needs.
    pub async fn approval(&self, caller: &Caller, id: ApprovalId) -> Result<ApprovalDetail, Problem> {
        let mut gate = self.look(caller, Operation::ApprovalRead).await?;
        let loaded = load(gate.unit.as_mut(), id, gate.now).await?;
        let resource = self.approval_resource(gate.unit.as_mut(), caller, &loaded).await?;
        gate.authorize_or_hide(&resource, &target(&loaded.approval, &loaded.run)).await?;
        let represents = gate.unit.represented_by(caller.user, gate.now).await.or_problem()?;
        self.approval_page(gate.unit.as_mut(), caller, &represents, loaded, &resource).await
    }

    async fn approval_page(
        &self,
        unit: &mut dyn UnitOfWork,
        caller: &Caller,
        represents: &[Represented],
        Loaded { approval, run, asked, substitutes, changers }: Loaded,
        resource: &Resource,
    ) -> Result<ApprovalDetail, Problem> {
        let decided = unit.decisions(approval.id).await.or_problem()?;
        let ids = asked.iter().map(|approver| approver.user_id);
        let remarks = unit.remarks_of_run(run.id).await.or_problem()?;
        let ids = ids.chain(decided.iter().flat_map(|decision| [decision.user_id, decision.vote_of()]));
        let ids = ids.chain(substitutes.iter().map(|substitute| substitute.user_id)).chain([approval.requester_id]);
        let ids = ids.chain(remarks.iter().map(|remark| remark.user_id));
        let people = People::load(unit, ids).await.or_problem()?;
        let able = able(unit, &asked, &changers).await?;
        let deliberation = Deliberation::new(&approval, &asked, decided, &changers);
        let summary = self.approval_summary(unit, caller, represents, &deliberation, &run, &people).await?;
        let definition = self.definition(unit, &run.workflow, &run.version).await?;
        let shown: Value = views::shown(&approval.shown);
        let others = runs::approvals_of(unit, &run).await?;
        let earlier = resubmission::earlier(unit, &approval, others).await?;
        let ballot = deliberation.ballot(caller, represents, &run.workflow);
        let refusal = self.refusal(caller, &approval, resource, ballot.err());
        let stand_in = |asked: &Approver| {
            let here = |other: &&Substitute| other.approval == approval.id && other.represented == asked.user_id;
            let others = substitutes.iter().filter(|_| asked.stage == approval.stage).filter(here);
            others.map(|other| people.get(other.user_id)).collect()
        };
        let gone = |asked: &Approver| {
            asked.stage == approval.stage && !able.contains(&asked.user_id) && !deliberation.has_vote_of(asked)
        };
        let policies = self.in_force();
        let may = |operation| policies.decide(&caller.principal, operation, resource).allowed;
        let step_up = refusal.is_none() && !may(Operation::ApprovalDecide);
        let pending = approval.state == ApprovalState::Pending;
        let can_resubmit = deliberation.is_returned() && may(Operation::ApprovalResubmit);
        let draft = if can_resubmit { unit.draft_of_approval(approval.id).await.or_problem()? } else { None };
        Ok(ApprovalDetail {
            version: run.version.clone(),
            message: approval.message.clone(),
            input: shown.get("input").cloned().unwrap_or_default(),
            input_schema: definition.input_schema().cloned(),
            about: shown.get("about").filter(|about| shown.get("input") != Some(about)).cloned(),
            steps: self.steps(unit, &definition, approval.requester_id, shown.get("input")).await?,
            quorum: deliberation.quorum(),
            stages: deliberation.stages(),
            distinct: deliberation.rule.distinct,
            timing: timing::view(unit, &approval).await?,
            earlier,
            form: shown.get("form").cloned(),
            narrow: resubmission::narrowable(&shown),
            questions: remarks::questions(remarks, &people),
            can_foresee: pending && may(Operation::ApprovalForesee),
            can_ask: pending && may(Operation::ApprovalAsk),
            can_answer: pending && may(Operation::ApprovalAnswer),
            can_resubmit,
            draft: draft.filter(|draft| draft.run.is_none()).map(|draft| draft.id),
            approvers: asked
                .iter()
                .map(|approver| ApproverView {
                    person: people.get(approver.user_id),
                    via: approver.via.clone(),
                    stage: approver.stage + 1,
                    substitutes: stand_in(approver),
                    gone: gone(approver),
                })
                .collect(),
            decisions: deliberation.decisions.iter().map(|decision| decision_view(decision.clone(), &people)).collect(),
            similar: self.similar(unit, caller, represents, &run).await?,
            can_decide: refusal.is_none(),
            refusal,
            step_up,
            run_error: views::run_detail(&run, &people).error,
            summary,
        })
    }

    /// Why the caller cannot decide now; none when they can, if need be by giving the password again.
    fn refusal(
        &self,
        caller: &Caller,
        approval: &Approval,
        resource: &Resource,
        denied: Option<Denied>,
    ) -> Option<ErrorCode> {
        let confirmed = resource.clone().confirmed(true);
        let decision = self.in_force().decide(&caller.principal, Operation::ApprovalDecide, &confirmed);
        if !decision.allowed {
            return Some(gate::code_of(&decision.policies));
        }
        if approval.state != ApprovalState::Pending {
            return Some(ErrorCode::AlreadyDecided);
        }
        denied.map(|denied| denied_problem(approval, denied).code)
    }

    async fn similar(
        &self,
        unit: &mut dyn UnitOfWork,
        caller: &Caller,
        represents: &[Represented],
        run: &Run,
    ) -> Result<SimilarRuns, Problem> {
        let statistics = unit.run_statistics(&run.workflow, catalogue::LATEST).await.or_problem()?;
        let durations = unit.run_durations(&run.workflow, SAMPLE).await.or_problem()?;
        let filter = RunFilter { workflow: Some(run.workflow.clone()), ..RunFilter::default() };
        // Only what the caller might open: a decision page is no way around the list of runs.
        let visible = runs::visible_to(self, caller, represents.to_vec());
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

    /// Takes a decision that is nothing but a word and a reason.
    pub async fn decide(
        &self,
        caller: &Caller,
        id: ApprovalId,
        kind: DecisionKind,
        comment: &str,
        digest: &str,
    ) -> Result<ApprovalDetail, Problem> {
        self.decide_on(caller, id, NewDecision::new(kind, comment, digest)).await
    }

    /// Takes a decision. Its digest says what the person saw; if something else would run by now, nothing is decided.
    pub async fn decide_on(
        &self,
        caller: &Caller,
        id: ApprovalId,
        new: NewDecision,
    ) -> Result<ApprovalDetail, Problem> {
        let mut gate = self.enter(caller, Operation::ApprovalDecide).await?;
        // Locks the approval, so that of two people at the same moment one decides and the other is told.
        let loaded = load(gate.unit.as_mut(), id, gate.now).await?;
        let mut resource = self.approval_resource(gate.unit.as_mut(), caller, &loaded).await?;
        if new.manner == Manner::InBulk {
            // A password is given for one decision, which was looked at.
            resource = resource.confirmed(false);
        }
        let Loaded { approval, run, asked, changers, .. } = loaded;
        let target = target(&approval, &run);
        if self.in_force().decide(&caller.principal, Operation::ApprovalRead, &resource).allowed {
            gate.authorize(&resource, &target).await?;
        } else {
            gate.authorize_or_hide(&resource, &target).await?;
        }
        let comment = check_comment(new.kind, &new.comment)?;
        let decided = gate.unit.decisions(id).await.or_problem()?;
        let mut deliberation = Deliberation::new(&approval, &asked, decided, &changers);
        if approval.state != ApprovalState::Pending {
            return Err(gate.refuse(&target, already_decided(&approval)).await);
        }
        let represents = gate.unit.represented_by(caller.user, gate.now).await.or_problem()?;
        let ballot = match deliberation.ballot(caller, &represents, &run.workflow) {
            Ok(ballot) => ballot,
            Err(denied) => return Err(gate.refuse(&target, denied_problem(&approval, denied)).await),
        };
        let stage = u32::try_from(ballot.stage).unwrap_or(u32::MAX);
        if matches!(new.manner, Manner::MailLink { stage: asked } if asked != stage) {
            return Err(gate.refuse(&target, mail_link::passed()).await);
        }
        if approval.digest != new.digest {
            let problem = Problem::new(ErrorCode::DigestMismatch)
                .with_detail("what you saw is not what would run now; read it again and decide on that");
            return Err(gate.refuse(&target, problem).await);
        }
        if new.manner == Manner::InBulk && new.kind == DecisionKind::Approve && form_of(&approval).is_some() {
            let problem = Problem::new(ErrorCode::DecideAlone).with_detail("whoever approves this fills in a form");
            return Err(gate.refuse(&target, problem).await);
        }
        let represented = match ballot.of {
            own if own == caller.user => None,
            other => Some(gate.unit.user(other).await.or_problem()?.ok_or_else(not_found)?),
        };
        let filled_in = check_form(&approval, &new)?;
        let less = (new.kind == DecisionKind::Narrow).then(|| json!(new.narrowed));
        let decision = Decision {
            id: DecisionId::new(self.ids()),
            approval: id,
            user_id: caller.user,
            on_behalf_of: represented.as_ref().map(|other| other.id),
            kind: new.kind,
            comment: comment.clone(),
            digest: new.digest.clone(),
            stage,
            filled_in: filled_in.map(|filled_in| filled_in.to_string()),
            narrowed: less.as_ref().map(Value::to_string),
            decided_at: gate.now,
        };
        gate.unit.insert_decision(&decision).await.or_problem()?;
        deliberation.decisions.push(decision);
        let standing = deliberation.standing();
        if standing == Standing::Narrowed {
            let input = resubmission::narrowed(&approval, &run, &new.narrowed)?;
            let begun = self.begin_again(&mut gate, caller, &approval, &run, &input).await;
            begun.map_err(|problem| within(problem, "/narrowed"))?;
        }
        let who = match &represented {
            Some(other) => format!("{} for {}", caller.name, other.name),
            None => caller.name.clone(),
        };
        let has_consequences = self.follow(&mut gate, &who, &approval, &run, standing, &deliberation.decisions).await?;
        let detail = json!({
            "decision": new.kind,
            "onBehalfOf": represented.as_ref().map(|other| &other.login),
            "comment": comment,
            "digest": new.digest,
            "step": approval.title,
            "stage": stage + 1,
            "narrowed": less,
            "verdict": verdict_name(standing),
            "manner": new.manner.as_str(),
        });
        let detail = Detail::from(detail).naming("/onBehalfOf", represented.map(|other| other.id));
        gate.finish(&target, detail).await?;
        // Whoever waits for more decisions, or for the requester, has nothing to do.
        if has_consequences {
            self.wake(run.id);
        }
        self.parts.live.changed(Topic::Approvals);
        self.approval(caller, id).await
    }

    /// Draws the consequences of the last decision: the next stage, the requester's turn, or the end. Whether the
    /// run is told.
    async fn follow(
        &self,
        gate: &mut Gate<'_>,
        who: &str,
        approval: &Approval,
        run: &Run,
        standing: Standing,
        decided: &[Decision],
    ) -> Result<bool, Problem> {
        let call = CallId(approval.call.parse().map_err(|_| not_found())?);
        let last = decided.last();
        let (state, event) = match standing {
            Standing::Open { stage } => {
                let next = u32::try_from(stage).unwrap_or(u32::MAX);
                if next == approval.stage {
                    // With this one against it, those who are left may be too few, as others have left before.
                    let is_short = engine::approvals::lacks_people(gate.unit.as_mut(), approval).await.or_problem()?;
                    if is_short {
                        runs::push(gate, run.id, EventKind::ApproverLeft { call }).await?;
                    }
                    return Ok(is_short);
                }
                gate.unit.advance_approval(approval.id, next).await.or_problem()?;
                runs::push(gate, run.id, EventKind::StageApproved { call, stage }).await?;
                return Ok(true);
            }
            Standing::Returned => {
                self.send_back(gate, approval, run).await?;
                return Ok(false);
            }
            Standing::Narrowed => return Ok(true),
            Standing::Approved => {
                let output = self.approval_output(gate.unit.as_mut(), decided).await?;
                (ApprovalState::Approved, EventKind::CallCompleted { call, output })
            }
            Standing::Rejected => {
                let comment = last.map(|decision| decision.comment.as_str()).unwrap_or_default();
                let words = format!("{who}: {comment}");
                (
                    ApprovalState::Rejected,
                    EventKind::CallFailed { call, error: RunError::rejected(words), retryable: false },
                )
            }
        };
        gate.unit.close_approval(approval.id, state, gate.now).await.or_problem()?;
        if last.is_some_and(|decision| decision.kind == DecisionKind::RequestChanges) {
            self.send_back(gate, approval, run).await?;
        }
        runs::push(gate, run.id, event).await?;
        Ok(true)
    }

    /// What the workflow gets from an approval.
    async fn approval_output(&self, unit: &mut dyn UnitOfWork, decided: &[Decision]) -> Result<Value, Problem> {
        let everybody = decided.iter().flat_map(|decision| [decision.user_id, decision.vote_of()]);
        let people = People::load(unit, everybody).await.or_problem()?;
        let decisions: Vec<Value> = decided
            .iter()
            .map(|decision| {
                let mut said = json!({
                    "by": people.get(decision.user_id).login,
                    "decision": decision.kind,
                    "comment": decision.comment,
                    "stage": decision.stage + 1,
                    "at": decision.decided_at,
                });
                let filled_in = decision.filled_in.as_deref().and_then(|text| serde_json::from_str(text).ok());
                if let Value::Object(said) = &mut said {
                    let other = decision.on_behalf_of.map(|other| people.get(other).login);
                    said.extend(other.map(|login| ("onBehalfOf".to_owned(), login.into())));
                    said.extend(filled_in.map(|filled_in: Value| ("filledIn".to_owned(), filled_in)));
                }
                said
            })
            .collect();
        Ok(json!({"outcome": "approved", "decisions": decisions}))
    }
}

/// An approval with those who may have a part in it.
struct Loaded {
    approval: Approval,
    run: Run,
    asked: Vec<Approver>,
    /// Of all pending approvals of the run.
    substitutes: Vec<Substitute>,
    /// Who has put data of their own into the run.
    changers: Vec<UserId>,
}

async fn load(unit: &mut dyn UnitOfWork, id: ApprovalId, now: Timestamp) -> Result<Loaded, Problem> {
    let approval = unit.approval(id).await.or_problem()?.ok_or_else(not_found)?;
    let run = unit.run(approval.run).await.or_problem()?.ok_or_else(not_found)?;
    let asked = unit.approvers(id).await.or_problem()?;
    let substitutes = unit.substitutes_in(run.id, now).await.or_problem()?;
    let changers = unit.changers(run.id).await.or_problem()?;
    Ok(Loaded { approval, run, asked, substitutes, changers })
}

fn by_key<K: Ord, V>(pairs: impl IntoIterator<Item = (K, V)>) -> BTreeMap<K, Vec<V>> {
    let mut found: BTreeMap<K, Vec<V>> = BTreeMap::new();
    for (key, value) in pairs {
        found.entry(key).or_default().push(value);
    }
    found
}

/// Those of the people asked who can still decide: whose accounts are enabled, and who have put no data into the run.
async fn able(unit: &mut dyn UnitOfWork, asked: &[Approver], changers: &[UserId]) -> Result<BTreeSet<UserId>, Problem> {
    let ids: Vec<UserId> = asked.iter().map(|approver| approver.user_id).collect();
    let users = unit.users_by_id(&ids).await.or_problem()?;
    Ok(users.into_iter().filter(|user| user.active && !changers.contains(&user.id)).map(|user| user.id).collect())
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
        ApprovalState::Pending => "the vote that you could cast has been cast already",
        ApprovalState::Approved => "it has been approved already",
        ApprovalState::Rejected => "it has been rejected already",
        ApprovalState::Void => "the run ended before a decision",
    })
}

fn denied_problem(approval: &Approval, denied: Denied) -> Problem {
    match denied {
        Denied::Decided => already_decided(approval),
        Denied::NotOpen(Standing::Returned) => Problem::new(ErrorCode::AlreadyDecided)
            .with_detail("somebody has asked for changes: it is back with the requester"),
        Denied::NotOpen(_) => {
            Problem::new(ErrorCode::AlreadyDecided).with_detail("something else takes the place of what was asked for")
        }
        Denied::DecidedEarlier => Problem::new(ErrorCode::Forbidden)
            .with_detail("another person than those who have decided in an earlier stage"),
        Denied::NotAsked => Problem::new(ErrorCode::Forbidden).with_detail("to be asked in this stage"),
    }
}

/// The same problem of a part of what was sent.
fn within(mut problem: Problem, place: &str) -> Problem {
    for error in &mut problem.errors {
        error.pointer.insert_str(0, place);
    }
    problem
}

/// What an approver fills in, as a schema.
fn form_of(approval: &Approval) -> Option<Value> {
    views::shown(&approval.shown).get("form").cloned()
}

/// What an approver fills in, checked against the approval's form. Nothing is filled in but to approve.
fn check_form(approval: &Approval, new: &NewDecision) -> Result<Option<Value>, Problem> {
    if new.kind != DecisionKind::Approve {
        return Ok(None);
    }
    let filled_in = new.filled_in.clone().unwrap_or_else(|| json!({}));
    let Some(form) = form_of(approval) else { return Ok(None) };
    let checked = input::check(Some(&form), &filled_in).map_err(|problem| within(problem, "/filledIn"));
    checked.map(|()| Some(filled_in))
}

const fn verdict_name(standing: Standing) -> &'static str {
    match standing {
        Standing::Open { .. } => "pending",
        Standing::Returned => "returned",
        Standing::Narrowed => "narrowed",
        Standing::Approved => "approved",
        Standing::Rejected => "rejected",
    }
}
