//! What time does to an approval, for people.

use domain::{
    Problem,
    view::{TimeView, TimingView},
};
use store::{
    UnitOfWork,
    approvals::Approval,
    calendars::{ApprovalTimer, TimerKind},
};
use workflow::approval::Timing;

use crate::{problems::OrProblem as _, views};

/// What the definition says, with the times that came of it; none where it says nothing of time.
pub(super) async fn view(unit: &mut dyn UnitOfWork, approval: &Approval) -> Result<Option<TimingView>, Problem> {
    let Some(text) = &approval.timing else { return Ok(None) };
    let timing: Timing = serde_json::from_str(text).unwrap_or_default();
    let timers = unit.approval_timers(approval.id).await.or_problem()?;
    let time = |timer: &ApprovalTimer| TimeView { at: timer.at, done: timer.fired_at.is_some() };
    let of = |kind| timers.iter().filter(move |timer| timer.kind == kind).map(time);
    Ok(Some(TimingView {
        calendar: timing.calendar,
        on_due: timing.on_due.as_str().to_owned(),
        reminders: of(TimerKind::Remind).collect(),
        escalation: of(TimerKind::Escalate).next(),
        escalates_to: timing.escalate_to.iter().map(views::approver_words).collect(),
    }))
}
