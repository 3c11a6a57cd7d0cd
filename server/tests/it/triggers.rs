//! What other systems call: proven, launched once whatever dies when, and told by a real Prometheus and Alertmanager.

use std::{
    collections::BTreeSet,
    io::Write as _,
    process::{Command, Stdio},
    time::Duration,
};

use reqwest::{Method, RequestBuilder, Response};
use ring::hmac;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    monitoring::{self, Monitoring, setting},
    server::{TestServer, rondo},
};

/// From GitHub's description of its webhooks.
const SECRET: &str = "It's a Secret to Everybody";

const NOTE: &str = "
document: {dsl: 1.0.3, namespace: incident, name: note, version: 1.0.0, title: Note}
input: {schema: {document: {type: object, required: [number], properties: {number: {type: integer}}}}}
do: [{note: {set: {noted: '${ .number }'}}}]
";

/// Waits for the end of its alert.
const HEAL: &str = "
document: {dsl: 1.0.3, namespace: incident, name: heal, version: 1.0.0, title: Heal}
input: {schema: {document: {type: object, required: [host], properties: {host: {type: string}}}}}
do:
  - resolved:
      listen:
        to:
          one:
            with: {type: dev.rondo.alert.resolved}
            correlate: {alert: {from: '${ .subject }', expect: '${ $runtime.metadata.trigger.fingerprint }'}}
";

fn command(data: &TempDir) -> Command {
    let own = data.path().join("own");
    std::fs::create_dir_all(&own).unwrap();
    std::fs::write(own.join("note.yaml"), NOTE).unwrap();
    std::fs::write(own.join("heal.yaml"), HEAL).unwrap();
    let mut command = rondo();
    command.args(["serve", "--demo", "--listen", "127.0.0.1:0", "--data"]).arg(data.path());
    command.env("RONDO_WORKFLOWS", own).env("RONDO_ENGINE_LEASE", "PT1S");
    command
}

fn server() -> TestServer {
    let data = tempfile::tempdir().unwrap();
    TestServer::spawn(command(&data), data)
}

/// Creates a trigger; its id and the path of its address.
async fn trigger(server: &TestServer, admin: &str, settings: &Value) -> (String, String) {
    let response = server.rest(Method::POST, "/triggers", admin).json(settings).send().await.unwrap();
    let (status, body) = (response.status(), response.text().await.unwrap());
    assert_eq!(status, 201, "{body}");
    let saved: Value = serde_json::from_str(&body).unwrap();
    let address = saved["trigger"]["address"].as_str().unwrap();
    let place = address.rsplit('/').next().unwrap();
    (saved["trigger"]["id"].as_str().unwrap().to_owned(), format!("/hooks/{place}"))
}

async fn github(server: &TestServer, admin: &str) -> (String, String) {
    let settings = json!({
        "namespace": "incident", "name": "pushes", "kind": "github", "workflow": "note", "mapping": ".payload",
        "secret": SECRET,
    });
    trigger(server, admin, &settings).await
}

/// A call as GitHub makes it.
fn push(server: &TestServer, path: &str, delivery: &str, body: &str) -> RequestBuilder {
    let signature = hex::encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), body.as_bytes()));
    let request = server.client.post(server.at(path)).timeout(Duration::from_secs(10));
    request
        .header("x-github-event", "push")
        .header("x-github-delivery", delivery)
        .header("x-hub-signature-256", format!("sha256={signature}"))
        .body(body.to_owned())
}

/// Status and problem of a refusal, without what tells it from others of its kind.
async fn refusal(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let mut problem: Value = response.json().await.unwrap();
    problem.as_object_mut().unwrap().remove("traceId").unwrap();
    (status, problem)
}

