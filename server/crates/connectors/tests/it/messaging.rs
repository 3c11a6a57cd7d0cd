//! `call: messaging`: against a NATS server with streams, and against servers that fail.

use std::time::Duration;

use connectors::{Outcome, Repetition};
use domain::Clock as _;
use serde_json::{Value, json};
use testkit::{NatsConsole, WallClock};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
};
use workflow::StandardError;

use crate::support::{
    Bench, PATIENCE, closed_port, done, eventually, failed_step, greeting, permanent, retryable, service, unknown,
};

/// A password that no server has.
const WRONG: &str = "canary-s3cret";

/// The NATS server of the lab, with a connection `it` to it by TLS.
struct Lab {
    bench: Bench,
    console: NatsConsole,
    settings: Value,
    /// A word in subjects and names of streams that no other test has.
    own: String,
}

impl Lab {
    /// None without the services of the lab.
    async fn find(own: &str) -> Option<Self> {
        let names = ["TEST_NATS_PORT", "TEST_NATS_USER", "TEST_NATS_PASSWORD", "TEST_NATS_CA"];
        let [port, user, password, ca] = service(&names)?.try_into().ok()?;
        let port: u16 = port.parse().ok()?;
        let ca = std::fs::read_to_string(ca).unwrap();
        let settings = json!({"host": "127.0.0.1", "port": port, "username": user, "password": password, "ca": ca});
        let bench = Bench::new().await;
        bench.connect("it", "nats", settings.clone()).await;
        let console = NatsConsole::open(port, &password).await;
        Some(Self { bench, console, settings, own: own.to_owned() })
    }

    /// With a stream of this test's own.
    async fn with_stream(own: &str) -> Option<Self> {
        let mut lab = Self::find(own).await?;
        lab.console.make_stream(&own.to_uppercase(), &[&format!("{own}.>")]).await;
        Some(lab)
    }

    fn stream(&self) -> String {
        self.own.to_uppercase()
    }

    fn subject(&self, word: &str) -> String {
        format!("{}.{word}", self.own)
    }

    async fn call(&self, operation: &str, key: &str, more: Value) -> Outcome {
        self.bench.call("messaging", key, with(operation, more)).await
    }

    async fn receive(&self, limit: u16) -> Vec<Value> {
        let asked = json!({"stream": self.stream(), "consumer": "tests", "limit": limit, "for": {"milliseconds": 300}});
        done(self.call("receive", "k", asked).await)["messages"].as_array().unwrap().clone()
    }

    fn settings(&self, name: &str, value: impl Into<Value>) -> Value {
        let mut settings = self.settings.clone();
        settings[name] = value.into();
        settings
    }
}

fn with(operation: &str, more: Value) -> Value {
    let mut with = json!({"connection": "it", "operation": operation});
    with.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    with
}

#[tokio::test]
async fn a_stream_keeps_a_message_once_however_often_it_is_published() {
    let Some(mut lab) = Lab::with_stream("kept").await else { return };
    let order = json!({
        "subject": lab.subject("new"), "content": {"order": 7, "note": "Grüße"}, "headers": {"Trace": "a b"}, "stream": "KEPT",
    });
    let first = done(lab.call("publish", "key-1", order.clone()).await);
    assert_eq!(first, json!({"stored": true, "stream": "KEPT", "sequence": 1, "duplicate": false}));
    let again = done(lab.call("publish", "key-1", order.clone()).await);
    assert_eq!((&again["sequence"], &again["duplicate"]), (&json!(1), &json!(true)));
    assert_eq!(lab.console.count("KEPT").await, 1);
    done(lab.call("publish", "key-2", order).await);
    let raw =
        json!({"subject": lab.subject("raw"), "content": "AP8=", "encoding": "base64", "contentType": "image/png"});
    done(lab.call("publish", "key-3", raw).await);
    let text = json!({"subject": lab.subject("text"), "content": "7 apples", "encoding": "text"});
    done(lab.call("publish", "key-4", text).await);

    let messages = lab.receive(10).await;
    let seen: Vec<_> = messages.iter().map(|one| (&one["content"], one["encoding"].as_str().unwrap())).collect();
    let order = json!({"order": 7, "note": "Grüße"});
    assert_eq!(seen, [(&order, "json"), (&order, "json"), (&json!("AP8="), "base64"), (&json!("7 apples"), "text")]);
    let headers = &messages[0]["headers"];
    assert_eq!((&headers["nats-msg-id"], &headers["trace"]), (&json!("key-1"), &json!("a b")));
    assert_eq!(
        (&headers["content-type"], &messages[2]["headers"]["content-type"]),
        (&json!("application/json"), &json!("image/png"))
    );
    assert_eq!((&messages[0]["sequence"], &messages[0]["deliveries"]), (&json!(1), &json!(1)));

    let elsewhere = json!({"subject": lab.subject("new"), "content": 1, "stream": "OTHER"});
    let (_, words) = permanent(lab.call("publish", "key-5", elsewhere).await);
    assert!(words.contains("does not keep"), "{words}");
    let (status, words) =
        permanent(lab.call("publish", "key-6", json!({"subject": "nobody.cares", "content": 1})).await);
    assert_eq!(status, 404);
    assert!(words.contains("no stream takes") && words.contains("stored: false"), "{words}");
    let (status, words) = permanent(
        lab.call("publish", "key-7", json!({"subject": lab.subject("large"), "content": "x".repeat(70_000)})).await,
    );
    assert_eq!(status, 413);
    assert!(words.contains("65536") && words.contains("send less"), "{words}");
}

