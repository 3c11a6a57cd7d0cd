//! Requests that are being filled in.

use axum::{Json, extract::State, http::StatusCode};
use domain::{
    DraftId, Name, WorkflowRef,
    view::{DraftView, Page, RunSummary},
};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Created, Place, Sent, whole};
use crate::http::{Portal, identify::SignedIn, problem::Answer};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::default().routes(routes!(list, create)).routes(routes!(get, replace, delete)).routes(routes!(send))
}

/// What was typed so far.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"namespace": "identity", "name": "onboard-employee", "values": {"givenName": "Ada"}}))]
struct Draft {
    /// The workflow's namespace.
    #[schema(value_type = String)]
    namespace: Name,
    /// The workflow's name.
    #[schema(value_type = String)]
    name: Name,
    /// The values; they may be unfinished and invalid.
    #[serde(default)]
    #[schema(value_type = Object)]
    values: Value,
}

impl Draft {
    fn split(self) -> (WorkflowRef, Value) {
        (WorkflowRef { namespace: self.namespace, name: self.name }, self.values)
    }
}

/// The caller's unsent requests, last kept first
#[utoipa::path(get, path = "/api/v1/drafts", tag = "drafts", operation_id = "listDrafts",
    responses((status = 200, description = "The latest", body = Page<DraftView>)),
    extensions(("x-rondo-operation" = json!("draft.read"))))]
async fn list(State(portal): State<Portal>, SignedIn(caller): SignedIn) -> Answer<Json<Page<DraftView>>> {
    Ok(whole(portal.service.drafts(&caller).await?))
}

/// Keep a request that is being filled in
#[utoipa::path(post, path = "/api/v1/drafts", tag = "drafts", operation_id = "createDraft",
    request_body = Draft,
    responses((status = 201, description = "The draft", body = DraftView)),
    extensions(("x-rondo-operation" = json!("draft.save"))))]
async fn create(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Sent(draft): Sent<Draft>,
) -> Answer<Created<DraftView>> {
    let (workflow, values) = draft.split();
    let draft = portal.service.save_draft(&caller, &workflow, None, values).await?;
    Ok(Created(format!("/drafts/{}", draft.id), draft))
}

/// One of the caller's unsent requests
#[utoipa::path(get, path = "/api/v1/drafts/{id}", tag = "drafts", operation_id = "getDraft",
    params(("id" = DraftId, Path)),
    responses((status = 200, description = "The draft", body = DraftView)),
    extensions(("x-rondo-operation" = json!("draft.read"))))]
async fn get(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<DraftId>,
) -> Answer<Json<DraftView>> {
    Ok(Json(portal.service.draft(&caller, id).await?))
}

/// Keep what was typed since; a draft that was sent meanwhile stays, and another one is made
#[utoipa::path(put, path = "/api/v1/drafts/{id}", tag = "drafts", operation_id = "saveDraft",
    params(("id" = DraftId, Path)),
    request_body = Draft,
    responses((status = 200, description = "The draft", body = DraftView)),
    extensions(("x-rondo-operation" = json!("draft.save"))))]
async fn replace(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<DraftId>,
    Sent(draft): Sent<Draft>,
) -> Answer<Json<DraftView>> {
    let (workflow, values) = draft.split();
    Ok(Json(portal.service.save_draft(&caller, &workflow, Some(id), values).await?))
}

/// Throw an unsent request away
#[utoipa::path(delete, path = "/api/v1/drafts/{id}", tag = "drafts", operation_id = "deleteDraft",
    params(("id" = DraftId, Path)),
    responses((status = 204, description = "Done")),
    extensions(("x-rondo-operation" = json!("draft.delete"))))]
async fn delete(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<DraftId>,
) -> Answer<StatusCode> {
    portal.service.delete_draft(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Send a request; sending it again gives the same run
#[utoipa::path(post, path = "/api/v1/drafts/{id}/send", tag = "drafts", operation_id = "sendDraft",
    params(("id" = DraftId, Path)),
    responses((status = 201, description = "The run", body = RunSummary)),
    extensions(("x-rondo-operation" = json!("run.launch"))))]
async fn send(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<DraftId>,
) -> Answer<Created<RunSummary>> {
    Ok(sent(portal.service.send_draft(&caller, id).await?))
}

/// What whoever sends a request is told.
pub(super) fn sent(run: RunSummary) -> Created<RunSummary> {
    Created(format!("/runs/{}", run.id), run)
}
