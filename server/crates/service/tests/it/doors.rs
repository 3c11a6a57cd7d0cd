//! The ways to a decision beside the page of one approval: several at once, with the password again, by a link in a mail.

use std::{sync::Arc, time::Duration};

use domain::{
    ApprovalId, ApprovalState, DecisionKind, DecisionResult, ErrorCode, Problem, WhyAlone, view::ApprovalDetail,
};
use engine::notices::AskedDecision;
use serde_json::json;
use service::{ApprovalQuery, Caller, ChosenDecision, DecisionLinks};

use crate::office::{Office, code};

/// The demonstration's password of somebody.
fn password(caller: &Caller) -> String {
    format!("rondo-demo-{}", caller.login)
}

/// Publishes a workflow `identity/NAME` with one approval, with these arguments.
async fn publish(office: &Office, name: &str, risk: &str, with: &str) {
    let with = with.replace('\n', "\n      ");
    let text = format!(
        "document: {{dsl: 1.0.3, namespace: identity, name: {name}, version: 1.0.0, metadata: {{rondo: {{risk: {risk}}}}}}}
do:
- decide:
    call: approval
    with:
      {with}
"
    );
    office.service.load_shipped([(format!("{name}.yaml").as_str(), text.as_str())]).await.unwrap();
}

/// The pending approval of `identity/NAME` that somebody sees, other than those.
pub(crate) async fn waiting(office: &Office, caller: &Caller, name: &str, others: &[ApprovalId]) -> ApprovalDetail {
    office
        .wait(async || {
            let query = ApprovalQuery { state: Some(ApprovalState::Pending), ..ApprovalQuery::default() };
            let page = office.service.approvals(caller, query, None, Some(200)).await.unwrap();
            let of_name = page.items.iter().find(|item| item.name.as_str() == name && !others.contains(&item.id))?;
            let detail = office.service.approval(caller, of_name.id).await.ok()?;
            (!detail.approvers.is_empty()).then_some(detail)
        })
        .await
}

/// Staff asks for `identity/NAME`; the approval as the manager sees it.
async fn asked(office: &Office, name: &str, others: &[ApprovalId]) -> ApprovalDetail {
    let (staff, manager) = (office.caller("staff").await, office.caller("manager").await);
    let workflow = format!("identity/{name}").parse().unwrap();
    office.service.launch(&staff, &workflow, None, json!({})).await.unwrap();
    waiting(office, &manager, name, others).await
}

fn chosen(detail: &ApprovalDetail, kind: DecisionKind, comment: &str) -> ChosenDecision {
    let (approval, digest) = (detail.summary.id, detail.summary.digest.clone());
    ChosenDecision { approval, kind, comment: comment.to_owned(), digest }
}

/// The path of a link that the mail to this person would have, and its token.
pub(crate) fn link(office: &Office, caller: &Caller, on: &ApprovalDetail) -> String {
    let asked = AskedDecision {
        approval: on.summary.id,
        person: caller.user,
        stage: on.summary.stage - 1,
        digest: on.summary.digest.clone(),
    };
    token(&DecisionLinks::new(Arc::clone(&office.vault)), &asked, office.now())
}

fn token(links: &DecisionLinks, asked: &AskedDecision, now: domain::Timestamp) -> String {
    links.issue(asked, now).0.trim_start_matches("/decide/").to_owned()
}

