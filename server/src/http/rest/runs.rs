//! Following and steering runs.

use axum::{Json, extract::State};
use domain::{
    ErrorCode, Name, Problem, RunId, RunStatus, WorkflowRef,
    view::{JournalEntryView, LogLine, Page, RunDetail, RunSummary, TaskView},
};
use serde::Deserialize;
use serde_json::Value;
use service::{RunQuery, RunResolution};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Asked, Paging, Place, Sent, whole};
use crate::http::{
    Portal,
    identify::SignedIn,
    prefer::{Applied, Patience},
    problem::Answer,
};

/// Log lines in one answer where the caller does not say.
const LINES: u32 = 1_000;

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::default()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(tasks))
        .routes(routes!(journal))
        .routes(routes!(logs))
        .routes(routes!(cancel))
        .routes(routes!(suspend))
        .routes(routes!(resume))
        .routes(routes!(retry))
        .routes(routes!(skip))
        .routes(routes!(resume_from))
        .routes(routes!(resolve))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct RunsQuery {
    /// Only the caller's own requests.
    #[serde(default)]
    mine: bool,
    /// Only these states, separated by commas.
    status: Option<String>,
    /// Only this workflow, as `namespace/name`.
    workflow: Option<String>,
    /// Only this namespace.
    namespace: Option<String>,
    /// Only those that need an operator, or only those that do not.
    attention: Option<bool>,
    /// A part of title or input, or a number (`R-1042`).
    search: Option<String>,
    /// Items per page, 1 to 200; 50 unless told.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

fn wrong(parameter: &str, wanted: &str) -> Problem {
    Problem::new(ErrorCode::BadRequest).with_detail(format!("the query parameter {parameter} must be {wanted}"))
}

impl RunsQuery {
    fn filter(&self) -> Result<RunQuery, Problem> {
        let statuses = self.status.as_deref().unwrap_or_default().split(',').map(str::trim).filter(|s| !s.is_empty());
        let statuses: Result<Vec<RunStatus>, _> = statuses.map(str::parse).collect();
        let workflow = self.workflow.as_deref().map(str::parse::<WorkflowRef>).transpose();
        let namespace = self.namespace.as_deref().map(str::parse::<Name>).transpose();
        Ok(RunQuery {
            mine: self.mine,
            statuses: statuses.map_err(|_| wrong("status", "states of runs, separated by commas"))?,
            workflow: workflow.map_err(|_| wrong("workflow", "namespace/name"))?,
            namespace: namespace.map_err(|_| wrong("namespace", "a name"))?,
            attention: self.attention,
            search: self.search.clone(),
        })
    }
}

/// Runs that the caller may see, newest first
#[utoipa::path(get, path = "/api/v1/runs", tag = "runs", operation_id = "listRuns",
    params(RunsQuery),
    responses((status = 200, description = "A page of them", body = Page<RunSummary>)),
    extensions(("x-rondo-operation" = json!("run.list"))))]
async fn list(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Asked(query): Asked<RunsQuery>,
) -> Answer<Json<Page<RunSummary>>> {
    Ok(Json(portal.service.runs(&caller, query.filter()?, query.cursor.as_deref(), query.limit).await?))
}

/// One run, by id or number
#[utoipa::path(get, path = "/api/v1/runs/{id}", tag = "runs", operation_id = "getRun",
    params(("id" = String, Path, description = "The run's id, or its number (`1042`, `R-1042`)"),
        ("Prefer" = Option<String>, Header, description = "`wait=SECONDS`: answer when the run has ended, within a minute at most")),
    responses((status = 200, description = "The run", body = RunDetail)),
    extensions(("x-rondo-operation" = json!("run.read"))))]
async fn get(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(key): Place<String>,
    patience: Patience,
) -> Answer<(Applied, Json<RunDetail>)> {
    let run = match key.strip_prefix("R-").unwrap_or(&key).parse::<i64>() {
        Ok(number) => portal.service.run_by_number(&caller, number).await?,
        Err(_) => {
            let id = key.parse().map_err(|_| Problem::new(ErrorCode::NotFound))?;
            portal.service.run(&caller, id).await?
        }
    };
    let id = run.summary.id;
    let applied = patience.until_ended(&portal, &caller, id).await?;
    let run = if patience.is_some() { portal.service.run(&caller, id).await? } else { run };
    Ok((applied, Json(run)))
}

/// The tasks of a run in order of start
#[utoipa::path(get, path = "/api/v1/runs/{id}/tasks", tag = "runs", operation_id = "listRunTasks",
    params(("id" = RunId, Path)),
    responses((status = 200, description = "All of them", body = Page<TaskView>)),
    extensions(("x-rondo-operation" = json!("run.read"))))]
