//! `call: ssh`: commands and files on hosts, over connections of kind `ssh`.
//!
//! Only hosts whose key the connection names are let in. Keys of kind RSA are not served (see ADR 0037).
//!
//! # Repeating a command
//! Nobody can tell from outside whether a command did its work, so an operator is asked after a lost answer, unless the
//! definition says that the command only reads (`onlyReads`), that it may be repeated (`metadata.rondo.idempotent`), or
//! that the host is to remember it (`once`, see [`marker`]). Files are written, read and removed alike any number of
//! times.

pub(crate) mod check;
mod command;
mod files;
mod marker;
pub(crate) mod schema;
pub(crate) mod session;
pub(crate) mod settings;

use std::sync::Arc;

use async_trait::async_trait;
use domain::view::CheckStep;
use serde_json::Value;

use crate::{
    CallContext, ConnectionKind, Connector, Failure, FunctionSpec, OperationSpec, Outcome, Probe, Repetition, Request,
    ResolvedConnection, System, egress::EgressPolicy,
};
use files::Files;
use marker::Marker;
use session::Session;
use settings::Access;

/// The kind of connection that speaks SSH.
pub const SSH: &str = "ssh";

/// Runs commands on hosts, and moves files.
pub struct SshConnector {
    policy: Arc<EgressPolicy>,
}

/// The function `ssh`, as definitions are checked against it.
#[must_use]
pub fn function() -> FunctionSpec {
    FunctionSpec {
        name: "ssh",
        title: "Run commands and move files on hosts",
        system: "Host",
        with: schema::with(),
        output: schema::output(),
        operations: schema::OPERATIONS
            .iter()
            .map(|operation| OperationSpec {
                name: operation.name,
                title: operation.title,
                output: schema::output_of(operation.name),
                reads: operation.reads,
            })
            .collect(),
        needs_connection: true,
        connection_kinds: vec![SSH],
        foresee,
    }
}

fn foresee(with: &Value) -> Option<String> {
    let text = |name: &str| with.get(name).and_then(Value::as_str);
    let operation = schema::OPERATIONS.iter().find(|operation| Some(operation.name) == text("operation"))?;
    let about = text("command").or_else(|| text("path")).unwrap_or_default();
    Some(match text("host") {
        Some(host) => format!("{} on {host}: {about}", operation.title),
        None => format!("{}: {about}", operation.title),
    })
}

impl SshConnector {
    /// A connector that reaches what the policy permits.
    #[must_use]
    pub fn new(policy: Arc<EgressPolicy>) -> Self {
        Self { policy }
    }

    async fn call(&self, request: &Request, context: &CallContext) -> Result<Value, Failure> {
        let access = access(request)?;
        let host = access.host(text(&request.with, "host"))?;
        let operation = text(&request.with, "operation").unwrap_or_default();
        let command = if operation == "run" { Some(command::With::read(&request.with)?) } else { None };
        let session = context.entering(&host.name, Session::open(&context.egress, &access, host)).await?;
        let result = match &command {
            Some(with) if with.once => {
                Marker::new(&session, &host.name, &access.markers, &context.key).run(with, context).await
            }
            Some(with) => command::run(&session, with, context, &host.name).await,
            None => Files::open(&session, &host.name).await?.perform(operation, &request.with, &context.key).await,
        };
        session.close().await;
        result
    }

    async fn ask(&self, request: &Request, context: &CallContext) -> Result<Probe, Failure> {
        let access = access(request)?;
        let host = access.host(text(&request.with, "host"))?;
        let with = command::With::read(&request.with)?;
        let session = Session::open(&context.egress, &access, host).await?;
        let answer = Marker::new(&session, &host.name, &access.markers, &context.key).probe(&with, context).await;
        session.close().await;
        answer
    }
}

fn access(request: &Request) -> Result<Access, Failure> {
    let connection = request.connection.as_ref();
    Access::read(connection.ok_or_else(|| Failure::configuration("ssh needs a connection of kind ssh"))?)
}

fn text<'a>(with: &'a Value, name: &str) -> Option<&'a str> {
    with.get(name).and_then(Value::as_str)
}

#[async_trait]
impl Connector for SshConnector {
    fn functions(&self) -> Vec<FunctionSpec> {
        vec![function()]
    }

    fn connection_kinds(&self) -> Vec<ConnectionKind> {
        vec![ConnectionKind {
            name: SSH,
            title: "Hosts by SSH",
            summary: "A host, or a group of hosts with the same user, that takes commands and files by SSH.",
            function: "ssh",
            settings: schema::settings(),
        }]
    }

    fn repetition(&self, request: &Request) -> Repetition {
        let says = |name: &str| request.with.get(name) == Some(&Value::Bool(true));
        if text(&request.with, "operation") != Some("run") || says("onlyReads") {
            Repetition::Safe
        } else if says("once") {
            Repetition::Probe
        } else {
            Repetition::Once
        }
    }

    async fn execute(&self, request: &Request, context: &CallContext) -> Outcome {
        self.call(request, context).await.into()
    }

    async fn probe(&self, request: &Request, context: &CallContext) -> Probe {
        match self.ask(request, context).await {
            Ok(probe) => probe,
            Err(failure) => {
                context.warn(format!("whether the command ran cannot be found out now: {}", failure.detail()));
                Probe::CannotTell
            }
        }
    }

    async fn check(&self, connection: &ResolvedConnection) -> Vec<CheckStep> {
        check::check(&self.policy, connection).await
    }

    fn describe(&self, with: &Value) -> System {
        let target = text(with, "host").or_else(|| self.connection_name(with)).unwrap_or_default();
        System { title: "Host".to_owned(), target: target.to_owned() }
    }
}
