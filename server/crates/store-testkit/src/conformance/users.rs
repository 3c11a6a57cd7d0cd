use store::{StoreError, access::Subject as Holder, audit::QueuedEntry};

use super::Subject;
use crate::fixtures::{self, at, user, user_id};

pub(super) async fn people_are_stored_whole_and_found_by_login(subject: Subject) {
    let mut whole = user(2, "jane.doe");
    "Jané Doe 제인".clone_into(&mut whole.name);
    whole.email = Some("Jane@Example.test".to_owned());
    whole.active = false;
    whole.password_hash = Some("$argon2id$v=19$…".to_owned());
    whole.must_change_password = true;
    whole.manager_id = Some(user_id(1));
    whole.locale = Some("ko".to_owned());
    whole.theme = Some("dark".to_owned());
    whole.updated_at = at(5);
    whole.last_sign_in_at = Some(at(6));
    let mut unit = subject.unit().await;
    unit.insert_user(&user(1, "boss")).await.unwrap();
    unit.insert_user(&whole).await.unwrap();
    unit.commit().await.unwrap();

    let mut unit = subject.reading().await;
    assert_eq!(unit.user(user_id(2)).await.unwrap(), Some(whole.clone()));
    assert_eq!(unit.user_by_login("Jane.DOE").await.unwrap(), Some(whole.clone()));
    assert_eq!(unit.user(user_id(9)).await.unwrap(), None);
    assert_eq!(unit.user_by_login("nobody").await.unwrap(), None);
    assert_eq!(unit.users_by_id(&[user_id(2), user_id(9)]).await.unwrap(), vec![whole.clone()]);
    assert_eq!(unit.users_by_id(&[]).await.unwrap(), vec![]);
    let mails = ["JANE@Example.test".to_owned(), "nobody@example.test".to_owned()];
    assert_eq!(unit.users_by_email(&mails).await.unwrap(), vec![whole.clone()]);
    let many: Vec<_> = (1..1500).map(user_id).collect();
    assert_eq!(unit.users_by_id(&many).await.unwrap().len(), 2);
    assert_eq!(unit.count_users().await.unwrap(), 2);
    drop(unit);

    let mut changed = user(2, "jane.roe");
    changed.created_at = at(99);
    let mut unit = subject.unit().await;
    unit.update_user(&changed).await.unwrap();
    unit.commit().await.unwrap();
    changed.created_at = whole.created_at;
    assert_eq!(subject.reading().await.user(user_id(2)).await.unwrap(), Some(changed));
}

pub(super) async fn a_taken_login_is_a_duplicate(subject: Subject) {
    subject.organisation(0).await;
    let error = subject.unit().await.insert_user(&user(7, "staff")).await.unwrap_err();
    assert!(matches!(&error, StoreError::Duplicate(what) if what == "login"), "{error:?}");
    let error = subject.unit().await.insert_user(&user(1, "other")).await.unwrap_err();
    assert!(matches!(&error, StoreError::Duplicate(what) if what == "id"), "{error:?}");
    let mut renamed = user(2, "staff");
    renamed.updated_at = at(1);
    let error = subject.unit().await.update_user(&renamed).await.unwrap_err();
    assert!(matches!(&error, StoreError::Duplicate(what) if what == "login"), "{error:?}");
    let error = subject.unit().await.insert_user(&user(7, "Upper")).await.unwrap_err();
    assert!(matches!(&error, StoreError::Driver(_)), "{error:?}");
}

pub(super) async fn people_are_found_by_any_part_of_name_login_and_mail(subject: Subject) {
    let mut unit = subject.unit().await;
    for (number, login, name, email) in [
        (1, "kim", "김민수", Some("minsu@example.test")),
        (2, "aerger", "Ärger GROSS", None),
        (3, "percent", "100%_\\ sure", None),
        // Decomposed Hangul, as some systems type it.
        (4, "park", "\u{1107}\u{1161}\u{11a8}", None),
    ] {
        let mut person = user(number, login);
        name.clone_into(&mut person.name);
        person.email = email.map(str::to_owned);
        unit.insert_user(&person).await.unwrap();
    }
    unit.commit().await.unwrap();
    let mut unit = subject.reading().await;
    for (search, expected) in [
        ("민수", vec!["kim"]),
        ("EXAMPLE.TEST", vec!["kim"]),
        ("MINSU@", vec!["kim"]),
        ("ärger", vec!["aerger"]),
        ("GROSS", vec!["aerger"]),
        ("박", vec!["park"]),
        ("%", vec!["percent"]),
        ("_\\", vec!["percent"]),
        ("i__", vec![]),
        ("", vec!["aerger", "kim", "park", "percent"]),
    ] {
        let found = unit.list_users(Some(search), None, 10).await.unwrap();
        let logins: Vec<_> = found.iter().map(|user| user.login.as_str()).collect();
        assert_eq!(logins, expected, "search {search:?}");
    }
}

