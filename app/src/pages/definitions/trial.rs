//! Trying a version out: its tests, and a run with any input, in which nothing is done.
//!
//! The input stands in the address: the result survives a reload, and can be shown to somebody else.

use std::collections::BTreeMap;

use domain::{
    TaskStatus,
    view::{RehearsalView, RehearsedCall, RehearsedStep, WorkflowVersionView},
};
use leptos::{ev, form::form_data_from_event, prelude::*};
use leptos_router::{
    NavigateOptions,
    hooks::{use_location, use_navigate},
};
use serde_json::json;
use wasm_bindgen::JsCast;

use super::{
    address_fields,
    checks::line_id,
    outcomes::{TestLink, Tests},
    version_in_address,
};
use crate::{
    api::definitions::{KeepAsTest, TrialData, VersionAddress, definition_trial},
    components::{
        Banner, Button, ButtonLook, Card, EmptyState, Field, FormFeedback, Glyph, JsonBlock, LinkButton, PageHeader,
        RunBadge, Skeleton, TaskBadge, TextField, Tone, described_by, load, plan_view,
        schema_form::{FormState, SchemaFields, first_text, typed_before},
        use_toasts,
    },
    data::Data,
    i18n::{Texts, use_texts},
    pages::catalogue::decider_names,
    submission::{Submission, SubmitForm, when_done},
    view,
};

const FORM: &str = "trial-form";
const JSON: &str = "trial-json";
const RESULT: &str = "result";

/// What is tried out, as it stands in the address.
#[derive(Clone, Debug, Default, PartialEq)]
struct Asked {
    fields: BTreeMap<String, String>,
    input: String,
    action: String,
    test: String,
}

fn asked_in_address() -> Memo<Asked> {
    let query = use_location().query;
    Memo::new(move |_| {
        let mut asked = Asked::default();
        for (name, value) in query.get() {
            match &*name {
                "input" => asked.input = value,
                "action" => asked.action = value,
                "test" => asked.test = value,
                name => {
                    let key = name.strip_prefix("fields[").and_then(|rest| rest.strip_suffix(']'));
                    asked.fields.extend(key.map(|key| (key.to_owned(), value)));
                }
            }
        }
        asked
    })
}

/// The page on which a version is tried out.
#[component]
pub fn TrialPage() -> impl IntoView {
    let t = use_texts();
    let (at, asked) = (version_in_address(), asked_in_address());
    let keep = Submission::<KeepAsTest>::new();
    let kept = RwSignal::new(0);
    let (toasts, navigate) = (use_toasts(), use_navigate());
    when_done(keep, move |_| {
        toasts.done(t.definitions.kept_test());
        kept.update(|kept| *kept += 1);
        navigate(&at.get_untracked().trial_href(), NavigateOptions::default());
    });
    let shown = StoredValue::new(false);
    let data = Data::new(
        move || (at.get(), asked.get(), kept.get()),
        |(at, Asked { fields, input, action, test }, _)| definition_trial(at, fields, input, action, test),
    );
    load(
        data,
        || view! { <div class="definition"><Skeleton lines=16/><Skeleton lines=8/></div> },
        move |data| {
            // Whoever has asked for something goes on from what came of it: the button is drawn anew.
            let asked = asked.get_untracked();
            let came_of_it = asked != Asked::default();
            Effect::new(move |_| {
                if shown.try_update_value(|shown| std::mem::replace(shown, true)) == Some(true) && came_of_it {
                    request_animation_frame(focus_result);
                }
            });
            view! { <Trial data at=at.get_untracked() asked keep/> }
        },
    )
}

fn focus_result() {
    let result = document().get_element_by_id(RESULT).and_then(|result| result.dyn_into::<web_sys::HtmlElement>().ok());
    if let Some(result) = result {
        let _ = result.focus();
    }
}

