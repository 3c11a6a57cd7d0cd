//! A server's worth of parts around the connectors: a fresh SQLite database, a vault, a log that can be read.

use std::{
    num::NonZeroUsize,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use connectors::{
    Call, CallContext, Connections as _, Connector, Failure, LogLevel, Outcome, Probe, Registry, Repetition, Request,
    StoredConnections, TaskLog,
    asyncapi::AsyncApiConnector,
    aws::AwsConnector,
    chat::ChatConnector,
    container::ContainerConnector,
    directory::{DirectoryConnector, NoRecorder, Portal},
    dns::DnsConnector,
    egress::{Egress, EgressPolicy},
    git::GitConnector,
    grpc::GrpcConnector,
    http::{Http, HttpConnector},
    imap::ImapConnector,
    kubernetes::KubernetesConnector,
    mcp::McpConnector,
    messaging::MessagingConnector,
    network::NetworkConnector,
    openapi::OpenApiConnector,
    resource::Resources,
    s3::S3Connector,
    smtp::SmtpConnector,
    sql::SqlConnector,
    ssh::SshConnector,
    ticket::TicketConnector,
    wait_for::WaitForConnector,
    watch::Look,
};
use domain::{
    Clock as _, ConnectionId, Ids as _, Name, RunId,
    view::{CallPlan, ConnectionCheck, PlannedEffect, PlannedField},
};
use identity::{
    passwords::{Parameters, Passwords},
    vault::{KeySource, Vault},
};
use serde_json::{Value, json};
use store::{Store, connections::Connection};
use store_sqlite::SqliteStore;
use tempfile::TempDir;
use testkit::{CountedIds, SeededRandom, WallClock};
use tokio_util::sync::CancellationToken;

/// What a call wrote to its log.
#[derive(Default)]
pub(crate) struct Lines(Mutex<Vec<String>>);

impl TaskLog for Lines {
    fn line(&self, level: LogLevel, text: &str) {
        self.0.lock().unwrap().push(format!("{}: {text}", level.as_str()));
    }
}

pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) connections: StoredConnections,
    pub(crate) registry: Registry,
    pub(crate) log: Arc<Lines>,
    ids: Arc<CountedIds>,
    egress: Egress,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with_policy(EgressPolicy::default()).await
    }

    pub(crate) async fn with_policy(policy: EgressPolicy) -> Self {
        Self::with_egress(Egress::new(policy, [])).await
    }

    /// Its calls are those of runs of the namespace `tests`.
    pub(crate) async fn with_egress(egress: Egress) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("rondo.sqlite")).await.unwrap();
        store.migrate().await.unwrap();
        let random = Arc::new(SeededRandom::new(testkit::seed()));
        let key = KeySource::Variable(STANDARD.encode([7; 32]).into());
        let vault = Arc::new(Vault::open(&key, random.clone()).unwrap());
        let cheap = Parameters { memory_kib: 64, iterations: 1, parallelism: 1 };
        let passwords = Arc::new(Passwords::new(random.clone(), cheap, NonZeroUsize::MIN).unwrap());
        let policy = egress.everywhere();
        let store: Arc<dyn Store> = Arc::new(store);
        let portal = Portal {
            store: Arc::clone(&store),
            vault: Arc::clone(&vault),
            random,
            passwords,
            recorder: Arc::new(NoRecorder),
        };
        let http = Arc::new(Http::new(policy.clone()).unwrap());
        let resources = Resources::with_files(http.clone(), folder.path().to_owned());
        let connectors: Vec<Arc<dyn Connector>> = vec![
            Arc::new(HttpConnector::over(http.clone())),
            Arc::new(OpenApiConnector::new(http.clone(), resources.clone())),
            Arc::new(GrpcConnector::new(http.clone(), resources.clone())),
            Arc::new(AsyncApiConnector::new(http.clone(), resources)),
            Arc::new(McpConnector::new(http.clone())),
            Arc::new(AwsConnector::new(http.clone(), vault.clone(), Arc::new(WallClock))),
            Arc::new(S3Connector::new(http.clone(), vault.clone(), Arc::new(WallClock))),
            Arc::new(WaitForConnector::new(http.clone())),
            Arc::new(ChatConnector::new(http.clone())),
            Arc::new(GitConnector::new(http.clone())),
            Arc::new(NetworkConnector::new(policy.clone(), http.clone(), vault.clone())),
            Arc::new(TicketConnector::new(http.clone())),
            Arc::new(KubernetesConnector::new(http.clone())),
            Arc::new(ContainerConnector::new(
                http.clone(),
                std::env::var("TEST_CONTAINER_SOCKET").map(PathBuf::from).into_iter().collect(),
            )),
            Arc::new(DnsConnector::new(policy.clone(), Arc::new(WallClock))),
            Arc::new(DirectoryConnector::new(http, portal)),
            Arc::new(ImapConnector::new(policy.clone())),
            Arc::new(SmtpConnector::new(policy.clone(), folder.path().join("mail"))),
            Arc::new(MessagingConnector::new(policy.clone(), Arc::<CountedIds>::default())),
            Arc::new(SshConnector::new(policy.clone())),
            Arc::new(SqlConnector::new(policy, Some(folder.path().join("sqlite")))),
        ];
        Self {
            connections: StoredConnections { store: Arc::clone(&store), vault: Arc::clone(&vault) },
            store,
            vault,
            registry: Registry::new(connectors).unwrap(),
            log: Arc::default(),
            ids: Arc::default(),
            egress,
            folder,
        }
    }

    /// Stores a connection that every namespace may use, in place of one of that name.
    pub(crate) async fn connect(&self, name: &str, kind: &str, settings: Value) {
        self.connect_for(name, kind, settings, json!(["*"])).await;
    }

    pub(crate) async fn connect_for(&self, name: &str, kind: &str, settings: Value, namespaces: Value) {
        let mut unit = self.store.begin().await.unwrap();
        let known = unit.connection_by_name(name).await.unwrap();
        let id = known.map_or_else(|| ConnectionId::new(&*self.ids), |known| known.id);
        let row = self.connection_row(id, name, kind, &settings, &namespaces);
        unit.put_connection(&row).await.unwrap();
        unit.commit().await.unwrap();
    }

    fn connection_row(
        &self,
        id: ConnectionId,
        name: &str,
        kind: &str,
        settings: &Value,
        namespaces: &Value,
    ) -> Connection {
        let split = self.registry.connection_kind(kind).unwrap().split(settings, None);
        let split = split.unwrap_or_else(|errors| panic!("{errors:?}"));
        let context = connectors::ResolvedConnection::sealing_context(id);
        Connection {
            id,
            name: name.to_owned(),
            kind: kind.to_owned(),
            settings: split.settings.to_string(),
            sealed_secret: split.secret.map(|secret| self.vault.seal(&context, &secret.to_string())),
            namespaces: namespaces.to_string(),
            owner: None,
            last_check: None,
            failing_since: None,
            check_due_at: WallClock.now(),
            created_at: WallClock.now(),
            updated_at: WallClock.now(),
        }
    }

    /// Tests a connection as the button of the page does.
    pub(crate) async fn check(&self, kind: &str, settings: Value) -> ConnectionCheck {
        let row = self.connection_row(ConnectionId::new(&*self.ids), "tested", kind, &settings, &json!(["*"]));
        let connection = connectors::ResolvedConnection::open(&row, &self.vault).unwrap();
        self.registry.check(&connection, WallClock.now()).await
    }

    /// A stored connection with its secret opened.
    pub(crate) async fn resolved(&self, name: &str, kind: &str) -> connectors::ResolvedConnection {
        let namespace: Name = "tests".parse().unwrap();
        self.connections.resolve(name, &[kind], &namespace).await.unwrap()
    }

    /// A look over a connection, as the trigger `tests/it` of its namespace has it.
    pub(crate) fn look<'a>(&self, connection: &'a connectors::ResolvedConnection, place: &'a Value) -> Look<'a> {
        let egress = self.egress.of(&"tests".parse().unwrap());
        Look { connection, place, egress, by: "tests/it" }
    }

    pub(crate) fn context(&self, key: &str) -> CallContext {
        CallContext {
            run: RunId::from_uuid(self.ids.next()),
            reference: "/do/0/call".to_owned(),
            attempt: 1,
            key: key.to_owned(),
            deadline: None,
            clock: Arc::new(WallClock),
            ids: self.ids.clone(),
            log: self.log.clone(),
            egress: self.egress.of(&"tests".parse().unwrap()),
            base_url: "http://portal.test".to_owned(),
            cancelled: CancellationToken::new(),
            messages: None,
        }
    }

    pub(crate) async fn prepare(&self, function: &str, with: Value) -> Result<Request, Failure> {
        let namespace: Name = "tests".parse().unwrap();
        let call = Call { function, with, namespace: &namespace, idempotent: false };
        self.registry.prepare(call, &self.connections).await
    }

    pub(crate) async fn call(&self, function: &str, key: &str, with: Value) -> Outcome {
        self.call_in(function, with, &self.context(key)).await
    }

    pub(crate) async fn call_in(&self, function: &str, with: Value, context: &CallContext) -> Outcome {
        match self.prepare(function, with).await {
            Ok(request) => self.registry.execute(&request, context).await,
            Err(failure) => Err(failure).into(),
        }
    }

    pub(crate) async fn probe(&self, function: &str, key: &str, with: Value) -> Probe {
        let request = self.prepare(function, with).await.unwrap();
        assert_eq!(self.registry.repetition(&request), Repetition::Probe);
        self.registry.probe(&request, &self.context(key)).await
    }

    /// What a call would change, as the other system says.
    pub(crate) async fn plan(&self, function: &str, with: Value) -> Option<CallPlan> {
        let namespace: Name = "tests".parse().unwrap();
        let call = Call { function, with, namespace: &namespace, idempotent: false };
        self.registry.plan(call, &self.connections, &self.context("plan")).await
    }

    /// A sealed output, opened as the engine opens it inside another call.
    pub(crate) fn opened(&self, sealed: &Value) -> String {
        let mut value = sealed.clone();
        self.vault.unseal_within(&mut value).unwrap();
        assert_ne!(&value, sealed, "it was not sealed");
        value.as_str().unwrap().to_owned()
    }

    pub(crate) fn log_text(&self) -> String {
        self.log.0.lock().unwrap().join("\n")
    }
}

