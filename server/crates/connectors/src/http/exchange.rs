//! Sending a request, following redirects, and telling what is certain when it fails.

use std::{error::Error as _, io, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use identity::Secret;
use reqwest::{
    Client, ClientBuilder, Method, RequestBuilder, Response as Answer,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{ACCEPT, ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, USER_AGENT},
    redirect::Policy,
};
use serde_json::Value;
use url::{Host, Url};
use workflow::{RunError, StandardError};

use super::{
    Http, Settings,
    authentication::{Credentials, TokenOrder},
    content::Response,
    outgoing::{Outgoing, stored_authorization},
};
use crate::{
    CallContext, Failure,
    egress::{CONNECT_LIMIT, DialError, EgressPolicy, EgressRefused, Proxy, Route},
    tls,
};

/// The largest content that is taken in.
pub(crate) const CONTENT_LIMIT: usize = 5 * 1024 * 1024;
/// How many redirects are followed.
const REDIRECT_LIMIT: usize = 5;
/// How long an answer may take, if the task has no timeout of its own.
pub(super) const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// Statuses below 500 that say "later".
const LATER: [u16; 2] = [408, 429];

/// Clients that reach what the policy permits, trust the given CA only, or the system's, and show the given certificate to
/// services that ask for one.
#[derive(Clone)]
pub(crate) struct Clients {
    policy: Arc<EgressPolicy>,
    straight: Client,
    /// For what is reached through the proxy.
    proxied: Option<Client>,
}

impl Clients {
    pub(super) fn build(
        policy: &Arc<EgressPolicy>,
        authority: Option<&str>,
        shown: Option<(&str, &str)>,
    ) -> Result<Self, Failure> {
        let proxied = policy.proxy.as_ref().map(|proxy| proxied(proxy, authority, shown)).transpose()?;
        Ok(Self { policy: Arc::clone(policy), straight: straight(policy, authority, shown)?, proxied })
    }

    /// The one for this address, if that may be reached.
    pub(crate) async fn to(&self, url: &Url) -> Result<&Client, DialError> {
        if let (Some(proxied), Some(host), Some(port)) = (&self.proxied, url.host_str(), url.port_or_known_default())
            && let Route::Through(_) = self.policy.route(host, port).await?
        {
            return Ok(proxied);
        }
        // Names are judged as they are resolved; addresses written as numbers never reach the resolver.
        permit_literal(&self.policy, url)?;
        Ok(&self.straight)
    }
}

/// A client that goes through no proxy.
pub(super) fn straight(
    policy: &Arc<EgressPolicy>,
    authority: Option<&str>,
    shown: Option<(&str, &str)>,
) -> Result<Client, Failure> {
    // The proxy of the environment is none of the configuration's.
    finished(builder(authority, shown)?.no_proxy().dns_resolver(Arc::new(GuardedResolver(Arc::clone(policy)))))
}

/// A client of what listens at a socket of this machine.
#[cfg(any(
    feature = "aws",
    feature = "chat",
    feature = "container",
    feature = "kubernetes",
    feature = "s3",
    feature = "ticket",
    feature = "wait-for"
))]
pub(super) fn by_socket(path: &std::path::Path) -> Result<Client, Failure> {
    finished(builder(None, None)?.unix_socket(path))
}

/// A client that goes through this proxy, for what was judged before.
fn proxied(proxy: &Proxy, authority: Option<&str>, shown: Option<(&str, &str)>) -> Result<Client, Failure> {
    let wrong = |_| Failure::configuration(format!("the proxy {proxy} has no address that can be used"));
    let mut way = reqwest::Proxy::all(format!("http://{proxy}")).map_err(wrong)?;
    if let Some((user, password)) = &proxy.credentials {
        way = way.basic_auth(user, password.expose());
    }
    finished(builder(authority, shown)?.proxy(way))
}

fn builder(authority: Option<&str>, shown: Option<(&str, &str)>) -> Result<ClientBuilder, Failure> {
    let mut tls =
        tls::client_config_showing(authority, shown).map_err(|error| Failure::configuration(error.to_string()))?;
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_LIMIT)
        .referer(false)
        .user_agent(concat!("rondo/", env!("CARGO_PKG_VERSION"))))
}

