use domain::{Operation, view::SecretView};
use leptos::prelude::*;

use crate::{
    api::admin::{DeleteSecret, PutSecret, secrets},
    components::{
        Button, ButtonLook, Card, FormFeedback, Glyph, Icon, Moment, Skeleton, TextArea, TextField, load, use_toasts,
    },
    data::Data,
    i18n::use_texts,
    session::may,
    submission::{Submission, SubmitForm, when_done},
    view,
};

/// The secrets of namespaces, by name: a value goes in and is never shown.
#[component]
pub fn Secrets() -> impl IntoView {
    may(Operation::SecretList).then(|| view! { <List/> })
}

#[component]
fn List() -> impl IntoView {
    let t = use_texts();
    let put = Submission::<PutSecret>::new();
    let delete = Submission::<DeleteSecret>::new();
    let toasts = use_toasts();
    let saved = RwSignal::new(0_u32);
    when_done(put, move |()| {
        toasts.done(t.common.saved());
        saved.update(|times| *times += 1);
    });
    let data = Data::new(move || (put.version().get(), delete.version().get()), |_| secrets());
    view! {
        <Card title=t.admin.secrets()>
            <p>{t.admin.secrets_lead()}</p>
            <FormFeedback problem=delete.problem()/>
            {load(
                data,
                || view! { <Skeleton lines=2/> },
                move |secrets| {
                    let lines: Vec<_> = secrets.into_iter().map(|secret| view! { <Line secret delete/> }).collect();
                    view! { <ul class="lines">{lines}</ul> }
                },
            )}
            // A new form each time: a value that has been taken does not stay in the page.
            {move || {
                saved.track();
                view! {
                    <SubmitForm to=put>
                        <div class="stack">
                            <FormFeedback problem=put.problem()/>
                            <TextField
                                name="namespace"
                                id="secret-namespace"
                                label=t.admin.place()
                                code=true
                                error=put.error("/namespace")
                            />
                            <TextField
                                name="name"
                                id="secret-name"
                                label=t.admin.secret_name()
                                hint=t.admin.secret_name_hint()
                                code=true
                                error=put.error("/name")
                            />
                            <TextArea
                                name="value"
                                id="secret-value"
                                label=t.admin.secret_value()
                                hint=t.admin.secret_value_hint()
                                error=put.error("/value")
                            />
                            <Button busy=put.pending()>{t.common.save()}</Button>
                        </div>
                    </SubmitForm>
                }
            }}
        </Card>
    }
}

#[component]
fn Line(secret: SecretView, delete: Submission<DeleteSecret>) -> impl IntoView {
    let t = use_texts();
    let namespace = secret.namespace.to_string();
    view! {
        <li class="line">
            <span class="line__glyph"><Icon glyph=Glyph::Key/></span>
            <span class="line__text">
                <span class="line__title line__title--plain">
                    <code>{format!("{namespace}/{}", secret.name)}</code>
                </span>
                <span class="line__detail">
                    <span>{secret.updated_by.name}</span>
                    <Moment at=secret.updated_at/>
                </span>
            </span>
            <span class="line__side">
                <SubmitForm to=delete>
                    <input type="hidden" name="namespace" value=namespace/>
                    <input type="hidden" name="name" value=secret.name/>
                    <Button small=true look=ButtonLook::Danger>{t.common.delete()}</Button>
                </SubmitForm>
            </span>
        </li>
    }
}
