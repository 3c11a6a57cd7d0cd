//! The last checkpoint of the audit log in a file beside the database.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write as _},
    path::PathBuf,
};

use service::Anchor;

/// The file. What it holds is no secret: a signed note that anybody may read.
#[derive(Debug)]
pub(crate) struct AnchorFile(pub(crate) PathBuf);

impl Anchor for AnchorFile {
    fn kept(&self) -> io::Result<Option<String>> {
        match fs::read_to_string(&self.0) {
            Ok(note) => Ok(Some(note)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn keep(&self, note: &str) -> io::Result<()> {
        // Whole or not at all, also when the machine stops in the middle.
        let new = self.0.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(note.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_note_that_was_kept_last_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = AnchorFile(folder.path().join("audit-checkpoint"));
        assert_eq!(file.kept().unwrap(), None);
        file.keep("one\n").unwrap();
        file.keep("another\n").unwrap();
        assert_eq!(file.kept().unwrap().as_deref(), Some("another\n"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(AnchorFile(folder.path().join("nowhere/audit-checkpoint")).keep("one\n").is_err());
    }
}
