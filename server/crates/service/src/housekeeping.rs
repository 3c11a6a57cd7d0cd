//! Forgetting what means nothing any more. Never runs, journals, decisions or audit entries.

use std::time::Duration;

use domain::Problem;
use identity::throttle;

use crate::{Service, problems::OrProblem as _};

/// Unsent drafts are kept for so long after they were last typed in.
const DRAFTS: Duration = Duration::from_hours(90 * 24);
/// Answers under idempotency keys are kept for so long.
const ANSWERS: Duration = Duration::from_hours(24);

impl Service {
    /// Removes ended sessions, old failed sign-ins, drafts and answers. Safe at any time, on any number of nodes.
    pub async fn tidy(&self) -> Result<(), Problem> {
        let now = self.now();
        let mut unit = self.parts.store.begin().await.or_problem()?;
        unit.prune_sessions(now).await.or_problem()?;
        unit.prune_throttles(now - throttle::KEPT).await.or_problem()?;
        unit.prune_drafts(now - DRAFTS).await.or_problem()?;
        unit.prune_answered(now - ANSWERS).await.or_problem()?;
        unit.commit().await.or_problem()
    }
}
