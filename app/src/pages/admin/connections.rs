use domain::{
    Operation,
    view::{ConnectionCheck, ConnectionState, ConnectionView},
};
use leptos::prelude::*;
use serde_json::Value;

use super::{
    close_dialog,
    connection_form::{ConnectionDialogs, owner_name},
    secrets::Secrets,
};
use crate::{
    api::admin::{DeleteConnection, PutConnection, TestConnection, connection_kinds, connections},
    components::{
        Badge, Button, ButtonLook, Card, DefinitionList, EmptyState, FilterChip, FormFeedback, Glyph, Icon, LinkButton,
        Menu, MenuLink, Moment, PageHeader, Skeleton, Tone, dialog_href, load, use_toasts,
    },
    data::Data,
    i18n::use_texts,
    live::{Topic, use_live},
    session::may,
    submission::{Submission, SubmitForm, when_done},
    url_state::query_text,
    view,
};

/// What can be done with connections.
#[derive(Clone, Copy)]
pub(super) struct ConnectionActions {
    pub(super) put: Submission<PutConnection>,
    pub(super) delete: Submission<DeleteConnection>,
    pub(super) test: Submission<TestConnection>,
}

/// The systems that workflows reach, each with its settings and its last test.
#[component]
pub fn ConnectionsPage() -> impl IntoView {
    let t = use_texts();
    let actions = ConnectionActions { put: Submission::new(), delete: Submission::new(), test: Submission::new() };
    let toasts = use_toasts();
    let close = close_dialog();
    let close_too = close.clone();
    when_done(actions.put, move |saved| {
        if saved.state == ConnectionState::Failing {
            toasts.failed(t.admin.saved_failing(&saved.name));
        } else {
            toasts.done(t.admin.saved_working(&saved.name));
        }
        close();
    });
    when_done(actions.delete, move |()| close_too());
    when_done(actions.test, move |check| {
        if check.ok {
            toasts.done(t.admin.test_ok());
        } else {
            toasts.failed(t.admin.test_failed());
        }
    });
    let (live, state) = (use_live(), query_text("state"));
    let data = Data::new(
        move || {
            let done = (actions.put.version().get(), actions.delete.version().get(), actions.test.version().get());
            (state.get(), live.version(Topic::Connections), done)
        },
        |(state, ..)| async move {
            let only = ConnectionState::ALL.into_iter().find(|known| known.as_str() == state);
            Ok((connections(only).await?, connection_kinds().await?))
        },
    );
    view! {
        <PageHeader title=t.frame.connections() subtitle=t.admin.connections_lead()>
            {may(Operation::ConnectionUpdate)
                .then(|| {
                    view! {
                        <LinkButton href=dialog_href("new") look=ButtonLook::Primary icon=Glyph::Plus>
                            {t.admin.connection_new()}
                        </LinkButton>
                    }
                })}
        </PageHeader>
        <div class="chips" role="group" aria-label=t.common.state()>
            <FilterChip param="state" value="" label=t.common.all()/>
            <FilterChip param="state" value="working" label=t.admin.works()/>
            <FilterChip param="state" value="failing" label=t.admin.does_not_work()/>
            <FilterChip param="state" value="untested" label=t.admin.not_tested()/>
        </div>
        <FormFeedback problem=actions.test.problem()/>
        {load(
            data,
            || view! { <Card><Skeleton lines=8/></Card> },
            move |(connections, kinds)| {
                let titles: Vec<(String, String)> =
                    kinds.iter().map(|kind| (kind.kind.clone(), kind.title.clone())).collect();
                let known = connections.clone();
                let none = connections.is_empty();
                let filtered = !state.get_untracked().is_empty();
                let cards: Vec<_> = connections
                    .into_iter()
                    .map(|connection| {
                        let title = titles.iter().find(|(kind, _)| *kind == connection.kind);
                        let title = title.map_or_else(|| connection.kind.clone(), |(_, title)| title.clone());
                        view! { <ConnectionCard connection title actions/> }
                    })
                    .collect();
                view! {
                    {none
                        .then(|| {
                            view! {
                                <Card>
                                    {if filtered {
                                        view! { <EmptyState glyph=Glyph::Plug title=t.admin.connections_none_such()/> }
                                            .into_any()
                                    } else {
                                        view! {
                                            <EmptyState
                                                glyph=Glyph::Plug
                                                title=t.admin.connections_none()
                                                text=t.admin.connections_none_text()
                                            />
                                        }
                                            .into_any()
                                    }}
                                </Card>
                            }
                        })}
                    <div class="cards cards--wide">{cards}</div>
                    <ConnectionDialogs connections=known kinds actions/>
                }
            },
        )}
        <Secrets/>
    }
}

