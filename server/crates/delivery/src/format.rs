//! The forms in which entries and checkpoints are written. All pure.

mod cloudevents;
mod ocsf;
pub(crate) mod syslog;

use std::str::FromStr;

use serde_json::Value;
use store::audit::{AuditCheckpoint, AuditRow};

use crate::Parcel;

/// A form in which entries and checkpoints are written: one JSON text each, without a line feed in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The body as it was hashed, what stands beside it, its hash, and the name of the log.
    Rondo,
    /// `CloudEvents` 1.0, structured.
    CloudEvents,
    /// OCSF 1.3.0.
    Ocsf,
}

/// The text names no format.
#[derive(Debug, thiserror::Error)]
#[error("a format is rondo, cloudevents or ocsf")]
pub struct UnknownFormat;

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        [Self::Rondo, Self::CloudEvents, Self::Ocsf].into_iter().find(|one| one.as_str() == text).ok_or(UnknownFormat)
    }
}

impl Format {
    /// Its name in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rondo => "rondo",
            Self::CloudEvents => "cloudevents",
            Self::Ocsf => "ocsf",
        }
    }

    /// An entry of the log of this name.
    #[must_use]
    pub fn entry(self, log: &str, row: &AuditRow) -> String {
        match self {
            Self::Rondo => {
                // As in an export, where the hashed bytes stand as they are.
                let line = ledger::export::line(&row.body, row.personal.as_deref());
                let members = line.trim_end().strip_prefix('{').unwrap_or("}");
                format!("{{\"log\":{},{members}", Value::from(log))
            }
            Self::CloudEvents => cloudevents::entry(log, row).to_string(),
            Self::Ocsf => ocsf::entry(log, row).to_string(),
        }
    }

    /// A checkpoint of the log of this name.
    #[must_use]
    pub fn checkpoint(self, log: &str, checkpoint: &AuditCheckpoint) -> String {
        match self {
            Self::Rondo => serde_json::json!({"log": log, "checkpoint": checkpoint.note}).to_string(),
            Self::CloudEvents => cloudevents::checkpoint(log, checkpoint).to_string(),
            Self::Ocsf => ocsf::checkpoint(log, checkpoint).to_string(),
        }
    }

    /// All of a parcel.
    #[must_use]
    pub fn write(self, log: &str, parcel: &Parcel) -> Vec<String> {
        match parcel {
            Parcel::Entries(rows) => rows.iter().map(|row| self.entry(log, row)).collect(),
            Parcel::Checkpoints(all) => all.iter().map(|one| self.checkpoint(log, one)).collect(),
        }
    }

    /// All of a parcel as JSON Lines.
    #[must_use]
    pub fn lines(self, log: &str, parcel: &Parcel) -> String {
        self.write(log, parcel).into_iter().fold(String::new(), |text, line| text + &line + "\n")
    }
}

/// The body of an entry; null where what is stored is none.
fn body(row: &AuditRow) -> Value {
    serde_json::from_str(&row.body).unwrap_or_default()
}

/// What stands beside it; none where nothing does.
fn personal(row: &AuditRow) -> Option<Value> {
    serde_json::from_str(row.personal.as_deref()?).ok()
}

/// The entry as it is shown.
fn shown(row: &AuditRow) -> Value {
    let mut body = body(row);
    if let Some(Ok(beside)) = row.personal.as_deref().map(ledger::personal::read) {
        ledger::personal::put_back(&mut body, &beside);
    }
    body
}

/// The hash of an entry, as it stands in an export.
fn hash(row: &AuditRow) -> String {
    ledger::tree::text(&ledger::tree::leaf(row.body.as_bytes()))
}

#[cfg(test)]
mod tests;
