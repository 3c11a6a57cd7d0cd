//! Substitutes: one's own, and as administrators see those of others.

use domain::{DelegationId, UserId, view::DelegationView};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::{go_on, scope, subjects};
use crate::{door::Door, errors::AppError};

/// Who stands in for a person, and for whom that person stands in; mine, unless told whose.
#[server(protocol = Door, prefix = "/ui", endpoint = "delegations")]
pub async fn delegations(person: Option<UserId>) -> Result<Vec<DelegationView>, AppError> {
    let (service, caller) = scope()?;
    Ok(service.delegations(&caller, person).await?)
}

/// Names a substitute of mine. `scope` is a namespace, a workflow as `namespace/name`, or empty for everything; `from` and
/// `until` are dates, the first empty for now.
#[server(protocol = Door, prefix = "/ui", endpoint = "delegate")]
pub async fn delegate(
    substitute: String,
    #[server(default)] scope: String,
    #[server(default)] from: String,
    #[server(default)] until: String,
    #[server(default)] reason: String,
) -> Result<(), AppError> {
    let decisions = subjects::decisions(&scope)?;
    let (from, until) = (subjects::start_of_day(&from)?, subjects::last_day(&until)?);
    let (service, caller) = self::scope()?;
    let new = service::NewDelegation { substitute, scope: decisions, from, until, reason };
    service.delegate(&caller, new).await?;
    go_on("/account?tab=substitutes");
    Ok(())
}

/// Ends a delegation before its time. `of` is whose list it was ended from, where that is not one's own.
#[server(protocol = Door, prefix = "/ui", endpoint = "revoke-delegation")]
pub async fn revoke_delegation(id: DelegationId, #[server(default)] of: String) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.revoke_delegation(&caller, id).await?;
    go_on(if of.is_empty() { "/account?tab=substitutes" } else { "/admin/people" });
    Ok(())
}
