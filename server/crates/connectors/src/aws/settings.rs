//! Settings of connections of kind `aws`.

use identity::Secret;
use serde::Deserialize;
use url::Url;

use crate::tls::TlsSettings;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Settings {
    pub(super) region: String,
    pub(super) access_key: String,
    pub(super) secret_key: Secret,
    pub(super) session_token: Option<Secret>,
    pub(super) role: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) endpoint: Option<Url>,
    #[serde(flatten)]
    pub(super) tls: TlsSettings,
}
