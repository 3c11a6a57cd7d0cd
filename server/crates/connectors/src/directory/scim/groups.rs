//! Groups in a directory behind SCIM.

use serde_json::{Value, json};

use super::{
    resource::{GROUP, Resource, is, mark},
    service::{ATTEMPTS, Changed, Created, Kind, Service, contended},
};
use crate::Failure;

impl Service<'_> {
    pub(super) async fn find_group(&self, group: &str) -> Result<Option<Resource>, Failure> {
        self.only(Kind::Group, &is("displayName", group), &format!("a group called {group}")).await
    }

    pub(super) async fn existing_group(&self, group: &str) -> Result<Resource, Failure> {
        self.find_group(group).await?.ok_or_else(|| Failure::refused(404, format!("there is no group {group}")))
    }

    /// The output of `createGroup` with this key, if it happened.
    pub(super) async fn created_group(&self, group: &str, key: &str) -> Result<Option<Value>, Failure> {
        Ok(self.find_group(group).await?.filter(|found| found.carries(key)).map(|found| created(&found)))
    }

    /// Creates a group, unless an earlier attempt did. Two groups of one name are two to SCIM, and one to people.
    pub(super) async fn create_group(&self, group: &str, key: &str) -> Result<Value, Failure> {
        let taken = || Failure::refused(409, format!("there is already a group {group}"));
        if let Some(found) = self.find_group(group).await? {
            return if found.carries(key) { Ok(created(&found)) } else { Err(taken()) };
        }
        let document = json!({"schemas": [GROUP], "displayName": group, "externalId": mark(key)});
        match self.create(Kind::Group, &document).await? {
            Created::Made(made) => Ok(created(&made)),
            Created::Taken => self.created_group(group, key).await?.ok_or_else(taken),
        }
    }

    pub(super) async fn delete_group(&self, group: &str) -> Result<Value, Failure> {
        let Some(found) = self.find_group(group).await? else { return Ok(json!({"deleted": false})) };
        Ok(json!({"deleted": self.delete(Kind::Group, &found.id).await?}))
    }

    pub(super) async fn add_member(&self, group: &str, login: &str) -> Result<Value, Failure> {
        let user = self.existing_user(login).await?;
        let operation = [json!({"op": "add", "path": "members", "value": [{"value": user.id}]})];
        for _ in 0..ATTEMPTS {
            let group = self.existing_group(group).await?;
            let added = self.is_member(&group, &user.id).await? != Some(true);
            if !added || self.patch(Kind::Group, &group, &operation).await? == Changed::Done {
                return Ok(json!({"added": added}));
            }
        }
        Err(contended())
    }

    pub(super) async fn remove_member(&self, group: &str, login: &str) -> Result<Value, Failure> {
        let (Some(group), Some(user)) = (self.find_group(group).await?, self.find_user(login).await?) else {
            return Ok(json!({"removed": false}));
        };
        Ok(json!({"removed": self.leave(&group.id, &user.id).await?}))
    }

    /// Takes a person out of a group, both by their ids; false if the person was surely not in it.
    pub(super) async fn leave(&self, group: &str, user: &str) -> Result<bool, Failure> {
        let operation = [json!({"op": "remove", "path": format!("members[{}]", is("value", user))})];
        for _ in 0..ATTEMPTS {
            let Some(group) = self.get(Kind::Group, group).await? else { return Ok(false) };
            // Where nobody can say whether the person is in it, they are taken out.
            let removed = self.is_member(&group, user).await? != Some(false);
            if !removed || self.patch(Kind::Group, &group, &operation).await? == Changed::Done {
                return Ok(removed);
            }
        }
        Err(contended())
    }

    pub(super) async fn list_groups(&self, login: Option<&str>) -> Result<Value, Failure> {
        let mut groups: Vec<Value> = match login {
            Some(login) => {
                let user = self.existing_user(login).await?;
                let groups = self.groups_of(&user).await?;
                groups.into_iter().map(|(_, name)| json!({"name": name, "title": name})).collect()
            }
            None => self.search(Kind::Group, None).await?.iter().map(Resource::as_group).collect(),
        };
        groups.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
        Ok(json!({"groups": groups}))
    }

    /// Who, and what else, is directly in a group. SCIM knows no owners.
    pub(super) async fn list_members(&self, group: &str) -> Result<Value, Failure> {
        let group = self.existing_group(group).await?;
        let mut members = Vec::new();
        for (id, name) in members_of(&group) {
            let person = self.get(Kind::User, id).await?;
            members.push(person.map_or_else(
                || json!({"id": id, "login": null, "name": name, "email": null, "active": false}),
                |person| person.as_member(),
            ));
        }
        members.sort_by(|a, b| (a["login"].as_str(), a["id"].as_str()).cmp(&(b["login"].as_str(), b["id"].as_str())));
        Ok(json!({"group": group.as_group(), "owner": null, "members": members}))
    }

    /// The names of the groups that a person is directly in, sorted.
    pub(super) async fn group_names_of(&self, user: &Resource) -> Result<Vec<String>, Failure> {
        let mut names: Vec<String> = self.groups_of(user).await?.into_iter().map(|(_, name)| name).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The groups that a person is directly in: id and name.
    pub(super) async fn groups_of(&self, user: &Resource) -> Result<Vec<(String, String)>, Failure> {
        match self.search(Kind::Group, Some(&is("members.value", &user.id))).await {
            Ok(groups) => Ok(groups.into_iter().map(|group| (group.id.clone(), group.name())).collect()),
            // A service that does not search by members says of each person in which groups they are.
            Err(failure) if matches!(failure.error.status, 400 | 501) => {
                let listed = user.get("groups").and_then(Value::as_array).ok_or(failure)?;
                let direct = listed.iter().filter(|group| group.get("type").is_none_or(|kind| kind == "direct"));
                Ok(direct
                    .filter_map(|group| {
                        let id = group.get("value")?.as_str()?;
                        let name = group.get("display").and_then(Value::as_str).unwrap_or(id);
                        Some((id.to_owned(), name.to_owned()))
                    })
                    .collect())
            }
            Err(failure) => Err(failure),
        }
    }

    /// Some services never show the members of a group, and are asked whether this one is among them; none where they
    /// cannot say that either.
    pub(super) async fn is_member(&self, group: &Resource, user: &str) -> Result<Option<bool>, Failure> {
        if group.get("members").is_some() {
            return Ok(Some(members_of(group).any(|(id, _)| id == user)));
        }
        let condition = format!("{} and {}", is("id", &group.id), is("members.value", user));
        match self.search(Kind::Group, Some(&condition)).await {
            Ok(found) => Ok(Some(!found.is_empty())),
            Err(failure) if matches!(failure.error.status, 400 | 501) => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

/// The ids of who is in a group, with their names.
fn members_of(group: &Resource) -> impl Iterator<Item = (&str, &str)> {
    let listed = group.get("members").and_then(Value::as_array).into_iter().flatten();
    listed.filter_map(|member| {
        let id = member.get("value")?.as_str()?;
        Some((id, member.get("display").and_then(Value::as_str).unwrap_or(id)))
    })
}

fn created(group: &Resource) -> Value {
    json!({"created": true, "group": group.as_group()})
}
