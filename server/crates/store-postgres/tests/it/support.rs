use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use store::Store;
use store_postgres::{PoolSizes, PostgresStore};
use store_testkit::TestDatabase;

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A database of its own on the server of `TEST_POSTGRES_URL`.
pub(crate) struct Database {
    admin: String,
    name: String,
    url: String,
    store: Arc<PostgresStore>,
}

/// Where the tests' server is; none, with a message, when there is none.
pub(crate) fn server() -> Option<String> {
    let url = std::env::var("TEST_POSTGRES_URL").ok().filter(|url| !url.is_empty());
    if url.is_none() {
        eprintln!("SKIPPED: TEST_POSTGRES_URL is not set, so nothing was tested on PostgreSQL");
    }
    url
}

impl Database {
    /// An empty database, not migrated.
    pub(crate) async fn empty(admin: String) -> Self {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("rondo_test_{}_{number}", std::process::id());
        let mut connection = PgConnection::connect(&admin).await.unwrap();
        // A language whose order is not by bytes: what the schema says of collations has to hold whatever this is.
        let create = format!(
            "CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C.UTF-8'"
        );
        sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let url = with_database(&admin, &name);
        let store = PostgresStore::connect(&url, PoolSizes::default()).await.unwrap();
        Self { admin, name, url, store: Arc::new(store) }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) async fn connection(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }
}

#[async_trait]
impl TestDatabase for Database {
    fn store(&self) -> Arc<dyn Store> {
        Arc::<PostgresStore>::clone(&self.store)
    }

    async fn open_another(&self) -> Arc<dyn Store> {
        Arc::new(PostgresStore::connect(&self.url, PoolSizes { engine: 8, web: 1, logs: 1 }).await.unwrap())
    }

    async fn dispose(&self) {
        self.store.close().await;
        let mut connection = PgConnection::connect(&self.admin).await.unwrap();
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut connection).await.unwrap();
    }
}

/// The same server, another database.
fn with_database(url: &str, name: &str) -> String {
    let (address, query) = url.split_once('?').map_or((url, None), |(address, query)| (address, Some(query)));
    let server = match address.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}", rest.split('/').next().unwrap_or(rest)),
        None => address.to_owned(),
    };
    query.map_or_else(|| format!("{server}/{name}"), |query| format!("{server}/{name}?{query}"))
}

pub(crate) async fn fresh() -> Option<Arc<dyn TestDatabase>> {
    let database = Database::empty(server()?).await;
    database.store.migrate().await.unwrap();
    Some(Arc::new(database))
}
