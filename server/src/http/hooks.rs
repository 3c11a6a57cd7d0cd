//! The doors that other systems call, below `/hooks/`: each is the address of a trigger. No session, no token and no page is looked at
//! there: a call is proven by the trigger's own secret, and whoever cannot prove it learns nothing.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{
        DefaultBodyLimit, Path, State,
        rejection::{BytesRejection, PathRejection},
    },
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use domain::{ErrorCode, Problem, TriggerOutcome};
use serde_json::json;
use service::{HookCall, HookOutcome};

use super::{
    Portal,
    problem::{Answer, Rejection},
};

/// The largest body, in bytes.
const LIMIT: usize = 1024 * 1024;

pub(super) fn routes() -> Router<Portal> {
    Router::new().route("/hooks/{place}", post(receive).fallback(nothing_here)).layer(DefaultBodyLimit::max(LIMIT))
}

/// Only what is sent is looked at.
async fn nothing_here() -> Rejection {
    ErrorCode::NotFound.into()
}

async fn receive(
    State(portal): State<Portal>,
    place: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answer<Response> {
    let body = body.map_err(|rejection| {
        let too_large = rejection.status() == StatusCode::PAYLOAD_TOO_LARGE;
        let (code, detail) = if too_large {
            (ErrorCode::TooLarge, "a body has at most 1 MiB")
        } else {
            (ErrorCode::BadRequest, "the body was cut off")
        };
        Problem::new(code).with_detail(detail)
    })?;
    // What cannot be read is no address either, and is answered as such.
    let place = place.map(|Path(place)| place).unwrap_or_default();
    let texts = headers.iter().filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
    let outcomes = portal.service.receive_hook(&place, &HookCall::new(texts, body.to_vec())).await?;
    let status = if is_in_vain(&outcomes) { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::ACCEPTED };
    Ok((status, Json(json!({"deliveries": outcomes}))).into_response())
}

/// Whether nothing could be made of anything: the sender is to show that, too.
fn is_in_vain(outcomes: &[HookOutcome]) -> bool {
    let vain = |one: &HookOutcome| matches!(one.outcome, TriggerOutcome::Invalid | TriggerOutcome::Refused);
    !outcomes.is_empty() && outcomes.iter().all(vain)
}
