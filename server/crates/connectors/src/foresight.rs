//! What calls would do and give that are not made: for trying definitions out. Nothing here reaches another system.

use std::collections::BTreeMap;

use jsonschema::Validator;
use serde_json::{Map, Value};
use workflow::{CallRequest, RunError, StandardError, foresight::Variety, rehearsal::Foreseen};

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
        let (words, output) = said(spec, request, Variety::Plain);
        Foreseen { words, answer: Ok(output) }
    }

    /// What a call of one of these functions would do, and one of the outputs that it may give, whatever is wrong with its
    /// arguments: these may be made of what was made up, so that no schema of them is needed.
    #[must_use]
    pub fn following(functions: &[FunctionSpec], request: &CallRequest, variety: Variety) -> (Option<String>, Value) {
        let spec = functions.iter().find(|spec| spec.name == request.function);
        spec.map_or_else(|| (None, variety.anything()), |spec| said(spec, request, variety))
    }
}

fn said(spec: &FunctionSpec, request: &CallRequest, variety: Variety) -> (Option<String>, Value) {
    let operation = request.with.get("operation").and_then(Value::as_str);
    let operation = spec.operations.iter().find(|known| Some(known.name) == operation);
    let output = operation.map_or(&spec.output, |operation| &operation.output);
    ((spec.foresee)(&request.with), Sampler { root: output, variety }.sample(output, DEPTH))
}

/// Makes values up.
struct Sampler<'a> {
    root: &'a Value,
    variety: Variety,
}

impl Sampler<'_> {
    /// A value that a schema admits: what the schema names itself, else what its type has. Where it admits anything, what the
    /// variety has for that.
    fn sample(&self, schema: &Value, depth: usize) -> Value {
        let Some(depth) = depth.checked_sub(1) else { return Value::Null };
        let is_plain = self.variety == Variety::Plain;
        // Another than the plain one, where there are several.
        let one_of = |name: &str| {
            let list = schema.get(name).and_then(Value::as_array)?;
            match self.variety {
                Variety::Plain => list.first(),
                Variety::Other => list.last(),
                Variety::Bare => list.get(1).or_else(|| list.first()),
            }
        };
        if let Some(value) = schema.get("const") {
            return value.clone();
        }
        if let Some(value) = schema.get("default").filter(|_| is_plain) {
            return value.clone();
        }
        if let Some(value) = one_of("examples").filter(|_| is_plain).or_else(|| one_of("enum")) {
            return value.clone();
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|pointer| pointer.strip_prefix('#')) {
            return self.root.pointer(target).map_or(Value::Null, |schema| self.sample(schema, depth));
        }
        if let Some(one) = one_of("oneOf").or_else(|| one_of("anyOf")) {
            return self.sample(one, depth);
        }
        let kinds = match schema.get("type") {
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
            Some(kind) => kind.as_str().into_iter().collect::<Vec<_>>(),
            None => Vec::new(),
        };
        if self.variety == Variety::Bare && kinds.contains(&"null") {
            return Value::Null;
        }
        let kind = kinds.iter().find(|kind| **kind != "null").or_else(|| kinds.first());
        match kind.copied() {
            Some("object") => self.object(schema, depth),
            Some("array") => self.array(schema, depth),
            Some("string") => self.string(schema),
            Some("integer" | "number") => self.number(schema),
            Some("boolean") => (self.variety != Variety::Other).into(),
            Some(_) => Value::Null,
            None => self.variety.anything(),
        }
    }

    fn object(&self, schema: &Value, depth: usize) -> Value {
        let properties = schema.get("properties").and_then(Value::as_object).filter(|all| !all.is_empty());
        let Some(properties) = properties else {
            return match self.variety {
                Variety::Plain | Variety::Bare => Value::Object(Map::new()),
                Variety::Other => self.variety.anything(),
            };
        };
        let required = |name: &str| {
            let all = schema.get("required").and_then(Value::as_array);
            all.is_some_and(|all| all.iter().any(|known| known == name))
        };
        let sampled = properties.iter().filter(|(name, _)| self.variety != Variety::Bare || required(name));
        Value::Object(sampled.map(|(name, schema)| (name.clone(), self.sample(schema, depth))).collect())
    }

    fn array(&self, schema: &Value, depth: usize) -> Value {
        let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or_default().min(8);
        let items = if self.variety == Variety::Other { least + 1 } else { least };
        let one = || schema.get("items").map_or_else(|| self.variety.anything(), |items| self.sample(items, depth));
        (0..items).map(|_| one()).collect()
    }

    fn string(&self, schema: &Value) -> Value {
        let of = |plain: &str, other: &str, bare: &str| {
            Value::from(match self.variety {
                Variety::Plain => plain,
                Variety::Other => other,
                Variety::Bare => bare,
            })
        };
        match schema.get("format").and_then(Value::as_str) {
            Some("date-time") => of("2026-01-01T00:00:00Z", "2027-02-02T00:00:00Z", "2028-03-03T00:00:00Z"),
            Some("date") => of("2026-01-01", "2027-02-02", "2028-03-03"),
            Some("email") => of("someone@example.test", "another@example.test", "third@example.test"),
            Some("uri") => of("https://example.test/", "https://another.example.test/", "https://third.example.test/"),
            _ => self.variety.text().into(),
        }
    }

    fn number(&self, schema: &Value) -> Value {
        let bound = |name: &str| schema.get(name).and_then(Value::as_u64);
        let least = bound("minimum").unwrap_or_default();
        match self.variety {
            Variety::Plain => least.into(),
            Variety::Other => bound("maximum").unwrap_or(least.saturating_add(1_000_003)).into(),
            Variety::Bare => bound("maximum").unwrap_or(u64::MAX).min(least.saturating_add(1)).into(),
        }
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
        let made = Sampler { root: &schema, variety: Variety::Plain }.sample(&schema, DEPTH);
        assert!(arguments::check(&schema, &json!({"tags": made["tags"], "size": made["size"]})).is_empty());
        assert_eq!(made["state"], "new");
        assert_eq!(made["tags"], json!(["a", "a"]));
        assert_eq!(made["way"], "up");
        assert!(made["owner"]["boss"].is_object(), "what refers to itself ends at some depth");
    }

    #[test]
    fn other_samples_share_nothing_that_a_schema_leaves_open() {
        let schema = json!({
            "type": "object",
            "required": ["id", "state", "list", "open", "any", "is", "count", "maybe", "fixed"],
            "properties": {
                "id": {"type": "string"}, "state": {"enum": ["a", "b", "c"]}, "list": {"type": "array"},
                "open": {"type": "object"}, "any": {}, "is": {"type": "boolean"}, "count": {"type": "integer"},
                "maybe": {"type": ["string", "null"]}, "fixed": {"const": 1}, "optional": {"type": "string"}
            }
        });
        let of = |variety| Sampler { root: &schema, variety }.sample(&schema, DEPTH);
        let (plain, other, bare) = (of(Variety::Plain), of(Variety::Other), of(Variety::Bare));
        for name in ["id", "state", "list", "open", "any", "is", "count", "maybe", "optional"] {
            assert_ne!(plain[name], other[name], "{name}");
        }
        assert_eq!((&plain["fixed"], &other["fixed"], &bare["fixed"]), (&json!(1), &json!(1), &json!(1)));
        assert_eq!((&bare["maybe"], bare.get("optional")), (&json!(null), None));
        assert_eq!(bare["state"], "b");
    }
}
