//! People, teams and grants.

use audit::Detail;
use domain::{
    ErrorCode, GrantId, Operation, Problem, Role, Scope, TeamId, Timestamp, UserId,
    view::{GrantView, Page, TeamView, UserView},
};
use policy::Resource;
use serde_json::{Value, json};
use store::{
    UnitOfWork,
    access::{Grant, Subject, Team},
    users::User,
};

use crate::{
    Caller, Gate, Service,
    account::grant_view,
    cursor,
    gate::Target,
    people::{all_right, check_login, check_name_and_email, field, user_view},
    problems::{OrProblem as _, not_found},
    separation::must_stay_apart,
    views,
};

/// A person to be created.
#[derive(Clone, Debug, Default)]
pub struct NewUser {
    /// Sign-in name.
    pub login: String,
    /// Name for people.
    pub name: String,
    /// Mail address.
    pub email: Option<String>,
    /// The manager's sign-in name.
    pub manager: Option<String>,
}

/// What becomes of a person.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    /// Name for people.
    pub name: String,
    /// Mail address.
    pub email: Option<String>,
    /// The manager's sign-in name.
    pub manager: Option<String>,
}

fn user_target(user: &User) -> Target {
    Target::new("user", user.id, user.login.clone())
}

fn optional(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

impl Service {
    /// People in order of sign-in name.
    pub async fn users(
        &self,
        caller: &Caller,
        search: Option<String>,
        cursor: Option<&str>,
        limit: Option<u32>,
    ) -> Result<Page<UserView>, Problem> {
        let mut gate = self.look(caller, Operation::UserList).await?;
        gate.authorize(&Resource::system(), &Target::new("users", "", "")).await?;
        let limit = cursor::limit(limit);
        let after: Option<String> = cursor::decode(cursor)?;
        let search = optional(search);
        let rows = gate.unit.list_users(search.as_deref(), after.as_deref(), limit + 1).await.or_problem()?;
        let page = cursor::page(rows, limit, |user| user.login.clone());
        let mut items = Vec::with_capacity(page.items.len());
        for user in &page.items {
            items.push(user_view(gate.unit.as_mut(), user).await?);
        }
        Ok(Page { items, next: page.next })
    }

    /// One person.
    pub async fn user(&self, caller: &Caller, id: UserId) -> Result<UserView, Problem> {
        let mut gate = self.look(caller, Operation::UserList).await?;
        gate.authorize(&Resource::system(), &Target::new("user", id, "")).await?;
        let user = self.known_user(gate.unit.as_mut(), id).await?;
        user_view(gate.unit.as_mut(), &user).await
    }

    /// Creates a person without a password, and a link (path within the portal) by which they set one.
    pub async fn create_user(&self, caller: &Caller, new: NewUser) -> Result<(UserView, String), Problem> {
        let login = new.login.trim().to_lowercase();
        let email = optional(new.email);
        let mut errors = check_login(&login);
        errors.extend(check_name_and_email(&new.name, email.as_deref()));
        all_right(errors)?;
        let mut gate = self.enter(caller, Operation::UserCreate).await?;
        let target = Target::new("user", "", login.clone());
        gate.authorize(&Resource::system(), &target).await?;
        if gate.unit.user_by_login(&login).await.or_problem()?.is_some() {
            all_right(vec![field("/login", "unique", Value::Null, "this sign-in name is taken")])?;
        }
        let user = User {
            id: UserId::new(self.ids()),
            login,
            name: new.name.trim().to_owned(),
            email,
            active: true,
            password_hash: None,
            must_change_password: false,
            manager_id: manager(gate.unit.as_mut(), optional(new.manager), None).await?,
            locale: None,
            theme: None,
            created_at: gate.now,
            updated_at: gate.now,
            last_sign_in_at: None,
        };
        gate.unit.insert_user(&user).await.or_problem()?;
        let link = self.password_link(gate.unit.as_mut(), user.id).await?;
        let view = user_view(gate.unit.as_mut(), &user).await?;
        gate.finish(&user_target(&user), personal(user.id, json!({"after": facts(&user)}))).await?;
        self.administration_changed();
        Ok((view, link))
    }

    /// Changes a person's name, mail address and manager.
    pub async fn update_user(&self, caller: &Caller, id: UserId, change: UserChange) -> Result<UserView, Problem> {
        let email = optional(change.email);
        all_right(check_name_and_email(&change.name, email.as_deref()))?;
        let (mut gate, mut user) = self.enter_user(caller, id, Operation::UserUpdate).await?;
        let before = facts(&user);
        change.name.trim().clone_into(&mut user.name);
        user.email = email;
        user.manager_id = manager(gate.unit.as_mut(), optional(change.manager), Some(id)).await?;
        user.updated_at = gate.now;
        gate.unit.update_user(&user).await.or_problem()?;
        let view = user_view(gate.unit.as_mut(), &user).await?;
        gate.finish(&user_target(&user), personal(user.id, json!({"before": before, "after": facts(&user)}))).await?;
        self.administration_changed();
        Ok(view)
    }

    /// Disables a person, which signs them out everywhere and revokes their tokens, or enables them again.
    pub async fn set_user_active(&self, caller: &Caller, id: UserId, active: bool) -> Result<UserView, Problem> {
        let (mut gate, mut user) = self.enter_user(caller, id, Operation::UserDisable).await?;
        if id == caller.user && !active {
            return Err(Problem::new(ErrorCode::Conflict).with_detail("you cannot disable yourself"));
        }
        let before = facts(&user);
        user.active = active;
        user.updated_at = gate.now;
        gate.unit.update_user(&user).await.or_problem()?;
        if !active {
            gate.unit.revoke_sessions_of(id, None).await.or_problem()?;
            gate.unit.revoke_tokens_of(id, gate.now).await.or_problem()?;
            gate.unit.revoke_links_of(id, gate.now).await.or_problem()?;
        }
        let view = user_view(gate.unit.as_mut(), &user).await?;
        gate.finish(&user_target(&user), personal(user.id, json!({"before": before, "after": facts(&user)}))).await?;
        self.administration_changed();
        if !active {
            self.wake_departures();
        }
        Ok(view)
    }

    /// A link (path within the portal) by which a person sets a new password.
    pub async fn reset_password(&self, caller: &Caller, id: UserId) -> Result<String, Problem> {
        let (mut gate, user) = self.enter_user(caller, id, Operation::UserResetPassword).await?;
        let link = self.password_link(gate.unit.as_mut(), id).await?;
        gate.finish(&user_target(&user), json!({})).await?;
        Ok(link)
    }

    /// To change the account of a person who is not erased.
    pub(crate) async fn enter_user(
        &self,
        caller: &Caller,
        id: UserId,
        operation: Operation,
    ) -> Result<(Gate<'_>, User), Problem> {
        let mut gate = self.enter(caller, operation).await?;
        let user = gate.unit.user(id).await.or_problem()?.filter(|user| user.id.can_be_a_person());
        let target = user.as_ref().map_or_else(|| Target::new("user", id, ""), user_target);
        gate.authorize(&Resource::account(id), &target).await?;
        let user = user.ok_or_else(not_found)?;
        if gate.unit.erasure(id).await.or_problem()?.is_some() {
            let problem =
                Problem::new(ErrorCode::Conflict).with_detail("this person is erased; the account stays as it is");
            return Err(gate.refuse(&target, problem).await);
        }
        Ok((gate, user))
    }

    /// All teams with their members.
    pub async fn teams(&self, caller: &Caller) -> Result<Vec<TeamView>, Problem> {
        let mut gate = self.look(caller, Operation::UserList).await?;
        gate.authorize(&Resource::system(), &Target::new("teams", "", "")).await?;
        let mut views = Vec::new();
        for team in gate.unit.list_teams().await.or_problem()? {
            views.push(team_view(gate.unit.as_mut(), team).await?);
        }
        Ok(views)
    }

    /// Creates a team, or changes the title of the one with this name.
    pub async fn put_team(&self, caller: &Caller, name: &str, title: &str) -> Result<TeamView, Problem> {
        let (name, title) = (name.trim().to_lowercase(), title.trim().to_owned());
        let mut errors = check_login(&name);
        for error in &mut errors {
            "/name".clone_into(&mut error.pointer);
        }
        errors.extend(check_name_and_email(&title, None).into_iter().map(|mut error| {
            "/title".clone_into(&mut error.pointer);
            error
        }));
        all_right(errors)?;
        let mut gate = self.enter(caller, Operation::TeamUpdate).await?;
        let known = gate.unit.team_by_name(&name).await.or_problem()?;
        let id = known.as_ref().map_or_else(|| TeamId::new(self.ids()), |team| team.id);
        let target = Target::new("team", id, name.clone());
        gate.authorize(&Resource::team(id, []), &target).await?;
        let before = known.as_ref().map(|team| team.title.clone());
        let team = match known {
            Some(team) => Team { title, ..team },
            None => Team { id, name, title, created_at: gate.now },
        };
        if before.is_some() {
            gate.unit.update_team(&team).await.or_problem()?;
        } else {
            gate.unit.insert_team(&team).await.or_problem()?;
        }
        let after = team.title.clone();
        let view = team_view(gate.unit.as_mut(), team).await?;
        gate.finish(&target, json!({"before": {"title": before}, "after": {"title": after}})).await?;
        self.administration_changed();
        Ok(view)
    }

    /// Removes a team with its memberships and grants.
    pub async fn delete_team(&self, caller: &Caller, id: TeamId) -> Result<(), Problem> {
        let (mut gate, team) = self.enter_team(caller, id, None).await?;
        gate.unit.delete_team(id).await.or_problem()?;
        let target = Target::new("team", id, team.name);
        gate.finish(&target, json!({"before": {"title": team.title}, "after": null})).await?;
        self.administration_changed();
        Ok(())
    }

    /// Makes a person a member of a team.
    pub async fn add_member(&self, caller: &Caller, team: TeamId, user: UserId) -> Result<(), Problem> {
        let (mut gate, team) = self.enter_team(caller, team, Some(user)).await?;
        let user = self.known_user(gate.unit.as_mut(), user).await?;
        let of_team = gate.unit.list_grants().await.or_problem()?.into_iter();
        let of_team = of_team.filter(|grant| {
            grant.subject == Subject::Team(team.id) && grant.expires_at.is_none_or(|end| end > gate.now)
        });
        let gained: Vec<_> = of_team.map(|grant| (grant.role, grant.scope)).collect();
        let now = gate.now;
        if let Err(problem) = must_stay_apart(gate.unit.as_mut(), &[user.id], &gained, now).await {
            return Err(gate.refuse(&Target::new("team", team.id, team.name), problem).await);
        }
        if !gate.unit.add_member(team.id, user.id).await.or_problem()? {
            return Ok(());
        }
        let target = Target::new("team", team.id, team.name);
        gate.finish(&target, Detail::from(json!({"added": user.login})).naming("/added", [user.id])).await?;
        self.administration_changed();
        Ok(())
    }

    /// Ends a membership.
    pub async fn remove_member(&self, caller: &Caller, team: TeamId, user: UserId) -> Result<(), Problem> {
        let (mut gate, team) = self.enter_team(caller, team, None).await?;
        let user = self.known_user(gate.unit.as_mut(), user).await?;
        if !gate.unit.remove_member(team.id, user.id).await.or_problem()? {
            return Ok(());
        }
        let target = Target::new("team", team.id, team.name);
        gate.finish(&target, Detail::from(json!({"removed": user.login})).naming("/removed", [user.id])).await?;
        self.administration_changed();
        Ok(())
    }

    /// Enters a change of a team. `joining` gains whatever roles the team holds.
    async fn enter_team(
        &self,
        caller: &Caller,
        id: TeamId,
        joining: Option<UserId>,
    ) -> Result<(Gate<'_>, Team), Problem> {
        let mut gate = self.enter(caller, Operation::TeamUpdate).await?;
        let team = gate.unit.team(id).await.or_problem()?;
        let grants = gate.unit.list_grants().await.or_problem()?;
        let holds = grants.iter().any(|grant| grant.subject == Subject::Team(id));
        let name = team.as_ref().map(|team| team.name.clone()).unwrap_or_default();
        gate.authorize(&Resource::team(id, joining.filter(|_| holds)), &Target::new("team", id, name)).await?;
        Ok((gate, team.ok_or_else(not_found)?))
    }

    /// The grants on what the caller administers, oldest first.
    pub async fn grants(&self, caller: &Caller) -> Result<Vec<GrantView>, Problem> {
        let mut gate = self.look(caller, Operation::GrantList).await?;
        gate.authorize(&Resource::system(), &Target::new("grants", "", "")).await?;
        let mut grants = gate.unit.list_grants().await.or_problem()?;
        grants.retain(|grant| gate.shows(&Resource::grant(grant.id, &grant.scope, [])));
        let now = gate.now;
        let mut views = Vec::with_capacity(grants.len());
        for grant in grants {
            views.push(grant_view(gate.unit.as_mut(), &grant, now).await?);
        }
        Ok(views)
    }

    /// Gives a role to a person or team.
    pub async fn grant(
        &self,
        caller: &Caller,
        subject: Subject,
        role: Role,
        scope: Scope,
        expires_at: Option<Timestamp>,
    ) -> Result<GrantView, Problem> {
        let mut gate = self.enter(caller, Operation::GrantCreate).await?;
        if expires_at.is_some_and(|at| at <= gate.now) {
            all_right(vec![field("/expiresAt", "future", Value::Null, "the end must lie in the future")])?;
        }
        let (holder, gaining) = match subject {
            Subject::User(id) => {
                let user = self.known_user(gate.unit.as_mut(), id).await?;
                (user.login, vec![id])
            }
            Subject::Team(id) => {
                let team = gate.unit.team(id).await.or_problem()?.ok_or_else(not_found)?;
                (team.name, gate.unit.team_members(id).await.or_problem()?)
            }
        };
        let grant = Grant {
            id: GrantId::new(self.ids()),
            subject,
            role,
            scope,
            expires_at,
            created_by: Some(caller.user),
            created_at: gate.now,
            emergency: None,
        };
        let target = grant_target(&grant, &holder);
        gate.authorize(&Resource::grant(grant.id, &grant.scope, gaining.iter().copied()), &target).await?;
        let (now, gained) = (gate.now, [(role, grant.scope.clone())]);
        if let Err(problem) = must_stay_apart(gate.unit.as_mut(), &gaining, &gained, now).await {
            return Err(gate.refuse(&target, problem).await);
        }
        gate.unit.insert_grant(&grant).await.or_problem()?;
        let view = grant_view(gate.unit.as_mut(), &grant, now).await?;
        let after = json!({"holder": holder, "role": role, "scope": grant.scope, "expiresAt": expires_at});
        gate.finish(&target, holding(&grant, json!({"after": after}))).await?;
        self.administration_changed();
        Ok(view)
    }

    /// Takes a role back.
    pub async fn revoke_grant(&self, caller: &Caller, id: GrantId) -> Result<(), Problem> {
        let mut gate = self.enter(caller, Operation::GrantRevoke).await?;
        let grant = gate.unit.grant(id).await.or_problem()?.ok_or_else(not_found)?;
        let holder = match grant.subject {
            Subject::User(id) => gate.unit.user(id).await.or_problem()?.map(|user| user.login),
            Subject::Team(id) => gate.unit.team(id).await.or_problem()?.map(|team| team.name),
        };
        let holder = holder.unwrap_or_default();
        let target = grant_target(&grant, &holder);
        gate.authorize(&Resource::grant(id, &grant.scope, []), &target).await?;
        if is_last_administrator(gate.unit.as_mut(), &grant).await? {
            let detail = "the portal would be left without an administrator";
            return Err(Problem::new(ErrorCode::Conflict).with_detail(detail));
        }
        gate.unit.delete_grant(id).await.or_problem()?;
        let before = json!({"holder": holder, "role": grant.role, "scope": grant.scope});
        gate.finish(&target, holding(&grant, json!({"before": before}))).await?;
        self.administration_changed();
        Ok(())
    }

    pub(crate) fn administration_changed(&self) {
        self.parts.live.changed(engine::Topic::Administration);
    }
}

/// Whether a grant is the last that makes somebody an administrator of the whole portal: nobody could repair it without one.
pub(crate) async fn is_last_administrator(unit: &mut dyn UnitOfWork, leaving: &Grant) -> Result<bool, Problem> {
    if leaving.role != Role::Administrator || leaving.scope != Scope::Everywhere {
        return Ok(false);
    }
    for grant in unit.list_grants().await.or_problem()? {
        let other = grant.id != leaving.id
            && grant.role == Role::Administrator
            && grant.scope == Scope::Everywhere
            && grant.expires_at.is_none();
        if !other {
            continue;
        }
        let holders = match grant.subject {
            Subject::User(id) => vec![id],
            Subject::Team(id) => unit.team_members(id).await.or_problem()?,
        };
        if unit.users_by_id(&holders).await.or_problem()?.iter().any(|user| user.active) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn grant_target(grant: &Grant, holder: &str) -> Target {
    let named = Target::new("grant", grant.id, format!("{holder}: {} on {}", grant.role, grant.scope));
    named.on(&grant.scope).naming(person_of(grant))
}

/// The person that holds it, if that is no team.
pub(crate) fn person_of(grant: &Grant) -> Option<UserId> {
    match grant.subject {
        Subject::User(id) => Some(id),
        Subject::Team(_) => None,
    }
}

/// The facts of a person before and after a change, for the audit log.
pub(crate) fn personal(user: UserId, facts: Value) -> Detail {
    let pointers = ["/before/name", "/before/email", "/after/name", "/after/email"];
    pointers.into_iter().fold(facts.into(), |detail: Detail, pointer| detail.naming(pointer, [user]))
}

/// Who holds a grant, likewise.
fn holding(grant: &Grant, facts: Value) -> Detail {
    let detail = Detail::from(facts);
    match person_of(grant) {
        Some(person) => detail.naming("/before/holder", [person]).naming("/after/holder", [person]),
        None => detail,
    }
}

/// What the audit log keeps of a person.
fn facts(user: &User) -> Value {
    json!({
        "name": user.name,
        "email": user.email,
        "active": user.active,
        "manager": user.manager_id,
    })
}

async fn team_view(unit: &mut dyn UnitOfWork, team: Team) -> Result<TeamView, Problem> {
    let ids = unit.team_members(team.id).await.or_problem()?;
    let mut members: Vec<_> = unit.users_by_id(&ids).await.or_problem()?.iter().map(views::person).collect();
    members.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(TeamView { id: team.id, name: team.name, title: team.title, members })
}

/// The manager with this sign-in name. Nobody is their own manager, directly or by a circle.
async fn manager(
    unit: &mut dyn UnitOfWork,
    login: Option<String>,
    of: Option<UserId>,
) -> Result<Option<UserId>, Problem> {
    let Some(login) = login else { return Ok(None) };
    let Some(manager) = unit.user_by_login(&login).await.or_problem()? else {
        return Err(wrong_manager("unknown", "nobody has this sign-in name"));
    };
    let mut above = Some(manager.id);
    let mut steps = 0;
    while let Some(id) = above {
        if Some(id) == of || steps > 100 {
            return Err(wrong_manager("circle", "a person cannot be above themselves"));
        }
        steps += 1;
        above = unit.user(id).await.or_problem()?.and_then(|user| user.manager_id);
    }
    Ok(Some(manager.id))
}

fn wrong_manager(rule: &str, message: &str) -> Problem {
    Problem::new(ErrorCode::InvalidInput).with_errors(vec![field("/manager", rule, Value::Null, message)])
}
