//! Errors: raising, catching, retrying, ending the run, taking back what was done.

use std::time::Duration;

use domain::TaskStatus;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::Machine;
use super::flow::{definition_of, span};
use super::scope::expression_error;
use super::state::{Corrected, Ending, FrameId, FrameKind, ListFrame, ListPlace, Phase, Role, Step, Target, Work};
use crate::definition::model::{Backoff, ErrorFilter, RetryPolicy, TaskKind, Try};
use crate::duration::LONGEST;
use crate::error::normalized_type;
use crate::{Compensation, RunError, StandardError};

/// The `type` of what a cancelled run shows as its reason.
const CANCELLED: &str = "https://rondo.dev/errors/cancelled";

impl Machine<'_> {
    /// A task raised an error: the nearest `try` around it that catches it goes on; without one the run faults.
    pub(super) fn raise(&mut self, frame: FrameId, error: RunError) {
        let Some(task) = self.state.task(frame) else { return };
        let mut error = error.at(&task.record.reference.clone());
        let ancestors: Vec<FrameId> = self.state.ancestors(frame).collect();
        let mut top = frame;
        for (inner, outer) in ancestors.iter().zip(ancestors.iter().skip(1)) {
            top = *outer;
            let guarded = self.state.list(*inner).is_some_and(|list| list.role == Role::Guarded);
            if !guarded {
                continue;
            }
            match self.catches(*outer, &error) {
                Ok(true) => {
                    self.unwind(*outer, &ancestors, &error);
                    self.caught(*outer, error);
                    return;
                }
                Ok(false) => {}
                // A filter that cannot be evaluated hides the error no less than it hides itself.
                Err(other) => error = other,
            }
        }
        let compensating = self.state.list(top).is_some_and(|list| list.role == Role::Compensation);
        if compensating {
            self.unwind(top, &ancestors, &error);
            self.remove(top);
            self.state.left_behind.get_or_insert_with(|| error.instance.clone().unwrap_or_default());
            self.next_compensation();
        } else {
            self.fault_run(error, Some(frame));
        }
    }

    /// Ends everything inside a frame: what leads to the error as faulted, the rest as cancelled.
    fn unwind(&mut self, outer: FrameId, path: &[FrameId], error: &RunError) {
        let inside = self.state.descendants(outer);
        for inner in &inside {
            if path.contains(inner) {
                self.stop(*inner, TaskStatus::Faulted, Some(error));
            }
        }
        for inner in inside.iter().filter(|inner| !path.contains(inner)) {
            self.stop(*inner, TaskStatus::Cancelled, None);
        }
        for inner in inside.iter().rev() {
            self.remove(*inner);
        }
        let pending = |step: &Step| match step {
            Step::Start { list: frame, .. }
            | Step::Begin { task: frame }
            | Step::Dispatch { task: frame }
            | Step::Retry { task: frame } => !inside.contains(frame),
        };
        self.queue.retain(pending);
        self.state.deferred.retain(pending);
    }

    fn try_of(&self, frame: FrameId) -> Option<&Try> {
        match &definition_of(self.definition, self.state.task(frame)?)?.kind {
            TaskKind::Try(guard) => Some(guard),
            _ => None,
        }
    }

    /// Whether a `try` catches an error.
    fn catches(&self, frame: FrameId, error: &RunError) -> Result<bool, RunError> {
        let Some(guard) = self.try_of(frame) else { return Ok(false) };
        if !matches(&guard.filter, error) {
            return Ok(false);
        }
        let value = error.to_value();
        let scope = self.scope(Some(frame)).with("error", value.clone()).with(&guard.variable, value.clone());
        if let Some(when) = &guard.when
            && !when.holds(&value, &scope).map_err(|error| expression_error(&error, "catch.when"))?
        {
            return Ok(false);
        }
        if let Some(except) = &guard.except_when
            && except.holds(&value, &scope).map_err(|error| expression_error(&error, "catch.exceptWhen"))?
        {
            return Ok(false);
        }
        Ok(true)
    }

    /// A `try` has caught an error: it retries, handles, or passes its input on.
    fn caught(&mut self, frame: FrameId, error: RunError) {
        self.clear_timers(|target| target == Target::Attempt(frame));
        let definition = self.definition;
        let Some(state) = self.state.task(frame) else { return };
        let Some(TaskKind::Try(guard)) = definition_of(definition, state).map(|task| &task.kind) else { return };
        if let Some(policy) = &guard.retry {
            match self.pause_before_retry(frame, guard, policy, &error) {
                Ok(Some(pause)) => {
                    self.retry_after(frame, pause, &error);
                    return;
                }
                Ok(None) => {}
                Err(other) => {
                    self.raise(frame, other);
                    return;
                }
            }
        }
        match guard.handler {
            Some(handler) => {
                let mut variables = Map::new();
                variables.insert(guard.variable.clone(), error.to_value());
                let input = self.input(frame);
                self.open_list(frame, ListPlace::List(handler), Role::Body, "c", variables, input);
            }
            // The retries are used up, and nobody handles it.
            None if guard.retry.is_some() => self.raise(frame, error),
            None => {
                let input = self.state.task(frame).map(|task| task.raw_input.clone());
                self.complete(frame, &input.unwrap_or(Value::Null), None);
            }
        }
    }

    /// How long to wait before the next attempt; none if there is to be no other.
    fn pause_before_retry(
        &self,
        frame: FrameId,
        guard: &Try,
        policy: &RetryPolicy,
        error: &RunError,
    ) -> Result<Option<Duration>, RunError> {
        let Some(state) = self.state.task(frame) else { return Ok(None) };
        let Work::Try(work) = &state.work else { return Ok(None) };
        let value = error.to_value();
        let scope = self.scope(Some(frame)).with("error", value.clone()).with(&guard.variable, value.clone());
        if let Some(when) = &policy.when
            && !when.holds(&value, &scope).map_err(|error| expression_error(&error, "retry.when"))?
        {
            return Ok(None);
        }
        if let Some(except) = &policy.except_when
            && except.holds(&value, &scope).map_err(|error| expression_error(&error, "retry.exceptWhen"))?
        {
            return Ok(None);
        }
        if policy.count.is_some_and(|count| work.retries >= count) {
            return Ok(None);
        }
        let input = self.input(frame);
        let delay = policy.delay.as_ref().map(|delay| span(delay, &input, &scope)).transpose()?.unwrap_or_default();
        let factor = match policy.backoff {
            Backoff::Constant => 1,
            Backoff::Linear => work.retries.saturating_add(1),
            Backoff::Exponential => 1_u32.checked_shl(work.retries.min(31)).unwrap_or(u32::MAX),
        };
        let mut pause = delay.checked_mul(factor).unwrap_or(LONGEST).min(LONGEST);
        if let Some((from, to)) = &policy.jitter {
            let (from, to) = (span(from, &input, &scope)?, span(to, &input, &scope)?);
            pause = pause.saturating_add(self.jitter(&state.key, work.retries, from, to)).min(LONGEST);
        }
        if let Some(limit) = &policy.total_duration {
            let limit = span(limit, &input, &scope)?;
            let spent = self.state.now.since(work.since);
            if spent.saturating_add(pause) > limit {
                return Ok(None);
            }
        }
        Ok(Some(pause))
    }

    /// A time between `from` and `to` that looks random and is the same on every replay.
    fn jitter(&self, key: &str, retries: u32, from: Duration, to: Duration) -> Duration {
        let run = self.state.run.map(|run| run.to_string()).unwrap_or_default();
        let hash = Sha256::digest(format!("{run}|{key}|{retries}").as_bytes());
        let number = hash.iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        let range = u64::try_from(to.saturating_sub(from).as_micros()).unwrap_or(u64::MAX);
        from + Duration::from_micros(number.checked_rem(range.saturating_add(1)).unwrap_or(0))
    }

    fn retry_after(&mut self, frame: FrameId, pause: Duration, error: &RunError) {
        let Some(state) = self.state.task_mut(frame) else { return };
        if let Work::Try(work) = &mut state.work {
            work.retries += 1;
        }
        state.record.status = TaskStatus::Retrying;
        state.record.error = Some(error.clone());
        self.show(frame);
        if pause.is_zero() {
            self.queue.push_back(Step::Retry { task: frame });
        } else {
            self.set_timer(self.state.now + pause, Target::Retry(frame));
        }
    }

    /// Starts the guarded list of a `try`, for the first time or again.
    pub(super) fn start_attempt(&mut self, frame: FrameId) {
        let definition = self.definition;
        let Some(state) = self.state.task_mut(frame) else { return };
        let Some(TaskKind::Try(guard)) = definition.task(state.task).map(|task| &task.kind) else { return };
        if let Work::Try(work) = &state.work {
            state.record.attempts = work.retries + 1;
        }
        state.record.status = TaskStatus::Running;
        state.record.error = None;
        self.show(frame);
        let input = self.input(frame);
        if let Some(limit) = guard.retry.as_ref().and_then(|policy| policy.attempt_duration.as_ref()) {
            match span(limit, &input, &self.scope(Some(frame))) {
                Ok(duration) => self.set_timer(self.state.now + duration, Target::Attempt(frame)),
                Err(error) => {
                    self.raise(frame, error);
                    return;
                }
            }
        }
        self.open_list(frame, ListPlace::List(guard.body), Role::Guarded, "t", Map::new(), input);
    }

    /// One attempt of a `try` took too long: that is an error inside it.
    pub(super) fn attempt_timed_out(&mut self, frame: FrameId, error: RunError) {
        let Some(task) = self.state.task(frame) else { return };
        let error = error.at(&task.record.reference.clone());
        self.cancel_inside(frame);
        match self.catches(frame, &error) {
            Ok(true) => self.caught(frame, error),
            Ok(false) => self.raise(frame, error),
            Err(other) => self.raise(frame, other),
        }
    }

    /// Nothing caught the error. What was done is taken back; where there is nothing to take back, the run stays as it
    /// is, so that an operator can retry it from the failed task.
    pub(super) fn fault_run(&mut self, error: RunError, failed: Option<FrameId>) {
        // Other branches may have been about to start a task; a retry starts it.
        let mut steps: Vec<Step> = self.queue.drain(..).chain(self.state.deferred.drain(..)).collect();
        steps.retain(|step| matches!(step, Step::Start { .. }));
        self.clear_timers(|_| true);
        let path: Vec<FrameId> = failed.map(|frame| self.state.ancestors(frame).collect()).unwrap_or_default();
        let frames: Vec<FrameId> =
            self.state.frames.keys().copied().filter(|frame| !self.state.is_apart(*frame)).collect();
        for frame in &frames {
            if path.contains(frame) {
                self.stop(*frame, TaskStatus::Faulted, Some(&error));
            } else {
                self.stop(*frame, TaskStatus::Cancelled, None);
            }
        }
        self.state.error = Some(error);
        self.state.failed = failed;
        self.state.deferred.extend(steps);
        self.settle_and_end(Ending::Faulted);
    }

    /// Ends the run by a person's wish.
    pub(super) fn cancel(&mut self, reason: Option<&str>) {
        self.drop_all(TaskStatus::Cancelled);
        self.state.suspended = false;
        self.state.error = Some(RunError {
            kind: CANCELLED.to_owned(),
            status: 499,
            title: Some("Cancelled".to_owned()),
            detail: reason.map(|reason| reason.chars().take(2_000).collect()),
            instance: None,
        });
        self.settle_and_end(Ending::Cancelled);
    }

    /// Stops and removes everything but what is set apart.
    pub(super) fn drop_all(&mut self, status: TaskStatus) {
        self.queue.clear();
        self.state.deferred.clear();
        self.clear_timers(|_| true);
        let frames: Vec<FrameId> =
            self.state.frames.keys().copied().filter(|frame| !self.state.is_apart(*frame)).collect();
        for frame in &frames {
            self.stop(*frame, status, None);
        }
        for frame in frames {
            self.state.frames.remove(&frame);
        }
        let left = &self.state.frames;
        self.state.calls.retain(|_, frame| left.contains_key(frame));
    }

    /// Takes back the task that completed last among those left; after the first the run ends.
    pub(super) fn next_compensation(&mut self) {
        let Phase::Compensating(ending) = self.state.phase else { return };
        while let Some(completed) = self.state.completed.pop() {
            let Some(list) = self.definition.task(completed.task).and_then(|task| task.metadata.compensate) else {
                continue;
            };
            let Some(output) = completed.output else {
                let reference = self.definition.task(completed.task).map(|task| task.reference.to_string());
                self.state.left_behind.get_or_insert_with(|| reference.unwrap_or_default());
                continue;
            };
            let mut variables = completed.variables;
            variables.insert("input".to_owned(), completed.input.clone());
            variables.insert("output".to_owned(), output);
            let error = self.state.error.as_ref().map_or(Value::Null, RunError::to_value);
            variables.insert("error".to_owned(), error);
            let frame = ListFrame {
                compensation: true,
                ..ListFrame::new(ListPlace::List(list), Role::Compensation, variables, format!("~{}", completed.key))
            };
            let list = self.add_frame(None, FrameKind::List(frame));
            self.queue.push_back(Step::Start { list, position: 0, input: completed.input });
            return;
        }
        self.state.compensation =
            if self.state.left_behind.is_some() { Compensation::Failed } else { Compensation::Done };
        self.end(ending);
    }

    /// An operator has the failed task of a faulted run done again, and whatever was stopped with it.
    pub(super) fn retry_failed(&mut self) -> bool {
        if self.state.phase != Phase::Ended(Ending::Faulted) || self.state.failed.is_none() {
            return false;
        }
        self.reopen(None);
        true
    }

    /// A faulted run goes on where it was; the task that is set apart is left as it is.
    pub(super) fn reopen(&mut self, apart: Option<FrameId>) {
        self.state.failed = None;
        self.state.phase = Phase::Running;
        self.state.error = None;
        self.state.ended_at = None;
        self.set_run_timeout();
        self.queue.append(&mut self.state.deferred);
        let parents: Vec<FrameId> = self.state.frames.values().filter_map(|frame| frame.parent).collect();
        let frames: Vec<FrameId> = self.state.frames.keys().copied().collect();
        for frame in frames {
            if self.state.ended() {
                return;
            }
            if parents.contains(&frame) {
                self.revive(frame);
            } else if apart != Some(frame) {
                self.restart(frame);
            }
        }
    }

    /// A task with others inside goes on as if nothing had happened.
    fn revive(&mut self, frame: FrameId) {
        let definition = self.definition;
        let Some(state) = self.state.task_mut(frame) else { return };
        let Some(task) = definition.task(state.task) else { return };
        state.record.status = TaskStatus::Running;
        state.record.error = None;
        state.record.ended_at = None;
        self.show(frame);
        self.subscribe(frame);
        self.consume_again(frame);
        if let Err(error) = self.set_task_timeout(frame, task) {
            self.fault_run(error.at(&task.reference), None);
        }
    }

    /// A task without others inside starts afresh, under the same idempotency key.
    fn restart(&mut self, frame: FrameId) {
        let Some(list) = self.state.parent(frame) else { return };
        let Some(state) = self.state.task_mut(frame) else {
            return;
        };
        let (position, input) = (state.position, state.raw_input.clone());
        // An input that was not approved still has to be; an output is dropped, since the task itself is done.
        let correction = state.correction.take().filter(|correction| correction.data == Corrected::Input);
        // Kept: the attempts of this key go on counting.
        self.state.frames.remove(&frame);
        if let Some(list) = self.state.list_mut(list) {
            list.correction = correction;
            if let Some(visits) = list.visits.get_mut(&position) {
                *visits = visits.saturating_sub(1);
            }
        }
        self.queue.push_back(Step::Start { list, position, input });
    }
}

/// Whether an error fits a filter.
fn matches(filter: &ErrorFilter, error: &RunError) -> bool {
    let same = |wanted: &Option<String>, found: Option<&String>| match wanted {
        None => true,
        Some(wanted) => found == Some(wanted),
    };
    let kind = filter.kind.as_ref().is_none_or(|kind| normalized_type(kind) == normalized_type(&error.kind));
    let status = filter.status.is_none_or(|status| status == error.status);
    kind && status
        && same(&filter.instance, error.instance.as_ref())
        && same(&filter.title, error.title.as_ref())
        && same(&filter.detail, error.detail.as_ref())
}

/// What a call raises whose arguments cannot be built.
pub(super) fn invalid_arguments(detail: String) -> RunError {
    RunError::new(StandardError::Validation, detail)
}
