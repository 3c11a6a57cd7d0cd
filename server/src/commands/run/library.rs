//! The definitions that a run may run: those named on the command line, and those beside its own.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use engine::local::Workflows;
use semver::Version;
use workflow::{Definition, FunctionCatalogue, RunError, StandardError};

use super::super::validate::{folder_of, read_definition};

/// The word for the newest version.
const LATEST: &str = "latest";

/// Definitions by namespace and name, then version.
type Shelf = BTreeMap<(String, String), BTreeMap<Version, Arc<Definition>>>;

/// What a run may run. The command line goes before what lies around.
pub(super) struct Library {
    given: Shelf,
    folder: PathBuf,
    functions: FunctionCatalogue,
    /// Read when something is asked for that was not given.
    beside: OnceLock<Beside>,
}

#[derive(Default)]
struct Beside {
    shelf: Shelf,
    /// What is wrong with files that are no valid definitions.
    faults: Vec<String>,
}

impl Library {
    /// The definition itself, and these files.
    ///
    /// # Errors
    /// One of the files is not valid: its faults, line by line.
    pub(super) fn new(
        own: &Path,
        definition: &Arc<Definition>,
        files: &[PathBuf],
        functions: FunctionCatalogue,
    ) -> Result<Self, Vec<String>> {
        let mut given = Shelf::new();
        put(&mut given, Arc::clone(definition));
        let mut faults = Vec::new();
        for file in files {
            match read_definition(file, &functions) {
                Ok(definition) => put(&mut given, Arc::new(definition)),
                Err(lines) => faults.extend(lines),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self { given, folder: folder_of(own), functions, beside: OnceLock::new() })
    }

    fn read_beside(&self) -> Beside {
        let mut beside = Beside::default();
        let Ok(entries) = fs::read_dir(&self.folder) else { return beside };
        let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.retain(|file| {
            file.extension().is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known))
        });
        files.sort();
        for file in files {
            match read_definition(&file, &self.functions) {
                Ok(definition) => put(&mut beside.shelf, Arc::new(definition)),
                Err(lines) => beside.faults.extend(lines.into_iter().next()),
            }
        }
        beside
    }
}

impl Workflows for Library {
    fn find(&self, namespace: &str, name: &str, version: &str) -> Result<Arc<Definition>, RunError> {
        if let Some(found) = take(&self.given, namespace, name, version) {
            return Ok(found);
        }
        let beside = self.beside.get_or_init(|| self.read_beside());
        take(&beside.shelf, namespace, name, version).ok_or_else(|| {
            let mut detail = format!(
                "there is no workflow {namespace}/{name} of version {version} among those given and in {}",
                self.folder.display()
            );
            // The one that is meant may be among those that cannot be read.
            for fault in &beside.faults {
                detail.push_str("; ");
                detail.push_str(fault);
            }
            RunError::new(StandardError::Configuration, detail)
        })
    }
}

fn put(shelf: &mut Shelf, definition: Arc<Definition>) {
    let document = definition.document();
    let key = (document.namespace.clone(), document.name.clone());
    shelf.entry(key).or_default().insert(document.version.clone(), definition);
}

fn take(shelf: &Shelf, namespace: &str, name: &str, version: &str) -> Option<Arc<Definition>> {
    let versions = shelf.get(&(namespace.to_owned(), name.to_owned()))?;
    let found = if version == LATEST {
        // A version that is not yet released counts only where nothing else is there.
        let released = versions.iter().rev().find(|(version, _)| version.pre.is_empty());
        released.or_else(|| versions.iter().next_back()).map(|(_, definition)| definition)
    } else {
        versions.get(&Version::parse(version).ok()?)
    };
    found.cloned()
}
