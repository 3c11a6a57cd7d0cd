//! Prometheus and Alertmanager of the lab, of which one test at a time makes use.

use std::{fs::File, process::Command};

use axum::{Router, http::header::CONNECTION, routing::get};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

/// What Alertmanager proves itself by.
const SECRET: &str = "what only the two of them know";

/// Both of them, as long as it is kept.
pub(crate) struct Monitoring {
    tell: String,
    /// Where Prometheus looks, on this machine.
    pub(crate) port: u16,
    _turn: File,
}

/// Of a service of the lab; None where tests run without services.
pub(crate) fn setting(name: &str) -> Option<String> {
    let value = std::env::var(name).ok();
    assert!(
        value.is_some() || std::env::var_os("TEST_POSTGRES_URL").is_none(),
        "{name} is missing beside the other services"
    );
    value
}

impl Monitoring {
    /// Waits for a turn; None where tests run without services.
    pub(crate) async fn take() -> Option<Self> {
        let (tell, port) = (setting("TEST_MONITORING_TELL")?, setting("TEST_MONITORING_TARGET_PORT")?);
        let turn = File::open(setting("TEST_MONITORING_TURN")?).unwrap();
        let turn = tokio::task::spawn_blocking(move || turn.lock().map(|()| turn)).await.unwrap().unwrap();
        Some(Self { tell, port: port.parse().unwrap(), _turn: turn })
    }

    /// The label `instance` of what Prometheus looks at.
    pub(crate) fn instance(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Has Alertmanager tell this address from now on.
    pub(crate) fn tell(&self, address: &str) {
        assert!(Command::new(&self.tell).args([address, SECRET]).status().unwrap().success());
    }

    /// Answers Prometheus with these metrics until the task is aborted: alert `NodeDown` is over.
    pub(crate) async fn answer(&self, metrics: impl Fn() -> String + Clone + Send + Sync + 'static) -> JoinHandle<()> {
        answer(self.port, metrics).await
    }
}

/// Listens where Prometheus looks. No connection outlives an answer, so that whoever stops to listen is gone.
pub(crate) async fn answer(port: u16, metrics: impl Fn() -> String + Clone + Send + Sync + 'static) -> JoinHandle<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let page = move || async move { ([(CONNECTION, "close")], metrics()) };
    let target = Router::new().route("/metrics", get(page));
    tokio::spawn(async move { axum::serve(listener, target).await.unwrap() })
}

/// The settings of a trigger for alerts of this name.
pub(crate) fn trigger(name: &str, alert: &str, workflow: &str, mapping: &str, end: &str) -> Value {
    json!({
        "namespace": "incident", "name": name, "kind": "alertmanager", "workflow": workflow, "mapping": mapping,
        "filter": format!(".alert.labels.alertname == \"{alert}\""), "alertEnd": end, "secret": SECRET,
    })
}
