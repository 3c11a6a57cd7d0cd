//! `call: kubernetes`: against a stand-in that answers as the API's reference says, and against services that fail. It was not run
//! against a real cluster.

mod stand_in;

use connectors::{Outcome, Probe, Repetition};
use domain::view::PlannedEffect;
use serde_json::{Value, json};
use workflow::StandardError;

use crate::{
    faults::{SECRET, Subject},
    http::serve,
    support::{Bench, done, failed_step, permanent, planned},
};
use stand_in::{StandIn, TOKEN};

fn settings(address: &str) -> Value {
    let near = address.contains("//127.0.0.1");
    let address = if near { address.to_owned() } else { address.replace("http:", "https:") };
    json!({"server": address, "token": SECRET})
}

fn with(operation: &str, more: Value) -> Value {
    let mut with = json!({"connection": "it", "operation": operation});
    with.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    with
}

struct Bed {
    bench: Bench,
    cluster: StandIn,
    address: String,
}

async fn bed() -> Bed {
    let (bench, cluster) = (Bench::new().await, StandIn::default());
    let address = serve(cluster.router()).await;
    bench.connect("it", "kubernetes", json!({"server": address, "token": TOKEN, "namespace": "shop"})).await;
    Bed { bench, cluster, address }
}

impl Bed {
    async fn call(&self, operation: &str, more: Value) -> Outcome {
        self.bench.call("kubernetes", "key", with(operation, more)).await
    }
}

fn deployment(replicas: u64) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"replicas": replicas, "template": {"metadata": {"labels": {"app": "web"}}}}
    })
}

#[tokio::test]
async fn manifests_are_applied_read_and_deleted() {
    let bed = bed().await;
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys", "namespace": "other"}, "data": {"a": "Yg=="}});
    let applied = done(bed.call("apply", json!({"manifests": [deployment(2), secret]})).await);
    assert_eq!(
        applied["applied"],
        json!([
            {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "namespace": "shop", "created": true},
            {"apiVersion": "v1", "kind": "Secret", "name": "keys", "namespace": "other", "created": true}
        ])
    );
    let again = done(bed.call("apply", json!({"manifests": [deployment(2)]})).await);
    assert_eq!(again["applied"][0]["created"], false);
    let web = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
    let read = done(bed.call("get", web.clone()).await);
    assert_eq!((&read["found"], &read["object"]["spec"]["replicas"]), (&json!(true), &json!(2)));
    let keys = json!({"apiVersion": "v1", "kind": "Secret", "name": "keys", "namespace": "other"});
    assert!(done(bed.call("get", keys).await)["object"]["data"].is_null(), "what secrets hold is not read");

    // Another manager has a field.
    bed.cluster.claims("web");
    let (status, words) = permanent(bed.call("apply", json!({"manifests": [deployment(3)]})).await);
    assert!(status == 409 && words.contains("take them over with force"), "{words}");
    done(bed.call("apply", json!({"manifests": [deployment(3)], "force": true})).await);

    let unknown = json!({"apiVersion": "example.test/v1", "kind": "Thing", "metadata": {"name": "a"}});
    let (status, words) =
        permanent(bed.call("apply", json!({"manifests": [deployment(3), unknown], "force": true})).await);
    assert!(status == 404 && words.contains("install what defines it"), "{words}");
    assert!(words.contains("applied before it: Deployment web"), "{words}");
    assert_eq!(done(bed.call("delete", web.clone()).await), json!({"deleted": true}));
    assert_eq!(done(bed.call("delete", web.clone()).await), json!({"deleted": false}));
    assert_eq!(done(bed.call("get", web).await), json!({"found": false, "object": null}));
}

