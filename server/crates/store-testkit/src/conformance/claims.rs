use std::{collections::BTreeSet, time::Duration};

use domain::{Name, RunStatus, WorkflowRef};
use store::{
    StoreError,
    runs::{Hold, Lease, Taken},
};

use super::Subject;
use crate::fixtures::{at, entries, run, run_id, task, user_id, version};

const LEASE: Duration = Duration::from_secs(30);

async fn claim(subject: &Subject, owner: &str, now: i64, limit: u32) -> Vec<Lease> {
    let mut unit = subject.unit().await;
    let claimed = unit.claim_runs(owner, at(now), at(now), LEASE, limit, None).await.unwrap();
    unit.commit().await.unwrap();
    claimed.into_iter().map(|claimed| claimed.lease).collect()
}

pub(super) async fn namespaces_take_turns(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    let mut number = 0;
    for (namespace, runs) in [("busy", 100), ("calm", 1), ("idle", 0), ("quiet", 3)] {
        let workflow: WorkflowRef = format!("{namespace}/one").parse().unwrap();
        unit.insert_version(&version(&workflow, "1.0.0")).await.unwrap();
        for _ in 0..runs {
            number += 1;
            let mut run = run(number, user_id(1));
            run.workflow = workflow.clone();
            run.wake_at = Some(at(i64::try_from(number).unwrap()));
            unit.insert_run(&run).await.unwrap();
        }
    }
    unit.commit().await.unwrap();
    let mut last: Option<Name> = None;
    let mut order = Vec::new();
    // However many are taken at once, it is one of each that has any, again and again.
    for limit in [2, 1, 4, 3] {
        let mut unit = subject.unit().await;
        let claimed = unit.claim_runs("node-a", at(999), at(999), LEASE, limit, last.as_ref()).await.unwrap();
        unit.commit().await.unwrap();
        last = claimed.last().map(|claimed| claimed.namespace.clone());
        order.extend(claimed.into_iter().map(|claimed| (claimed.namespace.to_string(), claimed.lease.run)));
    }
    let expected = [
        ("busy", 1),
        ("calm", 101),
        ("quiet", 102),
        ("busy", 2),
        ("quiet", 103),
        ("busy", 3),
        ("quiet", 104),
        ("busy", 4),
        ("busy", 5),
        ("busy", 6),
    ];
    assert_eq!(order, expected.map(|(namespace, number)| (namespace.to_owned(), run_id(number))));
}

pub(super) async fn runs_with_something_to_do_are_claimed_oldest_first(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    for (number, wake) in [(1, Some(30)), (2, Some(10)), (3, None), (4, Some(20)), (5, Some(200))] {
        let mut run = run(number, user_id(1));
        run.wake_at = wake.map(at);
        unit.insert_run(&run).await.unwrap();
    }
    unit.push_inbox(run_id(3), "{}", at(15)).await.unwrap();
    unit.commit().await.unwrap();
    let leases = claim(&subject, "node-a", 100, 3).await;
    assert_eq!(leases.iter().map(|lease| lease.run).collect::<Vec<_>>(), [run_id(2), run_id(3), run_id(4)]);
    for lease in &leases {
        assert_eq!((lease.owner.as_str(), lease.epoch, lease.until), ("node-a", 1, at(130)));
    }
    assert_eq!(claim(&subject, "node-b", 100, 10).await.len(), 1);
    assert_eq!(claim(&subject, "node-a", 129, 10).await, []);
    assert_eq!(claim(&subject, "node-a", 129, 0).await, []);
}

pub(super) async fn two_nodes_never_claim_the_same_run(subject: Subject) {
    subject.organisation(60).await;
    let other = subject.another().await;
    let mut nodes = Vec::new();
    for number in 0..8 {
        let store = if number % 2 == 0 { std::sync::Arc::clone(&*subject) } else { std::sync::Arc::clone(&other) };
        nodes.push(tokio::spawn(async move {
            let mut mine = Vec::new();
            for _ in 0..100 {
                let mut unit = store.begin().await.unwrap();
                let owner = format!("node-{number}");
                let leases = unit.claim_runs(&owner, at(100), at(100), LEASE, 5, None).await.unwrap();
                unit.commit().await.unwrap();
                if leases.is_empty() {
                    break;
                }
                mine.extend(leases.into_iter().map(|claimed| claimed.lease.run));
            }
            mine
        }));
    }
    let mut all = Vec::new();
    for node in nodes {
        all.extend(node.await.unwrap());
    }
    // A claim may find nothing because others hold the rows for a moment; nothing is claimed twice, nothing is lost.
    all.extend(claim(&subject, "last", 100, 100).await.into_iter().map(|lease| lease.run));
    assert_eq!(all.len(), 60);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 60);
    other.close().await;
}

