//! Decodes tasks and task lists.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::Name;
use serde_json::Value;

use super::catalogue::{Capability, FunctionCatalogue};
use super::cursor::{Cursor, Object};
use super::model::{
    Call, Case, For, Fork, FunctionCall, ListIndex, Task, TaskIndex, TaskKind, TaskList, TaskMetadata, Then, Try,
};
use super::parts::{Decoder, Place, Within, is_uri};
use crate::diagnostic::suggestion;
use crate::expression::{as_expression, contains_expression};
use crate::source::{NodeKind, escape_pointer};

/// The most tasks of a definition.
const MAX_TASKS: usize = 5_000;

/// What every task may have.
const COMMON: [&str; 7] = ["if", "input", "output", "export", "timeout", "then", "metadata"];

/// The kinds of task with their own properties; the first names the kind.
const KINDS: [&[&str]; 12] = [
    &["for", "do", "while"],
    &["try", "catch"],
    &["call", "with"],
    &["do"],
    &["set"],
    &["switch"],
    &["wait"],
    &["raise"],
    &["fork"],
    &["listen", "foreach"],
    &["emit"],
    &["run"],
];

/// The kind of a task that has these properties.
pub(crate) fn kind_named(has: impl Fn(&str) -> bool) -> Option<&'static str> {
    KINDS.iter().filter_map(|own| own.first().copied()).find(|name| has(name))
}

/// Functions that the specification defines; they are served if a connector offers them.
const NOT_SERVED: [&str; 5] = ["openapi", "grpc", "asyncapi", "a2a", "mcp"];

const DIRECTIVES: [&str; 3] = ["continue", "exit", "end"];

/// The names of a task list, for `then`.
struct Names(Vec<String>);

