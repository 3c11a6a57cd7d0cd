//! What other systems say of calls that are not made: asked about several at once, within a time that a person waits.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use connectors::{Call, CallContext, NoLog, Registry, StoredConnections};
use domain::{
    Name, RunId,
    view::{CallPlan, PlannedEffect},
};
use futures::{StreamExt as _, stream};
use identity::vault::contains_sealed;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::Service;

/// The most calls of which other systems are asked at once.
pub(crate) const MOST: usize = 20;
/// How many of them are asked at the same time.
const AT_ONCE: usize = 8;
/// How long all of them may take together.
const TOGETHER: Duration = Duration::from_secs(10);

/// What calls before one may have changed of what it depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    /// None of them changes anything.
    Unchanged,
    /// Something, by other functions.
    Changed,
    /// Something, by the same function: perhaps the very thing.
    ChangedAlike,
}

/// A call that other systems are asked about.
struct Asked {
    number: usize,
    function: String,
    reference: String,
    with: Value,
    before: Before,
}

/// Which calls other systems are asked about: the first of those that are certain.
pub(crate) struct Chosen<'s> {
    connectors: &'s Registry,
    asked: Vec<Asked>,
    /// The numbers of those that come after the most.
    left_out: Vec<usize>,
    /// The functions that have been called in the run so far to change something.
    changing: BTreeSet<String>,
}

impl Chosen<'_> {
    /// From here on the calls are those of another run, in which nothing has been changed yet.
    pub(crate) fn begin_run(&mut self) {
        self.changing.clear();
    }

    /// The next call of the run that may change something, by a number that the caller knows it again by. Others can be asked
    /// about it if its arguments are certain.
    pub(crate) fn add(&mut self, number: usize, function: &str, reference: &str, with: Option<&Value>) {
        let before = if self.changing.contains(function) {
            Before::ChangedAlike
        } else if self.changing.is_empty() {
            Before::Unchanged
        } else {
            Before::Changed
        };
        self.changing.insert(function.to_owned());
        let Some(with) = with.filter(|with| self.connectors.can_plan(function, with)) else { return };
        if self.asked.len() == MOST {
            self.left_out.push(number);
            return;
        }
        let (function, reference) = (function.to_owned(), reference.to_owned());
        self.asked.push(Asked { number, function, reference, with: with.clone(), before });
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.asked.len()
    }

    /// Their functions and arguments.
    pub(crate) fn calls(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.asked.iter().map(|asked| (asked.function.as_str(), &asked.with))
    }
}

/// Whether other systems may be asked about a call with these arguments: not where something is sealed in them, which only the
/// call itself opens.
pub(crate) fn may_be_asked(with: &Value) -> bool {
    !contains_sealed(with)
}

/// Somebody who waits for what other systems say.
pub(crate) struct Questions<'s> {
    service: &'s Service,
    connections: StoredConnections,
    namespace: Name,
    run: RunId,
    until: Instant,
}

impl Service {
    /// Begins to ask, for at most 10 seconds in all, over the connections that the namespace may use, and within what its runs
    /// may reach.
    pub(crate) fn ask_others(&self, namespace: &Name, run: RunId) -> Questions<'_> {
        let parts = &self.parts;
        Questions {
            service: self,
            connections: StoredConnections { store: Arc::clone(&parts.store), vault: Arc::clone(&parts.vault) },
            namespace: namespace.clone(),
            run,
            until: Instant::now() + TOGETHER,
        }
    }

    /// Begins to choose what others are asked about.
    pub(crate) fn choose(&self) -> Chosen<'_> {
        let connectors = &*self.parts.connectors;
        Chosen { connectors, asked: Vec::new(), left_out: Vec::new(), changing: BTreeSet::new() }
    }

    /// The connections that these calls go over, each once.
    pub(crate) fn connections_of<'a>(&self, calls: impl Iterator<Item = (&'a str, &'a Value)>) -> BTreeSet<String> {
        let named = |(function, with)| self.parts.connectors.connection_name(function, with).map(str::to_owned);
        calls.filter_map(named).collect()
    }
}

