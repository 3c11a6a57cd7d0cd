//! What a call may say, whatever the database.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Map, Value};
use workflow::{RunError, StandardError};

use super::schema::DEFAULT_ROWS;
use crate::Failure;

/// An answer may be this large.
pub(super) const ANSWER_LIMIT: usize = 5 * 1024 * 1024;

/// The status of an answer that is larger.
pub(super) const TOO_LARGE: u16 = 413;

/// Words that begin statements which would end the call's own transaction, reach beyond its database, or stream.
const REFUSED: &[&str] = &[
    "abort",
    "attach",
    "begin",
    "commit",
    "copy",
    "detach",
    "end",
    "lock",
    "pragma",
    "prepare",
    "release",
    "rollback",
    "savepoint",
    "set",
    "start",
    "unlock",
    "vacuum",
    "xa",
];
/// Words that begin statements after which MySQL keeps everything so far.
const COMMITTING: &[&str] = &["alter", "analyze", "create", "drop", "grant", "install", "rename", "revoke", "truncate"];

/// A statement with its values.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Statement {
    #[serde(rename = "statement")]
    pub(super) text: String,
    #[serde(default)]
    pub(super) parameters: Vec<Value>,
    pub(super) expect_rows: Option<u64>,
}

/// What a definition asks for.
#[derive(Deserialize)]
#[serde(tag = "operation", rename_all = "lowercase")]
pub(super) enum Asked {
    Query {
        #[serde(flatten)]
        statement: Statement,
        #[serde(default = "default_rows", rename = "maxRows")]
        max_rows: usize,
    },
    Execute(Statement),
    Transaction {
        statements: Vec<Statement>,
    },
}

const fn default_rows() -> usize {
    DEFAULT_ROWS
}

/// How a database understands what stands in a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    PostgreSql,
    MySql,
    Sqlite,
}

impl Asked {
    pub(super) fn read(with: &Value, dialect: Dialect, remembered: bool) -> Result<Self, Failure> {
        // serde's message may quote a value, and the value may be a secret.
        let asked =
            Self::deserialize(with).map_err(|_| Failure::configuration("the arguments of sql cannot be read"))?;
        let (statements, whole) = match &asked {
            Self::Query { statement, .. } => (std::slice::from_ref(statement), false),
            Self::Execute(statement) => (std::slice::from_ref(statement), remembered),
            Self::Transaction { statements } => (statements.as_slice(), true),
        };
        for statement in statements {
            statement.check(dialect, whole)?;
        }
        Ok(asked)
    }
}

impl Statement {
    /// Whether it is one statement that leaves the transaction alone, and, if `whole`, keeps nothing too early.
    fn check(&self, dialect: Dialect, whole: bool) -> Result<(), Failure> {
        let refuse = |detail: String| Err(Failure::permanent(RunError::new(StandardError::Validation, detail)));
        let text = self.text.as_str();
        if text.contains('\0') {
            return refuse("the statement holds the character NUL".to_owned());
        }
        if dialect == Dialect::MySql && (text.contains("/*!") || text.contains("/*M!")) {
            return refuse("the statement holds a comment that MySQL executes (/*!)".to_owned());
        }
        let word = first_word(text).to_ascii_lowercase();
        if word.is_empty() {
            return refuse("the statement does not begin with a word such as SELECT".to_owned());
        }
        if REFUSED.contains(&word.as_str()) {
            return refuse(format!(
                "a statement may not begin with {}: each call is one transaction of its own (`transaction` makes one of \
                 several statements)",
                word.to_ascii_uppercase()
            ));
        }
        if dialect == Dialect::MySql && whole && COMMITTING.contains(&word.as_str()) {
            return refuse(format!(
                "MySQL keeps everything so far at {}, so that it can be no part of a transaction; make it a call of its \
                 own, over a connection without a table of calls",
                word.to_ascii_uppercase()
            ));
        }
        // The other databases refuse a second statement themselves.
        if dialect == Dialect::Sqlite && has_second(text) {
            return refuse("there is more than one statement; use `transaction`".to_owned());
        }
        Ok(())
    }
}

