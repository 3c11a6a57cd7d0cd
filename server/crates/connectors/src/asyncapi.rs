//! `call: asyncapi`, as the specification defines it: a message to, or the messages of, a channel of a document in
//! `AsyncAPI` 2.x or 3.x.
//!
//! Served over HTTP, MQTT 5 and `WebSocket`. A subscription stays in flight and delivers what comes ([`crate::Messages`]); what of it
//! is consumed, and for how long, is the interpreter's to decide.

mod document;
mod http;
mod message;
mod mqtt;
mod socket;
mod stream;
mod websocket;

use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    CallContext, Connector, Failure, FunctionSpec, Outcome, Repetition, Request, System,
    http::{
        Http,
        authentication::{Authentication, Credentials},
        schema::authentication_by_header,
    },
    resource::{Resources, address, resource_definitions},
};
use document::{Action, Document, Protocol, Wanted};

/// Sends and receives messages over channels that an `AsyncAPI` document describes.
pub struct AsyncApiConnector {
    http: Arc<Http>,
    resources: Resources,
}

#[derive(Deserialize)]
struct With {
    document: Value,
    channel: Option<String>,
    operation: Option<String>,
    server: Option<Server>,
    protocol: Option<String>,
    message: Option<Value>,
    authentication: Option<Authentication>,
}

/// The server that a call names, with values for its variables.
#[derive(Deserialize)]
struct Server {
    name: String,
    #[serde(default)]
    variables: Map<String, Value>,
}

impl AsyncApiConnector {
    /// A connector that reads documents from these resources.
    #[must_use]
    pub fn new(http: Arc<Http>, resources: Resources) -> Self {
        Self { http, resources }
    }

    async fn call(&self, request: &Request, context: &CallContext) -> Result<Value, Failure> {
        // The message of serde may quote a value, and the value may be a secret.
        let with =
            With::deserialize(&request.with).map_err(|_| Failure::configuration("the arguments cannot be read"))?;
        let document = Document::read(&self.resources.text(&with.document, context).await?)?;
        let wanted = Wanted {
            action: if with.message.is_some() { Action::Publish } else { Action::Subscribe },
            channel: with.channel.as_deref(),
            operation: with.operation.as_deref(),
            server: with.server.as_ref(),
            protocol: with.protocol.as_deref(),
        };
        let operation = document.operation(&wanted)?;
        let credentials = with.authentication.map(Credentials::try_from).transpose()?;
        match (&with.message, operation.protocol) {
            (Some(message), Protocol::Http { encrypted }) => {
                let outgoing = http::outgoing(&operation, encrypted, Some(message), credentials)?;
                http::publish(&self.http, outgoing, request.idempotent, context).await
            }
            (Some(message), Protocol::Mqtt { encrypted }) => {
                let broker = mqtt::Broker { http: &self.http, operation: &operation, encrypted, credentials, context };
                broker.publish(message, request.idempotent).await
            }
            (Some(message), Protocol::WebSocket { encrypted }) => {
                let (http, operation) = (&*self.http, &operation);
                let socket = websocket::WebSocket { http, operation, encrypted, credentials, context };
                socket.publish(message, request.idempotent).await
            }
            (None, Protocol::WebSocket { encrypted }) => {
                let (http, operation) = (&*self.http, &operation);
                websocket::WebSocket { http, operation, encrypted, credentials, context }.subscribe().await
            }
            (None, Protocol::Http { encrypted }) => {
                let outgoing = http::outgoing(&operation, encrypted, None, credentials)?;
                http::subscribe(&self.http, &outgoing, &operation, context).await
            }
            (None, Protocol::Mqtt { encrypted }) => {
                let broker = mqtt::Broker { http: &self.http, operation: &operation, encrypted, credentials, context };
                broker.subscribe().await
            }
        }
    }
}

#[async_trait]
impl Connector for AsyncApiConnector {
    fn functions(&self) -> Vec<FunctionSpec> {
        vec![FunctionSpec::unconnected(
            "asyncapi",
            "Send or receive messages of an AsyncAPI document",
            "Messages",
            with_schema(),
            json!({"description": "What the service answered to a message, or the messages that were consumed."}),
        )]
    }

    /// To subscribe once more does no harm; a message that was sent may have arrived.
    fn repetition(&self, request: &Request) -> Repetition {
        if request.with.get("message").is_some() { Repetition::Once } else { Repetition::Safe }
    }

    async fn execute(&self, request: &Request, context: &CallContext) -> Outcome {
        self.call(request, context).await.into()
    }

    fn describe(&self, with: &Value) -> System {
        let uri = with.pointer("/document/endpoint").and_then(address);
        let host = uri.and_then(|uri| url::Url::parse(uri).ok()?.host_str().map(str::to_owned));
        System { title: "Messages".to_owned(), target: host.unwrap_or_default() }
    }
}

fn with_schema() -> Value {
    let name = json!({"type": "string", "minLength": 1});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["document"],
        "additionalProperties": false,
        "properties": {
            "document": {"$ref": "#/$defs/resource"},
            "channel": {"type": "string", "minLength": 1, "description": "The channel; in a document of version 2."},
            "operation": {"type": "string", "minLength": 1, "description": "The operation's name, or its id in version 2."},
            "server": {
                "type": "object",
                "required": ["name"],
                "additionalProperties": false,
                "properties": {
                    "name": name,
                    "variables": {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
                }
            },
            "protocol": {"enum": ["http", "mqtt", "mqtt5", "ws"], "description": "Chooses the server; these are served."},
            "message": {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "payload": {"description": "Sent as JSON, or as it is if it is a string."},
                    "headers": {"type": "object"}
                }
            },
            "subscription": {"type": "object"},
            "authentication": {"$ref": "#/$defs/authentication"}
        },
        "allOf": [
            {"anyOf": [{"required": ["channel"]}, {"required": ["operation"]}]},
            {"oneOf": [{"required": ["message"]}, {"required": ["subscription"]}]}
        ],
        "$defs": resource_definitions(authentication_by_header())
    })
}
