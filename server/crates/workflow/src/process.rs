//! What `run` tasks hand over: reserved functions of [`crate::Effect::Call`], the shapes of their arguments, and what the
//! process's result comes to (dsl-reference.md, "Run").
//!
//! A `run` task is dispatched like a call. [`crate::build_call`] gives a [`crate::CallRequest`] whose `function` is one of
//! the names here and whose `with` reads as the struct of the same name, those of processes by [`Process::read`]. The
//! answer is [`crate::EventKind::CallCompleted`] with a [`ProcessResult`] as JSON (for [`WORKFLOW`]: the output of the
//! other workflow), whatever the exit code, or [`crate::EventKind::CallFailed`] where the process could not be run at all,
//! was cut off, or the other workflow faulted (then with its error).
//!
//! With `await: false` the task completes as soon as its call is dispatched. The call stays [`crate::outstanding`] until it
//! is answered, also after the run has ended; its answer changes nothing else.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::definition::compile_schema;
use crate::{RunError, StandardError};

/// Runs another workflow: [`Workflow`].
pub const WORKFLOW: &str = "run.workflow";
/// Runs a shell command: [`Shell`].
pub const SHELL: &str = "run.shell";
/// Runs a script: [`Script`].
pub const SCRIPT: &str = "run.script";
/// Runs a container: [`Container`].
pub const CONTAINER: &str = "run.container";

/// What each touches, for people.
pub(crate) const SYSTEMS: [(&str, &str); 4] =
    [(WORKFLOW, "Workflow"), (SHELL, "Shell"), (SCRIPT, "Script"), (CONTAINER, "Container")];

/// Arguments of [`WORKFLOW`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Workflow {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its version, or `latest`.
    pub version: String,
    /// Its raw input.
    pub input: Value,
}

/// What every process is given. (That there is nothing else is said by the schemas: serde cannot say it of a part.)
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Given {
    /// What the process reads from its standard input.
    #[serde(default)]
    pub stdin: Option<String>,
    /// The arguments.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// The environment.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
}

/// Arguments of [`SHELL`]. The command is text for a POSIX shell; `arguments` are its `$1`, `$2`, ….
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shell {
    /// The command.
    pub command: String,
    /// What it is given.
    #[serde(flatten)]
    pub given: Given,
}

/// A scripting language with its version (dsl-reference.md, "Script Process").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// ECMAScript 2024.
    #[serde(alias = "js")]
    Javascript,
    /// Python 3.13.
    Python,
}

/// Arguments of [`SCRIPT`]. Exactly one of `code` and `source` is there.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Script {
    /// The language.
    pub language: Language,
    /// The code.
    #[serde(default)]
    pub code: Option<String>,
    /// Where the code is: an external resource, its authentication explicit.
    #[serde(default)]
    pub source: Option<Value>,
    /// What it is given.
    #[serde(flatten)]
    pub given: Given,
}

/// When an image is pulled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PullPolicy {
    /// Unless it is there.
    #[default]
    IfNotPresent,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// When a container is deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Cleanup {
    /// At once.
    Always,
    /// Not by the engine.
    #[default]
    Never,
    /// Some time after.
    Eventually,
}

/// A container's lifetime (dsl-reference.md, "Container Lifetime").
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lifetime {
    /// When it is deleted.
    pub cleanup: Cleanup,
    /// How long after it has ended, as an ISO 8601 duration; there if, and only if, `cleanup` is `eventually`.
    #[serde(default)]
    pub after: Option<String>,
}

/// Arguments of [`CONTAINER`].
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// The image.
    pub image: String,
    /// The container's name.
    #[serde(default)]
    pub name: Option<String>,
    /// What runs in it instead of the image's own command: text for its shell.
    #[serde(default)]
    pub command: Option<String>,
    /// Ports of the host by those of the container, as the definition writes them.
    #[serde(default)]
    pub ports: Map<String, Value>,
    /// Volumes, as the definition writes them.
    #[serde(default)]
    pub volumes: Map<String, Value>,
    /// What it is given.
    #[serde(flatten)]
    pub given: Given,
    /// The lifetime.
    #[serde(default)]
    pub lifetime: Lifetime,
    /// When the image is pulled.
    #[serde(default)]
    pub pull_policy: PullPolicy,
}

/// A process that a `run` task asks for. Has no `Debug`: its environment may hold secrets.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Process {
    /// A command for the shell.
    Shell(Shell),
    /// A script.
    Script(Script),
    /// A container.
    Container(Container),
}

impl Process {
    /// Whether a call of this function asks for a process.
    #[must_use]
    pub fn is_asked_for_by(function: &str) -> bool {
        [SHELL, SCRIPT, CONTAINER].contains(&function)
    }

