//! Opening approvals: who is asked, and what exactly is decided about.

use std::collections::BTreeSet;

use domain::{ApprovalId, ApprovalState, Ids, Role, Timestamp, UserId};
use serde_json::json;
use sha2::{Digest, Sha256};
use store::{
    UnitOfWork,
    access::Subject,
    approvals::{Approval, Approver as AskedPerson},
    runs::Run,
    users::User,
};
use workflow::{
    ApprovalRequest, Definition,
    approval::{Approver, Owned},
};

/// A stage of an approval as it was opened.
pub(crate) struct Opened {
    /// The row.
    pub(crate) approval: Approval,
    /// Those who are asked; empty when nobody could be found, which blocks the run and alerts.
    pub(crate) asked: Vec<User>,
}

/// Resolves the first stage to people and writes the approval. `returnable`: whether its requester could send other input.
pub(crate) async fn open(
    unit: &mut dyn UnitOfWork,
    ids: &dyn Ids,
    now: Timestamp,
    run: &Run,
    definition: &Definition,
    request: &ApprovalRequest,
    returnable: bool,
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
        due_at: request.due,
        closed_at: None,
    };
    unit.insert_approval(&approval, &[]).await?;
    ask(unit, now, run, request, approval).await
}

/// Asks the people of the stage that an approval has come to.
pub(crate) async fn ask(
    unit: &mut dyn UnitOfWork,
    now: Timestamp,
    run: &Run,
    request: &ApprovalRequest,
    approval: Approval,
) -> store::Result<Opened> {
    let people = resolve(unit, run, request, &approval, now).await?;
    let asked: Vec<AskedPerson> = people
        .iter()
        .map(|(user, via)| AskedPerson { user_id: user.id, via: via.clone(), stage: approval.stage })
        .collect();
    unit.add_approvers(approval.id, &asked).await?;
    Ok(Opened { approval, asked: people.into_iter().map(|(user, _)| user).collect() })
}

/// The approval of a request, if it is at this stage and nobody is asked there yet.
pub(crate) async fn unasked(
    unit: &mut dyn UnitOfWork,
    run: &Run,
    request: &ApprovalRequest,
    stage: Option<u32>,
) -> store::Result<Option<Approval>> {
    let approval = unit.approval_of_call(run.id, &request.call.to_string()).await?;
    let Some(approval) = approval.filter(|approval| {
        approval.state == ApprovalState::Pending && stage.is_none_or(|stage| approval.stage == stage)
    }) else {
        return Ok(None);
    };
    let asked = unit.approvers(approval.id).await?;
    Ok(Some(approval).filter(|approval| asked.iter().all(|person| person.stage != approval.stage)))
}

/// The people whom the approval's stage asks, each once, with why. Never the requester, nor whoever changed what is asked
/// about, never somebody disabled; and none of those who decided in an earlier stage, if the rule wants others.
async fn resolve(
    unit: &mut dyn UnitOfWork,
    run: &Run,
    request: &ApprovalRequest,
    approval: &Approval,
    now: Timestamp,
) -> store::Result<Vec<(User, String)>> {
    let mut people = Vec::new();
    let requester = run.requester_id;
    let mut seen = BTreeSet::from([requester]);
    if let Some(login) = &request.changed_by {
        seen.extend(unit.user_by_login(login).await?.map(|user| user.id));
    }
    if request.rule.distinct {
        let decided = unit.decisions(approval.id).await?.into_iter();
        seen.extend(decided.filter(|decision| decision.stage < approval.stage).map(|decision| decision.user_id));
    }
    let stage = usize::try_from(approval.stage).ok().and_then(|stage| request.rule.stages.get(stage));
    for approver in stage.iter().flat_map(|stage| &stage.approvers) {
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
