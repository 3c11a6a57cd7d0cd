//! Policies that administrators write: proposed by one, put into force by another, and replaced by the same way.
//!
//! A set is one text with all policies of the administrators. It is known by the digest that it has in force together with
//! those of the program, which cannot be taken away. See `docs/adr/0023-policies-of-administrators.md`.

mod force;
mod questions;
mod replay;

use audit::Detail;
use domain::{
    ErrorCode, Operation, PolicySetState, Problem, Role, Scope, Timestamp, UserId,
    view::{DiagnosticView, LineChange, LineView, Page, PoliciesView, PolicySetItem, PolicySetView, PolicyView},
};
use engine::{
    Topic,
    notices::{Notice, NoticeKind, notify},
};
use policy::{Fault, Policies, PolicyError, Principal, Resource};
use serde_json::{Value, json};
use similar::{ChangeTag, TextDiff};
use store::{UnitOfWork, policy_sets::PolicySet};

pub(crate) use self::{force::Force, questions::Questions};
use crate::{
    Caller, Gate, Service, cursor,
    gate::Target,
    people::{all_right, field, people_with, principal},
    problems::{OrProblem as _, internal, not_found},
    views::People,
};

/// The largest text, in bytes.
const TEXT_LIMIT: usize = 64 * 1024;
/// The longest note, in characters.
const NOTE_LIMIT: usize = 500;

/// Policies that are proposed.
#[derive(Clone, Debug, Default)]
pub struct NewPolicies {
    /// All policies of the administrators, in Cedar; empty for none.
    pub source: String,
    /// What they are for.
    pub note: String,
    /// The set that was in force when they were written; none for the program's own policies alone.
    pub based_on: Option<i64>,
}

/// A set with everybody who has changed it.
struct Written {
    set: PolicySet,
    authors: Vec<UserId>,
}

impl Written {
    fn resource(&self) -> Resource {
        Resource::policy_set(self.set.version, self.authors.iter().copied())
    }

    fn must_be_proposed(&self) -> Result<(), Problem> {
        let state = match self.set.state {
            PolicySetState::Proposed => return Ok(()),
            PolicySetState::Active => "in force",
            PolicySetState::Replaced => "replaced",
            PolicySetState::Withdrawn => "withdrawn",
        };
        let detail = format!("policies {} are {state}; propose them anew to change that", self.set.version);
        Err(Problem::new(ErrorCode::Conflict).with_detail(detail))
    }

    fn must_have(&self, digest: &str) -> Result<(), Problem> {
        if self.set.digest == digest {
            return Ok(());
        }
        let detail = "what you saw is not what is there now; read it again and go on from that";
        Err(Problem::new(ErrorCode::DigestMismatch).with_detail(detail))
    }

    /// As it becomes when this caller settles what becomes of it.
    fn settled(&self, gate: &Gate<'_>, caller: &Caller, state: PolicySetState) -> PolicySet {
        PolicySet { state, settled_by: Some(caller.user), settled_at: Some(gate.now), ..self.set.clone() }
    }
}

fn target(version: i64) -> Target {
    Target::new("policies", version, format!("policies {version}"))
}

fn all_target() -> Target {
    Target::new("policies", "", "")
}

/// The policies with this text of the administrators, or the places that are wrong in it.
fn read(source: &str) -> Result<Policies, Problem> {
    Policies::with_own(source).map_err(|cause| match cause {
        PolicyError::Own(faults) => {
            let errors = faults.into_iter().map(|Fault { line, column, message }| {
                let expected = json!({"line": line, "column": column});
                field("/source", "policy", expected, &format!("{line}:{column}: {message}"))
            });
            Problem::new(ErrorCode::InvalidInput).with_errors(errors.collect())
        }
        other => internal("the program's own policies cannot be used", &other),
    })
}

fn faults(source: &str) -> Result<Vec<DiagnosticView>, Problem> {
    let number = |place: usize| u64::try_from(place).unwrap_or(u64::MAX);
    match Policies::with_own(source) {
        Ok(_) => Ok(Vec::new()),
        Err(PolicyError::Own(faults)) => Ok(faults
            .into_iter()
            .map(|Fault { line, column, message }| DiagnosticView {
                line: number(line),
                column: number(column),
                path: String::new(),
                message,
            })
            .collect()),
        Err(other) => Err(internal("the program's own policies cannot be used", &other)),
    }
}

