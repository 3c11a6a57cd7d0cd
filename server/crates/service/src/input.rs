//! Input against its schema: the one judge of what may be sent, whatever the door.

use domain::{ErrorCode, FieldError, Problem};
use identity::vault::{contains_redacted, contains_sealed};
use jsonschema::{Draft, Validator, error::ValidationErrorKind};
use serde_json::{Value, json};

/// The largest input, as JSON text.
pub(crate) const INPUT_LIMIT: usize = 256 * 1024;
/// Errors that are told at once; a hostile input could make millions.
const ERROR_LIMIT: usize = 100;

/// Checks an input; the problem says every place that is wrong.
pub(crate) fn check(schema: Option<&Value>, input: &Value) -> Result<(), Problem> {
    check_size(input)?;
    let Some(schema) = schema else {
        return if input.is_null() || input.as_object().is_some_and(serde_json::Map::is_empty) {
            Ok(())
        } else {
            let error = FieldError {
                pointer: String::new(),
                rule: "none".to_owned(),
                expected: Value::Null,
                message: "this workflow takes no input".to_owned(),
            };
            Err(Problem::new(ErrorCode::InvalidInput).with_errors(vec![error]))
        };
    };
    let validator = validator(schema)?;
    let errors: Vec<FieldError> =
        validator.iter_errors(input).take(ERROR_LIMIT).flat_map(|e| field_errors(&e)).collect();
    if errors.is_empty() { Ok(()) } else { Err(Problem::new(ErrorCode::InvalidInput).with_errors(errors)) }
}

/// Checks that an input is not too large to keep, and holds nothing that only Rondo may write.
pub(crate) fn check_size(input: &Value) -> Result<(), Problem> {
    if input.to_string().len() > INPUT_LIMIT {
        return Err(Problem::new(ErrorCode::TooLarge).with_detail("an input has at most 256 KiB"));
    }
    // Sealed values are opened when a call is built; one that a person copied from elsewhere must not be.
    if contains_sealed(input) {
        return Err(Problem::new(ErrorCode::BadRequest).with_detail("the input holds a sealed value of Rondo's own"));
    }
    Ok(())
}

/// Checks data that a person puts in place of a run's own.
pub(crate) fn check_replacement(data: &Value) -> Result<(), Problem> {
    check_size(data)?;
    if contains_redacted(data) {
        return Err(Problem::new(ErrorCode::BadRequest)
            .with_detail("the data hold the mask of a secret; a secret cannot be copied from what is shown"));
    }
    Ok(())
}

fn validator(schema: &Value) -> Result<Validator, Problem> {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(true)
        .build(schema)
        .map_err(|cause| crate::problems::internal("a stored input schema does not compile", &cause))
}

/// One error of the validator as errors of fields. A missing property is an error of the field that is missing.
fn field_errors(error: &jsonschema::ValidationError<'_>) -> Vec<FieldError> {
    let at = error.instance_path().to_string();
    let one = |pointer: String, rule: &str, expected: Value| FieldError {
        pointer,
        rule: rule.to_owned(),
        expected,
        message: error.masked_with("the value").to_string(),
    };
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default().replace('~', "~0").replace('/', "~1");
            vec![one(format!("{at}/{name}"), "required", Value::Null)]
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            unexpected.iter().map(|name| one(format!("{at}/{name}"), "additionalProperties", Value::Null)).collect()
        }
        ValidationErrorKind::MinLength { limit } => vec![one(at, "minLength", json!(limit))],
        ValidationErrorKind::MaxLength { limit } => vec![one(at, "maxLength", json!(limit))],
        ValidationErrorKind::Minimum { limit } => vec![one(at, "minimum", limit.clone())],
        ValidationErrorKind::Maximum { limit } => vec![one(at, "maximum", limit.clone())],
        ValidationErrorKind::ExclusiveMinimum { limit } => vec![one(at, "exclusiveMinimum", limit.clone())],
        ValidationErrorKind::ExclusiveMaximum { limit } => vec![one(at, "exclusiveMaximum", limit.clone())],
        ValidationErrorKind::MinItems { limit } => vec![one(at, "minItems", json!(limit))],
        ValidationErrorKind::MaxItems { limit } => vec![one(at, "maxItems", json!(limit))],
        ValidationErrorKind::UniqueItems => vec![one(at, "uniqueItems", Value::Null)],
        ValidationErrorKind::Pattern { pattern } => vec![one(at, "pattern", json!(pattern))],
        ValidationErrorKind::Format { format } => vec![one(at, "format", json!(format))],
        ValidationErrorKind::Enum { options } => vec![one(at, "enum", (**options).clone())],
        ValidationErrorKind::Constant { expected_value } => vec![one(at, "const", (**expected_value).clone())],
        ValidationErrorKind::MultipleOf { multiple_of } => vec![one(at, "multipleOf", json!(multiple_of.to_string()))],
        ValidationErrorKind::Type { .. } => vec![one(at, "type", Value::Null)],
        ValidationErrorKind::OneOfNotValid { .. } | ValidationErrorKind::OneOfMultipleValid { .. } => {
            vec![one(at, "oneOf", Value::Null)]
        }
        kind => vec![one(at, kind.keyword(), Value::Null)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(schema: &Value, input: &Value) -> Vec<(String, String)> {
        match check(Some(schema), input) {
            Ok(()) => Vec::new(),
            Err(problem) => problem.errors.into_iter().map(|e| (e.pointer, e.rule)).collect(),
        }
    }

    #[test]
    fn each_error_stands_at_its_field() {
        let schema = json!({
            "type": "object",
            "required": ["name", "a/b"],
            "additionalProperties": false,
            "properties": {
                "name": {"type": "string", "minLength": 2},
                "a/b": {"type": "integer"},
                "mail": {"type": "string", "format": "email"},
                "kind": {"enum": ["x", "y"]},
            }
        });
        let found = errors(&schema, &json!({"name": "a", "mail": "nobody", "kind": "z", "more": 1}));
        let expected = [
            ("/a~1b", "required"),
            ("/kind", "enum"),
            ("/mail", "format"),
            ("/more", "additionalProperties"),
            ("/name", "minLength"),
        ];
        let mut found: Vec<(&str, &str)> = found.iter().map(|(p, r)| (p.as_str(), r.as_str())).collect();
        found.sort_unstable();
        assert_eq!(found, expected);
    }

    #[test]
    fn messages_do_not_repeat_values() {
        let schema = json!({"type": "object", "properties": {"pin": {"type": "string", "maxLength": 3}}});
        let problem = check(Some(&schema), &json!({"pin": "very-secret"})).unwrap_err();
        assert!(!serde_json::to_string(&problem).unwrap().contains("very-secret"));
    }

    #[test]
    fn a_workflow_without_schema_takes_nothing() {
        assert!(check(None, &json!({})).is_ok());
        assert!(check(None, &json!({"x": 1})).is_err());
    }
}
