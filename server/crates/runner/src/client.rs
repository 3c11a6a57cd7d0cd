//! The server's end of a runner process.

use std::{ffi::OsString, io, path::PathBuf, process::Stdio};

use rustix::process::{Pid, Signal, getuid, kill_process_group};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{ChildStdout, Command},
    time::timeout,
};
use workflow::{
    RunError,
    process::{Process, ProcessResult},
};

use crate::{
    Limits, Listener, UnknownUser, User,
    protocol::{Note, Order, VERSION},
};

/// What a runner gets of the server's environment: where programs are, and what podman and docker work with. Never
/// addresses of databases, keys or passwords.
const ENVIRONMENT: [&str; 6] = ["PATH", "HOME", "TMPDIR", "XDG_RUNTIME_DIR", "DOCKER_HOST", "CONTAINER_HOST"];
/// What a runner may take beyond the time of its process before it is given up.
const GRACE: std::time::Duration = std::time::Duration::from_secs(30);

/// How a server has processes executed: each by a runner process of its own.
#[derive(Clone, Debug)]
pub struct RunnerProcess {
    program: PathBuf,
    arguments: Vec<OsString>,
    user: String,
    limits: Limits,
}

/// Why there is no result of a process.
#[derive(Debug, thiserror::Error)]
pub enum Undone {
    /// It could not be executed, or not to its end; another attempt would fail in the same way.
    #[error("{0}")]
    Failed(RunError),
    /// It was never started.
    #[error("the runner could not be started: {0}")]
    NotStarted(#[source] io::Error),
    /// The runner ended before it had started the process.
    #[error("the runner ended before it had started the process")]
    Stillborn,
    /// The runner ended while the process was under way, and nobody knows what the process has done.
    #[error("the runner ended while the process was under way")]
    Lost,
}

impl From<UnknownUser> for Undone {
    fn from(error: UnknownUser) -> Self {
        Self::Failed(RunError::new(workflow::StandardError::Configuration, format!("runner.user: {error}")))
    }
}

impl RunnerProcess {
    /// Starts runners by this command. Processes belong to `user` ([`User::find`]) if this process belongs to root, and
    /// to this process's own user otherwise.
    #[must_use]
    pub fn new(program: PathBuf, arguments: Vec<OsString>, user: String, limits: Limits) -> Self {
        Self { program, arguments, user, limits }
    }

    /// To whom processes belong; none: to whom this process belongs.
    pub fn user(&self) -> Result<Option<User>, UnknownUser> {
        getuid().is_root().then(|| User::find(&self.user)).transpose()
    }

    /// Executes a process to its end, whatever its exit code. When this is dropped, the process and all its descendants
    /// are killed.
    pub async fn run(&self, process: Process, listener: &dyn Listener) -> Result<ProcessResult, Undone> {
        let order = Order { version: VERSION, process, limits: self.limits, user: self.user()? };
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A signal to the server's own group, as by a terminal, is not for its runners.
            .process_group(0);
        let mut child = command.spawn().map_err(Undone::NotStarted)?;
        // Held to the end: as soon as this is closed, the runner ends everything.
        let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Undone::Stillborn);
        };
        let mut line = serde_json::to_vec(&order).map_err(|error| Undone::NotStarted(error.into()))?;
        line.push(b'\n');
        if input.write_all(&line).await.is_err() {
            return Err(Undone::Stillborn);
        }
        let mut group = Group(None);
        let told = follow(BufReader::new(output).lines(), listener, &mut group);
        let told = timeout(self.limits.time + GRACE, told).await.unwrap_or(Err(Undone::Lost));
        if !matches!(told, Err(Undone::Lost)) {
            group.0 = None;
        }
        told
    }
}

/// Reads what the runner tells until it says how the process has ended.
async fn follow(
    mut notes: Lines<BufReader<ChildStdout>>,
    listener: &dyn Listener,
    group: &mut Group,
) -> Result<ProcessResult, Undone> {
    let mut starting = false;
    while let Ok(Some(line)) = notes.next_line().await {
        match serde_json::from_str(&line) {
            Ok(Note::Starting) => starting = true,
            Ok(Note::Started(leader)) => {
                group.0 = Pid::from_raw(leader);
                listener.started(leader);
            }
            Ok(Note::Line(stream, text)) => listener.line(stream, &text),
            Ok(Note::Ended(result)) => return Ok(result),
            Ok(Note::Failed(error)) => return Err(Undone::Failed(error)),
            Err(_) => break,
        }
    }
    Err(if starting { Undone::Lost } else { Undone::Stillborn })
}

/// The process group that a runner guards. If the runner was killed, nobody else would end it.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // An error says that nobody is left in it.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
