use domain::{AccessVerdict, Role, Scope};
use store::{
    StoreError,
    access_reviews::{AccessReview, ReviewItem},
};

use super::Subject;
use crate::fixtures::{access_review, access_review_id, at, review_item, user_id};

fn decided(item: &ReviewItem, verdict: AccessVerdict) -> ReviewItem {
    let by = (verdict == AccessVerdict::Confirmed).then(|| user_id(2));
    ReviewItem { verdict, decided_by: by, decided_at: Some(at(9)), comment: "Still at it".to_owned(), ..item.clone() }
}

pub(super) async fn a_review_keeps_what_it_began_with(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    let first = access_review(1, user_id(1));
    let narrow = Scope::Namespace("identity".parse().unwrap());
    let second = AccessReview { scope: narrow.clone(), ..access_review(2, user_id(2)) };
    let items = [
        review_item(1, 3),
        ReviewItem { role: Role::Approver, team: false, ..review_item(1, 4) },
        ReviewItem { scope: narrow, ..review_item(1, 1) },
    ];
    unit.insert_access_review(&first, &items).await.unwrap();
    unit.insert_access_review(&second, &[]).await.unwrap();
    assert_eq!(unit.access_review(first.id).await.unwrap(), Some(first.clone()));
    assert_eq!(unit.access_review(access_review_id(9)).await.unwrap(), None);
    let [operator, approver, narrow] = items;
    assert_eq!(unit.review_items(first.id).await.unwrap(), [approver, operator, narrow]);
    assert_eq!(unit.review_items(second.id).await.unwrap(), []);
    assert_eq!(unit.list_access_reviews(None, 1).await.unwrap(), std::slice::from_ref(&second));
    let earlier = unit.list_access_reviews(Some((second.started_at, second.id)), 9).await.unwrap();
    assert_eq!(earlier, std::slice::from_ref(&first));
    unit.commit().await.unwrap();
    let mut unit = subject.unit().await;
    let twice = unit.insert_access_review(&first, &[]).await;
    assert!(matches!(twice, Err(StoreError::Duplicate(_))), "{twice:?}");
}

pub(super) async fn what_became_of_a_grant_is_said_once(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    let item = review_item(1, 3);
    unit.insert_access_review(&access_review(1, user_id(1)), std::slice::from_ref(&item)).await.unwrap();
    let confirmed = decided(&item, AccessVerdict::Confirmed);
    unit.decide_review_item(&confirmed).await.unwrap();
    for again in [&decided(&item, AccessVerdict::Lapsed), &decided(&review_item(1, 9), AccessVerdict::Confirmed)] {
        let late = unit.decide_review_item(again).await;
        assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
    }
    assert_eq!(unit.review_items(item.review).await.unwrap(), [confirmed]);
    unit.commit().await.unwrap();
}

pub(super) async fn the_review_that_is_due_longest_is_ended_first(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    let later = access_review(1, user_id(1));
    let sooner = AccessReview { due_at: at(50), ..access_review(2, user_id(1)) };
    for review in [&later, &sooner] {
        unit.insert_access_review(review, &[]).await.unwrap();
    }
    assert_eq!(unit.due_access_review(at(49)).await.unwrap(), None);
    assert_eq!(unit.due_access_review(at(100)).await.unwrap(), Some(sooner.clone()));
    unit.close_access_review(sooner.id, at(100)).await.unwrap();
    assert_eq!(unit.due_access_review(at(100)).await.unwrap(), Some(later));
    let again = unit.close_access_review(sooner.id, at(101)).await;
    assert!(matches!(again, Err(StoreError::Conflict)), "{again:?}");
    let closed = AccessReview { closed_at: Some(at(100)), ..sooner };
    assert_eq!(unit.access_review(closed.id).await.unwrap(), Some(closed));
}
