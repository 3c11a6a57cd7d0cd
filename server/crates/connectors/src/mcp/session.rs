//! A greeted server, and what its refusals mean.

use std::{collections::HashMap, time::Duration};

use reqwest::header::{AUTHORIZATION, HeaderValue};
use rmcp::{
    RoleClient, ServiceError,
    model::{ClientCapabilities, ClientConfig, ClientRequest, ErrorCode, ErrorData, Implementation, ProtocolVersion},
    service::{ClientInitializeError, RunningService, serve_client},
    transport::{
        DynamicTransportError, StreamableHttpClientTransport,
        streamable_http_client::{StreamableHttpClientTransportConfig, StreamableHttpError},
    },
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use workflow::{RunError, StandardError};

use super::Client;
use crate::{
    Failure,
    http::{
        Way,
        exchange::{CONTENT_LIMIT, failed, refused},
    },
};

/// How long the server may take to hear that the session is over.
const FAREWELL: Duration = Duration::from_secs(1);
/// How much is read of an answer that is no message.
const EXCERPT: usize = 300;

type HttpError = StreamableHttpError<reqwest::Error>;

/// A session with a server. Dropping it ends it, too.
pub(super) struct Session(RunningService<RoleClient, ClientConfig>);

impl Session {
    /// Greets the server. Nothing of a call has been sent when this fails.
    pub(super) async fn open(
        way: &Way,
        authorization: Option<HeaderValue>,
        version: &str,
        client: &Client,
    ) -> Result<Self, Failure> {
        let mut headers = way.headers.clone();
        if let Some(value) = authorization {
            headers.insert(AUTHORIZATION, value);
        }
        let headers: HashMap<_, _> = headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let config = StreamableHttpClientTransportConfig::with_uri(way.url.as_str())
            .custom_headers(headers)
            .max_json_response_size(CONTENT_LIMIT)
            .max_sse_event_size(CONTENT_LIMIT)
            .max_error_response_size(EXCERPT)
            // The library would send the call again.
            .reinit_on_expired_session(false);
        let transport = StreamableHttpClientTransport::with_client(way.client.clone(), config);
        let version = ProtocolVersion::deserialize(Value::from(version))
            .map_err(|_| Failure::configuration("the protocol version is not one"))?;
        let implementation = Implementation::new(&client.name, &client.version);
        let config = ClientConfig::new(ClientCapabilities::default(), implementation).with_protocol_version(version);
        serve_client(config, transport).await.map(Self).map_err(|error| not_greeted(&error))
    }

    /// The result of a request; `lost` makes the failure of one that may have been answered, `unusable` that of one that was,
    /// with something else.
    pub(super) async fn ask(
        &self,
        method: &str,
        parameters: &Map<String, Value>,
        lost: impl Fn(RunError) -> Failure,
        unusable: impl Fn(RunError) -> Failure,
    ) -> Result<Value, Failure> {
        let request = ClientRequest::deserialize(json!({"method": method, "params": parameters}))
            .map_err(|_| Failure::configuration(format!("the parameters are not those of {method}")))?;
        let result = self.0.send_request(request).await.map_err(|error| match error {
            ServiceError::McpError(error) => no(method, &error),
            ServiceError::TransportSend(error) => broken(&error, lost, &unusable),
            _ => lost(RunError::communication(503, format!("{method}: the connection broke before the answer came"))),
        })?;
        serde_json::to_value(result)
            .map_err(|_| unusable(RunError::communication(502, format!("{method}: the answer cannot be read"))))
    }

    /// Says goodbye. The answer is there, so a server that does not listen any more is none of its concern.
    pub(super) async fn close(mut self) {
        let _ = self.0.close_with_timeout(FAREWELL).await;
    }
}

fn not_greeted(error: &ClientInitializeError) -> Failure {
    match error {
        ClientInitializeError::JsonRpcError(error) => no("initialize", error),
        ClientInitializeError::TransportError { error, .. } => broken(error, Failure::retryable, Failure::permanent),
        ClientInitializeError::ConnectionClosed(_) => {
            Failure::unreachable("the connection broke before the server had greeted")
        }
        _ => Failure::refused(
            502,
            "the server does not greet as the Model Context Protocol wants it; compare the endpoint with the server's own \
             documentation",
        ),
    }
}

/// The server answered with an error of JSON-RPC.
fn no(method: &str, error: &ErrorData) -> Failure {
    let ErrorData { code: ErrorCode(code), message, .. } = error;
    let detail = RunError::new(StandardError::Runtime, format!("{method}: {message} (JSON-RPC error {code})"));
    if error.code == ErrorCode::INTERNAL_ERROR { Failure::retryable(detail) } else { Failure::permanent(detail) }
}

/// There is no answer, or none of the protocol.
fn broken(
    error: &DynamicTransportError,
    lost: impl FnOnce(RunError) -> Failure,
    unusable: impl FnOnce(RunError) -> Failure,
) -> Failure {
    let Some(error) = error.error.downcast_ref::<HttpError>() else {
        return lost(RunError::communication(503, "the connection broke"));
    };
    match error {
        HttpError::Client(error) => failed(error, lost),
        HttpError::HttpStatus(answer) => {
            refused(answer.status, format!("the server answered with status {}", answer.status))
        }
        HttpError::AuthRequired(_) => refused(401, "the server refused the credentials; enter others".to_owned()),
        HttpError::InsufficientScope(_) => {
            refused(403, "the credentials do not suffice; have them permitted there".to_owned())
        }
        HttpError::SessionExpired => {
            Failure::retryable(RunError::communication(404, "the server has forgotten the session"))
        }
        HttpError::ReservedHeaderConflict(name) => {
            Failure::configuration(format!("the header {name} is the protocol's own"))
        }
        HttpError::ResponseBodyTooLarge { .. } => {
            let words = format!("the answer is larger than {} MiB; ask for less at once", CONTENT_LIMIT >> 20);
            unusable(RunError::communication(502, words))
        }
        HttpError::UnexpectedServerResponse(words) => {
            let detail = format!("the server answered with something else: {words}");
            match words.strip_prefix("HTTP ").and_then(|rest| rest.get(..3)?.parse().ok()) {
                Some(status) => refused(status, detail),
                None => unusable(RunError::communication(502, detail)),
            }
        }
        HttpError::UnexpectedContentType(_) | HttpError::Deserialize(_) => {
            let words = "the server answered with something that is no message of the protocol; see whether the endpoint is \
                         one of it";
            unusable(RunError::communication(502, words))
        }
        _ => lost(RunError::communication(503, "the connection broke before the answer came")),
    }
}
