//! Processes in the care of a runner process.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use runner::{Limits, Listener, Nobody, RunnerProcess, Stream, Undone};
use rustix::process::{Pid, Signal, getuid, kill_process};
use serde_json::{Value, json};
use workflow::{StandardError, process::ProcessResult};

use crate::{PATIENCE, is_alive, process, until};

fn runner(limits: Limits) -> RunnerProcess {
    RunnerProcess::new(PathBuf::from(env!("CARGO_BIN_EXE_runner")), Vec::new(), "nobody".to_owned(), limits)
}

async fn run_within(limits: Limits, function: &str, with: Value) -> Result<ProcessResult, Undone> {
    tokio::time::timeout(PATIENCE, runner(limits).run(process(function, with), &Nobody)).await.unwrap()
}

async fn shell_within(limits: Limits, command: &str) -> Result<ProcessResult, Undone> {
    run_within(limits, "run.shell", json!({"command": command})).await
}

async fn shell(command: &str) -> ProcessResult {
    shell_within(Limits::default(), command).await.unwrap()
}

async fn python_within(limits: Limits, code: &str) -> ProcessResult {
    run_within(limits, "run.script", json!({"language": "python", "code": code})).await.unwrap()
}

/// Why it failed.
fn failure(ended: Result<ProcessResult, Undone>) -> workflow::RunError {
    match ended.unwrap_err() {
        Undone::Failed(error) => error,
        other => panic!("{other:?}"),
    }
}

/// Keeps what it hears.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<String>>>);

