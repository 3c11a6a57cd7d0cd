//! Functions on text.
#![expect(clippy::needless_pass_by_value, reason = "natives have one shape: they take their values")]

use std::fmt::Write as _;
use std::rc::Rc;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::value::{Error, V, ValR, bulk};
use super::{arithmetic, meter};

fn expect_text(value: &V) -> Result<Rc<str>, Error> {
    match value {
        V::Text(text) => {
            meter::step(u64::try_from(text.len() / 64).unwrap_or(u64::MAX));
            Ok(Rc::clone(text))
        }
        other => Err(Error::typ(other.share(), "string")),
    }
}

pub(super) fn map(value: V, f: impl Fn(&str) -> String) -> ValR {
    let text = expect_text(&value)?;
    meter::allocate(text.len());
    Ok(V::text(f(&text)))
}

pub(super) fn byte_length(value: V) -> ValR {
    Ok(V::Int(i64::try_from(expect_text(&value)?.len()).unwrap_or(i64::MAX)))
}

pub(super) fn compare(value: V, with: V, f: fn(&str, &str) -> bool) -> ValR {
    Ok(V::Bool(f(&expect_text(&value)?, &expect_text(&with)?)))
}

/// The text without a part; anything else unchanged, as in jq.
pub(super) fn without(value: V, part: &V, f: for<'t> fn(&'t str, &str) -> Option<&'t str>) -> V {
    match (value.as_text(), part.as_text()) {
        (Some(text), Some(part)) => match f(text, part) {
            Some(rest) => V::text(rest),
            None => value,
        },
        _ => value,
    }
}

pub(super) fn split(value: V, separator: V) -> ValR {
    match (value.as_text(), separator.as_text()) {
        (Some(text), Some(separator)) => Ok(arithmetic::split(text, separator)),
        _ => Err(Error::str("split input and separator must be strings")),
    }
}

pub(super) fn join(value: V, separator: V) -> ValR {
    let separator = expect_text(&separator)?;
    let items = value.into_items().map_err(|value| Error::typ(value, "array"))?;
    let mut joined = String::new();
    for (index, item) in items.iter().enumerate() {
        meter::step(1);
        if index > 0 {
            meter::allocate(separator.len());
            joined.push_str(&separator);
        }
        match item {
            V::Null => {}
            V::Text(text) => {
                meter::allocate(text.len());
                joined.push_str(text);
            }
            V::Bool(_) | V::Int(_) | V::Float(_) => joined.push_str(&item.json_text()),
            other => return Err(Error::typ(other.share(), "string")),
        }
    }
    Ok(V::text(joined))
}

/// Where a part occurs: in text by characters, in a list by elements (or as a sub-list).
pub(super) fn indices(value: V, part: V) -> ValR {
    let found = |index: usize| V::Int(i64::try_from(index).unwrap_or(i64::MAX));
    match (&value, &part) {
        (V::Null, _) => Ok(V::Null),
        (V::Text(text), V::Text(part)) => {
            bulk(text.len().saturating_mul(8));
            if part.is_empty() {
                return Ok(V::Null);
            }
            let starts = text.char_indices().enumerate();
            let hits = starts.filter(|(_, (at, _))| {
                meter::step(1);
                text.get(*at..).is_some_and(|rest| rest.starts_with(&**part))
            });
            Ok(hits.map(|(index, _)| found(index)).collect())
        }
        (V::List(list), V::List(part)) => {
            if part.items.is_empty() {
                return Ok(V::Null);
            }
            let windows = list.items.windows(part.items.len()).enumerate();
            Ok(windows.filter(|(_, window)| *window == part.items.as_slice()).map(|(index, _)| found(index)).collect())
        }
        (V::List(list), _) => {
            let items = list.items.iter().enumerate();
            Ok(items.filter(|(_, item)| **item == part).map(|(index, _)| found(index)).collect())
        }
        _ => Err(Error::index(value, part)),
    }
}

pub(super) fn explode(value: V) -> ValR {
    let text = expect_text(&value)?;
    Ok(text.chars().map(|c| V::Int(i64::from(u32::from(c)))).collect())
}

pub(super) fn implode(value: V) -> ValR {
    let items = value.into_items().map_err(|value| Error::typ(value, "array"))?;
    let mut text = String::new();
    for item in items {
        meter::step(1);
        meter::allocate(4);
        let code = item.as_index().and_then(|code| u32::try_from(code).ok()).and_then(char::from_u32);
        text.push(code.ok_or_else(|| Error::str("implode needs an array of code points"))?);
    }
    Ok(V::text(text))
}

