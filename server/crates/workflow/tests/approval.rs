//! Where an approval stands, and who may decide.

use std::collections::BTreeSet;

use domain::DecisionKind::{self, Approve as A, Narrow as N, Reject as R, RequestChanges as C};
use proptest::prelude::*;
use workflow::approval::{ApprovalRule, Ballot, Denied, Matter, Quorum, Stage, Standing, Vote};

const ONE: Quorum = Quorum::Count(1);

fn rule(quorums: &[Quorum], distinct: bool) -> ApprovalRule {
    let stage = |quorum: &Quorum| Stage { title: None, approvers: Vec::new(), quorum: *quorum };
    ApprovalRule { stages: quorums.iter().map(stage).collect(), distinct }
}

fn vote(by: u8, stage: usize, kind: DecisionKind) -> Vote<'static, u8> {
    Vote { of: by, by, stage, kind, digest: "now" }
}

/// The stages' quorums, whether people must be distinct, who voted in which stage for what, and where that leads.
type Row<'a> = (&'a [Quorum], bool, &'a [(u8, usize, DecisionKind)], Standing);

#[test]
fn decides_by_stages() {
    let (first, second) = (Standing::Open { stage: 0 }, Standing::Open { stage: 1 });
    let asked = [(0, 1), (0, 2), (1, 2), (1, 3)];
    let table: &[Row<'_>] = &[
        (&[ONE, ONE], false, &[], first),
        (&[ONE, ONE], false, &[(1, 0, A)], second),
        (&[ONE, ONE], false, &[(3, 0, A)], first),
        (&[ONE, ONE], false, &[(3, 1, A)], first),
        (&[ONE, ONE], false, &[(3, 1, A), (1, 0, A)], second),
        (&[ONE, ONE], false, &[(1, 0, A), (3, 1, A)], Standing::Approved),
        (&[ONE, ONE], false, &[(1, 0, A), (3, 1, R)], Standing::Rejected),
        (&[ONE, ONE], false, &[(1, 0, R), (1, 0, A)], Standing::Rejected),
        (&[ONE, ONE], false, &[(2, 0, A), (2, 1, A)], Standing::Approved),
        (&[ONE, ONE], true, &[(2, 0, A), (2, 1, A)], second),
        (&[ONE, ONE], true, &[(2, 0, A), (3, 1, A)], Standing::Approved),
        (&[Quorum::All, ONE], true, &[(1, 0, A), (3, 1, A)], first),
        (&[Quorum::All, ONE], true, &[(1, 0, A), (2, 0, A), (3, 1, A)], Standing::Approved),
        (&[ONE, Quorum::All], true, &[(2, 0, A), (3, 1, A)], Standing::Approved),
        (&[ONE, Quorum::All], false, &[(2, 0, A), (3, 1, A)], second),
        (&[ONE, ONE], false, &[(1, 0, C), (2, 0, A)], Standing::Returned),
        (&[ONE, ONE], false, &[(1, 0, A), (3, 1, C)], Standing::Returned),
        (&[ONE, ONE], false, &[(1, 0, A), (3, 1, N), (2, 1, A)], Standing::Narrowed),
        (&[ONE, ONE, ONE], false, &[(1, 0, A), (3, 1, A)], Standing::Open { stage: 2 }),
        (&[], false, &[(1, 0, A)], first),
    ];
    for (quorums, distinct, said, expected) in table {
        let rule = rule(quorums, *distinct);
        let matter = Matter { rule: &rule, digest: "now", returnable: true, asked: &asked, later: &[] };
        let votes: Vec<_> = said.iter().map(|(by, stage, kind)| vote(*by, *stage, *kind)).collect();
        assert_eq!(matter.standing(&votes), *expected, "{quorums:?} {distinct} {said:?}");
    }
}

#[test]
fn says_why_somebody_may_not_decide() {
    let rule = rule(&[Quorum::Count(2), ONE], true);
    let asked = [(0, 1), (0, 2), (1, 2), (1, 3)];
    let matter = Matter { rule: &rule, digest: "now", returnable: true, asked: &asked, later: &[] };
    let mut votes = vec![vote(1, 0, A)];
    assert_eq!(matter.admit(&votes, 1), Err(Denied::Decided));
    assert_eq!(matter.admit(&votes, 3), Err(Denied::NotAsked));
    assert_eq!(matter.admit(&votes, 2), Ok(0));
    votes.push(vote(2, 0, A));
    assert_eq!(matter.admit(&votes, 2), Err(Denied::DecidedEarlier));
    assert_eq!(matter.admit(&votes, 3), Ok(1));
    votes.push(vote(3, 1, C));
    assert_eq!(matter.admit(&votes, 3), Err(Denied::NotOpen(Standing::Returned)));
    let nobody = Matter { returnable: false, ..matter };
    assert_eq!(nobody.standing(&votes), Standing::Rejected);
}

