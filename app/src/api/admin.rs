//! People, teams, grants and connections.

use std::collections::BTreeMap;

use domain::{
    ConnectionId, GrantId, Role, TeamId, UserId,
    view::{
        ConnectionCheck, ConnectionState, ConnectionView, GrantView, NamespaceLimitsView, Page, ProcessPermissionView,
        SecretView, TeamView, UserView,
    },
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[cfg(feature = "ssr")]
use super::{go_on, keep_once, scope, subjects};
use crate::{door::Door, errors::AppError};

/// People, by name.
#[server(protocol = Door, prefix = "/ui", endpoint = "users")]
pub async fn users(search: Option<String>, cursor: Option<String>) -> Result<Page<UserView>, AppError> {
    let (service, caller) = scope()?;
    Ok(service.users(&caller, search, cursor.as_deref(), Some(50)).await?)
}

/// Creates a person; the answer is the one-time link by which they set their password.
#[server(protocol = Door, prefix = "/ui", endpoint = "create-user")]
pub async fn create_user(
    login: String,
    name: String,
    #[server(default)] email: String,
    #[server(default)] manager: String,
) -> Result<String, AppError> {
    let (service, caller) = scope()?;
    let user = service::NewUser { login: login.trim().to_owned(), name, email: Some(email), manager: Some(manager) };
    let (_user, link) = service.create_user(&caller, user).await?;
    keep_once("link", &link);
    go_on("/admin/people");
    Ok(link)
}

/// Changes a person's name, mail and manager.
#[server(protocol = Door, prefix = "/ui", endpoint = "update-user")]
pub async fn update_user(
    id: UserId,
    name: String,
    #[server(default)] email: String,
    #[server(default)] manager: String,
) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    let change = service::UserChange { name, email: Some(email), manager: Some(manager) };
    service.update_user(&caller, id, change).await?;
    go_on("/admin/people");
    Ok(())
}

/// Disables or enables a person.
#[server(protocol = Door, prefix = "/ui", endpoint = "set-user-active")]
pub async fn set_user_active(id: UserId, active: bool) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.set_user_active(&caller, id, active).await?;
    go_on("/admin/people");
    Ok(())
}

/// Makes a one-time link by which a person sets a new password.
#[server(protocol = Door, prefix = "/ui", endpoint = "reset-password")]
pub async fn reset_password(id: UserId) -> Result<String, AppError> {
    let (service, caller) = scope()?;
    let link = service.reset_password(&caller, id).await?;
    keep_once("link", &link);
    go_on("/admin/people");
    Ok(link)
}

/// Erases a person who has left; `login` is their sign-in name, typed to confirm it.
#[server(protocol = Door, prefix = "/ui", endpoint = "erase-user")]
pub async fn erase_user(
    id: UserId,
    #[server(default)] login: String,
    #[server(default)] reason: String,
) -> Result<(), AppError> {
    use domain::{ErrorCode, FieldError, Problem};
    let (service, caller) = scope()?;
    if service.user(&caller, id).await?.login != login.trim() {
        let error = FieldError {
            pointer: "/login".to_owned(),
            rule: "confirmation".to_owned(),
            expected: Value::Null,
            message: "This is not the sign-in name of the person.".to_owned(),
        };
        return Err(Problem::new(ErrorCode::InvalidInput).with_errors(vec![error]).into());
    }
    service.erase_user(&caller, id, &reason).await?;
    go_on("/admin/people");
    Ok(())
}

/// All teams.
#[server(protocol = Door, prefix = "/ui", endpoint = "teams")]
pub async fn teams() -> Result<Vec<TeamView>, AppError> {
    let (service, caller) = scope()?;
    Ok(service.teams(&caller).await?)
}

/// Creates a team, or gives it another title.
#[server(protocol = Door, prefix = "/ui", endpoint = "put-team")]
pub async fn put_team(name: String, title: String) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.put_team(&caller, name.trim(), title.trim()).await?;
    go_on("/admin/teams");
    Ok(())
}

/// Deletes a team.
#[server(protocol = Door, prefix = "/ui", endpoint = "delete-team")]
pub async fn delete_team(id: TeamId) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.delete_team(&caller, id).await?;
    go_on("/admin/teams");
    Ok(())
}

