//! The first administrator of a new portal.

use leptos::prelude::*;
use leptos_meta::Title;

use super::{link::link_token, sign_in::Brand};
use crate::{
    api::sign_in::{ClaimSetup, link},
    components::{Button, ButtonLook, FormFeedback, Skeleton, TextField, leave_for, load},
    data::Data,
    frame::LocaleForm,
    i18n::use_texts,
    submission::{Submission, SubmitForm, when_done},
    view,
};

/// The shortest password that the server takes, in characters.
pub(super) const PASSWORD_LENGTH: u32 = 12;

/// Where the first administrator of a new portal is created, by the link that the server printed.
#[component]
pub fn SetupPage() -> impl IntoView {
    let t = use_texts();
    let token = link_token();
    let known = Data::new(move || token.get(), link);
    view! {
        <Title text=t.account.setup_title()/>
        <div class="gate">
            <div class="gate__panel">
                <Brand/>
                <h1 class="gate__title">{t.account.setup_title()}</h1>
                {load(known, || view! { <Skeleton lines=6/> }, move |_link| view! { <SetupForm token/> })}
                <div class="gate__foot">
                    <LocaleForm/>
                </div>
            </div>
        </div>
    }
}

#[component]
fn SetupForm(token: Memo<String>) -> impl IntoView {
    let t = use_texts().account;
    let action = Submission::<ClaimSetup>::new();
    when_done(action, |()| leave_for("/"));
    view! {
        <p class="gate__lead">{t.setup_lead()}</p>
        <SubmitForm to=action>
            <div class="stack">
                <FormFeedback problem=action.problem()/>
                <input type="hidden" name="token" value=token.get_untracked()/>
                <TextField
                    name="login"
                    label=t.login()
                    hint=t.login_hint()
                    error=action.error("/login")
                    autocomplete="username"
                    maxlength=64_u32
                    code=true
                    autofocus=true
                />
                <TextField name="name" label=t.full_name() error=action.error("/name") autocomplete="name" maxlength=128_u32/>
                <TextField
                    name="email"
                    label=t.email()
                    kind="email"
                    error=action.error("/email")
                    autocomplete="email"
                    optional=true
                />
                <NewPassword password=action.error("/password") repeated=action.error("/repeated")/>
                <Button look=ButtonLook::Primary busy=action.pending()>{t.setup_send()}</Button>
            </div>
        </SubmitForm>
    }
}

/// A new password, twice.
#[component]
pub(crate) fn NewPassword(
    /// What is wrong with it.
    password: Signal<Option<String>>,
    /// What is wrong with its repetition.
    repeated: Signal<Option<String>>,
) -> impl IntoView {
    let t = use_texts().account;
    view! {
        <TextField
            name="password"
            label=t.new_password()
            kind="password"
            hint=t.new_password_hint(PASSWORD_LENGTH)
            error=password
            autocomplete="new-password"
            minlength=PASSWORD_LENGTH
        />
        <TextField
            name="repeated"
            label=t.repeated()
            kind="password"
            error=repeated
            autocomplete="new-password"
        />
    }
}
