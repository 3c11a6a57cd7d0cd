//! Exports of the audit log as CSV, for spreadsheets: UTF-8, commas, all cells quoted, CRLF (RFC 4180). They cannot be verified.
//!
//! Every function returns its line with the line break.

use domain::view::AuditEntryView;

/// The first line of a CSV export: the names of the columns.
#[must_use]
pub fn header() -> String {
    row(&[
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
#[must_use]
pub fn line(entry: &AuditEntryView) -> String {
    let detail = if entry.detail.is_null() { String::new() } else { entry.detail.to_string() };
    row(&[
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

/// A line of these cells. One that a spreadsheet would take for a formula gets an apostrophe in front.
#[must_use]
pub fn row(cells: &[&str]) -> String {
    let cells: Vec<_> = cells.iter().map(|text| cell(text)).collect();
    cells.join(",") + "\r\n"
}

fn cell(text: &str) -> String {
    let formula = text.starts_with(['\t', '\r', '\n'])
        || text.trim_start().starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    let guard = if formula { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixture::{entry, rows},
        view,
    };

    #[test]
    fn cells_are_quoted_and_never_formulas() {
        assert_eq!(cell("a \"b\", c\nd"), "\"a \"\"b\"\", c\nd\"");
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1", "＝1"] {
            assert_eq!(cell(formula), format!("\"'{formula}\""));
        }
        assert_eq!(cell("a=1"), "\"a=1\"");
    }

    #[test]
    fn lines_have_the_columns_of_the_header() {
        let mut entry = entry();
        entry.actor.login = "=HYPERLINK(\"http://example.org\")".to_owned();
        let [row] = <[_; 1]>::try_from(rows(&[entry])).unwrap();
        let text = line(&view(&row));
        assert!(text.starts_with("\"1\",\"2026-11-22T15:04:05.123456Z\",\"'=HYPERLINK(\"\"http"), "{text}");
        assert!(text.ends_with("\r\n"));
        assert_eq!(header().matches(',').count() + 1, 15);
    }
}
