use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::server::{TestServer, rondo};

const DELIVERY: &str = "
document: {dsl: 1.0.3, namespace: identity, name: delivery, version: 1.0.0, title: Wait for a delivery}
do:
  - hear: {listen: {to: {all: [{with: {type: one}}, {with: {type: two}}, {with: {type: three}}, {with: {type: four}}]}}}
  - inner: {run: {workflow: {namespace: identity, name: count, version: latest}}}
";
const COUNT: &str = "
document: {dsl: 1.0.3, namespace: identity, name: count, version: 1.0.0, title: Count}
input: {schema: {document: {type: array}}}
do:
  - count: {set: {heard: '${ . }', count: '${ length }'}}
";

const STRUCTURED: &str = "application/cloudevents+json";

/// A server with these workflows beside those that ship.
fn server() -> TestServer {
    let data = tempfile::tempdir().unwrap();
    let own = data.path().join("own");
    std::fs::create_dir(&own).unwrap();
    std::fs::write(own.join("delivery.yaml"), DELIVERY).unwrap();
    std::fs::write(own.join("count.yaml"), COUNT).unwrap();
    let mut command = rondo();
    command.args(["serve", "--demo", "--listen", "127.0.0.1:0", "--data"]).arg(data.path());
    command.env("RONDO_WORKFLOWS", own);
    TestServer::spawn(command, data)
}

fn event(kind: &str, data: &Value) -> Value {
    json!({"specversion": "1.0", "id": kind, "source": "/shop", "type": kind, "data": data})
}

async fn send(server: &TestServer, token: &str, media_type: &str, body: &Value) -> Response {
    let request = server.rest(Method::POST, "/events", token).header("content-type", media_type);
    request.body(body.to_string()).send().await.unwrap()
}

async fn status(server: &TestServer, token: &str, run: &str, wanted: &str) -> Value {
    for _ in 0..400 {
        let run = server.get(&format!("/runs/{run}"), token).await;
        if run["status"] == wanted {
            return run;
        }
        assert!(!["faulted", "cancelled"].contains(&run["status"].as_str().unwrap()), "{run}\n{}", server.log());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the run did not become {wanted}\n{}", server.log());
}

#[tokio::test]
async fn events_reach_a_run_in_every_mode_of_the_binding_and_it_hands_them_to_another() {
    let server = server();
    let (staff, operator) = (server.token("staff"), server.token("operator"));
    let launch = server.rest(Method::POST, "/workflows/identity/delivery/runs", &staff);
    let launched = launch.json(&json!({"input": {}})).send().await.unwrap();
    assert_eq!(launched.status(), 201);
    let run = launched.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned();

    let structured = send(&server, &operator, STRUCTURED, &event("one", &json!(1))).await;
    assert_eq!(structured.status(), 202);
    assert_eq!(structured.json::<Value>().await.unwrap(), json!({"accepted": 1, "duplicates": 0}));
    let batch = json!([event("one", &json!("again")), event("two", &json!(2)), event("three", &json!(3))]);
    let batched = send(&server, &operator, "application/cloudevents-batch+json", &batch).await;
    assert_eq!(batched.status(), 202);
    assert_eq!(batched.json::<Value>().await.unwrap(), json!({"accepted": 2, "duplicates": 1}));
    status(&server, &staff, &run, "waiting").await;
    let mut binary = server.rest(Method::POST, "/events", &operator).header("content-type", "application/json");
    for (name, value) in [("specversion", "1.0"), ("id", "4"), ("source", "/shop"), ("type", "four")] {
        binary = binary.header(format!("ce-{name}"), value);
    }
    assert_eq!(binary.body("4").send().await.unwrap().status(), 202);
    let ended = status(&server, &staff, &run, "completed").await;
    assert_eq!(ended["output"], json!({"heard": [1, 2, 3, 4], "count": 4}));
}

#[tokio::test]
async fn what_is_no_event_or_comes_from_somebody_without_the_role_is_refused() {
    let server = crate::server::shared();
    let (staff, operator) = (server.token("staff"), server.token("operator"));
    let refused = |response: Response, status: u16, code: &'static str| async move {
        assert_eq!(response.status(), status);
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["code"], code);
        problem
    };
    refused(send(&server, &staff, STRUCTURED, &event("x", &json!(1))).await, 403, "forbidden").await;
    let plain = send(&server, &operator, "application/json", &event("x", &json!(1))).await;
    refused(plain, 415, "unsupported-media-type").await;
    let problem = send(&server, &operator, STRUCTURED, &json!({"id": "1", "type": "x"})).await;
    let problem = refused(problem, 422, "invalid-input").await;
    let pointers: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/specversion", "/source"]);
    let many = Value::from(vec![event("x", &json!(1)); 101]);
    refused(send(&server, &operator, "application/cloudevents-batch+json", &many).await, 413, "too-large").await;
}
