use domain::view::AuditFilter;
use store::{
    StoreError,
    audit::{AuditHead, QueuedEntry},
};

use super::Subject;
use crate::fixtures::{at, audit, user_id};

pub(super) async fn entries_follow_each_other_without_gaps(subject: Subject) {
    let mut unit = subject.unit().await;
    assert_eq!(unit.audit_head().await.unwrap(), AuditHead { seq: 0, hash: "0".repeat(64) });
    let start = AuditHead { seq: 0, hash: "0".repeat(64) };
    for wrong in [0, 2, -1, i64::MIN] {
        assert!(matches!(unit.append_audit(&start, &[audit(wrong)]).await, Err(StoreError::Conflict)), "{wrong}");
    }
    assert!(matches!(unit.append_audit(&start, &[audit(1), audit(3)]).await, Err(StoreError::Conflict)));
    unit.append_audit(&start, &[]).await.unwrap();
    let mut first = audit(1);
    first.actor_id = Some(user_id(77));
    first.namespace = None;
    "refused".clone_into(&mut first.outcome);
    let forged = AuditHead { hash: "1".repeat(64), ..start.clone() };
    assert!(matches!(unit.append_audit(&forged, &[first.clone()]).await, Err(StoreError::Conflict)));
    unit.append_audit(&start, &[first.clone(), audit(2)]).await.unwrap();
    assert!(matches!(unit.append_audit(&start, &[audit(1)]).await, Err(StoreError::Conflict)));
    unit.commit().await.unwrap();
    let mut unit = subject.reading().await;
    assert_eq!(unit.audit_head().await.unwrap(), AuditHead { seq: 2, hash: audit(2).hash });
    assert_eq!(unit.audit_entry(1).await.unwrap(), Some(first.clone()));
    assert_eq!(unit.audit_entry(3).await.unwrap(), None);
    assert_eq!(unit.audit_from(0, 1).await.unwrap(), [first]);
    assert_eq!(unit.audit_from(1, 10).await.unwrap(), [audit(2)]);
}

pub(super) async fn sixteen_writers_make_one_chain(subject: Subject) {
    let other = subject.another().await;
    let mut writers = Vec::new();
    for number in 0..16 {
        let store = if number % 2 == 0 { std::sync::Arc::clone(&*subject) } else { std::sync::Arc::clone(&other) };
        writers.push(tokio::spawn(async move {
            for round in 0..8 {
                let mut unit = store.begin().await.unwrap();
                unit.put_setting(&format!("{number}"), &format!("{round}")).await.unwrap();
                let head = unit.audit_head().await.unwrap();
                let mut entry = audit(head.seq + 1);
                entry.body.clone_from(&head.hash);
                unit.append_audit(&head, &[entry]).await.unwrap();
                unit.commit().await.unwrap();
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let mut unit = subject.reading().await;
    let chain = unit.audit_from(0, 1000).await.unwrap();
    assert_eq!(chain.len(), 128);
    let mut before = "0".repeat(64);
    for (index, entry) in chain.iter().enumerate() {
        assert_eq!(entry.seq, i64::try_from(index).unwrap() + 1);
        assert_eq!(entry.body, before);
        before.clone_from(&entry.hash);
    }
    assert_eq!(unit.audit_head().await.unwrap(), AuditHead { seq: 128, hash: before });
    other.close().await;
}

pub(super) async fn entries_are_filtered_and_paged(subject: Subject) {
    let mut unit = subject.unit().await;
    let mut entries = Vec::new();
    for seq in 1..=12 {
        let mut entry = audit(seq);
        let (actor, action) = match seq % 3 {
            0 => ("staff", "run.cancel"),
            1 => ("system", "run"),
            _ => ("system", "runner.start"),
        };
        actor.clone_into(&mut entry.actor);
        action.clone_into(&mut entry.action);
        if seq > 10 {
            "user".clone_into(&mut entry.resource_kind);
            entry.namespace = Some("incident".to_owned());
            "failed".clone_into(&mut entry.outcome);
        }
        entries.push(entry);
    }
    let start = unit.audit_head().await.unwrap();
    unit.append_audit(&start, &entries).await.unwrap();
    unit.commit().await.unwrap();
    let mut unit = subject.reading().await;
    let none = AuditFilter::default;
    let some = |text: &str| Some(text.to_owned());
    for (filter, expected) in [
        (AuditFilter { from: Some(at(3)), to: Some(at(6)), ..none() }, vec![5, 4, 3]),
        (AuditFilter { actor: some("staff"), ..none() }, vec![12, 9, 6, 3]),
        (AuditFilter { action: some("run"), to: Some(at(7)), ..none() }, vec![6, 4, 3, 1]),
        (AuditFilter { action: some("run.cancel"), from: Some(at(9)), ..none() }, vec![12, 9]),
        (AuditFilter { action: some("ru"), ..none() }, vec![]),
        (AuditFilter { resource_kind: some("user"), ..none() }, vec![12, 11]),
        (AuditFilter { resource: some("R-4"), ..none() }, vec![4]),
        (AuditFilter { resource: some("id-5"), ..none() }, vec![5]),
        (AuditFilter { namespace: some("incident"), outcome: some("failed"), ..none() }, vec![12, 11]),
        (AuditFilter { namespace: some("incident"), outcome: some("done"), ..none() }, vec![]),
    ] {
        let found = unit.list_audit(&filter, None, 50).await.unwrap();
        assert_eq!(found.iter().map(|entry| entry.seq).collect::<Vec<_>>(), expected, "{filter:?}");
    }
    let mut seen = Vec::new();
    loop {
        let page = unit.list_audit(&none(), seen.last().copied(), 5).await.unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(page.iter().map(|entry| entry.seq));
    }
    assert_eq!(seen, (1..=12).rev().collect::<Vec<_>>());
}

pub(super) async fn what_is_queued_is_taken_once_and_in_order(subject: Subject) {
    let queued = |number: i64| QueuedEntry { actor_id: (number == 2).then(|| user_id(2)), entry: number.to_string() };
    let mut unit = subject.unit().await;
    assert!(unit.is_audit_queue_empty().await.unwrap());
    assert_eq!(unit.take_queued_audit(9).await.unwrap(), []);
    unit.queue_audit(&[]).await.unwrap();
    unit.queue_audit(&[queued(1), queued(2)]).await.unwrap();
    unit.queue_audit(&[queued(3)]).await.unwrap();
    unit.commit().await.unwrap();

    let mut unit = subject.unit().await;
    assert!(!unit.is_audit_queue_empty().await.unwrap());
    assert_eq!(unit.take_queued_audit(2).await.unwrap(), [queued(1), queued(2)]);
    unit.rollback().await.unwrap();
    let mut unit = subject.unit().await;
    assert_eq!(unit.take_queued_audit(2).await.unwrap(), [queued(1), queued(2)]);
    assert_eq!(unit.take_queued_audit(2).await.unwrap(), [queued(3)]);
    assert!(unit.is_audit_queue_empty().await.unwrap());
    unit.commit().await.unwrap();
    assert!(subject.reading().await.is_audit_queue_empty().await.unwrap());
}
