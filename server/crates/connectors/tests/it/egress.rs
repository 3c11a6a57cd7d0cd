//! What a run reaches goes by its namespace, whatever it calls.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Router, routing::get};
use connectors::{
    CallContext, Outcome,
    egress::{Egress, EgressPolicy, Narrowed},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use workflow::StandardError;

use crate::{http::serve, support::Bench};

/// Calls of the namespace `tests`, which may reach these only.
async fn fenced(only: &[&str]) -> Bench {
    let only = only.iter().map(|text| text.parse().unwrap()).collect();
    let rule = Narrowed { namespace: "tests".parse().unwrap(), only };
    Bench::with_egress(Egress::new(EgressPolicy::default(), [rule])).await
}

fn fetch(address: &str) -> Value {
    json!({"method": "get", "endpoint": address})
}

#[tokio::test]
async fn every_connector_reaches_what_the_namespace_may() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let came = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&came);
    tokio::spawn(async move {
        loop {
            listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    let bench = fenced(&["10.0.0.0/8", "*.example.com"]).await;
    bench
        .connect(
            "people",
            "ldap",
            json!({
                "url": format!("ldaps://127.0.0.1:{port}"), "flavour": "openldap", "baseDn": "dc=example",
                "bindDn": "cn=portal,dc=example", "bindPassword": "secret words",
            }),
        )
        .await;
    bench.connect("post", "smtp", json!({"host": "localhost", "port": port, "from": "rondo@example.test"})).await;
    bench.connect("web", "http", json!({"baseUrl": format!("http://localhost:{port}")})).await;
    bench.connect("broker", "nats", json!({"host": "localhost", "port": port})).await;
    let local = format!("http://127.0.0.1:{port}/x");
    let document = json!({
        "asyncapi": "3.0.0", "info": {"title": "t", "version": "1"},
        "servers": {"one": {"host": format!("localhost:{port}"), "protocol": "mqtt"}},
        "channels": {"c": {"address": "c", "messages": {"m": {"payload": {}}}}},
        "operations": {"o": {"action": "send", "channel": {"$ref": "#/channels/c"}}},
    });
    std::fs::write(bench.folder.path().join("mqtt.json"), document.to_string()).unwrap();
    let proto = "syntax = \"proto3\"; package t; message A {} service S { rpc M (A) returns (A); }";
    std::fs::write(bench.folder.path().join("s.proto"), proto).unwrap();
    let mcp = json!({"method": "tools/list", "transport": {"http": {"endpoint": local}}});
    for (function, with) in [
        ("http", fetch(&local)),
        ("http", fetch("connection://web/x")),
        ("openapi", json!({"document": {"endpoint": local}, "operationId": "x"})),
        (
            "grpc",
            json!({
                "proto": {"endpoint": "file://s.proto"}, "method": "M",
                "service": {"name": "t.S", "host": "localhost", "port": port},
            }),
        ),
        (
            "asyncapi",
            json!({
                "document": {"endpoint": "file://mqtt.json"}, "operation": "o", "message": {"payload": {}},
            }),
        ),
        ("mcp", mcp),
        ("directory", json!({"connection": "people", "operation": "lookup", "login": "someone"})),
        ("smtp", json!({"connection": "post", "to": "a@example.test", "subject": "s", "text": "b"})),
        ("messaging", json!({"connection": "broker", "operation": "publish", "subject": "s", "content": 1})),
    ] {
        let outcome = bench.call(function, "k", with).await;
        let Outcome::Permanent(error) = outcome else { panic!("{function}: {outcome:?}") };
        assert!(error.is(StandardError::Authorization), "{function}: {error}");
        assert!(error.to_string().contains("egress.namespace “tests”"), "{function}: {error}");
    }
    assert_eq!(came.load(Ordering::SeqCst), 0, "nothing was opened");

    // A check is the server's own.
    let check = bench.check("http", json!({"baseUrl": format!("http://127.0.0.1:{port}")})).await;
    assert!(check.steps.iter().any(|step| step.step == "connect" && step.ok), "{check:?}");
}

#[tokio::test]
async fn a_name_lets_in_what_it_stands_for_and_nothing_beside_it() {
    let base = serve(Router::new().route("/x", get(|| async { "here" }))).await;
    let port = base.rsplit(':').next().unwrap();
    let bench = fenced(&["localhost"]).await;
    let answer = bench.call("http", "k", fetch(&format!("http://localhost:{port}/x"))).await;
    assert_eq!(answer, Outcome::Done(json!("here")));
    let by_number = bench.call("http", "k", fetch(&format!("http://127.0.0.1:{port}/x"))).await;
    assert!(matches!(&by_number, Outcome::Permanent(error) if error.is(StandardError::Authorization)), "{by_number:?}");
}

#[tokio::test]
async fn what_another_namespace_keeps_open_is_not_shared() {
    let base = serve(Router::new().route("/x", get(|| async { "here" }))).await;
    let with = fetch(&format!("http://localhost:{}/x", base.rsplit(':').next().unwrap()));
    let bench = fenced(&["10.0.0.0/8"]).await;
    let free = CallContext { egress: Arc::default(), ..bench.context("k") };
    for _ in 0..2 {
        assert_eq!(bench.call_in("http", with.clone(), &free).await, Outcome::Done(json!("here")));
    }
    let refused = bench.call("http", "k", with).await;
    assert!(matches!(&refused, Outcome::Permanent(error) if error.is(StandardError::Authorization)), "{refused:?}");
}
