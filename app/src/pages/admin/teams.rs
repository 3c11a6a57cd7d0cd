use domain::{Operation, view::TeamView};
use leptos::prelude::*;

use super::close_dialog;
use crate::{
    api::admin::{AddMember, DeleteTeam, PutTeam, RemoveMember, teams},
    components::{
        Avatar, Button, ButtonLook, Card, Dialog, EmptyState, FormFeedback, Glyph, Icon, LinkButton, Menu, MenuLink,
        PageHeader, Skeleton, TextField, dialog_href, load,
    },
    data::Data,
    i18n::use_texts,
    session::may,
    submission::{Submission, SubmitForm, when_done},
    url_state::query_text,
    view,
};

#[derive(Clone, Copy)]
struct TeamActions {
    put: Submission<PutTeam>,
    delete: Submission<DeleteTeam>,
    add: Submission<AddMember>,
    remove: Submission<RemoveMember>,
}

/// Teams and their members. Teams are groups of the built-in directory as well.
#[component]
pub fn TeamsPage() -> impl IntoView {
    let t = use_texts();
    let actions = TeamActions {
        put: Submission::new(),
        delete: Submission::new(),
        add: Submission::new(),
        remove: Submission::new(),
    };
    let data = Data::new(
        move || {
            let TeamActions { put, delete, add, remove } = actions;
            (put.version().get(), delete.version().get(), add.version().get(), remove.version().get())
        },
        |_| teams(),
    );
    let close = close_dialog();
    when_done(actions.put, move |()| close());
    view! {
        <PageHeader title=t.frame.teams() subtitle=t.admin.teams_lead()>
            {may(Operation::TeamUpdate)
                .then(|| {
                    view! {
                        <LinkButton href=dialog_href("new") look=ButtonLook::Primary icon=Glyph::Plus>
                            {t.admin.team_new()}
                        </LinkButton>
                    }
                })}
        </PageHeader>
        <FormFeedback problem=actions.add.problem()/>
        <FormFeedback problem=actions.remove.problem()/>
        {load(
            data,
            || view! { <Card><Skeleton lines=8/></Card> },
            move |teams| view! { <Teams teams actions/> },
        )}
        <Dialog name="new" title=t.admin.team_new()>
            <TeamForm action=actions.put name=String::new() title=String::new()/>
        </Dialog>
    }
}

#[component]
fn TeamForm(action: Submission<PutTeam>, name: String, title: String) -> impl IntoView {
    let t = use_texts();
    let fixed = !name.is_empty();
    view! {
        <SubmitForm to=action>
            <div class="stack">
                <FormFeedback problem=action.problem()/>
                <TextField name="title" label=t.admin.team_title() value=title maxlength=128_u32 error=action.error("/title")/>
                {if fixed {
                    view! { <input type="hidden" name="name" value=name/> }
                } else {
                    view! {
                        <TextField
                            name="name"
                            label=t.admin.team_name()
                            hint=t.admin.team_name_hint()
                            maxlength=63_u32
                            code=true
                            error=action.error("/name")
                        />
                    }
                }}
                <Button look=ButtonLook::Primary busy=action.pending()>{t.common.save()}</Button>
            </div>
        </SubmitForm>
    }
}

#[component]
fn Teams(teams: Vec<TeamView>, actions: TeamActions) -> impl IntoView {
    let t = use_texts();
    if teams.is_empty() {
        return view! {
            <Card>
                <EmptyState glyph=Glyph::Teams title=t.admin.teams_none() text=t.admin.teams_none_text()/>
            </Card>
        };
    }
    let dialog = query_text("dialog");
    let known = teams.clone();
    let chosen = move || {
        let name = dialog.get();
        let (what, id) = name.split_once('-')?;
        let team = known.iter().find(|team| team.id.to_string() == id)?.clone();
        let dialog = name.clone();
        Some(match what {
            "edit" => {
                let title = t.admin.team_change(&team.title);
                view! {
                    <Dialog name=dialog title>
                        <TeamForm action=actions.put name=team.name.clone() title=team.title.clone()/>
                    </Dialog>
                }
            }
            "delete" => view! { <DeleteTeamDialog name=dialog team action=actions.delete/> },
            _ => return None,
        })
    };
    let cards: Vec<_> = teams.into_iter().map(|team| view! { <TeamCard team actions/> }).collect();
    view! {
        <div class="cards">{cards}</div>
        {chosen}
    }
}

#[component]
fn TeamCard(team: TeamView, actions: TeamActions) -> impl IntoView {
    let t = use_texts();
    let changes = may(Operation::TeamUpdate);
    let id = team.id;
    let title = team.title.clone();
    let members: Vec<_> = team
        .members
        .into_iter()
        .map(|person| {
            let name = person.name;
            let remove = t.admin.member_remove(&name, &title);
            let user = person.id.to_string();
            view! {
                <li class="member">
                    <Avatar name=name.clone()/>
                    <span class="member__name">{name}</span>
                    {changes
                        .then(|| {
                            view! {
                                <SubmitForm to=actions.remove>
                                    <input type="hidden" name="team" value=id.to_string()/>
                                    <input type="hidden" name="user" value=user/>
                                    <button
                                        class="icon-button icon-button--small"
                                        type="submit"
                                        aria-label=remove
                                    >
                                        <Icon glyph=Glyph::Cross/>
                                    </button>
                                </SubmitForm>
                            }
                        })}
                </li>
            }
        })
        .collect();
    let menu = changes.then(|| {
        view! {
            <Menu label=t.common.actions_for(&title)>
                <MenuLink href=dialog_href(format!("edit-{id}")) icon=Glyph::Pencil>{t.common.change()}</MenuLink>
                <MenuLink href=dialog_href(format!("delete-{id}")) icon=Glyph::Trash danger=true>
                    {t.common.delete()}
                </MenuLink>
            </Menu>
        }
    });
    let none = members.is_empty();
    view! {
        <Card title=team.title.clone() subtitle=team.name.clone() actions=menu.unwrap_or_else(|| ().into_any())>
            {none.then(|| view! { <p class="muted">{t.admin.members_none()}</p> })}
            <ul class="members">{members}</ul>
            {changes
                .then(|| {
                    view! {
                        <SubmitForm to=actions.add>
                            <input type="hidden" name="team" value=id.to_string()/>
                            <div class="inline-form">
                                <label class="visually-hidden" for=format!("add-{id}")>{t.admin.member_login()}</label>
                                <input
                                    class="input"
                                    id=format!("add-{id}")
                                    name="login"
                                    required=true
                                    autocapitalize="none"
                                    placeholder=t.admin.member_login()
                                />
                                <Button>{t.common.add()}</Button>
                            </div>
                        </SubmitForm>
                    }
                })}
        </Card>
    }
}

#[component]
fn DeleteTeamDialog(name: String, team: TeamView, action: Submission<DeleteTeam>) -> impl IntoView {
    let t = use_texts();
    let close = close_dialog();
    when_done(action, move |()| close());
    let title = t.admin.team_delete(&team.title);
    let verb = title.clone();
    view! {
        <Dialog name title>
            {
                let verb = verb.clone();
                view! {
                    <SubmitForm to=action>
                        <div class="stack">
                            <FormFeedback problem=action.problem()/>
                            <p>{t.admin.team_delete_text()}</p>
                            <input type="hidden" name="id" value=team.id.to_string()/>
                            <Button look=ButtonLook::Danger busy=action.pending()>{verb.clone()}</Button>
                        </div>
                    </SubmitForm>
                }
            }
        </Dialog>
    }
}
