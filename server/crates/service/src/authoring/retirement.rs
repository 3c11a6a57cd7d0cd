//! The end of a version: what still uses it, and retiring it.

use domain::{
    ErrorCode, FieldError, Operation, Problem, VersionState, WorkflowRef,
    view::{CallerView, UsesView, WorkflowVersionView},
};
use engine::schedules;
use policy::Resource;
use serde_json::{Value, json};
use store::{
    UnitOfWork,
    workflows::{VersionFilter, WorkflowVersion},
};

use super::target;
use crate::{Caller, Service, problems::OrProblem as _};

/// Published versions that are looked through at once.
const LOOKED_THROUGH: u32 = 200;
/// What `run: workflow` names the launchable version.
const LATEST: &str = "latest";

impl Service {
    /// What still uses a version: its schedules, published definitions that run it by `run: workflow`, and runs that have not
    /// ended. Which workflow an expression names is known in a run only, so such callers are not found.
    pub async fn definition_uses(
        &self,
        caller: &Caller,
        workflow: &WorkflowRef,
        version: &str,
    ) -> Result<UsesView, Problem> {
        let mut gate = self.look(caller, Operation::DefinitionRead).await?;
        let written = self.written_by(&mut gate, caller, workflow, version).await?;
        self.uses(gate.unit.as_mut(), caller, &written.version).await
    }

    /// Retires a published version: it is launched no more, by nobody. Runs that have not ended go on, and the workflow's
    /// schedules become those of the version that is launchable now. What still uses it is a refusal, unless the caller says
    /// that it is to be retired `anyway`.
    pub async fn retire_definition(
        &self,
        caller: &Caller,
        workflow: &WorkflowRef,
        version: &str,
        anyway: bool,
    ) -> Result<WorkflowVersionView, Problem> {
        let mut gate = self.enter(caller, Operation::DefinitionRetire).await?;
        let written = self.written_by(&mut gate, caller, workflow, version).await?;
        written.must_be(VersionState::Published)?;
        let uses = self.uses(gate.unit.as_mut(), caller, &written.version).await?;
        if !uses.is_empty() && !anyway {
            return Err(still_used(&uses));
        }
        let retired = written.changed(&gate, caller, VersionState::Retired);
        gate.unit.update_version(&retired, VersionState::Published).await.or_problem()?;
        let functions = self.parts.connectors.function_catalogue();
        schedules::follow(gate.unit.as_mut(), functions, gate.now, workflow).await.or_problem()?;
        let detail = json!({"version": version, "digest": retired.digest, "uses": uses});
        gate.finish(&target(workflow, version), detail).await?;
        self.wake_schedules();
        self.workflow_version(caller, workflow, version).await
    }

    async fn uses(
        &self,
        unit: &mut dyn UnitOfWork,
        caller: &Caller,
        version: &WorkflowVersion,
    ) -> Result<UsesView, Problem> {
        let WorkflowVersion { workflow, version: number, .. } = version;
        let mut uses = UsesView::default();
        let schedules = unit.schedules_of(workflow).await.or_problem()?;
        let own = schedules.into_iter().filter(|schedule| schedule.version == *number);
        uses.schedules = own.map(|schedule| schedule.trigger).collect();
        uses.open_runs = unit.count_open_runs(workflow, number).await.or_problem()?;
        for found in self.callers_of(unit, version).await? {
            let place = WorkflowRef { namespace: found.namespace.clone(), name: found.name.clone() };
            let resource = Resource::workflow(&place);
            if self.in_force().decide(&caller.principal, Operation::WorkflowRead, &resource).allowed {
                uses.callers.push(found);
            } else {
                uses.other_callers += 1;
            }
        }
        Ok(uses)
    }

    /// The published versions that run this one by name, or as the latest while it is that.
    async fn callers_of(
        &self,
        unit: &mut dyn UnitOfWork,
        version: &WorkflowVersion,
    ) -> Result<Vec<CallerView>, Problem> {
        let launchable = unit.launchable_version(&version.workflow).await.or_problem()?;
        let is_latest = launchable.is_some_and(|launchable| launchable.version == version.version);
        let filter = VersionFilter { namespaces: None, state: Some(VersionState::Published) };
        let mut callers = Vec::new();
        let mut after = None;
        loop {
            let page = unit.list_versions(&filter, after.as_ref(), LOOKED_THROUGH).await.or_problem()?;
            let Some(last) = page.last() else { return Ok(callers) };
            after = Some(last.key());
            for listed in page {
                let definition = self.definition(unit, &listed.workflow, &listed.version).await?;
                let calls = definition.called_workflows().into_iter().any(|called| {
                    called.namespace == version.workflow.namespace.as_str()
                        && called.name == version.workflow.name.as_str()
                        && (called.version == version.version || is_latest && called.version == LATEST)
                });
                if calls {
                    let WorkflowRef { namespace, name } = listed.workflow;
                    callers.push(CallerView { namespace, name, version: listed.version });
                }
            }
        }
    }
}

/// The refusal to retire what is used, with each use in a sentence.
fn still_used(uses: &UsesView) -> Problem {
    let mut sentences = Vec::new();
    sentences.extend(uses.schedules.iter().map(|trigger| format!("its schedule ({trigger}) launches runs")));
    sentences.extend(
        uses.callers
            .iter()
            .map(|CallerView { namespace, name, version }| format!("{namespace}/{name} {version} runs it")),
    );
    if uses.other_callers > 0 {
        sentences.push(format!("workflows that you may not see run it: {}", uses.other_callers));
    }
    if uses.open_runs > 0 {
        sentences.push(format!("runs that have not ended: {}", uses.open_runs));
    }
    let error = |message| FieldError {
        pointer: "/anyway".to_owned(),
        rule: "unused".to_owned(),
        expected: Value::Bool(true),
        message,
    };
    Problem::new(ErrorCode::StillUsed)
        .with_detail("say `anyway` to retire it all the same; runs that have not ended go on")
        .with_errors(sentences.into_iter().map(error).collect())
}
