//! What a schema means for the values at hand: references resolved, conditions decided, branches merged.

use serde_json::{Map, Value};

/// How deep references and branches are followed; a schema that refers to itself ends here.
const MAX_DEPTH: u8 = 12;

/// The keywords of `schema` that hold for `value`, with those of its references and of the branches that apply.
pub(super) fn effective(root: &Value, schema: &Value, value: &Value) -> Map<String, Value> {
    let mut merged = Map::new();
    collect(root, schema, value, MAX_DEPTH, &mut merged);
    merged
}

fn collect(root: &Value, schema: &Value, value: &Value, depth: u8, merged: &mut Map<String, Value>) {
    let (Some(schema), Some(depth)) = (schema.as_object(), depth.checked_sub(1)) else { return };
    let sub = |part: &Value| {
        let mut map = Map::new();
        collect(root, part, value, depth, &mut map);
        map
    };
    if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|text| referenced(root, text)) {
        merge(merged, sub(target), None);
    }
    let own = schema
        .iter()
        .filter(|(key, _)| !matches!(key.as_str(), "$ref" | "allOf" | "if" | "then" | "else"))
        .map(|(key, part)| (key.clone(), part.clone()))
        .collect();
    merge(merged, own, None);
    for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        let after = part.get("if").map(named_properties);
        merge(merged, sub(part), after.as_deref());
    }
    if let Some(condition) = schema.get("if") {
        let branch = if holds(root, condition, value) { "then" } else { "else" };
        if let Some(part) = schema.get(branch) {
            merge(merged, sub(part), Some(&named_properties(condition)));
        }
    }
    for (name, part) in schema.get("dependentSchemas").and_then(Value::as_object).into_iter().flatten() {
        if value.get(name).is_some() {
            merge(merged, sub(part), Some(std::slice::from_ref(name)));
        }
    }
    for (name, required) in schema.get("dependentRequired").and_then(Value::as_object).into_iter().flatten() {
        if value.get(name).is_some() {
            let addition = Map::from_iter([("required".to_owned(), required.clone())]);
            merge(merged, addition, None);
        }
    }
}

/// Adds `addition` to `target`. New properties stand behind the last property named in `after`, because a dependent
/// field is understood best beside the one it depends on.
fn merge(target: &mut Map<String, Value>, addition: Map<String, Value>, after: Option<&[String]>) {
    for (key, part) in addition {
        match (key.as_str(), target.get_mut(&key), part) {
            ("required", Some(Value::Array(known)), Value::Array(more)) => {
                for name in more {
                    if !known.contains(&name) {
                        known.push(name);
                    }
                }
            }
            ("properties", Some(Value::Object(known)), Value::Object(more)) => merge_properties(known, more, after),
            (_, _, part) => {
                target.insert(key, part);
            }
        }
    }
}

fn merge_properties(known: &mut Map<String, Value>, more: Map<String, Value>, after: Option<&[String]>) {
    let mut place = after.and_then(|names| {
        let last = known.keys().enumerate().filter(|(_, key)| names.contains(*key)).map(|(index, _)| index).next_back();
        last.map(|index| index + 1)
    });
    for (name, part) in more {
        match (known.get_mut(&name), part) {
            (Some(Value::Object(before)), Value::Object(now)) => merge(before, now, None),
            (Some(before), Value::Bool(false)) => *before = Value::Bool(false),
            (Some(_), _) => {}
            (None, part) => match &mut place {
                Some(index) => {
                    known.shift_insert(*index, name, part);
                    *index += 1;
                }
                None => {
                    known.insert(name, part);
                }
            },
        }
    }
}

/// The schema that a reference within the same document names.
pub(super) fn referenced<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    root.pointer(reference.strip_prefix('#')?)
}

