//! Messages over NATS: of streams (`JetStream`), and those that nobody keeps.

mod session;
mod stream;

use std::time::Duration;

use domain::{Ids, view::CheckStep};
use serde_json::{Map, Value, json};
use tokio::time::timeout;
use watermelon_proto::{
    ServerMessage, StatusCode,
    headers::{HeaderMap, HeaderName, HeaderValue},
    proto::{ClientOp, FramedEncoder},
};
use workflow::{RunError, StandardError};

use super::{
    content,
    operation::{Message, Operation},
    settings::{Encryption, Settings},
};
use crate::{
    CallContext, Failure,
    connection::Steps,
    egress::{CONNECT_LIMIT, EgressPolicy},
};
use session::{Outgoing, Session, Trouble, subject};

/// By which a stream, and whoever takes the message, knows it again.
const MESSAGE_ID: &str = "Nats-Msg-Id";
const EXPECTED_STREAM: &str = "Nats-Expected-Stream";
const CONTENT_TYPE: &str = "Content-Type";
/// By which a service of the NATS service API says that it failed, and in which words.
const SERVICE_CODE: &str = "Nats-Service-Error-Code";
const SERVICE_ERROR: &str = "Nats-Service-Error";

/// Makes a call.
pub(super) async fn call(
    settings: &Settings,
    operation: &Operation,
    idempotent: bool,
    context: &CallContext,
) -> Result<Value, Failure> {
    match operation {
        Operation::Publish { message, stored, stream } => {
            settings.permit(&message.subject)?;
            let outgoing = outgoing(message, stream.as_deref(), &context.key)?;
            let mut session = enter(settings, context).await?;
            session.permit(outgoing.payload.len())?;
            let published = if *stored {
                ended(settings, context, true, stream::store(&mut session, outgoing, &message.subject)).await?
            } else {
                let told = async { session.tell(outgoing).await.map_err(|trouble| trouble.after_sending(idempotent)) };
                ended(settings, context, idempotent, told).await?;
                json!({"stored": false, "stream": null, "sequence": null, "duplicate": false})
            };
            context.info(format!("{}: a message was published", message.subject));
            Ok(published)
        }
        Operation::Request { message, patience } => {
            settings.permit(&message.subject)?;
            let outgoing = outgoing(message, None, &context.key)?;
            let mut session = enter(settings, context).await?;
            session.permit(outgoing.payload.len())?;
            let asked = request(&mut session, outgoing, &message.subject, *patience, idempotent);
            let answer = ended(settings, context, idempotent, asked).await?;
            context.info(format!("{}: an answer came", message.subject));
            Ok(answer)
        }
        Operation::Receive { stream, consumer, limit, patience } => {
            let mut session = enter(settings, context).await?;
            let received = stream::receive(&mut session, stream, consumer, *limit, *patience);
            let messages = ended(settings, context, true, received).await?;
            context.info(format!("{stream}: {} messages were received for {consumer}", messages.len()));
            Ok(json!({"messages": messages}))
        }
        Operation::Acknowledge { receipts, verdict } => {
            let mut session = enter(settings, context).await?;
            ended(settings, context, true, stream::acknowledge(&mut session, receipts, *verdict)).await?;
            Ok(json!({"acknowledged": receipts.len()}))
        }
    }
}

/// A session within the time that the task has. Nothing was sent that does anything when this fails.
async fn enter(settings: &Settings, context: &CallContext) -> Result<Session, Failure> {
    let entering = async {
        let stream = context.egress.connect(&settings.host, settings.port).await?;
        Session::enter(settings, stream, context.ids.next()).await.map_err(|(_, failure)| failure)
    };
    context.entering(&format!("the NATS server {}", settings.host), entering).await
}

/// Waits for what may happen, for as long as the task has.
async fn ended<T>(
    settings: &Settings,
    context: &CallContext,
    repeatable: bool,
    exchange: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match timeout(context.limit(), exchange).await {
        Ok(ended) => ended,
        Err(_) => {
            let words = format!("the NATS server {} did not answer in the time that the task has", settings.host);
            let error = RunError::new(StandardError::Timeout, words);
            Err(if repeatable { Failure::lost(error) } else { Failure::unknown(error) })
        }
    }
}

