//! What other systems say of calls that are not made: asked about several at once, within a time that a person waits.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use connectors::{Call, CallContext, NoLog, StoredConnections};
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

/// A call that other systems are asked about.
pub(crate) struct Asked {
    /// By which the caller knows it again.
    pub(crate) number: usize,
    pub(crate) function: String,
    /// JSON pointer to the task.
    pub(crate) reference: String,
    pub(crate) with: Value,
    /// Whether a call before it may have changed something that it depends on: one of the same function.
    pub(crate) after_change: bool,
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
    pub(crate) async fn about(&self, calls: Vec<Asked>) -> Vec<(usize, CallPlan)> {
        let asked = stream::iter(calls).map(|asked| self.about_one(asked)).buffer_unordered(AT_ONCE);
        asked.filter_map(|(number, plan)| async move { Some((number, plan?)) }).collect().await
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
        // What is not there yet may be there by then.
        let plan = plan.map(|plan| {
            if asked.after_change && plan.effect == PlannedEffect::Fails {
                let words = format!("cannot be said before the calls before it are made: now it {}", plan.words);
                CallPlan { effect: PlannedEffect::Unasked, words, ..plan }
            } else {
                plan
            }
        });
        (asked.number, plan)
    }
}
