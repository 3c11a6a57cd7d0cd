//! How parameters travel: styles of 3.x, collection formats of 2.0.

use serde_json::{Map, Value};
use urlencoding::encode;

use super::document::Version;
use crate::http::outgoing::text_of;

/// Where a parameter travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Query,
    Header,
    Cookie,
}

impl Place {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "path" => Self::Path,
            "query" => Self::Query,
            "header" => Self::Header,
            "cookie" => Self::Cookie,
            _ => return None,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Simple,
    Label,
    Matrix,
    Form,
    SpaceDelimited,
    PipeDelimited,
    TabDelimited,
    DeepObject,
    /// As JSON: `content` instead of a style.
    Json,
}

/// A parameter that the operation declares.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) required: bool,
    style: Style,
    explode: bool,
    /// Whether characters that have a meaning in an address stay as they are.
    reserved: bool,
}

impl Parameter {
    pub(super) fn read(name: String, place: Place, required: bool, parameter: &Value, version: Version) -> Self {
        let text = |name: &str| parameter.get(name).and_then(Value::as_str);
        let flag = |name: &str| parameter.get(name).and_then(Value::as_bool);
        let default = match place {
            Place::Path | Place::Header => Style::Simple,
            Place::Query | Place::Cookie => Style::Form,
        };
        let (style, explode) = if version == Version::Two {
            match text("collectionFormat") {
                Some("multi") => (default, true),
                Some("ssv") => (Style::SpaceDelimited, false),
                Some("tsv") => (Style::TabDelimited, false),
                Some("pipes") => (Style::PipeDelimited, false),
                _ => (default, false),
            }
        } else if parameter.get("content").is_some() {
            (Style::Json, false)
        } else {
            let style = match text("style") {
                Some("simple") => Style::Simple,
                Some("label") => Style::Label,
                Some("matrix") => Style::Matrix,
                Some("form") => Style::Form,
                Some("spaceDelimited") => Style::SpaceDelimited,
                Some("pipeDelimited") => Style::PipeDelimited,
                Some("deepObject") => Style::DeepObject,
                _ => default,
            };
            (style, flag("explode").unwrap_or(style == Style::Form))
        };
        let reserved = flag("allowReserved").unwrap_or(false);
        Self { name, place, required: required || place == Place::Path, style, explode, reserved }
    }

    fn encoded(&self, value: &Value) -> String {
        let text = text_of(value);
        match self.place {
            // Neither is part of an address.
            Place::Header | Place::Cookie => text,
            Place::Path | Place::Query if self.reserved => keep_reserved(&text),
            Place::Path | Place::Query => encode(&text).into_owned(),
        }
    }

    /// The names and values of the members, one after the other.
    fn flat(&self, members: &Map<String, Value>) -> Vec<String> {
        members
            .iter()
            .flat_map(|(name, value)| [self.encoded(&Value::from(name.clone())), self.encoded(value)])
            .collect()
    }

    fn pairs(&self, members: &Map<String, Value>) -> Vec<String> {
        let name = |name: &String| self.encoded(&Value::from(name.clone()));
        members.iter().map(|(member, value)| format!("{}={}", name(member), self.encoded(value))).collect()
    }

    fn items(&self, items: &[Value]) -> Vec<String> {
        items.iter().map(|item| self.encoded(item)).collect()
    }

    /// The value as one text: in a path, a header, or where a list is not exploded.
    pub(super) fn in_one(&self, value: &Value) -> String {
        let separator = match self.style {
            Style::SpaceDelimited => "%20",
            Style::PipeDelimited => "%7C",
            Style::TabDelimited => "%09",
            _ => ",",
        };
        let (prefix, exploded) = match self.style {
            Style::Label => (".", "."),
            Style::Matrix => (";", ";"),
            _ => ("", separator),
        };
        let named = |text: String| match self.style {
            Style::Matrix => format!("{}={text}", self.name),
            _ => text,
        };
        let text = match value {
            value if self.style == Style::Json => self.encoded(&Value::from(value.to_string())),
            Value::Array(items) if self.explode => {
                self.items(items).into_iter().map(named).collect::<Vec<_>>().join(exploded)
            }
            Value::Array(items) => named(self.items(items).join(separator)),
            Value::Object(members) if self.explode => self.pairs(members).join(exploded),
            Value::Object(members) => named(self.flat(members).join(separator)),
            scalar => named(self.encoded(scalar)),
        };
        format!("{prefix}{text}")
    }