#[tokio::test]
async fn what_was_received_comes_again_until_it_is_acknowledged() {
    let Some(mut lab) = Lab::with_stream("taken").await else { return };
    for order in 1..=3 {
        done(
            lab.call("publish", &format!("taken-{order}"), json!({"subject": lab.subject("new"), "content": order}))
                .await,
        );
    }
    let receipts = |messages: &[Value]| -> Vec<Value> { messages.iter().map(|one| one["receipt"].clone()).collect() };
    let first = lab.receive(1).await;
    assert_eq!(first[0]["content"], 1);
    done(lab.call("acknowledge", "k", json!({"receipts": receipts(&first), "verdict": "again"})).await);
    let all = lab.receive(3).await;
    assert_eq!(all.len(), 3);
    let came_back = all.iter().find(|one| one["content"] == 1).unwrap();
    assert_eq!(came_back["deliveries"], 2);
    for _ in 0..2 {
        let told = done(lab.call("acknowledge", "k", json!({"receipts": receipts(&all[..2])})).await);
        assert_eq!(told["acknowledged"], 2);
    }
    done(lab.call("acknowledge", "k", json!({"receipts": receipts(&all[2..]), "verdict": "never"})).await);
    assert_eq!(lab.receive(5).await, Vec::<Value>::new());
    let about = lab.console.ask("$JS.API.CONSUMER.INFO.TAKEN.tests", &Value::Null).await;
    assert_eq!((&about["num_ack_pending"], &about["num_pending"]), (&json!(0), &json!(0)), "{about}");

    let nobody = lab.call("receive", "k", json!({"stream": "TAKEN", "consumer": "nobody", "for": "PT1S"})).await;
    let (status, words) = permanent(nobody);
    assert_eq!(status, 404);
    assert!(words.contains("no consumer nobody"), "{words}");
    lab.console.ask("$JS.API.STREAM.DELETE.TAKEN", &Value::Null).await;
    let (status, words) = permanent(lab.call("acknowledge", "k", json!({"receipts": receipts(&all)})).await);
    assert_eq!(status, 404);
    assert!(words.contains("not there any more"), "{words}");
}

