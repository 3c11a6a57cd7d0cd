//! `call: directory` over SCIM: on a real server, and on stand-ins for what that one does not do.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::{Path, Query},
    http::{HeaderMap, StatusCode},
    response::IntoResponse as _,
    routing::get,
};
use connectors::{Outcome, Probe, Repetition};
use domain::view::PlannedEffect;
use serde_json::{Value, json};
use workflow::StandardError;

use crate::{
    faults::{SECRET, Subject},
    http::serve,
    support::{Bench, done, failed_step, permanent, planned, retryable, service},
};

fn with(operation: &str, more: Value) -> Value {
    let mut with = json!({"connection": "it", "operation": operation});
    with.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    with
}

struct Directory {
    bench: Bench,
    settings: Value,
    /// Makes names unique, so that tests share one server.
    tag: String,
}

impl Directory {
    /// The server of the lab; none where it does not run.
    async fn real() -> Option<Self> {
        let [url, ca, token] = service(&["TEST_SCIM_URL", "TEST_SCIM_CA", "TEST_SCIM_TOKEN"])?.try_into().ok()?;
        let ca = std::fs::read_to_string(ca).unwrap();
        let settings = json!({"baseUrl": url, "token": token, "ca": ca});
        let bench = Bench::new().await;
        bench.connect("it", "scim", settings.clone()).await;
        Some(Self { bench, settings, tag: format!("{:x}", testkit::seed() & 0xff_ffff) })
    }

    async fn call(&self, key: &str, operation: &str, more: Value) -> Outcome {
        self.bench.call("directory", &format!("{key}-{}", self.tag), with(operation, more)).await
    }

    async fn done(&self, key: &str, operation: &str, more: Value) -> Value {
        done(self.call(key, operation, more).await)
    }
}

#[tokio::test]
async fn a_person_lives_a_whole_life() {
    let Some(directory) = Directory::real().await else { return };
    let login = format!("jd{}", directory.tag);
    let me = json!({"login": login});
    assert_eq!(directory.done("l0", "lookup", me.clone()).await, json!({"found": false, "user": null}));
    let boss = format!("boss{}", directory.tag);
    directory.done("b1", "createUser", json!({"login": boss, "name": "The Boss"})).await;

    let person = json!({"login": login, "name": "Jane \"Doe\"", "givenName": "Jane", "familyName": "Doe",
        "email": "jane@example.test", "department": "sales", "jobTitle": "Seller", "manager": boss, "phone": "+49 1",
        "employeeNumber": "7", "attributes": {"nickName": "JD"}});
    let created = directory.done("c1", "createUser", person.clone()).await;
    assert_eq!(created["created"], true);
    let expected = json!({"id": created["user"]["id"], "login": login, "name": "Jane \"Doe\"", "email": "jane@example.test",
        "active": true, "manager": boss, "department": "sales", "jobTitle": "Seller", "groups": []});
    assert_eq!(created["user"], expected);
    assert_eq!(directory.done("c1", "createUser", person.clone()).await, created, "a repeated call knows its own work");
    assert_eq!(permanent(directory.call("c2", "createUser", person.clone()).await).0, 409);
    let key = format!("c1-{}", directory.tag);
    let probed = directory.bench.probe("directory", &key, with("createUser", person.clone())).await;
    assert_eq!(probed, Probe::Happened(created));
    let probed = directory.bench.probe("directory", "nobody's key", with("createUser", person)).await;
    assert_eq!(probed, Probe::DidNotHappen);
    assert_eq!(directory.done("l1", "lookup", me.clone()).await["user"], expected);

    let change = json!({"login": login, "email": "j@example.test", "jobTitle": null, "manager": null, "name": "Jane Roe",
        "department": "finance", "familyName": "Roe"});
    let changed = directory.done("m1", "modifyUser", change.clone()).await;
    let expected = json!({"id": expected["id"], "login": login, "name": "Jane Roe", "email": "j@example.test",
        "active": true, "manager": null, "department": "finance", "jobTitle": null, "groups": []});
    assert_eq!(changed["user"], expected);
    assert_eq!(directory.done("m2", "modifyUser", change).await["user"], expected, "twice is once");

    let disabled = directory.done("d1", "disableUser", me.clone()).await;
    assert_eq!((&disabled["changed"], &disabled["user"]["active"]), (&json!(true), &json!(false)));
    assert_eq!(directory.done("d2", "disableUser", me.clone()).await["changed"], false);
    assert_eq!(directory.done("e1", "enableUser", me.clone()).await["user"]["active"], true);
    assert_eq!(directory.done("s1", "revokeSessions", me.clone()).await, json!({"sessions": 0, "tokens": 0}));

    assert_eq!(directory.done("z1", "deleteUser", me.clone()).await["deleted"], true);
    assert_eq!(directory.done("z2", "deleteUser", me.clone()).await["deleted"], false);
    assert_eq!(directory.done("l2", "lookup", me.clone()).await["found"], false);
    assert_eq!(permanent(directory.call("m3", "modifyUser", me).await).0, 404);
}

