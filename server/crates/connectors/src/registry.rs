//! [`Registry`]: the connectors of a server.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use domain::{
    Name, Timestamp,
    view::{CallPlan, CheckStep, ConnectionCheck},
};
use jsonschema::Validator;
use serde_json::Value;
use store::StoreError;
use workflow::{Capability, FunctionCatalogue, ResourceResolver, RunError, StandardError};

use crate::{
    CallContext, ConnectionKind, Connections, Connector, Failure, FailureKind, FunctionSpec, NoLog, Outcome, Probe,
    Repetition, Request, ResolvedConnection, System, arguments,
    egress::{Egress, EgressPolicy},
    watch::Source,
};

/// How long a connection test may take.
const CHECK_LIMIT: Duration = Duration::from_secs(30);

/// How long another system may take to say what a call would change.
pub const PLAN_LIMIT: Duration = Duration::from_secs(5);

/// A set of connectors that does not fit together: a mistake in the program, found at start.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Two connectors offer a function of the same name.
    #[error("the function {0} is offered twice")]
    FunctionTwice(&'static str),
    /// Two connectors offer a kind of connection of the same name.
    #[error("the connection kind {0} is offered twice")]
    KindTwice(&'static str),
    /// A schema is no JSON Schema.
    #[error("the schema of {0} is not valid: {1}")]
    Schema(&'static str, String),
}

/// A call whose arguments are evaluated, before they are checked. Has no `Debug`: they may hold secrets.
pub struct Call<'a> {
    /// The function that the task calls.
    pub function: &'a str,
    /// Evaluated arguments, sealed values opened.
    pub with: Value,
    /// The workflow's namespace.
    pub namespace: &'a Name,
    /// Whether the definition declares that calling twice does no harm.
    pub idempotent: bool,
}

struct Function {
    spec: FunctionSpec,
    validator: Validator,
    connector: Arc<dyn Connector>,
}

struct Kind {
    kind: ConnectionKind,
    connector: Arc<dyn Connector>,
}

/// The connectors of a server, by the functions and connection kinds that they offer.
pub struct Registry {
    functions: BTreeMap<&'static str, Function>,
    kinds: BTreeMap<&'static str, Kind>,
    catalogue: FunctionCatalogue,
    egress: Egress,
}

impl Function {
    /// Whether a call with these arguments only reads.
    fn reads(&self, with: &Value) -> bool {
        let name = with.get("operation").and_then(Value::as_str);
        self.spec.operations.iter().any(|operation| Some(operation.name) == name && operation.reads)
    }

    fn can_plan(&self, with: &Value) -> bool {
        !self.reads(with) && self.connector.may_plan(with)
    }
}

impl Registry {
    /// Takes the connectors in.
    pub fn new(connectors: Vec<Arc<dyn Connector>>) -> Result<Self, RegistryError> {
        let mut functions = BTreeMap::new();
        let mut kinds = BTreeMap::new();
        let mut catalogue = FunctionCatalogue::new();
        for connector in connectors {
            for spec in connector.functions() {
                let name = spec.name;
                let validator =
                    arguments::compile(&spec.with).map_err(|message| RegistryError::Schema(name, message))?;
                catalogue
                    .register(name, spec.with.clone(), spec.system)
                    .map_err(|error| RegistryError::Schema(name, error.to_string()))?;
                let function = Function { spec, validator, connector: Arc::clone(&connector) };
                if functions.insert(name, function).is_some() {
                    return Err(RegistryError::FunctionTwice(name));
                }
            }
            for kind in connector.connection_kinds().into_iter().map(ConnectionKind::with_limits) {
                let name = kind.name;
                arguments::compile(&kind.settings).map_err(|message| RegistryError::Schema(name, message))?;
                if kinds.insert(name, Kind { kind, connector: Arc::clone(&connector) }).is_some() {
                    return Err(RegistryError::KindTwice(name));
                }
            }
        }
        Ok(Self { functions, kinds, catalogue, egress: Egress::default() })
    }

    /// Says what calls may reach; without, whatever [`EgressPolicy::default`] permits.
    pub fn guard(&mut self, egress: Egress) {
        self.egress = egress;
    }

    /// What calls of runs of a namespace may reach: for [`CallContext::egress`].
    #[must_use]
    pub fn egress(&self, namespace: &Name) -> Arc<EgressPolicy> {
        self.egress.of(namespace)
    }

    /// The functions by name.
    pub fn functions(&self) -> impl Iterator<Item = &FunctionSpec> {
        self.functions.values().map(|function| &function.spec)
    }

    /// The functions as a definition is checked against them.
    #[must_use]
    pub fn function_catalogue(&self) -> &FunctionCatalogue {
        &self.catalogue
    }

    /// Says what the engine behind these connectors can do beside calling them.
    pub fn allow(&mut self, capabilities: impl IntoIterator<Item = Capability>) {
        self.catalogue.allow(capabilities);
    }

    /// Has functions of catalogs and schemas that are elsewhere read by this, when a definition is stored: see
    /// [`FunctionCatalogue::resolve_with`].
    pub fn resolve_with(&mut self, resolver: Arc<dyn ResourceResolver>) {
        self.catalogue.resolve_with(resolver);
    }

    /// Says of a function that it is not served here, and why: see [`FunctionCatalogue::withhold`].
    pub fn withhold(&mut self, name: &str, reason: &str) {
        self.catalogue.withhold(name, reason);
    }

    /// The kinds of connection by name.
    pub fn connection_kinds(&self) -> impl Iterator<Item = &ConnectionKind> {
        self.kinds.values().map(|kind| &kind.kind)
    }

    /// One kind of connection.
    #[must_use]
    pub fn connection_kind(&self, name: &str) -> Option<&ConnectionKind> {
        self.kinds.get(name).map(|kind| &kind.kind)
    }

    /// How triggers see what has come over connections of a kind; none where nothing can come.
    #[must_use]
    pub fn source(&self, kind: &str) -> Option<&dyn Source> {
        self.kinds.get(kind).and_then(|kind| kind.connector.source())
    }

    /// The JSON Schema of a kind's settings; `writeOnly: true` marks the secret ones.
    #[must_use]
    pub fn settings_schema(&self, kind: &str) -> Option<&Value> {
        self.connection_kind(kind).map(|kind| &kind.settings)
    }

    /// Which system a task touches, for people. `with` may hold expressions. None for functions that are not a
    /// connector's (`approval`).
    #[must_use]
    pub fn describe(&self, function: &str, with: &Value) -> Option<System> {
        self.functions.get(function).map(|function| function.connector.describe(with))
    }

    /// The name of the connection that a task uses, as written in the definition.
    #[must_use]
    pub fn connection_name<'a>(&self, function: &str, with: &'a Value) -> Option<&'a str> {
        self.functions.get(function).and_then(|function| function.connector.connection_name(with))
    }

    /// Checks a call's arguments and resolves the connection that they name.
    ///
    /// Nothing has been sent when this fails.
    pub async fn prepare(&self, call: Call<'_>, connections: &dyn Connections) -> Result<Request, Failure> {
        let function = self
            .functions
            .get(call.function)
            .ok_or_else(|| Failure::configuration(format!("this server has no function “{}”", call.function)))?;
        let errors = arguments::check_compiled(&function.validator, &call.with);
        if !errors.is_empty() {
            let detail = format!("the arguments of {}: {}", call.function, arguments::sentence(&errors));
            return Err(Failure::permanent(RunError::new(StandardError::Validation, detail)));
        }
        let connection = match function.connector.connection_name(&call.with) {
            Some(name) => {
                let kinds = &function.spec.connection_kinds;
                Some(Arc::new(connections.resolve(name, kinds, call.namespace).await?))
            }
            None if function.spec.needs_connection => {
                return Err(Failure::configuration(format!("{} needs a connection", call.function)));
            }
            None => None,
        };
        Ok(Request { function: call.function.to_owned(), with: call.with, connection, idempotent: call.idempotent })
    }

    /// What may be done about a call of which nobody knows whether it happened.
    #[must_use]
    pub fn repetition(&self, request: &Request) -> Repetition {
        match self.functions.get(request.function.as_str()) {
            Some(function) => match function.connector.repetition(request) {
                Repetition::Once if request.idempotent => Repetition::Safe,
                repetition => repetition,
            },
            None => Repetition::Once,
        }
    }

    /// Makes the call, until the context's deadline or its cancellation.
    pub async fn execute(&self, request: &Request, context: &CallContext) -> Outcome {
        let Some(function) = self.functions.get(request.function.as_str()) else {
            let detail = format!("this server has no function “{}”", request.function);
            return Outcome::Permanent(RunError::new(StandardError::Configuration, detail));
        };
        let stopped = |kind, words: &str| match self.repetition(request) {
            Repetition::Safe => Outcome::Lost(RunError::new(kind, words)),
            Repetition::Probe | Repetition::Once => {
                Outcome::Unknown(RunError::new(kind, format!("{words}; look there whether it was done")))
            }
        };
        tokio::select! {
            // A connector that is late by itself knows more about it.
            biased;
            outcome = function.connector.execute(request, context) => outcome,
            () = context.cancelled.cancelled() => {
                stopped(StandardError::Runtime, "the call was stopped while it was under way")
            }
            () = tokio::time::sleep(context.time_left()), if context.is_limited() => {
                stopped(StandardError::Timeout, "the call took longer than it may; give the task more time")
            }
        }
    }

    /// Asks the other system whether the call happened.
    pub async fn probe(&self, request: &Request, context: &CallContext) -> Probe {
        let Some(function) = self.functions.get(request.function.as_str()) else { return Probe::CannotTell };
        tokio::select! {
            probe = function.connector.probe(request, context) => probe,
            () = context.cancelled.cancelled() => Probe::CannotTell,
            () = tokio::time::sleep(context.time_left()) => Probe::CannotTell,
        }
    }

    /// Whether a call may change something of which [`Registry::plan`] may say what.
    #[must_use]
    pub fn can_plan(&self, function: &str, with: &Value) -> bool {
        self.functions.get(function).is_some_and(|function| function.can_plan(with))
    }

    /// Whether a call with these arguments only reads; with none, whether all of its function's operations do.
    #[must_use]
    pub fn only_reads(&self, function: &str, with: Option<&Value>) -> bool {
        let Some(function) = self.functions.get(function) else { return false };
        let operations = &function.spec.operations;
        with.map_or_else(
            || !operations.is_empty() && operations.iter().all(|operation| operation.reads),
            |with| function.reads(with),
        )
    }

    /// Whether [`Registry::look`] may make a call.
    #[must_use]
    pub fn can_look(&self, function: &str, with: &Value) -> bool {
        let function = self.functions.get(function);
        function.is_some_and(|function| function.reads(with) && function.connector.may_look(with))
    }

    /// Makes a call beforehand that only reads, with the checks and limits of [`Registry::plan`]. None where it may not be made
    /// then, or fails.
    ///
    /// The arguments must hold no secrets.
    pub async fn look(&self, call: Call<'_>, connections: &dyn Connections, context: &CallContext) -> Option<Value> {
        if !self.can_look(call.function, &call.with) {
            return None;
        }
        let context = self.of_question(call.namespace, context);
        let looking = async {
            let request = self.prepare(call, connections).await.ok()?;
            match self.execute(&request, &context).await {
                Outcome::Done(output) => Some(output),
                _ => None,
            }
        };
        tokio::time::timeout(PLAN_LIMIT, looking).await.ok().flatten()
    }

    /// A context in which other systems are asked before a call is made.
    fn of_question(&self, namespace: &Name, context: &CallContext) -> CallContext {
        CallContext {
            deadline: Some(context.clock.now() + PLAN_LIMIT),
            egress: self.egress(namespace),
            log: Arc::new(NoLog),
            messages: None,
            ..context.clone()
        }
    }

    /// Asks the other system what a call would change, with the checks of [`Registry::prepare`], over the connection that the
    /// namespace may use, and within what it may reach; whatever the context says of that, and of time and log, is not
    /// taken. None where nothing can be said, as [`Registry::can_plan`] says beforehand of some. At most [`PLAN_LIMIT`].
    ///
    /// The arguments must hold no secrets.
    pub async fn plan(&self, call: Call<'_>, connections: &dyn Connections, context: &CallContext) -> Option<CallPlan> {
        let function = self.functions.get(call.function).filter(|function| function.can_plan(&call.with))?;
        let context = self.of_question(call.namespace, context);
        let asking = async {
            let request = self.prepare(call, connections).await?;
            function.connector.plan(&request, &context).await
        };
        let planned = tokio::select! {
            planned = asking => planned,
            () = context.cancelled.cancelled() => return None,
            () = tokio::time::sleep(PLAN_LIMIT) => {
                let seconds = PLAN_LIMIT.as_secs();
                return Some(CallPlan::unasked(format!("could not be asked because it did not answer in {seconds} seconds")));
            }
        };
        planned.unwrap_or_else(|failure| Some(unplanned(&failure)))
    }

    /// Tries a connection out. Changes nothing in the other system. At most 30 seconds.
    pub async fn check(&self, connection: &ResolvedConnection, now: Timestamp) -> ConnectionCheck {
        let steps = self.check_steps(connection).await;
        ConnectionCheck { ok: !steps.is_empty() && steps.iter().all(|step| step.ok), at: now, steps }
    }

    async fn check_steps(&self, connection: &ResolvedConnection) -> Vec<CheckStep> {
        let failed = |detail: String| vec![CheckStep { step: "settings".to_owned(), ok: false, detail }];
        let Some(kind) = self.kinds.get(connection.kind.as_str()) else {
            return failed(format!("this server knows no connections of kind “{}”", connection.kind));
        };
        let errors = arguments::check(&kind.kind.settings, connection.all_settings());
        if !errors.is_empty() {
            return failed(arguments::sentence(&errors));
        }
        tokio::time::timeout(CHECK_LIMIT, kind.connector.check(connection)).await.unwrap_or_else(|_| {
            vec![CheckStep {
                step: "connect".to_owned(),
                ok: false,
                detail: format!("no result within {} seconds", CHECK_LIMIT.as_secs()),
            }]
        })
    }
}

