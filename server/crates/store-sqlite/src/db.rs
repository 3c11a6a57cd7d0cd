//! What is SQLite's own: types, transaction statements, claims, errors. Everything else is the shared SQL.

use std::future::Future;

use sqlx::error::DatabaseError;
use store::{Result, StoreError};

use crate::{driver_errors, statement::Statement};

pub(crate) type Db = sqlx::Sqlite;
pub(crate) type Row = sqlx::sqlite::SqliteRow;
pub(crate) type Connection = sqlx::SqliteConnection;

/// The only writer of this process; other processes are waited for.
pub(crate) const BEGIN_WRITE: &str = "BEGIN IMMEDIATE";
/// A snapshot of the write-ahead log; waits for nobody.
pub(crate) const BEGIN_READ: &str = "BEGIN DEFERRED";
/// The same, before the first statement of it.
pub(crate) const BEGIN_READ_WITH: Option<&str> = Some("BEGIN DEFERRED; ");
/// There is one writer, so what it reads cannot change under it.
pub(crate) const LOCK_ROWS: &str = "";
/// There is one writer, so nobody else holds a row.
pub(crate) const SKIP_LOCKED: &str = "";
/// Likewise, nobody else decides about places.
pub(crate) const LOCK_SCOPE: Option<&str> = None;
/// Likewise, nobody else publishes or subscribes.
pub(crate) const LOCK_STREAM: Option<&str> = None;
/// `f(text, part)`: place of a part in a text, 0 when it is not there.
pub(crate) const POSITION: &str = "instr";

/// How the words of entries of the audit log are written: before the first, between place and words, after the words.
pub(crate) const INDEX_WORDS: (&str, &str, &str) = ("INSERT INTO audit_words (rowid, words) VALUES ", ", ", ")");
/// How they are asked: before and after the query.
pub(crate) const MATCH_WORDS: (&str, &str) = (" AND audit_words MATCH ", "");
/// Asks for the first part of an action's name, as the index `audit_entries_area` has it.
pub(crate) const AREA_OF_ACTION: &str = " AND substr(e.action, 1, instr(e.action || '.', '.') - 1) = ";
/// Takes entries out of the index, each by the words that were put in.
pub(crate) fn push_unindex(statement: &mut Statement, entries: &[(i64, String)]) {
    statement.push("INSERT INTO audit_words (audit_words, rowid, words) VALUES ");
    for (index, (seq, words)) in entries.iter().enumerate() {
        statement.push(if index == 0 { "('delete', " } else { ", ('delete', " });
        statement.value(*seq).push(", ").value(words).push(")");
    }
}

/// Between words that must all be there.
pub(crate) const WORD_AND: &str = " AND ";

/// Asks for words that begin so. A word is letters and digits, so nothing in it means anything to the index.
pub(crate) fn push_prefix(query: &mut String, word: &str) {
    query.push('"');
    query.push_str(word);
    query.push_str("\"*");
}

/// Owner, now, until, limit, due, the namespace whose turn was last. The namespaces are found by jumping from one to the next
/// in the index.
pub(crate) const CLAIM_RUNS: &str = "\
    UPDATE runs SET lease_owner = $1, lease_epoch = lease_epoch + 1, lease_until = $3 WHERE id IN (\
    WITH RECURSIVE named (namespace) AS (SELECT min(namespace) FROM runs WHERE due_at IS NOT NULL \
    UNION ALL SELECT (SELECT min(r.namespace) FROM runs r WHERE r.due_at IS NOT NULL AND r.namespace > n.namespace) \
    FROM named n WHERE n.namespace IS NOT NULL), \
    turns AS (SELECT r.id, r.namespace, row_number() OVER (PARTITION BY r.namespace ORDER BY r.due_at, r.id) AS turn \
    FROM named n JOIN runs r ON r.number IN (SELECT d.number FROM runs d WHERE d.namespace = n.namespace \
    AND d.due_at IS NOT NULL AND d.due_at <= $5 AND (d.lease_until IS NULL OR d.lease_until <= $2) \
    ORDER BY d.due_at, d.id LIMIT $4)) \
    SELECT id FROM turns ORDER BY turn, namespace <= $6, namespace LIMIT $4) \
    RETURNING id, lease_epoch, due_at, namespace";

