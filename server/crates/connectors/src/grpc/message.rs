//! Messages as JSON, by the mapping of Protocol Buffers.

use prost_reflect::{DeserializeOptions, DynamicMessage, MessageDescriptor, MethodDescriptor, SerializeOptions};
use serde_json::{Map, Value};
use workflow::{RunError, StandardError};

use crate::Failure;

/// Fields that have no presence are always there, so that an expression need not know the defaults.
const WRITTEN: SerializeOptions = SerializeOptions::new().skip_default_fields(false);

/// The messages that a method is sent.
pub(super) fn read(method: &MethodDescriptor, arguments: &Value) -> Result<Vec<DynamicMessage>, Failure> {
    let input = method.input();
    match arguments {
        Value::Null => Ok(vec![DynamicMessage::new(input)]),
        Value::Array(messages) if method.is_client_streaming() => {
            messages.iter().map(|message| read_one(&input, message)).collect()
        }
        Value::Array(_) => Err(invalid(&format!("{} takes one message, not a list", method.full_name()))),
        message => Ok(vec![read_one(&input, message)?]),
    }
}

fn read_one(kind: &MessageDescriptor, message: &Value) -> Result<DynamicMessage, Failure> {
    let parse =
        |value: &Value| DynamicMessage::deserialize_with_options(kind.clone(), value, &DeserializeOptions::new());
    // The message of serde may quote a value, and the value may be a secret; the names of fields are none.
    parse(message).map_err(|_| {
        let fields = message.as_object().into_iter().flatten();
        let wrong = fields.map(|(name, value)| (name, Value::Object(Map::from_iter([(name.clone(), value.clone())]))));
        let wrong = wrong.filter(|(_, alone)| parse(alone).is_err()).map(|(name, _)| name.as_str()).next();
        match wrong {
            Some(name) if kind.get_field_by_json_name(name).or_else(|| kind.get_field_by_name(name)).is_none() => {
                invalid(&format!("{} has no field “{name}”", kind.full_name()))
            }
            Some(name) => invalid(&format!("“{name}” does not fit its field in {}", kind.full_name())),
            None => invalid(&format!("they are no {}", kind.full_name())),
        }
    })
}

/// What a method gave: its message, or an array of those that it streams.
pub(super) fn write(method: &MethodDescriptor, messages: Vec<DynamicMessage>) -> Result<Value, Failure> {
    let unreadable = |detail: String| Failure::refused(502, format!("{}: {detail}", method.full_name()));
    let mut written = Vec::with_capacity(messages.len());
    for message in messages {
        let value = message.serialize_with_options(serde_json::value::Serializer, &WRITTEN);
        written.push(value.map_err(|error| unreadable(format!("the answer cannot be written as JSON: {error}")))?);
    }
    if method.is_server_streaming() {
        return Ok(Value::Array(written));
    }
    match (written.pop(), written.is_empty()) {
        (Some(only), true) => Ok(only),
        _ => Err(unreadable("it did not answer with one message".to_owned())),
    }
}

fn invalid(detail: &str) -> Failure {
    Failure::permanent(RunError::new(StandardError::Validation, format!("with/arguments: {detail}")))
}
