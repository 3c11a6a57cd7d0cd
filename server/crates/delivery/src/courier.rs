//! Brings the log to one receiver.

use std::{sync::Arc, time::Duration};

use domain::{Clock, Timestamp};
use ledger::checkpoint::PublicKey;
use store::{
    Store, StoreError,
    receivers::{Reached, Receiver as Row},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::{
    Parcel, Receiver, Sink, Undelivered,
    receiver::{Pace, Start, Takes},
};

/// How often it is looked whether there is something new.
const LOOK: Duration = Duration::from_secs(1);
/// The longest pause before a receiver that fails is tried again.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// How long a receiver may take to confirm.
const CONFIRM_LIMIT: Duration = Duration::from_secs(30);
/// How long a node is alone in delivering; longer than a receiver may take.
const LEASE: Duration = Duration::from_mins(1);
/// How long what is under way when the server stops may still take.
const GRACE: Duration = Duration::from_secs(5);
/// Rows that are read at once.
const ROWS: usize = 100;
/// Bytes of entries that go out at once, about.
const LARGEST: usize = 4 << 20;

/// Brings the log to one receiver.
pub struct Courier {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    node: String,
    name: String,
    takes: Takes,
    start: Start,
    pace: Pace,
    sink: Box<dyn Sink>,
    /// The name of the log; none until it has a key.
    log: Option<String>,
    /// Until when no other node delivers to this receiver.
    held_until: Option<Timestamp>,
    failures: u32,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The receiver has confirmed something, and there may be more.
    Delivered,
    /// There is nothing to deliver, or not enough yet.
    Idle,
    /// Another node delivers.
    Elsewhere,
    /// The receiver has not confirmed what it was given.
    Failed,
}

impl Courier {
    /// One that delivers in the name of this node, by this way.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        node: String,
        receiver: &Receiver,
        sink: Box<dyn Sink>,
    ) -> Self {
        Self {
            store,
            clock,
            node,
            name: receiver.name.clone(),
            takes: receiver.takes,
            start: receiver.start,
            pace: receiver.pace(),
            sink,
            log: None,
            held_until: None,
            failures: 0,
        }
    }

    /// Delivers until told to stop. What is under way then has a few seconds more.
    pub async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let given_up = async {
                stop.cancelled().await;
                tokio::time::sleep(GRACE).await;
            };
            let pause = tokio::select! {
                step = self.step() => self.pause_after(step),
                () = given_up => break,
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        if self.held_until.is_some()
            && let Err(error) = self.release().await
        {
            debug!(receiver = self.name, error = &error as &dyn std::error::Error, "a receiver was not given up");
        }
    }

    fn pause_after(&self, step: Result<Step, StoreError>) -> Duration {
        match step {
            Ok(Step::Delivered) => Duration::ZERO,
            Ok(Step::Idle | Step::Elsewhere) => LOOK,
            Ok(Step::Failed) => LOOK.saturating_mul(1 << (self.failures.clamp(1, 7) - 1)).min(LONGEST_PAUSE),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                warn!(receiver = self.name, error, "the audit log cannot be read for its receiver, trying again");
                LOOK
            }
        }
    }

    /// Delivers what goes out at once, if there is something.
    ///
    /// # Errors
    /// The database cannot be read or written. What was delivered meanwhile may be delivered again.
    pub async fn step(&mut self) -> Result<Step, StoreError> {
        let Some(log) = self.log().await? else { return Ok(Step::Idle) };
        let row = self.row().await?;
        if self.is_elsewhere(&row) {
            self.held_until = None;
            return Ok(Step::Elsewhere);
        }
        let mut reached = row.reached;
        let mut step = Step::Idle;
        for next in [Next::Entries, Next::Checkpoints] {
            let Some(parcel) = self.parcel(next, reached, row.succeeded_at).await? else { continue };
            match self.hold().await? {
                Hold::Lost => return Ok(Step::Elsewhere),
                // Whoever held it until now may have delivered this since it was read.
                Hold::Taken if self.row().await?.reached != reached => return Ok(Step::Idle),
                Hold::Taken | Hold::Kept => {}
            }
            let delivered = tokio::time::timeout(CONFIRM_LIMIT, self.sink.deliver(&log, &parcel)).await;
            if let Err(cause) = delivered.unwrap_or(Err(Undelivered::Late(CONFIRM_LIMIT.as_secs()))) {
                self.note_failure(&cause).await?;
                return Ok(Step::Failed);
            }
            let (_, last) = parcel.range();
            match parcel {
                Parcel::Entries(_) => reached.entries = last,
                Parcel::Checkpoints(_) => reached.checkpoint = Some(last),
            }
            if !self.note_delivery(&parcel, reached).await? {
                return Ok(Step::Elsewhere);
            }
            step = Step::Delivered;
        }
        Ok(step)
    }

    /// The name of the log, which is that of its first key.
    async fn log(&mut self) -> Result<Option<String>, StoreError> {
        if self.log.is_none() {
            let keys = self.store.snapshot().await?.audit_keys().await?;
            let first = keys.first().map(|key| PublicKey::parse(&key.public)).transpose();
            let first = first.map_err(|_| StoreError::Inconsistent("audit_keys".to_owned()))?;
            self.log = first.map(|key| key.origin().to_owned());
        }
        Ok(self.log.clone())
    }

    /// How far the receiver is; where it begins if it was never met.
    async fn row(&self) -> Result<Row, StoreError> {
        loop {
            let mut unit = self.store.snapshot().await?;
            if let Some(row) = unit.receiver(&self.name).await? {
                return Ok(row);
            }
            let reached = match self.start {
                Start::First => Reached::default(),
                Start::Now => Reached {
                    entries: unit.audit_size().await?,
                    checkpoint: unit.last_audit_checkpoint().await?.map(|last| last.size),
                },
            };
            drop(unit);
            let mut unit = self.store.begin().await?;
            unit.insert_receiver(&self.name, reached).await?;
            unit.commit().await?;
        }
    }

    fn is_elsewhere(&self, row: &Row) -> bool {
        let by_another = row.holder.as_ref().is_some_and(|holder| *holder != self.node);
        by_another && row.held_until.is_some_and(|until| until > self.clock.now())
    }

    /// Makes sure that no other node delivers until this parcel is confirmed.
    async fn hold(&mut self) -> Result<Hold, StoreError> {
        let now = self.clock.now();
        if self.held_until.is_some_and(|until| until > now + CONFIRM_LIMIT) {
            return Ok(Hold::Kept);
        }
        let until = now + LEASE;
        let mut unit = self.store.begin().await?;
        let is_taken = unit.take_receiver(&self.name, &self.node, now, until).await?;
        unit.commit().await?;
        self.held_until = is_taken.then_some(until);
        Ok(if is_taken { Hold::Taken } else { Hold::Lost })
    }

    async fn note_delivery(&mut self, parcel: &Parcel, reached: Reached) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let until = now + LEASE;
        let mut unit = self.store.begin().await?;
        let is_noted = unit.note_delivery(&self.name, &self.node, reached, now, until).await?;
        unit.commit().await?;
        self.held_until = is_noted.then_some(until);
        if !is_noted {
            warn!(receiver = self.name, "another node has taken over; what was delivered last is delivered again");
            return Ok(false);
        }
        let count = u64::try_from(parcel.count()).unwrap_or_default();
        let receiver = self.name.clone();
        metrics::counter!("rondo_audit_delivered_total", "receiver" => receiver, "what" => parcel.what())
            .increment(count);
        if std::mem::take(&mut self.failures) > 0 {
            info!(receiver = self.name, "the receiver of the audit log takes it again");
        }
        Ok(true)
    }

    async fn note_failure(&mut self, cause: &Undelivered) -> Result<(), StoreError> {
        metrics::counter!("rondo_audit_delivery_failures_total", "receiver" => self.name.clone()).increment(1);
        self.failures = self.failures.saturating_add(1);
        // Once, not at each attempt.
        if self.failures == 1 {
            warn!(receiver = self.name, %cause, "the audit log was not delivered, trying again until it is");
        } else {
            debug!(receiver = self.name, %cause, attempt = self.failures, "the audit log was not delivered");
        }
        self.held_until = None;
        let mut unit = self.store.begin().await?;
        unit.note_delivery_failure(&self.name, &self.node, &cause.to_string(), self.clock.now()).await?;
        unit.commit().await
    }

    async fn release(&self) -> Result<(), StoreError> {
        let mut unit = self.store.begin().await?;
        unit.release_receiver(&self.name, &self.node).await?;
        unit.commit().await
    }

    async fn parcel(
        &self,
        next: Next,
        reached: Reached,
        succeeded_at: Option<Timestamp>,
    ) -> Result<Option<Parcel>, StoreError> {
        match next {
            Next::Entries if self.takes.entries => self.entries(reached.entries).await,
            Next::Checkpoints if self.takes.checkpoints => self.checkpoints(reached, succeeded_at).await,
            _ => Ok(None),
        }
    }

    /// The entries that go out next, once there are enough or the first has waited long enough.
    async fn entries(&self, mut after: i64) -> Result<Option<Parcel>, StoreError> {
        let mut unit = self.store.snapshot().await?;
        let waiting = usize::try_from(unit.audit_size().await? - after).unwrap_or_default();
        if waiting < self.pace.most && !self.pace.wait.is_zero() {
            let first = unit.audit_from(after, 1).await?;
            if first.first().is_none_or(|first| self.is_young(first.at)) {
                return Ok(None);
            }
        }
        let (mut rows, mut bytes) = (Vec::new(), 0);
        let most = waiting.min(self.pace.most);
        while rows.len() < most && bytes < LARGEST {
            let limit = u32::try_from((most - rows.len()).min(ROWS)).unwrap_or(u32::MAX);
            let page = unit.audit_from(after, limit).await?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            bytes += page.iter().map(|row| row.body.len()).sum::<usize>();
            // One that is new gets no entries that were archived before it was there.
            rows.extend(page.into_iter().filter(|row| row.segment.is_none()));
        }
        Ok((!rows.is_empty()).then_some(Parcel::Entries(rows)))
    }

    /// The checkpoints that go out next: of whoever gets entries as well, those whose entries it has.
    async fn checkpoints(
        &self,
        reached: Reached,
        succeeded_at: Option<Timestamp>,
    ) -> Result<Option<Parcel>, StoreError> {
        let mut unit = self.store.snapshot().await?;
        let Some(last) = unit.last_audit_checkpoint().await? else { return Ok(None) };
        if reached.checkpoint.is_some_and(|size| size >= last.size) {
            return Ok(None);
        }
        if let Some(every) = self.pace.newest_every {
            let is_time = succeeded_at.is_none_or(|at| self.clock.now().since(at) >= every);
            return Ok(is_time.then(|| Parcel::Checkpoints(vec![last])));
        }
        let from = reached.checkpoint.map_or(0, |size| size + 1);
        let limit = u32::try_from(self.pace.most.min(ROWS)).unwrap_or(u32::MAX);
        let mut found = unit.audit_checkpoints(from, limit).await?;
        if self.takes.entries {
            found.retain(|one| one.size <= reached.entries);
        }
        let enough = found.len() >= ROWS || found.first().is_some_and(|first| !self.is_young(first.at));
        Ok(enough.then_some(Parcel::Checkpoints(found)))
    }

    fn is_young(&self, at: Timestamp) -> bool {
        self.clock.now().since(at) < self.pace.wait
    }
}

/// How this node stands to a receiver.
enum Hold {
    /// It has held it for a while.
    Kept,
    /// It holds it from now on.
    Taken,
    /// Another node was quicker.
    Lost,
}

#[derive(Clone, Copy)]
enum Next {
    Entries,
    Checkpoints,
}

/// Says what the metrics of couriers mean.
pub fn describe_metrics() {
    metrics::describe_counter!(
        "rondo_audit_delivered_total",
        "Entries and checkpoints of the audit log that a receiver has confirmed, by receiver"
    );
    metrics::describe_counter!(
        "rondo_audit_delivery_failures_total",
        "Attempts to deliver the audit log that a receiver did not confirm, by receiver"
    );
    metrics::describe_counter!("rondo_audit_cosignatures_total", "Checkpoints that a witness has cosigned, by witness");
    metrics::describe_counter!(
        "rondo_audit_cosigning_failures_total",
        "Requests to cosign a checkpoint that a witness did not answer with a cosignature, by witness"
    );
}
