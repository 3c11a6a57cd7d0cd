//! What operators do to a run at a named task: skipping it, and going on from it with another input.
//!
//! Neither is a way around a person's decision. A task is not skipped that asks people or chooses the way, nor one that
//! contains such a task; and data that an operator brings in after people were asked are put to the same people before they
//! are used (`corrections`).

use std::collections::{BTreeSet, VecDeque};

use domain::TaskStatus;
use serde_json::Value;

use super::flow::{exported, validate};
use super::resubmission::resubmittable;
use super::scope::Scope;
use super::state::{
    Asks, Corrected, Correction, Ending, FrameId, FrameKind, Gate, ListPlace, Phase, RunState, Stage, Step, TaskFrame,
    Work,
};
use super::{Machine, depth_problem};
use crate::approval::ApprovalRule;
use crate::definition::model::{ListIndex, Task, TaskIndex, TaskKind, Then};
use crate::{Definition, Effect, EventKind, FunctionCatalogue, RunError, process};

/// Why [`EventKind::TaskSkipped`], [`EventKind::ResumedFrom`] or [`EventKind::Resubmitted`] would be ignored. Displayed in
/// words for people.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// There is nothing to go on with.
    #[error("the run has ended, or is taking back what it did")]
    Over,
    /// This execution of the task is not under way, and it is not the one at which the run failed.
    #[error("this execution of the task is neither under way nor what the run failed at")]
    NotThere,
    /// The list that the task is in is not being worked through, or has not come to the task.
    #[error("the run has not come to this task, or is not inside what contains it: choose a task that contains it")]
    NotStarted,
    /// The task is part of something that is under way more than once.
    #[error("the task is under way more than once at the same time")]
    Ambiguous,
    /// The task was started again after the operator looked.
    #[error("the task has been started again meanwhile")]
    StartedAgain,
    /// The task has done its own part.
    #[error("the task has completed; what its extensions do after it can be skipped by itself")]
    Completed,
    /// Something inside is under way, and may yet happen.
    #[error("{0} is being executed: wait until it has ended")]
    InFlight(String),
    /// Nobody knows whether something inside happened.
    #[error("nobody knows whether {0} happened: say first what became of it")]
    Unknown(String),
    /// Skipping would pass over a decision: of people, or of the definition about the way.
    #[error("{reference} {}", .why.words())]
    Decides {
        /// JSON pointer to the task that decides; the task itself or one inside.
        reference: String,
        /// How.
        why: Decides,
    },
    /// People are asked about it at this moment, or have refused it.
    #[error("what it does was changed, and that is not approved")]
    NotApproved,
    /// The run was rejected.
    #[error("the run was rejected: that is a decision, which only another request can ask for anew")]
    Rejected,
    /// Another run, that started this one or that this one started before the task, may have asked people about the data.
    #[error("another run may have asked people about these data, and they cannot be changed here without them")]
    AskedElsewhere,
    /// The data do not fit.
    #[error("{}", .0.detail.as_deref().unwrap_or_default())]
    Invalid(RunError),
}

/// How a task decides what a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decides {
    /// It asks people.
    Approval,
    /// It starts another workflow, which may ask people.
    Workflow,
    /// It chooses the way, or ends it with an error.
    Way,
}

impl Decides {
    fn words(self) -> &'static str {
        match self {
            Self::Approval => "asks for approval, which cannot be skipped",
            Self::Workflow => "starts another workflow, which may ask for approval and cannot be skipped therefore",
            Self::Way => "decides how the run goes on, and cannot be skipped therefore",
        }
    }
}

/// What an operator says with a command.
pub(super) struct Word<'a> {
    pub(super) by: &'a str,
    pub(super) reason: &'a str,
}

impl Word<'_> {
    fn correction(&self, rules: Vec<ApprovalRule>, data: Corrected) -> Option<Box<Correction>> {
        if rules.is_empty() {
            return None;
        }
        let (by, reason) = (self.by.to_owned(), self.reason.chars().take(2_000).collect());
        Some(Box::new(Correction { by, reason, rules: VecDeque::from(rules), data }))
    }
}

/// Why a command of a person would be ignored; none if it would not, or is another kind of event.
pub fn refusal(definition: &Definition, state: &RunState, command: &EventKind) -> Option<Refusal> {
    match command {
        EventKind::TaskSkipped { reference, occurrence, output, .. } => {
            skippable(definition, state, reference, *occurrence, output.as_ref()).err()
        }
        EventKind::ResumedFrom { reference, occurrence, input, .. } => {
            place(definition, state, reference, *occurrence, input).err()
        }
        EventKind::Resubmitted { call, input, .. } => resubmittable(definition, state, *call, input).err(),
        _ => None,
    }
}

