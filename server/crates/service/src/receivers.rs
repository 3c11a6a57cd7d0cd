//! The systems that the audit log is sent to, and how far they are.

use domain::{
    Operation, Problem,
    view::{AuditReceiverView, Page},
};
use policy::Resource;
use store::{
    UnitOfWork,
    audit::AuditCheckpoint,
    receivers::{Reached, Receiver},
};

use crate::{Caller, Service, audit_log::target, problems::OrProblem as _};

/// A system that the audit log is sent to, as people are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditReceiver {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
    /// Where it is; nothing secret.
    pub address: String,
    /// The form of what it gets.
    pub format: &'static str,
    /// Whether it gets the entries.
    pub entries: bool,
    /// Whether it gets the checkpoints.
    pub checkpoints: bool,
}

/// What a receiver could have.
struct Whole {
    entries: i64,
    signed: Option<AuditCheckpoint>,
}

impl Service {
    /// Where the audit log is sent, and how far each receiver is. It tells nothing of the log but its size, so looking at it
    /// is no entry.
    pub async fn audit_receivers(&self, caller: &Caller) -> Result<Page<AuditReceiverView>, Problem> {
        let mut gate = self.look(caller, Operation::AuditRead).await?;
        gate.authorize(&Resource::system(), &target()).await?;
        Ok(Page { items: self.receivers(gate.unit.as_mut()).await.or_problem()?, next: None })
    }

    /// The same for the server itself.
    pub async fn receivers_now(&self) -> store::Result<Vec<AuditReceiverView>> {
        if self.parts.receivers.is_empty() {
            return Ok(Vec::new());
        }
        self.receivers(self.parts.store.snapshot().await?.as_mut()).await
    }

    pub(crate) async fn receivers(&self, unit: &mut dyn UnitOfWork) -> store::Result<Vec<AuditReceiverView>> {
        let whole = Whole { entries: unit.audit_size().await?, signed: unit.last_audit_checkpoint().await? };
        let known = unit.list_receivers().await?;
        let mut views = Vec::with_capacity(self.parts.receivers.len());
        for receiver in &self.parts.receivers {
            let row = known.iter().find(|row| row.name == receiver.name);
            views.push(self.receiver_view(unit, receiver, row, &whole).await?);
        }
        Ok(views)
    }

    async fn receiver_view(
        &self,
        unit: &mut dyn UnitOfWork,
        receiver: &AuditReceiver,
        row: Option<&Receiver>,
        whole: &Whole,
    ) -> store::Result<AuditReceiverView> {
        let reached = row.map(|row| row.reached).unwrap_or_default();
        let lag = whole.lag(receiver, reached);
        // What it does not have waits since the first of it was written.
        let waits_since = match lag {
            0 => None,
            _ if receiver.entries => unit.audit_from(reached.entries, 1).await?.first().map(|first| first.at),
            _ => {
                let from = reached.checkpoint.map_or(0, |size| size + 1);
                unit.audit_checkpoints(from, 1).await?.first().map(|first| first.at)
            }
        };
        let count = |number: i64| u64::try_from(number).unwrap_or_default();
        Ok(AuditReceiverView {
            name: receiver.name.clone(),
            kind: receiver.kind.to_owned(),
            address: receiver.address.clone(),
            format: receiver.format.to_owned(),
            sends_entries: receiver.entries,
            sends_checkpoints: receiver.checkpoints,
            entries: receiver.entries.then(|| count(reached.entries)),
            checkpoint: reached.checkpoint.filter(|_| receiver.checkpoints).map(count),
            lag: count(lag),
            lag_seconds: waits_since.map_or(0, |since| self.now().since(since).as_secs()),
            succeeded_at: row.and_then(|row| row.succeeded_at),
            failing_since: row.and_then(|row| row.failing_since),
            failure: row.and_then(|row| row.failure.clone()),
        })
    }
}

impl Whole {
    fn lag(&self, receiver: &AuditReceiver, reached: Reached) -> i64 {
        if receiver.entries {
            return self.entries - reached.entries;
        }
        match &self.signed {
            Some(signed) => signed.size - reached.checkpoint.unwrap_or_default(),
            None => 0,
        }
    }
}
