//! The stream of events: publishing into it, and listening to it.
//!
//! An event that is received or emitted is kept for a while, goes to every open subscription that admits it, and makes the
//! schedules due that it may start a run of ([`crate::schedules`]). Whoever
//! subscribes also gets what came since the run was launched, unless the run has consumed it already: an event that comes
//! before its listener is not lost, and none is taken twice. The store sees to it that publishing and subscribing happen
//! one after the other, so that there is no moment between the two.
//!
//! Lifecycle events are many, and most are of interest to nobody: one is kept only if somebody listens to it when it
//! happens. None goes to the run that it is about, or makes the schedule of its workflow due, which would answer itself for
//! ever.
//!
//! Sealed values are masked in all of them.

use std::collections::BTreeSet;

use domain::{RunId, Timestamp};
use identity::vault::redact;
use store::{
    StoreError, UnitOfWork,
    events::{EventKey, Filter, NewEvent, Subscriber},
    runs::Run,
};
use workflow::{CloudEvent, Event, EventKind, Subscription, SubscriptionId};

/// Missed events that are read at once.
const PAGE: u32 = 100;

/// Events on their way into the inboxes of runs.
#[derive(Default)]
pub(crate) struct Post {
    events: Vec<(RunId, EventKind)>,
    /// Whether schedules have become due.
    pub(crate) schedules: bool,
}

impl Post {
    /// Adds one.
    pub(crate) fn put(&mut self, to: RunId, kind: EventKind) {
        self.events.push((to, kind));
    }

    /// Puts them into the inboxes; gives the runs to wake once the unit is durable. `own` is the run of this unit's step.
    pub(crate) async fn send(
        self,
        unit: &mut dyn UnitOfWork,
        now: Timestamp,
        own: Option<RunId>,
    ) -> store::Result<BTreeSet<RunId>> {
        let addressed: BTreeSet<RunId> = self.events.iter().map(|(run, _)| *run).collect();
        if !addressed.is_empty() {
            let locked: BTreeSet<RunId> = addressed.iter().copied().chain(own).collect();
            unit.lock_runs(&locked.into_iter().collect::<Vec<_>>()).await?;
        }
        let mut texts = Vec::with_capacity(self.events.len());
        for (run, kind) in self.events {
            let event = serde_json::to_string(&Event::new(now, kind));
            texts.push((run, event.map_err(|_| StoreError::Inconsistent("inbox".to_owned()))?));
        }
        let events: Vec<_> = texts.iter().map(|(run, event)| (*run, event.as_str())).collect();
        unit.push_inboxes(&events, now).await?;
        Ok(addressed)
    }
}

/// What came of publishing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Events that are new.
    pub accepted: usize,
    /// Events of which one with the same source and id was there already; they go nowhere.
    pub duplicates: usize,
    /// Runs to wake once the unit is durable.
    pub woken: BTreeSet<RunId>,
    /// Whether to wake the schedules, too.
    pub schedules: bool,
}

/// Publishes events that came from outside, in their order.
pub async fn publish(unit: &mut dyn UnitOfWork, now: Timestamp, events: &[CloudEvent]) -> store::Result<Published> {
    let mut published = Published::default();
    let mut post = Post::default();
    for event in events {
        if route(unit, now, event, None, &mut post).await? {
            published.accepted += 1;
        } else {
            published.duplicates += 1;
        }
    }
    published.schedules = post.schedules;
    published.woken = post.send(unit, now, None).await?;
    Ok(published)
}

/// Keeps an event and addresses it to those who listen; false when it was there already.
pub(crate) async fn route(
    unit: &mut dyn UnitOfWork,
    now: Timestamp,
    event: &CloudEvent,
    about: Option<&Run>,
    post: &mut Post,
) -> store::Result<bool> {
    // Whoever listens could have a sealed value opened: none leaves its run by this way.
    let mut masked = event.to_value();
    redact(&mut masked);
    let body = masked.to_string();
    let event = &CloudEvent::from_value(masked).map_err(|_| StoreError::Inconsistent("events".to_owned()))?;
    let key = EventKey { kind: event.kind(), source: event.source(), id: event.id() };
    if !unit.insert_event(&NewEvent { key, about: about.map(|run| run.id), received_at: now, body: &body }).await? {
        return Ok(false);
    }
    for Subscriber { run, subscription } in unit.subscribers(event.kind(), event.source()).await? {
        if about.is_none_or(|about| about.id != run) {
            deliver(run, SubscriptionId(subscription), event.clone(), post);
        }
    }
    let of = about.map(|run| &run.workflow);
    post.schedules |= unit.call_schedules(event.kind(), event.source(), of, now).await?;
    Ok(true)
}

/// Has the unit refused if somebody listens to what is told of a run.
pub(crate) async fn tell_nobody(unit: &mut dyn UnitOfWork, about: &Run, events: &[CloudEvent]) -> store::Result<()> {
    let Some(first) = events.first() else { return Ok(()) };
    unit.refuse_if_heard(&kinds(events), first.source(), about.id, &about.workflow).await
}

fn kinds(events: &[CloudEvent]) -> Vec<&str> {
    let kinds: BTreeSet<&str> = events.iter().map(CloudEvent::kind).collect();
    kinds.into_iter().collect()
}

/// Publishes what is told of a run, as far as others listen to it.
pub(crate) async fn tell(
    unit: &mut dyn UnitOfWork,
    now: Timestamp,
    about: &Run,
    events: &[CloudEvent],
    post: &mut Post,
) -> store::Result<()> {
    let Some(first) = events.first() else { return Ok(()) };
    let kinds = kinds(events);
    if !unit.is_anybody_listening(&kinds, first.source(), about.id, &about.workflow).await? {
        return Ok(());
    }
    for event in events {
        if unit.is_anybody_listening(&[event.kind()], event.source(), about.id, &about.workflow).await? {
            route(unit, now, event, Some(about), post).await?;
        }
    }
    Ok(())
}

/// Opens a subscription of a run, and addresses to it what the run has missed since its launch.
pub(crate) async fn subscribe(
    unit: &mut dyn UnitOfWork,
    run: &Run,
    subscription: &Subscription,
    post: &mut Post,
) -> store::Result<()> {
    let filters: Vec<Filter<'_>> = subscription
        .filters
        .iter()
        .map(|filter| Filter { kind: filter.kind.as_deref(), source: filter.source.as_deref() })
        .collect();
    let number = subscription.subscription;
    unit.open_subscription(Subscriber { run: run.id, subscription: number.0 }, &filters).await?;
    let mut after = None;
    loop {
        let missed = unit.missed_events(run.id, &filters, run.created_at, after, PAGE).await?;
        let Some(last) = missed.last() else { return Ok(()) };
        after = Some((last.received_at, last.seq));
        for event in missed {
            let event = serde_json::from_str(&event.body).map_err(|_| StoreError::Inconsistent("events".to_owned()))?;
            deliver(run.id, number, event, post);
        }
    }
}

fn deliver(run: RunId, subscription: SubscriptionId, event: CloudEvent, post: &mut Post) {
    post.put(run, EventKind::EventReceived { subscription, event: Box::new(event) });
}
