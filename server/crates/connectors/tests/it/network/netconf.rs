//! Kind `netconf`, on netconfd, and on servers that do what they should not.

use std::{os::unix::fs::PermissionsExt as _, process::Stdio, time::Duration};

use connectors::{Outcome, Probe, Repetition};
use domain::view::PlannedEffect;
use serde_json::{Value, json};
use workflow::StandardError;

use super::{Lab, changed, lab, with};
use crate::support::{Bench, closed_port, done, eventually, failed_step, permanent, planned, retryable, unknown};

/// An interface with a description.
fn interface(name: &str, description: &str) -> Value {
    json!({"config": format!(
        "<interfaces xmlns=\"urn:ietf:params:xml:ns:yang:ietf-interfaces\"><interface><name>{name}</name>\
         <type xmlns:i=\"urn:ietf:params:xml:ns:yang:iana-if-type\">i:ethernetCsmacd</type>\
         <description>{description}</description></interface></interfaces>"
    )})
}

fn and(mut with: Value, more: Value) -> Value {
    with.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    with
}

/// What the server says that it does.
fn log() -> String {
    let key = std::env::var("TEST_NETWORK_KEY").unwrap();
    std::fs::read_to_string(std::path::Path::new(&key).with_file_name("netconfd.log")).unwrap()
}

impl Lab {
    async fn running(&self) -> Value {
        done(self.call("netconf", "getConfig", json!({})).await)
    }

    async fn runs(&self, text: &str) -> bool {
        self.running().await["config"].as_str().unwrap().contains(text)
    }
}

#[tokio::test]
async fn a_change_on_trial_is_confirmed_taken_back_or_given_up_by_the_device() {
    let Some(lab) = lab().await else { return };
    done(lab.call("netconf", "change", interface("trial", "before")).await);
    let before = lab.running().await;
    let change = and(interface("trial", "after"), json!({"base": before["digest"]}));
    let plan = done(lab.call("netconf", "plan", change.clone()).await);
    let diff = plan["diff"].as_str().unwrap();
    assert!(plan["changed"] == true && diff.contains("-     <description>before<"), "{plan}");
    assert!(diff.contains("+     <description>after<"), "{plan}");
    assert_eq!(lab.running().await["digest"], before["digest"], "a plan changes nothing");

    // Confirmed.
    let trial = and(change.clone(), json!({"confirmWithin": "PT1M"}));
    let made = done(lab.call("netconf", "change", trial.clone()).await);
    assert!(made["changed"] == true && made["pending"]["id"].as_str().unwrap().starts_with("rondo-"), "{made}");
    let confirm = json!({"pending": made["pending"]});
    for _ in 0..2 {
        assert_eq!(done(lab.call("netconf", "confirm", confirm.clone()).await), json!({"confirmed": true}));
    }
    assert!(lab.runs("after").await);
    let (status, words) = permanent(lab.call("netconf", "change", trial).await);
    assert!(status == 409 && words.contains("somebody has changed it meanwhile"), "{words}");
    let same = done(lab.call("netconf", "change", interface("trial", "after")).await);
    assert_eq!((&same["changed"], &same["pending"]), (&json!(false), &json!(null)));

    // Taken back, twice the same as once.
    let trial = and(interface("trial", "cancelled"), json!({"confirmWithin": "PT1M"}));
    let before = lab.running().await;
    let made = done(lab.call("netconf", "change", trial).await);
    assert!(lab.runs("cancelled").await);
    let back = json!({"pending": made["pending"], "backup": lab.bench.opened(&before["backup"])});
    let first = done(lab.call("netconf", "rollback", back.clone()).await);
    assert_eq!(first, json!({"rolledBack": true, "by": "cancel"}));
    assert_eq!(done(lab.call("netconf", "rollback", back).await), json!({"rolledBack": true, "by": "device"}));
    assert_eq!(lab.running().await["digest"], before["digest"]);

    // Given up by the device, when nobody confirms.
    let trial = and(interface("trial", "forgotten"), json!({"confirmWithin": "PT1S"}));
    let made = done(lab.call("netconf", "change", trial).await);
    let asked = log().len();
    // Its clock stands still while it is asked, so that its log is looked at.
    eventually(async || log().get(asked..).is_some_and(|more| more.contains("superuser@localhost"))).await;
    assert!(!lab.runs("forgotten").await);
    let (status, words) = permanent(lab.call("netconf", "confirm", json!({"pending": made["pending"]})).await);
    assert!(status == 409 && words.contains("taken the change back by itself"), "{words}");

    // Restored after it was kept.
    done(lab.call("netconf", "change", interface("trial", "kept")).await);
    let backup = json!({"backup": lab.bench.opened(&before["backup"])});
    let back = done(lab.call("netconf", "rollback", backup).await);
    assert_eq!(back, json!({"rolledBack": true, "by": "backup"}));
    assert_eq!(lab.running().await["digest"], before["digest"]);
}

