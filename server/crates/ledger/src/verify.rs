//! Verifies an export, entry by entry: that nothing was altered, and that nothing is missing.
//!
//! Two questions, two answers. *Integrity*: are these the entries that the log's keys have signed, each in its place?
//! *Completeness*: are they all? The end of a file can be cut off together with the checkpoints over it, which no file can
//! tell of itself; so completeness is proved only against a checkpoint that was kept somewhere else ([`Outside`]). In the same
//! way a file can be signed anew with another key, which is seen by whoever knows the right one.

mod lines;
mod written;

use std::{
    collections::BTreeMap,
    io::{self, BufRead},
};

use lines::{Line, Lines};

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    FIRST_VERSION, VERSION,
    canonical::{canonical, integer, parse, portable},
    checkpoint::{Checkpoint, Distrust, PublicKey, Trust},
    export::{self, FORMAT},
    personal,
    tree::{self, Edge, Hash},
};

/// The longest line that is read, in bytes; a written one has at most a little over 1 MiB.
pub const LONGEST_LINE: u64 = 16 << 20;

/// What is known from somewhere else than the file.
#[derive(Clone, Debug, Default)]
pub struct Outside {
    /// A key of the log. Without one the file's own is taken, which anybody can have made.
    pub key: Option<PublicKey>,
    /// Checkpoints of the log that were kept elsewhere.
    pub checkpoints: Vec<String>,
}

/// The hashes of entries that segments hold, by the names of the segments and the places of the entries. Who gives them has
/// verified the segments.
pub type Segments = BTreeMap<String, BTreeMap<u64, Hash>>;

/// What came of verifying an export.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// How many sound entries were read, up to the fault if there is one.
    pub entries: u64,
    /// The root of the tree over them.
    pub root: Hash,
    /// How many of them have their bodies in an archive, so that only their hashes were read.
    pub archived: u64,
    /// How many of those are in a segment that was not given.
    pub unseen: u64,
    /// How many checkpoints in the file fit them.
    pub checkpoints: u64,
    /// The key that the signatures go back to.
    pub key: Option<PublicKey>,
    /// The first fault; none: nothing was altered.
    pub fault: Option<Fault>,
    /// Whether anything is missing.
    pub completeness: Completeness,
    /// The last checkpoint in the file that fits, with whatever cosignatures it has.
    pub last_checkpoint: Option<String>,
}

