//! Definitions with what must come of them: the facts of the conformance features that this release executes, and those
//! of our own readings. Each is also run under every single fault, and through any events in any order.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail by panicking")]

use std::collections::BTreeMap;

use proptest::{
    prop_assert_eq,
    test_runner::{Config as ProptestConfig, TestRunner},
};
use serde::Deserialize;
use serde_json::{Value, json};
use workflow::harness::{Answer, Outcome, Responder, Scenario, torture, walk};
use workflow::{
    ApprovalRequest, CallRequest, Capability, CloudEvent, Definition, FunctionCatalogue, RunError, process,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    head: String,
    r#do: String,
    #[serde(default = "empty")]
    input: Value,
    #[serde(default = "empty")]
    runtime: Value,
    #[serde(default)]
    approvals: Option<String>,
    /// Events that arrive; what an event must have is filled in.
    #[serde(default)]
    events: Vec<serde_json::Map<String, Value>>,
    expect: Expect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    #[serde(default)]
    status: Option<String>,
    output: Option<Value>,
    context: Option<Value>,
    error: Option<BTreeMap<String, Value>>,
    order: Option<Vec<String>>,
    references: Option<Vec<String>>,
    statuses: Option<BTreeMap<String, String>>,
    keys: Option<usize>,
    calls: Option<usize>,
    stopped: Option<usize>,
    seconds: Option<u64>,
    compensation: Option<String>,
    attention: Option<String>,
    last: Option<Value>,
    /// Type and data of the events that were emitted.
    emitted: Option<Vec<Value>>,
    /// How many subscriptions are still open.
    listening: Option<usize>,
}

impl Case {
    fn events(&self) -> Vec<CloudEvent> {
        let event = |(number, given): (usize, &serde_json::Map<String, Value>)| {
            let mut event =
                json!({"id": number.to_string(), "source": "https://example.com", "type": "com.example.it"});
            event.as_object_mut().unwrap().extend(given.clone());
            CloudEvent::from_value(event).unwrap()
        };
        self.events.iter().enumerate().map(event).collect()
    }
}

fn empty() -> Value {
    json!({})
}

fn catalogue() -> FunctionCatalogue {
    let mut catalogue = FunctionCatalogue::new();
    for name in ["echo", "fail", "flaky", "silent", "unknownOnce", "http", "openapi", "asyncapi"] {
        catalogue.register(name, json!({"type": "object"}), name).unwrap();
    }
    let strict = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": false});
    catalogue.register("strict", strict, "strict").unwrap();
    catalogue.allow(Capability::ALL);
    catalogue
}

/// Answers by the name of the function. Knows nothing of the past but what stands in the request, so that a call
/// repeated after a crash is answered as before.
struct Functions {
    approvals: String,
}

impl Responder for Functions {
    fn call(&mut self, request: &CallRequest) -> Answer {
        match request.function.as_str() {
            "fail" => {
                let status = request.with["status"].as_u64().unwrap().try_into().unwrap();
                Answer::Fail(RunError::communication(status, "told to fail"))
            }
            "flaky" if u64::from(request.attempt) <= request.with["fails"].as_u64().unwrap() => {
                Answer::Fail(RunError::communication(503, "not yet"))
            }
            "unknownOnce" if request.attempt == 1 => Answer::Unknown,
            "flaky" | "unknownOnce" => Answer::Done(json!({"attempt": request.attempt})),
            "silent" => Answer::Silent,
            "asyncapi" => Answer::Messages(request.with["messages"].as_array().unwrap().clone()),
            // Says what it was asked, and ends as `code` in its environment says.
            process::SHELL => {
                let shell: process::Shell = serde_json::from_value(request.with.clone()).unwrap();
                let given = shell.given;
                let code = given.environment.get("code").map_or(0, |code| code.parse().unwrap());
                let stdout =
                    format!("{} {} {}", shell.command, given.arguments.join(" "), given.stdin.unwrap_or_default());
                Answer::Done(json!({"code": code, "stdout": stdout.trim(), "stderr": "said"}))
            }
            process::SCRIPT => {
                let script: process::Script = serde_json::from_value(request.with.clone()).unwrap();
                Answer::Done(
                    json!({"code": 0, "stdout": script.code.unwrap(), "stderr": format!("{:?}", script.language)}),
                )
            }
            process::CONTAINER => {
                let container: process::Container = serde_json::from_value(request.with.clone()).unwrap();
                let after = container.lifetime.after.unwrap_or_default();
                Answer::Done(json!({"code": 0, "stdout": format!("{} {after}", container.image), "stderr": ""}))
            }
            process::WORKFLOW => {
                let other: process::Workflow = serde_json::from_value(request.with.clone()).unwrap();
                Answer::Done(
                    json!({"ran": format!("{}/{}:{}", other.namespace, other.name, other.version), "input": other.input}),
                )
            }
            _ => Answer::Done(request.with.clone()),
        }
    }

    fn approval(&mut self, _: &ApprovalRequest) -> Answer {
        match self.approvals.as_str() {
            "reject" => Answer::Fail(RunError::rejected("no")),
            "silent" => Answer::Silent,
            _ => Answer::Done(json!({"outcome": "approved", "decisions": []})),
        }
    }
}

fn text<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap_or_default().to_owned()
}

