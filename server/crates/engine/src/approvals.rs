//! Opening approvals: who is asked, and what exactly is decided about.

use std::collections::BTreeSet;

use domain::{ApprovalId, ApprovalState, Ids, Role, Timestamp, UserId};
use serde_json::json;
use sha2::{Digest, Sha256};
use store::{
    UnitOfWork,
    approvals::{Approval, Approver as AskedPerson},
    runs::Run,
    users::User,
};
use workflow::{ApprovalRequest, Definition, approval::Approver};

/// An approval as it was opened.
pub(crate) struct Opened {
    /// The row.
    pub(crate) approval: Approval,
    /// Those who are asked; empty when nobody could be found, which blocks the run and alerts.
    pub(crate) asked: Vec<User>,
}

/// Resolves the rule to people and writes the approval.
pub(crate) async fn open(
    unit: &mut dyn UnitOfWork,
    ids: &dyn Ids,
    now: Timestamp,
    run: &Run,
    definition: &Definition,
    request: &ApprovalRequest,
) -> store::Result<Opened> {
    let shown = json!({
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
        opened_at: now,
        due_at: request.due,
        closed_at: None,
    };
    let people = resolve(unit, run, request, now).await?;
    let asked_rows: Vec<AskedPerson> =
        people.iter().map(|(user, via)| AskedPerson { user_id: user.id, via: via.clone() }).collect();
    unit.insert_approval(&approval, &asked_rows).await?;
    Ok(Opened { approval, asked: people.into_iter().map(|(user, _)| user).collect() })
}

/// The people whom the rule asks, each once, with why. Never the requester, nor whoever changed what is asked about, never
/// somebody disabled.
pub(crate) async fn resolve(
    unit: &mut dyn UnitOfWork,
    run: &Run,
    request: &ApprovalRequest,
    now: Timestamp,
) -> store::Result<Vec<(User, String)>> {
    let mut people = Vec::new();
    let requester = run.requester_id;
    let mut seen = BTreeSet::from([requester]);
    if let Some(login) = &request.changed_by {
        seen.extend(unit.user_by_login(login).await?.map(|user| user.id));
    }
    for approver in &request.rule.approvers {
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
        };
        let fresh: Vec<UserId> = ids.into_iter().filter(|id| seen.insert(*id)).collect();
        let mut users = unit.users_by_id(&fresh).await?;
        users.retain(|user| user.active);
        users.sort_by(|a, b| a.login.cmp(&b.login));
        people.extend(users.into_iter().map(|user| (user, via.clone())));
    }
    Ok(people)
}
