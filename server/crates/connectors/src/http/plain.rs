//! One request and its one answer, whatever its status: for protocols whose answers say more than their status does. Whoever
//! asks has put the credentials into the headers, and follows no redirect.

use std::{path::Path, sync::Arc, time::Duration};

use reqwest::{
    Method,
    header::{HeaderMap, HeaderName},
};
use rustls::AlertDescription;
use url::{Host, Url};
use workflow::{RunError, StandardError};

use super::{
    Http,
    exchange::{ANSWER_LIMIT, by_socket, encryption_failure, failed, read_content},
    outgoing::header_value,
};
use crate::{
    CallContext, Failure,
    egress::{CONNECT_LIMIT, EgressPolicy},
    tls::TlsSettings,
};

/// So much of what a service says for itself stands in an error.
const EXCERPT: usize = 300;

/// How long an answer may take while somebody looks for what has come.
#[cfg(feature = "s3")]
const LOOK_LIMIT: Duration = Duration::from_secs(20);

/// A request that is ready to be sent.
pub(crate) struct Plain {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// An answer.
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) content: Vec<u8>,
}

/// On which terms something is asked.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'a> {
    /// What may be reached; none: what the server itself may.
    pub(crate) egress: Option<&'a Arc<EgressPolicy>>,
    /// How it is encrypted; none: as the system has it.
    pub(crate) tls: Option<&'a TlsSettings>,
    /// A socket of this machine that leads there, whatever the address says. Whoever asks has judged it.
    pub(crate) socket: Option<&'a Path>,
    /// Whether it may be asked twice without harm.
    pub(crate) repeatable: bool,
    /// How long the answer may take.
    pub(crate) limit: Duration,
}

impl Plain {
    pub(crate) fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: Vec::new() }
    }

    /// With a header. Line breaks cannot get in.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Result<Self, Failure> {
        let parsed = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| Failure::configuration(format!("“{name}” is not a header name")))?;
        self.headers.insert(parsed, header_value(name, value)?);
        Ok(self)
    }

    pub(crate) fn body(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }
}

impl Answered {
    /// A header's text; none if there is none.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl<'a> Terms<'a> {
    /// The terms of a call.
    pub(crate) fn of(context: &'a CallContext, tls: &'a TlsSettings, repeatable: bool) -> Self {
        let limit = if context.deadline.is_some() { context.limit() } else { ANSWER_LIMIT };
        Self { egress: Some(&context.egress), tls: Some(tls), socket: None, repeatable, limit }
    }

    /// The terms of a connection test.
    pub(crate) fn of_check(tls: &'a TlsSettings) -> Self {
        Self { egress: None, tls: Some(tls), socket: None, repeatable: true, limit: CONNECT_LIMIT }
    }

    /// The terms of looking for what has come.
    #[cfg(feature = "s3")]
    pub(crate) fn of_look(egress: &'a Arc<EgressPolicy>, tls: &'a TlsSettings) -> Self {
        Self { egress: Some(egress), tls: Some(tls), socket: None, repeatable: true, limit: LOOK_LIMIT }
    }

    /// It may have happened: nothing is known of it.
    pub(crate) fn after_sending(&self, error: RunError) -> Failure {
        if self.repeatable { Failure::lost(error) } else { Failure::unknown(error) }
    }

    /// It was answered, as having happened, with what cannot be used. What only reads has failed for good by that; of what
    /// changes something, only a person can say what became of it.
    pub(crate) fn unusable(&self, detail: impl Into<String>) -> Failure {
        let error = RunError::communication(502, detail);
        if self.repeatable { Failure::permanent(error) } else { Failure::unknown(error) }
    }
}

impl Http {
    /// Asks, and takes the answer in.
    pub(crate) async fn ask(&self, plain: Plain, terms: &Terms<'_>) -> Result<Answered, Failure> {
        let host = plain.url.host_str().unwrap_or_default().to_owned();
        let asked = async {
            let (answer, answered) = self.begin(plain, terms).await?;
            let broken = |error: reqwest::Error| explained(&host, &error, terms);
            let too_large = |words: String| terms.unusable(format!("{words}; ask for less at once"));
            let content = read_content(answer, broken, too_large).await?;
            Ok(Answered { content, ..answered })
        };
        within(asked, &host, terms).await
    }

