//! Application delivery: from git's own server to the hosts of the lab.

use std::path::{Path, PathBuf};

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Answer, Portal,
    lab::{self, Repository},
    seen::unique,
};

/// A repository whose build leaves a program, and another that says whether it is healthy.
fn source(health: &str) -> [(&'static str, String); 2] {
    let build = "set -e\nmkdir dist\ncp health.sh dist/health\nchmod +x dist/health\necho \"program $REVISION\" > dist/program\n";
    [("release/build.sh", build.to_owned()), ("health.sh", format!("#!/bin/sh\n{health}\n"))]
}

fn repository(health: &str) -> Repository {
    let files = source(health);
    Repository::new(&files.each_ref().map(|(path, text)| (*path, text.as_str())))
}

fn release(repository: &Repository, tag: &str, health: &str) {
    let files = source(health);
    repository.release(tag, &files.each_ref().map(|(path, text)| (*path, text.as_str())));
}

async fn portal(repository: &Repository) -> Portal {
    let (_, kind, settings) = lab::to("sshd", "servers");
    let staging = ("servers-staging", kind.clone(), settings.clone());
    let production = ("servers", kind, settings);
    let portal =
        Portal::open(&[repository.connection("application"), staging, production, lab::to("smtp", "mail")]).await;
    portal.by_admin(Method::PUT, "/process-permissions/delivery", &json!({})).await;
    portal
}

/// Where applications of this test lie on the hosts, which are all this machine.
fn folder(test: &str) -> PathBuf {
    Path::new(&lab::setting("TEST_SSH_HOME")).join(unique(test))
}

fn wanted(folder: &Path, tag: &str, environment: &str) -> Value {
    json!({
        "tag": tag, "application": "shop", "environment": environment, "hosts": ["web1", "web2"],
        "folder": folder, "notify": "sam@example.test",
    })
}

/// What the hosts have: the program that is current, if any.
fn current(folder: &Path) -> Option<String> {
    std::fs::read_to_string(folder.join("shop/current/program")).ok()
}

#[tokio::test]
async fn a_tag_is_built_approved_and_deployed_whatever_dies() {
    let (repository, folder) = (repository("exit 0"), folder("release"));
    let mut portal = portal(&repository).await;
    let run = portal.launch("delivery/release", &wanted(&folder, "v1", "production")).await;
    let approval = portal.asked(&run).await;
    assert_eq!(current(&folder), None, "nothing is deployed before");
    portal.kill_when(&run, "change").await;
    let ended = portal.complete(&run).await;
    assert_eq!(current(&folder).as_deref(), Some("program v1\n"));
    let sha256 = ended["output"]["sha256"].as_str().unwrap();
    assert!(approval.to_string().contains(sha256), "what was approved is what was deployed: {approval:#}");
}

#[tokio::test]
async fn a_release_that_is_not_healthy_gives_way_to_the_one_before() {
    let (repository, folder) = (repository("exit 0"), folder("ill"));
    release(&repository, "v2", "echo the shop is closed >&2; exit 1");
    let portal = portal(&repository).await;
    let first = portal.run("delivery/release", &wanted(&folder, "v1", "staging"), Answer::Approve).await;
    assert_eq!(first["status"], "completed", "{first:#}");
    let second = portal.run("delivery/release", &wanted(&folder, "v2", "staging"), Answer::Approve).await;
    assert_eq!((&second["status"], &second["compensated"]), (&json!("faulted"), &json!(true)), "{second:#}");
    assert_eq!(current(&folder).as_deref(), Some("program v1\n"));
}

#[tokio::test]
async fn what_fails_to_build_or_is_rejected_is_not_deployed() {
    let (repository, folder) = (repository("exit 0"), folder("unbuilt"));
    repository.release("v2", &[("release/build.sh", "echo a test has failed; exit 3\n")]);
    let portal = portal(&repository).await;
    let failed = portal.run("delivery/release", &wanted(&folder, "v2", "staging"), Answer::Approve).await;
    assert!(failed["error"]["detail"].as_str().unwrap().contains("exit code"), "{failed:#}");
    let rejected = portal.run("delivery/release", &wanted(&folder, "v1", "production"), Answer::Reject).await;
    assert_eq!((&failed["status"], &rejected["status"]), (&json!("faulted"), &json!("faulted")));
    let branch = portal.run("delivery/release", &wanted(&folder, "main", "staging"), Answer::Approve).await;
    assert!(branch["error"]["detail"].as_str().unwrap().contains("a release is a tag"), "{branch:#}");
    assert_eq!(current(&folder), None);
}
