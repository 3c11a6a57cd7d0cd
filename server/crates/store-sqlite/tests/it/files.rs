//! What only SQLite can show: files, other processes, a crash, a full disk; and the migrations as they lie in the tree.

use std::{path::Path, sync::Arc, time::Duration};

use crate::support::Files;
use sqlx::{Connection as _, SqliteConnection};
use store::{Store, StoreError, runs::Hold};
use store_sqlite::SqliteStore;
use store_testkit::{
    TestDatabase as _,
    fixtures::{self, at, user_id},
};

async fn raw(path: &Path) -> SqliteConnection {
    SqliteConnection::connect_with(&sqlx::sqlite::SqliteConnectOptions::new().filename(path)).await.unwrap()
}

async fn execute(connection: &mut SqliteConnection, text: &'static str) -> sqlx::Result<()> {
    sqlx::raw_sql(text).execute(connection).await.map(|_| ())
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_closed_to_others() {
    use std::os::unix::fs::PermissionsExt as _;
    let files = Files::new().await;
    let mut unit = files.store().begin().await.unwrap();
    unit.put_setting("a", "b").await.unwrap();
    unit.commit().await.unwrap();
    let folder = files.path().parent().unwrap().to_owned();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let mut names = Vec::new();
    for file in std::fs::read_dir(&folder).unwrap() {
        let file = file.unwrap();
        assert_eq!(mode(&file.path()), 0o600, "{}", file.path().display());
        names.push(file.file_name().into_string().unwrap());
    }
    assert!(names.contains(&"rondo.sqlite".to_owned()) && names.contains(&"logs.sqlite".to_owned()), "{names:?}");
}

#[tokio::test]
async fn closing_folds_the_log_into_the_file() {
    let files = Files::new().await;
    let mut unit = files.store().begin().await.unwrap();
    unit.put_setting("a", "b").await.unwrap();
    unit.commit().await.unwrap();
    files.store().close().await;
    let wal = files.path().with_file_name("rondo.sqlite-wal");
    assert!(!wal.exists() || std::fs::metadata(wal).unwrap().len() == 0);
    assert_eq!(files.open_another().await.snapshot().await.unwrap().setting("a").await.unwrap().as_deref(), Some("b"));
}

#[tokio::test]
async fn a_copy_made_in_the_middle_of_a_unit_has_what_was_committed() {
    let files = Files::new().await;
    let store = files.store();
    let mut unit = store.begin().await.unwrap();
    unit.put_setting("committed", "1").await.unwrap();
    unit.commit().await.unwrap();
    let mut unit = store.begin().await.unwrap();
    for number in 0..2000 {
        unit.put_setting(&format!("uncommitted {number}"), &"x".repeat(2000)).await.unwrap();
    }
    // What a crash leaves behind: the files as they are now, without the shared memory.
    let crashed = tempfile::tempdir().unwrap();
    for name in ["rondo.sqlite", "rondo.sqlite-wal"] {
        std::fs::copy(files.path().with_file_name(name), crashed.path().join(name)).unwrap();
    }
    let survivor = SqliteStore::open(&crashed.path().join("rondo.sqlite")).await.unwrap();
    survivor.migrate().await.unwrap();
    let mut reading = survivor.snapshot().await.unwrap();
    assert_eq!(reading.setting("committed").await.unwrap().as_deref(), Some("1"));
    assert_eq!(reading.setting("uncommitted 0").await.unwrap(), None);
    drop(reading);
    let mut check = raw(&crashed.path().join("rondo.sqlite")).await;
    let verdict: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut check).await.unwrap();
    assert_eq!(verdict, "ok");
    drop(unit);
}

#[tokio::test]
async fn another_process_that_holds_the_file_is_waited_for_and_then_reported() {
    let files = Files::new().await;
    let store = files.store();
    let mut holder = raw(&files.path()).await;
    execute(&mut holder, "BEGIN IMMEDIATE").await.unwrap();
    let waiting = tokio::spawn({
        let store = files.store();
        async move { write(&store).await }
    });
    // Reading waits for nobody.
    assert_eq!(store.snapshot().await.unwrap().setting("a").await.unwrap(), None);
    execute(&mut holder, "ROLLBACK").await.unwrap();
    waiting.await.unwrap().unwrap();
    execute(&mut holder, "BEGIN IMMEDIATE").await.unwrap();
    let error = write(&store).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    execute(&mut holder, "ROLLBACK").await.unwrap();
    write(&store).await.unwrap();
}

