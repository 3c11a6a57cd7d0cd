use domain::{Operation, view::ProcessPermissionView};
use leptos::prelude::*;

use crate::{
    api::admin::{ForbidProcesses, PermitProcesses, process_permissions},
    components::{Button, ButtonLook, Card, FormFeedback, Glyph, Icon, Moment, Skeleton, TextField, load, use_toasts},
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
    let t = use_texts();
    let permit = Submission::<PermitProcesses>::new();
    let forbid = Submission::<ForbidProcesses>::new();
    let toasts = use_toasts();
    when_done(permit, move |()| toasts.done(t.admin.processes_permitted()));
    when_done(forbid, move |()| toasts.done(t.admin.processes_forbidden()));
    let data = Data::new(move || (permit.version().get(), forbid.version().get()), |_| process_permissions());
    view! {
        <Card title=t.admin.processes()>
            <p>{t.admin.processes_lead()}</p>
            <FormFeedback problem=forbid.problem()/>
            {load(
                data,
                || view! { <Skeleton lines=2/> },
                move |permissions| {
                    let lines: Vec<_> =
                        permissions.into_iter().map(|permission| view! { <Permission permission forbid/> }).collect();
                    view! { <ul class="lines">{lines}</ul> }
                },
            )}
            <SubmitForm to=permit>
                <div class="stack">
                    <FormFeedback problem=permit.problem()/>
                    <TextField name="namespace" label=t.admin.place() code=true error=permit.error("/namespace")/>
                    <Button busy=permit.pending()>{t.admin.processes_permit()}</Button>
                </div>
            </SubmitForm>
        </Card>
    }
}

#[component]
fn Permission(permission: ProcessPermissionView, forbid: Submission<ForbidProcesses>) -> impl IntoView {
    let t = use_texts();
    let namespace = permission.namespace.to_string();
    view! {
        <li class="line">
            <span class="line__glyph"><Icon glyph=Glyph::Key/></span>
            <span class="line__text">
                <span class="line__title line__title--plain"><code>{namespace.clone()}</code></span>
                <span class="line__detail">
                    <span>{permission.granted_by.name}</span>
                    <span>{t.admin.granted()} " " <Moment at=permission.granted_at/></span>
                </span>
            </span>
            <span class="line__side">
                <SubmitForm to=forbid>
                    <input type="hidden" name="namespace" value=namespace/>
                    <Button small=true look=ButtonLook::Danger>{t.admin.revoke()}</Button>
                </SubmitForm>
            </span>
        </li>
    }
}
