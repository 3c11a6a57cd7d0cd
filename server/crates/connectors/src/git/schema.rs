//! JSON Schemas of `call: git` and of connections of kind `git`.

use serde_json::{Value, json};

use crate::{OperationSpec, arguments::operation_rule, tls};

/// The names of its operations.
pub(super) const READ: &str = "read";
pub(super) const RESOLVE: &str = "resolve";
pub(super) const LOG: &str = "log";

/// Its operations, with what each gives.
pub(super) fn operations() -> Vec<OperationSpec> {
    let operation = |name, title, output| OperationSpec { name, title, output, reads: true };
    vec![
        operation(READ, "Read files", output_of(&["commit", "ref", "files", "skipped"])),
        operation(RESOLVE, "Look up where a tag or branch stands", output_of(&["commit", "ref"])),
        operation(LOG, "Read which commits were made", output_of(&["commit", "ref", "commits", "more"])),
    ]
}

/// Of `with`.
pub(super) fn with() -> Value {
    let always = ["connection", "operation", "ref"];
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["connection", "operation"],
        "additionalProperties": false,
        "properties": {
            "connection": {"type": "string", "minLength": 1, "title": "Connection of kind git"},
            "operation": {"enum": [READ, RESOLVE, LOG], "title": "Operation"},
            "ref": {
                "type": "string", "minLength": 1, "maxLength": 250, "title": "Tag or branch",
                "description": "A tag of this name goes before a branch. Default: the branch of the connection."
            },
            "folder": {
                "type": "string", "maxLength": 1000, "title": "Folder",
                "description": "Whose files are read, with those below it. Default: all."
            },
            "endings": {
                "type": "array", "minItems": 1, "maxItems": 20, "uniqueItems": true, "title": "Endings",
                "description": "How the names of the files end that are read, such as .tf. Default: all.",
                "items": {"type": "string", "minLength": 1, "maxLength": 100}
            },
            "since": {"type": "string", "format": "date-time", "title": "Since", "description": "Commits made before are left out."},
            "until": {"type": "string", "format": "date-time", "title": "Until", "description": "Commits made afterwards are left out."},
            "limit": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100, "title": "Commits at most"}
        },
        "allOf": [
            operation_rule(READ, &always, &[], &["folder", "endings"]),
            operation_rule(RESOLVE, &always, &[], &[]),
            operation_rule(LOG, &always, &[], &["since", "until", "limit"])
        ]
    })
}

/// Of the output, whatever the operation.
pub(super) fn output() -> Value {
    output_of(&["commit", "ref"])
}

fn output_of(required: &[&str]) -> Value {
    json!({
        "type": "object",
        "required": required,
        "properties": {
            "commit": {"type": "string", "description": "In hexadecimal digits."},
            "ref": {"type": "string", "description": "Such as refs/tags/v1.2.0."},
            "files": {
                "type": "object", "additionalProperties": {"type": "string"},
                "description": "The texts by path from the folder."
            },
            "skipped": {
                "type": "object", "additionalProperties": {"enum": ["too-large", "link", "name", "binary"]},
                "description": "What was not read, by path from the folder, and why."
            },
            "commits": {
                "type": "array",
                "description": "The newest first.",
                "items": {
                    "type": "object",
                    "required": ["id", "at", "author", "subject"],
                    "properties": {
                        "id": {"type": "string"},
                        "at": {"type": "string", "format": "date-time"},
                        "author": {"type": "string"},
                        "subject": {"type": "string", "description": "The first line of the message."}
                    }
                }
            },
            "more": {"type": "boolean", "description": "Whether there are more than the limit."}
        }
    })
}

/// Of a connection's settings.
pub(super) fn settings() -> Value {
    tls::with_settings(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["url"],
        "additionalProperties": false,
        "properties": {
            "url": {
                "type": "string", "format": "uri", "pattern": "^https?://", "maxLength": 2000, "title": "Address",
                "description": "As for cloning over HTTPS."
            },
            "branch": {"type": "string", "minLength": 1, "maxLength": 250, "default": "main", "title": "Branch"},
            "username": {"type": "string", "minLength": 1, "title": "User name"},
            "password": {"type": "string", "minLength": 1, "title": "Password or token", "writeOnly": true}
        },
        "dependentRequired": {"password": ["username"]}
    }))
}
