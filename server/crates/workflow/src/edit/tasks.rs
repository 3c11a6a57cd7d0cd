//! Tasks: where they stand, and how they come, go, move and change.

use domain::view::{TaskField, TaskForm, TaskItem, TaskList, TextEdit};
use serde_json::{Map, Value, json};

use super::{Manuscript, Refusal, path};
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
        let ends: Vec<usize> = self.text().match_indices('\n').map(|(end, _)| end).collect();
        self.list_at("/do", &ends)
    }

    fn list_at(&self, list: &str, ends: &[usize]) -> Option<TaskList> {
        let items = self.value().pointer(list)?.as_array()?;
        let tasks = items.iter().enumerate().filter_map(|(at, item)| {
            let (name, task) = item.as_object().and_then(|item| item.iter().next())?;
            let reference = format!("{list}/{at}/{}", escape_pointer(name));
            let title = task.pointer("/metadata/title").and_then(Value::as_str);
            let start = self.root.entry(&path(&reference))?.key.start;
            Some(TaskItem {
                title: title.map_or_else(|| humanize(name), str::to_owned),
                kind: kind_named(|name| task.get(name).is_some()).unwrap_or_default().to_owned(),
                function: task.get("call").and_then(Value::as_str).map(str::to_owned),
                line: u64::try_from(ends.partition_point(|end| *end < start) + 1).unwrap_or(u64::MAX),
                lists: LISTS.iter().filter_map(|below| self.list_at(&format!("{reference}{below}"), ends)).collect(),
                reference,
            })
        });
        Some(TaskList { reference: list.to_owned(), tasks: tasks.collect() })
    }

    /// Makes a change of tasks. With it comes where the changed task stands now, unless it is gone.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn edit(&self, edit: &TextEdit, functions: &FunctionCatalogue) -> Result<(Self, Option<String>), Refusal> {
        let (text, list, at) = match edit {
            TextEdit::Add { list, at, what, name } => {
                (self.add_task(list, *at, name.trim(), what)?, list.as_str(), Some(*at))
            }
            TextEdit::Move { task, by } => {
                let Place { list, at, .. } = self.place(task)?;
                let to = at.checked_add_signed(*by).ok_or(Refusal::Nowhere)?;
                (self.shift(list, at, to)?, list, Some(to))
            }
            TextEdit::Remove { task } => {
                let Place { list, at, .. } = self.place(task)?;
                (self.remove(list, at)?, list, None)
            }
            TextEdit::Rename { task, name } => {
                let Place { list, at, .. } = self.place(task)?;
                (self.rename_task(task, name.trim())?, list, Some(at))
            }
            TextEdit::Change { task, field, text } => {
                let Place { list, at, .. } = self.place(task)?;
                (self.change_task(task, field, text, functions)?, list, Some(at))
            }
        };
        let task = at.and_then(|at| Some((at, text.names(list).into_iter().nth(at)?)));
        let task = task.map(|(at, name)| format!("{list}/{at}/{}", escape_pointer(&name)));
        Ok((text, task))
    }

    /// Where a task stands.
    fn place<'r>(&self, reference: &'r str) -> Result<Place<'r>, Refusal> {
        self.value().pointer(reference).and(place(reference)).ok_or(Refusal::Nowhere)
    }

    /// The parts of a task that can be filled in like a form.
    #[must_use]
    pub fn task_form(&self, reference: &str, functions: &FunctionCatalogue) -> Option<TaskForm> {
        let task = self.value().pointer(reference)?.as_object()?;
        let Place { list, name, .. } = place(reference)?;
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
        let mut choices: Vec<_> = choices.into_iter().flatten().map(str::to_owned).collect();
        let plain = !choices.is_empty() || text("type") == Some("string");
        let scalar = plain || matches!(text("type"), Some("integer" | "number" | "boolean"));
        if text("type") == Some("boolean") {
            choices = ["true", "false"].map(str::to_owned).to_vec();
        }
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

    /// Has a part of a task be what was filled in, by its pointer in the task's form. What was not changed stays as it is
    /// written, and an expression is one wherever it is typed.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn change_task(
        &self,
        reference: &str,
        field: &str,
        text: &str,
        functions: &FunctionCatalogue,
    ) -> Result<Self, Refusal> {
        let form = self.task_form(reference, functions).ok_or(Refusal::Nowhere)?;
        let shown = form.fields.iter().find(|shown| shown.pointer == field).ok_or(Refusal::Nowhere)?;
        let text = text.replace("\r\n", "\n");
        let place = format!("{reference}{field}");
        if text.trim_end() == shown.value.trim_end() {
            Ok(self.clone())
        } else if text.trim().is_empty() {
            if shown.required || field.is_empty() { Err(Refusal::Malformed) } else { self.clear_part(&place) }
        } else if shown.yaml && !is_expression(&text) {
            self.write(&place, &text)
        } else {
            self.set(&place, &Value::from(text.trim_end()))
        }
    }

    /// Takes a part of a task away; if nothing else is said of the task by what it stands in, that as well.
    fn clear_part(&self, place: &str) -> Result<Self, Refusal> {
        let cleared = self.clear(place)?;
        match place.strip_suffix("/title") {
            Some(metadata) if cleared.value().pointer(metadata) == Some(&json!({})) => cleared.clear(metadata),
            _ => Ok(cleared),
        }
    }

    /// Gives a task another name, also where its list says `then`, and where tests answer for it.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn rename_task(&self, reference: &str, name: &str) -> Result<Self, Refusal> {
        let Place { list, name: old, .. } = self.place(reference)?;
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
    /// function that it calls. Without a name it gets one that is free.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn add_task(&self, list: &str, at: usize, name: &str, what: &str) -> Result<Self, Refusal> {
        let name = if name.is_empty() { self.free_name(list, what) } else { name.to_owned() };
        self.can_be_called(list, &name)?;
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
            "emit" => {
                json!({"emit": {"event": {"with": {"source": "https://rondo.dev/events", "type": "something.happened"}}}})
            }
            "listen" => json!({"listen": {"to": {"one": {"with": {"type": "something.happened"}}}}}),
            "run" => json!({"run": {"workflow": {"namespace": "default", "name": "another", "version": "latest"}}}),
            FunctionCatalogue::APPROVAL => json!({"call": what, "with": {"approvers": {"managerOf": "requester"}}}),
            function => json!({"call": function, "with": {}}),
        };
        self.insert(list, at, &Value::Object(Map::from_iter([(name, task)])))
    }

    fn names(&self, list: &str) -> Vec<String> {
        let items = self.value().pointer(list).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(|item| item.as_object()?.keys().next().cloned()).collect()
    }

    /// A name made of what a task does.
    fn free_name(&self, list: &str, what: &str) -> String {
        let taken = self.names(list);
        let numbered = (2..).map(|number| format!("{what}{number}"));
        // As many names as there are tasks, and one more: one of them is free.
        let mut names = std::iter::once(what.to_owned()).chain(numbered).take(taken.len() + 1);
        names.find(|name| !taken.contains(name)).unwrap_or_default()
    }

    fn can_be_called(&self, list: &str, name: &str) -> Result<(), Refusal> {
        let taken = name.is_empty() || DIRECTIVES.contains(&name) || self.names(list).iter().any(|known| known == name);
        if taken { Err(Refusal::Name) } else { Ok(()) }
    }
}

/// Where a task stands.
struct Place<'r> {
    list: &'r str,
    at: usize,
    name: String,
}

/// The place that the reference of a task says.
fn place(reference: &str) -> Option<Place<'_>> {
    let (item, name) = reference.rsplit_once('/')?;
    let (list, at) = item.rsplit_once('/')?;
    Some(Place { list, at: at.parse().ok()?, name: name.replace("~1", "/").replace("~0", "~") })
}

fn is_expression(text: &str) -> bool {
    let text = text.trim();
    text.starts_with("${") && text.ends_with('}')
}
