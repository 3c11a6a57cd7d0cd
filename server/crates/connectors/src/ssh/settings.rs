//! Settings of a connection of kind `ssh`: which hosts, whose keys, whose sign-in.

use std::sync::Arc;

use identity::Secret;
use russh::keys::{Algorithm, HashAlg, PrivateKey, PublicKey, decode_secret_key};
use serde::Deserialize;

use crate::{Failure, ResolvedConnection};

const DEFAULT_PORT: u16 = 22;
/// Below the home of the account that signs in.
const DEFAULT_MARKERS: &str = ".rondo/calls";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    host: String,
    port: Option<u16>,
    host_keys: Vec<String>,
    #[serde(default)]
    hosts: Vec<String>,
    user: String,
    password: Option<Secret>,
    private_key: Option<Secret>,
    passphrase: Option<Secret>,
    jump_host: Option<String>,
    jump_port: Option<u16>,
    #[serde(default)]
    jump_host_keys: Vec<String>,
    jump_user: Option<String>,
    jump_password: Option<Secret>,
    jump_private_key: Option<Secret>,
    jump_passphrase: Option<Secret>,
    markers: Option<String>,
}

/// What a call needs to get in.
pub(crate) struct Access {
    /// The first is the one that calls go to which name none.
    hosts: Vec<Host>,
    pub(crate) login: Login,
    pub(crate) jump: Option<Jump>,
    /// The folder on the host that remembers which calls were made.
    pub(crate) markers: String,
}

/// The host between.
pub(crate) struct Jump {
    pub(crate) host: Host,
    pub(crate) login: Login,
}

/// A host that can be reached.
#[derive(Clone)]
pub(crate) struct Host {
    /// As calls name it.
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) port: u16,
    pub(crate) pins: Vec<Pin>,
}

impl Host {
    /// Reads `NAME [ADDRESS[:PORT]] KEY`.
    fn read(line: &str, usual: u16) -> Result<Self, Failure> {
        let wrong = || {
            Failure::configuration(format!(
                "“{line}” is not a host: a line has its name, its address with port where that is another, and its key \
                 (web2 10.0.0.2:2222 SHA256:…)"
            ))
        };
        let is_key = |word: &str| ["SHA256:", "ssh-", "ecdsa-", "sk-"].iter().any(|start| word.starts_with(start));
        let (name, rest) = line.trim().split_once(char::is_whitespace).ok_or_else(wrong)?;
        let rest = rest.trim_start();
        let (place, key) = match rest.split_once(char::is_whitespace) {
            _ if is_key(rest) => (name, rest),
            Some((place, key)) if is_key(key.trim_start()) => (place, key),
            _ => return Err(wrong()),
        };
        // What stands in brackets is an IPv6 address, whose colons are not before a port.
        let (address, port) = match place.rsplit_once(':') {
            Some((address, port)) if !address.contains(':') || address.ends_with(']') => {
                (address, port.parse().map_err(|_| wrong())?)
            }
            _ => (place, usual),
        };
        let address = address.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { name: name.to_owned(), address, port, pins: vec![Pin::read(key)?] })
    }
}

/// Who signs in.
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: Option<Secret>,
    pub(crate) key: Option<Arc<PrivateKey>>,
}

/// A host key that is trusted.
#[derive(Clone)]
pub(crate) enum Pin {
    Fingerprint(String),
    Key(PublicKey),
}

impl Pin {
    fn read(text: &str) -> Result<Self, Failure> {
        let text = text.trim();
        if text.starts_with("SHA256:") {
            return Ok(Self::Fingerprint(text.to_owned()));
        }
        // A line of `known_hosts` has the names of the host before the key.
        let without_names = text.split_once(' ').map(|(_, key)| key.trim());
        let key = PublicKey::from_openssh(text)
            .or_else(|error| without_names.map_or(Err(error), PublicKey::from_openssh))
            .map_err(|_| {
                Failure::configuration(
                    "a host key is neither a fingerprint (SHA256:…) nor a line such as “ssh-ed25519 AAAA…”, which \
                     `ssh-keyscan HOST` prints",
                )
            })?;
        served(&key.algorithm(), "enter the host's key of kind ed25519 or ecdsa")?;
        Ok(Self::Key(key))
    }

    /// Of what kind the key is, where that is known.
    pub(crate) fn kind(&self) -> Option<Algorithm> {
        match self {
            Self::Fingerprint(_) => None,
            Self::Key(key) => Some(key.algorithm()),
        }
    }

    pub(crate) fn is(&self, key: &PublicKey) -> bool {
        match self {
            Self::Fingerprint(pinned) => *pinned == key.fingerprint(HashAlg::Sha256).to_string(),
            Self::Key(pinned) => pinned.key_data() == key.key_data(),
        }
    }

    fn read_all(texts: &[String]) -> Result<Vec<Self>, Failure> {
        texts.iter().map(|text| Self::read(text)).collect()
    }
}

impl Login {
    fn read(
        user: String,
        password: Option<Secret>,
        key: Option<&Secret>,
        passphrase: Option<&Secret>,
    ) -> Result<Self, Failure> {
        let key = key.map(|key| private_key(key, passphrase)).transpose()?.map(Arc::new);
        if key.is_none() && password.is_none() {
            return Err(Failure::configuration(format!("{user} has neither a password nor a private key; enter one")));
        }
        Ok(Self { user, password, key })
    }
}

