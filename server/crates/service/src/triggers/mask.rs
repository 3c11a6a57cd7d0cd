//! Masking what looks like a secret in what others have sent.

use identity::vault::redact;
use serde_json::Value;

/// What the names of secrets have in them, in lower case and without anything but letters.
const TELLING: [&str; 9] =
    ["password", "passwd", "passphrase", "secret", "token", "authorization", "apikey", "credential", "privatekey"];
/// What stands in their place.
const MASK: &str = "•••";

/// The value with what looks like a secret masked: texts and numbers under names that say so, and sealed values of our own.
pub(super) fn masked(mut value: Value) -> Value {
    redact(&mut value);
    mask(&mut value);
    value
}

fn mask(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if is_telling(name) && (member.is_string() || member.is_number()) {
                    *member = MASK.into();
                } else {
                    mask(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        _ => {}
    }
}

fn is_telling(name: &str) -> bool {
    let letters: String = name.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_ascii_lowercase();
    TELLING.iter().any(|telling| letters.contains(telling))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_named_like_a_secret_is_masked_at_any_depth() {
        let sent =
            json!({"user": "ada", "API-Key": "x", "list": [{"db_password": 7, "tokens": ["kept"], "token": null}]});
        let shown =
            json!({"user": "ada", "API-Key": MASK, "list": [{"db_password": MASK, "tokens": ["kept"], "token": null}]});
        assert_eq!(masked(sent), shown);
    }
}
