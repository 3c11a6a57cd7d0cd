//! The door of the witness: `POST add-checkpoint`.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::State,
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
    routing::post,
};
use ledger::witnessing::{Refusal, Request};
use tokio::sync::Semaphore;

use crate::{Unanswered, Witness};

/// The most bytes of a request: a proof has at most 63 hashes, a note up to 100 signatures.
const LARGEST: usize = 64 << 10;
/// How long a request may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(10);
/// Requests whose bodies are read at the same time; more wait.
const AT_ONCE: usize = 64;

#[derive(Clone)]
struct Door {
    witness: Arc<Witness>,
    reading: Arc<Semaphore>,
    /// One at a time writes to the disk.
    judging: Arc<Semaphore>,
}

/// The routes of a witness, under whatever prefix it is reached by.
pub fn router(witness: Arc<Witness>) -> Router {
    let door = Door { witness, reading: Arc::new(Semaphore::new(AT_ONCE)), judging: Arc::new(Semaphore::new(1)) };
    Router::new().route("/add-checkpoint", post(add_checkpoint)).with_state(door)
}

async fn add_checkpoint(State(door): State<Door>, body: Body) -> Response {
    let text = {
        let Ok(_turn) = door.reading.acquire().await else { return plain(StatusCode::SERVICE_UNAVAILABLE, "closed") };
        match tokio::time::timeout(ARRIVAL, to_bytes(body, LARGEST)).await {
            Ok(Ok(bytes)) => String::from_utf8(bytes.into()).ok(),
            Ok(Err(_)) => return plain(StatusCode::PAYLOAD_TOO_LARGE, "the request is too large, or broke off"),
            Err(_) => return plain(StatusCode::REQUEST_TIMEOUT, "the request took too long to arrive"),
        }
    };
    let Some(request) = text.as_deref().and_then(Request::parse) else {
        return plain(StatusCode::BAD_REQUEST, Refusal::Malformed);
    };
    let Ok(turn) = Arc::clone(&door.judging).acquire_owned().await else {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "closed");
    };
    let judged = tokio::task::spawn_blocking(move || {
        let judged = door.witness.cosign(&request);
        drop(turn);
        judged
    });
    match judged.await {
        Ok(Ok(line)) => plain(StatusCode::OK, line.trim_end()),
        Ok(Err(Unanswered::Refused(refusal))) => refused(refusal),
        Ok(Err(unkept @ Unanswered::Unkept(_))) => plain(StatusCode::INTERNAL_SERVER_ERROR, unkept),
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "this witness has failed"),
    }
}

fn refused(refusal: Refusal) -> Response {
    match refusal {
        Refusal::Malformed => plain(StatusCode::BAD_REQUEST, refusal),
        Refusal::UnknownLog => plain(StatusCode::NOT_FOUND, refusal),
        Refusal::Untrusted => plain(StatusCode::FORBIDDEN, refusal),
        Refusal::Inconsistent => plain(StatusCode::UNPROCESSABLE_ENTITY, refusal),
        Refusal::Conflict { size } => {
            let mut response = plain(StatusCode::CONFLICT, size);
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/x.tlog.size"));
            response
        }
    }
}

/// A line of text.
fn plain(status: StatusCode, words: impl std::fmt::Display) -> Response {
    (status, format!("{words}\n")).into_response()
}
