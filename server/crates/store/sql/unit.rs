//! The unit of work: one connection, one transaction, every statement of this crate.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::{Pool, SqlSafeStr, pool::PoolConnection};
use store::{Result, StoreError, UnitOfWork};

use crate::{
    db::{self, Db, Row},
    statement::Statement,
};

/// How long a dropped unit may take to roll back before its connection is thrown away.
const ROLLBACK_PATIENCE: Duration = Duration::from_secs(5);

/// What a unit may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Read and write.
    Write,
    /// Read one snapshot.
    Read,
}

/// A unit of work. Rolled back on drop unless committed.
pub(crate) struct Unit {
    /// Gone once the transaction has ended.
    connection: Option<PoolConnection<Db>>,
    mode: Mode,
    /// A statement was refused. PostgreSQL then refuses all others, and `COMMIT` would silently roll back; so this
    /// program does the same, in words, on both databases.
    failed: bool,
    /// The connection cannot be trusted any more and must not go back to the pool.
    broken: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("an earlier statement of this unit of work failed; it can only be rolled back")]
struct FailedEarlier;

impl Unit {
    pub(crate) async fn begin(pool: &Pool<Db>, mode: Mode) -> Result<Self> {
        let connection = pool.acquire().await.map_err(db::error)?;
        // From here on, being dropped rolls back, even while BEGIN is under way.
        let mut unit = Self { connection: Some(connection), mode, failed: false, broken: false };
        unit.control(match mode {
            Mode::Write => db::BEGIN_WRITE,
            Mode::Read => db::BEGIN_READ,
        })
        .await?;
        Ok(unit)
    }

    /// Whether rows that are read for a decision should be locked.
    pub(crate) fn lock_clause(&self) -> &'static str {
        match self.mode {
            Mode::Write => db::LOCK_ROWS,
            Mode::Read => "",
        }
    }

    /// Runs a statement that reads.
    pub(crate) async fn fetch(&mut self, statement: Statement) -> Result<Vec<Row>> {
        let query = statement.into_query()?;
        let outcome = db::within_deadline(query.fetch_all(&mut **self.usable()?)).await;
        outcome.map_err(|error| self.note(error))
    }

    /// Runs a statement that writes; how many rows it wrote.
    pub(crate) async fn execute(&mut self, statement: Statement) -> Result<u64> {
        self.writing()?;
        let query = statement.into_query()?;
        let outcome = db::within_deadline(query.execute(&mut **self.usable()?)).await;
        outcome.map(|done| done.rows_affected()).map_err(|error| self.note(error))
    }

    /// Runs a statement that writes and says which rows it wrote.
    pub(crate) async fn execute_returning(&mut self, statement: Statement) -> Result<Vec<Row>> {
        self.writing()?;
        self.fetch(statement).await
    }

    /// Runs a statement that must write a row; [`StoreError::Conflict`] when the row is not as it was expected.
    pub(crate) async fn execute_one(&mut self, statement: Statement) -> Result<()> {
        if self.execute(statement).await? == 0 { Err(StoreError::Conflict) } else { Ok(()) }
    }

    async fn control(&mut self, text: impl SqlSafeStr + Send) -> Result<()> {
        let text = text.into_sql_str();
        let outcome = db::within_deadline(sqlx::raw_sql(text).execute(&mut **self.usable()?)).await;
        outcome.map(|_| ()).map_err(|error| self.note(error))
    }

    /// Refuses in a unit that only reads.
    pub(crate) fn writing(&self) -> Result<()> {
        if self.mode == Mode::Read { Err(StoreError::ReadOnly) } else { Ok(()) }
    }

    fn usable(&mut self) -> Result<&mut PoolConnection<Db>> {
        if self.failed {
            return Err(StoreError::Driver(Box::new(FailedEarlier)));
        }
        self.connection.as_mut().ok_or_else(|| StoreError::Driver(Box::new(FailedEarlier)))
    }

    fn note(&mut self, error: StoreError) -> StoreError {
        self.failed = true;
        self.broken |= matches!(error, StoreError::Unavailable(_));
        error
    }
}

#[async_trait]
impl UnitOfWork for Unit {
    async fn commit(mut self: Box<Self>) -> Result<()> {
        self.control("COMMIT").await?;
        self.connection = None;
        Ok(())
    }

    async fn rollback(mut self: Box<Self>) -> Result<()> {
        if self.failed && self.broken {
            return Ok(());
        }
        self.failed = false;
        self.control("ROLLBACK").await?;
        self.connection = None;
        Ok(())
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        if self.broken {
            connection.close_on_drop();
            return;
        }
        tokio::spawn(async move {
            let rollback = sqlx::raw_sql("ROLLBACK").execute(&mut *connection);
            if !matches!(tokio::time::timeout(ROLLBACK_PATIENCE, rollback).await, Ok(Ok(_))) {
                // Nothing is known of this connection: the database rolls back when it ends.
                connection.close_on_drop();
            }
        });
    }
}
