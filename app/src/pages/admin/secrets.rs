use domain::{Operation, view::SecretView};
use leptos::prelude::*;

use super::{
    close_dialog,
    namespace_card::{Held, NamespaceCard, held},
};
use crate::{
    api::admin::{DeleteSecret, PutSecret, secrets},
    components::{
        Button, ButtonLook, Dialog, FormFeedback, Glyph, LinkButton, Moment, TextArea, TextField, dialog_href,
        use_toasts,
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
    let close = close_dialog();
    let close_too = close.clone();
    when_done(put, move |()| {
        toasts.done(t.common.saved());
        close();
    });
    when_done(delete, move |()| close_too());
    let data = Data::new(move || (put.version().get(), delete.version().get()), |_| secrets());
    view! {
        <NamespaceCard
            title=t.admin.secrets()
            lead=t.admin.secrets_lead()
            list=held(data, Glyph::Key, t.admin.secrets_none(), move |secret| line(secret, delete))
            dialog="secret"
            add=t.admin.secret_new()
            verb=t.common.save()
            to=put
        >
            <TextField
                name="namespace"
                id="secret-namespace"
                label=t.admin.place()
                code=true
                maxlength=63_u32
                error=put.error("/namespace")
            />
            <TextField
                name="name"
                id="secret-name"
                label=t.admin.secret_name()
                hint=t.admin.secret_name_hint()
                code=true
                maxlength=128_u32
                error=put.error("/name")
            />
            <TextArea
                name="value"
                id="secret-value"
                label=t.admin.secret_value()
                hint=t.admin.secret_value_hint()
                error=put.error("/value")
            />
        </NamespaceCard>
    }
}

fn line(secret: SecretView, delete: Submission<DeleteSecret>) -> Held {
    let t = use_texts();
    let (namespace, name) = (secret.namespace.to_string(), secret.name);
    let place = format!("{namespace}/{name}");
    let dialog = format!("delete-{place}");
    let title = t.admin.secret_delete(&place);
    let words = StoredValue::new((namespace, name, title.clone()));
    let away = view! {
        <LinkButton href=dialog_href(dialog.clone()) small=true look=ButtonLook::Danger>{t.common.delete()}</LinkButton>
        <Dialog name=dialog title>
            {
                let (namespace, name, title) = words.get_value();
                view! {
                    <SubmitForm to=delete>
                        <div class="stack">
                            <FormFeedback problem=delete.problem()/>
                            <p>{t.admin.secret_delete_text()}</p>
                            <input type="hidden" name="namespace" value=namespace/>
                            <input type="hidden" name="name" value=name/>
                            <Button look=ButtonLook::Danger busy=delete.pending()>{title}</Button>
                        </div>
                    </SubmitForm>
                }
            }
        </Dialog>
    };
    let details = vec![view! { <span>{secret.updated_by.name}</span> }, view! { <Moment at=secret.updated_at/> }];
    Held { what: place, details, away }
}
