use domain::Problem;
use leptos::prelude::*;

use super::ProblemView;
use crate::i18n::use_texts;
use crate::{errors::field_message, view};

/// The message for the field at `pointer` (`/name`) within a problem.
pub fn field_error(problem: Signal<Option<Problem>>, pointer: &'static str) -> Signal<Option<String>> {
    let t = use_texts();
    Signal::derive(move || {
        problem.with(|problem| {
            let error = problem.as_ref()?.errors.iter().find(|error| error.pointer == pointer)?;
            Some(field_message(t, error))
        })
    })
}

/// What is wrong with a form as a whole, above its fields.
#[component]
pub fn FormFeedback(
    /// The problem.
    #[prop(into)]
    problem: Signal<Option<Problem>>,
) -> impl IntoView {
    move || problem.get().map(|problem| view! { <ProblemView problem compact=true/> })
}

/// Leaves the page for another by a full load, as after signing in, when everything about the visitor has changed.
pub fn leave_for(path: &str) {
    let _ = window().location().assign(path);
}
