//! Subjects, and patterns of them.

/// Whether a pattern covers a subject: `*` stands for one word, `>` for one or more at the end.
pub(super) fn covers(pattern: &str, subject: &str) -> bool {
    let (mut wanted, mut words) = (pattern.split('.'), subject.split('.'));
    loop {
        match (wanted.next(), words.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(one), Some(word)) if one == word => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_whole_words() {
        for (pattern, subject, expected) in [
            ("orders.new", "orders.new", true),
            ("orders.*", "orders.new", true),
            ("orders.>", "orders.new.eu", true),
            (">", "orders", true),
            ("orders.*.eu", "orders.new.eu", true),
            ("orders.>", "orders", false),
            ("orders.*", "orders.new.eu", false),
            ("orders", "orders.new", false),
            ("orders.new", "orders", false),
            ("orders.n*", "orders.new", false),
        ] {
            assert_eq!(covers(pattern, subject), expected, "{pattern} {subject}");
        }
    }
}
