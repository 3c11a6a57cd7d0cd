//! Servers: three names of an OpenSSH host, and S3 for what is kept of them.

use std::path::{Path, PathBuf};

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Answer, Portal, lab,
    seen::{mails_to, s3, unique},
};

/// A folder of the test's own on the servers, which are this machine.
pub(crate) struct Traces(pub(crate) PathBuf);

impl Traces {
    pub(crate) fn new(test: &str) -> Self {
        let folder = Path::new(&lab::setting("TEST_SSH_HOME")).join(unique(test));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    /// What was left there under this name; nothing if there is none.
    pub(crate) fn of(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap_or_default()
    }

    /// A command in which `HERE` is the folder.
    pub(crate) fn command(&self, text: &str) -> String {
        text.replace("HERE", self.0.to_str().unwrap())
    }
}

async fn portal() -> Portal {
    Portal::open(&[lab::to("sshd", "servers"), lab::to("s3", "storage"), lab::to("smtp", "mail")]).await
}

fn updates(traces: &Traces, mailbox: &str) -> Value {
    json!({
        "hosts": ["web1", "web2", "web3"], "pause": 0, "notify": format!("{mailbox}@example.test"),
        "update": traces.command("echo updated >> HERE/$1"),
        "health": traces.command("test ! -e HERE/$1.ill"),
        "rebootCheck": "test \"$1\" != web2",
        "backOut": traces.command("rm HERE/$1.ill; echo back >> HERE/$1"),
    })
}

#[tokio::test]
async fn each_server_of_a_group_is_updated_once_whatever_dies() {
    let (mut portal, traces, mailbox) = (portal().await, Traces::new("patch"), unique("ops"));
    let run = portal.launch("servers/patch-group", &updates(&traces, &mailbox)).await;
    portal.kill_when(&run, "update").await;
    let ended = portal.complete(&run).await;
    for server in ["web1", "web2", "web3"] {
        assert_eq!(traces.of(server), "updated\n", "{server}");
    }
    assert_eq!(
        (&ended["output"]["restartDue"], &ended["output"]["failed"]),
        (&json!(["web2"]), &json!([])),
        "{ended:#}"
    );
    assert_eq!(mails_to(&format!("{mailbox}@example.test")).await[0]["subject"], "Servers updated");
}

#[tokio::test]
async fn a_server_that_is_ill_after_its_update_is_taken_back_and_stops_the_waves() {
    let (portal, traces, mailbox) = (portal().await, Traces::new("ill"), unique("ops"));
    let mut input = updates(&traces, &mailbox);
    input["waveSize"] = json!(1);
    input["update"] = json!(traces.command("echo updated >> HERE/$1; if [ $1 = web2 ]; then touch HERE/web2.ill; fi"));
    let ended = portal.run("servers/patch-group", &input, Answer::Approve).await;
    assert_eq!(ended["status"], "faulted", "{ended:#}");
    assert_eq!(
        (traces.of("web1"), traces.of("web2"), traces.of("web3")),
        ("updated\n".into(), "updated\nback\n".into(), String::new())
    );
    let mails = mails_to(&format!("{mailbox}@example.test")).await;
    let text = mails[0]["text"].as_str().unwrap();
    assert!(text.contains("Not begun: web3") && text.contains("taken back"), "{text}");
}

#[tokio::test]
async fn a_command_runs_exactly_as_it_was_approved_and_once_whatever_dies() {
    let (mut portal, traces) = (portal().await, Traces::new("command"));
    let command = traces.command("printf '%s\\n' 'it'\"'\"'s `$(id)` \"${HOME}\" %d; # ' >> HERE/$1");
    let input = json!({"hosts": ["web1", "web2"], "command": command, "reason": "a test"});
    let run = portal.launch("servers/run-command", &input).await;
    portal.kill_when(&run, "runCommand").await;
    let ended = portal.complete(&run).await;
    for server in ["web1", "web2"] {
        assert_eq!(traces.of(server), "it's `$(id)` \"${HOME}\" %d; # \n", "{server}");
    }
    assert_eq!(ended["output"]["results"][1]["exitCode"], 0, "{ended:#}");
}

#[tokio::test]
async fn where_a_command_fails_all_that_were_begun_are_taken_back_and_no_other_is_begun() {
    let (portal, traces) = (portal().await, Traces::new("fails"));
    let input = json!({
        "hosts": ["web1", "web2", "web3"], "reason": "a test",
        "command": traces.command("echo $1 >> HERE/begun; test $1 != web2 || { echo no room >&2; exit 3; }"),
        "backOut": traces.command("echo $1 >> HERE/back"),
    });
    let ended = portal.run("servers/run-command", &input, Answer::Reject).await;
    assert_eq!((ended["status"].as_str(), traces.of("begun")), (Some("faulted"), String::new()), "{ended:#}");
    let ended = portal.run("servers/run-command", &input, Answer::Approve).await;
    assert_eq!((&ended["status"], &ended["compensated"]), (&json!("faulted"), &json!(true)), "{ended:#}");
    assert!(ended["error"]["detail"].as_str().unwrap().contains("no room"), "{ended:#}");
    assert_eq!((traces.of("begun"), traces.of("back")), ("web1\nweb2\n".into(), "web2\nweb1\n".into()));
}

#[tokio::test]
async fn what_has_drifted_is_the_new_baseline_only_if_somebody_says_so_whatever_dies() {
    let (mut portal, traces, mailbox, bucket) =
        (portal().await, Traces::new("drift"), unique("ops"), unique("baselines"));
    s3(Method::PUT, &bucket).await;
    let watched = traces.0.join("motd");
    std::fs::write(&watched, "welcome").unwrap();
    let input = json!({
        "hosts": ["web1"], "facts": [], "files": [watched], "bucket": bucket, "notify": format!("{mailbox}@example.test"),
    });
    let workflow = "servers/check-baseline";
    let first = portal.run(workflow, &input, Answer::Approve).await;
    assert_eq!(
        (&first["output"]["outcome"], &first["output"]["servers"][0]["isNew"]),
        (&json!("accepted"), &json!(true)),
        "{first:#}"
    );
    let kept = s3(Method::GET, &format!("{bucket}/baselines/web1.json")).await;
    assert_eq!(serde_json::from_str::<Vec<String>>(&kept).unwrap().len(), 1, "{kept}");
    let same = portal.run(workflow, &input, Answer::Reject).await;
    assert_eq!(same["output"]["outcome"], "as it should be", "{same:#}");

    std::fs::write(&watched, "all your base").unwrap();
    let drifted = portal.run(workflow, &input, Answer::Reject).await;
    assert_eq!(drifted["output"]["outcome"], "drifted", "{drifted:#}");
    assert_eq!(drifted["output"]["servers"][0]["added"].as_array().unwrap().len(), 1, "{drifted:#}");
    assert_eq!(s3(Method::GET, &format!("{bucket}/baselines/web1.json")).await, kept);

    let run = portal.launch(workflow, &input).await;
    portal.kill_when(&run, "putBaseline").await;
    portal.complete(&run).await;
    assert_ne!(s3(Method::GET, &format!("{bucket}/baselines/web1.json")).await, kept);
    assert_eq!(mails_to(&format!("{mailbox}@example.test")).await.len(), 4);
}
