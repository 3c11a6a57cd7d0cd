//! Several lines of text that also begin with their text where there is no JavaScript.

use crate::view;
use leptos::prelude::*;

/// The children of a `<textarea>`. The server's renderer writes them as they are, so they are escaped here; hydration
/// leaves a textarea's children alone, and in the browser the text goes in as a property.
pub(crate) fn first_text(text: &str) -> String {
    if cfg!(feature = "ssr") {
        // A line end right after the tag is dropped by the parser, so that one is given to it.
        format!("\n{}", text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"))
    } else {
        String::new()
    }
}

/// The attributes that differ from form to form.
pub(super) struct Area {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) rows: u32,
    pub(super) code: bool,
    pub(super) required: bool,
    pub(super) described: String,
}

/// A text area whose text is `text`, with `typed` and `left` called as somebody types and leaves.
pub(super) fn text_area(
    area: Area,
    text: Signal<String>,
    invalid: Signal<bool>,
    typed: impl Fn(String) + 'static,
    left: impl Fn() + 'static,
) -> AnyView {
    let Area { id, name, rows, code, required, described } = area;
    view! {
        <textarea
            class="input input--area"
            class:input--code=code
            id=id
            name=name
            rows=rows
            spellcheck=code.then_some("false")
            aria-required=required.then_some("true")
            aria-describedby=described
            aria-invalid=move || invalid.get().then_some("true")
            prop:value=move || text.get()
            on:input=move |event| typed(event_target_value(&event))
            on:blur=move |_| left()
        >
            {first_text(&text.get_untracked())}
        </textarea>
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::first_text;

    #[test]
    fn markup_stays_text() {
        assert_eq!(first_text("</textarea><script>&"), "\n&lt;/textarea&gt;&lt;script&gt;&amp;");
    }
}
