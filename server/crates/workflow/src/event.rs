//! [`Event`]: what reaches a run from outside. Events are the journal's content and the only input of [`crate::apply`].

use std::fmt;

use domain::{RunId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::effect::null_is_a_value;
use crate::{CloudEvent, RunError};

/// One attempt of one call (or one approval), numbered within its run. A retry is a new `CallId`, so an answer to an
/// earlier attempt can never be taken for the answer to a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(pub u32);

/// One timer, numbered within its run; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TimerId(pub u32);

/// One subscription to events, numbered within its run; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SubscriptionId(pub u32);

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for TimerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Something that happened, with the time at which the engine wrote it down. Serialized as
/// `{"at": …, "type": "callCompleted", …}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When; the run's only clock.
    pub at: Timestamp,
    /// By which version of the encoding, and of what follows from an event, it was written down. What an earlier program
    /// wrote has the consequences that it had then.
    #[serde(default = "before_it_was_written")]
    pub format: u32,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

impl Event {
    /// The version of the encoding of events. A journal row carries it; a change that old readers cannot read raises it.
    pub const FORMAT: u32 = 6;

    /// An event at a time.
    pub fn new(at: Timestamp, kind: EventKind) -> Self {
        Self { at, format: Self::FORMAT, kind }
    }
}

/// The last format that events did not name.
const fn before_it_was_written() -> u32 {
    3
}

/// The kinds of event. Each fits only some states; one that does not fit (late, repeated) changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum EventKind {
    /// The run begins. The first event of every journal, and only there; but for a [`EventKind::CancelRequested`] before it,
    /// with which the run ends without having done anything.
    Started {
        /// The run.
        run: RunId,
        /// The raw input.
        input: Value,
        /// What the engine knows beside the specification (requester, number, namespace, links): `$runtime.metadata`.
        #[serde(default)]
        runtime: Value,
    },
    /// A node took the call up. Informative: the task shows as running, an attempt timeout counts from the dispatch.
    CallStarted {
        /// The call.
        call: CallId,
    },
    /// The call succeeded, or the approval was approved.
    CallCompleted {
        /// The call.
        call: CallId,
        /// Its result, already redacted.
        output: Value,
    },
    /// The call failed, or the approval was rejected.
    CallFailed {
        /// The call.
        call: CallId,
        /// The error, already redacted.
        error: RunError,
        /// Whether the connector holds that another attempt may succeed. Only information: retries are the definition's.
        #[serde(default)]
        retryable: bool,
    },
    /// The call failed, but an attempt may have happened all the same: its answer was lost, and another attempt does no
    /// harm. An error of the task as [`EventKind::CallFailed`]; where the task can be taken back it is remembered that it
    /// may have to be.
    CallLost {
        /// The call.
        call: CallId,
        /// The error, already redacted.
        error: RunError,
    },
    /// Nobody knows whether the call happened (a node died in it, the answer was lost, the probe found nothing).
    CallUnknown {
        /// The call.
        call: CallId,
    },
    /// A person settled an unknown call.
    CallResolved {
        /// The call.
        call: CallId,
        /// How.
        resolution: Resolution,
        /// Who.
        by: String,
    },
    /// A stage of an approval approved, and it is not the last.
    StageApproved {
        /// The approval's call.
        call: CallId,
        /// The stage that comes now, by its position.
        stage: usize,
    },
    /// Other input is sent in place of that which an open approval is about: the run begins again with it, from its first
    /// task. What it has done stays done, and is taken back if the run ends badly; what follows is another execution.
    Resubmitted {
        /// The approval's call.
        call: CallId,
        /// The raw input.
        input: Value,
        /// Who.
        by: String,
    },
    /// A timer's time has come.
    TimerFired {
        /// The timer.
        timer: TimerId,
    },
    /// An event for a subscription. Deliver whatever [`crate::Subscription::admits`]: whether it really fits, and
    /// correlates, is decided here. One that does not fit changes nothing and has no effects; one that is consumed always
    /// has some. The same event (by `source` and `id`) is consumed once by a subscription.
    EventReceived {
        /// The subscription.
        subscription: SubscriptionId,
        /// The event.
        event: Box<CloudEvent>,
    },
    /// A message of a call that subscribes (`call: asyncapi` with a `subscription`). The call stays in flight: messages
    /// come until it is stopped, and its completion means that no more will come. Whether a message is consumed is decided
    /// here, as for [`EventKind::EventReceived`].
    MessageReceived {
        /// The call.
        call: CallId,
        /// What tells the message from the others of the subscription, the same if it is delivered again.
        id: String,
        /// The message: `{payload, headers, correlationId}`.
        message: Value,
    },
    /// Somebody whom an approval asks was disabled before they decided: the rule is put to people once more.
    ApproverLeft {
        /// The approval's call.
        call: CallId,
    },
    /// The due time of an approval has come, by a calendar.
    ApprovalDue {
        /// The approval's call.
        call: CallId,
    },
    /// The time has come at which an approval that is still open asks more people.
    ApprovalEscalated {
        /// The approval's call.
        call: CallId,
    },
    /// A limit that holds up something of the run has room again. No concern of the machine, and in no journal: the engine
    /// tries again what waits.
    PlaceFreed,
    /// A person or the engine cancels the run.
    CancelRequested {
        /// Who.
        by: String,
        /// Why.
        #[serde(default)]
        reason: Option<String>,
    },
    /// No new task starts until [`EventKind::Resumed`].
    Suspended {
        /// Who.
        by: String,
    },
    /// Goes on after [`EventKind::Suspended`].
    Resumed {
        /// Who.
        by: String,
    },
    /// Runs the failed task of a faulted run again. Ignored once compensation has begun.
    RetryRequested {
        /// Who.
        by: String,
    },
    /// Passes over the task at which a run failed, or one that waits, as if it had completed. [`crate::refusal`] says when
    /// this is ignored.
    TaskSkipped {
        /// JSON pointer to the task.
        reference: String,
        /// Which execution of it.
        occurrence: u32,
        /// What stands for its transformed output; absent: its raw input, as for a task whose `if` is false.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "null_is_a_value")]
        output: Option<Value>,
        /// Why.
        reason: String,
        /// Who.
        by: String,
    },
    /// Goes on from a task that was started before, with another input; what followed it runs again. A halted run goes on
    /// with that. [`crate::refusal`] says when this is ignored.
    ResumedFrom {
        /// JSON pointer to the task.
        reference: String,
        /// How often it has been executed so far, so that nobody goes back further than was meant.
        occurrence: u32,
        /// Its raw input.
        input: Value,
        /// Why.
        reason: String,
        /// Who.
        by: String,
    },
}

impl EventKind {
    /// Whether an operator puts data into the run by it: another input or output than what the run itself came to. What the
    /// requester sends again is not meant: it is the request.
    #[must_use]
    pub fn changes_data(&self) -> bool {
        match self {
            Self::ResumedFrom { .. } => true,
            Self::TaskSkipped { output, .. } => output.is_some(),
            Self::CallResolved { resolution, .. } => matches!(resolution, Resolution::Done { .. }),
            _ => false,
        }
    }
}

/// How an operator settled an unknown call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "as", rename_all = "camelCase")]
pub enum Resolution {
    /// It did happen; this is its result.
    Done {
        /// The result.
        output: Value,
    },
    /// It did not happen, and is not to be tried again here.
    Failed {
        /// The error that the task raises.
        error: RunError,
    },
    /// It is to be tried again, with the same idempotency key.
    TryAgain,
}
