//! The audit log.

use domain::view::{AuditEntryView, AuditFilter, AuditReceiverView, Page, VerificationView};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::scope;
use crate::{door::Door, errors::AppError};

/// Entries, newest first.
#[server(protocol = Door, prefix = "/ui", endpoint = "audit")]
pub async fn audit(
    #[server(default)] filter: AuditFilter,
    cursor: Option<String>,
) -> Result<Page<AuditEntryView>, AppError> {
    let (service, caller) = scope()?;
    Ok(service.audit(&caller, filter, cursor.as_deref(), Some(50)).await?)
}

/// Reads the whole log and checks that nothing was altered or left out.
#[server(protocol = Door, prefix = "/ui", endpoint = "verify-audit")]
pub async fn verify_audit() -> Result<VerificationView, AppError> {
    let (service, caller) = scope()?;
    Ok(service.verify_audit(&caller).await?)
}

/// Where the log is sent, and how far each receiver is.
#[server(protocol = Door, prefix = "/ui", endpoint = "audit-receivers")]
pub async fn audit_receivers() -> Result<Page<AuditReceiverView>, AppError> {
    let (service, caller) = scope()?;
    Ok(service.audit_receivers(&caller).await?)
}
