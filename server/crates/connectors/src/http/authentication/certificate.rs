//! `certificate`: the client shows a certificate of its own.
//!
//! The specification names the scheme and leaves its properties open; these are the fewest that work.

use serde::Deserialize;

/// A certificate with its key, both in PEM.
#[derive(Clone, Deserialize)]
pub(crate) struct ClientCertificate {
    /// The client's certificate, and those between it and a root if there are any.
    pub(crate) certificate: String,
    /// Its private key.
    pub(crate) key: String,
}
