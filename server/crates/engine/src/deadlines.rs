//! What time does to approvals: reminders, escalation, and the due time by a calendar.
//!
//! The times are reckoned when the approval is opened, by the calendar as it is then, and kept as rows. Each node looks for rows
//! whose time has come; one takes a row, in the unit of work that does what it says, so it is done once. People are reminded
//! from here; what concerns the run is an event in its inbox, and the owner of the run does it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use domain::{ApprovalState, RunId, Scope, Timestamp, UserId};
use store::{
    StoreError, UnitOfWork,
    approvals::Approval,
    calendars::{ApprovalTimer, TimerKind},
    runs::Run,
};
use tracing::warn;
use workflow::{
    ApprovalRequest, CallId, Event, EventKind, RunError, StandardError,
    approval::{OnDue, Timing},
    calendar::{Calendar, CalendarText},
};

use crate::{
    approvals,
    live::Topic,
    node::Node,
    notices::{Notice, NoticeKind, notify},
};

/// How often to look although no time has come, in rounds of the node: another node may have opened an approval.
const ROUNDS: u32 = 10;
/// Timers that are taken in one unit of work.
const BATCH: u32 = 20;

/// When what happens to an approval.
pub(crate) struct Times {
    /// When it is due.
    pub(crate) due: Option<Timestamp>,
    timers: Vec<(TimerKind, Timestamp)>,
}

impl Times {
    /// By the approval's calendar, if it names one; or why that is no calendar to go by.
    pub(crate) async fn of(
        unit: &mut dyn UnitOfWork,
        run: &Run,
        request: &ApprovalRequest,
        now: Timestamp,
    ) -> store::Result<Result<Self, RunError>> {
        let Some(name) = &request.timing.calendar else {
            return Ok(Ok(Self::reckoned(&request.timing, now, request.due, None)));
        };
        let own = unit.calendar(&Scope::Namespace(run.workflow.namespace.clone()), name).await?;
        let stored = match own {
            Some(own) => Some(own),
            None => unit.calendar(&Scope::Everywhere, name).await?,
        };
        let calendar = stored.and_then(|stored| serde_json::from_str::<CalendarText>(&stored.text).ok());
        let Some(calendar) = calendar.and_then(|text| Calendar::read(&text).ok()) else {
            let words = format!("there is no calendar “{name}” for the namespace {}", run.workflow.namespace);
            return Ok(Err(RunError::new(StandardError::Configuration, words)));
        };
        let due = request.timing.due.and_then(|due| calendar.after(now, due));
        let mut amounts = request.timing.due.into_iter().chain(request.timing.escalate_after);
        if amounts.any(|amount| calendar.after(now, amount).is_none()) {
            let words = format!("the calendar “{name}” has too little working time");
            return Ok(Err(RunError::new(StandardError::Configuration, words)));
        }
        Ok(Ok(Self::reckoned(&request.timing, now, due, Some(&calendar))))
    }

    /// What would have had to happen before the approval was opened does not happen. Without a calendar the machine has a timer
    /// of its own for the due time.
    fn reckoned(timing: &Timing, now: Timestamp, due: Option<Timestamp>, calendar: Option<&Calendar>) -> Self {
        let after = |amount| match calendar {
            Some(calendar) => calendar.after(now, amount),
            None => Some(now + amount),
        };
        let before = |due: Timestamp, left| match calendar {
            Some(calendar) => calendar.before(due, left),
            None => Some(due - left),
        };
        let reminders = timing.reminders.iter().filter_map(|left| before(due?, *left)).filter(|at| *at > now);
        let mut timers: Vec<(TimerKind, Timestamp)> = reminders.map(|at| (TimerKind::Remind, at)).collect();
        timers.extend(timing.escalate_after.and_then(after).map(|at| (TimerKind::Escalate, at)));
        timers.extend(due.and_then(|due| match timing.on_due {
            OnDue::Escalate => Some((TimerKind::Escalate, due)),
            OnDue::Reject | OnDue::Cancel => calendar.map(|_| (TimerKind::Due, due)),
        }));
        Self { due, timers }
    }

