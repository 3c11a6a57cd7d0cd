//! Emergency access: somebody on duty asks for a role for a few hours, a second person agrees, and a third looks afterwards at
//! what was done. See `docs/adr/0024-emergency-access.md`.

use std::time::Duration;

use domain::{
    EmergencyId, EmergencyState, ErrorCode, GrantId, Operation, Problem, Role, Scope, Timestamp,
    view::{EmergencyView, Page},
};
use engine::{
    Topic,
    notices::{Notice, NoticeKind, notify},
};
use policy::Resource;
use serde_json::{Value, json};
use store::{
    access::{Grant, Subject},
    emergencies::Emergency,
    users::User,
};

use crate::{
    Caller, Gate, Service, cursor,
    gate::Target,
    people::{all_right, field, people_with},
    problems::{OrProblem as _, not_found},
    separation::must_stay_apart,
    views::People,
};

/// The roles that can be held so. None of them gives roles to others.
const ROLES: [Role; 3] = [Role::Approver, Role::Operator, Role::Publisher];
/// The shortest and the longest access, in minutes.
const MINUTES: std::ops::RangeInclusive<u16> = 15..=240;
/// The longest reason, and the longest text of a review, in characters.
const TEXT_LIMIT: usize = 500;
/// Two people ask one after the other, so that neither overlooks what blocks them.
const TURN: &str = "emergencies";
/// Who is told that somebody asks.
const ON_DUTY: [Role; 3] = [Role::Operator, Role::Approver, Role::Administrator];

/// What is asked for.
#[derive(Clone, Debug)]
pub struct NewEmergency {
    /// The role: approver, operator or publisher.
    pub role: Role,
    /// Where it is to hold.
    pub scope: Scope,
    /// Why it is needed, in at most 500 characters.
    pub reason: String,
    /// For how long, from 15 to 240 minutes.
    pub minutes: u16,
}

fn resource(emergency: &Emergency) -> Resource {
    Resource::emergency(emergency.id, &emergency.scope, emergency.person, emergency.confirmed_by)
}

fn target(emergency: &Emergency, login: &str) -> Target {
    let words = format!("{login}: {} on {}", emergency.role, emergency.scope);
    Target::new("emergency", emergency.id, words).on(&emergency.scope).naming([emergency.person])
}

fn said(text: &str, pointer: &str) -> Result<String, Problem> {
    // A form sends the ends of lines as a network does.
    let text = text.replace("\r\n", "\n").trim().to_owned();
    if text.is_empty() {
        all_right(vec![field(pointer, "required", Value::Null, "it is empty")])?;
    }
    let wrong = |character: char| character.is_control() && character != '\n';
    if text.chars().count() > TEXT_LIMIT || text.chars().any(wrong) {
        all_right(vec![field(pointer, "maxLength", TEXT_LIMIT.into(), "at most 500 characters")])?;
    }
    Ok(text)
}

fn conflict(detail: &str) -> Problem {
    Problem::new(ErrorCode::Conflict).with_detail(detail)
}

/// Whether one that is open keeps this person from asking for a role on this scope, and why.
fn in_the_way(open: &Emergency, asked: &Emergency, now: Timestamp) -> Option<&'static str> {
    let (own, same_place) = (open.person == asked.person, open.scope.meet(&asked.scope).is_some());
    match open.state(now) {
        EmergencyState::Over if own || same_place => {
            Some("emergency access that has ended waits for its review; until then there is no other")
        }
        EmergencyState::Asked | EmergencyState::InForce if own => Some("you have asked for emergency access already"),
        _ => None,
    }
}