/// Kind, now, until, limit.
pub(crate) const TAKE_OUTGOING: &str = "\
    UPDATE outbox SET due_at = $3 WHERE seq IN (SELECT seq FROM outbox WHERE state = 'unsent' AND kind = $1 \
    AND due_at <= $2 ORDER BY due_at, seq LIMIT $4) \
    RETURNING seq, kind, payload, key, attempts, due_at, last_error, created_at";

pub(crate) const CREATE_HISTORY: &str = "\
    CREATE TABLE IF NOT EXISTS schema_migrations (\
    number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, \
    applied_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP) STRICT";

/// Appends what stands for the value with this number. Where no other is named by its number, it has none: batches are sent
/// together, and SQLite looks for a name among all others whenever it binds one, which is slow where there are thousands.
pub(crate) fn push_placeholder(text: &mut String, number: usize, is_numbered: bool) {
    if is_numbered {
        text.push('$');
        text.push_str(&number.to_string());
    } else {
        text.push('?');
    }
}

/// Members of a batch are statements one after the other, sent as one text.
pub(crate) fn begin_member(batch: &mut Statement, _name: &'static str, is_first: bool) {
    if !is_first {
        batch.push("; ");
    }
}

/// Fails if the member before has written nothing. SQLite has no other way to say so but by an expression that it cannot
/// evaluate (see `database`).
pub(crate) fn end_required(batch: &mut Statement) {
    batch.push("; SELECT CASE changes() WHEN 0 THEN abs(-9223372036854775807 - 1) END");
}

/// Fails if the query finds something.
pub(crate) fn begin_refusal(batch: &mut Statement) {
    batch.push("SELECT CASE (");
}

pub(crate) fn end_refusal(batch: &mut Statement) {
    batch.push(") WHEN 0 THEN 0 ELSE json('heard') END");
}

/// Its members have said all.
pub(crate) fn end_batch(_batch: &mut Statement, _required: Option<&'static str>, _refusal: Option<&'static str>) {}

/// SQLite bounds its own waiting by the busy timeout.
pub(crate) async fn within_deadline<T>(work: impl Future<Output = sqlx::Result<T>> + Send) -> Result<T> {
    work.await.map_err(error)
}

pub(crate) fn error(error: sqlx::Error) -> StoreError {
    driver_errors::sort(error, database)
}

fn database(error: Box<dyn DatabaseError>) -> StoreError {
    // https://www.sqlite.org/rescode.html: the low byte is the kind, the rest says more.
    let code: i32 = error.code().and_then(|code| code.parse().ok()).unwrap_or_default();
    match (code & 0xff, code) {
        // See `end_required` and `end_refusal`.
        (1, _) if error.message() == "integer overflow" => StoreError::Conflict,
        (1, _) if error.message() == "malformed JSON" => StoreError::Heard,
        // UNIQUE and PRIMARY KEY: "UNIQUE constraint failed: grants.user_id, grants.role".
        (19, 1555 | 2067) => StoreError::Duplicate(columns(error.message())),
        (19, 787) => StoreError::Reference("of a foreign key".to_owned()),
        // `query_only` of the read pool.
        (8, 8) => StoreError::ReadOnly,
        // BUSY, LOCKED, NOMEM, the other READONLYs, INTERRUPT, IOERR, FULL, CANTOPEN, PROTOCOL.
        (5 | 6 | 7 | 8 | 9 | 10 | 13 | 14 | 15, _) => StoreError::Unavailable(error.into_error()),
        _ => StoreError::Driver(error.into_error()),
    }
}

fn columns(message: &str) -> String {
    let list = message.rsplit(": ").next().unwrap_or_default();
    let names: Vec<_> = list.split(", ").map(|name| name.rsplit('.').next().unwrap_or(name)).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violated_constraint_is_named_by_its_columns() {
        assert_eq!(columns("UNIQUE constraint failed: users.login"), "login");
        assert_eq!(columns("UNIQUE constraint failed: grants.user_id, grants.role"), "user_id, role");
    }
}
