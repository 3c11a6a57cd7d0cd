//! `rondo test FILE…`: the tests that definitions bring along, in which nothing is done.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use connectors::Foresight;
use workflow::{CallRequest, rehearsal::rehearse};

use super::validate::{INVALID, folder_of, read_definition};
use crate::wiring::{WithoutDatabase, over_connections};

/// How the exit says that a test failed.
const FAILED: u8 = 1;

pub(super) fn test(files: &[PathBuf]) -> Result<ExitCode> {
    let (mut valid, mut passed) = (true, true);
    for path in files {
        let without = WithoutDatabase::set_up(folder_of(path))?;
        let definition = match read_definition(path, &without.known()?) {
            Ok(definition) => definition,
            Err(lines) => {
                valid = false;
                for line in lines {
                    println!("{line}");
                }
                continue;
            }
        };
        let elsewhere = over_connections();
        let foresight = Foresight::over(without.connectors.functions().chain(&elsewhere))?;
        for case in definition.cases() {
            let tried = rehearse(&definition, case, &mut |request: &CallRequest| foresight.of(request));
            match tried.differs(&case.expect) {
                None => println!("passed: {}: {}", path.display(), case.title),
                Some(difference) => {
                    passed = false;
                    let (line, column) = case.place.unwrap_or((1, 1));
                    println!("{}:{line}:{column}: failed: {}: {difference}", path.display(), case.title);
                }
            }
        }
    }
    Ok(match (valid, passed) {
        (false, _) => ExitCode::from(INVALID),
        (true, false) => ExitCode::from(FAILED),
        (true, true) => ExitCode::SUCCESS,
    })
}
