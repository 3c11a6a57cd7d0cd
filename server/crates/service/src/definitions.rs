//! Definitions that are stored, parsed once. A version that was published never changes, so neither does what it parses to.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use domain::{Problem, WorkflowRef};
use engine::definitions;
use store::{UnitOfWork, workflows::WorkflowVersion};
use workflow::{Definition, Diagnostic};

use crate::{
    Service,
    problems::{OrProblem as _, internal, not_found},
};

/// How many are kept. When there are more, they are parsed anew as they are needed.
const KEPT: usize = 1_000;

/// Definitions by workflow and version.
#[derive(Default)]
pub(crate) struct Definitions(Mutex<HashMap<(WorkflowRef, String), Arc<Definition>>>);

impl Definitions {
    fn get(&self, workflow: &WorkflowRef, version: &str) -> Option<Arc<Definition>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&(workflow.clone(), version.to_owned())).cloned()
    }

    fn keep(&self, version: &WorkflowVersion, definition: &Arc<Definition>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert((version.workflow.clone(), version.version.clone()), Arc::clone(definition));
    }
}

impl Service {
    /// A stored definition, parsed. What is stored was valid when it was published or submitted; a draft may not be.
    pub(crate) fn parse(&self, version: &WorkflowVersion) -> Result<Arc<Definition>, Problem> {
        self.restore(version).map_err(|found| {
            let first = found.into_iter().next().map(|diagnostic| diagnostic.to_string()).unwrap_or_default();
            internal("a stored definition does not parse", &std::io::Error::other(first))
        })
    }

    /// The same for a version that may not be valid.
    pub(crate) fn restore(&self, version: &WorkflowVersion) -> Result<Arc<Definition>, Vec<Diagnostic>> {
        let settled = version.state.has_been_published();
        if settled && let Some(known) = self.definitions.get(&version.workflow, &version.version) {
            return Ok(known);
        }
        let definition = Arc::new(definitions::read(version, self.parts.connectors.function_catalogue())?);
        if settled {
            self.definitions.keep(version, &definition);
        }
        Ok(definition)
    }

    /// The definition of this version, which was published; read only if it is not known yet.
    pub(crate) async fn definition(
        &self,
        unit: &mut dyn UnitOfWork,
        workflow: &WorkflowRef,
        version: &str,
    ) -> Result<Arc<Definition>, Problem> {
        if let Some(known) = self.definitions.get(workflow, version) {
            return Ok(known);
        }
        let stored = unit.workflow_version(workflow, version).await.or_problem()?;
        self.parse(&stored.ok_or_else(not_found)?)
    }
}
