//! Exports of the audit log: JSON Lines that can be verified, and CSV for spreadsheets.
//!
//! A file of JSON Lines is a first line, one line per entry in which the hashed bytes stand as they are, and a last line
//! that says how many there were and where they end. There are two kinds:
//! - the whole log, or all of it after some entry: [`header`], [`line()`] in order, [`footer`];
//! - a selection (what a filter let through): [`selection_header`], [`selection_line`] in ascending or descending order,
//!   [`footer`]. Each entry brings the hash before it and can be verified by itself; what was left out cannot.
//!
//! Every function returns its line with the line feed.

use domain::view::AuditEntryView;
use serde_json::json;
use store::audit::{AuditHead, AuditRow};

/// The `format` in the first line of an export.
pub const FORMAT: &str = "rondo-audit";

/// The first line of an export of everything after `after`; [`crate::start`] for the whole log.
pub fn header(after: &AuditHead) -> String {
    let line = json!({"format": FORMAT, "v": crate::VERSION, "after": after.seq, "previous": after.hash});
    format!("{line}\n")
}

/// The first line of a selection.
pub fn selection_header() -> String {
    let line = json!({"format": FORMAT, "v": crate::VERSION, "selection": true});
    format!("{line}\n")
}

/// One entry.
pub fn line(row: &AuditRow) -> String {
    format!("{{\"body\":{},\"hash\":{}}}\n", body(row), json!(row.hash))
}

/// One entry of a selection, with the hash of the entry before it in the log ([`crate::START`] for the first of all).
pub fn selection_line(row: &AuditRow, previous: &str) -> String {
    format!("{{\"body\":{},\"hash\":{},\"previous\":{}}}\n", body(row), json!(row.hash), json!(previous))
}

/// The last line: how many entries the file has, and the last of them; without any, what [`header`] was given, or
/// [`crate::start`] for a selection.
pub fn footer(entries: u64, last: &AuditHead) -> String {
    let line = json!({"entries": entries, "last": last.seq, "head": last.hash});
    format!("{line}\n")
}

/// The stored bytes. A stored body that would break the line was altered; as a text in its place, it is seen to be.
fn body(row: &AuditRow) -> String {
    if row.body.contains(['\n', '\r']) { json!(row.body).to_string() } else { row.body.clone() }
}

/// The first line of a CSV export: the names of the columns. UTF-8, commas, all cells quoted, CRLF (RFC 4180).
pub fn csv_header() -> String {
    csv_row(&[
        "seq",
        "at",
        "actor",
        "actor_name",
        "door",
        "address",
        "action",
        "resource_kind",
        "resource_id",
        "resource_name",
        "namespace",
        "outcome",
        "policies",
        "detail",
        "hash",
    ])
}

/// One entry as CSV. A cell that a spreadsheet would take for a formula gets an apostrophe in front.
pub fn csv_line(entry: &AuditEntryView) -> String {
    let detail = if entry.detail.is_null() { String::new() } else { entry.detail.to_string() };
    csv_row(&[
        &entry.seq.to_string(),
        &entry.at.to_string(),
        &entry.actor,
        &entry.actor_name,
        &entry.door,
        entry.address.as_deref().unwrap_or_default(),
        &entry.action,
        &entry.resource_kind,
        &entry.resource_id,
        &entry.resource_name,
        entry.namespace.as_deref().unwrap_or_default(),
        &entry.outcome,
        &entry.policies.join(" "),
        &detail,
        &entry.hash,
    ])
}

fn csv_row(cells: &[&str]) -> String {
    let cells: Vec<_> = cells.iter().map(|cell| csv_cell(cell)).collect();
    cells.join(",") + "\r\n"
}

fn csv_cell(cell: &str) -> String {
    let formula = cell.starts_with(['\t', '\r', '\n'])
        || cell.trim_start().starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    let guard = if formula { "'" } else { "" };
    format!("\"{guard}{}\"", cell.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixture::{entry, rows},
        view,
    };

    #[test]
    fn a_line_holds_exactly_the_hashed_bytes() {
        let [row] = <[_; 1]>::try_from(rows(&[entry()])).unwrap();
        assert_eq!(line(&row), format!("{{\"body\":{},\"hash\":\"{}\"}}\n", row.body, row.hash));
    }

    #[test]
    fn an_altered_body_cannot_break_a_line() {
        let [mut row] = <[_; 1]>::try_from(rows(&[entry()])).unwrap();
        row.body.insert(1, '\n');
        row.hash.push_str("\"}\n{");
        assert_eq!(line(&row).matches('\n').count(), 1);
    }

    #[test]
    fn csv_cells_are_quoted_and_never_formulas() {
        assert_eq!(csv_cell("a \"b\", c\nd"), "\"a \"\"b\"\", c\nd\"");
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1", "＝1"] {
            assert_eq!(csv_cell(formula), format!("\"'{formula}\""));
        }
        assert_eq!(csv_cell("a=1"), "\"a=1\"");
    }

    #[test]
    fn csv_lines_have_the_columns_of_the_header() {
        let mut entry = entry();
        entry.actor.login = "=HYPERLINK(\"http://example.org\")".to_owned();
        let [row] = <[_; 1]>::try_from(rows(&[entry])).unwrap();
        let text = csv_line(&view(&row));
        assert!(text.starts_with("\"1\",\"2026-11-22T15:04:05.123456Z\",\"'=HYPERLINK(\"\"http"), "{text}");
        assert!(text.ends_with("\r\n"));
        assert_eq!(csv_header().matches(',').count() + 1, 15);
    }
}
