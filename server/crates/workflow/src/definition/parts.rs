//! The smaller parts of a definition: expressions, durations, data steps, errors, retries.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::catalogue::{FunctionCatalogue, ResourceResolver, compile_schema};
use super::cursor::Cursor;
use super::model::{
    Backoff, DataStep, ErrorFilter, ErrorTemplate, Extension, RetryPolicy, Schema, Span, Task, TaskIndex, TaskList,
};
use super::resources::Catalog;
use crate::diagnostic::{Diagnostics, suggestion};
use crate::duration;
use crate::expression::{Expression, Template, as_expression};
use crate::source::NodeKind;

/// Where an expression stands; this decides which variables exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    WorkflowInput,
    WorkflowOutput,
    /// A task's `if` and `input.from`.
    BeforeTask,
    /// A task's own properties and its `output.as`.
    Task,
    /// The `with` of a call, or the process of a `run`: the only places where `$secrets` exists.
    CallWith,
    Export,
    /// The events that start a run; it does not exist yet.
    Schedule,
}

impl Place {
    fn variables(self) -> &'static [&'static str] {
        match self {
            Self::WorkflowInput => &["workflow", "runtime"],
            Self::WorkflowOutput => &["context", "workflow", "runtime"],
            Self::BeforeTask => &["context", "task", "workflow", "runtime"],
            Self::Schedule => &[],
            Self::Task | Self::CallWith => &["context", "input", "task", "workflow", "runtime", "authorization"],
            Self::Export => &["context", "input", "output", "task", "workflow", "runtime", "authorization"],
        }
    }
}

/// What the tasks are part of that are being decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Within {
    /// The workflow itself, or a function.
    Workflow,
    /// What takes a task back. It is neither extended nor taken back: what watches it must not hinder it.
    Compensation,
    /// An extension. It is not extended.
    Extension,
}

/// State while a definition is decoded.
pub(crate) struct Decoder<'c> {
    pub(crate) diagnostics: Diagnostics,
    pub(crate) catalogue: &'c FunctionCatalogue,
    /// Reads what is elsewhere.
    pub(crate) resolver: Option<&'c dyn ResourceResolver>,
    pub(crate) tasks: Vec<Option<Task>>,
    pub(crate) lists: Vec<TaskList>,
    /// Variables of enclosing loops, handlers and compensations.
    pub(crate) locals: Vec<String>,
    pub(crate) secrets: BTreeSet<String>,
    /// Policies of `use.authentications`, written out.
    pub(crate) authentications: BTreeMap<String, Value>,
    pub(crate) errors: BTreeMap<String, Arc<Value>>,
    pub(crate) retries: BTreeMap<String, Arc<RetryPolicy>>,
    pub(crate) timeouts: BTreeMap<String, Span>,
    pub(crate) catalogs: BTreeMap<String, Catalog>,
    /// What was read from elsewhere, by its URI.
    pub(crate) resources: BTreeMap<String, Value>,
    /// The same as it was read.
    pub(crate) texts: BTreeMap<String, String>,
    pub(crate) extensions: Vec<Extension>,
    pub(crate) functions: BTreeMap<String, TaskIndex>,
    pub(crate) within: Within,
    /// Lists whose tasks may not be the target of `then`.
    pub(crate) concurrent: bool,
    /// Whether every text may be an expression (`evaluate.mode: loose`).
    pub(crate) loose: bool,
    /// What approvals let approvers narrow: where it is said, and the pointers into the input.
    pub(crate) narrowed: Vec<(crate::diagnostic::Span, String, String)>,
}

