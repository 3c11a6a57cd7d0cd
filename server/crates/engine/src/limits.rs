//! Limits of what is executed at once and in what time, on all nodes together: who may begin, who has to wait, and who is
//! next.
//!
//! A run has its place from its first step to its end, a call while it is made. A place is a row, taken in a unit that
//! nobody else decides beside; who finds none leaves a row as well, and waits for its turn without being held in memory. Who
//! gives a place back tells the first of those who wait, who looks again, and tells the next if there is still room. If the
//! word is lost, the first looks again after a while by itself. Whatever is not limited is not looked at.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use domain::{ConnectionId, Limits, Name, RunId, Timestamp, WaitsFor, WorkflowRef};
use store::{
    StoreError, UnitOfWork,
    children::ChildRun,
    limits::{Claimant, Place},
    runs::{Lease, Run},
};
use tracing::warn;
use workflow::{CallId, Event, EventKind};

use crate::node::Node;

/// How long one waits behind others before it looks by itself: it is the first of them who is told.
const BEHIND_OTHERS: Duration = Duration::from_mins(10);
/// How long after a failure of the database it is tried again to take a place, or to give one back.
const PAUSE: Duration = Duration::from_secs(1);
/// How often it is tried to give a place back. After that it is good until the run rests, or ends.
const ATTEMPTS: u32 = 10;

/// A place that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Want {
    scope: String,
    limits: Limits,
    whose: WaitsFor,
}

impl Want {
    fn workflow(workflow: &WorkflowRef, limits: Limits) -> Self {
        Self { scope: format!("workflow:{workflow}"), limits, whose: WaitsFor::Workflow }
    }

    fn run_in(namespace: &Name, most: u32) -> Self {
        Self { scope: format!("runs:{namespace}"), limits: at_once(most), whose: WaitsFor::Namespace }
    }

    pub(crate) fn call_in(namespace: &Name, most: u32) -> Self {
        Self { scope: format!("calls:{namespace}"), limits: at_once(most), whose: WaitsFor::Namespace }
    }

    pub(crate) fn connection(connection: ConnectionId, limits: Limits) -> Self {
        Self { scope: format!("connection:{connection}"), limits, whose: WaitsFor::Connection }
    }
}

const fn at_once(most: u32) -> Limits {
    Limits { concurrency: Some(most), rate: None }
}

/// What a run needs to begin.
///
/// A run that another has started is a part of it: it does not count against the namespace again, and where it runs the same
/// workflow as one above it, that one's place is its own. Otherwise the two would wait for each other for ever.
pub(crate) async fn of_run(
    unit: &mut dyn UnitOfWork,
    run: &Run,
    limits: Limits,
    runs_in_namespace: Option<u32>,
) -> store::Result<Vec<Want>> {
    let child = unit.child(run.id).await?;
    let mut wants = Vec::new();
    if let (None, Some(most)) = (&child, runs_in_namespace) {
        wants.push(Want::run_in(&run.workflow.namespace, most));
    }
    if !limits.are_none() && !is_below_its_like(unit, child, &run.workflow).await? {
        wants.push(Want::workflow(&run.workflow, limits));
    }
    Ok(wants)
}

async fn is_below_its_like(
    unit: &mut dyn UnitOfWork,
    mut child: Option<ChildRun>,
    workflow: &WorkflowRef,
) -> store::Result<bool> {
    while let Some(ChildRun { parent, .. }) = child {
        if unit.run(parent).await?.is_some_and(|run| run.workflow == *workflow) {
            return Ok(true);
        }
        child = unit.child(parent).await?;
    }
    Ok(false)
}

/// Who asks for places.
pub(crate) struct Asking {
    pub(crate) claimant: Claimant,
    /// The epoch of the run's lease.
    pub(crate) epoch: i64,
    /// Since when, unless it has asked before.
    pub(crate) since: Timestamp,
    /// How long the first of those who wait goes without looking again.
    pub(crate) patience: Duration,
}

