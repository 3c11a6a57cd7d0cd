use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::DefinitionLife;
use crate::{DraftId, ErrorCode, MissedRuns, Name, Risk, Timestamp};

/// A workflow that the caller may launch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CatalogueItem {
    /// Its namespace.
    pub namespace: Name,
    /// Its name.
    pub name: Name,
    /// The launchable version.
    pub version: String,
    /// Title for people.
    pub title: String,
    /// What it does, in a sentence or two.
    #[serde(default)]
    pub summary: String,
    /// JSON Schema 2020-12 of the input; absent where the workflow takes none.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub input_schema: Option<Value>,
    /// Category for grouping (`identity`, `incident` …).
    #[serde(default)]
    pub category: String,
    /// Name of an icon of the portal's set.
    #[serde(default)]
    pub icon: String,
    /// How much harm it can do.
    pub risk: Risk,
    /// The team that answers for it.
    #[serde(default)]
    pub owner: String,
    /// Who decides: the approval steps in words, in order.
    #[serde(default)]
    pub approvals: Vec<String>,
    /// The connections that it works over and that are not set up for its namespace, by name. Empty: it can be launched.
    #[serde(default)]
    pub missing_connections: Vec<String>,
    /// Median seconds from launch to completion of the last completed runs; absent until there is one.
    #[serde(default)]
    pub typical_seconds: Option<u64>,
    /// When the caller last launched it.
    #[serde(default)]
    pub last_used_at: Option<Timestamp>,
}

/// One version of a workflow, with what a page about it needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct WorkflowVersionView {
    /// The fields of the catalogue.
    #[serde(flatten)]
    pub item: CatalogueItem,
    /// `draft`, `in-review`, `published` or `retired`.
    pub state: String,
    /// Hex SHA-256 of the canonical definition and of what it refers to elsewhere; of a draft, of its text.
    pub digest: String,
    /// When it was first stored.
    pub created_at: Timestamp,
    /// The definition's text.
    #[serde(default)]
    pub source: String,
    /// What a run does, step by step.
    #[serde(default)]
    pub steps: Vec<PlanStep>,
    /// The graph of its tasks.
    #[serde(default)]
    pub graph: Graph,
    /// When runs of it begin by themselves, if they do.
    #[serde(default)]
    pub schedule: Option<ScheduleView>,
    /// How it came to be; for those who write and publish definitions of its namespace, in a view of it alone.
    #[serde(default)]
    pub life: Option<DefinitionLife>,
}

/// When runs begin by themselves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ScheduleView {
    /// At the times of this cron pattern.
    #[serde(default)]
    pub cron: Option<String>,
    /// Whenever so many seconds have passed.
    #[serde(default)]
    pub every_seconds: Option<u64>,
    /// So many seconds after the run before has ended.
    #[serde(default)]
    pub after_seconds: Option<u64>,
    /// Whether events start runs.
    #[serde(default)]
    pub on_events: bool,
    /// The IANA time zone of the cron pattern.
    pub zone: String,
    /// What becomes of times that were missed.
    pub missed: MissedRuns,
    /// The next time that is known; absent while it waits for an event or the end of a run, and for versions that are not
    /// the launchable one.
    #[serde(default)]
    pub next: Option<Timestamp>,
    /// When it last launched a run.
    #[serde(default)]
    pub last: Option<Timestamp>,
    /// Why the last launch was refused; absent when it was not.
    #[serde(default)]
    pub refused: Option<ScheduleRefusal>,
}

/// Why a schedule did not launch what it should have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ScheduleRefusal {
    /// When.
    pub at: Timestamp,
    /// What is missing, as it would be answered to a person who launches it.
    pub code: ErrorCode,
    /// What is missing and who can help.
    pub detail: String,
}

/// One step of what will happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct PlanStep {
    /// JSON pointer of the task in the definition.
    pub reference: String,
    /// The task's name.
    pub name: String,
    /// The task's title for people (its name in words where it has none).
    pub title: String,
    /// Kind of task: `call`, `set`, `switch` …
    pub kind: String,
    /// The function that is called, for calls.
    #[serde(default)]
    pub function: Option<String>,
    /// The connection that is used, for calls.
    #[serde(default)]
    pub connection: Option<String>,
    /// The system touched, in words (`LDAP directory`, `Mail` …).
    #[serde(default)]
    pub system: Option<String>,
    /// Who will be asked, for approvals: a name where it is known already, else the rule in words.
    #[serde(default)]
    pub approvers: Vec<String>,
    /// Whether it happens only on some paths.
    #[serde(default)]
    pub conditional: bool,
    /// Whether it is undone when a later step fails.
    #[serde(default)]
    pub compensated: bool,
    /// How deep it is nested, for indentation; 0 at the top.
    #[serde(default)]
    pub depth: u32,
}

/// The tasks of a workflow as a graph.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Graph {
    /// Tasks, with `start` and `end`.
    pub nodes: Vec<GraphNode>,
    /// Ways from one to another.
    pub edges: Vec<GraphEdge>,
}

/// A task in the graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GraphNode {
    /// The task's reference, or `start` or `end`; of what is done around tasks, where it stands in the document.
    pub id: String,
    /// Its title for people.
    pub label: String,
    /// Kind of task: `call`, `set`, `switch` …, `start`, `end`; `before` and `after` hold what an extension does.
    pub kind: String,
    /// The function, for calls; for `before` and `after` the kind of task that is extended, or none for every kind.
    #[serde(default)]
    pub function: Option<String>,
    /// The enclosing task's reference.
    #[serde(default)]
    pub parent: Option<String>,
    /// The line of the definition's text on which the task begins, from 1; only tasks have one.
    #[serde(default)]
    pub line: Option<u64>,
}

/// A way in the graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GraphEdge {
    /// Node id it leaves.
    pub from: String,
    /// Node id it enters.
    pub to: String,
    /// The case of a switch, `error`, `otherwise` …; empty for the plain order.
    #[serde(default)]
    pub label: String,
}

/// A request that its owner has begun and not sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DraftView {
    /// Its id.
    pub id: DraftId,
    /// The workflow's namespace.
    pub namespace: Name,
    /// The workflow's name.
    pub name: Name,
    /// What was typed so far, as an input of the workflow.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub values: Value,
    /// When it was last kept.
    pub updated_at: Timestamp,
}
