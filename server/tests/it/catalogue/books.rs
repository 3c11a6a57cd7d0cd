//! Databases and stand-ins of HTTP services, which tests of several families keep their books in.

use std::sync::{Arc, Mutex};

use axum::{Router, http::HeaderMap};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, postgres::PgRow};
use tokio::net::TcpListener;

use super::{lab, seen::unique};

/// The table in which changes are remembered, as docs/connectors.md has it.
const CALLS: &str = "CREATE TABLE rondo_calls (call_key VARCHAR(64) PRIMARY KEY, outcome TEXT NOT NULL,
                     called_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)";

/// A database of a test's own on the PostgreSQL of the lab.
pub(crate) struct Books {
    connection: PgConnection,
    name: String,
    server: url::Url,
}

impl Books {
    /// With these tables, and the one that remembers calls.
    pub(crate) async fn make(purpose: &str, tables: &[&str]) -> Self {
        let server: url::Url = lab::setting("TEST_POSTGRES_URL").parse().unwrap();
        let name = unique(purpose).replace('-', "_");
        let mut owner = PgConnection::connect(server.as_str()).await.unwrap();
        owner.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
        owner.close().await.unwrap();
        let mut own = server.clone();
        own.set_path(&name);
        let mut connection = PgConnection::connect(own.as_str()).await.unwrap();
        for statement in tables.iter().chain([&CALLS]) {
            connection.execute(AssertSqlSafe((*statement).to_owned())).await.unwrap();
        }
        Self { connection, name, server }
    }

    /// The settings of a connection to it.
    pub(crate) fn connection(&self) -> Value {
        let ca = std::fs::read_to_string(lab::setting("TEST_POSTGRES_CA")).unwrap();
        json!({
            "host": "127.0.0.1", "port": self.server.port().unwrap(), "database": self.name, "user": self.server.username(),
            "password": self.server.password().unwrap(), "ca": ca, "markerTable": "rondo_calls",
        })
    }

    /// Changes what is in it.
    pub(crate) async fn execute(&mut self, statement: &'static str) {
        self.connection.execute(statement).await.unwrap();
    }

    /// The row that a query finds by a text.
    pub(crate) async fn row(&mut self, query: &'static str, text: &str) -> Option<PgRow> {
        sqlx::query(query).bind(text).fetch_optional(&mut self.connection).await.unwrap()
    }
}

/// What a stand-in of a service has been told, by ids that it has given.
#[derive(Clone, Default)]
pub(crate) struct Kept(Arc<Mutex<Vec<(String, Value)>>>);

impl Kept {
    /// Keeps something, once for each key of idempotency, and gives it with its id.
    pub(crate) fn once(&self, headers: &HeaderMap, mut what: Value) -> Value {
        let key = headers["idempotency-key"].to_str().unwrap().to_owned();
        let mut all = self.0.lock().unwrap();
        if let Some((_, known)) = all.iter().find(|(of, _)| *of == key) {
            return known.clone();
        }
        what["id"] = json!(format!("K-{}", all.len() + 1));
        all.push((key, what.clone()));
        what
    }

    /// What has this id; null if nothing has.
    pub(crate) fn get(&self, id: &str) -> Value {
        self.all().into_iter().find(|one| one["id"] == id).unwrap_or_default()
    }

    pub(crate) fn set(&self, id: &str, member: &str, value: impl Into<Value>) {
        let mut all = self.0.lock().unwrap();
        let one = all.iter_mut().find(|(_, one)| one["id"] == id).unwrap();
        one.1[member] = value.into();
    }

    pub(crate) fn all(&self) -> Vec<Value> {
        self.0.lock().unwrap().iter().map(|(_, one)| one.clone()).collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.all().len()
    }

    /// The status of each, in the order in which they came.
    pub(crate) fn statuses(&self) -> Vec<String> {
        self.all().iter().map(|one| one["status"].as_str().unwrap().to_owned()).collect()
    }
}

/// Serves a stand-in on this machine until the test ends; its address.
pub(crate) async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}
