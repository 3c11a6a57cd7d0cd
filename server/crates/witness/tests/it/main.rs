//! A witness at its door and over its folder.
#![expect(clippy::unwrap_used, reason = "helpers of tests: what fails here is the test's failure")]

use std::{fs, path::Path, sync::Arc};

use axum::{
    body::{Body, to_bytes},
    http::{Request as HttpRequest, StatusCode},
};
use ledger::{
    checkpoint::LedgerKey,
    cosignature::WitnessKey,
    tree::{Claim, Growth, Hash, leaf},
    witnessing::Request,
};
use tempfile::TempDir;
use testkit::ManualClock;
use tower::ServiceExt as _;
use witness::{Unusable, Witness};

fn log() -> LedgerKey {
    LedgerKey::from_seed("rondo/test", &[7; 32]).unwrap()
}

fn open(folder: &Path) -> Result<Witness, Unusable> {
    let clock = Arc::new(ManualClock::default());
    Witness::open(folder, &[log().public().clone()], clock, || ("witness.example/w1".to_owned(), [1; 32]))
}

/// A log of so many entries; with `fork` another one of the same name.
fn growth(entries: u64, fork: bool) -> Growth {
    let mut growth = Growth::default();
    for entry in 0..entries {
        growth.push(leaf(&[u8::from(fork), u8::try_from(entry).unwrap()]));
    }
    growth
}

fn request(old: u64, entries: u64, fork: bool) -> Request {
    let root = growth(entries, fork).root();
    let proof: Vec<Hash> = if (1..entries).contains(&old) {
        Claim::Consistency { from: old, to: entries }.prove(&growth(entries, fork).changed()).unwrap()
    } else {
        Vec::new()
    };
    Request { old, proof, checkpoint: log().checkpoint(entries, &root).unwrap() }
}

/// What the door answers: status, type, text.
async fn ask(witness: &Arc<Witness>, body: impl Into<Body>) -> (StatusCode, String, String) {
    let request = HttpRequest::post("/add-checkpoint").body(body.into()).unwrap();
    let response = witness::router(Arc::clone(witness)).oneshot(request).await.unwrap();
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    let status = response.status();
    let text = to_bytes(response.into_body(), 1 << 16).await.unwrap();
    (status, kind, String::from_utf8(text.to_vec()).unwrap())
}

#[tokio::test]
async fn a_log_that_grows_is_cosigned_across_restarts() {
    let folder = TempDir::new().unwrap();
    let witness = Arc::new(open(folder.path()).unwrap());
    let key = WitnessKey::parse(&witness.key().to_string()).unwrap();
    let first = request(0, 5, false);
    let (status, _, line) = ask(&witness, first.write()).await;
    assert_eq!(status, StatusCode::OK, "{line}");
    assert_eq!(key.accept(&first.checkpoint, &line).unwrap().witness, "witness.example/w1");
    drop(witness);

    let witness = Arc::new(open(folder.path()).unwrap());
    assert_eq!(*witness.key(), key, "the key stays");
    let (status, kind, size) = ask(&witness, request(0, 9, false).write()).await;
    assert_eq!((status, kind.as_str(), size.as_str()), (StatusCode::CONFLICT, "text/x.tlog.size", "5\n"));
    let grown = request(5, 9, false);
    let (status, _, line) = ask(&witness, grown.write()).await;
    assert_eq!(status, StatusCode::OK);
    assert!(key.accept(&grown.checkpoint, &line).is_ok());
}

