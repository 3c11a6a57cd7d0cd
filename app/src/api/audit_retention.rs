//! How long entries of the audit log are kept, and legal holds on them.

use domain::{
    HoldId,
    view::{AuditHoldView, AuditRetentionView, AuditSegmentView, Page},
};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::{go_on, scope, subjects};
use crate::{door::Door, errors::AppError};

/// For how long entries are kept, and how it goes with archiving them.
#[server(protocol = Door, prefix = "/ui", endpoint = "audit-retention")]
pub async fn audit_retention() -> Result<AuditRetentionView, AppError> {
    let (service, caller) = scope()?;
    Ok(service.audit_retention(&caller).await?)
}

/// All holds, those in force first.
#[server(protocol = Door, prefix = "/ui", endpoint = "audit-holds")]
pub async fn audit_holds() -> Result<Vec<AuditHoldView>, AppError> {
    let (service, caller) = scope()?;
    Ok(service.audit_holds(&caller).await?)
}

/// Segments, the newest first.
#[server(protocol = Door, prefix = "/ui", endpoint = "audit-segments")]
pub async fn audit_segments(cursor: Option<String>) -> Result<Page<AuditSegmentView>, AppError> {
    let (service, caller) = scope()?;
    Ok(service.audit_segments(&caller, cursor.as_deref(), Some(50)).await?)
}

/// Holds entries; all of them where nothing is said of which. Of the days, the last one is covered as well.
#[server(protocol = Door, prefix = "/ui", endpoint = "place-audit-hold")]
pub async fn place_audit_hold(
    #[server(default)] name: String,
    #[server(default)] reason: String,
    #[server(default)] namespace: String,
    #[server(default)] person: String,
    #[server(default)] kind: String,
    #[server(default)] resource: String,
    #[server(default)] from: String,
    #[server(default)] to: String,
) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    let covers = domain::view::HoldCovers {
        namespace: Some(namespace),
        person: Some(person),
        resource_kind: Some(kind),
        resource_id: Some(resource),
        from: subjects::day(&from, "/covers/from")?,
        to: subjects::day(&to, "/covers/to")?.map(|day| day + std::time::Duration::from_hours(24)),
    };
    service.place_audit_hold(&caller, service::NewHold { name, reason, covers }).await?;
    go_on("/audit/retention");
    Ok(())
}

/// Releases a hold.
#[server(protocol = Door, prefix = "/ui", endpoint = "release-audit-hold")]
pub async fn release_audit_hold(id: HoldId, #[server(default)] reason: String) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.release_audit_hold(&caller, id, &reason).await?;
    go_on("/audit/retention");
    Ok(())
}
