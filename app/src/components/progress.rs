use crate::view;
use leptos::prelude::*;

/// How much of something is done.
#[component]
pub fn Progress(
    /// What.
    #[prop(into)]
    label: String,
    /// Done so far.
    #[prop(into)]
    value: Signal<f64>,
    /// All of it.
    #[prop(default = 1.0)]
    max: f64,
) -> impl IntoView {
    view! {
        <label class="progress">
            <span class="progress__label">{label}</span>
            <progress class="progress__bar" max=max.to_string() value=move || value.get().to_string()></progress>
        </label>
    }
}
