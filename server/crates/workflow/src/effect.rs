//! [`Effect`]: what the machine asks the engine to do. Effects are executed only after their event is durable.

use domain::{RunStatus, TaskStatus, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::approval::Timing;
use crate::{CallId, CloudEvent, RunError, SubscriptionId, TimerId};

/// One thing to do. The order within a batch is the order in which it was decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "effect", content = "value", rename_all = "camelCase")]
pub enum Effect {
    /// Dispatch a call; [`crate::build_call`] gives its arguments when it is dispatched.
    Call(CallTicket),
    /// The call's result is no longer wanted: stop it if that is possible. A late result is ignored.
    StopCall {
        /// The call.
        call: CallId,
    },
    /// The call's task was stopped, and what the call does may have to be taken back: do not begin it if it was not begun
    /// (it has failed then), end it if it can be ended, else let it come to its end. What came of it is wanted.
    SettleCall {
        /// The call.
        call: CallId,
    },
    /// Deliver [`crate::EventKind::TimerFired`] at `at` or as soon as possible thereafter.
    SetTimer {
        /// The timer.
        timer: TimerId,
        /// When.
        at: Timestamp,
    },
    /// Forget the timer. One that fires all the same is ignored.
    ClearTimer {
        /// The timer.
        timer: TimerId,
    },
    /// Open an approval; it completes by `CallCompleted` or `CallFailed`. If it is open already, look up again whom its rule
    /// asks.
    OpenApproval(Box<ApprovalRequest>),
    /// Ask the next stage of an open approval.
    AskStage {
        /// The approval, as it was opened.
        request: Box<ApprovalRequest>,
        /// The stage, by its position.
        stage: usize,
    },
    /// Ask more people in the open stage of an approval, as its [`Timing`] says.
    Escalate(Box<ApprovalRequest>),
    /// Close an approval that is no longer wanted.
    CloseApproval {
        /// Its call.
        call: CallId,
    },
    /// Deliver events that the subscription admits as [`crate::EventKind::EventReceived`], in the order in which they
    /// arrive, until it is closed.
    Subscribe(Box<Subscription>),
    /// Close the subscription. An event that is delivered all the same is ignored.
    Unsubscribe {
        /// The subscription.
        subscription: SubscriptionId,
        /// If it ended because everything that was listened for has arrived: the correlation keys that were found. None
        /// if it was given up.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        correlated: Option<Map<String, Value>>,
    },
    /// Publish an event, to this run's own subscriptions, too. It must be written down with the step that has it, and
    /// published after that at least once: it is in no [`crate::outstanding`] of a later state.
    Emit(Box<CloudEvent>),
    /// Insert or update the task's row; the key is `(reference, occurrence)`.
    Task(Box<TaskRecord>),
    /// Update the run's row.
    Run(Box<RunRecord>),
}

/// A call to dispatch. Carries no arguments: those may hold secrets and are built by [`crate::build_call`] only.
#[expect(clippy::struct_excessive_bools, reason = "each says one thing about the call")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallTicket {
    /// This attempt.
    pub call: CallId,
    /// The function of the catalogue (`http`, `directory`, `smtp`, …), or one of [`crate::process`].
    pub function: String,
    /// JSON pointer to the task: `/do/0/createAccount`.
    pub reference: String,
    /// The task's name.
    pub name: String,
    /// 1 for the first attempt of this task, one more for each repetition (by `retry`, an operator, a recovery).
    pub attempt: u32,
    /// Whether the definition declares that calling twice does no harm (`metadata.rondo.idempotent`).
    pub idempotent: bool,
    /// The idempotency key: 64 hex digits, the same over all attempts and restarts, different for every loop iteration.
    pub key: String,
    /// When the engine must give up on it by itself, if a timeout covers it; the machine has a timer for that, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// Whether the call takes something back.
    pub compensation: bool,
    /// Whether the call subscribes: it stays in flight, and messages come of it
    /// ([`crate::EventKind::MessageReceived`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub subscribes: bool,
    /// Whether all that is wanted is what became of it, as [`Effect::SettleCall`] says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub settles: bool,
}

