use domain::{
    ApprovalId, ApprovalState,
    view::{ApprovalSummary, Page},
};
use leptos::prelude::*;
use leptos_router::hooks::use_location;

use crate::{
    components::{ApprovalBadge, Avatar, Card, EmptyState, Glyph, Moment, Pager, RiskBadge},
    i18n::{Texts, use_texts},
    url_state::href_with,
    view,
};

/// The list on the left.
#[component]
pub(super) fn Queue(page: Page<ApprovalSummary>, open: Option<ApprovalId>) -> impl IntoView {
    let t = use_texts();
    let query = use_location().query.get_untracked();
    if page.items.is_empty() {
        return view! {
            <Card>
                <EmptyState glyph=Glyph::CircleCheck title=t.approvals.empty() text=t.approvals.empty_text()/>
            </Card>
        };
    }
    let rows: Vec<_> = page
        .items
        .into_iter()
        .map(|item| {
            let href = href_with(&format!("/approvals/{}", item.id), &query, &[("decided", None)]);
            row(t, item, href, open)
        })
        .collect();
    view! {
        <nav class="queue" aria-label=t.approvals.queue()>
            <ul class="queue__list">{rows}</ul>
            <Pager next=page.next/>
        </nav>
    }
}

fn row(t: Texts, item: ApprovalSummary, href: String, open: Option<ApprovalId>) -> impl IntoView {
    let pending = item.state == ApprovalState::Pending;
    let (state, risk) = (item.state, item.risk);
    let when = match (item.due, item.closed_at) {
        (_, Some(at)) => view! { <Moment at=at/> },
        (Some(due), None) => view! { <span>{t.common.due()}</span> " " <Moment at=due/> },
        (None, None) => view! { <Moment at=item.opened_at/> },
    };
    view! {
        <li>
            <a class="queue__item" href=href aria-current=(open == Some(item.id)).then_some("true")>
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
