//! What time does to an approval, in words.

use domain::view::{ApprovalDetail, TimeView};
use leptos::prelude::*;

use crate::{components::Moment, i18n::Texts, pages::catalogue::decider_names, view};

/// When it is due and what happens then, when people are reminded, and when others are asked: names and values.
pub(super) fn facts(t: Texts, detail: &ApprovalDetail) -> Vec<(String, AnyView)> {
    let mut facts = Vec::new();
    let timing = detail.timing.clone();
    if let Some(due) = detail.summary.due {
        let on_due = timing.as_ref().and_then(|timing| t.approvals.by_key(&format!("on_due_{}", timing.on_due)));
        let calendar = timing.as_ref().and_then(|timing| timing.calendar.clone());
        let value = view! {
            <Moment at=due/>
            {on_due.map(|words| view! { <p class="muted">{words}</p> })}
            {calendar
                .map(|name| view! { <p class="muted">{t.approvals.time_calendar()} " " <code>{name.to_string()}</code></p> })}
        };
        facts.push((t.common.due().to_owned(), value));
    }
    let Some(timing) = timing else { return facts };
    if !timing.reminders.is_empty() {
        facts.push((t.approvals.time_reminders().to_owned(), times(timing.reminders)));
    }
    if let Some(escalation) = timing.escalation {
        let name = if escalation.done { t.approvals.time_escalated() } else { t.approvals.time_escalates() };
        let to = decider_names(t, &timing.escalates_to);
        let to = if to.is_empty() { t.approvals.time_to_managers().to_owned() } else { format!("→ {to}") };
        facts.push((name.to_owned(), view! { <Moment at=escalation.at/> <p class="muted">{to}</p> }));
    }
    facts
}

/// What is over is paler.
fn times(times: Vec<TimeView>) -> AnyView {
    let times: Vec<_> =
        times.into_iter().map(|time| view! { <p class:muted=time.done><Moment at=time.at/></p> }).collect();
    view! { <div>{times}</div> }
}
