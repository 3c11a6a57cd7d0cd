//! Settings of connections of kind `nats`.

use identity::Secret;
use serde::Deserialize;

use super::subject;
use crate::{Failure, tls::TlsSettings};

/// How the way to the server is encrypted.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Encryption {
    #[default]
    Tls,
    None,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Settings {
    pub(super) host: String,
    #[serde(default = "registered")]
    pub(super) port: u16,
    #[serde(default)]
    pub(super) encryption: Encryption,
    pub(super) username: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) token: Option<Secret>,
    #[serde(default)]
    subjects: Vec<String>,
    #[serde(default = "inboxes")]
    pub(super) inbox_prefix: String,
    #[serde(flatten)]
    pub(super) tls: TlsSettings,
}

fn registered() -> u16 {
    4222
}

fn inboxes() -> String {
    "_INBOX".to_owned()
}

impl Settings {
    /// Whether workflows may send on this subject.
    pub(super) fn permit(&self, subject: &str) -> Result<(), Failure> {
        if self.subjects.is_empty() || self.subjects.iter().any(|pattern| subject::covers(pattern, subject)) {
            return Ok(());
        }
        Err(Failure::configuration(format!(
            "the connection is not for the subject {subject}; an administrator can add it to the connection's subjects"
        )))
    }
}
