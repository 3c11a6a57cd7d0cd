//! A child process in a process group of its own, with a directory of its own.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    process::Child,
};
use workflow::process::{Given, ProcessResult};

use crate::{Limits, Listener, OUTPUT_LIMIT, Runner, RunnerError, Stream, User, descendants, limits::SystemLimits};

/// How long output is waited for after a process and its group have ended: somebody who left the group may hold it open.
const LINGER: Duration = Duration::from_secs(2);

/// This program, whatever has become of the file that it was started from.
const OWN_PROGRAM: &str = "/proc/self/exe";

/// What a runner process holds its process to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Confinement {
    pub(crate) limits: Limits,
    pub(crate) user: Option<User>,
}

/// A process to be.
pub(crate) struct Command {
    process: tokio::process::Command,
    folder: TempDir,
    user: Option<User>,
    limits: Option<Limits>,
    reach: Reach,
}

/// What ends with a process.
#[derive(Clone, Copy)]
enum Reach {
    /// Its group.
    Group,
    /// All descendants of this program.
    Descendants,
}

impl Command {
    /// A process of a program that is here, by its name and place, with nothing of the environment around it but where
    /// programs are.
    pub(crate) fn new(runner: &Runner, (name, place): (&str, PathBuf)) -> Result<Self, RunnerError> {
        let Some(confinement) = &runner.confinement else {
            return Self::begin(runner, tokio::process::Command::new(place), Reach::Group);
        };
        let limits = SystemLimits::of(&confinement.limits, confinement.user.is_some());
        let mut command = tokio::process::Command::new(OWN_PROGRAM);
        command.args(std::env::args_os().skip(1)).arg(limits.to_argument());
        // By its name: the first of that name may be one that only others may execute.
        command.arg(name);
        Self::begin(runner, command, Reach::Descendants)
    }

    /// The same for a program that is trusted with the environment around it, and goes on by others that it starts.
    pub(crate) fn trusted(runner: &Runner, program: PathBuf) -> Result<Self, RunnerError> {
        let mut own = Self::begin(runner, tokio::process::Command::new(program), Reach::Group)?;
        trust(own.process.as_std_mut(), runner.user());
        Ok(own)
    }

    fn begin(runner: &Runner, mut command: tokio::process::Command, reach: Reach) -> Result<Self, RunnerError> {
        let folder = tempfile::Builder::new().prefix("rondo-").tempdir().map_err(RunnerError::System)?;
        let user = runner.user();
        if let Some(user) = user {
            user.take(folder.path()).map_err(RunnerError::System)?;
            user.own(command.as_std_mut());
        }
        command
            .env_clear()
            .env("PATH", &runner.path)
            .env("LANG", "C.UTF-8")
            .env("HOME", folder.path())
            .env("TMPDIR", folder.path())
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            // What reaches further does so by itself, and has waited for the process when it is dropped.
            .kill_on_drop(matches!(reach, Reach::Group));
        Ok(Self { process: command, folder, user, limits: runner.limits().copied(), reach })
    }

    pub(crate) fn arguments<A: AsRef<OsStr>>(&mut self, arguments: impl IntoIterator<Item = A>) -> &mut Self {
        self.process.args(arguments);
        self
    }

    pub(crate) fn environment(mut self, environment: &BTreeMap<String, String>) -> Self {
        self.process.envs(environment);
        self
    }

    /// Adds the arguments and the environment that the task gives.
    pub(crate) fn give(mut self, given: &Given) -> Self {
        self.process.args(&given.arguments);
        self.environment(&given.environment)
    }

    /// Puts a file into the directory that the process has to itself.
    pub(crate) fn place(&self, name: &str, content: &str) -> Result<PathBuf, RunnerError> {
        let path = self.folder.path().join(name);
        let put = fs::write(&path, content).and_then(|()| self.user.map_or(Ok(()), |user| user.take(&path)));
        put.map(|()| path).map_err(RunnerError::System)
    }