#[tokio::test]
async fn a_log_that_was_put_back_is_refused_whatever_is_tried() {
    let folder = TempDir::new().unwrap();
    let witness = Arc::new(open(folder.path()).unwrap());
    assert_eq!(ask(&witness, request(0, 9, false).write()).await.0, StatusCode::OK);
    for (old, entries, fork, expected) in [
        (0, 5, false, StatusCode::CONFLICT),
        (5, 7, false, StatusCode::CONFLICT),
        (9, 9, true, StatusCode::CONFLICT),
        (9, 12, true, StatusCode::UNPROCESSABLE_ENTITY),
        (9, 5, false, StatusCode::BAD_REQUEST),
    ] {
        let (status, _, said) = ask(&witness, request(old, entries, fork).write()).await;
        assert_eq!(status, expected, "{old} {entries} {fork}: {said}");
    }
    assert_eq!(ask(&witness, request(9, 12, false).write()).await.0, StatusCode::OK, "the right one still is");
}

#[tokio::test]
async fn others_are_refused() {
    let folder = TempDir::new().unwrap();
    let witness = Arc::new(open(folder.path()).unwrap());
    let of = |key: &LedgerKey| Request { checkpoint: key.checkpoint(5, &leaf(b"x")).unwrap(), ..request(0, 5, false) };
    let other_log = LedgerKey::from_seed("rondo/other", &[7; 32]).unwrap();
    assert_eq!(ask(&witness, of(&other_log).write()).await.0, StatusCode::NOT_FOUND);
    let other_key = LedgerKey::from_seed("rondo/test", &[8; 32]).unwrap();
    assert_eq!(ask(&witness, of(&other_key).write()).await.0, StatusCode::FORBIDDEN);
    assert_eq!(ask(&witness, "old 0\n").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(ask(&witness, vec![0xff; 9]).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(ask(&witness, vec![b'a'; 1 << 17]).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "key and lock: nothing was kept");
}

/// Of many who ask at once with forks of a log, those of one fork are cosigned.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_logs_of_one_name_one_is_cosigned() {
    let folder = TempDir::new().unwrap();
    let witness = Arc::new(open(folder.path()).unwrap());
    let asked = (0..16).map(|number| {
        let witness = Arc::clone(&witness);
        let fork = number % 2 == 0;
        tokio::spawn(async move { (fork, ask(&witness, request(0, 5, fork).write()).await.0) })
    });
    let mut forks = Vec::new();
    for answer in asked.collect::<Vec<_>>() {
        let (fork, status) = answer.await.unwrap();
        if status == StatusCode::OK {
            forks.push(fork);
        }
    }
    // The second of the same fork asks from nothing, and is told better.
    assert_eq!(forks.len(), 1);
}

#[test]
fn a_folder_that_cannot_be_trusted_is_not_worked_in() {
    let folder = TempDir::new().unwrap();
    let witness = open(folder.path()).unwrap();
    assert!(matches!(open(folder.path()), Err(Unusable::Taken(_))));
    witness.cosign(&request(0, 5, false)).unwrap();
    drop(witness);
    let names = || fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path());
    let seen = names().find(|path| path.extension().is_some_and(|ending| ending == "checkpoint")).unwrap();
    let note = fs::read_to_string(&seen).unwrap();
    fs::write(&seen, "").unwrap();
    assert!(matches!(open(folder.path()), Err(Unusable::Seen(_))));
    fs::write(&seen, note).unwrap();
    let key = folder.path().join("witness.key");
    let text = fs::read_to_string(&key).unwrap();
    fs::write(&key, "x").unwrap();
    assert!(matches!(open(folder.path()), Err(Unusable::Key(_))));
    fs::remove_file(&key).unwrap();
    assert!(matches!(open(folder.path()), Err(Unusable::KeyLost(_))));
    fs::write(&key, text).unwrap();
    assert!(open(folder.path()).is_ok());
}

#[test]
fn what_cannot_be_kept_is_not_cosigned() {
    let folder = TempDir::new().unwrap();
    let witness = open(folder.path()).unwrap();
    let moved = folder.path().with_extension("moved");
    fs::rename(folder.path(), &moved).unwrap();
    assert!(witness.cosign(&request(0, 5, false)).is_err());
    fs::rename(&moved, folder.path()).unwrap();
    assert!(witness.cosign(&request(0, 4, true)).is_ok(), "nothing was seen yet");
}
