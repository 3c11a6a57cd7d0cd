//! `call: dns`: against Knot DNS, and against servers that fail.

use std::time::Duration;

use connectors::{Outcome, Probe, Repetition};
use domain::{Clock as _, view::PlannedEffect};
use serde_json::{Value, json};
use testkit::WallClock;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use workflow::StandardError;

use crate::support::{Bench, PATIENCE, closed_port, done, failed_step, permanent, planned, service};

/// The secret of a key that no server has.
const WRONG: &str = "Y2FuYXJ5LXMzY3JldC1jYW5hcnktczNjcmV0LTEyMzQ=";

/// The DNS server of the lab, with a connection `it` to it.
pub(crate) struct Knot {
    pub(crate) bench: Bench,
    pub(crate) port: u16,
    zone: String,
    settings: Value,
}

impl Knot {
    /// None without the services of the lab.
    pub(crate) async fn find() -> Option<Self> {
        let names = ["TEST_DNS_PORT", "TEST_DNS_ZONE", "TEST_DNS_KEY_NAME", "TEST_DNS_KEY_SECRET"];
        let [port, zone, key, secret] = service(&names)?.try_into().ok()?;
        let port = port.parse().ok()?;
        let settings =
            json!({"server": "127.0.0.1", "port": port, "zones": [zone], "keyName": key, "keySecret": secret});
        let bench = Bench::new().await;
        bench.connect("it", "dns", settings.clone()).await;
        Some(Self { bench, port, zone, settings })
    }

    /// A name in the zone that no other test has.
    pub(crate) fn name(&self, label: &str) -> String {
        let folder = self.bench.folder.path().file_name().unwrap().to_string_lossy().to_lowercase();
        format!("{label}-{}.{}", folder.replace(|c: char| !c.is_ascii_alphanumeric(), ""), self.zone)
    }

    async fn call(&self, operation: &str, name: &str, kind: &str, more: Value) -> Outcome {
        self.bench.call("dns", "key", with(operation, name, kind, more)).await
    }

    /// The values that a name has.
    async fn values(&self, name: &str, kind: &str) -> Vec<String> {
        let found = done(self.call("lookup", name, kind, json!({})).await);
        let mut values: Vec<String> =
            found["records"].as_array().unwrap().iter().map(|r| r["value"].as_str().unwrap().to_owned()).collect();
        assert_eq!(found["found"], !values.is_empty());
        values.sort();
        values
    }
}

fn with(operation: &str, name: &str, kind: &str, more: Value) -> Value {
    let mut with = json!({"connection": "it", "operation": operation, "name": name, "type": kind});
    with.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    with
}

#[tokio::test]
async fn records_are_added_found_replaced_and_removed() {
    let Some(knot) = Knot::find().await else { return };
    let name = knot.name("web");
    for _ in 0..2 {
        let added = done(knot.call("addRecord", &name, "A", json!({"value": "192.0.2.1", "ttl": 60})).await);
        assert_eq!((&added["type"], &added["zone"]), (&json!("A"), &json!(format!("{}.", knot.zone))));
    }
    done(knot.call("addRecord", &name, "A", json!({"value": "192.0.2.2", "ttl": 60})).await);
    assert_eq!(knot.values(&name, "A").await, ["192.0.2.1", "192.0.2.2"]);
    let found = done(knot.call("lookup", &name, "A", json!({})).await);
    assert_eq!(found["records"][0]["ttl"], 60);
    done(knot.call("removeRecord", &name, "A", json!({"value": "192.0.2.1"})).await);
    assert_eq!(knot.values(&name, "A").await, ["192.0.2.2"]);
    done(knot.call("replaceRecords", &name, "A", json!({"values": ["192.0.2.7", "192.0.2.8"]})).await);
    assert_eq!(knot.values(&name, "A").await, ["192.0.2.7", "192.0.2.8"]);
    let text = format!("v=spf1 \"quoted\" ; {}", "x".repeat(300));
    done(knot.call("addRecord", &name, "TXT", json!({"value": text})).await);
    assert_eq!(knot.values(&name, "TXT").await, [text]);
    done(knot.call("addRecord", &name, "MX", json!({"value": "10 mail.example.com"})).await);
    assert_eq!(knot.values(&name, "MX").await, ["10 mail.example.com."]);
    for _ in 0..2 {
        done(knot.call("removeRecord", &name, "A", json!({})).await);
    }
    assert_eq!(knot.values(&name, "A").await, [""; 0]);
    assert_eq!(knot.values(&knot.name("nobody"), "A").await, [""; 0]);
}

