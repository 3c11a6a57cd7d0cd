//! The way past most lines: an entry as this program writes it is hashed as it stands, and only what has to be known of it is
//! parsed. A line that is anything else is none of these, and said to be wrong by who reads it more closely.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};

use crate::{
    FIRST_VERSION, VERSION, personal,
    tree::{self, Hash},
};

/// What stands between the end of a body and what is beside it: bodies end with their version.
const BESIDE: &[u8] = b"\"v\":2},\"personal\":{";
/// How much of that is the body's.
const END_OF_BODY: usize = 6;
/// How much is before the values.
const BEFORE_VALUES: usize = 18;

pub(super) struct Sound {
    pub(super) seq: i64,
    pub(super) hash: Hash,
}

/// The entry of the line, if all of it is as it has to be.
pub(super) fn sound(line: &[u8]) -> Option<Sound> {
    let Parts { body, beside, claimed } = split(line)?;
    let hash = tree::leaf(body);
    let entry = serde_json::from_slice::<Entry<'_>>(body).ok()?;
    let is_known = (FIRST_VERSION..=VERSION).contains(&entry.v);
    if !is_known || tree::text(&hash) != claimed {
        return None;
    }
    if let Some(beside) = beside {
        let values = serde_json::from_slice::<Pairs<'_, Value<'_>>>(beside).ok()?;
        if !values.0.iter().all(|(pointer, value)| entry.has_hashed(pointer, value)) {
            return None;
        }
    }
    Some(Sound { seq: entry.seq, hash })
}

/// A line as it is written.
struct Parts<'a> {
    body: &'a [u8],
    /// What names people.
    beside: Option<&'a [u8]>,
    /// The hash that it says it has.
    claimed: &'a str,
}

fn split(line: &[u8]) -> Option<Parts<'_>> {
    const BETWEEN: &[u8] = b",\"hash\":\"";
    const HASH: usize = 64;
    let rest = line.strip_prefix(b"{\"body\":")?.strip_suffix(b"\"}\n")?;
    let (before, hash) = rest.split_at_checked(rest.len().checked_sub(HASH)?)?;
    let (before, claimed) = (before.strip_suffix(BETWEEN)?, std::str::from_utf8(hash).ok()?);
    // In a detail it could stand as well: the hash of what is before would then not fit.
    let (body, beside) = match memchr::memmem::find(before, BESIDE) {
        Some(at) => (before.get(..at + END_OF_BODY)?, Some(before.get(at + BEFORE_VALUES..)?)),
        None => (before, None),
    };
    Some(Parts { body, beside, claimed })
}

/// What has to be known of a body.
#[derive(Deserialize)]
struct Entry<'a> {
    v: i64,
    seq: i64,
    #[serde(borrow, default)]
    personal: Option<Pairs<'a, &'a str>>,
    #[serde(default)]
    actor: Option<Actor>,
    #[serde(default)]
    address: Option<IgnoredAny>,
    #[serde(default)]
    resource: Option<Resource>,
}

#[derive(Deserialize)]
struct Actor {
    #[serde(default)]
    login: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Resource {
    #[serde(default)]
    name: Option<IgnoredAny>,
}

/// A text with its key. One that needs no escapes stands as it is in its canonical form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Value<'a> {
    key: &'a str,
    value: &'a str,
}

impl Entry<'_> {
    fn has_hashed(&self, pointer: &str, Value { key, value }: &Value<'_>) -> bool {
        let is_vacant = match pointer {
            "/actor/login" => self.actor.as_ref().is_some_and(|actor| actor.login.is_none()),
            "/address" => self.address.is_none(),
            "/resource/name" => self.resource.as_ref().is_some_and(|resource| resource.name.is_none()),
            // Wherever else it may be, the whole body has to be read.
            _ => false,
        };
        let digest =
            self.personal.as_ref().and_then(|digests| digests.get(pointer)).and_then(|text| tree::from_text(text));
        let (Some(digest), Some(key)) = (digest, personal::key_from(key)) else { return false };
        is_vacant && personal::digest(&key, &[b"\"", value.as_bytes(), b"\""]) == digest.0
    }
}

/// The members of an object, none of them twice.
struct Pairs<'a, T>(Vec<(&'a str, T)>);

impl<T> Pairs<'_, T> {
    fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Pairs<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor(std::marker::PhantomData))
    }
}

struct PairsVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for PairsVisitor<T> {
    type Value = Pairs<'de, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Pairs(Vec::new());
        while let Some((name, value)) = members.next_entry::<&'de str, T>()? {
            if pairs.get(name).is_some() {
                return Err(serde::de::Error::custom("a member is named twice"));
            }
            pairs.0.push((name, value));
        }
        Ok(pairs)
    }
}
