//! Verifies an export, or the stored log itself, entry by entry: nothing altered, left out, added or reordered.
//!
//! What this proves, and what it does not: the hashes have no key, so whoever can write a file anew with all its hashes
//! makes a sound file with another head. Compare [`Verdict::head`] with one noted earlier in another place.

use std::io::{self, BufRead, Read};

use serde::Deserialize;
use serde_json::{Map, Value};
use store::audit::{AuditHead, AuditRow};

use crate::{
    START, VERSION,
    canonical::{canonical, integer, parse, portable},
    export::FORMAT,
    seal::{hash_bytes, link},
    view,
};

/// The longest line that is read, in bytes; a written one has at most a little over 1 MiB.
pub const LONGEST_LINE: u64 = 16 << 20;

/// What came of verifying an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How many sound entries were read, up to the fault if there is one.
    pub entries: u64,
    /// The last sound entry: its place and hash. To be compared with one noted elsewhere.
    pub head: AuditHead,
    /// Whether the file claims to be the log from its first entry on, without a gap; a selection, or an export from a
    /// later entry on, does not.
    pub whole: bool,
    /// The first fault; none: the file is sound.
    pub fault: Option<Fault>,
}

/// Where a file breaks, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1.
    pub line: u64,
    /// The entry that the line holds, where it says so.
    pub seq: Option<i64>,
    /// How.
    pub what: What,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(seq) = self.seq {
            write!(f, ", entry {seq}")?;
        }
        write!(f, ": {}", self.what)
    }
}

/// How an entry or file breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum What {
    /// The first line is not that of an export.
    #[error("this is not the first line of an audit export")]
    Header,
    /// Written by a program that knows another encoding.
    #[error("the encoding has version {0}, which this program does not know")]
    Version(String),
    /// Not JSON, a member named twice, or not the members that the line has to have.
    #[error("the line is not what an export has here: {0}")]
    Malformed(String),
    /// More than [`LONGEST_LINE`] bytes.
    #[error("the line is longer than an entry can be")]
    TooLong,
    /// Another place than the next.
    #[error("entry {expected} was expected here: entries were left out, added or reordered")]
    Place {
        /// The place that would follow.
        expected: i64,
    },
    /// A selection is neither ascending nor descending.
    #[error("the entry is out of order: entries were added or reordered")]
    Order,
    /// The hash is not that of the body and the entry before.
    #[error("the hash does not fit: this entry was altered, or the one before it was replaced")]
    Hash,
    /// A search column of the stored row says something else than its body.
    #[error("the column {0} says something else than the hashed entry")]
    Column(&'static str),
    /// The file ends without its last line.
    #[error("the file ends too early: its end was cut off")]
    Truncated,
    /// The last line tells another number or end than the entries.
    #[error("the last line does not fit the entries: entries were left out or added")]
    Footer,
    /// Something follows the last line.
    #[error("there is something after the last line")]
    Trailing,
}

/// A walk along the log that accepts one entry after the other.
#[derive(Clone, Debug)]
pub struct Chain {
    seq: i64,
    hash: [u8; 32],
}

impl Chain {
    /// From the beginning of the log, or from after `head`; none when the hash of `head` is no hash.
    pub fn after(head: &AuditHead) -> Option<Self> {
        Some(Self { seq: head.seq, hash: hash_bytes(&head.hash)? })
    }

    /// The last accepted entry.
    pub fn head(&self) -> AuditHead {
        AuditHead { seq: self.seq, hash: hex::encode(self.hash) }
    }

    /// Accepts the next stored row, with its search columns, or says what is wrong with it.
    pub fn accept_row(&mut self, row: &AuditRow) -> Result<(), What> {
        let body = parse(row.body.as_bytes()).map_err(|error| What::Malformed(error.to_string()))?;
        let next = self.next(&body, &row.hash)?;
        let hashed = view(row);
        let actor_id = body.pointer("/actor/id").and_then(Value::as_str).map(str::to_owned);
        for (column, agrees) in [
            ("seq", next.seq == row.seq),
            ("at", hashed.at == row.at),
            ("actor_id", actor_id == row.actor_id.map(|id| id.to_string())),
            ("actor", hashed.actor == row.actor),
            ("action", hashed.action == row.action),
            ("resource_kind", hashed.resource_kind == row.resource_kind),
            ("resource_id", hashed.resource_id == row.resource_id),
            ("resource_name", hashed.resource_name == row.resource_name),
            ("namespace", hashed.namespace == row.namespace),
            ("outcome", hashed.outcome == row.outcome),
        ] {
            if !agrees {
                return Err(What::Column(column));
            }
        }
        *self = next;
        Ok(())
    }

