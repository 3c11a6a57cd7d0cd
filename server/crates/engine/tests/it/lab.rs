//! A store, a connector, a definition and a node, put together for one test.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use connectors::{CallContext, Failure, Registry, egress::EgressPolicy, http::HttpConnector};
use domain::{Clock, GrantId, Ids, Role, RunId, RunStatus, Scope, UserId};
use engine::{
    CAPABILITIES, Definitions, Engine, EngineSettings, Live, NoObserver, Observer, Parts, Processes,
    launch::{Cause, Launch},
    schedules,
    stream::Published,
};
use identity::vault::{KeySource, Vault};
use runner::{Listener, Runner, Stream};
use serde_json::{Value, json};
use store::{
    Store,
    access::{Grant, Subject},
    process_permissions::ProcessPermission,
    runs::{JournalEntry, Run, RunFilter, Task, Visibility},
    users::User,
    workflows::{VersionState, WorkflowVersion},
};
use store_sqlite::SqliteStore;
use testkit::{Broker, CountedIds, Gated, Scripted, SeededRandom, WallClock};
use workflow::{
    CloudEvent, Definition, Event, EventKind,
    process::{Process, ProcessResult},
};

/// How long a test waits for a condition before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Processes of this process itself.
struct OwnProcesses;

#[async_trait]
impl Processes for OwnProcesses {
    async fn run(&self, process: Process, context: &CallContext) -> Result<ProcessResult, Failure> {
        struct Log<'a>(&'a CallContext);
        impl Listener for Log<'_> {
            fn line(&self, _stream: Stream, text: &str) {
                self.0.info(text);
            }
        }
        let runner = Runner::new(std::env::var_os("PATH").unwrap());
        runner.run(&process, &Log(context)).await.map_err(|error| Failure::permanent(error.into()))
    }
}

pub(crate) struct Lab {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) script: Arc<Scripted>,
    pub(crate) broker: Arc<Broker>,
    pub(crate) gate: Arc<Gated>,
    pub(crate) requester: User,
    pub(crate) manager: User,
    parts: Parts,
    directory: tempfile::TempDir,
}

