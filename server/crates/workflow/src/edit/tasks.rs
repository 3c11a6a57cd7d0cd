//! Tasks: where they stand, and how they come, go, move and change.

use std::collections::BTreeMap;

use domain::view::{TaskField, TaskForm, TaskItem, TaskList};
use serde_json::{Map, Value, json};

use super::{Manuscript, Refusal};
use crate::{
    FunctionCatalogue,
    definition::{humanize, kind_named},
    source::escape_pointer,
};

/// Where a task has lists of tasks.
const LISTS: [&str; 5] = ["/do", "/try", "/catch/do", "/fork/branches", "/foreach/do"];

/// What cannot be the name of a task, since `then` means something else by it.
const DIRECTIVES: [&str; 3] = ["continue", "exit", "end"];

/// What of a kind of task is written as it is in the text, beside what all tasks have.
const WRITTEN: [(&str, &[&str]); 9] = [
    ("set", &["set"]),
    ("switch", &["switch"]),
    ("wait", &["wait"]),
    ("raise", &["raise"]),
    ("emit", &["emit"]),
    ("listen", &["listen"]),
    ("run", &["run"]),
    ("for", &["for", "while"]),
    ("call", &["with"]),
];

impl Manuscript {
    /// The tasks of the definition, in lists as they are nested, whether or not the text is a definition.
    #[must_use]
    pub fn tasks(&self) -> Option<TaskList> {
        self.list_at("/do")
    }

    fn list_at(&self, list: &str) -> Option<TaskList> {
        let items = self.value().pointer(list)?.as_array()?;
        let tasks = items.iter().enumerate().filter_map(|(at, item)| {
            let (name, task) = item.as_object().and_then(|item| item.iter().next())?;
            let reference = format!("{list}/{at}/{}", escape_pointer(name));
            let title = task.pointer("/metadata/title").and_then(Value::as_str);
            Some(TaskItem {
                title: title.map_or_else(|| humanize(name), str::to_owned),
                kind: kind_named(|name| task.get(name).is_some()).unwrap_or_default().to_owned(),
                function: task.get("call").and_then(Value::as_str).map(str::to_owned),
                lists: LISTS.iter().filter_map(|below| self.list_at(&format!("{reference}{below}"))).collect(),
                reference,
            })
        });
        Some(TaskList { reference: list.to_owned(), tasks: tasks.collect() })
    }

    /// The parts of a task that can be filled in like a form.
    #[must_use]
    pub fn task_form(&self, reference: &str, functions: &FunctionCatalogue) -> Option<TaskForm> {
        let task = self.value().pointer(reference)?.as_object()?;
        let (list, name) = place(reference)?;
        let text = |pointer: &str, choices: Vec<String>| TaskField { choices, ..self.field(reference, pointer, false) };
        let mut fields = vec![text("/metadata/title", Vec::new())];
        let kind = kind_named(|name| task.contains_key(name)).unwrap_or_default();
        if kind == "call" {
            fields.push(TaskField { required: true, ..text("/call", functions.names().map(str::to_owned).collect()) });
        }
        let called = task.get("call").and_then(Value::as_str).and_then(|function| functions.schema(function));
        match called.and_then(|schema| Some((schema, schema.get("properties")?.as_object()?))) {
            Some((schema, properties)) => {
                for (name, described) in properties {
                    fields.push(self.argument(reference, name, described, schema));
                }
            }
            None => {
                let own = WRITTEN.iter().find(|(known, _)| *known == kind).map(|(_, own)| *own).unwrap_or_default();
                let written =
                    |name: &&str| TaskField { lines: true, ..self.field(reference, &format!("/{name}"), true) };
                fields.extend(own.iter().map(written));
            }
        }
        fields.push(text("/if", Vec::new()));
        let others = self.names(list).into_iter().filter(|other| *other != name);
        fields.push(text("/then", others.chain(DIRECTIVES.map(str::to_owned)).collect()));
        fields.push(TaskField { lines: true, ..self.field(reference, "", true) });
        Some(TaskForm { reference: reference.to_owned(), name, kind: kind.to_owned(), fields })
    }

    /// A part of a task. What is written as something else than a text is shown as it is written.
    fn field(&self, reference: &str, pointer: &str, yaml: bool) -> TaskField {
        let place = format!("{reference}{pointer}");
        let value = self.value().pointer(&place);
        let text = value.and_then(Value::as_str).filter(|_| !yaml).map(str::to_owned);
        let yaml = yaml || (text.is_none() && value.is_some());
        let written = text.or_else(|| self.excerpt(&place)).unwrap_or_default();
        TaskField {
            pointer: pointer.to_owned(),
            title: String::new(),
            hint: String::new(),
            required: false,
            choices: Vec::new(),
            lines: written.contains('\n'),
            yaml,
            value: written,
        }
    }

    /// An argument of a function, by its schema.
    fn argument(&self, reference: &str, name: &str, described: &Value, schema: &Value) -> TaskField {
        let text = |key: &str| described.get(key).and_then(Value::as_str);
        let choices = described.get("enum").and_then(Value::as_array).map(|all| all.iter().filter_map(Value::as_str));
        let choices: Vec<_> = choices.into_iter().flatten().map(str::to_owned).collect();
        let plain = !choices.is_empty() || text("type") == Some("string");
        let scalar = plain || matches!(text("type"), Some("integer" | "number" | "boolean"));
        let required = schema.get("required").and_then(Value::as_array);
        let field = self.field(reference, &format!("/with/{}", escape_pointer(name)), !plain);
        TaskField {
            title: text("title").map_or_else(|| humanize(name), str::to_owned),
            hint: text("description").unwrap_or_default().to_owned(),
            required: required.is_some_and(|all| all.iter().any(|known| known == name)),
            // An expression stands where a choice could be.
            choices: if field.value.is_empty() || choices.contains(&field.value) { choices } else { Vec::new() },
            lines: field.lines || !scalar || text("contentMediaType").is_some(),
            ..field
        }
    }

