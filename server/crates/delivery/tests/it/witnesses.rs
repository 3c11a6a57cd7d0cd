//! Petitioners and the witness that ships, over loopback.

use std::{path::Path, sync::Arc};

use delivery::{Petitioner, Step, Trust};
use domain::{Clock as _, view::AuditFilter};
use identity::random::OsRandom;
use ledger::{
    checkpoint::Distrust,
    cosignature::{Cosigner, WitnessKey, with},
};
use store::witnesses::Witness as Row;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use url::Url;
use witness::{Witness, router};

use crate::log::{Log, key};

/// A witness at work; it stops when dropped.
struct Running {
    url: Url,
    key: WitnessKey,
    serving: JoinHandle<()>,
}

impl Running {
    /// One at this address, over this folder.
    async fn at(address: &str, folder: &Path) -> Self {
        let clock = Arc::new(testkit::ManualClock::default());
        let make = || ("witness.example/w1".to_owned(), [1; 32]);
        let witness = Arc::new(Witness::open(folder, &[key().public().clone()], clock, make).unwrap());
        let listener = TcpListener::bind(address).await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let key = witness.key().clone();
        let serving = tokio::spawn(async move { axum::serve(listener, router(witness)).await.unwrap() });
        Self { url, key, serving }
    }

    /// Stops it; its address, for the one that comes after it.
    async fn stop(self) -> String {
        self.serving.abort();
        let _ = self.serving.await;
        format!("{}:{}", self.url.host_str().unwrap(), self.url.port().unwrap())
    }

    fn asked_by(&self, log: &Log, node: &str) -> Petitioner {
        petitioner(log, node, &self.url, &self.key)
    }
}

fn petitioner(log: &Log, node: &str, url: &Url, key: &WitnessKey) -> Petitioner {
    let (name, trust) = ("auditors".to_owned(), Trust::default());
    let witness = delivery::Witness { name, url: url.clone(), key: key.clone(), trust };
    let _ = rustls::crypto::ring::default_provider().install_default();
    Petitioner::new(Arc::clone(&log.store), log.clock.clone(), node.to_owned(), &witness).unwrap()
}

async fn row(log: &Log) -> Row {
    log.store.snapshot().await.unwrap().witness("auditors").await.unwrap().unwrap()
}

/// The sizes at which the log was cosigned, by lines that fit.
async fn cosigned(log: &Log, key: &WitnessKey) -> Vec<i64> {
    let mut unit = log.store.snapshot().await.unwrap();
    let mut sizes = Vec::new();
    for one in unit.cosignatures(0, i64::MAX).await.unwrap() {
        let note = unit.audit_checkpoints(one.size, 1).await.unwrap().remove(0).note;
        assert!(key.read(&with(&note, [one.line.as_str()])).unwrap().is_some());
        assert_eq!(one.witness, key.to_string());
        sizes.push(one.size);
    }
    sizes
}

async fn refusals(log: &Log) -> usize {
    audit::sequence(log.store.as_ref(), &OsRandom).await.unwrap();
    let filter = AuditFilter { action: Some("audit.refuse-cosigning".to_owned()), ..AuditFilter::default() };
    log.store.snapshot().await.unwrap().list_audit(&filter, None, 100).await.unwrap().len()
}

#[tokio::test]
async fn each_checkpoint_is_cosigned_once() {
    let (log, folder) = (Log::new().await, TempDir::new().unwrap());
    let witness = Running::at("127.0.0.1:0", folder.path()).await;
    let mut node = witness.asked_by(&log, "node");
    assert_eq!(node.step().await.unwrap(), Step::Idle, "nothing was signed");
    log.sign().await;
    assert_eq!(node.step().await.unwrap(), Step::Idle, "there is nothing in it");
    for (more, expected) in [(3, vec![3]), (1, vec![3, 4]), (300, vec![3, 4, 304])] {
        log.grow(more).await;
        log.sign().await;
        assert_eq!(node.step().await.unwrap(), Step::Delivered);
        assert_eq!(node.step().await.unwrap(), Step::Idle);
        assert_eq!(cosigned(&log, &witness.key).await, expected);
    }
    assert_eq!((row(&log).await.size, row(&log).await.succeeded_at), (304, Some(log.clock.now())));
}

#[tokio::test]
async fn a_witness_that_was_away_catches_up() {
    let (log, folder) = (Log::new().await, TempDir::new().unwrap());
    let witness = Running::at("127.0.0.1:0", folder.path()).await;
    let (url, key) = (witness.url.clone(), witness.key.clone());
    let mut node = witness.asked_by(&log, "node");
    log.grow(5).await;
    log.sign().await;
    node.step().await.unwrap();
    let address = witness.stop().await;
    for _ in 0..3 {
        log.grow(5).await;
        log.sign().await;
        assert_eq!(node.step().await.unwrap(), Step::Failed);
    }
    let failing = row(&log).await;
    assert_eq!((failing.size, failing.failing_since.is_some(), failing.refused_at), (5, true, None));
    let witness = Running::at(&address, folder.path()).await;
    assert_eq!((&witness.url, &witness.key), (&url, &key));
    assert_eq!(node.step().await.unwrap(), Step::Delivered);
    assert_eq!(cosigned(&log, &key).await, [5, 20]);
    assert_eq!((row(&log).await.size, row(&log).await.failing_since), (20, None));
    assert_eq!(refusals(&log).await, 0);
}

