use std::collections::BTreeSet;

use domain::{RunStatus, TaskStatus};
use store::{
    StoreError,
    runs::{RunFilter, RunStatistics, Visibility},
};

use super::Subject;
use crate::fixtures::{approval, approver, at, run, run_id, task, user_id, version, workflow};

pub(super) async fn a_run_is_stored_whole_and_numbered(subject: Subject) {
    subject.organisation(0).await;
    let mut whole = run(1, user_id(1));
    whole.status = RunStatus::Faulted;
    whole.needs_attention = true;
    whole.rejected = true;
    whole.compensated = true;
    whole.output = Some("{\"a\":1}".to_owned());
    whole.error = Some("{\"title\":\"no\"}".to_owned());
    whole.started_at = Some(at(1));
    whole.ended_at = Some(at(2));
    whole.updated_at = at(3);
    whole.wake_at = None;
    let mut unit = subject.unit().await;
    whole.number = unit.insert_run(&whole).await.unwrap();
    assert!(whole.number >= 1);
    unit.commit().await.unwrap();
    let mut unit = subject.reading().await;
    assert_eq!(unit.run(run_id(1)).await.unwrap(), Some(whole.clone()));
    assert_eq!(unit.run_by_number(whole.number).await.unwrap(), Some(whole.clone()));
    assert_eq!(unit.run_by_number(-1).await.unwrap(), None);
    drop(unit);
    let error = subject.unit().await.insert_run(&whole).await.unwrap_err();
    assert!(matches!(&error, StoreError::Duplicate(what) if what == "id"), "{error:?}");
    let mut unknown = run(2, user_id(1));
    "9.9.9".clone_into(&mut unknown.version);
    let error = subject.unit().await.insert_run(&unknown).await.unwrap_err();
    assert!(matches!(error, StoreError::Reference(_)), "{error:?}");
    let error = subject.unit().await.insert_run(&run(2, user_id(99))).await.unwrap_err();
    assert!(matches!(error, StoreError::Reference(_)), "{error:?}");
}

pub(super) async fn numbers_are_distinct_under_concurrency(subject: Subject) {
    subject.organisation(0).await;
    let mut launches = Vec::new();
    for number in 1..=32 {
        let subject = subject.clone();
        launches.push(tokio::spawn(async move {
            let mut unit = subject.unit().await;
            let given = unit.insert_run(&run(number, user_id(1))).await.unwrap();
            unit.commit().await.unwrap();
            given
        }));
    }
    let mut numbers = BTreeSet::new();
    for launch in launches {
        numbers.insert(launch.await.unwrap());
    }
    assert_eq!(numbers.len(), 32);
    assert!(numbers.first().is_some_and(|first| *first >= 1));
}

pub(super) async fn lists_of_runs_are_filtered_and_paged(subject: Subject) {
    subject.organisation(0).await;
    let other = "incident/service-down".parse().unwrap();
    let mut unit = subject.unit().await;
    unit.insert_version(&version(&other, "1.0.0")).await.unwrap();
    for number in 1..=20_u128 {
        let mut run = run(number, user_id(if number <= 15 { 1 } else { 2 }));
        if number % 5 == 0 {
            run.workflow = other.clone();
        }
        if number % 2 == 0 {
            run.status = RunStatus::Running;
        }
        run.needs_attention = number == 7;
        unit.insert_run(&run).await.unwrap();
    }
    unit.commit().await.unwrap();
    let mut unit = subject.reading().await;
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = unit.list_runs(&Visibility::everything(), &RunFilter::default(), before, 7).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.number);
        seen.extend(page.iter().map(|run| run.id));
    }
    assert_eq!(seen, (1..=20).rev().map(run_id).collect::<Vec<_>>());
    for (filter, expected) in [
        (RunFilter { requester: Some(user_id(2)), ..RunFilter::default() }, vec![20, 19, 18, 17, 16]),
        (RunFilter { workflow: Some(other.clone()), ..RunFilter::default() }, vec![20, 15, 10, 5]),
        (RunFilter { namespace: Some("incident".parse().unwrap()), ..RunFilter::default() }, vec![20, 15, 10, 5]),
        (RunFilter { needs_attention: Some(true), ..RunFilter::default() }, vec![7]),
        (
            RunFilter { needs_attention: Some(false), workflow: Some(other.clone()), ..RunFilter::default() },
            vec![20, 15, 10, 5],
        ),
        (
            RunFilter {
                requester: Some(user_id(2)),
                statuses: vec![RunStatus::Running, RunStatus::Waiting],
                ..RunFilter::default()
            },
            vec![20, 18, 16],
        ),
        (RunFilter { statuses: vec![RunStatus::Completed], ..RunFilter::default() }, vec![]),
    ] {
        let found = unit.list_runs(&Visibility::everything(), &filter, None, 50).await.unwrap();
        let expected: Vec<_> = expected.into_iter().map(run_id).collect();
        assert_eq!(found.iter().map(|run| run.id).collect::<Vec<_>>(), expected, "{filter:?}");
    }
}

