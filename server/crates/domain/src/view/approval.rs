use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Person, PlanStep, RunError};
use crate::{
    ApprovalId, ApprovalState, DecisionId, DecisionKind, DecisionResult, DraftId, ErrorCode, Name, Problem, RemarkId,
    Risk, RunId, RunStatus, StageState, Timestamp, WhyAlone,
};

/// An approval in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ApprovalSummary {
    /// Its id.
    pub id: ApprovalId,
    /// The run that waits for it.
    pub run: RunId,
    /// That run's number.
    pub run_number: i64,
    /// The workflow's namespace.
    pub namespace: Name,
    /// The workflow's name.
    pub name: Name,
    /// The workflow's title.
    pub workflow_title: String,
    /// What is asked.
    pub title: String,
    /// The task's reference.
    pub reference: String,
    /// Where it stands.
    pub state: ApprovalState,
    /// The stage that is asked, from 1.
    #[serde(default)]
    pub stage: u32,
    /// How many stages it has.
    #[serde(default)]
    pub stage_count: u32,
    /// Whether it is back with the requester, since an approver asked for changes.
    #[serde(default)]
    pub returned: bool,
    /// Hex SHA-256 of exactly what would run and was shown; a decision must repeat it.
    pub digest: String,
    /// By when a decision is due.
    #[serde(default)]
    pub due: Option<Timestamp>,
    /// Since when it waits.
    pub opened_at: Timestamp,
    /// When it ended.
    #[serde(default)]
    pub closed_at: Option<Timestamp>,
    /// Who asked for the run.
    pub requester: Person,
    /// The workflow's risk.
    pub risk: Risk,
    /// Whether the caller is asked, or stands in for somebody who is, and the decision has not been taken yet.
    pub mine: bool,
    /// For whom the caller would decide, where that is somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<Person>,
}

/// A person who is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApproverView {
    /// The person.
    pub person: Person,
    /// Why: `manager of staff`, `team it-identity` …
    pub via: String,
    /// In which stage, from 1.
    pub stage: u32,
    /// Who may decide for them at the moment.
    #[serde(default)]
    pub substitutes: Vec<Person>,
    /// They cannot be asked any more: their account was disabled before they decided.
    #[serde(default)]
    pub gone: bool,
}

/// What time does to an approval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TimingView {
    /// The calendar whose working time counts; absent: all time counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<Name>,
    /// What happens at the due time: `reject`, `escalate` or `cancel`.
    pub on_due: String,
    /// When those who have not decided are reminded, by time.
    #[serde(default)]
    pub reminders: Vec<TimeView>,
    /// When more people are asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<TimeView>,
    /// Whom it asks then, as words that pages translate; empty: the managers of those who have not decided.
    #[serde(default)]
    pub escalates_to: Vec<String>,
}

/// A time at which something happens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TimeView {
    /// When.
    pub at: Timestamp,
    /// Whether it has happened.
    pub done: bool,
}

/// One of the stages that an approval goes through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StageView {
    /// What it is called; empty if the workflow does not say.
    #[serde(default)]
    pub title: String,
    /// How many approvals are needed, in words (`1`, `all`, `50%`).
    pub quorum: String,
    /// Where it stands.
    pub state: StageState,
    /// Who will be asked, as words that pages translate, while it is ahead.
    #[serde(default)]
    pub asks: Vec<String>,
}

/// One person's decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DecisionView {
    /// Its id.
    pub id: DecisionId,
    /// Who decided.
    pub person: Person,
    /// For whom, where that is somebody else: it is that person's vote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<Person>,
    /// What they said.
    pub decision: DecisionKind,
    /// Their reason.
    #[serde(default)]
    pub comment: String,
    /// In which stage, from 1.
    pub stage: u32,
    /// What they filled in, where the approval has a form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub filled_in: Option<Value>,
    /// What they permitted instead of what was asked for, by JSON pointer into the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub narrowed: Option<Value>,
    /// When.
    pub decided_at: Timestamp,
}

/// What was asked for before it was changed, and what was decided about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct EarlierVersion {
    /// The approval that was about it.
    pub approval: ApprovalId,
    /// The input.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub input: Value,
    /// What was decided; the last says who had it changed. None of it counts for what came after.
    pub decisions: Vec<DecisionView>,
    /// When another version took its place.
    #[serde(default)]
    pub replaced_at: Option<Timestamp>,
}

/// A question about what is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct QuestionView {
    /// Its id.
    pub id: RemarkId,
    /// Who asks.
    pub person: Person,
    /// What.
    pub text: String,
    /// When.
    pub asked_at: Timestamp,
    /// The answers, in order.
    #[serde(default)]
    pub answers: Vec<AnswerView>,
}

/// An answer to a question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AnswerView {
    /// Its id.
    pub id: RemarkId,
    /// Who answers.
    pub person: Person,
    /// What.
    pub text: String,
    /// When.
    pub answered_at: Timestamp,
}

