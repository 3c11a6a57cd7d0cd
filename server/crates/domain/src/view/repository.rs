use serde::{Deserialize, Serialize};

use super::{FileReport, Person};
use crate::{Name, Operation, Timestamp};

/// A repository whose branch brings definitions to a namespace, and what came of it. Never its secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RepositoryView {
    /// The namespace whose definitions it may bring, and no others.
    pub namespace: Name,
    /// Its name in the namespace.
    pub name: Name,
    /// Its address.
    pub url: String,
    /// The branch that is followed.
    pub branch: String,
    /// The folder with the definitions; empty for the root.
    pub folder: String,
    /// The account by which it is read; absent where anybody may read it.
    #[serde(default)]
    pub account: Option<String>,
    /// The authority (PEM) that alone is trusted with the server's certificate; absent: whom the system trusts.
    #[serde(default)]
    pub authority: Option<String>,
    /// Minutes from one look to the next; absent where it is looked at only when somebody asks.
    #[serde(default)]
    pub every_minutes: Option<u32>,
    /// The path of its webhook; absent where it has none.
    #[serde(default)]
    pub hook: Option<String>,
    /// Who said so last, and counts as an author of all that it brings.
    pub changed_by: Person,
    /// When.
    pub changed_at: Timestamp,
    /// When it is looked at next; absent: when somebody asks.
    #[serde(default)]
    pub due_at: Option<Timestamp>,
    /// When it was looked at last.
    #[serde(default)]
    pub looked_at: Option<Timestamp>,
    /// The commit whose files were taken last.
    #[serde(default)]
    pub commit: Option<String>,
    /// Why the last look failed, in words; absent if it did not.
    #[serde(default)]
    pub failure: Option<String>,
    /// What became of the files of that commit, by path.
    pub files: Vec<FileReport>,
    /// What the caller may do with it.
    pub actions: Vec<Operation>,
}
