//! What two texts of a configuration differ by, as people read it.

use std::time::Duration;

use similar::{ChangeTag, TextDiff};

use super::secrets::{Notation, masked_lines};

/// Lines around what differs.
const AROUND: usize = 3;
/// So many lines are shown.
const SHOWN: usize = 400;
/// How long the smallest difference is looked for; beyond, a larger one will do.
const PATIENCE: Duration = Duration::from_millis(300);

/// Lines with `+` come, those with `-` go, the others stand around them. Empty when nothing differs. Secrets cannot be
/// read: of one that changes, both lines look the same.
pub(super) fn between(before: &str, after: &str, notation: Notation) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let difference = TextDiff::configure().timeout(PATIENCE).diff_slices(&old, &new);
    // A secret may be one by what stands around it, which the difference need not show.
    let shown = (masked_lines(before, notation), masked_lines(after, notation));
    let mut lines = Vec::new();
    for (number, passage) in difference.grouped_ops(AROUND).iter().enumerate() {
        if number > 0 {
            lines.push("…".to_owned());
        }
        for change in passage.iter().flat_map(|operation| difference.iter_changes(operation)) {
            let sign = match change.tag() {
                ChangeTag::Equal => ' ',
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
            };
            let old = change.old_index().and_then(|at| shown.0.get(at));
            let line = old.or_else(|| change.new_index().and_then(|at| shown.1.get(at)));
            lines.push(format!("{sign} {}", line.map_or("", String::as_str)));
        }
    }
    let more = lines.len().saturating_sub(SHOWN);
    lines.truncate(SHOWN);
    if more > 0 {
        lines.push(format!("… and {more} lines more"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_shows_what_comes_and_goes_but_no_secret() {
        let shown = between("a\nb\npassword old\n", "a\nc\npassword new\n", Notation::Commands);
        assert_eq!(shown, "  a\n- b\n- password ‹hidden›\n+ c\n+ password ‹hidden›");
        assert_eq!(between("a\n", "a\n", Notation::Commands), "");
        let shown =
            between("<secret>\n  <v>old</v>\n</secret>\n", "<secret>\n  <v>new</v>\n</secret>\n", Notation::Xml);
        assert!(shown.contains("- ") && !shown.contains("old") && !shown.contains("new"), "{shown}");
    }
}
