//! The variables that an expression of a run sees.

use std::borrow::Cow;

use domain::Timestamp;
use serde_json::{Map, Value, json};

use super::calls::authorization;
use super::state::{FrameId, FrameKind, Role, RunState, Stage};
use crate::expression::{ExpressionError, Variables};
use crate::{Definition, RunError, StandardError};

/// The variables at a frame.
pub(crate) struct Scope<'a> {
    pub(crate) definition: &'a Definition,
    pub(crate) state: &'a RunState,
    /// The task or list; none for the workflow's own expressions.
    pub(crate) frame: Option<FrameId>,
    /// Variables that exist only for this expression.
    pub(crate) extra: Map<String, Value>,
    /// The raw output, for `$task.output`.
    pub(crate) raw_output: Option<&'a Value>,
    /// `$context`, where it is not the run's current one.
    pub(crate) context: Option<&'a Value>,
}

impl<'a> Scope<'a> {
    pub(crate) fn new(definition: &'a Definition, state: &'a RunState, frame: Option<FrameId>) -> Self {
        Self { definition, state, frame, extra: Map::new(), raw_output: None, context: None }
    }

    pub(crate) fn with(mut self, name: &str, value: Value) -> Self {
        self.extra.insert(name.to_owned(), value);
        self
    }

    /// A variable that an enclosing list introduced.
    fn local(&self, name: &str) -> Option<&'a Value> {
        let mut at = self.frame;
        while let Some(frame) = at {
            let frame = self.state.frames.get(&frame)?;
            if let FrameKind::List(list) = &frame.kind {
                if let Some(value) = list.variables.get(name) {
                    return Some(value);
                }
                if list.role == Role::Function {
                    return None;
                }
            }
            at = frame.parent;
        }
        None
    }

    /// All local variables, for a compensation later on.
    pub(crate) fn locals(&self) -> Map<String, Value> {
        let mut locals = Map::new();
        let mut at = self.frame;
        while let Some(frame) = at.and_then(|frame| self.state.frames.get(&frame)) {
            if let FrameKind::List(list) = &frame.kind {
                for (name, value) in &list.variables {
                    locals.entry(name.clone()).or_insert_with(|| value.clone());
                }
                if list.role == Role::Function {
                    break;
                }
            }
            at = frame.parent;
        }
        locals
    }

    /// `$task`: within an extension, the task that is extended.
    pub(super) fn task(&self) -> Value {
        let extended = self.frame.and_then(|frame| {
            let is_around = |frame: &FrameId| {
                self.state.list(*frame).is_some_and(|list| matches!(list.role, Role::Before(_) | Role::After(_)))
            };
            let list = self.state.ancestors(frame).find(is_around)?;
            self.state.parent(list)
        });
        let Some(frame) = extended.or(self.frame).and_then(|frame| self.state.task(frame)) else { return Value::Null };
        let output = match (self.raw_output, frame.extended.as_ref().map(|extended| &extended.stage)) {
            (_, Some(Stage::After { output, .. })) if extended.is_some() => Some(output),
            (raw, _) => raw,
        };
        let definition = self.definition.task(frame.task).map_or(Value::Null, |task| task.raw.clone());
        json!({
            "name": frame.record.name,
            "reference": frame.record.reference,
            "definition": definition,
            "input": frame.raw_input,
            "output": output,
            "startedAt": date_time(frame.record.started_at),
        })
    }

    /// `$authorization`, where the task calls with a policy.
    fn authorization(&self) -> Option<Value> {
        let task = self.state.task(self.frame?)?;
        let call = self.definition.task(task.task)?.kind.call()?;
        let mut scope = Scope::new(self.definition, self.state, self.frame);
        scope.context = self.context;
        scope.extra.clone_from(&self.extra);
        // A policy cannot be made of itself.
        let scope = scope.with("authorization", Value::Null);
        authorization(call, task.record.input.as_ref()?, &scope, self.extra.contains_key("secrets"))
    }

    fn workflow(&self) -> Value {
        json!({
            "id": self.state.run,
            "definition": self.definition.value(),
            "input": self.state.input,
            "startedAt": date_time(self.state.started_at),
        })
    }
}

impl Variables for Scope<'_> {
    fn variable(&self, name: &str) -> Option<Cow<'_, Value>> {
        if let Some(value) = self.extra.get(name) {
            return Some(Cow::Borrowed(value));
        }
        if let Some(value) = self.local(name) {
            return Some(Cow::Borrowed(value));
        }
        match name {
            "context" => Some(Cow::Borrowed(self.context.unwrap_or(&self.state.context))),
            "input" => self.frame.and_then(|frame| self.state.task(frame)?.record.input.as_ref()).map(Cow::Borrowed),
            "authorization" => self.authorization().map(Cow::Owned),
            "task" => Some(Cow::Owned(self.task())),
            "workflow" => Some(Cow::Owned(self.workflow())),
            // The version is that of what expressions can rely on, so that a replay by a later release gives the same.
            "runtime" => Some(Cow::Owned(json!({"name": "rondo", "version": "1", "metadata": self.state.runtime}))),
            _ => None,
        }
    }
}

/// The specification's date and time descriptor.
fn date_time(at: Timestamp) -> Value {
    let micros = at.as_micros();
    json!({
        "iso8601": at.to_string(),
        "epoch": {"seconds": micros.div_euclid(1_000_000), "milliseconds": micros.div_euclid(1_000)},
    })
}

/// What a failed expression raises.
pub(crate) fn expression_error(error: &ExpressionError, place: &str) -> RunError {
    RunError::new(StandardError::Expression, format!("{place}: {error}"))
}
