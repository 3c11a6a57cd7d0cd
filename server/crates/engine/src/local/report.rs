//! What a run in process came to.

use domain::{RunStatus, TaskStatus, Timestamp};
use serde::Serialize;
use serde_json::Value;
use workflow::{CloudEvent, RunError, RunRecord, TaskRecord};

use crate::redaction::Redaction;

/// What a run came to, without the values of secrets.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// How it ended.
    pub status: RunStatus,
    /// Its output; null unless it completed.
    pub output: Value,
    /// `$context` at the end.
    pub context: Value,
    /// The error it faulted with, or the reason of its cancellation.
    pub error: Option<RunError>,
    /// The events that it emitted, those of the workflows that it ran included, in order.
    pub emitted: Vec<Value>,
    /// Its tasks in order of start, one entry per execution.
    pub tasks: Vec<TaskReport>,
}

/// One execution of a task.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskReport {
    /// JSON pointer to the task: `/do/0/setRed`.
    pub reference: String,
    /// The task's name.
    pub name: String,
    /// How it ended.
    pub status: TaskStatus,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// The last rows of a run.
pub(super) struct Record {
    pub(super) run: Option<RunRecord>,
    /// In order of start.
    pub(super) tasks: Vec<TaskRecord>,
}

impl Report {
    pub(super) fn of(record: Record, emitted: &[CloudEvent]) -> Self {
        let (status, output, context, error) = match record.run {
            Some(run) => (run.status, run.output, run.context, run.error),
            None => (RunStatus::Pending, None, None, None),
        };
        let tasks = record.tasks.into_iter().map(|task| TaskReport {
            reference: task.reference,
            name: task.name,
            status: task.status,
            started_at: task.started_at,
            ended_at: task.ended_at,
        });
        Self {
            status,
            output: output.unwrap_or_default(),
            context: context.unwrap_or_default(),
            error,
            emitted: emitted.iter().map(CloudEvent::to_value).collect(),
            tasks: tasks.collect(),
        }
    }

    pub(super) fn redact(&mut self, redaction: &Redaction) {
        redaction.value(&mut self.output);
        redaction.value(&mut self.context);
        self.emitted.iter_mut().for_each(|event| redaction.value(event));
        if let Some(error) = &mut self.error {
            redaction.error(error);
        }
    }
}
