//! JSON Schemas of `call: http` and of connections of kind `http`.

use serde_json::{Value, json};

/// Of `with`: the specification's, with the kinds of authentication that this release has.
pub(super) fn with() -> Value {
    let scalar = json!({"type": ["string", "number", "boolean"]});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["method", "endpoint"],
        "additionalProperties": false,
        "properties": {
            "method": {
                "type": "string",
                "pattern": "^[A-Za-z]{1,20}$",
                "description": "The method, such as get or post."
            },
            "endpoint": {
                "description": "Where to: a URI, or connection://NAME/path over a connection of kind http.",
                "oneOf": [
                    {"type": "string", "minLength": 1},
                    {
                        "type": "object",
                        "required": ["uri"],
                        "additionalProperties": false,
                        "properties": {
                            "uri": {"type": "string", "minLength": 1},
                            "authentication": {"$ref": "#/$defs/authentication"}
                        }
                    }
                ]
            },
            "headers": {"type": "object", "additionalProperties": scalar},
            "query": {
                "type": "object",
                "additionalProperties": {
                    "oneOf": [
                        {"type": ["string", "number", "boolean", "null"]},
                        {"type": "array", "items": scalar}
                    ]
                }
            },
            "body": {"description": "Sent as JSON, or as it is if it is a string."},
            "output": {"enum": ["raw", "content", "response"]},
            "redirect": {"type": "boolean"}
        },
        "$defs": {
            "authentication": {
                "type": "object",
                "minProperties": 1,
                "maxProperties": 1,
                "additionalProperties": false,
                "properties": {
                    "use": {"type": "string", "minLength": 1},
                    "basic": {
                        "oneOf": [
                            {
                                "type": "object",
                                "required": ["username", "password"],
                                "additionalProperties": false,
                                "properties": {"username": {"type": "string"}, "password": {"type": "string"}}
                            },
                            {"$ref": "#/$defs/secret"}
                        ]
                    },
                    "bearer": {
                        "oneOf": [
                            {
                                "type": "object",
                                "required": ["token"],
                                "additionalProperties": false,
                                "properties": {"token": {"type": "string"}}
                            },
                            {"$ref": "#/$defs/secret"}
                        ]
                    }
                }
            },
            "secret": {
                "type": "object",
                "required": ["use"],
                "additionalProperties": false,
                "properties": {"use": {"type": "string", "minLength": 1}}
            }
        }
    })
}

/// Of a connection's settings.
pub(super) fn settings() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["baseUrl"],
        "additionalProperties": false,
        "properties": {
            "baseUrl": {
                "type": "string", "format": "uri", "pattern": "^https?://", "title": "Address",
                "description": "Paths of calls are added to it."
            },
            "username": {"type": "string", "minLength": 1, "title": "User name", "description": "For basic authentication."},
            "password": {"type": "string", "title": "Password", "writeOnly": true},
            "token": {
                "type": "string", "minLength": 1, "title": "Token", "writeOnly": true,
                "description": "Sent as a bearer token."
            },
            "ca": {
                "type": "string", "title": "CA certificate",
                "description": "PEM. If given, only certificates that it issued are trusted."
            }
        },
        "dependentRequired": {"username": ["password"], "password": ["username"]},
        "not": {"required": ["token", "username"]}
    })
}
