//! Triggers: what other systems call to have runs launched.

use domain::view::{DeliveryView, Page, SavedTriggerView, TriggerTrialView, TriggerView};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use super::{go_on, keep_once, scope, subjects};
use crate::{door::Door, errors::AppError};

/// The page of triggers.
pub const TRIGGERS: &str = "/triggers";

/// The page of a trigger.
pub fn trigger_href(id: impl std::fmt::Display) -> String {
    format!("{TRIGGERS}/{id}")
}

/// A trigger and some of what was delivered to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TriggerData {
    /// The trigger.
    pub trigger: TriggerView,
    /// A page of its deliveries.
    pub deliveries: Page<DeliveryView>,
}

/// A trigger, and what came of trying it out, if somebody did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TriggerTrialData {
    /// The trigger.
    pub trigger: TriggerView,
    /// What came of it.
    pub tried: Option<TriggerTrialView>,
    /// The payload is no JSON.
    pub malformed: bool,
    /// Why it could not be tried, by field.
    pub problem: Option<domain::Problem>,
}

/// The triggers by namespace and name.
#[server(protocol = Door, prefix = "/ui", endpoint = "triggers")]
pub async fn triggers() -> Result<Vec<TriggerView>, AppError> {
    let (service, caller) = scope()?;
    Ok(service.triggers(&caller).await?)
}

/// One of them.
#[server(protocol = Door, prefix = "/ui", endpoint = "trigger")]
pub async fn trigger(id: String) -> Result<TriggerView, AppError> {
    let (service, caller) = scope()?;
    Ok(service.trigger(&caller, subjects::trigger(&id)?).await?)
}

/// One with a page of its deliveries, of one outcome if that is given.
#[server(protocol = Door, prefix = "/ui", endpoint = "trigger-deliveries")]
pub async fn trigger_with_deliveries(
    id: String,
    #[server(default)] outcome: String,
    #[server(default)] cursor: String,
) -> Result<TriggerData, AppError> {
    let (service, caller) = scope()?;
    let id = subjects::trigger(&id)?;
    let cursor = Some(cursor.as_str()).filter(|cursor| !cursor.is_empty());
    // An outcome that there is not narrows nothing.
    let deliveries = service.deliveries(&caller, id, outcome.parse().ok(), cursor, Some(25)).await?;
    Ok(TriggerData { trigger: service.trigger(&caller, id).await?, deliveries })
}

/// One delivery with what it said.
#[server(protocol = Door, prefix = "/ui", endpoint = "trigger-delivery")]
pub async fn trigger_delivery(id: String, number: String) -> Result<(TriggerView, DeliveryView), AppError> {
    let (service, caller) = scope()?;
    let id = subjects::trigger(&id)?;
    let delivery = service.delivery(&caller, id, subjects::delivery(&number)?).await?;
    Ok((service.trigger(&caller, id).await?, delivery))
}

/// What a form says of a trigger's secret and signatures.
#[cfg(feature = "ssr")]
struct Typed {
    signature: String,
    time: String,
    id_header: String,
    secret: String,
    new_secret: bool,
}

#[cfg(feature = "ssr")]
impl Typed {
    fn signing(&self) -> Option<domain::view::SigningView> {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let signature = some(&self.signature)?;
        Some(domain::view::SigningView { signature, time: some(&self.time), id: some(&self.id_header) })
    }

    fn secret(self) -> service::TriggerSecret {
        match self {
            Self { secret, .. } if !secret.is_empty() => service::TriggerSecret::Set(secret),
            Self { new_secret: true, .. } => service::TriggerSecret::Make,
            _ => service::TriggerSecret::Keep,
        }
    }
}

/// What a form says of where a trigger looks.
#[cfg(feature = "ssr")]
struct Place {
    connection: String,
    every: String,
    bucket: String,
    prefix: String,
    pattern: String,
    content: bool,
    end: Option<domain::FileEnd>,
    folder: String,
    senders: String,
    subject: String,
    mail_end: Option<domain::MailEnd>,
    moved_to: String,
}

