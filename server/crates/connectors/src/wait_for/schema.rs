//! JSON Schemas of `call: wait-for`.

use serde_json::{Value, json};

use crate::dns::record::TYPES;

/// Of `with`.
pub(super) fn with() -> Value {
    let host = json!({"type": "string", "minLength": 1, "maxLength": 254});
    let port = json!({"type": "integer", "minimum": 1, "maximum": 65535});
    let status = json!({"type": "integer", "minimum": 100, "maximum": 599});
    let duration = json!([{"type": "string", "pattern": "^P"}, {"type": "object", "minProperties": 1}]);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["for"],
        "additionalProperties": false,
        "properties": {
            "tcp": {
                "type": "object", "title": "A port answers",
                "required": ["host", "port"],
                "additionalProperties": false,
                "properties": {"host": host, "port": port}
            },
            "http": {
                "type": "object", "title": "A service answers to GET",
                "required": ["url"],
                "additionalProperties": false,
                "properties": {
                    "url": {"type": "string", "minLength": 1, "pattern": "^https?://"},
                    "status": {"oneOf": [status, {"type": "array", "minItems": 1, "maxItems": 50, "items": status}]},
                    "contains": {"type": "string", "minLength": 1, "description": "What is in the answer."},
                    "json": {
                        "type": "object",
                        "required": ["pointer", "equals"],
                        "additionalProperties": false,
                        "properties": {
                            "pointer": {"type": "string", "pattern": "^(/.*)?$", "description": "A JSON pointer."},
                            "equals": {}
                        }
                    }
                }
            },
            "dns": {
                "type": "object", "title": "A name has records",
                "required": ["name", "type"],
                "additionalProperties": false,
                "properties": {
                    "name": host,
                    "type": {"enum": TYPES},
                    "equals": {
                        "type": "array", "maxItems": 100, "items": {"type": "string", "minLength": 1},
                        "description": "All values and no others, in any order; an empty list for none."
                    },
                    "server": {"type": "string", "minLength": 1, "description": "Default: the system's, asked by TCP."},
                    "port": port
                }
            },
            "for": {"description": "How long it is waited for, such as PT5M.", "oneOf": duration},
            "interval": {"description": "Between two attempts; default PT5S.", "oneOf": duration}
        },
        "oneOf": [{"required": ["tcp"]}, {"required": ["http"]}, {"required": ["dns"]}]
    })
}

/// Of the output.
pub(super) fn output() -> Value {
    json!({
        "type": "object",
        "required": ["attempts", "after"],
        "properties": {
            "attempts": {"type": "integer", "minimum": 1},
            "after": {"type": "string", "description": "How long it took, as a duration of ISO 8601."}
        }
    })
}