#[tokio::test]
async fn groups_have_members_until_they_leave() {
    let Some(directory) = Directory::real().await else { return };
    let (login, group) = (format!("gm{}", directory.tag), format!("vpn \"{}\"", directory.tag));
    directory.done("c1", "createUser", json!({"login": login, "name": "Jane Doe"})).await;
    let new = json!({"group": group});
    let created = directory.done("g1", "createGroup", new.clone()).await;
    assert_eq!(created, json!({"created": true, "group": {"name": group, "title": group}}));
    assert_eq!(directory.done("g1", "createGroup", new.clone()).await, created, "a repeated call knows its own work");
    assert_eq!(permanent(directory.call("g2", "createGroup", new.clone()).await).0, 409);
    let key = format!("g1-{}", directory.tag);
    let probed = directory.bench.probe("directory", &key, with("createGroup", new.clone())).await;
    assert_eq!(probed, Probe::Happened(created));

    let member = json!({"group": group, "login": login});
    assert_eq!(directory.done("r0", "removeMember", member.clone()).await["removed"], false);
    assert_eq!(directory.done("a1", "addMember", member.clone()).await["added"], true);
    assert_eq!(directory.done("a2", "addMember", member.clone()).await["added"], false);
    let me = json!({"login": login});
    assert_eq!(directory.done("l1", "lookup", me.clone()).await["user"]["groups"], json!([group]));
    assert_eq!(directory.done("l2", "listGroups", me.clone()).await["groups"][0]["name"], group.as_str());
    let members = directory.done("l3", "listMembers", new.clone()).await;
    assert_eq!((&members["owner"], &members["members"][0]["login"]), (&json!(null), &json!(login)));
    assert_eq!(directory.done("r1", "removeMember", member.clone()).await["removed"], true);
    assert_eq!(directory.done("r2", "removeMember", member.clone()).await["removed"], false);
    assert_eq!(directory.done("l4", "listMembers", new.clone()).await["members"], json!([]));
    let all = directory.done("l5", "listGroups", json!({})).await;
    assert!(all["groups"].as_array().unwrap().iter().any(|listed| listed["name"] == group.as_str()), "{all}");

    // Who is deleted is in no group any more.
    directory.done("a3", "addMember", member.clone()).await;
    directory.done("z1", "deleteUser", me).await;
    assert_eq!(directory.done("l6", "listMembers", new.clone()).await["members"], json!([]));
    assert_eq!(permanent(directory.call("a4", "addMember", member).await).0, 404);
    assert_eq!(directory.done("z2", "deleteGroup", new.clone()).await["deleted"], true);
    assert_eq!(directory.done("z3", "deleteGroup", new).await["deleted"], false);
}

#[tokio::test]
async fn passwords_are_set_where_the_service_takes_them_and_stand_nowhere() {
    let Some(directory) = Directory::real().await else { return };
    let login = format!("pw{}", directory.tag);
    directory.done("c1", "createUser", json!({"login": login, "name": "Jane Doe"})).await;
    let password = "C0rrect-horse-battery";
    let set = json!({"login": login, "password": password});
    assert_eq!(directory.done("p1", "setPassword", set).await, json!({"changed": true}));
    let issued = directory.done("p2", "issuePassword", json!({"login": login})).await;
    assert!(directory.bench.opened(&issued["link"]).starts_with("http://portal.test/link/"));
    assert_eq!(directory.done("p2", "issuePassword", json!({"login": login})).await, issued);
    let log = directory.bench.log_text();
    assert!(log.contains("SCIM has no way to let a password expire") && !log.contains(password), "{log}");
    let forced = directory.call("p3", "setPassword", json!({"login": login, "password": password, "mustChange": true}));
    assert_eq!(permanent(forced.await).0, 501);
    assert_eq!(permanent(directory.call("x1", "expirePassword", json!({"login": login})).await).0, 501);
}

#[tokio::test]
async fn hostile_names_stay_values() {
    let Some(directory) = Directory::real().await else { return };
    for login in ["\"", "x\" or userName pr or userName eq \"x", "\\", "a\\\" or userName pr", "*", "a b"] {
        assert_eq!(directory.done("h", "lookup", json!({"login": login})).await["found"], false, "{login}");
    }
    let nowhere = directory.call("h1", "addMember", json!({"group": "x\" or displayName pr", "login": "x"})).await;
    assert_eq!(permanent(nowhere).0, 404);
}