async fn tasks(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<RunId>,
) -> Answer<Json<Page<TaskView>>> {
    Ok(whole(portal.service.run_tasks(&caller, id).await?))
}

/// The journal of a run, oldest first
#[utoipa::path(get, path = "/api/v1/runs/{id}/journal", tag = "runs", operation_id = "listRunJournal",
    params(("id" = RunId, Path), Paging),
    responses((status = 200, description = "A page of it", body = Page<JournalEntryView>)),
    extensions(("x-rondo-operation" = json!("run.read"))))]
async fn journal(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<RunId>,
    Asked(paging): Asked<Paging>,
) -> Answer<Json<Page<JournalEntryView>>> {
    Ok(Json(portal.service.run_journal(&caller, id, paging.cursor.as_deref(), paging.limit).await?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct LogsQuery {
    /// Only of this task, by its reference.
    reference: Option<String>,
    /// Lines per page, 1 to 10000; 1000 unless told.
    limit: Option<u32>,
    /// `next` of the page before: the place of its last line.
    cursor: Option<i64>,
}

/// Log lines of a run, oldest first
#[utoipa::path(get, path = "/api/v1/runs/{id}/logs", tag = "runs", operation_id = "listRunLogs",
    params(("id" = RunId, Path), LogsQuery),
    responses((status = 200, description = "A page of them", body = Page<LogLine>)),
    extensions(("x-rondo-operation" = json!("run.read"))))]
async fn logs(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<RunId>,
    Asked(query): Asked<LogsQuery>,
) -> Answer<Json<Page<LogLine>>> {
    let limit = query.limit.unwrap_or(LINES).clamp(1, 10_000);
    let after = query.cursor.unwrap_or_default();
    let items = portal.service.run_logs(&caller, id, query.reference.as_deref(), after, Some(limit)).await?;
    let full = u32::try_from(items.len()).is_ok_and(|count| count >= limit);
    let next = items.last().filter(|_| full).map(|line| line.seq.to_string());
    Ok(Json(Page { items, next }))
}

/// Why a run is cancelled.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "asked for twice"}))]
struct Cancellation {
    /// For the journal and the audit log.
    #[serde(default)]
    reason: String,
}

/// A command without parameters.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Cancel a run: what it did is taken back where the definition says how
#[utoipa::path(post, path = "/api/v1/runs/{id}/cancel", tag = "runs", operation_id = "cancelRun",
    params(("id" = RunId, Path)),
    request_body = Cancellation,
    responses((status = 200, description = "The run as it was; it ends soon", body = RunSummary)),
    extensions(("x-rondo-operation" = json!("run.cancel"))))]
async fn cancel(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<RunId>,
    Sent(cancellation): Sent<Cancellation>,
) -> Answer<Json<RunSummary>> {
    Ok(Json(portal.service.cancel_run(&caller, id, &cancellation.reason).await?))
}

/// Halt a run: nothing new starts
#[utoipa::path(post, path = "/api/v1/runs/{id}/suspend", tag = "runs", operation_id = "suspendRun",
    params(("id" = RunId, Path)),
    responses((status = 200, description = "The run as it was; it halts soon", body = RunSummary)),
    extensions(("x-rondo-operation" = json!("run.suspend"))))]
async fn suspend(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<RunId>,
    Sent(_nothing): Sent<Nothing>,
) -> Answer<Json<RunSummary>> {
    Ok(Json(portal.service.suspend_run(&caller, id).await?))
}

/// Let a halted run go on
#[utoipa::path(post, path = "/api/v1/runs/{id}/resume", tag = "runs", operation_id = "resumeRun",
    params(("id" = RunId, Path)),
    responses((status = 200, description = "The run as it was; it goes on soon", body = RunSummary)),
    extensions(("x-rondo-operation" = json!("run.resume"))))]
async fn resume(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<RunId>,
    Sent(_nothing): Sent<Nothing>,
) -> Answer<Json<RunSummary>> {
    Ok(Json(portal.service.resume_run(&caller, id).await?))
}

/// Run the failed task of a faulted run again
#[utoipa::path(post, path = "/api/v1/runs/{id}/retry", tag = "runs", operation_id = "retryRun",
    params(("id" = RunId, Path)),
    responses((status = 200, description = "The run as it was; it goes on soon", body = RunSummary)),
    extensions(("x-rondo-operation" = json!("run.retry"))))]
