use leptos::prelude::*;

use super::{Glyph, Icon};
use crate::{i18n::use_texts, view};

/// What a control within [`Field`] says in `aria-describedby`: the ids of its hint and its error.
pub fn described_by(id: &str) -> String {
    format!("{id}-hint {id}-error")
}

/// A control with its label, hint and error. The control has `id` as its id and [`described_by`] for `aria-describedby`.
#[component]
pub fn Field(
    /// The control's id.
    #[prop(into)]
    id: String,
    /// The label.
    #[prop(into)]
    label: String,
    /// Explanation, before any error.
    #[prop(optional, into)]
    hint: MaybeProp<String>,
    /// What is wrong.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
    /// Marks the field as optional; fields are required unless they say so.
    #[prop(optional)]
    optional: bool,
    /// `12 / 64`, where a length is limited.
    #[prop(optional, into)]
    counter: Signal<Option<String>>,
    /// The control.
    children: Children,
) -> impl IntoView {
    let t = use_texts();
    let hint_id = format!("{id}-hint");
    let error_id = format!("{id}-error");
    view! {
        <div class="field" class:field--invalid=move || error.with(Option::is_some)>
            <div class="field__head">
                <label class="field__label" for=id>{label}</label>
                {optional.then(|| view! { <span class="field__optional">{t.common.optional()}</span> })}
                <span class="field__counter">{move || counter.get()}</span>
            </div>
            <p class="field__hint" id=hint_id hidden=move || hint.get().is_none()>{move || hint.get()}</p>
            {children()}
            <p class="field__error" id=error_id hidden=move || error.with(Option::is_none)>
                <Icon glyph=Glyph::Octagon/>
                <span>{move || error.get()}</span>
            </p>
        </div>
    }
}

/// A line of text. What was typed stays the browser's; `value` is where it begins, and changes it when it changes.
#[component]
pub fn TextField(
    /// Name in the form, and id unless one is given.
    #[prop(into)]
    name: String,
    /// The label.
    #[prop(into)]
    label: String,
    /// The control's id where the name alone is not unique on the page.
    #[prop(optional, into)]
    id: Option<String>,
    /// `text`, `email`, `password`, `number`, `date`, `datetime-local`, `url`, `search` …
    #[prop(default = "text")]
    kind: &'static str,
    /// Where it begins.
    #[prop(optional, into)]
    value: Signal<String>,
    /// Explanation.
    #[prop(optional, into)]
    hint: Option<String>,
    /// What is wrong.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
    /// May be left empty.
    #[prop(optional)]
    optional: bool,
    /// What the browser may fill in.
    #[prop(optional, into)]
    autocomplete: Option<String>,
    /// Most characters.
    #[prop(optional, into)]
    maxlength: Option<u32>,
    /// Fewest characters.
    #[prop(optional, into)]
    minlength: Option<u32>,
    /// An example of the shape.
    #[prop(optional, into)]
    placeholder: Option<String>,
    /// Gets the focus when the page opens.
    #[prop(optional)]
    autofocus: bool,
    /// In capital letters nowhere, no spelling marks: for names of machines and the like.
    #[prop(optional)]
    code: bool,
) -> impl IntoView {
    let id = id.unwrap_or_else(|| name.clone());
    let described = described_by(&id);
    let typed = RwSignal::new(None::<usize>);
    let counter = Signal::derive(move || {
        let most = maxlength?;
        let now = typed.get()?;
        (now * 5 >= usize::try_from(most).ok()? * 4).then(|| format!("{now} / {most}"))
    });
    view! {
        <Field id=id.clone() label=label hint=hint error=error optional=optional counter=counter>
            <input
                class="input"
                class:input--code=code
                id=id
                name=name
                type=kind
                value=value.get_untracked()
                prop:value=move || value.get()
                required=!optional
                autocomplete=autocomplete
                maxlength=maxlength
                minlength=minlength
                placeholder=placeholder
                autofocus=autofocus
                autocapitalize=code.then_some("none")
                spellcheck=code.then_some("false")
                aria-describedby=described
                aria-invalid=move || error.with(Option::is_some).then_some("true")
                on:input=move |event| typed.set(Some(event_target_value(&event).chars().count()))
            />
        </Field>
    }
}

/// Several lines of text.
#[component]
pub fn TextArea(
    /// Name in the form, and id.
    #[prop(into)]
    name: String,
    /// The label.
    #[prop(into)]
    label: String,
    /// The control's id where the name alone is not unique on the page.
    #[prop(optional, into)]
    id: Option<String>,
    /// Where it begins.
    #[prop(optional, into)]
    value: Signal<String>,
    /// Explanation.
    #[prop(optional, into)]
    hint: Option<String>,
    /// What is wrong.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
    /// May be left empty.
    #[prop(optional)]
    optional: bool,
    /// Most characters.
    #[prop(optional, into)]
    maxlength: Option<u32>,
    /// Lines to show.
    #[prop(default = 4)]
    rows: u32,
) -> impl IntoView {
    let id = id.unwrap_or_else(|| name.clone());
    let described = described_by(&id);
    view! {
        <Field id=id.clone() label=label hint=hint error=error optional=optional>
            // The text goes in as a property: the server's renderer does not escape a textarea's children. Without
            // JavaScript the area therefore begins empty; a page that must prefill one there says so beside it.
            <textarea
                class="input input--area"
                id=id
                name=name
                rows=rows
                required=!optional
                maxlength=maxlength
                prop:value=move || value.get()
                aria-describedby=described
                aria-invalid=move || error.with(Option::is_some).then_some("true")
            ></textarea>
        </Field>
    }
}
