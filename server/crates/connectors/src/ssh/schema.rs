//! JSON Schemas of `call: ssh` and of its kind of connection.

use serde_json::{Map, Value, json};

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
        name: "run",
        title: "Run a command",
        required: &["command"],
        optional: &["arguments", "stdin", "environment", "expect", "maxOutput", "log", "onlyReads", "once"],
        reads: false,
    },
    OperationEntry {
        name: "upload",
        title: "Write a file",
        required: &["path", "content"],
        optional: &["encoding", "mode"],
        reads: false,
    },
    OperationEntry {
        name: "download",
        title: "Read a file",
        required: &["path"],
        optional: &["encoding", "maxBytes"],
        reads: true,
    },
    OperationEntry { name: "stat", title: "Look at a file", required: &["path"], optional: &[], reads: true },
    OperationEntry { name: "remove", title: "Remove a file", required: &["path"], optional: &[], reads: false },
];

/// Of `with`.
pub(super) fn with() -> Value {
    let names: Vec<&str> = OPERATIONS.iter().map(|operation| operation.name).collect();
    let rule = |one: &OperationEntry| {
        operation_rule(one.name, &["connection", "operation", "host"], one.required, one.optional)
    };
    let rules: Vec<Value> = OPERATIONS.iter().map(rule).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["connection", "operation"],
        "additionalProperties": false,
        "properties": {
            "connection": {"type": "string", "minLength": 1, "title": "Connection of kind ssh"},
            "operation": {"enum": names},
            "host": {
                "type": "string", "minLength": 1, "title": "Host",
                "description": "One of the hosts of the connection. Default: its own."
            },
            "command": {
                "type": "string", "minLength": 1, "maxLength": 100_000, "title": "Command",
                "description": "For the shell of the account. What comes from elsewhere belongs into arguments."
            },
            "arguments": {
                "type": "array", "maxItems": 1_000, "title": "Arguments",
                "description": "Appended to the command, each quoted as one word.",
                "items": {"type": "string", "maxLength": 100_000}
            },
            "stdin": {"type": "string", "maxLength": 1_000_000, "title": "Input of the command"},
            "environment": {
                "type": "object", "title": "Environment",
                "description": "Only variables that the server takes (AcceptEnv).",
                "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
                "additionalProperties": {"type": "string", "maxLength": 10_000}
            },
            "expect": {
                "type": "array", "minItems": 1, "title": "Exit codes that mean success",
                "items": {"type": "integer", "minimum": 0, "maximum": 255}, "default": [0]
            },
            "maxOutput": {
                "type": "integer", "minimum": 0, "maximum": 1_048_576, "default": 262_144,
                "title": "Bytes that are kept of stdout, and of stderr"
            },
            "log": {"type": "boolean", "default": true, "title": "Lines go to the task's log"},
            "onlyReads": {
                "type": "boolean", "default": false, "title": "The command changes nothing",
                "description": "So it may be repeated."
            },
            "once": {
                "type": "boolean", "default": false, "title": "Remember on the host that it ran",
                "description": "After a lost connection the host is asked what became of the command, which is not run again."
            },
            "path": {"type": "string", "minLength": 1, "maxLength": 4_096, "title": "Path"},
            "content": {"type": "string", "maxLength": 8_388_608, "title": "Content"},
            "encoding": {"enum": ["text", "base64"], "default": "text", "title": "What content is"},
            "mode": {"type": "string", "pattern": "^0?[0-7]{3}$", "default": "0644", "title": "Permissions"},
            "maxBytes": {
                "type": "integer", "minimum": 1, "maximum": 8_388_608, "default": 1_048_576,
                "title": "Bytes that the file may have"
            }
        },
        "allOf": rules
    })
}

/// Of the output of any operation.
pub(super) fn output() -> Value {
    let mut all = Map::new();
    for operation in OPERATIONS {
        if let Some(Value::Object(properties)) = output_of(operation.name).get("properties") {
            all.extend(properties.clone());
        }
    }
    json!({"type": "object", "properties": all})
}

/// Of the output of one operation.
pub(super) fn output_of(operation: &str) -> Value {
    let (required, properties) = match operation {
        "run" => (
            json!(["exitCode", "stdout", "stderr", "truncated"]),
            json!({
                "exitCode": {"type": "integer"},
                "stdout": {"type": "string"},
                "stderr": {"type": "string"},
                "truncated": {"type": "boolean", "description": "Whether there was more output than was kept."}
            }),
        ),
        "upload" => {
            (json!(["path", "bytes"]), json!({"path": {"type": "string"}, "bytes": {"type": "integer", "minimum": 0}}))
        }
        "download" => (
            json!(["content", "bytes"]),
            json!({"content": {"type": "string"}, "bytes": {"type": "integer", "minimum": 0}}),
        ),
        "remove" => {
            (json!(["removed"]), json!({"removed": {"type": "boolean", "description": "False when there was none."}}))
        }
        _ => (
            json!(["exists"]),
            json!({
                "exists": {"type": "boolean"},
                "type": {"enum": ["file", "directory", "other"]},
                "size": {"type": "integer", "minimum": 0},
                "mode": {"type": "string", "description": "Permissions, such as 0644."},
                "modified": {"type": "integer", "description": "Seconds since 1970."}
            }),
        ),
    };
    json!({"type": "object", "required": required, "properties": properties})
}

fn host_keys(title: &str) -> Value {
    json!({
        "type": "array", "minItems": 1, "maxItems": 10, "title": title,
        "description": "SHA256:…, or lines such as “ssh-ed25519 AAAA…”. The test shows the key of an unknown host.",
        "items": {"type": "string", "minLength": 10}
    })
}

/// Of a connection of kind `ssh`.
pub(super) fn settings() -> Value {
    let port =
        json!({"type": "integer", "minimum": 1, "maximum": 65535, "title": "Port", "description": "Default: 22."});
    let text = |title: &str| json!({"type": "string", "minLength": 1, "title": title});
    let secret = |title: &str| json!({"type": "string", "minLength": 1, "title": title, "writeOnly": true});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["host", "hostKeys", "user"],
        "additionalProperties": false,
        "properties": {
            "host": text("Host"),
            "port": port,
            "hostKeys": host_keys("Keys of the host"),
            "user": text("User"),
            "password": secret("Password"),
            "privateKey": secret("Private key"),
            "passphrase": secret("Passphrase of the private key"),
            "hosts": {
                "type": "array", "maxItems": 500, "title": "More hosts",
                "description": "Each: NAME [ADDRESS[:PORT]] KEY. Calls choose one by its name; the user is the same.",
                "items": {"type": "string", "minLength": 10}
            },
            "jumpHost": text("Jump host"),
            "jumpPort": port,
            "jumpHostKeys": host_keys("Keys of the jump host"),
            "jumpUser": text("User on the jump host"),
            "jumpPassword": secret("Password on the jump host"),
            "jumpPrivateKey": secret("Private key for the jump host"),
            "jumpPassphrase": secret("Passphrase of the private key for the jump host"),
            "markers": {
                "type": "string", "pattern": "^[^\\s~]", "title": "Folder of markers",
                "description": "Where the host remembers calls with `once`. Default: .rondo/calls in the user's home."
            }
        },
        "dependentRequired": {
            "jumpHost": ["jumpUser", "jumpHostKeys"],
            "jumpUser": ["jumpHost"],
            "jumpHostKeys": ["jumpHost"],
            "passphrase": ["privateKey"],
            "jumpPassphrase": ["jumpPrivateKey"]
        }
    })
}
