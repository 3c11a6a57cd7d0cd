//! XML of NETCONF: read within bounds, and written in one way only, so that the same configuration has the same text.

use roxmltree::{Document, Node, ParsingOptions};
use serde_json::{Map, Value};

/// The namespace of the protocol itself.
pub(in crate::network) const BASE: &str = "urn:ietf:params:xml:ns:netconf:base:1.0";
/// How deep elements are followed.
const DEPTH: usize = 64;
/// So many nodes a message may have.
const NODES: u32 = 500_000;

/// Reads a document. It has no DTD, and so no entities that grow.
pub(in crate::network) fn parse(text: &str) -> Result<Document<'_>, String> {
    let options = ParsingOptions { nodes_limit: NODES, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|error| error.to_string())
}

/// Wraps elements, such as stand in a definition, in an element of the protocol, and makes sure that they stay inside
/// it.
pub(in crate::network) fn enclosed(name: &str, attributes: &str, inner: &str) -> Result<String, String> {
    let whole = format!("<{name} xmlns=\"{BASE}\"{attributes}>{inner}</{name}>");
    let document = parse(&whole)?;
    let root = document.root_element();
    if elements(root).next().is_none() {
        return Err("there is no element in it".to_owned());
    }
    check_depth(root, DEPTH)?;
    Ok(whole)
}

fn check_depth(node: Node<'_, '_>, depth: usize) -> Result<(), String> {
    let depth = depth.checked_sub(1).ok_or_else(|| format!("it is more than {DEPTH} elements deep"))?;
    elements(node).try_for_each(|child| check_depth(child, depth))
}

pub(in crate::network) fn elements<'a, 'input>(node: Node<'a, 'input>) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(Node::is_element)
}

/// The text of an element inside.
pub(in crate::network) fn text_of(node: Node<'_, '_>, name: &str) -> Option<String> {
    let found = elements(node).find(|child| child.tag_name().name() == name)?;
    found.text().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The elements inside, a leaf on each line.
pub(in crate::network) fn written(inside: Node<'_, '_>) -> Result<String, String> {
    let mut text = String::new();
    for element in elements(inside) {
        write(element, &[], 0, &mut text)?;
    }
    Ok(text)
}

/// Prefix and namespace, as they are declared.
type Declared<'a> = (Option<&'a str>, &'a str);

fn write<'a>(node: Node<'a, '_>, around: &[Declared<'a>], depth: usize, text: &mut String) -> Result<(), String> {
    if depth >= DEPTH {
        return Err(format!("it is more than {DEPTH} elements deep"));
    }
    // What the protocol's own elements declare around the first element is not of the configuration.
    let mut declared: Vec<Declared<'a>> = node
        .namespaces()
        .map(|namespace| (namespace.name(), namespace.uri()))
        .filter(|(prefix, uri)| *prefix != Some("xml") && !(prefix.is_some() && *uri == BASE))
        .collect();
    declared.sort_unstable();
    let indent = "  ".repeat(depth);
    let name = qualified(node, &declared);
    text.extend([indent.as_str(), "<", &name]);
    for (prefix, uri) in declared.iter().filter(|one| !around.contains(one)) {
        let attribute = prefix.map_or_else(|| "xmlns".to_owned(), |prefix| format!("xmlns:{prefix}"));
        text.extend([" ", &attribute, "=\"", &escaped(uri), "\""]);
    }
    for attribute in node.attributes() {
        let prefix = attribute.namespace().and_then(|uri| node.lookup_prefix(uri));
        let prefix = prefix.map(|prefix| format!("{prefix}:")).unwrap_or_default();
        text.extend([" ", &prefix, attribute.name(), "=\"", &escaped(attribute.value()), "\""]);
    }
    if elements(node).next().is_some() {
        text.push_str(">\n");
        for child in elements(node) {
            write(child, &declared, depth + 1, text)?;
        }
        text.extend([indent.as_str(), "</", &name, ">\n"]);
        return Ok(());
    }
    match leaf(node) {
        value if value.is_empty() => text.push_str("/>\n"),
        value => text.extend([">", &escaped(&value), "</", &name, ">\n"]),
    }
    Ok(())
}

