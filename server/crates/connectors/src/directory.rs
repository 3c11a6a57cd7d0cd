//! `call: directory`: people and groups, in Rondo's own directory or in one reached by LDAP or SCIM.
//!
//! One set of operations over three kinds of connection. `builtin` works on the portal's own users and teams, each change
//! in one transaction with the record that it happened. `ldap` works on OpenLDAP and Active Directory, `scim` on what speaks
//! SCIM 2.0.

mod builtin;
mod ldap;
mod links;
mod operation;
mod password;
mod plan;
mod schema;
mod scim;

use std::sync::Arc;

use async_trait::async_trait;
use domain::{
    Timestamp, UserId,
    view::{CallPlan, CheckStep},
};
use identity::{passwords::Passwords, random::Random, vault::Vault};
use serde_json::Value;
use store::{Store, UnitOfWork};

pub use links::{LINK_LIFETIME, link_address, sealing_context};

use crate::{
    CallContext, ConnectionKind, Connector, Failure, FunctionSpec, OperationSpec, Outcome, Probe, Repetition, Request,
    ResolvedConnection, System, connection::Steps, http::Http,
};
use operation::Operation;

/// The kind of connection that stands for the portal's own users and teams.
pub const BUILTIN: &str = "builtin";
/// The kind of connection that speaks LDAP.
pub const LDAP: &str = "ldap";
/// The kind of connection that speaks SCIM.
pub const SCIM: &str = "scim";

/// A change in the built-in directory.
#[derive(Clone, Debug)]
pub struct DirectoryChange {
    /// The run that made it.
    pub run: domain::RunId,
    /// JSON pointer to the task that made it.
    pub reference: String,
    /// The operation, such as `createUser`.
    pub operation: &'static str,
    /// The sign-in name or group that was changed.
    pub subject: String,
    /// The person that was changed, where it is one.
    pub user: Option<UserId>,
    /// When.
    pub at: Timestamp,
}

/// Told of every change in the built-in directory within its transaction, so that it can be written down with it.
#[async_trait]
pub trait ChangeRecorder: Send + Sync {
    /// The change is about to be committed in `unit`; an error rolls it back.
    async fn record(&self, unit: &mut dyn UnitOfWork, change: &DirectoryChange) -> store::Result<()>;
}

/// Writes nothing down.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoRecorder;

#[async_trait]
impl ChangeRecorder for NoRecorder {
    async fn record(&self, _unit: &mut dyn UnitOfWork, _change: &DirectoryChange) -> store::Result<()> {
        Ok(())
    }
}

/// The portal itself: its own users and teams, and the one-time links by which people get passwords.
#[derive(Clone)]
pub struct Portal {
    /// Where they are.
    pub store: Arc<dyn Store>,
    /// Seals what an output must carry and nobody may read.
    pub vault: Arc<Vault>,
    /// Makes passwords and links.
    pub random: Arc<dyn Random>,
    /// Hashes passwords.
    pub passwords: Arc<Passwords>,
    /// Told of every change.
    pub recorder: Arc<dyn ChangeRecorder>,
}

/// Manages people and groups.
pub struct DirectoryConnector {
    http: Arc<Http>,
    portal: Portal,
}

/// The function `directory`, as definitions are checked against it.
#[must_use]
pub fn function() -> FunctionSpec {
    FunctionSpec {
        name: "directory",
        title: "Change or read a directory of people and groups",
        system: "Directory",
        with: schema::with(),
        output: schema::output(),
        operations: schema::OPERATIONS
            .iter()
            .map(|operation| OperationSpec {
                name: operation.name,
                title: operation.title,
                output: schema::output_of(operation),
                reads: operation.reads,
            })
            .collect(),
        needs_connection: true,
        connection_kinds: vec![BUILTIN, LDAP, SCIM],
        foresee,
    }
}

fn foresee(with: &Value) -> Option<String> {
    let text = |name: &str| with.get(name).and_then(Value::as_str);
    let operation = schema::OPERATIONS.iter().find(|operation| Some(operation.name) == text("operation"))?;
    let about: Vec<&str> = [text("group"), text("login")].into_iter().flatten().collect();
    Some(format!("{}: {}", operation.title, about.join(", ")))
}

impl DirectoryConnector {
    /// A connector that shares clients with others, and in its tests of connections reaches what they may.
    #[must_use]
    pub fn new(http: Arc<Http>, portal: Portal) -> Self {
        Self { http, portal }
    }

    async fn call(&self, request: &Request, context: &CallContext) -> Result<Value, Failure> {
        let operation = Operation::read(&request.with)?;
        let (name, subject) = (operation.name(), operation.subject());
        let result = match target(request)? {
            Target::Builtin => return builtin::Builtin { portal: &self.portal, context }.perform(operation).await,
            Target::Ldap(connection) => self.over_ldap(context).perform(connection, operation).await,
            Target::Scim(connection) => self.over_scim(context).perform(connection, operation).await,
        };
        match &result {
            Ok(_) => context.info(format!("{name} {subject}: done")),
            Err(failure) => context.warn(format!("{name} {subject}: {}", failure.detail())),
        }
        result
    }

