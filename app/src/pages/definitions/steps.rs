//! The tasks of a draft as a list with forms, for those who do not write YAML. Each change goes into the text in the editor at
//! once; there it is checked, undone and saved like what is typed, and all else in the text stays as it is written.
//!
//! Only the browser has what is not saved yet, so without JavaScript there is the text alone.

use std::collections::{BTreeMap, VecDeque};

use domain::{
    Problem,
    view::{DiagnosticView, TaskField, TaskForm, TaskItem, TaskList, TextEdit},
};
use leptos::{ev, html, prelude::*};
use leptos_router::{NavigateOptions, hooks::use_navigate};
use wasm_bindgen::JsCast;

use super::writing::{Checking, Writing};
use crate::{
    api::definitions::{edit_definition, form_of_task},
    components::{Banner, Button, ButtonLook, Card, Field, Glyph, Icon, Tone, described_by, schema_form::control_id},
    errors::{AppError, field_message, title},
    i18n::{Texts, use_texts},
    url_state::{here_with, query_text},
    view,
};

/// Kinds of task that can be added beside calls.
const KINDS: [&str; 11] = ["set", "switch", "do", "for", "try", "fork", "wait", "raise", "emit", "listen", "run"];
/// What a refusal is about, where it is no part of a task: the list as a whole, and the name of a new task.
const LIST: &str = "steps";
const NEW_NAME: &str = "add-name";
const TITLE: &str = "step-title";

/// What changes the tasks of a text.
#[derive(Clone, Copy)]
pub(super) struct Steps {
    t: Texts,
    writing: Writing,
    /// The task that the address names.
    asked: Memo<String>,
    /// The form of the chosen task.
    open: RwSignal<Option<TaskForm>>,
    chosen: Memo<String>,
    /// Grows when another task is chosen, so that nothing is left of what was typed into the form before.
    opened: RwSignal<u64>,
    /// Of which change of the text the form was made.
    made: StoredValue<u64>,
    /// What is not done yet.
    waiting: StoredValue<VecDeque<TextEdit>>,
    busy: RwSignal<bool>,
    /// Why something was not changed, by what was to be changed.
    refused: RwSignal<BTreeMap<String, String>>,
    /// Whether the page has come to life.
    alive: RwSignal<bool>,
}

