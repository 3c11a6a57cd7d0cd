//! Creating files and opening connections.

use std::{
    fs::{DirBuilder, OpenOptions},
    io,
    path::Path,
    time::Duration,
};

use sqlx::{
    Pool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use store::{Result, StoreError};

use crate::db::{self, Db};

/// How long other processes are waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a unit queues for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// Of the file, for each connection, in KiB, which is what the minus says. With SQLite's own 2 MiB, pages that are looked at
/// again and again are read from the system again and again.
const PAGE_CACHE: &str = "-8192";
/// More than there are different statements.
const STATEMENT_CACHE: usize = 512;

/// What a power cut may cost.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Nothing that was committed.
    EveryCommit,
    /// What was committed since the last checkpoint of the write-ahead log.
    Checkpoints,
}

/// Creates the file and its folders if they are missing, closed to other users of the machine.
pub(crate) fn create_private(path: &Path) -> Result<()> {
    let unavailable = |error: io::Error| {
        let text = format!("{}: {error}", path.display());
        StoreError::Unavailable(Box::new(io::Error::new(error.kind(), text)))
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(unavailable)?;
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(unavailable)
}

/// The one connection that writes, and for each of these numbers a pool of so many that read.
pub(crate) async fn pools<const N: usize>(
    path: &Path,
    durability: Durability,
    readers: [u32; N],
) -> Result<(Pool<Db>, [Pool<Db>; N])> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(match durability {
            Durability::EveryCommit => SqliteSynchronous::Full,
            Durability::Checkpoints => SqliteSynchronous::Normal,
        })
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .statement_cache_capacity(STATEMENT_CACHE)
        // What is deleted or erased leaves the file, too.
        .pragma("secure_delete", "ON")
        .pragma("cache_size", PAGE_CACHE)
        .optimize_on_close(true, None);
    let pool = || SqlitePoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT).idle_timeout(None).max_lifetime(None);
    // The writer first: it makes the file a database and puts it into WAL mode.
    let write = pool().max_connections(1).connect_with(options.clone()).await.map_err(db::error)?;
    let options = options.pragma("query_only", "ON").optimize_on_close(false, None);
    let read = |size| pool().max_connections(size).min_connections(0).connect_lazy_with(options.clone());
    Ok((write, readers.map(read)))
}
