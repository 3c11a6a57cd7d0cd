use std::sync::Arc;

use connectors::Outcome;
use domain::{RunStatus, TaskStatus};
use engine::NoObserver;
use serde_json::json;
use workflow::{EventKind, Resolution, RunError, StandardError};

use crate::lab::Lab;

const THREE: &str = "
  - one: {call: scripted, with: {step: one}}
  - two: {call: scripted, with: {step: two, value: '${ .step }'}}
  - three: {set: {last: '${ .value }'}}
";

const UNDOABLE: &str = "
  - one:
      call: scripted
      with: {step: one}
      metadata: {rondo: {compensate: [{undoOne: {call: scripted, with: {step: undo-one}}}]}}
  - two:
      call: scripted
      with: {step: two}
      metadata: {rondo: {compensate: [{undoTwo: {call: scripted, with: {step: undo-two}}}]}}
  - three: {call: scripted, with: {step: three}}
";

fn refused() -> Outcome {
    Outcome::Permanent(RunError::communication(409, "no"))
}

#[tokio::test]
async fn a_run_goes_through_its_tasks_to_its_output() {
    let lab = Lab::new().await;
    let engine = lab.start(Arc::new(NoObserver));
    let id = lab.launch(THREE).await;
    let run = lab.wait_for(id, RunStatus::Completed).await;
    assert_eq!(Lab::output(&run), json!({"last": "one"}));
    assert_eq!(lab.script.steps(), ["one", "two"]);
    let tasks = lab.tasks(id).await;
    assert!(tasks.iter().all(|task| task.status == TaskStatus::Completed), "{tasks:?}");
    engine.shut_down().await;
}

#[tokio::test]
async fn what_was_done_is_taken_back_in_reverse_when_a_later_task_fails() {
    let lab = Lab::new().await;
    lab.script.script("three", [refused()]);
    let engine = lab.start(Arc::new(NoObserver));
    let id = lab.launch(UNDOABLE).await;
    let run = lab.wait_for(id, RunStatus::Faulted).await;
    assert_eq!(lab.script.steps(), ["one", "two", "undo-two", "undo-one"]);
    assert!(run.compensated && !run.needs_attention);
    engine.shut_down().await;
}

#[tokio::test]
async fn a_failed_compensation_needs_attention_and_the_rest_goes_on() {
    let lab = Lab::new().await;
    lab.script.script("three", [refused()]);
    lab.script.script("undo-two", [refused()]);
    let engine = lab.start(Arc::new(NoObserver));
    let id = lab.launch(UNDOABLE).await;
    let run = lab.wait_for(id, RunStatus::Faulted).await;
    assert_eq!(lab.script.steps(), ["one", "two", "undo-one"]);
    assert!(run.needs_attention && !run.compensated);
    engine.shut_down().await;
}

#[tokio::test]
async fn a_cancelled_run_takes_back_what_it_did() {
    let lab = Lab::new().await;
    let engine = lab.start(Arc::new(NoObserver));
    let waiting = UNDOABLE.replace("- three: {call: scripted, with: {step: three}}", "- three: {wait: {hours: 1}}");
    let id = lab.launch(&waiting).await;
    lab.wait_for(id, RunStatus::Waiting).await;
    lab.push(id, EventKind::CancelRequested { by: "staff".to_owned(), reason: None }).await;
    let run = lab.wait_for(id, RunStatus::Cancelled).await;
    assert_eq!(lab.script.steps(), ["one", "two", "undo-two", "undo-one"]);
    assert!(run.compensated);
    engine.shut_down().await;
}

#[tokio::test]
async fn a_suspended_run_starts_nothing_until_it_is_resumed() {
    let lab = Lab::new().await;
    let engine = lab.start(Arc::new(NoObserver));
    let id =
        lab.launch("\n  - pause: {wait: {milliseconds: 300}}\n  - one: {call: scripted, with: {step: one}}\n").await;
    lab.wait_for(id, RunStatus::Waiting).await;
    lab.push(id, EventKind::Suspended { by: "operator".to_owned() }).await;
    lab.wait_for(id, RunStatus::Suspended).await;
    // The timer of the wait comes while it is suspended.
    let fired = |entries: &[store::runs::JournalEntry]| entries.iter().any(|entry| entry.event.contains("timerFired"));
    lab.wait(id, |_| true).await;
    let mut pause = tokio::time::interval(std::time::Duration::from_millis(10));
    while !fired(&lab.journal(id).await) {
        pause.tick().await;
    }
    assert!(lab.script.steps().is_empty());
    lab.push(id, EventKind::Resumed { by: "operator".to_owned() }).await;
    lab.wait_for(id, RunStatus::Completed).await;
    assert_eq!(lab.script.steps(), ["one"]);
    engine.shut_down().await;
}

#[tokio::test]
async fn a_failed_task_can_be_retried_by_an_operator() {
    let lab = Lab::new().await;
    lab.script.script("two", [refused()]);
    let engine = lab.start(Arc::new(NoObserver));
    let id = lab.launch(THREE).await;
    lab.wait_for(id, RunStatus::Faulted).await;
    lab.push(id, EventKind::RetryRequested { by: "operator".to_owned() }).await;
    lab.wait_for(id, RunStatus::Completed).await;
    assert_eq!(lab.script.steps(), ["one", "two"]);
    engine.shut_down().await;
}

#[tokio::test]
async fn a_call_that_may_have_happened_waits_for_an_operator() {
    let lab = Lab::new().await;
    lab.script.script("one", [Outcome::Unknown(RunError::new(StandardError::Communication, "cut off"))]);
    let engine = lab.start(Arc::new(NoObserver));
    let id = lab.launch("\n  - one: {call: scripted, with: {step: one, mode: once}}\n").await;
    lab.wait(id, |run| run.needs_attention).await;
    let task = lab.tasks(id).await.into_iter().find(|task| task.name == "one").unwrap();
    assert_eq!(task.status, TaskStatus::Unknown);
    let call = workflow::CallId(task.call.unwrap());
    let resolution = Resolution::Done { output: json!({"found": true}) };
    lab.push(id, EventKind::CallResolved { call, resolution, by: "operator".to_owned() }).await;
    let run = lab.wait_for(id, RunStatus::Completed).await;
    assert!(!run.needs_attention);
    assert_eq!(Lab::output(&run), json!({"found": true}));
    assert_eq!(lab.script.steps(), ["one"]);
    engine.shut_down().await;
}

#[tokio::test]
async fn many_runs_at_once_all_end() {
    let lab = Lab::new().await;
    let engine = lab.start(Arc::new(NoObserver));
    let first = lab.launch(THREE).await;
    let template = lab.run(first).await;
    let mut ids = vec![first];
    for _ in 0..30 {
        ids.push(lab.relaunch(&template).await);
    }
    for id in ids {
        lab.wait_for(id, RunStatus::Completed).await;
    }
    assert_eq!(lab.script.steps().len(), 62);
    engine.shut_down().await;
}
