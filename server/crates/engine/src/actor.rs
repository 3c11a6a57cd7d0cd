//! An actor: one leased run, from claim to rest.

mod waiting;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
    future::pending,
    sync::Arc,
    time::Duration,
};

use domain::{Name, RunId, RunStatus, Timestamp};
use store::{
    StoreError, UnitOfWork,
    runners::TaskKey,
    runs::{Hold, Lease, Run, Taken},
};
use tokio::{
    sync::{OwnedMutexGuard, mpsc},
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use workflow::{
    CallId, CallTicket, Definition, Effect, Event, EventKind, RunState, TimerId, lifecycle::Lifecycle, process::Process,
};

use crate::{
    EngineSettings,
    bell::Bell,
    children,
    dispatch::{self, Report, Reports, Waiting, Wanted},
    exchange::Ending,
    history::{History, SNAPSHOT_EVERY, Snapshot},
    node::{LoadError, Node},
    step::{self, Step},
};

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
pub(crate) const BLOCKED_PAUSE: Duration = Duration::from_mins(5);

/// A call in flight.
struct InFlight {
    cancelled: CancellationToken,
    /// Set when all that is wanted is what became of it.
    withdrawn: CancellationToken,
    /// Set when nobody wants it any more, whoever owns the run: for what goes on without this node.
    stopped: CancellationToken,
    subscribes: bool,
    is_process: bool,
    /// A runner elsewhere has it, and it goes on without this node.
    is_elsewhere: bool,
}

impl Drop for InFlight {
    /// A subscription has no end of its own, so it ends with whoever wanted it. Whatever else was begun is left to end.
    fn drop(&mut self) {
        if self.subscribes {
            self.cancelled.cancel();
        }
    }
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
    /// In what scopes others may go on once the step that is written is durable.
    pub(crate) others: BTreeSet<String>,
    /// Calls that wait for their places.
    waiting: BTreeMap<CallId, Waiting>,
    /// Something that waits is to be tried again.
    place_freed: bool,
    timers: BTreeMap<TimerId, Timestamp>,
    in_flight: HashMap<CallId, InFlight>,
    results: mpsc::UnboundedReceiver<Report>,
    report: Reports,
    snapshot_version: i64,
    /// Somebody was found to listen to what is told of the run, or may.
    is_heard: bool,
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

/// How a run comes to an actor.
pub(crate) enum Employment {
    /// Its lease is ours.
    Leased(Lease),
    /// It is said to have something in its inbox.
    Woken(RunId),
}

impl Employment {
    pub(crate) fn run(&self) -> RunId {
        match self {
            Self::Leased(lease) => lease.run,
            Self::Woken(run) => *run,
        }
    }
}

/// Works on a run until it rests, the lease is lost or the node stops.
pub(crate) async fn work(node: Arc<Node>, employment: Employment, bell: &Bell) {
    let run = employment.run();
    let mut lease = None;
    match employed(&node, employment, &mut lease, bell).await {
        Ok(()) => {}
        Err(Stop::LeaseLost) => info!("another node owns the run now"),
        // Nothing is held: it is found again with the next look around.
        Err(Stop::Failed(LoadError::Store(StoreError::Unavailable(cause)))) if lease.is_none() => {
            warn!(error = &*cause as &dyn std::error::Error, "the run could not be taken up");
        }
        Err(Stop::Failed(cause)) => {
            error!(error = &cause as &dyn std::error::Error, "the run cannot go on for now");
            postpone(&node, run, lease).await;
        }
    }
}

async fn employed(
    node: &Arc<Node>,
    employment: Employment,
    lease: &mut Option<Lease>,
    bell: &Bell,
) -> Result<(), Stop> {
    match employment {
        Employment::Leased(held) => {
            *lease = Some(held.clone());
            let mut unit = node.parts.store.snapshot().await?;
            let run = unit.run(held.run).await?.ok_or_else(|| StoreError::Inconsistent("runs".to_owned()))?;
            let mut actor = Actor::load(Arc::clone(node), unit.as_mut(), held, run).await?;
            drop(unit);
            actor.take_up().await?;
            actor.run_until_rest(bell, true).await
        }
        Employment::Woken(run) => {
            let EngineSettings { node: name, lease: length, .. } = &node.settings;
            bell.stop();
            // Whoever waits for a connection must hold none: what was read from is given back before the run is claimed.
            let run = {
                let now = node.now();
                let mut reading = node.parts.store.snapshot().await?;
                let Some((epoch, run)) = reading.vacant_run(run, now).await? else {
                    node.parts.live.woken_elsewhere(run);
                    return Ok(());
                };
                // It is taken with the first step, so that none is taken for nothing.
                let next = Lease { run: run.id, owner: name.clone(), epoch: epoch + 1, until: now + *length };
                let mut actor = Actor::load(Arc::clone(node), reading.as_mut(), next.clone(), run).await?;
                if !actor.has_outstanding() {
                    actor.take_up_timers();
                    let (events, taken) = actor.read_inbox(reading.as_mut()).await?;
                    if !actor.must_be_admitted(&events) {
                        match actor.advance_first(reading, events, taken).await {
                            Ok(true) => return Ok(()),
                            Ok(false) => {
                                *lease = Some(next);
                                return actor.run_until_rest(bell, false).await;
                            }
                            Err(StoreError::Conflict) => {
                                node.parts.live.woken_elsewhere(next.run);
                                return Ok(());
                            }
                            Err(StoreError::Heard) => {}
                            Err(other) => return Err(other.into()),
                        }
                    }
                }
                next.run
            };
            let mut unit = node.parts.store.begin().await?;
            let Some((claimed, _)) = unit.claim_run(run, name, node.now(), *length).await? else {
                node.parts.live.woken_elsewhere(run);
                return Ok(());
            };
            unit.commit().await?;
            Box::pin(employed(node, Employment::Leased(claimed), lease, bell)).await
        }
    }
}

/// Leaves a run that cannot be worked on to itself for a while.
async fn postpone(node: &Node, run: RunId, lease: Option<Lease>) {
    let now = node.now();
    let keep = async {
        let mut unit = node.parts.store.begin().await?;
        match lease {
            Some(lease) => unit.renew_lease(&lease, now + LOAD_PAUSE).await?,
            None => _ = unit.claim_run(run, &node.settings.node, now, LOAD_PAUSE).await?,
        }
        unit.commit().await
    };
    // If the database is away, the lease simply runs out; until then nobody tries again, which is the point.
    let _ = keep.await;
}

/// Renews a lease again and again while something else is waited for; ends when it is lost.
async fn keep(node: &Node, lease: &Lease) -> StoreError {
    loop {
        sleep(node.settings.lease / 3).await;
        let renewed = async {
            let mut unit = node.parts.store.begin().await?;
            unit.renew_lease(lease, node.now() + node.settings.lease).await?;
            unit.commit().await
        };
        match renewed.await {
            Ok(()) => {}
            Err(StoreError::Conflict) => return StoreError::Conflict,
            Err(cause) => warn!(error = &cause as &dyn std::error::Error, "a lease could not be renewed"),
        }
    }
}

impl Drop for Actor {
    /// Whoever owns the run from now on finds out about its calls by itself. What is still under way here must not come to
    /// its effect beside that.
    fn drop(&mut self) {
        self.in_flight.values().for_each(|call| call.cancelled.cancel());
    }
}

impl Actor {
    async fn load(node: Arc<Node>, unit: &mut dyn UnitOfWork, lease: Lease, run: Run) -> Result<Self, Stop> {
        let definition = node.definition(unit, &run.workflow, &run.version).await?;
        let history = History::read(unit, &definition, &run, node.settings.base_url.as_str()).await?;
        let (report, results) = mpsc::unbounded_channel();
        Ok(Self {
            node,
            lease,
            definition,
            run,
            state: history.state,
            lifecycle: history.lifecycle,
            begun: history.begun,
            blocked: BTreeSet::new(),
            others: BTreeSet::new(),
            waiting: BTreeMap::new(),
            place_freed: false,
            timers: BTreeMap::new(),
            in_flight: HashMap::new(),
            results,
            report,
            snapshot_version: history.snapshot_version,
            is_heard: false,
        })
    }

    /// What a snapshot of now holds.
    pub(crate) fn snapshot(&self) -> Snapshot<'_> {
        // Of calls that are over nobody asks any more.
        let begun = workflow::outstanding(&self.state).into_iter().filter_map(|effect| match effect {
            Effect::Call(ticket) => Some(ticket.call).filter(|call| self.begun.contains(call)),
            _ => None,
        });
        Snapshot {
            state: Cow::Borrowed(&self.state),
            lifecycle: Cow::Borrowed(&self.lifecycle),
            begun: begun.collect(),
        }
    }

    /// Whether the last owner left something that has to be taken up before anything else.
    fn has_outstanding(&self) -> bool {
        workflow::outstanding(&self.state).iter().any(|effect| match effect {
            Effect::Call(ticket) => !children::is_child(ticket),
            Effect::OpenApproval(_) => self.run.needs_attention,
            _ => false,
        })
    }

    fn take_up_timers(&mut self) {
        for effect in workflow::outstanding(&self.state) {
            if let Effect::SetTimer { timer, at } = effect {
                self.timers.insert(timer, at);
            }
        }
    }

    /// Takes up what the last owner left outstanding.
    async fn take_up(&mut self) -> Result<(), Stop> {
        self.take_up_timers();
        for effect in workflow::outstanding(&self.state) {
            match effect {
                // What a call has started was started with the step that asked for it.
                Effect::Call(ticket) if children::is_child(&ticket) => {}
                Effect::Call(ticket) => self.dispatch(ticket, true).await?,
                Effect::OpenApproval(request) => {
                    step::unblock(self, &request).await?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Works on the run until it rests, the lease is lost or the node stops.
    async fn run_until_rest(&mut self, bell: &Bell, look_into_inbox: bool) -> Result<(), Stop> {
        let rested = self.go_on(bell, look_into_inbox).await;
        self.let_nobody_wait();
        rested
    }

    /// Reading the inbox costs a query, so it is read where the bell rang, and once more before resting.
    async fn go_on(&mut self, bell: &Bell, mut look_into_inbox: bool) -> Result<(), Stop> {
        let mut renewal = Instant::now() + self.node.settings.lease / 3;
        let stop = self.node.stop.clone();
        loop {
            let (mut events, taken) = if look_into_inbox {
                bell.stop();
                let mut unit = self.node.parts.store.snapshot().await?;
                self.read_inbox(unit.as_mut()).await?
            } else {
                (Vec::new(), None)
            };
            events.extend(self.due_timers());
            if !events.is_empty() {
                look_into_inbox = false;
                let rests = if self.must_be_admitted(&events) {
                    let unit = self.node.parts.store.begin().await?;
                    let Some(unit) = self.admit(unit).await? else { return Ok(()) };
                    self.advance_within(unit, events, taken).await?
                } else {
                    self.advance(events, taken).await?
                };
                if rests {
                    return Ok(());
                }
                continue;
            }
            self.try_waiting_again().await?;
            if self.in_flight.is_empty() && !self.is_timer_near() {
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
                () = bell.heard() => look_into_inbox = true,
                Some(report) = self.results.recv() => {
                    if self.take(report).await? {
                        return Ok(());
                    }
                }
                () = sleep(timer) => {}
                () = sleep_until(renewal) => {
                    self.renew().await?;
                    renewal = Instant::now() + self.node.settings.lease / 3;
                    look_into_inbox = true;
                }
            }
        }
    }

    /// Takes what a call tells, together with what other calls have told meanwhile; true when the run rests.
    async fn take(&mut self, first: Report) -> Result<bool, Stop> {
        let (mut events, mut waiting) = (Vec::new(), Vec::new());
        let mut next = Some(first);
        while let Some(report) = next {
            match report {
                Report::Happened { event, durable } => {
                    events.push(event);
                    waiting.push(durable);
                }
                Report::Waits(waiting) => self.let_wait(waiting),
            }
            next = self.results.try_recv().ok();
        }
        let rests = self.advance(events, None).await?;
        for durable in waiting.into_iter().flatten() {
            // An error only says that the call was stopped meanwhile.
            let _ = durable.send(());
        }
        Ok(rests)
    }

    /// What has come in, and up to where.
    async fn read_inbox(&self, unit: &mut dyn UnitOfWork) -> Result<(Vec<Event>, Option<Taken>), Stop> {
        let inbox = unit.inbox(self.lease.run).await?;
        let taken = Taken::all(&inbox);
        let mut events: Vec<Event> = Vec::with_capacity(inbox.len());
        for item in inbox {
            events.push(serde_json::from_str(&item.event).map_err(LoadError::Unreadable)?);
        }
        // A run that was cancelled before it has begun does nothing at all.
        if self.run.status == RunStatus::Pending
            && let Some(cancelled) = events.iter().position(is_cancellation)
        {
            let cancelled = events.remove(cancelled);
            events.insert(0, cancelled);
        }
        Ok((events, taken))
    }

    fn due_timers(&self) -> Vec<Event> {
        let now = self.node.now();
        let due = self.timers.iter().filter(|(_, at)| **at <= now);
        due.map(|(timer, _)| Event::new(now, EventKind::TimerFired { timer: *timer })).collect()
    }

    /// Applies events, writes the step, then acts; true when the run rests, its lease given up.
    async fn advance(&mut self, events: Vec<Event>, taken: Option<Taken>) -> Result<bool, Stop> {
        let step = self.prepare(events, taken);
        if step.events.is_empty() && step.taken.is_none() {
            return Ok(false);
        }
        let rests = step.rests;
        let effects = self.write(step).await?;
        self.act(effects).await?;
        Ok(rests)
    }

    /// The same for the first step of a run that nobody holds, from what was read of it. It is lost when somebody else was
    /// quicker.
    async fn advance_first(
        &mut self,
        mut reading: Box<dyn UnitOfWork>,
        mut events: Vec<Event>,
        taken: Option<Taken>,
    ) -> store::Result<bool> {
        events.extend(self.due_timers());
        let mut step = self.prepare(events, taken);
        step.takes = true;
        step.unheard = true;
        let ending = step.ending(reading.as_mut(), &self.run).await?;
        drop(reading);
        self.lease.until = self.node.now() + self.node.settings.lease;
        let store = Arc::clone(&self.node.parts.store);
        let _turn = self.turn(&step).await;
        self.carry_out(store.begin().await?, step, ending).await
    }

    /// The same in a unit that holds more than the step, and is lost with it.
    async fn advance_within(
        &mut self,
        mut unit: Box<dyn UnitOfWork>,
        mut events: Vec<Event>,
        taken: Option<Taken>,
    ) -> store::Result<bool> {
        events.extend(self.due_timers());
        let mut step = self.prepare(events, taken);
        step.unheard = !self.is_heard;
        let ending = step.ending(unit.as_mut(), &self.run).await?;
        self.carry_out(unit, step, ending).await
    }

    async fn carry_out(
        &mut self,
        unit: Box<dyn UnitOfWork>,
        step: Step,
        ending: Option<Ending>,
    ) -> store::Result<bool> {
        step::write(self, unit, &step, ending).await?;
        self.written(&step);
        self.act(step.effects).await?;
        Ok(step.rests)
    }

    fn prepare(&mut self, events: Vec<Event>, taken: Option<Taken>) -> Step {
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
                | EventKind::CallLost { call, .. }
                | EventKind::CallUnknown { call } => {
                    self.in_flight.remove(call);
                }
                EventKind::PlaceFreed => self.place_freed = true,
                _ => {}
            }
        }
        let mut step = self.apply(events, taken);
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
        let works = step.effects.iter().any(children::is_dispatch) || !self.in_flight.is_empty() || self.place_freed;
        step.rests = !works && !self.is_timer_near();
        step
    }

    /// Applies events to the state.
    fn apply(&mut self, events: Vec<Event>, taken: Option<Taken>) -> Step {
        let mut step = Step { taken, ..Step::default() };
        for event in events {
            if event.kind == EventKind::PlaceFreed {
                continue;
            }
            let effects = workflow::apply(&self.definition, &mut self.state, &event);
            // Nobody made use of it, and it changed nothing: the journal is as good without.
            let from_others = matches!(event.kind, EventKind::EventReceived { .. } | EventKind::MessageReceived { .. });
            if effects.is_empty() && from_others {
                continue;
            }
            step.lifecycle.extend(self.lifecycle.observe(event.at, &effects));
            step.effects.extend(effects);
            step.events.push(event);
        }
        let version = self.run.journal_version + i64::try_from(step.events.len()).unwrap_or(i64::MAX);
        step.snapshot = version - self.snapshot_version >= SNAPSHOT_EVERY;
        step
    }

    /// Writes a step, again and again while the database is away and the lease may still be ours; gives what is to be done.
    async fn write(&mut self, mut step: Step) -> Result<Vec<Effect>, Stop> {
        step.unheard = !self.is_heard;
        let mut pauses = WRITE_PAUSES.iter();
        let mut conflicted = false;
        loop {
            match self.try_to_write(&step).await {
                Ok(()) => {
                    self.written(&step);
                    return Ok(step.effects);
                }
                Err(StoreError::Unavailable(cause)) => {
                    let Some(pause) = pauses.next() else { return Err(StoreError::Unavailable(cause).into()) };
                    warn!(error = &*cause as &dyn std::error::Error, "the step could not be written, trying again");
                    sleep(*pause).await;
                }
                Err(StoreError::Heard) => {
                    self.is_heard = true;
                    step.unheard = false;
                }
                // Of two units that wait for each other, the database refuses one, and says no more than if the lease were
                // lost. If it is, the second attempt is refused as well.
                Err(StoreError::Conflict) if !conflicted => conflicted = true,
                Err(other) => return Err(other.into()),
            }
        }
    }

    async fn try_to_write(&mut self, step: &Step) -> store::Result<()> {
        let store = Arc::clone(&self.node.parts.store);
        let ending =
            if step.ends(&self.run) { step.ending(store.snapshot().await?.as_mut(), &self.run).await? } else { None };
        // However long that takes, the lease does not run out by it; and whoever has lost it stands in nobody's way.
        let _turn = tokio::select! {
            biased;
            turn = self.turn(step) => turn,
            lost = keep(&self.node, &self.lease) => return Err(lost),
        };
        let (node, lease) = (Arc::clone(&self.node), self.lease.clone());
        // If it is lost here, the unit says so: it may be about to become durable, and is not left half-way.
        let kept = async {
            keep(&node, &lease).await;
            pending::<()>().await;
        };
        tokio::select! {
            biased;
            written = async { step::write(self, store.begin().await?, step, ending).await } => written,
            () = kept => Ok(()),
        }
    }

    /// Waits for the turn of a step that publishes or subscribes. The database lets one unit after the other do so; of one
    /// node no more than one waits for that, so that the others hold no connection meanwhile.
    async fn turn(&self, step: &Step) -> Option<OwnedMutexGuard<()>> {
        let exchanges = step.effects.iter().any(|effect| matches!(effect, Effect::Emit(_) | Effect::Subscribe(_)));
        let tells = !step.unheard && !step.lifecycle.is_empty();
        if exchanges || tells { Some(Arc::clone(&self.node.stream_turn).lock_owned().await) } else { None }
    }

    fn written(&mut self, step: &Step) {
        if step.snapshot {
            self.snapshot_version = self.run.journal_version;
        }
    }

    /// Does what the durable step asks for.
    async fn act(&mut self, effects: Vec<Effect>) -> store::Result<()> {
        for effect in &effects {
            if let Effect::StopCall { call } = effect {
                self.waiting.remove(call);
            }
        }
        for effect in effects {
            match effect {
                Effect::Call(ticket) if !children::is_child(&ticket) => self.dispatch(ticket, false).await?,
                Effect::StopCall { call } => {
                    if let Some(call) = self.in_flight.remove(&call) {
                        call.stopped.cancel();
                        call.cancelled.cancel();
                    }
                }
                Effect::SettleCall { call } => self.withdraw(call).await?,
                _ => {}
            }
        }
        Ok(())
    }

    /// All that is wanted of a call is what became of it. A process can be ended; what waits for its place was never made.
    async fn withdraw(&mut self, call: CallId) -> store::Result<()> {
        if let Some(call) = self.in_flight.get(&call) {
            call.withdrawn.cancel();
            if call.is_process {
                call.stopped.cancel();
                call.cancelled.cancel();
            }
        } else if self.waiting.contains_key(&call) {
            let ticket = workflow::outstanding(&self.state).into_iter().find_map(|effect| match effect {
                Effect::Call(ticket) if ticket.call == call => Some(ticket),
                _ => None,
            });
            if let Some(ticket) = ticket {
                self.dispatch(ticket, true).await?;
            }
        }
        Ok(())
    }

    async fn dispatch(&mut self, ticket: CallTicket, taken_over: bool) -> store::Result<()> {
        let (cancelled, withdrawn) = (CancellationToken::new(), CancellationToken::new());
        let stopped = CancellationToken::new();
        if ticket.settles {
            withdrawn.cancel();
            stopped.cancel();
        }
        let is_process = Process::is_asked_for_by(&ticket.function);
        let elsewhere = if is_process { self.labels_elsewhere(&ticket, taken_over).await? } else { None };
        let waited = self.waiting.remove(&ticket.call).is_some() || (taken_over && self.run.waits_for.is_some());
        let in_flight = InFlight {
            cancelled: cancelled.clone(),
            withdrawn: withdrawn.clone(),
            stopped: stopped.clone(),
            subscribes: ticket.subscribes,
            is_process,
            is_elsewhere: elsewhere.is_some(),
        };
        self.in_flight.insert(ticket.call, in_flight);
        let begun = self.begun.contains(&ticket.call);
        let history = dispatch::History { taken_over, begun, waited };
        let wanted = Wanted { cancelled, withdrawn, stopped };
        dispatch::dispatch(self, ticket, history, wanted, elsewhere, self.report.clone()).await?;
        Ok(())
    }

    /// The labels of the runner elsewhere that a process is for; none: it is executed here. One that was begun stays where it
    /// was, whatever the configuration says by now.
    async fn labels_elsewhere(&self, ticket: &CallTicket, taken_over: bool) -> store::Result<Option<Vec<Name>>> {
        let said = workflow::runner_of_call(&self.definition, &self.state, &ticket.call).map(<[Name]>::to_vec);
        if taken_over {
            let key = TaskKey { run: self.run.id, call: ticket.call.0 };
            if self.node.parts.store.snapshot().await?.runner_task(key).await?.is_some() {
                return Ok(Some(said.unwrap_or_default()));
            }
            if self.begun.contains(&ticket.call) {
                return Ok(None);
            }
        }
        let covered = self.node.settings.elsewhere.covers(&self.run.workflow.namespace);
        Ok(said.or_else(|| covered.then(Vec::new)))
    }

    /// Whether it is a process that goes on without this node.
    pub(crate) fn goes_on_elsewhere(&self, call: CallId) -> bool {
        self.in_flight.get(&call).is_some_and(|call| call.is_elsewhere)
    }

    fn next_timer_in(&self) -> Duration {
        let now = self.node.now();
        let next = self.timers.values().copied().chain(self.waiting.values().map(|waiting| waiting.until)).min();
        next.map_or(self.node.settings.lease, |at| at.since(now))
    }

    /// Whether a timer is due so soon that giving the run up would only bring it back.
    fn is_timer_near(&self) -> bool {
        let near = self.node.now() + self.node.settings.poll * 2;
        self.timers.values().copied().chain(self.waiting.values().map(|waiting| waiting.until)).any(|at| at <= near)
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
        let waits = !self.waiting.is_empty();
        if self.in_flight.is_empty() && (waits || self.run.wake_at.is_some_and(|at| at <= now)) {
            self.run.waits_for = self.waits_for();
            self.run.wake_at = self.wake_at(now, false);
            unit.advance_run(&self.lease, &self.run, self.run.journal_version, &[], None, Hold::Release).await?;
        } else {
            unit.release_lease(&self.lease).await?;
        }
        unit.commit().await?;
        if waits {
            self.tell_watchers();
        }
        Ok(())
    }

    /// Waits a while for calls in flight when the node stops. What does not end in time is found out by the next owner.
    async fn drain(&mut self) -> Result<(), Stop> {
        let deadline = Instant::now() + self.node.settings.drain;
        // Subscriptions do not end by themselves. What comes of them from here on is the next owner's.
        // What runners elsewhere have goes on without.
        while self.in_flight.values().any(|call| !call.subscribes && !call.is_elsewhere) {
            tokio::select! {
                () = sleep_until(deadline) => break,
                Some(report) = self.results.recv() => {
                    let event = match report {
                        Report::Happened { event, .. } => event,
                        Report::Waits(waiting) => {
                            self.let_wait(waiting);
                            continue;
                        }
                    };
                    let call = call_of(&event).and_then(|call| self.in_flight.get(&call));
                    if call.is_some_and(|call| !call.subscribes) {
                        self.record(event).await?;
                    }
                }
            }
        }
        for call in self.in_flight.values() {
            call.cancelled.cancel();
        }
        self.rest().await
    }

    /// Takes a result into the journal without acting on what follows from it: the next owner does.
    async fn record(&mut self, event: Event) -> Result<(), Stop> {
        if !matches!(event.kind, EventKind::CallStarted { .. })
            && let Some(call) = call_of(&event)
        {
            self.in_flight.remove(&call);
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
        let waiting = self.waiting.values().map(|waiting| waiting.until);
        self.timers.values().copied().chain(blocked).chain(waiting).min()
    }
}

const fn is_cancellation(event: &Event) -> bool {
    matches!(event.kind, EventKind::CancelRequested { .. })
}

/// The call that an event is about.
const fn call_of(event: &Event) -> Option<CallId> {
    match &event.kind {
        EventKind::CallStarted { call }
        | EventKind::CallCompleted { call, .. }
        | EventKind::CallFailed { call, .. }
        | EventKind::CallLost { call, .. }
        | EventKind::CallUnknown { call }
        | EventKind::MessageReceived { call, .. } => Some(*call),
        _ => None,
    }
}