#[tokio::test]
async fn who_asks_what_a_change_would_change_takes_nobody_the_candidate() {
    let bench = Bench::new().await;
    let unreachable =
        json!({"host": "127.0.0.1", "port": closed_port().await, "user": "u", "hostKeys": ["SHA256:nobody"]});
    bench.connect("netconf", "netconf", unreachable).await;
    for (host, place) in [(json!({}), "netconf"), (json!({"host": "r1"}), "r1")] {
        let change = with("netconf", "change", and(interface("a", "b"), host));
        let (effect, words, _) = planned(bench.plan("network", change).await);
        // Had somebody gone there, it would say that nobody listens.
        assert!(effect == PlannedEffect::Unasked && words.starts_with(&format!("{place} is not asked: ")), "{words}");
    }
}

#[tokio::test]
async fn a_device_is_asked_whether_a_change_waits() {
    let Some(lab) = lab().await else { return };
    done(lab.call("netconf", "change", interface("asked", "at rest")).await);
    let trial = with("netconf", "change", and(interface("asked", "on its way"), json!({"confirmWithin": "PT1M"})));
    assert_eq!(lab.bench.probe("network", "one", trial.clone()).await, Probe::DidNotHappen);
    let made = done(lab.bench.call("network", "one", trial.clone()).await);
    let Probe::Happened(found) = lab.bench.probe("network", "one", trial.clone()).await else { panic!() };
    assert_eq!(found["pending"]["id"], made["pending"]["id"]);
    assert_eq!(found["pending"]["digest"], made["pending"]["digest"]);
    assert_eq!(lab.bench.probe("network", "two", trial).await, Probe::DidNotHappen, "it is another one's");
    assert!(lab.runs("on its way").await);
    done(lab.call("netconf", "rollback", json!({"pending": found["pending"]})).await);
    assert!(!lab.runs("on its way").await);
    for (more, expected) in [(json!({}), Repetition::Once), (json!({"confirmWithin": "PT1M"}), Repetition::Probe)] {
        let request = lab.bench.prepare("network", with("netconf", "change", and(interface("a", "b"), more))).await;
        assert_eq!(lab.bench.registry.repetition(&request.unwrap()), expected);
    }
    let request = lab.bench.prepare("network", with("netconf", "rollback", json!({}))).await.unwrap();
    assert_eq!(lab.bench.registry.repetition(&request), Repetition::Safe);
}

#[tokio::test]
async fn state_is_read_by_subtree_and_what_is_wrong_is_refused_without_a_trace() {
    let Some(lab) = lab().await else { return };
    done(lab.call("netconf", "change", interface("seen", "here")).await);
    let filter = json!({"filter": "<interfaces xmlns=\"urn:ietf:params:xml:ns:yang:ietf-interfaces\"><interface>\
                                   <name>seen</name></interface></interfaces>"});
    let read = done(lab.call("netconf", "read", filter.clone()).await);
    assert_eq!(read["data"]["interfaces"]["interface"]["description"], "here", "{read}");
    let config = done(lab.call("netconf", "getConfig", filter).await);
    assert!(config["config"].as_str().unwrap().contains("<name>seen</name>"), "{config}");
    let before = lab.running().await;

    let unknown_type = json!({"config": "<interfaces xmlns=\"urn:ietf:params:xml:ns:yang:ietf-interfaces\"><interface>\
                                         <name>x</name><type>nonsense</type></interface></interfaces>"});
    let (status, words) = permanent(lab.call("netconf", "change", unknown_type).await);
    assert!(status == 400 && words.contains("refused the change"), "{words}");
    for (config, said) in [("<a>", "not XML"), ("</config><x/><config>", "not XML"), ("  ", "write it into `config`")] {
        let (_, words) = permanent(lab.call("netconf", "change", json!({"config": config})).await);
        assert!(words.contains(said), "{config}: {words}");
    }
    let (_, words) = permanent(lab.call("netconf", "command", json!({"commands": ["show version"]})).await);
    assert!(words.contains("connection of kind device"), "{words}");
    let (_, words) = permanent(lab.call("netconf", "rollback", json!({})).await);
    assert!(words.contains("as `backup`"), "{words}");
    assert_eq!(lab.running().await["digest"], before["digest"]);
    // The candidate was given back: another change gets it.
    done(lab.call("netconf", "change", interface("seen", "again")).await);
}

