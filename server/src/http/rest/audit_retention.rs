//! How long entries of the audit log are kept, legal holds on them, and where those that were archived are.

use axum::{Json, extract::State};
use domain::{
    HoldId,
    view::{AuditHoldView, AuditRetentionView, AuditSegmentView, HoldCovers, Page},
};
use serde::Deserialize;
use service::NewHold;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Asked, Created, Place, Sent, whole};
use crate::http::{Portal, identify::SignedIn, problem::Answer};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::default()
        .routes(routes!(retention))
        .routes(routes!(holds, place))
        .routes(routes!(release))
        .routes(routes!(segments))
}

/// For how long entries of each class are kept, how many wait to be archived, and how that goes
#[utoipa::path(get, path = "/api/v1/audit/retention", tag = "audit", operation_id = "getAuditRetention",
    responses((status = 200, description = "All classes", body = AuditRetentionView)),
    extensions(("x-rondo-operation" = json!("audit-retention.read"))))]
async fn retention(State(portal): State<Portal>, SignedIn(caller): SignedIn) -> Answer<Json<AuditRetentionView>> {
    Ok(Json(portal.service.audit_retention(&caller).await?))
}

/// Legal holds on entries of the log, those in force first
#[utoipa::path(get, path = "/api/v1/audit/holds", tag = "audit", operation_id = "listAuditHolds",
    responses((status = 200, description = "All of them, those that were released included", body = Page<AuditHoldView>)),
    extensions(("x-rondo-operation" = json!("audit-retention.read"))))]
async fn holds(State(portal): State<Portal>, SignedIn(caller): SignedIn) -> Answer<Json<Page<AuditHoldView>>> {
    Ok(whole(portal.service.audit_holds(&caller).await?))
}

/// A legal hold.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Case 2026-17", "reason": "Asked for by the court", "covers": {"namespace": "identity"}}))]
struct Hold {
    /// Its name, 1 to 100 characters.
    name: String,
    /// Why, 1 to 500 characters.
    reason: String,
    /// What it covers; the whole log unless told.
    #[serde(default)]
    covers: HoldCovers,
}

/// Hold entries of the log, so that they are not archived
#[utoipa::path(post, path = "/api/v1/audit/holds", tag = "audit", operation_id = "placeAuditHold",
    request_body = Hold,
    responses((status = 201, description = "The hold", body = AuditHoldView)),
    extensions(("x-rondo-operation" = json!("audit-hold.place"))))]
async fn place(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Sent(Hold { name, reason, covers }): Sent<Hold>,
) -> Answer<Created<AuditHoldView>> {
    let hold = portal.service.place_audit_hold(&caller, NewHold { name, reason, covers }).await?;
    Ok(Created("/audit/holds".to_owned(), hold))
}

/// Why a hold is released.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "The case is closed"}))]
struct Release {
    /// Why, 1 to 500 characters.
    reason: String,
}

/// Release a hold: what it covered is archived when its time has come
#[utoipa::path(post, path = "/api/v1/audit/holds/{id}/release", tag = "audit", operation_id = "releaseAuditHold",
    params(("id" = HoldId, Path, description = "The hold")),
    request_body = Release,
    responses((status = 200, description = "The hold", body = AuditHoldView)),
    extensions(("x-rondo-operation" = json!("audit-hold.release"))))]
async fn release(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<HoldId>,
    Sent(Release { reason }): Sent<Release>,
) -> Answer<Json<AuditHoldView>> {
    Ok(Json(portal.service.release_audit_hold(&caller, id, &reason).await?))
}

/// Files that entries of the log were archived in, the newest first
#[utoipa::path(get, path = "/api/v1/audit/segments", tag = "audit", operation_id = "listAuditSegments",
    params(super::Paging),
    responses((status = 200, description = "A page of them", body = Page<AuditSegmentView>)),
    extensions(("x-rondo-operation" = json!("audit-retention.read"))))]
async fn segments(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Asked(super::Paging { limit, cursor }): Asked<super::Paging>,
) -> Answer<Json<Page<AuditSegmentView>>> {
    Ok(Json(portal.service.audit_segments(&caller, cursor.as_deref(), limit).await?))
}
