//! A portal for one test.

use std::{num::NonZeroUsize, path::Path, sync::Arc, time::Duration};

use connectors::{
    Registry,
    directory::{DirectoryConnector, NoRecorder, Portal},
    egress::{Egress, EgressPolicy, Narrowed},
    http::{Http, HttpConnector},
    smtp::SmtpConnector,
};
use domain::{
    ApprovalId, Clock, Ids, Problem, RunId, RunStatus, SessionId, Timestamp, UserId, WorkflowRef,
    view::{ApprovalDetail, RunDetail},
};
use engine::{Definitions, Engine, EngineSettings, Live, NoObserver, processes::NoProcesses};
use identity::{
    passwords::{Parameters, Passwords},
    random::{OsRandom, Random},
    vault::{KeySource, Vault},
};
use policy::Policies;
use serde_json::{Value, json};
use service::{ApprovalQuery, Caller, Door, Origin, Parts, Service};
use store::{Store, audit::AuditRow};
use store_sqlite::SqliteStore;
use testkit::{CountedIds, SeededRandom, WallClock};
use workflow::ResourceResolver;

use crate::{ledger::Drawer, repositories::ScriptedBranches, retention::Shelf, watching::Dropped};

/// How long a test waits for a condition before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

const SHIPPED: [(&str, &str); 3] = [
    ("onboard-employee.yaml", include_str!("../../../../../workflows/identity/onboard-employee.yaml")),
    ("offboard-employee.yaml", include_str!("../../../../../workflows/identity/offboard-employee.yaml")),
    ("service-down.yaml", include_str!("../../../../../workflows/incident/service-down.yaml")),
];

pub(crate) struct Office {
    pub(crate) service: Arc<Service>,
    /// The operations on another node of the same portal.
    pub(crate) other_node: Arc<Service>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) vault: Arc<Vault>,
    /// What repositories have, as tests say.
    pub(crate) branches: Arc<ScriptedBranches>,
    /// What is in the bucket of connections of kind `s3`.
    pub(crate) dropped: Arc<Dropped>,
    /// Where the last checkpoint of the audit log is kept.
    pub(crate) drawer: Arc<Drawer>,
    /// Where entries of the audit log are archived.
    pub(crate) shelf: Arc<Shelf>,
    directory: tempfile::TempDir,
    engine: Engine,
}

impl Office {
    pub(crate) async fn open() -> Self {
        Self::open_with(None).await
    }

    /// The same, with somebody who reads what definitions refer to elsewhere.
    pub(crate) async fn open_with(resolver: Option<Arc<dyn ResourceResolver>>) -> Self {
        Self::open_by(Arc::new(WallClock), resolver).await
    }

