//! Commands that run once: the host itself remembers them.
//!
//! A command with `once` has a folder on the host, named by the idempotency key, with the process that runs it (`pid`),
//! what it wrote (`out`, `err`) and, in the end and atomically, its exit code (`code`). Whoever makes the folder runs
//! the command; everybody else finds out from it what became of it. Its output goes to files, so that the command goes
//! on when the connection is lost.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use workflow::{RunError, StandardError};

use super::{
    command::{Ended, Execution, With, execute, quoted},
    session::Session,
};
use crate::{CallContext, Failure, FailureKind, Probe};

/// How the folders of calls begin; nothing else is ever removed beside them.
const PREFIX: &str = "rondo-";
/// Markers of calls are removed after this many days.
const KEPT_DAYS: u32 = 30;

/// A call as the host remembers it.
pub(super) struct Marker<'a> {
    session: &'a Arc<Session>,
    host: &'a str,
    /// Where the host keeps all of them.
    folder: &'a str,
    name: String,
}

/// What the host knows of a call.
enum State {
    /// It was never begun.
    Absent,
    Running,
    Ended,
    /// It was begun, and neither ended nor goes on.
    Interrupted,
}

impl<'a> Marker<'a> {
    pub(super) fn new(session: &'a Arc<Session>, host: &'a str, folder: &'a str, key: &str) -> Self {
        let digest = hex::encode(Sha256::digest(key.as_bytes()));
        Self { session, host, folder, name: format!("{PREFIX}{}", digest.get(..32).unwrap_or(&digest)) }
    }

    /// Runs the command, unless an attempt before has done so; either way with what it gave.
    pub(super) async fn run(&self, with: &With, context: &CallContext) -> Result<Value, Failure> {
        let line = self.running(with);
        self.execute(&line, with, None).await?;
        match self.state().await? {
            State::Ended => {
                let ended = self.ended(with, Some(context)).await?;
                let judged = ended.judged(&with.expect);
                if judged.is_err() {
                    // Told now, so that a retry of the task runs it anew; if not, the retry is told the same again.
                    let _ = self.shell(&format!("rm -rf {}", self.path())).await;
                }
                judged
            }
            State::Running => Err(self.unknown("an earlier attempt of it still runs")),
            State::Interrupted => Err(self.unknown("it was interrupted in the middle")),
            State::Absent => Err(Failure::configuration(format!(
                "the folder {} cannot be made on {}; name one that the account can write to (`markers` of the connection)",
                self.folder, self.host
            ))),
        }
    }

    /// What became of the call.
    pub(super) async fn probe(&self, with: &With, context: &CallContext) -> Result<Probe, Failure> {
        Ok(match self.state().await? {
            State::Absent => Probe::DidNotHappen,
            State::Ended => match self.ended(with, Some(context)).await?.judged(&with.expect) {
                Ok(output) => Probe::Happened(output),
                // It ended and failed: another attempt does not run it again, but is told so.
                Err(_) => Probe::DidNotHappen,
            },
            State::Running => {
                context.warn(format!("the command still runs on {}", self.host));
                Probe::CannotTell
            }
            State::Interrupted => {
                context.warn(format!("the command was interrupted on {}; look there what it has done", self.host));
                Probe::CannotTell
            }
        })
    }

    fn path(&self) -> String {
        quoted(&format!("{}/{}", self.folder, self.name))
    }

    /// Claims the call by making its folder, and runs the command if that was new.
    fn running(&self, with: &With) -> String {
        let script = format!(
            "mask=$(umask); umask 077\n\
             mkdir -p {folder} || exit 0\n\
             find {folder} -mindepth 1 -maxdepth 1 -type d -name '{PREFIX}*' -mtime +{KEPT_DAYS} -exec rm -rf {{}} + \
             2>/dev/null\n\
             mkdir {path} 2>/dev/null || exit 0\n\
             echo $$ > {path}/pid\n\
             (umask \"$mask\"; exec /bin/sh -c {command}) > {path}/out 2> {path}/err\n\
             echo $? > {path}/code.new && mv {path}/code.new {path}/code",
            folder = quoted(self.folder),
            path = self.path(),
            command = quoted(&with.line()),
        );
        format!("exec /bin/sh -c {}", quoted(&script))
    }

    async fn state(&self) -> Result<State, Failure> {
        let script = format!(
            "cd {path} 2>/dev/null || {{ echo absent; exit; }}\n\
             if [ -f code ]; then echo ended\n\
             elif [ ! -f pid ] || kill -0 \"$(cat pid)\" 2>/dev/null; then echo running\n\
             else echo interrupted; fi",
            path = self.path()
        );
        let ended = self.shell(&script).await.map_err(Self::not_told)?;
        match ended.stdout().trim() {
            "absent" => Ok(State::Absent),
            "running" => Ok(State::Running),
            "ended" => Ok(State::Ended),
            "interrupted" => Ok(State::Interrupted),
            _ => Err(self.unknown("the host does not say what became of it: the account needs a POSIX shell")),
        }
    }

    /// The exit code and output that the host has kept.
    async fn ended(&self, with: &With, context: Option<&CallContext>) -> Result<Ended, Failure> {
        let script = format!("cd {} && cat out && cat err >&2 && exit \"$(cat code)\"", self.path());
        let line = format!("exec /bin/sh -c {}", quoted(&script));
        self.execute(&line, with, context).await.map_err(Self::not_told)
    }

    async fn execute(&self, line: &str, with: &With, context: Option<&CallContext>) -> Result<Ended, Failure> {
        let running = context.is_none();
        let nothing = BTreeMap::new();
        let execution = Execution {
            line,
            stdin: if running { with.stdin.as_deref() } else { None },
            environment: if running { &with.environment } else { &nothing },
            max_output: with.max_output,
            log: context.filter(|_| with.log).map(|context| &context.log),
        };
        execute(self.session, &execution, self.host).await
    }

    async fn shell(&self, script: &str) -> Result<Ended, Failure> {
        let line = format!("exec /bin/sh -c {}", quoted(script));
        let nothing = BTreeMap::new();
        let execution = Execution { line: &line, stdin: None, environment: &nothing, max_output: 100, log: None };
        execute(self.session, &execution, self.host).await
    }

    /// Asking failed after the command was sent, so that not even a failure to connect means that nothing happened.
    fn not_told(failure: Failure) -> Failure {
        if failure.kind == FailureKind::Permanent { failure } else { Failure::unknown(*failure.error) }
    }

    fn unknown(&self, what: &str) -> Failure {
        let detail = format!("the command on {}: {what}", self.host);
        Failure::unknown(RunError::new(StandardError::Runtime, detail))
    }
}
