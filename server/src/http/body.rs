//! Bodies are read whole, up to their limit, before anything looks at them.

use std::time::Duration;

use axum::{
    body::{Body, HttpBody as _},
    extract::Request,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use domain::{ErrorCode, Problem};
use futures::StreamExt as _;
use service::{FILES_BYTES_LIMIT, MaybeCaller};

use super::{pages, problem::Rejection, rest};

/// The largest body, in bytes.
const LIMIT: usize = MIB;
/// The largest body that brings files: what is taken of them, and what stands around them. Only somebody who is signed in
/// brings files.
const FILES_LIMIT: usize = FILES_BYTES_LIMIT + MIB;
/// The largest body of all.
pub(super) const UTMOST: usize = FILES_LIMIT;
const MIB: usize = 1024 * 1024;
/// What is taken from the wire and thrown away after a refusal. The answer goes out before that; but many clients send
/// everything before they listen, and would see only a broken connection.
const DRAIN_BYTES: usize = 128 * 1024 * 1024;
/// How long that may take.
const DRAIN_TIME: Duration = Duration::from_secs(5);

pub(super) async fn limit(request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    let limit = limit_of(&request);
    let (parts, body) = request.into_parts();
    let announced = body.size_hint().lower();
    if announced > limit as u64 {
        drain(body);
        return too_large(limit);
    }
    let mut whole = Vec::with_capacity(usize::try_from(announced).unwrap_or_default());
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let Ok(piece) = piece else {
            return Rejection(Problem::new(ErrorCode::BadRequest).with_detail("the body was cut off")).into_response();
        };
        if whole.len() + piece.len() > limit {
            drain(Body::from_stream(pieces));
            return too_large(limit);
        }
        whole.extend_from_slice(&piece);
    }
    next.run(Request::from_parts(parts, Body::from(whole))).await
}

fn limit_of(request: &Request) -> usize {
    let signed_in = request.extensions().get::<MaybeCaller>().is_some_and(|caller| caller.0.is_some());
    let files = [rest::IMPORT, pages::IMPORT].contains(&request.uri().path());
    if files && signed_in { FILES_LIMIT } else { LIMIT }
}

fn too_large(limit: usize) -> Response {
    let detail = format!("a body has at most {} MiB", limit / MIB);
    Rejection(Problem::new(ErrorCode::TooLarge).with_detail(detail)).into_response()
}

fn drain(body: Body) {
    tokio::spawn(tokio::time::timeout(DRAIN_TIME, async move {
        let mut taken = 0;
        let mut pieces = body.into_data_stream();
        while let Some(Ok(piece)) = pieces.next().await {
            taken += piece.len();
            if taken > DRAIN_BYTES {
                return;
            }
        }
    }));
}