impl Ear {
    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Listener for Ear {
    fn line(&self, _stream: Stream, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}

/// Says the number of its guard, its own, and that of somebody who has left its group; and then waits.
const FAMILY: &str = "echo $PPID; echo $$; setsid sleep 1000 & echo $!; wait";

/// Starts [`FAMILY`]; what it runs in, and the three numbers.
async fn family() -> (tokio::task::JoinHandle<Result<ProcessResult, Undone>>, Vec<String>) {
    let ear = Ear::default();
    let hearing = ear.clone();
    let shell = process("run.shell", json!({"command": FAMILY}));
    let running = tokio::spawn(async move { runner(Limits::default()).run(shell, &hearing).await });
    until(|| ear.lines().len() == 3).await;
    let pids = ear.lines();
    assert!(pids.iter().all(|pid| is_alive(pid)), "{pids:?}");
    (running, pids)
}

#[tokio::test]
async fn a_process_gets_its_own_folder_and_nothing_of_the_surroundings() {
    let with = json!({
        "command": "env; cat; echo \"$1\"; echo x > left; pwd; exit 3",
        "stdin": "in\n", "arguments": ["argument"], "environment": {"WORD": "w"}
    });
    let ended = run_within(Limits::default(), "run.shell", with).await.unwrap();
    let mut names: Vec<&str> =
        ended.stdout.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    names.retain(|name| !["_", "PWD", "SHLVL", "OLDPWD"].contains(name));
    names.sort_unstable();
    assert_eq!(names, ["HOME", "LANG", "PATH", "TMPDIR", "WORD"]);
    let [.., input, argument, folder] = ended.stdout.lines().collect::<Vec<_>>()[..] else { panic!("{ended:?}") };
    assert_eq!((input, argument, ended.code), ("in", "argument", 3));
    assert!(folder.contains("rondo-") && !Path::new(folder).exists(), "{folder}");
}

#[tokio::test]
async fn a_process_belongs_to_its_own_user_and_gets_no_more_rights() {
    let ended = shell("id -u; id -G; grep NoNewPrivs /proc/self/status; cat /etc/shadow").await;
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(lines[2].ends_with('1'), "{ended:?}");
    if getuid().is_root() {
        assert_ne!(lines[0], "0");
        assert!(lines[1].split(' ').all(|group| group != "0"), "{ended:?}");
        assert_ne!(ended.code, 0, "it could read what is root's");
    } else {
        eprintln!("SKIPPED: only root can give processes to another user");
    }
}

#[tokio::test]
async fn memory_is_limited() {
    let limits = Limits { memory: 64 * 1024 * 1024, ..Limits::default() };
    let take = "import sys\nmine = bytearray(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000_000)\nprint(len(mine))";
    let ended = python_within(limits, take).await;
    assert!(ended.code != 0 && ended.stderr.contains("MemoryError"), "{ended:?}");
    assert_eq!(python_within(Limits::default(), take).await.stdout, "200000000\n");
    let share = "import mmap\nmmap.mmap(-1, 6 * 1024 ** 3)";
    assert_ne!(python_within(limits, share).await.code, 0, "what is shared has an end, too");
}

#[tokio::test]
async fn processor_time_is_limited() {
    let limits = Limits { processor_time: Duration::from_secs(1), ..Limits::default() };
    let error = failure(shell_within(limits, "while :; do :; done").await);
    assert_eq!(error.detail.as_deref(), Some("the process used more than 1 seconds of processor time"));
}

#[tokio::test]
async fn files_are_limited() {
    let limits = Limits { file_size: 1_000_000, ..Limits::default() };
    let ended = python_within(limits, "open('large', 'wb').write(bytes(2_000_000))").await;
    assert!(ended.code != 0 && ended.stderr.contains("too large"), "{ended:?}");
}

#[tokio::test]
async fn processes_are_limited() {
    if !getuid().is_root() {
        eprintln!("SKIPPED: only root can give processes to another user, whose processes are counted");
        return;
    }
    let limits = Limits { processes: 12, ..Limits::default() };
    let many = "for number in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do sleep 1000 & done; echo all";
    let ended = shell_within(limits, many).await.unwrap();
    assert!(ended.code != 0 && !ended.stdout.contains("all"), "{ended:?}");
}

#[tokio::test]
async fn time_is_limited() {
    let limits = Limits { time: Duration::from_secs(1), ..Limits::default() };
    let error = failure(shell_within(limits, "sleep 1000").await);
    assert!(error.is(StandardError::Timeout), "{error:?}");
}

#[tokio::test]
async fn output_is_limited() {
    let limits = Limits { output: 1_000, ..Limits::default() };
    let error = failure(shell_within(limits, "while :; do echo 0123456789; done >&2").await);
    assert_eq!(error.detail.as_deref(), Some("the process wrote more than 1000 bytes to its standard error"));
    assert_eq!(shell_within(limits, "printf %1000s x").await.unwrap().stdout.len(), 1_000);
}

#[tokio::test]
async fn what_a_process_leaves_behind_ends_with_it_even_outside_its_group() {
    let ended = shell("setsid sleep 1000 & echo $!; (setsid sh -c 'sleep 1000 & echo $!' &); sleep 0.3").await;
    let pids: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(pids.len(), 2, "{ended:?}");
    assert!(!pids.iter().any(|pid| is_alive(pid)), "{ended:?}");
}

#[tokio::test]
async fn whatever_is_left_is_killed_when_nobody_waits() {
    let (running, pids) = family().await;
    running.abort();
    until(|| !pids.iter().any(|pid| is_alive(pid))).await;
}

#[tokio::test]
async fn a_runner_that_is_killed_leaves_an_unknown_outcome_and_no_process_of_the_group() {
    let (running, pids) = family().await;
    let guard = Pid::from_raw(pids[0].parse().unwrap()).unwrap();
    kill_process(guard, Signal::KILL).unwrap();
    let ended = tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap();
    assert!(matches!(ended, Err(Undone::Lost)), "{ended:?}");
    until(|| !is_alive(&pids[1])).await;
    // Who had left the group before is out of reach then; the test cleans up after itself.
    let _ = kill_process(Pid::from_raw(pids[2].parse().unwrap()).unwrap(), Signal::KILL);
    assert_eq!(shell("echo again").await.stdout, "again\n", "the next process has a guard of its own");
}

#[tokio::test]
async fn a_signal_for_the_server_does_not_end_its_runners() {
    let (running, pids) = family().await;
    let guard = Pid::from_raw(pids[0].parse().unwrap()).unwrap();
    kill_process(guard, Signal::TERM).unwrap();
    kill_process(Pid::from_raw(pids[1].parse().unwrap()).unwrap(), Signal::TERM).unwrap();
    let ended = tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap().unwrap();
    assert_eq!(ended.code, 143, "the guard lived to tell");
    assert!(!is_alive(&pids[2]));
}

#[tokio::test]
async fn a_runner_that_cannot_be_started_has_done_nothing() {
    let nowhere = RunnerProcess::new("/nowhere/rondo".into(), Vec::new(), "nobody".to_owned(), Limits::default());
    let ended = nowhere.run(process("run.shell", json!({"command": "true"})), &Nobody).await;
    assert!(matches!(ended, Err(Undone::NotStarted(_))), "{ended:?}");
    let other = RunnerProcess::new("/bin/true".into(), Vec::new(), "nobody".to_owned(), Limits::default());
    let ended = other.run(process("run.shell", json!({"command": "true"})), &Nobody).await;
    assert!(matches!(ended, Err(Undone::Stillborn)), "{ended:?}");
}

#[test]
fn an_order_of_another_version_is_refused_without_repeating_it() {
    let mut runner = std::process::Command::new(env!("CARGO_BIN_EXE_runner"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let order = json!({
        "version": 99, "process": {"shell": {"command": "echo s3cret"}}, "limits": Limits::default(), "user": null
    });
    writeln!(runner.stdin.take().unwrap(), "{order}").unwrap();
    let said = String::from_utf8(runner.wait_with_output().unwrap().stdout).unwrap();
    assert!(said.starts_with("{\"failed\"") && said.contains("version 1") && !said.contains("s3cret"), "{said}");
}
