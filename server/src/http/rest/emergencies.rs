//! Emergency access: a role for a few hours, on which two people agree.

use axum::{Json, extract::State};
use domain::{
    EmergencyId, Role, Scope,
    view::{EmergencyView, Page},
};
use serde::Deserialize;
use service::NewEmergency;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Asked, Created, Paging, Place, Sent};
use crate::http::{Portal, identify::SignedIn, problem::Answer};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::default()
        .routes(routes!(list, ask))
        .routes(routes!(one))
        .routes(routes!(confirm))
        .routes(routes!(end))
        .routes(routes!(review))
}

/// Emergency access that one may see, the latest first
#[utoipa::path(get, path = "/api/v1/emergencies", tag = "grants", operation_id = "listEmergencies",
    params(Paging),
    responses((status = 200, description = "A page of them", body = Page<EmergencyView>)),
    extensions(("x-rondo-operation" = json!("emergency.read"))))]
async fn list(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Asked(page): Asked<Paging>,
) -> Answer<Json<Page<EmergencyView>>> {
    Ok(Json(portal.service.emergencies(&caller, page.cursor.as_deref(), page.limit).await?))
}

/// What is asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"role": "approver", "scope": "network", "reason": "Nobody who may decide can be reached", "minutes": 60}))]
struct EmergencyRequest {
    /// The role: `approver`, `operator` or `publisher`.
    role: Role,
    /// Where it is to hold: a namespace, or `*`.
    scope: Scope,
    /// Why it is needed, in at most 500 characters.
    reason: String,
    /// For how long, from 15 to 240 minutes.
    minutes: u16,
}

/// Ask for a role for a few hours. It holds once a second person agrees, within an hour
#[utoipa::path(post, path = "/api/v1/emergencies", tag = "grants", operation_id = "askForEmergency",
    request_body = EmergencyRequest,
    responses((status = 201, description = "What was asked for", body = EmergencyView)),
    extensions(("x-rondo-operation" = json!("emergency.ask"))))]
async fn ask(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Sent(EmergencyRequest { role, scope, reason, minutes }): Sent<EmergencyRequest>,
) -> Answer<Created<EmergencyView>> {
    let new = NewEmergency { role, scope, reason, minutes };
    let emergency = portal.service.ask_for_emergency(&caller, new).await?;
    Ok(Created(format!("/emergencies/{}", emergency.id), emergency))
}

/// One emergency access
#[utoipa::path(get, path = "/api/v1/emergencies/{id}", tag = "grants", operation_id = "getEmergency",
    params(("id" = EmergencyId, Path)),
    responses((status = 200, description = "The emergency access", body = EmergencyView)),
    extensions(("x-rondo-operation" = json!("emergency.read"))))]
async fn one(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<EmergencyId>,
) -> Answer<Json<EmergencyView>> {
    Ok(Json(portal.service.emergency(&caller, id).await?))
}

/// Agree that somebody else gets the role. It holds from now on
#[utoipa::path(post, path = "/api/v1/emergencies/{id}/confirm", tag = "grants", operation_id = "confirmEmergency",
    params(("id" = EmergencyId, Path)),
    responses((status = 200, description = "The emergency access", body = EmergencyView)),
    extensions(("x-rondo-operation" = json!("emergency.confirm"))))]
async fn confirm(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<EmergencyId>,
) -> Answer<Json<EmergencyView>> {
    Ok(Json(portal.service.confirm_emergency(&caller, id).await?))
}

/// End it before its time, take it back or decline it
#[utoipa::path(post, path = "/api/v1/emergencies/{id}/end", tag = "grants", operation_id = "endEmergency",
    params(("id" = EmergencyId, Path)),
    responses((status = 200, description = "The emergency access", body = EmergencyView)),
    extensions(("x-rondo-operation" = json!("emergency.end"))))]
async fn end(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<EmergencyId>,
) -> Answer<Json<EmergencyView>> {
    Ok(Json(portal.service.end_emergency(&caller, id).await?))
}

/// What was found.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"review": "One change was approved by it, as the reason says"}))]
struct EmergencyReview {
    /// What was done by it, in at most 500 characters.
    review: String,
}

/// Say what was done by it. Until somebody has, there is no other emergency access there, nor for its holder
#[utoipa::path(post, path = "/api/v1/emergencies/{id}/review", tag = "grants", operation_id = "reviewEmergency",
    params(("id" = EmergencyId, Path)),
    request_body = EmergencyReview,
    responses((status = 200, description = "The emergency access", body = EmergencyView)),
    extensions(("x-rondo-operation" = json!("emergency.review"))))]
async fn review(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<EmergencyId>,
    Sent(EmergencyReview { review }): Sent<EmergencyReview>,
) -> Answer<Json<EmergencyView>> {
    Ok(Json(portal.service.review_emergency(&caller, id, &review).await?))
}
