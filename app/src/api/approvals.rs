//! Approvals: the queue, one of them, and the decision.

use domain::{
    ApprovalId, DecisionKind,
    view::{ApprovalDetail, ApprovalSummary, Page},
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use super::{go_on, scope};
use crate::{door::Door, errors::AppError};

/// The queue beside the approval that is open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueueData {
    /// The list.
    pub list: Page<ApprovalSummary>,
    /// The open one: the asked one, else the first of the list.
    pub open: Option<ApprovalDetail>,
}

/// What the queue shows, as it stands in the address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueQuery {
    /// Empty for what waits for me, `all` for all that is pending, or a state.
    pub state: String,
    /// Where the page begins.
    pub cursor: String,
}

/// The queue with one approval open.
#[server(protocol = Door, prefix = "/ui", endpoint = "approvals")]
pub async fn approvals(query: QueueQuery, #[server(default)] open: Option<ApprovalId>) -> Result<QueueData, AppError> {
    let (service, caller) = scope()?;
    let asked = service::ApprovalQuery {
        state: match query.state.as_str() {
            "" | "all" => Some(domain::ApprovalState::Pending),
            state => state.parse().ok(),
        },
        mine: query.state.is_empty(),
        run: None,
    };
    let cursor = Some(query.cursor.as_str()).filter(|cursor| !cursor.is_empty());
    let list = service.approvals(&caller, asked, cursor, None).await?;
    let open = match open.or_else(|| list.items.first().map(|first| first.id)) {
        Some(id) => Some(service.approval(&caller, id).await?),
        None => None,
    };
    Ok(QueueData { list, open })
}

/// Decides. The digest says what exactly is decided; a decision about something else is refused.
#[server(protocol = Door, prefix = "/ui", endpoint = "decide")]
pub async fn decide(
    approval: ApprovalId,
    decision: DecisionKind,
    #[server(default)] comment: String,
    digest: String,
) -> Result<ApprovalDetail, AppError> {
    let (service, caller) = scope()?;
    let decided = service.decide(&caller, approval, decision, comment.trim(), &digest).await?;
    go_on(&format!("/approvals/{approval}?decided={decision}"));
    Ok(decided)
}
