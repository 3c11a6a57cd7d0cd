//! [`RunState`]: where a run stands. Derived from the journal alone, and serializable as a snapshot.

use std::collections::{BTreeMap, VecDeque};

use domain::{RunId, TaskStatus, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::matching::Progress;
use crate::approval::ApprovalRule;
use crate::definition::model::{ListIndex, TaskIndex, Then};
use crate::effect::null_is_a_value;
use crate::{
    ApprovalRequest, CallId, CallTicket, Compensation, Definition, RunError, RunRecord, Subscription, SubscriptionId,
    TaskRecord, TimerId,
};

/// Number of a frame within its run; never used twice.
pub(crate) type FrameId = u32;

/// Where a run stands. Begin with [`RunState::new`] and hand it to [`crate::apply`] with every event of the journal.
///
/// A snapshot is its JSON. It is bound to the definition (by digest) and to [`RunState::VERSION`]; with another version
/// replay the journal instead.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunState {
    version: u32,
    pub(crate) run: Option<RunId>,
    pub(crate) phase: Phase,
    pub(crate) suspended: bool,
    /// It was cancelled before it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) withdrawn: Option<Withdrawal>,
    /// The time of the latest event.
    pub(crate) now: Timestamp,
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
    /// The raw input.
    pub(crate) input: Value,
    pub(crate) runtime: Value,
    pub(crate) context: Value,
    pub(crate) frames: BTreeMap<FrameId, Frame>,
    pub(crate) calls: BTreeMap<CallId, FrameId>,
    pub(crate) timers: BTreeMap<TimerId, Timer>,
    pub(crate) subscriptions: BTreeMap<SubscriptionId, FrameId>,
    /// Calls that nobody waits for and that have not been answered, with all that is needed to dispatch them.
    pub(crate) detached: BTreeMap<CallId, Detached>,
    /// Steps that wait for the run to be resumed, or retried.
    pub(crate) deferred: VecDeque<Step>,
    /// How often each reference has been executed.
    pub(crate) occurrences: BTreeMap<String, u32>,
    /// How many attempts each call that may still be repeated has had, by its key path.
    pub(crate) attempts: BTreeMap<String, u32>,
    /// Completed tasks that can be taken back, in order of completion.
    pub(crate) completed: Vec<Completed>,
    /// What people were asked about so far.
    pub(crate) gates: Vec<Gate>,
    /// The task at which an unhandled error arose, while the run can be retried from there.
    pub(crate) failed: Option<FrameId>,
    pub(crate) compensation: Compensation,
    /// The first compensating task that failed.
    pub(crate) left_behind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "null_is_a_value")]
    pub(crate) output: Option<Value>,
    pub(crate) error: Option<RunError>,
    pub(crate) counters: Counters,
    /// What was last shown of the run, to show only changes.
    pub(crate) shown: Option<Box<RunRecord>>,
}

/// A cancellation that came before the run began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Withdrawal {
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counters {
    pub(crate) frame: u32,
    pub(crate) call: u32,
    pub(crate) timer: u32,
    pub(crate) sequence: u32,
    pub(crate) subscription: u32,
    pub(crate) emitted: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Phase {
    New,
    Running,
    /// Finds out what happened of what was under way; then takes back what was done, and ends as said.
    Settling(Ending),
    /// Takes back what was done; then ends as said.
    Compensating(Ending),
    Ended(Ending),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Ending {
    Completed,
    Faulted,
    Cancelled,
}

/// A node of the tree of what is going on: task lists and tasks alternate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Frame {
    pub(crate) parent: Option<FrameId>,
    pub(crate) kind: FrameKind,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum FrameKind {
    List(ListFrame),
    Task(Box<TaskFrame>),
}

/// A task list that is being worked through. Without a parent it is the top list, or a compensation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListFrame {
    pub(crate) place: ListPlace,
    pub(crate) role: Role,
    /// Variables that begin here.
    pub(crate) variables: Map<String, Value>,
    /// The path from which idempotency keys are made.
    pub(crate) key: String,
    /// How often each position has been started.
    pub(crate) visits: BTreeMap<usize, u32>,
    /// The number of the latest task record of each position that has been started.
    pub(crate) starts: BTreeMap<usize, u32>,
    /// The raw input of the same, where `input.from` makes another of it: an operator who changes it must see it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) raw_inputs: BTreeMap<usize, Value>,
    /// What must be approved before the next task starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) correction: Option<Box<Correction>>,
    pub(crate) compensation: bool,
}

impl ListFrame {
    /// A list of which nothing has been started.
    pub(crate) fn new(place: ListPlace, role: Role, variables: Map<String, Value>, key: String) -> Self {
        Self {
            place,
            role,
            variables,
            key,
            visits: BTreeMap::new(),
            starts: BTreeMap::new(),
            raw_inputs: BTreeMap::new(),
            correction: None,
            compensation: false,
        }
    }
}

/// What a list frame works through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ListPlace {
    /// A task list.
    List(ListIndex),
    /// A single task: a fork's branch or a function's body.
    Single(TaskIndex),
}

