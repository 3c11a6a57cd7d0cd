//! Starting and completing tasks, and going from one to the next.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::TaskStatus;
use serde_json::{Map, Value};

use super::scope::{Scope, expression_error};
use super::state::{
    Asks, CallWork, Completed, Ending, ForWork, ForkWork, Frame, FrameId, FrameKind, ListFrame, ListPlace, Phase, Role,
    Step, Target, TaskFrame, TryWork, Work,
};
use super::{Machine, depth_problem};
use crate::definition::model::{DataStep, Schema, Span, Task, TaskIndex, TaskKind, Then};
use crate::{Definition, Effect, RunError, StandardError, TaskRecord};

impl Machine<'_> {
    /// The run begins: its input is validated and transformed, and the first task starts.
    pub(super) fn begin(&mut self, input: &Value) {
        if let Some(error) = depth_problem(input) {
            self.fault_run(error.at("/input"), None);
            return;
        }
        self.state.input = input.clone();
        let prepared = prepare(&self.definition.input, input, &self.scope(None), "input");
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                self.fault_run(error.at("/input"), None);
                return;
            }
        };
        self.set_run_timeout();
        let top = ListFrame::new(ListPlace::List(self.definition.root), Role::Top, Map::new(), String::new());
        let list = self.add_frame(None, FrameKind::List(top));
        self.queue.push_back(Step::Start { list, position: 0, input: prepared });
    }

    pub(super) fn set_run_timeout(&mut self) {
        if let Some(timeout) = &self.definition.timeout {
            match span(timeout, &Value::Null, &self.scope(None)) {
                Ok(duration) => self.set_timer(self.state.now + duration, Target::RunTimeout),
                Err(error) => self.fault_run(error.at("/timeout"), None),
            }
        }
    }

    pub(super) fn add_frame(&mut self, parent: Option<FrameId>, kind: FrameKind) -> FrameId {
        self.state.counters.frame += 1;
        let id = self.state.counters.frame;
        self.state.frames.insert(id, Frame { parent, kind });
        id
    }

    /// Puts a list under a task and starts it.
    pub(super) fn open_list(
        &mut self,
        parent: FrameId,
        place: ListPlace,
        role: Role,
        key_step: &str,
        variables: Map<String, Value>,
        input: Value,
    ) {
        let Some(task) = self.state.task(parent) else { return };
        let list = ListFrame {
            compensation: task.record.compensation,
            ..ListFrame::new(place, role, variables, format!("{}/{key_step}", task.key))
        };
        let list = self.add_frame(Some(parent), FrameKind::List(list));
        self.queue.push_back(Step::Start { list, position: 0, input });
    }

    /// Starts the task at a position of a list.
    pub(super) fn start(&mut self, list_id: FrameId, position: usize, raw_input: Value) {
        let definition = self.definition;
        let sequence = self.state.counters.sequence;
        let Some(list) = self.state.list_mut(list_id) else { return };
        let index = list.place.task(definition, position);
        let Some((index, task)) = index.and_then(|index| Some((index, definition.task(index)?))) else {
            // The list has ended, or is empty.
            self.list_done(list_id, raw_input, false);
            return;
        };
        list.starts.insert(position, sequence);
        if task.input.transform.is_some() {
            list.raw_inputs.insert(position, raw_input.clone());
        }
        let correction = list.correction.take();
        let visit = list.visits.entry(position).or_insert(0);
        *visit += 1;
        let key = format!("{}/{position}#{visit}", list.key);
        let compensation = list.compensation;
        let owner = self.state.parent(list_id).and_then(|owner| self.state.task(owner));
        let parent = owner.map(|owner| owner.record.reference.clone());
        let occurrence = self.state.occurrences.entry(task.reference.to_string()).or_insert(0);
        *occurrence += 1;
        let record = TaskRecord {
            sequence,
            reference: task.reference.to_string(),
            name: task.name.clone(),
            kind: task.kind.name().to_owned(),
            function: task.kind.function().map(str::to_owned),
            occurrence: *occurrence,
            status: TaskStatus::Running,
            attempts: u32::from(task.kind.call().is_none()),
            input: None,
            output: None,
            error: None,
            chosen: None,
            started_at: self.state.now,
            ended_at: None,
            call: None,
            compensation,
            parent,
        };
        self.state.counters.sequence += 1;
        let work = Work::Plain;
        let frame = TaskFrame { task: index, record, raw_input, position, key, work, extended: None, correction };
        let frame = self.add_frame(Some(list_id), FrameKind::Task(Box::new(frame)));
        self.show(frame);
        if !self.ask_about_correction(frame) {
            self.begin_task(frame, index, task);
        }
    }

    /// Begins a task that may have its input.
    pub(super) fn begin_task(&mut self, frame: FrameId, index: TaskIndex, task: &Task) {
        match self.prepare_task(frame, task) {
            Ok(true) => self.begin_extended(frame, index, task),
            Ok(false) => self.skip(frame),
            Err(error) => self.raise(frame, error),
        }
    }

    /// `if`, `input` and `timeout`; false if the task is to be skipped.
    fn prepare_task(&mut self, frame: FrameId, task: &Task) -> Result<bool, RunError> {
        let scope = self.scope(Some(frame));
        let Some(state) = self.state.task(frame) else { return Ok(false) };
        let raw_input = &state.raw_input;
        if let Some(condition) = &task.condition
            && !condition.holds(raw_input, &scope).map_err(|error| expression_error(&error, "if"))?
        {
            return Ok(false);
        }
        let input = prepare(&task.input, raw_input, &scope, "input")?;
        if let Some(state) = self.state.task_mut(frame) {
            state.record.input = Some(input);
        }
        self.set_task_timeout(frame, task)?;
        Ok(true)
    }

    pub(super) fn set_task_timeout(&mut self, frame: FrameId, task: &Task) -> Result<(), RunError> {
        if let Some(timeout) = &task.timeout {
            let input = self.input(frame);
            let duration = span(timeout, &input, &self.scope(Some(frame)))?;
            self.set_timer(self.state.now + duration, Target::TaskTimeout(frame));
        }
        Ok(())
    }

    /// The task's transformed input.
    pub(super) fn input(&self, frame: FrameId) -> Value {
        self.state.task(frame).and_then(|task| task.record.input.clone()).unwrap_or(Value::Null)
    }

    fn skip(&mut self, frame: FrameId) {
        let Some(task) = self.state.task_mut(frame) else { return };
        let output = task.raw_input.clone();
        self.leave(frame, TaskStatus::Skipped, output, Then::Continue);
    }

    /// Does the task's own part.
    pub(super) fn execute(&mut self, frame: FrameId, index: TaskIndex, task: &Task) {
        if let Err(error) = self.try_execute(frame, index, task) {
            self.raise(frame, error);
        }
    }

    fn try_execute(&mut self, frame: FrameId, _index: TaskIndex, task: &Task) -> Result<(), RunError> {
        let input = self.input(frame);
        match &task.kind {
            TaskKind::Do(list) => {
                self.open_list(frame, ListPlace::List(*list), Role::Body, "d", Map::new(), input);
            }
            TaskKind::Set(template) => {
                let output = template.evaluate(&input, &self.scope(Some(frame)));
                let output = output.map_err(|error| expression_error(&error, "set"))?;
                self.complete(frame, &output, None);
            }
            TaskKind::Switch(cases) => {
                let mut chosen = None;
                for case in cases {
                    if let Some(when) = &case.when {
                        let holds = when.holds(&input, &self.scope(Some(frame)));
                        if holds.map_err(|error| expression_error(&error, &format!("case {}", case.name)))? {
                            chosen = Some(case);
                            break;
                        }
                    }
                }
                let chosen = chosen.or_else(|| cases.iter().find(|case| case.when.is_none()));
                if let Some(state) = self.state.task_mut(frame) {
                    state.record.chosen = chosen.map(|case| case.name.clone());
                }
                self.complete(frame, &input, chosen.map(|case| case.then));
            }
            TaskKind::Call(_) | TaskKind::Run(_) => {
                if let Some(state) = self.state.task_mut(frame) {
                    state.work = Work::Call(CallWork::default());
                }
                self.queue.push_back(Step::Dispatch { task: frame });
            }
            TaskKind::Function(call) => {
                let input = match &call.with {
                    None => input,
                    Some(with) => with
                        .evaluate(&input, &self.scope(Some(frame)))
                        .map_err(|error| expression_error(&error, "with"))?,
                };
                self.open_list(frame, ListPlace::Single(call.body), Role::Function, "f", Map::new(), input);
            }
            TaskKind::Try(_) => {
                let since = self.state.now;
                if let Some(state) = self.state.task_mut(frame) {
                    state.work = Work::Try(TryWork { retries: 0, since });
                }
                self.start_attempt(frame);
            }
            TaskKind::Wait(wait) => {
                let duration = span(wait, &input, &self.scope(Some(frame)))?;
                if let Some(state) = self.state.task_mut(frame) {
                    state.work = Work::Wait;
                    state.record.status = TaskStatus::Waiting;
                }
                self.show(frame);
                self.set_timer(self.state.now + duration, Target::Wait(frame));
            }
            TaskKind::Raise(error) => {
                let error = faulted(error, &input, &self.scope(Some(frame)))?;
                return Err(error);
            }
            TaskKind::For(each) => {
                let items = each.collection.evaluate(&input, &self.scope(Some(frame)));
                let items = match items.map_err(|error| expression_error(&error, "for.in"))? {
                    Value::Array(items) => items,
                    other => {
                        let detail = format!("for.in: expected an array, found {}", kind_of(&other));
                        return Err(RunError::new(StandardError::Expression, detail));
                    }
                };
                if let Some(state) = self.state.task_mut(frame) {
                    state.work = Work::For(ForWork { items, index: 0 });
                }
                self.iterate(frame, input);
            }
            TaskKind::Fork(fork) => {
                let branches = self.definition.list(fork.branches).map(|list| list.tasks.clone()).unwrap_or_default();
                if let Some(state) = self.state.task_mut(frame) {
                    state.work = Work::Fork(ForkWork { outputs: BTreeMap::new() });
                }
                for (position, branch) in branches.into_iter().enumerate() {
                    let place = ListPlace::Single(branch);
                    let key = format!("b{position}");
                    self.open_list(frame, place, Role::Branch(position), &key, Map::new(), input.clone());
                }
            }
            TaskKind::Emit(template) => self.emit(frame, template, &input)?,
            TaskKind::Listen(listen) => self.begin_listening(frame, listen, &input)?,
            TaskKind::Consume(consume) => self.begin_consuming(frame, consume, &input)?,
            TaskKind::Unsupported => {
                let detail = "this kind of task is not supported by this release";
                return Err(RunError::new(StandardError::Runtime, detail));
            }
        }
        Ok(())
    }

    /// The next iteration of a loop, or its end; `value` is what the last one gave.
    fn iterate(&mut self, frame: FrameId, value: Value) {
        let definition = self.definition;
        let Some(state) = self.state.task(frame) else { return };
        let (Work::For(work), Some(TaskKind::For(each))) = (&state.work, definition.task(state.task).map(|t| &t.kind))
        else {
            return;
        };
        let index = work.index;
        let Some(item) = work.items.get(index).cloned() else {
            self.complete(frame, &value, None);
            return;
        };
        let mut variables = Map::new();
        variables.insert(each.each.clone(), item);
        variables.insert(each.at.clone(), Value::from(index));
        if let Some(condition) = &each.condition {
            let mut scope = self.scope(Some(frame));
            scope.extra.clone_from(&variables);
            match condition.holds(&value, &scope) {
                Ok(true) => {}
                Ok(false) => {
                    self.complete(frame, &value, None);
                    return;
                }
                Err(error) => {
                    self.raise(frame, expression_error(&error, "while"));
                    return;
                }
            }
        }
        let place = ListPlace::List(each.body);
        self.open_list(frame, place, Role::Body, &format!("i{index}"), variables, value);
    }

    /// A task has done its part: its output is transformed and exported, and the next one starts.
    pub(super) fn complete(&mut self, frame: FrameId, raw_output: &Value, then: Option<Then>) {
        let definition = self.definition;
        let Some(state) = self.state.task(frame) else { return };
        let Some(task) = definition.task(state.task) else { return };
        let output = match self.publish(frame, &task.output, &task.export, raw_output, Map::new()) {
            Ok(output) => output,
            Err(error) => {
                self.remember_without_output(frame);
                self.raise(frame, error);
                return;
            }
        };
        let then = match then {
            Some(Then::Unset) | None => task.then,
            Some(then) => then,
        };
        self.remember(frame, task, Some(&output));
        if !self.begin_after(frame, &output, then) {
            self.finish_task(frame, output, then);
        }
    }

    /// The task is over, and the next one starts.
    pub(super) fn finish_task(&mut self, frame: FrameId, output: Value, then: Then) {
        if let Some(state) = self.state.task_mut(frame) {
            state.record.output = Some(output.clone());
            state.record.error = None;
        }
        self.leave(frame, TaskStatus::Completed, output, then);
    }

    /// Goes on from a task that has ended well.
    pub(super) fn leave(&mut self, frame: FrameId, status: TaskStatus, output: Value, then: Then) {
        let now = self.state.now;
        let Some(state) = self.state.task_mut(frame) else { return };
        state.record.status = status;
        state.record.ended_at = Some(now);
        let position = state.position;
        self.show(frame);
        let list = self.state.parent(frame);
        self.remove(frame);
        if let Some(list) = list {
            self.advance(list, position, then, output);
        }
    }

    /// `output` and `export` of a task, or of the iteration of an event with its variables.
    pub(super) fn publish(
        &mut self,
        frame: FrameId,
        output: &DataStep,
        export: &DataStep,
        raw_output: &Value,
        variables: Map<String, Value>,
    ) -> Result<Value, RunError> {
        let mut scope = self.scope(Some(frame));
        scope.raw_output = Some(raw_output);
        scope.extra = variables;
        let published = transform(output, raw_output, &scope, "output.as")?;
        validate(output.schema.as_ref(), &published, "output")?;
        if let Some(context) = exported(export, &published, scope)? {
            self.state.context = context;
        }
        Ok(published)
    }

    /// Remembers how to take the task back.
    pub(super) fn remember(&mut self, frame: FrameId, task: &Task, output: Option<&Value>) {
        if task.metadata.compensate.is_none() || !matches!(self.state.phase, Phase::Running | Phase::Settling(_)) {
            return;
        }
        let Some(state) = self.state.task(frame) else { return };
        let completed = Completed {
            task: state.task,
            key: state.key.clone(),
            input: self.input(frame),
            output: output.cloned(),
            variables: self.scope(Some(frame)).locals(),
        };
        // A repeated `try` does the same thing again, with the same key: it is to be taken back once.
        self.state.completed.retain(|earlier| earlier.key != completed.key);
        self.state.completed.push(completed);
    }

    /// The same for a task that has happened, and fails by what it gave.
    pub(super) fn remember_without_output(&mut self, frame: FrameId) {
        let definition = self.definition;
        let task = self.state.task(frame).and_then(|task| definition.task(task.task));
        if let Some(task) = task.filter(|_| self.settles) {
            self.remember(frame, task, None);
        }
    }

    /// Removes a frame with its calls and timers; nothing may be inside it any more.
    pub(super) fn remove(&mut self, frame: FrameId) {
        self.clear_timers(|target| target.frame() == Some(frame));
        self.stop_listening(frame, false);
        self.state.calls.retain(|_, owner| *owner != frame);
        if let Some(task) = self.state.task(frame) {
            let key = task.key.clone();
            let guarded = self
                .state
                .ancestors(frame)
                .skip(1)
                .any(|ancestor| self.state.task(ancestor).is_some_and(|task| matches!(task.work, Work::Try(_))));
            // Inside a `try` the same call may come again, and its attempts go on counting.
            if !guarded {
                let end = format!("{key}0");
                let inside: Vec<String> =
                    self.state.attempts.range(key.clone()..end).map(|(path, _)| path.clone()).collect();
                for path in inside.iter().filter(|path| **path == key || path.starts_with(&format!("{key}/"))) {
                    self.state.attempts.remove(path);
                }
            }
        }
        self.state.frames.remove(&frame);
    }

    /// From the task at `position` to wherever `then` says.
    pub(super) fn advance(&mut self, list_id: FrameId, position: usize, then: Then, output: Value) {
        let Some(list) = self.state.list(list_id) else { return };
        let length = match list.place {
            ListPlace::Single(_) => 1,
            ListPlace::List(list) => self.definition.list(list).map_or(0, |list| list.tasks.len()),
        };
        let next = match then {
            Then::Unset | Then::Continue => position + 1,
            Then::Task(target) => target,
            Then::Exit => length,
            Then::End => {
                self.end_directive(list_id, output);
                return;
            }
        };
        if next < length {
            self.queue.push_back(Step::Start { list: list_id, position: next, input: output });
        } else {
            self.list_done(list_id, output, then == Then::Exit);
        }
    }

    /// `then: end`: the run ends gracefully, or the compensation does.
    fn end_directive(&mut self, list: FrameId, output: Value) {
        let ancestors: Vec<FrameId> = self.state.ancestors(list).collect();
        let top = ancestors.last().copied().unwrap_or(list);
        let now = self.state.now;
        for ancestor in &ancestors {
            if let Some(task) = self.state.task_mut(*ancestor) {
                task.record.status = TaskStatus::Completed;
                task.record.ended_at = Some(now);
                let record = task.record.clone();
                self.show_record(record);
            }
        }
        for inside in self.state.descendants(top).into_iter().rev() {
            if ancestors.contains(&inside) {
                continue;
            }
            self.stop(inside, TaskStatus::Cancelled, None);
            self.remove(inside);
        }
        for ancestor in ancestors {
            if ancestor != top {
                self.remove(ancestor);
            }
        }
        self.queue.retain(|step| matches!(step, Step::Start { list, .. } if *list == top));
        self.list_done(top, output, false);
    }

    /// A list has been worked through, or was left by `exit`.
    pub(super) fn list_done(&mut self, list_id: FrameId, output: Value, exited: bool) {
        let Some(list) = self.state.list(list_id) else { return };
        let role = list.role;
        let owner = self.state.parent(list_id);
        self.remove(list_id);
        match (role, owner) {
            (Role::Compensation, _) => self.next_compensation(),
            (Role::Branch(position), Some(owner)) => self.branch_done(owner, position, &output),
            (Role::Before(at), Some(owner)) => self.before_done(owner, at, exited, &output),
            (Role::After(at), Some(owner)) => self.after(owner, at + 1),
            (_, Some(owner)) => {
                let Some(task) = self.state.task_mut(owner) else { return };
                match &mut task.work {
                    Work::For(work) => {
                        work.index += 1;
                        self.iterate(owner, output);
                    }
                    Work::Listen(_) => self.iterated(owner, &output),
                    _ => self.complete(owner, &output, None),
                }
            }
            (_, None) => self.run_done(&output),
        }
    }

    fn branch_done(&mut self, owner: FrameId, position: usize, output: &Value) {
        let definition = self.definition;
        let Some(task) = self.state.task_mut(owner) else { return };
        let Some(TaskKind::Fork(fork)) = definition.task(task.task).map(|task| &task.kind) else { return };
        let branches = definition.list(fork.branches).map_or(0, |list| list.tasks.len());
        let Work::Fork(work) = &mut task.work else { return };
        work.outputs.insert(position, output.clone());
        if fork.compete {
            self.cancel_inside(owner);
            self.complete(owner, output, None);
        } else if work.outputs.len() == branches {
            let outputs = Value::Array(std::mem::take(&mut work.outputs).into_values().collect());
            self.complete(owner, &outputs, None);
        }
    }

    /// The last task has completed: the run's output is made.
    fn run_done(&mut self, last: &Value) {
        let scope = self.scope(None);
        let output = transform(&self.definition.output, last, &scope, "output.as")
            .and_then(|output| validate(self.definition.output.schema.as_ref(), &output, "output").map(|()| output));
        match output {
            Ok(output) => {
                self.state.output = Some(output);
                self.end(Ending::Completed);
            }
            Err(error) => self.fault_run(error.at("/output"), None),
        }
    }

    /// The run is over.
    pub(super) fn end(&mut self, ending: Ending) {
        self.clear_timers(|_| true);
        self.give_up_all();
        self.state.phase = Phase::Ended(ending);
        self.state.suspended = false;
        self.state.ended_at = Some(self.state.now);
        self.queue.clear();
        if self.state.failed.is_none() {
            self.state.deferred.clear();
            self.state.frames.clear();
            self.state.calls.clear();
            self.state.completed.clear();
            self.state.attempts.clear();
            self.state.gates.clear();
        }
    }

    /// Stops whatever the frame has in flight and marks its row.
    pub(super) fn stop(&mut self, frame: FrameId, status: TaskStatus, error: Option<&RunError>) {
        let now = self.state.now;
        let apart = self.set_apart(frame, status, error);
        let Some(task) = self.state.task_mut(frame) else { return };
        let mut stopped = None;
        if let Some(work) = task.work.call_mut()
            && let Some(call) = work.call.take()
        {
            work.unknown = false;
            stopped = Some((call, work.approval.take()));
        }
        task.record.status = status;
        task.record.error = error.cloned();
        task.record.ended_at = Some(now);
        self.show(frame);
        if let Some((call, approval)) = stopped
            && self.state.calls.remove(&call).is_some()
        {
            if let Some(request) = approval {
                self.note_gate(frame, Asks::People(request.rule));
                self.effects.push(Effect::CloseApproval { call });
            } else {
                self.effects.push(Effect::StopCall { call });
            }
        }
        self.stop_listening(frame, false);
        self.clear_timers(|target| target.frame() == Some(frame));
        if let Some(apart) = apart {
            self.show_apart(apart);
        }
    }

    /// Cancels everything inside a task.
    pub(super) fn cancel_inside(&mut self, frame: FrameId) {
        let inside = self.state.descendants(frame);
        for inner in inside.iter().rev() {
            self.stop(*inner, TaskStatus::Cancelled, None);
            self.remove(*inner);
        }
        let gone = |frame: &FrameId| inside.contains(frame);
        let pending = |step: &Step| match step {
            Step::Start { list, .. } => !gone(list),
            Step::Begin { task } | Step::Dispatch { task } | Step::Retry { task } => !gone(task),
        };
        self.queue.retain(pending);
        self.state.deferred.retain(pending);
    }
}

