//! Kind `restconf`, on a stand-in that keeps one tree of data, as RFC 8040 says.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse as _, Response},
};
use domain::view::PlannedEffect;
use serde_json::{Value, json};

use super::with;
use crate::{
    faults::{SECRET, Subject},
    http::serve,
    support::{Bench, done, failed_step, permanent},
};

const PATH: &str = "example:system";

fn settings(base: &str) -> Value {
    json!({"baseUrl": base, "username": "portal", "password": SECRET})
}

/// The tree, and how often it was changed.
type Tree = Arc<Mutex<(Option<Value>, u32)>>;

async fn device() -> (Bench, Tree) {
    let tree: Tree = Arc::new(Mutex::new((Some(json!({"example:system": {"name": "r1", "password": "geheim"}})), 1)));
    let router = Router::new().fallback(answer).with_state(Arc::clone(&tree));
    let bench = Bench::new().await;
    bench.connect("it", "restconf", settings(&format!("{}/restconf", serve(router).await))).await;
    (bench, tree)
}

fn error(status: StatusCode, tag: &str, message: &str) -> Response {
    let error = json!({"ietf-restconf:errors": {"error": [{"error-tag": tag, "error-message": message}]}});
    (status, error.to_string()).into_response()
}

async fn answer(State(tree): State<Tree>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    if !header("authorization").starts_with("Basic ") {
        return error(StatusCode::UNAUTHORIZED, "access-denied", "who are you?");
    }
    if uri.path() == "/restconf/data/ietf-yang-library:modules-state" {
        return (StatusCode::OK, json!({}).to_string()).into_response();
    }
    if uri.path() != "/restconf/data/example:system" {
        return error(StatusCode::NOT_FOUND, "invalid-value", "no such resource");
    }
    let mut tree = tree.lock().unwrap();
    let (data, version) = &mut *tree;
    let etag = format!("\"{version}\"");
    if !header("if-match").is_empty() && header("if-match") != etag {
        return error(StatusCode::PRECONDITION_FAILED, "operation-failed", "it was changed");
    }
    if method == Method::GET {
        return match data {
            Some(data) => ([("etag", etag)], data.to_string()).into_response(),
            None => error(StatusCode::NOT_FOUND, "invalid-value", "no such instance"),
        };
    }
    assert_eq!(header("accept"), "application/yang-data+json");
    *version += 1;
    if method == Method::DELETE {
        return match data.take() {
            Some(_) => StatusCode::NO_CONTENT.into_response(),
            None => error(StatusCode::NOT_FOUND, "data-missing", "no such instance"),
        };
    }
    assert_eq!(header("content-type"), "application/yang-data+json");
    let given: Value = serde_json::from_slice(&body).unwrap();
    if given["example:system"]["mtu"] == 1 {
        return error(StatusCode::BAD_REQUEST, "invalid-value", "mtu is too small");
    }
    if method == Method::PATCH
        && let Some(data) = data
    {
        let members = given["example:system"].as_object().unwrap().clone();
        data["example:system"].as_object_mut().unwrap().extend(members);
    } else {
        *data = Some(given);
    }
    (StatusCode::NO_CONTENT, [("etag", format!("\"{version}\""))]).into_response()
}

