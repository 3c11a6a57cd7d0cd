//! Who decides for whom, and when. What follows from it is asked for wherever somebody decides or looks (`approvals.rs`); so a
//! delegation begins and ends by the clock, for decisions that are open already as for those to come.

use audit::Detail;
use domain::{
    DelegationId, DelegationScope, DelegationState, ErrorCode, Operation, Problem, Timestamp, UserId,
    view::DelegationView,
};
use engine::{
    Topic,
    notices::{Notice, NoticeKind, notify},
};
use policy::Resource;
use serde_json::{Value, json};
use store::{
    UnitOfWork,
    delegations::{Delegation, Revocation},
    users::User,
};

use crate::{
    Caller, Gate, Service,
    gate::Target,
    people::{all_right, field},
    problems::{OrProblem as _, not_found},
    views::People,
};

/// Delegations of one person that are shown.
const SHOWN: u32 = 200;
/// The longest reason, in characters.
const REASON_LIMIT: usize = 500;
/// The longest time, in days.
const DAYS_LIMIT: i64 = 366;
const DAY: i64 = 86_400_000_000;

/// A substitute to be named.
#[derive(Clone, Debug)]
pub struct NewDelegation {
    /// The substitute's sign-in name.
    pub substitute: String,
    /// Which decisions.
    pub scope: DelegationScope,
    /// From when on; at once if that has passed, or is not said.
    pub from: Option<Timestamp>,
    /// Until when; at most a year.
    pub until: Timestamp,
    /// Why; may be empty.
    pub reason: String,
}

fn target(delegation: &Delegation, of: &str, to: &str) -> Target {
    let named = Target::new("delegation", delegation.id, format!("{to} for {of}"));
    named.naming([delegation.user_id, delegation.substitute_id])
}

/// Where a delegation stands.
fn state(delegation: &Delegation, now: Timestamp) -> DelegationState {
    match delegation {
        Delegation { revoked: Some(_), .. } => DelegationState::Revoked,
        Delegation { ends_at, .. } if *ends_at <= now => DelegationState::Ended,
        Delegation { starts_at, .. } if *starts_at > now => DelegationState::Upcoming,
        _ => DelegationState::Active,
    }
}

impl Service {
    /// The delegations in which a person (the caller, unless told) is represented or is the substitute, newest first.
    pub async fn delegations(&self, caller: &Caller, person: Option<UserId>) -> Result<Vec<DelegationView>, Problem> {
        let mut gate = self.look(caller, Operation::DelegationList).await?;
        let person = person.unwrap_or(caller.user);
        gate.authorize(&Resource::account(person), &Target::new("user", person, "")).await?;
        let user = self.known_user(gate.unit.as_mut(), person).await?;
        let rows = gate.unit.delegations_about(user.id, SHOWN).await.or_problem()?;
        views(gate.unit.as_mut(), rows, gate.now).await
    }

    /// Names somebody who decides for the caller for a time. Whatever waits for the caller in that time waits for them, too.
    pub async fn delegate(&self, caller: &Caller, new: NewDelegation) -> Result<DelegationView, Problem> {
        let mut gate = self.enter(caller, Operation::DelegationCreate).await?;
        let login = new.substitute.trim().to_lowercase();
        let named = Target::new("delegation", "", format!("{login} for {}", caller.login)).naming([caller.user]);
        gate.authorize(&Resource::account(caller.user), &named).await?;
        let substitute = gate.unit.user_by_login(&login).await.or_problem()?;
        let substitute = substitute.filter(|user| user.id.can_be_a_person());
        let starts_at = new.from.map_or(gate.now, |from| from.max(gate.now));
        let reason = new.reason.trim().to_owned();
        let mut errors = Vec::new();
        match &substitute {
            None => errors.push(field("/substitute", "person", Value::Null, "nobody has this sign-in name")),
            Some(user) if user.id == caller.user => {
                errors.push(field("/substitute", "self", Value::Null, "nobody stands in for themselves"));
            }
            Some(user) if !user.active => {
                errors.push(field("/substitute", "active", Value::Null, "this person's account is disabled"));
            }
            Some(_) => {}
        }
        if new.until <= starts_at {
            errors.push(field("/until", "future", Value::Null, "the end must be after the beginning, and not be over"));
        } else if new.until.as_micros().saturating_sub(starts_at.as_micros()) > DAYS_LIMIT * DAY {
            errors.push(field("/until", "maximum", json!(DAYS_LIMIT), "somebody stands in for a year at most"));
        }
        if reason.chars().count() > REASON_LIMIT {
            errors.push(field("/reason", "maxLength", json!(REASON_LIMIT), "the reason is too long"));
        }
        all_right(errors)?;
        let substitute = substitute.ok_or_else(not_found)?;
        let delegation = Delegation {
            id: DelegationId::new(self.ids()),
            user_id: caller.user,
            substitute_id: substitute.id,
            scope: new.scope,
            reason,
            starts_at,
            ends_at: new.until,
            created_at: gate.now,
            revoked: None,
        };
        gate.unit.insert_delegation(&delegation).await.or_problem()?;
        let cause = format!("delegation:{}", delegation.id);
        self.tell_of_delegation(&mut gate, &substitute, NoticeKind::DelegationGiven, &caller.name, cause).await?;
        let view = view(gate.unit.as_mut(), delegation.clone(), gate.now).await?;
        let target = target(&delegation, &caller.login, &substitute.login);
        gate.finish(&target, facts("after", &delegation, &caller.login, &substitute.login)).await?;
        self.delegations_changed(&[substitute.id]);
        Ok(view)
    }

