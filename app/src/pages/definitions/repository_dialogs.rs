//! The dialogs around a repository: how it is followed, and its end.

use domain::view::RepositoryView;
use leptos::prelude::*;

use super::repositories::RepositoryActions;
use crate::{
    api::repositories::{DeleteRepository, PutRepository},
    components::{Button, ButtonLook, Dialog, FormFeedback, SelectField, TextArea, TextField, Toggle},
    i18n::{Texts, use_texts},
    submission::{Submission, SubmitForm},
    url_state::query_text,
    view,
};

/// Minutes between two looks that can be chosen.
const EVERY: [u32; 5] = [1, 5, 15, 60, 1440];

/// Whichever dialog the address names.
#[component]
pub(super) fn RepositoryDialogs(repositories: Vec<RepositoryView>, actions: RepositoryActions) -> impl IntoView {
    let dialog = query_text("dialog");
    move || {
        let name = dialog.get();
        if name == "new" {
            return Some(view! { <Settings dialog=name repository=None action=actions.put/> });
        }
        let (what, which) = name.split_once('-')?;
        let is_meant = |one: &&RepositoryView| format!("{}/{}", one.namespace, one.name) == which;
        let repository = repositories.iter().find(is_meant)?.clone();
        match what {
            "edit" => Some(view! { <Settings dialog=name.clone() repository=Some(repository) action=actions.put/> }),
            "delete" => Some(view! { <Delete dialog=name.clone() repository action=actions.delete/> }),
            _ => None,
        }
    }
}

/// How often it is looked at, in words; the stored number is among the choices, whatever it is.
fn choices(t: Texts, stored: Option<u32>) -> Vec<(String, String)> {
    let t = t.repositories;
    let words = |minutes: u32| match minutes {
        1440 => t.every_day().to_owned(),
        60 => t.every_hour().to_owned(),
        _ => t.every_minutes(minutes as usize),
    };
    let mut minutes: Vec<u32> = EVERY.into_iter().chain(stored).collect();
    minutes.sort_unstable();
    minutes.dedup();
    let never = (String::new(), t.every_never().to_owned());
    std::iter::once(never).chain(minutes.into_iter().map(|one| (one.to_string(), words(one)))).collect()
}

/// The names of a repository, which stay what they are; or the fields for them.
fn names(t: Texts, repository: Option<&RepositoryView>, action: Submission<PutRepository>) -> AnyView {
    if let Some(RepositoryView { namespace, name, .. }) = repository {
        return view! {
            <input type="hidden" name="namespace" value=namespace.to_string()/>
            <input type="hidden" name="name" value=name.to_string()/>
        };
    }
    view! {
        <TextField
            name="namespace"
            label=t.definitions.namespace()
            hint=t.repositories.namespace_hint()
            code=true
            maxlength=63_u32
            error=action.error("/namespace")
        />
        <TextField
            name="name"
            label=t.common.name()
            hint=t.repositories.name_hint()
            code=true
            maxlength=63_u32
            error=action.error("/name")
        />
    }
}

#[component]
fn Settings(dialog: String, repository: Option<RepositoryView>, action: Submission<PutRepository>) -> impl IntoView {
    let t = use_texts();
    let title = match &repository {
        Some(one) => t.repositories.change_of(format!("{}/{}", one.namespace, one.name)),
        None => t.repositories.add().to_owned(),
    };
    let repository = StoredValue::new(repository);
    view! {
        <Dialog name=dialog title>
            <SubmitForm to=action>
                <div class="stack">
                    <FormFeedback problem=action.problem()/>
                    {repository.with_value(|repository| fields(t, repository.as_ref(), action))}
                    <div class="dialog__buttons">
                        <Button look=ButtonLook::Primary busy=action.pending()>{t.repositories.keep()}</Button>
                    </div>
                </div>
            </SubmitForm>
        </Dialog>
    }
}

fn fields(t: Texts, repository: Option<&RepositoryView>, action: Submission<PutRepository>) -> AnyView {
    let of = |part: fn(&RepositoryView) -> &str| repository.map_or_else(String::new, |one| part(one).to_owned());
    let branch = repository.map_or_else(|| "main".to_owned(), |one| one.branch.clone());
    let has_account = repository.is_some_and(|one| one.account.is_some());
    let has_authority = repository.is_some_and(|one| one.authority.is_some());
    let has_hook = repository.is_some_and(|one| one.hook.is_some());
    let every = repository.map_or(Some(15), |one| one.every_minutes);
    let t_ = t.repositories;
    let kept = |stored: bool, otherwise: &'static str| if stored { t.admin.secret_kept() } else { otherwise };
    view! {
        {names(t, repository, action)}
        <TextField
            name="url"
            label=t_.address()
            kind="url"
            hint=t_.address_hint()
            value=of(|one| &one.url)
            maxlength=500_u32
            code=true
            error=action.error("/url")
        />
        <TextField name="branch" label=t_.branch() value=branch code=true maxlength=500_u32 error=action.error("/branch")/>
        <TextField
            name="folder"
            label=t_.folder()
            hint=t_.folder_hint()
            value=of(|one| &one.folder)
            optional=true
            code=true
            maxlength=500_u32
            error=action.error("/folder")
        />
        <TextField
            name="account"
            label=t_.account()
            hint=t_.account_hint()
            value=of(|one| one.account.as_deref().unwrap_or_default())
            optional=true
            code=true
            autocomplete="off"
            error=action.error("/account")
        />
        <TextField
            name="password"
            label=t_.password()
            kind="password"
            hint=kept(has_account, t_.password_hint())
            optional=true
            autocomplete="off"
            error=action.error("/password")
        />
        <TextArea
            name="authority"
            label=t_.authority()
            hint=if has_authority { t_.authority_kept() } else { t_.authority_hint() }
            optional=true
            error=action.error("/authority")
        />
        {has_authority.then(|| view! { <Toggle name="without_authority" label=t_.without_authority()/> })}
        <SelectField
            name="every_minutes"
            label=t_.every()
            options=choices(t, every)
            value=every.map(|minutes| minutes.to_string()).unwrap_or_default()
            optional=true
            error=action.error("/everyMinutes")
        />
        <TextField
            name="hook_secret"
            label=t_.hook_secret()
            kind="password"
            hint=kept(has_hook, t_.hook_hint())
            optional=true
            autocomplete="off"
            error=action.error("/hookSecret")
        />
        {has_hook.then(|| view! { <Toggle name="without_hook" label=t_.without_hook()/> })}
        <p class="muted">{t_.author_note()}</p>
    }
}

#[component]
fn Delete(dialog: String, repository: RepositoryView, action: Submission<DeleteRepository>) -> impl IntoView {
    let t = use_texts();
    let title = t.repositories.remove_of(format!("{}/{}", repository.namespace, repository.name));
    let (namespace, name) = (repository.namespace.to_string(), repository.name.to_string());
    view! {
        <Dialog name=dialog title>
            {
                let (namespace, name) = (namespace.clone(), name.clone());
                view! {
                    <SubmitForm to=action>
                        <div class="stack">
                            <FormFeedback problem=action.problem()/>
                            <p>{t.repositories.remove_text()}</p>
                            <input type="hidden" name="namespace" value=namespace/>
                            <input type="hidden" name="name" value=name/>
                            <div class="dialog__buttons">
                                <Button look=ButtonLook::Danger busy=action.pending()>{t.repositories.remove()}</Button>
                            </div>
                        </div>
                    </SubmitForm>
                }
            }
        </Dialog>
    }
}
