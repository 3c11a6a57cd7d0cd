//! `call: http`, as the specification defines it, and connections of kind `http`.
//!
//! An endpoint `connection://NAME/path` takes address, credentials and trust from the connection NAME: the specification
//! leaves no room for a connection among the arguments, and a URI with a scheme of its own is valid everywhere.

pub(crate) mod authentication;
mod content;
pub(crate) mod exchange;
pub(crate) mod outgoing;
#[cfg(any(
    feature = "aws",
    feature = "chat",
    feature = "container",
    feature = "kubernetes",
    feature = "s3",
    feature = "ticket",
    feature = "wait-for"
))]
pub(crate) mod plain;
pub(crate) mod schema;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use domain::{Name, view::CheckStep};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::{
    CallContext, ConnectionKind, Connector, Failure, FunctionSpec, Outcome, Repetition, Request, ResolvedConnection,
    System,
    connection::Steps,
    egress::EgressPolicy,
    resource::address,
    tls::{self, TlsSettings},
};
use authentication::Credentials;
use exchange::{Clients, Shown};
use outgoing::Outgoing;

/// The scheme of endpoints that name a connection.
const CONNECTION_SCHEME: &str = "connection://";
/// Methods that may be repeated without harm (RFC 9110, section 9.2.2).
pub(crate) const REPEATABLE: [&str; 6] = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"];

pub use exchange::chain as explain;

/// A client for what the server itself sends, straight and through no proxy: it reaches what the policy permits, trusts the
/// given CA only (PEM), or the system's, and shows the given chain and key (both PEM) to services that ask for a certificate.
pub fn client(
    policy: &Arc<EgressPolicy>,
    authority: Option<&str>,
    shown: Option<(&str, &str)>,
) -> Result<reqwest::Client, Failure> {
    exchange::straight(policy, authority, shown)
}

/// Whether an address whose host is a number may be reached; the others are judged when their names are resolved.
pub fn permit(policy: &EgressPolicy, url: &Url) -> Result<(), Failure> {
    Ok(exchange::permit_literal(policy, url)?)
}

/// Calls HTTP services.
pub struct HttpConnector {
    http: Arc<Http>,
}

/// What calls by HTTP share: clients and tokens.
pub struct Http {
    policy: Arc<EgressPolicy>,
    /// For services that the system's certificates vouch for; others get a client of their own.
    clients: Clients,
    /// The same for runs of namespaces that may not reach everything: connections that are kept open are as good as reaching, so
    /// that each has its own.
    narrowed: Mutex<BTreeMap<Name, Clients>>,
    tokens: authentication::Tokens,
}

impl Http {
    /// Clients that reach what the policy permits.
    pub fn new(policy: Arc<EgressPolicy>) -> Result<Self, Failure> {
        let clients = Clients::build(&policy, None, None)?;
        Ok(Self { policy, clients, narrowed: Mutex::default(), tokens: authentication::Tokens::default() })
    }

    /// What the server itself may reach.
    #[cfg(any(feature = "container", feature = "directory"))]
    pub(crate) fn policy(&self) -> &EgressPolicy {
        &self.policy
    }

    /// Clients that reach what the policy says, or what the server itself may, that trust this CA only, or the system's, and
    /// show this certificate.
    #[cfg(feature = "git")]
    pub(crate) fn clients_that_show(
        &self,
        egress: Option<&Arc<EgressPolicy>>,
        authority: Option<&str>,
        shown: Option<(&str, &str)>,
    ) -> Result<Clients, Failure> {
        self.clients_of(egress.unwrap_or(&self.policy), authority, shown)
    }

    /// Clients for a call, that reach what its run's namespace may.
    fn clients_of(
        &self,
        egress: &Arc<EgressPolicy>,
        authority: Option<&str>,
        shown: Option<(&str, &str)>,
    ) -> Result<Clients, Failure> {
        if authority.is_some() || shown.is_some() {
            return Clients::build(egress, authority, shown);
        }
        let Some(narrowed) = &egress.narrowed else { return Ok(self.clients.clone()) };
        let mut known = self.narrowed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(clients) = known.get(&narrowed.namespace) {
            return Ok(clients.clone());
        }
        let clients = Clients::build(egress, None, None)?;
        known.insert(narrowed.namespace.clone(), clients.clone());
        Ok(clients)
    }

