//! What needs to reach inside: a disk that is full, and units that share a transaction.

use std::{sync::Arc, time::Duration};

use store::{
    Store, StoreError, UnitOfWork,
    runs::{Hold, Lease, Run},
};
use store_testkit::fixtures::{at, entries, organisation, run, user_id};
use tokio::task::JoinHandle;

use super::SqliteStore;

/// Keeps the database from growing by more than so many pages: SQLite then says what it says of a full disk.
async fn limit(store: &SqliteStore, more: i64) {
    let mut alone = store.writer.alone().await.unwrap();
    let connection = alone.connection().unwrap();
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut *connection).await.unwrap();
    let limit = format!("PRAGMA max_page_count = {}", pages + more);
    sqlx::raw_sql(sqlx::AssertSqlSafe(limit)).execute(connection).await.unwrap();
}

/// Writes until it is refused.
async fn fill(unit: &mut dyn UnitOfWork) -> store::Result<()> {
    for number in 0..100 {
        unit.put_setting(&format!("big {number}"), &"x".repeat(4000)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_full_disk_is_unavailable_and_heals() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("rondo.sqlite")).await.unwrap();
    store.migrate().await.unwrap();
    let mut unit = store.begin().await.unwrap();
    unit.put_setting("before", "kept").await.unwrap();
    unit.commit().await.unwrap();

    limit(&store, 2).await;
    let mut unit = store.begin().await.unwrap();
    let outcome = fill(unit.as_mut()).await;
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    assert!(unit.commit().await.is_err());

    // The connection that failed was replaced, and with it went the limit: the disk has room again.
    for number in 0..20 {
        let mut unit = store.begin().await.unwrap();
        unit.put_setting(&format!("after {number}"), &"x".repeat(4000)).await.unwrap();
        unit.commit().await.unwrap();
    }
    let mut unit = store.snapshot().await.unwrap();
    assert_eq!(unit.setting("before").await.unwrap().as_deref(), Some("kept"));
    assert_eq!(unit.setting("big 0").await.unwrap(), None);
    drop(unit);
    store.close().await;
}

/// A store, and two units of which the second waits until the first has had its turn.
async fn waiting_behind() -> (tempfile::TempDir, Arc<SqliteStore>, Box<dyn UnitOfWork>, JoinHandle<Box<dyn UnitOfWork>>)
{
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(&folder.path().join("rondo.sqlite")).await.unwrap());
    store.migrate().await.unwrap();
    let first = turn(&store).await;
    let second = wait_behind(&store).await;
    (folder, store, first, second)
}

/// A unit that has its turn.
async fn turn(store: &SqliteStore) -> Box<dyn UnitOfWork> {
    let mut unit = store.begin().await.unwrap();
    unit.setting("none").await.unwrap();
    unit
}

/// Another one, which waits for it.
async fn wait_behind(store: &Arc<SqliteStore>) -> JoinHandle<Box<dyn UnitOfWork>> {
    let waiting = Arc::clone(store);
    let unit = tokio::spawn(async move { turn(&waiting).await });
    while store.writer.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    unit
}

async fn setting(store: &SqliteStore, key: &str) -> Option<String> {
    store.snapshot().await.unwrap().setting(key).await.unwrap()
}

#[tokio::test]
async fn a_unit_that_others_wait_behind_is_durable_with_the_next_one() {
    let (_folder, store, mut first, second) = waiting_behind().await;
    first.put_setting("first", "1").await.unwrap();
    let first = tokio::spawn(first.commit());
    let mut second = second.await.unwrap();
    // It sees what is not yet durable, for it will be lost with it.
    assert_eq!(second.setting("first").await.unwrap().as_deref(), Some("1"));
    assert_eq!(setting(&store, "first").await, None);
    assert!(!first.is_finished());
    second.put_setting("second", "2").await.unwrap();
    second.commit().await.unwrap();
    first.await.unwrap().unwrap();
    assert_eq!(setting(&store, "first").await.as_deref(), Some("1"));
    assert_eq!(setting(&store, "second").await.as_deref(), Some("2"));
}

