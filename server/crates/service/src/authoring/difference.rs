//! What a version changes: its text beside that of another one.

use std::{ops::Range, time::Duration};

use domain::{
    Operation, Problem, WorkflowRef,
    view::{DifferenceRow, DifferenceView, TextLine},
};
use similar::TextDiff;

use crate::{
    Caller, Service,
    problems::{internal, not_found},
};

/// What the text that ships is called, in place of a version.
const SHIPPED: &str = "shipped";
/// Lines around what differs.
const AROUND: usize = 3;
/// How long the smallest difference is looked for; beyond, a larger one will do.
const PATIENCE: Duration = Duration::from_millis(500);

impl Service {
    /// How the text of a version differs from that of `other`, which was before: a version of the workflow, or `shipped`, the
    /// text that ships under this number and was not taken. The caller must be one who may see both.
    pub async fn definition_difference(
        &self,
        caller: &Caller,
        workflow: &WorkflowRef,
        version: &str,
        other: &str,
    ) -> Result<DifferenceView, Problem> {
        let mut gate = self.look(caller, Operation::DefinitionRead).await?;
        let after = self.written_by(&mut gate, caller, workflow, version).await?.version.source;
        let before = if other == SHIPPED {
            self.passed_over.text(workflow, version).ok_or_else(not_found)?
        } else {
            self.written_by(&mut gate, caller, workflow, other).await?.version.source
        };
        drop(gate);
        between(other.to_owned(), before, after).await
    }
}

/// How a text differs from that of `other`, which was before: away from the threads that others wait for.
pub(super) async fn between(other: String, before: String, after: String) -> Result<DifferenceView, Problem> {
    let comparing = tokio::task::spawn_blocking(move || passages(&before, &after));
    let passages = comparing.await.map_err(|cause| internal("two texts could not be compared", &cause))?;
    Ok(DifferenceView { other, passages })
}

fn passages(before: &str, after: &str) -> Vec<Vec<DifferenceRow>> {
    let difference = TextDiff::configure().timeout(PATIENCE).diff_lines(before, after);
    let (old, new) = (difference.old_slices(), difference.new_slices());
    let rows = |operation: &similar::DiffOp| {
        side_by_side(lines(old, operation.old_range()), lines(new, operation.new_range()))
    };
    difference.grouped_ops(AROUND).iter().map(|passage| passage.iter().flat_map(rows).collect()).collect()
}

fn lines(text: &[&str], range: Range<usize>) -> Vec<TextLine> {
    let numbered = range.clone().zip(text.get(range).unwrap_or_default());
    let line = |(at, line): (usize, &&str)| TextLine {
        number: u32::try_from(at + 1).unwrap_or(u32::MAX),
        text: line.trim_end_matches(['\r', '\n']).to_owned(),
    };
    numbered.map(line).collect()
}

/// The first beside the first, and so on; of the longer side the rest stands alone.
fn side_by_side(before: Vec<TextLine>, after: Vec<TextLine>) -> Vec<DifferenceRow> {
    let rows = before.len().max(after.len());
    let (mut before, mut after) = (before.into_iter(), after.into_iter());
    (0..rows).map(|_| DifferenceRow { before: before.next(), after: after.next() }).collect()
}

#[cfg(test)]
mod tests {
    use super::passages;

    /// Each row as `number text | number text`, passages divided by a line.
    fn shown(before: &str, after: &str) -> String {
        let side = |line: Option<&domain::view::TextLine>| {
            line.map_or_else(|| "-".to_owned(), |line| format!("{} {}", line.number, line.text))
        };
        let passage = |rows: &Vec<domain::view::DifferenceRow>| {
            let rows = rows.iter().map(|row| format!("{} | {}", side(row.before.as_ref()), side(row.after.as_ref())));
            rows.collect::<Vec<_>>().join("\n")
        };
        passages(before, after).iter().map(passage).collect::<Vec<_>>().join("\n--\n")
    }

    #[test]
    fn what_changed_stands_beside_what_it_was() {
        assert_eq!(shown("a\nb\nc\n", "a\nB\nc\nd\n"), "1 a | 1 a\n2 b | 2 B\n3 c | 3 c\n- | 4 d");
        assert_eq!(shown("a\r\nb\r\n", "a\r\n"), "1 a | 1 a\n2 b | -");
        assert_eq!(shown("a\n", "a\n"), "");
    }

    #[test]
    fn far_places_are_passages_of_their_own() {
        let text = |first: &str, last: &str| format!("{first}\n{}{last}\n", "same\n".repeat(40));
        let shown = shown(&text("a", "y"), &text("b", "z"));
        assert_eq!(shown.matches("--").count(), 1);
        assert!(shown.starts_with("1 a | 1 b\n2 same | 2 same\n"), "{shown}");
        assert!(shown.ends_with("42 y | 42 z"), "{shown}");
    }
}