/// Whether the run can go on at all; if it failed, the frame at which it did.
fn failed(state: &RunState) -> Result<Option<FrameId>, Refusal> {
    match state.phase {
        Phase::Running => Ok(None),
        Phase::Ended(Ending::Faulted) => state.failed.map(Some).ok_or(Refusal::Over),
        _ => Err(Refusal::Over),
    }
}

/// The frame of an execution that can be skipped, with the rules by which is to be asked for its output.
fn skippable(
    definition: &Definition,
    state: &RunState,
    reference: &str,
    occurrence: u32,
    output: Option<&Value>,
) -> Result<(FrameId, Vec<ApprovalRule>), Refusal> {
    let failed = failed(state)?;
    let named = |(id, frame): (&FrameId, &super::state::Frame)| match &frame.kind {
        FrameKind::Task(_) if state.is_apart(*id) => None,
        FrameKind::Task(task) => {
            (task.record.reference == reference && task.record.occurrence == occurrence).then_some(*id)
        }
        FrameKind::List(_) => None,
    };
    let frame = state.frames.iter().find_map(named).ok_or(Refusal::NotThere)?;
    let state_of = state.task(frame).ok_or(Refusal::NotThere)?;
    let task = definition.task(state_of.task).ok_or(Refusal::NotThere)?;
    if failed.is_some_and(|failed| !state.ancestors(failed).any(|ancestor| ancestor == frame)) {
        return Err(Refusal::NotThere);
    }
    let passing = state_of.extended.as_ref().map(|extended| &extended.stage);
    if matches!(passing, Some(Stage::After { .. })) {
        return Err(Refusal::Completed);
    }
    if let Some((task, why)) = decides(definition, state_of.task, matches!(passing, Some(Stage::Task))) {
        return Err(Refusal::Decides { reference: task.reference.to_string(), why });
    }
    for inside in std::iter::once(frame).chain(state.descendants(frame)) {
        let Some(task) = state.task(inside) else { continue };
        let asks = task.work.call().is_some_and(|work| work.approval.is_some());
        if asks || task.correction.as_ref().is_some_and(|correction| correction.data == Corrected::Input) {
            return Err(Refusal::NotApproved);
        }
        if let Some(false) = outcome_unknown(task) {
            return Err(Refusal::InFlight(task.record.reference.clone()));
        }
    }
    let Some(output) = output else { return Ok((frame, Vec::new())) };
    if let Some(error) = depth_problem(output) {
        return Err(Refusal::Invalid(error));
    }
    validate(task.output.schema.as_ref(), output, "output").map_err(Refusal::Invalid)?;
    let mut scope = Scope::new(definition, state, Some(frame));
    scope.raw_output = Some(output);
    exported(&task.export, output, scope).map_err(Refusal::Invalid)?;
    let sequence = state_of.record.sequence;
    Ok((frame, asked(state, state.gates.iter().filter(|gate| gate.at <= sequence))?))
}

/// Whether the outcome of a task's call is unknown; none if it has no call in flight. A subscription is none: it waits.
pub(super) fn outcome_unknown(task: &TaskFrame) -> Option<bool> {
    match &task.work {
        Work::Call(work) => (work.call.is_some() && work.approval.is_none()).then_some(work.unknown),
        _ => None,
    }
}

/// The list and the position at which a task can be started again, with the rules by which is to be asked for its input.
fn place(
    definition: &Definition,
    state: &RunState,
    reference: &str,
    occurrence: u32,
    input: &Value,
) -> Result<(Place, Vec<ApprovalRule>), Refusal> {
    let failed = failed(state)?;
    let index = definition.index_of(reference).ok_or(Refusal::NotStarted)?;
    let started = |(id, frame): (&FrameId, &super::state::Frame)| {
        let FrameKind::List(list) = &frame.kind else { return None };
        let position = match list.place {
            ListPlace::Single(task) => (task == index).then_some(0),
            ListPlace::List(list) => definition.list(list)?.tasks.iter().position(|task| *task == index),
        }?;
        Some((*id, position, *list.starts.get(&position)?))
    };
    let mut places = state.frames.iter().filter_map(started);
    let (list, position, sequence) = places.next().ok_or(Refusal::NotStarted)?;
    if places.next().is_some() {
        return Err(Refusal::Ambiguous);
    }
    if state.occurrences.get(reference) != Some(&occurrence) {
        return Err(Refusal::StartedAgain);
    }
    if let Some(failed) = failed {
        if !state.ancestors(failed).any(|ancestor| ancestor == list) {
            return Err(Refusal::NotThere);
        }
        let rejected = state.error.as_ref().is_some_and(|error| error.kind == RunError::REJECTED);
        if rejected && state.task(failed).is_none_or(|task| task.correction.is_none()) {
            return Err(Refusal::Rejected);
        }
    }
    for task in state.descendants(list).into_iter().filter_map(|inside| state.task(inside)) {
        let reference = || task.record.reference.clone();
        match outcome_unknown(task) {
            Some(true) => return Err(Refusal::Unknown(reference())),
            Some(false) => return Err(Refusal::InFlight(reference())),
            None => {}
        }
    }
    if let Some(error) = depth_problem(input) {
        return Err(Refusal::Invalid(error));
    }
    let here = Place { list, position };
    let open = state.descendants(list).into_iter().filter_map(|frame| {
        let request = state.task(frame)?.work.call()?.approval.as_ref()?;
        gate(state, frame, Asks::People(request.rule.clone()))
    });
    let gates: Vec<Gate> = state.gates.iter().cloned().chain(open).collect();
    let asked =
        asked(state, gates.iter().filter(|gate| gate.at <= sequence || !here.leads_to(definition, state, gate)));
    Ok((here, asked?))
}

