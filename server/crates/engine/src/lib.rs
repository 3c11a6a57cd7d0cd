//! The engine: takes runs from the store, feeds their events to the interpreter, and does what it asks for.
//!
//! # How a run moves
//! 1. Something puts an event into the run's inbox (launch, decision, operator command) and calls [`Engine::wake`].
//! 2. A node gives the run to an [`actor`] ([`node`]), which claims it by lease and replays the journal into a state.
//! 3. The actor applies the event, and writes journal, run, tasks, approvals, notices and audit entries of that step in
//!    one unit of work ([`step`]), and with them what it exchanges with other runs ([`exchange`]): events ([`stream`]) and
//!    runs that it starts ([`children`]). Every write carries the lease's epoch. Where it can, the unit also takes the
//!    lease (of the first step) and gives it up (of the last): a commit saved is time saved.
//! 4. Only then it acts: dispatches calls ([`dispatch`], [`calls`]) to connectors or to a runner ([`processes`]), sets
//!    timers, tells [`live`] watchers.
//! 5. A call that subscribes stays in flight, holds no slot for calls, and reports each message as an event.
//! 6. When nothing is in flight nor due soon the lease is given up; the run sleeps in the store until `wake_at` or its
//!    inbox wakes it.
//!
//! Secrets are opened when a call is built, here on the node ([`secrets`]), and masked in whatever comes of the call
//! ([`redaction`]).
//!
//! A process whose task asks for it, or all of a namespace, is executed by a runner elsewhere: [`runners`].
//!
//! What is limited takes a place before it begins, or waits for one: [`limits`]. Runs that begin by themselves are put there
//! by [`schedules`]. Approvals whose people have left are seen to by [`departures`], those whose time has come by [`deadlines`].
//!
//! A crash between 3 and 4, or in the middle of a call, is the same to the next owner: the interpreter says what is
//! outstanding, and each outstanding call is probed, repeated or handed to an operator, by what its connector can tell.

mod actor;
pub mod approvals;
mod bell;
mod calls;
mod children;
mod deadlines;
pub mod definitions;
mod departures;
mod dispatch;
mod exchange;
mod history;
pub mod launch;
mod limits;
pub mod live;
pub mod local;
mod node;
pub mod notices;
pub mod processes;
mod redaction;
mod relay;
pub mod runners;
pub mod schedules;
pub mod secrets;
mod step;
pub mod stream;
mod task_log;

use std::{sync::Arc, time::Duration};

use connectors::Registry;
use domain::{Clock, Ids, RunId};
use identity::vault::Vault;
use store::Store;
use tokio::task::{AbortHandle, JoinHandle};
use tokio_util::sync::CancellationToken;
use workflow::Capability;

pub use definitions::Definitions;
pub use history::prospect;
pub use live::{Live, RunChange, Topic};
pub use processes::Processes;
pub use redaction::Redaction;
pub use task_log::TaskLogs;

/// What the engine can do beside calls, timers and approvals. Definitions that need more are refused.
pub const CAPABILITIES: [Capability; 8] = [
    Capability::Emit,
    Capability::Listen,
    Capability::Consume,
    Capability::RunWorkflow,
    Capability::RunShell,
    Capability::RunScript,
    Capability::RunContainer,
    Capability::Schedule,
];

/// How a node works. The defaults suit one node on one machine.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// The node's name, unique among those on one database.
    pub node: String,
    /// How long a run stays with a node that says nothing.
    pub lease: Duration,
    /// How often to look for work when nobody wakes the node.
    pub poll: Duration,
    /// Runs held at once.
    pub runs: usize,
    /// Calls in flight at once.
    pub calls: usize,
    /// Longest time a call may take where the definition sets no timeout.
    pub call_limit: Duration,
    /// How long a stopping node waits for calls in flight.
    pub drain: Duration,
    /// Whether mails are sent.
    pub mail: bool,
    /// Address of the portal as people reach it, for links (`https://rondo.example`).
    pub base_url: String,
    /// Which processes are executed by runners elsewhere although their tasks do not say so.
    pub elsewhere: runners::Elsewhere,
    /// How long a runner elsewhere keeps its tasks without being heard of.
    pub runner_lease: Duration,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            node: "local".to_owned(),
            lease: Duration::from_secs(30),
            poll: Duration::from_secs(1),
            runs: 512,
            calls: 64,
            call_limit: Duration::from_mins(5),
            drain: Duration::from_secs(10),
            mail: false,
            base_url: "http://127.0.0.1:3000".to_owned(),
            elsewhere: runners::Elsewhere::default(),
            runner_lease: Duration::from_mins(1),
        }
    }
}

