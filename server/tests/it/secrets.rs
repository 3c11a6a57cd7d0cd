//! Secrets of a namespace, from REST to a call and back, and nowhere on the disk.

use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    counterpart::Counterpart,
    server::{TestServer, rondo},
};

const CANARY: &str = "canary-that-sings-9c41";

const ASK: &str = "
document: {dsl: 1.0.3, namespace: identity, name: ask, version: 1.0.0, title: Ask}
use:
  secrets: [login, page.token]
  authentications: {shared: {basic: {use: login}}}
do:
  - signIn:
      call: http
      with: {method: get, endpoint: {uri: 'https://service.test/basic-auth/ada/lovelace', authentication: {use: shared}}}
  - echo:
      call: http
      with:
        method: post
        endpoint: {uri: https://service.test/echo}
        headers: {x-token: '${ $secrets[\"page.token\"] }'}
        body: {said: '${ \"it is \" + $secrets[\"page.token\"] }'}
";

fn files_that_hold(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_that_hold(&path, text));
        } else if std::fs::read(&path).unwrap().windows(text.len()).any(|window| window == text.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_goes_in_by_rest_serves_calls_and_never_comes_out() {
    let counterpart = Counterpart::start().await;
    let data = tempfile::tempdir().unwrap();
    let own = data.path().join("own");
    std::fs::create_dir(&own).unwrap();
    std::fs::write(own.join("ask.yaml"), counterpart.stands_in(ASK)).unwrap();
    let mut command = rondo();
    command.args(["serve", "--demo", "--listen", "127.0.0.1:0", "--data"]).arg(data.path());
    command.env("RONDO_WORKFLOWS", &own);
    let server = TestServer::spawn(command, data);
    assert!(server.log().contains("cannot be launched until its namespace has this secret"), "{}", server.log());
    let (staff, admin, operator) = (server.token("staff"), server.token("admin"), server.token("operator"));
    let launch =
        || server.rest(Method::POST, "/workflows/identity/ask/runs", &staff).json(&json!({"input": {}})).send();

    let refused = launch().await.unwrap();
    assert_eq!(refused.status(), 409);
    let problem: Value = refused.json().await.unwrap();
    assert_eq!(problem["code"], "secret-missing");
    assert!(problem["detail"].as_str().unwrap().contains("“login”"), "{problem}");

    let put = |token: &str, name: &str, value: Value| {
        let path = format!("/secrets/identity/{name}");
        server.rest(Method::PUT, &path, token).json(&json!({"value": value})).send()
    };
    let login = json!({"username": "ada", "password": "lovelace"});
    assert_eq!(put(&staff, "login", login.clone()).await.unwrap().status(), 403);
    assert_eq!(put(&admin, "login", json!(7)).await.unwrap().status(), 422);
    assert_eq!(put(&admin, "login", login).await.unwrap().status(), 200);
    let stored = put(&admin, "page.token", json!(CANARY)).await.unwrap();
    assert_eq!(stored.status(), 200);
    assert!(!stored.text().await.unwrap().contains(CANARY));
    let listed = server.get("/secrets", &admin).await;
    let names: Vec<_> = listed["items"].as_array().unwrap().iter().map(|secret| &secret["name"]).collect();
    assert_eq!(names, ["login", "page.token"]);
    assert!(!listed.to_string().contains("value"), "{listed}");

    let launched: Value = launch().await.unwrap().json().await.unwrap();
    let id = launched["id"].as_str().unwrap();
    let mut run = Value::Null;
    for _ in 0..400 {
        run = server.get(&format!("/runs/{id}"), &staff).await;
        if ["completed", "faulted"].contains(&run["status"].as_str().unwrap()) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(run["status"], "completed", "{run}\n{}", server.log());
    assert!(run["output"].to_string().contains("it is [redacted]"), "{run}");
    for view in ["", "/tasks", "/journal", "/logs"] {
        let shown = server.get(&format!("/runs/{id}{view}"), &operator).await.to_string();
        assert!(!shown.contains(CANARY) && !shown.contains("lovelace\"}"), "{view}: {shown}");
    }
    assert!(!server.get("/audit/entries?limit=200", &server.token("auditor")).await.to_string().contains(CANARY));

    let gone = server.rest(Method::DELETE, "/secrets/identity/page.token", &admin).send().await.unwrap();
    assert_eq!(gone.status(), 204);
    assert_eq!(launch().await.unwrap().status(), 409);

    let (data, status) = server.stop();
    assert!(status.success());
    assert_eq!(files_that_hold(data.path(), CANARY), Vec::<String>::new());
    assert!(!files_that_hold(data.path(), "page.token").is_empty(), "the database is there to be searched");
}