impl Decoder<'_> {
    /// A list of `- name: task`. `reference` is the JSON pointer of the list.
    pub(crate) fn task_list(&mut self, at: &Cursor<'_>, reference: &str) -> ListIndex {
        let index = ListIndex::try_from(self.lists.len()).unwrap_or(ListIndex::MAX);
        self.lists.push(TaskList { tasks: Vec::new() });
        let items = at.list(&mut self.diagnostics);
        if items.is_empty() && matches!(at.node.kind, NodeKind::List(_)) {
            at.report(&mut self.diagnostics, "expected at least one task");
        }
        let concurrent = std::mem::take(&mut self.concurrent);
        let mut found: Vec<(String, Cursor<'_>)> = Vec::new();
        for item in items {
            let Some(object) = item.open_object(&mut self.diagnostics) else { continue };
            let entries: Vec<(&str, Cursor<'_>)> = object.entries().collect();
            if entries.len() != 1 {
                let message = format!("expected exactly one task per list item (`- name: …`), found {}", entries.len());
                item.report(&mut self.diagnostics, message);
            }
            for (name, task) in entries {
                if DIRECTIVES.contains(&name) || name.is_empty() {
                    self.diagnostics.report(task.span, &task.path, format!("“{name}” cannot be the name of a task"));
                }
                if let Some((_, first)) = found.iter().find(|(known, _)| known == name) {
                    let line = first.span.line;
                    let message = format!("there is already a task “{name}” in this list, on line {line}");
                    self.diagnostics.report(task.span, &task.path, message);
                }
                found.push((name.to_owned(), task));
            }
        }
        let names = Names(if concurrent { Vec::new() } else { found.iter().map(|(name, _)| name.clone()).collect() });
        for (position, (name, task)) in found.iter().enumerate() {
            let reference = format!("{reference}/{position}/{}", escape_pointer(name));
            let Some(slot) = self.reserve(task) else { break };
            if let Some(list) = self.lists.get_mut(index as usize) {
                list.tasks.push(slot);
            }
            self.task(task, slot, name, &reference, &names, concurrent);
        }
        index
    }

    /// A place in the arena, filled by [`Decoder::task`].
    pub(crate) fn reserve(&mut self, at: &Cursor<'_>) -> Option<TaskIndex> {
        if self.tasks.len() >= MAX_TASKS {
            at.report(&mut self.diagnostics, format!("the definition has more than {MAX_TASKS} tasks"));
            return None;
        }
        let index = TaskIndex::try_from(self.tasks.len()).ok()?;
        self.tasks.push(None);
        Some(index)
    }

    /// The body of one of `use.functions`.
    pub(crate) fn function(&mut self, at: &Cursor<'_>, slot: TaskIndex, name: &str, reference: &str) {
        self.task(at, slot, name, reference, &Names(Vec::new()), true);
    }

    fn task(&mut self, at: &Cursor<'_>, slot: TaskIndex, name: &str, reference: &str, names: &Names, concurrent: bool) {
        let Some(object) = at.open_object(&mut self.diagnostics) else { return };
        let own = self.kind_of(&object);
        if let Some(own) = own {
            let known: Vec<&str> = own.iter().chain(&COMMON).copied().collect();
            object.only(&mut self.diagnostics, &known);
        }
        let condition = object.get("if").and_then(|condition| self.expression(&condition, Place::BeforeTask));
        let input = self.data_step(object.get("input"), "from", Place::BeforeTask);
        let timeout = object.get("timeout").and_then(|timeout| self.timeout(&timeout, Place::Task));
        let kind = own.map_or(TaskKind::Unsupported, |own| {
            let kind = own.first().copied().unwrap_or_default();
            self.kind(kind, &object, reference, names, concurrent)
        });
        let output = self.data_step(object.get("output"), "as", Place::Task);
        let export = self.data_step(object.get("export"), "as", Place::Export);
        let then = object.get("then").map_or(Then::Unset, |then| self.then(&then, names, concurrent));
        let metadata = self.metadata(object.get("metadata"), reference);
        let extensions = self.extensions_of(kind.name());
        let task = Task {
            reference: Arc::from(reference),
            name: name.to_owned(),
            line: at.span.line,
            condition,
            input,
            output,
            export,
            timeout,
            then,
            metadata,
            kind,
            extensions,
            raw: at.node.to_value(),
        };
        if let Some(place) = self.tasks.get_mut(slot as usize) {
            *place = Some(task);
        }
    }

    /// The properties of the task's kind, by the property that names it.
    fn kind_of(&mut self, object: &Object<'_>) -> Option<&'static [&'static str]> {
        let names = |own: &&'static [&'static str]| own.first().is_some_and(|name| object.has(name));
        let mut kinds: Vec<&'static [&'static str]> = KINDS.into_iter().filter(|own| names(own)).collect();
        if kinds.len() > 1 && object.has("for") {
            kinds.retain(|own| *own != ["do"].as_slice());
        }
        match kinds.as_slice() {
            [own] => Some(own),
            [] => {
                let all: Vec<&str> = KINDS.iter().filter_map(|own| own.first()).copied().collect();
                let known: Vec<&str> = COMMON.iter().copied().chain(KINDS.into_iter().flatten().copied()).collect();
                let hint = object
                    .entries()
                    .filter(|(name, _)| !known.contains(name))
                    .map(|(name, _)| suggestion(name, all.iter().copied()))
                    .find(|hint| !hint.is_empty())
                    .unwrap_or_default();
                let message = format!("this task does nothing: expected one of {}{hint}", all.join(", "));
                self.diagnostics.report(object.at.span, &object.at.path, message);
                None
            }
            several => {
                let several: Vec<&str> = several.iter().filter_map(|own| own.first()).copied().collect();
                let message = format!("a task is of one kind; found {}", several.join(" and "));
                self.diagnostics.report(object.at.span, &object.at.path, message);
                None
            }
        }
    }

    fn kind(&mut self, kind: &str, object: &Object<'_>, reference: &str, names: &Names, concurrent: bool) -> TaskKind {
        let Some(at) = object.get(kind) else { return TaskKind::Unsupported };
        match kind {
            "do" => TaskKind::Do(self.task_list(&at, &format!("{reference}/do"))),
            "set" => {
                if !at.is_object() && !matches!(&at.node.kind, NodeKind::Text(text) if self.is_dynamic(text)) {
                    let message =
                        format!("expected an object or an expression `${{ … }}`, found {}", at.node.describe());
                    at.report(&mut self.diagnostics, message);
                }
                TaskKind::Set(self.template(&at, Place::Task))
            }
            "switch" => TaskKind::Switch(self.cases(&at, names, concurrent)),
            "call" => self.call(&at, object, reference),
            "try" => self.try_task(&at, object, reference),
            "wait" => self.span(&at, Place::Task).map_or(TaskKind::Unsupported, TaskKind::Wait),
            "raise" => {
                let error = at
                    .object(&mut self.diagnostics, &["error"])
                    .and_then(|raise| raise.require(&mut self.diagnostics, "error"))
                    .and_then(|error| self.error(&error, Place::Task));
                error.map_or(TaskKind::Unsupported, TaskKind::Raise)
            }
            "for" => self.for_task(&at, object, reference),
            "fork" => self.fork(&at, reference),
            "emit" => {
                self.needs(&at, Capability::Emit);
                self.emit(&at)
            }
            "listen" => {
                self.needs(&at, Capability::Listen);
                self.listen(&at, object, reference)
            }
            "run" => self.run(&at),
            _ => TaskKind::Unsupported,
        }
    }

    /// Refuses what the engine cannot do.
    pub(crate) fn needs(&mut self, at: &Cursor<'_>, capability: Capability) {
        if !self.catalogue.allows(capability) {
            let message = format!("`{}` is not served by this installation", capability.keyword());
            self.diagnostics.report(at.span, &at.path, message);
        }
    }

    fn then(&mut self, at: &Cursor<'_>, names: &Names, concurrent: bool) -> Then {
        let Some(text) = at.text(&mut self.diagnostics) else { return Then::Unset };
        match text {
            "continue" => return Then::Continue,
            "exit" => return Then::Exit,
            "end" => return Then::End,
            _ => {}
        }
        if let Some(position) = names.0.iter().position(|name| name == text) {
            return Then::Task(position);
        }
        let message = if concurrent {
            format!("“{text}” cannot be reached from here: expected continue, exit or end")
        } else {
            let hint = suggestion(text, names.0.iter().map(String::as_str).chain(DIRECTIVES));
            format!("there is no task “{text}” in this list{hint}")
        };
        at.report(&mut self.diagnostics, message);
        Then::Unset
    }

    fn cases(&mut self, at: &Cursor<'_>, names: &Names, concurrent: bool) -> Vec<Case> {
        let mut cases: Vec<Case> = Vec::new();
        let items = at.list(&mut self.diagnostics);
        if items.is_empty() && matches!(at.node.kind, NodeKind::List(_)) {
            at.report(&mut self.diagnostics, "expected at least one case");
        }
        for item in items {
            let Some(object) = item.open_object(&mut self.diagnostics) else { continue };
            let entries: Vec<(&str, Cursor<'_>)> = object.entries().collect();
            if entries.len() != 1 {
                let message = format!("expected exactly one case per list item (`- name: …`), found {}", entries.len());
                item.report(&mut self.diagnostics, message);
            }
            for (name, case) in entries {
                let Some(case) = case.object(&mut self.diagnostics, &["when", "then"]) else { continue };
                let when = case.get("when");
                if when.is_none() && cases.iter().any(|case| case.when.is_none()) {
                    let message = "only one case may be without `when`: it is taken when no other matches";
                    self.diagnostics.report(case.at.span, &case.at.path, message);
                }
                if cases.iter().any(|case| case.name == name) {
                    let message = format!("there is already a case “{name}”");
                    self.diagnostics.report(case.at.span, &case.at.path, message);
                }
                let when = when.and_then(|when| self.expression(&when, Place::Task));
                let then = case.require(&mut self.diagnostics, "then");
                let then = then.map_or(Then::Unset, |then| self.then(&then, names, concurrent));
                cases.push(Case { name: name.to_owned(), when, then });
            }
        }
        cases
    }

    fn call(&mut self, at: &Cursor<'_>, object: &Object<'_>, reference: &str) -> TaskKind {
        let Some(function) = at.text(&mut self.diagnostics) else { return TaskKind::Unsupported };
        let with = object.get("with");
        if let Some(body) = self.functions.get(function).copied() {
            if let Some(with) = &with {
                with.open_object(&mut self.diagnostics);
            }
            // A function's input is stored with the run, so secrets must not pass through it.
            let with = with.map(|with| self.template(&with, Place::Task));
            return TaskKind::Function(FunctionCall { name: function.to_owned(), body, with });
        }
        let Some(schema) = self.catalogue.validator(function) else {
            if function.contains('@') || is_uri(function) {
                let Some(body) = self.function_elsewhere(function, at) else { return TaskKind::Unsupported };
                let with = with.map(|with| self.template(&with, Place::Task));
                return TaskKind::Function(FunctionCall { name: function.to_owned(), body, with });
            }
            let message = if let Some(reason) = self.catalogue.withheld(function) {
                format!("“{function}” cannot be called here: {reason}")
            } else if NOT_SERVED.contains(&function) {
                format!("calls of “{function}” are not served by this installation")
            } else {
                let known = self.catalogue.names().chain(self.functions.keys().map(String::as_str));
                format!("there is no function “{function}”{}", suggestion(function, known))
            };
            at.report(&mut self.diagnostics, message);
            return TaskKind::Unsupported;
        };
        let catalogue = self.catalogue;
        let described = catalogue.schema(function).unwrap_or(&Value::Null);
        let place = with.as_ref().unwrap_or(at);
        let value = with.as_ref().map_or_else(|| Value::Object(serde_json::Map::new()), |with| with.node.to_value());
        let value = self.explicit_authentication(function, place, value);
        self.check_arguments(&format!("`with` of “{function}”"), described, &schema, &value, place);
        if function == "asyncapi"
            && let Some(subscription) = with.as_ref().filter(|_| value.get("subscription").is_some())
        {
            return self.consume(place, &subscription.descend("/subscription"), value, schema, reference);
        }
        let is_approval = function == FunctionCatalogue::APPROVAL;
        if is_approval {
            self.check_approval(place, &value);
        }
        // The arguments of an approval are shown to people and stored.
        let where_ = if is_approval { Place::Task } else { Place::CallWith };
        let with = self.template_of(place, &value, where_);
        TaskKind::Call(Call { function: function.to_owned(), with, schema })
    }

    /// Checks arguments against a schema, as far as they are written out.
    pub(super) fn check_arguments(
        &mut self,
        what: &str,
        schema: &Value,
        validator: &jsonschema::Validator,
        value: &Value,
        place: &Cursor<'_>,
    ) {
        for error in validator.iter_errors(value) {
            let pointer = error.instance_path().to_string();
            let found = value.pointer(&pointer).unwrap_or(&Value::Null);
            if refusal(&error, Some(schema)).is_none() && excused(error.kind(), found, self.loose) {
                continue;
            }
            for Fault { pointer, message, in_name } in explain(&error, Some(schema)) {
                let span = match (pointer.is_empty(), in_name) {
                    (true, _) => place.span,
                    (false, true) => place.node.nearest_name(&pointer),
                    (false, false) => place.node.nearest(&pointer).span,
                };
                let path = format!("{}{pointer}", place.path);
                self.diagnostics.report(span, &path, format!("{what}: {message}"));
            }
        }
    }

    fn try_task(&mut self, at: &Cursor<'_>, object: &Object<'_>, reference: &str) -> TaskKind {
        let body = self.task_list(at, &format!("{reference}/try"));
        let known = ["errors", "as", "when", "exceptWhen", "retry", "do"];
        let catch = object.require(&mut self.diagnostics, "catch");
        let Some(catch) = catch.and_then(|catch| catch.object(&mut self.diagnostics, &known)) else {
            return TaskKind::Unsupported;
        };
        let variable = self.variable_name(catch.get("as"), "error");
        let filter = catch.get("errors").map(|errors| self.error_filter(&errors)).unwrap_or_default();
        self.locals.push(variable.clone());
        self.locals.push("error".to_owned());
        let when = catch.get("when").and_then(|when| self.expression(&when, Place::Task));
        let except_when = catch.get("exceptWhen").and_then(|when| self.expression(&when, Place::Task));
        let retry = catch.get("retry").and_then(|retry| self.retry(&retry));
        self.locals.pop();
        let handler = catch.get("do").map(|list| self.task_list(&list, &format!("{reference}/catch/do")));
        self.locals.pop();
        TaskKind::Try(Box::new(Try { body, filter, variable, when, except_when, retry, handler }))
    }

    fn for_task(&mut self, at: &Cursor<'_>, object: &Object<'_>, reference: &str) -> TaskKind {
        let Some(each) = at.object(&mut self.diagnostics, &["each", "in", "at"]) else { return TaskKind::Unsupported };
        let collection = each.require(&mut self.diagnostics, "in");
        let collection = collection.and_then(|collection| self.expression(&collection, Place::Task));
        let index = self.variable_name(each.get("at"), "index");
        let item = self.variable_name(each.get("each"), "item");
        self.locals.push(item.clone());
        self.locals.push(index.clone());
        let condition = object.get("while").and_then(|condition| self.expression(&condition, Place::Task));
        let body = object.require(&mut self.diagnostics, "do");
        let body = body.map(|body| self.task_list(&body, &format!("{reference}/do")));
        self.locals.pop();
        self.locals.pop();
        match (collection, body) {
            (Some(collection), Some(body)) => {
                TaskKind::For(Box::new(For { each: item, at: index, collection, condition, body }))
            }
            _ => TaskKind::Unsupported,
        }
    }

    fn fork(&mut self, at: &Cursor<'_>, reference: &str) -> TaskKind {
        let Some(fork) = at.object(&mut self.diagnostics, &["branches", "compete"]) else {
            return TaskKind::Unsupported;
        };
        let compete = fork.get("compete").and_then(|compete| compete.boolean(&mut self.diagnostics)).unwrap_or(false);
        let Some(branches) = fork.require(&mut self.diagnostics, "branches") else { return TaskKind::Unsupported };
        self.concurrent = true;
        let branches = self.task_list(&branches, &format!("{reference}/fork/branches"));
        TaskKind::Fork(Fork { branches, compete })
    }

    /// The name of a variable that a task introduces.
    pub(super) fn variable_name(&mut self, at: Option<Cursor<'_>>, default: &str) -> String {
        let Some(at) = at else { return default.to_owned() };
        let Some(text) = at.text(&mut self.diagnostics) else { return default.to_owned() };
        let name = text.trim_start_matches('$');
        let fits = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && name.len() <= 64;
        let taken = ["context", "input", "output", "secrets", "task", "workflow", "runtime", "authorization"];
        if !fits {
            at.report(&mut self.diagnostics, format!("“{text}” cannot be the name of a variable"));
        } else if taken.contains(&name) {
            at.report(&mut self.diagnostics, format!("${name} already means something else"));
        }
        name.to_owned()
    }

    fn metadata(&mut self, at: Option<Cursor<'_>>, reference: &str) -> TaskMetadata {
        let mut metadata = TaskMetadata::default();
        let Some(object) = at.and_then(|at| at.open_object(&mut self.diagnostics)) else { return metadata };
        metadata.title = object.get("title").and_then(|title| title.text(&mut self.diagnostics)).map(str::to_owned);
        let Some(rondo) = object.get("rondo") else { return metadata };
        let Some(rondo) = rondo.object(&mut self.diagnostics, &["compensate", "idempotent", "runner"]) else {
            return metadata;
        };
        metadata.runner = rondo.get("runner").map(|runner| self.runner(&runner));
        metadata.idempotent =
            rondo.get("idempotent").and_then(|value| value.boolean(&mut self.diagnostics)).unwrap_or(false);
        if let Some(compensate) = rondo.get("compensate") {
            if self.within == Within::Compensation {
                let message = "a task that takes something back cannot itself be taken back";
                self.diagnostics.report(compensate.span, &compensate.path, message);
                return metadata;
            }
            let within = std::mem::replace(&mut self.within, Within::Compensation);
            // `$input` and `$output` are those of the task that is taken back.
            let before = self.locals.len();
            self.locals.extend(["input", "output", "error"].map(str::to_owned));
            metadata.compensate = Some(self.task_list(&compensate, &format!("{reference}/compensate")));
            self.locals.truncate(before);
            self.within = within;
        }
        metadata
    }

    /// The labels that a runner must have, in order and each once.
    fn runner(&mut self, at: &Cursor<'_>) -> Vec<Name> {
        let Some(runner) = at.object(&mut self.diagnostics, &["labels"]) else { return Vec::new() };
        let Some(labels) = runner.get("labels") else { return Vec::new() };
        let mut wanted = BTreeSet::new();
        for label in labels.list(&mut self.diagnostics) {
            let Some(text) = label.text(&mut self.diagnostics) else { continue };
            match text.parse::<Name>() {
                Ok(name) => _ = wanted.insert(name),
                Err(error) => {
                    label.report(&mut self.diagnostics, format!("“{text}” cannot be a label of a runner: {error}"));
                }
            }
        }
        if wanted.len() > MOST_LABELS {
            labels.report(&mut self.diagnostics, format!("a task names at most {MOST_LABELS} labels"));
        }
        wanted.into_iter().collect()
    }
}

/// Labels that a task can name.
const MOST_LABELS: usize = 16;

/// Whether a schema error is there only because an expression stands where its value will be.
fn excused(kind: &jsonschema::error::ValidationErrorKind, found: &Value, loose: bool) -> bool {
    use jsonschema::error::ValidationErrorKind as Kind;
    if matches!(found, Value::String(text) if loose || as_expression(text).is_some()) {
        return true;
    }
    matches!(
        kind,
        Kind::AnyOf { .. }
            | Kind::OneOfNotValid { .. }
            | Kind::OneOfMultipleValid { .. }
            | Kind::Not { .. }
            | Kind::Contains
    ) && (loose || contains_expression(found))
}

/// What is wrong with the arguments of a call, and where below `with`.
struct Fault {
    pointer: String,
    message: String,
    /// Whether the property's name is wrong, not its value.
    in_name: bool,
}

/// A schema error in words.
fn explain(error: &jsonschema::ValidationError<'_>, schema: Option<&Value>) -> Vec<Fault> {
    use jsonschema::error::ValidationErrorKind as Kind;
    let pointer = error.instance_path().to_string();
    let fault = |message: String| vec![Fault { pointer: pointer.clone(), message, in_name: false }];
    match error.kind() {
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            let place = error.schema_path().to_string();
            let parent = place.rsplit_once('/').map_or("", |(parent, _)| parent);
            let known: Vec<&str> = schema
                .and_then(|schema| schema.pointer(parent)?.get("properties")?.as_object())
                .map(|properties| properties.keys().map(String::as_str).collect())
                .unwrap_or_default();
            let one = |name: &String| {
                let hint = suggestion(name, known.iter().copied());
                let hint = if hint.is_empty() && !known.is_empty() {
                    format!("; expected {}", known.join(", "))
                } else {
                    hint
                };
                Fault {
                    pointer: format!("{pointer}/{}", escape_pointer(name)),
                    message: format!("unknown property “{name}”{hint}"),
                    in_name: true,
                }
            };
            unexpected.iter().map(one).collect()
        }
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            fault(format!("the property “{name}” is missing"))
        }
        Kind::OneOfNotValid { .. } | Kind::OneOfMultipleValid { .. } | Kind::AnyOf { .. } => {
            let place = error.schema_path().to_string();
            fault(match alternatives(schema, &place) {
                Some(names) => format!("expected exactly one of {}", names.join(", ")),
                None => "the value has none of the accepted forms".to_owned(),
            })
        }
        Kind::Not { .. } if refusal(error, schema).is_some() => {
            fault(refusal(error, schema).unwrap_or_default().to_owned())
        }
        Kind::Not { .. } if excluded(schema, &error.schema_path().to_string()).is_some() => {
            let place = error.schema_path().to_string();
            let names = excluded(schema, &place).unwrap_or_default();
            fault(format!("“{}” does not go with the other properties", names.join("”, “")))
        }
        _ => fault(error.to_string().chars().take(400).collect()),
    }
}

/// The properties that `required` names at a place of a schema.
fn required(schema: &Value) -> Option<Vec<&str>> {
    let members = schema.as_object().filter(|members| members.len() == 1)?;
    members.get("required")?.as_array()?.iter().map(Value::as_str).collect()
}

/// The properties of which a schema wants one, if that is what its `oneOf` says.
fn alternatives<'s>(schema: Option<&'s Value>, path: &str) -> Option<Vec<&'s str>> {
    let all: Option<Vec<Vec<&str>>> = schema?.pointer(path)?.as_array()?.iter().map(required).collect();
    Some(all?.concat())
}

/// Why a property may not be there at all: its schema is `{not: {}, description: …}`.
fn refusal<'s>(error: &jsonschema::ValidationError<'_>, schema: Option<&'s Value>) -> Option<&'s str> {
    let place = error.schema_path().to_string();
    let described = schema?.pointer(place.strip_suffix("/not")?)?;
    let all = described.get("not")?.as_object()?.is_empty();
    described.get("description")?.as_str().filter(|_| all)
}

/// The properties that must not be there, if that is what a schema's `not` says.
fn excluded<'s>(schema: Option<&'s Value>, path: &str) -> Option<Vec<&'s str>> {
    required(schema?.pointer(path)?)
}
