//! What a trigger would make of a delivery: nothing is launched.

use domain::{ErrorCode, Operation, Problem, TriggerId, TriggerOutcome, view::TriggerTrialView};
use engine::launch;
use serde_json::{Map, Value, json};
use store::triggers::Trigger;

use super::{
    intake::no_version,
    mapping::{self, Mapping},
    mask::masked,
    matter::{Matter, alerts},
    not_kept, written,
};
use crate::{
    Caller, Service, input,
    people::field,
    problems::{OrProblem as _, not_found},
};

/// What a trigger is tried out with.
#[derive(Clone, Debug)]
pub enum TrialContent {
    /// What was delivered under this number.
    Delivery(i64),
    /// What somebody could send: the body, and the headers.
    Payload(Value, Map<String, Value>),
}

/// What is tried out.
#[derive(Clone, Debug)]
pub struct TriggerTrial {
    /// Another mapping than the trigger's own.
    pub mapping: Option<String>,
    /// Another filter; empty for none.
    pub filter: Option<String>,
    /// With what.
    pub content: TrialContent,
}

impl Service {
    /// What the trigger, or other expressions in place of its own, would make of a delivery. Nothing is launched. Of what was
    /// delivered they see as much as the caller does.
    pub async fn try_trigger(
        &self,
        caller: &Caller,
        id: TriggerId,
        trial: TriggerTrial,
    ) -> Result<TriggerTrialView, Problem> {
        let (mut gate, trigger) = self.look_at_trigger(caller, Operation::TriggerTry, id).await?;
        let mapping = written(trial.mapping.as_deref()).unwrap_or(&trigger.mapping);
        let filter = match &trial.filter {
            None => trigger.filter.as_deref(),
            Some(text) => written(Some(text)),
        };
        let mapping = Mapping::read(mapping, filter)
            .map_err(|errors| Problem::new(ErrorCode::InvalidInput).with_errors(errors))?;
        let matter = match trial.content {
            TrialContent::Delivery(number) => {
                let delivery = gate.unit.delivery(id, number).await.or_problem()?.ok_or_else(not_found)?;
                let content = self.content(&delivery)?.ok_or_else(not_kept)?;
                Matter { fault: None, ..Matter::again(delivery.key, masked(content)) }
            }
            TrialContent::Payload(payload, headers) => pasted(&trigger, payload, headers)?,
        };
        let content = mapping::about(&matter.content, &matter.key, gate.now);
        let mut view = TriggerTrialView {
            outcome: TriggerOutcome::Invalid,
            detail: matter.fault,
            input: None,
            errors: Vec::new(),
            content: content.clone(),
        };
        if view.detail.is_some() {
            return Ok(view);
        }
        match mapping.admits(&content) {
            Err(cause) => return Ok(TriggerTrialView { detail: Some(cause), ..view }),
            Ok(false) => return Ok(TriggerTrialView { outcome: TriggerOutcome::Filtered, ..view }),
            Ok(true) => {}
        }
        let input = match mapping.input(&content) {
            Ok(input) => input,
            Err(cause) => return Ok(TriggerTrialView { detail: Some(cause), ..view }),
        };
        view.input = Some(input.clone());
        let Some(version) = gate.unit.launchable_version(&trigger.workflow_ref()).await.or_problem()? else {
            let detail = Some(no_version(&trigger));
            return Ok(TriggerTrialView { outcome: TriggerOutcome::Refused, detail, ..view });
        };
        let definition = self.parse(&version)?;
        if let Err(problem) = input::check(definition.input_schema(), &input) {
            return Ok(TriggerTrialView {
                detail: Some(problem.detail).filter(|text| !text.is_empty()),
                errors: problem.errors,
                ..view
            });
        }
        let obstacle = launch::obstacle(gate.unit.as_mut(), &trigger.namespace, &definition).await.or_problem()?;
        Ok(match obstacle {
            Some(obstacle) => {
                TriggerTrialView { outcome: TriggerOutcome::Refused, detail: Some(obstacle.detail), ..view }
            }
            None => TriggerTrialView { outcome: TriggerOutcome::Launched, ..view },
        })
    }
}

/// What somebody pasted, as if it had been sent: of alerts, the first.
fn pasted(trigger: &Trigger, payload: Value, headers: Map<String, Value>) -> Result<Matter, Problem> {
    let key = "trial";
    let headers = Value::Object(headers);
    if !trigger.kind.is_alerts() {
        return Ok(Matter::again(key.to_owned(), json!({"payload": payload, "headers": headers})));
    }
    let first = alerts(key, payload, &headers).into_iter().next();
    let message = "the list “alerts” is empty; paste a notification with an alert in it";
    first.ok_or_else(|| {
        let error = field("/payload", "minItems", json!(1), message);
        Problem::new(ErrorCode::InvalidInput).with_errors(vec![error])
    })
}