#[tokio::test]
async fn records_are_replaced_only_while_they_are_what_was_seen() {
    let Some(knot) = Knot::find().await else { return };
    let name = knot.name("guarded");
    let replace = |values: Value, before: Value| {
        with("replaceRecords", &name, "A", json!({"values": values, "ifEquals": before}))
    };
    let first = replace(json!(["192.0.2.1"]), json!([]));
    assert_eq!(knot.bench.probe("dns", "key", first.clone()).await, Probe::DidNotHappen);
    done(knot.bench.call("dns", "key", first.clone()).await);
    assert!(matches!(knot.bench.probe("dns", "key", first.clone()).await, Probe::Happened(_)));
    let (status, words) = permanent(knot.bench.call("dns", "other", first.clone()).await);
    assert_eq!(status, 409);
    assert!(words.contains("look them up again"), "{words}");
    let second = replace(json!(["192.0.2.2", "192.0.2.3"]), json!(["192.0.2.1"]));
    done(knot.bench.call("dns", "key", second.clone()).await);
    assert_eq!(knot.values(&name, "A").await, ["192.0.2.2", "192.0.2.3"]);
    assert_eq!(knot.bench.probe("dns", "key", first).await, Probe::CannotTell);
    assert!(matches!(knot.bench.probe("dns", "key", second).await, Probe::Happened(_)));
}

#[tokio::test]
async fn a_wrong_key_is_told_from_a_missing_right() {
    let Some(knot) = Knot::find().await else { return };
    let check = knot.bench.check("dns", knot.settings.clone()).await;
    assert!(check.ok, "{check:?}");
    let steps: Vec<_> = check.steps.iter().map(|step| step.step.as_str()).collect();
    assert_eq!(steps, ["settings", "name", "connect", "sign-in", "right"]);
    for (name, value) in [("keySecret", WRONG), ("keyName", "another.key")] {
        let mut wrong = knot.settings.clone();
        wrong[name] = json!(value);
        let (step, words) = failed_step(&knot.bench.check("dns", wrong.clone()).await);
        assert_eq!(step, "sign-in", "{words}");
        let bench = Bench::new().await;
        bench.connect("it", "dns", wrong).await;
        let add = with("addRecord", &knot.name("wrong"), "A", json!({"value": "192.0.2.1"}));
        let Outcome::Permanent(error) = bench.call("dns", "k", add).await else { panic!("{name}") };
        let words = error.to_string();
        assert!(error.is(StandardError::Authentication) && words.contains("as in its configuration"), "{words}");
        assert!(!words.contains(WRONG), "{words}");
    }
    // Zones of the lab that the key may not change, and that the server does not have.
    for (zone, failing, remedy) in
        [("closed.test", "sign-in", "permit the key to change"), ("nowhere.test", "right", "compare zone")]
    {
        let mut other = knot.settings.clone();
        other["zones"] = json!([zone]);
        let (step, words) = failed_step(&knot.bench.check("dns", other.clone()).await);
        assert_eq!(step, failing, "{words}");
        assert!(words.contains(remedy), "{words}");
        let bench = Bench::new().await;
        bench.connect("it", "dns", other).await;
        let add = with("addRecord", &format!("a.{zone}"), "A", json!({"value": "192.0.2.1"}));
        assert!(permanent(bench.call("dns", "k", add).await).1.contains(remedy));
    }
}

