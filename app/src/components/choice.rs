use crate::view;
use leptos::prelude::*;

/// On or off, as a switch. In a form it sends `true`, or nothing.
#[component]
pub fn Toggle(
    /// Name in the form, and id.
    #[prop(into)]
    name: String,
    /// The label.
    #[prop(into)]
    label: String,
    /// Where it begins.
    #[prop(optional)]
    checked: bool,
    /// Explanation.
    #[prop(optional, into)]
    hint: Option<String>,
) -> impl IntoView {
    let hint_id = format!("{name}-hint");
    let no_hint = hint.is_none();
    view! {
        <div class="toggle">
            <input
                class="toggle__input"
                type="checkbox"
                role="switch"
                id=name.clone()
                name=name.clone()
                value="true"
                checked=checked
                aria-describedby=hint_id.clone()
            />
            <label class="toggle__label" for=name>{label}</label>
            <p class="field__hint" id=hint_id hidden=no_hint>{hint}</p>
        </div>
    }
}

/// Any of a few. All share one name in the form.
#[component]
pub fn CheckboxGroup(
    /// Name in the form.
    #[prop(into)]
    name: String,
    /// The question.
    #[prop(into)]
    legend: String,
    /// Values with their words.
    options: Vec<(String, String)>,
    /// The chosen values.
    #[prop(optional)]
    chosen: Vec<String>,
    /// Explanation.
    #[prop(optional, into)]
    hint: Option<String>,
) -> impl IntoView {
    let no_hint = hint.is_none();
    let boxes: Vec<_> = options
        .into_iter()
        .map(|(key, words)| {
            let checked = chosen.contains(&key);
            view! {
                <label class="check">
                    <input class="check__input" type="checkbox" name=name.clone() value=key checked=checked/>
                    <span>{words}</span>
                </label>
            }
        })
        .collect();
    view! {
        <fieldset class="checks">
            <legend class="field__label">{legend}</legend>
            <p class="field__hint" hidden=no_hint>{hint}</p>
            {boxes}
        </fieldset>
    }
}
