//! Writes values as somebody would write them by hand.

use serde_json::Value;

use crate::{
    diagnostic::{Diagnostics, Span},
    source::{self, NodeKind},
};

/// The longest list that is written in one line, in characters.
const SHORT: usize = 72;

/// What can stand behind a name, in one line; none where it takes lines.
pub(super) fn line(value: &Value) -> Option<String> {
    match value {
        Value::Object(object) if object.is_empty() => Some("{}".to_owned()),
        Value::Object(_) => None,
        Value::Array(items) => {
            if items.iter().any(|item| matches!(item, Value::Object(_) | Value::Array(_))) {
                return None;
            }
            let text = format!("[{}]", items.iter().map(|item| scalar(item, true)).collect::<Vec<_>>().join(", "));
            (text.chars().count() <= SHORT).then_some(text)
        }
        Value::String(text) if text.contains('\n') => None,
        scalar_value => Some(scalar(scalar_value, false)),
    }
}

/// A value in lines, of which all but the first are indented by so many spaces.
pub(super) fn lines(value: &Value, indent: usize) -> String {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(object) if !object.is_empty() => {
            let property = |(name, value): (&String, &Value)| property(name, value, indent);
            object.iter().map(property).collect::<Vec<_>>().join(&format!("\n{pad}"))
        }
        Value::Array(items) if line(value).is_none() => {
            let item = |item: &Value| format!("- {}", lines(item, indent + 2));
            items.iter().map(item).collect::<Vec<_>>().join(&format!("\n{pad}"))
        }
        Value::String(text) if text.contains('\n') => literal(text, indent).unwrap_or_else(|| value.to_string()),
        _ => line(value).unwrap_or_else(|| value.to_string()),
    }
}

/// `name: value`, of which all lines but the first are indented by so many spaces, and what is below it by two more.
pub(super) fn property(name: &str, value: &Value, indent: usize) -> String {
    let name = scalar(&Value::from(name), false);
    if let Some(line) = line(value) {
        return format!("{name}: {line}");
    }
    let below = indent + 2;
    if value.is_string() {
        return format!("{name}: {}", lines(value, below));
    }
    format!("{name}:\n{}{}", " ".repeat(below), lines(value, below))
}

/// A value in brackets and braces.
pub(super) fn flow(value: &Value) -> String {
    match value {
        Value::Object(object) => {
            let property = |(name, value): (&String, &Value)| {
                format!("{}: {}", scalar(&Value::from(name.as_str()), true), flow(value))
            };
            format!("{{{}}}", object.iter().map(property).collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        _ => scalar(value, true),
    }
}

/// A text as the lines that it consists of, behind `|`.
fn literal(text: &str, indent: usize) -> Option<String> {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let unusual = |line: &str| line.trim_end() != line || line.chars().any(char::is_control);
    if body.is_empty() || body.starts_with([' ', '\n']) || body.ends_with('\n') || body.split('\n').any(unusual) {
        return None;
    }
    let pad = " ".repeat(indent);
    let line = |line: &str| if line.is_empty() { String::new() } else { format!("{pad}{line}") };
    let mark = if body.len() == text.len() { "|-" } else { "|" };
    Some(format!("{mark}\n{}", body.split('\n').map(line).collect::<Vec<_>>().join("\n")))
}

/// A value that has no parts. Within brackets, fewer texts can do without quotes.
fn scalar(value: &Value, within_brackets: bool) -> String {
    match value {
        Value::String(text) if is_plain(text, within_brackets) => text.clone(),
        other => other.to_string(),
    }
}

fn is_plain(text: &str, within_brackets: bool) -> bool {
    const MARKS: &[char] =
        &['-', '?', ':', ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`', '='];
    let read = || {
        let mut found = Diagnostics::default();
        let kind = source::plain(text, Span::default(), &mut found);
        found.is_empty() && matches!(kind, NodeKind::Text(_))
    };
    !text.starts_with(MARKS)
        && text.trim() == text
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with(':')
        && !text.chars().any(char::is_control)
        && !(within_brackets && text.contains([',', '[', ']', '{', '}']))
        && read()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_written_as_by_hand_and_read_back() {
        let value = json!({
            "call": "smtp",
            "with": {
                "to": ["a@b.example", "c, d"], "subject": "${ .a }", "body": "One\n\n two\n", "cc": [], "odd": " x\n",
                "none": null, "yes": "yes", "no": "false", "number": "1.0", "key: odd": {"a": []}, "n": 1.5,
                "many": [{"a": 1, "b": {"c": "#"}}, [1, [2]]], "한글": "값: 하나", "empty": "", "last": "end:"
            },
        });
        let text = lines(&value, 0);
        let mut found = Diagnostics::default();
        let read = source::read(&text, &mut found).map(|node| node.to_value());
        assert_eq!(read, Some(value), "{text}\n{:?}", found.finish());
        assert!(text.contains("  subject: ${ .a }\n"), "{text}");
        assert!(text.contains("  to: [a@b.example, \"c, d\"]\n"), "{text}");
        assert!(text.contains("  body: |\n    One\n\n     two\n"), "{text}");
    }
}
