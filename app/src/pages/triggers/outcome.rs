use domain::{TriggerOutcome, view::DeliveryView};

use crate::{
    components::{Badge, Glyph, Tone},
    i18n::Texts,
    view,
};
use leptos::prelude::*;

/// What became of a delivery, in a word.
pub(super) fn outcome_name(t: Texts, outcome: TriggerOutcome) -> &'static str {
    let t = t.triggers;
    match outcome {
        TriggerOutcome::Launched => t.outcome_launched(),
        TriggerOutcome::Continued => t.outcome_continued(),
        TriggerOutcome::Closed => t.outcome_closed(),
        TriggerOutcome::Filtered => t.outcome_filtered(),
        TriggerOutcome::Duplicate => t.outcome_duplicate(),
        TriggerOutcome::Invalid => t.outcome_invalid(),
        TriggerOutcome::Refused => t.outcome_refused(),
    }
}

/// The same as a badge.
pub(super) fn outcome_badge(t: Texts, outcome: TriggerOutcome) -> AnyView {
    let (tone, glyph) = match outcome {
        TriggerOutcome::Launched => (Tone::Success, Glyph::Runs),
        TriggerOutcome::Continued => (Tone::Success, Glyph::ArrowRight),
        TriggerOutcome::Closed => (Tone::Info, Glyph::CircleCheck),
        TriggerOutcome::Filtered => (Tone::Neutral, Glyph::Minus),
        TriggerOutcome::Duplicate => (Tone::Neutral, Glyph::Retry),
        TriggerOutcome::Invalid => (Tone::Danger, Glyph::Octagon),
        TriggerOutcome::Refused => (Tone::Warning, Glyph::Warning),
    };
    view! { <Badge tone glyph label=outcome_name(t, outcome)/> }
}

/// The run that a delivery is about, as a link.
pub(super) fn run_link(t: Texts, delivery: &DeliveryView) -> Option<AnyView> {
    let number = delivery.run_number?;
    Some(view! { <a href=format!("/runs/{number}")>{t.common.run_number(number)}</a> })
}
