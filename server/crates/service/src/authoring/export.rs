//! Definitions as files, to be kept or brought elsewhere. Every export is an entry of the audit log.

use std::sync::Arc;

use domain::{Name, Operation, Problem, VersionState, WorkflowRef};
use policy::Resource;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use store::{
    Store,
    workflows::{VersionFilter, WorkflowVersion},
};
use tokio::sync::mpsc;

use super::target;
use crate::{
    Caller, Service,
    gate::Target,
    packing::Packing,
    problems::{OrProblem as _, internal, not_found},
};

/// Versions looked through at once.
const EXPORT_PAGE: u32 = 100;
/// Texts that wait for a slow reader.
const EXPORT_QUEUE: usize = 4;

/// Which versions an archive holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExportedVersions {
    /// The one of each workflow that can be launched, as `namespace/name.yaml`.
    #[default]
    Launchable,
    /// All in every state, as `namespace/name/version.yaml`.
    All,
}

/// A tar archive under way, in pieces. An error ends it in the middle, which the reader notices because its end is missing.
pub type DefinitionArchive = mpsc::Receiver<Result<Vec<u8>, Problem>>;

/// The text of a version as a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedDefinition {
    /// How the file may be called.
    pub file_name: String,
    /// What it is in.
    pub media_type: &'static str,
    /// What is in it.
    pub text: String,
}

impl Service {
    /// The text of a version, as it was written.
    pub async fn export_definition(
        &self,
        caller: &Caller,
        workflow: &WorkflowRef,
        version: &str,
    ) -> Result<ExportedDefinition, Problem> {
        let mut gate = self.look(caller, Operation::DefinitionExport).await?;
        let stored = gate.unit.workflow_version(workflow, version).await.or_problem()?;
        let authors = gate.unit.version_authors(workflow, version).await.or_problem()?;
        let (resource, target) = (Resource::definition(workflow, version, authors), target(workflow, version));
        let may =
            |operation, resource: &Resource| self.in_force().decide(&caller.principal, operation, resource).allowed;
        let published = stored.as_ref().is_some_and(|stored| stored.state.has_been_published());
        let known = may(Operation::DefinitionRead, &resource)
            || (published && may(Operation::WorkflowRead, &Resource::workflow(workflow)));
        if known {
            gate.authorize(&resource, &target).await?;
        } else {
            gate.authorize_or_hide(&resource, &target).await?;
        }
        let stored = stored.ok_or_else(not_found)?;
        gate.note_reading(&target, json!({"version": version, "digest": stored.digest})).await?;
        let (ending, media_type) =
            if is_json(&stored.source) { ("json", "application/json") } else { ("yaml", "application/yaml") };
        let file_name = format!("{}-{version}.{ending}", workflow.name);
        Ok(ExportedDefinition { file_name, media_type, text: stored.source })
    }

    /// An archive of what the caller sees: of one namespace, or of all.
    pub async fn export_definitions(
        &self,
        caller: &Caller,
        namespace: Option<Name>,
        versions: ExportedVersions,
    ) -> Result<DefinitionArchive, Problem> {
        let mut gate = self.look(caller, Operation::DefinitionExport).await?;
        let target = archive_target(namespace.as_ref());
        gate.authorize(&Resource::system(), &target).await?;
        gate.note_reading(&target, archive_detail(versions)).await?;
        let (policies, principal) = (self.in_force(), caller.principal.clone());
        let shown =
            move |resource: &Resource| policies.decide(&principal, Operation::DefinitionExport, resource).allowed;
        Ok(self.pack(namespace, versions, shown))
    }

    /// An archive of what `shown` lets through.
    pub(crate) fn pack(
        &self,
        namespace: Option<Name>,
        versions: ExportedVersions,
        shown: impl Fn(&Resource) -> bool + Send + Sync + 'static,
    ) -> DefinitionArchive {
        let (pieces, archive) = mpsc::channel(EXPORT_QUEUE);
        let store = Arc::clone(&self.parts.store);
        tokio::spawn(async move {
            if let Err(problem) = write(store.as_ref(), namespace, versions, &shown, &pieces).await {
                // An error only says that the reader has gone.
                let _ = pieces.send(Err(problem)).await;
            }
        });
        archive
    }
}

/// What an archive is made of, as the audit log names it.
pub(crate) fn archive_target(namespace: Option<&Name>) -> Target {
    let target = Target::new("definitions", "", namespace.map_or("*", Name::as_str));
    match namespace {
        Some(namespace) => target.within(namespace),
        None => target,
    }
}

pub(crate) fn archive_detail(versions: ExportedVersions) -> Value {
    json!({"versions": match versions {
        ExportedVersions::Launchable => "launchable",
        ExportedVersions::All => "all",
    }})
}

async fn write(
    store: &dyn Store,
    namespace: Option<Name>,
    versions: ExportedVersions,
    shown: &(impl Fn(&Resource) -> bool + Send + Sync),
    pieces: &mpsc::Sender<Result<Vec<u8>, Problem>>,
) -> Result<(), Problem> {
    let state = match versions {
        ExportedVersions::Launchable => Some(VersionState::Published),
        ExportedVersions::All => None,
    };
    let filter = VersionFilter { namespaces: namespace.map(|namespace| vec![namespace]), state };
    let failed = |cause: std::io::Error| internal("the archive cannot be made", &cause);
    let mut unit = store.snapshot().await.or_problem()?;
    let mut packing = Packing::begin(0);
    let (mut after, mut last) = (None, None);
    loop {
        let rows = unit.list_versions(&filter, after.as_ref(), EXPORT_PAGE).await.or_problem()?;
        let Some(end) = rows.last() else { break };
        after = Some(end.key());
        for row in rows {
            // The greatest published version comes first, and is the one that can be launched.
            let follows = last.replace(row.workflow.clone()).is_some_and(|last| last == row.workflow);
            if follows && versions == ExportedVersions::Launchable {
                continue;
            }
            let authors = unit.version_authors(&row.workflow, &row.version).await.or_problem()?;
            if !shown(&Resource::definition(&row.workflow, &row.version, authors)) {
                continue;
            }
            let Some(version) = unit.workflow_version(&row.workflow, &row.version).await.or_problem()? else {
                continue;
            };
            packing.add(&path(&version, versions), version.source.as_bytes()).map_err(failed)?;
            if pieces.send(Ok(packing.take())).await.is_err() {
                return Ok(());
            }
        }
    }
    let _ = pieces.send(Ok(packing.end().map_err(failed)?)).await;
    Ok(())
}

fn path(version: &WorkflowVersion, versions: ExportedVersions) -> String {
    let WorkflowVersion { workflow, version: number, source, .. } = version;
    let ending = if is_json(source) { "json" } else { "yaml" };
    match versions {
        ExportedVersions::Launchable => format!("{workflow}.{ending}"),
        ExportedVersions::All => format!("{workflow}/{number}.{ending}"),
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}
