//! OCSF 1.3.0: signing in and out as Authentication (3002), all else as API Activity (6003), checkpoints as Base Event (0).

use std::net::IpAddr;

use serde_json::{Map, Value, json};
use store::audit::{AuditCheckpoint, AuditRow};

const VERSION: &str = "1.3.0";

/// A class with its category.
struct Class {
    uid: u32,
    name: &'static str,
    category: u32,
    category_name: &'static str,
}

const BASE: Class = Class { uid: 0, name: "Base Event", category: 0, category_name: "Uncategorized" };
const AUTHENTICATION: Class =
    Class { uid: 3002, name: "Authentication", category: 3, category_name: "Identity & Access Management" };
const API_ACTIVITY: Class =
    Class { uid: 6003, name: "API Activity", category: 6, category_name: "Application Activity" };

pub(super) fn entry(log: &str, row: &AuditRow) -> Value {
    let body = super::shown(row);
    let (class, activity, activity_name) = classify(&row.action);
    let mut event = classified(&class, activity, activity_name);
    event.insert("time".to_owned(), (row.at.as_micros() / 1_000).into());
    event.insert("metadata".to_owned(), metadata(log, &row.seq.to_string(), &body));
    event.extend(outcome(&row.outcome));
    let what = if row.resource_name.is_empty() { &row.resource_id } else { &row.resource_name };
    let message = format!("{} {} {} {what}: {}", row.actor, row.action, row.resource_kind, row.outcome);
    event.insert("message".to_owned(), message.into());
    event.insert("src_endpoint".to_owned(), source(&body));
    event.insert("actor".to_owned(), actor(row, &body));
    if class.uid == AUTHENTICATION.uid {
        event.insert("user".to_owned(), user(row));
        event.insert("service".to_owned(), json!({"name": "Rondo"}));
        event.insert("is_remote".to_owned(), body.get("address").is_some().into());
    } else {
        let request = json!({"uid": body.get("traceId")});
        event.insert(
            "api".to_owned(),
            json!({"operation": row.action, "service": {"name": "Rondo"}, "request": request}),
        );
        event.insert("resources".to_owned(), json!([resource(row)]));
    }
    let mut unmapped = Map::from_iter([("hash".to_owned(), super::hash(row).into())]);
    unmapped.extend(body.get("door").map(|door| ("door".to_owned(), door.clone())));
    unmapped.extend(super::personal(row).map(|personal| ("personal".to_owned(), personal)));
    event.insert("unmapped".to_owned(), unmapped.into());
    event.insert("raw_data".to_owned(), row.body.clone().into());
    Value::Object(event)
}

pub(super) fn checkpoint(log: &str, checkpoint: &AuditCheckpoint) -> Value {
    let mut event = classified(&BASE, 99, "Checkpoint");
    event.insert("time".to_owned(), (checkpoint.at.as_micros() / 1_000).into());
    event.insert("metadata".to_owned(), metadata(log, &format!("checkpoint-{}", checkpoint.size), &Value::Null));
    event.insert("severity_id".to_owned(), 1.into());
    event.insert("severity".to_owned(), "Informational".into());
    event.insert("message".to_owned(), format!("The audit log of {} entries was signed", checkpoint.size).into());
    event.insert("raw_data".to_owned(), checkpoint.note.clone().into());
    Value::Object(event)
}

fn classified(class: &Class, activity: u32, activity_name: &str) -> Map<String, Value> {
    let event = json!({
        "class_uid": class.uid,
        "class_name": class.name,
        "category_uid": class.category,
        "category_name": class.category_name,
        "activity_id": activity,
        "activity_name": activity_name,
        "type_uid": class.uid * 100 + activity,
        "type_name": format!("{}: {activity_name}", class.name),
    });
    match event {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn metadata(log: &str, id: &str, body: &Value) -> Value {
    let product = json!({"name": "Rondo", "vendor_name": "Rondo", "version": env!("CARGO_PKG_VERSION")});
    let mut metadata = json!({"version": VERSION, "product": product, "log_name": log, "uid": format!("{log}/{id}")});
    for (name, member) in [("correlation_uid", "traceId"), ("sequence", "seq"), ("original_time", "at")] {
        if let (Some(value), Some(metadata)) = (body.get(member), metadata.as_object_mut()) {
            metadata.insert(name.to_owned(), value.clone());
        }
    }
    metadata
}

/// What an action is, by its last word.
fn classify(action: &str) -> (Class, u32, &'static str) {
    match action {
        "session.create" => return (AUTHENTICATION, 1, "Logon"),
        "session.end" | "session.revoke" => return (AUTHENTICATION, 2, "Logoff"),
        "session.confirm" => return (AUTHENTICATION, 99, "Confirmation"),
        _ => {}
    }
    let (activity, name) = match action.rsplit('.').next().unwrap_or_default() {
        "create" | "launch" | "start" | "propose" | "ask" => (1, "Create"),
        "read" | "list" | "export" | "validate" | "rehearse" | "reveal" | "test" => (2, "Read"),
        "delete" | "revoke" | "forbid" => (4, "Delete"),
        _ => (3, "Update"),
    };
    (API_ACTIVITY, activity, name)
}

fn outcome(outcome: &str) -> impl Iterator<Item = (String, Value)> {
    let (severity, severity_name, status, status_name) = match outcome {
        "done" => (1, "Informational", 1, "Success"),
        "refused" => (3, "Medium", 2, "Failure"),
        _ => (4, "High", 2, "Failure"),
    };
    [
        ("severity_id", Value::from(severity)),
        ("severity", severity_name.into()),
        ("status_id", status.into()),
        ("status", status_name.into()),
        ("status_detail", outcome.to_owned().into()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into_iter()
}

/// From where: the address if there is one, and always the door.
fn source(body: &Value) -> Value {
    let mut source = json!({"name": body.get("door").and_then(Value::as_str).unwrap_or("unknown")});
    let address = body.get("address").and_then(Value::as_str).and_then(|text| text.parse::<IpAddr>().ok());
    if let (Some(address), Some(source)) = (address, source.as_object_mut()) {
        source.insert("ip".to_owned(), address.to_string().into());
    }
    source
}

fn user(row: &AuditRow) -> Value {
    match row.actor_id {
        Some(id) => json!({"name": row.actor, "uid": id.to_string()}),
        None => json!({"name": row.actor}),
    }
}

fn actor(row: &AuditRow, body: &Value) -> Value {
    let mut actor = json!({"user": user(row)});
    let decision = if row.outcome == "refused" { "Denied" } else { "Allowed" };
    let policies = body.get("policies").and_then(Value::as_array);
    let decisions: Vec<_> = policies
        .into_iter()
        .flatten()
        .map(|policy| json!({"decision": decision, "policy": {"name": policy, "uid": policy}}))
        .collect();
    if let Some(actor) = actor.as_object_mut() {
        if !decisions.is_empty() {
            actor.insert("authorizations".to_owned(), decisions.into());
        }
        if let Some(session) = body.get("session") {
            actor.insert("session".to_owned(), json!({"uid": session}));
        }
    }
    actor
}

fn resource(row: &AuditRow) -> Value {
    let mut resource = json!({"type": row.resource_kind, "uid": row.resource_id, "name": row.resource_name});
    if let (Some(namespace), Some(resource)) = (&row.namespace, resource.as_object_mut()) {
        resource.insert("namespace".to_owned(), namespace.clone().into());
    }
    resource
}
