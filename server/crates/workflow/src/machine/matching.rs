//! Which events are consumed: filters, correlations, and how far a consumption strategy has come
//! (dsl-reference.md, "Event Consumption Strategy", "Event Filter", "Correlation").

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::scope::expression_error;
use crate::definition::model::{Consumption, Correlation, Filter, Matcher, Mode, Until};
use crate::expression::Variables;
use crate::{CloudEvent, EventFilter, RunError};

/// How far a consumption strategy has come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Progress {
    /// The events consumed, by source and id.
    taken: BTreeSet<String>,
    /// The correlation keys that are known.
    keys: Map<String, Value>,
    /// The filters that an event was consumed for.
    met: BTreeSet<usize>,
    /// What correlations expect, by filter and name; where nothing is expected there is no entry.
    expected: BTreeMap<usize, Map<String, Value>>,
    /// How far `until` has come, if it is about events.
    until: Option<Box<Progress>>,
}

/// An event that would be consumed.
pub(crate) struct Match {
    filter: usize,
    keys: Map<String, Value>,
    event: String,
    ends: bool,
}

impl Match {
    /// Whether it counts for `until` only.
    pub(crate) fn ends(&self) -> bool {
        self.ends
    }
}

impl Progress {
    /// Before the first event. What correlations expect is decided here, once and for all.
    pub(crate) fn begin(to: &Consumption, input: &Value, variables: &dyn Variables) -> Result<Self, RunError> {
        let mut progress = Self::default();
        for (position, filter) in to.filters.iter().enumerate() {
            for Correlation { name, expect, .. } in &filter.correlations {
                let Some(expect) = expect else { continue };
                let place = format!("correlate.{name}.expect");
                let value = expect.evaluate(input, variables).map_err(|error| expression_error(&error, &place))?;
                if !value.is_null() {
                    progress.expected.entry(position).or_default().insert(name.clone(), value);
                }
            }
        }
        if let Some(Until::Events(until)) = &to.until {
            progress.until = Some(Box::new(Self::begin(until, input, variables)?));
        }
        Ok(progress)
    }

    /// Whether an event would be consumed, and for what.
    pub(crate) fn offer(&self, to: &Consumption, event: &CloudEvent, variables: &dyn Variables) -> Option<Match> {
        if let (Some(Until::Events(until)), Some(progress)) = (&to.until, &self.until)
            && let Some(found) = progress.find(until, event, &self.keys, variables)
        {
            return Some(Match { ends: true, ..found });
        }
        self.find(to, event, &self.keys, variables)
    }

    fn find(
        &self,
        to: &Consumption,
        event: &CloudEvent,
        known: &Map<String, Value>,
        variables: &dyn Variables,
    ) -> Option<Match> {
        let name = name(event);
        if self.taken.contains(&name) {
            return None;
        }
        if to.filters.is_empty() {
            return Some(Match { filter: 0, keys: known.clone(), event: name, ends: false });
        }
        let open = |position: &usize| to.mode != Mode::All || !self.met.contains(position);
        let mut filters = to.filters.iter().enumerate().filter(|(position, _)| open(position));
        filters.find_map(|(position, filter)| {
            if !filter.attributes.iter().all(|(name, matcher)| fits(matcher, name, event, variables)) {
                return None;
            }
            let keys = correlate(filter, self.expected.get(&position), event, known, variables)?;
            Some(Match { filter: position, keys, event: name.clone(), ends: false })
        })
    }

    /// Consumes an event.
    pub(crate) fn take(&mut self, found: Match) {
        self.keys = found.keys;
        let (met, taken) = match &mut self.until {
            Some(until) if found.ends => (&mut until.met, &mut until.taken),
            _ => (&mut self.met, &mut self.taken),
        };
        met.insert(found.filter);
        taken.insert(found.event);
    }

    /// Consumes a message by its id; false if it has been.
    pub(crate) fn take_message(&mut self, id: &str) -> bool {
        self.taken.insert(id.to_owned())
    }

    /// How many messages have been consumed.
    pub(crate) fn messages(&self) -> usize {
        self.taken.len()
    }