fn finished(builder: ClientBuilder) -> Result<Client, Failure> {
    builder
        .build()
        .map_err(|error| Failure::configuration(format!("the HTTP client cannot be set up: {}", chain(&error))))
}

/// Resolves names to permitted addresses only.
struct GuardedResolver(Arc<EgressPolicy>);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = Arc::clone(&self.0);
        let resolved: BoxFuture<'static, _> = Box::pin(async move {
            let addresses = policy.resolve(name.as_str(), 0).await?;
            Ok::<Addrs, Box<dyn std::error::Error + Send + Sync>>(Box::new(addresses.into_iter()))
        });
        resolved
    }
}

/// The status of a GET of a connection's address with its credentials.
pub(super) async fn first_answer(clients: &Clients, settings: &Settings) -> Result<u16, Failure> {
    let client = clients.to(&settings.base_url).await?;
    let mut request = client.get(settings.base_url.clone()).timeout(CONNECT_LIMIT);
    if let Some(value) = stored_authorization(settings)? {
        request = request.header(AUTHORIZATION, value);
    }
    let answer = request.send().await.map_err(|error| Failure::unreachable(chain(&error)))?;
    Ok(answer.status().as_u16())
}

/// An answer whose content is still coming.
#[cfg(feature = "asyncapi")]
pub(crate) struct Streamed(Answer);

#[cfg(feature = "asyncapi")]
impl Streamed {
    /// The media type of the content, without parameters, in lower case.
    pub(crate) fn media_type(&self) -> String {
        let given = self.0.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// The next piece of the content; none at its end.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let chunk = self.0.chunk().await.map_err(|error| Failure::unreachable(chain(&error)))?;
        Ok(chunk.map(Vec::from))
    }
}

/// What a request shows of its credentials.
pub(crate) struct Shown {
    /// The value of `Authorization`.
    pub(crate) header: Option<HeaderValue>,
    /// A token that was issued for an earlier call, and what it was asked for with.
    pub(super) kept: Option<(Box<TokenOrder>, Secret)>,
}

/// One call, with all its redirects.
pub(super) struct Exchange<'a> {
    pub(super) http: &'a Http,
    /// For the call itself.
    pub(super) client: Clients,
    /// For other origins that a redirect leads to: it shows no certificate.
    pub(super) elsewhere: Clients,
    /// For what is asked of others on the way.
    pub(super) plain: Clients,
    /// Whether the request may be sent twice without harm.
    pub(super) repeatable: bool,
    pub(super) context: &'a CallContext,
}

