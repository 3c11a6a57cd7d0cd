//! Any directory behind SCIM 2.0 (RFC 7643, RFC 7644).
//!
//! People and groups are looked for by name at every call. What is created carries the idempotency key as its `externalId`,
//! which is there for the client's own use, so that a repeated call knows its own work; everything else can be repeated as
//! it is. Changes say which version they are about, where the service counts versions.

mod groups;
mod people;
mod plan;
mod resource;
mod service;
mod settings;

use domain::view::{CallPlan, CheckStep};
use serde_json::{Value, json};
use workflow::StandardError;

use super::{
    Portal, builtin,
    links::{ask_for_another, show_once},
    operation::Operation,
    password,
};
use crate::{
    CallContext, Failure, ResolvedConnection,
    connection::Steps,
    http::{Http, plain::Terms},
};
use service::Service;
use settings::Settings;

/// One call on a directory behind SCIM.
pub(super) struct Caller<'a> {
    pub(super) http: &'a Http,
    pub(super) portal: &'a Portal,
    pub(super) context: &'a CallContext,
}

impl Caller<'_> {
    pub(super) async fn perform(
        &self,
        connection: &ResolvedConnection,
        operation: Operation,
    ) -> Result<Value, Failure> {
        let settings = Settings::read(connection)?;
        let creates = matches!(operation, Operation::CreateUser(_) | Operation::CreateGroup { .. });
        let terms = Terms::of(self.context, &settings.tls, !creates);
        let service = Service { http: self.http, settings: &settings, terms };
        self.run(&service, operation).await
    }

    /// What a creating call made, if it did: the resource that carries the context's key.
    pub(super) async fn find_created(
        &self,
        connection: &ResolvedConnection,
        operation: &Operation,
    ) -> Result<Option<Value>, Failure> {
        let settings = Settings::read(connection)?;
        let terms = Terms::of(self.context, &settings.tls, true);
        let service = Service { http: self.http, settings: &settings, terms };
        match operation {
            Operation::CreateUser(person) => service.created_user(&person.login, &self.context.key).await,
            Operation::CreateGroup { group, .. } => service.created_group(group, &self.context.key).await,
            _ => Ok(None),
        }
    }

    /// What a change would come to, by reading only.
    pub(super) async fn plan(
        &self,
        connection: &ResolvedConnection,
        operation: &Operation,
    ) -> Result<Option<CallPlan>, Failure> {
        let settings = Settings::read(connection)?;
        let terms = Terms::of(self.context, &settings.tls, true);
        Service { http: self.http, settings: &settings, terms }.plan(operation).await
    }

    async fn run(&self, service: &Service<'_>, operation: Operation) -> Result<Value, Failure> {
        let key = &self.context.key;
        match operation {
            Operation::CreateUser(person) => service.create_user(&person, key).await,
            Operation::ModifyUser(person) => {
                service.modify_user(&person).await?;
                Ok(json!({"user": service.view_after_change(&person.login).await?}))
            }
            Operation::DisableUser { login } => service.set_active(&login, false).await,
            Operation::EnableUser { login } => service.set_active(&login, true).await,
            Operation::DeleteUser { login } => service.delete_user(&login).await,
            Operation::CreateGroup { group, owner, title } => {
                if owner.is_some() || title.is_some_and(|title| title != group) {
                    self.context.info("SCIM keeps neither owners nor titles of groups");
                }
                service.create_group(&group, key).await
            }
            Operation::DeleteGroup { group } => service.delete_group(&group).await,
            Operation::AddMember { group, login } => service.add_member(&group, &login).await,
            Operation::RemoveMember { group, login } => service.remove_member(&group, &login).await,
            Operation::SetPassword { login, password, must_change } => {
                service.set_password(&login, &password).await?;
                ask_for_another(self.context, must_change, async { service.expire_password() }).await?;
                Ok(json!({"changed": true}))
            }
            Operation::IssuePassword { login, must_change } => self.issue_password(service, &login, must_change).await,
            Operation::ExpirePassword { .. } => service.expire_password().map(|()| Value::Null),
            Operation::RevokeSessions { login } => {
                service.existing_user(&login).await?;
                self.context.info("SCIM says nothing of sessions; disable the account to refuse new ones");
                Ok(json!({"sessions": 0, "tokens": 0}))
            }
            Operation::Lookup { login } => {
                let user = service.view(&login).await?;
                Ok(json!({"found": user.is_some(), "user": user}))
            }
            Operation::ListGroups { login } => service.list_groups(login.as_deref()).await,
            Operation::ListMembers { group } => service.list_members(&group).await,
        }
    }

    async fn issue_password(
        &self,
        service: &Service<'_>,
        login: &str,
        must_change: Option<bool>,
    ) -> Result<Value, Failure> {
        if let Some(output) = builtin::recorded(&*self.portal.store, &self.context.key).await? {
            return Ok(output);
        }
        let password = password::generate(&*self.portal.random);
        service.set_password(login, &password).await?;
        ask_for_another(self.context, must_change, async { service.expire_password() }).await?;
        show_once(self.portal, self.context, &password).await
    }
}

/// Tries a connection out, step by step.
pub(super) async fn check(http: &Http, connection: &ResolvedConnection) -> Vec<CheckStep> {
    let settings = match Settings::read(connection) {
        Ok(settings) => settings,
        Err(failure) => return Steps::default().fail("settings", failure.detail()),
    };
    let mut steps = match http.try_way(&settings.base_url, &settings.tls).await {
        Ok(steps) => steps,
        Err(failed) => return failed,
    };
    let service = Service { http, settings: &settings, terms: Terms::of_check(&settings.tls) };
    match service.try_rights().await {
        Ok(found) => {
            steps.pass("sign-in", "the account is accepted");
            steps.pass("right", &found);
            steps.done()
        }
        Err(failure) if failure.error.is(StandardError::Authorization) => {
            steps.pass("sign-in", "the account is accepted");
            steps.fail("right", failure.detail())
        }
        Err(failure) => steps.fail("sign-in", failure.detail()),
    }
}
