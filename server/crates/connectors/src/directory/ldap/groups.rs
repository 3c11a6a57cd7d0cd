//! Groups in a directory behind LDAP.

use std::collections::HashSet;

use ldap3::{Mod, Scope, SearchEntry, ldap_escape};
use serde_json::{Value, json};

use super::{
    people::{carries, first, marker, values},
    refusal::{code, refused},
    session::{Session, accept, class_filter},
};
use crate::Failure;

/// Stands in a group that has nobody, where the schema wants at least one member: the empty DN is nobody.
const NOBODY: &str = "";
/// The attribute that lists the members.
const MEMBER: &str = "member";
/// More members than these are never listed.
const MEMBERS: usize = 1_000;

impl Session {
    pub(super) async fn find_group(&mut self, group: &str) -> Result<Option<SearchEntry>, Failure> {
        let class = class_filter(&self.settings.group_classes);
        let key_attribute = self.settings.key_attribute.clone();
        let filter = format!("(&{class}(cn={}))", ldap_escape(group));
        let mut found = self.search(&filter, &["cn", "description", &key_attribute]).await?;
        if found.len() > 1 {
            return Err(Failure::refused(409, format!("{} groups have the name {group}", found.len())));
        }
        Ok(found.pop())
    }

    pub(super) async fn existing_group(&mut self, group: &str) -> Result<SearchEntry, Failure> {
        self.find_group(group).await?.ok_or_else(|| Failure::refused(404, format!("there is no group {group}")))
    }

    /// The output of `createGroup` with this key, if it happened.
    pub(super) async fn created_group(&mut self, group: &str, key: &str) -> Result<Option<Value>, Failure> {
        let entry = self.find_group(group).await?;
        Ok(entry.filter(|entry| carries(entry, &self.settings.key_attribute, key)).map(|entry| created(&entry)))
    }

    pub(super) async fn create_group(
        &mut self,
        group: &str,
        title: Option<&str>,
        owner: Option<&str>,
        key: &str,
    ) -> Result<Value, Failure> {
        if let Some(entry) = self.find_group(group).await? {
            return if carries(&entry, &self.settings.key_attribute, key) {
                Ok(created(&entry))
            } else {
                Err(group_taken(group))
            };
        }
        let dn = self.settings.group_dn(group);
        let text = |value: &str| value.as_bytes().to_vec();
        let one = |name: &str, value: &str| (text(name), HashSet::from([text(value)]));
        let classes = self.settings.group_classes.iter().map(|class| text(class)).collect();
        let mut attributes = vec![(text("objectClass"), classes), one("cn", group)];
        // Both may go to the same attribute, which then has two values.
        let mut described: HashSet<Vec<u8>> = title.map(text).into_iter().collect();
        let key_attribute = self.settings.key_attribute.clone();
        if key_attribute.eq_ignore_ascii_case("description") && !self.settings.is_active_directory() {
            described.insert(text(&marker(key)));
        } else if key_attribute.eq_ignore_ascii_case("description") {
            // There a description has one value, and knowing one's own work matters more.
            described = HashSet::from([text(&marker(key))]);
        } else {
            attributes.push(one(&key_attribute, &marker(key)));
        }
        if !described.is_empty() {
            attributes.push((text("description"), described));
        }
        if let Some(owner) = owner {
            let dn = self.existing_user(owner).await?.dn;
            attributes.push(one(self.settings.owner_attribute(), &dn));
        }
        if self.settings.is_active_directory() {
            attributes.push(one("sAMAccountName", group));
        } else {
            attributes.push(one(MEMBER, NOBODY));
        }
        let result = self.add(&dn, attributes).await?;
        accept(&result, "the new group")?;
        let made = self.existing_group(group).await;
        // The group is there: whatever breaks now leaves only the question how the entry looks.
        made.map(|entry| created(&entry)).map_err(|failure| Failure::unknown(*failure.error))
    }

    pub(super) async fn delete_group(&mut self, group: &str) -> Result<Value, Failure> {
        let Some(entry) = self.find_group(group).await? else { return Ok(json!({"deleted": false})) };
        Ok(json!({"deleted": self.delete(&entry.dn).await?}))
    }

    pub(super) async fn add_member(&mut self, group: &str, login: &str) -> Result<Value, Failure> {
        let group = self.existing_group(group).await?.dn;
        let user = self.existing_user(login).await?.dn;
        let change = Mod::Add(MEMBER.as_bytes().to_vec(), HashSet::from([user.as_bytes().to_vec()]));
        let result = self.modify(&group, vec![change]).await?;
        if result.rc == code::SUCCESS {
            return Ok(json!({"added": true}));
        }
        // Servers say in different ways that somebody is a member already; what counts is that it is so.
        if self.is_member(&group, &user).await? {
            return Ok(json!({"added": false}));
        }
        Err(refused(&result, "the new member"))
    }

