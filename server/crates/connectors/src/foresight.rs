//! What calls would do and give that are not made: for trying definitions out. Nothing here reaches another system.

use std::collections::BTreeMap;

use jsonschema::Validator;
use serde_json::{Map, Value};
use workflow::{CallRequest, RunError, StandardError, rehearsal::Foreseen};

use crate::{FunctionSpec, RegistryError, arguments};

/// How deep a schema is followed.
const DEPTH: usize = 16;

/// The functions of connectors, as far as something can be said of their calls beforehand.
pub struct Foresight<'a>(BTreeMap<&'static str, (&'a FunctionSpec, Validator)>);

impl<'a> Foresight<'a> {
    /// Over these functions.
    ///
    /// # Errors
    /// A schema is no JSON Schema: a mistake in the program.
    pub fn over(functions: impl IntoIterator<Item = &'a FunctionSpec>) -> Result<Self, RegistryError> {
        let compile = |spec: &'a FunctionSpec| {
            let validator =
                arguments::compile(&spec.with).map_err(|message| RegistryError::Schema(spec.name, message))?;
            Ok((spec.name, (spec, validator)))
        };
        functions.into_iter().map(compile).collect::<Result<_, _>>().map(Self)
    }

    /// What a call would do, and an output such as it gives; or that its arguments would be refused.
    #[must_use]
    pub fn of(&self, request: &CallRequest) -> Foreseen {
        let Some((spec, validator)) = self.0.get(request.function.as_str()) else { return Foreseen::default() };
        let errors = arguments::check_compiled(validator, &request.with);
        if !errors.is_empty() {
            let detail = format!("the arguments of {}: {}", spec.name, arguments::sentence(&errors));
            return Foreseen { words: None, answer: Err(RunError::new(StandardError::Validation, detail)) };
        }
        let operation = request.with.get("operation").and_then(Value::as_str);
        let operation = spec.operations.iter().find(|known| Some(known.name) == operation);
        let output = operation.map_or(&spec.output, |operation| &operation.output);
        Foreseen { words: (spec.foresee)(&request.with), answer: Ok(sample(output, output, DEPTH)) }
    }
}

/// A value that a schema admits, as plain as can be: what the schema names itself, else what its type has.
fn sample(schema: &Value, root: &Value, depth: usize) -> Value {
    let Some(depth) = depth.checked_sub(1) else { return Value::Null };
    let first = |name: &str| schema.get(name).and_then(Value::as_array).and_then(|list| list.first());
    if let Some(value) = schema.get("const").or_else(|| schema.get("default")) {
        return value.clone();
    }
    if let Some(value) = first("examples").or_else(|| first("enum")) {
        return value.clone();
    }
    if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|pointer| pointer.strip_prefix('#')) {
        return root.pointer(target).map_or(Value::Null, |schema| sample(schema, root, depth));
    }
    if let Some(one) = first("oneOf").or_else(|| first("anyOf")) {
        return sample(one, root, depth);
    }
    let number = |name: &str| schema.get(name).and_then(Value::as_u64);
    match schema.get("type").and_then(|kind| kind.as_str().or_else(|| kind.as_array()?.first()?.as_str())) {
        Some("object") => {
            let properties = schema.get("properties").and_then(Value::as_object);
            let sampled = |(name, schema): (&String, &Value)| (name.clone(), sample(schema, root, depth));
            Value::Object(properties.map(|all| all.iter().map(sampled).collect::<Map<_, _>>()).unwrap_or_default())
        }
        Some("array") => {
            let one = || schema.get("items").map_or(Value::Null, |items| sample(items, root, depth));
            (0..number("minItems").unwrap_or_default().min(8)).map(|_| one()).collect()
        }
        Some("string") => match schema.get("format").and_then(Value::as_str) {
            Some("date-time") => "2026-01-01T00:00:00Z".into(),
            Some("date") => "2026-01-01".into(),
            Some("email") => "someone@example.test".into(),
            Some("uri") => "https://example.test/".into(),
            _ => "sample".into(),
        },
        Some("integer" | "number") => number("minimum").unwrap_or_default().into(),
        Some("boolean") => true.into(),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_sample_is_what_its_schema_admits() {
        let schema = json!({
            "type": "object",
            "properties": {
                "id": {"type": "string"},
                "state": {"enum": ["new", "old"]},
                "at": {"type": ["string", "null"], "format": "date-time"},
                "owner": {"$ref": "#/$defs/person"},
                "tags": {"type": "array", "minItems": 2, "items": {"const": "a"}},
                "size": {"type": "integer", "minimum": 3},
                "way": {"oneOf": [{"const": "up"}, {"const": "down"}]}
            },
            "$defs": {"person": {"type": "object", "properties": {"boss": {"$ref": "#/$defs/person"}}}}
        });
        let made = sample(&schema, &schema, DEPTH);
        assert!(arguments::check(&schema, &json!({"tags": made["tags"], "size": made["size"]})).is_empty());
        assert_eq!(made["state"], "new");
        assert_eq!(made["tags"], json!(["a", "a"]));
        assert_eq!(made["way"], "up");
        assert!(made["owner"]["boss"].is_object(), "what refers to itself ends at some depth");
    }
}
