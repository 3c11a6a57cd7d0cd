//! JSON Schemas of `call: chat` and of connections of kind `chat`.

use serde_json::{Value, json};

use crate::tls;

/// Of `with`.
pub(super) fn with() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["connection", "text"],
        "additionalProperties": false,
        "properties": {
            "connection": {"type": "string", "minLength": 1, "title": "Connection of kind chat"},
            "text": {"type": "string", "minLength": 1, "maxLength": 2800, "title": "Text"},
            "title": {"type": "string", "minLength": 1, "maxLength": 150, "title": "Title"},
            "facts": {
                "type": "object", "title": "Facts", "maxProperties": 10,
                "propertyNames": {"minLength": 1, "maxLength": 100},
                "additionalProperties": {"type": ["string", "number", "boolean"], "maxLength": 1000}
            },
            "link": {
                "type": "object", "title": "Link",
                "required": ["url"],
                "additionalProperties": false,
                "properties": {
                    "url": {"type": "string", "format": "uri", "pattern": "^https?://", "maxLength": 2000},
                    "title": {"type": "string", "minLength": 1, "maxLength": 150}
                }
            }
        }
    })
}

/// Of the output.
pub(super) fn output() -> Value {
    json!({
        "type": "object",
        "required": ["posted"],
        "properties": {"posted": {"const": true, "description": "Webhooks give no name to what they have posted."}}
    })
}

/// Of a connection's settings.
pub(super) fn settings() -> Value {
    tls::with_settings(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["flavour", "url"],
        "additionalProperties": false,
        "properties": {
            "flavour": {
                "title": "Service",
                "oneOf": [
                    {"const": "slack", "title": "Slack"},
                    {"const": "teams", "title": "Microsoft Teams"},
                    {"const": "mattermost", "title": "Mattermost"}
                ]
            },
            "url": {
                "type": "string", "minLength": 1, "title": "Webhook", "writeOnly": true,
                "description": "The address of the incoming webhook. Whoever has it can post, so it is secret."
            }
        }
    }))
}