fn within_limit(source: &str) -> Result<(), Problem> {
    if source.len() > TEXT_LIMIT {
        return Err(Problem::new(ErrorCode::TooLarge).with_detail("policies have at most 64 KiB"));
    }
    Ok(())
}

impl NewPolicies {
    /// As they are kept, and what they are known by; or what is wrong with them.
    fn examined(self) -> Result<(Self, String), Problem> {
        within_limit(&self.source)?;
        // A form sends the ends of lines as a network does.
        let new = Self { source: self.source.replace("\r\n", "\n"), note: self.note.trim().to_owned(), ..self };
        if new.note.is_empty() {
            all_right(vec![field("/note", "required", Value::Null, "say what they are for")])?;
        } else if new.note.chars().count() > NOTE_LIMIT || new.note.chars().any(char::is_control) {
            all_right(vec![field(
                "/note",
                "maxLength",
                NOTE_LIMIT.into(),
                "a note has one line of at most 500 characters",
            )])?;
        }
        let digest = read(&new.source)?.digest().to_owned();
        Ok((new, digest))
    }
}

impl Service {
    /// The policies in force, as they are written.
    pub async fn policies(&self, caller: &Caller) -> Result<PoliciesView, Problem> {
        let mut gate = self.look(caller, Operation::PolicyRead).await?;
        gate.authorize(&Resource::system(), &all_target()).await?;
        let version = self.force.version();
        let policies = self.in_force();
        Ok(PoliciesView {
            digest: policies.digest().to_owned(),
            version,
            items: policies.written().to_vec(),
            next: None,
        })
    }

    /// One policy that is in force.
    pub async fn policy(&self, caller: &Caller, id: &str) -> Result<PolicyView, Problem> {
        let mut gate = self.look(caller, Operation::PolicyRead).await?;
        gate.authorize(&Resource::system(), &Target::new("policy", id, id)).await?;
        let policies = self.in_force();
        policies.written().iter().find(|policy| policy.id == id).cloned().ok_or_else(not_found)
    }

    /// The sets of policies that administrators have written, newest first.
    pub async fn policy_sets(
        &self,
        caller: &Caller,
        cursor: Option<&str>,
        limit: Option<u32>,
    ) -> Result<Page<PolicySetItem>, Problem> {
        let mut gate = self.look(caller, Operation::PolicyRead).await?;
        gate.authorize(&Resource::system(), &all_target()).await?;
        let limit = cursor::limit(limit);
        let rows = gate.unit.list_policy_sets(cursor::decode(cursor)?, limit + 1).await.or_problem()?;
        let page = cursor::page(rows, limit, |set| set.version);
        let mut items = Vec::with_capacity(page.items.len());
        for set in page.items {
            let written = written(gate.unit.as_mut(), set).await?;
            items.push(item(gate.unit.as_mut(), &written).await?);
        }
        Ok(Page { items, next: page.next })
    }

    /// One set, compared with what it is based on.
    pub async fn policy_set(&self, caller: &Caller, version: i64) -> Result<PolicySetView, Problem> {
        let mut gate = self.look(caller, Operation::PolicyRead).await?;
        gate.authorize(&Resource::system(), &target(version)).await?;
        let unit = gate.unit.as_mut();
        let set = unit.policy_set(version).await.or_problem()?.ok_or_else(not_found)?;
        let based_on = match set.based_on {
            Some(version) => unit.policy_set(version).await.or_problem()?.map(|set| set.source),
            None => None,
        };
        let written = written(unit, set).await?;
        let faults = faults(&written.set.source)?;
        let proposed = written.set.state == PolicySetState::Proposed;
        let obstacles = if proposed { self.obstacles(unit, &written).await? } else { Vec::new() };
        let resource = written.resource();
        let open = [Operation::PolicyPropose, Operation::PolicyWithdraw, Operation::PolicyActivate];
        let may = |operation: &Operation| self.in_force().decide(&caller.principal, *operation, &resource).allowed;
        Ok(PolicySetView {
            item: item(unit, &written).await?,
            lines: compared(&based_on.unwrap_or_default(), &written.set.source),
            source: written.set.source,
            based_on: written.set.based_on,
            obstacles,
            faults,
            actions: open.into_iter().filter(|operation| proposed && may(operation)).collect(),
        })
    }

