//! The objects that were received, found by their hashes.
//!
//! A pack does not say which objects it holds, only their content, many as a difference from another. So each is unpacked
//! once to learn its hash, one at a time and within a bound, and again when it is asked for. What was unpacked last is
//! kept in a cache of a fixed size, because differences are mostly from something near. The library can index a pack by
//! itself, but then keeps as many objects unpacked as a server chooses to put into one chain.

use std::{collections::HashMap, path::PathBuf};

use gix_hash::{Kind as Hash, ObjectId};
use gix_object::{
    CommitRefIter, Kind, TreeRefIter,
    commit::{MessageRef, ref_iter::Token},
};
use gix_pack::{
    cache::lru::MemoryCappedHashmap,
    data::{self, decode},
};
use tokio_util::sync::CancellationToken;

use super::{GitError, Limit, Limits, check};

/// How much of what was unpacked is kept, in bytes.
const CACHE: usize = 64 * 1024 * 1024;
/// How many parents a commit may have. Two is usual; the most that was ever noticed is 66.
const PARENT_LIMIT: usize = 100;
/// How long the name or the mail address of an author may be, in bytes.
const NAME_LIMIT: usize = 1024;
/// How many letters of a name or a subject are shown.
const SHOWN: usize = 200;

/// The objects of a pack.
pub(super) struct Pack {
    data: data::File<Vec<u8>>,
    offsets: HashMap<ObjectId, data::Offset>,
    inflate: gix_zlib::Inflate,
    cache: MemoryCappedHashmap,
    content: Vec<u8>,
    limit: usize,
}

/// What is needed of a commit.
pub(super) struct Commit {
    pub(super) tree: ObjectId,
    pub(super) parents: Vec<ObjectId>,
    /// Author and committer, by mail address in lower case.
    pub(super) people: [String; 2],
    /// When it was made, in seconds since 1970, as whoever made it says.
    pub(super) at: i64,
}

/// What people have written on a commit.
pub(super) struct Words {
    /// The name of the author, or else the mail address.
    pub(super) author: String,
    /// The first line of the message.
    pub(super) subject: String,
}

impl Pack {
    pub(super) fn index(bytes: Vec<u8>, limits: &Limits, stop: &CancellationToken) -> Result<Self, GitError> {
        let data = data::File::from_data(bytes, PathBuf::new(), Hash::Sha1).map_err(|_| truncated())?;
        let count = data.num_objects();
        if count > limits.objects {
            return Err(GitError::TooLarge { limit: Limit::Objects(limits.objects) });
        }
        let mut pack = Self {
            data: data.with_alloc_limit_bytes(Some(limits.object)),
            offsets: HashMap::new(),
            inflate: gix_zlib::Inflate::default(),
            cache: MemoryCappedHashmap::new(CACHE),
            content: Vec::new(),
            limit: limits.object,
        };
        let mut offset = data::header::SIZE as data::Offset;
        for _ in 0..count {
            check(stop)?;
            let (kind, end) = pack.unpack(offset)?;
            let id = gix_object::compute_hash(Hash::Sha1, kind, &pack.content).map_err(|_| corrupt())?;
            pack.offsets.insert(id, offset);
            offset = end;
        }
        if offset == pack.data.pack_end() as data::Offset { Ok(pack) } else { Err(truncated()) }
    }

    /// Unpacks what is at an offset into `content`: its kind, and the offset of what follows.
    fn unpack(&mut self, offset: data::Offset) -> Result<(Kind, data::Offset), GitError> {
        let Self { data, offsets, inflate, cache, content, limit } = self;
        let refused = |error: gix_error::Error| {
            if error.is_resource_exhausted() { GitError::TooLarge { limit: Limit::Object(*limit) } } else { corrupt() }
        };
        let entry = data.entry(offset).map_err(refused)?;
        let begin = entry.data_offset;
        // A base always stands before what differs from it, so its hash is known by now.
        let base = |id: &gix_hash::oid, _: &mut Vec<u8>| match offsets.get(id) {
            Some(offset) => data.entry(*offset).map(|entry| Some(decode::entry::ResolvedBase::InPack(entry))),
            None => Ok(None),
        };
        let outcome = data.decode_entry(entry, content, inflate, &base, cache).map_err(refused)?;
        Ok((outcome.kind, begin.saturating_add(outcome.compressed_size as data::Offset)))
    }

