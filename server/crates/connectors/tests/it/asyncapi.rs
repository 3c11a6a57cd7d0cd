//! `call: asyncapi` against services made for the purpose and a real MQTT broker.

use std::{convert::Infallible, sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{
    Json, Router,
    body::{Body, Bytes},
    http::{HeaderMap, StatusCode, header},
    response::IntoResponse as _,
    routing::{get, post},
};
use connectors::{Messages, Outcome, Repetition, egress::EgressPolicy};
use domain::Clock as _;
use futures::{SinkExt as _, StreamExt as _, stream};
use serde_json::{Value, json};
use testkit::WallClock;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::{Notify, mpsc},
};
use tokio_tungstenite::tungstenite::Message;
use workflow::StandardError;

use crate::{
    faults::encrypted,
    http::{raw, serve},
    support::{Bench, PATIENCE, closed_port, done, greeting, permanent, retryable, service, trusting, unknown},
};

/// Takes messages until it has as many as it wants; the next one is refused.
struct Taker {
    wants: usize,
    taken: std::sync::Mutex<usize>,
    messages: mpsc::UnboundedSender<(String, Value)>,
}

#[async_trait]
impl Messages for Taker {
    async fn deliver(&self, id: String, message: Value) -> bool {
        let mut taken = self.taken.lock().unwrap();
        if *taken == self.wants {
            return false;
        }
        *taken += 1;
        self.messages.send((id, message)).is_ok()
    }

    fn may_be_resumed(&self) -> bool {
        true
    }
}

/// A bench in whose folder the document is.
async fn bench(document: &Value) -> Arc<Bench> {
    let bench = Bench::new().await;
    std::fs::write(bench.folder.path().join("doc.json"), document.to_string()).unwrap();
    Arc::new(bench)
}

fn call(operation: &str, rest: Value) -> Value {
    let mut with = json!({"document": {"endpoint": "file://doc.json"}, "operation": operation});
    with.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    with
}

fn subscribing(operation: &str) -> Value {
    call(operation, json!({"subscription": {"consume": {"amount": 1}}}))
}

/// Subscribes in the background; messages come by the channel.
fn subscribe(
    bench: &Arc<Bench>,
    key: &'static str,
    wants: usize,
    with: Value,
) -> (tokio::task::JoinHandle<Outcome>, mpsc::UnboundedReceiver<(String, Value)>) {
    let (messages, taken) = mpsc::unbounded_channel();
    let bench = Arc::clone(bench);
    let work = tokio::spawn(async move {
        let mut context = bench.context(key);
        context.messages = Some(Arc::new(Taker { wants, taken: std::sync::Mutex::new(0), messages }));
        bench.call_in("asyncapi", with, &context).await
    });
    (work, taken)
}

async fn next(taken: &mut mpsc::UnboundedReceiver<(String, Value)>) -> Value {
    tokio::time::timeout(PATIENCE, taken.recv()).await.unwrap().unwrap().1
}

async fn ended(work: tokio::task::JoinHandle<Outcome>) -> Outcome {
    tokio::time::timeout(PATIENCE, work).await.unwrap().unwrap()
}

fn web(base: &str) -> Value {
    json!({
        "asyncapi": "3.0.0",
        "servers": {"web": {"host": base.strip_prefix("http://").unwrap(), "pathname": "/api", "protocol": "http"}},
        "channels": {
            "room": {
                "address": "/rooms/{room}",
                "parameters": {"room": {"location": "$message.payload#/room"}},
                "messages": {"said": {"contentType": "application/json", "correlationId": {"location": "$message.payload#/id"}}}
            },
            "events": {"address": "events"}, "lines": {"address": "lines"}, "one": {"address": "one"},
            "endless": {"address": "endless"}, "closed": {"address": "closed"}
        },
        "operations": {
            "say": {"action": "receive", "channel": {"$ref": "#/channels/room"}},
            "put": {"action": "receive", "channel": {"$ref": "#/channels/room"}, "bindings": {"http": {"method": "put"}}},
            "events": {"action": "send", "channel": {"$ref": "#/channels/events"}},
            "lines": {"action": "send", "channel": {"$ref": "#/channels/lines"}},
            "one": {"action": "send", "channel": {"$ref": "#/channels/one"}},
            "endless": {"action": "send", "channel": {"$ref": "#/channels/endless"}},
            "closed": {"action": "send", "channel": {"$ref": "#/channels/closed"}}
        }
    })
}

