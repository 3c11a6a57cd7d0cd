use std::error::Error;

/// Why the storage did not do what it was asked, split by what the caller may do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, is locked for too long, or its disk is full: try again later.
    #[error("the database is not available")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// Somebody else changed the row first (version, epoch, state): load again.
    #[error("the row has changed meanwhile")]
    Conflict,
    /// Somebody listens to what the unit was to be silent about ([`crate::events::Events::refuse_if_heard`]): tell it.
    #[error("somebody listens to what is not told")]
    Heard,
    /// A row with this key or name exists already.
    #[error("a row with this {0} exists already")]
    Duplicate(String),
    /// The write refers to a row that does not exist, or would leave others without theirs.
    #[error("the write breaks the reference {0}")]
    Reference(String),
    /// A write through a read-only unit.
    #[error("this unit of work only reads")]
    ReadOnly,
    /// The database was made by another version, or a migration was altered.
    #[error("the database schema does not fit this program: {0}")]
    Schema(String),
    /// A stored value is not what this program writes.
    #[error("the database holds an unexpected value in {0}")]
    Inconsistent(String),
    /// A text with a NUL character (U+0000), which PostgreSQL cannot store; refused on both databases.
    #[error("text with a NUL character cannot be stored")]
    NulCharacter,
    /// Anything else that the database refused.
    #[error("the database refused the statement")]
    Driver(#[source] Box<dyn Error + Send + Sync>),
}
