//! What a one-time link leads to.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;

use super::{setup::NewPassword, sign_in::Brand};
use crate::{
    api::sign_in::{ClaimPassword, RevealPassword, link},
    components::{
        Banner, Button, ButtonLook, CopyButton, FormFeedback, Glyph, LinkButton, Moment, Skeleton, Tone, leave_for,
        load,
    },
    data::Data,
    frame::LocaleForm,
    i18n::use_texts,
    submission::{Submission, SubmitForm, when_done},
    view,
};

/// The token in the address.
pub(super) fn link_token() -> Memo<String> {
    let params = use_params_map();
    Memo::new(move |_| params.with(|params| params.get("token").unwrap_or_default()))
}

/// What a one-time link leads to: a password to be set, or one to be shown.
#[component]
pub fn LinkPage() -> impl IntoView {
    let t = use_texts();
    let token = link_token();
    let known = Data::new(move || token.get(), link);
    // After a form without JavaScript the link is used up and what it showed comes along, once.
    let shown = SharedValue::new(|| {
        #[cfg(feature = "ssr")]
        return crate::api::take_once("password");
        #[cfg(not(feature = "ssr"))]
        None::<String>
    })
    .into_inner();
    let content = match shown {
        Some(password) => view! { <Revealed password/> },
        None => load(
            known,
            || view! { <Skeleton lines=4/> },
            move |link| match link.purpose.as_str() {
                "reveal-password" => view! { <Reveal token/> },
                _ => {
                    view! { <SetPassword token login=link.login.unwrap_or_default() until=link.expires_at/> }
                }
            },
        ),
    };
    view! {
        <Title text=t.account.link_title()/>
        <div class="gate">
            <div class="gate__panel">
                <Brand/>
                {content}
                <div class="gate__foot">
                    <LocaleForm/>
                </div>
            </div>
        </div>
    }
}

#[component]
fn SetPassword(token: Memo<String>, login: String, until: domain::Timestamp) -> impl IntoView {
    let t = use_texts().account;
    let action = Submission::<ClaimPassword>::new();
    when_done(action, |()| leave_for("/"));
    view! {
        <h1 class="gate__title">{t.set_password_title()}</h1>
        <p class="gate__lead">{t.set_password_lead(&login)} " " {t.link_until()} " " <Moment at=until exact=true/></p>
        <SubmitForm to=action>
            <div class="stack">
                <FormFeedback problem=action.problem()/>
                <input type="hidden" name="token" value=token.get_untracked()/>
                // Password managers want to know whose password it is.
                <input type="text" name="username" autocomplete="username" value=login readonly=true hidden=true/>
                <NewPassword password=action.error("/password") repeated=action.error("/repeated")/>
                <Button look=ButtonLook::Primary busy=action.pending()>{t.set_password_send()}</Button>
            </div>
        </SubmitForm>
    }
}

/// The password is shown only after a click: programs that look at links in mails must not use it up.
#[component]
fn Reveal(token: Memo<String>) -> impl IntoView {
    let t = use_texts().account;
    let action = Submission::<RevealPassword>::new();
    move || match action.output() {
        Some(password) => view! { <Revealed password/> },
        None => view! {
            <h1 class="gate__title">{t.reveal_title()}</h1>
            <p class="gate__lead">{t.reveal_lead()}</p>
            <SubmitForm to=action>
                <div class="stack">
                    <FormFeedback problem=action.problem()/>
                    <input type="hidden" name="token" value=token.get_untracked()/>
                    <Button look=ButtonLook::Primary icon=Glyph::Eye busy=action.pending()>{t.reveal_send()}</Button>
                </div>
            </SubmitForm>
        },
    }
}

#[component]
fn Revealed(password: String) -> impl IntoView {
    let t = use_texts().account;
    view! {
        <h1 class="gate__title">{t.revealed_title()}</h1>
        <div class="secret">
            <code class="secret__text">{password.clone()}</code>
            <CopyButton text=password/>
        </div>
        <Banner tone=Tone::Warning title=t.revealed_once()>{t.revealed_next()}</Banner>
        <LinkButton href="/sign-in" look=ButtonLook::Primary>{t.go_to_sign_in()}</LinkButton>
    }
}
