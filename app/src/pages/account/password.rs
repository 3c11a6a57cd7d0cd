use leptos::{html, prelude::*};
use wasm_bindgen::JsCast as _;

use crate::{
    api::account::ChangePassword,
    components::{Banner, Button, ButtonLook, Card, FormFeedback, TextField, Tone, use_toasts},
    i18n::use_texts,
    pages::setup::NewPassword,
    session::use_me,
    submission::{Submission, SubmitForm, when_done},
    url_state::query_text,
    view,
};

/// Changes one's own password.
#[component]
pub(super) fn PasswordCard() -> impl IntoView {
    let t = use_texts().account;
    let action = Submission::<ChangePassword>::new();
    let me = use_me();
    let must = me.as_ref().is_some_and(|me| me.must_change_password);
    let login = me.map(|me| me.login).unwrap_or_default();
    let done = query_text("done");
    let toasts = use_toasts();
    let form = NodeRef::<html::Div>::new();
    when_done(action, move |()| {
        toasts.done(t.password_changed());
        if let Some(form) = form.get_untracked().and_then(|node| node.closest("form").ok().flatten())
            && let Some(form) = form.dyn_ref::<web_sys::HtmlFormElement>()
        {
            form.reset();
        }
    });
    view! {
        <Card title=t.change_password() subtitle=t.change_password_lead()>
            {move || (done.get() == "password").then(|| view! { <Banner tone=Tone::Success title=t.password_changed()/> })}
            <SubmitForm to=action>
                <div class="stack" node_ref=form>
                    // Password managers want to know whose password it is.
                    <input type="text" name="username" autocomplete="username" value=login readonly=true hidden=true/>
                    <FormFeedback problem=action.problem()/>
                    {(!must)
                        .then(|| {
                            view! {
                                <TextField
                                    name="current"
                                    label=t.current_password()
                                    kind="password"
                                    error=action.error("/current")
                                    autocomplete="current-password"
                                />
                            }
                        })}
                    <NewPassword password=action.error("/password") repeated=action.error("/repeated")/>
                    <div>
                        <Button look=ButtonLook::Primary busy=action.pending()>{t.change_password()}</Button>
                    </div>
                </div>
            </SubmitForm>
        </Card>
    }
}
