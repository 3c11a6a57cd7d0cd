//! Runners elsewhere: processes wait in the database for one that fits, and the engine waits there for what becomes of them.
//!
//! A task is one attempt of one call of a run. Its row is made once, whoever owns the run, and says what became of it to
//! whoever owns the run by then: so a server that is started anew, or another node, awaits what is under way and begins
//! nothing twice. A runner is given a task for the time of a lease, in an epoch, and is told to begin it only while that
//! lasts; what it has not been told to begin goes to another. See `docs/adr/0040-runners-elsewhere.md`.

mod desk;
pub mod protocol;
mod watch;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use connectors::{CallContext, Failure, LogLevel};
use domain::{Name, RunnerState, RunnerTaskState, Timestamp};
use identity::vault::{Vault, VaultError};
use store::{
    Store,
    runners::{Demand, Runner, RunnerTask, TaskKey},
};
use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::warn;
use workflow::{
    RunError, StandardError,
    process::{Process, ProcessResult},
};

use crate::{Parts, live::Live, task_log::TaskLogs};
use protocol::{Outcome, Payload};

pub use desk::Refusal;
pub(crate) use watch::keep;

/// A runner that was not heard of for so long is not there. It asks for work at least three times in it.
const HEARD_WITHIN: Duration = Duration::from_mins(1);
/// How long after a failure of the database it is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// Which processes are executed by runners elsewhere although their tasks do not say so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Elsewhere {
    /// None.
    #[default]
    Nothing,
    /// Those of these namespaces.
    Namespaces(BTreeSet<Name>),
    /// All.
    Everything,
}

impl Elsewhere {
    /// Whether those of this namespace are.
    #[must_use]
    pub fn covers(&self, namespace: &Name) -> bool {
        match self {
            Self::Nothing => false,
            Self::Namespaces(names) => names.contains(namespace),
            Self::Everything => true,
        }
    }
}

/// The desk at which runners ask for work, and where the engine leaves it.
#[derive(Clone)]
pub struct Runners(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
    clock: Arc<dyn domain::Clock>,
    live: Live,
    logs: TaskLogs,
    lease: Duration,
    /// Who waits for what becomes of a task.
    awaited: Mutex<HashMap<TaskKey, Arc<Notify>>>,
    /// The polls that wait here for something to do.
    polls: Mutex<Vec<Arc<Waiting>>>,
    /// Whether there is something to be told to those who watch.
    news: AtomicBool,
    /// Whether runners can be heard.
    hears: AtomicBool,
}

/// A poll that waits.
struct Waiting {
    runner: Runner,
    /// Whether it could take something.
    is_free: bool,
    bell: Notify,
}

/// What the engine asks runners for.
pub(crate) struct Errand {
    pub(crate) key: TaskKey,
    pub(crate) reference: String,
    pub(crate) demand: Demand,
    pub(crate) idempotent: bool,
    /// Until when the run waits for it.
    pub(crate) deadline: Option<Timestamp>,
    /// The secrets of the process.
    pub(crate) redact: Vec<String>,
    /// Set when nobody wants the process any more, whoever owns the run.
    pub(crate) stopped: CancellationToken,
}

impl Runners {
    pub(crate) fn new(parts: &Parts, logs: TaskLogs, lease: Duration) -> Self {
        Self(Arc::new(Inner {
            store: Arc::clone(&parts.store),
            vault: Arc::clone(&parts.vault),
            clock: Arc::clone(&parts.clock),
            live: parts.live.clone(),
            logs,
            lease,
            awaited: Mutex::default(),
            polls: Mutex::default(),
            news: AtomicBool::default(),
            hears: AtomicBool::default(),
        }))
    }

    /// Runners are heard from here on. Until this is said, none is taken for silent: a server that is starting cannot tell.
    pub fn hear(&self) {
        self.0.hears.store(true, Ordering::Relaxed);
    }

    /// Something is other than it was. Those who watch are told with the next look, so that many changes are one.
    fn note(&self) {
        self.0.news.store(true, Ordering::Relaxed);
    }

    fn awaited(&self) -> MutexGuard<'_, HashMap<TaskKey, Arc<Notify>>> {
        self.0.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn polls(&self) -> MutexGuard<'_, Vec<Arc<Waiting>>> {
        self.0.polls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a task is there already. While the database is away, it is waited for.
    pub(crate) async fn knows(&self, key: TaskKey) -> bool {
        self.insist(|| async { Ok(self.0.store.snapshot().await?.runner_task(key).await?.is_some()) }).await
    }

