//! A witness of the log, and what it answers.

use std::sync::Arc;

use connectors::{egress::EgressPolicy, http};
use ledger::{
    cosignature::WitnessKey,
    witnessing::{Request, number},
};
use reqwest::{Client, Response, StatusCode, header::CONTENT_TYPE};
use url::Url;

use crate::{
    Trust, Undelivered,
    sink::http::{client, excerpt},
};

/// The most bytes of an answer that are read: a line for each of its keys.
const LARGEST_ANSWER: usize = 64 << 10;

/// A witness of the log, as it is configured.
#[derive(Clone, Debug)]
pub struct Witness {
    /// Its name, under which what it has cosigned last is kept.
    pub name: String,
    /// What its address begins with.
    pub url: Url,
    /// The key that tells its cosignatures.
    pub key: WitnessKey,
    /// Whom to trust.
    pub trust: Trust,
}

impl Witness {
    /// Where it is, without anything that is secret.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}{}", self.url.origin().ascii_serialization(), self.url.path().trim_end_matches('/'))
    }
}

/// What a witness says to a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Lines of cosignatures.
    Lines(String),
    /// It has cosigned the log at this size.
    Size(u64),
    /// The log has not grown from what it has cosigned.
    Inconsistent,
}

/// The way to a witness.
pub(crate) struct Line {
    client: Client,
    egress: Arc<EgressPolicy>,
    url: Url,
}

impl Line {
    pub(crate) fn to(witness: &Witness) -> Result<Self, Undelivered> {
        // What the administrators of the server name in its configuration is not bound by what workflows may reach.
        let egress = Arc::new(EgressPolicy::default());
        let mut url = witness.url.clone();
        url.set_path(&format!("{}/add-checkpoint", witness.url.path().trim_end_matches('/')));
        Ok(Self { client: client(&egress, &witness.trust)?, egress, url })
    }

    pub(crate) async fn ask(&self, request: &Request) -> Result<Answer, Undelivered> {
        http::permit(&self.egress, &self.url).map_err(|failure| Undelivered::Refused(failure.detail().to_owned()))?;
        let sent = self.client.post(self.url.clone()).header(CONTENT_TYPE, "text/plain; charset=utf-8");
        let answer = sent.body(request.write()).send().await;
        let answer = answer.map_err(|error| Undelivered::Refused(http::explain(&error)))?;
        let status = answer.status();
        let is_size = answer.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes() == b"text/x.tlog.size");
        match status {
            StatusCode::OK => Ok(Answer::Lines(text(answer).await?)),
            StatusCode::CONFLICT if is_size => {
                let text = text(answer).await?;
                let size = number(text.trim_end_matches('\n'));
                Ok(Answer::Size(size.ok_or_else(|| Undelivered::Refused("the witness told no size".to_owned()))?))
            }
            StatusCode::UNPROCESSABLE_ENTITY => Ok(Answer::Inconsistent),
            _ => Err(Undelivered::Refused(format!("the witness answered {status}{}", excerpt(answer).await))),
        }
    }
}

async fn text(mut answer: Response) -> Result<String, Undelivered> {
    let mut said = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(|error| Undelivered::Refused(http::explain(&error)))? {
        said.extend_from_slice(&piece);
        if said.len() > LARGEST_ANSWER {
            return Err(Undelivered::Refused("the witness answered more than a witness does".to_owned()));
        }
    }
    String::from_utf8(said).map_err(|_| Undelivered::Refused("the witness answered no text".to_owned()))
}
