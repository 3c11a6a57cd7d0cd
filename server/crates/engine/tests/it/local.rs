//! Runs in process, without a database.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use connectors::{CallContext, Failure, LogLevel, NoLog, Outcome, Registry, TaskLog};
use domain::RunStatus;
use engine::{
    Processes,
    local::{Local, Order, Report, Secrets, Workflows},
};
use serde_json::{Value, json};
use testkit::{Broker, CountedIds, Scripted, WallClock};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use workflow::{
    Capability, Definition, RunError, StandardError,
    process::{Process, ProcessResult},
};

/// Definitions by name.
#[derive(Default)]
struct Shelf(BTreeMap<String, Arc<Definition>>);

impl Workflows for Shelf {
    fn find(&self, _namespace: &str, name: &str, _version: &str) -> Result<Arc<Definition>, RunError> {
        self.0.get(name).cloned().ok_or_else(|| RunError::new(StandardError::Configuration, format!("no {name}")))
    }
}

/// Processes that say their command back, or never end.
struct Saying {
    /// One permit for each that never ends.
    hanging: Semaphore,
}

#[async_trait]
impl Processes for Saying {
    async fn run(&self, process: Process, _context: &CallContext) -> Result<ProcessResult, Failure> {
        let stdout = match process {
            Process::Shell(shell) if shell.command == "hang" => {
                self.hanging.add_permits(1);
                std::future::pending().await
            }
            Process::Shell(shell) => shell.command,
            Process::Script(_) => "script".to_owned(),
            Process::Container(container) => container.name.unwrap(),
        };
        Ok(ProcessResult { code: 0, stdout, stderr: String::new() })
    }
}

#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl TaskLog for Lines {
    fn line(&self, _level: LogLevel, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}

struct Bench {
    scripted: Arc<Scripted>,
    broker: Arc<Broker>,
    processes: Arc<Saying>,
    local: Local,
    shelf: Shelf,
}

impl Bench {
    fn new() -> Self {
        let scripted = Arc::new(Scripted::default());
        let broker = Arc::new(Broker::default());
        let processes = Arc::new(Saying { hanging: Semaphore::new(0) });
        let local = Local {
            connectors: Arc::new(Registry::new(vec![scripted.clone(), broker.clone()]).unwrap()),
            workflows: Arc::new(Shelf::default()),
            processes: processes.clone(),
            secrets: Secrets::default(),
            clock: Arc::new(WallClock),
            ids: Arc::new(CountedIds::default()),
            log: Arc::new(NoLog),
        };
        Self { scripted, broker, processes, local, shelf: Shelf::default() }
    }

    fn definition(&self, tasks: &str) -> Arc<Definition> {
        let mut functions = self.local.connectors.function_catalogue().clone();
        functions.allow(Capability::ALL);
        let source = format!("document: {{dsl: 1.0.3, namespace: tests, name: main, version: 1.0.0}}\n{tasks}");
        Arc::new(Definition::parse(&source, &functions).unwrap_or_else(|faults| panic!("{faults:?}\n{source}")))
    }

    fn shelve(&mut self, name: &str, tasks: &str) {
        let definition = self.definition(tasks);
        self.shelf.0.insert(name.to_owned(), definition);
    }

    async fn run(self, tasks: &str) -> Report {
        self.run_until(tasks, CancellationToken::new()).await
    }

    async fn run_until(mut self, tasks: &str, cancelled: CancellationToken) -> Report {
        let definition = self.definition(tasks);
        self.local.workflows = Arc::new(self.shelf);
        self.local.execute(Order { definition, input: json!({}), events: Vec::new(), cancelled }).await
    }
}

#[tokio::test]
async fn a_call_that_may_have_happened_fails_as_nobody_can_be_asked() {
    let bench = Bench::new();
    bench.scripted.script("once", [Outcome::Unknown(RunError::communication(503, "lost"))]);
    let report = bench.run("do:\n- a: {call: scripted, with: {step: once, mode: once}}").await;
    assert_eq!(report.status, RunStatus::Faulted);
    assert_eq!(report.error.unwrap().status, 503);
}

#[tokio::test]
async fn what_can_be_asked_about_is_asked() {
    let bench = Bench::new();
    bench.scripted.script("probe", [Outcome::Unknown(RunError::communication(503, "lost"))]);
    let report = bench.run("do:\n- a: {call: scripted, with: {step: probe, mode: probe, value: 1}}").await;
    assert_eq!((report.status, &report.output["value"]), (RunStatus::Completed, &json!(1)));
}

#[tokio::test]
async fn a_retry_waits_and_tries_again() {
    let bench = Bench::new();
    let refused = || Outcome::Retryable(RunError::communication(503, "later"));
    bench.scripted.script("a", [refused(), refused()]);
    let report = bench
        .run("do:\n- t:\n    try: [{a: {call: scripted, with: {step: a}}}]\n    catch: {retry: {delay: PT0.01S, limit: {attempt: {count: 2}}}}")
        .await;
    assert_eq!(report.status, RunStatus::Completed, "{report:?}");
    assert_eq!(report.tasks.iter().filter(|task| task.name == "a").count(), 3);
}

