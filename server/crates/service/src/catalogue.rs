//! What may be launched, and launching it.

use std::collections::BTreeMap;

use domain::{
    ErrorCode, Operation, Problem, Risk, Trigger, WorkflowRef,
    view::{CatalogueItem, PlanStep, RunSummary, ScheduleRefusal, ScheduleView, WorkflowVersionView},
};
use engine::launch::{self, Cause, Launch, Obstacle};
use policy::Resource;
use serde_json::{Value, json};
use store::{
    UnitOfWork,
    runs::Run,
    workflows::{VersionState, WorkflowVersion},
};
use workflow::{Definition, approval::Approver};

use crate::{
    Caller, Gate, Service,
    gate::Target,
    input,
    problems::{OrProblem as _, not_found},
    typical::SAMPLE,
    views::{self, People},
};

/// Runs that are looked through for what is said of a workflow or a person: the last ones, however many there are.
pub(crate) const LATEST: u32 = 1_000;

/// A run that was written and not yet committed.
pub(crate) struct Launched {
    pub(crate) run: Run,
    target: Target,
    risk: Risk,
}

fn target(workflow: &WorkflowRef) -> Target {
    Target::new("workflow", workflow, workflow.to_string()).within(&workflow.namespace)
}

impl Service {
    /// Everything that the caller may launch. `search` is a part of title, summary, category or name.
    pub async fn catalogue(&self, caller: &Caller, search: Option<String>) -> Result<Vec<CatalogueItem>, Problem> {
        let mut gate = self.look(caller, Operation::CatalogueList).await?;
        gate.authorize(&Resource::system(), &Target::new("catalogue", "", "")).await?;
        let versions = gate.unit.launchable_versions().await.or_problem()?;
        let last_used: BTreeMap<_, _> =
            gate.unit.last_launches(caller.user, LATEST).await.or_problem()?.into_iter().collect();
        let connections = gate.unit.list_connections().await.or_problem()?;
        let wanted = search.unwrap_or_default().trim().to_lowercase();
        let mut items = Vec::new();
        for version in versions {
            if !gate.shows(&Resource::workflow(&version.workflow)) {
                continue;
            }
            let definition = self.parse(&version)?;
            let mut item = views::catalogue_item(&version, &definition);
            item.missing_connections =
                launch::missing_connections(&connections, &version.workflow.namespace, &definition);
            let haystack =
                format!("{} {} {} {}", item.title, item.summary, item.category, version.workflow).to_lowercase();
            if !wanted.split_whitespace().all(|word| haystack.contains(word)) {
                continue;
            }
            let typical = self.typical.seconds(gate.unit.as_mut(), &version.workflow, gate.now);
            item.typical_seconds = typical.await.or_problem()?;
            item.last_used_at = last_used.get(&version.workflow).copied();
            items.push(item);
        }
        Ok(items)
    }

    /// The launchable version of one workflow.
    pub async fn workflow(&self, caller: &Caller, workflow: &WorkflowRef) -> Result<WorkflowVersionView, Problem> {
        let mut gate = self.look_at_workflow(caller, workflow).await?;
        let version = gate.unit.launchable_version(workflow).await.or_problem()?.ok_or_else(not_found)?;
        self.version_view(gate.unit.as_mut(), caller, &version).await
    }

    /// One version of a workflow. One that has not been published is there for those who may see definitions.
    pub async fn workflow_version(
        &self,
        caller: &Caller,
        workflow: &WorkflowRef,
        version: &str,
    ) -> Result<WorkflowVersionView, Problem> {
        let mut gate = self.look(caller, Operation::WorkflowRead).await?;
        let stored = gate.unit.workflow_version(workflow, version).await.or_problem()?;
        if stored.as_ref().is_some_and(|stored| !stored.state.has_been_published()) {
            drop(gate);
            return self.unpublished(caller, workflow, version).await;
        }
        gate.authorize_or_hide(&Resource::workflow(workflow), &target(workflow)).await?;
        let stored = stored.ok_or_else(not_found)?;
        let mut view = self.version_view(gate.unit.as_mut(), caller, &stored).await?;
        view.life = self.life(gate.unit.as_mut(), caller, &stored).await?;
        Ok(view)
    }

    /// All versions of a workflow, newest first, without their text, steps and graph. Those that have not been published are
    /// among them for those who may see definitions.
    pub async fn workflow_versions(
        &self,
        caller: &Caller,
        workflow: &WorkflowRef,
    ) -> Result<Vec<WorkflowVersionView>, Problem> {
        let mut gate = self.look_at_workflow(caller, workflow).await?;
        let mut versions = gate.unit.versions_of(workflow).await.or_problem()?;
        if !self.in_force().definition_visibility(&caller.principal).includes(&workflow.namespace) {
            versions.retain(|version| version.state.has_been_published());
        }
        if versions.is_empty() {
            return Err(not_found());
        }
        Ok(versions
            .iter()
            .map(|version| match self.restore(version) {
                Ok(definition) => outline(version, views::catalogue_item(version, &definition)),
                Err(_) => outline(version, views::unfinished_item(version)),
            })
            .collect())
    }

