use std::time::Duration;

use domain::{RunStatus, WaitsFor};
use store::{
    StoreError,
    limits::{Claimant, NamespaceLimits, Place},
    runs::{Hold, Taken},
};

use super::Subject;
use crate::fixtures::{at, entries, run_id, user_id};

const LEASE: Duration = Duration::from_secs(30);

fn of_run(number: u128) -> Claimant {
    Claimant { run: run_id(number), call: None }
}

fn of_call(number: u128, call: u32) -> Claimant {
    Claimant { run: run_id(number), call: Some(call) }
}

fn taken(scope: &str, claimant: Claimant) -> Place {
    Place { scope: scope.to_owned(), claimant, epoch: 1, since: at(1), waits: false, taken_at: Some(at(2)) }
}

fn waiting(scope: &str, claimant: Claimant, since: i64) -> Place {
    Place { scope: scope.to_owned(), claimant, epoch: 1, since: at(since), waits: true, taken_at: None }
}

pub(super) async fn limits_of_namespaces_are_replaced_and_removed(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    let limits = |namespace: &str, runs, calls| NamespaceLimits {
        namespace: namespace.parse().unwrap(),
        runs,
        calls,
        changed_by: user_id(1),
        changed_at: at(7),
    };
    let (identity, incident) = (limits("identity", Some(5), None), limits("incident", None, Some(9)));
    unit.put_namespace_limits(&incident).await.unwrap();
    unit.put_namespace_limits(&limits("identity", Some(1), Some(1))).await.unwrap();
    unit.put_namespace_limits(&identity).await.unwrap();
    assert_eq!(unit.list_namespace_limits().await.unwrap(), [identity.clone(), incident.clone()]);
    assert_eq!(unit.namespace_limits(&incident.namespace).await.unwrap(), Some(incident.clone()));
    assert!(unit.delete_namespace_limits(&incident.namespace).await.unwrap());
    assert!(!unit.delete_namespace_limits(&incident.namespace).await.unwrap());
    assert_eq!(unit.list_namespace_limits().await.unwrap(), [identity]);
}

pub(super) async fn a_place_counts_until_its_run_ends_or_its_lease(subject: Subject) {
    subject.organisation(2).await;
    let mut unit = subject.unit().await;
    let (lease, mut run) = unit.claim_run(run_id(1), "node-a", at(0), LEASE).await.unwrap().unwrap();
    for place in [taken("w", of_run(1)), taken("w", of_run(2)), taken("c", of_call(1, 0)), taken("c", of_call(2, 1))] {
        unit.insert_place(&place).await.unwrap();
    }
    assert_eq!(unit.places_of(of_call(1, 0)).await.unwrap(), [taken("c", of_call(1, 0))]);
    assert_eq!(unit.places_of(of_call(1, 1)).await.unwrap(), []);
    assert_eq!(unit.count_taken("w", at(99)).await.unwrap(), 2);
    // Nobody has a lease on the second run, and that of the first ends.
    assert_eq!(unit.count_taken("c", at(29)).await.unwrap(), 1);
    assert_eq!(unit.count_taken("c", at(30)).await.unwrap(), 0);
    assert!(unit.lease_is_held(&lease).await.unwrap());
    run.status = RunStatus::Completed;
    run.journal_version = 1;
    unit.advance_run(&lease, &run, 0, &entries(1..=1), None, Hold::Keep).await.unwrap();
    assert_eq!(unit.count_taken("w", at(9)).await.unwrap(), 1);
    unit.commit().await.unwrap();
    let mut unit = subject.unit().await;
    let (_, _) = unit.claim_run(run_id(1), "node-b", at(60), LEASE).await.unwrap().unwrap();
    assert_eq!(unit.count_taken("c", at(60)).await.unwrap(), 0, "the place of an earlier owner");
    assert!(!unit.lease_is_held(&lease).await.unwrap());
    unit.release_all_leases().await.unwrap();
    unit.prune_places(at(0)).await.unwrap();
    assert_eq!(unit.places_of(of_run(1)).await.unwrap(), []);
    assert_eq!(unit.delete_places(of_run(2), Some(2)).await.unwrap(), Vec::<String>::new(), "those of another owner");
    assert_eq!(unit.delete_places(of_run(2), Some(1)).await.unwrap(), ["w"]);
    assert_eq!(unit.delete_places(of_run(2), None).await.unwrap(), Vec::<String>::new());
    unit.insert_place(&taken("w", of_run(2))).await.unwrap();
    let twice = unit.insert_place(&taken("w", of_run(2))).await;
    assert!(matches!(twice, Err(StoreError::Duplicate(_))), "{twice:?}");
}

