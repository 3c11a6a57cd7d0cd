//! Writes that are sent to the database together.
//!
//! What a statement costs is mostly the way there and back, not what it does. So a unit gathers writes of whose outcome
//! nobody has asked yet, and sends them with the first question.

use crate::{
    db,
    statement::{Statement, sql},
};

/// Writes gathered so far, as one statement. They must not depend on each other.
pub(crate) struct Batch {
    statement: Statement,
    /// Names of its members, each once.
    members: Vec<&'static str>,
    /// The member that must write something.
    required: Option<&'static str>,
}

impl Batch {
    pub(crate) fn new() -> Self {
        Self { statement: sql(""), members: Vec::new(), required: None }
    }

    pub(crate) fn has(&self, member: &'static str) -> bool {
        self.members.contains(&member)
    }

    /// Adds a write.
    pub(crate) fn add(&mut self, member: &'static str, write: impl FnOnce(&mut Statement)) {
        db::begin_member(&mut self.statement, member, self.members.is_empty());
        write(&mut self.statement);
        self.members.push(member);
    }

    /// Whether a value of it cannot be stored.
    pub(crate) fn is_refused(&self) -> bool {
        self.statement.is_refused()
    }

    /// Has this member, which must return a row for each that it writes, write something, or the batch is refused.
    pub(crate) fn require(&mut self, member: &'static str) {
        self.required = Some(member);
    }

    /// The whole, and whether it must give a row.
    pub(crate) fn into_statement(mut self) -> (Statement, bool) {
        db::end_batch(&mut self.statement, self.required);
        (self.statement, self.required.is_some())
    }
}