#[tokio::test]
async fn secrets_are_taken_out_of_everything_that_leaves() {
    let mut bench = Bench::new();
    let lines = Arc::new(Lines::default());
    bench.local.log = lines.clone();
    bench.local.secrets = Secrets::new(BTreeMap::from([
        ("token".to_owned(), json!("t0ken-s3cret")),
        ("login".to_owned(), json!({"username": "ada", "password": "lovelace"})),
    ]));
    bench.scripted.script("b", [Outcome::Permanent(RunError::communication(400, "not t0ken-s3cret"))]);
    let report = bench
        .run(
            "use: {secrets: [token, login]}\ndo:\n\
             - a: {call: scripted, with: {step: a, value: ['${ $secrets.token }', '${ $secrets.login.password }']}, export: {as: .}}\n\
             - b: {call: scripted, with: {step: b, value: '${ $secrets.token }'}}",
        )
        .await;
    assert_eq!(report.context["value"], json!(["[redacted]", "[redacted]"]));
    assert_eq!(report.error.as_ref().unwrap().detail.as_deref(), Some("not [redacted]"));
    let everything = format!("{report:?} {:?}", lines.0.lock().unwrap());
    assert!(!everything.contains("s3cret") && !everything.contains("lovelace"), "{everything}");
}

#[tokio::test]
async fn workflows_run_inside_and_their_errors_come_up() {
    let mut bench = Bench::new();
    bench.shelve("good", "do:\n- a: {set: {n: '${ .n + 1 }'}}");
    bench.shelve("bad", "do:\n- a: {raise: {error: {type: https://tests.example/bad, status: 409}}}");
    let report = bench
        .run(
            "do:\n- good: {run: {workflow: {namespace: tests, name: good, version: latest, input: {n: 1}}}, export: {as: .}}\n\
             - bad: {run: {workflow: {namespace: tests, name: bad, version: latest}}}",
        )
        .await;
    assert_eq!(report.context, json!({"n": 2}));
    assert_eq!(report.error.unwrap().kind, "https://tests.example/bad");
    let names: Vec<&str> = report.tasks.iter().map(|task| task.name.as_str()).collect();
    assert_eq!(names, ["good", "bad"]);
}

#[tokio::test]
async fn what_is_not_waited_for_ends_before_the_execution_does() {
    let mut bench = Bench::new();
    bench.shelve("slow", "do:\n- wait: {wait: PT0.1S}\n- say: {emit: {event: {with: {source: /t, type: tests.done}}}}");
    let report = bench
        .run("do:\n- go: {run: {workflow: {namespace: tests, name: slow, version: latest}, await: false}}\n- b: {set: {first: true}}")
        .await;
    assert_eq!((report.status, report.output), (RunStatus::Completed, json!({"first": true})));
    assert_eq!(report.emitted.len(), 1);
}

#[tokio::test]
async fn a_cancelled_run_stops_what_is_under_way_and_takes_back() {
    let mut bench = Bench::new();
    let (scripted, processes) = (Arc::clone(&bench.scripted), Arc::clone(&bench.processes));
    let cancelled = CancellationToken::new();
    bench.shelve("inner", "do:\n- hang: {run: {shell: {command: hang}}}");
    let run = bench.run_until(
        "do:\n- make: {call: scripted, with: {step: make}, metadata: {rondo: {compensate: [{unmake: {call: scripted, with: {step: unmake}}}]}}}\n\
         - both: {fork: {branches: [{a: {run: {shell: {command: hang}}}}, {b: {run: {workflow: {namespace: tests, name: inner, version: latest}}}}]}}",
        cancelled.clone(),
    );
    let cancel = async {
        // One here and one in the workflow inside.
        processes.hanging.acquire_many(2).await.unwrap().forget();
        cancelled.cancel();
    };
    let (report, ()) = tokio::join!(run, cancel);
    assert_eq!(report.status, RunStatus::Cancelled);
    assert_eq!(scripted.steps(), ["make", "unmake"]);
}

#[tokio::test]
async fn what_may_have_happened_is_told_where_there_is_no_operator_to_ask() {
    let mut bench = Bench::new();
    let (scripted, processes) = (Arc::clone(&bench.scripted), Arc::clone(&bench.processes));
    let (lines, cancelled) = (Arc::new(Lines::default()), CancellationToken::new());
    bench.local.log = lines.clone();
    let undo = "metadata: {rondo: {compensate: [{undo: {call: scripted, with: {step: undo}}}]}}";
    let tasks = format!(
        "do:\n- both: {{fork: {{branches: [{{a: {{run: {{shell: {{command: hang}}}}, {undo}}}}}, \
             {{b: {{call: scripted, with: {{step: slow, pause: 500}}, {undo}}}}}]}}}}"
    );
    let run = bench.run_until(&tasks, cancelled.clone());
    let cancel = async {
        processes.hanging.acquire_many(1).await.unwrap().forget();
        cancelled.cancel();
    };
    let (report, ()) = tokio::join!(run, cancel);
    assert_eq!(report.status, RunStatus::Cancelled);
    assert_eq!(scripted.steps(), ["slow", "undo"], "what happened is taken back");
    let told = lines.0.lock().unwrap().join("\n");
    assert!(told.contains("/do/0/both/fork/branches/0/a: nobody knows whether this happened"), "{told}");
}

