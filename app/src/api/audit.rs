//! The audit log.

use domain::view::{
    AuditConsistencyView, AuditEntryView, AuditFilter, AuditProofView, AuditReceiverView, AuditSampleView,
    AuditViewView, AuditWitnessView, Page, VerificationView,
};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::{go_on, scope};
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

/// Who cosigns the log, and how far each witness is.
#[server(protocol = Door, prefix = "/ui", endpoint = "audit-witnesses")]
pub async fn audit_witnesses() -> Result<Page<AuditWitnessView>, AppError> {
    let (service, caller) = scope()?;
    Ok(service.audit_witnesses(&caller).await?)
}

/// The proof that an entry is in the log as it is signed.
#[server(protocol = Door, prefix = "/ui", endpoint = "audit-proof")]
pub async fn audit_proof(seq: i64) -> Result<AuditProofView, AppError> {
    let (service, caller) = scope()?;
    Ok(service.audit_proof(&caller, seq).await?)
}

/// The proof that the log of `to` entries begins with what it was at `from`.
#[server(protocol = Door, prefix = "/ui", endpoint = "audit-consistency")]
pub async fn audit_consistency(from: u64, to: u64) -> Result<AuditConsistencyView, AppError> {
    let (service, caller) = scope()?;
    Ok(service.audit_consistency(&caller, from, Some(to)).await?)
}

/// Draws `size` of the entries that the filter lets through.
#[server(protocol = Door, prefix = "/ui", endpoint = "audit-sample")]
pub async fn audit_sample(
    #[server(default)] filter: AuditFilter,
    size: u32,
    seed: String,
) -> Result<AuditSampleView, AppError> {
    let (service, caller) = scope()?;
    Ok(service.audit_sample(&caller, filter, size, &seed).await?)
}

/// My named searches, and those that others share.
#[server(protocol = Door, prefix = "/ui", endpoint = "audit-views")]
pub async fn audit_views() -> Result<Vec<AuditViewView>, AppError> {
    let (service, caller) = scope()?;
    Ok(service.audit_views(&caller).await?)
}

/// Names a search, for myself or for all who may read the log. `query` is that of its address.
#[server(protocol = Door, prefix = "/ui", endpoint = "save-audit-view")]
pub async fn save_audit_view(
    name: String,
    #[server(default)] query: String,
    #[server(default)] shared: bool,
) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.save_audit_view(&caller, &name, &query, shared).await?;
    go_on(&format!("/audit?{query}"));
    Ok(())
}

/// Forgets one of my named searches.
#[server(protocol = Door, prefix = "/ui", endpoint = "delete-audit-view")]
pub async fn delete_audit_view(name: String) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.delete_audit_view(&caller, &name).await?;
    go_on("/audit");
    Ok(())
}
