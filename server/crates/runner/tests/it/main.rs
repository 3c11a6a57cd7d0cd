//! Real processes on this machine.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: what fails here is the test's failure")]

mod guarded;

use std::{path::Path, time::Duration};

use runner::{Nobody, Runner, RunnerError, Stream};
use serde_json::{Value, json};
use workflow::process::{Process, ProcessResult};

/// Long enough for anything on this machine, short enough to notice what hangs.
const PATIENCE: Duration = Duration::from_secs(20);

fn runner() -> Runner {
    Runner::new(std::env::var_os("PATH").unwrap())
}

fn process(function: &str, with: Value) -> Process {
    Process::read(function, with).unwrap_or_else(|error| panic!("{error:?}"))
}

async fn shell(with: Value) -> Result<ProcessResult, RunnerError> {
    let shell = process("run.shell", with);
    tokio::time::timeout(PATIENCE, runner().run(&shell, &Nobody)).await.unwrap()
}

async fn script(with: Value) -> ProcessResult {
    let script = process("run.script", with);
    tokio::time::timeout(PATIENCE, runner().run(&script, &Nobody)).await.unwrap().unwrap()
}

fn result(code: i64, stdout: &str, stderr: &str) -> ProcessResult {
    ProcessResult { code, stdout: stdout.to_owned(), stderr: stderr.to_owned() }
}

/// Waits until a condition holds.
async fn until(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
}

fn is_alive(pid: &str) -> bool {
    // A process that has ended and that nobody has waited for yet is a zombie: not alive.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test]
async fn a_shell_command_gets_input_arguments_and_environment() {
    let with = json!({
        "command": "input=$(cat)\necho \"STDIN was: $input\"\necho \"ARGS are $1 $2 $WORD\"\necho no >&2; exit 3",
        "stdin": "Hello World", "arguments": ["Foo", "Bar"], "environment": {"WORD": "w"}
    });
    assert_eq!(shell(with).await.unwrap(), result(3, "STDIN was: Hello World\nARGS are Foo Bar w\n", "no\n"));
}

#[tokio::test]
async fn nothing_of_the_surroundings_gets_in_and_nothing_stays() {
    let ended = shell(json!({"command": "env; pwd; echo x > left"})).await.unwrap();
    let mut names: Vec<&str> =
        ended.stdout.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    names.retain(|name| !["_", "PWD", "SHLVL", "OLDPWD"].contains(name));
    names.sort_unstable();
    assert_eq!(names, ["HOME", "LANG", "PATH", "TMPDIR"]);
    let folder = ended.stdout.lines().last().unwrap();
    assert!(folder.contains("rondo-") && !Path::new(folder).exists(), "{folder}");
}

#[tokio::test]
async fn what_a_process_leaves_behind_ends_with_it() {
    let ended = shell(json!({"command": "sleep 1000 & echo $!"})).await.unwrap();
    let pid = ended.stdout.trim().to_owned();
    until(|| !is_alive(&pid)).await;
}

#[tokio::test]
async fn a_process_that_nobody_waits_for_is_killed_with_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let note = folder.path().join("pids");
    let command = format!("sleep 1000 & echo $$ $! > {0}.new; mv {0}.new {0}; wait", note.display());
    let shell = process("run.shell", json!({"command": command}));
    let running = tokio::spawn(async move { runner().run(&shell, &Nobody).await });
    until(|| note.exists()).await;
    let pids = std::fs::read_to_string(&note).unwrap();
    assert!(pids.split_whitespace().all(is_alive), "{pids}");
    running.abort();
    until(|| !pids.split_whitespace().any(is_alive)).await;
}

#[tokio::test]
async fn a_flood_of_output_is_an_error() {
    let flood = shell(json!({"command": "while :; do echo 0123456789012345678901234567890123456789; done"})).await;
    assert!(matches!(flood, Err(RunnerError::TooMuchOutput(Stream::Output, _))), "{flood:?}");
}

#[tokio::test]
async fn input_that_is_not_read_does_no_harm() {
    let ended = shell(json!({"command": "exec 0<&-; echo done", "stdin": "x".repeat(200_000)})).await.unwrap();
    assert_eq!(ended, result(0, "done\n", ""));
    assert_eq!(shell(json!({"command": "kill -TERM $$"})).await.unwrap().code, 143);
}

#[tokio::test]
async fn scripts_run_in_their_language() {
    let python = "import sys, os\nprint(sys.stdin.read(), sys.argv[1], os.environ['foo'])";
    let with = json!({
        "language": "python", "code": python, "stdin": "in", "arguments": ["a b"], "environment": {"foo": "bar"}
    });
    assert_eq!(script(with).await, result(0, "in a b bar\n", ""));
    let module = "import { readFileSync } from 'node:fs';\nconst [_, __, arg] = process.argv;\n\
                  console.log(readFileSync(process.stdin.fd, 'utf8'), arg, process.env.foo);";
    let with = json!({
        "language": "js", "code": module, "stdin": "in", "arguments": ["a"], "environment": {"foo": "bar"}
    });
    assert_eq!(script(with).await, result(0, "in a bar\n", ""));
    let old = json!({"language": "javascript", "code": "console.error(require('os').EOL.length); process.exit(4)"});
    assert_eq!(script(old).await, result(4, "", "1\n"));
}

#[tokio::test]
async fn what_is_not_installed_is_named() {
    let nowhere = Runner::new("/nowhere".into());
    let error = async |function, with| nowhere.run(&process(function, with), &Nobody).await.unwrap_err();
    let python = error("run.script", json!({"language": "python", "code": ""})).await;
    assert_eq!(python.to_string(), "python3 is not installed here");
    let container = error("run.container", json!({"image": "hello-world", "name": "n"})).await;
    assert_eq!(container.to_string(), "none of podman, docker is installed here");
    let unread = error("run.script", json!({"language": "js", "source": {"endpoint": "x"}})).await;
    assert!(matches!(unread, RunnerError::NoCode));
}