pub(super) async fn a_lease_is_renewed_released_and_taken_over(subject: Subject) {
    subject.organisation(1).await;
    let mut unit = subject.unit().await;
    let (first, claimed) = unit.claim_run(run_id(1), "node-a", at(0), LEASE).await.unwrap().unwrap();
    assert_eq!(Some(claimed), unit.run(run_id(1)).await.unwrap());
    assert_eq!((first.epoch, first.until), (1, at(30)));
    assert_eq!(unit.claim_run(run_id(1), "node-a", at(10), LEASE).await.unwrap(), None);
    assert_eq!(unit.claim_run(run_id(1), "node-b", at(29), LEASE).await.unwrap(), None);
    unit.renew_lease(&first, at(60)).await.unwrap();
    assert_eq!(unit.claim_run(run_id(1), "node-b", at(59), LEASE).await.unwrap(), None);
    let (taken, _) = unit.claim_run(run_id(1), "node-b", at(60), LEASE).await.unwrap().unwrap();
    assert_eq!((taken.owner.as_str(), taken.epoch), ("node-b", 2));
    assert!(matches!(unit.renew_lease(&first, at(99)).await, Err(StoreError::Conflict)));
    unit.release_lease(&first).await.unwrap();
    assert_eq!(unit.claim_run(run_id(1), "node-a", at(61), LEASE).await.unwrap(), None);
    unit.release_lease(&taken).await.unwrap();
    let (back, _) = unit.claim_run(run_id(1), "node-a", at(61), LEASE).await.unwrap().unwrap();
    assert_eq!(back.epoch, 3);
    assert_eq!(unit.claim_run(run_id(9), "node-a", at(61), LEASE).await.unwrap(), None);
    unit.release_all_leases().await.unwrap();
    assert!(matches!(unit.renew_lease(&back, at(99)).await, Err(StoreError::Conflict)));
    let (after_all, _) = unit.claim_run(run_id(1), "node-b", at(62), LEASE).await.unwrap().unwrap();
    assert_eq!((after_all.owner.as_str(), after_all.epoch), ("node-b", 4));
    unit.commit().await.unwrap();
}

fn epoch_of(lease: &Lease, epoch: i64) -> Lease {
    Lease { epoch, ..lease.clone() }
}

pub(super) async fn a_lease_can_be_taken_with_the_first_step(subject: Subject) {
    subject.organisation(1).await;
    let step = async |hold: Hold, owner: &str, epoch: i64, now: i64, expected: i64| {
        let mut unit = subject.unit().await;
        let mut state = unit.run(run_id(1)).await.unwrap().unwrap();
        state.journal_version = expected + 1;
        state.updated_at = at(now);
        state.wake_at = Some(at(0));
        let lease = Lease { run: run_id(1), owner: owner.to_owned(), epoch, until: at(now + 30) };
        unit.advance_run(&lease, &state, expected, &entries(expected + 1..=expected + 1), None, hold).await.unwrap();
        unit.commit().await
    };
    let vacant = async |now: i64| {
        let found = subject.reading().await.vacant_run(run_id(1), at(now)).await.unwrap();
        found.map(|(epoch, run)| (epoch, run.journal_version))
    };
    assert_eq!(vacant(0).await, Some((0, 0)));
    step(Hold::Take, "node-a", 1, 0, 0).await.unwrap();
    assert_eq!((vacant(29).await, vacant(30).await), (None, Some((1, 1))));
    // Somebody else was quicker, and is not yet gone; or has written meanwhile.
    for (epoch, now, expected) in [(1, 0, 1), (2, 29, 1), (2, 30, 0), (3, 30, 1)] {
        let outcome = step(Hold::Take, "node-b", epoch, now, expected).await;
        assert!(matches!(outcome, Err(StoreError::Conflict)), "{epoch} at {now}: {outcome:?}");
    }
    // Whoever takes it, holds it; the one before does not.
    step(Hold::Take, "node-b", 2, 30, 1).await.unwrap();
    assert!(matches!(step(Hold::Keep, "node-a", 1, 31, 2).await, Err(StoreError::Conflict)));
    step(Hold::Release, "node-b", 2, 31, 2).await.unwrap();
    step(Hold::Pass, "node-a", 3, 32, 3).await.unwrap();
    assert_eq!(vacant(33).await, Some((3, 4)));
    assert!(matches!(step(Hold::Keep, "node-a", 3, 33, 4).await, Err(StoreError::Conflict)));
}