#[tokio::test]
async fn whoever_listens_hears_and_answers() {
    let Some(mut lab) = Lab::find("asked").await else { return };
    let subject = lab.subject("price");
    lab.console.listen(&subject).await;
    let told =
        done(lab.call("publish", "key-1", json!({"subject": subject, "content": "hello", "stored": false})).await);
    assert_eq!(told, json!({"stored": false, "stream": null, "sequence": null, "duplicate": false}));
    let heard = lab.console.next().await;
    assert_eq!((heard.json(), heard.reply), (json!("hello"), None));
    assert!(heard.headers.contains("Nats-Msg-Id: key-1\r\n"), "{}", heard.headers);

    let Lab { bench, mut console, .. } = lab;
    let ask = |more: Value| {
        let mut asked = json!({"subject": subject, "content": {"item": 3}});
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        bench.call("messaging", "key-2", with("request", asked))
    };
    let answer = async |console: &mut NatsConsole, headers: &[&str], payload: &[u8]| {
        let heard = console.next().await;
        assert_eq!(heard.json(), json!({"item": 3}));
        console.send(&heard.reply.unwrap(), headers, payload).await;
    };
    let (price, ()) = tokio::join!(ask(json!({})), answer(&mut console, &["Currency: EUR"], b"{\"price\": 12}"));
    assert_eq!(done(price), json!({"content": {"price": 12}, "encoding": "json", "headers": {"currency": "EUR"}}));
    let failing = ["Nats-Service-Error-Code: 409", "Nats-Service-Error: sold out"];
    let (refused, ()) = tokio::join!(ask(json!({})), answer(&mut console, &failing, b""));
    let (status, words) = permanent(refused);
    assert_eq!(status, 409);
    assert!(words.contains("sold out"), "{words}");
    let large = vec![b'x'; 60_000];
    let (long, ()) = tokio::join!(ask(json!({})), answer(&mut console, &[], &large));
    assert_eq!(done(long)["content"].as_str().unwrap().len(), 60_000);

    // It listens, and does not answer: it may have done it all the same.
    let words = unknown(ask(json!({"for": {"milliseconds": 200}})).await);
    assert!(words.contains("look there whether it was done"), "{words}");
    let mut context = bench.context("key-3");
    context.deadline = Some(WallClock.now() + Duration::from_millis(300));
    let kept = with("publish", json!({"subject": subject, "content": 1}));
    let outcome = bench.call_in("messaging", kept, &context).await;
    let Outcome::Lost(error) = outcome else { panic!("{outcome:?}") };
    assert!(error.is(StandardError::Timeout), "{error}");
    drop(console);
    eventually(async || {
        let outcome = ask(json!({"for": {"milliseconds": 200}})).await;
        matches!(&outcome, Outcome::Retryable(error) if error.to_string().contains("nobody listens"))
    })
    .await;
}

#[tokio::test]
async fn each_way_into_a_server_fails_with_its_remedy() {
    let Some(lab) = Lab::find("doors").await else { return };
    let check = lab.bench.check("nats", lab.settings.clone()).await;
    assert!(check.ok, "{check:?}");
    let steps: Vec<_> = check.steps.iter().map(|step| step.step.as_str()).collect();
    assert_eq!(steps, ["settings", "name", "connect", "tls", "sign-in", "right"]);
    assert!(check.steps[5].detail.contains("the account has"), "{check:?}");
    let clear = lab.bench.check("nats", lab.settings("encryption", "none")).await;
    assert!(clear.ok && clear.steps.len() == 5, "{clear:?}");
    let bare = lab.bench.check("nats", lab.settings("username", "bare")).await;
    assert!(bare.ok && bare.steps[5].detail.contains("the account has no streams"), "{bare:?}");

    let closed = closed_port().await;
    for (settings, failing, remedy) in [
        (lab.settings("password", WRONG), "sign-in", "enter user name and password"),
        (lab.settings("username", "nobody"), "sign-in", "enter user name and password"),
        (lab.settings("username", "deaf"), "right", "inbox prefix"),
        (lab.settings("ca", Value::Null), "tls", "enter the CA that issued it"),
        (lab.settings("ca", "none"), "settings", "PEM"),
        (lab.settings("port", closed), "connect", "no connection to"),
        (lab.settings("host", "host.invalid"), "name", "cannot be resolved"),
    ] {
        let mut settings = settings;
        settings.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let (step, words) = failed_step(&lab.bench.check("nats", settings.clone()).await);
        assert_eq!(step, failing, "{words}");
        assert!(words.contains(remedy) && !words.contains(WRONG), "{words}");
        lab.bench.connect("it", "nats", settings).await;
        let publish = with("publish", json!({"subject": "doors.x", "content": 1}));
        let outcome = lab.bench.call("messaging", "k", publish).await;
        let nothing_happened = matches!(outcome, Outcome::Retryable(_) | Outcome::Permanent(_));
        assert!(nothing_happened && outcome.error().unwrap().to_string().contains(remedy), "{outcome:?}");
        let signed_in = outcome.error().unwrap().is(StandardError::Authentication);
        assert_eq!(signed_in, failing == "sign-in", "{outcome:?}");
    }

    lab.bench.connect("it", "nats", lab.settings.clone()).await;
    for stored in [true, false] {
        let forbidden = json!({"subject": "closed.door", "content": 1, "stored": stored});
        let outcome = lab.call("publish", "k", forbidden).await;
        let Outcome::Permanent(error) = outcome else { panic!("{outcome:?}") };
        assert!(error.is(StandardError::Authorization) && error.to_string().contains("permissions"), "{error}");
    }
    let Lab { bench, settings, .. } = lab;
    let mut narrow = settings;
    narrow["subjects"] = json!(["orders.*"]);
    bench.connect("it", "nats", narrow).await;
    let other = with("publish", json!({"subject": "doors.x", "content": 1}));
    let (_, words) = permanent(bench.call("messaging", "k", other).await);
    assert!(words.contains("not for the subject doors.x") && words.contains("administrator"), "{words}");
}

