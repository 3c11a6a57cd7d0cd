//! The events that tell others where a run stands (dsl.md, "Lifecycle Events").
#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use domain::Timestamp;
use serde_json::{Value, json};
use workflow::lifecycle::Lifecycle;
use workflow::{
    CallId, Capability, CloudEvent, Definition, Effect, Event, EventKind, FunctionCatalogue, RunError, RunState, apply,
};

const RUN: &str = "01930000-0000-7000-8000-000000000001";

struct Told {
    definition: Definition,
    state: RunState,
    lifecycle: Lifecycle,
    at: i64,
}

impl Told {
    fn new(tasks: &str) -> Self {
        let mut catalogue = FunctionCatalogue::new();
        catalogue.register("echo", json!({"type": "object"}), "Echo").unwrap();
        catalogue.allow(Capability::ALL);
        let source = format!("document: {{dsl: 1.0.3, namespace: pets, name: order, version: 1.0.0}}\ndo:\n{tasks}");
        let definition = Definition::parse(&source, &catalogue).unwrap();
        let lifecycle = Lifecycle::new(&definition, RUN.parse().unwrap(), "https://rondo.example.com");
        Self { definition, state: RunState::new(), lifecycle, at: 0 }
    }

    fn send(&mut self, kind: EventKind) -> Vec<CloudEvent> {
        self.at += 1_000_000;
        let at = Timestamp::from_micros(self.at);
        let effects: Vec<Effect> = apply(&self.definition, &mut self.state, &Event::new(at, kind));
        self.lifecycle.observe(at, &effects)
    }

    fn start(&mut self) -> Vec<CloudEvent> {
        self.send(EventKind::Started { run: RUN.parse().unwrap(), input: json!({}), runtime: json!({}) })
    }
}

/// Type without what all have in common, and whom it is about.
fn short(events: &[CloudEvent]) -> Vec<String> {
    let one = |event: &CloudEvent| {
        let kind = event.kind().strip_prefix("io.serverlessworkflow.").unwrap().strip_suffix(".v1").unwrap().to_owned();
        match event.data()["task"].as_str() {
            Some(task) => format!("{kind} {task}"),
            None => kind,
        }
    };
    events.iter().map(one).collect()
}

fn by() -> String {
    "operator".to_owned()
}

#[test]
fn a_run_tells_of_itself_and_its_tasks() {
    let mut told =
        Told::new("- group: {do: [{one: {set: {n: 1}}}, {two: {call: echo}}]}\n- skipped: {if: 'false', set: {}}\n");
    let begun = told.start();
    assert_eq!(
        short(&begun),
        [
            "workflow.started",
            "task.created /do/0/group",
            "task.started /do/0/group",
            "task.created /do/0/group/do/0/one",
            "task.started /do/0/group/do/0/one",
            "task.completed /do/0/group/do/0/one",
            "task.created /do/0/group/do/1/two",
            "task.started /do/0/group/do/1/two",
        ]
    );
    told.lifecycle = serde_json::from_str(&serde_json::to_string(&told.lifecycle).unwrap()).unwrap();
    let name = format!("order-{RUN}.pets");
    let started = begun[0].to_value();
    assert_eq!(started["source"], "https://rondo.example.com");
    assert_eq!(started["time"], "1970-01-01T00:00:01.000000Z");
    assert_eq!(
        started["data"],
        json!({
            "name": name,
            "definition": {"name": "order", "namespace": "pets", "version": "1.0.0"},
            "startedAt": "1970-01-01T00:00:01.000000Z"
        })
    );
    let completed = begun[5].data();
    assert_eq!(
        *completed,
        json!({"workflow": name, "task": "/do/0/group/do/0/one", "completedAt": "1970-01-01T00:00:01.000000Z", "output": {"n": 1}})
    );
    assert_eq!(
        short(&told.send(EventKind::Suspended { by: by() })),
        ["workflow.suspended", "task.suspended /do/0/group", "task.suspended /do/0/group/do/1/two"]
    );
    assert_eq!(
        short(&told.send(EventKind::Resumed { by: by() })),
        ["workflow.resumed", "task.resumed /do/0/group", "task.resumed /do/0/group/do/1/two"]
    );
    let ended = told.send(EventKind::CallCompleted { call: CallId(1), output: json!(5) });
    assert_eq!(
        short(&ended),
        ["task.completed /do/0/group/do/1/two", "task.completed /do/0/group", "workflow.completed"]
    );
    assert_eq!(ended[2].data()["output"], json!(5));
    let mut ids: Vec<String> = begun.iter().chain(&ended).map(|event| event.id().to_owned()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), begun.len() + ended.len());
    let mut again =
        Told::new("- group: {do: [{one: {set: {n: 1}}}, {two: {call: echo}}]}\n- skipped: {if: 'false', set: {}}\n");
    assert_eq!(again.start(), begun, "a replay tells the same");
}

#[test]
fn retries_faults_and_cancellations_are_told() {
    let mut told = Told::new("- it: {try: [{say: {call: echo}}], catch: {retry: {limit: {attempt: {count: 1}}}}}\n");
    told.start();
    let fail =
        |call| EventKind::CallFailed { call: CallId(call), error: RunError::communication(503, "no"), retryable: true };
    let retried = short(&told.send(fail(1)));
    assert!(retried.contains(&"task.retried /do/0/it".to_owned()), "{retried:?}");
    assert!(retried.contains(&"task.faulted /do/0/it/try/0/say".to_owned()), "{retried:?}");
    let faulted = told.send(fail(2));
    assert_eq!(short(&faulted).last().unwrap(), "workflow.faulted");
    assert_eq!(faulted.last().unwrap().data()["error"]["status"], json!(503));
    let mut told = Told::new("- it: {call: echo}\n");
    told.start();
    let cancelled = told.send(EventKind::CancelRequested { by: by(), reason: None });
    assert_eq!(short(&cancelled), ["task.cancelled /do/0/it", "workflow.cancelled"]);
}

#[test]
fn correlations_are_told_with_their_keys() {
    let mut told = Told::new("- it: {listen: {to: {one: {with: {type: t}, correlate: {room: {from: .roomid}}}}}}\n");
    assert_eq!(short(&told.start()).last().unwrap(), "workflow.correlation-started");
    let event = json!({"id": "1", "source": "/s", "type": "t", "roomid": "x"});
    let event = Box::new(CloudEvent::from_value(event).unwrap());
    let heard = told.send(EventKind::EventReceived { subscription: workflow::SubscriptionId(1), event });
    assert_eq!(short(&heard), ["task.completed /do/0/it", "workflow.correlation-completed", "workflow.completed"]);
    assert_eq!(heard[1].data()["correlationKeys"], json!({"room": "x"}));
    let _: Value = heard[1].to_value();
}