impl Exchange<'_> {
    pub(super) async fn run(&self, outgoing: Outgoing) -> Result<Value, Failure> {
        let output = outgoing.output;
        let response = self.response(outgoing).await?;
        let status = response.status;
        response.into_output(output).map_err(|words| self.unusable(status, words))
    }

    /// The response, if its status is none that is an error.
    pub(super) async fn response(&self, outgoing: Outgoing) -> Result<Response, Failure> {
        let limit = match self.context.deadline {
            Some(_) => self.context.limit(),
            None => ANSWER_LIMIT,
        };
        let redirect = outgoing.redirect;
        match tokio::time::timeout(limit, self.follow(outgoing)).await {
            Ok(response) => {
                let response = response?;
                let accepted = if redirect { 200..400 } else { 200..300 };
                if accepted.contains(&response.status) { Ok(response) } else { Err(refusal(&response)) }
            }
            Err(_) => Err(self.after_sending(RunError::new(
                StandardError::Timeout,
                format!(
                    "no complete answer within {} seconds; look there whether it was done, or give the task more time",
                    limit.as_secs()
                ),
            ))),
        }
    }

    async fn follow(&self, mut next: Outgoing) -> Result<Response, Failure> {
        let mut hops = 0;
        loop {
            let response = self.send_authenticated(&next).await?;
            let Some(location) = redirect_target(&response).filter(|_| next.redirect && hops < REDIRECT_LIMIT) else {
                return Ok(response);
            };
            hops += 1;
            next = redirected(next, response.status, location);
        }
    }

    /// Sends the request with its credentials. A service that refuses them is asked again where that may help.
    async fn send_authenticated(&self, outgoing: &Outgoing) -> Result<Response, Failure> {
        if let Some(Credentials::Digest(login)) = &outgoing.credentials {
            let challenge = self.send(outgoing, None).await?;
            if challenge.status != 401 {
                return Ok(challenge);
            }
            return match login.answer(&challenge.headers, outgoing, self.context)? {
                Some(header) => self.send(outgoing, Some(header)).await,
                None => Ok(challenge),
            };
        }
        let shown = self.shown(outgoing.credentials.as_ref()).await?;
        let response = self.send(outgoing, shown.header.clone()).await?;
        if response.status != 401 || !self.http.withdraw(shown) {
            return Ok(response);
        }
        let shown = self.shown(outgoing.credentials.as_ref()).await?;
        self.send(outgoing, shown.header).await
    }

    /// What these credentials show before anything is sent; a token is asked for where none is kept.
    pub(super) async fn shown(&self, credentials: Option<&Credentials>) -> Result<Shown, Failure> {
        Ok(match credentials {
            None | Some(Credentials::Certificate(_) | Credentials::Digest(_)) => Shown { header: None, kept: None },
            Some(Credentials::Header(header)) => Shown { header: Some(header.clone()), kept: None },
            Some(Credentials::Token(order)) => {
                let (token, kept) = order.token(self).await?;
                let header = Some(TokenOrder::header(&token)?);
                Shown { header, kept: kept.then(|| (order.clone(), token)) }
            }
        })
    }

    async fn send(&self, outgoing: &Outgoing, authorization: Option<HeaderValue>) -> Result<Response, Failure> {
        let answer = self.request(outgoing, authorization).await?;
        self.take_in(outgoing, answer).await
    }

    /// The answer as far as its headers.
    async fn request(&self, outgoing: &Outgoing, authorization: Option<HeaderValue>) -> Result<Answer, Failure> {
        let clients = if outgoing.away { &self.elsewhere } else { &self.client };
        let client = clients.to(&outgoing.url).await?;
        let mut request =
            client.request(outgoing.method.clone(), outgoing.url.clone()).headers(outgoing.headers.clone());
        if let Some(value) = authorization {
            request = request.header(AUTHORIZATION, value);
        }
        if let Some(body) = &outgoing.body {
            request = request.body(body.clone());
        }
        request.send().await.map_err(|error| self.failed(&error))
    }

    async fn take_in(&self, outgoing: &Outgoing, answer: Answer) -> Result<Response, Failure> {
        let status = answer.status().as_u16();
        let headers = answer.headers().clone();
        let too_large = |words: String| self.unusable(status, format!("{words}; ask for less at once"));
        let content = read_content(answer, |error| self.failed(&error), too_large).await?;
        let shown = without_query(&outgoing.url);
        self.context.info(format!("{} {shown}: status {status}, {} bytes", outgoing.method, content.len()));
        Ok(Response {
            method: outgoing.method.as_str().to_owned(),
            url: outgoing.url.clone(),
            request_headers: outgoing.headers.clone(),
            status,
            headers,
            content,
        })
    }

    /// The answer as it begins, to be read for as long as it goes on. Redirects are not followed.
    #[cfg(feature = "asyncapi")]
    pub(super) async fn stream(&self, outgoing: &Outgoing) -> Result<Streamed, Failure> {
        let begun = async {
            let shown = self.shown(outgoing.credentials.as_ref()).await?;
            let mut answer = self.request(outgoing, shown.header.clone()).await?;
            if answer.status().as_u16() == 401 && self.http.withdraw(shown) {
                let shown = self.shown(outgoing.credentials.as_ref()).await?;
                answer = self.request(outgoing, shown.header).await?;
            }
            if answer.status().is_success() { Ok(answer) } else { Err(refusal(&self.take_in(outgoing, answer).await?)) }
        };
        match tokio::time::timeout(ANSWER_LIMIT, begun).await {
            Ok(answer) => answer.map(Streamed),
            Err(_) => Err(self.after_sending(RunError::new(
                StandardError::Timeout,
                format!("no answer within {} seconds", ANSWER_LIMIT.as_secs()),
            ))),
        }
    }

    /// Gets a document that the call needs. Nothing of the call itself has been sent when this fails.
    pub(super) async fn fetch(&self, url: Url) -> Result<(u16, Vec<u8>), Failure> {
        let client = self.plain.to(&url).await?;
        self.ask(client.get(url).header(ACCEPT, "application/json")).await
    }

    /// Asks an authorization server. Nothing of the call itself has been sent when this fails.
    pub(super) async fn post(
        &self,
        url: Url,
        content_type: &'static str,
        body: Vec<u8>,
        authorization: Option<HeaderValue>,
    ) -> Result<(u16, Vec<u8>), Failure> {
        let client = self.plain.to(&url).await?;
        let mut request = client.post(url).header(ACCEPT, "application/json").body(body);
        request = request.header(CONTENT_TYPE, content_type);
        if let Some(value) = authorization {
            request = request.header(AUTHORIZATION, value);
        }
        self.ask(request).await
    }

    async fn ask(&self, request: RequestBuilder) -> Result<(u16, Vec<u8>), Failure> {
        let broken = |error: &reqwest::Error| match refused_by_policy(error) {
            Some(refused) => refused.clone().into(),
            None => Failure::unreachable(chain(error)),
        };
        let answer = request.send().await.map_err(|error| broken(&error))?;
        let status = answer.status().as_u16();
        let content = read_content(answer, |error| broken(&error), unwelcome).await?;
        Ok((status, content))
    }

    fn failed(&self, error: &reqwest::Error) -> Failure {
        failed(error, |error| self.after_sending(error))
    }

    fn after_sending(&self, error: RunError) -> Failure {
        if self.repeatable { Failure::lost(error) } else { Failure::unknown(error) }
    }

    /// It was answered with what cannot be used. Of what may not be repeated, only a status that says no tells that nothing
    /// was done.
    fn unusable(&self, status: u16, words: String) -> Failure {
        if status >= 400 {
            return refused(status, format!("the service answered with status {status}, and {words}"));
        }
        let error = RunError::communication(502, words);
        if self.repeatable { Failure::permanent(error) } else { Failure::unknown(error) }
    }
}

