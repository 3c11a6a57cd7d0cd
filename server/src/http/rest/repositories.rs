//! Repositories whose branches bring definitions.

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use domain::{
    Name,
    view::{Page, RepositoryView},
};
use serde::{Deserialize, Deserializer};
use service::{HookProof, NewRepository, StoredChange};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Place, Sent, whole};
use crate::http::{Portal, identify::SignedIn, problem::Answer};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::default()
        .routes(routes!(list))
        .routes(routes!(read, replace, remove))
        .routes(routes!(sync))
        .routes(routes!(pushed))
}

/// Repositories of the namespaces for which one writes, reviews or administers, and what came of them
#[utoipa::path(get, path = "/api/v1/repositories", tag = "repositories", operation_id = "listRepositories",
    responses((status = 200, description = "All of them, by namespace and name", body = Page<RepositoryView>)),
    extensions(("x-rondo-operation" = json!("repository.list"))))]
async fn list(State(portal): State<Portal>, SignedIn(caller): SignedIn) -> Answer<Json<Page<RepositoryView>>> {
    Ok(whole(portal.service.repositories(&caller).await?))
}

/// One repository, and what became of its files
#[utoipa::path(get, path = "/api/v1/repositories/{namespace}/{name}", tag = "repositories",
    operation_id = "readRepository",
    params(("namespace" = Name, Path), ("name" = Name, Path)),
    responses((status = 200, description = "The repository", body = RepositoryView)),
    extensions(("x-rondo-operation" = json!("repository.list"))))]
async fn read(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place((namespace, name)): Place<(Name, Name)>,
) -> Answer<Json<RepositoryView>> {
    Ok(Json(portal.service.repository(&caller, &namespace, &name).await?))
}

/// How a repository is to be followed.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "url": "https://git.example.com/it/definitions.git", "branch": "main", "folder": "workflows",
    "account": "rondo", "password": "glpat-…", "everyMinutes": 15
}))]
struct Repository {
    /// Its address, https or http, without account and password.
    url: String,
    /// The branch.
    branch: String,
    /// The folder with the definitions; empty for the root.
    #[serde(default)]
    folder: String,
    /// The account by which it is read; absent where anybody may read it.
    #[serde(default)]
    account: Option<String>,
    /// Its password or token; absent: as it is stored, for the same host.
    #[serde(default, deserialize_with = "change")]
    #[schema(value_type = Option<String>)]
    password: StoredChange,
    /// The authority (PEM) that alone is trusted with the server's certificate; `null`: whom the system trusts; absent: as it
    /// is stored.
    #[serde(default, deserialize_with = "change")]
    #[schema(value_type = Option<String>)]
    authority: StoredChange,
    /// What calls of its webhook are signed with, from 16 characters; `null`: no webhook; absent: as it is stored.
    #[serde(default, deserialize_with = "change")]
    #[schema(value_type = Option<String>)]
    hook_secret: StoredChange,
    /// Minutes from one look to the next, up to 10080; absent: only when somebody asks.
    #[serde(default)]
    every_minutes: Option<u32>,
}

/// `null` removes; what is absent is not read at all, and stays.
fn change<'de, D: Deserializer<'de>>(deserializer: D) -> Result<StoredChange, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.map_or(StoredChange::Remove, StoredChange::Set))
}

impl From<Repository> for NewRepository {
    fn from(repository: Repository) -> Self {
        let Repository { url, branch, folder, account, password, authority, hook_secret, every_minutes } = repository;
        Self { url, branch, folder, account, password, authority, hook_secret, every_minutes }
    }
}

/// Follow a branch of a repository, or follow it in another way
///
/// It is looked at at once. What comes from it takes the way of any other definition, beginning with its review; nothing that
/// people have made here is overwritten.
#[utoipa::path(put, path = "/api/v1/repositories/{namespace}/{name}", tag = "repositories",
    operation_id = "putRepository",
    params(("namespace" = Name, Path), ("name" = Name, Path)),
    request_body = Repository,
    responses((status = 200, description = "The repository", body = RepositoryView)),
    extensions(("x-rondo-operation" = json!("repository.update"))))]
async fn replace(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place((namespace, name)): Place<(Name, Name)>,
    Sent(repository): Sent<Repository>,
) -> Answer<Json<RepositoryView>> {
    Ok(Json(portal.service.put_repository(&caller, namespace, name, repository.into()).await?))
}

/// Follow a repository no longer
///
/// What it has brought stays.
#[utoipa::path(delete, path = "/api/v1/repositories/{namespace}/{name}", tag = "repositories",
    operation_id = "deleteRepository",
    params(("namespace" = Name, Path), ("name" = Name, Path)),
    responses((status = 204, description = "Done")),
    extensions(("x-rondo-operation" = json!("repository.delete"))))]
async fn remove(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place((namespace, name)): Place<(Name, Name)>,
) -> Answer<StatusCode> {
    portal.service.delete_repository(&caller, &namespace, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Have a repository looked at now
///
/// The answer does not wait for the look, which shows in the repository once it is done.
#[utoipa::path(post, path = "/api/v1/repositories/{namespace}/{name}/sync", tag = "repositories",
    operation_id = "syncRepository",
    params(("namespace" = Name, Path), ("name" = Name, Path)),
    responses((status = 202, description = "It will be looked at", body = RepositoryView)),
    extensions(("x-rondo-operation" = json!("repository.sync"))))]
async fn sync(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place((namespace, name)): Place<(Name, Name)>,
) -> Answer<(StatusCode, Json<RepositoryView>)> {
    let repository = portal.service.sync_repository(&caller, &namespace, &name).await?;
    Ok((StatusCode::ACCEPTED, Json(repository)))
}

/// What a repository's host calls after a push
///
/// Signed with the webhook's secret: `X-Hub-Signature-256` (GitHub, Gitea, Forgejo, Bitbucket) or `X-Gitlab-Token`. Nobody signs
/// in, and what the body says does not matter. The answer to a call without proof is the same whether or not there is such a
/// repository.
#[utoipa::path(post, path = "/api/v1/hooks/repositories/{namespace}/{name}", tag = "repositories",
    operation_id = "repositoryWasPushed",
    params(("namespace" = Name, Path), ("name" = Name, Path)),
    request_body(content = Object, content_type = "application/json", description = "Whatever the host says of the push"),
    responses((status = 202, description = "It will be looked at")),
    extensions(("x-rondo-operation" = json!("repository.sync"))))]
async fn pushed(
    State(portal): State<Portal>,
    Place((namespace, name)): Place<(Name, Name)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<StatusCode> {
    portal.service.repository_was_pushed(&namespace, &name, proof(&headers).as_ref(), &body).await?;
    Ok(StatusCode::ACCEPTED)
}

fn proof(headers: &HeaderMap) -> Option<HookProof> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let signature = ["x-hub-signature-256", "x-hub-signature"]
        .into_iter()
        .find_map(|name| text(name)?.strip_prefix("sha256="))
        .or_else(|| text("x-gitea-signature"));
    match signature {
        Some(signature) => Some(HookProof::Signature(signature.to_owned())),
        None => text("x-gitlab-token").map(|token| HookProof::Token(token.to_owned())),
    }
}
