use domain::{
    Operation, TriggerOutcome,
    view::{DeliveryView, Page, TriggerView},
};
use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_navigate};

use super::{
    full_name, in_address, kind_name,
    outcome::{outcome_badge, outcome_name, run_link},
    watch,
};
use crate::{
    api::triggers::{DeleteTrigger, TRIGGERS, TriggerData, trigger_href, trigger_with_deliveries},
    components::{
        Badge, Banner, Button, ButtonLook, Card, CopyButton, DefinitionList, Dialog, EmptyState, FilterChip,
        FormFeedback, Glyph, LinkButton, Menu, MenuLink, Moment, PageHeader, Pager, Skeleton, Tone, dialog_href, load,
        use_toasts,
    },
    data::Data,
    i18n::{Texts, use_texts},
    live::{Topic, use_live},
    submission::{Submission, SubmitForm, when_done},
    url_state::query_text,
    view,
};

/// One trigger: how it is called, and what was delivered to it.
#[component]
pub fn TriggerPage() -> impl IntoView {
    let t = use_texts();
    let (id, live) = (in_address("id"), use_live());
    let (outcome, cursor) = (query_text("outcome"), query_text("cursor"));
    let delete = Submission::<DeleteTrigger>::new();
    let (toasts, navigate) = (use_toasts(), use_navigate());
    when_done(delete, move |()| {
        toasts.done(t.triggers.deleted());
        navigate(TRIGGERS, NavigateOptions::default());
    });
    let data = Data::new(
        move || (id.get(), outcome.get(), cursor.get(), live.version(Topic::Triggers)),
        |(id, outcome, cursor, _)| trigger_with_deliveries(id, outcome, cursor),
    );
    let content = load(
        data,
        || view! { <Card><Skeleton lines=12/></Card> },
        move |data| {
            let TriggerData { trigger, deliveries } = data;
            let narrowed = outcome.with_untracked(|outcome| !outcome.is_empty());
            let (id, page, name) = (trigger.id.to_string(), trigger_href(trigger.id), full_name(&trigger));
            let items = facts(t, &trigger);
            let trouble = watch::trouble(t, trigger.looks.as_ref());
            let waits_for = if trigger.kind.looks() {
                t.triggers.nothing_found_text()
            } else {
                t.triggers.nothing_delivered_text()
            };
            let off = (!trigger.enabled).then(|| view! { <Badge glyph=Glyph::Cross label=t.triggers.off()/> });
            let buttons = buttons(t, &trigger, &page, &name);
            let deletes = trigger.actions.contains(&Operation::TriggerDelete);
            view! {
                <PageHeader
                    title=name.clone()
                    subtitle=kind_name(t, trigger.kind)
                    marks=view! { <span>{off}</span> }
                >
                    {buttons}
                </PageHeader>
                <div class="stack">
                    {trouble}
                    <Card><DefinitionList items/></Card>
                    <Deliveries page=deliveries trigger=page narrowed waits_for/>
                </div>
                {deletes.then(|| view! { <Delete id name action=delete/> })}
            }
        },
    );
    // Outside of what is loaded: that is made anew with every delivery, and the secret is there only once.
    view! {
        <KeptSecret/>
        {content}
    }
}

fn buttons(t: Texts, trigger: &TriggerView, page: &str, name: &str) -> AnyView {
    let may = |operation| trigger.actions.contains(&operation);
    let menu = may(Operation::TriggerDelete).then(|| {
        let href = dialog_href("delete");
        view! {
            <Menu label=t.common.actions_for(name)>
                <MenuLink href=href icon=Glyph::Trash danger=true>{t.triggers.delete()}</MenuLink>
            </Menu>
        }
    });
    let tries = may(Operation::TriggerTry).then(|| {
        view! { <LinkButton href=format!("{page}/try") icon=Glyph::Runs>{t.frame.trigger_trial()}</LinkButton> }
    });
    let edit = may(Operation::TriggerUpdate).then(|| {
        view! {
            <LinkButton href=format!("{page}/edit") look=ButtonLook::Primary icon=Glyph::Pencil>
                {t.common.change()}
            </LinkButton>
        }
    });
    view! { {menu} {tries} {edit} }
}

/// The secret that a plain form has made, shown this once.
#[component]
fn KeptSecret() -> impl IntoView {
    let kept = SharedValue::new(|| {
        #[cfg(feature = "ssr")]
        return crate::api::take_once("trigger");
        #[cfg(not(feature = "ssr"))]
        None::<String>
    })
    .into_inner();
    kept.map(|secret| view! { <NewSecret secret/> })
}

/// A secret that was made, with what to do with it.
#[component]
pub(super) fn NewSecret(secret: String) -> impl IntoView {
    let t = use_texts().triggers;
    view! {
        <Banner tone=Tone::Success title=t.secret_made()>
            <p>{t.secret_once()}</p>
            <div class="secret">
                <code class="secret__text">{secret.clone()}</code>
                <CopyButton text=secret/>
            </div>
        </Banner>
    }
}

