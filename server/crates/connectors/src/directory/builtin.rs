//! The portal's own users and teams as a directory.
//!
//! Every change commits together with the record that the call with this idempotency key happened, so that whether it
//! happened is always known exactly, and a repeated call returns the first one's output.

use domain::{TeamId, UserId, view::CallPlan};
use identity::passwords::{Person as PasswordOwner, violations};
use serde_json::{Value, json};
use store::{Store, UnitOfWork, access::Team, users::User};
use workflow::{RunError, StandardError};

use super::{
    DirectoryChange, Portal,
    links::{Behind, issue},
    operation::{Given, Operation, Person},
    plan,
};
use crate::{CallContext, Failure, registry::from_store};

/// What an operation did.
struct Effect {
    output: Value,
    /// The person that it is about.
    user: Option<UserId>,
}

impl Effect {
    fn of(user: UserId, output: Value) -> Self {
        Self { output, user: Some(user) }
    }

    fn without_person(output: Value) -> Self {
        Self { output, user: None }
    }
}

/// One call on the built-in directory.
pub(super) struct Builtin<'a> {
    pub(super) portal: &'a Portal,
    pub(super) context: &'a CallContext,
}

/// The output of the call with this idempotency key, if it happened.
pub(super) async fn recorded(store: &dyn Store, key: &str) -> Result<Option<Value>, Failure> {
    let mut unit = store.snapshot().await.map_err(|error| from_store(&error))?;
    recorded_in(&mut *unit, key).await
}

async fn recorded_in(unit: &mut dyn UnitOfWork, key: &str) -> Result<Option<Value>, Failure> {
    let text = unit.effect(key).await.map_err(|error| from_store(&error))?;
    Ok(text.map(|text| serde_json::from_str(&text).unwrap_or(Value::Null)))
}