impl Service {
    /// Asks for a role for a few hours.
    pub async fn ask_for_emergency(&self, caller: &Caller, new: NewEmergency) -> Result<EmergencyView, Problem> {
        let mut gate = self.enter(caller, Operation::EmergencyAsk).await?;
        let mut emergency = Emergency {
            id: EmergencyId::new(self.ids()),
            person: caller.user,
            role: new.role,
            scope: new.scope,
            reason: String::new(),
            minutes: new.minutes,
            asked_at: gate.now,
            confirmed_by: None,
            confirmed_at: None,
            ends_at: None,
            ended_by: None,
            ended_at: None,
            reviewed_by: None,
            reviewed_at: None,
            review: String::new(),
        };
        let target = target(&emergency, &caller.login);
        gate.authorize(&resource(&emergency), &target).await?;
        emergency.reason = said(&new.reason, "/reason")?;
        if !ROLES.contains(&emergency.role) {
            all_right(vec![field("/role", "enum", json!(ROLES), "only approver, operator and publisher")])?;
        }
        if !MINUTES.contains(&emergency.minutes) {
            let between = json!([MINUTES.start(), MINUTES.end()]);
            all_right(vec![field("/minutes", "range", between, "from 15 to 240 minutes")])?;
        }
        gate.unit.lock_scope(TURN).await.or_problem()?;
        for open in gate.unit.open_emergencies().await.or_problem()? {
            if let Some(detail) = in_the_way(&open, &emergency, gate.now) {
                return Err(conflict(detail));
            }
        }
        let held =
            caller.principal.scopes(emergency.role).any(|scope| emergency.scope.meet(scope) == Some(&emergency.scope));
        if held {
            return Err(conflict("you hold this role there already"));
        }
        gate.unit.insert_emergency(&emergency).await.or_problem()?;
        let mut asked = people_with(gate.unit.as_mut(), &ON_DUTY, &emergency.scope, gate.now).await?;
        asked.retain(|person| person.id != caller.user);
        self.tell_of(&mut gate, &asked, NoticeKind::EmergencyAsked, &emergency, &caller.name).await?;
        let detail = json!({"reason": emergency.reason, "minutes": emergency.minutes});
        gate.finish(&target, detail).await?;
        self.emergency_changed(&asked);
        self.emergency(caller, emergency.id).await
    }

    /// Agrees that somebody gets the role that they asked for. It holds from now on.
    pub async fn confirm_emergency(&self, caller: &Caller, id: EmergencyId) -> Result<EmergencyView, Problem> {
        let mut gate = self.enter(caller, Operation::EmergencyConfirm).await?;
        let (mut emergency, person) = self.found(&mut gate, id).await?;
        let target = target(&emergency, &person.login);
        gate.authorize(&resource(&emergency), &target).await?;
        if emergency.state(gate.now) != EmergencyState::Asked {
            return Err(conflict(
                "it can be confirmed no more: it was already, or was taken back, or an hour has passed",
            ));
        }
        if !person.active {
            return Err(conflict("the account is disabled"));
        }
        let ends_at = gate.now + Duration::from_mins(emergency.minutes.into());
        (emergency.confirmed_by, emergency.confirmed_at) = (Some(caller.user), Some(gate.now));
        emergency.ends_at = Some(ends_at);
        gate.unit.update_emergency(&emergency).await.or_problem()?;
        let (now, gained) = (gate.now, [(emergency.role, emergency.scope.clone())]);
        if let Err(problem) = must_stay_apart(gate.unit.as_mut(), &[person.id], &gained, now).await {
            return Err(gate.refuse(&target, problem).await);
        }
        let grant = Grant {
            id: GrantId::new(self.ids()),
            subject: Subject::User(person.id),
            role: emergency.role,
            scope: emergency.scope.clone(),
            expires_at: Some(ends_at),
            created_by: Some(caller.user),
            created_at: gate.now,
            emergency: Some(id),
        };
        gate.unit.insert_grant(&grant).await.or_problem()?;
        let mut told =
            people_with(gate.unit.as_mut(), &[Role::Auditor, Role::Administrator], &emergency.scope, now).await?;
        told.retain(|reviewer| ![person.id, caller.user].contains(&reviewer.id));
        let holder = person.name.clone();
        self.tell_of(&mut gate, &told, NoticeKind::EmergencyBegun, &emergency, &holder).await?;
        self.tell_of(&mut gate, std::slice::from_ref(&person), NoticeKind::EmergencyConfirmed, &emergency, &holder)
            .await?;
        let detail = json!({"reason": emergency.reason, "grant": grant.id, "endsAt": ends_at});
        gate.finish(&target, detail).await?;
        told.push(person);
        self.emergency_changed(&told);
        self.emergency(caller, id).await
    }

