//! Ports of the storage: what Rondo keeps, as narrow traits over plain rows. No SQL, no decisions.
//!
//! Two crates implement them, `store-sqlite` and `store-postgres`; `store-testkit` holds the suite that both must pass.
//!
//! # How to use it
//! ```ignore
//! let mut unit = store.begin().await?;          // one transaction; SQLite has one writer at a time
//! let user = unit.user_by_login("staff").await?;
//! unit.insert_run(&run).await?;                 // data, journal, outbox and audit of one change …
//! unit.commit().await?;                         // … become durable together, or not at all
//! ```
//! A [`UnitOfWork`] that is dropped without `commit` is rolled back. [`Store::snapshot`] gives the same traits for
//! reading only; writing through it is an [`StoreError::ReadOnly`].
//!
//! When the database refuses a statement ([`StoreError::Duplicate`], [`StoreError::Reference`], [`StoreError::Driver`],
//! [`StoreError::Unavailable`]), the whole unit is lost, on both databases: every further call fails, `commit` included.
//! [`StoreError::Conflict`], [`StoreError::ReadOnly`] and [`StoreError::NulCharacter`] leave it as it was, but for a
//! conflict by deadlock, which PostgreSQL may find, or of a run that somebody else has advanced: load again in a new unit.
//! Tasks, snapshots and audit entries are sent with what comes next: what is wrong with them is said then.
//!
//! # Four things to note
//! - Everything is portable: ids are UUIDs stored as text, times are microseconds in a 64-bit integer, states are text
//!   under a CHECK, JSON is text. Both databases order and compare them alike.
//! - Methods are named for what they do to a row (`insert_…`, `update_…`, `…_by_…`, `list_…`), and take and return rows
//!   of structs that stand beside their trait.
//! - Writers that may lose a race return [`StoreError::Conflict`]; the caller loads again.
//! - Lists are keyset-paged: pass the last item's key, get the rows after it.
//!
//! # How to add a table
//! 1. A migration of the same number and name in `migrations/sqlite/` and `migrations/postgres/`.
//! 2. Rows and a trait in a module here; name the trait in [`UnitOfWork`].
//! 3. The implementation in both backends, and cases in `store-testkit`'s conformance and differential suites.

pub mod access;
pub mod access_reviews;
pub mod approvals;
pub mod audit;
pub mod calendars;
pub mod children;
pub mod connections;
pub mod controls;
pub mod credentials;
pub mod delegations;
pub mod emergencies;
pub mod erasures;
mod error;
pub mod events;
pub mod limits;
pub mod logs;
pub mod messages;
pub mod policy_sets;
pub mod process_permissions;
pub mod questions;
pub mod receivers;
pub mod repositories;
pub mod requests;
pub mod retention;
pub mod reviews;
pub mod runners;
pub mod runs;
pub mod schedules;
pub mod search;
pub mod secrets;
pub mod sessions;
pub mod settings;
pub mod triggers;
pub mod users;
pub mod value;
pub mod watches;
pub mod witnesses;
pub mod workflows;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;

pub use error::StoreError;

/// A database.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// A transaction that may write. It begins with the first statement; until then it holds nothing.
    async fn begin(&self) -> Result<Box<dyn UnitOfWork>>;

    /// Begins a transaction that only reads, and never waits for writers.
    async fn snapshot(&self) -> Result<Box<dyn UnitOfWork>>;

    /// Applies the migrations that are missing.
    ///
    /// Fails when the database has a migration that this program does not know, or one that was altered.
    async fn migrate(&self) -> Result<()>;

    /// Whether the database answers.
    async fn ping(&self) -> Result<()>;

    /// The store of task logs, apart from the engine's tables and connections.
    fn logs(&self) -> Arc<dyn logs::LogStore>;

    /// Tells the other nodes on this database something, in no unit of work; at most 7,000 bytes. It may be lost. Nothing where
    /// there can be no other node.
    async fn tell(&self, _text: String) -> Result<()> {
        Ok(())
    }

    /// What nodes tell, this one included, from now on; none where there can be no other node. It ends where the connection
    /// is lost: what is told until one hears again is not heard.
    async fn hear(&self) -> Result<Option<mpsc::Receiver<String>>> {
        Ok(None)
    }

    /// How the pools of connections stand, those of other shares of this store included.
    fn pools(&self) -> Vec<PoolState>;

    /// Which database this is, for people: `SQLite` or `PostgreSQL`.
    fn name(&self) -> &'static str;

    /// Closes all connections; for SQLite, folds the write-ahead log into the file.
    async fn close(&self);
}

/// How a pool of connections stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolState {
    /// Whose it is: `engine`, `web` or `logs`.
    pub name: &'static str,
    /// Connections that it may open.
    pub limit: u32,
    /// Connections that somebody holds.
    pub held: u32,
}

/// One transaction over everything that is kept.
#[async_trait]
pub trait UnitOfWork:
    access::Access
    + access_reviews::AccessReviews
    + approvals::Approvals
    + audit::AuditLog
    + audit::AuditViews
    + audit::Checkpoints
    + audit::RunsOfEntries
    + calendars::Calendars
    + children::Children
    + connections::Connections
    + controls::Controls
    + credentials::Credentials
    + delegations::Delegations
    + emergencies::Emergencies
    + erasures::Erasures
    + events::Events
    + limits::Limits
    + messages::Messages
    + policy_sets::PolicySets
    + process_permissions::ProcessPermissions
    + questions::Questions
    + receivers::Receivers
    + repositories::Repositories
    + requests::Requests
    + retention::Retention
    + reviews::Reviews
    + runners::Runners
    + runs::Runs
    + schedules::Schedules
    + secrets::Secrets
    + sessions::Sessions
    + settings::Settings
    + triggers::Triggers
    + users::Users
    + value::Value
    + watches::Watches
    + witnesses::Witnesses
    + workflows::Workflows
    + Send
{
    /// Makes all writes durable at once.
    async fn commit(self: Box<Self>) -> Result<()>;

    /// Drops all writes.
    async fn rollback(self: Box<Self>) -> Result<()>;
}

/// Shorthand of every method here.
pub type Result<T> = std::result::Result<T, StoreError>;
