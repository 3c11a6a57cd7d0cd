//! What a run will do next if it is approved, for those who decide about it.

use connectors::Foresight;
use domain::{
    ApprovalId, ApprovalState, Operation, Problem,
    view::{Certainty, ForeseenCall, ForesightView},
};
use policy::Resource;
use serde_json::{Map, Value, json};
use std::{collections::BTreeSet, iter::once, sync::Arc};
use workflow::{
    CallRequest, Definition, RunState,
    foresight::{self, Following, Known, Prospect},
};

use super::{already_decided, load, target};
use crate::{
    Caller, Service,
    foresight::{MOST, may_be_asked},
    gate::Target,
    problems::OrProblem as _,
};

/// The most calls that are listed.
const LISTED: usize = 100;

impl Service {
    /// The calls that a run would make if this approval were given, with what other systems say of those that are certain: at
    /// most 20 are asked about, and for 10 seconds in all. What is only looked up before the first change is looked up, since
    /// it says how the run goes on; what it gives is not shown. That somebody asks is entered in the audit log with the
    /// connections, before they are used.
    pub async fn foresee_approval(&self, caller: &Caller, id: ApprovalId) -> Result<ForesightView, Problem> {
        let mut gate = self.look(caller, Operation::ApprovalForesee).await?;
        let loaded = load(gate.unit.as_mut(), id, gate.now).await?;
        let resource = self.approval_resource(gate.unit.as_mut(), caller, &loaded).await?;
        let target = target(&loaded.approval, &loaded.run);
        if self.in_force().decide(&caller.principal, Operation::ApprovalRead, &resource).allowed {
            gate.authorize(&resource, &target).await?;
        } else {
            gate.authorize_or_hide(&resource, &target).await?;
        }
        let (approval, run) = (loaded.approval, loaded.run);
        if approval.state != ApprovalState::Pending {
            return Err(already_decided(&approval));
        }
        let definition = self.definition(gate.unit.as_mut(), &run.workflow, &run.version).await?;
        let state = engine::prospect(gate.unit.as_mut(), &definition, &run).await.or_problem()?;
        drop(gate);
        let titles = definition.titles();
        let questions = self.ask_others(&run.workflow.namespace, run.id);
        let mut entries = Entries { service: self, caller, resource, target, named: BTreeSet::new(), is_begun: false };
        let mut looked = 0;
        let mut known = Known::new();
        // What is looked up on the way says how it goes on.
        let mut prospect = self.foreseen(&definition, &state, &known).await?;
        while looked < MOST
            && let Some(next) = self.to_look_up(&prospect.calls, &known)
        {
            let Following { reference, function, occurrence, .. } = next;
            let with = next.with.clone().unwrap_or_default();
            entries.before(self.connections_of(once((function.as_str(), &with))), &[]).await?;
            looked += 1;
            let Some(output) = questions.look(function, reference, with.clone()).await else { break };
            known.insert((reference.clone(), *occurrence), (with, output));
            prospect = self.foreseen(&definition, &state, &known).await?;
        }
        let more = prospect.calls.len() > LISTED;
        let mut calls: Vec<Following> = prospect.calls;
        calls.truncate(LISTED);
        for call in &mut calls {
            if call.with.as_ref().is_some_and(|with| !may_be_asked(with)) {
                call.certainty = foresight::Certainty::Secret;
                call.with = None;
            }
        }
        let connectors = &self.parts.connectors;
        let mut chosen = self.choose();
        for (number, call) in calls.iter().enumerate() {
            if !connectors.only_reads(&call.function, call.with.as_ref()) {
                chosen.add(number, &call.function, &call.reference, call.with.as_ref());
            }
        }
        let counts = [("looked", looked), ("asked", chosen.count())];
        entries.before(self.connections_of(chosen.calls()), &counts).await?;
        let mut plans = questions.about(chosen).await;
        let calls = calls.into_iter().enumerate().map(|(number, call)| ForeseenCall {
            reads: self.parts.connectors.only_reads(&call.function, call.with.as_ref()),
            title: titles.get(&call.reference).cloned().unwrap_or(call.name),
            reference: call.reference,
            function: call.function,
            occurrence: call.occurrence,
            decisions: call.decisions,
            would: call.words,
            certainty: match call.certainty {
                foresight::Certainty::Known => Certainty::Known,
                foresight::Certainty::Secret => Certainty::Secret,
                foresight::Certainty::Arguments => Certainty::Arguments,
                foresight::Certainty::Perhaps => Certainty::Perhaps,
            },
            plan: plans.remove(&number),
        });
        Ok(ForesightView {
            approval: id,
            calls: calls.collect(),
            more,
            waits: prospect.waits,
            open_end: prospect.open_end,
        })
    }

    async fn foreseen(
        &self,
        definition: &Arc<Definition>,
        state: &RunState,
        known: &Known,
    ) -> Result<Prospect, Problem> {
        let functions: Vec<_> = self.parts.connectors.functions().cloned().collect();
        let (definition, state, known) = (Arc::clone(definition), state.clone(), known.clone());
        let following = move || {
            let mut answer = |request: &CallRequest, variety| Foresight::following(&functions, request, variety);
            foresight::foresee(&definition, &state, &known, &mut answer)
        };
        self.in_turn("it takes too long to be followed; try again later", following).await
    }

    /// The first call that is certain, and has not been looked up. Only of those before the first that may change something,
    /// and with it what would be found.
    fn to_look_up<'a>(&self, calls: &'a [Following], known: &Known) -> Option<&'a Following> {
        let connectors = &self.parts.connectors;
        let reading = calls.iter().take_while(|call| connectors.only_reads(&call.function, call.with.as_ref()));
        let mut unknown = reading.filter(|call| !known.contains_key(&(call.reference.clone(), call.occurrence)));
        unknown.find(|call| {
            let with = call.with.as_ref();
            with.is_some_and(|with| connectors.can_look(&call.function, with) && may_be_asked(with))
        })
    }
}

/// What the audit log is told of somebody who asks what follows.
struct Entries<'s> {
    service: &'s Service,
    caller: &'s Caller,
    resource: Resource,
    target: Target,
    /// The connections that entries name.
    named: BTreeSet<String>,
    is_begun: bool,
}

impl Entries<'_> {
    /// Before these connections are used: enters those that no entry names yet, with these counts. Only for those who may still
    /// ask. There is an entry even if no connection is used.
    async fn before(&mut self, connections: BTreeSet<String>, counts: &[(&str, usize)]) -> Result<(), Problem> {
        let new: Vec<String> = connections.difference(&self.named).cloned().collect();
        if self.is_begun && new.is_empty() {
            return Ok(());
        }
        let counts = counts.iter().map(|(what, count)| ((*what).to_owned(), Value::from(*count)));
        let detail: Map<String, Value> = counts.chain([("connections".to_owned(), json!(new))]).collect();
        let mut gate = self.service.look(self.caller, Operation::ApprovalForesee).await?;
        gate.authorize_or_hide(&self.resource, &self.target).await?;
        gate.note_reading(&self.target, Value::Object(detail)).await?;
        self.named.extend(connections);
        self.is_begun = true;
        Ok(())
    }
}
