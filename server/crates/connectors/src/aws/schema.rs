//! JSON Schemas of `call: aws` and of connections of kind `aws`.

use serde_json::{Value, json};

use crate::tls;

use super::services::SERVICES;

/// What regions are called.
const REGION: &str = "^[a-z]{2}(-[a-z]+){1,3}-[0-9]{1,2}$";

/// Of `with`.
pub(super) fn with() -> Value {
    let services: Vec<&str> = SERVICES.iter().map(|service| service.name).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["connection", "service", "action"],
        "additionalProperties": false,
        "properties": {
            "connection": {"type": "string", "minLength": 1, "title": "Connection of kind aws"},
            "service": {"enum": services, "title": "Service"},
            "action": {
                "type": "string", "pattern": "^[A-Z][A-Za-z0-9]{1,99}$", "title": "Action",
                "description": "As the service's API reference calls it, such as RunInstances."
            },
            "parameters": {
                "type": "object", "title": "Parameters",
                "description": "As the API reference calls them. Where it writes Name.N or Name.member.N, Name is a list."
            },
            "region": {"type": "string", "pattern": REGION, "description": "Instead of the connection's."},
            "version": {
                "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
                "description": "Another version of the service's API, for services that are asked by forms."
            }
        }
    })
}

/// Of the output.
pub(super) fn output() -> Value {
    json!({
        "type": "object",
        "required": ["dryRun", "result"],
        "properties": {
            "requestId": {"type": ["string", "null"], "description": "By which AWS finds the request."},
            "dryRun": {"type": "boolean", "description": "Whether it was a rehearsal, which would have gone well."},
            "result": {"type": "object", "description": "What the action gives; secrets in it are sealed."}
        }
    })
}

/// Of a connection's settings.
pub(super) fn settings() -> Value {
    tls::with_settings(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["region", "accessKey", "secretKey"],
        "additionalProperties": false,
        "properties": {
            "region": {"type": "string", "pattern": REGION, "title": "Region", "examples": ["eu-central-1"]},
            "accessKey": {"type": "string", "minLength": 1, "maxLength": 128, "title": "Access key ID"},
            "secretKey": {"type": "string", "minLength": 1, "title": "Secret access key", "writeOnly": true},
            "sessionToken": {
                "type": "string", "minLength": 1, "title": "Session token", "writeOnly": true,
                "description": "Only with keys that hold for a while."
            },
            "role": {
                "type": "string", "pattern": "^arn:[a-z-]+:iam::[0-9]{12}:role/.+$", "title": "Role to take",
                "description": "The ARN of a role. Calls are made with its rights, which the keys must be allowed to take."
            },
            "externalId": {"type": "string", "minLength": 2, "maxLength": 1224, "title": "External ID of the role"},
            "endpoint": {
                "type": "string", "format": "uri", "pattern": "^https?://", "title": "Endpoint",
                "description": "Where all services are asked instead of at AWS, such as a gateway or an emulator."
            }
        },
        "dependentRequired": {"externalId": ["role"]}
    }))
}
