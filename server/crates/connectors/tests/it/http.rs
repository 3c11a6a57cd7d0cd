//! `call: http` against services made for the purpose.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Json, Router,
    body::Bytes,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Redirect},
    routing::{any, get},
};
use connectors::{Outcome, Repetition, egress::EgressPolicy};
use domain::Clock as _;
use serde_json::{Value, json};
use testkit::WallClock;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use workflow::StandardError;

use crate::{
    faults::{SECRET, Subject, encrypted},
    support::{Bench, PATIENCE, closed_port, done, failed_step, permanent, retryable, unknown},
};

/// A service on a free port of this machine; it ends with the test's runtime.
pub(crate) async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// A service that says back what it was sent.
fn echo() -> Router {
    Router::new().route(
        "/echo",
        any(|headers: HeaderMap, body: Bytes| async move {
            let seen: Value = headers
                .iter()
                .map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap_or_default())))
                .collect::<serde_json::Map<_, _>>()
                .into();
            Json(json!({"headers": seen, "body": String::from_utf8_lossy(&body)}))
        }),
    )
}

/// A server that reads a request and then does as it is told with the bare connection.
pub(crate) async fn raw(answer: &'static [u8]) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let counter = Arc::clone(&counter);
            tokio::spawn(async move {
                let mut request = [0; 4096];
                if stream.read(&mut request).await.unwrap_or(0) > 0 {
                    counter.fetch_add(1, Ordering::SeqCst);
                }
                stream.write_all(answer).await.ok();
            });
        }
    });
    (address, requests)
}

#[tokio::test]
async fn the_request_arrives_as_written() {
    let bench = Bench::new().await;
    let base = serve(echo()).await;
    let with = json!({
        "method": "post",
        "endpoint": {"uri": format!("{base}/echo"), "authentication": {"bearer": {"token": "t0k"}}},
        "headers": {"X-Ticket": "7"},
        "body": {"restart": true}
    });
    let output = done(bench.call("http", "key-7", with).await);
    assert_eq!(output["body"], "{\"restart\":true}");
    assert_eq!(output["headers"]["authorization"], "Bearer t0k");
    assert_eq!(output["headers"]["idempotency-key"], "key-7");
    assert_eq!(output["headers"]["x-ticket"], "7");
    assert_eq!(output["headers"]["content-type"], "application/json");
    assert!(!bench.log_text().contains("t0k"), "{}", bench.log_text());
}

#[tokio::test]
async fn the_output_has_the_form_that_is_asked_for() {
    let bench = Bench::new().await;
    let base = serve(Router::new().route("/text", get(|| async { ([(header::SET_COOKIE, "a=b")], "hello") }))).await;
    let with = |output: &str| json!({"method": "get", "endpoint": format!("{base}/text"), "output": output});
    assert_eq!(done(bench.call("http", "k", with("content")).await), "hello");
    assert_eq!(done(bench.call("http", "k", with("raw")).await), "aGVsbG8=");
    let response = done(bench.call("http", "k", with("response")).await);
    assert_eq!((&response["statusCode"], &response["content"]), (&json!(200), &json!("hello")));
    assert_eq!(response["request"]["method"], "get");
    assert_eq!(response["headers"]["set-cookie"], Value::Null);
}

#[tokio::test]
async fn a_refusal_has_the_status_and_says_whether_to_try_again() {
    let bench = Bench::new().await;
    let answer =
        |code: u16| get(move || async move { (StatusCode::from_u16(code).unwrap(), "because").into_response() });
    let mut router = Router::new();
    for code in [301, 400, 401, 403, 404, 408, 429, 500, 503] {
        router = router.route(&format!("/{code}"), answer(code));
    }
    let base = serve(router).await;
    for code in [301_u16, 400, 401, 403, 404, 408, 429, 500, 503] {
        let outcome = bench.call("http", "k", json!({"method": "get", "endpoint": format!("{base}/{code}")})).await;
        let error = outcome.error().unwrap();
        assert_eq!(error.status, code);
        assert!(error.to_string().contains("because"), "{error}");
        assert_eq!(error.to_string().contains("enter other credentials"), code == 401, "{error}");
        let later = matches!(code, 408 | 429 | 500 | 503);
        assert_eq!(matches!(outcome, Outcome::Retryable(_)), later, "{code}");
        assert!(error.is(StandardError::Communication), "{error}");
    }
}

