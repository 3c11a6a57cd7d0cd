//! Running a command: quoting, output, exit code, stopping.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Error as SshError, Sig, client::Msg};
use serde::Deserialize;
use serde_json::{Value, json};
use workflow::{RunError, StandardError};

use super::session::Session;
use crate::{
    CallContext, Failure, LogLevel, TaskLog,
    written::{Kept, Lines},
};

/// The channel of extended data that is stderr.
const STDERR: u32 = 1;
/// Sends SIGTERM to what else the server runs for this connection: all that it starts for one has the same parent, and is
/// the first of its own group.
const STOP_OTHERS: &str = r#"exec /bin/sh -c 'ps -A -o pid=,ppid= | while read -r pid parent; do
if [ "$parent" = $PPID ] && [ "$pid" != $$ ]; then kill -TERM "-$pid"; fi; done'"#;
/// How long stopping a command may take.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// What a definition says of a command.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct With {
    command: String,
    #[serde(default)]
    arguments: Vec<String>,
    pub(super) stdin: Option<String>,
    #[serde(default)]
    pub(super) environment: BTreeMap<String, String>,
    #[serde(default = "success")]
    pub(super) expect: Vec<u32>,
    #[serde(default = "output_limit")]
    pub(super) max_output: usize,
    #[serde(default = "yes")]
    pub(super) log: bool,
    #[serde(default)]
    pub(super) only_reads: bool,
    #[serde(default)]
    pub(super) once: bool,
}

fn success() -> Vec<u32> {
    vec![0]
}

const fn output_limit() -> usize {
    262_144
}

const fn yes() -> bool {
    true
}

impl With {
    pub(super) fn read(with: &Value) -> Result<Self, Failure> {
        // serde's message may quote a value, and the value may be a secret.
        let with =
            Self::deserialize(with).map_err(|_| Failure::configuration("the arguments of ssh cannot be read"))?;
        let texts = [&with.command].into_iter().chain(&with.arguments).chain(with.environment.values());
        if texts.into_iter().any(|text| text.contains('\0')) {
            let detail = "the command, an argument or a variable holds the character NUL";
            return Err(Failure::permanent(RunError::new(StandardError::Validation, detail)));
        }
        Ok(with)
    }

    /// The command with its arguments, as the shell of the account takes it.
    pub(super) fn line(&self) -> String {
        let quoted = self.arguments.iter().map(|argument| quoted(argument));
        [self.command.clone()].into_iter().chain(quoted).collect::<Vec<_>>().join(" ")
    }
}

/// A text as one word of a shell.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// What is executed, over one channel.
pub(super) struct Execution<'a> {
    pub(super) line: &'a str,
    pub(super) stdin: Option<&'a str>,
    pub(super) environment: &'a BTreeMap<String, String>,
    pub(super) max_output: usize,
    /// Where its lines go, if anywhere.
    pub(super) log: Option<&'a Arc<dyn TaskLog>>,
}

/// How a command ended.
pub(super) enum End {
    Exit(u32),
    Signal(String),
}

/// A command that ended, with its output.
pub(super) struct Ended {
    pub(super) end: End,
    stdout: Kept,
    stderr: Kept,
}

impl Ended {
    pub(super) fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// The output of the task if the command was successful, else its failure.
    pub(super) fn judged(&self, expect: &[u32]) -> Result<Value, Failure> {
        let detail = match &self.end {
            End::Exit(code) if expect.contains(code) => {
                return Ok(json!({
                    "exitCode": code,
                    "stdout": self.stdout.text(),
                    "stderr": self.stderr.text(),
                    "truncated": self.stdout.truncated || self.stderr.truncated,
                }));
            }
            End::Exit(code) => format!(
                "the command ended with exit code {code}, and {} means success (`expect`); what it wrote is in the task's \
                 log",
                expect.iter().map(u32::to_string).collect::<Vec<_>>().join(" or ")
            ),
            End::Signal(name) => format!("the command was ended by the signal {name}"),
        };
        Err(Failure::permanent(RunError::new(StandardError::Runtime, detail)))
    }
}

/// Executes a line on the host. What fails before it was sent is retryable; after that it is unknown what happened.
pub(super) async fn execute(session: &Arc<Session>, execution: &Execution<'_>, host: &str) -> Result<Ended, Failure> {
    let lost = |error: &SshError| Failure::unreachable(format!("the connection to {host} was lost: {error}"));
    let channel = session.handle.channel_open_session().await.map_err(|error| lost(&error))?;
    let (mut reading, writing) = channel.split();
    for (name, value) in execution.environment {
        writing.set_env(true, name.as_str(), value.as_str()).await.map_err(|error| lost(&error))?;
        if !accepted(&mut reading).await {
            return Err(Failure::configuration(format!(
                "{host} does not take the variable {name}; its administrator can permit it (AcceptEnv)"
            )));
        }
    }
    let writing = Arc::new(writing);
    let stop = Stop(Some((Arc::clone(session), Arc::clone(&writing))));
    writing.exec(true, execution.line).await.map_err(|error| lost(&error))?;
    let output = async { Output::new(execution).read(&mut reading).await };
    let input = async {
        // The command may end without having read it all; how it ended is what counts.
        if let Some(stdin) = execution.stdin {
            let _ = writing.data(stdin.as_bytes()).await;
        }
        let _ = writing.eof().await;
        std::future::pending::<()>().await;
    };
    let answer = tokio::select! {
        answer = output => answer,
        () = input => Answer::Lost,
    };
    match answer {
        Answer::Ended(ended) => {
            stop.not_needed();
            Ok(ended)
        }
        Answer::Refused => {
            stop.not_needed();
            Err(Failure::refused(403, format!("{host} lets this account run no commands")))
        }
        Answer::Lost => Err(Failure::unknown(RunError::communication(
            503,
            format!(
                "the connection to {host} was lost while the command ran, so that it may have done its work; look there"
            ),
        ))),
    }
}

