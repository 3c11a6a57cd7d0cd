//! What of a configuration nobody may read: passwords, keys, communities. Texts are masked line by line, each by what it
//! stands in, so that the lines of a difference can be masked, too.

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
    "server-key",
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

/// So long may a number be that is the name of a key, and not one itself, where nothing says which of both it is.
const KEY_NAME: usize = 3;

/// A text whose secrets cannot be read.
pub(super) fn masked(text: &str, notation: Notation) -> String {
    masked_lines(text, notation).join("\n")
}

/// The lines of a text, whose secrets cannot be read.
pub(super) fn masked_lines(text: &str, notation: Notation) -> Vec<String> {
    match notation {
        Notation::Commands => {
            // What the line that begins a section says of keys in it.
            let mut keys = Keys::Unknown;
            let masked = text.lines().map(|line| {
                if !line.starts_with(char::is_whitespace) && !line.is_empty() {
                    keys = Keys::of(line);
                }
                masked_command(line, keys).unwrap_or_else(|| line.to_owned())
            });
            masked.collect()
        }
        Notation::Xml => {
            let mut open = Vec::new();
            text.lines().map(|line| masked_within(line, &mut open, xml_line, masked_leaf)).collect()
        }
        Notation::Json => {
            let mut open = Vec::new();
            text.lines().map(|line| masked_within(line, &mut open, json_line, masked_member)).collect()
        }
    }
}

/// A command by itself whose secret cannot be read.
pub(super) fn masked_line(line: &str, notation: Notation) -> String {
    masked_lines(line, notation).join("\n")
}

/// What `key` in a section is followed by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    /// The number of one, in a chain of them.
    Numbered,
    /// A secret, as of a server that signs people in.
    Secret,
    Unknown,
}

impl Keys {
    fn of(line: &str) -> Self {
        if line.starts_with("key chain") {
            Self::Numbered
        } else if ["radius", "tacacs", "aaa"].iter().any(|start| line.starts_with(start)) {
            Self::Secret
        } else {
            Self::Unknown
        }
    }
}

/// What a line does to what it stands in.
enum Structure<'a> {
    /// It begins something of this name; none: something without one.
    Opens(Option<&'a str>),
    Closes,
    Stays,
}

/// A line with all values hidden that stand in something whose name is that of a secret. `open` tells of each thing that
/// the line stands in whether that is so.
fn masked_within(
    line: &str,
    open: &mut Vec<bool>,
    structure: fn(&str) -> Structure<'_>,
    mask: fn(&str, bool) -> Option<String>,
) -> String {
    let is_inside = open.last().copied().unwrap_or_default();
    match structure(line) {
        Structure::Opens(name) => open.push(is_inside || name.is_some_and(is_secret)),
        Structure::Closes => {
            open.pop();
        }
        Structure::Stays => return mask(line, is_inside).unwrap_or_else(|| line.to_owned()),
    }
    line.to_owned()
}

fn xml_line(line: &str) -> Structure<'_> {
    let line = line.trim();
    let Some(after) = line.strip_prefix('<') else { return Structure::Stays };
    if after.starts_with('/') {
        Structure::Closes
    } else if after.starts_with(['?', '!']) || line.ends_with("/>") || after.contains('<') || !line.ends_with('>') {
        Structure::Stays
    } else {
        Structure::Opens(element(line))
    }
}

/// The name of the element that begins with a line.
fn element(line: &str) -> Option<&str> {
    let after = line.trim_start().strip_prefix('<')?;
    let name = after.split(|character: char| character.is_whitespace() || character == '>').next()?;
    name.rsplit(':').next()
}

fn json_line(line: &str) -> Structure<'_> {
    let line = line.trim();
    if line.starts_with(['}', ']']) {
        Structure::Closes
    } else if line == "{" || line == "[" {
        Structure::Opens(None)
    } else if line.ends_with("\": {") || line.ends_with("\": [") {
        Structure::Opens(line.strip_prefix('"').and_then(|line| line.split_once("\": ")).map(|(name, _)| name))
    } else {
        Structure::Stays
    }
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
fn masked_command(line: &str, keys: Keys) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let start = usize::from(words.first() == Some(&"no"));
    let said = words.get(start..).unwrap_or_default();
    let about = said.first().copied().unwrap_or_default();
    let more = if ["tacacs", "radius", "server-private"].iter().any(|start| about.starts_with(start)) {
        AAA_WORDS
    } else if about.starts_with("snmp") {
        SNMP_WORDS
    } else {
        &[]
    };
    let known = words.iter().position(|word| SECRET_WORDS.contains(word) || more.contains(word));
    let at = [known, before_secret(said, keys).map(|at| at + start)].into_iter().flatten().min()?;
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