/// The rules by which people were asked, each once.
fn asked<'g>(state: &RunState, gates: impl Iterator<Item = &'g Gate>) -> Result<Vec<ApprovalRule>, Refusal> {
    if state.is_child() {
        return Err(Refusal::AskedElsewhere);
    }
    let mut rules = Vec::new();
    for gate in gates {
        match &gate.asks {
            Asks::Workflow => return Err(Refusal::AskedElsewhere),
            Asks::People(rule) if !rules.contains(rule) => rules.push(rule.clone()),
            Asks::People(_) => {}
        }
    }
    Ok(rules)
}

/// The gate that a task is. Asking about a change is none of its own: it asks those who were asked before.
fn gate(state: &RunState, frame: FrameId, asks: Asks) -> Option<Gate> {
    let task = state.task(frame).filter(|task| task.correction.is_none())?;
    let within = state.ancestors(frame).filter(|ancestor| state.list(*ancestor).is_some()).collect();
    Some(Gate { asks, at: state.counters.sequence, within, position: task.position })
}

/// Where a task can be started again.
struct Place {
    list: FrameId,
    position: usize,
}

impl Place {
    /// Whether a run that goes on from here is sure to come to a gate again before anything behind it. With conditions in
    /// between that is for the data to say, and those were changed.
    fn leads_to(&self, definition: &Definition, state: &RunState, gate: &Gate) -> bool {
        let Some(list) = state.list(self.list).filter(|_| gate.within.first() == Some(&self.list)) else {
            return false;
        };
        let tasks: &[TaskIndex] = match &list.place {
            ListPlace::Single(task) => std::slice::from_ref(task),
            ListPlace::List(list) => definition.list(*list).map_or(&[], |list| &list.tasks),
        };
        let task = |position: usize| tasks.get(position).and_then(|index| definition.task(*index));
        let straight = |task: &Task| {
            !matches!(task.kind, TaskKind::Switch(_)) && matches!(task.then, Then::Unset | Then::Continue)
        };
        gate.position >= self.position
            && (self.position..gate.position).all(|position| task(position).is_some_and(straight))
            && task(gate.position).is_some_and(|task| task.condition.is_none())
    }
}

/// The first task on which a decision rests: the task itself, or one that it would execute. What its extensions do before
/// it counts unless that is `behind` it.
fn decides(definition: &Definition, task: TaskIndex, behind: bool) -> Option<(&Task, Decides)> {
    let mut seen = BTreeSet::new();
    let mut left = vec![task];
    while let Some(index) = left.pop() {
        if !seen.insert(index) {
            continue;
        }
        let Some(task) = definition.task(index) else { continue };
        let mut lists: Vec<ListIndex> = Vec::new();
        for extension in task.extensions.iter().filter_map(|position| definition.extensions.get(*position)) {
            lists.extend(extension.before.filter(|_| !(behind && seen.len() == 1)));
            lists.extend(extension.after);
        }
        match &task.kind {
            TaskKind::Call(call) if call.function == FunctionCatalogue::APPROVAL => {
                return Some((task, Decides::Approval));
            }
            TaskKind::Run(run) if run.call.function == process::WORKFLOW => return Some((task, Decides::Workflow)),
            TaskKind::Switch(_) | TaskKind::Raise(_) => return Some((task, Decides::Way)),
            TaskKind::Do(list) => lists.push(*list),
            TaskKind::Function(call) => left.push(call.body),
            TaskKind::Try(guard) => lists.extend([Some(guard.body), guard.handler].into_iter().flatten()),
            TaskKind::For(each) => lists.push(each.body),
            TaskKind::Fork(fork) => lists.push(fork.branches),
            kind => lists.extend(kind.iterator().and_then(|iterator| iterator.body)),
        }
        left.extend(lists.into_iter().filter_map(|list| definition.list(list)).flat_map(|list| &list.tasks));
    }
    None
}

