//! Definitions as they are stored: a text, and with it the texts elsewhere that it refers to, as they were when it was
//! stored. So every node reads the same, today and after a restart, and reads nothing else.

use serde_json::json;
use store::workflows::WorkflowVersion;
use workflow::{Definition, Diagnostic, FunctionCatalogue};

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
