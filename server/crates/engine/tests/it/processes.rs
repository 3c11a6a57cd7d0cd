//! Shell commands and scripts of durable runs.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use connectors::{CallContext, Failure};
use domain::{RunId, RunStatus, TaskStatus, view::LogLine};
use engine::{Engine, EngineSettings, NoObserver, Parts, Processes};
use serde_json::{Value, json};
use store::workflows::VersionState;
use workflow::{
    EventKind, Resolution, RunError, StandardError,
    process::{Process, ProcessResult},
};

use crate::lab::Lab;

/// Says its number, and then waits.
const WAITING: &str = "\n  - wait: {run: {shell: {command: 'echo $$; exec sleep 1000'}}}\n";

/// Waits until the run's log has this many lines.
pub(crate) async fn lines(lab: &Lab, run: RunId, count: usize) -> Vec<LogLine> {
    let mut pause = tokio::time::interval(Duration::from_millis(10));
    let waiting = async {
        loop {
            pause.tick().await;
            let lines = lab.store.logs().read(run, None, 0, 100).await.unwrap();
            if lines.len() >= count {
                return lines;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap()
}

pub(crate) async fn ended(pid: &str) {
    let mut pause = tokio::time::interval(Duration::from_millis(10));
    let is_alive = || std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    let waiting = async {
        while is_alive() {
            pause.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap();
}

/// A script whose output is its task's, and whose lines are in the log. On any database.
pub(crate) async fn a_script_runs(lab: &Lab) {
    lab.permit_processes().await;
    let engine = lab.start(Arc::new(NoObserver));
    let code = "import os, sys\\nprint(os.environ[\"WORD\"], sys.argv[1])\\nprint(\"odd\", file=sys.stderr)";
    let id = lab
        .launch(&format!(
            "\n  - py: {{run: {{script: {{language: python, code: \"{}\", environment: {{WORD: ok}}, arguments: [7]}}, return: all}}}}\n",
            code.replace('"', "\\\"")
        ))
        .await;
    let run = lab.wait_for(id, RunStatus::Completed).await;
    assert_eq!(Lab::output(&run), json!({"code": 0, "stdout": "ok 7\n", "stderr": "odd\n"}));
    let mut texts: Vec<String> = lines(lab, id, 2).await.into_iter().map(|line| line.text).collect();
    texts.sort();
    assert_eq!(texts, ["odd", "ok 7"]);
    let begun = lab.journal(id).await.iter().filter(|entry| entry.event.contains("callStarted")).count();
    assert_eq!(begun, 1, "what may not be repeated leaves word before it is begun");
    engine.shut_down().await;
}

#[tokio::test]
async fn a_script_runs_on_sqlite() {
    a_script_runs(&Lab::new().await).await;
}

#[tokio::test]
async fn nothing_is_executed_without_a_permission() {
    let lab = Lab::new().await;
    let engine = lab.start(Arc::new(NoObserver));
    let id = lab.launch("\n  - sh: {run: {shell: {command: echo never}}}\n").await;
    let run = lab.wait_for(id, RunStatus::Faulted).await;
    let error: Value = serde_json::from_str(run.error.as_deref().unwrap()).unwrap();
    assert_eq!(error["status"], 403, "{error}");
    assert!(error["detail"].as_str().unwrap().contains("the namespace test may not run"), "{error}");
    assert!(lab.store.logs().read(id, None, 0, 10).await.unwrap().is_empty());
    engine.shut_down().await;
}

#[tokio::test]
async fn a_workflow_that_may_not_run_processes_is_not_started_by_another() {
    let lab = Lab::new().await;
    let engine = lab.start(Arc::new(NoObserver));
    lab.define("inner", "1.0.0", VersionState::Published, "\n  - sh: {run: {shell: {command: echo never}}}\n").await;
    let id = lab.launch("\n  - in: {run: {workflow: {namespace: test, name: inner, version: 1.0.0}}}\n").await;
    let run = lab.wait_for(id, RunStatus::Faulted).await;
    assert!(run.error.unwrap().contains("the namespace test may not run"));
    let mut unit = lab.store.snapshot().await.unwrap();
    assert!(unit.run_by_number(run.number + 1).await.unwrap().is_none(), "it was begun");
    engine.shut_down().await;
}

#[tokio::test]
async fn a_run_that_is_cancelled_ends_its_process() {
    let lab = Lab::new().await;
    lab.permit_processes().await;
    let engine = lab.start(Arc::new(NoObserver));
    let id = lab.launch(WAITING).await;
    let pid = lines(&lab, id, 1).await.remove(0).text;
    lab.push(id, EventKind::CancelRequested { by: "operator".to_owned(), reason: None }).await;
    lab.wait_for(id, RunStatus::Cancelled).await;
    ended(&pid).await;
    engine.shut_down().await;
}

#[tokio::test]
async fn a_task_that_takes_too_long_ends_its_process() {
    let lab = Lab::new().await;
    lab.permit_processes().await;
    let engine = lab.start(Arc::new(NoObserver));
    let id = lab.launch(&WAITING.replace("wait: {run", "wait: {timeout: {after: PT1S}, run")).await;
    let pid = lines(&lab, id, 1).await.remove(0).text;
    lab.wait_for(id, RunStatus::Faulted).await;
    ended(&pid).await;
    engine.shut_down().await;
}

#[tokio::test]
async fn a_node_that_has_lost_the_run_ends_its_process() {
    let lab = Lab::new().await;
    lab.permit_processes().await;
    let engine = lab.start(Arc::new(NoObserver));
    let id = lab.launch(WAITING).await;
    let pid = lines(&lab, id, 1).await.remove(0).text;
    let mut unit = lab.store.begin().await.unwrap();
    unit.release_all_leases().await.unwrap();
    let now = lab.parts().clock.now();
    let taken = unit.claim_runs("another", now, now, Duration::from_mins(1), 10, None).await.unwrap();
    assert_eq!(taken.iter().map(|claimed| claimed.lease.run).collect::<Vec<_>>(), [id]);
    unit.commit().await.unwrap();
    ended(&pid).await;
    engine.shut_down().await;
}

#[tokio::test]
async fn sealed_values_that_a_process_repeats_are_masked() {
    let lab = Lab::new().await;
    lab.permit_processes().await;
    let engine = lab.start(Arc::new(NoObserver));
    let sealed = lab.parts().vault.seal_value("s3cret-word");
    let task = "\n  - sh: {run: {shell: {command: 'echo it is $WORD', environment: {WORD: 'SEALED'}}}}\n";
    let id = lab.launch(&task.replace("SEALED", &sealed)).await;
    let run = lab.wait_for(id, RunStatus::Completed).await;
    assert_eq!(Lab::output(&run), json!("it is [redacted]\n"));
    assert_eq!(lines(&lab, id, 1).await.remove(0).text, "it is [redacted]");
    engine.shut_down().await;
}

/// Nobody knows how far it came.
struct Lost;

#[async_trait]
impl Processes for Lost {
    async fn run(&self, _process: Process, _context: &CallContext) -> Result<ProcessResult, Failure> {
        Err(Failure::unknown(RunError::new(StandardError::Runtime, "the runner ended")))
    }
}

#[tokio::test]
async fn a_process_whose_runner_was_lost_is_for_an_operator_unless_it_may_be_repeated() {
    let lab = Lab::new().await;
    lab.permit_processes().await;
    let engine = Engine::start(Parts { processes: Arc::new(Lost), ..lab.parts() }, EngineSettings::default());
    let once = lab.launch("\n  - sh: {run: {shell: {command: echo}}}\n").await;
    lab.wait(once, |run| run.needs_attention).await;
    let task = lab.tasks(once).await.remove(0);
    assert_eq!(task.status, TaskStatus::Unknown);
    let call = workflow::CallId(task.call.unwrap());
    let output = json!({"code": 0, "stdout": "by hand", "stderr": ""});
    lab.push(
        once,
        EventKind::CallResolved { call, resolution: Resolution::Done { output }, by: "operator".to_owned() },
    )
    .await;
    let run = lab.wait_for(once, RunStatus::Completed).await;
    assert_eq!(Lab::output(&run), json!("by hand"));
    let tasks = "\n  - sh: {run: {shell: {command: echo}}, metadata: {rondo: {idempotent: true}}}\n";
    let again = lab.define("again", "1.0.0", VersionState::Published, tasks).await;
    let run = lab.launch_version(&again).await;
    assert!(!lab.wait_for(run, RunStatus::Faulted).await.needs_attention, "another attempt would have done no harm");
    engine.shut_down().await;
}
