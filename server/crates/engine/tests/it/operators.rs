//! Skipping a task and going on from one with another input, on a database.

use std::sync::Arc;

use connectors::Outcome;
use domain::{ApprovalState, RunId, RunStatus, TaskStatus};
use engine::NoObserver;
use serde_json::{Value, json};
use store::{
    approvals::{Approval, ApprovalFilter},
    runs::Visibility,
};
use workflow::{CallId, EventKind, RunError};

use crate::lab::Lab;

const GUARDED: &str = "
  - ask: {call: approval, with: {approvers: {managerOf: requester}, title: Sure}, output: {as: '${ $input }'}}
  - act: {call: scripted, with: {step: act, value: '${ .n }'}}
  - last: {call: scripted, with: {step: last}}
";

async fn approvals(lab: &Lab, run: RunId) -> Vec<Approval> {
    let filter = ApprovalFilter { run: Some(run), ..ApprovalFilter::default() };
    let mut unit = lab.store.snapshot().await.unwrap();
    let mut rows = unit.list_approvals(&Visibility::everything(), &filter, None, 10).await.unwrap();
    rows.sort_by_key(|approval| approval.call.parse::<u32>().unwrap());
    rows
}

/// The approval that is open, once there are so many.
async fn open(lab: &Lab, run: RunId, count: usize) -> Approval {
    let mut pause = tokio::time::interval(std::time::Duration::from_millis(10));
    loop {
        pause.tick().await;
        let rows = approvals(lab, run).await;
        if let Some(last) = rows.last().filter(|last| rows.len() == count && last.state == ApprovalState::Pending) {
            return last.clone();
        }
    }
}

async fn approve(lab: &Lab, approval: &Approval) {
    let mut unit = lab.store.begin().await.unwrap();
    unit.close_approval(approval.id, ApprovalState::Approved, approval.opened_at).await.unwrap();
    unit.commit().await.unwrap();
    let call = CallId(approval.call.parse().unwrap());
    lab.push(approval.run, EventKind::CallCompleted { call, output: json!({}) }).await;
}

fn resume(occurrence: u32, n: u32, by: &str) -> EventKind {
    EventKind::ResumedFrom {
        reference: "/do/1/act".to_owned(),
        occurrence,
        input: json!({"n": n}),
        reason: "a wrong number".to_owned(),
        by: by.to_owned(),
    }
}

/// Also run on PostgreSQL.
pub(crate) async fn a_change_asks_those_who_approved_before(lab: &Lab) {
    lab.script.script("act", [Outcome::Permanent(RunError::communication(409, "no"))]);
    let engine = lab.start(Arc::new(NoObserver));
    let id = lab.launch(GUARDED).await;
    let first = open(lab, id, 1).await;
    approve(lab, &first).await;
    lab.wait_for(id, RunStatus::Faulted).await;

    lab.push(id, resume(1, 2, "olga")).await;
    open(lab, id, 2).await;

    // Another change makes it void. The node dies while people think.
    lab.push(id, resume(2, 3, "olga")).await;
    let asked = open(lab, id, 3).await;
    engine.shut_down().await;
    let rows = approvals(lab, id).await;
    assert_eq!(
        rows.iter().map(|row| row.state).collect::<Vec<_>>(),
        [ApprovalState::Approved, ApprovalState::Void, ApprovalState::Pending]
    );
    assert!(rows.iter().all(|row| row.id == asked.id || row.digest != asked.digest));
    let shown: Value = serde_json::from_str(&asked.shown).unwrap();
    assert_eq!((&shown["about"], &shown["task"]), (&json!({"n": 3}), &json!("/do/1/act")));
    let approvers = lab.store.snapshot().await.unwrap().approvers(asked.id).await.unwrap();
    assert_eq!(approvers.iter().map(|row| row.user_id).collect::<Vec<_>>(), [lab.manager.id]);

    let engine = lab.start(Arc::new(NoObserver));
    approve(lab, &asked).await;
    lab.wait_for(id, RunStatus::Completed).await;
    let tasks = lab.tasks(id).await;
    let acted = tasks.iter().filter(|task| task.name == "act").max_by_key(|task| task.occurrence).unwrap();
    assert_eq!((acted.status, acted.input.as_deref()), (TaskStatus::Completed, Some("{\"n\":3}")));
    assert_eq!(lab.script.steps(), ["act", "last"]);
    engine.shut_down().await;
}

