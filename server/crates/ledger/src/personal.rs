//! What names people stands beside the body of an entry, so that it can be taken away: what is hashed is a digest of each value,
//! under a random key of its own that goes with the value.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::{
    canonical::{canonical, parse},
    verify::What,
};

/// The key of one digest.
pub type Key = [u8; 32];

/// The member of a body that holds the digests, by the pointers of their values.
pub const DIGESTS: &str = "personal";

const BLOCK: usize = 64;

/// A value that is there, with the key of its digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disclosed {
    /// The key, in lower-case hex.
    pub key: String,
    /// The value.
    pub value: Value,
}

/// The values of an entry that are there, by their JSON pointers (RFC 6901) in it.
pub type Personal = BTreeMap<String, Disclosed>;

/// HMAC-SHA256 over the pieces of a text.
#[must_use]
pub fn digest(key: &Key, pieces: &[&[u8]]) -> [u8; 32] {
    let padded = |pad: u8| {
        let mut block = [pad; BLOCK];
        for (byte, key) in block.iter_mut().zip(key) {
            *byte ^= key;
        }
        Sha256::new_with_prefix(block)
    };
    let mut inner = padded(0x36);
    for piece in pieces {
        inner.update(piece);
    }
    padded(0x5c).chain_update(inner.finalize()).finalize().into()
}

/// The key that stands there in lower-case hex.
#[must_use]
pub fn key_from(text: &str) -> Option<Key> {
    crate::tree::from_text(text).map(|bytes| bytes.0)
}

/// Reads what stands beside a body.
///
/// # Errors
/// It is none of what can stand there.
pub fn read(text: &str) -> Result<Personal, What> {
    from_value(parse(text.as_bytes()).map_err(|error| What::Malformed(error.to_string()))?)
}

/// The same of a value.
///
/// # Errors
/// It is none of what can stand there.
pub fn from_value(value: Value) -> Result<Personal, What> {
    serde_json::from_value(value).map_err(|error| What::Malformed(format!("personal values: {error}")))
}

/// Whether these are values whose digests are in the body, each at a place that the body leaves to it.
///
/// # Errors
/// [`What`] is wrong with the first that is not.
pub fn check(body: &Value, personal: &Personal) -> Result<(), What> {
    for (pointer, Disclosed { key, value }) in personal {
        let Some(hashed) = digests(body).and_then(|digests| digests.get(pointer)).and_then(Value::as_str) else {
            return Err(What::Undigested(pointer.clone()));
        };
        if !is_vacant(body, pointer) {
            return Err(What::Occupied(pointer.clone()));
        }
        let text = canonical(value).map_err(|error| What::Malformed(error.to_string()))?;
        let fits = key_from(key).is_some_and(|key| hex::encode(digest(&key, &[text.as_bytes()])) == hashed);
        if !fits {
            return Err(What::Personal(pointer.clone()));
        }
    }
    Ok(())
}

/// The entry as it is shown: its body with the values that are there in their places.
pub fn put_back(body: &mut Value, personal: &Personal) {
    for (pointer, Disclosed { value, .. }) in personal {
        if !is_vacant(body, pointer) {
            continue;
        }
        let Some((parent, last)) = pointer.rsplit_once('/') else { continue };
        match body.pointer_mut(parent) {
            Some(Value::Object(members)) => drop(members.insert(unescaped(last), value.clone())),
            Some(Value::Array(items)) => {
                if let Some(item) = last.parse().ok().and_then(|index: usize| items.get_mut(index)) {
                    *item = value.clone();
                }
            }
            _ => {}
        }
    }
}

/// Takes a value out of an entry that is to become a body; none where there is none.
pub fn take(entry: &mut Value, pointer: &str) -> Option<Value> {
    let (parent, last) = pointer.rsplit_once('/')?;
    match entry.pointer_mut(parent)? {
        Value::Object(members) => members.remove(&unescaped(last)),
        Value::Array(items) => items.get_mut(last.parse::<usize>().ok()?).map(Value::take),
        _ => None,
    }
    .filter(|value| !value.is_null())
}

/// The pointers of values that were there once, and are not among these.
#[must_use]
pub fn erased(body: &Value, personal: &Personal) -> Vec<String> {
    let digests = digests(body).into_iter().flatten();
    digests.map(|(pointer, _)| pointer).filter(|pointer| !personal.contains_key(*pointer)).cloned().collect()
}

fn digests(body: &Value) -> Option<&Map<String, Value>> {
    body.get(DIGESTS)?.as_object()
}