impl Steps {
    pub(super) fn of(writing: Writing) -> Self {
        let open = RwSignal::new(None::<TaskForm>);
        let chosen = Memo::new(move |_| open.with(|form| form.as_ref().map(reference).unwrap_or_default()));
        let steps = Self {
            t: use_texts(),
            writing,
            asked: query_text("task"),
            open,
            chosen,
            opened: RwSignal::new(0),
            made: StoredValue::new(0),
            waiting: StoredValue::new(VecDeque::new()),
            busy: RwSignal::new(false),
            refused: RwSignal::new(BTreeMap::new()),
            alive: RwSignal::new(false),
        };
        Effect::new(move |_| {
            steps.alive.set(true);
            let task = steps.asked.get();
            untrack(|| steps.choose(&task));
        });
        Effect::new(move |earlier: Option<()>| {
            writing.checked.track();
            if earlier.is_some() {
                untrack(|| steps.follow());
            }
        });
        let navigate = use_navigate();
        // A task that has moved, has another name or is new is the one that the address names from then on.
        Effect::new(move |before: Option<String>| {
            let now = chosen.get();
            let gone = now.is_empty() && before.is_some_and(|before| !before.is_empty());
            if steps.asked.with_untracked(|asked| *asked != now) && (gone || !now.is_empty()) {
                let address = untrack(|| Steps::href(&now));
                navigate(&address, NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() });
            }
            now
        });
        steps
    }

    pub(super) fn alive(self) -> bool {
        self.alive.get()
    }

    /// The task whose form is open; empty for none.
    pub(super) fn chosen(self) -> Memo<String> {
        self.chosen
    }

    /// The address of the form of a task; of none where there is none.
    pub(super) fn href(task: &str) -> String {
        untrack(|| here_with(&[("task", Some(task).filter(|task| !task.is_empty()))]))
    }

    /// Opens the form of a task, or closes the one that is open.
    fn choose(self, task: &str) {
        let chosen = self.chosen.get_untracked();
        if task.is_empty() {
            self.open.set(None);
            if !chosen.is_empty() {
                focus_soon([link_id(&chosen), LIST.to_owned()]);
            }
        } else if let Some(task) = self.place_of(task).filter(|task| *task != chosen) {
            self.fetch(task, true);
        }
    }

    /// The text has changed: the form is to show the task as it is now.
    fn follow(self) {
        let chosen = self.chosen.get_untracked();
        // A text that cannot be read for now is no reason to forget what was being done.
        if chosen.is_empty() || self.writing.checked.with_untracked(|checked| checked.tasks.is_none()) {
            return;
        }
        match self.place_of(&chosen) {
            Some(now) if now == chosen && self.made.get_value() == self.writing.edits.get_value() => {}
            Some(now) => self.fetch(now, false),
            None => self.open.set(None),
        }
    }

    /// Where a task stands now.
    fn place_of(self, task: &str) -> Option<String> {
        self.writing.checked.with_untracked(|checked| Some(found(checked.tasks.as_ref()?, task)?.reference.clone()))
    }

    fn fetch(self, task: String, another: bool) {
        leptos::task::spawn_local_scoped(async move {
            loop {
                let edits = self.writing.edits.get_value();
                let answer = form_of_task(self.writing.text.get_untracked(), task.clone()).await;
                match self.writing.edits.try_get_value() {
                    Some(now) if now == edits => {}
                    // It was of a text that is no more.
                    Some(_) => continue,
                    None => return,
                }
                match answer {
                    Ok(form) => {
                        self.made.set_value(edits);
                        self.show(form, another);
                    }
                    Err(AppError(problem)) => {
                        self.open.set(None);
                        self.refuse(LIST, &problem);
                    }
                }
                return;
            }
        });
    }

    fn show(self, form: TaskForm, another: bool) {
        if another {
            self.refused.update(BTreeMap::clear);
            self.opened.update(|opened| *opened += 1);
            focus_soon([TITLE.to_owned()]);
        }
        self.open.set(Some(form));
    }

    /// Makes a change once those before it are made.
    fn ask(self, edit: TextEdit) {
        self.waiting.update_value(|waiting| waiting.push_back(edit));
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        leptos::task::spawn_local_scoped(async move {
            while let Some(Some(edit)) = self.waiting.try_update_value(VecDeque::pop_front) {
                let edits = self.writing.edits.get_value();
                let answer = edit_definition(self.writing.text.get_untracked(), edit.clone()).await;
                match (self.writing.edits.try_get_value(), answer) {
                    (None, _) => return,
                    // What was typed meanwhile stays: the change is made in the text as it is now.
                    (Some(now), _) if now != edits => self.waiting.update_value(|waiting| waiting.push_front(edit)),
                    (Some(_), Ok(edited)) => {
                        self.refused.update(|refused| {
                            refused.remove(about(&edit));
                        });
                        self.writing.edited(edited.source, edited.tasks);
                        self.done(&edit, edited.form);
                    }
                    (Some(_), Err(AppError(problem))) => self.refuse(about(&edit), &problem),
                }
            }
            self.busy.try_set(false);
        });
    }

    /// Shows what became of a change.
    fn done(self, edit: &TextEdit, form: Option<TaskForm>) {
        let chosen = self.chosen.get_untracked();
        let now = form.as_ref().map(reference).unwrap_or_default();
        match edit {
            TextEdit::Add { .. } => {
                let name = document().get_element_by_id(NEW_NAME);
                if let Some(name) = name.and_then(|name| name.dyn_into::<web_sys::HtmlInputElement>().ok()) {
                    name.set_value("");
                }
            }
            TextEdit::Move { by, .. } => {
                focus_soon([button_id(if *by < 0 { "up" } else { "down" }, &now), link_id(&now)]);
            }
            TextEdit::Remove { .. } => focus_soon([LIST.to_owned()]),
            TextEdit::Rename { .. } | TextEdit::Change { .. } => {}
        }
        if let Some(task) = task_of(edit) {
            // What waits is about the task where it stands now.
            self.waiting.update_value(|waiting| {
                for next in waiting.iter_mut().filter_map(task_mut).filter(|next| **next == task) {
                    next.clone_from(&now);
                }
            });
        }
        if task_of(edit).is_none_or(|task| task == chosen) {
            self.made.set_value(self.writing.edits.get_value());
            match form {
                Some(form) => self.show(form, task_of(edit).is_none()),
                None => self.open.set(None),
            }
        }
    }

    fn refuse(self, what: &str, problem: &Problem) {
        let words = self.reason(problem);
        self.refused.update(|refused| {
            refused.insert(what.to_owned(), words);
        });
    }

    fn reason(self, problem: &Problem) -> String {
        let t = self.t.definitions;
        let error = problem.errors.first();
        match error.map(|error| (error.rule.as_str(), error)) {
            Some(("unreadable", _)) => t.no_steps().to_owned(),
            Some(("nowhere", _)) => t.step_nowhere().to_owned(),
            Some(("unusual", _)) => t.step_unusual().to_owned(),
            Some(("comment", _)) => t.step_comment().to_owned(),
            Some(("malformed", _)) => t.step_malformed().to_owned(),
            Some((_, error)) => field_message(self.t, error),
            None => title(self.t, problem.code).to_owned(),
        }
    }

    fn refusal(self, what: &'static str) -> Signal<Option<String>> {
        Signal::derive(move || self.refused.with(|refused| refused.get(what).cloned()))
    }

    /// What is wrong with a part of the chosen task: what was typed into it, or what stands in the text.
    fn wrong(self, pointer: String) -> Signal<Option<String>> {
        Signal::derive(move || {
            let refused = self.refused.with(|refused| refused.get(&pointer).cloned());
            // What is wrong with the task as a whole is said above its parts.
            refused.or_else(|| {
                let place = format!("{}{pointer}", self.chosen.get());
                self.errors(|error| !pointer.is_empty() && within(&error.path, &place)).into_iter().next()
            })
        })
    }

    /// What is wrong with the text at some places, in words.
    fn errors(self, is_there: impl Fn(&DiagnosticView) -> bool) -> Vec<String> {
        if self.writing.checking.get() == Checking::Unknown {
            return Vec::new();
        }
        self.writing.checked.with(|checked| {
            let errors = checked.diagnostics.iter().filter(|error| is_there(error));
            errors.map(|error| error.message.clone()).collect()
        })
    }
}

