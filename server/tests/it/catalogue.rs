//! The workflows that ship, family by family, in a portal of their own against the systems that they are made for.
//!
//! A module for each family. It opens a [`Portal`] over connections to the counterparts that `scripts/with-services` names,
//! launches what ships, lets whoever is asked decide, and looks at the counterpart for what became of it. [`Portal::kill_when`]
//! takes the server away in the middle, as a power cut would.
//!
//! The connections to a counterpart stand in `end2end/lab/SERVICE/connections.json`, for `make lab` and for these tests.

mod beginning;
mod books;
mod business;
mod change;
mod cloud;
mod containers;
mod data;
mod delivery;
mod desk;
mod identity;
mod incident;
mod infrastructure;
mod lab;
mod network;
mod problem;
mod recovery;
mod replication;
mod seen;
mod servers;
mod setup;

use std::{process::Stdio, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::{TestServer, rondo};

/// Longer than any workflow takes here on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks at a run.
const PAUSE: Duration = Duration::from_millis(50);
/// Who may be asked in the demonstration organisation, in the order in which they look at their queues.
const DECIDERS: [&str; 5] = ["manager", "operator", "author", "auditor", "admin"];

/// What people do with what they are asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Everybody agrees.
    Approve,
    /// The first who is asked says no.
    Reject,
    /// Nobody decides.
    Wait,
}

/// A portal with the demonstration organisation and some connections.
pub(crate) struct Portal {
    /// None only while one server is being replaced by the next.
    server: Option<TestServer>,
    staff: String,
    operator: String,
    admin: String,
    /// Sign-in names and tokens.
    deciders: Vec<(&'static str, String)>,
}

impl Portal {
    /// A portal with these connections: name, kind, settings with their secrets, such as [`lab::to`] has them. Those of the
    /// demonstration are replaced where names are the same.
    pub(crate) async fn open(connections: &[(&str, String, Value)]) -> Self {
        let (data, tokens) = beginning::copied();
        let token = |login: &str| tokens[login].as_str().unwrap().to_owned();
        let (staff, operator, admin) = (token("staff"), token("operator"), token("admin"));
        let deciders = DECIDERS.iter().map(|login| (*login, token(login))).collect();
        let portal = Self { server: Some(serve(data)), staff, operator, admin, deciders };
        for (name, kind, settings) in connections {
            portal.connect(name, kind, settings).await;
        }
        portal
    }

    /// The server of the moment.
    pub(crate) fn server(&self) -> &TestServer {
        self.server.as_ref().unwrap()
    }

    /// Makes a connection, in place of one of the same name, and sees that it works.
    async fn connect(&self, name: &str, kind: &str, settings: &Value) {
        let there = self.server().get("/connections", &self.admin).await;
        let same = there["items"].as_array().unwrap().iter().find(|one| one["name"] == name);
        let (method, path) = match same {
            Some(same) => (Method::PUT, format!("/connections/{}", same["id"].as_str().unwrap())),
            None => (Method::POST, "/connections".to_owned()),
        };
        let made = self.by_admin(method, &path, &self.connection(name, kind, settings, "*").await).await;
        assert_ne!(made["state"], "failing", "{name}: {made:#}");
    }

    /// A connection for REST, owned by the administrator.
    async fn connection(&self, name: &str, kind: &str, settings: &Value, namespace: &str) -> Value {
        let owner = json!({"kind": "user", "id": self.server().get("/me", &self.admin).await["id"]});
        json!({"name": name, "kind": kind, "settings": settings, "namespaces": [namespace], "owner": owner})
    }

