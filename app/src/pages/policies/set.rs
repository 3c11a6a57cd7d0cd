//! One set of policies: what it changes, what that would have changed, and what becomes of it.

use domain::{
    Operation, PolicySetState,
    view::{ChangedDecision, LineChange, LineView, PolicySetView, ReplayView},
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{StateBadge, propose::PolicyFields};
use crate::{
    api::policies::{ActivatePolicies, ChangePolicies, WithdrawPolicies, policy_set, replay_policies},
    components::{
        Banner, Button, ButtonLook, Card, Column, DefinitionList, Dialog, FormFeedback, Glyph, LinkButton, Moment,
        PageHeader, Skeleton, Table, TextField, Tone, dialog_href, load, use_toasts,
    },
    data::Data,
    i18n::use_texts,
    pages::admin::close_dialog,
    session::may,
    submission::{Submission, SubmitForm, when_done},
    view,
};

#[derive(Clone, Copy)]
struct Actions {
    change: Submission<ChangePolicies>,
    withdraw: Submission<WithdrawPolicies>,
    activate: Submission<ActivatePolicies>,
}

/// One set of policies of the administrators.
#[component]
pub fn PolicySetPage() -> impl IntoView {
    let t = use_texts();
    let actions = Actions { change: Submission::new(), withdraw: Submission::new(), activate: Submission::new() };
    let toasts = use_toasts();
    let (close, close_too) = (close_dialog(), close_dialog());
    when_done(actions.change, move |()| {
        toasts.done(t.common.saved());
        close();
    });
    when_done(actions.withdraw, move |()| close_too());
    when_done(actions.activate, move |()| toasts.done(t.policies.activated()));
    let params = use_params_map();
    let version = Memo::new(move |_| {
        params.with(|params| params.get("version").and_then(|version| version.parse::<i64>().ok()).unwrap_or_default())
    });
    let state = move || {
        (
            version.get(),
            actions.change.version().get(),
            actions.withdraw.version().get(),
            actions.activate.version().get(),
        )
    };
    let data = Data::new(state, |(version, ..)| policy_set(version));
    let replayed =
        Data::new(move || (version.get(), actions.change.version().get()), |(version, _)| replay_policies(version));
    view! {
        {load(data, || view! { <Card><Skeleton lines=8/></Card> }, move |set| view! { <Set set actions/> })}
        <Card title=t.policies.replay() subtitle=t.policies.replay_lead() flush=true>
            {load(replayed, || view! { <Skeleton lines=4/> }, move |replay| view! { <Replay replay/> })}
        </Card>
    }
}

#[component]
fn Set(set: PolicySetView, actions: Actions) -> impl IntoView {
    let t = use_texts();
    let PolicySetView { item, source, based_on, lines, obstacles, faults, actions: allowed } = set;
    let version = item.version;
    let can = |operation| allowed.contains(&operation);
    let authors: Vec<String> = item.authors.iter().map(|author| author.name.clone()).collect();
    let words = |text: String| view! { <span>{text}</span> };
    let mut facts = vec![
        (t.policies.standing().to_owned(), view! { <StateBadge state=item.state/> }),
        (t.policies.authors().to_owned(), words(authors.join(", "))),
        (t.policies.changed().to_owned(), view! { <Moment at=item.changed_at/> }),
        (
            t.policies.based_on().to_owned(),
            words(
                based_on.map_or_else(|| t.policies.program_alone().to_owned(), |version| t.policies.version(version)),
            ),
        ),
    ];
    if let (Some(person), Some(at)) = (item.settled_by, item.settled_at) {
        let label = match item.state {
            PolicySetState::Withdrawn => t.policies.withdrawn_by(),
            _ => t.policies.activated_by(),
        };
        facts.push((label.to_owned(), view! { <span>{person.name} " · " <Moment at/></span> }));
    }
    let hindered = !obstacles.is_empty();
    let obstacles = hindered.then(|| {
        let obstacles: Vec<_> = obstacles.into_iter().map(|obstacle| view! { <p>{obstacle}</p> }).collect();
        view! { <Banner tone=Tone::Warning title=t.policies.obstacles()>{obstacles}</Banner> }
    });
    let faults: Vec<_> = faults
        .into_iter()
        .map(|fault| view! { <li><code>{format!("{}:{}: {}", fault.line, fault.column, fault.message)}</code></li> })
        .collect();
    let digest = item.digest.clone();
    let activate = (can(Operation::PolicyActivate) && !hindered).then(|| {
        view! {
            <SubmitForm to=actions.activate>
                <input type="hidden" name="version" value=version.to_string()/>
                <input type="hidden" name="digest" value=digest/>
                <Button look=ButtonLook::Primary icon=Glyph::Check busy=actions.activate.pending()>
                    {t.policies.activate()}
                </Button>
            </SubmitForm>
        }
    });
    let own =
        (item.state == PolicySetState::Proposed && !can(Operation::PolicyActivate) && may(Operation::PolicyPropose))
            .then(|| view! { <Banner tone=Tone::Info title=t.policies.own()/> });
    let links = [
        can(Operation::PolicyPropose).then(|| (dialog_href("change"), t.policies.change())),
        can(Operation::PolicyWithdraw).then(|| (dialog_href("withdraw"), t.policies.withdraw())),
    ];
    let links: Vec<_> = links
        .into_iter()
        .flatten()
        .map(|(href, words)| view! { <LinkButton href=href small=true>{words}</LinkButton> })
        .collect();
    let again = (item.state != PolicySetState::Proposed && may(Operation::PolicyPropose)).then(|| {
        let href = format!("/policies/sets/new?from={version}");
        view! { <LinkButton href=href small=true icon=Glyph::Retry>{t.policies.again()}</LinkButton> }
    });
    let links = view! { {links} {again} };
    let form = StoredValue::new((source, item.note.clone(), item.digest));
    view! {
        <PageHeader title=item.note subtitle=t.policies.version(version)>{activate}</PageHeader>
        <FormFeedback problem=actions.activate.problem()/>
        {obstacles}
        {own}
        <Card actions=links title=t.policies.details()>
            <DefinitionList items=facts/>
            {(!faults.is_empty()).then(|| view! { <ul class="faults">{faults}</ul> })}
        </Card>
        <Card title=t.policies.differences() subtitle=t.policies.differences_lead()>
            <Difference lines/>
        </Card>
        <Dialog name="change" title=t.policies.change_title(version)>
            {
                let (source, note, digest) = form.get_value();
                view! {
                    <SubmitForm to=actions.change>
                        <PolicyFields to=actions.change source note based_on/>
                        <input type="hidden" name="version" value=version.to_string()/>
                        <input type="hidden" name="digest" value=digest/>
                        <Button look=ButtonLook::Primary busy=actions.change.pending()>{t.common.save()}</Button>
                    </SubmitForm>
                }
            }
        </Dialog>
        <Dialog name="withdraw" title=t.policies.withdraw_title(version)>
            <SubmitForm to=actions.withdraw>
                <div class="stack">
                    <FormFeedback problem=actions.withdraw.problem()/>
                    <p>{t.policies.withdraw_text()}</p>
                    <TextField name="comment" label=t.policies.comment() optional=true maxlength=500_u32/>
                    <input type="hidden" name="version" value=version.to_string()/>
                    <Button look=ButtonLook::Danger busy=actions.withdraw.pending()>{t.policies.withdraw()}</Button>
                </div>
            </SubmitForm>
        </Dialog>
    }
}

/// The lines of two texts; a mark before each, since colour alone says nothing.
#[component]
fn Difference(lines: Vec<LineView>) -> impl IntoView {
    let t = use_texts();
    if lines.is_empty() {
        return view! { <p>{t.policies.empty()}</p> };
    }
    let lines: Vec<_> = lines
        .into_iter()
        .map(|LineView { change, text }| {
            let (mark, class) = match change {
                LineChange::Kept => ("  ", ""),
                LineChange::Added => ("+ ", "difference__line--added"),
                LineChange::Removed => ("- ", "difference__line--removed"),
            };
            view! { <span class=format!("difference__line {class}")>{format!("{mark}{text}")}</span> }
        })
        .collect();
    view! {
        <pre class="code difference" tabindex="0" role="region" aria-label=t.policies.differences()>{lines}</pre>
    }
}

#[component]
fn Replay(replay: ReplayView) -> impl IntoView {
    let t = use_texts();
    let since = replay.since.map(|at| view! { <span>{t.policies.replay_since()} " " <Moment at exact=true/></span> });
    let summary = view! {
        <p class="replay__summary">
            {t.policies.replayed(replay.decisions)} " " {since} " " {t.policies.replay_changed(replay.changed)}
        </p>
    };
    if replay.items.is_empty() {
        return summary;
    }
    let rows: Vec<_> = replay.items.into_iter().map(|change| view! { <Change change/> }).collect();
    let columns = [
        t.policies.who(),
        t.policies.operation(),
        t.policies.resource(),
        t.policies.now(),
        t.policies.then(),
        t.policies.last_asked(),
    ];
    let columns: Vec<_> = columns.into_iter().map(Column::new).collect();
    view! {
        {summary}
        <Table label=t.policies.replay() columns>{rows}</Table>
    }
}

#[component]
fn Change(change: ChangedDecision) -> impl IntoView {
    let t = use_texts();
    let verdict = |allowed: bool| if allowed { t.policies.allowed() } else { t.policies.refused() };
    let by = |policies: Vec<String>| policies.join(", ");
    let (before, after) = (by(change.before), by(change.after));
    view! {
        <tr>
            <td data-label=t.policies.who()><code>{change.login}</code></td>
            <td data-label=t.policies.operation()><code>{change.operation.as_str()}</code></td>
            <td data-label=t.policies.resource()>{change.resource_kind} " " <code>{change.resource_id}</code></td>
            <td data-label=t.policies.now()>{verdict(change.allowed)} <br/> <small>{before}</small></td>
            <td data-label=t.policies.then()><strong>{verdict(!change.allowed)}</strong> <br/> <small>{after}</small></td>
            <td data-label=t.policies.last_asked()>
                <Moment at=change.asked_at/> <br/> <small>{t.policies.times(change.times)}</small>
            </td>
        </tr>
    }
}