    /// The size of an object in bytes; none if it was not sent.
    pub(super) fn size(&mut self, id: ObjectId) -> Result<Option<u64>, GitError> {
        let Self { data, offsets, inflate, .. } = self;
        let Some(offset) = offsets.get(&id) else { return Ok(None) };
        let base = |id: &gix_hash::oid| match offsets.get(id) {
            Some(offset) => data.entry(*offset).map(|entry| Some(decode::header::ResolvedBase::InPack(entry))),
            None => Ok(None),
        };
        let header = data.entry(*offset).and_then(|entry| data.decode_header(entry, inflate, &base));
        Ok(Some(header.map_err(|_| corrupt())?.object_size))
    }

    /// The content of an object of this kind.
    pub(super) fn content(&mut self, id: ObjectId, kind: Kind) -> Result<&[u8], GitError> {
        let offset = self.offsets.get(&id).copied().ok_or_else(incomplete)?;
        let (found, _) = self.unpack(offset)?;
        if found == kind { Ok(&self.content) } else { Err(corrupt()) }
    }

    /// The entries of a folder.
    pub(super) fn tree(&mut self, id: ObjectId) -> Result<TreeRefIter<'_>, GitError> {
        Ok(TreeRefIter::from_bytes(self.content(id, Kind::Tree)?, Hash::Sha1))
    }

    pub(super) fn commit(&mut self, id: ObjectId) -> Result<Commit, GitError> {
        let (mut tree, mut parents, mut people, mut at) = (None, Vec::new(), Vec::new(), 0);
        for token in CommitRefIter::from_bytes(self.content(id, Kind::Commit)?, Hash::Sha1) {
            match token.map_err(|_| corrupt())? {
                Token::Tree { id } => tree = Some(id),
                Token::Parent { id } if parents.len() < PARENT_LIMIT => parents.push(id),
                Token::Parent { .. } => return Err(corrupt()),
                Token::Author { signature } => people.push(person(signature.email, signature.name)?),
                Token::Committer { signature } => {
                    people.push(person(signature.email, signature.name)?);
                    at = signature.seconds();
                    break;
                }
                Token::Encoding(_) | Token::ExtraHeader(_) | Token::Message(_) => {}
            }
        }
        match (tree, <[String; 2]>::try_from(people)) {
            (Some(tree), Ok(people)) => Ok(Commit { tree, parents, people, at }),
            _ => Err(corrupt()),
        }
    }

    /// What is written on a commit.
    pub(super) fn words(&mut self, id: ObjectId) -> Result<Words, GitError> {
        let mut words = Words { author: String::new(), subject: String::new() };
        for token in CommitRefIter::from_bytes(self.content(id, Kind::Commit)?, Hash::Sha1) {
            match token.map_err(|_| corrupt())? {
                Token::Author { signature } => {
                    let name = if signature.name.trim_ascii().is_empty() { signature.email } else { signature.name };
                    words.author = shown(name);
                }
                Token::Message(message) => words.subject = shown(&MessageRef::from_bytes(message).summary()),
                _ => {}
            }
        }
        Ok(words)
    }
}

/// As much of it as is shown.
fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).trim().chars().take(SHOWN).collect()
}

/// Whoever has no mail address is not to be lost.
fn person(mail: &[u8], name: &[u8]) -> Result<String, GitError> {
    if mail.len() > NAME_LIMIT || name.len() > NAME_LIMIT {
        return Err(corrupt());
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_lowercase();
    let mail = text(mail);
    Ok(if mail.is_empty() { text(name) } else { mail })
}

/// What is in a pack is not what Git would have put there.
pub(super) fn corrupt() -> GitError {
    GitError::garbled("what it sent is no sound Git repository")
}

fn truncated() -> GitError {
    GitError::garbled("what it sent is not complete")
}

/// A server that is whole sends all that a commit refers to.
fn incomplete() -> GitError {
    GitError::Broken {
        reason:
            "a part of the history is missing there (a shallow copy?); read from the repository that it was copied from"
                .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_unpacked_when_nobody_waits() {
        let pack = || [&b"PACK\0\0\0\x02\0\0\0\x01"[..], &[0; 20]].concat();
        let stop = CancellationToken::new();
        let unpack = |stop| Pack::index(pack(), &Limits::default(), stop).err();
        assert!(matches!(unpack(&stop), Some(GitError::Broken { .. })));
        stop.cancel();
        assert_eq!(unpack(&stop), Some(GitError::TooSlow));
    }

    #[test]
    fn people_are_known_by_mail_address_or_else_by_name() {
        assert_eq!(person(b" Ann@Example.TEST ", b"Ann").as_deref(), Ok("ann@example.test"));
        assert_eq!(person(b"", b"Ann A. ").as_deref(), Ok("ann a."));
        assert!(person(&[b'a'; 1025], b"Ann").is_err());
    }
}
