//! Decodes what has to do with events: `emit`, `listen`, event consumption strategies and their filters.

use std::sync::Arc;

use regex::Regex;
use serde_json::Value;

use super::catalogue::Capability;
use super::cursor::{Cursor, Object};
use super::model::{
    Call, Consume, Consumption, Correlation, EventIterator, Filter, Lifetime, Listen, Matcher, Mode, Read, Span,
    TaskKind, Until,
};
use super::parts::{Decoder, Place};
use crate::cloud_event::attribute_problem;
use crate::diagnostic::suggestion;
use crate::expression::{Template, as_expression, contains_expression};

/// Text with any of these may be a regular expression; a dot alone stands in every type.
const PATTERN: [char; 13] = ['^', '$', '*', '+', '?', '(', ')', '[', ']', '{', '}', '|', '\\'];
/// The largest compiled pattern, in bytes.
const PATTERN_LIMIT: usize = 256 * 1024;
/// The most filters of a strategy.
const MAX_FILTERS: usize = 100;

impl Decoder<'_> {
    pub(super) fn emit(&mut self, at: &Cursor<'_>) -> TaskKind {
        let with = at
            .object(&mut self.diagnostics, &["event"])
            .and_then(|emit| emit.require(&mut self.diagnostics, "event"))
            .and_then(|event| event.object(&mut self.diagnostics, &["with"]))
            .and_then(|event| event.require(&mut self.diagnostics, "with"));
        let Some((at, with)) = with.and_then(|at| Some((at.clone(), at.open_object(&mut self.diagnostics)?))) else {
            return TaskKind::Unsupported;
        };
        for name in ["source", "type"] {
            with.require(&mut self.diagnostics, name);
        }
        self.attributes(&with);
        TaskKind::Emit(self.template(&at, Place::Task))
    }

    /// Checks the attributes of an event as far as they are written out.
    fn attributes(&mut self, with: &Object<'_>) {
        for (name, at) in with.entries() {
            let value = at.node.to_value();
            if name != "data" && contains_expression(&value) || self.loose && value.is_string() {
                continue;
            }
            if let Some(problem) = attribute_problem(name, &value) {
                at.report(&mut self.diagnostics, problem);
            }
        }
    }

    pub(super) fn listen(&mut self, at: &Cursor<'_>, object: &Object<'_>, reference: &str) -> TaskKind {
        let iterator = object.get("foreach").and_then(|foreach| self.iterator(&foreach, reference));
        let Some(listen) = at.object(&mut self.diagnostics, &["to", "read"]) else { return TaskKind::Unsupported };
        let read = listen.get("read").and_then(|read| Some((read.clone(), read.text(&mut self.diagnostics)?)));
        let read = match read {
            None | Some((_, "data")) => Read::Data,
            Some((_, "envelope")) => Read::Envelope,
            Some((_, "raw")) => Read::Raw,
            Some((at, other)) => {
                let hint = suggestion(other, ["data", "envelope", "raw"]);
                at.report(&mut self.diagnostics, format!("expected data, envelope or raw, found “{other}”{hint}"));
                Read::Data
            }
        };
        let to = listen.require(&mut self.diagnostics, "to").and_then(|to| self.consumption(&to, Place::Task, true));
        match to {
            Some(to) => TaskKind::Listen(Box::new(Listen { to, read, iterator })),
            None => TaskKind::Unsupported,
        }
    }

    /// A call of `asyncapi` that subscribes. The connector sees the subscription as it is written: what is consumed, and
    /// for how long, is decided by the machine.
    pub(super) fn consume(
        &mut self,
        with: &Cursor<'_>,
        at: &Cursor<'_>,
        mut value: Value,
        schema: Arc<jsonschema::Validator>,
        reference: &str,
    ) -> TaskKind {
        self.needs(at, Capability::Consume);
        let Some(object) = at.object(&mut self.diagnostics, &["filter", "consume", "foreach"]) else {
            return TaskKind::Unsupported;
        };
        let filter = object.get("filter").and_then(|filter| self.expression(&filter, Place::Task));
        let iterator = object
            .get("foreach")
            .and_then(|foreach| self.iterator(&foreach, &format!("{reference}/with/subscription")));
        let lifetime = object.require(&mut self.diagnostics, "consume").and_then(|consume| self.lifetime(&consume));
        let members = value.as_object_mut();
        let subscription = members.and_then(|members| members.shift_remove("subscription")).unwrap_or_default();
        let with = self.template_of(with, &value, Place::CallWith).with_constant("subscription", subscription);
        let call = Call { function: "asyncapi".to_owned(), with, schema };
        match lifetime {
            Some((lifetime, limit)) => TaskKind::Consume(Box::new(Consume { call, filter, lifetime, limit, iterator })),
            None => TaskKind::Unsupported,
        }
    }

    fn lifetime(&mut self, at: &Cursor<'_>) -> Option<(Lifetime, Option<Span>)> {
        let object = at.object(&mut self.diagnostics, &["amount", "for", "while", "until"])?;
        let limit = object.get("for").and_then(|limit| self.span(&limit, Place::Task));
        let found: Vec<&str> = ["amount", "while", "until"].into_iter().filter(|name| object.has(name)).collect();
        let [name] = found.as_slice() else {
            at.report(&mut self.diagnostics, "expected exactly one of amount, while, until");
            return None;
        };
        let condition = object.get(name)?;
        let lifetime = match *name {
            "amount" => {
                let amount = condition.integer(&mut self.diagnostics, 1, 1_000_000)?;
                Lifetime::Amount(usize::try_from(amount).ok()?)
            }
            "while" => Lifetime::While(self.expression(&condition, Place::Task)?),
            _ => Lifetime::Until(self.expression(&condition, Place::Task)?),
        };
        Some((lifetime, limit))
    }

    fn iterator(&mut self, at: &Cursor<'_>, reference: &str) -> Option<EventIterator> {
        let foreach = at.object(&mut self.diagnostics, &["item", "at", "do", "output", "export"])?;
        let item = self.variable_name(foreach.get("item"), "item");
        let index = self.variable_name(foreach.get("at"), "index");
        let before = self.locals.len();
        self.locals.extend([item.clone(), index.clone()]);
        let body = foreach.get("do").map(|list| self.task_list(&list, &format!("{reference}/foreach/do")));
        let output = self.data_step(foreach.get("output"), "as", Place::Task);
        let export = self.data_step(foreach.get("export"), "as", Place::Export);
        self.locals.truncate(before);
        Some(EventIterator { item, at: index, body, output, export })
    }

    /// An event consumption strategy. `open` says whether it may go on `until` something.
    pub(super) fn consumption(&mut self, at: &Cursor<'_>, place: Place, open: bool) -> Option<Consumption> {
        let known: &[&str] = if open { &["all", "any", "one", "until"] } else { &["all", "any", "one"] };
        let object = at.object(&mut self.diagnostics, known)?;
        let modes: Vec<&str> = ["all", "any", "one"].into_iter().filter(|name| object.has(name)).collect();
        let [name] = modes.as_slice() else {
            at.report(&mut self.diagnostics, "expected exactly one of all, any, one");
            return None;
        };
        let events = object.get(name)?;
        let (mode, filters) = match *name {
            "one" => (Mode::One, vec![events]),
            "any" => (Mode::Any, events.list(&mut self.diagnostics)),
            _ => (Mode::All, events.list(&mut self.diagnostics)),
        };
        if mode == Mode::All && filters.is_empty() {
            object.get(name)?.report(&mut self.diagnostics, "expected at least one event filter");
        }
        if filters.len() > MAX_FILTERS {
            at.report(&mut self.diagnostics, format!("expected at most {MAX_FILTERS} event filters"));
            return None;
        }
        let filters = filters.iter().filter_map(|filter| self.event_filter(filter, place)).collect();
        let until = object.get("until").and_then(|until| {
            if mode != Mode::Any {
                let message = "`until` goes with `any` only; `one` and `all` end by themselves";
                self.diagnostics.report(until.span, &until.path, message);
                return None;
            }
            if until.is_object() {
                return Some(Until::Events(Box::new(self.consumption(&until, place, false)?)));
            }
            self.expression(&until, place).map(Until::Condition)
        });
        Some(Consumption { mode, filters, until })
    }

    fn event_filter(&mut self, at: &Cursor<'_>, place: Place) -> Option<Filter> {
        let object = at.object(&mut self.diagnostics, &["with", "correlate"])?;
        let with = object.require(&mut self.diagnostics, "with")?.open_object(&mut self.diagnostics)?;
        if with.is_empty() {
            with.at.report(&mut self.diagnostics, "expected at least one attribute, such as type or source");
        }
        let attributes = with
            .entries()
            .map(|(name, at)| {
                let plain = name != "data" && name != "data_base64";
                if plain && !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()) {
                    let message = format!("“{name}” is no attribute: expected lower-case letters and digits");
                    self.diagnostics.report(at.span, &at.path, message);
                }
                (name.to_owned(), self.matcher(&at, place))
            })
            .collect();
        let correlate = object.get("correlate").and_then(|correlate| correlate.open_object(&mut self.diagnostics));
        let correlations = correlate.iter().flat_map(Object::entries);
        let correlations = correlations.filter_map(|(name, at)| self.correlation(name, &at, place)).collect::<Vec<_>>();
        Some(Filter { attributes, correlations })
    }

    fn matcher(&mut self, at: &Cursor<'_>, place: Place) -> Matcher {
        let value = at.node.to_value();
        match &value {
            Value::String(text) if as_expression(text).is_some() => {
                self.expression(at, place).map_or(Matcher::Value(Value::Null), Matcher::Expression)
            }
            Value::String(text) => Matcher::Text(text.clone(), pattern(text)),
            value if contains_expression(value) => Matcher::Template(self.template(at, place)),
            _ => Matcher::Value(value),
        }
    }

    fn correlation(&mut self, name: &str, at: &Cursor<'_>, place: Place) -> Option<Correlation> {
        let object = at.object(&mut self.diagnostics, &["from", "expect"])?;
        let from = object.require(&mut self.diagnostics, "from");
        let expect: Option<Template> = object.get("expect").map(|expect| self.template(&expect, place));
        Some(Correlation { name: name.to_owned(), from: self.expression(&from?, place)?, expect })
    }
}

/// The text as a pattern for the whole of a value, if it looks like one and is one.
fn pattern(text: &str) -> Option<Regex> {
    if !text.contains(PATTERN) {
        return None;
    }
    regex::RegexBuilder::new(&format!("^(?:{text})$")).size_limit(PATTERN_LIMIT).build().ok()
}
