//! [`FunctionCatalogue`]: what `call` may name, and what else the engine behind it can do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jsonschema::Validator;
use serde_json::Value;

use crate::approval;

/// A part of the language that needs more from an engine than calls, timers and approvals. A definition that uses one
/// which the engine does not have is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// `emit`: publishes [`crate::Effect::Emit`].
    Emit,
    /// `listen`: serves [`crate::Effect::Subscribe`].
    Listen,
    /// `call: asyncapi` with a subscription: serves calls that stay in flight, and delivers
    /// [`crate::EventKind::MessageReceived`].
    Consume,
    /// `schedule`: starts runs by [`crate::Definition::schedule`].
    Schedule,
    /// `run.workflow`: serves calls of [`crate::process::WORKFLOW`].
    RunWorkflow,
    /// `run.shell`: serves calls of [`crate::process::SHELL`].
    RunShell,
    /// `run.script`: serves calls of [`crate::process::SCRIPT`].
    RunScript,
    /// `run.container`: serves calls of [`crate::process::CONTAINER`].
    RunContainer,
}

impl Capability {
    /// All there are.
    pub const ALL: [Self; 8] = [
        Self::Emit,
        Self::Listen,
        Self::Consume,
        Self::Schedule,
        Self::RunWorkflow,
        Self::RunShell,
        Self::RunScript,
        Self::RunContainer,
    ];

    /// How a definition writes it.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Emit => "emit",
            Self::Listen => "listen",
            Self::Consume => "asyncapi.subscription",
            Self::Schedule => "schedule",
            Self::RunWorkflow => "run.workflow",
            Self::RunShell => "run.shell",
            Self::RunScript => "run.script",
            Self::RunContainer => "run.container",
        }
    }
}

/// Gives the texts that a definition refers to: functions of catalogs, and schemas.
pub trait ResourceResolver: Send + Sync {
    /// The text at an absolute URI. `authentication` is the policy that the definition gives for it, as it is written.
    /// The default catalog's functions are at `catalog://default/functions/NAME/VERSION/function.yaml`.
    /// The error says in words why there is none.
    fn text(&self, uri: &str, authentication: Option<&Value>) -> Result<String, String>;
}

/// Names of functions with the JSON Schema of their `with`. `approval` is always there; connectors add theirs.
#[derive(Clone)]
pub struct FunctionCatalogue {
    functions: BTreeMap<String, Function>,
    withheld: BTreeMap<String, String>,
    capabilities: BTreeSet<Capability>,
    resolver: Option<Arc<dyn ResourceResolver>>,
}

impl fmt::Debug for FunctionCatalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FunctionCatalogue")
            .field("functions", &self.functions.keys())
            .field("capabilities", &self.capabilities)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone)]
struct Function {
    schema: Value,
    validator: Arc<Validator>,
    system: String,
}

/// A function's schema is no valid JSON Schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the schema of function “{function}” is invalid: {message}")]
pub struct InvalidSchema {
    /// The function.
    pub function: String,
    /// What is wrong.
    pub message: String,
}

impl FunctionCatalogue {
    /// The name of the function that the machine itself serves.
    pub const APPROVAL: &'static str = "approval";

    /// With `approval` only.
    pub fn new() -> Self {
        let mut catalogue = Self {
            functions: BTreeMap::new(),
            withheld: BTreeMap::new(),
            capabilities: BTreeSet::new(),
            resolver: None,
        };
        // The schema is our own and covered by a test; without it calls of `approval` would be refused as unknown.
        let _ = catalogue.register(Self::APPROVAL, approval::with_schema(), "Approval");
        catalogue
    }

    /// Adds a function or replaces it. `schema` describes the evaluated `with`; `system` says in a word or two which
    /// system is touched, for people (`Mail`, `LDAP directory`).
    pub fn register(&mut self, name: &str, schema: Value, system: &str) -> Result<(), InvalidSchema> {
        let invalid = |message: String| InvalidSchema { function: name.to_owned(), message };
        let validator = compile_schema(&schema).map_err(invalid)?;
        let function = Function { schema, validator: Arc::new(validator), system: system.to_owned() };
        self.functions.insert(name.to_owned(), function);
        Ok(())
    }

    /// Takes a function back that this engine cannot serve although others can. Definitions that call it are refused with
    /// this reason, which goes on after “it cannot be called here: ”.
    pub fn withhold(&mut self, name: &str, reason: &str) {
        self.functions.remove(name);
        self.withheld.insert(name.to_owned(), reason.to_owned());
    }

    /// Why a function cannot be called.
    pub(crate) fn withheld(&self, name: &str) -> Option<&str> {
        self.withheld.get(name).map(String::as_str)
    }

    /// Says that the engine can do this. Without it, definitions that need it are refused.
    pub fn allow(&mut self, capabilities: impl IntoIterator<Item = Capability>) {
        self.capabilities.extend(capabilities);
    }

    /// Whether the engine can do this.
    pub fn allows(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }

    /// Has functions of catalogs and schemas that are elsewhere read by this. Without one, definitions that refer to
    /// them are refused.
    pub fn resolve_with(&mut self, resolver: Arc<dyn ResourceResolver>) {
        self.resolver = Some(resolver);
    }

    pub(crate) fn resolver(&self) -> Option<&dyn ResourceResolver> {
        self.resolver.as_deref()
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.functions.keys().map(String::as_str)
    }

    /// The JSON Schema of a function's `with`.
    pub fn schema(&self, name: &str) -> Option<&Value> {
        self.functions.get(name).map(|function| &function.schema)
    }

    /// The system that a function touches, for people.
    pub fn system(&self, name: &str) -> Option<&str> {
        self.functions.get(name).map(|function| function.system.as_str())
    }

    pub(crate) fn validator(&self, name: &str) -> Option<Arc<Validator>> {
        self.functions.get(name).map(|function| Arc::clone(&function.validator))
    }
}

impl Default for FunctionCatalogue {
    fn default() -> Self {
        Self::new()
    }
}

/// Compiles a JSON Schema: draft 2020-12 unless it says otherwise, formats checked, patterns without backtracking,
/// nothing fetched.
pub(crate) fn compile_schema(schema: &Value) -> Result<Validator, String> {
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .should_ignore_unknown_formats(true)
        .with_pattern_options(jsonschema::PatternOptions::regex())
        .offline()
        .build(schema)
        .map_err(|error| error.to_string())
}