    /// Ends a delegation before its time. What was decided by it stays decided.
    pub async fn revoke_delegation(&self, caller: &Caller, id: DelegationId) -> Result<DelegationView, Problem> {
        let mut gate = self.enter(caller, Operation::DelegationRevoke).await?;
        let delegation = gate.unit.delegation(id).await.or_problem()?.ok_or_else(not_found)?;
        let owner = self.known_user(gate.unit.as_mut(), delegation.user_id).await?;
        let substitute = self.known_user(gate.unit.as_mut(), delegation.substitute_id).await?;
        let target = target(&delegation, &owner.login, &substitute.login);
        gate.authorize_or_hide(&Resource::account(owner.id), &target).await?;
        if matches!(state(&delegation, gate.now), DelegationState::Revoked | DelegationState::Ended) {
            return Err(Problem::new(ErrorCode::Conflict).with_detail("this delegation is over already"));
        }
        let revocation = Revocation { by: caller.user, at: gate.now };
        gate.unit.revoke_delegation(id, revocation).await.or_problem()?;
        let told: Vec<&User> = [&owner, &substitute].into_iter().filter(|user| user.id != caller.user).collect();
        for person in &told {
            let other = if person.id == owner.id { &substitute.name } else { &owner.name };
            let cause = format!("delegation-revoked:{id}");
            self.tell_of_delegation(&mut gate, person, NoticeKind::DelegationRevoked, other, cause).await?;
        }
        let told: Vec<UserId> = told.into_iter().map(|user| user.id).collect();
        let before = facts("before", &delegation, &owner.login, &substitute.login);
        let delegation = Delegation { revoked: Some(revocation), ..delegation };
        let view = view(gate.unit.as_mut(), delegation, gate.now).await?;
        gate.finish(&target, before).await?;
        self.delegations_changed(&told);
        Ok(view)
    }

    async fn tell_of_delegation(
        &self,
        gate: &mut Gate<'_>,
        whom: &User,
        kind: NoticeKind,
        other: &str,
        cause: String,
    ) -> Result<(), Problem> {
        let notice = Notice {
            kind,
            title: other.to_owned(),
            run_number: None,
            link: "/account?tab=substitutes".to_owned(),
            cause,
        };
        let (ids, mail) = (self.ids(), self.parts.mail_enabled);
        notify(gate.unit.as_mut(), ids, gate.now, mail, std::slice::from_ref(whom), &notice).await.or_problem()
    }

    fn delegations_changed(&self, told: &[UserId]) {
        self.parts.live.changed(Topic::Approvals);
        for person in told {
            self.parts.live.changed(Topic::Notifications(*person));
        }
    }
}

/// What the audit log keeps of a delegation.
fn facts(when: &str, delegation: &Delegation, of: &str, to: &str) -> Detail {
    let facts = json!({
        "person": of,
        "substitute": to,
        "scope": delegation.scope,
        "from": delegation.starts_at,
        "until": delegation.ends_at,
        "reason": delegation.reason,
    });
    let person = Detail::from(json!({when: facts})).naming(format!("/{when}/person"), [delegation.user_id]);
    person.naming(format!("/{when}/substitute"), [delegation.substitute_id])
}

async fn view(unit: &mut dyn UnitOfWork, delegation: Delegation, now: Timestamp) -> Result<DelegationView, Problem> {
    views(unit, vec![delegation], now).await?.pop().ok_or_else(not_found)
}

async fn views(
    unit: &mut dyn UnitOfWork,
    rows: Vec<Delegation>,
    now: Timestamp,
) -> Result<Vec<DelegationView>, Problem> {
    let everybody = rows.iter().flat_map(|row| {
        [Some(row.user_id), Some(row.substitute_id), row.revoked.map(|revoked| revoked.by)].into_iter().flatten()
    });
    let people = People::load(unit, everybody).await.or_problem()?;
    Ok(rows
        .into_iter()
        .map(|row| DelegationView {
            state: state(&row, now),
            id: row.id,
            person: people.get(row.user_id),
            substitute: people.get(row.substitute_id),
            scope: row.scope,
            reason: row.reason,
            from: row.starts_at,
            until: row.ends_at,
            created_at: row.created_at,
            revoked_at: row.revoked.map(|revoked| revoked.at),
            revoked_by: row.revoked.map(|revoked| people.get(revoked.by)),
        })
        .collect())
}
