//! How a trigger is: the form in which it begins, and the one in which it is changed.

use domain::{
    AlertEnd, TriggerKind,
    view::{SavedTriggerView, SigningView, TriggerView},
};
use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_navigate};

use super::{full_name, in_address, kind_name, page::NewSecret, watch};
use crate::{
    api::triggers::{CreateTrigger, TRIGGERS, UpdateTrigger, trigger, trigger_href},
    components::{
        Button, ButtonLook, Card, Field, FilterChip, FormFeedback, Glyph, LinkButton, PageHeader, SelectField,
        Skeleton, TextField, Toggle, described_by, load, schema_form::first_text, use_toasts,
    },
    data::Data,
    i18n::{Texts, use_texts},
    submission::{Submission, SubmitForm, when_done},
    url_state::query_text,
    view,
};

/// Whichever form it is.
#[derive(Clone, Copy)]
pub(super) enum Forms {
    New(Submission<CreateTrigger>),
    Change(Submission<UpdateTrigger>),
}

impl Forms {
    /// The message of a field.
    pub(super) fn error(self, pointer: &'static str) -> Signal<Option<String>> {
        match self {
            Self::New(submission) => submission.error(pointer),
            Self::Change(submission) => submission.error(pointer),
        }
    }
}

/// The page on which a trigger begins.
#[component]
pub fn NewTriggerPage() -> impl IntoView {
    let t = use_texts();
    let create = Submission::<CreateTrigger>::new();
    let chosen = query_text("kind");
    let kind = Memo::new(move |_| chosen.with(|chosen| chosen.parse().unwrap_or(TriggerKind::Webhook)));
    go_to_page(create);
    // Without a kind in the address it is the first one.
    let kinds: Vec<_> = TriggerKind::ALL
        .iter()
        .map(|kind| {
            let value = if *kind == TriggerKind::Webhook { "" } else { kind.as_str() };
            view! { <FilterChip param="kind" value=value label=kind_name(t, *kind)/> }
        })
        .collect();
    view! {
        <PageHeader title=t.frame.new_trigger() subtitle=t.triggers.new_lead()/>
        <div class="page-narrow stack">
            <Made submission=Forms::New(create)/>
            <div class="chips" role="group" aria-label=t.triggers.kind()>{kinds}</div>
            {move || {
                let kind = kind.get();
                view! {
                    <Card title=kind_name(t, kind) subtitle=about(t, kind)>
                        <SubmitForm to=create>
                            <div class="stack">
                                <FormFeedback problem=create.problem()/>
                                <input type="hidden" name="kind" value=kind.as_str()/>
                                <TextField
                                    name="namespace"
                                    label=t.definitions.namespace()
                                    hint=t.triggers.namespace_hint()
                                    code=true
                                    maxlength=63_u32
                                    error=create.error("/namespace")
                                />
                                <TextField
                                    name="name"
                                    label=t.common.name()
                                    code=true
                                    maxlength=63_u32
                                    error=create.error("/name")
                                />
                                {fields(t, kind, None, Forms::New(create))}
                                <div class="button-row">
                                    <Button look=ButtonLook::Primary busy=create.pending()>{t.triggers.create()}</Button>
                                    <LinkButton href=TRIGGERS>{t.common.cancel()}</LinkButton>
                                </div>
                            </div>
                        </SubmitForm>
                    </Card>
                }
            }}
        </div>
    }
}

/// The page on which a trigger is changed.
#[component]
pub fn EditTriggerPage() -> impl IntoView {
    let t = use_texts();
    let id = in_address("id");
    let update = Submission::<UpdateTrigger>::new();
    go_to_page(update);
    let data = Data::new(move || id.get(), trigger);
    load(
        data,
        || view! { <Card><Skeleton lines=12/></Card> },
        move |trigger| {
            let page = trigger_href(trigger.id);
            let kind = trigger.kind;
            view! {
                <PageHeader title=t.triggers.change_of(full_name(&trigger)) subtitle=kind_name(t, kind)/>
                <div class="page-narrow stack">
                    <Made submission=Forms::Change(update)/>
                    <Card>
                        <SubmitForm to=update>
                            <div class="stack">
                                <FormFeedback problem=update.problem()/>
                                <input type="hidden" name="id" value=trigger.id.to_string()/>
                                {fields(t, kind, Some(&trigger), Forms::Change(update))}
                                <div class="button-row">
                                    <Button look=ButtonLook::Primary busy=update.pending()>{t.common.save()}</Button>
                                    <LinkButton href=page.clone()>{t.common.cancel()}</LinkButton>
                                    <LinkButton href=format!("{page}/try") icon=Glyph::Runs>
                                        {t.frame.trigger_trial()}
                                    </LinkButton>
                                </div>
                            </div>
                        </SubmitForm>
                    </Card>
                </div>
            }
        },
    )
}

/// Goes on to the trigger once it is kept, unless there is a secret to be seen first.
fn go_to_page<S>(submission: Submission<S>)
where
    S: server_fn::ServerFn<Error = crate::errors::AppError, Output = SavedTriggerView> + serde::Serialize + 'static,
{
    let (t, toasts, navigate) = (use_texts(), use_toasts(), use_navigate());
    when_done(submission, move |saved: SavedTriggerView| {
        toasts.done(t.common.saved());
        if saved.secret.is_none() {
            navigate(&trigger_href(saved.trigger.id), NavigateOptions::default());
        }
    });
}

