//! Settings of connections of kind `imap`.

use identity::Secret;
use serde::Deserialize;

use crate::tls::TlsSettings;

/// How the way to the server is encrypted. It always is: a password is told.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Encryption {
    #[default]
    Tls,
    StartTls,
}

#[derive(Deserialize)]
pub(super) struct Settings {
    pub(super) host: String,
    port: Option<u16>,
    #[serde(default)]
    pub(super) encryption: Encryption,
    pub(super) username: String,
    pub(super) password: Secret,
    #[serde(flatten)]
    pub(super) tls: TlsSettings,
}

impl Settings {
    pub(super) fn port(&self) -> u16 {
        self.port.unwrap_or(match self.encryption {
            Encryption::Tls => 993,
            Encryption::StartTls => 143,
        })
    }
}
