use store::{
    StoreError,
    connections::{CheckNews, Connection, ConnectionChecked},
    credentials::LinkPurpose,
};

use super::Subject;
use crate::fixtures::{
    at, connection, connection_id, link, link_id, session, session_id, throttle, token, token_id, user_id,
};

pub(super) async fn sessions_are_replaced_listed_and_revoked(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    for number in 1..=3 {
        unit.put_session(&session(number, Some(user_id(1)))).await.unwrap();
    }
    unit.put_session(&session(4, None)).await.unwrap();
    let mut renewed = session(2, Some(user_id(1)));
    renewed.id = session_id(22);
    "{\"user\":1}".clone_into(&mut renewed.data);
    renewed.last_seen_at = at(50);
    unit.put_session(&renewed).await.unwrap();
    unit.commit().await.unwrap();
    let mut unit = subject.unit().await;
    assert_eq!(unit.session_by_hash("session-2").await.unwrap(), Some(renewed));
    assert_eq!(unit.session_by_hash("session-4").await.unwrap(), Some(session(4, None)));
    assert_eq!(unit.session_by_hash("none").await.unwrap(), None);
    let ids: Vec<_> = unit.sessions_of(user_id(1), at(99)).await.unwrap().into_iter().map(|s| s.id).collect();
    assert_eq!(ids, [session_id(22), session_id(3), session_id(1)]);
    assert_eq!(unit.sessions_of(user_id(1), at(100)).await.unwrap(), []);
    assert!(!unit.revoke_session(user_id(2), session_id(3)).await.unwrap());
    assert!(unit.revoke_session(user_id(1), session_id(3)).await.unwrap());
    assert_eq!(unit.revoke_sessions_of(user_id(1), Some(session_id(22))).await.unwrap(), 1);
    assert_eq!(unit.revoke_sessions_of(user_id(1), None).await.unwrap(), 1);
    unit.delete_session("none").await.unwrap();
    assert_eq!(unit.prune_sessions(at(100)).await.unwrap(), 0);
    assert_eq!(unit.prune_sessions(at(101)).await.unwrap(), 1);
    assert_eq!(unit.session_by_hash("session-4").await.unwrap(), None);
}

pub(super) async fn failed_attempts_are_counted_and_forgotten(subject: Subject) {
    let mut unit = subject.unit().await;
    let mut failed = throttle("account:staff", 1, at(1));
    unit.put_throttle(&failed).await.unwrap();
    failed.failures = 2;
    failed.locked_until = Some(at(30));
    failed.last_failure_at = at(2);
    unit.put_throttle(&failed).await.unwrap();
    unit.put_throttle(&throttle("address:::1", 9, at(1))).await.unwrap();
    assert_eq!(unit.throttle("account:staff").await.unwrap(), Some(failed));
    assert_eq!(unit.throttle("account:other").await.unwrap(), None);
    assert_eq!(unit.prune_throttles(at(2)).await.unwrap(), 1);
    unit.clear_throttle("account:staff").await.unwrap();
    assert_eq!(unit.throttle("account:staff").await.unwrap(), None);
}

pub(super) async fn a_link_works_once_and_forgets_what_it_showed(subject: Subject) {
    subject.organisation(0).await;
    let made = link(1, LinkPurpose::RevealPassword, Some(user_id(1)));
    let mut unit = subject.unit().await;
    unit.insert_link(&made).await.unwrap();
    unit.commit().await.unwrap();
    let mut users = Vec::new();
    for _ in 0..4 {
        let subject = subject.clone();
        users.push(tokio::spawn(async move {
            let mut unit = subject.unit().await;
            let used = unit.use_link(link_id(1), at(5)).await;
            unit.commit().await.unwrap();
            used
        }));
    }
    let mut used = 0;
    for user in users {
        match user.await.unwrap() {
            Ok(()) => used += 1,
            Err(error) => assert!(matches!(error, StoreError::Conflict), "{error:?}"),
        }
    }
    assert_eq!(used, 1);
    let mut after = made;
    after.sealed = None;
    after.used_at = Some(at(5));
    assert_eq!(subject.reading().await.link_by_hash("link-1").await.unwrap(), Some(after));
    let mut again = link(2, LinkPurpose::SetPassword, None);
    "link-1".clone_into(&mut again.token_hash);
    let error = subject.unit().await.insert_link(&again).await.unwrap_err();
    assert!(matches!(&error, StoreError::Duplicate(what) if what == "token_hash"), "{error:?}");
}

pub(super) async fn links_are_revoked_by_person_and_purpose(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    unit.insert_link(&link(1, LinkPurpose::SetPassword, Some(user_id(1)))).await.unwrap();
    unit.insert_link(&link(2, LinkPurpose::SetPassword, Some(user_id(2)))).await.unwrap();
    unit.insert_link(&link(3, LinkPurpose::FirstAdministrator, None)).await.unwrap();
    assert_eq!(unit.revoke_links_of(user_id(1), at(1)).await.unwrap(), 1);
    assert_eq!(unit.revoke_links_of(user_id(1), at(1)).await.unwrap(), 0);
    assert_eq!(unit.revoke_links_for(LinkPurpose::FirstAdministrator, at(1)).await.unwrap(), 1);
    assert!(matches!(unit.use_link(link_id(1), at(2)).await, Err(StoreError::Conflict)));
    assert!(matches!(unit.use_link(link_id(3), at(2)).await, Err(StoreError::Conflict)));
    unit.use_link(link_id(2), at(2)).await.unwrap();
}

