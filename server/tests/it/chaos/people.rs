//! The clients: they ask any node that lives, again and again until they are answered, and follow each order to its end.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    effects::Effects,
    nodes::Addresses,
    orders::{Kind, NAMESPACE, Order},
};

/// How often a run is looked at.
const LOOK: Duration = Duration::from_millis(400);
/// Between two tries of a request.
const PAUSE: Duration = Duration::from_millis(100);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a request that was cut off may still be under way: longer than any node waits for its database.
const UNDER_WAY: Duration = Duration::from_secs(12);

/// Tokens of people of the demonstration.
pub(super) struct Tokens {
    pub(super) staff: String,
    pub(super) manager: String,
    pub(super) operator: String,
}

/// Everybody who asks something of the portal.
pub(super) struct People {
    pub(super) tokens: Tokens,
    http: Client,
    addresses: Addresses,
    random: Mutex<StdRng>,
    keys: AtomicU64,
}

/// An answer that is no failure of the server.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl People {
    pub(super) fn new(tokens: Tokens, addresses: Addresses, seed: u64) -> Self {
        let random = Mutex::new(StdRng::seed_from_u64(seed));
        Self { tokens, http: crate::server::client(), addresses, random, keys: AtomicU64::new(0) }
    }

    fn below(&self, limit: u32) -> u32 {
        self.random.lock().unwrap().random_range(0..limit)
    }

    fn key(&self, what: &str) -> String {
        format!("{what}-{}", self.keys.fetch_add(1, Ordering::Relaxed))
    }

    /// Asks until there is an answer. What fails on the way, or at the server, is asked again of any node.
    async fn ask(&self, method: Method, path: &str, token: &str, sent: Option<(&str, &str, &Value)>) -> Answer {
        loop {
            let living = self.addresses.any(&mut self.random.lock().unwrap());
            let Some(url) = living else {
                sleep(PAUSE).await;
                continue;
            };
            let mut request = self.http.request(method.clone(), format!("{url}/api/v1{path}"));
            request = request.bearer_auth(token).timeout(PATIENCE);
            if let Some((key, media_type, body)) = sent {
                request = request.header("idempotency-key", key).header("content-type", media_type);
                request = request.body(body.to_string());
            }
            if let Ok(response) = request.send().await
                && response.status().as_u16() < 500
                && response.status().as_u16() != 429
            {
                let status = response.status().as_u16();
                if let Ok(body) = response.json().await {
                    return Answer { status, body };
                }
            }
            sleep(PAUSE).await;
        }
    }

    /// What stands there.
    pub(super) async fn get(&self, path: &str, token: &str) -> Value {
        let Answer { status, body } = self.ask(Method::GET, path, token, None).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// All items of a list.
    pub(super) async fn list(&self, path: &str, token: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut next = String::new();
        loop {
            let mut page = self.get(&format!("{path}limit=200{next}"), token).await;
            items.append(page["items"].as_array_mut().unwrap());
            let Some(cursor) = page["next"].as_str() else { return items };
            next = format!("&cursor={cursor}");
        }
    }

    async fn post(&self, path: &str, token: &str, key: &str, body: &Value) -> Answer {
        self.ask(Method::POST, path, token, Some((key, "application/json", body))).await
    }

    /// Launches the run of an order; its id.
    async fn launch(&self, order: &Order, url: &str) -> String {
        let workflow = order.kind.workflow();
        let (path, body) = (format!("/workflows/{NAMESPACE}/{workflow}/runs"), json!({"input": order.input(url)}));
        loop {
            let answer = self.post(&path, &self.tokens.staff, &self.key(&order.name), &body).await;
            if answer.status == 201 {
                return answer.body["id"].as_str().unwrap().to_owned();
            }
            // The node died, or lost its database, with the request in its hands: the portal says so, and it is ours to look.
            assert_eq!(answer.status, 409, "{}: {}", order.name, answer.body);
            let until = Instant::now() + UNDER_WAY;
            while Instant::now() < until {
                if let Some(run) = self.runs_of(&order.name, workflow).await.first() {
                    return run["id"].as_str().unwrap().to_owned();
                }
                sleep(LOOK).await;
            }
        }
    }

    /// The runs of a workflow that were launched for this order.
    pub(super) async fn runs_of(&self, order: &str, workflow: &str) -> Vec<Value> {
        self.list(&format!("/runs?workflow={NAMESPACE}/{workflow}&search={order}&"), &self.tokens.operator).await
    }

    pub(super) async fn run(&self, id: &str) -> Value {
        self.get(&format!("/runs/{id}"), &self.tokens.operator).await
    }

    /// Launches an order and sees to it until its run has ended; the run's id.
    pub(super) async fn follow(&self, order: &Order, effects: &Effects, progress: impl Fn(&str)) -> String {
        progress("is being launched");
        let run = self.launch(order, &effects.url).await;
        let cancelled_at = self.below(6);
        let mut looks = 0;
        let mut told = false;
        loop {
            let seen = self.run(&run).await;
            let status = seen["status"].as_str().unwrap();
            progress(&format!("is {status} as {run}"));
            if matches!(status, "completed" | "faulted" | "cancelled") {
                return run;
            }
            match order.kind {
                Kind::Approved | Kind::Rejected => self.decide(order, &run).await,
                Kind::Heard if !told => {
                    self.tell(order).await;
                    told = true;
                }
                Kind::Cancelled if looks == cancelled_at => {
                    let body = json!({"reason": "changed my mind"});
                    self.command(&run, "cancel", &body).await;
                }
                Kind::Halted if !told => {
                    self.command(&run, "suspend", &json!({})).await;
                    told = true;
                }
                Kind::Halted if status == "suspended" => self.command(&run, "resume", &json!({})).await,
                Kind::Once | Kind::Cancelled if seen["needsAttention"] == true => {
                    self.resolve(order, &run, effects).await;
                }
                _ => {}
            }
            looks += 1;
            sleep(LOOK).await;
        }
    }

    /// Steers a run. That it is too late for that, or not known whether it was done, shows at the next look.
    async fn command(&self, run: &str, command: &str, body: &Value) {
        let path = format!("/runs/{run}/{command}");
        let answer = self.post(&path, &self.tokens.operator, &self.key(run), body).await;
        assert!(matches!(answer.status, 200 | 409), "{command} {run}: {} {}", answer.status, answer.body);
    }

    async fn decide(&self, order: &Order, run: &str) {
        let manager = &self.tokens.manager;
        for approval in self.list(&format!("/approvals?run={run}&state=pending&"), manager).await {
            let id = approval["id"].as_str().unwrap();
            let decision = if order.kind == Kind::Rejected { "reject" } else { "approve" };
            let body = json!({"decision": decision, "comment": "as it should be", "digest": approval["digest"]});
            let answer = self.post(&format!("/approvals/{id}/decisions"), manager, &self.key(id), &body).await;
            assert!(matches!(answer.status, 201 | 409), "{}: {} {}", order.name, answer.status, answer.body);
        }
    }

    /// Publishes the event of an order, twice.
    async fn tell(&self, order: &Order) {
        let event = json!({"specversion": "1.0", "id": order.name, "source": "/chaos", "type": "parcel",
            "data": {"order": order.name}});
        for _ in 0..2 {
            loop {
                let key = self.key(&order.name);
                let sent = (key.as_str(), "application/cloudevents+json", &event);
                let answer = self.ask(Method::POST, "/events", &self.tokens.operator, Some(sent)).await;
                if answer.status == 202 {
                    break;
                }
                assert_eq!(answer.status, 409, "{}: {}", order.name, answer.body);
            }
        }
    }

    /// Says what became of calls of which the portal cannot know, as an operator does: by asking the other system.
    async fn resolve(&self, order: &Order, run: &str, effects: &Effects) {
        let operator = &self.tokens.operator;
        let tasks = self.get(&format!("/runs/{run}/tasks"), operator).await;
        for task in tasks["items"].as_array().unwrap().iter().filter(|task| task["status"] == "unknown") {
            let reference = task["reference"].as_str().unwrap();
            let step = order.kind.steps().iter().find(|step| reference.contains(&format!("/{step}/"))).unwrap();
            let mut body = json!({"reference": reference, "occurrence": task["occurrence"], "resolution": "try-again"});
            if order.kind == Kind::Cancelled {
                body["resolution"] = "failed".into();
                body["reason"] = "it is not there".into();
            }
            if let Some(answer) = effects.answer(&order.name, step) {
                body["resolution"] = "done".into();
                body["output"] = answer;
            }
            self.command(run, "tasks/resolve", &body).await;
        }
    }
}
