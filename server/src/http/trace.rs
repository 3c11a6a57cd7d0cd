//! Around every request: its trace id and span, one line in the log, its metrics, and what becomes of a panic.

use std::{panic::AssertUnwindSafe, time::Duration};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, Method, header},
    middleware::Next,
    response::Response,
};
use domain::{ErrorCode, Problem};
use futures::FutureExt as _;
use tokio::time::Instant;
use tracing::{Instrument as _, info, info_span, warn};

use super::{
    Portal, error_page,
    problem::{self, Rejection},
};

/// How long an answer may take to begin, streams and exports included: their first bytes come at once.
const LIMIT: Duration = Duration::from_mins(1);

/// The id under which the log has this request.
#[derive(Clone, Debug)]
pub(super) struct TraceId(pub(super) String);

pub(super) async fn observe(State(portal): State<Portal>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let trace_id = given(request.headers()).unwrap_or_else(|| portal.ids.next().simple().to_string());
    request.extensions_mut().insert(TraceId(trace_id.clone()));
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let route =
        request.extensions().get::<MatchedPath>().map_or_else(|| "page".to_owned(), |path| path.as_str().to_owned());
    let wants_page = wants_page(&method, &path, request.headers());
    let languages = error_page::languages(request.headers());
    let span = info_span!("request", trace_id, %method, path);

    let handled = async {
        let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
        match tokio::time::timeout(LIMIT, answer).await {
            Ok(Ok(response)) => response,
            // What happened stands in the log already: the panic hook wrote it within this span.
            Ok(Err(_)) => rejection(ErrorCode::Internal),
            Err(_) => {
                warn!(seconds = LIMIT.as_secs(), "a request took too long and was given up");
                rejection(ErrorCode::Unavailable)
            }
        }
    };
    let mut response = handled.instrument(span.clone()).await;
    if let Some(rejection) = response.extensions_mut().remove::<Rejection>() {
        response = if wants_page {
            error_page::page(&portal, &rejection.0, &trace_id, &languages)
        } else {
            problem::fill(response, rejection, &trace_id)
        };
    }
    if let Ok(value) = HeaderValue::from_str(&trace_id) {
        response.headers_mut().insert("x-trace-id", value);
    }

    let status = response.status().as_u16();
    let elapsed = started.elapsed();
    let labels = [("route", route), ("method", known(&method).to_owned()), ("status", status.to_string())];
    metrics::counter!("rondo_http_requests_total", &labels).increment(1);
    let [route, method, _] = labels;
    metrics::histogram!("rondo_http_request_seconds", &[route, method]).record(elapsed.as_secs_f64());
    span.in_scope(|| info!(status, milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX), "answered"));
    response
}

fn rejection(code: ErrorCode) -> Response {
    axum::response::IntoResponse::into_response(Rejection(Problem::new(code)))
}

/// Whether a person reads the answer in a browser window.
fn wants_page(method: &Method, path: &str, headers: &HeaderMap) -> bool {
    let for_programs =
        ["/api/", "/livez", "/readyz", "/metrics", "/pkg/"].iter().any(|prefix| path.starts_with(prefix));
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    !for_programs
        && accepts.contains("text/html")
        && (path.starts_with("/ui/") || *method == Method::GET || *method == Method::POST)
}

/// A method as a label: what clients invent must not make new series.
fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// The trace id of a W3C `traceparent` header (version 00), where the client brings one.
fn given(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    let mut parts = text.split('-');
    let (version, id, parent) = (parts.next()?, parts.next()?, parts.next()?);
    let hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let valid = version == "00" && hex(id, 32) && hex(parent, 16) && id.bytes().any(|b| b != b'0');
    valid.then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_well_formed_traceparent_is_taken_over() {
        let mut headers = HeaderMap::new();
        assert_eq!(given(&headers), None);
        for (text, taken) in [
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true),
            ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", false),
            ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736", false),
            ("x", false),
        ] {
            headers.insert("traceparent", text.parse().unwrap());
            assert_eq!(given(&headers).is_some(), taken, "{text}");
        }
    }
}
