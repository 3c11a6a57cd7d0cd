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

#[test]
fn a_person_casts_one_vote_in_a_stage() {
    let rule = rule(&[Quorum::All], false);
    let asked = [(0, 1), (0, 2), (0, 3)];
    let matter = Matter { rule: &rule, digest: "now", returnable: true, asked: &asked, later: &[] };
    // Whom 9 stands in for, what was cast, and whose vote 9 casts then.
    type Row<'a> = (&'a [u8], &'a [Vote<'static, u8>], Result<u8, Denied>);
    let table: &[Row<'_>] = &[
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
