//! Reading a document: the operation, its channel and message, and the server.

use serde_json::{Map, Value};

use super::Server;
use crate::{Failure, reference};

/// A document in `AsyncAPI` 2.x or 3.x.
pub(super) struct Document {
    root: Value,
    version: Version,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    Two,
    Three,
}

/// What is asked of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Publish,
    Subscribe,
}

/// How a server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http { encrypted: bool },
    Mqtt { encrypted: bool },
    WebSocket { encrypted: bool },
}

/// What a call names.
pub(super) struct Wanted<'a> {
    pub(super) action: Action,
    /// In 2.x.
    pub(super) channel: Option<&'a str>,
    /// In 3.x its name, in 2.x its id.
    pub(super) operation: Option<&'a str>,
    pub(super) server: Option<&'a Server>,
    pub(super) protocol: Option<&'a str>,
}

/// An operation as it is to be performed.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) protocol: Protocol,
    /// Host, port and path of the server, as far as they are given.
    pub(super) server: String,
    /// The channel's address, its parameters in braces.
    address: String,
    parameters: Vec<Parameter>,
    /// What the operation says about the protocol.
    pub(super) binding: Value,
    /// The media type of the payload.
    pub(super) content_type: Option<String>,
    /// Where in a message its correlation id is.
    pub(super) correlation: Option<String>,
}

#[derive(Debug)]
struct Parameter {
    name: String,
    default: Option<String>,
    /// Where in a message its value is.
    location: Option<String>,
}

/// What an operation, its channel and its server say, before it is known what of it matters.
struct Described<'v> {
    operation: &'v Value,
    channel: &'v Value,
    address: String,
    message: Option<&'v Value>,
    servers: Vec<&'v Value>,
}

fn wrong(detail: impl std::fmt::Display) -> Failure {
    Failure::configuration(format!("the AsyncAPI document: {detail}"))
}

impl Protocol {
    /// The protocol that a document or a call means by this name.
    fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "http" => Some(Self::Http { encrypted: false }),
            "https" => Some(Self::Http { encrypted: true }),
            "mqtt" | "mqtt5" => Some(Self::Mqtt { encrypted: false }),
            "mqtts" | "secure-mqtt" => Some(Self::Mqtt { encrypted: true }),
            "ws" => Some(Self::WebSocket { encrypted: false }),
            "wss" => Some(Self::WebSocket { encrypted: true }),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Http { .. } => "http",
            Self::Mqtt { .. } => "mqtt",
            Self::WebSocket { .. } => "ws",
        }
    }
}

impl Action {
    /// Its name in 2.x.
    const fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Subscribe => "subscribe",
        }
    }
}

impl Document {
    /// Reads JSON or YAML.
    pub(super) fn read(text: &str) -> Result<Self, Failure> {
        let root: Value = serde_json::from_str(text)
            .or_else(|_| serde_saphyr::from_str(text))
            .map_err(|_| wrong("it is neither JSON nor YAML"))?;
        let version = match root.get("asyncapi").and_then(Value::as_str).unwrap_or_default() {
            version if version.starts_with("2.") => Version::Two,
            version if version.starts_with("3.") => Version::Three,
            _ => return Err(wrong("it is of no version that is known here: 2.x and 3.x are")),
        };
        Ok(Self { root, version })
    }

    pub(super) fn operation(&self, wanted: &Wanted<'_>) -> Result<Operation, Failure> {
        let described = match self.version {
            Version::Two => self.of_two(wanted)?,
            Version::Three => self.of_three(wanted)?,
        };
        let (protocol, server) = self.server(&described.servers, wanted)?;
        let message = described.message;
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let content_type = text(message.and_then(|message| message.get("contentType")))
            .or_else(|| text(self.root.get("defaultContentType")));
        let correlation = match message.and_then(|message| message.get("correlationId")) {
            Some(id) => text(self.resolve(id)?.get("location")),
            None => None,
        };
        let binding = match described.operation.get("bindings") {
            Some(bindings) => self.resolve(bindings)?.get(protocol.name()).cloned().unwrap_or_default(),
            None => Value::Null,
        };
        let mut parameters = Vec::new();
        for (name, parameter) in members(described.channel.get("parameters")) {
            let parameter = self.resolve(parameter)?;
            let default = parameter.get("default").or_else(|| parameter.pointer("/schema/default"));
            let location = text(parameter.get("location"));
            parameters.push(Parameter { name: name.clone(), default: text(default), location });
        }
        let address = described.address;
        Ok(Operation { protocol, server, address, parameters, binding, content_type, correlation })
    }