pub(super) fn from_json(value: &V) -> ValR {
    let text = expect_text(value)?;
    meter::allocate(text.len().saturating_mul(8));
    let parsed: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| Error::str(format_args!("not JSON: {error}")))?;
    let value = V::from_json(&parsed);
    // Rebuilding the outermost value checks the depth.
    Ok(match value {
        V::List(_) => V::list(value.into_items().unwrap_or_default()),
        V::Object(_) => V::object(value.into_entries().unwrap_or_default()),
        other => other,
    })
}

pub(super) fn to_number(value: V) -> ValR {
    match &value {
        V::Int(_) | V::Float(_) => Ok(value),
        V::Text(text) => {
            let text = text.trim();
            let plain = text.chars().all(|c| matches!(c, '0'..='9' | '.' | 'e' | 'E' | '+' | '-'));
            let number = if plain {
                text.parse::<i64>().map(V::Int).or_else(|_| text.parse().map(V::number))
            } else {
                "x".parse().map(V::Float)
            };
            number.map_err(|_| Error::typ(value.share(), "number"))
        }
        _ => Err(Error::typ(value, "number")),
    }
}

pub(super) fn to_boolean(value: V) -> ValR {
    match (&value, value.as_text()) {
        (V::Bool(_), _) => Ok(value),
        (_, Some("true")) => Ok(V::Bool(true)),
        (_, Some("false")) => Ok(V::Bool(false)),
        _ => Err(Error::typ(value, "boolean")),
    }
}

pub(super) fn to_date(value: V) -> ValR {
    let Some(seconds) = value.as_index() else {
        return Err(Error::typ(value, "number of seconds"));
    };
    let date = OffsetDateTime::from_unix_timestamp(seconds).ok().and_then(|date| date.format(&Rfc3339).ok());
    date.map(V::text).ok_or_else(|| Error::str("the date is out of range"))
}

pub(super) fn from_date(value: V) -> ValR {
    let text = expect_text(&value)?;
    match OffsetDateTime::parse(&text, &Rfc3339) {
        Ok(date) => Ok(V::Int(date.unix_timestamp())),
        Err(_) => Err(Error::typ(value, "a date and time such as 2026-01-31T12:00:00Z")),
    }
}

fn as_string(value: V) -> Rc<str> {
    match value {
        V::Text(text) => text,
        other => Rc::from(other.json_text()),
    }
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(super) fn to_base64(value: V) -> V {
    let text = as_string(value);
    meter::allocate(text.len() / 3 * 4 + 4);
    let mut encoded = String::with_capacity(text.len() / 3 * 4 + 4);
    for chunk in text.as_bytes().chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        for position in 0..4_usize {
            let index = usize::try_from((bits >> (18 - 6 * position)) & 63).unwrap_or(0);
            let letter = BASE64.get(index).copied().unwrap_or(b'=');
            encoded.push(if position <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    V::text(encoded)
}

pub(super) fn from_base64(value: V) -> ValR {
    let text = as_string(value);
    meter::allocate(text.len());
    let (mut bits, mut count, mut bytes) = (0_u32, 0_u32, Vec::new());
    for letter in text.trim_end_matches('=').bytes() {
        let digit = BASE64.iter().position(|known| *known == letter).and_then(|digit| u32::try_from(digit).ok());
        bits = (bits << 6) | digit.ok_or_else(|| Error::str("not base64"))?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xff).unwrap_or(0));
        }
    }
    Ok(V::text(String::from_utf8_lossy(&bytes)))
}

pub(super) fn to_uri(value: V) -> V {
    let text = as_string(value);
    meter::allocate(text.len().saturating_mul(3));
    V::text(urlencoding::encode(&text))
}

pub(super) fn to_html(value: V) -> V {
    let text = as_string(value);
    meter::allocate(text.len());
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\'' => escaped.push_str("&#39;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    V::text(escaped)
}

pub(super) fn to_csv(value: V) -> ValR {
    let items = value.into_items().map_err(|value| Error::typ(value, "array"))?;
    let mut row = String::new();
    for (index, item) in items.iter().enumerate() {
        meter::step(1);
        if index > 0 {
            row.push(',');
        }
        match item {
            V::Null => {}
            V::Text(text) => {
                meter::allocate(text.len() * 2);
                // Writing to a String cannot fail.
                let _ = write!(row, "\"{}\"", text.replace('"', "\"\""));
            }
            V::Bool(_) | V::Int(_) | V::Float(_) => row.push_str(&item.json_text()),
            other => return Err(Error::typ(other.share(), "a value of a CSV row")),
        }
    }
    Ok(V::text(row))
}