#[tokio::test]
async fn resources_are_read_changed_and_brought_back() {
    let (bench, tree) = device().await;
    let call = async |operation: &str, more: Value| bench.call("network", "k", with("it", operation, more)).await;
    let before = done(call("getConfig", json!({"path": PATH})).await);
    assert_eq!((&before["data"]["example:system"]["name"], &before["etag"]), (&json!("r1"), &json!("\"1\"")));
    assert!(
        !before.to_string().contains("geheim") && before["config"].as_str().unwrap().contains("‹hidden›"),
        "{before}"
    );

    let mtu = json!({"path": PATH, "data": {"example:system": {"mtu": 9000}}, "ifMatch": before["etag"]});
    let mut planned = mtu.clone();
    planned.as_object_mut().unwrap().remove("ifMatch");
    let plan = done(call("plan", planned).await);
    assert!(plan["changed"] == true && plan["diff"].as_str().unwrap().contains("+     \"mtu\": 9000"), "{plan}");
    let made = done(call("change", mtu.clone()).await);
    assert_eq!((&made["changed"], &made["etag"]), (&json!(true), &json!("\"2\"")));
    let (status, words) = permanent(call("change", mtu).await);
    assert!(status == 412 && words.contains("read it again"), "{words}");
    let read = done(call("read", json!({"path": PATH})).await);
    assert_eq!(read["data"]["example:system"]["mtu"], 9000);

    let back = json!({"path": PATH, "backup": bench.opened(&before["backup"])});
    assert_eq!(done(call("rollback", back).await), json!({"rolledBack": true, "by": "backup"}));
    assert_eq!(tree.lock().unwrap().0, Some(json!({"example:system": {"name": "r1", "password": "geheim"}})));
    let delete = json!({"path": PATH, "method": "delete"});
    assert_eq!(done(call("change", delete.clone()).await)["changed"], true);
    assert_eq!(done(call("change", delete).await)["changed"], false);
    assert_eq!(done(call("read", json!({"path": PATH})).await)["data"], json!(null));
    let put = json!({"path": PATH, "method": "put", "data": {"example:system": {"name": "r2"}}});
    done(call("change", put).await);
    assert_eq!(done(call("read", json!({"path": PATH})).await)["data"]["example:system"], json!({"name": "r2"}));

    let wrong = json!({"path": PATH, "data": {"example:system": {"mtu": 1}}});
    let (status, words) = permanent(call("change", wrong).await);
    assert!(status == 400 && words.contains("mtu is too small"), "{words}");
    for (operation, more, said) in [
        ("getConfig", json!({}), "write its `path`"),
        ("read", json!({"path": "a/../b"}), "not one of a data resource"),
        ("change", json!({"path": PATH}), "write it into `data`"),
        ("confirm", json!({}), "kind netconf or device"),
        ("rollback", json!({"path": PATH}), "as `backup`"),
    ] {
        let (_, words) = permanent(call(operation, more).await);
        assert!(words.contains(said), "{operation}: {words}");
    }
}

#[tokio::test]
async fn faults_are_told_apart() {
    let data = json!({"path": PATH, "data": {"example:system": {"mtu": 9000}}, "ifMatch": "\"1\""});
    let subject = Subject {
        function: "network",
        kind: "restconf",
        settings,
        reads: Some(with("it", "read", json!({"path": PATH}))),
        changes: with("it", "change", data),
        garbled: "none of RESTCONF",
    };
    subject.endures().await;
}

#[tokio::test]
async fn an_account_that_is_not_accepted_is_told() {
    let tree: Tree = Arc::new(Mutex::new((None, 1)));
    let base = format!("{}/restconf", serve(Router::new().fallback(answer).with_state(tree)).await);
    let bench = Bench::new().await;
    assert!(bench.check("restconf", settings(&base)).await.ok);
    let (step, words) = failed_step(&bench.check("restconf", json!({"baseUrl": base})).await);
    assert!(step == "sign-in" && words.contains("enter its credentials"), "{words}");
}

#[tokio::test]
async fn the_plan_of_a_change_is_the_difference_that_it_would_make() {
    let (bench, tree) = device().await;
    let change = |data: Value| with("it", "change", json!({"path": PATH, "data": data}));
    let plan = bench.plan("network", change(json!({"example:system": {"name": "r2"}}))).await.unwrap();
    assert_eq!(plan.effect, PlannedEffect::Changes);
    let difference = plan.difference.unwrap();
    assert!(difference.contains("\"r1\"") && difference.contains("\"r2\""), "{difference}");
    assert!(!difference.contains("geheim"), "{difference}");
    let same = bench.plan("network", change(json!({"example:system": {"name": "r1"}}))).await.unwrap();
    assert_eq!(same.effect, PlannedEffect::Nothing);
    assert_eq!(bench.plan("network", with("it", "getConfig", json!({"path": PATH}))).await, None);
    assert_eq!(tree.lock().unwrap().1, 1, "nothing was changed");
}
