//! Executes the processes of `run` tasks: shell commands, scripts and containers (dsl-reference.md, "Run").
//!
//! Only for processes that belong to whoever starts them: `rondo run` on a person's own machine, and the runner beside a
//! server. The server itself never executes what a definition says.
//!
//! # What a process gets
//! - A directory of its own, which is its working directory, its `HOME` and its `TMPDIR`, and is removed afterwards.
//! - `PATH`, `LANG=C.UTF-8`, and what its task names; nothing else of the environment around it.
//! - A process group of its own. Whatever is left in it when the process ends, or when nobody waits for it any more, is
//!   killed. A process that leaves the group is not followed.
//! - Up to [`OUTPUT_LIMIT`] bytes of standard output, and as much of standard error; more is an error.
//!
//! A container is executed by podman or docker, whichever is installed, with that program's own settings; the environment
//! above is then the container's.

mod child;
mod container;
mod script;

use std::{ffi::OsString, io, path::PathBuf};

use child::Command;
use workflow::{
    RunError, StandardError,
    process::{Container, ProcessResult, Script, Shell},
};

/// The most that a process may write to its standard output or error, in bytes.
pub const OUTPUT_LIMIT: usize = 1024 * 1024;

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
    #[error("the process wrote more than 1 MiB to its {0}")]
    TooMuchOutput(&'static str),
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
}

impl Runner {
    /// Takes programs from these directories, separated as in `PATH`.
    #[must_use]
    pub fn new(path: OsString) -> Self {
        Self { path }
    }

    /// Executes a command by the POSIX shell. Its arguments are `$1`, `$2`, ….
    pub async fn shell(&self, shell: &Shell) -> Result<ProcessResult, RunnerError> {
        let program = self.find(&["sh"])?.1;
        let mut command = Command::new(program, &self.path)?;
        command.arguments(["-c", &shell.command, "sh"]).arguments(&shell.arguments).environment(&shell.environment);
        command.run(shell.stdin.as_deref()).await
    }

    /// Executes a script, whose code has been read if it is from elsewhere.
    pub async fn script(&self, script: &Script) -> Result<ProcessResult, RunnerError> {
        script::run(self, script).await
    }

    /// Executes a container; `name` is what it is called where its definition does not say.
    pub async fn container(&self, container: &Container, name: &str) -> Result<ProcessResult, RunnerError> {
        container::run(self, container, name).await
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
