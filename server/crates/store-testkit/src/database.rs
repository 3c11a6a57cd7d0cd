use std::sync::Arc;

use async_trait::async_trait;
use store::Store;

/// An empty, migrated database of one test.
#[async_trait]
pub trait TestDatabase: Send + Sync {
    /// The store under test.
    fn store(&self) -> Arc<dyn Store>;

    /// A second store on the same database, as another process would open it.
    async fn open_another(&self) -> Arc<dyn Store>;

    /// Closes and removes the database.
    async fn dispose(&self);
}