#[test]
fn a_vote_on_something_else_does_not_count() {
    let rule = rule(&[ONE], false);
    let matter = Matter { rule: &rule, digest: "now", returnable: true, asked: &[(0, 1), (0, 2)], later: &[] };
    let old = Vote { digest: "before", ..vote(1, 0, A) };
    assert_eq!(matter.standing(&[old]), Standing::Open { stage: 0 });
    assert_eq!(matter.admit(&[old], 1), Ok(0));
    assert_eq!(matter.standing(&[old, vote(2, 0, A)]), Standing::Approved);
}

/// A vote of somebody, cast by somebody else.
fn vote_for(of: u8, by: u8, stage: usize, kind: DecisionKind) -> Vote<'static, u8> {
    Vote { of, ..vote(by, stage, kind) }
}

/// Whom 9 stands in for, what was cast, and whose vote 9 casts then.
type Casting<'a> = (&'a [u8], &'a [Vote<'static, u8>], Result<u8, Denied>);

#[test]
fn a_person_casts_one_vote_in_a_stage() {
    let rule = rule(&[Quorum::All], false);
    let asked = [(0, 1), (0, 2), (0, 3)];
    let matter = Matter { rule: &rule, digest: "now", returnable: true, asked: &asked, later: &[] };
    let table: &[Casting<'_>] = &[
        (&[], &[], Err(Denied::NotAsked)),
        (&[7], &[], Err(Denied::NotAsked)),
        (&[2], &[], Ok(2)),
        (&[3, 1], &[], Ok(1)),
        (&[3, 1], &[vote(1, 0, A)], Ok(3)),
        (&[3, 1], &[vote_for(1, 8, 0, A)], Ok(3)),
        (&[3, 1], &[vote_for(1, 9, 0, A)], Err(Denied::Decided)),
        (&[2], &[vote(2, 0, A)], Err(Denied::Decided)),
    ];
    for (stands_in_for, votes, expected) in table {
        let ballot = matter.ballot(votes, 9, |of| stands_in_for.contains(&of));
        assert_eq!(ballot, expected.map(|of| Ballot { stage: 0, of }), "{stands_in_for:?} {votes:?}");
    }
    // Who is asked has no other vote than the own, even if somebody else has cast it.
    let own = |votes: &[Vote<'static, u8>]| matter.ballot(votes, 1, |_| true).map(|ballot| ballot.of);
    assert_eq!(own(&[]), Ok(1));
    assert_eq!(own(&[vote_for(1, 9, 0, A)]), Err(Denied::Decided));
    assert_eq!(own(&[vote_for(2, 1, 0, A)]), Err(Denied::Decided));
    // Written past all doors, neither a second vote of one person counts nor a second one by one person.
    let twice = [vote_for(1, 9, 0, A), vote_for(2, 9, 0, A), vote(1, 0, A), vote(3, 0, A)];
    assert_eq!(matter.standing(&twice), Standing::Open { stage: 0 });
}

#[test]
fn who_stood_in_is_not_another_person_in_a_later_stage() {
    let rule = rule(&[ONE, ONE], true);
    let asked = [(0, 1), (1, 1), (1, 2), (1, 3), (1, 9)];
    let matter = Matter { rule: &rule, digest: "now", returnable: true, asked: &asked, later: &[] };
    let votes = [vote_for(1, 9, 0, A)];
    for decided in [1, 9] {
        assert_eq!(matter.admit(&votes, decided), Err(Denied::DecidedEarlier), "{decided}");
    }
    assert_eq!(matter.ballot(&votes, 9, |of| of == 2), Err(Denied::DecidedEarlier));
    assert_eq!(matter.admit(&votes, 2), Ok(1));
}

#[test]
fn who_leaves_or_comes_lowers_no_quorum_and_voids_no_vote() {
    let rule = rule(&[Quorum::All], false);
    let asked = [(0, 1), (0, 2)];
    let alone = Matter { rule: &rule, digest: "now", returnable: true, asked: &asked, later: &[] };
    let replaced = Matter { later: &[(0, 3), (0, 9)], ..alone };
    let (open, without_two) = (Standing::Open { stage: 0 }, |person: u8| person != 2);
    let one = [vote(1, 0, A)];
    assert_eq!(alone.standing(&one), open);
    assert!(!alone.lacks_people(&one, |_| true));
    assert!(alone.lacks_people(&one, without_two));
    assert!(!replaced.lacks_people(&one, without_two));
    assert_eq!(replaced.standing(&one), open);
    assert_eq!(replaced.standing(&[one[0], vote(3, 0, A)]), Standing::Approved);
    // One rejection of two is as much as it was.
    assert_eq!(replaced.standing(&[vote(1, 0, R)]), Standing::Rejected);
    // Who stood in and is asked themselves afterwards has decided, and what they decided counts.
    let stood_in = [vote_for(2, 9, 0, A)];
    assert_eq!(replaced.admit(&stood_in, 9), Err(Denied::Decided));
    assert_eq!(replaced.standing(&[stood_in[0], one[0]]), Standing::Approved);
    // With nobody asked there is nobody to agree.
    let nobody = Matter { asked: &[], ..alone };
    assert!(nobody.lacks_people(&[], |_| true));
}

/// What can happen to an approval.
#[derive(Debug, Clone)]
enum Move {
    /// Somebody decides; by a door that asks beforehand, or written past all doors; on the matter of now, or an older.
    Decide { by: u8, stage: usize, kind: DecisionKind, asks: bool, old: bool },
    /// Somebody is asked, whichever stage is open.
    Ask { stage: usize, person: u8 },
    /// What is asked about changes: sent again, narrowed, another plan.
    Change { quorums: Vec<Quorum>, distinct: bool },
}

fn quorum() -> impl Strategy<Value = Quorum> {
    prop_oneof![(1..4_u32).prop_map(Quorum::Count), Just(Quorum::All), (1..=100_u8).prop_map(Quorum::Percent)]
}

fn plan() -> impl Strategy<Value = (Vec<Quorum>, bool)> {
    (prop::collection::vec(quorum(), 1..4), any::<bool>())
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let kind = prop_oneof![8 => Just(A), 1 => Just(R), 1 => Just(C), 1 => Just(N)];
    let one = prop_oneof![
        12 => (0..5_u8, 0..3_usize, kind, any::<bool>(), prop::bool::weighted(0.1))
            .prop_map(|(by, stage, kind, asks, old)| Move::Decide { by, stage, kind, asks, old }),
        4 => (0..3_usize, 0..5_u8).prop_map(|(stage, person)| Move::Ask { stage, person }),
        1 => plan().prop_map(|(quorums, distinct)| Move::Change { quorums, distinct }),
    ];
    prop::collection::vec(one, 0..60)
}

/// A vote that outlives what it was on.
type Kept = (u8, usize, DecisionKind, String);

fn seen(votes: &[Kept]) -> Vec<Vote<'_, u8>> {
    votes.iter().map(|vote| Vote { of: vote.0, by: vote.0, stage: vote.1, kind: vote.2, digest: &vote.3 }).collect()
}