/// Adds a person, by sign-in name, to a team.
#[server(protocol = Door, prefix = "/ui", endpoint = "add-member")]
pub async fn add_member(team: TeamId, login: String) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    let person = subjects::person(&service, &caller, &login, "/login").await?;
    service.add_member(&caller, team, person).await?;
    go_on("/admin/teams");
    Ok(())
}

/// Takes a person out of a team.
#[server(protocol = Door, prefix = "/ui", endpoint = "remove-member")]
pub async fn remove_member(team: TeamId, user: UserId) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.remove_member(&caller, team, user).await?;
    go_on("/admin/teams");
    Ok(())
}

/// All grants.
#[server(protocol = Door, prefix = "/ui", endpoint = "grants")]
pub async fn grants() -> Result<Vec<GrantView>, AppError> {
    let (service, caller) = scope()?;
    Ok(service.grants(&caller).await?)
}

/// Gives a role. The subject is a sign-in name, or `team NAME`; the place a namespace, or `*` for everywhere; the end a
/// date, or empty.
#[server(protocol = Door, prefix = "/ui", endpoint = "create-grant")]
pub async fn create_grant(
    subject: String,
    role: Role,
    #[server(default)] place: String,
    #[server(default)] until: String,
) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    let subject = subjects::subject(&service, &caller, &subject, "/subject").await?;
    let (place, until) = (subjects::place(&place)?, subjects::end_of_day(&until)?);
    service.grant(&caller, subject, role, place, until).await?;
    go_on("/admin/grants");
    Ok(())
}

/// Takes a role back.
#[server(protocol = Door, prefix = "/ui", endpoint = "revoke-grant")]
pub async fn revoke_grant(id: GrantId) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.revoke_grant(&caller, id).await?;
    go_on("/admin/grants");
    Ok(())
}

/// The namespaces that may run shell commands, scripts and containers.
#[server(protocol = Door, prefix = "/ui", endpoint = "process-permissions")]
pub async fn process_permissions() -> Result<Vec<ProcessPermissionView>, AppError> {
    let (service, caller) = scope()?;
    Ok(service.process_permissions(&caller).await?)
}

/// Permits a namespace to run them.
#[server(protocol = Door, prefix = "/ui", endpoint = "permit-processes")]
pub async fn permit_processes(#[server(default)] namespace: String) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.permit_processes(&caller, subjects::namespace(&namespace)?).await?;
    go_on("/admin/grants");
    Ok(())
}

/// Takes the permission back.
#[server(protocol = Door, prefix = "/ui", endpoint = "forbid-processes")]
pub async fn forbid_processes(#[server(default)] namespace: String) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.forbid_processes(&caller, &subjects::namespace(&namespace)?).await?;
    go_on("/admin/grants");
    Ok(())
}

/// The secrets of the namespaces that one administers, without their values.
#[server(protocol = Door, prefix = "/ui", endpoint = "secrets")]
pub async fn secrets() -> Result<Vec<SecretView>, AppError> {
    let (service, caller) = scope()?;
    Ok(service.secrets(&caller).await?)
}

/// Gives a namespace a secret, or the one of this name a new value: text, or a JSON object.
#[server(protocol = Door, prefix = "/ui", endpoint = "put-secret")]
pub async fn put_secret(
    #[server(default)] namespace: String,
    #[server(default)] name: String,
    #[server(default)] value: String,
) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    // A form sends the ends of lines as a network does; a key is not to be altered by that.
    let value = service::secret_of_text(&value.replace("\r\n", "\n"));
    let put = service.put_secret(&caller, subjects::namespace(&namespace)?, name.trim(), &value).await;
    put.map_err(|mut problem| {
        // The form has one field for all of it.
        for error in problem.errors.iter_mut().filter(|error| error.pointer.starts_with("/value/")) {
            "/value".clone_into(&mut error.pointer);
        }
        problem
    })?;
    go_on("/admin/connections");
    Ok(())
}

/// Deletes a secret.
#[server(protocol = Door, prefix = "/ui", endpoint = "delete-secret")]
pub async fn delete_secret(
    #[server(default)] namespace: String,
    #[server(default)] name: String,
) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.delete_secret(&caller, &subjects::namespace(&namespace)?, &name).await?;
    go_on("/admin/connections");
    Ok(())
}

