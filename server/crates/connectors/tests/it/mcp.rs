//! `call: mcp` against a small server of the protocol, and against some that break off or know nothing of it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Bytes,
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{any, post},
};
use connectors::{Call, Outcome, Repetition, egress::EgressPolicy};
use domain::Clock as _;
use serde_json::{Value, json};
use testkit::WallClock;
use workflow::StandardError;

use crate::{
    faults::encrypted,
    http::serve,
    support::{Bench, PATIENCE, closed_port, done, permanent, retryable, unknown},
};

const SESSION: &str = "mcp-session-id";

/// A server with a tool, a prompt and a resource. The tool `say` gives back its text, `fail` says that it failed,
/// `refuse CODE` is answered by that error, and `hang` by nothing at all. As the protocol allows, it answers either by
/// streams, in sessions, or by plain JSON without any.
#[derive(Clone, Default)]
struct Library {
    streams: bool,
    /// The only value of `Authorization` that it takes.
    wants: Option<&'static str>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The greetings' `params`.
    greetings: Vec<Value>,
    sessions: BTreeSet<String>,
    /// The `params` of calls of tools.
    calls: Vec<Value>,
    headers: Vec<HeaderMap>,
}

impl Library {
    async fn answer(self, method: Method, headers: HeaderMap, body: Bytes) -> Response {
        let shown = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
        if self.wants.is_some() && shown.as_deref() != self.wants {
            return StatusCode::UNAUTHORIZED.into_response();
        }
        let session = headers.get(SESSION).map(|value| value.to_str().unwrap().to_owned());
        match method {
            Method::POST => {}
            // What it has to say outside of answers comes by a stream that says nothing.
            Method::GET if self.streams => return events(String::new()),
            Method::DELETE if self.state.lock().unwrap().sessions.remove(&session.unwrap()) => {
                return StatusCode::NO_CONTENT.into_response();
            }
            _ => return StatusCode::METHOD_NOT_ALLOWED.into_response(),
        }
        assert!(headers[header::ACCEPT].to_str().unwrap().contains("text/event-stream"), "{headers:?}");
        let message: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(message["jsonrpc"], "2.0");
        let called = message["method"].as_str().unwrap();
        let parameters = &message["params"];
        let mut fresh = None;
        if called == "initialize" {
            let mut state = self.state.lock().unwrap();
            state.greetings.push(parameters.clone());
            if self.streams {
                let name = format!("session-{}", state.greetings.len());
                state.sessions.insert(name.clone());
                fresh = Some(name);
            }
        } else {
            let mut state = self.state.lock().unwrap();
            let known = session.is_some_and(|session| state.sessions.contains(&session));
            assert_eq!(known, self.streams, "{called}");
            let version = state.greetings.last().unwrap()["protocolVersion"].as_str().unwrap();
            assert_eq!(headers["mcp-protocol-version"], version);
            state.headers.push(headers);
        }
        if message.get("id").is_none() {
            return StatusCode::ACCEPTED.into_response();
        }
        if called == "tools/call" {
            self.state.lock().unwrap().calls.push(parameters.clone());
            if parameters["name"] == "hang" {
                std::future::pending::<()>().await;
            }
        }
        let answer = match result(called, parameters) {
            Ok(result) => json!({"jsonrpc": "2.0", "id": message["id"], "result": result}),
            Err(code) => {
                json!({"jsonrpc": "2.0", "id": message["id"], "error": {"code": code, "message": "because"}})
            }
        };
        if !self.streams {
            return Json(answer).into_response();
        }
        let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 0, "progress": 1}});
        let mut response = events(format!("event: message\ndata: {progress}\n\nevent: message\ndata: {answer}\n\n"));
        if let Some(name) = fresh {
            response.headers_mut().insert(SESSION, name.parse().unwrap());
        }
        response
    }
}

