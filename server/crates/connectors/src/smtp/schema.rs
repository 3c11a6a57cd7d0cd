//! JSON Schemas of `call: smtp` and of its kinds of connection.

use serde_json::{Value, json};

use crate::tls;

/// Of `with`.
pub(super) fn with() -> Value {
    let address = json!({"type": "string", "minLength": 3, "maxLength": 320});
    let addresses = json!({"oneOf": [address, {"type": "array", "minItems": 1, "maxItems": 100, "items": address}]});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["connection", "to", "subject", "text"],
        "additionalProperties": false,
        "properties": {
            "connection": {"type": "string", "minLength": 1, "title": "Connection of kind smtp or file"},
            "to": addresses,
            "cc": addresses,
            "replyTo": address,
            "subject": {"type": "string", "minLength": 1, "maxLength": 500},
            "text": {"type": "string", "maxLength": 200_000}
        }
    })
}

/// Of the output.
pub(super) fn output() -> Value {
    json!({
        "type": "object",
        "required": ["messageId", "accepted"],
        "properties": {
            "messageId": {"type": "string"},
            "accepted": {"type": "array", "items": {"type": "string"}, "description": "The addresses that it goes to."},
            "response": {"type": "string", "description": "What the mail server said."},
            "file": {"type": "string", "description": "The file, for connections of kind file."}
        }
    })
}

fn from() -> Value {
    json!({
        "type": "string", "minLength": 3, "maxLength": 320, "title": "Sender",
        "description": "An address, or NAME <ADDRESS>."
    })
}

/// Of a connection of kind `smtp`.
pub(super) fn server_settings() -> Value {
    tls::with_settings(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["host", "from"],
        "additionalProperties": false,
        "properties": {
            "host": {"type": "string", "minLength": 1, "title": "Host"},
            "port": {
                "type": "integer", "minimum": 1, "maximum": 65535, "title": "Port",
                "description": "Default: 587 with StartTLS, 465 with TLS, 25 without."
            },
            "encryption": {
                "title": "Encryption",
                "default": "starttls",
                "oneOf": [
                    {"const": "starttls", "title": "StartTLS"},
                    {"const": "tls", "title": "TLS from the start"},
                    {"const": "none", "title": "None"}
                ]
            },
            "username": {"type": "string", "minLength": 1, "title": "User name"},
            "password": {"type": "string", "minLength": 1, "title": "Password", "writeOnly": true},
            "from": from()
        },
        "dependentRequired": {"username": ["password"], "password": ["username"]}
    }))
}

/// Of a connection of kind `file`.
pub(super) fn file_settings() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["from"],
        "additionalProperties": false,
        "properties": {"from": from()}
    })
}
