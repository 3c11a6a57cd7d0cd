//! The audit log on its way to the systems of the configuration.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use delivery::{Courier, Parcel, Receiver, Sink, Undelivered, Way};
use domain::Clock;
use service::{AuditReceiver, MailAddress, Post};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

use crate::{config::Config, wiring::Foundation};

/// What this machine calls itself when its address has no name.
const NO_HOST: &str = "rondo";

/// What people are told of the receivers.
pub(crate) fn known(config: &Config) -> Vec<AuditReceiver> {
    let told = |one: &Receiver| AuditReceiver {
        name: one.name.clone(),
        kind: one.kind(),
        address: one.address(),
        format: one.format.as_str(),
        entries: one.takes.entries,
        checkpoints: one.takes.checkpoints,
    };
    config.receivers.iter().map(told).collect()
}

/// Delivers to each of them until told to stop.
pub(crate) fn deliver(
    config: &Config,
    foundation: &Foundation,
    base_url: &str,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> Result<()> {
    let host = Url::parse(base_url).ok().and_then(|url| url.host_str().map(str::to_owned));
    let host = host.as_deref().unwrap_or(NO_HOST);
    let node = foundation.ids.next().simple().to_string();
    for receiver in &config.receivers {
        let sink = open(receiver, config, host, &foundation.clock).with_context(|| {
            format!("the settings of the receiver “{}” of the audit log are not usable", receiver.name)
        })?;
        let (store, clock) = (Arc::clone(&foundation.store), Arc::clone(&foundation.clock));
        tasks.spawn(Courier::new(store, clock, node.clone(), receiver, sink).run(stop.clone()));
    }
    Ok(())
}

fn open(receiver: &Receiver, config: &Config, host: &str, clock: &Arc<dyn Clock>) -> Result<Box<dyn Sink>> {
    if let Some(sink) = delivery::open(receiver, host, Arc::clone(clock))? {
        return Ok(sink);
    }
    let (Way::Mail { to, .. }, Some(settings)) = (&receiver.way, &config.mail) else {
        anyhow::bail!("mail.host is not set");
    };
    let to = to.parse().with_context(|| format!("“{to}” is no mail address"))?;
    Ok(Box::new(CheckpointMail { post: Post::new(settings.clone())?, to }))
}

/// Checkpoints by mail.
struct CheckpointMail {
    post: Post,
    to: MailAddress,
}

#[async_trait]
impl Sink for CheckpointMail {
    async fn deliver(&mut self, log: &str, parcel: &Parcel) -> Result<(), Undelivered> {
        let Parcel::Checkpoints(checkpoints) = parcel else {
            return Err(Undelivered::Settings("entries are not sent by mail".to_owned()));
        };
        for one in checkpoints {
            let id = format!("{}.checkpoint.{}", log.replace('/', "."), one.size);
            let subject = format!("Checkpoint of the audit log {log}: {} entries", one.size);
            let sent = self.post.send(self.to.clone(), &id, &subject, words(&one.note)).await;
            sent.map_err(|cause| Undelivered::Refused(crate::in_one_line(&cause.into())))?;
        }
        Ok(())
    }
}

/// The note as it is, between lines that say what it is good for.
fn words(note: &str) -> String {
    format!(
        "Keep this mail. The text between the lines of hyphens, saved to a file NOTE, proves later that the audit log has\n\
         only grown since it was signed:\n\n    rondo audit verify FILE --checkpoint NOTE\n\n\
         ----------------------------------------\n{note}----------------------------------------\n"
    )
}