impl Builtin<'_> {
    pub(super) async fn perform(&self, operation: Operation) -> Result<Value, Failure> {
        let store: &dyn Store = &*self.portal.store;
        if let Operation::Lookup { .. } | Operation::ListGroups { .. } | Operation::ListMembers { .. } = operation {
            let mut unit = store.snapshot().await.map_err(|error| from_store(&error))?;
            return self.read(&mut *unit, operation).await;
        }
        // Hashing takes long, and SQLite has one writer: no transaction is open meanwhile.
        let password_hash = self.hash_of(&operation).await?;
        let (name, subject) = (operation.name(), operation.subject());
        let mut unit = store.begin().await.map_err(|error| from_store(&error))?;
        if let Some(output) = recorded_in(&mut *unit, &self.context.key).await? {
            self.context.info(format!("{name} {subject}: done by an earlier attempt"));
            return Ok(output);
        }
        let effect = self.change(&mut *unit, operation, password_hash).await?;
        let change = DirectoryChange {
            run: self.context.run,
            reference: self.context.reference.clone(),
            operation: name,
            subject: subject.clone(),
            user: effect.user,
            at: self.context.clock.now(),
        };
        self.portal.recorder.record(&mut *unit, &change).await.map_err(|error| from_store(&error))?;
        unit.put_effect(&self.context.key, &effect.output.to_string(), change.at)
            .await
            .map_err(|error| from_store(&error))?;
        unit.commit().await.map_err(|error| from_store(&error))?;
        self.context.info(format!("{name} {subject}: done"));
        Ok(effect.output)
    }

    async fn read(&self, unit: &mut dyn UnitOfWork, operation: Operation) -> Result<Value, Failure> {
        match operation {
            Operation::Lookup { login } => {
                let found = find(unit, &login).await?;
                let user = match &found {
                    Some(user) => view(unit, user).await?,
                    None => Value::Null,
                };
                self.context.info(format!("lookup {login}: {}", if found.is_some() { "found" } else { "not there" }));
                Ok(json!({"found": found.is_some(), "user": user}))
            }
            Operation::ListGroups { login } => {
                let teams = match login {
                    Some(login) => {
                        let user = existing(unit, &login).await?;
                        unit.teams_of(user.id).await
                    }
                    None => unit.list_teams().await,
                }
                .map_err(|error| from_store(&error))?;
                let groups: Vec<Value> = teams.iter().map(group_view).collect();
                Ok(json!({"groups": groups}))
            }
            Operation::ListMembers { group } => members(unit, &group).await,
            _ => Err(Failure::configuration("this operation is no read")),
        }
    }

    /// What a change would come to, by reading only; none of what only reads.
    pub(super) async fn plan(&self, operation: &Operation) -> Result<Option<CallPlan>, Failure> {
        let mut unit = self.portal.store.snapshot().await.map_err(|error| from_store(&error))?;
        let unit = &mut *unit;
        Ok(Some(match operation {
            Operation::CreateUser(person) => {
                let login = person.login.to_lowercase();
                if find(unit, &login).await?.is_some() {
                    return Err(user_taken(&login));
                }
                manager(unit, person.manager.text()).await?;
                let name = person.name.as_deref().unwrap_or(&login);
                let fields = [
                    plan::field("name", None, Some(name)),
                    plan::field("email", None, person.email.as_deref()),
                    plan::field("manager", None, person.manager.text()),
                ];
                plan::creation(&login, fields.into_iter().flatten())
            }
            Operation::ModifyUser(person) => {
                let user = existing(unit, &person.login).await?;
                let mut fields = Vec::new();
                if let Some(name) = &person.name {
                    fields.extend(plan::field("name", Some(&user.name), Some(name)));
                }
                if let Some(email) = &person.email {
                    fields.extend(plan::field("email", user.email.as_deref(), Some(email)));
                }
                if !matches!(person.manager, Given::Unsaid) {
                    let to_be = manager(unit, person.manager.text()).await?;
                    if to_be == Some(user.id) {
                        return Err(Failure::refused(409, format!("{} cannot be the own manager", user.login)));
                    }
                    if to_be != user.manager_id {
                        let now = view(unit, &user).await?;
                        let before = now.get("manager").and_then(Value::as_str);
                        fields.extend(plan::field("manager", before, person.manager.text()));
                    }
                }
                plan::modification(&user.login, fields)
            }
            Operation::DisableUser { login } => plan::activity(login, existing(unit, login).await?.active, false),
            Operation::EnableUser { login } => plan::activity(login, existing(unit, login).await?.active, true),
            Operation::DeleteUser { login } => match find(unit, login).await? {
                Some(user) => {
                    let teams = unit.teams_of(user.id).await.map_err(|error| from_store(&error))?;
                    let names: Vec<String> = teams.into_iter().map(|team| team.name).collect();
                    plan::person_gone(login, Some(&names))
                }
                None => plan::person_gone(login, None),
            },
            Operation::CreateGroup { group, title, .. } => {
                let name = group.to_lowercase();
                if find_team(unit, &name).await?.is_some() {
                    return Err(team_taken(&name));
                }
                let title = title.as_deref().unwrap_or(group);
                plan::creation(&format!("the team {name}"), plan::field("title", None, Some(title)))
            }
            Operation::DeleteGroup { group } => match find_team(unit, group).await? {
                Some(team) => {
                    let members = unit.team_members(team.id).await.map_err(|error| from_store(&error))?;
                    plan::group_gone(group, true, Some(members.len()))
                }
                None => plan::group_gone(group, false, None),
            },
            Operation::AddMember { group, login } => {
                let (team, user) = (existing_team(unit, group).await?, existing(unit, login).await?);
                plan::membership(group, login, Some(is_member(unit, &team, &user).await?), true)
            }
            Operation::RemoveMember { group, login } => {
                let is = match (find_team(unit, group).await?, find(unit, login).await?) {
                    (Some(team), Some(user)) => is_member(unit, &team, &user).await?,
                    _ => false,
                };
                plan::membership(group, login, Some(is), false)
            }
            Operation::SetPassword { login, .. } => {
                existing(unit, login).await?;
                plan::password(login)
            }
            Operation::IssuePassword { login, .. } => {
                if !existing(unit, login).await?.active {
                    return Err(disabled(login));
                }
                CallPlan::changes(format!("{login} gets a link by which to choose another password"))
            }
            Operation::ExpirePassword { login } => {
                plan::password_expires(login, Some(existing(unit, login).await?.must_change_password))
            }
            Operation::RevokeSessions { login } => {
                existing(unit, login).await?;
                CallPlan::changes(format!("{login} is signed out everywhere, and the tokens of {login} are revoked"))
            }
            Operation::Lookup { .. } | Operation::ListGroups { .. } | Operation::ListMembers { .. } => return Ok(None),
        }))
    }

    async fn hash_of(&self, operation: &Operation) -> Result<Option<String>, Failure> {
        let Operation::SetPassword { login, password, .. } = operation else { return Ok(None) };
        let broken = violations(password, &PasswordOwner { login, name: login, email: None }, "/password");
        if !broken.is_empty() {
            let words: Vec<&str> = broken.iter().map(|error| error.message.as_str()).collect();
            return Err(Failure::permanent(RunError::new(StandardError::Validation, words.join(" "))));
        }
        let hash = self.portal.passwords.hash(password).await.map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "a password could not be hashed");
            Failure::retryable(RunError::new(StandardError::Runtime, "the password could not be hashed"))
        })?;
        Ok(Some(hash))
    }

    async fn change(
        &self,
        unit: &mut dyn UnitOfWork,
        operation: Operation,
        password_hash: Option<String>,
    ) -> Result<Effect, Failure> {
        match operation {
            Operation::CreateUser(person) => self.create_user(unit, person).await,
            Operation::ModifyUser(person) => self.modify_user(unit, person).await,
            Operation::DisableUser { login } => self.set_active(unit, &login, false).await,
            Operation::EnableUser { login } => self.set_active(unit, &login, true).await,
            Operation::DeleteUser { login } => delete_user(unit, &login).await,
            Operation::CreateGroup { group, title, owner } => {
                if owner.is_some() {
                    self.context.info("the built-in directory keeps no owners of groups");
                }
                self.create_group(unit, group, title).await
            }
            Operation::DeleteGroup { group } => {
                let team = find_team(unit, &group).await?;
                if let Some(team) = &team {
                    unit.delete_team(team.id).await.map_err(|error| from_store(&error))?;
                }
                Ok(Effect::without_person(json!({"deleted": team.is_some()})))
            }
            Operation::AddMember { group, login } => {
                let (team, user) = (existing_team(unit, &group).await?, existing(unit, &login).await?);
                let added = unit.add_member(team.id, user.id).await.map_err(|error| from_store(&error))?;
                Ok(Effect::of(user.id, json!({"added": added})))
            }
            Operation::RemoveMember { group, login } => {
                let (Some(team), Some(user)) = (find_team(unit, &group).await?, find(unit, &login).await?) else {
                    return Ok(Effect::without_person(json!({"removed": false})));
                };
                let removed = unit.remove_member(team.id, user.id).await.map_err(|error| from_store(&error))?;
                Ok(Effect::of(user.id, json!({"removed": removed})))
            }
            Operation::SetPassword { login, must_change, .. } => {
                let mut user = existing(unit, &login).await?;
                user.password_hash = password_hash;
                user.must_change_password = must_change.unwrap_or(true);
                self.save(unit, &mut user).await?;
                unit.revoke_sessions_of(user.id, None).await.map_err(|error| from_store(&error))?;
                Ok(Effect::of(user.id, json!({"changed": true})))
            }
            Operation::IssuePassword { login, .. } => {
                let user = existing(unit, &login).await?;
                if !user.active {
                    return Err(disabled(&login));
                }
                let output = issue(unit, self.portal, self.context, Behind::Account(user.id))
                    .await
                    .map_err(|error| from_store(&error))?;
                Ok(Effect::of(user.id, output))
            }
            Operation::ExpirePassword { login } => {
                let mut user = existing(unit, &login).await?;
                let changed = !user.must_change_password;
                user.must_change_password = true;
                self.save(unit, &mut user).await?;
                Ok(Effect::of(user.id, json!({"changed": changed})))
            }
            Operation::RevokeSessions { login } => {
                let user = existing(unit, &login).await?;
                let (sessions, tokens) = self.revoke(unit, user.id).await?;
                Ok(Effect::of(user.id, json!({"sessions": sessions, "tokens": tokens})))
            }
            Operation::Lookup { .. } | Operation::ListGroups { .. } | Operation::ListMembers { .. } => {
                Err(Failure::configuration("this operation changes nothing"))
            }
        }
    }

    async fn create_user(&self, unit: &mut dyn UnitOfWork, person: Person) -> Result<Effect, Failure> {
        let login = person.login.to_lowercase();
        if find(unit, &login).await?.is_some() {
            return Err(user_taken(&login));
        }
        self.tell_what_is_not_kept(&person);
        let manager_id = manager(unit, person.manager.text()).await?;
        let now = self.context.clock.now();
        let user = User {
            id: UserId::new(&*self.context.ids),
            name: person.name.unwrap_or_else(|| login.clone()),
            login,
            email: person.email,
            active: true,
            password_hash: None,
            must_change_password: false,
            manager_id,
            locale: None,
            theme: None,
            created_at: now,
            updated_at: now,
            last_sign_in_at: None,
        };
        unit.insert_user(&user).await.map_err(|error| from_store(&error))?;
        Ok(Effect::of(user.id, json!({"created": true, "user": view(unit, &user).await?})))
    }

    async fn modify_user(&self, unit: &mut dyn UnitOfWork, person: Person) -> Result<Effect, Failure> {
        let mut user = existing(unit, &person.login).await?;
        self.tell_what_is_not_kept(&person);
        if !matches!(person.manager, Given::Unsaid) {
            let manager_id = manager(unit, person.manager.text()).await?;
            if manager_id == Some(user.id) {
                return Err(Failure::refused(409, format!("{} cannot be the own manager", user.login)));
            }
            user.manager_id = manager_id;
        }
        if let Some(name) = person.name {
            user.name = name;
        }
        if person.email.is_some() {
            user.email = person.email;
        }
        self.save(unit, &mut user).await?;
        Ok(Effect::of(user.id, json!({"user": view(unit, &user).await?})))
    }

    async fn set_active(&self, unit: &mut dyn UnitOfWork, login: &str, active: bool) -> Result<Effect, Failure> {
        let mut user = existing(unit, login).await?;
        let changed = user.active != active;
        user.active = active;
        self.save(unit, &mut user).await?;
        if !active {
            let (sessions, tokens) = self.revoke(unit, user.id).await?;
            self.context.info(format!("{login}: {sessions} sessions ended, {tokens} tokens revoked"));
        }
        Ok(Effect::of(user.id, json!({"changed": changed, "user": view(unit, &user).await?})))
    }

    async fn create_group(
        &self,
        unit: &mut dyn UnitOfWork,
        group: String,
        title: Option<String>,
    ) -> Result<Effect, Failure> {
        let name = group.to_lowercase();
        if find_team(unit, &name).await?.is_some() {
            return Err(team_taken(&name));
        }
        let team = Team {
            id: TeamId::new(&*self.context.ids),
            title: title.unwrap_or(group),
            name,
            created_at: self.context.clock.now(),
        };
        unit.insert_team(&team).await.map_err(|error| from_store(&error))?;
        Ok(Effect::without_person(json!({"created": true, "group": group_view(&team)})))
    }

    /// Ends sessions, tokens and unused links; how many of the first two.
    async fn revoke(&self, unit: &mut dyn UnitOfWork, user: UserId) -> Result<(u64, u64), Failure> {
        let now = self.context.clock.now();
        let sessions = unit.revoke_sessions_of(user, None).await.map_err(|error| from_store(&error))?;
        let tokens = unit.revoke_tokens_of(user, now).await.map_err(|error| from_store(&error))?;
        unit.revoke_links_of(user, now).await.map_err(|error| from_store(&error))?;
        Ok((sessions, tokens))
    }

    async fn save(&self, unit: &mut dyn UnitOfWork, user: &mut User) -> Result<(), Failure> {
        user.updated_at = self.context.clock.now();
        unit.update_user(user).await.map_err(|error| from_store(&error))
    }

    fn tell_what_is_not_kept(&self, person: &Person) {
        if person.has_more_than_the_builtin_keeps() {
            self.context.info("the built-in directory keeps name, mail address and manager; the rest is not stored");
        }
    }
}

