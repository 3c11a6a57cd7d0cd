//! Controls and their evidence.

use std::{sync::Arc, time::Duration};

use domain::{
    DecisionKind, ErrorCode, Role, Scope,
    view::{AuditFilter, ControlSummary, ControlView, ControlsView},
};
use service::{Caller, ReportLanguage};
use testkit::ManualClock;

use crate::office::{Office, code};

/// An office in which staff have asked for an account and the manager has approved it within 20 seconds.
async fn exercised() -> (Office, Arc<ManualClock>, i64) {
    let clock = Arc::new(ManualClock::default());
    let office = Office::open_by(clock.clone(), None).await;
    let (run, approval) = office.request().await;
    let manager = office.caller("manager").await;
    clock.advance(Duration::from_secs(20));
    let digest = &approval.summary.digest;
    office.service.decide(&manager, approval.summary.id, DecisionKind::Approve, "", digest).await.unwrap();
    let number = office.ended(run).await.summary.number;
    clock.advance(Duration::from_secs(1));
    (office, clock, number)
}

fn summary<'v>(controls: &'v ControlsView, id: &str) -> &'v ControlSummary {
    let mut all = controls.lists.iter().flat_map(|list| &list.controls);
    all.find(|control| control.id == id).unwrap_or_else(|| panic!("{id} is in no list"))
}

async fn control(office: &Office, caller: &Caller, id: &str) -> ControlView {
    office.service.audit_control(caller, id, (None, None), None, None).await.unwrap()
}

fn kinds(control: &ControlView) -> Vec<&str> {
    control.exceptions.iter().map(|exception| exception.kind.as_str()).collect()
}

#[tokio::test]
async fn a_control_has_its_workflows_runs_exceptions_and_last_evidence() {
    let (office, _, number) = exercised().await;
    let (auditor, admin) = (office.caller("auditor").await, office.caller("admin").await);
    assert_eq!(code(office.service.audit_controls(&admin, None, None).await), "forbidden");
    let before = office.audit_end().await;
    let all = office.service.audit_controls(&auditor, None, None).await.unwrap();
    let entries = office.audit_after(before).await;
    assert_eq!((entries.len(), entries[0].action.as_str()), (1, "control.read"));

    let coverage: Vec<_> = all.lists.iter().map(|list| (list.coverage.id.as_str(), list.coverage.total)).collect();
    assert_eq!(coverage, [("ISO27001", 93), ("SOC2", 61), ("PCIDSS", 75), ("ISMSP", 101)]);
    let accounts = summary(&all, "ISO27001:A.5.16");
    assert_eq!((accounts.workflows, accounts.runs), (2, 1));
    assert_eq!(accounts.last_evidence.as_ref().map(|last| last.run), Some(number));
    let untouched = summary(&all, "ISO27001:A.7.1");
    assert_eq!((untouched.workflows, untouched.runs, untouched.exceptions), (0, 0, 0));
    let incidents = summary(&all, "ISMSP:2.11.5");
    assert_eq!((incidents.workflows, incidents.runs, &incidents.last_evidence), (1, 0, &None));
    let iso = &all.lists[0].coverage;
    assert!(iso.covered >= 5 && iso.exercised == 2 && iso.with_exceptions >= 2, "{iso:?}");

    let one = control(&office, &auditor, "ISMSP:2.5.2").await;
    assert_eq!(one.list.as_ref().map(|list| list.en.as_str()), Some("ISMS-P (2023)"));
    let [workflow] = one.workflows.as_slice() else { panic!("{:?}", one.workflows) };
    assert_eq!((workflow.name.as_str(), workflow.runs), ("onboard-employee", 1));
    let runs: Vec<_> = one.runs.items.iter().map(|run| (run.number, run.requester.login.as_str())).collect();
    assert_eq!((runs.as_slice(), &one.runs.next), ([(number, "staff")].as_slice(), &None));
    let quick: Vec<_> =
        one.exceptions.iter().filter(|exception| exception.kind == "decisions-within-a-minute").collect();
    let [quick] = quick.as_slice() else { panic!("{:?}", one.exceptions) };
    assert_eq!((quick.run, quick.person.as_deref()), (Some(number), Some("manager")));
    assert_eq!(quick.definition.as_deref(), Some("identity/onboard-employee 1.0.0"));
    assert!(quick.controls.iter().any(|named| named == "SOC2:CC6.2"), "{:?}", quick.controls);
    let decided = office.audit_after(0).await;
    let decided = decided.iter().find(|entry| entry.action == "approval.decide").unwrap();
    assert_eq!(quick.entry, Some(decided.seq));

    // Nothing of it was before.
    let (from, to) = (all.from - Duration::from_hours(240), all.to - Duration::from_hours(240));
    let earlier = office.service.audit_controls(&auditor, Some(from), Some(to)).await.unwrap();
    let accounts = summary(&earlier, "ISO27001:A.5.16");
    assert_eq!((accounts.workflows, accounts.runs, accounts.exceptions), (2, 0, 0));
    assert_eq!(accounts.last_evidence.as_ref().map(|last| last.run), Some(number), "it is the last at all");
    let wrong = office.service.audit_controls(&auditor, Some(to), Some(from)).await.unwrap_err();
    assert_eq!((wrong.code, wrong.errors[0].pointer.as_str()), (ErrorCode::InvalidInput, "/from"));
    let unknown = office.service.audit_control(&auditor, "ISO27001:A.5.99", (None, None), None, None).await;
    assert_eq!(code(unknown), "not-found");
    office.stop().await;
}

