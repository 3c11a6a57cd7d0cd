//! The language as a JSON Schema, for editors: the one that is published with the specification (`language/workflow.yaml`, DSL
//! 1.0.3, Apache License 2.0), with what Rondo keeps under `metadata`.

use serde_json::{Value, json};

use crate::{diagnostic::Diagnostics, source};

const SPECIFICATION: &str = include_str!("language/workflow.yaml");

/// The JSON Schema (2020-12) of definitions. It knows all of the language, also what an engine refuses, and less than
/// [`Definition::parse`](crate::Definition::parse) checks: it helps to write, and decides nothing.
pub fn language() -> Value {
    let root = source::read(SPECIFICATION, &mut Diagnostics::default());
    let mut schema = root.map(|root| root.to_value()).unwrap_or_default();
    let metadata = [
        ("/properties/document/properties/metadata", of_documents()),
        ("/$defs/taskBase/properties/metadata", of_tasks()),
    ];
    for (pointer, properties) in metadata {
        if let Some(Value::Object(place)) = schema.pointer_mut(pointer) {
            place.insert("properties".to_owned(), properties);
        }
    }
    schema
}

fn of_documents() -> Value {
    json!({"rondo": {
        "type": "object",
        "description": "What the portal needs to know of the workflow.",
        "properties": {
            "category": {"type": "string", "description": "Under which it stands in the catalogue."},
            "icon": {"type": "string", "description": "A picture of the portal's set."},
            "risk": {"enum": ["low", "medium", "high"], "description": "How much harm it can do; medium unless said otherwise."},
            "owner": {"type": "string", "description": "The team that answers for it."},
            "timeSaved": {"type": "string", "description": "The work that one run saves, as an ISO 8601 duration (PT45M)."},
            "controls": {
                "type": "array",
                "items": {"type": "string"},
                "description": "The compliance controls that a run is evidence for.",
            },
            "tests": {
                "type": "array",
                "description": "What it does with which input, tried out without doing anything.",
                "items": {"type": "object", "properties": {
                    "title": {"type": "string", "description": "What it shows."},
                    "input": {"description": "The input."},
                    "answers": {"type": "object", "description": "What calls, approvals and processes come to, by task."},
                    "events": {"type": "array", "description": "CloudEvents that come, in this order."},
                    "secrets": {"type": "object", "description": "What stands for secrets."},
                    "expect": {"type": "object", "description": "What is to come of it: status, output, error."},
                }},
            },
            "schedule": {
                "type": "object",
                "description": "How its schedule is kept.",
                "properties": {
                    "zone": {"type": "string", "description": "The IANA time zone by whose clocks it runs; UTC unless said otherwise."},
                    "missed": {
                        "enum": ["skip", "once", "all"],
                        "description": "What becomes of times that were missed; one run for all unless said otherwise.",
                    },
                },
            },
            "limits": {
                "type": "object",
                "description": "How many of its runs are executed at once, and begin in what time, on all servers together.",
                "properties": {
                    "concurrency": {"type": "integer", "description": "Runs at once, 1 to 10000."},
                    "rate": {
                        "type": "object",
                        "description": "How many runs begin in every span of time.",
                        "properties": {
                            "count": {"type": "integer", "description": "Runs, 1 to 100000."},
                            "per": {"type": "string", "description": "The span, as an ISO 8601 duration, PT1S to PT24H."},
                        },
                    },
                },
            },
        },
    }})
}

fn of_tasks() -> Value {
    json!({
        "title": {"type": "string", "description": "What people read instead of the task's name."},
        "rondo": {
            "type": "object",
            "properties": {
                "compensate": {
                    "$ref": "#/$defs/taskList",
                    "description": "Takes back what the task did, when the run fails or is cancelled later.",
                },
                "idempotent": {
                    "type": "boolean",
                    "description": "Whether the call may be made again when nobody knows whether it happened.",
                },
                "runner": {
                    "type": "object",
                    "description": "That the process of a `run` task is executed by a runner near the systems, and by which.",
                    "properties": {
                        "labels": {
                            "type": "array",
                            "items": {"type": "string"},
                            "description": "The labels that the runner must have; any runner without.",
                        },
                    },
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::language;

    #[test]
    fn the_language_is_a_schema_with_the_portal_s_own_metadata() {
        let schema = language();
        assert_eq!(schema["type"], "object");
        let at = |pointer: &str| schema.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is missing"));
        assert_eq!(at("/properties/document/properties/dsl/type"), "string");
        assert_eq!(at("/properties/document/properties/metadata/properties/rondo/properties/risk/enum/2"), "high");
        assert_eq!(
            at("/$defs/taskBase/properties/metadata/properties/rondo/properties/compensate/$ref"),
            "#/$defs/taskList"
        );
    }
}
