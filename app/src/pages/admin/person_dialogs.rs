use domain::view::UserView;
use leptos::prelude::*;

use super::{close_dialog, people::PeopleActions};
use crate::{
    api::admin::{CreateUser, EraseUser, ResetPassword, SetUserActive, UpdateUser},
    components::{Banner, Button, ButtonLook, CopyButton, Dialog, FormFeedback, TextField, Tone, use_toasts},
    i18n::use_texts,
    submission::{Submission, SubmitForm, when_done},
    view,
};

/// The one-time link of a person just created or reset, to be passed on.
#[component]
pub(super) fn OneTimeLink(actions: PeopleActions) -> impl IntoView {
    let t = use_texts().admin;
    let kept = SharedValue::new(|| {
        #[cfg(feature = "ssr")]
        return crate::api::take_once("link");
        #[cfg(not(feature = "ssr"))]
        None::<String>
    })
    .into_inner();
    let link = RwSignal::new(kept);
    when_done(actions.create, move |made| link.set(Some(made)));
    when_done(actions.reset, move |made| link.set(Some(made)));
    // Only the browser knows by which address it reaches the portal.
    let origin = RwSignal::new(String::new());
    Effect::new(move |_| origin.set(window().location().origin().unwrap_or_default()));
    move || {
        let path = link.get()?;
        let address = if path.starts_with('/') { format!("{}{path}", origin.get()) } else { path };
        Some(view! {
            <Banner tone=Tone::Success title=t.link_made()>
                <p>{t.link_pass_on()}</p>
                <div class="secret">
                    <code class="secret__text">{address.clone()}</code>
                    <CopyButton text=address/>
                </div>
            </Banner>
        })
    }
}

/// Creates a person.
#[component]
pub(super) fn NewPerson(action: Submission<CreateUser>) -> impl IntoView {
    let t = use_texts();
    let close = close_dialog();
    when_done(action, move |_| close());
    view! {
        <Dialog name="new" title=t.admin.person_new()>
            <SubmitForm to=action>
                <div class="stack">
                    <FormFeedback problem=action.problem()/>
                    <TextField
                        name="name"
                        label=t.common.name()
                        maxlength=128_u32
                        error=action.error("/name")
                        autofocus=true
                    />
                    <TextField
                        name="login"
                        label=t.admin.login()
                        hint=t.account.login_hint()
                        maxlength=64_u32
                        code=true
                        error=action.error("/login")
                    />
                    <TextField
                        name="email"
                        label=t.admin.email()
                        kind="email"
                        optional=true
                        error=action.error("/email")
                    />
                    <TextField
                        name="manager"
                        label=t.admin.manager()
                        hint=t.admin.manager_hint()
                        code=true
                        optional=true
                        error=action.error("/manager")
                    />
                    <Button look=ButtonLook::Primary busy=action.pending()>{t.admin.person_create()}</Button>
                </div>
            </SubmitForm>
        </Dialog>
    }
}

/// Changes a person.
#[component]
pub(super) fn EditPerson(name: String, person: UserView, action: Submission<UpdateUser>) -> impl IntoView {
    let t = use_texts();
    let close = close_dialog();
    let toasts = use_toasts();
    when_done(action, move |()| {
        toasts.done(t.common.saved());
        close();
    });
    let title = t.admin.person_change(&person.name);
    view! {
        <Dialog name title>
            {
                let person = person.clone();
                view! {
                    <SubmitForm to=action>
                        <div class="stack">
                            <FormFeedback problem=action.problem()/>
                            <input type="hidden" name="id" value=person.id.to_string()/>
                            <TextField
                                name="name"
                                label=t.common.name()
                                maxlength=128_u32
                                value=person.name.clone()
                                error=action.error("/name")
                            />
                            <TextField
                                name="email"
                                label=t.admin.email()
                                kind="email"
                                optional=true
                                value=person.email.clone().unwrap_or_default()
                                error=action.error("/email")
                            />
                            <TextField
                                name="manager"
                                label=t.admin.manager()
                                hint=t.admin.manager_hint()
                                code=true
                                optional=true
                                value=person.manager.clone().map(|manager| manager.login).unwrap_or_default()
                                error=action.error("/manager")
                            />
                            <Button look=ButtonLook::Primary busy=action.pending()>{t.common.save()}</Button>
                        </div>
                    </SubmitForm>
                }
            }
        </Dialog>
    }
}