    /// What is wrong with a text of policies; nothing when it could be proposed. It is not kept.
    pub async fn check_policies(&self, caller: &Caller, source: &str) -> Result<Vec<DiagnosticView>, Problem> {
        let mut gate = self.look(caller, Operation::PolicyRead).await?;
        gate.authorize(&Resource::system(), &all_target()).await?;
        drop(gate);
        within_limit(source)?;
        faults(source)
    }

    /// Proposes policies, in the place of all that administrators have written before.
    pub async fn propose_policies(&self, caller: &Caller, new: NewPolicies) -> Result<PolicySetView, Problem> {
        let mut gate = self.look(caller, Operation::PolicyPropose).await?;
        gate.authorize(&Resource::policy_set(0, []), &all_target()).await?;
        drop(gate);
        let (new, digest) = new.examined()?;

        let mut gate = self.enter(caller, Operation::PolicyPropose).await?;
        let newest = gate.unit.list_policy_sets(None, 1).await.or_problem()?;
        let version = newest.first().map_or(1, |set| set.version.saturating_add(1));
        gate.authorize(&Resource::policy_set(version, []), &target(version)).await?;
        must_follow(gate.unit.as_mut(), &new, &digest).await?;
        let set = PolicySet {
            version,
            state: PolicySetState::Proposed,
            source: new.source,
            note: new.note,
            digest,
            based_on: new.based_on,
            changed_at: gate.now,
            settled_by: None,
            settled_at: None,
        };
        gate.unit.insert_policy_set(&set).await.or_problem()?;
        gate.unit.add_policy_set_author(version, caller.user, gate.now).await.or_problem()?;
        let asked = administrators(gate.unit.as_mut(), gate.now).await?;
        let asked: Vec<UserId> = asked.into_iter().map(|person| person.id).filter(|id| *id != caller.user).collect();
        self.tell_of_policies(&mut gate, NoticeKind::PoliciesProposed, &set, &asked).await?;
        let detail = json!({"note": set.note, "basedOn": set.based_on, "after": {"digest": set.digest}});
        gate.finish(&target(version), detail).await?;
        self.policies_changed(&asked);
        self.policy_set(caller, version).await
    }

    /// Changes a proposal. `digest` is that of what was changed: of two who change the same, the second is told.
    pub async fn change_policies(
        &self,
        caller: &Caller,
        version: i64,
        new: NewPolicies,
        digest: &str,
    ) -> Result<PolicySetView, Problem> {
        let mut gate = self.look(caller, Operation::PolicyPropose).await?;
        self.known_set(&mut gate, version).await?;
        drop(gate);
        let (new, new_digest) = new.examined()?;

        let mut gate = self.enter(caller, Operation::PolicyPropose).await?;
        let written = self.known_set(&mut gate, version).await?;
        written.must_be_proposed()?;
        written.must_have(digest)?;
        must_follow(gate.unit.as_mut(), &new, &new_digest).await?;
        let changed = PolicySet {
            source: new.source,
            note: new.note,
            digest: new_digest,
            based_on: new.based_on,
            changed_at: gate.now,
            ..written.set
        };
        gate.unit.update_policy_set(&changed, PolicySetState::Proposed).await.or_problem()?;
        gate.unit.add_policy_set_author(version, caller.user, gate.now).await.or_problem()?;
        let detail = json!({
            "note": changed.note,
            "basedOn": changed.based_on,
            "before": {"digest": digest},
            "after": {"digest": changed.digest},
        });
        gate.finish(&target(version), detail).await?;
        self.policy_set(caller, version).await
    }

    /// Takes a proposal back, or turns it down. It stays readable.
    pub async fn withdraw_policies(
        &self,
        caller: &Caller,
        version: i64,
        comment: &str,
    ) -> Result<PolicySetView, Problem> {
        let mut gate = self.enter(caller, Operation::PolicyWithdraw).await?;
        let written = self.known_set(&mut gate, version).await?;
        written.must_be_proposed()?;
        let withdrawn = written.settled(&gate, caller, PolicySetState::Withdrawn);
        gate.unit.update_policy_set(&withdrawn, PolicySetState::Proposed).await.or_problem()?;
        let others: Vec<UserId> = written.authors.iter().copied().filter(|author| *author != caller.user).collect();
        self.tell_of_policies(&mut gate, NoticeKind::PoliciesWithdrawn, &withdrawn, &others).await?;
        let detail = json!({"before": {"digest": withdrawn.digest}, "after": null, "comment": comment.trim()});
        gate.finish(&target(version), detail).await?;
        self.policies_changed(&others);
        self.policy_set(caller, version).await
    }

