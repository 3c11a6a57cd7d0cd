//! Policies: those in force, and those that administrators propose to each other; and reviews of who holds which roles.

mod access_reviews;
mod emergencies;
mod propose;
mod set;

pub use access_reviews::{AccessReviewPage, AccessReviewsPage};
pub use emergencies::{EmergenciesPage, EmergencyPage};
pub use propose::ProposePage;
pub use set::PolicySetPage;

use domain::{
    Operation, PolicySetState,
    view::{Page, PoliciesView, PolicySetItem, PolicyView},
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use crate::{
    api::policies::{policies, policy, policy_sets},
    components::{
        Badge, ButtonLook, Card, CopyButton, DefinitionList, EmptyState, Glyph, LinkButton, Moment, PageHeader, Pager,
        Skeleton, Tone, load,
    },
    data::Data,
    i18n::{Texts, use_texts},
    session::may,
    url_state::query_text,
    view,
};

/// All policies, and the sets that administrators have written.
#[component]
pub fn PoliciesPage() -> impl IntoView {
    let t = use_texts();
    let cursor = query_text("cursor");
    let in_force = Data::new(|| (), |()| policies());
    let sets = Data::new(move || cursor.get(), |cursor| policy_sets(Some(cursor).filter(|cursor| !cursor.is_empty())));
    view! {
        <PageHeader title=t.frame.policies() subtitle=t.policies.lead()>
            {may(Operation::PolicyPropose)
                .then(|| {
                    view! {
                        <LinkButton href="/policies/sets/new" look=ButtonLook::Primary icon=Glyph::Plus>
                            {t.policies.propose()}
                        </LinkButton>
                    }
                })}
        </PageHeader>
        <Card title=t.policies.sets() subtitle=t.policies.sets_lead() flush=true>
            {load(sets, || view! { <Skeleton lines=3/> }, move |page| view! { <Sets page/> })}
        </Card>
        {load(in_force, || view! { <Card><Skeleton lines=12/></Card> }, move |view| view! { <InForce view/> })}
    }
}

#[component]
fn Sets(page: Page<PolicySetItem>) -> impl IntoView {
    let t = use_texts();
    if page.items.is_empty() {
        return view! { <EmptyState glyph=Glyph::Sliders title=t.policies.sets_none()/> };
    }
    let lines: Vec<_> = page
        .items
        .into_iter()
        .map(|set| {
            let authors: Vec<String> = set.authors.iter().map(|author| author.name.clone()).collect();
            view! {
                <li>
                    <a class="line" href=format!("/policies/sets/{}", set.version)>
                        <span class="line__text">
                            <span class="line__title">{set.note}</span>
                            <span class="line__detail">
                                <span>{t.policies.version(set.version)}</span>
                                <span>{authors.join(", ")}</span>
                                <Moment at=set.changed_at/>
                            </span>
                        </span>
                        <span class="line__side"><StateBadge state=set.state/></span>
                    </a>
                </li>
            }
        })
        .collect();
    view! {
        <ul class="lines">{lines}</ul>
        <Pager next=page.next/>
    }
}

/// Where a set stands.
#[component]
fn StateBadge(state: PolicySetState) -> impl IntoView {
    let t = use_texts().policies;
    let (tone, glyph) = match state {
        PolicySetState::Proposed => (Tone::Warning, Glyph::PersonClock),
        PolicySetState::Active => (Tone::Success, Glyph::CircleCheck),
        PolicySetState::Replaced => (Tone::Neutral, Glyph::Undo),
        PolicySetState::Withdrawn => (Tone::Neutral, Glyph::CircleSlash),
    };
    let label = t.by_key(&format!("state_{state}")).unwrap_or_default();
    view! { <Badge tone glyph label/> }
}

#[component]
fn InForce(view: PoliciesView) -> impl IntoView {
    let t = use_texts();
    let PoliciesView { digest, items, .. } = view;
    let lines: Vec<_> = items
        .into_iter()
        .rev()
        .map(|policy| {
            let place = place(t, &policy);
            view! {
                <li>
                    <a class="line" href=format!("/policies/{}", policy.id)>
                        <span class="line__text">
                            <span class="line__title">{policy.title}</span>
                            <span class="line__detail">
                                <span>{place}</span>
                                <span>{operations(t, &policy.operations)}</span>
                            </span>
                        </span>
                        <span class="line__side"><EffectBadge forbids=policy.forbids/></span>
                    </a>
                </li>
            }
        })
        .collect();
    let words = digest.chars().take(12).collect::<String>();
    let known_by = view! { <span class="entry__hash"><code>{words}</code><CopyButton text=digest/></span> };
    view! {
        <Card title=t.policies.in_force() subtitle=t.policies.in_force_lead() actions=known_by flush=true>
            <ul class="lines">{lines}</ul>
        </Card>
    }
}

/// From which file of the program it is, or that administrators have written it.
fn place(t: Texts, policy: &PolicyView) -> String {
    policy.file.clone().unwrap_or_else(|| t.policies.of_administrators().to_owned())
}

/// What it is about; all operations, if it is about most.
fn operations(t: Texts, operations: &[Operation]) -> String {
    if operations.len() * 2 > Operation::ALL.len() {
        return t.policies.everything().to_owned();
    }
    operations.iter().map(|operation| operation.as_str()).collect::<Vec<_>>().join(", ")
}

#[component]
fn EffectBadge(forbids: bool) -> impl IntoView {
    let t = use_texts().policies;
    if forbids {
        view! { <Badge tone=Tone::Danger glyph=Glyph::CircleSlash label=t.forbids()/> }
    } else {
        view! { <Badge tone=Tone::Success glyph=Glyph::Check label=t.permits()/> }
    }
}

/// One policy, as it is written: what a refusal names.
#[component]
pub fn PolicyPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").unwrap_or_default()));
    let data = Data::new(move || id.get(), policy);
    load(data, || view! { <Card><Skeleton lines=6/></Card> }, move |policy| view! { <Policy policy/> })
}

#[component]
fn Policy(policy: PolicyView) -> impl IntoView {
    let t = use_texts();
    let place = place(t, &policy);
    let about = operations(t, &policy.operations);
    let needs = if policy.forbids { t.policies.because() } else { t.policies.needs() };
    let items = vec![
        (t.policies.effect().to_owned(), view! { <EffectBadge forbids=policy.forbids/> }),
        (t.policies.about().to_owned(), view! { <code>{about}</code> }),
        (needs.to_owned(), view! { <span>{policy.needs}</span> }),
        (t.policies.written_in().to_owned(), view! { <span>{place}</span> }),
    ];
    view! {
        <PageHeader title=policy.title subtitle=policy.comment/>
        <Card>
            <div class="stack">
                <DefinitionList items/>
                <pre class="code" tabindex="0" role="region" aria-label=t.policies.source()>{policy.text}</pre>
            </div>
        </Card>
    }
}
