//! From the XML that forms are answered with to JSON.
//!
//! - An element with elements inside is an object, one with text only is that text (numbers and truth values are text),
//!   and an empty one is null.
//! - Elements inside that are all called `item` or `member` make a list, and so do those that share a name. An empty
//!   element whose name ends in `Set`, as EC2 calls its lists, is an empty list.
//! - Elements inside that are all called `entry` and have a `key` and a `value` make an object.

use roxmltree::{Document, Node};
use serde_json::{Map, Value};

/// How deep elements are followed.
const DEPTH: usize = 64;

/// The id of the request, and the result.
pub(super) fn read(content: &[u8]) -> Result<(Option<String>, Value), String> {
    let text = std::str::from_utf8(content).map_err(|_| "it is not UTF-8 text".to_owned())?;
    let document = Document::parse(text).map_err(|error| format!("it is no XML ({error})"))?;
    let root = document.root_element();
    let name = root.tag_name().name();
    if !name.ends_with("Response") {
        return Err(format!("it is a document <{name}>"));
    }
    let request = root.descendants().find(|node| node.tag_name().name().eq_ignore_ascii_case("requestId"));
    let request = request.and_then(|node| node.text()).map(str::to_owned);
    let result = elements(root).find(|node| node.tag_name().name().ends_with("Result"));
    let mut value = value(result.unwrap_or(root), DEPTH)?;
    if let Some(members) = value.as_object_mut() {
        if result.is_none() {
            members.shift_remove("ResponseMetadata");
            members.shift_remove("requestId");
        }
    } else if value.is_null() {
        value = Value::Object(Map::new());
    }
    Ok((request, value))
}

/// The code, the message and the id of the request of an error.
pub(super) fn error(content: &[u8]) -> Option<(String, String, Option<String>)> {
    let document = Document::parse(std::str::from_utf8(content).ok()?).ok()?;
    let text = |name: &str| {
        let node = document.descendants().find(|node| node.tag_name().name() == name)?;
        node.text().map(|text| text.trim().to_owned())
    };
    let request = text("RequestId").or_else(|| text("RequestID"));
    Some((text("Code")?, text("Message").unwrap_or_default(), request))
}

fn elements<'a, 'input>(node: Node<'a, 'input>) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(Node::is_element)
}

/// Key and value of an entry.
fn entry<'a, 'input>(node: Node<'a, 'input>) -> Option<(String, Node<'a, 'input>)> {
    let part = |wanted: &str| elements(node).find(|part| part.tag_name().name() == wanted);
    Some((part("key")?.text().unwrap_or_default().to_owned(), part("value")?))
}

fn value(node: Node<'_, '_>, depth: usize) -> Result<Value, String> {
    let depth = depth.checked_sub(1).ok_or_else(|| format!("it is more than {DEPTH} elements deep"))?;
    let name = |node: &Node<'_, '_>| node.tag_name().name().to_owned();
    let Some(first) = elements(node).next() else {
        let text = node.text().unwrap_or_default();
        return Ok(match text {
            "" if name(&node).ends_with("Set") => Value::Array(Vec::new()),
            "" => Value::Null,
            text => Value::String(text.to_owned()),
        });
    };
    let first = name(&first);
    let alike = elements(node).all(|child| name(&child) == first);
    if alike && (first == "item" || first == "member") {
        return elements(node).map(|child| value(child, depth)).collect();
    }
    if alike
        && first == "entry"
        && let Some(entries) = elements(node).map(entry).collect::<Option<Vec<_>>>()
    {
        return entries.into_iter().map(|(key, part)| Ok((key, value(part, depth)?))).collect();
    }
    let mut members = Map::new();
    for child in elements(node) {
        let value = value(child, depth)?;
        let shared = elements(node).filter(|other| name(other) == name(&child)).nth(1).is_some();
        match members.get_mut(&name(&child)) {
            Some(Value::Array(list)) if shared => list.push(value),
            _ => {
                members.insert(name(&child), if shared { Value::Array(vec![value]) } else { value });
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
    fn answers_of_ec2_become_objects_and_lists() {
        let xml = br#"<?xml version="1.0"?><DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
            <requestId>r-1</requestId>
            <reservationSet><item><instancesSet><item><instanceId>i-1</instanceId><code>16</code><kernelId/></item></instancesSet>
            <groupSet/></item></reservationSet></DescribeInstancesResponse>"#;
        let (request, result) = read(xml).unwrap();
        assert_eq!(request.as_deref(), Some("r-1"));
        let instance = json!({"instanceId": "i-1", "code": "16", "kernelId": null});
        assert_eq!(result, json!({"reservationSet": [{"instancesSet": [instance], "groupSet": []}]}));
    }

    #[test]
    fn answers_of_other_services_give_their_result() {
        let xml = b"<GetUserResponse><GetUserResult><User><Arn>a</Arn></User><Tags><member><Key>k</Key></member></Tags>
            <Map><entry><key>x</key><value>1</value></entry></Map><Twice>1</Twice><Twice>2</Twice></GetUserResult>
            <ResponseMetadata><RequestId>r-2</RequestId></ResponseMetadata></GetUserResponse>";
        let (request, result) = read(xml).unwrap();
        assert_eq!(request.as_deref(), Some("r-2"));
        let expected = json!({"User": {"Arn": "a"}, "Tags": [{"Key": "k"}], "Map": {"x": "1"}, "Twice": ["1", "2"]});
        assert_eq!(result, expected);
        let (_, nothing) = read(
            b"<DeleteUserResponse><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></DeleteUserResponse>",
        )
        .unwrap();
        assert_eq!(nothing, json!({}));
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for bad in
            ["", "text", "<html><body/></html>", "<a", "<!DOCTYPE x [<!ENTITY y 'z'>]><AResponse>&y;</AResponse>"]
        {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
        let deep = format!("<AResponse>{}{}</AResponse>", "<a>".repeat(100), "</a>".repeat(100));
        assert!(read(deep.as_bytes()).unwrap_err().contains("deep"));
    }

    #[test]
    fn errors_are_read_in_both_forms() {
        let ec2 = b"<Response><Errors><Error><Code>A.B</Code><Message>m</Message></Error></Errors><RequestID>r</RequestID></Response>";
        assert_eq!(error(ec2), Some(("A.B".to_owned(), "m".to_owned(), Some("r".to_owned()))));
        let query =
            b"<ErrorResponse><Error><Type>Sender</Type><Code>X</Code></Error><RequestId>q</RequestId></ErrorResponse>";
        assert_eq!(error(query), Some(("X".to_owned(), String::new(), Some("q".to_owned()))));
        assert_eq!(error(b"nonsense"), None);
    }
}
