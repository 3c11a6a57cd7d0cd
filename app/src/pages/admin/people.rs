use domain::{
    Operation,
    view::{ErasureView, Page, UserView},
};
use leptos::prelude::*;

use super::person_dialogs::{ActivityDialog, EditPerson, EraseDialog, NewPerson, OneTimeLink, ResetDialog};
use crate::{
    api::admin::{CreateUser, EraseUser, ResetPassword, SetUserActive, UpdateUser, users},
    components::{
        Avatar, Badge, Button, ButtonLook, Card, Column, Dialog, EmptyState, Glyph, LinkButton, Menu, MenuLink, Moment,
        PageHeader, Pager, Skeleton, Table, Tone, dialog_href, load,
    },
    data::Data,
    i18n::{Texts, use_texts},
    pages::delegations::DelegationsOf,
    session::may,
    submission::Submission,
    url_state::query_text,
    view,
};

/// What can be done with people, each with its form and its answer.
#[derive(Clone, Copy)]
pub(super) struct PeopleActions {
    pub(super) create: Submission<CreateUser>,
    pub(super) update: Submission<UpdateUser>,
    pub(super) activity: Submission<SetUserActive>,
    pub(super) reset: Submission<ResetPassword>,
    pub(super) erase: Submission<EraseUser>,
}

/// People: who they are, and whether they may sign in.
#[component]
pub fn PeoplePage() -> impl IntoView {
    let t = use_texts();
    let actions = PeopleActions {
        create: Submission::new(),
        update: Submission::new(),
        activity: Submission::new(),
        reset: Submission::new(),
        erase: Submission::new(),
    };
    let search = query_text("q");
    let cursor = query_text("cursor");
    let changed = move || {
        let PeopleActions { create, update, activity, reset, erase } = actions;
        let changed = (create.version().get(), update.version().get(), activity.version().get());
        (changed, reset.version().get(), erase.version().get())
    };
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    let data = Data::new(
        move || (search.get(), cursor.get(), changed()),
        move |(search, cursor, _)| users(some(search), some(cursor)),
    );
    view! {
        <PageHeader title=t.frame.people() subtitle=t.admin.people_lead()>
            {may(Operation::UserCreate)
                .then(|| {
                    view! {
                        <LinkButton href=dialog_href("new") look=ButtonLook::Primary icon=Glyph::Plus>
                            {t.admin.person_new()}
                        </LinkButton>
                    }
                })}
        </PageHeader>
        <OneTimeLink actions/>
        <form class="finder" method="get" action="/admin/people" role="search">
            <label class="visually-hidden" for="people-search">{t.admin.people_search()}</label>
            <input
                class="input"
                id="people-search"
                type="search"
                name="q"
                value=search.get_untracked()
                placeholder=t.admin.people_search()
            />
            <Button>{t.common.search()}</Button>
        </form>
        {load(
            data,
            || view! { <Card><Skeleton lines=10/></Card> },
            move |page| view! { <People page actions/> },
        )}
        <NewPerson action=actions.create/>
    }
}

#[component]
fn People(page: Page<UserView>, actions: PeopleActions) -> impl IntoView {
    let t = use_texts();
    if page.items.is_empty() {
        return view! {
            <Card>
                <EmptyState glyph=Glyph::People title=t.admin.people_none()/>
            </Card>
        };
    }
    let columns = vec![
        Column::new(t.common.name()),
        Column::new(t.admin.login()),
        Column::new(t.admin.manager()),
        Column::new(t.frame.teams()),
        Column::new(t.common.state()),
        Column::new(t.admin.last_sign_in()),
        Column::new(t.common.actions()).hidden(),
    ];
    let dialog = query_text("dialog");
    let people = page.items.clone();
    let chosen = move || {
        let dialog = dialog.get();
        let (what, id) = dialog.split_once('-')?;
        let person = people.iter().find(|person| person.id.to_string() == id)?.clone();
        let name = dialog.clone();
        Some(match what {
            "edit" => view! { <EditPerson name person action=actions.update/> },
            "reset" => view! { <ResetDialog name person action=actions.reset/> },
            "substitutes" => {
                let title = t.admin.substitutes_of(&person.name);
                view! { <Dialog name title><DelegationsOf person=person.id/></Dialog> }
            }
            "erase" => view! { <EraseDialog name person action=actions.erase/> },
            "activity" => view! { <ActivityDialog name person action=actions.activity/> },
            _ => return None,
        })
    };
    let rows: Vec<_> = page.items.into_iter().map(|person| view! { <PersonRow person/> }).collect();
    view! {
        <Card flush=true>
            <Table label=t.frame.people() columns>{rows}</Table>
        </Card>
        <Pager next=page.next/>
        {chosen}
    }
}

