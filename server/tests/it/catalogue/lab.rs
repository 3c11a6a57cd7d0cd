//! The connections that lead to the counterparts of `scripts/with-services`, by the same files as `make lab` makes them.

use std::{path::Path, process::Command};

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::server::repository;

/// The connection of this name to a service of the lab: name, kind, settings.
pub(crate) fn to(service: &str, name: &'static str) -> (&'static str, String, Value) {
    let file = repository().join("end2end/lab").join(service).join("connections.json");
    let text = std::fs::read_to_string(&file).unwrap_or_else(|cause| panic!("{}: {cause}", file.display()));
    let connections: Vec<Value> = serde_json::from_str(&text).unwrap();
    let found = connections.into_iter().find(|one| one["name"] == name);
    let found = found.unwrap_or_else(|| panic!("{} has no connection {name}", file.display()));
    (name, found["kind"].as_str().unwrap().to_owned(), filled(&found["settings"]))
}

/// A setting of the services.
pub(crate) fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run by scripts/with-services"))
}

/// What the texts in a value stand for, as `end2end/lab/connect.mjs` has it.
fn filled(value: &Value) -> Value {
    match value {
        Value::Array(values) => values.iter().map(filled).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), filled(value))).collect::<Map<_, _>>().into()
        }
        Value::String(text) => match text.split_at_checked(1) {
            Some(("$", name)) => setting(name).into(),
            Some(("#", name)) => setting(name).parse::<u16>().unwrap().into(),
            Some(("@", name)) => std::fs::read_to_string(setting(name)).unwrap().into(),
            _ => value.clone(),
        },
        other => other.clone(),
    }
}

/// A repository of the Git server; it ends with the test.
pub(crate) struct Repository {
    served: TempDir,
    work: TempDir,
}

impl Repository {
    /// One with these files at the tag `v1`.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let served = tempfile::Builder::new().suffix(".git").tempdir_in(setting("TEST_GIT_ROOT")).unwrap();
        let new = Self { served, work: tempfile::tempdir().unwrap() };
        git(new.served.path(), &["init", "-q", "--bare", "-b", "main"]);
        git(new.work.path(), &["init", "-q", "-b", "main"]);
        git(new.work.path(), &["remote", "add", "origin", new.served.path().to_str().unwrap()]);
        new.release("v1", files);
        new
    }

    /// Changes these files, and has a tag say so.
    pub(crate) fn release(&self, tag: &str, files: &[(&str, &str)]) {
        for (path, text) in files {
            let path = self.work.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let work = self.work.path();
        git(work, &["add", "-A"]);
        git(work, &["commit", "-q", "-m", tag]);
        git(work, &["tag", tag]);
        git(work, &["push", "-q", "origin", "main", tag]);
    }

    /// A connection to it.
    pub(crate) fn connection(&self, name: &'static str) -> (&'static str, String, Value) {
        let served = self.served.path().file_name().unwrap().to_str().unwrap();
        let url = format!("{}/{served}", setting("TEST_GIT_URL"));
        let (user, password) = (setting("TEST_GIT_USER"), setting("TEST_GIT_PASSWORD"));
        (name, "git".to_owned(), json!({"url": url, "username": user, "password": password}))
    }
}

fn git(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.args(arguments).current_dir(folder);
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "Test").env(format!("GIT_{who}_EMAIL"), "test@example.test");
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
