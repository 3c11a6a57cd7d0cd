//! What streams keep, and what consumers take from them: the interface of `JetStream`, as far as calls need it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};
use watermelon_proto::{ServerMessage, StatusCode, Subject};

use super::{
    super::{content, operation::Verdict},
    bare, headers,
    session::{Outgoing, Session, Trouble},
};
use crate::Failure;

/// What is taken of a stream at once, in bytes.
const TAKEN_AT_ONCE: usize = 4 * 1024 * 1024;
/// How much later than asked for a server may say that there is no more.
const GRACE: Duration = Duration::from_secs(5);

/// What `JetStream` says to anything.
#[derive(Deserialize)]
struct Said {
    error: Option<Objection>,
    stream: Option<String>,
    seq: Option<u64>,
    #[serde(default)]
    duplicate: bool,
    streams: Option<u64>,
}

#[derive(Deserialize)]
struct Objection {
    #[serde(default)]
    code: u16,
    #[serde(default)]
    description: String,
}

impl Objection {
    fn failure(&self, what: &str) -> Failure {
        let words = format!("{what}: {} ({})", self.description, self.code);
        match self.code {
            400..500 => Failure::refused(self.code, words),
            // No room, no leader: as it is now.
            _ => Failure::unreachable(format!("{words}; try again later, and see how full the stream is")),
        }
    }
}

/// Has a stream keep a message.
pub(super) async fn store(session: &mut Session, message: Outgoing, subject: &str) -> Result<Value, Failure> {
    let answer = session.ask(message).await.map_err(|trouble| trouble.after_sending(true))?;
    if answer.status_code == Some(StatusCode::NO_RESPONDERS) {
        return Err(Failure::refused(
            404,
            format!(
                "no stream takes what is published on {subject}, and nobody listens; have a stream of the broker take it, or \
                 say stored: false to send it to whoever listens"
            ),
        ));
    }
    let said: Option<Said> = serde_json::from_slice(&answer.base.payload).ok();
    match said {
        Some(Said { error: Some(objection), .. }) => {
            Err(objection.failure(&format!("the stream does not keep what is published on {subject}")))
        }
        Some(Said { stream: Some(stream), seq: Some(sequence), duplicate, .. }) => {
            Ok(json!({"stored": true, "stream": stream, "sequence": sequence, "duplicate": duplicate}))
        }
        _ => Err(Failure::refused(
            502,
            format!(
                "who answers on {subject} is no stream, and has taken the message; have a stream of the broker take it, or \
                 say stored: false"
            ),
        )),
    }
}

