//! `call: container`: against a real Podman, by TLS with a client certificate and by its socket, and against services that fail.

use std::time::Duration;

use axum::{Json, Router, routing::any};
use connectors::{
    Outcome, Probe, Repetition,
    egress::{Destination, Egress, EgressPolicy, Narrowed},
};
use domain::view::PlannedEffect;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use workflow::StandardError;

use crate::{
    faults::{SECRET, Subject},
    http::serve,
    support::{Bench, done, eventually, failed_step, permanent, planned, service, unknown},
};

/// A file of every image in the lab, of about two megabytes.
const BUSYBOX: &str = "/bin/busybox";

/// An engine that is none: whatever is said to it in the clear has to stay on this machine.
fn settings(address: &str) -> Value {
    let near = address.contains("//127.0.0.1");
    let address = if near { address.to_owned() } else { address.replace("http:", "https:") };
    json!({"address": address, "registry": "registry.test", "registryUser": "rondo", "registryPassword": SECRET})
}

fn with(operation: &str, more: Value) -> Value {
    let mut with = json!({"connection": "it", "operation": operation});
    with.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    with
}

/// The lab's Podman, with what this test makes there; it is removed when the test ends.
struct Podman {
    bench: Bench,
    settings: Value,
    registry: Vec<String>,
    /// Before all names here.
    prefix: String,
}

async fn podman(test: &str) -> Option<Podman> {
    let names = ["TEST_CONTAINER_URL", "TEST_CONTAINER_CA", "TEST_CONTAINER_CERTIFICATE", "TEST_CONTAINER_KEY"];
    let [url, ca, certificate, key] = service(&names)?.try_into().ok()?;
    let names = ["TEST_CONTAINER_REGISTRY", "TEST_CONTAINER_REGISTRY_USER", "TEST_CONTAINER_REGISTRY_PASSWORD"];
    let registry = service(&names)?;
    let read = |path| std::fs::read_to_string(path).unwrap();
    let settings = json!({
        "address": url, "ca": read(ca), "clientCertificate": read(certificate), "clientKey": read(key),
        "registry": registry[0], "registryUser": registry[1], "registryPassword": registry[2],
    });
    let bench = Bench::new().await;
    bench.connect("it", "docker", settings.clone()).await;
    Some(Podman { bench, settings, registry, prefix: format!("{test}-{:x}", testkit::seed()) })
}

impl Podman {
    fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    async fn call(&self, operation: &str, more: Value) -> Outcome {
        self.keyed("key", operation, more).await
    }

    async fn keyed(&self, key: &str, operation: &str, more: Value) -> Outcome {
        self.bench.call("container", &format!("{}-{key}", self.prefix), with(operation, more)).await
    }

    async fn probe(&self, key: &str, operation: &str, more: Value) -> Probe {
        self.bench.probe("container", &format!("{}-{key}", self.prefix), with(operation, more)).await
    }

    /// Runs a container of this name that serves a version on a port of its own.
    async fn serves(&self, name: &str, tag: &str) -> Value {
        let made = json!({
            "name": name, "image": format!("lab/web:{tag}"), "service": self.prefix,
            "ports": [{"container": 8080, "address": "127.0.0.1"}], "environment": {"SECRET": "canary"},
            "ready": {"http": {"port": 8080, "path": "/health"}, "for": "PT10S"}
        });
        done(self.keyed(name, "run", made).await)["container"].clone()
    }

    /// What the website of a container says.
    async fn version(&self, name: &str) -> String {
        let page = with("exec", json!({"name": name, "command": ["cat", "/www/index.html"], "onlyReads": true}));
        done(self.bench.call("container", "page", page).await)["stdout"].as_str().unwrap().trim().to_owned()
    }

    async fn state(&self, name: &str) -> Option<String> {
        let found = done(self.call("inspect", json!({"name": name})).await);
        found["container"]["state"].as_str().map(str::to_owned)
    }

    async fn names(&self) -> Vec<String> {
        let found = done(self.call("list", json!({"service": self.prefix})).await);
        let all = found["containers"].as_array().unwrap().iter();
        all.map(|one| one["name"].as_str().unwrap().trim_start_matches(&format!("{}-", self.prefix)).to_owned())
            .collect()
    }

    async fn clear(&self) {
        for name in self.names().await {
            done(self.call("remove", json!({"name": self.name(&name), "force": true})).await);
        }
    }
}

