//! An approval's rows as the matter that the interpreter's one rule judges.

use domain::{ApprovalState, StageState, UserId, WorkflowRef, view::StageView};
use engine::approvals::{judged, position};
use store::{
    approvals::{Approval, Approver, Decision},
    delegations::Represented,
};
use workflow::approval::{ApprovalRule, Ballot, Denied, Matter, Quorum, Standing, Vote};

use crate::{Caller, views};

/// What an approval asks, whom, and what they have said.
pub(super) struct Deliberation<'a> {
    pub(super) approval: &'a Approval,
    pub(super) rule: ApprovalRule,
    asked: &'a [Approver],
    pub(super) decisions: Vec<Decision>,
    /// Who has put data of their own into the run.
    changers: &'a [UserId],
}

impl<'a> Deliberation<'a> {
    pub(super) fn new(
        approval: &'a Approval,
        asked: &'a [Approver],
        decisions: Vec<Decision>,
        changers: &'a [UserId],
    ) -> Self {
        let nothing = ApprovalRule { stages: Vec::new(), distinct: false };
        // What cannot be read is never approved.
        Self { approval, rule: serde_json::from_str(&approval.rule).unwrap_or(nothing), asked, decisions, changers }
    }

    fn judged<T>(&self, judge: impl FnOnce(Matter<'_, UserId>, &[Vote<'_, UserId>]) -> T) -> T {
        judged(self.approval, &self.rule, self.asked, &self.decisions, judge)
    }

    pub(super) fn standing(&self) -> Standing {
        self.judged(|matter, votes| matter.standing(votes))
    }

    /// The vote that the caller can cast now, an own one or that of somebody for whom they stand in. Who asked for the run, and
    /// who has put data of their own into it, have none.
    pub(super) fn ballot(
        &self,
        caller: &Caller,
        represents: &[Represented],
        workflow: &WorkflowRef,
    ) -> Result<Ballot<UserId>, Denied> {
        if self.approval.requester_id == caller.user || self.changers.contains(&caller.user) {
            return Err(Denied::NotAsked);
        }
        let stands_in_for =
            |of| represents.iter().any(|represented| represented.user_id == of && represented.scope.covers(workflow));
        self.judged(|matter, votes| matter.ballot(votes, caller.user, stands_in_for))
    }

    /// Who has voted in the open stage, or somebody for them.
    pub(super) fn has_vote_of(&self, person: &Approver) -> bool {
        self.decisions.iter().any(|decision| decision.stage == person.stage && decision.vote_of() == person.user_id)
    }

    /// Whether it is the requester's turn.
    pub(super) fn is_returned(&self) -> bool {
        self.approval.state == ApprovalState::Pending && self.standing() == Standing::Returned
    }

    pub(super) fn quorum(&self) -> String {
        let stage = self.rule.stages.get(position(self.approval.stage));
        stage.map(|stage| in_words(stage.quorum)).unwrap_or_default()
    }

    pub(super) fn stages(&self) -> Vec<StageView> {
        let current = position(self.approval.stage);
        let here = match (self.approval.state, self.standing()) {
            (ApprovalState::Approved, _) => StageState::Approved,
            (ApprovalState::Pending, Standing::Open { .. }) => StageState::Open,
            (ApprovalState::Void, Standing::Open { .. }) => StageState::Ahead,
            _ => StageState::Rejected,
        };
        let view = |(index, stage): (usize, &workflow::approval::Stage)| StageView {
            title: stage.title.clone().unwrap_or_default(),
            quorum: in_words(stage.quorum),
            state: match index.cmp(&current) {
                std::cmp::Ordering::Less => StageState::Approved,
                std::cmp::Ordering::Equal => here,
                std::cmp::Ordering::Greater => StageState::Ahead,
            },
            asks: stage.approvers.iter().map(views::approver_words).collect(),
        };
        self.rule.stages.iter().enumerate().map(view).collect()
    }
}

fn in_words(quorum: Quorum) -> String {
    match quorum {
        Quorum::Count(count) => count.to_string(),
        Quorum::All => "all".to_owned(),
        Quorum::Percent(percent) => format!("{percent}%"),
    }
}
