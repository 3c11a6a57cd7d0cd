//! What stands beside the text of a version: what is known about it, its siblings, and what uses it.

use domain::{
    Trigger,
    view::{CallerView, DefinitionLife, UsesView, WorkflowVersionView},
};
use leptos::prelude::*;

use super::StateBadge;
use crate::{
    api::definitions::{VersionAddress, VersionLine, definition_href},
    components::{Card, DefinitionList, Moment, RiskBadge},
    i18n::{Texts, use_texts},
    view,
};

/// Who has written it and when, and how it is known.
#[component]
pub(super) fn Facts(definition: WorkflowVersionView, life: DefinitionLife) -> impl IntoView {
    let t = use_texts();
    let words = |text: String| view! { <span>{text}</span> };
    let authors = if life.authors.is_empty() {
        t.definitions.shipped().to_owned()
    } else {
        life.authors.into_iter().map(|author| author.name).collect::<Vec<_>>().join(", ")
    };
    let risk = definition.item.risk;
    let mut facts = vec![(t.definitions.authors().to_owned(), words(authors))];
    if let Some(person) = life.changed_by {
        facts.push((t.definitions.changed_by().to_owned(), words(person.name)));
    }
    facts.extend([
        (t.common.updated().to_owned(), view! { <Moment at=life.changed_at/> }),
        (t.definitions.risk().to_owned(), view! { <RiskBadge risk/> }),
        (t.definitions.open_comments().to_owned(), words(life.open_comments.to_string())),
        (t.definitions.digest().to_owned(), view! { <code class="digest">{definition.digest}</code> }),
    ]);
    view! { <Card title=t.common.details()><DefinitionList items=facts/></Card> }
}

/// All versions of the workflow; this one is marked.
#[component]
pub(super) fn Versions(versions: Vec<VersionLine>, at: VersionAddress) -> impl IntoView {
    let t = use_texts().definitions;
    let lines: Vec<_> = versions
        .into_iter()
        .map(|VersionLine { version, state }| {
            let href = definition_href(&at.namespace, &at.name, &version);
            let here = (version == at.version).then_some("page");
            view! {
                <li class="version-line">
                    <a href=href aria-current=here>{version}</a>
                    <StateBadge state/>
                </li>
            }
        })
        .collect();
    view! { <Card title=t.versions()><ul class="version-lines">{lines}</ul></Card> }
}

/// What uses a published version.
#[component]
pub(super) fn Uses(uses: UsesView) -> impl IntoView {
    let t = use_texts();
    view! { <Card title=t.definitions.uses()>{uses_list(t, &uses)}</Card> }
}

/// Each use in a line.
pub(super) fn uses_list(t: Texts, uses: &UsesView) -> AnyView {
    if uses.is_empty() {
        return view! { <p class="muted">{t.definitions.unused()}</p> };
    }
    let t = t.definitions;
    let trigger = |trigger: &Trigger| {
        let words = match trigger {
            Trigger::Cron => t.used_by_cron(),
            Trigger::Every => t.used_by_every(),
            Trigger::After => t.used_by_after(),
            Trigger::On => t.used_by_events(),
        };
        view! { <li>{words}</li> }
    };
    let caller = |CallerView { namespace, name, version }: &CallerView| {
        let href = definition_href(namespace, name, version);
        view! { <li><a href=href>{t.used_by_workflow(format!("{namespace}/{name}"), version)}</a></li> }
    };
    let others = (uses.other_callers > 0).then(|| view! { <li>{t.used_by_others(uses.other_callers)}</li> });
    let runs = (uses.open_runs > 0).then(|| view! { <li>{t.used_by_runs(uses.open_runs)}</li> });
    let lines: Vec<_> =
        uses.schedules.iter().map(trigger).chain(uses.callers.iter().map(caller)).chain(others).chain(runs).collect();
    view! { <ul class="uses">{lines}</ul> }
}
