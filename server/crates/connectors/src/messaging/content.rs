//! What messages hold: data as JSON, text, or bytes in base64.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::Value;

use crate::Failure;

/// How a content is written in a definition.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Encoding {
    #[default]
    Json,
    Text,
    Base64,
}

impl Encoding {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
            Self::Base64 => "base64",
        }
    }

    /// The media type of what is written so, where nobody says it.
    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Text => "text/plain; charset=utf-8",
            Self::Base64 => "application/octet-stream",
        }
    }
}

/// The bytes of a content.
pub(super) fn bytes_of(content: &Value, encoding: Encoding) -> Result<Vec<u8>, Failure> {
    let text = || content.as_str().ok_or_else(|| Failure::configuration("a content with this encoding is a text"));
    match encoding {
        Encoding::Json => Ok(content.to_string().into_bytes()),
        Encoding::Text => Ok(text()?.as_bytes().to_vec()),
        Encoding::Base64 => STANDARD.decode(text()?).map_err(|_| Failure::configuration("the content is not base64")),
    }
}

/// What bytes from elsewhere are: data where they are JSON, else text, else base64.
pub(super) fn read(bytes: &[u8]) -> (Value, Encoding) {
    if let Ok(value) = serde_json::from_slice(bytes) {
        return (value, Encoding::Json);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => (Value::String(text.to_owned()), Encoding::Text),
        Err(_) => (Value::String(STANDARD.encode(bytes)), Encoding::Base64),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for (content, encoding) in [
            (json!({"order": 7}), Encoding::Json),
            (json!("no {json"), Encoding::Text),
            (json!("AP8="), Encoding::Base64),
            (json!(""), Encoding::Text),
        ] {
            let bytes = bytes_of(&content, encoding).unwrap();
            assert_eq!(read(&bytes), (content, encoding));
        }
        assert!(bytes_of(&json!({}), Encoding::Text).is_err());
        assert!(bytes_of(&json!("%"), Encoding::Base64).is_err());
    }
}
