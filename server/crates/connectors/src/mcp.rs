//! `call: mcp`, as the specification defines it: a request to a server of the Model Context Protocol, over HTTP.
//!
//! The protocol is spoken by its official library, over clients of our own: what may be reached, TLS and credentials are
//! those of `call: http`, connections of kind `http` among them. A server that would have to be started as a program
//! (`stdio`) is refused when the definition is saved.

mod session;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use workflow::{RunError, StandardError, duration};

use crate::{
    CallContext, Connector, Failure, FunctionSpec, Outcome, Repetition, Request, System,
    http::{self, Http, schema::authentication_by_header},
    resource::resource_definitions,
};
use session::Session;

/// The protocol version of calls that name none; the specification's.
const DEFAULT_VERSION: &str = "2025-06-18";
/// Those that are spoken over HTTP as it is here, and begin with a greeting.
const VERSIONS: [&str; 3] = ["2025-03-26", DEFAULT_VERSION, "2025-11-25"];
/// The method that may change something.
const TOOL_CALL: &str = "tools/call";
const METHODS: [&str; 7] = [
    "tools/list",
    TOOL_CALL,
    "prompts/list",
    "prompts/get",
    "resources/list",
    "resources/read",
    "resources/templates/list",
];
/// By what a server may recognise a repeated call: a member of the request's `_meta`.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
const STDIO_REASON: &str = "a server that talks over its standard input is a program, and no program is started here; one \
                            that is reached by `http` can be called";

