//! The runner process: executes one process, and sees to it that nothing of it stays.

use std::{
    ffi::OsString,
    io::{self, Write as _},
    process::ExitCode,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Stdin},
    signal::unix::{SignalKind, signal},
    time::timeout,
};
use workflow::{RunError, StandardError};

use crate::{
    Limits, Listener, Runner, RunnerError, User,
    child::Confinement,
    descendants,
    limits::become_program,
    protocol::{Note, Order, Stream, VERSION},
};

/// What the program does when it is the runner, `arguments` being what follows its name.
///
/// Without any it takes an order from its standard input. With limits and a command it takes the limits and becomes that
/// command; only a runner calls it so.
#[must_use]
pub fn main(arguments: &[OsString]) -> ExitCode {
    let done = match arguments.split_first() {
        Some((limits, command)) => Err(become_program(limits, command)),
        None => guard(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rondo runner: {error}");
            ExitCode::FAILURE
        }
    }
}

fn guard() -> io::Result<()> {
    descendants::adopt()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let served = runtime.block_on(serve());
    // A thread may still be waiting for input.
    runtime.shutdown_background();
    served
}

async fn serve() -> io::Result<()> {
    // The pipe says when to end. A signal that is meant for all of a server's processes would end this one too soon.
    let mut deaf = Vec::new();
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()] {
        deaf.push(signal(kind)?);
    }
    let mut input = BufReader::new(tokio::io::stdin());
    let mut line = String::new();
    input.read_line(&mut line).await?;
    let order = match read(&line) {
        Ok(order) => order,
        Err(error) => return tell(&Note::Failed(error)),
    };
    let Order { process, limits, user, .. } = order;
    let runner = Runner::confined(limits, user);
    tell(&Note::Starting)?;
    let ended = tokio::select! {
        ended = timeout(limits.time, runner.run(&process, &Telling)) => {
            ended.unwrap_or(Err(RunnerError::TooLong(limits.time)))
        }
        // Nobody waits for it any more. What is left of it is killed as the other branch is dropped.
        () = closed(input) => return Ok(()),
    };
    tell(&ended.map_or_else(|error| Note::Failed(error.into()), Note::Ended))
}

/// The order of a line. What is wrong with it is not quoted: it may hold secrets.
fn read(line: &str) -> Result<Order, RunError> {
    let order: Option<Order> = serde_json::from_str(line).ok();
    order.filter(|order| order.version == VERSION).ok_or_else(|| {
        let detail = format!("the runner expects an order of version {VERSION}; it and the server are not one program");
        RunError::new(StandardError::Configuration, detail)
    })
}

async fn closed(mut input: BufReader<Stdin>) {
    let mut rest = [0; 64];
    while input.read(&mut rest).await.is_ok_and(|count| count > 0) {}
}

/// Tells the server. It always reads; if it has gone, so has the reason for the process, which is noticed elsewhere.
fn tell(note: &Note) -> io::Result<()> {
    let mut line = serde_json::to_vec(note)?;
    line.push(b'\n');
    let mut output = io::stdout().lock();
    output.write_all(&line)?;
    output.flush()
}

struct Telling;

impl Listener for Telling {
    fn started(&self, group: i32) {
        let _ = tell(&Note::Started(group));
    }

    fn line(&self, stream: Stream, text: &str) {
        let _ = tell(&Note::Line(stream, text.to_owned()));
    }
}

impl Runner {
    /// With the programs of the environment's `PATH`, within limits, and for another user where one is named. Only for a
    /// process that has adopted its descendants and has no others: all of them end with the one that is run.
    fn confined(limits: Limits, user: Option<User>) -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        Self { path, confinement: Some(Confinement { limits, user }) }
    }
}