fn facts(t: Texts, trigger: &TriggerView) -> Vec<(String, AnyView)> {
    let code = |text: String| view! { <code class="repository__code">{text}</code> };
    let t_ = t.triggers;
    let workflow = format!("{}/{}", trigger.namespace, trigger.workflow);
    let catalogue = format!("/catalogue/{workflow}");
    let mut items = Vec::new();
    if let Some(address) = trigger.address.clone() {
        items.push((t_.address().to_owned(), view! { {code(address.clone())} " " <CopyButton text=address/> }));
    }
    if let Some(watch) = &trigger.watch {
        items.extend(watch::facts(t, watch, trigger.looks.as_ref()));
    }
    items.extend([
        (t_.workflow().to_owned(), view! { <a href=catalogue><code>{workflow}</code></a> }),
        (t_.mapping().to_owned(), code(trigger.mapping.clone())),
    ]);
    if let Some(filter) = &trigger.filter {
        items.push((t_.filter().to_owned(), code(filter.clone())));
    }
    if let Some(signing) = &trigger.signing {
        let headers: Vec<&str> = [Some(&signing.signature), signing.time.as_ref(), signing.id.as_ref()]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        items.push((t_.signed_by().to_owned(), code(headers.join(", "))));
    }
    if trigger.kind.is_alerts() {
        let words = match trigger.alert_end {
            domain::AlertEnd::Continue => t_.end_continue(),
            domain::AlertEnd::Close => t_.end_close(),
        };
        items.push((t_.alert_end().to_owned(), view! { <span>{words}</span> }));
    }
    let by = t.name_of(&trigger.changed_by);
    items.push((t_.set_up_by().to_owned(), view! { {by} " " <Moment at=trigger.changed_at/> }));
    items
}

#[component]
fn Deliveries(page: Page<DeliveryView>, trigger: String, narrowed: bool, waits_for: &'static str) -> impl IntoView {
    let t = use_texts();
    let all = view! { <FilterChip param="outcome" value="" label=t.triggers.all()/> };
    let chips: Vec<_> = TriggerOutcome::ALL
        .iter()
        .map(|outcome| view! { <FilterChip param="outcome" value=outcome.as_str() label=outcome_name(t, *outcome)/> })
        .collect();
    let Page { items, next } = page;
    let content = if items.is_empty() {
        let (title, text) = if narrowed {
            (t.triggers.none_such(), t.triggers.none_such_text())
        } else {
            (t.triggers.nothing_delivered(), waits_for)
        };
        view! { <EmptyState glyph=Glyph::Bolt title=title text=text/> }
    } else {
        let lines: Vec<_> =
            items.into_iter().map(|delivery| view! { <Line delivery trigger=trigger.clone()/> }).collect();
        view! { <ul class="lines">{lines}</ul> }
    };
    view! {
        <div class="chips" role="group" aria-label=t.triggers.outcome()>{all} {chips}</div>
        <Card title=t.triggers.deliveries() subtitle=t.triggers.deliveries_lead() flush=true>{content}</Card>
        <Pager next/>
    }
}

#[component]
fn Line(delivery: DeliveryView, trigger: String) -> impl IntoView {
    let t = use_texts();
    let href = format!("{trigger}/deliveries/{}", delivery.number);
    let detail = delivery.detail.clone().map(|detail| view! { <span lang="en">{detail}</span> });
    let repeats = (delivery.repeats > 0).then(|| {
        let again = delivery.repeated_at.map(|at| view! { " " <Moment at/> });
        view! { <span>{t.triggers.repeats(delivery.repeats)} {again}</span> }
    });
    let replay = delivery.replay_of.map(|of| view! { <span>{t.triggers.replay_of(of)}</span> });
    view! {
        <li class="line">
            <span class="line__text">
                <a class="line__title" href=href>{t.frame.delivery(delivery.number)}</a>
                <span class="line__detail">
                    <Moment at=delivery.received_at/>
                    {run_link(t, &delivery)}
                    {replay}
                    {repeats}
                    {detail}
                </span>
            </span>
            <span class="line__side">{outcome_badge(t, delivery.outcome)}</span>
        </li>
    }
}

#[component]
fn Delete(id: String, name: String, action: Submission<DeleteTrigger>) -> impl IntoView {
    let t = use_texts();
    view! {
        <Dialog name="delete" title=t.triggers.delete_of(name)>
            {
                let id = id.clone();
                view! {
                    <SubmitForm to=action>
                        <div class="stack">
                            <FormFeedback problem=action.problem()/>
                            <p>{t.triggers.delete_text()}</p>
                            <input type="hidden" name="id" value=id/>
                            <div class="dialog__buttons">
                                <Button look=ButtonLook::Danger busy=action.pending()>{t.triggers.delete()}</Button>
                            </div>
                        </div>
                    </SubmitForm>
                }
            }
        </Dialog>
    }
}
