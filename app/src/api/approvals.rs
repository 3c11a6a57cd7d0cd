//! Approvals: the queue, one of them, and the decision.

use std::collections::BTreeMap;

use domain::{
    ApprovalId, DecisionKind, RemarkId,
    view::{ApprovalDetail, ApprovalSummary, ChosenApproval, DecisionOutcome, EmergencyView, ForesightView, Page},
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use super::{browser_session, go_on, scope};
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

/// What the run will do next if it is approved, as far as other systems say.
#[server(protocol = Door, prefix = "/ui", endpoint = "approval-foresight")]
pub async fn approval_foresight(approval: ApprovalId) -> Result<ForesightView, AppError> {
    let (service, caller) = scope()?;
    Ok(service.foresee_approval(&caller, approval).await?)
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
    #[server(default)] password: String,
) -> Result<ApprovalDetail, AppError> {
    let (service, caller) = scope()?;
    let caller = confirmed(&service, caller, &password).await?;
    let mut new = service::NewDecision::new(decision, comment.trim(), &digest);
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

/// The caller, who gives the password again if it is needed; the browser's session remembers it for a while.
#[cfg(feature = "ssr")]
async fn confirmed(
    service: &service::Service,
    caller: service::Caller,
    password: &str,
) -> Result<service::Caller, AppError> {
    if password.is_empty() {
        return Ok(caller);
    }
    let caller = service.confirm(&caller, password).await?;
    if let Some(at) = caller.confirmed_at {
        browser_session()?.confirm(at).await?;
    }
    Ok(caller)
}

/// Those of the chosen approvals (ids with commas between them) that the caller may see.
#[server(protocol = Door, prefix = "/ui", endpoint = "chosen-approvals")]
pub async fn chosen_approvals(#[server(default)] ids: String) -> Result<Vec<ChosenApproval>, AppError> {
    let (service, caller) = scope()?;
    let ids: Vec<ApprovalId> = ids.split(',').filter_map(|id| id.parse().ok()).collect();
    Ok(service.chosen_approvals(&caller, &ids).await?)
}

/// What is decided about one of the chosen approvals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChosenRow {
    /// The approval.
    pub approval: ApprovalId,
    /// The digest of what was shown.
    pub digest: String,
    /// What is decided; empty to leave it.
    #[serde(default)]
    pub decision: String,
    /// Why.
    #[serde(default)]
    pub comment: String,
}

/// Decides on the chosen approvals, but for those that are left. `common` is the reason of each that has none of its own.
#[server(protocol = Door, prefix = "/ui", endpoint = "decide-chosen")]
pub async fn decide_chosen(
    #[server(default)] rows: Vec<ChosenRow>,
    #[server(default)] common: String,
) -> Result<Vec<DecisionOutcome>, AppError> {
    let (service, caller) = scope()?;
    let all: Vec<String> = rows.iter().map(|row| row.approval.to_string()).collect();
    let chosen: Vec<service::ChosenDecision> = rows
        .into_iter()
        .filter_map(|row| {
            let comment = if row.comment.trim().is_empty() { common.clone() } else { row.comment };
            let kind = row.decision.parse().ok()?;
            Some(service::ChosenDecision { approval: row.approval, kind, comment, digest: row.digest })
        })
        .collect();
    let places: Vec<String> = chosen.iter().map(|chosen| format!("/{}", chosen.approval)).collect();
    let outcomes = service.decide_chosen(&caller, chosen).await.map_err(|mut problem| {
        // A page knows its rows by their approvals, not by their numbers.
        for error in &mut problem.errors {
            for (number, place) in places.iter().enumerate() {
                if let Some(field) = error.pointer.strip_prefix(&format!("/decisions/{number}/")) {
                    error.pointer = format!("{place}/{field}");
                    break;
                }
            }
            if error.pointer == "/decisions" {
                error.pointer = String::new();
            }
        }
        problem
    })?;
    go_on(&format!("/approvals/chosen?sent=1&id={}", all.join("&id=")));
    Ok(outcomes)
}

/// What a link in a mail asks the caller to decide.
#[server(protocol = Door, prefix = "/ui", endpoint = "linked-approval")]
pub async fn linked_approval(token: String) -> Result<ApprovalDetail, AppError> {
    let (service, caller) = scope()?;
    Ok(service.linked_approval(&caller, &token).await?)
}

/// Decides by a link in a mail.
#[server(protocol = Door, prefix = "/ui", endpoint = "decide-by-link")]
pub async fn decide_by_link(
    token: String,
    decision: DecisionKind,
    #[server(default)] comment: String,
    #[server(default)] password: String,
) -> Result<ApprovalDetail, AppError> {
    let (service, caller) = scope()?;
    let caller = confirmed(&service, caller, &password).await?;
    let decided = service.decide_by_link(&caller, &token, decision, comment.trim()).await?;
    go_on(&format!("/approvals/{}?decided={decision}", decided.summary.id));
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
