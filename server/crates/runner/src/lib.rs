//! Executes the processes of `run` tasks: shell commands, scripts and containers (dsl-reference.md, "Run").
//!
//! Only for processes that belong to whoever starts them: `rondo run` on a person's own machine ([`Runner`]), and the
//! runner process beside a server ([`RunnerProcess`]). The server itself never executes what a definition says.
//!
//! # What a process gets
//! - A directory of its own, which is its working directory, its `HOME` and its `TMPDIR`, and is removed afterwards.
//! - `PATH`, `LANG=C.UTF-8`, and what its task names; nothing else of the environment around it.
//! - A process group of its own. Whatever is left in it when the process ends, or when nobody waits for it any more, is
//!   killed.
//! - Up to [`OUTPUT_LIMIT`] bytes of standard output, and as much of standard error; more is an error.
//!
//! A container is executed by podman or docker, whichever is installed, with that program's own settings; the environment
//! above is then the container's.
//!
//! # What the runner process adds
//! A server starts one runner process (`rondo runner`, [`main`]) for each process that a task asks for, and talks with it
//! over its standard input and output ([`protocol`]). So each has a guard of its own that does nothing else, and there is
//! no guard that must be kept alive. The guard
//! - starts the process as another user where the server has the right to ([`User`]), and without a way to more rights;
//! - gives it [`Limits`]: [`limits`] says how;
//! - adopts whatever the process leaves behind, so that its descendants end with it even if they left its group
//!   ([`descendants`]);
//! - ends everything as soon as its input is closed: the run was cancelled, or the server has died.
//!
//! This part is for Linux.

mod child;
mod client;
mod container;
mod descendants;
mod guard;
mod limits;
mod protocol;
mod script;
mod user;

use std::{ffi::OsString, io, path::PathBuf, time::Duration};

use child::{Command, Confinement};
use workflow::{
    RunError, StandardError,
    process::{Process, ProcessResult},
};

pub use client::{RunnerProcess, Undone};
pub use guard::main;
pub use limits::Limits;
pub use protocol::Stream;
pub use user::{UnknownUser, User};

/// The most that a process may write to its standard output or error unless told otherwise, in bytes.
pub const OUTPUT_LIMIT: u64 = 1024 * 1024;

/// Hears what a process does while it does it.
pub trait Listener: Send + Sync {
    /// It was started, and leads this process group.
    fn started(&self, _group: i32) {}
    /// It wrote a line, here without its end.
    fn line(&self, stream: Stream, text: &str);
}

/// Nobody listens.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

impl Listener for Nobody {
    fn line(&self, _stream: Stream, _text: &str) {}
}

/// Why a process could not be executed, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// What would execute it is not here.
    #[error("{} installed here", in_words(.0))]
    NotInstalled(&'static [&'static str]),
    /// The script has no code: its source has not been read.
    #[error("the script has no code")]
    NoCode,
    /// A part of a container's definition is not what podman and docker understand.
    #[error("{0}")]
    Definition(String),
    /// The system refused.
    #[error("the process could not be executed: {0}")]
    System(#[source] io::Error),
    /// It wrote too much.
    #[error("the process wrote more than {1} bytes to its {0}")]
    TooMuchOutput(Stream, u64),
    /// It took too long.
    #[error("the process took longer than {} seconds", .0.as_secs())]
    TooLong(Duration),
    /// It used too much of the processor's time.
    #[error("the process used more than {} seconds of processor time", .0.as_secs())]
    TooMuchWork(Duration),
    /// It wrote too large a file.
    #[error("the process wrote a file of more than {0} bytes")]
    TooLargeFile(u64),
    /// Podman or docker itself failed.
    #[error("{program} could not run the container: {said}")]
    Engine {
        /// Which of them.
        program: &'static str,
        /// What it said.
        said: String,
    },
}

impl From<RunnerError> for RunError {
    fn from(error: RunnerError) -> Self {
        let kind = match error {
            RunnerError::Definition(_) | RunnerError::NoCode => StandardError::Configuration,
            RunnerError::TooLong(_) => StandardError::Timeout,
            _ => StandardError::Runtime,
        };
        Self::new(kind, error.to_string())
    }
}

fn in_words(programs: &[&str]) -> String {
    match programs {
        [one] => format!("{one} is not"),
        many => format!("none of {} is", many.join(", ")),
    }
}

/// Executes processes with the programs of a machine.
#[derive(Clone, Debug)]
pub struct Runner {
    path: OsString,
    confinement: Option<Confinement>,
}

impl Runner {
    /// Takes programs from these directories, separated as in `PATH`, and lets processes do what this one may do.
    #[must_use]
    pub fn new(path: OsString) -> Self {
        Self { path, confinement: None }
    }

    /// Executes a process to its end, whatever its exit code. When this is dropped, the process and its group are killed.
    pub async fn run(&self, process: &Process, listener: &dyn Listener) -> Result<ProcessResult, RunnerError> {
        match process {
            Process::Shell(shell) => {
                let mut command = Command::new(self, self.find(&["sh"])?)?;
                command.arguments(["-c", &shell.command, "sh"]);
                command.give(&shell.given).run(&shell.given, listener).await
            }
            Process::Script(script) => script::run(self, script, listener).await,
            Process::Container(container) => container::run(self, container, listener).await,
        }
    }

    fn limits(&self) -> Option<&Limits> {
        self.confinement.as_ref().map(|confinement| &confinement.limits)
    }

    fn user(&self) -> Option<User> {
        self.confinement.as_ref().and_then(|confinement| confinement.user)
    }

    /// The first of these programs that is there: its name and where it is.
    fn find(&self, names: &'static [&'static str]) -> Result<(&'static str, PathBuf), RunnerError> {
        for name in names {
            let places = std::env::split_paths(&self.path).map(|folder| folder.join(name));
            if let Some(found) = places.filter(|place| place.is_absolute()).find(|place| place.is_file()) {
                return Ok((name, found));
            }
        }
        Err(RunnerError::NotInstalled(names))
    }
}
