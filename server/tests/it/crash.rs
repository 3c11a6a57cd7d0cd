//! SIGKILL at every place of the journal of an onboarding: before a step is written, after it is written and before
//! anything is done about it, and after a call has had its effect and before its result is written. Started again, the
//! server ends the run as if nothing had happened, with one account.

use std::{process::Command, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::{TestServer, onboarding, rondo};

/// More entries than the journal of an onboarding has; the test says how many it really had.
const LONGEST: i64 = 40;

fn command(data: &TempDir, kill_at: Option<&str>) -> Command {
    let mut command = rondo();
    command.args(["serve", "--demo", "--listen", "127.0.0.1:0", "--data"]).arg(data.path());
    // A dead owner's runs are taken over after its lease.
    command.env("RONDO_ENGINE_LEASE", "PT1S");
    if let Some(place) = kill_at {
        command.env("RONDO_KILL_AT", place);
    }
    command
}

/// Servers that live and die at the same time; more only wait for each other.
const AT_ONCE: usize = 3;

/// What is asked of the server, if it still lives.
async fn ask(server: &TestServer, method: Method, path: &str, token: &str, body: Option<&Value>) -> Option<Value> {
    let request = server.rest(method, path, token).timeout(Duration::from_secs(10));
    let request = match body {
        Some(body) => request.json(body),
        None => request,
    };
    request.send().await.ok()?.json().await.ok()
}

/// Follows the run to its end, as its manager would: approves when asked. None when the server dies on the way.
async fn follow(server: &TestServer, run: &str, operator: &str, manager: &str) -> Option<Value> {
    let mut pause = tokio::time::interval(Duration::from_millis(50));
    loop {
        pause.tick().await;
        let seen = ask(server, Method::GET, &format!("/runs/{run}"), operator, None).await?;
        if matches!(seen["status"].as_str(), Some("completed" | "faulted" | "cancelled")) {
            return Some(seen);
        }
        let waiting = ask(server, Method::GET, &format!("/approvals?run={run}&state=pending"), manager, None).await?;
        if let Some(approval) = waiting["items"].as_array().and_then(|items| items.first()) {
            let path = format!("/approvals/{}/decisions", approval["id"].as_str()?);
            let decision = json!({"decision": "approve", "comment": "", "digest": approval["digest"]});
            ask(server, Method::POST, &path, manager, Some(&decision)).await;
        }
    }
}

/// One onboarding with one death. How long its journal was, and whether the death came at all.
async fn story(place: &str, version: i64) -> (i64, bool) {
    let data = tempfile::tempdir().unwrap();
    let first = TestServer::spawn(command(&data, None), data);
    let (staff, operator, manager) = (first.token("staff"), first.token("operator"), first.token("manager"));
    let (data, _) = first.stop();

    let at = format!("{place}:{version}");
    let doomed = TestServer::spawn(command(&data, Some(&at)), data);
    let launch = json!({"input": onboarding("Ada")});
    let launched = ask(&doomed, Method::POST, "/workflows/identity/onboard-employee/runs", &staff, Some(&launch)).await;
    let died_at_once = launched.is_none();
    let run = launched.and_then(|run| run["id"].as_str().map(ToOwned::to_owned));
    let followed = match &run {
        Some(run) => follow(&doomed, run, &operator, &manager).await,
        None => None,
    };
    let died = followed.is_none();
    let data = doomed.reap();

    let server = TestServer::spawn(command(&data, None), data);
    let run = match run {
        Some(run) => run,
        // The answer was lost, and the run is there: it was durable before the server died.
        None => server.get("/runs", &operator).await["items"][0]["id"].as_str().unwrap().to_owned(),
    };
    let to_the_end = async {
        loop {
            // A busy machine may let a request wait too long; only the end counts.
            if let Some(ended) = follow(&server, &run, &operator, &manager).await {
                break ended;
            }
        }
    };
    let ended = tokio::time::timeout(Duration::from_mins(1), to_the_end).await;
    let ended = ended.unwrap_or_else(|_| panic!("{at}: the run does not end\n{}", server.log()));
    assert_eq!(ended["status"], "completed", "{at}: {ended:#}\n{}", server.log());
    assert_eq!(ended["output"]["login"], "alovelace", "{at}");
    assert_eq!(ended["needsAttention"], false, "{at}");
    let admin = server.token("admin");
    let people = server.get("/users?search=lovelace", &admin).await;
    assert_eq!(people["items"].as_array().unwrap().len(), 1, "{at}: {people:#}");
    let journal = server.get(&format!("/runs/{run}/journal"), &operator).await;
    let places: Vec<i64> =
        journal["items"].as_array().unwrap().iter().map(|entry| entry["version"].as_i64().unwrap()).collect();
    assert_eq!(places, (1..=i64::try_from(places.len()).unwrap()).collect::<Vec<_>>(), "{at}");
    (i64::try_from(places.len()).unwrap(), died || died_at_once)
}

/// One onboarding for every entry of the journal, each with a death at that place of it; how many deaths there were.
async fn deaths(place: &'static str) -> (i64, i64) {
    let (length, died) = story("before-commit", i64::MAX).await;
    assert!(!died && (5..LONGEST).contains(&length), "{length}");
    let mut deaths = 0;
    let versions: Vec<i64> = (1..=length).collect();
    for few in versions.chunks(AT_ONCE) {
        let stories: Vec<_> = few.iter().map(|version| tokio::spawn(story(place, *version))).collect();
        for story in stories {
            deaths += i64::from(story.await.unwrap().1);
        }
    }
    (deaths, length)
}

#[cfg(debug_assertions)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_before_any_step_is_written_the_server_ends_the_onboarding_after_a_restart() {
    let (died, length) = deaths("before-commit").await;
    assert_eq!(died, length);
}

#[cfg(debug_assertions)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_after_any_step_is_written_the_server_ends_the_onboarding_after_a_restart() {
    let (died, length) = deaths("after-commit").await;
    assert_eq!(died, length);
}

#[cfg(debug_assertions)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_after_any_call_had_its_effect_the_server_ends_the_onboarding_after_a_restart() {
    // Calls end only where there are calls.
    let (died, _) = deaths("after-call").await;
    assert!(died > 3, "{died}");
}
