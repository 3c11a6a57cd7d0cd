use domain::DecisionKind;

use super::{ApprovalRule, Tally, tally_among};

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
    /// Whom a stage asks as well since others have left. Their votes count like all; how many are needed stays what it was.
    pub later: &'a [(usize, P)],
}

/// What one person said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vote<'a, P> {
    /// Whose vote it is: somebody who is asked.
    pub of: P,
    /// Who cast it: the same, or somebody who stood in for them.
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
    /// No vote is left to them in this stage: they have decided, or somebody has in the place of the one whose vote it is.
    Decided,
    /// They have decided in an earlier stage, and the rule wants others in this one.
    DecidedEarlier,
    /// Nobody decides now.
    NotOpen(Standing),
}

/// A vote that a person can cast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ballot<P> {
    /// In which stage, by its position.
    pub stage: usize,
    /// Whose vote it is.
    pub of: P,
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
        self.ballot(votes, person, |_| false).map(|ballot| ballot.stage)
    }

    /// The vote that this person can cast, after these votes. Who is asked has the own vote and no other, so that nobody
    /// decides twice in a stage; who stands in for several who are asked casts the vote of the first of them, in the order of
    /// asking, that is not cast yet.
    ///
    /// # Errors
    /// Why there is none.
    pub fn ballot(
        &self,
        votes: &[Vote<'_, P>],
        person: P,
        stands_in_for: impl Fn(P) -> bool,
    ) -> Result<Ballot<P>, Denied> {
        self.follow(votes).ballot(self, person, stands_in_for)
    }

    /// Whether the open stage has too few people left: even if all agreed who can still vote, it would not be enough.
    pub fn lacks_people(&self, votes: &[Vote<'_, P>], can_vote: impl Fn(P) -> bool) -> bool {
        let course = self.follow(votes);
        let Standing::Open { stage } = course.standing else { return false };
        let Some(rule) = self.rule.stages.get(stage) else { return false };
        let people = self.asked_in(stage, &course.earlier);
        let left = |person: &P| course.has_vote_of(*person) || (can_vote(*person) && !course.has_decided(*person));
        let against = course.said.iter().filter(|said| said.kind == DecisionKind::Reject).count();
        let reachable = people.iter().filter(|person| left(person)).count().saturating_sub(against);
        reachable < rule.quorum.needed(self.asked_at_first(stage, &course.earlier))
    }

    fn follow(&self, votes: &[Vote<'_, P>]) -> Course<P> {
        let mut course = Course { standing: Standing::Open { stage: 0 }, said: Vec::new(), earlier: Vec::new() };
        for vote in votes {
            if vote.digest == self.digest && course.admits(self, vote) {
                course.take(self, vote);
            }
        }
        course
    }

    /// Whom a stage asks, each once; without those who decided before it where the rule wants others.
    fn asked_in(&self, stage: usize, earlier: &[P]) -> Vec<P> {
        let mut people = Vec::new();
        for (of, person) in self.asked.iter().chain(self.later) {
            if *of == stage && !people.contains(person) && !(self.rule.distinct && earlier.contains(person)) {
                people.push(*person);
            }
        }
        people
    }

    /// How many of them were asked at first: by that the quorum is counted, whoever has left or come since.
    fn asked_at_first(&self, stage: usize, earlier: &[P]) -> usize {
        Self { later: &[], ..*self }.asked_in(stage, earlier).len()
    }
}

/// What was said in a stage.
struct Said<P> {
    of: P,
    by: P,
    kind: DecisionKind,
}

/// How far it has come.
struct Course<P> {
    standing: Standing,
    /// What was said in the open stage.
    said: Vec<Said<P>>,
    /// Who decided in the stages before, and for whom.
    earlier: Vec<P>,
}

impl<P: Copy + PartialEq> Course<P> {
    fn has_decided(&self, person: P) -> bool {
        self.said.iter().any(|said| said.by == person)
    }

    fn has_vote_of(&self, person: P) -> bool {
        self.said.iter().any(|said| said.of == person)
    }

    fn ballot(
        &self,
        matter: &Matter<'_, P>,
        person: P,
        stands_in_for: impl Fn(P) -> bool,
    ) -> Result<Ballot<P>, Denied> {
        let Standing::Open { stage } = self.standing else { return Err(Denied::NotOpen(self.standing)) };
        if self.has_decided(person) {
            return Err(Denied::Decided);
        }
        if matter.rule.distinct && self.earlier.contains(&person) {
            return Err(Denied::DecidedEarlier);
        }
        let mut whose = matter.asked_in(stage, &self.earlier);
        let own = whose.contains(&person);
        whose.retain(|of| if own { *of == person } else { stands_in_for(*of) });
        if whose.is_empty() {
            return Err(Denied::NotAsked);
        }
        let of = whose.into_iter().find(|of| !self.has_vote_of(*of)).ok_or(Denied::Decided)?;
        Ok(Ballot { stage, of })
    }

    /// Whether a vote that was cast counts. Whether somebody stood in was asked when it was cast: that time may be over.
    fn admits(&self, matter: &Matter<'_, P>, vote: &Vote<'_, P>) -> bool {
        let done = matter.rule.distinct && self.earlier.contains(&vote.by);
        self.standing == Standing::Open { stage: vote.stage }
            && !done
            && !self.has_decided(vote.by)
            && !self.has_vote_of(vote.of)
            && matter.asked_in(vote.stage, &self.earlier).contains(&vote.of)
    }

    fn take(&mut self, matter: &Matter<'_, P>, vote: &Vote<'_, P>) {
        let Standing::Open { stage } = self.standing else { return };
        match vote.kind {
            DecisionKind::RequestChanges if matter.returnable => self.standing = Standing::Returned,
            DecisionKind::RequestChanges => self.standing = Standing::Rejected,
            DecisionKind::Narrow => self.standing = Standing::Narrowed,
            DecisionKind::Approve | DecisionKind::Reject => {
                self.said.push(Said { of: vote.of, by: vote.by, kind: vote.kind });
                self.count(matter, stage);
            }
        }
    }

    fn count(&mut self, matter: &Matter<'_, P>, stage: usize) {
        let Some(rule) = matter.rule.stages.get(stage) else { return };
        let said: Vec<(P, DecisionKind)> = self.said.iter().map(|said| (said.of, said.kind)).collect();
        let at_first = matter.asked_at_first(stage, &self.earlier);
        match tally_among(rule.quorum, at_first, &matter.asked_in(stage, &self.earlier), &said) {
            Tally::Pending => {}
            Tally::Rejected => self.standing = Standing::Rejected,
            Tally::Approved if stage + 1 == matter.rule.stages.len() => self.standing = Standing::Approved,
            Tally::Approved => {
                self.standing = Standing::Open { stage: stage + 1 };
                self.earlier.extend(self.said.drain(..).flat_map(|said| [said.by, said.of]));
            }
        }
    }
}
