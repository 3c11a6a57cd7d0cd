//! `call: network`: the configuration and the state of network devices, over connections of kind `netconf`, `device` (a
//! command line) and `restconf`.
//!
//! The operations are named alike as far as they mean the same. What is secret in a configuration is masked in
//! everything that is shown; the whole of it leaves sealed, for the way back.
//!
//! # Repeating a change
//! A device that speaks NETCONF is asked whether a change with this call's persist-id waits for its confirmation. One
//! with a command line is looked at, where the change says what it was made for (`base`). RESTCONF sets a resource to
//! what it is to be, which may be done twice. About all else a person decides.

mod device;
mod difference;
mod netconf;
mod operation;
mod restconf;
mod schema;
mod secrets;

use std::sync::Arc;

use async_trait::async_trait;
use domain::view::{CallPlan, CheckStep};
use identity::vault::Vault;
use serde_json::{Value, json};

use crate::{
    CallContext, ConnectionKind, Connector, Failure, FunctionSpec, OperationSpec, Outcome, Probe, Repetition, Request,
    ResolvedConnection, System, egress::EgressPolicy, http::Http,
};
use operation::{Operation, digest};
use secrets::{Notation, masked};

/// The function.
const NETWORK: &str = "network";
/// The kind of connection that speaks NETCONF.
const NETCONF: &str = "netconf";
/// The kind of connection to a command line.
const DEVICE: &str = "device";
/// The kind of connection that speaks RESTCONF.
const RESTCONF: &str = "restconf";

/// The largest configuration that is kept.
const CONFIG_LIMIT: usize = 1 << 20;

/// Reads and changes network devices.
pub struct NetworkConnector {
    policy: Arc<EgressPolicy>,
    http: Arc<Http>,
    vault: Arc<Vault>,
}

/// The function `network`, as definitions are checked against it.
#[must_use]
pub fn function() -> FunctionSpec {
    FunctionSpec {
        name: NETWORK,
        title: "Read and change network devices",
        system: "Network device",
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
        connection_kinds: vec![NETCONF, DEVICE, RESTCONF],
        foresee,
    }
}

fn foresee(with: &Value) -> Option<String> {
    let text = |name: &str| with.get(name).and_then(Value::as_str);
    let operation = schema::OPERATIONS.iter().find(|entry| Some(entry.name) == text("operation"))?;
    let place = text("host").or_else(|| text("connection"))?;
    let commands = with.get("commands").and_then(Value::as_array).into_iter().flatten();
    let commands: Vec<&str> = commands.filter_map(Value::as_str).collect();
    let about = text("path").map_or_else(|| commands.join("; "), str::to_owned);
    let title = operation.title;
    Some(if about.is_empty() { format!("{title} of {place}") } else { format!("{title} of {place}: {about}") })
}

impl NetworkConnector {
    /// A connector that reaches what the policy permits. The vault seals configurations.
    #[must_use]
    pub fn new(policy: Arc<EgressPolicy>, http: Arc<Http>, vault: Arc<Vault>) -> Self {
        Self { policy, http, vault }
    }

    async fn call(&self, request: &Request, context: &CallContext) -> Result<Value, Failure> {
        let (connection, operation) = parts(request)?;
        self.perform(operation, connection, request, context).await
    }

    async fn perform(
        &self,
        operation: Operation,
        connection: &ResolvedConnection,
        request: &Request,
        context: &CallContext,
    ) -> Result<Value, Failure> {
        match connection.kind.as_str() {
            NETCONF => netconf::call(operation, request, connection, &self.vault, context).await,
            DEVICE => device::call(operation, request, connection, &self.vault, context).await,
            _ => {
                let idempotent = request.idempotent;
                restconf::call(&self.http, operation, connection, &self.vault, idempotent, context).await
            }
        }
    }

    async fn ask(&self, request: &Request, context: &CallContext) -> Result<Probe, Failure> {
        let (connection, operation) = parts(request)?;
        let Operation::Change(change) = &operation else { return Ok(Probe::CannotTell) };
        match connection.kind.as_str() {
            NETCONF => netconf::probe(change, request, connection, context).await,
            DEVICE => device::probe(change, request, connection, context).await,
            _ => Ok(Probe::CannotTell),
        }
    }
}

