use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use connectors::{CallContext, ConnectionKind, Connector, FunctionSpec, Outcome, Repetition, Request, System};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// A connector whose calls end when they are let, and which counts how many are under way at once: the function `gated`,
/// over a connection of kind `gated` if one is named.
#[derive(Debug)]
pub struct Gated {
    counted: Arc<Mutex<Counted>>,
    gate: Semaphore,
}

#[derive(Debug, Default)]
struct Counted {
    under_way: usize,
    most: usize,
    begun: Vec<String>,
}

impl Default for Gated {
    fn default() -> Self {
        Self { counted: Arc::default(), gate: Semaphore::new(0) }
    }
}

impl Gated {
    /// Lets so many calls end, now or when they come.
    pub fn let_end(&self, calls: usize) {
        self.gate.add_permits(calls);
    }

    /// How many calls are under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        lock(&self.counted).under_way
    }

    /// How many were under way at once, at most.
    #[must_use]
    pub fn most(&self) -> usize {
        lock(&self.counted).most
    }

    /// The steps whose calls have begun, in order.
    #[must_use]
    pub fn begun(&self) -> Vec<String> {
        lock(&self.counted).begun.clone()
    }
}

fn lock(counted: &Mutex<Counted>) -> MutexGuard<'_, Counted> {
    counted.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A call under way; it ends with its node, too.
struct UnderWay(Arc<Mutex<Counted>>);

impl UnderWay {
    fn begin(counted: &Arc<Mutex<Counted>>, step: &str) -> Self {
        let mut known = lock(counted);
        known.under_way += 1;
        known.most = known.most.max(known.under_way);
        known.begun.push(step.to_owned());
        drop(known);
        Self(Arc::clone(counted))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        lock(&self.0).under_way -= 1;
    }
}

#[async_trait]
impl Connector for Gated {
    fn functions(&self) -> Vec<FunctionSpec> {
        let with = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "required": ["step"],
            "properties": {"step": {"type": "string"}, "connection": {"type": "string"}},
            "additionalProperties": false,
        });
        let function = FunctionSpec::unconnected("gated", "Gated step", "Gate", with, json!({}));
        vec![FunctionSpec { connection_kinds: vec!["gated"], ..function }]
    }

    fn connection_kinds(&self) -> Vec<ConnectionKind> {
        vec![ConnectionKind {
            name: "gated",
            title: "Gate",
            summary: "",
            function: "gated",
            settings: json!({"type": "object", "additionalProperties": false}),
        }]
    }

    fn repetition(&self, _request: &Request) -> Repetition {
        Repetition::Safe
    }

    async fn execute(&self, request: &Request, _context: &CallContext) -> Outcome {
        let step = request.with.get("step").and_then(Value::as_str).unwrap_or_default();
        let _under_way = UnderWay::begin(&self.counted, step);
        if let Ok(permit) = self.gate.acquire().await {
            permit.forget();
        }
        Outcome::Done(json!({"step": step}))
    }

    fn describe(&self, _with: &Value) -> System {
        System { title: "Gate".to_owned(), target: String::new() }
    }
}