/// What a server says that has no streams and no sign-in.
const INFO: &[u8] = b"INFO {\"headers\":true,\"max_payload\":1000,\"client_id\":1}\r\n";

/// A server that lets everybody in, and says this to the first message.
async fn answering(answer: &'static [u8], hang_up: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut stream, mut line) = (BufReader::new(stream), String::new());
                stream.get_mut().write_all(INFO).await.unwrap();
                while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
                    if line.starts_with("PING") && stream.get_mut().write_all(b"PONG\r\n").await.is_err() {
                        return;
                    }
                    if line.contains("PUB ") {
                        stream.get_mut().write_all(answer).await.unwrap_or_default();
                        if hang_up {
                            return;
                        }
                        // So that what is larger than the two buffers arrives as well.
                        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.ok();
                    }
                    line.clear();
                }
            });
        }
    });
    port
}

fn plain(port: u16) -> Value {
    json!({"host": "127.0.0.1", "port": port, "encryption": "none"})
}

async fn call(bench: &Bench, port: u16, operation: &str, more: Value, late: bool) -> Outcome {
    bench.connect("it", "nats", plain(port)).await;
    let mut context = bench.context("k");
    if late {
        context.deadline = Some(WallClock.now() + Duration::from_millis(300));
    }
    let call = bench.call_in("messaging", with(operation, more), &context);
    tokio::time::timeout(PATIENCE, call).await.unwrap()
}

#[tokio::test]
async fn who_is_no_nats_server_is_told_before_anything_is_sent() {
    let bench = Bench::new().await;
    let publish = || json!({"subject": "a.b", "content": 1});
    for (said, hang_up, remedy) in [
        (b"220 mail.test\r\n".as_slice(), false, "it speaks another protocol"),
        (b"INFO nonsense\r\n", false, "cannot be read"),
        (b"INFO {}\r\n", false, "NATS 2.2"),
        (b"INFO ", true, "it hung up"),
        (b"INFO {\"headers\":true,\"tls_required\":true}\r\n", false, "set encryption to tls"),
    ] {
        let port = greeting(said, hang_up).await;
        let (step, words) = failed_step(&bench.check("nats", plain(port)).await);
        assert_eq!(step, "connect", "{words}");
        assert!(words.contains(remedy), "{words}");
        let outcome = call(&bench, port, "publish", publish(), false).await;
        assert!(matches!(outcome, Outcome::Retryable(_) | Outcome::Permanent(_)), "{outcome:?}");
    }
    let port = greeting(INFO, false).await;
    let (step, words) = failed_step(&bench.check("nats", json!({"host": "127.0.0.1", "port": port})).await);
    assert_eq!(step, "tls");
    assert!(words.contains("does not speak TLS") && words.contains("set encryption to none"), "{words}");
    // It greets, and says nothing more.
    let words = retryable(call(&bench, port, "publish", publish(), true).await);
    assert!(words.contains("nothing was sent"), "{words}");
    // One without streams is a server as well.
    assert!(bench.check("nats", plain(answering(b"", false).await)).await.ok);
}

