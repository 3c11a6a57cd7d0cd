//! What is PostgreSQL's own: types, transaction statements, claims, errors. Everything else is the shared SQL.

use std::{future::Future, time::Duration};

use sqlx::{error::DatabaseError, postgres::PgDatabaseError};
use store::{Result, StoreError};

use crate::{driver_errors, statement::Statement};

pub(crate) type Db = sqlx::Postgres;
pub(crate) type Row = sqlx::postgres::PgRow;
pub(crate) type Connection = sqlx::PgConnection;

/// The server gives up on a statement after this time (`statement_timeout`).
pub(crate) const STATEMENT_TIMEOUT: Duration = Duration::from_secs(4);
/// And on a lock after this (`lock_timeout`).
pub(crate) const LOCK_TIMEOUT: Duration = Duration::from_secs(3);
/// If nothing has come back by then, the server or the way to it is gone.
const DEADLINE: Duration = Duration::from_secs(5);

pub(crate) const BEGIN_WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
pub(crate) const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// Statements are sent one by one.
pub(crate) const BEGIN_READ_WITH: Option<&str> = None;
/// Keeps others from changing a row, but not from referring to it.
pub(crate) const LOCK_ROWS: &str = " FOR NO KEY UPDATE";
/// Keeps others from changing a row, and passes over rows that others keep.
pub(crate) const SKIP_LOCKED: &str = " FOR NO KEY UPDATE SKIP LOCKED";
/// Serializes decisions about places of one scope. Any number that nothing else uses.
pub(crate) const LOCK_SCOPE: Option<&str> = Some("SELECT pg_advisory_xact_lock(1381322840, hashtext($1))");
/// Serializes publishing and subscribing. Any number that nothing else uses.
pub(crate) const LOCK_STREAM: Option<&str> = Some("SELECT pg_advisory_xact_lock(5931088219642118)");
/// `f(text, part)`: place of a part in a text, 0 when it is not there.
pub(crate) const POSITION: &str = "strpos";

/// How the words of entries of the audit log are written: before the first, between place and words, after the words. They
/// come as words already, so no dictionary and no parser has a say, whatever the database's locale.
pub(crate) const INDEX_WORDS: (&str, &str, &str) =
    ("INSERT INTO audit_words (rowid, words) VALUES ", ", array_to_tsvector(string_to_array(", ", ' ')))");
/// Takes entries out of the index; by their places, whatever their words are.
pub(crate) fn push_unindex(statement: &mut Statement, entries: &[(i64, String)]) {
    statement.push("DELETE FROM audit_words WHERE rowid IN (");
    statement.values(entries.iter().map(|(seq, _)| *seq)).push(")");
}

/// How they are asked: before and after the query.
pub(crate) const MATCH_WORDS: (&str, &str) = (" AND words.words @@ CAST(", " AS tsquery)");
/// Asks for the first part of an action's name, as the index `audit_entries_area` has it.
pub(crate) const AREA_OF_ACTION: &str = " AND split_part(e.action, '.', 1) = ";
/// Between words that must all be there.
pub(crate) const WORD_AND: &str = " & ";

/// Asks for words that begin so. A word is letters and digits, so nothing in it means anything to the index.
pub(crate) fn push_prefix(query: &mut String, word: &str) {
    query.push('\'');
    query.push_str(word);
    query.push_str("':*");
}

/// Owner, now, until, limit, due, the namespace whose turn was last. The namespaces are found by jumping from one to the next
/// in the index. The runs are picked before they are updated (MATERIALIZED), or a plan could pick more; and locked before
/// turns are given, so that two nodes get different ones, as many as there are.
pub(crate) const CLAIM_RUNS: &str = "\
    WITH RECURSIVE named (namespace) AS (\
    (SELECT namespace FROM runs WHERE due_at IS NOT NULL ORDER BY namespace LIMIT 1) \
    UNION ALL SELECT (SELECT r.namespace FROM runs r WHERE r.due_at IS NOT NULL AND r.namespace > n.namespace \
    ORDER BY r.namespace LIMIT 1) FROM named n WHERE n.namespace IS NOT NULL), \
    due AS MATERIALIZED (SELECT n.namespace, d.id, d.due_at FROM named n CROSS JOIN LATERAL (\
    SELECT id, due_at FROM runs WHERE namespace = n.namespace AND due_at IS NOT NULL AND due_at <= $5 \
    AND (lease_until IS NULL OR lease_until <= $2) ORDER BY due_at, id LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED) d), \
    turns AS MATERIALIZED (SELECT id, namespace, \
    row_number() OVER (PARTITION BY namespace ORDER BY due_at, id) AS turn FROM due), \
    chosen AS MATERIALIZED (SELECT id FROM turns ORDER BY turn, namespace <= $6, namespace LIMIT $4) \
    UPDATE runs SET lease_owner = $1, lease_epoch = lease_epoch + 1, lease_until = $3 \
    FROM chosen WHERE runs.id = chosen.id RETURNING runs.id, lease_epoch, due_at, namespace";

