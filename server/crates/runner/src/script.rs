//! Scripts in JavaScript and Python.

use workflow::process::{Language, ProcessResult, Script};

use crate::{Listener, Runner, RunnerError, child::Command};

pub(crate) async fn run(
    runner: &Runner,
    script: &Script,
    listener: &dyn Listener,
) -> Result<ProcessResult, RunnerError> {
    let code = script.code.as_deref().ok_or(RunnerError::NoCode)?;
    let (programs, file): (&[&str], &str) = match script.language {
        Language::Javascript if is_module(code) => (&["node"], "script.mjs"),
        Language::Javascript => (&["node"], "script.cjs"),
        Language::Python => (&["python3"], "script.py"),
    };
    let mut command = Command::new(runner, runner.find(programs)?)?;
    let place = command.place(file, code)?;
    command.arguments([&place]);
    command.give(&script.given).run(&script.given, listener).await
}

/// Whether JavaScript is a module: only one may import and export by statements, and only the other kind may `require`.
fn is_module(code: &str) -> bool {
    code.lines().map(str::trim_start).any(|line| {
        ["import", "export"]
            .iter()
            .any(|word| line.strip_prefix(word).is_some_and(|rest| rest.starts_with([' ', '\t', '{', '*', '"', '\''])))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_known_by_their_statements() {
        assert!(is_module("// first\n  import { a } from 'node:fs';"));
        assert!(is_module("export default 1"));
        assert!(!is_module("const fs = require('fs'); importAll()"));
        assert!(!is_module("const a = import('x')"));
    }
}