#[tokio::test]
async fn redirects_are_followed_when_asked_and_credentials_stay_at_home() {
    let bench = Bench::new().await;
    let elsewhere = serve(echo()).await;
    let target = format!("{elsewhere}/echo");
    let base = serve(
        echo()
            .route("/home", any(|| async { Redirect::temporary("/echo") }))
            .route("/away", any(move || async move { Redirect::temporary(&target) }))
            .route("/see", any(|| async { Redirect::to("/echo") }))
            .route("/loop", any(|| async { Redirect::temporary("/loop") })),
    )
    .await;
    let with = |path: &str, redirect: bool| {
        json!({
            "method": "put", "redirect": redirect, "body": "x", "headers": {"X-Api-Key": "k3y"},
            "endpoint": {"uri": format!("{base}{path}"), "authentication": {"bearer": {"token": "t0k"}}}
        })
    };
    let home = done(bench.call("http", "k", with("/home", true)).await);
    assert_eq!((&home["headers"]["authorization"], &home["body"]), (&json!("Bearer t0k"), &json!("x")));
    let away = done(bench.call("http", "k", with("/away", true)).await);
    assert_eq!(away["body"], "x");
    assert_eq!((&away["headers"]["authorization"], &away["headers"]["x-api-key"]), (&Value::Null, &Value::Null));
    let see = done(bench.call("http", "k", with("/see", true)).await);
    assert_eq!(see["body"], "");
    let looping = done(bench.call("http", "k", with("/loop", true)).await);
    assert_eq!(looping, Value::Null, "a redirect that remains is a result");
    assert_eq!(permanent(bench.call("http", "k", with("/home", false)).await).0, 307);
}

#[tokio::test]
async fn a_redirect_does_not_lead_where_calls_may_not_go() {
    let bench = Bench::new().await;
    let base =
        serve(Router::new().route("/x", get(|| async { Redirect::temporary("http://169.254.169.254/latest") }))).await;
    let with = json!({"method": "get", "endpoint": format!("{base}/x"), "redirect": true});
    let (_, words) = permanent(bench.call("http", "k", with).await);
    assert!(words.contains("may not be reached"), "{words}");
}

#[tokio::test]
async fn closed_addresses_are_refused_by_name_and_by_number() {
    let bench = Bench::with_policy(EgressPolicy { loopback: false, ..EgressPolicy::default() }).await;
    for host in ["localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433"] {
        let with = json!({"method": "get", "endpoint": format!("http://{host}:1/")});
        let Outcome::Permanent(error) = bench.call("http", "k", with).await else { panic!("{host} was reached") };
        assert!(error.is(StandardError::Authorization), "{error}");
        assert!(error.to_string().contains("may not be reached"), "{host}: {error}");
    }
}

