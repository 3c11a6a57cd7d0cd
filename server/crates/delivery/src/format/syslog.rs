//! RFC 5424 messages, framed by counting octets (RFC 6587, section 3.4.1, and RFC 5425).

use domain::Timestamp;
use store::audit::{AuditCheckpoint, AuditRow};

use super::Format;
use crate::Parcel;

/// "log audit".
const FACILITY: u8 = 13;
/// Stands before a message that is not plain ASCII.
const BOM: &str = "\u{feff}";
/// What a message identifier, a host name may hold at most.
const LONGEST_MSGID: usize = 32;
const LONGEST_HOST: usize = 255;

const ERROR: u8 = 3;
const WARNING: u8 = 4;
const NOTICE: u8 = 5;
const INFORMATIONAL: u8 = 6;

/// Who sends, and how.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    pub(crate) host: String,
    pub(crate) format: Format,
    /// The private enterprise number of the structured data, if there is one.
    pub(crate) enterprise: Option<u32>,
}

impl Sender {
    /// The frames of all of a parcel.
    pub(crate) fn frames(&self, log: &str, parcel: &Parcel) -> Vec<u8> {
        let mut frames = Vec::new();
        let mut push = |message: String| {
            frames.extend_from_slice(format!("{} ", message.len()).as_bytes());
            frames.extend_from_slice(message.as_bytes());
        };
        match parcel {
            Parcel::Entries(rows) => rows.iter().for_each(|row| push(self.entry(log, row))),
            Parcel::Checkpoints(all) => all.iter().for_each(|one| push(self.checkpoint(log, one))),
        }
        frames
    }

    fn entry(&self, log: &str, row: &AuditRow) -> String {
        let severity = match row.outcome.as_str() {
            "done" => INFORMATIONAL,
            "refused" => WARNING,
            _ => ERROR,
        };
        let seq = row.seq.to_string();
        let hash = super::hash(row);
        let told = [
            ("log", log),
            ("seq", &seq),
            ("hash", &hash),
            ("action", &row.action),
            ("actor", &row.actor),
            ("outcome", &row.outcome),
        ];
        self.message(severity, row.at, &row.action, &told, &self.format.entry(log, row))
    }

    fn checkpoint(&self, log: &str, checkpoint: &AuditCheckpoint) -> String {
        let size = checkpoint.size.to_string();
        let told = [("log", log), ("size", size.as_str())];
        self.message(NOTICE, checkpoint.at, "checkpoint", &told, &self.format.checkpoint(log, checkpoint))
    }

    fn message(&self, severity: u8, at: Timestamp, id: &str, told: &[(&str, &str)], text: &str) -> String {
        let priority = FACILITY * 8 + severity;
        let host = word(&self.host, LONGEST_HOST);
        let id = word(id, LONGEST_MSGID);
        let origin = format!("[origin software=\"Rondo\" swVersion=\"{}\"]", env!("CARGO_PKG_VERSION"));
        let own = self.enterprise.map(|number| {
            let told: Vec<_> = told.iter().map(|(name, value)| format!(" {name}=\"{}\"", quoted(value))).collect();
            let told = told.concat();
            format!("[rondo@{number}{told}]")
        });
        let data = origin + &own.unwrap_or_default();
        let bom = if text.is_ascii() { "" } else { BOM };
        format!("<{priority}>1 {at} {host} rondo - {id} {data} {bom}{text}")
    }
}

/// A field of the header: printable ASCII without spaces, so long at most; the nil value where nothing is left.
fn word(text: &str, longest: usize) -> String {
    let word: String = text.chars().filter(char::is_ascii_graphic).take(longest).collect();
    if word.is_empty() { "-".to_owned() } else { word }
}

/// The value of a parameter of structured data.
fn quoted(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len());
    for character in value.chars() {
        if matches!(character, '"' | '\\' | ']') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted
}