impl ListPlace {
    /// The task at a position.
    pub(crate) fn task(self, definition: &Definition, position: usize) -> Option<TaskIndex> {
        match self {
            Self::Single(task) => Some(task),
            Self::List(list) => definition.list(list)?.tasks.get(position).copied(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Role {
    Top,
    Compensation,
    /// The list of a `do`, an iteration, a handler.
    Body,
    /// The list that a `try` guards.
    Guarded,
    /// A branch of a fork, with its position.
    Branch(usize),
    /// A function's body: variables from outside end here.
    Function,
    /// What the n-th extension that applies does before the task.
    Before(usize),
    /// What it does after the task.
    After(usize),
    /// A call whose task was stopped, until it is known whether it happened.
    Apart,
}

/// One execution of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TaskFrame {
    pub(crate) task: TaskIndex,
    /// Its row, with the transformed input.
    pub(crate) record: TaskRecord,
    pub(crate) raw_input: Value,
    /// The position in its list.
    pub(crate) position: usize,
    pub(crate) key: String,
    pub(crate) work: Work,
    /// What is done around it, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) extended: Option<Box<Extended>>,
    /// What must be approved before it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) correction: Option<Box<Correction>>,
}

/// A task after which data may not be changed without asking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Gate {
    pub(crate) asks: Asks,
    /// The number that the next task record had when it was passed: those with a higher one, or this, came after it.
    pub(crate) at: u32,
    /// The lists that it lies in, inside out.
    pub(crate) within: Vec<FrameId>,
    /// Its position in the innermost.
    pub(crate) position: usize,
}

/// Whom a gate asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Asks {
    /// An approval, decided or not, by its rule.
    People(ApprovalRule),
    /// Another workflow, which may have asked whomever it wanted.
    Workflow,
}

/// Data that an operator has put in place of the run's own. They are used once all whom the run had asked before agree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Correction {
    pub(crate) by: String,
    pub(crate) reason: String,
    /// The rules by which is yet to be asked.
    pub(crate) rules: VecDeque<ApprovalRule>,
    pub(crate) data: Corrected,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Corrected {
    /// The raw input with which the task begins.
    Input,
    /// The output that stands for that of the task, which is skipped.
    Output(Value),
}

/// How far the extensions of a task have come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Extended {
    /// Those that apply, by their position in the definition.
    pub(crate) applied: Vec<usize>,
    pub(crate) stage: Stage,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Stage {
    /// At the n-th of those that apply.
    Before(usize),
    /// The task itself.
    Task,
    /// The task has ended like this.
    After { output: Value, then: Then },
}

/// What a task is doing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Work {
    /// Has not come to its own part yet, or has a child list that does the work.
    Plain,
    Call(CallWork),
    Wait,
    Try(TryWork),
    For(ForWork),
    Fork(ForkWork),
    Listen(Box<ListenWork>),
}

impl Work {
    /// The call of a task that has one.
    pub(crate) fn call(&self) -> Option<&CallWork> {
        match self {
            Self::Call(work) => Some(work),
            Self::Listen(work) => work.call.as_ref(),
            _ => None,
        }
    }

    pub(crate) fn call_mut(&mut self) -> Option<&mut CallWork> {
        match self {
            Self::Call(work) => Some(work),
            Self::Listen(work) => work.call.as_mut(),
            _ => None,
        }
    }
}

/// Events or messages that are being consumed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListenWork {
    /// Whether more events are wanted.
    pub(crate) open: bool,
    /// The open subscription; a task that failed with its run has none until it is retried.
    pub(crate) subscription: Option<Box<Subscription>>,
    /// The call of which messages come, where they are no events.
    pub(crate) call: Option<CallWork>,
    pub(crate) progress: Progress,
    /// The events whose iterations have ended, as they are read, where a condition needs them beside the outputs.
    pub(crate) consumed: Vec<Value>,
    /// Events consumed that wait for their iteration.
    pub(crate) queue: VecDeque<Item>,
    /// The event whose iteration goes on.
    pub(crate) current: Option<Item>,
    pub(crate) outputs: Vec<Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CallWork {
    /// The current attempt, unless it is yet to be dispatched.
    pub(crate) call: Option<CallId>,
    /// Its number over all repetitions of this task.
    pub(crate) attempt: u32,
    pub(crate) unknown: bool,
    pub(crate) idempotent: bool,
    pub(crate) approval: Option<Box<ApprovalRequest>>,
    /// `$context` at dispatch, where another branch could change it before the call is built.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "null_is_a_value")]
    pub(crate) context: Option<Value>,
    /// An earlier attempt may have happened.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) doubtful: bool,
    /// Its task was stopped, and it was set apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stopped: Option<Box<Stopped>>,
}

