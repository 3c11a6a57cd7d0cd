//! Devices that speak NETCONF (RFC 6241 over SSH, RFC 6242).
//!
//! A change is made in the candidate, under its lock, and committed. Where it must be confirmed, the device takes it
//! back by itself unless that comes in time: it is committed with the idempotency key as its persist-id, so that any
//! later session can confirm it, take it back, or ask whether it waits.

mod framing;
mod session;
pub(super) mod xml;

use std::sync::Arc;

use async_trait::async_trait;
use domain::view::CheckStep;
use serde::Deserialize;
use serde_json::{Value, json};
use workflow::RunError;

use super::{
    difference, kept,
    operation::{Change, DefaultOperation, Operation, Pending, Source, digest, persist_id},
    secrets::{Notation, masked_value},
};
use crate::{
    CallContext, Failure, FailureKind, Probe, Request, ResolvedConnection,
    egress::EgressPolicy,
    ssh::{
        check::{Rights, check_rights},
        session::Session,
        settings::{Access, Host},
    },
};
use identity::vault::Vault;
use session::{Conversation, Fault};
use xml::{enclosed, escaped, value, written};

/// Where NETCONF listens.
const PORT: u16 = 830;
/// The status, as of HTTP, when another session holds what is to be changed: nothing was done, and later it may be free.
const LOCKED: u16 = 423;

#[derive(Deserialize)]
struct Settings {
    #[serde(default = "yes")]
    validate: bool,
}

const fn yes() -> bool {
    true
}

/// A device that has let us in.
struct Device {
    conversation: Conversation,
    validate: bool,
}

/// Does what an operation says.
pub(super) async fn call(
    operation: Operation,
    request: &Request,
    connection: &ResolvedConnection,
    vault: &Vault,
    context: &CallContext,
) -> Result<Value, Failure> {
    let mut device = open(request, connection, context).await?;
    let done = match operation {
        Operation::GetConfig { source, filter, .. } => {
            let text = device.config(source, filter.as_deref()).await;
            text.and_then(|text| kept(&text, Notation::Xml, vault))
        }
        Operation::Read { filter, .. } => device.state(filter.as_deref()).await,
        Operation::Plan(change) => device.plan(&change).await,
        Operation::Change(change) => device.change(&change, context).await,
        Operation::Confirm { pending } => device.confirm(pending.as_ref()).await,
        Operation::Rollback { pending, backup, .. } => device.take_back(pending.as_ref(), backup.as_deref()).await,
        Operation::Command { .. } | Operation::Neighbours {} => Err(Failure::configuration(
            "NETCONF has no command line; use a connection of kind device to the same device for this",
        )),
    };
    device.conversation.close().await;
    done
}

async fn open(request: &Request, connection: &ResolvedConnection, context: &CallContext) -> Result<Device, Failure> {
    let access = Access::at(connection, PORT)?;
    let validate = connection.settings::<Settings>()?.validate;
    let host = access.host(request.with.get("host").and_then(Value::as_str))?;
    let conversation = context.entering(&host.name, Conversation::open(&context.egress, &access, host)).await?;
    Ok(Device { conversation, validate })
}

/// Whether a change waits on the device for its confirmation. If so, it waits anew.
pub(super) async fn probe(
    change: &Change,
    request: &Request,
    connection: &ResolvedConnection,
    context: &CallContext,
) -> Result<Probe, Failure> {
    let Some(limit) = change.confirm_within else { return Ok(Probe::CannotTell) };
    let mut device = open(request, connection, context).await?;
    let id = persist_id(&context.key);
    let asked = device.again(&id, limit.as_secs()).await;
    let answer = match asked {
        Ok(true) => {
            let text = device.config(Source::Running, None).await?;
            let until = context.clock.now() + limit;
            Ok(Probe::Happened(json!({
                "changed": true, "diff": null,
                "pending": {"id": id, "digest": digest(&text), "until": until.to_string()},
            })))
        }
        Ok(false) => Ok(Probe::DidNotHappen),
        Err(failure) => Err(failure),
    };
    device.conversation.close().await;
    answer
}

impl Device {
    fn host(&self) -> String {
        self.conversation.host.clone()
    }

    /// Asks for what changes nothing, or nothing yet.
    async fn ask(&mut self, question: &str, what: &str) -> Result<session::Reply, Failure> {
        let host = self.host();
        self.conversation.ask(question).await.map_err(|fault| fault.harmless(&host, what))
    }

    async fn config(&mut self, source: Source, filter: Option<&str>) -> Result<String, Failure> {
        let what = "get-config";
        let question =
            format!("<get-config><source><{}/></source>{}</get-config>", source.element(), filtered(filter)?);
        let host = self.host();
        self.ask(&question, what).await?.data(written).map_err(|broken| broken.unusable(&host, what))
    }

    async fn state(&mut self, filter: Option<&str>) -> Result<Value, Failure> {
        let question = format!("<get>{}</get>", filtered(filter)?);
        let host = self.host();
        let data = self.ask(&question, "get").await?.data(value).map_err(|broken| broken.unusable(&host, "get"))?;
        Ok(json!({"data": masked_value(&data)}))
    }

