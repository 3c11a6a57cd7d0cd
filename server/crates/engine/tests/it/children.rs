use std::sync::Arc;

use connectors::Outcome;
use domain::{RunId, RunStatus};
use engine::NoObserver;
use identity::random::OsRandom;
use serde_json::json;
use store::{
    runs::{Run, RunFilter, Visibility},
    workflows::VersionState,
};
use workflow::{EventKind, RunError};

use crate::lab::Lab;

const RUN_INNER: &str = "
  - inner: {run: {workflow: {namespace: test, name: inner, version: latest, input: {n: 1}}}}
  - after: {call: scripted, with: {step: after, value: '${ . }'}}
";

/// The runs of the workflow `inner`, oldest first.
async fn inner(lab: &Lab) -> Vec<Run> {
    let everything = Visibility { everywhere: true, ..Visibility::default() };
    let filter = RunFilter { workflow: Some("test/inner".parse().unwrap()), ..RunFilter::default() };
    let mut runs = lab.store.snapshot().await.unwrap().list_runs(&everything, &filter, None, 100).await.unwrap();
    runs.reverse();
    runs
}

async fn first_inner(lab: &Lab) -> RunId {
    let mut pause = tokio::time::interval(std::time::Duration::from_millis(10));
    for _ in 0..1_000 {
        pause.tick().await;
        if let Some(run) = inner(lab).await.first() {
            return run.id;
        }
    }
    panic!("no run was started")
}

fn detail(run: &Run) -> String {
    let error: RunError = serde_json::from_str(run.error.as_deref().unwrap()).unwrap();
    error.detail.unwrap_or_default()
}

#[tokio::test]
async fn a_run_waits_for_the_run_it_starts_and_goes_on_with_its_output() {
    let lab = Lab::new().await;
    let engine = lab.start(Arc::new(NoObserver));
    lab.define("inner", "1.0.0", VersionState::Published, "\n  - one: {set: {old: true}}\n").await;
    let newer = "\n  - one: {call: scripted, with: {step: inner, value: '${ .n }'}}\n";
    lab.define("inner", "1.1.0", VersionState::Published, newer).await;
    lab.define("inner", "2.0.0", VersionState::Draft, "\n  - one: {set: {draft: true}}\n").await;
    let id = lab.launch(RUN_INNER).await;
    let run = lab.wait_for(id, RunStatus::Completed).await;
    assert_eq!(Lab::output(&run), json!({"step": "after", "value": {"step": "inner", "value": 1}}));
    assert_eq!(lab.script.steps(), ["inner", "after"]);
    let children = inner(&lab).await;
    assert_eq!(children.len(), 1);
    assert_eq!((children[0].version.as_str(), children[0].requester_id), ("1.1.0", lab.requester.id));
    let mut unit = lab.store.snapshot().await.unwrap();
    let link = unit.child(children[0].id).await.unwrap().unwrap();
    assert_eq!((link.parent, link.depth), (id, 1));
    // Its end is told to the run that started it, not to the requester.
    let notices = unit.notifications_of(lab.requester.id, None, 10).await.unwrap();
    assert_eq!(notices.iter().map(|notice| notice.run_number).collect::<Vec<_>>(), [Some(run.number)]);
    audit::sequence(lab.store.as_ref(), &OsRandom).await.unwrap();
    let mut unit = lab.store.snapshot().await.unwrap();
    let launches = unit.audit_from(0, 1_000).await.unwrap();
    assert_eq!(launches.iter().filter(|entry| entry.action == "run.launch").count(), 1);
    drop(unit);
    engine.shut_down().await;
}

#[tokio::test]
async fn the_fault_of_a_run_is_that_of_the_task_that_started_it() {
    let lab = Lab::new().await;
    let refused = || Outcome::Permanent(RunError::communication(409, "no"));
    lab.script.script("inner", [refused(), refused()]);
    let engine = lab.start(Arc::new(NoObserver));
    lab.define("inner", "1.0.0", VersionState::Published, "\n  - one: {call: scripted, with: {step: inner}}\n").await;
    let retrying = "
  - attempt:
      try:
        - inner: {run: {workflow: {namespace: test, name: inner, version: 1.0.0}}}
      catch: {errors: {with: {status: 409}}, retry: {delay: {milliseconds: 10}, limit: {attempt: {count: 2}}}}
";
    let id = lab.launch(retrying).await;
    lab.wait_for(id, RunStatus::Completed).await;
    let statuses: Vec<RunStatus> = inner(&lab).await.iter().map(|run| run.status).collect();
    assert_eq!(statuses, [RunStatus::Faulted, RunStatus::Faulted, RunStatus::Completed]);

    lab.script.script("inner", [refused()]);
    let plain = lab.define("plain", "1.0.0", VersionState::Published, RUN_INNER).await;
    let run = lab.wait_for(lab.launch_version(&plain).await, RunStatus::Faulted).await;
    assert_eq!(detail(&run), "no");
    engine.shut_down().await;
}

