use std::{collections::BTreeSet, sync::Arc};

use store::{
    StoreError, UnitOfWork,
    events::{EventKey, Filter, NewEvent, Subscriber},
};

use super::Subject;
use crate::fixtures::{at, run_id, workflow};

const ANYTHING: Filter<'static> = Filter { kind: None, source: None };

fn kind(kind: &str) -> Filter<'_> {
    Filter { kind: Some(kind), source: None }
}

fn subscriber(run: u128, subscription: u32) -> Subscriber {
    Subscriber { run: run_id(run), subscription }
}

async fn publish(unit: &mut dyn UnitOfWork, kind: &str, source: &str, id: &str, seconds: i64) -> bool {
    let event = NewEvent { key: EventKey { kind, source, id }, about: None, received_at: at(seconds), body: id };
    unit.insert_event(&event).await.unwrap()
}

async fn missed(unit: &mut dyn UnitOfWork, run: u128, filters: &[Filter<'_>], since: i64) -> Vec<String> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = unit.missed_events(run_id(run), filters, at(since), after, 2).await.unwrap();
        let Some(last) = page.last() else { return found };
        after = Some((last.received_at, last.seq));
        found.extend(page.into_iter().map(|event| event.body));
    }
}

pub(super) async fn an_event_is_kept_once(subject: Subject) {
    let mut unit = subject.unit().await;
    assert!(publish(&mut *unit, "opened", "/a", "1", 0).await);
    assert!(!publish(&mut *unit, "closed", "/a", "1", 1).await);
    // Where one text ends and the other begins is part of what tells events apart.
    assert!(publish(&mut *unit, "opened", "/a1", "", 2).await);
    assert!(publish(&mut *unit, "opened", "/", "a1", 3).await);
    let long = "x".repeat(1_000_000);
    assert!(publish(&mut *unit, &long, &long, &long, 4).await);
    assert!(!publish(&mut *unit, "opened", &long, &long, 4).await);
    // What no text of PostgreSQL can hold may still be asked for.
    unit.open_subscription(subscriber(1, 1), &[]).await.unwrap();
    assert_eq!(unit.subscribers("a\0b", "/").await.unwrap(), []);
}

pub(super) async fn an_event_finds_those_who_admit_it(subject: Subject) {
    subject.organisation(4).await;
    let mut unit = subject.unit().await;
    let doors = Filter { kind: None, source: Some("/doors") };
    let both = Filter { kind: Some("opened"), source: Some("/doors") };
    unit.open_subscription(subscriber(1, 1), &[kind("opened"), kind("closed")]).await.unwrap();
    unit.open_subscription(subscriber(1, 2), &[kind("closed")]).await.unwrap();
    unit.open_subscription(subscriber(2, 1), &[doors, both]).await.unwrap();
    unit.open_subscription(subscriber(3, 9), &[ANYTHING]).await.unwrap();
    unit.open_subscription(subscriber(3, 9), &[ANYTHING]).await.unwrap();
    let all = |found: &[(u128, u32)]| found.iter().map(|(run, number)| subscriber(*run, *number)).collect::<Vec<_>>();
    assert_eq!(unit.subscribers("opened", "/doors").await.unwrap(), all(&[(1, 1), (2, 1), (3, 9)]));
    assert_eq!(unit.subscribers("closed", "/windows").await.unwrap(), all(&[(1, 1), (1, 2), (3, 9)]));
    assert_eq!(unit.subscribers("other", "/doors").await.unwrap(), all(&[(2, 1), (3, 9)]));
    assert!(unit.is_anybody_listening(&["other"], "/windows", run_id(1), &workflow()).await.unwrap());
    assert!(!unit.is_anybody_listening(&["other"], "/windows", run_id(3), &workflow()).await.unwrap());
    assert!(unit.is_anybody_listening(&["other", "closed"], "/windows", run_id(3), &workflow()).await.unwrap());
    unit.close_subscription(subscriber(1, 1)).await.unwrap();
    unit.close_subscription(subscriber(1, 1)).await.unwrap();
    unit.close_subscriptions(run_id(3)).await.unwrap();
    assert_eq!(unit.subscribers("closed", "/doors").await.unwrap(), all(&[(1, 2), (2, 1)]));
    assert!(!unit.is_anybody_listening(&["opened"], "/windows", run_id(4), &workflow()).await.unwrap());
}

pub(super) async fn a_unit_is_refused_as_a_whole_if_somebody_listens(subject: Subject) {
    subject.organisation(2).await;
    let mut unit = subject.unit().await;
    unit.open_subscription(subscriber(1, 1), &[kind("told")]).await.unwrap();
    unit.commit().await.unwrap();
    for reads in [false, true] {
        for (about, is_heard) in [(run_id(1), false), (run_id(2), true)] {
            let mut unit = subject.unit().await;
            if reads {
                unit.setting("any").await.unwrap();
            }
            unit.put_snapshot(run_id(1), 1, &format!("{is_heard} {reads}")).await.unwrap();
            unit.refuse_if_heard(&["silent", "told"], "/a", about, &workflow()).await.unwrap();
            let outcome = unit.commit().await;
            assert_eq!(matches!(outcome, Err(StoreError::Heard)), is_heard, "{outcome:?}");
        }
        let kept = subject.unit().await.snapshot_of(run_id(1)).await.unwrap();
        assert_eq!(kept, Some((1, format!("false {reads}"))));
    }
    let mut unit = subject.unit().await;
    unit.refuse_if_heard(&["silent"], "/a", run_id(2), &workflow()).await.unwrap();
    unit.commit().await.unwrap();
}

