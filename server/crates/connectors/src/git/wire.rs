//! Requests to a repository, and the packets of their answers as they come in.

use gix_packetline::{PacketLineRef, decode::Stream};
use reqwest::{
    Client, RequestBuilder, Response as Answer, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION, USER_AGENT},
};
use url::Url;

use super::{Credentials, GitError, Limit, Reach};
use crate::{
    egress::DialError,
    http::{authentication::basic_header, exchange},
    tls,
};

const REFERENCES: &str = "/info/refs";
const SERVICE: &str = "git-upload-pack";
/// How many redirects on the same server are followed: some send to the same path with `.git` appended.
const REDIRECT_LIMIT: usize = 3;
/// Servers tell Git's clients from browsers by the beginning of this.
const AGENT: &str = concat!("git/rondo-", env!("CARGO_PKG_VERSION"));

/// A repository elsewhere, and how much may still be received from it.
pub(super) struct Remote {
    client: Client,
    url: Url,
    authorization: Option<HeaderValue>,
    allowance: Allowance,
}

struct Allowance {
    left: u64,
    limit: u64,
}

impl Allowance {
    fn spend(&mut self, bytes: usize) -> Result<(), GitError> {
        let left = self.left.checked_sub(bytes as u64);
        self.left = left.ok_or(GitError::TooLarge { limit: Limit::Received(self.limit) })?;
        Ok(())
    }
}

impl Remote {
    pub(super) async fn of(url: &Url, credentials: Option<&Credentials>, reach: &Reach<'_>) -> Result<Self, GitError> {
        let url = address(url)?;
        let clients = reach.http.clients_that_show(reach.egress, reach.authority, reach.shown);
        let clients = clients.map_err(|failure| GitError::Tls { reason: failure.detail().to_owned() })?;
        let client = match clients.to(&url).await {
            Ok(client) => client.clone(),
            Err(DialError::Refused(refused)) => return Err(GitError::Refused(refused)),
            Err(error) => return Err(GitError::Unreachable { reason: error.to_string() }),
        };
        let authorization = credentials.map(authorization).transpose()?;
        let limit = reach.limits.received;
        Ok(Self { client, url, authorization, allowance: Allowance { left: limit, limit } })
    }

    /// What the server offers: the beginning of every conversation.
    pub(super) async fn offer(&mut self) -> Result<Packets<'_>, GitError> {
        let mut url = self.below(REFERENCES);
        url.set_query(Some("service=git-upload-pack"));
        for _ in 0..=REDIRECT_LIMIT {
            let answer = self.send(self.client.get(url.clone())).await?;
            if answer.status().is_redirection() {
                url = redirected(&url, &answer)?;
                continue;
            }
            if media_type(&answer) != format!("application/x-{SERVICE}-advertisement") {
                return Err(GitError::NoRepository);
            }
            let path = url.path().strip_suffix(REFERENCES).unwrap_or_default().to_owned();
            self.url.set_path(&path);
            return Ok(Packets::of(answer, &mut self.allowance));
        }
        Err(GitError::garbled("it sends in circles"))
    }

    /// The answer to an order.
    pub(super) async fn order(&mut self, order: Order) -> Result<Packets<'_>, GitError> {
        let request = self
            .client
            .post(self.below("/git-upload-pack"))
            .header(CONTENT_TYPE, format!("application/x-{SERVICE}-request"))
            .header(ACCEPT, format!("application/x-{SERVICE}-result"))
            .body(order.0);
        let answer = self.send(request).await?;
        if media_type(&answer) != format!("application/x-{SERVICE}-result") {
            return Err(GitError::garbled("it answered with something else than was asked for"));
        }
        Ok(Packets::of(answer, &mut self.allowance))
    }

    fn below(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{path}", self.url.path().trim_end_matches('/')));
        url
    }

    async fn send(&self, request: RequestBuilder) -> Result<Answer, GitError> {
        let mut request = request.header("Git-Protocol", "version=2").header(USER_AGENT, AGENT);
        if let Some(value) = &self.authorization {
            request = request.header(AUTHORIZATION, value.clone());
        }
        let answer = request.send().await.map_err(|error| lost(&error))?;
        let status = answer.status();
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(GitError::SignIn),
            StatusCode::NOT_FOUND | StatusCode::GONE => Err(GitError::NoRepository),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Err(unable(status)),
            _ if status.is_server_error() => Err(unable(status)),
            _ if status.is_success() || status.is_redirection() => Ok(answer),
            _ => Err(GitError::garbled(format_args!("it answered with status {}", status.as_u16()))),
        }
    }
}

