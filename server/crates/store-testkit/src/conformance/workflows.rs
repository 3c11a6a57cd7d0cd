use domain::{RunStatus, WorkflowRef};
use store::{
    StoreError,
    reviews::VersionComment,
    runs::Run,
    workflows::{VersionFilter, VersionState, WorkflowVersion},
};

use super::Subject;
use crate::fixtures::{at, comment, organisation, run, user_id, version, workflow};

pub(super) async fn the_greatest_published_version_is_launchable(subject: Subject) {
    let onboard: WorkflowRef = "identity/onboard".parse().unwrap();
    let offboard: WorkflowRef = "identity/offboard".parse().unwrap();
    let hidden: WorkflowRef = "identity/hidden".parse().unwrap();
    let mut unit = subject.unit().await;
    for (workflow, text, sort_key, state) in [
        (&onboard, "1.2.0", "0001.0002", VersionState::Published),
        (&onboard, "1.10.0", "0001.0010", VersionState::Published),
        (&onboard, "2.0.0", "0002.0000", VersionState::Draft),
        (&onboard, "1.11.0", "0001.0011", VersionState::Retired),
        (&offboard, "1.0.0", "0001.0000", VersionState::Published),
        (&hidden, "1.0.0", "0001.0000", VersionState::InReview),
    ] {
        let mut version = version(workflow, text);
        sort_key.clone_into(&mut version.sort_key);
        version.state = state;
        unit.insert_version(&version).await.unwrap();
    }
    unit.commit().await.unwrap();
    let mut unit = subject.reading().await;
    assert_eq!(unit.launchable_version(&onboard).await.unwrap().unwrap().version, "1.10.0");
    assert_eq!(unit.launchable_version(&hidden).await.unwrap(), None);
    let launchable: Vec<_> = unit.launchable_versions().await.unwrap();
    let launchable: Vec<_> = launchable.iter().map(|v| (v.workflow.to_string(), v.version.as_str())).collect();
    assert_eq!(launchable, [("identity/offboard".to_owned(), "1.0.0"), ("identity/onboard".to_owned(), "1.10.0")]);
    let all: Vec<_> = unit.versions_of(&onboard).await.unwrap().into_iter().map(|v| v.version).collect();
    assert_eq!(all, ["2.0.0", "1.11.0", "1.10.0", "1.2.0"]);
    let one = unit.workflow_version(&onboard, "2.0.0").await.unwrap().unwrap();
    assert_eq!((one.state, one.source.as_str()), (VersionState::Draft, "document: {}"));
    assert_eq!(unit.workflow_version(&onboard, "9.0.0").await.unwrap(), None);
}

pub(super) async fn a_version_is_never_overwritten_and_moves_only_from_where_it_is(subject: Subject) {
    let workflow: WorkflowRef = "identity/onboard".parse().unwrap();
    let mut draft = version(&workflow, "1.0.0");
    draft.state = VersionState::Draft;
    let mut unit = subject.unit().await;
    unit.insert_version(&draft).await.unwrap();
    let in_review = WorkflowVersion { state: VersionState::InReview, changed_at: at(9), ..draft.clone() };
    unit.update_version(&in_review, VersionState::Draft).await.unwrap();
    assert!(matches!(unit.update_version(&in_review, VersionState::Draft).await, Err(StoreError::Conflict)));
    assert_eq!(unit.lock_version(&workflow, "1.0.0").await.unwrap(), Some(in_review.clone()));
    let published = WorkflowVersion { state: VersionState::Published, ..in_review };
    unit.update_version(&published, VersionState::InReview).await.unwrap();
    assert_eq!(unit.workflow_version(&workflow, "1.0.0").await.unwrap(), Some(published));
    let error = unit.insert_version(&draft).await.unwrap_err();
    assert!(matches!(&error, StoreError::Duplicate(what) if what == "namespace, name, version"), "{error:?}");
}

pub(super) async fn only_a_draft_changes_and_only_along_its_life(subject: Subject) {
    let workflow: WorkflowRef = "identity/onboard".parse().unwrap();
    let text = |state| WorkflowVersion { state, source: "document: {}".to_owned(), ..version(&workflow, "1.0.0") };
    for from in VersionState::ALL.iter().copied() {
        for to in VersionState::ALL.iter().copied() {
            // Each try on a version of its own, because what is refused loses its unit.
            let named = format!("{from}-{to}");
            let before = WorkflowVersion { version: named.clone(), ..text(from) };
            let mut unit = subject.unit().await;
            unit.insert_version(&before).await.unwrap();
            unit.commit().await.unwrap();
            let moved = WorkflowVersion { state: to, ..before.clone() };
            let rewritten = WorkflowVersion { source: "other".to_owned(), ..moved.clone() };
            let digested = WorkflowVersion { digest: "e".repeat(64), resources: "{}".to_owned(), ..moved.clone() };
            let along = matches!(
                (from, to),
                (VersionState::Draft, VersionState::Draft | VersionState::InReview)
                    | (VersionState::InReview, VersionState::Draft | VersionState::Published)
                    | (VersionState::Published, VersionState::Retired)
            );
            let cases = [
                (rewritten, from == VersionState::Draft && along),
                (digested, along && (from == VersionState::Draft || to == VersionState::Draft)),
                (moved, along),
            ];
            for (change, allowed) in cases {
                let mut unit = subject.unit().await;
                let done = unit.update_version(&change, from).await;
                assert_eq!(done.is_ok(), allowed, "from {from:?} to {change:?}: {done:?}");
            }
            let mut unit = subject.unit().await;
            assert_eq!(
                unit.delete_draft_version(&workflow, &named).await.unwrap(),
                from == VersionState::Draft,
                "{from:?}"
            );
        }
    }
}

