//! What runners ask for, and what they are answered.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use audit::{Actor, Door, Entry, Outcome as Audited, ResourceRef};
use domain::{RunnerState, RunnerTaskState, Timestamp};
use serde_json::json;
use store::{
    StoreError, UnitOfWork,
    runners::{Beginning, Demand, Held, Runner, RunnerTask, Turn},
};
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};
use workflow::{RunError, StandardError};

use super::{
    Runners, Waiting, not_wanted,
    protocol::{
        Assignment, Begin, Hello, Lines, Offer, Orders, Outcome, PATIENCE, Poll, Report, VERSION, Verdict, Welcome,
    },
    written,
};
use crate::processes::not_permitted;

/// Tasks of one answer: each may hold a script of some megabytes, and the answer has to arrive within a minute.
const OFFERS: u32 = 8;
/// Kinds of tasks that are looked for at once.
const DEMANDS: usize = 250;
/// A task that may be repeated is begun so often at most: what ends its runner each time would do so for ever.
const MOST_BEGINNINGS: i64 = 5;

/// Why a runner is not served.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It speaks another language.
    #[error(
        "the runner speaks version {0} of the protocol, and this server version {VERSION}; run the server's version"
    )]
    Protocol(u32),
    /// Another installation uses the same token.
    #[error(
        "the token of this runner is in use by another installation of it, heard of at {0}; enrol a second runner, or stop \
         the other one and wait for the time of a lease"
    )]
    InUse(Timestamp),
    /// It has begun anew since, or asked again.
    #[error("this session of the runner has been followed by another one")]
    Followed,
    /// It was disabled or removed meanwhile.
    #[error("the runner is disabled")]
    Disabled,
    /// The database failed.
    #[error("the database is not available")]
    Store(#[from] StoreError),
}

impl Runners {
    /// The runner with this hash of its token.
    ///
    /// # Errors
    /// The database is away.
    pub async fn by_token(&self, hash: &str) -> store::Result<Option<Runner>> {
        self.0.store.snapshot().await?.runner_by_token(hash).await
    }

    /// A runner begins a session. Another installation does so only once the one before has been silent for a lease.
    ///
    /// # Errors
    /// It is not served, and why.
    pub async fn begin_session(&self, runner: &Runner, hello: Hello) -> Result<Welcome, Refusal> {
        if hello.protocol != VERSION {
            return Err(Refusal::Protocol(hello.protocol));
        }
        let now = self.0.clock.now();
        let mut unit = self.0.store.begin().await?;
        let known = unit.runner(runner.id).await?.ok_or(Refusal::Disabled)?;
        let is_other = known.instance.is_some_and(|instance| instance != hello.instance);
        if let (true, Some(seen)) = (is_other, known.seen_at)
            && seen + self.0.lease > now
        {
            return Err(Refusal::InUse(seen));
        }
        let Hello { instance, version, capacity, .. } = hello;
        let beginning = Beginning { instance, version, capacity };
        let session = unit.begin_runner(runner.id, &beginning, now).await?.ok_or(Refusal::Disabled)?;
        unit.commit().await?;
        self.note();
        let Runner { name, labels, namespaces, .. } = runner.clone();
        let patience = u64::try_from(self.patience().as_millis()).unwrap_or(PATIENCE);
        Ok(Welcome { session, name, labels, namespaces, patience })
    }

    /// How long a poll waits. A poll keeps the leases, so it never lasts as long as one.
    fn patience(&self) -> Duration {
        Duration::from_millis(PATIENCE).min(self.0.lease / 3)
    }

    /// A runner says what it has, and waits for something to do.
    ///
    /// # Errors
    /// It is not served, and why.
    pub async fn poll(&self, runner: &Runner, poll: &Poll, stop: &CancellationToken) -> Result<Orders, Refusal> {
        let until = Instant::now() + self.patience();
        let mut first = true;
        loop {
            // Before it is looked for something to do, so that nothing comes unheard between.
            let waiting = self.wait(runner, poll.free > 0);
            let orders = self.orders(runner, poll, first).await?;
            first = false;
            if !orders.tasks.is_empty() || !orders.stop.is_empty() || stop.is_cancelled() {
                return Ok(orders);
            }
            tokio::select! {
                () = waiting.0.bell.notified() => {}
                () = tokio::time::sleep_until(until) => return Ok(orders),
                () = stop.cancelled() => return Ok(orders),
            }
        }
    }

