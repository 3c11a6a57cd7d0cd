//! Writes that are sent to the database together.
//!
//! What a statement costs is mostly the way there and back, not what it does. So a unit gathers writes of whose outcome
//! nobody has asked yet, and sends them with the first question.

use crate::{
    db,
    statement::{self, Statement},
};

/// Writes gathered so far, as one statement. They must not depend on each other.
pub(crate) struct Batch {
    statement: Statement,
    /// Names of its members, each once.
    members: Vec<&'static str>,
    /// The member that must write something.
    required: Option<&'static str>,
    /// The member that must find nothing.
    refusal: Option<&'static str>,
}

impl Batch {
    pub(crate) fn new() -> Self {
        Self { statement: statement::sql(""), members: Vec::new(), required: None, refusal: None }
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

    /// Adds a write that returns a row for each that it writes. If it writes none, the batch is refused by
    /// [`store::StoreError::Conflict`].
    pub(crate) fn add_required(&mut self, member: &'static str, write: impl FnOnce(&mut Statement)) {
        self.add(member, write);
        db::end_required(&mut self.statement);
        self.required = Some(member);
    }

    /// Adds a query of one row. If its `n` is not 0, the batch is refused by [`store::StoreError::Heard`].
    pub(crate) fn add_refusal(&mut self, member: &'static str, query: impl FnOnce(&mut Statement)) {
        self.add(member, |statement| {
            db::begin_refusal(statement);
            query(statement);
            db::end_refusal(statement);
        });
        self.refusal = Some(member);
    }

    /// Fails if a value of it cannot be stored.
    pub(crate) fn check(&self) -> store::Result<()> {
        self.statement.check()
    }

    /// Whether one of its members must write something.
    pub(crate) fn is_required(&self) -> bool {
        self.required.is_some()
    }

    pub(crate) fn into_statement(mut self) -> Statement {
        db::end_batch(&mut self.statement, self.required, self.refusal);
        self.statement
    }
}