#[tokio::test]
async fn the_way_to_a_device_fails_with_its_step_and_its_remedy() {
    let Some(lab) = lab().await else { return };
    assert!(lab.bench.check("netconf", lab.netconf.clone()).await.ok);
    let step = async |more: Value| failed_step(&lab.bench.check("netconf", changed(&lab.netconf, more)).await);
    assert_eq!(step(json!({"port": closed_port().await})).await.0, "connect");
    assert_eq!(step(json!({"hostKeys": ["SHA256:nobody"]})).await.0, "host-key");
    let (failed, words) = step(json!({"user": "nobody-here"})).await;
    assert!(failed == "sign-in" && words.contains("Compare the user"), "{words}");
    let (failed, words) = step(json!({"port": lab.r1["port"]})).await;
    assert!(failed == "right" && words.contains("no subsystem netconf"), "{words}");

    let at = json!({"port": closed_port().await});
    lab.bench.connect("netconf", "netconf", changed(&lab.netconf, at)).await;
    let words = retryable(lab.call("netconf", "change", interface("a", "b")).await);
    assert!(words.contains("127.0.0.1"), "{words}");
    lab.bench.connect("netconf", "netconf", changed(&lab.netconf, json!({"hostKeys": ["SHA256:nobody"]}))).await;
    let (_, words) = permanent(lab.call("netconf", "getConfig", json!({})).await);
    assert!(words.contains("host key that is not trusted"), "{words}");
    lab.bench.connect("netconf", "netconf", changed(&lab.netconf, json!({"user": "nobody-here"}))).await;
    let Outcome::Permanent(error) = lab.call("netconf", "getConfig", json!({})).await else { panic!() };
    assert!(error.is(StandardError::Authentication), "{error}");
}

/// A server that does what it should not.
pub(super) struct Rogue {
    sshd: std::process::Child,
    _folder: tempfile::TempDir,
    pub(super) port: u16,
}

impl Drop for Rogue {
    fn drop(&mut self) {
        self.sshd.kill().ok();
        self.sshd.wait().ok();
    }
}

const ROGUE: &str = r#"#!/usr/bin/env python3
import os, re, sys, time
mode, out, deaf = sys.argv[1], sys.stdout.buffer, sys.argv[0] + '.deaf'
def say(text): out.write(text.encode()); out.flush()
if mode == 'garbage': say('welcome to the machine]]>]]>'); time.sleep(60)
if mode == 'silent': time.sleep(60)
if mode == 'closed': sys.exit()
cap = 'urn:ietf:params:netconf:'
base = ['base:1.0', 'base:1.1'] if mode == 'deaf' else ['base:1.0']
caps = ''.join(f'<capability>{c}</capability>' for c in (*(cap + b for b in base), cap + 'capability:candidate:1.0', cap + 'capability:confirmed-commit:1.1'))
say(f'<hello xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><capabilities>{caps}</capabilities><session-id>1</session-id></hello>]]>]]>')
if mode == 'deaf' and not os.path.exists(deaf): open(deaf, 'w').close(); time.sleep(60)
text, edited, end = '', False, ']]>]]>'
while True:
    more = sys.stdin.buffer.raw.read(65536)
    if not more: break
    text += more.decode()
    while end in text:
        rpc, text = text.split(end, 1)
        if '<hello' in rpc:
            if mode == 'deaf': end = '\n##\n'
            continue
        found = re.search('message-id="([0-9]+)"', rpc)
        inside = '<ok/>'
        edited |= '<edit-config' in rpc
        if '<get-config' in rpc:
            if mode == 'huge': say('<rpc-reply>' + 'x' * (9 << 20)); time.sleep(60)
            if mode == 'malformed': inside = '<data><a></data>'
            else: inside = '<data><a xmlns="urn:a">%s</a></data>' % (edited and '<candidate/>' in rpc)
        if '<commit' in rpc:
            if mode == 'dies': sys.exit()
            if mode == 'hangs': time.sleep(60)
        if '<lock' in rpc and mode == 'locked':
            inside = '<rpc-error><error-tag>lock-denied</error-tag><error-severity>error</error-severity><error-message>session 7</error-message></rpc-error>'
        reply = f'<rpc-reply xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" message-id="{found[1]}">{inside}</rpc-reply>'
        say(f'\n#{len(reply)}\n{reply}{end}' if mode == 'deaf' else reply + end)
