//! JSON Schemas of `call: kubernetes` and of connections of that kind.

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

const fn entry(
    name: &'static str,
    title: &'static str,
    required: &'static [&'static str],
    optional: &'static [&'static str],
    output: &'static [&'static str],
    reads: bool,
) -> OperationEntry {
    OperationEntry { name, title, required, optional, output, reads }
}

/// All operations.
pub(super) const OPERATIONS: &[OperationEntry] = &[
    entry("apply", "Apply manifests", &["manifests"], &["namespace", "force"], &["applied"], false),
    entry("get", "Read an object", &["apiVersion", "kind", "name"], &["namespace"], &["found", "object"], true),
    entry("delete", "Delete an object", &["apiVersion", "kind", "name"], &["namespace"], &["deleted"], false),
    entry("scale", "Scale a workload", &["kind", "name", "replicas"], &["namespace"], &["before", "replicas"], false),
    entry("restart", "Restart a workload", &["kind", "name"], &["namespace"], &["restarted"], false),
    entry(
        "rolloutStatus",
        "Wait for a rollout",
        &["kind", "name"],
        &["namespace", "for"],
        &["replicas", "ready"],
        true,
    ),
    entry("logs", "Read what pods wrote", &["selector"], &["namespace", "container", "lines"], &["logs"], true),
    entry("runJob", "Run a job to its end", &["manifest"], &["namespace", "for", "lines"], &["job", "logs"], false),
    entry("drain", "Drain a node", &["node"], &["for"], &["evicted"], false),
    entry("uncordon", "Let a node take pods again", &["node"], &[], &["changed"], false),
];

/// Of `with`.
pub(super) fn with() -> Value {
    let names: Vec<&str> = OPERATIONS.iter().map(|operation| operation.name).collect();
    let rules: Vec<Value> = OPERATIONS.iter().map(rule).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["connection", "operation"],
        "additionalProperties": false,
        "properties": properties(&names),
        "allOf": rules
    })
}

fn rule(one: &OperationEntry) -> Value {
    let mut rule = operation_rule(one.name, &["connection", "operation"], one.required, one.optional);
    let kinds: &[&str] = match one.name {
        "scale" => &["Deployment", "StatefulSet"],
        "restart" | "rolloutStatus" => &WORKLOADS,
        _ => return rule,
    };
    if let Some(then) = rule.get_mut("then").and_then(Value::as_object_mut) {
        then.insert("properties".to_owned(), json!({"kind": {"enum": kinds}}));
    }
    rule
}

/// What has pods that are made anew when its template changes.
const WORKLOADS: [&str; 3] = ["Deployment", "StatefulSet", "DaemonSet"];

fn properties(operations: &[&str]) -> Value {
    let name = "^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$";
    let manifest = json!({
        "type": "object", "title": "Manifest", "required": ["apiVersion", "kind", "metadata"],
        "properties": {
            "apiVersion": {"type": "string", "pattern": "^[a-z0-9./-]{1,253}$"},
            "kind": {"type": "string", "pattern": "^[A-Za-z0-9]{1,63}$"},
            "metadata": {
                "type": "object", "required": ["name"],
                "properties": {"name": {"type": "string", "pattern": name}, "namespace": {"type": "string", "pattern": name}}
            }
        }
    });
    json!({
        "connection": {"type": "string", "minLength": 1, "title": "Connection of kind kubernetes"},
        "operation": {"enum": operations},
        "namespace": {"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", "title": "Namespace there"},
        "manifests": {"type": "array", "minItems": 1, "maxItems": 50, "items": manifest, "title": "Manifests"},
        "manifest": manifest,
        "force": {
            "type": "boolean", "default": false, "title": "Also what others manage",
            "description": "Takes over fields that another manager has set."
        },
        "apiVersion": {"type": "string", "pattern": "^[a-z0-9./-]{1,253}$", "title": "Version of the API"},
        "kind": {"type": "string", "pattern": "^[A-Za-z0-9]{1,63}$", "title": "Kind"},
        "name": {"type": "string", "pattern": name, "title": "Name"},
        "replicas": {"type": "integer", "minimum": 0, "maximum": 10_000, "title": "Replicas"},
        "for": {"type": "string", "pattern": "^P", "default": "PT4M", "title": "It has so long"},
        "selector": {
            "type": "object", "minProperties": 1, "maxProperties": 20, "title": "Labels of the pods",
            "propertyNames": {"pattern": "^[A-Za-z0-9][A-Za-z0-9_./-]{0,252}$"},
            "additionalProperties": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{0,63}$"}
        },
        "container": {"type": "string", "pattern": name, "title": "Container"},
        "lines": {"type": "integer", "minimum": 1, "maximum": 5000, "default": 100, "title": "Last lines of each pod"},
        "node": {"type": "string", "pattern": name, "title": "Node"}
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
    let outputs = json!({
        "applied": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "apiVersion": text, "kind": text, "namespace": {"type": ["string", "null"]}, "name": text,
                    "created": {"type": "boolean"}
                }
            }
        },
        "found": {"type": "boolean"},
        "object": {"type": ["object", "null"], "description": "As it is there; without what secrets hold."},
        "deleted": {"type": "boolean", "description": "False when there was none."},
        "before": {"type": "integer"},
        "replicas": {"type": "integer"},
        "ready": {"type": "integer"},
        "restarted": {"type": "boolean"},
        "changed": {"type": "boolean", "description": "False when it was so already."},
        "job": text,
        "logs": {
            "type": "array",
            "items": {"type": "object", "required": ["pod", "log"], "properties": {"pod": text, "log": text}}
        },
        "evicted": {"type": "array", "items": text, "description": "Pods, as namespace/name."}
    });
    outputs.as_object().cloned().unwrap_or_default()
}

/// Of a connection's settings.
pub(super) fn settings() -> Value {
    tls::with_settings(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["server"],
        "additionalProperties": false,
        "properties": {
            "server": {
                "type": "string", "format": "uri", "pattern": "^https?://[^?#@]+$", "title": "Address of the API server",
                "description": "Such as https://cluster.example.com:6443."
            },
            "token": {
                "type": "string", "minLength": 1, "title": "Token", "writeOnly": true,
                "description": "Of a service account; or a client certificate instead."
            },
            "namespace": {
                "type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", "default": "default",
                "title": "Namespace", "description": "Of what names none."
            }
        }
    }))
}
