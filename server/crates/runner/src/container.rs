//! Containers, by podman or docker.

use std::ffi::{OsStr, OsString};

use serde_json::{Map, Value};
use workflow::{
    duration::parse_iso8601,
    process::{Cleanup, Container, ProcessResult, PullPolicy},
};

use crate::{
    Limits, Listener, Runner, RunnerError, User,
    child::{Command, leave_alone},
};

/// What may execute containers, the first that is there.
const PROGRAMS: &[&str] = &["podman", "docker"];
/// By this exit code both say that they themselves have failed.
const FAILED: i64 = 125;

pub(crate) async fn run(
    runner: &Runner,
    container: &Container,
    listener: &dyn Listener,
) -> Result<ProcessResult, RunnerError> {
    let name =
        container.name.as_deref().ok_or_else(|| RunnerError::Definition("the container has no name".to_owned()))?;
    let line = command_line(container, name, runner.limits())?;
    let (program, place) = runner.find(PROGRAMS)?;
    let removal = Removal { user: runner.user(), program: place.as_os_str(), name, wanted: true };
    let mut command = Command::trusted(runner, place.clone())?;
    command.arguments(line);
    // By the environment of the program, so that values do not show in the list of processes.
    let result = command.environment(&container.given.environment).run(&container.given, listener).await?;
    removal.not_needed();
    if result.code == FAILED {
        let said = result.stderr.trim().chars().take(1_000).collect();
        return Err(RunnerError::Engine { program, said });
    }
    if container.lifetime.cleanup == Cleanup::Eventually {
        remove_later(runner.user(), &place, name, container.lifetime.after.as_deref());
    }
    Ok(result)
}

/// The command line of podman and docker.
fn command_line(container: &Container, name: &str, limits: Option<&Limits>) -> Result<Vec<String>, RunnerError> {
    let mut line = vec!["run".to_owned(), "--name".to_owned(), name.to_owned()];
    if let Some(limits) = limits {
        // The container is not a descendant of this process, so its limits are podman's and docker's to set.
        line.extend([
            "--security-opt=no-new-privileges".to_owned(),
            format!("--memory={}b", limits.memory),
            format!("--pids-limit={}", limits.processes),
            format!("--ulimit=cpu={0}:{0}", limits.processor_time.as_secs().max(1)),
            format!("--ulimit=fsize={0}:{0}", limits.file_size),
        ]);
    }
    if container.lifetime.cleanup == Cleanup::Always {
        line.push("--rm".to_owned());
    }
    if container.given.stdin.is_some() {
        line.push("--interactive".to_owned());
    }
    let pull = match container.pull_policy {
        PullPolicy::IfNotPresent => "missing",
        PullPolicy::Always => "always",
        PullPolicy::Never => "never",
    };
    line.push(format!("--pull={pull}"));
    for variable in container.given.environment.keys() {
        line.extend(["--env".to_owned(), variable.clone()]);
    }
    for (option, pairs) in [("--publish", &container.ports), ("--volume", &container.volumes)] {
        for pair in mapped(option, pairs)? {
            line.extend([option.to_owned(), pair]);
        }
    }
    match &container.command {
        Some(command) => {
            // The command is text for the shell of the container, as with `run: shell`.
            line.extend(["--entrypoint".to_owned(), "sh".to_owned(), image(container)?]);
            line.extend(["-c".to_owned(), command.clone(), "sh".to_owned()]);
        }
        None => line.push(image(container)?),
    }
    line.extend(container.given.arguments.iter().cloned());
    Ok(line)
}

/// The image. One that begins with a hyphen would be taken for an option.
fn image(container: &Container) -> Result<String, RunnerError> {
    if container.image.starts_with('-') {
        return Err(RunnerError::Definition(format!("“{}” is not the name of an image", container.image)));
    }
    Ok(container.image.clone())
}

/// `8080: 80` as `8080:80`: the side of the host, then that of the container.
fn mapped(option: &str, pairs: &Map<String, Value>) -> Result<Vec<String>, RunnerError> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    pairs
        .iter()
        .map(|(host, inside)| {
            let inside = text(inside).ok_or_else(|| {
                RunnerError::Definition(format!(
                    "{}: the value of “{host}” is not text",
                    option.trim_start_matches('-')
                ))
            })?;
            Ok(format!("{host}:{inside}"))
        })
        .collect()
}

/// Removes a container that nobody waits for any more: ending its command line does not end the container.
struct Removal<'a> {
    user: Option<User>,
    program: &'a OsStr,
    name: &'a str,
    wanted: bool,
}

impl Removal<'_> {
    fn not_needed(mut self) {
        self.wanted = false;
    }
}

impl Drop for Removal<'_> {
    fn drop(&mut self) {
        if self.wanted {
            leave_alone(self.user, self.program, ["rm", "--force", self.name].map(OsString::from));
        }
    }
}

/// Removes a container after a time, even if this process has ended by then.
fn remove_later(user: Option<User>, program: &std::path::Path, name: &str, after: Option<&str>) {
    let seconds = after.and_then(parse_iso8601).unwrap_or_default().as_secs();
    let line = [OsStr::new("-c"), OsStr::new(r#"sleep "$1"; exec "$2" rm --force "$3""#), OsStr::new("sh")];
    let arguments = line.map(OsString::from).into_iter().chain([
        OsString::from(seconds.to_string()),
        program.as_os_str().to_owned(),
        OsString::from(name),
    ]);
    leave_alone(user, OsStr::new("/bin/sh"), arguments);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(container: Value) -> Vec<String> {
        command_line(&serde_json::from_value(container).unwrap(), "n", None).unwrap()
    }

    #[test]
    fn a_definition_becomes_a_command_line() {
        assert_eq!(line(json!({"image": "hello-world"})), ["run", "--name", "n", "--pull=missing", "hello-world"]);
        let whole = line(json!({
            "image": "alpine", "stdin": "x", "pullPolicy": "never", "lifetime": {"cleanup": "always"},
            "environment": {"KEY": "s3cret"}, "ports": {"8080": 80}, "volumes": {"/a": "/b"},
            "command": "echo $1", "arguments": ["Foo"]
        }));
        let expected = [
            "run",
            "--name",
            "n",
            "--rm",
            "--interactive",
            "--pull=never",
            "--env",
            "KEY",
            "--publish",
            "8080:80",
            "--volume",
            "/a:/b",
            "--entrypoint",
            "sh",
            "alpine",
            "-c",
            "echo $1",
            "sh",
            "Foo",
        ];
        assert_eq!(whole, expected);
    }

    #[test]
    fn limits_are_for_the_container() {
        let container = serde_json::from_value(json!({"image": "x"})).unwrap();
        let line = command_line(&container, "n", Some(&Limits::default())).unwrap();
        for option in
            ["--memory=536870912b", "--pids-limit=256", "--ulimit=cpu=60:60", "--ulimit=fsize=67108864:67108864"]
        {
            assert!(line.iter().any(|part| part == option), "{option} in {line:?}");
        }
    }

    #[test]
    fn what_would_be_taken_for_something_else_is_refused() {
        for container in [json!({"image": "--privileged"}), json!({"image": "x", "ports": {"80": {}}})] {
            assert!(command_line(&serde_json::from_value(container).unwrap(), "n", None).is_err());
        }
    }
}