#[tokio::test]
async fn containers_are_run_looked_at_stopped_and_removed() {
    let Some(podman) = podman("run").await else { return };
    let web = podman.name("web");
    let container = podman.serves(&web, "1").await;
    assert_eq!((&container["name"], &container["state"]), (&json!(web), &json!("running")));
    assert_eq!((&container["service"], &container["remembered"]), (&json!(podman.prefix), &json!(true)));
    assert_eq!(container["ports"][0]["container"], 8080);
    assert!(!container.to_string().contains("canary"), "what it was made of stays out: {container}");
    let page = json!({"method": "get", "endpoint": format!("http://127.0.0.1:{}/", container["ports"][0]["host"])});
    assert_eq!(done(podman.bench.call("http", "k", page).await), "version 1\n");

    // The same call again finds what it has made; another one of that name is refused.
    let again = podman.serves(&web, "1").await;
    assert_eq!(again["id"], container["id"]);
    let other = json!({"name": web, "image": "lab/web:1"});
    let (status, words) = permanent(podman.keyed("other", "run", other).await);
    assert!(status == 409 && words.contains("choose another name, or replace it"), "{words}");

    let logs = done(podman.call("logs", json!({"name": web})).await);
    assert_eq!(logs, json!({"stdout": "serving version 1\n", "stderr": "", "truncated": false}));
    assert_eq!(done(podman.call("stop", json!({"name": web, "grace": 5})).await), json!({"changed": true}));
    assert_eq!(done(podman.call("stop", json!({"name": web})).await), json!({"changed": false}));
    assert_eq!(podman.state(&web).await.as_deref(), Some("exited"));
    let stopped = done(podman.call("list", json!({"service": podman.prefix, "state": "stopped"})).await);
    assert_eq!((&stopped["containers"][0]["name"], stopped["containers"].as_array().unwrap().len()), (&json!(web), 1));
    assert_eq!(done(podman.call("start", json!({"name": web})).await), json!({"changed": true}));
    let ready = json!({"name": web, "ready": {"tcp": 8080, "for": "PT10S"}, "grace": 2});
    assert_eq!(done(podman.call("restart", ready).await), json!({"changed": true}));
    let unwell = json!({"name": web, "ready": {"command": ["test", "-f", "/nowhere"], "for": "PT0.5S"}, "grace": 2});
    let (_, words) = permanent(podman.call("restart", unwell).await);
    assert!(words.contains("did not become ready"), "{words}");
    assert!(podman.bench.log_text().contains("info: serving version 1"), "{}", podman.bench.log_text());

    let (status, words) = permanent(podman.call("remove", json!({"name": web})).await);
    assert!(status == 409 && words.contains("stop it before"), "{words}");
    assert_eq!(done(podman.call("remove", json!({"name": web, "force": true})).await), json!({"removed": true}));
    assert_eq!(done(podman.call("remove", json!({"name": web})).await), json!({"removed": false}));
    assert_eq!(done(podman.call("inspect", json!({"name": web})).await), json!({"found": false, "container": null}));
    for operation in ["start", "stop", "restart", "logs"] {
        let (status, words) = permanent(podman.call(operation, json!({"name": web})).await);
        assert!(status == 404 && words.contains("compare the name"), "{operation}: {words}");
    }
}

#[tokio::test]
async fn commands_run_in_containers_with_exit_codes_and_bounded_output() {
    let Some(podman) = podman("exec").await else { return };
    let web = podman.name("web");
    podman.serves(&web, "1").await;
    let exec = async |words: &[&str], more: Value| {
        let mut arguments = json!({"name": web, "command": words});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        podman.call("exec", arguments).await
    };
    let script = "echo \"$0 $A\"; echo problem >&2; exit 3";
    let output = done(exec(&["sh", "-c", script, "a b"], json!({"expect": [3], "environment": {"A": "it's"}})).await);
    assert_eq!(output, json!({"exitCode": 3, "stdout": "a b it's\n", "stderr": "problem\n", "truncated": false}));
    let log = podman.bench.log_text();
    assert!(log.contains("info: a b it's") && log.contains("warn: problem"), "{log}");
    let (_, words) = permanent(exec(&["sh", "-c", "exit 4"], json!({})).await);
    assert!(words.contains("exit code 4"), "{words}");
    // More than an answer may have otherwise.
    let output = done(exec(&["cat", BUSYBOX, BUSYBOX, BUSYBOX, BUSYBOX], json!({"maxOutput": 10, "log": false})).await);
    assert_eq!(output["truncated"], true);
    let (_, words) = permanent(exec(&["no-such-program"], json!({})).await);
    assert!(words.contains("no-such-program") || words.contains("exit code 127"), "{words}");
    podman.clear().await;
}

