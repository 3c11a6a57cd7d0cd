//! JSON Schema of connections of kind `imap`.

use serde_json::{Value, json};

use crate::tls;

/// Of a connection's settings.
pub(super) fn settings() -> Value {
    tls::with_settings(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["host", "username", "password"],
        "additionalProperties": false,
        "properties": {
            "host": {"type": "string", "minLength": 1, "title": "Host"},
            "port": {
                "type": "integer", "minimum": 1, "maximum": 65535, "title": "Port",
                "description": "Default: 993 with TLS, 143 with StartTLS."
            },
            "encryption": {
                "title": "Encryption",
                "default": "tls",
                "oneOf": [
                    {"const": "tls", "title": "TLS from the start"},
                    {"const": "starttls", "title": "StartTLS"}
                ]
            },
            "username": {"type": "string", "minLength": 1, "maxLength": 320, "title": "User name"},
            "password": {"type": "string", "minLength": 1, "maxLength": 500, "title": "Password", "writeOnly": true}
        }
    }))
}
