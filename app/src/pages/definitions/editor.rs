//! The editor of a draft: the text, what is wrong with it as it is written, and its graph. What is typed survives: a draft is
//! kept whether or not it is a definition, and until it is kept the browser remembers it.
//!
//! The text area is the editor wherever nothing else is. Where `app/editor` was built into the site, its element
//! `<rondo-editor>` comes to life and takes the area's place; the area goes on to hold the text.

use std::{collections::BTreeSet, fmt::Write as _, sync::Arc};

use domain::{Operation, VersionState, view::DiagnosticView};
use leptos::{ev, prelude::*};
use leptos_router::{NavigateOptions, hooks::use_navigate};
use wasm_bindgen::JsCast;
use web_sys::HtmlFormElement;

use super::{
    StateBadge, address_fields,
    checks::{Diagnostics, line_id},
    outcomes::{TestLink, Tests},
    steps::{StepForm, StepList, Steps},
    version_in_address,
    writing::{AREA, Checking, Keeping, Writing, text_area},
};
use crate::{
    api::definitions::{DraftData, SaveDefinition, VersionAddress, definition_draft},
    components::{
        Banner, Button, ButtonLook, Card, FormFeedback, Glyph, Icon, LinkButton, PageHeader, Skeleton, Tone,
        graph::{GraphView, NodeHref},
        load,
        schema_form::first_text,
    },
    data::Data,
    errors::field_message,
    i18n::use_texts,
    submission::{Submission, SubmitForm, when_done},
    url_state::query_text,
    view,
};

const FORM: &str = "definition-form";
/// Lines that the editor has at least, and those that are free below the text.
const FEWEST_LINES: usize = 20;
const FREE_LINES: usize = 3;

/// The page of the editor.
#[component]
pub fn DraftPage() -> impl IntoView {
    let at = version_in_address();
    let save = Submission::<SaveDefinition>::new();
    let data = Data::new(move || at.get(), definition_draft);
    load(
        data,
        || view! { <div class="editing"><Skeleton lines=24/><Skeleton lines=12/></div> },
        move |data| view! { <Draft data at=at.get_untracked() save/> },
    )
}

