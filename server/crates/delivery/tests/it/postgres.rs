//! Several nodes on one PostgreSQL.

use std::{sync::Arc, time::Duration};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use store::Store;
use store_postgres::{PoolSizes, PostgresStore};
use tokio_util::sync::CancellationToken;

use crate::{
    couriers::{courier, one_delivers_until_its_lease_ends},
    log::Log,
    scripted::Scripted,
};

const PATIENCE: Duration = Duration::from_secs(30);

/// A log on a database of the test's own, which is dropped with it; none where there is no server.
async fn with_log<F: AsyncFnOnce(&Log)>(of: &str, test: F) {
    let Some(server) = std::env::var("TEST_POSTGRES_URL").ok().filter(|url| !url.is_empty()) else {
        eprintln!("SKIPPED: TEST_POSTGRES_URL is not set, so nothing was tested on PostgreSQL");
        return;
    };
    let name = format!("rondo_delivery_{of}_{}", std::process::id());
    let mut admin = PgConnection::connect(&server).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut admin).await.unwrap();
    let mut url: url::Url = server.parse().unwrap();
    url.set_path(&name);
    let store = PostgresStore::connect(url.as_str(), PoolSizes { engine: 4, web: 1, logs: 1 }).await.unwrap();
    let store: Arc<dyn Store> = Arc::new(store);
    test(&Log::on(Arc::clone(&store)).await).await;
    store.close().await;
    sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&mut admin).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_delivers_until_its_lease_ends() {
    with_log("lease", async |log| one_delivers_until_its_lease_ends(log).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_nodes_one_delivers() {
    with_log("nodes", async |log| {
        let to = Scripted::default();
        let stop = CancellationToken::new();
        let nodes: Vec<_> = ["node-a", "node-b"]
            .map(|name| tokio::spawn(courier(log, name, &to).run(stop.clone())))
            .into_iter()
            .collect();
        for _ in 0..20 {
            log.grow(60).await;
            log.sign().await;
        }
        let whole = async {
            while to.got("checkpoints").len() < 20 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, whole).await.expect("everything arrives");
        stop.cancel();
        for node in nodes {
            node.await.unwrap();
        }
        assert_eq!(to.got("entries"), (1..=1_200).collect::<Vec<_>>(), "each once, in order");
        assert_eq!(to.got("checkpoints"), (1..=20).map(|turn| turn * 60).collect::<Vec<_>>());
    })
    .await;
}
