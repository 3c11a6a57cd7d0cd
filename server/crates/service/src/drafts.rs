//! Requests that are being filled in, and sending them once.

use domain::{
    ApprovalId, ApprovalState, DraftId, Operation, Problem, WorkflowRef,
    view::{DraftView, RunSummary},
};
use policy::{Resource, ResourceKind};
use serde_json::{Value, json};
use store::{UnitOfWork, requests::Draft};

use crate::{
    Caller, Service,
    gate::Target,
    input,
    problems::{OrProblem as _, not_found},
    views::{self, People},
};

/// Unsent drafts that are listed.
const LISTED: u32 = 20;

fn view(draft: Draft) -> DraftView {
    DraftView {
        id: draft.id,
        namespace: draft.workflow.namespace,
        name: draft.workflow.name,
        values: serde_json::from_str(&draft.values).unwrap_or_default(),
        updated_at: draft.updated_at,
    }
}

impl Service {
    /// The caller's unsent requests, last kept first.
    pub async fn drafts(&self, caller: &Caller) -> Result<Vec<DraftView>, Problem> {
        let mut gate = self.look(caller, Operation::DraftRead).await?;
        let own = Resource::own(ResourceKind::Draft, caller.user);
        gate.authorize(&own, &Target::new("draft", "", "")).await?;
        let drafts = gate.unit.drafts_of(caller.user, LISTED).await.or_problem()?;
        Ok(drafts.into_iter().map(view).collect())
    }

    /// One of the caller's unsent requests.
    pub async fn draft(&self, caller: &Caller, id: DraftId) -> Result<DraftView, Problem> {
        let mut gate = self.look(caller, Operation::DraftRead).await?;
        let draft = gate.unit.draft(id).await.or_problem()?.ok_or_else(not_found)?;
        let target = Target::new("draft", id, draft.workflow.to_string());
        gate.authorize_or_hide(&Resource::own(ResourceKind::Draft, draft.user_id), &target).await?;
        Ok(view(draft))
    }

    /// Keeps what was typed so far; unfinished and invalid values included.
    pub async fn save_draft(
        &self,
        caller: &Caller,
        workflow: &WorkflowRef,
        id: Option<DraftId>,
        values: Value,
    ) -> Result<DraftView, Problem> {
        input::check_size(&values)?;
        let mut gate = self.enter(caller, Operation::DraftSave).await?;
        let known = match id {
            Some(id) => gate.unit.draft(id).await.or_problem()?,
            None => None,
        };
        let target = Target::new("draft", "", workflow.to_string()).within(&workflow.namespace);
        let owner = known.as_ref().map_or(caller.user, |draft| draft.user_id);
        gate.authorize_or_hide(&Resource::own(ResourceKind::Draft, owner), &target).await?;
        let is_new = known.is_none();
        let draft = match known {
            // What was sent stays what was sent; typing on makes another draft.
            Some(draft) if draft.run.is_none() && draft.workflow == *workflow => {
                Draft { values: values.to_string(), updated_at: gate.now, ..draft }
            }
            _ => Draft {
                id: DraftId::new(self.ids()),
                user_id: caller.user,
                workflow: workflow.clone(),
                values: values.to_string(),
                created_at: gate.now,
                updated_at: gate.now,
                run: None,
                approval: None,
            },
        };
        gate.unit.put_draft(&draft).await.or_problem()?;
        let target = Target::new("draft", draft.id, workflow.to_string()).within(&workflow.namespace);
        if is_new {
            gate.finish(&target, Value::Null).await?;
        } else {
            // The page keeps it while somebody types: that there is a draft is in the log already.
            gate.finish_unaudited(&draft.id.to_string()).await?;
        }
        Ok(view(draft))
    }

    /// Throws an unsent request away.
    pub async fn delete_draft(&self, caller: &Caller, id: DraftId) -> Result<(), Problem> {
        let mut gate = self.enter(caller, Operation::DraftDelete).await?;
        let own = Resource::own(ResourceKind::Draft, caller.user);
        let draft = gate.unit.draft(id).await.or_problem()?.filter(|draft| draft.user_id == caller.user);
        let target = Target::new("draft", id, draft.map(|draft| draft.workflow.to_string()).unwrap_or_default());
        gate.authorize(&own, &target).await?;
        if !gate.unit.delete_draft(caller.user, id).await.or_problem()? {
            return Err(not_found());
        }
        gate.finish(&target, Value::Null).await
    }

    /// The pending approval that waits for what a draft holds.
    async fn awaiting(&self, unit: &mut dyn UnitOfWork, draft: &Draft) -> Result<Option<ApprovalId>, Problem> {
        let Some(id) = draft.approval else { return Ok(None) };
        let approval = unit.approval(id).await.or_problem()?;
        Ok(approval.filter(|approval| approval.state == ApprovalState::Pending).map(|approval| approval.id))
    }

    /// Sends a request: it begins a run, or goes to the one that waits for it because an approver has asked for changes. Sending it again gives the same run, so a double click or a reload harms nothing.
    pub async fn send_draft(&self, caller: &Caller, id: DraftId) -> Result<RunSummary, Problem> {
        let mut gate = self.enter(caller, Operation::RunLaunch).await?;
        let mut draft = gate
            .unit
            .draft(id)
            .await
            .or_problem()?
            .filter(|draft| draft.user_id == caller.user)
            .ok_or_else(not_found)?;
        if let Some(run) = draft.run {
            let run = gate.unit.run(run).await.or_problem()?.ok_or_else(not_found)?;
            let people = People::load(gate.unit.as_mut(), [run.requester_id]).await.or_problem()?;
            return Ok(views::run_summary(&run, &people));
        }
        let values: Value = serde_json::from_str(&draft.values).unwrap_or_default();
        if let Some(approval) = self.awaiting(gate.unit.as_mut(), &draft).await? {
            gate.turn_into(Operation::ApprovalResubmit);
            return self.resubmit_within(gate, caller, approval, values).await;
        }
        let launched = self.launch_within(&mut gate, caller, &draft.workflow.clone(), None, values).await?;
        draft.run = Some(launched.run.id);
        draft.updated_at = gate.now;
        gate.unit.put_draft(&draft).await.or_problem()?;
        self.finish_launch(gate, launched, json!({"draft": id})).await
    }
}
