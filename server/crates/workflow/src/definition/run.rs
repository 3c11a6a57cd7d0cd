//! Decodes `run` tasks (dsl-reference.md, "Run").

use serde_json::{Map, Value};

use super::catalogue::Capability;
use super::cursor::{Cursor, Object};
use super::model::{Call, Run, TaskKind};
use super::parts::{Decoder, Place};
use crate::diagnostic::suggestion;
use crate::process::{self, Return};

/// What can be run: the property, the function that runs it, and what that needs.
const PROCESSES: [(&str, &str, Capability); 4] = [
    ("workflow", process::WORKFLOW, Capability::RunWorkflow),
    ("shell", process::SHELL, Capability::RunShell),
    ("script", process::SCRIPT, Capability::RunScript),
    ("container", process::CONTAINER, Capability::RunContainer),
];

impl Decoder<'_> {
    pub(super) fn run(&mut self, at: &Cursor<'_>) -> TaskKind {
        let known = ["workflow", "shell", "script", "container", "await", "return"];
        let Some(object) = at.object(&mut self.diagnostics, &known) else { return TaskKind::Unsupported };
        let awaited = object.get("await").and_then(|value| value.boolean(&mut self.diagnostics)).unwrap_or(true);
        let returns = self.returns(&object);
        let found: Vec<_> = PROCESSES.into_iter().filter(|(name, ..)| object.has(name)).collect();
        let [(name, function, capability)] = found.as_slice() else {
            at.report(&mut self.diagnostics, "expected exactly one of workflow, shell, script, container");
            return TaskKind::Unsupported;
        };
        let Some(with) = object.get(name) else { return TaskKind::Unsupported };
        self.needs(&with, *capability);
        match self.process(&with, function) {
            Some(call) => TaskKind::Run(Box::new(Run { call, returns, awaited })),
            None => TaskKind::Unsupported,
        }
    }

    fn returns(&mut self, object: &Object<'_>) -> Return {
        let Some(at) = object.get("return") else { return Return::default() };
        let Some(text) = at.text(&mut self.diagnostics) else { return Return::default() };
        Return::named(text).unwrap_or_else(|| {
            let hint = suggestion(text, Return::NAMES);
            let message = format!("expected one of {}, found “{text}”{hint}", Return::NAMES.join(", "));
            at.report(&mut self.diagnostics, message);
            Return::default()
        })
    }

    fn process(&mut self, at: &Cursor<'_>, function: &str) -> Option<Call> {
        let object = at.open_object(&mut self.diagnostics)?;
        let mut value = at.node.to_value();
        let members = value.as_object_mut()?;
        if function == process::WORKFLOW {
            complete(members);
        }
        if let Some(after) = object.get("lifetime").and_then(|lifetime| {
            // What is wrong with its form is said by the schema.
            lifetime.is_object().then(|| lifetime.open_object(&mut self.diagnostics)?.get("after")).flatten()
        }) {
            self.span(&after, Place::CallWith);
        }
        let value = self.explicit_authentication(function, at, value);
        let (schema, validator) = process::schema(function)?;
        self.check_arguments(&format!("`{function}`"), schema, validator, &value, at);
        let with = self.template_of(at, &value, Place::CallWith);
        Some(Call { function: function.to_owned(), with, schema: validator.clone() })
    }
}

/// What is meant where nothing is said.
fn complete(members: &mut Map<String, Value>) {
    members.entry("version").or_insert_with(|| Value::from("latest"));
    members.entry("input").or_insert_with(|| Value::from("${ . }"));
}