#[tokio::test]
async fn whoever_knows_the_secret_launches_and_nobody_else_learns_anything() {
    let server = server();
    let admin = server.token("admin");
    let (id, path) = github(&server, &admin).await;
    // No page of ours sends this, and no session is looked at.
    let call = push(&server, &path, "d-1", r#"{"number": 1}"#);
    let answer =
        call.header("origin", "https://elsewhere.test").header("sec-fetch-site", "cross-site").send().await.unwrap();
    assert_eq!(answer.status(), 202);
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["deliveries"][0]["outcome"], "launched", "{answer}");
    assert!(answer["deliveries"][0]["run"].is_i64());

    let unknown = push(&server, "/hooks/0000", "d-2", r#"{"number": 1}"#).send().await.unwrap();
    let forged = push(&server, &path, "d-2", r#"{"number": 1}"#).body(r#"{"number": 2}"#).send().await.unwrap();
    let unsigned = server.client.post(server.at(&path)).bearer_auth(&admin).body("{}").send().await.unwrap();
    let expected = refusal(unknown).await;
    assert_eq!(expected.0, 404);
    assert_eq!(refusal(forged).await, expected);
    assert_eq!(refusal(unsigned).await, expected);
    assert_eq!(server.client.get(server.at(&path)).send().await.unwrap().status(), 404);

    // The example of GitHub's own: proven, but no JSON.
    let example = push(&server, &path, "d-3", "Hello, World!").send().await.unwrap();
    assert_eq!(example.status(), 422);
    let example: Value = example.json().await.unwrap();
    assert_eq!(example["deliveries"][0]["outcome"], "invalid", "{example}");
    let large = push(&server, &path, "d-4", &format!("\"{}\"", "x".repeat(1024 * 1024))).send().await.unwrap();
    assert_eq!(refusal(large).await.0, 413);

    let page = server.get(&format!("/triggers/{id}/deliveries"), &admin).await;
    let outcomes: Vec<_> =
        page["items"].as_array().unwrap().iter().map(|one| one["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["invalid", "launched"]);
    let first = server.get(&format!("/triggers/{id}/deliveries/1"), &admin).await;
    assert_eq!(first["content"]["payload"], json!({"number": 1}));
    let replay = server.rest(Method::POST, &format!("/triggers/{id}/deliveries/1/replay"), &admin);
    let replay = replay.send().await.unwrap();
    assert_eq!(replay.status(), 201);
    assert_eq!(replay.headers()["location"], format!("/api/v1/triggers/{id}/deliveries/3"));
}

/// The numbers that runs of `note` were launched with.
async fn noted(server: &TestServer, operator: &str) -> Vec<i64> {
    let page = server.get("/runs?workflow=incident/note&limit=200", operator).await;
    let mut numbers = Vec::new();
    for run in page["items"].as_array().unwrap() {
        let run = server.get(&format!("/runs/{}", run["id"].as_str().unwrap()), operator).await;
        numbers.push(run["input"]["number"].as_i64().unwrap());
    }
    numbers.sort_unstable();
    numbers
}

#[tokio::test]
async fn what_is_sent_until_it_is_answered_launches_one_run_whenever_the_server_is_killed() {
    let data = tempfile::tempdir().unwrap();
    let first = TestServer::spawn(command(&data), data);
    let (admin, operator) = (first.token("admin"), first.token("operator"));
    let (_, path) = github(&first, &admin).await;
    let (data, _) = first.stop();

    // Dies between taking the delivery in and the first step of its run: the answer is lost, or it is not.
    let mut doomed = command(&data);
    doomed.env("RONDO_KILL_AT", "before-commit:1");
    let doomed = TestServer::spawn(doomed, data);
    let body = |number: usize| json!({"number": number}).to_string();
    let _ = push(&doomed, &path, "d-0", &body(0)).send().await;
    let data = doomed.reap();

    // Dies while many are under way.
    let doomed = TestServer::spawn(command(&data), data);
    let calls: Vec<_> = (0..40)
        .map(|number| tokio::spawn(push(&doomed, &path, &format!("d-{number}"), &body(number)).send()))
        .collect();
    let mut answered = 0;
    for call in calls {
        if call.await.unwrap().is_ok_and(|answer| answer.status() == 202) {
            answered += 1;
        }
        if answered == 10 {
            doomed.signal("KILL");
        }
    }
    let data = doomed.reap();

    let server = TestServer::spawn(command(&data), data);
    for number in 0..40 {
        let answer = push(&server, &path, &format!("d-{number}"), &body(number)).send().await.unwrap();
        assert_eq!(answer.status(), 202, "{number}");
    }
    assert_eq!(noted(&server, &operator).await, (0..40).collect::<Vec<_>>());
    for _ in 0..400 {
        let page = server.get("/runs?workflow=incident/note&limit=200", &operator).await;
        let open = page["items"].as_array().unwrap().iter().filter(|run| run["status"] != "completed").count();
        if open == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("some runs did not end\n{}", server.log());
}

/// Asks until what is there pleases.
async fn until(server: &TestServer, path: &str, token: &str, pleases: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..600 {
        let seen = server.get(path, token).await;
        if pleases(&seen) {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{path} is not as expected: {:#}\n{}", server.get(path, token).await, server.log());
}

#[tokio::test]
async fn prometheus_and_alertmanager_launch_one_run_for_what_is_down_and_end_it_when_it_is_back() {
    let Some(monitoring) = Monitoring::take().await else { return };
    let server = server();
    let (admin, operator) = (server.token("admin"), server.token("operator"));
    let settings =
        |name: &str, end: &str| monitoring::trigger(name, "NodeDown", "heal", "{host: .alert.labels.instance}", end);
    let metrics = || "answers 1\n".to_owned();
    let (id, path) = trigger(&server, &admin, &settings("monitoring", "continue")).await;
    monitoring.tell(&server.at(&path));
    // Nothing answers at the target: one run, however often Alertmanager says so.
    let place = format!("/triggers/{id}/deliveries");
    let page = until(&server, &place, &admin, |page| page["items"][0]["repeats"].as_i64() > Some(0)).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 1, "{page:#}");
    assert_eq!(page["items"][0]["outcome"], "launched");
    let fingerprint = page["items"][0]["fingerprint"].as_str().unwrap().to_owned();
    let run = page["items"][0]["run"].as_str().unwrap().to_owned();
    let waiting = until(&server, &format!("/runs/{run}"), &operator, |run| run["status"] == "waiting").await;
    assert_eq!(waiting["input"]["host"], monitoring.instance());

    // It is back.
    let target = monitoring.answer(metrics).await;
    let ended = until(&server, &format!("/runs/{run}"), &operator, |run| run["status"] == "completed").await;
    assert_eq!(ended["output"][0]["alert"]["fingerprint"], fingerprint);
    let page = server.get(&place, &admin).await;
    assert_eq!(page["items"][0]["outcome"], "continued", "{page:#}");

    // The same for a trigger that cancels; the target goes down again.
    let (closing, path) = trigger(&server, &admin, &settings("closing", "close")).await;
    monitoring.tell(&server.at(&path));
    target.abort();
    let place = format!("/triggers/{closing}/deliveries?outcome=launched");
    let page =
        until(&server, &place, &admin, |page| page["items"].as_array().is_some_and(|items| !items.is_empty())).await;
    let run = page["items"][0]["run"].as_str().unwrap().to_owned();
    assert_eq!(page["items"][0]["fingerprint"], fingerprint);
    monitoring.answer(metrics).await;
    until(&server, &format!("/runs/{run}"), &operator, |run| run["status"] == "cancelled").await;
    let runs = server.get("/runs?workflow=incident/heal", &operator).await;
    let distinct: BTreeSet<_> =
        runs["items"].as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap()).collect();
    assert_eq!(distinct.len(), 2);
}

/// What a request to the S3 service of the lab has to show: it believes anybody who shows something.
const SOMEBODY: &str =
    "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";

/// Puts an object, or makes the bucket where there is no key.
async fn put(server: &TestServer, place: &str, content: String) {
    let put = server.client.put(place).header("authorization", SOMEBODY).timeout(Duration::from_secs(10));
    assert_eq!(put.body(content).send().await.unwrap().status(), 200, "{place}");
}

#[tokio::test]
async fn each_file_that_is_dropped_launches_one_run_whenever_the_server_is_killed() {
    let Some(service) = setting("TEST_S3_URL") else { return };
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().file_name().unwrap().to_string_lossy().to_lowercase();
    let bucket = format!("drops-{}", folder.replace(|letter: char| !letter.is_ascii_alphanumeric(), ""));
    let first = TestServer::spawn(command(&data), data);
    let (admin, operator) = (first.token("admin"), first.token("operator"));
    put(&first, &format!("{service}/{bucket}"), String::new()).await;
    let owner = json!({"kind": "user", "id": first.get("/me", &admin).await["id"]});
    let connection = json!({
        "name": "storage", "kind": "s3", "namespaces": ["incident"], "owner": owner, "settings": {
            "endpoint": service, "region": "us-east-1", "accessKey": "AK", "secretKey": "secret of the storage",
        },
    });
    let made = first.rest(Method::POST, "/connections", &admin).json(&connection).send().await.unwrap();
    assert_eq!(made.status(), 201, "{}", made.text().await.unwrap());
    let drops = json!({
        "namespace": "incident", "name": "drops", "kind": "file-drop", "workflow": "note",
        "mapping": "{number: .payload.content | tonumber}",
        "watch": {
            "connection": "storage", "everySeconds": 10,
            "files": {"bucket": bucket, "prefix": "in/", "content": true, "end": "move", "movedTo": "done/"},
        },
    });
    let made = first.rest(Method::POST, "/triggers", &admin).json(&drops).send().await.unwrap();
    let (status, saved) = (made.status(), made.json::<Value>().await.unwrap());
    assert_eq!(status, 201, "{saved}");
    assert_eq!((&saved["secret"], &saved["trigger"]["address"]), (&Value::Null, &Value::Null));
    let page = format!("/triggers/{}", saved["trigger"]["id"].as_str().unwrap());
    until(&first, &page, &admin, |trigger| !trigger["looks"]["lookedAt"].is_null()).await;
    let file = |number: usize| format!("{service}/{bucket}/in/{number}.txt");
    for number in 0..30 {
        put(&first, &file(number), number.to_string()).await;
    }
    let (mut data, _) = first.stop();

    // Dies in the middle of the files, again and again.
    for least in [1, 6, 12] {
        let doomed = TestServer::spawn(command(&data), data);
        until(&doomed, &page, &admin, |trigger| trigger["deliveries"].as_i64() >= Some(least)).await;
        doomed.signal("KILL");
        data = doomed.reap();
    }

    let server = TestServer::spawn(command(&data), data);
    for number in 30..40 {
        put(&server, &file(number), number.to_string()).await;
    }
    until(&server, &page, &admin, |trigger| trigger["deliveries"].as_i64() >= Some(40)).await;
    let listed = async || {
        let list = server.client.get(format!("{service}/{bucket}?list-type=2")).header("authorization", SOMEBODY);
        list.send().await.unwrap().text().await.unwrap()
    };
    for _ in 0..600 {
        if !listed().await.contains("<Key>in/") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let list = listed().await;
    assert_eq!(list.matches("<Key>done/").count(), 40, "{list}");
    assert!(!list.contains("<Key>in/"), "{list}");
    assert_eq!(noted(&server, &operator).await, (0..40).collect::<Vec<_>>());
    let trigger = server.get(&page, &admin).await;
    assert_eq!((&trigger["deliveries"], &trigger["looks"]["trouble"]), (&json!(40), &Value::Null), "{trigger:#}");
    let metrics = server.client.get(server.at("/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("rondo_trigger_watches{state=\"working\"} 1"), "{metrics}");
}

#[tokio::test]
async fn each_mail_launches_one_run_whenever_the_server_is_killed() {
    let names = ["TEST_IMAPS_PORT", "TEST_IMAP_PASSWORD", "TEST_IMAP_CA", "TEST_IMAP_DELIVER"];
    let Some(settings) = names.into_iter().map(setting).collect::<Option<Vec<_>>>() else { return };
    let [port, password, ca, deliver] = settings.try_into().unwrap();
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().file_name().unwrap().to_string_lossy().to_lowercase();
    let user = format!("alarms{}", folder.replace(|letter: char| !letter.is_ascii_alphanumeric(), ""));
    let send = |from: &str, subject: &str| {
        let mut told = Command::new(&deliver).arg(&user).stdin(Stdio::piped()).spawn().unwrap();
        let mail = format!("From: {from}\nTo: portal@example.test\nSubject: {subject}\n\nPlease look at it.\n");
        told.stdin.take().unwrap().write_all(mail.as_bytes()).unwrap();
        assert!(told.wait().unwrap().success());
    };
    let first = TestServer::spawn(command(&data), data);
    let (admin, operator) = (first.token("admin"), first.token("operator"));
    let owner = json!({"kind": "user", "id": first.get("/me", &admin).await["id"]});
    let connection = json!({
        "name": "alarms", "kind": "imap", "namespaces": ["incident"], "owner": owner, "settings": {
            "host": "127.0.0.1", "port": port.parse::<u16>().unwrap(), "username": user, "password": password,
            "ca": std::fs::read_to_string(ca).unwrap(),
        },
    });
    let made = first.rest(Method::POST, "/connections", &admin).json(&connection).send().await.unwrap();
    let (status, made) = (made.status(), made.json::<Value>().await.unwrap());
    assert!(status == 201 && made["lastCheck"]["ok"] == true, "{made:#}");
    let alarms = json!({
        "namespace": "incident", "name": "alarms", "kind": "mailbox", "workflow": "note",
        "mapping": "{number: (.payload.subject | capture(\"alarm (?<number>[0-9]+)\").number | tonumber)}",
        "watch": {
            "connection": "alarms", "everySeconds": 10,
            "mails": {"senders": ["@plant.test"], "subject": "alarm", "end": "move", "movedTo": "Done"},
        },
    });
    let made = first.rest(Method::POST, "/triggers", &admin).json(&alarms).send().await.unwrap();
    let (status, saved) = (made.status(), made.json::<Value>().await.unwrap());
    assert_eq!(status, 201, "{saved}");
    let page = format!("/triggers/{}", saved["trigger"]["id"].as_str().unwrap());
    until(&first, &page, &admin, |trigger| !trigger["looks"]["lookedAt"].is_null()).await;
    send("mallory@elsewhere.test", "alarm 99");
    for number in 0..20 {
        send("Plant <alarm@plant.test>", &format!("alarm {number}"));
    }
    let (mut data, _) = first.stop();

    // Dies in the middle of the mails, again and again.
    for least in [1, 6, 12] {
        let doomed = TestServer::spawn(command(&data), data);
        until(&doomed, &page, &admin, |trigger| trigger["deliveries"].as_i64() >= Some(least)).await;
        doomed.signal("KILL");
        data = doomed.reap();
    }

    let server = TestServer::spawn(command(&data), data);
    for number in 20..25 {
        send("Plant <alarm@plant.test>", &format!("alarm {number}"));
    }
    until(&server, &page, &admin, |trigger| trigger["deliveries"].as_i64() >= Some(26)).await;
    let filtered = server.get(&format!("{page}/deliveries?outcome=filtered"), &admin).await;
    let [kept_out] = filtered["items"].as_array().unwrap().as_slice() else { panic!("{filtered:#}") };
    assert!(kept_out["detail"].as_str().unwrap().contains("mallory@elsewhere.test"), "{kept_out:#}");
    assert_eq!(kept_out["replayable"], false);
    assert_eq!(noted(&server, &operator).await, (0..25).collect::<Vec<_>>());
    let trigger = server.get(&page, &admin).await;
    assert_eq!((&trigger["deliveries"], &trigger["looks"]["trouble"]), (&json!(26), &Value::Null), "{trigger:#}");
}