pub(super) async fn authors_and_comments_stay_with_their_version(subject: Subject) {
    let workflow: WorkflowRef = "identity/onboard".parse().unwrap();
    let mut unit = subject.unit().await;
    organisation(&mut *unit).await;
    for text in ["2.0.0", "3.0.0"] {
        let draft = WorkflowVersion { state: VersionState::Draft, ..version(&workflow, text) };
        unit.insert_version(&draft).await.unwrap();
        for (user, second) in [(2, 5), (1, 7), (2, 9)] {
            unit.add_version_author(&workflow, text, user_id(user), at(second)).await.unwrap();
        }
    }
    let first = comment(1, &workflow, "2.0.0", user_id(3));
    let second = VersionComment { line: None, ..comment(2, &workflow, "2.0.0", user_id(1)) };
    let other = comment(3, &workflow, "3.0.0", user_id(3));
    for comment in [&second, &first, &other] {
        unit.insert_version_comment(comment).await.unwrap();
    }
    unit.commit().await.unwrap();

    let mut unit = subject.unit().await;
    assert_eq!(unit.version_authors(&workflow, "2.0.0").await.unwrap(), [user_id(2), user_id(1)]);
    assert_eq!(unit.version_authors(&workflow, "1.0.0").await.unwrap(), []);
    assert_eq!(unit.version_comments(&workflow, "2.0.0").await.unwrap(), [first.clone(), second.clone()]);
    unit.resolve_version_comment(first.id, user_id(2), at(20)).await.unwrap();
    let again = unit.resolve_version_comment(first.id, user_id(1), at(21)).await;
    assert!(matches!(again, Err(StoreError::Conflict)));
    let resolved = VersionComment { resolved_by: Some(user_id(2)), resolved_at: Some(at(20)), ..first };
    assert_eq!(unit.version_comments(&workflow, "2.0.0").await.unwrap(), [resolved, second]);
    assert!(unit.delete_draft_version(&workflow, "2.0.0").await.unwrap());
    unit.commit().await.unwrap();

    let mut unit = subject.unit().await;
    assert_eq!(unit.version_comments(&workflow, "2.0.0").await.unwrap(), []);
    assert_eq!(unit.version_authors(&workflow, "2.0.0").await.unwrap(), []);
    assert_eq!(unit.version_comments(&workflow, "3.0.0").await.unwrap(), [other]);
    assert!(!unit.delete_draft_version(&workflow, "2.0.0").await.unwrap());
    let nowhere = unit.add_version_author(&workflow, "2.0.0", user_id(1), at(0)).await;
    assert!(matches!(nowhere, Err(StoreError::Reference(_))), "{nowhere:?}");
    drop(unit);
    // Whoever has written a version cannot be forgotten.
    let mut unit = subject.unit().await;
    assert!(matches!(unit.delete_user(user_id(2)).await, Err(StoreError::Reference(_))));
}

pub(super) async fn versions_are_listed_by_name_and_newest_first(subject: Subject) {
    let mut unit = subject.unit().await;
    for (workflow, text, state) in [
        ("identity/b", "1.0.0", VersionState::Published),
        ("identity/b", "2.0.0", VersionState::Draft),
        ("identity/a", "1.0.0", VersionState::Retired),
        ("incident/a", "1.0.0", VersionState::InReview),
        ("billing/z", "1.0.0", VersionState::Draft),
    ] {
        let version = WorkflowVersion { state, ..version(&workflow.parse().unwrap(), text) };
        unit.insert_version(&version).await.unwrap();
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = unit.list_versions(&VersionFilter::default(), after.as_ref(), 2).await.unwrap();
        seen.extend(page.iter().map(|version| format!("{} {}", version.workflow, version.version)));
        match page.last() {
            Some(last) => after = Some(last.key()),
            None => break,
        }
    }
    let all = ["billing/z 1.0.0", "identity/a 1.0.0", "identity/b 2.0.0", "identity/b 1.0.0", "incident/a 1.0.0"];
    assert_eq!(seen, all);
    let of = |namespaces: &[&str]| Some(namespaces.iter().map(|name| name.parse().unwrap()).collect());
    for (filter, expected) in [
        (VersionFilter { namespaces: of(&["identity", "incident"]), state: None }, 4),
        (VersionFilter { namespaces: of(&[]), state: None }, 0),
        (VersionFilter { namespaces: None, state: Some(VersionState::Draft) }, 2),
        (VersionFilter { namespaces: of(&["identity"]), state: Some(VersionState::Draft) }, 1),
    ] {
        assert_eq!(unit.list_versions(&filter, None, 9).await.unwrap().len(), expected, "{filter:?}");
    }
}

pub(super) async fn open_runs_of_a_version_are_counted(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    unit.insert_version(&version(&workflow(), "1.1.0")).await.unwrap();
    let open = [RunStatus::Pending, RunStatus::Running, RunStatus::Waiting, RunStatus::Suspended];
    let ended = [RunStatus::Completed, RunStatus::Faulted, RunStatus::Cancelled];
    for (number, status) in (1..).zip(open.into_iter().chain(ended)) {
        unit.insert_run(&Run { status, ..run(number, user_id(1)) }).await.unwrap();
    }
    unit.insert_run(&Run { version: "1.1.0".to_owned(), ..run(9, user_id(1)) }).await.unwrap();
    assert_eq!(unit.count_open_runs(&workflow(), "1.0.0").await.unwrap(), 4);
    assert_eq!(unit.count_open_runs(&workflow(), "1.1.0").await.unwrap(), 1);
    assert_eq!(unit.count_open_runs(&workflow(), "9.0.0").await.unwrap(), 0);
}
