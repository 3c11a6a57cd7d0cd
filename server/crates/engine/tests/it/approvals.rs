use std::{sync::Arc, time::Duration};

use domain::{ApprovalState, RunStatus, TeamId, UserId};
use engine::NoObserver;
use store::{
    access::Team,
    approvals::{Approval, ApprovalFilter},
    runs::Visibility,
    users::User,
};
use uuid::Uuid;
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

const ASK_BOTH: &str = "
  - ask: {call: approval, with: {approvers: {team: pair}, quorum: all}}
  - one: {call: scripted, with: {step: one}}
";

#[tokio::test]
async fn who_is_disabled_is_replaced_by_whom_the_rule_gives_and_lowers_no_quorum() {
    let lab = Lab::new().await;
    let mut unit = lab.store.begin().await.unwrap();
    let created_at = lab.manager.created_at;
    let id = TeamId::from_uuid(Uuid::from_u128(77));
    let team = Team { id, name: "pair".to_owned(), title: "Pair".to_owned(), created_at };
    unit.insert_team(&team).await.unwrap();
    let mut people = Vec::new();
    for (number, login) in [(78_u128, "one"), (79, "two"), (80, "three")] {
        let id = UserId::from_uuid(Uuid::from_u128(number));
        let user = User { id, login: login.into(), name: login.into(), manager_id: None, ..lab.manager.clone() };
        unit.insert_user(&user).await.unwrap();
        people.push(user);
    }
    for user in &people[..2] {
        unit.add_member(team.id, user.id).await.unwrap();
    }
    unit.commit().await.unwrap();
    let engine = lab.start(Arc::new(NoObserver));
    let id = lab.launch(ASK_BOTH).await;
    lab.wait_for(id, RunStatus::Waiting).await;
    let opened = approval(&lab, id).await;

    // Nobody else is in the team yet: too few are left.
    let mut unit = lab.store.begin().await.unwrap();
    let mut gone = people[0].clone();
    (gone.active, gone.updated_at) = (false, created_at + Duration::from_secs(1));
    unit.update_user(&gone).await.unwrap();
    unit.commit().await.unwrap();
    engine.waker().wake_departures();
    lab.wait(id, |run| run.needs_attention).await;
    let notices = lab.store.snapshot().await.unwrap().notifications_of(lab.manager.id, None, 10).await.unwrap();
    assert_eq!(notices[0].kind, "run-needs-attention");

    // Another one joins, and yet another change of who has gone lets the rule be put again.
    let mut unit = lab.store.begin().await.unwrap();
    unit.add_member(team.id, people[2].id).await.unwrap();
    unit.commit().await.unwrap();
    lab.push(id, EventKind::ApproverLeft { call: workflow::CallId(opened.call.parse().unwrap()) }).await;
    lab.wait(id, |run| !run.needs_attention).await;
    let mut unit = lab.store.snapshot().await.unwrap();
    let asked = unit.approvers(opened.id).await.unwrap();
    let asked: Vec<(UserId, bool)> = asked.iter().map(|asked| (asked.user_id, asked.later)).collect();
    assert_eq!(asked, [(people[0].id, false), (people[1].id, false), (people[2].id, true)]);
    assert_eq!(unit.approval(opened.id).await.unwrap().unwrap().digest, opened.digest);
    let told = unit.notifications_of(people[2].id, None, 10).await.unwrap();
    assert_eq!(told[0].kind, "approval-requested");
    drop(unit);
    engine.shut_down().await;
}
