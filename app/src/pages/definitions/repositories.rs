//! Repositories whose branches bring definitions, and what came of each.

use domain::{
    FileOutcome, Operation,
    view::{FileReport, RepositoryView},
};
use leptos::prelude::*;

use super::{
    file_reports::{counts, reports},
    repository_dialogs::RepositoryDialogs,
};
use crate::{
    api::repositories::{DeleteRepository, PutRepository, SyncRepository, repositories},
    components::{
        Badge, Banner, Button, ButtonLook, Card, CopyButton, DefinitionList, EmptyState, FormFeedback, Glyph,
        LinkButton, Menu, MenuLink, Moment, PageHeader, Skeleton, Tone, dialog_href, load, use_toasts,
    },
    data::Data,
    i18n::{Texts, use_texts},
    live::{Topic, use_live},
    pages::admin::close_dialog,
    session::may,
    submission::{Submission, SubmitForm, when_done},
    url_state::query_text,
    view,
};

/// What can be done with repositories.
#[derive(Clone, Copy)]
pub(super) struct RepositoryActions {
    pub(super) put: Submission<PutRepository>,
    pub(super) delete: Submission<DeleteRepository>,
    sync: Submission<SyncRepository>,
}

/// The repositories of the namespaces for which one writes, reviews or administers.
#[component]
pub fn RepositoriesPage() -> impl IntoView {
    let t = use_texts();
    let actions = RepositoryActions { put: Submission::new(), delete: Submission::new(), sync: Submission::new() };
    let toasts = use_toasts();
    let close = close_dialog();
    let close_too = close.clone();
    when_done(actions.put, move |()| {
        toasts.done(t.repositories.kept());
        close();
    });
    when_done(actions.delete, move |()| {
        toasts.done(t.repositories.removed());
        close_too();
    });
    when_done(actions.sync, move |()| toasts.done(t.repositories.asked()));
    let (live, dialog) = (use_live(), query_text("dialog"));
    // Whoever is typing is not disturbed by what happens to the repositories meanwhile.
    let seen = Memo::new(move |before: Option<&u64>| {
        let now = live.version(Topic::Repositories);
        before.copied().filter(|_| !dialog.get().is_empty()).unwrap_or(now)
    });
    let changes =
        move || (actions.put.version().get(), actions.delete.version().get(), actions.sync.version().get(), seen.get());
    let data = Data::new(changes, |_| repositories());
    view! {
        <PageHeader title=t.repositories.title() subtitle=t.repositories.lead()>
            {may(Operation::RepositoryUpdate)
                .then(|| {
                    view! {
                        <LinkButton href=dialog_href("new") look=ButtonLook::Primary icon=Glyph::Plus>
                            {t.repositories.add()}
                        </LinkButton>
                    }
                })}
        </PageHeader>
        <FormFeedback problem=actions.sync.problem()/>
        {load(
            data,
            || view! { <Card><Skeleton lines=8/></Card> },
            move |repositories| {
                let known = repositories.clone();
                let none = repositories.is_empty();
                let cards: Vec<_> =
                    repositories.into_iter().map(|one| view! { <Repository repository=one actions/> }).collect();
                view! {
                    {none.then(|| empty(t))}
                    <div class="stack">{cards}</div>
                    <RepositoryDialogs repositories=known actions/>
                }
            },
        )}
    }
}

fn empty(t: Texts) -> AnyView {
    view! {
        <Card>
            <EmptyState glyph=Glyph::Branch title=t.repositories.none() text=t.repositories.none_text()/>
        </Card>
    }
}