#[tokio::test]
async fn an_auditor_of_a_namespace_sees_what_is_there() {
    let (office, _, _) = exercised().await;
    let of_incidents = Scope::Namespace("incident".parse().unwrap());
    let auditor = office.hire("looker", &[Role::Auditor], of_incidents).await;
    let all = office.service.audit_controls(&auditor, None, None).await.unwrap();
    let accounts = summary(&all, "ISO27001:A.5.16");
    assert_eq!((accounts.workflows, accounts.runs, accounts.exceptions), (0, 0, 0));
    assert_eq!(accounts.last_evidence, None);
    assert_eq!(summary(&all, "ISO27001:A.5.26").workflows, 1);
    let one = control(&office, &auditor, "ISMSP:2.5.2").await;
    assert!(one.workflows.is_empty() && one.runs.items.is_empty() && one.exceptions.is_empty(), "{one:?}");
    let stands = office.service.compliance(&auditor, None, None).await.unwrap();
    assert_eq!(stands.ledger, None, "the log is about the whole portal");
    assert!(stands.exceptions.iter().all(|exception| exception.run.is_none()), "{:?}", stands.exceptions);
    assert_eq!(code(office.service.audit(&auditor, AuditFilter::default(), None, None).await), "forbidden");
    office.stop().await;
}

#[tokio::test]
async fn exceptions_are_of_the_definitions_that_name_a_control() {
    let (office, clock, _) = exercised().await;
    let definition = |name: &str, rondo: &str| {
        format!(
            "document: {{dsl: 1.0.3, namespace: identity, name: {name}, version: 1.0.0, metadata: {{rondo: \
             {{{rondo}}}}}}}\ndo: [{{a: {{set: {{b: 1}}}}}}]\n"
        )
    };
    let tests = "tests: [{title: One, input: {}, expect: {output: {b: 1}}}]";
    let (tested, untested) = (
        definition("tested", &format!("controls: ['HOUSE:1'], {tests}")),
        definition("untested", "controls: ['HOUSE:1', 'HOUSE:2']"),
    );
    let texts = [("tested.yaml", tested.as_str()), ("untested.yaml", untested.as_str())];
    office.service.load_shipped(texts).await.unwrap();
    clock.advance(Duration::from_secs(1));
    let auditor = office.caller("auditor").await;
    let all = office.service.audit_controls(&auditor, None, None).await.unwrap();
    let unlisted = all.lists.last().unwrap();
    assert_eq!((unlisted.coverage.id.as_str(), unlisted.coverage.total), ("-", 2));
    assert_eq!(summary(&all, "HOUSE:1").workflows, 2);
    let both = control(&office, &auditor, "HOUSE:1").await;
    assert_eq!(kinds(&both), ["published-without-tests"]);
    assert_eq!(both.exceptions[0].definition.as_deref(), Some("identity/untested 1.0.0"));
    assert_eq!((&both.list, both.exceptions[0].controls.len()), (&None, 2));
    office.stop().await;
}

