//! Trying definitions out: nothing is done, and nothing is kept.

use std::{collections::BTreeMap, sync::Arc};

use connectors::Foresight;
use domain::{
    ErrorCode, Name, Operation, Problem, RunId, VersionState, WorkflowRef,
    view::{
        CallPlan, CheckedDefinition, ExpectedRun, RehearsalView, RehearsedCall, RehearsedStep, RunError,
        SavedDefinition,
    },
};
use policy::Resource;
use serde_json::{Value, json};
use workflow::{
    Definition, Diagnostic, TaskRecord,
    edit::{Manuscript, Refusal},
    foresight::Variety,
    rehearsal::{Case, Expectation, Foreseen, Rehearsal, rehearse},
};

use super::{diagnostics, editing::tasks, invalid, target};
use crate::{
    Caller, Service,
    foresight::may_be_asked,
    gate::Target,
    people::field,
    problems::{internal, not_found},
    views::approver_words,
};

/// The most steps that are shown.
const STEPS: usize = 500;
/// The longest title of a test, in characters.
const TITLE: usize = 200;

impl Service {
    /// Runs a text with this input, or each of its tests, and does nothing of it: calls are answered as the tests say, or by
    /// what their connectors make up. For those who may write or publish the definition that the text says it is.
    pub async fn rehearse_definition(
        &self,
        caller: &Caller,
        text: &str,
        input: Option<Value>,
    ) -> Result<Vec<RehearsalView>, Problem> {
        let (definition, _) = self.tried(caller, Operation::DefinitionRehearse, text).await?;
        self.rehearse(definition, input).await
    }

    /// The same, and other systems are asked what the calls would change that it would make: those whose arguments depend on
    /// nothing that was made up, at most 20, for 10 seconds in all. That is entered in the audit log, with the connections
    /// that were used.
    pub async fn foresee_definition(
        &self,
        caller: &Caller,
        text: &str,
        input: Option<Value>,
    ) -> Result<Vec<RehearsalView>, Problem> {
        let (definition, target) = self.tried(caller, Operation::DefinitionForesee, text).await?;
        self.rehearse_and_ask(caller, &target, definition, input).await
    }

    /// Reads a text for those who may do this with the definition that it says it is.
    async fn tried(
        &self,
        caller: &Caller,
        operation: Operation,
        text: &str,
    ) -> Result<(Arc<Definition>, Target), Problem> {
        let mut gate = self.look(caller, operation).await?;
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
        let target = target(&workflow, &version);
        gate.authorize(&resource, &target).await?;
        drop(gate);
        let definition = self.examine(text).await?.map_err(invalid)?;
        Ok((Arc::new(definition), target))
    }

    /// What is wrong with a text, or its graph when nothing is, and, for those who may try it out, what came of its tests. It
    /// is not kept.
    pub async fn check_definition(&self, caller: &Caller, text: &str) -> Result<CheckedDefinition, Problem> {
        let mut gate = self.look(caller, Operation::DefinitionValidate).await?;
        gate.authorize(&Resource::system(), &Target::new("definitions", "", "")).await?;
        drop(gate);
        let examined = self.examine(text).await?;
        let mut checked = CheckedDefinition { tasks: tasks(text), ..CheckedDefinition::default() };
        let definition = match examined {
            Ok(definition) => Arc::new(definition),
            Err(found) => return Ok(CheckedDefinition { diagnostics: diagnostics(found), ..checked }),
        };
        checked.graph = Some(definition.graph());
        let document = definition.document();
        let (namespace, name) = (document.namespace.parse(), document.name.parse());
        if let (Ok(namespace), Ok(name)) = (namespace, name) {
            let workflow = WorkflowRef { namespace, name };
            let resource = Resource::definition(&workflow, &document.version.to_string(), []);
            let in_force = self.in_force();
            if in_force.decide(&caller.principal, Operation::DefinitionRehearse, &resource).allowed {
                drop(in_force);
                checked.tests = self.rehearse(definition, None).await?.into_iter().map(without_steps).collect();
            }
        }
        Ok(checked)
    }

    /// The same as [`Self::rehearse_definition`] for a version as it is stored, with what it refers to elsewhere as it was
    /// read at its submission.
    pub async fn rehearse_version(
        &self,
        caller: &Caller,
        workflow: &WorkflowRef,
        version: &str,
        input: Option<Value>,
    ) -> Result<Vec<RehearsalView>, Problem> {
        let definition = self.tried_version(caller, Operation::DefinitionRehearse, workflow, version).await?;
        self.rehearse(definition, input).await
    }

    /// The same as [`Self::foresee_definition`] for a version as it is stored.
    pub async fn foresee_version(
        &self,
        caller: &Caller,
        workflow: &WorkflowRef,
        version: &str,
        input: Option<Value>,
    ) -> Result<Vec<RehearsalView>, Problem> {
        let definition = self.tried_version(caller, Operation::DefinitionForesee, workflow, version).await?;
        self.rehearse_and_ask(caller, &target(workflow, version), definition, input).await
    }

