//! Extensions: what is done before and after a task (dsl-reference.md, "Extension").
//!
//! The tasks of an extension get the input of the extended task, or its output, and what they give is dropped: they watch.
//! Only a list before the task that ends by `exit` takes the task's place, and its output is the task's.

use serde_json::{Map, Value};

use super::Machine;
use super::state::{Extended, FrameId, ListPlace, Role, Stage, Target, Work};
use crate::definition::model::{Task, TaskIndex, Then};

impl Machine<'_> {
    /// Executes a task with whatever extends it.
    pub(super) fn begin_extended(&mut self, frame: FrameId, index: TaskIndex, task: &Task) {
        let applied = self.applied(frame, task);
        if applied.is_empty() {
            self.execute(frame, index, task);
            return;
        }
        if let Some(state) = self.state.task_mut(frame) {
            state.extended = Some(Box::new(Extended { applied, stage: Stage::Before(0) }));
        }
        self.before(frame, 0);
    }

    /// The extensions that apply to this execution of a task.
    fn applied(&self, frame: FrameId, task: &Task) -> Vec<usize> {
        // Functions that an extension calls are not extended: they would call themselves for ever.
        let within = |ancestor| {
            self.state.list(ancestor).is_some_and(|list| matches!(list.role, Role::Before(_) | Role::After(_)))
        };
        let mut applied = Vec::new();
        if task.extensions.is_empty() || self.state.ancestors(frame).any(within) {
            return applied;
        }
        let input = self.input(frame);
        for position in &task.extensions {
            let Some(extension) = self.definition.extensions.get(*position) else { continue };
            if let Some(when) = &extension.when {
                let scope = self.scope(Some(frame));
                // The specification's examples read the task's own properties here (`$task.call`, `$task.with`).
                let mut descriptor = scope.task();
                if let (Some(descriptor), Value::Object(own)) = (descriptor.as_object_mut(), &task.raw) {
                    for (name, value) in own {
                        descriptor.entry(name.clone()).or_insert_with(|| value.clone());
                    }
                }
                let scope = scope.with("task", descriptor);
                // Conditions meet tasks that they were not written for, and those of the specification's own examples
                // fail on some (`.uri` of an endpoint that is text); such a task is not meant.
                if !when.holds(&input, &scope).unwrap_or(false) {
                    continue;
                }
            }
            applied.push(*position);
        }
        applied
    }

    /// Does what comes before the task, from the n-th extension that applies, and then the task.
    fn before(&mut self, frame: FrameId, from: usize) {
        let definition = self.definition;
        let Some(state) = self.state.task_mut(frame) else { return };
        let Some(extended) = &mut state.extended else { return };
        for (at, position) in extended.applied.iter().enumerate().skip(from) {
            let Some(list) = definition.extensions.get(*position).and_then(|extension| extension.before) else {
                continue;
            };
            extended.stage = Stage::Before(at);
            let input = self.input(frame);
            let key = format!("x{at}b");
            self.open_list(frame, ListPlace::List(list), Role::Before(at), &key, Map::new(), input);
            return;
        }
        extended.stage = Stage::Task;
        let index = state.task;
        if let Some(task) = definition.task(index) {
            self.execute(frame, index, task);
        }
    }

    /// A list before the task has ended.
    pub(super) fn before_done(&mut self, frame: FrameId, at: usize, exited: bool, output: &Value) {
        if !exited {
            self.before(frame, at + 1);
            return;
        }
        if let Some(state) = self.state.task_mut(frame) {
            // The task is not executed, so nothing comes after it.
            state.extended = None;
        }
        self.complete(frame, output, None);
    }

    /// The task has done its part: does what comes after it; false if there is nothing.
    pub(super) fn begin_after(&mut self, frame: FrameId, output: &Value, then: Then) -> bool {
        let definition = self.definition;
        let Some(state) = self.state.task_mut(frame) else { return false };
        let Some(extended) = &mut state.extended else { return false };
        let has_after = |position: &usize| definition.extensions.get(*position).is_some_and(|it| it.after.is_some());
        if !extended.applied.iter().any(has_after) {
            return false;
        }
        extended.stage = Stage::After { output: output.clone(), then };
        state.work = Work::Plain;
        self.clear_timers(|target| target.frame() == Some(frame) && target != Target::TaskTimeout(frame));
        self.after(frame, 0);
        true
    }

    pub(super) fn after(&mut self, frame: FrameId, from: usize) {
        let definition = self.definition;
        let Some(state) = self.state.task(frame) else { return };
        let Some(extended) = &state.extended else { return };
        let Stage::After { output, then } = &extended.stage else { return };
        let (output, then) = (output.clone(), *then);
        let mut rest = extended.applied.iter().enumerate().skip(from);
        let next = rest.find_map(|(at, position)| Some((at, definition.extensions.get(*position)?.after?)));
        match next {
            Some((at, list)) => {
                let key = format!("x{at}a");
                self.open_list(frame, ListPlace::List(list), Role::After(at), &key, Map::new(), output);
            }
            None => self.finish_task(frame, output, then),
        }
    }
}
