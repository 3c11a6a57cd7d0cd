//! The interpreter: `apply(definition, state, event) -> effects`, with no clock, no randomness and no I/O.
//!
//! A run is a tree of frames in which task lists and tasks alternate (`state`). An event finds its frame by call or
//! timer; what it causes is put into a queue of steps, and the queue is worked off until nothing can go on without
//! another event. `flow` starts and completes tasks, `faults` raises, catches, retries and takes back, `calls` talks to
//! the outside, `settling` finds out what became of calls that were stopped, `commands` lets operators skip and go back,
//! `corrections` asks about what they change, `resubmission` lets a run begin again with what its requester has changed.

mod calls;
mod commands;
mod consuming;
mod corrections;
mod extending;
mod faults;
mod flow;
mod listening;
pub(crate) mod matching;
mod resubmission;
mod scope;
mod settling;
pub(crate) mod state;

use std::collections::{BTreeMap, VecDeque};

use domain::{RunStatus, TaskStatus, Timestamp};
use serde_json::Value;

pub use calls::{CallRequest, SecretSource, build_call, runner_of_call, secrets_of_call};
pub use commands::{Decides, Refusal, refusal};
pub use resubmission::unsettled;
pub use state::RunState;

use crate::{
    Attention, Definition, Effect, Event, EventKind, Resolution, RunError, RunRecord, StandardError, TaskRecord,
    TimerId,
};
use commands::Word;
use scope::Scope;
use state::{Ending, FrameId, FrameKind, Phase, Step, Target, Timer, Withdrawal, Work};

/// The most steps that one event may cause.
pub const MAX_STEPS_PER_EVENT: u32 = 10_000;
/// The largest snapshot of a run, in bytes.
pub const MAX_STATE_BYTES: usize = 8 * 1024 * 1024;
/// The most data, in bytes, that the task records of one event may hold.
const MAX_RECORD_BYTES: usize = 64 * 1024 * 1024;
/// The deepest nesting of data that comes from outside.
const MAX_DATA_DEPTH: usize = 64;
/// The format of events since which calls that are stopped are settled. What earlier ones caused is replayed as it was.
const SETTLES: u32 = 4;
/// How many steps may pass between two looks at the run's size.
const STEPS_BETWEEN_SIZE_CHECKS: u32 = 512;

/// Applies an event. Total and deterministic: an event that does not fit (late, repeated) changes nothing and has no
/// effects, and the same events give the same state and the same effects, always.
pub fn apply(definition: &Definition, state: &mut RunState, event: &Event) -> Vec<Effect> {
    let mut machine = Machine {
        definition,
        state,
        effects: Vec::new(),
        records: BTreeMap::new(),
        record_bytes: 0,
        queue: VecDeque::new(),
        steps: 0,
        settles: event.format >= SETTLES,
    };
    if !machine.accept(event) {
        return Vec::new();
    }
    machine.work_off();
    machine.finish()
}

/// What is in flight: the calls, timers, approvals and subscriptions that an engine must have taken up. For recovery.
pub fn outstanding(state: &RunState) -> Vec<Effect> {
    let mut effects = Vec::new();
    for (call, frame) in &state.calls {
        let Some(task) = state.task(*frame) else { continue };
        if let Some(work) = task.work.call()
            && work.call == Some(*call)
            && !work.unknown
        {
            effects.push(match &work.approval {
                Some(request) => Effect::OpenApproval(request.clone()),
                None => match calls::ticket(state, *frame) {
                    Some(ticket) => Effect::Call(ticket),
                    None => continue,
                },
            });
        }
    }
    effects.extend(state.detached.values().map(|detached| Effect::Call(detached.ticket.clone())));
    let subscriptions = state.subscriptions.values().filter_map(|frame| match &state.task(*frame)?.work {
        Work::Listen(work) => Some(Effect::Subscribe(work.subscription.clone()?)),
        _ => None,
    });
    effects.extend(subscriptions);
    effects.extend(state.timers.iter().map(|(timer, Timer { at, .. })| Effect::SetTimer { timer: *timer, at: *at }));
    effects
}

/// One application of an event.
struct Machine<'a> {
    definition: &'a Definition,
    state: &'a mut RunState,
    effects: Vec<Effect>,
    /// The rows that changed, by their sequence; each is shown once.
    records: BTreeMap<u32, TaskRecord>,
    record_bytes: usize,
    queue: VecDeque<Step>,
    steps: u32,
    /// Whether calls that are stopped are set apart where they can be taken back.
    settles: bool,
}

