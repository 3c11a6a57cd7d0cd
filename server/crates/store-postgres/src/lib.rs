//! Storage in PostgreSQL 15 or later, for several nodes on one database.
//!
//! # How to use it
//! ```no_run
//! # async fn example() -> store::Result<()> {
//! use store::Store;
//! use store_postgres::{PoolSizes, PostgresStore};
//!
//! let store = PostgresStore::connect("postgres://rondo@db.example.test/rondo", PoolSizes::default()).await?;
//! store.migrate().await?;
//! let mut unit = store.begin().await?;
//! unit.put_setting("greeting", "hello").await?;
//! unit.commit().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # How it works
//! - Writing units are `READ COMMITTED`; rows that a decision rests on are locked where the port says so. Snapshots are
//!   `REPEATABLE READ READ ONLY`. Claims skip rows that others have locked.
//! - Engine, web and task logs have pools of their own, so that none can take the last connection from another:
//!   [`PostgresStore::connect`] gives the engine's share, [`PostgresStore::for_web`] the other one.
//! - Nodes tell each other hints by `NOTIFY`, heard on a connection of its own.
//! - Nothing waits for ever: 3 seconds for a lock, 4 for a statement, 5 for a connection or any sign of life. Then it is
//!   [`store::StoreError::Unavailable`], the connection is thrown away, and the next unit opens another one.
//! - Text that is compared or ordered has the collation "C", whatever the database's is: like SQLite, by its bytes.
//! - The SQL is shared with `store-sqlite`: the same files, compiled against the types in `db` of each crate
//!   (`docs/adr/0001-one-sql-text-compiled-twice.md`). `db.rs` holds all that is PostgreSQL's own.
//!
//! How to add a migration stands in `store-sqlite`.

mod db;
mod schema;
mod transaction;

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

use std::{str::FromStr, sync::Arc, time::Duration};

use async_trait::async_trait;
use sqlx::{
    Connection as _, Pool,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use store::{PoolState, Result, Store, UnitOfWork, logs::LogStore};
use tokio::sync::mpsc;

use crate::{
    db::Db,
    logs::Logs,
    unit::{Mode, Unit},
};

/// How long a unit queues for a connection, or waits for a new one.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// A transaction that its owner forgot is ended by the server.
const IDLE_IN_TRANSACTION_TIMEOUT: Duration = Duration::from_mins(1);
/// More than there are different statements.
const STATEMENT_CACHE: usize = 512;
/// Any number that no other program uses: serializes migrations of several nodes.
const MIGRATION_LOCK: &str = "SELECT pg_advisory_xact_lock(5931088219642117)";

/// What nodes tell each other goes through this channel of the database.
const CHANNEL: &str = "rondo";
/// So much of it waits for its reader.
const HEARD: usize = 256;

/// How many connections are opened at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSizes {
    /// For units of work and snapshots of the engine and of what works in the background.
    pub engine: u32,
    /// For those of pages and REST, and for reading task logs.
    pub web: u32,
    /// For writing task logs.
    pub logs: u32,
}

impl Default for PoolSizes {
    fn default() -> Self {
        Self { engine: 16, web: 10, logs: 3 }
    }
}

/// A PostgreSQL database.
#[derive(Clone, Debug)]
pub struct PostgresStore {
    /// Whose units this handle is for: one of the next two.
    units: Pool<Db>,
    engine: Pool<Db>,
    web: Pool<Db>,
    /// For the one connection that listens to other nodes.
    ear: Pool<Db>,
    logs: Arc<Logs>,
}