    fn of_two(&self, wanted: &Wanted<'_>) -> Result<Described<'_>, Failure> {
        let verb = wanted.action.name();
        let mut found = None;
        for (name, channel) in members(self.root.get("channels")) {
            let channel = self.resolve(channel)?;
            let operation = channel.get(verb);
            let is_wanted = match wanted.channel {
                Some(channel) => name == channel,
                None => operation.and_then(|operation| operation.get("operationId")?.as_str()) == wanted.operation,
            };
            if is_wanted {
                found = Some((name, channel, operation));
                break;
            }
        }
        let missing = || match (wanted.channel, wanted.operation) {
            (Some(channel), _) => wrong(format!("it has no channel “{channel}”")),
            (None, operation) => wrong(format!("it has no operation “{}” to {verb} by", operation.unwrap_or_default())),
        };
        let (name, channel, operation) = found.ok_or_else(missing)?;
        let operation = operation.ok_or_else(|| wrong(format!("its channel “{name}” has no operation {verb}")))?;
        let message = operation.get("message").map(|message| self.first_message(message)).transpose()?;
        let servers = match channel.get("servers").and_then(Value::as_array).filter(|names| !names.is_empty()) {
            Some(names) => names.iter().filter_map(|name| self.root.get("servers")?.get(name.as_str()?)).collect(),
            None => members(self.root.get("servers")).map(|(_, server)| server).collect(),
        };
        Ok(Described { operation, channel, address: name.clone(), message, servers })
    }

    fn of_three(&self, wanted: &Wanted<'_>) -> Result<Described<'_>, Failure> {
        let name = wanted.operation.ok_or_else(|| wrong("it is of version 3, in which operations are named"))?;
        let operation = self.root.get("operations").and_then(|operations| operations.get(name));
        let operation = self.resolve(operation.ok_or_else(|| wrong(format!("it has no operation “{name}”")))?)?;
        let channel =
            operation.get("channel").ok_or_else(|| wrong(format!("the operation “{name}” has no channel")))?;
        let channel = self.resolve(channel)?;
        let address = channel.get("address").and_then(Value::as_str);
        let address = address.ok_or_else(|| wrong(format!("the channel of “{name}” has no address")))?.to_owned();
        let own = operation.get("messages").and_then(|messages| messages.get(0));
        let message = own.or_else(|| members(channel.get("messages")).map(|(_, message)| message).next());
        let message = message.map(|message| self.first_message(message)).transpose()?;
        let servers = match channel.get("servers").and_then(Value::as_array).filter(|servers| !servers.is_empty()) {
            Some(servers) => servers.iter().collect(),
            None => members(self.root.get("servers")).map(|(_, server)| server).collect(),
        };
        Ok(Described { operation, channel, address, message, servers })
    }

    /// A message, or the first of those that it may be.
    fn first_message<'v>(&'v self, message: &'v Value) -> Result<&'v Value, Failure> {
        let message = self.resolve(message)?;
        match message.get("oneOf").and_then(|messages| messages.get(0)) {
            Some(first) => self.resolve(first),
            None => Ok(message),
        }
    }

    /// The server that is named, or the first of the channel's that speaks the protocol, with its address.
    fn server(&self, candidates: &[&Value], wanted: &Wanted<'_>) -> Result<(Protocol, String), Failure> {
        let named = |server: &Value| server.get("protocol").and_then(Value::as_str).unwrap_or_default().to_owned();
        let server = match (wanted.server, wanted.protocol) {
            (Some(Server { name, .. }), _) => {
                let server = self.root.get("servers").and_then(|servers| servers.get(name));
                self.resolve(server.ok_or_else(|| wrong(format!("it has no server “{name}”")))?)?
            }
            (None, protocol) => {
                let speaks = protocol.and_then(Protocol::named).map(Protocol::name);
                let mut found = None;
                for server in candidates {
                    let server = self.resolve(server)?;
                    if speaks.is_none() || Protocol::named(&named(server)).map(Protocol::name) == speaks {
                        found = Some(server);
                        break;
                    }
                }
                let asked = protocol.map(|protocol| format!(" that speaks {protocol}")).unwrap_or_default();
                found.ok_or_else(|| wrong(format!("the channel has no server{asked}")))?
            }
        };
        let protocol = Protocol::named(&named(server)).ok_or_else(|| {
            wrong(format!("its server speaks “{}”; http, mqtt and ws are served here, also encrypted", named(server)))
        })?;
        let text = |name: &str| server.get(name).and_then(Value::as_str).unwrap_or_default();
        let mut address = match self.version {
            Version::Two => text("url").rsplit("://").next().unwrap_or_default().to_owned(),
            Version::Three => format!("{}{}", text("host"), text("pathname")),
        };
        let given = wanted.server.map(|server| &server.variables);
        for (name, variable) in members(server.get("variables")) {
            let variable = self.resolve(variable)?;
            let default = variable.get("default").and_then(Value::as_str);
            let value = match given.and_then(|given| given.get(name)) {
                Some(value) => allowed(name, &plain_text(value), variable)?,
                None => {
                    default.ok_or_else(|| wrong(format!("the server's variable “{name}” has no value")))?.to_owned()
                }
            };
            address = address.replace(&format!("{{{name}}}"), &value);
        }
        if address.is_empty() || address.contains(['{', '}']) {
            return Err(wrong(format!("the server's address “{address}” is not complete")));
        }
        Ok((protocol, address))
    }

    fn resolve<'v>(&'v self, value: &'v Value) -> Result<&'v Value, Failure> {
        reference::resolve(&self.root, value).map_err(wrong)
    }
}

/// A value for a server's variable. One that the document does not list cannot lead to another host.
fn allowed(name: &str, value: &str, variable: &Value) -> Result<String, Failure> {
    let listed = variable.get("enum").and_then(Value::as_array);
    let fits = match listed {
        Some(values) => values.iter().any(|known| known.as_str() == Some(value)),
        None => !value.is_empty() && value.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.')),
    };
    if fits {
        Ok(value.to_owned())
    } else {
        Err(Failure::configuration(format!("the server's variable “{name}” cannot have this value")))
    }
}

impl Operation {
    /// The channel's address. Parameters take their values from the message that is sent, or their defaults; one that has
    /// none is `anything`, where the protocol has a word for that. Values are written by `write`.
    pub(super) fn address(
        &self,
        sent: Option<&Value>,
        anything: Option<&str>,
        write: impl Fn(&str) -> String,
    ) -> Result<String, Failure> {
        let mut address = self.address.clone();
        for Parameter { name, default, location } in &self.parameters {
            let from_message = location.as_deref().and_then(|location| locate(location, sent?)).map(plain_text);
            let value = from_message.or_else(|| default.clone()).map(|value| write(&value));
            let value = value.or_else(|| anything.map(str::to_owned));
            let value = value.ok_or_else(|| wrong(format!("the channel's parameter “{name}” has no value")))?;
            address = address.replace(&format!("{{{name}}}"), &value);
        }
        Ok(address)
    }

    /// The correlation id that a message carries where the document says.
    pub(super) fn correlation_id(&self, message: &Value) -> Option<String> {
        locate(self.correlation.as_deref()?, message).filter(|id| !id.is_null()).map(plain_text)
    }
}

/// What a runtime expression of the document (`$message.header#/id`, `$message.payload#/user/id`) finds in a message.
fn locate<'m>(expression: &str, message: &'m Value) -> Option<&'m Value> {
    let (part, pointer) = expression.split_once('#').unwrap_or((expression, ""));
    let part = match part {
        "$message.header" => "headers",
        "$message.payload" => "payload",
        _ => return None,
    };
    message.get(part)?.pointer(pointer)
}

