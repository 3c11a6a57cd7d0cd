//! REST under `/api/v1`: each handler is a door of a few lines to an operation of `service`.
//!
//! Routes are registered from the same attribute that documents them, so neither can exist without the other.

mod access_reviews;
mod account;
mod administration;
mod approvals;
mod audit;
mod audit_questions;
mod audit_retention;
mod calendars;
mod connections;
mod controls;
mod definitions;
mod delegations;
mod document;
mod drafts;
mod emergencies;
mod events;
mod extract;
mod limits;
mod policies;
mod processes;
mod repositories;
mod runners;
mod runs;
mod secrets;
mod triggers;
mod value;
mod workflows;

use axum::{
    Json, Router,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{
    ErrorCode,
    view::{Page, RunSummary},
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, openapi::OpenApi};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) use self::extract::{Asked, Place, Sent, essence};
use super::{Portal, problem::Rejection};

/// Where files with definitions are sent to.
pub(super) use self::definitions::IMPORT;

/// All routes, and their document.
pub(super) fn routes() -> (Router<Portal>, OpenApi) {
    let (router, document) = OpenApiRouter::with_openapi(document::base())
        .merge(account::routes())
        .merge(workflows::routes())
        .merge(definitions::routes())
        .merge(repositories::routes())
        .merge(triggers::routes())
        .merge(drafts::routes())
        .merge(runs::routes())
        .routes(routes!(super::stream::run))
        .merge(value::routes())
        .merge(events::routes())
        .merge(approvals::routes())
        .merge(delegations::routes())
        .merge(audit::routes())
        .merge(audit_questions::routes())
        .merge(controls::routes())
        .merge(administration::routes())
        .merge(policies::routes())
        .merge(access_reviews::routes())
        .merge(emergencies::routes())
        .merge(processes::routes())
        .merge(runners::routes())
        .merge(secrets::routes())
        .merge(limits::routes())
        .merge(calendars::routes())
        .merge(connections::routes())
        .split_for_parts();
    (router.method_not_allowed_fallback(method_not_allowed), document::complete(document))
}

/// The OpenAPI document. Open to anybody: it is the same for every installation of this version.
pub(super) fn serve_document(document: &OpenApi) -> Response {
    Json(document).into_response()
}

async fn method_not_allowed() -> Rejection {
    ErrorCode::MethodNotAllowed.into()
}

/// Which part of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Paging {
    /// Items per page, 1 to 200; 50 unless told.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// What is there is given: `null` is a value, too.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// A list that is given whole.
fn whole<T>(items: Vec<T>) -> Json<Page<T>> {
    Json(Page { items, next: None })
}

/// The answer to a creation: 201, where it is, and what it is.
struct Created<T>(String, T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let mut response = (StatusCode::CREATED, Json(self.1)).into_response();
        if let Ok(place) = HeaderValue::from_str(&format!("/api/v1{}", self.0)) {
            response.headers_mut().insert(header::LOCATION, place);
        }
        response
    }
}

/// The answer to the launch of a run, by the path that launched it.
pub(super) fn launched(path: &str, run: RunSummary) -> Response {
    if path.starts_with("/api/v1/drafts/") {
        drafts::sent(run).into_response()
    } else {
        workflows::launched(&run).into_response()
    }
}
