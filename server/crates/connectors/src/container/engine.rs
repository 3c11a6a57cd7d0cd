//! Questions to the API of Docker, which Podman answers as well, and what the answers mean.

use std::{sync::Arc, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use workflow::{RunError, StandardError};

use super::settings::Settings;
use crate::{
    Failure,
    egress::EgressPolicy,
    http::{
        Http,
        exchange::refused,
        plain::{Answered, Plain, Terms, excerpt},
    },
    sigv4::set_query,
};

/// An engine that is being asked.
#[derive(Clone)]
pub(super) struct Engine {
    pub(super) http: Arc<Http>,
    pub(super) settings: Arc<Settings>,
    /// What may be reached; none: what the server itself may.
    pub(super) egress: Option<Arc<EgressPolicy>>,
    /// Whether what is asked may be asked twice without harm.
    pub(super) repeatable: bool,
    /// How long an answer may take.
    pub(super) limit: Duration,
}

impl Engine {
    /// The same for what only reads, or is the same when it is done twice.
    pub(super) fn repeatable(&self) -> Self {
        Self { repeatable: true, ..self.clone() }
    }

    /// The same with another limit.
    pub(super) fn within(&self, limit: Duration) -> Self {
        Self { limit, ..self.clone() }
    }

    pub(super) fn terms(&self) -> Terms<'_> {
        Terms {
            egress: self.egress.as_ref(),
            tls: Some(&self.settings.tls),
            socket: self.settings.socket.as_deref(),
            repeatable: self.repeatable,
            limit: self.limit,
        }
    }

    /// An answer, whatever its status.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answered, Failure> {
        self.http.ask(self.asked(method, path, query, body)?, &self.terms()).await
    }

    /// The same, with what a good answer says handed on.
    pub(super) async fn ask_at_length(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
        take: impl FnMut(&[u8]) + Send,
    ) -> Result<Answered, Failure> {
        self.http.ask_at_length(self.asked(method, path, query, body)?, &self.terms(), take).await
    }

    fn asked(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Plain, Failure> {
        let mut url = self.settings.base.clone();
        url.path_segments_mut()
            .map_err(|()| Failure::configuration("the address of the connection is none of a service"))?
            .pop_if_empty()
            .extend(path);
        set_query(&mut url, query.iter().copied());
        let plain = Plain::new(method, url).header("accept", "application/json")?;
        match body {
            Some(body) => Ok(plain.header("content-type", "application/json")?.body(body.to_string().into_bytes())),
            None => Ok(plain),
        }
    }

    /// The document of an answer that must have gone well; `what` was asked.
    pub(super) fn document(&self, what: &str, answer: &Answered) -> Result<Value, Failure> {
        self.accepted(what, answer)?;
        serde_json::from_slice(&answer.content).map_err(|_| self.garbled(what))
    }

    /// An answer was not what an engine answers.
    pub(super) fn garbled(&self, what: &str) -> Failure {
        self.terms().unusable(format!(
            "the answer to {what} is none of Docker or Podman; check that the connection's address is that of its API"
        ))
    }

    /// Whether it went well; else what that means.
    pub(super) fn accepted(&self, what: &str, answer: &Answered) -> Result<(), Failure> {
        if answer.is_success() || answer.status == 304 {
            return Ok(());
        }
        let said = self.said(answer);
        let permanent =
            |kind, remedy: &str| Failure::permanent(RunError::new(kind, format!("{what}: {said}; {remedy}")));
        Err(match answer.status {
            401 => permanent(
                StandardError::Authentication,
                "the engine does not accept whom the connection names; enter its client certificate again",
            ),
            403 => permanent(
                StandardError::Authorization,
                "the engine does not permit this; ask whoever administers it for the right",
            ),
            // What an engine says with 500 is most often about what it was asked: a port in use, a name that is taken.
            500 => Failure::refused(500, format!("{what}: {said}")),
            status => refused(status, format!("{what}: {said}")),
        })
    }

    /// What the engine says for itself.
    fn said(&self, answer: &Answered) -> String {
        let document = serde_json::from_slice::<Value>(&answer.content).unwrap_or_default();
        let words = document.get("message").and_then(Value::as_str).map(str::to_owned);
        let words = words.unwrap_or_else(|| String::from_utf8_lossy(&answer.content).into_owned());
        let words = excerpt(&words, self.settings.secrets());
        if words.is_empty() { format!("status {}", answer.status) } else { words }
    }

    /// What the engine says that it is.
    pub(super) async fn version(&self) -> Result<String, Failure> {
        let answer = self.ask(Method::GET, &["version"], &[], None).await?;
        let document = self.document("its version", &answer)?;
        let text = |name: &str| document.get(name).and_then(Value::as_str);
        let (Some(version), Some(api)) = (text("Version"), text("ApiVersion")) else {
            return Err(self.garbled("its version"));
        };
        let name = document.pointer("/Components/0/Name").and_then(Value::as_str).unwrap_or("Docker");
        Ok(format!("{name} {version} answers, with version {api} of the API"))
    }

    /// A container as the engine describes it; none if there is none of this name or id.
    pub(super) async fn look(&self, name: &str) -> Result<Option<Value>, Failure> {
        let what = format!("the container {name}");
        let asking = self.repeatable();
        let answer = asking.ask(Method::GET, &["containers", name, "json"], &[], None).await?;
        if answer.status == 404 && is_of_an_engine(&answer) {
            return Ok(None);
        }
        let found = asking.document(&what, &answer)?;
        if found.get("Id").is_some_and(Value::is_string) { Ok(Some(found)) } else { Err(asking.garbled(&what)) }
    }

    /// The same for one that must be there.
    pub(super) async fn known(&self, name: &str) -> Result<Value, Failure> {
        self.look(name).await?.ok_or_else(|| missing(name))
    }

    /// The containers with all of these labels, whatever their state.
    pub(super) async fn with_labels(&self, labels: &[String], states: &[&str]) -> Result<Vec<Value>, Failure> {
        let filters =
            if states.is_empty() { json!({"label": labels}) } else { json!({"label": labels, "status": states}) };
        let query = [("all", "true"), ("filters", &filters.to_string())];
        let asking = self.repeatable();
        let answer = asking.ask(Method::GET, &["containers", "json"], &query, None).await?;
        match asking.document("the list of containers", &answer)? {
            Value::Array(found) => Ok(found),
            _ => Err(asking.garbled("the list of containers")),
        }
    }

    /// Something done to a container that answers with nothing; false when it was so already. 404 is a failure.
    pub(super) async fn tell(&self, name: &str, action: &str, query: &[(&str, &str)]) -> Result<bool, Failure> {
        let answer = self.ask(Method::POST, &["containers", name, action], query, None).await?;
        if answer.status == 404 && is_of_an_engine(&answer) {
            return Err(missing(name));
        }
        let what = format!("{action} of the container {name}");
        self.accepted(&what, &answer)?;
        // A page that says "sign in" is a success, too.
        if answer.status == 200 { Err(self.garbled(&what)) } else { Ok(answer.status != 304) }
    }

    /// Removes a container, whatever it does; false when there is none.
    pub(super) async fn discard(&self, name: &str) -> Result<bool, Failure> {
        let query = [("force", "true"), ("v", "true")];
        let answer = self.ask(Method::DELETE, &["containers", name], &query, None).await?;
        if answer.status == 404 {
            return Ok(false);
        }
        // Somebody else is removing it.
        if answer.status == 409 && self.said(&answer).contains("already in progress") {
            return Ok(true);
        }
        self.accepted(&format!("removal of the container {name}"), &answer)?;
        Ok(true)
    }
}

/// Whether an answer is an engine's own, and not that of something else at the same address.
pub(super) fn is_of_an_engine(answer: &Answered) -> bool {
    serde_json::from_slice::<Value>(&answer.content).is_ok_and(|document| document.get("message").is_some())
}

pub(super) fn missing(name: &str) -> Failure {
    Failure::refused(404, format!("there is no container {name}; compare the name with those on the engine"))
}