async fn write(store: &Arc<dyn Store>) -> store::Result<()> {
    let mut unit = store.begin().await?;
    unit.put_setting("a", "b").await?;
    unit.commit().await
}

#[tokio::test]
async fn evidence_cannot_be_changed_even_by_hand() {
    let files = Files::new().await;
    let mut unit = files.store().begin().await.unwrap();
    fixtures::organisation(&mut *unit).await;
    unit.insert_run(&fixtures::run(1, user_id(1))).await.unwrap();
    let (lease, _) = unit.claim_run(fixtures::run_id(1), "n", at(0), Duration::from_secs(1)).await.unwrap().unwrap();
    let mut run = unit.run(fixtures::run_id(1)).await.unwrap().unwrap();
    run.journal_version = 1;
    unit.advance_run(&lease, &run, 0, &fixtures::entries(1..=1), None, Hold::Keep).await.unwrap();
    let approval = fixtures::approval(1, run.id, user_id(1), None);
    unit.insert_approval(&approval, &[fixtures::approver(user_id(2))]).await.unwrap();
    unit.insert_decision(&fixtures::decision(1, approval.id, user_id(2))).await.unwrap();
    unit.append_audit(0, &[fixtures::audit(1)]).await.unwrap();
    fixtures::seal_audit(unit.as_mut()).await;
    unit.commit().await.unwrap();
    let mut connection = raw(&files.path()).await;
    for forbidden in [
        "UPDATE audit_entries SET body = 'x'",
        "DELETE FROM audit_entries",
        "UPDATE audit_head SET seq = 0",
        "UPDATE audit_tiles SET hashes = '0' || substr(hashes, 2)",
        "UPDATE audit_tiles SET place = 1",
        "DELETE FROM audit_tiles",
        "UPDATE audit_keys SET public = 'x'",
        "DELETE FROM audit_keys",
        "UPDATE audit_checkpoints SET note = 'x'",
        "DELETE FROM audit_checkpoints",
        "UPDATE audit_cosignatures SET line = 'x'",
        "DELETE FROM audit_cosignatures",
        "DELETE FROM audit_head",
        "UPDATE journal SET event = 'x'",
        "DELETE FROM journal",
        "UPDATE decisions SET kind = 'reject'",
        "DELETE FROM decisions",
        "UPDATE workflow_versions SET source = 'x'",
        "UPDATE workflow_versions SET digest = 'x'",
        "DELETE FROM workflow_versions",
    ] {
        assert!(execute(&mut connection, forbidden).await.is_err(), "{forbidden}");
    }
}

#[tokio::test]
async fn an_altered_or_unknown_migration_is_refused() {
    let files = Files::new().await;
    let store = files.store();
    let mut connection = raw(&files.path()).await;
    execute(&mut connection, "UPDATE schema_migrations SET checksum = 'x' WHERE number = 2").await.unwrap();
    let error = store.migrate().await.unwrap_err();
    assert!(matches!(&error, StoreError::Schema(text) if text.contains("0002")), "{error:?}");
    execute(&mut connection, "DELETE FROM schema_migrations WHERE number = 2").await.unwrap();
    let error = store.migrate().await.unwrap_err();
    assert!(matches!(&error, StoreError::Schema(text) if text.contains("missing")), "{error:?}");
    let later = "INSERT INTO schema_migrations (number, name, checksum) VALUES (9999, 'later', 'x')";
    execute(&mut connection, later).await.unwrap();
    let error = store.migrate().await.unwrap_err();
    assert!(matches!(&error, StoreError::Schema(text) if text.contains("9999")), "{error:?}");
}

#[tokio::test]
async fn what_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rondo.sqlite");
    std::fs::write(&path, "not a database, but long enough to look like something else".repeat(100)).unwrap();
    assert!(SqliteStore::open(&path).await.is_err());
    let error = SqliteStore::open(Path::new("/proc/none/rondo.sqlite")).await.err().unwrap();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
}
