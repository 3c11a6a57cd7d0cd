//! Functions of catalogs and schemas of a server's definitions: read once, with the network's rules, and kept.

use std::{
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Router, extract::State, http::Uri};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::server::{TestServer, rondo};

const GREET: &str = "
document: {dsl: 1.0.3, namespace: identity, name: greet, version: 1.0.0, title: Greet}
use: {catalogs: {global: {endpoint: {uri: 'BASE/catalog'}}}}
input: {schema: {resource: {endpoint: 'BASE/name.json'}}}
do:
  - greet: {call: 'greet:1.0.0@global', with: {name: '${ .name }'}}
  - shout: {call: 'shout:2.0.0@default', with: {text: '${ .text }'}}
";

/// The texts, and how often any was asked for.
async fn texts(State(asked): State<Arc<AtomicUsize>>, uri: Uri) -> Result<&'static str, axum::http::StatusCode> {
    asked.fetch_add(1, Ordering::SeqCst);
    match uri.path() {
        "/catalog/functions/greet/1.0.0/function.yaml" => Ok("set: {text: '${ \"Hello \" + .name }'}"),
        "/name.json" => Ok("{\"type\": \"object\", \"required\": [\"name\"]}"),
        _ => Err(axum::http::StatusCode::NOT_FOUND),
    }
}

fn serve(data: &Path) -> Command {
    let mut command = rondo();
    command.args(["serve", "--demo", "--listen", "127.0.0.1:0", "--data"]).arg(data);
    command.env("RONDO_WORKFLOWS", data.join("own"));
    command
}

async fn greeting(server: &TestServer) -> Value {
    let staff = server.token("staff");
    let launch = server.rest(Method::POST, "/workflows/identity/greet/runs", &staff);
    let launched: Value = launch.json(&json!({"input": {"name": "Ada"}})).send().await.unwrap().json().await.unwrap();
    let id = launched["id"].as_str().unwrap_or_else(|| panic!("{launched}")).to_owned();
    for _ in 0..400 {
        let run = server.get(&format!("/runs/{id}"), &staff).await;
        if ["completed", "faulted"].contains(&run["status"].as_str().unwrap()) {
            return run["output"].clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the run does not end\n{}", server.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_definition_refers_to_is_read_when_it_is_stored_and_never_again() {
    let asked = Arc::new(AtomicUsize::new(0));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(texts).with_state(Arc::clone(&asked));
    let counterpart = tokio::spawn(async move { axum::serve(listener, router).await });

    let data = tempfile::tempdir().unwrap();
    let own = data.path().join("own");
    std::fs::create_dir(&own).unwrap();
    std::fs::write(own.join("greet.yaml"), GREET.replace("BASE", &base)).unwrap();
    // The default catalog lacks the function: the start is refused, with the place.
    let refused = serve(data.path()).output().unwrap();
    assert!(!refused.status.success());
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        told.contains("greet.yaml:7:19: catalog://default/functions/shout/2.0.0/function.yaml cannot be read"),
        "{told}"
    );

    // What the network's rules forbid is not read either.
    let default = own.join("functions/shout/2.0.0");
    std::fs::create_dir_all(&default).unwrap();
    std::fs::write(default.join("function.yaml"), "set: {text: '${ .text + \"!\" }'}").unwrap();
    let before = asked.load(Ordering::SeqCst);
    let refused = serve(data.path()).env("RONDO_EGRESS_LOOPBACK", "false").output().unwrap();
    assert!(!refused.status.success());
    assert_eq!(asked.load(Ordering::SeqCst), before);

    let server = TestServer::spawn(serve(data.path()), data);
    assert_eq!(greeting(&server).await, json!({"text": "Hello Ada!"}));
    let read = asked.load(Ordering::SeqCst);

    // Nothing is there any more, and the next server does not miss it.
    let (data, _): (TempDir, _) = server.stop();
    counterpart.abort();
    std::fs::remove_dir_all(data.path().join("own/functions")).unwrap();
    let server = TestServer::spawn(serve(data.path()), data);
    assert_eq!(greeting(&server).await, json!({"text": "Hello Ada!"}));
    assert_eq!(asked.load(Ordering::SeqCst), read);
}
