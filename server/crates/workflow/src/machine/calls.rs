//! Calls and approvals: dispatching them, taking their answers, building their arguments.

use std::collections::BTreeSet;
use std::fmt;

use domain::{RunId, TaskStatus, Timestamp};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::Machine;
use super::faults::invalid_arguments;
use super::scope::{Scope, expression_error};
use super::state::{FrameId, RunState, Step, Target, Work};
use crate::approval::ApprovalArguments;
use crate::definition::model::{Call, TaskKind};
use crate::expression::as_expression;
use crate::{ApprovalRequest, CallId, CallTicket, Definition, Effect, FunctionCatalogue, RunError, StandardError};

/// Gives the values of secrets. Asked only while a call is being built, and only for declared names.
pub trait SecretSource {
    /// The secret's value; `None` if it does not exist or the run may not use it.
    fn secret(&self, name: &str) -> Option<Value>;
}

/// No secrets.
impl SecretSource for () {
    fn secret(&self, _: &str) -> Option<Value> {
        None
    }
}

/// A call with its arguments. The arguments may hold secrets: they are neither printed nor serialized.
#[derive(Clone, PartialEq)]
pub struct CallRequest {
    /// The run.
    pub run: RunId,
    /// This attempt.
    pub call: CallId,
    /// The function of the catalogue.
    pub function: String,
    /// JSON pointer to the task.
    pub reference: String,
    /// The task's name.
    pub name: String,
    /// The evaluated arguments.
    pub with: Value,
    /// The idempotency key.
    pub key: String,
    /// The number of this attempt, from 1.
    pub attempt: u32,
    /// When it must be given up.
    pub deadline: Option<Timestamp>,
    /// The values of the secrets that were used, to be redacted from whatever the call gives back.
    pub redact: Vec<String>,
}

impl fmt::Debug for CallRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallRequest")
            .field("run", &self.run)
            .field("call", &self.call)
            .field("function", &self.function)
            .field("reference", &self.reference)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