impl Lab {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&directory.path().join("rondo.sqlite")).await.unwrap();
        Self::on(Arc::new(store), directory).await
    }

    /// On an empty database; what else there is lies in the directory.
    pub(crate) async fn on(store: Arc<dyn Store>, directory: tempfile::TempDir) -> Self {
        store.migrate().await.unwrap();
        let ids: Arc<dyn Ids> = Arc::new(CountedIds::default());
        let script = Arc::new(Scripted::default());
        let vault = Vault::open(
            &KeySource::File { path: directory.path().join("rondo.key"), create: true },
            Arc::new(SeededRandom::new(1)),
        )
        .unwrap();
        let broker = Arc::new(Broker::default());
        let gate = Arc::new(Gated::default());
        let http = Arc::new(HttpConnector::new(Arc::new(EgressPolicy::default())).unwrap());
        let mut connectors = Registry::new(vec![script.clone(), broker.clone(), gate.clone(), http]).unwrap();
        connectors.allow(CAPABILITIES);
        let connectors = Arc::new(connectors);
        let parts = Parts {
            store: Arc::clone(&store),
            definitions: Arc::new(Definitions::new(Arc::clone(&connectors))),
            connectors,
            processes: Arc::new(OwnProcesses),
            vault: Arc::new(vault),
            clock: Arc::new(WallClock),
            ids: Arc::clone(&ids),
            live: Live::default(),
            observer: Arc::new(NoObserver),
        };
        let manager = person(ids.as_ref(), &parts, "manager", None);
        let requester = person(ids.as_ref(), &parts, "staff", Some(manager.id));
        let mut unit = store.begin().await.unwrap();
        for user in [&manager, &requester] {
            unit.insert_user(user).await.unwrap();
        }
        let grant = Grant {
            id: GrantId::new(ids.as_ref()),
            subject: Subject::User(manager.id),
            role: Role::Operator,
            scope: Scope::Everywhere,
            expires_at: None,
            created_by: None,
            created_at: parts.clock.now(),
            emergency: None,
        };
        unit.insert_grant(&grant).await.unwrap();
        unit.commit().await.unwrap();
        Self { store, script, broker, gate, requester, manager, parts, directory }
    }

    /// With this clock in the place of the machine's.
    pub(crate) fn by_the_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.parts.clock = clock;
        self
    }

    /// Where the database lies, if it is a file, and the key.
    pub(crate) fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    pub(crate) fn parts(&self) -> Parts {
        self.parts.clone()
    }

    /// A node that takes over from a dead one within a second.
    pub(crate) fn start(&self, observer: Arc<dyn Observer>) -> Engine {
        self.start_with(observer, |_| {})
    }

    /// The same with other settings.
    pub(crate) fn start_with(&self, observer: Arc<dyn Observer>, change: impl FnOnce(&mut EngineSettings)) -> Engine {
        let mut settings = EngineSettings {
            // Long enough that a busy machine does not take a living node for a dead one.
            lease: Duration::from_secs(1),
            poll: Duration::from_millis(25),
            drain: Duration::from_secs(1),
            ..EngineSettings::default()
        };
        change(&mut settings);
        Engine::start(Parts { observer, ..self.parts() }, settings)
    }

    /// Stores a version of a definition (its tasks as YAML under `do:`).
    pub(crate) async fn define(&self, name: &str, version: &str, state: VersionState, tasks: &str) -> WorkflowVersion {
        self.define_with(name, version, state, "", tasks).await
    }

    /// Stores a version of a definition with more at its top than tasks, such as a schedule.
    pub(crate) async fn define_with(
        &self,
        name: &str,
        version: &str,
        state: VersionState,
        top: &str,
        tasks: &str,
    ) -> WorkflowVersion {
        self.define_in("test", name, version, state, top, tasks).await
    }

    /// The same in another namespace.
    pub(crate) async fn define_in(
        &self,
        namespace: &str,
        name: &str,
        version: &str,
        state: VersionState,
        top: &str,
        tasks: &str,
    ) -> WorkflowVersion {
        let source = format!(
            "document:\n  {{dsl: 1.0.3, namespace: {namespace}, name: {name}, version: {version}, title: Sample{}\ndo:\n{tasks}",
            if top.is_empty() { "}" } else { top }
        );
        let functions = self.parts.connectors.function_catalogue();
        let definition = Definition::parse(&source, functions).unwrap();
        let now = self.parts.clock.now();
        let stored = WorkflowVersion {
            workflow: format!("{namespace}/{name}").parse().unwrap(),
            version: version.to_owned(),
            state,
            source: source.clone(),
            resources: engine::definitions::resources(&definition),
            digest: definition.digest().to_owned(),
            title: "Sample".to_owned(),
            created_by: None,
            created_at: now,
            changed_by: None,
            changed_at: now,
            sort_key: version.to_owned(),
        };
        let mut unit = self.store.begin().await.unwrap();
        unit.insert_version(&stored).await.unwrap();
        schedules::follow(unit.as_mut(), functions, now, &stored.workflow).await.unwrap();
        unit.commit().await.unwrap();
        stored
    }

    /// Retires a published version.
    pub(crate) async fn retire(&self, version: &WorkflowVersion) {
        let mut unit = self.store.begin().await.unwrap();
        let retired = WorkflowVersion { state: VersionState::Retired, ..version.clone() };
        unit.update_version(&retired, VersionState::Published).await.unwrap();
        let functions = self.parts.connectors.function_catalogue();
        schedules::follow(unit.as_mut(), functions, self.parts.clock.now(), &version.workflow).await.unwrap();
        unit.commit().await.unwrap();
    }

    /// All runs of a workflow, oldest first.
    pub(crate) async fn runs_of(&self, name: &str) -> Vec<Run> {
        let filter = RunFilter { workflow: Some(format!("test/{name}").parse().unwrap()), ..RunFilter::default() };
        let mut unit = self.store.snapshot().await.unwrap();
        let mut runs = unit.list_runs(&Visibility::everything(), &filter, None, 10_000).await.unwrap();
        runs.reverse();
        runs
    }

    /// Publishes events (their types with their ids and data) as if another system had sent them.
    pub(crate) async fn publish(&self, events: &[(&str, &str, Value)]) -> Published {
        let event = |(kind, id, data): &(&str, &str, Value)| {
            CloudEvent::from_value(json!({"type": kind, "id": id, "source": "/test", "data": data})).unwrap()
        };
        let events: Vec<_> = events.iter().map(event).collect();
        let mut unit = self.store.begin().await.unwrap();
        let published = engine::stream::publish(unit.as_mut(), self.parts.clock.now(), &events).await.unwrap();
        unit.commit().await.unwrap();
        published
    }

    /// Stores a definition (its tasks as YAML under `do:`) and launches it.
    pub(crate) async fn launch(&self, tasks: &str) -> RunId {
        let version = self.define("sample", "1.0.0", VersionState::Published, tasks).await;
        self.launch_version(&version).await
    }

    pub(crate) async fn launch_version(&self, version: &WorkflowVersion) -> RunId {
        let launch = Launch {
            version,
            requester: &self.requester,
            input: json!({}),
            cause: Cause::Request,
            base_url: "http://portal.test",
        };
        let mut unit = self.store.begin().await.unwrap();
        let run = launch.write(unit.as_mut(), self.parts.ids.as_ref(), self.parts.clock.now()).await.unwrap();
        unit.commit().await.unwrap();
        run.id
    }

    /// Launches what `like` was launched from, once more.
    pub(crate) async fn relaunch(&self, like: &Run) -> RunId {
        let mut unit = self.store.snapshot().await.unwrap();
        let version = unit.workflow_version(&like.workflow, &like.version).await.unwrap().unwrap();
        drop(unit);
        self.launch_version(&version).await
    }

    /// Permits the namespace of all tests to run processes.
    pub(crate) async fn permit_processes(&self) {
        let mut unit = self.store.begin().await.unwrap();
        let permission = ProcessPermission {
            namespace: "test".parse().unwrap(),
            granted_by: self.manager.id,
            granted_at: self.parts.clock.now(),
        };
        assert!(unit.insert_process_permission(&permission).await.unwrap());
        unit.commit().await.unwrap();
    }

    pub(crate) async fn push(&self, run: RunId, kind: EventKind) {
        let now = self.parts.clock.now();
        let mut unit = self.store.begin().await.unwrap();
        let event = serde_json::to_string(&Event::new(now, kind)).unwrap();
        unit.push_inbox(run, &event, now).await.unwrap();
        unit.commit().await.unwrap();
    }

    pub(crate) async fn run(&self, id: RunId) -> Run {
        self.store.snapshot().await.unwrap().run(id).await.unwrap().unwrap()
    }

    pub(crate) async fn tasks(&self, id: RunId) -> Vec<Task> {
        self.store.snapshot().await.unwrap().tasks(id).await.unwrap()
    }

    pub(crate) async fn journal(&self, id: RunId) -> Vec<JournalEntry> {
        self.store.snapshot().await.unwrap().journal(id, 0, 1_000).await.unwrap()
    }

    /// Waits until the run is as wanted.
    pub(crate) async fn wait(&self, id: RunId, wanted: impl Fn(&Run) -> bool) -> Run {
        let mut pause = tokio::time::interval(Duration::from_millis(10));
        let waiting = async {
            loop {
                pause.tick().await;
                let run = self.run(id).await;
                if wanted(&run) {
                    return run;
                }
            }
        };
        if let Ok(run) = tokio::time::timeout(PATIENCE, waiting).await {
            return run;
        }
        panic!("the run stays as it is: {:?}\n{:#?}", self.run(id).await, self.tasks(id).await)
    }

    pub(crate) async fn wait_for(&self, id: RunId, status: RunStatus) -> Run {
        self.wait(id, |run| run.status == status).await
    }

    pub(crate) fn output(run: &Run) -> Value {
        serde_json::from_str(run.output.as_deref().unwrap_or("null")).unwrap()
    }
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let mut pause = tokio::time::interval(Duration::from_millis(10));
    let waiting = async {
        while !holds().await {
            pause.tick().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "it does not come to pass that {what}");
}

fn person(ids: &dyn Ids, parts: &Parts, login: &str, manager_id: Option<UserId>) -> User {
    let now = parts.clock.now();
    User {
        id: UserId::new(ids),
        login: login.to_owned(),
        name: login.to_owned(),
        email: Some(format!("{login}@example.test")),
        active: true,
        password_hash: None,
        must_change_password: false,
        manager_id,
        locale: None,
        theme: None,
        created_at: now,
        updated_at: now,
        last_sign_in_at: None,
    }
}
