//! `call: directory` on Rondo's own users and teams.

use connectors::{Outcome, Probe};
use domain::{Clock as _, SessionId, UserId, view::PlannedEffect};
use identity::tokens;
use serde_json::{Value, json};
use store::{credentials::LinkPurpose, sessions::Session};
use testkit::WallClock;

use crate::support::{Bench, done, permanent, planned};

fn with(operation: &str, more: Value) -> Value {
    let mut with = json!({"connection": "directory", "operation": operation});
    with.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    with
}

async fn bench() -> Bench {
    let bench = Bench::new().await;
    bench.connect("directory", "builtin", json!({})).await;
    bench
}

async fn create(bench: &Bench, login: &str) -> Value {
    let person = json!({"login": login, "name": "Jane Doe", "email": "jane@example.test"});
    done(bench.call("directory", &format!("create-{login}"), with("createUser", person)).await)
}

async fn user_id(bench: &Bench, login: &str) -> UserId {
    bench.store.snapshot().await.unwrap().user_by_login(login).await.unwrap().unwrap().id
}

#[tokio::test]
async fn a_person_is_created_found_changed_disabled_and_deleted() {
    let bench = bench().await;
    let look = with("lookup", json!({"login": "jdoe"}));
    assert_eq!(done(bench.call("directory", "k0", look.clone()).await), json!({"found": false, "user": null}));
    create(&bench, "boss").await;
    let created = create(&bench, "jdoe").await;
    assert_eq!((&created["created"], &created["user"]["active"]), (&json!(true), &json!(true)));
    let change = with("modifyUser", json!({"login": "jdoe", "name": "Jane Smith", "manager": "boss"}));
    let changed = done(bench.call("directory", "k1", change).await);
    assert_eq!((&changed["user"]["name"], &changed["user"]["manager"]), (&json!("Jane Smith"), &json!("boss")));
    let alone = with("modifyUser", json!({"login": "jdoe", "manager": null}));
    assert_eq!(done(bench.call("directory", "k8", alone).await)["user"]["manager"], json!(null));
    let disable = done(bench.call("directory", "k2", with("disableUser", json!({"login": "jdoe"}))).await);
    assert_eq!((&disable["changed"], &disable["user"]["active"]), (&json!(true), &json!(false)));
    let again = done(bench.call("directory", "k3", with("disableUser", json!({"login": "jdoe"}))).await);
    assert_eq!(again["changed"], false);
    let enable = done(bench.call("directory", "k4", with("enableUser", json!({"login": "jdoe"}))).await);
    assert_eq!(enable["user"]["active"], true);
    let delete = |key: &'static str| bench.call("directory", key, with("deleteUser", json!({"login": "jdoe"})));
    assert_eq!(done(delete("k5").await), json!({"deleted": true}));
    assert_eq!(done(delete("k6").await), json!({"deleted": false}));
    assert_eq!(done(bench.call("directory", "k7", look).await)["found"], false);
}

#[tokio::test]
async fn a_repeated_creation_gives_the_first_answer_and_another_one_a_conflict() {
    let bench = bench().await;
    let person = with("createUser", json!({"login": "jdoe", "name": "Jane Doe"}));
    assert_eq!(bench.probe("directory", "key-1", person.clone()).await, Probe::DidNotHappen);
    let first = done(bench.call("directory", "key-1", person.clone()).await);
    assert_eq!(done(bench.call("directory", "key-1", person.clone()).await), first);
    assert_eq!(bench.probe("directory", "key-1", person.clone()).await, Probe::Happened(first));
    let (status, words) = permanent(bench.call("directory", "key-2", person).await);
    assert_eq!(status, 409, "{words}");
}

#[tokio::test]
async fn sixteen_attempts_at_once_make_one_account() {
    let bench = bench().await;
    let person = with("createUser", json!({"login": "jdoe", "name": "Jane Doe"}));
    let calls = (0..16).map(|_| bench.call("directory", "key-1", person.clone()));
    let outcomes = futures::future::join_all(calls).await;
    let outputs: Vec<Value> = outcomes.into_iter().map(done).collect();
    assert!(outputs.iter().all(|output| output == &outputs[0]), "{outputs:?}");
    assert_eq!(bench.store.snapshot().await.unwrap().count_users().await.unwrap(), 1);
}

