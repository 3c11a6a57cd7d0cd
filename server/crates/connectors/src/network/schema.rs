//! JSON Schemas of `call: network` and of its kinds of connection.

use serde_json::{Map, Value, json};

use crate::{arguments, ssh, tls};

/// An operation with what it takes and gives.
pub(super) struct OperationEntry {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    required: &'static [&'static str],
    optional: &'static [&'static str],
    gives: &'static [&'static str],
    also: &'static [&'static str],
    pub(super) reads: bool,
}

const CHANGE: &[&str] = &["config", "defaultOperation", "base", "path", "method", "data"];

/// All operations.
pub(super) const OPERATIONS: &[OperationEntry] = &[
    OperationEntry {
        name: "getConfig",
        title: "Read the configuration",
        required: &[],
        optional: &["source", "filter", "path"],
        gives: &["config", "backup", "digest"],
        also: &["data", "etag"],
        reads: true,
    },
    OperationEntry {
        name: "read",
        title: "Read the state",
        required: &[],
        optional: &["commands", "json", "filter", "path"],
        gives: &[],
        also: &["outputs", "data", "etag"],
        reads: true,
    },
    OperationEntry {
        name: "neighbours",
        title: "Look at the neighbours of BGP",
        required: &[],
        optional: &[],
        gives: &["neighbours"],
        also: &[],
        reads: true,
    },
    OperationEntry {
        name: "plan",
        title: "Say what a change would change",
        required: &[],
        optional: CHANGE,
        gives: &["changed", "diff"],
        also: &[],
        reads: true,
    },
    OperationEntry {
        name: "change",
        title: "Change the configuration",
        required: &[],
        optional: &["config", "defaultOperation", "base", "confirmWithin", "path", "method", "data", "ifMatch"],
        gives: &["changed", "diff", "pending"],
        also: &["etag"],
        reads: false,
    },
    OperationEntry {
        name: "confirm",
        title: "Keep a change",
        required: &[],
        optional: &["pending"],
        gives: &["confirmed"],
        also: &[],
        reads: false,
    },
    OperationEntry {
        name: "rollback",
        title: "Take a change back",
        required: &[],
        optional: &["pending", "backup", "path"],
        gives: &["rolledBack", "by"],
        also: &[],
        reads: false,
    },
    OperationEntry {
        name: "command",
        title: "Run commands",
        required: &["commands"],
        optional: &["json", "onlyReads"],
        gives: &["outputs"],
        also: &[],
        reads: false,
    },
];

/// Of `with`.
pub(super) fn with() -> Value {
    let names: Vec<&str> = OPERATIONS.iter().map(|operation| operation.name).collect();
    let rules: Vec<Value> = OPERATIONS
        .iter()
        .map(|operation| {
            let always = ["connection", "operation", "host"];
            arguments::operation_rule(operation.name, &always, operation.required, operation.optional)
        })
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["connection", "operation"],
        "additionalProperties": false,
        "properties": properties_of_with(&names),
        "allOf": rules
    })
}

fn properties_of_with(operations: &[&str]) -> Value {
    json!({
        "connection": {
            "type": "string", "minLength": 1, "title": "Connection of kind netconf, device or restconf"
        },
        "operation": {"enum": operations},
        "host": {
            "type": "string", "minLength": 1, "title": "Device",
            "description": "One of the hosts of the connection. Default: its own."
        },
        "source": {"enum": ["running", "candidate", "startup"], "default": "running", "title": "Which configuration"},
        "filter": {
            "type": "string", "minLength": 1, "maxLength": 100_000, "title": "Subtree (NETCONF)",
            "description": "XML of the elements that are wanted."
        },
        "path": {
            "type": "string", "minLength": 1, "maxLength": 2_000, "title": "Data resource (RESTCONF)",
            "description": "Such as ietf-interfaces:interfaces/interface=ge0."
        },
        "commands": {
            "type": "array", "minItems": 1, "maxItems": 200, "title": "Commands",
            "description": "One after the other; the first that is refused is the last.",
            "items": {"type": "string", "minLength": 1, "maxLength": 450}
        },
        "json": {"type": "boolean", "default": false, "title": "What the commands show is JSON"},
        "onlyReads": {
            "type": "boolean", "default": false, "title": "The commands change nothing",
            "description": "So they may be repeated."
        },
        "config": {
            "type": "string", "minLength": 1, "maxLength": 1_000_000, "title": "Change",
            "description": "NETCONF: XML as it stands inside config. Command line: commands of the configuration, \
                            indented as the device shows them."
        },
        "defaultOperation": {
            "enum": ["merge", "replace", "none"], "default": "merge", "title": "What becomes of the rest (NETCONF)"
        },
        "base": {
            "type": "string", "pattern": "^[0-9a-f]{64}$", "title": "Digest of the configuration that is changed",
            "description": "Nothing is changed if it is another one by now."
        },
        "confirmWithin": {
            "title": "Time for the confirmation", "type": ["string", "object"],
            "description": "PT2M, for instance: a device that speaks NETCONF takes the change back afterwards."
        },
        "method": {"enum": ["patch", "put", "delete"], "default": "patch", "title": "How (RESTCONF)"},
        "data": {"type": ["object", "array"], "title": "What it is to be (RESTCONF)"},
        "ifMatch": {
            "type": "string", "minLength": 1, "maxLength": 200, "title": "ETag that it must have (RESTCONF)"
        },
        "pending": {"type": ["object", "null"], "title": "What a change gave as pending"},
        "backup": {"type": "string", "minLength": 1, "title": "What getConfig gave as backup"}
    })
}

