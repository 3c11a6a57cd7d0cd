//! Containers, against a real Podman with a registry.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Answer, Portal, lab};

/// The engine, as the test alone asks it, with the containers of one service.
struct Engine {
    client: reqwest::Client,
    service: String,
}

/// A container as the test compares it.
#[derive(Debug, PartialEq)]
struct Seen {
    name: String,
    image: String,
    started: String,
}

impl Engine {
    /// For a service that nothing else has.
    fn new(service: &str) -> Self {
        // An error only says that another test was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().unix_socket(lab::setting("TEST_CONTAINER_SOCKET")).build().unwrap();
        Self { client, service: format!("{service}-{}", std::process::id()) }
    }

    async fn ask(&self, method: Method, path: &str) -> Value {
        let answer = self.client.request(method, format!("http://docker{path}")).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// The containers of the service in any state, and those that were in the way of one another.
    async fn all(&self) -> Vec<Value> {
        let filters = json!({"label": [format!("dev.rondo.service={}", self.service)]}).to_string();
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("all", "true")
            .append_pair("filters", &filters)
            .finish();
        let found = self.ask(Method::GET, &format!("/containers/json?{query}")).await;
        let mut found = found.as_array().unwrap().clone();
        found.sort_by_key(|one| one["Names"][0].to_string());
        found
    }

    /// Those that run: the number in the name, the version, and since when.
    async fn running(&self) -> Vec<Seen> {
        let mut seen = Vec::new();
        for one in self.all().await.iter().filter(|one| one["State"] == "running") {
            let container = self.ask(Method::GET, &format!("/containers/{}/json", one["Id"].as_str().unwrap())).await;
            let text = |pointer: &str| container.pointer(pointer).unwrap().as_str().unwrap().to_owned();
            seen.push(Seen {
                name: text("/Name").trim_start_matches('/').replace(&format!("{}-", self.service), ""),
                image: text("/Config/Image").rsplit(':').next().unwrap().to_owned(),
                started: text("/State/StartedAt"),
            });
        }
        seen
    }

    /// The same without the times.
    async fn versions(&self) -> Vec<(String, String)> {
        self.running().await.into_iter().map(|one| (one.name, one.image)).collect()
    }

    fn deployment(&self, version: &str, environment: &str) -> Value {
        json!({
            "service": self.service, "image": format!("{}/lab/web", lab::setting("TEST_CONTAINER_REGISTRY")),
            "version": version, "environment": environment, "patience": 5, "watch": 0,
        })
    }

    /// A service of so many containers of version 1, by what ships.
    async fn service_of(&self, containers: u64, portal: &Portal) {
        let run = portal.launch("containers/deploy-version", &self.deployment("1", "staging")).await;
        portal.complete(&run).await;
        if containers > 1 {
            let run = portal.launch("containers/scale-service", &self.size(containers)).await;
            portal.complete(&run).await;
        }
    }

    fn size(&self, containers: u64) -> Value {
        json!({"service": self.service, "containers": containers, "port": 8080, "patience": 5})
    }

    async fn clear(&self) {
        for one in self.all().await {
            let path = format!("/containers/{}?force=true&v=true", one["Id"].as_str().unwrap());
            self.ask(Method::DELETE, &path).await;
        }
    }
}

fn pairs(versions: &[(&str, &str)]) -> Vec<(String, String)> {
    versions.iter().map(|(name, version)| ((*name).to_owned(), (*version).to_owned())).collect()
}

async fn portal() -> Portal {
    let (_, kind, settings) = lab::to("podman", "containers");
    let staging = ("containers-staging", kind.clone(), settings.clone());
    Portal::open(&[staging, ("containers", kind, settings)]).await
}

#[tokio::test]
async fn a_version_is_deployed_to_all_containers_whatever_dies() {
    let (mut portal, engine) = (portal().await, Engine::new("shop"));
    engine.service_of(2, &portal).await;
    assert_eq!(engine.versions().await, pairs(&[("1", "1"), ("2", "1")]));
    let run = portal.launch("containers/deploy-version", &engine.deployment("2", "production")).await;
    // Once in the middle of a replacement, and once between two.
    portal.reach(&run, "replaceInstance", &["running"]).await;
    portal.kill();
    portal.kill_when(&run, "replaceInstance").await;
    let ended = portal.complete(&run).await;
    assert_eq!(ended["output"]["instances"], json!([format!("{}-1", engine.service), format!("{}-2", engine.service)]));
    assert_eq!(engine.versions().await, pairs(&[("1", "2"), ("2", "2")]));
    assert_eq!(engine.all().await.len(), 2, "nothing is left of the old ones");
    engine.clear().await;
}

#[tokio::test]
async fn the_version_in_use_runs_on_where_the_new_one_is_not_well() {
    let (portal, engine) = (portal().await, Engine::new("stock"));
    engine.service_of(2, &portal).await;
    let mut sick = engine.deployment("sick", "staging");
    sick["patience"] = json!(1);
    let ended = portal.run("containers/deploy-version", &sick, Answer::Approve).await;
    assert_eq!(ended["status"], "faulted");
    assert!(ended["error"].to_string().contains("runs again as before"), "{ended:#}");
    assert_eq!(engine.versions().await, pairs(&[("1", "1"), ("2", "1")]));

    // One that is well at first, on all: each is put back.
    let mut short = engine.deployment("short", "production");
    short["watch"] = json!(2);
    let ended = portal.run("containers/deploy-version", &short, Answer::Approve).await;
    assert_eq!((&ended["status"], &ended["compensated"]), (&json!("faulted"), &json!(true)), "{ended:#}");
    assert_eq!(engine.versions().await, pairs(&[("1", "1"), ("2", "1")]));
    assert_eq!(engine.all().await.len(), 2);
    engine.clear().await;
}

#[tokio::test]
async fn nothing_is_replaced_that_was_not_approved_or_cannot_be_fetched() {
    let (portal, engine) = (portal().await, Engine::new("basket"));
    engine.service_of(1, &portal).await;
    let before = engine.running().await;
    let ended = portal.run("containers/deploy-version", &engine.deployment("2", "production"), Answer::Reject).await;
    assert_eq!(ended["status"], "faulted");
    let ended =
        portal.run("containers/deploy-version", &engine.deployment("none", "production"), Answer::Approve).await;
    assert!(ended["error"].to_string().contains("cannot be fetched"), "{ended:#}");
    assert_eq!(engine.running().await, before);
    engine.clear().await;
}

#[tokio::test]
async fn a_service_grows_and_shrinks_whatever_dies_and_keeps_its_size_where_it_cannot() {
    let (mut portal, engine) = (portal().await, Engine::new("search"));
    engine.service_of(1, &portal).await;
    let run = portal.launch("containers/scale-service", &engine.size(3)).await;
    portal.kill_when(&run, "startInstance").await;
    portal.complete(&run).await;
    assert_eq!(engine.versions().await, pairs(&[("1", "1"), ("2", "1"), ("3", "1")]));

    let mut unwell = engine.size(4);
    (unwell["healthPath"], unwell["patience"]) = (json!("/nowhere"), json!(1));
    let ended = portal.run("containers/scale-service", &unwell, Answer::Approve).await;
    assert_eq!(ended["status"], "faulted");
    assert_eq!(engine.all().await.len(), 3, "what did not become well is gone");

    let run = portal.launch("containers/scale-service", &engine.size(1)).await;
    portal.kill_when(&run, "stopInstance").await;
    portal.complete(&run).await;
    assert_eq!(engine.versions().await, pairs(&[("1", "1")]));
    assert_eq!(engine.all().await.len(), 1);
    engine.clear().await;
}

#[tokio::test]
async fn a_service_is_restarted_whatever_dies_up_to_the_first_that_does_not_come_back() {
    let (mut portal, engine) = (portal().await, Engine::new("mail"));
    engine.service_of(2, &portal).await;
    let before = engine.running().await;
    let mut input = json!({"service": engine.service, "port": 8080, "patience": 5, "grace": 2});
    let run = portal.launch("containers/restart-service", &input).await;
    portal.kill_when(&run, "restartInstance").await;
    portal.complete(&run).await;
    let after = engine.running().await;
    assert!(before.iter().zip(&after).all(|(before, after)| before.started < after.started), "{before:?} {after:?}");

    (input["healthPath"], input["patience"]) = (json!("/nowhere"), json!(1));
    let ended = portal.run("containers/restart-service", &input, Answer::Approve).await;
    assert_eq!(ended["status"], "faulted");
    assert!(ended["error"].to_string().contains("serving version 1"), "it says what it wrote: {ended:#}");
    assert_eq!(engine.running().await[1], after[1], "the other was left alone");
    engine.clear().await;
}

#[tokio::test]
async fn what_has_ended_is_cleared_away_whatever_dies_and_what_runs_stays() {
    let (mut portal, engine) = (portal().await, Engine::new("report"));
    engine.service_of(2, &portal).await;
    engine.ask(Method::POST, &format!("/containers/{}-2/stop?t=1", engine.service)).await;
    let repository = format!("{}/lab/old", lab::setting("TEST_CONTAINER_REGISTRY"));
    let deploy = json!({
        "service": format!("{}-other", engine.service), "image": repository, "version": "1", "environment": "staging",
        "healthPath": "/name", "patience": 5, "watch": 0,
    });
    let run = portal.launch("containers/deploy-version", &deploy).await;
    portal.complete(&run).await;

    let input = json!({"service": engine.service, "olderThan": 0, "repository": repository, "keep": 0});
    let run = portal.launch("containers/clean-up", &input).await;
    portal.kill_when(&run, "removeContainers").await;
    let ended = portal.complete(&run).await;
    assert_eq!((&ended["output"]["containers"], &ended["output"]["images"]), (&json!(1), &json!([])), "{ended:#}");
    assert_eq!(engine.all().await.len(), 1);

    let other = format!("/containers/{}-other-1?force=true", engine.service);
    engine.ask(Method::DELETE, &other).await;
    let ended = portal.run("containers/clean-up", &input, Answer::Approve).await;
    assert_eq!(ended["output"]["images"], json!([format!("{repository}:1")]));
    engine.clear().await;
}