/// Makes a link for a new password.
#[component]
pub(super) fn ResetDialog(name: String, person: UserView, action: Submission<ResetPassword>) -> impl IntoView {
    let t = use_texts();
    let close = close_dialog();
    when_done(action, move |_| close());
    let title = t.admin.reset_title(&person.name);
    view! {
        <Dialog name title>
            <SubmitForm to=action>
                <div class="stack">
                    <FormFeedback problem=action.problem()/>
                    <p>{t.admin.reset_text()}</p>
                    <input type="hidden" name="id" value=person.id.to_string()/>
                    <Button look=ButtonLook::Primary busy=action.pending()>{t.admin.reset()}</Button>
                </div>
            </SubmitForm>
        </Dialog>
    }
}

/// Disables or enables a person.
#[component]
pub(super) fn ActivityDialog(name: String, person: UserView, action: Submission<SetUserActive>) -> impl IntoView {
    let t = use_texts();
    let close = close_dialog();
    let toasts = use_toasts();
    when_done(action, move |()| {
        toasts.done(t.common.saved());
        close();
    });
    let active = person.active;
    let title = if active { t.admin.disable_title(&person.name) } else { t.admin.enable_title(&person.name) };
    let verb = title.clone();
    view! {
        <Dialog name title>
            {
                let verb = verb.clone();
                view! {
                    <SubmitForm to=action>
                        <div class="stack">
                            <FormFeedback problem=action.problem()/>
                            <p>{if active { t.admin.disable_text() } else { t.admin.enable_text() }}</p>
                            <input type="hidden" name="id" value=person.id.to_string()/>
                            <input type="hidden" name="active" value=if active { "false" } else { "true" }/>
                            <Button look=if active { ButtonLook::Danger } else { ButtonLook::Primary } busy=action.pending()>
                                {verb.clone()}
                            </Button>
                        </div>
                    </SubmitForm>
                }
            }
        </Dialog>
    }
}

/// Erases a person who has left, once their sign-in name was typed.
#[component]
pub(super) fn EraseDialog(name: String, person: UserView, action: Submission<EraseUser>) -> impl IntoView {
    let t = use_texts();
    let close = close_dialog();
    let toasts = use_toasts();
    when_done(action, move |()| {
        toasts.done(t.admin.erase_begun());
        close();
    });
    let title = t.admin.erase_title(&person.name);
    view! {
        <Dialog name title>
            {
                let person = person.clone();
                view! { <EraseForm person action/> }
            }
        </Dialog>
    }
}

/// What erasing means, and the form that confirms it; or what has to come before.
#[component]
fn EraseForm(person: UserView, action: Submission<EraseUser>) -> impl IntoView {
    let t = use_texts();
    if person.active {
        return view! { <p>{t.admin.erase_first()}</p> };
    }
    let confirm = t.admin.erase_confirm(&person.login);
    view! {
        <SubmitForm to=action>
            <div class="stack">
                <FormFeedback problem=action.problem()/>
                <p>{t.admin.erase_text()}</p>
                <p>{t.admin.erase_stays()}</p>
                <input type="hidden" name="id" value=person.id.to_string()/>
                <TextField name="reason" label=t.admin.erase_reason() maxlength=500_u32 error=action.error("/reason")/>
                <TextField name="login" label=confirm autocomplete="off" error=action.error("/login")/>
                <Button look=ButtonLook::Danger busy=action.pending()>{t.admin.erase()}</Button>
            </div>
        </SubmitForm>
    }
}
