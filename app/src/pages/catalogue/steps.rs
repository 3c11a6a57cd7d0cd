//! What a run does, in words.

use domain::view::PlanStep;
use leptos::prelude::*;

use crate::{
    components::{Glyph, Icon},
    i18n::{Texts, use_texts},
    view,
};

/// The steps of a run in order, each with who is asked, what is touched, and when it happens at all.
#[component]
pub fn PlanSteps(
    /// The steps.
    steps: Vec<PlanStep>,
) -> impl IntoView {
    let t = use_texts();
    let rows: Vec<_> = steps
        .into_iter()
        .map(|step| {
            let class = format!("steps__item steps__item--depth-{}", step.depth.min(4));
            let notes = notes(t, &step);
            let glyph = glyph(&step);
            view! {
                <li class=class>
                    <span class="steps__icon"><Icon glyph/></span>
                    <div class="steps__text">
                        <span class="steps__title">{step.title}</span>
                        {notes}
                    </div>
                </li>
            }
        })
        .collect();
    view! { <ol class="steps">{rows}</ol> }
}

fn notes(t: Texts, step: &PlanStep) -> Vec<AnyView> {
    let mut notes = Vec::new();
    let mut note = |class: &str, text: String| {
        let class = format!("steps__note {class}");
        notes.push(view! { <span class=class>{text}</span> });
    };
    if is_approval(step) {
        note(
            "",
            if step.approvers.is_empty() {
                t.catalogue.asks_nobody_yet().to_owned()
            } else {
                t.catalogue.asks(decider_names(t, &step.approvers))
            },
        );
    } else if let Some(system) = &step.system {
        note(
            "",
            match &step.connection {
                Some(connection) => t.catalogue.touches_by(system, connection),
                None => t.catalogue.touches(system),
            },
        );
    }
    if step.conditional {
        note("steps__note--mark", t.catalogue.conditional().to_owned());
    }
    if step.compensated {
        note("steps__note--mark", t.catalogue.taken_back().to_owned());
    }
    notes
}

/// Those who decide, in words, each once. A name that is already somebody's stays as it is.
pub(crate) fn decider_names(t: Texts, deciders: &[String]) -> String {
    let mut names: Vec<String> = Vec::new();
    for decider in deciders {
        let name = match decider.split_once(':') {
            Some(("managerOf", "requester")) => t.catalogue.decider_your_manager().to_owned(),
            Some(("managerOf", login)) => t.catalogue.decider_manager_of(login),
            Some(("team", name)) => t.catalogue.decider_team(name),
            Some(("role", role)) => t.catalogue.decider_role(t.common.by_key(&format!("role_{role}")).unwrap_or(role)),
            Some(("ownerOf", connection)) => t.catalogue.decider_owner_of(connection),
            Some(("user", login)) => login.to_owned(),
            _ => decider.clone(),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(", ")
}

fn is_approval(step: &PlanStep) -> bool {
    step.function.as_deref() == Some("approval")
}

fn glyph(step: &PlanStep) -> Glyph {
    match (step.kind.as_str(), step.function.as_deref()) {
        (_, Some("approval")) => Glyph::Decisions,
        (_, Some("smtp")) => Glyph::Mail,
        (_, Some("directory" | "ldap")) => Glyph::People,
        (_, Some("http")) => Glyph::Globe,
        (_, Some(_)) => Glyph::Plug,
        ("wait", _) => Glyph::Clock,
        ("switch" | "fork", _) => Glyph::Steps,
        ("raise", _) => Glyph::Octagon,
        ("for", _) => Glyph::Retry,
        _ => Glyph::ArrowRight,
    }
}

/// The systems that steps touch, each once, in order.
pub(super) fn systems(steps: &[PlanStep]) -> Vec<String> {
    let mut systems: Vec<String> = Vec::new();
    for step in steps.iter().filter(|step| !is_approval(step)) {
        if let Some(system) = step.system.as_ref().filter(|system| !systems.contains(system)) {
            systems.push(system.clone());
        }
    }
    systems
}

/// The people that steps ask, as [`decider_names`] says them.
pub(super) fn people(t: Texts, steps: &[PlanStep]) -> String {
    let deciders: Vec<String> = steps.iter().flat_map(|step| step.approvers.clone()).collect();
    decider_names(t, &deciders)
}
