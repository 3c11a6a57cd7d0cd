//! Secrets of namespaces.

use axum::{Json, extract::State, http::StatusCode};
use domain::{
    Name,
    view::{Page, SecretView},
};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Place, Sent, whole};
use crate::http::{Portal, identify::SignedIn, problem::Answer};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::default().routes(routes!(list)).routes(routes!(put, delete))
}

/// The secrets of the namespaces that one administers, without their values
#[utoipa::path(get, path = "/api/v1/secrets", tag = "secrets", operation_id = "listSecrets",
    responses((status = 200, description = "All of them, by namespace and name", body = Page<SecretView>)),
    extensions(("x-rondo-operation" = json!("secret.list"))))]
async fn list(State(portal): State<Portal>, SignedIn(caller): SignedIn) -> Answer<Json<Page<SecretView>>> {
    Ok(whole(portal.service.secrets(&caller).await?))
}

/// A secret's value.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"value": {"username": "rondo", "password": "…"}}))]
struct SecretValue {
    /// Text, or an object of texts, such as the user name and password of an authentication. Nothing gives it back.
    value: Value,
}

/// Give a namespace a secret, or the one of this name a new value
#[utoipa::path(put, path = "/api/v1/secrets/{namespace}/{name}", tag = "secrets", operation_id = "putSecret",
    params(("namespace" = Name, Path), ("name" = String, Path)),
    request_body = SecretValue,
    responses((status = 200, description = "The secret, without its value", body = SecretView)),
    extensions(("x-rondo-operation" = json!("secret.update"))))]
async fn put(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place((namespace, name)): Place<(Name, String)>,
    Sent(SecretValue { value }): Sent<SecretValue>,
) -> Answer<Json<SecretView>> {
    Ok(Json(portal.service.put_secret(&caller, namespace, &name, &value).await?))
}

/// Delete a secret: calls that need it fail from then on
#[utoipa::path(delete, path = "/api/v1/secrets/{namespace}/{name}", tag = "secrets", operation_id = "deleteSecret",
    params(("namespace" = Name, Path), ("name" = String, Path)),
    responses((status = 204, description = "Done")),
    extensions(("x-rondo-operation" = json!("secret.delete"))))]
async fn delete(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place((namespace, name)): Place<(Name, String)>,
) -> Answer<StatusCode> {
    portal.service.delete_secret(&caller, &namespace, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
