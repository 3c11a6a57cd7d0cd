//! `call: ssh` on a real OpenSSH, with a jump host.

use std::{os::unix::fs::PermissionsExt as _, path::PathBuf, time::Duration};

use connectors::{CallContext, Outcome, Probe, Repetition};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, net::TcpListener};
use workflow::StandardError;

use crate::support::{
    Bench, closed_port, done, eventually, failed_step, greeting, permanent, retryable, service, unknown,
};

struct Host {
    bench: Bench,
    settings: Value,
    /// A folder of this test on the host, which is this machine.
    home: PathBuf,
    jump_port: u16,
    jump_key: String,
}

async fn host(test: &str) -> Option<Host> {
    let names = [
        "TEST_SSH_PORT",
        "TEST_SSH_HOST_KEY",
        "TEST_SSH_USER",
        "TEST_SSH_KEY",
        "TEST_SSH_HOME",
        "TEST_SSH_JUMP_PORT",
        "TEST_SSH_JUMP_HOST_KEY",
    ];
    let [port, host_key, user, key, home, jump_port, jump_key] = service(&names)?.try_into().ok()?;
    let home = PathBuf::from(home).join(format!("{test}-{:x}", testkit::seed()));
    std::fs::create_dir_all(&home).unwrap();
    let settings = json!({
        "host": "127.0.0.1", "port": port.parse::<u16>().unwrap(), "user": user, "hostKeys": [host_key],
        "privateKey": std::fs::read_to_string(key).unwrap(), "markers": home.join("markers")
    });
    let bench = Bench::new().await;
    bench.connect("server", "ssh", settings.clone()).await;
    Some(Host { bench, settings, home, jump_port: jump_port.parse().unwrap(), jump_key })
}

fn with(operation: &str, more: Value) -> Value {
    let mut with = json!({"connection": "server", "operation": operation});
    with.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    with
}

impl Host {
    async fn call(&self, key: &str, operation: &str, more: Value) -> Outcome {
        self.bench.call("ssh", key, with(operation, more)).await
    }

    async fn run(&self, command: &str, more: Value) -> Outcome {
        let mut arguments = json!({"command": command});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.call("run", "run", arguments).await
    }

    fn changed(&self, more: Value) -> Value {
        let mut settings = self.settings.clone();
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        settings
    }

    fn path(&self, name: &str) -> String {
        self.home.join(name).display().to_string()
    }

    fn limited(&self, key: &str, limit: Duration) -> CallContext {
        let mut context = self.bench.context(key);
        context.deadline = Some(context.clock.now() + limit);
        context
    }
}

#[tokio::test]
async fn commands_run_with_arguments_input_environment_and_exit_codes() {
    let Some(host) = host("run").await else { return };
    let output = done(host.run("printf '<%s>'", json!({"arguments": ["a b", "it's", "$(id)", ""]})).await);
    assert_eq!(output, json!({"exitCode": 0, "stdout": "<a b><it's><$(id)><>", "stderr": "", "truncated": false}));
    let output = done(host.run("cat; echo problem >&2; exit 3", json!({"stdin": "in\n", "expect": [0, 3]})).await);
    assert_eq!(output, json!({"exitCode": 3, "stdout": "in\n", "stderr": "problem\n", "truncated": false}));
    let log = host.bench.log_text();
    assert!(log.contains("info: in") && log.contains("warn: problem"), "{log}");

    let output = done(host.run("printf $LC_RONDO", json!({"environment": {"LC_RONDO": "here"}})).await);
    assert_eq!(output["stdout"], "here");
    let (_, words) = permanent(host.run("true", json!({"environment": {"RONDO": "x"}})).await);
    assert!(words.contains("does not take the variable RONDO") && words.contains("AcceptEnv"), "{words}");

    let Outcome::Permanent(error) = host.run("exit 4", json!({})).await else { panic!() };
    assert!(error.is(StandardError::Runtime) && error.to_string().contains("exit code 4"), "{error}");
    let (_, words) = permanent(host.run("kill -KILL $$", json!({})).await);
    assert!(words.contains("signal KILL"), "{words}");
}

