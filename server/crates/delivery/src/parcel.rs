//! What goes out at once.

use store::audit::{AuditCheckpoint, AuditRow};

/// Entries that follow each other, or checkpoints in their order; never none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parcel {
    /// Entries.
    Entries(Vec<AuditRow>),
    /// Checkpoints.
    Checkpoints(Vec<AuditCheckpoint>),
}

impl Parcel {
    /// What it holds, in a word.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        match self {
            Self::Entries(_) => "entries",
            Self::Checkpoints(_) => "checkpoints",
        }
    }

    /// How many it holds.
    #[must_use]
    pub const fn count(&self) -> usize {
        match self {
            Self::Entries(rows) => rows.len(),
            Self::Checkpoints(checkpoints) => checkpoints.len(),
        }
    }

    /// The first and the last entry, or the sizes of the first and the last checkpoint.
    #[must_use]
    pub fn range(&self) -> (i64, i64) {
        let ends = match self {
            Self::Entries(rows) => rows.first().zip(rows.last()).map(|(first, last)| (first.seq, last.seq)),
            Self::Checkpoints(checkpoints) => {
                checkpoints.first().zip(checkpoints.last()).map(|(first, last)| (first.size, last.size))
            }
        };
        ends.unwrap_or_default()
    }
}