#[tokio::test]
async fn whoever_has_changed_data_is_asked_nothing_more_in_the_run() {
    let lab = Lab::new().await;
    lab.script.script("act", [Outcome::Permanent(RunError::communication(409, "no"))]);
    let engine = lab.start(Arc::new(NoObserver));
    let id = lab.launch(GUARDED).await;
    approve(&lab, &open(&lab, id, 1).await).await;
    lab.wait_for(id, RunStatus::Faulted).await;
    // Neither about their own change nor, when somebody else has changed more, about that: so there is nobody.
    for (number, by) in [(1, "manager"), (2, "olga")] {
        lab.push(id, resume(number, number + 1, by)).await;
        let asked = open(&lab, id, usize::try_from(number).unwrap() + 1).await;
        assert_eq!(lab.store.snapshot().await.unwrap().approvers(asked.id).await.unwrap(), [], "{by}");
        lab.wait(id, |run| run.needs_attention && run.status == RunStatus::Waiting).await;
    }
    engine.shut_down().await;
}

#[tokio::test]
async fn a_change_after_an_approval_is_asked_about() {
    a_change_asks_those_who_approved_before(&Lab::new().await).await;
}

#[tokio::test]
async fn a_failed_task_is_skipped_and_what_is_sent_twice_counts_once() {
    let lab = Lab::new().await;
    lab.script.script("one", [Outcome::Permanent(RunError::communication(409, "no"))]);
    let engine = lab.start(Arc::new(NoObserver));
    let id = lab
        .launch("\n  - one: {call: scripted, with: {step: one}}\n  - two: {call: scripted, with: {step: two}}\n")
        .await;
    lab.wait_for(id, RunStatus::Faulted).await;
    let skip = EventKind::TaskSkipped {
        reference: "/do/0/one".to_owned(),
        occurrence: 1,
        output: Some(json!({"id": 7})),
        reason: "it exists".to_owned(),
        by: "olga".to_owned(),
    };
    lab.push(id, skip.clone()).await;
    lab.push(id, skip).await;
    lab.wait_for(id, RunStatus::Completed).await;
    let tasks = lab.tasks(id).await;
    assert_eq!((tasks[0].status, tasks[0].output.as_deref()), (TaskStatus::Skipped, Some("{\"id\":7}")));
    assert_eq!((tasks.len(), tasks[1].input.as_deref()), (2, Some("{\"id\":7}")));
    assert_eq!(lab.script.steps(), ["two"]);
    engine.shut_down().await;
}

/// A command is judged by what has come in, too, although no node has taken it up yet.
#[tokio::test]
async fn what_lies_in_the_inbox_counts_when_a_command_is_judged() {
    let lab = Lab::new().await;
    let engine = lab.start(Arc::new(NoObserver));
    let id = lab.launch("\n  - pause: {wait: {hours: 1}}\n  - later: {wait: {hours: 1}}\n").await;
    lab.wait_for(id, RunStatus::Waiting).await;
    engine.shut_down().await;
    let skip = EventKind::TaskSkipped {
        reference: "/do/0/pause".to_owned(),
        occurrence: 1,
        output: None,
        reason: "no need".to_owned(),
        by: "olga".to_owned(),
    };
    let run = lab.run(id).await;
    let version = lab.store.snapshot().await.unwrap().workflow_version(&run.workflow, &run.version).await.unwrap();
    let functions = lab.parts().connectors.function_catalogue().clone();
    let definition = workflow::Definition::parse(&version.unwrap().source, &functions).unwrap();
    let judge = async || {
        let mut unit = lab.store.snapshot().await.unwrap();
        let state = engine::prospect(unit.as_mut(), &definition, &run).await.unwrap();
        workflow::refusal(&definition, &state, &skip)
    };
    assert_eq!(judge().await, None);
    lab.push(id, skip.clone()).await;
    assert_eq!(judge().await, Some(workflow::Refusal::NotThere));
}