/// Whether the last request was granted.
async fn accepted(reading: &mut ChannelReadHalf) -> bool {
    while let Some(message) = reading.wait().await {
        match message {
            ChannelMsg::Success => return true,
            ChannelMsg::Failure | ChannelMsg::Close => return false,
            _ => {}
        }
    }
    false
}

/// Stops the command when nobody waits for it any more.
struct Stop(Option<(Arc<Session>, Arc<ChannelWriteHalf<Msg>>)>);

impl Stop {
    fn not_needed(mut self) {
        self.0 = None;
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        let Some((session, channel)) = self.0.take() else { return };
        tokio::spawn(tokio::time::timeout(STOP_LIMIT, async move {
            // Where the connection is gone, this reaches nobody.
            let _ = channel.signal(Sig::TERM).await;
            // OpenSSH passes no signals on to the commands of root, nor, before 7.9, to any.
            if let Ok(mut others) = session.handle.channel_open_session().await
                && others.exec(false, STOP_OTHERS).await.is_ok()
            {
                while others.wait().await.is_some() {}
            }
            let _ = channel.close().await;
            session.close().await;
        }));
    }
}

enum Answer {
    Ended(Ended),
    Refused,
    Lost,
}

/// What comes from a command.
struct Output<'a> {
    stdout: Kept,
    stderr: Kept,
    lines: Option<(Lines<'a>, Lines<'a>)>,
    end: Option<End>,
}

impl<'a> Output<'a> {
    fn new(execution: &Execution<'a>) -> Self {
        let kept = || Kept::new(execution.max_output);
        let lines = execution.log.map(|log| (Lines::new(log, LogLevel::Info), Lines::new(log, LogLevel::Warn)));
        Self { stdout: kept(), stderr: kept(), lines, end: None }
    }

    async fn read(mut self, reading: &mut ChannelReadHalf) -> Answer {
        while let Some(message) = reading.wait().await {
            match message {
                ChannelMsg::Data { data } => {
                    self.stdout.push(&data);
                    if let Some((lines, _)) = &mut self.lines {
                        lines.push(&data);
                    }
                }
                ChannelMsg::ExtendedData { data, ext: STDERR } => {
                    self.stderr.push(&data);
                    if let Some((_, lines)) = &mut self.lines {
                        lines.push(&data);
                    }
                }
                ChannelMsg::Failure => return Answer::Refused,
                ChannelMsg::ExitStatus { exit_status } => self.end = Some(End::Exit(exit_status)),
                ChannelMsg::ExitSignal { signal_name, .. } => {
                    self.end = Some(End::Signal(match signal_name {
                        Sig::Custom(name) => name,
                        known => format!("{known:?}"),
                    }));
                }
                ChannelMsg::Close => break,
                _ => {}
            }
        }
        if let Some((stdout, stderr)) = self.lines {
            stdout.end();
            stderr.end();
        }
        match self.end {
            Some(end) => Answer::Ended(Ended { end, stdout: self.stdout, stderr: self.stderr }),
            None => Answer::Lost,
        }
    }
}

/// Runs the command as the definition says, remembering nothing on the host.
pub(super) async fn run(
    session: &Arc<Session>,
    with: &With,
    context: &CallContext,
    host: &str,
) -> Result<Value, Failure> {
    let line = with.line();
    let execution = Execution {
        line: &line,
        stdin: with.stdin.as_deref(),
        environment: &with.environment,
        max_output: with.max_output,
        log: with.log.then_some(&context.log),
    };
    let ended = execute(session, &execution, host).await.map_err(|failure| {
        if with.only_reads && failure.kind == crate::FailureKind::Unknown {
            Failure::lost(*failure.error)
        } else {
            failure
        }
    })?;
    ended.judged(&with.expect)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_one_word_each() {
        let with = With::read(&json!({"command": "printf %s", "arguments": ["a b", "it's", "$(id)", "", "-x; rm *"]}));
        let line = with.unwrap().line();
        assert_eq!(line, r"printf %s 'a b' 'it'\''s' '$(id)' '' '-x; rm *'");
    }

    #[test]
    fn a_text_with_nul_is_no_argument() {
        let failure = With::read(&json!({"command": "true", "arguments": ["a\0b"]})).err().unwrap();
        assert!(failure.error.is(StandardError::Validation), "{failure}");
    }
}
