//! Calls that may have happened although their tasks were stopped.
//!
//! A call under way cannot be called back: what is stopped may happen all the same. Where its effect can be taken back
//! (`metadata.rondo.compensate`) the run has to know. So such a call is set apart when its task is stopped: it lives on in
//! a tree of frames of its own, with the variables that its task had, and its answer says what became of it. What happened
//! counts as completed then; what nobody can tell is for an operator to say. While the run goes on nothing waits for that.
//! A run that ends badly takes back what it did once everything is settled ([`Phase::Settling`]); one that ends well needs
//! to know nothing.

use domain::TaskStatus;
use serde_json::Value;

use super::flow::{exported, transform, validate};
use super::state::{CallWork, Ending, FrameId, FrameKind, ListFrame, ListPlace, Phase, Role, Stopped, Work};
use super::{Machine, depth_problem};
use crate::definition::model::TaskKind;
use crate::{CallId, Compensation, Effect, EventKind, Resolution, RunError};

impl Machine<'_> {
    /// Sets the call of a task apart that is being stopped, if it may have happened and can be taken back. Gives the frame
    /// in which it goes on.
    pub(super) fn set_apart(
        &mut self,
        frame: FrameId,
        status: TaskStatus,
        error: Option<&RunError>,
    ) -> Option<FrameId> {
        if !self.settles || self.state.phase != Phase::Running {
            return None;
        }
        let tasks = self.may_have_happened(frame)?;
        let asked = self.state.task_mut(frame).and_then(|task| task.work.call_mut()).and_then(|work| work.call.take());
        if let Some(call) = asked {
            self.state.calls.remove(&call);
            // What this very application was about to send out never was.
            let before = self.effects.len();
            self.effects.retain(|effect| !matches!(effect, Effect::Call(ticket) if ticket.call == call));
            let unsent = self.effects.len() < before;
            if unsent && !self.call_work(frame).is_some_and(|work| work.doubtful) {
                return None;
            }
            let task = self.state.task_mut(frame)?;
            let work = task.work.call_mut()?;
            if unsent {
                work.unknown = true;
            } else if !work.unknown {
                self.effects.push(Effect::SettleCall { call });
            }
        }
        let context = self.state.context.clone();
        let task = self.state.task_mut(frame)?;
        let call = task.record.call?;
        let work = task.work.call_mut()?;
        let mut apart = work.clone();
        work.unknown = false;
        apart.call = Some(call);
        apart.unknown |= asked.is_none();
        apart.context.get_or_insert(context);
        apart.stopped = Some(Box::new(Stopped { status, error: error.cloned(), again: false }));
        let copy = self.transplant(&tasks)?;
        self.state.task_mut(copy)?.work = Work::Call(apart);
        self.state.calls.insert(call, copy);
        Some(copy)
    }

    /// Whether a task has a call that may have happened and can be taken back: by itself, or as the body of functions. Gives
    /// the task and those that call it as a function, inside out.
    fn may_have_happened(&self, frame: FrameId) -> Option<Vec<FrameId>> {
        let work = self.call_work(frame)?;
        if work.approval.is_some() || work.stopped.is_some() || (work.call.is_none() && !work.doubtful) {
            return None;
        }
        let mut tasks = vec![frame];
        while let Some(list) = tasks.last().and_then(|task| self.state.parent(*task))
            && self.state.list(list).is_some_and(|list| list.role == Role::Function)
            && let Some(caller) = self.state.parent(list)
        {
            tasks.push(caller);
        }
        let undoable = |frame: &FrameId| {
            let task = self.state.task(*frame).and_then(|task| self.definition.task(task.task));
            task.is_some_and(|task| task.metadata.compensate.is_some())
        };
        tasks.iter().any(undoable).then_some(tasks)
    }

    /// Whether something may have happened that there is no room to take back.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.settles
            && self
                .state
                .frames
                .keys()
                .any(|frame| self.state.is_apart(*frame) || self.may_have_happened(*frame).is_some())
    }

    fn call_work(&self, frame: FrameId) -> Option<&CallWork> {
        match &self.state.task(frame)?.work {
            Work::Call(work) => Some(work),
            _ => None,
        }
    }

    /// Copies a task, and those that call it as a function, into a tree of their own. Gives the copy of the task.
    fn transplant(&mut self, tasks: &[FrameId]) -> Option<FrameId> {
        let outermost = *tasks.last()?;
        let list = |place, role, variables| ListFrame::new(place, role, variables, String::new());
        let place = ListPlace::Single(self.state.task(outermost)?.task);
        let root = list(place, Role::Apart, self.scope(Some(outermost)).locals());
        let mut parent = self.add_frame(None, FrameKind::List(root));
        for (depth, frame) in tasks.iter().rev().enumerate() {
            let task = self.state.task(*frame)?.clone();
            if depth > 0 {
                let place = ListPlace::Single(task.task);
                let body = list(place, Role::Function, serde_json::Map::new());
                parent = self.add_frame(Some(parent), FrameKind::List(body));
            }
            parent = self.add_frame(Some(parent), FrameKind::Task(Box::new(task)));
        }
        Some(parent)
    }

    /// Takes what is told of a call that was set apart; none if the event is about none.
    pub(super) fn accept_apart(&mut self, kind: &EventKind) -> Option<bool> {
        let (EventKind::CallCompleted { call, .. }
        | EventKind::CallFailed { call, .. }
        | EventKind::CallLost { call, .. }
        | EventKind::CallUnknown { call }
        | EventKind::CallResolved { call, .. }) = kind
        else {
            return None;
        };
        let frame = *self.state.calls.get(call)?;
        let work = self.call_work(frame).filter(|work| work.stopped.is_some())?;
        let (unknown, doubtful) = (work.unknown, work.doubtful);
        match kind {
            EventKind::CallCompleted { output, .. } => self.settle(frame, Some(output)),
            EventKind::CallFailed { .. } if !unknown && !doubtful => self.settle(frame, None),
            EventKind::CallFailed { .. } | EventKind::CallLost { .. } | EventKind::CallUnknown { .. } if !unknown => {
                // An attempt before this one may have happened, or this one.
                if let Some(work) = self.state.task_mut(frame).and_then(|task| task.work.call_mut()) {
                    work.unknown = true;
                }
                self.ask_about(frame);
                self.go_on_when_settled();
            }
            EventKind::CallResolved { resolution, .. } if unknown => match resolution {
                Resolution::Done { output } => self.settle(frame, Some(output)),
                Resolution::Failed { .. } => self.settle(frame, None),
                Resolution::TryAgain => self.try_apart_again(frame, *call),
            },
            _ => return Some(false),
        }
        Some(true)
    }

    /// An operator wants the call to be made again.
    fn try_apart_again(&mut self, frame: FrameId, call: CallId) {
        self.answered(call);
        if let Some(work) = self.state.task_mut(frame).and_then(|task| task.work.call_mut()) {
            work.doubtful = true;
            if let Some(stopped) = &mut work.stopped {
                stopped.again = true;
            }
        }
        self.dispatch(frame);
    }

    /// It is known whether a call happened: with an answer it did.
    fn settle(&mut self, frame: FrameId, answer: Option<&Value>) {
        let Some(stopped) = self.stopped(frame) else { return };
        let definition = self.definition;
        let tasks: Vec<FrameId> =
            self.state.ancestors(frame).filter(|ancestor| self.state.task(*ancestor).is_some()).collect();
        let task = self.state.task(frame).and_then(|task| definition.task(task.task));
        let answer = match (answer, task.map(|task| &task.kind)) {
            // As where it is not stopped: a process that ends badly is a task that has failed.
            (Some(answer), Some(TaskKind::Run(run))) => run.returns.of(&run.call.function, answer).ok(),
            (answer, _) => answer.cloned(),
        };
        let now = self.state.now;
        if let Some(answer) = answer {
            let mut output = depth_problem(&answer).is_none().then_some(answer);
            for (depth, frame) in tasks.iter().enumerate() {
                let Some(task) = self.state.task(*frame).and_then(|task| definition.task(task.task)) else { continue };
                output = output.and_then(|raw| self.published_apart(*frame, &raw));
                self.remember(*frame, task, output.as_ref());
                if let Some(state) = self.state.task_mut(*frame)
                    && depth == 0
                {
                    state.record.status = TaskStatus::Completed;
                    state.record.output.clone_from(&output);
                    state.record.error = None;
                    state.record.ended_at = Some(now);
                }
            }
        } else if let Some(state) = self.state.task_mut(frame) {
            state.record.status = stopped.status;
            state.record.error = stopped.error;
            state.record.ended_at = Some(now);
        }
        self.show(frame);
        self.forget_apart(frame);
        self.go_on_when_settled();
    }

    /// The output of a task that was stopped; none if it does not fit, since then nobody can say what is to be taken back.
    fn published_apart(&mut self, frame: FrameId, raw: &Value) -> Option<Value> {
        let definition = self.definition;
        let task = self.state.task(frame).and_then(|task| definition.task(task.task))?;
        let mut scope = self.scope(Some(frame));
        scope.raw_output = Some(raw);
        let output = transform(&task.output, raw, &scope, "output.as").ok()?;
        validate(task.output.schema.as_ref(), &output, "output").ok()?;
        // What goes on without the task is not changed by it; what takes it back may need what it exports.
        if matches!(self.state.phase, Phase::Settling(_))
            && let Ok(Some(context)) = exported(&task.export, &output, scope)
        {
            self.state.context = context;
        }
        Some(output)
    }

    /// The run ends badly, as soon as it is known what happened.
    pub(super) fn settle_and_end(&mut self, ending: Ending) {
        self.state.phase = Phase::Settling(ending);
        for frame in self.apart() {
            self.ask_about(frame);
        }
        self.go_on_when_settled();
    }

    /// Shows that nobody knows what became of a call, if somebody has to say; where the task has happened before by the same
    /// key, it is to be taken back anyway.
    fn ask_about(&mut self, frame: FrameId) {
        let Some(key) = self.state.task(frame).map(|task| task.key.clone()) else { return };
        if !self.call_work(frame).is_some_and(|work| work.unknown) {
            return;
        }
        if matches!(self.state.phase, Phase::Settling(_)) && self.state.completed.iter().any(|it| it.key == key) {
            self.give_up(frame);
            return;
        }
        self.show_apart(frame);
    }

    /// Shows a task whose call was set apart.
    pub(super) fn show_apart(&mut self, frame: FrameId) {
        let (now, phase) = (self.state.now, self.state.phase);
        let Some(state) = self.state.task_mut(frame) else { return };
        let Some(work) = state.work.call() else { return };
        let Some(stopped) = work.stopped.as_deref() else { return };
        let (status, error) = match (work.unknown, phase) {
            (true, Phase::Settling(_)) => (TaskStatus::Unknown, None),
            (true, _) => (stopped.status, stopped.error.clone()),
            (false, _) => (TaskStatus::Running, None),
        };
        let over = !matches!(status, TaskStatus::Unknown | TaskStatus::Running);
        state.record.status = status;
        state.record.error = error;
        state.record.ended_at = over.then_some(now);
        self.show(frame);
    }

    /// Everything is settled: what happened is taken back. Where nothing did, a run that failed stays as it is, so that an
    /// operator can retry it.
    fn go_on_when_settled(&mut self) {
        let Phase::Settling(ending) = self.state.phase else { return };
        if !self.apart().is_empty() {
            return;
        }
        if self.state.completed.is_empty() {
            self.end(ending);
        } else {
            self.start_compensation(ending);
        }
    }

    fn start_compensation(&mut self, ending: Ending) {
        self.state.frames.clear();
        self.state.calls.clear();
        self.state.attempts.clear();
        self.state.deferred.clear();
        self.state.failed = None;
        self.state.phase = Phase::Compensating(ending);
        self.state.compensation = Compensation::Running;
        self.next_compensation();
    }

    /// The tasks whose calls were set apart.
    fn apart(&self) -> Vec<FrameId> {
        let apart = |frame: &FrameId| self.call_work(*frame).is_some_and(|work| work.stopped.is_some());
        self.state.calls.values().copied().filter(apart).collect()
    }

    fn stopped(&self, frame: FrameId) -> Option<Stopped> {
        Some(self.call_work(frame)?.stopped.as_deref()?.clone())
    }

    /// Nobody needs to know any more what became of a call.
    fn give_up(&mut self, frame: FrameId) {
        let (Some(stopped), Some(work)) = (self.stopped(frame), self.call_work(frame)) else { return };
        if let Some(call) = work.call.filter(|_| !work.unknown) {
            self.effects.push(Effect::StopCall { call });
        }
        let now = self.state.now;
        if let Some(state) = self.state.task_mut(frame) {
            state.record.status = stopped.status;
            state.record.error = stopped.error;
            state.record.ended_at = Some(now);
        }
        self.show(frame);
        self.forget_apart(frame);
    }

    pub(super) fn give_up_all(&mut self) {
        for frame in self.apart() {
            self.give_up(frame);
        }
    }

    /// Where a repeated `try` does the same thing again, by the same key, what comes of that says what came of it before.
    /// Whether it was set apart.
    pub(super) fn supersede(&mut self, again: FrameId) -> bool {
        let is_try = |frame: FrameId| self.state.task(frame).is_some_and(|task| matches!(task.work, Work::Try(_)));
        let Some(key) = self.state.task(again).map(|task| &task.key) else { return false };
        if !self.state.ancestors(again).any(is_try) {
            return false;
        }
        let same = |frame: &FrameId| *frame != again && self.state.task(*frame).is_some_and(|task| task.key == *key);
        let Some(frame) = self.apart().into_iter().find(same) else { return false };
        self.give_up(frame);
        true
    }

    fn forget_apart(&mut self, frame: FrameId) {
        let tree: Vec<FrameId> = self.state.ancestors(frame).collect();
        for frame in tree {
            self.state.calls.retain(|_, owner| *owner != frame);
            self.state.frames.remove(&frame);
        }
    }
}