#[tokio::test]
async fn a_run_that_nobody_can_wake_is_cancelled() {
    let report = Bench::new().run("do:\n- hear: {listen: {to: {one: {with: {type: tests.never}}}}}").await;
    assert_eq!(report.status, RunStatus::Cancelled);
    let report = Bench::new()
        .run("do:\n- hear: {listen: {to: {one: {with: {type: tests.never}}}}, timeout: {after: PT0.05S}}")
        .await;
    assert!(report.error.unwrap().is(StandardError::Timeout), "something still happens: its timeout");
}

#[tokio::test]
async fn a_run_within_another_that_nobody_can_wake_is_cancelled_and_both_say_so() {
    let run = |name: &str| format!("{{run: {{workflow: {{namespace: tests, name: {name}, version: 0.1.0}}}}}}");
    let hears = "do:\n- hear: {listen: {to: {one: {with: {type: tests.word}}}}}";
    let bench = || {
        let mut bench = Bench::new();
        bench.shelve("hears", hears);
        bench.shelve("between", &format!("do:\n- inner: {}", run("hears")));
        bench
    };
    let report = bench().run(&format!("do:\n- outer: {}", run("between"))).await;
    assert_eq!(report.status, RunStatus::Faulted);
    let why = report.error.unwrap().detail.unwrap();
    let expected =
        "the workflow tests/hears is cancelled: the run waits for an event, and nobody is left who could send it";
    assert_eq!(why, expected);

    // The run around it may still send it.
    let emit = "{emit: {event: {with: {source: 'urn:t', type: tests.word}}}}";
    let later = format!(
        "do:\n- both: {{fork: {{branches: [{{a: {}}}, {{b: {{do: [{{rest: {{wait: PT0.05S}}}}, {{say: {emit}}}]}}}}]}}}}",
        run("between")
    );
    let report = bench().run(&later).await;
    assert_eq!(report.status, RunStatus::Completed, "{report:?}");

    // Nor does one that nobody waits for keep the execution from ending.
    let left = run("hears").replace("}}}", "}, await: false}}");
    let report = bench().run(&format!("do:\n- left: {left}\n- on: {{set: {{done: true}}}}")).await;
    assert_eq!((report.status, report.output), (RunStatus::Completed, json!({"done": true})));
}

#[tokio::test]
async fn a_container_is_called_as_the_specification_recommends() {
    let report = Bench::new().run("do:\n- boxed: {run: {container: {image: x}}}").await;
    let Value::String(name) = report.output else { panic!("{report:?}") };
    assert!(name.starts_with("main-") && name.ends_with(".tests-boxed"), "{name}");
}

#[tokio::test]
async fn messages_are_consumed_and_worked_through() {
    let bench = Bench::new();
    for n in 1..=5 {
        bench.broker.send(json!({"payload": {"n": n}}));
    }
    let broker = Arc::clone(&bench.broker);
    let report = bench
        .run(
            "do:\n- hear:\n    call: asyncapi\n    with:\n      subscription:\n        filter: ${ .payload.n != 2 }\n        \
             consume: {amount: 3}\n        foreach: {item: message, do: [{double: {set: {n: '${ $message.payload.n * 2 }'}}}]}",
        )
        .await;
    assert_eq!((report.status, &report.output), (RunStatus::Completed, &json!([{"n": 2}, {"n": 6}, {"n": 8}])));
    assert_eq!(broker.subscriptions(), 0);
}

#[tokio::test]
async fn the_end_of_the_messages_is_the_end_of_the_subscription() {
    let bench = Bench::new();
    bench.broker.send(json!({"payload": 1}));
    bench.broker.close();
    let report = bench.run("do:\n- hear: {call: asyncapi, with: {subscription: {consume: {amount: 9}}}}").await;
    assert_eq!((report.status, &report.output), (RunStatus::Completed, &json!([{"payload": 1}])));
}

#[tokio::test]
async fn a_subscription_ends_when_its_time_is_over_or_the_run_is_cancelled() {
    let bench = Bench::new();
    bench.broker.send(json!({"payload": 1}));
    let report =
        bench.run("do:\n- hear: {call: asyncapi, with: {subscription: {consume: {amount: 9, for: PT0.2S}}}}").await;
    assert_eq!((report.status, &report.output), (RunStatus::Completed, &json!([{"payload": 1}])));

    let bench = Bench::new();
    let (broker, cancelled) = (Arc::clone(&bench.broker), CancellationToken::new());
    let run = bench
        .run_until("do:\n- hear: {call: asyncapi, with: {subscription: {consume: {amount: 9}}}}", cancelled.clone());
    let cancel = async {
        while broker.subscriptions() == 0 {
            tokio::task::yield_now().await;
        }
        cancelled.cancel();
    };
    let (report, ()) = tokio::join!(run, cancel);
    assert_eq!((report.status, broker.subscriptions()), (RunStatus::Cancelled, 0));
}
