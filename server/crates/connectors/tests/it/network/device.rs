//! Kind `device`, on routers of `FRRouting`.

use std::time::Duration;

use connectors::{Outcome, Probe, Repetition};
use serde_json::{Value, json};
use workflow::StandardError;

use super::{Lab, changed, lab, netconf::rogue_by, with};
use crate::{
    ssh::wire,
    support::{closed_port, done, eventually, failed_step, greeting, permanent, retryable, unknown},
};

impl Lab {
    async fn router(&self) -> Value {
        done(self.call("routers", "getConfig", json!({})).await)
    }

    async fn established(&self) -> bool {
        let neighbours = done(self.call("routers", "neighbours", json!({})).await);
        neighbours["neighbours"].as_array().unwrap().iter().any(|one| one["established"] == true)
    }
}

#[tokio::test]
async fn a_change_breaks_a_session_and_the_way_back_brings_it_again() {
    let Some(lab) = lab().await else { return };
    eventually(async || lab.established().await).await;
    let before = lab.router().await;
    let config = before["config"].as_str().unwrap();
    assert!(
        config.contains("router bgp 65001\n") && config.contains("\n neighbor 10.99.0.2 remote-as 65002"),
        "{config}"
    );
    let away = json!({"config": "router bgp 65001\n no neighbor 10.99.0.2\n", "base": before["digest"]});
    let plan = done(lab.call("routers", "plan", away.clone()).await);
    assert!(plan["diff"].as_str().unwrap().contains("-  neighbor 10.99.0.2 remote-as 65002"), "{plan}");
    let foreseen = lab.bench.plan("network", with("routers", "change", away.clone())).await.unwrap();
    assert_eq!(foreseen.difference.as_deref(), plan["diff"].as_str());
    assert_eq!(lab.router().await["digest"], before["digest"], "a plan changes nothing");

    let made = done(lab.call("routers", "change", away.clone()).await);
    assert!(made["changed"] == true && made["pending"]["until"].is_null(), "{made}");
    assert!(!lab.established().await);
    let (status, words) = permanent(lab.call("routers", "change", away).await);
    assert!(status == 409 && words.contains("somebody has changed it meanwhile"), "{words}");
    let back = json!({"backup": lab.bench.opened(&before["backup"]), "pending": made["pending"]});
    for _ in 0..2 {
        let back = done(lab.call("routers", "rollback", back.clone()).await);
        assert_eq!(back, json!({"rolledBack": true, "by": "backup"}));
    }
    assert_eq!(lab.router().await["config"], before["config"]);
    eventually(async || lab.established().await).await;
    // By name, the other one.
    let other = done(lab.call("routers", "neighbours", json!({"host": "r2"})).await);
    assert_eq!(other["neighbours"][0]["address"], "10.99.0.1", "{other}");
}

#[tokio::test]
async fn a_refused_line_leaves_nothing_behind() {
    let Some(lab) = lab().await else { return };
    let before = lab.router().await;
    let half = json!({"config": "ip route 192.0.2.0/24 blackhole\nnonsense here\nip route 192.0.3.0/24 blackhole"});
    let (_, words) = permanent(lab.call("routers", "change", half).await);
    assert!(words.contains("nonsense here") && words.contains("was taken back"), "{words}");
    assert_eq!(lab.router().await["digest"], before["digest"]);

    let route = json!({"config": "ip route 192.0.2.0/24 blackhole", "base": before["digest"]});
    let arguments = with("routers", "change", route.clone());
    assert_eq!(lab.bench.probe("network", "k", arguments.clone()).await, Probe::DidNotHappen);
    done(lab.call("routers", "change", route).await);
    let Probe::Happened(found) = lab.bench.probe("network", "k", arguments).await else { panic!() };
    assert_eq!(found["changed"], true);
    assert_eq!(done(lab.call("routers", "confirm", json!({})).await), json!({"confirmed": true}));
    let saved = format!("/etc/frr/{}-r1/frr.conf", std::env::var("TEST_NETWORK_NAMESPACES").unwrap());
    assert!(std::fs::read_to_string(saved).unwrap().contains("192.0.2.0/24"));
    let (_, words) = permanent(lab.call("routers", "getConfig", json!({"source": "startup"})).await);
    assert!(words.contains("shows no such configuration"), "{words}");
    done(lab.call("routers", "change", json!({"config": "no ip route 192.0.2.0/24 blackhole"})).await);
    done(lab.call("routers", "confirm", json!({})).await);
    assert_eq!(lab.router().await["digest"], before["digest"]);
}

