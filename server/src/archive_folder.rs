//! Segments of the audit log in a folder, which all nodes of a portal share.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::PathBuf,
};

use service::Archive;

/// The folder.
#[derive(Debug)]
pub(crate) struct ArchiveFolder(pub(crate) PathBuf);

impl Archive for ArchiveFolder {
    fn folder(&self) -> String {
        self.0.display().to_string()
    }

    fn prepare(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        let trial = self.0.join(".writable");
        OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&trial)?;
        fs::remove_file(&trial)
    }

    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.0.join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        // Whole or not at all, also when the machine stops in the middle.
        let new = self.0.join(format!(".{name}.new"));
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, self.0.join(name))?;
        // The name is on the disk as well.
        File::open(&self.0)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_whole_and_alone() {
        let folder = tempfile::tempdir().unwrap();
        let archive = ArchiveFolder(folder.path().join("deep/audit-archive"));
        archive.prepare().unwrap();
        assert_eq!(archive.read("a.tar").unwrap(), None);
        archive.write("a.tar", b"one").unwrap();
        assert_eq!(archive.read("a.tar").unwrap().as_deref(), Some(&b"one"[..]));
        assert_eq!(fs::read_dir(&archive.0).unwrap().count(), 1);
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(ArchiveFolder(file).prepare().is_err());
        assert!(ArchiveFolder(folder.path().join("nowhere")).write("a.tar", b"").is_err());
    }
}
