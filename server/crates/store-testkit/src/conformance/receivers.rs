use store::receivers::{Reached, Receiver};

use super::Subject;
use crate::fixtures::at;

fn reached(entries: i64, checkpoint: i64) -> Reached {
    Reached { entries, checkpoint: Some(checkpoint) }
}

pub(super) async fn a_receiver_begins_where_it_is_told_and_never_goes_back(subject: Subject) {
    let mut unit = subject.unit().await;
    assert_eq!(unit.receiver("siem").await.unwrap(), None);
    assert!(unit.insert_receiver("siem", Reached::default()).await.unwrap());
    assert!(unit.insert_receiver("archive", reached(4, 3)).await.unwrap());
    assert!(!unit.insert_receiver("siem", reached(9, 9)).await.unwrap(), "it is known");
    let fresh = Receiver {
        name: "siem".to_owned(),
        reached: Reached::default(),
        succeeded_at: None,
        failing_since: None,
        failure: None,
        holder: None,
        held_until: None,
    };
    assert_eq!(unit.receiver("siem").await.unwrap(), Some(fresh.clone()));
    assert!(!unit.note_delivery("siem", "node-a", reached(5, 5), at(1), at(9)).await.unwrap(), "nobody holds it");
    assert!(unit.take_receiver("siem", "node-a", at(0), at(9)).await.unwrap());
    assert!(unit.note_delivery("siem", "node-a", reached(5, 5), at(1), at(12)).await.unwrap());
    for less in [reached(4, 5), reached(5, 4), Reached { entries: 9, checkpoint: None }] {
        assert!(!unit.note_delivery("siem", "node-a", less, at(2), at(12)).await.unwrap(), "{less:?}");
    }
    let now = Receiver {
        reached: reached(5, 5),
        succeeded_at: Some(at(1)),
        holder: Some("node-a".to_owned()),
        held_until: Some(at(12)),
        ..fresh
    };
    let listed = unit.list_receivers().await.unwrap();
    assert_eq!(listed.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["archive", "siem"]);
    assert_eq!(listed.last(), Some(&now));
    unit.commit().await.unwrap();
}

pub(super) async fn a_receiver_is_failing_until_it_takes_something(subject: Subject) {
    let mut unit = subject.unit().await;
    unit.insert_receiver("siem", Reached::default()).await.unwrap();
    for (second, failure) in [(3, "no route"), (5, "nobody answers: 김")] {
        assert!(unit.take_receiver("siem", "node-a", at(second), at(second + 9)).await.unwrap());
        assert!(unit.note_delivery_failure("siem", "node-a", failure, at(second)).await.unwrap());
    }
    let failing = unit.receiver("siem").await.unwrap().unwrap();
    assert_eq!((failing.failing_since, failing.failure.as_deref()), (Some(at(3)), Some("nobody answers: 김")));
    assert_eq!((failing.holder, failing.held_until), (None, None), "others may try");
    assert!(!unit.note_delivery_failure("siem", "node-a", "again", at(6)).await.unwrap(), "it is not held");
    assert!(unit.take_receiver("siem", "node-b", at(6), at(9)).await.unwrap());
    assert!(unit.note_delivery("siem", "node-b", reached(1, 1), at(7), at(9)).await.unwrap());
    let mended = unit.receiver("siem").await.unwrap().unwrap();
    assert_eq!((mended.failing_since, mended.failure, mended.succeeded_at), (None, None, Some(at(7))));
    unit.commit().await.unwrap();
}

pub(super) async fn one_node_at_a_time_holds_a_receiver(subject: Subject) {
    let mut unit = subject.unit().await;
    unit.insert_receiver("siem", Reached::default()).await.unwrap();
    assert!(unit.take_receiver("siem", "node-a", at(0), at(5)).await.unwrap());
    assert!(!unit.take_receiver("siem", "node-b", at(4), at(9)).await.unwrap());
    assert!(unit.take_receiver("siem", "node-a", at(4), at(6)).await.unwrap(), "it may be kept");
    assert!(unit.take_receiver("siem", "node-b", at(6), at(9)).await.unwrap(), "it has ended");
    assert!(!unit.note_delivery("siem", "node-a", reached(5, 5), at(6), at(9)).await.unwrap(), "it was lost");
    unit.release_receiver("siem", "node-a").await.unwrap();
    assert!(!unit.take_receiver("siem", "node-a", at(7), at(9)).await.unwrap(), "only the holder gives it up");
    unit.release_receiver("siem", "node-b").await.unwrap();
    assert!(unit.take_receiver("siem", "node-a", at(7), at(9)).await.unwrap());
    unit.release_all_receivers().await.unwrap();
    assert!(unit.take_receiver("siem", "node-b", at(7), at(9)).await.unwrap());
    unit.commit().await.unwrap();
}
