//! Policies, and roles that conflict.

use domain::{
    AccessReviewId, EmergencyId, GrantId, Role,
    view::{
        AccessReviewItem, AccessReviewView, EmergencyView, Page, PoliciesView, PolicySetItem, PolicySetView,
        PolicyView, ReplayView, SeparationView,
    },
};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::{go_on, scope, subjects};
use crate::{door::Door, errors::AppError};

/// The policies in force.
#[server(protocol = Door, prefix = "/ui", endpoint = "policies")]
pub async fn policies() -> Result<PoliciesView, AppError> {
    let (service, caller) = scope()?;
    Ok(service.policies(&caller).await?)
}

/// One policy in force.
#[server(protocol = Door, prefix = "/ui", endpoint = "policy")]
pub async fn policy(id: String) -> Result<PolicyView, AppError> {
    let (service, caller) = scope()?;
    Ok(service.policy(&caller, &id).await?)
}

/// The sets that administrators have written.
#[server(protocol = Door, prefix = "/ui", endpoint = "policy-sets")]
pub async fn policy_sets(cursor: Option<String>) -> Result<Page<PolicySetItem>, AppError> {
    let (service, caller) = scope()?;
    Ok(service.policy_sets(&caller, cursor.as_deref(), Some(20)).await?)
}

/// One set.
#[server(protocol = Door, prefix = "/ui", endpoint = "policy-set")]
pub async fn policy_set(version: i64) -> Result<PolicySetView, AppError> {
    let (service, caller) = scope()?;
    Ok(service.policy_set(&caller, version).await?)
}

/// The text to begin with: that of a set, or of the one in force; and the set in force.
#[server(protocol = Door, prefix = "/ui", endpoint = "policies-to-change")]
pub async fn policies_to_change(from: Option<i64>) -> Result<(String, Option<i64>), AppError> {
    let (service, caller) = scope()?;
    let active = service.policies(&caller).await?.version;
    let source = match from.or(active) {
        Some(version) => service.policy_set(&caller, version).await?.source,
        None => String::new(),
    };
    Ok((source, active))
}

/// What a set would change.
#[server(protocol = Door, prefix = "/ui", endpoint = "replay-policies")]
pub async fn replay_policies(version: i64) -> Result<ReplayView, AppError> {
    let (service, caller) = scope()?;
    Ok(service.replay_policies(&caller, version).await?)
}

/// Proposes policies; the answer is their number.
#[server(protocol = Door, prefix = "/ui", endpoint = "propose-policies")]
pub async fn propose_policies(
    #[server(default)] source: String,
    #[server(default)] note: String,
    #[server(default)] based_on: String,
) -> Result<i64, AppError> {
    let (service, caller) = scope()?;
    let new = service::NewPolicies { source, note, based_on: subjects::version(&based_on)? };
    let set = service.propose_policies(&caller, new).await?;
    go_on(&format!("/policies/sets/{}", set.item.version));
    Ok(set.item.version)
}

/// Changes a proposal.
#[server(protocol = Door, prefix = "/ui", endpoint = "change-policies")]
pub async fn change_policies(
    version: i64,
    #[server(default)] source: String,
    #[server(default)] note: String,
    #[server(default)] based_on: String,
    digest: String,
) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    let new = service::NewPolicies { source, note, based_on: subjects::version(&based_on)? };
    service.change_policies(&caller, version, new, &digest).await?;
    go_on(&format!("/policies/sets/{version}"));
    Ok(())
}

/// Takes a proposal back, or turns it down.
#[server(protocol = Door, prefix = "/ui", endpoint = "withdraw-policies")]
pub async fn withdraw_policies(version: i64, #[server(default)] comment: String) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.withdraw_policies(&caller, version, &comment).await?;
    go_on(&format!("/policies/sets/{version}"));
    Ok(())
}

/// Puts a proposal into force.
#[server(protocol = Door, prefix = "/ui", endpoint = "activate-policies")]
pub async fn activate_policies(version: i64, digest: String) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.activate_policies(&caller, version, &digest).await?;
    go_on(&format!("/policies/sets/{version}"));
    Ok(())
}

/// The roles that conflict, and who holds two of them.
#[server(protocol = Door, prefix = "/ui", endpoint = "separation")]
pub async fn separation() -> Result<SeparationView, AppError> {
    let (service, caller) = scope()?;
    Ok(service.separation(&caller).await?)
}

/// Says which roles nobody may hold together: each pair as `ONE OTHER`.
#[server(protocol = Door, prefix = "/ui", endpoint = "separate-roles")]
pub async fn separate_roles(#[server(default)] pairs: Vec<String>) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.separate_roles(&caller, subjects::role_pairs(&pairs)?).await?;
    go_on("/admin/grants");
    Ok(())
}

