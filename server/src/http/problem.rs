//! From a [`Problem`] to an answer.

use axum::{
    Json,
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{ErrorCode, Problem};

/// The media type of RFC 9457.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// A refusal. The answer carries the problem as an extension until [`render`] writes it, when the trace id is known.
#[derive(Clone, Debug)]
pub(super) struct Rejection(pub(super) Problem);

impl From<Problem> for Rejection {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<ErrorCode> for Rejection {
    fn from(code: ErrorCode) -> Self {
        Self(Problem::new(code))
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let mut response = status(&self.0).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// What a handler of REST gives.
pub(super) type Answer<T> = Result<T, Rejection>;

fn status(problem: &Problem) -> StatusCode {
    StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The answer of a problem, as JSON.
pub(super) fn render(mut problem: Problem, trace_id: &str) -> Response {
    trace_id.clone_into(&mut problem.trace_id);
    let mut response = (status(&problem), Json(&problem)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    if problem.status == 401 {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"rondo\""));
    }
    let wait = problem.retry_after.or((problem.status == 503).then_some(5));
    if let Some(seconds) = wait {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The same answer with a problem's body, its headers kept.
pub(super) fn fill(response: Response, rejection: Rejection, trace_id: &str) -> Response {
    let (parts, _) = response.into_parts();
    let mut filled = render(rejection.0, trace_id);
    for (name, value) in &parts.headers {
        if name != header::CONTENT_TYPE && name != header::CONTENT_LENGTH {
            filled.headers_mut().append(name.clone(), value.clone());
        }
    }
    filled
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
