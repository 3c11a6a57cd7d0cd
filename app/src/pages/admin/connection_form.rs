//! The dialogs around a connection: its kind, its settings by the kind's schema, its end.

use domain::view::{ConnectionView, OwnerView};
use leptos::prelude::*;
use serde_json::Value;

use super::connections::ConnectionActions;
use crate::{
    api::admin::{ConnectionKind, DeleteConnection, PutConnection},
    components::{Button, ButtonLook, Dialog, FormFeedback, Glyph, Icon, SettingField, TextField, dialog_href},
    i18n::use_texts,
    model::connection_settings::form,
    session::use_me,
    submission::{Submission, SubmitForm},
    url_state::query_text,
    view,
};

/// Whichever dialog the address names.
#[component]
pub(super) fn ConnectionDialogs(
    connections: Vec<ConnectionView>,
    kinds: Vec<ConnectionKind>,
    actions: ConnectionActions,
) -> impl IntoView {
    let t = use_texts();
    let dialog = query_text("dialog");
    move || {
        let name = dialog.get();
        if name == "new" {
            return Some(view! { <ChooseKind kinds=kinds.clone()/> });
        }
        let (what, which) = name.split_once('-')?;
        if what == "new" {
            let kind = kinds.iter().find(|kind| kind.kind == which)?.clone();
            let title = t.admin.connection_new_of(&kind.title);
            return Some(view! { <Settings dialog=name.clone() title kind connection=None action=actions.put/> });
        }
        let connection = connections.iter().find(|connection| connection.id.to_string() == which)?.clone();
        match what {
            "edit" => {
                let kind = kinds.iter().find(|kind| kind.kind == connection.kind)?.clone();
                let title = t.admin.connection_change(&connection.name);
                let connection = Some(connection);
                Some(view! { <Settings dialog=name.clone() title kind connection action=actions.put/> })
            }
            "delete" => Some(view! { <Delete dialog=name.clone() connection action=actions.delete/> }),
            _ => None,
        }
    }
}

#[component]
fn ChooseKind(kinds: Vec<ConnectionKind>) -> impl IntoView {
    let t = use_texts();
    view! {
        <Dialog name="new" title=t.admin.connection_new()>
            <p>{t.admin.connection_choose()}</p>
            <div class="choices">
                {kinds
                    .iter()
                    .map(|kind| {
                        view! {
                            <a class="choice" href=dialog_href(format!("new-{}", kind.kind))>
                                <Icon glyph=Glyph::Plug/>
                                <span>{kind.title.clone()}</span>
                            </a>
                        }
                    })
                    .collect::<Vec<_>>()}
            </div>
        </Dialog>
    }
}

#[component]
fn Settings(
    dialog: String,
    title: String,
    kind: ConnectionKind,
    connection: Option<ConnectionView>,
    action: Submission<PutConnection>,
) -> impl IntoView {
    let t = use_texts();
    let stored = connection.as_ref().map_or(Value::Null, |connection| connection.settings.clone());
    let has_secret = connection.as_ref().is_some_and(|connection| connection.has_secret);
    let settings = form(&kind.schema, &stored, has_secret);
    let namespaces = connection.as_ref().map_or_else(|| "*".to_owned(), |connection| connection.namespaces.join(", "));
    let name = connection.as_ref().map(|connection| connection.name.clone()).unwrap_or_default();
    // Whoever makes a connection owns it, unless they name somebody else.
    let own = || use_me().map(|me| me.login).unwrap_or_default();
    let owner = match &connection {
        None => own(),
        Some(connection) => connection.owner.as_ref().map(owner_name).unwrap_or_default(),
    };
    let may_be_nobodys = connection.as_ref().is_some_and(|connection| connection.owner.is_none());
    let id = connection.as_ref().map(|connection| connection.id.to_string());
    let kind = kind.kind;
    view! {
        <Dialog name=dialog title>
            {
                let (id, kind, name, namespaces, owner, settings) =
                    (id.clone(), kind.clone(), name.clone(), namespaces.clone(), owner.clone(), settings.clone());
                view! {
                    <SubmitForm to=action>
                        <div class="stack">
                            <FormFeedback problem=action.problem()/>
                            {id.map(|id| view! { <input type="hidden" name="id" value=id/> })}
                            <input type="hidden" name="kind" value=kind/>
                            <TextField
                                name="name"
                                label=t.common.name()
                                hint=t.admin.connection_name_hint()
                                value=name
                                maxlength=63_u32
                                code=true
                                error=action.error("/name")
                            />
                            <TextField
                                name="namespaces"
                                label=t.admin.usable_in()
                                hint=t.admin.namespaces_hint()
                                value=namespaces
                                code=true
                                error=action.error("/namespaces")
                            />
                            <TextField
                                name="owner"
                                label=t.admin.owner()
                                hint=t.admin.owner_hint()
                                value=owner
                                optional=may_be_nobodys
                                error=action.error("/owner")
                            />
                            {settings
                                .into_iter()
                                .map(|setting| {
                                    view! { <SettingField setting has_secret problem=action.problem() place="/settings"/> }
                                })
                                .collect::<Vec<_>>()}
                            <p class="muted">{t.admin.tested_on_save()}</p>
                            <Button look=ButtonLook::Primary busy=action.pending()>{t.admin.save_and_test()}</Button>
                        </div>
                    </SubmitForm>
                }
            }
        </Dialog>
    }
}

/// The owner as the form takes it: a sign-in name, or `team NAME`.
pub(super) fn owner_name(owner: &OwnerView) -> String {
    match owner {
        OwnerView::User { login, .. } => login.clone(),
        OwnerView::Team { name, .. } => format!("team {name}"),
    }
}

#[component]
fn Delete(dialog: String, connection: ConnectionView, action: Submission<DeleteConnection>) -> impl IntoView {
    let t = use_texts();
    let title = t.admin.connection_delete(&connection.name);
    let verb = title.clone();
    view! {
        <Dialog name=dialog title>
            {
                let verb = verb.clone();
                view! {
                    <SubmitForm to=action>
                        <div class="stack">
                            <FormFeedback problem=action.problem()/>
                            <p>{t.admin.connection_delete_text()}</p>
                            <input type="hidden" name="id" value=connection.id.to_string()/>
                            <Button look=ButtonLook::Danger busy=action.pending()>{verb.clone()}</Button>
                        </div>
                    </SubmitForm>
                }
            }
        </Dialog>
    }
}
