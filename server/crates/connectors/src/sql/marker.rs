//! Changes that are made once: the database itself remembers them, in the transaction of the change.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use workflow::{RunError, StandardError};

use super::{
    session::{Right, Session, own},
    statement::{Dialect, Statement},
};
use crate::Failure;

/// A call as the database remembers it.
pub(super) struct Marker<'a> {
    table: &'a str,
    key: String,
    dialect: Dialect,
}

impl<'a> Marker<'a> {
    pub(super) fn new(table: &'a str, key: &str, dialect: Dialect) -> Self {
        Self { table, key: hex::encode(Sha256::digest(key.as_bytes())), dialect }
    }

    fn place(&self, number: u8) -> String {
        if self.dialect == Dialect::MySql { "?".to_owned() } else { format!("${number}") }
    }

    /// The output of the call, if it was made.
    pub(super) async fn outcome(&self, session: &mut dyn Session) -> Result<Option<Value>, Failure> {
        let text = format!("SELECT outcome FROM {} WHERE call_key = {}", self.table, self.place(1));
        let rows =
            session.query(&own(text, vec![json!(self.key)]), 1).await.map_err(|failure| self.explained(failure))?;
        if rows.is_empty() {
            return Ok(None);
        }
        let outcome = rows.first().and_then(|text| serde_json::from_str(text).ok());
        outcome.map(Some).ok_or_else(|| {
            Failure::configuration(format!(
                "the row of this call in {} holds no outcome; the table is for Rondo alone",
                self.table
            ))
        })
    }

    /// Makes the change unless it was made; either way with its output. The first of two at once holds the other up.
    pub(super) async fn once(
        &self,
        session: &mut dyn Session,
        statements: &[Statement],
        one: bool,
    ) -> Result<Value, Failure> {
        for _ in 0..2 {
            session.begin(Right::Write).await?;
            if let Some(outcome) = self.outcome(session).await? {
                session.rollback().await?;
                return Ok(outcome);
            }
            let text =
                format!("INSERT INTO {} (call_key, outcome) VALUES ({}, {})", self.table, self.place(1), self.place(2));
            match session.execute(&own(text, vec![json!(self.key), json!("")])).await {
                Ok(_) => {
                    let output = change(session, statements, one).await?;
                    let text = format!(
                        "UPDATE {} SET outcome = {} WHERE call_key = {}",
                        self.table,
                        self.place(1),
                        self.place(2)
                    );
                    session.execute(&own(text, vec![json!(output.to_string()), json!(self.key)])).await?;
                    session.commit().await?;
                    return Ok(output);
                }
                // An earlier attempt was still at it, and has made it now.
                Err(failure) if failure.error.status == 409 => session.rollback().await?,
                Err(failure) => return Err(self.explained(failure)),
            }
        }
        Err(Failure::retryable(RunError::new(
            StandardError::Runtime,
            "another attempt of the same call is under way in the database",
        )))
    }

    fn explained(&self, mut failure: Failure) -> Failure {
        if failure.error.status == 422 {
            let detail = format!(
                "the table of calls {} cannot be used; an administrator of the database makes it by: CREATE TABLE {} \
                 (call_key VARCHAR(64) PRIMARY KEY, outcome TEXT NOT NULL, called_at TIMESTAMP NOT NULL DEFAULT \
                 CURRENT_TIMESTAMP). {}",
                self.table,
                self.table,
                failure.detail()
            );
            failure.error.detail = Some(detail);
        }
        failure
    }
}

/// Makes the changes of an open transaction, and gives the output.
pub(super) async fn change(session: &mut dyn Session, statements: &[Statement], one: bool) -> Result<Value, Failure> {
    let mut affected = Vec::with_capacity(statements.len());
    for (at, statement) in statements.iter().enumerate() {
        let rows = session.execute(statement).await?;
        if let Some(expected) = statement.expect_rows.filter(|expected| *expected != rows) {
            session.rollback().await?;
            return Err(Failure::refused(
                409,
                format!(
                    "statement {} affected {rows} rows, and {expected} were expected (`expectRows`); nothing was kept",
                    at + 1
                ),
            ));
        }
        affected.push(rows);
    }
    Ok(match affected.first() {
        Some(rows) if one => json!({"affectedRows": rows}),
        _ => json!({"affectedRows": affected}),
    })
}