/// What a method gives; else the code of an error.
fn result(method: &str, parameters: &Value) -> Result<Value, i64> {
    let name = parameters["name"].as_str().unwrap_or_default();
    Ok(match method {
        "initialize" => json!({
            "protocolVersion": parameters["protocolVersion"],
            "capabilities": {"tools": {}, "prompts": {}, "resources": {}},
            "serverInfo": {"name": "library", "version": "1"}
        }),
        "tools/list" if parameters["cursor"] == "more" => json!({"tools": [described("other")]}),
        "tools/list" => json!({"tools": [described("say")], "nextCursor": "more"}),
        "tools/call" => match name.split_once(' ') {
            Some((_, code)) => return Err(code.parse().unwrap()),
            None => json!({"content": [said(&parameters["arguments"]["text"])], "isError": name == "fail"}),
        },
        "prompts/list" => json!({"prompts": [{"name": "greet", "arguments": [{"name": "who", "required": true}]}]}),
        "prompts/get" => {
            json!({"messages": [{"role": "user", "content": said(&parameters["arguments"]["who"])}]})
        }
        "resources/list" => json!({"resources": [{"uri": "memo://one", "name": "one"}]}),
        "resources/read" => json!({"contents": [{"uri": parameters["uri"], "text": "Remember"}]}),
        "resources/templates/list" => json!({"resourceTemplates": [{"uriTemplate": "memo://{name}", "name": "memo"}]}),
        _ => return Err(-32_601),
    })
}

fn described(tool: &str) -> Value {
    json!({"name": tool, "inputSchema": {"type": "object"}})
}

fn said(text: &Value) -> Value {
    json!({"type": "text", "text": text})
}

fn events(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/event-stream")], text).into_response()
}

/// Starts a server; gives its address.
async fn start(library: &Library) -> String {
    let library = library.clone();
    let handler = move |method: Method, headers: HeaderMap, body: Bytes| library.clone().answer(method, headers, body);
    serve(Router::new().route("/mcp", any(handler))).await + "/mcp"
}

fn streaming() -> Library {
    Library { streams: true, ..Library::default() }
}

fn ask(url: &str, method: &str, parameters: Value) -> Value {
    json!({"method": method, "parameters": parameters, "transport": {"http": {"endpoint": url}}})
}

fn tool(url: &str, name: &str) -> Value {
    ask(url, "tools/call", json!({"name": name, "arguments": {"text": "Hello"}}))
}

#[tokio::test]
async fn every_method_gives_the_result_of_the_server() {
    let bench = Bench::new().await;
    for library in [streaming(), Library::default()] {
        let url = start(&library).await;
        for (method, parameters) in [
            ("tools/list", json!({})),
            ("tools/list", json!({"cursor": "more"})),
            ("tools/call", json!({"name": "say", "arguments": {"text": "Hello"}})),
            ("tools/call", json!({"name": "fail", "arguments": {"text": "Hello"}})),
            ("prompts/list", json!({})),
            ("prompts/get", json!({"name": "greet", "arguments": {"who": "Ada"}})),
            ("resources/list", json!({})),
            ("resources/read", json!({"uri": "memo://one"})),
            ("resources/templates/list", json!({})),
        ] {
            let expected = result(method, &parameters).unwrap();
            let output = done(bench.call("mcp", "k", ask(&url, method, parameters)).await);
            assert_eq!(output, expected, "{method}, streams: {}", library.streams);
        }
        let state = library.state.lock().unwrap();
        assert!(state.sessions.is_empty(), "left open: {:?}", state.sessions);
    }
    assert!(bench.log_text().contains("tools/call: answered by 127.0.0.1"), "{}", bench.log_text());
}

#[tokio::test]
async fn the_server_learns_who_calls_and_by_which_key() {
    let (bench, library) = (Bench::new().await, streaming());
    let url = start(&library).await;
    let mut with = tool(&url, "say");
    done(bench.call("mcp", "key-1", with.clone()).await);
    with["client"] = json!({"name": "portal", "version": "7"});
    with["protocolVersion"] = json!("2025-03-26");
    with["transport"]["http"]["headers"] = json!({"X-Tenant": "north"});
    done(bench.call("mcp", "key-2", with).await);
    let state = library.state.lock().unwrap();
    let greeting = |at: usize, part: &str| state.greetings[at][part].clone();
    assert_eq!(greeting(0, "clientInfo"), json!({"name": "rondo", "version": env!("CARGO_PKG_VERSION")}));
    assert_eq!(greeting(0, "protocolVersion"), "2025-06-18");
    assert_eq!(greeting(1, "clientInfo"), json!({"name": "portal", "version": "7"}));
    assert_eq!(greeting(1, "protocolVersion"), "2025-03-26");
    let keys: Vec<_> = state.calls.iter().map(|call| call["_meta"]["idempotency-key"].clone()).collect();
    assert_eq!(keys, ["key-1", "key-2"]);
    assert!(state.headers.last().is_some_and(|headers| headers["x-tenant"] == "north"), "{:?}", state.headers);
    // Its messages would all carry the same one.
    assert!(state.headers.iter().all(|headers| !headers.contains_key("idempotency-key")), "{:?}", state.headers);
}

