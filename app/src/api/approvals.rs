//! Approvals: the queue, one of them, and the decision.

use std::collections::BTreeMap;

use domain::{
    ApprovalId, DecisionKind, RemarkId,
    view::{ApprovalDetail, ApprovalSummary, EmergencyView, Page},
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use super::{go_on, scope};
#[cfg(feature = "ssr")]
use crate::model::narrowing;
use crate::{door::Door, errors::AppError};

/// The queue beside the approval that is open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueueData {
    /// The list.
    pub list: Page<ApprovalSummary>,
    /// The open one: the asked one, else the first of the list.
    pub open: Option<ApprovalDetail>,
    /// Emergency access that holds, or waits for somebody who agrees, where the reader is on duty.
    pub emergencies: Vec<EmergencyView>,
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
    Ok(QueueData { list, open, emergencies: service.emergencies_now(&caller).await? })
}

/// Decides. The digest says what exactly is decided; a decision about something else is refused. The fields are what the
/// approval's form asks for, or what is permitted instead of what was asked for, named by JSON pointer.
#[server(protocol = Door, prefix = "/ui", endpoint = "decide")]
pub async fn decide(
    approval: ApprovalId,
    decision: DecisionKind,
    #[server(default)] comment: String,
    digest: String,
    #[server(default)] fields: BTreeMap<String, String>,
) -> Result<ApprovalDetail, AppError> {
    let (service, caller) = scope()?;
    let mut new = service::NewDecision {
        kind: decision,
        comment: comment.trim().to_owned(),
        digest,
        filled_in: None,
        narrowed: BTreeMap::new(),
    };
    if matches!(decision, DecisionKind::Approve | DecisionKind::Narrow) {
        let asked = service.approval(&caller, approval).await?;
        if decision == DecisionKind::Narrow {
            new.narrowed = narrowing::changes(&asked, fields);
        } else if let Some(form) = &asked.form {
            new.filled_in = Some(crate::model::connection_settings::settings(Some(form), fields));
        }
    }
    let decided = service.decide_on(&caller, approval, new).await?;
    go_on(&format!("/approvals/{approval}?decided={decision}"));
    Ok(decided)
}

/// Asks something before deciding.
#[server(protocol = Door, prefix = "/ui", endpoint = "ask")]
pub async fn ask(approval: ApprovalId, text: String) -> Result<ApprovalDetail, AppError> {
    let (service, caller) = scope()?;
    let asked = service.ask(&caller, approval, &text).await?;
    go_on(&format!("/approvals/{approval}"));
    Ok(asked)
}

/// Answers a question.
#[server(protocol = Door, prefix = "/ui", endpoint = "answer")]
pub async fn answer(approval: ApprovalId, question: RemarkId, text: String) -> Result<ApprovalDetail, AppError> {
    let (service, caller) = scope()?;
    let answered = service.answer(&caller, approval, question, &text).await?;
    go_on(&format!("/approvals/{approval}"));
    Ok(answered)
}