#[tokio::test]
async fn before_anything_is_sent_another_attempt_is_harmless() {
    let bench = Bench::new().await;
    let closed = format!("http://127.0.0.1:{}/", closed_port().await);
    for (endpoint, words) in [(closed.as_str(), "refused"), ("http://host.invalid/", "cannot be resolved")] {
        let outcome = bench.call("http", "k", json!({"method": "post", "endpoint": endpoint, "body": 1})).await;
        let Outcome::Retryable(error) = outcome else { panic!("{outcome:?}") };
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_connection_cut_after_sending_leaves_a_post_unknown_and_a_get_repeatable() {
    let bench = Bench::new().await;
    for answer in [&b""[..], b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"] {
        let (address, requests) = raw(answer).await;
        let with = |method: &str| json!({"method": method, "endpoint": format!("http://{address}/")});
        assert!(matches!(bench.call("http", "k", with("post")).await, Outcome::Unknown(_)));
        assert_eq!(requests.load(Ordering::SeqCst), 1, "it was sent once");
        assert!(matches!(bench.call("http", "k", with("get")).await, Outcome::Lost(_)));
    }
}

#[tokio::test]
async fn a_slow_answer_ends_at_the_deadline() {
    let bench = Bench::new().await;
    let base = serve(Router::new().route("/slow", any(std::future::pending::<()>))).await;
    for (method, unknown) in [("get", false), ("post", true)] {
        let mut context = bench.context("k");
        context.deadline = Some(WallClock.now() + std::time::Duration::from_millis(200));
        let with = json!({"method": method, "endpoint": format!("{base}/slow")});
        let outcome = tokio::time::timeout(PATIENCE, bench.call_in("http", with, &context)).await.unwrap();
        assert!(outcome.error().unwrap().is(StandardError::Timeout), "{outcome:?}");
        assert_eq!(matches!(outcome, Outcome::Unknown(_)), unknown, "{outcome:?}");
    }
}

#[tokio::test]
async fn a_cancelled_call_ends_at_once() {
    let bench = Bench::new().await;
    let base = serve(Router::new().route("/slow", any(std::future::pending::<()>))).await;
    let context = bench.context("k");
    context.cancelled.cancel();
    let with = json!({"method": "post", "endpoint": format!("{base}/slow")});
    let outcome = tokio::time::timeout(PATIENCE, bench.call_in("http", with, &context)).await.unwrap();
    assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
}

#[tokio::test]
async fn content_beyond_the_limit_is_refused() {
    let bench = Bench::new().await;
    let with_length = get(|| async { "x".repeat(6 << 20) });
    let without = get(|| async {
        let chunks = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 65_536])));
        axum::body::Body::from_stream(chunks)
    });
    let base = serve(Router::new().route("/known", with_length).route("/endless", without)).await;
    for path in ["known", "endless"] {
        let call = bench.call("http", "k", json!({"method": "get", "endpoint": format!("{base}/{path}")}));
        let (_, words) = permanent(tokio::time::timeout(PATIENCE, call).await.unwrap());
        assert!(words.contains("larger than 5 MiB"), "{words}");
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_used_leaves_a_post_unknown() {
    let bench = Bench::new().await;
    let no_json = any(|| async { ([(header::CONTENT_TYPE, "application/json")], "<html>") });
    let large = any(|| async { "x".repeat(6 << 20) });
    let refused = any(|| async { (StatusCode::FORBIDDEN, "x".repeat(6 << 20)) });
    let base = serve(Router::new().route("/json", no_json).route("/large", large).route("/no", refused)).await;
    let call = async |method: &str, path: &str| {
        bench.call("http", "k", json!({"method": method, "endpoint": format!("{base}/{path}")})).await
    };
    for (path, remedy) in [("json", "output: raw"), ("large", "ask for less")] {
        let words = unknown(call("post", path).await);
        assert!(words.contains(remedy), "{words}");
        let (status, words) = permanent(call("get", path).await);
        assert!(status == 502 && words.contains(remedy), "{words}");
    }
    // What is refused has not happened, however much is said about it.
    assert_eq!(permanent(call("post", "no").await).0, 403);
}

#[tokio::test]
async fn faults_are_told_apart() {
    let subject = Subject {
        function: "http",
        kind: "http",
        settings: |address| json!({"baseUrl": address, "token": SECRET}),
        reads: Some(json!({"method": "get", "endpoint": "connection://it/things"})),
        changes: json!({"method": "post", "endpoint": "connection://it/things", "body": {"a": 1}}),
        garbled: "",
    };
    subject.endures().await;
    // The same without a connection.
    let bench = Bench::new().await;
    let post = |endpoint: &str| json!({"method": "post", "endpoint": endpoint});
    let words = retryable(bench.call("http", "k", post(&encrypted().await)).await);
    assert!(words.contains("enter the CA"), "{words}");
    let plain = serve(echo()).await.replace("http:", "https:");
    let words = retryable(bench.call("http", "k", post(&plain)).await);
    assert!(words.contains("does not speak TLS"), "{words}");
}

#[tokio::test]
async fn only_reads_and_repeatable_methods_are_safe_to_repeat() {
    let bench = Bench::new().await;
    for (method, expected) in [
        ("get", Repetition::Safe),
        ("PUT", Repetition::Safe),
        ("delete", Repetition::Safe),
        ("post", Repetition::Once),
        ("patch", Repetition::Once),
    ] {
        let mut request = bench.prepare("http", json!({"method": method, "endpoint": "http://h/"})).await.unwrap();
        assert_eq!(bench.registry.repetition(&request), expected, "{method}");
        request.idempotent = true;
        assert_eq!(bench.registry.repetition(&request), Repetition::Safe, "{method}");
    }
}

#[tokio::test]
async fn a_connection_gives_address_and_credentials() {
    let bench = Bench::new().await;
    let base = serve(echo()).await;
    bench.connect("pager", "http", json!({"baseUrl": base, "username": "u", "password": "p"})).await;
    let output = done(bench.call("http", "k", json!({"method": "get", "endpoint": "connection://pager/echo"})).await);
    assert_eq!(output["headers"]["authorization"], "Basic dTpw");
    let described = bench.registry.describe("http", &json!({"method": "get", "endpoint": "connection://pager/x"}));
    assert_eq!(described.unwrap().target, "pager");
}

#[tokio::test]
async fn a_connection_test_names_the_step_that_fails() {
    let bench = Bench::new().await;
    let base =
        serve(Router::new().route("/", get(|| async { StatusCode::UNAUTHORIZED })).route("/ok", get(|| async {})))
            .await;
    let step = |settings: Value| async { failed_step(&bench.check("http", settings).await) };
    assert_eq!(step(json!({"baseUrl": "http://host.invalid"})).await.0, "name");
    let closed = closed_port().await;
    assert_eq!(step(json!({"baseUrl": format!("http://127.0.0.1:{closed}")})).await.0, "connect");
    let (at, words) = step(json!({"baseUrl": base.replace("http", "https")})).await;
    assert_eq!(at, "tls", "{words}");
    assert!(words.contains("TLS"), "{words}");
    assert_eq!(step(json!({"baseUrl": base})).await.0, "sign-in");
    assert_eq!(step(json!({"baseUrl": "https://h", "ca": "no pem"})).await.0, "settings");
    let check = bench.check("http", json!({"baseUrl": format!("{base}/ok")})).await;
    assert!(check.ok, "{check:?}");
}
