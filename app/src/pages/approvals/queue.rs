use std::collections::BTreeSet;

use domain::{
    ApprovalId, ApprovalState,
    view::{ApprovalSummary, Page},
};
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_location, use_navigate},
};

use super::keys::{Course, entry_id};
use crate::{
    components::{ApprovalBadge, Avatar, Button, Card, EmptyState, Glyph, Moment, Pager, RiskBadge},
    i18n::{Texts, use_texts},
    url_state::href_with,
    view,
};

/// Where those that were chosen are decided about.
const CHOSEN: &str = "/approvals/chosen";

/// The list on the left. Some of it can be chosen, to be decided together.
#[component]
pub(super) fn Queue(page: Page<ApprovalSummary>, open: Option<ApprovalId>, course: Course) -> impl IntoView {
    let t = use_texts();
    let query = use_location().query.get_untracked();
    if page.items.is_empty() {
        return view! {
            <Card>
                <EmptyState glyph=Glyph::CircleCheck title=t.approvals.empty() text=t.approvals.empty_text()/>
            </Card>
        };
    }
    let some_mine = page.items.iter().any(|item| item.mine);
    let rows: Vec<_> = page
        .items
        .into_iter()
        .map(|item| {
            let href = href_with(&format!("/approvals/{}", item.id), &query, &[("decided", None)]);
            row(t, item, href, open, course)
        })
        .collect();
    let navigate = use_navigate();
    let together = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let chosen = course.chosen.get_untracked();
        let ids = course.order.with_untracked(|order| {
            let ids = order.iter().map(|(id, _)| *id).filter(|id| chosen.contains(id));
            ids.map(|id| format!("id={id}")).collect::<Vec<_>>().join("&")
        });
        navigate(&format!("{CHOSEN}?{ids}"), NavigateOptions::default());
    };
    let count = move || course.chosen.with(BTreeSet::len);
    view! {
        <form class="queue" method="get" action=CHOSEN on:submit=together>
            <nav aria-label=t.approvals.queue()>
                <ul class="queue__list">{rows}</ul>
                <Pager next=page.next/>
            </nav>
            {some_mine
                .then(|| {
                    view! {
                        <div class="queue__together">
                            <Button small=true>{t.approvals.decide_chosen()}</Button>
                            <span class="muted" role="status">
                                {move || (count() > 0).then(|| t.approvals.chosen_count(count()))}
                            </span>
                        </div>
                    }
                })}
        </form>
    }
}

fn row(t: Texts, item: ApprovalSummary, href: String, open: Option<ApprovalId>, course: Course) -> impl IntoView {
    let id = item.id;
    let choose = item.mine.then(|| {
        let label =
            t.approvals.choose(t.approvals.row(&item.workflow_title, t.name_of(&item.requester), item.run_number));
        view! {
            <label class="queue__choose">
                <input
                    class="check__input"
                    type="checkbox"
                    id=format!("choose-{id}")
                    name="id"
                    value=id.to_string()
                    aria-label=label
                    prop:checked=move || course.chosen.with(|chosen| chosen.contains(&id))
                    on:change=move |_| course.toggle(id)
                />
            </label>
        }
    });
    let pending = item.state == ApprovalState::Pending;
    let (state, risk) = (item.state, item.risk);
    let when = match (item.due, item.closed_at) {
        (_, Some(at)) => view! { <Moment at=at/> },
        (Some(due), None) => view! { <span>{t.common.due()}</span> " " <Moment at=due/> },
        (None, None) => view! { <Moment at=item.opened_at/> },
    };
    view! {
        <li class="queue__row">
            {choose}
            <a class="queue__item" id=entry_id(id) href=href aria-current=(open == Some(item.id)).then_some("true")>
                <Avatar name=item.requester.name.clone()/>
                <span class="queue__text">
                    <span class="queue__title">{item.workflow_title}</span>
                    <span class="queue__detail">
                        <span>{t.name_of(&item.requester)}</span>
                        <span>{item.title}</span>
                        <span>{t.common.run_number(item.run_number)}</span>
                        {item.on_behalf_of.map(|other| view! { <strong>{t.approvals.for_other(other.name)}</strong> })}
                    </span>
                    <span class="queue__foot">
                        {if item.returned {
                            view! { <span>{t.approvals.with_requester()}</span> }.into_any()
                        } else if pending {
                            view! { <RiskBadge risk/> }.into_any()
                        } else {
                            view! { <ApprovalBadge state/> }.into_any()
                        }}
                        <span class="queue__when">{when}</span>
                    </span>
                </span>
            </a>
        </li>
    }
}