const BY_MANAGER: &str = "approvers: {managerOf: requester}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_are_decided_each_by_itself_and_each_is_answered() {
    let office = Office::open().await;
    publish(&office, "plain", "low", BY_MANAGER).await;
    publish(
        &office,
        "filled",
        "low",
        &format!("{BY_MANAGER}\nform: {{type: object, properties: {{a: {{type: string}}}}}}"),
    )
    .await;
    publish(&office, "grave", "high", BY_MANAGER).await;
    let manager = office.caller("manager").await;
    let (filled, grave) = (asked(&office, "filled", &[]).await, asked(&office, "grave", &[]).await);
    let mut plain: Vec<ApprovalDetail> = Vec::new();
    for _ in 0..4 {
        let others: Vec<ApprovalId> = plain.iter().map(|one| one.summary.id).collect();
        plain.push(asked(&office, "plain", &others).await);
    }
    let [one, two, three, four] = plain.as_slice() else { panic!("four were asked for") };
    office.service.decide(&manager, three.summary.id, DecisionKind::Reject, "no", &three.summary.digest).await.unwrap();
    let ids: Vec<ApprovalId> = [one, two, three, four, &filled, &grave].iter().map(|one| one.summary.id).collect();
    let seen = office.service.chosen_approvals(&manager, &ids).await.unwrap();
    let alone: Vec<_> = seen.iter().map(|one| one.alone).collect();
    assert_eq!(alone, [None, None, None, None, Some(WhyAlone::Form), Some(WhyAlone::StepUp)]);
    assert_eq!((seen[2].refusal, seen[2].said), (Some(ErrorCode::AlreadyDecided), Some(DecisionKind::Reject)));

    let mut stale = chosen(four, DecisionKind::Approve, "");
    stale.digest = "0".repeat(64);
    let before = office.audit_end().await;
    let confirmed = office.service.confirm(&manager, &password(&manager)).await.unwrap();
    let sent = vec![
        chosen(one, DecisionKind::Approve, ""),
        chosen(two, DecisionKind::Reject, "not now"),
        chosen(three, DecisionKind::Approve, ""),
        stale,
        chosen(&filled, DecisionKind::Approve, ""),
        chosen(&grave, DecisionKind::Approve, ""),
    ];
    // Not even who has just given the password decides on what is grave together with others.
    let outcomes = office.service.decide_chosen(&confirmed, sent.clone()).await.unwrap();
    let answers: Vec<_> =
        outcomes.iter().map(|one| (one.result, one.state, one.problem.as_ref().map(|p| p.code))).collect();
    assert_eq!(
        answers,
        [
            (DecisionResult::Decided, Some(ApprovalState::Approved), None),
            (DecisionResult::Decided, Some(ApprovalState::Rejected), None),
            (DecisionResult::AlreadyDecided, None, Some(ErrorCode::AlreadyDecided)),
            (DecisionResult::Changed, None, Some(ErrorCode::DigestMismatch)),
            (DecisionResult::Alone, None, Some(ErrorCode::DecideAlone)),
            (DecisionResult::Alone, None, Some(ErrorCode::StepUpRequired)),
        ]
    );
    assert_eq!(outcomes[3].difference.as_deref(), Some(format!("/approvals/{}", four.summary.id).as_str()));
    let entries = office.audit_after(before).await;
    let done = entries.iter().filter(|entry| entry.action == "approval.decide" && entry.outcome == "done");
    let done: Vec<_> = done.collect();
    assert!(done.len() == 2 && done.iter().all(|entry| entry.body.contains("\"manner\":\"bulk\"")), "{done:?}");
    let refused = entries.iter().filter(|entry| entry.action == "approval.decide" && entry.outcome == "refused");
    assert_eq!(refused.count(), 4);
    // Sent again, what was decided is told to be so, and nothing is decided twice.
    let again = office.service.decide_chosen(&manager, sent).await.unwrap();
    assert_eq!(again[0].result, DecisionResult::AlreadyDecided);
    // A form is filled in by whoever approves, not by whoever rejects.
    let rejected = office.service.decide_chosen(&manager, vec![chosen(&filled, DecisionKind::Reject, "no")]).await;
    assert_eq!(rejected.unwrap()[0].result, DecisionResult::Decided);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_changed_since_leads_to_the_difference_and_what_is_refused_names_the_policy() {
    let office = Office::open().await;
    let (_, before) = office.request().await;
    let (staff, manager, operator) =
        (office.caller("staff").await, office.caller("manager").await, office.caller("operator").await);
    let refused = office.service.decide_chosen(&staff, vec![chosen(&before, DecisionKind::Approve, "")]).await.unwrap();
    let problem = refused[0].problem.clone().unwrap();
    assert_eq!((refused[0].result, problem.code), (DecisionResult::Refused, ErrorCode::OwnRequest));
    assert!(problem.policies.iter().any(|policy| policy.id == "nobody-decides-on-an-own-request"));

    let mut changed = Office::newcomer();
    changed["jobTitle"] = json!("Head of sales");
    let (run, reference) = (before.summary.run, before.summary.reference.clone());
    office.service.resume_run_from(&operator, run, &reference, changed, "a wrong title").await.unwrap();
    let now = waiting(&office, &manager, "onboard-employee", &[before.summary.id]).await;
    let outcomes =
        office.service.decide_chosen(&manager, vec![chosen(&before, DecisionKind::Approve, "")]).await.unwrap();
    assert_eq!(outcomes[0].result, DecisionResult::Changed);
    assert_eq!(outcomes[0].difference, Some(format!("/approvals/{}", now.summary.id)));
    let seen = office.service.chosen_approvals(&manager, &[before.summary.id]).await.unwrap();
    assert_eq!(seen[0].replaced_by, Some(now.summary.id));
    // Nobody learns of approvals that are not theirs to see.
    let author = office.caller("author").await;
    assert!(office.service.chosen_approvals(&author, &[now.summary.id]).await.unwrap().is_empty());
    let outcomes =
        office.service.decide_chosen(&author, vec![chosen(&before, DecisionKind::Approve, "")]).await.unwrap();
    assert_eq!(outcomes[0].problem.as_ref().unwrap().code, ErrorCode::NotFound);
}

