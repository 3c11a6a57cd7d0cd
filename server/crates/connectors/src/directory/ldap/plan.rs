//! What a change would come to, found by searches alone.

use std::collections::BTreeSet;

use domain::view::{CallPlan, PlannedField};
use ldap3::Scope;

use super::{
    groups::group_taken,
    people::{Attributes, is_active, person_taken, values},
    session::Session,
};
use crate::{
    Failure,
    directory::{
        operation::{Operation, Person},
        plan,
    },
};

impl Session {
    /// What an operation would change; none of one that only reads.
    pub(super) async fn plan(&mut self, operation: &Operation) -> Result<Option<CallPlan>, Failure> {
        Ok(Some(match operation {
            Operation::CreateUser(person) => self.plan_creation(person).await?,
            Operation::ModifyUser(person) => self.plan_modification(person).await?,
            Operation::DisableUser { login } => self.plan_activity(login, false).await?,
            Operation::EnableUser { login } => self.plan_activity(login, true).await?,
            Operation::DeleteUser { login } => match self.find_user(login).await? {
                Some(entry) => plan::person_gone(login, Some(&self.group_names_of(&entry.dn).await?)),
                None => plan::person_gone(login, None),
            },
            Operation::CreateGroup { group, title, owner } => {
                if self.find_group(group).await?.is_some() {
                    return Err(group_taken(group));
                }
                if let Some(owner) = owner {
                    self.existing_user(owner).await?;
                }
                let dn = self.settings.group_dn(group);
                let fields = [
                    plan::field("dn", None, Some(&dn)),
                    plan::field("title", None, title.as_deref()),
                    plan::field("owner", None, owner.as_deref()),
                ];
                plan::creation(&format!("the group {group}"), fields.into_iter().flatten())
            }
            Operation::DeleteGroup { group } => plan::group_gone(group, self.find_group(group).await?.is_some(), None),
            Operation::AddMember { group, login } => {
                let (found, user) = (self.existing_group(group).await?.dn, self.existing_user(login).await?.dn);
                plan::membership(group, login, Some(self.is_member(&found, &user).await?), true)
            }
            Operation::RemoveMember { group, login } => {
                let is = match (self.find_group(group).await?, self.find_user(login).await?) {
                    (Some(found), Some(user)) => self.is_member(&found.dn, &user.dn).await?,
                    _ => false,
                };
                plan::membership(group, login, Some(is), false)
            }
            Operation::SetPassword { login, .. } | Operation::IssuePassword { login, .. } => {
                self.existing_user(login).await?;
                plan::password(login)
            }
            Operation::ExpirePassword { login } => {
                self.existing_user(login).await?;
                plan::password_expires(login, None)
            }
            Operation::RevokeSessions { login } => {
                self.existing_user(login).await?;
                CallPlan::nothing("an LDAP directory keeps no sessions; disable the account to refuse new ones")
            }
            Operation::Lookup { .. } | Operation::ListGroups { .. } | Operation::ListMembers { .. } => return Ok(None),
        }))
    }

    async fn plan_creation(&mut self, person: &Person) -> Result<CallPlan, Failure> {
        if self.find_user(&person.login).await?.is_some() {
            return Err(person_taken(&person.login));
        }
        let name = person.name.as_deref().unwrap_or(&person.login);
        let dn = self.settings.user_dn(&person.login, name);
        let set = self.wanted(person).await?;
        let mut fields = vec![PlannedField::new("dn", None, Some(dn))];
        fields.extend(set.iter().filter_map(|(name, values)| plan::field(&name, None, Some(&listed(values.iter())))));
        Ok(plan::creation(&person.login, fields))
    }

    /// Compares each attribute that would be replaced with what is there.
    async fn plan_modification(&mut self, person: &Person) -> Result<CallPlan, Failure> {
        let dn = self.existing_user(&person.login).await?.dn;
        let set = self.wanted(person).await?;
        let names: Vec<String> = set.iter().map(|(name, _)| name).collect();
        if names.is_empty() {
            return Ok(plan::modification(&person.login, Vec::new()));
        }
        let asked: Vec<&str> = names.iter().map(String::as_str).collect();
        let found = self.search_at(&dn, Scope::Base, "(objectClass=*)", &asked).await?;
        let entry = found.first().ok_or_else(|| {
            Failure::refused(404, format!("there is nobody with the sign-in name {} any more", person.login))
        })?;
        let changed = set.iter().filter_map(|(name, wanted)| {
            let there: BTreeSet<String> = values(entry, &name).map(str::to_owned).collect();
            plan::field(&name, Some(&listed(there.iter())), Some(&listed(wanted.iter())))
        });
        Ok(plan::modification(&person.login, changed.collect()))
    }

    async fn plan_activity(&mut self, login: &str, to_be: bool) -> Result<CallPlan, Failure> {
        let entry = self.existing_user(login).await?;
        Ok(plan::activity(login, is_active(&self.settings, &entry), to_be))
    }
}

impl Attributes {
    /// Names with their values, in the order of texts. What is no text is not shown as one.
    fn iter(&self) -> impl Iterator<Item = (String, BTreeSet<String>)> {
        self.0.iter().map(|(name, values)| {
            let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
            (text(name), values.iter().map(text).collect())
        })
    }
}

fn listed<'a>(values: impl Iterator<Item = &'a String>) -> String {
    values.map(String::as_str).collect::<Vec<_>>().join("; ")
}
