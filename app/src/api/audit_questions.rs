//! Saved questions about the audit log.

use domain::{
    Timestamp,
    view::{AuditAnswerView, AuditQuestionView},
};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::{go_on, scope, subjects};
use crate::{door::Door, errors::AppError};

/// The questions, and which of them the caller follows.
#[server(protocol = Door, prefix = "/ui", endpoint = "audit-questions")]
pub async fn audit_questions() -> Result<Vec<AuditQuestionView>, AppError> {
    let (service, caller) = scope()?;
    Ok(service.audit_questions(&caller).await?)
}

/// The answer to one of them.
#[server(protocol = Door, prefix = "/ui", endpoint = "audit-answer")]
pub async fn audit_answer(
    name: String,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Result<AuditAnswerView, AppError> {
    let (service, caller) = scope()?;
    Ok(service.audit_answer(&caller, &name, from, to).await?)
}

/// Has one answered after every `day`, `week` or `month`; empty: no longer.
#[server(protocol = Door, prefix = "/ui", endpoint = "follow-question")]
pub async fn follow_question(name: String, #[server(default)] every: String) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    let question = service.follow_question(&caller, &name, subjects::every(&every)?).await?;
    go_on(&format!("/audit/questions/{}", question.name));
    Ok(())
}
