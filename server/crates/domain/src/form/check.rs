//! What the browser can find wrong by itself.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::model::text_of;
use super::{Field, Form, Kind, NumberRules, RowRules, TextFormat, TextRules};
use crate::{FieldError, Timestamp};

/// Whether a text matches a regular expression (ECMA 262); `None` where that cannot be told here.
pub type Matcher<'a> = &'a dyn Fn(&str, &str) -> Option<bool>;

/// What is wrong with the values, in the order of the form, one error per field. Patterns are tried with `matches`,
/// since this crate has no regular expressions: the browser passes its own.
///
/// The server's validation stays the judge. Where both find an error it has the same `pointer`, `rule` and `expected`;
/// the pointer of a missing value is that of the value, not of the object that lacks it.
#[must_use]
pub fn check(schema: &Value, values: &Value, matches: Matcher<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    check_fields(&Form::new(schema, values).fields, values, matches, &mut errors);
    errors
}

/// What is wrong with one field of the form, without the fields within it.
#[must_use]
pub fn check_field(field: &Field, values: &Value, matches: Matcher<'_>) -> Option<FieldError> {
    let value = values.pointer(&field.pointer).filter(|value| !value.is_null());
    let (rule, expected) = match value {
        None if field.required && !matches!(field.kind, Kind::Group { .. }) => ("required", Value::Null),
        None => return None,
        Some(value) => broken_rule(field, value, matches)?,
    };
    let message = message(rule, &expected);
    Some(FieldError { pointer: field.pointer.clone(), rule: rule.to_owned(), expected, message })
}

fn check_fields(fields: &[Field], values: &Value, matches: Matcher<'_>, errors: &mut Vec<FieldError>) {
    for field in fields {
        errors.extend(check_field(field, values, matches));
        let absent = values.pointer(&field.pointer).is_none();
        if !absent || field.required {
            check_fields(field.children(), values, matches, errors);
        }
    }
}