#[tokio::test]
async fn groups_have_members() {
    let bench = bench().await;
    create(&bench, "jdoe").await;
    let group = with("createGroup", json!({"group": "vpn", "title": "Remote access"}));
    assert_eq!(
        done(bench.call("directory", "g1", group.clone()).await),
        json!({"created": true, "group": {"name": "vpn", "title": "Remote access"}})
    );
    assert_eq!(permanent(bench.call("directory", "g2", group).await).0, 409);
    let member = json!({"group": "vpn", "login": "jdoe"});
    assert_eq!(done(bench.call("directory", "m1", with("addMember", member.clone())).await), json!({"added": true}));
    assert_eq!(done(bench.call("directory", "m2", with("addMember", member.clone())).await), json!({"added": false}));
    let mine = done(bench.call("directory", "l1", with("listGroups", json!({"login": "jdoe"}))).await);
    assert_eq!(mine["groups"], json!([{"name": "vpn", "title": "Remote access"}]));
    let members = done(bench.call("directory", "l2", with("listMembers", json!({"group": "vpn"}))).await);
    let id = user_id(&bench, "jdoe").await;
    let jane = json!({"id": id, "login": "jdoe", "name": "Jane Doe", "email": "jane@example.test", "active": true});
    let group = json!({"name": "vpn", "title": "Remote access"});
    assert_eq!(members, json!({"group": group, "owner": null, "members": [jane]}));
    let nowhere = with("listMembers", json!({"group": "nowhere"}));
    assert_eq!(permanent(bench.call("directory", "l3", nowhere).await).0, 404);
    assert_eq!(
        done(bench.call("directory", "m3", with("removeMember", member.clone())).await),
        json!({"removed": true})
    );
    assert_eq!(done(bench.call("directory", "m4", with("removeMember", member)).await), json!({"removed": false}));
    assert_eq!(
        done(bench.call("directory", "g3", with("deleteGroup", json!({"group": "vpn"}))).await),
        json!({"deleted": true})
    );
    let gone = with("addMember", json!({"group": "vpn", "login": "jdoe"}));
    assert_eq!(permanent(bench.call("directory", "m5", gone).await).0, 404);
}

#[tokio::test]
async fn the_first_password_comes_by_a_sealed_link_that_works_for_its_owner() {
    let bench = bench().await;
    create(&bench, "jdoe").await;
    let issue = with("issuePassword", json!({"login": "jdoe"}));
    let output = done(bench.call("directory", "p1", issue.clone()).await);
    assert!(!output.to_string().contains("portal.test"), "{output}");
    let link = bench.opened(&output["link"]);
    let token = link.strip_prefix("http://portal.test/link/").unwrap();
    let mut unit = bench.store.snapshot().await.unwrap();
    let row = unit.link_by_hash(&tokens::hash(token)).await.unwrap().unwrap();
    assert_eq!(row.user_id, Some(user_id(&bench, "jdoe").await));
    assert!(tokens::is_usable(&row, LinkPurpose::SetPassword, WallClock.now()));
    drop(unit);
    assert_eq!(done(bench.call("directory", "p1", issue.clone()).await), output, "a repetition issues no second link");
    done(bench.call("directory", "p2", issue).await);
    let mut unit = bench.store.snapshot().await.unwrap();
    let earlier = unit.link_by_hash(&tokens::hash(token)).await.unwrap().unwrap();
    assert!(earlier.used_at.is_some(), "a new link makes the earlier one useless");
    drop(unit);
    assert_eq!(done(bench.call("directory", "d", with("deleteUser", json!({"login": "jdoe"}))).await)["deleted"], true);
}

#[tokio::test]
async fn disabling_somebody_ends_the_sessions() {
    let bench = bench().await;
    create(&bench, "jdoe").await;
    let now = WallClock.now();
    let mut unit = bench.store.begin().await.unwrap();
    let user = unit.user_by_login("jdoe").await.unwrap().unwrap().id;
    unit.put_session(&Session {
        id: SessionId::from_uuid(uuid::Uuid::from_u128(1)),
        token_hash: tokens::hash("cookie"),
        user_id: Some(user),
        data: "{}".to_owned(),
        address: "127.0.0.1".to_owned(),
        user_agent: "test".to_owned(),
        created_at: now,
        last_seen_at: now,
        expires_at: now + std::time::Duration::from_mins(10),
    })
    .await
    .unwrap();
    unit.commit().await.unwrap();
    done(bench.call("directory", "k", with("disableUser", json!({"login": "jdoe"}))).await);
    let mut unit = bench.store.snapshot().await.unwrap();
    assert_eq!(unit.sessions_of(user, now).await.unwrap().len(), 0);
    drop(unit);
    assert_eq!(permanent(bench.call("directory", "p", with("issuePassword", json!({"login": "jdoe"}))).await).0, 409);
    let revoked = done(bench.call("directory", "r", with("revokeSessions", json!({"login": "jdoe"}))).await);
    assert_eq!(revoked, json!({"sessions": 0, "tokens": 0}));
}