    /// Reads the arguments of [`SHELL`], [`SCRIPT`] or [`CONTAINER`].
    ///
    /// # Errors
    /// The function is none of these, or its arguments are not what the struct of its name reads.
    pub fn read(function: &str, with: Value) -> Result<Self, RunError> {
        let read = match function {
            SHELL => serde_json::from_value(with).map(Self::Shell),
            SCRIPT => serde_json::from_value(with).map(Self::Script),
            CONTAINER => serde_json::from_value(with).map(Self::Container),
            other => {
                let detail = format!("“{other}” is no process");
                return Err(RunError::new(StandardError::Configuration, detail));
            }
        };
        // serde's message may quote a value, and the value may be a secret.
        read.map_err(|_| RunError::new(StandardError::Validation, "the arguments cannot be read"))
    }

    /// What it is given.
    #[must_use]
    pub fn given(&self) -> &Given {
        match self {
            Self::Shell(shell) => &shell.given,
            Self::Script(script) => &script.given,
            Self::Container(container) => &container.given,
        }
    }
}

/// How a process ended (dsl-reference.md, "Process Result").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessResult {
    /// The exit code.
    pub code: i64,
    /// What it wrote to its standard output.
    pub stdout: String,
    /// What it wrote to its standard error.
    pub stderr: String,
}

/// `return`: what a `run` task outputs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Return {
    #[default]
    Stdout,
    Stderr,
    Code,
    All,
    None,
}

impl Return {
    pub(crate) const NAMES: [&str; 5] = ["stdout", "stderr", "code", "all", "none"];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "stdout" => Self::Stdout,
            "stderr" => Self::Stderr,
            "code" => Self::Code,
            "all" => Self::All,
            "none" => Self::None,
            _ => return None,
        })
    }

    /// What the answer to a process comes to as the task's raw output.
    ///
    /// The specification does not say whether an exit code other than 0 is an error. Who asks for the code or the error
    /// output wants to see for himself; for everybody else a command that failed has failed.
    pub(crate) fn of(self, function: &str, answer: &Value) -> Result<Value, RunError> {
        if function == WORKFLOW {
            // A workflow that completed has ended well, and its output is what it says.
            return Ok(match self {
                Self::Stdout => answer.clone(),
                Self::Stderr => Value::from(""),
                Self::Code => Value::from(0),
                Self::All => json!({"code": 0, "stdout": answer, "stderr": ""}),
                Self::None => Value::Null,
            });
        }
        let Ok(result) = ProcessResult::deserialize(answer) else {
            return Err(RunError::new(StandardError::Runtime, "the runner did not say how the process ended"));
        };
        if result.code != 0 && matches!(self, Self::Stdout | Self::None) {
            let said: String = result.stderr.trim().chars().take(1_000).collect();
            let detail = format!("the process ended with exit code {}: {said}", result.code);
            return Err(RunError::new(StandardError::Runtime, detail.trim_end_matches([':', ' '])));
        }
        Ok(match self {
            Self::Stdout => Value::from(result.stdout),
            Self::Stderr => Value::from(result.stderr),
            Self::Code => Value::from(result.code),
            Self::All => json!({"code": result.code, "stdout": result.stdout, "stderr": result.stderr}),
            Self::None => Value::Null,
        })
    }
}

/// The schema of the arguments of a reserved function, as the definition may write them.
pub(crate) fn schema(function: &str) -> Option<&'static (Value, Arc<jsonschema::Validator>)> {
    SCHEMAS.get(function)
}

