//! Canonical JSON (RFC 8785), over which digests are taken.

use serde_json::{Number, Value};
use sha2::{Digest, Sha256};

/// The value as canonical JSON: members sorted by UTF-16 code units, numbers as ECMAScript writes them, no space.
pub fn canonical_json(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

/// Hex SHA-256 of the canonical JSON of a value.
pub fn digest(value: &Value) -> String {
    hex::encode(Sha256::digest(canonical_json(value).as_bytes()))
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Number(number) => out.push_str(&number_text(number)),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
            sorted.sort_by(|(left, _), (right, _)| left.encode_utf16().cmp(right.encode_utf16()));
            out.push('{');
            for (index, (name, member)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(name.clone()).to_string());
                out.push(':');
                write(member, out);
            }
            out.push('}');
        }
        // serde_json escapes strings exactly as RFC 8785 asks.
        other => out.push_str(&other.to_string()),
    }
}

fn number_text(number: &Number) -> String {
    const EXACT: u64 = 9_007_199_254_740_992;
    if let Some(int) = number.as_i64()
        && int.unsigned_abs() <= EXACT
    {
        return int.to_string();
    }
    let float = number.as_f64().unwrap_or(0.0);
    let size = float.abs();
    if float == 0.0 {
        return "0".to_owned();
    }
    if (1e-6..1e21).contains(&size) {
        return format!("{float}");
    }
    let text = format!("{float:e}");
    match text.split_once('e') {
        Some((digits, power)) if !power.starts_with('-') => format!("{digits}e+{power}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn follows_the_examples_of_the_standard() {
        let value = json!({
            "numbers": [333_333_333.333_333_3_f64, 1e30, 4.5, 2e-3, 1e-27, 1.0, -0.0],
            "string": "\u{20ac}$\u{0f}\nA'B\"\\\"/",
            "literals": [null, true, false]
        });
        let expected = "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27,1,0],\
                        \"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\"/\"}";
        assert_eq!(canonical_json(&value), expected);
        assert_eq!(
            canonical_json(&json!({"\u{20ac}": 1, "\r": 2, "1": 3, "\u{1f600}": 4, "\u{fb33}": 5})),
            "{\"\\r\":2,\"1\":3,\"€\":1,\"😀\":4,\"\u{fb33}\":5}"
        );
    }

    #[test]
    fn order_and_spelling_do_not_change_the_digest() {
        assert_eq!(digest(&json!({"a": 1, "b": 2.0})), digest(&json!({"b": 2, "a": 1.0})));
        assert_ne!(digest(&json!({"a": 1})), digest(&json!({"a": 2})));
    }
}