    /// The candidate is ours until it is given back, and holds what runs.
    async fn lock(&mut self) -> Result<(), Failure> {
        if !self.conversation.has_candidate() {
            return Err(Failure::configuration(format!(
                "{} has no candidate configuration, in which changes are made here; use a connection of kind device",
                self.host()
            )));
        }
        self.ask("<lock><target><candidate/></target></lock>", "the lock of the candidate").await.map(|_| ())
    }

    /// Gives the candidate back as it was. The device does the same when the session ends.
    async fn unlock(&mut self) {
        let _ = self.conversation.ask("<discard-changes/>").await;
        let _ = self.conversation.ask("<unlock><target><candidate/></target></unlock>").await;
    }

    /// Makes the change in the candidate, which is locked; gives what is there before and after.
    async fn edit(&mut self, change: &Change) -> Result<(String, String), Failure> {
        let config = enclosed("config", "", change.config()?).map_err(|why| {
            Failure::configuration(format!(
                "`config` is not XML as it stands inside <config>: {why}; write the elements of the device's model"
            ))
        })?;
        let before = self.config(Source::Running, None).await?;
        change.fits(&before, &self.host())?;
        let edit = format!(
            "<edit-config><target><candidate/></target><default-operation>{}</default-operation>{config}</edit-config>",
            change.default_operation.as_str()
        );
        self.ask(&edit, "the change").await?;
        if self.validate && self.conversation.validates() {
            self.ask("<validate><source><candidate/></source></validate>", "the changed configuration").await?;
        }
        let after = self.config(Source::Candidate, None).await?;
        Ok((before, after))
    }

    async fn plan(&mut self, change: &Change) -> Result<Value, Failure> {
        self.lock().await?;
        let edited = self.edit(change).await;
        self.unlock().await;
        let (before, after) = edited?;
        Ok(json!({"changed": before != after, "diff": difference::between(&before, &after, Notation::Xml)}))
    }

    async fn change(&mut self, change: &Change, context: &CallContext) -> Result<Value, Failure> {
        if change.confirm_within.is_some() && !self.conversation.takes_back() {
            return Err(Failure::configuration(format!(
                "{} cannot take a change back by itself that another session has to confirm (confirmed-commit:1.1); leave \
                 `confirmWithin` away",
                self.host()
            )));
        }
        self.lock().await?;
        let done = self.committed(change, context).await;
        self.unlock().await;
        done
    }

    async fn committed(&mut self, change: &Change, context: &CallContext) -> Result<Value, Failure> {
        let (before, after) = self.edit(change).await?;
        if before == after {
            return Ok(json!({"changed": false, "diff": "", "pending": null}));
        }
        let id = persist_id(&context.key);
        let question = change.confirm_within.map_or_else(
            || "<commit/>".to_owned(),
            |limit| {
                let seconds = limit.as_secs();
                format!(
                    "<commit><confirmed/><confirm-timeout>{seconds}</confirm-timeout><persist>{id}</persist></commit>"
                )
            },
        );
        let host = self.host();
        self.conversation.ask(&question).await.map_err(|fault| fault.uncertain(&host, "the commit"))?;
        // The device may write what it was given in its own way. From here on it has happened, whatever is read of it.
        let running = self.config(Source::Running, None).await.unwrap_or(after);
        let pending = change.confirm_within.map(|limit| {
            let until = context.clock.now() + limit;
            context.info(format!("{host} takes the change back by itself unless it is confirmed until {until}"));
            json!({"id": id, "digest": digest(&running), "until": until.to_string()})
        });
        let diff = difference::between(&before, &running, Notation::Xml);
        Ok(json!({"changed": true, "diff": diff, "pending": pending}))
    }

    /// Asks for a commit of what runs already, about a change that waits; none if none of that name does. A commit
    /// takes all that is in the candidate along, so that it must hold nobody's changes.
    async fn about_waiting(&mut self, question: &str, what: &str) -> Result<Option<()>, Failure> {
        // Some let nobody lock the candidate while a change waits.
        let locked = self.lock().await.is_ok();
        let asked = self.committed_alone(question, what).await;
        if locked {
            self.unlock().await;
        }
        asked
    }

    async fn committed_alone(&mut self, question: &str, what: &str) -> Result<Option<()>, Failure> {
        let host = self.host();
        if self.config(Source::Candidate, None).await? != self.config(Source::Running, None).await? {
            return Err(Failure::retryable(RunError::communication(
                LOCKED,
                format!(
                    "the candidate of {host} holds changes that somebody has not committed, and {what} would; have them \
                     discarded there, and try again"
                ),
            )));
        }
        match self.conversation.ask(question).await {
            Ok(_) => Ok(Some(())),
            Err(Fault::Refused(refusal)) if !refusal.is_about_asking() => Ok(None),
            // It may be asked again.
            Err(fault) => Err(lost(fault.uncertain(&host, what))),
        }
    }

