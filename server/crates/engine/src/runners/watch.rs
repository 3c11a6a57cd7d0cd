//! Looks now and then for what nobody tells of: what other nodes have done, and leases that have ended.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::Ordering,
    time::Duration,
};

use domain::{RunnerId, RunnerState, Timestamp};
use store::runners::{Runner, TaskKey};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{Runners, is_online, not_wanted};
use crate::live::Topic;

/// How often.
const PACE: Duration = Duration::from_secs(1);
/// How often those who watch are told what runners say of themselves.
const SAID: Duration = Duration::from_secs(10);
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
    let mut seen = Seen::default();
    let mut looks = interval(PACE);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = looks.tick() => {}
        }
        // Whoever does not hear yet, was away himself, or stood still, cannot say that a runner was silent.
        let now = runners.0.clock.now();
        if !runners.0.hears.load(Ordering::Relaxed) || now.since(looked) >= runners.0.lease {
            present = Instant::now();
        }
        looked = now;
        let judges = present.elapsed() >= runners.0.lease;
        let tidies = tidied.elapsed() >= TIDY;
        if tidies {
            tidied = Instant::now();
        }
        match look(&runners, judges, tidies).await {
            Ok(known) => {
                if seen.is_news(&known, now) | runners.0.news.swap(false, Ordering::Relaxed) {
                    runners.0.live.changed(Topic::Runners);
                }
            }
            Err(error) => {
                warn!(error = &error as &dyn std::error::Error, "the tasks of runners could not be looked at");
                // Nor could a runner be heard.
                present = Instant::now();
            }
        }
    }
}

/// What was told last of the runners.
#[derive(Default)]
struct Seen {
    /// What each may do, and whether it is there.
    stands: BTreeMap<RunnerId, (RunnerState, bool)>,
    /// When each was heard of, and when that was told.
    said: BTreeMap<RunnerId, Option<Timestamp>>,
    said_at: Timestamp,
}

impl Seen {
    /// Whether a runner has come or gone, may do something else, or was heard of since that was told some time ago.
    fn is_news(&mut self, known: &[Runner], now: Timestamp) -> bool {
        let stands = known.iter().map(|runner| (runner.id, (runner.state, is_online(runner, now)))).collect();
        let stand_otherwise = std::mem::replace(&mut self.stands, stands) != self.stands;
        if now.since(self.said_at) < SAID {
            return stand_otherwise;
        }
        self.said_at = now;
        let said = known.iter().map(|runner| (runner.id, runner.seen_at)).collect();
        stand_otherwise | (std::mem::replace(&mut self.said, said) != self.said)
    }
}

/// What was found: the runners.
async fn look(runners: &Runners, judges: bool, tidies: bool) -> store::Result<Vec<Runner>> {
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
        let known = unit.list_runners().await?;
        let expired = if judges { unit.expired_runner_tasks(now, EXPIRED).await? } else { Vec::new() };
        (finished, demands, stopped, known, expired)
    };
    for key in finished {
        runners.ring(key);
    }
    let states: BTreeMap<RunnerId, RunnerState> = known.iter().map(|runner| (runner.id, runner.state)).collect();
    runners.rouse(|waiting| {
        // Those that may not do any more what they could are told so.
        states.get(&waiting.runner.id) != Some(&waiting.runner.state)
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
        runners.note();
    }
    if tidies {
        let mut unit = store.begin().await?;
        unit.stop_orphaned_runner_tasks(&not_wanted(), now).await?;
        unit.delete_runner_tasks(now - KEPT).await?;
        unit.commit().await?;
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use domain::UserId;
    use uuid::Uuid;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn runner(state: RunnerState, seen_at: Timestamp) -> Runner {
        Runner {
            id: RunnerId::from_uuid(Uuid::from_u128(1)),
            name: "dmz-1".parse().unwrap(),
            labels: Vec::new(),
            namespaces: Vec::new(),
            token_hash: String::new(),
            state,
            created_by: UserId::from_uuid(Uuid::from_u128(2)),
            created_at: at(0),
            instance: None,
            session: 1,
            turn: 1,
            version: None,
            capacity: None,
            load: None,
            seen_at: Some(seen_at),
        }
    }

    #[test]
    fn what_stands_otherwise_is_news_at_once_and_what_was_said_now_and_then() {
        let mut seen = Seen::default();
        let mut look =
            |state: RunnerState, seen_at: i64, now: i64| seen.is_news(&[runner(state, at(seen_at))], at(now));
        assert!(look(RunnerState::Enabled, 100, 100));
        assert!(!look(RunnerState::Enabled, 101, 101));
        assert!(look(RunnerState::Draining, 102, 102));
        assert!(!look(RunnerState::Draining, 109, 109));
        assert!(look(RunnerState::Draining, 109, 110));
        assert!(!look(RunnerState::Draining, 109, 130));
        assert!(!look(RunnerState::Draining, 109, 168));
        assert!(look(RunnerState::Draining, 109, 169));
        assert!(!look(RunnerState::Draining, 109, 170));
    }
}