    /// Asks REST as the administrator, who must be heard.
    pub(crate) async fn by_admin(&self, method: Method, path: &str, body: &Value) -> Value {
        let answer = self.server().rest(method, path, &self.admin).json(body).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// Launches `namespace/name` as somebody who may only ask for things, and gives the run's id.
    pub(crate) async fn launch(&self, workflow: &str, input: &Value) -> String {
        let path = format!("/workflows/{workflow}/runs");
        let launch = self.server().rest(Method::POST, &path, &self.staff).json(&json!({"input": input}));
        let launched = launch.send().await.unwrap();
        let (status, body) = (launched.status(), launched.text().await.unwrap());
        assert_eq!(status, 201, "{workflow}: {body}");
        serde_json::from_str::<Value>(&body).unwrap()["id"].as_str().unwrap().to_owned()
    }

    /// Launches a workflow, answers what people are asked, and gives the run when it has ended.
    pub(crate) async fn run(&self, workflow: &str, input: &Value, answer: Answer) -> Value {
        let run = self.launch(workflow, input).await;
        self.follow(&run, answer).await
    }

    /// Answers what people are asked until the run has ended, and gives it.
    pub(crate) async fn follow(&self, run: &str, answer: Answer) -> Value {
        self.until(run, answer, |run, _| matches!(run["status"].as_str(), Some("completed" | "faulted" | "cancelled")))
            .await
    }

    /// The same, which must complete.
    pub(crate) async fn complete(&self, run: &str) -> Value {
        let ended = self.follow(run, Answer::Approve).await;
        assert_eq!(ended["status"], "completed", "{}", self.story(run).await);
        ended
    }

    /// Answers what people are asked until one of the run's tasks of this name has one of these statuses.
    pub(crate) async fn reach(&self, run: &str, task: &str, statuses: &[&str]) {
        let there = |_: &Value, tasks: &[Value]| {
            tasks.iter().any(|one| one["name"] == task && statuses.iter().any(|status| one["status"] == *status))
        };
        self.until(run, Answer::Approve, there).await;
    }

    /// The first approval that a run waits for, as soon as it does.
    pub(crate) async fn asked(&self, run: &str) -> Value {
        let mut pause = tokio::time::interval(PAUSE);
        let looking = async {
            loop {
                pause.tick().await;
                for (_, decider) in &self.deciders {
                    let queue = self.server().get(&format!("/approvals?run={run}&state=pending"), decider).await;
                    if let Some(approval) = queue["items"].as_array().unwrap().first() {
                        // With all that its page has.
                        let path = format!("/approvals/{}", approval["id"].as_str().unwrap());
                        return self.server().get(&path, decider).await;
                    }
                }
            }
        };
        if let Ok(approval) = tokio::time::timeout(PATIENCE, looking).await {
            return approval;
        }
        panic!("nobody is asked\n{}\n{}", self.story(run).await, self.server().log())
    }

    /// Kills the server (SIGKILL) as soon as a task of this name has ended well, and starts the next one on what it left.
    pub(crate) async fn kill_when(&mut self, run: &str, task: &str) {
        self.reach(run, task, &["completed"]).await;
        self.kill();
    }

    /// Kills the server (SIGKILL) and starts the next one on what it left.
    pub(crate) fn kill(&mut self) {
        let data = self.server.take().unwrap().reap();
        self.server = Some(serve(data));
    }

    /// Cancels a run as an operator.
    pub(crate) async fn cancel(&self, run: &str) {
        let path = format!("/runs/{run}/cancel");
        let request = self.server().rest(Method::POST, &path, &self.operator).json(&json!({"reason": "a test"}));
        let answer = request.send().await.unwrap();
        let (status, body) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{status}: {body}");
    }

    /// The tasks of a run, in order of start.
    pub(crate) async fn tasks(&self, run: &str) -> Vec<Value> {
        let page = self.server().get(&format!("/runs/{run}/tasks?limit=200"), &self.operator).await;
        page["items"].as_array().unwrap().clone()
    }

    /// Looks at the run and its tasks until they are as wanted, and lets people answer meanwhile.
    async fn until(&self, run: &str, answer: Answer, wanted: impl Fn(&Value, &[Value]) -> bool) -> Value {
        let mut pause = tokio::time::interval(PAUSE);
        let looking = async {
            loop {
                pause.tick().await;
                let seen = self.server().get(&format!("/runs/{run}"), &self.operator).await;
                if wanted(&seen, &self.tasks(run).await) {
                    return seen;
                }
                self.decide(run, answer).await;
            }
        };
        if let Ok(seen) = tokio::time::timeout(PATIENCE, looking).await {
            return seen;
        }
        panic!("the run is not where it should be\n{}\n{}", self.story(run).await, self.server().log())
    }

    /// Each of those who may be asked looks into the queue once.
    async fn decide(&self, run: &str, answer: Answer) {
        let word = match answer {
            Answer::Approve => "approve",
            Answer::Reject => "reject",
            Answer::Wait => return,
        };
        for (login, decider) in &self.deciders {
            let queue = self.server().get(&format!("/approvals?run={run}&state=pending"), decider).await;
            for approval in queue["items"].as_array().unwrap() {
                let path = format!("/approvals/{}/decisions", approval["id"].as_str().unwrap());
                let mut body = json!({"decision": word, "comment": "a test", "digest": approval["digest"]});
                let decide = async |body: &Value| {
                    let decided = self.server().rest(Method::POST, &path, decider).json(body).send().await.unwrap();
                    let (status, text) = (decided.status(), decided.text().await.unwrap());
                    // Who sees it need not be among those who may decide: the server says no then.
                    assert!(!status.is_server_error(), "{text}");
                    text
                };
                // Where the risk is high.
                if decide(&body).await.contains("step-up-required") {
                    body["password"] = json!(format!("rondo-demo-{login}"));
                    decide(&body).await;
                }
            }
        }
    }

    /// What happened in a run, for messages of tests.
    pub(crate) async fn story(&self, run: &str) -> String {
        let seen = self.server().get(&format!("/runs/{run}"), &self.operator).await;
        let lines = self.tasks(run).await.into_iter().map(|task| {
            let part =
                |name: &str| if task[name].is_null() { String::new() } else { format!(" {name}: {}", task[name]) };
            format!("  {} {}{}{}\n", task["reference"], task["status"], part("error"), part("output"))
        });
        format!("{} {}\n{}", seen["status"], seen["error"], lines.collect::<String>())
    }
}

/// A server whose successor takes its runs over at once.
fn serve(data: TempDir) -> TestServer {
    let mut command = rondo();
    command.args(["serve", "--demo", "--listen", "127.0.0.1:0", "--data"]).arg(data.path());
    command.env("RONDO_ENGINE_LEASE", "PT1S").stdin(Stdio::null());
    TestServer::spawn(command, data)
}
