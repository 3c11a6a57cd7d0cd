//! Approvals in stages, and what happens before a decision: questions, changes by the requester and by approvers.

use domain::{
    ApprovalId, ApprovalState, DecisionKind, ErrorCode, Problem, RunId, RunStatus, StageState,
    view::{ApprovalDetail, OwnerView},
};
use serde_json::{Value, json};
use service::{ApprovalQuery, Caller, NewConnection, NewDecision, Subject};

use crate::office::{Office, code};

const ACCESS: &str = "
document: {dsl: 1.0.3, namespace: identity, name: access, version: 1.0.0, title: Access}
input:
  schema:
    document:
      type: object
      required: [days]
      additionalProperties: false
      properties:
        days: {type: integer, title: Days, minimum: 1, maximum: 30}
        reason: {type: string}
        approver: {}
do:
- decide:
    call: approval
    with:
      title: May they?
";

const ACT: &str = "
- last: {set: {days: '${ $workflow.input.days }', by: '${ .decisions | map(.by) }', said: '${ .decisions | map(.filledIn) }'}}
";

/// A definition with these arguments of its approval, published.
async fn publish(office: &Office, with: &str) {
    let text = format!("{ACCESS}      {}\n{}", with.replace('\n', "\n      "), ACT.trim_start());
    office.service.load_shipped([("access.yaml", text.as_str())]).await.unwrap();
}

async fn launch(office: &Office, input: Value) -> RunId {
    let staff = office.caller("staff").await;
    office.service.launch(&staff, &"identity/access".parse().unwrap(), None, input).await.unwrap().id
}

/// The pending approval of a run other than those, as this person sees it, once `fits`.
async fn pending(
    office: &Office,
    caller: &Caller,
    run: RunId,
    others: &[ApprovalId],
    fits: impl Fn(&ApprovalDetail) -> bool,
) -> ApprovalDetail {
    office
        .wait(async || {
            let state = Some(ApprovalState::Pending);
            let query = ApprovalQuery { run: Some(run), state, ..ApprovalQuery::default() };
            let page = office.service.approvals(caller, query, None, None).await.unwrap();
            let id = page.items.iter().map(|item| item.id).find(|id| !others.contains(id))?;
            let detail = office.service.approval(caller, id).await.ok()?;
            fits(&detail).then_some(detail)
        })
        .await
}

async fn first(office: &Office, caller: &Caller, run: RunId) -> ApprovalDetail {
    pending(office, caller, run, &[], |_| true).await
}

async fn decide(
    office: &Office,
    caller: &Caller,
    on: &ApprovalDetail,
    kind: DecisionKind,
) -> Result<ApprovalDetail, Problem> {
    office.service.decide(caller, on.summary.id, kind, "because", &on.summary.digest).await
}

fn people(detail: &ApprovalDetail, stage: u32) -> Vec<(&str, &str)> {
    let of_stage = detail.approvers.iter().filter(|approver| approver.stage == stage);
    of_stage.map(|approver| (approver.person.login.as_str(), approver.via.as_str())).collect()
}

fn states(detail: &ApprovalDetail) -> Vec<StageState> {
    detail.stages.iter().map(|stage| stage.state).collect()
}

const TWO: &str = "distinct: true
stages:
- {title: Line, approvers: [{managerOf: requester}, {user: operator}]}
- {title: Safety, approvers: [{user: operator}, {user: auditor}, {user: staff}], quorum: all}";

