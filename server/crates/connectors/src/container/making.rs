//! What a container is made of, as definitions say it and as it is remembered on the container itself.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::schema::MAKING;
use crate::{Failure, sigv4::sha256};

/// The call that made a container.
pub(super) const KEY: &str = "dev.rondo.key";
/// How it was made, in JSON.
pub(super) const MADE: &str = "dev.rondo.made";
/// What it replaces, in JSON: [`Replaced`].
pub(super) const REPLACED: &str = "dev.rondo.replaced";
/// The service that it is an instance of, and which one.
pub(super) const SERVICE: &str = "dev.rondo.service";
pub(super) const INSTANCE: &str = "dev.rondo.instance";
/// How labels of Rondo's own begin.
pub(super) const OWN: &str = "dev.rondo.";
/// Of these, what is for Rondo alone, and may hold what stands in the environment.
pub(super) const HIDDEN: [&str; 2] = [MADE, REPLACED];

/// What a container is made of: the image, and what [`MAKING`] names, as a definition writes it.
#[derive(Clone)]
pub(super) struct Making(Map<String, Value>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parts {
    image: String,
    command: Option<Vec<String>>,
    entrypoint: Option<Vec<String>>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    user: Option<String>,
    working_directory: Option<String>,
    #[serde(default)]
    ports: Vec<Port>,
    #[serde(default)]
    volumes: Vec<Volume>,
    network: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    service: Option<String>,
    instance: Option<u16>,
    restart: Option<String>,
    memory: Option<u64>,
    cpus: Option<f64>,
}

#[derive(Deserialize)]
struct Port {
    container: u16,
    host: Option<u16>,
    address: Option<String>,
    protocol: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Volume {
    #[serde(rename = "volume")]
    name: String,
    path: String,
    #[serde(default)]
    read_only: bool,
}

/// The call that a container was made by, in a label.
pub(super) fn mark(key: &str) -> String {
    sha256(key.as_bytes()).get(..32).unwrap_or_default().to_owned()
}

impl Making {
    /// What these arguments say.
    pub(super) fn said(with: &Value) -> Self {
        let members = with.as_object().into_iter().flatten();
        let said = members.filter(|(name, _)| *name == "image" || MAKING.contains(&name.as_str()));
        Self(said.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// How a container was made, if that is remembered; `container` as the engine describes it.
    pub(super) fn remembered(container: &Value) -> Option<Self> {
        let made = label(container, MADE)?;
        serde_json::from_str(made).ok().map(Self)
    }

    /// The same with what `changes` has instead.
    pub(super) fn changed_by(mut self, changes: Self) -> Self {
        self.0.extend(changes.0);
        self
    }

    /// The same from another image.
    pub(super) fn with_image(mut self, image: &str) -> Self {
        self.0.insert("image".to_owned(), image.into());
        self
    }

    pub(super) fn image(&self) -> Result<&str, Failure> {
        self.0.get("image").and_then(Value::as_str).ok_or_else(|| {
            Failure::configuration("nothing says from which image the container is to be made; give it as image")
        })
    }

    pub(super) fn as_value(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// What the engine is told; `own` are more labels.
    pub(super) fn body(&self, own: &[(&str, String)]) -> Result<Value, Failure> {
        // The message of serde may quote a value, and the value may be a secret.
        let parts = Parts::deserialize(self.as_value())
            .map_err(|_| Failure::configuration("the arguments of container cannot be read"))?;
        if let Some(name) = parts.labels.keys().find(|name| name.starts_with(OWN)) {
            return Err(Failure::configuration(format!("the label {name} is Rondo's own; choose another name")));
        }
        let mut labels = parts.labels.clone();
        labels.insert(MADE.to_owned(), self.as_value().to_string());
        labels.extend(own.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        labels.extend(parts.service.iter().map(|service| (SERVICE.to_owned(), service.clone())));
        labels.extend(parts.instance.iter().map(|instance| (INSTANCE.to_owned(), instance.to_string())));
        let (exposed, bindings) = parts.published()?;
        let environment = parts.environment.iter().map(|(name, value)| format!("{name}={value}"));
        let volumes = parts
            .volumes
            .iter()
            .map(|one| format!("{}:{}{}", one.name, one.path, if one.read_only { ":ro" } else { "" }));
        let mut host = json!({
            "PortBindings": bindings,
            "Binds": volumes.collect::<Vec<_>>(),
            "RestartPolicy": {"Name": parts.restart.as_deref().unwrap_or("no")},
        });
        let more = [
            ("NetworkMode", parts.network.as_ref().map(|name| json!(name))),
            ("Memory", parts.memory.map(|mebibytes| json!(mebibytes << 20))),
            ("NanoCpus", parts.cpus.map(|processors| json!(nano(processors)))),
        ];
        extend(&mut host, more);
        let mut body = json!({
            "Image": parts.image, "Labels": labels, "Env": environment.collect::<Vec<_>>(),
            "ExposedPorts": exposed, "HostConfig": host,
        });
        let more = [
            ("Cmd", parts.command.as_ref().map(|words| json!(words))),
            ("Entrypoint", parts.entrypoint.as_ref().map(|words| json!(words))),
            ("User", parts.user.as_ref().map(|user| json!(user))),
            ("WorkingDir", parts.working_directory.as_ref().map(|path| json!(path))),
        ];
        extend(&mut body, more);
        Ok(body)
    }
}

impl Parts {
    /// Ports as the engine takes them: those that are exposed, and where they are published.
    fn published(&self) -> Result<(Value, Value), Failure> {
        let (mut exposed, mut bindings) = (Map::new(), Map::new());
        let further = self.instance.unwrap_or(1).saturating_sub(1);
        for port in &self.ports {
            let name = format!("{}/{}", port.container, port.protocol.as_deref().unwrap_or("tcp"));
            let host = match port.host {
                Some(first) => first.checked_add(further).map(|port| port.to_string()).ok_or_else(|| {
                    Failure::configuration(format!("instance {} has no port after {first}", further + 1))
                })?,
                None => String::new(),
            };
            exposed.insert(name.clone(), json!({}));
            let binding = json!({"HostPort": host, "HostIp": port.address.as_deref().unwrap_or_default()});
            match bindings.entry(name).or_insert_with(|| json!([])) {
                Value::Array(all) => all.push(binding),
                _ => return Err(Failure::configuration("the ports cannot be read")),
            }
        }
        Ok((Value::Object(exposed), Value::Object(bindings)))
    }
}

fn extend<const N: usize>(object: &mut Value, more: [(&str, Option<Value>); N]) {
    let given = more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    if let Some(members) = object.as_object_mut() {
        members.extend(given);
    }
}

/// Processors in the unit of the engine; at most 1024 by the schema.
fn nano(processors: f64) -> u64 {
    std::time::Duration::try_from_secs_f64(processors).map_or(0, |whole| {
        // A second has as many nanoseconds as a processor has parts.
        u64::try_from(whole.as_nanos()).unwrap_or(u64::MAX)
    })
}

/// What a container replaces.
#[derive(Clone)]
pub(super) struct Replaced {
    /// The name that both have, one after the other.
    pub(super) name: String,
    /// The one that was there; none if there was none.
    pub(super) before: Option<Before>,
}

#[derive(Clone)]
pub(super) struct Before {
    pub(super) id: String,
    pub(super) image: String,
    pub(super) image_id: String,
    pub(super) was_running: bool,
    /// How it was made, if that was remembered.
    pub(super) made: Option<Making>,
}

impl Before {
    /// Of a container as the engine describes it.
    pub(super) fn of(container: &Value) -> Self {
        let text = |pointer: &str| container.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            id: text("/Id"),
            image: text("/Config/Image"),
            image_id: text("/Image"),
            was_running: container.pointer("/State/Running") == Some(&Value::Bool(true)),
            made: Making::remembered(container),
        }
    }

    pub(super) fn output(&self) -> Value {
        json!({"id": self.id, "image": self.image, "imageId": self.image_id})
    }
}

impl Replaced {
    /// As it stands in a label.
    pub(super) fn label(&self) -> String {
        let before = self.before.as_ref().map(|before| {
            json!({
                "id": before.id, "image": before.image, "imageId": before.image_id, "wasRunning": before.was_running,
                "made": before.made.as_ref().map(Making::as_value),
            })
        });
        json!({"name": self.name, "before": before}).to_string()
    }

    /// From the label of a container, as the engine describes or lists it.
    pub(super) fn read(container: &Value) -> Option<Self> {
        let label: Value = serde_json::from_str(label(container, REPLACED)?).ok()?;
        let before = label.get("before").filter(|before| before.is_object()).map(|before| {
            let text = |name: &str| before.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            Before {
                id: text("id"),
                image: text("image"),
                image_id: text("imageId"),
                was_running: before.get("wasRunning") == Some(&Value::Bool(true)),
                made: before.get("made").and_then(Value::as_object).cloned().map(Making),
            }
        });
        Some(Self { name: label.get("name")?.as_str()?.to_owned(), before })
    }
}

/// A label of a container as the engine describes (`Config.Labels`) or lists it (`Labels`).
pub(super) fn label<'a>(container: &'a Value, name: &str) -> Option<&'a str> {
    let labels = container.pointer("/Config/Labels").or_else(|| container.get("Labels"))?;
    labels.get(name)?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_becomes_what_the_engine_takes() {
        let making = Making::said(&json!({
            "connection": "c", "operation": "run", "name": "web-2", "image": "shop:2", "environment": {"A": "b c"},
            "ports": [{"container": 80, "host": 8080, "address": "127.0.0.1"}, {"container": 53, "protocol": "udp"}],
            "volumes": [{"volume": "data", "path": "/data", "readOnly": true}], "service": "web", "instance": 2,
            "memory": 64, "cpus": 0.5, "command": ["serve"], "labels": {"team": "shop"}
        }));
        let body = making.body(&[(KEY, "k".to_owned())]).unwrap();
        assert_eq!(body["HostConfig"]["PortBindings"]["80/tcp"], json!([{"HostPort": "8081", "HostIp": "127.0.0.1"}]));
        assert_eq!(body["HostConfig"]["PortBindings"]["53/udp"], json!([{"HostPort": "", "HostIp": ""}]));
        assert_eq!(body["HostConfig"]["Binds"], json!(["data:/data:ro"]));
        assert_eq!(body["HostConfig"]["Memory"], 67_108_864);
        assert_eq!(body["HostConfig"]["NanoCpus"], 500_000_000);
        assert_eq!((&body["Cmd"], &body["Env"]), (&json!(["serve"]), &json!(["A=b c"])));
        assert_eq!(body["Labels"]["dev.rondo.instance"], "2");
        let made = json!({"Config": {"Labels": body["Labels"]}});
        let again = Making::remembered(&made).unwrap().changed_by(Making::said(&json!({"image": "shop:3"})));
        assert_eq!(again.image().unwrap(), "shop:3");
        assert_eq!(again.as_value()["environment"], json!({"A": "b c"}));
    }

    #[test]
    fn labels_of_our_own_are_not_given_out() {
        let making = Making::said(&json!({"image": "a", "labels": {"dev.rondo.key": "x"}}));
        let failure = making.body(&[]).unwrap_err();
        assert!(failure.detail().contains("choose another name"), "{failure}");
        let last = json!({"image": "a", "instance": 9, "ports": [{"container": 1, "host": 65530}]});
        assert!(Making::said(&last).body(&[]).unwrap_err().detail().contains("no port after"));
    }

    #[test]
    fn what_is_replaced_is_remembered() {
        let old = json!({
            "Id": "i", "Image": "sha256:1", "State": {"Running": true},
            "Config": {"Image": "shop:1", "Labels": {MADE: "{\"image\":\"shop:1\"}"}}
        });
        let label = Replaced { name: "web".to_owned(), before: Some(Before::of(&old)) }.label();
        let read = Replaced::read(&json!({"Labels": {REPLACED: label}})).unwrap();
        let before = read.before.unwrap();
        assert_eq!((read.name.as_str(), before.id.as_str(), before.was_running), ("web", "i", true));
        assert_eq!(before.made.unwrap().image().unwrap(), "shop:1");
        assert!(Replaced::read(&old).is_none());
    }
}
