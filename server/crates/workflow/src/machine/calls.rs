//! Calls and approvals: dispatching them, taking their answers, building their arguments.

use std::collections::BTreeSet;
use std::fmt;

use base64::Engine as _;
use domain::{Name, RunId, TaskStatus, Timestamp};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::faults::invalid_arguments;
use super::scope::{Scope, expression_error};
use super::state::{Asks, Detached, DetachedArguments, FrameId, Phase, Remembered, RunState, Step, Target, Work};
use super::{Machine, depth_problem};
use crate::approval::{ApprovalArguments, OnDue};
use crate::definition::authentication::{endpoints, policies};
use crate::definition::model::{Call, TaskIndex, TaskKind};
use crate::diagnostic::suggestion;
use crate::expression::{Template, Variables};
use crate::{
    ApprovalRequest, CallId, CallTicket, Definition, Effect, FunctionCatalogue, RunError, StandardError, process,
};

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
    /// The evaluated arguments. Authentication policies in them are written out, whatever the definition named:
    /// `{"basic": {"username": …, "password": …}}`, `{"bearer": {"token": …}}`, `digest`, `certificate`, `oauth2` and `oidc`
    /// likewise, with exactly one member; so are URI templates.
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
        let Some(kind) = definition.task(state.task).map(|task| &task.kind) else { return };
        let Some(call) = kind.call() else { return };
        let key = state.key.clone();
        let had = state.work.call().map_or(0, |work| work.attempt);
        let apart = self.state.is_apart(frame);
        let superseded = self.supersede(frame);
        let attempts = self.state.attempts.entry(key).or_insert(had);
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
        if let Some(work) = state.work.call_mut() {
            work.call = Some(id);
            work.attempt = attempt;
            work.unknown = false;
            work.idempotent = idempotent;
            work.doubtful |= superseded;
            if !apart {
                work.context = context;
            }
        }
        if call.function == process::WORKFLOW {
            self.note_gate(frame, Asks::Workflow);
        }
        if call.function == FunctionCatalogue::APPROVAL {
            self.open_approval(frame, id, call);
        } else if matches!(kind, TaskKind::Run(run) if !run.awaited) {
            self.detach(frame, id, call);
            return;
        } else if let Some(ticket) = ticket(self.state, frame) {
            self.effects.push(Effect::Call(ticket));
        }
        self.show(frame);
    }

    /// Dispatches a process that nobody waits for, and goes on.
    fn detach(&mut self, frame: FrameId, id: CallId, call: &Call) {
        let input = self.input(frame);
        let arguments = if reads_secrets(call) {
            self.remembered(frame, call, &input).map(|remembered| DetachedArguments::From(Box::new(remembered)))
        } else {
            arguments(call, &input, &self.scope(Some(frame))).map(DetachedArguments::With)
        };
        let ticket = ticket(self.state, frame);
        self.answered(id);
        match (arguments, ticket) {
            (Ok(arguments), Some(ticket)) => {
                // It outlives the task and whatever limits the task's time.
                let ticket = CallTicket { deadline: None, ..ticket };
                self.state.detached.insert(id, Detached { ticket: ticket.clone(), arguments });
                self.effects.push(Effect::Call(ticket));
                self.complete(frame, &input, None);
            }
            (Err(error), _) => self.raise(frame, error),
            (Ok(_), None) => {}
        }
    }

    /// What the arguments of a call are evaluated from when its task is over.
    fn remembered(&self, frame: FrameId, call: &Call, input: &Value) -> Result<Remembered, RunError> {
        // Nobody is told later on.
        declared(self.definition, call)?;
        let scope = self.scope(Some(frame));
        let mut used = BTreeSet::new();
        call.with.variables(&mut used);
        used.remove("secrets");
        let values = used.into_iter().filter_map(|name| {
            let value = scope.variable(&name)?.into_owned();
            Some((name, value))
        });
        let task = self.state.task(frame).map(|task| task.task);
        let task = task.ok_or_else(|| RunError::new(StandardError::Runtime, "the task is gone"))?;
        Ok(Remembered { task, input: input.clone(), variables: values.collect() })
    }

    /// A call was answered with a result.
    pub(super) fn call_done(&mut self, frame: FrameId, answer: &Value) {
        if self.correction_approved(frame) {
            return;
        }
        if let Some(error) = depth_problem(answer) {
            self.remember_without_output(frame);
            self.raise(frame, error);
            return;
        }
        if self.consumes(frame) {
            // The stream has ended; what came of it is the output.
            self.stop_consuming(frame);
            return;
        }
        let definition = self.definition;
        let task = self.state.task(frame).and_then(|task| definition.task(task.task));
        match task.map(|task| &task.kind) {
            Some(TaskKind::Run(run)) => match run.returns.of(&run.call.function, answer) {
                Ok(output) => self.complete(frame, &output, None),
                Err(error) => self.raise(frame, error),
            },
            _ => self.complete(frame, answer, None),
        }
    }

    fn is_idempotent(&self, frame: FrameId) -> bool {
        let task = self.state.task(frame).and_then(|task| self.definition.task(task.task));
        // To subscribe once more does no harm.
        task.is_some_and(|task| task.metadata.idempotent || matches!(task.kind, TaskKind::Consume(_)))
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
                    && let Some(work) = state.work.call_mut()
                {
                    work.call = None;
                }
                self.raise(frame, error);
                return;
            }
        };
        let timing = arguments.timing;
        // By a calendar only the engine can tell.
        let due = timing.due.filter(|_| timing.calendar.is_none()).map(|due| self.state.now + due);
        let timer = due.filter(|_| timing.on_due.ends());
        let Some(state) = self.state.task_mut(frame) else { return };
        let request = Box::new(ApprovalRequest {
            call: id,
            reference: state.record.reference.clone(),
            name: state.record.name.clone(),
            rule: arguments.rule,
            title: arguments.title,
            message: arguments.message,
            due,
            timing,
            form: arguments.form,
            narrow: arguments.narrow,
            input,
            changed_by: None,
        });
        state.record.status = TaskStatus::Waiting;
        if let Work::Call(work) = &mut state.work {
            work.approval = Some(request.clone());
        }
        self.effects.push(Effect::OpenApproval(request));
        if let Some(due) = timer {
            self.set_timer(due, Target::Due(frame));
        }
    }

    /// The open approval of a call.
    fn approval_of(&self, call: CallId) -> Option<(FrameId, &ApprovalRequest)> {
        let frame = *self.state.calls.get(&call)?;
        Some((frame, self.state.task(frame)?.work.call()?.approval.as_deref()?))
    }

    /// The due time of an approval has come.
    pub(super) fn approval_due(&mut self, call: CallId) -> bool {
        let Some((frame, request)) = self.approval_of(call) else { return false };
        let ends = request.timing.on_due.ends();
        if ends {
            self.overdue(frame);
        }
        ends
    }

    /// Ends an approval that nobody decided in time.
    pub(super) fn overdue(&mut self, frame: FrameId) {
        const LATE: &str = "nobody decided in time";
        let request = self.state.task(frame).and_then(|task| task.work.call()?.approval.as_ref());
        let cancels = request.is_some_and(|request| request.timing.on_due == OnDue::Cancel);
        if cancels && self.state.phase == Phase::Running {
            self.cancel(Some(LATE));
        } else {
            self.raise(frame, RunError::rejected(LATE));
        }
    }

    /// Asks more people about an approval.
    pub(super) fn escalate(&mut self, call: CallId) -> bool {
        let Some((_, request)) = self.approval_of(call) else { return false };
        let request = Box::new(request.clone());
        self.effects.push(Effect::Escalate(request));
        true
    }

    /// Opens an approval that is open once more: who is asked is to be looked up again.
    pub(super) fn ask_again(&mut self, call: CallId) -> bool {
        let Some((_, request)) = self.approval_of(call) else { return false };
        let request = Box::new(request.clone());
        self.effects.push(Effect::OpenApproval(request));
        true
    }

    /// The task whose current attempt this is; the call is over with that.
    pub(super) fn answered(&mut self, call: CallId) -> Option<FrameId> {
        let frame = self.state.calls.remove(&call)?;
        let state = self.state.task_mut(frame)?;
        if let Some(work) = state.work.call_mut() {
            work.call = None;
            work.unknown = false;
            if let Some(request) = work.approval.take() {
                self.note_gate(frame, Asks::People(request.rule));
            }
        }
        self.clear_timers(|target| target == Target::Due(frame));
        Some(frame)
    }

    /// The attempts that a task's call has had may have happened, or are known not to have.
    pub(super) fn doubt(&mut self, frame: FrameId, doubtful: bool) {
        if let Some(work) = self.state.task_mut(frame).and_then(|task| task.work.call_mut()) {
            work.doubtful = doubtful;
        }
    }

    /// Nobody knows whether the call happened.
    pub(super) fn call_unknown(&mut self, call: CallId) -> bool {
        let Some(frame) = self.state.calls.get(&call).copied() else { return false };
        let Some(state) = self.state.task_mut(frame) else { return false };
        let Some(work) = state.work.call_mut() else { return false };
        if work.unknown || work.approval.is_some() {
            return false;
        }
        if work.idempotent {
            self.answered(call);
            self.doubt(frame, true);
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
    let work = task.work.call()?;
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
        subscribes: matches!(task.work, Work::Listen(_)),
        settles: work.stopped.as_ref().is_some_and(|stopped| !stopped.again),
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

/// The names of the secrets that [`build_call`] may ask for: all that are declared if the call reads any, else none.
pub fn secrets_of_call<'d>(definition: &'d Definition, state: &RunState, call: &CallId) -> Vec<&'d str> {
    let task = match state.detached.get(call).map(|detached| &detached.arguments) {
        Some(DetachedArguments::With(_)) => None,
        Some(DetachedArguments::From(remembered)) => Some(remembered.task),
        None => state.calls.get(call).and_then(|frame| state.task(*frame)).map(|task| task.task),
    };
    let spec = task.and_then(|task| call_of(definition, task));
    if spec.is_some_and(reads_secrets) { definition.secrets().collect() } else { Vec::new() }
}