#[tokio::test]
async fn a_connection_test_names_the_step_that_fails() {
    let Some(directory) = Directory::real().await else { return };
    let check = directory.bench.check("scim", directory.settings.clone()).await;
    assert!(check.ok, "{check:?}");
    assert!(check.steps.last().unwrap().detail.contains("passwords can be set"), "{check:?}");
    let failing = async |name: &str, value: Value| {
        let mut settings = directory.settings.as_object().unwrap().clone();
        settings.remove(name);
        settings.extend((!value.is_null()).then(|| (name.to_owned(), value)));
        failed_step(&directory.bench.check("scim", settings.into()).await)
    };
    let (step, words) = failing("token", json!("wrong-token")).await;
    assert_eq!(step, "sign-in");
    assert!(words.contains("enter its credentials") && !words.contains("wrong-token"), "{words}");
    let (step, words) = failing("ca", json!(null)).await;
    assert_eq!(step, "tls");
    assert!(words.contains("enter the CA"), "{words}");
    let base = directory.settings["baseUrl"].as_str().unwrap().replace("/v2", "/elsewhere");
    let (step, words) = failing("baseUrl", json!(base)).await;
    assert_eq!(step, "sign-in");
    assert!(words.contains("status 404"), "{words}");
    assert_eq!(failing("username", json!("both")).await.0, "settings");

    let mut wrong = directory.settings.clone();
    wrong["token"] = json!("wrong-token");
    directory.bench.connect("it", "scim", wrong).await;
    let outcome = directory.call("k", "createUser", json!({"login": "never", "name": "Never"})).await;
    let Outcome::Permanent(error) = outcome else { panic!("{outcome:?}") };
    assert!(error.is(StandardError::Authentication), "{error}");
}

#[tokio::test]
async fn faults_are_told_apart() {
    let subject = Subject {
        function: "directory",
        kind: "scim",
        settings: |address| json!({"baseUrl": address, "username": "rondo", "password": SECRET}),
        reads: Some(with("lookup", json!({"login": "jdoe"}))),
        changes: with("createUser", json!({"login": "jdoe", "name": "Jane Doe"})),
        garbled: "none of SCIM 2.0; check that the connection's address",
    };
    subject.endures().await;
}

/// A bench with a connection to a stand-in.
async fn over(router: Router) -> Bench {
    let bench = Bench::new().await;
    bench.connect("it", "scim", json!({"baseUrl": serve(router).await, "token": SECRET})).await;
    bench
}

fn list(resources: Vec<Value>, total: usize) -> Json<Value> {
    Json(json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": total, "Resources": resources,
    }))
}

