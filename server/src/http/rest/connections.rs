//! Connections to other systems.

use axum::{Json, extract::State, http::StatusCode};
use domain::{
    ConnectionId,
    view::{ConnectionCheck, ConnectionState, ConnectionView, Page},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use service::{NewConnection, Subject};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Asked, Created, Place, Sent, administration::Holder, whole};
use crate::http::{Portal, identify::SignedIn, problem::Answer};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::default()
        .routes(routes!(list, create))
        .routes(routes!(replace, delete))
        .routes(routes!(test))
        .routes(routes!(kinds))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ConnectionsQuery {
    /// Only those in this state.
    state: Option<ConnectionState>,
}

/// Connections by name, without their secrets
#[utoipa::path(get, path = "/api/v1/connections", tag = "connections", operation_id = "listConnections",
    params(ConnectionsQuery),
    responses((status = 200, description = "All of them", body = Page<ConnectionView>)),
    extensions(("x-rondo-operation" = json!("connection.list"))))]
async fn list(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Asked(query): Asked<ConnectionsQuery>,
) -> Answer<Json<Page<ConnectionView>>> {
    Ok(whole(portal.service.connections(&caller, query.state).await?))
}

/// A connection.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "directory", "kind": "builtin", "settings": {}, "namespaces": ["*"],
    "owner": {"kind": "team", "id": "01920000-0000-7000-8000-000000000000"}}))]
struct Connection {
    /// Name, by which workflows call it.
    name: String,
    /// Kind.
    kind: String,
    /// Settings as the kind's schema has them, secrets among them; an absent secret stays as it is stored.
    #[serde(default)]
    #[schema(value_type = Object)]
    settings: Value,
    /// Namespaces that may use it; `*` for all.
    namespaces: Vec<String>,
    /// Who answers for it, is told when it no longer works, and is asked where a workflow names its owner as approver. A new
    /// connection needs one; one from before connections had owners may be changed without.
    #[serde(default)]
    owner: Option<Holder>,
}

impl From<Connection> for NewConnection {
    fn from(connection: Connection) -> Self {
        let Connection { name, kind, settings, namespaces, owner } = connection;
        let owner = owner.map(Subject::from);
        Self { name, kind, settings, namespaces, owner }
    }
}

/// Create a connection, and try it out
///
/// One that does not work is kept all the same; `state` and `lastCheck` of the answer say what is wrong.
#[utoipa::path(post, path = "/api/v1/connections", tag = "connections", operation_id = "createConnection",
    request_body = Connection,
    responses((status = 201, description = "The connection", body = ConnectionView)),
    extensions(("x-rondo-operation" = json!("connection.update"))))]
async fn create(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Sent(connection): Sent<Connection>,
) -> Answer<Created<ConnectionView>> {
    let connection = portal.service.put_connection(&caller, None, connection.into()).await?;
    Ok(Created(format!("/connections/{}", connection.id), connection))
}

/// Change a connection, and try it out
///
/// One that does not work is kept all the same; `state` and `lastCheck` of the answer say what is wrong.
#[utoipa::path(put, path = "/api/v1/connections/{id}", tag = "connections", operation_id = "updateConnection",
    params(("id" = ConnectionId, Path)),
    request_body = Connection,
    responses((status = 200, description = "The connection", body = ConnectionView)),
    extensions(("x-rondo-operation" = json!("connection.update"))))]
async fn replace(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<ConnectionId>,
    Sent(connection): Sent<Connection>,
) -> Answer<Json<ConnectionView>> {
    Ok(Json(portal.service.put_connection(&caller, Some(id), connection.into()).await?))
}

/// Delete a connection
#[utoipa::path(delete, path = "/api/v1/connections/{id}", tag = "connections", operation_id = "deleteConnection",
    params(("id" = ConnectionId, Path)),
    responses((status = 204, description = "Done")),
    extensions(("x-rondo-operation" = json!("connection.delete"))))]
async fn delete(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<ConnectionId>,
) -> Answer<StatusCode> {
    portal.service.delete_connection(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Try a connection out, step by step
#[utoipa::path(post, path = "/api/v1/connections/{id}/test", tag = "connections", operation_id = "testConnection",
    params(("id" = ConnectionId, Path)),
    responses((status = 200, description = "How each step went, up to the first that failed", body = ConnectionCheck)),
    extensions(("x-rondo-operation" = json!("connection.test"))))]
async fn test(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<ConnectionId>,
) -> Answer<Json<ConnectionCheck>> {
    Ok(Json(portal.service.test_connection(&caller, id).await?))
}

/// A kind of connection.
#[derive(Serialize, ToSchema)]
struct ConnectionKind {
    /// Its name.
    name: String,
    /// Its title for people.
    title: String,
    /// What it is for.
    summary: String,
    /// JSON Schema of its settings; `writeOnly` marks secrets.
    #[schema(value_type = Object)]
    schema: Value,
}

/// The kinds of connection that this server knows
#[utoipa::path(get, path = "/api/v1/connection-kinds", tag = "connections", operation_id = "listConnectionKinds",
    responses((status = 200, description = "All of them", body = Page<ConnectionKind>)),
    extensions(("x-rondo-operation" = json!("connection.list"))))]
async fn kinds(State(portal): State<Portal>, SignedIn(_caller): SignedIn) -> Answer<Json<Page<ConnectionKind>>> {
    let kinds = portal.service.connection_kinds().into_iter();
    let view = |kind: service::ConnectionKind| {
        let service::ConnectionKind { name, title, summary, schema } = kind;
        ConnectionKind { name, title, summary, schema }
    };
    Ok(whole(kinds.map(view).collect()))
}
