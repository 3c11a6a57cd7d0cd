//! What is asked of the database in another way than of SQLite, or by another clock.

use std::sync::Arc;

use domain::Clock;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use store::Store as _;
use store_postgres::{PoolSizes, PostgresStore};
use testkit::WallClock;

use crate::{delegations, office::Office};

/// A portal on a database of its own, which is dropped afterwards.
pub(crate) async fn on_postgres(of: &str, test: impl AsyncFnOnce(&Office, &str)) {
    on_postgres_by(of, Arc::new(WallClock), test).await;
}

/// The same, by another clock.
pub(crate) async fn on_postgres_by(of: &str, clock: Arc<dyn Clock>, test: impl AsyncFnOnce(&Office, &str)) {
    let Some(server) = std::env::var("TEST_POSTGRES_URL").ok().filter(|url| !url.is_empty()) else {
        eprintln!("SKIPPED: TEST_POSTGRES_URL is not set, so nothing was tested on PostgreSQL");
        return;
    };
    let name = format!("rondo_service_{of}_{}", std::process::id());
    let mut admin = PgConnection::connect(&server).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut admin).await.unwrap();
    let mut url: url::Url = server.parse().unwrap();
    url.set_path(&name);
    let store = Arc::new(PostgresStore::connect(url.as_str(), PoolSizes::default()).await.unwrap());
    let office = Office::open_on(store.clone(), tempfile::tempdir().unwrap(), clock, None).await;
    test(&office, url.as_str()).await;
    office.stop().await;
    store.close().await;
    sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&mut admin).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_substitute_decides() {
    on_postgres("substitute", async |office, _| delegations::a_substitute_decides_what_waits_already(office).await)
        .await;
}
