//! JSON Schemas of `call: messaging` and of connections of kind `nats`.

use serde_json::{Map, Value, json};

use crate::{arguments::operation_rule, tls};

/// An operation with what it takes and gives.
pub(super) struct OperationEntry {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    required: &'static [&'static str],
    optional: &'static [&'static str],
    output: &'static [&'static str],
    pub(super) reads: bool,
}

/// All operations.
pub(super) const OPERATIONS: &[OperationEntry] = &[
    OperationEntry {
        name: "publish",
        title: "Publish a message",
        required: &["subject", "content"],
        optional: &["encoding", "contentType", "headers", "stored", "stream"],
        output: &["stored", "stream", "sequence", "duplicate"],
        reads: false,
    },
    OperationEntry {
        name: "request",
        title: "Ask a service by a message",
        required: &["subject", "content"],
        optional: &["encoding", "contentType", "headers", "for"],
        output: &["content", "encoding", "headers"],
        reads: false,
    },
    OperationEntry {
        name: "receive",
        title: "Receive messages of a stream",
        required: &["stream", "consumer"],
        optional: &["limit", "for"],
        output: &["messages"],
        reads: false,
    },
    OperationEntry {
        name: "acknowledge",
        title: "Acknowledge messages that were received",
        required: &["receipts"],
        optional: &["verdict"],
        output: &["acknowledged"],
        reads: false,
    },
];

/// A stream or a consumer.
fn name(title: &str) -> Value {
    json!({"type": "string", "pattern": "^[^\\s.*>/\\\\]{1,128}$", "title": title})
}

/// Of `with`.
pub(super) fn with() -> Value {
    let names: Vec<&str> = OPERATIONS.iter().map(|operation| operation.name).collect();
    let rule =
        |one: &OperationEntry| operation_rule(one.name, &["connection", "operation"], one.required, one.optional);
    let rules: Vec<Value> = OPERATIONS.iter().map(rule).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["connection", "operation"],
        "additionalProperties": false,
        "properties": {
            "connection": {"type": "string", "minLength": 1, "title": "Connection of kind nats"},
            "operation": {"enum": names},
            "subject": {
                "type": "string", "title": "Subject", "maxLength": 256,
                "pattern": "^[^\\s.*>]+(\\.[^\\s.*>]+)*$",
                "not": {"pattern": "^([$]|_INBOX)"},
                "description": "What it is about, in words between dots. Those of the server itself ($…, _INBOX) are not served."
            },
            "content": {"title": "Content"},
            "encoding": {
                "enum": ["json", "text", "base64"], "default": "json", "title": "How the content is written"
            },
            "contentType": {
                "type": "string", "minLength": 3, "maxLength": 200, "pattern": "^[ -~]*$", "title": "Media type"
            },
            "headers": {
                "type": "object", "title": "Headers", "maxProperties": 50,
                "propertyNames": {
                    "pattern": "^[A-Za-z0-9_-]{1,64}$",
                    "not": {"pattern": "^([Nn][Aa][Tt][Ss]-|[Cc][Oo][Nn][Tt][Ee][Nn][Tt]-[Tt][Yy][Pp][Ee]$)"}
                },
                "additionalProperties": {"type": "string", "maxLength": 1000, "pattern": "^[^\\r\\n\\u0000]*$"}
            },
            "stored": {
                "type": "boolean", "default": true, "title": "A stream has to keep it",
                "description": "False: whoever listens at that moment gets it, and nobody else."
            },
            "stream": name("Stream"),
            "consumer": name("Consumer"),
            "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 1, "title": "At most so many"},
            "for": {
                "title": "How long it is waited for", "description": "Up to PT5M; default PT5S.",
                "oneOf": [{"type": "string", "pattern": "^P"}, {"type": "object", "minProperties": 1}]
            },
            "receipts": {
                "type": "array", "minItems": 1, "maxItems": 100, "uniqueItems": true, "title": "Receipts",
                "description": "What came with the messages as receipt.",
                "items": {"type": "string", "maxLength": 600, "pattern": "^[$]JS\\.ACK(\\.[^\\s.*>]+)+$"}
            },
            "verdict": {
                "title": "What became of them",
                "default": "done",
                "oneOf": [
                    {"const": "done", "title": "Done"},
                    {"const": "again", "title": "To come again"},
                    {"const": "never", "title": "Nobody can do anything with them"}
                ]
            }
        },
        "allOf": rules
    })
}

