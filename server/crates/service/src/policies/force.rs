//! Which policies are in force on this node, and how it hears of others.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use domain::Problem;
use engine::Topic;
use policy::Policies;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{Service, problems::OrProblem as _};

/// How often a node looks whether other policies are in force, beside hearing of it.
const LOOK_AROUND: Duration = Duration::from_secs(5);
/// How often it writes down what they were asked.
const WRITE_DOWN: Duration = Duration::from_mins(1);

/// The policies in force, and the set of the administrators among them.
struct InForce {
    version: Option<i64>,
    policies: Arc<Policies>,
}

/// Holds the policies in force.
pub(crate) struct Force {
    now: RwLock<InForce>,
    /// One looks at a time, so that nobody who looked earlier puts older policies into force.
    turn: tokio::sync::Mutex<()>,
}

impl Force {
    /// The program's own policies.
    pub(crate) fn of(policies: Arc<Policies>) -> Self {
        Self { now: RwLock::new(InForce { version: None, policies }), turn: tokio::sync::Mutex::default() }
    }

    pub(super) fn version(&self) -> Option<i64> {
        self.now.read().unwrap_or_else(PoisonError::into_inner).version
    }

    fn policies(&self) -> Arc<Policies> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner).policies)
    }

    fn put(&self, version: Option<i64>, policies: Arc<Policies>) {
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = InForce { version, policies };
    }
}

impl Service {
    /// The policies in force.
    pub(crate) fn in_force(&self) -> Arc<Policies> {
        self.force.policies()
    }

    /// Puts into force what the database says, if that is something else.
    ///
    /// # Errors
    /// The database does not answer, or its policies cannot be used by this version of the program; those that were in force
    /// stay so.
    pub async fn load_policies(&self) -> Result<(), Problem> {
        let _turn = self.force.turn.lock().await;
        let mut unit = self.parts.store.snapshot().await.or_problem()?;
        let active = unit.active_policy_set().await.or_problem()?;
        let version = active.as_ref().map(|set| set.version);
        if version == self.force.version() {
            return Ok(());
        }
        let policies = match active {
            None => Arc::clone(&self.parts.policies),
            Some(set) => Arc::new(super::read(&set.source)?),
        };
        info!(version, digest = policies.digest(), "other policies are in force");
        self.force.put(version, policies);
        Ok(())
    }

    /// Keeps the policies in force as the database says, and writes down what they were asked, until told to stop.
    pub async fn follow_policies(&self, stop: CancellationToken) {
        let mut heard = self.parts.live.topics();
        let (mut look_around, mut write_down) = (tokio::time::interval(LOOK_AROUND), tokio::time::interval(WRITE_DOWN));
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = look_around.tick() => self.keep_in_force().await,
                _ = write_down.tick() => self.note_questions().await,
                topic = heard.recv() => match topic {
                    Ok(Topic::Policies) | Err(RecvError::Lagged(_)) => self.keep_in_force().await,
                    Ok(_) => {}
                    Err(RecvError::Closed) => break,
                },
            }
        }
        self.note_questions().await;
    }

    async fn keep_in_force(&self) {
        if let Err(problem) = self.load_policies().await {
            error!(%problem, "the policies in force may be others than the database says");
        }
    }

    async fn note_questions(&self) {
        if let Err(error) = self.questions.write_down(self.parts.store.as_ref()).await {
            warn!(error = &error as &dyn std::error::Error, "what policies were asked could not be written down");
        }
    }
}