#[tokio::test]
async fn stages_are_asked_one_after_the_other_and_of_distinct_people() {
    let office = Office::open().await;
    publish(&office, TWO).await;
    let run = launch(&office, json!({"days": 3})).await;
    let (manager, operator, auditor) =
        (office.caller("manager").await, office.caller("operator").await, office.caller("auditor").await);
    let asked = first(&office, &manager, run).await;
    assert_eq!(people(&asked, 1), [("manager", "manager of staff"), ("operator", "user operator")]);
    assert_eq!((states(&asked), asked.summary.stage_count), (vec![StageState::Open, StageState::Ahead], 2));
    assert_eq!(asked.stages[1].asks, ["user:operator", "user:auditor", "user:staff"]);
    // Those of a later stage are not asked yet, and do not even see it.
    assert_eq!(code(decide(&office, &auditor, &asked, DecisionKind::Approve).await), "not-found");

    let after = decide(&office, &operator, &asked, DecisionKind::Approve).await.unwrap();
    assert_eq!((after.summary.state, after.summary.stage), (ApprovalState::Pending, 2));
    let second = pending(&office, &operator, run, &[], |detail| !people(detail, 2).is_empty()).await;
    // Neither who decided before, nor the requester.
    assert_eq!(people(&second, 2), [("auditor", "user auditor")]);
    assert_eq!(states(&second), [StageState::Approved, StageState::Open]);
    assert_eq!((second.quorum.as_str(), second.summary.digest == asked.summary.digest), ("all", true));
    for late in [&operator, &manager] {
        assert_eq!(code(decide(&office, late, &second, DecisionKind::Approve).await), "forbidden", "{}", late.login);
        assert!(!office.service.approval(late, second.summary.id).await.unwrap().can_decide);
        assert_eq!(office.service.me(late).await.unwrap().pending_decisions, 0, "{}", late.login);
    }
    let notices = office.service.notifications(&auditor, None, None).await.unwrap();
    assert_eq!(notices.items.iter().filter(|notice| notice.kind == "approval-requested").count(), 1);
    assert_eq!(office.service.me(&auditor).await.unwrap().pending_decisions, 1);
    decide(&office, &auditor, &second, DecisionKind::Approve).await.unwrap();
    let ended = office.ended(run).await;
    assert_eq!(ended.output, Some(json!({"days": 3, "by": ["operator", "auditor"], "said": [null, null]})));
    let closed = office.service.approval(&manager, second.summary.id).await.unwrap();
    assert_eq!(states(&closed), [StageState::Approved, StageState::Approved]);
    let entries = office.audit_after(0).await;
    let stage = entries.iter().find(|entry| entry.action == "approval.stage").unwrap();
    assert!(stage.body.contains("\"stage\":1"), "{}", stage.body);
}

#[tokio::test]
async fn a_rejection_in_any_stage_rejects() {
    let office = Office::open().await;
    publish(&office, TWO).await;
    let run = launch(&office, json!({"days": 3})).await;
    let (manager, auditor) = (office.caller("manager").await, office.caller("auditor").await);
    let asked = first(&office, &manager, run).await;
    decide(&office, &manager, &asked, DecisionKind::Approve).await.unwrap();
    let second = pending(&office, &manager, run, &[], |detail| people(detail, 2).len() == 2).await;
    decide(&office, &auditor, &second, DecisionKind::Reject).await.unwrap();
    let ended = office.ended(run).await;
    assert!(ended.summary.rejected);
    let closed = office.service.approval(&manager, asked.summary.id).await.unwrap();
    assert_eq!(
        (closed.summary.state, states(&closed)),
        (ApprovalState::Rejected, vec![StageState::Approved, StageState::Rejected,])
    );
}

#[tokio::test]
async fn a_stage_with_nobody_to_ask_blocks_and_alerts_and_is_asked_once_there_is_somebody() {
    let office = Office::open().await;
    let (admin, manager) = (office.caller("admin").await, office.caller("manager").await);
    // As those from before connections had owners.
    let mut unit = office.store.begin().await.unwrap();
    let mut ownerless = unit.connection_by_name("directory").await.unwrap().unwrap();
    ownerless.owner = None;
    unit.put_connection(&ownerless).await.unwrap();
    unit.commit().await.unwrap();
    publish(
        &office,
        "stages:
- {approvers: {managerOf: requester}}
- {approvers: {ownerOf: {connection: directory}}}",
    )
    .await;
    let run = launch(&office, json!({"days": 3})).await;
    let asked = first(&office, &manager, run).await;
    decide(&office, &manager, &asked, DecisionKind::Approve).await.unwrap();
    let operator = office.caller("operator").await;
    office.wait(async || office.service.run(&operator, run).await.unwrap().summary.needs_attention.then_some(())).await;
    let notices = office.service.notifications(&operator, None, None).await.unwrap();
    assert!(notices.items.iter().any(|notice| notice.kind == "run-needs-attention"));
    assert_eq!(office.service.run(&operator, run).await.unwrap().summary.status, RunStatus::Waiting);

    let connections = office.service.connections(&admin, None).await.unwrap();
    let directory = connections.into_iter().find(|connection| connection.name == "directory").unwrap();
    let auditor = office.user("auditor").await.unwrap();
    let owned = |owner| NewConnection {
        name: directory.name.clone(),
        kind: directory.kind.clone(),
        settings: directory.settings.clone(),
        namespaces: directory.namespaces.clone(),
        owner: Some(owner),
    };
    let nobody = Subject::User(domain::UserId::new(office.ids.as_ref()));
    let refused = office.service.put_connection(&admin, Some(directory.id), owned(nobody)).await.unwrap_err();
    assert_eq!((refused.code, refused.errors[0].pointer.as_str()), (ErrorCode::InvalidInput, "/owner"));
    let put = office.service.put_connection(&admin, Some(directory.id), owned(Subject::User(auditor))).await.unwrap();
    assert_eq!(put.owner, Some(OwnerView::User { id: auditor, login: "auditor".to_owned() }));
    // Whatever makes the engine look at the run again lets it find the owner.
    office.service.suspend_run(&operator, run).await.unwrap();
    let second = pending(&office, &manager, run, &[], |detail| !people(detail, 2).is_empty()).await;
    assert_eq!(people(&second, 2), [("auditor", "owner of directory")]);
}