#[tokio::test]
async fn errors_of_the_server_are_errors_of_the_runtime() {
    let bench = Bench::new().await;
    for library in [streaming(), Library::default()] {
        let url = start(&library).await;
        for code in [-32_601, -32_602, -32_002, 17] {
            let outcome = bench.call("mcp", "k", tool(&url, &format!("refuse {code}"))).await;
            let Outcome::Permanent(error) = outcome else { panic!("{outcome:?}") };
            assert!(error.is(StandardError::Runtime) && error.status == 500, "{error}");
            let words = error.to_string();
            assert!(words.contains("because") && words.contains(&code.to_string()), "{words}");
        }
        let outcome = bench.call("mcp", "k", tool(&url, "refuse -32603")).await;
        assert!(matches!(&outcome, Outcome::Retryable(error) if error.is(StandardError::Runtime)), "{outcome:?}");
    }
}

#[tokio::test]
async fn credentials_are_shown_as_http_shows_them() {
    let bench = Bench::new().await;
    let issued = Arc::new(Mutex::new(0));
    let counter = Arc::clone(&issued);
    let token = post(move || async move {
        let mut issued = counter.lock().unwrap();
        *issued += 1;
        Json(json!({"access_token": format!("t{issued}"), "token_type": "Bearer", "expires_in": 3600}))
    });
    let authority = serve(Router::new().route("/oauth2/token", token)).await;
    let order =
        json!({"authority": authority, "grant": "client_credentials", "client": {"id": "c", "secret": "s3cret"}});
    for (authentication, wants) in [
        (json!({"basic": {"username": "u", "password": "p"}}), "Basic dTpw"),
        (json!({"bearer": {"token": "t0k"}}), "Bearer t0k"),
        (json!({"oauth2": order}), "Bearer t1"),
        // The token that is kept does not do here, so another is asked for.
        (json!({"oauth2": order}), "Bearer t2"),
    ] {
        let url = start(&Library { wants: Some(wants), ..streaming() }).await;
        let (status, words) = permanent(bench.call("mcp", "k", tool(&url, "say")).await);
        assert_eq!(status, 401, "{words}");
        let mut with = tool(&url, "say");
        with["transport"]["http"]["endpoint"] = json!({"uri": url, "authentication": authentication});
        done(bench.call("mcp", "k", with).await);
    }
    assert_eq!(*issued.lock().unwrap(), 2);
    let mut with = tool("http://127.0.0.1:1", "say");
    with["transport"]["http"]["endpoint"] =
        json!({"uri": "http://127.0.0.1:1", "authentication": {"digest": {"username": "u", "password": "p"}}});
    let error = bench.call("mcp", "k", with).await.error().unwrap().clone();
    assert!(error.is(StandardError::Validation), "{error}");
    assert!(!bench.log_text().contains("t0k") && !bench.log_text().contains("s3cret"));
}

#[tokio::test]
async fn a_connection_gives_address_and_credentials() {
    let bench = Bench::new().await;
    let url = start(&Library { wants: Some("Bearer stored"), ..streaming() }).await;
    let base = url.strip_suffix("/mcp").unwrap();
    bench.connect_for("tools", "http", json!({"baseUrl": base, "token": "stored"}), json!(["other"])).await;
    let with = tool("connection://tools/mcp", "say");
    let (status, _) = permanent(bench.call("mcp", "k", with.clone()).await);
    assert_eq!(status, 403);
    bench.connect("free", "http", json!({"baseUrl": base, "token": "stored"})).await;
    done(bench.call("mcp", "k", tool("connection://free/mcp", "say")).await);
    let shown = bench.registry.describe("mcp", &with).unwrap();
    assert_eq!((shown.title.as_str(), shown.target.as_str()), ("MCP server", "tools"));
}

