//! JSON Schemas of `call: ticket` and of connections of kind `ticket`.

use serde_json::{Value, json};

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

/// What a ticket has.
const TICKET: &[&str] = &["id", "reference", "title", "status", "link"];

/// All operations.
pub(super) const OPERATIONS: &[OperationEntry] = &[
    OperationEntry {
        name: "create",
        title: "Make a ticket",
        required: &["title"],
        optional: &["description", "fields"],
        output: TICKET,
        reads: false,
    },
    OperationEntry {
        name: "update",
        title: "Change a ticket",
        required: &["id"],
        optional: &["title", "description", "fields"],
        output: &["changed"],
        reads: false,
    },
    OperationEntry {
        name: "comment",
        title: "Comment on a ticket",
        required: &["id", "text"],
        optional: &["internal"],
        output: &["added"],
        reads: false,
    },
    OperationEntry {
        name: "transition",
        title: "Bring a ticket to a status",
        required: &["id", "to"],
        optional: &[],
        output: &["changed"],
        reads: false,
    },
    OperationEntry {
        name: "lookup",
        title: "Look for a ticket",
        required: &["id"],
        optional: &[],
        output: &["found", "ticket"],
        reads: true,
    },
];

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
            "connection": {"type": "string", "minLength": 1, "title": "Connection of kind ticket"},
            "operation": {"enum": names},
            "id": {
                "type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$", "title": "Ticket",
                "description": "The key of an issue, the number or id of a record, the id of a ticket."
            },
            "title": {"type": "string", "minLength": 1, "maxLength": 250, "pattern": "^[^\\r\\n]*$", "title": "Title"},
            "description": {"type": "string", "maxLength": 30_000, "title": "Description"},
            "fields": {
                "type": "object", "title": "Other fields", "maxProperties": 100,
                "description": "As the service calls and writes them."
            },
            "text": {"type": "string", "minLength": 1, "maxLength": 30_000, "title": "Text"},
            "internal": {"type": "boolean", "default": false, "title": "Not for the requester"},
            "to": {"type": "string", "minLength": 1, "maxLength": 100, "title": "Status, or transition of Jira"}
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
    let all = properties();
    let properties: serde_json::Map<String, Value> =
        operation.output.iter().filter_map(|name| Some(((*name).to_owned(), all.get(name)?.clone()))).collect();
    json!({"type": "object", "required": operation.output, "properties": properties})
}

fn properties() -> Value {
    let mut properties = json!({
        "id": {"type": "string"},
        "reference": {"type": "string", "description": "By which people know it."},
        "title": {"type": ["string", "null"]},
        "status": {"type": ["string", "null"]},
        "link": {"type": "string", "description": "Where people see it."},
        "changed": {"type": "boolean", "description": "False when it was so already."},
        "added": {"type": "boolean"},
        "found": {"type": "boolean"}
    });
    let members = properties.clone();
    if let Some(all) = properties.as_object_mut() {
        let members: serde_json::Map<String, Value> =
            TICKET.iter().filter_map(|name| Some(((*name).to_owned(), members.get(name)?.clone()))).collect();
        let ticket = json!({"type": ["object", "null"], "required": TICKET, "properties": members});
        all.insert("ticket".to_owned(), ticket);
    }
    properties
}

/// Of a connection's settings.
pub(super) fn settings() -> Value {
    let text = |title: &str| json!({"type": "string", "minLength": 1, "maxLength": 200, "title": title});
    tls::with_settings(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["flavour", "baseUrl"],
        "additionalProperties": false,
        "properties": {
            "flavour": {
                "title": "Service",
                "oneOf": [
                    {"const": "jira", "title": "Jira, with or without Service Management"},
                    {"const": "servicenow", "title": "ServiceNow"},
                    {"const": "glpi", "title": "GLPI"}
                ]
            },
            "baseUrl": {
                "type": "string", "format": "uri", "pattern": "^https?://[^?#]*$", "title": "Address",
                "description": "Of GLPI with apirest.php at its end."
            },
            "username": text("User name"),
            "password": {"type": "string", "minLength": 1, "title": "Password", "writeOnly": true},
            "token": {
                "type": "string", "minLength": 1, "title": "Token", "writeOnly": true,
                "description": "An API token of Jira in the cloud (with the user name), a personal access token, or the API token of a user of GLPI."
            },
            "appToken": {"type": "string", "minLength": 1, "title": "Application token of GLPI", "writeOnly": true},
            "project": text("Key of the project of Jira"),
            "issueType": text("Type of issues of Jira"),
            "table": {"type": "string", "pattern": "^[a-z0-9_]{1,80}$", "title": "Table of ServiceNow"}
        },
        "dependentRequired": {"password": ["username"]}
    }))
}