/// Kind, now, until, limit.
pub(crate) const TAKE_OUTGOING: &str = "\
    WITH due AS MATERIALIZED (SELECT seq FROM outbox WHERE state = 'unsent' AND kind = $1 AND due_at <= $2 \
    ORDER BY due_at, seq LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED) \
    UPDATE outbox SET due_at = $3 FROM due WHERE outbox.seq = due.seq \
    RETURNING outbox.seq, kind, payload, key, attempts, due_at, last_error, created_at";

pub(crate) const CREATE_HISTORY: &str = "\
    CREATE TABLE IF NOT EXISTS schema_migrations (\
    number BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, \
    applied_at TIMESTAMPTZ NOT NULL DEFAULT now())";

/// Appends what stands for the value with this number.
pub(crate) fn push_placeholder(text: &mut String, number: usize, _is_numbered: bool) {
    text.push('$');
    text.push_str(&number.to_string());
}

/// Members of a batch are common table expressions of one statement.
pub(crate) fn begin_member(batch: &mut Statement, name: &'static str, is_first: bool) {
    batch.push(if is_first { "WITH " } else { "), " }).push(name).push(" AS (");
}

/// Said at the end.
pub(crate) fn end_required(_batch: &mut Statement) {}

pub(crate) fn begin_refusal(_batch: &mut Statement) {}

pub(crate) fn end_refusal(_batch: &mut Statement) {}

/// A batch is refused as a whole by what cannot be computed (see `database`): the quotient, if the required member has
/// written nothing, and the root, if the other has found something.
pub(crate) fn end_batch(batch: &mut Statement, required: Option<&'static str>, refusal: Option<&'static str>) {
    batch.push(") SELECT 1");
    if let Some(name) = required {
        batch.push(" / (SELECT count(*) FROM ").push(name).push(")");
    }
    batch.push(" AS done");
    if let Some(name) = refusal {
        batch.push(", sqrt(-(SELECT n FROM ").push(name).push(")::float8) AS unheard");
    }
}

#[derive(Debug, thiserror::Error)]
#[error("no answer from the database within {} seconds", DEADLINE.as_secs())]
struct NoAnswer;

/// Bounds the wait for a server that has gone silent, which no timeout of the server itself can.
pub(crate) async fn within_deadline<T>(work: impl Future<Output = sqlx::Result<T>> + Send) -> Result<T> {
    match tokio::time::timeout(DEADLINE, work).await {
        Ok(outcome) => outcome.map_err(error),
        Err(_) => Err(StoreError::Unavailable(Box::new(NoAnswer))),
    }
}

pub(crate) fn error(error: sqlx::Error) -> StoreError {
    driver_errors::sort(error, database)
}

fn database(error: Box<dyn DatabaseError>) -> StoreError {
    // https://www.postgresql.org/docs/current/errcodes-appendix.html
    let code = error.code().unwrap_or_default().into_owned();
    match code.as_str() {
        "23505" => StoreError::Duplicate(columns(&*error)),
        "23503" => StoreError::Reference(error.constraint().unwrap_or("of a foreign key").to_owned()),
        "25006" => StoreError::ReadOnly,
        // A root of less than nothing: see `end_batch`.
        "2201F" => StoreError::Heard,
        // A serialization failure or a deadlock: somebody else went first. Or a division by zero: see `end_batch`.
        "40001" | "40P01" | "22012" => StoreError::Conflict,
        // A lock or the time was not to be had, or the session idled in a transaction.
        "55P03" | "57014" | "25P03" => StoreError::Unavailable(error.into_error()),
        // Connection, resources (disk full, too many connections), operator intervention, the system itself.
        other if ["08", "53", "57", "58"].iter().any(|class| other.starts_with(class)) => {
            StoreError::Unavailable(error.into_error())
        }
        _ => StoreError::Driver(error.into_error()),
    }
}

/// The columns of a violated constraint, from `Key (user_id, role)=(…) already exists.`, whatever its language.
fn columns(error: &dyn DatabaseError) -> String {
    let detail = error.try_downcast_ref::<PgDatabaseError>().and_then(PgDatabaseError::detail).unwrap_or_default();
    let list = detail.split_once('(').and_then(|(_, rest)| rest.split_once(")=")).map(|(list, _)| list);
    list.or_else(|| error.constraint()).unwrap_or("key").to_owned()
}
