//! Throws away what has served its time: ended sessions, old failed attempts, old idempotency keys, forgotten drafts, old
//! events, places of runs that have ended.

use std::{sync::Arc, time::Duration};

use domain::Clock;
use identity::throttle;
use service::Service;
use store::Store;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// How often.
const PAUSE: Duration = Duration::from_mins(30);
/// How often is looked whether the date of something has come.
const DATES: Duration = Duration::from_mins(1);
/// How often is looked whether a trigger is to look for what has come.
const LOOKS: Duration = Duration::from_secs(2);
/// How long the answer to a request with an idempotency key is kept.
const ANSWERS: Duration = Duration::from_hours(48);
/// How far limits look back at what has begun: the longest `limits.rate.per`.
const LONGEST_RATE: Duration = Duration::from_hours(24);
/// How long an unsent request is kept.
const DRAFTS: Duration = Duration::from_hours(90 * 24);
/// Events that are forgotten at once; others wait no longer for that.
const EVENTS: u32 = 500;

/// Tidies up until told to stop.
///
/// `events` is how long events are kept.
pub(crate) async fn keep_house(
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    events: Duration,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
        if let Err(error) = tidy(store.as_ref(), clock.as_ref(), events).await {
            warn!(error = &error as &dyn std::error::Error, "what has ended could not be thrown away");
        }
    }
}

/// Ends the reviews of access whose date has come, until told to stop.
pub(crate) async fn end_access_reviews(service: Arc<Service>, stop: CancellationToken) {
    let mut look = tokio::time::interval(DATES);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = look.tick() => service.end_due_access_reviews().await,
        }
    }
}

/// Answers the questions whose time has come to those who follow them, until told to stop.
pub(crate) async fn answer_questions(service: Arc<Service>, stop: CancellationToken) {
    let mut look = tokio::time::interval(DATES);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = look.tick() => service.answer_due_questions().await,
        }
    }
}

/// Checks the connections whose time has come, until told to stop.
pub(crate) async fn check_connections(service: Arc<Service>, stop: CancellationToken) {
    let mut look = tokio::time::interval(DATES);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = look.tick() => {}
        }
        // A check that is cut off is made up for by whoever comes next.
        tokio::select! {
            () = stop.cancelled() => return,
            () = service.check_due_connections() => {}
        }
    }
}

/// Looks for what has come to triggers that nobody calls, until told to stop. A few of these at once let no slow system keep the
/// others waiting.
pub(crate) async fn look_for_deliveries(service: Arc<Service>, stop: CancellationToken) {
    let mut look = tokio::time::interval(LOOKS);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = look.tick() => {}
        }
        // A look that is cut off is made up for by whoever comes next.
        tokio::select! {
            () = stop.cancelled() => return,
            () = service.look_for_deliveries() => {}
        }
    }
}

/// Forgets what was delivered to triggers and has served its time, until told to stop.
pub(crate) async fn forget_deliveries(service: Arc<Service>, stop: CancellationToken) {
    let mut look = tokio::time::interval(PAUSE);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = look.tick() => {}
        }
        if let Err(error) = service.forget_deliveries().await {
            warn!(error = &error as &dyn std::error::Error, "old deliveries could not be thrown away");
        }
    }
}

/// Lets entries of the audit log be found by their controls, until told to stop.
pub(crate) async fn index_controls(service: Arc<Service>, stop: CancellationToken) {
    let mut look = tokio::time::interval(DATES);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = look.tick() => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = service.index_controls() => {}
        }
    }
}

async fn tidy(store: &dyn Store, clock: &dyn Clock, events: Duration) -> store::Result<()> {
    let now = clock.now();
    let mut unit = store.begin().await?;
    unit.prune_sessions(now).await?;
    unit.prune_throttles(now - throttle::KEPT).await?;
    unit.prune_answered(now - ANSWERS).await?;
    unit.prune_drafts(now - DRAFTS).await?;
    unit.prune_places(now - LONGEST_RATE).await?;
    unit.commit().await?;
    loop {
        let mut unit = store.begin().await?;
        let forgotten = unit.prune_events(now - events, EVENTS).await?;
        unit.commit().await?;
        if forgotten < u64::from(EVENTS) {
            return Ok(());
        }
    }
}
