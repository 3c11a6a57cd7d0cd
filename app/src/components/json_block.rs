use leptos::prelude::*;
use serde_json::Value;

use super::CopyButton;
use crate::view;

/// A value as JSON, under a heading, with a way to copy it.
#[component]
pub fn JsonBlock(
    /// What it is.
    #[prop(into)]
    title: String,
    /// The value.
    value: Value,
    /// Whether it is folded away at first.
    #[prop(optional)]
    folded: bool,
) -> impl IntoView {
    let text = serde_json::to_string_pretty(&value).unwrap_or_default();
    let label = title.clone();
    view! {
        <details class="json-block" open=!folded>
            <summary class="json-block__title">{title}</summary>
            <div class="json-block__body">
                <CopyButton text=text.clone()/>
                <pre class="json" tabindex="0" role="region" aria-label=label>{text}</pre>
            </div>
        </details>
    }
}
