//! Runs: lists, the page of one, its journal and logs, and what may be done with it.

use domain::{
    RunId, RunStatus,
    view::{ApprovalDetail, DraftView, JournalEntryView, LogLine, Page, RunDetail, RunSummary, TaskView},
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use super::{go_on, scope};
use crate::{door::Door, errors::AppError};

/// How many lines of a log come with a page; the browser fetches the rest.
#[cfg(feature = "ssr")]
const FIRST_LINES: u32 = 200;
/// How many lines of a log are fetched at once.
pub const LINES_AT_ONCE: u32 = 1_000;

/// The caller's own requests: sent and not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequestsData {
    /// Sent ones.
    pub runs: Page<RunSummary>,
    /// Unsent ones; only with the first page.
    pub drafts: Vec<DraftView>,
}

/// A run with all that its page shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunData {
    /// The run.
    pub run: RunDetail,
    /// Its tasks in order of start.
    pub tasks: Vec<TaskView>,
    /// Its approvals that the caller may see, in order of opening.
    pub approvals: Vec<ApprovalDetail>,
    /// The first lines of the log that the page shows.
    pub log: Vec<LogLine>,
    /// The journal, where the page shows it.
    pub journal: Option<Page<JournalEntryView>>,
}

/// What a list of runs is narrowed to, as it stands in the address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunListQuery {
    /// `open`, `attention`, a status, or empty for all.
    pub state: String,
    /// What was typed into the search field.
    pub search: String,
    /// The workflow (`namespace/name`), or empty for all.
    pub workflow: String,
    /// Where the page begins.
    pub cursor: String,
}

/// The caller's own requests.
#[server(protocol = Door, prefix = "/ui", endpoint = "requests")]
pub async fn requests(query: RunListQuery) -> Result<RequestsData, AppError> {
    let (service, caller) = scope()?;
    let first = query == RunListQuery::default();
    let runs = service.runs(&caller, server_side::query(&query, true), server_side::cursor(&query), None).await?;
    let drafts = if first { service.drafts(&caller).await? } else { Vec::new() };
    Ok(RequestsData { runs, drafts })
}

/// All runs that the caller may see.
#[server(protocol = Door, prefix = "/ui", endpoint = "runs")]
pub async fn runs(query: RunListQuery) -> Result<Page<RunSummary>, AppError> {
    let (service, caller) = scope()?;
    Ok(service.runs(&caller, server_side::query(&query, false), server_side::cursor(&query), None).await?)
}

/// A run by its number or id. `task` is the task whose log is shown, `tab` the part of the page.
#[server(protocol = Door, prefix = "/ui", endpoint = "run")]
pub async fn run(
    key: String,
    #[server(default)] task: String,
    #[server(default)] tab: String,
    #[server(default)] cursor: String,
) -> Result<RunData, AppError> {
    let (service, caller) = scope()?;
    let run = server_side::run(&service, &caller, &key).await?;
    let id = run.summary.id;
    let tasks = service.run_tasks(&caller, id).await?;
    let mut approvals = Vec::with_capacity(run.approvals.len());
    for approval in &run.approvals {
        match service.approval(&caller, approval.id).await {
            Ok(approval) => approvals.push(approval),
            // Somebody who is asked for one step of a run need not see what others are asked.
            Err(problem) if matches!(problem.status, 403 | 404) => {}
            Err(problem) => return Err(problem.into()),
        }
    }
    let reference = (tab != "log" && !task.is_empty()).then_some(task.as_str());
    let log = if tab == "log" || reference.is_some() {
        service.run_logs(&caller, id, reference, 0, Some(FIRST_LINES)).await?
    } else {
        Vec::new()
    };
    let cursor = (!cursor.is_empty()).then_some(cursor.as_str());
    let journal = if tab == "journal" { Some(service.run_journal(&caller, id, cursor, None).await?) } else { None };
    Ok(RunData { run, tasks, approvals, log, journal })
}

/// Lines of a run's log after the given one, at most [`LINES_AT_ONCE`]; of one task where `reference` is not empty.
#[server(protocol = Door, prefix = "/ui", endpoint = "run-logs")]
pub async fn run_logs(id: RunId, #[server(default)] reference: String, after: i64) -> Result<Vec<LogLine>, AppError> {
    let (service, caller) = scope()?;
    let reference = (!reference.is_empty()).then_some(reference.as_str());
    Ok(service.run_logs(&caller, id, reference, after, Some(LINES_AT_ONCE)).await?)
}

/// Cancels a run.
#[server(protocol = Door, prefix = "/ui", endpoint = "cancel-run")]
pub async fn cancel_run(id: RunId, #[server(default)] reason: String) -> Result<RunSummary, AppError> {
    let (service, caller) = scope()?;
    Ok(server_side::steered(service.cancel_run(&caller, id, &reason).await?))
}

/// Halts a run.
#[server(protocol = Door, prefix = "/ui", endpoint = "suspend-run")]
pub async fn suspend_run(id: RunId) -> Result<RunSummary, AppError> {
    let (service, caller) = scope()?;
    Ok(server_side::steered(service.suspend_run(&caller, id).await?))
}

