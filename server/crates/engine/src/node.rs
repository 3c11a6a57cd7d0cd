//! A node: claims runs and gives each to an actor.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use domain::{RunId, Timestamp, WorkflowRef};
use store::{UnitOfWork, runs::Lease};
use tokio::{
    sync::{Notify, Semaphore},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info_span, warn};
use workflow::Definition;

use crate::{EngineSettings, Parts, actor, task_log::TaskLogs};

/// Parsed definitions kept; a version never changes, so one is parsed once.
const DEFINITIONS: usize = 256;

/// A node and what its actors share.
pub(crate) struct Node {
    pub(crate) parts: Parts,
    pub(crate) settings: EngineSettings,
    pub(crate) logs: TaskLogs,
    pub(crate) stop: CancellationToken,
    pub(crate) call_slots: Arc<Semaphore>,
    /// Rung when a schedule may have become due.
    pub(crate) schedule_bell: Notify,
    knock: Notify,
    /// Actors at work, by run, each with its own bell.
    actors: Mutex<HashMap<RunId, Arc<Notify>>>,
    definitions: Mutex<HashMap<(WorkflowRef, String), Arc<Definition>>>,
}

impl Node {
    pub(crate) fn new(parts: Parts, settings: EngineSettings, logs: TaskLogs, stop: CancellationToken) -> Self {
        Self {
            call_slots: Arc::new(Semaphore::new(settings.calls)),
            parts,
            settings,
            logs,
            stop,
            schedule_bell: Notify::new(),
            knock: Notify::new(),
            actors: Mutex::default(),
            definitions: Mutex::default(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// Rings the run's actor if there is one, else the claiming loop.
    pub(crate) fn wake(&self, run: RunId) {
        let actors = self.actors.lock().unwrap_or_else(PoisonError::into_inner);
        match actors.get(&run) {
            Some(bell) => bell.notify_one(),
            None => self.knock.notify_one(),
        }
    }

    /// Claims runs until told to stop, then waits for the actors.
    pub(crate) async fn work(self: Arc<Self>) {
        let mut actors = JoinSet::new();
        while !self.stop.is_cancelled() {
            while actors.try_join_next().is_some() {}
            let room = self.settings.runs.saturating_sub(actors.len());
            let claimed = self.claim(room).await;
            let full = claimed.len() >= room.min(CLAIM) && !claimed.is_empty();
            for lease in claimed {
                self.employ(&mut actors, lease);
            }
            if full {
                continue;
            }
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = self.knock.notified() => {}
                () = tokio::time::sleep(self.settings.poll) => {}
            }
        }
        while actors.join_next().await.is_some() {}
    }

    async fn claim(&self, room: usize) -> Vec<Lease> {
        let limit = u32::try_from(room.min(CLAIM)).unwrap_or_default();
        if limit == 0 {
            return Vec::new();
        }
        let claim = async {
            let mut unit = self.parts.store.begin().await?;
            let leases = unit.claim_runs(&self.settings.node, self.now(), self.settings.lease, limit).await?;
            if leases.is_empty() {
                unit.rollback().await?;
            } else {
                unit.commit().await?;
            }
            store::Result::Ok(leases)
        };
        claim.await.unwrap_or_else(|error| {
            warn!(error = &error as &dyn std::error::Error, "runs could not be claimed");
            Vec::new()
        })
    }

    fn employ(self: &Arc<Self>, actors: &mut JoinSet<()>, lease: Lease) {
        let bell = Arc::new(Notify::new());
        let run = lease.run;
        self.actors.lock().unwrap_or_else(PoisonError::into_inner).insert(run, Arc::clone(&bell));
        let node = Arc::clone(self);
        let span = info_span!("run", id = %run);
        actors.spawn(
            async move {
                // Removed on every way out, a panic in the actor included, so that the run is not deaf for ever.
                let _registration = Registration { node: Arc::clone(&node), run, bell: Arc::clone(&bell) };
                actor::work(node, lease, bell).await;
            }
            .instrument(span),
        );
    }

    /// The definition of a version, parsed. It is read by the unit at hand: actors that each held one connection and waited
    /// for a second would wait for each other.
    pub(crate) async fn definition(
        &self,
        unit: &mut dyn UnitOfWork,
        workflow: &WorkflowRef,
        version: &str,
    ) -> Result<Arc<Definition>, LoadError> {
        let key = (workflow.clone(), version.to_owned());
        if let Some(known) = self.definitions.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Arc::clone(known));
        }
        let stored = unit.workflow_version(workflow, version).await?.ok_or(LoadError::NoDefinition)?;
        let definition = Definition::parse(&stored.source, self.parts.connectors.function_catalogue())
            .map_err(|diagnostics| LoadError::Invalid(diagnostics.len()))?;
        let definition = Arc::new(definition);
        let mut definitions = self.definitions.lock().unwrap_or_else(PoisonError::into_inner);
        if definitions.len() >= DEFINITIONS {
            definitions.clear();
        }
        definitions.insert(key, Arc::clone(&definition));
        Ok(definition)
    }
}

/// Runs claimed at once.
const CLAIM: usize = 32;

struct Registration {
    node: Arc<Node>,
    run: RunId,
    bell: Arc<Notify>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut actors = self.node.actors.lock().unwrap_or_else(PoisonError::into_inner);
        // A later lease may have employed another actor already; its bell stays.
        if actors.get(&self.run).is_some_and(|bell| Arc::ptr_eq(bell, &self.bell)) {
            actors.remove(&self.run);
        }
        drop(actors);
        // Whatever arrived between the actor's last look and now is found by the next claim.
        self.node.knock.notify_one();
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
