//! [`Lifecycle`]: the events by which a run tells others where it stands (dsl.md, "Lifecycle Events").
//!
//! Only the events that the specification requires are made; `status-changed` is left to those who want it.

use std::collections::{BTreeMap, BTreeSet};

use domain::{RunId, RunStatus, TaskStatus, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{CloudEvent, Definition, Effect, RunRecord, SubscriptionId, TaskRecord};

/// Makes lifecycle events of what a run shows. Feed it all effects of a run in their order, those of a replay, too (and
/// throw away what it gives for them): the same effects give the same events, with the same ids. Its JSON goes with a
/// snapshot of the run's state, so that a replay may begin there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Lifecycle {
    run: RunId,
    /// The qualified name: `NAME-ID.NAMESPACE`.
    name: String,
    definition: Value,
    source: String,
    status: Option<RunStatus>,
    /// Those that may still be heard of, by reference and occurrence.
    #[serde(with = "pairs")]
    tasks: BTreeMap<(String, u32), Known>,
    correlating: BTreeSet<SubscriptionId>,
    made: u64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Known {
    status: TaskStatus,
    attempts: u32,
}

/// A map whose keys are no texts, as JSON.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Known;

    type Tasks = BTreeMap<(String, u32), Known>;

    pub(super) fn serialize<S: Serializer>(tasks: &Tasks, serializer: S) -> Result<S::Ok, S::Error> {
        tasks.iter().collect::<Vec<_>>().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tasks, D::Error> {
        Vec::deserialize(deserializer).map(Tasks::from_iter)
    }
}

/// The events at a task's end, held back until those of the tasks inside it have been made.
struct Open {
    reference: String,
    end: Option<(&'static str, Value)>,
}

impl Lifecycle {
    /// For a run that has not begun. `source` is the `source` of all events, a URI or a part of one.
    pub fn new(definition: &Definition, run: RunId, source: impl Into<String>) -> Self {
        let document = definition.document();
        Self {
            run,
            name: format!("{}-{run}.{}", document.name, document.namespace),
            definition: json!({
                "name": document.name,
                "namespace": document.namespace,
                "version": document.version.to_string(),
            }),
            source: source.into(),
            status: None,
            tasks: BTreeMap::new(),
            correlating: BTreeSet::new(),
            made: 0,
        }
    }

    /// The events that the effects of one event, which came at `at`, mean.
    pub fn observe(&mut self, at: Timestamp, effects: &[Effect]) -> Vec<CloudEvent> {
        let mut out = Vec::new();
        let records =
            effects.iter().filter_map(|effect| if let Effect::Task(record) = effect { Some(record) } else { None });
        let run =
            effects.iter().rev().find_map(|effect| if let Effect::Run(record) = effect { Some(record) } else { None });
        if let Some(record) = run
            && self.status.is_none()
        {
            let data = json!({"name": self.name, "definition": self.definition, "startedAt": record.started_at});
            self.make("workflow.started", record.started_at, data, &mut out);
            self.status = Some(RunStatus::Running);
        }
        let mut open: Vec<Open> = Vec::new();
        for record in records {
            while open.last().is_some_and(|outer| Some(&outer.reference) != record.parent.as_ref()) {
                self.close(open.pop(), at, &mut out);
            }
            let end = self.task(at, record, &mut out);
            open.push(Open { reference: record.reference.clone(), end });
        }
        while !open.is_empty() {
            self.close(open.pop(), at, &mut out);
        }
        for effect in effects {
            self.correlation(at, effect, &mut out);
        }
        if let Some(record) = run {
            self.workflow(at, record, &mut out);
        }
        out
    }

    fn close(&mut self, open: Option<Open>, at: Timestamp, out: &mut Vec<CloudEvent>) {
        if let Some((kind, data)) = open.and_then(|open| open.end) {
            self.make(kind, at, data, out);
        }
    }

    /// Makes the events of a task's beginning; gives the one of its end.
    fn task(&mut self, at: Timestamp, record: &TaskRecord, out: &mut Vec<CloudEvent>) -> Option<(&'static str, Value)> {
        let now = Known { status: record.status, attempts: record.attempts };
        let key = (record.reference.clone(), record.occurrence);
        // Of a task that has ended well nothing more comes; a loop would keep all of them.
        let before = match record.status {
            TaskStatus::Completed => self.tasks.remove(&key),
            // One that was begun was not brought to its end; one whose `if` is false never was.
            TaskStatus::Skipped => Some(self.tasks.remove(&key)?),
            _ => self.tasks.insert(key, now),
        };
        let about = |name: &str, time: Timestamp| {
            with(json!({"workflow": self.name, "task": record.reference}), name, Some(json!(time)))
        };
        let (created, started) = (about("createdAt", record.started_at), about("startedAt", record.started_at));
        let retried = about("retriedAt", at);
        let ended = record.ended_at.unwrap_or(at);
        let end = match record.status {
            TaskStatus::Completed => {
                Some(("task.completed", with(about("completedAt", ended), "output", record.output.clone())))
            }
            TaskStatus::Faulted => {
                let error = record.error.as_ref().map(crate::RunError::to_value);
                Some(("task.faulted", with(about("faultedAt", ended), "error", error)))
            }
            TaskStatus::Cancelled | TaskStatus::Skipped => Some(("task.cancelled", about("cancelledAt", ended))),
            _ => None,
        };
        match before {
            None => {
                self.make("task.created", record.started_at, created, out);
                self.make("task.started", record.started_at, started, out);
            }
            Some(before) if before.attempts > 0 && record.attempts > before.attempts => {
                self.make("task.retried", at, retried, out);
            }
            Some(_) => {}
        }
        end.filter(|_| before.is_none_or(|before| before.status != record.status))
    }

    fn correlation(&mut self, at: Timestamp, effect: &Effect, out: &mut Vec<CloudEvent>) {
        match effect {
            Effect::Subscribe(subscription) if self.correlating.insert(subscription.subscription) => {
                let data = json!({"name": self.name, "startedAt": at});
                self.make("workflow.correlation-started", at, data, out);
            }
            Effect::Unsubscribe { subscription, correlated } => {
                let known = self.correlating.remove(subscription);
                if let Some(keys) = correlated.as_ref().filter(|_| known) {
                    let keys = (!keys.is_empty()).then(|| Value::Object(keys.clone()));
                    let data = with(json!({"name": self.name, "completedAt": at}), "correlationKeys", keys);
                    self.make("workflow.correlation-completed", at, data, out);
                }
            }
            _ => {}
        }
    }

    fn workflow(&mut self, at: Timestamp, record: &RunRecord, out: &mut Vec<CloudEvent>) {
        let before = self.status.replace(record.status);
        if before == Some(record.status) {
            return;
        }
        let ended = record.ended_at.unwrap_or(at);
        match record.status {
            RunStatus::Suspended => {
                self.make("workflow.suspended", at, json!({"name": self.name, "suspendedAt": at}), out);
                self.tasks_in_progress("task.suspended", "suspendedAt", at, out);
            }
            RunStatus::Cancelled => {
                self.make("workflow.cancelled", ended, json!({"name": self.name, "cancelledAt": ended}), out);
            }
            RunStatus::Faulted => {
                let error = record.error.as_ref().map(crate::RunError::to_value);
                let data = json!({"name": self.name, "faultedAt": ended, "error": error});
                self.make("workflow.faulted", ended, data, out);
            }
            RunStatus::Completed => {
                let data = with(json!({"name": self.name, "completedAt": ended}), "output", record.output.clone());
                self.make("workflow.completed", ended, data, out);
            }
            // A faulted run that an operator retries goes on as one that was halted.
            RunStatus::Pending | RunStatus::Running | RunStatus::Waiting => match before {
                Some(RunStatus::Suspended) => {
                    self.make("workflow.resumed", at, json!({"name": self.name, "resumedAt": at}), out);
                    self.tasks_in_progress("task.resumed", "resumedAt", at, out);
                }
                Some(RunStatus::Faulted) => {
                    self.make("workflow.resumed", at, json!({"name": self.name, "resumedAt": at}), out);
                }
                _ => {}
            },
        }
    }

    /// The tasks of a run are halted and go on with it.
    fn tasks_in_progress(&mut self, kind: &str, time: &str, at: Timestamp, out: &mut Vec<CloudEvent>) {
        let is_over = |status| {
            matches!(status, TaskStatus::Skipped | TaskStatus::Completed | TaskStatus::Faulted | TaskStatus::Cancelled)
        };
        let tasks: Vec<String> = self
            .tasks
            .iter()
            .filter(|(_, known)| !is_over(known.status))
            .map(|((reference, _), _)| reference.clone())
            .collect();
        for task in tasks {
            let data = with(json!({"workflow": self.name, "task": task}), time, Some(json!(at)));
            self.make(kind, at, data, out);
        }
    }

    fn make(&mut self, kind: &str, time: Timestamp, data: Value, out: &mut Vec<CloudEvent>) {
        self.made += 1;
        let event = with(
            json!({
                "specversion": "1.0",
            "id": event_id(self.run, "lifecycle", self.made),
            "source": self.source,
            "type": format!("io.serverlessworkflow.{kind}.v1"),
            "time": time,
            "datacontenttype": "application/json",
            }),
            "data",
            Some(data),
        );
        // Only a source that is no URI could make it invalid; then there is nothing to publish.
        out.extend(CloudEvent::from_value(event));
    }
}

/// An object with another member, if there is one.
fn with(mut object: Value, name: &str, member: Option<Value>) -> Value {
    if let (Some(members), Some(member)) = (object.as_object_mut(), member) {
        members.insert(name.to_owned(), member);
    }
    object
}

/// The id of the n-th event of a series of a run: looks like any UUID, and is the same on every replay.
pub(crate) fn event_id(run: RunId, series: &str, number: u64) -> String {
    let hash = Sha256::digest(format!("{run}|{series}|{number}").as_bytes());
    let mut bytes = [0_u8; 16];
    for (byte, hashed) in bytes.iter_mut().zip(hash) {
        *byte = hashed;
    }
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}
