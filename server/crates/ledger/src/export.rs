//! Exports of the audit log as JSON Lines, which can be verified.
//!
//! A file is [`header`], an [`introduction`] for each later key, then [`line()`] for each entry, or [`archived`], with a
//! [`checkpoint`] after the entries that it covers, the last of them after the last entry, and [`footer`]. The hashed bytes of
//! entries stand in it as they are.
//!
//! Every function returns its line with the line feed.

use std::borrow::Cow;

use serde_json::json;

use crate::{
    checkpoint::PublicKey,
    tree::{self, Hash},
};

/// The `format` in the first line of an export.
pub const FORMAT: &str = "rondo-audit";
/// The version of the export that this program writes.
pub const VERSION: i64 = 3;
/// The version before it, in which no entry is archived, or has anything beside its body: it is read.
pub const BEFORE: i64 = 2;

/// The first line: which log, and the first of its keys.
#[must_use]
pub fn header(key: &PublicKey) -> String {
    let line = json!({"format": FORMAT, "v": VERSION, "key": key.to_string()});
    format!("{line}\n")
}

/// A later key of the log, introduced by one before it.
#[must_use]
pub fn introduction(note: &str) -> String {
    format!("{}\n", json!({"introduction": note}))
}

/// One entry, of its stored bytes, with what stands beside its body. Bytes that would break the line were altered; as a text in
/// their place, they are seen to be.
#[must_use]
pub fn line(body: &str, personal: Option<&str>) -> String {
    let hash = tree::text(&tree::leaf(body.as_bytes()));
    let body = unbroken(body);
    match personal.map(unbroken) {
        Some(personal) => format!("{{\"body\":{body},\"personal\":{personal},\"hash\":\"{hash}\"}}\n"),
        None => format!("{{\"body\":{body},\"hash\":\"{hash}\"}}\n"),
    }
}

fn unbroken(stored: &str) -> Cow<'_, str> {
    if stored.contains(['\n', '\r']) { json!(stored).to_string().into() } else { stored.into() }
}

/// An entry whose body was moved to an archive: its place, the name of the segment that holds it, its hash.
#[must_use]
pub fn archived(seq: i64, segment: &str, hash: &Hash) -> String {
    let line = json!({"archived": {"seq": seq, "segment": segment}, "hash": tree::text(hash)});
    format!("{line}\n")
}

/// A checkpoint over the entries so far.
#[must_use]
pub fn checkpoint(note: &str) -> String {
    format!("{}\n", json!({"checkpoint": note}))
}

/// The last line: how many entries and checkpoints the file has, and the root of the tree over the entries.
#[must_use]
pub fn footer(entries: u64, checkpoints: u64, root: &Hash) -> String {
    let line = json!({"entries": entries, "checkpoints": checkpoints, "root": tree::text(root)});
    format!("{line}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{bodies, entry};

    #[test]
    fn a_line_holds_exactly_the_hashed_bytes() {
        let [body] = <[_; 1]>::try_from(bodies(&[entry()])).unwrap();
        let hash = tree::text(&tree::leaf(body.as_bytes()));
        assert_eq!(line(&body, None), format!("{{\"body\":{body},\"hash\":\"{hash}\"}}\n"));
        let beside = line(&body, Some("{}"));
        assert_eq!(beside, format!("{{\"body\":{body},\"personal\":{{}},\"hash\":\"{hash}\"}}\n"));
    }

    #[test]
    fn an_altered_body_cannot_break_a_line() {
        let [mut body] = <[_; 1]>::try_from(bodies(&[entry()])).unwrap();
        body.insert(1, '\n');
        assert_eq!(line(&body, Some("{\n}")).matches('\n').count(), 1);
    }
}