/// The text after comments and blanks.
fn without_comments(mut text: &str) -> &str {
    loop {
        text = text.trim_start_matches(|character: char| character.is_whitespace() || character == '(');
        if let Some(rest) = text.strip_prefix("--").or_else(|| text.strip_prefix('#')) {
            text = rest.split_once('\n').map_or("", |(_, rest)| rest);
        } else if let Some(rest) = text.strip_prefix("/*") {
            text = rest.split_once("*/").map_or("", |(_, rest)| rest);
        } else {
            return text;
        }
    }
}

fn first_word(text: &str) -> &str {
    let text = without_comments(text);
    text.split(|character: char| !character.is_ascii_alphabetic()).next().unwrap_or_default()
}

/// Whether something follows the semicolon at the end, as SQLite reads it.
fn has_second(text: &str) -> bool {
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let after = rest.get(character.len_utf8()..).unwrap_or_default();
        rest = match character {
            '\'' | '"' | '`' => after.split_once(character).map_or("", |(_, rest)| rest),
            '[' => after.split_once(']').map_or("", |(_, rest)| rest),
            '-' if after.starts_with('-') => after.split_once('\n').map_or("", |(_, rest)| rest),
            '/' if after.starts_with('*') => {
                after.get(1..).and_then(|comment| comment.split_once("*/")).map_or("", |(_, rest)| rest)
            }
            ';' => return !without_comments(after.trim_start_matches([';', ' '])).is_empty(),
            _ => after,
        };
    }
    false
}

/// The bytes that a parameter of the form `{base64: TEXT}` stands for.
pub(super) fn bytes_of(value: &Value) -> Option<Result<Vec<u8>, Failure>> {
    let object = value.as_object().filter(|object| object.len() == 1)?;
    let text = object.get("base64")?.as_str()?;
    Some(STANDARD.decode(text).map_err(|_| {
        Failure::permanent(RunError::new(StandardError::Validation, "a parameter {base64: …} is not base64"))
    }))
}

/// As many parameters as the statement has places.
pub(super) fn check_count(places: usize, given: usize) -> Result<(), Failure> {
    if places == given {
        return Ok(());
    }
    let detail = format!("the statement has places for {places} parameters, and {given} are given");
    Err(Failure::permanent(RunError::new(StandardError::Validation, detail)))
}

/// What a database said, without the values that were given: they may be secret.
pub(super) fn masked(message: &str, parameters: &[Value]) -> String {
    let mut message = message.to_owned();
    let mut hide = |text: &str| {
        if text.len() > 2 {
            message = message.replace(text, "…");
        }
    };
    let mut left: Vec<&Value> = parameters.iter().collect();
    while let Some(value) = left.pop() {
        match value {
            Value::String(text) => hide(text),
            Value::Number(number) => hide(&number.to_string()),
            Value::Array(values) => left.extend(values),
            Value::Object(values) => left.extend(values.values()),
            Value::Null | Value::Bool(_) => {}
        }
    }
    message
}

/// The rows of an answer, within their limits.
pub(super) struct Rows {
    names: Vec<String>,
    taken: Vec<Value>,
    limit: usize,
    size: usize,
    truncated: bool,
}

impl Rows {
    pub(super) fn new(names: Vec<String>, limit: usize) -> Result<Self, Failure> {
        for (at, name) in names.iter().enumerate() {
            if names.iter().skip(at + 1).any(|other| other == name) {
                let detail = format!("two columns are named {name}; give one another name (AS)");
                return Err(Failure::permanent(RunError::new(StandardError::Validation, detail)));
            }
        }
        Ok(Self { names, taken: Vec::new(), limit, size: 0, truncated: false })
    }

