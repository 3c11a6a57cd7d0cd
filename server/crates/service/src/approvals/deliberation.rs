//! An approval's rows as the matter that the interpreter's one rule judges.

use domain::{ApprovalState, StageState, UserId, view::StageView};
use store::approvals::{Approval, Approver, Decision};
use workflow::approval::{ApprovalRule, Denied, Matter, Quorum, Standing, Vote};

use crate::views;

/// What an approval asks, whom, and what they have said.
pub(super) struct Deliberation<'a> {
    approval: &'a Approval,
    pub(super) rule: ApprovalRule,
    asked: Vec<(usize, UserId)>,
    pub(super) decisions: Vec<Decision>,
}

fn position(stage: u32) -> usize {
    usize::try_from(stage).unwrap_or(usize::MAX)
}

impl<'a> Deliberation<'a> {
    pub(super) fn new(approval: &'a Approval, asked: &[Approver], decisions: Vec<Decision>) -> Self {
        let nothing = ApprovalRule { stages: Vec::new(), distinct: false };
        Self {
            approval,
            // What cannot be read is never approved.
            rule: serde_json::from_str(&approval.rule).unwrap_or(nothing),
            asked: asked.iter().map(|approver| (position(approver.stage), approver.user_id)).collect(),
            decisions,
        }
    }

    fn judged<T>(&self, judge: impl FnOnce(Matter<'_, UserId>, &[Vote<'_, UserId>]) -> T) -> T {
        let votes: Vec<Vote<'_, UserId>> = self
            .decisions
            .iter()
            .map(|decision| Vote {
                by: decision.user_id,
                stage: position(decision.stage),
                kind: decision.kind,
                digest: &decision.digest,
            })
            .collect();
        let matter = Matter {
            rule: &self.rule,
            digest: &self.approval.digest,
            returnable: self.approval.returnable,
            asked: &self.asked,
        };
        judge(matter, &votes)
    }

    pub(super) fn standing(&self) -> Standing {
        self.judged(|matter, votes| matter.standing(votes))
    }

    /// The stage in which this person may decide now.
    pub(super) fn admit(&self, person: UserId) -> Result<u32, Denied> {
        let stage = self.judged(|matter, votes| matter.admit(votes, person))?;
        Ok(u32::try_from(stage).unwrap_or(u32::MAX))
    }

    /// Whether this person may decide now.
    pub(super) fn waits_for(&self, person: UserId) -> bool {
        self.approval.state == ApprovalState::Pending && self.admit(person).is_ok()
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
