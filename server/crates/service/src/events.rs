//! Publishing events: what other systems tell, and runs listen to.

use std::collections::BTreeSet;

use domain::{ErrorCode, FieldError, Operation, Problem, view::PublishedEvents};
use engine::stream;
use identity::vault::contains_sealed;
use policy::Resource;
use serde_json::{Map, Value, json};
use workflow::CloudEvent;

use crate::{Caller, Service, gate::Target, problems::OrProblem as _};

/// The most events of a batch.
const BATCH: usize = 100;
/// The largest event, as JSON text.
const EVENT_LIMIT: usize = 1024 * 1024;
/// Attributes that every event has.
const REQUIRED: [&str; 4] = ["specversion", "id", "source", "type"];

/// What is published, in the JSON format of CloudEvents, not yet checked.
#[derive(Clone, Debug)]
pub enum Publication {
    /// One event.
    One(Value),
    /// Several, in this order.
    Batch(Vec<Value>),
}

impl Publication {
    /// The events with the JSON pointers to them.
    fn events(self) -> Vec<(String, Value)> {
        match self {
            Self::One(event) => vec![(String::new(), event)],
            Self::Batch(events) => {
                events.into_iter().enumerate().map(|(at, event)| (format!("/{at}"), event)).collect()
            }
        }
    }
}

impl Service {
    /// Publishes events to all runs that listen to them, now or later. All of them or, if one is not valid, none. An event
    /// that was published before, by source and id, is counted and does nothing.
    pub async fn publish_events(&self, caller: &Caller, publication: Publication) -> Result<PublishedEvents, Problem> {
        let mut gate = self.enter(caller, Operation::EventPublish).await?;
        gate.authorize(&Resource::system(), &Target::new("events", "", "")).await?;
        let events = check(publication)?;
        let published = stream::publish(gate.unit.as_mut(), gate.now, &events).await.or_problem()?;
        let kinds: BTreeSet<&str> = events.iter().map(CloudEvent::kind).collect();
        let name = kinds.into_iter().collect::<Vec<_>>().join(", ");
        let accepted = u32::try_from(published.accepted).unwrap_or(u32::MAX);
        let duplicates = u32::try_from(published.duplicates).unwrap_or(u32::MAX);
        // What they carry is not for the audit log, which keeps it for ever.
        let named: Vec<Value> = events
            .iter()
            .map(|event| json!({"type": event.kind(), "source": event.source(), "id": event.id()}))
            .collect();
        let detail = json!({"events": named, "accepted": accepted, "duplicates": duplicates});
        gate.finish(&Target::new("events", "", name), detail).await?;
        for run in published.woken {
            self.wake(run);
        }
        if published.schedules {
            self.wake_schedules();
        }
        Ok(PublishedEvents { accepted, duplicates })
    }
}

/// The events, if all of them are valid; else every place that is wrong.
fn check(publication: Publication) -> Result<Vec<CloudEvent>, Problem> {
    let values = publication.events();
    if values.is_empty() || values.len() > BATCH {
        let detail = format!("a batch has 1 to {BATCH} events");
        return Err(Problem::new(if values.is_empty() { ErrorCode::BadRequest } else { ErrorCode::TooLarge })
            .with_detail(detail));
    }
    let mut events = Vec::with_capacity(values.len());
    let mut errors = Vec::new();
    for (pointer, value) in values {
        if value.to_string().len() > EVENT_LIMIT {
            return Err(Problem::new(ErrorCode::TooLarge).with_detail("an event has at most 1 MiB"));
        }
        if contains_sealed(&value) {
            let detail = "the event holds a sealed value of Rondo's own";
            return Err(Problem::new(ErrorCode::BadRequest).with_detail(detail));
        }
        match event(&pointer, value) {
            Ok(event) => events.push(event),
            Err(found) => errors.extend(found),
        }
    }
    if errors.is_empty() { Ok(events) } else { Err(Problem::new(ErrorCode::InvalidInput).with_errors(errors)) }
}