pub(super) async fn a_late_writer_is_fenced_off(subject: Subject) {
    subject.organisation(1).await;
    let old = claim(&subject, "node-a", 0, 1).await.remove(0);
    let new = claim(&subject, "node-b", 30, 1).await.remove(0);
    assert_eq!((old.epoch, new.epoch), (1, 2));
    let mut state = subject.reading().await.run(run_id(1)).await.unwrap().unwrap();
    state.status = RunStatus::Running;
    state.journal_version = 1;
    // The owner's name does not help: the epoch counts.
    let forged = Lease { owner: "node-b".to_owned(), ..old.clone() };
    for late in [old, forged] {
        let mut unit = subject.unit().await;
        unit.put_tasks(&[task(run_id(1), "/do/0/late", 1)]).await.unwrap();
        unit.advance_run(&late, &state, 0, &entries(1..=1), None, Hold::Keep).await.unwrap();
        let outcome = unit.commit().await;
        assert!(matches!(outcome, Err(StoreError::Conflict)), "{outcome:?}");
    }
    // Whatever comes next says so, and the unit is lost.
    for lost in [true, false] {
        let mut unit = subject.unit().await;
        unit.put_setting("late", "1").await.unwrap();
        unit.advance_run(&epoch_of(&new, 1), &state, 0, &entries(1..=1), None, Hold::Keep).await.unwrap();
        assert!(matches!(unit.count_users().await, Err(StoreError::Conflict)));
        if lost {
            assert!(unit.commit().await.is_err());
        } else {
            unit.rollback().await.unwrap();
        }
    }
    let mut unit = subject.unit().await;
    unit.advance_run(&new, &state, 0, &entries(1..=1), None, Hold::Release).await.unwrap();
    unit.commit().await.unwrap();
    let mut unit = subject.unit().await;
    assert!(matches!(unit.renew_lease(&new, at(99)).await, Err(StoreError::Conflict)), "the lease was given up");
    unit.rollback().await.unwrap();
    let mut unit = subject.reading().await;
    assert_eq!(unit.run(run_id(1)).await.unwrap().unwrap().status, RunStatus::Running);
    assert_eq!(unit.tasks(run_id(1)).await.unwrap(), []);
    assert_eq!(unit.setting("late").await.unwrap(), None);
    assert_eq!(unit.journal(run_id(1), 0, 10).await.unwrap(), entries(1..=1));
}

pub(super) async fn a_journal_grows_without_gaps_or_forks(subject: Subject) {
    subject.organisation(1).await;
    let lease = claim(&subject, "node-a", 0, 1).await.remove(0);
    let mut unit = subject.unit().await;
    let before = unit.run(run_id(1)).await.unwrap().unwrap();
    let mut state = before.clone();
    state.status = RunStatus::Completed;
    state.needs_attention = true;
    state.rejected = true;
    state.compensated = true;
    state.output = Some("1".to_owned());
    state.error = Some("2".to_owned());
    state.started_at = Some(at(1));
    state.ended_at = Some(at(2));
    state.updated_at = at(3);
    state.wake_at = Some(at(77));
    state.journal_version = 1200;
    // These are not written.
    "changed".clone_into(&mut state.input);
    state.requester_id = user_id(2);
    unit.advance_run(&lease, &state, 0, &entries(1..=1200), None, Hold::Keep).await.unwrap();
    state.input.clone_from(&before.input);
    state.requester_id = before.requester_id;
    assert_eq!(unit.run(run_id(1)).await.unwrap(), Some(state.clone()));
    assert_eq!(unit.journal(run_id(1), 1195, 3).await.unwrap(), entries(1196..=1198));
    assert_eq!(unit.journal(run_id(1), 1200, 3).await.unwrap(), []);
    unit.advance_run(&lease, &state, 1200, &[], None, Hold::Keep).await.unwrap();
    unit.commit().await.unwrap();

    let mut unit = subject.unit().await;
    state.journal_version = 1201;
    unit.advance_run(&lease, &state, 1199, &entries(1200..=1201), None, Hold::Keep).await.unwrap();
    let outdated = unit.commit().await;
    assert!(matches!(outdated, Err(StoreError::Conflict)), "{outdated:?}");
    let mut unit = subject.unit().await;
    for (expected, given) in [(1200, entries(1202..=1202)), (1200, entries(1201..=1202)), (1200, vec![])] {
        let wrong = unit.advance_run(&lease, &state, expected, &given, None, Hold::Keep).await;
        assert!(matches!(wrong, Err(StoreError::Inconsistent(_))), "{wrong:?}");
    }
    unit.advance_run(&lease, &state, 1200, &entries(1201..=1201), None, Hold::Keep).await.unwrap();
    unit.commit().await.unwrap();
}

