//! Reads YAML or JSON into a tree whose every node knows its place in the source.
//!
//! Strict and bounded: one document, at most 1 MiB and 64 levels deep, no aliases, no tags, no duplicate keys, and only
//! what JSON can express. JSON is read as the subset of YAML that it is.

use serde_json::{Map, Number, Value};
use serde_saphyr::granit_parser::{Event, Options, Parser, ScalarStyle, Span as MarkedSpan};

use crate::diagnostic::{Diagnostics, Span};

/// The largest source, in bytes.
pub(crate) const MAX_SOURCE_BYTES: usize = 1024 * 1024;
/// The deepest nesting of a document.
pub(crate) const MAX_DEPTH: usize = 64;
/// The most nodes of a document.
const MAX_NODES: usize = 200_000;

/// A value with its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) kind: NodeKind,
}

#[derive(Debug, Clone)]
pub(crate) enum NodeKind {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Object(Vec<Property>),
}

/// A key of an object with its place, and the value.
#[derive(Debug, Clone)]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) value: Node,
}

impl Node {
    /// What it is, for messages: `a string`, `an object`, …
    pub(crate) fn describe(&self) -> &'static str {
        match &self.kind {
            NodeKind::Null => "nothing (null)",
            NodeKind::Bool(_) => "true or false",
            NodeKind::Number(_) => "a number",
            NodeKind::Text(_) => "a string",
            NodeKind::List(_) => "a list",
            NodeKind::Object(_) => "an object",
        }
    }

    pub(crate) fn to_value(&self) -> Value {
        match &self.kind {
            NodeKind::Null => Value::Null,
            NodeKind::Bool(value) => Value::Bool(*value),
            NodeKind::Number(number) => Value::Number(number.clone()),
            NodeKind::Text(text) => Value::String(text.clone()),
            NodeKind::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            NodeKind::Object(properties) => Value::Object(
                properties
                    .iter()
                    .map(|property| (property.name.clone(), property.value.to_value()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    /// Where the property that a JSON pointer names is written, or the nearest node above it.
    pub(crate) fn nearest_name(&self, pointer: &str) -> Span {
        let (parent, name) = pointer.rsplit_once('/').unwrap_or(("", ""));
        let name = name.replace("~1", "/").replace("~0", "~");
        if let NodeKind::Object(properties) = &self.nearest(parent).kind
            && let Some(property) = properties.iter().find(|property| property.name == name)
        {
            return property.span;
        }
        self.nearest(pointer).span
    }

    /// The node at a JSON pointer relative to this one, or the nearest one above it that exists.
    pub(crate) fn nearest(&self, pointer: &str) -> &Self {
        let mut node = self;
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            let next = match &node.kind {
                NodeKind::List(items) => token.parse::<usize>().ok().and_then(|index| items.get(index)),
                NodeKind::Object(properties) => {
                    properties.iter().find(|property| property.name == token).map(|property| &property.value)
                }
                _ => None,
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node
    }
}

/// A step of a JSON pointer, escaped.
pub(crate) fn escape_pointer(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

/// Reads the source. Whatever is wrong with its form is reported; without a usable document it is `None`.
pub(crate) fn read(source: &str, diagnostics: &mut Diagnostics) -> Option<Node> {
    let start = Span { line: 1, column: 1 };
    if source.len() > MAX_SOURCE_BYTES {
        diagnostics.report(
            start,
            "",
            format!("the definition has {} bytes; the limit is {MAX_SOURCE_BYTES}", source.len()),
        );
        return None;
    }
    let mut options = Options::default();
    options.emit_comments = false;
    options.simple_key_max_lookahead = 16 * 1024;
    options.flow_nesting_limit = MAX_DEPTH + 1;
    options.block_nesting_limit = MAX_DEPTH + 1;
    let mut builder = Builder { stack: Vec::new(), root: None, nodes: 0 };
    let mut documents = 0;
    for event in Parser::new_from_str_with_options(source, options) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                let marker = error.marker();
                let span = Span { line: marker.line().max(1), column: marker.col() + 1 };
                let message = match error.info() {
                    info if info.contains("recursion limit") => format!("nested deeper than {MAX_DEPTH} levels"),
                    info => format!("this is not well-formed YAML or JSON: {info}"),
                };
                diagnostics.report(span, "", message);
                return None;
            }
        };
        let place = place(&span);
        match event {
            Event::DocumentStart(..) => {
                documents += 1;
                if documents > 1 {
                    diagnostics.report(place, "", "a definition is a single document; this is the start of another");
                    return None;
                }
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                diagnostics.report(place, "", "aliases (`*name`) are not supported; write the value out");
                return None;
            }
            Event::Scalar(text, style, _, tag) => {
                if tag.as_ref().is_some_and(|tag| tag.is_custom()) {
                    diagnostics.report(place, "", "tags (`!name`) are not supported");
                }
                let forced_text = tag.as_ref().is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
                let kind = if style == ScalarStyle::Plain && !forced_text {
                    plain(&text, place, diagnostics)
                } else {
                    NodeKind::Text(text.into_owned())
                };
                builder.value(Node { span: place, kind }, diagnostics);
            }
            Event::SequenceStart(..) => builder.open(Frame::List(place, Vec::new())),
            Event::MappingStart(..) => builder.open(Frame::Object(place, Vec::new(), None)),
            Event::SequenceEnd | Event::MappingEnd => builder.close(diagnostics),
            _ => {}
        }
        if builder.stack.len() > MAX_DEPTH {
            diagnostics.report(place, "", format!("nested deeper than {MAX_DEPTH} levels"));
            return None;
        }
        if builder.nodes > MAX_NODES {
            diagnostics.report(place, "", format!("more than {MAX_NODES} values"));
            return None;
        }
    }
    if builder.root.is_none() && diagnostics.is_empty() {
        diagnostics.report(start, "", "the definition is empty");
    }
    builder.root
}

fn place(span: &MarkedSpan) -> Span {
    Span { line: span.start.line().max(1), column: span.start.col() + 1 }
}

enum Frame {
    List(Span, Vec<Node>),
    Object(Span, Vec<Property>, Option<(String, Span)>),
}

struct Builder {
    stack: Vec<Frame>,
    root: Option<Node>,
    nodes: usize,
}

impl Builder {
    fn open(&mut self, frame: Frame) {
        self.stack.push(frame);
    }

    fn close(&mut self, diagnostics: &mut Diagnostics) {
        let node = match self.stack.pop() {
            Some(Frame::List(span, items)) => Node { span, kind: NodeKind::List(items) },
            Some(Frame::Object(span, properties, _)) => Node { span, kind: NodeKind::Object(properties) },
            None => return,
        };
        self.value(node, diagnostics);
    }

    fn value(&mut self, node: Node, diagnostics: &mut Diagnostics) {
        self.nodes += 1;
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Frame::List(_, items)) => items.push(node),
            Some(Frame::Object(_, properties, pending)) => match pending.take() {
                None => *pending = Some((key(&node, diagnostics), node.span)),
                Some((name, span)) => {
                    if let Some(first) = properties.iter().find(|property| property.name == name) {
                        let line = first.span.line;
                        diagnostics.report(span, "", format!("“{name}” is already given on line {line}"));
                    } else {
                        properties.push(Property { name, span, value: node });
                    }
                }
            },
        }
    }
}

/// A key as text. Whatever is a scalar in YAML may be one (`404:`), as in JSON it is a string anyway.
fn key(node: &Node, diagnostics: &mut Diagnostics) -> String {
    match &node.kind {
        NodeKind::Text(text) => text.clone(),
        NodeKind::Number(number) => number.to_string(),
        NodeKind::Bool(value) => value.to_string(),
        NodeKind::Null => "null".to_owned(),
        NodeKind::List(_) | NodeKind::Object(_) => {
            diagnostics.report(node.span, "", format!("a property name must be a string, not {}", node.describe()));
            String::new()
        }
    }
}

/// A plain scalar by YAML's core schema.
pub(crate) fn plain(text: &str, span: Span, diagnostics: &mut Diagnostics) -> NodeKind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return NodeKind::Null,
        "true" | "True" | "TRUE" => return NodeKind::Bool(true),
        "false" | "False" | "FALSE" => return NodeKind::Bool(false),
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if let ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN" = unsigned {
        diagnostics.report(span, "", format!("“{text}” is not a number in JSON"));
        return NodeKind::Null;
    }
    if let Some(number) = number(text, unsigned) {
        return NodeKind::Number(number);
    }
    NodeKind::Text(text.to_owned())
}

