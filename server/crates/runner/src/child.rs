//! A child process in a process group of its own, with a directory of its own.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::Child,
};
use workflow::process::ProcessResult;

use crate::{OUTPUT_LIMIT, RunnerError};

/// How long output is waited for after a process and its group have ended: somebody who left the group may hold it open.
const LINGER: Duration = Duration::from_secs(2);

/// A process to be.
pub(crate) struct Command {
    command: tokio::process::Command,
    folder: TempDir,
}

impl Command {
    /// A process with nothing of the environment around it but where programs are.
    pub(crate) fn new(program: PathBuf, path: &OsStr) -> Result<Self, RunnerError> {
        let folder = tempfile::Builder::new().prefix("rondo-").tempdir().map_err(RunnerError::System)?;
        let mut command = tokio::process::Command::new(program);
        command
            .env_clear()
            .env("PATH", path)
            .env("LANG", "C.UTF-8")
            .env("HOME", folder.path())
            .env("TMPDIR", folder.path())
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        Ok(Self { command, folder })
    }

    /// The same for a program that is trusted with the environment around it.
    pub(crate) fn trusted(program: PathBuf) -> Result<Self, RunnerError> {
        let mut own = Self::new(program, OsStr::new(""))?;
        own.command.env_clear().envs(std::env::vars_os());
        Ok(own)
    }

    pub(crate) fn arguments<A: AsRef<OsStr>>(&mut self, arguments: impl IntoIterator<Item = A>) -> &mut Self {
        self.command.args(arguments);
        self
    }

    pub(crate) fn environment(&mut self, environment: &BTreeMap<String, String>) -> &mut Self {
        self.command.envs(environment);
        self
    }

    /// The directory that the process has to itself.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Executes it to its end. When this is dropped, the process and its group are killed.
    pub(crate) async fn run(mut self, stdin: Option<&str>) -> Result<ProcessResult, RunnerError> {
        let mut child = self.command.spawn().map_err(RunnerError::System)?;
        let group = Group::of(&child);
        let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let feed = async {
            if let (Some(mut pipe), Some(text)) = (input, stdin) {
                // A process that does not read its input is within its rights.
                let _ = pipe.write_all(text.as_bytes()).await;
            }
        };
        let watch = async {
            let status = child.wait().await;
            // What it left behind holds its output open, and would outlive its directory.
            drop(group);
            status
        };
        let outputs = async { tokio::try_join!(read(output, "standard output"), read(errors, "standard error")) };
        tokio::pin!(feed, watch, outputs);
        let (mut input_given, mut ended) = (false, None::<ExitStatus>);
        let (stdout, stderr) = loop {
            tokio::select! {
                texts = &mut outputs => break texts?,
                () = &mut feed, if !input_given => input_given = true,
                status = &mut watch, if ended.is_none() => {
                    ended = Some(status.map_err(RunnerError::System)?);
                }
                () = tokio::time::sleep(LINGER), if ended.is_some() => {
                    let detail = "something that it started keeps its output open";
                    return Err(RunnerError::System(std::io::Error::other(detail)));
                }
            }
        };
        let status = if let Some(status) = ended {
            status
        } else {
            let rest = async {
                if !input_given {
                    feed.await;
                }
            };
            tokio::join!(rest, watch).1.map_err(RunnerError::System)?
        };
        Ok(ProcessResult { code: code(status), stdout, stderr })
    }
}

/// The exit code; as shells say it where a signal ended the process.
fn code(status: ExitStatus) -> i64 {
    use std::os::unix::process::ExitStatusExt as _;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).map_or(-1, i64::from)
}

async fn read(pipe: Option<impl AsyncRead + Unpin>, name: &'static str) -> Result<String, RunnerError> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        let limit = OUTPUT_LIMIT as u64 + 1;
        pipe.take(limit).read_to_end(&mut bytes).await.map_err(RunnerError::System)?;
    }
    if bytes.len() > OUTPUT_LIMIT {
        return Err(RunnerError::TooMuchOutput(name));
    }
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// A process group that ends when this is dropped.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // An error says that nobody is left in it.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Starts a program that goes on by itself, whatever becomes of this process.
pub(crate) fn leave_alone(program: &OsStr, arguments: impl IntoIterator<Item = OsString>) {
    use std::os::unix::process::CommandExt as _;
    let started = std::process::Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn();
    if let Err(error) = started {
        tracing::warn!(%error, "a container cannot be removed");
    }
}