impl Questions<'_> {
    fn context(&self, reference: &str) -> CallContext {
        let parts = &self.service.parts;
        CallContext {
            run: self.run,
            reference: reference.to_owned(),
            attempt: 1,
            // No call has this key, so that nobody's work is taken for this one's.
            key: format!("plan-{}", parts.ids.next()),
            deadline: None,
            clock: Arc::clone(&parts.clock),
            ids: Arc::clone(&parts.ids),
            log: Arc::new(NoLog),
            egress: parts.connectors.egress(&self.namespace),
            base_url: parts.base_url.clone(),
            cancelled: CancellationToken::new(),
            messages: None,
        }
    }

    /// What a call gives that only reads; none where that cannot be known now.
    pub(crate) async fn look(&self, function: &str, reference: &str, with: Value) -> Option<Value> {
        let context = self.context(reference);
        let call = Call { function, with, namespace: &self.namespace, idempotent: false };
        let looking = self.service.parts.connectors.look(call, &self.connections, &context);
        timeout_at(self.until, looking).await.ok().flatten().filter(may_be_asked)
    }

    /// What these calls would change, by their numbers.
    pub(crate) async fn about(&self, chosen: Chosen<'_>) -> BTreeMap<usize, CallPlan> {
        let asked = stream::iter(chosen.asked).map(|asked| self.about_one(asked)).buffer_unordered(AT_ONCE);
        let said = asked.filter_map(|(number, plan)| async move { Some((number, plan?)) });
        let mut plans: BTreeMap<_, _> = said.collect().await;
        let left_out = || CallPlan::unasked(format!("was not asked: at most {MOST} calls are asked about"));
        plans.extend(chosen.left_out.into_iter().map(|number| (number, left_out())));
        plans
    }

    async fn about_one(&self, asked: Asked) -> (usize, Option<CallPlan>) {
        let context = self.context(&asked.reference);
        let call = Call { function: &asked.function, with: asked.with, namespace: &self.namespace, idempotent: false };
        let planning = self.service.parts.connectors.plan(call, &self.connections, &context);
        let late = || {
            let seconds = TOGETHER.as_secs();
            Some(CallPlan::unasked(format!("was not asked, because all together took {seconds} seconds")))
        };
        let plan = timeout_at(self.until, planning).await.unwrap_or_else(|_| late());
        (asked.number, plan.map(|plan| as_far_as_known(plan, asked.before)))
    }
}

/// A plan is of how things stand now. What is not there yet may be there once the calls before have been made, and what is so
/// already may be otherwise.
fn as_far_as_known(plan: CallPlan, before: Before) -> CallPlan {
    let now = match (plan.effect, before) {
        (PlannedEffect::Fails, Before::Changed | Before::ChangedAlike) => format!("it {}", plan.words),
        (PlannedEffect::Nothing, Before::ChangedAlike) => plan.words.clone(),
        _ => return plan,
    };
    let words = format!("cannot be said before the calls before it are made: now {now}");
    CallPlan { effect: PlannedEffect::Unasked, words, ..plan }
}

#[cfg(test)]
mod tests {
    use PlannedEffect::{Changes, Fails, Nothing, Unasked};

    use super::*;

    #[test]
    fn what_calls_before_may_have_changed_is_not_said() {
        let effect = |plan: CallPlan, before| as_far_as_known(plan, before).effect;
        let all = [Before::Unchanged, Before::Changed, Before::ChangedAlike];
        assert_eq!(all.map(|before| effect(CallPlan::fails("would fail"), before)), [Fails, Unasked, Unasked]);
        assert_eq!(all.map(|before| effect(CallPlan::nothing("is so"), before)), [Nothing, Nothing, Unasked]);
        assert_eq!(all.map(|before| effect(CallPlan::changes("changes it"), before)), [Changes; 3]);
        let words = as_far_as_known(CallPlan::nothing("ana is no member of vpn"), Before::ChangedAlike).words;
        assert_eq!(words, "cannot be said before the calls before it are made: now ana is no member of vpn");
    }
}