#[tokio::test]
async fn images_are_fetched_with_the_account_and_removed_when_nobody_uses_them() {
    let Some(podman) = podman("images").await else { return };
    let repository = format!("{}/lab/single", podman.registry[0]);
    let image = format!("{repository}:1");
    let fetched = done(podman.call("pull", json!({"image": image})).await);
    assert!(fetched["imageId"].as_str().unwrap().len() > 60, "{fetched}");
    let (status, words) = permanent(podman.call("pull", json!({"image": format!("{repository}:nobody")})).await);
    assert!(status == 404 && words.contains("cannot be fetched") && words.contains("compare its name"), "{words}");
    assert!(!words.contains(&podman.registry[2]), "{words}");
    let mut wrong = podman.settings.clone();
    wrong["registryPassword"] = json!(SECRET);
    podman.bench.connect("wrong", "docker", wrong).await;
    let mut pull = with("pull", json!({"image": format!("{repository}:nobody")}));
    pull["connection"] = json!("wrong");
    let (_, words) = permanent(podman.bench.call("container", "k", pull).await);
    assert!(words.contains("has its account") && !words.contains(SECRET), "{words}");

    let web = podman.name("web");
    let never = json!({"name": web, "image": format!("{repository}:nobody"), "pull": "never"});
    assert!(permanent(podman.call("run", never).await).1.contains("let the task fetch it"));
    done(podman.call("run", json!({"name": web, "image": image, "service": podman.prefix})).await);
    let prune = json!({"repository": repository, "keep": 0});
    assert_eq!(done(podman.call("pruneImages", prune.clone()).await)["images"], json!([]), "it is used");
    podman.clear().await;
    assert_eq!(done(podman.call("pruneImages", prune).await)["images"], json!([image]));
}

#[tokio::test]
async fn a_container_is_replaced_and_put_back() {
    let Some(podman) = podman("replace").await else { return };
    let web = podman.name("web");
    let first = podman.serves(&web, "1").await;
    let ready = json!({"http": {"port": 8080, "path": "/health"}, "for": "PT10S"});
    for order in ["stop-first", "start-first"] {
        let replace = json!({"name": web, "image": "lab/web:2", "ready": ready, "order": order, "grace": 2});
        let before = done(podman.call("inspect", json!({"name": web})).await)["container"].clone();
        let output = done(podman.keyed(order, "replace", replace.clone()).await);
        assert_eq!(output["previous"]["id"], before["id"]);
        assert_eq!(output["container"]["name"], json!(web));
        assert_ne!(output["container"]["id"], before["id"]);
        assert_eq!(podman.version(&web).await, "version 2");
        assert_eq!(podman.names().await, ["web"], "nothing is left of the old one");
        // The same call again, as after a lost answer.
        assert_eq!(podman.probe(order, "replace", replace.clone()).await, Probe::Happened(output.clone()));
        assert_eq!(done(podman.keyed(order, "replace", replace).await)["container"]["id"], output["container"]["id"]);

        let key = format!("back-{order}");
        let back = done(
            podman.keyed(&key, "rollback", json!({"name": web, "ready": ready, "order": order, "grace": 2})).await,
        );
        assert_eq!(back["container"]["imageId"], first["imageId"]);
        assert_eq!(back["container"]["image"], first["image"]);
        assert_eq!(podman.version(&web).await, "version 1");
    }
    // The environment has come along all the time.
    let environment = json!({"name": web, "command": ["sh", "-c", "echo $SECRET"], "onlyReads": true});
    assert_eq!(done(podman.call("exec", environment).await)["stdout"], "canary\n");
    podman.clear().await;
}