#[tokio::test]
async fn nothing_is_decided_when_one_of_several_cannot_be_read() {
    let office = Office::open().await;
    publish(&office, "plain", "low", BY_MANAGER).await;
    let manager = office.caller("manager").await;
    let one = asked(&office, "plain", &[]).await;
    let (yes, no) = (chosen(&one, DecisionKind::Approve, ""), chosen(&one, DecisionKind::Reject, " "));
    let places = async |chosen: Vec<ChosenDecision>| {
        let refused: Problem = office.service.decide_chosen(&manager, chosen).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::InvalidInput);
        refused.errors.into_iter().map(|error| error.pointer).collect::<Vec<_>>()
    };
    assert_eq!(places(vec![]).await, ["/decisions"]);
    assert_eq!(places(vec![yes.clone(), no]).await, ["/decisions/1/approval", "/decisions/1/comment"]);
    assert_eq!(places(vec![chosen(&one, DecisionKind::Narrow, "less")]).await, ["/decisions/0/decision"]);
    let many = (0..101).map(|_| ChosenDecision { approval: ApprovalId::new(office.ids.as_ref()), ..yes.clone() });
    assert_eq!(places(many.collect()).await, ["/decisions"]);
    assert!(office.service.approval(&manager, one.summary.id).await.unwrap().decisions.is_empty());
}

#[tokio::test]
async fn what_can_do_much_harm_is_decided_with_the_password_again() {
    let office = Office::open().await;
    publish(&office, "grave", "high", BY_MANAGER).await;
    let manager = office.caller("manager").await;
    let grave = asked(&office, "grave", &[]).await;
    assert!(grave.can_decide && grave.step_up);
    let (id, digest) = (grave.summary.id, &grave.summary.digest);
    let refused = office.service.decide(&manager, id, DecisionKind::Approve, "", digest).await.unwrap_err();
    assert_eq!((refused.code, refused.status), (ErrorCode::StepUpRequired, 403));
    assert!(refused.policies.iter().any(|policy| policy.id == "high-risk-needs-the-password-again"));
    // The requester is told the reason that no password helps against.
    let staff = office.caller("staff").await;
    assert_eq!(code(office.service.decide(&staff, id, DecisionKind::Approve, "", digest).await), "own-request");

    let before = office.audit_end().await;
    let wrong = office.service.confirm(&manager, "wrong").await.unwrap_err();
    assert_eq!((wrong.code, wrong.errors[0].pointer.as_str()), (ErrorCode::InvalidInput, "/password"));
    let confirmed = office.service.confirm(&manager, &password(&manager)).await.unwrap();
    let entries = office.audit_after(before).await;
    let entered: Vec<_> = entries.iter().filter(|entry| entry.action == "session.confirm").collect();
    assert_eq!(entered.iter().map(|entry| entry.outcome.as_str()).collect::<Vec<_>>(), ["refused", "done"]);

    // It counts for five minutes, and not for somebody else's call.
    let ago = |seconds: i64| domain::Timestamp::from_micros(office.now().as_micros() - seconds * 1_000_000);
    let stale = Caller { confirmed_at: Some(ago(5 * 60 + 1)), ..manager.clone() };
    assert_eq!(code(office.service.decide(&stale, id, DecisionKind::Approve, "", digest).await), "step-up-required");
    let fresh = Caller { confirmed_at: Some(ago(4 * 60)), ..manager.clone() };
    assert!(!office.service.approval(&fresh, id).await.unwrap().step_up);
    office.service.decide(&confirmed, id, DecisionKind::Approve, "", digest).await.unwrap();
}

