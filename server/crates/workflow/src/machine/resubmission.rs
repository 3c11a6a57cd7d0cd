//! What is sent again while people are asked about it: the run begins anew, so that whatever was computed from the earlier
//! input, the way to the approval included, is computed from the new one, and everybody is asked anew.

use serde_json::{Map, Value};

use super::commands::{Refusal, outcome_unknown};
use super::flow::{prepare, validate};
use super::state::{FrameId, FrameKind, Phase, Role, RunState, Step};
use super::{Machine, depth_problem};
use crate::{ApprovalRequest, CallId, Definition, Effect};

/// Why [`crate::EventKind::Resubmitted`] should not be sent now although it would be taken: something is under way that
/// would be given up, or may have happened.
pub fn unsettled(state: &RunState) -> Option<Refusal> {
    state.frames.iter().filter(|(frame, _)| !state.is_apart(**frame)).find_map(|(_, frame)| {
        let FrameKind::Task(task) = &frame.kind else { return None };
        let reference = task.record.reference.clone();
        Some(if outcome_unknown(task)? { Refusal::Unknown(reference) } else { Refusal::InFlight(reference) })
    })
}

/// The list with which the run begins again.
pub(super) fn resubmittable(
    definition: &Definition,
    state: &RunState,
    call: CallId,
    input: &Value,
) -> Result<FrameId, Refusal> {
    if state.phase != Phase::Running {
        return Err(Refusal::Over);
    }
    if open_approval(state, call).is_none_or(|request| request.changed_by.is_some()) {
        return Err(Refusal::NotThere);
    }
    if state.is_child() {
        return Err(Refusal::AskedElsewhere);
    }
    if let Some(error) = depth_problem(input) {
        return Err(Refusal::Invalid(error));
    }
    validate(definition.input.schema.as_ref(), input, "input").map_err(Refusal::Invalid)?;
    let is_top = |kind: &FrameKind| matches!(kind, FrameKind::List(list) if list.role == Role::Top);
    let top = state.frames.iter().find(|(_, frame)| is_top(&frame.kind));
    top.map(|(frame, _)| *frame).ok_or(Refusal::NotThere)
}

fn open_approval(state: &RunState, call: CallId) -> Option<&ApprovalRequest> {
    let frame = state.calls.get(&call)?;
    state.task(*frame)?.work.call()?.approval.as_deref()
}

impl Machine<'_> {
    /// Begins again with another input; false if that does not fit.
    pub(super) fn resubmit(&mut self, call: CallId, input: &Value) -> bool {
        let Ok(list) = resubmittable(self.definition, self.state, call, input) else { return false };
        self.discard_inside(list);
        self.state.input = input.clone();
        self.state.context = Value::Object(Map::new());
        // Nobody was asked about these data.
        self.state.gates.clear();
        if let Some(top) = self.state.list_mut(list) {
            top.starts.clear();
            top.raw_inputs.clear();
            top.correction = None;
        }
        let prepared = prepare(&self.definition.input, input, &self.scope(None), "input");
        match prepared {
            Ok(prepared) => self.queue.push_back(Step::Start { list, position: 0, input: prepared }),
            Err(error) => self.fault_run(error.at("/input"), None),
        }
        true
    }

    /// Has the next stage of an open approval asked; false if there is none such.
    pub(super) fn ask_stage(&mut self, call: CallId, stage: usize) -> bool {
        let Some(request) = open_approval(self.state, call) else { return false };
        if stage == 0 || stage >= request.rule.stages.len() {
            return false;
        }
        let request = Box::new(request.clone());
        self.effects.push(Effect::AskStage { request, stage });
        true
    }
}
