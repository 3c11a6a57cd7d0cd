//! Compliance controls and their evidence.

use domain::{
    Timestamp,
    view::{ComplianceView, ControlView, ControlsView},
};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::scope;
use crate::{door::Door, errors::AppError};

/// All controls by their lists.
#[server(protocol = Door, prefix = "/ui", endpoint = "controls")]
pub async fn controls(from: Option<Timestamp>, to: Option<Timestamp>) -> Result<ControlsView, AppError> {
    let (service, caller) = scope()?;
    Ok(service.audit_controls(&caller, from, to).await?)
}

/// One control, with a page of its runs.
#[server(protocol = Door, prefix = "/ui", endpoint = "control")]
pub async fn control(
    id: String,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    cursor: Option<String>,
) -> Result<ControlView, AppError> {
    let (service, caller) = scope()?;
    Ok(service.audit_control(&caller, &id, (from, to), cursor.as_deref(), Some(25)).await?)
}

/// How the controls stand, what is open, and how the log stands.
#[server(protocol = Door, prefix = "/ui", endpoint = "compliance")]
pub async fn compliance(from: Option<Timestamp>, to: Option<Timestamp>) -> Result<ComplianceView, AppError> {
    let (service, caller) = scope()?;
    Ok(service.compliance(&caller, from, to).await?)
}
