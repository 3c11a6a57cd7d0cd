//! The unit of work: one transaction, every statement of this crate.

use async_trait::async_trait;
use sqlx::Pool;
use store::{Result, StoreError, UnitOfWork};

use crate::{
    batch::Batch,
    db::{self, Connection, Db, Row},
    pooled::Pooled,
    statement::{Statement, query_of},
    transaction::{self, Transaction},
};

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
    /// Gone once it has ended.
    transaction: Option<Transaction>,
    mode: Mode,
    /// Writes of whose outcome nobody has asked yet.
    gathered: Option<Batch>,
    /// A statement was refused. PostgreSQL then refuses all others, and `COMMIT` would silently roll back; so this
    /// program does the same, in words, on both databases.
    failed: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("an earlier statement of this unit of work failed; it can only be rolled back")]
struct FailedEarlier;

/// What is said of a unit that has failed or ended.
pub(crate) fn over() -> StoreError {
    StoreError::Driver(Box::new(FailedEarlier))
}

impl Unit {
    /// On a connection of its own.
    pub(crate) async fn begin(pool: &Pool<Db>, mode: Mode) -> Result<Self> {
        let statement = match mode {
            Mode::Write => db::BEGIN_WRITE,
            Mode::Read => db::BEGIN_READ,
        };
        Ok(Self::within(transaction::own(Pooled::on(pool, statement).await?), mode))
    }

    /// In this transaction.
    pub(crate) fn within(transaction: Transaction, mode: Mode) -> Self {
        Self { transaction: Some(transaction), mode, gathered: None, failed: false }
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
        self.send_gathered().await?;
        statement.check()?;
        let beginning = self.usable()?.begin_with().await.map_err(|error| self.note(error))?;
        let query = query_of(&[statement], beginning, "")?;
        let outcome = db::within_deadline(query.fetch_all(self.begun().await?)).await;
        outcome.map_err(|error| self.note(error))
    }

    /// Runs a statement that writes; how many rows it wrote.
    pub(crate) async fn execute(&mut self, statement: Statement) -> Result<u64> {
        self.writing()?;
        self.send_gathered().await?;
        let query = statement.into_query()?;
        let outcome = db::within_deadline(query.execute(self.begun().await?)).await;
        outcome.map(|done| done.rows_affected()).map_err(|error| self.note(error))
    }

    /// Writes with the next statement, at the latest when the unit commits. What is gathered must not depend on each other;
    /// two writes of one name never meet. An error comes when it is sent, but for a value that cannot be stored.
    pub(crate) async fn gather(&mut self, name: &'static str, write: impl FnOnce(&mut Statement) + Send) -> Result<()> {
        self.gather_by(name, |batch| batch.add(name, write)).await
    }

    /// The same; when it is sent it must write something (and return a row), else the unit is lost by [`StoreError::Conflict`].
    pub(crate) async fn gather_one(
        &mut self,
        name: &'static str,
        write: impl FnOnce(&mut Statement) + Send,
    ) -> Result<()> {
        self.gather_by(name, |batch| batch.add_required(name, write)).await
    }

    /// The same for a query of one row: if its `n` is not 0, the unit is lost by [`StoreError::Heard`].
    pub(crate) async fn gather_refusal(
        &mut self,
        name: &'static str,
        query: impl FnOnce(&mut Statement) + Send,
    ) -> Result<()> {
        self.gather_by(name, |batch| batch.add_refusal(name, query)).await
    }

    async fn gather_by(&mut self, name: &'static str, add: impl FnOnce(&mut Batch) + Send) -> Result<()> {
        self.writing()?;
        if self.gathered.as_ref().is_some_and(|batch| batch.has(name)) {
            self.send_gathered().await?;
        }
        self.usable()?;
        let batch = self.gathered.get_or_insert_with(Batch::new);
        add(batch);
        let checked = batch.check();
        // What was gathered before is lost with it.
        self.failed |= checked.is_err();
        checked
    }

    /// Sends what was gathered. What is wrong with it, or was wrong before, is said before what is wrong with the next
    /// statement, so that the number of statements that a write takes does not show.
    async fn send_gathered(&mut self) -> Result<()> {
        self.usable()?;
        let Some(batch) = self.gathered.take() else { return Ok(()) };
        let is_required = batch.is_required();
        let query = batch.into_statement().into_query()?;
        let outcome = db::within_deadline(query.execute(self.begun().await?)).await;
        outcome.map(|_| ()).map_err(|error| meant_by(self.note(error), is_required))
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

    /// Refuses in a unit that only reads.
    pub(crate) fn writing(&self) -> Result<()> {
        if self.mode == Mode::Read { Err(StoreError::ReadOnly) } else { Ok(()) }
    }

    fn usable(&mut self) -> Result<&mut Transaction> {
        let transaction = self.transaction.as_mut().filter(|_| !self.failed);
        transaction.ok_or_else(over)
    }

    async fn begun(&mut self) -> Result<&mut Connection> {
        let begun = self.usable()?.begin().await;
        begun.map_err(|error| self.note(error))?;
        self.usable()?.connection().ok_or_else(over)
    }

    fn note(&mut self, error: StoreError) -> StoreError {
        self.failed = true;
        if let (StoreError::Unavailable(_), Some(transaction)) = (&error, &mut self.transaction) {
            transaction.distrust();
        }
        error
    }
}

/// What an error of a batch means.
fn meant_by(error: StoreError, is_required: bool) -> StoreError {
    match error {
        // Somebody else has written what should have come next.
        StoreError::Duplicate(_) if is_required => StoreError::Conflict,
        other => other,
    }
}

#[async_trait]
impl UnitOfWork for Unit {
    async fn commit(mut self: Box<Self>) -> Result<()> {
        self.usable()?;
        let Some(transaction) = self.transaction.take() else { return Err(over()) };
        let Some(batch) = self.gathered.take() else { return transaction.commit().await };
        let is_required = batch.is_required();
        let written = transaction::write(transaction, batch.into_statement()).await;
        written.map_err(|error| meant_by(error, is_required))
    }

    async fn rollback(mut self: Box<Self>) -> Result<()> {
        match self.transaction.take() {
            Some(transaction) => transaction.rollback().await,
            None => Ok(()),
        }
    }
}