/// The labels of the runner elsewhere that the process of a call is for, as its task says; none: it says nothing.
pub fn runner_of_call<'d>(definition: &'d Definition, state: &RunState, call: &CallId) -> Option<&'d [Name]> {
    let task = match state.detached.get(call) {
        Some(detached) => definition.index_of(&detached.ticket.reference),
        None => state.calls.get(call).and_then(|frame| state.task(*frame)).map(|task| task.task),
    };
    definition.task(task?)?.metadata.runner.as_deref()
}

/// The call that a task makes.
fn call_of(definition: &Definition, task: TaskIndex) -> Option<&Call> {
    definition.task(task)?.kind.call()
}

fn reads_secrets(call: &Call) -> bool {
    let mut used = BTreeSet::new();
    call.with.variables(&mut used);
    used.contains("secrets")
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
    let run = state.run.ok_or_else(gone)?;
    if let Some(Detached { ticket, arguments: kept }) = state.detached.get(call) {
        return match kept {
            DetachedArguments::With(with) => Ok(request(run, ticket.clone(), with.clone(), Vec::new())),
            DetachedArguments::From(remembered) => {
                let Remembered { task, input, variables } = remembered.as_ref();
                let spec = call_of(definition, *task).ok_or_else(gone)?;
                let (with, redact) = built(definition, spec, secrets, |revealed| {
                    let mut variables = variables.clone();
                    variables.extend(revealed.map(|secrets| ("secrets".to_owned(), secrets)));
                    arguments(spec, input, &variables)
                })
                .map_err(|error| error.at(&ticket.reference))?;
                Ok(request(run, ticket.clone(), with, redact))
            }
        };
    }
    let frame = *state.calls.get(call).ok_or_else(gone)?;
    let task = state.task(frame).ok_or_else(gone)?;
    let ticket = ticket(state, frame).ok_or_else(gone)?;
    let (Some(spec), Some(work)) = (call_of(definition, task.task), task.work.call()) else {
        return Err(gone());
    };
    let input = task.record.input.clone().unwrap_or(Value::Null);
    let mut scope = Scope::new(definition, state, Some(frame));
    scope.context = work.context.as_ref();
    let (with, redact) = built(definition, spec, secrets, |revealed| {
        let scope = match revealed {
            Some(secrets) => scope.with("secrets", secrets),
            None => scope,
        };
        arguments(spec, &input, &scope)
    })
    .map_err(|error| error.at(&task.record.reference))?;
    Ok(request(run, ticket, with, redact))
}

