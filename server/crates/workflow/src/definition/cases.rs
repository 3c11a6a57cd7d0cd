//! `document.metadata.rondo.tests`: what a definition does with which input, to be tried out where nothing is done.

use std::collections::BTreeMap;

use domain::RunStatus;
use serde_json::{Map, Value};

use super::{
    Decoder,
    cursor::{Cursor, Object},
};
use crate::{CloudEvent, RunError, diagnostic::suggestion};

/// The most tests of a definition.
const MOST: usize = 50;

/// An input, what the world answers, and what is to come of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Where it stands in the text: line and column, from 1. None where it stands in none.
    pub place: Option<(usize, usize)>,
    /// What it shows, for people.
    pub title: String,
    /// The input.
    pub input: Value,
    /// What calls, approvals and processes come to, by the task's name or reference: the first time it is executed, the
    /// second, and so on; the last holds for all that follow. What is not here is made up.
    pub answers: BTreeMap<String, Vec<Response>>,
    /// Events that come, in this order.
    pub events: Vec<CloudEvent>,
    /// Secrets that stand for the real ones, which are not used. Where one is missing, a text stands for it.
    pub secrets: Map<String, Value>,
    /// What is to come of it.
    pub expect: Expectation,
}

impl Case {
    /// A case in which everything is made up, and a run that completes is expected.
    #[must_use]
    pub fn of(input: Value) -> Self {
        Self {
            place: None,
            title: String::new(),
            input,
            answers: BTreeMap::new(),
            events: Vec::new(),
            secrets: Map::new(),
            expect: Expectation::default(),
        }
    }
}

/// What a call comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Response {
    /// It succeeds with this output.
    Output(Value),
    /// It fails, and is not tried again by itself.
    Error(RunError),
}

/// What is to come of a case.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// How the run ends; `waiting` if it is to wait for an event that does not come.
    pub status: RunStatus,
    /// The output, if that is to be compared.
    pub output: Option<Value>,
    /// The type of the error, if that is to be compared.
    pub error: Option<String>,
}

impl Default for Expectation {
    fn default() -> Self {
        Self { status: RunStatus::Completed, output: None, error: None }
    }
}

impl Decoder<'_> {
    /// The tests of a definition whose tasks are read.
    pub(super) fn tests(&mut self, definition: &Object<'_>) -> Vec<Case> {
        let mut at = Some(definition.clone());
        // What is no object has been reported before.
        for name in ["document", "metadata", "rondo"] {
            let below = at.and_then(|at| at.get(name)).filter(Cursor::is_object);
            at = below.and_then(|at| at.open_object(&mut self.diagnostics));
        }
        let Some(at) = at.and_then(|at| at.get("tests")) else { return Vec::new() };
        let items = at.list(&mut self.diagnostics);
        if items.len() > MOST {
            at.report(&mut self.diagnostics, format!("a definition has at most {MOST} tests"));
        }
        items.iter().filter_map(|item| self.case(item)).collect()
    }

    fn case(&mut self, at: &Cursor<'_>) -> Option<Case> {
        let known = ["title", "input", "answers", "events", "secrets", "expect"];
        let object = at.object(&mut self.diagnostics, &known)?;
        let title = object.require(&mut self.diagnostics, "title");
        let title = title.and_then(|at| at.text(&mut self.diagnostics));
        let input = object.get("input").map_or_else(|| Value::Object(Map::new()), |at| at.node.to_value());
        let mut answers = BTreeMap::new();
        for (name, at) in self.entries(&object, "answers") {
            self.check_answered(&at, &name);
            answers.insert(name, self.responses(&at));
        }
        let mut events = Vec::new();
        if let Some(at) = object.get("events") {
            for at in at.list(&mut self.diagnostics) {
                match CloudEvent::from_value(at.node.to_value()) {
                    Ok(event) => events.push(event),
                    Err(error) => at.report(&mut self.diagnostics, error.to_string()),
                }
            }
        }
        let secrets = self.entries(&object, "secrets").into_iter();
        let secrets = secrets.map(|(name, at)| (name, at.node.to_value())).collect();
        let expect = object.get("expect").map(|at| self.expectation(&at)).unwrap_or_default();
        let place = Some((at.span.line, at.span.column));
        Some(Case { place, title: title?.to_owned(), input, answers, events, secrets, expect })
    }

    /// Reports a name that no task has.
    fn check_answered(&mut self, at: &Cursor<'_>, name: &str) {
        let tasks = || self.tasks.iter().flatten();
        if tasks().any(|task| task.name == name || *task.reference == *name) {
            return;
        }
        let hint = suggestion(name, tasks().map(|task| task.name.as_str()));
        at.report(&mut self.diagnostics, format!("there is no task “{name}” to be answered for{hint}"));
    }

    /// One response, or those of each time.
    fn responses(&mut self, at: &Cursor<'_>) -> Vec<Response> {
        if at.is_object() {
            return self.response(at).into_iter().collect();
        }
        at.list(&mut self.diagnostics).iter().filter_map(|at| self.response(at)).collect()
    }

    fn response(&mut self, at: &Cursor<'_>) -> Option<Response> {
        let object = at.object(&mut self.diagnostics, &["output", "error"])?;
        match (object.get("output"), object.get("error")) {
            (Some(output), None) => Some(Response::Output(output.node.to_value())),
            (None, Some(error)) => match serde_json::from_value::<RunError>(error.node.to_value()) {
                Ok(error) => Some(Response::Error(error)),
                Err(_) => {
                    error.report(&mut self.diagnostics, "expected an error with `type` and `status`");
                    None
                }
            },
            _ => {
                at.report(&mut self.diagnostics, "expected either `output` or `error`");
                None
            }
        }
    }

    fn expectation(&mut self, at: &Cursor<'_>) -> Expectation {
        let mut expectation = Expectation::default();
        let Some(object) = at.object(&mut self.diagnostics, &["status", "output", "error"]) else { return expectation };
        expectation.output = object.get("output").map(|at| at.node.to_value());
        expectation.error = object.get("error").and_then(|at| at.text(&mut self.diagnostics)).map(str::to_owned);
        if expectation.error.is_some() {
            expectation.status = RunStatus::Faulted;
        }
        if let Some(at) = object.get("status")
            && let Some(text) = at.text(&mut self.diagnostics)
        {
            let ends = [RunStatus::Completed, RunStatus::Faulted, RunStatus::Waiting];
            match ends.into_iter().find(|status| status.as_str() == text) {
                Some(status) => expectation.status = status,
                None => at.report(&mut self.diagnostics, "expected completed, faulted or waiting"),
            }
        }
        expectation
    }
}
