//! Definitions that come as files. A browser sends them by a plain form to the page itself, which the server then shows with
//! what became of them.

use domain::{Name, Problem, view::FileReport};
use serde::{Deserialize, Serialize};

use crate::errors::AppError;

/// The page to which files are sent.
pub const IMPORT: &str = "/definitions/import";

/// Where an archive is had of the versions that can be launched, or of all: of one namespace, or of all for an empty one.
pub fn archive_href(namespace: &str, all: bool) -> String {
    let versions = if all { "all" } else { "launchable" };
    let mut href = format!("/api/v1/definitions/export?versions={versions}");
    if let Ok(namespace) = namespace.parse::<Name>() {
        href.push_str("&namespace=");
        href.push_str(namespace.as_str());
    }
    href
}

/// What became of files that were just sent to the page. The server provides it.
#[derive(Clone, Debug)]
pub struct BroughtIn(pub Result<Vec<FileReport>, Problem>);

/// The same as the page shows it: nothing where nothing was sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Import {
    /// Each file, in the order in which they were sent.
    pub files: Vec<FileReport>,
    /// Why none was taken.
    pub problem: Option<Problem>,
}

/// What became of the files that were sent to this page.
pub async fn brought_in() -> Result<Import, AppError> {
    #[cfg(feature = "ssr")]
    match leptos::prelude::use_context::<BroughtIn>() {
        Some(BroughtIn(Ok(files))) => return Ok(Import { files, problem: None }),
        Some(BroughtIn(Err(problem))) => {
            let AppError(problem) = problem.into();
            return Ok(Import { files: Vec::new(), problem: Some(problem) });
        }
        None => {}
    }
    Ok(Import::default())
}