/// Reviews of who holds which roles.
#[server(protocol = Door, prefix = "/ui", endpoint = "access-reviews")]
pub async fn access_reviews(cursor: Option<String>) -> Result<Page<AccessReviewItem>, AppError> {
    let (service, caller) = scope()?;
    Ok(service.access_reviews(&caller, cursor.as_deref(), Some(20)).await?)
}

/// One review.
#[server(protocol = Door, prefix = "/ui", endpoint = "access-review")]
pub async fn access_review(id: String) -> Result<AccessReviewView, AppError> {
    let (service, caller) = scope()?;
    Ok(service.access_review(&caller, subjects::access_review(&id)?).await?)
}

/// Starts a review of the grants on a namespace (`*` for all) until the end of a day; the answer is its id.
#[server(protocol = Door, prefix = "/ui", endpoint = "start-access-review")]
pub async fn start_access_review(
    #[server(default)] title: String,
    #[server(default)] place: String,
    #[server(default)] until: String,
) -> Result<AccessReviewId, AppError> {
    let (service, caller) = scope()?;
    let (place, due) = (subjects::place(&place)?, subjects::end_of_day(&until)?);
    let due = due.ok_or_else(|| subjects::missing("/dueAt"))?;
    let review = service.start_access_review(&caller, &title, place, due).await?;
    go_on(&format!("/access-reviews/{}", review.item.id));
    Ok(review.item.id)
}

/// Says that a grant stays, or takes it back.
#[server(protocol = Door, prefix = "/ui", endpoint = "decide-access")]
pub async fn decide_access(review: AccessReviewId, grant: GrantId, stays: bool) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.decide_access(&caller, review, grant, stays, "").await?;
    go_on(&format!("/access-reviews/{review}"));
    Ok(())
}

/// Ends a review now.
#[server(protocol = Door, prefix = "/ui", endpoint = "close-access-review")]
pub async fn close_access_review(id: AccessReviewId) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.close_access_review(&caller, id).await?;
    go_on(&format!("/access-reviews/{id}"));
    Ok(())
}

/// Emergency access.
#[server(protocol = Door, prefix = "/ui", endpoint = "emergencies")]
pub async fn emergencies(cursor: Option<String>) -> Result<Page<EmergencyView>, AppError> {
    let (service, caller) = scope()?;
    Ok(service.emergencies(&caller, cursor.as_deref(), Some(20)).await?)
}

/// One of them.
#[server(protocol = Door, prefix = "/ui", endpoint = "emergency")]
pub async fn emergency(id: String) -> Result<EmergencyView, AppError> {
    let (service, caller) = scope()?;
    Ok(service.emergency(&caller, subjects::emergency(&id)?).await?)
}

/// Asks for a role for a few hours; the answer is its id.
#[server(protocol = Door, prefix = "/ui", endpoint = "ask-for-emergency")]
pub async fn ask_for_emergency(
    role: Role,
    #[server(default)] place: String,
    #[server(default)] reason: String,
    #[server(default)] minutes: String,
) -> Result<EmergencyId, AppError> {
    let (service, caller) = scope()?;
    let minutes = subjects::number(&minutes, "/minutes")?.ok_or_else(|| subjects::missing("/minutes"))?;
    let new = service::NewEmergency {
        role,
        scope: subjects::place(&place)?,
        reason,
        // What is far beyond is refused as what is beyond.
        minutes: minutes.try_into().unwrap_or(u16::MAX),
    };
    let emergency = service.ask_for_emergency(&caller, new).await?;
    go_on(&format!("/emergencies/{}", emergency.id));
    Ok(emergency.id)
}

/// Agrees that somebody gets the role.
#[server(protocol = Door, prefix = "/ui", endpoint = "confirm-emergency")]
pub async fn confirm_emergency(id: EmergencyId) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.confirm_emergency(&caller, id).await?;
    go_on(&format!("/emergencies/{id}"));
    Ok(())
}

/// Ends it, takes it back or declines it.
#[server(protocol = Door, prefix = "/ui", endpoint = "end-emergency")]
pub async fn end_emergency(id: EmergencyId) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.end_emergency(&caller, id).await?;
    go_on(&format!("/emergencies/{id}"));
    Ok(())
}

/// Says what was done by it.
#[server(protocol = Door, prefix = "/ui", endpoint = "review-emergency")]
pub async fn review_emergency(id: EmergencyId, #[server(default)] review: String) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.review_emergency(&caller, id, &review).await?;
    go_on(&format!("/emergencies/{id}"));
    Ok(())
}
