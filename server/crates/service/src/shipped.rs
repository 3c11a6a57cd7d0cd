//! The catalogue that ships: definitions in files, stored as published versions.

use domain::{Name, Operation, Problem, WorkflowRef};
use engine::{definitions, schedules, secrets};
use store::workflows::{VersionState, WorkflowVersion};
use tracing::{info, warn};
use workflow::Definition;

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
    /// A version that is stored already has another text.
    #[error("{file} differs from what is stored as {workflow} {version}; a changed definition needs a new version")]
    Altered {
        /// Which file.
        file: String,
        /// Which workflow.
        workflow: String,
        /// Which version.
        version: String,
    },
    /// The store failed.
    #[error("the definitions could not be stored")]
    Store(#[source] Problem),
}

impl Service {
    /// Stores what is not stored yet. `files` are names (for messages) and texts.
    pub async fn load_shipped<'f>(
        &self,
        files: impl IntoIterator<Item = (&'f str, &'f str)>,
    ) -> Result<(), ShippedError> {
        let store = |cause| ShippedError::Store(from_store(cause));
        let mut read = Vec::new();
        for (file, source) in files {
            read.push((file, self.read_shipped(file, source).await?));
        }
        let mut unit = self.parts.store.begin().await.map_err(store)?;
        let mut entries = Vec::new();
        for (file, definition) in read {
            let document = definition.document();
            let workflow = WorkflowRef {
                namespace: parse_name(&document.namespace, file)?,
                name: parse_name(&document.name, file)?,
            };
            let version = document.version.to_string();
            if let Some(stored) = unit.workflow_version(&workflow, &version).await.map_err(store)? {
                if stored.created_by.is_some() {
                    warn!(%workflow, version, file, "not stored: people have written a version of this number themselves");
                    continue;
                }
                if stored.digest != definition.digest() {
                    return Err(ShippedError::Altered {
                        file: file.to_owned(),
                        workflow: workflow.to_string(),
                        version,
                    });
                }
                continue;
            }
            let row = WorkflowVersion {
                workflow: workflow.clone(),
                sort_key: sort_key(&document.version),
                version: version.clone(),
                state: VersionState::Published,
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
            let functions = self.parts.connectors.function_catalogue();
            schedules::follow(unit.as_mut(), functions, self.now(), &workflow).await.map_err(store)?;
            entries.push(self.system_entry(
                "workflow.publish",
                ("workflow", workflow.to_string(), format!("{workflow} {version}")),
                Some(&workflow.namespace),
                serde_json::json!({"version": version, "digest": row.digest, "source": "shipped"}),
            ));
            info!(%workflow, version, "definition stored");
            if let Some(secret) =
                secrets::missing(unit.as_mut(), &workflow.namespace, &definition).await.map_err(store)?
            {
                warn!(%workflow, version, secret, "cannot be launched until its namespace has this secret");
            }
        }
        audit::append_all(unit.as_mut(), &entries).await.map_err(store)?;
        unit.commit().await.map_err(store)?;
        self.wake_schedules();
        Ok(())
    }

    /// Reads a definition. What it refers to elsewhere is read only if the version is not stored yet: before anything is
    /// locked, and away from the threads that others wait for.
    async fn read_shipped(&self, file: &str, source: &str) -> Result<Definition, ShippedError> {
        let catalogue = self.parts.connectors.function_catalogue();
        let stored = self.stored(source).await.map_err(|cause| ShippedError::Store(from_store(cause)))?;
        let read = if let Some(stored) = stored {
            definitions::read(&WorkflowVersion { source: source.to_owned(), ..stored }, catalogue)
        } else {
            let (source, catalogue) = (source.to_owned(), catalogue.clone());
            let parsing = tokio::task::spawn_blocking(move || Definition::parse(&source, &catalogue));
            parsing.await.map_err(|cause| ShippedError::Store(internal("a definition could not be read", &cause)))?
        };
        read.map_err(|found| {
            let lines: Vec<String> = found.iter().map(|diagnostic| format!("{file}:{diagnostic}")).collect();
            ShippedError::Invalid { file: file.to_owned(), messages: lines.join("\n") }
        })
    }

    /// The version that a text says it is, if that is stored and not by people.
    async fn stored(&self, source: &str) -> store::Result<Option<WorkflowVersion>> {
        let Some(document) = Definition::identify(source) else { return Ok(None) };
        let (Ok(namespace), Ok(name)) = (document.namespace.parse(), document.name.parse()) else { return Ok(None) };
        let mut unit = self.parts.store.snapshot().await?;
        let stored = unit.workflow_version(&WorkflowRef { namespace, name }, &document.version.to_string()).await?;
        Ok(stored.filter(|stored| stored.created_by.is_none()))
    }

    /// An audit entry of the server itself.
    pub(crate) fn system_entry(
        &self,
        action: &str,
        (kind, id, name): (&str, String, String),
        namespace: Option<&Name>,
        detail: serde_json::Value,
    ) -> audit::Entry {
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
            resource: audit::ResourceRef { kind: kind.to_owned(), id, name },
            namespace: namespace.cloned(),
            outcome: audit::Outcome::Done,
            policies: Vec::new(),
            policy_set: None,
            detail,
        }
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