    /// Keeps the times with the approval.
    pub(crate) async fn write(&self, unit: &mut dyn UnitOfWork, approval: &Approval) -> store::Result<()> {
        for (kind, at) in &self.timers {
            let timer = ApprovalTimer { approval: approval.id, kind: *kind, at: *at, fired_at: None };
            unit.insert_approval_timer(&timer).await?;
        }
        Ok(())
    }
}

/// Does what is due, and sleeps until the next time, until told to stop.
pub(crate) async fn keep(node: Arc<Node>) {
    while !node.stop.is_cancelled() {
        let pause = look(&node).await.unwrap_or_else(|error| {
            warn!(error = &error as &dyn std::error::Error, "the times of approvals could not be looked at");
            node.settings.poll
        });
        tokio::select! {
            () = node.stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Does all that is due; how long to wait before looking again.
async fn look(node: &Node) -> store::Result<Duration> {
    let (poll, rounds) = (node.settings.poll, node.settings.poll * ROUNDS);
    loop {
        let next = node.parts.store.snapshot().await?.next_approval_timer().await?;
        match next.map(|next| next.since(node.now())) {
            None => return Ok(rounds),
            Some(Duration::ZERO) if fire_some(node).await? => {}
            // Another node is at it.
            Some(Duration::ZERO) => return Ok(poll),
            Some(left) => return Ok(left.clamp(poll, rounds)),
        }
    }
}

/// Does what is due in one unit of work; whether there was anything.
async fn fire_some(node: &Node) -> store::Result<bool> {
    let now = node.now();
    let mut unit = node.parts.store.begin().await?;
    let timers = unit.take_approval_timers(now, BATCH).await?;
    if timers.is_empty() {
        unit.rollback().await?;
        return Ok(false);
    }
    let (mut woken, mut reminded) = (BTreeSet::<RunId>::new(), BTreeSet::<UserId>::new());
    for timer in timers {
        let approval = unit.approval(timer.approval).await?;
        let Some(approval) = approval.filter(|approval| approval.state == ApprovalState::Pending) else { continue };
        let call = approval.call.parse().map(CallId);
        let call = call.map_err(|_| StoreError::Inconsistent("the call of an approval".to_owned()))?;
        let kind = match timer.kind {
            TimerKind::Remind => {
                reminded.extend(remind(node, unit.as_mut(), &timer, &approval, now).await?);
                continue;
            }
            TimerKind::Escalate => EventKind::ApprovalEscalated { call },
            TimerKind::Due => EventKind::ApprovalDue { call },
        };
        let event = serde_json::to_string(&Event::new(now, kind))
            .map_err(|_| StoreError::Inconsistent("an event".to_owned()))?;
        unit.push_inbox(approval.run, &event, now).await?;
        woken.insert(approval.run);
    }
    unit.commit().await?;
    for run in woken {
        node.wake(run);
    }
    for user in reminded {
        node.parts.live.changed(Topic::Notifications(user));
    }
    Ok(true)
}

/// Reminds those who can still decide, and who stands in for them; who they are.
async fn remind(
    node: &Node,
    unit: &mut dyn UnitOfWork,
    timer: &ApprovalTimer,
    approval: &Approval,
    now: Timestamp,
) -> store::Result<Vec<UserId>> {
    let people = approvals::undecided(unit, approval).await?;
    let people = approvals::with_substitutes(unit, approval, people, now).await?;
    let Some(run) = unit.run(approval.run).await? else { return Ok(Vec::new()) };
    let notice = Notice {
        kind: NoticeKind::ApprovalReminder,
        title: run.title,
        run_number: Some(run.number),
        link: format!("/approvals/{}", approval.id),
        cause: format!("reminder:{}:{}", approval.id, timer.at.as_micros()),
    };
    notify(unit, node.parts.ids.as_ref(), now, node.settings.mail, &people, &notice).await?;
    Ok(people.into_iter().map(|user| user.id).collect())
}