fn private_key(text: &Secret, passphrase: Option<&Secret>) -> Result<PrivateKey, Failure> {
    // What the library says may quote the key.
    let key = decode_secret_key(&with_lines(text.expose()), passphrase.map(Secret::expose)).map_err(|_| {
        Failure::configuration(if passphrase.is_some() {
            "the private key cannot be opened: it is no Ed25519 or ECDSA key in OpenSSH's or PEM form, or the passphrase \
             is wrong"
        } else {
            "the private key cannot be read: it is no Ed25519 or ECDSA key in OpenSSH's or PEM form, or it needs a \
             passphrase"
        })
    })?;
    served(&key.algorithm(), "make another by `ssh-keygen -t ed25519`")?;
    Ok(key)
}

fn served(kind: &Algorithm, remedy: &str) -> Result<(), Failure> {
    match kind {
        Algorithm::Ed25519 | Algorithm::Ecdsa { .. } => Ok(()),
        other => Err(Failure::configuration(format!("keys of kind {other} are not served; {remedy}"))),
    }
}

/// A key as its lines: a field of one line takes the ends of lines out of what is pasted.
fn with_lines(text: &str) -> String {
    let text = text.trim();
    let parts = || {
        let (label, rest) = text.strip_prefix("-----BEGIN ")?.split_once("-----")?;
        let (body, _) = rest.split_once("-----END ")?;
        let body: Vec<char> = body.chars().filter(|character| !character.is_whitespace()).collect();
        let lines: Vec<String> = body.chunks(64).map(|line| line.iter().collect()).collect();
        Some(format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n")))
    };
    // Old forms have headers, which end with a line of their own.
    if text.contains('\n') { format!("{text}\n") } else { parts().unwrap_or_else(|| text.to_owned()) }
}

impl Access {
    pub(crate) fn read(connection: &ResolvedConnection) -> Result<Self, Failure> {
        Self::at(connection, DEFAULT_PORT)
    }

    /// The same for what usually listens on another port.
    pub(crate) fn at(connection: &ResolvedConnection, usual: u16) -> Result<Self, Failure> {
        let stored = connection.settings::<Stored>()?;
        let first = Host {
            name: stored.host.clone(),
            address: stored.host,
            port: stored.port.unwrap_or(usual),
            pins: Pin::read_all(&stored.host_keys)?,
        };
        let mut hosts = vec![first];
        for line in &stored.hosts {
            let listed = Host::read(line, usual)?;
            match hosts.iter_mut().find(|host| host.name == listed.name) {
                Some(known) if (&known.address, known.port) == (&listed.address, listed.port) => {
                    known.pins.extend(listed.pins);
                }
                Some(_) => {
                    return Err(Failure::configuration(format!("the host {} has two addresses", listed.name)));
                }
                None => hosts.push(listed),
            }
        }
        let jump = match (stored.jump_host, stored.jump_user) {
            (Some(address), Some(user)) => Some(Jump {
                host: Host {
                    name: address.clone(),
                    address,
                    port: stored.jump_port.unwrap_or(DEFAULT_PORT),
                    pins: Pin::read_all(&stored.jump_host_keys)?,
                },
                login: Login::read(
                    user,
                    stored.jump_password,
                    stored.jump_private_key.as_ref(),
                    stored.jump_passphrase.as_ref(),
                )?,
            }),
            _ => None,
        };
        let login = Login::read(stored.user, stored.password, stored.private_key.as_ref(), stored.passphrase.as_ref())?;
        let markers = stored.markers.unwrap_or_else(|| DEFAULT_MARKERS.to_owned());
        Ok(Self { hosts, login, jump, markers })
    }

    /// The host that a call names, or the first.
    pub(crate) fn host(&self, name: Option<&str>) -> Result<&Host, Failure> {
        let found = match name {
            None => self.hosts.first(),
            Some(name) => self.hosts.iter().find(|host| host.name == name),
        };
        found.ok_or_else(|| {
            let known: Vec<&str> = self.hosts.iter().map(|host| host.name.as_str()).collect();
            Failure::configuration(format!(
                "the connection does not allow the host {}; it allows {}",
                name.unwrap_or_default(),
                known.join(", ")
            ))
        })
    }

    pub(crate) fn hosts(&self) -> &[Host] {
        &self.hosts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_a_host_with_its_address_and_key() {
        for (line, address, port) in [
            ("web SHA256:abc", "web", 22),
            ("web 10.0.0.2 SHA256:abc", "10.0.0.2", 22),
            ("web 10.0.0.2:2222 SHA256:abc", "10.0.0.2", 2222),
            ("web [fd00::1]:2222 SHA256:abc", "fd00::1", 2222),
            ("web fd00::1 SHA256:abc", "fd00::1", 22),
        ] {
            let host = Host::read(line, DEFAULT_PORT).unwrap();
            assert_eq!((host.name.as_str(), host.address.as_str(), host.port), ("web", address, port), "{line}");
        }
        for bad in ["web", "web 10.0.0.2", "web 10.0.0.2:x SHA256:abc", "web ssh-ed25519 nonsense", ""] {
            assert!(Host::read(bad, DEFAULT_PORT).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_on_one_line_gets_its_lines_back() {
        let body = "a".repeat(130);
        let pasted = format!("-----BEGIN OPENSSH PRIVATE KEY-----{body}-----END OPENSSH PRIVATE KEY-----");
        let restored = with_lines(&pasted);
        let lines: Vec<usize> = restored.lines().map(str::len).collect();
        assert_eq!(lines, [35, 64, 64, 2, 33]);
        assert_eq!(with_lines(&restored), restored);
    }
}