fn streamed(kind: &'static str, parts: &'static [&'static str]) -> impl axum::response::IntoResponse {
    let parts = stream::iter(parts).map(|part| Ok::<_, Infallible>(Bytes::from_static(part.as_bytes())));
    ([(header::CONTENT_TYPE, kind)], Body::from_stream(parts))
}

/// A service with channels of every kind.
async fn service_of_messages() -> String {
    let echo = |headers: HeaderMap, body: Bytes| async move {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Json(json!({
            "body": String::from_utf8_lossy(&body), "type": text("content-type"), "trace": text("x-trace"),
            "authorization": text("authorization"), "key": text("idempotency-key")
        }))
    };
    let events = &["id: 1\nevent: said\ndata: {\"room\":", "\"a\"}\n\n: still here\n\nid: 2\ndata: plain\n", "\n"];
    let endless = || async {
        let parts = stream::repeat(Ok::<_, Infallible>(Bytes::from_static(b"data: 1\n\n")));
        ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(parts))
    };
    let router = Router::new()
        .route("/api/rooms/{room}", post(echo).put(echo))
        .route("/api/events", get(move || async move { streamed("text/event-stream; charset=utf-8", events) }))
        .route("/api/lines", get(|| async { streamed("application/x-ndjson", &["{\"n\":1}\n{\"n\"", ":2}\n"]) }))
        .route("/api/one", get(|| async { Json(json!({"id": 7})) }))
        .route("/api/endless", get(endless))
        .route("/api/closed", get(|| async { (StatusCode::FORBIDDEN, "no").into_response() }));
    serve(router).await
}

#[tokio::test]
async fn a_message_is_the_body_of_a_request() {
    let base = service_of_messages().await;
    let bench = bench(&web(&base)).await;
    let message = json!({"message": {"payload": {"room": "a b", "text": "hi"}, "headers": {"X-Trace": "7"}}});
    let mut with = call("say", message);
    with["authentication"] = json!({"bearer": {"token": "t0k"}});
    let seen = done(bench.call("asyncapi", "key-1", with.clone()).await);
    assert_eq!(
        serde_json::from_str::<Value>(seen["body"].as_str().unwrap()).unwrap(),
        json!({"room": "a b", "text": "hi"})
    );
    assert_eq!((&seen["type"], &seen["trace"]), (&json!("application/json"), &json!("7")));
    assert_eq!((&seen["authorization"], &seen["key"]), (&json!("Bearer t0k"), &json!("key-1")));
    let request = bench.prepare("asyncapi", with.clone()).await.unwrap();
    assert_eq!(bench.registry.repetition(&request), Repetition::Once);
    let missing = bench.call("asyncapi", "k", call("say", json!({"message": {"payload": {}}}))).await;
    assert!(missing.error().unwrap().to_string().contains("“room” has no value"), "{missing:?}");
    let put = bench.call("asyncapi", "k", call("put", json!({"message": {"payload": {"room": "r"}}}))).await;
    assert!(matches!(put, Outcome::Done(_)), "{put:?}");
}

#[tokio::test]
async fn an_answer_streams_messages() {
    let base = service_of_messages().await;
    let bench = bench(&web(&base)).await;
    let all = async |operation: &str| {
        let (work, mut taken) = subscribe(&bench, "k", 9, subscribing(operation));
        assert!(matches!(ended(work).await, Outcome::Done(Value::Null)));
        let mut messages = Vec::new();
        while let Some(message) = taken.recv().await {
            messages.push(message);
        }
        messages
    };
    let events = all("events").await;
    assert_eq!(events[0], ("1".to_owned(), json!({"payload": {"room": "a"}, "headers": {"event": "said"}})));
    assert_eq!(events[1], ("2".to_owned(), json!({"payload": "plain"})));
    assert_eq!(events.len(), 2);
    let lines: Vec<Value> = all("lines").await.into_iter().map(|(_, message)| message).collect();
    assert_eq!(lines, [json!({"payload": {"n": 1}}), json!({"payload": {"n": 2}})]);
    let one: Vec<Value> = all("one").await.into_iter().map(|(_, message)| message).collect();
    assert_eq!(one, [json!({"payload": {"id": 7}})]);
}