/// Whether the body has a place for a value there, and nothing in it: no member of the object, or null.
fn is_vacant(body: &Value, pointer: &str) -> bool {
    let Some((parent, last)) = pointer.rsplit_once('/') else { return false };
    match body.pointer(parent) {
        Some(Value::Object(members)) => members.get(&unescaped(last)).is_none_or(Value::is_null),
        Some(Value::Array(items)) => last.parse().ok().and_then(|index: usize| items.get(index)) == Some(&Value::Null),
        _ => false,
    }
}

fn unescaped(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry() -> Value {
        json!({"v": 2, "actor": {"login": "mina"}, "detail": {"a/b": "Mina", "asked": ["mina", "joon"]}})
    }

    fn split(pointers: &[&str]) -> (Value, Personal) {
        let (mut body, mut digests, mut personal) = (entry(), Map::new(), Personal::new());
        for (number, pointer) in (1..).zip(pointers) {
            let (key, value) = ([number; 32], take(&mut body, pointer).unwrap());
            let text = canonical(&value).unwrap();
            digests.insert((*pointer).to_owned(), hex::encode(digest(&key, &[text.as_bytes()])).into());
            personal.insert((*pointer).to_owned(), Disclosed { key: hex::encode(key), value });
        }
        body[DIGESTS] = digests.into();
        (body, personal)
    }

    #[test]
    fn digests_are_those_of_rfc_4231() {
        // Shorter keys are filled up with zeros.
        let key = |bytes: &[u8]| {
            let mut key = [0; 32];
            key[..bytes.len()].copy_from_slice(bytes);
            key
        };
        for (key, text, expected) in [
            (key(&[0x0b; 20]), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                key(b"Jefe"),
                "what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
        ] {
            let (one, other) = text.as_bytes().split_at(3);
            assert_eq!(hex::encode(digest(&key, &[one, other])), expected);
        }
    }

    #[test]
    fn values_are_taken_out_and_put_back() {
        let (body, mut personal) = split(&["/actor/login", "/detail/a~1b", "/detail/asked/1"]);
        assert_eq!(body["detail"], json!({"asked": ["mina", null]}));
        assert_eq!(body["actor"], json!({}));
        check(&body, &personal).unwrap();
        let shown = |personal: &Personal| {
            let mut shown = body.clone();
            put_back(&mut shown, personal);
            shown.as_object_mut().unwrap().remove(DIGESTS);
            shown
        };
        assert_eq!(shown(&personal), entry());
        assert_eq!(erased(&body, &personal), Vec::<String>::new());
        personal.remove("/detail/asked/1");
        check(&body, &personal).unwrap();
        assert_eq!(shown(&personal)["detail"]["asked"], json!(["mina", null]));
        assert_eq!(erased(&body, &personal), ["/detail/asked/1"]);
        assert_eq!(take(&mut entry(), "/detail/nothing"), None);
        assert_eq!(take(&mut entry(), "/detail/asked/9"), None);
    }

    #[test]
    fn what_was_altered_is_named() {
        let (body, personal) = split(&["/actor/login", "/detail/a~1b", "/detail/asked/1"]);
        let told = |alter: &dyn Fn(&mut Value, &mut Personal)| {
            let (mut body, mut personal) = (body.clone(), personal.clone());
            alter(&mut body, &mut personal);
            check(&body, &personal).unwrap_err()
        };
        let login = "/actor/login".to_owned();
        let altered = told(&|_, personal| personal.get_mut(&login).unwrap().value = json!("joon"));
        assert_eq!(altered, What::Personal(login.clone()));
        let key = told(&|_, personal| personal.get_mut(&login).unwrap().key = "00".repeat(32));
        assert_eq!(key, What::Personal(login.clone()));
        let swapped = told(&|_, personal| {
            let (one, other) = (personal[&login].clone(), personal["/detail/a~1b"].clone());
            personal.insert("/detail/a~1b".to_owned(), one);
            personal.insert(login.clone(), other);
        });
        assert_eq!(swapped, What::Personal(login.clone()));
        let added = told(&|_, personal| {
            let value = personal[&login].clone();
            personal.insert("/detail/other".to_owned(), value);
        });
        assert_eq!(added, What::Undigested("/detail/other".to_owned()));
        let covered = told(&|body, _| body["actor"]["login"] = json!("joon"));
        assert_eq!(covered, What::Occupied(login));
        for text in ["[]", r#"{"/a":{"key":"00"}}"#, r#"{"/a":{"key":"00","value":1,"of":2}}"#, r#"{"/a":1,"/a":1}"#] {
            assert!(matches!(read(text), Err(What::Malformed(_))), "{text}");
        }
    }
}