fn qualified(node: Node<'_, '_>, declared: &[Declared<'_>]) -> String {
    let tag = node.tag_name();
    let by_default = declared.iter().find(|(prefix, _)| prefix.is_none()).map(|(_, uri)| *uri);
    let prefix = declared.iter().find(|(_, uri)| Some(*uri) == tag.namespace()).and_then(|(prefix, _)| *prefix);
    match prefix {
        Some(prefix) if by_default != tag.namespace() => format!("{prefix}:{}", tag.name()),
        _ => tag.name().to_owned(),
    }
}

/// The value of an element that has only text.
fn leaf(node: Node<'_, '_>) -> String {
    let value: String = node.children().filter_map(|child| child.text()).collect();
    if value.trim().is_empty() { String::new() } else { value }
}

/// A text as it stands in XML, on one line. What ends a message in the old framing cannot come of it.
pub(in crate::network) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\r' => escaped.push_str("&#13;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The elements inside as JSON: elements that share a name make a list, text stays text.
pub(in crate::network) fn value(node: Node<'_, '_>) -> Result<Value, String> {
    value_within(node, DEPTH)
}

fn value_within(node: Node<'_, '_>, depth: usize) -> Result<Value, String> {
    let depth = depth.checked_sub(1).ok_or_else(|| format!("it is more than {DEPTH} elements deep"))?;
    if elements(node).next().is_none() {
        let text = leaf(node);
        return Ok(if text.is_empty() { Value::Null } else { Value::String(text) });
    }
    let mut members: Map<String, Value> = Map::new();
    let mut lists: Vec<&str> = Vec::new();
    for child in elements(node) {
        let name = child.tag_name().name();
        let value = value_within(child, depth)?;
        match members.get_mut(name) {
            Some(Value::Array(list)) if lists.contains(&name) => list.push(value),
            Some(first) => {
                *first = Value::Array(vec![first.take(), value]);
                lists.push(name);
            }
            None => {
                members.insert(name.to_owned(), value);
            }
        }
    }
    Ok(Value::Object(members))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_same_configuration_has_the_same_text() {
        let one = r#"<nc:data xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0"><if:top xmlns:if="urn:if"><if:name>a</if:name></if:top></nc:data>"#;
        let two = "<data xmlns=\"urn:ietf:params:xml:ns:netconf:base:1.0\">\n <x:top xmlns:x='urn:if'>\n  <x:name>a</x:name></x:top>\n</data>";
        let text = |xml: &str| written(parse(xml).unwrap().root_element()).unwrap();
        assert_eq!(text(one), "<if:top xmlns:if=\"urn:if\">\n  <if:name>a</if:name>\n</if:top>\n");
        assert_eq!(text(two).matches("name").count(), 2);
        let again = enclosed("config", "", &text(one)).unwrap();
        assert_eq!(text(&again), text(one).replace("<if:top", &format!("<if:top xmlns=\"{BASE}\"")));
    }

    #[test]
    fn values_that_name_a_prefix_keep_its_declaration() {
        let xml = r#"<data xmlns="urn:b" xmlns:t="urn:types"><i xmlns="urn:if"><type>t:ethernet</type><d>a &lt; b
c</d></i></data>"#;
        let text = written(parse(xml).unwrap().root_element()).unwrap();
        assert!(text.contains("xmlns:t=\"urn:types\"") && text.contains("<d>a &lt; b&#10;c</d>"), "{text}");
        assert!(!text.contains("]]>"));
    }

    #[test]
    fn what_leaves_its_place_or_goes_too_deep_is_refused() {
        for bad in [
            "</config><x/><config>",
            "<a>",
            "text",
            "",
            "<!DOCTYPE a><a/>",
            "<?xml version=\"1.0\"?><a/>",
            "<a>&x;</a>",
        ] {
            assert!(enclosed("config", "", bad).is_err(), "{bad}");
        }
        let deep = format!("{}{}", "<a>".repeat(100), "</a>".repeat(100));
        assert!(enclosed("config", "", &deep).unwrap_err().contains("deep"));
    }

    #[test]
    fn elements_that_share_a_name_make_a_list() {
        let xml = "<data><p><n>1</n></p><p><n>2</n><e/></p><q>x</q></data>";
        let value = value(parse(xml).unwrap().root_element()).unwrap();
        assert_eq!(value, json!({"p": [{"n": "1"}, {"n": "2", "e": null}], "q": "x"}));
    }
}