#[component]
fn Trial(data: TrialData, at: VersionAddress, asked: Asked, keep: Submission<KeepAsTest>) -> impl IntoView {
    let t = use_texts();
    let TrialData { definition, valid, writable, tests, input, malformed, tried } = data;
    let page = at.href();
    let chosen = asked.test.parse::<usize>().ok();
    let input_text = serde_json::to_string_pretty(&input).unwrap_or_default();
    let schema = definition.item.input_schema.clone().unwrap_or_else(|| json!({"type": "object"}));
    let state = FormState::new(schema, Some(&input), Vec::new());
    let result = match &tried {
        Some(tried) => result(t, tried, &definition, &page),
        None => view! { <EmptyState glyph=Glyph::Runs title=t.definitions.nothing_tried()/> },
    };
    let of_input = tried.as_ref().is_some_and(|tried| tried.expected.is_none() && !tried.endless);
    let digest = definition.digest.clone();
    view! {
        <PageHeader
            title=t.definitions.dry_run_of(&definition.item.title)
            subtitle=t.definitions.dry_run_lead()
        >
            <LinkButton href=page.clone() icon=Glyph::ChevronLeft>{t.definitions.to_version()}</LinkButton>
            {writable
                .then(|| {
                    view! {
                        <LinkButton href=format!("{page}/edit") icon=Glyph::Pencil>{t.definitions.edit()}</LinkButton>
                    }
                })}
        </PageHeader>
        {(!valid)
            .then(|| {
                view! {
                    <div class="definition__notes">
                        <Banner tone=Tone::Warning title=t.definitions.invalid_yet()/>
                    </div>
                }
            })}
        <div class="definition">
            <div class="definition__main">
                {valid.then(|| view! { <Input state at=at.clone() text=input_text.clone() malformed/> })}
                <div id=RESULT tabindex="-1">
                    <Card title=t.definitions.would_happen()>{result}</Card>
                </div>
                {(of_input && writable)
                    .then(|| view! { <Keep at=at.clone() digest input=input.to_string() keep/> })}
            </div>
            <aside class="definition__side" aria-label=t.definitions.tests()>
                <Tests tests link=TestLink::Steps(at.trial_href()) chosen=chosen.unwrap_or_default()/>
            </aside>
        </div>
    }
}

/// The input: as people fill it in, or as JSON.
#[component]
fn Input(state: FormState, at: VersionAddress, text: String, malformed: bool) -> impl IntoView {
    let t = use_texts();
    let navigate = use_navigate();
    let here = at.trial_href();
    // Without JavaScript the browser makes the same address of the form.
    let submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        let fields = form_data_from_event(&event).ok();
        let query = fields.and_then(|fields| web_sys::UrlSearchParams::new_with_str_sequence_sequence(&fields).ok());
        if let Some(query) = query.and_then(|query| query.to_string().as_string()) {
            navigate(&format!("{here}?{query}"), NavigateOptions { scroll: false, ..NavigateOptions::default() });
        }
    };
    let action = format!("{}#{RESULT}", at.trial_href());
    let before = StoredValue::new(typed_before(FORM));
    Effect::new(move |earlier: Option<()>| {
        if earlier.is_none()
            && let Some(before) = before.get_value()
        {
            state.replace(before);
        }
    });
    let no_fields = state.is_empty();
    let fields = (!no_fields).then(|| {
        let submit = submit.clone();
        view! {
            <form id=FORM class="request__form" method="get" action=action.clone() novalidate=true on:submit=submit>
                // Enter in a field presses the first button: it has to be this one, not one that removes a row.
                <button class="visually-hidden" type="submit" name="action" value="try" tabindex="-1" aria-hidden="true">
                    {t.definitions.dry_run()}
                </button>
                <SchemaFields state/>
                <div class="button-row">
                    <Button look=ButtonLook::Primary name="action" value="try" icon=Glyph::Runs>
                        {t.definitions.dry_run()}
                    </Button>
                    <Button name="action" value="ask">{t.definitions.dry_run_ask()}</Button>
                </div>
            </form>
        }
    });
    let error = malformed.then(|| t.definitions.not_json().to_owned());
    let look = if no_fields { ButtonLook::Primary } else { ButtonLook::Secondary };
    view! {
        <Card title=t.definitions.sample_input()>
            <div class="stack">
                {fields}
                <details class="json-block" open=malformed || no_fields>
                    <summary class="json-block__title">{t.definitions.input_as_json()}</summary>
                    <form class="stack" method="get" action=action on:submit=submit>
                        <Field id=JSON label=t.definitions.input_as_json() error=Signal::derive(move || error.clone())>
                            <textarea
                                class="input input--area input--code"
                                id=JSON
                                name="input"
                                rows="8"
                                spellcheck="false"
                                aria-describedby=described_by(JSON)
                                aria-invalid=malformed.then_some("true")
                                prop:value=text.clone()
                            >
                                {first_text(&text)}
                            </textarea>
                        </Field>
                        <div class="button-row">
                            <Button look icon=Glyph::Runs>{t.definitions.try_json()}</Button>
                            <Button name="action" value="ask">{t.definitions.try_json_ask()}</Button>
                        </div>
                    </form>
                </details>
            </div>
        </Card>
    }
}

