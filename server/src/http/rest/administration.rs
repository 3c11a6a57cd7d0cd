//! People, teams and grants.

use axum::{Json, extract::State, http::StatusCode};
use domain::{
    GrantId, Role, Scope, TeamId, Timestamp, UserId,
    view::{ErasureView, GrantView, Page, TeamView, UserView},
};
use serde::{Deserialize, Serialize};
use service::{NewUser, Subject, UserChange};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Asked, Created, Place, Sent, whole};
use crate::http::{Portal, identify::SignedIn, problem::Answer};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::default()
        .routes(routes!(users, create_user))
        .routes(routes!(user, update_user))
        .routes(routes!(disable_user))
        .routes(routes!(enable_user))
        .routes(routes!(erasure, erase_user))
        .routes(routes!(reset_password))
        .routes(routes!(teams, put_team))
        .routes(routes!(delete_team))
        .routes(routes!(add_member, remove_member))
        .routes(routes!(grants, grant))
        .routes(routes!(revoke_grant))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct UsersQuery {
    /// A part of name, sign-in name or mail address.
    search: Option<String>,
    /// Items per page, 1 to 200; 50 unless told.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// People in order of sign-in name
#[utoipa::path(get, path = "/api/v1/users", tag = "users", operation_id = "listUsers",
    params(UsersQuery),
    responses((status = 200, description = "A page of them", body = Page<UserView>)),
    extensions(("x-rondo-operation" = json!("user.list"))))]
async fn users(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Asked(query): Asked<UsersQuery>,
) -> Answer<Json<Page<UserView>>> {
    Ok(Json(portal.service.users(&caller, query.search, query.cursor.as_deref(), query.limit).await?))
}

/// A person to be created.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"login": "ada", "name": "Ada Lovelace", "email": "ada@example.com", "manager": "charles"}))]
struct Person {
    /// Sign-in name.
    login: String,
    /// Name for people.
    name: String,
    /// Mail address.
    email: Option<String>,
    /// The manager's sign-in name.
    manager: Option<String>,
}

/// A person who was just created.
#[derive(Serialize, ToSchema)]
struct Invited {
    /// The person.
    user: UserView,
    /// The one-time link by which they set a password.
    link: String,
}

/// Create a person, and a one-time link by which they set a password
#[utoipa::path(post, path = "/api/v1/users", tag = "users", operation_id = "createUser",
    request_body = Person,
    responses((status = 201, description = "The person", body = Invited)),
    extensions(("x-rondo-operation" = json!("user.create"))))]
async fn create_user(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Sent(person): Sent<Person>,
) -> Answer<Created<Invited>> {
    let Person { login, name, email, manager } = person;
    let (user, path) = portal.service.create_user(&caller, NewUser { login, name, email, manager }).await?;
    let link = format!("{}{path}", portal.base_url);
    Ok(Created(format!("/users/{}", user.id), Invited { user, link }))
}

/// One person
#[utoipa::path(get, path = "/api/v1/users/{id}", tag = "users", operation_id = "getUser",
    params(("id" = UserId, Path)),
    responses((status = 200, description = "The person", body = UserView)),
    extensions(("x-rondo-operation" = json!("user.list"))))]
async fn user(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<UserId>,
) -> Answer<Json<UserView>> {
    Ok(Json(portal.service.user(&caller, id).await?))
}

/// What becomes of a person.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Change {
    /// Name for people.
    name: String,
    /// Mail address; without, none.
    email: Option<String>,
    /// The manager's sign-in name; without, none.
    manager: Option<String>,
}

/// Change a person's name, mail address and manager
#[utoipa::path(put, path = "/api/v1/users/{id}", tag = "users", operation_id = "updateUser",
    params(("id" = UserId, Path)),
    request_body = Change,
    responses((status = 200, description = "The person", body = UserView)),
    extensions(("x-rondo-operation" = json!("user.update"))))]
async fn update_user(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<UserId>,
    Sent(change): Sent<Change>,
) -> Answer<Json<UserView>> {
    let Change { name, email, manager } = change;
    Ok(Json(portal.service.update_user(&caller, id, UserChange { name, email, manager }).await?))
}

