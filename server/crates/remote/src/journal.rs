//! What a runner remembers on its disk: which tasks it may have begun, and what became of those that have ended. Never what
//! a task is, and never a secret.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use engine::runners::protocol::{Assignment, Outcome};
use serde::{Deserialize, Serialize};

/// Why the folder of a runner cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be read or written.
    #[error("the folder {} of the runner cannot be used; give another with --data, or make it writable: {source}", path.display())]
    Folder {
        /// The folder, or what is wrong in it.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another runner has it.
    #[error("another runner works in {}; stop it, or give this one another folder with --data", .0.display())]
    InUse(PathBuf),
}

/// A task as its file has it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    task: Assignment,
    /// None: it may have been begun, and nobody knows how far it came.
    outcome: Option<Outcome>,
}

/// The folder of a runner.
pub(crate) struct Journal {
    tasks: PathBuf,
    pub(crate) instance: String,
    #[expect(dead_code, reason = "the lock is held while the file is open")]
    lock: File,
}

impl Journal {
    /// Takes the folder for this process alone. The name of a new one is `instance`.
    pub(crate) fn open(folder: &Path, instance: &str) -> Result<Self, JournalError> {
        let fails = |path: &Path| {
            let path = path.to_path_buf();
            move |source| JournalError::Folder { path, source }
        };
        let tasks = folder.join("tasks");
        DirBuilder::new().recursive(true).mode(0o700).create(&tasks).map_err(fails(&tasks))?;
        let place = folder.join("runner.lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&place);
        let lock = lock.map_err(fails(&place))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(JournalError::InUse(folder.to_path_buf())),
            Err(fs::TryLockError::Error(source)) => return Err(fails(&place)(source)),
        }
        let name = folder.join("instance");
        let instance = match fs::read_to_string(&name) {
            Ok(known) if !known.trim().is_empty() => known.trim().to_owned(),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fails(&name)(error)),
            _ => {
                write(&name, instance.as_bytes()).map_err(fails(&name))?;
                instance.to_owned()
            }
        };
        Ok(Self { tasks, instance, lock })
    }

    /// What an earlier process has left: what became of each, where that is known.
    pub(crate) fn left(&self) -> Result<BTreeMap<Assignment, Option<Outcome>>, JournalError> {
        let fails = |source| JournalError::Folder { path: self.tasks.clone(), source };
        let mut left = BTreeMap::new();
        for file in fs::read_dir(&self.tasks).map_err(fails)? {
            let path = file.map_err(fails)?.path();
            if path.extension().is_none_or(|ending| ending != "json") {
                continue;
            }
            let text = fs::read(&path).map_err(fails)?;
            let entry: Entry = serde_json::from_slice(&text).map_err(|error| fails(error.into()))?;
            left.insert(entry.task, entry.outcome);
        }
        Ok(left)
    }

    /// From now on the task may have been begun.
    pub(crate) fn begin(&self, task: Assignment) -> io::Result<()> {
        self.put(&Entry { task, outcome: None })
    }

    /// What became of it.
    pub(crate) fn end(&self, task: Assignment, outcome: &Outcome) -> io::Result<()> {
        self.put(&Entry { task, outcome: Some(outcome.clone()) })
    }

    /// The server knows what became of it, or that it was not begun.
    pub(crate) fn forget(&self, task: Assignment) -> io::Result<()> {
        match fs::remove_file(self.place(task)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => File::open(&self.tasks)?.sync_all(),
        }
    }

    fn put(&self, entry: &Entry) -> io::Result<()> {
        write(&self.place(entry.task), &serde_json::to_vec(entry)?)
    }

    fn place(&self, task: Assignment) -> PathBuf {
        self.tasks.join(format!("{}-{}-{}.json", task.run, task.call, task.epoch))
    }
}

/// Writes a file so that it is there whole, or as it was before, whatever happens.
fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
    file.write_all(text)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use domain::RunId;
    use uuid::Uuid;

    use super::*;

    fn task(call: u32) -> Assignment {
        Assignment { run: RunId::from_uuid(Uuid::from_u128(7)), call, epoch: 1 }
    }

    #[test]
    fn the_next_process_knows_what_this_one_has_left() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path(), "first").unwrap();
        let lost = Outcome::Lost { why: "a word".to_owned() };
        for call in 1..=3 {
            journal.begin(task(call)).unwrap();
        }
        journal.end(task(2), &lost).unwrap();
        journal.forget(task(3)).unwrap();
        journal.forget(task(3)).unwrap();
        drop(journal);
        // What was being written when the machine went down is nothing.
        std::fs::write(folder.path().join("tasks/.new-x"), "{").unwrap();
        let next = Journal::open(folder.path(), "second").unwrap();
        assert_eq!(next.instance, "first");
        assert_eq!(next.left().unwrap(), BTreeMap::from([(task(1), None), (task(2), Some(lost))]));
    }

    #[test]
    fn a_folder_belongs_to_one_runner() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path(), "first").unwrap();
        assert!(matches!(Journal::open(folder.path(), "second"), Err(JournalError::InUse(_))));
        drop(journal);
        assert!(Journal::open(folder.path(), "second").is_ok());
    }
}
