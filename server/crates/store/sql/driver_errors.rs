//! What both drivers' errors have in common.

use sqlx::error::DatabaseError;
use store::StoreError;

/// Sorts an error of the driver; errors of the database itself are sorted by `database`.
pub(crate) fn sort(error: sqlx::Error, database: impl FnOnce(Box<dyn DatabaseError>) -> StoreError) -> StoreError {
    match error {
        sqlx::Error::Database(error) => database(error),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => StoreError::Unavailable(Box::new(error)),
        other => StoreError::Driver(Box::new(other)),
    }
}
