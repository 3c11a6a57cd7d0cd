//! Every unit has a connection of its own; what is written at the same time, the server makes durable together.

use store::Result;

use crate::{db, pooled::Pooled, statement::Statement, unit};

pub(crate) type Transaction = Pooled;

/// A transaction on a connection of its own.
pub(crate) fn own(pooled: Pooled) -> Transaction {
    pooled
}

/// Writes a batch as the last of a transaction, and commits. A batch is one statement: if it is the first as well, it needs
/// no transaction around it.
pub(crate) async fn write(mut transaction: Transaction, batch: Statement) -> Result<()> {
    let query = batch.into_query()?;
    let connection = transaction.connection().ok_or_else(unit::over)?;
    let outcome = db::within_deadline(query.execute(connection)).await;
    if matches!(outcome, Err(store::StoreError::Unavailable(_))) {
        transaction.distrust();
    }
    outcome?;
    transaction.commit().await
}