#[tokio::test]
async fn only_the_beginning_of_much_output_is_kept_and_the_command_goes_on() {
    let Some(host) = host("much").await else { return };
    let file = host.path("ended");
    let more = json!({"arguments": [file], "maxOutput": 10, "log": false});
    let output = done(host.run("sh -c 'yes | head -c 5000000; touch \"$0\"'", more).await);
    assert_eq!((&output["stdout"], &output["truncated"]), (&json!("y\ny\ny\ny\ny\n"), &json!(true)));
    assert!(std::fs::exists(file).unwrap());
    assert!(!host.bench.log_text().contains('y'), "nothing was to be logged");
}

#[tokio::test]
async fn files_are_written_read_looked_at_and_removed() {
    let Some(host) = host("files").await else { return };
    let path = host.path("a file");
    let none = done(host.call("k", "stat", json!({"path": path})).await);
    assert_eq!(none, json!({"exists": false}));
    let written = done(host.call("k", "upload", json!({"path": path, "content": "첫째", "mode": "0640"})).await);
    assert_eq!(written, json!({"path": path, "bytes": 6}));
    let large = "x".repeat(200_000);
    done(host.call("k", "upload", json!({"path": path, "content": large})).await);
    let stat = done(host.call("k", "stat", json!({"path": path})).await);
    assert_eq!((&stat["type"], &stat["size"], &stat["mode"]), (&json!("file"), &json!(200_000), &json!("0644")));
    let read = done(host.call("k", "download", json!({"path": path})).await);
    assert_eq!((read["content"].as_str().unwrap().len(), &read["bytes"]), (200_000, &json!(200_000)));
    assert_eq!(std::fs::read_dir(&host.home).unwrap().count(), 1, "nothing unfinished is left");

    let (status, words) = permanent(host.call("k", "download", json!({"path": path, "maxBytes": 1000})).await);
    assert_eq!(status, 413);
    assert!(words.contains("raise `maxBytes`"), "{words}");
    let binary = json!({"path": path, "content": "/wA=", "encoding": "base64"});
    done(host.call("k", "upload", binary).await);
    let (_, words) = permanent(host.call("k", "download", json!({"path": path})).await);
    assert!(words.contains("encoding: base64"), "{words}");
    let read = done(host.call("k", "download", json!({"path": path, "encoding": "base64"})).await);
    assert_eq!(read, json!({"content": "/wA=", "bytes": 2}));

    assert_eq!(done(host.call("k", "remove", json!({"path": path})).await), json!({"removed": true}));
    assert_eq!(done(host.call("k", "remove", json!({"path": path})).await), json!({"removed": false}));
    let (status, words) = permanent(host.call("k", "download", json!({"path": path})).await);
    assert_eq!(status, 404);
    assert!(words.contains(&path), "{words}");
    let folder = json!({"path": host.path("no folder/x"), "content": ""});
    assert_eq!(permanent(host.call("k", "upload", folder).await).0, 404);
}

