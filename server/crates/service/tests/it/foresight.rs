//! What a run does next, for those who decide; and what other systems say of a dry run.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use domain::{
    DecisionKind, ErrorCode, Role, Scope,
    view::{ApprovalDetail, CallPlan, Certainty, ForesightView, PlannedEffect},
};
use serde_json::{Value, json};
use service::{NewConnection, Subject};
use tokio::{net::TcpListener, sync::mpsc};

use crate::{
    authoring::refused,
    office::{Office, shown},
};

fn said(view: &ForesightView) -> Vec<(String, Certainty)> {
    view.calls.iter().map(|call| (call.title.clone(), call.certainty)).collect()
}

/// A connection that this namespace may use.
async fn connect(office: &Office, name: &str, kind: &str, settings: Value, namespace: &str) {
    let admin = office.caller("admin").await;
    let new = NewConnection {
        name: name.to_owned(),
        kind: kind.to_owned(),
        settings,
        namespaces: vec![namespace.to_owned()],
        owner: Some(Subject::User(admin.user)),
    };
    office.service.put_connection(&admin, None, new).await.unwrap();
}

/// What a dry run of these tasks of a workflow is told of each, in their order.
async fn planned(office: &Office, tasks: &str) -> Vec<Option<CallPlan>> {
    let author = office.caller("author").await;
    let text = format!("document: {{dsl: 1.0.3, namespace: identity, name: tried, version: 1.0.0}}\ndo:\n{tasks}");
    let tried = office.service.foresee_definition(&author, &text, Some(json!({}))).await.unwrap();
    tried[0].steps.iter().map(|step| step.calls[0].plan.clone()).collect()
}

fn effects(plans: &[Option<CallPlan>]) -> Vec<Option<PlannedEffect>> {
    plans.iter().map(|plan| plan.as_ref().map(|plan| plan.effect)).collect()
}

/// A run that looks staff up over one connection, and then disables them over another, if the manager approves.
async fn leaving(office: &Office, look_up: &str, disable: &str) -> ApprovalDetail {
    let text = format!(
        "
document: {{dsl: 1.0.3, namespace: identity, name: leave, version: 1.0.0}}
do:
  - decide: {{call: approval, with: {{approvers: {{user: manager}}}}}}
  - who: {{call: directory, with: {{connection: {look_up}, operation: lookup, login: staff}}}}
  - known: {{switch: [{{there: {{when: '${{ .found }}', then: out}}}}, {{gone: {{then: end}}}}]}}
  - out: {{call: directory, with: {{connection: {disable}, operation: disableUser, login: staff}}}}
"
    );
    office.service.load_shipped([("leave.yaml", text.as_str())]).await.unwrap();
    let staff = office.caller("staff").await;
    let run = office.service.launch(&staff, &"identity/leave".parse().unwrap(), None, json!({})).await.unwrap();
    office.approval_of(run.id).await
}

