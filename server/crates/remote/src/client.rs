//! The server, as a runner reaches it.

use std::time::Duration;

use engine::runners::protocol::{Begin, Hello, Lines, Orders, Poll, Report, Verdict, Welcome, place};
use identity::Secret;
use reqwest::{Response, StatusCode, header, redirect::Policy};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::time::timeout;
use url::Url;

use crate::Settings;

/// How long it is tried to connect.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may take with all that it says; a poll waits for 20 seconds by itself.
const ANSWER: Duration = Duration::from_mins(1);

/// Why the server has not done what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It may do it later.
    #[error("{0}")]
    Away(String),
    /// It does not want this runner now.
    #[error("{0}")]
    Refused(String),
    /// Its token is not known.
    #[error("the server does not know the token: {0}; enrol the runner, or give the token of one that is")]
    Unknown(String),
    /// What was sent is too large for it.
    #[error("the server takes nothing so large")]
    TooLarge,
    /// It speaks another language, or this is no address of a server.
    #[error("{0}")]
    Wrong(String),
}

/// The server.
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    token: Secret,
}

/// What a server says when it refuses.
#[derive(Deserialize)]
struct Problem {
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: Option<String>,
}

impl Client {
    pub(crate) fn new(settings: &Settings) -> Result<Self, CallError> {
        let wrong = |why: &dyn std::fmt::Display| CallError::Wrong(format!("the server cannot be called: {why}"));
        let tls = connectors::tls::client_config(settings.authority.as_deref())
            .map_err(|error| CallError::Wrong(format!("the authorities of --ca cannot be used: {error}")))?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .user_agent(format!("rondo-runner/{}", settings.version))
            .build()
            .map_err(|error| wrong(&error))?;
        let mut base = settings.server.clone();
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let base = base.join("api/v1/runner/").map_err(|error| wrong(&error))?;
        Ok(Self { http, base, token: Secret::new(settings.token.expose().to_owned()) })
    }

    pub(crate) async fn hello(&self, hello: &Hello) -> Result<Welcome, CallError> {
        self.ask(place::SESSION, hello).await
    }

    /// None when the answer has not begun within `limit`: whoever waits on a connection that has died is not heard of
    /// meanwhile, and loses what it has.
    pub(crate) async fn poll(&self, poll: &Poll, limit: Duration) -> Result<Option<Orders>, CallError> {
        match timeout(limit, self.send(place::POLL, poll)).await {
            Ok(answer) => read(answer?).await.map(Some),
            Err(_) => Ok(None),
        }
    }

    pub(crate) async fn begin(&self, begin: &Begin) -> Result<Verdict, CallError> {
        self.ask(place::BEGIN, begin).await
    }

    pub(crate) async fn report(&self, report: &Report) -> Result<Verdict, CallError> {
        self.ask(place::REPORT, report).await
    }

    pub(crate) async fn lines(&self, lines: &Lines) -> Result<(), CallError> {
        self.ask::<_, serde_json::Value>(place::LINES, lines).await.map(drop)
    }

    async fn ask<Q: Serialize + Sync, A: DeserializeOwned>(&self, place: &str, question: &Q) -> Result<A, CallError> {
        read(self.send(place, question).await?).await
    }

    /// An answer that has begun.
    async fn send<Q: Serialize + Sync>(&self, place: &str, question: &Q) -> Result<Response, CallError> {
        let url = self.base.join(place).map_err(|error| CallError::Wrong(error.to_string()))?;
        let body = serde_json::to_vec(question).map_err(|error| CallError::Wrong(error.to_string()))?;
        let request = self.http.post(url).bearer_auth(self.token.expose()).body(body);
        let answer = request.header(header::CONTENT_TYPE, "application/json").send().await;
        answer.map_err(|error| away(&error))
    }
}

async fn read<A: DeserializeOwned>(answer: Response) -> Result<A, CallError> {
    let status = answer.status();
    let text = answer.bytes().await.map_err(|error| away(&error))?;
    if status.is_success() {
        // A proxy may answer with a page of its own.
        return serde_json::from_slice(&text)
            .map_err(|_| CallError::Away("the answer is not that of a server of Rondo".to_owned()));
    }
    let said = serde_json::from_slice::<Problem>(&text)
        .map_or_else(|_| status.to_string(), |problem| problem.detail.unwrap_or(problem.title));
    Err(match status {
        StatusCode::UNAUTHORIZED => CallError::Unknown(said),
        StatusCode::FORBIDDEN | StatusCode::CONFLICT => CallError::Refused(said),
        StatusCode::PAYLOAD_TOO_LARGE => CallError::TooLarge,
        StatusCode::BAD_REQUEST => CallError::Wrong(said),
        _ => CallError::Away(format!("the server answers: {said}")),
    })
}

fn away(error: &reqwest::Error) -> CallError {
    CallError::Away(format!("the server cannot be reached: {}", causes(error)))
}

/// An error with its causes, in one line. The address is not repeated.
fn causes(error: &reqwest::Error) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        cause = error.source();
    }
    words
}