fn plain_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn members(object: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    object.and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn two() -> Document {
        let text = json!({
            "asyncapi": "2.6.0",
            "defaultContentType": "application/json",
            "servers": {
                "kafka": {"url": "kafka.test:9092", "protocol": "kafka"},
                "broker": {
                    "url": "mqtt://{environment}.test:{port}", "protocol": "secure-mqtt",
                    "variables": {"environment": {"default": "live"}, "port": {"default": "8883", "enum": ["8883", "8884"]}}
                },
                "web": {"url": "https://web.test/base", "protocol": "https"}
            },
            "channels": {
                "rooms/{room}": {
                    "parameters": {"room": {"location": "$message.payload#/room"}},
                    "publish": {"operationId": "say", "bindings": {"mqtt": {"qos": 0}}, "message": {"oneOf": [{"$ref": "#/components/messages/said"}]}},
                    "subscribe": {"operationId": "hear"},
                    "servers": ["broker", "web"]
                },
                "log": {"publish": {}}
            },
            "components": {"messages": {"said": {"contentType": "text/plain", "correlationId": {"location": "$message.header#/id"}}}}
        });
        Document::read(&text.to_string()).ok().unwrap()
    }

    fn wanted<'a>(action: Action, channel: Option<&'a str>, operation: Option<&'a str>) -> Wanted<'a> {
        Wanted { action, channel, operation, server: None, protocol: None }
    }

    #[test]
    fn version_two_names_channels_and_operations_by_id() {
        let document = two();
        let operation = document.operation(&wanted(Action::Publish, Some("rooms/{room}"), None)).ok().unwrap();
        assert_eq!(
            (operation.protocol, operation.server.as_str()),
            (Protocol::Mqtt { encrypted: true }, "live.test:8883")
        );
        assert_eq!((operation.content_type.as_deref(), &operation.binding["qos"]), (Some("text/plain"), &json!(0)));
        let message = json!({"payload": {"room": "a b"}, "headers": {"id": 7}});
        assert_eq!(operation.address(Some(&message), None, |value| value.replace(' ', "_")).ok().unwrap(), "rooms/a_b");
        assert_eq!(operation.address(None, Some("+"), str::to_owned).ok().unwrap(), "rooms/+");
        assert!(operation.address(None, None, str::to_owned).unwrap_err().to_string().contains("“room” has no value"));
        assert_eq!(operation.correlation_id(&message).as_deref(), Some("7"));
        let heard = document.operation(&wanted(Action::Subscribe, None, Some("hear"))).ok().unwrap();
        assert_eq!(heard.content_type.as_deref(), Some("application/json"));
        let web = Wanted { protocol: Some("http"), ..wanted(Action::Subscribe, None, Some("hear")) };
        assert_eq!(document.operation(&web).ok().unwrap().server, "web.test/base");
        for (wanted, words) in [
            (wanted(Action::Publish, Some("none"), None), "no channel “none”"),
            (wanted(Action::Subscribe, Some("log"), None), "no operation subscribe"),
            (wanted(Action::Publish, None, Some("hear")), "no operation “hear” to publish"),
            (wanted(Action::Publish, Some("log"), None), "speaks “kafka”"),
        ] {
            let error = document.operation(&wanted).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn variables_of_a_server_cannot_lead_elsewhere() {
        let document = two();
        let at = |variables: Value| {
            let server = Server { name: "broker".to_owned(), variables: variables.as_object().unwrap().clone() };
            let wanted = Wanted { server: Some(&server), ..wanted(Action::Publish, Some("log"), None) };
            document.operation(&wanted).map(|operation| operation.server)
        };
        assert_eq!(at(json!({"environment": "test", "port": "8884"})).ok().unwrap(), "test.test:8884");
        for bad in [json!({"port": "22"}), json!({"environment": "evil.example/"}), json!({"environment": "u@evil"})] {
            assert!(at(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn version_three_names_operations() {
        let text = "asyncapi: 3.0.0\nservers:\n  web: {host: 'web.test:8080', pathname: /v1, protocol: http}\n  other: {host: mq.test, \
                    protocol: mqtt}\nchannels:\n  lights: {address: 'lights/{id}', parameters: {id: {default: all}}, servers: [{$ref: \
                    '#/servers/other'}], messages: {on: {$ref: '#/components/messages/on'}}}\noperations:\n  turnOn: {action: receive, \
                    channel: {$ref: '#/channels/lights'}, bindings: {mqtt: {retain: true}}}\ncomponents:\n  messages: {on: {contentType: application/json}}\n";
        let document = Document::read(text).ok().unwrap();
        let operation = document.operation(&wanted(Action::Publish, None, Some("turnOn"))).ok().unwrap();
        assert_eq!((operation.protocol, operation.server.as_str()), (Protocol::Mqtt { encrypted: false }, "mq.test"));
        assert_eq!(operation.address(None, None, str::to_owned).ok().unwrap(), "lights/all");
        assert_eq!((&operation.binding["retain"], operation.content_type.is_some()), (&json!(true), true));
        let error = document.operation(&wanted(Action::Publish, Some("lights"), None)).unwrap_err().to_string();
        assert!(error.contains("operations are named"), "{error}");
        for text in ["{", "asyncapi: 1.2.0", "openapi: 3.0.0"] {
            assert!(Document::read(text).is_err(), "{text}");
        }
    }
}