    /// The steps of a connection test up to where something can be asked: `settings`, `name`, `connect`, `tls`. The steps so
    /// far, or all of them if one has failed.
    pub(crate) async fn try_way(&self, url: &Url, tls: &TlsSettings) -> Result<Steps, Vec<CheckStep>> {
        let mut steps = Steps::default();
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(steps.fail("settings", "the address has no host"));
        };
        let config = match tls.config() {
            Ok(config) => config,
            Err(error) => return Err(steps.fail("settings", &error.to_string())),
        };
        steps.pass("settings", "complete");
        let Some(stream) = steps.dial(&self.policy, host, port).await else { return Err(steps.done()) };
        if url.scheme() == "https" {
            match tls::encrypt(stream, host, Arc::new(config)).await {
                Ok(_) => steps.pass("tls", "the certificate is trusted"),
                Err(error) => return Err(steps.fail("tls", &error.to_string())),
            }
        }
        Ok(steps)
    }

    /// The content at an endpoint as the specification writes it: a URI, or an object of `uri` and `authentication`.
    pub(crate) async fn content(&self, endpoint: &Value, context: &CallContext) -> Result<Vec<u8>, Failure> {
        let with = serde_json::json!({"method": "get", "endpoint": endpoint, "redirect": true});
        let outgoing = Outgoing::build(&with, None, &context.key)?;
        Ok(self.exchange(&outgoing, None, true, context)?.response(outgoing).await?.content)
    }

    /// Sends a request; `repeatable` says that it may be sent twice without harm.
    pub(crate) async fn call(
        &self,
        outgoing: Outgoing,
        tls: Option<&TlsSettings>,
        repeatable: bool,
        context: &CallContext,
    ) -> Result<Value, Failure> {
        self.exchange(&outgoing, tls, repeatable, context)?.run(outgoing).await
    }

    /// Sends a request whose answer is read for as long as it goes on.
    #[cfg(feature = "asyncapi")]
    pub(crate) async fn stream(
        &self,
        outgoing: &Outgoing,
        context: &CallContext,
    ) -> Result<exchange::Streamed, Failure> {
        self.exchange(outgoing, None, true, context)?.stream(outgoing).await
    }

    /// What these credentials show to a service that is called by another protocol. Digest authentication and certificates
    /// show nothing here.
    #[cfg(any(feature = "asyncapi", feature = "grpc", feature = "mcp"))]
    pub(crate) async fn shown(
        &self,
        credentials: Option<&Credentials>,
        context: &CallContext,
    ) -> Result<Shown, Failure> {
        let client = self.clients_of(&context.egress, None, None)?;
        let (elsewhere, plain) = (client.clone(), client.clone());
        exchange::Exchange { http: self, client, elsewhere, plain, repeatable: true, context }.shown(credentials).await
    }

    /// Forgets a kept token that a service refused: it may have been withdrawn before its time. Whether there was one, so
    /// that asking again with a new one may help.
    pub(crate) fn withdraw(&self, refused: Shown) -> bool {
        let Some((order, token)) = refused.kept else { return false };
        self.tokens.forget(&order, &token);
        true
    }

    /// The way to an endpoint for a library that speaks a protocol over HTTP by itself.
    #[cfg(feature = "mcp")]
    pub(crate) async fn way(
        &self,
        endpoint: &Value,
        headers: &serde_json::Map<String, Value>,
        connection: Option<&ResolvedConnection>,
        context: &CallContext,
    ) -> Result<Way, Failure> {
        let settings = connection.map(ResolvedConnection::settings::<Settings>).transpose()?;
        let with = serde_json::json!({"method": "post", "endpoint": endpoint, "headers": headers});
        let outgoing = Outgoing::unmarked(&with, settings.as_ref())?;
        let tls = settings.as_ref().map(|settings| &settings.tls);
        let client = self.clients_showing(&outgoing, tls, context)?.to(&outgoing.url).await?.clone();
        Ok(Way { client, url: outgoing.url, headers: outgoing.headers, credentials: outgoing.credentials })
    }

    /// Clients that also show the certificate which the request is to be sent with: the call's own, or the connection's.
    fn clients_showing(
        &self,
        outgoing: &Outgoing,
        tls: Option<&TlsSettings>,
        context: &CallContext,
    ) -> Result<Clients, Failure> {
        let shown = match &outgoing.credentials {
            Some(Credentials::Certificate(shown)) => Some((shown.certificate.as_str(), shown.key.as_str())),
            _ => tls.and_then(TlsSettings::shown),
        };
        self.clients_of(&context.egress, tls.and_then(TlsSettings::authority), shown)
    }

    fn exchange<'a>(
        &'a self,
        outgoing: &Outgoing,
        tls: Option<&TlsSettings>,
        repeatable: bool,
        context: &'a CallContext,
    ) -> Result<exchange::Exchange<'a>, Failure> {
        let client = self.clients_showing(outgoing, tls, context)?;
        let elsewhere = self.clients_of(&context.egress, tls.and_then(TlsSettings::authority), None)?;
        let plain = self.clients_of(&context.egress, None, None)?;
        Ok(exchange::Exchange { http: self, client, elsewhere, plain, repeatable, context })
    }
}