    /// Takes a row in; false when there are enough.
    pub(super) fn push(&mut self, values: Vec<Value>) -> Result<bool, Failure> {
        if self.taken.len() >= self.limit {
            self.truncated = true;
            return Ok(false);
        }
        let row: Map<String, Value> = self.names.iter().cloned().zip(values).collect();
        let row = Value::Object(row);
        self.size += size(&row);
        if self.size > ANSWER_LIMIT {
            return Err(too_large());
        }
        self.taken.push(row);
        Ok(true)
    }

    pub(super) fn output(self) -> Value {
        serde_json::json!({"rows": self.taken, "truncated": self.truncated})
    }

    /// The first value of the first row.
    pub(super) fn first(&self) -> Option<&str> {
        self.taken.first()?.as_object()?.values().next()?.as_str()
    }

    pub(super) fn is_truncated(&self) -> bool {
        self.truncated
    }

    pub(super) fn is_empty(&self) -> bool {
        self.taken.is_empty()
    }
}

/// An answer that is larger than can be passed on.
pub(super) fn too_large() -> Failure {
    let detail = format!(
        "the answer is larger than {} MiB; select fewer columns or rows, or lower `maxRows`",
        ANSWER_LIMIT / 1024 / 1024
    );
    Failure::refused(TOO_LARGE, detail)
}

/// About how large a value is as JSON.
fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(values) => values.iter().map(size).sum::<usize>() + 2,
        Value::Object(values) => values.iter().map(|(name, value)| name.len() + 4 + size(value)).sum::<usize>() + 2,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(text: &str, dialect: Dialect, whole: bool) -> Result<(), Failure> {
        let statement = Statement { text: text.to_owned(), parameters: Vec::new(), expect_rows: None };
        statement.check(dialect, whole)
    }

    #[test]
    fn statements_cannot_end_the_transaction_or_leave_the_database() {
        for bad in [
            "COMMIT",
            " -- x\n commit",
            "/* a */ Begin",
            "attach 'x' as y",
            "PRAGMA journal_mode = off",
            "SET autocommit = 1",
            "(((rollback",
            "vacuum into '/tmp/x'",
            "# x\nXA end 'a'",
            "/* /* a */ */ COMMIT",
            "",
        ] {
            for dialect in [Dialect::PostgreSql, Dialect::MySql, Dialect::Sqlite] {
                assert!(check(bad, dialect, false).is_err(), "{bad}");
            }
        }
        assert!(check("/*!50000 COMMIT */", Dialect::MySql, false).is_err());
        assert!(check("CREATE TABLE a (b int)", Dialect::MySql, true).is_err());
        assert!(check("CREATE TABLE a (b int)", Dialect::MySql, false).is_ok());
        assert!(check("SELECT 'commit; begin'", Dialect::Sqlite, true).is_ok());
        assert!(check("UPDATE settings SET a = 1", Dialect::MySql, true).is_ok());
    }

    #[test]
    fn a_second_statement_is_found_where_sqlite_would() {
        for bad in ["select 1; select 2", "select 1;;x", "select ';' ; drop table a", "select 1; /* c */ delete from a"]
        {
            assert!(has_second(bad), "{bad}");
        }
        for good in
            ["select 1", "select 1;", "select ';x'", "select 1; -- x", "select \"a;b\" ;  ", "select 'it''s; ok'"]
        {
            assert!(!has_second(good), "{good}");
        }
    }

    #[test]
    fn values_do_not_stand_in_messages() {
        let message = "duplicate key (geheim) and (4711)";
        assert_eq!(masked(message, &[json!({"a": ["geheim"]}), json!(4711)]), "duplicate key (…) and (…)");
    }

    #[test]
    fn two_columns_of_one_name_are_refused() {
        assert!(Rows::new(vec!["a".to_owned(), "b".to_owned(), "a".to_owned()], 1).is_err());
    }
}