#[tokio::test]
async fn workloads_are_scaled_restarted_once_and_waited_for() {
    let bed = bed().await;
    done(bed.call("apply", json!({"manifests": [deployment(2)]})).await);
    let web = |more: Value| {
        let mut all = json!({"kind": "Deployment", "name": "web"});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let scaled = done(bed.call("scale", web(json!({"replicas": 5}))).await);
    assert_eq!(scaled, json!({"before": 2, "replicas": 5}));
    bed.cluster.rolls_out("web", 3);
    let (_, words) = permanent(bed.call("rolloutStatus", web(json!({"for": "PT0.1S"}))).await);
    assert!(words.contains("3 of 5 pods are new"), "{words}");
    bed.cluster.rolls_out("web", 5);
    assert_eq!(done(bed.call("rolloutStatus", web(json!({}))).await), json!({"replicas": 5, "ready": 5}));

    let before = bed.cluster.generation("web");
    for _ in 0..2 {
        assert_eq!(done(bed.call("restart", web(json!({}))).await), json!({"restarted": true}));
    }
    assert_eq!(bed.cluster.generation("web"), before + 1, "the same call restarts once");
    for (operation, more) in [("scale", json!({"replicas": 1})), ("restart", json!({})), ("rolloutStatus", json!({}))] {
        let mut other = web(more);
        other["name"] = json!("nobody");
        let (status, words) = permanent(bed.call(operation, other).await);
        assert!(status == 404 && words.contains("compare its name and namespace"), "{operation}: {words}");
    }
}

#[tokio::test]
async fn jobs_run_once_to_their_end() {
    let bed = bed().await;
    let job = |name: &str| json!({"manifest": {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}}});
    assert_eq!(bed.bench.probe("kubernetes", "key", with("runJob", job("migrate"))).await, Probe::DidNotHappen);
    let mut vanishes = job("migrate");
    vanishes["manifest"]["spec"] = json!({"ttlSecondsAfterFinished": 60});
    assert_eq!(bed.bench.probe("kubernetes", "key", with("runJob", vanishes)).await, Probe::CannotTell);
    let output = done(bed.call("runJob", job("migrate")).await);
    assert_eq!(output, json!({"job": "migrate", "logs": [{"pod": "migrate-x", "log": "did migrate\n"}]}));
    assert!(bed.bench.log_text().contains("did migrate"));
    assert_eq!(done(bed.call("runJob", job("migrate")).await), output, "it is not made again");
    assert_eq!(bed.bench.probe("kubernetes", "key", with("runJob", job("migrate"))).await, Probe::Happened(output));
    let (status, words) = permanent(bed.bench.call("kubernetes", "other", with("runJob", job("migrate"))).await);
    assert!(status == 409 && words.contains("give each its own name"), "{words}");
    let (_, words) = permanent(bed.call("runJob", job("fails")).await);
    assert!(words.contains("has failed: BackoffLimitExceeded"), "{words}");
    let mut waits = job("goes-on");
    waits["for"] = json!("PT0.1S");
    assert!(matches!(bed.call("runJob", waits).await, Outcome::Unknown(_)));
    let (_, words) = permanent(bed.call("runJob", json!({"manifest": deployment(1)})).await);
    assert!(words.contains("kind Job"), "{words}");
    let logs = done(bed.call("logs", json!({"selector": {"job-name": "migrate"}, "lines": 5})).await);
    assert_eq!(logs["logs"][0]["log"], "did migrate\n");
}

#[tokio::test]
async fn nodes_are_drained_as_far_as_budgets_let_it() {
    let bed = bed().await;
    bed.cluster.node("node-1");
    bed.cluster.pod("web-1", "node-1", json!({}));
    bed.cluster.pod("agent", "node-1", json!({"ownerReferences": [{"kind": "DaemonSet"}]}));
    bed.cluster.pod("elsewhere", "node-2", json!({}));
    let drained = done(bed.call("drain", json!({"node": "node-1"})).await);
    assert_eq!(drained, json!({"evicted": ["shop/web-1"]}));
    assert!(bed.cluster.is_closed("node-1"));
    assert_eq!(done(bed.call("uncordon", json!({"node": "node-1"})).await), json!({"changed": true}));
    assert_eq!(done(bed.call("uncordon", json!({"node": "node-1"})).await), json!({"changed": false}));

    bed.cluster.pod("budgeted", "node-1", json!({}));
    let (_, words) = permanent(bed.call("drain", json!({"node": "node-1", "for": "PT0.1S"})).await);
    assert!(words.contains("budget of disruption of shop/budgeted") && words.contains("uncordoned"), "{words}");
    let (status, words) = permanent(bed.call("drain", json!({"node": "nobody"})).await);
    assert!(status == 404 && words.contains("there is no node nobody"), "{words}");
}

#[tokio::test]
async fn accounts_that_are_not_accepted_are_told_from_rights_that_are_missing() {
    let bed = bed().await;
    let check = bed.bench.check("kubernetes", json!({"server": bed.address, "token": TOKEN})).await;
    assert!(check.ok, "{check:?}");
    for (token, kind, remedy, step) in [
        (SECRET, StandardError::Authentication, "enter a new one", "sign-in"),
        ("reader", StandardError::Authorization, "bind a role", "right"),
    ] {
        let settings = json!({"server": bed.address, "token": token});
        bed.bench.connect("it", "kubernetes", settings.clone()).await;
        let get = json!({"apiVersion": "v1", "kind": "Secret", "name": "a"});
        let Outcome::Permanent(error) = bed.call("get", get).await else { panic!("{token}") };
        let words = error.to_string();
        assert!(error.is(kind) && words.contains(remedy) && !words.contains(SECRET), "{words}");
        assert_eq!(failed_step(&bed.bench.check("kubernetes", settings).await).0, step);
    }
    let clear = json!({"server": "http://cluster.example.test:8080", "token": SECRET});
    assert!(failed_step(&bed.bench.check("kubernetes", clear).await).1.contains("use the cluster's address by https"));
    let nobody = json!({"server": bed.address});
    assert!(failed_step(&bed.bench.check("kubernetes", nobody).await).1.contains("enter a token"));
}

