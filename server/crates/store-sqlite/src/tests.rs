//! What needs to reach inside: a disk that is full.

use sqlx::Connection as _;
use store::{Store, StoreError};

use super::SqliteStore;

#[tokio::test]
async fn a_full_disk_is_unavailable_and_heals() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("rondo.sqlite")).await.unwrap();
    store.migrate().await.unwrap();
    let mut unit = store.begin().await.unwrap();
    unit.put_setting("before", "kept").await.unwrap();
    unit.commit().await.unwrap();

    // The database cannot grow any more: SQLite then says what it says of a full disk.
    let mut connection = store.write.acquire().await.unwrap();
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut *connection).await.unwrap();
    let limit = format!("PRAGMA max_page_count = {}", pages + 2);
    sqlx::raw_sql(sqlx::AssertSqlSafe(limit)).execute(&mut *connection).await.unwrap();
    connection.ping().await.unwrap();
    drop(connection);

    let mut unit = store.begin().await.unwrap();
    let mut outcome = Ok(());
    for number in 0..100 {
        outcome = unit.put_setting(&format!("big {number}"), &"x".repeat(4000)).await;
        if outcome.is_err() {
            break;
        }
    }
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
