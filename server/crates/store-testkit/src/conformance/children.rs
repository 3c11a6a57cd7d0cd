use std::sync::Arc;

use store::{StoreError, children::ChildRun};

use super::Subject;
use crate::fixtures::{at, run_id};

pub(super) async fn a_call_starts_one_run(subject: Subject) {
    subject.organisation(3).await;
    let mut unit = subject.unit().await;
    let child = ChildRun { run: run_id(2), parent: run_id(1), call: 7, depth: 1 };
    unit.insert_child(&child).await.unwrap();
    unit.commit().await.unwrap();
    let mut unit = subject.unit().await;
    assert_eq!(unit.child(run_id(2)).await.unwrap(), Some(child));
    assert_eq!(unit.child(run_id(1)).await.unwrap(), None);
    assert_eq!(unit.child_of_call(run_id(1), 7).await.unwrap(), Some(child));
    assert_eq!(unit.child_of_call(run_id(1), 8).await.unwrap(), None);
    let again = ChildRun { run: run_id(3), ..child };
    assert!(matches!(unit.insert_child(&again).await, Err(StoreError::Duplicate(_))));
}

pub(super) async fn runs_that_wake_each_other_do_not_wait_in_a_circle(subject: Subject) {
    subject.organisation(4).await;
    let mut both = Vec::new();
    for order in [[1, 2, 3, 4], [4, 3, 2, 1]] {
        let store = Arc::clone(&*subject);
        both.push(tokio::spawn(async move {
            for round in 0..50 {
                let mut unit = store.begin().await.unwrap();
                unit.lock_runs(&order.map(run_id)).await.unwrap();
                for number in order {
                    unit.push_inbox(run_id(number), "{}", at(round)).await.unwrap();
                }
                unit.commit().await.unwrap();
            }
        }));
    }
    for one in both {
        one.await.unwrap();
    }
    assert_eq!(subject.reading().await.inbox(run_id(3)).await.unwrap().len(), 100);
}
