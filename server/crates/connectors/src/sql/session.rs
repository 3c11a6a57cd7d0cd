//! One connection to a database, for one call.

use async_trait::async_trait;
use serde_json::Value;
use workflow::{RunError, StandardError};

use super::statement::{Rows, Statement};
use crate::Failure;

/// What the transaction may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Right {
    Read,
    Write,
}

/// A database that has let us in. Dropping it gives up what is under way, there as well, and keeps nothing.
#[async_trait]
pub(super) trait Session: Send {
    /// Begins the transaction.
    async fn begin(&mut self, right: Right) -> Result<(), Failure>;

    /// The rows of a statement.
    async fn query(&mut self, statement: &Statement, max_rows: usize) -> Result<Rows, Failure>;

    /// Makes a change, and tells how many rows it affected.
    async fn execute(&mut self, statement: &Statement) -> Result<u64, Failure>;

    /// Keeps what was changed.
    async fn commit(&mut self) -> Result<(), Failure>;

    /// Keeps nothing.
    async fn rollback(&mut self) -> Result<(), Failure>;

    /// Says goodbye; what goes wrong then does not matter any more.
    async fn close(self: Box<Self>);
}

/// What the loss of a connection leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing: nothing was changed, or the transaction had not been told to keep it.
    Open,
    /// A change that the database may have kept.
    Change,
    /// The transaction was being kept.
    Commit,
}

/// The connection was lost, or the database spoke nonsense.
pub(super) fn lost(stage: Stage, host: &str, reason: &str) -> Failure {
    let error =
        |what: &str| RunError::communication(503, format!("the connection to {host} was lost {what}: {reason}"));
    match stage {
        Stage::Open => Failure::retryable(error("before anything was kept")),
        Stage::Change => Failure::unknown(error("during a change")),
        Stage::Commit => Failure::unknown(error("while the change was being kept")),
    }
}

/// The database gave up in time, and nothing was kept.
pub(super) fn too_slow(host: &str) -> Failure {
    Failure::retryable(RunError::new(
        StandardError::Timeout,
        format!(
            "{host} did not finish the statement in the time that the task has, and has stopped it; nothing was changed"
        ),
    ))
}

/// A sentence of the database with its code, as an error for good.
pub(super) fn refused(status: u16, host: &str, state: &str, message: &str, remedy: &str) -> Failure {
    Failure::refused(status, format!("{host} refused the statement (SQLSTATE {state}): {message}{remedy}"))
}

/// What a code of the standard means: the classes that all databases share.
pub(super) fn by_state(state: &str, host: &str, message: &str) -> Failure {
    let said = format!("{host} says (SQLSTATE {state}): {message}");
    match (state.get(..2).unwrap_or_default(), state) {
        (_, "40003") => Failure::unknown(RunError::communication(
            502,
            format!("whether the statement was carried out is not known, look there; {said}"),
        )),
        ("40", _) => Failure::retryable(RunError::communication(
            409,
            format!("another transaction was in the way and nothing was kept; {said}"),
        )),
        ("23", _) => refused(409, host, state, message, ""),
        ("28", _) => Failure::permanent(RunError::new(
            StandardError::Authentication,
            format!("the sign-in was refused; compare user and password; {said}"),
        )),
        ("53", _) | (_, "57P03" | "08004") => Failure::retryable(RunError::communication(
            503,
            format!("the database has no room for the call at present; {said}"),
        )),
        (_, "42501") => Failure::permanent(RunError::new(
            StandardError::Authorization,
            format!("the user of the connection may not do this; {said}"),
        )),
        (_, "25006") => {
            refused(403, host, state, message, "; `query` only reads: changes are made by `execute` or `transaction`")
        }
        _ => refused(422, host, state, message, ""),
    }
}

/// A value from inside, as a statement's parameter.
pub(super) fn own(text: String, parameters: Vec<Value>) -> Statement {
    Statement { text, parameters, expect_rows: None }
}