    async fn look_at_workflow(&self, caller: &Caller, workflow: &WorkflowRef) -> Result<Gate<'_>, Problem> {
        let mut gate = self.look(caller, Operation::WorkflowRead).await?;
        gate.authorize_or_hide(&Resource::workflow(workflow), &target(workflow)).await?;
        Ok(gate)
    }

    /// A version as its page shows it, but for its life.
    pub(crate) async fn version_view(
        &self,
        unit: &mut dyn UnitOfWork,
        caller: &Caller,
        version: &WorkflowVersion,
    ) -> Result<WorkflowVersionView, Problem> {
        let definition = match self.restore(version) {
            Ok(definition) => definition,
            Err(_) if version.state == VersionState::Draft => {
                let item = views::unfinished_item(version);
                return Ok(WorkflowVersionView { source: version.source.clone(), ..outline(version, item) });
            }
            Err(_) => self.parse(version)?,
        };
        let mut item = views::catalogue_item(version, &definition);
        let connections = unit.list_connections().await.or_problem()?;
        item.missing_connections = launch::missing_connections(&connections, &version.workflow.namespace, &definition);
        let durations = unit.run_durations(&version.workflow, SAMPLE).await.or_problem()?;
        item.typical_seconds = views::typical_seconds(&durations);
        Ok(WorkflowVersionView {
            source: version.source.clone(),
            steps: self.steps(unit, &definition, caller.user, None).await?,
            graph: definition.graph(),
            schedule: schedule(unit, version, &definition).await?,
            ..outline(version, item)
        })
    }

    /// What a run of this definition does, with the people asked by name where they are known already.
    pub(crate) async fn steps(
        &self,
        unit: &mut dyn UnitOfWork,
        definition: &Definition,
        requester: domain::UserId,
        input: Option<&Value>,
    ) -> Result<Vec<PlanStep>, Problem> {
        let mut steps = Vec::new();
        for planned in definition.plan(input).steps {
            let mut step = planned.view;
            step.approvers.clear();
            for approver in &planned.approvers {
                let person = self.name_approver(unit, approver, requester).await?;
                step.approvers.push(person.unwrap_or_else(|| views::approver_words(approver)));
            }
            steps.push(step);
        }
        Ok(steps)
    }

    /// The name of the one person whom an approver means, where it is one and known already.
    async fn name_approver(
        &self,
        unit: &mut dyn UnitOfWork,
        approver: &Approver,
        requester: domain::UserId,
    ) -> Result<Option<String>, Problem> {
        let person = match approver {
            Approver::ManagerOf(login) => {
                let below = if login == Approver::REQUESTER {
                    unit.user(requester).await.or_problem()?
                } else {
                    unit.user_by_login(login).await.or_problem()?
                };
                match below.and_then(|below| below.manager_id) {
                    Some(manager) => unit.user(manager).await.or_problem()?,
                    None => None,
                }
            }
            Approver::User(login) => unit.user_by_login(login).await.or_problem()?,
            Approver::Team(_) | Approver::Role(_) | Approver::OwnerOf(_) => None,
        };
        Ok(person.map(|person| person.name))
    }

    /// What would happen with this input, without doing it.
    pub async fn preview(
        &self,
        caller: &Caller,
        workflow: &WorkflowRef,
        input: Value,
    ) -> Result<Vec<PlanStep>, Problem> {
        let mut gate = self.look_at_workflow(caller, workflow).await?;
        let version = gate.unit.launchable_version(workflow).await.or_problem()?.ok_or_else(not_found)?;
        let definition = self.parse(&version)?;
        input::check(definition.input_schema(), &input)?;
        self.steps(gate.unit.as_mut(), &definition, caller.user, Some(&input)).await
    }

    /// Launches a workflow: the launchable version, or the given one if it is published.
    pub async fn launch(
        &self,
        caller: &Caller,
        workflow: &WorkflowRef,
        version: Option<String>,
        input: Value,
    ) -> Result<RunSummary, Problem> {
        let mut gate = self.enter(caller, Operation::RunLaunch).await?;
        let launched = self.launch_within(&mut gate, caller, workflow, version, input).await?;
        self.finish_launch(gate, launched, json!({})).await
    }

    /// Authorizes, checks and writes a run within a unit that the caller commits.
    pub(crate) async fn launch_within(
        &self,
        gate: &mut Gate<'_>,
        caller: &Caller,
        workflow: &WorkflowRef,
        version: Option<String>,
        input: Value,
    ) -> Result<Launched, Problem> {
        let resource = Resource::workflow(workflow);
        let known = self.in_force().decide(&caller.principal, Operation::WorkflowRead, &resource).allowed;
        if known {
            gate.authorize(&resource, &target(workflow)).await?;
        } else {
            gate.authorize_or_hide(&resource, &target(workflow)).await?;
        }
        let stored = match &version {
            None => gate.unit.launchable_version(workflow).await.or_problem()?,
            Some(version) => gate.unit.workflow_version(workflow, version).await.or_problem()?,
        };
        // Of what has not been published, nobody learns here that it is there.
        let stored = stored.filter(|stored| stored.state.has_been_published()).ok_or_else(not_found)?;
        if stored.state != VersionState::Published {
            return Err(Problem::new(ErrorCode::Conflict)
                .with_detail(format!("version {} is retired, so it cannot be launched", stored.version)));
        }
        let definition = self.parse(&stored)?;
        input::check(definition.input_schema(), &input)?;
        let obstacle = launch::obstacle(gate.unit.as_mut(), &workflow.namespace, &definition).await.or_problem()?;
        if let Some(Obstacle { code, detail }) = obstacle {
            return Err(gate.refuse(&target(workflow), Problem::new(code).with_detail(detail)).await);
        }
        let requester = gate.unit.user(caller.user).await.or_problem()?.ok_or_else(not_found)?;
        let launch = Launch {
            version: &stored,
            requester: &requester,
            input,
            cause: Cause::Request,
            base_url: &self.parts.base_url,
        };
        let run = launch.write(gate.unit.as_mut(), self.ids(), gate.now).await.or_problem()?;
        let target = Target::new("run", run.id, format!("R-{}", run.number)).within(&workflow.namespace);
        Ok(Launched { run, target, risk: definition.rondo().risk })
    }

    /// Enters the launch in the audit log, commits, and wakes the engine.
    pub(crate) async fn finish_launch(
        &self,
        mut gate: Gate<'_>,
        launched: Launched,
        mut detail: Value,
    ) -> Result<RunSummary, Problem> {
        let Launched { run, target, risk } = launched;
        if let Value::Object(detail) = &mut detail {
            detail.insert("workflow".to_owned(), json!(run.workflow.to_string()));
            detail.insert("version".to_owned(), json!(run.version));
            detail.insert("definition".to_owned(), json!(run.definition_digest));
            detail.insert("risk".to_owned(), json!(risk));
        }
        let people = People::load(gate.unit.as_mut(), [run.requester_id]).await.or_problem()?;
        gate.finish(&target, detail).await?;
        self.wake(run.id);
        Ok(views::run_summary(&run, &people))
    }
}

