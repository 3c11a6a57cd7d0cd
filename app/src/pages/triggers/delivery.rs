use domain::{
    Operation,
    view::{DeliveryView, TriggerView},
};
use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_navigate};

use super::{
    full_name, in_address,
    outcome::{outcome_badge, run_link},
};
use crate::{
    api::triggers::{ReplayDelivery, trigger_delivery, trigger_href},
    components::{
        Banner, Button, ButtonLook, Card, DefinitionList, FormFeedback, Glyph, JsonBlock, LinkButton, Moment,
        PageHeader, Skeleton, Tone, load, use_toasts,
    },
    data::Data,
    i18n::{Texts, use_texts},
    live::{Topic, use_live},
    submission::{Submission, SubmitForm, when_done},
    view,
};

/// One delivery: what it said, what became of it, and the way to have it worked on once more.
#[component]
pub fn DeliveryPage() -> impl IntoView {
    let t = use_texts();
    let (id, number, live) = (in_address("id"), in_address("number"), use_live());
    let replay = Submission::<ReplayDelivery>::new();
    let (toasts, navigate) = (use_toasts(), use_navigate());
    when_done(replay, move |delivery| {
        toasts.done(t.triggers.replayed());
        let href = format!("{}/deliveries/{}", trigger_href(id.get_untracked()), delivery.number);
        navigate(&href, NavigateOptions::default());
    });
    let data = Data::new(
        move || (id.get(), number.get(), live.version(Topic::Triggers)),
        |(id, number, _)| trigger_delivery(id, number),
    );
    load(
        data,
        || view! { <Card><Skeleton lines=12/></Card> },
        move |(trigger, delivery)| {
            let page = trigger_href(trigger.id);
            let badge = outcome_badge(t, delivery.outcome);
            let tries = (delivery.replayable && trigger.actions.contains(&Operation::TriggerTry)).then(|| {
                let href = format!("{page}/try?delivery={}", delivery.number);
                view! { <LinkButton href=href icon=Glyph::Runs>{t.frame.trigger_trial()}</LinkButton> }
            });
            let buttons = buttons(t, &trigger, &delivery, replay);
            let (items, said) = (facts(t, &page, &delivery), said(t, &delivery));
            view! {
                <PageHeader title=t.triggers.delivery_to(delivery.number, full_name(&trigger)) marks=badge>
                    {tries} {buttons}
                </PageHeader>
                <div class="stack">
                    <FormFeedback problem=replay.problem()/>
                    <Card><DefinitionList items/></Card>
                    {said}
                </div>
            }
        },
    )
}

fn buttons(
    t: Texts,
    trigger: &TriggerView,
    delivery: &DeliveryView,
    replay: Submission<ReplayDelivery>,
) -> Option<AnyView> {
    let may = delivery.replayable && trigger.actions.contains(&Operation::TriggerReplay);
    let (id, number) = (trigger.id.to_string(), delivery.number.to_string());
    may.then(|| {
        view! {
            <SubmitForm to=replay>
                <input type="hidden" name="id" value=id/>
                <input type="hidden" name="number" value=number/>
                <Button look=ButtonLook::Primary icon=Glyph::Retry busy=replay.pending()>{t.triggers.replay()}</Button>
            </SubmitForm>
        }
    })
}

fn facts(t: Texts, page: &str, delivery: &DeliveryView) -> Vec<(String, AnyView)> {
    let t_ = t.triggers;
    let mut items = vec![
        (t_.outcome().to_owned(), outcome_badge(t, delivery.outcome)),
        (t_.received().to_owned(), view! { <Moment at=delivery.received_at/> }),
    ];
    if let Some(detail) = delivery.detail.clone() {
        // What the server says of it is in English.
        items.push((t_.why().to_owned(), view! { <span lang="en">{detail}</span> }));
    }
    if let Some(run) = run_link(t, delivery) {
        items.push((t_.run().to_owned(), run));
    }
    if let Some(fingerprint) = delivery.fingerprint.clone() {
        items.push((t_.fingerprint().to_owned(), view! { <code>{fingerprint}</code> }));
    }
    if let Some(of) = delivery.replay_of {
        let by = delivery.replayed_by.as_ref().map(|person| t.name_of(person)).unwrap_or_default();
        let href = format!("{page}/deliveries/{of}");
        items.push((t_.replay_by(by), view! { <a href=href>{t.frame.delivery(of)}</a> }));
    }
    if delivery.repeats > 0 {
        let at = delivery.repeated_at.map(|at| view! { <Moment at/> });
        items.push((t_.came_again().to_owned(), view! { {t_.repeats(delivery.repeats)} " " {at} }));
    }
    items
}

fn said(t: Texts, delivery: &DeliveryView) -> AnyView {
    match delivery.content.clone() {
        Some(content) => view! {
            <Card title=t.triggers.content() subtitle=t.triggers.content_lead()>
                <JsonBlock title=t.triggers.content() value=content/>
            </Card>
        },
        None => {
            view! { <Banner tone=Tone::Info title=t.triggers.not_kept()><p>{t.triggers.not_kept_text()}</p></Banner> }
        }
    }
}