/// What a change is about, as refusals name it.
fn about(edit: &TextEdit) -> &str {
    match edit {
        TextEdit::Add { .. } => NEW_NAME,
        TextEdit::Move { .. } | TextEdit::Remove { .. } => LIST,
        TextEdit::Rename { .. } => "/name",
        TextEdit::Change { field, .. } => field,
    }
}

fn task_mut(edit: &mut TextEdit) -> Option<&mut String> {
    match edit {
        TextEdit::Add { .. } => None,
        TextEdit::Move { task, .. }
        | TextEdit::Remove { task }
        | TextEdit::Rename { task, .. }
        | TextEdit::Change { task, .. } => Some(task),
    }
}

fn task_of(edit: &TextEdit) -> Option<String> {
    task_mut(&mut edit.clone()).cloned()
}

fn reference(form: &TaskForm) -> String {
    form.reference.clone()
}

/// The task with this reference; if there is none, the one that is called so within those that are called so.
fn found<'l>(list: &'l TaskList, task: &str) -> Option<&'l TaskItem> {
    fn search<'l>(list: &'l TaskList, is_it: &dyn Fn(&str) -> bool) -> Option<&'l TaskItem> {
        list.tasks.iter().find_map(|task| {
            let within = || task.lists.iter().find_map(|list| search(list, is_it));
            if is_it(&task.reference) { Some(task) } else { within() }
        })
    }
    let names = |task: &str| -> Vec<String> {
        task.split('/').filter(|step| step.parse::<usize>().is_err()).map(str::to_owned).collect()
    };
    let called = names(task);
    search(list, &|other| other == task).or_else(|| search(list, &|other| names(other) == called))
}

