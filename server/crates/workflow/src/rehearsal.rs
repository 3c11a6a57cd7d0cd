//! Trying a definition out: a run in which nothing is done. Calls, processes and approvals are answered as the case says,
//! or by what somebody makes up for them; time passes by itself.
//!
//! ```
//! use serde_json::json;
//! use workflow::{Definition, FunctionCatalogue, rehearsal::{Case, Foreseen, rehearse}};
//!
//! let text = "document: {dsl: 1.0.3, namespace: test, name: nap, version: 1.0.0}\ndo: [{nap: {wait: {days: 1}}}]";
//! let definition = Definition::parse(text, &FunctionCatalogue::new()).unwrap_or_else(|_| unreachable!());
//! let rehearsal = rehearse(&definition, &Case::of(json!({})), &mut |_| Foreseen::default());
//! assert_eq!(rehearsal.differs(&Case::of(json!({})).expect), None);
//! ```

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{
    ApprovalRequest, CallRequest, CloudEvent, Definition, RunError, RunRecord, SecretSource, StandardError, TaskRecord,
    harness::{Answer, Responder, Scenario, Turn},
    process::{self, Process},
};

pub use crate::definition::{Case, Expectation, Response};

/// Events of a run after which its rehearsal ends, whatever is left.
const MOST_EVENTS: usize = 2_000;

/// What is expected of a call that is not made.
#[derive(Debug, Clone, PartialEq)]
pub struct Foreseen {
    /// What it would do, for people; none where nobody can say.
    pub words: Option<String>,
    /// What it would give, or why it would fail.
    pub answer: Result<Value, RunError>,
}

impl Default for Foreseen {
    fn default() -> Self {
        Self { words: None, answer: Ok(Value::Null) }
    }
}

/// A call that was not made.
#[derive(Debug, Clone, PartialEq)]
pub struct RehearsedCall {
    /// JSON pointer to the task.
    pub reference: String,
    /// The task's name.
    pub name: String,
    /// The function.
    pub function: String,
    /// The arguments, in which no secret is real.
    pub with: Value,
    /// What it would do, for people; none where nobody can say.
    pub words: Option<String>,
    /// Whether its answer was made up: the case has none for it.
    pub made_up: bool,
    /// Whether something in the arguments stands for a secret.
    pub secret: bool,
}

/// What came of a rehearsal.
#[derive(Debug, Clone, PartialEq)]
pub struct Rehearsal {
    /// The run's row.
    pub run: RunRecord,
    /// The tasks' rows in order of start.
    pub tasks: Vec<TaskRecord>,
    /// The calls, in the order in which they would have been made.
    pub calls: Vec<RehearsedCall>,
    /// How many of the calls come before made-up answers have made a task fail, or a limit of time for an event has passed.
    pub founded: usize,
    /// The approvals that were asked for.
    pub approvals: Vec<ApprovalRequest>,
    /// The events that it emitted.
    pub emitted: Vec<CloudEvent>,
    /// It went on and on, and was stopped.
    pub endless: bool,
}

impl Rehearsal {
    /// How it differs from what was expected, in words; none if it does not.
    #[must_use]
    pub fn differs(&self, expected: &Expectation) -> Option<String> {
        if self.endless {
            return Some(format!("it did not end within {MOST_EVENTS} events"));
        }
        let run = &self.run;
        if run.status != expected.status {
            let why = run.error.as_ref().map(|error| format!(" ({error})")).unwrap_or_default();
            return Some(format!("expected {}, but it is {}{why}", expected.status, run.status));
        }
        if let Some(kind) = &expected.error
            && run.error.as_ref().is_none_or(|error| error.kind != *kind)
        {
            let found = run.error.as_ref().map_or("none", |error| error.kind.as_str());
            return Some(format!("expected the error {kind}, but it is {found}"));
        }
        if let Some(output) = &expected.output
            && run.output.as_ref() != Some(output)
        {
            let found = run.output.as_ref().unwrap_or(&Value::Null);
            return Some(format!("expected the output {output}, but it is {found}"));
        }
        None
    }
}