/// Calls servers of the Model Context Protocol.
pub struct McpConnector {
    http: Arc<Http>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct With {
    protocol_version: Option<String>,
    method: String,
    #[serde(default)]
    parameters: Map<String, Value>,
    timeout: Option<Value>,
    transport: Transport,
    client: Option<Client>,
}

#[derive(Deserialize)]
struct Transport {
    http: HttpTransport,
}

#[derive(Deserialize)]
struct HttpTransport {
    endpoint: Value,
    #[serde(default)]
    headers: Map<String, Value>,
}

/// Who the server is told that it talks with.
#[derive(Deserialize)]
struct Client {
    name: String,
    version: String,
}

impl Default for Client {
    fn default() -> Self {
        Self { name: "rondo".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

impl McpConnector {
    /// A connector that shares clients and tokens with that of `call: http`.
    #[must_use]
    pub fn new(http: Arc<Http>) -> Self {
        Self { http }
    }

    async fn call(&self, request: &Request, context: &CallContext) -> Result<Value, Failure> {
        // The message of serde may quote a value, and the value may be a secret.
        let mut with =
            With::deserialize(&request.with).map_err(|_| Failure::configuration("the arguments cannot be read"))?;
        let limit = match &with.timeout {
            None => context.limit(),
            Some(timeout) => duration::from_value(timeout)
                .ok_or_else(|| Failure::configuration("the timeout is not a duration"))?
                .min(context.limit()),
        };
        if with.method == TOOL_CALL {
            mark(&mut with.parameters, &context.key);
        }
        let repeatable = request.idempotent || with.method != TOOL_CALL;
        let asked = AtomicBool::new(false);
        let lost = |error: RunError| match (asked.load(Ordering::Relaxed), repeatable) {
            (false, _) => Failure::retryable(error),
            (true, true) => Failure::lost(error),
            (true, false) => Failure::unknown(error),
        };
        // It was answered as done, with what is no result.
        let unusable = |error: RunError| if repeatable { Failure::permanent(error) } else { Failure::unknown(error) };
        let exchange = async {
            let session = self.open(&with, request, context).await?;
            asked.store(true, Ordering::Relaxed);
            let answer = session.ask(&with.method, &with.parameters, &lost, &unusable).await;
            session.close().await;
            answer
        };
        let answer = tokio::time::timeout(limit, exchange).await.unwrap_or_else(|_| {
            let detail = format!("{}: no answer within {}; give the task more time", with.method, in_words(limit));
            Err(lost(RunError::new(StandardError::Timeout, detail)))
        })?;
        context.info(format!("{}: answered by {}", with.method, http::target(&with.transport.http.endpoint)));
        Ok(answer)
    }

    /// Greets the server; once more with a new token where a kept one was refused.
    async fn open(&self, with: &With, request: &Request, context: &CallContext) -> Result<Session, Failure> {
        let HttpTransport { endpoint, headers } = &with.transport.http;
        let way = self.http.way(endpoint, headers, request.connection.as_deref(), context).await?;
        let version = with.protocol_version.as_deref().unwrap_or(DEFAULT_VERSION);
        let own = Client::default();
        let client = with.client.as_ref().unwrap_or(&own);
        let mut last = false;
        loop {
            let shown = self.http.shown(way.credentials.as_ref(), context).await?;
            let opened = Session::open(&way, shown.header.clone(), version, client).await;
            let refused = matches!(&opened, Err(failure) if failure.error.status == 401);
            if last || !refused || !self.http.withdraw(shown) {
                return opened;
            }
            last = true;
        }
    }
}

/// Puts the call's key where a server may look for it.
fn mark(parameters: &mut Map<String, Value>, key: &str) {
    let meta = parameters.entry("_meta").or_insert_with(|| json!({}));
    if let Some(meta) = meta.as_object_mut() {
        meta.entry(IDEMPOTENCY_KEY).or_insert_with(|| key.into());
    }
}

fn in_words(limit: Duration) -> String {
    if limit < Duration::from_secs(2) {
        format!("{} milliseconds", limit.as_millis())
    } else {
        format!("{} seconds", limit.as_secs())
    }
}

#[async_trait]
impl Connector for McpConnector {
    fn functions(&self) -> Vec<FunctionSpec> {
        vec![FunctionSpec {
            connection_kinds: vec!["http"],
            ..FunctionSpec::unconnected(
                "mcp",
                "Ask a server of the Model Context Protocol",
                "MCP server",
                with_schema(),
                json!({"description": "The result as the server gives it, that of a tool that failed (`isError`) too."}),
            )
            .foreseen_by(|with| {
                let method = with.get("method").and_then(Value::as_str)?;
                let name = with.pointer("/parameters/name").and_then(Value::as_str);
                Some(name.map_or_else(|| method.to_owned(), |name| format!("{method} {name}")))
            })
        }]
    }

    fn connection_name<'a>(&self, with: &'a Value) -> Option<&'a str> {
        http::connection_name(with.pointer("/transport/http/endpoint")?)
    }

    fn repetition(&self, request: &Request) -> Repetition {
        let changes = request.with.get("method").and_then(Value::as_str) == Some(TOOL_CALL);
        if changes { Repetition::Once } else { Repetition::Safe }
    }

    async fn execute(&self, request: &Request, context: &CallContext) -> Outcome {
        self.call(request, context).await.into()
    }

    fn describe(&self, with: &Value) -> System {
        let target = with.pointer("/transport/http/endpoint").map(http::target);
        System { title: "MCP server".to_owned(), target: target.unwrap_or_default() }
    }
}

fn with_schema() -> Value {
    let needs = |methods: &[&str], parameter: &str| {
        json!({
            "if": {"required": ["method"], "properties": {"method": {"enum": methods}}},
            "then": {"required": ["parameters"], "properties": {"parameters": {"required": [parameter]}}}
        })
    };
    let count = json!({"type": "integer", "minimum": 0});
    let mut definitions = resource_definitions(authentication_by_header());
    let endpoint = definitions.pointer("/resource/properties/endpoint").cloned().unwrap_or_default();
    if let Some(definitions) = definitions.as_object_mut() {
        definitions.shift_remove("resource");
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["method", "transport"],
        "additionalProperties": false,
        "properties": {
            "protocolVersion": {"enum": VERSIONS, "description": "The one that the server is greeted with; 2025-06-18 if absent."},
            "method": {"enum": METHODS},
            "parameters": {"type": "object", "description": "The method's parameters."},
            "timeout": {
                "description": "How long it may take, greeting and all.",
                "oneOf": [
                    {"type": "string", "pattern": "^P[0-9YMWDTHS.]+$"},
                    {
                        "type": "object",
                        "minProperties": 1,
                        "additionalProperties": false,
                        "properties": {
                            "days": count, "hours": count, "minutes": count, "seconds": count, "milliseconds": count
                        }
                    }
                ]
            },
            "transport": {
                "type": "object",
                // Who wrote `stdio` need not be told that `http` is missing as well.
                "if": {"not": {"required": ["stdio"]}},
                "then": {"required": ["http"]},
                "additionalProperties": false,
                "properties": {
                    "http": {
                        "type": "object",
                        "required": ["endpoint"],
                        "additionalProperties": false,
                        "properties": {
                            "endpoint": endpoint,
                            "headers": {
                                "type": "object",
                                "additionalProperties": {"type": ["string", "number", "boolean"]}
                            }
                        }
                    },
                    "stdio": {"not": {}, "description": STDIO_REASON}
                }
            },
            "client": {
                "type": "object",
                "required": ["name", "version"],
                "additionalProperties": false,
                "properties": {"name": {"type": "string"}, "version": {"type": "string"}}
            }
        },
        "allOf": [needs(&[TOOL_CALL, "prompts/get"], "name"), needs(&["resources/read"], "uri")],
        "$defs": definitions
    })
}