/// A message with the headers that every one has.
fn outgoing(message: &Message, stream: Option<&str>, key: &str) -> Result<Outgoing, Failure> {
    let mut headers = HeaderMap::new();
    let mut add = |name: &str, value: &str| {
        let pair = HeaderName::try_from(name.to_owned()).ok().zip(HeaderValue::try_from(value.to_owned()).ok());
        let (name, value) =
            pair.ok_or_else(|| Failure::configuration(format!("the header {name} cannot be sent as it is")))?;
        headers.insert(name, value);
        Ok::<_, Failure>(())
    };
    for (name, value) in &message.headers {
        add(name, value)?;
    }
    add(CONTENT_TYPE, message.media_type())?;
    add(MESSAGE_ID, key)?;
    if let Some(stream) = stream {
        add(EXPECTED_STREAM, stream)?;
    }
    Ok(Outgoing { subject: subject(&message.subject)?, headers, payload: message.payload()? })
}

/// A message without headers, to the server itself.
fn bare(to: &str, payload: Vec<u8>) -> Result<Outgoing, Failure> {
    Ok(Outgoing { subject: subject(to)?, headers: HeaderMap::new(), payload })
}

async fn request(
    session: &mut Session,
    outgoing: Outgoing,
    subject: &str,
    patience: Duration,
    idempotent: bool,
) -> Result<Value, Failure> {
    let after = |trouble: Trouble| trouble.after_sending(idempotent);
    session.begin(outgoing).await.map_err(after)?;
    let answer = timeout(patience, session.answer()).await.unwrap_or_else(|_| {
        Err(Trouble::Broken(format!(
            "nobody answered on {subject} within {} seconds; look there whether it was done, or wait longer (for)",
            patience.as_secs_f32()
        )))
    });
    let answer = answer.map_err(after)?;
    if answer.status_code == Some(StatusCode::NO_RESPONDERS) {
        return Err(Failure::unreachable(format!("nobody listens on {subject}; see whether the service runs")));
    }
    if let Some(failure) = failed(subject, &answer) {
        return Err(failure);
    }
    let (content, encoding) = content::read(&answer.base.payload);
    Ok(json!({"content": content, "encoding": encoding.as_str(), "headers": headers(&answer)}))
}

/// What a service says against the request.
fn failed(subject: &str, answer: &ServerMessage) -> Option<Failure> {
    let code = header(answer, SERVICE_CODE)?;
    let status = code.parse::<u16>().ok().filter(|code| (400..600).contains(code)).unwrap_or(500);
    let words = header(answer, SERVICE_ERROR).unwrap_or_else(|| "without words".to_owned());
    Some(Failure::refused(status, format!("who answers on {subject} says ({code}): {words}")))
}

fn header(message: &ServerMessage, name: &'static str) -> Option<String> {
    let value = message.base.headers.get(&HeaderName::from_static(name))?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// The headers that a message came with. The crate tells them by their names only, so that they are read as it writes them.
fn headers(message: &ServerMessage) -> Value {
    let mut message = message.base.clone();
    message.payload.clear();
    let written = FramedEncoder::new().encode(&ClientOp::Publish { message });
    let written = String::from_utf8_lossy(&written);
    let mut headers = Map::new();
    // After the line of the packet and that of the version, up to an empty one.
    for line in written.split("\r\n").skip(2).take_while(|line| !line.is_empty()) {
        if let Some((name, value)) = line.split_once(':') {
            headers.entry(name.to_lowercase()).or_insert_with(|| Value::String(value.trim_start().to_owned()));
        }
    }
    Value::Object(headers)
}

/// Tries a connection out.
pub(super) async fn check(settings: &Settings, policy: &EgressPolicy, ids: &dyn Ids) -> Vec<CheckStep> {
    let mut steps = Steps::default();
    if settings.encryption == Encryption::Tls
        && let Err(error) = settings.tls.config()
    {
        return steps.fail("settings", &error.to_string());
    }
    steps.pass("settings", "complete");
    let Some(stream) = steps.dial(policy, &settings.host, settings.port).await else { return steps.done() };
    let entered = Session::enter(settings, stream, ids.next()).await;
    let failing = entered.as_ref().err().map_or("", |(step, _)| *step);
    if settings.encryption == Encryption::Tls && failing != "tls" {
        steps.pass("tls", "the certificate is trusted");
    }
    if !["tls", "connect", "sign-in"].contains(&failing) {
        steps.pass("sign-in", "the account is let in");
    }
    let mut session = match entered {
        Ok(session) => session,
        Err((step, failure)) => return steps.fail(step, failure.detail()),
    };
    match timeout(CONNECT_LIMIT, stream::about(&mut session)).await {
        Ok(Ok(words)) => steps.pass("right", &words),
        Ok(Err(failure)) => return steps.fail("right", failure.detail()),
        Err(_) => {
            return steps.fail("right", "the server does not answer about its streams; see whether JetStream is well");
        }
    }
    steps.done()
}