/// Which word stands before a secret, where that is no word that always does.
fn before_secret(words: &[&str], keys: Keys) -> Option<usize> {
    match words {
        ["key", "chain", ..] => None,
        // Of a server, or the number of one in a chain.
        ["key", name] if name.bytes().all(|byte| byte.is_ascii_digit()) => {
            let is_secret = match keys {
                Keys::Numbered => false,
                Keys::Secret => true,
                Keys::Unknown => name.len() > KEY_NAME,
            };
            is_secret.then_some(0)
        }
        ["key", _, ..] => Some(0),
        ["crypto", "isakmp", "key", ..] => Some(2),
        ["snmp-server", "host", _, rest @ ..] => {
            let mut at = 2;
            let mut rest = rest;
            loop {
                (at, rest) = match rest {
                    ["vrf", _, more @ ..] => (at + 2, more),
                    ["traps" | "informs" | "trap" | "inform", more @ ..] => (at + 1, more),
                    ["version", "1" | "2c", _, ..] => return Some(at + 2),
                    ["version", ..] | [] => return None,
                    [_, ..] => return Some(at),
                }
            }
        }
        _ => None,
    }
}

fn masked_leaf(line: &str, is_inside: bool) -> Option<String> {
    let name = element(line)?;
    let (open, close) = (line.find('>')? + 1, line.rfind('<')?);
    let value = line.get(open..close).filter(|value| !value.is_empty())?;
    if !(is_inside || is_secret(name)) || value.contains('<') {
        return None;
    }
    Some(format!("{}{HIDDEN}{}", line.get(..open)?, line.get(close..)?))
}

fn masked_member(line: &str, is_inside: bool) -> Option<String> {
    let comma = if line.ends_with(',') { "," } else { "" };
    let member = line.trim_start().strip_prefix('"').and_then(|line| line.split_once("\": "));
    // An item of a list may hold what looks like a name, with its quotation marks escaped.
    let Some((name, value)) = member.filter(|(name, _)| !name.ends_with('\\')) else {
        let indent = line.len() - line.trim_start().len();
        let is_empty = line.trim().is_empty() || line.trim_start().starts_with(['{', '[']);
        return (is_inside && !is_empty).then(|| format!("{}\"{HIDDEN}\"{comma}", " ".repeat(indent)));
    };
    let opens = value.starts_with('{') || value.starts_with('[');
    if !(is_inside || is_secret(name)) || opens {
        return None;
    }
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
            (" server-private 10.0.0.1 key 7 0822455D", " server-private 10.0.0.1 key 7 ‹hidden›"),
            ("crypto isakmp key geheim address 1.2.3.4", "crypto isakmp key ‹hidden›"),
            ("crypto isakmp key 6 geheim address 1.2.3.4", "crypto isakmp key 6 ‹hidden›"),
            (" key 7 0822455D0A16", " key 7 ‹hidden›"),
            (" key geheim", " key ‹hidden›"),
            (" key 12345678", " key ‹hidden›"),
            (" client 10.0.0.1 server-key 7 0822455D", " client 10.0.0.1 server-key 7 ‹hidden›"),
            ("snmp-server host 1.2.3.4 version 2c geheim", "snmp-server host 1.2.3.4 version 2c ‹hidden›"),
            (
                "no snmp-server host 1.2.3.4 vrf m informs version 1 x bgp",
                "no snmp-server host 1.2.3.4 vrf m informs version 1 ‹hidden›",
            ),
            ("snmp-server host 1.2.3.4 traps geheim", "snmp-server host 1.2.3.4 traps ‹hidden›"),
            ("  ip ospf message-digest-key 1 md5 abc", "  ip ospf message-digest-key 1 md5 ‹hidden›"),
        ] {
            assert_eq!(masked_line(line, Notation::Commands), shown);
        }
        for plain in [
            "key chain lab",
            " key 1",
            "service password-encryption",
            "ip route 10.0.0.0/8 Null0",
            "enable secret",
            "snmp-server host 1.2.3.4 version 3 auth anna",
        ] {
            assert_eq!(masked_line(plain, Notation::Commands), plain);
        }
    }

    #[test]
    fn keys_are_told_from_their_numbers_by_their_sections() {
        let text = "key chain lab\n key 4711\n  key-string geheim\nradius server one\n key 42\ninterface lo\n key 7";
        let shown =
            "key chain lab\n key 4711\n  key-string ‹hidden›\nradius server one\n key ‹hidden›\ninterface lo\n key 7";
        assert_eq!(masked(text, Notation::Commands), shown);
    }

    #[test]
    fn leaves_inside_of_secrets_are_hidden() {
        let xml = "<a>\n  <x:shared-secret>\n    <value>tief</value>\n    <more>\n      <b>tiefer</b>\n    </more>\n    <none/>\n  \
                   </x:shared-secret>\n  <name>r1</name>\n</a>";
        let shown = masked(xml, Notation::Xml);
        assert!(!shown.contains("tief") && shown.contains("<name>r1</name>"), "{shown}");
        let value = json!({"shared-secret": {"value": "tief", "list": ["tiefer", "tief\": x", {"a": 1234}], "no": {}}, "zone": "r1"});
        let shown = masked(&serde_json::to_string_pretty(&value).unwrap(), Notation::Json);
        assert!(!shown.contains("tief") && !shown.contains("1234") && shown.contains("\"zone\": \"r1\""), "{shown}");
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
