//! Containers as tasks give them out. What they were made of stays out: it may hold what is secret in the environment.

use serde_json::{Map, Value, json};

use super::making::{HIDDEN, INSTANCE, MADE, SERVICE, label};

/// One that was looked at.
pub(super) fn container(found: &Value) -> Value {
    let text = |pointer: &str| found.pointer(pointer).and_then(Value::as_str);
    let is_running = found.pointer("/State/Running") == Some(&Value::Bool(true));
    let ended = found.pointer("/State/ExitCode").filter(|_| !is_running && text("/State/Status") != Some("created"));
    let ports = found.pointer("/NetworkSettings/Ports").and_then(Value::as_object);
    json!({
        "id": text("/Id"),
        "name": name(found),
        "image": text("/Config/Image"),
        "imageId": text("/Image"),
        "state": text("/State/Status"),
        "exitCode": ended,
        // Podman leaves it empty where there is nothing to say.
        "health": text("/State/Health/Status").filter(|health| !health.is_empty() && *health != "none"),
        "startedAt": text("/State/StartedAt").filter(|at| !at.starts_with("0001-")),
        "restarts": found.get("RestartCount").and_then(Value::as_u64).unwrap_or_default(),
        "service": label(found, SERVICE),
        "instance": instance(found),
        "labels": labels(found.pointer("/Config/Labels")),
        "ports": ports.into_iter().flatten().flat_map(published).collect::<Vec<_>>(),
        "remembered": label(found, MADE).is_some(),
    })
}

/// One of a list.
pub(super) fn listed(found: &Value) -> Value {
    let text = |name: &str| found.get(name).and_then(Value::as_str);
    let ports = found.get("Ports").and_then(Value::as_array).into_iter().flatten().filter_map(|port| {
        let host = port.get("PublicPort").filter(|port| port.as_u64().is_some_and(|port| port > 0))?;
        Some(json!({
            "container": port.get("PrivatePort"), "protocol": port.get("Type"), "host": host, "address": port.get("IP"),
        }))
    });
    json!({
        "id": text("Id"),
        "name": name(found),
        "image": text("Image"),
        "imageId": text("ImageID"),
        "state": text("State"),
        "service": label(found, SERVICE),
        "instance": instance(found),
        "labels": labels(found.get("Labels")),
        "ports": ports.collect::<Vec<_>>(),
    })
}

/// The name of a container, as the engine describes or lists it.
pub(super) fn name(found: &Value) -> &str {
    // Podman's list has an empty one as well.
    let name = found.pointer("/Names/0").or_else(|| found.get("Name")).and_then(Value::as_str).unwrap_or_default();
    name.trim_start_matches('/')
}

/// The ports of the host at which a port of the container can be reached.
pub(super) fn host_port(found: &Value, port: u16) -> Option<u16> {
    let bindings = found.pointer("/NetworkSettings/Ports")?.get(format!("{port}/tcp"))?.as_array()?;
    bindings.iter().find_map(|binding| binding.get("HostPort")?.as_str()?.parse().ok())
}

pub(super) fn instance(found: &Value) -> Option<u16> {
    label(found, INSTANCE)?.parse().ok()
}

fn labels(all: Option<&Value>) -> Value {
    let all = all.and_then(Value::as_object).into_iter().flatten();
    let shown = all.filter(|(name, _)| !HIDDEN.contains(&name.as_str()));
    Value::Object(shown.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>())
}

/// Where one port is published: `80/tcp` with a list of bindings, or null.
fn published((port, bindings): (&String, &Value)) -> Vec<Value> {
    let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
    let number: Option<u16> = number.parse().ok();
    let shown = |binding: &Value| {
        let host: u16 = binding.get("HostPort")?.as_str()?.parse().ok()?;
        Some(json!({
            "container": number, "protocol": protocol, "host": host,
            "address": binding.get("HostIp").and_then(Value::as_str).unwrap_or_default(),
        }))
    };
    bindings.as_array().into_iter().flatten().filter_map(shown).collect()
}
