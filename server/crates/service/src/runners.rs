//! Runners: who executes processes near the systems.

use std::collections::BTreeMap;

use domain::{
    ErrorCode, Name, Operation, Problem, RunnerId, RunnerState, RunnerTaskState, Scope, Timestamp,
    view::{NewRunnerView, RunnerTaskView, RunnerView},
};
use engine::{Topic, runners::is_online};
use identity::tokens;
use policy::Resource;
use serde_json::{Value, json};
use store::{
    UnitOfWork,
    runners::{Demand, Runner, RunnerTask},
};

use crate::{
    Caller, Service,
    gate::Target,
    people::{all_right, field},
    problems::{OrProblem as _, not_found},
    views::People,
};

/// The labels, and the namespaces, that a runner can have.
const MOST: usize = 32;

/// How many runners there are, and tasks for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunnerFigures {
    /// By `online`, `away`, `draining` and `disabled`.
    pub runners: [(&'static str, usize); 4],
    /// Those that are not done.
    pub tasks: [(RunnerTaskState, usize); 3],
}

/// A runner to be enrolled.
#[derive(Clone, Debug, Default)]
pub struct NewRunner {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Vec<String>,
    /// For which namespaces it works; `*` for all.
    pub namespaces: Vec<String>,
}

fn target(runner: &Runner) -> Target {
    Target::new("runner", runner.id, runner.name.as_str())
}

impl NewRunner {
    fn checked(self) -> Result<(Name, Vec<Name>, Vec<Scope>), Problem> {
        let mut errors = Vec::new();
        let name = self.name.trim().parse::<Name>();
        if let Err(error) = &name {
            errors.push(field("/name", "name", Value::Null, &error.to_string()));
        }
        let labels = in_order::<Name>(&self.labels);
        if labels.as_ref().is_none_or(|labels| labels.len() > MOST) {
            let message = "labels are at most 32 names: lower-case letters, digits and hyphens";
            errors.push(field("/labels", "labels", json!(MOST), message));
        }
        let namespaces = in_order::<Scope>(&self.namespaces).filter(|scopes| (1..=MOST).contains(&scopes.len()));
        if namespaces.is_none() {
            let message = "name 1 to 32 namespaces, or * for all";
            errors.push(field("/namespaces", "namespaces", json!(MOST), message));
        }
        all_right(errors)?;
        match (name, labels, namespaces) {
            (Ok(name), Some(labels), Some(namespaces)) => Ok((name, labels, namespaces)),
            _ => Err(Problem::new(ErrorCode::InvalidInput)),
        }
    }
}

/// Each once, in order; none where one of them is nothing of its kind.
fn in_order<T: std::str::FromStr + ToString>(texts: &[String]) -> Option<Vec<T>> {
    let texts = texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
    let known: Option<BTreeMap<String, T>> =
        texts.map(|text| text.parse::<T>().ok().map(|one| (one.to_string(), one))).collect();
    known.map(|known| known.into_values().collect())
}

impl Service {
    /// The runners by name, and what they run.
    pub async fn runners(&self, caller: &Caller) -> Result<Vec<RunnerView>, Problem> {
        let mut gate = self.look(caller, Operation::RunnerList).await?;
        gate.authorize(&Resource::system(), &Target::new("runners", "", "")).await?;
        all(gate.unit.as_mut(), gate.now).await
    }

    /// The same for the command line.
    pub async fn console_list_runners(&self) -> Result<Vec<RunnerView>, Problem> {
        let mut unit = self.parts.store.snapshot().await.or_problem()?;
        all(unit.as_mut(), self.now()).await
    }

    /// The processes that runners execute or that wait for one, those that wait longest first.
    pub async fn runner_tasks(&self, caller: &Caller) -> Result<Vec<RunnerTaskView>, Problem> {
        let mut gate = self.look(caller, Operation::RunnerList).await?;
        gate.authorize(&Resource::system(), &Target::new("runners", "", "")).await?;
        let tasks = gate.unit.open_runner_tasks().await.or_problem()?;
        Ok(tasks.iter().map(task_view).collect())
    }

    /// How many runners and tasks there are. For the server itself, which asks nobody.
    pub async fn runner_figures(&self) -> store::Result<RunnerFigures> {
        let mut unit = self.parts.store.snapshot().await?;
        let (runners, tasks) = (unit.list_runners().await?, unit.open_runner_tasks().await?);
        let now = self.now();
        let does = |runner: &Runner| match runner.state {
            RunnerState::Enabled if is_online(runner, now) => "online",
            RunnerState::Enabled => "away",
            RunnerState::Draining => "draining",
            RunnerState::Disabled => "disabled",
        };
        let of = |what: &str| runners.iter().filter(|runner| does(runner) == what).count();
        let stand = |state: RunnerTaskState| tasks.iter().filter(|task| task.state == state).count();
        Ok(RunnerFigures {
            runners: ["online", "away", "draining", "disabled"].map(|what| (what, of(what))),
            tasks: [RunnerTaskState::Queued, RunnerTaskState::Leased, RunnerTaskState::Started]
                .map(|state| (state, stand(state))),
        })
    }

    /// Enrols a runner. Its token is in the answer, and nowhere else.
    pub async fn enrol_runner(&self, caller: &Caller, new: NewRunner) -> Result<NewRunnerView, Problem> {
        let mut gate = self.enter(caller, Operation::RunnerEnrol).await?;
        let id = RunnerId::new(self.ids());
        let named = Target::new("runner", id, new.name.trim());
        gate.authorize(&Resource::system(), &named).await?;
        let (name, labels, namespaces) = new.checked()?;
        let made = tokens::generate(tokens::TokenKind::Runner, self.parts.random.as_ref());
        let runner = Runner {
            id,
            name,
            labels,
            namespaces,
            token_hash: made.hash,
            state: RunnerState::Enabled,
            created_by: caller.user,
            created_at: gate.now,
            instance: None,
            session: 0,
            turn: 0,
            version: None,
            capacity: None,
            load: None,
            seen_at: None,
        };
        if !gate.unit.insert_runner(&runner).await.or_problem()? {
            let detail = format!("there is a runner of the name {} already; choose another name", runner.name);
            return Err(Problem::new(ErrorCode::Conflict).with_detail(detail));
        }
        let people = People::load(gate.unit.as_mut(), [caller.user]).await.or_problem()?;
        let (target, now) = (target(&runner), gate.now);
        let after = json!({"labels": runner.labels, "namespaces": runner.namespaces, "state": runner.state});
        gate.finish(&target, json!({"before": null, "after": after})).await?;
        self.parts.live.changed(Topic::Runners);
        let token = made.text.expose().to_owned();
        Ok(NewRunnerView { runner: view(runner, &[], &people, now), token })
    }

    /// Says what a runner may do. One that is drained ends what it has; one that is disabled is not listened to any more, and
    /// what it has under way is lost.
    pub async fn update_runner(&self, caller: &Caller, name: &Name, state: RunnerState) -> Result<RunnerView, Problem> {
        let mut gate = self.enter(caller, Operation::RunnerUpdate).await?;
        gate.authorize(&Resource::system(), &Target::new("runner", name, name.as_str())).await?;
        let runner = by_name(gate.unit.as_mut(), name).await?;
        let (target, before, now) = (target(&runner), runner.state, gate.now);
        gate.unit.update_runner_state(runner.id, state).await.or_problem()?;
        let tasks = gate.unit.tasks_of_runner(runner.id).await.or_problem()?;
        let people = People::load(gate.unit.as_mut(), [runner.created_by]).await.or_problem()?;
        gate.finish(&target, json!({"before": {"state": before}, "after": {"state": state}})).await?;
        self.parts.live.changed(Topic::Runners);
        Ok(view(Runner { state, ..runner }, &tasks, &people, now))
    }

    /// Removes a runner: its token opens nothing any more, and what it has under way is lost.
    pub async fn remove_runner(&self, caller: &Caller, name: &Name) -> Result<(), Problem> {
        let mut gate = self.enter(caller, Operation::RunnerRemove).await?;
        gate.authorize(&Resource::system(), &Target::new("runner", name, name.as_str())).await?;
        let runner = by_name(gate.unit.as_mut(), name).await?;
        let target = target(&runner);
        gate.unit.delete_runner(runner.id).await.or_problem()?;
        let before = json!({"labels": runner.labels, "namespaces": runner.namespaces, "state": runner.state});
        gate.finish(&target, json!({"before": before, "after": null})).await?;
        self.parts.live.changed(Topic::Runners);
        Ok(())
    }
}

async fn all(unit: &mut dyn UnitOfWork, now: Timestamp) -> Result<Vec<RunnerView>, Problem> {
    let runners = unit.list_runners().await.or_problem()?;
    let tasks = unit.open_runner_tasks().await.or_problem()?;
    let people = People::load(unit, runners.iter().map(|runner| runner.created_by)).await.or_problem()?;
    Ok(runners.into_iter().map(|runner| view(runner, &tasks, &people, now)).collect())
}

async fn by_name(unit: &mut dyn UnitOfWork, name: &Name) -> Result<Runner, Problem> {
    let runners = unit.list_runners().await.or_problem()?;
    runners.into_iter().find(|runner| runner.name == *name).ok_or_else(not_found)
}

/// What a definition asks of runners that no enabled one has, for people.
pub(crate) async fn missing(
    unit: &mut dyn UnitOfWork,
    namespace: &Name,
    definition: &workflow::Definition,
) -> store::Result<Vec<String>> {
    let wanted = definition.wanted_runners();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut runners = unit.list_runners().await?;
    runners.retain(|runner| runner.state == RunnerState::Enabled);
    let demands = wanted.into_iter().map(|labels| Demand { namespace: namespace.clone(), labels: labels.to_vec() });
    let unmet = demands.filter(|demand| !runners.iter().any(|runner| runner.fits(demand)));
    Ok(unmet
        .map(|demand| {
            let whom = engine::runners::in_words(&demand.labels);
            format!("a task is for {whom}, and none that is enabled fits and works for {namespace}: it would wait")
        })
        .collect())
}

fn view(runner: Runner, tasks: &[RunnerTask], people: &People, now: Timestamp) -> RunnerView {
    let has = tasks.iter().filter(|task| task.runner == Some(runner.id) && task.state != RunnerTaskState::Queued);
    let online = is_online(&runner, now);
    RunnerView {
        id: runner.id,
        name: runner.name,
        labels: runner.labels,
        namespaces: runner.namespaces,
        state: runner.state,
        online,
        version: runner.version,
        capacity: runner.capacity,
        load: runner.load,
        seen_at: runner.seen_at,
        created_by: people.get(runner.created_by),
        created_at: runner.created_at,
        tasks: has.map(task_view).collect(),
    }
}

fn task_view(task: &RunnerTask) -> RunnerTaskView {
    RunnerTaskView {
        run: task.key.run,
        reference: task.reference.clone(),
        namespace: task.demand.namespace.clone(),
        labels: task.demand.labels.clone(),
        state: task.state,
        queued_at: task.queued_at,
        started_at: task.started_at,
        deadline: task.deadline,
    }
}
