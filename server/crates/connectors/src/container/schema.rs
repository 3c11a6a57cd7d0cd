//! JSON Schemas of `call: container` and of connections of kind `docker`.

use serde_json::{Map, Value, json};

use crate::{arguments::operation_rule, tls};

/// An operation with what it takes and gives.
pub(super) struct OperationEntry {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    required: &'static [&'static str],
    optional: &'static [&'static [&'static str]],
    output: &'static [&'static str],
    pub(super) reads: bool,
}

/// What a container is made of, beside its image.
pub(super) const MAKING: &[&str] = &[
    "command",
    "entrypoint",
    "environment",
    "user",
    "workingDirectory",
    "ports",
    "volumes",
    "network",
    "labels",
    "service",
    "instance",
    "restart",
    "memory",
    "cpus",
];
/// What a container shows.
const CONTAINER: &[&str] = &["id", "name", "image", "imageId", "state", "service", "instance", "labels", "ports"];
/// What only one that is looked at shows.
const LOOKED_AT: &[&str] = &["exitCode", "health", "startedAt", "restarts", "remembered"];
const WRITTEN: &[&str] = &["stdout", "stderr", "truncated"];

/// All operations.
pub(super) const OPERATIONS: &[OperationEntry] = &[
    OperationEntry {
        name: "pull",
        title: "Fetch an image",
        required: &["image"],
        optional: &[],
        output: &["image", "imageId"],
        reads: false,
    },
    OperationEntry {
        name: "run",
        title: "Start a new container",
        required: &["name"],
        optional: &[&["image", "like", "pull", "ready"], MAKING],
        output: &["container"],
        reads: false,
    },
    OperationEntry {
        name: "replace",
        title: "Replace a container by a new one",
        required: &["name"],
        optional: &[&["image", "pull", "ready", "order", "grace"], MAKING],
        output: &["container", "previous"],
        reads: false,
    },
    OperationEntry {
        name: "rollback",
        title: "Put a replaced container back",
        required: &["name"],
        optional: &[&["ready", "order", "grace"]],
        output: &["container", "previous"],
        reads: false,
    },
    OperationEntry {
        name: "exec",
        title: "Run a command in a container",
        required: &["name", "command"],
        optional: &[&["environment", "user", "workingDirectory", "expect", "maxOutput", "log", "onlyReads"]],
        output: &["exitCode", "stdout", "stderr", "truncated"],
        reads: false,
    },
    OperationEntry {
        name: "logs",
        title: "Read what a container wrote",
        required: &["name"],
        optional: &[&["lines", "maxOutput"]],
        output: WRITTEN,
        reads: true,
    },
    OperationEntry {
        name: "inspect",
        title: "Look at a container",
        required: &["name"],
        optional: &[],
        output: &["found", "container"],
        reads: true,
    },
    OperationEntry {
        name: "list",
        title: "List containers",
        required: &[],
        optional: &[&["service", "labels", "state"]],
        output: &["containers"],
        reads: true,
    },
    OperationEntry {
        name: "start",
        title: "Start a container",
        required: &["name"],
        optional: &[&["ready"]],
        output: &["changed"],
        reads: false,
    },
    OperationEntry {
        name: "stop",
        title: "Stop a container",
        required: &["name"],
        optional: &[&["grace"]],
        output: &["changed"],
        reads: false,
    },
    OperationEntry {
        name: "restart",
        title: "Restart a container",
        required: &["name"],
        optional: &[&["grace", "ready"]],
        output: &["changed"],
        reads: false,
    },
    OperationEntry {
        name: "remove",
        title: "Remove a container",
        required: &["name"],
        optional: &[&["force"]],
        output: &["removed"],
        reads: false,
    },
    OperationEntry {
        name: "prune",
        title: "Remove containers that have ended",
        required: &["labels"],
        optional: &[&["olderThan"]],
        output: &["containers", "bytes"],
        reads: false,
    },
    OperationEntry {
        name: "pruneImages",
        title: "Remove images that are not used",
        required: &["repository"],
        optional: &[&["keep"]],
        output: &["images", "bytes"],
        reads: false,
    },
];

/// Of `with`.
pub(super) fn with() -> Value {
    let names: Vec<&str> = OPERATIONS.iter().map(|operation| operation.name).collect();
    let rule = |one: &OperationEntry| {
        operation_rule(one.name, &["connection", "operation"], one.required, &one.optional.concat())
    };
    let rules: Vec<Value> = OPERATIONS.iter().map(rule).collect();
    let mut properties = json!({
        "connection": {"type": "string", "minLength": 1, "title": "Connection of kind docker"},
        "operation": {"enum": names}
    });
    if let Some(all) = properties.as_object_mut() {
        for more in [making(), handling()] {
            all.extend(more);
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["connection", "operation"],
        "additionalProperties": false,
        "properties": properties,
        "allOf": rules
    })
}

