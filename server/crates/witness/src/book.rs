//! What was seen last of each log, in files.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use ledger::{
    checkpoint::{Checkpoint, unverified},
    tree,
};

use crate::Unusable;

/// What the names of the files end with.
const ENDING: &str = "checkpoint";
const LOCK: &str = "witness.lock";

/// The checkpoints that were cosigned last, one of each log.
#[derive(Debug)]
pub(crate) struct Book {
    folder: PathBuf,
    seen: BTreeMap<String, Checkpoint>,
    /// Held as long as the file is open, so that no other process cosigns from the same folder.
    _lock: File,
}

impl Book {
    /// The book in this folder, which is made if there is none.
    pub(crate) fn open(folder: &Path) -> Result<Self, Unusable> {
        let unusable = |path: &Path| {
            let path = path.to_owned();
            move |source| Unusable::File { path, source }
        };
        fs::create_dir_all(folder).map_err(unusable(folder))?;
        let lock = folder.join(LOCK);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&lock).map_err(unusable(&lock))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Unusable::Taken(folder.to_owned())),
            Err(TryLockError::Error(source)) => return Err(unusable(&lock)(source)),
        }
        let mut seen = BTreeMap::new();
        for file in fs::read_dir(folder).map_err(unusable(folder))? {
            let path = file.map_err(unusable(folder))?.path();
            if path.extension().is_none_or(|ending| ending != ENDING) {
                continue;
            }
            let note = fs::read_to_string(&path).map_err(unusable(&path))?;
            let checkpoint = unverified(&note).ok().filter(|read| folder.join(file_of(&read.origin)) == path);
            let checkpoint = checkpoint.ok_or(Unusable::Seen(path))?;
            seen.insert(checkpoint.origin.clone(), checkpoint);
        }
        Ok(Self { folder: folder.to_owned(), seen, _lock: file })
    }

    /// Whether nothing was ever cosigned.
    pub(crate) fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// What was seen last of this log.
    pub(crate) fn seen(&self, origin: &str) -> Option<Checkpoint> {
        self.seen.get(origin).cloned()
    }

    /// Puts this in the place of what was seen before; on the disk before it ends well, whole or not at all.
    pub(crate) fn keep(&mut self, checkpoint: &Checkpoint, note: &str) -> io::Result<()> {
        write(&self.folder, &file_of(&checkpoint.origin), note.as_bytes())?;
        self.seen.insert(checkpoint.origin.clone(), checkpoint.clone());
        Ok(())
    }
}

/// Writes a file in one step, which lasts when it ends well.
pub(crate) fn write(folder: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let new = folder.join(format!("{name}.new"));
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&new, folder.join(name))?;
    // The name itself as well.
    File::open(folder)?.sync_all()
}

/// Names of logs have slashes in them, and may be long.
fn file_of(origin: &str) -> String {
    format!("{}.{ENDING}", tree::text(&tree::leaf(origin.as_bytes())))
}