/// Of the output of any operation.
pub(super) fn output() -> Value {
    json!({"type": "object", "properties": properties()})
}

/// Of the output of one operation.
pub(super) fn output_of(operation: &OperationEntry) -> Value {
    let all = properties();
    let properties: Map<String, Value> = operation
        .gives
        .iter()
        .chain(operation.also)
        .filter_map(|name| Some(((*name).to_owned(), all.get(name)?.clone())))
        .collect();
    json!({"type": "object", "required": operation.gives, "properties": properties})
}

fn properties() -> Value {
    json!({
        "config": {"type": "string", "description": "The configuration, without secrets."},
        "backup": {"type": "string", "description": "The whole configuration, sealed: for rollback only."},
        "digest": {"type": "string", "description": "Says whether it is still the same configuration."},
        "data": {"description": "What the device says, without secrets."},
        "etag": {"type": ["string", "null"]},
        "outputs": {
            "type": "array",
            "items": {
                "type": "object", "required": ["command"],
                "properties": {
                    "command": {"type": "string"},
                    "output": {"type": "string"},
                    "truncated": {"type": "boolean", "description": "Whether it showed more than was kept."},
                    "value": {"description": "With json."}
                }
            }
        },
        "neighbours": {
            "type": "array",
            "items": {
                "type": "object", "required": ["address", "established"],
                "properties": {
                    "address": {"type": "string"},
                    "as": {"type": ["integer", "null"]},
                    "state": {"type": "string"},
                    "established": {"type": "boolean"},
                    "prefixes": {"type": ["integer", "null"]}
                }
            }
        },
        "changed": {"type": "boolean", "description": "False when it was so already."},
        "diff": {
            "type": ["string", "null"],
            "description": "Lines that come and go, without secrets; null where the answer of the change was lost."
        },
        "pending": {
            "type": ["object", "null"], "required": ["digest"],
            "properties": {
                "id": {"type": ["string", "null"]},
                "digest": {"type": "string"},
                "until": {"type": ["string", "null"], "description": "When the device takes it back."}
            }
        },
        "confirmed": {"type": "boolean"},
        "rolledBack": {"type": "boolean"},
        "by": {
            "enum": ["cancel", "device", "backup"],
            "description": "Cancelled; taken back by the device before; or by the backup."
        }
    })
}

/// Of a connection by SSH, as kind `ssh` has them.
fn over_ssh(usual_port: u16, more: Value) -> Value {
    let mut settings = ssh::schema::settings();
    if let Some(Value::Object(properties)) = settings.get_mut("properties") {
        properties.shift_remove("markers");
        if let Some(port) = properties.get_mut("port") {
            *port = port_of(usual_port);
        }
        if let Value::Object(more) = more {
            properties.extend(more);
        }
    }
    settings
}

fn port_of(usual: u16) -> Value {
    let description = format!("Default: {usual}.");
    json!({"type": "integer", "minimum": 1, "maximum": 65535, "title": "Port", "description": description})
}

/// Of a connection of kind `netconf`.
pub(super) fn netconf_settings() -> Value {
    over_ssh(
        830,
        json!({
            "validate": {
                "type": "boolean", "default": true, "title": "Validate before the commit",
                "description": "Off for devices that lose a change by it."
            }
        }),
    )
}

/// Of a connection of kind `device`.
pub(super) fn device_settings() -> Value {
    over_ssh(
        22,
        json!({
            "platform": {
                "title": "Platform", "default": "generic",
                "oneOf": [
                    {"const": "ios", "title": "Cisco IOS, and what is used like it"},
                    {"const": "frr", "title": "FRRouting (vtysh)"},
                    {"const": "generic", "title": "Another one: only commands"}
                ]
            },
            "enableSecret": {
                "type": "string", "minLength": 1, "title": "Secret of enable", "writeOnly": true,
                "description": "Where the account must type enable before it may change anything."
            }
        }),
    )
}

/// Of a connection of kind `restconf`.
pub(super) fn restconf_settings() -> Value {
    tls::with_settings(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["baseUrl"],
        "additionalProperties": false,
        "properties": {
            "baseUrl": {
                "type": "string", "format": "uri", "pattern": "^https?://[^?#]*$", "title": "Address",
                "description": "Of RESTCONF on the device, such as https://r1.example.com/restconf."
            },
            "username": {"type": "string", "minLength": 1, "maxLength": 200, "title": "User name"},
            "password": {"type": "string", "minLength": 1, "title": "Password", "writeOnly": true},
            "token": {"type": "string", "minLength": 1, "title": "Token", "writeOnly": true}
        },
        "dependentRequired": {"password": ["username"]}
    }))
}
