//! Text as it can be shown: without what has no sign, and with something in its place.

use unicode_normalization::UnicodeNormalization;

use crate::typeface::{Face, accent};

/// What a character without a sign is read as.
pub(crate) const REPLACEMENT: char = '\u{fffd}';

/// The lines of the text, each as it can be shown with the face.
pub(crate) fn lines(text: &str, face: &Face) -> Vec<String> {
    text.replace("\r\n", "\n")
        .split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'])
        .map(|line| line_of(line, face))
        .collect()
}

/// The text on one line, as it can be shown with the face.
pub(crate) fn line(text: &str, face: &Face) -> String {
    lines(text, face).join(" ")
}

/// The text as it is read, where letters that were put together make it differ from what is shown.
pub(crate) fn whole(shown: &str) -> Option<String> {
    shown.contains(|character| accent(character).is_some()).then(|| shown.nfc().collect())
}

fn line_of(text: &str, face: &Face) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.nfc() {
        match character {
            '\t' => shown.push_str("    "),
            _ if is_blank(character) => shown.push(' '),
            _ if is_unseen(character) => {}
            // An accent stands over a letter, or cannot be shown.
            _ if accent(character).is_some() && shown.is_empty() => shown.push(REPLACEMENT),
            _ if is_own(character) => shown.push(REPLACEMENT),
            _ if face.has(character) => shown.push(character),
            _ => put_together(character, face, &mut shown),
        }
    }
    shown
}

/// A letter with its accents, for a letter that the face has only without; else the replacement.
fn put_together(character: char, face: &Face, shown: &mut String) {
    let parts: Vec<char> = std::iter::once(character).nfd().collect();
    match parts.split_first() {
        Some((letter, accents))
            if !accents.is_empty() && face.has(*letter) && accents.iter().all(|mark| accent(*mark).is_some()) =>
        {
            shown.extend(parts);
        }
        _ => shown.push(REPLACEMENT),
    }
}

/// Blanks of any width, but the wide one of East Asian scripts.
fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}')
}

/// What has an effect but no sign: controls, joiners, directions, variants, and fillers.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'
                | '\u{1160}'
                | '\u{17b4}'
                | '\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// What means only what somebody agreed upon, or nothing at all: archivable documents must not have it.
fn is_own(character: char) -> bool {
    let code = u32::from(character);
    matches!(character, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..)
        || (0xfdd0..=0xfdef).contains(&code)
        || code & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::typeface::{Typeface, Weight};

    fn shown(text: &str) -> String {
        line(text, Typeface::built_in().unwrap().face(Weight::Regular))
    }

    #[test]
    fn what_has_a_sign_stays() {
        for text in ["mina → jun, 42 %", "Ünï àéç ñ ß ø", "결재 요청을 승인했습니다", "Привет", "かな", "漢字"]
        {
            assert_eq!(shown(text), text.nfc().collect::<String>(), "{text}");
        }
    }

    #[test]
    fn hangul_that_comes_in_pieces_is_put_together() {
        assert_eq!(shown(&"한글".nfd().collect::<String>()), "한글");
    }

    #[test]
    fn letters_that_the_font_lacks_are_put_together() {
        assert_eq!(shown("Öl, Žižek, Ålesund"), "O\u{308}l, Z\u{30c}iz\u{30c}ek, A\u{30a}lesund");
        assert_eq!(shown("ì"), "i\u{300}");
    }

    #[test]
    fn letters_that_are_put_together_are_read_as_one() {
        assert_eq!(whole(&shown("Öl, Žižek")).as_deref(), Some("Öl, Žižek"));
        assert_eq!(whole(&shown("Jörg")), None);
    }

    #[test]
    fn what_has_no_sign_is_replaced() {
        assert_eq!(shown("a😀b\u{e000}c\u{ffff}"), "a\u{fffd}b\u{fffd}c\u{fffd}");
        assert_eq!(shown("שלום"), "\u{fffd}\u{fffd}\u{fffd}\u{fffd}");
        assert_eq!(shown("\u{301}"), "\u{fffd}");
    }

    #[test]
    fn what_cannot_be_seen_is_dropped() {
        assert_eq!(shown("a\0b\u{7}c\u{202e}d\u{200d}e\u{feff}f\u{ad}g"), "abcdefg");
        assert_eq!(shown("a\u{a0}b\u{2003}c"), "a b c");
    }

    #[test]
    fn lines_are_told_apart_however_they_end() {
        let face = Typeface::built_in().unwrap().face(Weight::Regular);
        assert_eq!(lines("a\r\nb\rc\nd\u{2028}e", face), ["a", "b", "c", "d", "e"]);
        assert_eq!(lines("", face), [""]);
    }
}
