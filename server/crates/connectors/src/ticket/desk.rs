//! Questions to a ticket system, and what its answers mean.

use std::time::Duration;

use identity::Secret;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;
use workflow::{RunError, StandardError};

use super::glpi;
use crate::{
    Failure,
    http::{
        Http,
        authentication::{basic_header, bearer_header},
        exchange::refused,
        plain::{Answered, Plain, Terms, excerpt},
    },
    sigv4::set_query,
    tls::TlsSettings,
};

/// How long signing out may take, for which what was done before waits.
const FAREWELL: Duration = Duration::from_secs(2);

/// Whose tickets they are.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Flavour {
    Jira,
    ServiceNow,
    Glpi,
}

impl Flavour {
    /// For people.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Jira => "Jira",
            Self::ServiceNow => "ServiceNow",
            Self::Glpi => "GLPI",
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Settings {
    pub(super) flavour: Flavour,
    pub(super) base_url: Url,
    username: Option<String>,
    password: Option<Secret>,
    pub(super) token: Option<Secret>,
    pub(super) app_token: Option<Secret>,
    /// Of Jira.
    pub(super) project: Option<String>,
    /// Of Jira.
    pub(super) issue_type: Option<String>,
    /// Of `ServiceNow`.
    pub(super) table: Option<String>,
    #[serde(flatten)]
    pub(super) tls: TlsSettings,
}

impl Settings {
    /// The same, if there is all that its flavour needs.
    pub(super) fn complete(self) -> Result<Self, Failure> {
        let signed = self.token.is_some() || (self.username.is_some() && self.password.is_some());
        match self.flavour {
            Flavour::Jira if self.project.is_none() => {
                Err(Failure::configuration("Jira needs a project; enter its key, such as OPS"))
            }
            Flavour::Glpi if self.token.is_none() => {
                Err(Failure::configuration("GLPI needs a token; enter the API token of a user"))
            }
            _ if !signed => {
                Err(Failure::configuration("there is no account; enter a token, or user name and password"))
            }
            _ => Ok(self),
        }
    }

    fn secrets(&self) -> impl Iterator<Item = &str> {
        [&self.password, &self.token, &self.app_token].into_iter().flatten().map(Secret::expose)
    }
}

/// A ticket system that is being asked.
pub(super) struct Desk<'a> {
    pub(super) http: &'a Http,
    pub(super) settings: &'a Settings,
    pub(super) terms: Terms<'a>,
    /// What GLPI gives for a sign-in.
    pub(super) session: Option<Secret>,
}