#[tokio::test]
async fn approvers_come_from_the_run_s_own_data() {
    let office = Office::open().await;
    publish(&office, "approvers: '${ .approver }'\nquorum: all").await;
    let manager = office.caller("manager").await;
    let input = json!({"days": 1, "approver": [{"user": "manager"}, {"team": "finance"}, {"user": "staff"}]});
    let run = launch(&office, input).await;
    let asked = first(&office, &manager, run).await;
    assert_eq!(people(&asked, 1)[0], ("manager", "user manager"));
    assert!(people(&asked, 1).iter().all(|(login, _)| *login != "staff"), "never the requester");
    let nonsense = launch(&office, json!({"days": 1, "approver": {"usr": "manager"}})).await;
    let ended = office.ended(nonsense).await;
    assert!(ended.error.unwrap().detail.contains("approvers"));
}

#[tokio::test]
async fn changes_are_made_by_the_requester_and_everybody_is_asked_anew() {
    let office = Office::open().await;
    publish(&office, TWO).await;
    let run = launch(&office, json!({"days": 30, "reason": "x"})).await;
    let (manager, operator, auditor, staff) = (
        office.caller("manager").await,
        office.caller("operator").await,
        office.caller("auditor").await,
        office.caller("staff").await,
    );
    let one = first(&office, &manager, run).await;
    decide(&office, &manager, &one, DecisionKind::Approve).await.unwrap();
    pending(&office, &manager, run, &[], |detail| people(detail, 2).len() == 2).await;
    let early = office.service.resubmit(&staff, one.summary.id, json!({"days": 3})).await;
    assert_eq!(code(early), "conflict", "nobody has asked for changes");
    let returned = decide(&office, &auditor, &one, DecisionKind::RequestChanges).await.unwrap();
    assert!(returned.summary.returned && returned.summary.state == ApprovalState::Pending);
    // Nobody decides meanwhile, and nobody but the requester sends anything.
    assert_eq!(code(decide(&office, &operator, &one, DecisionKind::Approve).await), "already-decided");
    for other in [&manager, &auditor, &operator] {
        assert_eq!(office.service.me(other).await.unwrap().pending_decisions, 0, "{}", other.login);
        let sent = office.service.resubmit(other, one.summary.id, json!({"days": 3})).await;
        assert_eq!(code(sent), "forbidden", "{}", other.login);
    }
    let seen = office.service.approval(&staff, one.summary.id).await.unwrap();
    let draft = seen.draft.unwrap();
    assert!(seen.can_resubmit && !returned.can_resubmit && returned.draft.is_none());
    let kept = office.service.draft(&staff, draft).await.unwrap();
    assert_eq!(kept.values, json!({"days": 30, "reason": "x"}));
    assert_eq!(code(office.service.delete_draft(&staff, draft).await), "not-found", "it is waited for");
    let wrong = office.service.resubmit(&staff, one.summary.id, json!({"days": 31})).await.unwrap_err();
    assert_eq!((wrong.code, wrong.errors[0].pointer.as_str()), (ErrorCode::InvalidInput, "/days"));

    let changed = json!({"days": 3, "reason": "x"});
    office.service.save_draft(&staff, &"identity/access".parse().unwrap(), Some(draft), changed.clone()).await.unwrap();
    let (first_click, second_click) =
        tokio::join!(office.service.send_draft(&staff, draft), office.service.send_draft(&staff, draft));
    assert_eq!((first_click.unwrap().id, second_click.unwrap().id), (run, run), "it is the same run");
    let two = pending(&office, &manager, run, &[one.summary.id], |_| true).await;
    assert_eq!(two.input, changed);
    assert_ne!(two.summary.digest, one.summary.digest);
    assert_eq!((states(&two), two.decisions.len()), (vec![StageState::Open, StageState::Ahead], 0));
    let [before] = &two.earlier[..] else { panic!("{:?}", two.earlier) };
    assert_eq!((before.approval, &before.input), (one.summary.id, &json!({"days": 30, "reason": "x"})));
    let said: Vec<_> =
        before.decisions.iter().map(|decision| (decision.person.login.as_str(), decision.decision)).collect();
    assert_eq!(said, [("manager", DecisionKind::Approve), ("auditor", DecisionKind::RequestChanges)]);
    let void = office.service.approval(&manager, one.summary.id).await.unwrap();
    assert_eq!(void.summary.state, ApprovalState::Void);
    // What was decided about the earlier version counts for nothing, by no door.
    assert_eq!(code(decide(&office, &operator, &one, DecisionKind::Approve).await), "already-decided");
    let stale = office.service.decide(&manager, two.summary.id, DecisionKind::Approve, "", &one.summary.digest).await;
    assert_eq!(code(stale), "digest-mismatch");
    assert_eq!(code(office.service.resubmit(&staff, one.summary.id, changed.clone()).await), "conflict");

    decide(&office, &operator, &two, DecisionKind::Approve).await.unwrap();
    let two = pending(&office, &operator, run, &[], |detail| !people(detail, 2).is_empty()).await;
    decide(&office, &auditor, &two, DecisionKind::Approve).await.unwrap();
    let ended = office.ended(run).await;
    assert_eq!(ended.input, changed);
    assert_eq!(ended.output.unwrap()["days"], 3);
    let entries = office.audit_after(0).await;
    let sent = entries.iter().find(|entry| entry.action == "approval.resubmit" && entry.outcome == "done").unwrap();
    assert!(sent.body.contains("30") && sent.actor == "staff", "{}", sent.body);
}