/// The namespaces that have limits.
#[server(protocol = Door, prefix = "/ui", endpoint = "limits")]
pub async fn namespace_limits() -> Result<Vec<NamespaceLimitsView>, AppError> {
    let (service, caller) = scope()?;
    Ok(service.namespace_limits(&caller).await?)
}

/// Limits how many runs and calls of a namespace are executed at once; empty: as many as come.
#[server(protocol = Door, prefix = "/ui", endpoint = "limit-namespace")]
pub async fn limit_namespace(
    #[server(default)] namespace: String,
    #[server(default)] runs: String,
    #[server(default)] calls: String,
) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    let (runs, calls) = (subjects::number(&runs, "/runs")?, subjects::number(&calls, "/calls")?);
    service.limit_namespace(&caller, subjects::namespace(&namespace)?, service::NewLimits { runs, calls }).await?;
    go_on("/admin/grants");
    Ok(())
}

/// Takes the limits away.
#[server(protocol = Door, prefix = "/ui", endpoint = "unlimit-namespace")]
pub async fn unlimit_namespace(#[server(default)] namespace: String) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.unlimit_namespace(&caller, &subjects::namespace(&namespace)?).await?;
    go_on("/admin/grants");
    Ok(())
}

/// All connections, or those in a state.
#[server(protocol = Door, prefix = "/ui", endpoint = "connections")]
pub async fn connections(only: Option<ConnectionState>) -> Result<Vec<ConnectionView>, AppError> {
    let (service, caller) = scope()?;
    Ok(service.connections(&caller, only).await?)
}

/// A kind of connection, with the schema of its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConnectionKind {
    /// Its name.
    pub kind: String,
    /// Its title for people.
    pub title: String,
    /// JSON Schema of its settings.
    pub schema: Value,
}

/// The kinds that there are.
#[server(protocol = Door, prefix = "/ui", endpoint = "connection-kinds")]
pub async fn connection_kinds() -> Result<Vec<ConnectionKind>, AppError> {
    let (service, _caller) = scope()?;
    let kinds = service.connection_kinds().into_iter();
    Ok(kinds.map(|kind| ConnectionKind { kind: kind.name, title: kind.title, schema: kind.schema }).collect())
}

/// Creates or changes a connection. The fields of the kind's schema are named by JSON pointer; a list has one entry per
/// line. Those that the schema marks as write-only are secrets and stay as they are when left empty. The owner is a sign-in
/// name or `team NAME`; empty only where there was none before. The answer is the saved connection with its first check.
#[server(protocol = Door, prefix = "/ui", endpoint = "put-connection")]
pub async fn put_connection(
    id: Option<ConnectionId>,
    name: String,
    kind: String,
    #[server(default)] namespaces: String,
    #[server(default)] owner: String,
    #[server(default)] fields: BTreeMap<String, String>,
) -> Result<ConnectionView, AppError> {
    let (service, caller) = scope()?;
    let owner = match owner.trim() {
        "" => None,
        owner => Some(subjects::subject(&service, &caller, owner, "/owner").await?),
    };
    let schema = service.connection_kinds().into_iter().find(|known| known.name == kind).map(|known| known.schema);
    let settings = crate::model::connection_settings::settings(schema.as_ref(), fields);
    let namespaces = namespaces.split([',', ' ']).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let connection = service::NewConnection { name, kind, settings, namespaces, owner };
    let saved = service.put_connection(&caller, id, connection).await?;
    go_on("/admin/connections");
    Ok(saved)
}

/// Deletes a connection.
#[server(protocol = Door, prefix = "/ui", endpoint = "delete-connection")]
pub async fn delete_connection(id: ConnectionId) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.delete_connection(&caller, id).await?;
    go_on("/admin/connections");
    Ok(())
}

/// Tries a connection out, step by step.
#[server(protocol = Door, prefix = "/ui", endpoint = "test-connection")]
pub async fn test_connection(id: ConnectionId) -> Result<ConnectionCheck, AppError> {
    let (service, caller) = scope()?;
    Ok(service.test_connection(&caller, id).await?)
}
