use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use connectors::{CallContext, Connector, FunctionSpec, Outcome, Probe, Repetition, Request, System};
use serde_json::{Value, json};

/// A connector whose outcomes are written down beforehand, and which remembers what it did: the function `scripted`.
///
/// `with.step` names the step; `with.mode` (`safe`, `probe`, `once`) says what may be done about a lost call; `with.pause`
/// is how long it takes, in milliseconds. A step without script succeeds. Doing the same thing twice under one idempotency key counts as one effect where the mode is
/// `probe`, as a system with idempotency keys would have it; [`Scripted::calls`] counts every call.
#[derive(Debug, Default)]
pub struct Scripted {
    scripts: Mutex<BTreeMap<String, VecDeque<Outcome>>>,
    calls: Mutex<Vec<(String, String)>>,
}

impl Scripted {
    /// What the next calls of a step come to; then it succeeds.
    pub fn script(&self, step: &str, outcomes: impl IntoIterator<Item = Outcome>) {
        let mut scripts = self.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        scripts.entry(step.to_owned()).or_default().extend(outcomes);
    }

    /// Every call that had an effect, in order: step and idempotency key.
    #[must_use]
    pub fn calls(&self) -> Vec<(String, String)> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The steps that had an effect, in order.
    #[must_use]
    pub fn steps(&self) -> Vec<String> {
        self.calls().into_iter().map(|(step, _)| step).collect()
    }
}

fn step(request: &Request) -> String {
    request.with.get("step").and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[async_trait]
impl Connector for Scripted {
    fn functions(&self) -> Vec<FunctionSpec> {
        let with = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "required": ["step"],
            "properties": {
                "step": {"type": "string"},
                "mode": {"enum": ["safe", "probe", "once"]},
                "value": {},
                "pause": {"type": "integer", "minimum": 0},
            },
            "additionalProperties": false,
        });
        vec![FunctionSpec::unconnected("scripted", "Scripted step", "Script", with, json!({}))]
    }

    fn repetition(&self, request: &Request) -> Repetition {
        match request.with.get("mode").and_then(Value::as_str) {
            Some("safe") => Repetition::Safe,
            Some("once") => Repetition::Once,
            _ => Repetition::Probe,
        }
    }

    async fn execute(&self, request: &Request, context: &CallContext) -> Outcome {
        let step = step(request);
        if let Some(pause) = request.with.get("pause").and_then(Value::as_u64) {
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        let scripted = {
            let mut scripts = self.scripts.lock().unwrap_or_else(PoisonError::into_inner);
            scripts.get_mut(&step).and_then(VecDeque::pop_front)
        };
        let outcome = scripted
            .unwrap_or_else(|| Outcome::Done(json!({"step": step, "value": request.with.get("value").cloned()})));
        if matches!(outcome, Outcome::Done(_) | Outcome::Lost(_) | Outcome::Unknown(_)) {
            self.calls.lock().unwrap_or_else(PoisonError::into_inner).push((step, context.key.clone()));
        }
        outcome
    }

    async fn probe(&self, request: &Request, context: &CallContext) -> Probe {
        let step = step(request);
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.iter().any(|(_, key)| *key == context.key) {
            Probe::Happened(json!({"step": step, "value": request.with.get("value").cloned()}))
        } else {
            Probe::DidNotHappen
        }
    }

    fn describe(&self, _with: &Value) -> System {
        System { title: "Scripted".to_owned(), target: String::new() }
    }
}