#[tokio::test]
async fn commands_show_what_they_show_and_the_first_refused_is_the_last() {
    let Some(lab) = lab().await else { return };
    let commands = json!({"commands": ["show ip route json", "show bgp summary json"], "json": true});
    let shown = done(lab.call("routers", "read", commands).await);
    assert!(
        shown["outputs"][0]["value"].is_object() && shown["outputs"][1]["command"] == "show bgp summary json",
        "{shown}"
    );
    let shown = done(lab.call("routers", "command", json!({"commands": ["show version"], "onlyReads": true})).await);
    let output = shown["outputs"][0]["output"].as_str().unwrap();
    assert!(output.starts_with("FRRouting ") && !output.contains("r1#"), "{output}");
    let (_, words) =
        permanent(lab.call("routers", "command", json!({"commands": ["show version", "shwo", "show memory"]})).await);
    assert!(words.contains("“shwo”") && words.contains("1 before it were done"), "{words}");
    let (_, words) = permanent(lab.call("routers", "command", json!({"commands": ["show version\nconfigure"]})).await);
    assert!(words.contains("line break"), "{words}");

    // A secret is seen by nobody, and comes back all the same.
    let before = lab.router().await;
    let secret = json!({"config": "router bgp 65001\n neighbor 10.99.0.2 password geheim\n"});
    let made = done(lab.call("routers", "change", secret).await);
    let with_secret = lab.router().await;
    for shown in [&made["diff"], &with_secret["config"]] {
        assert!(
            shown.as_str().unwrap().contains("password ‹hidden›") && !shown.to_string().contains("geheim"),
            "{shown}"
        );
    }
    assert!(lab.bench.opened(&with_secret["backup"]).contains("geheim"));
    let back = json!({"backup": lab.bench.opened(&before["backup"])});
    done(lab.call("routers", "rollback", back).await);
    assert_eq!(lab.router().await["digest"], before["digest"]);
    for (operation, more, expected) in [
        ("command", json!({"commands": ["x"]}), Repetition::Once),
        ("command", json!({"commands": ["x"], "onlyReads": true}), Repetition::Safe),
        ("change", json!({"config": "x"}), Repetition::Once),
        ("confirm", json!({}), Repetition::Safe),
    ] {
        let request = lab.bench.prepare("network", with("routers", operation, more)).await.unwrap();
        assert_eq!(lab.bench.registry.repetition(&request), expected, "{operation}");
    }
}

#[tokio::test]
async fn the_way_to_a_command_line_fails_with_its_step_and_its_remedy() {
    let Some(lab) = lab().await else { return };
    let check = lab.bench.check("device", lab.r1.clone()).await;
    assert!(check.ok, "{check:?}");
    let step = async |more: Value| failed_step(&lab.bench.check("device", changed(&lab.r1, more)).await);
    assert_eq!(step(json!({"hostKeys": ["SHA256:nobody"]})).await.0, "host-key");
    assert_eq!(step(json!({"user": "nobody-here"})).await.0, "sign-in");
    let mut incomplete = lab.r1.clone();
    incomplete.as_object_mut().unwrap().remove("privateKey");
    let (failed, words) = failed_step(&lab.bench.check("device", incomplete).await);
    assert!(failed == "settings" && words.contains("enter one"), "{words}");

    let connect = async |more: Value| lab.bench.connect("routers", "device", changed(&lab.r1, more)).await;
    let read = json!({"commands": ["show version"]});
    connect(json!({"port": closed_port().await})).await;
    retryable(lab.call("routers", "read", read.clone()).await);
    connect(json!({"port": greeting(b"HTTP/1.1 400 Bad Request\r\n\r\n", true).await})).await;
    let words = retryable(lab.call("routers", "read", read.clone()).await);
    assert!(words.contains("SSH server"), "{words}");
    connect(json!({"user": "nobody-here"})).await;
    let Outcome::Permanent(error) = lab.call("routers", "read", read).await else { panic!() };
    assert!(error.is(StandardError::Authentication), "{error}");
    connect(json!({"platform": "generic"})).await;
    let (_, words) = permanent(lab.call("routers", "getConfig", json!({})).await);
    assert!(words.contains("choose the connection's platform"), "{words}");
}

