//! Opening approvals: who is asked, and what exactly is decided about. And looking for somebody else where those who were
//! asked have left.

use std::collections::BTreeSet;

use domain::{ApprovalId, ApprovalState, Ids, Role, Timestamp, UserId};
use serde_json::json;
use sha2::{Digest, Sha256};
use store::{
    UnitOfWork,
    access::Subject,
    approvals::{Approval, Approver as AskedPerson, Decision},
    runs::Run,
    users::User,
};
use workflow::{
    ApprovalRequest, Definition,
    approval::{ApprovalRule, Approver, Matter, Owned, Standing, Vote},
};

use crate::deadlines::Times;

/// A stage of an approval as it was opened.
pub(crate) struct Opened {
    /// The row.
    pub(crate) approval: Approval,
    /// Those who are asked with this.
    pub(crate) asked: Vec<User>,
    /// Those who are told: they, and who stands in for them.
    pub(crate) told: Vec<User>,
    /// What the audit log calls it.
    pub(crate) action: &'static str,
    /// Whether the stage has too few people for an approval (nobody, for instance), which blocks the run and alerts.
    pub(crate) is_short: bool,
}

/// What an approval is opened with, beside what the definition asks for.
pub(crate) struct Terms {
    /// Whether its requester could send other input.
    pub(crate) returnable: bool,
    /// When what happens to it.
    pub(crate) times: Times,
}

/// Resolves the first stage to people and writes the approval.
pub(crate) async fn open(
    unit: &mut dyn UnitOfWork,
    ids: &dyn Ids,
    now: Timestamp,
    run: &Run,
    definition: &Definition,
    request: &ApprovalRequest,
    Terms { returnable, times }: Terms,
) -> store::Result<Opened> {
    let mut shown = json!({
        "workflow": run.workflow.to_string(),
        "version": run.version,
        "definition": definition.digest(),
        "input": serde_json::from_str::<serde_json::Value>(&run.input).unwrap_or_default(),
        "task": request.reference,
        "title": request.title,
        "message": request.message,
        "about": request.input,
        "rule": request.rule,
    });
    if let serde_json::Value::Object(shown) = &mut shown {
        shown.extend(request.form.clone().map(|form| ("form".to_owned(), form)));
        let narrow = Some(&request.narrow).filter(|narrow| !narrow.is_empty());
        shown.extend(narrow.map(|narrow| ("narrow".to_owned(), json!(narrow))));
    }
    let canonical = workflow::canonical_json(&shown);
    let approval = Approval {
        id: ApprovalId::new(ids),
        run: run.id,
        call: request.call.to_string(),
        reference: request.reference.clone(),
        title: request.title.clone().unwrap_or_else(|| request.name.clone()),
        message: request.message.clone().unwrap_or_default(),
        state: ApprovalState::Pending,
        rule: serde_json::to_string(&request.rule).unwrap_or_default(),
        digest: hex::encode(Sha256::digest(canonical.as_bytes())),
        shown: canonical,
        requester_id: run.requester_id,
        stage: 0,
        returnable,
        opened_at: now,
        due_at: times.due,
        closed_at: None,
        timing: Some(&request.timing).filter(|timing| !timing.is_none()).map(|timing| json!(timing).to_string()),
    };
    unit.insert_approval(&approval, &[]).await?;
    if let Some(login) = &request.changed_by
        && let Some(person) = unit.user_by_login(login).await?
    {
        // Known already, unless the change is older than that this is kept with the run.
        unit.note_change(run.id, person.id).await?;
    }
    times.write(unit, &approval).await?;
    ask(unit, now, run, request, approval).await
}