impl Machine<'_> {
    /// Sends the next attempt of a call out, or opens its approval.
    pub(super) fn dispatch(&mut self, frame: FrameId) {
        let definition = self.definition;
        let Some(state) = self.state.task(frame) else { return };
        let Some(TaskKind::Call(call)) = definition.task(state.task).map(|task| &task.kind) else { return };
        let key = state.key.clone();
        let attempts = self.state.attempts.entry(key).or_insert(0);
        *attempts += 1;
        let attempt = *attempts;
        self.state.counters.call += 1;
        let id = CallId(self.state.counters.call);
        let in_fork = self
            .state
            .ancestors(frame)
            .any(|ancestor| self.state.task(ancestor).is_some_and(|task| matches!(task.work, Work::Fork(_))));
        let idempotent = self.is_idempotent(frame);
        let context = in_fork.then(|| self.state.context.clone());
        self.state.calls.insert(id, frame);
        let Some(state) = self.state.task_mut(frame) else { return };
        state.record.call = Some(id);
        state.record.attempts += 1;
        state.record.status = TaskStatus::Running;
        if let Work::Call(work) = &mut state.work {
            work.call = Some(id);
            work.attempt = attempt;
            work.unknown = false;
            work.idempotent = idempotent;
            work.context = context;
        }
        if call.function == FunctionCatalogue::APPROVAL {
            self.open_approval(frame, id, call);
        } else if let Some(ticket) = ticket(self.state, frame) {
            self.effects.push(Effect::Call(ticket));
        }
        self.show(frame);
    }

    fn is_idempotent(&self, frame: FrameId) -> bool {
        let task = self.state.task(frame).and_then(|task| self.definition.task(task.task));
        task.is_some_and(|task| task.metadata.idempotent)
    }

    fn open_approval(&mut self, frame: FrameId, id: CallId, call: &Call) {
        let input = self.input(frame);
        let arguments = call
            .with
            .evaluate(&input, &self.scope(Some(frame)))
            .map_err(|error| expression_error(&error, "with"))
            .and_then(|with| check(call, &with).map(|()| with))
            .and_then(ApprovalArguments::read);
        let arguments = match arguments {
            Ok(arguments) => arguments,
            Err(error) => {
                self.state.calls.remove(&id);
                if let Some(state) = self.state.task_mut(frame)
                    && let Work::Call(work) = &mut state.work
                {
                    work.call = None;
                }
                self.raise(frame, error);
                return;
            }
        };
        let due = arguments.due.map(|due| self.state.now + due);
        let Some(state) = self.state.task_mut(frame) else { return };
        let request = Box::new(ApprovalRequest {
            call: id,
            reference: state.record.reference.clone(),
            name: state.record.name.clone(),
            rule: arguments.rule,
            title: arguments.title,
            message: arguments.message,
            due,
            input,
        });
        state.record.status = TaskStatus::Waiting;
        if let Work::Call(work) = &mut state.work {
            work.approval = Some(request.clone());
        }
        self.effects.push(Effect::OpenApproval(request));
        if let Some(due) = due {
            self.set_timer(due, Target::Due(frame));
        }
    }

    /// The task whose current attempt this is; the call is over with that.
    pub(super) fn answered(&mut self, call: CallId) -> Option<FrameId> {
        let frame = self.state.calls.remove(&call)?;
        let state = self.state.task_mut(frame)?;
        if let Work::Call(work) = &mut state.work {
            work.call = None;
            work.approval = None;
            work.unknown = false;
        }
        self.clear_timers(|target| target == Target::Due(frame));
        Some(frame)
    }

    /// Nobody knows whether the call happened.
    pub(super) fn call_unknown(&mut self, call: CallId) -> bool {
        let Some(frame) = self.state.calls.get(&call).copied() else { return false };
        let Some(state) = self.state.task_mut(frame) else { return false };
        let Work::Call(work) = &mut state.work else { return false };
        if work.unknown || work.approval.is_some() {
            return false;
        }
        if work.idempotent {
            self.answered(call);
            self.queue.push_back(Step::Dispatch { task: frame });
        } else {
            work.unknown = true;
            state.record.status = TaskStatus::Unknown;
            self.show(frame);
        }
        true
    }
}

/// The ticket of the call that a task has in flight.
pub(super) fn ticket(state: &RunState, frame: FrameId) -> Option<CallTicket> {
    let task = state.task(frame)?;
    let Work::Call(work) = &task.work else { return None };
    Some(CallTicket {
        call: work.call?,
        function: task.record.function.clone()?,
        reference: task.record.reference.clone(),
        name: task.record.name.clone(),
        attempt: work.attempt,
        idempotent: work.idempotent,
        key: idempotency_key(state, &task.key),
        deadline: deadline(state, frame),
        compensation: task.record.compensation,
    })
}

/// The same for all attempts of a task's execution, different for every other.
fn idempotency_key(state: &RunState, key: &str) -> String {
    let run = state.run.map(|run| run.to_string()).unwrap_or_default();
    hex::encode(Sha256::digest(format!("{run}|{key}").as_bytes()))
}

/// The earliest timeout that covers a task.
fn deadline(state: &RunState, frame: FrameId) -> Option<Timestamp> {
    let ancestors: BTreeSet<FrameId> = state.ancestors(frame).collect();
    let covers = |target: Target| match target {
        Target::RunTimeout => true,
        Target::TaskTimeout(frame) | Target::Attempt(frame) => ancestors.contains(&frame),
        _ => false,
    };
    state.timers.values().filter(|timer| covers(timer.target)).map(|timer| timer.at).min()
}

