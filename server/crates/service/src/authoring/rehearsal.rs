//! Trying definitions out: nothing is done, and nothing is kept.

use std::{collections::BTreeMap, sync::Arc};

use connectors::Foresight;
use domain::{
    ErrorCode, Name, Operation, Problem, WorkflowRef,
    view::{RehearsalView, RehearsedCall, RehearsedStep, RunError},
};
use policy::Resource;
use serde_json::Value;
use workflow::{
    Definition, Diagnostic, TaskRecord,
    rehearsal::{Case, Rehearsal, rehearse},
};

use super::{invalid, target};
use crate::{Caller, Service, gate::Target, problems::internal};

/// The most steps that are shown.
const STEPS: usize = 500;

impl Service {
    /// Runs a text with this input, or each of its tests, and does nothing of it: calls are answered as the tests say, or by
    /// what their connectors make up. For those who may write or publish the definition that the text says it is.
    pub async fn rehearse_definition(
        &self,
        caller: &Caller,
        text: &str,
        input: Option<Value>,
    ) -> Result<Vec<RehearsalView>, Problem> {
        let mut gate = self.look(caller, Operation::DefinitionRehearse).await?;
        let document = Definition::identify(text);
        let name = |text: &str| text.parse::<Name>().ok();
        let workflow = document.as_ref().and_then(|document| {
            Some(WorkflowRef { namespace: name(&document.namespace)?, name: name(&document.name)? })
        });
        let (Some(document), Some(workflow)) = (&document, workflow) else {
            // A text that does not say what it is can only be checked, by whoever may have texts checked.
            let mut gate = self.look(caller, Operation::DefinitionValidate).await?;
            gate.authorize(&Resource::system(), &Target::new("definitions", "", "")).await?;
            drop(gate);
            let found = self.examine(text).await?.err().map(invalid);
            return Err(found.unwrap_or_else(|| Problem::new(ErrorCode::InvalidDefinition)));
        };
        let version = document.version.to_string();
        let resource = Resource::definition(&workflow, &version, []);
        gate.authorize(&resource, &target(&workflow, &version)).await?;
        drop(gate);
        let definition = self.examine(text).await?.map_err(invalid)?;
        self.rehearse(Arc::new(definition), input).await
    }

    /// Which of its tests a definition fails, as what is wrong with its text.
    pub(super) async fn failed_tests(&self, definition: Arc<Definition>) -> Result<Vec<Diagnostic>, Problem> {
        let tried = self.rehearse(Arc::clone(&definition), None).await?;
        let failed = tried.into_iter().zip(definition.cases()).enumerate().filter_map(|(number, (tried, case))| {
            let (line, column) = case.place.unwrap_or_default();
            let path = format!("/document/metadata/rondo/tests/{number}");
            let message = format!("the test “{}”: {}", tried.title, tried.difference?);
            Some(Diagnostic { line, column, path, message })
        });
        Ok(failed.collect())
    }

    async fn rehearse(&self, definition: Arc<Definition>, input: Option<Value>) -> Result<Vec<RehearsalView>, Problem> {
        let functions: Vec<_> = self.parts.connectors.functions().cloned().collect();
        let rehearsing = tokio::task::spawn_blocking(move || {
            let foresight =
                Foresight::over(&functions).map_err(|cause| internal("calls cannot be foreseen", &cause))?;
            let mut foresee = |request: &workflow::CallRequest| foresight.of(request);
            let titles = definition.titles();
            let mut tried = |case: &Case| rehearse(&definition, case, &mut foresee);
            Ok(match input {
                Some(input) => {
                    let case = Case::of(input);
                    vec![view(&case, tried(&case), None, &titles)]
                }
                None => {
                    let cases = definition.cases().iter();
                    let seen = cases.map(|case| {
                        let rehearsal = tried(case);
                        let difference = rehearsal.differs(&case.expect);
                        view(case, rehearsal, difference, &titles)
                    });
                    seen.collect()
                }
            })
        });
        rehearsing.await.map_err(|cause| internal("a definition could not be tried out", &cause))?
    }
}

fn view(
    case: &Case,
    rehearsal: Rehearsal,
    difference: Option<String>,
    titles: &BTreeMap<String, String>,
) -> RehearsalView {
    let mut calls: BTreeMap<String, Vec<RehearsedCall>> = BTreeMap::new();
    for call in rehearsal.calls {
        let made =
            RehearsedCall { function: call.function, arguments: call.with, would: call.words, made_up: call.made_up };
        calls.entry(call.reference).or_default().push(made);
    }
    let step = |task: TaskRecord| {
        let mut made = calls.remove(&task.reference).unwrap_or_default();
        // What is left is of later executions.
        let later = made.split_off(made.len().min(usize::try_from(task.attempts).unwrap_or(usize::MAX)));
        if !later.is_empty() {
            calls.insert(task.reference.clone(), later);
        }
        RehearsedStep {
            title: titles.get(&task.reference).cloned().unwrap_or_else(|| task.name.clone()),
            reference: task.reference,
            kind: task.kind,
            occurrence: task.occurrence,
            compensation: task.compensation,
            status: task.status,
            input: task.input,
            output: task.output,
            error: task.error.map(error),
            calls: if task.call.is_some() { made } else { Vec::new() },
        }
    };
    RehearsalView {
        title: case.title.clone(),
        input: case.input.clone(),
        status: rehearsal.run.status,
        output: rehearsal.run.output,
        error: rehearsal.run.error.map(error),
        difference,
        steps: rehearsal.tasks.into_iter().take(STEPS).map(step).collect(),
    }
}

fn error(error: workflow::RunError) -> RunError {
    RunError {
        kind: error.kind,
        status: error.status,
        title: error.title.unwrap_or_default(),
        detail: error.detail.unwrap_or_default(),
        instance: error.instance.unwrap_or_default(),
    }
}