async fn retry(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<RunId>,
    Sent(_nothing): Sent<Nothing>,
) -> Answer<Json<RunSummary>> {
    Ok(Json(portal.service.retry_run(&caller, id).await?))
}

/// A task to pass over.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"task": "/do/2/createAccount", "reason": "it exists already", "output": {"id": 7}}))]
struct Skipped {
    /// The task's reference.
    task: String,
    /// Which execution of it; the latest unless told.
    occurrence: Option<u32>,
    /// Why, for the journal and the audit log.
    reason: String,
    /// What stands for the task's output, `null` included; its input unless told.
    #[serde(default, deserialize_with = "super::given")]
    #[schema(value_type = Object)]
    output: Option<Value>,
}

/// Pass over a task at which a run failed, or that waits
///
/// The run goes on as if the task had completed: by its `then`, with its `export`. Nobody passes over an approval. After an
/// approval, an output is used once those who were asked have approved it.
#[utoipa::path(post, path = "/api/v1/runs/{id}/skip", tag = "runs", operation_id = "skipTask",
    params(("id" = RunId, Path)),
    request_body = Skipped,
    responses((status = 200, description = "The run as it was; it goes on soon", body = RunSummary)),
    extensions(("x-rondo-operation" = json!("run.skip"))))]
async fn skip(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<RunId>,
    Sent(skipped): Sent<Skipped>,
) -> Answer<Json<RunSummary>> {
    let Skipped { task, occurrence, reason, output } = skipped;
    Ok(Json(portal.service.skip_task(&caller, id, &task, occurrence, output, &reason).await?))
}

/// Where a run is to go on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"from": "/do/2/createAccount", "input": {"login": "ana"}, "reason": "a wrong name"}))]
struct Correction {
    /// The reference of a task that was started before.
    from: String,
    /// The task's input, before its `input.from`.
    #[schema(value_type = Object)]
    input: Value,
    /// Why, for the journal and the audit log.
    reason: String,
}

/// Let a run that failed, waits or is halted go on from an earlier task with another input
///
/// What followed the task runs again, and what is asked from there on is asked anew. Where people were asked before it, the
/// input is used once they have approved it.
#[utoipa::path(post, path = "/api/v1/runs/{id}/resume-from", tag = "runs", operation_id = "resumeRunFrom",
    params(("id" = RunId, Path)),
    request_body = Correction,
    responses((status = 200, description = "The run as it was; it goes on soon", body = RunSummary)),
    extensions(("x-rondo-operation" = json!("run.resume-from"))))]
async fn resume_from(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<RunId>,
    Sent(correction): Sent<Correction>,
) -> Answer<Json<RunSummary>> {
    let Correction { from, input, reason } = correction;
    Ok(Json(portal.service.resume_run_from(&caller, id, &from, input, &reason).await?))
}

/// What became of a call whose outcome is unknown.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reference": "/do/2/createAccount", "occurrence": 1, "resolution": "done", "output": {}}))]
struct Resolved {
    /// The task's reference.
    reference: String,
    /// Which execution of it.
    #[serde(default = "first")]
    occurrence: u32,
    /// What became of it.
    resolution: ResolutionKind,
    /// What it returned, for `done`.
    #[serde(default)]
    #[schema(value_type = Object)]
    output: Value,
    /// Why, for `failed`.
    #[serde(default)]
    reason: String,
}

const fn first() -> u32 {
    1
}

/// What became of a call.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum ResolutionKind {
    /// It happened.
    Done,
    /// It did not happen and is not to be tried again.
    Failed,
    /// It is to be tried again.
    TryAgain,
}

/// Say what became of a call whose outcome is unknown
#[utoipa::path(post, path = "/api/v1/runs/{id}/tasks/resolve", tag = "runs", operation_id = "resolveTask",
    params(("id" = RunId, Path)),
    request_body = Resolved,
    responses((status = 200, description = "The run as it was; it goes on soon", body = RunSummary)),
    extensions(("x-rondo-operation" = json!("run.resolve"))))]
async fn resolve(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<RunId>,
    Sent(resolved): Sent<Resolved>,
) -> Answer<Json<RunSummary>> {
    let resolution = match resolved.resolution {
        ResolutionKind::Done => RunResolution::Done { output: resolved.output },
        ResolutionKind::Failed => RunResolution::Failed { reason: resolved.reason },
        ResolutionKind::TryAgain => RunResolution::TryAgain,
    };
    let service = &portal.service;
    Ok(Json(service.resolve_task(&caller, id, &resolved.reference, resolved.occurrence, resolution).await?))
}
