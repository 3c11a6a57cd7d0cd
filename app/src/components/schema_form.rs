//! A form made from a JSON Schema: the same fields on the server and in the browser, with and without JavaScript.
//!
//! The names of the controls are [`control_name`]s of JSON pointers; `domain::form` reads them. What is typed lives in
//! [`FormState`], which the page owns, so that nothing is lost when parts of the page are drawn anew.

mod controls;
mod fields;
mod kept;
mod state;
mod text_area;

use domain::FieldError;
use leptos::{html, prelude::*};

pub use fields::SchemaFields;
pub(crate) use kept::storage;
pub use kept::{KeptForm, forget, kept, remember, typed_before};
pub use state::{FormState, Pairs};
pub(crate) use text_area::first_text;

use super::{Glyph, Icon};
use crate::{errors::field_message, i18n::use_texts, view};

/// The key of a value within `fields`: brackets would otherwise be read as nesting.
pub fn field_key(pointer: &str) -> String {
    pointer.replace('%', "%25").replace('[', "%5B").replace(']', "%5D")
}

/// The pointer that [`field_key`] was made of.
pub fn pointer_of(key: &str) -> String {
    key.replace("%5B", "[").replace("%5D", "]").replace("%25", "%")
}

/// The name of the control for the value at `pointer`.
pub fn control_name(pointer: &str) -> String {
    format!("fields[{}]", field_key(pointer))
}

/// The id of the control for the value at `pointer`.
pub fn control_id(pointer: &str) -> String {
    let plain = |letter: char| match letter {
        '/' => '-',
        letter if letter.is_alphanumeric() => letter,
        _ => '_',
    };
    format!("field{}", pointer.chars().map(plain).collect::<String>())
}

/// All that is wrong, with links to the fields. It takes the focus when it appears in the browser.
#[component]
pub fn ErrorSummary(
    /// The form.
    state: FormState,
) -> impl IntoView {
    let t = use_texts();
    let node = NodeRef::<html::Div>::new();
    let shown = state.summary();
    Effect::new(move |earlier: Option<u64>| {
        let asked = state.asked_to_check();
        if earlier != Some(asked)
            && shown.with_untracked(|errors| !errors.is_empty())
            && let Some(node) = node.get_untracked()
        {
            let _ = node.focus();
        }
        asked
    });
    let item = move |(title, error): (String, FieldError)| {
        let message = field_message(t, &error);
        let href = format!("#{}", control_id(&error.pointer));
        view! {
            <li>
                <a href=href rel="external">{title}</a>
                <span>{message}</span>
            </li>
        }
    };
    view! {
        <div class="error-summary" node_ref=node tabindex="-1" role="alert" hidden=move || shown.with(Vec::is_empty)>
            <p class="error-summary__title">
                <Icon glyph=Glyph::Octagon/>
                <span>{move || t.catalogue.errors_title(shown.with(Vec::len))}</span>
            </p>
            <ul class="error-summary__list">{move || shown.get().into_iter().map(item).collect::<Vec<_>>()}</ul>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_ids_survive_odd_pointers() {
        assert_eq!(control_name("/a/0"), "fields[/a/0]");
        assert_eq!(control_name("/a[1]%"), "fields[/a%5B1%5D%25]");
        assert_eq!(pointer_of(&field_key("/a[1]%5B%")), "/a[1]%5B%");
        assert_eq!(control_id("/given name/0~1"), "field-given_name-0_1");
    }
}
