use domain::view::AuditFilter;
use serde_json::json;
use store::{
    StoreError,
    audit::{AuditRow, AuditTerms, Mark},
    erasures::{Erasure, Unfinished},
};

use super::Subject;
use crate::fixtures::{at, audit, user, user_id};

fn beside(values: &[(&str, &str)]) -> String {
    let values = values.iter().map(|(place, value)| ((*place).to_owned(), json!({"key": "00", "value": value})));
    serde_json::Value::Object(values.collect()).to_string()
}

/// An entry with a name and an address beside it.
fn entry() -> AuditRow {
    AuditRow {
        actor: "mina".to_owned(),
        personal: Some(beside(&[("/actor/login", "mina"), ("/address", "192.0.2.7")])),
        ..audit(1)
    }
}

pub(super) async fn what_names_people_can_be_taken_away_and_nothing_else(subject: Subject) {
    let mut unit = subject.unit().await;
    unit.append_audit(0, &[entry(), audit(2)]).await.unwrap();
    unit.commit().await.unwrap();
    assert_eq!(subject.reading().await.audit_entry(1).await.unwrap(), Some(entry()));
    for altered in [
        AuditRow { personal: Some(beside(&[("/actor/login", "joon"), ("/address", "192.0.2.7")])), ..entry() },
        AuditRow { personal: Some(beside(&[("/actor/login", "mina"), ("/detail/name", "mina")])), ..entry() },
        AuditRow { personal: Some(beside(&[("/actor/login", "mina")])), actor: "joon".to_owned(), ..entry() },
        AuditRow { personal: None, resource_name: "R-9".to_owned(), ..entry() },
        AuditRow { personal: Some(beside(&[("/actor/login", "mina")])), ..audit(2) },
    ] {
        let mut unit = subject.unit().await;
        assert!(unit.erase_audit(std::slice::from_ref(&altered)).await.is_err(), "{altered:?}");
        unit.rollback().await.unwrap();
    }
    let without_address = AuditRow { personal: Some(beside(&[("/actor/login", "mina")])), ..entry() };
    let without_any = AuditRow { personal: None, actor: String::new(), ..entry() };
    for left in [without_address, without_any] {
        let mut unit = subject.unit().await;
        unit.erase_audit(std::slice::from_ref(&left)).await.unwrap();
        unit.commit().await.unwrap();
        assert_eq!(subject.reading().await.audit_entry(1).await.unwrap(), Some(left));
    }
    let mut unit = subject.unit().await;
    assert!(unit.erase_audit(&[entry()]).await.is_err(), "nothing comes back");
}

pub(super) async fn entries_are_found_by_what_is_left(subject: Subject) {
    let terms = |seq, words: &[&str], marks: &[(Mark, &str)]| AuditTerms {
        seq,
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        marks: marks.iter().map(|(mark, text)| (*mark, (*text).to_owned())).collect(),
    };
    let mut unit = subject.unit().await;
    unit.append_audit(0, &[audit(1), audit(2)]).await.unwrap();
    let both = [(Mark::Address, "192.0.2.7"), (Mark::Policy, "one")];
    let before = [terms(1, &["mina", "run"], &both), terms(2, &["mina", "run"], &both)];
    unit.index_audit(0, &before).await.unwrap();
    unit.commit().await.unwrap();
    let mut unit = subject.unit().await;
    unit.reindex_audit(&before[..1], &[terms(1, &["run"], &[(Mark::Policy, "one")])]).await.unwrap();
    unit.commit().await.unwrap();
    let mut unit = subject.reading().await;
    for (filter, found) in [
        (AuditFilter { text: Some("mina".to_owned()), ..AuditFilter::default() }, vec![2]),
        (AuditFilter { text: Some("run".to_owned()), ..AuditFilter::default() }, vec![2, 1]),
        (AuditFilter { address: Some("192.0.2.7".to_owned()), ..AuditFilter::default() }, vec![2]),
        (AuditFilter { policy: Some("one".to_owned()), ..AuditFilter::default() }, vec![2, 1]),
    ] {
        assert_eq!(unit.audit_places(&filter, None, 10).await.unwrap(), found, "{filter:?}");
    }
}

pub(super) async fn an_erasure_goes_on_where_it_was(subject: Subject) {
    let mut unit = subject.unit().await;
    for number in [1, 2] {
        unit.insert_user(&user(number, &format!("person-{number}"))).await.unwrap();
    }
    let erasure = |number, begun| Erasure {
        user: user_id(number),
        texts: Some("[\"mina\"]".to_owned()),
        seq: 0,
        segment: 0,
        entries: 0,
        held: 0,
        begun_at: at(begun),
        ended_at: None,
    };
    assert_eq!(unit.open_erasure().await.unwrap(), None);
    assert!(matches!(unit.update_erasure(&erasure(1, 5)).await, Err(StoreError::Conflict)));
    unit.insert_erasure(&erasure(1, 5)).await.unwrap();
    unit.insert_erasure(&erasure(2, 4)).await.unwrap();
    unit.commit().await.unwrap();
    let mut unit = subject.unit().await;
    assert_eq!(unit.open_erasure().await.unwrap(), Some(erasure(2, 4)));
    let further = Erasure { seq: 500, segment: 3, entries: 7, held: 2, ..erasure(2, 4) };
    unit.update_erasure(&further).await.unwrap();
    assert_eq!(unit.erasure(user_id(2)).await.unwrap(), Some(further.clone()));
    let waiting = Erasure { ended_at: Some(at(8)), ..further.clone() };
    unit.update_erasure(&waiting).await.unwrap();
    assert_eq!(unit.open_erasure().await.unwrap(), Some(erasure(1, 5)));
    unit.resume_erasures().await.unwrap();
    let again = Erasure { entries: 7, ..erasure(2, 4) };
    assert_eq!(unit.open_erasure().await.unwrap(), Some(again.clone()));
    let done = Erasure { texts: None, ended_at: Some(at(9)), ..again };
    unit.update_erasure(&done).await.unwrap();
    unit.resume_erasures().await.unwrap();
    assert_eq!(unit.open_erasure().await.unwrap(), Some(erasure(1, 5)));
    unit.commit().await.unwrap();
    let mut unit = subject.unit().await;
    assert!(matches!(unit.insert_erasure(&erasure(1, 6)).await, Err(StoreError::Duplicate(_))));
}

pub(super) async fn what_served_only_a_person_is_forgotten(subject: Subject) {
    let mut unit = subject.unit().await;
    let person = user(1, "mina");
    unit.insert_user(&person).await.unwrap();
    assert_eq!(unit.unfinished_of(user_id(1)).await.unwrap(), Unfinished::default());
    let throttle = |subject: &str| store::credentials::Throttle {
        subject: subject.to_owned(),
        failures: 1,
        locked_until: None,
        last_failure_at: at(1),
    };
    let own = "account:mina";
    unit.put_throttle(&throttle(own)).await.unwrap();
    unit.put_throttle(&throttle("account:another")).await.unwrap();
    unit.forget(&person).await.unwrap();
    assert_eq!(unit.throttle(own).await.unwrap(), None);
    assert!(unit.throttle("account:another").await.unwrap().is_some());
    assert_eq!(unit.user(user_id(1)).await.unwrap(), Some(person), "the account is not its business");
    unit.commit().await.unwrap();
}