impl PostgresStore {
    /// Connects to the database at `url` (`postgres://user:password@host:port/database?sslmode=…`). Apply
    /// [`Store::migrate`] next.
    ///
    /// Fails with [`store::StoreError::Unavailable`] when the server cannot be reached within 5 seconds.
    pub async fn connect(url: &str, sizes: PoolSizes) -> Result<Self> {
        let milliseconds = |duration: Duration| duration.as_millis().to_string();
        let options = PgConnectOptions::from_str(url)
            .map_err(db::error)?
            .application_name("rondo")
            .statement_cache_capacity(STATEMENT_CACHE)
            .options([
                ("statement_timeout", milliseconds(db::STATEMENT_TIMEOUT)),
                ("lock_timeout", milliseconds(db::LOCK_TIMEOUT)),
                ("idle_in_transaction_session_timeout", milliseconds(IDLE_IN_TRANSACTION_TIMEOUT)),
            ]);
        let pool = |size: u32| PgPoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT).max_connections(size);
        let engine = pool(sizes.engine).connect_with(options.clone()).await.map_err(db::error)?;
        let web = pool(sizes.web).connect_lazy_with(options.clone());
        let logs = Logs { write: pool(sizes.logs).connect_lazy_with(options.clone()), read: web.clone() };
        let ear = pool(1).idle_timeout(None).max_lifetime(None).connect_lazy_with(options);
        Ok(Self { units: engine.clone(), engine, web, ear, logs: Arc::new(logs) })
    }

    /// The same database over the connections for pages and REST. However many of those are held, and for how long, the
    /// engine has its own.
    #[must_use]
    pub fn for_web(&self) -> Self {
        Self { units: self.web.clone(), ..self.clone() }
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn begin(&self) -> Result<Box<dyn UnitOfWork>> {
        Ok(Box::new(Unit::begin(&self.units, Mode::Write).await?))
    }

    async fn snapshot(&self) -> Result<Box<dyn UnitOfWork>> {
        Ok(Box::new(Unit::begin(&self.units, Mode::Read).await?))
    }

    async fn migrate(&self) -> Result<()> {
        let mut transaction = self.units.begin().await.map_err(db::error)?;
        // Another node may be at it, and a migration may take its time.
        let patience = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0";
        sqlx::raw_sql(patience).execute(&mut *transaction).await.map_err(db::error)?;
        sqlx::raw_sql(MIGRATION_LOCK).execute(&mut *transaction).await.map_err(db::error)?;
        migrations::apply(&mut transaction, schema::ALL).await?;
        transaction.commit().await.map_err(db::error)
    }

    async fn ping(&self) -> Result<()> {
        let mut connection = self.units.acquire().await.map_err(db::error)?;
        let outcome = db::within_deadline(connection.ping()).await;
        if outcome.is_err() {
            connection.close_on_drop();
        }
        outcome
    }

    fn logs(&self) -> Arc<dyn LogStore> {
        Arc::<Logs>::clone(&self.logs)
    }

    async fn tell(&self, text: String) -> Result<()> {
        let notify = sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(text);
        db::within_deadline(notify.execute(&self.units)).await.map(|_| ())
    }

    async fn hear(&self) -> Result<Option<mpsc::Receiver<String>>> {
        let mut listener = PgListener::connect_with(&self.ear).await.map_err(db::error)?;
        listener.listen(CHANNEL).await.map_err(db::error)?;
        let (ear, heard) = mpsc::channel(HEARD);
        tokio::spawn(async move {
            while !ear.is_closed() {
                tokio::select! {
                    () = ear.closed() => return,
                    told = listener.try_recv() => match told {
                        Ok(Some(told)) => _ = ear.send(told.payload().to_owned()).await,
                        // The connection was lost, and with it what was told meanwhile: whoever hears is to know that.
                        Ok(None) | Err(_) => return,
                    },
                }
            }
        });
        Ok(Some(heard))
    }

    fn pools(&self) -> Vec<PoolState> {
        let pools = [("engine", &self.engine), ("web", &self.web), ("logs", &self.logs.write)];
        pools.map(|(name, pool)| pooled::state(name, pool)).to_vec()
    }

    fn name(&self) -> &'static str {
        "PostgreSQL"
    }

    async fn close(&self) {
        self.engine.close().await;
        self.web.close().await;
        self.logs.write.close().await;
        self.ear.close().await;
    }
}