/// Disable a person: signs them out everywhere and revokes their tokens
#[utoipa::path(post, path = "/api/v1/users/{id}/disable", tag = "users", operation_id = "disableUser",
    params(("id" = UserId, Path)),
    responses((status = 200, description = "The person", body = UserView)),
    extensions(("x-rondo-operation" = json!("user.disable"))))]
async fn disable_user(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<UserId>,
) -> Answer<Json<UserView>> {
    Ok(Json(portal.service.set_user_active(&caller, id, false).await?))
}

/// Enable a person again
#[utoipa::path(post, path = "/api/v1/users/{id}/enable", tag = "users", operation_id = "enableUser",
    params(("id" = UserId, Path)),
    responses((status = 200, description = "The person", body = UserView)),
    extensions(("x-rondo-operation" = json!("user.disable"))))]
async fn enable_user(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<UserId>,
) -> Answer<Json<UserView>> {
    Ok(Json(portal.service.set_user_active(&caller, id, true).await?))
}

/// How far the erasure of a person is
#[utoipa::path(get, path = "/api/v1/users/{id}/erasure", tag = "users", operation_id = "erasure",
    params(("id" = UserId, Path)),
    responses((status = 200, description = "How far it is", body = ErasureView)),
    extensions(("x-rondo-operation" = json!("user.list"))))]
async fn erasure(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<UserId>,
) -> Answer<Json<ErasureView>> {
    Ok(Json(portal.service.erasure(&caller, id).await?))
}

/// Why somebody is erased.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "Request of 2026-11-27 under article 17 of the GDPR"}))]
struct EraseReason {
    /// The reason. It stays in the audit log.
    reason: String,
}

/// Erase a person who has left: from the account at once, from the entries of the audit log in the background. Cannot be undone
#[utoipa::path(post, path = "/api/v1/users/{id}/erasure", tag = "users", operation_id = "eraseUser",
    params(("id" = UserId, Path)),
    request_body = EraseReason,
    responses((status = 200, description = "How far it is", body = ErasureView)),
    extensions(("x-rondo-operation" = json!("user.erase"))))]
async fn erase_user(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<UserId>,
    Sent(sent): Sent<EraseReason>,
) -> Answer<Json<ErasureView>> {
    Ok(Json(portal.service.erase_user(&caller, id, &sent.reason).await?))
}

/// A one-time link.
#[derive(Serialize, ToSchema)]
struct Link {
    /// Its address.
    link: String,
}

/// Make a one-time link by which a person sets a new password
#[utoipa::path(post, path = "/api/v1/users/{id}/password-link", tag = "users", operation_id = "resetPassword",
    params(("id" = UserId, Path)),
    responses((status = 200, description = "The link", body = Link)),
    extensions(("x-rondo-operation" = json!("user.reset-password"))))]
async fn reset_password(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<UserId>,
) -> Answer<Json<Link>> {
    let path = portal.service.reset_password(&caller, id).await?;
    Ok(Json(Link { link: format!("{}{path}", portal.base_url) }))
}

/// All teams with their members
#[utoipa::path(get, path = "/api/v1/teams", tag = "teams", operation_id = "listTeams",
    responses((status = 200, description = "All of them", body = Page<TeamView>)),
    extensions(("x-rondo-operation" = json!("user.list"))))]
async fn teams(State(portal): State<Portal>, SignedIn(caller): SignedIn) -> Answer<Json<Page<TeamView>>> {
    Ok(whole(portal.service.teams(&caller).await?))
}

/// A team.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "it-identity", "title": "IT Identity"}))]
struct Team {
    /// Short name.
    name: String,
    /// Title for people.
    title: String,
}

/// Create a team, or change the title of the one with this name
#[utoipa::path(post, path = "/api/v1/teams", tag = "teams", operation_id = "putTeam",
    request_body = Team,
    responses((status = 201, description = "The team", body = TeamView)),
    extensions(("x-rondo-operation" = json!("team.update"))))]
