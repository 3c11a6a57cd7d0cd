//! Definitions as they are stored: a text, and with it the texts elsewhere that it refers to, as they were when it was
//! stored. So every node reads the same, today and after a restart, and reads nothing else.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use connectors::Registry;
use domain::WorkflowRef;
use serde_json::json;
use store::workflows::WorkflowVersion;
use workflow::{Definition, Diagnostic, FunctionCatalogue};

/// How many are kept. When there are more, they are read anew as they are needed.
const KEPT: usize = 1_000;

/// What the process has read of published versions. Such a version never changes, so neither does what is read from it.
pub struct Definitions {
    connectors: Arc<Registry>,
    known: Mutex<Known>,
}

type Known = HashMap<(WorkflowRef, String), Arc<Definition>>;

impl Definitions {
    /// Nothing is known yet. What may be called is what the connectors offer.
    #[must_use]
    pub fn new(connectors: Arc<Registry>) -> Self {
        Self { connectors, known: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The definition of a version that was published, if it has been read before.
    #[must_use]
    pub fn known(&self, workflow: &WorkflowRef, version: &str) -> Option<Arc<Definition>> {
        self.lock().get(&(workflow.clone(), version.to_owned())).cloned()
    }

    /// The definition of a stored version; read anew while it may change.
    ///
    /// # Errors
    /// It is not valid for this program.
    pub fn of(&self, version: &WorkflowVersion) -> Result<Arc<Definition>, Vec<Diagnostic>> {
        let settled = version.state.has_been_published();
        if settled && let Some(known) = self.known(&version.workflow, &version.version) {
            return Ok(known);
        }
        let definition = Arc::new(read(version, self.connectors.function_catalogue())?);
        if settled {
            let mut known = self.lock();
            if known.len() >= KEPT {
                known.clear();
            }
            known.insert((version.workflow.clone(), version.version.clone()), Arc::clone(&definition));
        }
        Ok(definition)
    }
}

/// The definition of a stored version.
///
/// # Errors
/// It is not valid for this program.
pub fn read(version: &WorkflowVersion, functions: &FunctionCatalogue) -> Result<Definition, Vec<Diagnostic>> {
    // What cannot be read is missed by whoever refers to it.
    let resources = serde_json::from_str(&version.resources).unwrap_or_default();
    Definition::restore(&version.source, &resources, functions)
}

/// What is stored in `resources` of a version.
#[must_use]
pub fn resources(definition: &Definition) -> String {
    json!(definition.resources()).to_string()
}