/// What a library that speaks a protocol over HTTP needs to reach a service.
#[cfg(feature = "mcp")]
pub(crate) struct Way {
    /// Reaches what the policy permits, and follows no redirects.
    pub(crate) client: reqwest::Client,
    pub(crate) url: Url,
    /// Those that the definition wrote.
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) credentials: Option<Credentials>,
}

/// Settings of a connection of kind `http`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    base_url: Url,
    #[serde(flatten)]
    tls: TlsSettings,
    username: Option<String>,
    password: Option<identity::Secret>,
    token: Option<identity::Secret>,
}

impl HttpConnector {
    /// A connector that reaches what the policy permits.
    pub fn new(policy: Arc<EgressPolicy>) -> Result<Self, Failure> {
        Ok(Self::over(Arc::new(Http::new(policy)?)))
    }

    /// A connector that shares clients and tokens with others.
    #[must_use]
    pub fn over(http: Arc<Http>) -> Self {
        Self { http }
    }

    async fn call(&self, request: &Request, context: &CallContext) -> Result<Value, Failure> {
        let settings = request.connection.as_ref().map(|connection| connection.settings::<Settings>()).transpose()?;
        let repeatable = self.repetition(request) == Repetition::Safe || request.idempotent;
        let outgoing = Outgoing::build(&request.with, settings.as_ref(), &context.key)?;
        let tls = settings.as_ref().map(|settings| &settings.tls);
        self.http.call(outgoing, tls, repeatable, context).await
    }
}

#[async_trait]
impl Connector for HttpConnector {
    fn functions(&self) -> Vec<FunctionSpec> {
        vec![FunctionSpec {
            name: "http",
            title: "Call an HTTP service",
            system: "HTTP service",
            with: schema::with(),
            output: serde_json::json!({"description": "The content, or the response, as `output` asks for."}),
            operations: Vec::new(),
            needs_connection: false,
            connection_kinds: vec!["http"],
            foresee,
        }]
    }

    fn connection_kinds(&self) -> Vec<ConnectionKind> {
        vec![ConnectionKind {
            name: "http",
            title: "HTTP service",
            summary: "An HTTP service with its address, credentials and trusted CA; called as connection://NAME/path.",
            function: "http",
            settings: schema::settings(),
        }]
    }

    fn connection_name<'a>(&self, with: &'a Value) -> Option<&'a str> {
        connection_name(with.get("endpoint")?)
    }

    fn repetition(&self, request: &Request) -> Repetition {
        let method = request.with.get("method").and_then(Value::as_str).unwrap_or_default().to_ascii_uppercase();
        if REPEATABLE.contains(&method.as_str()) { Repetition::Safe } else { Repetition::Once }
    }

    async fn execute(&self, request: &Request, context: &CallContext) -> Outcome {
        self.call(request, context).await.into()
    }

    async fn check(&self, connection: &ResolvedConnection) -> Vec<CheckStep> {
        let settings = match connection.settings::<Settings>() {
            Ok(settings) => settings,
            Err(failure) => return Steps::default().fail("settings", failure.detail()),
        };
        let mut steps = match self.http.try_way(&settings.base_url, &settings.tls).await {
            Ok(steps) => steps,
            Err(failed) => return failed,
        };
        let clients = self.http.clients_of(&self.http.policy, settings.tls.authority(), settings.tls.shown());
        let clients = match clients {
            Ok(clients) => clients,
            Err(failure) => return steps.fail("settings", failure.detail()),
        };
        match exchange::first_answer(&clients, &settings).await {
            Ok(status @ (401 | 403)) => {
                steps.fail("sign-in", &format!("the service refused the credentials ({status}); enter others"))
            }
            Ok(status) => {
                steps.pass("sign-in", &format!("the service answered with status {status}"));
                steps.done()
            }
            Err(failure) => steps.fail("sign-in", failure.detail()),
        }
    }

    fn describe(&self, with: &Value) -> System {
        System { title: "HTTP service".to_owned(), target: with.get("endpoint").map(target).unwrap_or_default() }
    }
}

fn foresee(with: &Value) -> Option<String> {
    let method = with.get("method").and_then(Value::as_str)?.to_ascii_uppercase();
    Some(format!("{method} {}", address(with.get("endpoint")?)?))
}

/// The connection that an endpoint names.
pub(crate) fn connection_name(endpoint: &Value) -> Option<&str> {
    let rest = address(endpoint)?.strip_prefix(CONNECTION_SCHEME)?;
    rest.split(['/', '?', '#']).next().filter(|name| !name.is_empty())
}

/// The system at an endpoint, for people: a connection or a host; empty if an expression decides.
pub(crate) fn target(endpoint: &Value) -> String {
    let target = connection_name(endpoint).map(str::to_owned).or_else(|| {
        let text = address(endpoint).filter(|text| !text.trim_start().starts_with("${"))?;
        Url::parse(text).ok().and_then(|url| url.host_str().map(str::to_owned))
    });
    target.unwrap_or_default()
}
