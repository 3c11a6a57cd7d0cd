//! Settings of connections of kind `docker`.

use std::path::{Path, PathBuf};

use base64::{Engine as _, engine::general_purpose::URL_SAFE};
use identity::Secret;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::{Failure, http::plain::is_unread, tls::TlsSettings};

/// How addresses of sockets begin.
const SOCKET: &str = "unix://";
/// Requests over a socket need a host, and nobody looks at it.
const OVER_SOCKET: &str = "http://docker/";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    address: String,
    registry: Option<String>,
    registry_user: Option<String>,
    registry_password: Option<Secret>,
    #[serde(flatten)]
    tls: TlsSettings,
}

/// An engine, and the way to it.
pub(super) struct Settings {
    /// What the paths of requests are put behind.
    pub(super) base: Url,
    /// The socket that leads there, if it is on this machine.
    pub(super) socket: Option<PathBuf>,
    pub(super) tls: TlsSettings,
    registry: Option<Registry>,
}

/// Where images come from, and who fetches them.
struct Registry {
    host: String,
    user: String,
    password: Secret,
}

impl Settings {
    /// The settings of a connection, if the server lets it be reached. Whoever reaches an engine can do everything on its
    /// machine: so it is reached encrypted, or on this machine, and there by the sockets that the configuration names.
    pub(super) fn read(connection: &crate::ResolvedConnection, sockets: &[PathBuf]) -> Result<Self, Failure> {
        let stored: Stored = connection.settings()?;
        let (base, socket) = match stored.address.strip_prefix(SOCKET) {
            Some(path) => (parsed(OVER_SOCKET)?, Some(permitted(Path::new(path), sockets)?)),
            None => (reachable(parsed(&stored.address)?)?, None),
        };
        let registry = match (stored.registry, stored.registry_user, stored.registry_password) {
            (Some(host), Some(user), Some(password)) => Some(Registry { host, user, password }),
            (None, None, None) => None,
            _ => {
                return Err(Failure::configuration(
                    "registry, its user and its password belong together; enter all three, or none",
                ));
            }
        };
        Ok(Self { base, socket, tls: stored.tls, registry })
    }

    /// The host on which published ports are.
    pub(super) fn host(&self) -> String {
        if self.socket.is_some() { "127.0.0.1".to_owned() } else { self.base.host_str().unwrap_or_default().to_owned() }
    }

    /// What is shown for this image to the registry that it comes from, as the engine takes it.
    pub(super) fn registry_login(&self, image: &str) -> Option<String> {
        let registry = self
            .registry
            .as_ref()
            .filter(|registry| image.strip_prefix(registry.host.as_str()).is_some_and(|rest| rest.starts_with('/')))?;
        let login = json!({
            "username": registry.user, "password": registry.password.expose(), "serveraddress": registry.host,
        });
        Some(URL_SAFE.encode(login.to_string()))
    }

    /// What must not be shown, should the other side repeat it.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.registry.iter().map(|registry| registry.password.expose())
    }
}

fn parsed(address: &str) -> Result<Url, Failure> {
    Url::parse(address).map_err(|_| {
        Failure::configuration(
            "the address is none; write it like https://host:2376, or unix:///run/podman/podman.sock",
        )
    })
}

fn reachable(url: Url) -> Result<Url, Failure> {
    if is_unread(&url) {
        return Ok(url);
    }
    Err(Failure::configuration(
        "without encryption everybody on the way could do everything on that machine; use https:// with a client \
         certificate, or an engine on the server's own machine",
    ))
}

fn permitted(path: &Path, sockets: &[PathBuf]) -> Result<PathBuf, Failure> {
    match sockets.iter().find(|one| one.as_path() == path) {
        Some(known) => Ok(known.clone()),
        None => Err(Failure::configuration(format!(
            "the server's configuration does not permit the socket {}; whoever administers the server can name it in \
             container.sockets",
            path.display()
        ))),
    }
}
