//! Skipping a task, and going on from one with another input. Whether either is possible is for the interpreter to say; it is
//! asked here, on what the journal and the inbox hold, so that whoever asks is told why not.

use std::collections::BTreeMap;

use domain::{ErrorCode, FieldError, Operation, Problem, RunId, RunStatus, view::RunSummary};
use identity::vault::redact;
use serde_json::{Value, json};
use store::runs::{Run, Task};
use workflow::{Definition, EventKind, Refusal, RunState};

use super::{push, run_resource, run_target};
use crate::{
    Caller, Gate, Service, input,
    problems::{OrProblem as _, not_found},
    views::{self, People},
};

/// The longest reason, in characters.
const REASON_LIMIT: usize = 2_000;

/// Whether there may be a task to skip, or to go on from.
pub(super) fn may_fit(run: &Run) -> bool {
    match run.status {
        RunStatus::Faulted => !run.compensated,
        RunStatus::Running | RunStatus::Waiting | RunStatus::Suspended => true,
        RunStatus::Pending | RunStatus::Completed | RunStatus::Cancelled => false,
    }
}

fn check_reason(reason: &str) -> Result<String, Problem> {
    let reason = reason.trim();
    let error = |rule: &str, expected: Value, message: &str| {
        let (pointer, rule, message) = ("/reason".to_owned(), rule.to_owned(), message.to_owned());
        Problem::new(ErrorCode::InvalidInput).with_errors(vec![FieldError { pointer, rule, expected, message }])
    };
    if reason.is_empty() {
        return Err(error("required", Value::Null, "say why"));
    }
    if reason.chars().count() > REASON_LIMIT {
        return Err(error("maxLength", json!(REASON_LIMIT), "the reason is too long"));
    }
    Ok(reason.to_owned())
}

fn problem(refusal: &Refusal) -> Problem {
    let code = match refusal {
        Refusal::Decides { .. } => ErrorCode::NotSkippable,
        Refusal::Invalid(_) => ErrorCode::InvalidInput,
        _ => ErrorCode::Conflict,
    };
    Problem::new(code).with_detail(refusal.to_string())
}

impl Service {
    /// Passes over a task at which a run failed, or that waits; of its executions the latest, unless told. The run goes on as
    /// if the task had given `output`, or its input where there is none. After an approval, an output is used once those who
    /// were asked have approved it.
    pub async fn skip_task(
        &self,
        caller: &Caller,
        id: RunId,
        reference: &str,
        occurrence: Option<u32>,
        output: Option<Value>,
        reason: &str,
    ) -> Result<RunSummary, Problem> {
        let (gate, run) = self.enter_run(caller, id, Operation::RunSkip).await?;
        let reason = check_reason(reason)?;
        output.as_ref().map_or(Ok(()), input::check_replacement)?;
        let detail = json!({"task": reference, "reason": reason, "after": {"status": "skipped", "output": output}});
        let make = |state: &RunState| EventKind::TaskSkipped {
            reference: reference.to_owned(),
            occurrence: occurrence.unwrap_or_else(|| state.executions(reference)),
            output,
            reason,
            by: caller.login.clone(),
        };
        self.correct(gate, &run, reference, occurrence, make, detail).await
    }

    /// Lets a run that failed, waits or is halted go on from a task that was started before, with another input. What
    /// followed it runs again; what is asked from there on is asked anew. Where people were asked before the task, the input
    /// is used once they have approved it.
    pub async fn resume_run_from(
        &self,
        caller: &Caller,
        id: RunId,
        reference: &str,
        input: Value,
        reason: &str,
    ) -> Result<RunSummary, Problem> {
        let (gate, run) = self.enter_run(caller, id, Operation::RunResumeFrom).await?;
        let reason = check_reason(reason)?;
        input::check_replacement(&input)?;
        let detail = json!({"task": reference, "reason": reason, "after": {"input": input}});
        let make = |state: &RunState| EventKind::ResumedFrom {
            reference: reference.to_owned(),
            occurrence: state.executions(reference),
            input,
            reason,
            by: caller.login.clone(),
        };
        self.correct(gate, &run, reference, None, make, detail).await
    }

    /// What the tasks of a run got before `input.from`, for whoever may go on from them with something else.
    pub(super) async fn raw_inputs(
        &self,
        gate: &mut Gate<'_>,
        caller: &Caller,
        run: &Run,
        definition: &Definition,
    ) -> Result<BTreeMap<String, Value>, Problem> {
        let may_differ = run.status == RunStatus::Faulted || definition.transforms_input();
        if !may_fit(run) || !may_differ {
            return Ok(BTreeMap::new());
        }
        let resource = run_resource(gate.unit.as_mut(), run, gate.now).await?;
        if !self.in_force().decide(&caller.principal, Operation::RunResumeFrom, &resource).allowed {
            return Ok(BTreeMap::new());
        }
        let state = engine::prospect(gate.unit.as_mut(), definition, run).await.or_problem()?;
        let mut inputs = state.raw_inputs(definition);
        inputs.values_mut().for_each(redact);
        Ok(inputs)
    }

    async fn correct(
        &self,
        mut gate: Gate<'_>,
        run: &Run,
        reference: &str,
        occurrence: Option<u32>,
        make: impl FnOnce(&RunState) -> EventKind,
        mut detail: Value,
    ) -> Result<RunSummary, Problem> {
        let version = gate.unit.workflow_version(&run.workflow, &run.version).await.or_problem()?;
        let definition = self.parse(&version.ok_or_else(not_found)?)?;
        let state = engine::prospect(gate.unit.as_mut(), &definition, run).await.or_problem()?;
        let event = make(&state);
        if let Some(refusal) = workflow::refusal(&definition, &state, &event) {
            return Err(gate.refuse(&run_target(run), problem(&refusal)).await);
        }
        let tasks = gate.unit.tasks(run.id).await.or_problem()?;
        let named = |task: &&Task| task.reference == reference && occurrence.is_none_or(|it| it == task.occurrence);
        let before = tasks.iter().filter(named).max_by_key(|task| task.occurrence).map(|task| {
            json!({
                "occurrence": task.occurrence,
                "status": task.status,
                "input": task.input.as_deref().map(views::shown),
            })
        });
        push(&mut gate, run.id, event).await?;
        let people = People::load(gate.unit.as_mut(), [run.requester_id]).await.or_problem()?;
        if let Value::Object(detail) = &mut detail {
            detail.insert("before".to_owned(), json!(before));
        }
        gate.finish(&run_target(run), detail).await?;
        self.wake(run.id);
        self.wake_departures();
        Ok(views::run_summary(run, &people))
    }
}
