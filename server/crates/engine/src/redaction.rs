//! Keeps the values of secrets out of whatever leaves a call or a run.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use workflow::RunError;

/// What stands where a secret stood.
const MASK: &str = "[redacted]";

/// A secret shorter than this is masked only where it is the whole text: it stands in too much that is none.
const TELLING: usize = 4;

/// A line of a secret of several lines is masked by itself from this length on.
const TELLING_LINE: usize = 8;

/// The texts that may not leave.
#[derive(Clone, Default)]
pub struct Redaction {
    /// Masked wherever they stand; longest first, so that a secret inside another one does not spoil it.
    inside: Vec<String>,
    /// Masked where they are the whole text.
    whole: Vec<String>,
}

impl Redaction {
    /// Masks these texts, and the forms in which they travel: percent-encoded, in base64, and within JSON text.
    #[must_use]
    pub fn of(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut redaction = Self::default();
        for secret in secrets.into_iter().filter(|secret| !secret.is_empty()) {
            if secret.chars().count() < TELLING {
                redaction.whole.push(secret);
                continue;
            }
            redaction.inside.push(urlencoding::encode(&secret).into_owned());
            redaction.inside.push(STANDARD.encode(&secret));
            let json = Value::from(secret.as_str()).to_string();
            redaction.inside.extend(json.strip_prefix('"').and_then(|text| text.strip_suffix('"')).map(str::to_owned));
            if secret.lines().nth(1).is_some() {
                // A log has it line by line.
                let lines = secret.lines().map(str::trim).filter(|line| line.chars().count() >= TELLING_LINE);
                redaction.inside.extend(lines.map(str::to_owned));
            }
            redaction.inside.push(secret);
        }
        redaction.inside.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        redaction.inside.dedup();
        redaction
    }

    /// Masks all texts inside these values.
    pub(crate) fn of_values<'a>(secrets: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut texts = Vec::new();
        secrets.into_iter().for_each(|secret| collect(secret, &mut texts));
        Self::of(texts)
    }

    /// The text without secrets.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        if self.whole.iter().any(|secret| secret == text) {
            return MASK.to_owned();
        }
        self.inside.iter().fold(text.to_owned(), |text, secret| {
            if text.contains(secret.as_str()) { text.replace(secret.as_str(), MASK) } else { text }
        })
    }

    /// Takes secrets out of a value, the names of its members included.
    pub(crate) fn value(&self, value: &mut Value) {
        if self.inside.is_empty() && self.whole.is_empty() {
            return;
        }
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(members) => {
                let taken = std::mem::take(members);
                members.extend(taken.into_iter().map(|(name, mut member)| {
                    self.value(&mut member);
                    (self.text(&name), member)
                }));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Takes secrets out of an error.
    pub fn error(&self, error: &mut RunError) {
        for text in [&mut error.title, &mut error.detail].into_iter().flatten() {
            *text = self.text(text);
        }
    }
}

fn collect(secret: &Value, texts: &mut Vec<String>) {
    match secret {
        Value::String(text) => texts.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Object(members) => members.values().for_each(|member| collect(member, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_masked_wherever_they_stand_and_however_they_travel() {
        let redaction = Redaction::of(["s3cret/+".to_owned(), "s3cret/+long".to_owned()]);
        let mut value = json!({"a": ["x s3cret/+ y", 7], "s3cret/+": null, "b": "s3cret%2F%2B", "c": "czNjcmV0Lys="});
        redaction.value(&mut value);
        assert_eq!(
            value,
            json!({"a": ["x [redacted] y", 7], "[redacted]": null, "b": "[redacted]", "c": "[redacted]"})
        );
        assert_eq!(redaction.text("s3cret/+long"), "[redacted]");
        let mut error = RunError::communication(502, "the token s3cret/+ is wrong");
        redaction.error(&mut error);
        assert_eq!(error.detail.as_deref(), Some("the token [redacted] is wrong"));
    }

    #[test]
    fn a_secret_of_several_lines_is_masked_line_by_line() {
        let redaction = Redaction::of(["-----BEGIN KEY-----\nMIIEvQIBADAN\n}\n".to_owned()]);
        assert_eq!(redaction.text("key: MIIEvQIBADAN"), "key: [redacted]");
        assert_eq!(redaction.text("}"), "}");
    }

    #[test]
    fn a_secret_within_json_text_is_masked_however_it_is_escaped() {
        let redaction = Redaction::of(["say \"yes\"".to_owned()]);
        let body = json!({"echo": "say \"yes\""}).to_string();
        assert_eq!(redaction.text(&body), r#"{"echo":"[redacted]"}"#);
    }

    #[test]
    fn nothing_is_masked_where_there_is_no_secret() {
        let mut value = json!("text");
        Redaction::of([String::new()]).value(&mut value);
        assert_eq!(value, "text");
        let short = Redaction::of_values([&json!({"user": "te", "pin": 7})]);
        short.value(&mut value);
        assert_eq!((value, short.text("te")), (json!("text"), "[redacted]".to_owned()));
    }
}
