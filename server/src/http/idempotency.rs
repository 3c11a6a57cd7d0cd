//! `Idempotency-Key` on POST: the same request sent twice is done once and answered twice alike.

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use domain::{ErrorCode, Problem};
use serde::{Deserialize, Serialize};
use service::{Caller, MaybeCaller, Remembered, Reservation};

use super::{
    Portal, body,
    problem::{self, Rejection},
    rest,
    trace::TraceId,
};

/// The largest answer that is kept; larger ones are given and forgotten.
const ANSWER_LIMIT: usize = 1024 * 1024;

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    media_type: Option<String>,
    location: Option<String>,
    body: String,
}

pub(super) async fn answer_once(State(portal): State<Portal>, request: Request, next: Next) -> Response {
    let key = request.headers().get("idempotency-key").cloned();
    let caller = request.extensions().get::<MaybeCaller>().and_then(|caller| caller.0.clone());
    let (Some(key), Some(caller), true) = (key, caller, request.method() == Method::POST) else {
        return next.run(request).await;
    };
    let Ok(key) = key.to_str().map(ToOwned::to_owned) else {
        let detail = "an idempotency key has 1 to 255 visible ASCII characters";
        return Rejection(Problem::new(ErrorCode::BadRequest).with_detail(detail)).into_response();
    };
    let trace_id = request.extensions().get::<TraceId>().map(|id| id.0.clone()).unwrap_or_default();
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, body::UTMOST).await else {
        return Rejection::from(ErrorCode::TooLarge).into_response();
    };
    let path = parts.uri.path_and_query().map_or_else(|| parts.uri.path(), |path| path.as_str()).to_owned();
    let reservation = match portal.service.recall(&caller, &key, parts.method.as_str(), &path, &body).await {
        Err(problem) => return Rejection(problem).into_response(),
        Ok(Remembered::Done { status, body }) => return again(status, &body),
        Ok(Remembered::Launched(run)) => return replayed(rest::launched(&path, *run)),
        Ok(Remembered::New(reservation)) => reservation,
    };
    let mut request = Request::from_parts(parts, Body::from(body));
    request.extensions_mut().insert(MaybeCaller(Some(Caller { reservation: Some(reservation.clone()), ..caller })));
    // In a task of its own: a client that hangs up must not leave a request half known.
    let task = tokio::spawn(async move {
        let response = next.run(request).await;
        keep(&portal, &reservation, &trace_id, response).await
    });
    task.await.unwrap_or_else(|_| Rejection::from(ErrorCode::Internal).into_response())
}

async fn keep(portal: &Portal, reservation: &Reservation, trace_id: &str, mut response: Response) -> Response {
    if let Some(rejection) = response.extensions_mut().remove::<Rejection>() {
        response = problem::fill(response, rejection, trace_id);
    }
    let (parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, ANSWER_LIMIT).await else {
        return Rejection::from(ErrorCode::Internal).into_response();
    };
    let text = |name: header::HeaderName| parts.headers.get(name).and_then(|v| v.to_str().ok()).map(ToOwned::to_owned);
    let kept = Kept {
        media_type: text(header::CONTENT_TYPE),
        location: text(header::LOCATION),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let kept = serde_json::to_string(&kept).unwrap_or_default();
    if let Err(problem) = portal.service.remember(reservation, parts.status.as_u16(), &kept).await {
        // It was done, and the answer is right; a repetition is told what was done, but not in these words.
        tracing::warn!(%problem, "the answer to a request with an idempotency key could not be kept");
    }
    Response::from_parts(parts, Body::from(body))
}

fn again(status: u16, kept: &str) -> Response {
    let Ok(kept) = serde_json::from_str::<Kept>(kept) else {
        return Rejection::from(ErrorCode::Internal).into_response();
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let mut response = (status, kept.body).into_response();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    for (name, text) in [(header::CONTENT_TYPE, kept.media_type), (header::LOCATION, kept.location)] {
        if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
            headers.insert(name, value);
        }
    }
    replayed(response)
}

fn replayed(mut response: Response) -> Response {
    response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
    response
}
