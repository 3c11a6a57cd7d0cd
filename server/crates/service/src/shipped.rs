//! The catalogue that ships: definitions in files, stored as versions beside those that people write.
//!
//! A file adds a version and changes none. What people have written, changed or retired stays what they made it: see
//! `docs/adr/0019-the-life-of-a-definition.md`.

use std::{
    collections::BTreeMap,
    sync::{PoisonError, RwLock},
};

use domain::{Name, Operation, Problem, Role, UserId, WorkflowRef};
use engine::{definitions, notices::NoticeKind, schedules, secrets};
use store::{
    UnitOfWork,
    workflows::{VersionState, WorkflowVersion},
};
use tracing::{info, warn};
use workflow::{Definition, FunctionCatalogue};

use crate::{
    Service,
    problems::{from_store, internal},
};

/// Why a shipped definition cannot be stored.
#[derive(Debug, thiserror::Error)]
pub enum ShippedError {
    /// It breaks the language.
    #[error("{file} is not valid:\n{messages}")]
    Invalid {
        /// Which file.
        file: String,
        /// `file:line:column: message`, one a line.
        messages: String,
    },
    /// The store failed.
    #[error("the definitions could not be stored")]
    Store(#[source] Problem),
}

/// The texts of files that were not taken, since their versions exist with another text.
#[derive(Default)]
pub(crate) struct PassedOver(RwLock<BTreeMap<(WorkflowRef, String), String>>);

impl PassedOver {
    /// Whether a file ships under this number that was not taken.
    pub(crate) fn holds(&self, workflow: &WorkflowRef, version: &str) -> bool {
        let texts = self.0.read().unwrap_or_else(PoisonError::into_inner);
        texts.contains_key(&(workflow.clone(), version.to_owned()))
    }

    /// The text that ships under this number and was not taken.
    pub(crate) fn text(&self, workflow: &WorkflowRef, version: &str) -> Option<String> {
        let texts = self.0.read().unwrap_or_else(PoisonError::into_inner);
        texts.get(&(workflow.clone(), version.to_owned())).cloned()
    }

    fn note(&self, version: &WorkflowVersion, text: &str) {
        let mut texts = self.0.write().unwrap_or_else(PoisonError::into_inner);
        texts.insert((version.workflow.clone(), version.version.clone()), text.to_owned());
    }

    fn forget(&self, version: &WorkflowVersion) {
        let mut texts = self.0.write().unwrap_or_else(PoisonError::into_inner);
        texts.remove(&(version.workflow.clone(), version.version.clone()));
    }
}

impl Service {
    /// Stores what is not stored yet, beside what is there. `files` are names (for messages) and texts.
    ///
    /// A new version is published, unless it would take the place of what people have decided: then it waits in review. A
    /// file whose version exists with another text is passed over.
    pub async fn load_shipped<'f>(
        &self,
        files: impl IntoIterator<Item = (&'f str, &'f str)>,
    ) -> Result<(), ShippedError> {
        let store = |cause| ShippedError::Store(from_store(cause));
        let mut new = Vec::new();
        for (file, source) in files {
            match self.stored(source).await.map_err(store)? {
                None => new.push((file, self.read_shipped(file, source).await?)),
                Some(stored) if is_text_of(&stored, source, self.parts.connectors.function_catalogue()) => {
                    self.passed_over.forget(&stored);
                }
                Some(stored) => {
                    let WorkflowVersion { workflow, version, .. } = &stored;
                    warn!(%workflow, version, file, "not stored: this version exists with another text, which stays");
                    self.passed_over.note(&stored, source);
                }
            }
        }
        let mut unit = self.parts.store.begin().await.map_err(store)?;
        let mut entries = Vec::new();
        let mut told = Vec::new();
        for (file, definition) in new {
            let document = definition.document();
            let workflow = WorkflowRef {
                namespace: parse_name(&document.namespace, file)?,
                name: parse_name(&document.name, file)?,
            };
            let version = document.version.to_string();
            let beside = unit.versions_of(&workflow).await.map_err(store)?;
            // Another node may have been quicker.
            if beside.iter().any(|stored| stored.version == version) {
                continue;
            }
            let sort_key = sort_key(&document.version);
            let waits = takes_the_place_of_a_decision(&beside, &sort_key);
            let row = WorkflowVersion {
                workflow: workflow.clone(),
                sort_key,
                version: version.clone(),
                state: if waits { VersionState::InReview } else { VersionState::Published },
                source: definition.source().to_owned(),
                resources: definitions::resources(&definition),
                digest: definition.digest().to_owned(),
                title: document.title.clone().unwrap_or_else(|| workflow.name.to_string()),
                created_by: None,
                created_at: self.now(),
                changed_by: None,
                changed_at: self.now(),
            };
            unit.insert_version(&row).await.map_err(store)?;
            self.passed_over.forget(&row);
            if waits {
                warn!(%workflow, version, file, "not published: people have written or retired what it would replace; it waits in review");
                told.extend(self.ask_publishers(unit.as_mut(), &row).await?);
            } else {
                let functions = self.parts.connectors.function_catalogue();
                schedules::follow(unit.as_mut(), functions, self.now(), &workflow).await.map_err(store)?;
                info!(%workflow, version, "definition stored");
            }
            entries.push(self.system_entry(
                if waits { "workflow.submit" } else { "workflow.publish" },
                ("workflow", workflow.to_string(), format!("{workflow} {version}")),
                Some(&workflow.namespace),
                serde_json::json!({
                    "version": version,
                    "digest": row.digest,
                    "source": "shipped",
                    "tests": definition.cases().len(),
                }),
            ));
            if let Some(secret) =
                secrets::missing(unit.as_mut(), &workflow.namespace, &definition).await.map_err(store)?
            {
                warn!(%workflow, version, secret, "cannot be launched until its namespace has this secret");
            }
        }
        audit::append_all(unit.as_mut(), &entries).await.map_err(store)?;
        unit.commit().await.map_err(store)?;
        self.wake_schedules();
        self.announce(&told);
        Ok(())
    }

