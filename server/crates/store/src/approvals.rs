//! Approvals, who is asked, and what they said.

use async_trait::async_trait;
use domain::{ApprovalId, ApprovalState, DecisionId, DecisionKind, RemarkId, RunId, Timestamp, UserId};

use crate::{Result, delegations::Represented, runs::Visibility};

/// A row of `approvals`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Id.
    pub id: ApprovalId,
    /// The run that waits.
    pub run: RunId,
    /// The interpreter's id of the waiting call.
    pub call: String,
    /// The task's reference.
    pub reference: String,
    /// What is asked.
    pub title: String,
    /// The author's explanation.
    pub message: String,
    /// Where it stands.
    pub state: ApprovalState,
    /// The rule that decides, as JSON.
    pub rule: String,
    /// What was shown and is bound by the digest, as JSON.
    pub shown: String,
    /// Hex SHA-256 of what would run and was shown.
    pub digest: String,
    /// Who asked for the run.
    pub requester_id: UserId,
    /// The stage that is asked, by its position in the rule.
    pub stage: u32,
    /// Whether the requester can send other input when somebody asks for changes.
    pub returnable: bool,
    /// Opened at.
    pub opened_at: Timestamp,
    /// Due at.
    pub due_at: Option<Timestamp>,
    /// Ended at.
    pub closed_at: Option<Timestamp>,
    /// What time does to it, as JSON, where the definition says something about that.
    pub timing: Option<String>,
}

/// A row of `approval_approvers`: one person who is asked, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approver {
    /// The person.
    pub user_id: UserId,
    /// Why (`manager of staff`, `team it-identity` …).
    pub via: String,
    /// In which stage, by its position.
    pub stage: u32,
    /// Asked since others have left, or have not decided for long: they do not change how many are needed.
    pub later: bool,
}

/// A row of `decisions`. Never changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Id.
    pub id: DecisionId,
    /// On which approval.
    pub approval: ApprovalId,
    /// Who.
    pub user_id: UserId,
    /// Whose vote it is, where that is not who decided.
    pub on_behalf_of: Option<UserId>,
    /// What they said.
    pub kind: DecisionKind,
    /// Their reason.
    pub comment: String,
    /// The digest they saw.
    pub digest: String,
    /// In which stage, by its position.
    pub stage: u32,
    /// What they filled in, as JSON, where the approval has a form.
    pub filled_in: Option<String>,
    /// What they permitted instead of what was asked for, as a JSON object of pointers and values.
    pub narrowed: Option<String>,
    /// When.
    pub decided_at: Timestamp,
}

impl Decision {
    /// Whose vote it is.
    #[must_use]
    pub fn vote_of(&self) -> UserId {
        self.on_behalf_of.unwrap_or(self.user_id)
    }
}

/// Somebody whom the open stage asks, and who was disabled, or has put data of their own into the run, before they decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// The approval.
    pub approval: ApprovalId,
    /// Who has gone.
    pub user_id: UserId,
    /// The run that waits.
    pub run: RunId,
    /// The interpreter's id of the waiting call.
    pub call: String,
}

/// A row of `approval_remarks`: a question about an approval, or an answer to one. Never changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Id.
    pub id: RemarkId,
    /// About which approval.
    pub approval: ApprovalId,
    /// The question that it answers; none for a question.
    pub answers: Option<RemarkId>,
    /// Who.
    pub user_id: UserId,
    /// What was said.
    pub text: String,
    /// When.
    pub made_at: Timestamp,
}

/// What a list of approvals is narrowed to. All given conditions hold at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApprovalFilter {
    /// In this state.
    pub state: Option<ApprovalState>,
    /// Asks this person in the open stage, who has not decided there yet, nor has anybody for them; and is not back with the
    /// requester.
    pub waiting_for: Option<UserId>,
    /// … or asks one of these, for whom that person stands in, and nobody has decided for them yet.
    pub for_others: Vec<Represented>,
    /// Of this run.
    pub run: Option<RunId>,
}

/// Place of an approval in the queue: due time (none last), then id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueKey {
    /// Due time; [`i64::MAX`] microseconds for none.
    pub due: Timestamp,
    /// Id.
    pub id: ApprovalId,
}