pub(super) async fn an_event_makes_a_run_claimable_until_it_is_taken(subject: Subject) {
    subject.organisation(0).await;
    let mut sleeping = run(1, user_id(1));
    sleeping.wake_at = None;
    let mut unit = subject.unit().await;
    unit.insert_run(&sleeping).await.unwrap();
    unit.commit().await.unwrap();
    assert_eq!(claim(&subject, "node-a", 50, 1).await, []);

    let mut unit = subject.unit().await;
    unit.push_inbox(run_id(1), "{\"n\":1}", at(10)).await.unwrap();
    unit.push_inbox(run_id(1), "{\"n\":2}", at(20)).await.unwrap();
    unit.commit().await.unwrap();
    assert_eq!(claim(&subject, "node-a", 9, 1).await, []);
    let lease = claim(&subject, "node-a", 50, 1).await.remove(0);
    let mut unit = subject.unit().await;
    let items = unit.inbox(run_id(1)).await.unwrap();
    assert_eq!(items.iter().map(|item| item.event.as_str()).collect::<Vec<_>>(), ["{\"n\":1}", "{\"n\":2}"]);
    unit.advance_run(&lease, &sleeping, 0, &[], Taken::all(&items[..1]), Hold::Release).await.unwrap();
    assert_eq!(unit.inbox(run_id(1)).await.unwrap(), items[1..]);
    unit.commit().await.unwrap();
    // One is left.
    let lease = claim(&subject, "node-b", 20, 1).await.remove(0);
    let mut unit = subject.unit().await;
    unit.advance_run(&lease, &sleeping, 0, &[], Taken::all(&items[1..]), Hold::Release).await.unwrap();
    unit.commit().await.unwrap();
    assert_eq!(claim(&subject, "node-a", 100, 1).await, []);
    let error = subject.unit().await.push_inbox(run_id(9), "{}", at(0)).await.unwrap_err();
    assert!(matches!(error, StoreError::Reference(_)), "{error:?}");
}

pub(super) async fn events_pushed_at_once_are_all_seen(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    let mut sleeping = run(1, user_id(1));
    sleeping.wake_at = None;
    unit.insert_run(&sleeping).await.unwrap();
    unit.commit().await.unwrap();
    let mut pushers = Vec::new();
    for number in 0..40 {
        let subject = subject.clone();
        pushers.push(tokio::spawn(async move {
            let mut unit = subject.unit().await;
            unit.push_inbox(run_id(1), &format!("{number}"), at(number)).await.unwrap();
            unit.commit().await.unwrap();
        }));
    }
    let taker = {
        let subject = subject.clone();
        tokio::spawn(async move {
            let mut seen = BTreeSet::new();
            while seen.len() < 40 {
                // Whatever is in the inbox makes the run claimable again, and it is said to be there as often as it is.
                let mut unit = subject.unit().await;
                if let Some((lease, state)) = unit.claim_run(run_id(1), "node-a", at(100), LEASE).await.unwrap() {
                    let items = unit.inbox(run_id(1)).await.unwrap();
                    unit.advance_run(&lease, &state, 0, &[], Taken::all(&items), Hold::Release).await.unwrap();
                    seen.extend(items.into_iter().map(|item| item.event));
                }
                unit.commit().await.unwrap();
                tokio::task::yield_now().await;
            }
        })
    };
    for pusher in pushers {
        pusher.await.unwrap();
    }
    tokio::time::timeout(Duration::from_secs(30), taker).await.expect("an event was lost").unwrap();
    assert_eq!(claim(&subject, "node-a", 100, 1).await, []);
}

pub(super) async fn a_run_without_anything_to_do_is_not_claimed(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    for (number, wake) in [(1, Some(50)), (2, None), (3, None)] {
        let mut run = run(number, user_id(1));
        run.wake_at = wake.map(at);
        unit.insert_run(&run).await.unwrap();
    }
    unit.push_inbox(run_id(3), "{}", at(20)).await.unwrap();
    for (number, now, claimed) in [(1, 49, false), (1, 50, true), (2, 99, false), (3, 20, true)] {
        let lease = unit.claim_run(run_id(number), "node-a", at(now), LEASE).await.unwrap();
        assert_eq!(lease.is_some(), claimed, "{number} at {now}");
    }
    unit.release_all_leases().await.unwrap();
    // What is due soon can be claimed ahead of time, and what another holds now can not.
    let ahead = unit.claim_runs("node-a", at(40), at(49), LEASE, 9, None).await.unwrap();
    assert_eq!(ahead.iter().map(|claimed| claimed.lease.run).collect::<Vec<_>>(), [run_id(3)]);
    let ahead = unit.claim_runs("node-b", at(40), at(50), LEASE, 9, None).await.unwrap();
    let ahead: Vec<_> = ahead.iter().map(|claimed| (claimed.lease.run, claimed.lease.until)).collect();
    assert_eq!(ahead, [(run_id(1), at(70))]);
    unit.commit().await.unwrap();
}
