//! Lines at the end of a file.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use async_trait::async_trait;

use super::{Sink, Undelivered};
use crate::{Format, Parcel};

/// So much is read at once while the end of the last whole line is looked for.
const STEP: u64 = 64 << 10;

/// Opened anew for each parcel, so that it can be rotated away at any time.
pub(super) struct FileSink {
    path: PathBuf,
    format: Format,
}

impl FileSink {
    pub(super) fn new(path: PathBuf, format: Format) -> Self {
        Self { path, format }
    }
}

#[async_trait]
impl Sink for FileSink {
    async fn deliver(&mut self, log: &str, parcel: &Parcel) -> Result<(), Undelivered> {
        let lines = self.format.lines(log, parcel);
        let path = self.path.clone();
        let what = format!("{} cannot be written to", path.display());
        let written = tokio::task::spawn_blocking(move || append(&path, lines.as_bytes())).await;
        written.unwrap_or_else(|cause| Err(io::Error::other(cause))).map_err(Undelivered::io(what))
    }
}

/// Adds whole lines and has them on the disk.
fn append(path: &Path, lines: &[u8]) -> io::Result<()> {
    let is_new = !path.try_exists()?;
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    let end = last_line_end(&mut file)?;
    // Whoever was stopped in the middle of a line has not moved the cursor, so it comes again.
    file.set_len(end)?;
    file.write_all(lines)?;
    file.sync_data()?;
    if is_new && let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Where the last whole line ends.
fn last_line_end(file: &mut File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    while end > 0 {
        let begin = end.saturating_sub(STEP);
        file.seek(SeekFrom::Start(begin))?;
        let mut piece = Vec::new();
        Read::take(&mut *file, end - begin).read_to_end(&mut piece)?;
        if let Some(place) = piece.iter().rposition(|byte| *byte == b'\n') {
            return Ok(begin + u64::try_from(place).unwrap_or_default() + 1);
        }
        end = begin;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_cut_off_in_the_middle_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        append(&path, b"one\ntwo\n").unwrap();
        let mut half = OpenOptions::new().append(true).open(&path).unwrap();
        half.write_all(&vec![b'x'; 200_000]).unwrap();
        append(&path, b"three\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\nthree\n");
        std::fs::write(&path, "no line").unwrap();
        append(&path, b"one\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\n");
        assert!(append(&folder.path().join("nowhere/audit.jsonl"), b"one\n").is_err());
    }
}