/// The secret that was made, and the way on.
#[component]
fn Made(submission: Forms) -> impl IntoView {
    let t = use_texts();
    move || {
        let saved = match submission {
            Forms::New(submission) => submission.output(),
            Forms::Change(submission) => submission.output(),
        };
        saved.and_then(|saved| {
            let secret = saved.secret?;
            let href = trigger_href(saved.trigger.id);
            Some(view! {
                <NewSecret secret/>
                <div class="button-row">
                    <LinkButton href=href look=ButtonLook::Primary icon=Glyph::ArrowRight>{t.triggers.to_trigger()}</LinkButton>
                </div>
            })
        })
    }
}

/// How a call of this kind is proven.
fn about(t: Texts, kind: TriggerKind) -> &'static str {
    let t = t.triggers;
    match kind {
        TriggerKind::Webhook => t.about_webhook(),
        TriggerKind::Github => t.about_github(),
        TriggerKind::Gitlab => t.about_gitlab(),
        TriggerKind::Alertmanager | TriggerKind::Grafana => t.about_alerts(),
        TriggerKind::FileDrop => t.about_file_drop(),
        TriggerKind::Mailbox => t.about_mailbox(),
    }
}

fn fields(t: Texts, kind: TriggerKind, known: Option<&TriggerView>, forms: Forms) -> AnyView {
    let error = |pointer| forms.error(pointer);
    let default = if kind.is_alerts() { ".alert" } else { ".payload" };
    let mapping = known.map_or_else(|| default.to_owned(), |known| known.mapping.clone());
    let filter = known.and_then(|known| known.filter.clone()).unwrap_or_default();
    let workflow = known.map(|known| known.workflow.to_string()).unwrap_or_default();
    let changes = known.is_some();
    view! {
        <TextField
            name="workflow"
            label=t.triggers.workflow()
            hint=t.triggers.workflow_hint()
            value=workflow
            code=true
            maxlength=63_u32
            error=error("/workflow")
        />
        {kind.looks().then(|| watch::fields(t, kind, known.and_then(|known| known.watch.clone()), forms))}
        <Expression
            name="mapping"
            label=t.triggers.mapping()
            hint=if kind.is_alerts() { t.triggers.mapping_hint_alert() } else { t.triggers.mapping_hint() }
            text=mapping
            error=error("/mapping")
        />
        <Expression
            name="filter"
            label=t.triggers.filter()
            hint=t.triggers.filter_hint()
            text=filter
            optional=true
            error=error("/filter")
        />
        {(kind == TriggerKind::Webhook).then(|| signing(t, known.and_then(|known| known.signing.clone()), forms))}
        {kind.is_alerts().then(|| end(t, known.map_or(AlertEnd::Continue, |known| known.alert_end)))}
        {(!kind.looks()).then(|| secret(t, changes, forms))}
        {known
            .map(|known| {
                let (label, hint) = if kind.looks() {
                    (t.triggers.looks_enabled(), t.triggers.looks_enabled_hint())
                } else {
                    (t.triggers.enabled(), t.triggers.enabled_hint())
                };
                view! { <Toggle name="enabled" label=label hint=hint checked=known.enabled/> }
            })}
        <p class="muted">{t.triggers.nobody_note()}</p>
    }
}

fn secret(t: Texts, changes: bool, forms: Forms) -> AnyView {
    view! {
        <TextField
            name="secret"
            label=t.triggers.secret()
            kind="password"
            hint=if changes { t.admin.secret_kept() } else { t.triggers.secret_hint() }
            optional=true
            autocomplete="off"
            error=forms.error("/secret")
        />
        {changes.then(|| view! { <Toggle name="new_secret" label=t.triggers.new_secret()/> })}
    }
}

fn signing(t: Texts, known: Option<SigningView>, forms: Forms) -> AnyView {
    let error = |pointer| forms.error(pointer);
    let known = known.unwrap_or_else(|| SigningView {
        signature: "webhook-signature".to_owned(),
        time: Some("webhook-timestamp".to_owned()),
        id: Some("webhook-id".to_owned()),
    });
    let t = t.triggers;
    view! {
        <TextField
            name="signature"
            label=t.signature_header()
            hint=t.signature_hint()
            value=known.signature
            code=true
            maxlength=64_u32
            error=error("/signing/signature")
        />
        <TextField
            name="time"
            label=t.time_header()
            hint=t.time_hint()
            value=known.time.unwrap_or_default()
            optional=true
            code=true
            maxlength=64_u32
            error=error("/signing/time")
        />
        <TextField
            name="id_header"
            label=t.id_header()
            hint=t.id_hint()
            value=known.id.unwrap_or_default()
            optional=true
            code=true
            maxlength=64_u32
            error=error("/signing/id")
        />
    }
}

fn end(t: Texts, known: AlertEnd) -> AnyView {
    let t = t.triggers;
    let options = vec![
        (AlertEnd::Continue.to_string(), t.end_continue().to_owned()),
        (AlertEnd::Close.to_string(), t.end_close().to_owned()),
    ];
    view! { <SelectField name="alert_end" label=t.alert_end() hint=t.alert_end_hint() options value=known.to_string()/> }
}

/// Several lines of an expression, filled in without JavaScript, too.
#[component]
pub(super) fn Expression(
    name: &'static str,
    label: &'static str,
    #[prop(optional)] hint: Option<&'static str>,
    text: String,
    #[prop(optional)] optional: bool,
    #[prop(default = 3)] rows: u32,
    #[prop(optional, into)] error: Signal<Option<String>>,
) -> impl IntoView {
    view! {
        <Field id=name label=label hint=hint.map(str::to_owned) error=error optional=optional>
            <textarea
                class="input input--area input--code"
                id=name
                name=name
                rows=rows
                spellcheck="false"
                required=!optional
                aria-describedby=described_by(name)
                aria-invalid=move || error.with(Option::is_some).then_some("true")
                prop:value=text.clone()
            >
                {first_text(&text)}
            </textarea>
        </Field>
    }
}