#[tokio::test]
async fn faults_are_told_apart() {
    let bench = Bench::new().await;
    let message = |more: Value| {
        let mut message = json!({"subject": "a.b", "content": 1});
        message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        message
    };
    for (answer, hang_up) in [(b"".as_slice(), true), (b"".as_slice(), false), (b"nonsense\r\n".as_slice(), false)] {
        let port = answering(answer, hang_up).await;
        let late = answer.is_empty() && !hang_up;
        for (operation, more) in [
            ("publish", message(json!({}))),
            ("receive", json!({"stream": "S", "consumer": "c"})),
            ("acknowledge", json!({"receipts": ["$JS.ACK.S.c.1.1.1.1.0"]})),
        ] {
            let outcome = call(&bench, port, operation, more, late).await;
            assert!(matches!(outcome, Outcome::Lost(_)), "{operation}: {outcome:?}");
        }
        let asked = call(&bench, port, "request", message(json!({})), late).await;
        assert!(matches!(asked, Outcome::Unknown(_)), "{asked:?}");
    }
    // Whoever is only told need not say anything but that it has come.
    for (answer, hang_up) in [(b"".as_slice(), true), (b"nonsense\r\n".as_slice(), false)] {
        let port = answering(answer, hang_up).await;
        let told = call(&bench, port, "publish", message(json!({"stored": false})), false).await;
        assert!(matches!(told, Outcome::Unknown(_)), "{told:?}");
    }
    // It announces more than is taken in.
    let huge = [b"MSG x 1 90000000\r\n".as_slice(), "x".repeat(6 * 1024 * 1024).as_bytes()].concat();
    let port = answering(huge.leak(), false).await;
    let outcome = call(&bench, port, "request", message(json!({})), false).await;
    assert!(
        matches!(&outcome, Outcome::Unknown(error) if error.to_string().contains("more than 5 MiB")),
        "{outcome:?}"
    );

    let port = answering(b"", false).await;
    bench.connect("it", "nats", plain(port)).await;
    let context = bench.context("k");
    context.cancelled.cancel();
    let outcome = bench.call_in("messaging", with("request", message(json!({}))), &context).await;
    assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
    let (_, words) =
        permanent(call(&bench, port, "publish", message(json!({"content": "x".repeat(2000)})), false).await);
    assert!(words.contains("at most 1000"), "{words}");
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_before_it_is() {
    let bench = Bench::new().await;
    bench.connect("it", "nats", plain(9)).await;
    let publish = |subject: &str, more: Value| {
        let mut message = json!({"subject": subject, "content": "x"});
        message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        with("publish", message)
    };
    for (with, words) in [
        (publish("$JS.API.STREAM.DELETE.ORDERS", json!({})), "subject"),
        (publish("_INBOX.x", json!({})), "subject"),
        (publish("a.*", json!({})), "subject"),
        (publish("a b", json!({})), "subject"),
        (publish("a..b", json!({})), "subject"),
        (publish("a", json!({"headers": {"Nats-Msg-Id": "x"}})), "headers"),
        (publish("a", json!({"headers": {"A": "b\r\nC: d"}})), "headers"),
        (publish("a", json!({"encoding": "base64", "content": "%"})), "base64"),
        (publish("a", json!({"encoding": "text", "content": {}})), "is a text"),
        (publish("a", json!({"receipts": ["$JS.ACK.x"]})), "receipts"),
        (with("acknowledge", json!({"receipts": ["orders.new"]})), "receipts"),
        (with("receive", json!({"stream": "S", "consumer": "c", "for": "PT1H"})), "five minutes"),
        (with("receive", json!({"stream": "S.*", "consumer": "c"})), "stream"),
    ] {
        let (_, said) = permanent(bench.call("messaging", "k", with).await);
        assert!(said.contains(words), "{said}");
    }
    for (with, repetition) in [
        (publish("a", json!({})), Repetition::Safe),
        (publish("a", json!({"stored": false})), Repetition::Once),
        (with("request", json!({"subject": "a", "content": 1})), Repetition::Once),
        (with("receive", json!({"stream": "S", "consumer": "c"})), Repetition::Safe),
        (with("acknowledge", json!({"receipts": ["$JS.ACK.x"]})), Repetition::Safe),
    ] {
        let request = bench.prepare("messaging", with).await.unwrap();
        assert_eq!(bench.registry.repetition(&request), repetition);
    }
}
