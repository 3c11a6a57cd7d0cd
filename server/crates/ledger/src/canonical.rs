//! The one way to write a JSON value as bytes: RFC 8785, narrowed to numbers that every JSON parser keeps.

use std::{cmp::Ordering, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

/// The largest integer that a double, and so every JSON parser, keeps exactly: 2^53 - 1.
const LARGEST: i64 = (1 << 53) - 1;

/// Few entries are longer than this, in bytes.
const MOST: usize = 1024;

/// The value holds a number that the format does not have: a fraction, or one beyond 2^53 - 1.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the number {0} is not part of the format")]
pub struct NotCanonical(pub String);

/// The canonical text of a value: members sorted by UTF-16 code units, no space, shortest escapes, integers only.
///
/// # Errors
/// [`NotCanonical`]: it holds a number that the format does not have.
pub fn canonical(value: &Value) -> Result<String, NotCanonical> {
    let mut text = String::with_capacity(MOST);
    write(value, &mut text)?;
    Ok(text)
}

/// Parses one JSON text and refuses repeated members, which parsers take differently.
///
/// # Errors
/// It is none, or names a member twice.
pub fn parse(text: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice::<Strict>(text).map(|strict| strict.0)
}

/// The value with every number that [`canonical`] would refuse written as text.
#[must_use]
pub fn portable(value: &Value) -> Value {
    match value {
        Value::Number(number) => match integer(number) {
            Some(integer) => integer.into(),
            None => Value::String(number.to_string()),
        },
        Value::Array(items) => Value::Array(items.iter().map(portable).collect()),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), portable(value))).collect())
        }
        other => other.clone(),
    }
}

/// Whether arrays and objects are nested at most `levels` deep.
#[must_use]
pub fn within_depth(value: &Value, levels: usize) -> bool {
    let inner = |value: &Value| levels.checked_sub(1).is_some_and(|fewer| within_depth(value, fewer));
    match value {
        Value::Array(items) => items.iter().all(inner),
        Value::Object(members) => members.values().all(inner),
        _ => true,
    }
}

fn write(value: &Value, text: &mut String) -> Result<(), NotCanonical> {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(true) => text.push_str("true"),
        Value::Bool(false) => text.push_str("false"),
        Value::Number(number) => {
            let integer = integer(number).ok_or_else(|| NotCanonical(number.to_string()))?;
            text.push_str(&integer.to_string());
        }
        Value::String(string) => write_string(string, text),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(item, text)?;
            }
            text.push(']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_unstable_by(|(left, _), (right, _)| by_utf16(left, right));
            text.push('{');
            for (index, (name, value)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_string(name, text);
                text.push(':');
                write(value, text)?;
            }
            text.push('}');
        }
    }
    Ok(())
}

fn by_utf16(left: &str, right: &str) -> Ordering {
    // Bytes sort like UTF-16 except for characters beyond U+FFFF.
    if left.is_ascii() && right.is_ascii() { left.cmp(right) } else { left.encode_utf16().cmp(right.encode_utf16()) }
}

fn write_string(string: &str, text: &mut String) {
    text.push('"');
    let mut rest = string;
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | ..b' ')) {
        let (plain, escaped) = rest.split_at(at);
        text.push_str(plain);
        let mut characters = escaped.chars();
        if let Some(character) = characters.next() {
            write_escaped(character, text);
        }
        rest = characters.as_str();
    }
    text.push_str(rest);
    text.push('"');
}

fn write_escaped(character: char, text: &mut String) {
    match character {
        '"' => text.push_str("\\\""),
        '\\' => text.push_str("\\\\"),
        '\u{8}' => text.push_str("\\b"),
        '\t' => text.push_str("\\t"),
        '\n' => text.push_str("\\n"),
        '\u{c}' => text.push_str("\\f"),
        '\r' => text.push_str("\\r"),
        control => {
            text.push_str("\\u00");
            text.push_str(&hex::encode([u8::try_from(u32::from(control)).unwrap_or_default()]));
        }
    }
}

