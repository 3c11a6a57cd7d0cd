//! The caller's own account.

use axum::{Json, extract::State, http::StatusCode};
use domain::{
    NotificationId, SessionId, TokenId,
    view::{HomeView, MeView, NotificationView, Page, SessionView, TokenView},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Asked, Created, Paging, Place, Sent, whole};
use crate::http::{Portal, identify::SignedIn, problem::Answer};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::default()
        .routes(routes!(me))
        .routes(routes!(home))
        .routes(routes!(sessions, revoke_other_sessions))
        .routes(routes!(revoke_session))
        .routes(routes!(tokens, create_token))
        .routes(routes!(revoke_token))
        .routes(routes!(notifications))
        .routes(routes!(mark_read))
}

/// Who the caller is and what the caller may do
#[utoipa::path(get, path = "/api/v1/me", tag = "me", operation_id = "me",
    responses((status = 200, description = "The caller", body = MeView)),
    extensions(("x-rondo-operation" = json!("me.read"))))]
async fn me(State(portal): State<Portal>, SignedIn(caller): SignedIn) -> Answer<Json<MeView>> {
    Ok(Json(portal.service.me(&caller).await?))
}

/// What needs the caller, what became of the caller's requests, what runs
#[utoipa::path(get, path = "/api/v1/home", tag = "me", operation_id = "home",
    responses((status = 200, description = "The lists of the home page", body = HomeView)),
    extensions(("x-rondo-operation" = json!("me.read"))))]
async fn home(State(portal): State<Portal>, SignedIn(caller): SignedIn) -> Answer<Json<HomeView>> {
    Ok(Json(portal.service.home(&caller).await?))
}

/// The caller's signed-in browsers, last seen first
#[utoipa::path(get, path = "/api/v1/me/sessions", tag = "me", operation_id = "listSessions",
    responses((status = 200, description = "All of them", body = Page<SessionView>)),
    extensions(("x-rondo-operation" = json!("session.list"))))]
async fn sessions(State(portal): State<Portal>, SignedIn(caller): SignedIn) -> Answer<Json<Page<SessionView>>> {
    Ok(whole(portal.service.sessions(&caller).await?))
}

/// How many browsers were signed out.
#[derive(Serialize, ToSchema)]
struct Ended {
    ended: u64,
}

/// Sign out all of the caller's browsers but the one that asks
#[utoipa::path(delete, path = "/api/v1/me/sessions", tag = "me", operation_id = "revokeSessions",
    responses((status = 200, description = "Done", body = Ended)),
    extensions(("x-rondo-operation" = json!("session.revoke"))))]
async fn revoke_other_sessions(State(portal): State<Portal>, SignedIn(caller): SignedIn) -> Answer<Json<Ended>> {
    Ok(Json(Ended { ended: portal.service.revoke_other_sessions(&caller).await? }))
}

/// Sign out one of the caller's browsers
#[utoipa::path(delete, path = "/api/v1/me/sessions/{id}", tag = "me", operation_id = "revokeSession",
    params(("id" = SessionId, Path)),
    responses((status = 204, description = "Done")),
    extensions(("x-rondo-operation" = json!("session.revoke"))))]
async fn revoke_session(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<SessionId>,
) -> Answer<StatusCode> {
    portal.service.revoke_session(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The caller's API tokens, newest first
#[utoipa::path(get, path = "/api/v1/me/tokens", tag = "me", operation_id = "listTokens",
    responses((status = 200, description = "All of them, without their secrets", body = Page<TokenView>)),
    extensions(("x-rondo-operation" = json!("token.list"))))]
async fn tokens(State(portal): State<Portal>, SignedIn(caller): SignedIn) -> Answer<Json<Page<TokenView>>> {
    Ok(whole(portal.service.tokens(&caller).await?))
}

/// A token to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "deploy script", "days": 30}))]
struct NewToken {
    /// What it is for.
    name: String,
    /// How many days it works, 1 to 3650; without, until it is revoked.
    days: Option<u32>,
}

/// Create an API token of the caller's; the answer alone has its secret
#[utoipa::path(post, path = "/api/v1/me/tokens", tag = "me", operation_id = "createToken",
    request_body = NewToken,
    responses((status = 201, description = "The token, with its secret", body = TokenView)),
    extensions(("x-rondo-operation" = json!("token.create"))))]
async fn create_token(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Sent(new): Sent<NewToken>,
) -> Answer<Created<TokenView>> {
    let token = portal.service.create_token(&caller, &new.name, new.days).await?;
    Ok(Created(format!("/me/tokens/{}", token.id), token))
}

/// Revoke one of the caller's tokens
#[utoipa::path(delete, path = "/api/v1/me/tokens/{id}", tag = "me", operation_id = "revokeToken",
    params(("id" = TokenId, Path)),
    responses((status = 204, description = "Done")),
    extensions(("x-rondo-operation" = json!("token.revoke"))))]
async fn revoke_token(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<TokenId>,
) -> Answer<StatusCode> {
    portal.service.revoke_token(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The caller's notices, newest first
#[utoipa::path(get, path = "/api/v1/notifications", tag = "me", operation_id = "listNotifications",
    params(Paging),
    responses((status = 200, description = "A page of them", body = Page<NotificationView>)),
    extensions(("x-rondo-operation" = json!("notification.list"))))]
async fn notifications(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Asked(paging): Asked<Paging>,
) -> Answer<Json<Page<NotificationView>>> {
    Ok(Json(portal.service.notifications(&caller, paging.cursor.as_deref(), paging.limit).await?))
}

/// Which notices were read.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Read {
    /// One of them; without, all.
    id: Option<NotificationId>,
}

/// Mark one, or all, of the caller's notices as read
#[utoipa::path(post, path = "/api/v1/notifications/read", tag = "me", operation_id = "markNotificationsRead",
    request_body = Read,
    responses((status = 204, description = "Done")),
    extensions(("x-rondo-operation" = json!("notification.read"))))]
async fn mark_read(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Sent(read): Sent<Read>,
) -> Answer<StatusCode> {
    portal.service.mark_notifications_read(&caller, read.id).await?;
    Ok(StatusCode::NO_CONTENT)
}
