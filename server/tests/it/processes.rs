//! Shell commands of durable runs, with the binary's own runner processes.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{TestServer, rondo};

/// Says who guards it, its own number, and that of somebody who has left its group; and waits if it is told to.
const FAMILY: &str = "
document: {dsl: 1.0.3, namespace: tests, name: family, version: 1.0.0, title: Family}
input: {schema: {document: {type: object, properties: {wait: {type: integer, default: 0}}}}}
do:
  - family:
      run:
        shell:
          command: 'echo $PPID; echo $$; setsid sleep 1000 & echo $!; env | grep -c -e RONDO -e DATABASE_URL; sleep $1'
          arguments: ['${ .wait }']
";

/// A server with that workflow beside those that ship, and everybody may launch it.
fn server() -> TestServer {
    let data = tempfile::tempdir().unwrap();
    let own = data.path().join("own");
    std::fs::create_dir(&own).unwrap();
    std::fs::write(own.join("family.yaml"), FAMILY).unwrap();
    let mut command = rondo();
    command.args(["serve", "--demo", "--listen", "127.0.0.1:0", "--data"]).arg(data.path());
    command.env("RONDO_WORKFLOWS", own).env("RONDO_RUNNER_TIME", "PT1M");
    TestServer::spawn(command, data)
}

async fn launch(server: &TestServer, wait: u32) -> reqwest::Response {
    let launch = server.rest(Method::POST, "/workflows/tests/family/runs", &server.token("staff"));
    launch.json(&json!({"input": {"wait": wait}})).send().await.unwrap()
}

async fn permit(server: &TestServer) {
    let path = "/process-permissions/tests";
    let permitted = server.rest(Method::PUT, path, &server.token("admin")).send().await.unwrap();
    assert_eq!(permitted.status(), 200);
}

/// Looks at a path until it shows what is wanted.
async fn seen(server: &TestServer, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let token = server.token("operator");
    let mut pause = tokio::time::interval(Duration::from_millis(50));
    let looking = async {
        loop {
            pause.tick().await;
            let seen = server.get(path, &token).await;
            if wanted(&seen) {
                return seen;
            }
        }
    };
    if let Ok(seen) = tokio::time::timeout(Duration::from_secs(30), looking).await {
        return seen;
    }
    panic!("{path} stays {}\n{}", server.get(path, &token).await, server.log())
}

/// A family under way: its run, and the numbers it said.
async fn family(server: &TestServer) -> (String, Vec<String>) {
    let launched = launch(server, 1000).await;
    assert_eq!(launched.status(), 201);
    let run = launched.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned();
    let lines = seen(server, &format!("/runs/{run}/logs"), |page| page["items"].as_array().unwrap().len() == 4).await;
    let texts = lines["items"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap().to_owned());
    let pids: Vec<String> = texts.take(3).collect();
    assert!(pids.iter().all(|pid| is_alive(pid)), "{pids:?}");
    (run, pids)
}

fn is_alive(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

async fn ended(pids: &[String]) {
    let mut pause = tokio::time::interval(Duration::from_millis(20));
    let waiting = async {
        while pids.iter().any(|pid| is_alive(pid)) {
            pause.tick().await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(20), waiting).await.is_ok(), "{pids:?}");
}

#[tokio::test]
async fn a_process_runs_where_an_administrator_permits_it_and_nowhere_else() {
    let server = server();
    let refused = launch(&server, 0).await;
    assert_eq!(refused.status(), 403);
    assert_eq!(refused.json::<Value>().await.unwrap()["code"], "processes-not-permitted");
    let by_author =
        server.rest(Method::PUT, "/process-permissions/tests", &server.token("author")).send().await.unwrap();
    assert_eq!(by_author.status(), 403);
    permit(&server).await;
    let listed = server.get("/process-permissions", &server.token("admin")).await;
    assert_eq!(listed["items"][0]["namespace"], "tests");
    assert_eq!(listed["items"][0]["grantedBy"]["login"], "admin");

    let launched = launch(&server, 0).await;
    assert_eq!(launched.status(), 201);
    let run = launched.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned();
    let run = seen(&server, &format!("/runs/{run}"), |run| run["status"] == "completed").await;
    let output: Vec<&str> = run["output"].as_str().unwrap().lines().collect();
    assert_eq!(output[3], "0", "nothing of the server's settings is in its environment");
    ended(&[output[1].to_owned(), output[2].to_owned()]).await;

    let forbidden =
        server.rest(Method::DELETE, "/process-permissions/tests", &server.token("admin")).send().await.unwrap();
    assert_eq!(forbidden.status(), 204);
    assert_eq!(launch(&server, 0).await.status(), 403);
}

#[tokio::test]
async fn a_run_that_is_cancelled_leaves_no_process() {
    let server = server();
    permit(&server).await;
    let (run, pids) = family(&server).await;
    let path = format!("/runs/{run}/cancel");
    let cancelled = server.rest(Method::POST, &path, &server.token("operator")).json(&json!({})).send().await.unwrap();
    assert_eq!(cancelled.status(), 200);
    ended(&pids).await;
    seen(&server, &format!("/runs/{run}"), |run| run["status"] == "cancelled").await;
}

#[tokio::test]
async fn a_runner_that_is_killed_leaves_a_question_to_an_operator_and_the_server_at_work() {
    let server = server();
    permit(&server).await;
    let (run, pids) = family(&server).await;
    let kill = |pid: &str| std::process::Command::new("kill").args(["-KILL", pid]).status().unwrap();
    assert!(kill(&pids[0]).success());
    seen(&server, &format!("/runs/{run}"), |run| run["needsAttention"] == true).await;
    let tasks = seen(&server, &format!("/runs/{run}/tasks"), |_| true).await;
    assert_eq!(tasks["items"][0]["status"], "unknown", "{tasks}");
    ended(&pids[1..2]).await;
    // Nobody guards who had left the group before.
    kill(&pids[2]);
    let launched = launch(&server, 0).await.json::<Value>().await.unwrap();
    let path = format!("/runs/{}", launched["id"].as_str().unwrap());
    seen(&server, &path, |run| run["status"] == "completed").await;
}

#[tokio::test]
async fn a_server_that_is_killed_leaves_no_process_and_the_next_one_a_question() {
    let server = server();
    permit(&server).await;
    let (run, pids) = family(&server).await;
    let data = server.reap();
    ended(&pids).await;
    let server = TestServer::start(data, &[]);
    seen(&server, &format!("/runs/{run}"), |run| run["needsAttention"] == true).await;
}
