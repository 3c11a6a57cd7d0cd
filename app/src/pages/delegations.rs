//! The list of somebody's delegations, for their account and for administrators.

use domain::{DelegationState, UserId, view::DelegationView};
use leptos::prelude::*;

use crate::{
    api::delegations::{RevokeDelegation, delegations},
    components::{
        Badge, Button, ButtonLook, Column, EmptyState, FormFeedback, Glyph, Moment, Skeleton, Table, Tone, load,
    },
    data::Data,
    i18n::use_texts,
    submission::{Submission, SubmitForm},
    view,
};

/// Delegations as a table. Those that are not over can be ended where `revoke` is given.
#[component]
pub(super) fn Delegations(
    items: Vec<DelegationView>,
    revoke: Option<Submission<RevokeDelegation>>,
    /// Whose they are, where they are not one's own.
    #[prop(optional)]
    of: Option<UserId>,
) -> impl IntoView {
    let t = use_texts();
    if items.is_empty() {
        return view! { <EmptyState glyph=Glyph::People title=t.account.no_substitutes()/> };
    }
    let columns = vec![
        Column::new(t.account.substitute_who()),
        Column::new(t.account.substitute_for()),
        Column::new(t.account.substitute_scope()),
        Column::new(t.account.substitute_time()),
        Column::new(t.common.state()),
        Column::new(t.common.actions()).hidden(),
    ];
    let rows: Vec<_> = items
        .into_iter()
        .map(|item| {
            let (tone, glyph, key) = match item.state {
                DelegationState::Upcoming => (Tone::Info, Glyph::Clock, "delegation_upcoming"),
                DelegationState::Active => (Tone::Success, Glyph::Check, "delegation_active"),
                DelegationState::Ended => (Tone::Neutral, Glyph::CircleSlash, "delegation_ended"),
                DelegationState::Revoked => (Tone::Neutral, Glyph::CircleSlash, "delegation_revoked"),
            };
            let scope = item.scope.to_string();
            let is_over = matches!(item.state, DelegationState::Ended | DelegationState::Revoked);
            view! {
                <tr>
                    <th scope="row">
                        {item.substitute.name}
                        {(!item.reason.is_empty()).then(|| view! { <span class="person__mail">{item.reason.clone()}</span> })}
                    </th>
                    <td data-label=t.account.substitute_for()>{item.person.name}</td>
                    <td data-label=t.account.substitute_scope()>
                        {if scope == "*" {
                            view! { <span>{t.account.substitute_everything()}</span> }
                        } else {
                            view! { <code>{scope}</code> }
                        }}
                    </td>
                    <td data-label=t.account.substitute_time()>
                        <Moment at=item.from exact=true/>
                        " – "
                        <Moment at=item.until exact=true/>
                    </td>
                    <td data-label=t.common.state()>
                        <Badge tone glyph label=t.account.by_key(key).unwrap_or_default()/>
                    </td>
                    <td class="table__actions">
                        {revoke
                            .filter(|_| !is_over)
                            .map(|revoke| {
                                view! {
                                    <SubmitForm to=revoke>
                                        <input type="hidden" name="id" value=item.id.to_string()/>
                                        <input type="hidden" name="of" value=of.map(|of| of.to_string()).unwrap_or_default()/>
                                        <Button small=true look=ButtonLook::Danger>{t.account.substitute_revoke()}</Button>
                                    </SubmitForm>
                                }
                            })}
                    </td>
                </tr>
            }
        })
        .collect();
    view! { <Table label=t.account.substitutes() columns>{rows}</Table> }
}

/// The delegations of another person.
#[component]
pub(super) fn DelegationsOf(person: UserId) -> impl IntoView {
    let revoke = Submission::<RevokeDelegation>::new();
    let data = Data::new(move || revoke.version().get(), move |_| delegations(Some(person)));
    view! {
        <FormFeedback problem=revoke.problem()/>
        {load(
            data,
            || view! { <Skeleton lines=3/> },
            move |items| {
                let (theirs, others): (Vec<_>, Vec<_>) =
                    items.into_iter().partition(|item: &DelegationView| item.person.id == person);
                view! {
                    <Delegations items=theirs revoke=Some(revoke) of=person/>
                    {(!others.is_empty()).then(|| view! { <Delegations items=others revoke=Some(revoke) of=person/> })}
                }
            },
        )}
    }
}
