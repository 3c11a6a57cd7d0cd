//! Definitions: the Serverless Workflow DSL 1.0.3, strictly read.

mod approvals;
pub(crate) mod authentication;
mod canonical;
mod cases;
mod catalogue;
mod cursor;
mod events;
mod extensions;
pub(crate) mod model;
mod parts;
mod renumber;
mod resources;
mod run;
mod tasks;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use domain::{Limits, MissedRuns, Name, Rate, Risk};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use canonical::{canonical_json, digest};
pub use cases::{Case, Expectation, Response};
pub(crate) use catalogue::compile_schema;
pub use catalogue::{Capability, FunctionCatalogue, InvalidSchema, ResourceResolver};
pub(crate) use parts::Place;
pub use renumber::renumber;
pub(crate) use tasks::kind_named;

use crate::diagnostic::{Diagnostic, Diagnostics, suggestion};
use crate::timetable::{CronTimes, SHORTEST, Zone};
use crate::{Schedule, duration, process, process::Process, source};
use cursor::{Cursor, Object};
use model::{DataStep, Extension, ListIndex, Span, Task, TaskIndex, TaskKind, TaskList};
use parts::{Decoder, Within};
use resources::Kept;

/// What the definition says about itself (`document`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// The version of the language.
    pub dsl: semver::Version,
    /// The namespace.
    pub namespace: String,
    /// The name within the namespace.
    pub name: String,
    /// The version of the definition.
    pub version: semver::Version,
    /// The title for people, if given.
    pub title: Option<String>,
    /// What it does, in Markdown, if given.
    pub summary: Option<String>,
    /// Free tags.
    pub tags: BTreeMap<String, String>,
    /// Free metadata.
    pub metadata: Value,
}

impl Document {
    /// The title, or the name in words.
    pub fn title(&self) -> String {
        self.title.clone().unwrap_or_else(|| humanize(&self.name))
    }
}

/// The highest `limits.concurrency`.
const MAX_CONCURRENCY: u64 = 10_000;
/// The highest `limits.rate.count`.
const MAX_RATE: u64 = 100_000;
/// What `limits.rate.per` may be.
const RATE_SPANS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24);

/// `document.metadata.rondo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RondoMetadata {
    /// Category in the catalogue.
    pub category: Option<String>,
    /// Name of an icon of the portal's set.
    pub icon: Option<String>,
    /// How much harm it can do; medium unless said otherwise.
    pub risk: Risk,
    /// The team that answers for it.
    pub owner: Option<String>,
    /// The work that one run saves.
    pub time_saved: Option<Duration>,
    /// The compliance controls that a run is evidence for.
    pub controls: Vec<String>,
    /// How its schedule is kept.
    pub schedule: ScheduleMetadata,
    /// How many of its runs are executed at once, and begin in what time, on all nodes together.
    pub limits: Limits,
}

/// `document.metadata.rondo.schedule`: what the language has no place for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleMetadata {
    /// By the clocks of which time zone; UTC unless said otherwise.
    pub zone: Zone,
    /// What becomes of times that were missed; one run for all unless said otherwise.
    pub missed: MissedRuns,
}

impl Default for ScheduleMetadata {
    fn default() -> Self {
        Self { zone: Zone::default(), missed: MissedRuns::Once }
    }
}

impl Default for RondoMetadata {
    fn default() -> Self {
        Self {
            category: None,
            icon: None,
            risk: Risk::Medium,
            owner: None,
            time_saved: None,
            controls: Vec::new(),
            schedule: ScheduleMetadata::default(),
            limits: Limits::default(),
        }
    }
}

/// A version of a workflow that another definition runs by `run: workflow`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CalledWorkflow {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its version, or `latest`.
    pub version: String,
}

/// A definition that passed every check and can be run. Immutable; share it in an `Arc`.
#[derive(Debug)]
pub struct Definition {
    source: String,
    value: Value,
    digest: String,
    document: Document,
    rondo: RondoMetadata,
    cases: Vec<Case>,
    pub(crate) input: DataStep,
    pub(crate) output: DataStep,
    pub(crate) timeout: Option<Span>,
    pub(crate) root: ListIndex,
    tasks: Vec<Task>,
    lists: Vec<TaskList>,
    pub(crate) extensions: Vec<Extension>,
    pub(crate) schedule: Option<Schedule>,
    pub(crate) secrets: BTreeSet<String>,
    pub(crate) systems: BTreeMap<String, String>,
    resources: BTreeMap<String, String>,
}

