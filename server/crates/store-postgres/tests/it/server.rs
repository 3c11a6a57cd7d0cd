//! What only PostgreSQL can show: migrations against another program, guarded tables, a server that goes away.

use std::time::Duration;

use crate::support::{Database, server};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};
use store::{Store, StoreError, runs::Hold};
use store_postgres::{PoolSizes, PostgresStore};
use store_testkit::{
    TestDatabase as _,
    fixtures::{self, at, user_id},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

async fn execute(connection: &mut PgConnection, text: &'static str) -> sqlx::Result<()> {
    sqlx::raw_sql(text).execute(connection).await.map(|_| ())
}

#[tokio::test]
async fn an_altered_or_unknown_migration_is_refused() {
    let Some(server) = server() else { return };
    let database = Database::empty(server).await;
    let store = database.store();
    store.migrate().await.unwrap();
    let mut connection = database.connection().await;
    execute(&mut connection, "UPDATE schema_migrations SET checksum = 'x' WHERE number = 2").await.unwrap();
    let error = store.migrate().await.unwrap_err();
    assert!(matches!(&error, StoreError::Schema(text) if text.contains("0002")), "{error:?}");
    execute(&mut connection, "DELETE FROM schema_migrations WHERE number = 2").await.unwrap();
    let error = store.migrate().await.unwrap_err();
    assert!(matches!(&error, StoreError::Schema(text) if text.contains("missing")), "{error:?}");
    execute(&mut connection, "INSERT INTO schema_migrations VALUES (9999, 'later', 'x')").await.unwrap();
    let error = store.migrate().await.unwrap_err();
    assert!(matches!(&error, StoreError::Schema(_)), "{error:?}");
    connection.close().await.unwrap();
    database.dispose().await;
}

/// A plan that is kept for later is made without the values, from what was counted: here that all listen to one kind.
#[tokio::test]
async fn whether_anybody_listens_is_asked_of_an_index_however_many_listen_to_another_kind() {
    let Some(server) = server() else { return };
    let database = Database::empty(server).await;
    let store = database.store();
    store.migrate().await.unwrap();
    let mut unit = store.begin().await.unwrap();
    fixtures::organisation(&mut *unit).await;
    unit.insert_run(&fixtures::run(1, user_id(1))).await.unwrap();
    unit.commit().await.unwrap();
    let mut connection = database.connection().await;
    for text in [
        "INSERT INTO subscriptions (run_id, subscription, type_key, source_key) \
         SELECT runs.id, place, 'a kind', '' FROM runs, generate_series(1, 5000) AS place",
        "ANALYZE subscriptions",
        "SET plan_cache_mode = force_generic_plan",
        "PREPARE listening (text, text) AS SELECT 1 FROM subscriptions \
         WHERE type_key IN ('', $1) AND source_key IN ('', $2) LIMIT 1",
    ] {
        execute(&mut connection, text).await.unwrap();
    }
    let plan =
        sqlx::raw_sql("EXPLAIN EXECUTE listening ('another kind', '')").fetch_all(&mut connection).await.unwrap();
    let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
    assert!(plan.iter().any(|line| line.contains("Index Cond")), "{plan:#?}");
    connection.close().await.unwrap();
    database.dispose().await;
}

#[tokio::test]
async fn evidence_cannot_be_changed_even_by_hand() {
    let Some(server) = server() else { return };
    let database = Database::empty(server).await;
    let store = database.store();
    store.migrate().await.unwrap();
    let mut unit = store.begin().await.unwrap();
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
    let mut connection = database.connection().await;
    for forbidden in [
        "UPDATE audit_entries SET body = 'x'",
        "DELETE FROM audit_entries",
        "TRUNCATE audit_entries",
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
        "TRUNCATE audit_cosignatures",
        "TRUNCATE audit_tiles",
        "TRUNCATE audit_keys",
        "TRUNCATE audit_checkpoints",
        "DELETE FROM audit_head",
        "UPDATE journal SET event = 'x'",
        "DELETE FROM journal",
        "TRUNCATE journal",
        "UPDATE decisions SET kind = 'reject'",
        "DELETE FROM decisions",
        "TRUNCATE decisions",
        "UPDATE workflow_versions SET source = 'x'",
        "UPDATE workflow_versions SET digest = 'x'",
        "DELETE FROM workflow_versions",
        "TRUNCATE workflow_versions CASCADE",
    ] {
        assert!(execute(&mut connection, forbidden).await.is_err(), "{forbidden}");
    }
    connection.close().await.unwrap();
    database.dispose().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_connections_are_unavailable_once_and_then_replaced() {
    let Some(server) = server() else { return };
    let database = Database::empty(server).await;
    let store = database.store();
    store.migrate().await.unwrap();
    let mut unit = store.begin().await.unwrap();
    unit.put_setting("a", "lost").await.unwrap();
    let mut connection = database.connection().await;
    let terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                     WHERE datname = current_database() AND pid <> pg_backend_pid()";
    execute(&mut connection, terminate).await.unwrap();
    let error = unit.put_setting("b", "lost").await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    let error = unit.commit().await.unwrap_err();
    assert!(matches!(error, StoreError::Driver(_)), "{error:?}");
    for _ in 0..20 {
        let mut unit = store.begin().await.unwrap();
        assert_eq!(unit.setting("a").await.unwrap(), None);
        unit.put_setting("c", "kept").await.unwrap();
        unit.commit().await.unwrap();
    }
    connection.close().await.unwrap();
    database.dispose().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_waits_for_ever() {
    let Some(server) = server() else { return };
    let database = Database::empty(server).await;
    let store = database.store();
    store.migrate().await.unwrap();
    // A lock that is never given up.
    let mut holder = store.begin().await.unwrap();
    holder.audit_size().await.unwrap();
    let mut waiter = store.begin().await.unwrap();
    let error = waiter.audit_size().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    drop((holder, waiter));
    // A pool that is used up.
    let small = PostgresStore::connect(database.url(), PoolSizes { engine: 1, web: 1, logs: 1 }).await.unwrap();
    let held = small.begin().await.unwrap();
    assert!(matches!(small.begin().await.err(), Some(StoreError::Unavailable(_))));
    drop(held);
    small.begin().await.unwrap().commit().await.unwrap();
    small.close().await;
    // A server that is not there.
    let nowhere = PostgresStore::connect("postgres://postgres@127.0.0.1:1/none", PoolSizes::default()).await;
    assert!(matches!(nowhere.err(), Some(StoreError::Unavailable(_))));
    database.dispose().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_falls_silent_is_unavailable_and_comes_back() {
    let Some(server) = server() else { return };
    let database = Database::empty(server).await;
    database.store().migrate().await.unwrap();
    let line = Line::to(database.url()).await;
    let store = PostgresStore::connect(&line.url, PoolSizes { engine: 2, web: 1, logs: 1 }).await.unwrap();
    let mut unit = store.begin().await.unwrap();
    unit.put_setting("a", "lost").await.unwrap();

    line.speaks.send_replace(false);
    let patience = Duration::from_secs(8);
    let error = tokio::time::timeout(patience, unit.put_setting("b", "lost")).await.unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    drop(unit);
    let error = tokio::time::timeout(patience, store.begin()).await.unwrap().err().unwrap();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(tokio::time::timeout(patience, store.ping()).await.unwrap().is_err());

    line.speaks.send_replace(true);
    let healed = async {
        loop {
            let Ok(mut unit) = store.begin().await else { continue };
            if unit.put_setting("c", "kept").await.is_ok() && unit.commit().await.is_ok() {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), healed).await.unwrap();
    let mut unit = database.store().snapshot().await.unwrap();
    assert_eq!(unit.setting("a").await.unwrap(), None);
    assert_eq!(unit.setting("c").await.unwrap().as_deref(), Some("kept"));
    drop(unit);
    store.close().await;
    database.dispose().await;
}

/// A line to the server that can fall silent: nothing is closed, nothing comes through.
struct Line {
    url: String,
    speaks: watch::Sender<bool>,
}

impl Line {
    async fn to(url: &str) -> Self {
        let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
        let server = (options.get_host().to_owned(), options.get_port());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = url.replacen(&format!("{}:{}", server.0, server.1), &format!("127.0.0.1:{port}"), 1);
        let (speaks, state) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(server.clone()).await else { continue };
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                tokio::spawn(carry(from_client, to_server, state.clone()));
                tokio::spawn(carry(from_server, to_client, state.clone()));
            }
        });
        Self { url, speaks }
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut speaks: watch::Receiver<bool>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if speaks.wait_for(|speaks| *speaks).await.is_err() || to.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
}

#[tokio::test]
async fn every_text_that_is_compared_is_so_by_its_bytes() {
    let Some(server) = server() else { return };
    let database = Database::empty(server).await;
    database.store().migrate().await.unwrap();
    let mut connection = database.connection().await;
    let query = "SELECT t.relname || ' ' || i.relname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid \
                 JOIN pg_class t ON t.oid = x.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace, \
                 unnest(x.indcollation) AS c(oid) WHERE n.nspname = 'public' AND t.relname <> 'schema_migrations' \
                 AND c.oid <> 0 AND c.oid <> 'pg_catalog.\"C\"'::regcollation";
    let others: Vec<String> =
        sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_all(&mut connection).await.unwrap();
    assert!(others.is_empty(), "indexes with a collation other than C: {others:?}");
    connection.close().await.unwrap();
    database.dispose().await;
}