/// Whether entries are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// All entries that a checkpoint from elsewhere covers are there.
    Proved {
        /// The last of them.
        up_to: u64,
    },
    /// Nothing says that any are missing; but nothing from elsewhere was there to compare with.
    Unproved,
    /// A checkpoint covers more entries than there are.
    Missing {
        /// The first that is missing.
        from: u64,
        /// The last that is known of.
        to: u64,
    },
    /// The file breaks off, or is not sound to its end.
    Unknown,
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
        expected: u64,
    },
    /// The hash is not that of the body.
    #[error("the hash does not fit: this entry was altered")]
    Hash,
    /// A value that stands beside the body is not the one whose digest is in it.
    #[error("the personal value at {0} is not the one that was hashed: it was altered")]
    Personal(String),
    /// A value stands beside the body that it has no digest for.
    #[error("there is a personal value at {0}, for which the hashed entry has no digest: it was added")]
    Undigested(String),
    /// A value stands beside the body for a place where the body itself says something.
    #[error("there is a personal value at {0}, where the hashed entry itself has something or no place: it was added")]
    Occupied(String),
    /// The given segment does not hold the entry, or not with this hash.
    #[error("the segment {0} does not hold this entry as it is in the log: one of the two was altered")]
    OtherSegment(String),
    /// A search column of the stored row says something else than its body.
    #[error("the column {0} says something else than the hashed entry")]
    Column(&'static str),
    /// Nothing is left of the stored entry, and it was not archived.
    #[error("the entry is empty and was not archived: its body was taken away")]
    Emptied,
    /// The segment that the stored entry is said to be in is none, or does not hold it.
    #[error("it is said to be archived in {0}, which does not hold it: its body was taken away")]
    Segment(String),
    /// The stored entry is said to be archived, and has a body.
    #[error("it is said to be archived in {0}, and still has a body")]
    Kept(String),
    /// A checkpoint or an introduction in the file is not believed.
    #[error("{0}")]
    Note(Distrust),
    /// A checkpoint that is not over the entries before it, or comes twice.
    #[error("a checkpoint over {0} entries does not belong here: entries or checkpoints were left out, added or moved")]
    OutOfPlace(u64),
    /// The tree over the entries has another root than the checkpoint says.
    #[error(
        "the entries from {from} to {to} are not those that were signed: at least one was altered, replaced or moved"
    )]
    Root {
        /// The first that may have been.
        from: u64,
        /// The last that may have been.
        to: u64,
    },
    /// No checkpoint covers the last entries.
    #[error("no checkpoint covers the entries from {from} on: they were added, or the checkpoint was taken away")]
    Unsigned {
        /// The first without.
        from: u64,
    },
    /// It is signed, but not by the key that was given.
    #[error(
        "the file is not signed by the given key {0}, or one that it introduced: it was signed anew, or is of another log"
    )]
    OtherKey(String),
    /// A checkpoint from elsewhere is not believed.
    #[error("the checkpoint from elsewhere: {0}")]
    Outside(Distrust),
    /// A checkpoint from elsewhere says something else of the log as it was then.
    #[error("the log is not the one that a checkpoint from elsewhere has seen at {size} entries: it was written anew")]
    Rewritten {
        /// Entries at that time.
        size: u64,
    },
    /// A checkpoint from elsewhere covers more entries than the log has.
    #[error("the log has {is} entries and had {was} once: it was put back or cut off")]
    Shrunk {
        /// Entries at that time.
        was: u64,
        /// Entries now.
        is: u64,
    },
    /// A checkpoint from elsewhere is of another log.
    #[error("the checkpoint from elsewhere is of another log, {0}")]
    OtherLog(String),
    /// The hashes of a proof do not lead from its entry to the root that was signed.
    #[error("the proof does not hold: the entry is not in the log that was signed, or at another place")]
    Path,
    /// The file ends without its last line.
    #[error("the file ends too early: its end was cut off")]
    Truncated,
    /// The last line tells another number or root than the entries.
    #[error("the last line does not fit the entries: entries or checkpoints were left out or added")]
    Footer,
    /// Something follows the last line.
    #[error("there is something after the last line")]
    Trailing,
}

/// The place that a body of a known version claims.
///
/// # Errors
/// [`What`] is wrong with it.
pub fn place(body: &Value) -> Result<i64, What> {
    let version = body.get("v").ok_or_else(|| What::Malformed("an entry without version".to_owned()))?;
    if !version.as_number().and_then(integer).is_some_and(|version| (FIRST_VERSION..=VERSION).contains(&version)) {
        return Err(What::Version(version.to_string()));
    }
    let seq = body.get("seq").and_then(Value::as_number).and_then(integer).filter(|seq| *seq > 0);
    seq.ok_or_else(|| What::Malformed("an entry without its place".to_owned()))
}

/// Reads an export to its end or its first fault, one line at a time.
///
/// # Errors
/// It cannot be read.
pub fn verify(reader: impl BufRead, outside: &Outside) -> Result<Verdict, io::Error> {
    verify_with(reader, outside, &Segments::new())
}

/// The same, of an export some of whose archived entries are in these segments.
///
/// # Errors
/// It cannot be read.
pub fn verify_with(reader: impl BufRead, outside: &Outside, segments: &Segments) -> Result<Verdict, io::Error> {
    let mut lines = Lines::new(reader);
    let mut walk = Walk::new(outside, segments);
    let fault = match walk.through(&mut lines)? {
        Ok(()) => None,
        Err((seq, what)) => Some(Fault { line: lines.number, seq, what }),
    };
    Ok(walk.verdict(fault))
}