    /// A version as it is stored, for those who may do this with it.
    async fn tried_version(
        &self,
        caller: &Caller,
        operation: Operation,
        workflow: &WorkflowRef,
        version: &str,
    ) -> Result<Arc<Definition>, Problem> {
        let mut gate = self.look(caller, operation).await?;
        let written = self.known_to(&mut gate, caller, workflow, version).await?.ok_or_else(not_found)?;
        drop(gate);
        Ok(if written.version.state == VersionState::Draft {
            Arc::new(self.examine(&written.version.source).await?.map_err(invalid)?)
        } else {
            self.restore(&written.version).map_err(invalid)?
        })
    }

    /// Adds a test to a draft: this input is to come to what it comes to now. The rest of the text stays as it is written.
    /// `digest` is that of the text that was tried out.
    pub async fn keep_as_test(
        &self,
        caller: &Caller,
        workflow: &WorkflowRef,
        version: &str,
        digest: &str,
        title: &str,
        input: Value,
    ) -> Result<SavedDefinition, Problem> {
        let title = title.trim();
        let wrong = match title.chars().count() {
            0 => Some(field("/title", "required", Value::Null, "a test has a title")),
            length if length > TITLE => {
                Some(field("/title", "maxLength", TITLE.into(), "a title has at most 200 characters"))
            }
            _ => None,
        };
        if let Some(wrong) = wrong {
            return Err(Problem::new(ErrorCode::InvalidInput).with_errors(vec![wrong]));
        }
        let mut gate = self.look(caller, Operation::DefinitionSave).await?;
        let written = self.known_to(&mut gate, caller, workflow, version).await?.ok_or_else(not_found)?;
        drop(gate);
        written.must_be(VersionState::Draft)?;
        written.must_have(digest)?;
        let tried = self.rehearse_version(caller, workflow, version, Some(input.clone())).await?;
        let Some(tried) = tried.into_iter().next().filter(|tried| !tried.endless) else {
            let detail = "it does not come to an end, so there is nothing that a test could expect";
            return Err(Problem::new(ErrorCode::Conflict).with_detail(detail));
        };
        let expect =
            Expectation { status: tried.status, output: tried.output, error: tried.error.map(|error| error.kind) };
        let text = Manuscript::read(&written.version.source)
            .and_then(|text| text.add_case(title, &input, &expect))
            .map_err(|refusal: Refusal| {
                let detail = format!("the test cannot be added to the text by itself, so write it there: {refusal}");
                Problem::new(ErrorCode::Conflict).with_detail(detail)
            })?;
        self.save_definition(caller, workflow, version, text.text(), Some(digest)).await
    }

    /// Which of its tests a definition fails, as what is wrong with its text.
    pub(crate) async fn failed_tests(&self, definition: Arc<Definition>) -> Result<Vec<Diagnostic>, Problem> {
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
        let titles = definition.titles();
        let tried = self.try_out_cases(definition, input, false).await?;
        Ok(tried.into_iter().map(|tried| tried.view(&titles, &mut BTreeMap::new())).collect())
    }

    async fn rehearse_and_ask(
        &self,
        caller: &Caller,
        target: &Target,
        definition: Arc<Definition>,
        input: Option<Value>,
    ) -> Result<Vec<RehearsalView>, Problem> {
        let titles = definition.titles();
        let namespace: Name = definition.document().namespace.parse().map_err(|_| not_found())?;
        let tried = self.try_out_cases(definition, input, true).await?;
        let connectors = &self.parts.connectors;
        let mut chosen = self.choose();
        for tried in &tried {
            chosen.begin_run();
            for (number, call) in tried.rehearsal.calls.iter().enumerate() {
                if !connectors.only_reads(&call.function, Some(&call.with)) {
                    let with = tried.certain.contains(&number).then_some(&call.with);
                    chosen.add(tried.first + number, &call.function, &call.reference, with);
                }
            }
        }
        let used = self.connections_of(chosen.calls());
        let mut gate = self.look(caller, Operation::DefinitionForesee).await?;
        gate.note_reading(target, json!({"asked": chosen.count(), "connections": used})).await?;
        drop(gate);
        let questions = self.ask_others(&namespace, RunId::new(&*self.parts.ids));
        let mut plans = questions.about(chosen).await;
        Ok(tried.into_iter().map(|tried| tried.view(&titles, &mut plans)).collect())
    }

