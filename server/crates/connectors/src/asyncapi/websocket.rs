//! Messages over a WebSocket: each is a frame of text, or of bytes.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use reqwest::header::{AUTHORIZATION, HeaderMap};
use serde_json::{Map, Value};
use tokio::time::{Instant, interval_at, timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{self, Message, client::IntoClientRequest as _, protocol::WebSocketConfig},
};
use url::Url;
use workflow::RunError;

use super::{
    document::Operation,
    message,
    socket::{self, Socket},
};
use crate::{
    CallContext, Failure,
    egress::CONNECT_LIMIT,
    http::{
        Http,
        authentication::Credentials,
        outgoing::{encode_body, headers},
    },
};

/// How often a subscription makes sure that the service is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// The largest message.
const MESSAGE_LIMIT: usize = 5 * 1024 * 1024;

/// A service, and what is to be done there.
pub(super) struct WebSocket<'a> {
    pub(super) http: &'a Http,
    pub(super) operation: &'a Operation,
    pub(super) encrypted: bool,
    pub(super) credentials: Option<Credentials>,
    pub(super) context: &'a CallContext,
}

type Frames = WebSocketStream<Box<dyn Socket>>;

impl WebSocket<'_> {
    /// Sends a message. Done when the service has closed the connection after it, which it does once it has read it.
    pub(super) async fn publish(&self, message: &Value, idempotent: bool) -> Result<Value, Failure> {
        let payload = match message.get("payload") {
            Some(payload) => encode_body(payload, &mut HeaderMap::new())?,
            None => Vec::new(),
        };
        let frame = match String::from_utf8(payload) {
            Ok(text) => Message::text(text),
            Err(bytes) => Message::binary(bytes.into_bytes()),
        };
        let mut frames = self.connect(Some(message)).await?;
        let lost = |detail: String| {
            let error = RunError::communication(503, format!("the service: {detail}"));
            if idempotent { Failure::lost(error) } else { Failure::unknown(error) }
        };
        frames.send(frame).await.map_err(|error| lost(error.to_string()))?;
        frames.close(None).await.map_err(|error| lost(error.to_string()))?;
        let farewell = async {
            while let Some(frame) = frames.next().await {
                match frame {
                    Ok(Message::Close(_)) => return Ok(()),
                    Ok(_) => {}
                    Err(error) => return Err(lost(error.to_string())),
                }
            }
            Err(lost("it hung up".to_owned()))
        };
        timeout(CONNECT_LIMIT, farewell).await.map_err(|_| lost("no answer in time".to_owned()))??;
        self.context.info("a message was sent");
        Ok(Value::Null)
    }

    /// Delivers what comes until the service closes the connection, or nobody wants more.
    pub(super) async fn subscribe(&self) -> Result<Value, Failure> {
        let messages = self.context.messages.as_ref();
        let messages = messages.ok_or_else(|| Failure::configuration("nobody takes messages here"))?;
        let broken = |detail: String| Failure::unreachable(format!("the service: {detail}"));
        let mut frames = self.connect(None).await?;
        self.context.info("subscribed");
        let mut pulse = interval_at(Instant::now() + KEEP_ALIVE, KEEP_ALIVE);
        let mut heard = true;
        loop {
            let frame = tokio::select! {
                frame = frames.next() => frame,
                _ = pulse.tick() => {
                    if !std::mem::take(&mut heard) {
                        return Err(broken("it does not answer any more".to_owned()));
                    }
                    frames.send(Message::Ping(Vec::new().into())).await.map_err(|error| broken(error.to_string()))?;
                    continue;
                }
            };
            heard = true;
            let payload = match frame {
                Some(Ok(frame @ (Message::Text(_) | Message::Binary(_)))) => frame.into_data().to_vec(),
                Some(Ok(Message::Close(_))) => return Ok(Value::Null),
                Some(Ok(_)) => continue,
                Some(Err(tungstenite::Error::Capacity(_))) => {
                    let words = format!("a message is larger than {} MiB; have smaller ones sent", MESSAGE_LIMIT >> 20);
                    return Err(Failure::refused(502, words));
                }
                Some(Err(error)) => return Err(broken(error.to_string())),
                None => return Err(broken("it hung up".to_owned())),
            };
            let message = message::received(self.operation, payload, None, Map::new(), None);
            if !messages.deliver(self.context.ids.next().to_string(), message).await {
                return Ok(Value::Null);
            }
        }
    }

    /// A connection that the service has taken within the time of the task. No message has been sent over it when this fails.
    async fn connect(&self, message: Option<&Value>) -> Result<Frames, Failure> {
        self.context.entering("the service", self.enter(message)).await
    }

    async fn enter(&self, message: Option<&Value>) -> Result<Frames, Failure> {
        let (scheme, default_port) = if self.encrypted { ("wss", 443) } else { ("ws", 80) };
        let address = self.operation.address(message, None, |value| urlencoding::encode(value).into_owned())?;
        let base = self.operation.server.trim_end_matches('/');
        let text = format!("{scheme}://{base}/{}", address.trim_start_matches('/'));
        let wrong = || Failure::configuration(format!("“{text}” is not the address of a service"));
        let url = Url::parse(&text).map_err(|_| wrong())?;
        let host = url.host_str().ok_or_else(wrong)?;
        let port = url.port().unwrap_or(default_port);
        let mut request = url.as_str().into_client_request().map_err(|_| wrong())?;
        if let Some(given) = message.and_then(|message| message.get("headers")).and_then(Value::as_object) {
            request.headers_mut().extend(headers(given)?);
        }
        let shown = self.http.shown(self.credentials.as_ref(), self.context).await?;
        if let Some(header) = shown.header {
            request.headers_mut().insert(AUTHORIZATION, header);
        }
        let stream = socket::open(&self.context.egress, host, port, self.encrypted, self.credentials.as_ref()).await?;
        let config =
            WebSocketConfig::default().max_message_size(Some(MESSAGE_LIMIT)).max_frame_size(Some(MESSAGE_LIMIT));
        let unreachable = |detail: &str| Failure::unreachable(format!("{host} port {port}: {detail}"));
        match timeout(CONNECT_LIMIT, client_async_with_config(request, stream, Some(config))).await {
            Ok(Ok((frames, _))) => Ok(frames),
            Ok(Err(tungstenite::Error::Http(answer))) => {
                let status = answer.status().as_u16();
                let error =
                    RunError::communication(status, format!("{host} port {port} answered with status {status}"));
                Err(if status >= 500 { Failure::retryable(error) } else { Failure::permanent(error) })
            }
            Ok(Err(error)) => Err(unreachable(&error.to_string())),
            Err(_) => Err(unreachable("no answer in time")),
        }
    }
}
