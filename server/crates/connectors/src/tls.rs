//! Encryption towards other systems: rustls with ring, certificates of the system or of the connection.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use identity::Secret;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Why encryption could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The connection's CA is no PEM text with certificates.
    #[error("the CA is not a PEM text with at least one certificate")]
    Authority,
    /// The client's certificate or key is no PEM text, or the two do not belong together.
    #[error("the client certificate and its key are not two PEM texts that belong together")]
    ClientCertificate,
    /// The host is neither a DNS name nor an address.
    #[error("{0} is not a name that a certificate can be issued for")]
    Host(String),
    /// The library refused its own configuration.
    #[error("encryption cannot be configured")]
    Configuration(#[source] rustls::Error),
    /// The handshake failed: what the peer sent is not trusted, or not TLS.
    #[error("{}", reason(.0))]
    Handshake(io::Error),
}

impl TlsError {
    /// Whether the other side answered as one that knows nothing of TLS: with something else, or by hanging up.
    #[must_use]
    pub fn speaks_no_tls(&self) -> bool {
        let Self::Handshake(error) = self else { return false };
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(error) => matches!(error, rustls::Error::InvalidMessage(_)),
            None => matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
            ),
        }
    }
}

/// What a connection says of encryption: the settings that every kind has which encrypts ([`with_settings`]).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TlsSettings {
    ca: Option<String>,
    client_certificate: Option<String>,
    client_key: Option<Secret>,
}

impl TlsSettings {
    /// Whom alone it trusts (PEM); without, whom the system trusts.
    #[must_use]
    pub fn authority(&self) -> Option<&str> {
        self.ca.as_deref()
    }

    /// The certificate that it shows where it is asked for one, and the key of that, both in PEM.
    #[must_use]
    pub fn shown(&self) -> Option<(&str, &str)> {
        Some((self.client_certificate.as_deref()?, self.client_key.as_ref()?.expose()))
    }

    /// The certificate that it shows, without those between it and a root; none if it shows none.
    #[cfg(feature = "smtp")]
    pub(crate) fn leaf(&self) -> Option<CertificateDer<'static>> {
        let (chain, _) = self.shown()?;
        CertificateDer::pem_slice_iter(chain.as_bytes()).next()?.ok()
    }

    /// The configuration of a client of this connection.
    pub fn config(&self) -> Result<ClientConfig, TlsError> {
        client_config_showing(self.authority(), self.shown())
    }
}

/// The schema of a kind's settings with those of encryption.
#[must_use]
pub fn with_settings(mut schema: Value) -> Value {
    let more = json!({
        "ca": {
            "type": "string", "contentMediaType": "text/plain", "title": "CA certificate",
            "description": "PEM. If given, only certificates that it issued are trusted."
        },
        "clientCertificate": {
            "type": "string", "contentMediaType": "text/plain", "title": "Client certificate",
            "description": "PEM, with those between it and a root. Shown to a system that asks for one."
        },
        "clientKey": {
            "type": "string", "contentMediaType": "text/plain", "title": "Key of the client certificate",
            "description": "PEM.", "writeOnly": true
        }
    });
    if let (Some(Value::Object(properties)), Value::Object(more)) = (schema.get_mut("properties"), more) {
        properties.extend(more);
    }
    if let Some(keywords) = schema.as_object_mut()
        && let Value::Object(required) = keywords.entry("dependentRequired").or_insert_with(|| json!({}))
    {
        required.insert("clientCertificate".to_owned(), json!(["clientKey"]));
    }
    schema
}

/// The configuration of a client that trusts the given CA (PEM, one or more certificates) and nobody else, or, without
/// one, whom the system trusts.
pub fn client_config(authority: Option<&str>) -> Result<ClientConfig, TlsError> {
    client_config_showing(authority, None)
}

/// The same for a client that shows a certificate of its own (the chain and its key, both PEM) where it is asked for one.
pub fn client_config_showing(authority: Option<&str>, shown: Option<(&str, &str)>) -> Result<ClientConfig, TlsError> {
    let roots = match authority {
        Some(pem) => authorities(pem)?,
        None => system_roots().clone(),
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Configuration)?
        .with_root_certificates(roots);
    let Some((chain, key)) = shown else { return Ok(builder.with_no_client_auth()) };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| TlsError::ClientCertificate)?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| TlsError::ClientCertificate)?;
    builder.with_client_auth_cert(chain, key).map_err(|_| TlsError::ClientCertificate)
}

fn authorities(pem: &str) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|_| TlsError::Authority)?;
        roots.add(certificate).map_err(|_| TlsError::Authority)?;
    }
    if roots.is_empty() { Err(TlsError::Authority) } else { Ok(roots) }
}

/// Read once: it costs tens of milliseconds.
fn system_roots() -> &'static RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(%error, "a certificate of the system cannot be read");
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        roots
    })
}

/// Whom the system trusts, for a library that wants certificates and not a configuration: PEM. Read once.
#[cfg(feature = "sql")]
pub(crate) fn system_certificates() -> &'static [u8] {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    static PEM: OnceLock<Vec<u8>> = OnceLock::new();
    PEM.get_or_init(|| {
        let found = rustls_native_certs::load_native_certs().certs;
        let written = found.iter().map(|certificate| {
            format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(certificate))
        });
        written.collect::<String>().into_bytes()
    })
}

/// Encrypts a connection. The peer's certificate must be issued for `host`.
pub async fn encrypt(
    stream: TcpStream,
    host: &str,
    config: Arc<ClientConfig>,
) -> Result<TlsStream<TcpStream>, TlsError> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(bare.to_owned()).map_err(|_| TlsError::Host(host.to_owned()))?;
    TlsConnector::from(config).connect(name, stream).await.map_err(TlsError::Handshake)
}

/// The reason of a failed handshake in words that say what to do.
fn reason(error: &io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(error) => explain(error),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the other side closed the connection during the handshake".to_owned()
        }
        None => format!("the handshake failed: {error}"),
    }
}

/// A rustls error in words that say what to do.
#[must_use]
pub fn explain(error: &rustls::Error) -> String {
    use rustls::{CertificateError, Error};
    match error {
        Error::InvalidCertificate(certificate) => match certificate {
            CertificateError::UnknownIssuer => {
                "the certificate was issued by nobody who is trusted here; enter the CA that issued it".to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the certificate is for another name; use the name that it was issued for".to_owned()
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the certificate has expired".to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the certificate is not valid yet; compare the clocks".to_owned()
            }
            other => format!("the certificate is not accepted: {other}"),
        },
        Error::InvalidMessage(_) => "the other side does not speak TLS on this port".to_owned(),
        other => format!("the handshake failed: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_must_hold_a_certificate() {
        for bad in ["", "text", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert!(matches!(client_config(Some(bad)), Err(TlsError::Authority)), "{bad}");
        }
        assert!(client_config(None).is_ok());
    }
}
