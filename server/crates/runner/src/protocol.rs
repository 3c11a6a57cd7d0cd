//! What a server and a runner process say to each other: one JSON object a line.
//!
//! The server says one thing, the [`Order`], and then holds the pipe open for as long as it wants the process. The runner
//! answers with [`Note`]s; the last is [`Note::Ended`] or [`Note::Failed`]. A runner that ends without one was killed.

use std::fmt;

use serde::{Deserialize, Serialize};
use workflow::{
    RunError,
    process::{Process, ProcessResult},
};

use crate::{Limits, User};

/// The version of what is said. Both ends are the same program, so another version is a mistake of whoever installed it.
pub(crate) const VERSION: u32 = 1;

/// What a runner is to do. Has no `Debug`: the process's environment may hold secrets.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Order {
    pub(crate) version: u32,
    pub(crate) process: Process,
    pub(crate) limits: Limits,
    /// To whom the process belongs; none: to whom the runner belongs.
    pub(crate) user: Option<User>,
}

/// What a runner tells.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Note {
    /// The process is about to be started: from here on it may have done something.
    Starting,
    /// It was started, and leads this process group.
    Started(i32),
    /// It wrote a line.
    Line(Stream, String),
    /// It has ended.
    Ended(ProcessResult),
    /// It could not be executed, or not to its end.
    Failed(RunError),
}

/// Where a process writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Output => "standard output",
            Self::Error => "standard error",
        })
    }
}
