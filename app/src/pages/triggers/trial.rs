//! Trying out what a trigger would make of a delivery. What is tried stands in the address, so that it works without JavaScript, too.

use domain::{
    Operation,
    view::{TriggerTrialView, TriggerView},
};
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_location, use_navigate},
};

use super::{form::Expression, full_name, in_address, outcome::outcome_badge};
use crate::{
    api::triggers::{KeepTriggerExpressions, TriggerTrialData, trigger_href, trigger_trial},
    components::{
        Button, ButtonLook, Card, EmptyState, FormFeedback, Glyph, JsonBlock, LinkButton, PageHeader, Skeleton, load,
        use_toasts,
    },
    data::Data,
    i18n::{Texts, use_texts},
    submission::{Submission, SubmitForm, when_done},
    view,
};

/// What is tried out, as it stands in the address.
#[derive(Clone, Debug, Default, PartialEq)]
struct Asked {
    mapping: Option<String>,
    filter: Option<String>,
    delivery: Option<String>,
    payload: Option<String>,
}

/// The page on which a trigger is tried out.
#[component]
pub fn TriggerTrialPage() -> impl IntoView {
    let t = use_texts();
    let (id, query) = (in_address("id"), use_location().query);
    let asked = Memo::new(move |_| {
        query.with(|query| Asked {
            mapping: query.get("mapping"),
            filter: query.get("filter"),
            delivery: query.get("delivery"),
            payload: query.get("payload"),
        })
    });
    let keep = Submission::<KeepTriggerExpressions>::new();
    let (toasts, navigate) = (use_toasts(), use_navigate());
    when_done(keep, move |()| {
        toasts.done(t.common.saved());
        navigate(&trigger_href(id.get_untracked()), NavigateOptions::default());
    });
    let data = Data::new(
        move || (id.get(), asked.get()),
        |(id, Asked { mapping, filter, delivery, payload })| trigger_trial(id, mapping, filter, delivery, payload),
    );
    load(
        data,
        || view! { <Card><Skeleton lines=16/></Card> },
        move |data| {
            let TriggerTrialData { trigger, tried, malformed, problem } = data;
            let asked = asked.get_untracked();
            let page = trigger_href(trigger.id);
            let mapping = asked.mapping.clone().unwrap_or_else(|| trigger.mapping.clone());
            let filter = asked.filter.clone().unwrap_or_else(|| trigger.filter.clone().unwrap_or_default());
            let changes = mapping != trigger.mapping || filter != trigger.filter.clone().unwrap_or_default();
            let result = match &tried {
                Some(tried) => result(t, tried),
                None => view! { <EmptyState glyph=Glyph::Runs title=t.triggers.nothing_tried()/> },
            };
            let keeps = (changes && tried.is_some() && trigger.actions.contains(&Operation::TriggerUpdate)).then(
                || view! { <Keep id=trigger.id.to_string() mapping=mapping.clone() filter=filter.clone() keep/> },
            );
            view! {
                <PageHeader title=t.triggers.trial_of(full_name(&trigger)) subtitle=t.triggers.trial_lead()>
                    <LinkButton href=page.clone() icon=Glyph::ChevronLeft>{t.triggers.to_trigger()}</LinkButton>
                </PageHeader>
                <div class="definition">
                    <div class="definition__main">{form(t, &trigger, &asked, mapping, filter, malformed, problem)}</div>
                    <div class="definition__side">
                        <div id="result"><Card title=t.triggers.would_become()>{result}</Card></div>
                        {keeps}
                    </div>
                </div>
            }
        },
    )
}

fn form(
    t: Texts,
    trigger: &TriggerView,
    asked: &Asked,
    mapping: String,
    filter: String,
    malformed: bool,
    problem: Option<domain::Problem>,
) -> AnyView {
    let action = format!("{}/try", trigger_href(trigger.id));
    let message = |pointer: &str| {
        let error = problem.as_ref()?.errors.iter().find(|error| error.pointer == pointer)?;
        Some(error.message.clone())
    };
    let (wrong_mapping, wrong_filter) = (message("/mapping"), message("/filter"));
    let wrong_payload = message("/payload").or_else(|| malformed.then(|| t.definitions.not_json().to_owned()));
    let with = match asked.delivery.clone().filter(|number| !number.is_empty()) {
        Some(number) => view! {
            <p>
                {t.triggers.with_delivery(&number)} " "
                <a href=action.clone()>{t.triggers.paste_instead()}</a>
            </p>
            <input type="hidden" name="delivery" value=number/>
        },
        None => view! {
            <Expression
                name="payload"
                label=t.triggers.payload()
                hint=if trigger.kind.is_alerts() { t.triggers.payload_hint_alert() } else { t.triggers.payload_hint() }
                text=asked.payload.clone().unwrap_or_default()
                rows=10
                error=Signal::derive(move || wrong_payload.clone())
            />
        },
    };
    let alerts = trigger.kind.is_alerts();
    view! {
        <Card>
            // Sent by the browser itself, so that the address has what was tried.
            <form class="stack" method="get" action=format!("{action}#result")>
                <Expression
                    name="mapping"
                    label=t.triggers.mapping()
                    hint=if alerts { t.triggers.mapping_hint_alert() } else { t.triggers.mapping_hint() }
                    text=mapping
                    error=Signal::derive(move || wrong_mapping.clone())
                />
                <Expression
                    name="filter"
                    label=t.triggers.filter()
                    hint=t.triggers.filter_hint()
                    text=filter
                    optional=true
                    error=Signal::derive(move || wrong_filter.clone())
                />
                {with}
                <div class="button-row">
                    <Button look=ButtonLook::Primary icon=Glyph::Runs>{t.triggers.try_out()}</Button>
                </div>
            </form>
        </Card>
    }
}

fn result(t: Texts, tried: &TriggerTrialView) -> AnyView {
    let detail = tried.detail.clone().map(|detail| view! { <p lang="en">{detail}</p> });
    let errors: Vec<_> = tried
        .errors
        .iter()
        .map(|error| view! { <li lang="en"><code>{error.pointer.clone()}</code> " " {error.message.clone()}</li> })
        .collect();
    let errors = (!errors.is_empty()).then(|| view! { <ul class="trial__errors">{errors}</ul> });
    let input = tried.input.clone().map(|input| view! { <JsonBlock title=t.triggers.input() value=input/> });
    view! {
        <div class="stack">
            <p role="status">{outcome_badge(t, tried.outcome)} " " {t.triggers.nothing_launched()}</p>
            {detail}
            {errors}
            {input}
            <JsonBlock title=t.triggers.content() value=tried.content.clone() folded=true/>
        </div>
    }
}

/// Keeps the expressions that were tried out.
#[component]
fn Keep(id: String, mapping: String, filter: String, keep: Submission<KeepTriggerExpressions>) -> impl IntoView {
    let t = use_texts();
    view! {
        <Card title=t.triggers.keep_these() subtitle=t.triggers.keep_these_lead()>
            <SubmitForm to=keep>
                <div class="stack">
                    <FormFeedback problem=keep.problem()/>
                    <input type="hidden" name="id" value=id/>
                    <input type="hidden" name="mapping" value=mapping/>
                    <input type="hidden" name="filter" value=filter/>
                    <div class="button-row">
                        <Button busy=keep.pending()>{t.triggers.keep()}</Button>
                    </div>
                </div>
            </SubmitForm>
        </Card>
    }
}