fn event(pointer: &str, value: Value) -> Result<CloudEvent, Vec<FieldError>> {
    let at = |name: &str| format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
    let error = |pointer: String, rule: &str, message: String| FieldError {
        pointer,
        rule: rule.to_owned(),
        expected: Value::Null,
        message,
    };
    let Value::Object(members) = value else {
        return Err(vec![error(pointer.to_owned(), "type", "an event is a JSON object".to_owned())]);
    };
    let mut errors: Vec<FieldError> = REQUIRED
        .into_iter()
        .filter(|name| members.get(*name).is_none_or(Value::is_null))
        .map(|name| error(at(name), "required", format!("an event has the attribute “{name}”")))
        .collect();
    for (name, value) in &members {
        if let Some(message) = attribute_problem(name, value) {
            errors.push(error(at(name), "cloudevents", message));
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    CloudEvent::try_from(members).map_err(|cause| vec![error(pointer.to_owned(), "cloudevents", cause.to_string())])
}

/// What is wrong with an attribute by itself: it would make any event invalid.
fn attribute_problem(name: &str, value: &Value) -> Option<String> {
    let sound = [("id", "1"), ("source", "/"), ("type", "t")];
    let mut members: Map<String, Value> =
        sound.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    if REQUIRED.contains(&name) && value.is_null() {
        return None;
    }
    members.insert(name.to_owned(), value.clone());
    let problem = CloudEvent::try_from(members).err().map(|cause| cause.to_string());
    // PostgreSQL keeps no such character, and CloudEvents allow none.
    let control = name != "data" && value.as_str().is_some_and(|text| text.contains(char::is_control));
    problem.or_else(|| control.then(|| format!("the attribute “{name}” holds a control character")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(publication: Publication) -> Vec<(String, String)> {
        let problem = check(publication).unwrap_err();
        assert_eq!(problem.code, ErrorCode::InvalidInput);
        problem.errors.into_iter().map(|error| (error.pointer, error.rule)).collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(pointer, rule)| ((*pointer).to_owned(), (*rule).to_owned())).collect()
    }

    #[test]
    fn each_error_stands_at_its_attribute() {
        let found = errors(Publication::One(json!({"specversion": "0.3", "id": "", "type": "t", "time": "now"})));
        let expected = [
            ("/source", "required"),
            ("/specversion", "cloudevents"),
            ("/id", "cloudevents"),
            ("/time", "cloudevents"),
        ];
        assert_eq!(found, pairs(&expected));
        let good = json!({"specversion": "1.0", "id": "1", "source": "/a", "type": "t"});
        assert_eq!(check(Publication::One(good.clone())).unwrap().len(), 1);
        let odd = json!({"specversion": "1.0", "id": "a\u{0}b", "source": "/a", "type": "t", "roomId": 1});
        let found = errors(Publication::Batch(vec![good.clone(), odd, json!(7)]));
        assert_eq!(found, pairs(&[("/1/id", "cloudevents"), ("/1/roomId", "cloudevents"), ("/2", "type")]));
        let mut both = good;
        both["data"] = json!(1);
        both["data_base64"] = json!("AA==");
        assert_eq!(errors(Publication::One(both)), pairs(&[("", "cloudevents")]));
    }

    #[test]
    fn batches_and_events_are_bounded() {
        let good = json!({"specversion": "1.0", "id": "1", "source": "/a", "type": "t"});
        let code = |publication| check(publication).unwrap_err().code;
        assert_eq!(code(Publication::Batch(Vec::new())), ErrorCode::BadRequest);
        assert_eq!(code(Publication::Batch(vec![good.clone(); 101])), ErrorCode::TooLarge);
        assert!(check(Publication::Batch(vec![good.clone(); 100])).is_ok());
        let mut large = good;
        large["data"] = json!("x".repeat(EVENT_LIMIT));
        assert_eq!(code(Publication::One(large)), ErrorCode::TooLarge);
    }
}