    /// Ends it before its time; takes it back, or declines it, before anybody has agreed.
    pub async fn end_emergency(&self, caller: &Caller, id: EmergencyId) -> Result<EmergencyView, Problem> {
        let mut gate = self.enter(caller, Operation::EmergencyEnd).await?;
        let (mut emergency, person) = self.found(&mut gate, id).await?;
        let target = target(&emergency, &person.login);
        gate.authorize(&resource(&emergency), &target).await?;
        match emergency.state(gate.now) {
            EmergencyState::Asked => {}
            EmergencyState::InForce => {
                emergency.ends_at = Some(gate.now);
                let grants = gate.unit.list_grants().await.or_problem()?;
                for grant in grants.into_iter().filter(|grant| grant.emergency == Some(id)) {
                    gate.unit.delete_grant(grant.id).await.or_problem()?;
                }
            }
            _ => return Err(conflict("it has ended already")),
        }
        (emergency.ended_by, emergency.ended_at) = (Some(caller.user), Some(gate.now));
        gate.unit.update_emergency(&emergency).await.or_problem()?;
        gate.finish(&target, json!({"reason": emergency.reason})).await?;
        self.emergency_changed(&[person]);
        self.emergency(caller, id).await
    }

    /// Says what was done by it. Until somebody has said so, nobody asks for another there, nor does its holder anywhere.
    pub async fn review_emergency(
        &self,
        caller: &Caller,
        id: EmergencyId,
        review: &str,
    ) -> Result<EmergencyView, Problem> {
        let mut gate = self.enter(caller, Operation::EmergencyReview).await?;
        let (mut emergency, person) = self.found(&mut gate, id).await?;
        let target = target(&emergency, &person.login);
        gate.authorize(&resource(&emergency), &target).await?;
        emergency.review = said(review, "/review")?;
        if emergency.state(gate.now) != EmergencyState::Over {
            return Err(conflict("only what has ended, and was not reviewed, can be reviewed"));
        }
        (emergency.reviewed_by, emergency.reviewed_at) = (Some(caller.user), Some(gate.now));
        gate.unit.update_emergency(&emergency).await.or_problem()?;
        gate.finish(&target, json!({"review": emergency.review})).await?;
        self.emergency_changed(&[]);
        self.emergency(caller, id).await
    }

    /// One of them.
    pub async fn emergency(&self, caller: &Caller, id: EmergencyId) -> Result<EmergencyView, Problem> {
        let mut gate = self.look(caller, Operation::EmergencyRead).await?;
        let (emergency, person) = self.found(&mut gate, id).await?;
        gate.authorize_or_hide(&resource(&emergency), &target(&emergency, &person.login)).await?;
        let people = people_of(&mut gate, [&emergency]).await?;
        Ok(self.emergency_view(caller, &gate, emergency, &people))
    }