#[tokio::test]
async fn what_was_not_sent_is_certain() {
    let bench = Bench::new().await;
    let url = format!("http://127.0.0.1:{}/mcp", closed_port().await);
    let outcome = bench.call("mcp", "k", tool(&url, "say")).await;
    assert!(matches!(&outcome, Outcome::Retryable(error) if error.status == 503), "{outcome:?}");
    let library = streaming();
    let url = start(&library).await;
    let closed = Bench::with_policy(EgressPolicy { loopback: false, ..EgressPolicy::default() }).await;
    let outcome = closed.call("mcp", "k", tool(&url, "say")).await;
    assert!(matches!(&outcome, Outcome::Permanent(error) if error.is(StandardError::Authorization)), "{outcome:?}");
    let mut with = tool(&url, "say");
    with["transport"]["http"]["headers"] = json!({"Mcp-Session-Id": "mine"});
    let outcome = bench.call("mcp", "k", with).await;
    assert!(matches!(&outcome, Outcome::Permanent(error) if error.is(StandardError::Configuration)), "{outcome:?}");
    assert!(library.state.lock().unwrap().greetings.is_empty());

    let plain = url.replace("http:", "https:");
    for (address, remedy) in [(encrypted().await, "enter the CA"), (plain, "does not speak TLS")] {
        let words = retryable(bench.call("mcp", "k", tool(&address, "say")).await);
        assert!(words.contains(remedy), "{words}");
    }
    // It takes the greeting, and is silent.
    let silent = serve(Router::new().fallback(std::future::pending::<()>)).await;
    let mut context = bench.context("k");
    context.deadline = Some(WallClock.now() + Duration::from_millis(300));
    let outcome = bench.call_in("mcp", tool(&silent, "say"), &context).await;
    assert!(matches!(&outcome, Outcome::Retryable(error) if error.is(StandardError::Timeout)), "{outcome:?}");
}

#[tokio::test]
async fn a_call_that_takes_too_long_may_have_happened() {
    let bench = Bench::new().await;
    let url = start(&streaming()).await;
    let mut with = tool(&url, "hang");
    with["timeout"] = json!({"milliseconds": 700});
    let outcome = bench.call("mcp", "k", with.clone()).await;
    let Outcome::Unknown(error) = outcome else { panic!("{outcome:?}") };
    assert!(error.is(StandardError::Timeout) && error.to_string().contains("700 milliseconds"), "{error}");
    with["timeout"] = json!("PT0.7S");
    let namespace = "tests".parse().unwrap();
    let call = Call { function: "mcp", with, namespace: &namespace, idempotent: true };
    let request = bench.registry.prepare(call, &bench.connections).await.unwrap();
    let outcome = bench.registry.execute(&request, &bench.context("k")).await;
    assert!(matches!(&outcome, Outcome::Lost(error) if error.is(StandardError::Timeout)), "{outcome:?}");
    let mut context = bench.context("k");
    context.deadline = Some(WallClock.now() + Duration::from_millis(700));
    let outcome = bench.call_in("mcp", tool(&url, "hang"), &context).await;
    assert!(matches!(&outcome, Outcome::Unknown(error) if error.is(StandardError::Timeout)), "{outcome:?}");
}

/// A server that greets, and does the rest as it is told.
async fn rude(answer: impl Fn() -> Response + Clone + Send + Sync + 'static) -> String {
    let handler = any(move |body: Bytes| async move {
        let message: Value = serde_json::from_slice(&body).unwrap_or_default();
        let id = &message["id"];
        match message["method"].as_str() {
            Some("initialize") => {
                let info = json!({"name": "rude", "version": "1"});
                let result = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": info});
                Json(json!({"jsonrpc": "2.0", "id": id, "result": result})).into_response()
            }
            Some("notifications/initialized") => StatusCode::ACCEPTED.into_response(),
            _ => answer(),
        }
    });
    serve(Router::new().route("/mcp", handler)).await + "/mcp"
}

