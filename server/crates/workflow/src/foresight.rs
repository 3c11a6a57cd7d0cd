//! What would follow in a run that waits, if those who are asked approve: the calls to come, and how sure each of them is.
//!
//! The rest of the run is rehearsed from where it stands, three times, each time with other made-up answers of the calls to
//! come. What is the same in all of them does not depend on these answers. That is no proof: a choice that none of the three
//! answers meets is not seen. It errs to the side of "perhaps" where an answer may be anything. What somebody has looked up
//! beforehand is no longer made up: [`Known`].
//!
//! No made-up call fails, and no event comes. So a task that fails all the same tells of the answers, not of the run, and so
//! does a limit of time for an event: each rehearsal is followed up to there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::{
    ApprovalRequest, CallId, CallRequest, CallTicket, Definition, RunError, RunState,
    harness::{Answer, Responder, Scenario, Turn},
    process::{self, Process},
    rehearsal::Pretended,
};

/// Events after which the rest of a run is no longer followed.
const MOST_EVENTS: usize = 2_000;

/// A task, and the how many-th call of it.
pub type Key = (String, u32);

/// What calls give that were looked up: arguments and output. Where a call has other arguments, its answer is made up.
pub type Known = BTreeMap<Key, (Value, Value)>;

/// Which made-up answers calls get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variety {
    /// The first of what is possible.
    Plain,
    /// Another of it, as different as can be.
    Other,
    /// As little as there may be.
    Bare,
}

impl Variety {
    const ALL: [Self; 3] = [Self::Plain, Self::Other, Self::Bare];

    /// A text that was made up.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Plain => "sample",
            Self::Other => "another sample",
            Self::Bare => "a third sample",
        }
    }

    /// A value of which nothing is known.
    #[must_use]
    pub fn anything(self) -> Value {
        match self {
            Self::Plain | Self::Bare => Value::Null,
            // Whoever looks into it fails, and so is seen.
            Self::Other => self.text().into(),
        }
    }
}

/// How sure a call is that is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// It comes, with these arguments, if the calls before it succeed.
    Known,
    /// The same, but a secret is among the arguments, which is not read for this.
    Secret,
    /// It comes, but its arguments depend on what calls before it give.
    Arguments,
    /// Whether it comes depends on what calls before it give.
    Perhaps,
}

/// A call that is to come.
#[derive(Clone, Debug, PartialEq)]
pub struct Following {
    /// JSON pointer to the task.
    pub reference: String,
    /// The task's name.
    pub name: String,
    /// The function.
    pub function: String,
    /// The n-th call of this task from now on, from 1.
    pub occurrence: u32,
    /// How many decisions have to be given before it beside those that are open now.
    pub decisions: u32,
    /// How sure it is.
    pub certainty: Certainty,
    /// The arguments, if they are [`Certainty::Known`].
    pub with: Option<Value>,
    /// What it would do, for people; none where that is not certain.
    pub words: Option<String>,
}

/// What would follow.
#[derive(Clone, Debug, PartialEq)]
pub struct Prospect {
    /// The calls in their order.
    pub calls: Vec<Following>,
    /// Whether the run would then wait for something that nobody can foresee.
    pub waits: bool,
    /// Whether more may come of which nobody can say anything, since it depends on what these calls give.
    pub open_end: bool,
}

/// Follows a run from where it stands. `answer` says what a call would do, and what it might give; what it says of failures
/// is not heeded.
pub fn foresee(
    definition: &Definition,
    state: &RunState,
    known: &Known,
    answer: &mut dyn FnMut(&CallRequest, Variety) -> (Option<String>, Value),
) -> Prospect {
    let nothing = Map::new();
    let secrets = Pretended(&nothing);
    let under_way: BTreeSet<CallId> = state.calls.keys().chain(state.detached.keys()).copied().collect();
    let (mut waits, mut lost) = (false, 0);
    let mut rehearsals = Variety::ALL.map(|variety| {
        let (seen, under_way) = (Seen::default(), &under_way);
        let mut follower = Follower { variety, known, answer: &mut *answer, under_way, seen, decided: 0, lost: None };
        let outcome =
            Scenario::following(definition, state.clone()).secrets(&secrets).limit(MOST_EVENTS).drive(&mut follower);
        let awaits = match follower.lost {
            None => !outcome.run.status.is_final(),
            Some(turn) => turn == Turn::NoEvent,
        };
        waits |= variety == Variety::Plain && awaits;
        lost += usize::from(follower.lost == Some(Turn::Fault));
        follower.seen
    });
    let all: Vec<Key> = rehearsals.iter().flat_map(|seen| seen.order.iter().cloned()).collect();
    let mut calls: Vec<Following> = Vec::new();
    for key in all {
        let found: Vec<Sight> = rehearsals.iter_mut().filter_map(|seen| seen.calls.remove(&key)).collect();
        calls.extend(together(key, found, Variety::ALL.len()));
    }
    Prospect { calls, waits, open_end: lost == Variety::ALL.len() }
}