/// Whether each stage can have had its quorum on this digest: counted anew, without knowing how [`Matter`] does it. With
/// distinct people there must be enough different ones for all stages together.
fn can_have_been_approved(rule: &ApprovalRule, digest: &str, asked: &[(usize, u8)], votes: &[Kept]) -> bool {
    let (mut before, mut all, mut sum) = (BTreeSet::new(), BTreeSet::new(), 0);
    for (stage, of) in rule.stages.iter().enumerate() {
        let people: BTreeSet<u8> = asked.iter().filter(|(at, _)| *at == stage).map(|(_, person)| *person).collect();
        let here = |(by, at, _, on): &&Kept| *at == stage && on == digest && people.contains(by);
        let yes: BTreeSet<u8> = votes.iter().filter(here).filter(|vote| vote.2 == A).map(|vote| vote.0).collect();
        let others = people.iter().filter(|person| !(rule.distinct && before.contains(*person))).count();
        let needed = match of.quorum {
            Quorum::Count(count) => count as usize,
            Quorum::All => others,
            Quorum::Percent(percent) => (others * usize::from(percent)).div_ceil(100),
        };
        let needed = needed.max(1);
        if yes.len() < needed {
            return false;
        }
        sum += needed;
        before.extend(votes.iter().filter(here).map(|vote| vote.0));
        all.extend(yes);
    }
    !rule.distinct || all.len() >= sum
}

