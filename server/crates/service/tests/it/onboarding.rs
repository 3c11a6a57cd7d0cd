//! The shipped onboarding on the built-in directory, to the new person's first sign-in.

use domain::{DecisionKind, RunStatus};

use crate::office::{Office, code};

#[tokio::test]
async fn the_new_person_gets_an_account_a_link_and_can_sign_in() {
    let office = Office::open().await;
    let (run, approval) = office.request().await;
    let manager = office.caller("manager").await;
    let digest = &approval.summary.digest;
    office.service.decide(&manager, approval.summary.id, DecisionKind::Approve, "", digest).await.unwrap();
    let ended = office.ended(run).await;
    assert_eq!(ended.summary.status, RunStatus::Completed, "{:?}", ended.error);
    assert_eq!(ended.output.unwrap()["login"], "nnewcomer");

    let mail = std::fs::read_dir(office.data().join("mail")).unwrap().next().unwrap().unwrap();
    // Long lines are folded by the transfer encoding.
    let text = std::fs::read_to_string(mail.path()).unwrap().replace("=\r\n", "").replace("=3D", "=");
    let token =
        text.split("/link/").nth(1).unwrap_or_else(|| panic!("no link in\n{text}")).split_whitespace().next().unwrap();
    let origin = Office::origin();
    assert_eq!(office.service.link(&origin, token).await.unwrap().purpose, "set-password");
    office.service.claim_password(&origin, token, "a fine long password").await.unwrap();
    assert_eq!(code(office.service.claim_password(&origin, token, "another long password").await), "link-invalid");
    office.service.sign_in(&origin, "nnewcomer", "a fine long password").await.unwrap();

    // Whoever may see the run still sees no link.
    let operator = office.caller("operator").await;
    let tasks = office.service.run_tasks(&operator, run).await.unwrap();
    let journal = office.service.run_journal(&operator, run, None, None).await.unwrap();
    let shown = format!("{}{}", serde_json::to_string(&tasks).unwrap(), serde_json::to_string(&journal).unwrap());
    assert!(!shown.contains(token) && !shown.contains("rondo-sealed"));
}

#[tokio::test]
async fn a_taken_sign_in_name_is_seen_and_the_next_is_taken() {
    let office = Office::open().await;
    for expected in ["nnewcomer", "nnewcomer2"] {
        let (run, approval) = office.request().await;
        let manager = office.caller("manager").await;
        let digest = &approval.summary.digest;
        office.service.decide(&manager, approval.summary.id, DecisionKind::Approve, "", digest).await.unwrap();
        assert_eq!(office.ended(run).await.output.unwrap()["login"], expected);
    }
}

#[tokio::test]
async fn without_mail_the_account_is_taken_back() {
    let office = Office::open().await;
    // It is there when the request is sent: without, it could not be.
    let (run, approval) = office.request().await;
    let admin = office.caller("admin").await;
    let mail = office.service.connections(&admin, None).await.unwrap().into_iter().find(|c| c.name == "mail").unwrap();
    office.service.delete_connection(&admin, mail.id).await.unwrap();
    let manager = office.caller("manager").await;
    let digest = &approval.summary.digest;
    office.service.decide(&manager, approval.summary.id, DecisionKind::Approve, "", digest).await.unwrap();
    let ended = office.ended(run).await;
    assert_eq!(ended.summary.status, RunStatus::Faulted);
    assert!(ended.summary.compensated && !ended.summary.needs_attention);
    assert!(office.user("nnewcomer").await.is_none());
    assert!(ended.error.unwrap().detail.contains("mail is off"));
}

#[tokio::test]
async fn a_cancelled_request_does_nothing() {
    let office = Office::open().await;
    let (run, _) = office.request().await;
    office.status(run, RunStatus::Waiting).await;
    let staff = office.caller("staff").await;
    office.service.cancel_run(&staff, run, "not needed").await.unwrap();
    assert_eq!(office.ended(run).await.summary.status, RunStatus::Cancelled);
    assert!(office.user("nnewcomer").await.is_none());
}