/// How a task was stopped whose call may have happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stopped {
    /// The status that it has if its call did not happen.
    pub(crate) status: TaskStatus,
    pub(crate) error: Option<RunError>,
    /// An operator wants its call to be made again.
    pub(crate) again: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TryWork {
    pub(crate) retries: u32,
    pub(crate) since: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ForWork {
    pub(crate) items: Vec<Value>,
    /// The iteration that is going on.
    pub(crate) index: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ForkWork {
    /// Of the branches that have ended, by position.
    pub(crate) outputs: BTreeMap<usize, Value>,
}

impl Default for ListenWork {
    fn default() -> Self {
        Self {
            open: true,
            subscription: None,
            call: None,
            progress: Progress::default(),
            consumed: Vec::new(),
            queue: VecDeque::new(),
            current: None,
            outputs: Vec::new(),
        }
    }
}

/// An event or message that was consumed, as it is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Item {
    /// The step of the key path that its iteration has: another event is another thing to do, also where a repeated
    /// `try` counts from 0 again.
    pub(crate) key: String,
    pub(crate) value: Value,
}

impl Item {
    /// `name` tells it from all others.
    pub(crate) fn new(name: &str, value: Value) -> Self {
        let hash = Sha256::digest(name.as_bytes());
        Self { key: format!("e{}", hex::encode(hash.get(..8).unwrap_or_default())), value }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Timer {
    pub(crate) at: Timestamp,
    pub(crate) target: Target,
}

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Target {
    RunTimeout,
    TaskTimeout(FrameId),
    Wait(FrameId),
    /// The pause before a retry.
    Retry(FrameId),
    /// The longest that one attempt of a `try` may take.
    Attempt(FrameId),
    /// An approval's due time.
    Due(FrameId),
    /// For how long messages are consumed.
    Consume(FrameId),
}

impl Target {
    pub(crate) fn frame(self) -> Option<FrameId> {
        match self {
            Self::RunTimeout => None,
            Self::TaskTimeout(frame)
            | Self::Wait(frame)
            | Self::Retry(frame)
            | Self::Attempt(frame)
            | Self::Due(frame)
            | Self::Consume(frame) => Some(frame),
        }
    }
}

/// Something to start. Held back while the run is suspended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Step {
    /// The task at a position of a list, with its raw input.
    Start { list: FrameId, position: usize, input: Value },
    /// A task whose input was corrected, and may be used.
    Begin { task: FrameId },
    /// The (next) attempt of a call.
    Dispatch { task: FrameId },
    /// The next attempt of a `try`.
    Retry { task: FrameId },
}

/// A call of a `run` task with `await: false`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Detached {
    pub(crate) ticket: CallTicket,
    #[serde(flatten)]
    pub(crate) arguments: DetachedArguments,
}

/// The arguments of a call that nobody waits for. The task that asked for it is over, and its data may be gone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum DetachedArguments {
    /// Evaluated.
    With(Value),
    /// They read secrets, which are not kept: what they are evaluated from, besides, whenever the call is built.
    From(Box<Remembered>),
}

/// What an expression of a task that is over sees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Remembered {
    pub(crate) task: TaskIndex,
    pub(crate) input: Value,
    pub(crate) variables: Map<String, Value>,
}

/// A completed task that can be taken back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Completed {
    pub(crate) task: TaskIndex,
    pub(crate) key: String,
    pub(crate) input: Value,
    /// None if it did not fit: then nobody can say what is to be taken back.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "null_is_a_value")]
    pub(crate) output: Option<Value>,
    pub(crate) variables: Map<String, Value>,
}

impl RunState {
    /// The version of the snapshot's form.
    pub const VERSION: u32 = 5;

    /// The state before the first event.
    pub fn new() -> Self {
        let epoch = Timestamp::from_micros(0);
        Self {
            version: Self::VERSION,
            run: None,
            phase: Phase::New,
            suspended: false,
            withdrawn: None,
            now: epoch,
            started_at: epoch,
            ended_at: None,
            input: Value::Null,
            runtime: Value::Null,
            context: Value::Object(Map::new()),
            frames: BTreeMap::new(),
            calls: BTreeMap::new(),
            timers: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            detached: BTreeMap::new(),
            deferred: VecDeque::new(),
            occurrences: BTreeMap::new(),
            attempts: BTreeMap::new(),
            completed: Vec::new(),
            gates: Vec::new(),
            failed: None,
            compensation: Compensation::None,
            left_behind: None,
            output: None,
            error: None,
            counters: Counters::default(),
            shown: None,
        }
    }

