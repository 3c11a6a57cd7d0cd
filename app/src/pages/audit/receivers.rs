//! Where the audit log is sent and who cosigns it, and how far each of them is.

use domain::view::{AuditReceiverView, Page};
use leptos::prelude::*;

use super::witnesses::WitnessesCard;
use crate::{
    api::audit::audit_receivers,
    components::{Badge, Card, EmptyState, Glyph, LinkButton, Moment, PageHeader, Skeleton, Tone, load},
    data::Data,
    i18n::{AuditTexts, use_texts},
    view,
};

/// The receivers of the configuration. They are changed there alone, so that nobody can stop the copies from within the
/// portal.
#[component]
pub fn ReceiversPage() -> impl IntoView {
    let t = use_texts();
    let data = Data::new(|| (), |()| audit_receivers());
    view! {
        <PageHeader title=t.audit.receivers_and_witnesses() subtitle=t.audit.receivers_lead()>
            <LinkButton href="/audit" icon=Glyph::Audit>{t.frame.audit()}</LinkButton>
        </PageHeader>
        <Card flush=true title=t.audit.receivers()>
            {load(data, || view! { <Skeleton lines=4/> }, |page| view! { <Receivers page/> })}
        </Card>
        <WitnessesCard/>
    }
}

#[component]
fn Receivers(page: Page<AuditReceiverView>) -> impl IntoView {
    let t = use_texts().audit;
    if page.items.is_empty() {
        return view! { <EmptyState glyph=Glyph::Audit title=t.receivers_none() text=t.receivers_none_text()/> };
    }
    let lines: Vec<_> = page.items.into_iter().map(|receiver| view! { <Receiver receiver/> }).collect();
    view! { <ul class="lines">{lines}</ul> }
}

#[component]
fn Receiver(receiver: AuditReceiverView) -> impl IntoView {
    let t = use_texts().audit;
    let mark = mark(t, &receiver);
    let details = [
        receiver.entries.map(|entries| t.receiver_entries(entries)),
        receiver.checkpoint.map(|size| t.receiver_checkpoint(size)),
        (receiver.lag > 0).then(|| t.receiver_lag(receiver.lag)),
    ];
    let details: Vec<_> = details.into_iter().flatten().map(|words| view! { <span>{words}</span> }).collect();
    let last = receiver.succeeded_at.map(|at| view! { <span>{t.receiver_succeeded()} " " <Moment at/></span> });
    let failing = receiver.failing_since.map(|since| {
        view! {
            <span class="line__detail">
                <span>{t.receiver_failing_since()} " " <Moment at=since exact=true/></span>
                <span class="receiver__failure">{receiver.failure.unwrap_or_default()}</span>
            </span>
        }
    });
    view! {
        <li class="line">
            <span class="line__text">
                <span class="line__title">{receiver.name}</span>
                <span class="line__detail">
                    <span>{receiver.kind}</span>
                    <span class="receiver__address">{receiver.address}</span>
                    <span>{receiver.format}</span>
                </span>
                <span class="line__detail">{details} {last}</span>
                {failing}
            </span>
            <span class="line__side">{mark}</span>
        </li>
    }
}

fn mark(t: AuditTexts, receiver: &AuditReceiverView) -> AnyView {
    if receiver.failing_since.is_some() {
        view! { <Badge tone=Tone::Danger glyph=Glyph::Cross label=t.receiver_failing()/> }
    } else if receiver.succeeded_at.is_none() {
        view! { <Badge glyph=Glyph::Clock label=t.receiver_new()/> }
    } else if receiver.lag > 0 {
        view! { <Badge tone=Tone::Info glyph=Glyph::Clock label=t.receiver_behind()/> }
    } else {
        view! { <Badge tone=Tone::Success glyph=Glyph::Check label=t.receiver_whole()/> }
    }
}