async fn delete_user(unit: &mut dyn UnitOfWork, login: &str) -> Result<Effect, Failure> {
    let Some(user) = find(unit, login).await? else {
        return Ok(Effect::without_person(json!({"deleted": false})));
    };
    match unit.delete_user(user.id).await {
        Ok(()) => Ok(Effect::of(user.id, json!({"deleted": true}))),
        Err(store::StoreError::Reference(_)) => Err(Failure::refused(
            409,
            format!("{login} has requests, decisions or reports on record and cannot be deleted; disable the account"),
        )),
        Err(error) => Err(from_store(&error)),
    }
}

fn user_taken(login: &str) -> Failure {
    Failure::refused(409, format!("there is already a person with the sign-in name {login}"))
}

fn team_taken(name: &str) -> Failure {
    Failure::refused(409, format!("there is already a team {name}"))
}

fn disabled(login: &str) -> Failure {
    Failure::refused(409, format!("{login} is disabled; enable the account first"))
}

async fn is_member(unit: &mut dyn UnitOfWork, team: &Team, user: &User) -> Result<bool, Failure> {
    Ok(unit.team_members(team.id).await.map_err(|error| from_store(&error))?.contains(&user.id))
}

async fn find(unit: &mut dyn UnitOfWork, login: &str) -> Result<Option<User>, Failure> {
    unit.user_by_login(login).await.map_err(|error| from_store(&error))
}