/// Addresses written as numbers never reach the resolver.
pub(super) fn permit_literal(policy: &EgressPolicy, url: &Url) -> Result<(), DialError> {
    let address = match url.host() {
        Some(Host::Ipv4(v4)) => v4.into(),
        Some(Host::Ipv6(v6)) => v6.into(),
        _ => return Ok(()),
    };
    policy.permit(address).map_err(DialError::Refused)
}

/// What a failure of the client means; `after_sending` makes the one of a request that may have arrived.
pub(crate) fn failed(error: &reqwest::Error, after_sending: impl FnOnce(RunError) -> Failure) -> Failure {
    if let Some(refused) = refused_by_policy(error) {
        return refused.clone().into();
    }
    let words = chain(error);
    if error.is_builder() {
        Failure::configuration(words)
    } else if error.is_connect() {
        Failure::unreachable(unreached(error, words))
    } else {
        after_sending(RunError::communication(503, words))
    }
}

/// What to do where there is no connection. Encryption says so by itself.
fn unreached(error: &reqwest::Error, words: String) -> String {
    if encryption_failure(error).is_some() {
        return words;
    }
    let host = error.url().and_then(Url::host_str).unwrap_or("the service");
    format!("{host} cannot be reached: {words}; compare the address, and see whether the service runs")
}

