use domain::{Operation, view::ProcessPermissionView};
use leptos::prelude::*;

use super::{
    close_dialog,
    namespace_card::{Held, NamespaceCard, held},
};
use crate::{
    api::admin::{ForbidProcesses, PermitProcesses, process_permissions},
    components::{Button, ButtonLook, FormFeedback, Glyph, Moment, TextField, use_toasts},
    data::Data,
    i18n::use_texts,
    session::may,
    submission::{Submission, SubmitForm, when_done},
    view,
};

/// The namespaces that may run shell commands, scripts and containers, for those who decide it.
#[component]
pub fn Processes() -> impl IntoView {
    may(Operation::ProcessList).then(|| view! { <Permissions/> })
}

#[component]
fn Permissions() -> impl IntoView {
    let t = use_texts().admin;
    let permit = Submission::<PermitProcesses>::new();
    let forbid = Submission::<ForbidProcesses>::new();
    let toasts = use_toasts();
    let close = close_dialog();
    when_done(permit, move |()| {
        toasts.done(t.processes_permitted());
        close();
    });
    when_done(forbid, move |()| toasts.done(t.processes_forbidden()));
    let data = Data::new(move || (permit.version().get(), forbid.version().get()), |_| process_permissions());
    let list = view! {
        <FormFeedback problem=forbid.problem()/>
        {held(data, Glyph::Key, t.processes_none(), move |permission| line(permission, forbid))}
    };
    view! {
        <NamespaceCard
            title=t.processes()
            lead=t.processes_lead()
            list=list
            dialog="processes"
            add=t.processes_permit_one()
            verb=t.processes_permit()
            to=permit
        >
            <TextField
                name="namespace"
                id="process-namespace"
                label=t.place()
                code=true
                maxlength=63_u32
                error=permit.error("/namespace")
            />
        </NamespaceCard>
    }
}

fn line(permission: ProcessPermissionView, forbid: Submission<ForbidProcesses>) -> Held {
    let t = use_texts().admin;
    let what = permission.namespace.to_string();
    let namespace = what.clone();
    let away = view! {
        <SubmitForm to=forbid>
            <input type="hidden" name="namespace" value=namespace/>
            <Button small=true look=ButtonLook::Danger>{t.revoke()}</Button>
        </SubmitForm>
    };
    let details = vec![
        view! { <span>{permission.granted_by.name}</span> },
        view! { <span>{t.granted()} " " <Moment at=permission.granted_at/></span> },
    ];
    Held { what, details, away }
}
