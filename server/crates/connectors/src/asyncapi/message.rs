//! Messages as the specification has them: `{payload, headers, correlationId}`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use super::document::Operation;

/// A message that has come. What it does not have is left out.
pub(super) fn received(
    operation: &Operation,
    payload: Vec<u8>,
    media_type: Option<&str>,
    headers: Map<String, Value>,
    correlation_id: Option<String>,
) -> Value {
    let mut message = Map::new();
    let payload = read(payload, media_type.or(operation.content_type.as_deref()));
    if !payload.is_null() {
        message.insert("payload".to_owned(), payload);
    }
    if !headers.is_empty() {
        message.insert("headers".to_owned(), Value::Object(headers));
    }
    let mut message = Value::Object(message);
    let correlation_id = correlation_id.or_else(|| operation.correlation_id(&message));
    if let (Some(id), Some(members)) = (correlation_id, message.as_object_mut()) {
        members.insert("correlationId".to_owned(), Value::String(id));
    }
    message
}

/// JSON as data, text as a string, anything else in base64, nothing as null. What does not say what it is, is JSON if it
/// can be read as such.
fn read(payload: Vec<u8>, media_type: Option<&str>) -> Value {
    if payload.is_empty() {
        return Value::Null;
    }
    let json = media_type.is_none_or(|media_type| media_type.contains("json"));
    if json && let Ok(value) = serde_json::from_slice(&payload) {
        return value;
    }
    match String::from_utf8(payload) {
        Ok(text) => Value::String(text),
        Err(binary) => Value::String(STANDARD.encode(binary.as_bytes())),
    }
}
