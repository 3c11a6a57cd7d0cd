//! Walks the source tree, reporting whatever is not as it must be, and going on.

use crate::diagnostic::{Diagnostics, Span, suggestion};
use crate::source::{Node, NodeKind, Property, escape_pointer};

/// A node with its JSON pointer.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'s> {
    pub(crate) node: &'s Node,
    pub(crate) path: String,
    /// Where to point when something is missing here: the property's name, else the node.
    pub(crate) span: Span,
}

/// The properties of an object.
#[derive(Debug, Clone)]
pub(crate) struct Object<'s> {
    pub(crate) at: Cursor<'s>,
    properties: &'s [Property],
}

impl<'s> Cursor<'s> {
    pub(crate) fn root(node: &'s Node) -> Self {
        Self { node, path: String::new(), span: node.span }
    }

    pub(crate) fn report(&self, diagnostics: &mut Diagnostics, message: impl Into<String>) {
        diagnostics.report(self.node.span, &self.path, message);
    }

    fn expected(&self, diagnostics: &mut Diagnostics, what: &str) {
        self.report(diagnostics, format!("expected {what}, found {}", self.node.describe()));
    }

    pub(crate) fn text(&self, diagnostics: &mut Diagnostics) -> Option<&'s str> {
        match &self.node.kind {
            NodeKind::Text(text) => Some(text),
            NodeKind::Number(number) => {
                self.report(diagnostics, format!("expected a string, found the number {number}; put it in quotes"));
                None
            }
            _ => {
                self.expected(diagnostics, "a string");
                None
            }
        }
    }

    pub(crate) fn boolean(&self, diagnostics: &mut Diagnostics) -> Option<bool> {
        if let NodeKind::Bool(value) = &self.node.kind {
            return Some(*value);
        }
        self.expected(diagnostics, "true or false");
        None
    }

    pub(crate) fn integer(&self, diagnostics: &mut Diagnostics, from: u64, to: u64) -> Option<u64> {
        let number = match &self.node.kind {
            NodeKind::Number(number) => number.as_u64().filter(|number| (from..=to).contains(number)),
            _ => None,
        };
        if number.is_none() {
            self.expected(diagnostics, &format!("a whole number from {from} to {to}"));
        }
        number
    }

    pub(crate) fn list(&self, diagnostics: &mut Diagnostics) -> Vec<Cursor<'s>> {
        if let NodeKind::List(items) = &self.node.kind {
            let item = |(index, node): (usize, &'s Node)| Cursor {
                node,
                path: format!("{}/{index}", self.path),
                span: node.span,
            };
            items.iter().enumerate().map(item).collect()
        } else {
            self.expected(diagnostics, "a list");
            Vec::new()
        }
    }

    /// Any object.
    pub(crate) fn open_object(&self, diagnostics: &mut Diagnostics) -> Option<Object<'s>> {
        if let NodeKind::Object(properties) = &self.node.kind {
            Some(Object { at: self.clone(), properties })
        } else {
            self.expected(diagnostics, "an object");
            None
        }
    }

    /// An object with no other properties than `known`.
    pub(crate) fn object(&self, diagnostics: &mut Diagnostics, known: &[&str]) -> Option<Object<'s>> {
        let object = self.open_object(diagnostics)?;
        object.only(diagnostics, known);
        Some(object)
    }

    /// The value at a JSON pointer below this one, or the nearest one above it that exists.
    pub(crate) fn descend(&self, pointer: &str) -> Self {
        let node = self.node.nearest(pointer);
        Self { node, path: format!("{}{pointer}", self.path), span: self.node.nearest_name(pointer) }
    }

    pub(crate) fn is_text(&self) -> bool {
        matches!(self.node.kind, NodeKind::Text(_))
    }

    pub(crate) fn is_object(&self) -> bool {
        matches!(self.node.kind, NodeKind::Object(_))
    }
}

impl<'s> Object<'s> {
    /// Reports properties that are not `known`.
    pub(crate) fn only(&self, diagnostics: &mut Diagnostics, known: &[&str]) {
        for property in self.properties {
            if !known.contains(&property.name.as_str()) {
                let path = format!("{}/{}", self.at.path, escape_pointer(&property.name));
                let hint = suggestion(&property.name, known.iter().copied());
                let allowed = if hint.is_empty() { format!("; expected {}", known.join(", ")) } else { hint };
                diagnostics.report(property.span, &path, format!("unknown property “{}”{allowed}", property.name));
            }
        }
    }

    fn cursor(&self, property: &'s Property) -> Cursor<'s> {
        Cursor {
            node: &property.value,
            path: format!("{}/{}", self.at.path, escape_pointer(&property.name)),
            span: property.span,
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<Cursor<'s>> {
        self.properties.iter().find(|property| property.name == name).map(|property| self.cursor(property))
    }

    pub(crate) fn require(&self, diagnostics: &mut Diagnostics, name: &str) -> Option<Cursor<'s>> {
        let found = self.get(name);
        if found.is_none() {
            diagnostics.report(self.at.span, &self.at.path, format!("the property “{name}” is missing"));
        }
        found
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'s str, Cursor<'s>)> + '_ {
        self.properties.iter().map(|property| (property.name.as_str(), self.cursor(property)))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.properties.iter().any(|property| property.name == name)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.properties.is_empty()
    }
}
