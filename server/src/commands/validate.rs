//! `rondo validate FILE…`

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::Result;
use workflow::Definition;

/// What the exit says where something is wrong.
const INVALID: u8 = 2;

pub(super) fn validate(files: &[PathBuf]) -> Result<ExitCode> {
    let functions = crate::wiring::function_catalogue()?;
    let mut valid = true;
    for path in files {
        let source = match fs::read(path) {
            Ok(bytes) => String::from_utf8(bytes).map_err(|_| "the file is not UTF-8 text".to_owned()),
            Err(cause) => Err(cause.to_string()),
        };
        let source = match source {
            Ok(source) => source,
            Err(message) => {
                println!("{}:1:1: {message}", path.display());
                valid = false;
                continue;
            }
        };
        if let Err(found) = Definition::parse(&source, &functions) {
            valid = false;
            for diagnostic in found {
                println!("{}:{diagnostic}", path.display());
            }
        }
    }
    Ok(if valid { ExitCode::SUCCESS } else { ExitCode::from(INVALID) })
}
