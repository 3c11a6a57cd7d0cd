//! `call: messaging`: sends messages to a broker, asks services behind it, and takes messages from it.
//!
//! # Repeating a call
//! A message that a stream keeps carries the idempotency key as its id, by which the stream knows it again within its window
//! of duplicates. What nobody keeps, and what asks a service, is left to a person. Messages are taken in two calls: one
//! receives them, and they come again until another one has acknowledged them; both may be repeated.

mod content;
mod nats;
mod operation;
mod schema;
mod settings;
mod subject;

use std::sync::Arc;

use async_trait::async_trait;
use domain::{Ids, view::CheckStep};
use serde_json::Value;

use crate::{
    CallContext, ConnectionKind, Connector, Failure, FunctionSpec, OperationSpec, Outcome, Repetition, Request,
    ResolvedConnection, System, connection::Steps, egress::EgressPolicy,
};
use operation::Operation;
use settings::Settings;

/// The function.
const MESSAGING: &str = "messaging";
/// The kind of connection.
const NATS: &str = "nats";

/// Sends and takes messages.
pub struct MessagingConnector {
    policy: Arc<EgressPolicy>,
    ids: Arc<dyn Ids>,
}

/// The function `messaging`, as definitions are checked against it.
#[must_use]
pub fn function() -> FunctionSpec {
    FunctionSpec {
        name: MESSAGING,
        title: "Send and take messages",
        system: "Message broker",
        with: schema::with(),
        output: schema::output(),
        operations: schema::OPERATIONS
            .iter()
            .map(|entry| OperationSpec {
                name: entry.name,
                title: entry.title,
                output: schema::output_of(entry),
                reads: entry.reads,
            })
            .collect(),
        needs_connection: true,
        connection_kinds: vec![NATS],
        foresee,
    }
}

fn foresee(with: &Value) -> Option<String> {
    let text = |name: &str| with.get(name).and_then(Value::as_str);
    let broker = text("connection")?;
    Some(match text("operation")? {
        "publish" => format!("Publishes a message on {} over {broker}", text("subject")?),
        "request" => format!("Asks who answers on {} over {broker}", text("subject")?),
        "receive" => {
            format!("Takes messages of the stream {} for the consumer {}", text("stream")?, text("consumer")?)
        }
        _ => format!("Tells {broker} what became of messages"),
    })
}

impl MessagingConnector {
    /// A connector whose checks reach what the policy permits. The ids name the places that answers come to.
    #[must_use]
    pub fn new(policy: Arc<EgressPolicy>, ids: Arc<dyn Ids>) -> Self {
        Self { policy, ids }
    }
}

fn parts(request: &Request) -> Result<(Settings, Operation), Failure> {
    let connection = request
        .connection
        .as_ref()
        .ok_or_else(|| Failure::configuration("messaging needs a connection of kind nats"))?;
    Ok((connection.settings::<Settings>()?, Operation::read(&request.with)?))
}

#[async_trait]
impl Connector for MessagingConnector {
    fn functions(&self) -> Vec<FunctionSpec> {
        vec![function()]
    }

    fn connection_kinds(&self) -> Vec<ConnectionKind> {
        vec![ConnectionKind {
            name: NATS,
            title: "NATS",
            summary: "A NATS server, with or without streams (JetStream).",
            function: MESSAGING,
            settings: schema::settings(),
        }]
    }

    fn repetition(&self, request: &Request) -> Repetition {
        Operation::read(&request.with).map_or(Repetition::Once, |operation| operation.repetition())
    }

    async fn execute(&self, request: &Request, context: &CallContext) -> Outcome {
        match parts(request) {
            Ok((settings, operation)) => nats::call(&settings, &operation, request.idempotent, context).await.into(),
            Err(failure) => Err(failure).into(),
        }
    }

    async fn check(&self, connection: &ResolvedConnection) -> Vec<CheckStep> {
        let settings = match connection.settings::<Settings>() {
            Ok(settings) => settings,
            Err(failure) => return Steps::default().fail("settings", failure.detail()),
        };
        nats::check(&settings, &self.policy, &*self.ids).await
    }

    fn describe(&self, with: &Value) -> System {
        let target = self.connection_name(with).unwrap_or_default();
        System { title: "Message broker".to_owned(), target: target.to_owned() }
    }
}
