use std::time::Duration;

use futures::StreamExt as _;
use reqwest::{Method, Response};
use serde_json::json;

use crate::server::{TestServer, onboarding};

/// Nothing here takes so long but by a mistake.
const PATIENCE: Duration = Duration::from_secs(40);

/// Reads a stream until the text holds what is waited for, or ends.
async fn read_until(response: Response, wanted: &str) -> (String, bool) {
    let mut text = String::new();
    let mut pieces = response.bytes_stream();
    let reading = async {
        while let Some(Ok(piece)) = pieces.next().await {
            text.push_str(&String::from_utf8_lossy(&piece));
            if !wanted.is_empty() && text.contains(wanted) {
                return true;
            }
        }
        false
    };
    let found = tokio::time::timeout(PATIENCE, reading).await.unwrap_or(false);
    (text, found)
}

#[tokio::test]
async fn whoever_likes_to_wait_is_answered_when_the_run_has_ended() {
    let server = TestServer::demo();
    let (staff, manager) = (server.token("staff"), server.token("manager"));
    // It waits for an approval, so the answer comes after the time that the client would wait.
    let launch = server.rest(Method::POST, "/workflows/identity/onboard-employee/runs", &staff);
    let launch = launch.header("prefer", "wait=1").json(&json!({"input": onboarding("Ada")}));
    let launched = launch.send().await.unwrap();
    assert_eq!(
        (launched.status().as_u16(), &launched.headers()["preference-applied"]),
        (201, &"wait=1".parse().unwrap())
    );
    let launched: serde_json::Value = launched.json().await.unwrap();
    assert_ne!(launched["status"], "completed");
    let run = launched["id"].as_str().unwrap();
    let asking = server.rest(Method::GET, &format!("/runs/{run}"), &staff).header("prefer", "wait=40").send();
    let deciding = async {
        let approval = server.approval(run, &manager).await;
        let path = format!("/approvals/{}/decisions", approval["id"].as_str().unwrap());
        let decision = json!({"decision": "approve", "digest": approval["digest"]});
        let decided = server.rest(Method::POST, &path, &manager).json(&decision).send().await.unwrap();
        assert!(decided.status().is_success(), "{}", decided.text().await.unwrap());
    };
    let (answer, ()) = tokio::join!(asking, deciding);
    let ended: serde_json::Value = answer.unwrap().json().await.unwrap();
    assert_eq!(ended["status"], "completed");
    // Without, and when it has ended, nobody waits.
    let answer = server.rest(Method::GET, &format!("/runs/{run}"), &staff).send().await.unwrap();
    assert_eq!(answer.headers().get("preference-applied"), None);
}

#[tokio::test]
async fn a_run_is_followed_from_where_it_stands() {
    let server = TestServer::demo();
    let staff = server.token("staff");
    let manager = server.token("manager");
    let run = server.launch(&staff, "Ada").await;
    let approval = server.approval(&run, &manager).await;
    let stream = server.rest(Method::GET, &format!("/runs/{run}/stream"), &staff).send().await.unwrap();
    assert_eq!(stream.status(), 200);
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let following = tokio::spawn(read_until(stream, "\"status\":\"completed\""));
    let mine = server.rest(Method::GET, "/stream", &manager).send().await.unwrap();
    let changes = tokio::spawn(read_until(mine, "event: changed"));

    let path = format!("/approvals/{}/decisions", approval["id"].as_str().unwrap());
    let body = json!({"decision": "approve", "comment": "", "digest": approval["digest"]});
    assert_eq!(server.rest(Method::POST, &path, &manager).json(&body).send().await.unwrap().status(), 201);
    let (text, completed) = following.await.unwrap();
    assert!(completed, "{text}\n{}", server.log());
    assert!(text.starts_with("event: run\ndata: {\"version\":"), "{text}");
    let (text, changed) = changes.await.unwrap();
    assert!(changed, "{text}");

    let auditor = server.token("auditor");
    let hidden = server.rest(Method::GET, &format!("/runs/{run}/stream"), &auditor).send().await.unwrap();
    assert_eq!(hidden.status(), 404);
}

#[tokio::test]
async fn a_runner_that_comes_is_told_of() {
    let server = TestServer::demo();
    let admin = server.token("admin");
    let new = json!({"name": "dmz-1", "namespaces": ["*"]});
    let enrolled = server.rest(Method::POST, "/runners", &admin).json(&new).send().await.unwrap();
    let token = enrolled.json::<serde_json::Value>().await.unwrap()["token"].as_str().unwrap().to_owned();
    let stream = server.rest(Method::GET, "/stream", &admin).send().await.unwrap();
    let changes = tokio::spawn(read_until(stream, "\"runners\""));
    let hello = json!({"protocol": 1, "instance": "one", "version": "0.0.0", "capacity": 4});
    let session = server.rest(Method::POST, "/runner/session", &token).json(&hello).send().await.unwrap();
    assert_eq!(session.status(), 200);
    let (text, changed) = changes.await.unwrap();
    assert!(changed, "{text}\n{}", server.log());
}

#[tokio::test]
async fn a_stream_ends_with_its_session() {
    let server = TestServer::demo();
    let cookie = server.sign_in("staff", "rondo-demo-staff").await.unwrap();
    let stream = server.client.get(server.at("/api/v1/stream")).header("cookie", &cookie).send().await.unwrap();
    assert_eq!(stream.status(), 200);
    let staff = server.token("staff");
    assert_eq!(server.rest(Method::DELETE, "/me/sessions", &staff).send().await.unwrap().status(), 200);
    // Something happens, so that the stream looks at its right at once.
    server.launch(&staff, "Ada").await;
    let (text, _) = read_until(stream, "").await;
    assert!(!text.contains("event: changed"), "{text}");
}

#[tokio::test]
async fn streams_end_when_the_server_stops() {
    let server = TestServer::demo();
    let staff = server.token("staff");
    let stream = server.rest(Method::GET, "/stream", &staff).send().await.unwrap();
    let reading = tokio::spawn(read_until(stream, ""));
    let (_, status) = tokio::task::spawn_blocking(move || server.stop()).await.unwrap();
    assert!(status.success(), "{status}");
    reading.await.unwrap();
}
