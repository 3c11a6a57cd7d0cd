//! What an actor does about limits: it takes a place for the run before it begins, and lets calls wait for theirs.

use std::sync::Arc;

use domain::{RunStatus, WaitsFor};
use store::{UnitOfWork, limits::Claimant, runs::Run};
use workflow::{CallId, Effect, Event, EventKind};

use super::{Actor, Stop, is_cancellation};
use crate::{
    dispatch::{Report, Waiting},
    limits::{self, Answer, Verdict},
    live::RunChange,
};

impl Actor {
    /// Whether limits hold for the run as a whole.
    pub(crate) fn is_limited(&self) -> bool {
        !self.definition.rondo().limits.are_none() || self.runs_in_namespace().is_some()
    }

    fn runs_in_namespace(&self) -> Option<u32> {
        self.node.limits_of(&self.run.workflow.namespace).and_then(|limits| limits.runs)
    }

    /// Whether the run begins with these events, or begins once more, and limits may hold it up.
    pub(super) fn must_be_admitted(&self, events: &[Event]) -> bool {
        let begins = |event: &Event| matches!(event.kind, EventKind::Started { .. } | EventKind::RetryRequested { .. });
        (self.run.status == RunStatus::Pending || self.run.status.is_final())
            && (self.run.waits_for.is_some() || self.is_limited())
            && events.iter().any(begins)
            && !events.first().is_some_and(is_cancellation)
    }

    /// Takes the run's places, in a unit that is to hold its first step as well; or leaves it to wait for one, its lease given
    /// up, and the unit is gone.
    pub(super) async fn admit(&mut self, mut unit: Box<dyn UnitOfWork>) -> Result<Option<Box<dyn UnitOfWork>>, Stop> {
        let now = self.node.now();
        let limits = self.definition.rondo().limits;
        let wants = limits::of_run(unit.as_mut(), &self.run, limits, self.runs_in_namespace()).await?;
        let asking = limits::Asking {
            claimant: Claimant { run: self.run.id, call: None },
            epoch: self.lease.epoch,
            since: self.run.created_at,
            patience: self.node.settings.lease,
        };
        let Answer { verdict, others } = limits::take(unit.as_mut(), &asking, &wants, now).await?;
        match verdict {
            Verdict::Taken { .. } => {
                self.others.extend(others);
                // It is asked beforehand whether somebody listens: a unit that holds places as well is not to be lost by it.
                self.is_heard = true;
                Ok(Some(unit))
            }
            Verdict::Waits { whose, until, .. } => {
                unit.hold_run(&self.lease, whose, until).await?;
                unit.commit().await?;
                self.tell_watchers();
                limits::rouse(&self.node, others);
                Ok(None)
            }
        }
    }

    /// Pages say what a run waits for.
    pub(super) fn tell_watchers(&self) {
        let Run { id, journal_version, status, .. } = self.run;
        self.node.parts.live.run_changed(RunChange { run: id, version: journal_version, status });
    }

    /// Whose limit holds up a call of the run.
    pub(crate) fn waits_for(&self) -> Option<WaitsFor> {
        self.waiting.values().next().map(|waiting| waiting.whose)
    }

    pub(super) fn let_wait(&mut self, mut waiting: Waiting) {
        let Waiting { call, .. } = waiting;
        if let Some(in_flight) = self.in_flight.remove(&call) {
            if in_flight.withdrawn.is_cancelled() {
                // It was withdrawn meanwhile, and need not wait to say that it was never made.
                waiting.until = self.node.now();
            }
            self.waiting.insert(call, waiting);
        } else {
            // It was stopped meanwhile.
            self.leave(call);
        }
    }

    fn leave(&self, call: CallId) {
        let (node, lease) = (Arc::clone(&self.node), self.lease.clone());
        tokio::spawn(async move { limits::leave(&node, &lease, call).await });
    }

    /// What calls have told too late is not heard any more: a row that nobody knows of would keep others waiting. Where a call
    /// is still wanted, the next owner of the run asks anew.
    pub(super) fn let_nobody_wait(&mut self) {
        self.results.close();
        while let Ok(report) = self.results.try_recv() {
            if let Report::Waits(Waiting { call, .. }) = report {
                self.leave(call);
            }
        }
    }

    /// Dispatches what waits once more, if there may be room for it.
    pub(super) async fn try_waiting_again(&mut self) -> store::Result<()> {
        let now = self.node.now();
        let all = std::mem::take(&mut self.place_freed);
        if !self.waiting.values().any(|waiting| all || waiting.until <= now) {
            return Ok(());
        }
        for effect in workflow::outstanding(&self.state) {
            if let Effect::Call(ticket) = effect
                && self.waiting.get(&ticket.call).is_some_and(|waiting| all || waiting.until <= now)
            {
                self.dispatch(ticket, true).await?;
            }
        }
        Ok(())
    }
}