#[tokio::test]
async fn a_replacement_that_is_not_well_leaves_the_old_one_running() {
    let Some(podman) = podman("unwell").await else { return };
    let web = podman.name("web");
    let first = podman.serves(&web, "1").await;
    let health = json!({"http": {"port": 8080, "path": "/health"}, "for": "PT4S"});
    for (tag, ready, said, order) in [
        ("sick", health.clone(), "answers with status 404", "stop-first"),
        ("sick", json!({"command": ["test", "-f", "/www/health"], "for": "PT4S"}), "exit code 1", "start-first"),
        ("broken", json!({"for": "PT10S"}), "ended with exit code 3", "stop-first"),
        ("sick", json!({"tcp": 9}), "port 9 is not published", "stop-first"),
    ] {
        let replace =
            json!({"name": web, "image": format!("lab/web:{tag}"), "ready": ready, "order": order, "grace": 2});
        let (_, words) = permanent(podman.keyed(&format!("{tag}{said}"), "replace", replace.clone()).await);
        assert!(words.contains(said) && words.contains("runs again as before"), "{words}");
        assert_eq!(podman.probe(&format!("{tag}{said}"), "replace", replace).await, Probe::DidNotHappen);
        let now = done(podman.call("inspect", json!({"name": web})).await)["container"].clone();
        assert_eq!((&now["id"], &now["state"]), (&first["id"], &json!("running")));
        assert_eq!(podman.names().await, ["web"]);
    }
    assert!(podman.bench.log_text().contains("warn: the configuration is wrong"), "{}", podman.bench.log_text());
    let (status, words) = permanent(
        podman.keyed("none", "replace", json!({"name": web, "image": "lab/web:none", "pull": "never"})).await,
    );
    assert!(status == 404 && words.contains("lab/web:none"), "{words}");
    assert_eq!(
        podman.state(&web).await.as_deref(),
        Some("running"),
        "nothing was stopped for an image that is not there"
    );
    let (status, words) = permanent(podman.keyed("back", "rollback", json!({"name": web})).await);
    assert!(status == 409 && words.contains("does not remember what it has replaced"), "{words}");
    podman.clear().await;
}

#[tokio::test]
async fn a_replacement_that_is_stopped_or_cut_off_is_taken_back() {
    let Some(podman) = podman("cut").await else { return };
    let web = podman.name("web");
    let first = podman.serves(&web, "1").await;
    let waits = json!({
        "name": web, "image": "lab/web:sick", "grace": 2, "ready": {"http": {"port": 8080, "path": "/health"}, "for": "PT20S"}
    });
    let is_first = async || {
        let now = done(podman.call("inspect", json!({"name": web})).await)["container"].clone();
        now["id"] == first["id"] && now["state"] == "running" && podman.names().await == ["web"]
    };
    // Stopped by somebody while it waits.
    let context = podman.bench.context(&podman.name("stopped"));
    let stop = async {
        eventually(async || podman.state(&web).await.as_deref() == Some("exited")).await;
        context.cancelled.cancel();
    };
    let call = podman.bench.call_in("container", with("replace", waits.clone()), &context);
    let (outcome, ()) = tokio::join!(call, stop);
    unknown(outcome);
    eventually(is_first).await;

    // Cut off, so that it cannot put back anything itself.
    let (address, cut) = wire(podman.settings["address"].as_str().unwrap()).await;
    let mut settings = podman.settings.clone();
    settings["address"] = json!(address);
    podman.bench.connect("wire", "docker", settings).await;
    let mut over_wire = with("replace", waits.clone());
    over_wire["connection"] = json!("wire");
    let context = podman.bench.context(&podman.name("cut"));
    let cutting = async {
        eventually(async || podman.state(&web).await.as_deref() == Some("exited")).await;
        cut.cancel();
    };
    let mut limited = context.clone();
    limited.deadline = Some(context.clock.now() + Duration::from_secs(5));
    let (outcome, ()) = tokio::join!(podman.bench.call_in("container", over_wire, &limited), cutting);
    unknown(outcome);
    assert!(!is_first().await);
    let other = json!({"name": web, "image": "lab/web:2"});
    let (status, words) = permanent(podman.keyed("meanwhile", "replace", other).await);
    assert!(status == 409 && words.contains("is being replaced by another call"), "{words}");
    assert_eq!(podman.bench.probe("container", &context.key, with("replace", waits)).await, Probe::DidNotHappen);
    assert!(is_first().await, "asking has put it back");
    podman.clear().await;
}