    /// Asks the database until it answers.
    async fn insist<T, F: Future<Output = store::Result<T>>>(&self, ask: impl Fn() -> F) -> T {
        loop {
            match ask().await {
                Ok(answer) => return answer,
                Err(error) => warn!(error = &error as &dyn std::error::Error, "the tasks of runners are not available"),
            }
            sleep(PAUSE).await;
        }
    }

    /// Has a runner execute a process, and waits for what becomes of it. A process that is not given was handed over before.
    ///
    /// When this is dropped the task goes on: the next owner of the run asks for it again. It ends when `stopped` is set.
    pub(crate) async fn execute(
        &self,
        errand: &Errand,
        process: Option<Process>,
        context: &CallContext,
    ) -> Result<ProcessResult, Failure> {
        let awaiting = Awaiting::of(self, errand.key);
        if let Some(process) = process {
            self.queue(errand, process, context).await?;
        }
        let mut told = false;
        let mut begun = None;
        loop {
            let task = self.insist(|| async { self.0.store.snapshot().await?.runner_task(errand.key).await }).await;
            let Some(task) = task else {
                return Err(Failure::unknown(RunError::new(StandardError::Runtime, "nothing is known of the task")));
            };
            if let Some(outcome) = &task.outcome {
                return conclude(outcome);
            }
            if task.state == RunnerTaskState::Started && begun != Some(task.epoch) {
                begun = Some(task.epoch);
                self.say_who(&task, context).await;
            }
            tokio::select! {
                biased;
                () = errand.stopped.cancelled(), if !told => {
                    told = true;
                    self.insist(|| self.stop(errand.key)).await;
                }
                () = context.cancelled.cancelled(), if !told => {
                    // Whoever owns the run from now on waits for it.
                    let error = RunError::new(StandardError::Runtime, "the run has gone elsewhere");
                    return Err(Failure::unknown(error));
                }
                () = awaiting.bell.notified() => {}
            }
        }
    }

    /// Puts a task down, unless it is there.
    async fn queue(&self, errand: &Errand, process: Process, context: &CallContext) -> Result<(), Failure> {
        let Errand { key, reference, demand, idempotent, deadline, redact, .. } = errand;
        let payload = serde_json::to_string(&Payload { process, redact: redact.clone() })
            .map_err(|_| Failure::configuration("the process cannot be written"))?;
        let sealed = self.0.vault.seal(&sealed_for(*key), &payload);
        let task = RunnerTask {
            key: *key,
            reference: reference.clone(),
            demand: demand.clone(),
            idempotent: *idempotent,
            deadline: *deadline,
            state: RunnerTaskState::Queued,
            epoch: 0,
            runner: None,
            lease_until: None,
            stopped: false,
            queued_at: self.0.clock.now(),
            started_at: None,
            done_at: None,
            outcome: None,
        };
        let (task, sealed) = (&task, sealed.as_str());
        let fits = self
            .insist(|| async move {
                let mut unit = self.0.store.begin().await?;
                let runners = unit.list_runners().await?;
                unit.insert_runner_task(task, sealed).await?;
                unit.commit().await?;
                let enabled = |runner: &Runner| runner.state == RunnerState::Enabled;
                Ok(runners.iter().any(|runner| enabled(runner) && runner.fits(&task.demand)))
            })
            .await;
        self.note();
        self.offer(&task.demand);
        let whom = in_words(&task.demand.labels);
        if fits {
            context.log.line(LogLevel::Info, &format!("waits for {whom}"));
        } else {
            let namespace = &task.demand.namespace;
            context.log.line(
                LogLevel::Warn,
                &format!("waits for {whom}; none that is enabled fits and works for the namespace {namespace}"),
            );
        }
        Ok(())
    }

    async fn say_who(&self, task: &RunnerTask, context: &CallContext) {
        let Some(id) = task.runner else { return };
        let read = async { self.0.store.snapshot().await?.runner(id).await };
        if let Ok(Some(runner)) = read.await {
            context.log.line(LogLevel::Info, &format!("begun by the runner {}", runner.name));
        }
    }

