use domain::DecisionKind;

use super::{ApprovalRule, Tally, tally};

/// What people are asked to decide. `P` tells people apart.
#[derive(Debug, Clone, Copy)]
pub struct Matter<'a, P> {
    /// Who must approve.
    pub rule: &'a ApprovalRule,
    /// The digest of what would run and was shown. A vote on anything else does not count.
    pub digest: &'a str,
    /// Whether somebody is there who could change what was asked for. If not, a request for changes is a rejection.
    pub returnable: bool,
    /// Whom each stage asks, by its position. A stage that has not been opened asks nobody.
    pub asked: &'a [(usize, P)],
}

/// What one person said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vote<'a, P> {
    /// Who.
    pub by: P,
    /// In which stage, by its position.
    pub stage: usize,
    /// What.
    pub kind: DecisionKind,
    /// The digest of what the person saw.
    pub digest: &'a str,
}

/// Where an approval stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// This stage, by its position, waits for decisions. With nobody to ask it waits until there is somebody.
    Open {
        /// The stage.
        stage: usize,
    },
    /// Somebody asked for changes: the requester's turn. What they send is another matter.
    Returned,
    /// Somebody permitted less: what is left is another matter.
    Narrowed,
    /// Every stage approved.
    Approved,
    /// One stage rejected.
    Rejected,
}

/// Why a person may not decide now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// The stage does not ask them.
    NotAsked,
    /// They have decided in this stage.
    Decided,
    /// They have decided in an earlier stage, and the rule wants others in this one.
    DecidedEarlier,
    /// Nobody decides now.
    NotOpen(Standing),
}

impl<P: Copy + PartialEq> Matter<'_, P> {
    /// Where it stands after these votes, which are in order. Votes that were not admitted are as if they were not there.
    pub fn standing(&self, votes: &[Vote<'_, P>]) -> Standing {
        self.follow(votes).standing
    }

    /// The stage in which this person may decide, after these votes.
    ///
    /// # Errors
    /// Why they may not.
    pub fn admit(&self, votes: &[Vote<'_, P>], person: P) -> Result<usize, Denied> {
        self.follow(votes).admit(self, person)
    }

    fn follow(&self, votes: &[Vote<'_, P>]) -> Course<P> {
        let mut course = Course { standing: Standing::Open { stage: 0 }, said: Vec::new(), earlier: Vec::new() };
        for vote in votes {
            if vote.digest == self.digest && course.admit(self, vote.by) == Ok(vote.stage) {
                course.take(self, vote);
            }
        }
        course
    }

    /// Whom a stage asks, each once; without those who decided before it where the rule wants others.
    fn asked_in(&self, stage: usize, earlier: &[P]) -> Vec<P> {
        let mut people = Vec::new();
        for (of, person) in self.asked {
            if *of == stage && !people.contains(person) && !(self.rule.distinct && earlier.contains(person)) {
                people.push(*person);
            }
        }
        people
    }
}

/// How far it has come.
struct Course<P> {
    standing: Standing,
    /// What was said in the open stage.
    said: Vec<(P, DecisionKind)>,
    /// Who decided in the stages before.
    earlier: Vec<P>,
}

impl<P: Copy + PartialEq> Course<P> {
    fn admit(&self, matter: &Matter<'_, P>, person: P) -> Result<usize, Denied> {
        let Standing::Open { stage } = self.standing else { return Err(Denied::NotOpen(self.standing)) };
        if self.said.iter().any(|(by, _)| *by == person) {
            return Err(Denied::Decided);
        }
        if matter.rule.distinct && self.earlier.contains(&person) {
            return Err(Denied::DecidedEarlier);
        }
        if matter.asked_in(stage, &self.earlier).contains(&person) { Ok(stage) } else { Err(Denied::NotAsked) }
    }

    fn take(&mut self, matter: &Matter<'_, P>, vote: &Vote<'_, P>) {
        let Standing::Open { stage } = self.standing else { return };
        match vote.kind {
            DecisionKind::RequestChanges if matter.returnable => self.standing = Standing::Returned,
            DecisionKind::RequestChanges => self.standing = Standing::Rejected,
            DecisionKind::Narrow => self.standing = Standing::Narrowed,
            DecisionKind::Approve | DecisionKind::Reject => {
                self.said.push((vote.by, vote.kind));
                self.count(matter, stage);
            }
        }
    }

    fn count(&mut self, matter: &Matter<'_, P>, stage: usize) {
        let Some(rule) = matter.rule.stages.get(stage) else { return };
        match tally(rule.quorum, &matter.asked_in(stage, &self.earlier), &self.said) {
            Tally::Pending => {}
            Tally::Rejected => self.standing = Standing::Rejected,
            Tally::Approved if stage + 1 == matter.rule.stages.len() => self.standing = Standing::Approved,
            Tally::Approved => {
                self.standing = Standing::Open { stage: stage + 1 };
                self.earlier.extend(self.said.drain(..).map(|(by, _)| by));
            }
        }
    }
}
