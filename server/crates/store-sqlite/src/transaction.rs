//! What a unit of work is in: a snapshot on a connection of its own, or its turn at the writer.

use store::Result;

use crate::{
    db::{self, Connection},
    pooled::Pooled,
    statement::Statement,
    unit,
    writer::Turn,
};

/// Rolled back on drop unless committed.
pub(crate) enum Transaction {
    Own(Pooled),
    Turn(Turn),
}

/// A transaction on a connection of its own.
pub(crate) fn own(pooled: Pooled) -> Transaction {
    Transaction::Own(pooled)
}

/// Writes a batch as the last of a transaction, and commits.
pub(crate) async fn write(transaction: Transaction, batch: Statement) -> Result<()> {
    match transaction {
        Transaction::Own(mut pooled) => {
            pooled.begin().await?;
            let connection = pooled.connection().ok_or_else(unit::over)?;
            db::within_deadline(batch.into_query()?.execute(connection)).await?;
            pooled.commit().await
        }
        Transaction::Turn(turn) => turn.write(batch).await,
    }
}

impl Transaction {
    pub(crate) async fn begin(&mut self) -> Result<()> {
        match self {
            Self::Own(pooled) => pooled.begin().await,
            Self::Turn(turn) => turn.begin().await,
        }
    }

    /// Begins with the statement that this text is put before.
    pub(crate) async fn begin_with(&mut self) -> Result<&'static str> {
        match self {
            Self::Own(pooled) => pooled.begin_with().await,
            Self::Turn(turn) => turn.begin_with().await,
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