/// The content of an answer, as long as it is not too large.
pub(super) async fn read_content(
    mut answer: Answer,
    broken: impl Fn(reqwest::Error) -> Failure,
    too_large: impl Fn(String) -> Failure,
) -> Result<Vec<u8>, Failure> {
    let too_large = || too_large(format!("the answer is larger than {} MiB", CONTENT_LIMIT >> 20));
    if answer.content_length().is_some_and(|length| length > CONTENT_LIMIT as u64) {
        return Err(too_large());
    }
    let mut content = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(&broken)? {
        if content.len() + chunk.len() > CONTENT_LIMIT {
            return Err(too_large());
        }
        content.extend_from_slice(&chunk);
    }
    Ok(content)
}

/// What an answer that is not taken in raises.
fn unwelcome(words: String) -> Failure {
    Failure::refused(502, words)
}

/// What a status outside the accepted ones raises.
fn refusal(response: &Response) -> Failure {
    const EXCERPT: usize = 300;
    let text = String::from_utf8_lossy(&response.content);
    let excerpt: String = text.chars().filter(|c| !c.is_control()).take(EXCERPT).collect();
    let said = if excerpt.is_empty() { String::new() } else { format!(": {excerpt}") };
    let shown = without_query(&response.url);
    let remedy = match response.status {
        401 => "; enter other credentials",
        403 => "; have it permitted there",
        _ => "",
    };
    let detail = format!("{} {shown} answered with status {}{said}{remedy}", response.method, response.status);
    refused(response.status, detail)
}

/// The service answered with a status that says no: for good, or for now.
pub(crate) fn refused(status: u16, detail: String) -> Failure {
    let error = RunError::communication(status, detail);
    if status >= 500 || LATER.contains(&status) { Failure::retryable(error) } else { Failure::permanent(error) }
}

fn redirect_target(response: &Response) -> Option<Url> {
    if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers.get(LOCATION)?.to_str().ok()?;
    response.url.join(location).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
}

/// The next request: 303 (and 301, 302 after POST, as every client does) asks with GET; another origin gets no
/// credentials, nor anything else that the definition did not write for it.
fn redirected(mut request: Outgoing, status: u16, location: Url) -> Outgoing {
    let to_get = match status {
        303 => request.method != Method::HEAD,
        301 | 302 => request.method == Method::POST,
        _ => false,
    };
    if to_get {
        request.method = Method::GET;
        request.body = None;
        request.headers.remove(CONTENT_TYPE);
        request.headers.remove("idempotency-key");
    }
    if location.origin() != request.url.origin() {
        let mut kept = HeaderMap::new();
        for name in [ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, USER_AGENT] {
            if let Some(value) = request.headers.remove(&name) {
                kept.insert(name, value);
            }
        }
        request.headers = kept;
        request.credentials = None;
        request.away = true;
    }
    request.url = location;
    // Credentials in a redirect's address are the redirecting service's idea, not the definition's.
    let _ = request.url.set_username("");
    let _ = request.url.set_password(None);
    request
}

/// An address as it may stand in logs: queries can hold keys.
fn without_query(url: &Url) -> String {
    let mut shown = url.clone();
    shown.set_query(None);
    shown.set_fragment(None);
    shown.to_string()
}

/// The address that may not be reached, if that is the cause.
pub(crate) fn refused_by_policy(error: &reqwest::Error) -> Option<&EgressRefused> {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(DialError::Refused(refused)) = inner.downcast_ref::<DialError>() {
            return Some(refused);
        }
        source = inner.source();
    }
    None
}

/// Why there is no encryption, if that is the cause.
pub(crate) fn encryption_failure(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(cause) = inner.downcast_ref::<rustls::Error>() {
            return Some(cause);
        }
        // The source of such an error is that of what it wraps, and not what it wraps.
        source = match inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => inner.source(),
        };
    }
    None
}

/// What went wrong without the address (it may hold a key), down to the cause.
pub fn chain(error: &reqwest::Error) -> String {
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else if error.is_body() || error.is_decode() {
        "the connection broke while the answer came in"
    } else {
        "the connection broke"
    };
    let mut cause = encryption_failure(error).map(tls::explain);
    let mut source = error.source().filter(|_| cause.is_none());
    while let Some(inner) = source {
        cause = Some(inner.to_string());
        source = inner.source();
    }
    cause.map_or_else(|| what.to_owned(), |cause| format!("{what}: {cause}"))
}