    fn wait(&self, runner: &Runner, is_free: bool) -> Registered<'_> {
        let waiting = Arc::new(Waiting { runner: runner.clone(), is_free, bell: Notify::new() });
        self.polls().push(Arc::clone(&waiting));
        Registered(waiting, self)
    }

    /// What there is for a runner now. The first time it is compared what both know.
    async fn orders(&self, runner: &Runner, poll: &Poll, first: bool) -> Result<Orders, Refusal> {
        let now = self.0.clock.now();
        let mut unit = self.0.store.begin().await?;
        let turn = Turn { runner: runner.id, session: poll.session, turn: poll.turn };
        if !unit.take_runner_turn(turn, poll.load, now).await? {
            return Err(Refusal::Followed);
        }
        let runner = unit.runner(runner.id).await?.ok_or(Refusal::Disabled)?;
        if runner.state == RunnerState::Disabled {
            return Err(Refusal::Disabled);
        }
        let known: BTreeSet<Assignment> = poll.tasks.iter().copied().collect();
        let mut settled = Vec::new();
        if first {
            for task in unit.tasks_of_runner(runner.id).await? {
                if !known.contains(&held(&task).into()) {
                    let why = format!("the runner {} knows nothing of the process any more", runner.name);
                    self.take_back(unit.as_mut(), &task, &why, now).await?;
                    settled.push(task);
                }
            }
            unit.renew_runner_tasks(runner.id, now + self.0.lease).await?;
        }
        let has: Vec<RunnerTask> = unit.tasks_of_runner(runner.id).await?;
        let wanted: BTreeSet<Assignment> =
            has.iter().filter(|task| !task.stopped).map(|task| held(task).into()).collect();
        let stop = known.into_iter().filter(|task| !wanted.contains(task)).collect();
        let mut leased = Vec::new();
        if runner.state == RunnerState::Enabled && poll.free > 0 {
            let demands = unit.queued_demands().await?;
            let fitting = demands.into_iter().filter(|demand| runner.fits(demand)).take(DEMANDS);
            let fitting: Vec<Demand> = fitting.collect();
            let most = poll.free.min(OFFERS);
            leased = unit.lease_runner_tasks(runner.id, &fitting, most, now + self.0.lease).await?;
        }
        let news = !leased.is_empty() || !settled.is_empty();
        let tasks = self.offers(unit.as_mut(), leased, now).await?;
        unit.commit().await?;
        if news {
            self.note();
        }
        for task in settled {
            self.ring(task.key);
            self.offer(&task.demand);
        }
        Ok(Orders { tasks, stop })
    }

    /// What is opened of the tasks that a runner is given. What cannot be opened fails here.
    async fn offers(
        &self,
        unit: &mut dyn UnitOfWork,
        leased: Vec<(RunnerTask, String)>,
        now: Timestamp,
    ) -> store::Result<Vec<Offer>> {
        let mut offers = Vec::new();
        for (task, sealed) in leased {
            let namespace = &task.demand.namespace;
            if unit.process_permission(namespace).await?.is_none() {
                // It was given when the task was queued; since then somebody has taken it back.
                let error = RunError::new(StandardError::Authorization, not_permitted(namespace));
                unit.finish_runner_task(held(&task), &written(&Outcome::Failed { error }), now).await?;
                self.ring(task.key);
                continue;
            }
            match self.open(task.key, &sealed) {
                Ok(Some(payload)) => {
                    offers.push(Offer { task: held(&task).into(), reference: task.reference, payload });
                }
                Ok(None) | Err(_) => {
                    error!(run = %task.key.run, reference = task.reference, "a task for a runner cannot be opened");
                    let why = "the process cannot be opened with the key of this server".to_owned();
                    unit.finish_runner_task(held(&task), &written(&Outcome::NotBegun { why }), now).await?;
                }
            }
        }
        Ok(offers)
    }

    /// Whether a runner may begin a task now.
    ///
    /// # Errors
    /// The database is away.
    pub async fn begin(&self, runner: &Runner, begin: &Begin) -> store::Result<Verdict> {
        let mut unit = self.0.store.begin().await?;
        let agreed = unit.start_runner_task(begin.task.into(), runner.id, self.0.clock.now()).await?;
        unit.commit().await?;
        if agreed {
            self.note();
            self.ring(Held::from(begin.task).key);
        }
        Ok(Verdict { agreed })
    }

    /// Puts what processes have written into the logs of their tasks.
    ///
    /// # Errors
    /// The database is away.
    pub async fn log(&self, runner: &Runner, lines: Lines) -> store::Result<()> {
        let has = self.0.store.snapshot().await?.tasks_of_runner(runner.id).await?;
        for line in lines.lines {
            let task = has.iter().find(|task| Assignment::from(held(task)) == line.task);
            if let Some(task) = task {
                let level = if line.error { "warn" } else { "info" };
                self.0.logs.line(task.key.run, &task.reference, level, &line.text);
            }
        }
        Ok(())
    }

    /// Takes what became of a task, once.
    ///
    /// # Errors
    /// The database is away.
    pub async fn report(&self, runner: &Runner, report: Report) -> store::Result<Verdict> {
        let now = self.0.clock.now();
        let Report { task, outcome } = report;
        let held = Held::from(task);
        let mut unit = self.0.store.begin().await?;
        let known = unit.runner_task(held.key).await?;
        let known = known.filter(|task| task.runner == Some(runner.id) && task.epoch == held.epoch);
        let Some(known) = known.filter(|task| task.lease_until.is_some()) else {
            return Ok(Verdict { agreed: false });
        };
        match &outcome {
            Outcome::Lost { why } => self.take_back(unit.as_mut(), &known, why, now).await?,
            outcome => {
                unit.finish_runner_task(held, &written(outcome), now).await?;
                count(outcome);
            }
        }
        unit.commit().await?;
        self.note();
        self.ring(held.key);
        self.offer(&known.demand);
        Ok(Verdict { agreed: true })
    }

    /// A runner has lost a task. What was not begun, or may be begun again, waits for the next; of what may have happened
    /// nobody can tell, and the audit log says so.
    pub(super) async fn take_back(
        &self,
        unit: &mut dyn UnitOfWork,
        task: &RunnerTask,
        why: &str,
        now: Timestamp,
    ) -> store::Result<()> {
        let begun = task.state == RunnerTaskState::Started;
        if !begun && task.stopped {
            unit.finish_runner_task(held(task), &not_wanted(), now).await?;
            return Ok(());
        }
        if !begun || (task.idempotent && !task.stopped && task.epoch < MOST_BEGINNINGS) {
            unit.requeue_runner_task(held(task)).await?;
            return Ok(());
        }
        let outcome = Outcome::Lost { why: why.to_owned() };
        if unit.finish_runner_task(held(task), &written(&outcome), now).await? {
            count(&outcome);
            audit::append(unit, &lost(task, why, now)).await?;
            warn!(run = %task.key.run, reference = task.reference, why, "a process was lost with its runner");
        }
        Ok(())
    }
}

