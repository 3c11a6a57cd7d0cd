//! The text form of sealed secrets, and finding it within other text.

use std::borrow::Cow;

use serde_json::{Map, Value};

pub(super) const PREFIX: &str = "rondo-sealed:v1:";
const END: char = '~';
const KEY_ID_DIGITS: usize = 8;

/// What stands in views in place of a sealed secret.
const REDACTED: &str = "••••";

/// The parts of a sealed text.
#[derive(Clone, Copy)]
pub(super) struct Token<'a> {
    pub(super) key_id: &'a str,
    pub(super) body: &'a str,
}

pub(super) fn format(key_id: &str, body: &str) -> String {
    format!("{PREFIX}{key_id}:{body}{END}")
}

/// A text that is one token and nothing else.
pub(super) fn parse(text: &str) -> Option<Token<'_>> {
    match split_first(text.strip_prefix(PREFIX)?)? {
        (token, "") => Some(token),
        _ => None,
    }
}

/// The token whose prefix has been taken off, and the text after it.
fn split_first(text: &str) -> Option<(Token<'_>, &str)> {
    let (key_id, rest) = text.split_once(':')?;
    if key_id.len() != KEY_ID_DIGITS || !key_id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let (body, rest) = rest.split_once(END)?;
    (!body.is_empty() && body.chars().all(is_body)).then_some((Token { key_id, body }, rest))
}

fn is_body(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

/// Replaces each token in a text; none when there is none.
pub(super) fn replace_tokens<E>(
    text: &str,
    mut replacement: impl FnMut(Token<'_>) -> Result<String, E>,
) -> Result<Option<String>, E> {
    let mut replaced = None::<String>;
    let mut rest = text;
    let mut plain_from = text;
    while let Some((_, after_prefix)) = rest.split_once(PREFIX) {
        let Some((token, after)) = split_first(after_prefix) else {
            rest = after_prefix;
            continue;
        };
        let plain_bytes = plain_from.len() - after_prefix.len() - PREFIX.len();
        let output = replaced.get_or_insert_default();
        output.push_str(plain_from.get(..plain_bytes).unwrap_or_default());
        output.push_str(&replacement(token)?);
        rest = after;
        plain_from = after;
    }
    if let Some(output) = &mut replaced {
        output.push_str(plain_from);
    }
    Ok(replaced)
}

/// Applies `edit` to every string and member name; `None` leaves it as it is.
pub(super) fn rewrite<E>(value: &mut Value, edit: &mut impl FnMut(&str) -> Result<Option<String>, E>) -> Result<(), E> {
    match value {
        Value::String(text) => {
            if let Some(edited) = edit(text)? {
                *text = edited;
            }
        }
        Value::Array(items) => {
            for item in items {
                rewrite(item, edit)?;
            }
        }
        Value::Object(members) => {
            for member in members.values_mut() {
                rewrite(member, edit)?;
            }
            if members.keys().any(|name| name.contains(PREFIX)) {
                let mut renamed = Map::new();
                for (name, member) in std::mem::take(members) {
                    let name = edit(&name)?.unwrap_or(name);
                    renamed.insert(name, member);
                }
                *members = renamed;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Ok(())
}

/// Replaces everything in a text that is, or was before somebody cut it, a sealed secret by `••••`.
#[must_use]
pub fn redact_str(text: &str) -> Cow<'_, str> {
    if !text.contains(PREFIX) {
        return Cow::Borrowed(text);
    }
    let mut redacted = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(PREFIX) {
        redacted.push_str(before);
        redacted.push_str(REDACTED);
        let after = after.trim_start_matches(|c| is_body(c) || c == ':');
        rest = after.strip_prefix(END).unwrap_or(after);
    }
    redacted.push_str(rest);
    Cow::Owned(redacted)
}

/// [`redact_str`] on every string and member name of a value. Everything that leaves for a page, REST, a log, a mail or
/// an export goes through it.
pub fn redact(value: &mut Value) {
    let Ok(()) = rewrite(value, &mut |text| {
        Ok::<_, std::convert::Infallible>(match redact_str(text) {
            Cow::Borrowed(_) => None,
            Cow::Owned(redacted) => Some(redacted),
        })
    });
}

/// Whether any string or member name holds what [`redact`] put in place of a secret.
#[must_use]
pub fn contains_redacted(value: &Value) -> bool {
    holds(value, REDACTED)
}

/// Whether any string or member name holds what looks like a sealed secret. What people send (inputs, comments) is
/// refused when it does: nobody sends one but to have it opened elsewhere.
#[must_use]
pub fn contains_sealed(value: &Value) -> bool {
    holds(value, PREFIX)
}

fn holds(value: &Value, part: &str) -> bool {
    match value {
        Value::String(text) => text.contains(part),
        Value::Array(items) => items.iter().any(|item| holds(item, part)),
        Value::Object(members) => members.iter().any(|(name, member)| name.contains(part) || holds(member, part)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
