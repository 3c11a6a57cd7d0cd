//! Questions to the API of a cluster, and what the answers mean.

use std::{sync::Arc, time::Duration};

use identity::Secret;
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use url::Url;
use workflow::{RunError, StandardError};

use crate::{
    Failure, ResolvedConnection,
    egress::EgressPolicy,
    http::{
        Http,
        authentication::bearer_header,
        exchange::refused,
        plain::{Answered, Plain, Terms, excerpt, is_unread},
    },
    sigv4::set_query,
    tls::TlsSettings,
};

/// The namespace of what names none.
const NAMESPACE: &str = "default";

#[derive(Deserialize)]
pub(super) struct Settings {
    pub(super) server: Url,
    token: Option<Secret>,
    namespace: Option<String>,
    #[serde(flatten)]
    pub(super) tls: TlsSettings,
}

impl Settings {
    pub(super) fn read(connection: &ResolvedConnection) -> Result<Self, Failure> {
        let settings: Self = connection.settings()?;
        if !is_unread(&settings.server) {
            return Err(Failure::configuration(
                "without encryption everybody on the way could read the token; use the cluster's address by https://",
            ));
        }
        if settings.token.is_none() && settings.tls.shown().is_none() {
            return Err(Failure::configuration(
                "there is no account; enter a token, or a client certificate with its key",
            ));
        }
        Ok(settings)
    }

    /// The namespace that is meant.
    pub(super) fn namespace<'a>(&'a self, given: Option<&'a str>) -> &'a str {
        given.or(self.namespace.as_deref()).unwrap_or(NAMESPACE)
    }
}

/// How a change is written.
#[derive(Clone, Copy)]
pub(super) enum Patch {
    /// The whole of what one manager says of an object; the cluster merges it.
    Apply,
    /// What changes.
    Merge,
}

/// A cluster that is being asked.
#[derive(Clone)]
pub(super) struct Cluster {
    pub(super) http: Arc<Http>,
    pub(super) settings: Arc<Settings>,
    /// What may be reached; none: what the server itself may.
    pub(super) egress: Option<Arc<EgressPolicy>>,
    pub(super) repeatable: bool,
    /// How long an answer may take.
    pub(super) limit: Duration,
}

/// A kind of object as the cluster keeps it.
pub(super) struct Resource {
    api_version: String,
    plural: String,
    is_namespaced: bool,
}

impl Resource {
    /// One that every cluster has in the same way.
    pub(super) fn known(api_version: &str, plural: &str) -> Self {
        Self { api_version: api_version.to_owned(), plural: plural.to_owned(), is_namespaced: plural != "nodes" }
    }

    /// The path of an object, or of all of them.
    pub(super) fn path(&self, namespace: &str, name: Option<&str>) -> Vec<String> {
        let mut path = group(&self.api_version);
        if self.is_namespaced {
            path.extend(["namespaces".to_owned(), namespace.to_owned()]);
        }
        path.push(self.plural.clone());
        path.extend(name.map(str::to_owned));
        path
    }
}

/// Where the kinds of a version of the API are: the first one has another place than all that came later.
fn group(api_version: &str) -> Vec<String> {
    let root = if api_version.contains('/') { "apis" } else { "api" };
    [root].into_iter().chain(api_version.split('/')).map(str::to_owned).collect()
}

impl Cluster {
    pub(super) fn repeatable(&self) -> Self {
        Self { repeatable: true, ..self.clone() }
    }