/// Builds the arguments of a call that is in flight. This is the only place that sees secrets; call it when the call is
/// dispatched, and journal an error as `CallFailed`.
pub fn build_call(
    definition: &Definition,
    state: &RunState,
    call: &CallId,
    secrets: &dyn SecretSource,
) -> Result<CallRequest, RunError> {
    let gone = || RunError::new(StandardError::Runtime, format!("call {call} is not in flight"));
    let frame = *state.calls.get(call).ok_or_else(gone)?;
    let task = state.task(frame).ok_or_else(gone)?;
    let ticket = ticket(state, frame).ok_or_else(gone)?;
    let (Some(TaskKind::Call(spec)), Work::Call(work)) =
        (definition.task(task.task).map(|task| &task.kind), &task.work)
    else {
        return Err(gone());
    };
    let at = |error: RunError| error.at(&task.record.reference);
    let input = task.record.input.clone().unwrap_or(Value::Null);
    let mut used = BTreeSet::new();
    spec.with.variables(&mut used);
    let mut scope = Scope::new(definition, state, Some(frame));
    scope.context = work.context.as_ref();
    let mut redact = Vec::new();
    if used.contains("secrets") {
        let mut named = BTreeSet::new();
        spec.with.secrets(&mut named);
        let mut values = Map::new();
        for name in &definition.secrets {
            match secrets.secret(name) {
                Some(value) => {
                    collect_text(&value, &mut redact);
                    values.insert(name.clone(), value);
                }
                None if named.contains(name) => {
                    let detail = format!("the secret “{name}” does not exist or may not be used by this run");
                    return Err(at(RunError::new(StandardError::Authorization, detail)));
                }
                None => {}
            }
        }
        scope = scope.with("secrets", Value::Object(values));
    }
    let with = spec.with.evaluate(&input, &scope);
    let mut with = with.map_err(|error| {
        // The message could quote a secret.
        let error = expression_error(&error, "with");
        let safe = redact.is_empty();
        at(if safe { error } else { RunError::new(StandardError::Expression, "with: the expression failed") })
    })?;
    if spec.function == "http" {
        expand_endpoint(&mut with, &input).map_err(at)?;
    }
    check(spec, &with).map_err(at)?;
    Ok(CallRequest {
        run: state.run.ok_or_else(gone)?,
        call: *call,
        function: ticket.function,
        reference: ticket.reference,
        name: ticket.name,
        with,
        key: ticket.key,
        attempt: ticket.attempt,
        deadline: ticket.deadline,
        redact,
    })
}

/// Checks evaluated arguments; the message names places, not values.
fn check(call: &Call, with: &Value) -> Result<(), RunError> {
    let faults: Vec<String> = call
        .schema
        .iter_errors(with)
        .take(5)
        .map(|error| format!("with{}: {}", error.instance_path(), error.masked()))
        .collect();
    if faults.is_empty() { Ok(()) } else { Err(invalid_arguments(faults.join("; "))) }
}

/// All text of a secret that is long enough to be told from other text.
fn collect_text(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) if text.chars().count() >= 4 => into.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect_text(item, into)),
        Value::Object(members) => members.values().for_each(|member| collect_text(member, into)),
        _ => {}
    }
}

/// Fills `{name}` in the endpoint of an HTTP call from the top level of the task's input, percent-encoded.
fn expand_endpoint(with: &mut Value, input: &Value) -> Result<(), RunError> {
    let Some(endpoint) = with.get_mut("endpoint") else { return Ok(()) };
    let uri = match endpoint {
        Value::Object(endpoint) => match endpoint.get_mut("uri") {
            Some(uri) => uri,
            None => return Ok(()),
        },
        uri => uri,
    };
    let Value::String(template) = uri else { return Ok(()) };
    if !template.contains('{') || as_expression(template).is_some() {
        return Ok(());
    }
    let mut expanded = String::new();
    let mut rest = template.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else {
            return Err(invalid_arguments("with/endpoint: a brace is not closed".to_owned()));
        };
        expanded.push_str(before);
        match input.get(name) {
            Some(Value::String(text)) => expanded.push_str(&urlencoding::encode(text)),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => expanded.push_str(&value.to_string()),
            _ => {
                let detail = format!("with/endpoint: the task's input has no text or number “{name}”");
                return Err(invalid_arguments(detail));
            }
        }
        rest = tail;
    }
    expanded.push_str(rest);
    *uri = Value::String(expanded);
    Ok(())
}
