//! One's own account: password, sessions, tokens, notices.

use domain::{
    NotificationId, SessionId, TokenId,
    view::{MeView, NotificationView, Page, SessionView, TokenView},
};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::{go_on, scope, sign_in::same_twice};
use crate::{door::Door, errors::AppError};

/// Who I am and what I may do.
#[server(protocol = Door, prefix = "/ui", endpoint = "me")]
pub async fn me() -> Result<MeView, AppError> {
    let (service, caller) = scope()?;
    Ok(service.me(&caller).await?)
}

/// Changes my password.
#[server(protocol = Door, prefix = "/ui", endpoint = "change-password")]
pub async fn change_password(
    #[server(default)] current: String,
    password: String,
    repeated: String,
) -> Result<(), AppError> {
    same_twice(&password, &repeated)?;
    let (service, caller) = scope()?;
    service.change_password(&caller, &current, &password).await?;
    go_on("/account?done=password");
    Ok(())
}

/// My signed-in browsers.
#[server(protocol = Door, prefix = "/ui", endpoint = "sessions")]
pub async fn sessions() -> Result<Vec<SessionView>, AppError> {
    let (service, caller) = scope()?;
    Ok(service.sessions(&caller).await?)
}

/// Signs one of my browsers out.
#[server(protocol = Door, prefix = "/ui", endpoint = "revoke-session")]
pub async fn revoke_session(id: SessionId) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.revoke_session(&caller, id).await?;
    Ok(())
}

/// Signs all my other browsers out.
#[server(protocol = Door, prefix = "/ui", endpoint = "revoke-other-sessions")]
pub async fn revoke_other_sessions() -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.revoke_other_sessions(&caller).await?;
    Ok(())
}

/// My API tokens.
#[server(protocol = Door, prefix = "/ui", endpoint = "tokens")]
pub async fn tokens() -> Result<Vec<TokenView>, AppError> {
    let (service, caller) = scope()?;
    Ok(service.tokens(&caller).await?)
}

/// Creates an API token; the answer alone has its secret.
#[server(protocol = Door, prefix = "/ui", endpoint = "create-token")]
pub async fn create_token(name: String, #[server(default)] days: String) -> Result<TokenView, AppError> {
    let (service, caller) = scope()?;
    let token = service.create_token(&caller, name.trim(), days.parse().ok()).await?;
    super::keep_once("token", token.secret.as_deref().unwrap_or_default());
    Ok(token)
}

/// Revokes an API token.
#[server(protocol = Door, prefix = "/ui", endpoint = "revoke-token")]
pub async fn revoke_token(id: TokenId) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.revoke_token(&caller, id).await?;
    go_on("/account?tab=tokens");
    Ok(())
}

/// My notices, newest first.
#[server(protocol = Door, prefix = "/ui", endpoint = "notifications")]
pub async fn notifications(cursor: Option<String>) -> Result<Page<NotificationView>, AppError> {
    let (service, caller) = scope()?;
    Ok(service.notifications(&caller, cursor.as_deref(), Some(30)).await?)
}

/// Marks one notice as read, or all.
#[server(protocol = Door, prefix = "/ui", endpoint = "mark-notifications-read")]
pub async fn mark_notifications_read(id: Option<NotificationId>) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.mark_notifications_read(&caller, id).await?;
    Ok(())
}
