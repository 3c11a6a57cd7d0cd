//! The life of a definition: draft, in review, published, retired. Here are drafts, and what the other steps share.
//!
//! A draft is any text that may become a definition; what has left draft is a definition, and its text stays as it is. So what
//! a version is known by, its digest, is that of the text while it is a draft, and of the definition, with all that it refers
//! to elsewhere, from its submission on. See `docs/adr/0019-the-life-of-a-definition.md`.

mod archive;
mod comments;
mod difference;
mod editing;
mod export;
mod files;
mod rehearsal;
mod retirement;
mod review;

use std::{sync::Arc, time::Duration};

pub use archive::is_definition_file;
pub use export::{DefinitionArchive, ExportedDefinition, ExportedVersions};
pub(crate) use export::{archive_detail, archive_target};
pub use files::{DefinitionFile, FILES_BYTES_LIMIT, FILES_LIMIT};
pub(crate) use files::{text_of, version_of};

use domain::{
    ErrorCode, FieldError, Name, Operation, Problem, Role, UserId, VersionState, WorkflowRef,
    view::{
        CheckedDefinition, DefinitionItem, DefinitionLife, DiagnosticView, FunctionView, LanguageView, Page,
        SavedDefinition, WorkflowVersionView,
    },
};
use engine::{definitions, launch};
use policy::{DefinitionVisibility, Resource};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use store::{
    UnitOfWork,
    workflows::{VersionFilter, VersionKey, WorkflowVersion},
};
use tokio::sync::Semaphore;
use workflow::{Definition, Diagnostic};

use crate::{
    Caller, Gate, Service, cursor,
    gate::Target,
    people::field,
    problems::{OrProblem as _, internal, not_found},
    runners,
    shipped::sort_key,
    views::People,
};

/// Texts that are examined at once. Each may wait for the systems that it refers to.
const EXAMINED_AT_ONCE: usize = 4;
/// How long a person waits for a text to be examined.
const PATIENCE: Duration = Duration::from_mins(1);
/// The largest text, in bytes: what the language takes.
const TEXT_LIMIT: usize = 1024 * 1024;

/// What a list of definitions is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct DefinitionQuery {
    /// Only in this state.
    pub state: Option<VersionState>,
    /// Only of this namespace.
    pub namespace: Option<Name>,
}

/// Lets few texts be examined or tried out at once, so that slow systems that texts refer to, and long runs, take no thread
/// from others.
pub(crate) struct Examination(Arc<Semaphore>);

impl Default for Examination {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(EXAMINED_AT_ONCE)))
    }
}

/// A stored version with everybody who has changed it.
struct Written {
    version: WorkflowVersion,
    authors: Vec<UserId>,
}

impl Written {
    /// Refuses what can be done in another state only.
    fn must_be(&self, state: VersionState) -> Result<(), Problem> {
        if self.version.state == state {
            return Ok(());
        }
        let WorkflowVersion { version, state: found, .. } = &self.version;
        let detail = format!("version {version} is {}, not {}", in_words(*found), in_words(state));
        Err(Problem::new(ErrorCode::Conflict).with_detail(detail))
    }

    /// Refuses what was meant for another text.
    fn must_have(&self, digest: &str) -> Result<(), Problem> {
        if self.version.digest == digest {
            return Ok(());
        }
        let detail = "what you saw is not what is there now; read it again and go on from that";
        Err(Problem::new(ErrorCode::DigestMismatch).with_detail(detail))
    }

    /// The version as it becomes by a change of this caller.
    fn changed(&self, gate: &Gate<'_>, caller: &Caller, state: VersionState) -> WorkflowVersion {
        WorkflowVersion { state, changed_by: Some(caller.user), changed_at: gate.now, ..self.version.clone() }
    }

    fn resource(&self) -> Resource {
        Resource::definition(&self.version.workflow, &self.version.version, self.authors.iter().copied())
    }
}

pub(crate) const fn in_words(state: VersionState) -> &'static str {
    match state {
        VersionState::Draft => "a draft",
        VersionState::InReview => "in review",
        VersionState::Published => "published",
        VersionState::Retired => "retired",
    }
}

fn target(workflow: &WorkflowRef, version: &str) -> Target {
    Target::new("workflow", workflow, format!("{workflow} {version}")).within(&workflow.namespace)
}

