//! How many runs and calls of a namespace are executed at once.

use axum::{Json, extract::State, http::StatusCode};
use domain::{
    Name,
    view::{NamespaceLimitsView, Page},
};
use serde::Deserialize;
use service::NewLimits;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Place, Sent, whole};
use crate::http::{Portal, identify::SignedIn, problem::Answer};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::default().routes(routes!(list)).routes(routes!(replace, remove))
}

/// The namespaces that have limits
#[utoipa::path(get, path = "/api/v1/limits", tag = "limits", operation_id = "listLimits",
    responses((status = 200, description = "All of them", body = Page<NamespaceLimitsView>)),
    extensions(("x-rondo-operation" = json!("limit.list"))))]
async fn list(State(portal): State<Portal>, SignedIn(caller): SignedIn) -> Answer<Json<Page<NamespaceLimitsView>>> {
    Ok(whole(portal.service.namespace_limits(&caller).await?))
}

/// Limits of a namespace; at least one of them.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"runs": 50, "calls": 20}))]
struct Limits {
    /// Runs that are executed at once, 1 to 10000; absent: as many as come.
    #[serde(default)]
    runs: Option<u32>,
    /// Calls that are made at once, 1 to 10000; absent: as many as come.
    #[serde(default)]
    calls: Option<u32>,
}

/// Limit how many runs and calls of a namespace are executed at once
#[utoipa::path(put, path = "/api/v1/limits/{namespace}", tag = "limits", operation_id = "limitNamespace",
    params(("namespace" = Name, Path)),
    request_body = Limits,
    responses((status = 200, description = "The limits", body = NamespaceLimitsView)),
    extensions(("x-rondo-operation" = json!("limit.update"))))]
async fn replace(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(namespace): Place<Name>,
    Sent(Limits { runs, calls }): Sent<Limits>,
) -> Answer<Json<NamespaceLimitsView>> {
    Ok(Json(portal.service.limit_namespace(&caller, namespace, NewLimits { runs, calls }).await?))
}

/// Take the limits of a namespace away
#[utoipa::path(delete, path = "/api/v1/limits/{namespace}", tag = "limits", operation_id = "unlimitNamespace",
    params(("namespace" = Name, Path)),
    responses((status = 204, description = "Done")),
    extensions(("x-rondo-operation" = json!("limit.delete"))))]
async fn remove(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(namespace): Place<Name>,
) -> Answer<StatusCode> {
    portal.service.unlimit_namespace(&caller, &namespace).await?;
    Ok(StatusCode::NO_CONTENT)
}
