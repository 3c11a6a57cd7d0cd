use domain::PolicySetState;
use store::{
    StoreError,
    policy_sets::{AskedQuestion, PolicySet},
};

use super::Subject;
use crate::fixtures::{at, policy_set, user_id};

fn settled(set: &PolicySet, state: PolicySetState) -> PolicySet {
    PolicySet { state, settled_by: Some(user_id(2)), settled_at: Some(at(50)), ..set.clone() }
}

pub(super) async fn policies_are_proposed_put_into_force_and_replaced(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    let first = policy_set(1);
    unit.insert_policy_set(&first).await.unwrap();
    unit.add_policy_set_author(1, user_id(2), at(5)).await.unwrap();
    unit.add_policy_set_author(1, user_id(1), at(4)).await.unwrap();
    unit.add_policy_set_author(1, user_id(2), at(3)).await.unwrap();
    assert_eq!(unit.policy_set_authors(1).await.unwrap(), [user_id(1), user_id(2)]);
    assert_eq!(unit.policy_set_authors(2).await.unwrap(), []);
    let changed = PolicySet { source: "// Other.".to_owned(), changed_at: at(9), ..first };
    unit.update_policy_set(&changed, PolicySetState::Proposed).await.unwrap();
    assert_eq!(unit.policy_set(1).await.unwrap(), Some(changed.clone()));
    assert_eq!(unit.active_policy_set().await.unwrap(), None);
    let active = settled(&changed, PolicySetState::Active);
    unit.update_policy_set(&active, PolicySetState::Proposed).await.unwrap();
    assert_eq!(unit.active_policy_set().await.unwrap(), Some(active.clone()));

    let second = PolicySet { based_on: Some(1), ..policy_set(2) };
    unit.insert_policy_set(&second).await.unwrap();
    let replaced = PolicySet { state: PolicySetState::Replaced, ..active };
    unit.update_policy_set(&replaced, PolicySetState::Active).await.unwrap();
    let second = settled(&second, PolicySetState::Active);
    unit.update_policy_set(&second, PolicySetState::Proposed).await.unwrap();
    let third = policy_set(3);
    unit.insert_policy_set(&third).await.unwrap();
    assert_eq!(unit.list_policy_sets(None, 2).await.unwrap(), [third.clone(), second.clone()]);
    assert_eq!(unit.list_policy_sets(Some(2), 9).await.unwrap(), [replaced]);
    let late = unit.update_policy_set(&settled(&second, PolicySetState::Withdrawn), PolicySetState::Proposed).await;
    assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
    unit.update_policy_set(&settled(&third, PolicySetState::Withdrawn), PolicySetState::Proposed).await.unwrap();
    assert_eq!(unit.policy_set(9).await.unwrap(), None);
    unit.commit().await.unwrap();
    let mut unit = subject.unit().await;
    let taken = unit.insert_policy_set(&policy_set(2)).await;
    assert!(matches!(taken, Err(StoreError::Duplicate(_))), "{taken:?}");
}

pub(super) async fn what_was_settled_stays_as_it_was(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    let (active, withdrawn) =
        (settled(&policy_set(1), PolicySetState::Active), settled(&policy_set(2), PolicySetState::Withdrawn));
    for set in [policy_set(1), policy_set(2)] {
        unit.insert_policy_set(&set).await.unwrap();
    }
    for set in [&active, &withdrawn] {
        unit.update_policy_set(set, PolicySetState::Proposed).await.unwrap();
    }
    unit.commit().await.unwrap();
    for (set, from) in [
        (PolicySet { source: "// Altered.".to_owned(), ..active.clone() }, PolicySetState::Active),
        (
            PolicySet { state: PolicySetState::Replaced, digest: "e".to_owned(), ..active.clone() },
            PolicySetState::Active,
        ),
        (PolicySet { state: PolicySetState::Active, ..withdrawn.clone() }, PolicySetState::Withdrawn),
        (policy_set(1), PolicySetState::Active),
    ] {
        let mut unit = subject.unit().await;
        let refused = unit.update_policy_set(&set, from).await;
        assert!(matches!(refused, Err(StoreError::Driver(_))), "{set:?}: {refused:?}");
    }
}

pub(super) async fn of_two_proposals_one_is_in_force(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    for set in [policy_set(1), policy_set(2)] {
        unit.insert_policy_set(&set).await.unwrap();
    }
    unit.update_policy_set(&settled(&policy_set(1), PolicySetState::Active), PolicySetState::Proposed).await.unwrap();
    let second =
        unit.update_policy_set(&settled(&policy_set(2), PolicySetState::Active), PolicySetState::Proposed).await;
    assert!(matches!(second, Err(StoreError::Duplicate(_))), "{second:?}");
}

pub(super) async fn questions_are_kept_once_and_the_oldest_forgotten(subject: Subject) {
    let asked = |digest: &str, asked_at, times| AskedQuestion {
        digest: digest.to_owned(),
        question: format!("[\"{digest}\"]"),
        asked_at: at(asked_at),
        times,
    };
    let mut unit = subject.unit().await;
    unit.note_questions(&[]).await.unwrap();
    unit.note_questions(&[asked("a", 10, 2), asked("b", 20, 1), asked("c", 20, 1)]).await.unwrap();
    unit.note_questions(&[asked("a", 30, 3), asked("b", 5, 1)]).await.unwrap();
    let all = [asked("a", 30, 5), asked("b", 20, 2), asked("c", 20, 1)];
    assert_eq!(unit.latest_questions(9).await.unwrap(), all);
    assert_eq!(unit.latest_questions(1).await.unwrap(), all[..1]);
    assert_eq!(unit.prune_questions(2).await.unwrap(), 1);
    assert_eq!(unit.prune_questions(2).await.unwrap(), 0);
    assert_eq!(unit.latest_questions(9).await.unwrap(), all[..2]);
    unit.commit().await.unwrap();
}
