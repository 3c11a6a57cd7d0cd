use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use store::Store;
use store_sqlite::SqliteStore;
use store_testkit::TestDatabase;

/// A database in a folder that is removed with it.
pub(crate) struct Files {
    folder: tempfile::TempDir,
    store: Arc<SqliteStore>,
}

impl Files {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("data/rondo.sqlite")).await.unwrap();
        store.migrate().await.unwrap();
        Self { folder, store: Arc::new(store) }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("data/rondo.sqlite")
    }
}

#[async_trait]
impl TestDatabase for Files {
    fn store(&self) -> Arc<dyn Store> {
        Arc::<SqliteStore>::clone(&self.store)
    }

    async fn open_another(&self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(&self.path()).await.unwrap())
    }

    async fn dispose(&self) {
        self.store.close().await;
    }
}

pub(crate) async fn fresh() -> Option<Arc<dyn TestDatabase>> {
    Some(Arc::new(Files::new().await))
}
