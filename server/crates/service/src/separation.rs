//! Roles that conflict: who holds two of them where they meet, and which of them nobody may hold together.

use std::collections::BTreeMap;

use domain::{
    ErrorCode, Operation, Problem, Role, Scope, Timestamp, UserId,
    view::{ConflictView, HeldRole, RolePair, SeparationView},
};
use policy::Resource;
use serde_json::{Value, json};
use store::{
    UnitOfWork,
    access::{Grant, Subject},
};

use crate::{
    Caller, Service,
    account::grant_view,
    gate::Target,
    people::{all_right, field},
    problems::OrProblem as _,
    views::People,
};

/// Where the pairs are kept that nobody may hold: JSON, a list of pairs.
const SETTING: &str = "forbidden-roles";
/// What grants and memberships wait for each other by, so that no two of them make a pair together.
const TURN: &str = "separation";

fn target() -> Target {
    Target::new("roles", "separation", "")
}

impl Service {
    /// The roles that conflict, and who holds two of them, as far as the caller administers both.
    pub async fn separation(&self, caller: &Caller) -> Result<SeparationView, Problem> {
        let mut gate = self.look(caller, Operation::SeparationRead).await?;
        gate.authorize(&Resource::system(), &target()).await?;
        let forbidden = forbidden(gate.unit.as_mut()).await?;
        let mut grants = gate.unit.list_grants().await.or_problem()?;
        grants.retain(|grant| {
            grant.expires_at.is_none_or(|end| end > gate.now)
                && gate.shows(&Resource::grant(grant.id, &grant.scope, []))
        });
        let mut held: BTreeMap<UserId, Vec<&Grant>> = BTreeMap::new();
        for grant in &grants {
            let holders = match grant.subject {
                Subject::User(id) => vec![id],
                Subject::Team(id) => gate.unit.team_members(id).await.or_problem()?,
            };
            for holder in holders {
                held.entry(holder).or_default().push(grant);
            }
        }
        let ids: Vec<UserId> = held.keys().copied().collect();
        let active = gate.unit.users_by_id(&ids).await.or_problem()?.into_iter().filter(|user| user.active);
        let active: Vec<UserId> = active.map(|user| user.id).collect();
        let people = People::load(gate.unit.as_mut(), active.iter().copied()).await.or_problem()?;
        let mut holders = Vec::new();
        for (holder, grants) in held.iter().filter(|(holder, _)| active.contains(holder)) {
            for (one, other, scope) in conflicts(grants) {
                let forbidden = is_forbidden(&forbidden, one.role, other.role);
                let (one, other) =
                    (held_role(gate.unit.as_mut(), one).await?, held_role(gate.unit.as_mut(), other).await?);
                holders.push(ConflictView { person: people.get(*holder), one, other, scope, forbidden });
            }
        }
        holders.sort_by(|a, b| (!a.forbidden, &a.person.name).cmp(&(!b.forbidden, &b.person.name)));
        let pairs = Role::CONFLICTS.iter().map(|(one, other)| RolePair {
            one: *one,
            other: *other,
            forbidden: is_forbidden(&forbidden, *one, *other),
        });
        Ok(SeparationView { pairs: pairs.collect(), holders })
    }

    /// Says which pairs of roles nobody may hold together from now on. Who holds them already keeps them, and is reported.
    pub async fn separate_roles(&self, caller: &Caller, pairs: Vec<(Role, Role)>) -> Result<SeparationView, Problem> {
        let mut gate = self.enter(caller, Operation::SeparationUpdate).await?;
        gate.authorize(&Resource::system(), &target()).await?;
        let mut new = Vec::new();
        for (one, other) in pairs {
            match Role::CONFLICTS.iter().find(|known| **known == (one, other) || **known == (other, one)) {
                Some(known) if new.contains(known) => {}
                Some(known) => new.push(*known),
                None => {
                    let message = format!("{one} and {other} do not conflict");
                    all_right(vec![field("/pairs", "enum", Value::Null, &message)])?;
                }
            }
        }
        gate.unit.lock_scope(TURN).await.or_problem()?;
        let before = forbidden(gate.unit.as_mut()).await?;
        gate.unit.put_setting(SETTING, &json!(new).to_string()).await.or_problem()?;
        gate.finish(&target(), json!({"before": {"forbidden": before}, "after": {"forbidden": new}})).await?;
        self.parts.live.changed(engine::Topic::Administration);
        self.separation(caller).await
    }
}

async fn forbidden(unit: &mut dyn UnitOfWork) -> Result<Vec<(Role, Role)>, Problem> {
    let kept = unit.setting(SETTING).await.or_problem()?;
    Ok(kept.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

fn is_forbidden(forbidden: &[(Role, Role)], one: Role, other: Role) -> bool {
    forbidden.contains(&(one, other)) || forbidden.contains(&(other, one))
}

/// The grants that make one person hold two roles that conflict, each pair of roles once at each place where they meet.
fn conflicts<'g>(grants: &[&'g Grant]) -> Vec<(&'g Grant, &'g Grant, Scope)> {
    let mut found: Vec<(&Grant, &Grant, Scope)> = Vec::new();
    for (first, second) in Role::CONFLICTS {
        for one in grants.iter().filter(|grant| grant.role == *first) {
            for other in grants.iter().filter(|grant| grant.role == *second) {
                let Some(scope) = one.scope.meet(&other.scope) else { continue };
                let known = found.iter().any(|(a, b, place)| {
                    (a.role, b.role) == (*first, *second) && (place == scope || *place == Scope::Everywhere)
                });
                if !known {
                    found.push((*one, *other, scope.clone()));
                }
            }
        }
    }
    found
}

async fn held_role(unit: &mut dyn UnitOfWork, grant: &Grant) -> Result<HeldRole, Problem> {
    let subject = grant_view(unit, grant, grant.created_at).await?.subject;
    Ok(HeldRole { role: grant.role, scope: grant.scope.clone(), grant: grant.id, subject })
}

/// Refuses roles that would make one of these people hold a pair that nobody may hold.
pub(crate) async fn must_stay_apart(
    unit: &mut dyn UnitOfWork,
    people: &[UserId],
    gained: &[(Role, Scope)],
    now: Timestamp,
) -> Result<(), Problem> {
    unit.lock_scope(TURN).await.or_problem()?;
    let forbidden = forbidden(unit).await?;
    if forbidden.is_empty() {
        return Ok(());
    }
    for person in people {
        let held = unit.grants_of(*person, now).await.or_problem()?;
        let held = held.into_iter().map(|grant| (grant.role, grant.scope)).chain(gained.iter().cloned());
        for (other, place) in held {
            for (role, scope) in gained {
                let Some(meeting) = scope.meet(&place).filter(|_| is_forbidden(&forbidden, *role, other)) else {
                    continue;
                };
                let login = unit.user(*person).await.or_problem()?.map(|user| user.login).unwrap_or_default();
                let place = match meeting {
                    Scope::Everywhere => "everywhere".to_owned(),
                    Scope::Namespace(name) => format!("on {name}"),
                };
                let detail = format!("{login} would hold both {role} and {other} {place}, which nobody may");
                return Err(Problem::new(ErrorCode::ConflictingRoles).with_detail(detail));
            }
        }
    }
    Ok(())
}
