//! What runs were worth.

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use domain::{
    TeamOf, ValueBy, ValuePeriod,
    view::{ValueQuery, ValueView},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::Asked;
use crate::http::{Portal, identify::SignedIn, problem::Answer};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::default().routes(routes!(value))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Query {
    /// A period that is known by name. Days that are given win over it; without any, it is the last 30 days.
    #[param(inline)]
    period: Option<ValuePeriod>,
    /// The first day (`2026-11-01`); the 29th before the last day unless told.
    #[param(format = Date)]
    from: Option<String>,
    /// The last day, which belongs to the period; today unless told.
    #[param(format = Date)]
    to: Option<String>,
    /// The IANA time zone whose days are meant (`Asia/Seoul`); UTC unless told.
    zone: Option<String>,
    /// Only workflows of this namespace.
    namespace: Option<String>,
    /// Only this team.
    team: Option<String>,
    /// Which team is meant: the one that owns the workflow, or those of who asked; the owner unless told.
    #[param(inline)]
    team_of: Option<TeamOf>,
    /// Only this workflow (`namespace/name`).
    workflow: Option<String>,
    /// What each row is about; a workflow unless told.
    #[param(inline)]
    by: Option<ValueBy>,
    /// `csv`: comma-separated values, for spreadsheets.
    #[param(inline)]
    format: Option<Table>,
}

/// The form of an answer.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Table {
    /// Comma-separated values.
    Csv,
}

/// What runs were worth: how many, what they saved, how long they took, how they failed; by workflow or team
#[utoipa::path(get, path = "/api/v1/value", tag = "runs", operation_id = "readValue", params(Query),
    responses((status = 200, description = "The figures of those workflows that one may see", content(
        (ValueView = "application/json"),
        (String = "text/csv"),
    ))),
    extensions(("x-rondo-operation" = json!("value.read"))))]
async fn value(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Asked(asked): Asked<Query>,
) -> Answer<Response> {
    let Query { period, from, to, zone, namespace, team, team_of, workflow, by, format } = asked;
    let query = ValueQuery { period, from, to, zone, namespace, team, team_of, workflow, by };
    if format.is_none() {
        return Ok(Json(portal.service.value(&caller, &query).await?).into_response());
    }
    let mut response = portal.service.value_csv(&caller, &query).await?.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"value.csv\""));
    Ok(response)
}
