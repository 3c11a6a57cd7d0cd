//! `rondo validate FILE…`

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Result;
use workflow::{Definition, FunctionCatalogue, controls::ControlLists};

use crate::wiring::WithoutDatabase;

/// What the exit says where something is wrong.
pub(super) const INVALID: u8 = 2;

pub(super) fn validate(files: &[PathBuf]) -> Result<ExitCode> {
    let mut valid = true;
    let lists = ControlLists::shipped();
    for path in files {
        let functions = WithoutDatabase::set_up(folder_of(path))?.known()?;
        match read_definition(path, &functions) {
            Ok(definition) => {
                for found in definition.unknown_controls(&lists) {
                    eprintln!("{}:{found} (it is valid all the same)", path.display());
                }
            }
            Err(lines) => {
                valid = false;
                for line in lines {
                    println!("{line}");
                }
            }
        }
    }
    Ok(if valid { ExitCode::SUCCESS } else { ExitCode::from(INVALID) })
}

/// The folder that a file is in.
pub(super) fn folder_of(file: &Path) -> PathBuf {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// A definition from a file, or what is wrong with it: one line each, `FILE:LINE:COLUMN: message`.
pub(super) fn read_definition(path: &Path, functions: &FunctionCatalogue) -> Result<Definition, Vec<String>> {
    let unreadable = |message: &str| vec![format!("{}:1:1: {message}", path.display())];
    let bytes = fs::read(path).map_err(|cause| unreadable(&cause.to_string()))?;
    let source = String::from_utf8(bytes).map_err(|_| unreadable("the file is not UTF-8 text"))?;
    Definition::parse(&source, functions)
        .map_err(|found| found.iter().map(|diagnostic| format!("{}:{diagnostic}", path.display())).collect())
}
