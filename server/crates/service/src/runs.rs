//! Following and steering runs.

mod corrections;

use domain::{
    ErrorCode, Name, Operation, Problem, RunId, RunStatus, TaskStatus, Timestamp, WorkflowRef,
    view::{JournalEntryView, LogLine, Page, RunDetail, RunSummary, TaskView},
};
use policy::Resource;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{
    UnitOfWork,
    approvals::{Approval, ApprovalFilter},
    delegations::Represented,
    runs::{Run, RunFilter, Visibility},
};
use workflow::{Event, EventKind, Resolution, RunError, StandardError};

use crate::{
    Caller, Gate, Service, cursor,
    gate::Target,
    input,
    problems::{OrProblem as _, internal, not_found},
    views::{self, People},
};

/// Approvals of one run that its page shows.
const RUN_APPROVALS: u32 = 100;

/// What a list of runs is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct RunQuery {
    /// Only the caller's own requests.
    pub mine: bool,
    /// Only these states; empty: all.
    pub statuses: Vec<RunStatus>,
    /// Only this workflow.
    pub workflow: Option<WorkflowRef>,
    /// Only this namespace.
    pub namespace: Option<Name>,
    /// Only those that need an operator, or only those that do not.
    pub attention: Option<bool>,
    /// A part of title or input, or a number (`R-1042`, `1042`).
    pub search: Option<String>,
}

/// What an operator says of a call whose outcome is unknown.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "as")]
pub enum RunResolution {
    /// It happened; this is what it returned.
    Done {
        /// The output.
        #[serde(default)]
        output: Value,
    },
    /// It did not happen and is not to be tried again.
    Failed {
        /// Why, for the journal.
        #[serde(default)]
        reason: String,
    },
    /// It is to be tried again.
    TryAgain,
}

/// What an operator can do with a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    Cancel,
    Suspend,
    Resume,
    Retry,
}

impl Command {
    const ALL: [Self; 4] = [Self::Cancel, Self::Suspend, Self::Resume, Self::Retry];

    const fn operation(self) -> Operation {
        match self {
            Self::Cancel => Operation::RunCancel,
            Self::Suspend => Operation::RunSuspend,
            Self::Resume => Operation::RunResume,
            Self::Retry => Operation::RunRetry,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Retry => "retry",
        }
    }

    /// Whether it makes sense now.
    const fn fits(self, run: &Run) -> bool {
        match self {
            Self::Cancel => !run.status.is_final(),
            Self::Suspend => matches!(run.status, RunStatus::Pending | RunStatus::Running | RunStatus::Waiting),
            Self::Resume => matches!(run.status, RunStatus::Suspended),
            // A rejection is a decision, not a failure: it is asked for anew, not retried. What was taken back is gone.
            Self::Retry => matches!(run.status, RunStatus::Faulted) && !run.rejected && !run.compensated,
        }
    }
}

pub(crate) fn run_target(run: &Run) -> Target {
    Target::new("run", run.id, format!("R-{}", run.number)).within(&run.workflow.namespace)
}

/// A run as policies see it.
pub(crate) async fn run_resource(unit: &mut dyn UnitOfWork, run: &Run, now: Timestamp) -> Result<Resource, Problem> {
    let asked = unit.people_asked_in(run.id).await.or_problem()?;
    let substitutes = unit.substitutes_in(run.id, now).await.or_problem()?;
    Ok(Resource::run(run.id, &run.workflow.namespace, run.requester_id, asked)
        .with_substitutes(substitutes.into_iter().map(|substitute| substitute.user_id)))
}

pub(crate) async fn approvals_of(unit: &mut dyn UnitOfWork, run: &Run) -> Result<Vec<Approval>, Problem> {
    let filter = ApprovalFilter { run: Some(run.id), ..ApprovalFilter::default() };
    unit.list_approvals(&Visibility::everything(), &filter, None, RUN_APPROVALS).await.or_problem()
}