/// Runs a definition with the answers of a case. `foresee` is asked for the calls of functions to which the case has no
/// answer, and for words about all; of processes and runs of other workflows it is not asked.
pub fn rehearse(definition: &Definition, case: &Case, foresee: &mut dyn FnMut(&CallRequest) -> Foreseen) -> Rehearsal {
    let secrets = Pretended(&case.secrets);
    let mut rehearsing = Rehearsing { case, foresee, times: BTreeMap::new(), calls: Vec::new(), founded: None };
    let outcome = Scenario::new(definition, case.input.clone())
        .runtime(json!({"requester": {"login": "requester", "name": "Requester"}, "run": {"number": 0}}))
        .events(case.events.clone())
        .secrets(&secrets)
        .limit(MOST_EVENTS)
        .drive(&mut rehearsing);
    Rehearsal {
        endless: outcome.journal.len() >= MOST_EVENTS,
        run: outcome.run,
        tasks: outcome.tasks,
        founded: rehearsing.founded.unwrap_or(rehearsing.calls.len()),
        calls: rehearsing.calls,
        approvals: outcome.approvals,
        emitted: outcome.emitted,
    }
}

/// Secrets that are none.
pub(crate) struct Pretended<'a>(pub(crate) &'a Map<String, Value>);

impl SecretSource for Pretended<'_> {
    fn secret(&self, name: &str) -> Option<Value> {
        Some(self.0.get(name).cloned().unwrap_or_else(|| Value::String(format!("secret {name}"))))
    }
}

struct Rehearsing<'a> {
    case: &'a Case,
    foresee: &'a mut dyn FnMut(&CallRequest) -> Foreseen,
    /// How often each task was answered for.
    times: BTreeMap<String, usize>,
    calls: Vec<RehearsedCall>,
    founded: Option<usize>,
}

impl Rehearsing<'_> {
    /// What the case says of a task, this time.
    fn given(&mut self, name: &str, reference: &str) -> Option<Answer> {
        let responses = self.case.answers.get(reference).or_else(|| self.case.answers.get(name))?;
        let times = self.times.entry(reference.to_owned()).or_default();
        let response = responses.get(*times).or_else(|| responses.last())?;
        *times += 1;
        Some(match response {
            Response::Output(output) => Answer::Done(output.clone()),
            Response::Error(error) => Answer::Fail(error.clone()),
        })
    }
}

impl Responder for Rehearsing<'_> {
    fn call(&mut self, request: &CallRequest) -> Answer {
        let foreseen = if request.function == process::WORKFLOW {
            Foreseen::default()
        } else if Process::is_asked_for_by(&request.function) {
            Foreseen { words: None, answer: Ok(json!({"code": 0, "stdout": "", "stderr": ""})) }
        } else {
            (self.foresee)(request)
        };
        let given = self.given(&request.name, &request.reference);
        self.calls.push(RehearsedCall {
            reference: request.reference.clone(),
            name: request.name.clone(),
            function: request.function.clone(),
            with: request.with.clone(),
            words: foreseen.words,
            made_up: given.is_none(),
            secret: !request.redact.is_empty(),
        });
        given.unwrap_or_else(|| match foreseen.answer {
            Ok(output) => Answer::Done(output),
            Err(error) => Answer::Fail(error),
        })
    }

    fn turns(&mut self, turn: Turn) {
        // What the case answers itself is meant to have come.
        if turn == Turn::NoEvent || self.calls.iter().any(|call| call.made_up) {
            self.founded.get_or_insert(self.calls.len());
        }
    }

    fn approval(&mut self, request: &ApprovalRequest) -> Answer {
        match self.given(&request.name, &request.reference) {
            Some(Answer::Done(output)) if output.get("outcome").is_some_and(|outcome| outcome == "rejected") => {
                Answer::Fail(RunError::new(StandardError::Rejected, "it was rejected"))
            }
            Some(answer) => answer,
            None => Answer::Done(json!({"outcome": "approved", "decisions": []})),
        }
    }
}