fn words(title: &str) -> Value {
    json!({
        "type": "array", "minItems": 1, "maxItems": 200, "title": title,
        "items": {"type": "string", "maxLength": 32_768, "pattern": "^[^\\u0000]*$"}
    })
}

fn image() -> Value {
    json!({
        "type": "string", "maxLength": 512, "title": "Image",
        "pattern": "^[A-Za-z0-9][A-Za-z0-9._/:-]*(@sha256:[0-9a-f]{64})?$"
    })
}

fn labels() -> Value {
    json!({
        "type": "object", "maxProperties": 50, "title": "Labels",
        "propertyNames": {"pattern": "^[A-Za-z0-9][A-Za-z0-9_./-]{0,127}$"},
        "additionalProperties": {"type": "string", "maxLength": 1024}
    })
}

/// What a container is made of.
fn making() -> Map<String, Value> {
    let made = json!({
        "name": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", "title": "Container"},
        "image": image(),
        "like": {
            "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", "title": "As this container was made",
            "description": "One that was made by this connector. What else is given goes before what that has."
        },
        "command": words("Command, word by word"),
        "entrypoint": words("Entry point, word by word"),
        "environment": {
            "type": "object", "maxProperties": 200, "title": "Environment",
            "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]{0,127}$"},
            "additionalProperties": {"type": "string", "maxLength": 32_768, "pattern": "^[^\\u0000]*$"}
        },
        "user": {"type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,64}$", "title": "User"},
        "workingDirectory": {"type": "string", "pattern": "^/", "maxLength": 1024, "title": "Working directory"},
        "ports": {
            "type": "array", "maxItems": 50, "title": "Published ports",
            "items": {
                "type": "object", "required": ["container"], "additionalProperties": false,
                "properties": {
                    "container": {"type": "integer", "minimum": 1, "maximum": 65535, "title": "Port in the container"},
                    "host": {
                        "type": "integer", "minimum": 1, "maximum": 65535, "title": "Port of the host",
                        "description": "Of the first instance; the second has the next, and so on. Without it one is chosen."
                    },
                    "address": {"type": "string", "pattern": "^[0-9a-fA-F.:]+$", "title": "Address of the host"},
                    "protocol": {"enum": ["tcp", "udp"], "default": "tcp", "title": "Protocol"}
                }
            }
        },
        "volumes": {
            "type": "array", "maxItems": 50, "title": "Volumes",
            "items": {
                "type": "object", "required": ["volume", "path"], "additionalProperties": false,
                "properties": {
                    "volume": {
                        "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$", "title": "Name of the volume"
                    },
                    "path": {"type": "string", "pattern": "^/[^:]*$", "maxLength": 1024, "title": "Place in the container"},
                    "readOnly": {"type": "boolean", "default": false, "title": "Only to be read"}
                }
            }
        },
        "network": {
            "type": "string", "title": "Network", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$",
            "not": {"enum": ["host"]}, "description": "One that is there."
        },
        "labels": labels(),
        "service": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,57}$", "title": "Service"},
        "instance": {"type": "integer", "minimum": 1, "maximum": 1000, "title": "Number of the instance"},
        "restart": {"enum": ["no", "on-failure", "always", "unless-stopped"], "title": "When it is started again"},
        "memory": {"type": "integer", "minimum": 6, "maximum": 4_194_304, "title": "Memory in MiB, at most"},
        "cpus": {"type": "number", "exclusiveMinimum": 0, "maximum": 1024, "title": "Processors, at most"}
    });
    made.as_object().cloned().unwrap_or_default()
}

/// What is done with it.
fn handling() -> Map<String, Value> {
    let handled = json!({
        "pull": {
            "enum": ["missing", "always", "never"], "default": "missing", "title": "When the image is fetched"
        },
        "ready": ready(),
        "order": {
            "enum": ["stop-first", "start-first"], "default": "stop-first", "title": "Order",
            "description": "start-first lets both run side by side, which takes ports that do not clash."
        },
        "grace": {"type": "integer", "minimum": 0, "maximum": 120, "default": 10, "title": "Seconds to end by itself"},
        "expect": {
            "type": "array", "minItems": 1, "maxItems": 20, "title": "Exit codes that mean success",
            "items": {"type": "integer", "minimum": 0, "maximum": 255}, "default": [0]
        },
        "maxOutput": {
            "type": "integer", "minimum": 0, "maximum": 1_048_576, "default": 262_144,
            "title": "Bytes kept of each output"
        },
        "log": {"type": "boolean", "default": true, "title": "Output to the task's log"},
        "onlyReads": {"type": "boolean", "default": false, "title": "The command changes nothing"},
        "lines": {"type": "integer", "minimum": 1, "maximum": 5000, "default": 100, "title": "Last lines"},
        "state": {"enum": ["running", "stopped", "any"], "default": "any", "title": "State"},
        "force": {"type": "boolean", "default": false, "title": "Also if it runs"},
        "olderThan": {"type": "string", "pattern": "^P", "title": "Ended and made longer ago than"},
        "repository": {
            "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._/:-]*$", "maxLength": 512,
            "title": "Images without their tags"
        },
        "keep": {"type": "integer", "minimum": 0, "maximum": 1000, "default": 3, "title": "Newest that stay"}
    });
    handled.as_object().cloned().unwrap_or_default()
}