/// Of the output of any operation.
pub(super) fn output() -> Value {
    json!({"type": "object", "properties": output_properties()})
}

/// Of the output of one operation.
pub(super) fn output_of(operation: &OperationEntry) -> Value {
    let all = output_properties();
    let properties: Map<String, Value> =
        operation.output.iter().filter_map(|name| Some(((*name).to_owned(), all.get(name)?.clone()))).collect();
    json!({"type": "object", "required": operation.output, "properties": properties})
}

fn output_properties() -> Value {
    let headers = json!({
        "type": "object", "additionalProperties": {"type": "string"},
        "description": "Names in small letters; of several of one name the first."
    });
    let content = json!({"description": "Data where it is JSON, else text, else base64."});
    let encoding = json!({"enum": ["json", "text", "base64"], "description": "Which of them."});
    json!({
        "stored": {"type": "boolean", "description": "Whether a stream keeps it."},
        "stream": {"type": ["string", "null"]},
        "sequence": {"type": ["integer", "null"], "description": "Its number in the stream."},
        "duplicate": {"type": "boolean", "description": "Whether the stream had it already, from an earlier attempt."},
        "content": content,
        "encoding": encoding,
        "headers": headers,
        "messages": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["subject", "content", "encoding", "headers", "sequence", "deliveries", "receipt"],
                "properties": {
                    "subject": {"type": "string"},
                    "content": content,
                    "encoding": encoding,
                    "headers": headers,
                    "sequence": {"type": ["integer", "null"], "description": "Its number in the stream."},
                    "deliveries": {"type": ["integer", "null"], "description": "How often it has come, this time included."},
                    "receipt": {"type": "string", "description": "For acknowledge."}
                }
            }
        },
        "acknowledged": {"type": "integer", "minimum": 0}
    })
}

/// Of a connection's settings.
pub(super) fn settings() -> Value {
    let text = |title: &str| json!({"type": "string", "minLength": 1, "maxLength": 254, "title": title});
    tls::with_settings(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["host"],
        "additionalProperties": false,
        "properties": {
            "host": text("Host"),
            "port": {"type": "integer", "minimum": 1, "maximum": 65535, "default": 4222, "title": "Port"},
            "encryption": {
                "title": "Encryption",
                "default": "tls",
                "oneOf": [
                    {"const": "tls", "title": "TLS"},
                    {"const": "none", "title": "None: messages, and the password, can be read on the way"}
                ]
            },
            "username": text("User name"),
            "password": {"type": "string", "minLength": 1, "title": "Password", "writeOnly": true},
            "token": {
                "type": "string", "minLength": 1, "title": "Token", "writeOnly": true,
                "description": "Instead of user name and password."
            },
            "subjects": {
                "type": "array", "maxItems": 100, "uniqueItems": true, "title": "Subjects",
                "description": "If given, workflows send on these only; * stands for a word, > for the rest.",
                "items": {"type": "string", "maxLength": 256, "pattern": "^[^\\s.]+(\\.[^\\s.]+)*$"}
            },
            "inboxPrefix": {
                "type": "string", "maxLength": 100, "pattern": "^[^\\s.*>$]+(\\.[^\\s.*>]+)*$", "default": "_INBOX",
                "title": "Where answers come to",
                "description": "The subject below which the account may receive."
            }
        },
        "dependentRequired": {"password": ["username"], "username": ["password"]}
    }))
}