    /// Puts a proposal into force, on all nodes. `digest` says what was reviewed. Nobody does that with what they have written.
    ///
    /// Refused when other policies have come into force since it was written, and when nobody would be left to propose
    /// policies and another to put them into force: that could never be taken back.
    pub async fn activate_policies(
        &self,
        caller: &Caller,
        version: i64,
        digest: &str,
    ) -> Result<PolicySetView, Problem> {
        let mut gate = self.enter(caller, Operation::PolicyActivate).await?;
        let written = self.known_set(&mut gate, version).await?;
        if let Err(problem) = written.must_be_proposed().and_then(|()| written.must_have(digest)) {
            return Err(gate.refuse(&target(version), problem).await);
        }
        if let Some(obstacle) = self.obstacles(gate.unit.as_mut(), &written).await?.into_iter().next() {
            let problem = Problem::new(ErrorCode::Conflict).with_detail(obstacle);
            return Err(gate.refuse(&target(version), problem).await);
        }
        let before = gate.unit.active_policy_set().await.or_problem()?;
        if let Some(active) = &before {
            let replaced = PolicySet { state: PolicySetState::Replaced, ..active.clone() };
            gate.unit.update_policy_set(&replaced, PolicySetState::Active).await.or_problem()?;
        }
        let active = written.settled(&gate, caller, PolicySetState::Active);
        gate.unit.update_policy_set(&active, PolicySetState::Proposed).await.or_problem()?;
        self.tell_of_policies(&mut gate, NoticeKind::PoliciesActivated, &active, &written.authors).await?;
        let authors = People::load(gate.unit.as_mut(), written.authors.iter().copied()).await.or_problem()?;
        let logins: Vec<String> = written.authors.iter().map(|author| authors.get(*author).login).collect();
        let digest_before = before.as_ref().map_or_else(|| self.parts.policies.digest(), |set| set.digest.as_str());
        let detail = json!({
            "note": active.note,
            "authors": logins,
            "before": {"version": before.as_ref().map(|set| set.version), "digest": digest_before},
            "after": {"version": version, "digest": active.digest},
        });
        let detail = Detail::from(detail).naming_each("/authors", written.authors.iter().copied());
        gate.finish(&target(version), detail).await?;
        self.load_policies().await?;
        self.parts.live.changed(Topic::Policies);
        self.policies_changed(&written.authors);
        self.policy_set(caller, version).await
    }

    /// Authorizes an operation on a set that must be there. A unit that writes keeps others from changing it.
    async fn known_set(&self, gate: &mut Gate<'_>, version: i64) -> Result<Written, Problem> {
        let set = gate.unit.policy_set(version).await.or_problem()?;
        let authors = gate.unit.policy_set_authors(version).await.or_problem()?;
        gate.authorize(&Resource::policy_set(version, authors.iter().copied()), &target(version)).await?;
        Ok(Written { set: set.ok_or_else(not_found)?, authors })
    }

    /// Why a proposal could not be put into force now, in words.
    async fn obstacles(&self, unit: &mut dyn UnitOfWork, written: &Written) -> Result<Vec<String>, Problem> {
        let policies = match Policies::with_own(&written.set.source) {
            Ok(policies) => policies,
            Err(cause @ PolicyError::Own(_)) => return Ok(vec![cause.to_string()]),
            Err(other) => return Err(internal("the program's own policies cannot be used", &other)),
        };
        let mut obstacles = Vec::new();
        if unit.active_policy_set().await.or_problem()?.map(|set| set.version) != written.set.based_on {
            obstacles.push(
                "other policies have come into force since it was written; change it on the ground of those".to_owned(),
            );
        }
        if !leaves_two(&policies, &administrators(unit, self.now()).await?) {
            let words =
                "no two people would be left of whom one may propose policies and the other put them into force";
            obstacles.push(words.to_owned());
        }
        Ok(obstacles)
    }