#[tokio::test]
async fn faults_are_told_apart() {
    let job = json!({"manifest": {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate"}}});
    let subject = Subject {
        function: "kubernetes",
        kind: "kubernetes",
        settings,
        reads: Some(with("get", json!({"apiVersion": "v1", "kind": "Pod", "name": "a"}))),
        changes: with("runJob", job),
        garbled: "check that the connection's address is that of its API server",
    };
    subject.endures().await;
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_before_it_is() {
    let bench = Bench::new().await;
    bench.connect("it", "kubernetes", settings("http://127.0.0.1:1")).await;
    for (operation, more, words) in [
        ("apply", json!({"manifests": [{"kind": "Pod"}]}), "/manifests/0"),
        ("scale", json!({"kind": "DaemonSet", "name": "a", "replicas": 1}), "/kind"),
        ("get", json!({"apiVersion": "v1", "kind": "Pod", "name": "../secrets"}), "/name"),
        ("drain", json!({"node": "n", "name": "a"}), "name"),
    ] {
        let (_, said) = permanent(bench.call("kubernetes", "k", with(operation, more)).await);
        assert!(said.contains(words), "{said}");
    }
    let restart = with("restart", json!({"kind": "Deployment", "name": "a"}));
    let request = bench.prepare("kubernetes", restart).await.unwrap();
    assert_eq!(bench.registry.repetition(&request), Repetition::Safe);
}

#[tokio::test]
async fn a_plan_says_what_would_change_and_changes_nothing() {
    let bed = bed().await;
    let plan = async |operation: &str, more: Value| planned(bed.bench.plan("kubernetes", with(operation, more)).await);
    let secret =
        |value: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "data": {"a": value}});
    let (effect, words, _) = plan("apply", json!({"manifests": [deployment(2), secret("b2xk")]})).await;
    assert_eq!((effect, words.as_str()), (PlannedEffect::Changes, "creates Deployment web; creates Secret keys"));
    let web = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
    assert_eq!(done(bed.call("get", web.clone()).await)["found"], false, "nothing was applied");
    assert_eq!(plan("delete", web.clone()).await.0, PlannedEffect::Nothing);

    done(bed.call("apply", json!({"manifests": [deployment(2), secret("b2xk")]})).await);
    let (_, _, fields) = plan("apply", json!({"manifests": [deployment(3), secret("bmV3")]})).await;
    let hidden = "Secret keys /data/a: ‹hidden› → ‹hidden›";
    assert_eq!(fields, ["Deployment web /spec/replicas: 2 → 3", hidden]);
    assert_eq!(plan("apply", json!({"manifests": [deployment(2)]})).await.0, PlannedEffect::Nothing);
    let scale = |replicas: u32| json!({"kind": "Deployment", "name": "web", "replicas": replicas});
    assert_eq!(plan("scale", scale(5)).await.2, ["replicas: 2 → 5"]);
    assert_eq!(plan("scale", scale(2)).await.0, PlannedEffect::Nothing);
    assert_eq!(plan("restart", json!({"kind": "Deployment", "name": "web"})).await.0, PlannedEffect::Changes);
    assert_eq!(plan("restart", json!({"kind": "Deployment", "name": "nobody"})).await.0, PlannedEffect::Fails);
    assert_eq!(plan("delete", web.clone()).await.0, PlannedEffect::Changes);
    bed.cluster.claims("web");
    let (effect, words, _) = plan("apply", json!({"manifests": [deployment(3)]})).await;
    assert!(effect == PlannedEffect::Fails && words.contains("take them over with force"), "{words}");
    assert_eq!(done(bed.call("get", web).await)["object"]["spec"]["replicas"], 2);

    // After what comes to be, only what may be missing without it cannot be tried.
    let first = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "first"}});
    let unknown = json!({"apiVersion": "example.test/v1", "kind": "Thing", "metadata": {"name": "a"}});
    let (effect, words, _) = plan("apply", json!({"manifests": [first, unknown]})).await;
    assert!(effect == PlannedEffect::Changes && words.contains("Thing a cannot be tried before"), "{words}");
    let (effect, words, _) = plan("apply", json!({"manifests": [first, deployment(3)]})).await;
    assert!(effect == PlannedEffect::Fails && words.contains("take them over with force"), "{words}");

    let wrong = json!({"server": bed.address, "token": "nobody", "namespace": "shop"});
    bed.bench.connect("it", "kubernetes", wrong).await;
    assert_eq!(plan("scale", scale(5)).await.0, PlannedEffect::Unasked);
}

#[tokio::test]
async fn a_plan_shows_neither_variables_nor_what_objects_hold() {
    let bed = bed().await;
    let manifests = |value: &str| {
        let mut web = deployment(2);
        web["spec"]["template"]["spec"] =
            json!({"containers": [{"name": "web", "env": [{"name": "PIN", "value": value}]}]});
        let held = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held"},
            "data": {"a": value}, "binaryData": {"b": value}
        });
        json!({"manifests": [web, held]})
    };
    done(bed.call("apply", manifests("before")).await);
    let (_, _, fields) = planned(bed.bench.plan("kubernetes", with("apply", manifests("after"))).await);
    let expected = [
        "Deployment web /spec/template/spec/containers/0/env/0/value: ‹hidden› → ‹hidden›",
        "ConfigMap held /binaryData/b: ‹hidden› → ‹hidden›",
        "ConfigMap held /data/a: ‹hidden› → ‹hidden›",
    ];
    assert_eq!(fields, expected);
}