/// The answer, durable with the unit. Whoever is first in `others` may go on thereafter: see [`rouse`].
pub(crate) struct Answer {
    pub(crate) verdict: Verdict,
    pub(crate) others: BTreeSet<String>,
}

pub(crate) enum Verdict {
    /// All places are taken.
    Taken {
        /// It has waited so far, and had no place before.
        anew: bool,
    },
    /// One of them is not to be had.
    Waits {
        /// Whose limit it is.
        whose: WaitsFor,
        /// When to look again, whatever happens.
        until: Timestamp,
        /// It has waited so far, and had no place before.
        anew: bool,
    },
}

/// Takes all the places that are wanted, or waits for one that is not to be had.
pub(crate) async fn take(
    unit: &mut dyn UnitOfWork,
    asking: &Asking,
    wants: &[Want],
    now: Timestamp,
) -> store::Result<Answer> {
    let Asking { claimant, epoch, .. } = *asking;
    // In one order, so that no two wait for each other.
    for scope in wants.iter().map(|want| want.scope.as_str()).collect::<BTreeSet<_>>() {
        unit.lock_scope(scope).await?;
    }
    let known = unit.places_of(claimant).await?;
    let since = known.iter().map(|place| place.since).min().unwrap_or(asking.since);
    let taken_at = known.iter().filter_map(|place| place.taken_at).max();
    if !known.is_empty() {
        unit.delete_places(claimant, None).await?;
    }
    let mut others: BTreeSet<String> = known.into_iter().filter(|place| place.waits).map(|place| place.scope).collect();
    let anew = taken_at.is_none() && !others.is_empty();
    let mut row = Place { scope: String::new(), claimant, epoch, since, waits: true, taken_at };
    let mut roomy = Vec::new();
    for want in wants {
        match look(unit, want, asking, since, now).await? {
            Room::None { until } => {
                others.remove(&want.scope);
                row.scope.clone_from(&want.scope);
                unit.insert_place(&row).await?;
                return Ok(Answer { verdict: Verdict::Waits { whose: want.whose, until, anew }, others });
            }
            Room::ForOne => _ = others.remove(&want.scope),
            Room::ForMore => roomy.push(want.scope.clone()),
        }
    }
    row.waits = false;
    row.taken_at = Some(now);
    for want in wants {
        row.scope.clone_from(&want.scope);
        unit.insert_place(&row).await?;
        if want.limits.rate.is_some() {
            unit.insert_start(&want.scope, claimant, now).await?;
        }
    }
    others.extend(roomy);
    Ok(Answer { verdict: Verdict::Taken { anew }, others })
}

/// What there is in a scope.
enum Room {
    None { until: Timestamp },
    ForOne,
    ForMore,
}

async fn look(
    unit: &mut dyn UnitOfWork,
    want: &Want,
    asking: &Asking,
    since: Timestamp,
    now: Timestamp,
) -> store::Result<Room> {
    let ahead = unit.count_waiting(&want.scope, since, asking.claimant, now).await?;
    let later = if ahead == 0 { now + asking.patience } else { now + BEHIND_OTHERS };
    let mut room = Room::ForMore;
    if let Some(most) = want.limits.concurrency {
        let before = unit.count_taken(&want.scope, now).await?.saturating_add(ahead);
        if before >= most {
            return Ok(Room::None { until: later });
        }
        if before + 1 == most {
            room = Room::ForOne;
        }
    }
    if let Some(rate) = want.limits.rate {
        // Those ahead will begin first, and count then.
        let nth = rate.count.saturating_sub(ahead);
        let again = match unit.nth_latest_start(&want.scope, nth).await? {
            _ if nth == 0 => Some(later),
            Some(begun) if begun + rate.per > now && ahead == 0 => Some(begun + rate.per),
            Some(begun) if begun + rate.per > now => Some(later),
            _ => None,
        };
        if let Some(until) = again {
            return Ok(Room::None { until });
        }
    }
    Ok(room)
}

/// What became of a call that asked for its places.
pub(crate) enum Entry {
    /// It may be made.
    Open {
        /// It was never made before.
        anew: bool,
    },
    /// It has to wait.
    Closed {
        /// Whose limit it is.
        whose: WaitsFor,
        /// When to look again, whatever happens.
        until: Timestamp,
        /// It was never made before.
        anew: bool,
    },
    /// The run belongs to somebody else.
    Lost,
}

