//! Exports of the audit log: JSON Lines that can be verified, and CSV for spreadsheets.
//!
//! A file of JSON Lines is [`header`], an [`introduction`] for each later key, then [`line()`] for each entry with a
//! [`checkpoint`] after the entries that it covers, the last of them after the last entry, and [`footer`]. The hashed bytes of
//! entries stand in it as they are.
//!
//! Every function returns its line with the line feed.

use domain::view::AuditEntryView;
use serde_json::json;
use store::audit::AuditRow;

use crate::{
    checkpoint::PublicKey,
    tree::{self, Hash},
};

/// The `format` in the first line of an export.
pub const FORMAT: &str = "rondo-audit";
/// The version of the export that this program writes.
pub const VERSION: i64 = 2;

/// The first line: which log, and the first of its keys.
pub fn header(key: &PublicKey) -> String {
    let line = json!({"format": FORMAT, "v": VERSION, "key": key.to_string()});
    format!("{line}\n")
}

/// A later key of the log, introduced by one before it.
pub fn introduction(note: &str) -> String {
    format!("{}\n", json!({"introduction": note}))
}

/// One entry.
pub fn line(row: &AuditRow) -> String {
    let hash = tree::text(&tree::leaf(row.body.as_bytes()));
    format!("{{\"body\":{},\"hash\":\"{hash}\"}}\n", body(row))
}

/// A checkpoint over the entries so far.
pub fn checkpoint(note: &str) -> String {
    format!("{}\n", json!({"checkpoint": note}))
}

/// The last line: how many entries and checkpoints the file has, and the root of the tree over the entries.
pub fn footer(entries: u64, checkpoints: u64, root: &Hash) -> String {
    let line = json!({"entries": entries, "checkpoints": checkpoints, "root": tree::text(root)});
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

/// A line of comma-separated values: all cells quoted, ended by CRLF (RFC 4180). A cell that a spreadsheet would take for a
/// formula gets an apostrophe in front.
pub fn csv_row(cells: &[&str]) -> String {
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
        let hash = tree::text(&tree::leaf(row.body.as_bytes()));
        assert_eq!(line(&row), format!("{{\"body\":{},\"hash\":\"{hash}\"}}\n", row.body));
    }

    #[test]
    fn an_altered_body_cannot_break_a_line() {
        let [mut row] = <[_; 1]>::try_from(rows(&[entry()])).unwrap();
        row.body.insert(1, '\n');
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