/// Whether the person may sign in, or has been erased.
fn state(t: Texts, person: &UserView) -> (Tone, Glyph, String) {
    match &person.erasure {
        Some(ErasureView { ended_at: Some(_), held: 1.., .. }) => {
            (Tone::Warning, Glyph::Trash, t.admin.erased_but_held().to_owned())
        }
        Some(ErasureView { ended_at: Some(_), .. }) => (Tone::Neutral, Glyph::Trash, t.admin.erased().to_owned()),
        Some(ErasureView { looked_through, of, .. }) => {
            let remaining = t.admin.erasing((of - looked_through).to_string());
            (Tone::Warning, Glyph::Trash, remaining)
        }
        None if !person.active => (Tone::Neutral, Glyph::CircleSlash, t.admin.disabled().to_owned()),
        None if !person.has_password => (Tone::Warning, Glyph::Clock, t.admin.invited().to_owned()),
        None => (Tone::Success, Glyph::Check, t.admin.active().to_owned()),
    }
}

#[component]
fn PersonRow(person: UserView) -> impl IntoView {
    let t = use_texts();
    let (tone, glyph, label) = state(t, &person);
    let id = person.id;
    let menu = (person.erasure.is_none() && may(Operation::UserUpdate)).then(|| {
        view! {
            <Menu label=t.common.actions_for(&person.name)>
                <MenuLink href=dialog_href(format!("edit-{id}")) icon=Glyph::Pencil>{t.common.change()}</MenuLink>
                <MenuLink href=dialog_href(format!("reset-{id}")) icon=Glyph::Key>{t.admin.reset()}</MenuLink>
                <MenuLink href=dialog_href(format!("substitutes-{id}")) icon=Glyph::PersonClock>
                    {t.account.substitutes()}
                </MenuLink>
                <MenuLink href=dialog_href(format!("activity-{id}")) icon=Glyph::CircleSlash danger=person.active>
                    {if person.active { t.admin.disable() } else { t.admin.enable() }}
                </MenuLink>
                {may(Operation::UserErase)
                    .then(|| {
                        view! {
                            <MenuLink href=dialog_href(format!("erase-{id}")) icon=Glyph::Trash danger=true>
                                {t.admin.erase()}
                            </MenuLink>
                        }
                    })}
            </Menu>
        }
    });
    view! {
        <tr>
            <th scope="row">
                <span class="person">
                    <Avatar name=person.name.clone()/>
                    <span>
                        <span class="person__name">{person.name}</span>
                        <span class="person__mail">{person.email}</span>
                    </span>
                </span>
            </th>
            <td data-label=t.admin.login()><code>{person.login}</code></td>
            <td data-label=t.admin.manager()>{person.manager.map_or_else(|| "–".to_owned(), |manager| manager.name)}</td>
            <td data-label=t.frame.teams()>{person.teams.join(", ")}</td>
            <td data-label=t.common.state()><Badge tone glyph label/></td>
            <td data-label=t.admin.last_sign_in()>
                {match person.last_sign_in_at {
                    Some(at) => view! { <Moment at/> },
                    None => view! { <span class="muted">{t.common.never()}</span> },
                }}
            </td>
            <td class="table__actions">{menu}</td>
        </tr>
    }
}