type Broken = Option<(&'static str, Value)>;

fn broken_rule(field: &Field, value: &Value, matches: Matcher<'_>) -> Broken {
    match &field.kind {
        Kind::Text(rules) => broken_text(rules, value, matches),
        Kind::Number(rules) => broken_number(*rules, value),
        Kind::Boolean { must_be } => match (value.as_bool(), must_be) {
            (None, _) => Some(("type", json!("boolean"))),
            (Some(given), Some(expected)) if given != *expected => Some(("const", json!(expected))),
            _ => None,
        },
        Kind::Choice { options } => {
            let known = options.iter().any(|option| super::schema::same(&option.value, value));
            (!known).then(|| ("enum", options.iter().map(|option| json!(option.title)).collect()))
        }
        Kind::Choices { rules, .. } | Kind::Rows { rules, .. } => broken_list(*rules, value),
        Kind::Group { .. } => (!value.is_object()).then(|| ("type", json!("object"))),
        Kind::Json => value.is_string().then(|| ("type", json!("object"))),
    }
}

fn broken_text(rules: &TextRules, value: &Value, matches: Matcher<'_>) -> Broken {
    let Some(text) = value.as_str() else { return Some(("type", json!("string"))) };
    let length = text.chars().count() as u64;
    if let Some(min) = rules.min_length.filter(|min| length < *min) {
        return Some(("minLength", json!(min)));
    }
    if let Some(max) = rules.max_length.filter(|max| length > *max) {
        return Some(("maxLength", json!(max)));
    }
    let right = match rules.format {
        TextFormat::Plain => true,
        TextFormat::Email => is_email(text),
        TextFormat::Uri => is_uri(text),
        TextFormat::Date => format!("{text}T00:00:00Z").parse::<Timestamp>().is_ok(),
        TextFormat::DateTime => text.parse::<Timestamp>().is_ok(),
    };
    if !right {
        return Some(("format", json!(rules.format.as_str())));
    }
    let pattern = rules.pattern.as_deref()?;
    (matches(pattern, text) == Some(false)).then(|| ("pattern", json!(pattern)))
}

fn broken_number(rules: NumberRules, value: &Value) -> Broken {
    let name = if rules.integer { "integer" } else { "number" };
    let Some(number) = value.as_f64().filter(|number| !rules.integer || number.fract() == 0.0) else {
        return Some(("type", json!(name)));
    };
    let multiple = |factor: f64| ((number / factor) - (number / factor).round()).abs() < 1e-9;
    if let Some(limit) = rules.minimum.filter(|limit| number < *limit) {
        Some(("minimum", as_number(limit)))
    } else if let Some(limit) = rules.maximum.filter(|limit| number > *limit) {
        Some(("maximum", as_number(limit)))
    } else if let Some(limit) = rules.exclusive_minimum.filter(|limit| number <= *limit) {
        Some(("exclusiveMinimum", as_number(limit)))
    } else if let Some(limit) = rules.exclusive_maximum.filter(|limit| number >= *limit) {
        Some(("exclusiveMaximum", as_number(limit)))
    } else {
        rules.multiple_of.filter(|factor| !multiple(*factor)).map(|factor| ("multipleOf", as_number(factor)))
    }
}

fn broken_list(rules: RowRules, value: &Value) -> Broken {
    let Some(items) = value.as_array() else { return Some(("type", json!("array"))) };
    let count = items.len() as u64;
    if count < rules.min_items {
        return Some(("minItems", json!(rules.min_items)));
    }
    if let Some(max) = rules.max_items.filter(|max| count > *max) {
        return Some(("maxItems", json!(max)));
    }
    let distinct: HashSet<String> = items.iter().map(Value::to_string).collect();
    (rules.unique && distinct.len() < items.len()).then_some(("uniqueItems", Value::Null))
}

/// A number without a needless fraction: `3`, not `3.0`.
#[expect(clippy::cast_possible_truncation, reason = "only whole numbers within the exact range of f64 are converted")]
fn as_number(number: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < EXACT { json!(number as i64) } else { json!(number) }
}

/// Whether it has the shape of a mail address: something, one `@`, a host, no blanks.
fn is_email(text: &str) -> bool {
    let blank = |letter: char| letter.is_whitespace() || letter.is_control();
    let host_is_right =
        |host: &str| !host.is_empty() && host.split('.').all(|label| !label.is_empty() && !label.starts_with('-'));
    !text.contains(blank)
        && text.rsplit_once('@').is_some_and(|(local, host)| {
            !local.is_empty() && !local.contains('@') && local.len() <= 64 && host_is_right(host)
        })
}

/// Whether it has the shape of an absolute URI: a scheme, a colon, something, no blanks.
fn is_uri(text: &str) -> bool {
    let scheme_is_right = |scheme: &str| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '-' | '.'))
    };
    let blank = |letter: char| letter.is_whitespace() || letter.is_control() || matches!(letter, '<' | '>' | '"');
    !text.contains(blank)
        && text
            .split_once(':')
            .is_some_and(|(scheme, rest)| scheme_is_right(scheme) && !rest.is_empty() && rest != "//")
}

