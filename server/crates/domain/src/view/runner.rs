use serde::{Deserialize, Serialize};

use super::Person;
use crate::{Name, RunId, RunnerId, RunnerState, RunnerTaskState, Scope, Timestamp};

/// A runner: executes processes near the systems.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RunnerView {
    /// Its id.
    pub id: RunnerId,
    /// Its name.
    pub name: Name,
    /// Its labels, by which tasks ask for it.
    pub labels: Vec<Name>,
    /// For which namespaces it works; `*` for all.
    pub namespaces: Vec<Scope>,
    /// What it may do.
    pub state: RunnerState,
    /// Whether it has been heard of within the time of a lease.
    pub online: bool,
    /// Its version, once it has been heard of.
    #[serde(default)]
    pub version: Option<String>,
    /// How many tasks it takes at once.
    #[serde(default)]
    pub capacity: Option<u32>,
    /// How busy its machine is, in percent of its processors.
    #[serde(default)]
    pub load: Option<u32>,
    /// When it was heard of for the last time.
    #[serde(default)]
    pub seen_at: Option<Timestamp>,
    /// Who enrolled it.
    pub created_by: Person,
    /// When.
    pub created_at: Timestamp,
    /// What it runs.
    pub tasks: Vec<RunnerTaskView>,
}

/// A process that a runner executes, or that waits for one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RunnerTaskView {
    /// The run.
    pub run: RunId,
    /// JSON pointer to the task.
    pub reference: String,
    /// The namespace of the run.
    pub namespace: Name,
    /// The labels that its runner must have.
    pub labels: Vec<Name>,
    /// Where it stands.
    pub state: RunnerTaskState,
    /// Since when it waits for a runner.
    pub queued_at: Timestamp,
    /// When it was begun.
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    /// Until when the run waits for it; none: without end.
    #[serde(default)]
    pub deadline: Option<Timestamp>,
}

/// A runner just enrolled, with its token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct NewRunnerView {
    /// The runner.
    pub runner: RunnerView,
    /// Its token, shown this once.
    pub token: String,
}
