//! What commands elsewhere write: kept as far as it may grow, and shown line by line in the task's log.

use std::sync::Arc;

use crate::{LogLevel, TaskLog};

/// Longer lines come to the log in pieces.
const LINE_LIMIT: usize = 4_000;

/// The beginning of an output.
pub(crate) struct Kept {
    bytes: Vec<u8>,
    limit: usize,
    pub(crate) truncated: bool,
}

impl Kept {
    /// At most so many bytes are kept.
    pub(crate) fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit, truncated: false }
    }

    pub(crate) fn push(&mut self, data: &[u8]) {
        let room = self.limit.saturating_sub(self.bytes.len());
        let (kept, rest) = data.split_at(room.min(data.len()));
        self.bytes.extend_from_slice(kept);
        self.truncated |= !rest.is_empty();
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// Puts bytes together to the lines of a log.
pub(crate) struct Lines<'a> {
    log: &'a Arc<dyn TaskLog>,
    level: LogLevel,
    begun: Vec<u8>,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(log: &'a Arc<dyn TaskLog>, level: LogLevel) -> Self {
        Self { log, level, begun: Vec::new() }
    }

    pub(crate) fn push(&mut self, data: &[u8]) {
        for piece in data.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.begun.len() >= LINE_LIMIT {
                self.tell();
            }
        }
    }

    fn tell(&mut self) {
        for piece in self.begun.chunks(LINE_LIMIT) {
            self.log.line(self.level, String::from_utf8_lossy(piece).trim_end());
        }
        self.begun.clear();
    }

    pub(crate) fn end(mut self) {
        if !self.begun.is_empty() {
            self.tell();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_beginning_of_much_output_is_kept() {
        let mut kept = Kept::new(5);
        kept.push(b"abc");
        assert!(!kept.truncated);
        kept.push(b"defg");
        assert_eq!((kept.text().as_str(), kept.truncated), ("abcde", true));
    }
}
