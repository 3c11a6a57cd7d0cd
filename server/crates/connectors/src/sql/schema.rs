//! JSON Schemas of `call: sql` and of its kinds of connection.

use serde_json::{Value, json};

use crate::tls;

/// Rows of a query where the definition does not say how many.
pub(super) const DEFAULT_ROWS: usize = 1_000;

fn statement() -> Value {
    json!({
        "type": "string", "minLength": 1, "maxLength": 100_000, "title": "Statement",
        "description": "One statement. Values belong into parameters: $1, $2; in MySQL ?."
    })
}

fn parameters() -> Value {
    json!({
        "type": "array", "maxItems": 1_000, "title": "Parameters",
        "description": "By position. {base64: TEXT} is a value of bytes; other objects, and lists, are JSON or arrays."
    })
}

/// Of `with`.
pub(super) fn with() -> Value {
    let rule = |name: &str, required: &[&str], more: &[&str]| {
        let mut allowed = vec!["connection", "operation"];
        allowed.extend(required);
        allowed.extend(more);
        json!({
            "if": {"required": ["operation"], "properties": {"operation": {"const": name}}},
            "then": {"required": required, "propertyNames": {"enum": allowed}}
        })
    };
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["connection", "operation"],
        "additionalProperties": false,
        "properties": {
            "connection": {"type": "string", "minLength": 1, "title": "Connection of kind postgresql, mysql or sqlite"},
            "operation": {"enum": ["query", "execute", "transaction"]},
            "statement": statement(),
            "parameters": parameters(),
            "maxRows": {
                "type": "integer", "minimum": 1, "maximum": 10_000, "default": DEFAULT_ROWS, "title": "Rows at most"
            },
            "statements": {
                "type": "array", "minItems": 1, "maxItems": 100, "title": "Statements",
                "items": {
                    "type": "object",
                    "required": ["statement"],
                    "additionalProperties": false,
                    "properties": {
                        "statement": statement(),
                        "parameters": parameters(),
                        "expectRows": {
                            "type": "integer", "minimum": 0, "title": "Rows that it must affect",
                            "description": "Else nothing of the transaction is kept."
                        }
                    }
                }
            }
        },
        "allOf": [
            rule("query", &["statement"], &["parameters", "maxRows"]),
            rule("execute", &["statement"], &["parameters"]),
            rule("transaction", &["statements"], &[])
        ]
    })
}

/// Of the output of one operation.
pub(super) fn output_of(operation: &str) -> Value {
    let count = json!({"type": "integer", "minimum": 0});
    let (required, properties) = match operation {
        "query" => (
            json!(["rows", "truncated"]),
            json!({
                "rows": {"type": "array", "items": {"type": "object"}},
                "truncated": {"type": "boolean", "description": "Whether there were more rows."}
            }),
        ),
        "execute" => (json!(["affectedRows"]), json!({"affectedRows": count})),
        _ => (
            json!(["affectedRows"]),
            json!({"affectedRows": {"type": "array", "items": count, "description": "Of each statement."}}),
        ),
    };
    json!({"type": "object", "required": required, "properties": properties})
}

/// Of the output of any operation.
pub(super) fn output() -> Value {
    json!({
        "type": "object",
        "properties": {
            "rows": {"type": "array", "items": {"type": "object"}},
            "truncated": {"type": "boolean"},
            "affectedRows": {"description": "A number; of a transaction, a list with one for each statement."}
        }
    })
}

fn marker_table() -> Value {
    json!({
        "type": "string", "maxLength": 120, "title": "Table of calls",
        "pattern": "^[A-Za-z_][A-Za-z0-9_]*(\\.[A-Za-z_][A-Za-z0-9_]*)?$",
        "description": "Where changes are remembered, so that none is made twice. The test says how it is made."
    })
}

/// Of a connection of kind `postgresql` or `mysql`.
pub(super) fn server_settings(port: u16) -> Value {
    let text = |title: &str| json!({"type": "string", "minLength": 1, "title": title});
    tls::with_settings(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["host", "database", "user", "password"],
        "additionalProperties": false,
        "properties": {
            "host": text("Host"),
            "port": {
                "type": "integer", "minimum": 1, "maximum": 65535, "title": "Port",
                "description": format!("Default: {port}.")
            },
            "database": text("Database"),
            "user": text("User"),
            "password": {"type": "string", "minLength": 1, "title": "Password", "writeOnly": true},
            "encryption": {
                "title": "Encryption",
                "default": "tls",
                "oneOf": [
                    {"const": "tls", "title": "TLS"},
                    {"const": "none", "title": "None: data, and the password, can be read on the way"}
                ]
            },
            "markerTable": marker_table()
        }
    }))
}

/// Of a connection of kind `sqlite`.
pub(super) fn file_settings() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["file"],
        "additionalProperties": false,
        "properties": {
            "file": {
                "type": "string", "minLength": 1, "title": "File",
                "description": "Below the folder that the server's configuration names (sql.sqlite_folder)."
            },
            "markerTable": marker_table()
        }
    })
}
