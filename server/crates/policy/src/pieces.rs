//! Cuts a text into its policies as they are written. What Cedar keeps of a policy has lost its comments and its place.

/// One policy of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece<'t> {
    /// Where it begins, in bytes from the beginning of the text.
    pub(crate) offset: usize,
    /// The lines of comment right above it, as they stand.
    pub(crate) comment: &'t str,
    /// The policy, from its first annotation to its semicolon.
    pub(crate) text: &'t str,
}

/// The policies in order. What is not ended by a semicolon is none.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut comment_from: Option<usize> = None;
    let mut begun: Option<usize> = None;
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '/' if characters.peek().is_some_and(|(_, next)| *next == '/') => {
                if begun.is_none() {
                    comment_from.get_or_insert(at);
                }
                while characters.next_if(|(_, inside)| *inside != '\n').is_some() {}
            }
            '"' => {
                begun.get_or_insert(at);
                let mut escaped = false;
                for (_, inside) in characters.by_ref() {
                    match inside {
                        _ if escaped => escaped = false,
                        '\\' => escaped = true,
                        '"' => break,
                        _ => {}
                    }
                }
            }
            ';' => {
                if let Some(offset) = begun.take() {
                    let comment = comment_from.take().and_then(|from| text.get(from..offset)).unwrap_or_default();
                    pieces.push(Piece { offset, comment, text: text.get(offset..=at).unwrap_or_default() });
                }
            }
            // A comment that stands apart is about more than the next policy.
            '\n' if begun.is_none() && is_blank_line_after(text, at) => comment_from = None,
            _ if character.is_whitespace() => {}
            _ => _ = begun.get_or_insert(at),
        }
    }
    pieces
}

fn is_blank_line_after(text: &str, line_end: usize) -> bool {
    let rest = text.get(line_end + 1..).unwrap_or_default();
    rest.trim_start_matches([' ', '\t', '\r']).starts_with('\n')
}

/// The words of a comment, without its marks.
pub(crate) fn words(comment: &str) -> String {
    let lines = comment.lines().map(|line| line.trim().trim_start_matches('/').trim());
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Line and column, both from 1, of a place in a text; columns are characters.
pub(crate) fn place(text: &str, offset: usize) -> (usize, usize) {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = text.get(..end).unwrap_or_default();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (before.matches('\n').count() + 1, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "// About the file.\n\n// One; \"two\".\n// Three.\n@id(\"a;//b\")\npermit (principal, action, resource);\n\
                        @id(\"c\") forbid (principal, action, resource) // no; end\nwhen { \"\\\";\" == \"x\" };\nrest";

    #[test]
    fn policies_are_found_with_their_comments() {
        let found = pieces(TEXT);
        assert_eq!(found.len(), 2);
        assert_eq!(words(found[0].comment), "One; \"two\". Three.");
        assert_eq!(found[0].text, "@id(\"a;//b\")\npermit (principal, action, resource);");
        assert_eq!(place(TEXT, found[0].offset), (5, 1));
        assert_eq!(found[1].comment, "");
        assert!(found[1].text.ends_with("== \"x\" };"), "{}", found[1].text);
        assert_eq!(place(TEXT, found[1].offset), (7, 1));
    }

    #[test]
    fn places_are_counted_in_characters() {
        assert_eq!(place("가나\n다x", "가나\n다".len()), (2, 2));
        assert_eq!(place("가", 1), (1, 1));
        assert_eq!(place("", 99), (1, 1));
    }
}
