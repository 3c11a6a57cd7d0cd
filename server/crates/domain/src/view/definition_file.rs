use serde::{Deserialize, Serialize};

use super::DiagnosticView;
use crate::{FileOutcome, Name};

/// What became of a file with a definition that was brought in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct FileReport {
    /// Its path, as it was sent or stands in the repository.
    pub path: String,
    /// What became of it.
    pub outcome: FileOutcome,
    /// Which version its text says it is; absent if it does not say so.
    #[serde(default)]
    pub definition: Option<VersionName>,
    /// Why it was not taken, or what stands in its place, in words; empty when there is nothing to say.
    #[serde(default)]
    pub detail: String,
    /// What is wrong with the text. A draft is kept all the same.
    #[serde(default)]
    pub diagnostics: Vec<DiagnosticView>,
}

/// A version, by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct VersionName {
    /// The workflow's namespace.
    pub namespace: Name,
    /// The workflow's name.
    pub name: Name,
    /// The version.
    pub version: String,
}
