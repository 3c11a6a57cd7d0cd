//! Compliance controls and their evidence.

use axum::{Json, extract::State};
use domain::{
    Timestamp,
    view::{ComplianceView, ControlView, ControlsView},
};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Asked, Place};
use crate::http::{Portal, identify::SignedIn, problem::Answer};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::default().routes(routes!(list)).routes(routes!(one)).routes(routes!(compliance))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Period {
    /// The beginning of the period; 90 days before its end unless told.
    from: Option<Timestamp>,
    /// Its end, which does not belong to it; now unless told.
    to: Option<Timestamp>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct PeriodOfRuns {
    /// The beginning of the period; 90 days before its end unless told.
    from: Option<Timestamp>,
    /// Its end, which does not belong to it; now unless told.
    to: Option<Timestamp>,
    /// Runs per page, 1 to 200; 50 unless told.
    limit: Option<u32>,
    /// `next` of the page of runs before.
    cursor: Option<String>,
}

/// All compliance controls by their lists, with the workflows, runs, exceptions and last evidence of each
#[utoipa::path(get, path = "/api/v1/audit/controls", tag = "audit", operation_id = "listControls",
    params(Period),
    responses((status = 200, description = "All lists", body = ControlsView)),
    extensions(("x-rondo-operation" = json!("control.read"))))]
async fn list(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Asked(Period { from, to }): Asked<Period>,
) -> Answer<Json<ControlsView>> {
    Ok(Json(portal.service.audit_controls(&caller, from, to).await?))
}

/// One control with the workflows that name it, a page of their runs, and its exceptions
#[utoipa::path(get, path = "/api/v1/audit/controls/{control}", tag = "audit", operation_id = "getControl",
    params(("control" = String, Path, description = "As definitions name it: `ISO27001:A.5.16`"), PeriodOfRuns),
    responses((status = 200, description = "The control", body = ControlView)),
    extensions(("x-rondo-operation" = json!("control.read"))))]
async fn one(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(control): Place<String>,
    Asked(query): Asked<PeriodOfRuns>,
) -> Answer<Json<ControlView>> {
    let period = (query.from, query.to);
    let cursor = query.cursor.as_deref();
    Ok(Json(portal.service.audit_control(&caller, &control, period, cursor, query.limit).await?))
}

/// How the controls stand, what is open, and how the audit log stands that says so
#[utoipa::path(get, path = "/api/v1/audit/compliance", tag = "audit", operation_id = "getCompliance",
    params(Period),
    responses((status = 200, description = "The sums by list, the exceptions, and the health of the log", body = ComplianceView)),
    extensions(("x-rondo-operation" = json!("control.read"))))]
async fn compliance(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Asked(Period { from, to }): Asked<Period>,
) -> Answer<Json<ComplianceView>> {
    Ok(Json(portal.service.compliance(&caller, from, to).await?))
}