/// Whether a place is at or below another.
fn within(place: &str, other: &str) -> bool {
    place.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a place belongs to a task, and to none within it.
fn belongs(place: &str, task: &TaskItem) -> bool {
    within(place, &task.reference) && !task.lists.iter().any(|list| within(place, &list.reference))
}

fn link_id(task: &str) -> String {
    format!("step:{task}")
}

fn button_id(action: &str, task: &str) -> String {
    format!("step-{action}:{task}")
}

/// Puts the focus on the first of these that is there and can have it, once the page is drawn.
fn focus_soon(ids: impl IntoIterator<Item = String> + 'static) {
    request_animation_frame(move || {
        let mut there = ids.into_iter().filter_map(|id| document().get_element_by_id(&id));
        let found = there.find(|element| !element.has_attribute("disabled"));
        if let Some(element) = found.and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok()) {
            let _ = element.focus();
        }
    });
}

/// The tasks as they are nested, with ways to open, move, remove and add.
#[component]
pub(super) fn StepList(
    /// What it changes.
    steps: Steps,
    /// The functions that can be called, with the systems that they touch.
    functions: Vec<(String, String)>,
) -> impl IntoView {
    let t = steps.t.definitions;
    let functions = StoredValue::new(functions);
    let tasks = Memo::new(move |_| steps.writing.checked.with(|checked| checked.tasks.clone()));
    let asked = RwSignal::new(String::new());
    let content = move || match tasks.get() {
        Some(list) => view! {
            <div id=LIST tabindex="-1" role="group" aria-label=t.steps()>{list_view(steps, asked, &list)}</div>
            <AddStep steps list functions/>
        },
        None if steps.writing.checking.get() == Checking::Unknown => {
            view! { <p class="muted" id=LIST tabindex="-1">{t.cannot_check()}</p> }
        }
        None => view! { <p class="muted" id=LIST tabindex="-1">{t.no_steps()}</p> },
    };
    let refusal = steps.refusal(LIST);
    move || {
        steps.alive().then(|| {
            view! {
                <Card title=t.steps() subtitle=t.steps_lead()>
                    {move || refusal.get().map(|title| view! { <Banner tone=Tone::Danger title/> })}
                    {content}
                </Card>
            }
        })
    }
}

fn list_view(steps: Steps, asked: RwSignal<String>, list: &TaskList) -> AnyView {
    let last = list.tasks.len().saturating_sub(1);
    let items = list.tasks.iter().enumerate().map(|(at, task)| row(steps, asked, task, at == 0, at == last));
    let items: Vec<_> = items.collect();
    view! { <ol class="step-list">{items}</ol> }
}

fn row(steps: Steps, asked: RwSignal<String>, task: &TaskItem, first: bool, last: bool) -> AnyView {
    let t = steps.t;
    let reference = task.reference.clone();
    let is_open = {
        let reference = reference.clone();
        Memo::new(move |_| steps.chosen.with(|chosen| *chosen == reference))
    };
    let href = {
        let reference = reference.clone();
        move || Steps::href(if is_open.get() { "" } else { &reference })
    };
    let wrong = {
        let task = TaskItem { lists: task.lists.iter().map(without_tasks).collect(), ..task.clone() };
        move || {
            let wrong = !steps.errors(|error| belongs(&error.path, &task)).is_empty();
            wrong.then(|| {
                view! {
                    <span class="step__wrong">
                        <Icon glyph=Glyph::Octagon/>
                        <span class="visually-hidden">{t.definitions.step_wrong()}</span>
                    </span>
                }
            })
        }
    };
    let kind = match &task.function {
        Some(function) => function.clone(),
        None => kind_words(t, &task.kind).to_owned(),
    };
    let inner: Vec<_> = task
        .lists
        .iter()
        .map(|list| {
            let caught = list.reference.ends_with("/catch/do");
            view! {
                {caught.then(|| view! { <p class="step__branch">{t.runs.kind_catch()}</p> })}
                {list_view(steps, asked, list)}
            }
        })
        .collect();
    let title = task.title.clone();
    view! {
        <li class="step">
            <div class="step__row">
                <a
                    class="step__name"
                    id=link_id(&reference)
                    href=href
                    aria-expanded=move || if is_open.get() { "true" } else { "false" }
                    data-noscroll=""
                >
                    {title.clone()}
                </a>
                <span class="muted">{kind}</span>
                {wrong}
                <span class="step__buttons">{buttons(steps, asked, reference, title, first, last)}</span>
            </div>
            {inner}
        </li>
    }
}

