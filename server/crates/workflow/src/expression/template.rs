//! Values with expressions inside.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Expression, ExpressionError, Variables};

/// The expression in a string that is exactly `${ … }` but for space around it.
pub(crate) fn as_expression(text: &str) -> Option<&str> {
    text.trim().strip_prefix("${")?.strip_suffix('}')
}

/// Any JSON value; each string in it that is `${ … }` stands for the expression's value.
#[derive(Debug)]
pub(crate) enum Template {
    Constant(Value),
    Expression(Expression),
    /// An expression, or the text itself where it cannot be evaluated (dsl.md, "Runtime Expressions", loose mode).
    Loose(Expression, String),
    List(Vec<Template>),
    Object(Vec<(String, Template)>),
}

impl Template {
    /// Compiles all expressions: texts that are `${ … }`, and if `loose` every text that is one; `problem` is told each one's JSON pointer (relative to the value) and fault.
    pub(crate) fn compile(value: &Value, known: &[&str], loose: bool, problem: &mut dyn FnMut(&str, String)) -> Self {
        Self::compile_at(value, known, loose, "", problem)
    }

    fn compile_at(
        value: &Value,
        known: &[&str],
        loose: bool,
        pointer: &str,
        problem: &mut dyn FnMut(&str, String),
    ) -> Self {
        if !loose && !contains_expression(value) {
            return Self::Constant(value.clone());
        }
        match value {
            Value::String(text) if loose => {
                match (as_expression(text), Expression::compile(as_expression(text).unwrap_or(text), known)) {
                    (_, Ok(expression)) => Self::Loose(expression, text.clone()),
                    (None, Err(_)) => Self::Constant(value.clone()),
                    // The braces say that it is meant to be one.
                    (Some(_), Err(message)) => {
                        problem(pointer, message);
                        Self::Constant(Value::Null)
                    }
                }
            }
            Value::String(text) => match Expression::compile(as_expression(text).unwrap_or(text), known) {
                Ok(expression) => Self::Expression(expression),
                Err(message) => {
                    problem(pointer, message);
                    Self::Constant(Value::Null)
                }
            },
            Value::Array(items) => Self::List(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| Self::compile_at(item, known, loose, &format!("{pointer}/{index}"), problem))
                    .collect(),
            ),
            Value::Object(entries) => Self::Object(
                entries
                    .iter()
                    .map(|(key, item)| {
                        let pointer = format!("{pointer}/{}", crate::source::escape_pointer(key));
                        (key.clone(), Self::compile_at(item, known, loose, &pointer, problem))
                    })
                    .collect(),
            ),
            other => Self::Constant(other.clone()),
        }
    }

    /// The value with every expression replaced by its result.
    pub(crate) fn evaluate(&self, input: &Value, variables: &dyn Variables) -> Result<Value, ExpressionError> {
        Ok(match self {
            Self::Constant(value) => value.clone(),
            Self::Expression(expression) => expression.evaluate(input, variables)?,
            Self::Loose(expression, text) => {
                expression.evaluate(input, variables).unwrap_or_else(|_| Value::String(text.clone()))
            }
            Self::List(items) => {
                Value::Array(items.iter().map(|item| item.evaluate(input, variables)).collect::<Result<_, _>>()?)
            }
            Self::Object(entries) => Value::Object(
                entries
                    .iter()
                    .map(|(key, item)| Ok((key.clone(), item.evaluate(input, variables)?)))
                    .collect::<Result<Map<_, _>, ExpressionError>>()?,
            ),
        })
    }

    /// All variables used inside.
    pub(crate) fn variables(&self, into: &mut BTreeSet<String>) {
        match self {
            Self::Constant(_) => {}
            Self::Expression(expression) | Self::Loose(expression, _) => {
                into.extend(expression.variables().map(str::to_owned));
            }
            Self::List(items) => items.iter().for_each(|item| item.variables(into)),
            Self::Object(entries) => entries.iter().for_each(|(_, item)| item.variables(into)),
        }
    }

    /// All secrets named inside.
    pub(crate) fn secrets(&self, into: &mut BTreeSet<String>) {
        match self {
            Self::Constant(_) => {}
            Self::Expression(expression) | Self::Loose(expression, _) => {
                into.extend(expression.secrets().map(str::to_owned));
            }
            Self::List(items) => items.iter().for_each(|item| item.secrets(into)),
            Self::Object(entries) => entries.iter().for_each(|(_, item)| item.secrets(into)),
        }
    }

    /// The object with another member, in which nothing is an expression.
    pub(crate) fn with_constant(self, name: &str, value: Value) -> Self {
        let mut entries = match self {
            Self::Object(entries) => entries,
            Self::Constant(Value::Object(members)) => {
                members.into_iter().map(|(name, value)| (name, Self::Constant(value))).collect()
            }
            other => return other,
        };
        entries.push((name.to_owned(), Self::Constant(value)));
        Self::Object(entries)
    }

    /// The part at a JSON pointer, down to the constant or expression that holds it. With it comes the rest of the way.
    pub(crate) fn at<'p>(&self, pointer: &'p str) -> Option<(&Self, &'p str)> {
        match (self, pointer.strip_prefix('/')) {
            (Self::Object(entries), Some(path)) => {
                let (name, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
                entries.iter().find(|(key, _)| key == name)?.1.at(rest)
            }
            _ => Some((self, pointer)),
        }
    }

    /// The value if nothing in it is an expression.
    pub(crate) fn constant(&self) -> Option<&Value> {
        match self {
            Self::Constant(value) => Some(value),
            _ => None,
        }
    }
}

/// Whether a string anywhere in the value is an expression.
pub(crate) fn contains_expression(value: &Value) -> bool {
    match value {
        Value::String(text) => as_expression(text).is_some(),
        Value::Array(items) => items.iter().any(contains_expression),
        Value::Object(entries) => entries.values().any(contains_expression),
        _ => false,
    }
}
