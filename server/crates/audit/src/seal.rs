//! Turns an entry into the row that is stored: its canonical body, what stands beside it, and what is searched by.

use domain::{Timestamp, UserId};
use identity::random::Random;
use ledger::{
    VERSION, canonical,
    personal::{self, DIGESTS, Disclosed, Key, Personal},
    portable, within_depth,
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use store::{StoreError, audit::AuditRow};

use crate::Entry;

const LONGEST_WORD: usize = 512;
const LARGEST_DETAIL: usize = 1 << 20;
const DEEPEST_DETAIL: usize = 64;
/// The member of a body that says whose values there are, where nothing else in it does.
pub(crate) const PERSONS: &str = "persons";
/// The kind of resources whose name is that of a person, and whose id is that person's.
pub(crate) const USER: &str = "user";

/// The row of an entry at this place, with new keys for what names people in it.
///
/// # Errors
/// [`StoreError::Inconsistent`] when the entry has a number that the format does not have, which none has that was made here.
pub fn seal(seq: i64, entry: &Entry, random: &dyn Random) -> Result<AuditRow, StoreError> {
    let columns = Columns::new(entry);
    let unwritable = |_| StoreError::Inconsistent("the number of an audit entry".to_owned());
    let mut body = body(seq, entry, &columns);
    let beside = part(&mut body, entry, random).map_err(unwritable)?;
    Ok(AuditRow {
        segment: None,
        seq,
        at: entry.at,
        actor_id: entry.actor.id,
        actor: columns.actor,
        action: columns.action,
        resource_kind: columns.resource_kind,
        resource_id: columns.resource_id,
        resource_name: columns.resource_name,
        namespace: entry.namespace.as_ref().map(ToString::to_string),
        outcome: entry.outcome.as_str().to_owned(),
        body: canonical(&body).map_err(unwritable)?,
        personal: beside,
    })
}

/// Takes what names people out of the body, and puts digests in its place; what is to stand beside it.
fn part(body: &mut Value, entry: &Entry, random: &dyn Random) -> Result<Option<String>, ledger::NotCanonical> {
    // Where the entry itself says whose they are.
    const NOBODY: [UserId; 0] = [];
    let mut pointers = Vec::new();
    if entry.is_by_person() {
        pointers.push(("/actor/login".to_owned(), &NOBODY[..]));
        pointers.push(("/address".to_owned(), &NOBODY[..]));
    }
    if entry.resource.kind == USER {
        pointers.push(("/resource/name".to_owned(), &NOBODY[..]));
    } else if !entry.resource.persons.is_empty() {
        pointers.push(("/resource/name".to_owned(), &entry.resource.persons[..]));
    }
    pointers.extend(entry.named.iter().map(|named| (format!("/detail{}", named.pointer), &named.persons[..])));

    let (mut digests, mut persons, mut beside) = (Map::new(), Map::new(), Personal::new());
    for (pointer, people) in pointers {
        let Some(value) = personal::take(body, &pointer) else { continue };
        let mut key = Key::default();
        random.fill(&mut key);
        let digest = personal::digest(&key, &[canonical(&value)?.as_bytes()]);
        digests.insert(pointer.clone(), hex::encode(digest).into());
        if !people.is_empty() {
            persons.insert(pointer.clone(), people.iter().map(ToString::to_string).collect());
        }
        beside.insert(pointer, Disclosed { key: hex::encode(key), value });
    }
    let Value::Object(members) = body else { return Ok(None) };
    for (name, found) in [(DIGESTS, digests), (PERSONS, persons)] {
        if !found.is_empty() {
            members.insert(name.to_owned(), found.into());
        }
    }
    stored(&beside)
}

/// Values as they are stored beside a body; nothing for none.
pub(crate) fn stored(beside: &Personal) -> Result<Option<String>, ledger::NotCanonical> {
    if beside.is_empty() {
        return Ok(None);
    }
    canonical(&serde_json::to_value(beside).unwrap_or_default()).map(Some)
}

/// What stands both in the body and in the columns to search by, so that they cannot differ.
struct Columns {
    actor: String,
    action: String,
    resource_kind: String,
    resource_id: String,
    resource_name: String,
}

impl Columns {
    fn new(entry: &Entry) -> Self {
        Self {
            actor: word(&entry.actor.login),
            action: word(&entry.action),
            resource_kind: word(&entry.resource.kind),
            resource_id: word(&entry.resource.id),
            resource_name: word(&entry.resource.name),
        }
    }
}

/// Cuts what may come from outside, and takes out the one character that a database may refuse.
fn word(text: &str) -> String {
    if text.len() <= LONGEST_WORD && !text.contains('\0') {
        return text.to_owned();
    }
    text.chars().take(LONGEST_WORD).map(|character| if character == '\0' { '\u{fffd}' } else { character }).collect()
}

fn body(seq: i64, entry: &Entry, columns: &Columns) -> Value {
    let mut actor = Map::new();
    if let Some(id) = entry.actor.id {
        actor.insert("id".to_owned(), id.to_string().into());
    }
    actor.insert("login".to_owned(), columns.actor.clone().into());
    let required = json!({
        "v": VERSION,
        "seq": seq,
        "at": at(entry.at),
        "actor": actor,
        "door": entry.door.as_str(),
        "traceId": word(&entry.trace_id),
        "action": columns.action,
        "resource": {"kind": columns.resource_kind, "id": columns.resource_id, "name": columns.resource_name},
        "outcome": entry.outcome.as_str(),
        "policies": entry.policies.iter().map(|policy| word(policy)).collect::<Vec<_>>(),
        "detail": detail(&entry.detail),
    });
    let optional = [
        ("session", entry.session.map(|id| id.to_string())),
        ("token", entry.token.map(|id| id.to_string())),
        ("address", entry.address.as_deref().map(word)),
        ("namespace", entry.namespace.as_ref().map(ToString::to_string)),
        ("policySet", entry.policy_set.as_deref().map(word)),
    ];
    let mut members = match required {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    members.extend(optional.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.into()))));
    Value::Object(members)
}