#[tokio::test]
async fn what_was_run_by_a_call_whose_answer_was_lost_is_found() {
    let Some(podman) = podman("lost").await else { return };
    let web = podman.name("web");
    let run = json!({"name": web, "image": "lab/web:1", "service": podman.prefix});
    assert_eq!(podman.probe("key", "run", run.clone()).await, Probe::DidNotHappen);
    let made = done(podman.call("run", run.clone()).await);
    match podman.probe("key", "run", run.clone()).await {
        Probe::Happened(found) => assert_eq!(found["container"]["id"], made["container"]["id"]),
        other => panic!("{other:?}"),
    }
    assert_eq!(podman.probe("other", "run", run).await, Probe::DidNotHappen, "it is another call's");
    let broken = json!({"name": podman.name("broken"), "image": "lab/web:broken", "service": podman.prefix});
    let (_, words) = permanent(podman.keyed("broken", "run", broken).await);
    assert!(words.contains("ended with exit code 3"), "{words}");
    assert_eq!(podman.names().await, ["web"], "what did not become ready is not in the way of another attempt");
    podman.clear().await;
}

#[tokio::test]
async fn instances_are_made_like_others_and_ended_ones_are_removed() {
    let Some(podman) = podman("scale").await else { return };
    let (one, two) = (podman.name("1"), podman.name("2"));
    let run = json!({
        "name": one, "image": "lab/web:1", "service": podman.prefix, "instance": 1, "labels": {"team": podman.prefix},
        "environment": {"A": "b"}, "memory": 64, "restart": "on-failure"
    });
    done(podman.keyed("1", "run", run).await);
    done(podman.keyed("2", "run", json!({"name": two, "like": one, "instance": 2})).await);
    assert_eq!(podman.names().await, ["1", "2"]);
    let environment = json!({"name": two, "command": ["sh", "-c", "echo $A"], "onlyReads": true});
    assert_eq!(done(podman.call("exec", environment).await)["stdout"], "b\n");
    done(podman.call("stop", json!({"name": two, "grace": 2})).await);
    let labels = json!({"labels": {"team": podman.prefix}});
    let much_older = json!({"labels": {"team": podman.prefix}, "olderThan": "P1D"});
    assert_eq!(done(podman.call("prune", much_older).await)["containers"].as_array().unwrap().len(), 0);
    assert_eq!(done(podman.call("prune", labels.clone()).await)["containers"].as_array().unwrap().len(), 1);
    assert_eq!(podman.names().await, ["1"], "what runs stays");
    let (_, words) = permanent(podman.call("prune", json!({"labels": {}})).await);
    assert!(words.contains("at least one"), "{words}");
    podman.clear().await;
}

#[tokio::test]
async fn an_engine_lets_in_who_shows_a_certificate_or_may_use_its_socket() {
    let Some(podman) = podman("check").await else { return };
    let check = podman.bench.check("docker", podman.settings.clone()).await;
    assert!(check.ok && check.steps.last().unwrap().detail.contains("Podman"), "{check:?}");
    let mut without = podman.settings.clone();
    for name in ["clientCertificate", "clientKey"] {
        without.as_object_mut().unwrap().remove(name);
    }
    let (step, words) = failed_step(&podman.bench.check("docker", without.clone()).await);
    assert!(step == "sign-in" && words.contains("client certificate"), "{step}: {words}");
    podman.bench.connect("it", "docker", without).await;
    let Outcome::Permanent(error) = podman.call("list", json!({})).await else { panic!() };
    assert!(error.is(StandardError::Authentication), "{error}");
    let made = rcgen::generate_simple_self_signed(["somebody".to_owned()]).unwrap();
    let mut other = podman.settings.clone();
    other["clientCertificate"] = json!(made.cert.pem());
    other["clientKey"] = json!(made.signing_key.serialize_pem());
    let (step, words) = failed_step(&podman.bench.check("docker", other).await);
    assert!(step == "sign-in" && words.contains("enter one into the connection that it trusts"), "{step}: {words}");

    let socket = std::env::var("TEST_CONTAINER_SOCKET").unwrap();
    let by_socket = json!({"address": format!("unix://{socket}")});
    let check = podman.bench.check("docker", by_socket.clone()).await;
    assert!(check.ok, "{check:?}");
    podman.bench.connect("it", "docker", by_socket.clone()).await;
    done(podman.call("list", json!({"service": podman.prefix})).await);
    let other = json!({"address": "unix:///run/somebody.sock"});
    let (step, words) = failed_step(&podman.bench.check("docker", other).await);
    assert!(step == "settings" && words.contains("container.sockets"), "{words}");

    let only = vec!["10.0.0.0/8".parse::<Destination>().unwrap()];
    let rule = Narrowed { namespace: "tests".parse().unwrap(), only };
    let narrowed = Bench::with_egress(Egress::new(EgressPolicy::default(), [rule])).await;
    narrowed.connect("it", "docker", by_socket).await;
    let Outcome::Permanent(error) = narrowed.call("container", "k", with("list", json!({}))).await else { panic!() };
    assert!(error.is(StandardError::Authorization) && error.to_string().contains("reach no sockets"), "{error}");
}

