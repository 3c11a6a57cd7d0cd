//! The ways to receivers.

mod file;
pub(crate) mod http;
mod s3;
mod syslog;

use std::{io, sync::Arc};

use async_trait::async_trait;
use connectors::{
    egress::{DialError, EgressPolicy},
    tls::TlsError,
};
use domain::Clock;

use crate::{Parcel, Receiver, Way};

/// A way to a receiver.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Ends well only once the receiver has all of it, as well as its protocol can tell.
    async fn deliver(&mut self, log: &str, parcel: &Parcel) -> Result<(), Undelivered>;
}

/// Why something was not delivered, or may not have been.
#[derive(Debug, thiserror::Error)]
pub enum Undelivered {
    /// Nobody answers there.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The connection could not be encrypted.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system refused.
    #[error("{what}: {cause}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        cause: io::Error,
    },
    /// The receiver, or the client that talks to it, said no.
    #[error("{0}")]
    Refused(String),
    /// Nobody confirmed.
    #[error("the receiver did not confirm within {0} seconds")]
    Late(u64),
    /// Its settings cannot be used.
    #[error("{0}")]
    Settings(String),
}

impl Undelivered {
    fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Io { what: what.into(), cause }
    }
}

/// Opens the way to a receiver; none for one of mail, whose sender is elsewhere. `host` is what this system calls itself.
pub fn open(receiver: &Receiver, host: &str, clock: Arc<dyn Clock>) -> Result<Option<Box<dyn Sink>>, Undelivered> {
    // What the administrators of the server name in its configuration is not bound by what workflows may reach.
    let egress = Arc::new(EgressPolicy::default());
    let format = receiver.format;
    Ok(Some(match &receiver.way {
        Way::File(path) => Box::new(file::FileSink::new(path.clone(), format)),
        Way::Syslog { host: to, port, tls, enterprise } => {
            let sender = crate::format::syslog::Sender { host: host.to_owned(), format, enterprise: *enterprise };
            Box::new(syslog::SyslogSink::new(to.clone(), *port, tls.as_ref(), sender, egress)?)
        }
        Way::Http { url, trust, header } => {
            Box::new(http::HttpSink::new(url.clone(), trust, header.as_ref(), format, egress)?)
        }
        Way::S3(objects) => Box::new(s3::ObjectSink::new(objects, format, egress, clock)?),
        Way::Mail { .. } => return Ok(None),
    }))
}