    /// Whether a change waits for its confirmation, which then has the whole time again.
    async fn again(&mut self, id: &str, seconds: u64) -> Result<bool, Failure> {
        let question = format!(
            "<commit><confirmed/><confirm-timeout>{seconds}</confirm-timeout><persist>{id}</persist>\
             <persist-id>{id}</persist-id></commit>"
        );
        Ok(self.about_waiting(&question, "the question whether a change waits").await?.is_some())
    }

    async fn confirm(&mut self, pending: Option<&Pending>) -> Result<Value, Failure> {
        let Some((pending, id)) = waiting(pending) else {
            return Ok(json!({"confirmed": true}));
        };
        let question = format!("<commit><persist-id>{}</persist-id></commit>", escaped(id));
        match self.about_waiting(&question, "the confirmation").await? {
            Some(()) => Ok(json!({"confirmed": true})),
            None => self.confirmed_before(pending).await,
        }
    }

    /// Nothing waits: either it was confirmed already, or the device has taken it back.
    async fn confirmed_before(&mut self, pending: &Pending) -> Result<Value, Failure> {
        if digest(&self.config(Source::Running, None).await?) == pending.digest {
            return Ok(json!({"confirmed": true}));
        }
        Err(Failure::refused(
            409,
            format!(
                "{} has taken the change back by itself, since no confirmation came in time; make the change again, with \
                 more time if need be (`confirmWithin`)",
                self.host()
            ),
        ))
    }

    async fn take_back(&mut self, pending: Option<&Pending>, backup: Option<&str>) -> Result<Value, Failure> {
        let host = self.host();
        if let Some((_, id)) = waiting(pending) {
            let question = format!("<cancel-commit><persist-id>{}</persist-id></cancel-commit>", escaped(id));
            match self.conversation.ask(&question).await {
                Ok(_) => return Ok(json!({"rolledBack": true, "by": "cancel"})),
                Err(Fault::Refused(refusal)) if !refusal.is_about_asking() => {}
                Err(fault) => return Err(lost(fault.uncertain(&host, "cancel-commit"))),
            }
        }
        let running = self.config(Source::Running, None).await?;
        let Some(backup) = backup else {
            return match pending {
                Some(pending) if pending.digest != digest(&running) => Ok(json!({"rolledBack": true, "by": "device"})),
                _ => Err(Failure::refused(
                    409,
                    format!(
                        "no change waits on {host} for its confirmation; give the configuration before it as `backup`"
                    ),
                )),
            };
        };
        if digest(backup) == digest(&running) {
            return Ok(json!({"rolledBack": true, "by": "device"}));
        }
        let change = Change {
            config: Some(backup.to_owned()),
            default_operation: DefaultOperation::Replace,
            ..Change::default()
        };
        self.lock().await?;
        let done = self.restored(&change).await;
        self.unlock().await;
        done
    }

    async fn restored(&mut self, change: &Change) -> Result<Value, Failure> {
        let (before, after) = self.edit(change).await?;
        if before != after {
            let host = self.host();
            let asked = self.conversation.ask("<commit/>").await;
            asked.map_err(|fault| lost(fault.uncertain(&host, "the commit of what was before")))?;
        }
        Ok(json!({"rolledBack": true, "by": "backup"}))
    }
}

/// The change that waits, with its name on the device.
fn waiting(pending: Option<&Pending>) -> Option<(&Pending, &str)> {
    pending.and_then(|pending| Some((pending, pending.id.as_deref()?)))
}

/// The same failure of what may be asked again without harm.
fn lost(failure: Failure) -> Failure {
    if failure.kind == FailureKind::Unknown { Failure::lost(*failure.error) } else { failure }
}

fn filtered(filter: Option<&str>) -> Result<String, Failure> {
    let Some(filter) = filter else { return Ok(String::new()) };
    enclosed("filter", " type=\"subtree\"", filter)
        .map_err(|why| Failure::configuration(format!("`filter` is not XML of a subtree: {why}")))
}

/// Goes step by step to each device.
pub(super) async fn check(policy: &EgressPolicy, connection: &ResolvedConnection) -> Vec<CheckStep> {
    check_rights(policy, Access::at(connection, PORT), &Configuration).await
}

struct Configuration;

#[async_trait]
impl Rights for Configuration {
    async fn found(&self, session: &Arc<Session>, host: &Host) -> Result<String, String> {
        let words = |failure: Failure| failure.detail().to_owned();
        let conversation = Conversation::over(Arc::clone(session), &host.name).await.map_err(words)?;
        let mut device = Device { conversation, validate: false };
        device.config(Source::Running, None).await.map_err(words)?;
        let conversation = &device.conversation;
        let changes = match (conversation.has_candidate(), conversation.takes_back()) {
            (true, true) => "changes are made in the candidate, and taken back unless they are confirmed",
            (true, false) => "changes are made in the candidate, and are not taken back by the device",
            (false, _) => "it has no candidate, so that it cannot be changed by this connection",
        };
        Ok(format!("{} gives its configuration; {changes}", host.name))
    }
}
