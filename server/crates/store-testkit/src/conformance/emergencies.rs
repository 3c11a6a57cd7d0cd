use store::{StoreError, access::Subject as Holder, emergencies::Emergency};

use super::Subject;
use crate::fixtures::{at, emergency, emergency_id, grant, user_id};

fn confirmed(emergency: Emergency) -> Emergency {
    Emergency { confirmed_by: Some(user_id(2)), confirmed_at: Some(at(10)), ends_at: Some(at(50)), ..emergency }
}

fn reviewed(emergency: Emergency) -> Emergency {
    Emergency {
        reviewed_by: Some(user_id(3)),
        reviewed_at: Some(at(60)),
        review: "As it should be".to_owned(),
        ..emergency
    }
}

async fn is_refused(subject: &Subject, changed: &Emergency) {
    let mut unit = subject.unit().await;
    assert!(unit.update_emergency(changed).await.is_err(), "{changed:?}");
}

pub(super) async fn what_was_said_of_an_emergency_stays(subject: Subject) {
    subject.organisation(0).await;
    let asked = emergency(1, user_id(1));
    let mut unit = subject.unit().await;
    unit.insert_emergency(&asked).await.unwrap();
    assert_eq!(unit.emergency(asked.id).await.unwrap(), Some(asked.clone()));
    let begun = confirmed(asked.clone());
    unit.update_emergency(&begun).await.unwrap();
    let by_it = store::access::Grant {
        emergency: Some(asked.id),
        ..grant(90, Holder::User(user_id(1)), asked.role, asked.scope.clone())
    };
    unit.delete_grant(grant(90, Holder::User(user_id(1)), asked.role, asked.scope.clone()).id).await.unwrap();
    unit.insert_grant(&by_it).await.unwrap();
    assert_eq!(unit.grant(by_it.id).await.unwrap(), Some(by_it));
    let ended =
        Emergency { ends_at: Some(at(40)), ended_by: Some(user_id(1)), ended_at: Some(at(40)), ..begun.clone() };
    unit.update_emergency(&ended).await.unwrap();
    unit.commit().await.unwrap();

    for changed in [
        Emergency { confirmed_by: Some(user_id(3)), ..ended.clone() },
        Emergency { ends_at: Some(at(41)), ..ended.clone() },
        Emergency { confirmed_by: None, confirmed_at: None, ends_at: None, ..ended.clone() },
    ] {
        is_refused(&subject, &changed).await;
    }
    // Who held the role, or agreed to it, does not say what was done by it.
    for involved in [user_id(1), user_id(2)] {
        is_refused(&subject, &Emergency { reviewed_by: Some(involved), ..reviewed(ended.clone()) }).await;
    }
    let mut unit = subject.unit().await;
    let seen = reviewed(ended.clone());
    unit.update_emergency(&seen).await.unwrap();
    unit.commit().await.unwrap();
    is_refused(&subject, &Emergency { review: "Other words".to_owned(), ..seen.clone() }).await;
    let mut unit = subject.unit().await;
    assert_eq!(unit.emergency(asked.id).await.unwrap(), Some(seen));
    let gone = unit.update_emergency(&emergency(9, user_id(1))).await;
    assert!(matches!(gone, Err(StoreError::Conflict)), "{gone:?}");
}

pub(super) async fn emergencies_are_open_until_they_are_reviewed(subject: Subject) {
    subject.organisation(0).await;
    let [asked, dropped, held, seen] = [1, 2, 3, 4].map(|number| emergency(number, user_id(1)));
    let dropped = Emergency { ended_by: Some(user_id(2)), ended_at: Some(at(9)), ..dropped };
    let (held, seen) = (confirmed(held), reviewed(confirmed(seen)));
    let mut unit = subject.unit().await;
    for one in [&asked, &dropped, &held, &seen] {
        unit.insert_emergency(one).await.unwrap();
    }
    assert_eq!(unit.open_emergencies().await.unwrap(), [asked.clone(), held.clone()]);
    assert_eq!(unit.list_emergencies(None, 2).await.unwrap(), [seen, held.clone()]);
    assert_eq!(unit.list_emergencies(Some((held.asked_at, held.id)), 9).await.unwrap(), [dropped, asked]);
    assert_eq!(unit.emergency(emergency_id(9)).await.unwrap(), None);
    unit.commit().await.unwrap();
}
