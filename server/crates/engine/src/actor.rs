//! An actor: one leased run, from claim to rest.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use domain::Timestamp;
use serde::{Deserialize, Serialize};
use store::{
    StoreError,
    runs::{Lease, Run},
};
use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use workflow::{CallId, CallTicket, Definition, Effect, Event, EventKind, RunState, TimerId, lifecycle::Lifecycle};

use crate::{
    children,
    dispatch::{self, Report},
    node::{LoadError, Node},
    step::{self, Step},
};

/// Journal entries read at once when a run is loaded.
const JOURNAL_PAGE: u32 = 1_000;
/// A snapshot is written when this many entries have come since the last one.
const SNAPSHOT_EVERY: i64 = 200;
/// Pauses between attempts to write a step while the database is away.
const WRITE_PAUSES: [Duration; 5] = [
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];
/// A run that cannot be loaded is looked at again after this time.
const LOAD_PAUSE: Duration = Duration::from_mins(1);
/// A run that waits for people whom nobody could name is looked at again after this time.
const BLOCKED_PAUSE: Duration = Duration::from_mins(5);

/// What a snapshot holds.
#[derive(Serialize, Deserialize)]
pub(crate) struct Snapshot<'a> {
    pub(crate) state: Cow<'a, RunState>,
    pub(crate) lifecycle: Cow<'a, Lifecycle>,
}

/// A leased run in memory.
pub(crate) struct Actor {
    pub(crate) node: Arc<Node>,
    pub(crate) lease: Lease,
    pub(crate) definition: Arc<Definition>,
    pub(crate) run: Run,
    pub(crate) state: RunState,
    /// What was told of the run so far.
    pub(crate) lifecycle: Lifecycle,
    /// Calls of which the journal says that they were begun.
    pub(crate) begun: BTreeSet<CallId>,
    /// Approvals that nobody could be asked about.
    pub(crate) blocked: BTreeSet<CallId>,
    timers: BTreeMap<TimerId, Timestamp>,
    in_flight: HashMap<CallId, CancellationToken>,
    results: mpsc::UnboundedReceiver<Report>,
    report: mpsc::UnboundedSender<Report>,
    snapshot_version: i64,
}

/// Why an actor stops before its run rests.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    /// Somebody else owns the run now.
    #[error("the lease was lost")]
    LeaseLost,
    /// The run cannot be loaded or written.
    #[error("the run cannot go on here")]
    Failed(#[from] LoadError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict => Self::LeaseLost,
            other => Self::Failed(LoadError::Store(other)),
        }
    }
}

/// Works on a leased run until it rests, the lease is lost or the node stops.
pub(crate) async fn work(node: Arc<Node>, lease: Lease, bell: Arc<Notify>) {
    let worked = match Actor::load(Arc::clone(&node), lease.clone()).await {
        Ok(mut actor) => actor.run_until_rest(&bell).await,
        Err(stop) => Err(stop),
    };
    match worked {
        Ok(()) => {}
        Err(Stop::LeaseLost) => info!("another node owns the run now"),
        Err(Stop::Failed(cause)) => {
            error!(error = &cause as &dyn std::error::Error, "the run cannot go on for now");
            postpone(&node, &lease).await;
        }
    }
}

/// Leaves a run that cannot be worked on to itself for a while, without holding its lease.
async fn postpone(node: &Node, lease: &Lease) {
    // The lease simply runs out if the database is away; until then nobody tries again, which is the point.
    if let Ok(mut unit) = node.parts.store.begin().await
        && unit.renew_lease(lease, node.now() + LOAD_PAUSE).await.is_ok()
    {
        let _ = unit.commit().await;
    }
}

impl Drop for Actor {
    /// Whoever owns the run from now on finds out about its calls by itself. What is still under way here must not come to
    /// its effect beside that.
    fn drop(&mut self) {
        self.in_flight.values().for_each(CancellationToken::cancel);
    }
}