    /// Whether this snapshot can be used by this version of the machine.
    pub fn is_current(&self) -> bool {
        self.version == Self::VERSION
    }

    /// Whether another run started this one.
    pub fn is_child(&self) -> bool {
        self.runtime.get("parent").is_some()
    }

    /// The raw input with which the run began, or began again.
    pub fn input(&self) -> &Value {
        &self.input
    }

    /// The run, once it has started.
    pub fn run(&self) -> Option<RunId> {
        self.run
    }

    /// The run's row as it was last shown by an effect; `None` before the first event.
    pub fn record(&self) -> Option<&RunRecord> {
        self.shown.as_deref()
    }

    /// `$context`.
    pub fn context(&self) -> &Value {
        &self.context
    }

    /// How often the task with this reference has been executed.
    pub fn executions(&self, reference: &str) -> u32 {
        self.occurrences.get(reference).copied().unwrap_or_default()
    }

    /// What tasks got from which the run can go on, by reference, unless it is their input as it is shown: of those with
    /// `input.from`, and of those that are under way or failed, perhaps before they had an input. Of several executions
    /// the latest.
    pub fn raw_inputs(&self, definition: &Definition) -> BTreeMap<String, Value> {
        let mut inputs = BTreeMap::new();
        for (_, frame) in self.frames.iter().filter(|(id, _)| !self.is_apart(**id)) {
            match &frame.kind {
                FrameKind::List(list) => inputs.extend(list.raw_inputs.iter().filter_map(|(position, input)| {
                    let task = definition.task(list.place.task(definition, *position)?)?;
                    Some((task.reference.to_string(), input.clone()))
                })),
                FrameKind::Task(task) => _ = inputs.insert(task.record.reference.clone(), task.raw_input.clone()),
            }
        }
        inputs
    }

    pub(crate) fn task(&self, frame: FrameId) -> Option<&TaskFrame> {
        match &self.frames.get(&frame)?.kind {
            FrameKind::Task(task) => Some(task),
            FrameKind::List(_) => None,
        }
    }

    pub(crate) fn task_mut(&mut self, frame: FrameId) -> Option<&mut TaskFrame> {
        match &mut self.frames.get_mut(&frame)?.kind {
            FrameKind::Task(task) => Some(task),
            FrameKind::List(_) => None,
        }
    }

    pub(crate) fn list(&self, frame: FrameId) -> Option<&ListFrame> {
        match &self.frames.get(&frame)?.kind {
            FrameKind::List(list) => Some(list),
            FrameKind::Task(_) => None,
        }
    }

    pub(crate) fn list_mut(&mut self, frame: FrameId) -> Option<&mut ListFrame> {
        match &mut self.frames.get_mut(&frame)?.kind {
            FrameKind::List(list) => Some(list),
            FrameKind::Task(_) => None,
        }
    }

    pub(crate) fn parent(&self, frame: FrameId) -> Option<FrameId> {
        self.frames.get(&frame)?.parent
    }

    /// The frame and all that contain it, inside out.
    pub(crate) fn ancestors(&self, frame: FrameId) -> impl Iterator<Item = FrameId> + '_ {
        std::iter::successors(Some(frame), |frame| self.parent(*frame))
    }

    /// Whether a frame belongs to a call that was set apart from its task.
    pub(crate) fn is_apart(&self, frame: FrameId) -> bool {
        let root = self.ancestors(frame).last().and_then(|root| self.list(root));
        root.is_some_and(|list| list.role == Role::Apart)
    }

    /// All frames inside a frame, outside in. A child always has a higher number than its parent.
    pub(crate) fn descendants(&self, frame: FrameId) -> Vec<FrameId> {
        let mut found = Vec::new();
        let mut inside = std::collections::BTreeSet::from([frame]);
        for (id, candidate) in self.frames.range(frame.saturating_add(1)..) {
            if candidate.parent.is_some_and(|parent| inside.contains(&parent)) {
                inside.insert(*id);
                found.push(*id);
            }
        }
        found
    }

    pub(crate) fn ended(&self) -> bool {
        matches!(self.phase, Phase::Ended(_))
    }

    /// The size of the snapshot, in bytes.
    pub(crate) fn size(&self) -> usize {
        struct Counter(usize);
        impl std::io::Write for Counter {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0 += bytes.len();
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let mut counter = Counter(0);
        match serde_json::to_writer(&mut counter, self) {
            Ok(()) => counter.0,
            Err(_) => usize::MAX,
        }
    }
}

impl Default for RunState {
    fn default() -> Self {
        Self::new()
    }
}
