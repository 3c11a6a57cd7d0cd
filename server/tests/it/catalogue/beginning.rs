//! What every portal here begins with: the demonstration organisation, the workflows that ship, and a token for everybody. It is made
//! once for all tests of a binary, each of which is a process of its own, and copied.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::server::TestServer;

/// Those of the demonstration organisation.
const PEOPLE: [&str; 6] = ["staff", "manager", "operator", "author", "auditor", "admin"];

/// A data directory, and the tokens of its people by sign-in name.
pub(crate) fn copied() -> (TempDir, Map<String, Value>) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let program = fs::metadata(env!("CARGO_BIN_EXE_rondo")).unwrap().modified().unwrap();
    let kept = folder.join(format!("portal-{}", program.duration_since(UNIX_EPOCH).unwrap().as_nanos()));
    let turn = File::create(folder.join("portal.turn")).unwrap();
    turn.lock().unwrap();
    let tokens = kept.join("tokens.json");
    if !tokens.exists() {
        forget_others(folder);
        make(&kept);
    }
    drop(turn);
    let data = tempfile::tempdir().unwrap();
    copy(&kept.join("data"), data.path());
    (data, serde_json::from_str(&fs::read_to_string(tokens).unwrap()).unwrap())
}

fn make(kept: &Path) {
    let server = TestServer::demo();
    let tokens: Map<_, _> = PEOPLE.map(|login| (login.to_owned(), server.token(login).into())).into_iter().collect();
    let (data, ended) = server.stop();
    assert!(ended.success());
    fs::remove_file(data.path().join("server.log")).unwrap();
    copy(data.path(), &kept.join("data"));
    fs::write(kept.join("tokens.json"), Value::from(tokens).to_string()).unwrap();
}

/// What earlier binaries have begun with.
fn forget_others(folder: &Path) {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    for path in entries.filter(|path| path.is_dir() && name(path).starts_with("portal-")) {
        fs::remove_dir_all(path).unwrap();
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for path in fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()) {
        let place: PathBuf = to.join(name(&path));
        if path.is_dir() {
            copy(&path, &place);
        } else {
            fs::copy(&path, &place).unwrap();
        }
    }
}
