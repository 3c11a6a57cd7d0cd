//! An open connection to a service, by TLS or in the clear.
//!
//! The specification says nowhere which of the two. Port 443, which is also the one of a service that names none, and a
//! client certificate mean TLS and nothing else. Elsewhere the service is asked: one that answers a TLS greeting is
//! spoken to by TLS, its certificate checked, and one that does not is spoken to in the clear, but shown no credentials
//! unless it is on this machine.

use std::sync::Arc;

use futures::future::BoxFuture;
use hyper::{Request, Response, Uri, body::Incoming, client::conn::http2::SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::{body::Body, client::Grpc};
use tower::util::ServiceFn;
use url::Url;

use crate::{
    Failure,
    egress::{CONNECT_LIMIT, EgressPolicy},
    http::authentication::Credentials,
    tls::{self, TlsError},
};

/// The port of services that name none.
const TLS_PORT: u16 = 443;
/// The scheme of resources that are descriptions which a service gives of itself.
const REFLECTION_SCHEME: &str = "grpc";

/// Where a service is.
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: Option<u16>,
}

impl Target {
    /// The service that describes itself, if the address is of one.
    pub(super) fn of_reflection(address: &str) -> Option<Result<Self, Failure>> {
        let rest = address.strip_prefix(REFLECTION_SCHEME)?.strip_prefix("://")?;
        let url = Url::parse(address).ok().filter(|_| !rest.contains(['/', '?', '#', '@']));
        let target = url.and_then(|url| Some(Self { host: url.host_str()?.to_owned(), port: url.port() }));
        Some(target.ok_or_else(|| Failure::configuration(format!("“{address}” is not of the form grpc://HOST[:PORT]"))))
    }
}

/// A connection that speaks HTTP/2.
pub(super) struct Wire {
    sender: SendRequest<Body>,
    origin: Uri,
    /// Whether credentials may be shown: nobody between here and there can read them.
    pub(super) private: bool,
}

type Exchange = BoxFuture<'static, hyper::Result<Response<Incoming>>>;

impl Wire {
    /// Opens a connection. Nothing of a call has been sent when this fails.
    pub(super) async fn open(
        target: &Target,
        policy: &EgressPolicy,
        credentials: Option<&Credentials>,
    ) -> Result<Self, Failure> {
        let Target { host, port } = target;
        let port = port.unwrap_or(TLS_PORT);
        let shown = match credentials {
            Some(Credentials::Certificate(shown)) => Some((shown.certificate.as_str(), shown.key.as_str())),
            _ => None,
        };
        let mut config =
            tls::client_config_showing(None, shown).map_err(|error| Failure::configuration(error.to_string()))?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = policy.connect(host, port).await?;
        let encrypted = tokio::time::timeout(CONNECT_LIMIT, tls::encrypt(stream, host, Arc::new(config)));
        match encrypted.await {
            Ok(Ok(stream)) => Self::greet(stream, "https", host, port, true).await,
            Ok(Err(error)) if error.speaks_no_tls() && port != TLS_PORT && shown.is_none() => {
                let stream = policy.connect(host, port).await?;
                // Who is on this machine may be a proxy.
                let own = policy.proxy.is_none() && stream.peer_addr().is_ok_and(|peer| peer.ip().is_loopback());
                Self::greet(stream, "http", host, port, own).await
            }
            Ok(Err(error @ TlsError::Host(_))) => Err(Failure::configuration(error.to_string())),
            Ok(Err(error)) => Err(Failure::unreachable(format!("{host} port {port}: {error}"))),
            Err(_) => Err(Failure::unreachable(format!("{host} port {port}: no answer to the TLS greeting in time"))),
        }
    }

    async fn greet<S>(stream: S, scheme: &str, host: &str, port: u16, private: bool) -> Result<Self, Failure>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let origin = Uri::try_from(format!("{scheme}://{host}:{port}"))
            .map_err(|_| Failure::configuration(format!("“{host}” is not the name of a host")))?;
        let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .map_err(|error| Failure::unreachable(format!("{host} port {port} does not speak HTTP/2: {error}")))?;
        // It ends with the last sender. An error is also the error of what was under way.
        tokio::spawn(connection);
        Ok(Self { sender, origin, private })
    }

    /// A client over this connection.
    pub(super) fn grpc(&self) -> Grpc<ServiceFn<impl FnMut(Request<Body>) -> Exchange + Clone + Send + use<>>> {
        let sender = self.sender.clone();
        let exchange = move |request: Request<Body>| -> Exchange {
            let mut sender = sender.clone();
            Box::pin(async move { sender.send_request(request).await })
        };
        Grpc::with_origin(tower::service_fn(exchange), self.origin.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_that_describe_themselves_are_named_by_host_and_port() {
        let read = |text: &str| Target::of_reflection(text).map(|target| target.ok().map(|at| (at.host, at.port)));
        assert_eq!(read("grpc://pets.test:5011"), Some(Some(("pets.test".to_owned(), Some(5011)))));
        assert_eq!(read("grpc://pets.test"), Some(Some(("pets.test".to_owned(), None))));
        for wrong in ["grpc://", "grpc://pets.test/x", "grpc://u@pets.test", "grpc://pets.test:x"] {
            assert_eq!(read(wrong), Some(None), "{wrong}");
        }
        for other in ["https://pets.test/a.proto", "file://a.proto", "grpcs://pets.test"] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
