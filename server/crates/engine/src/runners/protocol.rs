//! What a server and the runners elsewhere say to each other: JSON over HTTP, asked for by the runner, below
//! `/api/v1/runner/`.
//!
//! A runner begins with [`Hello`]. Then it has one [`Poll`] open at a time: that says what it holds, keeps its leases, and is
//! answered with [`Orders`] as soon as there are any. What it is given it asks to [`Begin`] before it does so, sends
//! [`Lines`] meanwhile, and a [`Report`] at the end.

use domain::{Name, RunId, Scope};
use serde::{Deserialize, Serialize};
use store::runners::{Held, TaskKey};
use workflow::{
    RunError,
    process::{Process, ProcessResult},
};

/// The version of what is said. A server refuses others in words.
pub const VERSION: u32 = 1;

/// How long a poll waits for something to do, in milliseconds. Proxies cut longer silences off.
pub(super) const PATIENCE: u64 = 20_000;

/// Where each of these is sent, below `/api/v1/runner/`.
pub mod place {
    /// [`super::Hello`], answered by [`super::Welcome`].
    pub const SESSION: &str = "session";
    /// [`super::Poll`], answered by [`super::Orders`].
    pub const POLL: &str = "poll";
    /// [`super::Begin`], answered by [`super::Verdict`].
    pub const BEGIN: &str = "begin";
    /// [`super::Lines`], answered by nothing.
    pub const LINES: &str = "lines";
    /// [`super::Report`], answered by [`super::Verdict`].
    pub const REPORT: &str = "report";
}

/// A runner begins.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hello {
    /// [`VERSION`].
    pub protocol: u32,
    /// What tells this installation of the runner from others: made once, and kept on its disk.
    pub instance: String,
    /// The version of the program.
    pub version: String,
    /// How many tasks it takes at once.
    pub capacity: u32,
}

/// The server knows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Welcome {
    /// The number of its session.
    pub session: i64,
    /// Its name.
    pub name: Name,
    /// Its labels.
    pub labels: Vec<Name>,
    /// For which namespaces it works.
    pub namespaces: Vec<Scope>,
    /// How long a poll waits at most, in milliseconds. One that has not been answered long after is not going to be.
    #[serde(default = "patience")]
    pub patience: u64,
}

fn patience() -> u64 {
    PATIENCE
}

/// A task in the epoch in which the runner was given it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Assignment {
    /// The run.
    pub run: RunId,
    /// The call within it.
    pub call: u32,
    /// The epoch.
    pub epoch: i64,
}

impl From<Held> for Assignment {
    fn from(held: Held) -> Self {
        Self { run: held.key.run, call: held.key.call, epoch: held.epoch }
    }
}

impl From<Assignment> for Held {
    fn from(task: Assignment) -> Self {
        Self { key: TaskKey { run: task.run, call: task.call }, epoch: task.epoch }
    }
}

/// What the runner has, and could take.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Poll {
    /// Its session.
    pub session: i64,
    /// One more each time.
    pub turn: i64,
    /// How many tasks it could take.
    pub free: u32,
    /// How busy its machine is, in percent of its processors.
    pub load: u32,
    /// Everything of which the server has not taken a report. What is not here it does not know.
    pub tasks: Vec<Assignment>,
}

/// What there is for it to do. Has no `Debug`: processes may hold secrets.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Orders {
    /// Tasks to begin.
    pub tasks: Vec<Offer>,
    /// Tasks that nobody wants any more, or that are not the runner's any more.
    pub stop: Vec<Assignment>,
}

/// A task to begin.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Offer {
    /// Which.
    pub task: Assignment,
    /// JSON pointer to the task of the definition, for people.
    pub reference: String,
    /// The process, and what must not be seen of it.
    #[serde(flatten)]
    pub payload: Payload,
}

/// What is sealed in the database.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payload {
    /// The process.
    pub process: Process,
    /// The secrets in it, to be masked in whatever it says.
    pub redact: Vec<String>,
}

/// The runner is about to begin a task.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Begin {
    /// Which.
    pub task: Assignment,
}

/// What the server says to that, or to a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// The task is the runner's, and wanted; or: the report was taken.
    pub agreed: bool,
}

/// What processes have written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lines {
    /// Line by line.
    pub lines: Vec<Line>,
}

/// A line of a process.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// Whose.
    pub task: Assignment,
    /// Whether it was written to standard error.
    pub error: bool,
    /// The line, its secrets masked.
    pub text: String,
}

/// What became of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Which.
    pub task: Assignment,
    /// What.
    pub outcome: Outcome,
}

/// What became of a task, as it is stored, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Outcome {
    /// It has ended by itself.
    Ended {
        /// With this.
        result: ProcessResult,
    },
    /// It could not be executed, or not to its end.
    Failed {
        /// Why.
        error: RunError,
    },
    /// It was never begun; another attempt may do better.
    NotBegun {
        /// Why.
        why: String,
    },
    /// It was ended because nobody wanted it any more.
    Stopped,
    /// It was begun, and nobody knows how far it came.
    Lost {
        /// Why.
        why: String,
    },
}