/// Validates and transforms an input.
pub(super) fn prepare(step: &DataStep, raw: &Value, scope: &Scope<'_>, place: &str) -> Result<Value, RunError> {
    validate(step.schema.as_ref(), raw, place)?;
    transform(step, raw, scope, &format!("{place}.from"))
}

pub(super) fn transform(step: &DataStep, raw: &Value, scope: &Scope<'_>, place: &str) -> Result<Value, RunError> {
    match &step.transform {
        None => Ok(raw.clone()),
        Some(template) => template.evaluate(raw, scope).map_err(|error| expression_error(&error, place)),
    }
}

/// Checks data against a schema; the error names up to five places, not the data.
pub(super) fn validate(schema: Option<&Schema>, value: &Value, place: &str) -> Result<(), RunError> {
    let Some(schema) = schema else { return Ok(()) };
    let faults: Vec<String> = schema
        .validator
        .iter_errors(value)
        .take(5)
        .map(|error| format!("{place}{}: {}", error.instance_path(), error.masked()))
        .collect();
    if faults.is_empty() {
        return Ok(());
    }
    Err(RunError::new(StandardError::Validation, faults.join("; ")))
}

/// What `$context` becomes by the output of a task, if that is exported.
pub(super) fn exported(export: &DataStep, output: &Value, scope: Scope<'_>) -> Result<Option<Value>, RunError> {
    if export.transform.is_none() && export.schema.is_none() {
        return Ok(None);
    }
    let scope = scope.with("output", output.clone());
    let context = match &export.transform {
        Some(template) => template.evaluate(output, &scope).map_err(|error| expression_error(&error, "export.as"))?,
        None => scope.state.context.clone(),
    };
    validate(export.schema.as_ref(), &context, "export")?;
    Ok(Some(context))
}

