//! What is decided elsewhere than on its own page: together with others, or by a link.

use domain::{DecisionKind, view::ApprovalSummary};
use leptos::prelude::*;

use crate::{
    components::{ApprovalBadge, Card, RiskBadge},
    i18n::{Texts, use_texts},
    view,
};

/// The decisions that need no more than a word and a reason, with what they are called. Whoever approves may have a `form` to
/// fill in, for which there is room on the page of the approval alone.
pub(super) fn choices(t: Texts, form: bool) -> impl Iterator<Item = (DecisionKind, &'static str)> {
    let kinds = [DecisionKind::Approve, DecisionKind::Reject, DecisionKind::RequestChanges];
    kinds.into_iter().filter(move |kind| !(form && *kind == DecisionKind::Approve)).map(move |kind| {
        let key = format!("do_{}", kind.as_str().replace('-', "_"));
        (kind, t.approvals.by_key(&key).unwrap_or_default())
    })
}

/// What is asked, by whom, where it stands, and the way to its page.
#[component]
pub(super) fn Matter(
    /// The approval.
    summary: ApprovalSummary,
    /// What is decided on, and how.
    children: Children,
) -> impl IntoView {
    let t = use_texts();
    let title = t.approvals.row(&summary.workflow_title, t.name_of(&summary.requester), summary.run_number);
    let (state, risk) = (summary.state, summary.risk);
    let short: String = summary.digest.chars().take(12).collect();
    view! {
        <Card title=title subtitle=summary.title>
            <p class="chosen__line">
                <ApprovalBadge state/>
                <RiskBadge risk/>
                <span class="muted">
                    {t.approvals.digest()} " " <code class="digest" title=summary.digest>{short}</code>
                </span>
                <a href=format!("/approvals/{}", summary.id)>{t.approvals.open_one()}</a>
            </p>
            {children()}
        </Card>
    }
}