#[tokio::test]
async fn a_command_that_is_remembered_runs_once() {
    let Some(host) = host("once").await else { return };
    let file = host.path("counted");
    let once = |command: &str, key: &str| {
        let arguments = json!({"command": command, "arguments": [file], "once": true});
        (format!("{key}-{}", testkit::seed()), with("run", arguments))
    };
    let (key, counting) = once("sh -c 'echo x >> \"$0\"; wc -l < \"$0\"; echo note >&2'", "count");
    assert_eq!(host.bench.probe("ssh", &key, counting.clone()).await, Probe::DidNotHappen);
    let first = done(host.bench.call("ssh", &key, counting.clone()).await);
    assert_eq!(first, json!({"exitCode": 0, "stdout": "1\n", "stderr": "note\n", "truncated": false}));
    assert_eq!(done(host.bench.call("ssh", &key, counting.clone()).await), first, "it is not run again");
    assert_eq!(host.bench.probe("ssh", &key, counting).await, Probe::Happened(first));

    // A failure is told, and then a retry runs it anew.
    let (key, failing) = once("sh -c 'echo y >> \"$0\"; exit 7'", "fail");
    for _ in 0..2 {
        let (_, words) = permanent(host.bench.call("ssh", &key, failing.clone()).await);
        assert!(words.contains("exit code 7"), "{words}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "x\ny\ny\n");
    // What the host remembers is the account's only; what the command makes is as it would be without.
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o077;
    assert_ne!(mode(std::path::Path::new(&file)), 0);
    let kept = std::fs::read_dir(host.home.join("markers")).unwrap().next().unwrap().unwrap().path();
    assert_eq!(
        (mode(&kept), mode(&kept.join("out")), std::fs::read_to_string(kept.join("code")).unwrap().as_str()),
        (0, 0, "0\n")
    );
}

#[tokio::test]
async fn what_runs_on_after_a_lost_connection_is_found_again() {
    let Some(host) = host("lost").await else { return };
    let (wire, cut) = wire(host.settings["port"].as_u64().unwrap()).await;
    host.bench.connect("server", "ssh", host.changed(json!({"port": wire}))).await;
    let (begun, go) = (host.path("begun"), host.path("go"));
    let key = format!("lost-{}", testkit::seed());
    let script = "sh -c 'touch \"$0\"; until [ -e \"$1\" ]; do sleep 0.05; done; echo done'";
    let waiting = with("run", json!({"command": script, "arguments": [begun, go], "once": true}));
    let calling = host.bench.call("ssh", &key, waiting.clone());
    let cutting = async {
        eventually(async || std::fs::exists(&begun).unwrap()).await;
        cut.cancel();
    };
    let (outcome, ()) = tokio::join!(calling, cutting);
    let words = unknown(outcome);
    assert!(words.contains("lost while the command ran"), "{words}");

    host.bench.connect("direct", "ssh", host.settings.clone()).await;
    let mut direct = waiting;
    direct["connection"] = json!("direct");
    assert_eq!(host.bench.probe("ssh", &key, direct.clone()).await, Probe::CannotTell, "it still runs");
    std::fs::write(go, "").unwrap();
    eventually(async || {
        let probe = host.bench.probe("ssh", &key, direct.clone()).await;
        matches!(probe, Probe::Happened(output) if output["stdout"] == "done\n")
    })
    .await;
}

/// A way to a port of this machine that can be cut.
pub(crate) async fn wire(port: u64) -> (u16, tokio_util::sync::CancellationToken) {
    let (port, cut) = (u16::try_from(port).unwrap(), tokio_util::sync::CancellationToken::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    let cutting = cut.clone();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let cutting = cutting.clone();
            tokio::spawn(async move {
                let mut far = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                    () = cutting.cancelled() => {}
                }
                near.shutdown().await.ok();
            });
        }
    });
    (own, cut)
}

#[tokio::test]
async fn a_stopped_call_stops_its_command() {
    let Some(host) = host("stop").await else { return };
    let (begun, stopped) = (host.path("begun"), host.path("stopped"));
    let script = "sh -c 'trap \"touch $1; exit 1\" TERM; touch \"$0\"; while :; do sleep 0.05; done'";
    let arguments = json!({"command": script, "arguments": [begun, stopped]});
    let context = host.bench.context("stop");
    let calling = host.bench.call_in("ssh", with("run", arguments.clone()), &context);
    let stopping = async {
        eventually(async || std::fs::exists(&begun).unwrap()).await;
        context.cancelled.cancel();
    };
    let (outcome, ()) = tokio::join!(calling, stopping);
    assert!(unknown(outcome).contains("stopped while it was under way"));
    eventually(async || std::fs::exists(&stopped).unwrap()).await;

    // The same at the deadline; a command that only reads may be made again.
    std::fs::remove_file(&stopped).unwrap();
    let context = host.limited("late", Duration::from_secs(2));
    assert!(unknown(host.bench.call_in("ssh", with("run", arguments.clone()), &context).await).contains("longer"));
    eventually(async || std::fs::exists(&stopped).unwrap()).await;
    std::fs::remove_file(&stopped).unwrap();
    let mut reading = with("run", arguments);
    reading["onlyReads"] = json!(true);
    let context = host.limited("reading", Duration::from_secs(2));
    assert!(matches!(host.bench.call_in("ssh", reading, &context).await, Outcome::Lost(_)));
    eventually(async || std::fs::exists(&stopped).unwrap()).await;
}