#[tokio::test]
async fn a_subscription_ends_when_nobody_wants_more_and_fails_when_it_breaks() {
    let base = service_of_messages().await;
    let bench = bench(&web(&base)).await;
    let (work, mut taken) = subscribe(&bench, "k", 3, subscribing("endless"));
    assert!(matches!(ended(work).await, Outcome::Done(Value::Null)));
    let mut ids = std::collections::BTreeSet::new();
    while let Some((id, message)) = taken.recv().await {
        assert_eq!(message, json!({"payload": 1}));
        ids.insert(id);
    }
    assert_eq!(ids.len(), 3, "ids must differ: {ids:?}");

    let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ncontent-length: 99\r\n\r\n{\"n\":1}\n";
    let cut_off = self::bench(&web(&format!("http://{}", raw(answer).await.0))).await;
    let (work, mut taken) = subscribe(&cut_off, "k", 3, subscribing("lines"));
    assert_eq!(next(&mut taken).await, json!({"payload": {"n": 1}}));
    let outcome = ended(work).await;
    assert!(matches!(&outcome, Outcome::Retryable(error) if error.status == 503), "{outcome:?}");
    let (work, _taken) = subscribe(&bench, "k", 3, subscribing("closed"));
    let (status, words) = permanent(ended(work).await);
    assert!(status == 403 && words.contains("no"), "{words}");
    let nobody = bench.call("asyncapi", "k", subscribing("events")).await;
    assert!(nobody.error().unwrap().is(StandardError::Configuration), "{nobody:?}");
}

#[tokio::test]
async fn a_deadline_ends_a_subscription_too() {
    let base = serve(Router::new().route(
        "/api/events",
        get(|| async {
            let parts = stream::pending::<Result<Bytes, Infallible>>();
            ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(parts))
        }),
    ))
    .await;
    let bench = bench(&web(&base)).await;
    let (messages, _taken) = mpsc::unbounded_channel();
    let mut context = bench.context("k");
    context.messages = Some(Arc::new(Taker { wants: 1, taken: std::sync::Mutex::new(0), messages }));
    context.deadline = Some(WallClock.now() + Duration::from_millis(200));
    let call = bench.call_in("asyncapi", subscribing("events"), &context);
    let outcome = tokio::time::timeout(PATIENCE, call).await.unwrap();
    assert!(outcome.error().unwrap().is(StandardError::Timeout), "{outcome:?}");
}

#[tokio::test]
async fn arguments_must_make_sense() {
    let bench = bench(&web("http://127.0.0.1:1")).await;
    let message = json!({"payload": 1});
    let document = json!({"endpoint": "file://doc.json"});
    for with in [
        json!({"document": document, "operation": "say"}),
        json!({"document": document, "message": message}),
        json!({"document": document, "operation": "say", "message": message, "subscription": {}}),
        json!({"document": document, "operation": "say", "message": message, "protocol": "kafka"}),
        json!({"document": document, "operation": "say", "message": message, "authentication": {"digest": {"username": "u", "password": "p"}}}),
    ] {
        let error = bench.call("asyncapi", "k", with.clone()).await.error().unwrap().clone();
        assert!(error.is(StandardError::Validation), "{with} {error}");
    }
    let error = bench.call("asyncapi", "k", call("none", json!({"message": message}))).await;
    assert!(error.error().unwrap().to_string().contains("no operation “none”"), "{error:?}");
}