    /// Whether nothing more is wanted. A condition of `until` is not asked here.
    pub(crate) fn is_complete(&self, to: &Consumption) -> bool {
        match (&to.until, to.mode) {
            (Some(Until::Events(until)), _) => self.until.as_ref().is_some_and(|progress| progress.is_complete(until)),
            (Some(Until::Condition(_)), _) => false,
            (None, Mode::All) => self.met.len() == to.filters.len(),
            (None, Mode::One | Mode::Any) => !self.taken.is_empty(),
        }
    }

    /// The correlation keys that were found.
    pub(crate) fn keys(&self) -> &Map<String, Value> {
        &self.keys
    }
}

/// What tells an event from every other. A source holds no space.
pub(crate) fn name(event: &CloudEvent) -> String {
    format!("{} {}", event.source(), event.id())
}

/// What a router can know of a strategy.
pub(crate) fn filters(to: &Consumption) -> Vec<EventFilter> {
    let mut found = BTreeSet::new();
    collect(to, &mut found);
    found.into_iter().collect()
}

fn collect(to: &Consumption, into: &mut BTreeSet<EventFilter>) {
    if to.filters.is_empty() {
        into.insert(EventFilter { kind: None, source: None });
    }
    for filter in &to.filters {
        let exact = |wanted: &str| {
            filter.attributes.iter().find_map(|(name, matcher)| match matcher {
                Matcher::Text(text, None) if name == wanted => Some(text.clone()),
                _ => None,
            })
        };
        into.insert(EventFilter { kind: exact("type"), source: exact("source") });
    }
    if let Some(Until::Events(until)) = &to.until {
        collect(until, into);
    }
}

/// Whether an attribute of an event is as a filter wants it. An expression that cannot be evaluated on what somebody else
/// sent does not fit; it must not bring the run down.
fn fits(matcher: &Matcher, name: &str, event: &CloudEvent, variables: &dyn Variables) -> bool {
    let found = if name == "data" { Some(event.data()) } else { event.attribute(name) };
    let Some(found) = found else { return false };
    match matcher {
        Matcher::Text(text, pattern) => plain(found)
            .is_some_and(|found| found == *text || pattern.as_ref().is_some_and(|pattern| pattern.is_match(&found))),
        Matcher::Value(value) => contains(found, value),
        Matcher::Expression(expression) => match expression.evaluate(found, variables) {
            Ok(Value::Bool(holds)) => holds,
            Ok(Value::Null) | Err(_) => false,
            Ok(value) => *found == value,
        },
        Matcher::Template(template) => template.evaluate(found, variables).is_ok_and(|value| contains(found, &value)),
    }
}

/// The keys after an event, if it correlates.
fn correlate(
    filter: &Filter,
    expected: Option<&Map<String, Value>>,
    event: &CloudEvent,
    known: &Map<String, Value>,
    variables: &dyn Variables,
) -> Option<Map<String, Value>> {
    let mut keys = known.clone();
    if filter.correlations.is_empty() {
        return Some(keys);
    }
    let envelope = event.to_value();
    for Correlation { name, from, .. } in &filter.correlations {
        let value = from.evaluate(&envelope, variables).ok()?;
        let wanted = expected.and_then(|expected| expected.get(name)).or_else(|| keys.get(name));
        match wanted {
            Some(wanted) if !same(&value, wanted) => return None,
            // A missing value sets no expectation.
            None if value.is_null() => {}
            _ => {
                keys.insert(name.clone(), value);
            }
        }
    }
    Some(keys)
}

/// Whether two values are the same; a constant of a definition is text, whatever it stands for.
fn same(found: &Value, wanted: &Value) -> bool {
    found == wanted || plain(found).is_some_and(|found| plain(wanted).is_some_and(|wanted| found == wanted))
}

/// A scalar as text.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// Whether a value is as wanted: objects may have more members, everything else must be equal.
fn contains(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            wanted.iter().all(|(name, wanted)| found.get(name).is_some_and(|found| contains(found, wanted)))
        }
        _ => found == wanted,
    }
}
