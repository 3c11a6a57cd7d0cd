//! What operators change, and what becomes of decisions about it.

use domain::{ApprovalState, DecisionKind, ErrorCode, RunStatus};
use serde_json::json;
use service::ApprovalQuery;

use crate::office::Office;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_input_voids_what_was_asked_and_is_asked_about() {
    let office = Office::open().await;
    let (run, before) = office.request().await;
    let (operator, manager) = (office.caller("operator").await, office.caller("manager").await);
    let reference = before.summary.reference.clone();
    let mut changed = Office::newcomer();
    changed["jobTitle"] = json!("Head of sales");

    let unexplained = office.service.resume_run_from(&operator, run, &reference, changed.clone(), " ").await;
    assert_eq!(unexplained.unwrap_err().errors[0].pointer, "/reason");
    let masked = office.service.resume_run_from(&operator, run, &reference, json!({"password": "••••"}), "why").await;
    assert_eq!(masked.unwrap_err().code, ErrorCode::BadRequest);
    let ahead = office.service.resume_run_from(&operator, run, "/do/9/nowhere", json!({}), "why").await;
    assert_eq!(ahead.unwrap_err().code, ErrorCode::Conflict);

    let end = office.audit_end().await;
    office.service.resume_run_from(&operator, run, &reference, changed.clone(), "a wrong title").await.unwrap();
    let entries = office.audit_after(end).await;
    let entry = entries.iter().find(|entry| entry.action == "run.resume-from").unwrap();
    for part in ["a wrong title", "Account manager", "Head of sales"] {
        assert!(entry.body.contains(part), "{part}: {}", entry.body);
    }
    let asked = office
        .wait(async || {
            let query =
                ApprovalQuery { run: Some(run), state: Some(ApprovalState::Pending), ..ApprovalQuery::default() };
            let page = office.service.approvals(&manager, query, None, None).await.unwrap();
            let id = page.items.first().map(|item| item.id).filter(|id| *id != before.summary.id)?;
            office.service.approval(&manager, id).await.ok()
        })
        .await;
    assert_eq!((asked.about.as_ref(), &asked.input), (Some(&changed), &before.input), "the change is shown");
    let decide = async |id, digest: &str| {
        office.service.decide(&manager, id, DecisionKind::Approve, "", digest).await.map_err(|problem| problem.code)
    };
    assert_eq!(decide(before.summary.id, &before.summary.digest).await.unwrap_err(), ErrorCode::AlreadyDecided);
    assert_eq!(decide(asked.summary.id, &before.summary.digest).await.unwrap_err(), ErrorCode::DigestMismatch);
    decide(asked.summary.id, &asked.summary.digest).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_is_not_skipped_and_the_attempt_is_written_down() {
    let office = Office::open().await;
    let (run, approval) = office.request().await;
    let operator = office.caller("operator").await;
    let end = office.audit_end().await;
    let output = Some(json!({"outcome": "approved"}));
    let reference = &approval.summary.reference;
    let refused = office.service.skip_task(&operator, run, reference, None, output, "in a hurry").await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::NotSkippable);
    assert!(refused.detail.contains(reference.as_str()), "{}", refused.detail);
    let entries = office.audit_after(end).await;
    assert!(entries.iter().any(|entry| entry.action == "run.skip" && entry.outcome == "refused"));
    office.status(run, RunStatus::Waiting).await;
}
