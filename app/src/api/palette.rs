//! What the command palette finds.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use super::scope;
use crate::{door::Door, errors::AppError};

/// What a hit leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PaletteKind {
    /// A request form.
    Workflow,
    /// A decision.
    Approval,
    /// A run.
    Run,
}

/// One hit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaletteHit {
    /// What it leads to.
    pub kind: PaletteKind,
    /// Its name.
    pub label: String,
    /// What tells it from others.
    pub detail: String,
    /// Where it leads.
    pub href: String,
}

/// Workflows, waiting decisions and runs that match the words, a few of each; what the caller may not see is left out.
#[server(protocol = Door, prefix = "/ui", endpoint = "palette")]
pub async fn palette(words: String) -> Result<Vec<PaletteHit>, AppError> {
    let (service, caller) = scope()?;
    let words = words.trim().to_owned();
    let number = words.trim_start_matches(['R', 'r', '#', '-']).parse::<i64>().ok();
    let mut hits = Vec::new();
    if let Some(number) = number
        && let Ok(run) = service.run_by_number(&caller, number).await
    {
        hits.push(run_hit(run.summary));
    }
    let query = service::ApprovalQuery {
        state: Some(domain::ApprovalState::Pending),
        mine: true,
        ..service::ApprovalQuery::default()
    };
    let wanted = words.to_lowercase();
    let approvals = service.approvals(&caller, query, None, Some(50)).await.map(|page| page.items).unwrap_or_default();
    let matching = approvals.into_iter().filter(|approval| {
        let text = format!("{} {} {}", approval.title, approval.workflow_title, approval.requester.name);
        text.to_lowercase().contains(&wanted)
    });
    hits.extend(matching.take(3).map(|approval| PaletteHit {
        kind: PaletteKind::Approval,
        label: format!("{} · {}", approval.title, approval.workflow_title),
        detail: format!("R-{} · {}", approval.run_number, approval.requester.name),
        href: format!("/approvals/{}", approval.id),
    }));
    let search = Some(words.clone()).filter(|words| !words.is_empty());
    let workflows = service.catalogue(&caller, search.clone()).await.unwrap_or_default();
    hits.extend(workflows.into_iter().take(5).map(|item| PaletteHit {
        kind: PaletteKind::Workflow,
        label: item.title,
        detail: format!("{}/{}", item.namespace, item.name),
        href: format!("/catalogue/{}/{}/request", item.namespace, item.name),
    }));
    if search.is_some() && number.is_none() {
        let query = service::RunQuery { search, ..service::RunQuery::default() };
        let runs = service.runs(&caller, query, None, Some(5)).await.map(|page| page.items).unwrap_or_default();
        hits.extend(runs.into_iter().map(run_hit));
    }
    Ok(hits)
}

#[cfg(feature = "ssr")]
fn run_hit(run: domain::view::RunSummary) -> PaletteHit {
    PaletteHit {
        kind: PaletteKind::Run,
        label: format!("R-{} · {}", run.number, run.title),
        detail: run.requester.name,
        href: format!("/runs/{}", run.number),
    }
}
