//! What an approver may permit instead of what was asked for, between its form and the workflow's input.

#[cfg(feature = "ssr")]
use std::collections::BTreeMap;

#[cfg(feature = "ssr")]
use domain::view::ApprovalDetail;
use serde_json::{Map, Value, json};

/// The schema of the fields that may be changed: those parts of the input's schema.
pub fn schema(input_schema: &Value, narrow: &[String]) -> Value {
    let named = |pointer: &String| {
        let name = pointer.trim_start_matches('/').replace("~1", "/").replace("~0", "~");
        let part = input_schema.get("properties")?.get(&name)?.clone();
        Some((name, part))
    };
    let properties: Map<String, Value> = narrow.iter().filter_map(named).collect();
    let mut required = input_schema.get("required").cloned().unwrap_or_default();
    if let Value::Array(names) = &mut required {
        names.retain(|name| name.as_str().is_some_and(|name| properties.contains_key(name)));
    }
    json!({"type": "object", "properties": properties, "required": required})
}

/// What was changed in the form, by JSON pointer.
#[cfg(feature = "ssr")]
pub fn changes(asked: &ApprovalDetail, fields: BTreeMap<String, String>) -> BTreeMap<String, Value> {
    let Some(input_schema) = &asked.input_schema else { return BTreeMap::new() };
    let typed = super::connection_settings::settings(Some(&schema(input_schema, &asked.narrow)), fields);
    let change = |pointer: &String| {
        let now = typed.pointer(pointer)?;
        (asked.input.pointer(pointer) != Some(now)).then(|| (pointer.clone(), now.clone()))
    };
    asked.narrow.iter().filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_has_the_fields_that_may_be_changed() {
        let input = json!({
            "type": "object",
            "required": ["days", "name"],
            "properties": {"days": {"type": "integer", "maximum": 30}, "name": {"type": "string"}}
        });
        let form = schema(&input, &["/days".to_owned(), "/gone".to_owned()]);
        let properties = json!({"days": {"type": "integer", "maximum": 30}});
        assert_eq!(form, json!({"type": "object", "properties": properties, "required": ["days"]}));
    }
}