/// Takes messages for a consumer. They come again until they are acknowledged.
pub(super) async fn receive(
    session: &mut Session,
    stream: &str,
    consumer: &str,
    limit: u16,
    patience: Duration,
) -> Result<Vec<Value>, Failure> {
    let lost = |trouble: Trouble| trouble.after_sending(true);
    find(session, stream, consumer).await?;
    let expires = u64::try_from(patience.as_nanos()).unwrap_or(u64::MAX);
    let asked = json!({"batch": limit, "expires": expires, "max_bytes": TAKEN_AT_ONCE}).to_string();
    session
        .begin(bare(&format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"), asked.into_bytes())?)
        .await
        .map_err(lost)?;
    let late = Instant::now() + patience + GRACE;
    let mut messages = Vec::new();
    while messages.len() < usize::from(limit) {
        let Ok(answer) = timeout_at(late, session.answer()).await else {
            return Err(lost(Trouble::Broken(format!(
                "the consumer {consumer} does not answer; see whether it is well"
            ))));
        };
        let answer = answer.map_err(lost)?;
        match (answer.status_code.map(u16::from), receipt(&answer)) {
            (None, Some(receipt)) => messages.push(received(&answer, receipt)),
            (Some(100), _) => {}
            (Some(404 | 408), _) => break,
            // What there is, is taken first.
            (Some(409), _) if !messages.is_empty() => break,
            (status, _) => return Err(denied(stream, consumer, status, &answer)),
        }
    }
    Ok(messages)
}

/// Sees that there is such a consumer: asked for messages, a server says nothing where there is none.
async fn find(session: &mut Session, stream: &str, consumer: &str) -> Result<(), Failure> {
    let answer = match session.ask(bare(&format!("$JS.API.CONSUMER.INFO.{stream}.{consumer}"), Vec::new())?).await {
        Ok(answer) => answer,
        // Whoever may take messages need not be let in on this.
        Err(Trouble::Refused(_)) => return Ok(()),
        Err(trouble) => return Err(trouble.after_sending(true)),
    };
    let said: Option<Said> = serde_json::from_slice(&answer.base.payload).ok();
    match said {
        Some(Said { error: None, .. }) => Ok(()),
        _ => Err(Failure::refused(
            404,
            format!(
                "there is no consumer {consumer} of a stream {stream} here; have the broker make one that is pulled, or compare \
                 the names"
            ),
        )),
    }
}

fn denied(stream: &str, consumer: &str, status: Option<u16>, answer: &ServerMessage) -> Failure {
    let words = answer.status_description.as_ref().map_or("without words", |words| &**words);
    let words = format!("no messages of {stream} for {consumer}: {words}");
    // One in the way of others, or one that is larger than what is taken at once.
    if words.contains("Exceeded MaxWaiting") || words.contains("Server Shutdown") || words.contains("Leadership") {
        return Failure::unreachable(format!("{words}; try again later"));
    }
    Failure::refused(status.unwrap_or(502), words)
}

/// What acknowledges a message: the subject that its answer goes to.
fn receipt(message: &ServerMessage) -> Option<&str> {
    message.base.reply_subject.as_ref().map(Subject::as_str)
}

fn received(message: &ServerMessage, receipt: &str) -> Value {
    let (content, encoding) = content::read(&message.base.payload);
    let (deliveries, sequence) = place(receipt);
    json!({
        "subject": message.base.subject.as_str(),
        "content": content,
        "encoding": encoding.as_str(),
        "headers": headers(message),
        "sequence": sequence,
        "deliveries": deliveries,
        "receipt": receipt,
    })
}

/// How often a message has come, and its number in the stream, as its receipt says: `$JS.ACK.STREAM.CONSUMER.…`, or with a
/// domain and an account between.
fn place(receipt: &str) -> (Option<u64>, Option<u64>) {
    let words: Vec<&str> = receipt.split('.').collect();
    let first = if words.len() > 9 { 6 } else { 4 };
    let number = |at: usize| words.get(at).and_then(|word| word.parse().ok());
    (number(first), number(first + 1))
}

/// Tells what became of messages.
pub(super) async fn acknowledge(session: &mut Session, receipts: &[String], verdict: Verdict) -> Result<(), Failure> {
    for receipt in receipts {
        let told = session.ask(bare(receipt, verdict.word().as_bytes().to_vec())?).await;
        let told = told.map_err(|trouble| trouble.after_sending(true))?;
        if told.status_code == Some(StatusCode::NO_RESPONDERS) {
            return Err(Failure::refused(
                404,
                format!("nobody waits for the receipt {receipt}: the consumer, or its stream, is not there any more"),
            ));
        }
    }
    Ok(())
}

/// What the account may do with streams, in words.
pub(super) async fn about(session: &mut Session) -> Result<String, Failure> {
    if !session.has_streams() {
        return Ok("answers arrive; the server has no streams, so that only stored: false can be published".to_owned());
    }
    let answer = match session.ask(bare("$JS.API.INFO", Vec::new())?).await {
        Ok(answer) => answer,
        // Whoever may publish need not be let in on this.
        Err(Trouble::Refused(_)) => return Ok("answers arrive; the account may not ask about streams".to_owned()),
        Err(trouble) => return Err(trouble.harmless()),
    };
    let said: Option<Said> = serde_json::from_slice(&answer.base.payload).ok();
    Ok(match said {
        Some(Said { error: None, streams: Some(streams), .. }) => {
            format!("answers arrive; the account has {streams} streams")
        }
        _ => "answers arrive; the account has no streams, so that only stored: false can be published".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_tell_how_often_a_message_came() {
        for (receipt, expected) in [
            ("$JS.ACK.ORDERS.warehouse.2.17.5.1700000000000000000.0", (Some(2), Some(17))),
            ("$JS.ACK.hub.ACCOUNT.ORDERS.warehouse.2.17.5.1700000000000000000.0.x", (Some(2), Some(17))),
            ("$JS.ACK.x", (None, None)),
        ] {
            assert_eq!(place(receipt), expected, "{receipt}");
        }
    }
}
