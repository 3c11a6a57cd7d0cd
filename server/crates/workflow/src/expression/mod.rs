//! Runtime expressions: jq, restricted to what always ends, always gives the same result and stays within bounds.
//!
//! Three fences, one behind the other:
//! 1. the source is bounded before it is parsed (length, brackets, operators), so that no parser recursion overflows;
//! 2. the parsed expression passes an allow-list (`check`): no definitions, no recursion, nothing from outside;
//! 3. the evaluation is metered (`meter`): a fixed number of steps and bytes, and a bounded depth of values.
//!
//! To add a function: a row in `natives::table` (metered!) or in `library::DEFINITIONS` (jq over other functions).

mod arithmetic;
mod check;
mod library;
mod meter;
mod natives;
mod pattern;
mod template;
mod text;
mod value;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Ctx, Vars};
use serde_json::Value;

pub use check::MAX_EXPRESSION_BYTES;
pub use meter::{MAX_BYTES, MAX_STEPS, MAX_VALUE_DEPTH};
pub(crate) use template::{Template, as_expression, contains_expression};

use library::Data;
use meter::Exceeded;
use value::V;

/// The largest result of an expression, as JSON, in bytes.
pub const MAX_RESULT_BYTES: usize = 1024 * 1024;

/// Gives the values of the global variables that an expression uses.
pub trait Variables {
    /// The value of `$name`; `None` counts as null.
    fn variable(&self, name: &str) -> Option<Cow<'_, Value>>;
}

/// No variables.
impl Variables for () {
    fn variable(&self, _: &str) -> Option<Cow<'_, Value>> {
        None
    }
}

/// Variables by name.
impl Variables for serde_json::Map<String, Value> {
    fn variable(&self, name: &str) -> Option<Cow<'_, Value>> {
        self.get(name).map(Cow::Borrowed)
    }
}

/// Why an expression gave no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// The expression itself failed: wrong types, `error(…)`.
    #[error("{0}")]
    Failed(String),
    /// It yields several values where one is needed.
    #[error("the expression yields more than one value; collect them with [ ]")]
    Several,
    /// A bound was exceeded.
    #[error("the expression needs more than the allowed {0}")]
    Exceeded(&'static str),
}

/// A checked and compiled expression.
pub struct Expression {
    source: String,
    filter: jaq_core::Filter<Data>,
    /// In the order in which the filter expects them.
    variables: Vec<String>,
    secrets: BTreeSet<String>,
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.source).finish()
    }
}

impl Expression {
    /// Compiles jq without the braces of `${ … }`. `known` are the variables that exist at its place, without `$`.
    /// The error says what is wrong in words for the author.
    pub fn compile(source: &str, known: &[&str]) -> Result<Self, String> {
        let uses = check::check(source, known)?;
        let variables: Vec<String> = uses.variables.iter().cloned().collect();
        let globals: Vec<String> = variables.iter().map(|name| format!("${name}")).collect();
        let (definitions, functions) = library::closure(&uses.functions);
        let arena = Arena::default();
        let modules = Loader::new(definitions)
            .load(&arena, File { code: source, path: () })
            .map_err(|_| "cannot read the expression".to_owned())?;
        let filter = jaq_core::Compiler::default()
            .with_funs(functions)
            .with_global_vars(globals.iter().map(String::as_str))
            .compile(modules)
            .map_err(|errors| {
                let undefined = errors.into_iter().flat_map(|(_, errors)| errors).map(|(name, _)| name.to_owned());
                format!("undefined: {}", undefined.collect::<Vec<_>>().join(", "))
            })?;
        Ok(Self { source: source.to_owned(), filter, variables, secrets: uses.secrets })
    }

    /// The expression as written, without braces.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The global variables it uses, without `$`.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(String::as_str)
    }

    /// The secrets it names directly (`$secrets.name`).
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(String::as_str)
    }

    /// Evaluates with `.` being `input`. No value counts as null; several are an error.
    pub fn evaluate(&self, input: &Value, variables: &dyn Variables) -> Result<Value, ExpressionError> {
        let input = V::from_json(input);
        let values: Vec<V> = self
            .variables
            .iter()
            .map(|name| variables.variable(name).map_or(V::Null, |value| V::from_json(&value)))
            .collect();
        let outcome = meter::bounded(|| {
            let context = Ctx::<Data>::new(&self.filter.lut, Vars::new(values));
            let mut results = self.filter.id.run((context, input));
            let first = match results.next() {
                None => return Ok(Some(Value::Null)),
                Some(Ok(first)) => first,
                Some(Err(error)) => return Err(message(error)),
            };
            match results.next() {
                None => {}
                Some(Ok(_)) => return Err(ExpressionError::Several),
                Some(Err(error)) => return Err(message(error)),
            }
            let mut budget = MAX_RESULT_BYTES;
            Ok(first.to_json(&mut budget))
        });
        match outcome {
            Ok(Ok(Some(value))) => Ok(value),
            Ok(Ok(None)) => Err(ExpressionError::Exceeded("1 MiB of result")),
            Ok(Err(error)) => Err(error),
            Err(Exceeded::Steps) => Err(ExpressionError::Exceeded("500,000 steps")),
            Err(Exceeded::Bytes) => Err(ExpressionError::Exceeded("64 MiB of memory")),
            Err(Exceeded::Depth) => Err(ExpressionError::Exceeded("64 levels of nesting")),
            Err(Exceeded::Defect) => Err(ExpressionError::Failed("the expression cannot be evaluated".to_owned())),
        }
    }

    /// Evaluates a condition: null and false do not hold, all else does.
    pub fn holds(&self, input: &Value, variables: &dyn Variables) -> Result<bool, ExpressionError> {
        Ok(!matches!(self.evaluate(input, variables)?, Value::Null | Value::Bool(false)))
    }
}

fn message(exception: jaq_core::Exn<'_, V>) -> ExpressionError {
    let text = match exception.get_err() {
        Ok(error) => match error.clone().into_val() {
            // `error("text")` says exactly that.
            V::Text(text) => text.to_string(),
            _ => error.to_string(),
        },
        Err(_) => "the expression cannot be evaluated".to_owned(),
    };
    ExpressionError::Failed(text.chars().take(500).collect())
}

#[cfg(test)]
mod tests;
