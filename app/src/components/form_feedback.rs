use domain::Problem;
use leptos::{prelude::*, server::ServerAction};
use server_fn::ServerFn;

use super::ProblemView;
use crate::errors::{AppError, field_message};
use crate::i18n::use_texts;

/// The problem that an action's last answer is, also after a form that was sent without JavaScript.
pub fn problem_of<S>(action: ServerAction<S>) -> Signal<Option<Problem>>
where
    S: ServerFn<Error = AppError> + Clone + Send + Sync + 'static,
    S::Output: Clone + Send + Sync + 'static,
{
    let value = action.value();
    Signal::derive(move || value.with(|value| value.as_ref().and_then(|r| r.as_ref().err().map(|e| e.0.clone()))))
}

/// The message for one field out of an action's last answer.
pub fn error_of<S>(action: ServerAction<S>, pointer: &'static str) -> Signal<Option<String>>
where
    S: ServerFn<Error = AppError> + Clone + Send + Sync + 'static,
    S::Output: Clone + Send + Sync + 'static,
{
    field_error(problem_of(action), pointer)
}

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

/// Does something in the browser each time an action has ended well: close the dialog, say so, fetch anew.
pub fn when_done<S>(action: ServerAction<S>, done: impl Fn(S::Output) + 'static)
where
    S: ServerFn<Error = AppError> + Clone + Send + Sync + 'static,
    S::Output: Clone + Send + Sync + 'static,
{
    let value = action.value();
    Effect::new(move |_| {
        let output = value.with(|value| value.as_ref().and_then(|answer| answer.as_ref().ok().cloned()));
        if let Some(output) = output {
            untrack(|| done(output));
        }
    });
}

/// Leaves the page for another by a full load, as after signing in, when everything about the visitor has changed.
pub fn leave_for(path: &str) {
    let _ = window().location().assign(path);
}