#[tokio::test]
async fn lists_are_read_page_by_page_and_not_without_end() {
    // A service gives as many as it likes, whatever was asked for.
    let pages = |total: usize| {
        get(move |Query(query): Query<HashMap<String, String>>| async move {
            let start: usize = query["startIndex"].parse().unwrap();
            let page = (start..=total).take(2).map(|at| json!({"id": at.to_string(), "displayName": format!("g{at}")}));
            list(page.collect(), total)
        })
    };
    let bench = over(Router::new().route("/Groups", pages(5))).await;
    let groups = done(bench.call("directory", "k", with("listGroups", json!({}))).await);
    let names: Vec<&str> = groups["groups"].as_array().unwrap().iter().map(|g| g["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["g1", "g2", "g3", "g4", "g5"]);
    let bench = over(Router::new().route("/Groups", pages(1_001))).await;
    let (status, words) = permanent(bench.call("directory", "k", with("listGroups", json!({}))).await);
    assert_eq!(status, 413, "{words}");
    assert!(words.contains("no more than 1000 are read; ask for one"), "{words}");
    // Less than it says that there are, and no more to be had.
    let short = get(|| async { list(Vec::new(), 3) });
    let bench = over(Router::new().route("/Groups", short)).await;
    assert_eq!(done(bench.call("directory", "k", with("listGroups", json!({}))).await)["groups"], json!([]));
}

/// A service with one person and one group, whose first changes come too late; the versions that they were about.
fn contended(refusals: usize) -> (Router, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (read, written) = (seen.clone(), seen.clone());
    let group = move || {
        let version = format!("W/\"{}\"", read.lock().unwrap().len());
        json!({"id": "g", "displayName": "vpn", "members": [{"value": "other"}], "meta": {"version": version}})
    };
    let users = get(|| async { list(vec![json!({"id": "u", "userName": "jdoe"})], 1) });
    let groups = get(move || async move { list(vec![group()], 1) });
    let patch =
        axum::routing::patch(move |headers: HeaderMap, Path(id): Path<String>, Json(body): Json<Value>| async move {
            assert_eq!((id.as_str(), &body["Operations"][0]["value"][0]["value"]), ("g", &json!("u")));
            let mut versions = written.lock().unwrap();
            versions.push(headers["if-match"].to_str().unwrap().to_owned());
            if versions.len() <= refusals { StatusCode::PRECONDITION_FAILED } else { StatusCode::NO_CONTENT }
        });
    let router = Router::new().route("/Users", users).route("/Groups", groups).route("/Groups/{id}", patch);
    (router, seen)
}

#[tokio::test]
async fn a_change_that_others_were_quicker_than_is_made_anew_on_what_they_left() {
    let member = with("addMember", json!({"group": "vpn", "login": "jdoe"}));
    let (router, seen) = contended(2);
    let bench = over(router).await;
    assert_eq!(done(bench.call("directory", "k", member.clone()).await), json!({"added": true}));
    assert_eq!(*seen.lock().unwrap(), ["W/\"0\"", "W/\"1\"", "W/\"2\""]);
    let (router, _) = contended(9);
    let words = retryable(over(router).await.call("directory", "k", member).await);
    assert!(words.contains("others changed the same entry"), "{words}");
}

#[tokio::test]
async fn what_a_service_does_not_offer_is_said() {
    let config = json!({"patch": {"supported": false}, "changePassword": {"supported": false}});
    let users = get(|| async { list(vec![json!({"id": "u", "userName": "jdoe"})], 1) });
    let router =
        Router::new().route("/Users", users).route("/ServiceProviderConfig", get(move || async move { Json(config) }));
    let at = serve(router).await;
    let settings = json!({"baseUrl": at, "token": SECRET});
    let bench = Bench::new().await;
    let (step, words) = failed_step(&bench.check("scim", settings.clone()).await);
    assert_eq!(step, "right");
    assert!(words.contains("no changes by PATCH"), "{words}");
    bench.connect("it", "scim", settings).await;
    let set = with("setPassword", json!({"login": "jdoe", "password": "pw-that-stands-nowhere"}));
    let (status, words) = permanent(bench.call("directory", "k", set.clone()).await);
    assert_eq!(status, 501);
    assert!(words.contains("takes no passwords by SCIM"), "{words}");
    bench.connect("it", "scim", json!({"baseUrl": "http://id.example.test/v2", "token": SECRET})).await;
    let (_, words) = permanent(bench.call("directory", "k", set).await);
    assert!(words.contains("begins with https://"), "{words}");
}

#[tokio::test]
async fn a_service_that_repeats_a_password_does_not_get_it_into_an_error() {
    let users = get(|| async { list(vec![json!({"id": "u", "userName": "jdoe"})], 1) });
    let refusal = |Json(body): Json<Value>| async move {
        let words = format!("{} is too short", body["Operations"][0]["value"]);
        (StatusCode::BAD_REQUEST, Json(json!({"scimType": "invalidValue", "detail": words}))).into_response()
    };
    let router = Router::new().route("/Users", users).route("/Users/u", axum::routing::patch(refusal));
    let bench = over(router).await;
    let set = with("setPassword", json!({"login": "jdoe", "password": "pw-that-stands-nowhere"}));
    let (status, words) = permanent(bench.call("directory", "k", set).await);
    assert_eq!(status, 400);
    assert!(words.contains("invalidValue") && words.contains("is too short"), "{words}");
    assert!(!words.contains("stands-nowhere") && !bench.log_text().contains("stands-nowhere"), "{words}");
}

#[tokio::test]
async fn where_members_cannot_be_searched_people_say_where_they_are() {
    let person = json!({"id": "u", "userName": "jdoe", "groups": [
        {"value": "g", "display": "vpn", "type": "direct"}, {"value": "h", "display": "all", "type": "indirect"}]});
    let users = get(move || async move { list(vec![person], 1) });
    let refusal = json!({"scimType": "invalidFilter", "status": "400"});
    let groups = get(move || async move { (StatusCode::BAD_REQUEST, Json(refusal)) });
    let bench = over(Router::new().route("/Users", users).route("/Groups", groups)).await;
    let user = done(bench.call("directory", "k", with("lookup", json!({"login": "jdoe"}))).await);
    assert_eq!(user["user"]["groups"], json!(["vpn"]));
}

#[tokio::test]
async fn who_may_be_a_member_is_taken_out() {
    let users = get(|| async { list(vec![json!({"id": "u", "userName": "jdoe"})], 1) });
    // It shows no members, and does not search by them.
    let groups = get(|uri: axum::http::Uri| async move {
        if uri.query().is_some_and(|query| query.contains("members")) {
            return (StatusCode::BAD_REQUEST, Json(json!({"scimType": "invalidFilter", "status": "400"})));
        }
        (StatusCode::OK, list(vec![json!({"id": "g", "displayName": "vpn"})], 1))
    });
    let patched = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&patched);
    let group = get(|| async { Json(json!({"id": "g", "displayName": "vpn"})) }).patch(
        move |Json(body): Json<Value>| async move {
            seen.lock().unwrap().push(body["Operations"][0].clone());
            StatusCode::NO_CONTENT
        },
    );
    let bench = over(Router::new().route("/Users", users).route("/Groups", groups).route("/Groups/{id}", group)).await;
    let removed = bench.call("directory", "k", with("removeMember", json!({"group": "vpn", "login": "jdoe"}))).await;
    assert_eq!(done(removed), json!({"removed": true}));
    assert_eq!(*patched.lock().unwrap(), [json!({"op": "remove", "path": "members[value eq \"u\"]"})]);
}

#[tokio::test]
async fn refusals_have_their_kind() {
    for (status, kind) in [(403, StandardError::Authorization), (401, StandardError::Authentication)] {
        let bench = over(Router::new().fallback(move || async move { StatusCode::from_u16(status).unwrap() })).await;
        let outcome = bench.call("directory", "k", with("lookup", json!({"login": "jdoe"}))).await;
        assert!(matches!(&outcome, Outcome::Permanent(error) if error.is(kind)), "{outcome:?}");
    }
    let busy = || async { (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "9")]) };
    let bench = over(Router::new().fallback(busy)).await;
    let words = retryable(bench.call("directory", "k", with("lookup", json!({"login": "jdoe"}))).await);
    assert!(words.contains("after 9 seconds"), "{words}");
    for (operation, more, expected) in [
        ("createUser", json!({"login": "a", "name": "A"}), Repetition::Probe),
        ("createGroup", json!({"group": "a"}), Repetition::Probe),
        ("modifyUser", json!({"login": "a", "name": "A"}), Repetition::Safe),
        ("listMembers", json!({"group": "a"}), Repetition::Safe),
    ] {
        let request = bench.prepare("directory", with(operation, more)).await.unwrap();
        assert_eq!(bench.registry.repetition(&request), expected, "{operation}");
    }
}