#[tokio::test]
async fn a_group_of_hosts_is_reached_by_name_and_over_a_jump_host() {
    let Some(host) = host("group").await else { return };
    let key = host.settings["hostKeys"].clone();
    let listed = [format!("second localhost:{} {}", host.settings["port"], key[0].as_str().unwrap())];
    let jump = json!({
        "hosts": listed, "jumpHost": "127.0.0.1", "jumpPort": host.jump_port, "jumpUser": host.settings["user"],
        "jumpHostKeys": [host.jump_key], "jumpPrivateKey": host.settings["privateKey"]
    });
    let check = host.bench.check("ssh", host.changed(jump.clone())).await;
    assert!(check.ok, "{check:?}");
    assert_eq!(check.steps.iter().filter(|step| step.step == "right").count(), 2, "{check:?}");
    host.bench.connect("server", "ssh", host.changed(jump.clone())).await;
    for more in [json!({}), json!({"host": "second"}), json!({"host": "127.0.0.1"})] {
        assert_eq!(done(host.run("echo here", more).await)["stdout"], "here\n");
    }
    let (_, words) = permanent(host.run("true", json!({"host": "third"})).await);
    assert!(words.contains("does not allow the host third; it allows 127.0.0.1, second"), "{words}");

    // The host itself forwards nothing, and a closed port is the host's, not the jump host's.
    let mut other = jump.clone();
    other["jumpPort"] = host.settings["port"].clone();
    other["jumpHostKeys"] = key;
    let (step, words) = failed_step(&host.bench.check("ssh", host.changed(other)).await);
    assert_eq!(step, "host-key");
    assert!(words.contains("AllowTcpForwarding"), "{words}");
    let mut closed = jump;
    closed["port"] = json!(closed_port().await);
    host.bench.connect("server", "ssh", host.changed(closed)).await;
    let words = retryable(host.run("true", json!({})).await);
    assert!(words.contains("opens no connection to 127.0.0.1"), "{words}");
}