/// The arguments of a call, as `evaluate` makes them with the secrets that it reads, if it reads any; and what has to be
/// masked in what comes back.
fn built(
    definition: &Definition,
    spec: &Call,
    secrets: &dyn SecretSource,
    evaluate: impl FnOnce(Option<Value>) -> Result<Value, RunError>,
) -> Result<(Value, Vec<String>), RunError> {
    if !reads_secrets(spec) {
        return Ok((evaluate(None)?, Vec::new()));
    }
    let values = reveal(definition, spec, secrets)?;
    let mut redact = Vec::new();
    values.values().for_each(|value| collect_text(value, &mut redact));
    let with = evaluate(Some(Value::Object(values))).map_err(|error| {
        // The message of a failed expression could quote a secret.
        let safe = redact.is_empty() || !error.is(StandardError::Expression);
        if safe { error } else { RunError::new(StandardError::Expression, "with: the expression failed") }
    })?;
    if !redact.is_empty() {
        // What a secret is sent as could come back, too.
        redact.extend(policies(&spec.function).filter_map(|pointer| basic_credentials(with.pointer(&pointer)?)));
    }
    Ok((with, redact))
}

/// User name and password as basic authentication sends them.
fn basic_credentials(policy: &Value) -> Option<String> {
    let text = |pointer: &str| policy.pointer(pointer).and_then(Value::as_str);
    let credentials = format!("{}:{}", text("/basic/username")?, text("/basic/password")?);
    Some(base64::engine::general_purpose::STANDARD.encode(credentials))
}

