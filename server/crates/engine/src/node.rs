//! A node: finds runs that have something to do, and gives each to an actor.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::{Name, RunId, Timestamp, WorkflowRef};
use store::{UnitOfWork, limits::NamespaceLimits, runs::Lease};
use tokio::{
    sync::{Notify, Semaphore},
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info_span, warn};
use workflow::Definition;

use crate::{
    EngineSettings, Parts,
    actor::{self, Employment},
    bell::Bell,
    runners::Runners,
    task_log::TaskLogs,
};

/// A node and what its actors share.
pub(crate) struct Node {
    pub(crate) parts: Parts,
    pub(crate) settings: EngineSettings,
    pub(crate) logs: TaskLogs,
    pub(crate) runners: Runners,
    pub(crate) stop: CancellationToken,
    pub(crate) call_slots: Arc<Semaphore>,
    /// Whose turn it is to publish or subscribe.
    pub(crate) stream_turn: Arc<tokio::sync::Mutex<()>>,
    /// Rung when a schedule may have become due.
    pub(crate) schedule_bell: Notify,
    /// Rung when somebody was disabled.
    pub(crate) departure_bell: Notify,
    knock: Notify,
    crew: Mutex<Crew>,
    /// As of the last look around.
    limits: Mutex<BTreeMap<Name, NamespaceLimits>>,
    /// The namespace whose turn was last.
    served: Mutex<Option<Name>>,
}

/// Who works on what.
#[derive(Default)]
struct Crew {
    /// The bells of the actors at work, by run.
    actors: HashMap<RunId, Arc<Bell>>,
    /// Runs that have got something to do while no actor was at work on them; those launched first come first.
    woken: BTreeSet<RunId>,
}

impl Node {
    pub(crate) fn new(
        parts: Parts,
        settings: EngineSettings,
        logs: TaskLogs,
        runners: Runners,
        stop: CancellationToken,
    ) -> Self {
        Self {
            call_slots: Arc::new(Semaphore::new(settings.calls)),
            parts,
            settings,
            logs,
            runners,
            stop,
            stream_turn: Arc::default(),
            schedule_bell: Notify::new(),
            departure_bell: Notify::new(),
            knock: Notify::new(),
            crew: Mutex::default(),
            limits: Mutex::default(),
            served: Mutex::default(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    fn crew(&self) -> MutexGuard<'_, Crew> {
        self.crew.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rings the run's actor if there is one, else sees to it that one is employed.
    pub(crate) fn wake(&self, run: RunId) {
        let mut crew = self.crew();
        if let Some(bell) = crew.actors.get(&run) {
            bell.ring();
        } else {
            crew.woken.insert(run);
            self.knock.notify_one();
        }
    }

    /// Rings the run's actor if there is one here.
    pub(crate) fn ring(&self, run: RunId) {
        if let Some(bell) = self.crew().actors.get(&run) {
            bell.ring();
        }
    }

    /// Rings all actors: any of them may have been rung for while nobody heard.
    pub(crate) fn ring_all(&self) {
        for bell in self.crew().actors.values() {
            bell.ring();
        }
    }

    /// Employs actors until told to stop, then waits for them.
    ///
    /// Runs that this process has woken are taken up at once. All others (of other nodes, of dead ones, and those whose time
    /// has come) are found by looking for them now and then. So are all while there is more to do than this node takes: by
    /// looking, namespaces take turns.
    pub(crate) async fn work(self: Arc<Self>) {
        let mut actors = JoinSet::new();
        let mut rounds = interval(self.settings.poll);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut look_around = true;
        self.learn_limits().await;
        while !self.stop.is_cancelled() {
            while actors.try_join_next().is_some() {}
            let room = self.settings.runs.saturating_sub(actors.len()).min(CLAIM);
            if look_around && room > 0 {
                let mut woken = std::mem::take(&mut self.crew().woken);
                let claimed = self.claim(room).await;
                look_around = claimed.len() == room;
                if !look_around {
                    // What was woken and not found has nothing to do, or another node holds it, and is to be told.
                    for lease in &claimed {
                        woken.remove(&lease.run);
                    }
                    self.crew().woken.append(&mut woken);
                }
                for lease in claimed {
                    self.employ(&mut actors, Employment::Leased(lease));
                }
                continue;
            }
            while actors.len() < self.settings.runs
                && let Some(run) = self.next_woken()
            {
                self.employ(&mut actors, Employment::Woken(run));
            }
            let is_full = actors.len() >= self.settings.runs;
            look_around |= is_full;
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = self.knock.notified(), if !is_full => {}
                _ = rounds.tick() => {
                    look_around = true;
                    self.learn_limits().await;
                }
                Some(_) = actors.join_next(), if is_full => {}
            }
        }
        while actors.join_next().await.is_some() {}
    }

    fn next_woken(&self) -> Option<RunId> {
        self.crew().woken.pop_first()
    }

    async fn claim(&self, room: usize) -> Vec<Lease> {
        let EngineSettings { node, lease, poll, .. } = &self.settings;
        let limit = u32::try_from(room).unwrap_or_default();
        let claim = async {
            let now = self.now();
            let mut unit = self.parts.store.begin().await?;
            // Those whose time comes before the next look, too: their actors wait for the moment itself.
            let last = self.served.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let claimed = unit.claim_runs(node, now, now + *poll, *lease, limit, last.as_ref()).await?;
            if claimed.is_empty() {
                unit.rollback().await?;
            } else {
                unit.commit().await?;
            }
            store::Result::Ok(claimed)
        };
        let claimed = claim.await.unwrap_or_else(|error| {
            warn!(error = &error as &dyn std::error::Error, "runs could not be claimed");
            Vec::new()
        });
        if let Some(last) = claimed.last() {
            *self.served.lock().unwrap_or_else(PoisonError::into_inner) = Some(last.namespace.clone());
        }
        claimed.into_iter().map(|claimed| claimed.lease).collect()
    }

    /// What is limited in this namespace, as of the last look around.
    pub(crate) fn limits_of(&self, namespace: &Name) -> Option<NamespaceLimits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner).get(namespace).cloned()
    }

