//! Which lines of a long log are drawn. Only what is in sight and a little around it, however long the log is.

use std::ops::Range;

/// Height of one row of a log in CSS pixels; the style sheet says the same.
pub const ROW_HEIGHT: f64 = 20.0;
/// How many rows are drawn beyond what is in sight, in both directions.
const MARGIN_ROWS: f64 = 30.0;

/// The heights of a log's lines, as running sums.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogWindow {
    /// Rows above each line, and after the last one all rows.
    rows_above: Vec<u32>,
}

/// What is drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Slice {
    /// The lines.
    pub lines: Range<usize>,
    /// Where the first of them begins, in CSS pixels.
    pub top: f64,
    /// Height of the whole log.
    pub height: f64,
}

impl LogWindow {
    /// Measures lines. `columns` is how many characters fit into a row; `None` leaves long lines in one.
    pub fn measure<'a>(texts: impl IntoIterator<Item = &'a str>, columns: Option<usize>) -> Self {
        let mut rows_above = vec![0];
        let mut sum = 0_u32;
        for text in texts {
            sum = sum.saturating_add(rows(text, columns));
            rows_above.push(sum);
        }
        Self { rows_above }
    }

    /// Number of lines.
    pub fn len(&self) -> usize {
        self.rows_above.len().saturating_sub(1)
    }

    /// Whether there are no lines.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where a line begins, in CSS pixels.
    pub fn top_of(&self, line: usize) -> f64 {
        self.rows_above.get(line).or(self.rows_above.last()).map_or(0.0, |rows| f64::from(*rows) * ROW_HEIGHT)
    }

    /// What to draw when the log is scrolled down by `scrolled` in a view of height `view`, both in CSS pixels.
    pub fn slice(&self, scrolled: f64, view: f64) -> Slice {
        let height = self.top_of(self.len());
        let first = self.line_at(scrolled / ROW_HEIGHT - MARGIN_ROWS);
        let last = self.line_at((scrolled + view) / ROW_HEIGHT + MARGIN_ROWS);
        let lines = first..(last + 1).min(self.len()).max(first);
        Slice { top: self.top_of(first), lines, height }
    }

    /// The line that the row lies in.
    fn line_at(&self, row: f64) -> usize {
        let above = self.rows_above.partition_point(|rows| f64::from(*rows) <= row);
        above.saturating_sub(1).min(self.len().saturating_sub(1))
    }
}

fn rows(text: &str, columns: Option<usize>) -> u32 {
    let columns = columns.map_or(usize::MAX, |columns| columns.max(1));
    let rows = text.lines().map(|line| width(line).div_ceil(columns).max(1)).sum::<usize>().max(1);
    u32::try_from(rows).unwrap_or(u32::MAX)
}

/// How many columns a text takes in a fixed-width font: East Asian letters take two.
fn width(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.chars().map(|letter| if is_wide(letter) { 2 } else { 1 }).sum()
}

fn is_wide(letter: char) -> bool {
    matches!(u32::from(letter),
        0x1100..=0x115F | 0x2E80..=0xA4CF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF | 0xFE30..=0xFE6F | 0xFF00..=0xFF60
            | 0x1F300..=0x1FAFF | 0x20000..=0x3FFFD)
}

/// The lines that contain `needle`, whatever its case.
pub fn find<'a>(texts: impl IntoIterator<Item = &'a str>, needle: &str) -> Vec<usize> {
    let needle = needle.to_lowercase();
    if needle.is_empty() {
        return Vec::new();
    }
    let has = |text: &str| {
        if text.is_ascii() && needle.is_ascii() {
            text.as_bytes().windows(needle.len()).any(|part| part.eq_ignore_ascii_case(needle.as_bytes()))
        } else {
            text.to_lowercase().contains(&needle)
        }
    };
    texts.into_iter().enumerate().filter(|(_, text)| has(text)).map(|(index, _)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_in_sight_is_drawn() {
        let lines: Vec<String> = (0..100_000).map(|number| format!("line {number}")).collect();
        let window = LogWindow::measure(lines.iter().map(String::as_str), None);
        assert_eq!(window.len(), 100_000);
        let top = window.slice(0.0, 400.0);
        assert_eq!(top.lines, 0..51);
        let middle = window.slice(1_000_000.0, 400.0);
        assert!(middle.lines.contains(&50_000) && middle.lines.contains(&50_020));
        assert!(middle.lines.len() < 100);
        assert!((middle.top - window.top_of(middle.lines.start)).abs() < 0.1);
        let end = window.slice(middle.height, 400.0);
        assert_eq!(end.lines.end, 100_000);
    }

    #[test]
    fn wrapped_lines_take_their_rows() {
        let window = LogWindow::measure(["", "12345678901", "가나다라마바", "a\nb"], Some(10));
        assert_eq!(window.rows_above, [0, 1, 3, 5, 7]);
        let narrow = LogWindow::measure(["abc"], Some(0));
        assert_eq!(narrow.rows_above, [0, 3]);
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert_eq!(LogWindow::measure([], None).slice(500.0, 100.0), Slice { lines: 0..0, top: 0.0, height: 0.0 });
        assert_eq!(LogWindow::default().slice(0.0, 100.0).lines, 0..0);
    }

    #[test]
    fn lines_are_found_in_any_case() {
        assert_eq!(find(["Error: no", "fine", "an ERROR"], "error"), [0, 2]);
        assert_eq!(find(["가나다", "Ünder"], "ü"), [1]);
        assert!(find(["a"], "").is_empty());
    }
}