    /// Executes it to its end. When this is dropped, the process is killed, and what is to end with it.
    pub(crate) async fn run(mut self, given: &Given, listener: &dyn Listener) -> Result<ProcessResult, RunnerError> {
        let mut child = self.process.spawn().map_err(RunnerError::System)?;
        let group = Group::of(&child, self.reach);
        if let Some(leader) = group.leader {
            listener.started(leader.as_raw_nonzero().get());
        }
        let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let feed = async {
            if let (Some(mut pipe), Some(text)) = (input, given.stdin.as_deref()) {
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
        let limit = self.limits.map_or(OUTPUT_LIMIT, |limits| limits.output);
        let outputs = async {
            tokio::try_join!(
                read(output, Stream::Output, limit, listener),
                read(errors, Stream::Error, limit, listener)
            )
        };
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
        if let Some(excess) = self.limits.and_then(|limits| excess(status, &limits)) {
            return Err(excess);
        }
        Ok(ProcessResult { code: code(status), stdout, stderr })
    }
}

/// The limit that a process met, if a signal says so.
fn excess(status: ExitStatus, limits: &Limits) -> Option<RunnerError> {
    use std::os::unix::process::ExitStatusExt as _;
    let signal = status.signal()?;
    if signal == Signal::XCPU.as_raw() {
        Some(RunnerError::TooMuchWork(limits.processor_time))
    } else if signal == Signal::XFSZ.as_raw() {
        Some(RunnerError::TooLargeFile(limits.file_size))
    } else {
        None
    }
}

/// The exit code; as shells say it where a signal ended the process.
fn code(status: ExitStatus) -> i64 {
    use std::os::unix::process::ExitStatusExt as _;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).map_or(-1, i64::from)
}

/// Reads all that is written, and tells each line as it comes.
async fn read(
    pipe: Option<impl AsyncRead + Unpin>,
    stream: Stream,
    limit: u64,
    listener: &dyn Listener,
) -> Result<String, RunnerError> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        let mut pipe = BufReader::new(pipe.take(limit.saturating_add(1)));
        loop {
            let known = bytes.len();
            if pipe.read_until(b'\n', &mut bytes).await.map_err(RunnerError::System)? == 0 {
                break;
            }
            let line = String::from_utf8_lossy(bytes.get(known..).unwrap_or_default());
            listener.line(stream, line.trim_end_matches(['\n', '\r']));
        }
    }
    if bytes.len() as u64 > limit {
        return Err(RunnerError::TooMuchOutput(stream, limit));
    }
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// A process group that ends when this is dropped, with all that is in reach.
struct Group {
    leader: Option<Pid>,
    reach: Reach,
}

impl Group {
    fn of(child: &Child, reach: Reach) -> Self {
        Self { leader: child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw), reach }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.leader {
            // An error says that nobody is left in it.
            let _ = kill_process_group(group, Signal::KILL);
        }
        match self.reach {
            Reach::Group => {}
            Reach::Descendants => descendants::end(),
        }
    }
}

/// Starts a program that goes on by itself, whatever becomes of this process.
pub(crate) fn leave_alone(user: Option<User>, program: &OsStr, arguments: impl IntoIterator<Item = OsString>) {
    use std::os::unix::process::CommandExt as _;
    let mut command = std::process::Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    trust(&mut command, user);
    if let Some(user) = user {
        user.own(&mut command);
    }
    if let Err(error) = command.spawn() {
        tracing::warn!(%error, "a container cannot be removed");
    }
}

/// Gives a command the environment around this process, with the places that are its user's own.
fn trust(command: &mut std::process::Command, user: Option<User>) {
    command.env_clear().envs(std::env::vars_os());
    if let Some(user) = user {
        command.env_remove("XDG_RUNTIME_DIR");
        if let Some(home) = user.home() {
            command.env("HOME", home);
        }
        if let Some(folder) = Some(user.runtime_folder()).filter(|folder| folder.is_dir()) {
            command.env("XDG_RUNTIME_DIR", folder);
        }
    }
}
