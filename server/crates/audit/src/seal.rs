//! Turns an entry into the row that is stored: its canonical body, and what is searched by.

use domain::Timestamp;
use ledger::{VERSION, canonical, portable, within_depth};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use store::{StoreError, audit::AuditRow};

use crate::Entry;

const LONGEST_WORD: usize = 512;
const LARGEST_DETAIL: usize = 1 << 20;
const DEEPEST_DETAIL: usize = 64;

/// The row of an entry at this place.
///
/// # Errors
/// [`StoreError::Inconsistent`] when the entry has a number that the format does not have, which none has that was made here.
pub fn seal(seq: i64, entry: &Entry) -> Result<AuditRow, StoreError> {
    let columns = Columns::new(entry);
    let body = canonical(&body(seq, entry, &columns))
        .map_err(|_| StoreError::Inconsistent("the number of an audit entry".to_owned()))?;
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
        body,
    })
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
    use crate::fixture::entry;

    #[test]
    fn the_encoding_of_version_1_never_changes() {
        let row = seal(1, &entry()).unwrap();
        assert_eq!(
            row.body,
            r#"{"action":"approval.decide","actor":{"id":"00000000-0000-0000-0000-000000000007","login":"manager"},"address":"192.0.2.7","at":"2026-11-22T15:04:05.123456Z","detail":{"decision":"approve","name":"김민준"},"door":"portal","namespace":"identity","outcome":"done","policies":["asked-people-decide"],"resource":{"id":"00000000-0000-0000-0000-000000000009","kind":"approval","name":"R-1042"},"seq":1,"session":"00000000-0000-0000-0000-000000000008","traceId":"4bf92f3577b34da6a3ce929d0e0e4736","v":1}"#
        );
        let hash = ledger::tree::text(&ledger::tree::leaf(row.body.as_bytes()));
        assert_eq!(hash, "46ff41b14db2bf8356a226ef0a7a59124a489e12314b333dde18bafac8682eda");
    }

    #[test]
    fn what_comes_from_outside_is_cut_and_never_refused() {
        let mut hostile = entry();
        hostile.actor = crate::Actor::unknown("a\0b".to_owned() + &"ä".repeat(10_000));
        hostile.detail = Value::String("x".repeat(LARGEST_DETAIL));
        let row = seal(1, &hostile).unwrap();
        assert_eq!(row.actor.chars().count(), LONGEST_WORD);
        assert!(row.actor.starts_with("a\u{fffd}b"));
        assert!(row.body.len() < 4_000);
        assert!(row.body.contains("\"omitted\":{\"bytes\":1048578,"));

        hostile.detail = json!([1, "two"]);
        let row = seal(1, &hostile).unwrap();
        assert!(row.body.contains(r#""detail":{"value":[1,"two"]}"#));

        hostile.detail = (0..200).fold(json!(1), |inner, _| json!([inner]));
        let row = seal(1, &hostile).unwrap();
        assert!(ledger::parse(row.body.as_bytes()).is_ok());
        assert!(row.body.contains("\"omitted\""));
    }
}