#[tokio::test]
async fn wrong_passwords_delay_as_they_do_at_the_sign_in() {
    let office = Office::open().await;
    let manager = office.caller("manager").await;
    for _ in 0..5 {
        assert_eq!(code(office.service.confirm(&manager, "wrong").await), "invalid-input");
    }
    let delayed = office.service.confirm(&manager, &password(&manager)).await.unwrap_err();
    assert_eq!(delayed.code, ErrorCode::TooManyRequests);
    assert!(delayed.retry_after.is_some());
    let at_the_door = office.service.sign_in(&manager.origin, "manager", &password(&manager)).await;
    assert_eq!(code(at_the_door), "too-many-requests");
}

#[tokio::test]
async fn administrators_ask_for_the_password_by_a_policy() {
    let office = Office::open().await;
    publish(&office, "plain", "low", BY_MANAGER).await;
    let manager = office.caller("manager").await;
    let plain = asked(&office, "plain", &[]).await;
    assert!(!plain.step_up);
    let (admin, second) = (office.caller("admin").await, office.second_administrator().await);
    let new = office
        .new_policies(
            "@id(\"identity-is-decided-with-the-password\")\n@because(\"your password\")\n\
             forbid (principal is User, action == Action::\"approval.decide\", resource in Scope::\"identity\")\n\
             when { !resource.confirmed };\n",
        )
        .await;
    let proposed = office.service.propose_policies(&admin, new).await.unwrap().item;
    office.service.activate_policies(&second, proposed.version, &proposed.digest).await.unwrap();
    let (id, digest) = (plain.summary.id, &plain.summary.digest);
    assert!(office.service.approval(&manager, id).await.unwrap().step_up);
    assert_eq!(code(office.service.decide(&manager, id, DecisionKind::Approve, "", digest).await), "step-up-required");
    let confirmed = office.service.confirm(&manager, &password(&manager)).await.unwrap();
    office.service.decide(&confirmed, id, DecisionKind::Approve, "", digest).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_in_a_mail_is_for_one_person_one_time_and_one_digest() {
    let office = Office::open().await;
    publish(&office, "plain", "low", "approvers: [{user: manager}, {user: operator}]\nquorum: 2").await;
    let (manager, operator) = (office.caller("manager").await, office.caller("operator").await);
    let plain = asked(&office, "plain", &[]).await;
    let token_of_manager = link(&office, &manager, &plain);
    let look = async |caller: &Caller, token: &str| code(office.service.linked_approval(caller, token).await);
    let approve = async |caller: &Caller, token: &str| {
        code(office.service.decide_by_link(caller, token, DecisionKind::Approve, "").await)
    };
    for _ in 0..3 {
        assert_eq!(look(&manager, &token_of_manager).await, "ok", "looking uses nothing up");
    }
    assert!(office.service.approval(&manager, plain.summary.id).await.unwrap().decisions.is_empty());
    let before = office.audit_end().await;
    assert_eq!(look(&operator, &token_of_manager).await, "link-invalid");
    assert_eq!(approve(&operator, &token_of_manager).await, "link-invalid", "it is somebody else's");
    assert_eq!(approve(&manager, &token_of_manager.replace('.', "")).await, "link-invalid");
    let links = DecisionLinks::new(Arc::clone(&office.vault));
    let asked_of = |digest: &str, stage: u32| AskedDecision {
        approval: plain.summary.id,
        person: manager.user,
        stage,
        digest: digest.to_owned(),
    };
    let long_ago = domain::Timestamp::from_micros(office.now().as_micros() - 8 * 86_400_000_000);
    let expired = token(&links, &asked_of(&plain.summary.digest, 0), long_ago);
    assert_eq!(
        (look(&manager, &expired).await, approve(&manager, &expired).await),
        ("link-invalid".to_owned(), "link-invalid".to_owned())
    );
    let stale = token(&links, &asked_of(&"0".repeat(64), 0), office.now());
    assert_eq!(
        (look(&manager, &stale).await, approve(&manager, &stale).await),
        ("digest-mismatch".to_owned(), "digest-mismatch".to_owned())
    );
    let later = token(&links, &asked_of(&plain.summary.digest, 1), office.now());
    assert_eq!(approve(&manager, &later).await, "already-decided", "it asks about another stage");
    let entries = office.audit_after(before).await;
    let refused = entries.iter().filter(|entry| entry.action == "approval.decide" && entry.outcome == "refused");
    assert_eq!(refused.count(), 5, "each attempt is entered");

    assert_eq!(approve(&manager, &token_of_manager).await, "ok");
    let used =
        office.service.decide_by_link(&manager, &token_of_manager, DecisionKind::Reject, "no").await.unwrap_err();
    assert_eq!(used.code, ErrorCode::AlreadyDecided);
    assert!(used.detail.contains("used"), "{}", used.detail);
    assert_eq!(look(&manager, &token_of_manager).await, "already-decided");
    let entries = office.audit_after(before).await;
    let done = entries.iter().find(|entry| entry.action == "approval.decide" && entry.outcome == "done").unwrap();
    assert!(done.body.contains("\"manner\":\"mail-link\""), "{}", done.body);
}

#[tokio::test]
async fn a_link_in_a_mail_does_not_spare_the_password() {
    let office = Office::open().await;
    publish(&office, "grave", "high", BY_MANAGER).await;
    let manager = office.caller("manager").await;
    let grave = asked(&office, "grave", &[]).await;
    let token = link(&office, &manager, &grave);
    assert!(office.service.linked_approval(&manager, &token).await.unwrap().step_up);
    let by_link = |caller: Caller| {
        let (service, token) = (Arc::clone(&office.service), token.clone());
        async move { code(service.decide_by_link(&caller, &token, DecisionKind::Approve, "").await) }
    };
    assert_eq!(by_link(manager.clone()).await, "step-up-required");
    let confirmed = office.service.confirm(&manager, &password(&manager)).await.unwrap();
    assert_eq!(by_link(confirmed).await, "ok");
}

#[tokio::test]
async fn the_outbox_holds_what_a_link_is_made_of_but_no_link() {
    let office = Office::open_with_mail().await;
    publish(&office, "plain", "low", BY_MANAGER).await;
    let plain = asked(&office, "plain", &[]).await;
    let due = office
        .wait(async || {
            let mut unit = office.store.begin().await.unwrap();
            let due = unit.take_outgoing("mail", office.now(), Duration::from_mins(1), 20).await.unwrap();
            (!due.is_empty()).then_some(due)
        })
        .await;
    let mail: engine::notices::NoticeMail = serde_json::from_str(&due[0].payload).unwrap();
    let asked = mail.decision.unwrap();
    assert_eq!((asked.approval, asked.stage, &asked.digest), (plain.summary.id, 0, &plain.summary.digest));
    assert_eq!(asked.person, office.user("manager").await.unwrap());
    assert!(!due[0].payload.contains("/decide/"));
}
