//! The witnesses of the configuration, who cosign the checkpoints of the audit log.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use delivery::{Petitioner, Witness};
use service::AuditWitness;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{config::Config, wiring::Foundation};

/// What people are told of the witnesses.
pub(crate) fn known(config: &Config) -> Vec<AuditWitness> {
    let told =
        |one: &Witness| AuditWitness { name: one.name.clone(), address: one.address(), key: one.key.to_string() };
    config.witnesses.iter().map(told).collect()
}

/// Asks each of them until told to stop.
pub(crate) fn ask(
    config: &Config,
    foundation: &Foundation,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> Result<()> {
    let node = foundation.ids.next().simple().to_string();
    for witness in &config.witnesses {
        let (store, clock) = (Arc::clone(&foundation.store), Arc::clone(&foundation.clock));
        let petitioner = Petitioner::new(store, clock, node.clone(), witness).with_context(|| {
            format!("the settings of the witness “{}” of the audit log are not usable", witness.name)
        })?;
        tasks.spawn(petitioner.run(stop.clone()));
    }
    Ok(())
}
