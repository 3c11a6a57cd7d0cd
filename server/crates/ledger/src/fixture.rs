use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::{
    canonical,
    personal::{self, DIGESTS, Disclosed, Personal},
    portable,
    tree::{self, Edge, Hash},
};

/// The body of an entry that has no place yet.
pub(crate) fn entry() -> Value {
    json!({
        "v": 1,
        "at": "2026-11-22T15:04:05.123456Z",
        "actor": {"id": "00000000-0000-0000-0000-000000000007", "login": "manager"},
        "door": "portal",
        "action": "approval.decide",
        "resource": {"kind": "approval", "id": "00000000-0000-0000-0000-000000000009", "name": "R-1042"},
        "outcome": "done",
        "policies": ["asked-people-decide"],
        "detail": {"name": "김민준", "decision": "approve"},
    })
}

/// The entry as if somebody else had done it.
pub(crate) fn by_somebody_else(mut entry: Value) -> Value {
    entry["actor"]["login"] = json!("somebody else");
    entry
}

pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1_000_i64..1_000).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

pub(crate) fn any_entry() -> impl Strategy<Value = Value> {
    (any::<String>(), any::<String>(), any_json()).prop_map(|(login, name, detail)| {
        let mut entry = entry();
        entry["actor"]["login"] = json!(login);
        entry["resource"]["name"] = json!(name);
        entry["detail"] = portable(&detail);
        entry
    })
}

/// The bodies of the entries as they would be stored in an empty log.
pub(crate) fn bodies(entries: &[Value]) -> Vec<String> {
    let placed = (1..).zip(entries).map(|(place, entry): (i64, _)| {
        let mut entry = entry.clone();
        entry["seq"] = json!(place);
        canonical(&entry).unwrap()
    });
    placed.collect()
}

/// The same in the present version: what names people stands beside the bodies.
pub(crate) fn parted(entries: &[Value]) -> Vec<(String, Option<String>)> {
    let part = |(place, body): (u8, String)| {
        let mut body: Value = serde_json::from_str(&body).unwrap();
        let (mut digests, mut beside) = (Map::new(), Personal::new());
        for (number, pointer) in (1..).zip(["/actor/login", "/resource/name", "/detail/name"]) {
            let Some(value) = personal::take(&mut body, pointer) else { continue };
            let key = [place.wrapping_mul(16) + number; 32];
            let text = canonical(&value).unwrap();
            digests.insert(pointer.to_owned(), hex::encode(personal::digest(&key, &[text.as_bytes()])).into());
            beside.insert(pointer.to_owned(), Disclosed { key: hex::encode(key), value });
        }
        body[DIGESTS] = digests.into();
        body["v"] = json!(2);
        let beside = canonical(&serde_json::to_value(beside).unwrap()).unwrap();
        (canonical(&body).unwrap(), Some(beside))
    };
    (1..).zip(bodies(entries)).map(part).collect()
}

/// The root of the tree over bodies.
pub(crate) fn root(bodies: &[String]) -> Hash {
    let mut edge = Edge::default();
    for body in bodies {
        edge.push(tree::leaf(body.as_bytes()));
    }
    edge.root()
}