    fn over_ldap<'a>(&'a self, context: &'a CallContext) -> ldap::Caller<'a> {
        ldap::Caller { portal: &self.portal, context }
    }

    fn over_scim<'a>(&'a self, context: &'a CallContext) -> scim::Caller<'a> {
        scim::Caller { http: &self.http, portal: &self.portal, context }
    }

    /// What the call of the context's key did, if it did.
    async fn done(&self, request: &Request, context: &CallContext) -> Result<Option<Value>, Failure> {
        let operation = Operation::read(&request.with)?;
        match target(request)? {
            Target::Builtin => builtin::recorded(&*self.portal.store, &context.key).await,
            Target::Ldap(connection) => self.over_ldap(context).find_created(connection, &operation).await,
            Target::Scim(connection) => self.over_scim(context).find_created(connection, &operation).await,
        }
    }
}

enum Target<'a> {
    Builtin,
    Ldap(&'a ResolvedConnection),
    Scim(&'a ResolvedConnection),
}

fn target(request: &Request) -> Result<Target<'_>, Failure> {
    match &request.connection {
        Some(connection) if connection.kind == BUILTIN => Ok(Target::Builtin),
        Some(connection) if connection.kind == LDAP => Ok(Target::Ldap(connection)),
        Some(connection) if connection.kind == SCIM => Ok(Target::Scim(connection)),
        _ => Err(Failure::configuration("a directory call needs a connection of kind builtin, ldap or scim")),
    }
}

#[async_trait]
impl Connector for DirectoryConnector {
    fn functions(&self) -> Vec<FunctionSpec> {
        vec![function()]
    }

    fn connection_kinds(&self) -> Vec<ConnectionKind> {
        vec![
            ConnectionKind {
                name: BUILTIN,
                title: "Rondo's own directory",
                summary: "The portal's own users and teams. Needs no settings.",
                function: "directory",
                settings: schema::builtin_settings(),
            },
            ConnectionKind {
                name: LDAP,
                title: "LDAP directory",
                summary: "OpenLDAP or Active Directory, over LDAPS or StartTLS.",
                function: "directory",
                settings: schema::ldap_settings(),
            },
            ConnectionKind {
                name: SCIM,
                title: "SCIM directory",
                summary: "People and groups of a service that speaks SCIM 2.0.",
                function: "directory",
                settings: schema::scim_settings(),
            },
        ]
    }

    fn repetition(&self, request: &Request) -> Repetition {
        let name = request.with.get("operation").and_then(Value::as_str).unwrap_or_default();
        let reads = schema::OPERATIONS.iter().any(|operation| operation.name == name && operation.reads);
        let builtin = matches!(target(request), Ok(Target::Builtin));
        if !reads && (builtin || name == "createUser" || name == "createGroup") {
            Repetition::Probe
        } else {
            Repetition::Safe
        }
    }

    async fn execute(&self, request: &Request, context: &CallContext) -> Outcome {
        self.call(request, context).await.into()
    }

    async fn probe(&self, request: &Request, context: &CallContext) -> Probe {
        match self.done(request, context).await {
            Ok(Some(output)) => Probe::Happened(output),
            Ok(None) => Probe::DidNotHappen,
            Err(failure) => {
                context.warn(format!("whether the change happened cannot be found out now: {}", failure.detail()));
                Probe::CannotTell
            }
        }
    }

    fn may_plan(&self, _with: &Value) -> bool {
        true
    }

    async fn plan(&self, request: &Request, context: &CallContext) -> Result<Option<CallPlan>, Failure> {
        let operation = Operation::read(&request.with)?;
        match target(request)? {
            Target::Builtin => builtin::Builtin { portal: &self.portal, context }.plan(&operation).await,
            Target::Ldap(connection) => self.over_ldap(context).plan(connection, &operation).await,
            Target::Scim(connection) => self.over_scim(context).plan(connection, &operation).await,
        }
    }

    fn may_look(&self, _with: &Value) -> bool {
        true
    }

    async fn check(&self, connection: &ResolvedConnection) -> Vec<CheckStep> {
        match connection.kind.as_str() {
            LDAP => return ldap::check(self.http.policy(), connection).await,
            SCIM => return scim::check(&self.http, connection).await,
            _ => {}
        }
        let mut steps = Steps::default();
        steps.pass("settings", "the portal's own directory needs none");
        steps.done()
    }

    fn describe(&self, with: &Value) -> System {
        let target = self.connection_name(with).unwrap_or_default();
        System { title: "Directory".to_owned(), target: target.to_owned() }
    }
}