/// When runs of a version begin by themselves, and when next if it is the one that is launched.
async fn schedule(
    unit: &mut dyn UnitOfWork,
    version: &WorkflowVersion,
    definition: &Definition,
) -> Result<Option<ScheduleView>, Problem> {
    let Some(declared) = definition.schedule() else { return Ok(None) };
    let mut kept = unit.schedules_of(&version.workflow).await.or_problem()?;
    kept.retain(|kept| kept.version == version.version);
    Ok(Some(ScheduleView {
        cron: declared.cron.as_ref().map(|cron| cron.pattern().to_owned()),
        every_seconds: declared.every.map(|every| every.as_secs()),
        after_seconds: declared.after.map(|after| after.as_secs()),
        on_events: declared.triggers().contains(&Trigger::On),
        zone: declared.zone.to_string(),
        missed: declared.missed,
        next: kept.iter().filter(|kept| kept.trigger != Trigger::On).filter_map(|kept| kept.due_at).min(),
        last: kept.iter().filter_map(|kept| kept.fired_at).max(),
        refused: kept.iter().filter_map(refusal).max_by_key(|refusal| refusal.at),
    }))
}

fn refusal(kept: &store::schedules::Schedule) -> Option<ScheduleRefusal> {
    serde_json::from_str(kept.refused.as_deref()?).ok()
}

/// A version without its text and what is made of it.
fn outline(version: &WorkflowVersion, item: CatalogueItem) -> WorkflowVersionView {
    WorkflowVersionView {
        item,
        state: version.state.to_string(),
        digest: version.digest.clone(),
        created_at: version.created_at,
        source: String::new(),
        steps: Vec::new(),
        graph: domain::view::Graph::default(),
        schedule: None,
        life: None,
    }
}
