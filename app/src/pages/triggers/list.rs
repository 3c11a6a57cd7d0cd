use domain::{Operation, view::TriggerView};
use leptos::prelude::*;

use super::{
    full_name, kind_name,
    outcome::{outcome_badge, run_link},
};
use crate::{
    api::triggers::{trigger_href, triggers},
    components::{Badge, ButtonLook, Card, EmptyState, Glyph, LinkButton, Moment, PageHeader, Skeleton, Tone, load},
    data::Data,
    i18n::use_texts,
    live::{Topic, use_live},
    session::may,
    view,
};

/// The triggers of the namespaces in which one writes, publishes, operates or administers.
#[component]
pub fn TriggersPage() -> impl IntoView {
    let t = use_texts();
    let live = use_live();
    let data = Data::new(move || live.version(Topic::Triggers), |_| triggers());
    view! {
        <PageHeader title=t.frame.triggers() subtitle=t.triggers.lead()>
            {may(Operation::TriggerUpdate)
                .then(|| {
                    view! {
                        <LinkButton href="/triggers/new" look=ButtonLook::Primary icon=Glyph::Plus>
                            {t.frame.new_trigger()}
                        </LinkButton>
                    }
                })}
        </PageHeader>
        {load(
            data,
            || view! { <Card><Skeleton lines=8/></Card> },
            move |triggers| {
                if triggers.is_empty() {
                    return view! {
                        <Card>
                            <EmptyState glyph=Glyph::Bolt title=t.triggers.none() text=t.triggers.none_text()/>
                        </Card>
                    };
                }
                let lines: Vec<_> = triggers.into_iter().map(|trigger| view! { <Line trigger/> }).collect();
                view! { <Card flush=true><ul class="lines">{lines}</ul></Card> }
            },
        )}
    }
}

#[component]
fn Line(trigger: TriggerView) -> impl IntoView {
    let t = use_texts();
    let workflow = format!("{}/{}", trigger.namespace, trigger.workflow);
    let last = trigger.last.as_ref().map(|last| {
        view! {
            <span>{t.triggers.last()} " " <Moment at=last.received_at/></span>
            {run_link(t, last)}
        }
    });
    let fails = trigger.looks.as_ref().is_some_and(|looks| looks.failing_since.is_some());
    let mark = if trigger.enabled && fails {
        Some(view! { <Badge tone=Tone::Danger glyph=Glyph::Octagon label=t.triggers.fails()/> })
    } else if trigger.enabled {
        trigger.last.as_ref().map(|last| outcome_badge(t, last.outcome))
    } else {
        Some(view! { <Badge glyph=Glyph::Cross label=t.triggers.off()/> })
    };
    view! {
        <li class="line">
            <span class="line__text">
                <a class="line__title line__title--plain" href=trigger_href(trigger.id)><code>{full_name(&trigger)}</code></a>
                <span class="line__detail">
                    <span>{kind_name(t, trigger.kind)}</span>
                    <span>{t.triggers.launches()} " " <code>{workflow}</code></span>
                    {last}
                </span>
            </span>
            <span class="line__side">{mark}</span>
        </li>
    }
}
