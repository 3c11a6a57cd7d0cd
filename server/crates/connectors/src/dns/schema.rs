//! JSON Schemas of `call: dns` and of connections of kind `dns`.

use serde_json::{Value, json};

use super::record::TYPES;
use crate::arguments::operation_rule;

/// An operation with what it takes.
pub(super) struct OperationEntry {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    required: &'static [&'static str],
    optional: &'static [&'static str],
    pub(super) reads: bool,
}

/// All operations.
pub(super) const OPERATIONS: &[OperationEntry] = &[
    OperationEntry {
        name: "addRecord",
        title: "Add a record",
        required: &["name", "type", "value"],
        optional: &["ttl"],
        reads: false,
    },
    OperationEntry {
        name: "removeRecord",
        title: "Remove a record, or all of a type",
        required: &["name", "type"],
        optional: &["value"],
        reads: false,
    },
    OperationEntry {
        name: "replaceRecords",
        title: "Replace all records of a type",
        required: &["name", "type", "values"],
        optional: &["ttl", "ifEquals"],
        reads: false,
    },
    OperationEntry {
        name: "lookup",
        title: "Look records up",
        required: &["name", "type"],
        optional: &[],
        reads: true,
    },
];

/// Of `with`.
pub(super) fn with() -> Value {
    let names: Vec<&str> = OPERATIONS.iter().map(|operation| operation.name).collect();
    let rule =
        |one: &OperationEntry| operation_rule(one.name, &["connection", "operation"], one.required, one.optional);
    let rules: Vec<Value> = OPERATIONS.iter().map(rule).collect();
    let value = json!({"type": "string", "minLength": 1, "maxLength": 4000, "title": "Value"});
    let values = json!({"type": "array", "items": value, "maxItems": 100, "uniqueItems": true});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["connection", "operation"],
        "additionalProperties": false,
        "properties": {
            "connection": {"type": "string", "minLength": 1, "title": "Connection of kind dns"},
            "operation": {"enum": names},
            "name": {"type": "string", "minLength": 1, "maxLength": 254, "title": "Name", "examples": ["www.example.com"]},
            "type": {"enum": TYPES, "title": "Type"},
            "value": value,
            "values": values,
            "ttl": {"type": "integer", "minimum": 0, "maximum": 604_800, "default": 3600, "title": "Lifetime in seconds"},
            "ifEquals": {
                "type": "array", "items": value, "maxItems": 100, "uniqueItems": true,
                "title": "Only while these are the values",
                "description": "An empty list: only while there is none."
            }
        },
        "allOf": rules
    })
}

/// Of the output of any operation.
pub(super) fn output() -> Value {
    json!({"type": "object", "properties": properties()})
}

/// Of the output of one operation.
pub(super) fn output_of(operation: &OperationEntry) -> Value {
    let required = if operation.reads { ["found", "records"].as_slice() } else { &["name", "type", "zone"] };
    let all = properties();
    let properties: serde_json::Map<String, Value> =
        required.iter().filter_map(|name| Some(((*name).to_owned(), all.get(name)?.clone()))).collect();
    json!({"type": "object", "required": required, "properties": properties})
}

fn properties() -> Value {
    json!({
        "name": {"type": "string"},
        "type": {"type": "string"},
        "zone": {"type": "string", "description": "The zone that was changed."},
        "found": {"type": "boolean"},
        "records": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["value", "ttl"],
                "properties": {"value": {"type": "string"}, "ttl": {"type": "integer"}}
            }
        }
    })
}

/// Of a connection's settings.
pub(super) fn settings() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["server", "zones", "keyName", "keySecret"],
        "additionalProperties": false,
        "properties": {
            "server": {
                "type": "string", "minLength": 1, "title": "Server",
                "description": "The primary server of the zones, which takes updates by TCP."
            },
            "port": {"type": "integer", "minimum": 1, "maximum": 65535, "default": 53, "title": "Port"},
            "zones": {
                "type": "array", "minItems": 1, "maxItems": 100, "uniqueItems": true, "title": "Zones",
                "items": {"type": "string", "minLength": 1, "maxLength": 254},
                "description": "Those that workflows may change."
            },
            "keyName": {"type": "string", "minLength": 1, "maxLength": 254, "title": "Name of the TSIG key"},
            "keySecret": {
                "type": "string", "minLength": 1, "title": "Secret of the key", "writeOnly": true,
                "description": "In base64, as in the server's configuration."
            },
            "algorithm": {
                "enum": ["hmac-sha256", "hmac-sha384", "hmac-sha512"], "default": "hmac-sha256", "title": "Algorithm of the key"
            }
        }
    })
}