impl Desk<'_> {
    /// Signs in where that is a step of its own. Nothing of the call is sent by it.
    pub(super) async fn open(&mut self) -> Result<(), Failure> {
        if self.settings.flavour == Flavour::Glpi {
            self.session = Some(glpi::sign_in(self).await?);
        }
        Ok(())
    }

    /// Signs out again. A session that stays open ends by itself.
    pub(super) async fn close(&self) {
        if self.session.is_some() {
            let desk = self.reads();
            let _ = tokio::time::timeout(FAREWELL, desk.ask(Method::GET, &["killSession"], &[], None)).await;
        }
    }

    /// The same for what only reads, and may be asked again whatever becomes of it.
    pub(super) fn reads(&self) -> Desk<'_> {
        let terms = Terms { repeatable: true, ..self.terms };
        Desk { http: self.http, settings: self.settings, terms, session: self.session.clone() }
    }

    /// An answer, whatever its status.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answered, Failure> {
        let mut url = self.settings.base_url.clone();
        url.path_segments_mut()
            .map_err(|()| Failure::configuration("the address of the connection is none of a web service"))?
            .pop_if_empty()
            .extend(path);
        set_query(&mut url, query.iter().copied());
        let mut plain = Plain::new(method, url).header("accept", "application/json")?;
        plain = self.signed(plain)?;
        if let Some(body) = body {
            plain = plain.header("content-type", "application/json")?.body(body.to_string().into_bytes());
        }
        self.http.ask(plain, &self.terms).await
    }

    fn signed(&self, plain: Plain) -> Result<Plain, Failure> {
        let settings = self.settings;
        if settings.flavour == Flavour::Glpi {
            let plain = match &settings.app_token {
                Some(token) => plain.header("app-token", token.expose())?,
                None => plain,
            };
            return match (&self.session, &settings.token) {
                (Some(session), _) => plain.header("session-token", session.expose()),
                (None, Some(token)) => plain.header("authorization", &format!("user_token {}", token.expose())),
                (None, None) => Ok(plain),
            };
        }
        let value = match (&settings.token, &settings.username, &settings.password) {
            // Jira in the cloud takes its tokens as passwords.
            (Some(token), Some(username), _) => basic_header(username, token.expose())?,
            (Some(token), None, _) => bearer_header(token.expose())?,
            (None, Some(username), Some(password)) => basic_header(username, password.expose())?,
            _ => return Err(Failure::configuration("there is no account; enter a token, or user name and password")),
        };
        let mut plain = plain;
        plain.headers.insert(reqwest::header::AUTHORIZATION, value);
        Ok(plain)
    }

    /// The document of an answer that must have gone well; `what` was asked.
    pub(super) fn document(&self, what: &str, answer: &Answered) -> Result<Value, Failure> {
        self.accepted(what, answer)?;
        serde_json::from_slice(&answer.content).map_err(|_| self.garbled(what))
    }

    /// An answer was not what its service answers.
    pub(super) fn garbled(&self, what: &str) -> Failure {
        let name = self.settings.flavour.name();
        self.terms.unusable(format!(
            "the answer to {what} is none of {name}; check that the connection's address is that of {name}, and no sign-in page"
        ))
    }

    /// Whether it went well; else what that means.
    pub(super) fn accepted(&self, what: &str, answer: &Answered) -> Result<(), Failure> {
        if answer.is_success() {
            return Ok(());
        }
        let name = self.settings.flavour.name();
        let said = self.said(answer);
        let permanent = |kind, words: &str| Failure::permanent(RunError::new(kind, format!("{what}: {said}: {words}")));
        Err(match answer.status {
            401 => permanent(
                StandardError::Authentication,
                &format!("{name} does not accept the account; enter its credentials into the connection again"),
            ),
            403 => permanent(
                StandardError::Authorization,
                &format!("{name} does not let the account do this; give it the right there"),
            ),
            404 => Failure::refused(404, format!("{what}: {said}: there is no such ticket; compare its id")),
            429 => {
                let after = answer.header("retry-after").and_then(|after| after.parse::<u32>().ok());
                let after = after.map_or_else(|| "later".to_owned(), |seconds| format!("after {seconds} seconds"));
                Failure::retryable(RunError::communication(
                    429,
                    format!(
                        "{name} takes no more requests now; try again {after}, or limit the calls of the connection"
                    ),
                ))
            }
            status => refused(status, format!("{name} refused {what} with status {status}: {said}")),
        })
    }

    /// What the service says for itself.
    fn said(&self, answer: &Answered) -> String {
        let text = String::from_utf8_lossy(&answer.content);
        let document = serde_json::from_slice::<Value>(&answer.content).unwrap_or_default();
        let words: Vec<&str> = match self.settings.flavour {
            Flavour::Jira => {
                let messages = document.get("errorMessages").and_then(Value::as_array).into_iter().flatten();
                let errors = document.get("errors").and_then(Value::as_object).into_iter().flat_map(Map::values);
                messages.chain(errors).filter_map(Value::as_str).collect()
            }
            Flavour::ServiceNow => ["message", "detail"]
                .iter()
                .filter_map(|name| document.pointer(&format!("/error/{name}"))?.as_str())
                .collect(),
            Flavour::Glpi => document.as_array().into_iter().flatten().filter_map(Value::as_str).collect(),
        };
        let words = match (words.is_empty(), text.trim().is_empty()) {
            (false, _) => words.join("; "),
            (true, false) => text.into_owned(),
            (true, true) => format!("status {}", answer.status),
        };
        let session = self.session.iter().map(Secret::expose);
        excerpt(&words, self.settings.secrets().chain(session))
    }
}