#[component]
fn Draft(data: DraftData, at: VersionAddress, save: Submission<SaveDefinition>) -> impl IntoView {
    let t = use_texts();
    let DraftData { definition, checked, functions } = data;
    let page = at.href();
    let title = definition.item.title.clone();
    let writable = definition.life.as_ref().is_some_and(|life| life.actions.contains(&Operation::DefinitionSave));
    if !writable {
        return view! {
            <PageHeader title=t.definitions.edit_title(&title)/>
            <Banner tone=Tone::Warning title=t.definitions.not_editable()>
                <a href=page>{t.definitions.to_version()}</a>
            </Banner>
        };
    }
    let writing = Writing::of(&definition, checked, &at);
    let restored = RwSignal::new(false);
    let before = StoredValue::new(typed_before());
    Effect::new(move |earlier: Option<()>| {
        if earlier.is_none() {
            match before.get_value() {
                Some(before) => writing.typed(before),
                None => restored.set(writing.restore()),
            }
        }
    });
    on_cleanup(move || writing.stop());
    let steps = Steps::of(writing);
    load_editor();
    Effect::new(move |_| tell_editor(&writing.text.get()));
    let sent = StoredValue::new(0);
    let then_try = StoredValue::new(false);
    let (navigate, trial) = (use_navigate(), at.trial_href());
    Effect::new(move |_| {
        if save.pending().get() {
            sent.set_value(writing.edits.get_value());
        }
    });
    Effect::new(move |_| {
        if save.problem().with(Option::is_some) {
            then_try.set_value(false);
        }
    });
    when_done(save, move |saved| {
        writing.kept(saved.digest, sent.get_value());
        restored.set(false);
        if then_try.get_value() {
            navigate(&trial, NavigateOptions::default());
        }
    });

    let just_saved = query_text("saved");
    let state = move || match writing.keeping.get() {
        Keeping::Typed => view! { <Icon glyph=Glyph::Pencil/><span>{t.definitions.not_saved()}</span> },
        Keeping::AsFound if just_saved.with(String::is_empty) => ().into_any(),
        Keeping::Kept | Keeping::AsFound => view! { <Icon glyph=Glyph::Check/><span>{t.definitions.saved()}</span> },
    };
    let stale = Memo::new(move |_| {
        writing.checking.get() == Checking::Unknown || writing.checked.with(|checked| checked.graph.is_none())
    });
    let graph = move || {
        writing.graph.get().map(|graph| {
            let picture = move || {
                let (graph, selected) = (graph.clone(), steps.chosen().get());
                // Before the page is alive, a link would leave what is typed behind.
                if steps.alive() {
                    let href: NodeHref = Arc::new(move |task: &str| Steps::href(task));
                    view! { <GraphView graph selected href/> }
                } else {
                    view! { <GraphView graph/> }
                }
            };
            view! {
                <Card title=t.catalogue.as_graph()>
                    {move || stale.get().then(|| view! { <p class="muted">{t.definitions.graph_before()}</p> })}
                    {picture}
                </Card>
            }
        })
    };
    let tests = move || {
        let tests = writing.checked.with(|checked| checked.graph.is_some().then(|| checked.tests.clone()));
        tests.map(|tests| view! { <Tests tests link=TestLink::Line(writing.shower())/> })
    };
    let marks = view! { <StateBadge state=VersionState::Draft/> };
    view! {
        <PageHeader
            title=t.definitions.edit_title(&title)
            subtitle=format!("{}/{} · {}", at.namespace, at.name, at.version)
            marks=marks
        >
            <LinkButton href=page icon=Glyph::ArrowRight>{t.definitions.to_version()}</LinkButton>
            <Button
                name="next"
                value="try"
                busy=save.pending()
                icon=Glyph::Runs
                attr:form=FORM
                on:click=move |_| then_try.set_value(true)
            >
                {t.definitions.save_and_try()}
            </Button>
            <Button
                look=ButtonLook::Primary
                busy=save.pending()
                icon=Glyph::Check
                attr:form=FORM
                on:click=move |_| then_try.set_value(false)
            >
                {t.definitions.save()}
            </Button>
        </PageHeader>
        <div class="definition__notes">
            <Show when=move || restored.get()>
                <Banner tone=Tone::Info title=t.definitions.restored()/>
            </Show>
            <FormFeedback problem=save.problem()/>
            {move || {
                let errors = save.problem().get().map(|problem| problem.errors).unwrap_or_default();
                let errors: Vec<_> =
                    errors.iter().map(|error| view! { <li>{field_message(t, error)}</li> }).collect();
                (!errors.is_empty()).then(|| view! { <ul class="uses">{errors}</ul> })
            }}
        </div>
        <div class="editing">
            <SubmitForm to=save attr:id=FORM>
                {address_fields(&at)}
                <input type="hidden" name="digest" value=move || writing.digest.get()/>
                <section class="card editor-card">
                    <div class="card__head">
                        <label class="card__title" id=format!("{AREA}-label") for=AREA>{t.definitions.source()}</label>
                        <p class="editor-card__state" role="status">{state}</p>
                    </div>
                    <TextEditor writing/>
                </section>
            </SubmitForm>
            <aside class="definition__side" aria-label=t.definitions.checks()>
                <Checks writing/>
                <StepList steps functions/>
                <StepForm steps/>
                {tests}
                {graph}
            </aside>
        </div>
    }
}

/// The text with the numbers of its lines. It is as high as the text, so that both stay beside each other.
#[component]
fn TextEditor(writing: Writing) -> impl IntoView {
    let lines = Memo::new(move |_| writing.text.with(|text| text.split('\n').count()));
    let wrong = Memo::new(move |_| {
        let errors = writing.checked.with(|checked| checked.diagnostics.iter().map(|error| error.line).collect());
        if writing.checking.get() == Checking::Unknown { BTreeSet::new() } else { errors }
    });
    let rows = move || lines.get().max(FEWEST_LINES) + FREE_LINES;
    let diagnostics = move || writing.checked.with(|checked| as_lines(&checked.diagnostics));
    view! {
        <rondo-editor class="editor" diagnostics=diagnostics on:keydown=save_by_key>
            <pre class="editor__numbers" aria-hidden="true">{move || wrong.with(|wrong| numbers(lines.get(), wrong))}</pre>
            <textarea
                class="editor__text"
                id=AREA
                name="source"
                rows=rows
                wrap="off"
                spellcheck="false"
                autocomplete="off"
                autocapitalize="none"
                aria-describedby="definition-checks"
                aria-invalid=move || wrong.with(|wrong| !wrong.is_empty()).then_some("true")
                prop:value=move || writing.text.get()
                on:input=move |event| writing.typed(event_target_value(&event))
            >
                {first_text(&writing.text.get_untracked())}
            </textarea>
        </rondo-editor>
    }
}

