//! What of a configuration nobody may read: passwords, keys, communities. Text and XML are masked line by line, so that
//! the lines of a difference can be masked, too.

use serde_json::Value;

/// What stands in the place of a secret.
const HIDDEN: &str = "‹hidden›";

/// What the name of a leaf holds whose value is secret.
const SECRET_NAMES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "community",
    "private-key",
    "privatekey",
    "pre-shared-key",
    "key-string",
    "cleartext-key",
    "authentication-key",
    "encryption-key",
    "psk",
];

/// Words of a command line after which a secret comes.
const SECRET_WORDS: &[&str] = &[
    "password",
    "encrypted-password",
    "secret",
    "community",
    "passphrase",
    "pre-shared-key",
    "key-string",
    "authentication-key",
    "cleartext-key",
    "ascii-text",
    "psk",
    "wpa-psk",
    "md5",
];

/// Such words in what is said of AAA servers, and of SNMP, only.
const AAA_WORDS: &[&str] = &["key"];
const SNMP_WORDS: &[&str] = &["sha", "aes", "des", "3des", "priv"];

/// How the lines of a configuration are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notation {
    /// Commands.
    Commands,
    /// XML with a leaf on each line.
    Xml,
    /// JSON with a member on each line.
    Json,
}

/// A text whose secrets cannot be read.
pub(super) fn masked(text: &str, notation: Notation) -> String {
    let lines: Vec<String> = text.lines().map(|line| masked_line(line, notation)).collect();
    lines.join("\n")
}

/// A line whose secret cannot be read.
pub(super) fn masked_line(line: &str, notation: Notation) -> String {
    let masked = match notation {
        Notation::Commands => masked_command(line),
        Notation::Xml => masked_leaf(line),
        Notation::Json => masked_member(line),
    };
    masked.unwrap_or_else(|| line.to_owned())
}

/// Whether the value of a leaf of this name is secret.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('_', "-");
    SECRET_NAMES.iter().any(|secret| name.contains(secret))
}

/// The same value without what is secret in it.
pub(super) fn masked_value(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| {
                let hidden = is_secret(name) && !member.is_null();
                (name.clone(), if hidden { hide(member) } else { masked_value(member) })
            })
            .collect(),
        Value::Array(items) => items.iter().map(masked_value).collect(),
        other => other.clone(),
    }
}

/// Every value within hidden.
fn hide(value: &Value) -> Value {
    match value {
        Value::Object(members) => members.iter().map(|(name, member)| (name.clone(), hide(member))).collect(),
        Value::Array(items) => items.iter().map(hide).collect(),
        _ => Value::String(HIDDEN.to_owned()),
    }
}

/// Everything that comes after the word, but for the digit that says how it is encrypted: a secret may have spaces in
/// it.
fn masked_command(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let about = words.iter().find(|word| **word != "no").copied().unwrap_or_default();
    let more = if about.starts_with("tacacs") || about.starts_with("radius") {
        AAA_WORDS
    } else if about.starts_with("snmp") {
        SNMP_WORDS
    } else {
        &[]
    };
    let at = words.iter().position(|word| SECRET_WORDS.contains(word) || more.contains(word))?;
    let rest = words.get(at + 1..)?;
    let kind =
        rest.first().filter(|word| rest.len() > 1 && word.len() == 1 && word.starts_with(|c: char| c.is_ascii_digit()));
    if rest.is_empty() {
        return None;
    }
    let indent: String = line.chars().take_while(|character| character.is_whitespace()).collect();
    let kept = words.iter().take(at + 1).chain(kind).copied().collect::<Vec<_>>().join(" ");
    Some(format!("{indent}{kept} {HIDDEN}"))
}

fn masked_leaf(line: &str) -> Option<String> {
    let after = line.trim_start().strip_prefix('<')?;
    let name = after.split(|character: char| character.is_whitespace() || character == '>').next()?;
    let name = name.rsplit(':').next()?;
    let (open, close) = (line.find('>')? + 1, line.rfind('<')?);
    let value = line.get(open..close).filter(|value| !value.is_empty())?;
    if !is_secret(name) || value.contains('<') {
        return None;
    }
    Some(format!("{}{HIDDEN}{}", line.get(..open)?, line.get(close..)?))
}

fn masked_member(line: &str) -> Option<String> {
    let (name, value) = line.trim_start().strip_prefix('"')?.split_once("\": ")?;
    let opens = value.starts_with('{') || value.starts_with('[');
    if !is_secret(name) || opens {
        return None;
    }
    let comma = if value.ends_with(',') { "," } else { "" };
    let start = line.find("\": ")? + 3;
    Some(format!("{}\"{HIDDEN}\"{comma}", line.get(..start)?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_of_commands_are_hidden_with_all_that_follows() {
        for (line, shown) in [
            (" neighbor 10.0.0.1 password geheim", " neighbor 10.0.0.1 password ‹hidden›"),
            ("enable secret 5 $1$abc$def", "enable secret 5 ‹hidden›"),
            ("username a password 7 \"two words\"", "username a password 7 ‹hidden›"),
            ("snmp-server community public RO", "snmp-server community ‹hidden›"),
            ("snmp-server user a g v3 auth sha one priv aes 128 two", "snmp-server user a g v3 auth sha ‹hidden›"),
            ("no tacacs-server host 1.2.3.4 key abc", "no tacacs-server host 1.2.3.4 key ‹hidden›"),
            ("  ip ospf message-digest-key 1 md5 abc", "  ip ospf message-digest-key 1 md5 ‹hidden›"),
        ] {
            assert_eq!(masked_line(line, Notation::Commands), shown);
        }
        for plain in
            ["key chain lab", " key 1", "service password-encryption", "ip route 10.0.0.0/8 Null0", "enable secret"]
        {
            assert_eq!(masked_line(plain, Notation::Commands), plain);
        }
    }

    #[test]
    fn secrets_of_leaves_and_members_are_hidden_by_their_names() {
        let xml = "<user>\n  <name>a</name>\n  <x:password xmlns:x=\"urn:x\">geheim</x:password>\n</user>";
        let shown = masked(xml, Notation::Xml);
        assert!(shown.contains("<name>a</name>") && shown.contains(">‹hidden›</x:password>"), "{shown}");
        let value = json!({"user": [{"name": "a", "password": "geheim", "shared_secret": {"value": "tief"}}]});
        let text = serde_json::to_string_pretty(&value).unwrap();
        assert!(!masked(&text, Notation::Json).contains("geheim"));
        let hidden = masked_value(&value);
        assert_eq!(hidden["user"][0]["name"], "a");
        assert!(!hidden.to_string().contains("geheim") && !hidden.to_string().contains("tief"), "{hidden}");
    }
}