/// What the caller may see of runs at the moment, as a filter for lists.
pub(crate) async fn visibility(
    service: &Service,
    unit: &mut dyn UnitOfWork,
    caller: &Caller,
    now: Timestamp,
) -> Result<Visibility, Problem> {
    Ok(visible_to(service, caller, unit.represented_by(caller.user, now).await.or_problem()?))
}

/// The same of a caller who stands in for these.
pub(crate) fn visible_to(service: &Service, caller: &Caller, represents: Vec<Represented>) -> Visibility {
    let seen = service.in_force().run_visibility(&caller.principal);
    let person = seen.own.then_some(caller.user);
    Visibility { everywhere: seen.everywhere, namespaces: seen.namespaces, person, represents }
}

impl Service {
    /// Runs that the caller may see, newest first.
    pub async fn runs(
        &self,
        caller: &Caller,
        query: RunQuery,
        cursor: Option<&str>,
        limit: Option<u32>,
    ) -> Result<Page<RunSummary>, Problem> {
        let mut gate = self.look(caller, Operation::RunList).await?;
        gate.authorize(&Resource::system(), &Target::new("runs", "", "")).await?;
        let limit = cursor::limit(limit);
        let filter = RunFilter {
            requester: query.mine.then_some(caller.user),
            statuses: query.statuses,
            workflow: query.workflow,
            namespace: query.namespace,
            needs_attention: query.attention,
            search: query.search.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()),
        };
        let visible = visibility(self, gate.unit.as_mut(), caller, gate.now).await?;
        let rows = gate.unit.list_runs(&visible, &filter, cursor::decode(cursor)?, limit + 1).await.or_problem()?;
        let people = People::load(gate.unit.as_mut(), rows.iter().map(|run| run.requester_id)).await.or_problem()?;
        let page = cursor::page(rows, limit, |run| run.number);
        Ok(cursor::map(page, |run| views::run_summary(&run, &people)))
    }

    /// One run with all that its page shows at once.
    pub async fn run(&self, caller: &Caller, id: RunId) -> Result<RunDetail, Problem> {
        let mut gate = self.look(caller, Operation::RunRead).await?;
        let run = gate.unit.run(id).await.or_problem()?.ok_or_else(not_found)?;
        self.run_page(gate, caller, &run).await
    }

    /// The same by number.
    pub async fn run_by_number(&self, caller: &Caller, number: i64) -> Result<RunDetail, Problem> {
        let mut gate = self.look(caller, Operation::RunRead).await?;
        let run = gate.unit.run_by_number(number).await.or_problem()?.ok_or_else(not_found)?;
        self.run_page(gate, caller, &run).await
    }

    async fn run_page(&self, mut gate: Gate<'_>, caller: &Caller, run: &Run) -> Result<RunDetail, Problem> {
        let resource = run_resource(gate.unit.as_mut(), run, gate.now).await?;
        gate.authorize_or_hide(&resource, &run_target(run)).await?;
        let people = People::load(gate.unit.as_mut(), [run.requester_id]).await.or_problem()?;
        let mut detail = views::run_detail(run, &people);
        detail.graph = self.definition(gate.unit.as_mut(), &run.workflow, &run.version).await?.graph();
        let mut approvals = approvals_of(gate.unit.as_mut(), run).await?;
        approvals.sort_by_key(|approval| approval.opened_at);
        let represents = gate.unit.represented_by(caller.user, gate.now).await.or_problem()?;
        detail.approvals = self.approval_summaries(gate.unit.as_mut(), caller, &represents, approvals).await?;
        let may = |operation| self.in_force().decide(&caller.principal, operation, &resource).allowed;
        detail.actions = Command::ALL
            .into_iter()
            .filter(|command| command.fits(run) && may(command.operation()))
            .map(|command| command.name().to_owned())
            .collect();
        if run.needs_attention && may(Operation::RunResolve) {
            detail.actions.push("resolve".to_owned());
        }
        for (operation, name) in [(Operation::RunSkip, "skip"), (Operation::RunResumeFrom, "resume-from")] {
            if corrections::may_fit(run) && may(operation) {
                detail.actions.push(name.to_owned());
            }
        }
        Ok(detail)
    }

    pub(crate) async fn look_at_run(&self, caller: &Caller, id: RunId) -> Result<(Gate<'_>, Run), Problem> {
        let mut gate = self.look(caller, Operation::RunRead).await?;
        let run = gate.unit.run(id).await.or_problem()?.ok_or_else(not_found)?;
        let resource = run_resource(gate.unit.as_mut(), &run, gate.now).await?;
        gate.authorize_or_hide(&resource, &run_target(&run)).await?;
        Ok((gate, run))
    }

    /// The tasks of a run in order of start.
    pub async fn run_tasks(&self, caller: &Caller, id: RunId) -> Result<Vec<TaskView>, Problem> {
        let (mut gate, run) = self.look_at_run(caller, id).await?;
        let definition = self.definition(gate.unit.as_mut(), &run.workflow, &run.version).await?;
        let titles = definition.titles();
        let tasks = gate.unit.tasks(id).await.or_problem()?;
        let mut tasks: Vec<TaskView> = tasks.into_iter().map(|task| views::task(task, &titles)).collect();
        let mut raw_inputs = self.raw_inputs(&mut gate, caller, &run, &definition).await?;
        for task in tasks.iter_mut().rev() {
            let raw_input = raw_inputs.remove(&task.reference);
            task.raw_input = raw_input.filter(|raw| task.input.as_ref() != Some(raw));
        }
        Ok(tasks)
    }

    /// The journal of a run, oldest first.
    pub async fn run_journal(
        &self,
        caller: &Caller,
        id: RunId,
        cursor: Option<&str>,
        limit: Option<u32>,
    ) -> Result<Page<JournalEntryView>, Problem> {
        let (mut gate, _) = self.look_at_run(caller, id).await?;
        let limit = cursor::limit(limit);
        let after = cursor::decode(cursor)?.unwrap_or(0);
        let rows = gate.unit.journal(id, after, limit + 1).await.or_problem()?;
        let page = cursor::page(rows, limit, |entry| entry.version);
        Ok(cursor::map(page, |entry| JournalEntryView {
            version: entry.version,
            at: entry.at,
            event: views::shown(&entry.event),
        }))
    }

    /// Log lines of a run after `after`, oldest first; of one task if `reference` is given.
    pub async fn run_logs(
        &self,
        caller: &Caller,
        id: RunId,
        reference: Option<&str>,
        after: i64,
        limit: Option<u32>,
    ) -> Result<Vec<LogLine>, Problem> {
        let (gate, _) = self.look_at_run(caller, id).await?;
        drop(gate);
        let limit = limit.unwrap_or(1_000).clamp(1, 10_000);
        self.parts.store.logs().read(id, reference, after, limit).await.or_problem()
    }

    /// Cancels a run: what it did is taken back where the definition says how.
    pub async fn cancel_run(&self, caller: &Caller, id: RunId, reason: &str) -> Result<RunSummary, Problem> {
        let reason = Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty());
        let event = EventKind::CancelRequested { by: caller.login.clone(), reason: reason.clone() };
        self.command(caller, id, Command::Cancel, event, json!({"reason": reason})).await
    }

    /// Halts a run: nothing new starts.
    pub async fn suspend_run(&self, caller: &Caller, id: RunId) -> Result<RunSummary, Problem> {
        let event = EventKind::Suspended { by: caller.login.clone() };
        self.command(caller, id, Command::Suspend, event, json!({})).await
    }

    /// Lets a halted run go on.
    pub async fn resume_run(&self, caller: &Caller, id: RunId) -> Result<RunSummary, Problem> {
        let event = EventKind::Resumed { by: caller.login.clone() };
        self.command(caller, id, Command::Resume, event, json!({})).await
    }

    /// Runs the failed task of a faulted run again.
    pub async fn retry_run(&self, caller: &Caller, id: RunId) -> Result<RunSummary, Problem> {
        let event = EventKind::RetryRequested { by: caller.login.clone() };
        self.command(caller, id, Command::Retry, event, json!({})).await
    }

    async fn command(
        &self,
        caller: &Caller,
        id: RunId,
        command: Command,
        event: EventKind,
        detail: Value,
    ) -> Result<RunSummary, Problem> {
        let (mut gate, run) = self.enter_run(caller, id, command.operation()).await?;
        if !command.fits(&run) {
            return Err(Problem::new(ErrorCode::Conflict).with_detail(format!(
                "the run is {}, so there is nothing to {}",
                run.status,
                command.name()
            )));
        }
        push(&mut gate, id, event).await?;
        let people = People::load(gate.unit.as_mut(), [run.requester_id]).await.or_problem()?;
        gate.finish(&run_target(&run), detail).await?;
        self.wake(id);
        Ok(views::run_summary(&run, &people))
    }

    /// Enters an operation on a run. Who may see it is told what is missing; to others it does not exist.
    pub(crate) async fn enter_run(
        &self,
        caller: &Caller,
        id: RunId,
        operation: Operation,
    ) -> Result<(Gate<'_>, Run), Problem> {
        let mut gate = self.enter(caller, operation).await?;
        let run = gate.unit.run(id).await.or_problem()?.ok_or_else(not_found)?;
        let resource = run_resource(gate.unit.as_mut(), &run, gate.now).await?;
        let target = run_target(&run);
        if self.in_force().decide(&caller.principal, Operation::RunRead, &resource).allowed {
            gate.authorize(&resource, &target).await?;
        } else {
            gate.authorize_or_hide(&resource, &target).await?;
        }
        Ok((gate, run))
    }

    /// Says what became of a call whose outcome is unknown.
    pub async fn resolve_task(
        &self,
        caller: &Caller,
        id: RunId,
        reference: &str,
        occurrence: u32,
        resolution: RunResolution,
    ) -> Result<RunSummary, Problem> {
        let (mut gate, run) = self.enter_run(caller, id, Operation::RunResolve).await?;
        let task = gate
            .unit
            .tasks(id)
            .await
            .or_problem()?
            .into_iter()
            .find(|task| task.reference == reference && task.occurrence == occurrence)
            .ok_or_else(not_found)?;
        let call = task
            .call
            .filter(|_| task.status == TaskStatus::Unknown)
            .ok_or_else(|| Problem::new(ErrorCode::Conflict).with_detail("the outcome of this task is not unknown"))?;
        if let RunResolution::Done { output } = &resolution {
            input::check_replacement(output)?;
        }
        let detail = json!({"task": reference, "occurrence": occurrence, "resolution": &resolution});
        let resolution = match resolution {
            RunResolution::Done { output } => Resolution::Done { output },
            RunResolution::Failed { reason } => {
                Resolution::Failed { error: RunError::new(StandardError::Communication, reason) }
            }
            RunResolution::TryAgain => Resolution::TryAgain,
        };
        let event = EventKind::CallResolved { call: workflow::CallId(call), resolution, by: caller.login.clone() };
        push(&mut gate, id, event).await?;
        let people = People::load(gate.unit.as_mut(), [run.requester_id]).await.or_problem()?;
        gate.finish(&run_target(&run), detail).await?;
        self.wake(id);
        self.wake_departures();
        Ok(views::run_summary(&run, &people))
    }
}

/// Puts an event into a run's inbox, in the operation's unit of work. Whoever puts data of their own into the run by it decides
/// nothing in it from now on.
pub(crate) async fn push(gate: &mut Gate<'_>, run: RunId, event: EventKind) -> Result<(), Problem> {
    if event.changes_data()
        && let Some(person) = gate.person()
    {
        gate.unit.note_change(run, person).await.or_problem()?;
    }
    let event = serde_json::to_string(&Event::new(gate.now, event))
        .map_err(|cause| internal("an event cannot be written", &cause))?;
    gate.unit.push_inbox(run, &event, gate.now).await.or_problem()
}