/// Asks the people of the stage that an approval has come to, as far as they are not asked already. Those who are asked where
/// others were before come in the place of some who have left.
///
/// The approval keeps its digest: who is asked is no part of what would run.
pub(crate) async fn ask(
    unit: &mut dyn UnitOfWork,
    now: Timestamp,
    run: &Run,
    request: &ApprovalRequest,
    approval: Approval,
) -> store::Result<Opened> {
    let here = asked_here(unit, &approval).await?;
    let action = match (here.is_empty(), approval.stage) {
        (false, _) => "approval.ask-again",
        (true, 0) => "approval.open",
        (true, _) => "approval.stage",
    };
    let stage = request.rule.stages.get(position(approval.stage));
    let approvers = stage.map_or(&[][..], |stage| stage.approvers.as_slice());
    let people = resolve(unit, run, request.rule.distinct, approvers, &approval, now).await?;
    ask_these(unit, now, approval, people, &here, action).await
}

/// Asks more people in the open stage, beside those whom it asks already: those whom the definition names for that, or the
/// managers of those who have not decided. None where there is nobody to be waited for, such as while it is back with the
/// requester, or where the stage's own rule has given nobody: that blocks, and nobody else takes their place.
pub(crate) async fn escalate(
    unit: &mut dyn UnitOfWork,
    now: Timestamp,
    run: &Run,
    request: &ApprovalRequest,
    approval: Approval,
) -> store::Result<Option<Opened>> {
    let here = asked_here(unit, &approval).await?;
    if here.is_empty() || !is_open(unit, &approval).await? {
        return Ok(None);
    }
    let managers: Vec<Approver>;
    let to = if request.timing.escalate_to.is_empty() {
        let waiting = undecided(unit, &approval).await?;
        managers = waiting.into_iter().map(|user| Approver::ManagerOf(user.login)).collect();
        &managers
    } else {
        &request.timing.escalate_to
    };
    let mut people = resolve(unit, run, request.rule.distinct, to, &approval, now).await?;
    for (_, via) in &mut people {
        via.insert_str(0, "escalation: ");
    }
    ask_these(unit, now, approval, people, &here, "approval.escalate").await.map(Some)
}

/// Whom the open stage asks already.
async fn asked_here(unit: &mut dyn UnitOfWork, approval: &Approval) -> store::Result<Vec<UserId>> {
    let known = unit.approvers(approval.id).await?.into_iter();
    Ok(known.filter(|person| person.stage == approval.stage).map(|person| person.user_id).collect())
}

/// Asks those of these people who are not asked yet.
async fn ask_these(
    unit: &mut dyn UnitOfWork,
    now: Timestamp,
    approval: Approval,
    mut people: Vec<(User, String)>,
    here: &[UserId],
    action: &'static str,
) -> store::Result<Opened> {
    // Whoever has decided in the place of another has no vote left.
    let decided = unit.decisions(approval.id).await?.into_iter();
    let decided: Vec<UserId> =
        decided.filter(|decision| decision.stage == approval.stage).map(|decision| decision.user_id).collect();
    people.retain(|(user, _)| !here.contains(&user.id) && !decided.contains(&user.id));
    let asked: Vec<AskedPerson> = people
        .iter()
        .map(|(user, via)| AskedPerson {
            user_id: user.id,
            via: via.clone(),
            stage: approval.stage,
            later: !here.is_empty(),
        })
        .collect();
    unit.add_approvers(approval.id, &asked).await?;
    let asked: Vec<User> = people.into_iter().map(|(user, _)| user).collect();
    let is_short = lacks_people(unit, &approval).await?;
    let told = with_substitutes(unit, &approval, asked.clone(), now).await?;
    Ok(Opened { approval, asked, told, action, is_short })
}

/// An approval's rows as the matter that the interpreter's one rule judges.
pub fn judged<T>(
    approval: &Approval,
    rule: &ApprovalRule,
    asked: &[AskedPerson],
    decisions: &[Decision],
    judge: impl FnOnce(Matter<'_, UserId>, &[Vote<'_, UserId>]) -> T,
) -> T {
    let votes: Vec<Vote<'_, UserId>> = decisions
        .iter()
        .map(|decision| Vote {
            of: decision.vote_of(),
            by: decision.user_id,
            stage: position(decision.stage),
            kind: decision.kind,
            digest: &decision.digest,
        })
        .collect();
    let those = |later| {
        let people = asked.iter().filter(move |person| person.later == later);
        people.map(|person| (position(person.stage), person.user_id)).collect::<Vec<_>>()
    };
    let (asked, later) = (those(false), those(true));
    let matter =
        Matter { rule, digest: &approval.digest, returnable: approval.returnable, asked: &asked, later: &later };
    judge(matter, &votes)
}