/// The connections of each entry after this place that says that somebody asked what follows.
async fn connections_entered(office: &Office, after: i64) -> Vec<Value> {
    let entries = office.audit_after(after).await;
    let entries = entries.iter().filter(|entry| entry.action == "approval.foresee");
    entries.map(|entry| shown(entry)["detail"]["connections"].clone()).collect()
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
    let settings = json!({"baseUrl": format!("http://{address}"), "token": "t"});
    // Saving it tries it out, for the server itself.
    connect(&office, "elsewhere", "scim", settings, "fenced").await;
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

#[tokio::test]
async fn what_calls_before_may_change_is_not_said_of_a_call() {
    let office = Office::open().await;
    let membership = |operation: &str| {
        let with = format!("{{connection: directory, operation: {operation}, group: finance, login: staff}}");
        format!("  - {operation}: {{call: directory, with: {with}}}\n")
    };
    let plans = planned(&office, &membership("removeMember")).await;
    assert_eq!(effects(&plans), [Some(PlannedEffect::Nothing)]);
    let plans = planned(&office, &(membership("addMember") + &membership("removeMember"))).await;
    assert_eq!(effects(&plans), [Some(PlannedEffect::Changes), Some(PlannedEffect::Unasked)]);
    let words = &plans[1].as_ref().unwrap().words;
    assert_eq!(words, "cannot be said before the calls before it are made: now staff is no member of finance");

    // Another function may have made what is missing, but not what is there already.
    let mail = "  - tell: {call: smtp, with: {connection: mail, to: a@example.test, subject: s, text: t}}\n";
    let enable = |login: &str| {
        let with = format!("{{connection: directory, operation: enableUser, login: {login}}}");
        format!("  - enable: {{call: directory, with: {with}}}\n")
    };
    assert_eq!(effects(&planned(&office, &enable("nobody")).await), [Some(PlannedEffect::Fails)]);
    let plans = planned(&office, &(mail.to_owned() + &enable("nobody"))).await;
    assert_eq!(effects(&plans), [None, Some(PlannedEffect::Unasked)]);
    assert!(plans[1].as_ref().unwrap().words.contains("now it would fail: "), "{plans:?}");
    let plans = planned(&office, &(mail.to_owned() + &enable("staff"))).await;
    assert_eq!(effects(&plans), [None, Some(PlannedEffect::Nothing)]);
}

#[tokio::test]
async fn of_calls_beyond_the_most_it_is_said_that_nobody_was_asked() {
    let office = Office::open().await;
    let two = |number: usize| {
        format!(
            "  - tell{number}: {{call: smtp, with: {{connection: mail, to: a@example.test, subject: s, text: t}}}}
  - out{number}: {{call: directory, with: {{connection: directory, operation: disableUser, login: staff}}}}
"
        )
    };
    let plans = planned(&office, &(0..22).map(two).collect::<Vec<_>>().concat()).await;
    assert_eq!(plans.len(), 44);
    let (mails, changes): (Vec<_>, Vec<_>) =
        plans.into_iter().enumerate().partition(|(place, _)| place.is_multiple_of(2));
    assert!(mails.iter().all(|(_, plan)| plan.is_none()), "nobody says anything of mails, and they count for nothing");
    let changes: Vec<CallPlan> = changes.into_iter().filter_map(|(_, plan)| plan).collect();
    assert_eq!(changes.len(), 22);
    assert!(changes[..20].iter().all(|plan| plan.effect == PlannedEffect::Changes), "{changes:?}");
    let left_out = CallPlan::unasked("was not asked: at most 20 calls are asked about");
    assert_eq!(changes[20..], [left_out.clone(), left_out]);
}

#[tokio::test]
async fn connections_that_look_ups_lead_to_have_an_entry_of_their_own() {
    let office = Office::open().await;
    connect(&office, "second", "builtin", json!({}), "identity").await;
    let approval = leaving(&office, "directory", "second").await;
    let manager = office.caller("manager").await;
    let before = office.audit_end().await;
    let view = office.service.foresee_approval(&manager, approval.summary.id).await.unwrap();
    assert_eq!(view.calls[1].plan.as_ref().map(|plan| plan.effect), Some(PlannedEffect::Changes), "{view:#?}");
    assert_eq!(connections_entered(&office, before).await, [json!(["directory"]), json!(["second"])]);
}

#[tokio::test]
async fn whoever_goes_away_while_others_are_asked_has_been_entered() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let is_silent = Arc::new(AtomicBool::new(false));
    let (reached, mut arrivals) = mpsc::unbounded_channel();
    let silent = Arc::clone(&is_silent);
    tokio::spawn(async move {
        // Hangs up at first, so that nobody waits while the connection is tried out.
        while let Ok((stream, _)) = listener.accept().await {
            if silent.load(Ordering::SeqCst) {
                reached.send(stream).ok();
            }
        }
    });
    let office = Office::open().await;
    let settings = json!({"baseUrl": format!("http://{address}"), "token": "t"});
    connect(&office, "silent", "scim", settings, "identity").await;
    let approval = leaving(&office, "silent", "directory").await;
    is_silent.store(true, Ordering::SeqCst);

    let manager = office.caller("manager").await;
    let before = office.audit_end().await;
    let service = Arc::clone(&office.service);
    let asking = tokio::spawn(async move { service.foresee_approval(&manager, approval.summary.id).await });
    let _unanswered = office.wait(async || arrivals.try_recv().ok()).await;
    asking.abort();
    assert_eq!(connections_entered(&office, before).await, [json!(["silent"])]);
}