fn check(case: &Case, outcome: &Outcome) {
    let name = &case.name;
    let expect = &case.expect;
    assert_eq!(outcome.violations, Vec::<String>::new(), "{name}");
    let status = expect.status.as_deref().unwrap_or("completed");
    assert_eq!(text(&outcome.run.status), status, "{name}: {:?}", outcome.run);
    if let Some(output) = &expect.output {
        assert_eq!(outcome.run.output.as_ref(), Some(output), "{name}");
    }
    if let Some(context) = &expect.context {
        assert_eq!(outcome.run.context.as_ref(), Some(context), "{name}");
    }
    if let Some(members) = &expect.error {
        let error = serde_json::to_value(&outcome.run.error).unwrap();
        for (member, value) in members {
            assert_eq!(&error[member], value, "{name}: {error}");
        }
    }
    if let Some(order) = &expect.order {
        assert_eq!(&outcome.order(), order, "{name}");
    }
    if let Some(references) = &expect.references {
        let found: Vec<&String> = outcome.tasks.iter().map(|task| &task.reference).collect();
        assert_eq!(found, references.iter().collect::<Vec<_>>(), "{name}");
    }
    for (task, status) in expect.statuses.iter().flatten() {
        let row = outcome.tasks.iter().rfind(|row| row.name == *task).unwrap();
        assert_eq!(&text(&row.status), status, "{name}: {task}");
    }
    if let Some(count) = expect.keys {
        let mut keys: Vec<&String> = outcome.calls.iter().map(|call| &call.key).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), count, "{name}: keys");
    }
    if let Some(count) = expect.calls {
        assert_eq!(outcome.calls.len(), count, "{name}: calls");
    }
    if let Some(count) = expect.stopped {
        assert_eq!(outcome.stopped.len(), count, "{name}: stopped");
    }
    if let Some(seconds) = expect.seconds {
        let took = outcome.run.ended_at.unwrap().since(outcome.run.started_at).as_secs();
        assert_eq!(took, seconds, "{name}: seconds");
    }
    if let Some(compensation) = &expect.compensation {
        assert_eq!(&text(&outcome.run.compensation), compensation, "{name}");
    }
    if let Some(reference) = &expect.attention {
        let attention = serde_json::to_value(&outcome.run.attention).unwrap();
        assert_eq!(attention["reference"], json!(reference), "{name}");
    }
    if let Some(emitted) = &expect.emitted {
        let found: Vec<Value> =
            outcome.emitted.iter().map(|event| json!({"type": event.kind(), "data": event.data()})).collect();
        assert_eq!(&found, emitted, "{name}: emitted");
    }
    assert_eq!(outcome.listening.len(), expect.listening.unwrap_or(0), "{name}: listening");
    if let Some(last) = &expect.last {
        assert_eq!(outcome.tasks.last().unwrap().output.as_ref(), Some(last), "{name}");
    }
}

fn run(corpus: &str) {
    let cases: Vec<Case> = serde_saphyr::from_str(corpus).unwrap();
    let catalogue = catalogue();
    for case in &cases {
        let indented: String = case.r#do.split_inclusive('\n').flat_map(|line| ["  ", line]).collect();
        let source = format!(
            "document: {{dsl: 1.0.3, namespace: test, name: case, version: 1.0.0}}\n{}do:\n{indented}",
            case.head
        );
        let definition = Definition::parse(&source, &catalogue)
            .unwrap_or_else(|diagnostics| panic!("{}: {diagnostics:#?}\n{source}", case.name));
        let functions = || Functions { approvals: case.approvals.clone().unwrap_or_default() };
        let scenario =
            Scenario::new(&definition, case.input.clone()).runtime(case.runtime.clone()).events(case.events());
        let calm = scenario.drive(&mut functions());
        check(case, &calm);
        let violations = torture(&definition, &case.input, &case.events(), functions);
        assert_eq!(violations, Vec::<String>::new(), "{}", case.name);
        if calm.journal.len() == 1 {
            // It never waits, so nothing that comes later can matter.
            continue;
        }
        let any_events = proptest::collection::vec(proptest::num::u8::ANY, 0..120);
        let config = ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() };
        let walked = TestRunner::new(config).run(&any_events, |choices| {
            let violations = walk(&definition, &case.input, &choices);
            prop_assert_eq!(violations, Vec::<String>::new());
            Ok(())
        });
        walked.unwrap_or_else(|failure| panic!("{}: {failure}", case.name));
    }
}

#[test]
fn events() {
    run(include_str!("corpus/events.yaml"));
}

#[test]
fn messages() {
    run(include_str!("corpus/messages.yaml"));
}

#[test]
fn extensions() {
    run(include_str!("corpus/extensions.yaml"));
}

#[test]
fn modes_templates_policies_and_borders() {
    run(include_str!("corpus/language.yaml"));
}

#[test]
fn processes() {
    run(include_str!("corpus/run.yaml"));
}

#[test]
fn control_flow() {
    run(include_str!("corpus/flow.yaml"));
}

#[test]
fn switches() {
    run(include_str!("corpus/switch.yaml"));
}

#[test]
fn data_flow() {
    run(include_str!("corpus/data.yaml"));
}

#[test]
fn loops_forks_and_waits() {
    run(include_str!("corpus/loops.yaml"));
}

#[test]
fn errors_retries_and_timeouts() {
    run(include_str!("corpus/errors.yaml"));
}

#[test]
fn compensation_and_approvals() {
    run(include_str!("corpus/compensation.yaml"));
}