proptest! {
    // A failure prints the moves and the seed that made them.
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// Whatever happens in whatever order, it is approved only with the quorum of each stage on what it is about now;
    /// and once it has come to an end, nothing that is said changes that.
    #[test]
    fn nothing_is_approved_without_the_quorum_of_each_stage_on_the_current_digest(
        (quorums, distinct) in plan(),
        moves in moves(),
    ) {
        let mut rule = rule(&quorums, distinct);
        let mut version = 0_u32;
        let mut asked: Vec<(usize, u8)> = Vec::new();
        let mut votes: Vec<Kept> = Vec::new();
        let mut ended = None;
        for step in moves {
            match step {
                // Nobody is asked about what has come to its end.
                Move::Ask { stage, person } if ended.is_none() => asked.push((stage, person)),
                Move::Ask { .. } => {}
                Move::Change { quorums, distinct } => {
                    rule = crate::rule(&quorums, distinct);
                    version += 1;
                    asked.clear();
                    ended = None;
                }
                Move::Decide { by, stage, kind, asks, old } => {
                    let digest = version.to_string();
                    let matter = Matter { rule: &rule, digest: &digest, returnable: true, asked: &asked, later: &[] };
                    if asks && matter.admit(&seen(&votes), by) != Ok(stage) {
                        continue;
                    }
                    votes.push((by, stage, kind, version.saturating_sub(u32::from(old)).to_string()));
                }
            }
            let digest = version.to_string();
            let seen = seen(&votes);
            let matter = Matter { rule: &rule, digest: &digest, returnable: true, asked: &asked, later: &[] };
            let standing = matter.standing(&seen);
            if standing == Standing::Approved {
                prop_assert!(can_have_been_approved(&rule, &digest, &asked, &votes), "{rule:?} {asked:?} {votes:?}");
            }
            if let Some(end) = ended {
                prop_assert_eq!(standing, end);
            }
            if !matches!(standing, Standing::Open { .. }) {
                ended = Some(standing);
                for person in 0..5 {
                    prop_assert_eq!(matter.admit(&seen, person), Err(Denied::NotOpen(standing)));
                }
            }
        }
    }
}

/// What happens around an approval while it is open.
#[derive(Debug, Clone)]
enum Turn {
    /// Somebody names a substitute for so many hours.
    Delegate { of: u8, by: u8, hours: u32 },
    /// Time passes.
    Pass { hours: u32 },
    /// An account is disabled, or enabled again.
    Account { person: u8, active: bool },
    /// The open stage asks somebody as well: an escalation, or in the place of somebody who has left.
    AskLater { person: u8 },
    /// Somebody decides, if they have a vote.
    Decide { by: u8, kind: DecisionKind },
    /// The due time comes, and ends it.
    Due,
}

const PEOPLE: u8 = 7;
/// Who asked for the run. Stages never ask them; they are named as substitutes all the same.
const REQUESTER: u8 = 0;

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let anybody = || 0..PEOPLE;
    let one = prop_oneof![
        6 => (anybody(), anybody(), 1..30_u32).prop_map(|(of, by, hours)| Turn::Delegate { of, by, hours }),
        3 => (1..20_u32).prop_map(|hours| Turn::Pass { hours }),
        3 => (anybody(), any::<bool>()).prop_map(|(person, active)| Turn::Account { person, active }),
        3 => (1..PEOPLE).prop_map(|person| Turn::AskLater { person }),
        20 => (anybody(), prop_oneof![9 => Just(A), 1 => Just(R)]).prop_map(|(by, kind)| Turn::Decide { by, kind }),
        1 => Just(Turn::Due),
    ];
    prop::collection::vec(one, 0..80)
}

/// An approval among people who come and go.
struct Portal {
    rule: ApprovalRule,
    /// Whom each stage asks when it opens.
    first: Vec<BTreeSet<u8>>,
    asked: Vec<(usize, u8)>,
    later: Vec<(usize, u8)>,
    votes: Vec<Vote<'static, u8>>,
    delegations: Vec<(u8, u8, u32)>,
    gone: BTreeSet<u8>,
    hour: u32,
    closed: bool,
}