#[tokio::test]
async fn an_answer_that_is_lost_or_none_at_all_says_what_is_certain() {
    let bench = Bench::new().await;
    let lost = rude(|| events(": nothing\n\n".to_owned())).await;
    let outcome = bench.call("mcp", "k", tool(&lost, "say")).await;
    assert!(matches!(&outcome, Outcome::Unknown(error) if error.status == 503), "{outcome:?}");
    let outcome = bench.call("mcp", "k", ask(&lost, "tools/list", json!({}))).await;
    assert!(matches!(&outcome, Outcome::Lost(error) if error.status == 503), "{outcome:?}");

    let down = rude(|| StatusCode::SERVICE_UNAVAILABLE.into_response()).await;
    let outcome = bench.call("mcp", "k", tool(&down, "say")).await;
    assert!(matches!(&outcome, Outcome::Retryable(error) if error.status == 503), "{outcome:?}");

    for (answer, status) in
        [(StatusCode::NOT_FOUND, 404), (StatusCode::FORBIDDEN, 403), (StatusCode::TEMPORARY_REDIRECT, 307)]
    {
        let url = rude(move || (answer, "<p>No</p>").into_response()).await;
        let (found, words) = permanent(bench.call("mcp", "k", tool(&url, "say")).await);
        assert_eq!(found, status, "{words}");
    }
    // What was answered with a yes that cannot be used may have been done.
    let page = rude(|| "<p>Yes</p>".into_response()).await;
    let large = rude(|| Json(json!({"text": "x".repeat(6 << 20)})).into_response()).await;
    for (url, remedy) in [(page, "see whether the endpoint"), (large, "larger than 5 MiB; ask for less")] {
        let words = unknown(bench.call("mcp", "k", tool(&url, "say")).await);
        assert!(words.contains(remedy), "{words}");
        let (status, words) = permanent(bench.call("mcp", "k", ask(&url, "tools/list", json!({}))).await);
        assert!(status == 502 && words.contains(remedy), "{words}");
    }
    let stranger = serve(Router::new().route("/mcp", any(|| async { Json(json!({"hello": "there"})) }))).await;
    let (status, words) = permanent(bench.call("mcp", "k", tool(&format!("{stranger}/mcp"), "say")).await);
    assert_eq!(status, 502, "{words}");
}

#[tokio::test]
async fn only_calls_of_tools_change_something() {
    let bench = Bench::new().await;
    for (method, parameters, repetition) in [
        ("tools/call", json!({"name": "x"}), Repetition::Once),
        ("tools/list", json!({}), Repetition::Safe),
        ("prompts/get", json!({"name": "x"}), Repetition::Safe),
        ("resources/read", json!({"uri": "memo://x"}), Repetition::Safe),
    ] {
        let request = bench.prepare("mcp", ask("http://127.0.0.1:1", method, parameters)).await.unwrap();
        assert_eq!(bench.registry.repetition(&request), repetition, "{method}");
    }
}

#[tokio::test]
async fn arguments_are_checked_before_anything_is_sent() {
    let bench = Bench::new().await;
    let fine = || tool("http://127.0.0.1:1", "say");
    for (pointer, value, expected) in [
        ("/method", json!("tools/delete"), "/method"),
        ("/parameters", json!({"arguments": {}}), "name"),
        ("/protocolVersion", json!("1999-01-01"), "/protocolVersion"),
        ("/timeout", json!("5 minutes"), "timeout"),
        ("/timeout", json!({"weeks": 1}), "timeout"),
        ("/client", json!({"name": "x"}), "version"),
        ("/transport", json!({"stdio": {"command": "npx"}}), "/transport/stdio"),
        ("/transport", json!({}), "http"),
    ] {
        let mut with = fine();
        with[pointer.trim_start_matches('/')] = value;
        let error = bench.call("mcp", "k", with).await.error().unwrap().clone();
        assert!(error.is(StandardError::Validation) && error.to_string().contains(expected), "{pointer}: {error}");
        assert!(!(expected.contains("stdio") && error.to_string().contains("http")), "one reason is enough: {error}");
    }
}

#[tokio::test]
async fn a_call_can_be_stopped() {
    let bench = Bench::new().await;
    let library = streaming();
    let url = start(&library).await;
    let context = bench.context("k");
    let call = bench.call_in("mcp", tool(&url, "hang"), &context);
    let until = |done: fn(&State) -> bool| {
        let state = Arc::clone(&library.state);
        async move {
            while !done(&state.lock().unwrap()) {
                tokio::task::yield_now().await;
            }
        }
    };
    let stop = async {
        until(|state| !state.calls.is_empty()).await;
        context.cancelled.cancel();
    };
    let (outcome, ()) = tokio::time::timeout(PATIENCE, futures::future::join(call, stop)).await.unwrap();
    assert!(matches!(&outcome, Outcome::Unknown(_)), "{outcome:?}");
    tokio::time::timeout(PATIENCE, until(|state| state.sessions.is_empty())).await.expect("the session was left open");
}