pub(super) async fn people_are_paged_in_order_of_login(subject: Subject) {
    let mut unit = subject.unit().await;
    for number in 0..25_u128 {
        unit.insert_user(&user(number + 1, &format!("user{:02}", (number * 7) % 25))).await.unwrap();
    }
    unit.commit().await.unwrap();
    let mut unit = subject.reading().await;
    let mut seen = Vec::new();
    loop {
        let page = unit.list_users(None, seen.last().map(String::as_str), 10).await.unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(page.into_iter().map(|user| user.login));
    }
    let expected: Vec<_> = (0..25).map(|number| format!("user{number:02}")).collect();
    assert_eq!(seen, expected);
}

pub(super) async fn a_change_of_nobody_is_a_conflict(subject: Subject) {
    let mut unit = subject.unit().await;
    let error = unit.update_user(&user(1, "nobody")).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict), "{error:?}");
    unit.insert_user(&user(1, "nobody")).await.unwrap();
    unit.commit().await.unwrap();
    assert_eq!(subject.reading().await.count_users().await.unwrap(), 1);
}

pub(super) async fn who_left_a_trace_stays(subject: Subject) {
    subject.organisation(1).await;
    let mut unit = subject.unit().await;
    let mut led = user(4, "led");
    led.manager_id = Some(user_id(2));
    unit.insert_user(&led).await.unwrap();
    let mut entry = fixtures::audit(1);
    entry.actor_id = Some(user_id(3));
    let start = unit.audit_size().await.unwrap();
    unit.append_audit(start, &[entry]).await.unwrap();
    unit.insert_user(&user(5, "queued")).await.unwrap();
    unit.queue_audit(&[QueuedEntry { actor_id: Some(user_id(5)), entry: "{}".to_owned() }]).await.unwrap();
    unit.commit().await.unwrap();
    for (number, trace) in [(1, "a run"), (2, "a manager"), (3, "an audit entry"), (5, "one that waits")] {
        let error = subject.unit().await.delete_user(user_id(number)).await.unwrap_err();
        assert!(matches!(error, StoreError::Reference(_)), "{trace}: {error:?}");
    }
    assert_eq!(subject.reading().await.count_users().await.unwrap(), 5);
}

pub(super) async fn who_left_none_goes_with_what_is_theirs(subject: Subject) {
    subject.organisation(0).await;
    let id = user_id(1);
    let mut unit = subject.unit().await;
    unit.insert_team(&fixtures::team(1, "sales")).await.unwrap();
    unit.add_member(fixtures::team_id(1), id).await.unwrap();
    let role = domain::Role::Requester;
    unit.insert_grant(&fixtures::grant(1, Holder::User(id), role, domain::Scope::Everywhere)).await.unwrap();
    unit.put_session(&fixtures::session(1, Some(id))).await.unwrap();
    unit.insert_token(&fixtures::token(1, id)).await.unwrap();
    unit.put_draft(&fixtures::draft(1, id)).await.unwrap();
    unit.insert_notification(&fixtures::notification(1, id, at(0))).await.unwrap();
    unit.commit().await.unwrap();
    let mut unit = subject.unit().await;
    unit.delete_user(id).await.unwrap();
    unit.delete_user(id).await.unwrap();
    unit.commit().await.unwrap();
    let mut unit = subject.reading().await;
    assert_eq!(unit.user(id).await.unwrap(), None);
    assert!(unit.team_members(fixtures::team_id(1)).await.unwrap().is_empty());
    assert!(unit.list_grants().await.unwrap().is_empty());
    assert!(unit.session_by_hash("session-1").await.unwrap().is_none());
}