#[tokio::test]
async fn faults_are_told_apart() {
    let subject = Subject {
        function: "container",
        kind: "docker",
        settings,
        reads: Some(with("inspect", json!({"name": "web"}))),
        changes: with("run", json!({"name": "web", "image": "shop:1"})),
        garbled: "check that the connection's address is that of its API",
    };
    subject.endures().await;
}

#[tokio::test]
async fn an_image_that_takes_long_to_fetch_may_say_much() {
    for (end, outcome) in [("", None), ("{\"error\":\"manifest unknown\"}\n", Some("manifest unknown"))] {
        let said = "{\"status\":\"Downloading\"}\n".repeat(300_000) + end;
        let engine = Router::new()
            .route("/images/create", any(move || async move { said }))
            .fallback(|| async { Json(json!({"Id": "sha256:1"})) });
        let bench = Bench::new().await;
        bench.connect("it", "docker", settings(&serve(engine).await)).await;
        let fetched = bench.call("container", "k", with("pull", json!({"image": "shop:1"}))).await;
        match outcome {
            None => assert_eq!(done(fetched)["imageId"], "sha256:1"),
            Some(words) => assert!(permanent(fetched).1.contains(words)),
        }
    }
}

#[tokio::test]
async fn a_command_whose_end_is_not_known_is_a_persons_to_decide() {
    // It says that it has begun, and breaks off.
    let engine = Router::new()
        .route("/containers/web/exec", any(|| async { Json(json!({"Id": "e"})) }))
        .route("/exec/e/start", any(|| async { "\u{1}\0\0" }))
        .route("/exec/e/json", any(|| async { Json(json!({"Running": false, "ExitCode": 0})) }));
    let bench = Bench::new().await;
    bench.connect("it", "docker", settings(&serve(engine).await)).await;
    let exec = json!({"name": "web", "command": ["migrate"]});
    let words = unknown(bench.call("container", "k", with("exec", exec.clone())).await);
    assert!(words.contains("look there"), "{words}");
    let mut reads = with("exec", exec.clone());
    reads["onlyReads"] = json!(true);
    assert!(matches!(bench.call("container", "k", reads).await, Outcome::Lost(_)));
    // It has ended, and the engine does not say how.
    let whole = "\u{1}\0\0\0\0\0\0\u{2}ok";
    let engine = Router::new()
        .route("/containers/web/exec", any(|| async { Json(json!({"Id": "e"})) }))
        .route("/exec/e/start", any(move || async move { whole }))
        .route("/exec/e/json", any(|| async { axum::http::StatusCode::BAD_GATEWAY }));
    bench.connect("it", "docker", settings(&serve(engine).await)).await;
    let words = unknown(bench.call("container", "k", with("exec", exec)).await);
    assert!(words.contains("look there"), "{words}");
    // What was never told to start has done nothing.
    let nothing = Router::new().route("/containers/web/exec", any(std::future::pending::<()>));
    bench.connect("it", "docker", settings(&serve(nothing).await)).await;
    let mut context = bench.context("k");
    context.deadline = Some(context.clock.now() + Duration::from_millis(300));
    let exec = with("exec", json!({"name": "web", "command": ["migrate"]}));
    assert!(!matches!(bench.call_in("container", exec, &context).await, Outcome::Permanent(_) | Outcome::Done(_)));
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_before_it_is() {
    let bench = Bench::new().await;
    bench.connect("it", "docker", settings("http://127.0.0.1:1")).await;
    for (operation, more, words) in [
        ("run", json!({"name": "web", "image": "a b"}), "/image"),
        ("run", json!({"name": "web", "image": "a", "network": "host"}), "/network"),
        (
            "run",
            json!({"name": "web", "image": "a", "volumes": [{"volume": "/etc", "path": "/etc"}]}),
            "/volumes/0/volume",
        ),
        ("run", json!({"name": "web", "image": "a", "labels": {"dev.rondo.key": "x"}}), "choose another name"),
        ("run", json!({"name": "web"}), "give it as image"),
        ("exec", json!({"name": "web", "command": "ls"}), "/command"),
        ("stop", json!({"name": "web", "image": "a"}), "image"),
    ] {
        let (_, said) = permanent(bench.call("container", "k", with(operation, more)).await);
        assert!(said.contains(words), "{said}");
    }
    for (operation, more, expected) in [
        ("run", json!({"name": "a", "image": "a"}), Repetition::Probe),
        ("replace", json!({"name": "a"}), Repetition::Probe),
        ("rollback", json!({"name": "a"}), Repetition::Probe),
        ("exec", json!({"name": "a", "command": ["a"]}), Repetition::Once),
        ("exec", json!({"name": "a", "command": ["a"], "onlyReads": true}), Repetition::Safe),
        ("restart", json!({"name": "a"}), Repetition::Safe),
    ] {
        let request = bench.prepare("container", with(operation, more)).await.unwrap();
        assert_eq!(bench.registry.repetition(&request), expected, "{operation}");
    }
    let clear = json!({"address": "http://engine.example.test:2375"});
    let (step, words) = failed_step(&bench.check("docker", clear).await);
    assert!(step == "settings" && words.contains("use https:// with a client certificate"), "{words}");
}

/// A way to the engine that can be cut; what comes afterwards is not let in.
async fn wire(address: &str) -> (String, CancellationToken) {
    let port: u16 = address.rsplit(':').next().unwrap().parse().unwrap();
    let cut = CancellationToken::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    let cutting = cut.clone();
    tokio::spawn(async move {
        loop {
            let near = tokio::select! {
                near = listener.accept() => near.unwrap().0,
                () = cutting.cancelled() => break,
            };
            tokio::spawn(carried(near, port, cutting.clone()));
        }
    });
    (format!("https://127.0.0.1:{own}"), cut)
}

async fn carried(mut near: TcpStream, port: u16, cut: CancellationToken) {
    let mut far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
        () = cut.cancelled() => {}
    }
}