/// A server that reads a message and then sends this, or nothing more.
pub(crate) async fn answering(answer: Option<&'static [u8]>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                if stream.read(&mut request).await.unwrap_or(0) == 0 {
                    return;
                }
                match answer {
                    Some(answer) => stream.write_all(answer).await.unwrap_or_default(),
                    None => std::future::pending().await,
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn faults_are_told_apart() {
    let settings = |port: u16| json!({"server": "127.0.0.1", "port": port, "zones": ["zone.test"], "keyName": "key", "keySecret": WRONG});
    let call = async |port: u16, operation: &str, more: Value, late: bool| {
        let bench = Bench::new().await;
        bench.connect("it", "dns", settings(port)).await;
        let mut context = bench.context("k");
        if late {
            context.deadline = Some(WallClock.now() + Duration::from_millis(300));
        }
        let call = bench.call_in("dns", with(operation, "a.zone.test", "A", more), &context);
        tokio::time::timeout(PATIENCE, call).await.unwrap()
    };
    let change = |more: Value| {
        let mut change = json!({"values": ["192.0.2.1"]});
        change.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        change
    };
    let closed = closed_port().await;
    let Outcome::Retryable(error) = call(closed, "replaceRecords", change(json!({})), false).await else { panic!() };
    assert!(error.to_string().contains("answers by TCP"), "{error}");
    for (answer, read) in
        [(Some(b"".as_slice()), "lost"), (Some(b"\0\x05short".as_slice()), "permanent"), (None, "lost")]
    {
        let port = answering(answer).await;
        let late = answer.is_none();
        let looked_up = call(port, "lookup", json!({}), late).await;
        assert_eq!(matches!(looked_up, Outcome::Lost(_)), read == "lost", "{looked_up:?}");
        assert_eq!(matches!(looked_up, Outcome::Permanent(_)), read == "permanent", "{looked_up:?}");
        let safe = call(port, "replaceRecords", change(json!({})), late).await;
        assert!(matches!(safe, Outcome::Lost(_)), "{safe:?}");
        let guarded = call(port, "replaceRecords", change(json!({"ifEquals": []})), late).await;
        assert!(matches!(guarded, Outcome::Unknown(_)), "{guarded:?}");
    }
    let bench = Bench::new().await;
    bench.connect("it", "dns", settings(answering(None).await)).await;
    let context = bench.context("k");
    context.cancelled.cancel();
    let outcome = bench.call_in("dns", with("lookup", "a.zone.test", "A", json!({})), &context).await;
    assert!(matches!(outcome, Outcome::Lost(_)), "{outcome:?}");
    assert_eq!(failed_step(&bench.check("dns", settings(closed)).await).0, "connect");
    let mut unknown = settings(53);
    unknown["server"] = json!("host.invalid");
    assert_eq!(failed_step(&bench.check("dns", unknown).await).0, "name");
}

#[tokio::test]
async fn an_answer_that_nobody_has_signed_says_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut message = vec![0; usize::from(stream.read_u16().await.unwrap())];
            stream.read_exact(&mut message).await.unwrap();
            // To this message: an update was made, without any record.
            let answer = [&[0_u8, 12][..], &message[..2], &[0xa8, 0, 0, 0, 0, 0, 0, 0, 0, 0][..]].concat();
            stream.write_all(&answer).await.unwrap();
        }
    });
    let bench = Bench::new().await;
    let settings =
        json!({"server": "127.0.0.1", "port": port, "zones": ["zone.test"], "keyName": "key", "keySecret": WRONG});
    bench.connect("it", "dns", settings).await;
    let replace = |more: Value| with("replaceRecords", "a.zone.test", "A", more);
    let guarded = replace(json!({"values": ["192.0.2.1"], "ifEquals": []}));
    let Outcome::Unknown(error) = bench.call("dns", "k", guarded).await else { panic!("it was believed") };
    assert!(error.to_string().contains("is not signed with the key"), "{error}");
    let safe = bench.call("dns", "k", replace(json!({"values": ["192.0.2.1"]}))).await;
    assert!(matches!(safe, Outcome::Lost(_)), "{safe:?}");
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_before_it_is() {
    let bench = Bench::new().await;
    let settings = json!({"server": "127.0.0.1", "zones": ["zone.test"], "keyName": "key", "keySecret": WRONG});
    bench.connect("it", "dns", settings.clone()).await;
    for (with, words) in [
        (with("addRecord", "a.other.test", "A", json!({"value": "192.0.2.1"})), "none of the connection's zones"),
        (with("addRecord", "a.zone.test", "A", json!({"value": "host"})), "as in a zone file"),
        (with("addRecord", "a..zone.test", "A", json!({"value": "192.0.2.1"})), "not a name"),
        (with("addRecord", "a.zone.test", "A", json!({})), "value"),
        (with("lookup", "a.zone.test", "A", json!({"ttl": 1})), "ttl"),
    ] {
        let (_, said) = permanent(bench.call("dns", "k", with).await);
        assert!(said.contains(words), "{said}");
    }
    let mut wrong = settings;
    wrong["keySecret"] = json!("no base64");
    let (step, words) = failed_step(&bench.check("dns", wrong).await);
    assert_eq!(step, "settings");
    assert!(words.contains("base64") && !words.contains("no base64"), "{words}");
    let request = bench.prepare("dns", with("removeRecord", "a.zone.test", "A", json!({}))).await.unwrap();
    assert_eq!(bench.registry.repetition(&request), Repetition::Safe);
}