pub(super) async fn runs_are_found_by_title_values_and_number(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    let mut first = run(1, user_id(1));
    r#"{"givenName":"김민수","tags":["ÄRGER",{"deep":"100%_"}],"nul":"a\u0000b"}"#.clone_into(&mut first.input);
    let number = unit.insert_run(&first).await.unwrap();
    let mut second = run(2, user_id(1));
    "장애 대응 Service".clone_into(&mut second.title);
    unit.insert_run(&second).await.unwrap();
    unit.commit().await.unwrap();
    let mut unit = subject.reading().await;
    for (search, expected) in [
        ("민수".to_owned(), vec![1]),
        ("ärger".to_owned(), vec![1]),
        ("%_".to_owned(), vec![1]),
        ("givenname".to_owned(), vec![]),
        ("SERVICE".to_owned(), vec![2]),
        ("대응".to_owned(), vec![2]),
        (format!("R-{number}"), vec![1]),
        (format!("#{number}"), vec![1]),
        ("nothing".to_owned(), vec![]),
    ] {
        let filter = RunFilter { search: Some(search.clone()), ..RunFilter::default() };
        let found = unit.list_runs(&Visibility::everything(), &filter, None, 50).await.unwrap();
        let expected: Vec<_> = expected.into_iter().map(run_id).collect();
        assert_eq!(found.iter().map(|run| run.id).collect::<Vec<_>>(), expected, "search {search:?}");
    }
}

pub(super) async fn lists_and_single_runs_are_visible_alike(subject: Subject) {
    subject.organisation(0).await;
    let other = "incident/service-down".parse().unwrap();
    let mut unit = subject.unit().await;
    unit.insert_version(&version(&other, "1.0.0")).await.unwrap();
    for number in 1..=6_u128 {
        let mut run = run(number, user_id(if number <= 3 { 1 } else { 2 }));
        if number % 2 == 0 {
            run.workflow = other.clone();
        }
        unit.insert_run(&run).await.unwrap();
    }
    // Person 3 is asked about run 5, by two approvals.
    unit.insert_approval(&approval(1, run_id(5), user_id(2), None), &[approver(user_id(3))]).await.unwrap();
    unit.insert_approval(&approval(2, run_id(5), user_id(2), None), &[approver(user_id(3))]).await.unwrap();
    unit.commit().await.unwrap();
    let mut unit = subject.reading().await;
    let none = Visibility::default();
    for (visible, expected) in [
        (none.clone(), vec![]),
        (Visibility::everything(), vec![6, 5, 4, 3, 2, 1]),
        (Visibility { namespaces: vec!["incident".parse().unwrap()], ..none.clone() }, vec![6, 4, 2]),
        (Visibility { person: Some(user_id(1)), ..none.clone() }, vec![3, 2, 1]),
        (Visibility { person: Some(user_id(3)), ..none.clone() }, vec![5]),
        (
            Visibility {
                person: Some(user_id(3)),
                namespaces: vec!["incident".parse().unwrap(), "none".parse().unwrap()],
                everywhere: false,
                represents: Vec::new(),
            },
            vec![6, 5, 4, 2],
        ),
    ] {
        let listed = unit.list_runs(&visible, &RunFilter::default(), None, 50).await.unwrap();
        let listed: Vec<_> = listed.iter().map(|run| run.id).collect();
        assert_eq!(listed, expected.iter().copied().map(run_id).collect::<Vec<_>>(), "{visible:?}");
        for number in 1..=7 {
            let single = unit.run_is_visible(&visible, run_id(number)).await.unwrap();
            assert_eq!(single, listed.contains(&run_id(number)), "run {number} for {visible:?}");
        }
        let approvals = unit.list_approvals(&visible, &store::approvals::ApprovalFilter::default(), None, 50).await;
        assert_eq!(approvals.unwrap().len(), if listed.contains(&run_id(5)) { 2 } else { 0 }, "{visible:?}");
    }
}

