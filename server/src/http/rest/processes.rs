//! Which namespaces may run shell commands, scripts and containers.

use axum::{Json, extract::State, http::StatusCode};
use domain::{
    Name,
    view::{Page, ProcessPermissionView},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Place, whole};
use crate::http::{Portal, identify::SignedIn, problem::Answer};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::default().routes(routes!(permissions)).routes(routes!(permit, forbid))
}

/// The namespaces that may run shell commands, scripts and containers
#[utoipa::path(get, path = "/api/v1/process-permissions", tag = "processes", operation_id = "listProcessPermissions",
    responses((status = 200, description = "All of them", body = Page<ProcessPermissionView>)),
    extensions(("x-rondo-operation" = json!("process.list"))))]
async fn permissions(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
) -> Answer<Json<Page<ProcessPermissionView>>> {
    Ok(whole(portal.service.process_permissions(&caller).await?))
}

/// Permit a namespace to run shell commands, scripts and containers
#[utoipa::path(put, path = "/api/v1/process-permissions/{namespace}", tag = "processes",
    operation_id = "permitProcesses",
    params(("namespace" = Name, Path)),
    responses((status = 200, description = "The permission", body = ProcessPermissionView)),
    extensions(("x-rondo-operation" = json!("process.permit"))))]
async fn permit(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(namespace): Place<Name>,
) -> Answer<Json<ProcessPermissionView>> {
    Ok(Json(portal.service.permit_processes(&caller, namespace).await?))
}

/// Take the permission back: what is under way goes on, and nothing more is started
#[utoipa::path(delete, path = "/api/v1/process-permissions/{namespace}", tag = "processes",
    operation_id = "forbidProcesses",
    params(("namespace" = Name, Path)),
    responses((status = 204, description = "Done")),
    extensions(("x-rondo-operation" = json!("process.forbid"))))]
async fn forbid(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(namespace): Place<Name>,
) -> Answer<StatusCode> {
    portal.service.forbid_processes(&caller, &namespace).await?;
    Ok(StatusCode::NO_CONTENT)
}