fn at(at: Timestamp) -> String {
    at.to_string()
}

/// The detail as the format can hold it: an object within its limits.
fn detail(detail: &Value) -> Value {
    let omitted = || {
        let text = detail.to_string();
        json!({"omitted": {"bytes": text.len(), "sha256": hex::encode(Sha256::digest(text.as_bytes()))}})
    };
    if !within_depth(detail, DEEPEST_DETAIL) {
        return omitted();
    }
    let object = match portable(detail) {
        Value::Null => Value::Object(Map::new()),
        object @ Value::Object(_) => object,
        other => json!({"value": other}),
    };
    match canonical(&object) {
        Ok(text) if text.len() <= LARGEST_DETAIL => object,
        Ok(_) | Err(_) => omitted(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Counted, entry};

    /// Its digests were computed by another program.
    const SECOND: &str = r#"{"action":"approval.decide","actor":{"id":"00000000-0000-0000-0000-000000000007"},"at":"2026-11-22T15:04:05.123456Z","detail":{"decision":"approve"},"door":"portal","namespace":"identity","outcome":"done","personal":{"/actor/login":"2a250fca0a32561f0ad69eefbc4d31ddcaf493849ba2037d5818a3bd2c25a0b8","/address":"ec32ad3c432b457a5230e95932e53814de9ebfd9d42934aba89ae2bdb6d5507b","/detail/name":"6a2f3dab98fe8734cee9f5cdbc2276307774b672a9cf316de0090a358e728163"},"policies":["asked-people-decide"],"resource":{"id":"00000000-0000-0000-0000-000000000009","kind":"approval","name":"R-1042"},"seq":1,"session":"00000000-0000-0000-0000-000000000008","traceId":"4bf92f3577b34da6a3ce929d0e0e4736","v":2}"#;
    const BESIDE: &str = r#"{"/actor/login":{"key":"0000000000000000000000000000000000000000000000000000000000000000","value":"manager"},"/address":{"key":"0101010101010101010101010101010101010101010101010101010101010101","value":"192.0.2.7"},"/detail/name":{"key":"0202020202020202020202020202020202020202020202020202020202020202","value":"김민준"}}"#;
    const FIRST: &str = r#"{"action":"approval.decide","actor":{"id":"00000000-0000-0000-0000-000000000007","login":"manager"},"address":"192.0.2.7","at":"2026-11-22T15:04:05.123456Z","detail":{"decision":"approve","name":"김민준"},"door":"portal","namespace":"identity","outcome":"done","policies":["asked-people-decide"],"resource":{"id":"00000000-0000-0000-0000-000000000009","kind":"approval","name":"R-1042"},"seq":1,"session":"00000000-0000-0000-0000-000000000008","traceId":"4bf92f3577b34da6a3ce929d0e0e4736","v":1}"#;

    #[test]
    fn the_encoding_of_version_1_is_read() {
        let hash = ledger::tree::text(&ledger::tree::leaf(FIRST.as_bytes()));
        assert_eq!(hash, "46ff41b14db2bf8356a226ef0a7a59124a489e12314b333dde18bafac8682eda");
        let body = ledger::parse(FIRST.as_bytes()).unwrap();
        assert_eq!((ledger::verify::place(&body), canonical(&body).unwrap().as_str()), (Ok(1), FIRST));
        let row =
            AuditRow { body: FIRST.to_owned(), personal: None, ..seal(1, &entry(), &Counted::default()).unwrap() };
        let leaf = ledger::tree::leaf(FIRST.as_bytes());
        crate::Stored::default().accept(&row, Some(&leaf)).unwrap();
        let view = crate::view(&row);
        assert_eq!((view.actor.as_str(), view.address.as_deref()), ("manager", Some("192.0.2.7")));
        assert_eq!((view.detail, view.erased), (entry().detail, Vec::new()));
    }

    #[test]
    fn the_encoding_of_version_2_never_changes() {
        let row = seal(1, &entry(), &Counted::default()).unwrap();
        assert_eq!(row.body, SECOND);
        assert_eq!(row.personal.as_deref(), Some(BESIDE));
    }

    #[test]
    fn what_names_people_stands_beside_the_body() {
        let mut entry = entry();
        let person = domain::UserId::from_uuid(uuid::Uuid::from_u128(9));
        entry.resource =
            crate::ResourceRef { name: "joon for mina".to_owned(), persons: vec![person], ..entry.resource };
        let detail = crate::Detail::from(json!({"to": "joon", "asked": ["mina", "joon"], "note": "x"}));
        let detail = detail.naming("/to", [person]).naming("/asked/1", [person]).naming("/nothing", None);
        (entry.detail, entry.named) = (detail.value, detail.named);
        let row = seal(1, &entry, &Counted::default()).unwrap();
        assert!(!row.body.contains("joon") && !row.body.contains("manager") && !row.body.contains("192.0.2.7"));
        let body = ledger::parse(row.body.as_bytes()).unwrap();
        assert_eq!(body["detail"], json!({"asked": ["mina", null], "note": "x"}));
        let beside = personal::read(row.personal.as_deref().unwrap()).unwrap();
        personal::check(&body, &beside).unwrap();
        let pointers = ["/actor/login", "/address", "/detail/asked/1", "/detail/to", "/resource/name"];
        assert!(beside.keys().eq(pointers));
        let keys: std::collections::BTreeSet<_> = beside.values().map(|value| &value.key).collect();
        assert_eq!(keys.len(), 5);
        let id = person.to_string();
        assert_eq!(body[PERSONS], json!({"/detail/asked/1": [id], "/detail/to": [id], "/resource/name": [id]}));
        assert_eq!((row.actor.as_str(), row.resource_name.as_str()), ("manager", "joon for mina"));
        assert_eq!(crate::view(&row).detail, entry.detail);

        (entry.actor, entry.door) = (crate::Actor::system(), crate::Door::Engine);
        entry.named.clear();
        entry.resource = crate::ResourceRef::default();
        let row = seal(1, &entry, &Counted::default()).unwrap();
        assert_eq!(row.personal, None);
        assert!(!row.body.contains(DIGESTS));
    }

    #[test]
    fn what_comes_from_outside_is_cut_and_never_refused() {
        let mut hostile = entry();
        hostile.actor = crate::Actor::unknown("a\0b".to_owned() + &"ä".repeat(10_000));
        hostile.detail = Value::String("x".repeat(LARGEST_DETAIL));
        let row = seal(1, &hostile, &Counted::default()).unwrap();
        assert_eq!(row.actor.chars().count(), LONGEST_WORD);
        assert!(row.actor.starts_with("a\u{fffd}b"));
        assert!(row.body.len() < 4_000);
        assert!(row.body.contains("\"omitted\":{\"bytes\":1048578,"));

        hostile.detail = json!([1, "two"]);
        let row = seal(1, &hostile, &Counted::default()).unwrap();
        assert!(row.body.contains(r#""detail":{"value":[1,"two"]}"#));

        hostile.detail = (0..200).fold(json!(1), |inner, _| json!([inner]));
        let row = seal(1, &hostile, &Counted::default()).unwrap();
        assert!(ledger::parse(row.body.as_bytes()).is_ok());
        assert!(row.body.contains("\"omitted\""));
    }
}
