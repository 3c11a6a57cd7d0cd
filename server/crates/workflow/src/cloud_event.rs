//! [`CloudEvent`]: an event as the specification has it (CloudEvents 1.0).

use std::fmt;

use domain::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Attributes that are text, beside `specversion`.
const TEXTS: [&str; 7] = ["id", "source", "type", "time", "subject", "datacontenttype", "dataschema"];

/// A `CloudEvents` 1.0 event: its JSON object, checked once and never changed. `source` and `id` together tell it from
/// every other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct CloudEvent {
    members: Map<String, Value>,
}

/// What keeps a value from being a `CloudEvent`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no CloudEvent: {0}")]
pub struct InvalidCloudEvent(pub(crate) String);

impl CloudEvent {
    /// Reads the JSON format of CloudEvents (structured mode). `specversion` counts as `1.0` where it is absent.
    pub fn from_value(value: Value) -> Result<Self, InvalidCloudEvent> {
        match value {
            Value::Object(members) => Self::try_from(members),
            _ => Err(InvalidCloudEvent("expected an object".to_owned())),
        }
    }

    /// The whole event as JSON: the envelope.
    pub fn to_value(&self) -> Value {
        Value::Object(self.members.clone())
    }

    fn text(&self, name: &str) -> &str {
        self.members.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Tells it from other events of the same source.
    pub fn id(&self) -> &str {
        self.text("id")
    }

    /// The context in which it happened: a URI or a part of one.
    pub fn source(&self) -> &str {
        self.text("source")
    }

    /// What kind of thing happened.
    pub fn kind(&self) -> &str {
        self.text("type")
    }

    /// When it happened, if that is said.
    pub fn time(&self) -> Option<Timestamp> {
        self.attribute("time")?.as_str()?.parse().ok()
    }

    /// A context attribute or `data`.
    pub fn attribute(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    /// Its data as JSON; binary data as the base64 text of `data_base64`; null without data.
    pub fn data(&self) -> &Value {
        self.members.get("data").or_else(|| self.members.get("data_base64")).unwrap_or(&Value::Null)
    }
}

impl fmt::Display for CloudEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} from {}", self.kind(), self.id(), self.source())
    }
}

impl TryFrom<Map<String, Value>> for CloudEvent {
    type Error = InvalidCloudEvent;

    fn try_from(mut members: Map<String, Value>) -> Result<Self, Self::Error> {
        match members.get("specversion") {
            None => {
                members.shift_insert(0, "specversion".to_owned(), Value::from("1.0"));
            }
            Some(Value::String(version)) if version == "1.0" => {}
            Some(_) => return Err(InvalidCloudEvent("the attribute “specversion” must be “1.0”".to_owned())),
        }
        for name in ["id", "source", "type"] {
            if members.get(name).and_then(Value::as_str).is_none_or(str::is_empty) {
                return Err(InvalidCloudEvent(format!("the attribute “{name}” must be a text that is not empty")));
            }
        }
        // Null is how JSON producers write that an attribute is absent.
        members.retain(|name, value| name == "data" || !value.is_null());
        for (name, value) in &members {
            if let Some(problem) = attribute_problem(name, value) {
                return Err(InvalidCloudEvent(problem));
            }
        }
        if members.contains_key("data") && members.contains_key("data_base64") {
            return Err(InvalidCloudEvent("it has both “data” and “data_base64”".to_owned()));
        }
        Ok(Self { members })
    }
}

impl From<CloudEvent> for Map<String, Value> {
    fn from(event: CloudEvent) -> Self {
        event.members
    }
}

/// What is wrong with an attribute of an event.
pub(crate) fn attribute_problem(name: &str, value: &Value) -> Option<String> {
    if name == "data" {
        return None;
    }
    if name == "data_base64" {
        return (!value.is_string()).then(|| "“data_base64” must be a text".to_owned());
    }
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()) {
        return Some(format!("“{name}” is no attribute: expected lower-case letters and digits"));
    }
    if TEXTS.contains(&name) {
        let Some(text) = value.as_str() else { return Some(format!("the attribute “{name}” must be a text")) };
        let is_uri = !text.contains(|c: char| c.is_whitespace() || c.is_control());
        return match name {
            "time" if text.parse::<Timestamp>().is_err() => {
                Some(format!("the attribute “time” must be an RFC 3339 date and time, not “{text}”"))
            }
            "source" if !is_uri => Some(format!("the attribute “source” must be a URI, not “{text}”")),
            "dataschema" if url::Url::parse(text).is_err() => {
                Some(format!("the attribute “dataschema” must be an absolute URI, not “{text}”"))
            }
            _ => None,
        };
    }
    let scalar = value.is_string() || value.is_boolean() || value.is_i64();
    (!scalar).then(|| format!("the attribute “{name}” must be a text, a whole number or a boolean"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_what_the_standard_allows() {
        let event = CloudEvent::from_value(json!({
            "specversion": "1.0", "id": "1", "source": "/sensors", "type": "com.example.hot",
            "time": "2026-11-25T17:00:00+09:00", "subject": null, "roomid": 7, "data": null
        }))
        .unwrap();
        assert_eq!((event.id(), event.source(), event.kind()), ("1", "/sensors", "com.example.hot"));
        assert_eq!(event.time(), "2026-11-25T08:00:00Z".parse().ok());
        assert_eq!(event.attribute("roomid"), Some(&json!(7)));
        assert_eq!(event.attribute("subject"), None);
        let read: CloudEvent = serde_json::from_str(&serde_json::to_string(&event).unwrap()).unwrap();
        assert_eq!(read, event);
    }

    #[test]
    fn refuses_what_it_does_not_allow() {
        let base = json!({"specversion": "1.0", "id": "1", "source": "s", "type": "t"});
        for (name, value) in [
            ("specversion", json!("0.3")),
            ("id", json!("")),
            ("source", json!("a b")),
            ("type", json!(1)),
            ("time", json!("yesterday")),
            ("dataschema", json!("schema")),
            ("roomId", json!("x")),
            ("room", json!({})),
            ("room", json!(1.5)),
            ("data_base64", json!(1)),
        ] {
            let mut event = base.clone();
            event[name] = value;
            assert!(CloudEvent::from_value(event.clone()).is_err(), "{event}");
        }
        assert!(CloudEvent::from_value(base).is_ok());
        assert!(CloudEvent::from_value(json!([])).is_err());
        let both = json!({"id": "1", "source": "s", "type": "t", "data": 1, "data_base64": "AA=="});
        assert!(CloudEvent::from_value(both).is_err());
    }
}
