//! A log with a key, to which tests add entries and checkpoints.

use identity::random::OsRandom;
use ledger::checkpoint::LedgerKey;
use std::sync::Arc;

use audit::{Actor, Door, Entry, Outcome, ResourceRef};
use domain::{Clock, Timestamp};
use serde_json::json;
use store::{
    Store,
    audit::{AuditCheckpoint, AuditKey},
    receivers::Receiver,
};
use store_sqlite::SqliteStore;
use testkit::ManualClock;

pub(crate) const NAME: &str = "rondo/4f1c33a09be2d87e";

/// The key that signs it.
pub(crate) fn key() -> LedgerKey {
    LedgerKey::from_seed(NAME, &[7; 32]).unwrap()
}

pub(crate) struct Log {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<ManualClock>,
    _directory: Option<tempfile::TempDir>,
}

impl Log {
    /// One on SQLite.
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&directory.path().join("rondo.sqlite")).await.unwrap();
        Self { _directory: Some(directory), ..Self::on(Arc::new(store)).await }
    }

    /// One on this empty database.
    pub(crate) async fn on(store: Arc<dyn Store>) -> Self {
        store.migrate().await.unwrap();
        let public = key().public().clone();
        let key = AuditKey {
            id: public.id(),
            number: 1,
            public: public.to_string(),
            sealed: "sealed".to_owned(),
            introduction: None,
            created_at: Timestamp::default(),
        };
        let mut unit = store.begin().await.unwrap();
        unit.insert_audit_key(&key).await.unwrap();
        unit.commit().await.unwrap();
        Self { store, clock: Arc::new(ManualClock::default()), _directory: None }
    }

    /// Adds so many entries.
    pub(crate) async fn grow(&self, by: usize) {
        let entry = Entry {
            at: self.clock.now(),
            actor: Actor::system(),
            door: Door::Engine,
            session: None,
            token: None,
            address: None,
            trace_id: "trace".to_owned(),
            action: "run.end".to_owned(),
            resource: ResourceRef::default(),
            namespace: None,
            outcome: Outcome::Done,
            policies: Vec::new(),
            policy_set: None,
            detail: json!({"name": "김민준"}),
            named: Vec::new(),
        };
        let mut unit = self.store.begin().await.unwrap();
        audit::append_all(&mut *unit, &vec![entry; by]).await.unwrap();
        unit.commit().await.unwrap();
        audit::sequence(self.store.as_ref(), &OsRandom).await.unwrap();
    }

    /// Signs it as it is.
    pub(crate) async fn sign(&self) {
        let mut unit = self.store.begin().await.unwrap();
        let growth = audit::resume(unit.as_mut()).await.unwrap();
        let size = i64::try_from(growth.size()).unwrap();
        let note = key().checkpoint(growth.size(), &growth.root()).unwrap();
        unit.insert_audit_checkpoint(&AuditCheckpoint { size, at: self.clock.now(), note }).await.unwrap();
        unit.commit().await.unwrap();
    }

    /// How far the receiver of the tests is.
    pub(crate) async fn receiver(&self) -> Receiver {
        self.store.snapshot().await.unwrap().receiver("siem").await.unwrap().unwrap()
    }
}
