use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ApprovalSummary, Graph, Person};
use crate::{Name, RunId, RunStatus, TaskStatus, Timestamp, WaitsFor};

/// A run in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RunSummary {
    /// Its id.
    pub id: RunId,
    /// Its number for people (`R-1042` is 1042).
    pub number: i64,
    /// The workflow's namespace.
    pub namespace: Name,
    /// The workflow's name.
    pub name: Name,
    /// The workflow's version.
    pub version: String,
    /// The workflow's title.
    pub title: String,
    /// Where it stands.
    pub status: RunStatus,
    /// Whose limit holds it up: it waits for its turn.
    #[serde(default)]
    pub waits_for: Option<WaitsFor>,
    /// Whether an operator has to look at it.
    pub needs_attention: bool,
    /// Whether it ended because an approver rejected it.
    pub rejected: bool,
    /// Whether what it did was taken back.
    pub compensated: bool,
    /// Who asked for it.
    pub requester: Person,
    /// When it was launched.
    pub created_at: Timestamp,
    /// When it began.
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default)]
    pub ended_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Why a run or task failed (RFC 9457, as the DSL has it).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunError {
    /// URI of the kind of error.
    #[serde(rename = "type")]
    pub kind: String,
    /// Status, as in HTTP.
    pub status: u16,
    /// Short title.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// What happened.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// JSON pointer of the task that failed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instance: String,
}

/// A run with all that its page shows at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RunDetail {
    /// The fields of the list.
    #[serde(flatten)]
    pub summary: RunSummary,
    /// What it was launched with.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub input: Value,
    /// What it gave back.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub output: Option<Value>,
    /// Why it failed.
    #[serde(default)]
    pub error: Option<RunError>,
    /// The graph of its tasks.
    #[serde(default)]
    pub graph: Graph,
    /// Its approvals, in order of opening.
    #[serde(default)]
    pub approvals: Vec<ApprovalSummary>,
    /// What the caller may do with it now: `cancel`, `suspend`, `resume`, `retry`, `resolve`.
    #[serde(default)]
    pub actions: Vec<String>,
}

/// One execution of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TaskView {
    /// JSON pointer of the task in the definition.
    pub reference: String,
    /// Which execution of that task it is, from 1; loops make more than one.
    pub occurrence: u32,
    /// The task's name.
    pub name: String,
    /// The task's title for people.
    pub title: String,
    /// Kind of task.
    pub kind: String,
    /// Where it stands.
    pub status: TaskStatus,
    /// How many attempts its call has had.
    pub attempts: u32,
    /// Whether it takes back what another task did.
    #[serde(default)]
    pub compensation: bool,
    /// Its input, secrets redacted.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub input: Option<Value>,
    /// What it was before `input.from`, where the run may be resumed from it by the caller and this is another value.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub raw_input: Option<Value>,
    /// Its output, secrets redacted.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub output: Option<Value>,
    /// Why it failed.
    #[serde(default)]
    pub error: Option<RunError>,
    /// When it began.
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default)]
    pub ended_at: Option<Timestamp>,
}

/// One entry of a run's journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct JournalEntryView {
    /// Its place in the journal, from 1.
    pub version: i64,
    /// When it happened.
    pub at: Timestamp,
    /// The event, secrets redacted.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub event: Value,
}

/// A line of a task's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct LogLine {
    /// Its place in the run's log; grows, with gaps allowed.
    pub seq: i64,
    /// When it was written.
    pub at: Timestamp,
    /// The task's reference.
    pub reference: String,
    /// `info`, `warn` or `error`.
    pub level: String,
    /// The text, at most 8 KiB.
    pub text: String,
}
