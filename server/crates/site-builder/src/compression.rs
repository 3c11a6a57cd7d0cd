//! The two encodings that every browser takes.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use brotli::enc::BrotliEncoderParams;
use flate2::{Compression, write::GzEncoder};

/// How much time compression may take.
#[derive(Clone, Copy)]
pub(crate) enum Effort {
    /// Enough to look at sizes: for debugging.
    Quick,
    /// As small as it gets.
    Best,
}

impl Effort {
    /// Brotli of `content`.
    pub(crate) fn brotli(self, content: &[u8]) -> Result<Vec<u8>> {
        let parameters = BrotliEncoderParams {
            quality: match self {
                Self::Quick => 4,
                Self::Best => 11,
            },
            lgwin: 22,
            size_hint: content.len(),
            ..BrotliEncoderParams::default()
        };
        let mut compressed = Vec::new();
        brotli::BrotliCompress(&mut &*content, &mut compressed, &parameters).context("brotli failed")?;
        Ok(compressed)
    }

    /// Gzip of `content`, without a time stamp: the same content gives the same bytes.
    pub(crate) fn gzip(self, content: &[u8]) -> Result<Vec<u8>> {
        let level = match self {
            Self::Quick => Compression::fast(),
            Self::Best => Compression::best(),
        };
        let mut encoder = GzEncoder::new(Vec::new(), level);
        encoder.write_all(content).context("gzip failed")?;
        encoder.finish().context("gzip failed")
    }
}
