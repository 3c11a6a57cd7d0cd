//! The files of a commit that are to be read.

use std::collections::{BTreeSet, HashSet};

use gix_hash::ObjectId;
use gix_object::{
    Kind,
    tree::{EntryKind, EntryMode},
};

use super::{
    File, GitError, Limit, SkipReason, Skipped, Unpacking, check,
    pack::{Pack, corrupt},
};

/// The longest path. Git's own limit is that of the file system, mostly 4096.
const PATH_LIMIT: usize = 1024;

/// What was found, sorted by path.
pub(super) struct Found {
    /// Their authors are not known yet.
    pub(super) files: Vec<File>,
    pub(super) skipped: Vec<Skipped>,
}

/// The files below the folder that is wanted.
pub(super) fn find(pack: &mut Pack, root: ObjectId, unpacking: &Unpacking) -> Result<Found, GitError> {
    let folder = unpacking.wanted.folder.as_str();
    let mut search = Search {
        pack,
        unpacking,
        found: Found { files: Vec::new(), skipped: Vec::new() },
        content: 0,
        seen: 0,
        barren: HashSet::new(),
    };
    if let Some(tree) = search.enter(root, folder)? {
        let folder = folder.trim_matches('/');
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        search.below(tree, prefix.as_bytes())?;
    }
    let mut found = search.found;
    found.files.sort_by(|a, b| a.path.cmp(&b.path));
    found.skipped.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

struct Search<'a> {
    pack: &'a mut Pack,
    unpacking: &'a Unpacking,
    found: Found,
    /// The size of the files so far.
    content: u64,
    /// How many entries of folders were looked at.
    seen: usize,
    /// Folders that were searched for nothing: the same folder may stand in any number of places.
    barren: HashSet<ObjectId>,
}

struct Entry {
    name: Vec<u8>,
    mode: EntryMode,
    id: ObjectId,
}

impl Search<'_> {
    /// The folder of this path.
    fn enter(&mut self, root: ObjectId, folder: &str) -> Result<Option<ObjectId>, GitError> {
        let mut tree = root;
        for name in folder.split('/').filter(|name| !name.is_empty()) {
            let entries = self.entries(tree)?;
            match entries.into_iter().find(|entry| entry.mode.is_tree() && entry.name == name.as_bytes()) {
                Some(entry) => tree = entry.id,
                None => return Ok(None),
            }
        }
        Ok(Some(tree))
    }

    /// Takes in what is below a folder whose path is `prefix`. Whether anything was there.
    fn below(&mut self, tree: ObjectId, prefix: &[u8]) -> Result<bool, GitError> {
        check(&self.unpacking.stop)?;
        if self.barren.contains(&tree) {
            return Ok(false);
        }
        let mut any = false;
        for entry in self.entries(tree)? {
            let mut path = [prefix, &entry.name].concat();
            if path.len() > PATH_LIMIT {
                return Err(corrupt());
            }
            any |= match entry.mode.kind() {
                EntryKind::Tree => {
                    path.push(b'/');
                    self.below(entry.id, &path)?
                }
                EntryKind::Blob | EntryKind::BlobExecutable if self.is_wanted(&entry.name) => {
                    self.take(path, entry.id)?;
                    true
                }
                EntryKind::Link if self.is_wanted(&entry.name) => {
                    self.skip(&path, SkipReason::Link)?;
                    true
                }
                EntryKind::Blob | EntryKind::BlobExecutable | EntryKind::Link | EntryKind::Commit => false,
            };
        }
        if !any {
            self.barren.insert(tree);
        }
        Ok(any)
    }

    fn is_wanted(&self, name: &[u8]) -> bool {
        let endings = &self.unpacking.wanted.endings;
        endings.is_empty() || endings.iter().any(|ending| name.ends_with(ending.as_bytes()))
    }

    fn take(&mut self, path: Vec<u8>, id: ObjectId) -> Result<(), GitError> {
        let path = match String::from_utf8(path) {
            Ok(path) => path,
            Err(error) => return self.skip(error.as_bytes(), SkipReason::Name),
        };
        let limits = &self.unpacking.limits;
        let size = match self.pack.size(id)? {
            Some(size) if size <= limits.file => size,
            Some(_) => return self.skip(path.as_bytes(), SkipReason::TooLarge),
            // Left out by the server, which was asked to leave out what is too large.
            None if self.unpacking.filtered => return self.skip(path.as_bytes(), SkipReason::TooLarge),
            None => return Err(corrupt()),
        };
        self.content = self.content.saturating_add(size);
        if self.content > limits.content {
            return Err(GitError::TooLarge { limit: Limit::Content(limits.content) });
        }
        self.count()?;
        let bytes = self.pack.content(id, Kind::Blob)?.to_vec();
        self.found.files.push(File { path, bytes, authors: Vec::new() });
        Ok(())
    }

    fn skip(&mut self, path: &[u8], reason: SkipReason) -> Result<(), GitError> {
        self.count()?;
        self.found.skipped.push(Skipped { path: String::from_utf8_lossy(path).into_owned(), reason });
        Ok(())
    }

    /// Makes sure that there is room for another file, read or not.
    fn count(&self) -> Result<(), GitError> {
        let limit = self.unpacking.limits.files;
        if self.found.files.len() + self.found.skipped.len() < limit {
            Ok(())
        } else {
            Err(GitError::TooLarge { limit: Limit::Files(limit) })
        }
    }

    fn entries(&mut self, tree: ObjectId) -> Result<Vec<Entry>, GitError> {
        let limit = self.unpacking.limits.objects;
        let mut names = BTreeSet::new();
        let mut entries = Vec::new();
        for entry in self.pack.tree(tree)? {
            let entry = entry.map_err(|_| corrupt())?;
            let name: &[u8] = entry.filename;
            // Names that Git refuses: one path would stand for two things, or for something outside of the repository.
            if matches!(name, b"" | b"." | b"..") || name.contains(&b'/') || !names.insert(name) {
                return Err(corrupt());
            }
            self.seen += 1;
            if self.seen > limit as usize {
                return Err(GitError::TooLarge { limit: Limit::Objects(limit) });
            }
            entries.push(Entry { name: name.to_vec(), mode: entry.mode, id: entry.oid.to_owned() });
        }
        Ok(entries)
    }
}
