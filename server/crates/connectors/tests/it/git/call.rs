//! `call: git`, from git's own server in the lab.

use std::sync::Arc;

use axum::Router;
use connectors::Outcome;
use domain::Clock as _;
use serde_json::{Value, json};
use testkit::WallClock;
use tokio::sync::Notify;
use workflow::StandardError;

use super::{ANN, Lab, Repository};
use crate::{
    faults::waiting,
    http::serve,
    support::{Bench, PATIENCE, closed_port, done, failed_step, permanent, retryable},
};

/// The settings of a connection to the repository, by the server at `base`.
fn settings(lab: &Lab, repository: &Repository, base: &str) -> Value {
    json!({
        "url": repository.branch(base).url, "username": lab.user, "password": lab.password(),
        "ca": if base.starts_with("https") { json!(lab.authority) } else { Value::Null },
    })
}

/// Without the settings that are null, which no schema takes.
fn given(settings: Value) -> Value {
    let Value::Object(members) = settings else { return settings };
    members.into_iter().filter(|(_, value)| !value.is_null()).collect::<serde_json::Map<_, _>>().into()
}

fn reads(revision: &str, folder: &str) -> Value {
    json!({"connection": "code", "operation": "read", "ref": revision, "folder": folder})
}

/// A repository with two releases: `v1` has a name only, `v2` is a tag with words, and `main` has gone on.
fn released(lab: &Lab) -> (Repository, [String; 3]) {
    let repository = Repository::new(lab);
    repository.commit(ANN, ANN, &[("deploy/main.tf", "one\n"), ("deploy/sub/more.tf", "more\n"), ("app.py", "1\n")]);
    let first = repository.head();
    repository.git(&["tag", "v1"]);
    repository.commit(ANN, ANN, &[("deploy/main.tf", "two\n")]);
    std::fs::write(repository.path("deploy/logo.png"), [0x89, b'P', b'N', b'G', 0, 0xff]).unwrap();
    repository.commit(ANN, ANN, &[]);
    let second = repository.head();
    repository.git(&["tag", "-a", "-m", "the second", "v2"]);
    repository.commit(ANN, ANN, &[("deploy/main.tf", "three\n")]);
    let third = repository.head();
    repository.git(&["push", "-q", "origin", "--all"]);
    repository.git(&["push", "-q", "origin", "--tags"]);
    (repository, [first, second, third])
}

#[tokio::test]
async fn the_files_of_a_tag_or_a_branch_come_as_texts() {
    let Some(lab) = Lab::find() else { return };
    let (repository, [first, second, third]) = released(&lab);
    for base in [lab.url.clone(), format!("{}/old", lab.url), lab.secure.clone()] {
        let bench = Bench::new().await;
        bench.connect("code", "git", given(settings(&lab, &repository, &base))).await;
        let read = async |with: Value| done(bench.call("git", "key", with).await);
        let one = read(reads("v1", "deploy")).await;
        let files = json!({"main.tf": "one\n", "sub/more.tf": "more\n"});
        assert_eq!(one, json!({"commit": first, "ref": "refs/tags/v1", "files": files, "skipped": {}}), "{base}");
        let two = read(reads("v2", "/deploy/")).await;
        assert_eq!((&two["commit"], &two["files"]["main.tf"]), (&json!(second), &json!("two\n")), "{base}");
        assert_eq!(two["skipped"], json!({"logo.png": "binary"}));
        let with = json!({"connection": "code", "operation": "read", "endings": [".py"]});
        let branch = read(with).await;
        assert_eq!(branch["ref"], "refs/heads/main");
        assert_eq!((&branch["commit"], &branch["files"]), (&json!(third), &json!({"app.py": "1\n"})), "{base}");
        let resolved = read(json!({"connection": "code", "operation": "resolve", "ref": "v2"})).await;
        assert_eq!(resolved, json!({"commit": second, "ref": "refs/tags/v2"}), "{base}");
        assert_eq!(read(reads("main", "nothing")).await["files"], json!({}));
    }
}

