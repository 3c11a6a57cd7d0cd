//! What a change would come to, found by reading alone.

use domain::view::{CallPlan, PlannedField};
use serde_json::Value;

use super::{
    people::changes,
    resource::Resource,
    service::{Kind, Service},
};
use crate::{
    Failure,
    directory::{
        operation::{Given, Operation, Person},
        plan,
    },
};

impl Service<'_> {
    /// What an operation would change; none of one that only reads.
    pub(super) async fn plan(&self, operation: &Operation) -> Result<Option<CallPlan>, Failure> {
        Ok(Some(match operation {
            Operation::CreateUser(person) => self.plan_creation(person).await?,
            Operation::ModifyUser(person) => self.plan_modification(person).await?,
            Operation::DisableUser { login } => {
                plan::activity(login, self.existing_user(login).await?.is_active(), false)
            }
            Operation::EnableUser { login } => {
                plan::activity(login, self.existing_user(login).await?.is_active(), true)
            }
            Operation::DeleteUser { login } => match self.find_user(login).await? {
                Some(user) => plan::person_gone(login, Some(&self.group_names_of(&user).await?)),
                None => plan::person_gone(login, None),
            },
            Operation::CreateGroup { group, .. } => {
                if self.find_group(group).await?.is_some() {
                    return Err(Failure::refused(409, format!("there is already a group {group}")));
                }
                plan::creation(&format!("the group {group}"), [])
            }
            Operation::DeleteGroup { group } => plan::group_gone(group, self.find_group(group).await?.is_some(), None),
            Operation::AddMember { group, login } => {
                let (found, user) = (self.existing_group(group).await?, self.existing_user(login).await?);
                plan::membership(group, login, self.is_member(&found, &user.id).await?, true)
            }
            Operation::RemoveMember { group, login } => {
                let is = match (self.find_group(group).await?, self.find_user(login).await?) {
                    (Some(found), Some(user)) => self.is_member(&found, &user.id).await?,
                    _ => Some(false),
                };
                plan::membership(group, login, is, false)
            }
            Operation::SetPassword { login, .. } | Operation::IssuePassword { login, .. } => {
                self.existing_user(login).await?;
                if !self.offers("changePassword").await? {
                    return Ok(Some(CallPlan::fails(
                        "would fail: this service takes no passwords by SCIM; people get theirs where they sign in to it",
                    )));
                }
                plan::password(login)
            }
            Operation::ExpirePassword { .. } => {
                CallPlan::fails("would fail: SCIM has no way to let a password expire; set another one")
            }
            Operation::RevokeSessions { login } => {
                self.existing_user(login).await?;
                CallPlan::nothing("SCIM says nothing of sessions; disable the account to refuse new ones")
            }
            Operation::Lookup { .. } | Operation::ListGroups { .. } | Operation::ListMembers { .. } => return Ok(None),
        }))
    }

    async fn plan_creation(&self, person: &Person) -> Result<CallPlan, Failure> {
        if self.find_user(&person.login).await?.is_some() {
            let words = format!("there is already a person with the sign-in name {}", person.login);
            return Err(Failure::refused(409, words));
        }
        if let Some(manager) = person.manager.text() {
            self.existing_user(manager).await?;
        }
        let name = person.name.as_deref().unwrap_or(&person.login);
        let mut fields: Vec<PlannedField> = plan::field("displayName", None, Some(name)).into_iter().collect();
        fields.extend(given(person).filter(|(name, _)| *name != "displayName").filter_map(|(name, value)| {
            let value = value.text()?;
            plan::field(name, None, Some(value))
        }));
        Ok(plan::creation(&person.login, fields))
    }

    async fn plan_modification(&self, person: &Person) -> Result<CallPlan, Failure> {
        let user = self.existing_user(&person.login).await?;
        let manager = match person.manager.text() {
            Some(manager) => Some(self.existing_user(manager).await?.id),
            None => None,
        };
        // What the service would refuse here, it would refuse then.
        changes(person, &user, manager.as_deref())?;
        let mut fields = Vec::new();
        for (name, value) in given(person) {
            let before = if name == "manager" { self.manager_of(&user).await? } else { known(&user, name) };
            fields.extend(plan::field(name, before.as_deref(), value.text()));
        }
        for (name, value) in &person.attributes {
            let before = user.text(name);
            fields.extend(plan::field(name, before, value.as_str()));
        }
        Ok(plan::modification(&person.login, fields))
    }

    /// The sign-in name of somebody's manager.
    async fn manager_of(&self, user: &Resource) -> Result<Option<String>, Failure> {
        match user.enterprise("manager").and_then(|manager| manager.get("value")?.as_str()) {
            Some(id) => Ok(self.get(Kind::User, id).await?.and_then(|found| found.text("userName").map(str::to_owned))),
            None => Ok(None),
        }
    }
}

/// What a definition says of a person, by the names that SCIM has for it.
fn given(person: &Person) -> impl Iterator<Item = (&'static str, Given)> {
    let said = |value: &Option<String>| value.clone().map_or(Given::Unsaid, Given::Text);
    let all = [
        ("displayName", said(&person.name)),
        ("givenName", said(&person.given_name)),
        ("familyName", said(&person.family_name)),
        ("email", said(&person.email)),
        ("phone", said(&person.phone)),
        ("employeeNumber", said(&person.employee_number)),
        ("title", person.job_title.clone()),
        ("department", person.department.clone()),
        ("manager", person.manager.clone()),
    ];
    all.into_iter().filter(|(_, value)| !matches!(value, Given::Unsaid))
}

/// What the service has of it.
fn known(user: &Resource, name: &str) -> Option<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match name {
        "givenName" | "familyName" => user.get("name")?.get(name).and_then(text),
        "email" => user.work("emails").map(str::to_owned),
        "phone" => user.work("phoneNumbers").map(str::to_owned),
        "employeeNumber" | "department" => user.enterprise(name).and_then(text),
        _ => user.text(name).map(str::to_owned),
    }
}