#[tokio::test]
async fn a_request_that_came_back_can_be_withdrawn() {
    let office = Office::open().await;
    publish(&office, TWO).await;
    let run = launch(&office, json!({"days": 30})).await;
    let (manager, staff) = (office.caller("manager").await, office.caller("staff").await);
    let asked = first(&office, &manager, run).await;
    decide(&office, &manager, &asked, DecisionKind::RequestChanges).await.unwrap();
    let draft = office.service.approval(&staff, asked.summary.id).await.unwrap().draft.unwrap();
    office.service.cancel_run(&staff, run, "not any more").await.unwrap();
    assert_eq!(office.ended(run).await.summary.status, RunStatus::Cancelled);
    assert_eq!(code(office.service.resubmit(&staff, asked.summary.id, json!({"days": 1})).await), "conflict");
    // What is left of it is a draft as any other: it begins a run of its own, or is thrown away.
    let other = office.service.send_draft(&staff, draft).await.unwrap();
    assert_ne!(other.id, run);
}

#[tokio::test]
async fn approvers_narrow_what_the_workflow_lets_them_and_all_decide_anew() {
    let office = Office::open().await;
    publish(&office, "approvers: [{managerOf: requester}, {user: operator}]\nquorum: 2\nnarrow: [/days]").await;
    let run = launch(&office, json!({"days": 30, "reason": "x"})).await;
    let (manager, operator, staff) =
        (office.caller("manager").await, office.caller("operator").await, office.caller("staff").await);
    let one = first(&office, &manager, run).await;
    assert_eq!(one.narrow, ["/days"]);
    decide(&office, &operator, &one, DecisionKind::Approve).await.unwrap();
    let narrow = async |caller: &Caller, changes: &[(&str, Value)]| {
        let new = NewDecision {
            narrowed: changes.iter().map(|(pointer, value)| ((*pointer).to_owned(), value.clone())).collect(),
            ..NewDecision::new(DecisionKind::Narrow, "less will do", &one.summary.digest)
        };
        office.service.decide_on(caller, one.summary.id, new).await
    };
    for (wrong, pointer) in [
        (&[("/reason", json!("y"))][..], "/narrowed/reason"),
        (&[("/days", json!(31))][..], "/narrowed/days"),
        (&[("/days", json!(30))][..], "/narrowed"),
        (&[][..], "/narrowed"),
    ] {
        let refused = narrow(&manager, wrong).await.unwrap_err();
        assert_eq!((refused.code, refused.errors[0].pointer.as_str()), (ErrorCode::InvalidInput, pointer));
    }
    assert_eq!(code(narrow(&staff, &[("/days", json!(3))]).await), "own-request");
    let narrowed = narrow(&manager, &[("/days", json!(3))]).await.unwrap();
    assert_eq!(narrowed.decisions.last().unwrap().narrowed, Some(json!({"/days": 3})));
    let two = pending(&office, &manager, run, &[one.summary.id], |_| true).await;
    assert_eq!((&two.input, two.decisions.len()), (&json!({"days": 3, "reason": "x"}), 0));
    assert_ne!(two.summary.digest, one.summary.digest);
    assert_eq!(two.earlier[0].decisions.last().unwrap().decision, DecisionKind::Narrow);
    // Whoever narrowed decides as well, and so does who had agreed to more.
    decide(&office, &manager, &two, DecisionKind::Approve).await.unwrap();
    decide(&office, &operator, &two, DecisionKind::Approve).await.unwrap();
    assert_eq!(office.ended(run).await.output.unwrap()["days"], 3);
}