/// The numbers of the lines; those of lines with errors are marked.
fn numbers(lines: usize, wrong: &BTreeSet<u64>) -> Vec<AnyView> {
    let mut runs = Vec::new();
    let mut run = String::new();
    for number in 1..=u64::try_from(lines).unwrap_or(u64::MAX) {
        if wrong.contains(&number) {
            if !run.is_empty() {
                let run = std::mem::take(&mut run);
                runs.push(view! { <span>{run}</span> });
            }
            runs.push(view! { <span class="editor__wrong" id=line_id(number)>{format!("{number}\n")}</span> });
        } else {
            // Writing to a string cannot fail.
            let _ = writeln!(run, "{number}");
        }
    }
    runs.push(view! { <span>{run}</span> });
    runs
}

/// Ctrl S and ⌘ S save.
fn save_by_key(event: ev::KeyboardEvent) {
    if (event.ctrl_key() || event.meta_key()) && event.key().eq_ignore_ascii_case("s") {
        event.prevent_default();
        let form = document().get_element_by_id(FORM).and_then(|form| form.dyn_into::<HtmlFormElement>().ok());
        if let Some(form) = form {
            let _ = form.request_submit();
        }
    }
}

/// What is wrong with the text, or that nothing is.
#[component]
fn Checks(writing: Writing) -> impl IntoView {
    let t = use_texts().definitions;
    let go = writing.shower();
    let verdict = move || {
        let wrong = writing.checked.with(|checked| checked.diagnostics.len());
        match writing.checking.get() {
            Checking::Waits => view! { <Icon glyph=Glyph::Clock/><span>{t.checking()}</span> },
            Checking::Unknown => view! { <Icon glyph=Glyph::Question/><span>{t.cannot_check()}</span> },
            Checking::Done if wrong == 0 => view! { <Icon glyph=Glyph::CircleCheck/><span>{t.no_errors()}</span> },
            Checking::Done => view! { <Icon glyph=Glyph::Octagon/><span>{t.errors(wrong)}</span> },
        }
    };
    let list = move || {
        let found = writing.checked.with(|checked| checked.diagnostics.clone());
        (!found.is_empty() && writing.checking.get() != Checking::Unknown).then(|| view! { <Diagnostics found go/> })
    };
    view! {
        <Card title=t.checks()>
            <p class="verdict" id="definition-checks" role="status">{verdict}</p>
            {list}
        </Card>
    }
}

/// Loads the editor that takes the place of the text area, unless it is there or was not made.
fn load_editor() {
    Effect::new(move |_| {
        let named = document().query_selector("meta[name=rondo-editor]").ok().flatten();
        let Some(address) = named.and_then(|named| named.get_attribute("content")) else { return };
        let loaded = document().query_selector(&format!("script[src='{address}']")).ok().flatten();
        if loaded.is_none()
            && let (Ok(script), Some(head)) = (document().create_element("script"), document().head())
        {
            let _ = script.set_attribute("type", "module");
            let _ = script.set_attribute("src", &address);
            let _ = head.append_child(&script);
        }
    });
}

/// Tells the editor in the area's place that the text is this one; for what it has changed itself that is no news.
fn tell_editor(text: &str) {
    let Some(area) = text_area() else { return };
    area.set_value(text);
    if let Ok(event) = web_sys::Event::new("rondo:text") {
        let _ = area.dispatch_event(&event);
    }
}

/// Errors as the editor takes them: line, column and message, a line each.
fn as_lines(found: &[DiagnosticView]) -> String {
    let mut lines = String::new();
    for DiagnosticView { line, column, message, .. } in found {
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "{line}\t{column}\t{}", message.replace('\n', " "));
    }
    lines
}

/// The text as somebody typed it before the page came alive, which would put the server's back.
fn typed_before() -> Option<String> {
    if !cfg!(target_arch = "wasm32") || document().document_element()?.has_attribute("data-hydrated") {
        return None;
    }
    let area = text_area()?;
    let typed = area.value();
    area.default_value().is_ok_and(|from_page| typed != from_page).then_some(typed)
}