pub(super) async fn who_waits_longest_is_served_first(subject: Subject) {
    subject.organisation(4).await;
    let mut unit = subject.unit().await;
    unit.lock_scope("c").await.unwrap();
    for (claimant, since) in [(of_call(1, 3), 20), (of_call(2, 1), 10), (of_call(3, 1), 10), (of_call(4, 1), 5)] {
        let (lease, _) = unit.claim_run(claimant.run, "node-a", at(0), LEASE).await.unwrap().unwrap();
        unit.insert_place(&waiting("c", claimant, since)).await.unwrap();
        // The last one neither says that it waits, nor is anybody at it.
        if claimant.run == run_id(4) {
            unit.release_lease(&lease).await.unwrap();
        } else {
            unit.hold_run(&lease, WaitsFor::Connection, at(500)).await.unwrap();
        }
    }
    unit.insert_place(&waiting("other", of_call(1, 4), 1)).await.unwrap();
    assert_eq!(unit.first_waiting("c", at(9)).await.unwrap(), Some(waiting("c", of_call(2, 1), 10)));
    assert_eq!(unit.first_waiting("nothing", at(9)).await.unwrap(), None);
    for (claimant, since, before) in [(of_call(2, 1), 10, 0), (of_call(3, 1), 10, 1), (of_call(1, 3), 20, 2)] {
        assert_eq!(unit.count_waiting("c", at(since), claimant, at(9)).await.unwrap(), before, "{claimant:?}");
    }
    assert_eq!(unit.count_taken("c", at(9)).await.unwrap(), 0);
}

pub(super) async fn what_has_begun_is_found_by_its_rank(subject: Subject) {
    subject.organisation(1).await;
    let mut unit = subject.unit().await;
    for (scope, begun) in [("c", 10), ("c", 30), ("c", 20), ("d", 40)] {
        unit.insert_start(scope, of_call(1, 1), at(begun)).await.unwrap();
    }
    unit.insert_start("c", of_call(1, 1), at(10)).await.unwrap();
    for (nth, begun) in [(1, Some(30)), (2, Some(20)), (3, Some(10)), (4, None)] {
        assert_eq!(unit.nth_latest_start("c", nth).await.unwrap(), begun.map(at), "{nth}");
    }
    unit.prune_places(at(20)).await.unwrap();
    assert_eq!(unit.nth_latest_start("c", 2).await.unwrap(), Some(at(20)));
    assert_eq!(unit.nth_latest_start("c", 3).await.unwrap(), None);
}

pub(super) async fn a_held_run_is_claimed_when_it_is_roused_or_its_time_comes(subject: Subject) {
    subject.organisation(0).await;
    let mut run = crate::fixtures::run(1, user_id(1));
    run.wake_at = None;
    let mut unit = subject.unit().await;
    unit.insert_run(&run).await.unwrap();
    unit.push_inbox(run_id(1), "{}", at(10)).await.unwrap();
    unit.commit().await.unwrap();

    let mut unit = subject.unit().await;
    let (lease, _) = unit.claim_run(run_id(1), "node-a", at(10), LEASE).await.unwrap().unwrap();
    unit.rouse_run(run_id(1), at(11)).await.unwrap();
    unit.hold_run(&lease, WaitsFor::Workflow, at(100)).await.unwrap();
    assert_eq!(unit.run(run_id(1)).await.unwrap().unwrap().waits_for, Some(WaitsFor::Workflow));
    assert_eq!(unit.inbox(run_id(1)).await.unwrap().len(), 1, "what came in is still there");
    assert_eq!(unit.claim_run(run_id(1), "node-a", at(99), LEASE).await.unwrap(), None);
    let late = unit.hold_run(&lease, WaitsFor::Workflow, at(100)).await;
    assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
    unit.rouse_run(run_id(1), at(50)).await.unwrap();
    let (lease, mut held) = unit.claim_run(run_id(1), "node-a", at(50), LEASE).await.unwrap().unwrap();
    unit.hold_run(&lease, WaitsFor::Namespace, at(100)).await.unwrap();
    let (lease, _) = unit.claim_run(run_id(1), "node-b", at(100), LEASE).await.unwrap().unwrap();
    // It begins, and is held no more.
    held.waits_for = None;
    held.wake_at = None;
    held.journal_version = 1;
    let taken = Taken::all(&unit.inbox(run_id(1)).await.unwrap());
    unit.advance_run(&lease, &held, 0, &entries(1..=1), taken, Hold::Release).await.unwrap();
    unit.rouse_run(run_id(1), at(101)).await.unwrap();
    assert_eq!(unit.claim_run(run_id(1), "node-a", at(999), LEASE).await.unwrap(), None);
    unit.commit().await.unwrap();
}