/// What [`judged`] needs; none where the rule cannot be read, which is never approved, whoever is asked.
async fn rows(
    unit: &mut dyn UnitOfWork,
    approval: &Approval,
) -> store::Result<Option<(ApprovalRule, Vec<AskedPerson>, Vec<Decision>)>> {
    let Ok(rule) = serde_json::from_str::<ApprovalRule>(&approval.rule) else { return Ok(None) };
    Ok(Some((rule, unit.approvers(approval.id).await?, unit.decisions(approval.id).await?)))
}

/// A stage as rows have it, by its position.
#[must_use]
pub fn position(stage: u32) -> usize {
    usize::try_from(stage).unwrap_or(usize::MAX)
}

/// Whether too few of those whom the open stage asks are left to approve.
pub async fn lacks_people(unit: &mut dyn UnitOfWork, approval: &Approval) -> store::Result<bool> {
    let Some((rule, asked, decisions)) = rows(unit, approval).await? else { return Ok(false) };
    let ids: Vec<UserId> = asked.iter().map(|person| person.user_id).collect();
    let able = able(unit, approval, &ids).await?;
    Ok(judged(approval, &rule, &asked, &decisions, |matter, votes| {
        matter.lacks_people(votes, |person| able.iter().any(|user| user.id == person))
    }))
}

/// Those of these people who can decide at all: who are not disabled, and have put no data of their own into the run.
async fn able(unit: &mut dyn UnitOfWork, approval: &Approval, ids: &[UserId]) -> store::Result<Vec<User>> {
    let changers = unit.changers(approval.run).await?;
    let mut users = unit.users_by_id(ids).await?;
    users.retain(|user| user.active && !changers.contains(&user.id));
    Ok(users)
}

/// Those whom the open stage asks, whose vote is still to come and who can cast it; nobody while none is open.
pub(crate) async fn undecided(unit: &mut dyn UnitOfWork, approval: &Approval) -> store::Result<Vec<User>> {
    let Some((rule, asked, decisions)) = rows(unit, approval).await? else { return Ok(Vec::new()) };
    let waiting: BTreeSet<UserId> = judged(approval, &rule, &asked, &decisions, |matter, votes| {
        let everybody = asked.iter().map(|person| person.user_id);
        everybody.filter(|person| matter.admit(votes, *person).is_ok()).collect()
    });
    let waiting: Vec<UserId> = waiting.into_iter().collect();
    let mut users = able(unit, approval, &waiting).await?;
    users.sort_by(|a, b| a.login.cmp(&b.login));
    Ok(users)
}

/// Whether a stage waits for decisions.
async fn is_open(unit: &mut dyn UnitOfWork, approval: &Approval) -> store::Result<bool> {
    let Some((rule, asked, decisions)) = rows(unit, approval).await? else { return Ok(false) };
    let standing = judged(approval, &rule, &asked, &decisions, |matter, votes| matter.standing(votes));
    Ok(matches!(standing, Standing::Open { .. }))
}

/// These, and everybody who stands in for one of them in this approval, each once.
pub(crate) async fn with_substitutes(
    unit: &mut dyn UnitOfWork,
    approval: &Approval,
    mut people: Vec<User>,
    now: Timestamp,
) -> store::Result<Vec<User>> {
    let known: BTreeSet<UserId> = people.iter().map(|user| user.id).collect();
    let substitutes: BTreeSet<UserId> = unit
        .substitutes_in(approval.run, now)
        .await?
        .into_iter()
        .filter(|substitute| substitute.approval == approval.id && known.contains(&substitute.represented))
        .map(|substitute| substitute.user_id)
        .filter(|id| !known.contains(id))
        .collect();
    let substitutes: Vec<UserId> = substitutes.into_iter().collect();
    people.extend(unit.users_by_id(&substitutes).await?);
    Ok(people)
}

