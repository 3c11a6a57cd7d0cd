//! `emit` and `listen`: publishing events, subscribing to them, and working through those that were consumed.

use domain::TaskStatus;
use serde_json::{Map, Value};

use super::Machine;
use super::matching::{self, Progress};
use super::scope::expression_error;
use super::state::{FrameId, Item, ListPlace, ListenWork, Role, Work};
use crate::definition::model::{EventIterator, Listen, Read, TaskKind, Until};
use crate::expression::Template;
use crate::lifecycle::event_id;
use crate::{CloudEvent, Effect, RunError, StandardError, Subscription, SubscriptionId};

impl Machine<'_> {
    /// Publishes the event that an `emit` task describes; that is the task's output, too.
    pub(super) fn emit(&mut self, frame: FrameId, template: &Template, input: &Value) -> Result<(), RunError> {
        let with = template
            .evaluate(input, &self.scope(Some(frame)))
            .map_err(|error| expression_error(&error, "emit.event.with"))?;
        let mut members = Map::new();
        members.insert("specversion".to_owned(), Value::from("1.0"));
        let id = self.state.run.map(|run| event_id(run, "emitted", self.state.counters.emitted + 1));
        members.insert("id".to_owned(), id.into());
        members.insert("time".to_owned(), Value::from(self.state.now.to_string()));
        if let Value::Object(with) = with {
            // What evaluates to nothing is as if it were not given.
            members.extend(with.into_iter().filter(|(name, value)| name == "data" || !value.is_null()));
        }
        let event = CloudEvent::try_from(members)
            .map_err(|error| RunError::new(StandardError::Validation, format!("emit.event.with: {error}")))?;
        self.state.counters.emitted += 1;
        let output = event.to_value();
        self.effects.push(Effect::Emit(Box::new(event)));
        self.complete(frame, &output, None);
        Ok(())
    }

    /// A `listen` task begins to listen.
    pub(super) fn begin_listening(&mut self, frame: FrameId, listen: &Listen, input: &Value) -> Result<(), RunError> {
        let progress = Progress::begin(&listen.to, input, &self.scope(Some(frame)))?;
        let Some(task) = self.state.task_mut(frame) else { return Ok(()) };
        task.work = Work::Listen(Box::new(ListenWork { progress, ..ListenWork::default() }));
        task.record.status = TaskStatus::Waiting;
        self.show(frame);
        self.subscribe(frame);
        Ok(())
    }

    /// Opens a subscription for a task that wants more events and has none.
    pub(super) fn subscribe(&mut self, frame: FrameId) {
        let subscription = SubscriptionId(self.state.counters.subscription + 1);
        let Some((listen, work)) = self.listen_of(frame) else { return };
        let Some(task) = self.state.task(frame).filter(|_| work.open && work.subscription.is_none()) else { return };
        let reference = task.record.reference.clone();
        let request = Box::new(Subscription { subscription, reference, filters: matching::filters(&listen.to) });
        self.state.counters.subscription += 1;
        self.state.subscriptions.insert(subscription, frame);
        if let Some(work) = self.listen_work(frame) {
            work.subscription = Some(request.clone());
        }
        self.effects.push(Effect::Subscribe(request));
    }

    fn listen_of(&self, frame: FrameId) -> Option<(&Listen, &ListenWork)> {
        let task = self.state.task(frame)?;
        let (Work::Listen(work), TaskKind::Listen(listen)) = (&task.work, &self.definition.task(task.task)?.kind)
        else {
            return None;
        };
        Some((listen, work))
    }

    pub(super) fn listen_work(&mut self, frame: FrameId) -> Option<&mut ListenWork> {
        match &mut self.state.task_mut(frame)?.work {
            Work::Listen(work) => Some(work),
            _ => None,
        }
    }

    /// An event has come; false if it is not consumed.
    pub(super) fn event_received(&mut self, subscription: SubscriptionId, event: &CloudEvent) -> bool {
        let definition = self.definition;
        let Some(frame) = self.state.subscriptions.get(&subscription).copied() else { return false };
        if super::depth_problem(event.data()).is_some() {
            return false;
        }
        let Some(TaskKind::Listen(listen)) =
            self.state.task(frame).and_then(|task| definition.task(task.task)).map(|task| &task.kind)
        else {
            return false;
        };
        let Some((_, work)) = self.listen_of(frame) else { return false };
        let Some(found) = work.progress.offer(&listen.to, event, &self.scope(Some(frame))) else { return false };
        let ends = found.ends();
        let condition = matches!(listen.to.until, Some(Until::Condition(_)));
        let Some(work) = self.listen_work(frame) else { return false };
        work.progress.take(found);
        if !ends {
            let item = read(listen.read, event);
            if listen.iterator.is_some() {
                work.queue.push_back(Item::new(&matching::name(event), item));
            } else {
                work.outputs.push(item);
            }
        }
        let complete = work.progress.is_complete(&listen.to);
        self.show(frame);
        // With an iterator the condition is asked after the iteration, which may change what it is about.
        let complete = complete
            || condition
                && listen.iterator.is_none()
                && match self.has_enough(frame, listen) {
                    Ok(enough) => enough,
                    Err(error) => {
                        self.raise(frame, error);
                        return true;
                    }
                };
        if complete {
            self.stop_listening(frame, true);
        }
        self.work_through(frame);
        true
    }

    /// Whether the condition of `until` holds.
    fn has_enough(&self, frame: FrameId, listen: &Listen) -> Result<bool, RunError> {
        let (Some(Until::Condition(condition)), Some((_, work))) = (&listen.to.until, self.listen_of(frame)) else {
            return Ok(false);
        };
        let events = if listen.iterator.is_some() { &work.consumed } else { &work.outputs };
        condition
            .holds(&Value::Array(events.clone()), &self.scope(Some(frame)))
            .map_err(|error| expression_error(&error, "listen.to.until"))
    }

    /// Closes the subscription, if there is one; if everything has arrived, for good.
    pub(super) fn stop_listening(&mut self, frame: FrameId, fulfilled: bool) {
        let Some(work) = self.listen_work(frame) else { return };
        work.open &= !fulfilled;
        if let Some(call) = work.call.as_mut().and_then(|call| call.call.take())
            && self.state.calls.remove(&call).is_some()
        {
            self.effects.push(Effect::StopCall { call });
            return;
        }
        let Some(work) = self.listen_work(frame) else { return };
        let Some(subscription) = work.subscription.take().map(|request| request.subscription) else { return };
        let correlated = fulfilled.then(|| work.progress.keys().clone());
        self.state.subscriptions.remove(&subscription);
        self.effects.push(Effect::Unsubscribe { subscription, correlated });
    }

    /// Goes on with the next event that was consumed; ends the task when nothing is left to come.
    pub(super) fn work_through(&mut self, frame: FrameId) {
        let definition = self.definition;
        loop {
            let Some(task) = self.state.task(frame) else { return };
            let Some(kind) = definition.task(task.task).map(|task| &task.kind) else { return };
            let Some(work) = self.listen_work(frame) else { return };
            if work.current.is_some() {
                return;
            }
            let (Some(iterator), Some(item)) = (kind.iterator(), work.queue.pop_front()) else {
                if !work.open {
                    let output = Value::Array(std::mem::take(&mut work.outputs));
                    self.complete(frame, &output, None);
                }
                return;
            };
            work.current = Some(item.clone());
            if let Some(body) = iterator.body {
                let index = work.outputs.len();
                let variables = variables(iterator, item.value, index);
                let input = self.input(frame);
                self.open_list(frame, ListPlace::List(body), Role::Body, &item.key, variables, input);
                return;
            }
            if !self.iterated_once(frame, kind, iterator, &item.value) {
                return;
            }
        }
    }

    /// The iteration of an event has ended.
    pub(super) fn iterated(&mut self, frame: FrameId, output: &Value) {
        let definition = self.definition;
        let Some(task) = self.state.task(frame).and_then(|task| definition.task(task.task)) else { return };
        let Some(iterator) = task.kind.iterator() else { return };
        if self.iterated_once(frame, &task.kind, iterator, output) {
            self.work_through(frame);
        }
    }

    /// Takes the output of an iteration; false if the task is over with that.
    fn iterated_once(&mut self, frame: FrameId, kind: &TaskKind, iterator: &EventIterator, raw: &Value) -> bool {
        let Some(work) = self.listen_work(frame) else { return false };
        let (item, index) = (work.current.take().map_or(Value::Null, |item| item.value), work.outputs.len());
        let asked = match kind {
            TaskKind::Listen(listen) => matches!(listen.to.until, Some(Until::Condition(_))),
            TaskKind::Consume(consume) => consume.lifetime.is_condition(),
            _ => false,
        };
        if asked {
            work.consumed.push(item.clone());
        }
        let variables = variables(iterator, item, index);
        let output = match self.publish(frame, &iterator.output, &iterator.export, raw, variables) {
            Ok(output) => output,
            Err(error) => {
                self.raise(frame, error);
                return false;
            }
        };
        let Some(work) = self.listen_work(frame) else { return false };
        work.outputs.push(output);
        if !work.open {
            return true;
        }
        let enough = match kind {
            TaskKind::Listen(listen) => self.has_enough(frame, listen),
            TaskKind::Consume(consume) if asked => self.has_consumed_enough(frame, consume),
            _ => Ok(false),
        };
        match enough {
            Ok(false) => {}
            Ok(true) => {
                if let Some(work) = self.listen_work(frame) {
                    work.queue.clear();
                }
                self.stop_listening(frame, true);
            }
            Err(error) => {
                self.raise(frame, error);
                return false;
            }
        }
        true
    }
}

fn variables(iterator: &EventIterator, item: Value, index: usize) -> Map<String, Value> {
    Map::from_iter([(iterator.item.clone(), item), (iterator.at.clone(), Value::from(index))])
}

/// What is read of an event (dsl-reference.md, "Listen").
fn read(read: Read, event: &CloudEvent) -> Value {
    match read {
        // Data comes as JSON, so that raw and read data are the same; what is binary stays base64 in both.
        Read::Data | Read::Raw => event.data().clone(),
        Read::Envelope => event.to_value(),
    }
}
