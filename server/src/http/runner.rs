//! The doors of runners elsewhere, below `/api/v1/runner/`. What is said there is between the two ends of one program
//! (`engine::runners::protocol`), so it is no part of the documented interface. A runner's token opens nothing else, and no other
//! token opens these.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequestParts, State},
    http::request::Parts,
    routing::post,
};
use domain::{ErrorCode, Problem, RunnerState};
use engine::runners::{
    Refusal,
    protocol::{Begin, Hello, Lines, Orders, Poll, Report, Verdict, Welcome, place},
};
use identity::tokens::{self, TokenKind};
use serde::de::DeserializeOwned;
use serde_json::Value;
use store::{StoreError, runners::Runner};
use tracing::error;

use super::{
    Portal, identify,
    problem::{Answer, Rejection},
};

/// The largest body, in bytes: what a process may write to both its outputs, in JSON.
const LIMIT: usize = 16 * 1024 * 1024;

pub(super) fn routes() -> Router<Portal> {
    let at = |place: &str| format!("/api/v1/runner/{place}");
    Router::new()
        .route(&at(place::SESSION), post(session))
        .route(&at(place::POLL), post(poll))
        .route(&at(place::BEGIN), post(begin))
        .route(&at(place::LINES), post(lines))
        .route(&at(place::REPORT), post(report))
        .layer(DefaultBodyLimit::max(LIMIT))
}

/// The runner whose token it is.
struct Known(Runner);

impl FromRequestParts<Portal> for Known {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, portal: &Portal) -> Result<Self, Self::Rejection> {
        let unknown = || {
            Problem::new(ErrorCode::Unauthenticated)
                .with_detail("no runner has this token; it may have been removed, or the token was cut off")
        };
        let token = identify::bearer(&parts.headers).filter(|token| TokenKind::Runner.has_form(token));
        let token = token.ok_or_else(unknown)?;
        let runner = portal.runners.by_token(&tokens::hash(token)).await.map_err(|cause| away(&cause))?;
        let runner = runner.ok_or_else(unknown)?;
        if runner.state == RunnerState::Disabled {
            return Err(disabled().into());
        }
        Ok(Self(runner))
    }
}

fn disabled() -> Problem {
    Problem::new(ErrorCode::Forbidden).with_detail("the runner is disabled; an administrator can enable it")
}

fn away(cause: &StoreError) -> Rejection {
    error!(error = cause as &dyn std::error::Error, "a runner could not be answered");
    Problem::new(ErrorCode::Unavailable).with_detail("the database does not answer; try again in a moment").into()
}

fn refused(refusal: &Refusal) -> Rejection {
    let code = match refusal {
        Refusal::Store(cause) => return away(cause),
        Refusal::Disabled => return disabled().into(),
        Refusal::Protocol(_) => ErrorCode::BadRequest,
        Refusal::InUse(_) | Refusal::Followed => ErrorCode::Conflict,
    };
    Problem::new(code).with_detail(refusal.to_string()).into()
}

/// What is wrong with a body is not quoted: it may hold what a process has written.
fn read<T: DeserializeOwned>(body: &Bytes) -> Answer<T> {
    serde_json::from_slice(body).map_err(|_| {
        let detail = "this is not what a runner of this version says; run the version of the server";
        Problem::new(ErrorCode::BadRequest).with_detail(detail).into()
    })
}

async fn session(State(portal): State<Portal>, Known(runner): Known, body: Bytes) -> Answer<Json<Welcome>> {
    let hello: Hello = read(&body)?;
    Ok(Json(portal.runners.begin_session(&runner, hello).await.map_err(|refusal| refused(&refusal))?))
}

async fn poll(State(portal): State<Portal>, Known(runner): Known, body: Bytes) -> Answer<Json<Orders>> {
    let poll: Poll = read(&body)?;
    Ok(Json(portal.runners.poll(&runner, &poll, &portal.stop).await.map_err(|refusal| refused(&refusal))?))
}

async fn begin(State(portal): State<Portal>, Known(runner): Known, body: Bytes) -> Answer<Json<Verdict>> {
    let begin: Begin = read(&body)?;
    Ok(Json(portal.runners.begin(&runner, &begin).await.map_err(|cause| away(&cause))?))
}

async fn lines(State(portal): State<Portal>, Known(runner): Known, body: Bytes) -> Answer<Json<Value>> {
    let lines: Lines = read(&body)?;
    portal.runners.log(&runner, lines).await.map_err(|cause| away(&cause))?;
    Ok(Json(Value::Null))
}

async fn report(State(portal): State<Portal>, Known(runner): Known, body: Bytes) -> Answer<Json<Verdict>> {
    let report: Report = read(&body)?;
    Ok(Json(portal.runners.report(&runner, report).await.map_err(|cause| away(&cause))?))
}