/// What it means that a call cannot be planned: that it would get the same clear no, or that nobody could be asked.
fn unplanned(failure: &Failure) -> CallPlan {
    let detail = failure.detail();
    let is_no = failure.error.is(StandardError::Validation) || matches!(failure.error.status, 404 | 409 | 412);
    if failure.kind == FailureKind::Permanent && is_no {
        CallPlan::fails(format!("would fail: {detail}"))
    } else {
        CallPlan::unasked(format!("could not be asked because {detail}"))
    }
}

/// What a failure of the database means to a call that has done nothing outside.
pub(crate) fn from_store(error: &StoreError) -> Failure {
    let detail = |text: &str| RunError::new(StandardError::Runtime, text);
    match error {
        StoreError::Unavailable(_) | StoreError::Conflict | StoreError::Heard => {
            Failure::retryable(detail("the database is not available at the moment"))
        }
        StoreError::Duplicate(what) => Failure::refused(409, format!("there is already one with this {what}")),
        StoreError::Reference(_) => Failure::refused(409, "other records still refer to it"),
        StoreError::NulCharacter => {
            Failure::permanent(RunError::new(StandardError::Validation, "a text holds the character NUL"))
        }
        StoreError::ReadOnly | StoreError::Schema(_) | StoreError::Inconsistent(_) | StoreError::Driver(_) => {
            tracing::error!(error = error as &dyn std::error::Error, "the database refused a connector's statement");
            Failure::permanent(detail("the database refused the change"))
        }
    }
}