/// Takes the places that a call needs.
pub(crate) async fn enter(node: &Arc<Node>, lease: &Lease, call: CallId, wants: &[Want]) -> Entry {
    match try_to_enter(node, lease, call, wants).await {
        Ok(Some((verdict, others))) => {
            rouse(node, others);
            match verdict {
                Verdict::Taken { anew } => Entry::Open { anew },
                Verdict::Waits { whose, until, anew } => Entry::Closed { whose, until, anew },
            }
        }
        Ok(None) => Entry::Lost,
        Err(error) => {
            warn!(error = &error as &dyn std::error::Error, "no place could be taken for a call, trying again");
            let whose = wants.first().map_or(WaitsFor::Connection, |want| want.whose);
            Entry::Closed { whose, until: node.now() + PAUSE, anew: false }
        }
    }
}

async fn try_to_enter(
    node: &Node,
    lease: &Lease,
    call: CallId,
    wants: &[Want],
) -> store::Result<Option<(Verdict, BTreeSet<String>)>> {
    let mut unit = node.parts.store.begin().await?;
    if !unit.lease_is_held(lease).await? {
        unit.rollback().await?;
        return Ok(None);
    }
    let asking = Asking {
        claimant: of_call(lease.run, call),
        epoch: lease.epoch,
        since: node.now(),
        patience: node.settings.lease,
    };
    let Answer { verdict, others } = take(unit.as_mut(), &asking, wants, node.now()).await?;
    unit.commit().await?;
    Ok(Some((verdict, others)))
}

/// Gives back what a call has, or waits for. What the run's next owner has taken for it stays.
pub(crate) async fn leave(node: &Arc<Node>, lease: &Lease, call: CallId) {
    for _ in 0..ATTEMPTS {
        let left = async {
            let mut unit = node.parts.store.begin().await?;
            let scopes = unit.delete_places(of_call(lease.run, call), Some(lease.epoch)).await?;
            unit.commit().await?;
            store::Result::Ok(scopes)
        };
        match left.await {
            Ok(scopes) => return rouse(node, scopes),
            Err(error) => {
                warn!(error = &error as &dyn std::error::Error, "a call's place could not be given back");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

pub(crate) fn of_call(run: RunId, call: CallId) -> Claimant {
    Claimant { run, call: Some(call.0) }
}

/// Tells the first who waits in each of these scopes that there may be room.
pub(crate) fn rouse(node: &Arc<Node>, scopes: impl IntoIterator<Item = String>) {
    let scopes: Vec<String> = scopes.into_iter().collect();
    if scopes.is_empty() {
        return;
    }
    let node = Arc::clone(node);
    tokio::spawn(async move {
        for scope in scopes {
            if let Err(error) = rouse_first(&node, &scope).await {
                warn!(error = &error as &dyn std::error::Error, "the next one was not told that there is room");
            }
        }
    });
}

async fn rouse_first(node: &Node, scope: &str) -> store::Result<()> {
    let now = node.now();
    // Whoever is about to be told to wait is seen: the lock is had after that is durable. It is given up before a run's row
    // is taken, because whoever decides takes them in the other order.
    let mut unit = node.parts.store.begin().await?;
    unit.lock_scope(scope).await?;
    let first = unit.first_waiting(scope, now).await?;
    unit.commit().await?;
    let Some(Place { claimant: Claimant { run, call }, .. }) = first else { return Ok(()) };
    let mut unit = node.parts.store.begin().await?;
    if call.is_none() {
        unit.rouse_run(run, now).await?;
    } else {
        let event = serde_json::to_string(&Event::new(now, EventKind::PlaceFreed));
        let event = event.map_err(|_| StoreError::Inconsistent("inbox".to_owned()))?;
        unit.push_inbox(run, &event, now).await?;
    }
    unit.commit().await?;
    node.wake(run);
    Ok(())
}