fn without_tasks(list: &TaskList) -> TaskList {
    TaskList { reference: list.reference.clone(), tasks: Vec::new() }
}

/// Up, down and away; or, once that was pressed, whether it is meant.
fn buttons(
    steps: Steps,
    asked: RwSignal<String>,
    task: String,
    title: String,
    first: bool,
    last: bool,
) -> impl Fn() -> AnyView {
    let t = steps.t;
    let button = |action: &str, glyph: Glyph, words: String, off: bool, press: Box<dyn Fn()>, task: &str| {
        view! {
            <button
                class="icon-button icon-button--small"
                type="button"
                id=button_id(action, task)
                disabled=off
                aria-label=words.clone()
                title=words
                on:click=move |_| press()
            >
                <Icon glyph/>
            </button>
        }
    };
    move || {
        let task = task.clone();
        let mine = task.clone();
        let of = move || mine.clone();
        if asked.with(|asked| *asked == task) {
            let (yes, no) = (of.clone(), of);
            let remove = move |_: ev::MouseEvent| {
                asked.set(String::new());
                steps.ask(TextEdit::Remove { task: yes() });
            };
            let keep = move |_: ev::MouseEvent| {
                asked.set(String::new());
                focus_soon([button_id("remove", &no())]);
            };
            return view! {
                <Button
                    kind="button"
                    small=true
                    look=ButtonLook::Danger
                    attr:id=button_id("yes", &task)
                    attr:aria-label=t.definitions.step_remove(&title)
                    on:click=remove
                >
                    {t.common.remove()}
                </Button>
                <Button kind="button" small=true on:click=keep>{t.common.cancel()}</Button>
            };
        }
        let go = |by: isize| -> Box<dyn Fn()> {
            let task = task.clone();
            Box::new(move || steps.ask(TextEdit::Move { task: task.clone(), by }))
        };
        let away: Box<dyn Fn()> = Box::new(move || {
            asked.set(of());
            focus_soon([button_id("yes", &of())]);
        });
        view! {
            {button("up", Glyph::ChevronUp, t.definitions.step_up(&title), first, go(-1), &task)}
            {button("down", Glyph::ChevronDown, t.definitions.step_down(&title), last, go(1), &task)}
            {button("remove", Glyph::Trash, t.definitions.step_remove(&title), false, away, &task)}
        }
    }
}

