//! What other systems call: proven, launched once whatever dies when, and told by a real Prometheus and Alertmanager.

use std::{collections::BTreeSet, process::Command, time::Duration};

use reqwest::{Method, RequestBuilder, Response};
use ring::hmac;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    monitoring::{self, Monitoring},
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
