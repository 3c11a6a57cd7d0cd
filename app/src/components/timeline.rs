//! What a run did, in order of start, each task with its time against the whole.

use domain::{Timestamp, view::TaskView};
use leptos::prelude::*;

use super::{Glyph, Icon, TaskBadge, duration_text, graph::NodeHref};
use crate::{i18n::use_texts, view};

/// The executions of a run's tasks as a list of links.
#[component]
pub fn Timeline(
    /// The executions, in order of start.
    tasks: Vec<TaskView>,
    /// When the run began and until when the bars reach: its end, or its last change.
    span: (Timestamp, Timestamp),
    /// The reference of the task whose details are shown.
    #[prop(into)]
    selected: String,
    /// Where a task leads.
    href: NodeHref,
) -> impl IntoView {
    let t = use_texts();
    let last = tasks.iter().filter_map(|task| task.ended_at.or(task.started_at)).max();
    let (from, until) = (span.0, last.map_or(span.1, |last| last.max(span.1)));
    let whole = micros(until, from).max(1.0);
    let rows: Vec<_> = tasks
        .into_iter()
        .map(|task| {
            let began = task.started_at.unwrap_or(until);
            let ended = task.ended_at.unwrap_or(until);
            let start = (micros(began, from) / whole * 100.0).clamp(0.0, 100.0);
            let length = (micros(ended, began) / whole * 100.0).clamp(0.8, 100.0);
            let start = start.min(100.0 - length);
            let took = task.started_at.zip(task.ended_at).map(|(began, ended)| span_text(t, began, ended));
            let class = format!("timeline__bar timeline__bar--{}", task.status.as_str());
            let again = (task.occurrence > 1).then(|| t.runs.occurrence(task.occurrence));
            let attempts = (task.attempts > 1).then(|| t.runs.attempts_short(task.attempts));
            view! {
                <li class="timeline__item" class:timeline__item--undo=task.compensation>
                    <a
                        class="timeline__link"
                        href=href(&task.reference)
                        aria-current=(task.reference == selected).then_some("true")
                    >
                        <span class="timeline__title">
                            {task.compensation.then(|| view! { <Icon glyph=Glyph::Undo/> })}
                            <span>{task.title}</span>
                            {again.map(|text| view! { <span class="timeline__note">{text}</span> })}
                            {attempts.map(|text| view! { <span class="timeline__note">{text}</span> })}
                        </span>
                        <TaskBadge status=task.status/>
                        <span class="timeline__took">{took}</span>
                        <svg class="timeline__track" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
                            <rect class="timeline__rail" x="0" y="1.5" width="100" height="1"></rect>
                            <rect
                                class=class
                                x=format!("{start:.2}")
                                y="0"
                                width=format!("{length:.2}")
                                height="4"
                            ></rect>
                        </svg>
                    </a>
                </li>
            }
        })
        .collect();
    view! { <ol class="timeline" aria-label=t.runs.timeline()>{rows}</ol> }
}

/// How long something took; below a second in milliseconds.
pub fn span_text(t: crate::i18n::Texts, from: Timestamp, until: Timestamp) -> String {
    let span = until.since(from);
    if span.as_secs() == 0 { t.runs.milliseconds(span.as_millis()) } else { duration_text(t, span.as_secs()) }
}

fn micros(later: Timestamp, earlier: Timestamp) -> f64 {
    later.since(earlier).as_secs_f64()
}