/// A new step: what it does, what it is called, and where it goes.
#[component]
fn AddStep(steps: Steps, list: TaskList, functions: StoredValue<Vec<(String, String)>>) -> impl IntoView {
    let t = steps.t;
    let mut places = Vec::new();
    collect_places(t, &list, t.definitions.at_beginning().to_owned(), "", &mut places);
    let end = format!("{}/{}", list.reference, list.tasks.len());
    let places = move || {
        let chosen = steps.chosen.get();
        // Behind the chosen step, or behind all.
        let behind = |place: &Place| !chosen.is_empty() && place.behind == chosen;
        let usual = places.iter().find(|place| behind(place)).map_or_else(|| end.clone(), |place| place.value.clone());
        let option = |place: &Place| {
            let selected = place.value == usual;
            view! { <option value=place.value.clone() selected=selected>{place.words.clone()}</option> }
        };
        places.iter().map(option).collect::<Vec<_>>()
    };
    let kinds = KINDS.into_iter().map(|kind| view! { <option value=kind>{kind_words(t, kind)}</option> });
    let kinds: Vec<_> = kinds.collect();
    let functions: Vec<_> = functions.with_value(|functions| {
        let option = |(name, system): &(String, String)| {
            view! { <option value=name.clone()>{format!("{system} ({name})")}</option> }
        };
        functions.iter().map(option).collect()
    });
    let (what, name, place) =
        (NodeRef::<html::Select>::new(), NodeRef::<html::Input>::new(), NodeRef::<html::Select>::new());
    let add = move |event: ev::SubmitEvent| {
        event.prevent_default();
        let (Some(what), Some(name), Some(place)) = (what.get_untracked(), name.get_untracked(), place.get_untracked())
        else {
            return;
        };
        if let Some((list, at)) = place.value().rsplit_once('/')
            && let Ok(at) = at.parse()
        {
            steps.ask(TextEdit::Add { list: list.to_owned(), at, what: what.value(), name: name.value() });
        }
    };
    let error = steps.refusal(NEW_NAME);
    view! {
        <details class="json-block">
            <summary class="json-block__title">{t.definitions.add_step()}</summary>
            <form class="stack" on:submit=add>
                <Field id="add-what" label=t.definitions.step_what()>
                    <select class="input input--select" id="add-what" node_ref=what aria-describedby=described_by("add-what")>
                        <optgroup label=t.definitions.step_calls()>{functions}</optgroup>
                        <optgroup label=t.definitions.step_others()>{kinds}</optgroup>
                    </select>
                </Field>
                <Field id="add-place" label=t.definitions.step_place()>
                    <select class="input input--select" id="add-place" node_ref=place aria-describedby=described_by("add-place")>
                        {places}
                    </select>
                </Field>
                <Field id=NEW_NAME label=t.common.name() hint=t.definitions.step_name_hint() error=error optional=true>
                    <input
                        class="input input--code"
                        id=NEW_NAME
                        node_ref=name
                        autocomplete="off"
                        autocapitalize="none"
                        spellcheck="false"
                        aria-describedby=described_by(NEW_NAME)
                        aria-invalid=move || error.with(Option::is_some).then_some("true")
                    />
                </Field>
                <div class="button-row">
                    <Button icon=Glyph::Plus>{t.common.add()}</Button>
                </div>
            </form>
        </details>
    }
}

/// Where a new step can go.
struct Place {
    /// The list and the position in it.
    value: String,
    words: String,
    /// The task that it is behind, if it is.
    behind: String,
}

fn collect_places(t: Texts, list: &TaskList, first: String, indent: &str, places: &mut Vec<Place>) {
    places.push(Place {
        value: format!("{}/0", list.reference),
        words: format!("{indent}{first}"),
        behind: String::new(),
    });
    for (at, task) in (1..).zip(&list.tasks) {
        for inner in &task.lists {
            let words = if inner.reference.ends_with("/catch/do") {
                t.definitions.inside_catch(&task.title)
            } else {
                t.definitions.inside_step(&task.title)
            };
            collect_places(t, inner, words, &format!("{indent}\u{2003}"), places);
        }
        places.push(Place {
            value: format!("{}/{at}", list.reference),
            words: format!("{indent}{}", t.definitions.after_step(&task.title)),
            behind: task.reference.clone(),
        });
    }
}

fn kind_words(t: Texts, kind: &str) -> &'static str {
    t.runs.by_key(&format!("kind_{kind}")).unwrap_or_default()
}