impl Definition {
    /// The version of the language that is understood.
    pub const DSL: &'static str = "1.0.3";

    /// Reads a definition in YAML or JSON. Everything that is wrong with it is reported at once, in the order of the
    /// source; a definition with any diagnostic is not usable. `functions` also says what the engine can do
    /// ([`FunctionCatalogue::allow`]) and reads what the definition refers to elsewhere
    /// ([`FunctionCatalogue::resolve_with`]).
    pub fn parse(source: &str, functions: &FunctionCatalogue) -> Result<Self, Vec<Diagnostic>> {
        Self::read(source, functions, functions.resolver())
    }

    /// Reads a definition that was parsed before, with what it referred to elsewhere ([`Self::resources`]) as it was then:
    /// nothing else is read, so that it means the same wherever and whenever this is done.
    pub fn restore(
        source: &str,
        resources: &BTreeMap<String, String>,
        functions: &FunctionCatalogue,
    ) -> Result<Self, Vec<Diagnostic>> {
        Self::read(source, functions, Some(&Kept(resources)))
    }

    /// What a text says about itself, whether or not the rest is a definition.
    pub fn identify(source: &str) -> Option<Document> {
        Self::head(source).map(|(document, _)| document)
    }

    /// The risk that a text says it has, whether or not the rest is a definition.
    pub fn risk_of(source: &str) -> Option<Risk> {
        Self::head(source).map(|(_, rondo)| rondo.risk)
    }

    fn head(source: &str) -> Option<(Document, RondoMetadata)> {
        let mut diagnostics = Diagnostics::default();
        let root = source::read(source, &mut diagnostics)?;
        let functions = FunctionCatalogue::new();
        let mut decoder = Decoder::new(diagnostics, &functions, None);
        let root = Cursor::root(&root);
        let object = root.open_object(&mut decoder.diagnostics)?;
        decoder.document(&object.get("document")?)
    }

    fn read(
        source: &str,
        functions: &FunctionCatalogue,
        resolver: Option<&dyn ResourceResolver>,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut diagnostics = Diagnostics::default();
        match source::read(source, &mut diagnostics) {
            Some(root) => Decoder::new(diagnostics, functions, resolver).definition(source, &Cursor::root(&root)),
            None => Err(diagnostics.finish()),
        }
    }

    /// The texts elsewhere that it refers to, by their URI, as they were read: functions of catalogs, and schemas, and what
    /// these refer to. They are part of its digest.
    pub fn resources(&self) -> &BTreeMap<String, String> {
        &self.resources
    }

    /// What it says about itself.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// What it says to this product.
    pub fn rondo(&self) -> &RondoMetadata {
        &self.rondo
    }

    /// What it is expected to do, to be tried out by [`crate::rehearsal`]: `document.metadata.rondo.tests`.
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// The JSON Schema of the input, if it has one.
    pub fn input_schema(&self) -> Option<&Value> {
        self.input.schema.as_ref().map(|schema| &schema.document)
    }