    async fn learn_limits(&self) {
        let read = async { self.parts.store.snapshot().await?.list_namespace_limits().await };
        match read.await {
            Ok(all) => {
                let all = all.into_iter().map(|limits| (limits.namespace.clone(), limits)).collect();
                *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = all;
            }
            Err(error) => warn!(error = &error as &dyn std::error::Error, "the limits of namespaces could not be read"),
        }
    }

    fn employ(self: &Arc<Self>, actors: &mut JoinSet<()>, employment: Employment) {
        let bell = Arc::new(Bell::default());
        let run = employment.run();
        match self.crew().actors.entry(run) {
            Entry::Occupied(at_work) if matches!(employment, Employment::Woken(_)) => return at_work.get().ring(),
            Entry::Occupied(mut at_work) => drop(at_work.insert(Arc::clone(&bell))),
            Entry::Vacant(place) => drop(place.insert(Arc::clone(&bell))),
        }
        let node = Arc::clone(self);
        let span = info_span!("run", id = %run);
        actors.spawn(
            async move {
                // Removed on every way out, a panic in the actor included, so that the run is not deaf for ever.
                let _registration = Registration { node: Arc::clone(&node), run, bell: Arc::clone(&bell) };
                actor::work(node, employment, &bell).await;
            }
            .instrument(span),
        );
    }

    /// The definition of a version. It is read by the unit at hand: actors that each held one connection and waited for a
    /// second would wait for each other.
    pub(crate) async fn definition(
        &self,
        unit: &mut dyn UnitOfWork,
        workflow: &WorkflowRef,
        version: &str,
    ) -> Result<Arc<Definition>, LoadError> {
        if let Some(known) = self.parts.definitions.known(workflow, version) {
            return Ok(known);
        }
        let stored = unit.workflow_version(workflow, version).await?.ok_or(LoadError::NoDefinition)?;
        self.parts.definitions.of(&stored).map_err(|diagnostics| LoadError::Invalid(diagnostics.len()))
    }
}

/// Runs claimed at once.
const CLAIM: usize = 32;

struct Registration {
    node: Arc<Node>,
    run: RunId,
    bell: Arc<Bell>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut crew = self.node.crew();
        // A later lease may have employed another actor already; its bell stays.
        if crew.actors.get(&self.run).is_some_and(|bell| Arc::ptr_eq(bell, &self.bell)) {
            crew.actors.remove(&self.run);
        }
        // What arrived between the actor's last look and now is for the next one.
        if self.bell.is_ringing() {
            drop(crew);
            self.node.wake(self.run);
        }
    }
}

/// Why a run could not be loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// The store failed.
    #[error("the run could not be read")]
    Store(#[from] store::StoreError),
    /// The version that the run was started with is gone.
    #[error("the definition of the run is not in the store")]
    NoDefinition,
    /// The stored definition is refused by this program.
    #[error("the stored definition has {0} errors for this version of Rondo")]
    Invalid(usize),
    /// A journal entry, snapshot, inbox item or event is not what this program writes.
    #[error("what is stored cannot be read by this version of Rondo")]
    Unreadable(#[source] serde_json::Error),
}
