//! The settings of a connection between its form and its schema.

use std::collections::BTreeMap;

use domain::form::{Field, Form, Kind, TextFormat, values_from_pairs};
use serde_json::Value;

/// How a setting is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Control {
    /// A line of text, with the input's type.
    Line(&'static str),
    /// A secret: never shown, kept when left empty.
    Secret,
    /// The same of several lines, which a line of text would lose.
    SecretLines,
    /// Several lines.
    Lines,
    /// A list, one entry per line.
    List,
    /// One of several values with their words.
    Choice(Vec<(String, String)>),
    /// Yes or no.
    Switch,
}

/// One setting in the form.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// JSON pointer within the settings.
    pub pointer: String,
    /// The label.
    pub title: String,
    /// Explanation.
    pub description: String,
    /// May be left empty.
    pub optional: bool,
    /// The control.
    pub control: Control,
    /// What it holds.
    pub value: String,
}

/// The form of a kind, filled with the stored settings.
pub fn form(schema: &Value, settings: &Value, has_secret: bool) -> Vec<Setting> {
    let fields = Form::new(schema, settings).fields;
    fields.into_iter().filter_map(|field| setting(schema, settings, has_secret, field)).collect()
}

fn setting(schema: &Value, settings: &Value, has_secret: bool, field: Field) -> Option<Setting> {
    let name = field.pointer.trim_start_matches('/');
    let property = schema.get("properties").and_then(|properties| properties.get(name));
    let secret = property.and_then(|property| property.get("writeOnly")) == Some(&Value::Bool(true));
    let control = match &field.kind {
        Kind::Text(rules) if secret && rules.multi_line => Control::SecretLines,
        _ if secret => Control::Secret,
        Kind::Text(rules) if rules.multi_line => Control::Lines,
        Kind::Text(rules) => Control::Line(match rules.format {
            TextFormat::Email => "email",
            TextFormat::Uri => "url",
            TextFormat::Date => "date",
            TextFormat::DateTime | TextFormat::Plain => "text",
        }),
        Kind::Number(_) => Control::Line("number"),
        Kind::Boolean { .. } => Control::Switch,
        Kind::Choice { options } => {
            let mut words: Vec<_> = options.iter().map(|choice| (choice.key(), choice.title.clone())).collect();
            if !field.required {
                words.insert(0, (String::new(), "–".to_owned()));
            }
            Control::Choice(words)
        }
        Kind::Rows { .. } | Kind::Choices { .. } => Control::List,
        Kind::Group { .. } | Kind::Json => return None,
    };
    let value = settings.pointer(&field.pointer).or(field.default.as_ref());
    let value = match value {
        _ if secret => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(entries)) => entries
            .iter()
            .map(|entry| entry.as_str().map_or_else(|| entry.to_string(), str::to_owned))
            .collect::<Vec<_>>()
            .join("\n"),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    Some(Setting {
        optional: !field.required || matches!(control, Control::Switch) || (secret && has_secret),
        pointer: field.pointer,
        title: field.title,
        description: field.description,
        control,
        value,
    })
}

/// The settings that were typed, as the schema has them. Without a schema there are none.
pub fn settings(schema: Option<&Value>, fields: BTreeMap<String, String>) -> Value {
    let Some(schema) = schema else { return Value::Null };
    let mut pairs = Vec::new();
    for field in Form::new(schema, &Value::Null).fields {
        let Some(text) = fields.get(&field.pointer) else { continue };
        if matches!(field.kind, Kind::Rows { .. } | Kind::Choices { .. }) {
            let entries = text.lines().map(str::trim).filter(|entry| !entry.is_empty());
            let rows = entries.enumerate().map(|(at, entry)| (format!("{}/{at}", field.pointer), entry.to_owned()));
            pairs.extend(rows);
        } else {
            pairs.push((field.pointer, text.clone()));
        }
    }
    values_from_pairs(schema, &pairs)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({
            "type": "object",
            "required": ["url", "password"],
            "properties": {
                "url": {"type": "string", "title": "Address"},
                "startTls": {"type": "boolean", "default": false},
                "password": {"type": "string", "writeOnly": true},
                "port": {"type": "integer"},
                "classes": {"type": "array", "items": {"type": "string"}}
            }
        })
    }

    #[test]
    fn a_secret_is_never_shown_and_needed_only_once() {
        let stored = json!({"url": "ldaps://x", "classes": ["a", "b"]});
        let settings = form(&schema(), &stored, true);
        let secret = settings.iter().find(|s| s.pointer == "/password").unwrap();
        assert_eq!((secret.control.clone(), secret.value.as_str(), secret.optional), (Control::Secret, "", true));
        assert!(!form(&schema(), &Value::Null, false).iter().find(|s| s.pointer == "/password").unwrap().optional);
        assert_eq!(settings.iter().find(|s| s.pointer == "/classes").unwrap().value, "a\nb");
    }

    #[test]
    fn what_was_typed_gets_the_schemas_types() {
        let typed = [("/url", "ldaps://x"), ("/port", "636"), ("/startTls", "true"), ("/classes", "a\n b \n\n")];
        let fields = typed.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let settings = settings(Some(&schema()), fields);
        assert_eq!(settings.get("port"), Some(&json!(636)));
        assert_eq!(settings.get("startTls"), Some(&json!(true)));
        assert_eq!(settings.get("classes"), Some(&json!(["a", "b"])));
    }
}