    /// The same, by another clock.
    pub(crate) async fn open_by(clock: Arc<dyn Clock>, resolver: Option<Arc<dyn ResourceResolver>>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&directory.path().join("rondo.sqlite")).await.unwrap();
        Self::open_on(Arc::new(store), directory, clock, resolver).await
    }

    /// The same, with mails in the outbox, which nobody sends.
    pub(crate) async fn open_with_mail() -> Self {
        Self::open_with_mail_by(Arc::new(WallClock)).await
    }

    /// The same, by another clock.
    pub(crate) async fn open_with_mail_by(clock: Arc<dyn Clock>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&directory.path().join("rondo.sqlite")).await.unwrap();
        Self::furnish(Arc::new(store), directory, clock, None, true).await
    }

    /// The same, on an empty database.
    pub(crate) async fn open_on(
        store: Arc<dyn Store>,
        directory: tempfile::TempDir,
        clock: Arc<dyn Clock>,
        resolver: Option<Arc<dyn ResourceResolver>>,
    ) -> Self {
        Self::furnish(store, directory, clock, resolver, false).await
    }

    async fn furnish(
        store: Arc<dyn Store>,
        directory: tempfile::TempDir,
        clock: Arc<dyn Clock>,
        resolver: Option<Arc<dyn ResourceResolver>>,
        mails: bool,
    ) -> Self {
        store.migrate().await.unwrap();
        let office = Self::start(store, directory, clock, Arc::new(CountedIds::default()), resolver, mails);
        office.service.load_shipped(SHIPPED).await.unwrap();
        assert!(office.service.load_demo().await.unwrap());
        office
    }

    /// The same portal after its node has stopped and another one has begun.
    pub(crate) async fn restarted(self) -> Self {
        let Self { store, directory, clock, ids, engine, .. } = self;
        engine.shut_down().await;
        Self::start(store, directory, clock, ids, None, false)
    }

    fn start(
        store: Arc<dyn Store>,
        directory: tempfile::TempDir,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        resolver: Option<Arc<dyn ResourceResolver>>,
        mails: bool,
    ) -> Self {
        let random: Arc<dyn Random> = Arc::new(SeededRandom::new(7));
        // Hashing as cheap as argon2 allows: these tests are not about its strength.
        let cheap = Parameters { memory_kib: 64, iterations: 1, parallelism: 1 };
        let passwords = Passwords::new(Arc::clone(&random), cheap, NonZeroUsize::MIN).unwrap();
        let key = KeySource::File { path: directory.path().join("rondo.key"), create: true };
        let vault = Arc::new(Vault::open(&key, Arc::clone(&random)).unwrap());
        let egress = Arc::new(EgressPolicy::default());
        let mail = SmtpConnector::new(Arc::clone(&egress), directory.path().join("mail"));
        let http = Arc::new(Http::new(egress).unwrap());
        let people = DirectoryConnector::new(
            Arc::clone(&http),
            Portal {
                store: Arc::clone(&store),
                vault: Arc::clone(&vault),
                random: Arc::clone(&random),
                passwords: Arc::new(passwords.clone()),
                recorder: Arc::new(NoRecorder),
            },
        );
        let dropped = Arc::new(Dropped::default());
        let connectors = Registry::new(vec![
            Arc::new(HttpConnector::over(http)),
            Arc::new(people),
            Arc::new(mail),
            Arc::<Dropped>::clone(&dropped),
        ]);
        let mut connectors = connectors.unwrap();
        connectors.allow(engine::CAPABILITIES);
        let fenced = Narrowed { namespace: "fenced".parse().unwrap(), only: vec!["10.0.0.0/8".parse().unwrap()] };
        connectors.guard(Egress::new(EgressPolicy::default(), [fenced]));
        if let Some(resolver) = resolver {
            connectors.resolve_with(resolver);
        }
        let connectors = Arc::new(connectors);
        let definitions = Arc::new(Definitions::new(Arc::clone(&connectors)));
        let live = Live::default();
        let engine = Engine::start(
            engine::Parts {
                store: Arc::clone(&store),
                connectors: Arc::clone(&connectors),
                definitions: Arc::clone(&definitions),
                processes: Arc::new(NoProcesses),
                vault: Arc::clone(&vault),
                clock: Arc::clone(&clock),
                ids: Arc::clone(&ids),
                live: live.clone(),
                observer: Arc::new(NoObserver),
            },
            EngineSettings { poll: Duration::from_millis(50), mail: mails, ..EngineSettings::default() },
        );
        let branches = Arc::new(ScriptedBranches::default());
        let drawer = Arc::new(Drawer::default());
        let shelf = Arc::new(Shelf::default());
        let policies = Arc::new(Policies::builtin().unwrap());
        let parts = || Parts {
            store: Arc::clone(&store),
            policies: Arc::clone(&policies),
            connectors: Arc::clone(&connectors),
            branches: Arc::<ScriptedBranches>::clone(&branches),
            definitions: Arc::clone(&definitions),
            vault: Arc::clone(&vault),
            anchor: Arc::<Drawer>::clone(&drawer),
            controls: Arc::new(service::ControlLists::shipped()),
            receivers: vec![siem()],
            witnesses: vec![auditors()],
            retention: crate::retention::times(),
            archive: Arc::<Shelf>::clone(&shelf),
            passwords: passwords.clone(),
            clock: Arc::clone(&clock),
            ids: Arc::clone(&ids),
            random: Arc::clone(&random),
            live: live.clone(),
            waker: Some(engine.waker()),
            check_connections_every: crate::connection_checks::PAUSE,
            mail_enabled: mails,
            base_url: "http://rondo.example.test".to_owned(),
            demo: service::demo_organisation(),
        };
        let (service, other_node) = (Service::new(parts()), Arc::new(Service::new(parts())));
        Self {
            service: Arc::new(service),
            other_node,
            store,
            ids,
            clock,
            vault,
            branches,
            dropped,
            drawer,
            shelf,
            directory,
            engine,
        }
    }

    /// Stops the node, which gives back what it has of the database.
    pub(crate) async fn stop(self) {
        self.engine.shut_down().await;
    }

    /// The same; its folder is there until what is returned is dropped.
    pub(crate) async fn stop_and_keep(self) -> tempfile::TempDir {
        self.engine.shut_down().await;
        self.directory
    }

    pub(crate) fn data(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn origin() -> Origin {
        Origin {
            door: Door::Portal,
            address: "192.0.2.7".to_owned(),
            user_agent: "test".to_owned(),
            trace_id: "trace".to_owned(),
        }
    }

    /// One of the demonstration's people, signed in.
    pub(crate) async fn caller(&self, login: &str) -> Caller {
        let user = self.store.snapshot().await.unwrap().user_by_login(login).await.unwrap().unwrap();
        let session = SessionId::new(self.ids.as_ref());
        self.service.caller_of_session(user.id, session, Self::origin()).await.unwrap().unwrap()
    }

    pub(crate) async fn user(&self, login: &str) -> Option<UserId> {
        self.store.snapshot().await.unwrap().user_by_login(login).await.unwrap().map(|user| user.id)
    }

    pub(crate) fn onboarding() -> WorkflowRef {
        "identity/onboard-employee".parse().unwrap()
    }

    pub(crate) fn newcomer() -> Value {
        json!({
            "givenName": "Nora",
            "familyName": "Newcomer",
            "privateEmail": "nora@example.test",
            "department": "sales",
            "jobTitle": "Account manager",
            "startDate": "2026-12-01",
            "contract": "permanent",
        })
    }

    /// A request for a new account by staff, waiting for the manager.
    pub(crate) async fn request(&self) -> (RunId, ApprovalDetail) {
        let staff = self.caller("staff").await;
        let run = self.service.launch(&staff, &Self::onboarding(), None, Self::newcomer()).await.unwrap();
        (run.id, self.approval_of(run.id).await)
    }

    /// The approval that a run waits for, as its manager sees it.
    pub(crate) async fn approval_of(&self, run: RunId) -> ApprovalDetail {
        let manager = self.caller("manager").await;
        self.wait(async || {
            let query = ApprovalQuery { run: Some(run), ..ApprovalQuery::default() };
            let page = self.service.approvals(&manager, query, None, None).await.unwrap();
            let id: ApprovalId = page.items.first()?.id;
            self.service.approval(&manager, id).await.ok()
        })
        .await
    }

    pub(crate) async fn ended(&self, run: RunId) -> RunDetail {
        let operator = self.caller("operator").await;
        self.wait(async || {
            let detail = self.service.run(&operator, run).await.unwrap();
            detail.summary.status.is_final().then_some(detail)
        })
        .await
    }

    pub(crate) async fn status(&self, run: RunId, status: RunStatus) {
        let operator = self.caller("operator").await;
        self.wait(async || (self.service.run(&operator, run).await.unwrap().summary.status == status).then_some(()))
            .await;
    }

    /// Tries again until there is something.
    pub(crate) async fn wait<T>(&self, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let mut pause = tokio::time::interval(Duration::from_millis(20));
        let waiting = async {
            loop {
                pause.tick().await;
                if let Some(found) = look().await {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("the wait was in vain"))
    }

    /// Audit entries after a place, oldest first.
    pub(crate) async fn audit_after(&self, seq: i64) -> Vec<AuditRow> {
        audit::sequence(self.store.as_ref(), &OsRandom).await.unwrap();
        self.store.snapshot().await.unwrap().audit_from(seq, 1_000).await.unwrap()
    }

    pub(crate) async fn audit_end(&self) -> i64 {
        audit::sequence(self.store.as_ref(), &OsRandom).await.unwrap();
        self.store.snapshot().await.unwrap().audit_size().await.unwrap()
    }
}

/// The code of an answer: `ok`, or that of its problem.
/// An entry as it is shown: its body with what stands beside it.
pub(crate) fn shown(row: &AuditRow) -> Value {
    let mut body = serde_json::from_str(&row.body).unwrap();
    if let Some(beside) = &row.personal {
        ledger::personal::put_back(&mut body, &ledger::personal::read(beside).unwrap());
    }
    body
}

pub(crate) fn code<T>(answer: Result<T, Problem>) -> String {
    match answer {
        Ok(_) => "ok".to_owned(),
        Err(problem) => problem.code.to_string(),
    }
}

/// Where the audit log of an office is sent, as people are told.
fn auditors() -> service::AuditWitness {
    service::AuditWitness {
        name: "auditors".to_owned(),
        address: "https://witness.example.test".to_owned(),
        key: "witness.example.test+00000000+key".to_owned(),
    }
}

fn siem() -> service::AuditReceiver {
    service::AuditReceiver {
        name: "siem".to_owned(),
        kind: "syslog",
        address: "tls://siem.example.test:6514".to_owned(),
        format: "rondo",
        entries: true,
        checkpoints: true,
    }
}
