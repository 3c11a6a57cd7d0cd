use domain::{AuditClass, view::AuditFilter, view::HoldCovers};
use store::{
    StoreError,
    audit::{AuditRow, AuditTerms, Mark},
    retention::{Archiving, AuditHold, AuditSegment, HoldRelease},
};

use super::Subject;
use crate::fixtures::{at, audit, hold_id, user, user_id};

fn segment(number: i64, places: &[i64]) -> AuditSegment {
    AuditSegment {
        number,
        name: format!("change-{number}.tar"),
        class: AuditClass::Change,
        first: *places.first().unwrap(),
        last: *places.last().unwrap(),
        entries: i64::try_from(places.len()).unwrap(),
        places: "1-2".to_owned(),
        bytes: 1_024,
        sha256: "ab".repeat(32),
        archived_at: at(90),
    }
}

pub(super) async fn an_archived_entry_keeps_its_place_its_time_and_its_segment(subject: Subject) {
    let mut unit = subject.unit().await;
    let read = |seq| AuditRow { action: "audit.read".to_owned(), actor_id: Some(user_id(7)), ..audit(seq) };
    unit.append_audit(0, &[read(1), audit(2), read(3), read(4)]).await.unwrap();
    let terms = |seq| AuditTerms {
        seq,
        words: vec!["launch".to_owned()],
        marks: vec![(Mark::Address, "192.0.2.7".to_owned())],
    };
    unit.index_audit(0, &[terms(1), terms(2), terms(3), terms(4)]).await.unwrap();
    let kinds = unit.count_unarchived(at(4)).await.unwrap();
    let kind = |action: &str, entries| (action.to_owned(), "done".to_owned(), entries);
    assert_eq!(kinds, [kind("audit.read", 2), kind("run.launch", 1)]);
    let old = unit.list_unarchived(0, at(4), 2).await.unwrap();
    let head = |row: AuditRow| AuditRow { body: String::new(), ..row };
    assert_eq!(old, [head(read(1)), head(audit(2))]);
    assert_eq!(unit.list_unarchived(2, at(4), 9).await.unwrap(), [head(read(3))]);
    unit.reindex_audit(&[terms(1), terms(3)], &[]).await.unwrap();
    unit.archive_audit(&segment(1, &[1, 3]), &[1, 3]).await.unwrap();
    unit.commit().await.unwrap();

    let mut unit = subject.reading().await;
    let emptied = |seq| AuditRow {
        seq,
        at: at(seq),
        actor_id: None,
        actor: String::new(),
        action: String::new(),
        resource_kind: String::new(),
        resource_id: String::new(),
        resource_name: String::new(),
        namespace: None,
        outcome: "done".to_owned(),
        body: String::new(),
        personal: None,
        segment: Some("change-1.tar".to_owned()),
    };
    assert_eq!(unit.audit_from(0, 9).await.unwrap(), [emptied(1), audit(2), emptied(3), read(4)]);
    assert_eq!(unit.list_unarchived(0, at(4), 9).await.unwrap(), [head(audit(2))]);
    let mut listed = async |filter: AuditFilter| {
        let rows = unit.list_audit(&filter, None, 9).await.unwrap();
        rows.iter().map(|row| row.seq).collect::<Vec<_>>()
    };
    assert_eq!(listed(AuditFilter { to: Some(at(4)), ..AuditFilter::default() }).await, [3, 2, 1]);
    for filter in [
        AuditFilter { outcome: Some("done".to_owned()), ..AuditFilter::default() },
        AuditFilter { text: Some("launch".to_owned()), ..AuditFilter::default() },
        AuditFilter { address: Some("192.0.2.7".to_owned()), ..AuditFilter::default() },
    ] {
        assert_eq!(listed(filter.clone()).await, [4, 2], "{filter:?}");
    }
    assert_eq!(unit.audit_places(&AuditFilter::default(), None, 9).await.unwrap(), [4, 2]);
    assert_eq!(unit.last_audit_segment().await.unwrap(), 1);
    assert_eq!(unit.audit_segment("change-1.tar").await.unwrap(), Some(segment(1, &[1, 3])));
    assert_eq!(unit.audit_segment("change-2.tar").await.unwrap(), None);
}