    pub(super) fn terms(&self) -> Terms<'_> {
        Terms {
            egress: self.egress.as_ref(),
            tls: Some(&self.settings.tls),
            socket: None,
            repeatable: self.repeatable,
            limit: self.limit,
        }
    }

    pub(super) async fn get(&self, path: &[String], query: &[(&str, &str)]) -> Result<Answered, Failure> {
        self.repeatable().ask(Method::GET, path, query, None).await
    }

    pub(super) async fn post(&self, path: &[String], body: &Value) -> Result<Answered, Failure> {
        self.ask(Method::POST, path, &[], Some(("application/json", body))).await
    }

    pub(super) async fn delete(&self, path: &[String], query: &[(&str, &str)]) -> Result<Answered, Failure> {
        self.ask(Method::DELETE, path, query, None).await
    }

    pub(super) async fn patch(
        &self,
        path: &[String],
        query: &[(&str, &str)],
        kind: Patch,
        body: &Value,
    ) -> Result<Answered, Failure> {
        let content_type = match kind {
            Patch::Apply => "application/apply-patch+yaml",
            Patch::Merge => "application/merge-patch+json",
        };
        self.ask(Method::PATCH, path, query, Some((content_type, body))).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &[String],
        query: &[(&str, &str)],
        body: Option<(&str, &Value)>,
    ) -> Result<Answered, Failure> {
        let mut url = self.settings.server.clone();
        url.path_segments_mut()
            .map_err(|()| Failure::configuration("the address of the connection is none of a service"))?
            .pop_if_empty()
            .extend(path);
        set_query(&mut url, query.iter().copied());
        let mut plain = Plain::new(method, url).header("accept", "application/json")?;
        if let Some(token) = &self.settings.token {
            plain.headers.insert(reqwest::header::AUTHORIZATION, bearer_header(token.expose())?);
        }
        if let Some((content_type, body)) = body {
            plain = plain.header("content-type", content_type)?.body(body.to_string().into_bytes());
        }
        self.http.ask(plain, &self.terms()).await
    }

    /// How the cluster keeps objects of a kind.
    pub(super) async fn resource(&self, api_version: &str, kind: &str) -> Result<Resource, Failure> {
        let unknown = || {
            Failure::refused(
                404,
                format!(
                    "the cluster knows no {kind} of {api_version}; compare apiVersion and kind, or install what defines it"
                ),
            )
        };
        let answer = self.get(&group(api_version), &[]).await?;
        if answer.status == 404 {
            return Err(unknown());
        }
        let what = format!("the kinds of {api_version}");
        let document = self.repeatable().document(&what, &answer)?;
        let resources = document.get("resources").and_then(Value::as_array);
        let resources = resources.ok_or_else(|| self.repeatable().garbled(&what))?;
        let text =
            |resource: &Value, name: &str| resource.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        // Parts of objects have the same kind and a slash in their name.
        let found = resources.iter().find(|one| text(one, "kind") == kind && !text(one, "name").contains('/'));
        let found = found.ok_or_else(unknown)?;
        let is_namespaced = found.get("namespaced") == Some(&Value::Bool(true));
        Ok(Resource { api_version: api_version.to_owned(), plural: text(found, "name"), is_namespaced })
    }

    /// An object; none if there is none.
    pub(super) async fn object(&self, what: &str, path: &[String]) -> Result<Option<Value>, Failure> {
        let answer = self.get(path, &[]).await?;
        if answer.status == 404 && is_of_a_cluster(&answer) {
            return Ok(None);
        }
        self.repeatable().document(what, &answer).map(Some)
    }

    /// The document of an answer that must have gone well; `what` was asked.
    pub(super) fn document(&self, what: &str, answer: &Answered) -> Result<Value, Failure> {
        self.accepted(what, answer)?;
        let document = serde_json::from_slice::<Value>(&answer.content).ok().filter(Value::is_object);
        document.ok_or_else(|| self.garbled(what))
    }

    /// An answer was not what a cluster answers.
    pub(super) fn garbled(&self, what: &str) -> Failure {
        self.terms().unusable(format!(
            "the answer to {what} is none of Kubernetes; check that the connection's address is that of its API server"
        ))
    }

    /// Whether it went well; else what that means.
    pub(super) fn accepted(&self, what: &str, answer: &Answered) -> Result<(), Failure> {
        if answer.is_success() {
            return Ok(());
        }
        let said = self.said(answer);
        let permanent =
            |kind, remedy: &str| Failure::permanent(RunError::new(kind, format!("{what}: {said}; {remedy}")));
        Err(match answer.status {
            401 => permanent(
                StandardError::Authentication,
                "the cluster does not accept the token or certificate; enter a new one into the connection",
            ),
            403 => permanent(
                StandardError::Authorization,
                "the account may not do this; bind a role to it that permits it",
            ),
            status => refused(status, format!("{what}: {said}")),
        })
    }

    /// What the cluster says for itself.
    fn said(&self, answer: &Answered) -> String {
        let document = serde_json::from_slice::<Value>(&answer.content).unwrap_or_default();
        let words = document.get("message").and_then(Value::as_str).map(str::to_owned);
        let words = words.unwrap_or_else(|| String::from_utf8_lossy(&answer.content).into_owned());
        let words = excerpt(&words, self.settings.token.iter().map(Secret::expose));
        if words.is_empty() { format!("status {}", answer.status) } else { words }
    }
}

/// Whether an answer is a cluster's own, and not that of something else at the same address.
pub(super) fn is_of_a_cluster(answer: &Answered) -> bool {
    serde_json::from_slice::<Value>(&answer.content)
        .is_ok_and(|document| document.get("kind").is_some_and(|kind| kind == "Status"))
}
