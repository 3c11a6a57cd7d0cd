//! What a step exchanges with other runs, in its unit of work: events, subscriptions, runs that it starts and answers.

use std::collections::BTreeSet;

use domain::{RunId, Timestamp};
use store::{UnitOfWork, children::ChildRun, events::Subscriber, runs::Run, users::User};
use workflow::{CloudEvent, Effect, Event, EventKind};

use crate::{
    actor::Actor,
    children,
    step::Step,
    stream::{self, Post},
};

/// What came of it.
pub(crate) struct Exchanged {
    /// Runs to wake once the unit is durable.
    pub(crate) woken: BTreeSet<RunId>,
    /// Whether to wake the schedules, too.
    pub(crate) schedules: bool,
    /// Runs that were started, with the references of the tasks that started them.
    pub(crate) started: Vec<(Run, String)>,
}

/// What has to be known of a run that ends, and does not change.
pub(crate) struct Ending {
    /// What started it, if a run did.
    pub(crate) child: Option<ChildRun>,
    /// Who asked for it, unless a run did.
    pub(crate) requester: Option<User>,
}

impl Ending {
    pub(crate) async fn of(unit: &mut dyn UnitOfWork, run: &Run) -> store::Result<Self> {
        let child = unit.child(run.id).await?;
        let requester = if child.is_none() { unit.user(run.requester_id).await? } else { None };
        Ok(Self { child, requester })
    }
}

/// Does what the step asks for.
///
/// Approvals are written before, and the run and the audit log after this: all units lock in this order.
pub(crate) async fn exchange(
    unit: &mut dyn UnitOfWork,
    actor: &Actor,
    run: &Run,
    step: &Step,
    ending: Option<&Ending>,
    now: Timestamp,
) -> store::Result<Exchanged> {
    let mut post = Post::default();
    let mut started = Vec::new();
    for event in consumed(&step.events) {
        unit.put_consumed(run.id, event.source(), event.id(), now).await?;
    }
    for effect in &step.effects {
        match effect {
            Effect::Emit(event) => {
                stream::route(unit, now, event, None, &mut post).await?;
            }
            Effect::Subscribe(subscription) => stream::subscribe(unit, run, subscription, &mut post).await?,
            Effect::Unsubscribe { subscription, .. } => {
                unit.close_subscription(Subscriber { run: run.id, subscription: subscription.0 }).await?;
            }
            Effect::Call(ticket) if children::is_child(ticket) => {
                let child = children::start(unit, actor, ticket, now, &mut post).await?;
                started.extend(child.map(|child| (child, ticket.reference.clone())));
            }
            Effect::StopCall { call } | Effect::SettleCall { call } => {
                children::stop(unit, run, *call, &mut post).await?;
            }
            _ => {}
        }
    }
    if step.unheard {
        stream::tell_nobody(unit, run, &step.lifecycle).await?;
    } else {
        stream::tell(unit, now, run, &step.lifecycle, &mut post).await?;
    }
    if let Some(ending) = ending {
        unit.close_subscriptions(run.id).await?;
        if let Some(child) = &ending.child {
            unit.pass_changes(run.id, child.parent).await?;
            children::answer(child, run, &mut post);
        }
        if let Some(after) = actor.definition.schedule().and_then(|schedule| schedule.after) {
            post.schedules |= unit.schedule_after(run.id, now + after).await?;
        }
    }
    let schedules = post.schedules;
    let mut woken = post.send(unit, now, Some(run.id)).await?;
    woken.extend(started.iter().map(|(child, _)| child.id));
    Ok(Exchanged { woken, schedules, started })
}

/// Events that the run has made use of; those that it did not are no part of a step.
fn consumed(events: &[Event]) -> impl Iterator<Item = &CloudEvent> {
    events.iter().filter_map(|event| match &event.kind {
        EventKind::EventReceived { event, .. } => Some(event.as_ref()),
        _ => None,
    })
}