#[tokio::test]
async fn a_plan_says_what_would_change_and_changes_nothing() {
    let Some(knot) = Knot::find().await else { return };
    let name = knot.name("planned");
    let plan =
        async |operation: &str, more: Value| planned(knot.bench.plan("dns", with(operation, &name, "A", more)).await);
    let one = json!({"value": "192.0.2.1", "ttl": 60});
    let (effect, words, fields) = plan("addRecord", one.clone()).await;
    assert!(effect == PlannedEffect::Changes && words.starts_with("adds a record"), "{words}");
    assert_eq!(fields, [format!("{name}. A: - → 192.0.2.1 (60 s)")]);
    assert_eq!(knot.values(&name, "A").await, [""; 0], "nothing was added");
    done(knot.call("addRecord", &name, "A", one.clone()).await);
    assert_eq!(plan("addRecord", one).await.0, PlannedEffect::Nothing);
    let (_, _, fields) = plan("replaceRecords", json!({"values": ["192.0.2.8", "192.0.2.7"], "ttl": 90})).await;
    assert_eq!(fields, [format!("{name}. A: 192.0.2.1 (60 s) → 192.0.2.7 (90 s); 192.0.2.8 (90 s)")]);
    assert_eq!(plan("replaceRecords", json!({"values": ["192.0.2.1"], "ttl": 60})).await.0, PlannedEffect::Nothing);
    let guarded = json!({"values": ["192.0.2.9"], "ifEquals": ["192.0.2.2"]});
    let (effect, words, _) = plan("replaceRecords", guarded).await;
    assert!(effect == PlannedEffect::Fails && words.contains("ifEquals"), "{words}");
    assert_eq!(plan("removeRecord", json!({"value": "192.0.2.2"})).await.0, PlannedEffect::Nothing);
    assert_eq!(plan("removeRecord", json!({})).await.1, format!("removes 1 records {name}. A"));
    assert_eq!(knot.values(&name, "A").await, ["192.0.2.1"]);
    assert_eq!(knot.bench.plan("dns", with("lookup", &name, "A", json!({}))).await, None);
}

#[tokio::test]
async fn a_server_that_says_nothing_could_not_be_asked() {
    let bench = Bench::new().await;
    let settings = |port: u16| json!({"server": "127.0.0.1", "port": port, "zones": ["example.test"], "keyName": "k", "keySecret": WRONG});
    let add = with("addRecord", "a.example.test", "A", json!({"value": "192.0.2.1"}));
    bench.connect("it", "dns", settings(closed_port().await)).await;
    let (effect, words, _) = planned(bench.plan("dns", add.clone()).await);
    assert!(effect == PlannedEffect::Unasked && words.starts_with("could not be asked because"), "{words}");
    // It takes the question, and is silent.
    bench.connect("it", "dns", settings(answering(None).await)).await;
    let began = std::time::Instant::now();
    let (effect, words, _) = planned(bench.plan("dns", add).await);
    assert!(effect == PlannedEffect::Unasked && words.starts_with("could not be asked because"), "{words}");
    assert!(began.elapsed() < connectors::PLAN_LIMIT + PATIENCE);
}
