use std::{sync::Arc, time::Duration};

use store::StoreError;

use super::Subject;
use crate::fixtures::{at, audit, user, user_id};

pub(super) async fn a_dropped_unit_leaves_nothing(subject: Subject) {
    for number in 1..=10 {
        let mut unit = subject.unit().await;
        unit.insert_user(&user(number, &format!("user{number}"))).await.unwrap();
        let start = unit.audit_size().await.unwrap();
        unit.append_audit(start, &[audit(1)]).await.unwrap();
        drop(unit);
    }
    let mut unit = subject.unit().await;
    assert_eq!(unit.count_users().await.unwrap(), 0);
    assert_eq!(unit.audit_size().await.unwrap(), 0);
    unit.insert_user(&user(1, "user1")).await.unwrap();
    unit.commit().await.unwrap();
    assert_eq!(subject.reading().await.count_users().await.unwrap(), 1);
}

pub(super) async fn a_rolled_back_unit_leaves_nothing(subject: Subject) {
    let mut unit = subject.unit().await;
    unit.insert_user(&user(1, "user1")).await.unwrap();
    unit.rollback().await.unwrap();
    let mut unit = subject.unit().await;
    unit.insert_user(&user(1, "user1")).await.unwrap();
    unit.insert_user(&user(1, "user1")).await.unwrap_err();
    unit.rollback().await.unwrap();
    let mut unit = subject.reading().await;
    assert_eq!(unit.count_users().await.unwrap(), 0);
    unit.rollback().await.unwrap();
}

pub(super) async fn a_unit_is_invisible_until_it_commits(subject: Subject) {
    let other = subject.another().await;
    let mut unit = subject.unit().await;
    unit.insert_user(&user(1, "user1")).await.unwrap();
    assert_eq!(unit.count_users().await.unwrap(), 1);
    assert_eq!(subject.reading().await.count_users().await.unwrap(), 0);
    assert_eq!(other.snapshot().await.unwrap().count_users().await.unwrap(), 0);
    unit.commit().await.unwrap();
    assert_eq!(other.snapshot().await.unwrap().count_users().await.unwrap(), 1);
    other.close().await;
}

pub(super) async fn a_snapshot_does_not_change(subject: Subject) {
    let mut snapshot = subject.reading().await;
    assert_eq!(snapshot.count_users().await.unwrap(), 0);
    let mut unit = subject.unit().await;
    unit.insert_user(&user(1, "user1")).await.unwrap();
    unit.commit().await.unwrap();
    assert_eq!(snapshot.count_users().await.unwrap(), 0);
    assert_eq!(snapshot.user(user_id(1)).await.unwrap(), None);
    snapshot.commit().await.unwrap();
    assert_eq!(subject.reading().await.count_users().await.unwrap(), 1);
}

pub(super) async fn a_snapshot_refuses_to_write(subject: Subject) {
    let mut unit = subject.reading().await;
    assert!(matches!(unit.put_setting("a", "b").await, Err(StoreError::ReadOnly)));
    assert!(matches!(unit.insert_user(&user(1, "user1")).await, Err(StoreError::ReadOnly)));
    let claimed = unit.claim_runs("node", at(0), at(0), Duration::from_secs(1), 1, None).await;
    assert!(matches!(claimed, Err(StoreError::ReadOnly)));
    // Reading what a writer would lock is fine.
    assert_eq!(unit.audit_size().await.unwrap(), 0);
    assert_eq!(unit.setting("a").await.unwrap(), None);
}

pub(super) async fn a_refused_statement_loses_the_unit(subject: Subject) {
    let mut unit = subject.unit().await;
    unit.insert_user(&user(1, "user1")).await.unwrap();
    let error = unit.insert_user(&user(2, "user1")).await.unwrap_err();
    assert!(matches!(error, StoreError::Duplicate(_)), "{error:?}");
    let error = unit.insert_user(&user(3, "user3")).await.unwrap_err();
    assert!(matches!(error, StoreError::Driver(_)), "{error:?}");
    let error = unit.count_users().await.unwrap_err();
    assert!(matches!(error, StoreError::Driver(_)), "{error:?}");
    let error = unit.commit().await.unwrap_err();
    assert!(matches!(error, StoreError::Driver(_)), "{error:?}");
    assert_eq!(subject.reading().await.count_users().await.unwrap(), 0);
}

pub(super) async fn an_abandoned_begin_does_not_poison_the_pool(subject: Subject) {
    for round in 0..200_u32 {
        let begin = subject.begin();
        tokio::pin!(begin);
        // Polled a few times, then dropped wherever it happens to be.
        for _ in 0..round % 7 {
            if futures::poll!(begin.as_mut()).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    for number in 1..=20 {
        let mut unit = subject.unit().await;
        unit.insert_user(&user(number, &format!("user{number}"))).await.unwrap();
        unit.commit().await.unwrap();
    }
    assert_eq!(subject.reading().await.count_users().await.unwrap(), 20);
}

pub(super) async fn an_abandoned_statement_does_not_poison_the_pool(subject: Subject) {
    for round in 0..100_u32 {
        let mut unit = subject.unit().await;
        let insert = user(u128::from(round) + 1, &format!("user{round}"));
        let abandoned = async {
            unit.insert_user(&insert).await.unwrap();
            unit.list_users(None, None, 10).await.unwrap();
        };
        tokio::pin!(abandoned);
        for _ in 0..round % 5 {
            if futures::poll!(abandoned.as_mut()).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    let mut unit = subject.unit().await;
    assert_eq!(unit.count_users().await.unwrap(), 0);
    unit.insert_user(&user(1, "user1")).await.unwrap();
    unit.commit().await.unwrap();
    assert_eq!(subject.reading().await.count_users().await.unwrap(), 1);
}

pub(super) async fn migrating_again_and_at_once_changes_nothing(subject: Subject) {
    let mut unit = subject.unit().await;
    unit.insert_user(&user(1, "user1")).await.unwrap();
    unit.commit().await.unwrap();
    let other = subject.another().await;
    let (first, second) = tokio::join!(subject.migrate(), other.migrate());
    first.unwrap();
    second.unwrap();
    assert_eq!(subject.reading().await.count_users().await.unwrap(), 1);
    other.close().await;
}

pub(super) async fn a_closed_store_is_unavailable(subject: Subject) {
    let mut unit = subject.unit().await;
    unit.insert_user(&user(1, "user1")).await.unwrap();
    unit.commit().await.unwrap();
    subject.ping().await.unwrap();
    let other = subject.another().await;
    other.ping().await.unwrap();
    other.close().await;
    let begun = async { other.begin().await?.count_users().await };
    assert!(matches!(begun.await, Err(StoreError::Unavailable(_))));
    assert!(matches!(other.ping().await, Err(StoreError::Unavailable(_))));
    assert_eq!(Arc::clone(&*subject).snapshot().await.unwrap().count_users().await.unwrap(), 1);
}