#[component]
fn Repository(repository: RepositoryView, actions: RepositoryActions) -> impl IntoView {
    let t = use_texts();
    let title = format!("{}/{}", repository.namespace, repository.name);
    let may = |operation| repository.actions.contains(&operation);
    let (namespace, name) = (repository.namespace.to_string(), repository.name.to_string());
    let sync = may(Operation::RepositorySync).then(|| {
        view! {
            <SubmitForm to=actions.sync>
                <input type="hidden" name="namespace" value=namespace/>
                <input type="hidden" name="name" value=name/>
                <Button small=true icon=Glyph::Retry busy=actions.sync.pending()>{t.repositories.look()}</Button>
            </SubmitForm>
        }
    });
    let menu = may(Operation::RepositoryUpdate).then(|| {
        let (edit, delete) = (dialog_href(format!("edit-{title}")), dialog_href(format!("delete-{title}")));
        view! {
            <Menu label=t.common.actions_for(&title)>
                <MenuLink href=edit icon=Glyph::Pencil>{t.common.change()}</MenuLink>
                <MenuLink href=delete icon=Glyph::Trash danger=true>
                    {t.repositories.remove()}
                </MenuLink>
            </Menu>
        }
    });
    let items = facts(t, &repository);
    let failure = repository.failure.clone().map(|failure| {
        view! {
            // What the server says of a repository is in English.
            <Banner tone=Tone::Danger title=t.repositories.failed()><p lang="en">{failure}</p></Banner>
        }
    });
    let files = (!repository.files.is_empty()).then(|| brought(t, &title, &repository.files));
    let buttons = view! { {sync} {menu} };
    view! {
        <Card title=title.clone() actions=buttons>
            <div class="stack">
                <p class="repository__state">{state(t, &repository)}</p>
                {failure}
                <DefinitionList items/>
                {files}
            </div>
        </Card>
    }
}

/// How it stands, in a badge, and since when.
fn state(t: Texts, repository: &RepositoryView) -> AnyView {
    let left = |file: &FileReport| matches!(file.outcome, FileOutcome::Conflict | FileOutcome::Refused);
    let t = t.repositories;
    let (tone, glyph, label) = if repository.failure.is_some() {
        (Tone::Danger, Glyph::Octagon, t.state_failing())
    } else if repository.looked_at.is_none() {
        (Tone::Neutral, Glyph::Clock, t.state_waiting())
    } else if repository.files.iter().any(left) {
        (Tone::Warning, Glyph::Warning, t.state_left())
    } else {
        (Tone::Success, Glyph::CircleCheck, t.state_in_step())
    };
    let looked = repository.looked_at.map(|at| view! { <span class="muted">{t.looked()} " " <Moment at/></span> });
    view! { <Badge tone glyph label/> " " {looked} }
}

fn facts(t: Texts, repository: &RepositoryView) -> Vec<(String, AnyView)> {
    let code = |text: &str| view! { <code class="repository__code">{text.to_owned()}</code> };
    let t = t.repositories;
    let mut items =
        vec![(t.address().to_owned(), code(&repository.url)), (t.branch().to_owned(), code(&repository.branch))];
    if !repository.folder.is_empty() {
        items.push((t.folder().to_owned(), code(&repository.folder)));
    }
    if let Some(commit) = &repository.commit {
        items.push((t.commit().to_owned(), code(commit.get(..12).unwrap_or(commit))));
    }
    let next = match repository.due_at {
        Some(at) => view! { <Moment at/> },
        None => view! { <span>{t.next_asked()}</span> },
    };
    items.push((t.next().to_owned(), next));
    if let Some(hook) = &repository.hook {
        let copied = hook.clone();
        items.push((t.hook().to_owned(), view! { {code(hook)} " " <CopyButton text=copied/> }));
    }
    let by = repository.changed_by.name.clone();
    items.push((t.set_up_by().to_owned(), view! { {by} " " <Moment at=repository.changed_at/> }));
    items
}

/// What became of its files, open where somebody is to see to them.
fn brought(t: Texts, title: &str, files: &[FileReport]) -> AnyView {
    let open = files.iter().any(|file| matches!(file.outcome, FileOutcome::Conflict | FileOutcome::Refused));
    view! {
        <details class="repository__files" open=open>
            <summary>{t.repositories.files(files.len())} " " {counts(t, files)}</summary>
            {reports(t, t.repositories.files_of(title), files)}
        </details>
    }
}
