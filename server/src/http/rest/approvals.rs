//! Decisions.

use axum::{Json, extract::State};
use domain::{
    ApprovalId, ApprovalState, DecisionKind, RunId,
    view::{ApprovalDetail, ApprovalSummary, Page},
};
use serde::Deserialize;
use service::ApprovalQuery;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Asked, Created, Place, Sent};
use crate::http::{Portal, identify::SignedIn, problem::Answer};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::default().routes(routes!(list)).routes(routes!(get)).routes(routes!(decide))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ApprovalsQuery {
    /// Only those that stand so.
    state: Option<ApprovalState>,
    /// Only those that wait for the caller.
    #[serde(default)]
    mine: bool,
    /// Only those of this run.
    run: Option<RunId>,
    /// Items per page, 1 to 200; 50 unless told.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Approvals that the caller may see, oldest due first
#[utoipa::path(get, path = "/api/v1/approvals", tag = "approvals", operation_id = "listApprovals",
    params(ApprovalsQuery),
    responses((status = 200, description = "A page of them", body = Page<ApprovalSummary>)),
    extensions(("x-rondo-operation" = json!("approval.list"))))]
async fn list(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Asked(query): Asked<ApprovalsQuery>,
) -> Answer<Json<Page<ApprovalSummary>>> {
    let filter = ApprovalQuery { state: query.state, mine: query.mine, run: query.run };
    Ok(Json(portal.service.approvals(&caller, filter, query.cursor.as_deref(), query.limit).await?))
}

/// One approval with all that a decision needs
#[utoipa::path(get, path = "/api/v1/approvals/{id}", tag = "approvals", operation_id = "getApproval",
    params(("id" = ApprovalId, Path)),
    responses((status = 200, description = "The approval", body = ApprovalDetail)),
    extensions(("x-rondo-operation" = json!("approval.read"))))]
async fn get(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<ApprovalId>,
) -> Answer<Json<ApprovalDetail>> {
    Ok(Json(portal.service.approval(&caller, id).await?))
}

/// A decision.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the name is part of the interface")]
#[schema(example = json!({"decision": "approve", "comment": "", "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}))]
struct Decision {
    /// What the caller says.
    decision: DecisionKind,
    /// Why; required unless it is an approval.
    #[serde(default)]
    comment: String,
    /// The approval's `digest`: what was decided about.
    digest: String,
}

/// Decide
#[utoipa::path(post, path = "/api/v1/approvals/{id}/decisions", tag = "approvals", operation_id = "decide",
    params(("id" = ApprovalId, Path)),
    request_body = Decision,
    responses((status = 201, description = "The approval after the decision", body = ApprovalDetail)),
    extensions(("x-rondo-operation" = json!("approval.decide"))))]
async fn decide(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<ApprovalId>,
    Sent(decision): Sent<Decision>,
) -> Answer<Created<ApprovalDetail>> {
    let service = &portal.service;
    let approval = service.decide(&caller, id, decision.decision, &decision.comment, &decision.digest).await?;
    Ok(Created(format!("/approvals/{id}"), approval))
}