async fn existing(unit: &mut dyn UnitOfWork, login: &str) -> Result<User, Failure> {
    find(unit, login)
        .await?
        .ok_or_else(|| Failure::refused(404, format!("there is no person with the sign-in name {login}")))
}

async fn find_team(unit: &mut dyn UnitOfWork, name: &str) -> Result<Option<Team>, Failure> {
    unit.team_by_name(&name.to_lowercase()).await.map_err(|error| from_store(&error))
}

async fn existing_team(unit: &mut dyn UnitOfWork, name: &str) -> Result<Team, Failure> {
    find_team(unit, name).await?.ok_or_else(|| Failure::refused(404, format!("there is no team {name}")))
}

async fn manager(unit: &mut dyn UnitOfWork, login: Option<&str>) -> Result<Option<UserId>, Failure> {
    match login {
        Some(login) => existing(unit, login).await.map(|user| Some(user.id)),
        None => Ok(None),
    }
}

async fn view(unit: &mut dyn UnitOfWork, user: &User) -> Result<Value, Failure> {
    let manager = match user.manager_id {
        Some(id) => unit.user(id).await.map_err(|error| from_store(&error))?.map(|manager| manager.login),
        None => None,
    };
    let teams = unit.teams_of(user.id).await.map_err(|error| from_store(&error))?;
    let groups: Vec<&str> = teams.iter().map(|team| team.name.as_str()).collect();
    Ok(json!({
        "id": user.id,
        "login": user.login,
        "name": user.name,
        "email": user.email,
        "active": user.active,
        "manager": manager,
        "department": null,
        "jobTitle": null,
        "groups": groups,
    }))
}

async fn members(unit: &mut dyn UnitOfWork, group: &str) -> Result<Value, Failure> {
    let team = existing_team(unit, group).await?;
    let mut members = Vec::new();
    for id in unit.team_members(team.id).await.map_err(|error| from_store(&error))? {
        if let Some(user) = unit.user(id).await.map_err(|error| from_store(&error))? {
            members.push(json!({
                "id": user.id, "login": user.login, "name": user.name, "email": user.email, "active": user.active,
            }));
        }
    }
    members.sort_by(|a, b| a["login"].as_str().cmp(&b["login"].as_str()));
    Ok(json!({"group": group_view(&team), "owner": null, "members": members}))
}

fn group_view(team: &Team) -> Value {
    json!({"name": team.name, "title": team.title})
}