#[cfg(feature = "ssr")]
impl Place {
    /// None where the form does not ask.
    fn watch(self) -> Option<domain::view::WatchView> {
        let Self { connection, every, bucket, prefix, pattern, content, end, moved_to, .. } = self;
        let Self { folder, senders, subject, mail_end, .. } = self;
        // What is no number is no time between two looks, either.
        let every_seconds = every.trim().parse().unwrap_or_default();
        let (files, mails) = match (end, mail_end) {
            (Some(end), _) => {
                let files = domain::view::FilesView { bucket, prefix, pattern, content, end, moved_to };
                (Some(files), None)
            }
            (None, Some(end)) => {
                let separate = |letter: char| letter == ',' || letter == ';' || letter.is_whitespace();
                let senders = senders.split(separate).filter(|one| !one.is_empty()).map(str::to_owned).collect();
                (None, Some(domain::view::MailsView { folder, senders, subject, end, moved_to }))
            }
            (None, None) => return None,
        };
        Some(domain::view::WatchView { connection, every_seconds, files, mails })
    }
}

/// Lets another system launch a workflow.
#[server(protocol = Door, prefix = "/ui", endpoint = "create-trigger")]
pub async fn create_trigger(
    namespace: String,
    name: String,
    kind: domain::TriggerKind,
    workflow: String,
    #[server(default)] mapping: String,
    #[server(default)] filter: String,
    #[server(default)] signature: String,
    #[server(default)] time: String,
    #[server(default)] id_header: String,
    #[server(default)] alert_end: Option<domain::AlertEnd>,
    #[server(default)] connection: String,
    #[server(default)] every: String,
    #[server(default)] bucket: String,
    #[server(default)] prefix: String,
    #[server(default)] pattern: String,
    #[server(default)] content: bool,
    #[server(default)] end: Option<domain::FileEnd>,
    #[server(default)] folder: String,
    #[server(default)] senders: String,
    #[server(default)] subject: String,
    #[server(default)] mail_end: Option<domain::MailEnd>,
    #[server(default)] moved_to: String,
    #[server(default)] secret: String,
) -> Result<SavedTriggerView, AppError> {
    let (service, caller) = scope()?;
    let typed = Typed { signature, time, id_header, secret, new_secret: false };
    let signing = typed.signing();
    let place = Place {
        connection,
        every,
        bucket,
        prefix,
        pattern,
        content,
        end,
        folder,
        senders,
        subject,
        mail_end,
        moved_to,
    };
    let watch = place.watch();
    let (filter, secret) = (Some(filter), typed.secret());
    let new = service::NewTrigger { workflow, mapping, filter, signing, watch, alert_end, enabled: true, secret };
    let (namespace, name) = (subjects::namespace(&namespace)?, subjects::name(&name)?);
    let saved = service.create_trigger(&caller, namespace, name, kind, new).await?;
    if let Some(secret) = &saved.secret {
        keep_once("trigger", secret);
    }
    go_on(&trigger_href(saved.trigger.id));
    Ok(saved)
}

/// Says how a trigger is from now on. What is left empty of its secret stays as it is.
#[server(protocol = Door, prefix = "/ui", endpoint = "update-trigger")]
pub async fn update_trigger(
    id: String,
    workflow: String,
    #[server(default)] mapping: String,
    #[server(default)] filter: String,
    #[server(default)] signature: String,
    #[server(default)] time: String,
    #[server(default)] id_header: String,
    #[server(default)] alert_end: Option<domain::AlertEnd>,
    #[server(default)] connection: String,
    #[server(default)] every: String,
    #[server(default)] bucket: String,
    #[server(default)] prefix: String,
    #[server(default)] pattern: String,
    #[server(default)] content: bool,
    #[server(default)] end: Option<domain::FileEnd>,
    #[server(default)] folder: String,
    #[server(default)] senders: String,
    #[server(default)] subject: String,
    #[server(default)] mail_end: Option<domain::MailEnd>,
    #[server(default)] moved_to: String,
    #[server(default)] enabled: bool,
    #[server(default)] secret: String,
    #[server(default)] new_secret: bool,
) -> Result<SavedTriggerView, AppError> {
    let (service, caller) = scope()?;
    let typed = Typed { signature, time, id_header, secret, new_secret };
    let signing = typed.signing();
    let place = Place {
        connection,
        every,
        bucket,
        prefix,
        pattern,
        content,
        end,
        folder,
        senders,
        subject,
        mail_end,
        moved_to,
    };
    let watch = place.watch();
    let (filter, secret) = (Some(filter), typed.secret());
    let new = service::NewTrigger { workflow, mapping, filter, signing, watch, alert_end, enabled, secret };
    let saved = service.update_trigger(&caller, subjects::trigger(&id)?, new).await?;
    if let Some(secret) = &saved.secret {
        keep_once("trigger", secret);
    }
    go_on(&trigger_href(saved.trigger.id));
    Ok(saved)
}