#[tokio::test]
async fn a_set_password_is_checked_hashed_and_to_be_changed() {
    let bench = bench().await;
    create(&bench, "jdoe").await;
    let set = |password: &str| with("setPassword", json!({"login": "jdoe", "password": password}));
    let Outcome::Permanent(error) = bench.call("directory", "s1", set("short")).await else { panic!("it was taken") };
    assert_eq!(error.status, 400);
    done(bench.call("directory", "s2", set("correct horse battery")).await);
    let mut unit = bench.store.snapshot().await.unwrap();
    let user = unit.user_by_login("jdoe").await.unwrap().unwrap();
    assert!(user.password_hash.unwrap().starts_with("$argon2id$"));
    assert!(user.must_change_password);
    assert!(!bench.log_text().contains("horse"), "{}", bench.log_text());
}

#[tokio::test]
async fn a_plan_says_what_would_change_and_changes_nothing() {
    let bench = bench().await;
    create(&bench, "boss").await;
    create(&bench, "jdoe").await;
    done(bench.call("directory", "g", with("createGroup", json!({"group": "vpn"}))).await);
    let plan = async |operation: &str, more: Value| planned(bench.plan("directory", with(operation, more)).await);
    let person = bench.store.snapshot().await.unwrap().user_by_login("jdoe").await.unwrap();

    let (effect, _, fields) = plan("createUser", json!({"login": "new", "name": "New", "manager": "boss"})).await;
    assert_eq!(effect, PlannedEffect::Changes);
    assert_eq!(fields, ["name: - → New", "manager: - → boss"]);
    let (effect, words, _) = plan("createUser", json!({"login": "jdoe", "name": "Jane Doe"})).await;
    assert_eq!(effect, PlannedEffect::Fails);
    assert_eq!(words, "would fail: there is already a person with the sign-in name jdoe");
    let change = json!({"login": "jdoe", "name": "Jane Doe", "email": "j@example.test", "manager": "boss"});
    let (_, _, fields) = plan("modifyUser", change).await;
    assert_eq!(fields, ["email: jane@example.test → j@example.test", "manager: - → boss"]);
    assert_eq!(plan("modifyUser", json!({"login": "jdoe", "name": "Jane Doe"})).await.0, PlannedEffect::Nothing);
    assert_eq!(plan("disableUser", json!({"login": "jdoe"})).await.2, ["active: true → false"]);
    assert_eq!(plan("enableUser", json!({"login": "jdoe"})).await.0, PlannedEffect::Nothing);
    let member = json!({"group": "vpn", "login": "jdoe"});
    assert_eq!(plan("addMember", member.clone()).await.1, "jdoe is no member of vpn, and will be one");
    assert_eq!(plan("removeMember", member.clone()).await.0, PlannedEffect::Nothing);
    done(bench.call("directory", "m", with("addMember", member.clone())).await);
    assert_eq!(plan("addMember", member).await.1, "jdoe is a member of vpn already");
    assert_eq!(plan("deleteUser", json!({"login": "jdoe"})).await.2, ["groups: vpn → -"]);
    assert_eq!(plan("deleteGroup", json!({"group": "vpn"})).await.1, "deletes the group vpn with its members (1)");
    for operation in ["setPassword", "issuePassword", "expirePassword", "revokeSessions"] {
        let password = json!({"login": "jdoe", "password": "a fine long password"});
        let more = if operation == "setPassword" { password } else { json!({"login": "jdoe"}) };
        assert_eq!(plan(operation, more).await.0, PlannedEffect::Changes, "{operation}");
    }
    assert_eq!(plan("disableUser", json!({"login": "nobody"})).await.0, PlannedEffect::Fails);
    let unsaid = with("disableUser", json!({}));
    assert!(planned(bench.plan("directory", unsaid).await).1.starts_with("would fail: the arguments of directory"));
    assert_eq!(bench.plan("directory", with("lookup", json!({"login": "jdoe"}))).await, None, "it only reads");

    let mut unit = bench.store.snapshot().await.unwrap();
    assert_eq!(unit.user_by_login("jdoe").await.unwrap(), person);
    assert_eq!(unit.count_users().await.unwrap(), 2);
    assert_eq!(unit.list_teams().await.unwrap().len(), 1);
}

#[tokio::test]
async fn who_cannot_be_asked_is_said() {
    let bench = Bench::new().await;
    let disable = with("disableUser", json!({"login": "jdoe"}));
    let (effect, words, _) = planned(bench.plan("directory", disable.clone()).await);
    assert!(effect == PlannedEffect::Unasked && words.starts_with("could not be asked because"), "{words}");
    bench.connect_for("directory", "builtin", json!({}), json!(["elsewhere"])).await;
    let (effect, words, _) = planned(bench.plan("directory", disable).await);
    assert!(effect == PlannedEffect::Unasked && words.contains("may not use the connection"), "{words}");
}
