//! Which passwords are good enough: long, not about the person, not a common one. No rules of composition, which make
//! passwords harder to remember and no harder to guess (NIST SP 800-63B).

use domain::FieldError;
use serde_json::{Value, json};

use crate::Secret;

/// Least number of characters.
pub const MINIMUM_LENGTH: usize = 12;
/// Greatest number of characters.
pub const MAXIMUM_LENGTH: usize = 256;

/// Words about the person shorter than this may stand in a password.
const PERSONAL_WORD_LENGTH: usize = 4;

/// Repeating up to so many characters makes no password (`abcabcabcabc`).
const LONGEST_REPEATED: usize = 4;

/// Those that head the published lists of leaked passwords and are long enough for [`MINIMUM_LENGTH`], in lower case,
/// and such as an administrator is tempted to give out.
const COMMON: &[&str] = &[
    "0123456789ab",
    "0123456789abcdef",
    "012345678910",
    "098765432100",
    "0987654321qwerty",
    "102030405060",
    "1234567890-=",
    "123456789012",
    "1234567890123",
    "12345678910",
    "123456789101",
    "1234567891011",
    "123456789abc",
    "1234567890abc",
    "1234567890qwerty",
    "1234qwerasdf",
    "1234qwerasdfzxcv",
    "123qweasdzxc",
    "147258369000",
    "1q2w3e4r5t6y",
    "1q2w3e4r5t6y7u",
    "1q2w3e4r5t6y7u8i",
    "1qaz2wsx3edc",
    "1qaz2wsx3edc4rfv",
    "abcdefghijkl",
    "abcdefghijklmnopqrstuvwxyz",
    "administrator",
    "administrator1",
    "adminadminadmin",
    "asdfghjkl123",
    "asdfghjklqwertyuiop",
    "assword12345",
    "changeme1234",
    "changemeplease",
    "changeme12345",
    "chocolate123",
    "correcthorsebatterystaple",
    "correct horse battery staple",
    "football1234",
    "iloveyou1234",
    "iloveyou12345",
    "iloveyousomuch",
    "letmein12345",
    "letmeinletmein",
    "liverpool123",
    "manchester123",
    "mynameisjohn",
    "p@ssw0rd1234",
    "p@ssword1234",
    "passw0rd1234",
    "password1234",
    "password12345",
    "password123!",
    "password1234!",
    "password123456",
    "password2024",
    "password2025",
    "password2026",
    "passwordpassword",
    "princess1234",
    "q1w2e3r4t5y6",
    "q1w2e3r4t5y6u7i8",
    "qazwsxedcrfv",
    "qwerty123456",
    "qwerty12345678",
    "qwerty123456789",
    "qwertyqwerty",
    "qwertyuiop12",
    "qwertyuiop123",
    "qwertyuiop[]",
    "qwertyuiopasdfghjkl",
    "qwertyuiopasdfghjklzxcvbnm",
    "sunshine1234",
    "superman1234",
    "unbelievable",
    "welcome12345",
    "welcome123456",
    "welcome2024!",
    "welcome2025!",
    "welcome2026!",
    "zaq12wsxcde3",
    "zaq1xsw2cde3",
    "zxcvbnm12345",
    "zxcvbnm123456",
    "zxcvbnmasdfghjkl",
    "zxcvbnmasdfghjklqwertyuiop",
];

/// What an attacker knows about a person.
#[derive(Clone, Copy, Debug)]
pub struct Person<'a> {
    /// Sign-in name.
    pub login: &'a str,
    /// Name for people.
    pub name: &'a str,
    /// Mail address.
    pub email: Option<&'a str>,
}