/// Approvals.
#[async_trait]
pub trait Approvals: Send {
    /// Adds one with those who are asked.
    async fn insert_approval(&mut self, approval: &Approval, approvers: &[Approver]) -> Result<()>;
    /// One by id. Within a writing unit the row stays locked until its end, so that two decisions cannot cross.
    async fn approval(&mut self, id: ApprovalId) -> Result<Option<Approval>>;
    /// The approval of a waiting call.
    async fn approval_of_call(&mut self, run: RunId, call: &str) -> Result<Option<Approval>>;
    /// Those whose run `visible` lets see and `filter` lets through, oldest due first, after `after`, at most `limit`.
    async fn list_approvals(
        &mut self,
        visible: &Visibility,
        filter: &ApprovalFilter,
        after: Option<QueueKey>,
        limit: u32,
    ) -> Result<Vec<Approval>>;
    /// How many pending ones wait for this person, or for one of those for whom they stand in, as
    /// [`ApprovalFilter::waiting_for`] says; `most` if there are more.
    async fn count_waiting_for(&mut self, user: UserId, for_others: &[Represented], most: u32) -> Result<u64>;
    /// Who is asked, and was in earlier stages, in the order of asking.
    async fn approvers(&mut self, id: ApprovalId) -> Result<Vec<Approver>>;
    /// The same of many approvals, each with its id.
    async fn approvers_of(&mut self, ids: &[ApprovalId]) -> Result<Vec<(ApprovalId, Approver)>>;
    /// Everybody whom any approval of this run asks or asked, or who decided for one of them, in order of id.
    async fn people_asked_in(&mut self, run: RunId) -> Result<Vec<UserId>>;
    /// Asks more people, after those who are asked already; who is asked in the same stage already is left as it is.
    async fn add_approvers(&mut self, id: ApprovalId, approvers: &[Approver]) -> Result<()>;
    /// Goes on to the next stage; [`crate::StoreError::Conflict`] when it is not pending, or `stage` is not the next.
    async fn advance_approval(&mut self, id: ApprovalId, stage: u32) -> Result<()>;
    /// Remembers that this person has put data of their own into a run: they decide nothing in it from now on.
    async fn note_change(&mut self, run: RunId, user: UserId) -> Result<()>;
    /// Remembers the same of another run, which gets data of the one: its input, or its output.
    async fn pass_changes(&mut self, from: RunId, to: RunId) -> Result<()>;
    /// Who has put data of their own into a run, or into another whose data it has got, in order of id.
    async fn changers(&mut self, run: RunId) -> Result<Vec<UserId>>;
    /// The same of many runs, each with its id.
    async fn changers_of(&mut self, runs: &[RunId]) -> Result<Vec<(RunId, UserId)>>;
    /// Those whom the open stages of pending approvals ask, who were disabled or changed the run's data before they decided,
    /// and were not taken before since then; at most `limit`. Of two units at once each takes others.
    async fn take_departures(&mut self, limit: u32) -> Result<Vec<Departure>>;
    /// Ends a pending one; [`crate::StoreError::Conflict`] when it is not pending any more.
    async fn close_approval(&mut self, id: ApprovalId, state: ApprovalState, at: Timestamp) -> Result<()>;
    /// Pending ones whose due time is not after `now`.
    async fn overdue_approvals(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Approval>>;
    /// Adds a decision; [`crate::StoreError::Duplicate`] when this person decided in this stage already, or
    /// somebody else for the same person.
    async fn insert_decision(&mut self, decision: &Decision) -> Result<()>;
    /// The decisions, stage after stage, in order.
    async fn decisions(&mut self, id: ApprovalId) -> Result<Vec<Decision>>;
    /// The same of many approvals.
    async fn decisions_of(&mut self, ids: &[ApprovalId]) -> Result<Vec<Decision>>;
    /// Adds a question or an answer; [`crate::StoreError::Reference`] when what it answers is no remark.
    async fn insert_remark(&mut self, remark: &Remark) -> Result<()>;
    /// What was asked and answered about all approvals of a run, in order.
    async fn remarks_of_run(&mut self, run: RunId) -> Result<Vec<Remark>>;
}
