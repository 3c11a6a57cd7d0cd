//! Who decides for whom.

use axum::{Json, extract::State, http::StatusCode};
use domain::{
    DelegationId, DelegationScope, Timestamp, UserId,
    view::{DelegationView, Page},
};
use serde::Deserialize;
use service::NewDelegation;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Asked, Created, Place, Sent, whole};
use crate::http::{Portal, identify::SignedIn, problem::Answer};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::default().routes(routes!(list, create)).routes(routes!(revoke))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct DelegationsQuery {
    /// Whose; the caller's unless told. Those of others are for administrators of the whole portal.
    person: Option<UserId>,
}

/// The delegations in which a person is represented or is the substitute, newest first
#[utoipa::path(get, path = "/api/v1/delegations", tag = "delegations", operation_id = "listDelegations",
    params(DelegationsQuery),
    responses((status = 200, description = "The last 200", body = Page<DelegationView>)),
    extensions(("x-rondo-operation" = json!("delegation.list"))))]
async fn list(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Asked(query): Asked<DelegationsQuery>,
) -> Answer<Json<Page<DelegationView>>> {
    Ok(whole(portal.service.delegations(&caller, query.person).await?))
}

/// A substitute for the caller.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"substitute": "operator", "scope": "identity", "until": "2026-12-24T17:00:00Z", "reason": "holiday"}))]
struct Delegation {
    /// The substitute's sign-in name.
    substitute: String,
    /// Which decisions: `*` for all, a namespace, or a workflow as `namespace/name`.
    #[serde(default = "everything")]
    scope: DelegationScope,
    /// From when on; at once unless told.
    #[serde(default)]
    from: Option<Timestamp>,
    /// Until when; at most a year.
    until: Timestamp,
    /// Why.
    #[serde(default)]
    reason: String,
}

const fn everything() -> DelegationScope {
    DelegationScope::Everything
}

/// Name somebody who decides for the caller for a time
#[utoipa::path(post, path = "/api/v1/delegations", tag = "delegations", operation_id = "delegate",
    request_body = Delegation,
    responses((status = 201, description = "The delegation", body = DelegationView)),
    extensions(("x-rondo-operation" = json!("delegation.create"))))]
async fn create(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Sent(Delegation { substitute, scope, from, until, reason }): Sent<Delegation>,
) -> Answer<Created<DelegationView>> {
    let new = NewDelegation { substitute, scope, from, until, reason };
    let made = portal.service.delegate(&caller, new).await?;
    Ok(Created(format!("/delegations/{}", made.id), made))
}

/// End a delegation before its time
///
/// One's own; for administrators of the whole portal, anybody's. What was decided by it stays decided.
#[utoipa::path(delete, path = "/api/v1/delegations/{id}", tag = "delegations", operation_id = "revokeDelegation",
    params(("id" = DelegationId, Path)),
    responses((status = 204, description = "Done")),
    extensions(("x-rondo-operation" = json!("delegation.revoke"))))]
async fn revoke(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<DelegationId>,
) -> Answer<StatusCode> {
    portal.service.revoke_delegation(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
