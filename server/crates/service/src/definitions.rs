//! Definitions that are stored, parsed.

use std::sync::Arc;

use domain::{Problem, WorkflowRef};
use store::{UnitOfWork, workflows::WorkflowVersion};
use workflow::{Definition, Diagnostic};

use crate::{
    Service,
    problems::{OrProblem as _, internal, not_found},
};

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
        self.parts.definitions.of(version)
    }

    /// The definition of this version, which was published; read only if it is not known yet.
    pub(crate) async fn definition(
        &self,
        unit: &mut dyn UnitOfWork,
        workflow: &WorkflowRef,
        version: &str,
    ) -> Result<Arc<Definition>, Problem> {
        if let Some(known) = self.parts.definitions.known(workflow, version) {
            return Ok(known);
        }
        let stored = unit.workflow_version(workflow, version).await.or_problem()?;
        self.parse(&stored.ok_or_else(not_found)?)
    }
}