    /// Asks, and hands on what a good answer says as it comes, however much that is. What another one says is taken in.
    #[cfg(feature = "container")]
    pub(crate) async fn ask_at_length(
        &self,
        plain: Plain,
        terms: &Terms<'_>,
        mut take: impl FnMut(&[u8]) + Send,
    ) -> Result<Answered, Failure> {
        let host = plain.url.host_str().unwrap_or_default().to_owned();
        let asked = async {
            let (mut answer, answered) = self.begin(plain, terms).await?;
            let broken = |error: reqwest::Error| explained(&host, &error, terms);
            if !answered.is_success() {
                let too_large = |words: String| terms.unusable(words);
                let content = read_content(answer, broken, too_large).await?;
                return Ok(Answered { content, ..answered });
            }
            while let Some(chunk) = answer.chunk().await.map_err(broken)? {
                take(&chunk);
            }
            Ok(answered)
        };
        within(asked, &host, terms).await
    }

    /// An answer as far as its headers.
    async fn begin(&self, plain: Plain, terms: &Terms<'_>) -> Result<(reqwest::Response, Answered), Failure> {
        let client = match terms.socket {
            Some(path) => by_socket(path)?,
            None => {
                let (authority, shown) = terms.tls.map_or((None, None), |tls| (tls.authority(), tls.shown()));
                let clients = self.clients_of(terms.egress.unwrap_or(&self.policy), authority, shown)?;
                clients.to(&plain.url).await?.clone()
            }
        };
        let host = plain.url.host_str().unwrap_or_default().to_owned();
        let request = client.request(plain.method, plain.url).headers(plain.headers).body(plain.body);
        let answer = request.send().await.map_err(|error| explained(&host, &error, terms))?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok((answer, Answered { status, headers, content: Vec::new() }))
    }
}

/// What is asked, as long as it takes no longer than it may.
async fn within(
    asked: impl Future<Output = Result<Answered, Failure>>,
    host: &str,
    terms: &Terms<'_>,
) -> Result<Answered, Failure> {
    match tokio::time::timeout(terms.limit, asked).await {
        Ok(answered) => answered,
        Err(_) => Err(terms.after_sending(RunError::new(
            StandardError::Timeout,
            format!(
                "no complete answer of {host} within {} seconds; look there whether it was done, or give the task more \
                 time",
                terms.limit.as_secs()
            ),
        ))),
    }
}

/// Whether nobody on the way can read what is sent to this address: it is encrypted, or stays on this machine.
#[cfg(any(feature = "container", feature = "kubernetes"))]
pub(crate) fn is_unread(url: &Url) -> bool {
    let is_near = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "https" || is_near && url.scheme() == "http"
}

/// The beginning of a text from elsewhere, on one line, without the secrets that it may repeat.
pub(crate) fn excerpt<'a>(text: &str, secrets: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = text.to_owned();
    for secret in secrets.into_iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, "…");
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(EXCERPT).collect::<String>().trim().to_owned()
}

/// What a failure of the client means, with what to do about it.
fn explained(host: &str, error: &reqwest::Error, terms: &Terms<'_>) -> Failure {
    // A server reads nothing before it has looked at the certificate, though it may say so only afterwards.
    if let Some(rustls::Error::AlertReceived(alert)) = encryption_failure(error)
        && is_about_certificates(*alert)
    {
        let words = if terms.tls.and_then(TlsSettings::shown).is_some() {
            "does not accept the client certificate; enter one into the connection that it trusts"
        } else {
            "refuses the encrypted connection; it may ask for a client certificate: enter one into the connection"
        };
        let detail = format!("{host} {words} (TLS alert {alert:?})");
        return Failure::permanent(RunError::new(StandardError::Authentication, detail));
    }
    failed(error, |error| terms.after_sending(error))
}

fn is_about_certificates(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
    )
}
