//! Who cosigns the audit log, and how far each witness is.

use domain::view::{AuditWitnessView, Page};
use leptos::prelude::*;

use crate::{
    api::audit::audit_witnesses,
    components::{Badge, Banner, Card, EmptyState, Glyph, Moment, Skeleton, Tone, load},
    data::Data,
    i18n::{AuditTexts, use_texts},
    view,
};

/// The witnesses of the configuration. A refusal is an alarm, and stands above everything else.
#[component]
pub(super) fn WitnessesCard() -> impl IntoView {
    let t = use_texts().audit;
    let data = Data::new(|| (), |()| audit_witnesses());
    view! {
        <Card flush=true title=t.witnesses()>
            {load(data, || view! { <Skeleton lines=4/> }, |page| view! { <Witnesses page/> })}
        </Card>
    }
}

#[component]
fn Witnesses(page: Page<AuditWitnessView>) -> impl IntoView {
    let t = use_texts().audit;
    if page.items.is_empty() {
        return view! { <EmptyState glyph=Glyph::Audit title=t.witnesses_none() text=t.witnesses_none_text()/> };
    }
    let refuses = page.items.iter().any(|witness| witness.refused_at.is_some());
    let alarm = refuses.then(|| {
        view! { <Banner tone=Tone::Danger title=t.witness_alarm()>{t.witness_alarm_text()}</Banner> }
    });
    let lines: Vec<_> = page.items.into_iter().map(|witness| view! { <Witness witness/> }).collect();
    view! {
        {alarm}
        <ul class="lines">{lines}</ul>
    }
}

#[component]
fn Witness(witness: AuditWitnessView) -> impl IntoView {
    let t = use_texts().audit;
    let mark = mark(t, &witness);
    let details =
        [witness.size.map(|size| t.witness_size(size)), (witness.lag > 0).then(|| t.receiver_lag(witness.lag))];
    let details: Vec<_> = details.into_iter().flatten().map(|words| view! { <span>{words}</span> }).collect();
    let last = witness.succeeded_at.map(|at| view! { <span>{t.witness_succeeded()} " " <Moment at/></span> });
    let since = match (witness.refused_at, witness.failing_since) {
        (Some(at), _) => Some((t.witness_refuses_since(), at)),
        (None, Some(at)) => Some((t.witness_failing_since(), at)),
        (None, None) => None,
    };
    let failing = since.map(|(words, at)| {
        view! {
            <span class="line__detail">
                <span>{words} " " <Moment at exact=true/></span>
                <span class="receiver__failure">{witness.failure.unwrap_or_default()}</span>
            </span>
        }
    });
    view! {
        <li class="line">
            <span class="line__text">
                <span class="line__title">{witness.name}</span>
                <span class="line__detail">
                    <span class="receiver__address">{witness.address}</span>
                    <code class="receiver__address">{witness.key}</code>
                </span>
                <span class="line__detail">{details} {last}</span>
                {failing}
            </span>
            <span class="line__side">{mark}</span>
        </li>
    }
}

fn mark(t: AuditTexts, witness: &AuditWitnessView) -> AnyView {
    if witness.refused_at.is_some() {
        view! { <Badge tone=Tone::Danger glyph=Glyph::Cross label=t.witness_refuses()/> }
    } else if witness.failing_since.is_some() {
        view! { <Badge tone=Tone::Danger glyph=Glyph::Cross label=t.receiver_failing()/> }
    } else if witness.size.is_none() {
        view! { <Badge glyph=Glyph::Clock label=t.witness_new()/> }
    } else if witness.lag > 0 {
        view! { <Badge tone=Tone::Info glyph=Glyph::Clock label=t.receiver_behind()/> }
    } else {
        view! { <Badge tone=Tone::Success glyph=Glyph::Check label=t.receiver_whole()/> }
    }
}