impl Portal {
    fn matter(&self) -> Matter<'_, u8> {
        Matter { rule: &self.rule, digest: "now", returnable: true, asked: &self.asked, later: &self.later }
    }

    fn standing(&self) -> Standing {
        self.matter().standing(&self.votes)
    }

    fn stands_in(&self, by: u8, of: u8) -> bool {
        let is_now = |(from, to, until): &(u8, u8, u32)| (*from, *to) == (of, by) && self.hour < *until;
        by != REQUESTER && !self.gone.contains(&of) && self.delegations.iter().any(is_now)
    }

    /// Those of them who may still be asked, once a stage opens: not whom it asked before.
    fn open(&mut self) {
        let Standing::Open { stage } = self.standing() else { return };
        if self.asked.iter().all(|(at, _)| *at != stage) {
            let people = self.first.get(stage).into_iter().flatten().filter(|person| !self.gone.contains(*person));
            self.asked.extend(people.map(|person| (stage, *person)).collect::<Vec<_>>());
        }
    }

    fn take(&mut self, turn: &Turn) -> Result<(), TestCaseError> {
        match *turn {
            Turn::Delegate { of, by, hours } if of != by => self.delegations.push((of, by, self.hour + hours)),
            Turn::Delegate { .. } => {}
            Turn::Pass { hours } => self.hour += hours,
            Turn::Account { person, active: true } => _ = self.gone.remove(&person),
            Turn::Account { person, active: false } => _ = self.gone.insert(person),
            Turn::AskLater { person } => {
                if let Standing::Open { stage } = self.standing()
                    && !self.closed
                    && self.asked.iter().any(|(at, _)| *at == stage)
                    && self.asked.iter().chain(&self.later).all(|(at, known)| (*at, *known) != (stage, person))
                {
                    self.later.push((stage, person));
                }
            }
            Turn::Due => self.closed |= matches!(self.standing(), Standing::Open { .. }),
            Turn::Decide { by, .. } if self.closed || self.gone.contains(&by) => {}
            Turn::Decide { by, kind } => {
                let ballot = self.matter().ballot(&self.votes, by, |of| self.stands_in(by, of));
                if let Ok(Ballot { stage, of }) = ballot {
                    let is_asked = |person| self.asked.iter().chain(&self.later).any(|one| *one == (stage, person));
                    prop_assert!(is_asked(of), "a vote of somebody who is not asked");
                    prop_assert!(of == by || self.stands_in(by, of) && !is_asked(by), "{by} cast the vote of {of}");
                    self.votes.push(vote_for(of, by, stage, kind));
                }
            }
        }
        Ok(())
    }

    /// Whether each stage had so many approvals of different people, by different people, as its quorum wants of those whom it
    /// asked at first: counted anew.
    fn had_every_quorum(&self) -> bool {
        let mut before = BTreeSet::new();
        self.rule.stages.iter().enumerate().all(|(stage, of)| {
            let keeps = |person: &u8| !(self.rule.distinct && before.contains(person));
            let first = self.asked.iter().filter(|(at, person)| *at == stage && keeps(person)).count();
            let here: Vec<_> = self.votes.iter().filter(|vote| vote.stage == stage).collect();
            let yes: Vec<_> = here.iter().filter(|vote| vote.kind == A && keeps(&vote.of) && keeps(&vote.by)).collect();
            let owners: BTreeSet<u8> = yes.iter().map(|vote| vote.of).collect();
            let casters: BTreeSet<u8> = yes.iter().map(|vote| vote.by).collect();
            let needed = match of.quorum {
                Quorum::Count(count) => count as usize,
                Quorum::All => first,
                Quorum::Percent(percent) => (first * usize::from(percent)).div_ceil(100),
            };
            before.extend(here.iter().flat_map(|vote| [vote.of, vote.by]));
            first > 0 && owners.len().min(casters.len()) >= needed.max(1) && !casters.contains(&REQUESTER)
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Whoever stands in for whom, leaves, comes back or is asked later, and however late it is: nothing is approved without
    /// the quorum that the rule asked for when each stage began, and nothing after the due time.
    #[test]
    fn no_order_of_delegations_departures_and_time_lets_a_run_go_on_without_its_quorum(
        (quorums, distinct) in plan(),
        first in prop::collection::vec(prop::collection::btree_set(1..PEOPLE, 0..5), 3),
        turns in turns(),
    ) {
        let mut portal = Portal {
            rule: rule(&quorums, distinct),
            first,
            asked: Vec::new(),
            later: Vec::new(),
            votes: Vec::new(),
            delegations: Vec::new(),
            gone: BTreeSet::new(),
            hour: 0,
            closed: false,
        };
        for turn in &turns {
            portal.open();
            portal.take(turn)?;
            let standing = portal.standing();
            if standing == Standing::Approved {
                prop_assert!(!portal.closed, "approved after the due time");
                prop_assert!(portal.had_every_quorum(), "{:?} {:?} {:?}", portal.rule, portal.asked, portal.votes);
            }
        }
    }
}
