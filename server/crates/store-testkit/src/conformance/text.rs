use store::{
    StoreError,
    events::{EventKey, NewEvent},
};

use super::Subject;
use crate::fixtures::{at, run, run_id, team, user, user_id};

pub(super) async fn unicode_comes_back_as_it_went_in(subject: Subject) {
    let texts = [
        "",
        "한국어 문장",
        "\u{1112}\u{1161}\u{11ab}",
        "e\u{301} é",
        "👩‍👩‍👧‍👦 🏳️‍🌈",
        "\u{202e}right to left עברית",
        "quotes ' \" \\ ; -- /* */ $1 ? %s",
        "line\r\nfeed\ttab \u{1} \u{7f} \u{feff}",
        "\u{10ffff}\u{fffe}",
    ];
    let mut unit = subject.unit().await;
    for text in texts {
        unit.put_setting(&format!("key {text}"), text).await.unwrap();
    }
    unit.commit().await.unwrap();
    let mut unit = subject.reading().await;
    for text in texts {
        assert_eq!(unit.setting(&format!("key {text}")).await.unwrap().as_deref(), Some(text), "{text:?}");
    }
}

pub(super) async fn a_megabyte_of_json_comes_back_as_it_went_in(subject: Subject) {
    subject.organisation(0).await;
    let mut big = run(1, user_id(1));
    big.input = format!("{{\"text\":\"{}\",\"nul\":\"\\u0000\"}}", "한글 ".repeat(150_000));
    assert!(big.input.len() > 1_000_000);
    let mut unit = subject.unit().await;
    big.number = unit.insert_run(&big).await.unwrap();
    unit.put_snapshot(run_id(1), 1, &big.input).await.unwrap();
    unit.commit().await.unwrap();
    let mut unit = subject.reading().await;
    assert!(unit.run(run_id(1)).await.unwrap() == Some(big.clone()));
    assert!(unit.snapshot_of(run_id(1)).await.unwrap() == Some((1, big.input)));
}

pub(super) async fn a_nul_character_is_refused_and_loses_nothing_else(subject: Subject) {
    let mut unit = subject.unit().await;
    unit.put_setting("before", "1").await.unwrap();
    let error = unit.put_setting("bad", "a\0b").await.unwrap_err();
    assert!(matches!(error, StoreError::NulCharacter), "{error:?}");
    let error = unit.setting("a\0b").await.unwrap_err();
    assert!(matches!(error, StoreError::NulCharacter), "{error:?}");
    let mut person = user(1, "person");
    person.email = Some("\0".to_owned());
    assert!(matches!(unit.insert_user(&person).await, Err(StoreError::NulCharacter)));
    let found = unit.list_users(Some("\0"), None, 1).await;
    assert!(matches!(found, Err(StoreError::NulCharacter)));
    unit.put_setting("after", "2").await.unwrap();
    unit.commit().await.unwrap();
    let mut unit = subject.reading().await;
    assert_eq!(unit.setting("before").await.unwrap().as_deref(), Some("1"));
    assert_eq!(unit.setting("after").await.unwrap().as_deref(), Some("2"));
    assert_eq!(unit.count_users().await.unwrap(), 0);
}

pub(super) async fn a_lost_unit_says_so_before_it_looks_at_text(subject: Subject) {
    let mut unit = subject.unit().await;
    unit.insert_user(&user(1, "person")).await.unwrap();
    unit.insert_user(&user(1, "again")).await.unwrap_err();
    let event = NewEvent {
        key: EventKey { kind: "opened", source: "/doors", id: "a" },
        about: None,
        received_at: at(1),
        body: "a\0b",
    };
    assert!(matches!(unit.insert_event(&event).await, Err(StoreError::Driver(_))));
    assert!(matches!(unit.put_setting("bad", "a\0b").await, Err(StoreError::Driver(_))));
    assert!(matches!(unit.setting("a\0b").await, Err(StoreError::Driver(_))));
}

pub(super) async fn order_is_by_bytes_in_any_locale(subject: Subject) {
    let names = ["-a", "a", "a b", "a-b", "a.b", "ab", "z", "ä", "é", "김", "나"];
    let mut unit = subject.unit().await;
    for (number, name) in names.iter().enumerate().rev() {
        unit.insert_team(&team(number as u128 + 1, name)).await.unwrap();
        unit.insert_user(&user(number as u128 + 1, name)).await.unwrap();
    }
    let teams: Vec<_> = unit.list_teams().await.unwrap().into_iter().map(|team| team.name).collect();
    assert_eq!(teams, names);
    let people = unit.list_users(None, Some("a-b"), 50).await.unwrap();
    assert_eq!(people.into_iter().map(|user| user.login).collect::<Vec<_>>(), names[4..]);
}