/// A service that says each message back to all who listen, and greets them with what it was shown.
async fn socket() -> String {
    use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (said, _) = tokio::sync::broadcast::channel::<String>(16);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (said, mut heard) = (said.clone(), said.subscribe());
            tokio::spawn(async move {
                let mut shown = Value::Null;
                let look = |request: &Request, response: Response| {
                    let text = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
                    shown = json!({"path": request.uri().path(), "authorization": text("authorization"), "trace": text("x-trace")});
                    Ok(response)
                };
                let Ok(mut frames) = tokio_tungstenite::accept_hdr_async(stream, look).await else { return };
                frames.send(Message::text(shown.to_string())).await.ok();
                loop {
                    tokio::select! {
                        frame = frames.next() => match frame {
                            Some(Ok(Message::Text(text))) => drop(said.send(json!({"said": text.as_str(), "shown": shown}).to_string())),
                            Some(Ok(_)) => {}
                            _ => return,
                        },
                        Ok(text) = heard.recv() => {
                            if text.contains("bye") {
                                frames.close(None).await.ok();
                            } else {
                                frames.send(Message::text(text)).await.ok();
                            }
                        }
                    }
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn a_socket_carries_messages_both_ways() {
    let document = json!({
        "asyncapi": "3.0.0",
        "servers": {"socket": {"host": socket().await, "pathname": "/v1", "protocol": "ws"}},
        "channels": {"chat": {"address": "chat"}},
        "operations": {
            "say": {"action": "receive", "channel": {"$ref": "#/channels/chat"}},
            "hear": {"action": "send", "channel": {"$ref": "#/channels/chat"}}
        }
    });
    let bench = bench(&document).await;
    let (work, mut taken) = subscribe(&bench, "k", 9, subscribing("hear"));
    assert_eq!(next(&mut taken).await["payload"]["path"], "/v1/chat");
    let say = |payload: Value| {
        let mut with = call("say", json!({"message": {"payload": payload, "headers": {"X-Trace": "7"}}}));
        with["authentication"] = json!({"bearer": {"token": "t0k"}});
        with
    };
    assert_eq!(done(bench.call("asyncapi", "k1", say(json!({"n": 1}))).await), Value::Null);
    let heard = next(&mut taken).await["payload"].clone();
    assert_eq!((&heard["said"], &heard["shown"]["trace"]), (&json!("{\"n\":1}"), &json!("7")));
    assert_eq!(heard["shown"]["authorization"], "Bearer t0k");
    assert_eq!(done(bench.call("asyncapi", "k2", say(json!("bye"))).await), Value::Null);
    assert!(matches!(ended(work).await, Outcome::Done(Value::Null)));

    let refusing = serve(Router::new().route("/v1/chat", get(|| async { StatusCode::FORBIDDEN }))).await;
    let mut document = document;
    document["servers"]["socket"]["host"] = json!(refusing.strip_prefix("http://").unwrap());
    let refused = self::bench(&document).await;
    assert_eq!(permanent(refused.call("asyncapi", "k", say(json!(1))).await).0, 403);
    document["servers"]["socket"]["host"] = json!(format!("127.0.0.1:{}", closed_port().await));
    let absent = self::bench(&document).await;
    assert!(matches!(absent.call("asyncapi", "k", say(json!(1))).await, Outcome::Retryable(_)));
}

#[tokio::test]
async fn what_may_not_be_reached_is_not() {
    let guarded = Bench::with_policy(EgressPolicy { loopback: false, ..EgressPolicy::default() }).await;
    let mut socket = web("http://127.0.0.1:1");
    socket["servers"]["web"]["protocol"] = json!("ws");
    for document in [web("http://127.0.0.1:1"), socket, mqtt("127.0.0.1:1", "mqtt")] {
        std::fs::write(guarded.folder.path().join("doc.json"), document.to_string()).unwrap();
        let with = call("say", json!({"message": {"payload": {"room": "r"}}}));
        let error = guarded.call("asyncapi", "k", with).await.error().unwrap().clone();
        assert!(error.is(StandardError::Authorization) && error.to_string().contains("may not be reached"), "{error}");
    }
}

fn mqtt(server: &str, protocol: &str) -> Value {
    json!({
        "asyncapi": "2.6.0",
        "defaultContentType": "application/json",
        "servers": {"broker": {"url": server, "protocol": protocol}},
        "channels": {
            "rooms/{room}": {
                "parameters": {"room": {"location": "$message.payload#/room"}},
                "publish": {"operationId": "say", "message": {"correlationId": {"location": "$message.header#/id"}}},
                "subscribe": {"operationId": "hear"}
            },
            "kept/{room}": {
                "parameters": {"room": {"location": "$message.payload#/room"}},
                "publish": {"operationId": "keep", "bindings": {"mqtt": {"retain": true}}},
                "subscribe": {"operationId": "hearKept"}
            },
            "quick": {"publish": {"operationId": "quick", "bindings": {"mqtt": {"qos": 0}}}},
            "twice": {"publish": {"operationId": "twice", "bindings": {"mqtt": {"qos": 2}}}},
            "closed/x": {"publish": {"operationId": "closed"}}
        }
    })
}

/// The real broker, its address for the protocol, and what it wants to see.
fn broker(protocol: &str) -> Option<(Value, Value)> {
    let variable = if protocol == "mqtt" { "TEST_MQTT_PORT" } else { "TEST_MQTTS_PORT" };
    let found = service(&[variable, "TEST_MQTT_USER", "TEST_MQTT_PASSWORD"])?;
    let document = mqtt(&format!("127.0.0.1:{}", found[0]), protocol);
    Some((document, json!({"basic": {"username": found[1], "password": found[2]}})))
}

fn with_login(mut with: Value, login: &Value) -> Value {
    with["authentication"] = login.clone();
    with
}

#[tokio::test]
async fn a_broker_hands_messages_on() {
    let Some((document, login)) = broker("mqtt") else { return };
    let bench = bench(&document).await;
    let message =
        json!({"message": {"payload": {"room": "handed-on", "text": "hi"}, "headers": {"id": "7", "x": "y"}}});
    // One that the broker keeps arrives whenever the subscription is there.
    let kept = json!({"message": {"payload": {"room": "handed-on", "text": "kept"}}});
    assert_eq!(done(bench.call("asyncapi", "k1", with_login(call("keep", kept), &login)).await), Value::Null);
    let (work, mut taken) = subscribe(&bench, "handed-on-kept", 99, with_login(subscribing("hearKept"), &login));
    // Others use the broker, too.
    while next(&mut taken).await["payload"] != json!({"room": "handed-on", "text": "kept"}) {}
    work.abort();

    let (work, mut taken) = subscribe(&bench, "handed-on", 99, with_login(subscribing("hear"), &login));
    let subscribed = async {
        while !bench.log_text().contains("subscribed to rooms/+") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, subscribed).await.unwrap();
    assert_eq!(done(bench.call("asyncapi", "k2", with_login(call("say", message), &login)).await), Value::Null);
    let came = loop {
        let message = next(&mut taken).await;
        if message["payload"]["room"] == "handed-on" {
            break message;
        }
    };
    assert_eq!(came["payload"], json!({"room": "handed-on", "text": "hi"}));
    assert_eq!((&came["headers"], &came["correlationId"]), (&json!({"id": "7", "x": "y"}), &json!("7")));
    work.abort();
    let quick =
        bench.call("asyncapi", "k3", with_login(call("quick", json!({"message": {"payload": 1}})), &login)).await;
    assert_eq!(done(quick), Value::Null);
    assert!(!bench.log_text().contains(login["basic"]["password"].as_str().unwrap()));
}

#[tokio::test]
async fn a_broker_keeps_what_nobody_has_taken() {
    let Some((mut document, login)) = broker("mqtt") else { return };
    // A topic of this test alone.
    document["channels"]["kept/own"] = json!({
        "publish": {"operationId": "keepOwn", "bindings": {"mqtt": {"retain": true}}},
        "subscribe": {"operationId": "hearOwn"}
    });
    let bench = bench(&document).await;
    let send = async |text: &str| {
        let with = with_login(call("keepOwn", json!({"message": {"payload": text}})), &login);
        done(bench.call("asyncapi", "sender", with).await);
    };
    send("first").await;
    // The first is refused, and so is not acknowledged.
    let (work, _taken) =
        subscribe(&bench, "kept-session-0123456789abcdef0123", 0, with_login(subscribing("hearOwn"), &login));
    assert!(matches!(ended(work).await, Outcome::Done(_)));
    send("while away").await;
    let (work, mut taken) =
        subscribe(&bench, "kept-session-0123456789abcdef0123", 9, with_login(subscribing("hearOwn"), &login));
    assert_eq!(next(&mut taken).await["payload"], "first");
    assert_eq!(next(&mut taken).await["payload"], "while away");
    work.abort();
}

#[tokio::test]
async fn a_subscription_that_breaks_is_taken_up_again() {
    let Some((mut document, login)) = broker("mqtt") else { return };
    let port = document["servers"]["broker"]["url"].as_str().unwrap().to_owned();
    // Between here and the broker is one that cuts the first connection.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    document["servers"]["broker"]["url"] = json!(listener.local_addr().unwrap().to_string());
    document["channels"]["kept/cut"] = json!({
        "publish": {"operationId": "keepCut", "bindings": {"mqtt": {"retain": true}}},
        "subscribe": {"operationId": "hearCut"}
    });
    let (cut, told) = tokio::sync::oneshot::channel::<()>();
    let (again, mut connected) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut told = Some(told);
        while let Ok((mut client, _)) = listener.accept().await {
            again.send(()).ok();
            let mut broker = TcpStream::connect(&port).await.unwrap();
            let until = told.take();
            tokio::spawn(async move {
                let cut = async {
                    match until {
                        Some(told) => drop(told.await),
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    copied = copy_bidirectional(&mut client, &mut broker) => drop(copied),
                    () = cut => {}
                }
            });
        }
    });
    let cutting = bench(&document).await;
    let direct = bench(&{
        let mut direct = document.clone();
        direct["servers"]["broker"]["url"] = broker("mqtt").unwrap().0["servers"]["broker"]["url"].clone();
        direct
    })
    .await;
    let send = async |text: &str| {
        let with = with_login(call("keepCut", json!({"message": {"payload": text}})), &login);
        done(direct.call("asyncapi", "sender", with).await);
    };
    send("first").await;
    let (work, mut taken) =
        subscribe(&cutting, "cut-session-0123456789abcdef01234", 9, with_login(subscribing("hearCut"), &login));
    assert_eq!(next(&mut taken).await["payload"], "first");
    connected.recv().await.unwrap();
    cut.send(()).unwrap();
    send("second").await;
    connected.recv().await.unwrap();
    // The acknowledgement of the first may have been lost with the connection, so it may come again.
    while next(&mut taken).await["payload"] != "second" {}
    assert!(cutting.log_text().contains("taken up again"), "{}", cutting.log_text());
    work.abort();
}

#[tokio::test]
async fn a_broker_that_refuses_says_what_it_refuses() {
    let Some((document, login)) = broker("mqtt") else { return };
    let bench = bench(&document).await;
    let message = json!({"message": {"payload": {"room": "r"}}});
    let wrong = json!({"basic": {"username": "portal", "password": "hunter2hunter2"}});
    for login in [Some(wrong), None] {
        let mut with = call("say", message.clone());
        if let Some(login) = login {
            with["authentication"] = login;
        }
        let Outcome::Permanent(error) = bench.call("asyncapi", "k", with).await else { panic!("it was let in") };
        assert!(error.is(StandardError::Authentication), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    let Outcome::Permanent(error) =
        bench.call("asyncapi", "k", with_login(call("closed", message.clone()), &login)).await
    else {
        panic!("it was let in")
    };
    assert!(error.is(StandardError::Authorization), "{error}");
    let twice = bench.call("asyncapi", "k", with_login(call("twice", message), &login)).await;
    assert!(twice.error().unwrap().is(StandardError::Configuration), "{twice:?}");
}

#[tokio::test]
async fn a_broker_is_spoken_to_by_tls_where_the_document_says_so() {
    let Some((document, login)) = broker("mqtts") else { return };
    let bench = bench(&document).await;
    let with = with_login(call("say", json!({"message": {"payload": {"room": "r"}}})), &login);
    let authority = service(&["TEST_MQTT_CA"]).unwrap().remove(0);
    if trusting("asyncapi::a_broker_is_spoken_to_by_tls_where_the_document_says_so", &authority, "yes").await.is_some()
    {
        assert_eq!(done(bench.call("asyncapi", "k", with).await), Value::Null);
    } else {
        let outcome = bench.call("asyncapi", "k", with).await;
        assert!(
            matches!(&outcome, Outcome::Retryable(error) if error.to_string().contains("nobody who is trusted")),
            "{outcome:?}"
        );
    }
}

/// A broker that answers each client with these bytes and hangs up at its second packet.
async fn feigned(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut packet = [0; 4096];
            if stream.read(&mut packet).await.unwrap_or(0) > 0 && stream.write_all(answer).await.is_ok() {
                let _ = stream.read(&mut packet).await;
            }
        }
    });
    address
}

#[tokio::test]
async fn what_is_certain_about_a_message_decides_its_outcome() {
    let message = || call("say", json!({"message": {"payload": {"room": "r"}}}));
    let taken = bench(&mqtt(&feigned(b"\x20\x03\x00\x00\x00").await, "mqtt")).await;
    let outcome = taken.call("asyncapi", "k", message()).await;
    assert!(matches!(&outcome, Outcome::Unknown(error) if error.status == 503), "{outcome:?}");
    let busy = bench(&mqtt(&feigned(b"\x20\x03\x00\x89\x00").await, "mqtt")).await;
    let outcome = busy.call("asyncapi", "k", message()).await;
    assert!(matches!(&outcome, Outcome::Retryable(error) if error.status == 503), "{outcome:?}");
    let foreign = bench(&mqtt(&feigned(b"\xd0\x00").await, "mqtt")).await;
    let outcome = foreign.call("asyncapi", "k", message()).await;
    assert!(outcome.error().unwrap().to_string().contains("MQTT 5"), "{outcome:?}");
    let absent = bench(&mqtt(&format!("127.0.0.1:{}", closed_port().await), "mqtt")).await;
    let outcome = absent.call("asyncapi", "k", message()).await;
    assert!(matches!(&outcome, Outcome::Retryable(error) if error.status == 503), "{outcome:?}");
    let (work, _taken) = subscribe(&absent, "k", 1, subscribing("hear"));
    assert!(matches!(ended(work).await, Outcome::Retryable(_)));
}

/// The documents of a service behind a socket and of a broker at this address, by TLS or without.
fn at(address: &str, by_tls: bool) -> [Value; 2] {
    let mut socket = web(&format!("http://{address}"));
    socket["servers"]["web"]["protocol"] = json!(if by_tls { "wss" } else { "ws" });
    [socket, mqtt(address, if by_tls { "mqtts" } else { "mqtt" })]
}

#[tokio::test]
async fn before_a_message_is_sent_another_attempt_is_harmless() {
    let message = || call("say", json!({"message": {"payload": {"room": "r"}}}));
    let stranger = encrypted().await.replace("https://", "");
    let plain = format!("127.0.0.1:{}", greeting(b"220 mail.test\r\n", false).await);
    for (address, remedy) in [(stranger, "enter the CA"), (plain, "does not speak TLS")] {
        for document in at(&address, true) {
            let words = retryable(bench(&document).await.call("asyncapi", "k", message()).await);
            assert!(words.contains(remedy), "{words}");
        }
    }
    // Who takes the connection, and says nothing.
    let silent = format!("127.0.0.1:{}", greeting(b"", false).await);
    for document in at(&silent, false) {
        let bench = bench(&document).await;
        let mut context = bench.context("k");
        context.deadline = Some(WallClock.now() + Duration::from_millis(300));
        let call = bench.call_in("asyncapi", message(), &context);
        let words = retryable(tokio::time::timeout(PATIENCE, call).await.unwrap());
        assert!(words.contains("nothing was sent"), "{words}");
    }
}

#[tokio::test]
async fn an_answer_to_a_message_that_cannot_be_used_leaves_it_open() {
    let garbled = || async { ([(header::CONTENT_TYPE, "application/json")], "<html>") };
    let large = || async { "x".repeat(6 << 20) };
    for (handler, remedy) in [(post(garbled), "is not"), (post(large), "ask for less")] {
        let bench = bench(&web(&serve(Router::new().route("/api/rooms/{room}", handler)).await)).await;
        let message = call("say", json!({"message": {"payload": {"room": "r"}}}));
        let words = unknown(bench.call("asyncapi", "k", message).await);
        assert!(words.contains(remedy), "{words}");
    }
}

/// A service that says this over each socket, as it is, and never closes one.
async fn saying(bytes: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut frames) = tokio_tungstenite::accept_async(stream).await {
                frames.get_mut().write_all(&bytes).await.ok();
                open.push(frames);
            }
        }
    });
    address
}