/// Keeps the expressions that were tried out; all else stays.
#[server(protocol = Door, prefix = "/ui", endpoint = "keep-trigger-expressions")]
pub async fn keep_trigger_expressions(
    id: String,
    #[server(default)] mapping: String,
    #[server(default)] filter: String,
) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    let id = subjects::trigger(&id)?;
    let known = service.trigger(&caller, id).await?;
    let new = service::NewTrigger {
        workflow: known.workflow.to_string(),
        mapping,
        filter: Some(filter),
        signing: known.signing,
        watch: None,
        alert_end: Some(known.alert_end),
        enabled: known.enabled,
        secret: service::TriggerSecret::Keep,
    };
    service.update_trigger(&caller, id, new).await?;
    go_on(&trigger_href(id));
    Ok(())
}

/// Deletes a trigger.
#[server(protocol = Door, prefix = "/ui", endpoint = "delete-trigger")]
pub async fn delete_trigger(id: String) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.delete_trigger(&caller, subjects::trigger(&id)?).await?;
    go_on(TRIGGERS);
    Ok(())
}

/// Has a delivery worked on once more; the answer is what became of it now.
#[server(protocol = Door, prefix = "/ui", endpoint = "replay-delivery")]
pub async fn replay_delivery(id: String, number: i64) -> Result<DeliveryView, AppError> {
    let (service, caller) = scope()?;
    let delivery = service.replay_delivery(&caller, subjects::trigger(&id)?, number).await?;
    go_on(&format!("{}/deliveries/{}", trigger_href(id), delivery.number));
    Ok(delivery)
}

/// What a trigger would make of a delivery, by its own expressions or by others.
#[server(protocol = Door, prefix = "/ui", endpoint = "try-trigger")]
pub async fn trigger_trial(
    id: String,
    mapping: Option<String>,
    filter: Option<String>,
    delivery: Option<String>,
    payload: Option<String>,
) -> Result<TriggerTrialData, AppError> {
    let (service, caller) = scope()?;
    let id = subjects::trigger(&id)?;
    let mut data =
        TriggerTrialData { trigger: service.trigger(&caller, id).await?, tried: None, malformed: false, problem: None };
    let content = match (delivery.filter(|text| !text.is_empty()), payload.filter(|text| !text.trim().is_empty())) {
        (Some(number), _) => service::TrialContent::Delivery(subjects::delivery(&number)?),
        (None, Some(text)) => match serde_json::from_str(&text) {
            Ok(payload) => service::TrialContent::Payload(payload, serde_json::Map::new()),
            Err(_) => {
                data.malformed = true;
                return Ok(data);
            }
        },
        (None, None) => return Ok(data),
    };
    // A filter that was emptied does not come along at all.
    let filter = if mapping.is_some() { Some(filter.unwrap_or_default()) } else { filter };
    match service.try_trigger(&caller, id, service::TriggerTrial { mapping, filter, content }).await {
        Ok(tried) => data.tried = Some(tried),
        Err(problem) if !problem.errors.is_empty() => data.problem = Some(problem),
        Err(problem) => return Err(problem)?,
    }
    Ok(data)
}