    /// The names of the secrets it declares.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(String::as_str)
    }

    /// When runs begin by themselves, if they do.
    pub fn schedule(&self) -> Option<&Schedule> {
        self.schedule.as_ref()
    }

    /// The text it was read from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// It as JSON: `$workflow.definition`.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Hex SHA-256 over its canonical JSON: equal for equal meaning, whatever the spelling. What it refers to elsewhere is
    /// part of it.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The titles of its tasks by reference, for pages: `metadata.title`, or the name in words.
    pub fn titles(&self) -> BTreeMap<String, String> {
        self.tasks.iter().map(|task| (task.reference.to_string(), task_title(task))).collect()
    }

    /// Whether any of its tasks makes another input of what it gets (`input.from`).
    pub fn transforms_input(&self) -> bool {
        self.tasks.iter().any(|task| task.input.transform.is_some())
    }

    /// The workflows that it runs, as far as it says so itself: what an expression names is known in a run only.
    pub fn called_workflows(&self) -> BTreeSet<CalledWorkflow> {
        let calls = self.tasks.iter().filter_map(|task| task.kind.call());
        let runs = calls.filter(|call| call.function == process::WORKFLOW);
        runs.filter_map(|run| {
            let text = |pointer| {
                let (part, rest) = run.with.at(pointer)?;
                Some(part.constant()?.pointer(rest)?.as_str()?.to_owned())
            };
            Some(CalledWorkflow { namespace: text("/namespace")?, name: text("/name")?, version: text("/version")? })
        })
        .collect()
    }

    /// The connections that its calls name, by themselves or in an address, as far as it says so itself: what an expression names is
    /// known in a run only.
    pub fn connections(&self) -> BTreeSet<&str> {
        let calls = self.tasks.iter().filter_map(|task| task.kind.call());
        calls
            .flat_map(|call| {
                let text = |pointer: &'static str| {
                    let (part, rest) = call.with.at(pointer)?;
                    part.constant()?.pointer(rest)?.as_str()
                };
                let by_address = ENDPOINTS.into_iter().filter_map(move |pointer| connection_of(text(pointer)?));
                text("/connection").into_iter().chain(by_address)
            })
            .collect()
    }

    /// Whether any of its tasks runs a shell command, a script or a container.
    pub fn runs_processes(&self) -> bool {
        let asks = |task: &Task| task.kind.call().is_some_and(|call| Process::is_asked_for_by(&call.function));
        self.tasks.iter().any(asks)
    }

    /// What its processes ask of runners elsewhere: the labels of each kind of runner, once.
    pub fn wanted_runners(&self) -> BTreeSet<&[Name]> {
        self.tasks.iter().filter_map(|task| task.metadata.runner.as_deref()).collect()
    }

    /// The task with this reference.
    pub(crate) fn index_of(&self, reference: &str) -> Option<TaskIndex> {
        let place = self.tasks.iter().position(|task| &*task.reference == reference)?;
        TaskIndex::try_from(place).ok()
    }

    pub(crate) fn task(&self, index: TaskIndex) -> Option<&Task> {
        self.tasks.get(index as usize)
    }

    pub(crate) fn list(&self, index: ListIndex) -> Option<&TaskList> {
        self.lists.get(index as usize)
    }
}

/// Where calls have an address that may be that of a connection.
const ENDPOINTS: [&str; 4] = ["/endpoint", "/endpoint/uri", "/transport/http/endpoint", "/transport/http/endpoint/uri"];

/// The connection that an address `connection://NAME/…` names; none where the name is filled in only when it is called.
fn connection_of(address: &str) -> Option<&str> {
    let name = address.strip_prefix("connection://")?.split(['/', '?', '#']).next()?;
    (!name.is_empty() && !name.contains('{')).then_some(name)
}

/// A task's title for people.
pub(crate) fn task_title(task: &Task) -> String {
    task.metadata.title.clone().unwrap_or_else(|| humanize(&task.name))
}

/// `createAccount` and `create-account` as `Create account`.
pub(crate) fn humanize(name: &str) -> String {
    let mut words = String::new();
    let mut previous_lower = false;
    for c in name.chars() {
        if matches!(c, '-' | '_' | ' ' | '.') {
            if !words.ends_with(' ') && !words.is_empty() {
                words.push(' ');
            }
            previous_lower = false;
            continue;
        }
        if c.is_uppercase() && previous_lower {
            words.push(' ');
        }
        if words.is_empty() {
            words.extend(c.to_uppercase());
        } else if words.ends_with(' ') {
            words.extend(c.to_lowercase());
        } else {
            words.push(c);
        }
        previous_lower = c.is_lowercase() || c.is_ascii_digit();
    }
    words.trim_end().to_owned()
}

impl<'c> Decoder<'c> {
    fn new(
        diagnostics: Diagnostics,
        catalogue: &'c FunctionCatalogue,
        resolver: Option<&'c dyn ResourceResolver>,
    ) -> Self {
        Self {
            diagnostics,
            catalogue,
            resolver,
            tasks: Vec::new(),
            lists: Vec::new(),
            locals: Vec::new(),
            secrets: BTreeSet::new(),
            authentications: BTreeMap::new(),
            errors: BTreeMap::new(),
            retries: BTreeMap::new(),
            timeouts: BTreeMap::new(),
            catalogs: BTreeMap::new(),
            resources: BTreeMap::new(),
            texts: BTreeMap::new(),
            extensions: Vec::new(),
            functions: BTreeMap::new(),
            within: Within::Workflow,
            concurrent: false,
            loose: false,
            narrowed: Vec::new(),
        }
    }
}

