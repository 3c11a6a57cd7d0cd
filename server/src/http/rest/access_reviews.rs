//! Reviews of who holds which roles.

use axum::{Json, extract::State, http::StatusCode};
use domain::{
    AccessReviewId, GrantId, Scope, Timestamp,
    view::{AccessReviewItem, AccessReviewView, Page},
};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Asked, Created, Paging, Place, Sent};
use crate::http::{Portal, identify::SignedIn, problem::Answer};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::default()
        .routes(routes!(list, start))
        .routes(routes!(one))
        .routes(routes!(decide))
        .routes(routes!(close))
}

/// Reviews of who holds which roles, newest first
#[utoipa::path(get, path = "/api/v1/access-reviews", tag = "grants", operation_id = "listAccessReviews",
    params(Paging),
    responses((status = 200, description = "A page of them", body = Page<AccessReviewItem>)),
    extensions(("x-rondo-operation" = json!("access-review.read"))))]
async fn list(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Asked(page): Asked<Paging>,
) -> Answer<Json<Page<AccessReviewItem>>> {
    Ok(Json(portal.service.access_reviews(&caller, page.cursor.as_deref(), page.limit).await?))
}

/// A review to be started.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"title": "Autumn", "scope": "*", "dueAt": "2026-12-24T23:59:59Z"}))]
struct NewAccessReview {
    /// What it is called, in at most 200 characters.
    title: String,
    /// A namespace, for the grants on it; `*` for all grants.
    scope: Scope,
    /// What nobody has confirmed by then ends.
    due_at: Timestamp,
}

/// Start a review of who holds which roles
#[utoipa::path(post, path = "/api/v1/access-reviews", tag = "grants", operation_id = "startAccessReview",
    request_body = NewAccessReview,
    responses((status = 201, description = "The review", body = AccessReviewView)),
    extensions(("x-rondo-operation" = json!("access-review.start"))))]
async fn start(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Sent(NewAccessReview { title, scope, due_at }): Sent<NewAccessReview>,
) -> Answer<Created<AccessReviewView>> {
    let review = portal.service.start_access_review(&caller, &title, scope, due_at).await?;
    Ok(Created(format!("/access-reviews/{}", review.item.id), review))
}

/// One review, with the grants that one may see
#[utoipa::path(get, path = "/api/v1/access-reviews/{id}", tag = "grants", operation_id = "getAccessReview",
    params(("id" = AccessReviewId, Path)),
    responses((status = 200, description = "The review", body = AccessReviewView)),
    extensions(("x-rondo-operation" = json!("access-review.read"))))]
async fn one(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<AccessReviewId>,
) -> Answer<Json<AccessReviewView>> {
    Ok(Json(portal.service.access_review(&caller, id).await?))
}

/// What becomes of a grant.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"stays": true, "comment": "Still on call"}))]
struct AccessDecision {
    /// Whether it stays; else it is taken back.
    stays: bool,
    /// Why, in at most 200 characters.
    #[serde(default)]
    comment: String,
}

/// Say that a grant stays, or take it back. Nobody confirms a role that they hold themselves
#[utoipa::path(put, path = "/api/v1/access-reviews/{id}/grants/{grant}", tag = "grants", operation_id = "decideAccess",
    params(("id" = AccessReviewId, Path), ("grant" = GrantId, Path)),
    request_body = AccessDecision,
    responses((status = 204, description = "Done")),
    extensions(("x-rondo-operation" = json!("access-review.decide"))))]
async fn decide(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place((id, grant)): Place<(AccessReviewId, GrantId)>,
    Sent(AccessDecision { stays, comment }): Sent<AccessDecision>,
) -> Answer<StatusCode> {
    portal.service.decide_access(&caller, id, grant, stays, &comment).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End a review before its date: what nobody has confirmed ends now
#[utoipa::path(post, path = "/api/v1/access-reviews/{id}/close", tag = "grants", operation_id = "closeAccessReview",
    params(("id" = AccessReviewId, Path)),
    responses((status = 200, description = "The review", body = AccessReviewView)),
    extensions(("x-rondo-operation" = json!("access-review.close"))))]
async fn close(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<AccessReviewId>,
) -> Answer<Json<AccessReviewView>> {
    Ok(Json(portal.service.close_access_review(&caller, id).await?))
}
