//! Checking values against a JSON Schema without repeating the values: they may be secret.

use domain::FieldError;
use jsonschema::Validator;
use serde_json::Value;

/// At most this many errors are told at once.
const LIMIT: usize = 20;

/// What is wrong with a value; empty when nothing is. A schema that is itself broken is an error, too.
pub(crate) fn check(schema: &Value, value: &Value) -> Vec<FieldError> {
    match compile(schema) {
        Ok(validator) => check_compiled(&validator, value),
        Err(message) => {
            vec![FieldError { pointer: String::new(), rule: "schema".to_owned(), expected: Value::Null, message }]
        }
    }
}

/// What a schema says of the arguments of one operation: which it must have, and which it may have beside those that `always`
/// may be there.
#[cfg(any(feature = "dns", feature = "git", feature = "s3", feature = "ssh", feature = "ticket"))]
pub(crate) fn operation_rule(name: &str, always: &[&str], required: &[&str], optional: &[&str]) -> Value {
    let allowed = [always, required, optional].concat();
    serde_json::json!({
        "if": {"required": ["operation"], "properties": {"operation": {"const": name}}},
        "then": {"required": required, "propertyNames": {"enum": allowed}}
    })
}

/// Prepares a schema for many checks; formats are asserted.
pub(crate) fn compile(schema: &Value) -> Result<Validator, String> {
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .with_pattern_options(jsonschema::PatternOptions::regex())
        .offline()
        .build(schema)
        .map_err(|error| error.to_string())
}

/// Checks by a prepared schema.
pub(crate) fn check_compiled(validator: &Validator, value: &Value) -> Vec<FieldError> {
    validator
        .iter_errors(value)
        .take(LIMIT)
        .map(|error| FieldError {
            pointer: error.instance_path().to_string(),
            rule: error.kind().keyword().to_owned(),
            expected: Value::Null,
            message: error.masked().to_string(),
        })
        .collect()
}

/// The errors in one sentence.
pub(crate) fn sentence(errors: &[FieldError]) -> String {
    let parts: Vec<String> = errors
        .iter()
        .map(|error| {
            let place = if error.pointer.is_empty() { "with" } else { error.pointer.as_str() };
            format!("{place}: {}", error.message)
        })
        .collect();
    parts.join("; ")
}
