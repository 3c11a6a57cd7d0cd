//! What is waited for.

use std::{sync::Arc, time::Duration};

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use url::Url;
use workflow::RunError;

use crate::{
    Failure,
    dns::{
        exchange::{self, Server},
        record,
        update::question,
    },
    egress::{DialError, EgressPolicy},
    http::{
        Http,
        plain::{Plain, Terms},
    },
};

/// Where the system says whom it asks for names.
const RESOLVERS: &str = "/etc/resolv.conf";

/// A condition.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Condition {
    /// Something listens on a port.
    Tcp {
        host: String,
        port: u16,
    },
    Http(Answer),
    Dns(Records),
}

/// A service answers as it should.
#[derive(Deserialize)]
pub(super) struct Answer {
    url: String,
    status: Option<Statuses>,
    contains: Option<String>,
    json: Option<Member>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Statuses {
    One(u16),
    Some(Vec<u16>),
}

/// A value somewhere in a document.
#[derive(Deserialize)]
struct Member {
    pointer: String,
    equals: Value,
}

/// A name has records.
#[derive(Deserialize)]
pub(super) struct Records {
    name: String,
    r#type: String,
    equals: Option<Vec<String>>,
    server: Option<String>,
    port: Option<u16>,
}

impl Condition {
    /// For people.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Tcp { host, port } => format!("{host} port {port} answers"),
            Self::Http(answer) => format!("{} answers as it should", answer.shown()),
            Self::Dns(records) => match &records.equals {
                Some(values) => format!("{} {} is {}", records.name, records.r#type, values.join(", ")),
                None => format!("{} {} is there", records.name, records.r#type),
            },
        }
    }

    /// The host that is asked, for people; empty if an expression decides.
    pub(super) fn target(&self) -> String {
        let target = match self {
            Self::Tcp { host, .. } => host.clone(),
            Self::Http(answer) => {
                Url::parse(&answer.url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
            }
            Self::Dns(records) => records.name.clone(),
        };
        if target.starts_with("${") { String::new() } else { target }
    }

    /// Whether it is so now; else why not. What will not become so by waiting is permanent.
    pub(super) async fn try_once(
        &self,
        http: &Http,
        egress: &Arc<EgressPolicy>,
        limit: Duration,
    ) -> Result<(), Failure> {
        match self {
            Self::Tcp { host, port } => match egress.connect(host, *port).await {
                Ok(_) => Ok(()),
                Err(error @ DialError::Refused(_)) => Err(error.into()),
                Err(error) => Err(not_yet(error.to_string())),
            },
            Self::Http(answer) => answer.try_once(http, egress, limit).await,
            Self::Dns(records) => records.try_once(egress, limit).await,
        }
    }
}

impl Answer {
    /// Without what may be a key.
    fn shown(&self) -> &str {
        self.url.split(['?', '#']).next().unwrap_or_default()
    }

    async fn try_once(&self, http: &Http, egress: &Arc<EgressPolicy>, limit: Duration) -> Result<(), Failure> {
        let url = Url::parse(&self.url)
            .ok()
            .filter(|url| url.has_host() && url.username().is_empty() && url.password().is_none())
            .ok_or_else(|| Failure::configuration("the url is not one of a service, or has a password in it"))?;
        let terms = Terms { egress: Some(egress), tls: None, socket: None, repeatable: true, limit };
        let answer = http.ask(Plain::new(Method::GET, url), &terms).await?;
        let status = answer.status;
        let wanted = match &self.status {
            None => answer.is_success(),
            Some(Statuses::One(one)) => status == *one,
            Some(Statuses::Some(some)) => some.contains(&status),
        };
        if !wanted {
            return Err(not_yet(format!("it answered with status {status}")));
        }
        if let Some(text) = &self.contains
            && !String::from_utf8_lossy(&answer.content).contains(text.as_str())
        {
            return Err(not_yet("its answer does not contain the text"));
        }
        if let Some(member) = &self.json {
            let document: Value =
                serde_json::from_slice(&answer.content).map_err(|_| not_yet("its answer is not JSON"))?;
            if document.pointer(&member.pointer) != Some(&member.equals) {
                return Err(not_yet(format!("{} is not the value in its answer", member.pointer)));
            }
        }
        Ok(())
    }
}

impl Records {
    async fn try_once(&self, egress: &EgressPolicy, limit: Duration) -> Result<(), Failure> {
        let (name, kind) = (record::name(&self.name)?, record::record_type(&self.r#type)?);
        let equals = self
            .equals
            .as_ref()
            .map(|values| values.iter().map(|value| record::value(kind, value)).collect::<Result<Vec<_>, _>>());
        let equals = equals.transpose()?;
        let host = match &self.server {
            Some(server) => server.clone(),
            None => resolver().await?,
        };
        let asked = question(&name, kind);
        let bytes = asked.to_vec().map_err(|_| Failure::configuration("the name cannot be asked for"))?;
        let server = Server { policy: egress, host: &host, port: self.port.unwrap_or(53), limit };
        let answer = server.ask(&bytes, Failure::lost).await?;
        let answer = exchange::read(&answer, &asked)
            .map_err(|what| not_yet(format!("what {host} answers is not DNS ({what})")))?;
        if let Some(failure) = exchange::unanswered(&host, answer.response_code) {
            return Err(failure);
        }
        let found: Vec<_> = answer.answers.iter().filter(|record| record.record_type() == kind).collect();
        let met = match &equals {
            None => !found.is_empty(),
            Some(values) => {
                found.len() == values.len()
                    && values.iter().all(|value| found.iter().any(|record| record.data == *value))
            }
        };
        let seen = || found.iter().map(|record| record::shown(&record.data)).collect::<Vec<_>>().join(", ");
        match (met, found.is_empty()) {
            (true, _) => Ok(()),
            (false, true) => Err(not_yet("there is no such record")),
            (false, false) => Err(not_yet(format!("it is {}", seen()))),
        }
    }
}

/// The first server that the system asks.
async fn resolver() -> Result<String, Failure> {
    let text = tokio::fs::read_to_string(RESOLVERS).await.unwrap_or_default();
    let named = text.lines().find_map(|line| line.trim().strip_prefix("nameserver"));
    named.map(|server| server.trim().to_owned()).filter(|server| !server.is_empty()).ok_or_else(|| {
        Failure::configuration(format!(
            "the system names no DNS server in {RESOLVERS}; name one in the argument server"
        ))
    })
}

fn not_yet(words: impl Into<String>) -> Failure {
    Failure::retryable(RunError::communication(503, words))
}