#[tokio::test]
async fn what_is_not_published_cannot_be_run() {
    let lab = Lab::new().await;
    let engine = lab.start(Arc::new(NoObserver));
    for (version, state) in [("1.0.0", VersionState::Retired), ("2.0.0", VersionState::InReview)] {
        lab.define("inner", version, state, "\n  - one: {set: {n: 1}}\n").await;
    }
    for (number, (asked, expected)) in [
        ("inner, version: 1.0.0", "version 1.0.0 of the workflow test/inner is retired"),
        ("inner, version: 2.0.0", "version 2.0.0 of the workflow test/inner is not published"),
        ("inner, version: 3.0.0", "there is no version 3.0.0 of the workflow test/inner"),
        ("inner", "no version of the workflow test/inner is published"),
        ("nothing", "no version of the workflow test/nothing is published"),
    ]
    .into_iter()
    .enumerate()
    {
        let tasks = format!("\n  - inner: {{run: {{workflow: {{namespace: test, name: {asked}}}}}}}\n");
        let version = lab.define(&format!("outer-{number}"), "1.0.0", VersionState::Published, &tasks).await;
        let run = lab.wait_for(lab.launch_version(&version).await, RunStatus::Faulted).await;
        assert_eq!(detail(&run), expected);
    }
    assert!(inner(&lab).await.is_empty());
    engine.shut_down().await;
}

#[tokio::test]
async fn a_run_that_is_cancelled_or_loses_patience_cancels_what_it_started() {
    let lab = Lab::new().await;
    let engine = lab.start(Arc::new(NoObserver));
    lab.define("inner", "1.0.0", VersionState::Published, "\n  - wait: {wait: {hours: 1}}\n").await;
    let id = lab.launch(RUN_INNER).await;
    let child = first_inner(&lab).await;
    lab.wait_for(child, RunStatus::Waiting).await;
    lab.push(id, EventKind::CancelRequested { by: "staff".to_owned(), reason: None }).await;
    lab.wait_for(id, RunStatus::Cancelled).await;
    lab.wait_for(child, RunStatus::Cancelled).await;

    let impatient = RUN_INNER.replace("input: {n: 1}}}", "input: {n: 1}}}, timeout: {after: {milliseconds: 200}}");
    let impatient = lab.define("impatient", "1.0.0", VersionState::Published, &impatient).await;
    lab.wait_for(lab.launch_version(&impatient).await, RunStatus::Faulted).await;
    let children = inner(&lab).await;
    assert_eq!(children.len(), 2);
    lab.wait_for(children[1].id, RunStatus::Cancelled).await;
    assert!(lab.script.steps().is_empty());
    engine.shut_down().await;
}

#[tokio::test]
async fn a_run_that_is_cancelled_is_a_fault_for_the_one_that_waits() {
    let lab = Lab::new().await;
    let engine = lab.start(Arc::new(NoObserver));
    lab.define("inner", "1.0.0", VersionState::Published, "\n  - wait: {wait: {hours: 1}}\n").await;
    let id = lab.launch(RUN_INNER).await;
    let child = first_inner(&lab).await;
    lab.push(child, EventKind::CancelRequested { by: "operator".to_owned(), reason: None }).await;
    lab.wait_for(child, RunStatus::Cancelled).await;
    lab.wait_for(id, RunStatus::Faulted).await;
    engine.shut_down().await;
}

#[tokio::test]
async fn who_does_not_await_goes_on_at_once() {
    let lab = Lab::new().await;
    let engine = lab.start(Arc::new(NoObserver));
    lab.define("inner", "1.0.0", VersionState::Published, "\n  - hear: {listen: {to: {one: {with: {type: go}}}}}\n")
        .await;
    let id = lab
        .launch("\n  - inner: {run: {workflow: {namespace: test, name: inner, version: 1.0.0}, await: false}}\n")
        .await;
    lab.wait_for(id, RunStatus::Completed).await;
    let child = first_inner(&lab).await;
    lab.wait_for(child, RunStatus::Waiting).await;
    lab.publish(&[("go", "1", json!(1))]).await;
    lab.wait_for(child, RunStatus::Completed).await;
    assert_eq!(lab.run(id).await.status, RunStatus::Completed);
    engine.shut_down().await;
}

#[tokio::test]
async fn workflows_run_workflows_only_so_deep() {
    let lab = Lab::new().await;
    let engine = lab.start(Arc::new(NoObserver));
    let itself = "\n  - again: {run: {workflow: {namespace: test, name: inner, version: 1.0.0}}}\n";
    let version = lab.define("inner", "1.0.0", VersionState::Published, itself).await;
    let run = lab.wait_for(lab.launch_version(&version).await, RunStatus::Faulted).await;
    assert_eq!(detail(&run), "workflows run workflows more than 16 deep");
    assert_eq!(inner(&lab).await.len(), 17);
    engine.shut_down().await;
}