pub(super) async fn an_entry_is_archived_once(subject: Subject) {
    let mut unit = subject.unit().await;
    unit.append_audit(0, &[audit(1), audit(2), audit(3)]).await.unwrap();
    unit.archive_audit(&segment(1, &[1, 2]), &[1, 2]).await.unwrap();
    unit.commit().await.unwrap();
    for wrong in [[2, 3], [3, 4]] {
        let mut unit = subject.unit().await;
        let archived = unit.archive_audit(&segment(2, &wrong), &wrong).await;
        assert!(matches!(archived, Err(StoreError::Conflict)), "{wrong:?}");
        unit.rollback().await.unwrap();
    }
    let mut unit = subject.unit().await;
    unit.archive_audit(&segment(2, &[3]), &[3]).await.unwrap();
    let numbers = |segments: Vec<AuditSegment>| segments.iter().map(|one| one.number).collect::<Vec<_>>();
    assert_eq!(numbers(unit.list_audit_segments(None, 9).await.unwrap()), [2, 1]);
    assert_eq!(numbers(unit.list_audit_segments(None, 1).await.unwrap()), [2]);
    assert_eq!(numbers(unit.list_audit_segments(Some(2), 9).await.unwrap()), [1]);
    for (after, next) in [(0, Some(1)), (1, Some(2)), (2, None)] {
        assert_eq!(unit.next_audit_segment(after).await.unwrap().map(|one| one.number), next);
    }
    unit.commit().await.unwrap();
}

pub(super) async fn a_hold_is_released_once_and_stays(subject: Subject) {
    let mut unit = subject.unit().await;
    unit.insert_user(&user(1, "admin")).await.unwrap();
    let hold = |number: u128, covers| AuditHold {
        id: hold_id(number),
        name: format!("case {number}"),
        reason: "asked for by the court: 김".to_owned(),
        covers,
        placed_by: user_id(1),
        placed_at: at(i64::try_from(number).unwrap()),
        release: None,
    };
    let whole = hold(1, HoldCovers::default());
    let narrow = hold(
        2,
        HoldCovers {
            namespace: Some("identity".to_owned()),
            person: Some("staff".to_owned()),
            resource_kind: Some("run".to_owned()),
            resource_id: Some("R-1".to_owned()),
            from: Some(at(1)),
            to: Some(at(9)),
        },
    );
    unit.insert_audit_hold(&whole).await.unwrap();
    unit.insert_audit_hold(&narrow).await.unwrap();
    assert_eq!(unit.list_audit_holds().await.unwrap(), [narrow.clone(), whole.clone()]);
    let release = HoldRelease { by: user_id(1), at: at(20), reason: "closed".to_owned() };
    assert!(unit.release_audit_hold(narrow.id, &release).await.unwrap());
    assert!(!unit.release_audit_hold(narrow.id, &release).await.unwrap());
    assert!(!unit.release_audit_hold(hold_id(9), &release).await.unwrap());
    let narrow = AuditHold { release: Some(release), ..narrow };
    assert_eq!(unit.audit_hold(narrow.id).await.unwrap(), Some(narrow.clone()));
    assert_eq!(unit.audit_hold(hold_id(9)).await.unwrap(), None);
    assert_eq!(unit.list_audit_holds().await.unwrap(), [whole, narrow]);
    unit.commit().await.unwrap();
}

pub(super) async fn one_node_at_a_time_archives(subject: Subject) {
    let mut unit = subject.unit().await;
    assert_eq!(unit.archiving().await.unwrap(), Archiving::default());
    assert!(!unit.note_archived("node-a", at(1)).await.unwrap(), "nobody holds it");
    assert!(unit.take_archiving("node-a", at(0), at(5)).await.unwrap());
    assert!(!unit.take_archiving("node-b", at(4), at(9)).await.unwrap());
    assert!(unit.take_archiving("node-a", at(4), at(6)).await.unwrap(), "it may be kept");
    assert!(unit.take_archiving("node-b", at(6), at(9)).await.unwrap(), "it has ended");
    assert!(!unit.note_archived("node-a", at(7)).await.unwrap(), "it was lost");
    for (second, failure) in [(7, "read-only"), (8, "no space: 김")] {
        assert!(unit.take_archiving("node-b", at(second), at(second + 9)).await.unwrap());
        assert!(unit.note_archiving_failure("node-b", failure, at(second)).await.unwrap());
    }
    let failing = unit.archiving().await.unwrap();
    assert_eq!((failing.failing_since, failing.failure.as_deref()), (Some(at(7)), Some("no space: 김")));
    assert_eq!((failing.holder, failing.held_until), (None, None), "others may try");
    assert!(unit.take_archiving("node-a", at(8), at(9)).await.unwrap());
    assert!(unit.note_archived("node-a", at(8)).await.unwrap());
    let mended = unit.archiving().await.unwrap();
    assert_eq!((mended.failing_since, mended.failure, mended.succeeded_at), (None, None, Some(at(8))));
    unit.release_archiving().await.unwrap();
    assert!(unit.take_archiving("node-b", at(8), at(9)).await.unwrap());
    unit.commit().await.unwrap();
}