/// A hook around commits, for tests that stop a node at a chosen place of the journal.
pub trait Observer: Send + Sync {
    /// The next step of the run is about to be written as the journal's entry `version`.
    fn before_commit(&self, _run: RunId, _version: i64) {}
    /// The step is durable and nothing has been done about it yet.
    fn after_commit(&self, _run: RunId, _version: i64) {}
    /// A call has had its effect, and its result is not yet durable.
    fn after_call(&self, _run: RunId, _version: i64) {}
}

/// The observer of production: none.
#[derive(Debug)]
pub struct NoObserver;

impl Observer for NoObserver {}

/// What a node works with.
#[derive(Clone)]
pub struct Parts {
    /// The database.
    pub store: Arc<dyn Store>,
    /// The connectors.
    pub connectors: Arc<Registry>,
    /// What was read of published definitions.
    pub definitions: Arc<Definitions>,
    /// Executes shell commands, scripts and containers.
    pub processes: Arc<dyn Processes>,
    /// Secrets at rest.
    pub vault: Arc<Vault>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn Ids>,
    /// Hints to watchers.
    pub live: Live,
    /// Hook for tests.
    pub observer: Arc<dyn Observer>,
}

/// A running node.
pub struct Engine {
    node: Arc<node::Node>,
    stop: CancellationToken,
    work: JoinHandle<()>,
    schedules: JoinHandle<()>,
    departures: JoinHandle<()>,
    deadlines: JoinHandle<()>,
    watch: JoinHandle<()>,
    log_writer: JoinHandle<()>,
}

impl Engine {
    /// Starts a node. It works until [`Engine::shut_down`].
    #[must_use]
    pub fn start(parts: Parts, settings: EngineSettings) -> Self {
        let (logs, log_writer) = TaskLogs::start(parts.store.logs(), parts.live.clone(), Arc::clone(&parts.clock));
        let stop = CancellationToken::new();
        let runners = runners::Runners::new(&parts, logs.clone(), settings.runner_lease);
        let watch = tokio::spawn(runners::keep(runners.clone(), stop.clone()));
        let node = Arc::new(node::Node::new(parts, settings, logs, runners, stop.clone()));
        tokio::spawn(relay::relay(Arc::clone(&node)));
        let work = tokio::spawn(Arc::clone(&node).work());
        let schedules = tokio::spawn(schedules::keep(Arc::clone(&node)));
        let departures = tokio::spawn(departures::keep(Arc::clone(&node)));
        let deadlines = tokio::spawn(deadlines::keep(Arc::clone(&node)));
        Self { node, stop, work, schedules, departures, deadlines, watch, log_writer }
    }

    /// A handle to wake the node with.
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.node))
    }

    /// The desk at which runners elsewhere ask for work.
    #[must_use]
    pub fn runners(&self) -> runners::Runners {
        self.node.runners.clone()
    }

    /// Tells whether the node is still at work.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        Pulse(self.work.abort_handle())
    }

    /// Stops: takes no new runs, waits for calls in flight for a while, gives leases up, writes what logs are left.
    pub async fn shut_down(self) {
        self.stop.cancel();
        // All end by themselves once told; an error would be a panic that was logged where it happened.
        let _ = self.schedules.await;
        let _ = self.departures.await;
        let _ = self.deadlines.await;
        let _ = self.watch.await;
        let _ = self.work.await;
        drop(self.node);
        let _ = tokio::time::timeout(Duration::from_secs(2), self.log_writer).await;
    }
}

/// Tells a node that a run has something in its inbox, or that a schedule may be due. Without it the node finds out by
/// looking again after a while.
#[derive(Clone)]
pub struct Waker(Arc<node::Node>);

impl Waker {
    /// Wakes the node for this run.
    pub fn wake(&self, run: RunId) {
        self.0.wake(run);
    }

    /// Has the node look at the schedules: one of them is new, or an event has come for it.
    pub fn wake_schedules(&self) {
        self.0.schedule_bell.notify_one();
    }

    /// Has the node look for approvals of somebody who was disabled.
    pub fn wake_departures(&self) {
        self.0.departure_bell.notify_one();
    }
}

/// Whether a node is at work; for health checks.
#[derive(Clone, Debug)]
pub struct Pulse(AbortHandle);

impl Pulse {
    /// Whether the node still looks for runs.
    #[must_use]
    pub fn beats(&self) -> bool {
        !self.0.is_finished()
    }
}
