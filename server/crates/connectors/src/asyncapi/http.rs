//! Messages over HTTP: one is the body of a request, and many are what an answer streams.

use reqwest::{
    Method,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap},
};
use serde_json::{Map, Value};
use url::Url;

use super::{
    document::Operation,
    message,
    stream::{Reader, TYPES},
};
use crate::{
    CallContext, Failure,
    http::{
        Http, REPEATABLE,
        authentication::Credentials,
        outgoing::{Outgoing, Output, encode_body, header_value, headers},
    },
};

/// The request that sends a message, or asks for those of the channel.
pub(super) fn outgoing(
    operation: &Operation,
    encrypted: bool,
    message: Option<&Value>,
    credentials: Option<Credentials>,
) -> Result<Outgoing, Failure> {
    let scheme = if encrypted { "https" } else { "http" };
    let address = operation.address(message, None, |value| urlencoding::encode(value).into_owned())?;
    let base = operation.server.trim_end_matches('/');
    let text = format!("{scheme}://{base}/{}", address.trim_start_matches('/'));
    let url = Url::parse(&text).ok().filter(Url::has_host);
    let url = url.ok_or_else(|| Failure::configuration(format!("“{text}” is not the address of a service")))?;
    let default = if message.is_some() { "POST" } else { "GET" };
    let method = operation.binding.get("method").and_then(Value::as_str).unwrap_or(default).to_ascii_uppercase();
    let method = Method::from_bytes(method.as_bytes())
        .map_err(|_| Failure::configuration("the document names a method that is not one of HTTP"))?;
    let part = |name: &str| message.and_then(|message| message.get(name));
    let mut headers = match part("headers").and_then(Value::as_object) {
        Some(given) => headers(given)?,
        None => HeaderMap::new(),
    };
    let body = match part("payload") {
        Some(payload) => {
            if let Some(content_type) =
                operation.content_type.as_deref().filter(|_| !headers.contains_key(CONTENT_TYPE))
            {
                headers.insert(CONTENT_TYPE, header_value("Content-Type", content_type)?);
            }
            Some(encode_body(payload, &mut headers)?)
        }
        None => None,
    };
    if message.is_none() {
        headers.insert(ACCEPT, header_value("Accept", TYPES)?);
    }
    let (away, output, redirect) = (false, Output::Content, false);
    Ok(Outgoing { method, url, headers, body, credentials, away, output, redirect })
}

/// Sends a message; gives what the service answers.
pub(super) async fn publish(
    http: &Http,
    outgoing: Outgoing,
    idempotent: bool,
    context: &CallContext,
) -> Result<Value, Failure> {
    let repeatable = idempotent || REPEATABLE.contains(&outgoing.method.as_str());
    http.call(outgoing.marked(&context.key)?, None, repeatable, context).await
}

/// Delivers what the answer streams until it ends, or nobody wants more.
pub(super) async fn subscribe(
    http: &Http,
    outgoing: &Outgoing,
    operation: &Operation,
    context: &CallContext,
) -> Result<Value, Failure> {
    let messages = context.messages.as_ref().ok_or_else(|| Failure::configuration("nobody takes messages here"))?;
    let mut streamed = http.stream(outgoing, context).await?;
    context.info(format!("subscribed to {}", outgoing.url.path()));
    let media_type = streamed.media_type();
    let mut reader = Reader::of(&media_type);
    loop {
        let chunk = streamed.next().await?;
        let pieces = match &chunk {
            Some(chunk) => reader.take(chunk)?,
            None => reader.end().into_iter().collect(),
        };
        for piece in pieces {
            let mut headers = Map::new();
            if let Some(event) = piece.event {
                headers.insert("event".to_owned(), Value::String(event));
            }
            let message = message::received(operation, piece.data, piece.media_type, headers, None);
            let id = piece.id.unwrap_or_else(|| context.ids.next().to_string());
            if !messages.deliver(id, message).await {
                return Ok(Value::Null);
            }
        }
        if chunk.is_none() {
            return Ok(Value::Null);
        }
    }
}