/// The answer was lost, or the row, or the folder of the witness.
#[tokio::test]
async fn who_knows_another_size_than_the_witness_is_told_it() {
    let (log, folder, empty) = (Log::new().await, TempDir::new().unwrap(), TempDir::new().unwrap());
    let witness = Running::at("127.0.0.1:0", folder.path()).await;
    log.grow(5).await;
    log.sign().await;
    let copy = Log::new().await;
    copy.grow(5).await;
    copy.sign().await;
    witness.asked_by(&log, "node").step().await.unwrap();
    // The copy has cosigned nothing: the witness cosigns the same again, and what comes after it.
    let mut node = witness.asked_by(&copy, "node");
    assert_eq!(node.step().await.unwrap(), Step::Delivered);
    copy.grow(2).await;
    copy.sign().await;
    assert_eq!(node.step().await.unwrap(), Step::Delivered);
    assert_eq!(cosigned(&copy, &witness.key).await, [5, 7]);
    let address = witness.stop().await;
    let new = Running::at(&address, empty.path()).await;
    copy.grow(2).await;
    copy.sign().await;
    assert_eq!(node.step().await.unwrap(), Step::Delivered, "a witness that begins anew");
    assert_eq!(cosigned(&copy, &new.key).await, [5, 7, 9]);
}

#[tokio::test]
async fn a_log_that_was_put_back_is_an_alarm_once() {
    let (log, folder) = (Log::new().await, TempDir::new().unwrap());
    let witness = Running::at("127.0.0.1:0", folder.path()).await;
    log.grow(10).await;
    log.sign().await;
    witness.asked_by(&log, "node").step().await.unwrap();

    let put_back = Log::new().await;
    put_back.grow(5).await;
    put_back.sign().await;
    let mut node = witness.asked_by(&put_back, "node");
    for _ in 0..2 {
        assert_eq!(node.step().await.unwrap(), Step::Failed);
    }
    let refused = row(&put_back).await;
    assert!(refused.refused_at.is_some());
    assert_eq!(refused.failure.as_deref(), Some("the log has 5 entries, and the witness has cosigned 10"));
    assert_eq!(refusals(&put_back).await, 1);
    // Beyond what the witness has seen, by another way.
    put_back.clock.advance(std::time::Duration::from_secs(1));
    put_back.grow(10).await;
    put_back.sign().await;
    assert_eq!(node.step().await.unwrap(), Step::Failed);
    let failure = row(&put_back).await.failure.unwrap();
    assert!(failure.contains("has not grown from the 10"), "{failure}");
    assert_eq!(cosigned(&put_back, &witness.key).await, [0; 0]);
    assert_eq!(refusals(&put_back).await, 1, "one entry, however often");
    // The right log is cosigned as ever.
    log.grow(1).await;
    log.sign().await;
    assert_eq!(witness.asked_by(&log, "another node").step().await.unwrap(), Step::Elsewhere);
    assert_eq!(witness.asked_by(&log, "node").step().await.unwrap(), Step::Delivered);
}

#[tokio::test]
async fn another_root_at_the_same_size_is_an_alarm() {
    let (log, folder) = (Log::new().await, TempDir::new().unwrap());
    let witness = Running::at("127.0.0.1:0", folder.path()).await;
    log.grow(10).await;
    log.sign().await;
    witness.asked_by(&log, "node").step().await.unwrap();
    let other = Log::new().await;
    other.clock.advance(std::time::Duration::from_secs(1));
    other.grow(10).await;
    other.sign().await;
    assert_eq!(witness.asked_by(&other, "node").step().await.unwrap(), Step::Failed);
    assert!(row(&other).await.refused_at.is_some());
}

#[tokio::test]
async fn what_is_not_of_the_witness_is_not_kept() {
    let (log, folder) = (Log::new().await, TempDir::new().unwrap());
    let witness = Running::at("127.0.0.1:0", folder.path()).await;
    log.grow(5).await;
    log.sign().await;
    let other = Cosigner::from_seed("witness.example/w1", &[2; 32]).unwrap().public().clone();
    let mut node = petitioner(&log, "node", &witness.url, &other);
    assert_eq!(node.step().await.unwrap(), Step::Failed);
    let failing = row(&log).await;
    assert!(failing.failure.unwrap().contains(&Distrust::UnknownKey.to_string()));
    assert_eq!((failing.refused_at, cosigned(&log, &other).await.len()), (None, 0));
    // A page of the web at the address, and nothing there.
    let nothing = witness.url.join("nowhere").unwrap();
    let mut node = petitioner(&log, "node", &nothing, &witness.key);
    assert_eq!(node.step().await.unwrap(), Step::Failed);
    assert!(row(&log).await.failure.unwrap().contains("404"));
}