#[tokio::test]
async fn entries_are_found_by_control_and_packed_as_evidence() {
    let (office, _, number) = exercised().await;
    let auditor = office.caller("auditor").await;
    let about = || AuditFilter { control: Some("ISMSP:2.5.2".to_owned()), ..AuditFilter::default() };
    let page = office.service.audit(&auditor, about(), None, None).await.unwrap();
    let actions: Vec<_> = page.items.iter().map(|entry| entry.action.as_str()).collect();
    for action in ["run.launch", "approval.decide", "task.execute", "workflow.publish"] {
        assert!(actions.contains(&action), "{action} in {actions:?}");
    }
    let run = format!("R-{number}");
    let of_it = |name: &str| name.starts_with(&run) || name == "identity/onboard-employee 1.0.0";
    assert!(page.items.iter().all(|entry| of_it(&entry.resource_name)), "{:?}", page.items);
    let none = AuditFilter { control: Some("ISO27001:A.7.1".to_owned()), ..AuditFilter::default() };
    assert!(office.service.audit(&auditor, none, None, None).await.unwrap().items.is_empty());

    let pack = office.service.audit_evidence(&auditor, about(), None, ReportLanguage::English).await.unwrap();
    let text = String::from_utf8_lossy(&pack);
    assert!(text.contains("\"about\":{\"control\":\"ISMSP:2.5.2\""), "the pack says what it is about");
    assert!(text.contains("run.launch") && !text.contains("audit.read"));
    // What comes later is found as well, and by the other node, which indexes as it passes.
    let (later, _) = office.request().await;
    office.other_node.index_controls().await;
    let again = office.other_node.audit(&auditor, about(), None, Some(200)).await.unwrap();
    assert!(again.items.len() > page.items.len(), "{later}");
    office.stop().await;
}

#[tokio::test]
async fn the_dashboard_says_when_the_log_was_verified_and_by_whom() {
    let (office, clock, _) = exercised().await;
    let auditor = office.caller("auditor").await;
    let fresh = office.service.compliance(&auditor, None, None).await.unwrap();
    let health = fresh.ledger.unwrap();
    assert_eq!((health.verified, health.receivers.len()), (None, 1));
    assert!(health.entries > 10, "{}", health.entries);
    assert_eq!(fresh.lists.len(), 4);
    assert!(fresh.exceptions.iter().any(|exception| exception.kind == "decisions-within-a-minute"));

    assert_eq!(code(office.service.verify_audit(&office.caller("staff").await).await), "forbidden");
    let verdict = office.service.verify_audit(&auditor).await.unwrap();
    let verified = office.service.compliance(&auditor, None, None).await.unwrap().ledger.unwrap().verified.unwrap();
    assert_eq!((verified.by.as_str(), verified.sound, verified.entries), ("auditor", true, verdict.entries));
    assert_eq!(verified.at, office.now());

    clock.advance(Duration::from_hours(1));
    let verdict = office.service.console_verify_audit().await.unwrap();
    office.service.console_note_verification(&verdict).await.unwrap();
    office.service.sign_audit().await;
    let health = office.service.compliance(&auditor, None, None).await.unwrap().ledger.unwrap();
    let verified = health.verified.unwrap();
    assert_eq!((verified.by.as_str(), verified.entries), ("console", verdict.entries));
    assert_eq!((verified.at, health.signed_at, health.keys), (office.now(), Some(office.now()), 1));
    office.stop().await;
}