fn request(run: RunId, ticket: CallTicket, with: Value, redact: Vec<String>) -> CallRequest {
    CallRequest {
        run,
        call: ticket.call,
        function: ticket.function,
        reference: ticket.reference,
        name: ticket.name,
        with,
        key: ticket.key,
        attempt: ticket.attempt,
        deadline: ticket.deadline,
        redact,
    }
}

/// The values of the declared secrets. One that is named but not declared, or cannot be had, is an error (dsl.md,
/// "Secret").
fn reveal(definition: &Definition, call: &Call, secrets: &dyn SecretSource) -> Result<Map<String, Value>, RunError> {
    let named = declared(definition, call)?;
    let mut values = Map::new();
    for name in &definition.secrets {
        match secrets.secret(name) {
            Some(value) => {
                values.insert(name.clone(), value);
            }
            None if named.contains(name) => {
                return Err(forbidden(name, "does not exist or may not be used by this run"));
            }
            None => {}
        }
    }
    Ok(values)
}

/// The names of the secrets that a call names; all are declared.
fn declared(definition: &Definition, call: &Call) -> Result<BTreeSet<String>, RunError> {
    let mut named = BTreeSet::new();
    call.with.secrets(&mut named);
    match named.difference(&definition.secrets).next() {
        None => Ok(named),
        Some(name) => {
            let hint = suggestion(name, definition.secrets.iter().map(String::as_str));
            Err(forbidden(name, &format!("is not listed under `use.secrets`{hint}")))
        }
    }
}

fn forbidden(name: &str, why: &str) -> RunError {
    RunError::new(StandardError::Authorization, format!("the secret “{name}” {why}"))
}

