//! Tests that a definition brings along.

use domain::RunStatus;
use serde_json::{Map, Value, json};

use super::{Manuscript, Refusal};
use crate::definition::Expectation;

const TESTS: &str = "/document/metadata/rondo/tests";

impl Manuscript {
    /// Adds a test behind those of `document.metadata.rondo.tests`: this input is to come to this.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn add_case(&self, title: &str, input: &Value, expect: &Expectation) -> Result<Self, Refusal> {
        let Expectation { status, output, error } = expect;
        let mut expected = Map::new();
        // What an error says already, and what is expected anyway, is not repeated.
        if !matches!(status, RunStatus::Completed) && error.is_none() {
            expected.insert("status".to_owned(), json!(status.as_str()));
        }
        expected.extend(output.clone().map(|output| ("output".to_owned(), output)));
        expected.extend(error.clone().map(|error| ("error".to_owned(), Value::from(error))));
        let mut case = Map::from_iter([("title".to_owned(), Value::from(title)), ("input".to_owned(), input.clone())]);
        if !expected.is_empty() {
            case.insert("expect".to_owned(), Value::Object(expected));
        }
        let case = Value::Object(case);
        match self.value().pointer(TESTS) {
            Some(Value::Array(known)) if !known.is_empty() => self.insert(TESTS, known.len(), &case),
            None | Some(Value::Array(_) | Value::Null) => self.set(TESTS, &Value::Array(vec![case])),
            Some(_) => Err(Refusal::Nowhere),
        }
    }
}
