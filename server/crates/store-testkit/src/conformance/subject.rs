use std::{ops::Deref, sync::Arc};

use store::{Store, UnitOfWork};

use crate::{TestDatabase, fixtures};

/// A store under test, with shorthands.
#[derive(Clone)]
pub struct Subject {
    database: Arc<dyn TestDatabase>,
    store: Arc<dyn Store>,
}

impl Subject {
    pub(crate) fn new(database: Arc<dyn TestDatabase>) -> Self {
        let store = database.store();
        Self { database, store }
    }

    /// The same database as another process sees it.
    pub(crate) async fn another(&self) -> Arc<dyn Store> {
        self.database.open_another().await
    }

    /// A unit that may write.
    pub(crate) async fn unit(&self) -> Box<dyn UnitOfWork> {
        self.store.begin().await.unwrap()
    }

    /// A unit that reads.
    pub(crate) async fn reading(&self) -> Box<dyn UnitOfWork> {
        self.store.snapshot().await.unwrap()
    }

    /// Stores [`fixtures::organisation`], and `runs` runs of person 1.
    pub(crate) async fn organisation(&self, runs: u128) {
        let mut unit = self.unit().await;
        fixtures::organisation(&mut *unit).await;
        for number in 1..=runs {
            unit.insert_run(&fixtures::run(number, fixtures::user_id(1))).await.unwrap();
        }
        unit.commit().await.unwrap();
    }
}

impl Deref for Subject {
    type Target = Arc<dyn Store>;

    fn deref(&self) -> &Self::Target {
        &self.store
    }
}
