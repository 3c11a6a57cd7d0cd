//! What is wrong with a text, with the way to each place.

use domain::view::DiagnosticView;
use leptos::prelude::*;

use crate::{
    components::{Glyph, Icon},
    i18n::use_texts,
    view,
};

/// The id of a line on the page.
pub(super) fn line_id(line: u64) -> String {
    format!("L{line}")
}

/// The errors in the order of the text. Each leads to its line.
#[component]
pub(super) fn Diagnostics(
    /// The errors.
    found: Vec<DiagnosticView>,
    /// What else a click does, with the line and column.
    #[prop(optional, into)]
    go: Option<Callback<(u64, u64)>>,
) -> impl IntoView {
    let t = use_texts().definitions;
    let items: Vec<_> = found
        .into_iter()
        .map(|DiagnosticView { line, column, message, .. }| {
            let click = move |event: leptos::ev::MouseEvent| {
                if let Some(go) = go {
                    event.prevent_default();
                    go.run((line, column));
                }
            };
            view! {
                <li class="diagnostic">
                    <Icon glyph=Glyph::Octagon/>
                    <p>
                        <a href=format!("#{}", line_id(line)) rel="external" on:click=click>{t.place(line, column)}</a>
                        " "
                        <span>{message}</span>
                    </p>
                </li>
            }
        })
        .collect();
    view! { <ul class="diagnostics">{items}</ul> }
}