    /// The value as `name=value`, once or several times: in a query or a cookie.
    pub(super) fn as_pairs(&self, value: &Value) -> Vec<String> {
        let name = match self.place {
            Place::Cookie => self.name.clone(),
            _ => encode(&self.name).into_owned(),
        };
        match value {
            Value::Object(members) if self.style == Style::DeepObject => members
                .iter()
                .map(|(member, value)| format!("{name}%5B{}%5D={}", encode(member), self.encoded(value)))
                .collect(),
            Value::Array(items) if self.explode && self.style == Style::Form => {
                self.items(items).into_iter().map(|item| format!("{name}={item}")).collect()
            }
            Value::Object(members) if self.explode && self.style == Style::Form => self.pairs(members),
            value => vec![format!("{name}={}", self.in_one(value))],
        }
    }
}

/// Encodes what no address can hold, and leaves what has a meaning in one.
fn keep_reserved(text: &str) -> String {
    const RESERVED: &str = ":/?#[]@!$&'()*+,;=";
    let mut kept = String::new();
    for c in text.chars() {
        if RESERVED.contains(c) {
            kept.push(c);
        } else {
            kept.push_str(&encode(c.encode_utf8(&mut [0; 4])));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn three(place: Place, more: &Value) -> Parameter {
        Parameter::read("p".to_owned(), place, false, more, Version::Three)
    }

    /// The table of the specification 3.1, "Style Examples".
    #[test]
    fn styles_are_those_of_the_specification() {
        let (text, list, object) = (json!("blue"), json!(["blue", "black"]), json!({"R": 100, "G": 200}));
        let of = |style: &str, explode: bool, value: &Value| {
            three(Place::Path, &json!({"style": style, "explode": explode})).in_one(value)
        };
        assert_eq!(of("matrix", false, &text), ";p=blue");
        assert_eq!(of("matrix", false, &list), ";p=blue,black");
        assert_eq!(of("matrix", false, &object), ";p=R,100,G,200");
        assert_eq!(of("matrix", true, &list), ";p=blue;p=black");
        assert_eq!(of("matrix", true, &object), ";R=100;G=200");
        assert_eq!(of("label", false, &text), ".blue");
        assert_eq!(of("label", false, &list), ".blue,black");
        assert_eq!(of("label", true, &list), ".blue.black");
        assert_eq!(of("label", true, &object), ".R=100.G=200");
        assert_eq!(of("simple", false, &object), "R,100,G,200");
        assert_eq!(of("simple", true, &object), "R=100,G=200");
        let query = |more: Value, value: &Value| three(Place::Query, &more).as_pairs(value).join("&");
        assert_eq!(query(json!({}), &list), "p=blue&p=black");
        assert_eq!(query(json!({"explode": false}), &list), "p=blue,black");
        assert_eq!(query(json!({}), &object), "R=100&G=200");
        assert_eq!(query(json!({"explode": false}), &object), "p=R,100,G,200");
        assert_eq!(query(json!({"style": "spaceDelimited"}), &list), "p=blue%20black");
        assert_eq!(query(json!({"style": "pipeDelimited"}), &list), "p=blue%7Cblack");
        assert_eq!(query(json!({"style": "deepObject"}), &object), "p%5BR%5D=100&p%5BG%5D=200");
        assert_eq!(query(json!({"content": {"application/json": {}}}), &json!([1])), "p=%5B1%5D");
        assert_eq!(query(json!({}), &json!("a b&c/d")), "p=a%20b%26c%2Fd");
        assert_eq!(query(json!({"allowReserved": true}), &json!("a b/c")), "p=a%20b/c");
    }

    #[test]
    fn collection_formats_are_those_of_version_two() {
        let of = |format: &str| {
            let more = json!({"collectionFormat": format});
            Parameter::read("p".to_owned(), Place::Query, false, &more, Version::Two).as_pairs(&json!([1, 2])).join("&")
        };
        assert_eq!(of("csv"), "p=1,2");
        assert_eq!(of("ssv"), "p=1%202");
        assert_eq!(of("tsv"), "p=1%092");
        assert_eq!(of("pipes"), "p=1%7C2");
        assert_eq!(of("multi"), "p=1&p=2");
    }
}