impl Machine<'_> {
    /// Remembers that people were asked, or may have been.
    pub(super) fn note_gate(&mut self, frame: FrameId, asks: Asks) {
        let Some(gate) = gate(self.state, frame, asks) else { return };
        // In a loop the first time is what counts: everything since then came after it.
        let same =
            |other: &Gate| other.asks == gate.asks && other.within == gate.within && other.position == gate.position;
        if !self.state.gates.iter().any(same) {
            self.state.gates.push(gate);
        }
    }

    /// Passes over a task; false if that is refused.
    pub(super) fn skip_task(
        &mut self,
        reference: &str,
        occurrence: u32,
        output: Option<&Value>,
        word: &Word<'_>,
    ) -> bool {
        let Ok((frame, rules)) = skippable(self.definition, self.state, reference, occurrence, output) else {
            return false;
        };
        self.discard_inside(frame);
        self.disengage(frame);
        if self.state.failed.is_some() {
            self.reopen(Some(frame));
            if self.state.ended() {
                return true;
            }
        }
        let correction = output.and_then(|output| word.correction(rules, Corrected::Output(output.clone())));
        if let Some(task) = self.state.task_mut(frame) {
            task.correction = correction;
        }
        if !self.ask_about_correction(frame) {
            self.pass_over(frame, output.cloned());
        }
        true
    }

    /// Leaves a task that is skipped. What stands for its output is that of the task, so `output` is not applied to it;
    /// `export` is.
    pub(super) fn pass_over(&mut self, frame: FrameId, output: Option<Value>) {
        let definition = self.definition;
        let Some(task) = self.state.task(frame).and_then(|task| definition.task(task.task)) else { return };
        if let Some(output) = &output {
            let mut scope = self.scope(Some(frame));
            scope.raw_output = Some(output);
            match exported(&task.export, output, scope) {
                Ok(Some(context)) => self.state.context = context,
                Ok(None) => {}
                Err(error) => {
                    self.raise(frame, error);
                    return;
                }
            }
        }
        let Some(state) = self.state.task_mut(frame) else { return };
        let output = output.unwrap_or_else(|| state.raw_input.clone());
        state.record.output = Some(output.clone());
        state.record.error = None;
        self.leave(frame, TaskStatus::Skipped, output, task.then);
    }

    /// Goes on from a task with another input; false if that is refused.
    pub(super) fn resume_from(&mut self, reference: &str, occurrence: u32, input: &Value, word: &Word<'_>) -> bool {
        let Ok((here, rules)) = place(self.definition, self.state, reference, occurrence, input) else {
            return false;
        };
        let Place { list, position } = here;
        let since = self.state.list(list).and_then(|list| list.starts.get(&position)).copied().unwrap_or_default();
        self.discard_inside(list);
        // What lies ahead again is asked anew.
        let mut gates = std::mem::take(&mut self.state.gates);
        gates.retain(|gate| gate.at <= since || !here.leads_to(self.definition, self.state, gate));
        self.state.gates = gates;
        if self.state.failed.is_some() {
            self.reopen(None);
            if self.state.ended() {
                return true;
            }
        }
        self.state.suspended = false;
        self.queue.append(&mut self.state.deferred);
        if let Some(list) = self.state.list_mut(list) {
            list.correction = word.correction(rules, Corrected::Input);
        }
        self.queue.push_back(Step::Start { list, position, input: input.clone() });
        true
    }

    /// Drops everything inside a frame, and what it was about to start.
    pub(super) fn discard_inside(&mut self, frame: FrameId) {
        let inside = self.state.descendants(frame);
        for inner in inside.iter().rev() {
            // What a fault has stopped keeps its row.
            if self.state.task(*inner).is_some_and(|task| task.record.ended_at.is_none()) {
                self.stop(*inner, TaskStatus::Cancelled, None);
            }
            self.remove(*inner);
        }
        let elsewhere = |step: &Step| match step {
            Step::Start { list: of, .. }
            | Step::Begin { task: of }
            | Step::Dispatch { task: of }
            | Step::Retry { task: of } => *of != frame && !inside.contains(of),
        };
        self.queue.retain(elsewhere);
        self.state.deferred.retain(elsewhere);
    }

    /// A task no longer waits for whatever it waits for.
    fn disengage(&mut self, frame: FrameId) {
        self.set_apart(frame, TaskStatus::Skipped, None);
        let call = self.state.task_mut(frame).and_then(|task| {
            let work = task.work.call_mut()?;
            work.unknown = false;
            work.call.take()
        });
        if let Some(call) = call
            && self.state.calls.remove(&call).is_some()
        {
            self.effects.push(Effect::StopCall { call });
        }
        self.stop_listening(frame, false);
        self.clear_timers(|target| target.frame() == Some(frame));
    }
}