impl Machine<'_> {
    /// Whether the event fits; if so, its immediate consequences are drawn.
    fn accept(&mut self, event: &Event) -> bool {
        if let EventKind::Started { run, input, runtime } = &event.kind {
            if self.state.phase != Phase::New {
                return false;
            }
            self.state.run = Some(*run);
            self.state.now = event.at;
            self.state.started_at = event.at;
            self.state.phase = Phase::Running;
            self.state.runtime = runtime.clone();
            match self.state.withdrawn.take() {
                None => self.begin(input),
                Some(Withdrawal { reason }) => self.cancel(reason.as_deref()),
            }
            return true;
        }
        if self.state.phase == Phase::New {
            let EventKind::CancelRequested { reason, .. } = &event.kind else { return false };
            return self.state.withdrawn.replace(Withdrawal { reason: reason.clone() }).is_none();
        }
        let before = self.state.now;
        // Clocks of different nodes may disagree; a run's own time never goes back.
        self.state.now = event.at.max(before);
        let fits = self.accept_in_run(&event.kind);
        if !fits {
            self.state.now = before;
        }
        fits
    }

    fn accept_in_run(&mut self, kind: &EventKind) -> bool {
        match kind {
            EventKind::RetryRequested { .. } => return self.retry_failed(),
            EventKind::TaskSkipped { reference, occurrence, output, reason, by } => {
                return self.skip_task(reference, *occurrence, output.as_ref(), &Word { by, reason });
            }
            EventKind::ResumedFrom { reference, occurrence, input, reason, by } => {
                return self.resume_from(reference, *occurrence, input, &Word { by, reason });
            }
            _ => {}
        }
        if let EventKind::CallCompleted { call, .. }
        | EventKind::CallFailed { call, .. }
        | EventKind::CallLost { call, .. }
        | EventKind::CallUnknown { call } = kind
            && self.state.detached.remove(call).is_some()
        {
            return true;
        }
        if self.state.ended() {
            return false;
        }
        if let Some(fits) = self.accept_apart(kind) {
            return fits;
        }
        match kind {
            EventKind::Started { .. }
            | EventKind::CallStarted { .. }
            | EventKind::RetryRequested { .. }
            | EventKind::TaskSkipped { .. }
            | EventKind::ResumedFrom { .. }
            | EventKind::PlaceFreed => false,
            EventKind::CallCompleted { call, output } => self.answered(*call).is_some_and(|frame| {
                self.call_done(frame, output);
                true
            }),
            EventKind::CallFailed { call, error, .. } => self.answered(*call).is_some_and(|frame| {
                self.raise(frame, error.clone());
                true
            }),
            EventKind::CallLost { call, error } => self.answered(*call).is_some_and(|frame| {
                self.doubt(frame, true);
                self.raise(frame, error.clone());
                true
            }),
            EventKind::CallUnknown { call } => self.call_unknown(*call),
            EventKind::ApproverLeft { call } => self.ask_again(*call),
            EventKind::ApprovalDue { call } => self.approval_due(*call),
            EventKind::ApprovalEscalated { call } => self.escalate(*call),
            EventKind::CallResolved { call, resolution, .. } => {
                let unknown = self.state.calls.get(call).and_then(|frame| self.state.task(*frame));
                if !unknown.is_some_and(|task| task.work.call().is_some_and(|work| work.unknown)) {
                    return false;
                }
                let Some(frame) = self.answered(*call) else { return false };
                match resolution {
                    Resolution::Done { output } => self.call_done(frame, output),
                    Resolution::Failed { error } => {
                        self.doubt(frame, false);
                        self.raise(frame, error.clone());
                    }
                    Resolution::TryAgain => {
                        self.doubt(frame, true);
                        self.queue.push_back(Step::Dispatch { task: frame });
                    }
                }
                true
            }
            EventKind::StageApproved { call, stage } => self.ask_stage(*call, *stage),
            EventKind::Resubmitted { call, input, .. } => self.resubmit(*call, input),
            EventKind::TimerFired { timer } => self.timer_fired(*timer),
            EventKind::MessageReceived { call, id, message } => self.message_received(*call, id, message),
            EventKind::EventReceived { subscription, event } => self.event_received(*subscription, event),
            EventKind::CancelRequested { reason, .. } => {
                if self.state.phase != Phase::Running {
                    return false;
                }
                self.cancel(reason.as_deref());
                true
            }
            EventKind::Suspended { .. } => !std::mem::replace(&mut self.state.suspended, true),
            EventKind::Resumed { .. } => {
                let was = std::mem::replace(&mut self.state.suspended, false);
                // What would go on if the run was retried is no part of its end.
                if !matches!(self.state.phase, Phase::Settling(_)) {
                    self.queue.append(&mut self.state.deferred);
                }
                was
            }
        }
    }

    fn timer_fired(&mut self, timer: TimerId) -> bool {
        let Some(Timer { target, .. }) = self.state.timers.remove(&timer) else { return false };
        let timeout = |what: &str| RunError::new(StandardError::Timeout, format!("{what} took longer than allowed"));
        match target {
            Target::RunTimeout => self.fault_run(timeout("the run").at("/do"), None),
            Target::TaskTimeout(frame) => self.raise(frame, timeout("the task")),
            Target::Wait(frame) => {
                let input = self.state.task(frame).and_then(|task| task.record.input.clone());
                self.complete(frame, &input.unwrap_or(Value::Null), None);
            }
            Target::Retry(frame) => self.queue.push_back(Step::Retry { task: frame }),
            Target::Attempt(frame) => self.attempt_timed_out(frame, timeout("the attempt")),
            Target::Consume(frame) => self.stop_consuming(frame),
            Target::Due(frame) => self.overdue(frame),
        }
        true
    }

    /// Works the queue off, within bounds.
    fn work_off(&mut self) {
        while let Some(step) = self.queue.pop_front() {
            if self.state.ended() {
                self.queue.clear();
                return;
            }
            if self.state.suspended {
                self.state.deferred.push_back(step);
                continue;
            }
            self.steps += 1;
            if self.steps > MAX_STEPS_PER_EVENT {
                self.over_limit(format!("more than {MAX_STEPS_PER_EVENT} tasks ran without waiting for anything"));
                continue;
            }
            if self.record_bytes > MAX_RECORD_BYTES {
                self.over_limit("the tasks handled more than 64 MiB of data without waiting for anything".to_owned());
                continue;
            }
            if self.steps.is_multiple_of(STEPS_BETWEEN_SIZE_CHECKS) && self.state.size() > MAX_STATE_BYTES {
                self.over_limit("the run holds more than 8 MiB of data".to_owned());
                continue;
            }
            match step {
                Step::Start { list, position, input } => self.start(list, position, input),
                Step::Begin { task } => self.begin_corrected(task),
                Step::Dispatch { task } => self.dispatch(task),
                Step::Retry { task } => self.start_attempt(task),
            }
        }
    }

    /// Ends the run because it uses too much. What it did is still taken back, if there is room for that.
    fn over_limit(&mut self, detail: String) {
        self.queue.clear();
        self.steps = 0;
        self.record_bytes = 0;
        let error = RunError::new(StandardError::Runtime, detail).at("/do");
        let compensating = matches!(self.state.phase, Phase::Compensating(_));
        let in_doubt = self.is_in_doubt();
        if self.state.phase == Phase::Running && self.state.size() <= 2 * MAX_STATE_BYTES {
            self.fault_run(error, None);
            return;
        }
        self.settles = false;
        self.give_up_all();
        self.drop_all(TaskStatus::Cancelled);
        if compensating || in_doubt || !self.state.completed.is_empty() {
            self.state.compensation = crate::Compensation::Failed;
            self.state.left_behind.get_or_insert_with(|| "/do".to_owned());
        }
        self.state.completed.clear();
        self.state.error.get_or_insert(error);
        self.state.failed = None;
        self.end(match self.state.phase {
            Phase::Settling(ending) | Phase::Compensating(ending) => ending,
            _ => Ending::Faulted,
        });
    }

    /// Closes the application: bounds the state, shows what changed.
    fn finish(mut self) -> Vec<Effect> {
        // Taking back needs room even where the run had used all of its own.
        let limit = if self.state.phase == Phase::Running { MAX_STATE_BYTES } else { 2 * MAX_STATE_BYTES };
        if !self.state.ended() && self.state.size() > limit {
            self.over_limit("the run holds more than 8 MiB of data".to_owned());
            self.work_off();
        }
        for record in std::mem::take(&mut self.records).into_values() {
            self.effects.push(Effect::Task(Box::new(record)));
        }
        let record = self.run_record();
        if self.state.phase != Phase::New && self.state.shown.as_deref() != Some(&record) {
            self.state.shown = Some(Box::new(record.clone()));
            self.effects.push(Effect::Run(Box::new(record)));
        }
        self.effects
    }

    fn run_record(&self) -> RunRecord {
        let ended = self.state.ended();
        RunRecord {
            status: self.status(),
            output: self.state.output.clone(),
            context: ended.then(|| self.state.context.clone()),
            error: self.state.error.clone(),
            attention: self.attention(),
            compensation: self.state.compensation,
            retryable: ended && self.state.failed.is_some(),
            started_at: self.state.started_at,
            ended_at: self.state.ended_at,
        }
    }

    fn status(&self) -> RunStatus {
        match self.state.phase {
            Phase::New => RunStatus::Pending,
            Phase::Ended(Ending::Completed) => RunStatus::Completed,
            Phase::Ended(Ending::Faulted) => RunStatus::Faulted,
            Phase::Ended(Ending::Cancelled) => RunStatus::Cancelled,
            _ if self.state.suspended => RunStatus::Suspended,
            Phase::Settling(_) | Phase::Compensating(_) => RunStatus::Running,
            Phase::Running => {
                let leaves = self.state.frames.values().filter_map(|frame| match &frame.kind {
                    FrameKind::Task(task) => match &task.work {
                        // Nothing waits for it.
                        Work::Call(work) if work.stopped.is_some() => None,
                        Work::Call(work) => Some(work.approval.is_some() || work.unknown),
                        Work::Wait => Some(true),
                        Work::Listen(work) => work.current.is_none().then_some(true),
                        Work::Try(_) => (task.record.status == TaskStatus::Retrying).then_some(false),
                        _ => None,
                    },
                    FrameKind::List(_) => None,
                });
                let (mut any, mut all) = (false, true);
                for waits in leaves {
                    any = true;
                    all &= waits;
                }
                if any && all { RunStatus::Waiting } else { RunStatus::Running }
            }
        }
    }

    fn attention(&self) -> Option<Attention> {
        let unknown = self.state.calls.iter().find_map(|(call, frame)| {
            let task = self.state.task(*frame)?;
            // While the run goes on nobody needs to know what became of a call that was stopped.
            let settling = matches!(self.state.phase, Phase::Settling(_));
            let unknown = task.work.call().is_some_and(|work| work.unknown && (settling || work.stopped.is_none()));
            unknown.then(|| Attention::UnknownOutcome { reference: task.record.reference.clone(), call: *call })
        });
        unknown.or_else(|| {
            let reference = self.state.left_behind.clone()?;
            Some(Attention::CompensationFailed { reference })
        })
    }

    /// Shows the task's row at the end of this application.
    fn show(&mut self, frame: FrameId) {
        if let Some(task) = self.state.task(frame) {
            let record = task.record.clone();
            self.show_record(record);
        }
    }

    fn show_record(&mut self, record: TaskRecord) {
        let size = |value: &Option<Value>| value.as_ref().map_or(0, rough_size);
        self.record_bytes += size(&record.input) + size(&record.output);
        self.records.insert(record.sequence, record);
    }

    fn set_timer(&mut self, at: Timestamp, target: Target) {
        self.state.counters.timer += 1;
        let timer = TimerId(self.state.counters.timer);
        self.state.timers.insert(timer, Timer { at, target });
        self.effects.push(Effect::SetTimer { timer, at });
    }

    /// Forgets the timers that a condition names.
    fn clear_timers(&mut self, which: impl Fn(Target) -> bool) {
        let cleared: Vec<TimerId> =
            self.state.timers.iter().filter(|(_, timer)| which(timer.target)).map(|(id, _)| *id).collect();
        for timer in cleared {
            self.state.timers.remove(&timer);
            // One set by this very application was never seen by anybody.
            let before = self.effects.len();
            self.effects.retain(|effect| !matches!(effect, Effect::SetTimer { timer: set, .. } if *set == timer));
            if self.effects.len() == before {
                self.effects.push(Effect::ClearTimer { timer });
            }
        }
    }

    fn scope(&self, frame: Option<FrameId>) -> Scope<'_> {
        Scope::new(self.definition, self.state, frame)
    }
}

/// What is wrong with data from outside, if it is nested too deeply.
fn depth_problem(value: &Value) -> Option<RunError> {
    (depth(value) > MAX_DATA_DEPTH).then(|| {
        RunError::new(StandardError::Validation, format!("the data is nested deeper than {MAX_DATA_DEPTH} levels"))
    })
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// About how many bytes the value takes.
fn rough_size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 8,
        Value::Array(items) => items.iter().map(rough_size).sum::<usize>() + 8,
        Value::Object(members) => members.iter().map(|(name, value)| name.len() + rough_size(value)).sum::<usize>() + 8,
        _ => 8,
    }
}
