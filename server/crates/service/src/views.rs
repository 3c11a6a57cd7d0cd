//! From rows to views.

use std::collections::BTreeMap;

use domain::{
    Risk, UserId,
    view::{CatalogueItem, Person, RunDetail, RunError, RunSummary, TaskView},
};
use identity::vault::redact;
use serde_json::Value;
use store::{UnitOfWork, runs::Run, runs::Task, users::User, workflows::WorkflowVersion};
use workflow::{
    Definition,
    approval::{Approver, Owned},
};

/// A person as others see them.
pub(crate) fn person(user: &User) -> Person {
    Person { id: user.id, login: user.login.clone(), name: user.name.clone() }
}

/// People by id, loaded at once for a list.
#[derive(Default)]
pub(crate) struct People(BTreeMap<UserId, Person>);

impl People {
    /// Loads those with the given ids.
    pub(crate) async fn load(unit: &mut dyn UnitOfWork, ids: impl IntoIterator<Item = UserId>) -> store::Result<Self> {
        let mut ids: Vec<UserId> = ids.into_iter().collect();
        ids.sort_unstable();
        ids.dedup();
        let users = unit.users_by_id(&ids).await?;
        Ok(Self(users.iter().map(|user| (user.id, person(user))).collect()))
    }

    /// One of them; a nameless person where the account is gone.
    pub(crate) fn get(&self, id: UserId) -> Person {
        self.0.get(&id).cloned().unwrap_or_else(|| Person { id, login: String::new(), name: String::new() })
    }
}

/// Stored JSON as a value that may be shown: sealed secrets are masked.
pub(crate) fn shown(text: &str) -> Value {
    let mut value = serde_json::from_str(text).unwrap_or(Value::Null);
    redact(&mut value);
    value
}

fn run_error(text: &str) -> Option<RunError> {
    serde_json::from_value(shown(text)).ok()
}

/// A run in a list.
pub(crate) fn run_summary(run: &Run, people: &People) -> RunSummary {
    RunSummary {
        id: run.id,
        number: run.number,
        namespace: run.workflow.namespace.clone(),
        name: run.workflow.name.clone(),
        version: run.version.clone(),
        title: run.title.clone(),
        status: run.status,
        waits_for: run.waits_for,
        needs_attention: run.needs_attention,
        rejected: run.rejected,
        compensated: run.compensated,
        requester: people.get(run.requester_id),
        created_at: run.created_at,
        started_at: run.started_at,
        ended_at: run.ended_at,
        updated_at: run.updated_at,
    }
}

/// A run's page, but for what needs more reading.
pub(crate) fn run_detail(run: &Run, people: &People) -> RunDetail {
    RunDetail {
        summary: run_summary(run, people),
        input: shown(&run.input),
        output: run.output.as_deref().map(shown),
        error: run.error.as_deref().and_then(run_error),
        graph: domain::view::Graph::default(),
        approvals: Vec::new(),
        actions: Vec::new(),
    }
}

/// A task of a run, with its title from the definition.
pub(crate) fn task(task: Task, titles: &BTreeMap<String, String>) -> TaskView {
    TaskView {
        title: titles.get(&task.reference).cloned().unwrap_or_else(|| task.name.clone()),
        reference: task.reference,
        occurrence: task.occurrence,
        name: task.name,
        kind: task.kind,
        status: task.status,
        attempts: task.attempts,
        compensation: task.compensation,
        input: task.input.as_deref().map(shown),
        raw_input: None,
        output: task.output.as_deref().map(shown),
        error: task.error.as_deref().and_then(run_error),
        started_at: task.started_at,
        ended_at: task.ended_at,
    }
}

/// A version in the catalogue, but for what earlier runs say.
pub(crate) fn catalogue_item(version: &WorkflowVersion, definition: &Definition) -> CatalogueItem {
    let rondo = definition.rondo();
    CatalogueItem {
        namespace: version.workflow.namespace.clone(),
        name: version.workflow.name.clone(),
        version: version.version.clone(),
        title: version.title.clone(),
        summary: definition.document().summary.clone().unwrap_or_default(),
        input_schema: definition.input_schema().cloned(),
        category: rondo.category.clone().unwrap_or_else(|| version.workflow.namespace.to_string()),
        icon: rondo.icon.clone().unwrap_or_default(),
        risk: rondo.risk,
        owner: rondo.owner.clone().unwrap_or_default(),
        approvals: definition.plan(None).steps.iter().flat_map(|step| &step.approvers).map(approver_words).collect(),
        missing_connections: Vec::new(),
        typical_seconds: None,
        last_used_at: None,
    }
}

/// The same of a version whose text is no definition yet.
pub(crate) fn unfinished_item(version: &WorkflowVersion) -> CatalogueItem {
    CatalogueItem {
        namespace: version.workflow.namespace.clone(),
        name: version.workflow.name.clone(),
        version: version.version.clone(),
        title: version.title.clone(),
        summary: String::new(),
        input_schema: None,
        category: version.workflow.namespace.to_string(),
        icon: String::new(),
        risk: Risk::Medium,
        owner: String::new(),
        approvals: Vec::new(),
        missing_connections: Vec::new(),
        typical_seconds: None,
        last_used_at: None,
    }
}

/// Who is asked, as a word that pages translate where they know it: `managerOf:requester`, `user:LOGIN`, `team:NAME`,
/// `role:ROLE`, `ownerOf:CONNECTION`.
pub(crate) fn approver_words(approver: &Approver) -> String {
    match approver {
        Approver::User(login) => format!("user:{login}"),
        Approver::Team(name) => format!("team:{name}"),
        Approver::Role(role) => format!("role:{role}"),
        Approver::ManagerOf(login) => format!("managerOf:{login}"),
        Approver::OwnerOf(Owned::Connection(name)) => format!("ownerOf:{name}"),
    }
}

/// The median of durations in microseconds, in whole seconds, at least one.
pub(crate) fn typical_seconds(durations: &[i64]) -> Option<u64> {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    let median = sorted.get(sorted.len() / 2)?;
    u64::try_from(median / 1_000_000).ok().map(|seconds| seconds.max(1))
}
