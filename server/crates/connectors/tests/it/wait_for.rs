//! `call: wait-for`, against services that become what they should be while they are waited for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Json, Router, http::StatusCode, response::IntoResponse as _, routing::get};
use connectors::{Outcome, Repetition, egress::EgressPolicy};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use workflow::StandardError;

use crate::{
    dns::{Knot, answering},
    http::serve,
    support::{Bench, PATIENCE, closed_port, done, permanent},
};

fn with(condition: Value, longest: &str) -> Value {
    let mut with = json!({"for": longest, "interval": {"milliseconds": 100}});
    with.as_object_mut().unwrap().extend(condition.as_object().unwrap().clone());
    with
}

/// Waits while something is done.
async fn met(condition: Value, meanwhile: impl Future<Output = ()>) -> Value {
    let bench = Bench::new().await;
    let call = bench.call("wait-for", "k", with(condition, "PT20S"));
    let (outcome, ()) = tokio::time::timeout(PATIENCE, async { tokio::join!(call, meanwhile) }).await.unwrap();
    done(outcome)
}

/// The words of a wait that must have been in vain.
async fn in_vain(condition: Value) -> String {
    let bench = Bench::new().await;
    match bench.call("wait-for", "k", with(condition, "PT0.3S")).await {
        Outcome::Retryable(error) if error.is(StandardError::Timeout) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_port_that_opens_is_noticed() {
    let port = closed_port().await;
    let listens = async {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        listener.accept().await.unwrap();
    };
    let output = met(json!({"tcp": {"host": "127.0.0.1", "port": port}}), listens).await;
    assert!(
        output["attempts"].as_u64().unwrap() >= 1 && output["after"].as_str().unwrap().starts_with("PT"),
        "{output}"
    );
    let words = in_vain(json!({"tcp": {"host": "127.0.0.1", "port": closed_port().await}})).await;
    assert!(words.contains("within PT0.3S") && words.contains("no connection to 127.0.0.1"), "{words}");
    assert!(in_vain(json!({"tcp": {"host": "host.invalid", "port": 1}})).await.contains("cannot be resolved"));
}

#[tokio::test]
async fn a_service_is_waited_for_until_it_answers_as_it_should() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let becomes_ready = get(move || async move {
        match counter.fetch_add(1, Ordering::SeqCst) {
            0 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            1 => "starting".into_response(),
            2 => Json(json!({"state": {"name": "starting"}})).into_response(),
            _ => Json(json!({"state": {"name": "ready"}, "text": "all is well"})).into_response(),
        }
    });
    let base = serve(Router::new().route("/health", becomes_ready)).await;
    let url = format!("{base}/health?key=s3cret");
    let wanted = json!({"http": {
        "url": url, "status": [200, 204], "contains": "well", "json": {"pointer": "/state/name", "equals": "ready"}
    }});
    assert_eq!(met(wanted, async {}).await["attempts"], 4);
    assert_eq!(asked.load(Ordering::SeqCst), 4);
    for (condition, expected) in [
        (json!({"url": url, "status": 503}), "status 200"),
        (json!({"url": url, "contains": "nothing of the kind"}), "does not contain"),
        (json!({"url": url, "json": {"pointer": "/state/name", "equals": "gone"}}), "/state/name is not"),
        (json!({"url": format!("http://127.0.0.1:{}", closed_port().await)}), "cannot be reached"),
        (json!({"url": base.replace("http:", "https:")}), "does not speak TLS"),
    ] {
        let words = in_vain(json!({"http": condition})).await;
        assert!(words.contains(expected) && !words.contains("s3cret"), "{words}");
    }
    let (_, words) = permanent(
        Bench::new().await.call("wait-for", "k", with(json!({"http": {"url": "http://u:p@h/"}}), "PT1S")).await,
    );
    assert!(words.contains("password"), "{words}");
}

#[tokio::test]
async fn a_record_is_waited_for_until_it_is_there() {
    let Some(knot) = Knot::find().await else { return };
    let name = knot.name("awaited");
    let record = |equals: Option<Value>| {
        let mut dns = json!({"name": name, "type": "A", "server": "127.0.0.1", "port": knot.port});
        if let Some(equals) = equals {
            dns["equals"] = equals;
        }
        json!({"dns": dns})
    };
    assert!(in_vain(record(None)).await.contains("there is no such record"));
    let added = async {
        let add =
            json!({"connection": "it", "operation": "addRecord", "name": name, "type": "A", "value": "192.0.2.1"});
        done(knot.bench.call("dns", "k", add).await);
    };
    met(record(Some(json!(["192.0.2.1"]))), added).await;
    met(record(None), async {}).await;
    assert!(in_vain(record(Some(json!(["192.0.2.2"])))).await.contains("it is 192.0.2.1"));
}

#[tokio::test]
async fn what_may_not_be_reached_is_not_waited_for() {
    let closed = Bench::with_policy(EgressPolicy { loopback: false, ..EgressPolicy::default() }).await;
    for condition in [
        json!({"tcp": {"host": "127.0.0.1", "port": 1}}),
        json!({"http": {"url": "http://127.0.0.1:1/"}}),
        json!({"http": {"url": "http://169.254.169.254/latest/meta-data"}}),
        json!({"dns": {"name": "example.test", "type": "A", "server": "127.0.0.1"}}),
    ] {
        let call = closed.call("wait-for", "k", with(condition, "PT1H"));
        let (_, words) = permanent(tokio::time::timeout(PATIENCE, call).await.unwrap());
        assert!(words.contains("may not be reached"), "{words}");
    }
}

#[tokio::test]
async fn what_answers_with_nonsense_is_said() {
    let page = serve(Router::new().fallback(|| async { "<html>" })).await;
    let dns = |port: u16| json!({"dns": {"name": "a.test", "type": "A", "server": "127.0.0.1", "port": port}});
    for (condition, expected) in [
        (json!({"http": {"url": page, "json": {"pointer": "/a", "equals": 1}}}), "its answer is not JSON"),
        (dns(answering(Some(b"\0\x05short".as_slice())).await), "is not DNS"),
        (dns(answering(Some(b"".as_slice())).await), "broke"),
        (dns(closed_port().await), "see whether it answers by TCP"),
    ] {
        let words = in_vain(condition).await;
        assert!(words.contains(expected), "{words}");
    }
    // It would be as large the next time.
    let large = serve(Router::new().fallback(|| async { "x".repeat(6 << 20) })).await;
    let wait = with(json!({"http": {"url": large}}), "PT1H");
    let (_, words) = permanent(Bench::new().await.call("wait-for", "k", wait).await);
    assert!(words.contains("larger than 5 MiB"), "{words}");
}

#[tokio::test]
async fn a_wait_ends_when_it_is_no_longer_wanted_or_the_task_is_over() {
    let silent = serve(Router::new().fallback(std::future::pending::<()>)).await;
    let bench = Bench::new().await;
    let wait = with(json!({"http": {"url": silent}}), "PT1H");
    let mut context = bench.context("k");
    context.deadline = Some(domain::Clock::now(&testkit::WallClock) + Duration::from_millis(300));
    let outcome = tokio::time::timeout(PATIENCE, bench.call_in("wait-for", wait.clone(), &context)).await.unwrap();
    assert!(matches!(&outcome, Outcome::Lost(error) if error.is(StandardError::Timeout)), "{outcome:?}");
    assert!(bench.log_text().contains("give the task a longer timeout"), "{}", bench.log_text());
    let context = bench.context("k");
    context.cancelled.cancel();
    let outcome = tokio::time::timeout(PATIENCE, bench.call_in("wait-for", wait.clone(), &context)).await.unwrap();
    assert!(matches!(outcome, Outcome::Lost(_)), "{outcome:?}");
    let request = bench.prepare("wait-for", wait).await.unwrap();
    assert_eq!(bench.registry.repetition(&request), Repetition::Safe);
}

#[tokio::test]
async fn exactly_one_condition_is_waited_for() {
    let bench = Bench::new().await;
    let tcp = json!({"host": "127.0.0.1", "port": 1});
    for wrong in [
        json!({"for": "PT1S"}),
        json!({"tcp": tcp}),
        json!({"for": "PT1S", "tcp": tcp, "dns": {"name": "a.test", "type": "A"}}),
        json!({"for": "PT1S", "dns": {"name": "a.test", "type": "ANY"}}),
        json!({"for": "soon", "tcp": tcp}),
    ] {
        let (status, words) = permanent(bench.call("wait-for", "k", wrong.clone()).await);
        assert_eq!(status, 400, "{wrong} {words}");
    }
}
