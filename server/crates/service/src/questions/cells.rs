//! From the fields of a query to what people and programs read.

use domain::{
    CellKind, Timestamp,
    view::{AnswerCell, AuditAnswerView, AuditQuestionColumn},
};
use store::questions::Field;
use url::form_urlencoded::byte_serialize;

use crate::cursor;

/// A row of an answer.
pub(super) fn row(columns: &[AuditQuestionColumn], fields: Vec<Field>) -> Vec<AnswerCell> {
    columns.iter().zip(fields).map(|(column, field)| cell(column.kind, field)).collect()
}

/// Where a cell leads, everybody may look who may ask: into the log.
fn cell(kind: CellKind, field: Field) -> AnswerCell {
    match (kind, field) {
        (_, Field::Nothing) => AnswerCell::default(),
        (CellKind::Time, Field::Number(micros)) => plain(Timestamp::from_micros(micros).to_string()),
        (CellKind::Entry, Field::Number(seq)) => AnswerCell { text: seq.to_string(), link: entry(seq) },
        (CellKind::Run, Field::Number(number)) => about("run", format!("R-{number}")),
        (CellKind::Person, Field::Text(login)) => about("actor", login),
        (CellKind::Definition, Field::Text(version)) => about("resource", version),
        (_, Field::Number(number)) => plain(number.to_string()),
        (_, Field::Text(text)) => plain(text),
    }
}

fn plain(text: String) -> AnswerCell {
    AnswerCell { text, link: None }
}

/// What the log has about something.
fn about(filter: &str, text: String) -> AnswerCell {
    let value: String = byte_serialize(text.as_bytes()).collect();
    AnswerCell { link: Some(format!("/audit?{filter}={value}")), text }
}

/// The log from this entry downwards.
fn entry(seq: i64) -> Option<String> {
    Some(format!("/audit?cursor={}", cursor::encode(&seq.saturating_add(1))?))
}

/// An answer as comma-separated values, with the names of the columns above them.
pub(super) fn csv(answer: &AuditAnswerView) -> String {
    let head: Vec<_> = answer.question.columns.iter().map(|column| column.name.as_str()).collect();
    let mut text = audit::csv::row(&head);
    for row in &answer.rows {
        let cells: Vec<_> = row.iter().map(|cell| cell.text.as_str()).collect();
        text.push_str(&audit::csv::row(&cells));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_lead_to_what_they_speak_of() {
        let text = |text: &str| Field::Text(text.to_owned());
        for (kind, field, words, link) in [
            (CellKind::Time, Field::Number(0), "1970-01-01T00:00:00.000000Z", None),
            (CellKind::Time, Field::Nothing, "", None),
            (CellKind::Run, Field::Number(7), "R-7", Some("/audit?run=R-7")),
            (CellKind::Person, text("jane doe"), "jane doe", Some("/audit?actor=jane+doe")),
            (CellKind::Definition, text("it/a 1.0.0"), "it/a 1.0.0", Some("/audit?resource=it%2Fa+1.0.0")),
            (CellKind::Number, Field::Number(3), "3", None),
            (CellKind::Text, text("=1+1"), "=1+1", None),
        ] {
            let cell = cell(kind, field);
            assert_eq!((cell.text.as_str(), cell.link.as_deref()), (words, link));
        }
        let link = cell(CellKind::Entry, Field::Number(41)).link.unwrap();
        let cursor = link.strip_prefix("/audit?cursor=").unwrap();
        assert_eq!(cursor::decode::<i64>(Some(cursor)).unwrap(), Some(42));
    }
}