/// The number as an integer of the format; a fraction of zero, as some parsers write it, is none.
pub(crate) fn integer(number: &Number) -> Option<i64> {
    let integer = match number.as_i64() {
        Some(integer) => integer,
        None => integral(number.as_f64()?)?,
    };
    (-LARGEST..=LARGEST).contains(&integer).then_some(integer)
}

fn integral(float: f64) -> Option<i64> {
    #[expect(clippy::cast_precision_loss, reason = "2^53 - 1 is exact")]
    let limit = LARGEST as f64;
    #[expect(clippy::cast_possible_truncation, reason = "it has no fraction and is within the limit")]
    (float.fract() == 0.0 && float.abs() <= limit).then_some(float as i64)
}

/// A JSON value whose objects name each member once.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without repeated members")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Strict(value))) = members.next_entry::<String, _>()? {
            if object.insert(name, value).is_some() {
                return Err(de::Error::custom("a member is named twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::fixture::any_json;

    #[test]
    fn members_are_sorted_as_rfc_8785_has_it() {
        let example = json!({
            "\u{20ac}": "Euro Sign", "\r": "Carriage Return", "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
            "1": "One", "\u{1f600}": "Emoji: Grinning Face", "\u{80}": "Control",
            "\u{f6}": "Latin Small Letter O With Diaeresis",
        });
        let order = ["\\r", "\"1\"", "\u{80}", "\u{f6}", "\u{20ac}", "\u{1f600}", "\u{fb33}"];
        let text = canonical(&example).unwrap();
        let places: Vec<_> = order.iter().map(|name| text.find(name).unwrap()).collect();
        assert!(places.is_sorted(), "{text}");
    }

    #[test]
    fn strings_are_escaped_as_rfc_8785_has_it() {
        let example = json!("\u{20ac}$\u{f}\nA'\u{42}\u{22}\u{5c}\\\"/\u{7f}");
        assert_eq!(canonical(&example).unwrap(), r#""€$\u000f\nA'B\"\\\\\"/"#.to_owned() + "\u{7f}\"");
    }

    #[test]
    fn numbers_that_parsers_disagree_on_are_refused_or_written_as_text() {
        for (number, text) in [
            (json!(9_007_199_254_740_992_u64), "9007199254740992"),
            (json!(u64::MAX), "18446744073709551615"),
            (json!(-9_007_199_254_740_993_i64), "-9007199254740993"),
            (json!(0.1), "0.1"),
            (json!(1e300), "1e+300"),
        ] {
            assert!(canonical(&number).is_err(), "{number}");
            assert_eq!(portable(&number), json!(text));
        }
        assert_eq!(canonical(&json!([0, -0.0, 5.0, 9_007_199_254_740_991_i64])).unwrap(), "[0,0,5,9007199254740991]");
    }

    #[test]
    fn a_repeated_member_is_refused_at_any_depth() {
        assert!(parse(br#"{"a":1,"b":{"a":1}}"#).is_ok());
        assert!(parse(br#"{"a":1,"a":1}"#).is_err());
        assert!(parse(br#"[{"b":{"a":1,"\u0061":2}}]"#).is_err());
    }

    #[test]
    fn depth_counts_arrays_and_objects() {
        assert!(within_depth(&json!(1), 0));
        assert!(within_depth(&json!([{"a": 1}]), 2));
        assert!(!within_depth(&json!([{"a": 1}]), 1));
    }

    proptest! {
        #[test]
        fn the_text_survives_other_writers(value in any_json()) {
            let value = portable(&value);
            let text = canonical(&value).unwrap();
            prop_assert_eq!(&canonical(&parse(text.as_bytes()).unwrap()).unwrap(), &text);
            let rewritten = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(&canonical(&parse(rewritten.as_bytes()).unwrap()).unwrap(), &text);
        }
    }
}
