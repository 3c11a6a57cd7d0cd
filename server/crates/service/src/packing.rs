//! Tar archives that are given out.

use std::io;

use tar::{Builder, EntryType, Header};

/// An archive under way, always the same for the same files.
pub(crate) struct Packing {
    archive: Builder<Vec<u8>>,
    written_at: u64,
}

impl Packing {
    /// Begins one whose files were written then, in seconds since 1970.
    pub(crate) fn begin(written_at: u64) -> Self {
        Self { archive: Builder::new(Vec::new()), written_at }
    }

    pub(crate) fn add(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(self.written_at);
        self.archive.append_data(&mut header, path, content)
    }

    /// What has come since the last time.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.archive.get_mut())
    }

    /// The end of the archive.
    pub(crate) fn end(self) -> io::Result<Vec<u8>> {
        self.archive.into_inner()
    }
}