"#;

async fn rogue(mode: &str) -> Rogue {
    rogue_by(ROGUE, |script| format!("Subsystem netconf \"{script} {mode}\"")).await
}

/// One that runs a script, as the line of its configuration says.
pub(super) async fn rogue_by(script: &str, line: impl FnOnce(&str) -> String) -> Rogue {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("rogue"), script).unwrap();
    std::fs::set_permissions(path("rogue"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let key = std::env::var("TEST_NETWORK_KEY").unwrap();
    let of_lab = std::path::Path::new(&key).parent().unwrap().display().to_string();
    let port = closed_port().await;
    let configuration = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {of_lab}/host\nPidFile none\nStrictModes no\nUsePAM no\n\
         AuthorizedKeysFile {of_lab}/authorized_keys\n{}\n",
        line(&path("rogue"))
    );
    std::fs::write(path("sshd.conf"), configuration).unwrap();
    let mut command = std::process::Command::new("/usr/sbin/sshd");
    command.args(["-D", "-f", &path("sshd.conf")]).stderr(Stdio::null());
    let sshd = command.spawn().unwrap();
    eventually(async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()).await;
    Rogue { sshd, _folder: folder, port }
}

#[tokio::test]
async fn what_a_server_should_not_do_has_the_outcome_that_it_should() {
    let Some(lab) = lab().await else { return };
    let connect = async |mode: &str| {
        let rogue = rogue(mode).await;
        lab.bench.connect("netconf", "netconf", changed(&lab.netconf, json!({"port": rogue.port}))).await;
        rogue
    };
    let change = json!({"config": "<a xmlns=\"urn:a\">b</a>", "confirmWithin": "PT1M"});

    let _rogue = connect("garbage").await;
    let (status, words) = permanent(lab.call("netconf", "getConfig", json!({})).await);
    assert!(status == 502 && words.contains("does not greet as a NETCONF server"), "{words}");
    let _rogue = connect("closed").await;
    let words = retryable(lab.call("netconf", "change", change.clone()).await);
    assert!(words.contains("does not greet as a NETCONF server"), "{words}");
    let _rogue = connect("silent").await;
    let context = lab.limited(Duration::from_millis(1500));
    let words = retryable(lab.bench.call_in("network", with("netconf", "change", change.clone()), &context).await);
    assert!(words.contains("nothing was sent"), "{words}");

    let _rogue = connect("malformed").await;
    let (status, words) = permanent(lab.call("netconf", "getConfig", json!({})).await);
    assert!(status == 502 && words.contains("cannot be read"), "{words}");
    let _rogue = connect("huge").await;
    let (status, words) = permanent(lab.call("netconf", "getConfig", json!({})).await);
    assert!(status == 502 && words.contains("larger than 8 MiB; ask for less by `filter`"), "{words}");
    let _rogue = connect("locked").await;
    let words = retryable(lab.call("netconf", "change", change.clone()).await);
    assert!(words.contains("session 7") && words.contains("try again later"), "{words}");

    // It does not hear what comes right after the first greeting.
    let _rogue = connect("deaf").await;
    let read = done(lab.call("netconf", "getConfig", json!({})).await);
    assert!(read["config"].as_str().unwrap().contains("False"), "{read}");

    // The commit was sent, and nobody knows.
    let _rogue = connect("dies").await;
    let words = unknown(lab.call("netconf", "change", change.clone()).await);
    assert!(words.contains("it may have happened"), "{words}");
    let _rogue = connect("hangs").await;
    let context = lab.limited(Duration::from_millis(1500));
    unknown(lab.bench.call_in("network", with("netconf", "change", change.clone()), &context).await);
    let context = lab.bench.context("cancelled");
    let cancelled = context.cancelled.clone();
    let cancelling = async {
        tokio::task::yield_now().await;
        cancelled.cancel();
    };
    let call = lab.bench.call_in("network", with("netconf", "change", change), &context);
    unknown(tokio::join!(call, cancelling).0);
}