    /// The chain with the entry, if it follows.
    fn next(&self, body: &Value, hash: &str) -> Result<Self, What> {
        let seq = place(body)?;
        if seq != self.seq + 1 {
            return Err(What::Place { expected: self.seq + 1 });
        }
        Ok(Self { seq, hash: linked(&self.hash, body, hash)? })
    }
}

/// The place that a body of a known version claims.
fn place(body: &Value) -> Result<i64, What> {
    let version = body.get("v").ok_or_else(|| What::Malformed("an entry without version".to_owned()))?;
    if version.as_number().and_then(integer) != Some(VERSION) {
        return Err(What::Version(version.to_string()));
    }
    let seq = body.get("seq").and_then(Value::as_number).and_then(integer).filter(|seq| *seq > 0);
    seq.ok_or_else(|| What::Malformed("an entry without its place".to_owned()))
}

/// The hash of the body after `previous`, if it is the one that is claimed.
fn linked(previous: &[u8; 32], body: &Value, claimed: &str) -> Result<[u8; 32], What> {
    let text = canonical(body).map_err(|error| What::Malformed(error.to_string()))?;
    let hash = link(previous, text.as_bytes());
    if hex::encode(hash) == claimed { Ok(hash) } else { Err(What::Hash) }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: String,
    v: Value,
    after: Option<i64>,
    previous: Option<String>,
    #[serde(default)]
    selection: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Footer {
    entries: u64,
    last: i64,
    head: String,
}

/// How the entries of a file hang together.
enum Course {
    /// One follows the other.
    Chain(Chain),
    /// Each by itself, in one direction: the last, and whether they ascend, once there are two.
    Selection { last: AuditHead, ascending: Option<bool> },
}

impl Course {
    fn from_header(line: &[u8]) -> Result<(Self, bool), What> {
        let value = parse(line).map_err(|_| What::Header)?;
        let header: Header = serde_json::from_value(portable(&value)).map_err(|_| What::Header)?;
        if header.format != FORMAT {
            return Err(What::Header);
        }
        if header.v.as_i64() != Some(VERSION) {
            return Err(What::Version(header.v.to_string()));
        }
        match (header.selection, header.after, header.previous) {
            (true, None, None) => Ok((Self::Selection { last: crate::start(), ascending: None }, false)),
            (false, Some(seq), Some(hash)) if seq >= 0 && (seq == 0) == (hash == START) => {
                let chain = Chain::after(&AuditHead { seq, hash }).ok_or(What::Header)?;
                Ok((Self::Chain(chain), seq == 0))
            }
            _ => Err(What::Header),
        }
    }

    fn head(&self) -> AuditHead {
        match self {
            Self::Chain(chain) => chain.head(),
            Self::Selection { last, .. } => last.clone(),
        }
    }

    fn accept(&mut self, body: &Value, hash: &str, previous: Option<&str>) -> Result<(), What> {
        match (self, previous) {
            (Self::Chain(chain), None) => *chain = chain.next(body, hash)?,
            (Self::Selection { last, ascending }, Some(previous)) => {
                let seq = place(body)?;
                let rises = seq > last.seq;
                if last.seq != 0 {
                    if seq == last.seq || ascending.is_some_and(|ascending| ascending != rises) {
                        return Err(What::Order);
                    }
                    *ascending = Some(rises);
                }
                let previous =
                    hash_bytes(previous).ok_or_else(|| What::Malformed("the hash before is none".to_owned()))?;
                linked(&previous, body, hash)?;
                *last = AuditHead { seq, hash: hash.to_owned() };
            }
            (Self::Chain(_), Some(_)) => return Err(What::Malformed("a line of a selection".to_owned())),
            (Self::Selection { .. }, None) => {
                return Err(What::Malformed("an entry of a selection without the hash before".to_owned()));
            }
        }
        Ok(())
    }
}

/// Reads an export to its end or its first fault, one line at a time.
pub fn verify(reader: impl BufRead) -> Result<Verdict, io::Error> {
    let mut lines = Lines { reader, number: 0, line: Vec::new() };
    let mut verdict = Verdict { entries: 0, head: crate::start(), whole: false, fault: None };
    verdict.fault = match read(&mut lines, &mut verdict)? {
        Ok(()) => None,
        Err((seq, what)) => Some(Fault { line: lines.number, seq, what }),
    };
    Ok(verdict)
}

type Broken = (Option<i64>, What);

fn read<R: BufRead>(lines: &mut Lines<R>, verdict: &mut Verdict) -> Result<Result<(), Broken>, io::Error> {
    let mut course = match lines.next()? {
        Err(what) => return Ok(Err((None, what))),
        Ok(None) => return Ok(Err((None, What::Truncated))),
        Ok(Some(line)) => match Course::from_header(line) {
            Err(what) => return Ok(Err((None, what))),
            Ok((course, whole)) => {
                verdict.whole = whole;
                course
            }
        },
    };
    verdict.head = course.head();
    loop {
        let line = match lines.next()? {
            Err(what) => return Ok(Err((None, what))),
            Ok(None) => return Ok(Err((None, What::Truncated))),
            Ok(Some(line)) => line,
        };
        match accept(line, &mut course, verdict.entries) {
            Err(broken) => return Ok(Err(broken)),
            Ok(Accepted::Entry) => {
                verdict.entries += 1;
                verdict.head = course.head();
            }
            Ok(Accepted::End) => break,
        }
    }
    Ok(match lines.next()? {
        Ok(None) => Ok(()),
        Ok(Some(_)) => Err((None, What::Trailing)),
        Err(what) => Err((None, what)),
    })
}

enum Accepted {
    Entry,
    End,
}

fn accept(line: &[u8], course: &mut Course, entries: u64) -> Result<Accepted, Broken> {
    let malformed = |why: String| (None, What::Malformed(why));
    let value = parse(line).map_err(|error| malformed(error.to_string()))?;
    let Value::Object(mut members) = value else {
        return Err(malformed("not an object".to_owned()));
    };
    let Some(body) = members.remove("body") else {
        let footer: Footer =
            serde_json::from_value(portable(&Value::Object(members))).map_err(|error| malformed(error.to_string()))?;
        let told = AuditHead { seq: footer.last, hash: footer.head };
        return if footer.entries == entries && told == course.head() {
            Ok(Accepted::End)
        } else {
            Err((None, What::Footer))
        };
    };
    let seq = place(&body).ok();
    let broken = |what| (seq, what);
    let hash = text(&mut members, "hash").map_err(broken)?;
    let hash = hash.ok_or_else(|| broken(What::Malformed("an entry without its hash".to_owned())))?;
    let previous = text(&mut members, "previous").map_err(broken)?;
    if let Some(name) = members.keys().next() {
        return Err(broken(What::Malformed(format!("unknown member {name}"))));
    }
    course.accept(&body, &hash, previous.as_deref()).map_err(broken)?;
    Ok(Accepted::Entry)
}

fn text(members: &mut Map<String, Value>, name: &str) -> Result<Option<String>, What> {
    match members.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(What::Malformed(format!("{name} is not text"))),
    }
}

/// Lines of bounded length, counted. The length is checked before more is read.
struct Lines<R> {
    reader: R,
    number: u64,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    fn next(&mut self) -> Result<Result<Option<&[u8]>, What>, io::Error> {
        self.line.clear();
        self.number += 1;
        let read = self.reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(Ok(None));
        }
        if read as u64 == LONGEST_LINE && !self.line.ends_with(b"\n") {
            return Ok(Err(What::TooLong));
        }
        Ok(Ok(Some(&self.line)))
    }
}

#[cfg(test)]
mod tests;