/// The error as an English sentence, for REST and logs; pages translate by rule and expectation.
fn message(rule: &str, expected: &Value) -> String {
    let limit = match expected {
        Value::Array(items) => items.iter().map(text_of).collect::<Vec<_>>().join(", "),
        other => text_of(other),
    };
    match rule {
        "required" => "A value is required.".to_owned(),
        "type" => format!("The value is not of type {limit}."),
        "minLength" => format!("At least {limit} characters are needed."),
        "maxLength" => format!("At most {limit} characters are allowed."),
        "minimum" => format!("The value must be {limit} or more."),
        "maximum" => format!("The value must be {limit} or less."),
        "exclusiveMinimum" => format!("The value must be more than {limit}."),
        "exclusiveMaximum" => format!("The value must be less than {limit}."),
        "multipleOf" => format!("The value must be a multiple of {limit}."),
        "minItems" => format!("At least {limit} entries are needed."),
        "maxItems" => format!("At most {limit} entries are allowed."),
        "uniqueItems" => "Each entry may be given only once.".to_owned(),
        "enum" => format!("The value must be one of: {limit}."),
        "const" => format!("The value must be {limit}."),
        "format" => format!("The value has not the form of {limit}."),
        "pattern" => format!("The value does not match {limit}."),
        _ => "The value is not valid.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule_of(schema: &Value, value: &Value) -> String {
        let schema = json!({"type": "object", "required": ["v"], "properties": {"v": schema}});
        let matches = |pattern: &str, text: &str| (pattern == "^a").then(|| text.starts_with('a'));
        let errors = check(&schema, &json!({"v": value}), &matches);
        errors.first().map(|error| format!("{} {} {}", error.pointer, error.rule, error.expected)).unwrap_or_default()
    }

    #[test]
    fn each_rule_is_found_beside_its_field() {
        for (schema, value, expected) in [
            (json!({"type": "string"}), Value::Null, "/v required null"),
            (json!({"type": "string", "minLength": 2}), json!("ä"), "/v minLength 2"),
            (json!({"type": "string", "maxLength": 2}), json!("가나다"), "/v maxLength 2"),
            (json!({"type": "string", "maxLength": 3}), json!("가나다"), ""),
            (json!({"type": "string", "pattern": "^a"}), json!("b"), "/v pattern \"^a\""),
            (json!({"type": "string", "pattern": "(unknown"}), json!("b"), ""),
            (json!({"type": "integer"}), json!("x"), "/v type \"integer\""),
            (json!({"type": "integer"}), json!(1.5), "/v type \"integer\""),
            (json!({"type": "integer", "minimum": 3}), json!(2), "/v minimum 3"),
            (json!({"type": "number", "maximum": 2.5}), json!(3), "/v maximum 2.5"),
            (json!({"type": "number", "exclusiveMaximum": 3}), json!(3), "/v exclusiveMaximum 3"),
            (json!({"type": "number", "multipleOf": 0.1}), json!(0.3), ""),
            (json!({"type": "number", "multipleOf": 0.1}), json!(0.35), "/v multipleOf 0.1"),
            (json!({"type": "boolean", "const": true}), json!(false), "/v const true"),
            (json!({"enum": ["a", "b"]}), json!("c"), "/v enum [\"a\",\"b\"]"),
            (json!({"type": "array", "minItems": 1, "items": {"enum": ["a"]}}), json!([]), "/v minItems 1"),
            (
                json!({"type": "array", "uniqueItems": true, "items": {"type": "string"}}),
                json!(["a", "a"]),
                "/v uniqueItems null",
            ),
            (json!({"type": "array", "items": {"type": "integer"}}), json!([1, "x"]), "/v/1 type \"integer\""),
            (json!({"type": "string", "format": "date"}), json!("2026-02-30"), "/v format \"date\""),
            (json!({"type": "string", "format": "date"}), json!("2028-02-29"), ""),
            (json!({"type": "string", "format": "date-time"}), json!("2026-02-03T10:00:00+09:00"), ""),
            (json!({"type": "string", "format": "date-time"}), json!("tomorrow"), "/v format \"date-time\""),
        ] {
            assert_eq!(rule_of(&schema, &value), expected, "{schema} {value}");
        }
    }

    #[test]
    fn addresses_have_a_shape() {
        for (text, right) in [
            ("a@b.example", true),
            ("a@localhost", true),
            ("a", false),
            ("@b", false),
            ("a b@c", false),
            ("a@b..c", false),
        ] {
            assert_eq!(is_email(text), right, "{text}");
        }
        for (text, right) in [
            ("https://example.org/a?b", true),
            ("mailto:a@b", true),
            ("example.org", false),
            ("https://", false),
            ("1a:b", false),
            ("https://a b", false),
        ] {
            assert_eq!(is_uri(text), right, "{text}");
        }
    }

    #[test]
    fn a_missing_value_is_reported_where_it_is_missing() {
        let schema = json!({"type": "object", "required": ["a"], "properties": {
            "a": {"type": "object", "required": ["b"], "properties": {"b": {"type": "string"}}},
            "c": {"type": "object", "required": ["d"], "properties": {"d": {"type": "string"}}},
        }});
        let never = |_: &str, _: &str| None;
        let errors = check(&schema, &json!({}), &never);
        assert_eq!(errors.iter().map(|error| error.pointer.as_str()).collect::<Vec<_>>(), ["/a/b"]);
        let errors = check(&schema, &json!({"a": {"b": "x"}, "c": {}}), &never);
        assert_eq!(errors.iter().map(|error| error.pointer.as_str()).collect::<Vec<_>>(), ["/c/d"]);
    }
}
