use store::{
    StoreError,
    audit::AuditCheckpoint,
    witnesses::{Cosignature, Witness},
};

use super::Subject;
use crate::fixtures::at;

pub(super) async fn a_witness_never_has_less_than_before(subject: Subject) {
    let mut unit = subject.unit().await;
    assert_eq!(unit.witness("auditors").await.unwrap(), None);
    assert!(unit.insert_witness("auditors").await.unwrap());
    assert!(unit.insert_witness("a-parent").await.unwrap());
    assert!(!unit.insert_witness("auditors").await.unwrap(), "it is known");
    let fresh = Witness {
        name: "auditors".to_owned(),
        size: 0,
        succeeded_at: None,
        failing_since: None,
        failure: None,
        refused_at: None,
        holder: None,
        held_until: None,
    };
    assert_eq!(unit.witness("auditors").await.unwrap(), Some(fresh.clone()));
    assert!(!unit.note_cosigning("auditors", "node-a", 5, at(1), at(9)).await.unwrap(), "nobody holds it");
    assert!(unit.take_witness("auditors", "node-a", at(0), at(9)).await.unwrap());
    assert!(unit.note_cosigning("auditors", "node-a", 5, at(1), at(12)).await.unwrap());
    assert!(!unit.note_cosigning("auditors", "node-a", 4, at(2), at(12)).await.unwrap(), "less");
    assert!(unit.note_cosigning("auditors", "node-a", 5, at(2), at(12)).await.unwrap(), "the same again");
    let now = Witness {
        size: 5,
        succeeded_at: Some(at(2)),
        holder: Some("node-a".to_owned()),
        held_until: Some(at(12)),
        ..fresh
    };
    let listed = unit.list_witnesses().await.unwrap();
    assert_eq!(listed.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["a-parent", "auditors"]);
    assert_eq!(listed.last(), Some(&now));
    unit.commit().await.unwrap();
}

pub(super) async fn a_witness_that_refuses_is_believed_until_it_cosigns(subject: Subject) {
    let mut unit = subject.unit().await;
    unit.insert_witness("auditors").await.unwrap();
    for (second, failure, refused) in [(3, "no route", false), (5, "put back: 김", true), (7, "no route", false)] {
        assert!(unit.take_witness("auditors", "node-a", at(second), at(second + 9)).await.unwrap());
        let noted = unit.note_cosigning_failure("auditors", "node-a", failure, refused, at(second)).await.unwrap();
        assert!(noted, "{second}");
    }
    let failing = unit.witness("auditors").await.unwrap().unwrap();
    assert_eq!((failing.failing_since, failing.failure.as_deref()), (Some(at(3)), Some("no route")));
    assert_eq!((failing.refused_at, failing.holder, failing.held_until), (Some(at(5)), None, None));
    let lost = unit.note_cosigning_failure("auditors", "node-a", "again", true, at(8)).await.unwrap();
    assert!(!lost, "it is not held");
    assert!(unit.take_witness("auditors", "node-b", at(8), at(9)).await.unwrap());
    assert!(unit.note_cosigning("auditors", "node-b", 1, at(8), at(9)).await.unwrap());
    let mended = unit.witness("auditors").await.unwrap().unwrap();
    assert_eq!((mended.failing_since, mended.failure, mended.refused_at), (None, None, None));
    unit.commit().await.unwrap();
}

pub(super) async fn one_node_at_a_time_asks_a_witness(subject: Subject) {
    let mut unit = subject.unit().await;
    unit.insert_witness("auditors").await.unwrap();
    assert!(unit.take_witness("auditors", "node-a", at(0), at(5)).await.unwrap());
    assert!(!unit.take_witness("auditors", "node-b", at(4), at(9)).await.unwrap());
    assert!(unit.take_witness("auditors", "node-a", at(4), at(6)).await.unwrap(), "it may be kept");
    assert!(unit.take_witness("auditors", "node-b", at(6), at(9)).await.unwrap(), "it has ended");
    assert!(!unit.note_cosigning("auditors", "node-a", 5, at(6), at(9)).await.unwrap(), "it was lost");
    unit.release_witness("auditors", "node-a").await.unwrap();
    assert!(!unit.take_witness("auditors", "node-a", at(7), at(9)).await.unwrap(), "only the holder gives it up");
    unit.release_all_witnesses().await.unwrap();
    assert!(unit.take_witness("auditors", "node-a", at(7), at(9)).await.unwrap());
    unit.commit().await.unwrap();
}

pub(super) async fn a_cosignature_stays(subject: Subject) {
    let cosignature =
        |size, witness: &str, line: &str| Cosignature { size, witness: witness.to_owned(), line: line.to_owned() };
    let mut unit = subject.unit().await;
    for size in [3, 8, 12] {
        let checkpoint = AuditCheckpoint { size, at: at(size), note: "note".to_owned() };
        unit.insert_audit_checkpoint(&checkpoint).await.unwrap();
    }
    for (size, witness) in [(8, "w2+"), (8, "W1+"), (3, "w2+"), (12, "w2+")] {
        assert!(unit.insert_cosignature(&cosignature(size, witness, "— w2 a\n")).await.unwrap());
    }
    assert!(!unit.insert_cosignature(&cosignature(8, "w2+", "— w2 b\n")).await.unwrap(), "the first stays");
    unit.commit().await.unwrap();
    let mut unit = subject.reading().await;
    let found = unit.cosignatures(3, 8).await.unwrap();
    let expected = [(3, "w2+"), (8, "W1+"), (8, "w2+")].map(|(size, key)| cosignature(size, key, "— w2 a\n"));
    assert_eq!(found, expected);
    assert_eq!(unit.cosignatures(4, 7).await.unwrap(), []);
    drop(unit);
    let mut unit = subject.unit().await;
    let unsigned = unit.insert_cosignature(&cosignature(4, "w2+", "— w2 a\n")).await;
    assert!(matches!(unsigned, Err(StoreError::Reference(_))), "of no checkpoint: {unsigned:?}");
}