/// What a `listen` task listens to, as far as a router can know it without the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subscription {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// JSON pointer to the task.
    pub reference: String,
    /// An event is of interest if one of these admits it. Never empty.
    pub filters: Vec<EventFilter>,
}

impl Subscription {
    /// Whether the event may be of interest.
    pub fn admits(&self, event: &CloudEvent) -> bool {
        self.filters.iter().any(|filter| filter.admits(event))
    }
}

/// The part of an event filter by which subscriptions can be indexed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventFilter {
    /// The event's `type`; absent: any.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The event's `source`; absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

impl EventFilter {
    /// Whether the event has the type and the source.
    pub fn admits(&self, event: &CloudEvent) -> bool {
        self.kind.as_deref().is_none_or(|kind| kind == event.kind())
            && self.source.as_deref().is_none_or(|source| source == event.source())
    }
}

/// An approval to open, with its arguments evaluated and validated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalRequest {
    /// The call that the approval answers.
    pub call: CallId,
    /// JSON pointer to the task.
    pub reference: String,
    /// The task's name.
    pub name: String,
    /// The rule: who, how many, until when.
    pub rule: crate::approval::ApprovalRule,
    /// What is asked, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// More words about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When it is due, where no calendar has to say that. If it ends by that, the machine has a timer for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// What time does to it; the engine sees to what is not the machine's.
    #[serde(default, skip_serializing_if = "Timing::is_none")]
    pub timing: Timing,
    /// JSON Schema of what an approver fills in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Value>,
    /// JSON pointers into the run's input: what an approver may change to something that its schema permits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub narrow: Vec<String>,
    /// The task's input: what is decided about.
    pub input: Value,
    /// The login name of whoever changed what is decided about, where that is what is asked; they are not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_by: Option<String>,
}

/// One execution of a task, as pages and REST show it. Structural tasks (`do`, `try`, `for`, `fork`) have records, too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskRecord {
    /// Order of start within the run, from 0.
    pub sequence: u32,
    /// JSON pointer to the task: `/do/0/createAccount`.
    pub reference: String,
    /// The task's name.
    pub name: String,
    /// `call`, `set`, `switch`, …
    pub kind: String,
    /// The function of a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// The n-th execution of this reference in the run, from 1 (loops, retries of an enclosing `try`).
    pub occurrence: u32,
    /// Where it stands.
    pub status: TaskStatus,
    /// How many attempts its call had; 1 for what is not a call.
    pub attempts: u32,
    /// Transformed input, once known.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "null_is_a_value")]
    pub input: Option<Value>,
    /// Transformed output, once completed.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "null_is_a_value")]
    pub output: Option<Value>,
    /// The error it failed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RunError>,
    /// For a switch, the name of the case that was taken (`null` if none matched).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<String>,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Its latest call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallId>,
    /// Whether it takes something back.
    pub compensation: bool,
    /// The record's reference that contains it, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
}

/// The run as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunRecord {
    /// Where it stands. While compensating: running.
    pub status: RunStatus,
    /// Transformed output, once completed.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "null_is_a_value")]
    pub output: Option<Value>,
    /// `$context`, once ended.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "null_is_a_value")]
    pub context: Option<Value>,
    /// The error it faulted with, or the reason of a cancellation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RunError>,
    /// Whether a person must look at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attention: Option<Attention>,
    /// How far taking back has come.
    pub compensation: Compensation,
    /// Whether [`crate::EventKind::RetryRequested`] would do something.
    pub retryable: bool,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// Why a person must look at a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "camelCase")]
pub enum Attention {
    /// A call's outcome is unknown and the definition does not say that it may be repeated.
    UnknownOutcome {
        /// JSON pointer to the task.
        reference: String,
        /// The call to settle.
        call: CallId,
    },
    /// Something was left behind: a compensation failed, or what a task gave did not fit, so that nobody can say what is to
    /// be taken back.
    CompensationFailed {
        /// JSON pointer to the compensating task, or to the task whose output did not fit.
        reference: String,
    },
}

/// How far taking back has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Compensation {
    /// Nothing was to be taken back.
    None,
    /// It is going on.
    Running,
    /// Everything was taken back.
    Done,
    /// Something was left behind.
    Failed,
}

/// Reads what is there as there: a task may well output null.
pub(crate) fn null_is_a_value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}