/// The form of the chosen task.
#[component]
pub(super) fn StepForm(steps: Steps) -> impl IntoView {
    let t = steps.t;
    let is_open = Memo::new(move |_| {
        steps.open.with(Option::is_some) && steps.writing.checked.with(|checked| checked.tasks.is_some())
    });
    move || {
        steps.opened.track();
        is_open.get().then(|| {
            let of_form = move |part: fn(&TaskForm) -> String| {
                Memo::new(move |_| steps.open.with(|form| form.as_ref().map(part).unwrap_or_default()))
            };
            let (name, kind) = (of_form(|form| form.name.clone()), of_form(|form| form.kind.clone()));
            let fields = Memo::new(move |_| {
                let fields = steps.open.with(|form| form.as_ref().map(|form| form.fields.clone()).unwrap_or_default());
                fields.into_iter().map(|field| TaskField { value: String::new(), ..field }).collect::<Vec<_>>()
            });
            let parts = move || fields.get().into_iter().filter(|field| !field.pointer.is_empty()).collect::<Vec<_>>();
            let whole = move || fields.get().into_iter().find(|field| field.pointer.is_empty());
            let key = |field: &TaskField| {
                let TaskField { pointer, title, hint, choices, lines, .. } = field;
                format!("{pointer}\n{title}\n{hint}\n{lines}\n{}", choices.join("\n"))
            };
            let place = Memo::new(move |_| {
                let chosen = steps.chosen.get();
                steps.writing.checked.with(|checked| {
                    let task = found(checked.tasks.as_ref()?, &chosen)?;
                    Some(TaskItem { lists: task.lists.iter().map(without_tasks).collect(), ..task.clone() })
                })
            });
            // What is wrong, but with none of the parts.
            let others = move || {
                let parts: Vec<String> = parts().into_iter().map(|field| format!("{}{}", steps.chosen.get(), field.pointer)).collect();
                let of_whole = |path: &str| {
                    place.with(|task| task.as_ref().is_some_and(|task| belongs(path, task)))
                        && !parts.iter().any(|part| within(path, part))
                };
                let errors = steps.errors(|error| of_whole(&error.path));
                let errors: Vec<_> = errors.into_iter().map(|words| view! { <li>{words}</li> }).collect();
                (!errors.is_empty()).then(|| view! { <ul class="uses step-form__errors">{errors}</ul> })
            };
            let go = steps.writing.shower();
            let show = move |_: ev::MouseEvent| {
                if let Some(line) = place.with_untracked(|task| task.as_ref().map(|task| task.line)) {
                    go.run((line, 1));
                }
            };
            let named = move |event: ev::Event| {
                steps.ask(TextEdit::Rename { task: steps.chosen.get_untracked(), name: event_target_value(&event) });
            };
            let wrong_name = steps.wrong("/name".to_owned());
            view! {
                <section class="card step-form" aria-labelledby=TITLE>
                    <div class="card__head">
                        <h2 class="card__title" id=TITLE tabindex="-1">{move || t.definitions.step_form(name.get())}</h2>
                        <div class="card__actions">
                            <a class="icon-button" href=move || Steps::href("") aria-label=t.common.close() data-noscroll="">
                                <Icon glyph=Glyph::Cross/>
                            </a>
                        </div>
                    </div>
                    <div class="card__body">
                        {others}
                        <Field id="step-name" label=t.common.name() error=wrong_name>
                            <input
                                class="input input--code"
                                id="step-name"
                                prop:value=move || name.get()
                                autocomplete="off"
                                autocapitalize="none"
                                spellcheck="false"
                                aria-describedby=described_by("step-name")
                                aria-invalid=move || wrong_name.with(Option::is_some).then_some("true")
                                on:change=named
                            />
                        </Field>
                        <For each=parts key=key let:field>{field_view(steps, kind, field)}</For>
                        <details class="json-block">
                            <summary class="json-block__title">{t.definitions.step_whole()}</summary>
                            {move || whole().map(|field| field_view(steps, kind, field))}
                        </details>
                        <div class="button-row">
                            <Button kind="button" small=true on:click=show>{t.definitions.show_in_text()}</Button>
                        </div>
                    </div>
                </section>
            }
        })
    }
}

