//! What a live stream needs to know while it stands open: whether its reader is still who it was and may still read.

use domain::{Problem, RunId};
use engine::RunChange;
use identity::tokens;

use crate::{Caller, Service, people, problems::OrProblem as _};

impl Service {
    /// The caller as of now, with present roles; none when the session or token has ended, or the person was disabled.
    pub async fn caller_now(&self, caller: &Caller) -> Result<Option<Caller>, Problem> {
        let now = self.now();
        let mut unit = self.parts.store.snapshot().await.or_problem()?;
        let Some(user) = unit.user(caller.user).await.or_problem()?.filter(|user| user.active) else {
            return Ok(None);
        };
        let holds = match (caller.session, caller.token) {
            (Some(session), _) => {
                let sessions = unit.sessions_of(user.id, now).await.or_problem()?;
                sessions.iter().any(|known| known.id == session)
            }
            (None, Some(token)) => {
                let known = unit.tokens_of(user.id).await.or_problem()?;
                known.iter().any(|known| known.id == token && tokens::is_active(known, now))
            }
            (None, None) => false,
        };
        if !holds {
            return Ok(None);
        }
        let principal = people::principal(unit.as_mut(), &user, now).await.or_problem()?;
        Ok(Some(Caller { principal, ..caller.clone() }))
    }

    /// Where a run stands, for whom may read it.
    pub async fn run_state(&self, caller: &Caller, id: RunId) -> Result<RunChange, Problem> {
        let (_, run) = self.look_at_run(caller, id).await?;
        Ok(RunChange { run: id, version: run.journal_version, status: run.status })
    }
}
