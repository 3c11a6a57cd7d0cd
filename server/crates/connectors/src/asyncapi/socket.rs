//! Opening a connection to a server, in the clear or by TLS, as its protocol says.

use std::sync::Arc;

use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

use crate::{
    Failure,
    egress::{CONNECT_LIMIT, EgressPolicy},
    http::authentication::Credentials,
    tls,
};

/// A connection, whatever is around it.
pub(super) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// Opens a connection. Nothing has been sent over it when this fails.
pub(super) async fn open(
    policy: &EgressPolicy,
    host: &str,
    port: u16,
    encrypted: bool,
    credentials: Option<&Credentials>,
) -> Result<Box<dyn Socket>, Failure> {
    let stream = policy.connect(host, port).await?;
    if !encrypted {
        return Ok(Box::new(stream));
    }
    let shown = match credentials {
        Some(Credentials::Certificate(shown)) => Some((shown.certificate.as_str(), shown.key.as_str())),
        _ => None,
    };
    let config = tls::client_config_showing(None, shown).map_err(|error| Failure::configuration(error.to_string()))?;
    let unreachable = |detail: &str| Failure::unreachable(format!("{host} port {port}: {detail}"));
    match timeout(CONNECT_LIMIT, tls::encrypt(stream, host, Arc::new(config))).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(error)) => Err(unreachable(&error.to_string())),
        Err(_) => Err(unreachable("no answer to the TLS greeting in time")),
    }
}
