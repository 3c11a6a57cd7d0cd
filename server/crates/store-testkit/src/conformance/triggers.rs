use std::time::Duration;

use domain::{AlertEnd, TriggerKind, TriggerOutcome};
use store::{
    StoreError,
    triggers::{Alert, Delivery, Kept, Signing, Trigger},
};

use super::Subject;
use crate::fixtures::{at, delivery, run, run_id, trigger, trigger_id, user_id};

async fn with(subject: &Subject, triggers: &[Trigger]) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    for trigger in triggers {
        assert!(unit.insert_trigger(trigger).await.unwrap());
    }
    unit.commit().await.unwrap();
}

pub(super) async fn a_trigger_is_stored_whole_and_takes_its_deliveries_along(subject: Subject) {
    let whole = Trigger {
        kind: TriggerKind::Grafana,
        filter: Some(".x".to_owned()),
        signing: Signing { signature: Some("s".to_owned()), time: Some("t".to_owned()), id: Some("i".to_owned()) },
        alert_end: AlertEnd::Close,
        enabled: false,
        ..trigger(1, "whole")
    };
    let bare = trigger(2, "bare");
    with(&subject, &[whole.clone(), bare.clone()]).await;
    let mut unit = subject.unit().await;
    assert!(!unit.insert_trigger(&Trigger { place: "other".to_owned(), ..trigger(3, "bare") }).await.unwrap());
    assert_eq!(unit.list_triggers().await.unwrap(), [bare.clone(), whole.clone()]);
    assert_eq!(unit.trigger(whole.id).await.unwrap(), Some(whole.clone()));
    assert_eq!(unit.trigger_by_place("place-2").await.unwrap(), Some(bare.clone()));
    assert_eq!(unit.trigger_by_place("place-3").await.unwrap(), None);
    let changed = Trigger { mapping: ".".to_owned(), enabled: true, changed_at: at(9), ..whole.clone() };
    assert!(unit.update_trigger(&changed).await.unwrap());
    assert_eq!(unit.lock_trigger(whole.id).await.unwrap(), Some(changed));
    unit.insert_delivery(&delivery(1, "a", at(1))).await.unwrap();
    assert!(unit.delete_trigger(whole.id).await.unwrap());
    assert!(!unit.delete_trigger(whole.id).await.unwrap());
    assert!(!unit.update_trigger(&whole).await.unwrap());
    assert_eq!(unit.delivery_by_key(whole.id, "a").await.unwrap(), None);
    assert!(matches!(unit.insert_delivery(&delivery(1, "a", at(1))).await, Err(StoreError::Conflict)));
}

pub(super) async fn deliveries_are_numbered_found_by_key_and_paged(subject: Subject) {
    with(&subject, &[trigger(1, "one"), trigger(2, "two")]).await;
    let mut unit = subject.unit().await;
    let launched = run(1, user_id(1));
    unit.insert_run(&launched).await.unwrap();
    for key in ["a", "b", "c"] {
        unit.insert_delivery(&delivery(1, key, at(1))).await.unwrap();
    }
    let whole = Delivery {
        number: 4,
        payload: None,
        outcome: TriggerOutcome::Launched,
        detail: Some("because".to_owned()),
        run: Some((run_id(1), 7)),
        fingerprint: Some("f".to_owned()),
        replay: Some((2, user_id(1))),
        ..delivery(1, "d", at(2))
    };
    assert_eq!(unit.insert_delivery(&whole).await.unwrap(), 4);
    assert_eq!(unit.insert_delivery(&delivery(2, "a", at(3))).await.unwrap(), 1, "each trigger has its own numbers");
    assert_eq!(unit.delivery(trigger_id(1), 4).await.unwrap(), Some(whole.clone()));
    assert_eq!(unit.delivery_by_key(trigger_id(1), "d").await.unwrap(), Some(whole.clone()));
    assert_eq!(unit.delivery_by_key(trigger_id(1), "e").await.unwrap(), None);
    assert_eq!(unit.trigger(trigger_id(1)).await.unwrap().unwrap().deliveries, 4);
    let again = Delivery {
        payload: Some("what it said last".to_owned()),
        outcome: TriggerOutcome::Refused,
        run: None,
        repeats: 2,
        repeated_at: Some(at(9)),
        ..whole
    };
    unit.update_delivery(&again).await.unwrap();
    let numbers = |page: Vec<Delivery>| page.into_iter().map(|one| one.number).collect::<Vec<_>>();
    assert_eq!(unit.list_deliveries(trigger_id(1), None, None, 1).await.unwrap(), [again]);
    assert_eq!(numbers(unit.list_deliveries(trigger_id(1), None, Some(4), 2).await.unwrap()), [3, 2]);
    let filtered = unit.list_deliveries(trigger_id(1), Some(TriggerOutcome::Filtered), None, 9).await.unwrap();
    assert_eq!(numbers(filtered), [3, 2, 1]);
    let twice = unit.insert_delivery(&delivery(1, "a", at(5))).await;
    assert!(matches!(twice, Err(StoreError::Duplicate(_))), "{twice:?}");
}

