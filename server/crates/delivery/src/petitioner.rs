//! Asks one witness to cosign the checkpoints of the log.

use std::{sync::Arc, time::Duration};

use audit::{Actor, Door, Entry, Outcome, ResourceRef};
use domain::{Clock, Timestamp};
use ledger::{cosignature::WitnessKey, tree::Claim, witnessing::Request};
use serde_json::json;
use store::{
    Store, StoreError,
    audit::AuditCheckpoint,
    witnesses::{Cosignature, Witness as Row},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::{
    Step, Undelivered, Witness,
    witness::{Answer, Line},
};

/// How often it is looked whether there is something new.
const LOOK: Duration = Duration::from_secs(1);
/// The longest pause before a witness that fails is asked again.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// How long a witness may take to answer, all questions of a step together.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// How long a node is alone in asking; longer than a witness may take.
const LEASE: Duration = Duration::from_mins(1);
/// The entry that says that a witness has refused.
const REFUSED: &str = "audit.refuse-cosigning";

/// Asks one witness to cosign the checkpoints of the log.
pub struct Petitioner {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    node: String,
    name: String,
    key: WitnessKey,
    line: Line,
    /// Until when no other node asks this witness.
    held_until: Option<Timestamp>,
    failures: u32,
}

/// What came of asking.
enum Asked {
    /// The line that cosigns.
    Cosigned(String),
    /// The log has not grown from what the witness has cosigned.
    Refused(String),
    /// It could not be asked, or did not answer as witnesses do.
    Failed(String),
}

impl Petitioner {
    /// One that asks in the name of this node.
    ///
    /// # Errors
    /// The settings cannot be used.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        node: String,
        witness: &Witness,
    ) -> Result<Self, Undelivered> {
        let (name, key, line) = (witness.name.clone(), witness.key.clone(), Line::to(witness)?);
        Ok(Self { store, clock, node, name, key, line, held_until: None, failures: 0 })
    }

    /// Asks until told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let pause = tokio::select! {
                step = self.step() => self.pause_after(step),
                // A witness that has cosigned already cosigns the same again.
                () = stop.cancelled() => break,
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        if self.held_until.is_some()
            && let Err(error) = self.release().await
        {
            debug!(witness = self.name, error = &error as &dyn std::error::Error, "a witness was not given up");
        }
    }

    fn pause_after(&self, step: Result<Step, StoreError>) -> Duration {
        match step {
            Ok(Step::Failed) => LOOK.saturating_mul(1 << (self.failures.clamp(1, 7) - 1)).min(LONGEST_PAUSE),
            Ok(Step::Delivered | Step::Idle | Step::Elsewhere) => LOOK,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                warn!(witness = self.name, error, "the audit log cannot be read for its witness, trying again");
                LOOK
            }
        }
    }

    /// Has the newest checkpoint cosigned, unless it has been.
    ///
    /// # Errors
    /// The database cannot be read or written. What was cosigned meanwhile is asked for again.
    pub async fn step(&mut self) -> Result<Step, StoreError> {
        let row = self.row().await?;
        if self.newest(&row).await?.is_none() {
            return Ok(Step::Idle);
        }
        if self.is_elsewhere(&row) || !self.hold().await? {
            self.held_until = None;
            return Ok(Step::Elsewhere);
        }
        // Whoever held it until now may have asked since it was read.
        let row = self.row().await?;
        let Some(newest) = self.newest(&row).await? else { return Ok(Step::Idle) };
        let old = u64::try_from(row.size).unwrap_or_default();
        match tokio::time::timeout(ANSWER_LIMIT, self.ask(&newest, old)).await {
            Ok(outcome) => match outcome? {
                Asked::Cosigned(line) => self.note_cosigning(newest.size, line).await,
                Asked::Refused(why) => self.note_refusal(&newest, &row, &why).await,
                Asked::Failed(why) => self.note_failure(&why).await,
            },
            Err(_) => {
                let late = format!("the witness did not answer within {} seconds", ANSWER_LIMIT.as_secs());
                self.note_failure(&late).await
            }
        }
    }

    /// The newest checkpoint, if the witness has not cosigned it. A log without entries needs no witness.
    async fn newest(&self, row: &Row) -> Result<Option<AuditCheckpoint>, StoreError> {
        let newest = self.store.snapshot().await?.last_audit_checkpoint().await?;
        Ok(newest.filter(|newest| newest.size > row.size))
    }

    /// Asks with a proof from the size at which the witness has seen the log, as far as it is known; if that is another one,
    /// again from the right one.
    async fn ask(&self, newest: &AuditCheckpoint, mut old: u64) -> Result<Asked, StoreError> {
        let size = u64::try_from(newest.size).unwrap_or_default();
        let mut is_told = false;
        loop {
            let proof = match (Claim::Consistency { from: old, to: size }) {
                _ if old == 0 || old == size => Vec::new(),
                claim => {
                    let mut unit = self.store.snapshot().await?;
                    let tiles = audit::tiles(unit.as_mut(), claim.tiles()).await?;
                    claim.prove(&tiles).map_err(|_| StoreError::Inconsistent("audit_tiles".to_owned()))?
                }
            };
            let request = Request { old, proof, checkpoint: newest.note.clone() };
            let told = match self.line.ask(&request).await {
                Ok(Answer::Lines(lines)) => {
                    return Ok(match self.key.accept(&newest.note, &lines) {
                        Ok(cosignature) => Asked::Cosigned(cosignature.line),
                        Err(distrust) => Asked::Failed(format!("the answer of the witness: {distrust}")),
                    });
                }
                Ok(Answer::Inconsistent) => {
                    return Ok(Asked::Refused(format!(
                        "the log of {size} entries has not grown from the {old} that the witness has cosigned"
                    )));
                }
                Ok(Answer::Size(told)) => told,
                Err(cause) => return Ok(Asked::Failed(cause.to_string())),
            };
            if told > size {
                return self.behind(told, size).await;
            }
            if told == old {
                return Ok(Asked::Refused(format!("the witness has cosigned another log of {size} entries")));
            }
            if is_told {
                // Somebody else asks the witness at the same time.
                return Ok(Asked::Failed(format!("the witness tells one size after the other, {told} at last")));
            }
            (old, is_told) = (told, true);
        }
    }

    /// The witness has seen more than there was when it was asked. Unless it was signed meanwhile, the log was put back.
    async fn behind(&self, told: u64, size: u64) -> Result<Asked, StoreError> {
        let newest = self.store.snapshot().await?.last_audit_checkpoint().await?;
        if newest.is_some_and(|newest| u64::try_from(newest.size).is_ok_and(|newest| newest >= told)) {
            return Ok(Asked::Failed(format!("the witness has cosigned {told} entries already")));
        }
        Ok(Asked::Refused(format!("the log has {size} entries, and the witness has cosigned {told}")))
    }

    async fn row(&self) -> Result<Row, StoreError> {
        loop {
            if let Some(row) = self.store.snapshot().await?.witness(&self.name).await? {
                return Ok(row);
            }
            let mut unit = self.store.begin().await?;
            unit.insert_witness(&self.name).await?;
            unit.commit().await?;
        }
    }

    fn is_elsewhere(&self, row: &Row) -> bool {
        let by_another = row.holder.as_ref().is_some_and(|holder| *holder != self.node);
        by_another && row.held_until.is_some_and(|until| until > self.clock.now())
    }

    /// Makes sure that no other node asks until this one has its answer.
    async fn hold(&mut self) -> Result<bool, StoreError> {
        let now = self.clock.now();
        if self.held_until.is_some_and(|until| until > now + ANSWER_LIMIT) {
            return Ok(true);
        }
        let until = now + LEASE;
        let mut unit = self.store.begin().await?;
        let is_taken = unit.take_witness(&self.name, &self.node, now, until).await?;
        unit.commit().await?;
        self.held_until = is_taken.then_some(until);
        Ok(is_taken)
    }

    async fn note_cosigning(&mut self, size: i64, line: String) -> Result<Step, StoreError> {
        let now = self.clock.now();
        let until = now + LEASE;
        let mut unit = self.store.begin().await?;
        // It is true whoever asked for it.
        unit.insert_cosignature(&Cosignature { size, witness: self.key.to_string(), line }).await?;
        let is_noted = unit.note_cosigning(&self.name, &self.node, size, now, until).await?;
        unit.commit().await?;
        self.held_until = is_noted.then_some(until);
        metrics::counter!("rondo_audit_cosignatures_total", "witness" => self.name.clone()).increment(1);
        if std::mem::take(&mut self.failures) > 0 {
            info!(witness = self.name, "the witness of the audit log cosigns again");
        }
        Ok(if is_noted { Step::Delivered } else { Step::Elsewhere })
    }

    async fn note_failure(&mut self, why: &str) -> Result<Step, StoreError> {
        self.count_failure();
        // Once, not at each attempt.
        if self.failures == 1 {
            warn!(witness = self.name, why, "the audit log was not cosigned, trying again until it is");
        } else {
            debug!(witness = self.name, why, attempt = self.failures, "the audit log was not cosigned");
        }
        let mut unit = self.store.begin().await?;
        unit.note_cosigning_failure(&self.name, &self.node, why, false, self.clock.now()).await?;
        unit.commit().await?;
        Ok(Step::Failed)
    }

    /// The witness says that the log is not the one that it knows: that is what it is there for.
    async fn note_refusal(&mut self, newest: &AuditCheckpoint, row: &Row, why: &str) -> Result<Step, StoreError> {
        self.count_failure();
        error!(
            witness = self.name,
            why, "A WITNESS REFUSES TO COSIGN THE AUDIT LOG: it was perhaps put back to an older copy, or written anew"
        );
        let now = self.clock.now();
        let mut unit = self.store.begin().await?;
        let is_noted = unit.note_cosigning_failure(&self.name, &self.node, why, true, now).await?;
        if is_noted && row.refused_at.is_none() {
            audit::append(unit.as_mut(), &self.entry(newest, why, now)).await?;
        }
        unit.commit().await?;
        Ok(Step::Failed)
    }

    fn count_failure(&mut self) {
        metrics::counter!("rondo_audit_cosigning_failures_total", "witness" => self.name.clone()).increment(1);
        self.failures = self.failures.saturating_add(1);
        self.held_until = None;
    }

    fn entry(&self, newest: &AuditCheckpoint, why: &str, at: Timestamp) -> Entry {
        Entry {
            at,
            actor: Actor::system(),
            door: Door::Engine,
            session: None,
            token: None,
            address: None,
            trace_id: self.node.clone(),
            action: REFUSED.to_owned(),
            resource: ResourceRef {
                kind: "witness".to_owned(),
                id: self.name.clone(),
                name: self.name.clone(),
                persons: Vec::new(),
            },
            namespace: None,
            outcome: Outcome::Failed,
            policies: Vec::new(),
            policy_set: None,
            detail: json!({"size": newest.size, "why": why, "key": self.key.to_string()}),
            named: Vec::new(),
        }
    }

    async fn release(&self) -> Result<(), StoreError> {
        let mut unit = self.store.begin().await?;
        unit.release_witness(&self.name, &self.node).await?;
        unit.commit().await
    }
}