    /// Has a task be what was filled in, by the pointers of its form. What was not changed stays as it is written; what was
    /// changed as a whole (the field without a pointer) is taken, and nothing else.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn change_task(
        &self,
        reference: &str,
        name: &str,
        filled: &BTreeMap<String, String>,
        functions: &FunctionCatalogue,
    ) -> Result<Self, Refusal> {
        let form = self.task_form(reference, functions).ok_or(Refusal::Nowhere)?;
        let filled = form.fields.iter().filter_map(|field| {
            let new = filled.get(&field.pointer)?.replace("\r\n", "\n");
            (new.trim_end() != field.value.trim_end()).then_some((field, new))
        });
        let filled: Vec<_> = filled.collect();
        let whole = filled.iter().find(|(field, _)| field.pointer.is_empty());
        let changed = match whole {
            Some((_, yaml)) => self.write(reference, yaml)?,
            None => filled.iter().try_fold(self.clone(), |text, (field, new)| {
                let place = format!("{reference}{}", field.pointer);
                if new.trim().is_empty() {
                    text.clear(&place)
                } else if field.yaml {
                    text.write(&place, new)
                } else {
                    text.set(&place, &Value::from(new.trim_end()))
                }
            })?,
        };
        changed.rename_task(reference, name.trim())
    }

    /// Gives a task another name, also where its list says `then`, and where tests answer for it.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn rename_task(&self, reference: &str, name: &str) -> Result<Self, Refusal> {
        let (list, old) = place(reference).ok_or(Refusal::Nowhere)?;
        if old == name {
            return Ok(self.clone());
        }
        self.can_be_called(list, name)?;
        let mut renamed = self.rename(reference, name)?;
        let mut targets = Vec::new();
        let items = renamed.value().pointer(list).and_then(Value::as_array).cloned().unwrap_or_default();
        for (at, item) in items.iter().enumerate() {
            let Some((task, body)) = item.as_object().and_then(|item| item.iter().next()) else { continue };
            let task = format!("{list}/{at}/{}", escape_pointer(task));
            let cases = body.get("switch").and_then(Value::as_array).into_iter().flatten().enumerate();
            let cases = cases.filter_map(|(number, case)| {
                let (case, _) = case.as_object()?.iter().next()?;
                Some(format!("{task}/switch/{number}/{}/then", escape_pointer(case)))
            });
            targets.extend(cases.chain([format!("{task}/then")]));
        }
        for target in targets {
            if renamed.value().pointer(&target).is_some_and(|then| *then == old) {
                renamed = renamed.set(&target, &Value::from(name))?;
            }
        }
        let tests =
            renamed.value().pointer("/document/metadata/rondo/tests").and_then(Value::as_array).map_or(0, Vec::len);
        for test in 0..tests {
            let answer = format!("/document/metadata/rondo/tests/{test}/answers/{}", escape_pointer(&old));
            if renamed.value().pointer(&answer).is_some() {
                renamed = renamed.rename(&answer, name)?;
            }
        }
        Ok(renamed)
    }

    /// Puts a new task into a list, before the one that is there now, or behind the last. `what` is a kind of task, or a
    /// function that it calls.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn add_task(&self, list: &str, at: usize, name: &str, what: &str) -> Result<Self, Refusal> {
        self.can_be_called(list, name)?;
        let inner = || json!([{"step": {"set": {"done": true}}}]);
        let task = match what {
            "set" => json!({"set": {"done": true}}),
            "switch" => json!({"switch": [{"otherwise": {"then": "continue"}}]}),
            "wait" => json!({"wait": {"days": 1}}),
            "do" => json!({"do": inner()}),
            "for" => json!({"for": {"each": "item", "in": "${ [] }"}, "do": inner()}),
            "try" => json!({"try": inner(), "catch": {"do": [{"otherwise": {"set": {"failed": true}}}]}}),
            "fork" => json!({"fork": {"branches": inner()}}),
            "raise" => json!({"raise": {"error": {"type": "https://rondo.dev/errors/refused", "status": 400}}}),
            FunctionCatalogue::APPROVAL => json!({"call": what, "with": {"approvers": {"managerOf": "requester"}}}),
            function => json!({"call": function, "with": {}}),
        };
        self.insert(list, at, &Value::Object(Map::from_iter([(name.to_owned(), task)])))
    }

    fn names(&self, list: &str) -> Vec<String> {
        let items = self.value().pointer(list).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(|item| item.as_object()?.keys().next().cloned()).collect()
    }

    fn can_be_called(&self, list: &str, name: &str) -> Result<(), Refusal> {
        let taken = name.is_empty() || DIRECTIVES.contains(&name) || self.names(list).iter().any(|known| known == name);
        if taken { Err(Refusal::Name) } else { Ok(()) }
    }
}

/// The list that a task stands in, and its name.
fn place(reference: &str) -> Option<(&str, String)> {
    let (item, name) = reference.rsplit_once('/')?;
    let (list, _) = item.rsplit_once('/')?;
    Some((list, name.replace("~1", "/").replace("~0", "~")))
}
