use domain::{
    Operation, Role,
    view::{GrantView, SubjectView},
};
use leptos::prelude::*;

use super::{calendars::Calendars, close_dialog, limits::Limits, processes::Processes, separation::Separation};
use crate::{
    api::admin::{CreateGrant, RevokeGrant, grants, teams},
    components::{
        Avatar, Button, ButtonLook, Card, Combobox, Dialog, EmptyState, FilterChip, FormFeedback, Glyph, Icon,
        LinkButton, Moment, PageHeader, SelectField, Skeleton, TextField, dialog_href, load, use_toasts,
    },
    data::Data,
    i18n::{sentence, use_texts},
    session::may,
    submission::{Submission, SubmitForm, when_done},
    url_state::query_text,
    view,
};

/// Who may do what where, as sentences.
#[component]
pub fn GrantsPage() -> impl IntoView {
    let t = use_texts();
    let create = Submission::<CreateGrant>::new();
    let revoke = Submission::<RevokeGrant>::new();
    let toasts = use_toasts();
    let close = close_dialog();
    when_done(create, move |()| {
        toasts.done(t.admin.grant_made());
        close();
    });
    when_done(revoke, move |()| toasts.done(t.admin.grant_revoked()));
    let data = Data::new(move || (create.version().get(), revoke.version().get()), |_| grants());
    let chips: Vec<_> = Role::ALL
        .iter()
        .map(|role| {
            let label = t.common.by_key(&format!("role_{role}")).unwrap_or_default();
            view! { <FilterChip param="role" value=role.as_str() label/> }
        })
        .collect();
    view! {
        <PageHeader title=t.frame.grants() subtitle=t.admin.grants_lead()>
            {may(Operation::GrantCreate)
                .then(|| {
                    view! {
                        <LinkButton href=dialog_href("new") look=ButtonLook::Primary icon=Glyph::Plus>
                            {t.admin.grant_new()}
                        </LinkButton>
                    }
                })}
        </PageHeader>
        <div class="chips">
            {chips}
            <FilterChip param="end" value="until" label=t.admin.grants_until()/>
            <FilterChip param="end" value="ended" label=t.admin.grants_ended()/>
        </div>
        <FormFeedback problem=revoke.problem()/>
        {load(
            data,
            || view! { <Card><Skeleton lines=8/></Card> },
            move |grants| view! { <Grants grants revoke/> },
        )}
        <Separation/>
        <Processes/>
        <Limits/>
        <Calendars/>
        <Dialog name="new" title=t.admin.grant_new()>
            <GrantForm action=create/>
        </Dialog>
    }
}

#[component]
fn Grants(grants: Vec<GrantView>, revoke: Submission<RevokeGrant>) -> impl IntoView {
    let t = use_texts();
    let (role, end) = (query_text("role"), query_text("end"));
    let lines = move || {
        let (role, end) = (role.get(), end.get());
        let shown = grants.iter().filter(|grant| {
            let ends = match end.as_str() {
                "until" => grant.expires_at.is_some() && !grant.ended,
                "ended" => grant.ended,
                _ => true,
            };
            ends && (role.is_empty() || grant.role.as_str() == role)
        });
        let lines: Vec<_> = shown.cloned().map(|grant| view! { <Grant grant revoke/> }).collect();
        if lines.is_empty() {
            view! { <EmptyState glyph=Glyph::Key title=t.admin.grants_none()/> }
        } else {
            view! { <ul class="lines">{lines}</ul> }
        }
    };
    view! { <Card flush=true>{lines}</Card> }
}

#[component]
fn Grant(grant: GrantView, revoke: Submission<RevokeGrant>) -> impl IntoView {
    let t = use_texts();
    let (name, is_team) = match &grant.subject {
        SubjectView::User { name, .. } => (name.clone(), false),
        SubjectView::Team { name, .. } => (t.admin.team_of(name), true),
    };
    let scope = grant.scope.to_string();
    let template = t.admin.by_key(&format!("may_{}", grant.role)).unwrap_or_default();
    let words = sentence(template, |place| match place {
        "who" => view! { <strong>{name.clone()}</strong> },
        _ if scope == "*" => view! { <span>{t.admin.everywhere()}</span> },
        _ => view! { <code>{scope.clone()}</code> },
    });
    let picture = if is_team {
        view! { <span class="line__glyph"><Icon glyph=Glyph::Teams/></span> }
    } else {
        view! { <Avatar name=name.clone()/> }
    };
    view! {
        <li class="line">
            {picture}
            <span class="line__text">
                <span class="line__title line__title--plain">{words}</span>
                <span class="line__detail">
                    <span>{t.admin.granted()} " " <Moment at=grant.created_at/></span>
                    {grant
                        .expires_at
                        .map(|at| {
                            let words = if grant.ended { t.admin.grant_ended() } else { t.admin.until() };
                            view! { <span>{words} " " <Moment at exact=true/></span> }
                        })}
                </span>
            </span>
            <span class="line__side">
                {may(Operation::GrantRevoke)
                    .then(|| {
                        view! {
                            <SubmitForm to=revoke>
                                <input type="hidden" name="id" value=grant.id.to_string()/>
                                <Button small=true look=ButtonLook::Danger>{t.admin.revoke()}</Button>
                            </SubmitForm>
                        }
                    })}
            </span>
        </li>
    }
}

#[component]
fn GrantForm(action: Submission<CreateGrant>) -> impl IntoView {
    let t = use_texts();
    let known = Data::new(|| (), |()| teams());
    let roles = Role::ALL
        .iter()
        .map(|role| {
            let words = t.common.by_key(&format!("role_{role}")).unwrap_or_default();
            (role.as_str().to_owned(), words.to_owned())
        })
        .collect::<Vec<_>>();
    let subject = move || {
        Suspend::new(async move {
            let teams = known.get().await.unwrap_or_default();
            let people = teams.iter().flat_map(|team| &team.members);
            let mut options: Vec<(String, String)> =
                people.map(|person| (person.login.clone(), person.name.clone())).collect();
            options.sort();
            options.dedup();
            options.extend(teams.iter().map(|team| (format!("team {}", team.name), team.title.clone())));
            view! {
                <Combobox
                    name="subject"
                    label=t.admin.grant_who()
                    hint=t.admin.grant_who_hint()
                    options
                    error=action.error("/subject")
                />
            }
        })
    };
    view! {
        <SubmitForm to=action>
            <div class="stack">
                <FormFeedback problem=action.problem()/>
                <Transition fallback=|| view! { <Skeleton lines=2/> }>{subject}</Transition>
                <SelectField name="role" label=t.admin.role() options=roles.clone()/>
                <TextField
                    name="place"
                    label=t.admin.place()
                    hint=t.admin.place_hint()
                    value="*"
                    code=true
                    error=action.error("/place")
                />
                <TextField
                    name="until"
                    label=t.admin.until_date()
                    hint=t.admin.until_hint()
                    kind="date"
                    optional=true
                    error=action.error("/until")
                />
                <Button look=ButtonLook::Primary busy=action.pending()>{t.admin.grant_give()}</Button>
            </div>
        </SubmitForm>
    }
}