impl Actor {
    async fn load(node: Arc<Node>, lease: Lease) -> Result<Self, Stop> {
        let mut unit = node.parts.store.snapshot().await?;
        let run = unit.run(lease.run).await?.ok_or_else(|| StoreError::Inconsistent("runs".to_owned()))?;
        let definition = node.definition(unit.as_mut(), &run.workflow, &run.version).await?;
        let kept = unit.snapshot_of(lease.run).await?;
        // One that this program cannot read is no loss: the journal has it all.
        let kept = kept.and_then(|(version, text)| Some((version, serde_json::from_str::<Snapshot<'_>>(&text).ok()?)));
        let (mut version, mut state, mut lifecycle) = match kept {
            Some((version, kept)) => (version, kept.state.into_owned(), kept.lifecycle.into_owned()),
            None => {
                let lifecycle = Lifecycle::new(&definition, lease.run, node.settings.base_url.as_str());
                (0, RunState::default(), lifecycle)
            }
        };
        let snapshot_version = version;
        let mut begun = BTreeSet::new();
        loop {
            let page = unit.journal(lease.run, version, JOURNAL_PAGE).await?;
            let Some(last) = page.last() else { break };
            version = last.version;
            for entry in &page {
                let event: Event = serde_json::from_str(&entry.event).map_err(LoadError::Unreadable)?;
                if let EventKind::CallStarted { call } = event.kind {
                    begun.insert(call);
                }
                let effects = workflow::apply(&definition, &mut state, &event);
                lifecycle.observe(event.at, &effects);
            }
        }
        drop(unit);
        let (report, results) = mpsc::unbounded_channel();
        let mut actor = Self {
            node,
            lease,
            definition,
            run,
            state,
            lifecycle,
            begun,
            blocked: BTreeSet::new(),
            timers: BTreeMap::new(),
            in_flight: HashMap::new(),
            results,
            report,
            snapshot_version,
        };
        actor.take_up().await?;
        Ok(actor)
    }

    /// Takes up what the last owner left outstanding.
    async fn take_up(&mut self) -> Result<(), Stop> {
        for effect in workflow::outstanding(&self.state) {
            match effect {
                // What a call has started was started with the step that asked for it.
                Effect::Call(ticket) if children::is_child(&ticket) => {}
                Effect::Call(ticket) => self.dispatch(ticket, true),
                Effect::SetTimer { timer, at } => {
                    self.timers.insert(timer, at);
                }
                Effect::OpenApproval(request) => {
                    step::unblock(self, &request).await?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn run_until_rest(&mut self, bell: &Notify) -> Result<(), Stop> {
        let mut renewal = Instant::now() + self.node.settings.lease / 3;
        let stop = self.node.stop.clone();
        // Reading the inbox costs a query, so it is read when the bell rang, and once more before resting.
        let mut look_into_inbox = true;
        loop {
            let (events, taken) = self.gather(look_into_inbox).await?;
            if !events.is_empty() {
                look_into_inbox = false;
                self.advance(events, taken).await?;
                continue;
            }
            if self.in_flight.is_empty() {
                if look_into_inbox {
                    return self.rest().await;
                }
                look_into_inbox = true;
                continue;
            }
            look_into_inbox = false;
            if stop.is_cancelled() {
                return self.drain().await;
            }
            let timer = self.next_timer_in();
            tokio::select! {
                () = stop.cancelled() => {}
                () = bell.notified() => look_into_inbox = true,
                Some(report) = self.results.recv() => self.take(report).await?,
                () = sleep(timer) => {}
                () = sleep_until(renewal) => {
                    self.renew().await?;
                    renewal = Instant::now() + self.node.settings.lease / 3;
                    look_into_inbox = true;
                }
            }
        }
    }

    /// Takes what a call tells, together with what other calls have told meanwhile.
    async fn take(&mut self, first: Report) -> Result<(), Stop> {
        let mut events = vec![first.event];
        let mut waiting = vec![first.durable];
        while let Ok(report) = self.results.try_recv() {
            events.push(report.event);
            waiting.push(report.durable);
        }
        self.advance(events, None).await?;
        for durable in waiting.into_iter().flatten() {
            // An error only says that the call was stopped meanwhile.
            let _ = durable.send(());
        }
        Ok(())
    }

    /// What has come in: the inbox first (people wait), then timers that are due.
    async fn gather(&mut self, look_into_inbox: bool) -> Result<(Vec<Event>, Option<i64>), Stop> {
        let now = self.node.now();
        let inbox = if look_into_inbox {
            self.node.parts.store.snapshot().await?.inbox(self.lease.run).await?
        } else {
            Vec::new()
        };
        let taken = inbox.last().map(|item| item.seq);
        let mut events = Vec::with_capacity(inbox.len());
        for item in inbox {
            events.push(serde_json::from_str(&item.event).map_err(LoadError::Unreadable)?);
        }
        let due: Vec<TimerId> = self.timers.iter().filter(|(_, at)| **at <= now).map(|(timer, _)| *timer).collect();
        events.extend(due.into_iter().map(|timer| Event::new(now, EventKind::TimerFired { timer })));
        Ok((events, taken))
    }

    /// Applies events, writes the step, then acts.
    async fn advance(&mut self, events: Vec<Event>, taken: Option<i64>) -> Result<(), Stop> {
        for event in &events {
            match &event.kind {
                EventKind::TimerFired { timer } => {
                    self.timers.remove(timer);
                }
                EventKind::CallStarted { call } => {
                    self.begun.insert(*call);
                }
                EventKind::CallCompleted { call, .. }
                | EventKind::CallFailed { call, .. }
                | EventKind::CallUnknown { call } => {
                    self.in_flight.remove(call);
                }
                _ => {}
            }
        }
        let step = self.apply(events, taken);
        for effect in &step.effects {
            match effect {
                Effect::SetTimer { timer, at } => {
                    self.timers.insert(*timer, *at);
                }
                Effect::ClearTimer { timer } => {
                    self.timers.remove(timer);
                }
                _ => {}
            }
        }
        let effects = self.write(step).await?;
        self.act(effects);
        Ok(())
    }

    /// Applies events to the state.
    fn apply(&mut self, events: Vec<Event>, taken: Option<i64>) -> Step {
        let mut step = Step { taken, ..Step::default() };
        for event in events {
            let effects = workflow::apply(&self.definition, &mut self.state, &event);
            // Nobody made use of it, and it changed nothing: the journal is as good without.
            if effects.is_empty() && matches!(event.kind, EventKind::EventReceived { .. }) {
                continue;
            }
            step.lifecycle.extend(self.lifecycle.observe(event.at, &effects));
            step.effects.extend(effects);
            step.events.push(event);
        }
        step
    }

    /// Writes a step, again and again while the database is away and the lease may still be ours; gives what is to be done.
    async fn write(&mut self, mut step: Step) -> Result<Vec<Effect>, Stop> {
        step.snapshot = self.run.journal_version + i64::try_from(step.events.len()).unwrap_or(i64::MAX)
            - self.snapshot_version
            >= SNAPSHOT_EVERY;
        let mut pauses = WRITE_PAUSES.iter();
        loop {
            match step::write(self, &step).await {
                Ok(()) => {
                    if step.snapshot {
                        self.snapshot_version = self.run.journal_version;
                    }
                    return Ok(step.effects);
                }
                Err(StoreError::Unavailable(cause)) => {
                    let Some(pause) = pauses.next() else { return Err(StoreError::Unavailable(cause).into()) };
                    warn!(error = &*cause as &dyn std::error::Error, "the step could not be written, trying again");
                    sleep(*pause).await;
                }
                Err(other) => return Err(other.into()),
            }
        }
    }

    /// Does what the durable step asks for.
    fn act(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Call(ticket) if !children::is_child(&ticket) => self.dispatch(ticket, false),
                Effect::StopCall { call } => {
                    if let Some(token) = self.in_flight.remove(&call) {
                        token.cancel();
                    }
                }
                _ => {}
            }
        }
    }

    fn dispatch(&mut self, ticket: CallTicket, taken_over: bool) {
        let token = CancellationToken::new();
        self.in_flight.insert(ticket.call, token.clone());
        let begun = self.begun.contains(&ticket.call);
        dispatch::dispatch(self, ticket, dispatch::History { taken_over, begun }, token, self.report.clone());
    }

    fn next_timer_in(&self) -> Duration {
        let now = self.node.now();
        self.timers.values().min().map_or(self.node.settings.lease, |at| at.since(now))
    }

    async fn renew(&mut self) -> Result<(), Stop> {
        let until = self.node.now() + self.node.settings.lease;
        let mut unit = self.node.parts.store.begin().await?;
        unit.renew_lease(&self.lease, until).await?;
        unit.commit().await?;
        self.lease.until = until;
        Ok(())
    }

    /// Gives the lease up; the next timer, or the inbox, brings the run back.
    async fn rest(&mut self) -> Result<(), Stop> {
        let now = self.node.now();
        let mut unit = self.node.parts.store.begin().await?;
        // A time that has passed without anything to do would bring the run back at once, for ever.
        if self.in_flight.is_empty() && self.run.wake_at.is_some_and(|at| at <= now) {
            self.run.wake_at = self.wake_at(now, false);
            unit.advance_run(&self.lease, &self.run, self.run.journal_version, &[]).await?;
        }
        unit.release_lease(&self.lease).await?;
        unit.commit().await?;
        Ok(())
    }

    /// Waits a while for calls in flight when the node stops. What does not end in time is found out by the next owner.
    async fn drain(&mut self) -> Result<(), Stop> {
        let deadline = Instant::now() + self.node.settings.drain;
        while !self.in_flight.is_empty() {
            tokio::select! {
                () = sleep_until(deadline) => break,
                Some(report) = self.results.recv() => self.record(report.event).await?,
            }
        }
        for token in self.in_flight.values() {
            token.cancel();
        }
        self.rest().await
    }

    /// Takes a result into the journal without acting on what follows from it: the next owner does.
    async fn record(&mut self, event: Event) -> Result<(), Stop> {
        if let EventKind::CallCompleted { call, .. }
        | EventKind::CallFailed { call, .. }
        | EventKind::CallUnknown { call } = &event.kind
        {
            self.in_flight.remove(call);
        }
        let step = self.apply(vec![event], None);
        self.write(step).await.map(drop)
    }

    /// When the run has to be looked at again although nothing comes in.
    pub(crate) fn wake_at(&self, now: Timestamp, calls_follow: bool) -> Option<Timestamp> {
        // With calls in flight the run must be taken over as soon as the lease ends.
        if calls_follow || !self.in_flight.is_empty() {
            return Some(now);
        }
        let blocked = (!self.blocked.is_empty()).then(|| now + BLOCKED_PAUSE);
        self.timers.values().copied().chain(blocked).min()
    }
}