/// The rules that a new password breaks, empty when it is good; `pointer` is where it stands in the input.
///
/// Rules: `minLength`, `maxLength`, `passwordPersonal`, `passwordCommon`.
#[must_use]
pub fn violations(password: &Secret, person: &Person<'_>, pointer: &str) -> Vec<FieldError> {
    let text = password.expose();
    let length = text.chars().count();
    let lower = text.to_lowercase();
    let mut found = Vec::new();
    let mut report = |rule: &str, expected: Value, message: String| {
        found.push(FieldError { pointer: pointer.to_owned(), rule: rule.to_owned(), expected, message });
    };
    if length < MINIMUM_LENGTH {
        let message = format!("The password needs at least {MINIMUM_LENGTH} characters.");
        report("minLength", json!(MINIMUM_LENGTH), message);
    }
    if length > MAXIMUM_LENGTH {
        let message = format!("The password may have at most {MAXIMUM_LENGTH} characters.");
        report("maxLength", json!(MAXIMUM_LENGTH), message);
    }
    if is_personal(&lower, person) {
        report("passwordPersonal", Value::Null, "The password must not be made of your name or address.".to_owned());
    }
    if COMMON.contains(&lower.trim()) || is_repetition(&lower) {
        report("passwordCommon", Value::Null, "Too many people use this password: choose another.".to_owned());
    }
    found
}

/// Whether nothing is left of the password but digits, marks and one of the words (`Jane.Doe.2026!`).
fn is_personal(lower: &str, person: &Person<'_>) -> bool {
    let email = person.email.unwrap_or_default();
    let mailbox = email.split('@').next().unwrap_or_default();
    let letters = letters_of(lower);
    [person.login, person.name, email, mailbox].into_iter().any(|word| {
        let word_lower = word.to_lowercase();
        let word_letters = letters_of(&word_lower);
        (!word.is_empty() && lower == word_lower)
            || (word_letters.chars().count() >= PERSONAL_WORD_LENGTH && letters == word_letters)
    })
}

fn letters_of(text: &str) -> String {
    text.chars().filter(|c| c.is_alphabetic()).collect()
}

fn is_repetition(lower: &str) -> bool {
    let characters: Vec<char> = lower.chars().collect();
    (1..=LONGEST_REPEATED.min(characters.len().saturating_sub(1)))
        .any(|unit| characters.iter().zip(characters.iter().skip(unit)).all(|(earlier, later)| earlier == later))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JANE: Person<'_> = Person { login: "jdoe", name: "Jane Doe", email: Some("jane.m.doe@example.org") };

    fn rules(password: &str) -> Vec<String> {
        violations(&password.into(), &JANE, "/password").into_iter().map(|error| error.rule).collect()
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert_eq!(rules("nine bears"), ["minLength"]);
        assert_eq!(rules("열두글자로된비밀번호야요"), [""; 0]);
        assert_eq!(rules(&"a sentence, ".repeat(21)), [""; 0], "252 characters");
        assert_eq!(rules(&"a sentence, ".repeat(22)), ["maxLength"], "264 characters");
    }

    #[test]
    fn no_composition_is_asked_for() {
        assert_eq!(rules("seven quiet bears"), [""; 0]);
        assert_eq!(rules("83745019283746"), [""; 0]);
    }

    #[test]
    fn a_password_made_of_the_person_is_refused() {
        for password in ["Jane.Doe.2026!", "jane doe 1234", "JANE.M.DOE@example.org", "jdoe20262026", "Jane-M-Doe-99"] {
            assert_eq!(rules(password), ["passwordPersonal"], "{password}");
        }
        assert_eq!(rules("jane doe likes tea"), [""; 0]);
    }

    #[test]
    fn short_or_missing_words_about_the_person_forbid_nothing() {
        let person = Person { login: "ab", name: "", email: None };
        assert!(violations(&"1234-ab-98765".into(), &person, "").is_empty());
    }

    #[test]
    fn a_common_password_is_refused() {
        for password in ["Password1234", "qwertyuiop123", "aaaaaaaaaaaa", "abcabcabcabc", "12341234123412"] {
            assert_eq!(rules(password), ["passwordCommon"], "{password}");
        }
        assert_eq!(rules("aaaaaaaaaaab"), [""; 0]);
    }

    #[test]
    fn common_passwords_are_in_lower_case_as_they_are_compared() {
        for common in COMMON {
            assert_eq!(common.to_lowercase(), *common);
        }
    }

    #[test]
    fn an_error_stands_at_the_given_place_with_its_limit() {
        let errors = violations(&"short".into(), &JANE, "/newPassword");
        assert_eq!(errors[0].pointer, "/newPassword");
        assert_eq!(errors[0].expected, json!(12));
    }
}