    async fn tell_of_policies(
        &self,
        gate: &mut Gate<'_>,
        kind: NoticeKind,
        set: &PolicySet,
        people: &[UserId],
    ) -> Result<(), Problem> {
        let people = gate.unit.users_by_id(people).await.or_problem()?;
        let notice = Notice {
            kind,
            title: set.note.clone(),
            run_number: None,
            link: format!("/policies/sets/{}", set.version),
            cause: format!("{}:{}:{}", kind.as_str(), set.version, gate.now.as_micros()),
        };
        let (now, mail) = (gate.now, self.parts.mail_enabled);
        notify(gate.unit.as_mut(), self.ids(), now, mail, &people, &notice).await.or_problem()
    }

    fn policies_changed(&self, told: &[UserId]) {
        self.parts.live.changed(Topic::Administration);
        for person in told {
            self.parts.live.changed(Topic::Notifications(*person));
        }
    }
}

/// Refuses what was not written on the ground of what is in force, or changes nothing of it.
async fn must_follow(unit: &mut dyn UnitOfWork, new: &NewPolicies, digest: &str) -> Result<(), Problem> {
    let active = unit.active_policy_set().await.or_problem()?;
    let detail = if active.as_ref().map(|set| set.version) != new.based_on {
        "other policies have come into force meanwhile; read them and go on from those"
    } else if active.map_or_else(|| new.source.is_empty(), |set| set.digest == digest) {
        "these policies are in force already"
    } else {
        return Ok(());
    };
    Err(Problem::new(ErrorCode::Conflict).with_detail(detail))
}

/// The active people who hold the role administrator everywhere now.
pub(crate) async fn administrators(unit: &mut dyn UnitOfWork, now: Timestamp) -> Result<Vec<Principal>, Problem> {
    let mut people = Vec::new();
    for user in &people_with(unit, &[Role::Administrator], &Scope::Everywhere, now).await? {
        people.push(principal(unit, user, now).await.or_problem()?);
    }
    Ok(people)
}

/// Whether there are two of these people of whom, by these policies, one may propose policies and the other put them into
/// force, and who can sign in and read them at all.
fn leaves_two(policies: &Policies, people: &[Principal]) -> bool {
    let set = Resource::policy_set(0, []);
    let may = |person: &Principal, operation, resource: &Resource| policies.decide(person, operation, resource).allowed;
    let gets_in = |person: &&Principal| {
        may(person, Operation::MeRead, &Resource::account(person.id))
            && may(person, Operation::PolicyRead, &Resource::system())
    };
    let people: Vec<&Principal> = people.iter().filter(gets_in).collect();
    people.iter().any(|writer| {
        may(writer, Operation::PolicyPropose, &set)
            && people.iter().any(|reviewer| {
                reviewer.id != writer.id
                    && may(reviewer, Operation::PolicyActivate, &Resource::policy_set(0, [writer.id]))
            })
    })
}

async fn written(unit: &mut dyn UnitOfWork, set: PolicySet) -> Result<Written, Problem> {
    let authors = unit.policy_set_authors(set.version).await.or_problem()?;
    Ok(Written { set, authors })
}

async fn item(unit: &mut dyn UnitOfWork, written: &Written) -> Result<PolicySetItem, Problem> {
    let Written { set, authors } = written;
    let people = People::load(unit, authors.iter().copied().chain(set.settled_by)).await.or_problem()?;
    Ok(PolicySetItem {
        version: set.version,
        state: set.state,
        note: set.note.clone(),
        digest: set.digest.clone(),
        authors: authors.iter().map(|author| people.get(*author)).collect(),
        changed_at: set.changed_at,
        settled_by: set.settled_by.map(|person| people.get(person)),
        settled_at: set.settled_at,
    })
}

/// The lines of two texts.
fn compared(old: &str, new: &str) -> Vec<LineView> {
    let difference = TextDiff::from_lines(old, new);
    let lines = difference.iter_all_changes().map(|line| LineView {
        change: match line.tag() {
            ChangeTag::Equal => LineChange::Kept,
            ChangeTag::Insert => LineChange::Added,
            ChangeTag::Delete => LineChange::Removed,
        },
        text: line.value().trim_end_matches(['\r', '\n']).to_owned(),
    });
    lines.collect()
}