/// What one rehearsal shows of a call.
struct Sight {
    name: String,
    function: String,
    decisions: u32,
    /// None where they could not be made.
    with: Option<Value>,
    words: Option<String>,
    secret: bool,
}

#[derive(Default)]
struct Seen {
    order: Vec<Key>,
    calls: BTreeMap<Key, Sight>,
    times: BTreeMap<String, u32>,
}

impl Seen {
    fn note(&mut self, reference: &str, sight: Sight) -> Key {
        let times = self.times.entry(reference.to_owned()).or_default();
        *times += 1;
        let key = (reference.to_owned(), *times);
        self.order.push(key.clone());
        self.calls.insert(key.clone(), sight);
        key
    }
}

/// What several rehearsals say of one call; none where it was taken in already.
fn together((reference, occurrence): Key, found: Vec<Sight>, rehearsals: usize) -> Option<Following> {
    let sights = found.len();
    let mut found = found.into_iter();
    let first = found.next()?;
    let (mut same_with, mut same_words) = (first.with.is_some(), sights > 1);
    for other in found {
        same_with &= other.with == first.with;
        same_words &= other.words == first.words;
    }
    let certainty = match (sights == rehearsals, same_with, first.secret) {
        (false, ..) => Certainty::Perhaps,
        (true, false, _) => Certainty::Arguments,
        (true, true, true) => Certainty::Secret,
        (true, true, false) => Certainty::Known,
    };
    Some(Following {
        reference,
        name: first.name,
        function: first.function,
        occurrence,
        decisions: first.decisions,
        certainty,
        with: first.with.filter(|_| certainty == Certainty::Known),
        words: first.words.filter(|_| same_words),
    })
}

struct Follower<'a> {
    variety: Variety,
    known: &'a Known,
    answer: &'a mut dyn FnMut(&CallRequest, Variety) -> (Option<String>, Value),
    /// What is in flight already: these are not to come.
    under_way: &'a BTreeSet<CallId>,
    seen: Seen,
    /// Decisions that were asked for later.
    decided: u32,
    /// Where it began to tell of nothing but its answers.
    lost: Option<Turn>,
}

impl Responder for Follower<'_> {
    fn call(&mut self, request: &CallRequest) -> Answer {
        if self.lost.is_some() {
            return Answer::Silent;
        }
        let (words, output) = if request.function == process::WORKFLOW {
            (None, self.variety.anything())
        } else if Process::is_asked_for_by(&request.function) {
            let text = self.variety.text();
            (None, json!({"code": 0, "stdout": text, "stderr": text}))
        } else {
            (self.answer)(request, self.variety)
        };
        if self.under_way.contains(&request.call) {
            return Answer::Done(output);
        }
        // What stands for a secret is none.
        let pretends = |words: &String| request.redact.iter().any(|secret| words.contains(secret.as_str()));
        let key = self.seen.note(
            &request.reference,
            Sight {
                name: request.name.clone(),
                function: request.function.clone(),
                decisions: self.decided,
                with: Some(request.with.clone()),
                words: words.filter(|words| !pretends(words)),
                secret: !request.redact.is_empty(),
            },
        );
        match self.known.get(&key) {
            Some((with, output)) if *with == request.with => Answer::Done(output.clone()),
            _ => Answer::Done(output),
        }
    }

    /// It looked into an answer where there was nothing. What comes after it is not known then.
    fn unbuilt(&mut self, ticket: &CallTicket, _: RunError) -> Answer {
        if self.lost.is_some() {
            return Answer::Silent;
        }
        self.seen.note(
            &ticket.reference,
            Sight {
                name: ticket.name.clone(),
                function: ticket.function.clone(),
                decisions: self.decided,
                with: None,
                words: None,
                secret: false,
            },
        );
        Answer::Silent
    }

    fn turns(&mut self, turn: Turn) {
        self.lost.get_or_insert(turn);
    }

    fn approval(&mut self, request: &ApprovalRequest) -> Answer {
        if self.lost.is_some() {
            return Answer::Silent;
        }
        self.decided += u32::from(!self.under_way.contains(&request.call));
        let text = self.variety.text();
        let decisions = match self.variety {
            Variety::Plain => json!([]),
            Variety::Other => json!([{
                "by": text, "decision": "approve", "comment": text, "stage": 1, "at": "2027-01-01T00:00:00Z",
                "filledIn": self.variety.anything(),
            }]),
            Variety::Bare => json!([{
                "by": text, "decision": "approve", "comment": text, "stage": 1, "at": "2028-01-01T00:00:00Z",
            }]),
        };
        Answer::Done(json!({"outcome": "approved", "decisions": decisions}))
    }
}