#[tokio::test]
async fn a_unit_that_fails_or_is_dropped_takes_back_only_what_it_wrote() {
    for dropped in [true, false] {
        let (_folder, store, mut first, second) = waiting_behind().await;
        first.put_setting("first", "1").await.unwrap();
        let first = tokio::spawn(first.commit());
        let mut second = second.await.unwrap();
        second.put_setting("second", "2").await.unwrap();
        if dropped {
            drop(second);
        } else {
            let unheard = store_testkit::fixtures::user(1, "second");
            assert!(matches!(second.update_user(&unheard).await, Err(StoreError::Conflict)));
            second.rollback().await.unwrap();
        }
        first.await.unwrap().unwrap();
        assert_eq!(setting(&store, "first").await.as_deref(), Some("1"));
        assert_eq!(setting(&store, "second").await, None);
    }
}

#[tokio::test]
async fn all_units_of_a_lost_transaction_are_told() {
    let (_folder, store, first, second) = waiting_behind().await;
    drop(first);
    drop(second.await.unwrap());
    limit(&store, 2).await;

    let mut first = turn(&store).await;
    let second = wait_behind(&store).await;
    first.put_setting("first", "1").await.unwrap();
    let first = tokio::spawn(first.commit());
    let mut second = second.await.unwrap();
    assert!(matches!(fill(second.as_mut()).await, Err(StoreError::Unavailable(_))));
    drop(second);
    assert!(matches!(first.await.unwrap(), Err(StoreError::Unavailable(_))));
    assert_eq!(setting(&store, "first").await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_units_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(&folder.path().join("rondo.sqlite")).await.unwrap());
    store.migrate().await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..32 {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            for round in 0..20 {
                let mut unit = store.begin().await.unwrap();
                let count = unit.setting("count").await.unwrap().map_or(0, |count| count.parse::<u32>().unwrap());
                unit.put_setting("count", &(count + 1).to_string()).await.unwrap();
                match (writer + round) % 5 {
                    0 => drop(unit),
                    1 => unit.rollback().await.unwrap(),
                    _ => unit.commit().await.unwrap(),
                }
            }
        });
    }
    writers.join_all().await;
    assert_eq!(setting(&store, "count").await.as_deref(), Some("384"));
    store.close().await;
}

/// A unit of one batch: a step of this run from `expected`.
async fn step(store: &SqliteStore, lease: &Lease, before: &Run, expected: i64) -> store::Result<()> {
    let mut unit = store.begin().await?;
    let run = Run { journal_version: expected + 1, ..before.clone() };
    unit.advance_run(lease, &run, expected, &entries(expected + 1..=expected + 1), None, Hold::Keep).await?;
    unit.commit().await
}

#[tokio::test]
async fn units_of_one_batch_are_written_together_and_refused_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(&folder.path().join("rondo.sqlite")).await.unwrap());
    store.migrate().await.unwrap();
    let mut unit = store.begin().await.unwrap();
    organisation(unit.as_mut()).await;
    let runs: Vec<_> = (1..=20).map(|number| run(number, user_id(1))).collect();
    for run in &runs {
        unit.insert_run(run).await.unwrap();
    }
    let mut leases = Vec::new();
    for run in &runs {
        let claimed = unit.claim_run(run.id, "node", at(1_000), Duration::from_secs(9)).await;
        leases.push(claimed.unwrap().unwrap().0);
    }
    unit.commit().await.unwrap();

    // They collect behind this one. Every third of them is about another state of its run.
    let first = turn(&store).await;
    let mut steps = tokio::task::JoinSet::new();
    for (number, (lease, run)) in leases.into_iter().zip(runs.clone()).enumerate() {
        let store = Arc::clone(&store);
        let expected = i64::from(number % 3 == 0);
        steps.spawn(async move { (number, step(&store, &lease, &run, expected).await) });
    }
    while store.writer.collected() < 20 {
        tokio::task::yield_now().await;
    }
    drop(first);
    for (number, outcome) in steps.join_all().await {
        let is_refused = matches!(outcome, Err(StoreError::Conflict));
        assert_eq!(is_refused, number % 3 == 0, "{number}: {outcome:?}");
    }
    let mut unit = store.snapshot().await.unwrap();
    for (number, run) in runs.iter().enumerate() {
        let journal = unit.journal(run.id, 0, 9).await.unwrap();
        assert_eq!(journal.len(), usize::from(number % 3 != 0), "{number}");
    }
}
