//! What a unit of work is in: a snapshot on a connection of its own, or its turn at the writer.

use store::Result;

use crate::{db::Connection, pooled::Pooled, writer::Turn};

/// Rolled back on drop unless committed.
pub(crate) enum Transaction {
    Own(Pooled),
    Turn(Turn),
}

/// A transaction on a connection of its own.
pub(crate) fn own(pooled: Pooled) -> Transaction {
    Transaction::Own(pooled)
}

impl Transaction {
    pub(crate) async fn begin(&mut self) -> Result<()> {
        match self {
            Self::Own(pooled) => pooled.begin().await,
            // A turn begins with it.
            Self::Turn(_) => Ok(()),
        }
    }

    pub(crate) fn has_begun(&self) -> bool {
        match self {
            Self::Own(pooled) => pooled.has_begun(),
            Self::Turn(_) => true,
        }
    }

    pub(crate) fn connection(&mut self) -> Option<&mut Connection> {
        match self {
            Self::Own(pooled) => pooled.connection(),
            Self::Turn(turn) => turn.connection(),
        }
    }

    pub(crate) async fn commit(self) -> Result<()> {
        match self {
            Self::Own(pooled) => pooled.commit().await,
            Self::Turn(turn) => turn.commit().await,
        }
    }

    pub(crate) async fn rollback(self) -> Result<()> {
        match self {
            Self::Own(pooled) => pooled.rollback().await,
            Self::Turn(turn) => turn.rollback().await,
        }
    }

    /// What the connection would answer is not to be trusted any more.
    pub(crate) fn distrust(&mut self) {
        match self {
            Self::Own(pooled) => pooled.distrust(),
            Self::Turn(turn) => turn.distrust(),
        }
    }
}