static SCHEMAS: LazyLock<BTreeMap<&'static str, (Value, Arc<jsonschema::Validator>)>> = LazyLock::new(|| {
    let scalar = json!({"type": ["string", "number", "boolean"]});
    let text = json!({"type": "string"});
    let process = [
        ("stdin", json!({})),
        ("arguments", json!({"type": "array", "items": scalar})),
        ("environment", json!({"type": "object", "additionalProperties": scalar})),
    ];
    let object = |required: &[&str], properties: Value| {
        let mut all = properties;
        if let Some(all) = all.as_object_mut() {
            all.extend(process.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())));
        }
        json!({"type": "object", "required": required, "additionalProperties": false, "properties": all})
    };
    let mut script = object(
        &["language"],
        json!({
            "language": {"enum": ["js", "javascript", "python"]},
            "code": text,
            "source": {
                "type": "object", "required": ["endpoint"], "additionalProperties": false,
                "properties": {"name": text, "endpoint": {"type": ["string", "object"]}}
            }
        }),
    );
    if let Some(script) = script.as_object_mut() {
        script.insert("oneOf".to_owned(), json!([{"required": ["code"]}, {"required": ["source"]}]));
    }
    let container = object(
        &["image"],
        json!({
            "image": {"type": "string", "minLength": 1},
            "name": text,
            "command": text,
            "ports": {"type": "object"},
            "volumes": {"type": "object"},
            "pullPolicy": {"enum": ["ifNotPresent", "always", "never"]},
            "lifetime": {
                "type": "object", "required": ["cleanup"], "additionalProperties": false,
                "properties": {
                    "cleanup": {"enum": ["always", "never", "eventually"]},
                    "after": {"type": ["string", "object"]}
                },
                "if": {"properties": {"cleanup": {"const": "eventually"}}},
                "then": {"required": ["after"]},
                "else": {"not": {"required": ["after"]}}
            }
        }),
    );
    let workflow = json!({
        "type": "object", "required": ["namespace", "name", "version", "input"], "additionalProperties": false,
        "properties": {"namespace": text, "name": text, "version": text, "input": {}}
    });
    let all = [
        (WORKFLOW, workflow),
        (SHELL, object(&["command"], json!({"command": text}))),
        (SCRIPT, script),
        (CONTAINER, container),
    ];
    all.into_iter()
        .filter_map(|(name, schema)| {
            let validator = compile_schema(&schema).ok()?;
            Some((name, (schema, Arc::new(validator))))
        })
        .collect()
});

/// Makes evaluated arguments what the structs here read: text where text is meant.
pub(crate) fn normalize(function: &str, with: &mut Value) {
    if schema(function).is_none() || function == WORKFLOW {
        return;
    }
    let text = |value: &mut Value| {
        if !value.is_string() && !value.is_null() {
            *value = Value::String(value.to_string());
        }
    };
    let Some(members) = with.as_object_mut() else { return };
    if let Some(stdin) = members.get_mut("stdin") {
        text(stdin);
    }
    if let Some(Value::Array(arguments)) = members.get_mut("arguments") {
        arguments.iter_mut().for_each(text);
    }
    if let Some(Value::Object(environment)) = members.get_mut("environment") {
        environment.values_mut().for_each(text);
    }
    if let Some(after) = members.get_mut("lifetime").and_then(|lifetime| lifetime.get_mut("after"))
        && let Some(duration) = crate::duration::from_value(after)
    {
        *after = Value::String(crate::duration::to_iso8601(duration));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_is_what_return_asks_for() {
        let answer = json!({"code": 3, "stdout": "out\n", "stderr": "err\n"});
        let of = |name: &str| Return::named(name).unwrap().of(SHELL, &answer);
        assert_eq!(of("code").unwrap(), json!(3));
        assert_eq!(of("stderr").unwrap(), json!("err\n"));
        assert_eq!(of("all").unwrap(), answer);
        let error = of("stdout").unwrap_err();
        assert_eq!(error.detail.as_deref(), Some("the process ended with exit code 3: err"));
        assert!(error.is(StandardError::Runtime));
        assert!(of("none").is_err());
        let well = json!({"code": 0, "stdout": "out\n", "stderr": ""});
        assert_eq!(Return::Stdout.of(SHELL, &well).unwrap(), json!("out\n"));
        assert_eq!(Return::None.of(SHELL, &well).unwrap(), Value::Null);
        assert!(Return::Stdout.of(SHELL, &json!("out")).is_err());
        assert_eq!(Return::Stdout.of(WORKFLOW, &json!({"a": 1})).unwrap(), json!({"a": 1}));
        assert_eq!(Return::None.of(WORKFLOW, &json!({"a": 1})).unwrap(), Value::Null);
    }

    #[test]
    fn all_schemas_compile() {
        assert_eq!(SCHEMAS.len(), 4);
    }

    #[test]
    fn arguments_become_text() {
        let mut with = json!({"command": "x", "stdin": {"a": 1}, "arguments": ["a", 1, true], "environment": {"N": 2}});
        normalize(SHELL, &mut with);
        let shell: Shell = serde_json::from_value(with).unwrap();
        assert_eq!(shell.given.stdin.as_deref(), Some("{\"a\":1}"));
        assert_eq!(shell.given.arguments, ["a", "1", "true"]);
        assert_eq!(shell.given.environment["N"], "2");
        let mut with = json!({"image": "x", "lifetime": {"cleanup": "eventually", "after": {"minutes": 30}}});
        normalize(CONTAINER, &mut with);
        let container: Container = serde_json::from_value(with).unwrap();
        assert_eq!(container.lifetime, Lifetime { cleanup: Cleanup::Eventually, after: Some("PT30M".to_owned()) });
    }
}
