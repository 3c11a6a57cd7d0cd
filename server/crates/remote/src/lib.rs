//! A runner near the systems (`rondo runner --server …`): asks a server for processes, and executes them here.
//!
//! It only calls out, by requests and answers, so it works behind proxies and needs no open port. Each process has a guard
//! of its own, limits and a user, as on the server itself ([`runner::RunnerProcess`]).
//!
//! # How nothing is lost or done twice
//! - The server says when a task may be begun; before it is asked, a file says that the task may have been begun
//!   ([`journal`]). What became of it is in that file before the server is told, and the file goes when the server has taken
//!   it. So a runner that is started anew knows what it has left behind: what has ended is reported again, and what has not
//!   is reported as lost. The server takes a report once.
//! - Everything that is not done is listed in each poll. What the server does not find there it gives to another runner, if it
//!   was never begun or may be repeated.
//! - Secrets are in memory only, and masked in whatever a process writes before that goes anywhere ([`work`]).

mod client;
mod journal;
mod lines;
mod work;

use std::path::PathBuf;

use identity::Secret;
use runner::RunnerProcess;
use tokio_util::sync::CancellationToken;
use url::Url;

pub use client::CallError;
pub use journal::JournalError;

/// What a runner works with.
pub struct Settings {
    /// The address of the server.
    pub server: Url,
    /// The token that was shown when the runner was enrolled.
    pub token: Secret,
    /// The folder of its journal; it belongs to this runner alone.
    pub folder: PathBuf,
    /// How many tasks it takes at once.
    pub tasks: u32,
    /// Authorities in PEM that the server's certificate must be from, instead of those that the system trusts.
    pub authority: Option<String>,
    /// The version of the program.
    pub version: String,
    /// What a new installation of a runner is called: random text.
    pub instance: String,
}

/// Why a runner ends before it is told to.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// Its folder cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The server cannot be spoken with at all.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Works until told to stop, and ends what it has begun before it does.
///
/// # Errors
/// The folder cannot be used, or the server does not want this runner.
pub async fn run(settings: Settings, program: RunnerProcess, stop: CancellationToken) -> Result<(), RunnerError> {
    let journal = journal::Journal::open(&settings.folder, &settings.instance)?;
    let client = client::Client::new(&settings)?;
    work::Work::new(settings, journal, client, program, stop).go_on().await
}