/// The address, if it is one of a web server.
fn address(given: &Url) -> Result<Url, GitError> {
    if !matches!(given.scheme(), "http" | "https") || given.host_str().is_none_or(str::is_empty) {
        return Err(GitError::NoRepository);
    }
    Ok(bare(given))
}

/// The address without user information, query and fragment.
pub(super) fn bare(given: &Url) -> Url {
    let mut url = given.clone();
    // Both fail only for addresses that cannot have any.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url
}

fn authorization(credentials: &Credentials) -> Result<HeaderValue, GitError> {
    basic_header(&credentials.user, credentials.password.expose()).map_err(|_| GitError::SignIn)
}

/// Where the server sends to, as long as it is itself: anybody else is not whom the address and the credentials are for.
fn redirected(from: &Url, answer: &Answer) -> Result<Url, GitError> {
    let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let to = location.and_then(|location| from.join(location).ok());
    let to = to.ok_or_else(|| GitError::garbled("it sends to another address, and does not say which"))?;
    if to.origin() != from.origin() {
        let there = to.origin().ascii_serialization();
        return Err(GitError::Broken {
            reason: format!("it sends to {there}; enter the address that the repository has there"),
        });
    }
    // The page where people sign in, or any other.
    if !to.path().ends_with(REFERENCES) {
        return Err(GitError::NoRepository);
    }
    let mut url = from.clone();
    url.set_path(to.path());
    Ok(url)
}

fn unable(status: StatusCode) -> GitError {
    GitError::Unreachable { reason: format!("it answered with status {}", status.as_u16()) }
}

fn media_type(answer: &Answer) -> &str {
    let given = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    given.split(';').next().unwrap_or_default().trim()
}

fn lost(error: &reqwest::Error) -> GitError {
    if let Some(refused) = exchange::refused_by_policy(error) {
        return GitError::Refused(refused.clone());
    }
    match exchange::encryption_failure(error) {
        Some(cause) => GitError::Tls { reason: tls::explain(cause) },
        None => GitError::Unreachable { reason: exchange::chain(error) },
    }
}

/// What is asked of a server, as packets.
#[derive(Default)]
pub(super) struct Order(Vec<u8>);

impl Order {
    pub(super) fn line(mut self, text: &str) -> Self {
        // Four digits of the length, which counts them and the line's end.
        self.0.extend_from_slice(format!("{:04x}{text}\n", text.len() + 5).as_bytes());
        self
    }

    pub(super) fn delimiter(mut self) -> Self {
        self.0.extend_from_slice(b"0001");
        self
    }

    pub(super) fn flush(mut self) -> Self {
        self.0.extend_from_slice(b"0000");
        self
    }
}

/// A packet of an answer.
pub(super) enum Packet {
    Data(Vec<u8>),
    /// Between the parts of an answer.
    Delimiter,
    /// After the last part.
    End,
}

/// The packets of an answer that is still coming in.
pub(super) struct Packets<'a> {
    answer: Answer,
    allowance: &'a mut Allowance,
    buffer: Vec<u8>,
}

impl<'a> Packets<'a> {
    fn of(answer: Answer, allowance: &'a mut Allowance) -> Self {
        Self { answer, allowance, buffer: Vec::new() }
    }

    pub(super) async fn next(&mut self) -> Result<Packet, GitError> {
        loop {
            let decoded = gix_packetline::decode::streaming(&self.buffer);
            let decoded = decoded.map_err(|_| GitError::garbled("it does not speak Git's protocol"))?;
            if let Stream::Complete { line, bytes_consumed } = decoded {
                let packet = match line {
                    PacketLineRef::Data(data) => Packet::Data(data.to_vec()),
                    PacketLineRef::Delimiter => Packet::Delimiter,
                    PacketLineRef::Flush | PacketLineRef::ResponseEnd => Packet::End,
                };
                self.buffer.drain(..bytes_consumed);
                return Ok(packet);
            }
            let chunk = self.answer.chunk().await.map_err(|error| lost(&error))?;
            let chunk = chunk.ok_or_else(|| GitError::garbled("it ends too early"))?;
            self.allowance.spend(chunk.len())?;
            self.buffer.extend_from_slice(&chunk);
        }
    }

    /// The next packet as a line of text without its end; empty for a delimiter, none at the end of the answer.
    pub(super) async fn line(&mut self) -> Result<Option<String>, GitError> {
        Ok(match self.next().await? {
            Packet::End => None,
            Packet::Delimiter => Some(String::new()),
            Packet::Data(data) => match data.strip_prefix(b"ERR ") {
                Some(said) => return Err(GitError::said(said)),
                None => Some(String::from_utf8_lossy(data.strip_suffix(b"\n").unwrap_or(&data)).into_owned()),
            },
        })
    }
}
