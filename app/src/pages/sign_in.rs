//! Signing in.

use domain::view::DemoSignIn;
use leptos::prelude::*;
use leptos_meta::Title;
use server_fn::ServerFn;

use crate::{
    api::sign_in::{SignIn, demo_sign_ins},
    components::{Avatar, Button, ButtonLook, FormFeedback, TextField, leave_for},
    data::Data,
    frame::LocaleForm,
    i18n::use_texts,
    submission::{Submission, SubmitForm, when_done},
    url_state::{inner_path, query_text},
    view,
};

/// Where one signs in.
#[component]
pub fn SignInPage() -> impl IntoView {
    let t = use_texts();
    let next = query_text("next");
    let action = Submission::<SignIn>::new();
    when_done(action, |next| leave_for(&next));
    let demo = Data::new(|| (), |()| demo_sign_ins());
    let next_path = Signal::derive(move || inner_path(&next.get()));
    let came_from = move || next_path.with(|path| path != "/");
    view! {
        <Title text=t.account.sign_in_title()/>
        <div class="gate">
            <div class="gate__panel">
                <Brand/>
                <h1 class="gate__title">{t.account.sign_in_title()}</h1>
                <p class="gate__lead">
                    {move || if came_from() { t.account.sign_in_to_go_on() } else { t.account.sign_in_lead() }}
                </p>
                <SubmitForm to=action>
                    <div class="stack">
                        <FormFeedback problem=action.problem()/>
                        <input type="hidden" name="next" value=move || next_path.get()/>
                        <TextField
                            name="login"
                            label=t.account.login()
                            autocomplete="username"
                            code=true
                            autofocus=true
                        />
                        <TextField
                            name="password"
                            label=t.account.password()
                            kind="password"
                            autocomplete="current-password"
                        />
                        <Button look=ButtonLook::Primary busy=action.pending()>{t.frame.sign_in()}</Button>
                    </div>
                </SubmitForm>
                <div class="gate__foot">
                    <LocaleForm/>
                </div>
            </div>
            <Transition fallback=|| ()>
                {move || Suspend::new(async move {
                    let people = demo.get().await.unwrap_or_default();
                    (!people.is_empty()).then(|| view! { <DemoPeople people next=next_path/> })
                })}
            </Transition>
        </div>
    }
}

/// The name of the product above a form.
#[component]
pub(super) fn Brand() -> impl IntoView {
    view! {
        <p class="brand brand--large">
            <svg class="brand__mark" viewBox="0 0 28 28" aria-hidden="true" focusable="false">
                <rect class="brand__field" width="28" height="28" rx="8"></rect>
                <path class="brand__line" d="M19.5 10.2A7 7 0 1 0 21 14.6M21.4 7.2v4.4h-4.4"></path>
            </svg>
            <span class="brand__name">"Rondo"</span>
        </p>
    }
}

/// The people of the demonstration, each a form of one button.
#[component]
fn DemoPeople(people: Vec<DemoSignIn>, next: Signal<String>) -> impl IntoView {
    let t = use_texts();
    let cards: Vec<_> = people
        .into_iter()
        .map(|person| {
            let role = person.role.as_str();
            let title = t.common.by_key(&format!("role_{role}")).unwrap_or_default();
            let what = t.account.by_key(&format!("demo_{role}")).unwrap_or_default();
            view! {
                <li>
                    <form method="post" action=SignIn::url()>
                        <input type="hidden" name="next" value=move || next.get()/>
                        <input type="hidden" name="login" value=person.login.clone()/>
                        <input type="hidden" name="password" value=person.password.clone()/>
                        <button class="demo-card" type="submit">
                            <Avatar name=person.login.clone()/>
                            <span class="demo-card__text">
                                <span class="demo-card__role">{title}</span>
                                <span class="demo-card__what">{what}</span>
                                <span class="demo-card__login">
                                    <code>{person.login.clone()}</code>" · "<code>{person.password.clone()}</code>
                                </span>
                            </span>
                        </button>
                    </form>
                </li>
            }
        })
        .collect();
    view! {
        <section class="gate__demo" aria-labelledby="demo-title">
            <h2 class="gate__subtitle" id="demo-title">{t.account.demo_title()}</h2>
            <p class="gate__lead">{t.account.demo_lead()}</p>
            <ul class="demo-cards">{cards}</ul>
        </section>
    }
}
