//! The text by which things are found. Databases fold case differently, and some only ASCII; so the program folds, and
//! stores the folded text beside the row.

use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

use crate::{runs::Run, users::User};

/// At most so many bytes of a run's input can be searched.
pub const INPUT_LIMIT: usize = 16 * 1024;

/// Compatibility-composed and in lower case: `ＡＢＣ` is `abc`, and Hangul typed as single letters is Hangul in syllables.
#[must_use]
pub fn fold(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).nfkc().collect()
}

/// What a person is found by.
#[must_use]
pub fn text_of_user(user: &User) -> String {
    fold(&format!("{}\n{}\n{}", user.login, user.name, user.email.as_deref().unwrap_or_default()))
}

/// What a run is found by: its title and the values in its input.
#[must_use]
pub fn text_of_run(run: &Run) -> String {
    let mut values = String::new();
    match serde_json::from_str(&run.input) {
        Ok(input) => collect(&input, &mut values),
        Err(_) => values.push_str(&run.input),
    }
    values.truncate(values.floor_char_boundary(INPUT_LIMIT));
    // JSON may hold NUL characters, which no database text may.
    fold(&format!("{}\n{values}", run.title)).replace('\0', " ")
}

/// The longest word that is told from another, in characters.
const LONGEST_WORD: usize = 64;

/// The words of a text, folded: runs of letters and digits. Those of what is searched and of what is searched for are the same.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    let folded = fold(text);
    let words = folded.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| word.chars().take(LONGEST_WORD).collect()).collect()
}

/// The number in `1042`, `#1042` or `R-1042`.
#[must_use]
pub fn run_number(search: &str) -> Option<i64> {
    let search = search.trim();
    let digits = search.strip_prefix('#').or_else(|| search.strip_prefix("R-")).or_else(|| search.strip_prefix("r-"));
    digits.unwrap_or(search).parse().ok()
}

/// The texts and numbers in a value, each with a line feed after it, until [`INPUT_LIMIT`] is reached.
pub fn collect(value: &Value, into: &mut String) {
    if into.len() > INPUT_LIMIT {
        return;
    }
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => {
            into.push_str(&number.to_string());
            into.push('\n');
        }
        Value::String(text) => {
            into.push_str(text);
            into.push('\n');
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
        Value::Object(fields) => fields.values().for_each(|field| collect(field, into)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_joins_what_people_take_for_the_same() {
        assert_eq!(fold("ÄRGER"), "ärger");
        assert_eq!(fold("ＡＢＣ"), "abc");
        assert_eq!(fold("\u{1100}\u{1161}\u{11a8}"), "각");
        assert_eq!(fold("김민수"), "김민수");
    }

    #[test]
    fn words_are_letters_and_digits() {
        assert_eq!(words("R-1042: Ärger (v2.0) 김민수 님"), ["r", "1042", "ärger", "v2", "0", "김민수", "님"]);
        assert_eq!(words("'; \"* --"), Vec::<String>::new());
        assert_eq!(words(&"x".repeat(500)), ["x".repeat(64)]);
    }

    #[test]
    fn numbers_are_recognized_as_people_write_them() {
        assert_eq!(run_number("R-1042"), Some(1042));
        assert_eq!(run_number(" #7"), Some(7));
        assert_eq!(run_number("12"), Some(12));
        assert_eq!(run_number("R2D2"), None);
    }
}