    /// Tells the publishers of its namespace that a version waits for them; who they are.
    async fn ask_publishers(
        &self,
        unit: &mut dyn UnitOfWork,
        version: &WorkflowVersion,
    ) -> Result<Vec<UserId>, ShippedError> {
        let namespace = &version.workflow.namespace;
        let publishers = unit.users_with_role(Role::Publisher, namespace, self.now()).await;
        let publishers = publishers.map_err(|cause| ShippedError::Store(from_store(cause)))?;
        let told = self.tell(unit, self.now(), NoticeKind::DefinitionSubmitted, version, &publishers).await;
        told.map_err(ShippedError::Store)?;
        Ok(publishers)
    }

    /// Reads a definition with what it refers to elsewhere: before anything is locked, and away from the threads that others
    /// wait for.
    async fn read_shipped(&self, file: &str, source: &str) -> Result<Definition, ShippedError> {
        let (text, catalogue) = (source.to_owned(), self.parts.connectors.function_catalogue().clone());
        let parsing = tokio::task::spawn_blocking(move || Definition::parse(&text, &catalogue));
        let read =
            parsing.await.map_err(|cause| ShippedError::Store(internal("a definition could not be read", &cause)))?;
        read.map_err(|found| {
            let lines: Vec<String> = found.iter().map(|diagnostic| format!("{file}:{diagnostic}")).collect();
            ShippedError::Invalid { file: file.to_owned(), messages: lines.join("\n") }
        })
    }

    /// The version that a text says it is, if that is stored.
    async fn stored(&self, source: &str) -> store::Result<Option<WorkflowVersion>> {
        let Some(document) = Definition::identify(source) else { return Ok(None) };
        let (Ok(namespace), Ok(name)) = (document.namespace.parse(), document.name.parse()) else { return Ok(None) };
        let mut unit = self.parts.store.snapshot().await?;
        unit.workflow_version(&WorkflowRef { namespace, name }, &document.version.to_string()).await
    }

    /// An audit entry of the server itself.
    pub(crate) fn system_entry(
        &self,
        action: &str,
        (kind, id, name): (&str, String, String),
        namespace: Option<&Name>,
        detail: impl Into<audit::Detail>,
    ) -> audit::Entry {
        let detail = detail.into();
        debug_assert!(action.parse::<Operation>().is_err(), "operations are entered by their gate");
        audit::Entry {
            at: self.now(),
            actor: audit::Actor::system(),
            door: audit::Door::Engine,
            session: None,
            token: None,
            address: None,
            trace_id: String::new(),
            action: action.to_owned(),
            resource: audit::ResourceRef { kind: kind.to_owned(), id, name, persons: Vec::new() },
            namespace: namespace.cloned(),
            outcome: audit::Outcome::Done,
            policies: Vec::new(),
            policy_set: None,
            detail: detail.value,
            named: detail.named,
        }
    }
}

/// Whether a text says what a version says. Comments and the like make no difference in what is no draft.
pub(crate) fn is_text_of(stored: &WorkflowVersion, source: &str, catalogue: &FunctionCatalogue) -> bool {
    if stored.source == source {
        return true;
    }
    let read = || definitions::read(&WorkflowVersion { source: source.to_owned(), ..stored.clone() }, catalogue);
    stored.state != VersionState::Draft && read().is_ok_and(|read| read.digest() == stored.digest)
}

/// Whether a new version, were it published, would be launched in place of one that people have written, or of nothing, where
/// they have retired all there was. `beside` comes greatest first.
fn takes_the_place_of_a_decision(beside: &[WorkflowVersion], sort_key: &str) -> bool {
    match beside.iter().find(|version| version.state == VersionState::Published) {
        Some(launchable) => launchable.created_by.is_some() && launchable.sort_key.as_str() < sort_key,
        None => beside.iter().any(|version| version.state == VersionState::Retired),
    }
}

fn parse_name(text: &str, file: &str) -> Result<Name, ShippedError> {
    text.parse().map_err(|cause: domain::InvalidName| ShippedError::Invalid {
        file: file.to_owned(),
        messages: cause.to_string(),
    })
}

/// Text that sorts as semantic versions do; a pre-release comes before its release.
pub(crate) fn sort_key(version: &semver::Version) -> String {
    let pre: String = if version.pre.is_empty() {
        "~".to_owned()
    } else {
        version
            .pre
            .as_str()
            .split('.')
            .map(|part| match part.parse::<u64>() {
                Ok(number) => format!("{number:020}."),
                Err(_) => format!("a{part}."),
            })
            .collect()
    };
    format!("{:020}.{:020}.{:020}-{pre}", version.major, version.minor, version.patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_sort_as_semantic_versioning_says() {
        let ordered = [
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0",
            "1.0.10",
            "1.2.0",
            "2.0.0",
            "10.0.0",
        ];
        let keys: Vec<String> = ordered.iter().map(|text| sort_key(&text.parse().unwrap())).collect();
        let mut sorted = keys.clone();
        sorted.sort();
        assert_eq!(keys, sorted);
    }
}
