//! Settings of the connections that statements go over.

use identity::Secret;
use serde::Deserialize;

use crate::tls::TlsSettings;

/// How the way to the server is encrypted.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Encryption {
    #[default]
    Tls,
    None,
}

/// Of kind `postgresql` or `mysql`.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) database: String,
    pub(super) user: String,
    pub(super) password: Secret,
    #[serde(default)]
    pub(super) encryption: Encryption,
    #[serde(flatten)]
    pub(super) tls: TlsSettings,
}

/// Of kind `sqlite`.
#[derive(Deserialize)]
pub(super) struct File {
    pub(super) file: String,
}

/// Of every kind.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Markers {
    pub(super) marker_table: Option<String>,
}
