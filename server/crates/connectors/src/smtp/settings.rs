//! Settings of the connections that mail goes over.

use identity::Secret;
use lettre::message::Mailbox;
use serde::{Deserialize, Deserializer, de};

use crate::tls::TlsSettings;

/// How the way to the server is encrypted.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Encryption {
    #[default]
    StartTls,
    Tls,
    None,
}

/// Of kind `smtp`.
#[derive(Deserialize)]
pub(super) struct ServerSettings {
    pub(super) host: String,
    port: Option<u16>,
    #[serde(default)]
    pub(super) encryption: Encryption,
    #[serde(flatten)]
    pub(super) tls: TlsSettings,
    pub(super) username: Option<String>,
    pub(super) password: Option<Secret>,
    #[serde(deserialize_with = "mailbox")]
    pub(super) from: Mailbox,
}

impl ServerSettings {
    pub(super) fn port(&self) -> u16 {
        self.port.unwrap_or(match self.encryption {
            Encryption::StartTls => 587,
            Encryption::Tls => 465,
            Encryption::None => 25,
        })
    }
}

/// Of kind `file`.
#[derive(Deserialize)]
pub(super) struct FileSettings {
    #[serde(deserialize_with = "mailbox")]
    pub(super) from: Mailbox,
}

fn mailbox<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Mailbox, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}
