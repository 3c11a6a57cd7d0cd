//! The catalogue and its workflows.

use axum::{Json, extract::State};
use domain::{
    Name, RunId, RunStatus, WorkflowRef,
    view::{CatalogueItem, Page, PlanStep, RunSummary, WorkflowVersionView},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Asked, Created, Place, Sent, whole};
use crate::http::{
    Portal,
    identify::SignedIn,
    prefer::{Applied, Patience},
    problem::Answer,
};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::default()
        .routes(routes!(catalogue))
        .routes(routes!(workflow))
        .routes(routes!(versions))
        .routes(routes!(version))
        .routes(routes!(preview))
        .routes(routes!(launch))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct CatalogueQuery {
    /// Words that title, summary or name hold.
    search: Option<String>,
}

/// What the caller may launch
#[utoipa::path(get, path = "/api/v1/catalogue", tag = "catalogue", operation_id = "listCatalogue",
    params(CatalogueQuery),
    responses((status = 200, description = "All of it", body = Page<CatalogueItem>)),
    extensions(("x-rondo-operation" = json!("catalogue.list"))))]
async fn catalogue(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Asked(query): Asked<CatalogueQuery>,
) -> Answer<Json<Page<CatalogueItem>>> {
    Ok(whole(portal.service.catalogue(&caller, query.search).await?))
}

/// The version of a workflow that would be launched
#[utoipa::path(get, path = "/api/v1/workflows/{namespace}/{name}", tag = "catalogue", operation_id = "getWorkflow",
    params(("namespace" = String, Path), ("name" = String, Path)),
    responses((status = 200, description = "The version", body = WorkflowVersionView)),
    extensions(("x-rondo-operation" = json!("workflow.read"))))]
async fn workflow(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place((namespace, name)): Place<(Name, Name)>,
) -> Answer<Json<WorkflowVersionView>> {
    Ok(Json(portal.service.workflow(&caller, &WorkflowRef { namespace, name }).await?))
}

/// All versions of a workflow, newest first, without their texts. Those that were not published are there for authors and publishers
#[utoipa::path(get, path = "/api/v1/workflows/{namespace}/{name}/versions", tag = "catalogue",
    operation_id = "listWorkflowVersions",
    params(("namespace" = String, Path), ("name" = String, Path)),
    responses((status = 200, description = "All of them", body = Page<WorkflowVersionView>)),
    extensions(("x-rondo-operation" = json!("workflow.read"))))]
async fn versions(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place((namespace, name)): Place<(Name, Name)>,
) -> Answer<Json<Page<WorkflowVersionView>>> {
    Ok(whole(portal.service.workflow_versions(&caller, &WorkflowRef { namespace, name }).await?))
}

/// One version of a workflow. One that was not published is there for authors and publishers
#[utoipa::path(get, path = "/api/v1/workflows/{namespace}/{name}/versions/{version}", tag = "catalogue",
    operation_id = "getWorkflowVersion",
    params(("namespace" = String, Path), ("name" = String, Path), ("version" = String, Path)),
    responses((status = 200, description = "The version", body = WorkflowVersionView)),
    extensions(("x-rondo-operation" = json!(["workflow.read", "definition.read"]))))]
async fn version(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place((namespace, name, version)): Place<(Name, Name, String)>,
) -> Answer<Json<WorkflowVersionView>> {
    Ok(Json(portal.service.workflow_version(&caller, &WorkflowRef { namespace, name }, &version).await?))
}

/// An input to be looked at before it is sent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"input": {"givenName": "Ada"}}))]
struct Preview {
    /// The input.
    #[serde(default)]
    #[schema(value_type = Object)]
    input: Value,
}

/// What would happen with this input, step by step; a problem where it is not valid
#[utoipa::path(post, path = "/api/v1/workflows/{namespace}/{name}/preview", tag = "catalogue",
    operation_id = "previewRun",
    params(("namespace" = String, Path), ("name" = String, Path)),
    request_body = Preview,
    responses((status = 200, description = "The steps", body = Page<PlanStep>)),
    extensions(("x-rondo-operation" = json!("workflow.read"))))]
async fn preview(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place((namespace, name)): Place<(Name, Name)>,
    Sent(preview): Sent<Preview>,
) -> Answer<Json<Page<PlanStep>>> {
    Ok(whole(portal.service.preview(&caller, &WorkflowRef { namespace, name }, preview.input).await?))
}

/// A run to be launched.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"input": {"givenName": "Ada", "familyName": "Lovelace", "department": "engineering"}}))]
struct Launch {
    /// What the workflow's input schema asks for.
    #[serde(default)]
    #[schema(value_type = Object)]
    input: Value,
    /// A version; without, the one that the catalogue offers.
    version: Option<String>,
}

/// A run that was just launched.
#[derive(Serialize, ToSchema)]
pub(super) struct Launched {
    /// Its id.
    id: RunId,
    /// Its number for people.
    number: i64,
    /// Where it stands.
    status: RunStatus,
}

/// Launch a workflow
#[utoipa::path(post, path = "/api/v1/workflows/{namespace}/{name}/runs", tag = "catalogue", operation_id = "launchRun",
    params(("namespace" = String, Path), ("name" = String, Path),
        ("Prefer" = Option<String>, Header, description = "`wait=SECONDS`: answer when the run has ended, within a minute at most")),
    request_body = Launch,
    responses((status = 201, description = "The run", body = Launched)),
    extensions(("x-rondo-operation" = json!("run.launch"))))]
async fn launch(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place((namespace, name)): Place<(Name, Name)>,
    patience: Patience,
    Sent(launch): Sent<Launch>,
) -> Answer<(Applied, Created<Launched>)> {
    let workflow = WorkflowRef { namespace, name };
    let mut run = portal.service.launch(&caller, &workflow, launch.version, launch.input).await?;
    let applied = patience.until_ended(&portal, &caller, run.id).await?;
    if patience.is_some() {
        run.status = portal.service.run_state(&caller, run.id).await?.status;
    }
    Ok((applied, launched(&run)))
}

/// What whoever launches a workflow is told.
pub(super) fn launched(run: &RunSummary) -> Created<Launched> {
    let RunSummary { id, number, status, .. } = *run;
    Created(format!("/runs/{id}"), Launched { id, number, status })
}
