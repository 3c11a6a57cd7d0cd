//! Where lines end.

use crate::typeface::{Face, accent};

/// Signs after which a long word is broken rather than elsewhere.
const JOINTS: &[char] = &['/', '-', '_', '.', ',', ':', ';', '@', '=', '&', '?', '#', '+', '|'];

/// What must not begin a line.
const CLOSING: &[char] = &[
    '.', ',', ':', ';', '!', '?', ')', ']', '}', '\'', '"', '’', '”', '…', '。', '、', '，', '．', '：', '；', '！',
    '？', '）', '］', '｝', '」', '』', '】', '〉', '》', '〕', 'ー', '・', '々',
];

/// What must not end a line.
const OPENING: &[char] = &['(', '[', '{', '‘', '“', '（', '［', '｛', '「', '『', '【', '〈', '《', '〔'];

/// The lines of a paragraph, in letters of that size, that are as wide as given; at least one, and each with a
/// character at least. A line that ends between words keeps the blank, which is not counted.
pub(crate) fn wrap<'a>(text: &'a str, face: &Face, size: f32, width: f32) -> Vec<&'a str> {
    let measure = Measure { face, size, width: width + 0.01 };
    let mut lines = Vec::new();
    let (mut start, mut end, mut used) = (0, 0, 0.0);
    for word in words(text) {
        let wide = measure.of(word.trim_end_matches(' '));
        if used + wide > measure.width {
            // A word that fits on no line begins where there is room for some of it.
            if wide <= measure.width || used > measure.width * 0.6 {
                lines.extend(text.get(start..end).filter(|line| !line.is_empty()));
                (start, used) = (end, 0.0);
            }
            if wide > measure.width {
                let mut rest = word;
                while let Some(fitting) = measure.beginning(rest, used) {
                    let cut = end + fitting;
                    lines.extend(text.get(start..cut));
                    (start, end, used) = (cut, cut, 0.0);
                    rest = rest.get(fitting..).unwrap_or_default();
                }
                end += rest.len();
                used += measure.of(rest);
                continue;
            }
        }
        end += word.len();
        used += measure.of(word);
    }
    lines.extend(text.get(start..).filter(|line| !line.is_empty() || lines.is_empty()));
    lines
}

/// The text on a single line, with an ellipsis for what does not fit.
pub(crate) fn fit(text: &str, face: &Face, size: f32, width: f32) -> String {
    if face.width(text, size) <= width {
        return text.to_owned();
    }
    let room = width - face.width("…", size);
    let mut used = 0.0;
    let fitting: String = text
        .chars()
        .take_while(|character| {
            used += face.advance(*character) * size;
            used <= room
        })
        .collect();
    format!("{}…", fitting.trim_end())
}

struct Measure<'a> {
    face: &'a Face,
    size: f32,
    width: f32,
}

impl Measure<'_> {
    fn of(&self, text: &str) -> f32 {
        self.face.width(text, self.size)
    }

    /// How many bytes of a word go on a line of which some is used already; nothing if all of them do.
    fn beginning(&self, word: &str, used: f32) -> Option<usize> {
        let mut x = used;
        let mut joint = None;
        for (at, character) in word.char_indices() {
            x += self.face.advance(character) * self.size;
            let first = at == 0 && used == 0.0;
            if x > self.width && character != ' ' && accent(character).is_none() && !first {
                return Some(joint.filter(|joint| *joint * 2 > at).unwrap_or(at));
            }
            if JOINTS.contains(&character) {
                joint = Some(at + character.len_utf8());
            }
        }
        None
    }
}

/// Pieces that a line can end between: words with the blanks after them, and single characters of scripts that have no
/// blanks.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = rest
            .char_indices()
            .zip(rest.chars().skip(1))
            .find(|((_, left), right)| is_gap(*left, *right))
            .map_or(rest.len(), |((at, left), _)| at + left.len_utf8());
        let (word, after) = rest.split_at_checked(end)?;
        rest = after;
        (!word.is_empty()).then_some(word)
    })
}

fn is_gap(left: char, right: char) -> bool {
    if left == ' ' {
        return right != ' ';
    }
    let dense = is_dense(left) || is_dense(right);
    dense && right != ' ' && !CLOSING.contains(&right) && !OPENING.contains(&left) && accent(right).is_none()
}

/// Scripts that are written without blanks. Korean is not one of them: its words are kept whole while they fit on a
/// line.
fn is_dense(character: char) -> bool {
    matches!(
        character,
        '\u{2e80}'..='\u{312f}' | '\u{3190}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff66}'..='\u{ff9f}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::typeface::{Typeface, Weight};

    fn face() -> &'static Face {
        Typeface::built_in().unwrap().face(Weight::Regular)
    }

    fn wrapped(text: &str, width: f32) -> Vec<&str> {
        wrap(text, face(), 10.0, width)
    }

    #[test]
    fn lines_end_between_words() {
        assert_eq!(wrapped("one two three", 48.0), ["one two ", "three"]);
        assert_eq!(wrapped("one   two", 30.0), ["one   ", "two"]);
        assert_eq!(wrapped("", 30.0), [""]);
    }

    #[test]
    fn korean_ends_between_words_and_within_those_that_fit_on_no_line() {
        assert_eq!(wrapped("결재 요청을 승인", 60.0), ["결재 요청을 ", "승인"]);
        assert_eq!(wrapped("결재요청을승인했습니다", 60.0), ["결재요청을승", "인했습니다"]);
    }

    #[test]
    fn scripts_without_blanks_end_anywhere_but_before_a_full_stop() {
        assert_eq!(wrapped("漢字漢字。漢字", 40.0), ["漢字漢", "字。漢字"]);
    }

    #[test]
    fn long_words_are_broken_where_they_are_joined_if_that_is_not_too_early() {
        assert_eq!(wrapped("identity/onboard-employee", 60.0), ["identity/", "onboard-", "employee"]);
        let hash = "0123456789abcdef".repeat(4);
        let lines = wrapped(&hash, 100.0);
        assert!(lines.len() > 3);
        assert_eq!(lines.concat(), hash);
    }

    #[test]
    fn an_accent_stays_with_its_letter() {
        assert_eq!(wrapped("oo\u{308}o\u{308}", 1.0), ["o", "o\u{308}", "o\u{308}"]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_too_wide(
            text in "([a-z]{0,9}[ /]|[가-힣]{0,5}|漢。){0,12}", width in -5.0_f32..200.0,
        ) {
            let lines = wrapped(&text, width);
            prop_assert_eq!(lines.concat(), text.clone());
            for line in lines {
                let seen = line.trim_end();
                prop_assert!(face().width(seen, 10.0) <= width + 0.1 || seen.chars().count() <= 1);
            }
        }
    }
}
