//! `call: openapi`, as the specification defines it: an operation of a document in `OpenAPI` 2.0 or 3.x.
//!
//! The document says where the service is, and how parameters travel. What it says about security is left to
//! `authentication`. Parameters that the operation does not declare make up its body, if it takes one; a parameter `body`
//! is the whole of it.

mod body;
mod document;
mod parameters;

use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    CallContext, Connector, Failure, FunctionSpec, Outcome, Repetition, Request, System,
    http::{
        Http, REPEATABLE,
        authentication::{Authentication, Credentials},
        outgoing::{Outgoing, Output},
        schema::authentication_definitions,
    },
    resource::{Resources, address, resource_definitions},
};
use document::Document;

/// Calls operations that an `OpenAPI` document describes.
pub struct OpenApiConnector {
    http: Arc<Http>,
    resources: Resources,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct With {
    document: Value,
    operation_id: String,
    #[serde(default)]
    parameters: Map<String, Value>,
    authentication: Option<Authentication>,
    #[serde(default)]
    output: Output,
    #[serde(default)]
    redirect: bool,
}

impl OpenApiConnector {
    /// A connector that reads documents from these resources.
    #[must_use]
    pub fn new(http: Arc<Http>, resources: Resources) -> Self {
        Self { http, resources }
    }

    async fn call(&self, request: &Request, context: &CallContext) -> Result<Value, Failure> {
        // The message of serde may quote a value, and the value may be a secret.
        let with =
            With::deserialize(&request.with).map_err(|_| Failure::configuration("the arguments cannot be read"))?;
        let text = self.resources.text(&with.document, context).await?;
        let document = Document::read(&text, with.document.get("endpoint").and_then(address))?;
        let operation = document.operation(&with.operation_id)?;
        let credentials = with.authentication.map(Credentials::try_from).transpose()?;
        let outgoing = Outgoing {
            credentials,
            output: with.output,
            redirect: with.redirect,
            ..operation.request(with.parameters, &context.key)?
        };
        let repeatable = request.idempotent || REPEATABLE.contains(&outgoing.method.as_str());
        self.http.call(outgoing.marked(&context.key)?, None, repeatable, context).await
    }
}

#[async_trait]
impl Connector for OpenApiConnector {
    fn functions(&self) -> Vec<FunctionSpec> {
        vec![
            FunctionSpec::unconnected(
                "openapi",
                "Call an operation of an OpenAPI document",
                "HTTP service",
                with_schema(),
                json!({"description": "The content, or the response, as `output` asks for."}),
            )
            .foreseen_by(|with| {
                let operation = with.get("operationId").and_then(Value::as_str)?;
                Some(format!("{operation} of {}", with.pointer("/document/endpoint").and_then(address)?))
            }),
        ]
    }

    /// What an operation does is known only when its document has been read, so a lost call may have happened.
    fn repetition(&self, _request: &Request) -> Repetition {
        Repetition::Once
    }

    async fn execute(&self, request: &Request, context: &CallContext) -> Outcome {
        self.call(request, context).await.into()
    }

    fn describe(&self, with: &Value) -> System {
        let uri = with.pointer("/document/endpoint").and_then(address);
        let host = uri.and_then(|uri| url::Url::parse(uri).ok()?.host_str().map(str::to_owned));
        System { title: "HTTP service".to_owned(), target: host.unwrap_or_default() }
    }
}

fn with_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["document", "operationId"],
        "additionalProperties": false,
        "properties": {
            "document": {"$ref": "#/$defs/resource"},
            "operationId": {"type": "string", "minLength": 1, "description": "The operation's id in the document."},
            "parameters": {"type": "object", "description": "Its parameters by name; others make up the body."},
            "authentication": {"$ref": "#/$defs/authentication"},
            "output": {"enum": ["raw", "content", "response"]},
            "redirect": {"type": "boolean"}
        },
        "$defs": resource_definitions(authentication_definitions())
    })
}
