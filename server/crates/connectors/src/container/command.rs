//! Commands in containers, and what containers write.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use workflow::{RunError, StandardError};

use super::{
    engine::{Engine, is_of_an_engine, missing},
    frames::{Frames, Output},
};
use crate::{
    Failure, LogLevel, TaskLog,
    written::{Kept, Lines},
};

/// How often is looked whether a command has ended whose outputs have.
const LOOKS: u32 = 40;
/// And how long is waited between.
const PAUSE: Duration = Duration::from_millis(50);

/// What a definition says of a command.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Command {
    #[serde(rename = "command")]
    words: Vec<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    user: Option<String>,
    working_directory: Option<String>,
    #[serde(default = "success")]
    expect: Vec<i64>,
    #[serde(default = "output_limit")]
    max_output: usize,
    #[serde(default = "yes")]
    pub(super) log: bool,
}

fn success() -> Vec<i64> {
    vec![0]
}

pub(super) const fn output_limit() -> usize {
    262_144
}

const fn yes() -> bool {
    true
}

impl Command {
    /// One that looks whether all is well.
    pub(super) fn check(words: &[String], max_output: usize) -> Self {
        Self {
            words: words.to_vec(),
            environment: BTreeMap::new(),
            user: None,
            working_directory: None,
            expect: success(),
            max_output,
            log: false,
        }
    }

    fn body(&self) -> Value {
        let environment: Vec<String> = self.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
        json!({
            "AttachStdout": true, "AttachStderr": true, "Cmd": self.words, "Env": environment,
            "User": self.user.as_deref().unwrap_or_default(),
            "WorkingDir": self.working_directory.as_deref().unwrap_or_default(),
        })
    }
}

/// A command that ended.
pub(super) struct Ended {
    pub(super) code: i64,
    written: Written,
}

impl Ended {
    /// The output of the task if the command was successful, else its failure.
    pub(super) fn judged(&self, command: &Command) -> Result<Value, Failure> {
        let code = self.code;
        if command.expect.contains(&code) {
            let mut output = self.written.output();
            if let Some(members) = output.as_object_mut() {
                members.insert("exitCode".to_owned(), code.into());
            }
            return Ok(output);
        }
        let expected = command.expect.iter().map(i64::to_string).collect::<Vec<_>>().join(" or ");
        Err(Failure::permanent(RunError::new(
            StandardError::Runtime,
            format!(
                "the command ended with exit code {code}, and {expected} means success (`expect`); what it wrote is in the \
                 task's log"
            ),
        )))
    }
}

/// Both outputs, as far as they are kept.
struct Written {
    stdout: Kept,
    stderr: Kept,
}

impl Written {
    fn new(limit: usize) -> Self {
        Self { stdout: Kept::new(limit), stderr: Kept::new(limit) }
    }

    fn output(&self) -> Value {
        json!({
            "stdout": self.stdout.text(), "stderr": self.stderr.text(),
            "truncated": self.stdout.truncated || self.stderr.truncated,
        })
    }
}

/// Runs a command in a container that runs. Until it is told to start, nothing has happened.
pub(super) async fn run(
    engine: &Engine,
    name: &str,
    command: &Command,
    log: Option<&Arc<dyn TaskLog>>,
) -> Result<Ended, Failure> {
    let preparing = engine.repeatable();
    let answer = preparing.ask(Method::POST, &["containers", name, "exec"], &[], Some(&command.body())).await;
    // A command that was prepared and is never started leaves nothing behind.
    let answer = answer.map_err(nothing_happened)?;
    if answer.status == 404 && is_of_an_engine(&answer) {
        return Err(missing(name));
    }
    let what = format!("a command in the container {name}");
    let prepared = preparing.document(&what, &answer)?;
    let id = prepared.get("Id").and_then(Value::as_str).ok_or_else(|| preparing.garbled(&what))?;

    let mut written = Written::new(command.max_output);
    let (mut frames, mut lines) = (Frames::default(), log.map(log_lines));
    let begin = json!({"Detach": false, "Tty": false});
    let answer = engine
        .ask_at_length(Method::POST, &["exec", id, "start"], &[], Some(&begin), |data| {
            frames.push(data, |output, piece| take(&mut written, &mut lines, output, piece));
        })
        .await?;
    engine.accepted(&what, &answer)?;
    end(lines);
    // It was started, whatever can be said of its end.
    let ended = ended(engine, id, &what).await.map_err(|failure| {
        let words =
            format!("how the command in {name} has ended cannot be found out: {}; look there", failure.detail());
        engine.terms().after_sending(RunError::communication(503, words))
    })?;
    match ended.get("ExitCode").and_then(Value::as_i64) {
        Some(code) if ended.get("Running") != Some(&Value::Bool(true)) && frames.is_whole() => {
            Ok(Ended { code, written })
        }
        _ => Err(engine.terms().after_sending(RunError::communication(
            503,
            format!(
                "the connection was lost while the command ran in {name}, so that it may have done its work; look there"
            ),
        ))),
    }
}

/// How a command ended whose outputs have. The engine may know it a little later.
async fn ended(engine: &Engine, id: &str, what: &str) -> Result<Value, Failure> {
    let mut looks = 0;
    loop {
        let answer = engine.ask(Method::GET, &["exec", id, "json"], &[], None).await?;
        let ended = engine.document(what, &answer)?;
        looks += 1;
        if looks == LOOKS || ended.get("Running") != Some(&Value::Bool(true)) {
            return Ok(ended);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What a container has written last.
pub(super) async fn logs(engine: &Engine, name: &str, lines: u64, limit: usize) -> Result<Value, Failure> {
    let container = engine.known(name).await?;
    let is_terminal = container.pointer("/Config/Tty") == Some(&Value::Bool(true));
    let mut written = Written::new(limit);
    let mut frames = Frames::default();
    let tail = lines.to_string();
    let query = [("stdout", "true"), ("stderr", "true"), ("tail", tail.as_str())];
    let reading = engine.repeatable();
    let answer = reading
        .ask_at_length(Method::GET, &["containers", name, "logs"], &query, None, |data| {
            if is_terminal {
                written.stdout.push(data);
            } else {
                frames.push(data, |output, piece| take(&mut written, &mut None, output, piece));
            }
        })
        .await?;
    let what = format!("the log of the container {name}");
    reading.accepted(&what, &answer)?;
    if frames.is_whole() { Ok(written.output()) } else { Err(reading.garbled(&what)) }
}

type BothLines<'a> = (Lines<'a>, Lines<'a>);

fn log_lines(log: &Arc<dyn TaskLog>) -> BothLines<'_> {
    (Lines::new(log, LogLevel::Info), Lines::new(log, LogLevel::Warn))
}

fn take(written: &mut Written, lines: &mut Option<BothLines<'_>>, output: Output, piece: &[u8]) {
    match output {
        Output::Stdout => {
            written.stdout.push(piece);
            if let Some((stdout, _)) = lines {
                stdout.push(piece);
            }
        }
        Output::Stderr => {
            written.stderr.push(piece);
            if let Some((_, stderr)) = lines {
                stderr.push(piece);
            }
        }
    }
}

fn end(lines: Option<BothLines<'_>>) {
    if let Some((stdout, stderr)) = lines {
        stdout.end();
        stderr.end();
    }
}

/// A failure of what does no harm by itself: it may be tried again as if it had not been.
fn nothing_happened(failure: Failure) -> Failure {
    use crate::FailureKind::{Lost, Unknown};
    if matches!(failure.kind, Lost | Unknown) { Failure::retryable(*failure.error) } else { failure }
}
