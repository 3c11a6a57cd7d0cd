//! Repositories whose branches bring definitions.

use domain::{Name, view::RepositoryView};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::{go_on, scope, subjects};
use crate::{door::Door, errors::AppError};

/// The page of repositories.
pub const REPOSITORIES: &str = "/repositories";

/// Repositories with what came of them, by namespace and name.
#[server(protocol = Door, prefix = "/ui", endpoint = "repositories")]
pub async fn repositories() -> Result<Vec<RepositoryView>, AppError> {
    let (service, caller) = scope()?;
    Ok(service.repositories(&caller).await?)
}

/// Follows a repository, or follows it in another way. What is left empty of password, authority and the
/// webhook's secret stays as it is stored.
#[server(protocol = Door, prefix = "/ui", endpoint = "put-repository")]
pub async fn put_repository(
    namespace: String,
    name: String,
    url: String,
    branch: String,
    #[server(default)] folder: String,
    #[server(default)] account: String,
    #[server(default)] password: String,
    #[server(default)] authority: String,
    #[server(default)] without_authority: bool,
    #[server(default)] hook_secret: String,
    #[server(default)] without_hook: bool,
    #[server(default)] every_minutes: String,
) -> Result<(), AppError> {
    use service::StoredChange;

    let (service, caller) = scope()?;
    let typed = |text: String| if text.is_empty() { StoredChange::Keep } else { StoredChange::Set(text) };
    let new = service::NewRepository {
        url,
        branch,
        folder,
        account: Some(account),
        password: typed(password),
        authority: if without_authority { StoredChange::Remove } else { typed(authority) },
        hook_secret: if without_hook { StoredChange::Remove } else { typed(hook_secret) },
        every_minutes: subjects::number(&every_minutes, "/everyMinutes")?,
    };
    service.put_repository(&caller, subjects::namespace(&namespace)?, subjects::name(&name)?, new).await?;
    go_on(REPOSITORIES);
    Ok(())
}

/// Has a repository looked at now.
#[server(protocol = Door, prefix = "/ui", endpoint = "sync-repository")]
pub async fn sync_repository(namespace: Name, name: Name) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.sync_repository(&caller, &namespace, &name).await?;
    go_on(REPOSITORIES);
    Ok(())
}

/// Follows a repository no longer.
#[server(protocol = Door, prefix = "/ui", endpoint = "delete-repository")]
pub async fn delete_repository(namespace: Name, name: Name) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.delete_repository(&caller, &namespace, &name).await?;
    go_on(REPOSITORIES);
    Ok(())
}
