//! Changes: a server function that is called by a form or by a click, and what became of the last call.
//!
//! ```ignore
//! let rename = Submission::<Rename>::new();
//! when_done(rename, |()| toasts.done("Renamed"));
//! view! {
//!     <SubmitForm to=rename>
//!         <FormFeedback problem=rename.problem()/>
//!         <TextField name="title" label="Title" error=rename.error("/title")/>
//!         <Button busy=rename.pending()>"Save"</Button>
//!     </SubmitForm>
//! }
//! ```
//!
//! Leptos's `ServerAction` and `ActionForm` do the same, compiled anew for every server function and with a parser of
//! forms in the browser. Here the form goes to the server as it is, with JavaScript as without.

use std::{marker::PhantomData, sync::Arc};

use domain::Problem;
use leptos::{ev::SubmitEvent, form::form_data_from_event, html, prelude::*, server::ServerActionError};
use serde::{Serialize, de::DeserializeOwned};
use server_fn::{ServerFn, error::ServerFnUrlError};
use wasm_bindgen::JsCast;

use crate::{
    components::field_error,
    door::{post, read},
    errors::AppError,
    view,
};

/// The calls of the server function `S` from one place of a page.
pub struct Submission<S> {
    calls: Calls,
    function: PhantomData<fn() -> S>,
}

impl<S> Clone for Submission<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Submission<S> {}

impl<S> Submission<S>
where
    S: ServerFn<Error = AppError> + Serialize,
    S::Output: DeserializeOwned,
{
    /// No call yet; or, on a page that a form without JavaScript led back to, the problem of that call.
    pub fn new() -> Self {
        Self { calls: Calls::new(S::PATH), function: PhantomData }
    }

    /// Calls the function, unless a call is still on its way: a second click is no second request.
    pub fn send(self, input: &S) {
        if let Ok(form) = serde_qs::to_string(input) {
            self.calls.send(form);
        }
    }

    /// What the last call brought, if it went well.
    pub fn output(self) -> Option<S::Output> {
        self.calls.answer.with(|answer| read(answer.as_ref()?.as_ref().ok()?).ok())
    }

    /// Whether a call is on its way.
    pub fn pending(self) -> Signal<bool> {
        self.calls.pending()
    }

    /// How many calls have changed something, or were refused because something had changed. A page reads its data anew by it,
    /// which leaves a form that was refused for what is in it as it is.
    pub fn version(self) -> Signal<usize> {
        self.calls.version.into()
    }

    /// The problem of the last call.
    pub fn problem(self) -> Signal<Option<Problem>> {
        self.calls.problem()
    }

    /// The message of the last call for the field at `pointer` (`/name`).
    pub fn error(self, pointer: &'static str) -> Signal<Option<String>> {
        field_error(self.calls.problem(), pointer)
    }

    /// Forgets the last call.
    pub fn clear(self) {
        self.calls.answer.set(None);
    }
}

impl<S> Default for Submission<S>
where
    S: ServerFn<Error = AppError> + Serialize,
    S::Output: DeserializeOwned,
{
    fn default() -> Self {
        Self::new()
    }
}

impl<S> From<Submission<S>> for Calls {
    fn from(submission: Submission<S>) -> Self {
        submission.calls
    }
}

/// The calls of some server function.
#[derive(Clone, Copy)]
pub struct Calls {
    path: &'static str,
    pending: RwSignal<bool>,
    version: RwSignal<usize>,
    answer: RwSignal<Option<Result<Arc<[u8]>, AppError>>>,
}

impl Calls {
    fn new(path: &'static str) -> Self {
        let earlier = use_context::<ServerActionError>().filter(|error| error.path() == path);
        let earlier = earlier.map(|error| Err(ServerFnUrlError::<AppError>::decode_err(error.err())));
        Self { path, pending: RwSignal::new(false), version: RwSignal::new(0), answer: RwSignal::new(earlier) }
    }

    fn send(self, form: String) {
        if self.pending.get_untracked() {
            return;
        }
        self.pending.set(true);
        leptos::task::spawn_local(async move {
            let answer = post(self.path, form).await;
            let news = answer.as_ref().map_or_else(|error| is_out_of_date(&error.0), |_| true);
            // The page may have gone in the meantime.
            self.answer.try_set(Some(answer.map(Arc::from)));
            self.pending.try_set(false);
            if news {
                self.version.try_update(|version| *version += 1);
            }
        });
    }

    /// Whether a call is on its way.
    pub fn pending(self) -> Signal<bool> {
        self.pending.into()
    }

    /// The problem of the last call.
    pub fn problem(self) -> Signal<Option<Problem>> {
        Signal::derive(move || {
            self.answer.with(|answer| answer.as_ref().and_then(|answer| answer.as_ref().err().map(|e| e.0.clone())))
        })
    }
}

/// Whether a call was refused because things are not as the page shows them.
fn is_out_of_date(problem: &Problem) -> bool {
    matches!(problem.status, 404 | 409 | 410) && problem.errors.is_empty()
}

/// A form that calls a server function, with JavaScript and without. Whoever has sent it and is refused comes to the first
/// field that has to be put right.
#[component]
pub fn SubmitForm(
    /// What it calls: a [`Submission`].
    #[prop(into)]
    to: Calls,
    /// The fields, and the button that sends.
    children: Children,
) -> impl IntoView {
    let submit = move |event: SubmitEvent| {
        if event.default_prevented() {
            return;
        }
        event.prevent_default();
        let fields = form_data_from_event(&event).ok();
        let form = fields.and_then(|fields| web_sys::UrlSearchParams::new_with_str_sequence_sequence(&fields).ok());
        if let Some(form) = form.and_then(|form| form.to_string().as_string()) {
            to.send(form);
        }
    };
    let form = NodeRef::<html::Form>::new();
    Effect::new(move |_| {
        if to.answer.with(|answer| matches!(answer, Some(Err(_)))) {
            // Once the fields say what is wrong with them.
            request_animation_frame(move || to_first_fault(form));
        }
    });
    view! {
        <form method="post" action=to.path on:submit=submit node_ref=form>
            {children()}
        </form>
    }
}

fn to_first_fault(form: NodeRef<html::Form>) {
    // The page may have drawn another in its place before this frame.
    let Some(form) = form.try_get_untracked().flatten() else { return };
    // Who has gone on to something else meanwhile stays there.
    if !form.contains(document().active_element().as_deref()) {
        return;
    }
    let fault = form.query_selector("[aria-invalid=true]").ok().flatten();
    if let Some(fault) = fault.and_then(|fault| fault.dyn_into::<web_sys::HtmlElement>().ok()) {
        let _ = fault.focus();
    }
}

/// Does something in the browser each time a call has ended well: close the dialog, say so, go on.
pub fn when_done<S>(submission: Submission<S>, done: impl Fn(S::Output) + 'static)
where
    S: ServerFn<Error = AppError> + Serialize + 'static,
    S::Output: DeserializeOwned,
{
    each_success(
        submission.calls,
        Box::new(move |answer| {
            if let Ok(output) = read(answer) {
                done(output);
            }
        }),
    );
}

/// What is done with an answer. Boxed, so that the browser's program has what follows once.
type Done = Box<dyn Fn(&[u8])>;

fn each_success(calls: Calls, done: Done) {
    Effect::new(move |_| {
        if let Some(Ok(answer)) = calls.answer.get() {
            untrack(|| done(&answer));
        }
    });
}