/// Lets a halted run go on.
#[server(protocol = Door, prefix = "/ui", endpoint = "resume-run")]
pub async fn resume_run(id: RunId) -> Result<RunSummary, AppError> {
    let (service, caller) = scope()?;
    Ok(server_side::steered(service.resume_run(&caller, id).await?))
}

/// Retries the failed task of a run.
#[server(protocol = Door, prefix = "/ui", endpoint = "retry-run")]
pub async fn retry_run(id: RunId) -> Result<RunSummary, AppError> {
    let (service, caller) = scope()?;
    Ok(server_side::steered(service.retry_run(&caller, id).await?))
}

/// Says what became of a call whose outcome is unknown: `done` (with its output as JSON), `failed` (with a reason), or
/// `try-again`.
#[server(protocol = Door, prefix = "/ui", endpoint = "resolve-task")]
pub async fn resolve_task(
    id: RunId,
    reference: String,
    occurrence: u32,
    resolution: String,
    #[server(default)] text: String,
) -> Result<RunSummary, AppError> {
    let (service, caller) = scope()?;
    let resolution = server_side::resolution(&resolution, &text)?;
    Ok(server_side::steered(service.resolve_task(&caller, id, &reference, occurrence, resolution).await?))
}

/// Passes over a task. `text` is what stands for its output, as JSON, or empty.
#[server(protocol = Door, prefix = "/ui", endpoint = "skip-task")]
pub async fn skip_task(
    id: RunId,
    reference: String,
    occurrence: u32,
    reason: String,
    #[server(default)] text: String,
) -> Result<RunSummary, AppError> {
    let (service, caller) = scope()?;
    let output = if text.trim().is_empty() { None } else { Some(server_side::json(&text)?) };
    let skipped = service.skip_task(&caller, id, &reference, Some(occurrence), output, &reason);
    Ok(server_side::steered(skipped.await?))
}

/// Lets a run go on from a task with another input. `text` is that, as JSON.
#[server(protocol = Door, prefix = "/ui", endpoint = "resume-run-from")]
pub async fn resume_run_from(
    id: RunId,
    reference: String,
    reason: String,
    text: String,
) -> Result<RunSummary, AppError> {
    let (service, caller) = scope()?;
    let input = server_side::json(&text)?;
    Ok(server_side::steered(service.resume_run_from(&caller, id, &reference, input, &reason).await?))
}

/// The states that a list can be narrowed to by one word.
pub fn statuses_of(state: &str) -> Vec<RunStatus> {
    match state {
        "open" => RunStatus::ALL.iter().copied().filter(|status| !status.is_final()).collect(),
        other => other.parse().into_iter().collect(),
    }
}

#[cfg(feature = "ssr")]
mod server_side {
    use domain::{
        ErrorCode, FieldError, Problem, RunId,
        view::{RunDetail, RunSummary},
    };
    use serde_json::{Value, json};
    use service::{Caller, RunQuery, RunResolution, Service};

    use super::{RunListQuery, go_on, statuses_of};
    use crate::errors::AppError;

    pub(super) fn query(query: &RunListQuery, mine: bool) -> RunQuery {
        RunQuery {
            mine,
            statuses: statuses_of(&query.state),
            attention: (query.state == "attention").then_some(true),
            workflow: query.workflow.trim().parse().ok(),
            search: Some(query.search.trim().to_owned()).filter(|search| !search.is_empty()),
            ..RunQuery::default()
        }
    }

    pub(super) fn cursor(query: &RunListQuery) -> Option<&str> {
        Some(query.cursor.as_str()).filter(|cursor| !cursor.is_empty())
    }

    /// A run by what stands in the address: `1042`, `R-1042`, or its id.
    pub(super) async fn run(service: &Service, caller: &Caller, key: &str) -> Result<RunDetail, AppError> {
        let number = key.strip_prefix("R-").or_else(|| key.strip_prefix("r-")).unwrap_or(key);
        if let Ok(number) = number.parse() {
            return Ok(service.run_by_number(caller, number).await?);
        }
        let id: RunId = key.parse().map_err(|_| Problem::new(ErrorCode::NotFound))?;
        Ok(service.run(caller, id).await?)
    }

    /// Back to the run's page after something was done with it.
    pub(super) fn steered(run: RunSummary) -> RunSummary {
        go_on(&format!("/runs/{}", run.number));
        run
    }

    /// The field `text` as JSON.
    pub(super) fn json(text: &str) -> Result<Value, Problem> {
        serde_json::from_str(text).map_err(|cause| {
            let error = FieldError {
                pointer: "/text".to_owned(),
                rule: "json".to_owned(),
                expected: Value::Null,
                message: cause.to_string(),
            };
            Problem::new(ErrorCode::InvalidInput).with_errors(vec![error])
        })
    }

    pub(super) fn resolution(word: &str, text: &str) -> Result<RunResolution, AppError> {
        let text = text.trim();
        match word {
            "done" if text.is_empty() => Ok(RunResolution::Done { output: json!({}) }),
            "done" => Ok(RunResolution::Done { output: json(text)? }),
            "failed" => Ok(RunResolution::Failed { reason: text.to_owned() }),
            "try-again" => Ok(RunResolution::TryAgain),
            _ => Err(Problem::new(ErrorCode::BadRequest).into()),
        }
    }
}
