use leptos::prelude::*;

use super::{Field, described_by};
use crate::view;

/// One of a few.
#[component]
pub fn SelectField(
    /// Name in the form, and id unless one is given.
    #[prop(into)]
    name: String,
    /// The label.
    #[prop(into)]
    label: String,
    /// The control's id where the name alone is not unique on the page.
    #[prop(optional, into)]
    id: Option<String>,
    /// Values with their words.
    options: Vec<(String, String)>,
    /// The chosen value.
    #[prop(optional, into)]
    value: String,
    /// Explanation.
    #[prop(optional, into)]
    hint: Option<String>,
    /// What is wrong.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
    /// May be left empty.
    #[prop(optional)]
    optional: bool,
) -> impl IntoView {
    let id = id.unwrap_or_else(|| name.clone());
    let described = described_by(&id);
    let options: Vec<_> = options
        .into_iter()
        .map(|(key, words)| {
            let selected = key == value;
            view! { <option value=key selected=selected>{words}</option> }
        })
        .collect();
    view! {
        <Field id=id.clone() label=label hint=hint error=error optional=optional>
            <select
                class="input input--select"
                id=id
                name=name
                required=!optional
                aria-describedby=described
                aria-invalid=move || error.with(Option::is_some).then_some("true")
            >
                {options}
            </select>
        </Field>
    }
}

/// One of many, or something new: a line of text with suggestions of the browser's own list.
#[component]
pub fn Combobox(
    /// Name in the form, and id unless one is given.
    #[prop(into)]
    name: String,
    /// The label.
    #[prop(into)]
    label: String,
    /// The control's id where the name alone is not unique on the page.
    #[prop(optional, into)]
    id: Option<String>,
    /// Values with their words.
    options: Vec<(String, String)>,
    /// Where it begins.
    #[prop(optional, into)]
    value: String,
    /// Explanation.
    #[prop(optional, into)]
    hint: Option<String>,
    /// What is wrong.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
    /// May be left empty.
    #[prop(optional)]
    optional: bool,
) -> impl IntoView {
    let id = id.unwrap_or_else(|| name.clone());
    let described = described_by(&id);
    let list = format!("{id}-list");
    let suggestions = list.clone();
    let options: Vec<_> =
        options.into_iter().map(|(key, words)| view! { <option value=key>{words}</option> }).collect();
    view! {
        <Field id=id.clone() label=label hint=hint error=error optional=optional>
            <input
                class="input"
                id=id
                name=name
                list=list
                value=value
                required=!optional
                autocomplete="off"
                aria-describedby=described
                aria-invalid=move || error.with(Option::is_some).then_some("true")
            />
        </Field>
        <datalist id=suggestions>{options}</datalist>
    }
}