/// How the run ends, and its steps.
fn result(t: Texts, tried: &RehearsalView, definition: &WorkflowVersionView, page: &str) -> AnyView {
    let error = tried.error.as_ref().map(|error| {
        view! {
            <p class="trial__error">
                <code>{error.kind.clone()}</code>
                " "
                <span>{[error.title.as_str(), error.detail.as_str()].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(": ")}</span>
            </p>
        }
    });
    let output = tried.output.clone().map(|output| view! { <JsonBlock title=t.runs.output() value=output/> });
    let lines: BTreeMap<&str, u64> =
        definition.graph.nodes.iter().filter_map(|node| Some((node.id.as_str(), node.line?))).collect();
    let steps: Vec<_> = tried
        .steps
        .iter()
        .map(|step| step_view(t, step, lines.get(step.reference.as_str()).map(|line| place(page, *line))))
        .collect();
    let status = tried.status;
    let title = (!tried.title.is_empty()).then(|| view! { <strong>{tried.title.clone()}</strong> });
    view! {
        <p class="trial__verdict" role="status">
            {title}
            <RunBadge status/>
            {tried.endless.then(|| view! { <span>{t.definitions.endless()}</span> })}
        </p>
        {error}
        {output}
        <ol class="trial" aria-label=t.definitions.would_happen()>{steps}</ol>
    }
}

fn place(page: &str, line: u64) -> String {
    format!("{page}?line={line}#{}", line_id(line))
}

fn step_view(t: Texts, step: &RehearsedStep, href: Option<String>) -> AnyView {
    let title = match href {
        Some(href) => view! { <a href=href>{step.title.clone()}</a> },
        None => view! { <span>{step.title.clone()}</span> },
    };
    let kind = t.runs.by_key(&format!("kind_{}", step.kind)).unwrap_or_default();
    let mut notes = Vec::new();
    let mut note = |text: String| notes.push(view! { <p class="trial__note">{text}</p> });
    if step.compensation {
        note(t.definitions.takes_back().to_owned());
    }
    if step.kind == "switch" && step.status == TaskStatus::Completed {
        note(match &step.chosen {
            Some(case) => t.definitions.chosen_case(case),
            None => t.definitions.no_case().to_owned(),
        });
    }
    if !step.asks.is_empty() {
        note(t.catalogue.asks(decider_names(t, &step.asks)));
        note(t.definitions.nobody_asked().to_owned());
    }
    if let Some(error) = &step.error {
        let words = if error.detail.is_empty() { &error.title } else { &error.detail };
        note(format!("{}: {words}", error.kind));
    }
    let calls: Vec<_> = step.calls.iter().map(|call| call_view(t, call)).collect();
    let value = |title: &'static str, value: &Option<serde_json::Value>| {
        value.clone().map(|value| view! { <JsonBlock title=title value=value folded=true/> })
    };
    let status = step.status;
    view! {
        <li class="trial__step">
            <div class="trial__head">
                <span class="trial__title">{title}</span>
                <span class="muted">{kind}</span>
                {(step.occurrence > 1).then(|| view! { <span class="muted">{t.runs.occurrence(step.occurrence)}</span> })}
                <TaskBadge status/>
            </div>
            {notes}
            {calls}
            <div class="trial__values">{value(t.runs.input(), &step.input)} {value(t.runs.output(), &step.output)}</div>
        </li>
    }
}

/// What a call would have done.
fn call_view(t: Texts, call: &RehearsedCall) -> AnyView {
    let would = match &call.would {
        // What connectors say is in English.
        Some(words) => view! { <p class="trial__would" lang="en">{words.clone()}</p> },
        None => view! { <p class="trial__would">{t.definitions.would_call(&call.function)}</p> },
    };
    let made_up = call.made_up.then(|| t.definitions.made_up());
    view! {
        <div class="trial__call">
            {would}
            <p class="trial__note">{t.definitions.not_executed()} " " {made_up}</p>
            {call.plan.clone().map(|plan| plan_view(t, plan))}
            <JsonBlock title=t.definitions.arguments() value=call.arguments.clone() folded=true/>
        </div>
    }
}

/// The form that adds the input to the tests of the draft.
#[component]
fn Keep(at: VersionAddress, digest: String, input: String, keep: Submission<KeepAsTest>) -> impl IntoView {
    let t = use_texts().definitions;
    view! {
        <Card title=t.keep_test()>
            <SubmitForm to=keep>
                <div class="stack">
                    <FormFeedback problem=keep.problem()/>
                    {address_fields(&at)}
                    <input type="hidden" name="digest" value=digest/>
                    <input type="hidden" name="input" value=input/>
                    <TextField
                        name="title"
                        label=t.keep_title()
                        hint=t.keep_hint()
                        maxlength=200_u32
                        error=keep.error("/title")
                    />
                    <div class="button-row">
                        <Button busy=keep.pending() icon=Glyph::Plus>{t.keep_test()}</Button>
                    </div>
                </div>
            </SubmitForm>
        </Card>
    }
}
