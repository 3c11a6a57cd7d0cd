//! POST of a parcel at a time; any status of success confirms it.

use std::sync::Arc;

use async_trait::async_trait;
use connectors::{egress::EgressPolicy, http};
use identity::Secret;
use reqwest::{
    Client,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
};
use url::Url;

use super::{Sink, Undelivered};
use crate::{Format, Parcel, Trust};

/// So much of what a receiver answers stands in the failure.
const EXCERPT: usize = 200;

pub(super) struct HttpSink {
    client: Client,
    egress: Arc<EgressPolicy>,
    url: Url,
    header: Option<(HeaderName, HeaderValue)>,
    format: Format,
}

impl HttpSink {
    pub(super) fn new(
        url: Url,
        trust: &Trust,
        header: Option<&(String, Secret)>,
        format: Format,
        egress: Arc<EgressPolicy>,
    ) -> Result<Self, Undelivered> {
        let header = header.map(|(name, value)| sensitive(name, value)).transpose()?;
        Ok(Self { client: client(&egress, trust)?, egress, url, header, format })
    }

    fn body(&self, log: &str, parcel: &Parcel) -> (&'static str, String) {
        match self.format {
            Format::Rondo => ("application/jsonl", self.format.lines(log, parcel)),
            Format::CloudEvents => ("application/cloudevents-batch+json", self.array(log, parcel)),
            Format::Ocsf => ("application/json", self.array(log, parcel)),
        }
    }

    fn array(&self, log: &str, parcel: &Parcel) -> String {
        format!("[{}]", self.format.write(log, parcel).join(","))
    }
}

#[async_trait]
impl Sink for HttpSink {
    async fn deliver(&mut self, log: &str, parcel: &Parcel) -> Result<(), Undelivered> {
        let (content_type, body) = self.body(log, parcel);
        let (first, last) = parcel.range();
        let mut request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, content_type)
            .header("idempotency-key", format!("\"{log}/{}/{first}-{last}\"", parcel.what()))
            .body(body);
        if let Some((name, value)) = &self.header {
            request = request.header(name, value);
        }
        send(&self.egress, &self.url, request).await
    }
}

/// A client that reaches what the policy permits, and trusts whom it is told to.
pub(crate) fn client(egress: &Arc<EgressPolicy>, trust: &Trust) -> Result<Client, Undelivered> {
    let client = http::client(egress, trust.authority.as_deref(), trust.shown());
    client.map_err(|failure| Undelivered::Settings(failure.detail().to_owned()))
}

/// Sends a request that is confirmed by a status of success.
pub(super) async fn send(
    egress: &EgressPolicy,
    url: &Url,
    request: reqwest::RequestBuilder,
) -> Result<(), Undelivered> {
    http::permit(egress, url).map_err(|failure| Undelivered::Refused(failure.detail().to_owned()))?;
    let answer = request.send().await.map_err(|error| Undelivered::Refused(http::explain(&error)))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    Err(Undelivered::Refused(format!("the receiver answered {status}{}", excerpt(answer).await)))
}

/// The beginning of what was answered, for people, in one line.
pub(crate) async fn excerpt(mut answer: reqwest::Response) -> String {
    let mut said = Vec::new();
    while let Ok(Some(piece)) = answer.chunk().await {
        said.extend_from_slice(&piece);
        if said.len() >= EXCERPT * 4 {
            break;
        }
    }
    let text = String::from_utf8_lossy(&said);
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(EXCERPT).collect();
    if line.is_empty() { line } else { format!(": {line}") }
}

fn sensitive(name: &str, value: &Secret) -> Result<(HeaderName, HeaderValue), Undelivered> {
    let name = name
        .parse::<HeaderName>()
        .map_err(|_| Undelivered::Settings(format!("{name} is not the name of a header of HTTP")))?;
    let mut value = HeaderValue::from_str(value.expose()).map_err(|_| {
        Undelivered::Settings(format!("the secret for the header {name} holds what no header may hold"))
    })?;
    value.set_sensitive(true);
    Ok((name, value))
}
