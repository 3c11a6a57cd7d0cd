//! PostgreSQL against SQLite: the same operations, the same results.

use std::{sync::Arc, time::SystemTime};

use crate::support::{Database, server};
use store::Store;
use store_sqlite::SqliteStore;
use store_testkit::{TestDatabase as _, differential};

/// These seeds always, and one that nobody has seen.
const SEEDS: [u64; 3] = [1, 2, 3];
const STEPS: usize = 400;

async fn compare(seed: u64) {
    let Some(server) = server() else { return };
    let folder = tempfile::tempdir().unwrap();
    let sqlite = SqliteStore::open(&folder.path().join("rondo.sqlite")).await.unwrap();
    sqlite.migrate().await.unwrap();
    let postgres = Database::empty(server).await;
    postgres.store().migrate().await.unwrap();
    let stores: [Arc<dyn Store>; 2] = [Arc::new(sqlite), postgres.store()];
    let [left, right] = stores.map(|store| store);
    let outcome = tokio::spawn(differential::run(Arc::clone(&left), right, seed, STEPS)).await;
    left.close().await;
    postgres.dispose().await;
    if let Err(failure) = outcome {
        std::panic::resume_unwind(failure.into_panic());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_operations_have_the_same_results() {
    for seed in SEEDS {
        compare(seed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_operations_have_the_same_results() {
    let chosen = std::env::var("RONDO_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let fresh = || SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_micros().try_into().unwrap_or(0));
    let seed = chosen.unwrap_or_else(fresh);
    eprintln!("RONDO_TEST_SEED={seed}");
    compare(seed).await;
}