fn ready() -> Value {
    let port = json!({"type": "integer", "minimum": 1, "maximum": 65535, "title": "Port in the container"});
    json!({
        "type": "object", "title": "When it is ready", "additionalProperties": false, "maxProperties": 2,
        "description": "Without it: as its image's own check says, or while it keeps running for two seconds.",
        "properties": {
            "for": {"type": "string", "pattern": "^P", "default": "PT1M", "title": "It has so long"},
            "tcp": port,
            "http": {
                "type": "object", "required": ["port"], "additionalProperties": false,
                "properties": {
                    "port": port,
                    "path": {"type": "string", "pattern": "^/", "maxLength": 2000, "default": "/", "title": "Path"},
                    "status": {"type": "integer", "minimum": 100, "maximum": 599, "default": 200, "title": "Status"}
                }
            },
            "command": words("Command in it that succeeds")
        }
    })
}

/// Of the output of any operation.
pub(super) fn output() -> Value {
    json!({"type": "object", "properties": outputs()})
}

/// Of the output of one operation.
pub(super) fn output_of(operation: &OperationEntry) -> Value {
    let all = outputs();
    let properties: Map<String, Value> =
        operation.output.iter().filter_map(|name| Some(((*name).to_owned(), all.get(*name)?.clone()))).collect();
    json!({"type": "object", "required": operation.output, "properties": properties})
}

fn outputs() -> Map<String, Value> {
    let text = json!({"type": "string"});
    let or_null = |kind: &str| json!({"type": [kind, "null"]});
    let shown = json!({
        "id": text, "name": text, "image": text, "imageId": text,
        "state": {"type": "string", "description": "As the engine calls it: running, exited, created …"},
        "service": or_null("string"), "instance": or_null("integer"),
        "labels": {"type": "object"},
        "ports": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "container": {"type": "integer"}, "protocol": text, "host": {"type": "integer"}, "address": text
                }
            }
        },
        "exitCode": or_null("integer"), "health": or_null("string"), "startedAt": or_null("string"),
        "restarts": {"type": "integer", "description": "How often the engine has started it again by itself."},
        "remembered": {"type": "boolean", "description": "Whether it can be replaced without saying how it is made."}
    });
    let pick = |names: &[&[&str]]| -> Map<String, Value> {
        let names = names.iter().copied().flatten();
        names.filter_map(|name| Some(((*name).to_owned(), shown.get(*name)?.clone()))).collect()
    };
    let required: Vec<&&str> = CONTAINER.iter().chain(LOOKED_AT).collect();
    let container =
        json!({"type": ["object", "null"], "required": required, "properties": pick(&[CONTAINER, LOOKED_AT])});
    let listed = json!({"type": "object", "required": CONTAINER, "properties": pick(&[CONTAINER])});
    let outputs = json!({
        "container": container,
        "containers": {"type": "array", "items": listed},
        "previous": {
            "type": ["object", "null"], "required": ["id", "image", "imageId"],
            "properties": {"id": text, "image": text, "imageId": text},
            "description": "What was replaced; null if there was none."
        },
        "found": {"type": "boolean"},
        "changed": {"type": "boolean", "description": "False when it was so already."},
        "removed": {"type": "boolean", "description": "False when there was none."},
        "image": text, "imageId": text,
        "images": {"type": "array", "items": text, "description": "Those that were removed."},
        "bytes": {"type": "integer", "description": "That came free."},
        "exitCode": {"type": "integer"},
        "stdout": text, "stderr": text,
        "truncated": {"type": "boolean", "description": "Whether more was written than is kept."}
    });
    outputs.as_object().cloned().unwrap_or_default()
}

/// Of a connection's settings.
pub(super) fn settings() -> Value {
    tls::with_settings(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["address"],
        "additionalProperties": false,
        "properties": {
            "address": {
                "type": "string", "pattern": "^(https?://[^/?#@]+/?|unix:///.+)$", "maxLength": 500, "title": "Address",
                "description": "https://host:2376 with a client certificate; http:// on the server's own machine only; unix:///… if the server's configuration permits the socket."
            },
            "registry": {
                "type": "string", "pattern": "^[A-Za-z0-9.-]+(:[0-9]+)?$", "title": "Registry",
                "description": "Whose images are fetched with the account, such as registry.example.com."
            },
            "registryUser": {"type": "string", "minLength": 1, "maxLength": 200, "title": "Account at the registry"},
            "registryPassword": {
                "type": "string", "minLength": 1, "title": "Password or token of the account", "writeOnly": true
            }
        },
        "dependentRequired": {"registryPassword": ["registry", "registryUser"], "registryUser": ["registry"]}
    }))
}