    pub(super) async fn remove_member(&mut self, group: &str, login: &str) -> Result<Value, Failure> {
        let (Some(group), Some(user)) = (self.find_group(group).await?, self.find_user(login).await?) else {
            return Ok(json!({"removed": false}));
        };
        Ok(json!({"removed": self.leave(&group.dn, &user.dn).await?}))
    }

    pub(super) async fn leave_all_groups(&mut self, user: &str) -> Result<(), Failure> {
        for group in self.groups_of(user).await? {
            self.leave(&group.dn, user).await?;
        }
        Ok(())
    }

    pub(super) async fn list_groups(&mut self, login: Option<&str>) -> Result<Value, Failure> {
        let entries = if let Some(login) = login {
            let user = self.existing_user(login).await?.dn;
            self.groups_of(&user).await?
        } else {
            let class = class_filter(&self.settings.group_classes);
            self.search(&class, &["cn", "description"]).await?
        };
        let mut groups: Vec<Value> = entries.iter().map(view).collect();
        groups.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
        Ok(json!({"groups": groups}))
    }

    /// Who, and what else, is directly in a group, with the group's owner.
    pub(super) async fn list_members(&mut self, group: &str) -> Result<Value, Failure> {
        let dn = self.existing_group(group).await?.dn;
        let owner = self.settings.owner_attribute();
        let found = self.search_at(&dn, Scope::Base, "(objectClass=*)", &["cn", "description", MEMBER, owner]).await?;
        let entry = found
            .into_iter()
            .next()
            .ok_or_else(|| Failure::refused(404, format!("the group {group} is not there any more")))?;
        let listed: Vec<String> =
            values(&entry, MEMBER).filter(|member| *member != NOBODY).map(str::to_owned).collect();
        // Active Directory gives long lists in parts, under a name such as `member;range=0-1499`.
        let in_parts = entry.attrs.keys().any(|name| name.to_ascii_lowercase().starts_with("member;range="));
        if in_parts || listed.len() > MEMBERS {
            let words = format!("the group {group} has more than {MEMBERS} members, too many to be listed");
            return Err(Failure::refused(413, format!("{words}; divide it into smaller groups")));
        }
        let mut members = Vec::with_capacity(listed.len());
        for member in &listed {
            members.push(self.member_view(member).await?);
        }
        members.sort_by(|a, b| (a["login"].as_str(), a["id"].as_str()).cmp(&(b["login"].as_str(), b["id"].as_str())));
        let owner = self.login_behind(first(&entry, owner)).await?;
        Ok(json!({"group": view(&entry), "owner": owner, "members": members}))
    }

    /// The names of the groups that a person is directly in, sorted.
    pub(super) async fn group_names_of(&mut self, user: &str) -> Result<Vec<String>, Failure> {
        let mut names: Vec<String> =
            self.groups_of(user).await?.iter().filter_map(|entry| first(entry, "cn")).collect();
        names.sort_unstable();
        Ok(names)
    }

    async fn groups_of(&mut self, user: &str) -> Result<Vec<SearchEntry>, Failure> {
        let class = class_filter(&self.settings.group_classes);
        let filter = format!("(&{class}({MEMBER}={}))", ldap_escape(user));
        self.search(&filter, &["cn", "description"]).await
    }

    pub(super) async fn is_member(&mut self, group: &str, user: &str) -> Result<bool, Failure> {
        let filter = format!("({MEMBER}={})", ldap_escape(user));
        Ok(!self.search_at(group, Scope::Base, &filter, &["1.1"]).await?.is_empty())
    }

    async fn leave(&mut self, group: &str, user: &str) -> Result<bool, Failure> {
        if !self.is_member(group, user).await? {
            return Ok(false);
        }
        let member = || MEMBER.as_bytes().to_vec();
        let gone = Mod::Delete(member(), HashSet::from([user.as_bytes().to_vec()]));
        let result = self.modify(group, vec![gone]).await?;
        if result.rc != code::OBJECT_CLASS {
            return accept(&result, "to remove the member").map(|()| true);
        }
        // The last member of a group whose schema wants one: nobody takes the place, in the same change.
        let swap = vec![
            Mod::Add(member(), HashSet::from([NOBODY.as_bytes().to_vec()])),
            Mod::Delete(member(), HashSet::from([user.as_bytes().to_vec()])),
        ];
        let result = self.modify(group, swap).await?;
        accept(&result, "to remove the last member").map(|()| true)
    }
}

pub(super) fn group_taken(group: &str) -> Failure {
    Failure::refused(409, format!("there is already a group {group}"))
}

fn created(entry: &SearchEntry) -> Value {
    json!({"created": true, "group": view(entry)})
}

fn view(entry: &SearchEntry) -> Value {
    let name = first(entry, "cn").unwrap_or_default();
    let title = entry
        .attrs
        .iter()
        .filter(|(attribute, _)| attribute.eq_ignore_ascii_case("description"))
        .flat_map(|(_, values)| values)
        .find(|value| !value.starts_with("rondo:"))
        .cloned()
        .unwrap_or_else(|| name.clone());
    json!({"name": name, "title": title})
}