pub(super) async fn who_subscribes_finds_what_was_missed_in_order(subject: Subject) {
    subject.organisation(2).await;
    let mut unit = subject.unit().await;
    for (name, source, id, seconds) in [
        ("opened", "/a", "before", 9),
        ("opened", "/a", "first", 10),
        ("closed", "/b", "second", 10),
        ("opened", "/b", "third", 10),
        ("closed", "/a", "fourth", 12),
        ("opened", "/a", "fifth", 11),
    ] {
        assert!(publish(&mut *unit, name, source, id, seconds).await);
    }
    let about = NewEvent {
        key: EventKey { kind: "opened", source: "/runs", id: "own" },
        about: Some(run_id(1)),
        received_at: at(13),
        body: "own",
    };
    assert!(unit.insert_event(&about).await.unwrap());
    assert_eq!(missed(&mut *unit, 1, &[kind("opened")], 10).await, ["first", "third", "fifth"]);
    assert_eq!(missed(&mut *unit, 2, &[kind("opened")], 10).await, ["first", "third", "fifth", "own"]);
    let mixed = [Filter { kind: Some("closed"), source: Some("/b") }, Filter { kind: None, source: Some("/a") }];
    assert_eq!(missed(&mut *unit, 1, &mixed, 10).await, ["first", "second", "fifth", "fourth"]);
    assert_eq!(missed(&mut *unit, 1, &[ANYTHING], 11).await, ["fifth", "fourth"]);
    assert_eq!(missed(&mut *unit, 1, &[], 0).await, [""; 0]);
}

pub(super) async fn what_was_consumed_is_not_found_again(subject: Subject) {
    subject.organisation(2).await;
    let mut unit = subject.unit().await;
    publish(&mut *unit, "opened", "/a", "1", 1).await;
    publish(&mut *unit, "opened", "/a", "2", 2).await;
    unit.put_consumed(run_id(1), "/a", "1", at(3)).await.unwrap();
    unit.put_consumed(run_id(1), "/a", "1", at(4)).await.unwrap();
    assert_eq!(missed(&mut *unit, 1, &[ANYTHING], 0).await, ["2"]);
    assert_eq!(missed(&mut *unit, 2, &[ANYTHING], 0).await, ["1", "2"]);
}

/// Many who publish and many who subscribe at the same moment: whoever subscribed has each event by one way or the other.
pub(super) async fn no_event_is_lost_between_two_who_meet(subject: Subject) {
    const EACH: u128 = 40;
    subject.organisation(EACH).await;
    let other = subject.another().await;
    let publishing = tokio::spawn({
        let store = Arc::clone(&*subject);
        async move {
            let mut routed = BTreeSet::new();
            for number in 0..EACH {
                let mut unit = store.begin().await.unwrap();
                let id = number.to_string();
                assert!(publish(&mut *unit, "opened", "/a", &id, 1).await);
                for found in unit.subscribers("opened", "/a").await.unwrap() {
                    routed.insert((found.run, id.clone()));
                }
                unit.commit().await.unwrap();
            }
            routed
        }
    });
    let mut found = BTreeSet::new();
    for number in 1..=EACH {
        let mut unit = other.begin().await.unwrap();
        unit.open_subscription(subscriber(number, 1), &[kind("opened")]).await.unwrap();
        for id in missed(&mut *unit, number, &[kind("opened")], 0).await {
            found.insert((run_id(number), id));
        }
        unit.commit().await.unwrap();
    }
    let routed = publishing.await.unwrap();
    assert!(routed.is_disjoint(&found), "an event came by both ways");
    assert_eq!(routed.len() + found.len(), usize::try_from(EACH * EACH).unwrap());
}

pub(super) async fn old_events_are_forgotten_oldest_first(subject: Subject) {
    subject.organisation(1).await;
    let mut unit = subject.unit().await;
    for number in 0..5 {
        let id = number.to_string();
        publish(&mut *unit, "opened", "/a", &id, number).await;
        unit.put_consumed(run_id(1), "/a", &id, at(number)).await.unwrap();
    }
    assert_eq!(unit.prune_events(at(4), 3).await.unwrap(), 3);
    assert_eq!(missed(&mut *unit, 2, &[ANYTHING], 0).await, ["3", "4"]);
    assert_eq!(missed(&mut *unit, 1, &[ANYTHING], 0).await, [""; 0]);
    assert_eq!(unit.prune_events(at(4), 100).await.unwrap(), 1 + 4);
    assert_eq!(unit.prune_events(at(4), 100).await.unwrap(), 0);
    assert!(publish(&mut *unit, "opened", "/a", "0", 9).await, "what is forgotten may come again");
    assert_eq!(missed(&mut *unit, 1, &[ANYTHING], 0).await, ["0"]);
}
