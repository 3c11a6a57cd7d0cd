//! When a container that was started is ready.

use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;
use url::Url;
use workflow::{RunError, StandardError, duration};

use super::{
    command::{Command, run},
    engine::Engine,
    shown,
};
use crate::{
    Failure, FailureKind,
    http::plain::{Plain, Terms},
};

/// How long a container may take unless told otherwise.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long a container of which nothing else is known has to keep running.
const STEADY: Duration = Duration::from_secs(2);
/// From one look to the next.
const PAUSE: Duration = Duration::from_millis(250);
/// How long one look may take.
const LOOK: Duration = Duration::from_secs(5);
/// What bytes of a command in it are kept.
const EXCERPT: usize = 2_000;

/// What is waited for.
#[derive(Default, Deserialize)]
pub(super) struct Ready {
    r#for: Option<Value>,
    tcp: Option<u16>,
    http: Option<Http>,
    command: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Http {
    port: u16,
    path: Option<String>,
    status: Option<u16>,
}

/// What a look has shown.
enum Seen {
    Ready,
    /// Not yet, and why.
    NotYet(String),
    /// It will not become so.
    Never(String),
}

impl Ready {
    /// Waits until the container is ready, at most as long as it has and no longer than `most`.
    pub(super) async fn wait(&self, engine: &Engine, name: &str, most: Duration) -> Result<(), Failure> {
        let longest = match &self.r#for {
            Some(value) => duration::from_value(value)
                .ok_or_else(|| Failure::configuration("ready.for is not a duration; write it like PT1M"))?,
            None => PATIENCE,
        };
        let begun = Instant::now();
        let until = begun + longest.min(most);
        let mut told = None;
        loop {
            let limit = until.saturating_duration_since(Instant::now()).clamp(PAUSE, LOOK);
            match tokio::time::timeout(limit, self.look(&engine.within(limit), name, begun)).await {
                Ok(Ok(Seen::Ready)) => return Ok(()),
                Ok(Ok(Seen::Never(why))) => return Err(not_ready(name, &why)),
                Ok(Ok(Seen::NotYet(why))) => told = Some(why),
                // What a definition or the policy has wrong does not become right.
                Ok(Err(failure)) if failure.kind == FailureKind::Permanent => return Err(failure),
                Ok(Err(failure)) => told = Some(failure.detail().to_owned()),
                // The last look is cut short; what the one before it has seen says more.
                Err(_) if told.is_some() => {}
                Err(_) => told = Some(format!("no answer within {} seconds", limit.as_secs().max(1))),
            }
            if Instant::now() + PAUSE >= until {
                let after = duration::to_iso8601(Duration::from_secs((begun.elapsed() + PAUSE).as_secs().max(1)));
                let seen = told.unwrap_or_default();
                return Err(not_ready(name, &format!("after {after} {seen}")));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn look(&self, engine: &Engine, name: &str, begun: Instant) -> Result<Seen, Failure> {
        let container = engine.known(name).await?;
        let state = container.pointer("/State/Status").and_then(Value::as_str).unwrap_or_default();
        match state {
            "running" => {}
            "created" | "restarting" | "initialized" => return Ok(Seen::NotYet(format!("it is {state}"))),
            _ => {
                let code = container.pointer("/State/ExitCode").and_then(Value::as_i64).unwrap_or_default();
                return Ok(Seen::Never(format!("it has ended with exit code {code}")));
            }
        }
        if let Some(command) = &self.command {
            return of_command(engine, name, command).await;
        }
        if let Some(port) = self.tcp.or(self.http.as_ref().map(|http| http.port)) {
            let Some(published) = shown::host_port(&container, port) else {
                let why = format!("its port {port} is not published; publish it, or ask by a command in the container");
                return Err(Failure::configuration(why));
            };
            return match &self.http {
                Some(http) => of_http(engine, published, http).await,
                None => of_port(engine, published).await,
            };
        }
        Ok(match container.pointer("/State/Health/Status").and_then(Value::as_str) {
            Some("healthy") => Seen::Ready,
            Some("unhealthy") => Seen::Never("its image's own check says that it is unhealthy".to_owned()),
            Some("starting") => Seen::NotYet("its image's own check has not said yet that it is healthy".to_owned()),
            _ if begun.elapsed() >= STEADY => Seen::Ready,
            _ => Seen::NotYet("it has not run for two seconds".to_owned()),
        })
    }
}

async fn of_command(engine: &Engine, name: &str, words: &[String]) -> Result<Seen, Failure> {
    let command = Command::check(words, EXCERPT);
    let ended = run(&engine.repeatable(), name, &command, None).await?;
    Ok(match ended.code {
        0 => Seen::Ready,
        code => Seen::NotYet(format!("its check ended with exit code {code}")),
    })
}

async fn of_port(engine: &Engine, port: u16) -> Result<Seen, Failure> {
    let host = engine.settings.host();
    Ok(match egress(engine).connect(&host, port).await {
        Ok(_) => Seen::Ready,
        Err(crate::egress::DialError::Refused(refused)) => return Err(refused.into()),
        Err(error) => Seen::NotYet(error.to_string()),
    })
}

async fn of_http(engine: &Engine, port: u16, http: &Http) -> Result<Seen, Failure> {
    let address = format!("http://{}:{port}{}", engine.settings.host(), http.path.as_deref().unwrap_or("/"));
    let url =
        Url::parse(&address).map_err(|_| Failure::configuration("ready.http has a path that makes no address"))?;
    let egress = engine.egress.as_ref();
    let terms = Terms { egress, tls: None, socket: None, repeatable: true, limit: engine.limit };
    let expected = http.status.unwrap_or(200);
    let answer = engine.http.ask(Plain::new(Method::GET, url), &terms).await?;
    if answer.status == expected {
        return Ok(Seen::Ready);
    }
    Ok(Seen::NotYet(format!("port {} answers with status {}, and not with {expected}", http.port, answer.status)))
}

fn egress(engine: &Engine) -> &crate::egress::EgressPolicy {
    engine.egress.as_deref().unwrap_or_else(|| engine.http.policy())
}

fn not_ready(name: &str, why: &str) -> Failure {
    let detail = format!("the container {name} did not become ready: {why}; what it wrote is in the task's log");
    Failure::permanent(RunError::new(StandardError::Runtime, detail))
}
