//! `call: grpc`, as the specification defines it: a method of a service that a `.proto` text describes.
//!
//! The text is an external resource, with what it imports beside it. A resource at `grpc://HOST[:PORT]` is no text: the
//! service there describes itself by server reflection. Messages are JSON as Protocol Buffers map them; what streams out
//! is an array.

mod client;
mod message;
mod proto;
mod reflection;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use prost_reflect::{DescriptorPool, MethodDescriptor};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    CallContext, Connector, Failure, FunctionSpec, Outcome, Repetition, Request, System,
    http::{
        Http,
        authentication::{Authentication, Credentials},
        schema::authentication_by_header,
    },
    resource::{Resources, address, resource_definitions},
};
use wire::{Target, Wire};

/// Calls methods of gRPC services.
pub struct GrpcConnector {
    http: Arc<Http>,
    resources: Resources,
}

#[derive(Deserialize)]
struct With {
    proto: Value,
    service: Service,
    method: String,
    #[serde(default)]
    arguments: Value,
}

#[derive(Deserialize)]
struct Service {
    name: String,
    host: String,
    port: Option<u16>,
    authentication: Option<Authentication>,
}

impl GrpcConnector {
    /// A connector that reads descriptions from these resources.
    #[must_use]
    pub fn new(http: Arc<Http>, resources: Resources) -> Self {
        Self { http, resources }
    }

    async fn call(&self, request: &Request, context: &CallContext) -> Result<Value, Failure> {
        // The message of serde may quote a value, and the value may be a secret.
        let with =
            With::deserialize(&request.with).map_err(|_| Failure::configuration("the arguments cannot be read"))?;
        let pool = self.describe_service(&with, context).await?;
        let method = method(&pool, &with.service.name, &with.method)?;
        let messages = message::read(&method, &with.arguments)?;
        let credentials = with.service.authentication.map(Credentials::try_from).transpose()?;
        let target = Target { host: with.service.host, port: with.service.port };
        let wire = open(&target, credentials.as_ref(), context).await?;
        let client = client::Client { http: &self.http, wire: &wire, credentials: credentials.as_ref(), context };
        client.call(&method, messages, request.idempotent).await
    }

    /// What the service and its messages look like.
    async fn describe_service(&self, with: &With, context: &CallContext) -> Result<DescriptorPool, Failure> {
        let endpoint = with.proto.get("endpoint");
        let Some(target) = endpoint.and_then(address).and_then(Target::of_reflection) else {
            return proto::compile(&with.proto, &self.resources, context).await;
        };
        let authentication = endpoint.and_then(|endpoint| endpoint.get("authentication"));
        let credentials = authentication
            .map(|policy| {
                let policy = Authentication::deserialize(policy);
                policy.map_err(|_| Failure::configuration("the authentication cannot be read"))?.try_into()
            })
            .transpose()?;
        let wire = open(&target?, credentials.as_ref(), context).await?;
        let client = client::Client { http: &self.http, wire: &wire, credentials: credentials.as_ref(), context };
        reflection::ask(&client, &with.service.name).await
    }
}

/// A connection within the time that the task has.
async fn open(target: &Target, credentials: Option<&Credentials>, context: &CallContext) -> Result<Wire, Failure> {
    let opening = Wire::open(target, &context.egress, credentials);
    context.entering(&format!("the gRPC service {}", target.host), opening).await
}

fn method(pool: &DescriptorPool, service: &str, name: &str) -> Result<MethodDescriptor, Failure> {
    let described = pool
        .get_service_by_name(service)
        .ok_or_else(|| Failure::configuration(format!("the description has no service “{service}”")))?;
    described
        .methods()
        .find(|method| method.name() == name)
        .ok_or_else(|| Failure::configuration(format!("the service “{service}” has no method “{name}”")))
}

#[async_trait]
impl Connector for GrpcConnector {
    fn functions(&self) -> Vec<FunctionSpec> {
        vec![
            FunctionSpec::unconnected(
                "grpc",
                "Call a method of a gRPC service",
                "gRPC service",
                with_schema(),
                json!({"description": "The message that the method gives, or an array of those that it streams."}),
            )
            .foreseen_by(|with| {
                let text = |pointer| with.pointer(pointer).and_then(Value::as_str);
                Some(format!("{}.{} at {}", text("/service/name")?, text("/method")?, text("/service/host")?))
            }),
        ]
    }

    /// What a method does is known only when its description has been read, so a lost call may have happened.
    fn repetition(&self, _request: &Request) -> Repetition {
        Repetition::Once
    }

    async fn execute(&self, request: &Request, context: &CallContext) -> Outcome {
        self.call(request, context).await.into()
    }

    fn describe(&self, with: &Value) -> System {
        let host = with.pointer("/service/host").and_then(Value::as_str).filter(|host| !host.starts_with("${"));
        System { title: "gRPC service".to_owned(), target: host.unwrap_or_default().to_owned() }
    }
}

fn with_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["proto", "service", "method"],
        "additionalProperties": false,
        "properties": {
            "proto": {
                "$ref": "#/$defs/resource",
                "description": "The .proto text, or grpc://HOST[:PORT] for server reflection."
            },
            "service": {
                "type": "object",
                "required": ["name", "host"],
                "additionalProperties": false,
                "properties": {
                    "name": {"type": "string", "minLength": 1, "description": "The service's full name."},
                    "host": {"type": "string", "pattern": "^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$"},
                    "port": {"type": "integer", "minimum": 1, "maximum": 65535, "description": "443 if absent."},
                    "authentication": {"$ref": "#/$defs/authentication"}
                }
            },
            "method": {"type": "string", "minLength": 1},
            "arguments": {
                "type": ["object", "array"],
                "description": "The message; a list where the method takes a stream."
            }
        },
        "$defs": resource_definitions(authentication_by_header())
    })
}