pub(super) async fn of_two_units_one_delivers_to_a_trigger_at_a_time(subject: Subject) {
    with(&subject, &[trigger(1, "busy")]).await;
    let deliver = async |name: &str| {
        let mut launched = 0;
        for number in 0..10 {
            let mut unit = subject.unit().await;
            let key = format!("k-{number}");
            unit.lock_trigger(trigger_id(1)).await.unwrap();
            if unit.delivery_by_key(trigger_id(1), &key).await.unwrap().is_none() {
                let new = Delivery { detail: Some(name.to_owned()), ..delivery(1, &key, at(number)) };
                unit.insert_delivery(&new).await.unwrap();
                launched += 1;
            }
            unit.commit().await.unwrap();
        }
        launched
    };
    let (mine, yours) = tokio::join!(deliver("mine"), deliver("yours"));
    assert_eq!(mine + yours, 10);
    let mut unit = subject.unit().await;
    assert_eq!(unit.list_deliveries(trigger_id(1), None, None, 100).await.unwrap().len(), 10);
}

pub(super) async fn old_and_many_deliveries_are_forgotten(subject: Subject) {
    with(&subject, &[trigger(1, "one"), trigger(2, "two")]).await;
    let mut unit = subject.unit().await;
    unit.insert_run(&run(1, user_id(1))).await.unwrap();
    for (number, time) in [(1, 0), (1, 50), (1, 51), (1, 99), (2, 10)] {
        unit.insert_delivery(&delivery(number, &format!("k-{time}"), at(time))).await.unwrap();
    }
    for (fingerprint, seen) in [("old", 0), ("new", 90)] {
        unit.put_trigger_alert(&alert(fingerprint, seen)).await.unwrap();
    }
    let kept = Kept { time: Duration::from_mins(1), number: 1, spared: Duration::from_secs(20) };
    // At most one of each: the oldest, the first of those that are too many and not spared, and the alert of which nothing was heard.
    assert_eq!(unit.prune_deliveries(at(100), kept, 1).await.unwrap(), 3);
    assert_eq!(unit.prune_deliveries(at(100), kept, 10).await.unwrap(), 2);
    assert_eq!(unit.prune_deliveries(at(100), kept, 10).await.unwrap(), 0);
    let left = unit.list_deliveries(trigger_id(1), None, None, 9).await.unwrap();
    assert_eq!(left.iter().map(|one| one.number).collect::<Vec<_>>(), [4]);
    assert!(unit.list_deliveries(trigger_id(2), None, None, 9).await.unwrap().is_empty());
    assert_eq!(unit.trigger_alert(trigger_id(1), "old").await.unwrap(), None);
    assert_eq!(unit.trigger_alert(trigger_id(1), "new").await.unwrap(), Some(alert("new", 90)));
}

fn alert(fingerprint: &str, seen: i64) -> Alert {
    Alert {
        trigger: trigger_id(1),
        fingerprint: fingerprint.to_owned(),
        starts_at: "2026-11-27T10:00:00Z".to_owned(),
        run: run_id(1),
        resolved_at: None,
        seen_at: at(seen),
    }
}

pub(super) async fn an_alert_is_known_by_its_fingerprint(subject: Subject) {
    with(&subject, &[trigger(1, "one"), trigger(2, "two")]).await;
    let mut unit = subject.unit().await;
    unit.insert_run(&run(1, user_id(1))).await.unwrap();
    assert_eq!(unit.trigger_alert(trigger_id(1), "f").await.unwrap(), None);
    unit.put_trigger_alert(&alert("f", 1)).await.unwrap();
    assert_eq!(unit.trigger_alert(trigger_id(1), "f").await.unwrap(), Some(alert("f", 1)));
    assert_eq!(unit.trigger_alert(trigger_id(2), "f").await.unwrap(), None);
    let resolved = Alert { resolved_at: Some(at(2)), starts_at: "later".to_owned(), ..alert("f", 2) };
    unit.put_trigger_alert(&resolved).await.unwrap();
    assert_eq!(unit.trigger_alert(trigger_id(1), "f").await.unwrap(), Some(resolved));
}