async fn put_team(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Sent(team): Sent<Team>,
) -> Answer<Created<TeamView>> {
    let team = portal.service.put_team(&caller, &team.name, &team.title).await?;
    Ok(Created(format!("/teams/{}", team.id), team))
}

/// Remove a team with its memberships and grants
#[utoipa::path(delete, path = "/api/v1/teams/{id}", tag = "teams", operation_id = "deleteTeam",
    params(("id" = TeamId, Path)),
    responses((status = 204, description = "Done")),
    extensions(("x-rondo-operation" = json!("team.update"))))]
async fn delete_team(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<TeamId>,
) -> Answer<StatusCode> {
    portal.service.delete_team(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Make a person a member of a team
#[utoipa::path(put, path = "/api/v1/teams/{id}/members/{user}", tag = "teams", operation_id = "addMember",
    params(("id" = TeamId, Path), ("user" = UserId, Path)),
    responses((status = 204, description = "Done")),
    extensions(("x-rondo-operation" = json!("team.update"))))]
async fn add_member(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place((id, user)): Place<(TeamId, UserId)>,
) -> Answer<StatusCode> {
    portal.service.add_member(&caller, id, user).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End a membership
#[utoipa::path(delete, path = "/api/v1/teams/{id}/members/{user}", tag = "teams", operation_id = "removeMember",
    params(("id" = TeamId, Path), ("user" = UserId, Path)),
    responses((status = 204, description = "Done")),
    extensions(("x-rondo-operation" = json!("team.update"))))]
async fn remove_member(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place((id, user)): Place<(TeamId, UserId)>,
) -> Answer<StatusCode> {
    portal.service.remove_member(&caller, id, user).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// All grants, oldest first
#[utoipa::path(get, path = "/api/v1/grants", tag = "grants", operation_id = "listGrants",
    responses((status = 200, description = "All of them", body = Page<GrantView>)),
    extensions(("x-rondo-operation" = json!("grant.list"))))]
async fn grants(State(portal): State<Portal>, SignedIn(caller): SignedIn) -> Answer<Json<Page<GrantView>>> {
    Ok(whole(portal.service.grants(&caller).await?))
}

/// A role to be given: to `user` or to `team`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({"subject": {"kind": "user", "id": "0198c0de-0000-7000-8000-000000000001"}, "role": "operator", "scope": "*"}))]
struct NewGrant {
    /// Who gets it.
    subject: Holder,
    /// The role.
    role: Role,
    /// A namespace, or `*` for everywhere.
    scope: Scope,
    /// When it ends by itself.
    expires_at: Option<Timestamp>,
}

/// A person or a team: who holds a grant, or owns a connection.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub(super) enum Holder {
    /// A person.
    User {
        /// Their id.
        id: UserId,
    },
    /// A team.
    Team {
        /// Its id.
        id: TeamId,
    },
}

impl From<Holder> for Subject {
    fn from(holder: Holder) -> Self {
        match holder {
            Holder::User { id } => Self::User(id),
            Holder::Team { id } => Self::Team(id),
        }
    }
}

/// Give a role
#[utoipa::path(post, path = "/api/v1/grants", tag = "grants", operation_id = "createGrant",
    request_body = NewGrant,
    responses((status = 201, description = "The grant", body = GrantView)),
    extensions(("x-rondo-operation" = json!("grant.create"))))]
async fn grant(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Sent(new): Sent<NewGrant>,
) -> Answer<Created<GrantView>> {
    let grant = portal.service.grant(&caller, new.subject.into(), new.role, new.scope, new.expires_at).await?;
    Ok(Created(format!("/grants/{}", grant.id), grant))
}

/// Take a role back
#[utoipa::path(delete, path = "/api/v1/grants/{id}", tag = "grants", operation_id = "revokeGrant",
    params(("id" = GrantId, Path)),
    responses((status = 204, description = "Done")),
    extensions(("x-rondo-operation" = json!("grant.revoke"))))]
async fn revoke_grant(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<GrantId>,
) -> Answer<StatusCode> {
    portal.service.revoke_grant(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
