use domain::{ApprovalState, Risk, RunStatus, TaskStatus};
use leptos::prelude::*;

use super::{Glyph, Icon};
use crate::{
    i18n::{Texts, use_texts},
    view,
};

/// What a colour says. Never alone: an icon and a word stand with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Nothing in particular.
    #[default]
    Neutral,
    /// At work, or to know.
    Info,
    /// Went well.
    Success,
    /// Somebody has to do something.
    Warning,
    /// Went wrong.
    Danger,
}

impl Tone {
    /// The class modifier.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Neutral => "neutral",
            Self::Info => "info",
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Danger => "danger",
        }
    }
}

/// A state: icon, word and colour.
#[component]
pub fn Badge(
    /// The colour.
    #[prop(optional)]
    tone: Tone,
    /// The icon.
    #[prop(optional, into)]
    glyph: Option<Glyph>,
    /// Whether the icon turns.
    #[prop(optional)]
    spin: bool,
    /// The word.
    #[prop(into)]
    label: String,
) -> impl IntoView {
    view! {
        <span class=format!("badge badge--{}", tone.as_str())>
            {glyph.map(|glyph| view! { <Icon glyph spin/> })}
            <span>{label}</span>
        </span>
    }
}

/// Icon, tone and word of a run's state, marks included: what weighs most comes first.
pub(crate) fn run_state(
    t: Texts,
    status: RunStatus,
    needs_attention: bool,
    rejected: bool,
    compensated: bool,
) -> (Glyph, Tone, &'static str) {
    let t = t.common;
    if needs_attention {
        return (Glyph::Warning, Tone::Danger, t.state_needs_attention());
    }
    if rejected {
        return (Glyph::CircleCross, Tone::Danger, t.state_rejected());
    }
    if compensated && status.is_final() {
        return (Glyph::Undo, Tone::Warning, t.state_compensated());
    }
    match status {
        RunStatus::Pending => (Glyph::CircleDashed, Tone::Neutral, t.state_pending()),
        RunStatus::Running => (Glyph::Spinner, Tone::Info, t.state_running()),
        RunStatus::Waiting => (Glyph::Clock, Tone::Warning, t.state_waiting()),
        RunStatus::Suspended => (Glyph::Pause, Tone::Neutral, t.state_suspended()),
        RunStatus::Cancelled => (Glyph::CircleSlash, Tone::Neutral, t.state_cancelled()),
        RunStatus::Faulted => (Glyph::Octagon, Tone::Danger, t.state_faulted()),
        RunStatus::Completed => (Glyph::CircleCheck, Tone::Success, t.state_completed()),
    }
}

/// Icon, tone and word of a task's state.
pub(crate) fn task_state(t: Texts, status: TaskStatus) -> (Glyph, Tone, &'static str) {
    let t = t.common;
    match status {
        TaskStatus::Pending => (Glyph::CircleDashed, Tone::Neutral, t.state_pending()),
        TaskStatus::Running => (Glyph::Spinner, Tone::Info, t.state_running()),
        TaskStatus::Waiting => (Glyph::Clock, Tone::Warning, t.state_waiting()),
        TaskStatus::Retrying => (Glyph::Retry, Tone::Warning, t.state_retrying()),
        TaskStatus::Skipped => (Glyph::Skip, Tone::Neutral, t.state_skipped()),
        TaskStatus::Unknown => (Glyph::Question, Tone::Danger, t.state_unknown()),
        TaskStatus::Cancelled => (Glyph::CircleSlash, Tone::Neutral, t.state_cancelled()),
        TaskStatus::Faulted => (Glyph::Octagon, Tone::Danger, t.state_faulted()),
        TaskStatus::Completed => (Glyph::CircleCheck, Tone::Success, t.state_completed()),
    }
}

/// The state of a run.
#[component]
pub fn RunBadge(
    /// Where it stands.
    status: RunStatus,
    /// An operator has to look at it.
    #[prop(optional)]
    needs_attention: bool,
    /// An approver rejected it.
    #[prop(optional)]
    rejected: bool,
    /// What it did was taken back.
    #[prop(optional)]
    compensated: bool,
) -> impl IntoView {
    let (glyph, tone, label) = run_state(use_texts(), status, needs_attention, rejected, compensated);
    view! { <Badge tone glyph spin=glyph == Glyph::Spinner label/> }
}

/// The state of a task.
#[component]
pub fn TaskBadge(
    /// Where it stands.
    status: TaskStatus,
) -> impl IntoView {
    let (glyph, tone, label) = task_state(use_texts(), status);
    view! { <Badge tone glyph spin=glyph == Glyph::Spinner label/> }
}

/// The state of an approval.
#[component]
pub fn ApprovalBadge(
    /// Where it stands.
    state: ApprovalState,
) -> impl IntoView {
    let t = use_texts().common;
    let (glyph, tone, label) = match state {
        ApprovalState::Pending => (Glyph::PersonClock, Tone::Warning, t.approval_pending()),
        ApprovalState::Approved => (Glyph::CircleCheck, Tone::Success, t.approval_approved()),
        ApprovalState::Rejected => (Glyph::CircleCross, Tone::Danger, t.approval_rejected()),
        ApprovalState::Void => (Glyph::CircleSlash, Tone::Neutral, t.approval_void()),
    };
    view! { <Badge tone glyph label/> }
}

/// The risk of a workflow.
#[component]
pub fn RiskBadge(
    /// How much harm it can do.
    risk: Risk,
) -> impl IntoView {
    let t = use_texts().common;
    let (tone, label) = match risk {
        Risk::Low => (Tone::Neutral, t.risk_low()),
        Risk::Medium => (Tone::Warning, t.risk_medium()),
        Risk::High => (Tone::Danger, t.risk_high()),
    };
    let glyph = if risk == Risk::Low { Glyph::Info } else { Glyph::Warning };
    view! { <Badge tone glyph label/> }
}
