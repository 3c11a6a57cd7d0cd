//! A witness of the logs of others (C2SP tlog-witness): it cosigns a checkpoint once it has seen that the log has grown from
//! the one that it cosigned before, and keeps that on the disk.
//!
//! Two copies of a log that are not the same cannot both be cosigned. So whoever sees the cosignature of a witness knows that
//! nobody was shown another log, as far as the witness is honest and its folder is not put back.
//!
//! # How to use it
//! ```no_run
//! # fn example(log: ledger::checkpoint::PublicKey, clock: std::sync::Arc<dyn domain::Clock>) -> Result<(), witness::Unusable> {
//! let make = || ("auditors.example.com/rondo".to_owned(), [0; 32]); // from a source of random bytes
//! let witness = witness::Witness::open("data".as_ref(), &[log], clock, make)?;
//! println!("{}", witness.key());
//! let router = witness::router(std::sync::Arc::new(witness));
//! # Ok(())
//! # }
//! ```

mod book;
mod door;
mod key_file;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use domain::Clock;
use ledger::{
    checkpoint::{PublicKey, Trust},
    cosignature::{Cosigner, WitnessKey},
    witnessing::{Refusal, Request, judge},
};
use tracing::{error, info, warn};

use book::Book;

pub use door::router;

/// A witness.
#[derive(Debug)]
pub struct Witness {
    cosigner: Cosigner,
    logs: Vec<Trust>,
    /// Requests are answered one after the other: what was seen last may not change between the judgement and the writing.
    book: Mutex<Book>,
    clock: Time,
}

struct Time(Arc<dyn Clock>);

impl std::fmt::Debug for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Time")
    }
}

/// Why a witness cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// A file cannot be read or written.
    #[error("{path} cannot be used")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file of the key holds something else.
    #[error(
        "{0} holds no key of a witness; put the right one back, or begin anew with another directory and a new key"
    )]
    Key(PathBuf),
    /// The name cannot be one.
    #[error("“{0}” is no name of a witness: it has no spaces and no plus signs")]
    Name(String),
    /// What was seen last of a log cannot be read, so nothing can be compared with it.
    #[error("{0} holds no checkpoint; put the right one back: without it the log could be put back unseen")]
    Seen(PathBuf),
    /// There is what was cosigned, and not the key.
    #[error("{0} is missing, and there are checkpoints that were cosigned with it; put it back")]
    KeyLost(PathBuf),
    /// Another process works here.
    #[error("another witness works in {0}")]
    Taken(PathBuf),
}

/// Why a request was not answered with a cosignature.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// The witness refuses.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It could not keep what it would have cosigned.
    #[error("this witness cannot keep what it sees")]
    Unkept(#[source] io::Error),
}

impl Witness {
    /// The witness whose key and records are in this folder, for the logs with these keys. `make` gives the name and the random
    /// bytes of its key when it has none yet.
    ///
    /// # Errors
    /// [`Unusable`].
    pub fn open(
        folder: &Path,
        logs: &[PublicKey],
        clock: Arc<dyn Clock>,
        make: impl FnOnce() -> (String, [u8; 32]),
    ) -> Result<Self, Unusable> {
        let book = Book::open(folder)?;
        let cosigner = key_file::open(folder, book.is_empty(), make)?;
        let logs = logs.iter().cloned().map(Trust::in_key).collect();
        Ok(Self { cosigner, logs, book: Mutex::new(book), clock: Time(clock) })
    }

    /// The key that tells its cosignatures.
    #[must_use]
    pub fn key(&self) -> &WitnessKey {
        self.cosigner.public()
    }

    /// Answers a request to cosign with the line that cosigns. It is given only once the checkpoint is on the disk.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub fn cosign(&self, request: &Request) -> Result<String, Unanswered> {
        // A panic while it was held has changed nothing but memory, which is changed last.
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let told = judge(request, &self.logs, |origin| book.seen(origin)).inspect_err(|refusal| {
            let note = request.checkpoint.as_str();
            if *refusal == Refusal::Inconsistent {
                error!(%refusal, old = request.old, note, "not cosigned: the log may have been put back");
            } else {
                warn!(%refusal, old = request.old, "not cosigned");
            }
        })?;
        let time = u64::try_from(self.clock.0.now().as_micros() / 1_000_000).unwrap_or_default();
        let line = self.cosigner.cosign(&request.checkpoint, time).map_err(|_| Refusal::Malformed)?;
        book.keep(&told, &request.checkpoint).map_err(|cause| {
            error!(%cause, log = told.origin, "what was seen cannot be kept, so nothing is cosigned");
            Unanswered::Unkept(cause)
        })?;
        info!(log = told.origin, size = told.size, "cosigned");
        Ok(line)
    }
}