/// What a plan must have said: its effect, its words, and its fields as `name: before → after`.
pub(crate) fn planned(plan: Option<CallPlan>) -> (PlannedEffect, String, Vec<String>) {
    let plan = plan.unwrap();
    let shown = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let field = |field: PlannedField| format!("{}: {} → {}", field.name, shown(field.before), shown(field.after));
    (plan.effect, plan.words, plan.fields.into_iter().map(field).collect())
}

/// The output of a call that must have worked.
pub(crate) fn done(outcome: Outcome) -> Value {
    match outcome {
        Outcome::Done(output) => output,
        other => panic!("{other:?}"),
    }
}

/// The status and words of a call that must have failed for good.
pub(crate) fn permanent(outcome: Outcome) -> (u16, String) {
    match outcome {
        Outcome::Permanent(error) => (error.status, error.to_string()),
        other => panic!("{other:?}"),
    }
}

/// The words of a call that nobody knows the end of.
pub(crate) fn unknown(outcome: Outcome) -> String {
    match outcome {
        Outcome::Unknown(error) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

/// The words of a call that may be made again.
pub(crate) fn retryable(outcome: Outcome) -> String {
    match outcome {
        Outcome::Retryable(error) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

/// Waits until something is so.
pub(crate) async fn eventually(mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
}

/// A server that greets with these bytes, whatever is asked, and then is silent.
pub(crate) async fn greeting(bytes: &'static [u8], hang_up: bool) -> u16 {
    use tokio::io::AsyncWriteExt as _;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(bytes).await.ok();
            if !hang_up {
                open.push(stream);
            }
        }
    });
    port
}

/// The step at which a connection test failed, with its words.
pub(crate) fn failed_step(check: &ConnectionCheck) -> (String, String) {
    assert!(!check.ok, "{check:?}");
    let last = check.steps.last().unwrap();
    assert!(!last.ok && check.steps.iter().rev().skip(1).all(|step| step.ok), "{check:?}");
    (last.step.clone(), last.detail.clone())
}

/// A port of this machine on which nobody listens.
pub(crate) async fn closed_port() -> u16 {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

/// What an environment variable of the test services says; when one is missing, says that the test is skipped.
pub(crate) fn service(names: &[&str]) -> Option<Vec<String>> {
    let values: Option<Vec<String>> = names.iter().map(|name| std::env::var(name).ok()).collect();
    if values.is_none() {
        eprintln!("skipped: {} are not set; run the tests by scripts/with-services", names.join(", "));
    }
    values
}

/// Long enough for anything on this machine, short enough to notice what hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Set in a process that trusts another authority than the system's.
const TRUSTING: &str = "RONDO_TEST_TRUSTING";

/// Whom the system trusts is read from the environment, so a test that trusts the authority in this file runs once more in
/// a process of its own. There, this gives what it was told; here, it gives nothing, after the other process has passed.
pub(crate) async fn trusting(test: &'static str, authority: &str, told: &str) -> Option<String> {
    if let Ok(told) = std::env::var(TRUSTING) {
        return Some(told);
    }
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", test, "--nocapture"]).env("SSL_CERT_FILE", authority).env(TRUSTING, told);
    let output = child.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    None
}