fn parts(request: &Request) -> Result<(&ResolvedConnection, Operation), Failure> {
    let connection = request
        .connection
        .as_deref()
        .ok_or_else(|| Failure::configuration("network needs a connection of kind netconf, device or restconf"))?;
    Ok((connection, Operation::read(&request.with)?))
}

/// A configuration as it leaves: what people may see of it, and all of it for the way back.
fn kept(text: &str, notation: Notation, vault: &Vault) -> Result<Value, Failure> {
    if text.len() > CONFIG_LIMIT {
        let most = CONFIG_LIMIT >> 20;
        return Err(Failure::refused(
            413,
            format!("the configuration is larger than {most} MiB; ask for less by `filter`"),
        ));
    }
    Ok(json!({"config": masked(text, notation), "backup": vault.seal_value(text), "digest": digest(text)}))
}

#[async_trait]
impl Connector for NetworkConnector {
    fn functions(&self) -> Vec<FunctionSpec> {
        vec![function()]
    }

    fn connection_kinds(&self) -> Vec<ConnectionKind> {
        let kind =
            |name, title, summary, settings| ConnectionKind { name, title, summary, function: NETWORK, settings };
        vec![
            kind(
                NETCONF,
                "Network devices by NETCONF",
                "A device, or several with the same account, that is configured by NETCONF over SSH.",
                schema::netconf_settings(),
            ),
            kind(
                DEVICE,
                "Network devices by command line",
                "A device, or several with the same account, that is configured on its command line over SSH.",
                schema::device_settings(),
            ),
            kind(
                RESTCONF,
                "Network device by RESTCONF",
                "A device that is configured by RESTCONF.",
                schema::restconf_settings(),
            ),
        ]
    }

    fn repetition(&self, request: &Request) -> Repetition {
        let Ok((connection, operation)) = parts(request) else { return Repetition::Once };
        match (&operation, connection.kind.as_str()) {
            (_, RESTCONF) => restconf::repetition(&operation),
            (Operation::Change(change), NETCONF) if change.confirm_within.is_some() => Repetition::Probe,
            (Operation::Change(change), DEVICE) if change.base.is_some() => Repetition::Probe,
            (Operation::Change(_), _) => Repetition::Once,
            (Operation::Command { only_reads, .. }, _) if !only_reads => Repetition::Once,
            _ => Repetition::Safe,
        }
    }

    async fn execute(&self, request: &Request, context: &CallContext) -> Outcome {
        self.call(request, context).await.into()
    }

    async fn probe(&self, request: &Request, context: &CallContext) -> Probe {
        match self.ask(request, context).await {
            Ok(probe) => probe,
            Err(failure) => {
                context.warn(format!("whether the change was made cannot be found out now: {}", failure.detail()));
                Probe::CannotTell
            }
        }
    }

    fn may_plan(&self, _with: &Value) -> bool {
        true
    }

    async fn plan(&self, request: &Request, context: &CallContext) -> Result<Option<CallPlan>, Failure> {
        let (connection, operation) = parts(request)?;
        let Operation::Change(change) = operation else { return Ok(None) };
        let place = request.with.get("host").and_then(Value::as_str).unwrap_or(&connection.name);
        // A change is tried in the candidate alone. Whoever holds that keeps runs from their changes and confirmations.
        if connection.kind == NETCONF {
            return Ok(Some(CallPlan::unasked(format!(
                "{place} is not asked: to try a change takes the device's one candidate, which a run may need"
            ))));
        }
        let planned = self.perform(Operation::Plan(change), connection, request, context).await?;
        if planned.get("changed") == Some(&Value::Bool(false)) {
            return Ok(Some(CallPlan::nothing(format!("the configuration of {place} is so already"))));
        }
        let difference = planned.get("diff").and_then(Value::as_str).unwrap_or_default();
        Ok(Some(CallPlan::changes(format!("changes the configuration of {place}")).with_difference(difference)))
    }

    async fn check(&self, connection: &ResolvedConnection) -> Vec<CheckStep> {
        match connection.kind.as_str() {
            NETCONF => netconf::check(&self.policy, connection).await,
            DEVICE => device::check(&self.policy, connection).await,
            _ => restconf::check(&self.http, connection).await,
        }
    }

    fn describe(&self, with: &Value) -> System {
        let text = |name: &str| with.get(name).and_then(Value::as_str);
        let target = text("host").or_else(|| self.connection_name(with)).unwrap_or_default();
        System { title: "Network device".to_owned(), target: target.to_owned() }
    }
}