#[component]
fn ConnectionCard(connection: ConnectionView, title: String, actions: ConnectionActions) -> impl IntoView {
    let t = use_texts();
    let id = connection.id;
    let mut items = vec![(t.admin.kind().to_owned(), title.into_any())];
    if let Value::Object(settings) = &connection.settings {
        let address = ["url", "host", "baseUrl", "folder"].into_iter().find_map(|key| settings.get(key)?.as_str());
        if let Some(address) = address {
            items.push((t.admin.address().to_owned(), view! { <code>{address.to_owned()}</code> }));
        }
    }
    let namespaces = if connection.namespaces.iter().any(|name| name == "*") {
        t.admin.everywhere().to_owned()
    } else {
        connection.namespaces.join(", ")
    };
    items.push((t.admin.usable_in().to_owned(), namespaces.into_any()));
    let owner = match &connection.owner {
        Some(owner) => owner_name(owner).into_any(),
        None => view! { <span class="muted">{t.admin.owner_none()}</span> }.into_any(),
    };
    items.push((t.admin.owner().to_owned(), owner));
    items.push((
        t.admin.secret().to_owned(),
        if connection.has_secret { t.admin.secret_stored() } else { t.common.none() }.into_any(),
    ));
    let menu = may(Operation::ConnectionUpdate).then(|| {
        view! {
            <Menu label=t.common.actions_for(&connection.name)>
                <MenuLink href=dialog_href(format!("edit-{id}")) icon=Glyph::Pencil>{t.common.change()}</MenuLink>
                <MenuLink href=dialog_href(format!("delete-{id}")) icon=Glyph::Trash danger=true>
                    {t.common.delete()}
                </MenuLink>
            </Menu>
        }
    });
    let test = may(Operation::ConnectionTest).then(|| {
        view! {
            <SubmitForm to=actions.test>
                <input type="hidden" name="id" value=id.to_string()/>
                <Button small=true icon=Glyph::Pulse busy=actions.test.pending()>{t.admin.test()}</Button>
            </SubmitForm>
        }
    });
    let buttons = view! { {test} {menu} };
    view! {
        <Card title=connection.name.clone() actions=buttons.into_any()>
            <DefinitionList items/>
            <Check state=connection.state check=connection.last_check/>
            {connection
                .failing_since
                .map(|since| view! { <p class="muted">{t.admin.fails_since()} " " <Moment at=since/></p> })}
        </Card>
    }
}

/// The last test, step by step.
#[component]
fn Check(state: ConnectionState, check: Option<ConnectionCheck>) -> impl IntoView {
    let t = use_texts();
    let Some(check) = check else {
        return view! { <p class="muted">{t.admin.never_tested()}</p> }.into_any();
    };
    let steps: Vec<_> = check
        .steps
        .into_iter()
        .map(|step| {
            let name =
                t.admin.by_key(&format!("step_{}", step.step.replace('-', "_"))).map_or(step.step, str::to_owned);
            let (glyph, word) =
                if step.ok { (Glyph::CircleCheck, t.admin.step_ok()) } else { (Glyph::Octagon, t.admin.step_failed()) };
            view! {
                <li class="check-step" class:check-step--failed=!step.ok>
                    <Icon glyph/>
                    <span class="visually-hidden">{word}</span>
                    <span class="check-step__name">{name}</span>
                    <span class="check-step__detail">{step.detail}</span>
                </li>
            }
        })
        .collect();
    let badge = if state == ConnectionState::Working {
        view! { <Badge tone=Tone::Success glyph=Glyph::CircleCheck label=t.admin.works()/> }
    } else {
        view! { <Badge tone=Tone::Danger glyph=Glyph::Octagon label=t.admin.does_not_work()/> }
    };
    view! {
        <div class="probe">
            <p class="probe__head">{badge} <span class="muted">{t.admin.tested()} " " <Moment at=check.at/></span></p>
            <ol class="check-steps">{steps}</ol>
        </div>
    }
    .into_any()
}