    /// Those that the caller may see, the latest first.
    pub async fn emergencies(
        &self,
        caller: &Caller,
        cursor: Option<&str>,
        limit: Option<u32>,
    ) -> Result<Page<EmergencyView>, Problem> {
        let mut gate = self.look(caller, Operation::EmergencyRead).await?;
        gate.authorize(&Resource::system(), &Target::new("emergency", "", "")).await?;
        let limit = cursor::limit(limit);
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1);
        let mut before = cursor::decode(cursor)?;
        let mut rows: Vec<Emergency> = Vec::new();
        while rows.len() < wanted {
            let some = gate.unit.list_emergencies(before, cursor::MAX_LIMIT).await.or_problem()?;
            let Some(last) = some.last() else { break };
            before = Some((last.asked_at, last.id));
            rows.extend(some.into_iter().filter(|emergency| gate.shows(&resource(emergency))));
        }
        rows.truncate(wanted);
        let people = people_of(&mut gate, &rows).await?;
        let page = cursor::page(rows, limit, |emergency| (emergency.asked_at, emergency.id));
        Ok(cursor::map(page, |emergency| self.emergency_view(caller, &gate, emergency, &people)))
    }

    /// Those that hold, or wait for somebody who agrees, of all that the caller may see: for the marks on other pages. None
    /// to those who may not see any.
    pub async fn emergencies_now(&self, caller: &Caller) -> Result<Vec<EmergencyView>, Problem> {
        let mut gate = self.look(caller, Operation::EmergencyRead).await?;
        let now = gate.now;
        let mut open = gate.unit.open_emergencies().await.or_problem()?;
        open.retain(|emergency| {
            let state = emergency.state(now);
            matches!(state, EmergencyState::Asked | EmergencyState::InForce) && gate.shows(&resource(emergency))
        });
        let people = people_of(&mut gate, &open).await?;
        Ok(open.into_iter().map(|emergency| self.emergency_view(caller, &gate, emergency, &people)).collect())
    }

    async fn found(&self, gate: &mut Gate<'_>, id: EmergencyId) -> Result<(Emergency, User), Problem> {
        let emergency = gate.unit.emergency(id).await.or_problem()?.ok_or_else(not_found)?;
        let person = self.known_user(gate.unit.as_mut(), emergency.person).await?;
        Ok((emergency, person))
    }

    async fn tell_of(
        &self,
        gate: &mut Gate<'_>,
        people: &[User],
        kind: NoticeKind,
        emergency: &Emergency,
        holder: &str,
    ) -> Result<(), Problem> {
        let notice = Notice {
            kind,
            title: holder.to_owned(),
            run_number: None,
            link: format!("/emergencies/{}", emergency.id),
            cause: format!("{}:{}", kind.as_str(), emergency.id),
        };
        let (now, mail) = (gate.now, self.parts.mail_enabled);
        notify(gate.unit.as_mut(), self.ids(), now, mail, people, &notice).await.or_problem()
    }

    fn emergency_changed(&self, told: &[User]) {
        self.parts.live.changed(Topic::Administration);
        for person in told {
            self.parts.live.changed(Topic::Notifications(person.id));
        }
    }

    fn emergency_view(&self, caller: &Caller, gate: &Gate<'_>, emergency: Emergency, people: &People) -> EmergencyView {
        let state = emergency.state(gate.now);
        let possible: &[Operation] = match state {
            EmergencyState::Asked => &[Operation::EmergencyConfirm, Operation::EmergencyEnd],
            EmergencyState::InForce => &[Operation::EmergencyEnd],
            EmergencyState::Over => &[Operation::EmergencyReview],
            EmergencyState::Reviewed | EmergencyState::Dropped => &[],
        };
        let (in_force, resource) = (self.in_force(), resource(&emergency));
        let may = |operation: &Operation| in_force.decide(&caller.principal, *operation, &resource).allowed;
        EmergencyView {
            actions: possible.iter().copied().filter(may).collect(),
            id: emergency.id,
            person: people.get(emergency.person),
            role: emergency.role,
            scope: emergency.scope,
            reason: emergency.reason,
            minutes: emergency.minutes,
            state,
            asked_at: emergency.asked_at,
            confirmed_by: emergency.confirmed_by.map(|person| people.get(person)),
            confirmed_at: emergency.confirmed_at,
            ends_at: emergency.ends_at.unwrap_or(emergency.asked_at + Emergency::CONFIRMABLE),
            ended_by: emergency.ended_by.map(|person| people.get(person)),
            reviewed_by: emergency.reviewed_by.map(|person| people.get(person)),
            reviewed_at: emergency.reviewed_at,
            review: emergency.review,
        }
    }
}

async fn people_of<'e>(gate: &mut Gate<'_>, all: impl IntoIterator<Item = &'e Emergency>) -> Result<People, Problem> {
    let involved = all.into_iter().flat_map(|emergency| {
        [Some(emergency.person), emergency.confirmed_by, emergency.ended_by, emergency.reviewed_by]
            .into_iter()
            .flatten()
    });
    People::load(gate.unit.as_mut(), involved.collect::<Vec<_>>()).await.or_problem()
}