/// The arguments of a call, as its function takes them.
fn arguments(call: &Call, input: &Value, variables: &dyn Variables) -> Result<Value, RunError> {
    let with = call.with.evaluate(input, variables);
    let mut with = with.map_err(|error| expression_error(&error, "with"))?;
    for pointer in policies(&call.function) {
        if let Some(policy) = with.pointer_mut(&pointer) {
            if let Some(bearer) = policy.get_mut("bearer")
                && bearer.is_string()
            {
                *bearer = json!({"token": bearer.take()});
            }
            for scheme in ["oauth2", "oidc"] {
                expand(call, &mut with, &format!("{pointer}/{scheme}/authority"), input)?;
            }
        }
    }
    for pointer in endpoints(&call.function) {
        expand(call, &mut with, pointer, input)?;
        expand(call, &mut with, &format!("{pointer}/uri"), input)?;
    }
    check(call, &with)?;
    process::normalize(&call.function, &mut with);
    Ok(with)
}

/// `$authorization` of a task that calls (dsl.md, "Authorization Descriptor"). What a connector has to ask for first has no
/// parameter, nor has what is made of secrets where they are not `revealed`.
pub(super) fn authorization(call: &Call, input: &Value, variables: &dyn Variables, revealed: bool) -> Option<Value> {
    policies(&call.function).find_map(|pointer| {
        let (part, rest) = call.with.at(&pointer)?;
        let scheme = match part {
            Template::Object(entries) if rest.is_empty() => entries.first().map(|(name, _)| name.as_str()),
            Template::Constant(value) => value.pointer(rest)?.as_object()?.keys().next().map(String::as_str),
            _ => None,
        };
        let mut used = BTreeSet::new();
        part.variables(&mut used);
        let known = revealed || !used.contains("secrets");
        let policy = known.then(|| part.evaluate(input, variables).ok()).flatten();
        let policy = policy.as_ref().and_then(|policy| policy.pointer(rest));
        let (scheme, parameter) = match scheme? {
            "basic" => ("Basic", policy.and_then(basic_credentials)),
            "bearer" => {
                let token = policy.and_then(|policy| policy.pointer("/bearer/token").or_else(|| policy.get("bearer")));
                ("Bearer", token.and_then(Value::as_str).map(str::to_owned))
            }
            "digest" => ("Digest", None),
            "oauth2" | "oidc" => ("Bearer", None),
            _ => return None,
        };
        Some(match parameter {
            Some(parameter) => json!({"scheme": scheme, "parameter": parameter}),
            None => json!({"scheme": scheme}),
        })
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

/// All text of a secret.
fn collect_text(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) if !text.is_empty() => into.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect_text(item, into)),
        Value::Object(members) => members.values().for_each(|member| collect_text(member, into)),
        _ => {}
    }
}

/// Fills `{name}` in a URI template that the definition writes out from the top level of the task's input,
/// percent-encoded (dsl-reference.md, "URI Template"). What an expression gave is left as it is.
fn expand(call: &Call, with: &mut Value, pointer: &str, input: &Value) -> Result<(), RunError> {
    let Some(uri) = with.pointer_mut(pointer) else { return Ok(()) };
    let Value::String(template) = uri else { return Ok(()) };
    if !template.contains('{') || !matches!(call.with.at(pointer), Some((Template::Constant(_), _))) {
        return Ok(());
    }
    let mut expanded = String::new();
    let mut rest = template.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else {
            return Err(invalid_arguments(format!("with{pointer}: a brace is not closed")));
        };
        expanded.push_str(before);
        match input.get(name) {
            Some(Value::String(text)) => expanded.push_str(&urlencoding::encode(text)),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => expanded.push_str(&value.to_string()),
            None | Some(Value::Null) => {}
            Some(Value::Array(_) | Value::Object(_)) => {
                let detail = format!("with{pointer}: “{name}” is neither text, number, boolean nor null");
                return Err(RunError::new(StandardError::Expression, detail));
            }
        }
        rest = tail;
    }
    expanded.push_str(rest);
    *uri = Value::String(expanded);
    Ok(())
}