    /// Rehearses with an input, or each of the tests; where `compare` says so, with other made-up answers as well, to see which
    /// calls depend on them.
    async fn try_out_cases(
        &self,
        definition: Arc<Definition>,
        input: Option<Value>,
        compare: bool,
    ) -> Result<Vec<Tried>, Problem> {
        let functions: Vec<_> = self.parts.connectors.functions().cloned().collect();
        let late = "it takes too long; try again later, or with less";
        let rehearsing = move || {
            let foresight =
                Foresight::over(&functions).map_err(|cause| internal("calls cannot be foreseen", &cause))?;
            let given = input.map(Case::of);
            let is_test = given.is_none();
            let cases = given.as_ref().map_or_else(|| definition.cases(), std::slice::from_ref);
            let mut first = 0;
            let tried = cases.iter().map(|case| {
                let rehearsal = rehearse(&definition, case, &mut |request| foresight.of(request));
                let others = [Variety::Other, Variety::Bare].map(|variety| {
                    let mut foresee = |request: &workflow::CallRequest| {
                        let (words, output) = Foresight::following(&functions, request, variety);
                        Foreseen { words, answer: Ok(output) }
                    };
                    compare.then(|| rehearse(&definition, case, &mut foresee))
                });
                let difference = rehearsal.differs(&case.expect).filter(|_| is_test);
                let certain = certain(&rehearsal, &others.into_iter().flatten().collect::<Vec<_>>());
                let certain = if compare { certain } else { Vec::new() };
                let tried = Tried { case: case.clone(), difference, certain, first, rehearsal };
                first += tried.rehearsal.calls.len();
                tried
            });
            Ok(tried.collect())
        };
        self.in_turn(late, rehearsing).await?
    }
}

/// A case that was rehearsed.
struct Tried {
    case: Case,
    rehearsal: Rehearsal,
    /// What is different from what the case expects.
    difference: Option<String>,
    /// Which of the calls depend on nothing that was made up, by their position.
    certain: Vec<usize>,
    /// The number of its first call, over all cases.
    first: usize,
}

impl Tried {
    fn view(self, titles: &BTreeMap<String, String>, plans: &mut BTreeMap<usize, CallPlan>) -> RehearsalView {
        let plans = (0..self.rehearsal.calls.len()).map(|number| plans.remove(&(self.first + number))).collect();
        RehearsalView { difference: self.difference, ..view(&self.case, self.rehearsal, titles, plans) }
    }
}

/// The calls that are the same in the other rehearsals, as far as these are founded, and hold nothing that is secret.
fn certain(rehearsal: &Rehearsal, others: &[Rehearsal]) -> Vec<usize> {
    let numbered = |rehearsal: &Rehearsal| {
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        let number = |call: &workflow::rehearsal::RehearsedCall| {
            let times = times.entry(call.reference.clone()).or_default();
            *times += 1;
            (call.reference.clone(), *times)
        };
        rehearsal.calls.iter().take(rehearsal.founded).map(number).collect::<Vec<_>>()
    };
    let others: Vec<BTreeMap<(String, usize), &Value>> = others
        .iter()
        .map(|other| numbered(other).into_iter().zip(other.calls.iter().map(|call| &call.with)).collect())
        .collect();
    let calls = numbered(rehearsal).into_iter().zip(&rehearsal.calls).enumerate();
    calls
        .filter(|(_, (key, call))| {
            let is_same = others.iter().all(|other| other.get(key).is_some_and(|with| **with == call.with));
            is_same && !call.secret && may_be_asked(&call.with)
        })
        .map(|(number, _)| number)
        .collect()
}

/// What came of a test, without how.
fn without_steps(tried: RehearsalView) -> RehearsalView {
    RehearsalView { steps: Vec::new(), ..tried }
}

fn view(
    case: &Case,
    rehearsal: Rehearsal,
    titles: &BTreeMap<String, String>,
    plans: Vec<Option<CallPlan>>,
) -> RehearsalView {
    let mut calls: BTreeMap<String, Vec<RehearsedCall>> = BTreeMap::new();
    for (call, plan) in rehearsal.calls.into_iter().zip(plans) {
        let made = RehearsedCall {
            function: call.function,
            arguments: call.with,
            would: call.words,
            made_up: call.made_up,
            plan,
        };
        calls.entry(call.reference).or_default().push(made);
    }
    let mut asked: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for request in &rehearsal.approvals {
        let approvers = request.rule.stages.iter().flat_map(|stage| &stage.approvers).map(approver_words);
        asked.entry(request.reference.clone()).or_insert_with(|| approvers.collect());
    }
    let step = |task: TaskRecord| {
        let mut made = calls.remove(&task.reference).unwrap_or_default();
        // What is left is of later executions.
        let later = made.split_off(made.len().min(usize::try_from(task.attempts).unwrap_or(usize::MAX)));
        if !later.is_empty() {
            calls.insert(task.reference.clone(), later);
        }
        let asks = asked.get(&task.reference).cloned().unwrap_or_default();
        RehearsedStep {
            title: titles.get(&task.reference).cloned().unwrap_or_else(|| task.name.clone()),
            reference: task.reference,
            kind: task.kind,
            occurrence: task.occurrence,
            compensation: task.compensation,
            chosen: task.chosen,
            asks,
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
        endless: rehearsal.endless,
        expected: case.place.is_some().then(|| ExpectedRun {
            status: case.expect.status,
            output: case.expect.output.clone(),
            error: case.expect.error.clone(),
        }),
        line: case.place.and_then(|(line, _)| u64::try_from(line).ok()),
        difference: None,
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
