//! What other policies would say to the questions that were lately asked.

use domain::{
    Operation, Problem, Timestamp,
    view::{ChangedDecision, ReplayView},
};
use policy::{Policies, Principal, Resource};
use store::policy_sets::AskedQuestion;

use super::{
    questions::{KEPT, Question},
    target,
};
use crate::{
    Caller, Service,
    problems::{OrProblem as _, internal, not_found},
};

/// Changed decisions that are shown.
const SHOWN: usize = 200;

impl Service {
    /// Puts the questions that were lately asked to the policies in force and to these, and tells where they differ.
    pub async fn replay_policies(&self, caller: &Caller, version: i64) -> Result<ReplayView, Problem> {
        let mut gate = self.look(caller, Operation::PolicyRead).await?;
        gate.authorize(&Resource::system(), &target(version)).await?;
        let set = gate.unit.policy_set(version).await.or_problem()?.ok_or_else(not_found)?;
        drop(gate);
        self.questions.write_down(self.parts.store.as_ref()).await.or_problem()?;
        let mut unit = self.parts.store.snapshot().await.or_problem()?;
        let asked = unit.latest_questions(KEPT).await.or_problem()?;
        drop(unit);
        let (now, then) = (self.in_force(), super::read(&set.source)?);
        let replayed = tokio::task::spawn_blocking(move || replay(&now, &then, &asked));
        replayed.await.map_err(|cause| internal("recorded decisions could not be replayed", &cause))
    }
}

/// Compares what two sets of policies say to the same questions.
fn replay(now: &Policies, then: &Policies, asked: &[AskedQuestion]) -> ReplayView {
    let mut view = ReplayView { decisions: 0, since: None, changed: 0, items: Vec::new() };
    for AskedQuestion { question, asked_at, times, .. } in asked {
        // What another version of the program asked may be no question to this one.
        let Ok((principal, operation, resource)) = serde_json::from_str::<Question>(question) else { continue };
        view.decisions += 1;
        view.since = Some(view.since.map_or(*asked_at, |since: Timestamp| since.min(*asked_at)));
        let (before, after) =
            (now.decide(&principal, operation, &resource), then.decide(&principal, operation, &resource));
        if before.allowed == after.allowed {
            continue;
        }
        view.changed += 1;
        if view.items.len() < SHOWN {
            let Principal { login, .. } = principal;
            view.items.push(ChangedDecision {
                login,
                operation,
                resource_kind: resource.kind().as_str().to_owned(),
                resource_id: resource.id().to_owned(),
                asked_at: *asked_at,
                times: *times,
                allowed: before.allowed,
                before: before.policies,
                after: after.policies,
            });
        }
    }
    view
}
