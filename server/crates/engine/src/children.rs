//! Runs that a run starts by `run: workflow`: begun and answered in the units of work of the steps that say so, so that
//! there is nothing to be found out after a crash.

use domain::{Name, RunStatus, Timestamp, WorkflowRef};
use serde_json::Value;
use store::{
    UnitOfWork,
    children::ChildRun,
    runs::Run,
    workflows::{VersionState, WorkflowVersion},
};
use workflow::{
    CallId, CallTicket, Effect, EventKind, RunError, StandardError,
    process::{self, Workflow},
};

use crate::{
    actor::Actor,
    launch::{Cause, Launch, obstacle},
    node::LoadError,
    secrets,
    stream::Post,
};

/// How deep workflows may run workflows.
const DEPTH: u32 = 16;
/// What stands for the newest published version.
const LATEST: &str = "latest";

/// Whether the call starts a run, rather than being dispatched to a connector.
pub(crate) fn is_child(ticket: &CallTicket) -> bool {
    ticket.function == process::WORKFLOW
}

/// Whether a step that has this effect dispatches a call, or lets one go on.
pub(crate) fn is_dispatch(effect: &Effect) -> bool {
    match effect {
        Effect::Call(ticket) => !is_child(ticket),
        Effect::SettleCall { .. } => true,
        _ => false,
    }
}

/// Starts the run that a call asks for. If it cannot be started, the call has failed, and none is given.
pub(crate) async fn start(
    unit: &mut dyn UnitOfWork,
    actor: &Actor,
    ticket: &CallTicket,
    now: Timestamp,
    post: &mut Post,
) -> store::Result<Option<Run>> {
    let call = ticket.call;
    match begin(unit, actor, call, now).await? {
        Ok(run) => Ok(Some(run)),
        Err(error) => {
            post.put(actor.run.id, EventKind::CallFailed { call, error, retryable: false });
            Ok(None)
        }
    }
}

async fn begin(
    unit: &mut dyn UnitOfWork,
    actor: &Actor,
    call: CallId,
    now: Timestamp,
) -> store::Result<Result<Run, RunError>> {
    let order = match order(unit, actor, call).await? {
        Ok(order) => order,
        Err(error) => return Ok(Err(error)),
    };
    let depth = unit.child(actor.run.id).await?.map_or(0, |child| child.depth) + 1;
    if depth > DEPTH {
        let detail = format!("workflows run workflows more than {DEPTH} deep");
        return Ok(Err(RunError::new(StandardError::Runtime, detail)));
    }
    let version = match version(unit, &order).await? {
        Ok(version) => version,
        Err(error) => return Ok(Err(error)),
    };
    if let Err(error) = permit(unit, actor, &version).await? {
        return Ok(Err(error));
    }
    let Some(requester) = unit.user(actor.run.requester_id).await? else {
        return Ok(Err(RunError::new(StandardError::Runtime, "the person who asked for the run is gone")));
    };
    let node = &actor.node;
    let launch = Launch {
        version: &version,
        requester: &requester,
        input: order.input,
        cause: Cause::Run(&actor.run),
        base_url: &node.settings.base_url,
    };
    let run = launch.write(unit, node.parts.ids.as_ref(), now).await?;
    unit.insert_child(&ChildRun { run: run.id, parent: actor.run.id, call: call.0, depth }).await?;
    unit.pass_changes(actor.run.id, run.id).await?;
    Ok(Ok(run))
}

/// What the call asks for. It is stored, so the secrets in it are sealed, and sealed values stay so: the other run opens
/// them where it hands them to a connector.
async fn order(unit: &mut dyn UnitOfWork, actor: &Actor, call: CallId) -> store::Result<Result<Workflow, RunError>> {
    let secrets = match secrets::of_call(unit, actor, &call).await? {
        Ok(secrets) => secrets.sealed(&actor.node.parts.vault),
        Err(error) => return Ok(Err(error)),
    };
    let order = workflow::build_call(&actor.definition, &actor.state, &call, &secrets).and_then(|request| {
        serde_json::from_value(request.with)
            .map_err(|cause| RunError::new(StandardError::Validation, format!("run.workflow: {cause}")))
    });
    Ok(order)
}

async fn version(unit: &mut dyn UnitOfWork, order: &Workflow) -> store::Result<Result<WorkflowVersion, RunError>> {
    let Workflow { namespace, name, version, .. } = order;
    let wrong = |detail: String| Ok(Err(RunError::new(StandardError::Configuration, detail)));
    let (Ok(namespace), Ok(name)) = (namespace.parse::<Name>(), name.parse::<Name>()) else {
        return wrong(format!("there is no workflow {namespace}/{name}"));
    };
    let workflow = WorkflowRef { namespace, name };
    if version == LATEST {
        return match unit.launchable_version(&workflow).await? {
            Some(found) => Ok(Ok(found)),
            None => wrong(format!("no version of the workflow {workflow} is published")),
        };
    }
    match unit.workflow_version(&workflow, version).await? {
        None => wrong(format!("there is no version {version} of the workflow {workflow}")),
        Some(found) => match found.state {
            VersionState::Published => Ok(Ok(found)),
            VersionState::Retired => wrong(format!("version {version} of the workflow {workflow} is retired")),
            VersionState::Draft | VersionState::InReview => {
                wrong(format!("version {version} of the workflow {workflow} is not published"))
            }
        },
    }
}

/// Refuses a workflow that nobody could launch at the moment.
async fn permit(
    unit: &mut dyn UnitOfWork,
    actor: &Actor,
    version: &WorkflowVersion,
) -> store::Result<Result<(), RunError>> {
    let workflow = &version.workflow;
    let definition = match actor.node.definition(unit, workflow, &version.version).await {
        Ok(definition) => definition,
        Err(LoadError::Store(cause)) => return Err(cause),
        Err(other) => {
            let detail = format!("version {} of the workflow {workflow} cannot be run: {other}", version.version);
            return Ok(Err(RunError::new(StandardError::Configuration, detail)));
        }
    };
    Ok(match obstacle(unit, &workflow.namespace, &definition).await? {
        Some(obstacle) => Err(RunError::new(StandardError::Authorization, obstacle.detail)),
        None => Ok(()),
    })
}

/// Cancels the run that a call has started, if it is one, and still under way.
pub(crate) async fn stop(unit: &mut dyn UnitOfWork, parent: &Run, call: CallId, post: &mut Post) -> store::Result<()> {
    let Some(child) = unit.child_of_call(parent.id, call.0).await? else { return Ok(()) };
    if unit.run(child.run).await?.is_some_and(|run| !run.status.is_final()) {
        let reason = format!("R-{}, which had started it, has no more use for it", parent.number);
        post.put(child.run, EventKind::CancelRequested { by: "system".to_owned(), reason: Some(reason) });
    }
    Ok(())
}

/// Tells the run that started this one how it has ended.
pub(crate) fn answer(child: &ChildRun, run: &Run, post: &mut Post) {
    let call = CallId(child.call);
    let kind = if run.status == RunStatus::Completed {
        let output = run.output.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
        EventKind::CallCompleted { call, output }
    } else {
        let error = run.error.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(|| {
            let detail = format!("R-{} ({}) is {}", run.number, run.workflow, run.status);
            RunError::new(StandardError::Runtime, detail)
        });
        EventKind::CallFailed { call, error, retryable: false }
    };
    post.put(child.parent, kind);
}
