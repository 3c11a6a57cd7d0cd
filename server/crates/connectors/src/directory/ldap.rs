//! OpenLDAP and Active Directory.
//!
//! People and groups are found by search below the base DN, never by building their DN, so that an entry that was moved
//! is still found. Everything but creating can be repeated as it is; what is created carries the idempotency key in an
//! attribute, by which a repeated call knows its own work.

mod groups;
mod link;
mod people;
mod plan;
mod refusal;
mod session;
mod settings;

use domain::view::{CallPlan, CheckStep};
use serde_json::{Value, json};

use super::{
    Portal, builtin,
    links::{ask_for_another, show_once},
    operation::{Operation, Person},
    password,
};
use crate::{CallContext, Failure, ResolvedConnection, connection::Steps, egress::EgressPolicy};
use session::Session;
use settings::Settings;

/// One call on a directory behind LDAP.
pub(super) struct Caller<'a> {
    pub(super) portal: &'a Portal,
    pub(super) context: &'a CallContext,
}

impl Caller<'_> {
    pub(super) async fn perform(
        &self,
        connection: &ResolvedConnection,
        operation: Operation,
    ) -> Result<Value, Failure> {
        let mut session = self.open(connection).await?;
        let result = self.run(&mut session, operation).await;
        session.close().await;
        result
    }

    /// A session within the time of the task. Nothing was asked for when this fails.
    async fn open(&self, connection: &ResolvedConnection) -> Result<Session, Failure> {
        let settings = Settings::read(connection)?;
        let name = format!("the directory {}", settings.host);
        self.context.entering(&name, Session::open(&self.context.egress, settings)).await
    }

    /// What a creating call made, if it did: the entry that carries the context's key.
    pub(super) async fn find_created(
        &self,
        connection: &ResolvedConnection,
        operation: &Operation,
    ) -> Result<Option<Value>, Failure> {
        let mut session = self.open(connection).await?;
        let found = match operation {
            Operation::CreateUser(person) => session.created_user(&person.login, &self.context.key).await,
            Operation::CreateGroup { group, .. } => session.created_group(group, &self.context.key).await,
            _ => Ok(None),
        };
        session.close().await;
        found
    }

    /// What a change would come to, by reading only.
    pub(super) async fn plan(
        &self,
        connection: &ResolvedConnection,
        operation: &Operation,
    ) -> Result<Option<CallPlan>, Failure> {
        let mut session = self.open(connection).await?;
        let planned = session.plan(operation).await;
        session.close().await;
        planned
    }

    async fn run(&self, session: &mut Session, operation: Operation) -> Result<Value, Failure> {
        let key = &self.context.key;
        match operation {
            Operation::CreateUser(person) => self.create_user(session, person).await,
            Operation::ModifyUser(person) => {
                session.modify_user(&person).await?;
                Ok(json!({"user": session.existing_view(&person.login).await?}))
            }
            Operation::DisableUser { login } => session.set_active(&login, false).await,
            Operation::EnableUser { login } => session.set_active(&login, true).await,
            Operation::DeleteUser { login } => session.delete_user(&login).await,
            Operation::CreateGroup { group, title, owner } => {
                session.create_group(&group, title.as_deref(), owner.as_deref(), key).await
            }
            Operation::DeleteGroup { group } => session.delete_group(&group).await,
            Operation::AddMember { group, login } => session.add_member(&group, &login).await,
            Operation::RemoveMember { group, login } => session.remove_member(&group, &login).await,
            Operation::SetPassword { login, password, must_change } => {
                let dn = session.set_password(&login, &password).await?;
                ask_for_another(self.context, must_change, session.expire_password(&dn)).await?;
                Ok(json!({"changed": true}))
            }
            Operation::IssuePassword { login, must_change } => self.issue_password(session, &login, must_change).await,
            Operation::ExpirePassword { login } => {
                let dn = session.existing_user(&login).await?.dn;
                session.expire_password(&dn).await?;
                Ok(json!({"changed": true}))
            }
            Operation::RevokeSessions { login } => {
                session.existing_user(&login).await?;
                self.context.info("an LDAP directory keeps no sessions; disable the account to refuse new ones");
                Ok(json!({"sessions": 0, "tokens": 0}))
            }
            Operation::Lookup { login } => {
                let user = session.view(&login).await?;
                Ok(json!({"found": user.is_some(), "user": user}))
            }
            Operation::ListGroups { login } => session.list_groups(login.as_deref()).await,
            Operation::ListMembers { group } => session.list_members(&group).await,
        }
    }

    async fn create_user(&self, session: &mut Session, person: Person) -> Result<Value, Failure> {
        let login = person.login.clone();
        // Nobody knows this one: a directory with complexity rules takes no account without a password.
        let unknown = password::generate(&*self.portal.random);
        session.create_user(&person, &self.context.key, &unknown).await?;
        // The person is there: whatever breaks now leaves only the question how the entry looks.
        let user = session.existing_view(&login).await.map_err(|failure| Failure::unknown(*failure.error))?;
        Ok(json!({"created": true, "user": user}))
    }

    async fn issue_password(
        &self,
        session: &mut Session,
        login: &str,
        must_change: Option<bool>,
    ) -> Result<Value, Failure> {
        if let Some(output) = builtin::recorded(&*self.portal.store, &self.context.key).await? {
            return Ok(output);
        }
        let password = password::generate(&*self.portal.random);
        let dn = session.set_password(login, &password).await?;
        ask_for_another(self.context, must_change, session.expire_password(&dn)).await?;
        show_once(self.portal, self.context, &password).await
    }
}

/// Tries a connection out, step by step.
pub(super) async fn check(policy: &EgressPolicy, connection: &ResolvedConnection) -> Vec<CheckStep> {
    let mut steps = Steps::default();
    let settings = match Settings::read(connection) {
        Ok(settings) => settings,
        Err(failure) => return steps.fail("settings", failure.detail()),
    };
    let config = match settings.tls.config() {
        Ok(config) => config,
        Err(error) => return steps.fail("settings", &error.to_string()),
    };
    steps.pass("settings", "complete");
    let Some(stream) = steps.dial(policy, &settings.host, settings.port).await else { return steps.done() };
    let mut session = match Session::encrypt(stream, settings, config).await {
        Ok(session) => session,
        Err(failure) => return steps.fail("tls", failure.detail()),
    };
    steps.pass("tls", "the certificate is trusted");
    if let Err(failure) = session.bind().await {
        return steps.fail("sign-in", failure.detail());
    }
    steps.pass("sign-in", &format!("signed in as {}", session.settings.bind_dn));
    let right = session.check_base().await;
    session.close().await;
    match right {
        Ok(detail) => {
            steps.pass("right", &detail);
            steps.done()
        }
        Err(failure) => steps.fail("right", failure.detail()),
    }
}