pub(super) async fn statistics_count_what_ended(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    assert_eq!(unit.run_statistics(&workflow(), 3).await.unwrap(), RunStatistics::default());
    for number in 1..=8_u128 {
        let mut run = run(number, user_id(1));
        let seconds = i64::try_from(number).unwrap();
        run.status = match number {
            1..=5 => RunStatus::Completed,
            6 => RunStatus::Faulted,
            7 => RunStatus::Cancelled,
            _ => RunStatus::Running,
        };
        run.ended_at = run.status.is_final().then_some(at(100 + seconds * 2));
        unit.insert_run(&run).await.unwrap();
    }
    for (sample, ended, completed) in [(100, 7, 5), (8, 7, 5), (4, 3, 1), (1, 0, 0)] {
        let statistics = unit.run_statistics(&workflow(), sample).await.unwrap();
        assert_eq!(statistics, RunStatistics { ended, completed }, "of the last {sample}");
    }
    assert_eq!(unit.run_durations(&workflow(), 3).await.unwrap(), [105_000_000, 104_000_000, 103_000_000]);
    assert_eq!(unit.last_launches(user_id(1), 3).await.unwrap(), [(workflow(), at(8))]);
    assert_eq!(unit.last_launches(user_id(1), 0).await.unwrap(), []);
    assert_eq!(unit.last_launches(user_id(2), 3).await.unwrap(), []);
    let mut counts = unit.count_runs().await.unwrap();
    counts.sort();
    let expected =
        [(RunStatus::Running, 1), (RunStatus::Cancelled, 1), (RunStatus::Faulted, 1), (RunStatus::Completed, 5)];
    assert_eq!(counts, expected);
}

pub(super) async fn tasks_snapshots_and_effects_are_kept(subject: Subject) {
    subject.organisation(2).await;
    let mut unit = subject.unit().await;
    let mut first = task(run_id(1), "/do/1/b", 1);
    unit.put_tasks(&[]).await.unwrap();
    unit.put_tasks(&[task(run_id(1), "/do/0/a", 2), first.clone(), task(run_id(2), "/do/0/a", 1)]).await.unwrap();
    first.status = TaskStatus::Completed;
    first.call = None;
    first.attempts = 3;
    first.output = Some("{}".to_owned());
    first.ended_at = Some(at(9));
    let mut again = first.clone();
    again.occurrence = 2;
    again.position = 3;
    again.compensation = true;
    unit.put_tasks(&[again.clone(), first.clone()]).await.unwrap();
    assert_eq!(unit.tasks(run_id(1)).await.unwrap(), [first, task(run_id(1), "/do/0/a", 2), again]);

    assert_eq!(unit.snapshot_of(run_id(1)).await.unwrap(), None);
    unit.put_snapshot(run_id(1), 3, "{\"s\":1}").await.unwrap();
    unit.put_snapshot(run_id(1), 5, "{\"s\":2}").await.unwrap();
    assert_eq!(unit.snapshot_of(run_id(1)).await.unwrap(), Some((5, "{\"s\":2}".to_owned())));

    assert_eq!(unit.effect("key").await.unwrap(), None);
    unit.put_effect("key", "{\"r\":1}", at(1)).await.unwrap();
    assert_eq!(unit.effect("key").await.unwrap().as_deref(), Some("{\"r\":1}"));
    let error = unit.put_effect("key", "{}", at(1)).await.unwrap_err();
    assert!(matches!(&error, StoreError::Duplicate(what) if what == "key"), "{error:?}");
}