pub(super) async fn tokens_are_listed_touched_and_revoked(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    for number in 1..=3 {
        unit.insert_token(&token(number, user_id(1))).await.unwrap();
    }
    unit.touch_token(token_id(2), at(60)).await.unwrap();
    let ids: Vec<_> = unit.tokens_of(user_id(1)).await.unwrap().into_iter().map(|token| token.id).collect();
    assert_eq!(ids, [token_id(3), token_id(2), token_id(1)]);
    assert!(!unit.revoke_token(user_id(2), token_id(2), at(70)).await.unwrap());
    assert!(unit.revoke_token(user_id(1), token_id(2), at(70)).await.unwrap());
    assert!(!unit.revoke_token(user_id(1), token_id(2), at(71)).await.unwrap());
    let revoked = unit.token_by_hash("token-2").await.unwrap().unwrap();
    assert_eq!((revoked.last_used_at, revoked.revoked_at), (Some(at(60)), Some(at(70))));
    assert_eq!(unit.tokens_of(user_id(1)).await.unwrap().len(), 2);
    assert_eq!(unit.revoke_tokens_of(user_id(1), at(80)).await.unwrap(), 2);
    assert_eq!(unit.tokens_of(user_id(1)).await.unwrap(), []);
}

pub(super) async fn settings_and_connections_are_replaced(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    assert_eq!(unit.setting("demo").await.unwrap(), None);
    unit.put_setting("demo", "1").await.unwrap();
    unit.put_setting("demo", "2").await.unwrap();
    assert_eq!(unit.setting("demo").await.unwrap().as_deref(), Some("2"));
    unit.put_connection(&connection(1, "mail")).await.unwrap();
    unit.put_connection(&connection(2, "directory")).await.unwrap();
    let mut changed = connection(1, "post");
    changed.sealed_secret = None;
    changed.last_check = Some("{\"ok\":true}".to_owned());
    changed.updated_at = at(3);
    changed.owner = Some(store::access::Subject::User(user_id(1)));
    (changed.failing_since, changed.check_due_at) = (Some(at(2)), at(5));
    unit.put_connection(&changed).await.unwrap();
    assert_eq!(unit.connection(connection_id(1)).await.unwrap(), Some(changed.clone()));
    assert_eq!(unit.connection_by_name("mail").await.unwrap(), None);
    assert_eq!(unit.list_connections().await.unwrap(), [connection(2, "directory"), changed]);
    assert!(unit.delete_connection(connection_id(1)).await.unwrap());
    assert!(!unit.delete_connection(connection_id(1)).await.unwrap());
    let error = unit.put_connection(&connection(3, "directory")).await.unwrap_err();
    assert!(matches!(&error, StoreError::Duplicate(what) if what == "name"), "{error:?}");
}

pub(super) async fn a_check_of_a_connection_is_taken_once_and_tells_what_changed(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    for (number, due) in [(1, 9), (2, 4), (3, 6)] {
        let due = Connection { check_due_at: at(due), ..connection(number, &format!("c-{number}")) };
        unit.put_connection(&due).await.unwrap();
    }
    let ids = |found: Vec<Connection>| found.into_iter().map(|one| one.id).collect::<Vec<_>>();
    let (two, three) = (connection_id(2), connection_id(3));
    assert_eq!(ids(unit.connections_to_check(at(6), 9).await.unwrap()), [two, three]);
    assert_eq!(ids(unit.connections_to_check(at(6), 1).await.unwrap()), [two]);
    assert!(unit.take_connection_check(two, at(6), at(60)).await.unwrap());
    assert!(!unit.take_connection_check(two, at(6), at(70)).await.unwrap(), "another has it");
    assert_eq!(ids(unit.connections_to_check(at(6), 9).await.unwrap()), [three]);
    assert!(unit.take_connection_check(two, at(60), at(120)).await.unwrap(), "who had it has died");

    let checked = |works, second| ConnectionChecked {
        id: two,
        settings_of: at(0),
        check: format!("{{\"at\":{second}}}"),
        works,
        at: at(second),
        next_at: at(second + 100),
    };
    for (works, second, news, failing) in [
        (true, 10, CheckNews::Same, None),
        (false, 11, CheckNews::Changed, Some(at(11))),
        (false, 12, CheckNews::Same, Some(at(11))),
        (true, 13, CheckNews::Changed, None),
        (false, 14, CheckNews::Changed, Some(at(14))),
    ] {
        assert_eq!(unit.note_connection_check(&checked(works, second)).await.unwrap(), news, "{second}");
        let stored = unit.connection(two).await.unwrap().unwrap();
        assert_eq!((stored.failing_since, stored.check_due_at), (failing, at(second + 100)), "{second}");
        assert_eq!(stored.last_check, Some(checked(works, second).check));
    }
    let of_older_settings = ConnectionChecked { settings_of: at(-1), ..checked(true, 15) };
    assert_eq!(unit.note_connection_check(&of_older_settings).await.unwrap(), CheckNews::Outdated);
    assert_eq!(unit.connection(two).await.unwrap().unwrap().failing_since, Some(at(14)));
}