/// How earlier runs of the same workflow went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SimilarRuns {
    /// How many of the last 1,000 runs of this workflow have ended.
    pub ended: u64,
    /// How many of them completed.
    pub completed: u64,
    /// Median seconds of the completed ones.
    #[serde(default)]
    pub typical_seconds: Option<u64>,
    /// The last few.
    #[serde(default)]
    pub recent: Vec<RecentRun>,
}

/// One of the last similar runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RecentRun {
    /// Its id.
    pub id: RunId,
    /// Its number.
    pub number: i64,
    /// How it stands.
    pub status: RunStatus,
    /// Who asked for it.
    pub requester: Person,
    /// When it was launched.
    pub created_at: Timestamp,
}

/// An approval with all that a decision needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "each answers a question of its own about the caller")]
pub struct ApprovalDetail {
    /// The fields of the list.
    #[serde(flatten)]
    pub summary: ApprovalSummary,
    /// The workflow's version.
    pub version: String,
    /// Explanation by the workflow's author, as plain text.
    #[serde(default)]
    pub message: String,
    /// What the requester sent.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub input: Value,
    /// The schema of the input, for titles.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub input_schema: Option<Value>,
    /// What the step works with, where that is something else: tasks before it have made it, or an operator has changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub about: Option<Value>,
    /// What will happen after an approval.
    #[serde(default)]
    pub steps: Vec<PlanStep>,
    /// How many approvals the stage that is asked needs, in words (`1`, `all`, `50%`).
    pub quorum: String,
    /// The stages, in order.
    #[serde(default)]
    pub stages: Vec<StageView>,
    /// Whether whoever decided in one stage is not asked in a later one.
    #[serde(default)]
    pub distinct: bool,
    /// What time does to it, where the workflow says something of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timing: Option<TimingView>,
    /// What was asked for before, oldest first, where it was changed while people were asked.
    #[serde(default)]
    pub earlier: Vec<EarlierVersion>,
    /// JSON Schema of what an approver fills in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub form: Option<Value>,
    /// JSON pointers into the input: what an approver may change to something that its schema permits.
    #[serde(default)]
    pub narrow: Vec<String>,
    /// What was asked about it, and about earlier versions of it, in order.
    #[serde(default)]
    pub questions: Vec<QuestionView>,
    /// Whether the viewer can have other systems asked what it would lead to.
    #[serde(default)]
    pub can_foresee: bool,
    /// Whether the caller may ask something.
    #[serde(default)]
    pub can_ask: bool,
    /// Whether the caller may answer questions.
    #[serde(default)]
    pub can_answer: bool,
    /// Whether it is the caller's turn to change what was asked for, or to withdraw it.
    #[serde(default)]
    pub can_resubmit: bool,
    /// The caller's draft of the changed input, while it is their turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<DraftId>,
    /// Who is asked, and was in earlier stages.
    #[serde(default)]
    pub approvers: Vec<ApproverView>,
    /// What was decided so far.
    #[serde(default)]
    pub decisions: Vec<DecisionView>,
    /// How earlier runs went.
    #[serde(default)]
    pub similar: SimilarRuns,
    /// Whether the caller may decide now.
    pub can_decide: bool,
    /// Why not, as an error code (`own-request`, `forbidden`, `already-decided`).
    #[serde(default)]
    pub refusal: Option<ErrorCode>,
    /// Whether the decision needs the caller's password once more.
    #[serde(default)]
    pub step_up: bool,
    /// The run's error, where it has ended with one.
    #[serde(default)]
    pub run_error: Option<RunError>,
}

/// An approval that was chosen to be decided together with others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ChosenApproval {
    /// The fields of the list.
    #[serde(flatten)]
    pub summary: ApprovalSummary,
    /// What the requester sent.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub input: Value,
    /// The schema of the input, for titles.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub input_schema: Option<Value>,
    /// Why the caller cannot decide now; none when they can.
    #[serde(default)]
    pub refusal: Option<ErrorCode>,
    /// What keeps it from being decided together with others: a form only from being approved, step-up altogether.
    #[serde(default)]
    pub alone: Option<WhyAlone>,
    /// What the caller has said about it last, if anything.
    #[serde(default)]
    pub said: Option<DecisionKind>,
    /// The approval that has taken its place, since what was asked for has changed.
    #[serde(default)]
    pub replaced_by: Option<ApprovalId>,
}

/// What became of one of several decisions that were sent together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DecisionOutcome {
    /// The approval.
    pub approval: ApprovalId,
    /// What became of it.
    pub result: DecisionResult,
    /// Where the approval stands now, if it was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ApprovalState>,
    /// Why it was not decided: what a decision by itself would have been answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    /// Where the difference can be read, if something else is asked by now: a path within the portal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<String>,
}