type Broken = (Option<i64>, What);

fn malformed(why: impl Into<String>) -> Broken {
    (None, What::Malformed(why.into()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: String,
    v: Value,
    key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Footer {
    entries: u64,
    checkpoints: u64,
    root: String,
}

/// Where the body of an entry is that is not in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Archived {
    seq: i64,
    segment: String,
}

/// How far a file has been read.
struct Walk<'a> {
    outside: &'a Outside,
    segments: &'a Segments,
    archived: u64,
    unseen: u64,
    /// The checkpoints from elsewhere that are over entries still to come, the one over most first.
    ahead: Vec<Checkpoint>,
    /// The most entries that one from elsewhere covers.
    covered_elsewhere: Option<u64>,
    /// The keys as the file has them.
    own: Option<Trust>,
    /// The given key, and those that it has introduced.
    given: Option<Trust>,
    edge: Edge,
    checkpoints: u64,
    last_checkpoint: Option<String>,
    /// Entries up to the last checkpoint.
    signed: Option<u64>,
    /// Entries up to the last checkpoint by the given key.
    vouched: Option<u64>,
}

impl<'a> Walk<'a> {
    fn new(outside: &'a Outside, segments: &'a Segments) -> Self {
        Self {
            outside,
            segments,
            archived: 0,
            unseen: 0,
            ahead: Vec::new(),
            covered_elsewhere: None,
            own: None,
            given: outside.key.clone().map(Trust::in_key),
            edge: Edge::default(),
            checkpoints: 0,
            last_checkpoint: None,
            signed: None,
            vouched: None,
        }
    }

    fn verdict(&self, fault: Option<Fault>) -> Verdict {
        let entries = self.edge.size();
        let beyond = self.covered_elsewhere.filter(|size| *size > entries);
        let completeness = match (&fault, beyond, self.covered_elsewhere) {
            (None, Some(to), _) => Completeness::Missing { from: entries + 1, to },
            (None, None, Some(up_to)) => Completeness::Proved { up_to },
            (None, None, None) => Completeness::Unproved,
            (Some(_), ..) => Completeness::Unknown,
        };
        let trust = self.given.as_ref().or(self.own.as_ref());
        Verdict {
            entries,
            root: self.edge.root(),
            archived: self.archived,
            unseen: self.unseen,
            checkpoints: self.checkpoints,
            key: trust.and_then(Trust::first).cloned(),
            fault,
            completeness,
            last_checkpoint: self.last_checkpoint.clone(),
        }
    }

    fn through<R: BufRead>(&mut self, lines: &mut Lines<R>) -> Result<Result<(), Broken>, io::Error> {
        match lines.next()? {
            Err(what) => return Ok(Err((None, what))),
            Ok(None) => return Ok(Err((None, What::Truncated))),
            Ok(Some(line)) => {
                if let Err(what) = self.header(line.text) {
                    return Ok(Err((None, what)));
                }
            }
        }
        let mut begun = false;
        loop {
            let line = match lines.next()? {
                Err(what) => return Ok(Err((None, what))),
                Ok(None) => return Ok(Err((None, What::Truncated))),
                Ok(Some(line)) => line,
            };
            match self.accept(&line, &mut begun) {
                Err(broken) => return Ok(Err(broken)),
                Ok(true) => break,
                Ok(false) => {}
            }
        }
        Ok(match lines.next()? {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err((None, What::Trailing)),
            Err(what) => Err((None, what)),
        })
    }

    fn header(&mut self, line: &[u8]) -> Result<(), What> {
        let value = parse(line).map_err(|_| What::Header)?;
        let value = portable(&value);
        if value.get("format").and_then(Value::as_str) != Some(FORMAT) {
            return Err(What::Header);
        }
        match value.get("v") {
            Some(v) if !v.as_i64().is_some_and(|v| (export::BEFORE..=export::VERSION).contains(&v)) => {
                return Err(What::Version(v.to_string()));
            }
            _ => {}
        }
        let header: Header = serde_json::from_value(value).map_err(|_| What::Header)?;
        debug_assert!(header.format == FORMAT && header.v.is_number());
        let key = PublicKey::parse(&header.key).ok().filter(|key| key.to_string() == header.key).ok_or(What::Header)?;
        if self.given.as_ref().is_some_and(|given| given.origin() != key.origin()) {
            return Err(What::Outside(Distrust::OtherLog));
        }
        self.own = Some(Trust::in_key(key));
        Ok(())
    }

    /// Accepts a line; whether it was the last.
    fn accept(&mut self, line: &Line<'_>, begun: &mut bool) -> Result<bool, Broken> {
        if let Some(placed) = &line.sound {
            self.begin(begun)?;
            return self.push(placed.seq, placed.hash).map(|()| false);
        }
        let value = parse(line.text).map_err(|error| malformed(error.to_string()))?;
        let Value::Object(mut members) = value else {
            return Err(malformed("not an object"));
        };
        if let Some(body) = members.remove("body") {
            self.begin(begun)?;
            self.entry(&body, members)?;
            return Ok(false);
        }
        if let Some(archived) = members.remove("archived") {
            self.begin(begun)?;
            self.archived(&archived, members)?;
            return Ok(false);
        }
        if let Some(introduction) = only(&mut members, "introduction")? {
            if *begun {
                return Err(malformed("a key that is introduced after the first entry"));
            }
            let own = self.own.as_mut().ok_or((None, What::Header))?;
            own.introduce(&introduction).map_err(|distrust| (None, What::Note(distrust)))?;
            if let Some(given) = &mut self.given {
                // One before the given key is none of its own.
                let _ = given.introduce(&introduction);
            }
            return Ok(false);
        }
        self.begin(begun)?;
        if let Some(note) = only(&mut members, "checkpoint")? {
            self.checkpoint(&note).map_err(|what| (None, what))?;
            return Ok(false);
        }
        self.footer(members)?;
        Ok(true)
    }

    /// The keys are all known: the checkpoints from elsewhere can be read, and those over nothing are compared.
    fn begin(&mut self, begun: &mut bool) -> Result<(), Broken> {
        if std::mem::replace(begun, true) {
            return Ok(());
        }
        let trust = self.given.as_ref().or(self.own.as_ref()).ok_or((None, What::Header))?;
        for note in &self.outside.checkpoints {
            // A checkpoint by an earlier key than the given one is as good.
            let read = trust.read(note).or_else(|distrust| match &self.own {
                Some(own) if distrust == Distrust::UnknownKey => own.read(note),
                _ => Err(distrust),
            });
            self.ahead.push(read.map_err(|distrust| (None, What::Outside(distrust)))?);
        }
        self.ahead.sort_by_key(|checkpoint| std::cmp::Reverse(checkpoint.size));
        self.covered_elsewhere = self.ahead.first().map(|checkpoint| checkpoint.size);
        self.compare_elsewhere().map_err(|what| (None, what))
    }

    /// Compares the checkpoints from elsewhere over as many entries as there are now.
    fn compare_elsewhere(&mut self) -> Result<(), What> {
        let size = self.edge.size();
        while let Some(checkpoint) = self.ahead.pop_if(|checkpoint| checkpoint.size == size) {
            if checkpoint.root != self.edge.root() {
                return Err(What::Rewritten { size });
            }
        }
        Ok(())
    }

    fn entry(&mut self, body: &Value, mut members: Map<String, Value>) -> Result<(), Broken> {
        let seq = place(body);
        let broken = |what| (seq.as_ref().ok().copied(), what);
        let Some(Value::String(claimed)) = members.remove("hash") else {
            return Err(broken(What::Malformed("an entry without its hash".to_owned())));
        };
        let beside = members.remove("personal").map(personal::from_value).transpose().map_err(broken)?;
        if let Some(name) = members.keys().next() {
            return Err(broken(What::Malformed(format!("unknown member {name}"))));
        }
        let seq = seq.clone().map_err(broken)?;
        let text = canonical(body).map_err(|error| broken(What::Malformed(error.to_string())))?;
        let hash = tree::leaf(text.as_bytes());
        if tree::text(&hash) != claimed {
            return Err(broken(What::Hash));
        }
        personal::check(body, &beside.unwrap_or_default()).map_err(broken)?;
        self.push(seq, hash)
    }

    /// An entry whose body is in an archive: the tree tells whether its hash is the one that was signed.
    fn archived(&mut self, archived: &Value, mut members: Map<String, Value>) -> Result<(), Broken> {
        let archived: Archived =
            serde_json::from_value(portable(archived)).map_err(|error| malformed(error.to_string()))?;
        let broken = |what| (Some(archived.seq), what);
        let hash = match only(&mut members, "hash") {
            Ok(Some(text)) => tree::from_text(&text),
            Ok(None) | Err(_) => None,
        };
        let hash =
            hash.ok_or_else(|| broken(What::Malformed("an archived entry has its hash and no more".to_owned())))?;
        if archived.segment.is_empty() {
            return Err(broken(What::Malformed("an archived entry without its segment".to_owned())));
        }
        self.push(archived.seq, hash)?;
        self.archived += 1;
        match self.segments.get(&archived.segment) {
            None => self.unseen += 1,
            Some(entries) if entries.get(&self.edge.size()) == Some(&hash) => {}
            Some(_) => return Err(broken(What::OtherSegment(archived.segment.clone()))),
        }
        Ok(())
    }

    fn push(&mut self, seq: i64, hash: Hash) -> Result<(), Broken> {
        let expected = self.edge.size() + 1;
        if u64::try_from(seq) != Ok(expected) {
            return Err((Some(seq), What::Place { expected }));
        }
        self.edge.push(hash);
        self.compare_elsewhere().map_err(|what| (Some(seq), what))
    }

    fn checkpoint(&mut self, note: &str) -> Result<(), What> {
        let own = self.own.as_ref().ok_or(What::Header)?;
        let Checkpoint { size, root, .. } = own.read(note).map_err(What::Note)?;
        if size != self.edge.size() || self.signed == Some(size) {
            return Err(What::OutOfPlace(size));
        }
        if root != self.edge.root() {
            return Err(What::Root { from: self.signed.unwrap_or(0) + 1, to: size });
        }
        self.signed = Some(size);
        self.checkpoints += 1;
        self.last_checkpoint = Some(note.to_owned());
        if self.given.as_ref().is_some_and(|given| given.read(note).is_ok()) {
            self.vouched = Some(size);
        }
        Ok(())
    }

    fn footer(&mut self, members: Map<String, Value>) -> Result<(), Broken> {
        let members = portable(&Value::Object(members));
        let footer: Footer = serde_json::from_value(members).map_err(|error| malformed(error.to_string()))?;
        let entries = self.edge.size();
        let told = (footer.entries, footer.checkpoints, footer.root);
        if told != (entries, self.checkpoints, tree::text(&self.edge.root())) {
            return Err((None, What::Footer));
        }
        if self.signed != Some(entries) {
            return Err((None, What::Unsigned { from: self.signed.unwrap_or(0) + 1 }));
        }
        match &self.outside.key {
            Some(key) if self.vouched != Some(entries) => Err((None, What::OtherKey(key.to_string()))),
            _ => Ok(()),
        }
    }
}

/// The text of the only member, if it has this name.
fn only(members: &mut Map<String, Value>, name: &str) -> Result<Option<String>, Broken> {
    match members.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) if members.is_empty() => Ok(Some(text)),
        Some(_) => Err(malformed(format!("{name} is not the only text of its line"))),
    }
}

#[cfg(test)]
mod tests;
