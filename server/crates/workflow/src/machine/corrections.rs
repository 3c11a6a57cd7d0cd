//! Asking about data that an operator has changed: everybody who was asked before is asked again, one rule after the other,
//! and the data are used when all have agreed. A refusal is an error of the task.

use domain::TaskStatus;

use super::Machine;
use super::state::{CallWork, Corrected, FrameId, Step, Work};
use crate::approval::Timing;
use crate::{ApprovalRequest, CallId, Effect};

impl Machine<'_> {
    /// Asks by the next rule; false if nobody is left to be asked.
    pub(super) fn ask_about_correction(&mut self, frame: FrameId) -> bool {
        let call = CallId(self.state.counters.call + 1);
        let Some(task) = self.state.task_mut(frame) else { return false };
        let Some(correction) = &task.correction else { return false };
        let Some(rule) = correction.rules.front().cloned() else { return false };
        let (what, input) = match &correction.data {
            Corrected::Input => ("input", task.raw_input.clone()),
            Corrected::Output(output) => ("output", output.clone()),
        };
        let request = Box::new(ApprovalRequest {
            call,
            reference: task.record.reference.clone(),
            name: task.record.name.clone(),
            rule,
            title: None,
            message: Some(format!("{} changed the {what} of this task: {}", correction.by, correction.reason)),
            due: None,
            timing: Timing::default(),
            form: None,
            narrow: Vec::new(),
            input,
            changed_by: Some(correction.by.clone()),
        });
        task.record.status = TaskStatus::Waiting;
        task.record.error = None;
        task.record.ended_at = None;
        task.record.call = Some(call);
        task.work = Work::Call(CallWork { call: Some(call), approval: Some(request.clone()), ..CallWork::default() });
        self.state.counters.call = call.0;
        self.state.calls.insert(call, frame);
        self.effects.push(Effect::OpenApproval(request));
        self.show(frame);
        true
    }

    /// Those who were asked last agree; false if nothing was changed, and the answer is the task's own.
    pub(super) fn correction_approved(&mut self, frame: FrameId) -> bool {
        let Some(correction) = self.state.task_mut(frame).and_then(|task| task.correction.as_mut()) else {
            return false;
        };
        correction.rules.pop_front();
        if self.ask_about_correction(frame) {
            return true;
        }
        let Some(task) = self.state.task_mut(frame) else { return true };
        task.work = Work::Plain;
        task.record.status = TaskStatus::Running;
        let data = task.correction.take().map(|correction| correction.data);
        self.show(frame);
        match data {
            Some(Corrected::Output(output)) => self.pass_over(frame, Some(output)),
            Some(Corrected::Input) | None => self.queue.push_back(Step::Begin { task: frame }),
        }
        true
    }

    /// Begins a task whose changed input was approved.
    pub(super) fn begin_corrected(&mut self, frame: FrameId) {
        let definition = self.definition;
        let Some(index) = self.state.task(frame).map(|task| task.task) else { return };
        if let Some(task) = definition.task(index) {
            self.begin_task(frame, index, task);
        }
    }
}