impl Decoder<'_> {
    /// Compiles an expression at a place; braces are optional.
    pub(crate) fn expression(&mut self, at: &Cursor<'_>, place: Place) -> Option<Expression> {
        let text = at.text(&mut self.diagnostics)?;
        let source = as_expression(text).unwrap_or(text);
        let known = self.known(place);
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        match Expression::compile(source, &known) {
            Ok(expression) => {
                let used = expression.variables().any(|name| name == "secrets");
                self.check_secrets(at, place, used);
                Some(expression)
            }
            Err(message) => {
                at.report(&mut self.diagnostics, format!("in the expression: {message}"));
                None
            }
        }
    }

    fn known(&self, place: Place) -> Vec<String> {
        let mut known: Vec<String> = place.variables().iter().map(|name| (*name).to_owned()).collect();
        known.push("secrets".to_owned());
        known.extend(self.locals.iter().cloned());
        known
    }

    /// Whether a secret is declared is seen when it is used (dsl.md, "Secret"): that is an error of the run.
    fn check_secrets(&mut self, at: &Cursor<'_>, place: Place, used: bool) {
        if used && place != Place::CallWith {
            let message = "`$secrets` can be used only where a call is built: in `with`, or in the process of a `run`";
            at.report(&mut self.diagnostics, message);
        }
    }

    /// Whether a text stands for the value of an expression.
    pub(crate) fn is_dynamic(&self, text: &str) -> bool {
        self.loose || as_expression(text).is_some()
    }

    /// Compiles a value with expressions inside.
    pub(crate) fn template(&mut self, at: &Cursor<'_>, place: Place) -> Template {
        self.template_of(at, &at.node.to_value(), place)
    }

    /// Compiles a value that is made from what is written at a place.
    pub(crate) fn template_of(&mut self, at: &Cursor<'_>, value: &Value, place: Place) -> Template {
        let known = self.known(place);
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let mut problems = Vec::new();
        let template = Template::compile(value, &known, self.loose, &mut |pointer, message| {
            problems.push((pointer.to_owned(), message));
        });
        for (pointer, message) in problems {
            let span = at.node.nearest(&pointer).span;
            let path = format!("{}{pointer}", at.path);
            self.diagnostics.report(span, &path, format!("in the expression: {message}"));
        }
        let mut variables = BTreeSet::new();
        template.variables(&mut variables);
        self.check_secrets(at, place, variables.contains("secrets"));
        template
    }

    /// `from` and `as`: an expression with or without braces, or an object with expressions inside.
    fn transform(&mut self, at: &Cursor<'_>, place: Place) -> Option<Template> {
        if at.is_text() {
            return self.expression(at, place).map(Template::Expression);
        }
        if at.is_object() {
            return Some(self.template(at, place));
        }
        at.report(&mut self.diagnostics, format!("expected an expression or an object, found {}", at.node.describe()));
        None
    }

    /// `input`, `output` or `export`.
    pub(crate) fn data_step(&mut self, at: Option<Cursor<'_>>, transform: &str, place: Place) -> DataStep {
        let Some(object) = at.and_then(|at| at.object(&mut self.diagnostics, &["schema", transform])) else {
            return DataStep::default();
        };
        DataStep {
            schema: object.get("schema").and_then(|schema| self.schema(&schema)),
            transform: object.get(transform).and_then(|transform| self.transform(&transform, place)),
        }
    }

    fn schema(&mut self, at: &Cursor<'_>) -> Option<Schema> {
        let object = at.object(&mut self.diagnostics, &["format", "document", "resource"])?;
        if let Some(format) = object.get("format")
            && let Some(text) = format.text(&mut self.diagnostics)
            && text != "json"
            && !text.starts_with("json:")
        {
            format
                .report(&mut self.diagnostics, format!("the schema format “{text}” is not supported; expected “json”"));
            return None;
        }
        let (document, value) = match (object.get("document"), object.get("resource")) {
            (Some(document), None) => (document.clone(), document.node.to_value()),
            (None, Some(resource)) => (resource.clone(), self.schema_elsewhere(&resource)?),
            _ => {
                at.report(&mut self.diagnostics, "expected exactly one of document, resource");
                return None;
            }
        };
        match compile_schema(&value) {
            Ok(validator) => Some(Schema { document: value, validator }),
            Err(message) => {
                document.report(&mut self.diagnostics, format!("not a valid JSON Schema: {message}"));
                None
            }
        }
    }

    /// A duration: an object of days to milliseconds, an ISO 8601 text, or an expression.
    pub(crate) fn span(&mut self, at: &Cursor<'_>, place: Place) -> Option<Span> {
        if let NodeKind::Text(text) = &at.node.kind {
            if as_expression(text).is_some() {
                return self.expression(at, place).map(|expression| Span::Expression(Arc::new(expression)));
            }
            let parsed = duration::parse_iso8601(text);
            if parsed.is_none() && self.loose {
                return self.expression(at, place).map(|expression| Span::Expression(Arc::new(expression)));
            }
            if parsed.is_none() {
                let message = format!("“{text}” is not an ISO 8601 duration such as PT30S, PT5M or P2D");
                at.report(&mut self.diagnostics, message);
            }
            return parsed.map(Span::Fixed);
        }
        if !at.is_object() {
            let message = format!(
                "expected a duration: an ISO 8601 string, an expression or an object, found {}",
                at.node.describe()
            );
            at.report(&mut self.diagnostics, message);
            return None;
        }
        let object = at.object(&mut self.diagnostics, &duration::UNITS.map(|(name, _)| name))?;
        if object.is_empty() {
            at.report(&mut self.diagnostics, "expected at least one of days, hours, minutes, seconds, milliseconds");
        }
        let mut total = Duration::ZERO;
        for (name, millis) in duration::UNITS {
            if let Some(count) = object.get(name) {
                let count = count.integer(&mut self.diagnostics, 0, 3_200_000_000_000)?;
                total += Duration::from_millis(count.saturating_mul(millis));
            }
        }
        if total > duration::LONGEST {
            at.report(&mut self.diagnostics, "the duration is longer than 100 years");
        }
        Some(Span::Fixed(total.min(duration::LONGEST)))
    }

    /// A timeout: the name of one under `use.timeouts`, or `{after: duration}`.
    pub(crate) fn timeout(&mut self, at: &Cursor<'_>, place: Place) -> Option<Span> {
        if at.is_text() {
            let name = at.text(&mut self.diagnostics)?;
            let found = self.timeouts.get(name).cloned();
            if found.is_none() {
                let hint = suggestion(name, self.timeouts.keys().map(String::as_str));
                at.report(&mut self.diagnostics, format!("there is no timeout “{name}” under `use.timeouts`{hint}"));
            }
            return found;
        }
        let object = at.object(&mut self.diagnostics, &["after"])?;
        let after = object.require(&mut self.diagnostics, "after")?;
        self.span(&after, place)
    }

    /// `raise.error`: the name of one under `use.errors`, or an error.
    pub(crate) fn error(&mut self, at: &Cursor<'_>, place: Place) -> Option<ErrorTemplate> {
        if at.is_text() {
            let name = at.text(&mut self.diagnostics)?;
            let Some(shared) = self.errors.get(name).cloned() else {
                let hint = suggestion(name, self.errors.keys().map(String::as_str));
                at.report(&mut self.diagnostics, format!("there is no error “{name}” under `use.errors`{hint}"));
                return None;
            };
            let known = self.known(place);
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            let mut problems = Vec::new();
            let mut part = |name: &str| {
                let value = shared.get(name)?;
                Some(Template::compile(value, &known, self.loose, &mut |_, message| problems.push(message)))
            };
            let parts = (part("type"), part("status"), part("title"), part("detail"), part("instance"));
            for message in problems {
                at.report(&mut self.diagnostics, format!("in the error “{name}”: {message}"));
            }
            let (kind, status, title, detail, instance) = parts;
            return Some(ErrorTemplate { kind: kind?, status: status?, title, detail, instance });
        }
        let object = self.error_object(at)?;
        let mut part = |name: &str| object.get(name).map(|part| self.template(&part, place));
        let (title, detail, instance) = (part("title"), part("detail"), part("instance"));
        Some(ErrorTemplate { kind: part("type")?, status: part("status")?, title, detail, instance })
    }

    /// Checks the form of an error.
    pub(crate) fn error_object<'s>(&mut self, at: &Cursor<'s>) -> Option<super::cursor::Object<'s>> {
        let object = at.object(&mut self.diagnostics, &["type", "status", "instance", "title", "detail"])?;
        if let Some(kind) = object.require(&mut self.diagnostics, "type")
            && let Some(text) = kind.text(&mut self.diagnostics)
            && !self.is_dynamic(text)
            && !is_uri(text)
        {
            kind.report(
                &mut self.diagnostics,
                format!("“{text}” is not an absolute URI such as https://example.com/errors/x"),
            );
        }
        if let Some(status) = object.require(&mut self.diagnostics, "status")
            && !matches!(&status.node.kind, NodeKind::Text(text) if self.is_dynamic(text))
        {
            status.integer(&mut self.diagnostics, 100, 599);
        }
        for name in ["instance", "title", "detail"] {
            if let Some(part) = object.get(name) {
                part.text(&mut self.diagnostics);
            }
        }
        Some(object)
    }

    /// `catch.errors.with`.
    pub(crate) fn error_filter(&mut self, at: &Cursor<'_>) -> ErrorFilter {
        let mut filter = ErrorFilter::default();
        let Some(object) = at.object(&mut self.diagnostics, &["with"]) else { return filter };
        let Some(with) = object.get("with") else { return filter };
        let known = ["type", "status", "instance", "title", "detail", "details"];
        let Some(with) = with.object(&mut self.diagnostics, &known) else { return filter };
        if with.is_empty() {
            with.at.report(&mut self.diagnostics, "expected at least one of type, status, instance, title, detail");
        }
        let mut text = |name: &str| with.get(name).and_then(|part| part.text(&mut self.diagnostics)).map(str::to_owned);
        filter.kind = text("type");
        filter.instance = text("instance");
        filter.title = text("title");
        filter.detail = text("detail").or_else(|| text("details"));
        filter.status = with
            .get("status")
            .and_then(|status| status.integer(&mut self.diagnostics, 100, 599))
            .and_then(|status| u16::try_from(status).ok());
        filter
    }

    /// `catch.retry`: the name of one under `use.retries`, or a policy.
    pub(crate) fn retry(&mut self, at: &Cursor<'_>) -> Option<Arc<RetryPolicy>> {
        if at.is_text() {
            let name = at.text(&mut self.diagnostics)?;
            let found = self.retries.get(name).cloned();
            if found.is_none() {
                let hint = suggestion(name, self.retries.keys().map(String::as_str));
                at.report(
                    &mut self.diagnostics,
                    format!("there is no retry policy “{name}” under `use.retries`{hint}"),
                );
            }
            return found;
        }
        let known = ["when", "exceptWhen", "delay", "backoff", "limit", "jitter"];
        let object = at.object(&mut self.diagnostics, &known)?;
        let mut policy = RetryPolicy {
            when: object.get("when").and_then(|when| self.expression(&when, Place::Task)),
            except_when: object.get("exceptWhen").and_then(|when| self.expression(&when, Place::Task)),
            delay: object.get("delay").and_then(|delay| self.span(&delay, Place::Task)),
            backoff: object.get("backoff").map_or(Backoff::Constant, |backoff| self.backoff(&backoff)),
            count: None,
            attempt_duration: None,
            total_duration: None,
            jitter: object.get("jitter").and_then(|jitter| self.jitter(&jitter)),
        };
        if let Some(limit) = object.get("limit")
            && let Some(limit) = limit.object(&mut self.diagnostics, &["attempt", "duration"])
        {
            policy.total_duration = limit.get("duration").and_then(|duration| self.span(&duration, Place::Task));
            if let Some(attempt) = limit.get("attempt")
                && let Some(attempt) = attempt.object(&mut self.diagnostics, &["count", "duration"])
            {
                policy.attempt_duration =
                    attempt.get("duration").and_then(|duration| self.span(&duration, Place::Task));
                policy.count = attempt
                    .get("count")
                    .and_then(|count| count.integer(&mut self.diagnostics, 0, 10_000))
                    .and_then(|count| u32::try_from(count).ok());
            }
        }
        if policy.count.is_none() && policy.total_duration.is_none() && policy.delay.is_none() {
            let message = "a retry policy without `limit` needs a `delay`: it would repeat at once and for ever";
            at.report(&mut self.diagnostics, message);
        }
        Some(Arc::new(policy))
    }

    fn backoff(&mut self, at: &Cursor<'_>) -> Backoff {
        let known = ["constant", "linear", "exponential"];
        let Some(object) = at.object(&mut self.diagnostics, &known) else { return Backoff::Constant };
        let chosen: Vec<&str> = known.into_iter().filter(|name| object.has(name)).collect();
        match chosen.as_slice() {
            ["constant"] => Backoff::Constant,
            ["linear"] => Backoff::Linear,
            ["exponential"] => Backoff::Exponential,
            _ => {
                at.report(&mut self.diagnostics, "expected exactly one of constant, linear, exponential");
                Backoff::Constant
            }
        }
    }

    fn jitter(&mut self, at: &Cursor<'_>) -> Option<(Span, Span)> {
        let object = at.object(&mut self.diagnostics, &["from", "to"])?;
        let from = object.require(&mut self.diagnostics, "from")?;
        let to = object.require(&mut self.diagnostics, "to")?;
        let (from, to) = (self.span(&from, Place::Task)?, self.span(&to, Place::Task)?);
        if let (Span::Fixed(from), Span::Fixed(to)) = (&from, &to)
            && from > to
        {
            at.report(&mut self.diagnostics, "`from` is longer than `to`");
        }
        Some((from, to))
    }
}

/// Whether the text is an absolute URI or a template of one.
pub(crate) fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let scheme_ok = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    scheme_ok && !rest.is_empty() && (text.contains('{') || url::Url::parse(text).is_ok())
}