/// A length of time, evaluated if need be.
pub(super) fn span(span: &Span, input: &Value, scope: &Scope<'_>) -> Result<Duration, RunError> {
    match span {
        Span::Fixed(duration) => Ok(*duration),
        Span::Expression(expression) => {
            let value = expression.evaluate(input, scope).map_err(|error| expression_error(&error, "duration"))?;
            let duration = value.as_str().and_then(crate::duration::parse_iso8601);
            duration.ok_or_else(|| {
                RunError::new(StandardError::Expression, "duration: expected an ISO 8601 duration such as PT5M")
            })
        }
    }
}

/// The error that a `raise` task describes.
fn faulted(
    error: &crate::definition::model::ErrorTemplate,
    input: &Value,
    scope: &Scope<'_>,
) -> Result<RunError, RunError> {
    let evaluate = |template: &crate::expression::Template, name: &str| {
        template.evaluate(input, scope).map_err(|error| expression_error(&error, &format!("raise.error.{name}")))
    };
    let text = |template: Option<&crate::expression::Template>, name: &str| -> Result<Option<String>, RunError> {
        let Some(template) = template else { return Ok(None) };
        Ok(match evaluate(template, name)? {
            Value::Null => None,
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        })
    };
    let status = evaluate(&error.status, "status")?;
    let status = status.as_u64().and_then(|status| u16::try_from(status).ok());
    Ok(RunError {
        kind: text(Some(&error.kind), "type")?.unwrap_or_default(),
        status: status.ok_or_else(|| {
            RunError::new(StandardError::Expression, "raise.error.status: expected a number such as 400")
        })?,
        title: text(error.title.as_ref(), "title")?,
        detail: text(error.detail.as_ref(), "detail")?,
        instance: text(error.instance.as_ref(), "instance")?,
    })
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// The definition's task of a frame.
pub(super) fn definition_of<'d>(definition: &'d Definition, frame: &TaskFrame) -> Option<&'d Task> {
    definition.task(frame.task)
}
