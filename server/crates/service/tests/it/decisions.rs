use domain::{ApprovalState, DecisionKind, ErrorCode, RunStatus};
use serde_json::json;
use service::ApprovalQuery;

use crate::office::{Office, code};

#[tokio::test]
async fn nobody_decides_on_an_own_request_not_even_with_every_role() {
    let office = Office::open().await;
    // The manager asks; the manager's own manager does not exist, so ask for staff's request by an operator who is asked.
    let (_, approval) = office.request().await;
    let staff = office.caller("staff").await;
    let refused =
        office.service.decide(&staff, approval.summary.id, DecisionKind::Approve, "", &approval.summary.digest).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::OwnRequest);
    let seen = office.service.approval(&staff, approval.summary.id).await.unwrap();
    assert!(!seen.can_decide);
    assert_eq!(seen.refusal, Some(ErrorCode::OwnRequest));
}

#[tokio::test]
async fn a_decision_on_something_else_is_no_decision() {
    let office = Office::open().await;
    let (_, approval) = office.request().await;
    let manager = office.caller("manager").await;
    let other = "0".repeat(64);
    let refused = office.service.decide(&manager, approval.summary.id, DecisionKind::Approve, "", &other).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::DigestMismatch);
    let seen = office.service.approval(&manager, approval.summary.id).await.unwrap();
    assert_eq!(seen.summary.state, ApprovalState::Pending);
    assert!(seen.decisions.is_empty());
}

#[tokio::test]
async fn a_rejection_needs_a_reason_and_ends_the_run() {
    let office = Office::open().await;
    let (run, approval) = office.request().await;
    let manager = office.caller("manager").await;
    let (id, digest) = (approval.summary.id, &approval.summary.digest);
    let silent = office.service.decide(&manager, id, DecisionKind::Reject, " ", digest).await.unwrap_err();
    assert_eq!((silent.code, silent.errors[0].pointer.as_str()), (ErrorCode::InvalidInput, "/comment"));
    office.service.decide(&manager, id, DecisionKind::Reject, "not this month", digest).await.unwrap();
    let ended = office.ended(run).await;
    assert_eq!(ended.summary.status, RunStatus::Faulted);
    assert!(ended.summary.rejected);
    assert!(ended.error.unwrap().detail.contains("not this month"));
    assert!(office.user("nnewcomer").await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_decisions_at_the_same_moment_one_counts_and_the_other_is_told() {
    let office = Office::open().await;
    let (_, approval) = office.request().await;
    let manager = office.caller("manager").await;
    let decide = |kind, comment: &'static str| {
        let (service, manager) = (office.service.clone(), manager.clone());
        let (id, digest) = (approval.summary.id, approval.summary.digest.clone());
        tokio::spawn(async move { service.decide(&manager, id, kind, comment, &digest).await })
    };
    let approve = decide(DecisionKind::Approve, "");
    let reject = decide(DecisionKind::Reject, "no");
    let mut answers = [code(approve.await.unwrap()), code(reject.await.unwrap())];
    answers.sort();
    assert_eq!(answers, ["already-decided", "ok"]);
    let seen = office.service.approval(&manager, approval.summary.id).await.unwrap();
    assert_eq!(seen.decisions.len(), 1);
}

#[tokio::test]
async fn asking_for_changes_gives_the_input_back_as_a_draft() {
    let office = Office::open().await;
    let (run, approval) = office.request().await;
    let manager = office.caller("manager").await;
    let digest = &approval.summary.digest;
    office
        .service
        .decide(&manager, approval.summary.id, DecisionKind::RequestChanges, "which team?", digest)
        .await
        .unwrap();
    // The run waits for what the requester makes of it.
    office.status(run, RunStatus::Waiting).await;
    let staff = office.caller("staff").await;
    let drafts = office.service.drafts(&staff).await.unwrap();
    assert_eq!(drafts[0].values, Office::newcomer());
    let notices = office.service.notifications(&staff, None, None).await.unwrap();
    assert!(notices.items.iter().any(|notice| notice.kind == "changes-requested"));
}

#[tokio::test]
async fn the_queue_shows_what_waits_and_forgets_what_is_decided() {
    let office = Office::open().await;
    let manager = office.caller("manager").await;
    let mine = || ApprovalQuery { mine: true, state: Some(ApprovalState::Pending), ..ApprovalQuery::default() };
    let (_, first) = office.request().await;
    office.request().await;
    let page = office.service.approvals(&manager, mine(), None, Some(1)).await.unwrap();
    assert_eq!(page.items.len(), 1);
    let rest = office.service.approvals(&manager, mine(), page.next.as_deref(), Some(1)).await.unwrap();
    assert_eq!(rest.items.len(), 1);
    assert!(rest.next.is_none());
    assert_eq!(office.service.me(&manager).await.unwrap().pending_decisions, 2);
    let digest = &first.summary.digest;
    office.service.decide(&manager, first.summary.id, DecisionKind::Approve, "", digest).await.unwrap();
    assert_eq!(office.service.me(&manager).await.unwrap().pending_decisions, 1);
}

#[tokio::test]
async fn a_draft_is_sent_once_however_often_it_is_sent() {
    let office = Office::open().await;
    let staff = office.caller("staff").await;
    let draft = office.service.save_draft(&staff, &Office::onboarding(), None, Office::newcomer()).await.unwrap();
    let (one, two) =
        tokio::join!(office.service.send_draft(&staff, draft.id), office.service.send_draft(&staff, draft.id));
    assert_eq!(one.unwrap().id, two.unwrap().id);
    // Somebody else's draft does not exist.
    let manager = office.caller("manager").await;
    assert_eq!(code(office.service.send_draft(&manager, draft.id).await), "not-found");
}

#[tokio::test]
async fn input_that_breaks_the_form_is_refused_field_by_field() {
    let office = Office::open().await;
    let staff = office.caller("staff").await;
    let mut input = Office::newcomer();
    input["privateEmail"] = json!("nobody");
    input["contract"] = json!("fixed-term");
    let refused = office.service.launch(&staff, &Office::onboarding(), None, input).await.unwrap_err();
    let mut pointers: Vec<&str> = refused.errors.iter().map(|error| error.pointer.as_str()).collect();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/endDate", "/privateEmail"]);
}
