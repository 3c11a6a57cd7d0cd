//! JSON Schemas of `call: http` and of connections of kind `http`.

use serde_json::{Value, json};

use crate::tls;

/// Of `with`: the specification's.
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
        "$defs": authentication_definitions()
    })
}

/// `$defs` of whatever takes an `authentication`.
pub(crate) fn authentication_definitions() -> Value {
    let text = json!({"type": "string"});
    let texts = json!({"type": "array", "items": {"type": "string"}});
    let secret = json!({"$ref": "#/$defs/secret"});
    let scheme = |required: &[&str], properties: Value| {
        json!({"oneOf": [
            {"type": "object", "required": required, "additionalProperties": false, "properties": properties},
            secret
        ]})
    };
    let login = json!({"username": text, "password": text});
    let token = |more: Value| {
        let mut properties = json!({
            "authority": {"type": "string", "minLength": 1},
            "grant": {"enum": [
                "client_credentials", "password", "refresh_token", "urn:ietf:params:oauth:grant-type:token-exchange"
            ]},
            "client": {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "id": text,
                    "secret": text,
                    "assertion": text,
                    "authentication": {"enum": [
                        "client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"
                    ]}
                }
            },
            "request": {
                "type": "object",
                "additionalProperties": false,
                "properties": {"encoding": {"enum": ["application/x-www-form-urlencoded", "application/json"]}}
            },
            "issuers": texts,
            "scopes": texts,
            "audiences": texts,
            "username": text,
            "password": text,
            "subject": {"$ref": "#/$defs/token"},
            "actor": {"$ref": "#/$defs/token"}
        });
        if let (Some(properties), Value::Object(more)) = (properties.as_object_mut(), more) {
            properties.extend(more);
        }
        scheme(&["authority", "grant"], properties)
    };
    let endpoints = json!({"endpoints": {
        "type": "object",
        "additionalProperties": false,
        "properties": {"token": text, "revocation": text, "introspection": text}
    }});
    json!({
        "authentication": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": false,
            "properties": {
                "use": {"type": "string", "minLength": 1},
                "basic": scheme(&["username", "password"], login.clone()),
                "bearer": scheme(&["token"], json!({"token": text})),
                "digest": scheme(&["username", "password"], login),
                "certificate": scheme(&["certificate", "key"], json!({"certificate": text, "key": text})),
                "oauth2": token(endpoints),
                "oidc": token(json!({}))
            }
        },
        "secret": {
            "type": "object",
            "required": ["use"],
            "additionalProperties": false,
            "properties": {"use": {"type": "string", "minLength": 1}}
        },
        "token": {
            "type": "object",
            "required": ["token", "type"],
            "additionalProperties": false,
            "properties": {"token": text, "type": text}
        }
    })
}

/// The same for protocols in which the other side cannot answer with a challenge: without `digest`.
#[cfg(any(feature = "asyncapi", feature = "grpc", feature = "mcp"))]
pub(crate) fn authentication_by_header() -> Value {
    let mut definitions = authentication_definitions();
    if let Some(Value::Object(schemes)) = definitions.pointer_mut("/authentication/properties") {
        schemes.shift_remove("digest");
    }
    definitions
}

/// Of a connection's settings.
pub(super) fn settings() -> Value {
    tls::with_settings(json!({
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
            }
        },
        "dependentRequired": {"username": ["password"], "password": ["username"]},
        "not": {"required": ["token", "username"]}
    }))
}