/// The router's BGP stands still, so that whatever asks it waits.
struct Stopped(String);

impl Stopped {
    fn new() -> Self {
        let name = std::env::var("TEST_NETWORK_NAMESPACES").unwrap();
        let pid = std::fs::read_to_string(format!("/run/frr/{name}-r1/bgpd.pid")).unwrap().trim().to_owned();
        std::process::Command::new("kill").args(["-STOP", &pid]).status().unwrap();
        Self(pid)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        std::process::Command::new("kill").args(["-CONT", &self.0]).status().ok();
    }
}

#[tokio::test]
async fn a_connection_that_is_lost_in_the_middle_leaves_it_unknown() {
    let Some(lab) = lab().await else { return };
    let (port, cut) = wire(lab.r1["port"].as_u64().unwrap()).await;
    lab.bench.connect("routers", "device", changed(&lab.r1, json!({"port": port}))).await;
    // It stops while the first of many commands are answered, so that one of those that ask BGP waits.
    let commands = vec!["show bgp summary"; 200];
    let mut stopped = None;
    let stopping = async {
        eventually(async || lab.bench.log_text().contains("show bgp summary")).await;
        stopped = Some(Stopped::new());
        cut.cancel();
    };
    let arguments = json!({"commands": commands});
    let words = unknown(tokio::join!(lab.call("routers", "command", arguments.clone()), stopping).0);
    assert!(words.contains("may have happened; look there"), "{words}");
    drop(stopped.take());
    lab.bench.connect("routers", "device", lab.r1.clone()).await;
    let context = lab.limited(Duration::from_millis(2500));
    let before = lab.bench.log_text().len();
    let stopping = async {
        eventually(async || lab.bench.log_text().len() > before).await;
        stopped = Some(Stopped::new());
    };
    let call = lab.bench.call_in("network", with("routers", "command", arguments), &context);
    let words = unknown(tokio::join!(call, stopping).0);
    drop(stopped);
    assert!(words.contains("longer than it may"), "{words}");
}

/// A command line that shows too much of its configuration, or goes on with `reload` for ever.
const ROGUE: &str = r#"#!/usr/bin/env python3
import sys, time
def say(text): sys.stdout.write(text); sys.stdout.flush()
if sys.argv[1] == 'silent': time.sleep(60)
say('r1# ')
for line in sys.stdin:
    if 'running-config' in line: say(('x' * 79 + '\n') * 66000)
    if 'reload' in line: time.sleep(60)
    say('r1# ')
"#;

#[tokio::test]
async fn a_command_line_that_does_not_do_as_it_should_has_the_outcome_that_it_should() {
    let Some(lab) = lab().await else { return };
    let connect = async |mode: &str| {
        let rogue = rogue_by(ROGUE, |script| format!("ForceCommand {script} {mode}")).await;
        lab.bench.connect("routers", "device", changed(&lab.r1, json!({"port": rogue.port}))).await;
        rogue
    };
    let _rogue = connect("open").await;
    let (status, words) = permanent(lab.call("routers", "getConfig", json!({})).await);
    assert!(status == 502 && words.contains("more than 4 MiB; ask for less"), "{words}");
    // Stopped while it does what was typed.
    let context = lab.bench.context("stopped");
    let stop = async {
        eventually(async || lab.bench.log_text().contains("show version")).await;
        context.cancelled.cancel();
    };
    let commands = with("routers", "command", json!({"commands": ["show version", "reload"]}));
    let words = unknown(tokio::join!(lab.bench.call_in("network", commands, &context), stop).0);
    assert!(words.contains("look there whether it was done"), "{words}");

    let _rogue = connect("silent").await;
    let context = lab.limited(Duration::from_millis(1500));
    let commands = with("routers", "command", json!({"commands": ["reload"]}));
    let words = retryable(lab.bench.call_in("network", commands, &context).await);
    assert!(words.contains("nothing was sent"), "{words}");
}