fn field_view(steps: Steps, kind: Memo<String>, field: TaskField) -> AnyView {
    let t = steps.t;
    let TaskField { pointer, title, hint, required, choices, lines, yaml, .. } = field;
    let label = match pointer.as_str() {
        "" => t.definitions.step_whole().to_owned(),
        "/metadata/title" => t.definitions.new_title().to_owned(),
        "/call" => t.definitions.step_function().to_owned(),
        "/if" => t.definitions.step_if().to_owned(),
        "/then" => t.definitions.step_then().to_owned(),
        "/while" => t.definitions.step_while().to_owned(),
        "/with" => t.definitions.step_with().to_owned(),
        _ if !title.is_empty() => title,
        _ => kind_words(t, &kind.get_untracked()).to_owned(),
    };
    let as_text = (yaml && lines).then(|| t.definitions.step_yaml().to_owned());
    let hint: Vec<_> = [Some(hint).filter(|hint| !hint.is_empty()), as_text].into_iter().flatten().collect();
    let hint = (!hint.is_empty()).then(|| hint.join(" "));
    let id = control_id(&format!("/step{pointer}"));
    let value = {
        let pointer = pointer.clone();
        Memo::new(move |_| {
            steps.open.with(|form| {
                let field = form.as_ref()?.fields.iter().find(|field| field.pointer == pointer)?;
                Some(field.value.clone())
            })
        })
    };
    let value = move || value.get().unwrap_or_default();
    let error = steps.wrong(pointer.clone());
    let invalid = move || error.with(Option::is_some).then_some("true");
    let goes_on = pointer == "/then";
    let change = move |event: ev::Event| {
        let (task, field) = (steps.chosen.get_untracked(), pointer.clone());
        steps.ask(TextEdit::Change { task, field, text: event_target_value(&event) });
    };
    let described = described_by(&id);
    let control = if !choices.is_empty() {
        let options = move || {
            let now = value();
            let mut choices = choices.clone();
            if !required {
                choices.insert(0, String::new());
            }
            if !choices.contains(&now) {
                choices.push(now.clone());
            }
            let option = |choice: String| {
                let selected = choice == now;
                let words = choice_words(t, &choice, goes_on, yaml);
                view! { <option value=choice selected=selected>{words}</option> }
            };
            choices.into_iter().map(option).collect::<Vec<_>>()
        };
        view! {
            <select
                class="input input--select"
                id=id.clone()
                aria-describedby=described
                aria-invalid=invalid
                on:change=change
            >
                {options}
            </select>
        }
    } else if lines {
        let rows = move || value().lines().count().clamp(2, 12).to_string();
        view! {
            <textarea
                class="input input--area"
                class:input--code=yaml
                id=id.clone()
                rows=rows
                spellcheck="false"
                aria-describedby=described
                aria-invalid=invalid
                prop:value=value
                on:change=change
            ></textarea>
        }
    } else {
        view! {
            <input
                class="input"
                id=id.clone()
                autocomplete="off"
                spellcheck="false"
                aria-describedby=described
                aria-invalid=invalid
                prop:value=value
                on:change=change
            />
        }
    };
    view! { <Field id=id label=label hint=hint error=error optional=!required>{control}</Field> }
}

/// One of the values that a part can have, in words.
fn choice_words(t: Texts, choice: &str, goes_on: bool, yaml: bool) -> String {
    let words = match choice {
        "" if goes_on => t.definitions.then_next(),
        "" => t.common.none(),
        "continue" if goes_on => t.definitions.then_continue(),
        "exit" if goes_on => t.definitions.then_exit(),
        "end" if goes_on => t.definitions.then_end(),
        "true" if yaml => t.common.yes(),
        "false" if yaml => t.common.no(),
        other => other,
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use domain::view::{TaskItem, TaskList};

    use super::{belongs, found};

    fn task(reference: &str, lists: Vec<TaskList>) -> TaskItem {
        TaskItem {
            reference: reference.to_owned(),
            title: String::new(),
            kind: String::new(),
            function: None,
            line: 1,
            lists,
        }
    }

    fn list(reference: &str, tasks: Vec<TaskItem>) -> TaskList {
        TaskList { reference: reference.to_owned(), tasks }
    }

    #[test]
    fn a_task_that_has_moved_is_found_by_the_names_on_the_way_to_it() {
        let inner = list("/do/1/group/do", vec![task("/do/1/group/do/0/a", vec![])]);
        let tasks = list("/do", vec![task("/do/0/a", vec![]), task("/do/1/group", vec![inner])]);
        let at = |task: &str| found(&tasks, task).map(|task| task.reference.clone());
        assert_eq!(at("/do/0/a").as_deref(), Some("/do/0/a"));
        assert_eq!(at("/do/3/a").as_deref(), Some("/do/0/a"));
        assert_eq!(at("/do/0/group/do/2/a").as_deref(), Some("/do/1/group/do/0/a"));
        assert_eq!(at("/do/0/b"), None);
    }

    #[test]
    fn what_is_wrong_with_a_step_within_is_not_wrong_with_the_group() {
        let group = task("/do/1/group", vec![list("/do/1/group/do", vec![])]);
        assert!(belongs("/do/1/group", &group) && belongs("/do/1/group/if", &group));
        assert!(!belongs("/do/1/group/do/0/a", &group) && !belongs("/do/1/groups", &group));
    }
}