impl Decoder<'_> {
    fn definition(mut self, source: &str, root: &Cursor<'_>) -> Result<Definition, Vec<Diagnostic>> {
        let known = ["document", "input", "use", "do", "timeout", "output", "schedule", "evaluate"];
        let Some(object) = root.object(&mut self.diagnostics, &known) else {
            return Err(self.diagnostics.finish());
        };
        let document = object.require(&mut self.diagnostics, "document").and_then(|document| self.document(&document));
        // First, because it says which texts are expressions.
        if let Some(evaluate) = object.get("evaluate") {
            self.evaluate(&evaluate);
        }
        if let Some(components) = object.get("use") {
            self.components(&components);
        }
        let input = self.data_step(object.get("input"), "from", Place::WorkflowInput);
        let root_list = object.require(&mut self.diagnostics, "do").map(|list| self.task_list(&list, "/do"));
        self.check_narrowed(input.schema.as_ref().map(|schema| &schema.document));
        let timeout = object.get("timeout").and_then(|timeout| self.timeout(&timeout, Place::WorkflowInput));
        let output = self.data_step(object.get("output"), "as", Place::WorkflowOutput);
        let kept = document.as_ref().map(|(_, rondo)| rondo.schedule.clone()).unwrap_or_default();
        let schedule = object.get("schedule").and_then(|schedule| self.schedule(&schedule, kept, &input));
        self.check_function_cycles(root);
        let cases = self.tests(&object);
        let tasks: Option<Vec<Task>> = self.tasks.into_iter().collect();
        match (document, root_list, tasks) {
            (Some((document, rondo)), Some(root), Some(tasks)) if self.diagnostics.is_empty() => {
                let value = object.at.node.to_value();
                let systems = self
                    .catalogue
                    .names()
                    .filter_map(|name| Some((name.to_owned(), self.catalogue.system(name)?.to_owned())))
                    .chain(process::SYSTEMS.map(|(name, system)| (name.to_owned(), system.to_owned())))
                    .collect();
                Ok(Definition {
                    source: source.to_owned(),
                    digest: if self.resources.is_empty() {
                        digest(&value)
                    } else {
                        digest(&json!({"definition": value, "resources": self.resources}))
                    },
                    value,
                    document,
                    rondo,
                    cases,
                    input,
                    output,
                    timeout,
                    root,
                    tasks,
                    lists: self.lists,
                    extensions: self.extensions,
                    schedule,
                    secrets: self.secrets,
                    systems,
                    resources: self.texts,
                })
            }
            _ => {
                if self.diagnostics.is_empty() {
                    root.report(&mut self.diagnostics, "the definition cannot be read");
                }
                Err(self.diagnostics.finish())
            }
        }
    }

    fn document(&mut self, at: &Cursor<'_>) -> Option<(Document, RondoMetadata)> {
        let known = ["dsl", "namespace", "name", "version", "title", "summary", "tags", "metadata"];
        let object = at.object(&mut self.diagnostics, &known)?;
        let dsl = self.version(&object, "dsl");
        if let Some(dsl) = &dsl
            && (dsl.major != 1 || dsl.minor != 0 || dsl.patch > 3)
            && let Some(at) = object.get("dsl")
        {
            let message = format!("version {dsl} of the language is not supported; expected {}", Definition::DSL);
            at.report(&mut self.diagnostics, message);
        }
        let namespace = self.name(&object, "namespace");
        let name = self.name(&object, "name");
        let version = self.version(&object, "version");
        let mut text = |name: &str| object.get(name).and_then(|at| at.text(&mut self.diagnostics)).map(str::to_owned);
        let (title, summary) = (text("title"), text("summary"));
        let mut tags = BTreeMap::new();
        if let Some(object) = object.get("tags").and_then(|tags| tags.open_object(&mut self.diagnostics)) {
            for (name, tag) in object.entries() {
                if let Some(text) = tag.text(&mut self.diagnostics) {
                    tags.insert(name.to_owned(), text.to_owned());
                }
            }
        }
        let (mut metadata, mut rondo) = (Value::Null, RondoMetadata::default());
        if let Some(at) = object.get("metadata")
            && let Some(object) = at.open_object(&mut self.diagnostics)
        {
            metadata = at.node.to_value();
            if let Some(at) = object.get("rondo") {
                rondo = self.rondo(&at);
            }
        }
        let document = Document {
            dsl: dsl?,
            namespace: namespace?,
            name: name?,
            version: version?,
            title,
            summary,
            tags,
            metadata,
        };
        Some((document, rondo))
    }

    fn version(&mut self, object: &Object<'_>, name: &str) -> Option<semver::Version> {
        let at = object.require(&mut self.diagnostics, name)?;
        let text = at.text(&mut self.diagnostics)?;
        let version = semver::Version::parse(text).ok();
        if version.is_none() {
            at.report(&mut self.diagnostics, format!("“{text}” is not a semantic version such as 1.0.0"));
        }
        version
    }

    fn name(&mut self, object: &Object<'_>, name: &str) -> Option<String> {
        let at = object.require(&mut self.diagnostics, name)?;
        let text = at.text(&mut self.diagnostics)?;
        let edge = |c: char| c.is_ascii_alphanumeric();
        let fits = text.len() <= 63
            && text.starts_with(edge)
            && text.ends_with(edge)
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !fits {
            let message = format!(
                "“{text}” is not a name: expected 1 to 63 letters, digits and hyphens, beginning and \
                ending with a letter or digit"
            );
            at.report(&mut self.diagnostics, message);
        }
        fits.then(|| text.to_owned())
    }

    fn rondo(&mut self, at: &Cursor<'_>) -> RondoMetadata {
        let mut rondo = RondoMetadata::default();
        // Tests name tasks, and are read once these are: see `Decoder::tests`.
        let known = ["category", "icon", "risk", "owner", "timeSaved", "controls", "schedule", "limits", "tests"];
        let Some(object) = at.object(&mut self.diagnostics, &known) else { return rondo };
        let mut text = |name: &str| object.get(name).and_then(|at| at.text(&mut self.diagnostics)).map(str::to_owned);
        rondo.category = text("category");
        rondo.icon = text("icon");
        rondo.owner = text("owner");
        if let Some(at) = object.get("risk")
            && let Some(text) = at.text(&mut self.diagnostics)
        {
            match text.parse() {
                Ok(risk) => rondo.risk = risk,
                Err(_) => {
                    at.report(&mut self.diagnostics, format!("“{text}” is no risk; expected low, medium or high"));
                }
            }
        }
        if let Some(at) = object.get("timeSaved")
            && let Some(text) = at.text(&mut self.diagnostics)
        {
            rondo.time_saved = duration::parse_iso8601(text);
            if rondo.time_saved.is_none() {
                at.report(&mut self.diagnostics, format!("“{text}” is not an ISO 8601 duration such as PT45M"));
            }
        }
        if let Some(at) = object.get("controls") {
            for item in at.list(&mut self.diagnostics) {
                rondo.controls.extend(item.text(&mut self.diagnostics).map(str::to_owned));
            }
        }
        if let Some(at) = object.get("schedule") {
            rondo.schedule = self.schedule_metadata(&at);
        }
        if let Some(at) = object.get("limits") {
            rondo.limits = self.limits(&at);
        }
        rondo
    }

    fn limits(&mut self, at: &Cursor<'_>) -> Limits {
        let mut limits = Limits::default();
        let Some(object) = at.object(&mut self.diagnostics, &["concurrency", "rate"]) else { return limits };
        if object.is_empty() {
            at.report(&mut self.diagnostics, "expected `concurrency`, `rate` or both");
        }
        limits.concurrency = object.get("concurrency").and_then(|at| self.count(&at, MAX_CONCURRENCY));
        limits.rate = object.get("rate").and_then(|at| self.rate(&at));
        limits
    }

    fn rate(&mut self, at: &Cursor<'_>) -> Option<Rate> {
        let object = at.object(&mut self.diagnostics, &["count", "per"])?;
        let count = object.require(&mut self.diagnostics, "count").and_then(|at| self.count(&at, MAX_RATE));
        let per = object.require(&mut self.diagnostics, "per").and_then(|at| {
            let text = at.text(&mut self.diagnostics)?;
            let per = duration::parse_iso8601(text).filter(|per| RATE_SPANS.contains(per));
            if per.is_none() {
                at.report(&mut self.diagnostics, format!("“{text}” is not an ISO 8601 duration from PT1S to PT24H"));
            }
            per
        });
        Some(Rate { count: count?, per: per? })
    }

    fn count(&mut self, at: &Cursor<'_>, most: u64) -> Option<u32> {
        at.integer(&mut self.diagnostics, 1, most).and_then(|count| u32::try_from(count).ok())
    }

    fn schedule_metadata(&mut self, at: &Cursor<'_>) -> ScheduleMetadata {
        let mut kept = ScheduleMetadata::default();
        let Some(object) = at.object(&mut self.diagnostics, &["zone", "missed"]) else { return kept };
        if let Some(at) = object.get("zone")
            && let Some(text) = at.text(&mut self.diagnostics)
        {
            if let Some(zone) = Zone::named(text) {
                kept.zone = zone;
            } else {
                let names = Zone::names();
                let hint = suggestion(text, names.iter().map(String::as_str));
                let message = format!("“{text}” is not an IANA time zone such as Europe/Berlin{hint}");
                at.report(&mut self.diagnostics, message);
            }
        }
        if let Some(at) = object.get("missed")
            && let Some(text) = at.text(&mut self.diagnostics)
        {
            if let Ok(missed) = text.parse() {
                kept.missed = missed;
            } else {
                let hint = suggestion(text, MissedRuns::ALL.iter().map(|missed| missed.as_str()));
                at.report(&mut self.diagnostics, format!("expected skip, once or all, found “{text}”{hint}"));
            }
        }
        kept
    }

    fn components(&mut self, at: &Cursor<'_>) {
        let known =
            ["authentications", "catalogs", "errors", "extensions", "functions", "retries", "secrets", "timeouts"];
        let Some(object) = at.object(&mut self.diagnostics, &known) else { return };
        if let Some(secrets) = object.get("secrets") {
            for secret in secrets.list(&mut self.diagnostics) {
                if let Some(name) = secret.text(&mut self.diagnostics)
                    && !self.secrets.insert(name.to_owned())
                {
                    secret.report(&mut self.diagnostics, format!("the secret “{name}” is already listed"));
                }
            }
        }
        for (name, at) in self.entries(&object, "authentications") {
            if let Some(policy) = self.authentication(&at, false) {
                // Compiled again wherever it is used; here for what is wrong with it.
                self.template_of(&at, &policy, Place::CallWith);
                self.authentications.insert(name, policy);
            }
        }
        for (name, at) in self.entries(&object, "catalogs") {
            if let Some(catalog) = self.catalog(&at) {
                self.catalogs.insert(name, catalog);
            }
        }
        for (name, at) in self.entries(&object, "timeouts") {
            let after = at.object(&mut self.diagnostics, &["after"]);
            let after = after.and_then(|timeout| timeout.require(&mut self.diagnostics, "after"));
            if let Some(span) = after.and_then(|after| self.span(&after, Place::WorkflowInput)) {
                self.timeouts.insert(name, span);
            }
        }
        for (name, at) in self.entries(&object, "errors") {
            if self.error_object(&at).is_some() {
                self.errors.insert(name, Arc::new(at.node.to_value()));
            }
        }
        self.locals.push("error".to_owned());
        for (name, at) in self.entries(&object, "retries") {
            if let Some(policy) = self.retry(&at) {
                self.retries.insert(name, policy);
            }
        }
        self.locals.pop();
        let functions = self.entries(&object, "functions");
        for (name, at) in &functions {
            if let Some(slot) = self.reserve(at) {
                self.functions.insert(name.clone(), slot);
            }
        }
        if let Some(extensions) = object.get("extensions") {
            self.extensions(&extensions);
        }
        for (name, at) in &functions {
            if let Some(slot) = self.functions.get(name).copied() {
                self.function(at, slot, name, &format!("/use/functions/{}", source::escape_pointer(name)));
            }
        }
    }

    fn entries<'s>(&mut self, object: &Object<'s>, name: &str) -> Vec<(String, Cursor<'s>)> {
        let section = object.get(name).and_then(|section| section.open_object(&mut self.diagnostics));
        section.map(|section| section.entries().map(|(name, at)| (name.to_owned(), at)).collect()).unwrap_or_default()
    }

    fn evaluate(&mut self, at: &Cursor<'_>) {
        let Some(object) = at.object(&mut self.diagnostics, &["language", "mode"]) else { return };
        let mut word = |name: &str| {
            let at = object.get(name)?;
            let text = at.text(&mut self.diagnostics)?.to_owned();
            Some((at, text))
        };
        let (language, mode) = (word("language"), word("mode"));
        if let Some((at, language)) = language
            && language != "jq"
        {
            let message = format!("expressions in “{language}” are not supported; expected “jq”");
            at.report(&mut self.diagnostics, message);
        }
        if let Some((at, mode)) = mode {
            self.loose = mode == "loose";
            if !matches!(mode.as_str(), "strict" | "loose") {
                let hint = suggestion(&mode, ["strict", "loose"]);
                at.report(&mut self.diagnostics, format!("expected strict or loose, found “{mode}”{hint}"));
            }
        }
    }

    fn schedule(&mut self, at: &Cursor<'_>, kept: ScheduleMetadata, input: &DataStep) -> Option<Schedule> {
        self.needs(at, Capability::Schedule);
        let object = at.object(&mut self.diagnostics, &["every", "cron", "after", "on"])?;
        if object.is_empty() {
            at.report(&mut self.diagnostics, "expected one of every, cron, after, on");
        }
        let ScheduleMetadata { zone, missed } = kept;
        let every = object.get("every").and_then(|every| self.distance(&every));
        let after = object.get("after").and_then(|after| self.distance(&after));
        let cron = object.get("cron").and_then(|at| {
            let text = at.text(&mut self.diagnostics)?;
            let times = CronTimes::parse(text, zone.clone());
            if let Err(error) = &times {
                let message = format!("“{text}” is not a cron pattern such as 0 0 * * *: {error}");
                at.report(&mut self.diagnostics, message);
            }
            times.ok()
        });
        let on = object.get("on").and_then(|on| self.consumption(&on, Place::Schedule, true));
        if every.is_some() || after.is_some() || cron.is_some() {
            self.check_empty_input(at, input);
        }
        Some(Schedule { every, cron, after, zone, missed, on })
    }

    /// Nobody fills in a form for a run that begins by the clock.
    fn check_empty_input(&mut self, at: &Cursor<'_>, input: &DataStep) {
        let Some(schema) = &input.schema else { return };
        let empty = json!({});
        if let Some(error) = schema.validator.iter_errors(&empty).next() {
            let message =
                format!("its runs begin with the input {{}}, which `input.schema` refuses: {}", error.masked());
            at.report(&mut self.diagnostics, message);
        }
    }

    /// A distance between runs.
    fn distance(&mut self, at: &Cursor<'_>) -> Option<Duration> {
        let distance = self.fixed(at)?;
        if distance < SHORTEST {
            at.report(&mut self.diagnostics, "expected at least one second");
        }
        Some(distance)
    }

    /// A duration that is known before there is a run.
    fn fixed(&mut self, at: &Cursor<'_>) -> Option<Duration> {
        match self.span(at, Place::Schedule)? {
            Span::Fixed(duration) => Some(duration),
            Span::Expression(_) => {
                at.report(&mut self.diagnostics, "expected a fixed duration: there is no run yet");
                None
            }
        }
    }

    /// A function that calls itself, directly or through others, would never end.
    fn check_function_cycles(&mut self, root: &Cursor<'_>) {
        let mut calls: BTreeMap<TaskIndex, BTreeSet<TaskIndex>> = BTreeMap::new();
        for (name, body) in &self.functions {
            let prefix = format!("/use/functions/{}", source::escape_pointer(name));
            let inside = |task: &&Task| {
                task.reference.strip_prefix(&*prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            let called = self.tasks.iter().flatten().filter(inside).filter_map(|task| match &task.kind {
                TaskKind::Function(call) => Some(call.body),
                _ => None,
            });
            calls.insert(*body, called.collect());
        }
        for (name, body) in &self.functions {
            let mut reached: BTreeSet<TaskIndex> = BTreeSet::new();
            let mut open: Vec<TaskIndex> = calls.get(body).into_iter().flatten().copied().collect();
            while let Some(next) = open.pop() {
                if reached.insert(next) {
                    open.extend(calls.get(&next).into_iter().flatten());
                }
            }
            if reached.contains(body) {
                let pointer = format!("/use/functions/{}", source::escape_pointer(name));
                let span = root.node.nearest(&pointer).span;
                self.diagnostics.report(span, &pointer, format!("the function “{name}” calls itself"));
            }
        }
    }
}