/// The approval of a request while it is pending; locked, so that no decision crosses.
pub(crate) async fn pending(
    unit: &mut dyn UnitOfWork,
    run: &Run,
    request: &ApprovalRequest,
) -> store::Result<Option<Approval>> {
    let Some(known) = unit.approval_of_call(run.id, &request.call.to_string()).await? else { return Ok(None) };
    let known = unit.approval(known.id).await?;
    Ok(known.filter(|approval| approval.state == ApprovalState::Pending))
}

/// The approval of a request, if it is at this stage and nobody is asked there yet.
pub(crate) async fn unasked(
    unit: &mut dyn UnitOfWork,
    run: &Run,
    request: &ApprovalRequest,
    stage: u32,
) -> store::Result<Option<Approval>> {
    let approval = unit.approval_of_call(run.id, &request.call.to_string()).await?;
    let Some(approval) =
        approval.filter(|approval| approval.state == ApprovalState::Pending && approval.stage == stage)
    else {
        return Ok(None);
    };
    let asked = unit.approvers(approval.id).await?;
    Ok(Some(approval).filter(|approval| asked.iter().all(|person| person.stage != approval.stage)))
}

/// The people who are meant, each once, with why. Never the requester, nor whoever has put data of their own into the run,
/// never somebody disabled; and none of those who decided in an earlier stage, if the rule wants others.
async fn resolve(
    unit: &mut dyn UnitOfWork,
    run: &Run,
    distinct: bool,
    approvers: &[Approver],
    approval: &Approval,
    now: Timestamp,
) -> store::Result<Vec<(User, String)>> {
    let mut people = Vec::new();
    let requester = run.requester_id;
    let mut seen = BTreeSet::from([requester]);
    seen.extend(unit.changers(run.id).await?);
    if distinct {
        let decided = unit.decisions(approval.id).await?.into_iter();
        let earlier = decided.filter(|decision| decision.stage < approval.stage);
        seen.extend(earlier.flat_map(|decision| [decision.user_id, decision.vote_of()]));
    }
    for approver in approvers {
        let (ids, via) = match approver {
            Approver::User(login) => {
                let user = unit.user_by_login(login).await?;
                (user.map(|user| user.id).into_iter().collect(), format!("user {login}"))
            }
            Approver::Team(name) => {
                let team = unit.team_by_name(name).await?;
                let members = match team {
                    Some(team) => unit.team_members(team.id).await?,
                    None => Vec::new(),
                };
                (members, format!("team {name}"))
            }
            Approver::Role(role) => {
                let holders = match role.parse::<Role>() {
                    Ok(role) => unit.users_with_role(role, &run.workflow.namespace, now).await?,
                    Err(_) => Vec::new(),
                };
                (holders, format!("role {role}"))
            }
            Approver::ManagerOf(login) => {
                let person = if login == Approver::REQUESTER {
                    unit.user(requester).await?
                } else {
                    unit.user_by_login(login).await?
                };
                let name = person.as_ref().map_or_else(|| login.clone(), |person| person.login.clone());
                (person.and_then(|person| person.manager_id).into_iter().collect(), format!("manager of {name}"))
            }
            Approver::OwnerOf(Owned::Connection(name)) => {
                let owner = unit.connection_by_name(name).await?.and_then(|connection| connection.owner);
                let owners = match owner {
                    None => Vec::new(),
                    Some(Subject::User(user)) => vec![user],
                    Some(Subject::Team(team)) => unit.team_members(team).await?,
                };
                (owners, format!("owner of {name}"))
            }
        };
        let fresh: Vec<UserId> = ids.into_iter().filter(|id| seen.insert(*id)).collect();
        let mut users = unit.users_by_id(&fresh).await?;
        users.retain(|user| user.active);
        users.sort_by(|a, b| a.login.cmp(&b.login));
        people.extend(users.into_iter().map(|user| (user, via.clone())));
    }
    Ok(people)
}