#[tokio::test]
async fn each_way_to_fail_names_its_step_and_its_remedy() {
    let Some(host) = host("steps").await else { return };
    let check = host.bench.check("ssh", host.settings.clone()).await;
    assert!(check.ok, "{check:?}");
    let last = &check.steps.last().unwrap().detail;
    assert!(last.contains("run commands and transfer files"), "{last}");

    let step = async |more: Value| failed_step(&host.bench.check("ssh", host.changed(more)).await);
    assert_eq!(step(json!({"host": "host.invalid"})).await.0, "name");
    assert_eq!(step(json!({"port": closed_port().await})).await.0, "connect");
    let (at, words) = step(json!({"hostKeys": ["SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]})).await;
    assert_eq!(at, "host-key");
    let shown = host.settings["hostKeys"][0].as_str().unwrap();
    assert!(words.contains(shown) && words.contains("SHA256:"), "the key can be pasted: {words}");
    let fingerprint = words.split_whitespace().find(|word| word.starts_with("SHA256:")).unwrap().to_owned();
    assert!(host.bench.check("ssh", host.changed(json!({"hostKeys": [fingerprint]}))).await.ok);
    let [ecdsa, rsa]: [String; 2] =
        ["TEST_SSH_ECDSA_HOST_KEY", "TEST_SSH_RSA_PORT"].map(|name| std::env::var(name).unwrap());
    let check = host.bench.check("ssh", host.changed(json!({"hostKeys": [ecdsa]}))).await;
    assert!(check.ok, "a host is asked for the key that is pinned: {check:?}");
    let (at, words) = step(json!({"port": rsa.parse::<u16>().unwrap()})).await;
    assert_eq!(at, "host-key");
    assert!(words.contains("give it a host key of kind ed25519 or ecdsa") && words.contains("rsa"), "{words}");
    let (at, words) = step(json!({"user": "nobody-here"})).await;
    assert_eq!(at, "sign-in");
    assert!(words.contains("refused the sign-in of nobody-here") && words.contains("publickey"), "{words}");
    let pasted = host.settings["privateKey"].as_str().unwrap().replace('\n', "");
    assert!(host.bench.check("ssh", host.changed(json!({"privateKey": pasted}))).await.ok);
    let (at, words) = step(json!({"privateKey": "geheim"})).await;
    assert_eq!(at, "settings");
    assert!(words.contains("cannot be read") && !words.contains("geheim"), "{words}");
    assert_eq!(step(json!({"hostKeys": ["not a key at all"]})).await.0, "settings");
}

#[tokio::test]
async fn failures_before_a_command_was_sent_are_retryable_or_permanent() {
    let Some(host) = host("failures").await else { return };
    let outcome = async |more: Value| {
        host.bench.connect("server", "ssh", host.changed(more)).await;
        host.run("true", json!({})).await
    };
    let closed = closed_port().await;
    assert!(retryable(outcome(json!({"port": closed})).await).contains(&closed.to_string()));
    let Outcome::Permanent(error) = outcome(json!({"hostKeys": ["SHA256:other-fingerprint"]})).await else { panic!() };
    assert!(error.is(StandardError::Authentication) && error.to_string().contains("not trusted"), "{error}");
    let mut settings = host.changed(json!({"password": "geheim-4711", "port": host.settings["port"]}));
    settings.as_object_mut().unwrap().remove("privateKey");
    host.bench.connect("server", "ssh", settings).await;
    let Outcome::Permanent(error) = host.run("true", json!({})).await else { panic!() };
    assert!(error.is(StandardError::Authentication) && !error.to_string().contains("geheim"), "{error}");

    let silent = greeting(b"", false).await;
    host.bench.connect("server", "ssh", host.changed(json!({"port": silent}))).await;
    let context = host.limited("silent", Duration::from_secs(1));
    let words = retryable(host.bench.call_in("ssh", with("run", json!({"command": "true"})), &context).await);
    assert!(words.contains("nothing was sent"), "{words}");

    let garbage = greeting(b"220 mail.example.test ESMTP\r\n\0\xff\xfe\r\n", true).await;
    let words = retryable(outcome(json!({"port": garbage})).await);
    assert!(words.contains("does not answer as an SSH server does"), "{words}");
    let nonsense = greeting(b"SSH-2.0-nonsense\r\n\x00\x00\x00\xff\x04garbage that is no packet at all", true).await;
    retryable(outcome(json!({"port": nonsense})).await);
}

#[tokio::test]
async fn what_may_be_repeated_is_what_the_definition_says() {
    let Some(host) = host("repeat").await else { return };
    for (operation, more, expected) in [
        ("run", json!({"command": "true"}), Repetition::Once),
        ("run", json!({"command": "true", "onlyReads": true}), Repetition::Safe),
        ("run", json!({"command": "true", "once": true}), Repetition::Probe),
        ("upload", json!({"path": "x", "content": "y"}), Repetition::Safe),
        ("remove", json!({"path": "x"}), Repetition::Safe),
    ] {
        let request = host.bench.prepare("ssh", with(operation, more)).await.unwrap();
        assert_eq!(host.bench.registry.repetition(&request), expected, "{operation}");
    }
    let failure = host.bench.prepare("ssh", with("stat", json!({"path": "x", "command": "y"}))).await.err().unwrap();
    assert!(failure.detail().contains("command"), "{failure}");
}
