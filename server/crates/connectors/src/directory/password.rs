//! Generated passwords.

use identity::{Secret, random::Random};

/// Letters and digits that nobody mistakes for each other; 32 of each set's bytes are drawn evenly.
const ALPHABET: &[u8; 54] = b"ABCDEFGHJKMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789";
const GROUPS: usize = 4;
const GROUP_LENGTH: usize = 5;

/// A password of 20 letters and digits in four groups (115 bits), with upper and lower case, digits and hyphens, as
/// directories with complexity rules want it.
pub(super) fn generate(random: &dyn Random) -> Secret {
    loop {
        let groups: Vec<String> = (0..GROUPS).map(|_| (0..GROUP_LENGTH).map(|_| character(random)).collect()).collect();
        let text = groups.join("-");
        let has = |of: fn(&char) -> bool| text.chars().any(|c| of(&c));
        if has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase) && has(char::is_ascii_digit) {
            return Secret::new(text);
        }
    }
}

/// One character, each as likely as the others: bytes beyond the last whole multiple are drawn again.
fn character(random: &dyn Random) -> char {
    let fair = usize::from(u8::MAX) / ALPHABET.len() * ALPHABET.len();
    loop {
        let mut byte = [0];
        random.fill(&mut byte);
        let drawn = usize::from(byte[0]);
        if drawn < fair
            && let Some(found) = ALPHABET.get(drawn % ALPHABET.len())
        {
            return char::from(*found);
        }
    }
}

#[cfg(test)]
mod tests {
    use identity::random::OsRandom;

    use super::*;

    #[test]
    fn passwords_have_every_kind_of_character_and_differ() {
        let passwords: std::collections::HashSet<String> =
            (0..200).map(|_| generate(&OsRandom).expose().to_owned()).collect();
        assert_eq!(passwords.len(), 200);
        for text in passwords {
            assert_eq!(text.len(), 23);
            assert!(text.chars().any(|c| c.is_ascii_uppercase()), "{text}");
            assert!(text.chars().any(|c| c.is_ascii_lowercase()), "{text}");
            assert!(text.chars().any(|c| c.is_ascii_digit()), "{text}");
        }
    }
}
