//! Storage in SQLite: one file for everything, one beside it for task logs.
//!
//! # How to use it
//! ```no_run
//! # async fn example() -> store::Result<()> {
//! use store::Store;
//!
//! let store = store_sqlite::SqliteStore::open(std::path::Path::new("data/rondo.sqlite")).await?;
//! store.migrate().await?;
//! let mut unit = store.begin().await?;
//! unit.put_setting("greeting", "hello").await?;
//! unit.commit().await?;
//! store.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! # How it works
//! - Write-ahead log with `synchronous=FULL`: a commit survives a power cut. Writing units take turns at one connection,
//!   and those that wait for each other become durable together (`writer.rs`); snapshots read on others, which are
//!   `query_only`, and never wait for the writer. Engine and web have some each, so that neither can hold the last one.
//! - Other processes may use the same file (`rondo user add` beside a server): a writer waits 5 seconds for them.
//! - The SQL is shared with `store-postgres`: the same files, compiled against the types in `db` of each crate
//!   (`docs/adr/0001-one-sql-text-compiled-twice.md`). `db.rs` holds all that is SQLite's own.
//!
//! # How to add a migration
//! A file of the next number in `migrations/sqlite/` and `migrations/postgres/`, a line in `schema.rs` of both crates,
//! and its line in `migrations/checksums` (`cd migrations && sha256sum */*.sql > checksums`). Shipped ones never change.

mod copy;
mod db;
mod open;
mod schema;
#[cfg(test)]
mod tests;
mod transaction;
mod writer;

#[path = "../../store/sql/access.rs"]
mod access;
#[path = "../../store/sql/access_reviews.rs"]
mod access_reviews;
#[path = "../../store/sql/approvals.rs"]
mod approvals;
#[path = "../../store/sql/audit.rs"]
mod audit;
#[path = "../../store/sql/batch.rs"]
mod batch;
#[path = "../../store/sql/calendars.rs"]
mod calendars;
#[path = "../../store/sql/children.rs"]
mod children;
#[path = "../../store/sql/connections.rs"]
mod connections;
#[path = "../../store/sql/controls.rs"]
mod controls;
#[path = "../../store/sql/credentials.rs"]
mod credentials;
#[path = "../../store/sql/delegations.rs"]
mod delegations;
#[path = "../../store/sql/driver_errors.rs"]
mod driver_errors;
#[path = "../../store/sql/emergencies.rs"]
mod emergencies;
#[path = "../../store/sql/erasures.rs"]
mod erasures;
#[path = "../../store/sql/events.rs"]
mod events;
#[path = "../../store/sql/limits.rs"]
mod limits;
#[path = "../../store/sql/logs.rs"]
mod logs;
#[path = "../../store/sql/messages.rs"]
mod messages;
#[path = "../../store/sql/migrations.rs"]
mod migrations;
#[path = "../../store/sql/policy_sets.rs"]
mod policy_sets;
#[path = "../../store/sql/pooled.rs"]
mod pooled;
#[path = "../../store/sql/process_permissions.rs"]
mod process_permissions;
#[path = "../../store/sql/questions.rs"]
mod questions;
#[path = "../../store/sql/receivers.rs"]
mod receivers;
#[path = "../../store/sql/repositories.rs"]
mod repositories;
#[path = "../../store/sql/requests.rs"]
mod requests;
#[path = "../../store/sql/retention.rs"]
mod retention;
#[path = "../../store/sql/reviews.rs"]
mod reviews;
#[path = "../../store/sql/row.rs"]
mod row;
#[path = "../../store/sql/runners.rs"]
mod runners;
#[path = "../../store/sql/runs.rs"]
mod runs;
#[path = "../../store/sql/schedules.rs"]
mod schedules;
#[path = "../../store/sql/secrets.rs"]
mod secrets;
#[path = "../../store/sql/sessions.rs"]
mod sessions;
#[path = "../../store/sql/settings.rs"]
mod settings;
#[path = "../../store/sql/statement.rs"]
mod statement;
#[path = "../../store/sql/triggers.rs"]
mod triggers;
#[path = "../../store/sql/unit.rs"]
mod unit;
#[path = "../../store/sql/users.rs"]
mod users;
#[path = "../../store/sql/value.rs"]
mod value;
#[path = "../../store/sql/visibility.rs"]
mod visibility;
#[path = "../../store/sql/watches.rs"]
mod watches;
#[path = "../../store/sql/witnesses.rs"]
mod witnesses;
#[path = "../../store/sql/workflows.rs"]
mod workflows;

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use sqlx::{Connection as _, Pool};
use store::{PoolState, Result, Store, UnitOfWork, logs::LogStore};

