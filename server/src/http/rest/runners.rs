//! Runners: who executes processes near the systems.

use axum::{Json, extract::State, http::StatusCode};
use domain::{
    Name, RunnerState,
    view::{NewRunnerView, Page, RunnerTaskView, RunnerView},
};
use serde::Deserialize;
use service::NewRunner;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Created, Place, Sent, whole};
use crate::http::{Portal, identify::SignedIn, problem::Answer};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::default().routes(routes!(list, enrol)).routes(routes!(update, remove)).routes(routes!(tasks))
}

/// The runners, and what they run
#[utoipa::path(get, path = "/api/v1/runners", tag = "runners", operation_id = "listRunners",
    responses((status = 200, description = "All of them, by name", body = Page<RunnerView>)),
    extensions(("x-rondo-operation" = json!("runner.list"))))]
async fn list(State(portal): State<Portal>, SignedIn(caller): SignedIn) -> Answer<Json<Page<RunnerView>>> {
    Ok(whole(portal.service.runners(&caller).await?))
}

/// The processes that runners execute or that wait for one
#[utoipa::path(get, path = "/api/v1/runner-tasks", tag = "runners", operation_id = "listRunnerTasks",
    responses((status = 200, description = "All of them, those that wait longest first", body = Page<RunnerTaskView>)),
    extensions(("x-rondo-operation" = json!("runner.list"))))]
async fn tasks(State(portal): State<Portal>, SignedIn(caller): SignedIn) -> Answer<Json<Page<RunnerTaskView>>> {
    Ok(whole(portal.service.runner_tasks(&caller).await?))
}

/// A runner to be enrolled.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "dmz-1", "labels": ["dmz"], "namespaces": ["network"]}))]
struct RunnerToEnrol {
    /// Its name; no other runner has it.
    name: String,
    /// Its labels, by which tasks ask for it.
    #[serde(default)]
    labels: Vec<String>,
    /// For which namespaces it works; `*` for all.
    namespaces: Vec<String>,
}

/// Enrol a runner: its token is in the answer, and nowhere else
#[utoipa::path(post, path = "/api/v1/runners", tag = "runners", operation_id = "enrolRunner",
    request_body = RunnerToEnrol,
    responses((status = 201, description = "The runner with its token", body = NewRunnerView)),
    extensions(("x-rondo-operation" = json!("runner.enrol"))))]
async fn enrol(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Sent(RunnerToEnrol { name, labels, namespaces }): Sent<RunnerToEnrol>,
) -> Answer<Created<NewRunnerView>> {
    let enrolled = portal.service.enrol_runner(&caller, NewRunner { name, labels, namespaces }).await?;
    Ok(Created(format!("/runners/{}", enrolled.runner.name), enrolled))
}

/// What a runner may do from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"state": "draining"}))]
struct RunnerChange {
    /// What.
    state: RunnerState,
}

/// Enable, drain or disable a runner
#[utoipa::path(put, path = "/api/v1/runners/{name}", tag = "runners", operation_id = "updateRunner",
    params(("name" = Name, Path)),
    request_body = RunnerChange,
    responses((status = 200, description = "The runner", body = RunnerView)),
    extensions(("x-rondo-operation" = json!("runner.update"))))]
async fn update(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(name): Place<Name>,
    Sent(RunnerChange { state }): Sent<RunnerChange>,
) -> Answer<Json<RunnerView>> {
    Ok(Json(portal.service.update_runner(&caller, &name, state).await?))
}

/// Remove a runner: what it has under way is lost
#[utoipa::path(delete, path = "/api/v1/runners/{name}", tag = "runners", operation_id = "removeRunner",
    params(("name" = Name, Path)),
    responses((status = 204, description = "Done")),
    extensions(("x-rondo-operation" = json!("runner.remove"))))]
async fn remove(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(name): Place<Name>,
) -> Answer<StatusCode> {
    portal.service.remove_runner(&caller, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
