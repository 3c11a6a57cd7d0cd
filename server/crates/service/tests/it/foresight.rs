//! What a run does next, for those who decide; and what other systems say of a dry run.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use domain::{
    DecisionKind, ErrorCode, Role, Scope,
    view::{Certainty, ForesightView, PlannedEffect},
};
use serde_json::json;
use service::{NewConnection, Subject};
use tokio::net::TcpListener;

use crate::{
    authoring::refused,
    office::{Office, shown},
};

fn said(view: &ForesightView) -> Vec<(String, Certainty)> {
    view.calls.iter().map(|call| (call.title.clone(), call.certainty)).collect()
}

#[tokio::test]
async fn whoever_decides_sees_what_the_run_would_do_and_what_it_would_change() {
    let office = Office::open().await;
    let (_, approval) = office.request().await;
    let manager = office.caller("manager").await;
    assert!(office.service.approval(&manager, approval.summary.id).await.unwrap().can_foresee);
    let before = office.audit_end().await;
    let view = office.service.foresee_approval(&manager, approval.summary.id).await.unwrap();
    let expected = [
        ("Is the name taken?", Certainty::Known),
        ("Create the account", Certainty::Known),
        ("Add to the group", Certainty::Known),
        ("Add to the group", Certainty::Known),
        ("Issue the first password", Certainty::Known),
        ("Mail the link", Certainty::Arguments),
    ];
    let expected = expected.map(|(title, certainty)| (title.to_owned(), certainty));
    assert_eq!(said(&view), expected, "{view:#?}");
    assert!(!view.waits && !view.more);
    let calls = &view.calls;
    assert!(calls[0].reads && calls[0].plan.is_none());
    // What was looked up says which name it is.
    assert_eq!(calls[1].would.as_deref(), Some("Create a person: nnewcomer"));
    let created = calls[1].plan.as_ref().unwrap();
    assert_eq!(created.effect, PlannedEffect::Changes);
    assert_eq!(created.fields[0].after.as_deref(), Some("Nora Newcomer"));
    // The person is not there yet, which is no failure.
    let joined = calls[2].plan.as_ref().unwrap();
    assert_eq!(joined.effect, PlannedEffect::Unasked);
    assert!(joined.words.starts_with("cannot be said before the calls before it are made"), "{}", joined.words);
    assert_eq!(calls[5].would.as_deref(), Some("A mail to nora@example.test: Welcome: your account"));
    assert_eq!(calls[5].plan, None, "the link in it is not known yet");
    assert!(office.user("nnewcomer").await.is_none(), "nobody was created");

    let entries = office.audit_after(before).await;
    let [entry] = entries.as_slice() else { panic!("one entry: {entries:?}") };
    assert_eq!(entry.action, "approval.foresee");
    assert!(shown(entry).to_string().contains("\"connections\":[\"directory\"]"), "{}", entry.body);
}

#[tokio::test]
async fn only_who_decides_or_operates_sees_it_and_only_while_it_is_open() {
    let office = Office::open().await;
    let (_, approval) = office.request().await;
    let id = approval.summary.id;
    let service = &office.service;
    // The requester knows of it.
    let staff = office.caller("staff").await;
    assert_eq!(refused(service.foresee_approval(&staff, id).await), ErrorCode::Forbidden);
    assert!(!service.approval(&staff, id).await.unwrap().can_foresee);
    for stranger in ["author", "auditor", "admin"] {
        let stranger = office.caller(stranger).await;
        assert_eq!(refused(service.foresee_approval(&stranger, id).await), ErrorCode::NotFound, "{}", stranger.login);
    }
    let elsewhere = office.hire("elsewhere", &[Role::Operator], Scope::Namespace("network".parse().unwrap())).await;
    assert_eq!(refused(service.foresee_approval(&elsewhere, id).await), ErrorCode::NotFound);
    let operator = office.caller("operator").await;
    service.foresee_approval(&operator, id).await.unwrap();
    // An operator who has requested a run is a requester of it like any other.
    let run = service.launch(&operator, &Office::onboarding(), None, Office::newcomer()).await.unwrap();
    let own = office.approval_of(run.id).await.summary.id;
    assert_eq!(refused(service.foresee_approval(&operator, own).await), ErrorCode::Forbidden);
    assert!(!service.approval(&operator, own).await.unwrap().can_foresee);
    let manager = office.caller("manager").await;
    service.decide(&manager, id, DecisionKind::Reject, "no", &approval.summary.digest).await.unwrap();
    assert_eq!(refused(service.foresee_approval(&manager, id).await), ErrorCode::AlreadyDecided);
}

#[tokio::test]
async fn nothing_is_asked_where_the_namespace_may_not_reach_it_or_a_secret_is_needed() {
    let asked = Arc::new(AtomicUsize::new(0));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let counting = Arc::clone(&asked);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counting.fetch_add(1, Ordering::SeqCst);
        }
    });

    let office = Office::open().await;
    let (service, author) = (&office.service, office.caller("author").await);
    let admin = office.caller("admin").await;
    let new = NewConnection {
        name: "elsewhere".to_owned(),
        kind: "scim".to_owned(),
        settings: json!({"baseUrl": format!("http://{address}"), "token": "t"}),
        namespaces: vec!["fenced".to_owned()],
        owner: Some(Subject::User(admin.user)),
    };
    // Saving it tries it out, for the server itself.
    service.put_connection(&admin, None, new).await.unwrap();
    let tried_out = asked.load(Ordering::SeqCst);
    let text = "
document: {dsl: 1.0.3, namespace: fenced, name: leave, version: 1.0.0}
use: {secrets: [pin]}
do:
  - out: {call: directory, with: {connection: elsewhere, operation: disableUser, login: ana}}
  - pin: {call: directory, with: {connection: elsewhere, operation: setPassword, login: ana, password: '${ $secrets.pin }'}}
  - who: {call: directory, with: {connection: elsewhere, operation: disableUser, login: '${ .changed | tostring }'}}
";
    let before = office.audit_end().await;
    let tried = service.foresee_definition(&author, text, Some(json!({}))).await.unwrap();
    let plans: Vec<_> = tried[0].steps.iter().map(|step| step.calls[0].plan.clone()).collect();
    let out = plans[0].as_ref().unwrap();
    assert_eq!(out.effect, PlannedEffect::Unasked);
    assert!(out.words.contains("egress.namespace"), "{}", out.words);
    assert_eq!(plans[1..], [None, None]);
    assert_eq!(asked.load(Ordering::SeqCst), tried_out, "nobody was asked");
    let entries: Vec<_> = office.audit_after(before).await;
    assert_eq!(entries.iter().map(|row| row.action.as_str()).collect::<Vec<_>>(), ["definition.foresee"]);
    // Without being asked to, a dry run asks nobody.
    let tried = service.rehearse_definition(&author, text, Some(json!({}))).await.unwrap();
    assert!(tried[0].steps.iter().all(|step| step.calls.iter().all(|call| call.plan.is_none())));
    let staff = office.caller("staff").await;
    assert_eq!(refused(service.foresee_definition(&staff, text, Some(json!({}))).await), ErrorCode::Forbidden);
}