#[tokio::test]
async fn a_plan_says_what_would_change_and_changes_nothing() {
    let Some(podman) = podman("plan").await else { return };
    let name = podman.name("web");
    let plan =
        async |operation: &str, more: Value| planned(podman.bench.plan("container", with(operation, more)).await);
    let (effect, _, fields) = plan("run", json!({"name": name, "image": "lab/web:1"})).await;
    assert_eq!((effect, fields), (PlannedEffect::Changes, vec!["image: - → lab/web:1".to_owned()]));
    assert_eq!(podman.state(&name).await, None, "nothing was run");
    assert_eq!(plan("remove", json!({"name": name})).await.0, PlannedEffect::Nothing);
    assert_eq!(plan("replace", json!({"name": name, "image": "lab/web:2"})).await.0, PlannedEffect::Fails);

    let made = podman.serves(&name, "1").await;
    assert_eq!(plan("run", json!({"name": name, "image": "lab/web:1"})).await.0, PlannedEffect::Fails);
    let (_, words, fields) = plan("replace", json!({"name": name, "image": "lab/web:2"})).await;
    assert!(
        words.contains("which runs") && fields.len() == 1 && fields[0].ends_with("lab/web:2"),
        "{words} {fields:?}"
    );
    assert_eq!(plan("start", json!({"name": name})).await.0, PlannedEffect::Nothing);
    assert_eq!(plan("stop", json!({"name": name})).await.0, PlannedEffect::Changes);
    assert_eq!(plan("remove", json!({"name": name})).await.0, PlannedEffect::Fails);
    assert_eq!(plan("remove", json!({"name": name, "force": true})).await.0, PlannedEffect::Changes);
    let now = done(podman.call("inspect", json!({"name": name})).await);
    assert_eq!((&now["container"]["id"], &now["container"]["state"]), (&made["id"], &json!("running")));
    podman.clear().await;
}