#[tokio::test]
async fn a_plan_says_what_would_change_and_changes_nothing() {
    let Some(directory) = Directory::real().await else { return };
    let (login, group) = (format!("pl{}", directory.tag), format!("plan{}", directory.tag));
    let plan =
        async |operation: &str, more: Value| planned(directory.bench.plan("directory", with(operation, more)).await);
    let person = json!({"login": login, "name": "Jane Doe", "email": "jane@example.test", "jobTitle": "Seller"});
    let (effect, _, fields) = plan("createUser", person.clone()).await;
    assert_eq!(effect, PlannedEffect::Changes);
    assert_eq!(fields, ["displayName: - → Jane Doe", "email: - → jane@example.test", "title: - → Seller"]);
    assert_eq!(directory.done("n", "lookup", json!({"login": login})).await["found"], false, "nobody was created");
    directory.done("c", "createUser", person).await;
    directory.done("g", "createGroup", json!({"group": group})).await;
    let before = directory.done("l1", "lookup", json!({"login": login})).await;
    let change = json!({"login": login, "name": "Jane Doe", "email": "j@example.test", "jobTitle": null});
    let (_, _, fields) = plan("modifyUser", change).await;
    assert_eq!(fields, ["email: jane@example.test → j@example.test", "title: Seller → -"]);
    assert_eq!(plan("disableUser", json!({"login": login})).await.2, ["active: true → false"]);
    let member = json!({"group": group, "login": login});
    assert_eq!(plan("addMember", member.clone()).await.0, PlannedEffect::Changes);
    directory.done("a", "addMember", member.clone()).await;
    assert_eq!(plan("addMember", member.clone()).await.0, PlannedEffect::Nothing);
    assert_eq!(plan("createGroup", json!({"group": group})).await.0, PlannedEffect::Fails);
    assert_eq!(plan("expirePassword", json!({"login": login})).await.0, PlannedEffect::Fails);
    directory.done("r", "removeMember", member).await;
    assert_eq!(directory.done("l2", "lookup", json!({"login": login})).await, before);
}