/// The properties that a condition looks at.
fn named_properties(condition: &Value) -> Vec<String> {
    let properties = condition.get("properties").and_then(Value::as_object);
    let required = condition.get("required").and_then(Value::as_array);
    let mut names: Vec<String> = properties.into_iter().flatten().map(|(name, _)| name.clone()).collect();
    names.extend(required.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
    for key in ["allOf", "anyOf", "oneOf"] {
        for part in condition.get(key).and_then(Value::as_array).into_iter().flatten() {
            names.extend(named_properties(part));
        }
    }
    names.extend(condition.get("not").map(named_properties).unwrap_or_default());
    names
}

/// Whether `value` meets the condition. Keywords that would need a regular expression count as met. What is not there
/// yet counts as an object without members: a form that nobody has typed into has no dependent fields.
fn holds(root: &Value, condition: &Value, value: &Value) -> bool {
    let nothing = Value::Object(Map::new());
    holds_within(root, condition, if value.is_null() { &nothing } else { value }, MAX_DEPTH)
}

fn holds_within(root: &Value, condition: &Value, value: &Value, depth: u8) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return true };
    let keywords = match condition {
        Value::Bool(verdict) => return *verdict,
        Value::Object(keywords) => keywords,
        _ => return true,
    };
    let each = |parts: &Value| -> Vec<bool> {
        let parts = parts.as_array().into_iter().flatten();
        parts.map(|part| holds_within(root, part, value, depth)).collect()
    };
    keywords.iter().all(|(keyword, expected)| match keyword.as_str() {
        "$ref" => expected
            .as_str()
            .and_then(|text| referenced(root, text))
            .is_none_or(|target| holds_within(root, target, value, depth)),
        "const" => same(value, expected),
        "enum" => expected.as_array().is_none_or(|options| options.iter().any(|option| same(value, option))),
        "type" => match expected {
            Value::Array(types) => types.iter().filter_map(Value::as_str).any(|name| is_type(value, name)),
            _ => expected.as_str().is_none_or(|name| is_type(value, name)),
        },
        "required" => value.as_object().is_none_or(|object| {
            expected.as_array().into_iter().flatten().filter_map(Value::as_str).all(|name| object.contains_key(name))
        }),
        "properties" => expected
            .as_object()
            .into_iter()
            .flatten()
            .all(|(name, part)| value.get(name).is_none_or(|member| holds_within(root, part, member, depth))),
        "contains" => {
            value.as_array().is_none_or(|items| items.iter().any(|item| holds_within(root, expected, item, depth)))
        }
        "not" => !holds_within(root, expected, value, depth),
        "allOf" => each(expected).into_iter().all(|verdict| verdict),
        "anyOf" => each(expected).into_iter().any(|verdict| verdict),
        "oneOf" => each(expected).into_iter().filter(|verdict| *verdict).count() == 1,
        "minimum" => compare(value.as_f64(), expected.as_f64(), |value, limit| value >= limit),
        "maximum" => compare(value.as_f64(), expected.as_f64(), |value, limit| value <= limit),
        "exclusiveMinimum" => compare(value.as_f64(), expected.as_f64(), |value, limit| value > limit),
        "exclusiveMaximum" => compare(value.as_f64(), expected.as_f64(), |value, limit| value < limit),
        "minLength" => compare(text_length(value), expected.as_u64(), |length, limit| length >= limit),
        "maxLength" => compare(text_length(value), expected.as_u64(), |length, limit| length <= limit),
        "minItems" => compare(item_count(value), expected.as_u64(), |count, limit| count >= limit),
        "maxItems" => compare(item_count(value), expected.as_u64(), |count, limit| count <= limit),
        _ => true,
    })
}

/// Whether the relation holds; a value of another type, or no limit, meets any.
fn compare<T>(value: Option<T>, limit: Option<T>, relation: impl Fn(T, T) -> bool) -> bool {
    match (value, limit) {
        (Some(value), Some(limit)) => relation(value, limit),
        _ => true,
    }
}

fn text_length(value: &Value) -> Option<u64> {
    value.as_str().map(|text| text.chars().count() as u64)
}

fn item_count(value: &Value) -> Option<u64> {
    value.as_array().map(|items| items.len() as u64)
}

/// Equality as JSON Schema has it: `1` and `1.0` are the same number.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        _ => one == other,
    }
}

fn is_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        _ => true,
    }
}