/// What a draft is known by.
pub(crate) fn digest_of(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

/// What is wrong, as pages and editors show it.
pub(crate) fn diagnostics(found: Vec<Diagnostic>) -> Vec<DiagnosticView> {
    let number = |place: usize| u64::try_from(place).unwrap_or(u64::MAX);
    let view = |Diagnostic { line, column, path, message }| DiagnosticView {
        line: number(line),
        column: number(column),
        path,
        message,
    };
    found.into_iter().map(view).collect()
}

/// The problem of a text that is no definition.
fn invalid(found: Vec<Diagnostic>) -> Problem {
    let error = |Diagnostic { line, column, path, message }| FieldError {
        pointer: path,
        rule: "definition".to_owned(),
        expected: json!({"line": line, "column": column}),
        message: format!("{line}:{column}: {message}"),
    };
    Problem::new(ErrorCode::InvalidDefinition).with_errors(found.into_iter().map(error).collect())
}

/// Refuses a text that is larger than the language takes.
fn must_fit(text: &str) -> Result<(), Problem> {
    if text.len() <= TEXT_LIMIT {
        return Ok(());
    }
    Err(Problem::new(ErrorCode::TooLarge).with_detail("a definition has at most 1 MiB"))
}

/// Refuses a text that says it is another version than the one it is kept as.
fn must_name(text: &str, workflow: &WorkflowRef, version: &str) -> Result<(), Problem> {
    let Some(document) = Definition::identify(text) else { return Ok(()) };
    let named = [
        ("namespace", document.namespace, workflow.namespace.as_str()),
        ("name", document.name, workflow.name.as_str()),
        ("version", document.version.to_string(), version),
    ];
    let errors: Vec<_> = named
        .into_iter()
        .filter(|(_, found, expected)| found != expected)
        .map(|(part, found, expected)| {
            let message = format!("the document says “{found}”, and is kept as “{expected}”");
            field(&format!("/document/{part}"), "definition", expected.into(), &message)
        })
        .collect();
    if errors.is_empty() { Ok(()) } else { Err(Problem::new(ErrorCode::InvalidDefinition).with_errors(errors)) }
}

fn number(version: &str) -> Result<semver::Version, Problem> {
    let number = version.parse::<semver::Version>().ok().filter(|number| number.to_string() == version);
    number.ok_or_else(|| {
        let message = "a version is a semantic version: 1.0.0, 1.2.0-rc.1";
        let errors = vec![field("/version", "format", "semver".into(), message)];
        Problem::new(ErrorCode::InvalidInput).with_errors(errors)
    })
}

impl Service {
    /// Versions of all states, by namespace and name, newest first: those of the namespaces for which the caller writes or
    /// publishes.
    pub async fn definitions(
        &self,
        caller: &Caller,
        query: DefinitionQuery,
        cursor: Option<&str>,
        limit: Option<u32>,
    ) -> Result<Page<DefinitionItem>, Problem> {
        let mut gate = self.look(caller, Operation::DefinitionList).await?;
        gate.authorize(&Resource::system(), &Target::new("definitions", "", "")).await?;
        let namespaces = match (query.namespace, self.in_force().definition_visibility(&caller.principal)) {
            (Some(one), visible) => Some(if visible.includes(&one) { vec![one] } else { Vec::new() }),
            (None, DefinitionVisibility::Everywhere) => None,
            (None, DefinitionVisibility::Within(some)) => Some(some.into_iter().collect()),
        };
        let filter = VersionFilter { namespaces, state: query.state };
        let after =
            cursor::decode::<(Name, Name, String, String)>(cursor)?.map(|(namespace, name, sort_key, version)| {
                VersionKey { workflow: WorkflowRef { namespace, name }, sort_key, version }
            });
        let limit = cursor::limit(limit);
        let rows = gate.unit.list_versions(&filter, after.as_ref(), limit + 1).await.or_problem()?;
        let page = cursor::page(rows, limit, |row| {
            let WorkflowRef { namespace, name } = row.workflow.clone();
            (namespace, name, row.sort_key.clone(), row.version.clone())
        });
        let people = People::load(gate.unit.as_mut(), page.items.iter().filter_map(|row| row.changed_by));
        let people = people.await.or_problem()?;
        Ok(cursor::map(page, |row| DefinitionItem {
            ships_otherwise: self.passed_over.holds(&row.workflow, &row.version),
            namespace: row.workflow.namespace,
            name: row.workflow.name,
            version: row.version,
            title: row.title,
            state: row.state,
            digest: row.digest,
            changed_by: row.changed_by.map(|person| people.get(person)),
            changed_at: row.changed_at,
        }))
    }

    /// What is wrong with a text, or its graph when nothing is. It is not kept.
    pub async fn validate_definition(&self, caller: &Caller, text: &str) -> Result<CheckedDefinition, Problem> {
        let mut gate = self.look(caller, Operation::DefinitionValidate).await?;
        gate.authorize(&Resource::system(), &Target::new("definitions", "", "")).await?;
        drop(gate);
        Ok(match self.examine(text).await? {
            Ok(definition) => CheckedDefinition { graph: Some(definition.graph()), ..CheckedDefinition::default() },
            Err(found) => CheckedDefinition { diagnostics: diagnostics(found), ..CheckedDefinition::default() },
        })
    }

    /// The language, and the functions that can be called here, as editors need them to help who writes.
    pub async fn definition_language(&self, caller: &Caller) -> Result<LanguageView, Problem> {
        let mut gate = self.look(caller, Operation::DefinitionValidate).await?;
        gate.authorize(&Resource::system(), &Target::new("definitions", "", "")).await?;
        let catalogue = self.parts.connectors.function_catalogue();
        let function = |name: &str| {
            let (schema, system) = (catalogue.schema(name)?.clone(), catalogue.system(name)?.to_owned());
            Some((name.to_owned(), FunctionView { schema, system }))
        };
        Ok(LanguageView { schema: workflow::language(), functions: catalogue.names().filter_map(function).collect() })
    }

    /// Keeps a draft, whether or not it is a definition yet, and says what is wrong with it. `digest` is that of the text
    /// which was changed, or none for a new draft: of two who change the same text, the second is told.
    pub async fn save_definition(
        &self,
        caller: &Caller,
        workflow: &WorkflowRef,
        version: &str,
        text: &str,
        digest: Option<&str>,
    ) -> Result<SavedDefinition, Problem> {
        self.keep_draft(caller, workflow, version, text, digest, None).await
    }

    /// The same; `file` is the path of the file that brought the text, for the audit log.
    async fn keep_draft(
        &self,
        caller: &Caller,
        workflow: &WorkflowRef,
        version: &str,
        text: &str,
        digest: Option<&str>,
        file: Option<&str>,
    ) -> Result<SavedDefinition, Problem> {
        let mut gate = self.look(caller, Operation::DefinitionSave).await?;
        self.known_to(&mut gate, caller, workflow, version).await?;
        drop(gate);
        let sort_key = sort_key(&number(version)?);
        must_name(text, workflow, version)?;
        let examined = self.examine(text).await?;

        let mut gate = self.enter(caller, Operation::DefinitionSave).await?;
        let known = self.known_to(&mut gate, caller, workflow, version).await?;
        let new = WorkflowVersion {
            workflow: workflow.clone(),
            version: version.to_owned(),
            state: VersionState::Draft,
            source: text.to_owned(),
            resources: examined.as_ref().map_or_else(|_| "{}".to_owned(), definitions::resources),
            digest: digest_of(text),
            title: Definition::identify(text)
                .and_then(|document| document.title)
                .unwrap_or_else(|| workflow.name.to_string()),
            created_by: Some(caller.user),
            created_at: gate.now,
            changed_by: Some(caller.user),
            changed_at: gate.now,
            sort_key,
        };
        let before = known.as_ref().map(|known| known.version.digest.clone());
        match known {
            None if digest.is_some() => {
                let detail = format!("there is no draft of version {version} any more");
                return Err(Problem::new(ErrorCode::Conflict).with_detail(detail));
            }
            None => gate.unit.insert_version(&new).await.or_problem()?,
            Some(known) => {
                known.must_be(VersionState::Draft)?;
                let Some(digest) = digest else {
                    let detail = format!("there is a draft of version {version} already; send its digest to change it");
                    return Err(Problem::new(ErrorCode::Conflict).with_detail(detail));
                };
                known.must_have(digest)?;
                gate.unit.update_version(&new, VersionState::Draft).await.or_problem()?;
            }
        }
        // Who saves the text as it was has changed nothing.
        if before.as_ref() != Some(&new.digest) {
            gate.unit.add_version_author(workflow, version, caller.user, gate.now).await.or_problem()?;
        }
        let mut detail = json!({
            "version": version,
            "before": before.map(|digest| json!({"digest": digest})),
            "after": {"digest": new.digest},
            "valid": examined.is_ok(),
        });
        if let (Some(file), Some(detail)) = (file, detail.as_object_mut()) {
            detail.insert("file".to_owned(), file.into());
        }
        gate.finish(&target(workflow, version), detail).await?;
        Ok(SavedDefinition {
            namespace: workflow.namespace.clone(),
            name: workflow.name.clone(),
            version: version.to_owned(),
            digest: new.digest,
            diagnostics: examined.err().map(diagnostics).unwrap_or_default(),
        })
    }

    /// Makes a draft of the text of a version that was published, to change it or to publish it again: by review, as any other.
    /// A draft is not copied: the copy would forget who wrote it.
    pub async fn copy_definition(
        &self,
        caller: &Caller,
        workflow: &WorkflowRef,
        version: &str,
        new: &str,
    ) -> Result<SavedDefinition, Problem> {
        let mut gate = self.look(caller, Operation::DefinitionRead).await?;
        let Written { version: copied, .. } = self.written_by(&mut gate, caller, workflow, version).await?;
        drop(gate);
        if !copied.state.has_been_published() {
            let detail = format!("version {version} was not published, so there is nothing to go on from yet");
            return Err(Problem::new(ErrorCode::Conflict).with_detail(detail));
        }
        let Some(renumbered) = workflow::renumber(&copied.source, &number(new)?) else {
            let message = "the text does not write its version in a way that can be replaced; save it as a new draft";
            let errors = vec![field("/version", "definition", Value::Null, message)];
            return Err(Problem::new(ErrorCode::InvalidInput).with_errors(errors));
        };
        self.save_definition(caller, workflow, new, &renumbered, None).await
    }

    /// Deletes a draft, with what was said of it.
    pub async fn delete_definition(
        &self,
        caller: &Caller,
        workflow: &WorkflowRef,
        version: &str,
    ) -> Result<(), Problem> {
        let mut gate = self.enter(caller, Operation::DefinitionDelete).await?;
        let written = self.written_by(&mut gate, caller, workflow, version).await?;
        written.must_be(VersionState::Draft)?;
        gate.unit.delete_draft_version(workflow, version).await.or_problem()?;
        let detail = json!({"version": version, "before": {"digest": written.version.digest}, "after": null});
        gate.finish(&target(workflow, version), detail).await
    }

    /// A version that was not published yet.
    pub(crate) async fn unpublished(
        &self,
        caller: &Caller,
        workflow: &WorkflowRef,
        version: &str,
    ) -> Result<WorkflowVersionView, Problem> {
        let mut gate = self.look(caller, Operation::DefinitionRead).await?;
        let written = self.written_by(&mut gate, caller, workflow, version).await?;
        let mut view = self.version_view(gate.unit.as_mut(), caller, &written.version).await?;
        view.life = self.life(gate.unit.as_mut(), caller, &written.version).await?;
        Ok(view)
    }

    /// How a version came to be, for those who may know.
    pub(crate) async fn life(
        &self,
        unit: &mut dyn UnitOfWork,
        caller: &Caller,
        version: &WorkflowVersion,
    ) -> Result<Option<DefinitionLife>, Problem> {
        let authors = unit.version_authors(&version.workflow, &version.version).await.or_problem()?;
        let written = Written { version: version.clone(), authors };
        let resource = written.resource();
        let may = |operation| self.in_force().decide(&caller.principal, operation, &resource).allowed;
        if !may(Operation::DefinitionRead) {
            return Ok(None);
        }
        let comments = unit.version_comments(&version.workflow, &version.version).await.or_problem()?;
        let people = written.authors.iter().copied().chain(version.changed_by);
        let people = People::load(unit, people).await.or_problem()?;
        let actions: &[Operation] = match version.state {
            VersionState::Draft => &[
                Operation::DefinitionSave,
                Operation::DefinitionDelete,
                Operation::DefinitionSubmit,
                Operation::DefinitionComment,
            ],
            VersionState::InReview => &[
                Operation::DefinitionWithdraw,
                Operation::DefinitionReturn,
                Operation::DefinitionComment,
                Operation::DefinitionPublish,
            ],
            VersionState::Published => &[Operation::DefinitionRetire],
            VersionState::Retired => &[],
        };
        Ok(Some(DefinitionLife {
            authors: written.authors.iter().map(|author| people.get(*author)).collect(),
            changed_by: version.changed_by.map(|person| people.get(person)),
            changed_at: version.changed_at,
            open_comments: comments::open(&comments),
            warnings: self.warnings(unit, &written).await?,
            ships_otherwise: self.passed_over.holds(&version.workflow, &version.version),
            actions: actions.iter().copied().filter(|operation| may(*operation)).collect(),
        }))
    }

    /// What would keep a version from being published, or from running, today.
    async fn warnings(&self, unit: &mut dyn UnitOfWork, written: &Written) -> Result<Vec<String>, Problem> {
        let version = &written.version;
        let namespace = &version.workflow.namespace;
        let mut warnings = Vec::new();
        if version.state == VersionState::Retired {
            return Ok(warnings);
        }
        if let Ok(definition) = self.restore(version) {
            let obstacle = launch::obstacle(unit, namespace, &definition).await.or_problem()?;
            warnings.extend(obstacle.map(|obstacle| obstacle.detail));
            warnings.extend(runners::missing(unit, namespace, &definition).await.or_problem()?);
            warnings.extend(definition.unknown_controls(&self.parts.controls).iter().map(ToString::to_string));
        }
        if !version.state.has_been_published() {
            let publishers = unit.users_with_role(Role::Publisher, namespace, self.now()).await.or_problem()?;
            if publishers.iter().all(|publisher| written.authors.contains(publisher)) {
                warnings.push(format!(
                    "nobody but its authors has the role publisher on {namespace}, so nobody can publish it"
                ));
            }
        }
        Ok(warnings)
    }

    /// Reads a text as the definition that it may be, with all that it refers to elsewhere: away from locks, and from the
    /// threads that others wait for.
    pub(crate) async fn examine(&self, text: &str) -> Result<Result<Definition, Vec<Diagnostic>>, Problem> {
        must_fit(text)?;
        let (text, catalogue) = (text.to_owned(), self.parts.connectors.function_catalogue().clone());
        let late = "what the text refers to elsewhere does not come; try again later";
        self.in_turn(late, move || Definition::parse(&text, &catalogue)).await
    }

    /// Does something with a text that may take long, when it is its turn. `late` says what is to be done if that does not
    /// come, or the work does not end: the work then still goes on to its end, and keeps its turn.
    pub(crate) async fn in_turn<T: Send + 'static>(
        &self,
        late: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let turn = Arc::clone(&self.examination.0).acquire_owned();
        let done = async {
            let turn = turn.await.map_err(|cause| internal("texts are not examined any more", &cause))?;
            let working = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                work()
            });
            working.await.map_err(|cause| internal("a text could not be examined", &cause))
        };
        let late = || Err(Problem::new(ErrorCode::Unavailable).with_detail(late));
        tokio::time::timeout(PATIENCE, done).await.unwrap_or_else(|_| late())
    }

    /// Authorizes an operation on a version, whether or not it is there. A unit that writes keeps others from changing it.
    async fn known_to(
        &self,
        gate: &mut Gate<'_>,
        caller: &Caller,
        workflow: &WorkflowRef,
        version: &str,
    ) -> Result<Option<Written>, Problem> {
        let stored = gate.unit.lock_version(workflow, version).await.or_problem()?;
        let authors = gate.unit.version_authors(workflow, version).await.or_problem()?;
        let resource = Resource::definition(workflow, version, authors.iter().copied());
        let target = target(workflow, version);
        if self.in_force().decide(&caller.principal, Operation::DefinitionRead, &resource).allowed {
            gate.authorize(&resource, &target).await?;
        } else {
            gate.authorize_or_hide(&resource, &target).await?;
        }
        Ok(stored.map(|version| Written { version, authors }))
    }

    /// The same for a version that must be there.
    async fn written_by(
        &self,
        gate: &mut Gate<'_>,
        caller: &Caller,
        workflow: &WorkflowRef,
        version: &str,
    ) -> Result<Written, Problem> {
        self.known_to(gate, caller, workflow, version).await?.ok_or_else(not_found)
    }
}