use crate::{
    db::{Connection, Db},
    logs::Logs,
    migrations::Migration,
    transaction::Transaction,
    unit::{Mode, Unit},
    writer::Writer,
};

/// How many connections that only read are opened at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReaderPools {
    /// For snapshots of the engine and of what works in the background.
    pub engine: u32,
    /// For those of pages and REST; and as many for reading task logs.
    pub web: u32,
}

impl Default for ReaderPools {
    fn default() -> Self {
        Self { engine: 4, web: 4 }
    }
}

/// A SQLite database: the given file, and `logs.sqlite` beside it.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    writer: Arc<Writer>,
    /// Whose snapshots this handle is for: one of the next two.
    read: Pool<Db>,
    engine: Pool<Db>,
    web: Pool<Db>,
    logs: Arc<Logs>,
}

impl SqliteStore {
    /// Opens the database in the file at `path`, and the one of task logs in `logs.sqlite` beside it. Creates what is
    /// missing: folders with mode 0700, files with mode 0600. Apply [`Store::migrate`] next.
    pub async fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, ReaderPools::default()).await
    }

    /// The same with other sizes of pools.
    pub async fn open_with(path: &Path, readers: ReaderPools) -> Result<Self> {
        let logs = path.with_file_name("logs.sqlite");
        open::create_private(path)?;
        open::create_private(&logs)?;
        let ReaderPools { engine, web } = readers;
        let (write, [engine, web]) = open::pools(path, open::Durability::EveryCommit, [engine, web]).await?;
        let (log_write, [log_read]) = open::pools(&logs, open::Durability::Checkpoints, [readers.web]).await?;
        let logs = Arc::new(Logs { write: log_write, read: log_read });
        Ok(Self { writer: Arc::new(Writer::new(write)), read: engine.clone(), engine, web, logs })
    }

    /// The same database, whose snapshots are read over the connections for pages and REST. However many of those are held,
    /// and for how long, the engine has its own.
    #[must_use]
    pub fn for_web(&self) -> Self {
        Self { read: self.web.clone(), ..self.clone() }
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn begin(&self) -> Result<Box<dyn UnitOfWork>> {
        Ok(Box::new(Unit::within(Transaction::Turn(self.writer.turn()), Mode::Write)))
    }

    async fn snapshot(&self) -> Result<Box<dyn UnitOfWork>> {
        Ok(Box::new(Unit::begin(&self.read, Mode::Read).await?))
    }

    async fn migrate(&self) -> Result<()> {
        migrate(self.writer.alone().await?.connection()?, schema::MAIN).await?;
        migrate(&mut *self.logs.write.acquire().await.map_err(db::error)?, schema::LOGS).await
    }

    async fn ping(&self) -> Result<()> {
        let mut connection = self.read.acquire().await.map_err(db::error)?;
        connection.ping().await.map_err(db::error)?;
        sqlx::raw_sql("SELECT 1 FROM sqlite_schema LIMIT 1").execute(&mut *connection).await.map_err(db::error)?;
        Ok(())
    }

    fn logs(&self) -> Arc<dyn LogStore> {
        Arc::<Logs>::clone(&self.logs)
    }

    fn pools(&self) -> Vec<PoolState> {
        let pools = [("engine", &self.engine), ("web", &self.web), ("logs", &self.logs.write)];
        pools.map(|(name, pool)| pooled::state(name, pool)).to_vec()
    }

    fn name(&self) -> &'static str {
        "SQLite"
    }

    async fn close(&self) {
        self.engine.close().await;
        self.web.close().await;
        if let Ok(mut alone) = self.writer.alone().await
            && let Ok(connection) = alone.connection()
        {
            fold(connection).await;
        }
        self.writer.close().await;
        self.logs.read.close().await;
        if let Ok(mut connection) = self.logs.write.acquire().await {
            fold(&mut connection).await;
        }
        self.logs.write.close().await;
    }
}

/// Folds the write-ahead log into the file.
async fn fold(connection: &mut Connection) {
    let checkpoint = sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(connection).await;
    if let Err(error) = checkpoint {
        tracing::warn!(%error, "the write-ahead log could not be folded into the database file");
    }
}

async fn migrate(connection: &mut Connection, migrations: &[Migration]) -> Result<()> {
    let mut transaction = connection.begin_with(db::BEGIN_WRITE).await.map_err(db::error)?;
    migrations::apply(&mut transaction, migrations).await?;
    transaction.commit().await.map_err(db::error)
}
