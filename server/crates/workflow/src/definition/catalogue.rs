//! [`FunctionCatalogue`]: what `call` may name.

use std::collections::BTreeMap;
use std::sync::Arc;

use jsonschema::Validator;
use serde_json::Value;

use crate::approval;

/// Names of functions with the JSON Schema of their `with`. `approval` is always there; connectors add theirs.
#[derive(Debug, Clone)]
pub struct FunctionCatalogue {
    functions: BTreeMap<String, Function>,
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
        let mut catalogue = Self { functions: BTreeMap::new() };
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