#[tokio::test]
async fn the_commits_of_a_time_are_told_the_newest_first() {
    let Some(lab) = Lab::find() else { return };
    let repository = Repository::new(&lab);
    repository.commit(ANN, ANN, &[("app.py", "1\n")]);
    let tree = repository.git(&["rev-parse", "HEAD^{tree}"]);
    let made = |parents: &[&str], at: i64, who: &str, message: &str| {
        let parents: String = parents.iter().map(|parent| format!("parent {parent}\n")).collect();
        let (tree, when) = (tree.trim(), format!("{at} +0200"));
        let text = format!("tree {tree}\n{parents}author {who} {when}\ncommitter {who} {when}\n\n{message}\n");
        repository.object("commit", text.as_bytes())
    };
    // 2023-11-14, from 22:13:20 on.
    let first = made(&[], 1_700_000_000, "Ann <ann@example.test>", "Begin");
    let second = made(&[&first], 1_700_003_600, "Ben <ben@example.test>", "Raise the limit\n\nof orders");
    let beside = made(&[&first], 1_700_003_700, " <cleo@example.test>", "Beside");
    let last = made(&[&second, &beside], 1_700_007_200, "Ann <ann@example.test>", &"x".repeat(300));
    repository.git(&["update-ref", "refs/heads/main", &last]);
    repository.push();
    for base in [lab.url.clone(), format!("{}/old", lab.url), lab.secure.clone()] {
        let bench = Bench::new().await;
        bench.connect("code", "git", given(settings(&lab, &repository, &base))).await;
        let log = async |mut with: Value| {
            with["connection"] = json!("code");
            with["operation"] = json!("log");
            done(bench.call("git", "key", with).await)
        };
        let ids = |log: &Value| -> Vec<String> {
            log["commits"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
        };
        let all = log(json!({})).await;
        assert_eq!((&all["commit"], &all["ref"]), (&json!(last), &json!("refs/heads/main")), "{base}");
        assert_eq!(ids(&all), [&last, &beside, &second, &first].map(String::clone));
        assert_eq!((&all["more"], all["commits"][0]["subject"].as_str().unwrap().len()), (&json!(false), 200));
        let one = &all["commits"][2];
        assert_eq!((&one["author"], &one["subject"]), (&json!("Ben"), &json!("Raise the limit")));
        assert!(one["at"].as_str().unwrap().starts_with("2023-11-14T23:13:20"), "{one}");
        assert_eq!(all["commits"][1]["author"], "cleo@example.test");
        let span = log(json!({"since": "2023-11-15T00:13:20+01:00", "until": "2023-11-14T23:15:00Z"})).await;
        assert_eq!(ids(&span), [&beside, &second].map(String::clone), "both ends belong to it");
        let newest = log(json!({"limit": 1})).await;
        assert_eq!((ids(&newest), &newest["more"]), (vec![last.clone()], &json!(true)));
        assert_eq!(ids(&log(json!({"since": "2030-01-01T00:00:00Z"})).await), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_tag_goes_before_a_branch_of_its_name() {
    let Some(lab) = Lab::find() else { return };
    let (repository, [first, ..]) = released(&lab);
    repository.git(&["push", "-q", "origin", "main:refs/heads/v1"]);
    for base in [lab.url.clone(), format!("{}/old", lab.url)] {
        let bench = Bench::new().await;
        bench.connect("code", "git", given(settings(&lab, &repository, &base))).await;
        let resolved = bench.call("git", "key", json!({"connection": "code", "operation": "resolve", "ref": "v1"}));
        assert_eq!(done(resolved.await), json!({"commit": first, "ref": "refs/tags/v1"}));
    }
}

#[tokio::test]
async fn what_is_not_there_or_may_not_be_seen_is_said() {
    let Some(lab) = Lab::find() else { return };
    let (repository, _) = released(&lab);
    let bench = Bench::new().await;
    let right = given(settings(&lab, &repository, &lab.url));
    let calls = async |settings: &Value, revision: &str| {
        bench.connect("code", "git", settings.clone()).await;
        bench.call("git", "key", reads(revision, "")).await
    };
    for revision in ["v3", "heads/main", "../main", "v2^{}", "v1 v2"] {
        let (status, words) = permanent(calls(&right, revision).await);
        assert!(status == 404 && words.contains("no tag or branch"), "{revision}: {words}");
    }
    let mut wrong = right.clone();
    wrong["password"] = json!("canary-guess");
    let (status, words) = permanent(calls(&wrong, "v1").await);
    assert!(status == 401 && words.contains("enter a user name"), "{words}");
    assert_eq!(failed_step(&bench.check("git", wrong).await).0, "sign-in");
    let mut nowhere = right.clone();
    nowhere["url"] = json!(format!("{}/nothing.git", lab.url));
    assert_eq!(permanent(calls(&nowhere, "v1").await).0, 404);
    let mut branchless = right.clone();
    branchless["branch"] = json!("trunk");
    let (step, words) = failed_step(&bench.check("git", branchless).await);
    assert!(step == "right" && words.contains("trunk"), "{words}");
    assert!(bench.check("git", right.clone()).await.ok);

    let mut mistrusted = right.clone();
    mistrusted["url"] = json!(repository.branch(&lab.secure).url);
    let (_, words) = permanent(calls(&mistrusted, "v1").await);
    assert!(words.contains("CA"), "{words}");
    assert_eq!(failed_step(&bench.check("git", mistrusted).await).0, "tls");
    assert!(!bench.log_text().contains("canary-guess"));
}

#[tokio::test]
async fn more_than_a_run_can_hold_is_refused() {
    let Some(lab) = Lab::find() else { return };
    let (repository, _) = released(&lab);
    let large = "x".repeat(300 * 1024);
    repository.commit(ANN, ANN, &[("a.txt", &large), ("b.txt", &format!("{large}y"))]);
    repository.push();
    let bench = Bench::new().await;
    bench.connect("code", "git", given(settings(&lab, &repository, &lab.url))).await;
    let (status, words) = permanent(bench.call("git", "key", reads("main", "")).await);
    assert!(status == 502 && words.contains("together"), "{words}");
}

#[tokio::test]
async fn a_server_that_is_away_or_silent_can_be_asked_again() {
    let bench = Bench::new().await;
    let calls = async |address: &str, limit: Option<u64>| {
        bench.connect("code", "git", json!({"url": format!("{address}/code.git")})).await;
        let mut context = bench.context("key");
        context.deadline = limit.map(|limit| WallClock.now() + std::time::Duration::from_millis(limit));
        bench.call_in("git", reads("main", ""), &context).await
    };
    let away = format!("http://127.0.0.1:{}", closed_port().await);
    let words = retryable(calls(&away, None).await);
    assert!(words.contains("compare the address"), "{words}");
    let silent = serve(Router::new().fallback(std::future::pending::<()>)).await;
    match calls(&silent, Some(300)).await {
        Outcome::Lost(error) => assert!(error.is(StandardError::Timeout), "{error}"),
        other => panic!("{other:?}"),
    }
    let page = serve(Router::new().fallback(|| async { "<html><body>Sign in" })).await;
    let (status, words) = permanent(calls(&page, None).await);
    assert!(status == 404 && words.contains("no Git repository"), "{words}");
    let (_, words) = permanent(calls("http://169.254.169.254", None).await);
    assert!(words.contains("may not be reached"), "{words}");
    // Stopped while it waits.
    let (seen, left) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let silent = serve(Router::new().fallback(waiting(&seen, &left))).await;
    bench.connect("code", "git", json!({"url": format!("{silent}/code.git")})).await;
    let context = bench.context("key");
    let stop = async {
        seen.notified().await;
        context.cancelled.cancel();
    };
    let (outcome, ()) = futures::future::join(bench.call_in("git", reads("main", ""), &context), stop).await;
    assert!(matches!(outcome, Outcome::Lost(_)), "{outcome:?}");
    tokio::time::timeout(PATIENCE, left.notified()).await.unwrap();
}