#[tokio::test]
async fn questions_and_answers_are_kept_and_told() {
    let office = Office::open().await;
    publish(&office, "approvers: [{managerOf: requester}, {user: operator}]").await;
    let run = launch(&office, json!({"days": 30})).await;
    let (manager, operator, staff, auditor) = (
        office.caller("manager").await,
        office.caller("operator").await,
        office.caller("staff").await,
        office.caller("auditor").await,
    );
    let id = first(&office, &manager, run).await.summary.id;
    assert_eq!(code(office.service.ask(&staff, id, "May I?").await), "forbidden");
    assert_eq!(code(office.service.ask(&auditor, id, "What?").await), "not-found");
    let silent = office.service.ask(&manager, id, " ").await.unwrap_err();
    assert_eq!(silent.errors[0].pointer, "/text");
    let asked = office.service.ask(&manager, id, "Why so long?").await.unwrap();
    let question = asked.questions[0].id;
    assert!(asked.can_decide, "nothing is decided by asking");
    let told = async |caller: &Caller, kind: &str| {
        let page = office.service.notifications(caller, None, None).await.unwrap();
        page.items.into_iter().filter(|notice| notice.kind == kind).count()
    };
    assert_eq!(told(&staff, "question-asked").await, 1);
    assert_eq!(code(office.service.answer(&auditor, id, question, "No idea.").await), "not-found");
    let unknown = domain::RemarkId::new(office.ids.as_ref());
    assert_eq!(code(office.service.answer(&staff, id, unknown, "What?").await), "not-found");
    office.service.answer(&staff, id, question, "It is a long job.").await.unwrap();
    let seen = office.service.answer(&operator, id, question, "It was so last year.").await.unwrap();
    let answers: Vec<_> =
        seen.questions[0].answers.iter().map(|answer| (answer.person.login.as_str(), answer.text.as_str())).collect();
    assert_eq!(answers, [("staff", "It is a long job."), ("operator", "It was so last year.")]);
    assert_eq!(told(&manager, "question-answered").await, 2);

    // They stay with what comes of it.
    decide(&office, &manager, &seen, DecisionKind::RequestChanges).await.unwrap();
    office.service.resubmit(&staff, id, json!({"days": 3})).await.unwrap();
    let two = pending(&office, &manager, run, &[id], |_| true).await;
    assert_eq!(two.questions, seen.questions);
    decide(&office, &manager, &two, DecisionKind::Reject).await.unwrap();
    assert_eq!(code(office.service.ask(&manager, two.summary.id, "Still?").await), "already-decided");
}

#[tokio::test]
async fn what_an_approver_fills_in_is_checked_kept_and_given_to_the_workflow() {
    let office = Office::open().await;
    publish(
        &office,
        "approvers: {managerOf: requester}
form: {type: object, required: [cost], additionalProperties: false, properties: {cost: {type: integer, minimum: 1}}}",
    )
    .await;
    let run = launch(&office, json!({"days": 3})).await;
    let manager = office.caller("manager").await;
    let asked = first(&office, &manager, run).await;
    assert_eq!(asked.form.as_ref().unwrap()["required"], json!(["cost"]));
    let approve = async |filled_in: Option<Value>| {
        let new = NewDecision { filled_in, ..NewDecision::new(DecisionKind::Approve, "", &asked.summary.digest) };
        office.service.decide_on(&manager, asked.summary.id, new).await
    };
    for wrong in [None, Some(json!({"cost": 0})), Some(json!({"cost": "much"}))] {
        let refused = approve(wrong).await.unwrap_err();
        assert_eq!((refused.code, refused.errors[0].pointer.as_str()), (ErrorCode::InvalidInput, "/filledIn/cost"));
    }
    let decided = approve(Some(json!({"cost": 7}))).await.unwrap();
    assert_eq!(decided.decisions[0].filled_in, Some(json!({"cost": 7})));
    assert_eq!(office.ended(run).await.output.unwrap()["said"], json!([{"cost": 7}]));
}
