//! Subscribing by a call (dsl-reference.md, "`AsyncAPI` Subscription"): the call stays in flight and messages come of it,
//! which are worked through as events are.

use domain::TaskStatus;
use serde_json::Value;

use super::scope::expression_error;
use super::state::{CallWork, FrameId, Item, ListenWork, Step, Target, Work};
use super::{Machine, depth_problem};
use crate::definition::model::{Consume, Lifetime, TaskKind};
use crate::{CallId, RunError};

impl Machine<'_> {
    /// A task begins to consume messages.
    pub(super) fn begin_consuming(&mut self, frame: FrameId, consume: &Consume, input: &Value) -> Result<(), RunError> {
        let limit = consume.limit.as_ref();
        let limit = limit.map(|limit| super::flow::span(limit, input, &self.scope(Some(frame)))).transpose()?;
        let Some(task) = self.state.task_mut(frame) else { return Ok(()) };
        task.work = Work::Listen(Box::new(ListenWork { call: Some(CallWork::default()), ..ListenWork::default() }));
        if let Some(limit) = limit {
            self.set_timer(self.state.now + limit, Target::Consume(frame));
        }
        if self.has_consumed_enough(frame, consume)? {
            self.stop_listening(frame, true);
            self.work_through(frame);
        } else {
            self.queue.push_back(Step::Dispatch { task: frame });
        }
        Ok(())
    }

    fn consume_of(&self, frame: FrameId) -> Option<&Consume> {
        match &self.definition.task(self.state.task(frame)?.task)?.kind {
            TaskKind::Consume(consume) => Some(consume),
            _ => None,
        }
    }

    /// A message has come; false if it is not consumed.
    pub(super) fn message_received(&mut self, call: CallId, id: &str, message: &Value) -> bool {
        let definition = self.definition;
        let Some(frame) = self.state.calls.get(&call).copied() else { return false };
        if depth_problem(message).is_some() {
            return false;
        }
        let Some(TaskKind::Consume(consume)) =
            self.state.task(frame).and_then(|task| definition.task(task.task)).map(|task| &task.kind)
        else {
            return false;
        };
        // A filter that fails on what somebody else sent does not fit it.
        let fits = consume.filter.as_ref();
        let fits = fits.is_none_or(|filter| filter.holds(message, &self.scope(Some(frame))).unwrap_or(false));
        let Some(work) = self.listen_work(frame).filter(|work| work.open && fits) else { return false };
        if !work.progress.take_message(id) {
            return false;
        }
        let counts = consume.lifetime.is_condition();
        if consume.iterator.is_some() {
            work.queue.push_back(Item::new(id, message.clone()));
        } else {
            work.outputs.push(message.clone());
        }
        self.show(frame);
        // A condition is asked after the iteration, which may change what it is about.
        if consume.iterator.is_none() || !counts {
            match self.has_consumed_enough(frame, consume) {
                Ok(false) => {}
                Ok(true) => self.stop_listening(frame, true),
                Err(error) => {
                    self.raise(frame, error);
                    return true;
                }
            }
        }
        self.work_through(frame);
        true
    }

    /// Whether the subscription's lifetime is over, but for its duration.
    pub(super) fn has_consumed_enough(&self, frame: FrameId, consume: &Consume) -> Result<bool, RunError> {
        let Some(Work::Listen(work)) = self.state.task(frame).map(|task| &task.work) else { return Ok(false) };
        let holds = |condition: &crate::expression::Expression, name: &str| {
            let messages = if consume.iterator.is_some() { &work.consumed } else { &work.outputs };
            condition
                .holds(&Value::Array(messages.clone()), &self.scope(Some(frame)))
                .map_err(|error| expression_error(&error, &format!("subscription.consume.{name}")))
        };
        match &consume.lifetime {
            Lifetime::Amount(amount) => Ok(work.progress.messages() >= *amount),
            // Asked after each message (schema, "AsyncApiMessageConsumptionPolicyWhile").
            Lifetime::While(condition) => Ok(!work.outputs.is_empty() && !holds(condition, "while")?),
            // Asked before each message.
            Lifetime::Until(condition) => holds(condition, "until"),
        }
    }

    /// Nothing more will come: the time is over, or the stream has ended.
    pub(super) fn stop_consuming(&mut self, frame: FrameId) {
        self.stop_listening(frame, true);
        self.work_through(frame);
    }

    /// Whether the task consumes messages.
    pub(super) fn consumes(&self, frame: FrameId) -> bool {
        self.consume_of(frame).is_some()
    }

    /// Subscribes again for a task that wants more and has no call in flight.
    pub(super) fn consume_again(&mut self, frame: FrameId) {
        let wants = self
            .listen_work(frame)
            .is_some_and(|work| work.open && work.call.as_ref().is_some_and(|call| call.call.is_none()));
        if wants {
            if let Some(task) = self.state.task_mut(frame) {
                task.record.status = TaskStatus::Running;
            }
            self.queue.push_back(Step::Dispatch { task: frame });
        }
    }
}
