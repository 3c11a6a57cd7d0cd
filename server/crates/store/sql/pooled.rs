//! A transaction that has a connection of a pool to itself. It begins when something is asked of it.

use std::time::Duration;

use sqlx::{Pool, pool::PoolConnection};
use store::{PoolState, Result};

use crate::db::{self, Connection, Db};

/// How long a dropped transaction may take to roll back before its connection is thrown away.
const ROLLBACK_PATIENCE: Duration = Duration::from_secs(5);

/// How a pool stands.
pub(crate) fn state(name: &'static str, pool: &Pool<Db>) -> PoolState {
    let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
    PoolState { name, limit: pool.options().get_max_connections(), held: pool.size().saturating_sub(idle) }
}

/// Rolled back on drop unless committed.
pub(crate) struct Pooled {
    /// Gone once the transaction has ended.
    connection: Option<PoolConnection<Db>>,
    /// What it begins by.
    beginning: &'static str,
    /// Whether that was sent.
    begun: bool,
    /// The connection must not go back to the pool.
    distrusted: bool,
}

impl Pooled {
    /// Waits for a connection, on which a transaction will begin by this statement.
    pub(crate) async fn on(pool: &Pool<Db>, beginning: &'static str) -> Result<Self> {
        let connection = pool.acquire().await.map_err(db::error)?;
        Ok(Self { connection: Some(connection), beginning, begun: false, distrusted: false })
    }

    /// Begins, unless it has.
    pub(crate) async fn begin(&mut self) -> Result<()> {
        if self.begun {
            return Ok(());
        }
        // From here on, being dropped rolls back, even while BEGIN is under way.
        self.begun = true;
        self.control(self.beginning).await
    }

    /// Begins with the statement that this text is put before.
    pub(crate) async fn begin_with(&mut self) -> Result<&'static str> {
        if self.begun {
            return Ok("");
        }
        match db::BEGIN_READ_WITH.filter(|_| self.beginning == db::BEGIN_READ) {
            Some(text) => {
                self.begun = true;
                Ok(text)
            }
            None => self.begin().await.map(|()| ""),
        }
    }

    pub(crate) fn connection(&mut self) -> Option<&mut Connection> {
        self.connection.as_deref_mut()
    }

    pub(crate) async fn commit(self) -> Result<()> {
        self.end("COMMIT").await
    }

    pub(crate) async fn rollback(self) -> Result<()> {
        self.end("ROLLBACK").await
    }

    async fn end(mut self, statement: &'static str) -> Result<()> {
        if self.begun {
            self.control(statement).await?;
            self.begun = false;
        }
        Ok(())
    }

    /// What the connection would answer is not to be trusted any more.
    pub(crate) fn distrust(&mut self) {
        self.distrusted = true;
    }

    async fn control(&mut self, text: &'static str) -> Result<()> {
        let Some(connection) = self.connection() else { return Ok(()) };
        let outcome = db::within_deadline(sqlx::raw_sql(text).execute(connection)).await;
        self.distrusted |= matches!(outcome, Err(store::StoreError::Unavailable(_)));
        outcome.map(|_| ())
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        if self.distrusted {
            connection.close_on_drop();
            return;
        }
        if !self.begun {
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