fn number(text: &str, unsigned: &str) -> Option<Number> {
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().map(Number::from);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return u64::from_str_radix(digits, 8).ok().map(Number::from);
    }
    let starts_as_number = unsigned.starts_with(|c: char| c.is_ascii_digit())
        || (unsigned.starts_with('.')
            && unsigned.get(1..2).is_some_and(|c| c.starts_with(|c: char| c.is_ascii_digit())));
    let only_number_characters = unsigned.chars().all(|c| matches!(c, '0'..='9' | '.' | 'e' | 'E' | '-' | '+'));
    if !starts_as_number || !only_number_characters {
        return None;
    }
    let plain = text.strip_prefix('+').unwrap_or(text);
    if let Ok(number) = plain.parse::<i64>() {
        return Some(Number::from(number));
    }
    if let Ok(number) = plain.parse::<u64>() {
        return Some(Number::from(number));
    }
    plain.parse::<f64>().ok().and_then(Number::from_f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn value(source: &str) -> Value {
        let mut diagnostics = Diagnostics::default();
        let node = read(source, &mut diagnostics);
        let found = diagnostics.finish();
        assert!(found.is_empty(), "{found:?}");
        node.unwrap().to_value()
    }

    fn complaint(source: &str) -> String {
        let mut diagnostics = Diagnostics::default();
        let _ = read(source, &mut diagnostics);
        diagnostics.finish().first().map(ToString::to_string).unwrap_or_default()
    }

    #[test]
    fn yaml_and_json_read_alike() {
        let expected = json!({"a": [1, -2.5, "x", true, null], "b": {"c": "1.0.3", "d": "no"}});
        assert_eq!(value("a: [1, -2.5, x, true, null]\nb:\n  c: 1.0.3\n  d: no\n"), expected);
        assert_eq!(value("{\n\t\"a\":[1,-2.5,\"x\",true,null],\n\t\"b\":{\"c\":\"1.0.3\",\"d\":\"no\"}}"), expected);
    }

    #[test]
    fn form_errors_have_a_place() {
        assert!(complaint("a: 1\nb: [1, 2\nc: 3").starts_with("3:"), "{}", complaint("a: 1\nb: [1, 2\nc: 3"));
        assert_eq!(complaint("a: 1\na: 2"), "2:1: “a” is already given on line 1");
        assert!(complaint("a: &x 1\nb: *x").starts_with("2:4: aliases"));
        assert!(complaint("--- 1\n--- 2").starts_with("2:"));
        assert!(complaint("").contains("empty"));
        assert!(complaint(&"[".repeat(5_000)).contains("nest"), "{}", complaint(&"[".repeat(5_000)));
        assert!(complaint(&"x".repeat(MAX_SOURCE_BYTES + 1)).contains("bytes"));
    }
}
