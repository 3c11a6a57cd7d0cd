use domain::{Name, RunStatus, VersionState, WorkflowRef, view::AuditFilter};
use store::{
    StoreError, UnitOfWork,
    audit::AuditRow,
    controls::{NamedControl, RunVersion, VersionRuns},
    runs::Run,
    workflows::WorkflowVersion,
};

use super::Subject;
use crate::fixtures::{approval, approval_id, at, audit, run, run_id, user, user_id, version, workflow};

fn named(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Two versions of a workflow, one of another, and a draft; the first and the third name controls.
async fn three_versions(unit: &mut dyn UnitOfWork) -> (WorkflowRef, WorkflowRef) {
    let (one, other) = (workflow(), WorkflowRef { name: "b".parse::<Name>().unwrap(), ..workflow() });
    for row in [
        version(&one, "1.0.0"),
        version(&one, "2.0.0"),
        version(&other, "1.0.0"),
        WorkflowVersion { state: VersionState::Draft, ..version(&other, "9.0.0") },
    ] {
        unit.insert_version(&row).await.unwrap();
    }
    unit.put_version_controls(&one, "1.0.0", &named(&["X:1", "X:2"])).await.unwrap();
    unit.put_version_controls(&one, "2.0.0", &[]).await.unwrap();
    unit.put_version_controls(&other, "1.0.0", &named(&["X:2"])).await.unwrap();
    (one, other)
}

async fn launch(unit: &mut dyn UnitOfWork, number: u128, of: &WorkflowRef, version: &str) -> i64 {
    let run = Run { workflow: of.clone(), version: version.to_owned(), ..run(number, user_id(1)) };
    unit.insert_run(&run).await.unwrap()
}

pub(super) async fn a_version_is_read_for_controls_once(subject: Subject) {
    let mut unit = subject.unit().await;
    let (one, other) = three_versions(unit.as_mut()).await;
    assert_eq!(unit.unread_versions(9).await.unwrap(), [], "a draft waits");
    unit.put_version_controls(&one, "1.0.0", &named(&["X:3"])).await.unwrap();
    let row = |control: &str, workflow: &WorkflowRef| NamedControl {
        control: control.to_owned(),
        workflow: workflow.clone(),
        version: "1.0.0".to_owned(),
        state: VersionState::Published,
        title: format!("Title of {workflow}"),
    };
    let mut expected = [row("X:1", &one), row("X:2", &one), row("X:2", &other)];
    expected.sort_by_key(|row| (row.control.clone(), row.workflow.clone()));
    assert_eq!(unit.named_controls().await.unwrap(), expected);
    unit.insert_version(&version(&other, "3.0.0")).await.unwrap();
    let unread = unit.unread_versions(9).await.unwrap();
    assert_eq!(unread.len(), 1);
    assert_eq!((unread[0].version.as_str(), unread[0].source.as_str()), ("3.0.0", "document: {}"));
    unit.commit().await.unwrap();
}

pub(super) async fn runs_are_counted_by_version_and_time(subject: Subject) {
    let mut unit = subject.unit().await;
    unit.insert_user(&user(1, "staff")).await.unwrap();
    let (one, other) = three_versions(unit.as_mut()).await;
    // Launched at as many seconds as their number.
    let mut numbers = Vec::new();
    for number in [10, 20, 30] {
        numbers.push(launch(unit.as_mut(), number, &one, "1.0.0").await);
    }
    launch(unit.as_mut(), 25, &one, "2.0.0").await;
    let counted = unit.version_runs(at(10), at(30)).await.unwrap();
    let of = |workflow: &WorkflowRef| counted.iter().find(|runs| runs.workflow == *workflow).unwrap();
    assert_eq!(counted.len(), 2, "the second version names none");
    let expected =
        VersionRuns { workflow: one.clone(), version: "1.0.0".to_owned(), runs: 2, last: Some((numbers[2], at(30))) };
    assert_eq!(of(&one), &expected);
    assert_eq!((of(&other).runs, of(&other).last), (0, None));
    let versions = [(one.clone(), "1.0.0".to_owned()), (other.clone(), "1.0.0".to_owned())];
    let all = unit.runs_of_versions(&versions, at(10), at(30), None, 9).await.unwrap();
    assert_eq!(all, [(numbers[1], run_id(20)), (numbers[0], run_id(10))]);
    let rest = unit.runs_of_versions(&versions, at(10), at(30), Some(numbers[1]), 9).await.unwrap();
    assert_eq!(rest, [(numbers[0], run_id(10))]);
    assert_eq!(unit.runs_of_versions(&versions, at(10), at(30), None, 1).await.unwrap().len(), 1);
    assert_eq!(unit.runs_of_versions(&[], at(0), at(99), None, 9).await.unwrap(), []);
    let found = unit.versions_of_numbers(&[numbers[0], 4_711]).await.unwrap();
    let expected = RunVersion { number: numbers[0], workflow: one.clone(), version: "1.0.0".to_owned(), at: at(0) };
    assert_eq!(found, [expected]);
    unit.commit().await.unwrap();
}

pub(super) async fn runs_that_faulted_and_were_not_taken_back_are_found(subject: Subject) {
    let mut unit = subject.unit().await;
    unit.insert_user(&user(1, "staff")).await.unwrap();
    let (one, _) = three_versions(unit.as_mut()).await;
    for (number, status, needs_attention) in [
        (1, RunStatus::Faulted, true),
        (2, RunStatus::Faulted, false),
        (3, RunStatus::Waiting, true),
        (4, RunStatus::Faulted, true),
    ] {
        let ended_at = status.is_final().then(|| at(100 + i64::try_from(number).unwrap()));
        let faulted =
            Run { workflow: one.clone(), status, needs_attention, ended_at, wake_at: None, ..run(number, user_id(1)) };
        unit.insert_run(&faulted).await.unwrap();
    }
    let found = unit.faulted_for_attention(at(101), at(104), 9).await.unwrap();
    assert_eq!(found.iter().map(|run| run.at).collect::<Vec<_>>(), [at(101)]);
    let all = unit.faulted_for_attention(at(0), at(999), 9).await.unwrap();
    assert_eq!(all.iter().map(|run| run.at).collect::<Vec<_>>(), [at(104), at(101)]);
    unit.commit().await.unwrap();
}

pub(super) async fn entries_are_found_by_the_controls_of_what_they_are_about(subject: Subject) {
    let mut unit = subject.unit().await;
    unit.insert_user(&user(1, "staff")).await.unwrap();
    let (one, other) = three_versions(unit.as_mut()).await;
    launch(unit.as_mut(), 1, &one, "1.0.0").await;
    launch(unit.as_mut(), 2, &one, "2.0.0").await;
    unit.insert_approval(&approval(7, run_id(1), user_id(1), None), &[]).await.unwrap();
    let about = |seq: i64, kind: &str, id: String| AuditRow {
        resource_kind: kind.to_owned(),
        resource_id: id,
        resource_name: "R-1".to_owned(),
        action: "run.launch".to_owned(),
        outcome: "done".to_owned(),
        ..audit(seq)
    };
    let published = |seq: i64, action: &str| AuditRow {
        resource_name: format!("{other} 1.0.0"),
        action: action.to_owned(),
        ..about(seq, "workflow", other.to_string())
    };
    let rows = [
        about(1, "run", run_id(1).to_string()),
        about(2, "run", run_id(2).to_string()),
        about(3, "approval", approval_id(7).to_string()),
        published(4, "definition.publish"),
        published(5, "definition.save"),
        about(6, "user", user_id(99).to_string()),
    ];
    unit.append_audit(0, &rows).await.unwrap();
    assert_eq!(unit.controls_indexed().await.unwrap(), 0);
    unit.index_controls(0, 4).await.unwrap();
    unit.index_controls(4, 6).await.unwrap();
    assert!(matches!(unit.index_controls(4, 6).await, Err(StoreError::Conflict)));
    assert_eq!(unit.controls_indexed().await.unwrap(), 6);
    for (control, places) in [("X:1", vec![3, 1]), ("X:2", vec![4, 3, 1]), ("X", vec![])] {
        let filter = AuditFilter { control: Some(control.to_owned()), ..AuditFilter::default() };
        assert_eq!(unit.audit_places(&filter, None, 9).await.unwrap(), places, "{control}");
    }
    let narrowed = AuditFilter {
        control: Some("X:2".to_owned()),
        resource_kind: Some("run".to_owned()),
        ..AuditFilter::default()
    };
    assert_eq!(unit.audit_places(&narrowed, None, 9).await.unwrap(), [1]);
    let paged = AuditFilter { control: Some("X:2".to_owned()), ..AuditFilter::default() };
    assert_eq!(unit.audit_places(&paged, Some(4), 1).await.unwrap(), [3]);
    unit.commit().await.unwrap();
}

pub(super) async fn the_last_verification_is_found(subject: Subject) {
    let mut unit = subject.unit().await;
    assert_eq!(unit.last_audit_verification().await.unwrap(), None);
    let verified = |seq: i64, outcome: &str| AuditRow {
        resource_kind: "audit".to_owned(),
        resource_id: "verification".to_owned(),
        outcome: outcome.to_owned(),
        ..audit(seq)
    };
    let rows = [verified(1, "done"), verified(2, "done"), verified(3, "refused"), audit(4)];
    unit.append_audit(0, &rows).await.unwrap();
    assert_eq!(unit.last_audit_verification().await.unwrap().map(|row| row.seq), Some(2));
    unit.commit().await.unwrap();
}
