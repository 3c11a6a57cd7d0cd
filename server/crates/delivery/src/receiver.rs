//! A system that the log is sent to, as it is configured.

use std::{path::PathBuf, time::Duration};

use identity::Secret;
use url::Url;

use crate::Format;

/// A system that the log is sent to.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Its name, under which its cursor is kept.
    pub name: String,
    /// What it gets.
    pub takes: Takes,
    /// Where it begins when it is met for the first time.
    pub start: Start,
    /// In which form.
    pub format: Format,
    /// How it is reached.
    pub way: Way,
}

/// What a receiver gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Takes {
    /// The entries.
    pub entries: bool,
    /// The checkpoints.
    pub checkpoints: bool,
}

/// Where a receiver begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the first entry of the log.
    First,
    /// With what comes from now on.
    Now,
}

/// How a receiver is reached.
#[derive(Clone, Debug)]
pub enum Way {
    /// A file of this machine.
    File(PathBuf),
    /// RFC 5424 over TCP.
    Syslog {
        /// Host name or address.
        host: String,
        /// Port.
        port: u16,
        /// Whom to trust, if the connection is encrypted.
        tls: Option<Trust>,
        /// The private enterprise number under which structured data is written.
        enterprise: Option<u32>,
    },
    /// POST to an address.
    Http {
        /// The address.
        url: Url,
        /// Whom to trust.
        trust: Trust,
        /// A header and its value.
        header: Option<(String, Secret)>,
    },
    /// Objects in a bucket.
    S3(Box<Objects>),
    /// A mail with the newest checkpoint.
    Mail {
        /// To whom.
        to: String,
        /// At most so often.
        every: Duration,
    },
}

/// Whom to trust with an encrypted connection, and what to show.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// PEM of the authority; the system's without one.
    pub authority: Option<String>,
    /// The chain and the key of a certificate to show, both PEM.
    pub shown: Option<(String, Secret)>,
}

/// Where objects are put, and how.
#[derive(Clone, Debug)]
pub struct Objects {
    /// The service.
    pub endpoint: Url,
    /// The bucket.
    pub bucket: String,
    /// What the names of all objects begin with.
    pub prefix: String,
    /// The region that requests are signed for.
    pub region: String,
    /// Whether the bucket stands in the path of an address, and not in the host name.
    pub in_path: bool,
    /// Who signs.
    pub access_key: String,
    /// With what.
    pub secret: Secret,
    /// Whom to trust.
    pub trust: Trust,
    /// For how long nobody can take an object away.
    pub lock: Option<Lock>,
    /// How long what came in waits for more, so that not every entry is an object.
    pub every: Duration,
}

/// An object lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Whom it holds off.
    pub mode: Locking,
    /// For how long.
    pub retain: Duration,
}

/// Whom an object lock holds off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locking {
    /// Everybody.
    Compliance,
    /// All but those with a right of their own.
    Governance,
}

/// How much goes out at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Entries or checkpoints at most.
    pub most: usize,
    /// How long the oldest waits until there are so many.
    pub wait: Duration,
    /// Only the newest checkpoint goes out, and only so often.
    pub newest_every: Option<Duration>,
}

impl Receiver {
    /// The kind of receiver, as it stands in the configuration.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.way {
            Way::File(_) => "file",
            Way::Syslog { .. } => "syslog",
            Way::Http { .. } => "http",
            Way::S3(_) => "s3",
            Way::Mail { .. } => "mail",
        }
    }

    /// Where it is, without anything that is secret.
    #[must_use]
    pub fn address(&self) -> String {
        match &self.way {
            Way::File(path) => path.display().to_string(),
            Way::Syslog { host, port, tls, .. } => {
                format!("{}://{host}:{port}", if tls.is_some() { "tls" } else { "tcp" })
            }
            // A query may hold a key.
            Way::Http { url, .. } => format!("{}{}", url.origin().ascii_serialization(), url.path()),
            Way::S3(objects) => {
                let endpoint = objects.endpoint.origin().ascii_serialization();
                format!("{endpoint}/{}/{}", objects.bucket, objects.prefix)
            }
            Way::Mail { to, .. } => to.clone(),
        }
    }

    /// How much goes out at once.
    #[must_use]
    pub fn pace(&self) -> Pace {
        let at_once = Pace { most: 500, wait: Duration::ZERO, newest_every: None };
        match &self.way {
            Way::S3(objects) => Pace { most: 5_000, wait: objects.every, newest_every: None },
            Way::Mail { every, .. } => Pace { most: 1, wait: Duration::ZERO, newest_every: Some(*every) },
            _ => at_once,
        }
    }
}

impl Trust {
    /// The certificate to show, as two PEM texts.
    pub(crate) fn shown(&self) -> Option<(&str, &str)> {
        self.shown.as_ref().map(|(chain, key)| (chain.as_str(), key.expose()))
    }
}
