use std::sync::Arc;

use domain::{ApprovalState, RunStatus};
use engine::NoObserver;
use store::{
    approvals::{Approval, ApprovalFilter},
    runs::Visibility,
};
use workflow::EventKind;

use crate::lab::Lab;

const ASK_MANAGER: &str = "
  - ask: {call: approval, with: {approvers: {managerOf: requester}, title: Sure}}
  - one: {call: scripted, with: {step: one}}
";

async fn approval(lab: &Lab, run: domain::RunId) -> Approval {
    let filter = ApprovalFilter { run: Some(run), ..ApprovalFilter::default() };
    let everything = Visibility::everything();
    let mut unit = lab.store.snapshot().await.unwrap();
    unit.list_approvals(&everything, &filter, None, 10).await.unwrap().into_iter().next().unwrap()
}

#[tokio::test]
async fn an_approval_asks_the_manager_and_tells_them() {
    let lab = Lab::new().await;
    let engine = lab.start(Arc::new(NoObserver));
    let id = lab.launch(ASK_MANAGER).await;
    lab.wait_for(id, RunStatus::Waiting).await;
    let approval = approval(&lab, id).await;
    let mut unit = lab.store.snapshot().await.unwrap();
    let asked = unit.approvers(approval.id).await.unwrap();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].user_id, lab.manager.id);
    assert_eq!(asked[0].via, "manager of staff");
    let notices = unit.notifications_of(lab.manager.id, None, 10).await.unwrap();
    assert_eq!(notices[0].kind, "approval-requested");
    drop(unit);
    engine.shut_down().await;
}

#[tokio::test]
async fn an_approval_with_nobody_to_ask_blocks_and_asks_once_somebody_is_there() {
    let lab = Lab::new().await;
    let mut unit = lab.store.begin().await.unwrap();
    let mut alone = lab.requester.clone();
    alone.manager_id = None;
    unit.update_user(&alone).await.unwrap();
    unit.commit().await.unwrap();
    let engine = lab.start(Arc::new(NoObserver));
    let id = lab.launch(ASK_MANAGER).await;
    let blocked = lab.wait(id, |run| run.needs_attention && run.status == RunStatus::Waiting).await;
    assert!(blocked.wake_at.is_some(), "it is looked at again by itself");
    assert!(lab.script.steps().is_empty());
    // The operator hears of it.
    let notices = lab.store.snapshot().await.unwrap().notifications_of(lab.manager.id, None, 10).await.unwrap();
    assert_eq!(notices[0].kind, "run-needs-attention");

    let mut unit = lab.store.begin().await.unwrap();
    unit.update_user(&lab.requester).await.unwrap();
    unit.commit().await.unwrap();
    // Whatever makes the engine look at the run again lets it find the manager.
    lab.push(id, EventKind::TimerFired { timer: workflow::TimerId(9_999) }).await;
    lab.wait(id, |run| !run.needs_attention).await;
    let approval = approval(&lab, id).await;
    assert_eq!(approval.state, ApprovalState::Pending);
    let asked = lab.store.snapshot().await.unwrap().approvers(approval.id).await.unwrap();
    assert_eq!(asked.len(), 1);
    engine.shut_down().await;
}

#[tokio::test]
async fn an_overdue_approval_is_rejected() {
    let lab = Lab::new().await;
    let engine = lab.start(Arc::new(NoObserver));
    let id = lab.launch(&ASK_MANAGER.replace("title: Sure", "title: Sure, due: PT0.2S")).await;
    let run = lab.wait_for(id, RunStatus::Faulted).await;
    assert!(run.rejected);
    assert_eq!(approval(&lab, id).await.state, ApprovalState::Rejected);
    assert!(lab.script.steps().is_empty());
    engine.shut_down().await;
}

#[tokio::test]
async fn cancelling_a_run_voids_its_approval() {
    let lab = Lab::new().await;
    let engine = lab.start(Arc::new(NoObserver));
    let id = lab.launch(ASK_MANAGER).await;
    lab.wait_for(id, RunStatus::Waiting).await;
    lab.push(id, EventKind::CancelRequested { by: "operator".to_owned(), reason: None }).await;
    lab.wait_for(id, RunStatus::Cancelled).await;
    assert_eq!(approval(&lab, id).await.state, ApprovalState::Void);
    engine.shut_down().await;
}
