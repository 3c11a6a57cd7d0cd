//! From what was delivered to the input of a workflow: two expressions.

use domain::{FieldError, Timestamp};
use serde_json::{Value, json};
use workflow::expression::Expression;

use crate::people::field;

/// What a trigger asks of a delivery, and makes of it.
pub(super) struct Mapping {
    map: Expression,
    filter: Option<Expression>,
}

impl Mapping {
    /// Reads both expressions; or says what is wrong with each.
    pub(super) fn read(mapping: &str, filter: Option<&str>) -> Result<Self, Vec<FieldError>> {
        let compile = |pointer: &str, text: &str| {
            let wrong = |message: String| field(pointer, "expression", Value::Null, &message);
            Expression::compile(bare(text), &[]).map_err(wrong)
        };
        let map = compile("/mapping", mapping);
        let filter = filter.map(|text| compile("/filter", text)).transpose();
        match (map, filter) {
            (Ok(map), Ok(filter)) => Ok(Self { map, filter }),
            (map, filter) => Err([map.err(), filter.err()].into_iter().flatten().collect()),
        }
    }

    /// Whether the filter holds.
    pub(super) fn admits(&self, content: &Value) -> Result<bool, String> {
        let Some(filter) = &self.filter else { return Ok(true) };
        filter.holds(content, &()).map_err(|cause| format!("the filter fails: {cause}"))
    }

    /// The input.
    pub(super) fn input(&self, content: &Value) -> Result<Value, String> {
        self.map.evaluate(content, &()).map_err(|cause| format!("the mapping fails: {cause}"))
    }
}

/// The expression without the braces that it has in definitions.
fn bare(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).unwrap_or(text).trim()
}

/// What the expressions are asked about.
pub(super) fn about(content: &Value, key: &str, received_at: Timestamp) -> Value {
    let mut about = content.clone();
    if let Value::Object(members) = &mut about {
        members.insert("delivery".to_owned(), json!({"id": key, "receivedAt": received_at}));
    }
    about
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_stand_with_and_without_braces() {
        let content = json!({"payload": {"ref": "refs/heads/main"}, "headers": {"x-github-event": "push"}});
        let filter = "${ .headers[\"x-github-event\"] == \"push\" }";
        let mapping = Mapping::read("{branch: .payload.ref}", Some(filter)).unwrap();
        assert_eq!(mapping.admits(&content), Ok(true));
        assert_eq!(mapping.input(&content), Ok(json!({"branch": "refs/heads/main"})));
        assert_eq!(mapping.admits(&json!({"headers": {}})), Ok(false));
        let failing = Mapping::read("${ .payload | error }", None).unwrap();
        assert!(failing.input(&json!({"payload": "no such host"})).unwrap_err().contains("no such host"));
    }

    #[test]
    fn what_is_no_expression_is_said_at_its_field() {
        let pointers = |mapping, filter| {
            let errors = Mapping::read(mapping, filter).err().unwrap();
            errors.into_iter().map(|error| error.pointer).collect::<Vec<_>>()
        };
        assert_eq!(pointers("{", None), ["/mapping"]);
        assert_eq!(pointers("{", Some("$secrets.x")), ["/mapping", "/filter"]);
        assert_eq!(pointers(".", Some("env")), ["/filter"]);
    }
}