    /// Nobody wants a task any more.
    async fn stop(&self, key: TaskKey) -> store::Result<()> {
        let mut unit = self.0.store.begin().await?;
        let runner = unit.runner_task(key).await?.and_then(|task| task.runner);
        unit.stop_runner_task(key, &not_wanted(), self.0.clock.now()).await?;
        unit.commit().await?;
        self.note();
        self.ring(key);
        if let Some(runner) = runner {
            self.rouse(|waiting| waiting.runner.id == runner);
        }
        Ok(())
    }

    /// Wakes who waits for a task.
    fn ring(&self, key: TaskKey) {
        if let Some(bell) = self.awaited().get(&key) {
            bell.notify_one();
        }
    }

    /// Wakes one poll that could take this, if there is one here. If it cannot, or is on another node, the next look finds it.
    fn offer(&self, demand: &Demand) {
        let mut polls = self.polls();
        let fitting = polls.iter().position(|waiting| waiting.is_free && waiting.runner.fits(demand));
        if let Some(place) = fitting {
            polls.swap_remove(place).bell.notify_one();
        }
    }

    /// Wakes all polls of these.
    fn rouse(&self, wanted: impl Fn(&Waiting) -> bool) {
        self.polls().retain(|waiting| {
            let wakes = wanted(waiting);
            if wakes {
                waiting.bell.notify_one();
            }
            !wakes
        });
    }

    fn open(&self, key: TaskKey, sealed: &str) -> Result<Option<Payload>, VaultError> {
        let text = self.0.vault.unseal(&sealed_for(key), sealed)?;
        Ok(serde_json::from_str(text.expose()).ok())
    }
}

/// Whether a runner is there.
#[must_use]
pub fn is_online(runner: &Runner, now: Timestamp) -> bool {
    runner.seen_at.is_some_and(|seen| seen + HEARD_WITHIN > now)
}

/// Somebody waits for what becomes of a task.
struct Awaiting<'r> {
    runners: &'r Runners,
    key: TaskKey,
    bell: Arc<Notify>,
}

impl<'r> Awaiting<'r> {
    fn of(runners: &'r Runners, key: TaskKey) -> Self {
        let bell = Arc::new(Notify::new());
        runners.awaited().insert(key, Arc::clone(&bell));
        Self { runners, key, bell }
    }
}

impl Drop for Awaiting<'_> {
    fn drop(&mut self) {
        let mut awaited = self.runners.awaited();
        if awaited.get(&self.key).is_some_and(|bell| Arc::ptr_eq(bell, &self.bell)) {
            awaited.remove(&self.key);
        }
    }
}

/// What became of a task, as its call takes it.
fn conclude(outcome: &str) -> Result<ProcessResult, Failure> {
    let error = |why: String| RunError::new(StandardError::Runtime, why);
    let outcome = serde_json::from_str(outcome)
        .unwrap_or_else(|_| Outcome::Lost { why: "what became of the process cannot be read".to_owned() });
    match outcome {
        Outcome::Ended { result } => Ok(result),
        Outcome::Stopped => Err(Failure::unknown(error("the process was stopped while it was under way".to_owned()))),
        Outcome::Failed { error } => Err(Failure::permanent(error)),
        Outcome::NotBegun { why } => Err(Failure::retryable(error(why))),
        Outcome::Lost { why } => Err(Failure::unknown(error(why))),
    }
}

/// What a payload is sealed for.
fn sealed_for(key: TaskKey) -> String {
    format!("runner-task:{}/{}", key.run, key.call)
}

/// The outcome of a task that was stopped before it was begun.
pub(crate) fn not_wanted() -> String {
    written(&Outcome::NotBegun { why: "the process was not wanted any more before it was begun".to_owned() })
}

fn written(outcome: &Outcome) -> String {
    // Outcomes always have a form in JSON.
    serde_json::to_string(outcome).unwrap_or_default()
}

/// A runner with these labels, for people.
#[must_use]
pub fn in_words(labels: &[Name]) -> String {
    match labels {
        [] => "a runner".to_owned(),
        [label] => format!("a runner with the label {label}"),
        several => {
            let names: Vec<&str> = several.iter().map(Name::as_str).collect();
            format!("a runner with the labels {}", names.join(", "))
        }
    }
}
