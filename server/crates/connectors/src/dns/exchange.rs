//! Messages to a DNS server and its answers, over TCP: what is asked here is small and must arrive.

use std::{io, time::Duration};

use hickory_proto::op::{Message, ResponseCode};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout_at},
};
use workflow::{RunError, StandardError};

use crate::{
    Failure,
    egress::{DialError, EgressPolicy},
};

/// A server, and how long it may take.
pub(crate) struct Server<'a> {
    pub(crate) policy: &'a EgressPolicy,
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) limit: Duration,
}

impl Server<'_> {
    /// The answer to a message; `after_sending` makes the failure of one that may have arrived.
    pub(crate) async fn ask(&self, message: &[u8], after_sending: fn(RunError) -> Failure) -> Result<Vec<u8>, Failure> {
        let (host, seconds) = (self.host, self.limit.as_secs());
        let until = Instant::now() + self.limit;
        let length = u16::try_from(message.len())
            .map_err(|_| Failure::configuration("these are more records than fit into one message; change fewer"))?;
        let stream = timeout_at(until, self.policy.connect(host, self.port)).await.map_err(|_| {
            let words = format!("no connection to the DNS server {host} within {seconds} seconds; nothing was sent");
            Failure::retryable(RunError::new(StandardError::Timeout, words))
        })?;
        let stream = stream.map_err(unreachable)?;
        let framed = [&length.to_be_bytes(), message].concat();
        match timeout_at(until, exchange(stream, &framed)).await {
            Ok(answered) => answered.map_err(|error| {
                let words =
                    format!("the connection to the DNS server {host} broke: {error}; see whether it runs there");
                after_sending(RunError::communication(503, words))
            }),
            Err(_) => {
                let words = format!(
                    "no answer of the DNS server {host} within {seconds} seconds; see whether it answers by TCP, or give \
                     the task more time"
                );
                Err(after_sending(RunError::new(StandardError::Timeout, words)))
            }
        }
    }
}

/// Both begin with their length.
async fn exchange(mut stream: TcpStream, message: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(message).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

/// An answer as a message, if it is one and to this question.
pub(crate) fn read(answer: &[u8], asked: &Message) -> Result<Message, String> {
    let message = Message::from_vec(answer).map_err(|error| error.to_string())?;
    if message.id == asked.id { Ok(message) } else { Err("it answers another question".to_owned()) }
}

/// What a refusal of a question means; none if it was answered.
pub(crate) fn unanswered(host: &str, code: ResponseCode) -> Option<Failure> {
    match code {
        ResponseCode::NoError | ResponseCode::NXDomain => None,
        ResponseCode::Refused => Some(Failure::permanent(RunError::new(
            StandardError::Authorization,
            format!("the DNS server {host} answers no questions of this server (REFUSED); permit them there"),
        ))),
        ResponseCode::ServFail => Some(Failure::retryable(RunError::communication(
            503,
            format!("the DNS server {host} cannot answer now (SERVFAIL); try again later"),
        ))),
        other => Some(Failure::refused(502, format!("the DNS server {host} answered {other}; see whether it is one"))),
    }
}

fn unreachable(error: DialError) -> Failure {
    match error {
        DialError::Refused(_) => error.into(),
        other => Failure::unreachable(format!(
            "{other}; compare server and port, and see whether it answers by TCP (not only UDP)"
        )),
    }
}