/// A poll that is among those that wait.
struct Registered<'r>(Arc<Waiting>, &'r Runners);

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.1.polls().retain(|waiting| !Arc::ptr_eq(waiting, &self.0));
    }
}

pub(super) fn held(task: &RunnerTask) -> Held {
    Held { key: task.key, epoch: task.epoch }
}

fn count(outcome: &Outcome) {
    let name = match outcome {
        Outcome::Ended { .. } => "ended",
        Outcome::Failed { .. } => "failed",
        Outcome::NotBegun { .. } => "not-begun",
        Outcome::Stopped => "stopped",
        Outcome::Lost { .. } => "lost",
    };
    metrics::counter!("rondo_runner_tasks_total", "outcome" => name).increment(1);
}

/// What the audit log says of a process that was lost.
fn lost(task: &RunnerTask, why: &str, now: Timestamp) -> Entry {
    let id = task.runner.map(|runner| runner.to_string()).unwrap_or_default();
    Entry {
        at: now,
        actor: Actor::system(),
        door: Door::Engine,
        session: None,
        token: None,
        address: None,
        trace_id: task.key.run.to_string(),
        action: "runner.lose-task".to_owned(),
        resource: ResourceRef { kind: "runner".to_owned(), name: id.clone(), id, persons: Vec::new() },
        namespace: Some(task.demand.namespace.clone()),
        outcome: Audited::Done,
        policies: Vec::new(),
        policy_set: None,
        detail: json!({"run": task.key.run, "task": task.reference, "why": why}),
        named: Vec::new(),
    }
}
