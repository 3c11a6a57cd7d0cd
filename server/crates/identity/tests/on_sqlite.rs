//! The primitives that take a part of a unit of work, on a real database.

#![expect(clippy::unwrap_used, reason = "set-up that fails is a test that fails")]

use std::{sync::Arc, time::Duration};

use domain::Timestamp;
use identity::{
    random::OsRandom,
    throttle::{self, Subject},
    vault::{KeySource, Vault, VaultError},
};
use store::Store as _;
use store_sqlite::SqliteStore;

const START: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

async fn database(directory: &tempfile::TempDir) -> SqliteStore {
    let store = SqliteStore::open(&directory.path().join("rondo.sqlite")).await.unwrap();
    store.migrate().await.unwrap();
    store
}

fn vault(path: std::path::PathBuf) -> Vault {
    Vault::open(&KeySource::File { path, create: true }, Arc::new(OsRandom)).unwrap()
}

#[tokio::test]
async fn a_database_is_opened_with_its_own_key_only() {
    let directory = tempfile::tempdir().unwrap();
    let store = database(&directory).await;
    let (right, wrong) = (vault(directory.path().join("right.key")), vault(directory.path().join("wrong.key")));

    let mut unit = store.begin().await.unwrap();
    right.check(&mut *unit).await.unwrap();
    unit.commit().await.unwrap();

    let mut unit = store.snapshot().await.unwrap();
    assert!(Vault::is_established(&mut *unit).await.unwrap());
    right.check(&mut *unit).await.unwrap();
    assert!(matches!(wrong.check(&mut *unit).await, Err(VaultError::WrongKey { .. })));
}

#[tokio::test]
async fn failures_are_counted_over_units_of_work() {
    let directory = tempfile::tempdir().unwrap();
    let store = database(&directory).await;
    let subjects = [Subject::account("nobody"), Subject::address("2001:db8::1".parse().unwrap())];
    for failure in 1..=throttle::ACCOUNT_THRESHOLD {
        let mut unit = store.begin().await.unwrap();
        assert_eq!(throttle::attempt(&mut *unit, &subjects, START).await.unwrap(), None, "failure {failure}");
        unit.commit().await.unwrap();
    }
    let mut unit = store.begin().await.unwrap();
    assert_eq!(throttle::attempt(&mut *unit, &subjects, START).await.unwrap(), Some(Duration::from_secs(1)));
    throttle::clear(&mut *unit, &subjects).await.unwrap();
    unit.commit().await.unwrap();
    let mut unit = store.snapshot().await.unwrap();
    assert_eq!(throttle::check(&mut *unit, &subjects, START).await.unwrap(), None);
}
