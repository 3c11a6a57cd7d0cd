//! Looks now and then for what nobody tells of: what other nodes have done, and leases that have ended.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use domain::{RunnerId, RunnerState};
use store::runners::TaskKey;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{Runners, not_wanted};
use crate::live::Topic;

/// How often.
const PACE: Duration = Duration::from_secs(1);
/// How often what is forgotten by everybody is looked for.
const TIDY: Duration = Duration::from_mins(1);
/// How long what became of a task is known after its run has ended.
const KEPT: Duration = Duration::from_hours(24);
/// Leases that are ended at once.
const EXPIRED: u32 = 100;

/// Looks until told to stop.
pub(crate) async fn keep(runners: Runners, stop: CancellationToken) {
    let mut present = Instant::now();
    let mut tidied = present;
    let mut looked = runners.0.clock.now();
    let mut looks = interval(PACE);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = looks.tick() => {}
        }
        // Whoever was away himself, or stood still, cannot say that a runner was silent.
        let now = runners.0.clock.now();
        if now.since(looked) >= runners.0.lease {
            present = Instant::now();
        }
        looked = now;
        let judges = present.elapsed() >= runners.0.lease;
        let tidies = tidied.elapsed() >= TIDY;
        if tidies {
            tidied = Instant::now();
        }
        if let Err(error) = look(&runners, judges, tidies).await {
            warn!(error = &error as &dyn std::error::Error, "the tasks of runners could not be looked at");
            // Nor could a runner be heard.
            present = Instant::now();
        }
    }
}

async fn look(runners: &Runners, judges: bool, tidies: bool) -> store::Result<()> {
    let store = &runners.0.store;
    let awaited: Vec<TaskKey> = runners.awaited().keys().copied().collect();
    let waits = !runners.polls().is_empty();
    let now = runners.0.clock.now();
    let (finished, demands, stopped, known, expired) = {
        let mut unit = store.snapshot().await?;
        let finished = if awaited.is_empty() { Vec::new() } else { unit.finished_runner_tasks(&awaited).await? };
        let demands = if waits { unit.queued_demands().await? } else { Vec::new() };
        let stopped: BTreeSet<RunnerId> =
            if waits { unit.runners_to_stop().await?.into_iter().collect() } else { BTreeSet::new() };
        let known: BTreeMap<RunnerId, RunnerState> = if waits {
            unit.list_runners().await?.into_iter().map(|runner| (runner.id, runner.state)).collect()
        } else {
            BTreeMap::new()
        };
        let expired = if judges { unit.expired_runner_tasks(now, EXPIRED).await? } else { Vec::new() };
        (finished, demands, stopped, known, expired)
    };
    for key in finished {
        runners.ring(key);
    }
    runners.rouse(|waiting| {
        // Those that may not do any more what they could are told so.
        known.get(&waiting.runner.id) != Some(&waiting.runner.state)
            || stopped.contains(&waiting.runner.id)
            || (waiting.is_free && demands.iter().any(|demand| waiting.runner.fits(demand)))
    });
    for task in expired {
        let mut unit = store.begin().await?;
        // It may have been heard of meanwhile.
        let again = unit.runner_task(task.key).await?.filter(|again| again.epoch == task.epoch);
        let Some(again) = again.filter(|again| again.lease_until.is_some_and(|end| end <= now)) else { continue };
        runners.take_back(unit.as_mut(), &again, "the runner was not heard of any more", now).await?;
        unit.commit().await?;
        runners.ring(task.key);
        runners.offer(&task.demand);
        runners.0.live.changed(Topic::Administration);
    }
    if tidies {
        let mut unit = store.begin().await?;
        unit.stop_orphaned_runner_tasks(&not_wanted(), now).await?;
        unit.delete_runner_tasks(now - KEPT).await?;
        unit.commit().await?;
    }
    Ok(())
}