#[tokio::test]
async fn a_socket_that_says_nonsense_or_nothing_leaves_a_message_open() {
    let message = || call("say", json!({"message": {"payload": {"room": "r"}}}));
    // The head of a frame in which all bits are set that mean nothing.
    let [nonsense, _] = at(&saying(vec![0xff, 0]).await, false);
    let garbled = bench(&nonsense).await;
    unknown(garbled.call("asyncapi", "k", message()).await);
    let (work, _taken) = subscribe(&garbled, "k", 1, subscribing("lines"));
    assert!(matches!(ended(work).await, Outcome::Retryable(_)));
    let [silence, _] = at(&saying(Vec::new()).await, false);
    let silent = bench(&silence).await;
    let mut context = silent.context("k");
    context.deadline = Some(WallClock.now() + Duration::from_secs(1));
    let outcome = tokio::time::timeout(PATIENCE, silent.call_in("asyncapi", message(), &context)).await.unwrap();
    assert!(matches!(&outcome, Outcome::Unknown(error) if error.is(StandardError::Timeout)), "{outcome:?}");
}

#[tokio::test]
async fn a_message_without_end_ends_the_subscription() {
    const PIECE: &[u8] = &[b'x'; 4096];
    let endless = || async {
        let parts = stream::repeat(Ok::<_, Infallible>(Bytes::from_static(PIECE)));
        ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(parts))
    };
    // Both announce a message of six mebibytes, one of bytes in a frame of its own, the other after it has taken the client.
    let [socket, _] = at(&saying(b"\x82\x7f\0\0\0\0\0\x60\0\0".to_vec()).await, false);
    let [_, broker] = at(&feigned(b"\x20\x03\x00\x00\x00\x30\x80\x80\x80\x03").await, false);
    for (document, operation) in [
        (web(&serve(Router::new().route("/api/lines", get(endless))).await), "lines"),
        (socket, "lines"),
        (broker, "hear"),
    ] {
        let bench = bench(&document).await;
        let (work, _taken) = subscribe(&bench, "k", 9, subscribing(operation));
        let (status, words) = permanent(ended(work).await);
        assert!(status == 502 && words.contains("have smaller ones sent"), "{words}");
    }
}

#[tokio::test]
async fn a_message_that_is_stopped_may_have_been_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sent, left) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, gone) = (Arc::clone(&sent), Arc::clone(&left));
    // A broker that takes the client, and does not say whether it took the message.
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut packet = [0; 4096];
        let _ = stream.read(&mut packet).await;
        stream.write_all(b"\x20\x03\x00\x00\x00").await.unwrap();
        while stream.read(&mut packet).await.is_ok_and(|read| read > 0) {
            told.notify_one();
        }
        gone.notify_one();
    });
    let bench = bench(&mqtt(&address, "mqtt")).await;
    let context = bench.context("k");
    let message = call("say", json!({"message": {"payload": {"room": "r"}}}));
    let stop = async {
        sent.notified().await;
        context.cancelled.cancel();
    };
    let calling = futures::future::join(bench.call_in("asyncapi", message, &context), stop);
    let (outcome, ()) = tokio::time::timeout(PATIENCE, calling).await.unwrap();
    assert!(unknown(outcome).contains("stopped"));
    tokio::time::timeout(PATIENCE, left.notified()).await.unwrap();
}
